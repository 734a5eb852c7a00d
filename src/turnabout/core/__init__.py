"""Tables and settings that every part shares: schemas, files, batches and parallel work."""
