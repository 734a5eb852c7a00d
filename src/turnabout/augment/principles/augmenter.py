"""Principles: a few rules that say which replies people prefer (ICAI).

Source: Findeis et al. 2024, arXiv 2406.06560.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import AugmentContext, Augmenter, AugmentInputs, build_outcome
from turnabout.augment.presented_pairs import PresentedPair, draw_pairs, present_pairs
from turnabout.augment.principles.evidence import (
    FeedbackSource,
    Source,
    collect_feedback_evidence,
    collect_pair_evidence,
)
from turnabout.augment.principles.proposals import Proposal, propose_rules
from turnabout.augment.principles.selection import (
    WITH,
    WITHOUT,
    AcceptanceCriteria,
    RankedRule,
    measure_agreement,
    select_rules,
)
from turnabout.augment.principles.votes import VOTE_OUTCOMES, VoteOptions
from turnabout.core import schemas
from turnabout.judging.base import JudgeOptions
from turnabout.prompting.structured import AskOptions


class Principles(Augmenter):
    """Rules proposed from training pairs and feedback, and kept by their votes.

    One rule per cluster is voted on, over the training pairs. Every kept row says how often a judge that knows only the
    kept rules agrees with held-out people.
    """

    writes: Literal["principles"] = "principles"
    table_schema: ClassVar[pl.Schema] = schemas.PRINCIPLES
    prompt_version: ClassVar[str] = "principles-2"
    sources: tuple[Source, ...] = Field(default=("pairs", "kudos", "critiques", "edits"), min_length=1)
    """What rules are read from: pairs (ICAI), praise, complaints and edits (ConstitutionMaker)."""
    k: int = Field(default=2, ge=1)
    """Most rules of one answer."""
    clusters: int = Field(default=20, ge=1)
    """Most rules that are voted on."""
    keep: int = Field(default=5, ge=1)
    """Most rules that are kept."""
    max_pairs: int = Field(default=200, ge=1)
    """Most pairs per split, drawn by hash.

    Training pairs propose rules and are voted on, validation pairs are held out.
    """
    max_feedback: int = Field(default=100, ge=1)
    """Most praise, most complaints and most edits that rules are read from."""
    by: Literal["scores", "answers"] = "answers"
    """How votes and verdicts are read: from JSON answers, or from probabilities, for generators that score."""
    orders: int = Field(default=3, ge=1)
    """Random orders in which a vote is asked for by `answers`; `scores` asks in both orders of the replies."""
    rules_at_once: int = Field(default=20, ge=1)
    """Most rules of one question, by `answers`."""
    min_valid: float = Field(default=0.5, ge=0, le=1)
    """Least share of the pairs with a vote that can be used."""
    min_for: float = Field(default=0.1, ge=0, le=1)
    """Least share of the pairs on which a principle favours the preferred reply."""
    max_new_tokens: int = Field(default=160, gt=0)
    """Longest answer with rules, and longest verdict, in tokens."""
    retries: int = Field(default=1, ge=0)
    """How often a question is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """Return 0, since all calls are in `max_fixed_calls`."""
        return 0

    def max_fixed_calls(self) -> int:
        """Return the calls for proposals, votes and the agreement.

        Pairs propose from both traits. The agreement takes two judges in both orders.
        """
        n_feedback = len({*self.sources} - {"pairs"}) * self.max_feedback
        n_proposing = n_feedback + 2 * self.max_pairs * ("pairs" in self.sources)
        attempts, votes_per_pair = 1 + self.retries, 2 * self.clusters
        if self.by == "answers":
            votes_per_pair = self.orders * math.ceil(self.clusters / self.rules_at_once) * attempts
        verdicts_per_pair = 4 * (attempts if self.by == "answers" else 1)
        return n_proposing * attempts + self.max_pairs * (votes_per_pair + verdicts_per_pair)

    def max_answer_tokens(self, max_new_tokens: int) -> int:
        """Return its own limit; an answer with votes may be longer."""
        votes = self._build_vote_options(0, 0).max_new_tokens if self.by == "answers" else 0
        return max(self.max_new_tokens, votes)

    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return a row per proposed rule and per answer without one, the best first."""
        training_pairs = self._draw_pairs(inputs, "train", context.seed)
        criteria = AcceptanceCriteria(
            clusters=self.clusters, keep=self.keep, min_valid=self.min_valid, min_for=self.min_for
        )
        ranked = select_rules(
            context.generator,
            self._propose_rules(inputs, training_pairs, context),
            training_pairs,
            criteria=criteria,
            options=self._build_vote_options(context.max_prompt_tokens, context.seed),
        )
        principles = [rule.proposal.text or "" for rule in ranked if rule.reason is None]
        agreement = self._measure_agreement(inputs, principles, context)
        rows = [self._build_row(rule, agreement, context) for rule in ranked]
        table = pl.DataFrame(rows, schema=schemas.PRINCIPLES)
        order = ["kept", pl.col("n_for") - pl.col("n_against"), "principle", "source", "reason"]
        return table.sort(order, descending=[True, True, False, False, False], nulls_last=True)

    def compute_metrics(self, table: pl.DataFrame) -> dict[str, Any]:
        """Return the agreement with held-out people, with and without principles.

        Each is a list of the share and the ends of its interval; null where there is none.
        """
        first = next(table.filter("kept").iter_rows(named=True), dict.fromkeys(table.columns))
        shares = {name: [first[name], first[f"{name}_low"], first[f"{name}_high"]] for name in (WITH, WITHOUT)}
        return {"n_held_out": first["n_held_out"], **shares}

    def _build_vote_options(self, max_prompt_tokens: int, seed: int) -> VoteOptions:
        return VoteOptions(
            by=self.by,
            orders=self.orders,
            rules_at_once=self.rules_at_once,
            max_prompt_tokens=max_prompt_tokens,
            retries=self.retries,
            seed=seed,
        )

    def _draw_pairs(self, inputs: AugmentInputs, split: str, seed: int) -> list[PresentedPair]:
        in_split = inputs.splits.filter(split=split)
        drawn = draw_pairs(inputs, self.max_pairs, seed).join(in_split, on="conversation_id", how="semi")
        return present_pairs(drawn, seed)

    def _propose_rules(
        self, inputs: AugmentInputs, pairs: Sequence[PresentedPair], context: AugmentContext
    ) -> list[Proposal]:
        evidence = collect_pair_evidence(pairs, context.max_prompt_tokens) if "pairs" in self.sources else []
        feedback: tuple[FeedbackSource, ...] = ("kudos", "critiques", "edits")
        for source in feedback:
            if source in self.sources:
                evidence += collect_feedback_evidence(
                    inputs, source, self.max_feedback, max_tokens=context.max_prompt_tokens, seed=context.seed
                )
        options = AskOptions(prefill="", max_new_tokens=self.max_new_tokens, retries=self.retries, seed=context.seed)
        return propose_rules(context.generator, evidence, self.k, options)

    def _measure_agreement(
        self, inputs: AugmentInputs, principles: Sequence[str], context: AugmentContext
    ) -> dict[str, Any]:
        """Return the agreement on pairs that people made.

        Refinements are written by the model itself and show nothing about people.
        """
        pairs = self._draw_pairs(inputs._replace(tables={}), "validation", context.seed)
        options = JudgeOptions(
            judge="checklist",
            by=self.by,
            max_prompt_tokens=context.max_prompt_tokens,
            max_new_tokens=self.max_new_tokens,
            retries=self.retries,
            seed=context.seed,
        )
        return measure_agreement(context.generator, pairs, principles, options)

    def _build_row(self, rule: RankedRule, agreement: dict[str, Any], context: AugmentContext) -> dict[str, Any]:
        """Return one row of the table; the agreement is only in rows that are kept."""
        tally = rule.tally
        return {
            **dict.fromkeys(schemas.PRINCIPLES),
            "principle": rule.proposal.text,
            "source": rule.proposal.source,
            **({} if tally is None else {f"n_{outcome}": tally[outcome] for outcome in VOTE_OUTCOMES}),
            **(agreement if rule.reason is None else {}),
            **build_outcome(context, self.prompt_version, rule.reason),
        }
