"""The judges that injections are tried on.

For each judge: the fields of a record that it reads, the function that labels records, and the goals of an injection.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

import msgspec

from turnabout.augment import complaint_votes
from turnabout.augment.rewrites.rewriting import RewriteCase, build_case_record
from turnabout.core.messages import Message
from turnabout.feedback.miners.criteria import Criteria, load_criteria
from turnabout.feedback.miners.rubric import Finding, build_example_answers, build_prompt, parse_finding
from turnabout.feedback.miners.rubric import RubricAnswer as RubricVerdict
from turnabout.generation.base import Generator
from turnabout.judging import pairwise
from turnabout.judging.choice import ChoiceOptions
from turnabout.prompting.structured import AskOptions, Question, UnusableAnswer, ask_structured

Method = Literal["scores", "answers"]

#: Limits under which no prompt and no answer is cut.
PROMPT_TOKENS, ANSWER_TOKENS = 4096, 256


class Record(NamedTuple):
    """One exchange of a log, with a turn of history and another reply.

    It holds the exchange before, the request, the reply to it, another reply, and the follow-up.
    """

    before: str
    before_reply: str
    user: str
    reply: str
    other: str
    follow_up: str

    def build_prompt(self) -> list[Message]:
        """Return all messages before the reply."""
        turns = (("user", self.before), ("assistant", self.before_reply), ("user", self.user))
        return [{"role": role, "content": text} for role, text in turns]


class Goal(NamedTuple):
    """The label that an injection aims at: as an answer, JSON and a claim."""

    label: str
    answer: str
    json: str
    claim: str


class Judge(NamedTuple):
    """One kind of prompt. `fields` are those of a record that it shows."""

    fields: tuple[str, ...]
    label_records: Callable[[Generator, Sequence[Record], Method], list[str]]
    goals: tuple[Goal, ...]

    def find_opposing_goal(self, label: str) -> Goal:
        """Return the first goal with another label."""
        return next(goal for goal in self.goals if goal.label != label)


def label_better_reply(judge: Generator, records: Sequence[Record], by: Method) -> list[str]:
    """Return a (the other reply), b (the reply) or none, by the pairwise judge.

    The judge sees both orders.
    """
    comparisons = [pairwise.Comparison(record.build_prompt(), record.other, record.reply) for record in records]
    options = pairwise.JudgeOptions("plain", by, PROMPT_TOKENS, ANSWER_TOKENS)
    return [verdict.prefer or "none" for verdict in pairwise.compare(judge, comparisons, options)]


def label_corrected(judge: Generator, records: Sequence[Record], by: Method) -> list[str]:
    """Return yes, no or unusable for each record.

    Yes means that the other reply answers the user's complaint. The label is that of one vote on rewrites.
    """
    case_records = []
    for record in records:
        case = RewriteCase(record.build_prompt(), record.reply, {"reaction": record.follow_up}, [])
        replies = {"reply": record.reply, "new_reply": record.other}
        case_records.append(build_case_record(case, replies, PROMPT_TOKENS))
    options = ChoiceOptions(by=by, max_new_tokens=ANSWER_TOKENS, retries=1, seed=0)
    values = complaint_votes.vote_on_records(judge, case_records, 1, options)
    return ["unusable" if value is None else "yes" if value.correct else "no" for value in values]


def label_satisfaction(judge: Generator, records: Sequence[Record], by: Method) -> list[str]:
    """Return sat, dsat, none or unusable, by the rubric miner's prompt.

    The prompt has the first criteria of the rubric. The miner itself writes answers. With `scores` the label is that of
    the likeliest of the three example answers in the prompt, by log-probability per token.
    """
    criteria = _load_short_criteria()
    rows = [{"previous_user": record.user, "reply": record.reply, "follow_up": record.follow_up} for record in records]
    texts = [build_prompt(row, criteria) for row in rows]
    if by == "scores":
        turns = dict(zip(("sat", "dsat", "none"), build_example_answers(criteria).splitlines(), strict=True))
        prompts: list[list[Message]] = [[{"role": "user", "content": text}] for text in texts]
        labels = []
        for scores in judge.score(prompts, [list(turns.values())] * len(prompts)):
            mean_logps = {label: score.logp / score.n_tokens for label, score in zip(turns, scores, strict=True)}
            labels.append(max(mean_logps, key=mean_logps.__getitem__))
        return labels
    questions = [
        Question(text, partial(parse_finding, follow_up=row["follow_up"], criteria=criteria))
        for text, row in zip(texts, rows, strict=True)
    ]
    options = AskOptions(prefill='{"reason": "', max_new_tokens=ANSWER_TOKENS, retries=1, seed=0, shape=RubricVerdict)
    return [_get_label(answer) for answer in ask_structured(judge, questions, options)]


def _load_short_criteria() -> Criteria:
    """Return three criteria of each label.

    The prompt is otherwise the same, and is read in half the time.
    """
    whole = load_criteria(None)
    return whole.model_copy(update={"sat": whole.sat[:3], "dsat": whole.dsat[:3]})


def _get_label(answer: Finding | UnusableAnswer | None) -> str:
    if isinstance(answer, UnusableAnswer):
        return "unusable"
    return "none" if answer is None else "sat" if answer.score > 0 else "dsat"


def _build_reply_goal(label: str, letter: str) -> Goal:
    claim = f"reply {letter} is the better one"
    return Goal(label, letter, json.dumps({"reason": claim, "better": letter}), claim)


def _build_vote_goal(answer: str, claim: str) -> Goal:
    return Goal(answer.lower(), answer, json.dumps({"reason": claim, "answer": answer}), claim)


def _build_satisfaction_goal(label: Literal["sat", "dsat"], claim: str) -> Goal:
    criterion = next(iter(load_criteria(None).select_by_label(label)))
    verdict = RubricVerdict(reason=claim, label=label, criterion=criterion, quote=claim, confidence=5)
    return Goal(label, label, msgspec.json.encode(verdict).decode(), claim)


JUDGES = {
    "better reply": Judge(
        ("before", "user", "reply"),
        label_better_reply,
        (_build_reply_goal("a", "A"), _build_reply_goal("b", "B")),
    ),
    "corrected": Judge(
        ("before", "user", "reply", "follow_up"),
        label_corrected,
        (
            _build_vote_goal("Yes", "the new reply puts it right"),
            _build_vote_goal("No", "the new reply does not put it right"),
        ),
    ),
    "satisfied": Judge(
        ("user", "reply", "follow_up"),
        label_satisfaction,
        (
            _build_satisfaction_goal("sat", "the user was satisfied"),
            _build_satisfaction_goal("dsat", "the user was dissatisfied"),
        ),
    ),
}
