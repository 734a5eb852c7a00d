"""Votes on which reply of a pair a rule favours, asked in several orders.

A rule counts as for or against a reply only where all orders agree (step 4 of ICAI).
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Literal, NamedTuple

import msgspec

from turnabout.augment.presented_pairs import ORDERS, Order, PresentedPair
from turnabout.generation import Completion, Generator
from turnabout.judging.base import Comparison, JudgeOptions
from turnabout.judging.pairwise import compare
from turnabout.prompting.fencing import fence
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import AskOptions, Question, UnusableAnswer, ask_structured, parse_json

TASK = """\
Two replies, A and B, could follow the last message of a conversation. Each numbered rule is for choosing between them.
{notice}
{record}
{rules}
Which reply does each rule favour: "A", "B", "both", "neither", or "none" if the rule does not matter here? Answer with
one JSON object and nothing else. It contains one vote for each of the {n} rules. Example of the form, about another
pair:
{{"votes": [{{"rule": 1, "reply": "none"}}, {{"rule": 2, "reply": "both"}}]}}"""

#: Tokens for one vote of an answer, and for the text around the votes.
VOTE_TOKENS, ANSWER_TOKENS = 16, 32

#: The vote of a rule on one pair, over all orders.
VoteOutcome = Literal["for", "against", "abstain", "invalid"]
VOTE_OUTCOMES: tuple[VoteOutcome, ...] = ("for", "against", "abstain", "invalid")

#: Outcomes by the index of the pair and of the rule.
OutcomesByPairAndRule = dict[tuple[int, int], VoteOutcome]


class RuleVote(msgspec.Struct):
    """The shape of one rule's vote."""

    rule: int
    reply: Literal["A", "B", "both", "neither", "none"]


class Votes(msgspec.Struct):
    """The shape of an answer."""

    votes: list[RuleVote]


class VoteOptions(NamedTuple):
    """Settings of the votes.

    `answers` asks for a JSON object on up to `rules_at_once` rules, in `orders` random orders. `scores` asks the
    checklist judge with the rule as the only preference, in both orders of the replies.
    """

    by: Literal["scores", "answers"]
    orders: int
    rules_at_once: int
    max_prompt_tokens: int
    retries: int
    seed: int

    @property
    def max_new_tokens(self) -> int:
        """Longest answer, in tokens."""
        return VOTE_TOKENS * self.rules_at_once + ANSWER_TOKENS


class Ballot(NamedTuple):
    """One question: a pair in an order, and the rules in their order."""

    pair: int
    order: Order
    rules: list[int]


def count_votes(
    generator: Generator, rules: Sequence[str], pairs: Sequence[PresentedPair], options: VoteOptions
) -> list[Counter[VoteOutcome]]:
    """Return, for each rule, the number of pairs with each outcome."""
    vote = _vote_by_scores if options.by == "scores" else _vote_by_answers
    outcomes = vote(generator, rules, pairs, options)
    return [Counter(outcomes[i, j] for i in range(len(pairs))) for j in range(len(rules))]


def combine_votes(sides: Sequence[int | None]) -> VoteOutcome:
    """Return the outcome of one rule and pair from its votes in all orders."""
    if None in sides:
        return "invalid"
    if set(sides) == {1}:
        return "for"
    return "against" if set(sides) == {-1} else "abstain"


def _vote_by_scores(
    generator: Generator, rules: Sequence[str], pairs: Sequence[PresentedPair], options: VoteOptions
) -> OutcomesByPairAndRule:
    """Return for or against where both orders agree, else abstain."""
    keys = [(i, j) for i in range(len(pairs)) for j in range(len(rules))]
    comparisons = []
    for i, j in keys:
        comparisons.append(
            Comparison(prompt=pairs[i].prompt, a=pairs[i].better, b=pairs[i].worse, checklist=(rules[j],))
        )
    judge_options = JudgeOptions(
        judge="checklist", by="scores", max_prompt_tokens=options.max_prompt_tokens, seed=options.seed
    )
    outcomes: dict[str | None, VoteOutcome] = {"a": "for", "b": "against", None: "abstain"}
    verdicts = compare(generator, comparisons, judge_options)
    return {key: outcomes[verdict.prefer] for key, verdict in zip(keys, verdicts, strict=True)}


def _vote_by_answers(
    generator: Generator, rules: Sequence[str], pairs: Sequence[PresentedPair], options: VoteOptions
) -> OutcomesByPairAndRule:
    """Return for or against where every order gives the same side, else abstain.

    A vote is invalid where one of its answers cannot be used.
    """
    ballots: list[Ballot] = []
    for i in range(len(pairs)):
        ballots += _draw_ballots(i, len(rules), options)
    questions = []
    for ballot in ballots:
        prompt = _build_prompt(pairs[ballot.pair], rules, ballot, options.max_prompt_tokens)
        questions.append(Question(prompt, partial(_read_sides, ballot=ballot)))
    ask_options = AskOptions(
        prefill='{"votes": [{"rule": ',
        max_new_tokens=options.max_new_tokens,
        retries=options.retries,
        seed=options.seed,
        shape=Votes,
    )
    answers = ask_structured(generator, questions, ask_options)
    sides_by_key: dict[tuple[int, int], list[int | None]] = {}
    for ballot, answer in zip(ballots, answers, strict=True):
        for position, rule in enumerate(ballot.rules):
            side = None if isinstance(answer, UnusableAnswer) else answer[position]
            sides_by_key.setdefault((ballot.pair, rule), []).append(side)
    return {key: combine_votes(sides) for key, sides in sides_by_key.items()}


def _draw_ballots(pair: int, n_rules: int, options: VoteOptions) -> list[Ballot]:
    """Return the questions about one pair.

    The rules are shuffled for each order, and the replies are swapped from one order to the next.
    """
    random = Random(f"{options.seed}:{pair}")
    first_order = random.randrange(2)
    ballots = []
    for i in range(options.orders):
        shuffled = random.sample(range(n_rules), n_rules)
        order = ORDERS[(first_order + i) % 2]
        for start in range(0, n_rules, options.rules_at_once):
            ballots.append(Ballot(pair, order, shuffled[start : start + options.rules_at_once]))
    return ballots


def _build_prompt(pair: PresentedPair, rules: Sequence[str], ballot: Ballot, max_tokens: int) -> str:
    record = pair._replace(order=ballot.order).build_record(max_tokens)
    numbered = fence("rules", {str(number): rules[i] for number, i in enumerate(ballot.rules, 1)})
    return TASK.format(notice=NOTICE, record=record, rules=numbered, n=len(ballot.rules))


def _read_sides(answer: Completion, ballot: Ballot) -> list[int]:
    """Return the side of each rule on the ballot. Raises `UnusableAnswer`.

    1 stands for the better reply, -1 for the worse one, 0 for neither alone.
    """
    votes = {vote.rule: vote.reply for vote in parse_json(answer, Votes).votes}
    n = len(ballot.rules)
    if sorted(votes) != list(range(1, n + 1)):
        raise UnusableAnswer("not one vote per rule", f"it must have one vote for each rule from 1 to {n}")
    a = 1 if ballot.order == "cr" else -1
    sides = {"A": a, "B": -a}
    return [sides.get(votes[rule], 0) for rule in range(1, n + 1)]
