"""One script per DVC stage: parse, load, call one pure function, write. Files, clock and environment live here."""
