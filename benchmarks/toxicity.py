"""Precision, recall and speed of toxicity detection, against other packages.

toxicity.tsv holds texts written for this benchmark, with a label and a kind. A text is toxic if it insults, threatens
or demeans somebody, urges self-harm or is sexually explicit. Swearing at no one, quotation, medicine, news, and words
that contain a toxic word are not toxic. Half of the texts written `before` the rules of turnabout were used to improve
the rules; only the texts written `after` them are a fair test of turnabout.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import polars as pl

from benchmarks.peers import build_for_installed
from turnabout.cleaning.toxicity import detect_toxicity
from turnabout.sources.chitchat import Chitchat

TEXTS = Path(__file__).with_name("toxicity.tsv")

Detector = Callable[[pl.Series], list[bool]]


def detect_with_turnabout(texts: pl.Series) -> list[bool]:
    """Return for each text whether this project finds it toxic."""
    return detect_toxicity(texts.to_frame("text").with_columns(language=pl.lit("en"))).to_list()


def build_better_profanity_detector(package: ModuleType) -> Detector:
    """Return better-profanity's detector with its word list."""
    package.profanity.load_censor_words()
    return lambda texts: [package.profanity.contains_profanity(text) for text in texts]


def build_profanex_detector(profanex: ModuleType) -> Detector:
    """Return profanex's detector."""
    word_filter = profanex.Filter()
    return lambda texts: [word_filter.contains(text) for text in texts]


def build_profanity_check_detector(package: ModuleType) -> Detector:
    """Return alt-profanity-check's detector at probability 0.5."""
    return lambda texts: [score > 0.5 for score in package.predict_prob(texts.to_list())]


def build_safetype_detector(safetype: ModuleType) -> Detector:
    """Return safetype's own detector, for every category but swearing."""
    engine = safetype.create_moderation_engine(categories=["hate", "harassment", "sexual"])
    return lambda texts: [any(match.context == "direct" for match in engine.moderate(text).matches) for text in texts]


def main() -> None:
    """Print precision, recall and speed of every package."""
    rows = pl.read_csv(TEXTS, separator="\t", quote_char=None).with_columns(is_toxic=pl.col("label") == "toxic")
    print(f"{rows['is_toxic'].sum()} toxic texts, {(~rows['is_toxic']).sum()} clean ones")
    makers = {
        "safetype": build_safetype_detector,
        "better_profanity": build_better_profanity_detector,
        "profanex": build_profanex_detector,
        "profanity_check": build_profanity_check_detector,
    }
    for name, find in {"turnabout": detect_with_turnabout, **build_for_installed(makers)}.items():
        find(rows["text"].head(1))
        began = time.perf_counter()
        flagged = rows.with_columns(is_flagged=pl.Series(find(rows["text"])))
        print(f"{name}: {rows.height / (time.perf_counter() - began):,.0f} texts/s")
        for (written,), part in flagged.partition_by("written", as_dict=True, maintain_order=True).items():
            n_hits = part.filter("is_flagged", "is_toxic").height
            precision, recall = n_hits / part["is_flagged"].sum(), n_hits / part["is_toxic"].sum()
            print(f"  {written:6} precision {precision:.2f}, recall {recall:.2f}")
        by_kind = flagged.group_by("label", "kind", maintain_order=True).agg(pl.col("is_flagged").sum(), n=pl.len())
        print("  flagged of " + ", ".join(f"{kind} {n_flagged}/{n}" for _, kind, n_flagged, n in by_kind.iter_rows()))
    flag_embedded_log()


def flag_embedded_log() -> None:
    """Print how many messages of the embedded log are flagged, and how fast.

    The log is small talk without moderation.
    """
    log = Chitchat(format="chitchat")
    messages = pl.concat([batch.messages for piece in log.list_pieces() for batch in log.read_batches(piece)])
    began = time.perf_counter()
    n_toxic = detect_toxicity(messages).sum()
    seconds = time.perf_counter() - began
    print(
        f"embedded log: {n_toxic} of {messages.height:,} messages flagged; {messages.height / seconds:,.0f} messages/s"
    )


if __name__ == "__main__":
    main()
