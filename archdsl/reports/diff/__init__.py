"""Comparison of two networks: pairing and comparing their stages."""
