"""OpenAI-compatible endpoints: settings, client, budget and the generator on top."""
