"""What is shown of a network: summaries, explanations, differences, pictures, warnings."""
