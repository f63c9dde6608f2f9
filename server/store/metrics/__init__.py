"""Metrics in the store: values as they were logged, in blocks, and in a pyramid above those."""
