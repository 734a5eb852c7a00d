"""Principles: a few rules in plain words that tell which replies people prefer (ICAI, Findeis et al. 2024)."""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import Augmenter, Logs, Writing
from turnabout.augment.presented_pairs import Shown, compared, shown
from turnabout.augment.principles.agreement import WITH, WITHOUT, agreement
from turnabout.augment.principles.evidence import Feedback, Source, of_feedback, of_pairs
from turnabout.augment.principles.proposals import Proposal, proposed
from turnabout.augment.principles.selection import Bar, sifted
from turnabout.augment.principles.votes import FATES, Polling
from turnabout.core import schemas
from turnabout.judging.pairwise import Judging
from turnabout.prompting.structured import Asking


class Principles(Augmenter):
    """Rules proposed from training pairs and feedback, one per cluster, kept by the votes on the training pairs.

    How far an annotator that is told only those agrees with held-out people stands in every kept row.
    """

    writes: Literal["principles"] = "principles"
    prompt_version: ClassVar[str] = "principles-1"
    sources: tuple[Source, ...] = Field(default=("pairs", "kudos", "critiques", "edits"), min_length=1)
    """What rules are read out of: pairs (ICAI), praise, complaints and edits (ConstitutionMaker)."""
    k: int = Field(default=2, ge=1)
    """Most rules of one answer."""
    clusters: int = Field(default=20, ge=1)
    """Most rules that are voted on."""
    keep: int = Field(default=5, ge=1)
    max_pairs: int = Field(default=200, ge=1)
    """Most pairs per split, drawn by hash: those of training propose and vote, those of validation are held out."""
    max_feedback: int = Field(default=100, ge=1)
    """Most praise, most complaints and most edits that rules are read out of."""
    by: Literal["scores", "answers"] = "answers"
    """How votes and verdicts are read: from JSON answers, or from probabilities, for generators that score."""
    orders: int = Field(default=3, ge=1)
    """Random orders in which a vote is asked for by `answers`; `scores` takes both orders of the replies."""
    rules_at_once: int = Field(default=20, ge=1)
    """Most rules of one question, by `answers`."""
    min_valid: float = Field(default=0.5, ge=0, le=1)
    """Least share of pairs on which the votes can be used."""
    min_for: float = Field(default=0.1, ge=0, le=1)
    """Least share of pairs on which a principle speaks for the preferred reply."""
    max_new_tokens: int = Field(default=160, gt=0)
    """Longest answer with rules, or of the annotator, in tokens."""
    retries: int = Field(default=1, ge=0)
    """How often is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """None: `calls_besides` has them all."""
        return 0

    def calls_besides(self) -> int:
        """Proposals from both traits of pairs and from feedback; the votes; two annotators in both orders."""
        n_feedback = len({*self.sources} - {"pairs"}) * self.max_feedback
        n_proposing = n_feedback + 2 * self.max_pairs * ("pairs" in self.sources)
        again, per_pair = 1 + self.retries, 2 * self.clusters
        if self.by == "answers":
            per_pair = self.orders * math.ceil(self.clusters / self.rules_at_once) * again
        return n_proposing * again + self.max_pairs * (per_pair + 4 * (again if self.by == "answers" else 1))

    def longest_answer(self, max_new_tokens: int) -> int:
        """Its own limit; an answer with votes may be longer."""
        return max(self.max_new_tokens, self._polling(0, 0).max_new_tokens if self.by == "answers" else 0)

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """A row per proposed rule, and per answer without one; the best first."""
        training = self._pairs(logs, "train", writing.seed)
        proposals = self._proposed(logs, training, writing)
        bar = Bar(self.clusters, self.keep, self.min_valid, self.min_for)
        polling = self._polling(writing.max_prompt_tokens, writing.seed)
        found = sifted(writing.author, proposals, training, bar, polling)
        reached = self._agreement(logs, [each.proposal.text or "" for each in found if each.reason is None], writing)
        rows = [
            {
                **dict.fromkeys(schemas.PRINCIPLES),
                "principle": each.proposal.text,
                "source": each.proposal.source,
                **({} if each.tally is None else {f"n_{fate}": each.tally[fate] for fate in FATES}),
                **(reached if each.reason is None else {}),
                "author": writing.author.name,
                "prompt_version": self.prompt_version,
                "kept": each.reason is None,
                "reason": each.reason,
            }
            for each in found
        ]
        table = pl.DataFrame(rows, schema=schemas.PRINCIPLES)
        order = ["kept", pl.col("n_for") - pl.col("n_against"), "principle", "source", "reason"]
        return table.sort(order, descending=[True, True, False, False, False], nulls_last=True)

    def figures(self, table: pl.DataFrame) -> dict[str, Any]:
        """Agreement with held-out people with and without the principles, with intervals; null where there is none."""
        first = next(table.filter("kept").iter_rows(named=True), dict.fromkeys(table.columns))
        told = {name: [first[name], first[f"{name}_low"], first[f"{name}_high"]] for name in (WITH, WITHOUT)}
        return {"n_held_out": first["n_held_out"], **told}

    def _polling(self, max_prompt_tokens: int, seed: int) -> Polling:
        return Polling(self.by, self.orders, self.rules_at_once, max_prompt_tokens, self.retries, seed)

    def _pairs(self, logs: Logs, split: str, seed: int) -> list[Shown]:
        of_split = logs.splits.filter(split=split)
        return shown(compared(logs, self.max_pairs, seed).join(of_split, on="conversation_id", how="semi"), seed)

    def _proposed(self, logs: Logs, pairs: Sequence[Shown], writing: Writing) -> list[Proposal]:
        room, seed = writing.max_prompt_tokens, writing.seed
        evidence = of_pairs(pairs, room) if "pairs" in self.sources else []
        feedback: tuple[Feedback, ...] = ("kudos", "critiques", "edits")
        for source in feedback:
            if source in self.sources:
                evidence += of_feedback(logs, source, self.max_feedback, room, seed)
        return proposed(writing.author, evidence, self.k, Asking("", self.max_new_tokens, self.retries, seed))

    def _agreement(self, logs: Logs, principles: Sequence[str], writing: Writing) -> dict[str, Any]:
        """Of pairs that people made: refinements are the author's own, and say nothing about people."""
        pairs = self._pairs(logs._replace(tables={}), "validation", writing.seed)
        how = Judging("checklist", self.by, writing.max_prompt_tokens, self.max_new_tokens, self.retries, writing.seed)
        return agreement(writing.author, pairs, principles, how)
