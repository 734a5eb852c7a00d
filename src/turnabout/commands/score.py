"""Score pairs of replies of your own: which one a scorer prefers, and how much.

Each line of PAIRS is like {"id": "1", "prompt": [{"role": "user", "content": "…"}], "a": "…", "b": "…"}; OUT gets
{"id", "score_a", "score_b", "prefer"} in the same order, `prefer` being "a", "b" or null for neither. A run that was
cut off goes on where it stood when the same command is given again.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnabout.scoring.base import Score


def add_arguments(options: argparse.ArgumentParser) -> None:
    """What to score, how, by whom."""
    options.add_argument("pairs", type=Path, metavar="PAIRS", help="JSON lines, also packed as .gz or .zst")
    options.add_argument(
        "--by",
        required=True,
        metavar="SCORER",
        help="length, follow_up, judge, …; an unknown name lists all",
    )
    options.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the scores go, as JSON lines")
    options.add_argument("--model", help="embedded name, Hub id or model folder (default: the embedded model)")
    options.add_argument("--author", type=Path, metavar="FILE", help="YAML as in params.yaml: {backend: openai, …}")
    options.add_argument("--batch-size", type=int, default=8, metavar="N", help="texts a model reads at once")
    options.add_argument(
        "--max-prompt-tokens", type=int, default=1024, metavar="N", help="about as much is shown of a pair's texts"
    )


def execute(
    pairs: Path,
    by: str,
    out: Path,
    model: str | None,
    author: Path | None,
    batch_size: int,
    max_prompt_tokens: int,
) -> int:
    """Score all pairs; status 0."""
    from turnabout.scoring import SCORERS
    from turnabout.scoring.checkpointing import lock_output, start_run, hash_file, score_pairs
    from turnabout.scoring.load_scorer import load_scoring_model
    from turnabout.scoring.pairs_file import read_pairs_file

    limits = {"batch_size": batch_size, "max_prompt_tokens": max_prompt_tokens}
    _check(pairs, by, out, limits)
    scorer, read = SCORERS[by], read_pairs_file(pairs, SCORERS[by].needs_checklist)
    with load_scoring_model(by, model, author) as who, lock_output(out):
        part = start_run(out, {"by": by, "pairs": hash_file(pairs), **limits, **who.identity})
        means = who.open_scorer_context(batch_size, max_prompt_tokens, part / "answers.sqlite")
        scores = score_pairs(read, scorer, means, out)
    told = by if scorer.needs == "nothing" else f"{by} of {means.generator.name}"
    print(f"{out}: {len(scores)} pairs by {told}; {_summary(scores)}")
    return 0


def _check(pairs: Path, by: str, out: Path, limits: dict[str, int]) -> None:
    from turnabout.errors import ConfigError
    from turnabout.scoring import SCORERS

    if by not in SCORERS:
        raise ConfigError(f"--by: '{by}' is not one of {sorted(SCORERS)}")
    if out.is_dir() or out.resolve() == pairs.resolve():
        raise ConfigError(f"--out: {out} is {'a folder' if out.is_dir() else 'the file of pairs'}; name another file")
    if wrong := [f"{name}: {number}" for name, number in limits.items() if number < 1]:
        raise ConfigError(f"{', '.join(wrong)} came; give 1 or more")


def _summary(scores: Sequence["Score"]) -> str:
    """How often each reply is preferred, and for which reasons neither is."""
    preferred = Counter(score.prefer or "neither" for score in scores)
    reasons = Counter(score.reason for score in scores if score.reason)
    told = f" ({', '.join(f'{reason} {count}' for reason, count in sorted(reasons.items()))})" if reasons else ""
    return f"a {preferred['a']}, b {preferred['b']}, neither {preferred['neither']}{told}"
