"""Pairs of a better and a worse reply that rationales are about: those people made, and refinements kept before."""

from typing import Any, Literal, NamedTuple

import polars as pl

from turnabout.augment.base import Logs
from turnabout.augment.candidates import REPLY
from turnabout.core.conversations import hash_rank
from turnabout.preferences.logged import logged_pairs
from turnabout.prompting.excerpts import CHARACTERS, beginning, newest
from turnabout.prompting.fencing import data

#: One pair: two replies that could both follow `prompt`, and which is the better one.
COMPARED = ["conversation_id", "reply_index", "prompt", "better", "worse"]


Letter = Literal["A", "B"]

#: Which reply is called A and comes first: the better one (`cr`), or the worse one.
Order = Literal["cr", "rc"]
ORDERS: tuple[Order, Order] = ("cr", "rc")


class Shown(NamedTuple):
    """One pair as prompts show it."""

    prompt: list[Any]
    better: str
    worse: str
    order: Order

    def record(self, max_tokens: int) -> str:
        """The fenced texts: half of about `max_tokens` for the conversation (its end), a quarter for each reply."""
        room = CHARACTERS * max_tokens
        a, b = (self.better, self.worse) if self.order == "cr" else (self.worse, self.better)
        told = [
            data("conversation", newest(self.prompt, room // 2)),
            data("reply_A", beginning(a, room // 4)),
            data("reply_B", beginning(b, room // 4)),
        ]
        return "\n".join(told)


def compared(logs: Logs, most: int | None, seed: int) -> pl.DataFrame:
    """At most `most` pairs per split (`COMPARED`, drawn by hash), sorted: logged ones first asked, each text once.

    Refinements of criticised replies count where the table `refinements` was written before. Pairs whose sides follow
    different prompts are left out: no judge could compare them.
    """
    logged = logged_pairs(logs.messages, logs.splits, logs.feedback).filter("keep", pl.col("rejected_prompt").is_null())
    found = [logged.select(*REPLY, "prompt", better="chosen", worse="rejected")]
    if "refinements" in logs.tables:
        refined = logs.tables["refinements"].filter("kept").join(logs.criticised, on=REPLY, maintain_order="left")
        found.append(refined.select(*REPLY, "prompt", better="refined", worse="reply"))
    pairs = pl.concat(found).unique([*REPLY, "better"], keep="first", maintain_order=True)
    drawn = (
        pairs.join(logs.splits.select("conversation_id", "split"), on="conversation_id", maintain_order="left")
        .sort(hash_rank(seed, *REPLY, "better"))
        .group_by("split", maintain_order=True)
        .head(pairs.height if most is None else most)
    )
    return drawn.sort(*REPLY, "better").select(COMPARED)


def shown(pairs: pl.DataFrame, seed: int) -> list[Shown]:
    """The pairs, each in an order of its own that the seed decides."""
    orders = pairs.select(
        order=pl.when(hash_rank(seed, *REPLY, "better") < "8").then(pl.lit("cr")).otherwise(pl.lit("rc"))
    )
    rows = pl.concat([pairs.select("prompt", "better", "worse"), orders], how="horizontal")
    return [Shown(**row) for row in rows.iter_rows(named=True)]
