"""A network as a table: rows, what each holds and sees, and its forms."""
