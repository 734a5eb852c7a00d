"""Statistics: estimates with bootstrap intervals, agreement and proportions."""
