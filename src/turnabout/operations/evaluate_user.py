"""Any model as a user on held-out people: by folder, embedded name or Hub id, inside a project or outside."""

from pathlib import Path
from typing import Any, Literal

from turnabout.core import schemas
from turnabout.core.io import read_frame
from turnabout.errors import ConfigError
from turnabout.generation.config import Desk
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.generated_turns import Cast, by_split
from turnabout.metrics.intent_adherence import WORDS, Judge, asked_of
from turnabout.metrics.settings import Evaluate
from turnabout.metrics.user_model import evaluate
from turnabout.models.checkpoints import cache_folder
from turnabout.models.context_length import check_context
from turnabout.models.loading import open_model
from turnabout.params import load_params
from turnabout.scoring.load_scorer import EMBEDDED, read_author

#: Settings, seed and weights where no params.yaml says otherwise.
STANDARD = Evaluate(
    conversations=200,
    max_length=512,
    ending_length=512,
    contexts=200,
    items=52,
    detector=200,
    phrases_per_dimension=1,
    max_new_tokens=64,
    batch_size=16,
    resamples=1000,
)
SEED, DTYPE = 1, "bfloat16"

#: Whose acting the detector of naturalness learns to tell from people.
BACKBONE = "models/backbone"


def measured(model: str, samples: Path, n: int | None, assistant: str | None, judge: Path | None) -> dict[str, Any]:
    """The metrics tree of one model on `schemas.USER_SAMPLES`: a user model where it can leave, else an actor.

    `n` is the most conversations, first messages and items of each kind; `judge` a YAML file as `read_author` takes it.
    """
    settings, seed, dtype = _settings(n)
    people = by_split(read_frame(samples, schemas.USER_SAMPLES), settings.conversations, seed)
    player = _open(model, dtype, settings.batch_size)
    asked = {"evaluate.max_length": settings.max_length, "evaluate.max_new_tokens": settings.max_new_tokens}
    check_context(player.checkpoint, asked)
    check_context(player.checkpoint, {"evaluate.ending_length": settings.ending_length})
    acting = assistant or (BACKBONE if Path(BACKBONE).is_dir() else EMBEDDED)
    actor = player if acting == model else _open(acting, dtype, settings.batch_size)
    if actor.speaks == "user":
        raise ConfigError(f"--assistant: {acting} is a user model; name an assistant, whose acting is to be told apart")
    by = WORDS if judge is None else _judge(judge, dtype, settings.batch_size, seed)
    name = Path(model).name if Path(model).is_dir() else model
    return evaluate(Cast({name: player}, actor), people, settings, seed, by).metrics


def _settings(n: int | None) -> tuple[Evaluate, int, str]:
    """Section `evaluate`, the seed and the dtype of the params.yaml here, else the standard ones."""
    if n is not None and n < 1:
        raise ConfigError(f"--n: {n} came; give 1 or more")
    params = load_params(Path("params.yaml")) if Path("params.yaml").exists() else None
    settings, seed, dtype = (
        (STANDARD, SEED, DTYPE) if params is None else (params.evaluate, params.seed, params.backbone.dtype)
    )
    most = {} if n is None else dict.fromkeys(("conversations", "contexts", "items", "detector"), n)
    return settings.model_copy(update=most), seed, dtype


def _open(name: str, dtype: str, batch_size: int) -> LocalGenerator:
    checkpoint = open_model(name, dtype)
    speaks: Literal["user", "assistant"] = "assistant" if checkpoint.chat.end_of_conversation_id is None else "user"
    return LocalGenerator(checkpoint, speaks, batch_size)


def _judge(path: Path, dtype: str, batch_size: int, seed: int) -> Judge:
    """The author of a YAML file as judge; its answers are kept beside the embedded weights."""
    desk = Desk(Path(EMBEDDED), dtype, batch_size, cache_folder() / "answers.sqlite")
    return asked_of(read_author(path).open(desk), seed)
