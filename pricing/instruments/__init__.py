"""What can be priced off a project's margins, one instrument a file."""
