"""Authors by generator. A new one is one file here that holds its settings and its generator, and one line below."""

from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator, SerializeAsAny

from turnabout.core.config import resolve
from turnabout.generation.base import Generator
from turnabout.generation.config import Author, Desk
from turnabout.generation.endpoint.config import OpenAI
from turnabout.generation.vllm.config import VLLM


class Local(Author):
    """The stage's own model (its `--model`), on this machine: `models/backbone` in the graph that ships."""

    generator: Literal["local"] = "local"

    def open(self, desk: Desk) -> Generator:
        """The model of the stage; its answers are kept by the batch."""
        from turnabout.generation.local.generator import LocalGenerator
        from turnabout.generation.store import AnswerStore
        from turnabout.models import checkpoints

        store = AnswerStore(desk.answers, f"{checkpoints.fingerprint(desk.model)} {desk.dtype}")
        return LocalGenerator(checkpoints.load(desk.model, desk.dtype), "assistant", desk.batch_size, store)


#: Every author by its `generator` in `params.yaml`.
AUTHORS: dict[str, type[Author]] = {
    "local": Local,
    "openai": OpenAI,
    "vllm": VLLM,
}

#: A section that says who answers.
AnyAuthor = Annotated[SerializeAsAny[Author], BeforeValidator(partial(resolve, AUTHORS, "generator"))]
