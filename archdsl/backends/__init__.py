"""The checked graph in the languages of other tools."""
