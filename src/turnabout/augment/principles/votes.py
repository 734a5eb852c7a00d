"""Which reply of a pair a rule speaks for, asked in several orders; only one voice counts (step 4 of ICAI)."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from random import Random
from typing import Literal, NamedTuple

import msgspec

from turnabout.augment.presented_pairs import ORDERS, Order, Shown
from turnabout.generation import Completion, Generator
from turnabout.judging import pairwise
from turnabout.prompting.fencing import data
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import Asking, Question, Unusable, ask, shaped

TASK = """\
Two replies, A and B, could follow the last message of a conversation. Each numbered rule is for choosing between them.
{notice}
{record}
{rules}
Which reply does each rule favour: "A", "B", "both", "neither", or "none" where the rule does not matter here? Answer
with one JSON object and nothing else, a vote for each of the {n} rules. It looks like this, for rules of another pair:
{{"votes": [{{"rule": 1, "reply": "none"}}, {{"rule": 2, "reply": "both"}}]}}"""

#: Room for one vote of an answer, and for what is round them, in tokens.
VOTE_TOKENS, ANSWER_TOKENS = 16, 32

#: What a rule comes to on one pair.
Fate = Literal["for", "against", "abstain", "invalid"]
FATES: tuple[Fate, ...] = ("for", "against", "abstain", "invalid")


class Vote(msgspec.Struct):
    """One rule's vote as it must come."""

    rule: int
    reply: Literal["A", "B", "both", "neither", "none"]


class Votes(msgspec.Struct):
    """An answer as it must come."""

    votes: list[Vote]


class Polling(NamedTuple):
    """How votes are taken. `answers`: a JSON object for up to `rules_at_once` rules, in `orders` random orders.

    `scores`: the checklist judge with the rule as the only wish, in both orders of the replies.
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
    """One question: a pair in an order, and which rules it is asked about in which order."""

    pair: int
    order: Order
    rules: list[int]


def tallies(author: Generator, rules: Sequence[str], pairs: Sequence[Shown], how: Polling) -> list[Counter[Fate]]:
    """For each rule, on how many pairs it came to each fate."""
    fates = (_by_scores if how.by == "scores" else _by_answers)(author, rules, pairs, how)
    return [Counter(fates[i, j] for i in range(len(pairs))) for j in range(len(rules))]


def _by_scores(
    author: Generator, rules: Sequence[str], pairs: Sequence[Shown], how: Polling
) -> dict[tuple[int, int], Fate]:
    """Where both orders agree, the rule is for or against."""
    keys = [(i, j) for i in range(len(pairs)) for j in range(len(rules))]
    duels = [pairwise.Duel(pairs[i].prompt, pairs[i].better, pairs[i].worse, (rules[j],)) for i, j in keys]
    judging = pairwise.Judging("checklist", "scores", how.max_prompt_tokens, seed=how.seed)
    sides: dict[str | None, Fate] = {"a": "for", "b": "against", None: "abstain"}
    found = pairwise.compare(author, duels, judging)
    return {key: sides[verdict.prefer] for key, verdict in zip(keys, found, strict=True)}


def _by_answers(
    author: Generator, rules: Sequence[str], pairs: Sequence[Shown], how: Polling
) -> dict[tuple[int, int], Fate]:
    """Where every order gives the same side, the rule is for or against; invalid where one answer cannot be used."""
    ballots = [ballot for i in range(len(pairs)) for ballot in _ballots(i, len(rules), how)]
    questions = [Question(_task(pairs, rules, b, how), partial(_read, ballot=b)) for b in ballots]
    answers = ask(author, questions, Asking('{"votes": [{"rule": ', how.max_new_tokens, how.retries, how.seed, Votes))
    cast: dict[tuple[int, int], list[int | None]] = {}
    for ballot, answer in zip(ballots, answers, strict=True):
        for place, rule in enumerate(ballot.rules):
            side = None if isinstance(answer, Unusable) else answer[place]
            cast.setdefault((ballot.pair, rule), []).append(side)
    return {key: unanimous(sides) for key, sides in cast.items()}


def _ballots(pair: int, n_rules: int, how: Polling) -> list[Ballot]:
    """The questions about one pair: the rules shuffled for each order, the replies swapped from one to the next."""
    random = Random(f"{how.seed}:{pair}")
    first, found = random.randrange(2), []
    for i in range(how.orders):
        shuffled = random.sample(range(n_rules), n_rules)
        starts = range(0, n_rules, how.rules_at_once)
        order = ORDERS[(first + i) % 2]
        found += [Ballot(pair, order, shuffled[start : start + how.rules_at_once]) for start in starts]
    return found


def _task(pairs: Sequence[Shown], rules: Sequence[str], ballot: Ballot, how: Polling) -> str:
    record = pairs[ballot.pair]._replace(order=ballot.order).record(how.max_prompt_tokens)
    numbered = data("rules", {str(place): rules[i] for place, i in enumerate(ballot.rules, 1)})
    return TASK.format(notice=NOTICE, record=record, rules=numbered, n=len(ballot.rules))


def _read(answer: Completion, ballot: Ballot) -> list[int]:
    """The side of each rule on the ballot: 1 for the better reply, -1 for the worse one, 0 for neither alone."""
    votes = {vote.rule: vote.reply for vote in shaped(answer, Votes).votes}
    n = len(ballot.rules)
    if sorted(votes) != list(range(1, n + 1)):
        raise Unusable("not one vote per rule", f"it must have one vote for each rule from 1 to {n}")
    a = 1 if ballot.order == "cr" else -1
    sides = {"A": a, "B": -a}
    return [sides.get(votes[rule], 0) for rule in range(1, n + 1)]


def unanimous(sides: Sequence[int | None]) -> Fate:
    """What all orders together say of one rule and pair."""
    if None in sides:
        return "invalid"
    if set(sides) == {1}:
        return "for"
    return "against" if set(sides) == {-1} else "abstain"
