"""Intents: what a person wants from a conversation, as the one sentence that a user model is told.

Naous et al. 2025 (arXiv 2510.06552), §3.1: no intent cannot steer a user model, a full script turns it into a parrot.
`intending` has a model write them; here are the words they share and those that stand in for one.
"""

#: How every intent begins.
PREFIX = "You are a user chatting with an assistant language model to talk about "

#: The intent of a conversation for which none could be written.
FALLBACK = PREFIX + "something on your mind."

#: The system message where the intent is withheld, in training and evaluation alike.
NO_INTENT = "You are a user chatting with an assistant language model."
