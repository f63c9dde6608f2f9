"""The connection to the server, and what travels on it."""
