"""Toxic messages: precision and recall on texts written for it, and speed, against what other packages ship.

toxicity.tsv holds texts with a label and a kind. Toxic is what insults, threatens or demeans somebody, urges self-harm
or is sexually explicit; swearing at nobody, quotation, medicine, news and words that hold another are not. Half of the
texts written `before` the rules of turnabout served to mend them: those written `after` are the fair ones for it.
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
    return detect_toxicity(texts.to_frame("text").with_columns(language=pl.lit("en"))).to_list()


def build_better_profanity_detector(package: ModuleType) -> Detector:
    package.profanity.load_censor_words()
    return lambda texts: [package.profanity.contains_profanity(text) for text in texts]


def build_profanex_detector(profanex: ModuleType) -> Detector:
    words = profanex.Filter()
    return lambda texts: [words.contains(text) for text in texts]


def build_profanity_check_detector(package: ModuleType) -> Detector:
    return lambda texts: [score > 0.5 for score in package.predict_prob(texts.to_list())]


def build_safetype_detector(safetype: ModuleType) -> Detector:
    """safetype as it comes, every category but swearing."""
    engine = safetype.create_moderation_engine(categories=["hate", "harassment", "sexual"])
    return lambda texts: [any(match.context == "direct" for match in engine.moderate(text).matches) for text in texts]


def main() -> None:
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
        judged = rows.with_columns(found=pl.Series(find(rows["text"])))
        print(f"{name}: {rows.height / (time.perf_counter() - began):,.0f} texts/s")
        for (written,), part in judged.partition_by("written", as_dict=True, maintain_order=True).items():
            both = part.filter("found", "is_toxic").height
            print(
                f"  {written:6} precision {both / part['found'].sum():.2f}, recall {both / part['is_toxic'].sum():.2f}"
            )
        by_kind = judged.group_by("label", "kind", maintain_order=True).agg(pl.col("found").sum(), n=pl.len())
        print("  found of " + ", ".join(f"{kind} {found}/{n}" for _, kind, found, n in by_kind.iter_rows()))
    flag_embedded_log()


def flag_embedded_log() -> None:
    """How many messages of the embedded log, small talk without moderation, are flagged, and how fast."""
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
