"""Training of assistants from preference pairs or single judged replies."""
