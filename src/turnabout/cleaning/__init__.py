"""Filters and flags that make messages fit to learn from, one method a file."""
