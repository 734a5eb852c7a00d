"""What the augmenters share that write criticised replies anew: draws, and the judge that compares before and after."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from turnabout.augment.base import Augmenter, Writing
from turnabout.augment.rewriting import Case, Drawing, Rewrite, drafts, record, similarity
from turnabout.augment.verdicts import WORDINGS, Value, Voting, judged


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
        return [Rewrite(draft.text, None if draft.fault else next(values), draft.fault) for draft in drawn]

    def values(self, writing: Writing, texts: Sequence[tuple[Case, str]]) -> list[Value]:
        """What the author thinks of each text in place of its case's reply, in order."""
        records = [
            record(case, {"reply": case.reply, "new_reply": text}, writing.max_prompt_tokens) for case, text in texts
        ]
        how = Voting(self.by, self.votes, writing.max_new_tokens, self.retries, writing.seed)
        return judged(writing.author, records, how) if records else []

    def before(self, writing: Writing, cases: Sequence[Case]) -> list[float]:
        """The score of each criticised reply as if it were its own rewrite: what a better one must exceed."""
        return [value.score for value in self.values(writing, [(case, case.reply) for case in cases])]

    def outcome(self, writing: Writing, case: Case, rewrite: Rewrite, better: bool, before: float) -> dict[str, Any]:
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
