"""Yield of every prompt: how many answers of a model can be used.

    python -m benchmarks.prompt_yields --data data --model models/backbone --replies 40
        [--pairs 24] [--parts PART …] [--answers FILE] [--preferred FILE]

Reads messages, splits and feedback of `--data`, and runs each augmenter on at most `--replies` criticised replies, each
judge on pairs whose better reply is known, the intents, the guidance of the policy, the users that are prompted to act,
and the questions of the miner `rubric`. Prints one Markdown table: answers asked for, answers kept, and why the others
were not. No peer. To compare two wordings, run it twice, with two versions of `src/turnabout` on PYTHONPATH.

Pairs are those of the log. A log without any gets pairs of EURTAD from the file `--preferred` (a reply that somebody
corrected, and its correction), or without that file the twelve made-up records of injection_records.jsonl.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import polars as pl

from benchmarks.prompt_yield_log import SEED, Log, load_log
from turnabout.augment import AUGMENTERS
from turnabout.augment.base import AugmentContext
from turnabout.core import schemas
from turnabout.core.conversations import build_exchanges
from turnabout.errors import ModelError
from turnabout.feedback.base import LanguageModel
from turnabout.feedback.miners import MINERS
from turnabout.feedback.rubric_induction import induce_rubric
from turnabout.feedback.signals import select_decisions
from turnabout.generation.base import Completion, Generator, Sampling
from turnabout.generation.config import OpenContext
from turnabout.generation.registry import BACKENDS
from turnabout.intents.writing import Intend, write_intents
from turnabout.judging.base import Comparison, JudgeOptions
from turnabout.judging.pairwise import compare
from turnabout.metrics.intent_adherence import build_model_judge
from turnabout.metrics.items import load_intent_items
from turnabout.preferences.base import find_drop_reason
from turnabout.preferences.drift import build_guided_prompt
from turnabout.preferences.wildfeedback import add_preferences
from turnabout.simulation.users import PromptedUser

#: Limits of the augmenters that the demonstration does not run, and of the policy's replies.
PROMPT_TOKENS, SENTENCE_TOKENS, JSON_TOKENS, REPLY_TOKENS = 160, 32, 128, 96
DTYPE, BATCH_SIZE = "bfloat16", 32

#: What one made-up user prefers, for the checklist judge and the guidance of the policy.
PREFERENCES = (
    "The user prefers replies that answer the question first",
    "The user prefers replies that are short and friendly",
)

RULES = (
    "When the user asks a question, answer it before asking one back.",
    "When the user talks about their family, ask about it.",
)

#: Talk about a reply that the user never saw.
FIRST_REPLY = re.compile(
    r"\b(?:first|previous|earlier|original|last|better|improved|revised) (?:reply|response)\b", re.I
)
OWN_PREFERENCES = re.compile(r"\b(?:prefers?|preferences?|wish(?:es)?)\b", re.I)
LIKE_AN_ASSISTANT = re.compile(
    r"\b(?:how (?:can|may) i (?:help|assist)|i'm here to help|i can help|as an ai|let me know if|i'd be happy to)\b",
    re.I,
)


class Yield(NamedTuple):
    """One line of the table."""

    prompt: str
    asked: int
    kept: int
    notes: str


class LimitedGenerator:
    """A generator whose answers end earlier, and which records them."""

    def __init__(self, generator: Generator, max_new_tokens: int) -> None:
        self.generator = generator
        self.name = generator.name
        self.max_new_tokens = max_new_tokens
        self.calls: list[tuple[str, list[Completion]]] = []

    def generate(self, prompts: Sequence[Any], sampling: Sampling) -> list[Completion]:
        """Return one completion per prompt and record them by their prefill."""
        answers = self.generator.generate(prompts, sampling._replace(max_new_tokens=self.max_new_tokens))
        self.calls.append((sampling.prefill, answers))
        return answers

    def score(self, prompts: Sequence[Any], turns: Sequence[Sequence[str]]) -> Any:
        """Return the scores of the generator."""
        return self.generator.score(prompts, turns)


def measure_sentences(log: Log, model: Generator) -> list[Yield]:
    """Measure critiques and rationales of one sentence."""
    return [
        _run_augmenter("critiques", {}, log, model, max_new_tokens=SENTENCE_TOKENS),
        _run_augmenter("rationales", {}, log, model, max_new_tokens=SENTENCE_TOKENS),
    ]


def measure_critics(log: Log, model: Generator) -> list[Yield]:
    """Measure the units of one critic and the critiques merged from them."""
    inputs = log.build_inputs(len(log.criticised) // 2)
    settings = {"critics": [{"perspective": "task"}], "max_new_tokens": JSON_TOKENS, "retries": 0}
    augmenter, context = _build_augmenter("critiques", settings), _build_context(model, JSON_TOKENS)
    table = augmenter.annotate(inputs, context)
    units = table.explode("units").unnest("units", separator="_").drop_nulls("units_critic")
    reasons = units["units_reason"].to_list()
    return [
        _count("critiques, units of a critic", reasons),
        _count("critiques, merged from units", table["reason"].to_list()),
    ]


def measure_pair_rationales(log: Log, model: Generator) -> list[Yield]:
    """Measure rationales about pairs."""
    inputs = log.build_inputs(0)
    augmenter = _build_augmenter("rationales", {"about": "pairs", "by": "scores", "max_pairs": log.pairs.height // 3})
    table = augmenter.annotate(inputs, _build_context(model, 48))
    return [
        _count(f"rationales about pairs, {kind}", table.filter(kind=kind)["reason"].to_list())
        for kind in ("general", "specific")
    ]


def measure_ratings(log: Log, model: Generator) -> list[Yield]:
    """Measure ratings as JSON answers."""
    return [_run_augmenter("ratings", {"retries": 0}, log, model, n_replies=len(log.criticised) // 4)]


def measure_rewrites(log: Log, model: Generator) -> list[Yield]:
    """Measure refinements of both methods and hindsights."""
    return [
        _run_augmenter("refinements", {"k": 1, "votes": 3}, log, model, label="refinements, ilf"),
        _run_augmenter(
            "refinements", {"method": "spar", "width": 1, "depth": 1, "votes": 3}, log, model, label="refinements, spar"
        ),
        _run_augmenter("hindsights", {"votes": 3}, log, model),
    ]


def measure_preference_lists(log: Log, model: Generator) -> list[Yield]:
    """Measure the lists of a user's preferences, and their sentences."""
    table = _annotate("preferences", {"retries": 0}, log, model)
    n_kept = int(table["user_preferences"].list.len().sum())
    dropped = table["dropped"].explode().drop_nulls().to_list()
    return [
        _count("preferences, lists", table["reason"].to_list()),
        _count("preferences, sentences", [*dropped, *[None] * n_kept]),
    ]


def measure_principles(log: Log, model: Generator) -> list[Yield]:
    """Measure proposed rules, by what they are read from."""
    sources = ["pairs", "kudos", "critiques"]
    settings = {
        "sources": sources,
        "by": "scores",
        "max_pairs": 8,
        "max_feedback": 12,
        "clusters": 4,
        "keep": 2,
        "retries": 0,
        "max_new_tokens": 96,
    }
    table = _annotate("principles", settings, log, model)
    selected = ("another one of its cluster was taken", "not among the best", "resembles a better one")
    lines = []
    for source in sources:
        of_source = table.filter(source=source)
        voted = of_source["n_for"].is_not_null() | of_source["reason"].is_in(selected).fill_null(False)
        reasons = of_source.select(reason=pl.when(voted).then(None).otherwise("reason"))["reason"]
        lines.append(_count(f"principles, rules from {source}", reasons.to_list()))
    tallies = table.drop_nulls("n_for")
    n_votes = int(tallies.select(pl.sum_horizontal("n_for", "n_against", "n_abstain", "n_invalid").sum()).item())
    n_sided = int(tallies.select((pl.col("n_for") + pl.col("n_against")).sum()).item())
    notes = f"for {int(tallies['n_for'].sum())}, against {int(tallies['n_against'].sum())}"
    return [*lines, Yield("principles, votes (both orders agree)", n_votes, n_sided, notes)]


def measure_scopes(log: Log, model: Generator) -> list[Yield]:
    """Measure whether two given rules apply to prompts of the log."""
    inputs = log.build_inputs()
    rows = [{**dict.fromkeys(schemas.PRINCIPLES), "principle": rule, "kept": True} for rule in RULES]
    tables = {**inputs.tables, "principles": pl.DataFrame(rows, schema=schemas.PRINCIPLES)}
    augmenter = _build_augmenter("scopes", {"by": "scores", "max_prompts": len(log.criticised)})
    table = augmenter.annotate(inputs._replace(tables=tables), _build_context(model, SENTENCE_TOKENS))
    spread = f"P(applies) {table['applies'].min():.2f} to {table['applies'].max():.2f}"
    return [_count("scopes", table["reason"].to_list(), spread)]


def measure_judges(log: Log, model: Generator) -> list[Yield]:
    """Measure the verdicts of every judge on pairs whose better reply is known.

    Kept are verdicts that are the same in both orders of the replies.
    """
    names: list[tuple[Literal["plain", "checklist", "self_reference"], Literal["scores", "answers"]]] = [
        ("plain", "scores"),
        ("checklist", "scores"),
        ("self_reference", "scores"),
        ("plain", "answers"),
    ]
    lines = []
    for name, by in names:
        pairs = log.pairs if by == "scores" else log.pairs.head(log.pairs.height // 2)
        comparisons = [
            Comparison(row["prompt"], row["better"], row["worse"], PREFERENCES if name == "checklist" else ())
            for row in pairs.iter_rows(named=True)
        ]
        options = JudgeOptions(
            judge=name, by=by, max_prompt_tokens=2 * PROMPT_TOKENS, max_new_tokens=64, retries=0, seed=SEED
        )
        verdicts = compare(model, comparisons, options)
        n_right = sum(verdict.prefer == "a" for verdict in verdicts)
        n_stronger = sum(verdict.strength > 0 for verdict in verdicts)
        n_decided = sum(verdict.prefer is not None for verdict in verdicts)
        agreement = f"agree with people: {n_right} of {n_decided}; by mean strength {n_stronger} of {len(verdicts)}"
        reasons = [None if verdict.prefer else verdict.reason for verdict in verdicts]
        lines.append(_count(f"judge {name}, by {by}", reasons, agreement))
    return lines


def measure_intents(log: Log, model: Generator) -> list[Yield]:
    """Measure intents; kept are those that are usable at the first try."""
    conversations = log.splits.filter(split="train").sort("conversation_id").head(len(log.criticised))
    messages = log.messages.join(conversations, on="conversation_id", how="semi", maintain_order="left")
    settings = Intend(
        detail="high_level",
        generator={"backend": "local"},
        conversations={"train": None, "validation": None, "test": None},
        max_prompt_tokens=128,
        max_new_tokens=24,
        tries=3,
        max_fallback=1.0,
        batch_size=BATCH_SIZE,
    )
    table = write_intents(messages, model, settings, SEED)
    at_first = table.filter(pl.col("reason").is_null(), pl.col("tries") == 1).height
    n_fallback = table["reason"].is_not_null().sum()
    notes = f"{n_fallback} fallbacks after 3 tries; {table['leaks_first'].sum()} leaks at first"
    return [Yield("intents, usable at first try", table.height, at_first, notes)]


def measure_guidance(log: Log, model: Generator) -> list[Yield]:
    """Measure replies of the policy under the guidance of two pair rules."""
    rows = log.criticised.head(len(log.criticised) * 2 // 3).to_dicts()
    prompts = [row["prompt"][-6:] for row in rows]
    sampling = Sampling(REPLY_TOKENS, temperature=0.7, top_p=0.9, seed=SEED)
    guided = [build_guided_prompt(prompt, {**row, "flaw": None}) for prompt, row in zip(prompts, rows, strict=True)]
    drift = model.generate(guided, sampling)
    reasons = [
        _find_reply_fault(answer, row["reply"], FIRST_REPLY, "mentions the first reply")
        for answer, row in zip(drift, rows, strict=True)
    ]
    with_preferences = model.generate([add_preferences(prompt, PREFERENCES) for prompt in prompts], sampling)
    without = model.generate(prompts, sampling)
    preferred = [
        _find_reply_fault(answer, plain.text, OWN_PREFERENCES, "mentions preferences")
        for answer, plain in zip(with_preferences, without, strict=True)
    ]
    return [_count("drift, guided replies", reasons), _count("wildfeedback, guided replies", preferred)]


def _find_reply_fault(answer: Completion, other: str, forbidden: re.Pattern[str], reason: str) -> str | None:
    if forbidden.search(answer.text):
        return reason
    if answer.truncated:
        return "cut off"
    return find_drop_reason(answer.text, other)


def measure_users(log: Log, model: Generator) -> list[Yield]:
    """Measure turns of an assistant that is prompted to act as the user."""
    _, situations = load_intent_items(len(log.criticised))
    turns = PromptedUser(model).speak(situations, Sampling(32, temperature=0.8, top_p=0.8, seed=SEED))
    return [_count("prompted user, turns", [_find_turn_fault(turn) for turn in turns])]


def _find_turn_fault(turn: Completion) -> str | None:
    if not turn.text.strip():
        return "ended" if turn.ended else "empty"
    return "speaks like an assistant" if LIKE_AN_ASSISTANT.search(turn.text) else None


def measure_adherence(_: Log, model: Generator) -> list[Yield]:
    """Measure the judge of intent adherence on turns whose verdict is known."""
    items, _situations = load_intent_items(16)
    texts = [f"Not now, please. {item.question}" for item in items]
    texts += ["Yes, I would love that! Tell me more." for item in items]
    expected = [True] * len(items) + [False] * len(items)
    verdicts = build_model_judge(model, SEED).judge(texts, [*items, *items])
    n_right = sum(verdict == right for verdict, right in zip(verdicts, expected, strict=True))
    n_yes = sum(verdict is True for verdict in verdicts)
    reasons = [None if verdict is not None else "not readable" for verdict in verdicts]
    return [_count("judge of intent adherence", reasons, f"right {n_right}; stays {n_yes}")]


def measure_rubric(log: Log, model: Generator) -> list[Yield]:
    """Measure answers of the miner `rubric`, and explanations of labels."""
    limited = LimitedGenerator(model, JSON_TOKENS)
    shared = LanguageModel(generator=limited, checkpoint=None, batch_size=BATCH_SIZE, seed=SEED)  # type: ignore[arg-type]
    keys = log.criticised.select("conversation_id", "reply_index").head(len(log.criticised) // 2)
    exchanges = build_exchanges(log.messages)
    shown = exchanges.join(keys, on=["conversation_id", "reply_index"], how="semi", maintain_order="left")
    miner = MINERS["rubric"](retries=0).with_model(shared)  # type: ignore[call-arg, attr-defined]
    miner.mine(shown)
    failures = list(miner.failures.elements())
    mined = _count("miner rubric", [*failures, *[None] * (shown.height - len(failures))])

    decisions = select_decisions(log.feedback).sort("confidence", descending=True)
    chosen = pl.concat([decisions.filter(label=label).head(6) for label in ("sat", "dsat")])
    labels = chosen.select("conversation_id", "reply_index", "label", category=None, annotator=pl.lit("x"))
    limited.calls.clear()
    outcome = "summed up"
    try:
        induce_rubric(exchanges, labels.cast(schemas.LABELS), shared)
    except ModelError:
        outcome = "not summed up"
    faults: list[str | None] = []
    for prefill, answers in limited.calls:
        if "reasons" in prefill:
            faults += [None if _has_reasons(answer.text) else "not as asked" for answer in answers]
    return [mined, _count("rubric induction, explanations", faults, outcome)]


def _has_reasons(text: str) -> bool:
    try:
        value, _ = json.JSONDecoder().raw_decode(text.strip())
    except ValueError:
        return False
    reasons = value.get("reasons") if isinstance(value, dict) else None
    return isinstance(reasons, list) and 1 <= len(reasons) <= 3 and all(isinstance(reason, str) for reason in reasons)


PARTS: dict[str, Callable[[Log, Generator], list[Yield]]] = {
    "sentences": measure_sentences,
    "critics": measure_critics,
    "pair_rationales": measure_pair_rationales,
    "ratings": measure_ratings,
    "rewrites": measure_rewrites,
    "preferences": measure_preference_lists,
    "principles": measure_principles,
    "scopes": measure_scopes,
    "judges": measure_judges,
    "intents": measure_intents,
    "guidance": measure_guidance,
    "users": measure_users,
    "adherence": measure_adherence,
    "rubric": measure_rubric,
}


def _build_augmenter(writes: str, settings: dict[str, Any]) -> Any:
    return AUGMENTERS[writes].model_validate({"writes": writes, **settings})


def _build_context(model: Generator, max_new_tokens: int) -> AugmentContext:
    return AugmentContext(generator=model, max_prompt_tokens=PROMPT_TOKENS, max_new_tokens=max_new_tokens, seed=SEED)


def _annotate(writes: str, settings: dict[str, Any], log: Log, model: Generator) -> pl.DataFrame:
    table: pl.DataFrame = _build_augmenter(writes, settings).annotate(
        log.build_inputs(), _build_context(model, JSON_TOKENS)
    )
    return table


def _run_augmenter(
    writes: str,
    settings: dict[str, Any],
    log: Log,
    model: Generator,
    *,
    label: str | None = None,
    n_replies: int | None = None,
    max_new_tokens: int = JSON_TOKENS,
) -> Yield:
    """Run one augmenter and count its rows by reason."""
    table = _build_augmenter(writes, settings).annotate(
        log.build_inputs(n_replies), _build_context(model, max_new_tokens)
    )
    return _count(label or writes, table["reason"].to_list())


def _count(prompt: str, reasons: Sequence[str | None], note: str | None = None) -> Yield:
    """Return the yield of answers, each with the reason against it or None."""
    counts = Counter(reason for reason in reasons if reason is not None)
    notes = [f"{reason} {n}" for reason, n in counts.most_common(3)]
    if note is not None:
        notes.append(note)
    return Yield(prompt=prompt, asked=len(reasons), kept=reasons.count(None), notes="; ".join(notes))


def format_table(yields: Iterable[Yield]) -> str:
    """Return the lines as a Markdown table."""
    lines = ["| prompt | asked | kept | kept, % | reasons against the others; notes |", "|---|---|---|---|---|"]
    for line in yields:
        share = f"{100 * line.kept / line.asked:.0f}" if line.asked else "–"
        lines.append(f"| {line.prompt} | {line.asked} | {line.kept} | {share} | {line.notes} |")
    return "\n".join(lines)


def main() -> None:
    """Run the parts and print their table."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--data", type=Path, default=Path("data"))
    cli.add_argument("--model", type=Path, default=Path("models/backbone"))
    cli.add_argument("--replies", type=int, default=40, metavar="N", help="criticised replies (default 40)")
    cli.add_argument("--pairs", type=int, default=24, metavar="N", help="pairs with a known better reply (default 24)")
    cli.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS), metavar="PART")
    cli.add_argument("--answers", type=Path, default=None, help="file that keeps the model's answers for the next run")
    cli.add_argument("--preferred", type=Path, default=Path("../shared/data/eurtad.parquet"), help="EURTAD as Parquet")
    given = cli.parse_args()
    log = load_log(given.data, given.replies, given.pairs, given.preferred)
    yields = []
    with TemporaryDirectory() as scratch:
        answers = given.answers or Path(scratch) / "answers.sqlite"
        context = OpenContext(model=given.model, dtype=DTYPE, batch_size=BATCH_SIZE, answers=answers)
        model = BACKENDS["local"].model_validate({"backend": "local"}).open(context)
        for part in given.parts:
            start = time.perf_counter()
            measured = PARTS[part](log, model)
            print(f"{part}: {time.perf_counter() - start:.0f} s", flush=True)
            yields += measured
    print(format_table(yields))


if __name__ == "__main__":
    main()
