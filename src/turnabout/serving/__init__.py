"""Use of trained models outside the pipeline.

The user model answers behind an OpenAI-compatible server; any model chats in the terminal.
"""
