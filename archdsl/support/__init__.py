"""Shared by all phases and independent of networks: limits, records, files, escaping."""
