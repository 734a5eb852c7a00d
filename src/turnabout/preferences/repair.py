"""Repair: a reply that drew dissatisfaction against the later one, to the same request, that satisfied.

The chosen reply was written after more had been said than the pair's prompt holds. It is a fair answer to the prompt
only where the person still wanted the same and the reply does not lean on what was said in between; that is judged by
words alone (see `leaning`), so a reply that uses a later clue in words of its own still passes.
"""

from typing import Literal

import polars as pl
from pydantic import Field

from turnabout.feedback.judged_replies import judged_replies
from turnabout.feedback.signals import WeakCategory
from turnabout.preferences.from_logs import FromLogs, checked
from turnabout.text.content_words import content_words

REPLY = ["conversation_id", "reply_index"]

#: A reply that opens like this answers a reproach, not a request.
REFERS_BACK = (
    r"(?i)^\W*(?:oh\W+)?(?:(?:i'?m |i am |so |very |my )*(?:sorry|apolog|mistake|bad\b)|i apolog|thanks? |thank you|"
    r"you(?:'re| are)(?: absolutely| completely| quite)? (?:right|correct)|as i (?:said|mentioned)|to clarify)"
)

#: A message with fewer content words than this is a reaction, and opens no topic.
WORDS_OF_A_TOPIC = 3


class Repair(FromLogs):
    """One pair per dissatisfying reply that the same conversation made good soon afterwards.

    `r_chosen` and `r_rejected` are the scores of the two judgements, -1 to 1; the weight is the lesser confidence.
    """

    rule: Literal["repair"] = "repair"
    within: int = Field(default=2, gt=0)
    """How many replies later the satisfying one may come."""
    max_borrowed: float = Field(default=0.2, ge=0, le=1)
    """Largest share of the chosen reply's content words that were first said in between."""
    weak: tuple[WeakCategory, ...] = ()
    """Categories of weak dissatisfaction that need repair, too: a `revision` asks for what the prompt does not say."""

    def found(self, messages: pl.DataFrame, splits: pl.DataFrame, feedback: pl.DataFrame) -> pl.DataFrame:
        """The first satisfying reply is taken; where none comes within reach, there is no candidate."""
        judged = judged_replies(messages, splits, feedback, self.weak)
        repaired = _with_next_satisfying(judged, _places(messages), self.within)
        candidates = repaired.join(_between(messages, repaired), on=REPLY, how="left", maintain_order="left")
        return checked(
            self.rule,
            candidates.with_columns(
                leaning(self.max_borrowed).alias("reason"),
                margin=pl.col("r_chosen") - pl.col("r_rejected"),
                evidence="follow_up",
            ),
        )


def leaning(max_borrowed: float) -> pl.Expr:
    """Why a later reply (`chosen`) is no answer to `prompt`, or null.

    `topic changed`: a message in between has three content words or more and none of the request or the first reply;
    `leans on later words`: too many of its content words come from in between and from nowhere before; `refers back`:
    it opens with an apology, thanks or a concession (English).
    """
    before = pl.col("before_words")
    borrowed = pl.col("chosen_words").list.set_intersection("between_words").list.set_difference(before).list.len()
    share = borrowed / pl.max_horizontal(pl.col("chosen_words").list.unique().list.len(), 1)
    return (
        pl.when("topic_changed")
        .then(pl.lit("topic changed"))
        .when(share > max_borrowed)
        .then(pl.lit("leans on later words"))
        .when(pl.col("chosen").str.contains(REFERS_BACK))
        .then(pl.lit("refers back"))
    )


def _places(messages: pl.DataFrame) -> pl.DataFrame:
    """Which reply of its conversation each assistant message is, counted from 0."""
    spoken = messages.filter(role="assistant").select("conversation_id", reply_index="message_index")
    nth = pl.int_range(pl.len()).over("conversation_id", order_by="reply_index")
    return spoken.with_columns(nth=nth)


def _with_next_satisfying(judged: pl.DataFrame, places: pl.DataFrame, within: int) -> pl.DataFrame:
    """Each dissatisfying reply as `rejected` with the first satisfying one up to `within` replies later as `chosen`."""
    placed = judged.join(places, on=REPLY)
    better = placed.filter(label="sat").select(
        "conversation_id",
        later="nth",
        chosen_index="reply_index",
        chosen="reply",
        r_chosen="score",
        chosen_confidence="confidence",
    )
    return (
        placed.filter(label="dsat")
        .rename({"reply": "rejected", "score": "r_rejected"})
        .join(better, on="conversation_id")
        .filter((pl.col("later") - pl.col("nth")).is_between(1, within))
        .with_columns(weight=pl.min_horizontal("confidence", "chosen_confidence"))
        .sort(*REPLY, "later")
        .unique(REPLY, keep="first", maintain_order=True)
    )


def _between(messages: pl.DataFrame, repaired: pl.DataFrame) -> pl.DataFrame:
    """The content words before, between and in the chosen reply of each repair, and whether the topic changed.

    A repair before which the person said nothing has no row.
    """
    contents = pl.col("prompt").list.eval(pl.element().struct.field("content")).list.join(" ")
    known = repaired.select(
        *REPLY,
        "chosen_index",
        before_words=content_words(pl.concat_str(contents, "rejected", separator=" ")),
        chosen_words=content_words("chosen"),
    )
    said = messages.filter(role="user").select("conversation_id", "message_index", words=content_words("text"))
    new = pl.col("words").list.set_intersection("before_words").list.len() == 0
    return (
        known.join(said, on="conversation_id")
        .filter(pl.col("message_index").is_between("reply_index", "chosen_index"))
        .with_columns(opens_topic=new & (pl.col("words").list.len() >= WORDS_OF_A_TOPIC))
        .group_by(REPLY, maintain_order=True)
        .agg(
            pl.col("before_words", "chosen_words").first(),
            between_words=pl.col("words").explode(),
            topic_changed=pl.col("opens_topic").any(),
        )
    )
