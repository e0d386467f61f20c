"""Tools that run networks: benchmarks, figures, verification."""
