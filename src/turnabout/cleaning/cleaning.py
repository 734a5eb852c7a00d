"""Messages fit to learn from: scrubbed, nothing empty, nothing twice, nobody too often."""

from typing import NamedTuple

import polars as pl

from turnabout import schemas
from turnabout.params import Clean
from turnabout.scrubbing import scrub


class Cleaned(NamedTuple):
    """What stays, what went with the reason (`kind` or `kind: detail`), and how many values were scrubbed, by kind."""

    messages: pl.DataFrame
    quarantine: pl.DataFrame
    n_scrubbed: dict[str, int]


def clean(messages: pl.DataFrame, settings: Clean) -> Cleaned:
    """Messages scrubbed, then filtered in this order; `message_index` counts from 0 again.

    1. Empty messages go, one by one: nothing was said, and the talk round them may still be whole.
    2. Conversations go that are shorter than `min_messages`, or in which no user or no assistant speaks.
    3. Of conversations with the same roles and texts the earliest stays.
    4. Of each person (in any role) the earliest `max_conversations_per_person` stay, of those left by step 3; earliest
       first, so that a log that grows at its end never takes away what was kept before.
    """
    scrubbed = scrub(messages.sort("conversation_id", "message_index"), settings.scrub)
    is_said = pl.col("text").str.strip_chars() != ""
    said = scrubbed.messages.filter(is_said)
    rejected = [_empty(scrubbed.messages.filter(~is_said))]
    left = _conversations(said)
    for reason in (_too_thin, _said_before, _one_of_too_many):
        judged = reason(left, settings)
        rejected.append(judged.drop_nulls("reason").select(list(schemas.QUARANTINE)))
        left = judged.filter(pl.col("reason").is_null()).drop("reason")
    kept = said.join(left, left_on="conversation_id", right_on="record", how="semi", maintain_order="left")
    index = pl.int_range(pl.len(), dtype=pl.Int32).over("conversation_id")
    return Cleaned(
        kept.with_columns(message_index=index),
        pl.concat(rejected).sort("record", "reason"),
        scrubbed.n_by_kind,
    )


def _empty(messages: pl.DataFrame) -> pl.DataFrame:
    """The quarantine row of each message without text."""
    record = pl.format("{}:{}", "conversation_id", "message_index")
    return messages.select("source", record=record, reason=pl.lit("empty message"), excerpt="text")


def _conversations(messages: pl.DataFrame) -> pl.DataFrame:
    """One conversation: where it came from, when it began, who speaks, what is said; earliest first."""
    return (
        messages.group_by(record="conversation_id")
        .agg(
            pl.col("source").first(),
            excerpt=pl.col("text").first().str.head(200),
            at=pl.col("at").min(),
            roles=pl.col("role"),
            people=pl.col("user_key").drop_nulls().unique(maintain_order=True),
            said=pl.struct("role", "text"),
        )
        .sort("at", "record", nulls_last=True)
    )


def _too_thin(conversations: pl.DataFrame, settings: Clean) -> pl.DataFrame:
    """`reason` where there is too little to learn from, else null."""
    roles = pl.col("roles").list
    reason = (
        pl.when(roles.len() < settings.min_messages)
        .then(pl.lit(f"fewer than {settings.min_messages} messages"))
        .when(~roles.contains("user"))
        .then(pl.lit("no user message"))
        .when(~roles.contains("assistant"))
        .then(pl.lit("no assistant message"))
    )
    return conversations.with_columns(reason=reason)


def _said_before(conversations: pl.DataFrame, settings: Clean) -> pl.DataFrame:
    """`reason` where an earlier conversation has the same roles and texts; it names that one."""
    first = pl.col("record").first().over("said")
    reason = pl.when(pl.col("record") != first).then(pl.format("same messages as another conversation: {}", first))
    return conversations.with_columns(reason=reason)


def _one_of_too_many(conversations: pl.DataFrame, settings: Clean) -> pl.DataFrame:
    """`reason` where a person in it has enough earlier conversations; it names the person."""
    most = settings.max_conversations_per_person
    if most is None:
        return conversations.with_columns(reason=pl.lit(None, pl.String))
    crowded = (
        conversations.select("record", person="people")
        .explode("person")
        .drop_nulls("person")
        .filter(pl.int_range(pl.len()).over("person") >= most)
        .group_by("record")
        .agg(reason=pl.format("person has {} earlier conversations: {}", pl.lit(most), pl.col("person").min()))
    )
    return conversations.join(crowded, on="record", how="left", maintain_order="left")
