"""Commands with many options, a file each; what they do is imported by the one that is called."""
