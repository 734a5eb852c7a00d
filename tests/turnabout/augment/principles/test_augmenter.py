"""Principles: evidence, rules, votes and the agreement with people."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest

from tests.turnabout.augment.conftest import build_context
from turnabout.augment.base import AugmentInputs
from turnabout.augment.presented_pairs import PresentedPair
from turnabout.augment.principles import selection
from turnabout.augment.principles.augmenter import Principles
from turnabout.augment.principles.evidence import PREFER, WHEN, collect_feedback_evidence
from turnabout.augment.principles.proposals import Proposal, find_rule_fault
from turnabout.augment.principles.selection import AcceptanceCriteria
from turnabout.augment.principles.votes import VOTE_OUTCOMES, VoteOptions, combine_votes
from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import select_criticised_replies
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.generation.unopened import UNOPENED
from turnabout.stats.proportion import estimate_proportion

BREAD, NINE = "We sell fresh bread.", "The doors open at nine."
ANSWERS, SELLS = "Prefer the reply that answers what was asked.", "Prefer the reply that does not tell of goods."
PRAISED, BLAMED, EDITED = (
    f"When the user asks for {thing}, give it." for thing in ("a list", "the hour", "short text")
)


@pytest.fixture
def inputs(messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]) -> AugmentInputs:
    """Four people whose reply was edited, two of them held out.

    A fifth person praised a list.
    """

    def build_conversation(name: str) -> pl.DataFrame:
        edit = pl.when(pl.col("message_index") == 1).then(pl.lit(NINE))
        return messages(name, "When do you open?", BREAD, "Not what I asked.", user=name).with_columns(edited_text=edit)

    names = ["a", "b", "c", "d"]
    praised = messages("e", "A list of prices, please.", "Here is the list.", "Thanks, great!", user="e")
    all_messages = pl.concat([*map(build_conversation, names), praised])
    names_of_all, split = [*names, "e"], ["train", "train", "validation", "validation", "train"]
    splits = pl.DataFrame(
        {"conversation_id": names_of_all, "user_key": names_of_all, "split": split}, schema=schemas.SPLITS
    )
    signals = [signal(name, 1) for name in names] + [signal("e", 1, label="sat", category="positive")]
    feedback = pl.DataFrame(signals, schema=schemas.FEEDBACK)
    criticised = select_criticised_replies(all_messages, splits, feedback, [])
    return AugmentInputs(messages=all_messages, splits=splits, feedback=feedback, criticised=criticised, tables={})


def find_better_letter(prompt: Sequence[Message]) -> str:
    """Return the letter of the reply with the hour."""
    return "A" if NINE in prompt[0]["content"].partition("<reply_A>")[2].partition("</reply_A>")[0] else "B"


def propose_rule(text: str) -> str | None:
    """Return the rule that the model reads from a record, without its prefill.

    None stands for another question.
    """
    if "do well?" in text:
        return ANSWERS.removeprefix("Prefer the reply that")
    if "do badly?" in text:
        return SELLS.removeprefix("Prefer the reply that does not")
    whens = {"continue to do": PRAISED, "do instead in such": BLAMED, "no rewriting was needed": EDITED}
    rule = next((rule for asked, rule in whens.items() if asked in text), None)
    return rule and rule.removeprefix("When")


def script(prompt: Sequence[Message]) -> str:
    """Return a proposal, a vote or a verdict.

    The vote is for the worse reply by SELLS, for none by PRAISED, else for the better one. The verdict is a tie without
    rules.
    """
    text, letter = prompt[0]["content"], find_better_letter(prompt)
    if rule := propose_rule(text):
        return f'{rule}"]}}'
    other_letter = "B" if letter == "A" else "A"
    if numbered := re.search(r"<rules>\n(.*)\n</rules>", text):
        sides = {SELLS: other_letter, PRAISED: "none"}
        votes = [{"rule": int(n), "reply": sides.get(rule, letter)} for n, rule in json.loads(numbered[1]).items()]
        return json.dumps({"votes": votes}).removeprefix('{"votes": [{"rule": ')
    return f'So.", "better": "{letter if "<preferences>" in text else "tie"}"}}'


def annotate(inputs: AugmentInputs, generator: ScriptedGenerator, **settings: Any) -> pl.DataFrame:
    table = Principles(**settings).annotate(inputs, build_context(generator, max_new_tokens=32))
    return schemas.check(table, schemas.PRINCIPLES, "principles")


def test_rules_that_favour_the_preferred_replies_are_kept(inputs: AugmentInputs) -> None:
    # two training pairs, three orders that all agree; the second pair and complaint propose the same rules again
    table = annotate(inputs, ScriptedGenerator(script))
    votes = table.drop_nulls("n_for").select("principle", "source", "n_for", "n_against", "n_abstain", "n_invalid")
    assert set(votes.rows()) == {
        (ANSWERS, "pairs", 2, 0, 0, 0),
        (SELLS, "pairs", 0, 2, 0, 0),
        (PRAISED, "kudos", 0, 0, 2, 0),
        (BLAMED, "critiques", 2, 0, 0, 0),
        (EDITED, "edits", 2, 0, 0, 0),
    }
    assert table.filter("kept")["principle"].to_list() == sorted([ANSWERS, BLAMED, EDITED])
    reasons = dict(table.filter(~pl.col("kept")).group_by("reason").len().rows())
    assert reasons == {"not for more than against": 2, "said before": 4}


def test_agreement_is_measured_on_held_out_people(inputs: AugmentInputs) -> None:
    # both validation pairs with the principles, none without; Wilson for 2 of 2: n / (n + z²) = 2 / 5.8415 = 0.3424
    table = annotate(inputs, ScriptedGenerator(script))
    kept = table.filter("kept").row(0, named=True)
    assert (kept["n_held_out"], kept["agreement"], kept["agreement_without"]) == (2, 1.0, 0.0)
    assert (kept["agreement_low"], kept["agreement_high"]) == (pytest.approx(0.3424, abs=1e-4), pytest.approx(1.0))
    assert kept["agreement_without_high"] == pytest.approx(1 - 0.3424, abs=1e-4)
    metrics = Principles().compute_metrics(table)
    assert (metrics["n_held_out"], metrics["agreement"][0], metrics["agreement_without"][0]) == (2, 1.0, 0.0)
    assert table.filter(~pl.col("kept"))["agreement"].null_count() == 6


def test_validation_pairs_are_used_for_the_agreement_alone(inputs: AugmentInputs) -> None:
    mark = pl.when(pl.col("role") == "assistant").then(pl.lit(" (")).otherwise(pl.lit(" of "))
    marked = inputs.messages.with_columns(text=pl.col("text") + mark + pl.col("conversation_id"))
    generator = ScriptedGenerator(script)
    annotate(inputs._replace(messages=marked, criticised=inputs.criticised.clear()), generator)
    for (prompt,) in generator.prompts:
        held_out = "open? of c" in prompt["content"] or "open? of d" in prompt["content"]
        assert held_out == ("<rules>" not in prompt["content"] and propose_rule(prompt["content"]) is None)


def test_votes_swap_the_replies_and_shuffle_the_rules(inputs: AugmentInputs) -> None:
    generator = ScriptedGenerator(script)
    annotate(inputs, generator)
    ballots = [prompt for prompt in generator.prompts if "<rules>" in prompt[0]["content"]]
    assert len(ballots) == 2 * 3
    assert {find_better_letter(prompt) for prompt in ballots} == {"A", "B"}
    assert len({prompt[0]["content"].partition("<rules>")[2] for prompt in ballots}) > 1


def test_vote_that_follows_the_letter_abstains(inputs: AugmentInputs) -> None:
    def always_a(prompt: Sequence[Message]) -> str:
        return re.sub(r'"reply": "[AB]"', '"reply": "A"', script(prompt))

    table = annotate(inputs, ScriptedGenerator(always_a))
    assert table.drop_nulls("n_for").select("n_for", "n_against", "n_abstain").unique().rows() == [(0, 0, 2)]
    assert not table["kept"].any()
    assert Principles().compute_metrics(table)["agreement"] == [None, None, None]


def test_votes_are_read_from_probabilities(inputs: AugmentInputs) -> None:
    def likelihood(prompt: Sequence[Message], turn: str) -> float:
        wrong = SELLS in prompt[0]["content"]
        return -0.5 if (turn == find_better_letter(prompt)) != wrong else -1.5

    table = annotate(inputs, ScriptedGenerator(script, likelihood), by="scores", sources=("pairs",))
    assert table.drop_nulls("n_for").select("principle", "n_for", "n_against").rows() == [
        (ANSWERS, 2, 0),
        (SELLS, 0, 2),
    ]
    assert table.filter("kept")["agreement"].to_list() == [1.0]


def test_no_rule_is_kept_without_pairs(inputs: AugmentInputs) -> None:
    unedited = inputs._replace(messages=inputs.messages.with_columns(edited_text=pl.lit(None, pl.String)))
    table = annotate(unedited._replace(feedback=inputs.feedback.filter(label="dsat")), ScriptedGenerator(script))
    assert set(table.select("source", "kept", "reason").rows()) == {
        ("critiques", False, "no pair to vote on"),
        ("critiques", False, "said before"),
    }


def test_unusable_answers_and_votes_are_counted(inputs: AugmentInputs) -> None:
    table = annotate(inputs, ScriptedGenerator(lambda _: "I think"), retries=0)
    assert set(table.select("principle", "kept", "reason").rows()) == {(None, False, "not JSON")}

    def no_votes(prompt: Sequence[Message]) -> str:
        return "1" if "<rules>" in prompt[0]["content"] else script(prompt)

    broken = annotate(inputs, ScriptedGenerator(no_votes))
    assert broken.drop_nulls("n_for").select("n_invalid", "reason").unique().rows() == [
        (2, "too few votes that can be used")
    ]


def test_combine_votes_requires_agreement_of_all_orders() -> None:
    assert combine_votes([1, 1, 1]) == "for"
    assert combine_votes([-1, -1]) == "against"
    assert combine_votes([1, 1, 0]) == combine_votes([1, -1]) == combine_votes([0, 0]) == "abstain"
    assert combine_votes([1, None, 1]) == "invalid"


def test_acceptance_criteria_name_the_shortfall() -> None:
    criteria = AcceptanceCriteria(clusters=20, keep=5, min_valid=0.5, min_for=0.25)

    def find_shortfall(*counts: int) -> str | None:
        return criteria.find_shortfall(Counter(dict(zip(VOTE_OUTCOMES, counts, strict=True))), sum(counts))

    assert find_shortfall(2, 1, 5, 0) is None  # 2 of 8 is just a quarter
    assert find_shortfall(2, 1, 6, 0) == "seldom for"
    assert find_shortfall(2, 2, 0, 0) == "not for more than against"
    assert find_shortfall(2, 0, 2, 4) is None  # half of them can be used
    assert find_shortfall(3, 0, 0, 4) == "too few votes that can be used"


@pytest.mark.parametrize(
    ("rule", "opening", "reason"),
    [
        ("Prefer the reply that answers the question.", PREFER, None),
        ("Answers the question.", PREFER, "not as asked"),
        ("When the user is in a hurry, be brief.", WHEN, None),
        ("When the user is in a hurry.", WHEN, "not as asked"),
        ("Prefer the reply that wins.", PREFER, "not a short sentence"),
        ("Prefer the reply that is short. And polite.", PREFER, "several sentences"),
        ("Prefer the reply that says our doors open at nine each day.", PREFER, "copies the log"),
    ],
)
def test_find_rule_fault_names_the_failed_check(rule: str, opening: str, reason: str | None) -> None:
    assert find_rule_fault(rule, opening, ["Our doors open at nine each day, but not on Sunday."]) == reason


def test_one_text_of_each_cluster_is_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    # two clusters on a line, centres 0.1 and 5.0: nearest are the second text and the fourth
    positions = {"a": 0.0, "b": 0.1, "c": 0.2, "d": 5.0}
    monkeypatch.setattr(selection, "encode_sentences", lambda texts: np.array([[positions[t]] for t in texts]))
    assert selection.select_nearest_to_centres(["a", "b", "c", "d"], 2, seed=0) == [1, 3]
    assert selection.select_first_of_clusters(["a", "b", "d", "c"], 2, seed=0) == [0, 2]
    assert selection.select_nearest_to_centres(["a", "b"], 2, seed=0) == [0, 1]


def test_select_rules_keeps_no_two_of_the_same_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    # leads 1 to 4; two are wanted, so the three best are compared, of which the first two are close to each other
    leads, positions = {"d": 1, "c": 2, "b": 3, "a": 4}, {"a": 0.0, "b": 0.1, "c": 9.0}
    monkeypatch.setattr(selection, "encode_sentences", lambda texts: np.array([[positions[t]] for t in texts]))
    monkeypatch.setattr(
        selection, "count_votes", lambda _, rules, *__: [Counter({"for": leads[rule]}) for rule in rules]
    )
    pairs = [PresentedPair(prompt=[], better=NINE, worse=BREAD, order="cr")] * 4
    ranked = selection.select_rules(
        UNOPENED,
        [Proposal(rule, "pairs") for rule in leads],
        pairs,
        criteria=AcceptanceCriteria(clusters=20, keep=2, min_valid=0.5, min_for=0.1),
        options=VoteOptions(by="scores", orders=3, rules_at_once=20, max_prompt_tokens=400, retries=0, seed=0),
    )
    assert {rule.proposal.text: rule.reason for rule in ranked} == {
        "a": None,
        "b": "resembles a better one",
        "c": None,
        "d": "not among the best",
    }


def test_rating_without_words_is_no_evidence(inputs: AugmentInputs, signal: Callable[..., dict[str, Any]]) -> None:
    rated = pl.DataFrame([signal("e", 1, label="sat", category="rating")], schema=schemas.FEEDBACK)
    assert len(collect_feedback_evidence(inputs, "kudos", 10, max_tokens=400, seed=0)) == 1
    assert collect_feedback_evidence(inputs._replace(feedback=rated), "kudos", 10, max_tokens=400, seed=0) == []
    edits = collect_feedback_evidence(inputs, "edits", 1, max_tokens=400, seed=0)
    assert [edit.texts[-1] for edit in edits] == [NINE]


def test_max_fixed_calls_counts_every_call(inputs: AugmentInputs) -> None:
    # 2 × 7 traits and 3 × 4 records, 7 pairs × 3 orders × 2 questions of 5 rules, 2 judges × 2 orders × 7; twice
    many = Principles(max_pairs=7, max_feedback=4, clusters=10, rules_at_once=5)
    assert many.max_fixed_calls() == 2 * (14 + 12 + 7 * 3 * 2 + 4 * 7)
    # 2 × 7 traits, twice; 7 pairs × 10 rules × 2 orders; 4 × 7
    assert Principles(max_pairs=7, clusters=10, by="scores", sources=("pairs",)).max_fixed_calls() == 28 + 140 + 28
    generator = ScriptedGenerator(script)
    annotate(inputs, generator, max_pairs=2, max_feedback=2)
    assert len(generator.prompts) <= Principles(max_pairs=2, max_feedback=2, retries=0).max_fixed_calls()


def test_proportion_has_the_wilson_interval() -> None:
    # Wilson (1927) for 5 of 10, z = 1.96: 0.5 ± 1.96 / (2 √(10 + 3.8415)) = 0.5 ± 0.2634
    share = estimate_proportion(5, 10)
    assert (share.value, share.low, share.high) == (
        0.5,
        pytest.approx(0.2366, abs=1e-4),
        pytest.approx(0.7634, abs=1e-4),
    )
    assert estimate_proportion(0, 0).value is None
