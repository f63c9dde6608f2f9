"""Runs in notebooks: which cell attached one, what a notebook is called, and how it shows a run."""
