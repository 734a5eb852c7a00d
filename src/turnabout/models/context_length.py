"""How many tokens a model can read and write together, and settings that ask for more."""

from collections.abc import Mapping

from turnabout.errors import ConfigError
from turnabout.models.checkpoints import Checkpoint


def get_context_length(checkpoint: Checkpoint) -> int | None:
    """How many tokens the model can read and write together; None where its configuration has no limit."""
    found = getattr(checkpoint.model.config.get_text_config(), "max_position_embeddings", None)
    return None if found is None else int(found)


def check_context(checkpoint: Checkpoint, tokens: Mapping[str, int]) -> None:
    """Raise `ConfigError` where settings, by name, together ask for more tokens than the model can read.

    Beyond its context a model fails or, with rotary positions, goes on and answers nonsense.
    """
    allowed, asked = get_context_length(checkpoint), sum(tokens.values())
    if allowed is not None and asked > allowed:
        lower = "it" if len(tokens) == 1 else "one of them"
        raise ConfigError(
            f"{' + '.join(tokens)}: {asked} tokens came, but {checkpoint.name} can read {allowed} "
            f"(max_position_embeddings in its config.json); lower {lower} to fit, or take a model with a longer context"
        )
