"""From definitions to the checked graph: every number is computed here, once."""
