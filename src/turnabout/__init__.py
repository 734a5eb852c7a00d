"""Turnabout: a user language model and an assistant from conversation logs."""
