"""The store: runs, samples, metrics, commands, gates and explanations."""
