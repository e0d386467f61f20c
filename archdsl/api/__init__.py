"""The Python interface, and how it shows itself in notebooks."""
