"""Weights: read, drawn, found in the checkpoints of others."""
