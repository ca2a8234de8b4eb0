"""What is set aside for losses that are expected, over scenarios and the cycle."""
