"""Export of a user model as a folder that other libraries load, with a card."""
