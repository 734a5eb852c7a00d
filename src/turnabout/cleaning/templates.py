"""First messages that many different people share: a template is not the words of the person who sent it.

What is done: from the `people`-th different person on, by order of arrival, the first user message gets the flag
`template`; the conversation stays. So a model of users learns each template as the opener of at most `people` - 1
persons, while miners lose nothing: what the person says next is their own. The alternative, to flag all uses once a
template is known, would change old rows when new logs arrive.

What counts as the same: links, placeholders of personal data, quoted text and whatever holds a digit are slots; then
the first 12 words or the last 12 words are equal, so that a slot for free text may stand anywhere else. Of a message
of 8 to 12 words all must be equal. Shorter ones (`hi, can you help me`) are people's own words, however many say them.

Memory: 16 bytes for each different opening and each of its first `people` persons; about 40 per conversation.
What it misses: fixed words of fewer than 12 at both ends, and one person's template until others use it.
"""

import polars as pl

from turnabout.errors import DataError
from turnabout.text.word_ngrams import HASHED_BY, words

#: What may differ between two uses of one template, in lower-case text.
SLOT = (
    r"https?://\S+"  # a link
    r"|<[a-z_]+\d*>|\[[a-z_]+\d*\]"  # a placeholder: <email_1>, [name]
    r'|"[^"\n]*"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|`[^`\n]*`'  # quoted
    r"|\S*\d\S*"  # a number, date or id
)

#: Words in a row that are no coincidence, and the fewest of a whole message.
RUN, SHORTEST = 12, 8

#: One person's first use of one opening, both hashed.
USES = pl.Schema({"opening": pl.UInt64(), "person": pl.UInt64(), "hashed_by": pl.String()})


class Templates:
    """Who has opened a conversation how, so far; answers do not depend on how conversations are cut into batches."""

    def __init__(self, people: int, known: pl.DataFrame | None = None) -> None:
        """`known` is what `known()` returned earlier. Raises `DataError` where it was hashed in another way."""
        self.people = people
        if known is not None and (came := set(known["hashed_by"].unique()) - {HASHED_BY}):
            raise DataError(f"known openings are hashed by {sorted(came)}, now by '{HASHED_BY}'; read all logs again")
        self._uses = (known if known is not None else pl.DataFrame(schema=USES)).drop("hashed_by")

    def known(self) -> pl.DataFrame:
        """The uses seen so far (`USES`), at most `people` per opening: store them for the next day's logs."""
        return self._uses.with_columns(hashed_by=pl.lit(HASHED_BY))

    def judge(self, messages: pl.DataFrame) -> pl.Series:
        """Whether each message is a templated first message, one Boolean a row (`is_template`).

        `messages` are whole conversations in order of arrival, the messages of each together and in order.
        """
        openers = (
            messages.with_row_index("row")
            .filter(role="user")
            .unique("conversation_id", keep="first", maintain_order=True)
            .with_columns(opening=_openings(pl.col("text")))
            .select("row", "opening", person=pl.col("user_key").fill_null(pl.col("conversation_id")).hash(seed=0))
            .explode("opening")
            .drop_nulls("opening")
        )
        seen = self._uses.join(openers, on="opening", how="semi").select(pl.lit(None, pl.UInt32).alias("row"), pl.all())
        counted = pl.concat([seen, openers.select(seen.columns)]).with_columns(
            is_first=pl.struct("opening", "person").is_first_distinct()
        )
        counted = counted.with_columns(n_people=pl.col("is_first").cast(pl.UInt32).cum_sum().over("opening"))
        new = counted.drop_nulls("row")
        fresh = new.filter("is_first", pl.col("n_people") <= self.people).select(self._uses.columns)
        self._uses = pl.concat([self._uses, fresh])
        flagged = new.filter(pl.col("n_people") >= self.people)["row"].unique().implode()
        return pl.select(is_template=pl.int_range(messages.height, dtype=pl.UInt32).is_in(flagged)).to_series()


def _openings(text: pl.Expr) -> pl.Expr:
    """Hashes of the first and the last `RUN` words outside slots, each once; none where there are too few."""
    fixed = words(text.str.to_lowercase().str.replace_all(SLOT, " "))
    runs = pl.concat_list(fixed.list.head(RUN).list.join(" "), fixed.list.tail(RUN).list.join(" "))
    hashes = runs.list.unique(maintain_order=True).list.eval(pl.element().hash(seed=0))
    return pl.when(fixed.list.len() >= SHORTEST).then(hashes)
