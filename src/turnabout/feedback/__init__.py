"""Feedback mining: signals of (dis)satisfaction, and one decision per reply."""
