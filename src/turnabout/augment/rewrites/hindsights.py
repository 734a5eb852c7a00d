"""Hindsights: the criticised reply, written with knowledge of the future."""

from typing import Any, ClassVar, Literal

import polars as pl

from turnabout.augment.base import AugmentContext, AugmentInputs
from turnabout.augment.rewrites.rewriter import Rewriter, build_missing_rewrite, is_better
from turnabout.augment.rewrites.rewriting import Rewrite, RewriteCase, RewriteRequest, build_case_record
from turnabout.core import schemas
from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.signals import select_decisions
from turnabout.text.copying import collect_later_turns

#: Most later messages that are shown, the first ones: much later requests are seldom about this reply.
MAX_LATER = 4

TASK = """\
The later messages show what the user wanted. Write the reply that the assistant should have given instead, so that it
already satisfies the user. Your reply takes the place of that reply, before the later messages. Do not quote or mention
the later messages, and do not apologise."""


class Hindsights(Rewriter):
    """One rewrite per criticised reply, kept where it is judged better.

    The model sees the user's reaction and the user's later messages with any kind of dissatisfaction, which say, or say
    again, what was wanted. No rewrite may copy any later message.
    """

    writes: Literal["hindsights"] = "hindsights"
    table_schema: ClassVar[pl.Schema] = schemas.HINDSIGHTS
    prompt_version: ClassVar[str] = "hindsight-2"

    def calls_per_reply(self) -> int:
        """Return the calls for the rewrite and the votes on it and the reply."""
        return 1 + 2 * self.max_calls_per_text()

    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return one row per criticised reply, in order."""
        rows = _add_requirements(inputs).to_dicts()
        later = collect_later_turns(inputs.messages, inputs.criticised)
        cases = [_build_case(row, turns) for row, turns in zip(rows, later, strict=True)]
        scores_before = self.score_replies(context, cases)
        rewrites = self._write_judged(context, cases, scores_before)
        annotated = []
        for row, case, rewrite, score_before in zip(rows, cases, rewrites, scores_before, strict=True):
            accepted = is_better(rewrite, score_before)
            annotated.append(
                {
                    **{key: row[key] for key in REPLY_KEY},
                    "hindsight": rewrite.text,
                    "n_later": len(row["shown"]),
                    **self.build_rewrite_columns(context, case, rewrite, accepted=accepted, score_before=score_before),
                }
            )
        return pl.DataFrame(annotated, schema=schemas.HINDSIGHTS)

    def _write_judged(
        self, context: AugmentContext, cases: list[RewriteCase], scores_before: list[float | None]
    ) -> list[Rewrite]:
        """Return a rewrite per case.

        Cases whose reply has no score get a placeholder.
        """
        requests = []
        for case, score_before in zip(cases, scores_before, strict=True):
            if score_before is not None:
                requests.append(RewriteRequest(case, _build_question(case, context.max_prompt_tokens)))
        rewrites = iter(self.write_rewrites(context, requests, context.seed))
        return [
            build_missing_rewrite(case) if score_before is None else next(rewrites)
            for case, score_before in zip(cases, scores_before, strict=True)
        ]


def _add_requirements(inputs: AugmentInputs) -> pl.DataFrame:
    """Return the criticised replies with `shown`, the messages for the model.

    They are the reaction and the user's dissatisfied messages after it, in order.
    """
    texts = inputs.messages.select("conversation_id", "text", evidence_index="message_index")
    dissatisfied = (
        select_decisions(inputs.feedback)
        .filter(pl.col("label") == "dsat")
        .select("conversation_id", "evidence_index")
        .unique()
        .join(texts, on=["conversation_id", "evidence_index"])
    )
    after = (
        inputs.criticised.select(REPLY_KEY)
        .join(dissatisfied, on="conversation_id")
        .filter(pl.col("evidence_index") > pl.col("reply_index"))
        .sort(*REPLY_KEY, "evidence_index")
        .group_by(REPLY_KEY)
        .agg(after="text")
    )
    replies = inputs.criticised.join(after, on=REPLY_KEY, how="left", maintain_order="left")
    shown = pl.concat_list("follow_up", pl.col("after").fill_null([])).list.unique(maintain_order=True)
    return replies.with_columns(shown=shown.list.eval(pl.element().filter(pl.element() != "")).list.head(MAX_LATER))


def _build_case(row: dict[str, Any], later: list[str]) -> RewriteCase:
    feedback: dict[str, str | list[str]] = {"later_messages": row["shown"]} if row["shown"] else {}
    return RewriteCase(prompt=row["prompt"], reply=row["reply"], feedback=feedback, later=later)


def _build_question(case: RewriteCase, max_tokens: int) -> str:
    return f"{build_case_record(case, {'reply': case.reply}, max_tokens)}\n{TASK}"
