"""OpenAI-compatible endpoints: settings, client, budget and generator."""
