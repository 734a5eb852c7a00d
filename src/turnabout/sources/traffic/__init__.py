"""Calls of chat APIs and traces of them, put together as turns of conversations."""
