"""Augmenters that rewrite a criticised reply: refinements and hindsights."""
