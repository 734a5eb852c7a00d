"""The augmenter of user preferences: what one person wants of replies."""
