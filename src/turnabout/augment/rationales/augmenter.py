"""Rationales: why a reply is, or would be, preferred to another one (RDPO).

Source: Just et al., arXiv 2407.14477.
"""

from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import AugmentContext, AugmentInputs
from turnabout.augment.one_sentence import OneSentence, SentencePrompt
from turnabout.augment.presented_pairs import draw_pairs
from turnabout.augment.rationales.pair_rationales import Kind, RationaleOptions, write_pair_rationales
from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY


class Rationales(OneSentence):
    """One general rationale per criticised reply: what a better reply would do.

    With `about: pairs`, every pair of a better and a worse reply gets one rationale of each of `kinds`. Pairs come from
    the log and from refinements; criticised replies without a pair get the general rationale above.
    """

    writes: Literal["rationales"] = "rationales"
    table_schema: ClassVar[pl.Schema] = schemas.RATIONALES
    column: ClassVar[str] = "rationale"
    sentence: ClassVar[SentencePrompt] = SentencePrompt(
        version="rationale-3",
        instruction=(
            "Explain in one sentence why a better reply would be preferred to the assistant's last reply. "
            "Write only about the replies."
        ),
        prefill="A better reply would be preferred because the user wanted",
    )

    about: Literal["reply", "pairs"] = "reply"
    kinds: tuple[Kind, ...] = Field(default=("general", "specific"), min_length=1)
    """Kinds of rationale about a pair: the qualities that decide, or the words of both replies that do."""
    by: Literal["scores", "answers"] = "scores"
    """How the model says which side an argument convinced it of.

    It is read from the probabilities of the two letters, for generators that score, or from a JSON object.
    """
    max_pairs: int | None = Field(default=None, gt=0)
    """Most pairs per split, drawn by hash; null takes all."""
    max_verdict_tokens: int = Field(default=128, gt=0)
    """Longest verdict asked for by `answers`, in tokens."""
    retries: int = Field(default=1, ge=0)
    """How often a verdict is asked for again after one that cannot be used."""

    def max_fixed_calls(self) -> int | None:
        """Return the calls for rationales about pairs.

        For each pair and kind, there is an argument for either side, and the verdicts on both in both orders. A log may
        hold more pairs than criticised replies, so their number is unknown without `max_pairs`.
        """
        if self.about == "reply":
            return 0
        n_verdicts = 4 * (1 + self.retries if self.by == "answers" else 1)
        return None if self.max_pairs is None else 2 * self.max_pairs * len(self.kinds) * (2 + n_verdicts)

    def max_answer_tokens(self, max_new_tokens: int) -> int:
        """Return the stage's limit, or that of a verdict where it is longer."""
        asks_for_verdicts = self.about == "pairs" and self.by == "answers"
        return max(max_new_tokens, self.max_verdict_tokens) if asks_for_verdicts else max_new_tokens

    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return the rationales, sorted by reply, better reply and kind.

        Each is kept, or dropped with the reason.
        """
        if self.about == "reply":
            return self._write_about_replies(inputs.criticised, context)
        pairs = draw_pairs(inputs, self.max_pairs, context.seed)
        options = RationaleOptions(
            kinds=self.kinds, by=self.by, max_verdict_tokens=self.max_verdict_tokens, retries=self.retries
        )
        unpaired = inputs.criticised.join(pairs, on=REPLY_KEY, how="anti", maintain_order="left")
        about_replies = self._write_about_replies(unpaired, context)
        about_pairs = write_pair_rationales(pairs, context, options)
        return pl.concat([about_replies, about_pairs]).sort(*REPLY_KEY, "better", "kind")

    def _write_about_replies(self, criticised: pl.DataFrame, context: AugmentContext) -> pl.DataFrame:
        """Return rationales about criticised replies that have no pair."""
        sentences = self.write_sentences(criticised, context).with_columns(kind=pl.lit("general"))
        return pl.concat([schemas.RATIONALES.to_frame(), sentences], how="diagonal")
