"""What the augmenters share that write criticised replies anew.

They draw rewrites, and a judge compares each with the criticised reply.
"""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from turnabout.augment.base import AugmentContext, Augmenter, build_outcome
from turnabout.augment.complaint_votes import WORDINGS, VoteResult, vote_on_records
from turnabout.augment.rewrites.rewriting import (
    Rewrite,
    RewriteCase,
    RewriteDraft,
    RewriteRequest,
    build_case_record,
    measure_similarity,
    write_drafts,
)
from turnabout.generation import Sampling
from turnabout.judging.choice import ChoiceOptions

#: The fault of a text on which no vote could be used.
NO_VOTE = "no usable vote"

#: Placeholders for a rewrite: without feedback in words, and without a usable vote on the criticised reply.
SILENT = Rewrite("", None, "no feedback in words")
UNJUDGED = Rewrite("", None, f"{NO_VOTE} on the reply")


class Rewriter(Augmenter):
    """An augmenter that writes replies anew and keeps the better ones.

    The model that writes judges them, too: a rewrite is kept where it scores higher than the criticised reply.
    """

    prompt_version: ClassVar[str]
    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=0.9, gt=0, le=1)
    by: Literal["scores", "answers"] = "scores"
    """Votes by the probabilities of Yes and No, which needs a generator that scores; or by answers with a reason."""
    votes: int = Field(default=5, ge=1, le=len(WORDINGS))
    """Votes on a reply, each with another wording of the question."""
    retries: int = Field(default=1, ge=0)
    """How often a vote is asked for again after an answer that cannot be used."""

    def write_rewrites(self, context: AugmentContext, requests: Sequence[RewriteRequest], seed: int) -> list[Rewrite]:
        """Return one rewrite per request, in order.

        Those without a fault are judged.
        """
        sampling = Sampling(context.max_new_tokens, temperature=self.temperature, top_p=self.top_p, seed=seed)
        drafts = write_drafts(context.generator, requests, sampling)
        sound = []
        for request, draft in zip(requests, drafts, strict=True):
            if draft.fault is None:
                sound.append((request.case, draft.text))
        votes = iter(self.judge_texts(context, sound))
        return [_add_vote(draft, votes) for draft in drafts]

    def judge_texts(self, context: AugmentContext, texts: Sequence[tuple[RewriteCase, str]]) -> list[VoteResult | None]:
        """Return the votes on each text in place of its case's reply, in order.

        None stands for a text without any usable vote.
        """
        records = []
        for case, text in texts:
            replies = {"reply": case.reply, "new_reply": text}
            records.append(build_case_record(case, replies, context.max_prompt_tokens))
        options = ChoiceOptions(
            by=self.by, max_new_tokens=context.max_new_tokens, retries=self.retries, seed=context.seed
        )
        return vote_on_records(context.generator, records, self.votes, options)

    def score_replies(self, context: AugmentContext, cases: Sequence[RewriteCase]) -> list[float | None]:
        """Return the score of each criticised reply as if it were its own rewrite.

        A rewrite must exceed this score. It is None for a reply without feedback, which is not asked about, and for one
        without any usable vote.
        """
        votes = iter(self.judge_texts(context, [(case, case.reply) for case in cases if case.feedback]))
        results = [next(votes) if case.feedback else None for case in cases]
        return [None if result is None else result.score for result in results]

    def build_rewrite_columns(
        self,
        context: AugmentContext,
        case: RewriteCase,
        rewrite: Rewrite,
        *,
        accepted: bool,
        score_before: float | None,
    ) -> dict[str, Any]:
        """Return the columns that all tables of rewrites share."""
        return {
            "score": None if rewrite.vote is None else rewrite.vote.score,
            "score_before": score_before,
            "similarity": measure_similarity(rewrite.text, case.reply),
            **build_outcome(context, self.prompt_version, rewrite.fault or (None if accepted else "not judged better")),
        }

    def max_calls_per_text(self) -> int:
        """Return the most questions that judge one text."""
        return self.votes * (1 if self.by == "scores" else 1 + self.retries)


def is_better(rewrite: Rewrite, score_before: float | None) -> bool:
    """Return whether a rewrite is judged better than the reply."""
    return rewrite.vote is not None and score_before is not None and rewrite.vote.score > score_before


def build_missing_rewrite(case: RewriteCase) -> Rewrite:
    """Return the placeholder for the rewrite of a case whose reply has no score."""
    return UNJUDGED if case.feedback else SILENT


def _add_vote(draft: RewriteDraft, votes: Iterator[VoteResult | None]) -> Rewrite:
    """Return the draft with the next vote; drafts with a fault take none."""
    vote = None if draft.fault else next(votes)
    return Rewrite(draft.text, vote, draft.fault or (NO_VOTE if vote is None else None))
