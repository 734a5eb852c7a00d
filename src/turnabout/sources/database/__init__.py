"""Addresses of databases without secrets, and read-only access to rows."""
