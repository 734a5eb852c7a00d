"""What makes messages fit to learn from, one reason a file."""
