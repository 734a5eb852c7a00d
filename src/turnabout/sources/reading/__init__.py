"""Files as records, one at a time: lists, lines and tables, plain or packed."""
