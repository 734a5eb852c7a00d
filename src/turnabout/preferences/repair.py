"""Repair: a dissatisfying reply against the later one that satisfied.

The chosen reply was written after more messages than the pair's prompt has. It is a fair answer to the prompt only if
the person still wanted the same and the reply does not depend on the messages in between. That is decided by words
alone (see `find_repair_fault`), so a reply that uses a later hint in words of its own still passes.
"""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.core.conversations import REPLY_KEY
from turnabout.feedback.judged_replies import select_judged_replies
from turnabout.feedback.signals import WeakCategory
from turnabout.preferences.from_logs import LogRule, complete_pairs
from turnabout.text.content_words import extract_content_words

#: Openings of a reply that answers a complaint, not a request.
REFERS_BACK = (
    r"(?i)^\W*(?:oh\W+)?(?:(?:i'?m |i am |so |very |my )*(?:sorry|apolog|mistake|bad\b)|i apolog|thanks? |thank you|"
    r"you(?:'re| are)(?: absolutely| completely| quite)? (?:right|correct)|as i (?:said|mentioned)|to clarify)"
)

#: Minimum number of content words of a message that opens a topic; a shorter one is a reaction.
MIN_TOPIC_WORDS = 3


class Repair(LogRule):
    """One pair per dissatisfying reply that was soon repaired.

    The repair is a satisfying reply of the same conversation. `r_chosen` and `r_rejected` are the scores of the two
    decisions, -1 to 1; the weight is the lower confidence.
    """

    rule: Literal["repair"] = "repair"
    within: int = Field(default=2, gt=0)
    """Maximum number of replies from the dissatisfying to the satisfying one."""
    max_borrowed: float = Field(default=0.2, ge=0, le=1)
    """Maximum share of the chosen reply's content words that were first said in between."""
    weak: tuple[WeakCategory, ...] = ()
    """Categories of weak dissatisfaction that need repair, too: a `revision` asks for what the prompt does not say."""

    def find_pairs(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """Return one candidate per reply whose repair is near enough.

        The first satisfying reply is taken.
        """
        judged = select_judged_replies(messages, splits, feedback, self.weak)
        repaired = _join_next_satisfying(judged, _number_replies(messages), self.within)
        compared = repaired.join(_compare_words(messages, repaired), on=REPLY_KEY, how="left", maintain_order="left")
        candidates = compared.with_columns(
            find_repair_fault(self.max_borrowed).alias("reason"),
            margin=pl.col("r_chosen") - pl.col("r_rejected"),
            evidence="follow_up",
        )
        return complete_pairs(self.rule, candidates)


def find_repair_fault(max_borrowed: float) -> pl.Expr:
    """Return why a later reply (`chosen`) is no answer to `prompt`, or null.

    `topic changed`: a message in between has three content words or more and none of the request or the first reply.
    `leans on later words`: too many of its content words come from in between and are not in any earlier message.
    `refers back`: it opens with an apology, thanks or a concession (English).
    """
    borrowed = pl.col("chosen_words").list.set_intersection("between_words").list.set_difference("before_words")
    n_words = pl.col("chosen_words").list.unique().list.len()
    share = borrowed.list.len() / pl.max_horizontal(n_words, 1)
    return (
        pl.when("topic_changed")
        .then(pl.lit("topic changed"))
        .when(share > max_borrowed)
        .then(pl.lit("leans on later words"))
        .when(pl.col("chosen").str.contains(REFERS_BACK))
        .then(pl.lit("refers back"))
    )


def _number_replies(messages: pl.DataFrame) -> pl.DataFrame:
    """Number the assistant messages of each conversation, from 0, as `nth`."""
    replies = messages.filter(role="assistant").select("conversation_id", reply_index="message_index")
    nth = pl.int_range(pl.len()).over("conversation_id", order_by="reply_index")
    return replies.with_columns(nth=nth)


def _join_next_satisfying(judged: pl.DataFrame, numbers: pl.DataFrame, within: int) -> pl.DataFrame:
    """Join each dissatisfying reply with the next satisfying one.

    It is the first one that comes at most `within` replies later.
    """
    numbered = judged.join(numbers, on=REPLY_KEY)
    satisfying = numbered.filter(label="sat").select(
        "conversation_id",
        later="nth",
        chosen_index="reply_index",
        chosen="reply",
        r_chosen="score",
        chosen_confidence="confidence",
    )
    return (
        numbered.filter(label="dsat")
        .rename({"reply": "rejected", "score": "r_rejected"})
        .join(satisfying, on="conversation_id")
        .filter((pl.col("later") - pl.col("nth")).is_between(1, within))
        .with_columns(weight=pl.min_horizontal("confidence", "chosen_confidence"))
        .sort(*REPLY_KEY, "later")
        .unique(REPLY_KEY, keep="first", maintain_order=True)
    )


def _compare_words(messages: pl.DataFrame, repaired: pl.DataFrame) -> pl.DataFrame:
    """Return the content words before, between and in each chosen reply.

    `topic_changed` says whether a message in between opened another topic. A repair without a user message in between
    has no row.
    """
    history = pl.col("prompt").list.eval(pl.element().struct.field("content")).list.join(" ")
    known = repaired.select(
        *REPLY_KEY,
        "chosen_index",
        before_words=extract_content_words(pl.concat_str(history, "rejected", separator=" ")),
        chosen_words=extract_content_words("chosen"),
    )
    user_messages = messages.filter(role="user").select(
        "conversation_id", "message_index", words=extract_content_words("text")
    )
    is_new = pl.col("words").list.set_intersection("before_words").list.len() == 0
    return (
        known.join(user_messages, on="conversation_id")
        .filter(pl.col("message_index").is_between("reply_index", "chosen_index"))
        .with_columns(opens_topic=is_new & (pl.col("words").list.len() >= MIN_TOPIC_WORDS))
        .group_by(REPLY_KEY, maintain_order=True)
        .agg(
            pl.col("before_words", "chosen_words").first(),
            between_words=pl.col("words").explode(),
            topic_changed=pl.col("opens_topic").any(),
        )
    )
