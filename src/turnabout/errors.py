"""All errors that a user can cause.

TurnaboutError
├── ConfigError    (ValueError)    params.yaml or the command line asks for something that does not exist
├── DataError      (ValueError)    an input file, table or conversation is not what the reader needs
├── ModelError     (ValueError)    a checkpoint, tokenizer or chat template cannot be used
├── EndpointError  (RuntimeError)  a model's server refuses every call, or cannot be reached
├── BudgetExceeded    (RuntimeError)  a stage's calls reached what params.yaml allows
└── StageFailed    (RuntimeError)  a DVC stage ended with a non-zero status

Each message says what was given, what is allowed and what to do. Whoever reads a file or a server raises the error of
that boundary; callers pass it on. Anything else that is raised is a bug of this package and keeps its traceback.
"""


class TurnaboutError(Exception):
    """Base of all errors that the user can fix; printed without a traceback."""


class ConfigError(TurnaboutError, ValueError):
    """`params.yaml` or the command line asks for something that does not exist."""


class DataError(TurnaboutError, ValueError):
    """An input file, table or conversation is not what its reader needs."""


class ModelError(TurnaboutError, ValueError):
    """A checkpoint, tokenizer or chat template cannot be used."""


class EndpointError(TurnaboutError, RuntimeError):
    """A model's server refuses every call, or cannot be reached.

    No message holds a key.
    """


class BudgetExceeded(TurnaboutError, RuntimeError):
    """The calls of a stage reached the budget in `params.yaml`.

    All answers are kept.
    """


class StageFailed(TurnaboutError, RuntimeError):
    """A DVC stage ended with a non-zero status.

    The message holds the end of its log.
    """
