"""Training of the user model: windows, packing, loss and end token."""
