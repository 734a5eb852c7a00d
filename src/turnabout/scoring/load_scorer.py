"""Models that score.

They are embedded models, models of the Hub, folders, and models that a YAML file describes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import yaml
from pydantic import ValidationError

from turnabout.core.config import convert_validation_error, convert_yaml_error
from turnabout.errors import ConfigError, ModelError
from turnabout.generation.base import Generator
from turnabout.generation.config import ModelConfig, OpenContext
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.registry import BACKENDS, resolve_model
from turnabout.generation.store import AnswerStore
from turnabout.generation.unopened import UNOPENED
from turnabout.intents.wording import FALLBACK
from turnabout.models import checkpoints
from turnabout.scoring import SCORERS
from turnabout.scoring.base import ScorerContext

DTYPE = "bfloat16"

#: Settings of a configured model that its answers depend on.
IDENTITY_KEYS = ("backend", "model", "revision", "base_url", "reasoning_tokens")

#: The model that scores unless another one is named. Follow-up scorers use the user model instead where it exists.
DEFAULT_MODEL = "smollm2-135m-instruct"
USER_MODEL = "models/user"


class ScoringModel(NamedTuple):
    """The model that scores, before it is opened.

    It is a folder of weights, a configured model, or neither for a scorer that needs none.
    """

    speaks: Literal["nothing", "assistant", "user"]
    folder: Path | None
    config: ModelConfig | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """Settings that the answers depend on, without budgets and retries."""
        if self.config is not None:
            settings = self.config.model_dump()
            return {key: settings[key] for key in IDENTITY_KEYS if key in settings}
        return {"model": None if self.folder is None else checkpoints.hash_folder(self.folder)}

    @property
    def by(self) -> Literal["scores", "answers"]:
        """What the model can give: answers (an endpoint) or scores (the others)."""
        return "answers" if isinstance(self.config, OpenAI) else "scores"

    def open_scorer_context(self, batch_size: int, max_prompt_tokens: int, answers: Path) -> ScorerContext:
        """Open the model, with its answers stored in the SQLite file `answers`."""
        generator = self._open_generator(batch_size, answers)
        is_user_model = (
            isinstance(generator, LocalGenerator) and generator.checkpoint.chat.end_of_conversation_id is not None
        )
        return ScorerContext(
            generator=generator,
            by=self.by,
            max_prompt_tokens=max_prompt_tokens,
            # A user model was never trained on a conversation without an intent.
            intent=FALLBACK if is_user_model else None,
        )

    def _open_generator(self, batch_size: int, answers: Path) -> Generator:
        if self.config is not None:
            context = OpenContext(model=answers.parent, dtype=DTYPE, batch_size=batch_size, answers=answers)
            return self.config.open(context)
        if self.folder is None or self.speaks == "nothing":
            return UNOPENED
        store = AnswerStore(answers, f"{checkpoints.hash_folder(self.folder)} {DTYPE}")
        return LocalGenerator(checkpoints.load_checkpoint(self.folder, DTYPE), self.speaks, batch_size, store)


@contextmanager
def load_scoring_model(by: str, model: str | None, generator: Path | None) -> Iterator[ScoringModel]:
    """Provide the model for the scorer `by`.

    It is the model with that name, Hub id or folder, or the one that the YAML file `generator` describes. Without
    either, it is the user model of the pipeline where the scorer reads the user's turns and the folder exists, else
    `DEFAULT_MODEL`. Raises `ConfigError` where both are given or the model cannot do what the scorer needs.
    """
    scorer = SCORERS[by]
    if generator is not None and model is not None:
        raise ConfigError("--generator: --model names the model that scores, too; give one of them")
    name = model or (USER_MODEL if scorer.needs == "user" and Path(USER_MODEL).is_dir() else DEFAULT_MODEL)
    if scorer.needs == "nothing":
        yield ScoringModel(scorer.needs, None)
    elif generator is not None:
        scoring_model = ScoringModel(scorer.needs, None, read_model_config(generator))
        _check_capability(scoring_model, by)
        yield scoring_model
    elif name not in checkpoints.EMBEDDED and Path(name).is_dir():
        yield ScoringModel(scorer.needs, Path(name))
    else:
        with TemporaryDirectory() as scratch:
            checkpoints.write_manifest(_pin_model(name), Path(scratch, "model"))
            yield ScoringModel(scorer.needs, Path(scratch, "model"))


def _check_capability(scoring_model: ScoringModel, by: str) -> None:
    """Raise `ConfigError` if a model cannot do what the scorer needs."""
    if SCORERS[by].needs_probabilities and scoring_model.by == "answers":
        raise ConfigError(f"--by {by} reads probabilities, which an endpoint does not give; use --model, or --by judge")
    if scoring_model.speaks == "user":
        raise ConfigError(
            f"--by {by} reads the user's turns, but a model from --generator writes the assistant's; use --model"
        )


def read_model_config(path: Path) -> ModelConfig:
    """Read a YAML file that describes a model as sections of `params.yaml` do.

    The backend `local` is not allowed. Raises `ConfigError`.
    """
    backends = {name: config_class for name, config_class in BACKENDS.items() if name != "local"}
    try:
        config = resolve_model(yaml.safe_load(path.read_text(encoding="utf-8")), backends)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise convert_yaml_error(str(path), error) from None
    except (ValidationError, ValueError) as error:
        raise convert_validation_error(str(path), error) from error
    assert isinstance(config, ModelConfig)
    return config


def _pin_model(model: str) -> dict[str, Any]:
    try:
        return checkpoints.pin_backbone(model)
    except ModelError as error:
        raise ModelError(str(error).replace("backbone.name:", "--model:")) from error
