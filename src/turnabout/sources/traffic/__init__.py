"""Calls and traces of chat APIs, combined into turns of conversations."""
