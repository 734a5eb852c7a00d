"""Settings of authors: each in its file, cheap to read, and no place for a key."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.source_tree import ROOT
from turnabout.core.messages import Message
from turnabout.generation import Sampling
from turnabout.generation.config import OpenContext
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.registry import BACKENDS, AnyModel
from turnabout.models.checkpoints import load_checkpoint

GENERATION = ROOT / "src" / "turnabout" / "generation"
SECRET = "sk-canary-0123456789abcdef"


def read(**entry: Any) -> Any:
    return TypeAdapter(AnyModel).validate_python(entry)


def test_every_author_is_named_like_its_file() -> None:
    assert {name: generator.model_fields["backend"].default for name, generator in BACKENDS.items()} == {
        n: n for n in BACKENDS
    }
    assert [name for name in BACKENDS if not (GENERATION / f"{name}.py").exists()] == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"backend": "gpt"}, r"backend: 'gpt' is not one of \['local', 'openai'"),
        ({"backend": "openai"}, r"model"),
        ({"backend": "openai", "model": "m", "key": SECRET}, "NAME of an environment variable"),
        ({"backend": "openai", "model": "m", "api_key": SECRET}, r"\['api_key'\] not among the allowed keys"),
        ({"backend": "openai", "model": "m", "base_url": f"https://me:{SECRET}@host/v1"}, "without a user"),
        ({"backend": "openai", "model": "m", "base_url": f"https://host/v1?key={SECRET}"}, "anything after a '\\?'"),
        ({"backend": "openai", "model": "m", "base_url": f"https://:{SECRET}@host/v1"}, "without a user"),
        ({"backend": "openai", "model": "m", "base_url": f"https://host/v1#{SECRET}"}, "or a '#'"),
        ({"backend": "openai", "model": "m", "base_url": "http://host:v1"}, "port must be a number"),
        ({"backend": "openai", "model": "m", "base_url": "host:80"}, "http://host:port/v1"),
        ({"backend": "openai", "model": "m", "budget": {"money": 5}}, "budget.money needs a price"),
    ],
)
def test_a_mistake_is_told_without_what_stood_there(entry: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        read(**entry)
    assert SECRET not in str(caught.value.errors(include_input=False, include_context=False))
    assert "canary" not in "".join(error["msg"] for error in caught.value.errors())


def test_the_local_author_is_the_model_of_the_stage(tiny_checkpoint: Path, tmp_path: Path) -> None:
    prompt: list[Message] = [{"role": "user", "content": "hi"}]
    generator = read(backend="local").open(OpenContext(tiny_checkpoint, "float32", 2, tmp_path / "answers.sqlite"))
    expected = LocalGenerator(load_checkpoint(tiny_checkpoint, "float32"), "assistant", 2).generate(
        [prompt], Sampling(4)
    )
    assert generator.generate([prompt], Sampling(4)) == expected
    assert read(backend="local").get_price() is None
