"""Runs as they happen: probes and browsers that are connected."""
