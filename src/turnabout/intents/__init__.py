"""Intents: their wording, their generation, and samples built from them."""
