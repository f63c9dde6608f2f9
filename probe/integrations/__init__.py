"""Training libraries: each has one file, imported only when used, which attaches by its hooks."""
