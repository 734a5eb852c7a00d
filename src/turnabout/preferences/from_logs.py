"""What the rules share whose pairs people made themselves: both sides stand in the log, and no model is asked."""

from abc import abstractmethod
from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.core.conversations import exchanges, histories
from turnabout.preferences.base import Material, Rule, as_pairs, fault, fitted


class FromLogs(Rule):
    """A rule that needs nothing but messages, splits and feedback."""

    @abstractmethod
    def found(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """All candidate pairs (`schemas.PAIRS`) with whole histories as prompts, sorted by `pair_id`."""

    def pairs(self, material: Material) -> pl.DataFrame:
        """What is found, with prompts that fit."""
        built = self.found(material.messages, material.splits, material.feedback)
        return built.with_columns(
            pl.Series(name, _fitted(built[name], material), dtype=schemas.PAIRS[name])
            for name in ("prompt", "rejected_prompt")
        )


def replies(messages: pl.DataFrame, splits: pl.DataFrame) -> pl.DataFrame:
    """Every logged reply (`conversations.EXCHANGES`) of the train and validation splits, with its `split`."""
    held = splits.filter(pl.col("split").is_in(["train", "validation"])).select("conversation_id", "split", "user_key")
    return exchanges(messages).drop("user_key").join(held, on="conversation_id", maintain_order="left")


def with_prompts(messages: pl.DataFrame, logged: pl.DataFrame) -> pl.DataFrame:
    """The replies with the history before each as `prompt`; one that begins its conversation has none and goes."""
    return histories(messages, logged.with_columns(before="reply_index")).drop("before").drop_nulls("prompt")


def checked(rule: str, candidates: pl.DataFrame) -> pl.DataFrame:
    """Candidates with any columns of `PAIRS` as such a frame; what has no `reason` yet gets its `fault`, if any."""
    known = candidates.select(name for name in candidates.columns if name in schemas.PAIRS)
    return as_pairs(rule, [{**row, "reason": row.get("reason") or _fault(row)} for row in known.iter_rows(named=True)])


def _fault(row: dict[str, Any]) -> str | None:
    """The fault of a pair, or of its only side."""
    sides = [side for side in (row["chosen"], row["rejected"]) if side is not None]
    if len(sides) == 1:
        return None if sides[0].strip() else "empty"
    return fault(*sides)


def _fitted(prompts: pl.Series, material: Material) -> list[Any]:
    """Each prompt cut to its newest messages; null stays null."""
    known = iter(fitted(prompts.drop_nulls(), material.chat, material.max_prompt_tokens))
    return [None if prompt is None else next(known) for prompt in prompts.to_list()]
