"""The augmenter of rationales: why one reply is preferred to another."""
