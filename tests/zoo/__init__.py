"""Broken models, each a bug as people really write it, and healthy ones."""
