"""Pages for people: why a price is what it is, whether it can be believed, what would change it."""
