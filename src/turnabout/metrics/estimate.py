"""A figure with its uncertainty: the bootstrap over users that every reported number goes through."""
