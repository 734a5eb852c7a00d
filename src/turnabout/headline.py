"""The five numbers that matter, read from the metrics files, with their uncertainty in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnabout.io import read_json
from turnabout.report.figures import Figure, figure, shown

BASELINE = "untrained"
VERSUS = f"versus_{BASELINE}"


def headline(metrics: Path) -> list[str]:
    """One line per number; a figure that is null or absent reads "not measured" with its reason."""
    mined, user, assistants = (_read(metrics / f"{name}.json") for name in ("mine", "user", "assistants"))
    arm = best_arm(assistants)
    gain = figure(assistants, arm, VERSUS, "follow_up_likelihood")
    return [
        f"1. feedback mined: {_mined(mined)}",
        f"2. user model, bits per character on strangers: {_against(user, 'bits_per_character', 'with_intent')}",
        f"3. user model, knowing when to leave (F1): {_against(user, 'termination', 'f1')}",
        f"4. best arm ({arm}), follow-up likelihood over untrained: {_difference(gain)}",
        f"5. {arm}, ranking accuracy on its held-out pairs: {said(figure(assistants, arm, 'ranking_accuracy', arm))}",
    ]


def best_arm(assistants: Mapping[str, Any]) -> str:
    """The arm whose follow-up likelihood exceeds the untrained assistant's most; the first where none was measured."""
    arms = [name for name, figures in assistants.items() if isinstance(figures, Mapping) and VERSUS in figures]
    gains = {arm: figure(assistants, arm, VERSUS, "follow_up_likelihood").value for arm in arms}
    measured = {arm: gain for arm, gain in gains.items() if gain is not None}
    return max(measured, key=measured.__getitem__) if measured else next(iter(arms), "none")


def said(measured: Figure, signed: bool = False) -> str:
    """A figure in words: `1.87 [1.80, 1.94]`, or why there is none."""
    return f"not measured: {measured.reason}" if measured.value is None else shown(measured, signed)


def _mined(mined: Mapping[str, Any]) -> str:
    if not mined:
        return said(Figure(None))
    n_sat, n_dsat, n_exchanges = (figure(mined, name) for name in ("n_sat", "n_dsat", "n_exchanges"))
    return f"{said(n_sat)} sat and {said(n_dsat)} dsat signals in {said(n_exchanges)} exchanges"


def _against(user: Mapping[str, Any], section: str, name: str) -> str:
    trained, untrained = (figure(user, section, model, name) for model in ("trained", BASELINE))
    return f"{said(trained)} trained, {said(untrained)} untrained"


def _difference(gain: Figure) -> str:
    is_noise = gain.verdict == "inside the noise"
    return said(gain, signed=True) + (" – inside the noise" if is_noise else "")


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
