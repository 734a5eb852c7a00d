"""The augmenter of critiques: what was wrong with a reply."""
