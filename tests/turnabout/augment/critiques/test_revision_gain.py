"""Critiques tested by revision: another model compares the revisions."""

from collections.abc import Sequence

import pytest

from tests.turnabout.augment.conftest import build_context
from turnabout.augment.base import AugmentInputs
from turnabout.augment.critiques.augmenter import Critiques
from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.follow_ups import Phrases
from turnabout.generation import Completion, Generator
from turnabout.generation.registry import Local
from turnabout.generation.scripted import ScriptedGenerator

FLAW = " leaves out when the shop is open."


def build_writer(with_critique: str | Completion, without: str) -> ScriptedGenerator:
    """Return a model that writes one sentence of critique, and these revisions."""

    def script(prompt: Sequence[Message]) -> str | Completion:
        text = prompt[0]["content"]
        if not text.startswith("Rewrite an assistant's reply"):
            return FLAW
        return with_critique if "Follow the critique." in text else without

    return ScriptedGenerator(script)


def build_user() -> ScriptedGenerator:
    """Return a user who is content after a reply with an hour in it.

    A follow-up that fits the mood has -1 nat per token, another one -3.
    """
    pleased = {"You get me."}

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        nice = "nine" in prompt[-1]["content"]
        return (-1.0 if (turn in pleased) == nice else -3.0) * (len(turn.split()) + 1)

    user = ScriptedGenerator(lambda _: "", likelihood)
    user.name = "user"
    return user


def build_judge() -> ScriptedGenerator:
    """Return a judge that prefers the reply with an hour in it."""

    def script(prompt: Sequence[Message]) -> str:
        a = prompt[0]["content"].split("<reply_A>")[1].split("</reply_A>")[0]
        return f'hours", "better": "{"A" if "nine" in a else "B"}"}}'

    judge = ScriptedGenerator(script)
    judge.name = "judge"
    return judge


def annotate_one(
    inputs: AugmentInputs, writer: Generator, settings: Critiques, other: Generator, seed: int = 0
) -> tuple[float | None, bool, str | None]:
    context = build_context(writer, max_new_tokens=32, seed=seed, open_model=lambda _: other, open_user=lambda: other)
    table = settings.annotate(inputs, context)
    return table.select("gain", "kept", "reason").row(0)


BY_JUDGE = Critiques(revisions=2, judge=Local())


def test_critique_is_kept_when_the_judge_prefers_its_revisions(inputs: AugmentInputs) -> None:
    assert annotate_one(inputs, build_writer("at nine", "lovely"), BY_JUDGE, build_judge()) == (1.0, True, None)


def test_critique_is_dropped_when_no_verdict_can_be_read(inputs: AugmentInputs) -> None:
    mute = ScriptedGenerator(lambda _: "Hm")
    mute.name = "judge"
    assert annotate_one(inputs, build_writer("at nine", "lovely"), BY_JUDGE, mute) == (None, False, "verdict not JSON")


def test_critique_is_dropped_when_its_revisions_are_worse(inputs: AugmentInputs) -> None:
    outcome = annotate_one(inputs, build_writer("lovely", "at nine"), BY_JUDGE, build_judge())
    assert outcome == (-1.0, False, "revisions are no better for it")


def test_follow_ups_compare_revisions_without_a_judge(inputs: AugmentInputs, monkeypatch: pytest.MonkeyPatch) -> None:
    # one follow-up of each sign. with: -1 - (-3) = 2 nats per token; without: -3 - (-1) = -2; the gain is 4
    phrases = Phrases(["You get me."], ["You don't get me."], 1)
    monkeypatch.setattr("turnabout.augment.critiques.revision_gain.load_phrases", lambda _: phrases)
    outcome = annotate_one(inputs, build_writer("at nine", "lovely"), Critiques(revisions=1), build_user())
    assert outcome == (pytest.approx(4.0), True, None)
    same = annotate_one(inputs, build_writer("at nine", "at nine too"), Critiques(revisions=1), build_user())
    assert same == (pytest.approx(0.0), False, "revisions are no better for it")


def test_each_draw_has_its_own_seed(inputs: AugmentInputs) -> None:
    seeds = []

    class Seeded(ScriptedGenerator):
        def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
            seeds.append((sampling.seed, sampling.temperature > 0))
            return super().generate(prompts, sampling)

    writer = Seeded(build_writer("at nine", "lovely").script)
    annotate_one(inputs, writer, Critiques(revisions=2, judge=Local()), build_judge(), seed=5)
    assert seeds == [(5, False), (5, True), (6, True), (5, True), (6, True)]


def test_comparing_own_revisions_is_refused_before_any_question(inputs: AugmentInputs) -> None:
    writer = build_writer("at nine", "lovely")
    with pytest.raises(ConfigError, match=r"judge: 'scripted' would compare revisions of its own.*models/user"):
        annotate_one(inputs, writer, BY_JUDGE, build_writer("", ""))
    with pytest.raises(ConfigError, match=r"augment.user: 'scripted'"):
        annotate_one(inputs, writer, Critiques(revisions=1), build_writer("", ""))
    assert writer.prompts == []


def test_critique_that_failed_its_check_is_not_tested(inputs: AugmentInputs) -> None:
    writer = ScriptedGenerator(lambda _: " fails.")
    assert annotate_one(inputs, writer, BY_JUDGE, build_judge()) == (None, False, "too short")
    assert len(writer.prompts) == 1


def test_critique_is_dropped_when_a_revision_is_refused(inputs: AugmentInputs) -> None:
    writer = build_writer(Completion("", refused="content filter"), "lovely")
    assert annotate_one(inputs, writer, BY_JUDGE, build_judge()) == (None, False, "revision content filter")
