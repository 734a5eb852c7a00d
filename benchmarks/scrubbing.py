"""The scrubber's precision and recall on a labelled set, and messages per second, beside other scrubbers.

`python -m benchmarks.scrubbing [--peers PYTHON]`: PYTHON is the interpreter of an environment with the peers
(`python -m venv peers && peers/bin/pip install datafog presidio-analyzer scrubadub phonenumbers`). A finding is right
when span and kind are (in brackets: when it overlaps a span of that kind). Intervals are Wilson's, 95 %.
"""

import argparse
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

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
#: Names that no cue gives away: labelled, and expected to be missed.
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
    """The labelled set; `[[kind:value]]` marks a span and `[[no:value]]` a trap. Raises ValueError for another kind."""
    return [parse_example(**json.loads(line)) for line in LABELLED.read_text(encoding="utf-8").splitlines()]


def parse_example(half: str, text: str) -> Example:
    """One line of the set with its marks turned into character spans."""
    plain, end, spans = "", 0, []
    for mark in MARK.finditer(text):
        plain += text[end : mark.start()]
        spans.append((len(plain), len(plain) + len(mark[2]), mark[1]))
        plain, end = plain + mark[2], mark.end()
    if unknown := {kind for *_, kind in spans} - {*KINDS, UNCUED, TRAP}:
        raise ValueError(f"{text!r}: {unknown} are no kinds; allowed are {sorted({*KINDS, UNCUED, TRAP})}")
    labelled = [span for span in spans if span[2] != TRAP]
    return Example(half, plain + text[end:], labelled, [span for span in spans if span[2] == TRAP])


class Score:
    """Findings against labels, counted by kind."""

    def __init__(self, examples: list[Example], found: list[Spans]) -> None:
        self.labels: Counter[str] = Counter()
        self.recalled: Counter[str] = Counter()
        self.touched: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.near: Counter[str] = Counter()
        self.n_traps = sum(len(example.traps) for example in examples)
        self.sprung = 0
        for example, spans in zip(examples, found, strict=True):
            for label in example.spans:
                self.labels[label[2]] += 1
                self.recalled[label[2]] += label in spans
                self.touched[label[2]] += has_overlap(label, spans)
            for span in spans:
                self.found[span[2]] += 1
                self.right[span[2]] += span in example.spans
                self.near[span[2]] += has_overlap(span, example.spans)
            self.sprung += sum(has_overlap((*trap[:2], span[2]), [span]) for trap in example.traps for span in spans)

    def rows(self) -> Iterable[str]:
        """One Markdown row per kind that is labelled, and one for all kinds but names without a cue."""
        for kind in [*KINDS, UNCUED]:
            yield self.row(kind, [kind])
        yield self.row("**all but bare_name**", list(KINDS))

    def row(self, name: str, kinds: list[str]) -> str:
        labels, recalled, touched, found, right, near = (
            sum(counter[kind] for kind in kinds)
            for counter in (self.labels, self.recalled, self.touched, self.found, self.right, self.near)
        )
        precision, recall = format_share(right, found, near), format_share(recalled, labels, touched)
        return f"| {name} | {labels} | {precision} | {recall} |"


def has_overlap(span: tuple[int, int, str], others: Spans) -> bool:
    return any(span[0] < end and start < span[1] and span[2] == kind for start, end, kind in others)


def format_share(k: int, n: int, k_lenient: int) -> str:
    """`0.95 [0.90, 0.98] (0.97)`."""
    if not n:
        return "–"
    interval = binomtest(k, n).proportion_ci(0.95, method="wilson")
    return f"{k / n:.2f} [{interval.low:.2f}, {interval.high:.2f}] ({k_lenient / n:.2f})"


def run_peer(python: str, peer: str, texts: list[str]) -> tuple[list[Spans], float] | None:
    """What the peer found and how long it took; None, with the reason printed, where it does not run."""
    script = str(Path(__file__).with_name("pii_peers.py"))
    done = subprocess.run([python, script, peer], input=json.dumps(texts), capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{peer}: skipped, {done.stderr.strip().splitlines()[-1]}")
        return None
    answer = json.loads(done.stdout)
    return [[(start, end, kind) for start, end, kind in spans] for spans in answer["spans"]], answer["seconds"]


def load_chat_messages() -> pl.DataFrame:
    """`N_MESSAGES` ordinary messages: the embedded log, repeated as often as it takes, texts only."""
    source = Chitchat(format="chitchat")
    log = pl.concat(batch.messages for piece in source.list_pieces() for batch in source.read_batches(piece))
    log = log.with_columns(extras=pl.lit("{}"))
    return pl.concat([log] * -(-N_MESSAGES // log.height)).head(N_MESSAGES).select(list(MESSAGES))


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__)
    cli.add_argument("--peers", help="interpreter of an environment that holds the peers")
    python = cli.parse_args().peers
    examples = load_examples()
    for half in ("dev", "held_out"):
        part = [example for example in examples if example.half == half]
        score = Score(
            part, [[(start, end, kind) for start, end, kind in find_personal_data(example.text, KINDS)] for example in part]
        )
        print(f"\n{half}: {len(part)} messages, {score.sprung} of {score.n_traps} traps replaced\n")
        print("| kind | spans | precision | recall |\n| --- | --- | --- | --- |", *score.rows(), sep="\n")
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
        print(f"\n{peer} on held_out: {score.sprung} of {score.n_traps} traps replaced; {rate / slower:,.0f} messages/s,")
        print(f"{slower:.1f} times as slow\n\n| kind | spans | precision | recall |\n| --- | --- | --- | --- |")
        print(*score.rows(), sep="\n")


if __name__ == "__main__":
    main()
