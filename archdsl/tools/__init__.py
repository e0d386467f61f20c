"""What runs networks: benchmarks, figures of what was measured, verification."""
