"""The five most important numbers of a project, with their uncertainty."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnabout.core.io import read_json
from turnabout.core.splitting import NO_PEOPLE
from turnabout.report.figures import Figure, format_count, format_estimate, read_figure

BASELINE = "untrained"
VERSUS = f"versus_{BASELINE}"

#: Name of each model that scores follow-up likelihood, and the key of its gain in the metrics file.
SCORERS = {"the user model": "follow_up_likelihood", "the backbone": "follow_up_likelihood_backbone"}


def build_headline(metrics: Path) -> list[str]:
    """Build one line per number from the metrics files.

    A figure that is null or absent reads "not measured" with its reason. If the log names no people, a last line says
    so.
    """
    mined, user, assistants = (_read_metrics(metrics / f"{name}.json") for name in ("mine", "user", "assistants"))
    names_people = _read_metrics(metrics / "split.json").get("names_people", True)
    held_out = "people" if names_people else "conversations"
    arms = list_compared_arms(assistants)
    arm = choose_best_arm(assistants)
    bits = _compare_models(user, "bits_per_character", "with_intent", BASELINE)
    f1_drawn = _compare_models(user, "termination", "f1_drawn", "prompted")
    f1_best = _compare_models(user, "termination", "f1", "prompted")
    ranking_accuracy = format_figure(read_figure(assistants, arm, "ranking_accuracy", arm))
    lines = [
        f"1. feedback mined: {_format_mined(mined)}",
        f"2. user model, bits per character on held-out {held_out}: {bits}",
        f"3. user model, predicting the end of the conversation (F1): {f1_drawn}; at the best threshold {f1_best}",
        f"4. best of {format_count(len(arms), 'arm', 'arms')} ({arm}), follow-up likelihood over untrained: "
        f"{_format_gains(get_gains(assistants, arm))}",
        f"5. {arm}, ranking accuracy on its held-out pairs: {ranking_accuracy}",
    ]
    return lines if names_people else [*lines, f"note: {NO_PEOPLE}"]


def list_compared_arms(assistants: Mapping[str, Any]) -> list[str]:
    """Return the arms that were compared with the untrained assistant."""
    return [name for name, figures in assistants.items() if isinstance(figures, Mapping) and VERSUS in figures]


def get_gains(assistants: Mapping[str, Any], arm: str) -> dict[str, Figure]:
    """Return an arm's gains in follow-up likelihood over untrained, by scorer."""
    return {scorer: read_figure(assistants, arm, VERSUS, measure) for scorer, measure in SCORERS.items()}


def choose_best_arm(assistants: Mapping[str, Any]) -> str:
    """Return the arm with the largest minimum gain over the scorers.

    If no arm was measured by every scorer, it is the first arm. The user model alone would favour the arm whose pairs
    it chose itself.
    """
    arms = list_compared_arms(assistants)
    min_gains: dict[str, float] = {}
    for arm in arms:
        values = [gain.value for gain in get_gains(assistants, arm).values() if gain.value is not None]
        if len(values) == len(SCORERS):
            min_gains[arm] = min(values)
    return max(min_gains, key=min_gains.__getitem__) if min_gains else next(iter(arms), "none")


def format_figure(measured: Figure, signed: bool = False) -> str:
    """Format a figure as `1.87 [1.80, 1.94]`, or the reason why there is none."""
    return f"not measured: {measured.reason}" if measured.value is None else format_estimate(measured, signed)


def _format_mined(mined: Mapping[str, Any]) -> str:
    if not mined:
        return format_figure(Figure(None))
    n_sat, n_dsat, n_exchanges = (format_figure(read_figure(mined, key)) for key in ("n_sat", "n_dsat", "n_exchanges"))
    return f"{n_sat} sat and {n_dsat} dsat signals in {n_exchanges} exchanges"


def _compare_models(user: Mapping[str, Any], section: str, name: str, baseline: str) -> str:
    """Format a figure of the trained user model next to the baseline's."""
    trained, other = (format_figure(read_figure(user, section, model, name)) for model in ("trained", baseline))
    return f"{trained} trained, {other} {baseline}"


def _format_gains(by_scorer: Mapping[str, Figure]) -> str:
    """Format each scorer's gain and the common verdict.

    The verdict is noise if it is noise for any scorer.
    """
    text = ", ".join(f"{format_figure(gain, signed=True)} by {scorer}" for scorer, gain in by_scorer.items())
    verdicts = {gain.verdict for gain in by_scorer.values()}
    if "not measured" in verdicts:
        return text
    if "inside the noise" in verdicts:
        return f"{text} – inside the noise"
    return f"{text} – {verdicts.pop()} by both" if len(verdicts) == 1 else f"{text} – the scorers disagree"


def _read_metrics(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
