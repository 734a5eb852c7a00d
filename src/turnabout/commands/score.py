"""Score pairs of replies: which one a scorer prefers, and how much.

Each line of PAIRS is like {"id": "1", "prompt": [{"role": "user", "content": "…"}], "a": "…", "b": "…"}. OUT gets one
line {"id", "score_a", "score_b", "prefer"} per pair, in the same order; `prefer` is "a", "b", or null for neither. If a
run is interrupted, the same command continues it.

Example: turnabout score pairs.jsonl --by judge --out scores.jsonl
"""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnabout.scoring.base import Score


def add_arguments(options: argparse.ArgumentParser) -> None:
    """Add the files, the scorer and its model."""
    options.epilog = "example: turnabout score pairs.jsonl --by judge --out scores.jsonl"
    options.add_argument("pairs", type=Path, metavar="PAIRS", help="file of JSON lines, may be packed as .gz or .zst")
    options.add_argument(
        "--by",
        required=True,
        metavar="SCORER",
        help="length, follow_up, judge, …; the error for an unknown name lists all",
    )
    options.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="output file of the scores, JSON lines"
    )
    options.add_argument(
        "--model",
        help="embedded name, Hub id or model folder (default: models/user for follow_up, else the embedded model)",
    )
    options.add_argument(
        "--generator", type=Path, metavar="FILE", help="YAML of a model as in params.yaml: {backend: openai, model: …}"
    )
    options.add_argument(
        "--batch-size",
        type=int,
        default=8,
        metavar="N",
        help="texts that the model reads at once (default: %(default)s)",
    )
    options.add_argument(
        "--max-prompt-tokens",
        type=int,
        default=1024,
        metavar="N",
        help="approximate number of tokens of a pair that the model reads (default: %(default)s)",
    )


def execute(
    *,
    pairs: Path,
    by: str,
    out: Path,
    model: str | None,
    generator: Path | None,
    batch_size: int,
    max_prompt_tokens: int,
) -> int:
    """Score all pairs; return status 0."""
    from turnabout.scoring import SCORERS
    from turnabout.scoring.checkpointing import hash_file, lock_output, score_pairs, start_run
    from turnabout.scoring.load_scorer import load_scoring_model
    from turnabout.scoring.pairs_file import read_pairs_file

    limits = {"batch_size": batch_size, "max_prompt_tokens": max_prompt_tokens}
    _check_options(pairs, by, out, limits)
    scorer = SCORERS[by]
    pairs_to_score = read_pairs_file(pairs, needs_checklist=scorer.needs_checklist)
    with load_scoring_model(by, model, generator) as scoring_model, lock_output(out):
        part = start_run(out, {"by": by, "pairs": hash_file(pairs), **limits, **scoring_model.identity})
        context = scoring_model.open_scorer_context(batch_size, max_prompt_tokens, part / "answers.sqlite")
        scores = score_pairs(pairs_to_score, scorer, context, out)
    description = by if scorer.needs == "nothing" else f"{by} of {context.generator.name}"
    print(f"{out}: {len(scores)} pairs by {description}; {_summarise_preferences(scores)}")
    return 0


def _check_options(pairs: Path, by: str, out: Path, limits: Mapping[str, int]) -> None:
    """Raise `ConfigError` for an option that is not allowed."""
    from turnabout.errors import ConfigError
    from turnabout.scoring import SCORERS

    if by not in SCORERS:
        raise ConfigError(f"--by: '{by}' is not one of {sorted(SCORERS)}")
    if out.is_dir() or out.resolve() == pairs.resolve():
        raise ConfigError(f"--out: {out} is {'a folder' if out.is_dir() else 'the file of pairs'}; name another file")
    if wrong := [f"{name}: {number}" for name, number in limits.items() if number < 1]:
        raise ConfigError(f"{', '.join(wrong)} is not allowed; give 1 or more")


def _summarise_preferences(scores: Sequence["Score"]) -> str:
    """Count how often each reply is preferred, and why neither is."""
    preferred = Counter(score.prefer or "neither" for score in scores)
    counts_by_reason = sorted(Counter(score.reason for score in scores if score.reason).items())
    reasons = ", ".join(f"{reason} {count}" for reason, count in counts_by_reason)
    summary = f"a {preferred['a']}, b {preferred['b']}, neither {preferred['neither']}"
    return f"{summary} ({reasons})" if reasons else summary
