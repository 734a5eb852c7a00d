"""Everything that trains: the user model, the assistants and the reward heads."""
