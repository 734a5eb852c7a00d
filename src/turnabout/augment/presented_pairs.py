"""Pairs of a better and a worse reply, in the order prompts show them.

The pairs are those that people made, and refinements kept before.
"""

from typing import Any, Literal, NamedTuple

import polars as pl

from turnabout.augment.base import AugmentInputs
from turnabout.core.conversations import REPLY_KEY, rank_by_hash
from turnabout.preferences.logged import find_logged_pairs
from turnabout.prompting.excerpts import CHARS_PER_TOKEN, keep_beginning, keep_newest
from turnabout.prompting.fencing import fence

#: One pair: two replies that could both follow `prompt`, by which one is better.
PAIR_COLUMNS = ["conversation_id", "reply_index", "prompt", "better", "worse"]

Letter = Literal["A", "B"]

#: Which reply is called A and comes first: the better one (`cr`), or the worse one.
Order = Literal["cr", "rc"]
ORDERS: tuple[Order, Order] = ("cr", "rc")


class PresentedPair(NamedTuple):
    """One pair in the order in which a prompt shows it."""

    prompt: list[Any]
    better: str
    worse: str
    order: Order

    @property
    def better_letter(self) -> Letter:
        """The letter by which the prompt calls the better reply."""
        return "A" if self.order == "cr" else "B"

    def build_record(self, max_tokens: int) -> str:
        """Return the fenced texts, about `max_tokens` long in all.

        Half of that is for the conversation (its end), a quarter for each reply.
        """
        max_chars = CHARS_PER_TOKEN * max_tokens
        a, b = (self.better, self.worse) if self.order == "cr" else (self.worse, self.better)
        texts = [
            fence("conversation", keep_newest(self.prompt, max_chars // 2)),
            fence("reply_A", keep_beginning(a, max_chars // 4)),
            fence("reply_B", keep_beginning(b, max_chars // 4)),
        ]
        return "\n".join(texts)


def draw_pairs(inputs: AugmentInputs, max_per_split: int | None, seed: int) -> pl.DataFrame:
    """Return at most `max_per_split` pairs per split, drawn by hash and sorted.

    The columns are `PAIR_COLUMNS`. A better reply that several sources give appears once, from the log if it is there.
    Refinements of criticised replies count where the table `refinements` was written before. Pairs whose sides follow
    different prompts are left out, since no judge could compare them.
    """
    logged = find_logged_pairs(inputs.messages, inputs.splits, inputs.feedback).filter(
        "keep", pl.col("rejected_prompt").is_null()
    )
    sources = [logged.select(*REPLY_KEY, "prompt", better="chosen", worse="rejected")]
    if "refinements" in inputs.tables:
        refined = (
            inputs.tables["refinements"].filter("kept").join(inputs.criticised, on=REPLY_KEY, maintain_order="left")
        )
        sources.append(refined.select(*REPLY_KEY, "prompt", better="refined", worse="reply"))
    pairs = pl.concat(sources).unique([*REPLY_KEY, "better"], keep="first", maintain_order=True)
    drawn = (
        pairs.join(inputs.splits.select("conversation_id", "split"), on="conversation_id", maintain_order="left")
        .sort(rank_by_hash(seed, *REPLY_KEY, "better"))
        .group_by("split", maintain_order=True)
        .head(pairs.height if max_per_split is None else max_per_split)
    )
    return drawn.sort(*REPLY_KEY, "better").select(PAIR_COLUMNS)


def present_pairs(pairs: pl.DataFrame, seed: int) -> list[PresentedPair]:
    """Return the pairs, each in an order that its hash and the seed decide."""
    orders = pairs.select(
        order=pl.when(rank_by_hash(seed, *REPLY_KEY, "better") < "8").then(pl.lit("cr")).otherwise(pl.lit("rc"))
    )
    rows = pl.concat([pairs.select("prompt", "better", "worse"), orders], how="horizontal")
    return [PresentedPair(**row) for row in rows.iter_rows(named=True)]
