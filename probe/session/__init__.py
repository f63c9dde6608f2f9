"""A run from attach to detach, and the cycle of a step."""
