"""Detection of templates: first messages that many different people share.

A template is not in the words of the person who sent it. From the `min_people`-th different person on, in order of
arrival, the first user message gets the flag `template`; the conversation stays. A user model thus learns each template
as the opener of at most `min_people` - 1 people, and miners lose nothing, because the next messages of a person are
their own. The alternative, to flag all uses once a template is known, would change old rows when new logs arrive.

Links, placeholders of personal data, quoted text and anything with a digit are slots. Outside the slots, the first 12
or the last 12 words must be equal, so that a slot for free text may stand anywhere else. Messages of 8 to 12 words must
be equal as a whole. Shorter messages (`hi, can you help me`) are people's own words, however many people write them.

Memory: 16 bytes for each different opening and each of its first `min_people` people; about 40 per conversation.
Templates with fewer than 12 fixed words at both ends are missed, and a template of one person until others use it.
"""

import polars as pl

from turnabout.errors import DataError
from turnabout.text.word_ngrams import HASHED_BY, extract_words

#: Text that may differ between two uses of one template; it matches in lower-case text.
SLOT = (
    r"https?://\S+"  # a link
    r"|<[a-z_]+\d*>|\[[a-z_]+\d*\]"  # a placeholder: <email_1>, [name]
    r'|"[^"\n]*"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|`[^`\n]*`'  # quoted
    r"|\S*\d\S*"  # a number, date or id
)

#: Number of equal words in a row that make a template, and the fewest words of a whole message.
RUN_WORDS, MIN_WORDS = 12, 8

#: One person's first use of one opening, both hashed.
TEMPLATE_USES = pl.Schema({"opening": pl.UInt64(), "person": pl.UInt64(), "hashed_by": pl.String()})


class TemplateIndex:
    """The openings of conversations so far, and the people who used them.

    Results do not depend on how the conversations are cut into batches.
    """

    def __init__(self, min_people: int, known: pl.DataFrame | None = None) -> None:
        """Start with the uses that `export_known` returned earlier, or with none.

        Raises `DataError` if the known uses were hashed by another method.
        """
        self.min_people = min_people
        if known is not None and (methods := set(known["hashed_by"].unique()) - {HASHED_BY}):
            raise DataError(
                f"known openings are hashed by {sorted(methods)}, now by '{HASHED_BY}'; read all logs again"
            )
        self._uses = (known if known is not None else pl.DataFrame(schema=TEMPLATE_USES)).drop("hashed_by")

    def export_known(self) -> pl.DataFrame:
        """Return the uses seen so far (`TEMPLATE_USES`), to store for later batches.

        An opening has at most `min_people` uses.
        """
        return self._uses.with_columns(hashed_by=pl.lit(HASHED_BY))

    def flag_templates(self, messages: pl.DataFrame) -> pl.Series:
        """Return whether each message is a template (`is_template`).

        The result has one Boolean a row. Only the first user message of a conversation can be a template. `messages`
        are whole conversations in order of arrival, the messages of each together and in order.
        """
        openers = (
            messages.with_row_index("row")
            .filter(role="user")
            .unique("conversation_id", keep="first", maintain_order=True)
            .with_columns(opening=_hash_openings(pl.col("text")))
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
        fresh = new.filter("is_first", pl.col("n_people") <= self.min_people).select(self._uses.columns)
        self._uses = pl.concat([self._uses, fresh])
        flagged = new.filter(pl.col("n_people") >= self.min_people)["row"].unique().implode()
        return pl.select(is_template=pl.int_range(messages.height, dtype=pl.UInt32).is_in(flagged)).to_series()


def _hash_openings(text: pl.Expr) -> pl.Expr:
    """Build an expression: hashes of the first and the last words outside slots.

    Of equal hashes one is kept. The list is null for messages of fewer than `MIN_WORDS` words.
    """
    fixed = extract_words(text.str.to_lowercase().str.replace_all(SLOT, " "))
    runs = pl.concat_list(fixed.list.head(RUN_WORDS).list.join(" "), fixed.list.tail(RUN_WORDS).list.join(" "))
    hashes = runs.list.unique(maintain_order=True).list.eval(pl.element().hash(seed=0))
    return pl.when(fixed.list.len() >= MIN_WORDS).then(hashes)
