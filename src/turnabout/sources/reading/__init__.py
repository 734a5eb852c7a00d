"""Files as records: lists, lines, tables, plain or packed, one record at a time."""
