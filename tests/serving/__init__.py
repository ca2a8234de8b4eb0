"""The server, door by door."""
