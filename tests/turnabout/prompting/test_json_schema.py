from typing import Literal

import msgspec

from turnabout.generation.base import Completion, Generator, Sampling
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.prompting.json_schema import build_json_schema
from turnabout.prompting.structured import AskOptions, Question, ask_structured, parse_json


class Part(msgspec.Struct):
    """Some part."""

    title: str
    note: str | None = None


class Whole(msgspec.Struct):
    label: Literal["good", "bad"]
    parts: list[Part] = []


def test_all_fields_are_required_and_no_other_is_allowed_at_each_level() -> None:
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
    """Keeps how it was asked."""

    sampled: Sampling

    def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
        self.sampled = sampling
        return super().generate(prompts, sampling)


def test_a_question_hands_its_form_on() -> None:
    writer = Recorder(lambda _: Completion('{"title": "x", "note": null}'))
    generator: Generator = writer
    found = ask_structured(generator, [Question("?", lambda answer: parse_json(answer, Part))], AskOptions("{", 9, 0, 1, Part))
    assert found == [Part("x", None)]
    assert writer.sampled.schema == build_json_schema(Part)


def test_what_was_refused_is_not_asked_again_and_its_reason_is_counted() -> None:
    writer = ScriptedGenerator(lambda _: Completion("", refused="context too long"))
    found = ask_structured(writer, [Question("?", lambda answer: parse_json(answer, Part))], AskOptions("{", 9, 3, 1))
    assert [getattr(fault, "reason", None) for fault in found] == ["context too long"]
    assert len(writer.prompts) == 1
