"""Quotes over HTTP and from the command line; knows no learner and no training."""
