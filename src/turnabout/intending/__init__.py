"""Intents written by a model: the question, the checks of its answers, and asking again."""
