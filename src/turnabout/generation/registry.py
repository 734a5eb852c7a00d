"""Table of the model backends.

A new backend is a module with its settings and generator, and one line below.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, SerializeAsAny

from turnabout.core.config import Section, resolve
from turnabout.generation.base import Generator
from turnabout.generation.config import ModelConfig, OpenContext
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.vllm.config import VLLM


class Local(ModelConfig):
    """The stage's own model (its `--model`), on this machine.

    It is `models/backbone` in the DAG that ships.
    """

    backend: Literal["local"] = "local"

    def open(self, context: OpenContext) -> Generator:
        """Load the stage's model; its answers are stored by the batch."""
        from turnabout.generation.local.generator import LocalGenerator
        from turnabout.generation.store import AnswerStore
        from turnabout.models import checkpoints

        store = AnswerStore(context.answers, f"{checkpoints.hash_folder(context.model)} {context.dtype}")
        checkpoint = checkpoints.load_checkpoint(context.model, context.dtype)
        return LocalGenerator(checkpoint, "assistant", context.batch_size, store)


#: The settings class of every backend, by its `backend` in `params.yaml`.
BACKENDS: dict[str, type[ModelConfig]] = {
    "local": Local,
    "openai": OpenAI,
    "vllm": VLLM,
}


def resolve_model(entry: Any, backends: Mapping[str, type[ModelConfig]] = BACKENDS) -> Section:
    """Return the settings that `entry` holds, as the class of its `backend`.

    Raises `ValueError` where the key is missing, is called by its earlier name, or names none of `backends`.
    """
    if isinstance(entry, Mapping) and "generator" in entry:
        raise ValueError(f"'generator' is now called '{ModelConfig.renamed_keys['generator']}'")
    return resolve(backends, "backend", entry)


#: A section that says which model answers.
AnyModel = Annotated[SerializeAsAny[ModelConfig], BeforeValidator(resolve_model)]
