"""Simulated conversations between a user model and an assistant."""
