"""Precision, recall and speed of the scrubber, beside peers.

Precision and recall are measured on a labelled set. `python -m benchmarks.scrubbing [--peers PYTHON]`: PYTHON is the
interpreter of an environment with the peers (`python -m venv peers && peers/bin/pip install datafog presidio-analyzer
scrubadub phonenumbers`). A finding is correct when span and kind are (in parentheses: when it overlaps a span of that
kind). Intervals are Wilson's, 95 %.
"""

import argparse
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
from scipy.stats import binomtest

from benchmarks.pii_peers import PEERS
from turnabout.core.schemas import MESSAGES
from turnabout.scrubbing import scrub_messages
from turnabout.scrubbing.findings import find_personal_data
from turnabout.scrubbing.kinds import KINDS
from turnabout.sources.chitchat import Chitchat

LABELLED = Path(__file__).with_name("pii.jsonl")
MARK = re.compile(r"\[\[([a-z_]+):(.*?)\]\]", re.S)
#: Kind of names without a cue: they are labelled, and expected to be missed.
UNCUED = "bare_name"
TRAP = "no"
N_MESSAGES = 200_000
N_PEER_MESSAGES = 2_000

Spans = list[tuple[int, int, str]]


class Example(NamedTuple):
    """One labelled message: `traps` are spans that only look like personal data."""

    half: str
    text: str
    spans: Spans
    traps: Spans


def load_examples() -> list[Example]:
    """Return the labelled set.

    In its texts, `[[kind:value]]` marks a span and `[[no:value]]` a trap. Raises ValueError for an unknown kind.
    """
    return [parse_example(**json.loads(line)) for line in LABELLED.read_text(encoding="utf-8").splitlines()]


def parse_example(half: str, text: str) -> Example:
    """Return one line of the set with character spans instead of marks."""
    plain, end, spans = "", 0, []
    for mark in MARK.finditer(text):
        plain += text[end : mark.start()]
        spans.append((len(plain), len(plain) + len(mark[2]), mark[1]))
        plain, end = plain + mark[2], mark.end()
    if unknown := {kind for *_, kind in spans} - {*KINDS, UNCUED, TRAP}:
        raise ValueError(f"{text!r}: unknown kinds {unknown}; allowed are {sorted({*KINDS, UNCUED, TRAP})}")
    labelled = [span for span in spans if span[2] != TRAP]
    return Example(half, plain + text[end:], labelled, [span for span in spans if span[2] == TRAP])


class Score:
    """Findings against labels, counted by kind."""

    def __init__(self, examples: list[Example], findings: list[Spans]) -> None:
        self.n_labels: Counter[str] = Counter()
        self.n_recalled: Counter[str] = Counter()
        self.n_overlapped: Counter[str] = Counter()
        self.n_findings: Counter[str] = Counter()
        self.n_correct: Counter[str] = Counter()
        self.n_overlapping: Counter[str] = Counter()
        self.n_traps = sum(len(example.traps) for example in examples)
        self.n_replaced_traps = 0
        for example, spans in zip(examples, findings, strict=True):
            self._count(example, spans)

    def _count(self, example: Example, spans: Spans) -> None:
        for label in example.spans:
            self.n_labels[label[2]] += 1
            self.n_recalled[label[2]] += label in spans
            self.n_overlapped[label[2]] += has_overlap(label, spans)
        for span in spans:
            self.n_findings[span[2]] += 1
            self.n_correct[span[2]] += span in example.spans
            self.n_overlapping[span[2]] += has_overlap(span, example.spans)
            for start, end, _ in example.traps:
                self.n_replaced_traps += has_overlap((start, end, span[2]), [span])

    def format_rows(self) -> Iterable[str]:
        """Yield a Markdown row per labelled kind, and one for all kinds.

        The row for all kinds leaves out names without a cue.
        """
        for kind in [*KINDS, UNCUED]:
            yield self.format_row(kind, [kind])
        yield self.format_row("**all but bare_name**", list(KINDS))

    def format_row(self, name: str, kinds: list[str]) -> str:
        """Return a Markdown row with precision and recall over these kinds."""

        def add_up(counter: Counter[str]) -> int:
            return sum(counter[kind] for kind in kinds)

        n_labels, n_findings = add_up(self.n_labels), add_up(self.n_findings)
        precision = format_share(add_up(self.n_correct), n_findings, add_up(self.n_overlapping))
        recall = format_share(add_up(self.n_recalled), n_labels, add_up(self.n_overlapped))
        return f"| {name} | {n_labels} | {precision} | {recall} |"


def has_overlap(span: tuple[int, int, str], spans: Spans) -> bool:
    """Return whether the span overlaps one of `spans` of its kind."""
    return any(span[0] < end and start < span[1] and span[2] == kind for start, end, kind in spans)


def format_share(k: int, n: int, k_lenient: int) -> str:
    """Return a share with its interval and the lenient share.

    For example `0.95 [0.90, 0.98] (0.97)`.
    """
    if not n:
        return "–"
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return f"{k / n:.2f} [{interval.low:.2f}, {interval.high:.2f}] ({k_lenient / n:.2f})"


def run_peer(python: str, peer: str, texts: list[str]) -> tuple[list[Spans], float] | None:
    """Return the peer's findings and its seconds.

    Where the peer does not run, print the reason and return None.
    """
    script = str(Path(__file__).with_name("pii_peers.py"))
    done = subprocess.run([python, script, peer], input=json.dumps(texts), capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{peer}: skipped, {done.stderr.strip().splitlines()[-1]}")
        return None
    answer = json.loads(done.stdout)
    findings = [convert_spans(spans) for spans in answer["spans"]]
    return findings, answer["seconds"]


def convert_spans(findings: Iterable[Sequence[Any]]) -> Spans:
    """Return findings (start, end, kind) as tuples, as labels are."""
    return [(start, end, kind) for start, end, kind in findings]


def load_chat_messages() -> pl.DataFrame:
    """Return `N_MESSAGES` messages of the embedded log, repeated, texts only."""
    source = Chitchat(format="chitchat")
    log = pl.concat(batch.messages for piece in source.list_pieces() for batch in source.read_batches(piece))
    log = log.with_columns(extras=pl.lit("{}"))
    return pl.concat([log] * -(-N_MESSAGES // log.height)).head(N_MESSAGES).select(list(MESSAGES))


def main() -> None:
    """Print precision, recall and speed of the scrubber and of the peers."""
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--peers", help="interpreter of an environment that holds the peers")
    python = cli.parse_args().peers
    examples = load_examples()
    for half in ("dev", "held_out"):
        part = [example for example in examples if example.half == half]
        score = Score(part, [convert_spans(find_personal_data(example.text, KINDS)) for example in part])
        print(f"\n{half}: {len(part)} messages, {score.n_replaced_traps} of {score.n_traps} traps replaced\n")
        print("| kind | spans | precision | recall |\n| --- | --- | --- | --- |", *score.format_rows(), sep="\n")
    log = load_chat_messages()
    began = time.perf_counter()
    scrub_messages(log, list(KINDS))
    rate = log.height / (time.perf_counter() - began)
    print(f"\nturnabout: {rate:,.0f} messages/s ({rate * 60:,.0f} a minute) on {pl.thread_pool_size()} thread(s)")
    if not python:
        print("peers: skipped; give --peers PYTHON (see --help)")
        return
    held_out = [example for example in examples if example.half == "held_out"]
    for peer in PEERS:
        answer = run_peer(python, peer, [example.text for example in held_out])
        timed = answer and run_peer(python, peer, log["text"].head(N_PEER_MESSAGES).to_list())
        if not answer or not timed:
            continue
        score, slower = Score(held_out, answer[0]), rate / (N_PEER_MESSAGES / timed[1])
        traps = f"{score.n_replaced_traps} of {score.n_traps} traps replaced"
        print(f"\n{peer} on held_out: {traps}; {rate / slower:,.0f} messages/s,")
        print(f"{slower:.1f} times as slow\n\n| kind | spans | precision | recall |\n| --- | --- | --- | --- |")
        print(*score.format_rows(), sep="\n")


if __name__ == "__main__":
    main()
