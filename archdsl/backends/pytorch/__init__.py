"""The PyTorch backend: from the checked graph to the source of a module. Imports no torch."""
