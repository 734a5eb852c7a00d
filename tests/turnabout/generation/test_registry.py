"""Tests of the table of backends and of errors in their settings.

No error repeats a key.
"""

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from turnabout.core.messages import Message
from turnabout.generation import Sampling
from turnabout.generation.config import OpenContext
from turnabout.generation.local.generator import LocalGenerator
from turnabout.generation.registry import BACKENDS, AnyModel
from turnabout.models.checkpoints import load_checkpoint

SECRET = "sk-canary-0123456789abcdef"


def validate(**entry: Any) -> Any:
    return TypeAdapter(AnyModel).validate_python(entry)


def test_backend_of_every_config_is_its_name_in_the_table() -> None:
    assert {name: config.model_fields["backend"].default for name, config in BACKENDS.items()} == {
        name: name for name in BACKENDS
    }


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"generator": "local"}, "'generator' is now called 'backend'"),
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
def test_error_names_the_mistake_without_the_value(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as caught:
        validate(**entry)
    assert SECRET not in str(caught.value.errors(include_input=False, include_context=False))
    assert "canary" not in "".join(error["msg"] for error in caught.value.errors())


def test_local_backend_opens_the_model_of_the_stage(tiny_checkpoint: Path, tmp_path: Path) -> None:
    prompt: list[Message] = [{"role": "user", "content": "hi"}]
    generator = validate(backend="local").open(OpenContext(tiny_checkpoint, "float32", 2, tmp_path / "answers.sqlite"))
    expected = LocalGenerator(load_checkpoint(tiny_checkpoint, "float32"), "assistant", 2).generate(
        [prompt], Sampling(4)
    )
    assert generator.generate([prompt], Sampling(4)) == expected
    assert validate(backend="local").get_price() is None
