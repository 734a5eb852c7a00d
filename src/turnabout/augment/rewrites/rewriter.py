"""What the augmenters share that write criticised replies anew: draws, and the judge that compares before and after."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from turnabout.augment.base import Augmenter, Writing
from turnabout.augment.complaint_votes import WORDINGS, Value, Voting, judged
from turnabout.augment.rewrites.rewriting import Case, Draft, Drawing, Rewrite, drafts, record, similarity

#: The fault of a text on which no vote could be used.
NO_VOTE = "no usable vote"

#: Stand for a rewrite where nobody has said what the criticised reply lacks, or where no rewrite could be compared.
SILENT = Rewrite("", None, "no feedback in words")
UNJUDGED = Rewrite("", None, f"{NO_VOTE} on the reply")


class Rewriter(Augmenter):
    """Writes replies anew and keeps those that its author, asked by itself, judges better than the criticised ones."""

    prompt_version: ClassVar[str]
    temperature: float = Field(default=0.7, ge=0)
    top_p: float = Field(default=0.9, gt=0, le=1)
    by: Literal["scores", "answers"] = "scores"
    """Votes by the probabilities of Yes and No, which needs a generator that scores; or by answers with a reason."""
    votes: int = Field(default=5, ge=1, le=len(WORDINGS))
    """Votes on a reply, each by another wording of the question."""
    retries: int = Field(default=1, ge=0)
    """How often a vote is asked for again after an answer that cannot be used."""

    def rewritten(self, writing: Writing, asked: Sequence[tuple[Case, str]], seed: int) -> list[Rewrite]:
        """One rewrite per case and what is to be done with it, in order; those without a fault are judged."""
        drawn = drafts(writing, asked, Drawing(self.temperature, self.top_p, seed))
        sound = [(case, draft.text) for (case, _), draft in zip(asked, drawn, strict=True) if draft.fault is None]
        values = iter(self.values(writing, sound))
        return [_valued(draft, values) for draft in drawn]

    def values(self, writing: Writing, texts: Sequence[tuple[Case, str]]) -> list[Value | None]:
        """What the author thinks of each text in place of its case's reply, in order; None where it does not say."""
        records = [
            record(case, {"reply": case.reply, "new_reply": text}, writing.max_prompt_tokens) for case, text in texts
        ]
        how = Voting(self.by, self.votes, writing.max_new_tokens, self.retries, writing.seed)
        return judged(writing.author, records, how) if records else []

    def before(self, writing: Writing, cases: Sequence[Case]) -> list[float | None]:
        """The score of each criticised reply as if it were its own rewrite: what a better one must exceed.

        None where nobody has said what the reply lacks, which is not asked about, and where no vote can be used.
        """
        values = iter(self.values(writing, [(case, case.reply) for case in cases if case.told]))
        found = [next(values) if case.told else None for case in cases]
        return [None if value is None else value.score for value in found]

    def outcome(
        self, writing: Writing, case: Case, rewrite: Rewrite, better: bool, before: float | None
    ) -> dict[str, Any]:
        """The columns that all tables of rewrites share."""
        reason = rewrite.fault or (None if better else "not judged better")
        return {
            "score": None if rewrite.value is None else rewrite.value.score,
            "score_before": before,
            "similarity": similarity(rewrite.text, case.reply),
            "author": writing.author.name,
            "prompt_version": self.prompt_version,
            "kept": reason is None,
            "reason": reason,
        }

    def calls_per_text(self) -> int:
        """Most questions to judge one text."""
        return self.votes * (1 if self.by == "scores" else 1 + self.retries)


def improves(rewrite: Rewrite, before: float | None) -> bool:
    """Whether a rewrite is judged better than the reply."""
    return rewrite.value is not None and before is not None and rewrite.value.score > before


def unwritten(case: Case) -> Rewrite:
    """What stands for the rewrite of a case that has no score before."""
    return UNJUDGED if case.told else SILENT


def _valued(draft: Draft, values: Iterator[Value | None]) -> Rewrite:
    """The draft with the next of the values, which are those of drafts without a fault."""
    value = None if draft.fault else next(values)
    return Rewrite(draft.text, value, draft.fault or (NO_VOTE if value is None else None))
