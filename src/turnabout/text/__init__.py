"""Text: word n-grams, language detection, copied runs and sentence vectors."""
