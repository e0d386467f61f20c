"""What every phase uses and what knows nothing of networks: limits, records, files, escaping."""
