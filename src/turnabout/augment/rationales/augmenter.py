"""Rationales: why a reply is, or would be, preferred to another (RDPO, Just et al., arXiv 2407.14477)."""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import Logs, Writing
from turnabout.augment.candidates import REPLY
from turnabout.augment.one_sentence import OneSentence
from turnabout.augment.presented_pairs import compared
from turnabout.augment.rationales.pair_rationales import Kind, Reasoning, pair_rationales
from turnabout.core import schemas


class Rationales(OneSentence):
    """One general rationale per criticised reply: what a reply the user prefers would do differently.

    About `pairs`, one of each of `kinds` per better and worse reply that the log or a refiner has, and the above for
    criticised replies without one.
    """

    writes: Literal["rationales"] = "rationales"
    column: ClassVar[str] = "rationale"
    prompt_version: ClassVar[str] = "rationale-2"
    asked: ClassVar[str] = (
        "Explain in one sentence why a better reply would be preferred to the assistant's last one. "
        "Speak about the replies only."
    )
    prefill: ClassVar[str] = "A better reply would be preferred because the user wanted"

    about: Literal["reply", "pairs"] = "reply"
    kinds: tuple[Kind, ...] = Field(default=("general", "specific"), min_length=1)
    """Of a pair: the qualities that decide, or what in the words of both replies does."""
    by: Literal["scores", "answers"] = "scores"
    """How the author says which side an argument convinced it of: by the probabilities of the two letters, for
    generators that score, or by a JSON object."""
    max_pairs: int | None = Field(default=None, gt=0)
    """Most pairs per split, drawn by hash; null takes all."""
    max_verdict_tokens: int = Field(default=128, gt=0)
    """Longest verdict asked for by `answers`, in tokens."""
    retries: int = Field(default=1, ge=0)
    """How often is asked again after a verdict that cannot be used."""

    def calls_besides(self) -> int | None:
        """Of each pair and kind, an argument for either side and the verdicts on both, in both orders.

        A log may hold more pairs than criticised replies: without `max_pairs` nobody knows how many.
        """
        if self.about == "reply":
            return 0
        verdicts = 4 * (1 + self.retries if self.by == "answers" else 1)
        return None if self.max_pairs is None else 2 * self.max_pairs * len(self.kinds) * (2 + verdicts)

    def longest_answer(self, max_new_tokens: int) -> int:
        """A verdict may be longer than a rationale."""
        asks = self.about == "pairs" and self.by == "answers"
        return max(max_new_tokens, self.max_verdict_tokens) if asks else max_new_tokens

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """The rationales, kept or not with the reason, sorted by reply, better reply and kind."""
        if self.about == "reply":
            return self._alone(logs.criticised, writing)
        pairs = compared(logs, self.max_pairs, writing.seed)
        how = Reasoning(self.kinds, self.by, self.max_verdict_tokens, self.retries)
        alone = self._alone(logs.criticised.join(pairs, on=REPLY, how="anti", maintain_order="left"), writing)
        return pl.concat([alone, pair_rationales(pairs, writing, how)]).sort(*REPLY, "better", "kind")

    def _alone(self, criticised: pl.DataFrame, writing: Writing) -> pl.DataFrame:
        """Rationales about criticised replies that no better one stands beside."""
        written = self.sentences(criticised, writing).with_columns(kind=pl.lit("general"))
        return pl.concat([schemas.RATIONALES.to_frame(), written], how="diagonal")
