"""What a user reads of mistakes: places in texts, kinds of diagnostics, their forms."""
