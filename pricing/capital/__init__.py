"""What a risk costs in capital: the regulator's formulas, and the return on what they ask for."""
