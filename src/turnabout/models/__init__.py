"""Checkpoints, chat templates and log-probabilities of language models."""
