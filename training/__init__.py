"""From data to a model version that may be served."""
