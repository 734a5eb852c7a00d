"""A user model as a folder that other libraries load, with a card that says where it comes from."""
