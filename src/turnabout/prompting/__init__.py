"""Prompts to language models and structured answers from them."""
