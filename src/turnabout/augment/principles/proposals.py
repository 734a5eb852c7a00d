"""Short rules that a model reads from evidence, each checked by itself.

Pairs: step 1 of ICAI (Findeis et al., arXiv 2406.06560), once from good and once from bad traits. Feedback: the three
ways in which ConstitutionMaker (Petridis et al., arXiv 2310.15428) finds a principle: from praise, complaints and
edits.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from turnabout.augment.principles.evidence import AVOID, PREFER, WHEN, Evidence, Source
from turnabout.generation import Completion, Generator
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import AskOptions, Question, UnusableAnswer, ask_structured, parse_json
from turnabout.text.copying import copies_later_text, split_words

#: Fewest and most words of a rule beyond its opening, and the run of words that makes it a copy of a text in the log.
MIN_WORDS, MAX_WORDS, COPIED_WORDS = 2, 20, 6

TASK = """\
{situation}
{notice}
{record}
{traits} Answer with at most {max_rules} rules of at most {max_words} words each. The rules must also apply to other
conversations: do not mention a topic or a name, and do not copy words of the record. Answer with one JSON object that
has one field, "rules": a list of sentences.
{form}"""

#: The required wording of a rule, by its opening.
FORMS = {
    PREFER: f"Each sentence begins: {PREFER}",
    AVOID: f"Each sentence begins: {AVOID}",
    WHEN: 'Each sentence has the form "When the user …, …": a situation, a comma, and what to do then.',
}


class Proposal(NamedTuple):
    """One proposed rule and its source.

    `reason` says why it is not a valid rule. A proposal without text stands for an answer without any rule.
    """

    text: str | None
    source: Source
    reason: str | None = None


class RulesAnswer(msgspec.Struct):
    """The shape of an answer."""

    rules: list[str]


def propose_rules(
    generator: Generator, evidence: Sequence[Evidence], max_rules: int, options: AskOptions
) -> list[Proposal]:
    """Return every rule that the model proposes, at most `max_rules` per record.

    Proposals are in the order of the openings, then of the evidence. Repeated ones are marked as such. `prefill` and
    `shape` of `options` are replaced.
    """
    proposals: list[Proposal] = []
    for opening in (PREFER, AVOID, WHEN):
        items = [item for item in evidence if item.opening == opening]
        questions = []
        for item in items:
            read = partial(_read_rules, evidence=item, max_rules=max_rules)
            questions.append(Question(_build_prompt(item, max_rules), read))
        opening_options = options._replace(prefill=f'{{"rules": ["{opening}', shape=RulesAnswer)
        answers = ask_structured(generator, questions, opening_options)
        for item, answer in zip(items, answers, strict=True):
            if isinstance(answer, UnusableAnswer):
                proposals.append(Proposal(None, item.source, answer.reason))
            else:
                proposals += answer
    return list(_mark_repeated(proposals))


def find_rule_fault(rule: str, opening: str, texts: Sequence[str]) -> str | None:
    """Return why a sentence is not a valid rule, or None."""
    rest = rule.removeprefix(opening)
    if not rule.startswith(opening) or (opening == WHEN and "," not in rest.strip(" ,.")):
        return "not as asked"
    if not MIN_WORDS <= len(split_words(rest)) <= MAX_WORDS:
        return "not a short sentence"
    if re.search(r"[.!?]\s+\S", rest):
        return "several sentences"
    return "copies the log" if copies_later_text(rest, texts, [], COPIED_WORDS) else None


def _build_prompt(evidence: Evidence, max_rules: int) -> str:
    return TASK.format(
        situation=evidence.situation,
        notice=NOTICE,
        record=evidence.record,
        traits=evidence.traits,
        max_rules=max_rules,
        max_words=MAX_WORDS,
        form=FORMS[evidence.opening],
    )


def _read_rules(answer: Completion, evidence: Evidence, max_rules: int) -> list[Proposal]:
    """Return the rules of an answer, each with its fault.

    Raises `UnusableAnswer` where no rule is valid.
    """
    rules = [rule.strip() for rule in parse_json(answer, RulesAnswer).rules]
    faults = [
        find_rule_fault(rule, evidence.opening, evidence.texts) if i < max_rules else "too many"
        for i, rule in enumerate(rules)
    ]
    if None not in faults:
        reason = next((fault for fault in faults if fault), "empty")
        raise UnusableAnswer(reason, f"no rule in it can be used: {reason}; {FORMS[evidence.opening]}")
    return [Proposal(rule, evidence.source, fault) for rule, fault in zip(rules, faults, strict=True)]


def _mark_repeated(proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    seen: set[tuple[str, ...]] = set()
    for proposal in proposals:
        key = tuple(split_words(proposal.text or ""))
        is_repeated = proposal.reason is None and key in seen
        yield proposal._replace(reason="said before") if is_repeated else proposal
        if proposal.reason is None:
            seen.add(key)
