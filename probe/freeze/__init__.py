"""Freezes and thaws parameters and modules."""
