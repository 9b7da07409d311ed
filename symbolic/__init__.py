"""From data or a network to formulas, and back."""
