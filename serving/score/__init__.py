"""A book of loans priced and explained from a file, without a server: `python -m serving score`."""
