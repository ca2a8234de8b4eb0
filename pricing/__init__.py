"""Pure arithmetic and the words of the trade: survival, exposure, capital, the price of a loan."""
