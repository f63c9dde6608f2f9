"""Commands: one class a kind, in one registry."""
