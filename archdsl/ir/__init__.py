"""The checked graph and what follows from it: costs, parts, memory, receptive fields."""
