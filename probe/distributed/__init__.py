"""Ranks that act alike, and the reducers of DistributedDataParallel."""
