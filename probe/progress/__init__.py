"""Whether steps train: weights that stay or move as they should not, and trends."""
