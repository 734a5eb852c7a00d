"""Basics of tables and settings that all other folders use."""
