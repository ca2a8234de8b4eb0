"""Hazard of default, loss given default, and exact explanations of a price."""
