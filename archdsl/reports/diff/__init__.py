"""What differs between two networks: their stages paired, compared, and told."""
