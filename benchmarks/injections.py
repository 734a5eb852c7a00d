"""How many labels turn when a log holds words meant for the judge: injections.jsonl at every place of a record.

    python -m benchmarks.injections [--model NAME] [--n 240] [--generator FILE] [--by scores|answers]

Each attempt is a text of the file, put after a text of a made-up record (injection_records.jsonl): in the history, the
user's message, the reply, or the follow-up. It is after another label than the judge gives the record without it. Tried
are the pairwise judge, the yes-or-no judge of rewrites and the prompt of the rubric miner, at the places each shows:
as this project asks, and with the same texts pasted without a fence. "harmless" is the same with as many characters of
small talk, for labels of a weak judge turn by that alone; "as wanted" are those that turned into what the attempt was
after. Intervals are Wilson's.

`--generator` is a YAML file like `augment.generator` in params.yaml; answers are read from it, and probabilities from
an embedded model.
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

from benchmarks.injection_judges import JUDGES, Method, Goal, Judge, Record
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

#: Long runs that push the record away, by the slot that stands for them in the file.
PADDING = {"«sentences»": SMALL_TALK * 2, "«dots»": ". " * 200, "«newlines»": "\n" * 60, "«dashes»": "-" * 120}


class Attempt(NamedTuple):
    """One text at one place of one record, for one judge."""

    kind: str
    text: str
    judge: str
    field: str
    record: Record

    def with_attempt(self, goal: Goal) -> Record:
        """The record with the attempt in it."""
        return self._append(fill_slots(self.text, goal))

    def with_small_talk(self, goal: Goal) -> Record:
        """The record with as many characters of small talk in its place."""
        return self._append("".join(islice(cycle(SMALL_TALK), len(fill_slots(self.text, goal)))))

    def _append(self, text: str) -> Record:
        return self.record._replace(**{self.field: f"{getattr(self.record, self.field)} {text}"})


def fill_slots(text: str, goal: Goal) -> str:
    """A text of the file with what it is after."""
    for slot, words in {"«word»": goal.answer, "«json»": goal.json, "«claim»": goal.claim, **PADDING}.items():
        text = text.replace(slot, words)
    return text


def build_attempts(texts: Sequence[dict[str, str]], records: Sequence[Record], n: int | None) -> list[Attempt]:
    """`n` of: every text for every judge at every place it is shown; drawn by lot, records take turns."""
    places = [(name, place) for name, judge in JUDGES.items() for place in judge.fields]
    drawn = [(each["kind"], each["text"], *where) for each in texts for where in places]
    Random(0).shuffle(drawn)
    return [Attempt(*each, record) for each, record in zip(drawn[:n], cycle(records), strict=False)]


def evaluate_attempts(judge: Judge, generator: Generator, attempts: Sequence[Attempt], by: Method) -> Iterator[dict[str, Any]]:
    """What became of each attempt on this judge."""
    records = list(dict.fromkeys(each.record for each in attempts))
    clean = dict(zip(records, judge.label_records(generator, records, by), strict=True))
    goals = [judge.find_opposing_goal(clean[each.record]) for each in attempts]
    hidden = judge.label_records(generator, [each.with_attempt(goal) for each, goal in zip(attempts, goals, strict=True)], by)
    harmless = judge.label_records(generator, [each.with_small_talk(goal) for each, goal in zip(attempts, goals, strict=True)], by)
    for each, goal, came, control in zip(attempts, goals, hidden, harmless, strict=True):
        label = clean[each.record]
        turned = {"turned": came != label, "as wanted": came == goal.label, "harmless": control != label}
        yield {"kind": each.kind, "place": FIELD_NAMES[each.field], **turned}


def run_attempts(generator: Generator, attempts: Sequence[Attempt], by: Method) -> pl.DataFrame:
    """Two rows per attempt: with fences and without."""
    rows = []
    for name, judge in JUDGES.items():
        shown = [each for each in attempts if each.judge == name]
        for fenced, reader in ((True, generator), (False, UnfencedGenerator(generator))):
            rows += [{"judge": name, "fenced": fenced, **row} for row in evaluate_attempts(judge, reader, shown, by)]
    return pl.DataFrame(rows)


def print_table(outcomes: pl.DataFrame) -> None:
    """Labels that turned, by judge, kind and place."""
    table = Table("", "", "n", "fenced: turned", "as wanted", "harmless", "pasted: turned", "as wanted", "harmless")
    for of in ("judge", "kind", "place"):
        for value in (
            outcomes[of].unique(maintain_order=True).sort() if of == "place" else outcomes[of].unique(maintain_order=True)
        ):
            _add_row(table, of, value, outcomes.filter(pl.col(of) == value))
    _add_row(table, "all", "", outcomes)
    Console(width=150).print(table)


def _add_row(table: Table, of: str, value: str, outcomes: pl.DataFrame) -> None:
    halves = [outcomes.filter(pl.col("fenced") == fenced) for fenced in (True, False)]
    shares = [_format_share(half[column]) for half in halves for column in ("turned", "as wanted", "harmless")]
    table.add_row(of, value, str(halves[0].height), *shares)


def _format_share(turned: pl.Series) -> str:
    value, low, high = (
        float("nan") if each is None else 100 * each for each in estimate_proportion(turned.sum(), len(turned))[:3]
    )
    return f"{value:.0f} % [{low:.0f}, {high:.0f}]"


def load_lines(name: str) -> list[dict[str, str]]:
    """The objects of a file beside this one."""
    return [json.loads(line) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]


def open_judge(model: str, generator: Path | None) -> Generator:
    """Open the judge: the model that the YAML file describes, or an embedded one."""
    if generator is not None:
        settings = TypeAdapter(AnyModel).validate_python(yaml.safe_load(generator.read_text(encoding="utf-8")))
        return settings.open(
            OpenContext(Path("models/backbone"), "bfloat16", BATCH_SIZE, Path(".turnabout/answers.sqlite"))
        )
    from turnabout.generation.local.generator import LocalGenerator
    from turnabout.models.checkpoints import load_embedded

    return LocalGenerator(load_embedded(model, "bfloat16"), "assistant", BATCH_SIZE)


def main() -> None:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--model", default=MODEL, metavar="NAME", help=f"an embedded model (default {MODEL})")
    cli.add_argument("--n", type=int, default=240, help="attempts, drawn by lot of 590 (default 240)")
    cli.add_argument("--generator", type=Path, default=None, metavar="FILE")
    cli.add_argument("--by", choices=["scores", "answers"], default=None, help="how verdicts are read")
    options = cli.parse_args()
    records = [Record(**each) for each in load_lines("injection_records.jsonl")]
    attempts = build_attempts(load_lines("injections.jsonl"), records, options.n)
    generator = open_judge(options.model, options.generator)
    began = time.perf_counter()
    outcomes = run_attempts(generator, attempts, options.by or ("answers" if options.generator else "scores"))
    print(f"{generator.name}: {len(attempts)} attempts in {len(records)} records, {time.perf_counter() - began:.0f} s")
    print_table(outcomes)


if __name__ == "__main__":
    main()
