"""The fixed texts of intents.

An intent says in one sentence what a person wants from a conversation; it is the system message of a user model. By
Naous et al. 2025 (arXiv 2510.06552, §3.1), a user model cannot be steered without an intent, and with a full script it
only repeats the script. `writing.py` has a model write the intents.
"""

#: The beginning of every intent.
PREFIX = "You are a user chatting with an assistant language model to talk about "

#: The intent of a conversation for which none could be written.
FALLBACK = PREFIX + "something on your mind."

#: The system message if the intent is withheld, in training and evaluation alike.
NO_INTENT = "You are a user chatting with an assistant language model."
