"""Views of a network: summaries, explanations, differences, pictures, warnings."""
