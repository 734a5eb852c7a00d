"""Intents: their wording, the model that writes them, and the samples built from them."""
