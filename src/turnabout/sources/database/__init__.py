"""Databases: addresses without secrets, and rows read without writing."""
