"""Scopes: where a rule applies, where it seems to, and where it does not.

The method is that of C3PO (Stephan et al. 2024).
"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from turnabout.augment.base import AugmentContext, Augmenter, AugmentInputs
from turnabout.augment.complaint_votes import ask_yes_or_no
from turnabout.augment.scopes.sets import ScopeLimits, assign_scopes
from turnabout.core import schemas
from turnabout.core.conversations import add_histories, build_exchanges, rank_by_hash
from turnabout.judging.choice import ChoiceOptions, in_both_orders
from turnabout.prompting.excerpts import CHARS_PER_TOKEN, keep_newest
from turnabout.prompting.fencing import fence
from turnabout.prompting.record import NOTICE
from turnabout.text.sentence_vectors import encode_sentences

TASK = """\
Here are a rule for an assistant and a conversation. The assistant must reply to the last message of the conversation.
{notice}
{record}
{wording}"""

#: The same question asked both ways, so that a model that says yes to everything decides nothing.
APPLIES = "Does the rule require something of the reply to the last message?"
IS_UNRELATED = "Is the rule irrelevant to the reply to the last message?"


class Scopes(Augmenter):
    """One row per rule and training prompt.

    The rules are the kept `principles`, or what users complained of.
    """

    writes: Literal["scopes"] = "scopes"
    table_schema: ClassVar[pl.Schema] = schemas.SCOPES
    needs: ClassVar[tuple[str, ...]] = ("principles",)
    prompt_version: ClassVar[str] = "scopes-2"
    rules: Literal["kept", "complaints"] = "kept"
    """The kept principles, or the rules read from complaints that were voted on, whatever the votes.

    What one user wants need not decide other people's pairs.
    """
    max_rules: int = Field(default=5, ge=1)
    max_prompts: int = Field(default=200, ge=1)
    """Training prompts that are examined for each rule, drawn by hash."""
    per_scope: int = Field(default=50, ge=1)
    """Most prompts kept in each scope of a rule."""
    near_from: float = Field(default=0.4, ge=-1, le=1)
    """Least cosine between the last messages of a prompt out of scope and one in scope at which the former is near."""
    by: Literal["scores", "answers"] = "answers"
    """Yes or no by a JSON answer, or by the probabilities of the two words, for generators that score."""
    max_new_tokens: int = Field(default=96, gt=0)
    """Longest answer, in tokens."""
    retries: int = Field(default=1, ge=0)
    """How often a question is asked again after an answer that cannot be used."""

    def calls_per_reply(self) -> int:
        """Return 0, since all calls are in `max_fixed_calls`."""
        return 0

    def max_fixed_calls(self) -> int:
        """Return the calls of two questions per rule and prompt."""
        return 2 * self.max_rules * self.max_prompts * (1 + self.retries if self.by == "answers" else 1)

    def max_answer_tokens(self, max_new_tokens: int) -> int:
        """Return its own limit."""
        return self.max_new_tokens

    def annotate(self, inputs: AugmentInputs, context: AugmentContext) -> pl.DataFrame:
        """Return the scopes, sorted by rule and reply."""
        rules = self._select_rules(inputs.tables["principles"])
        prompts = _draw_prompts(inputs, self.max_prompts, context.seed)
        vectors = encode_sentences(prompts["previous_user"].to_list())
        limits = ScopeLimits(max_per_scope=self.per_scope, near_from=self.near_from)
        probabilities = self._ask_whether_rules_apply(rules, prompts, context)
        tables = [schemas.SCOPES.to_frame()]
        for rule, applies in zip(rules, probabilities, strict=True):
            keys = prompts.select(
                "conversation_id",
                "reply_index",
                rule=pl.lit(rule),
                model=pl.lit(context.generator.name),
                prompt_version=pl.lit(self.prompt_version),
            )
            tables.append(keys.hstack(assign_scopes(applies, vectors, limits)))
        return pl.concat(tables, how="diagonal").sort("rule", "conversation_id", "reply_index")

    def _select_rules(self, principles: pl.DataFrame) -> list[str]:
        """Return the first `max_rules` of the table."""
        from_complaints = (pl.col("source") == "critiques") & pl.col("n_for").is_not_null()
        selected = pl.col("kept") if self.rules == "kept" else from_complaints
        return principles.filter(selected)["principle"].to_list()[: self.max_rules]

    def _ask_whether_rules_apply(
        self, rules: Sequence[str], prompts: pl.DataFrame, context: AugmentContext
    ) -> list[list[float | None]]:
        """Return P(the rule applies) per rule and prompt.

        It is the mean over both questions.

        None stands for a prompt with an answer that cannot be used.
        """
        max_chars = CHARS_PER_TOKEN * context.max_prompt_tokens
        conversations = [
            fence("conversation", keep_newest(prompt, max_chars)) for prompt in prompts["prompt"].to_list()
        ]
        records = []
        for rule in rules:
            records += [f"{conversation}\n{fence('rule', rule)}" for conversation in conversations]
        options = ChoiceOptions(by=self.by, max_new_tokens=self.max_new_tokens, retries=self.retries, seed=context.seed)
        answers = in_both_orders(
            [_build_question(record, APPLIES) for record in records],
            [_build_question(record, IS_UNRELATED) for record in records],
            partial(ask_yes_or_no, context.generator, options=options),
        )
        means = [_average(applies, is_unrelated) for applies, is_unrelated in answers]
        n_prompts = len(conversations)
        return [means[i * n_prompts : (i + 1) * n_prompts] for i in range(len(rules))]


def _draw_prompts(inputs: AugmentInputs, max_prompts: int, seed: int) -> pl.DataFrame:
    """Return at most `max_prompts` training prompts with their replies.

    Each prompt ends with a user message. They are drawn and ordered by hash.
    """
    last = pl.col("prompt").list.last()
    train = inputs.splits.filter(split="train")
    exchanges = build_exchanges(inputs.messages).join(train, on="conversation_id", how="semi")
    drawn = (
        exchanges.drop_nulls("previous_user")
        .sort(rank_by_hash(seed, "conversation_id", "reply_index"))
        .head(max_prompts)
    )
    prompts = add_histories(inputs.messages, drawn.with_columns(before="reply_index"))
    return prompts.filter(last.struct.field("role") == "user")


def _build_question(record: str, wording: str) -> str:
    return TASK.format(notice=NOTICE, record=record, wording=wording)


def _average(applies: float | None, is_unrelated: float | None) -> float | None:
    """Return the mean P(applies) of both questions.

    It is None where either answer is missing.
    """
    return None if applies is None or is_unrelated is None else (applies + 1 - is_unrelated) / 2
