"""What people say of a sample of exchanges: which are shown, how they are shown, and what comes back."""
