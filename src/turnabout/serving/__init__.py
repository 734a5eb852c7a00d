"""Models at work outside the pipeline: the user model behind an OpenAI-compatible server, and talks in the terminal."""
