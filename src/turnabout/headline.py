"""The five numbers that matter, read from the metrics files, with their uncertainty in words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from turnabout.io import read_json

BASELINE = "untrained"


def headline(metrics: Path) -> list[str]:
    """One line per number. A figure that is null or absent reads "not measured", with the reason where one is given."""
    mined, user, assistants = (_read(metrics / f"{name}.json") for name in ("mine", "user", "assistants"))
    arm = best_arm(assistants)
    return [
        f"1. feedback mined: {_mined(mined)}",
        f"2. user model, bits per character on held-out strangers: {_against(user, 'bits_per_character', 'with_intent')}",
        f"3. user model, knowing when to leave (F1): {_against(user, 'termination', 'f1')}",
        f"4. best arm ({arm}), follow-up likelihood over untrained: {_difference(assistants, arm)}",
        f"5. {arm}, ranking accuracy on its held-out pairs: {said(_at(assistants, arm, 'ranking_accuracy', arm))}",
    ]


def best_arm(assistants: Mapping[str, Any]) -> str:
    """The arm whose follow-up likelihood exceeds the untrained assistant's most; the first where none was measured."""
    arms = [name for name, figures in assistants.items() if isinstance(figures, Mapping) and name != BASELINE]
    if not arms:
        return "no arm"
    gains = {arm: _value(_at(assistants, arm, f"versus_{BASELINE}", "follow_up_likelihood")) for arm in arms}
    return max(arms, key=lambda arm: float("-inf") if (gain := gains[arm]) is None else gain)


def said(figure: Any) -> str:
    """A figure in words: `1.873 [1.801, 1.944]`, or why there is none."""
    value = _value(figure)
    if value is None:
        reason = figure.get("reason") if isinstance(figure, Mapping) else None
        return f"not measured: {reason}" if reason else "not measured"
    if not isinstance(figure, Mapping) or figure.get("low") is None or figure.get("high") is None:
        return f"{value:.3f}"
    return f"{value:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]"


def inside_noise(difference: Any) -> bool:
    """Whether the interval of a difference contains zero."""
    low, high = (difference.get(bound) if isinstance(difference, Mapping) else None for bound in ("low", "high"))
    return low is not None and high is not None and low <= 0 <= high


def _mined(mined: Mapping[str, Any]) -> str:
    counts = [mined.get(name) for name in ("n_sat", "n_dsat", "n_exchanges")]
    if any(count is None for count in counts):
        return "not measured"
    return "{} sat and {} dsat signals in {} exchanges".format(*counts)


def _against(user: Mapping[str, Any], section: str, figure: str) -> str:
    trained, untrained = (_at(user, section, model, figure) for model in ("trained", BASELINE))
    return f"{said(trained)} trained, {said(untrained)} untrained"


def _difference(assistants: Mapping[str, Any], arm: str) -> str:
    difference = _at(assistants, arm, f"versus_{BASELINE}", "follow_up_likelihood")
    return said(difference) + (" – inside the noise" if inside_noise(difference) else "")


def _value(figure: Any) -> float | None:
    value = figure.get("value") if isinstance(figure, Mapping) else figure
    return float(value) if isinstance(value, int | float) else None


def _at(content: Any, *path: str) -> Any:
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.exists() else {}
