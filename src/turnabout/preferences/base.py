"""The seam of every pair rule: logs, feedback and a policy in, candidate preference pairs with reasons out."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import polars as pl
from rapidfuzz.fuzz import ratio

from turnabout import schemas
from turnabout.chat_format import ChatFormat
from turnabout.config import Section
from turnabout.generation import Generator, Message

#: From this similarity on (0–100, normalised edit similarity) two replies are one and the same.
NEAR_IDENTICAL = 90.0


class Material(NamedTuple):
    """What a rule may work with. `reads` is what the arm's `reads` names: a table, or a checkpoint that scores."""

    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame
    reads: Any
    policy: Generator
    chat: ChatFormat
    max_prompt_tokens: int
    max_new_tokens: int
    batch_size: int
    seed: int


class Rule(Section):
    """One way to build pairs. `rule` is the key of the method in `params.yaml`."""

    rule: str
    reads: ClassVar[str]
    """The one further output of the graph it needs, as a path; the arm's `reads` must say the same."""

    @abstractmethod
    def pairs(self, material: Material) -> pl.DataFrame:
        """All candidate pairs (`schemas.PAIRS`), kept or not, sorted by `pair_id`; train and validation users only."""

    @abstractmethod
    def max_replies(self) -> int | None:
        """Most replies the policy is asked for, over both splits; None where the logs decide. A pair takes one or more.

        0 is for a rule whose pairs come from the logs alone.
        """


def fault(chosen: str, rejected: str) -> str | None:
    """Why a pair cannot teach anything, or None: an empty side, or two sides that say the same."""
    if not chosen.strip() or not rejected.strip():
        return "empty"
    if ratio(chosen.lower().strip(), rejected.lower().strip()) >= NEAR_IDENTICAL:
        return "near-identical"
    return None


def fitted(prompts: pl.Series, chat: ChatFormat, max_tokens: int) -> list[list[Message]]:
    """Each history cut to its newest messages within `max_tokens`, at a message boundary."""
    return [chat.fit(prompt, max_tokens) for prompt in prompts.to_list()]


def as_pairs(rule: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows with at least conversation_id, reply_index, prompt, chosen and rejected as a `PAIRS` frame.

    `pair_id` comes from content; a row without a `reason` is kept; weight is 1 unless given; the rest is null.
    """
    complete = [
        {
            **dict.fromkeys(schemas.PAIRS),
            "pair_id": f"{rule}:{row['conversation_id']}:{row['reply_index']}",
            "weight": 1.0,
            "keep": row.get("reason") is None,
            **row,
        }
        for row in rows
    ]
    return pl.DataFrame(complete, schema=schemas.PAIRS).sort("pair_id")
