"""The simulated world of early-stage projects: how they come to be, fare, and become known."""
