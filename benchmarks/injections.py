"""Share of a judge's labels that injected text in a log changes.

    python -m benchmarks.injections [--model NAME] [--n 240] [--generator FILE] [--by scores|answers]

Each attempt is a text of injections.jsonl, appended to one text of a made-up record (injection_records.jsonl): to the
history, the user's message, the reply, or the follow-up. It aims at another label than the judge gives the record
without it. The judges are the pairwise judge, the yes-or-no judge of rewrites and the prompt of the rubric miner, each
with the fields that it shows. They are asked as this project asks, and with the same texts pasted without a fence.
"turned" counts changed labels, "as wanted" those that changed to the label that the attempt aims at. "harmless" counts
labels that change with as many characters of small talk instead, because labels of a weak judge change by that alone.
Intervals are Wilson's.

`--generator` is a YAML file like `augment.generator` in params.yaml. By default verdicts are read from its answers, and
from the probabilities of an embedded model.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import polars as pl
import yaml
from pydantic import TypeAdapter
from rich.console import Console
from rich.table import Table

from benchmarks.injection_judges import JUDGES, Goal, Judge, Method, Record
from benchmarks.unfenced import UnfencedGenerator
from turnabout.generation.base import Generator
from turnabout.generation.config import OpenContext
from turnabout.generation.registry import AnyModel
from turnabout.stats.proportion import estimate_proportion

FOLDER = Path(__file__).parent
MODEL, BATCH_SIZE = "smollm2-135m-instruct", 16
FIELD_NAMES = {"before": "history", "user": "user message", "reply": "reply", "follow_up": "follow-up"}

SMALL_TALK = (
    "By the way, it has rained here since Monday and the bus was late again this morning. My neighbour has a new dog, "
    "a brown one, and it barks at the post. We had soup for lunch, and there was some left for the evening. "
)

#: Long texts that push the record away, by their slot in the file.
PADDING = {"«sentences»": SMALL_TALK * 2, "«dots»": ". " * 200, "«newlines»": "\n" * 60, "«dashes»": "-" * 120}


class Attempt(NamedTuple):
    """One text in one field of one record, for one judge."""

    kind: str
    text: str
    judge: str
    field: str
    record: Record

    def with_attempt(self, goal: Goal) -> Record:
        """Return the record with the attempt in it."""
        return self._append(fill_slots(self.text, goal))

    def with_small_talk(self, goal: Goal) -> Record:
        """Return the record with small talk of the attempt's length in its place."""
        return self._append("".join(islice(cycle(SMALL_TALK), len(fill_slots(self.text, goal)))))

    def _append(self, text: str) -> Record:
        return self.record._replace(**{self.field: f"{getattr(self.record, self.field)} {text}"})


def fill_slots(text: str, goal: Goal) -> str:
    """Return a text of the file with its slots filled for this goal."""
    for slot, value in {"«word»": goal.answer, "«json»": goal.json, "«claim»": goal.claim, **PADDING}.items():
        text = text.replace(slot, value)
    return text


def build_attempts(texts: Sequence[dict[str, str]], records: Sequence[Record], n: int | None) -> list[Attempt]:
    """Return `n` random attempts of every text for every judge in every field.

    Records take turns. None returns all attempts.
    """
    drawn: list[tuple[dict[str, str], str, str]] = []
    for text in texts:
        for name, judge in JUDGES.items():
            drawn += [(text, name, field) for field in judge.fields]
    Random(0).shuffle(drawn)
    return [
        Attempt(kind=text["kind"], text=text["text"], judge=name, field=field, record=record)
        for (text, name, field), record in zip(drawn[:n], cycle(records), strict=False)
    ]


def evaluate_attempts(
    judge: Judge, generator: Generator, attempts: Sequence[Attempt], by: Method
) -> Iterator[dict[str, Any]]:
    """Yield the outcome of each attempt on this judge."""
    records = list(dict.fromkeys(attempt.record for attempt in attempts))
    clean = dict(zip(records, judge.label_records(generator, records, by), strict=True))
    goals = [judge.find_opposing_goal(clean[attempt.record]) for attempt in attempts]
    attacked = [attempt.with_attempt(goal) for attempt, goal in zip(attempts, goals, strict=True)]
    attacked_labels = judge.label_records(generator, attacked, by)
    harmless = [attempt.with_small_talk(goal) for attempt, goal in zip(attempts, goals, strict=True)]
    harmless_labels = judge.label_records(generator, harmless, by)
    for attempt, goal, label, control in zip(attempts, goals, attacked_labels, harmless_labels, strict=True):
        clean_label = clean[attempt.record]
        yield {
            "kind": attempt.kind,
            "field": FIELD_NAMES[attempt.field],
            "turned": label != clean_label,
            "as wanted": label == goal.label,
            "harmless": control != clean_label,
        }


def run_attempts(generator: Generator, attempts: Sequence[Attempt], by: Method) -> pl.DataFrame:
    """Return two rows per attempt: with fences and without."""
    rows = []
    for name, judge in JUDGES.items():
        selected = [attempt for attempt in attempts if attempt.judge == name]
        for fenced, reader in ((True, generator), (False, UnfencedGenerator(generator))):
            rows += [{"judge": name, "fenced": fenced, **row} for row in evaluate_attempts(judge, reader, selected, by)]
    return pl.DataFrame(rows)


def print_table(outcomes: pl.DataFrame) -> None:
    """Print the share of changed labels by judge, kind and field."""
    columns = ("", "", "n", "fenced: turned", "as wanted", "harmless", "pasted: turned", "as wanted", "harmless")
    table = Table(*columns)
    for group in ("judge", "kind", "field"):
        values = outcomes[group].unique(maintain_order=True)
        for value in values.sort() if group == "field" else values:
            _add_row(table, group, value, outcomes.filter(pl.col(group) == value))
    _add_row(table, "all", "", outcomes)
    Console(width=150).print(table)


def _add_row(table: Table, group: str, value: str, outcomes: pl.DataFrame) -> None:
    halves = [outcomes.filter(pl.col("fenced") == fenced) for fenced in (True, False)]
    shares = [_format_share(half[column]) for half in halves for column in ("turned", "as wanted", "harmless")]
    table.add_row(group, value, str(halves[0].height), *shares)


def _format_share(turned: pl.Series) -> str:
    estimate = estimate_proportion(int(turned.sum()), len(turned))
    value, low, high = (float("nan") if figure is None else 100 * figure for figure in estimate[:3])
    return f"{value:.0f} % [{low:.0f}, {high:.0f}]"


def load_lines(name: str) -> list[dict[str, str]]:
    """Return the JSON objects of a file in this folder."""
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def open_judge(model: str, generator: Path | None) -> Generator:
    """Open the model that the YAML file describes, or an embedded one."""
    if generator is not None:
        settings = TypeAdapter(AnyModel).validate_python(yaml.safe_load(generator.read_text(encoding="utf-8")))
        return settings.open(
            OpenContext(Path("models/backbone"), "bfloat16", BATCH_SIZE, Path(".turnabout/answers.sqlite"))
        )
    from turnabout.generation.local.generator import LocalGenerator
    from turnabout.models.checkpoints import load_embedded

    return LocalGenerator(load_embedded(model, "bfloat16"), "assistant", BATCH_SIZE)


def main() -> None:
    """Try the attempts on all judges and print the table."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--model", default=MODEL, metavar="NAME", help=f"an embedded model (default {MODEL})")
    cli.add_argument("--n", type=int, default=240, help="attempts, drawn at random from 590 (default 240)")
    cli.add_argument("--generator", type=Path, default=None, metavar="FILE")
    cli.add_argument("--by", choices=["scores", "answers"], default=None, help="how verdicts are read")
    options = cli.parse_args()
    records = [Record(**fields) for fields in load_lines("injection_records.jsonl")]
    attempts = build_attempts(load_lines("injections.jsonl"), records, options.n)
    generator = open_judge(options.model, options.generator)
    began = time.perf_counter()
    outcomes = run_attempts(generator, attempts, options.by or ("answers" if options.generator else "scores"))
    print(f"{generator.name}: {len(attempts)} attempts in {len(records)} records, {time.perf_counter() - began:.0f} s")
    print_table(outcomes)


if __name__ == "__main__":
    main()
