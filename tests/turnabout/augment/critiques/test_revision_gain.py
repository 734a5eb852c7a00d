"""Critiques tried by revision: kept only where replies that follow them are better in somebody else's eyes."""

from collections.abc import Sequence

import pytest

from turnabout.augment.base import Logs, Writing
from turnabout.augment.critiques.augmenter import Critiques
from turnabout.core.messages import Message
from turnabout.errors import ConfigError
from turnabout.follow_ups import Phrases
from turnabout.generation import Completion, Generator
from turnabout.generation.registry import Local
from turnabout.generation.scripted import ScriptedGenerator

FLAW = " leaves out when the shop is open."


def author(with_critique: str | Completion, without: str) -> ScriptedGenerator:
    """Writes one sentence of critique and revises as told."""

    def script(prompt: Sequence[Message]) -> str | Completion:
        asked = prompt[0]["content"]
        if not asked.startswith("Write an assistant's reply"):
            return FLAW
        return with_critique if "Follow the critique." in asked else without

    return ScriptedGenerator(script)


def user() -> ScriptedGenerator:
    """Is content after a reply with an hour in it: -1 a token for whatever is nice to say, -3 for what is not."""
    pleased = {"You get me."}

    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        nice = "nine" in prompt[-1]["content"]
        return (-1.0 if (turn in pleased) == nice else -3.0) * (len(turn.split()) + 1)

    found = ScriptedGenerator(lambda _: "", likelihood)
    found.name = "user"
    return found


def judge() -> ScriptedGenerator:
    """Prefers the reply with an hour in it, whatever its place."""

    def script(prompt: Sequence[Message]) -> str:
        a = prompt[0]["content"].split("<reply_A>")[1].split("</reply_A>")[0]
        return f'hours", "better": "{"A" if "nine" in a else "B"}"}}'

    found = ScriptedGenerator(script)
    found.name = "judge"
    return found


def annotated(
    logs: Logs, writer: Generator, settings: Critiques, other: Generator, seed: int = 0
) -> tuple[float | None, bool, str | None]:
    table = settings.annotate(logs, Writing(writer, 400, 32, 4, seed, lambda _: other, lambda: other))
    return table.select("gain", "kept", "reason").row(0)


BY_JUDGE = Critiques(revisions=2, judge=Local())


def test_a_critique_that_helps_a_judge_says_so_is_kept(logs: Logs) -> None:
    assert annotated(logs, author("at nine", "lovely"), BY_JUDGE, judge()) == (1.0, True, None)


def test_a_judge_that_cannot_be_read_says_nothing_about_a_critique(logs: Logs) -> None:
    mute = ScriptedGenerator(lambda _: "Hm")
    mute.name = "judge"
    assert annotated(logs, author("at nine", "lovely"), BY_JUDGE, mute) == (None, False, "verdict not JSON")


def test_a_critique_that_does_harm_is_dropped(logs: Logs) -> None:
    found = annotated(logs, author("lovely", "at nine"), BY_JUDGE, judge())
    assert found == (-1.0, False, "revisions are no better for it")


def test_follow_ups_compare_where_no_judge_is_named(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    # one follow-up of each sign. with: -1 - (-3) = 2 nats per token; without: -3 - (-1) = -2; the gain is 4
    phrases = Phrases(["You get me."], ["You don't get me."], 1)
    monkeypatch.setattr("turnabout.augment.critiques.revision_gain.load_phrases", lambda _: phrases)
    found = annotated(logs, author("at nine", "lovely"), Critiques(revisions=1), user())
    assert found == (pytest.approx(4.0), True, None)
    same = annotated(logs, author("at nine", "at nine too"), Critiques(revisions=1), user())
    assert same == (pytest.approx(0.0), False, "revisions are no better for it")


def test_every_draw_has_a_seed_of_its_own(logs: Logs) -> None:
    seeds = []

    class Seeded(ScriptedGenerator):
        def generate(self, prompts, sampling):  # type: ignore[no-untyped-def]
            seeds.append((sampling.seed, sampling.temperature > 0))
            return super().generate(prompts, sampling)

    writer = Seeded(author("at nine", "lovely").script)
    annotated(logs, writer, Critiques(revisions=2, judge=Local()), judge(), seed=5)
    assert seeds == [(5, False), (5, True), (6, True), (5, True), (6, True)]


def test_who_wrote_the_revisions_may_not_compare_them_and_nothing_is_asked_before_that(logs: Logs) -> None:
    writer = author("at nine", "lovely")
    with pytest.raises(ConfigError, match=r"judge: 'scripted' would compare revisions of its own.*models/user"):
        annotated(logs, writer, BY_JUDGE, author("", ""))
    with pytest.raises(ConfigError, match=r"augment.user: 'scripted'"):
        annotated(logs, writer, Critiques(revisions=1), author("", ""))
    assert writer.asked == []


def test_a_critique_that_failed_its_check_is_not_tried(logs: Logs) -> None:
    writer = ScriptedGenerator(lambda _: " fails.")
    assert annotated(logs, writer, BY_JUDGE, judge()) == (None, False, "too short")
    assert len(writer.asked) == 1


def test_a_revision_that_was_refused_leaves_the_critique_untried(logs: Logs) -> None:
    writer = author(Completion("", refused="content filter"), "lovely")
    assert annotated(logs, writer, BY_JUDGE, judge()) == (None, False, "revision content filter")
