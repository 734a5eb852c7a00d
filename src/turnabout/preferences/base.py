"""The interface of every pair rule.

A rule turns logs, feedback and a policy into candidate pairs, each kept or dropped for a reason.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import polars as pl
from rapidfuzz.fuzz import ratio

from turnabout.core import schemas
from turnabout.core.config import Section
from turnabout.core.messages import Message
from turnabout.generation import Generator
from turnabout.generation.unopened import UNOPENED
from turnabout.models.chat_format import ChatFormat

#: What an arm `reads` if its rule needs nothing beyond the logs and their feedback.
LOGS_ONLY = "data/feedback.parquet"

#: Models that a rule may call: the policy that is trained, and the model of `build_pairs.judge`.
ModelRole = Literal["policy", "judge"]

#: Replies at least this similar (0–100, normalised edit similarity) count as the same reply.
NEAR_IDENTICAL = 90.0

#: Columns that say which reply a pair comes from.
SOURCE_COLUMNS = ("conversation_id", "reply_index", "user_key", "split")


class RuleContext(NamedTuple):
    """What a rule may work with.

    A model that the rule does not name in `needs` is not opened: calling it is an error.
    """

    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame
    extra_input: Any
    """What the arm's `reads` names: a table, or a checkpoint that scores; None for `LOGS_ONLY`."""
    policy: Generator
    chat: ChatFormat
    max_prompt_tokens: int
    max_new_tokens: int
    batch_size: int
    seed: int
    judge: Generator = UNOPENED


class Rule(Section):
    """A way to build pairs. `rule` is the key of the method in `params.yaml`.

    `turnabout plan` estimates the cost of an arm from `max_replies`, `max_candidates` and `max_judgements`.
    """

    rule: str
    makes: ClassVar[Literal["pairs", "unary"]] = "pairs"
    """Rows with both sides, or with one side that was liked or disliked; the loss must learn from such rows."""

    @property
    def reads(self) -> str:
        """The path of the one extra input that the rule needs.

        It is a table of `augment`, the pairs of another arm, a model's folder, or `LOGS_ONLY`. The arm's `reads` must
        be the same.
        """
        return LOGS_ONLY

    @property
    def needs(self) -> frozenset[ModelRole]:
        """The models that the rule calls; only these are opened."""
        return frozenset()

    @abstractmethod
    def build_pairs(self, context: RuleContext) -> pl.DataFrame:
        """Return all candidates (`schemas.PAIRS`), kept or not, by `pair_id`.

        They come from users of the train and validation splits only.
        """

    def max_replies(self) -> int | None:
        """Return the maximum number of policy replies, over both splits.

        None if it depends on the logs; 0 for a rule whose pairs come from the logs alone.
        """
        return 0

    def max_candidates(self) -> int | None:
        """Return the maximum number of pairs over both splits.

        None if it depends on the logs.
        """
        return self.max_replies() or None

    def max_judgements(self) -> int | None:
        """Return the maximum number of judge calls, over both splits.

        None if it depends on the logs.
        """
        return 0


def find_drop_reason(chosen: str, rejected: str, threshold: float = NEAR_IDENTICAL) -> str | None:
    """Return why a pair cannot teach anything, or None.

    Either a side is empty, or the sides' similarity (0–100) is at least `threshold`.
    """
    if not chosen.strip() or not rejected.strip():
        return "empty"
    if ratio(chosen.lower().strip(), rejected.lower().strip()) >= threshold:
        return "near-identical"
    return None


def fit_prompts(prompts: pl.Series, chat: ChatFormat, max_tokens: int) -> list[list[Message]]:
    """Cut each history to its newest whole messages within `max_tokens`."""
    return [chat.keep_newest(prompt, max_tokens) for prompt in prompts.to_list()]


def prepend_instruction(prompt: list[Message], text: str) -> list[Message]:
    """Return the prompt with an instruction as its system message.

    A system message of the log follows the instruction in the same message.
    """
    if prompt and prompt[0]["role"] == "system":
        return [{"role": "system", "content": f"{text}\n\n{prompt[0]['content']}"}, *prompt[1:]]
    return [{"role": "system", "content": text}, *prompt]


def copy_source_columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that identify a pair's reply (`SOURCE_COLUMNS`)."""
    return {column: row[column] for column in SOURCE_COLUMNS}


def to_pairs_frame(rule: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return rows as a frame of `schemas.PAIRS`, sorted by `pair_id`.

    Each row has at least conversation_id, reply_index, prompt, chosen and rejected. `pair_id` is made of the rule, the
    conversation and the reply's index unless given. A row without a `reason` is kept; its weight is 1 unless given;
    every other missing column is null.
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
