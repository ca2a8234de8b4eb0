"""The validation pack: what an independent validator asks of a version, with every figure."""
