"""Log and labelled pairs for the benchmark of prompts."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import polars as pl

from turnabout.augment import AUGMENTERS
from turnabout.augment.base import AugmentInputs
from turnabout.augment.presented_pairs import draw_pairs
from turnabout.core import schemas
from turnabout.core.conversations import drop_test_split
from turnabout.core.messages import Message
from turnabout.feedback.judged_replies import limit_per_split, select_criticised_replies

SEED = 20240501


class ComparedReplies(NamedTuple):
    """Two replies to one prompt, of which people preferred one."""

    prompt: list[Message]
    better: str
    worse: str


class Log(NamedTuple):
    """The tables of a log, and pairs whose better reply is known."""

    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame
    criticised: pl.DataFrame
    pairs: pl.DataFrame

    def build_inputs(self, n_replies: int | None = None) -> AugmentInputs:
        """Return what augmenters read.

        Of the criticised replies, these are the first `n_replies`, or all.
        """
        criticised = self.criticised if n_replies is None else self.criticised.head(n_replies)
        tables = {name: augmenter.table_schema.to_frame() for name, augmenter in AUGMENTERS.items()}
        return AugmentInputs(
            messages=self.messages, splits=self.splits, feedback=self.feedback, criticised=criticised, tables=tables
        )


def load_log(folder: Path, n_replies: int, n_pairs: int, preferred: Path | None) -> Log:
    """Load the tables of a project without the test split.

    Pairs from elsewhere are added as conversations of their own, three quarters of them in the training split.
    """
    splits = drop_test_split(pl.read_parquet(folder / "splits.parquet"))
    messages = _read_messages(folder / "messages").join(splits, on="conversation_id", how="semi", maintain_order="left")
    feedback = pl.read_parquet(folder / "feedback.parquet").join(splits, on="conversation_id", how="semi")
    criticised = select_criticised_replies(messages, splits, feedback, ("clarification", "revision"))
    inputs = AugmentInputs(messages=messages, splits=splits, feedback=feedback, criticised=criticised, tables={})
    if draw_pairs(inputs, None, SEED).is_empty():
        added = _build_compared_messages(_load_comparisons(n_pairs, preferred))
        people = added.select("conversation_id").unique(maintain_order=True).with_row_index("i")
        in_split = pl.when(pl.col("i") % 4 == 3).then(pl.lit("validation")).otherwise(pl.lit("train"))
        added_splits = people.select("conversation_id", user_key="conversation_id", split=in_split)
        messages, splits = pl.concat([messages, added]), pl.concat([splits, added_splits])
        inputs = inputs._replace(messages=messages, splits=splits)
    pairs = draw_pairs(inputs, None, SEED).head(n_pairs)
    limited = limit_per_split(criticised, n_replies).head(n_replies)
    return Log(messages=messages, splits=splits, feedback=feedback, criticised=limited, pairs=pairs)


def _read_messages(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "*.parquet").select(list(schemas.MESSAGES))


def _load_comparisons(n_pairs: int, preferred: Path | None) -> list[ComparedReplies]:
    """Return pairs from outside the log, at most `n_pairs`."""
    if preferred is not None and preferred.is_file():
        items = pl.read_parquet(preferred).filter("erroneous", pl.col("target") != "-").sort("item_id")
        short = items.filter(pl.col("target").str.len_chars().is_between(20, 400)).head(n_pairs)
        return [
            ComparedReplies(prompt=row["context"], better=row["target"], worse=row["error_text"])
            for row in short.iter_rows(named=True)
        ]
    comparisons = []
    lines = (Path(__file__).parent / "injection_records.jsonl").read_text(encoding="utf-8").splitlines()
    for record in map(json.loads, lines[:n_pairs]):
        is_praised = re.search(r"thank|right|lovely|perfect|good", record["follow_up"], re.I) is not None
        better, worse = ("reply", "other") if is_praised else ("other", "reply")
        turns = (("user", record["before"]), ("assistant", record["before_reply"]), ("user", record["user"]))
        prompt: list[Message] = [{"role": role, "content": text} for role, text in turns]
        comparisons.append(ComparedReplies(prompt=prompt, better=record[better], worse=record[worse]))
    return comparisons


def _build_compared_messages(comparisons: Iterable[ComparedReplies]) -> pl.DataFrame:
    """Return each comparison as the messages of a conversation.

    Its last reply was preferred to its only alternative.
    """
    rows = []
    for i, comparison in enumerate(comparisons):
        turns = [*comparison.prompt, {"role": "assistant", "content": comparison.better}]
        for index, turn in enumerate(turns):
            is_reply = index == len(turns) - 1
            rows.append(
                {
                    **dict.fromkeys(schemas.MESSAGES),
                    "conversation_id": f"pair-{i:03}",
                    "message_index": index,
                    "role": turn["role"],
                    "text": turn["content"],
                    "user_key": f"pair-{i:03}",
                    "source": "pairs",
                    "alternatives": [comparison.worse] if is_reply else [],
                    "preferences": [1.0] if is_reply else [],
                    "flags": [],
                }
            )
    return pl.DataFrame(rows, schema=schemas.MESSAGES)
