"""Every error a user can cause, as one small tree.

TurnaboutError
├── ConfigError    (ValueError)    params.yaml or the command line asks for something that does not exist
├── DataError      (ValueError)    an input file, table or conversation is not what the reader needs
├── ModelError     (ValueError)    a checkpoint, tokenizer or chat template cannot be used
└── StageFailed    (RuntimeError)  a DVC stage ended with a non-zero status

Each message says what came, what was allowed and what to do.
"""


class TurnaboutError(Exception):
    """Base of every error that is the caller's to mend; the command line prints it without a traceback."""


class ConfigError(TurnaboutError, ValueError):
    """`params.yaml` or the command line asks for something that does not exist."""


class DataError(TurnaboutError, ValueError):
    """An input file, table or conversation is not what its reader needs."""


class ModelError(TurnaboutError, ValueError):
    """A checkpoint, tokenizer or chat template cannot be used."""


class StageFailed(TurnaboutError, RuntimeError):
    """A DVC stage ended with a non-zero status; the message carries the end of its log."""
