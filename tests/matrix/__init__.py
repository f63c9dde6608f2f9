"""The compatibility matrix: everything that people train with, each against a run by hand."""
