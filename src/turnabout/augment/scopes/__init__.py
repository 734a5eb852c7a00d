"""The augmenter of scopes: the prompts to which a rule applies."""
