"""Diagnostics: source spans, kinds of errors, output formats."""
