"""vLLM as a generator."""
