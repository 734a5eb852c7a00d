"""Arms of the user model: what each is trained from, and how well it then foresees the same held-out people."""
