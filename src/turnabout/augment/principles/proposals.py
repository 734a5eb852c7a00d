"""Short rules that a model reads out of pairs, praise, complaints and edits, each checked by itself.

Pairs: step 1 of ICAI (Findeis et al., arXiv 2406.06560), once from good and once from bad traits. Feedback: the three
ways in which ConstitutionMaker (Petridis et al., arXiv 2310.15428) comes to a principle.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from turnabout.augment.principles.evidence import AVOID, PREFER, WHEN, Evidence, Source
from turnabout.generation import Completion, Generator
from turnabout.prompting.record import NOTICE
from turnabout.prompting.structured import Asking, Question, Unusable, ask, shaped
from turnabout.text.copying import copies, words

#: Words of a rule beyond its opening, and how many in a row it may share with a text of the log.
MIN_WORDS, MAX_WORDS, COPIED_WORDS = 2, 20, 6

TASK = """\
{told}
{notice}
{record}
{traits} State it as at most {k} rules of at most {most_words} words. They must hold for other conversations, too: no
topic, no name, no words of the record. Answer with one JSON object that has one field, "rules": a list of sentences.
{form}"""

#: How each rule of these openings is to be worded.
FORMS = {
    PREFER: f"Each begins: {PREFER}",
    AVOID: f"Each begins: {AVOID}",
    WHEN: 'Each has the form "When the user …, …": a situation, a comma, and what to do then.',
}


class Proposal(NamedTuple):
    """One rule and where it comes from; `reason` is why it is none, and without words an answer that had no rule."""

    text: str | None
    source: Source
    reason: str | None = None


class Rules(msgspec.Struct):
    """An answer as it must come."""

    rules: list[str]


def proposed(author: Generator, evidence: Sequence[Evidence], k: int, how: Asking) -> list[Proposal]:
    """Every rule that came, in the order of the evidence, one that was said before marked as such."""
    found: list[Proposal] = []
    for opening in (PREFER, AVOID, WHEN):
        shown = [each for each in evidence if each.opening == opening]
        questions = [Question(_task(each, k), partial(_read, source=each, k=k)) for each in shown]
        answers = ask(author, questions, how._replace(prefill=f'{{"rules": ["{opening}', shape=Rules))
        for each, answer in zip(shown, answers, strict=True):
            found += [Proposal(None, each.source, answer.reason)] if isinstance(answer, Unusable) else answer
    return list(_once(found))


def _task(each: Evidence, k: int) -> str:
    return TASK.format(
        told=each.told,
        notice=NOTICE,
        record=each.record,
        traits=each.traits,
        k=k,
        most_words=MAX_WORDS,
        form=FORMS[each.opening],
    )


def _read(answer: Completion, source: Evidence, k: int) -> list[Proposal]:
    """The rules of an answer, each with its fault. Raises `Unusable` where none holds."""
    rules = [rule.strip() for rule in shaped(answer, Rules).rules]
    faults = [fault(rule, source.opening, source.texts) if i < k else "too many" for i, rule in enumerate(rules)]
    if None not in faults:
        reason = next((each for each in faults if each), "empty")
        raise Unusable(reason, f"no rule in it can be used: {reason}; {FORMS[source.opening]}")
    return [Proposal(rule, source.source, reason) for rule, reason in zip(rules, faults, strict=True)]


def fault(rule: str, opening: str, texts: Sequence[str]) -> str | None:
    """Why a sentence is no rule, or None."""
    rest = rule.removeprefix(opening)
    if not rule.startswith(opening) or (opening == WHEN and "," not in rest.strip(" ,.")):
        return "not as asked"
    if not MIN_WORDS <= len(words(rest)) <= MAX_WORDS:
        return "not a short sentence"
    if re.search(r"[.!?]\s+\S", rest):
        return "several sentences"
    return "copies the log" if copies(rest, texts, [], COPIED_WORDS) else None


def _once(proposals: Sequence[Proposal]) -> Iterator[Proposal]:
    seen: set[tuple[str, ...]] = set()
    for proposal in proposals:
        key = tuple(words(proposal.text or ""))
        again = proposal.reason is None and key in seen
        yield proposal._replace(reason="said before") if again else proposal
        if proposal.reason is None:
            seen.add(key)
