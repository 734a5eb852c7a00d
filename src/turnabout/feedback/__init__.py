"""Feedback mining: signals of satisfaction and dissatisfaction, and the decisions made from them."""
