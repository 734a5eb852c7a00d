"""Training of the user model: windows, packing, losses and the end-of-conversation token."""
