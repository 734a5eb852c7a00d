"""A transformers model on this machine as a generator."""
