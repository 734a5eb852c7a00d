"""Ablations of the user model: what an arm is, its evaluation, and the table of all arms."""
