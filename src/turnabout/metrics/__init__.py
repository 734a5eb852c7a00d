"""Metrics of user models and assistants on held-out people, with intervals."""
