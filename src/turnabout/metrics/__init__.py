"""What the models are worth on held-out people, every figure with its interval."""
