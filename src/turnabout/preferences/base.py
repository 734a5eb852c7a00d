"""The seam of every pair rule: logs, feedback and a policy in, candidate preference pairs with reasons out."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, NamedTuple

import polars as pl
from rapidfuzz.fuzz import ratio

from turnabout.core import schemas
from turnabout.core.config import Section
from turnabout.core.messages import Message
from turnabout.generation import Generator
from turnabout.generation.unopened import NOBODY
from turnabout.models.chat_format import ChatFormat

#: What an arm `reads` whose rule needs nothing beyond the logs and their feedback.
NOTHING_MORE = "data/feedback.parquet"

#: Models a rule may put questions to: the policy that is trained, and the author of `build_pairs.judge`.
Model = Literal["policy", "judge"]

#: From this similarity on (0–100, normalised edit similarity) two replies are one and the same.
NEAR_IDENTICAL = 90.0


class Material(NamedTuple):
    """What a rule may work with. `reads` is what the arm's `reads` names: a table, or a checkpoint that scores.

    A model that the rule does not name in `needs` is not there: asking it is an error.
    """

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
    judge: Generator = NOBODY


class Rule(Section):
    """One way to build pairs. `rule` is the key of the method in `params.yaml`.

    `max_replies` and `max_judgements` are what `turnabout plan` goes by, and what it puts a price on.
    """

    rule: str
    makes: ClassVar[Literal["pairs", "unary"]] = "pairs"
    """Rows with both sides, or with one that was liked or disliked; the loss must learn from such."""

    @property
    def reads(self) -> str:
        """The one further output of the graph it needs, as a path; the arm's `reads` must say the same."""
        return NOTHING_MORE

    @property
    def needs(self) -> frozenset[Model]:
        """The models it puts questions to; only these are opened."""
        return frozenset()

    @abstractmethod
    def pairs(self, material: Material) -> pl.DataFrame:
        """All candidate pairs (`schemas.PAIRS`), kept or not, sorted by `pair_id`; train and validation users only."""

    def max_replies(self) -> int | None:
        """Most replies the policy writes for it, over both splits; None where the logs decide.

        0 is for a rule whose pairs come from the logs alone.
        """
        return 0

    def most_pairs(self) -> int | None:
        """Most pairs over both splits; None where the logs decide."""
        return self.max_replies() or None

    def max_judgements(self) -> int | None:
        """Most calls of the judge, over both splits; None where the logs decide."""
        return 0


def fault(chosen: str, rejected: str, alike: float = NEAR_IDENTICAL) -> str | None:
    """Why a pair cannot teach anything, or None: an empty side, or two sides at least `alike` (0–100)."""
    if not chosen.strip() or not rejected.strip():
        return "empty"
    if ratio(chosen.lower().strip(), rejected.lower().strip()) >= alike:
        return "near-identical"
    return None


def fitted(prompts: pl.Series, chat: ChatFormat, max_tokens: int) -> list[list[Message]]:
    """Each history cut to its newest messages within `max_tokens`, at a message boundary."""
    return [chat.fit(prompt, max_tokens) for prompt in prompts.to_list()]


def with_system(prompt: list[Message], text: str) -> list[Message]:
    """The prompt with an instruction in front; a system message that the log has follows it in the same message."""
    if prompt and prompt[0]["role"] == "system":
        return [{"role": "system", "content": f"{text}\n\n{prompt[0]['content']}"}, *prompt[1:]]
    return [{"role": "system", "content": text}, *prompt]


def as_pairs(rule: str, rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Rows with at least conversation_id, reply_index, prompt, chosen and rejected as a `PAIRS` frame.

    `pair_id` is the rule and the reply's place unless given. A row without a `reason` is kept; its weight is 1 unless
    given; the rest is null.
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
