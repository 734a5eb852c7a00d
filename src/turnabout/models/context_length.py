"""Context length of a model, and a check of the settings against it."""

from collections.abc import Mapping

from turnabout.errors import ConfigError
from turnabout.models.checkpoints import Checkpoint


def get_context_length(checkpoint: Checkpoint) -> int | None:
    """Return the maximum number of tokens the model can read and write together.

    None where its configuration has no limit.
    """
    length = getattr(checkpoint.model.config.get_text_config(), "max_position_embeddings", None)
    return None if length is None else int(length)


def check_context(checkpoint: Checkpoint, tokens: Mapping[str, int]) -> None:
    """Raise `ConfigError` where settings exceed the model's context length.

    The sum of the settings is compared. `tokens` has the settings by name. Beyond its context length a model fails or,
    with rotary positions, continues and writes nonsense.
    """
    limit, total = get_context_length(checkpoint), sum(tokens.values())
    if limit is not None and total > limit:
        lower = "it" if len(tokens) == 1 else "one of them"
        raise ConfigError(
            f"{' + '.join(tokens)}: {total} tokens in total, but {checkpoint.name} can read {limit} "
            f"(max_position_embeddings in its config.json); lower {lower}, or use a model with a longer context"
        )
