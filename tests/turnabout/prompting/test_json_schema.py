"""Tests of JSON schemas of answers and of structured questions."""

from typing import Literal

import msgspec

from turnabout.generation.base import Completion, Generator, Sampling
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.prompting.json_schema import build_json_schema
from turnabout.prompting.structured import AskOptions, Question, ask_structured, parse_json


class Part(msgspec.Struct):
    """A part, whose docstring must not appear in the schema."""

    title: str
    note: str | None = None


class Whole(msgspec.Struct):
    label: Literal["good", "bad"]
    parts: list[Part] = []


QUESTION = Question("?", lambda answer: parse_json(answer, Part))


def test_schema_requires_all_fields_and_forbids_others() -> None:
    note = {"anyOf": [{"type": "string"}, {"type": "null"}]}
    part = {"type": "object", "properties": {"title": {"type": "string"}, "note": note}}
    parts = {"type": "array", "items": {"$ref": "#/$defs/Part"}}
    assert build_json_schema(Whole) == {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": ["bad", "good"]}, "parts": parts},
        "required": ["label", "parts"],
        "additionalProperties": False,
        "$defs": {"Part": {**part, "required": ["title", "note"], "additionalProperties": False}},
    }


class Recorder(ScriptedGenerator):
    """Records the sampling settings."""

    sampled: Sampling

    def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
        self.sampled = sampling
        return super().generate(prompts, sampling)


def test_ask_structured_passes_the_schema() -> None:
    recorder = Recorder(lambda _: Completion('{"title": "x", "note": null}'))
    generator: Generator = recorder
    results = ask_structured(generator, [QUESTION], AskOptions("{", max_new_tokens=9, retries=0, seed=1, shape=Part))
    assert results == [Part("x", None)]
    assert recorder.sampled.schema == build_json_schema(Part)


def test_refused_question_is_not_asked_again() -> None:
    generator = ScriptedGenerator(lambda _: Completion("", refused="context too long"))
    results = ask_structured(generator, [QUESTION], AskOptions("{", max_new_tokens=9, retries=3, seed=1))
    assert [getattr(result, "reason", None) for result in results] == ["context too long"]
    assert len(generator.prompts) == 1
