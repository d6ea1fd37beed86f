"""One training loop, one checkpoint, for all methods."""
