"""Prompts to language models and their structured answers."""
