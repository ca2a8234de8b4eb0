"""What we are measured by: ratios side by side in one run, never a timed test."""
