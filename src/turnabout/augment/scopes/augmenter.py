"""Scopes: where a rule applies, where it only seems to, and where it does not (C3PO, Stephan et al. 2024)."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import Augmenter, Logs, Writing
from turnabout.augment.complaint_votes import Voting, votes
from turnabout.augment.scopes.sets import Sets, scoped
from turnabout.core import schemas
from turnabout.core.conversations import exchanges, hash_rank, histories
from turnabout.prompting.excerpts import CHARACTERS, newest
from turnabout.prompting.fencing import data
from turnabout.prompting.record import NOTICE
from turnabout.text.sentence_vectors import sentence_vectors

TASK = """\
A rule for an assistant, and a conversation whose last message the assistant is to reply to.
{notice}
{record}
{wording}"""

#: The same question both ways round, so that a model which says yes to everything has said nothing.
APPLIES = "Does the rule ask for something in the reply to that last message?"
LEAVES = "Has the rule nothing to do with the reply to that last message?"


class Scopes(Augmenter):
    """One row per rule and training prompt. The rules are `principles` that were kept, or what users complained of."""

    writes: Literal["scopes"] = "scopes"
    needs: ClassVar[tuple[str, ...]] = ("principles",)
    prompt_version: ClassVar[str] = "scopes-1"
    rules: Literal["kept", "complaints"] = "kept"
    """The principles that were kept, or the rules read out of complaints that were voted on, whatever came of it: what
    one user wants need not decide other people's pairs."""
    max_rules: int = Field(default=5, ge=1)
    max_prompts: int = Field(default=200, ge=1)
    """Training prompts that are looked at for each rule, drawn by hash."""
    per_scope: int = Field(default=50, ge=1)
    """Most prompts kept in each scope of a rule."""
    near_from: float = Field(default=0.4, ge=-1, le=1)
    """A prompt out of scope whose last message is at least this near (cosine) to that of one in scope is near."""
    by: Literal["scores", "answers"] = "answers"
    """Yes or no by a JSON answer, or by the probabilities of the two words, for generators that score."""
    max_new_tokens: int = Field(default=96, gt=0)
    """Longest answer, in tokens."""
    retries: int = Field(default=1, ge=0)
    """How often is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """None: `calls_besides` has them all."""
        return 0

    def calls_besides(self) -> int:
        """Two questions per rule and prompt."""
        return 2 * self.max_rules * self.max_prompts * (1 + self.retries if self.by == "answers" else 1)

    def longest_answer(self, max_new_tokens: int) -> int:
        """Its own limit."""
        return self.max_new_tokens

    def annotate(self, logs: Logs, writing: Writing) -> pl.DataFrame:
        """The scopes, sorted by rule and reply."""
        rules = self._rules(logs.tables["principles"])
        prompts = _prompts(logs, self.max_prompts, writing.seed)
        vectors = sentence_vectors(prompts["previous_user"].to_list())
        sets = Sets(self.per_scope, self.near_from)
        applies = self._applies(rules, prompts, writing)
        found = [
            prompts.select(
                "conversation_id",
                "reply_index",
                rule=pl.lit(rule),
                author=pl.lit(writing.author.name),
                prompt_version=pl.lit(self.prompt_version),
            ).hstack(scoped(of_rule, vectors, sets))
            for rule, of_rule in zip(rules, applies, strict=True)
        ]
        table = pl.concat([schemas.SCOPES.to_frame(), *found], how="diagonal")
        return table.sort("rule", "conversation_id", "reply_index")

    def _rules(self, principles: pl.DataFrame) -> list[str]:
        """The first `max_rules` of the table."""
        of_complaints = (pl.col("source") == "critiques") & pl.col("n_for").is_not_null()
        wanted = pl.col("kept") if self.rules == "kept" else of_complaints
        return principles.filter(wanted)["principle"].to_list()[: self.max_rules]

    def _applies(self, rules: Sequence[str], prompts: pl.DataFrame, writing: Writing) -> list[list[float | None]]:
        """P(the rule applies) per rule and prompt, the mean over both questions; None where one cannot be used."""
        room = CHARACTERS * writing.max_prompt_tokens
        shown = [data("conversation", newest(prompt, room)) for prompt in prompts["prompt"].to_list()]
        records = [f"{conversation}\n{data('rule', rule)}" for rule in rules for conversation in shown]
        how = Voting(self.by, 1, self.max_new_tokens, self.retries, writing.seed)
        asked = [_task(record, wording) for wording in (APPLIES, LEAVES) for record in records]
        cast = votes(writing.author, asked, how) if asked else []
        means = [_mean(yes, no) for yes, no in zip(cast[: len(records)], cast[len(records) :], strict=True)]
        return [means[i * len(shown) : (i + 1) * len(shown)] for i in range(len(rules))]


def _prompts(logs: Logs, most: int, seed: int) -> pl.DataFrame:
    """At most `most` training prompts that a user message ends, with the reply each drew, shuffled by hash."""
    last = pl.col("prompt").list.last()
    train = logs.splits.filter(split="train")
    asked = exchanges(logs.messages).join(train, on="conversation_id", how="semi")
    drawn = asked.drop_nulls("previous_user").sort(hash_rank(seed, "conversation_id", "reply_index")).head(most)
    found = histories(logs.messages, drawn.with_columns(before="reply_index"))
    return found.filter(last.struct.field("role") == "user")


def _task(record: str, wording: str) -> str:
    return TASK.format(notice=NOTICE, record=record, wording=wording)


def _mean(applies: float | None, leaves: float | None) -> float | None:
    return None if applies is None or leaves is None else (applies + 1 - leaves) / 2
