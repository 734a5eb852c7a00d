"""Ablations of the user model: arms, evaluation and comparison."""
