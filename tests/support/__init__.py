"""What several tests need: a real server, a small probe, and waiting for a condition."""
