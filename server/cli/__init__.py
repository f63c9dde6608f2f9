"""The command line: `gradgate`."""
