"""Lines that are broken on purpose, one at a time, to see whether the nearest test notices."""
