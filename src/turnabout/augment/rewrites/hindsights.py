"""Hindsights: the criticised reply as somebody would have written it who knew what the user said afterwards."""

from typing import Any, ClassVar, Literal

import polars as pl

from turnabout.augment.base import Logs, Writing
from turnabout.augment.candidates import REPLY
from turnabout.augment.rewrites.rewriter import Rewriter, improves, unwritten
from turnabout.augment.rewrites.rewriting import Case, record
from turnabout.core import schemas
from turnabout.feedback.signals import decisions
from turnabout.text.copying import later_turns

#: Most later messages shown to the author, the first ones: what is asked for much later is seldom about this reply.
MOST_LATER = 4

TASK = """\
Knowing what the user said afterwards, write the reply that should have been given in place of that one: it already does
what they turned out to want. It is given before all that was said afterwards: it quotes nothing of it, does not speak
of it, and does not apologise."""


class Hindsights(Rewriter):
    """One rewrite per criticised reply, kept where it is judged better than the reply.

    Shown are the user's reaction and those later messages of theirs that were found to be dissatisfied, of whichever
    kind: these say, or say again, what was wanted. No rewrite may take words over from any later message.
    """

    writes: Literal["hindsights"] = "hindsights"
    prompt_version: ClassVar[str] = "hindsight-1"

    def calls_per_reply(self) -> int:
        """The rewrite, and the votes on it and on the reply itself."""
        return 1 + 2 * self.calls_per_text()

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """One row per criticised reply, in their order."""
        rows = _with_requirements(logs).to_dicts()
        later = later_turns(logs.messages, logs.criticised)
        cases = [_case(row, turns) for row, turns in zip(rows, later, strict=True)]
        before = self.before(writing, cases)
        judged = [case for case, floor in zip(cases, before, strict=True) if floor is not None]
        asked = [(case, _question(case, writing.max_prompt_tokens)) for case in judged]
        drawn = iter(self.rewritten(writing, asked, writing.seed))
        found = [unwritten(case) if floor is None else next(drawn) for case, floor in zip(cases, before, strict=True)]
        written = [
            {
                **{key: row[key] for key in REPLY},
                "hindsight": rewrite.text,
                "n_later": len(row["shown"]),
                **self.outcome(writing, case, rewrite, improves(rewrite, floor), floor),
            }
            for row, case, rewrite, floor in zip(rows, cases, found, before, strict=True)
        ]
        return pl.DataFrame(written, schema=schemas.HINDSIGHTS)


def _with_requirements(logs: Logs) -> pl.DataFrame:
    """The criticised replies with `shown`: the reaction and the user's dissatisfied messages after it, in order."""
    texts = logs.messages.select("conversation_id", "text", evidence_index="message_index")
    said = (
        decisions(logs.feedback)
        .filter(pl.col("label") == "dsat")
        .select("conversation_id", "evidence_index")
        .unique()
        .join(texts, on=["conversation_id", "evidence_index"])
    )
    after = (
        logs.criticised.select(REPLY)
        .join(said, on="conversation_id")
        .filter(pl.col("evidence_index") > pl.col("reply_index"))
        .sort(*REPLY, "evidence_index")
        .group_by(REPLY)
        .agg(after="text")
    )
    found = logs.criticised.join(after, on=REPLY, how="left", maintain_order="left")
    shown = pl.concat_list("follow_up", pl.col("after").fill_null([])).list.unique(maintain_order=True)
    return found.with_columns(shown=shown.list.eval(pl.element().filter(pl.element() != "")).list.head(MOST_LATER))


def _case(row: dict[str, Any], later: list[str]) -> Case:
    return Case(row["prompt"], row["reply"], {"said_afterwards": row["shown"]} if row["shown"] else {}, later)


def _question(case: Case, max_tokens: int) -> str:
    return f"{record(case, {'reply': case.reply}, max_tokens)}\n{TASK}"
