"""Evaluation of any model as a user, on held-out people.

The model is a folder, an embedded name or a Hub id; it works inside and outside a project.
"""

from pathlib import Path
from typing import Any, Literal

from turnabout.core import schemas
from turnabout.core.io import read_frame
from turnabout.errors import ConfigError
from turnabout.generation.config import OpenContext
from turnabout.generation.local.generator import LocalGenerator
from turnabout.metrics.generated_turns import EvaluatedModels, sample_splits
from turnabout.metrics.intent_adherence import WORD_JUDGE, IntentJudge, build_model_judge
from turnabout.metrics.settings import Evaluate
from turnabout.metrics.user_model import check_context_lengths, evaluate_user_models
from turnabout.models.checkpoints import get_cache_folder
from turnabout.models.loading import open_model
from turnabout.params import load_params
from turnabout.scoring.load_scorer import DEFAULT_MODEL, read_model_config

#: Settings, seed and dtype that apply without a params.yaml.
DEFAULT_SETTINGS = Evaluate(
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

#: Default assistant for the naturalness detector, which learns to distinguish its acting from people.
BACKBONE = "models/backbone"


def measure_user_model(
    model: str, samples: Path, *, n: int | None, assistant: str | None, judge: Path | None
) -> dict[str, Any]:
    """Return the metrics tree of one model on `schemas.USER_SAMPLES`.

    A model that has the end-of-conversation token is used as a user model; any other one is prompted to act as a user.
    `n` limits conversations, first messages and items of each kind; `judge` is a YAML file for `read_model_config`.
    """
    settings, seed, dtype = _load_settings(n)
    splits = sample_splits(read_frame(samples, schemas.USER_SAMPLES), settings.conversations, seed)
    user_model = _open_generator(model, dtype, settings.batch_size)
    check_context_lengths(user_model.checkpoint, settings)
    assistant = assistant or (BACKBONE if Path(BACKBONE).is_dir() else DEFAULT_MODEL)
    detector_assistant = user_model if assistant == model else _open_generator(assistant, dtype, settings.batch_size)
    if detector_assistant.speaks == "user":
        raise ConfigError(
            f"--assistant: {assistant} is a user model; name an assistant, which the naturalness detector learns to "
            "distinguish from people"
        )
    intent_judge = WORD_JUDGE if judge is None else _open_judge(judge, dtype, settings.batch_size, seed)
    name = Path(model).name if Path(model).is_dir() else model
    models = EvaluatedModels(user_models={name: user_model}, detector_assistant=detector_assistant)
    return evaluate_user_models(models, splits, settings, seed=seed, judge=intent_judge).metrics


def _load_settings(n: int | None) -> tuple[Evaluate, int, str]:
    """Return section `evaluate`, the seed and the dtype.

    They are from params.yaml in the working directory if it exists, else the defaults.
    """
    if n is not None and n < 1:
        raise ConfigError(f"--n: {n} is not allowed; give 1 or more")
    settings, seed, dtype = DEFAULT_SETTINGS, SEED, DTYPE
    if Path("params.yaml").exists():
        params = load_params(Path("params.yaml"))
        settings, seed, dtype = params.evaluate, params.seed, params.backbone.dtype
    limits = {} if n is None else dict.fromkeys(("conversations", "contexts", "items", "detector"), n)
    return settings.model_copy(update=limits), seed, dtype


def _open_generator(name: str, dtype: str, batch_size: int) -> LocalGenerator:
    checkpoint = open_model(name, dtype)
    speaks: Literal["user", "assistant"] = "assistant" if checkpoint.chat.end_of_conversation_id is None else "user"
    return LocalGenerator(checkpoint, speaks, batch_size)


def _open_judge(path: Path, dtype: str, batch_size: int, seed: int) -> IntentJudge:
    """Open the model of a YAML file as judge.

    Its answers are stored in the cache folder of the embedded weights.
    """
    desk = OpenContext(Path(DEFAULT_MODEL), dtype, batch_size, get_cache_folder() / "answers.sqlite")
    return build_model_judge(read_model_config(path).open(desk), seed)
