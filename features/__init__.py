"""What is known of a project, as columns, as known on a date."""
