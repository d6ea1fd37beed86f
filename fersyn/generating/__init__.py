"""People who do not exist, photo-real: how a generator draws them, and who of them is taken."""
