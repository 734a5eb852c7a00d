"""Logged conversations and their rows in the table of messages."""
