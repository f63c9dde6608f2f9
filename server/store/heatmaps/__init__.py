"""Heat maps of runs."""
