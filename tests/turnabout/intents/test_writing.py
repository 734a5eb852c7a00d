"""Generation of intents: prompts, retries and fallbacks."""

from collections.abc import Callable, Sequence

import polars as pl
import pytest

from tests.source_tree import ROOT
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.errors import ModelError
from turnabout.generation import Completion, Sampling
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.generation.unopened import UNOPENED
from turnabout.intents.wording import FALLBACK, NO_INTENT, PREFIX
from turnabout.intents.writing import Intend, write_intents
from turnabout.params import load_params

Build = Callable[..., pl.DataFrame]
COPY = " one two three four five six seven eight."


class Recorder(ScriptedGenerator):
    """A scripted generator that keeps each call: prompt count and sampling."""

    def __init__(self, script: Callable[[Sequence[Message]], str | Completion]) -> None:
        super().__init__(script)
        self.calls: list[tuple[int, Sampling]] = []

    def generate(self, prompts: Sequence[Sequence[Message]], sampling: Sampling) -> list[Completion]:
        self.calls.append((len(prompts), sampling))
        return super().generate(prompts, sampling)


@pytest.fixture
def settings() -> Intend:
    shipped = load_params(ROOT / "params.yaml").intend
    return shipped.model_copy(update={"tries": 3, "max_fallback": 1.0})


@pytest.fixture
def log(messages: Build) -> pl.DataFrame:
    """Return two conversations, out of order."""
    return pl.concat(
        [messages("b", "well one two three four five six seven eight", "hi"), messages("a", "drips", "off")]
    )


def answer_in_turn(*answers: str | Completion) -> Callable[[Sequence[Message]], str | Completion]:
    """Return a script: conversation b gets these answers in turn, a gets a tap."""
    remaining = iter(answers)
    return lambda prompt: next(remaining) if "one two" in prompt[-1]["content"] else " a tap."


def test_write_intents_asks_about_each_conversation_alone(log: pl.DataFrame, settings: Intend) -> None:
    generator = Recorder(answer_in_turn(" numbers."))
    written = write_intents(log, generator, settings, seed=1)
    assert written.schema == schemas.INTENTS
    assert written.rows() == [
        ("a", PREFIX + "a tap.", "scripted", 1, False, False, None),
        ("b", PREFIX + "numbers.", "scripted", 1, False, False, None),
    ]
    of_a, of_b = (prompt[-1]["content"] for prompt in generator.prompts)
    assert of_a.startswith("A: drips\nB: off\n\n")
    assert "one two" not in of_a
    assert "drips" not in of_b


def test_write_intents_retries_only_unusable_answers_with_another_seed(log: pl.DataFrame, settings: Intend) -> None:
    generator = Recorder(answer_in_turn(COPY, Completion("numbers that", truncated=True), " numbers."))
    written = write_intents(log, generator, settings, seed=5)
    assert written.row(1) == ("b", PREFIX + "numbers.", "scripted", 3, True, False, None)
    assert [(n, sampling.seed, sampling.temperature > 0) for n, sampling in generator.calls] == [
        (2, 5, False),
        (1, 6, True),
        (1, 7, True),
    ]


def test_write_intents_writes_a_fallback_with_the_reason_after_the_last_try(
    log: pl.DataFrame, settings: Intend
) -> None:
    written = write_intents(log, Recorder(answer_in_turn("", COPY)), settings.model_copy(update={"tries": 2}), seed=1)
    assert written.row(1) == ("b", FALLBACK, "fallback", 2, False, True, "leak")


def test_write_intents_does_not_retry_refusals_of_an_endpoint(log: pl.DataFrame, settings: Intend) -> None:
    written = write_intents(log, Recorder(answer_in_turn(Completion("", refused="content refused"))), settings, seed=1)
    assert written.row(1) == ("b", FALLBACK, "fallback", 1, False, False, "content refused")


def test_detail_full_has_four_times_the_token_limits(messages: Build, settings: Intend) -> None:
    generator = Recorder(lambda _: " taps.")
    full = settings.model_copy(update={"detail": "full", "max_prompt_tokens": 10, "max_new_tokens": 5})
    write_intents(messages("a", "x" * 500, "off"), generator, full, seed=1)
    assert generator.calls[0][1].max_new_tokens == 20
    assert generator.prompts[0][-1]["content"].startswith("A: " + "x" * 157 + "…\n\n")  # 4 × 10 tokens of 4 characters


def test_detail_full_accepts_copies_and_marks_them(log: pl.DataFrame, settings: Intend) -> None:
    generator = Recorder(answer_in_turn(" one two three. Four five six seven eight."))
    written = write_intents(log, generator, settings.model_copy(update={"detail": "full"}), seed=1)
    assert written.row(1) == (
        "b", PREFIX + "one two three. Four five six seven eight.", "scripted", 1, True, True, None
    )  # fmt: skip


def test_detail_none_asks_no_model_and_writes_the_same_intent(log: pl.DataFrame, settings: Intend) -> None:
    written = write_intents(log, UNOPENED, settings.model_copy(update={"detail": "none"}), seed=1)
    assert written.schema == schemas.INTENTS
    assert written.rows() == [(name, NO_INTENT, None, 0, False, False, None) for name in ("a", "b")]


def test_write_intents_raises_when_the_model_answers_in_another_language(messages: Build, settings: Intend) -> None:
    talks = pl.concat([messages(name, "my tap drips", "off", language="en") for name in "abcd"])
    generator = ScriptedGenerator(lambda _: " einen tropfenden Wasserhahn und wie man ihn repariert")
    message = r"4 of 4 intents by 'scripted' .* 'language', .* allows 50%.* 'einen tropfenden .*in English"
    with pytest.raises(ModelError, match=message):
        write_intents(talks, generator, settings.model_copy(update={"max_fallback": 0.5}), seed=1)


def test_write_intents_accepts_as_many_fallbacks_as_allowed(log: pl.DataFrame, settings: Intend) -> None:
    half = settings.model_copy(update={"max_fallback": 0.5})
    assert write_intents(log, Recorder(answer_in_turn("", "", "")), half, seed=1)["reason"].to_list() == [None, "empty"]
    with pytest.raises(ModelError, match=r"1 of 2 .* 'empty'"):
        write_intents(log, Recorder(answer_in_turn("", "", "")), half.model_copy(update={"max_fallback": 0.4}), seed=1)


def test_write_intents_returns_no_intents_for_an_empty_log(settings: Intend) -> None:
    assert write_intents(schemas.MESSAGES.to_frame(), UNOPENED, settings, seed=1).rows() == []
