"""Measures gradients, metrics and the time of backward, and what that costs."""
