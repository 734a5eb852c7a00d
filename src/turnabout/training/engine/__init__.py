"""The training loop every objective shares: settings, adapters, several processes and cost figures."""
