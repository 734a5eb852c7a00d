"""Who scores: an embedded model, one of the Hub, a folder of the pipeline, or an author as `params.yaml` knows them."""

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

#: Settings of an author that its answers depend on.
DECIDING = ("backend", "model", "revision", "base_url", "reasoning_tokens")

#: Who scores unless somebody else is named; follow-ups are the user model's, where there is one.
DEFAULT_MODEL = "smollm2-135m-instruct"
USER_MODEL = "models/user"


class ScoringModel(NamedTuple):
    """The model that scores, not opened yet: a folder of weights, an author that needs none, or neither."""

    speaks: Literal["nothing", "assistant", "user"]
    folder: Path | None
    generator: ModelConfig | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What its answers depend on; not what it may cost or how often it is tried."""
        if self.generator is not None:
            settings = self.generator.model_dump()
            return {key: settings[key] for key in DECIDING if key in settings}
        return {"model": None if self.folder is None else checkpoints.hash_folder(self.folder)}

    @property
    def by(self) -> Literal["scores", "answers"]:
        """An endpoint writes; everything else also tells probabilities."""
        return "answers" if isinstance(self.generator, OpenAI) else "scores"

    def open_scorer_context(self, batch_size: int, max_prompt_tokens: int, answers: Path) -> ScorerContext:
        """The model at work, its answers kept in the SQLite file `answers`."""
        model = self._open(batch_size, answers)
        # A user model has never seen a conversation without an intent.
        is_user_model = isinstance(model, LocalGenerator) and model.checkpoint.chat.end_of_conversation_id is not None
        return ScorerContext(model, self.by, max_prompt_tokens, FALLBACK if is_user_model else None)

    def _open(self, batch_size: int, answers: Path) -> Generator:
        if self.generator is not None:
            return self.generator.open(OpenContext(answers.parent, DTYPE, batch_size, answers))
        if self.folder is None or self.speaks == "nothing":
            return UNOPENED
        store = AnswerStore(answers, f"{checkpoints.hash_folder(self.folder)} {DTYPE}")
        return LocalGenerator(checkpoints.load_checkpoint(self.folder, DTYPE), self.speaks, batch_size, store)


@contextmanager
def load_scoring_model(by: str, model: str | None, author: Path | None) -> Iterator[ScoringModel]:
    """Who a scorer asks: the model of that name, Hub id or folder, or the author that a YAML file describes.

    Without either, the user model of the pipeline where the user's turns are read and it is there, else `EMBEDDED`.
    """
    scorer = SCORERS[by]
    if author is not None and model is not None:
        raise ConfigError("--author: --model says who scores, too; give one of them")
    name = model or (USER_MODEL if scorer.needs == "user" and Path(USER_MODEL).is_dir() else DEFAULT_MODEL)
    if scorer.needs == "nothing":
        yield ScoringModel(scorer.needs, None)
    elif author is not None:
        yield _willing(ScoringModel(scorer.needs, None, read_model_config(author)), by)
    elif name not in checkpoints.EMBEDDED and Path(name).is_dir():
        yield ScoringModel(scorer.needs, Path(name))
    else:
        with TemporaryDirectory() as scratch:
            checkpoints.write_manifest(_pinned(name), Path(scratch, "model"))
            yield ScoringModel(scorer.needs, Path(scratch, "model"))


def _willing(who: ScoringModel, by: str) -> ScoringModel:
    """The author, where it can do what the scorer needs; else a `ConfigError`."""
    if SCORERS[by].needs_probabilities and who.by == "answers":
        raise ConfigError(f"--by {by} reads probabilities, which an endpoint does not give; use --model, or --by judge")
    if who.speaks == "user":
        raise ConfigError(f"--by {by} reads the user's turns, which an author does not speak; use --model")
    return who


def read_model_config(path: Path) -> ModelConfig:
    """The author a YAML file describes, as sections of `params.yaml` do. Raises `ConfigError`."""
    try:
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = resolve_model(entry, {name: config for name, config in BACKENDS.items() if name != "local"})
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise convert_yaml_error(str(path), error) from None
    except (ValidationError, ValueError) as error:
        raise convert_validation_error(str(path), error) from error
    assert isinstance(found, ModelConfig)
    return found


def _pinned(model: str) -> dict[str, Any]:
    try:
        return checkpoints.pin_backbone(model)
    except ModelError as error:
        raise ModelError(str(error).replace("backbone.name:", "--model:")) from error
