"""The augmenter of ratings: scores of replies, aspect by aspect."""
