"""What every source ends with: conversations as logged, and their rows in the table of messages."""
