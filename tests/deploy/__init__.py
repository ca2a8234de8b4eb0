"""What deploy/ brings is held against what the server does."""
