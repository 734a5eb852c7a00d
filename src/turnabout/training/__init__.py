"""Training of the user model, the assistants and the reward heads."""
