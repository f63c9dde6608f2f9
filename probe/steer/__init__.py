"""Commands: queued, applied, previewed, verified, and what they saved."""
