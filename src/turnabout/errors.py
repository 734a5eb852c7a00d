"""Every error a user can cause, as one small tree.

TurnaboutError
├── ConfigError    (ValueError)    params.yaml or the command line asks for something that does not exist
├── DataError      (ValueError)    an input file, table or conversation is not what the reader needs
├── ModelError     (ValueError)    a checkpoint, tokenizer or chat template cannot be used
├── EndpointError  (RuntimeError)  a model's server refuses every call, or cannot be reached
├── BudgetSpent    (RuntimeError)  a stage's calls reached what params.yaml allows
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


class EndpointError(TurnaboutError, RuntimeError):
    """A model's server refuses every call, or cannot be reached. No message carries a key."""


class BudgetSpent(TurnaboutError, RuntimeError):
    """A stage's calls reached what `params.yaml` allows; what was answered is kept."""


class StageFailed(TurnaboutError, RuntimeError):
    """A DVC stage ended with a non-zero status; the message carries the end of its log."""
