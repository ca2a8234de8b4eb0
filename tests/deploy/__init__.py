"""What deploy/ holds, checked by its own validators, and its processes run on this machine."""
