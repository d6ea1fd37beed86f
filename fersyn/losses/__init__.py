"""Losses: pure functions, one idea a file, the equation beside the line that computes it; and the step of a discriminator."""
