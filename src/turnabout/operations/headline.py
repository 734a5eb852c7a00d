"""The five numbers that matter, read from the metrics files, with their uncertainty in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnabout.core.io import read_json
from turnabout.report.figures import Figure, counted, figure, shown

BASELINE = "untrained"
VERSUS = f"versus_{BASELINE}"

#: Who scores follow-up likelihood, and the name of that gain in the metrics file.
SCORERS = {"the user model": "follow_up_likelihood", "the backbone": "follow_up_likelihood_backbone"}


def headline(metrics: Path) -> list[str]:
    """One line per number; a figure that is null or absent reads "not measured" with its reason."""
    mined, user, assistants = (_read(metrics / f"{name}.json") for name in ("mine", "user", "assistants"))
    arms = compared_arms(assistants)
    arm = best_arm(assistants)
    return [
        f"1. feedback mined: {_mined(mined)}",
        "2. user model, bits per character on strangers: "
        f"{_against(user, 'bits_per_character', 'with_intent', BASELINE)}",
        f"3. user model, leaving when people leave (F1): {_against(user, 'termination', 'f1_drawn', 'prompted')}; "
        f"at the best threshold {_against(user, 'termination', 'f1', 'prompted')}",
        f"4. best of {counted(len(arms), 'arm', 'arms')} ({arm}), follow-up likelihood over untrained: "
        f"{_differences(gains(assistants, arm))}",
        f"5. {arm}, ranking accuracy on its held-out pairs: {said(figure(assistants, arm, 'ranking_accuracy', arm))}",
    ]


def compared_arms(assistants: Mapping[str, Any]) -> list[str]:
    """Every arm that was compared with the untrained assistant."""
    return [name for name, figures in assistants.items() if isinstance(figures, Mapping) and VERSUS in figures]


def gains(assistants: Mapping[str, Any], arm: str) -> dict[str, Figure]:
    """What an arm gains in follow-up likelihood over the untrained assistant, by who scored."""
    return {scorer: figure(assistants, arm, VERSUS, measure) for scorer, measure in SCORERS.items()}


def best_arm(assistants: Mapping[str, Any]) -> str:
    """The arm whose smaller gain is the largest; the first arm where no arm was measured by every scorer.

    The user model alone would favour the arm whose pairs it chose itself.
    """
    arms = compared_arms(assistants)
    values = {arm: [g.value for g in gains(assistants, arm).values() if g.value is not None] for arm in arms}
    smaller = {arm: min(found) for arm, found in values.items() if len(found) == len(SCORERS)}
    return max(smaller, key=smaller.__getitem__) if smaller else next(iter(arms), "none")


def said(measured: Figure, signed: bool = False) -> str:
    """A figure in words: `1.87 [1.80, 1.94]`, or why there is none."""
    return f"not measured: {measured.reason}" if measured.value is None else shown(measured, signed)


def _mined(mined: Mapping[str, Any]) -> str:
    if not mined:
        return said(Figure(None))
    n_sat, n_dsat, n_exchanges = (figure(mined, name) for name in ("n_sat", "n_dsat", "n_exchanges"))
    return f"{said(n_sat)} sat and {said(n_dsat)} dsat signals in {said(n_exchanges)} exchanges"


def _against(user: Mapping[str, Any], section: str, name: str, baseline: str) -> str:
    trained, other = (figure(user, section, model, name) for model in ("trained", baseline))
    return f"{said(trained)} trained, {said(other)} {baseline}"


def _differences(by_scorer: Mapping[str, Figure]) -> str:
    """Each scorer's gain, then the verdict of both: the one they share, and noise where it is noise for either."""
    told = ", ".join(f"{said(gain, signed=True)} by {scorer}" for scorer, gain in by_scorer.items())
    verdicts = {gain.verdict for gain in by_scorer.values()}
    if "not measured" in verdicts:
        return told
    if "inside the noise" in verdicts:
        return f"{told} – inside the noise"
    return f"{told} – {verdicts.pop()} by both" if len(verdicts) == 1 else f"{told} – the scorers disagree"


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
