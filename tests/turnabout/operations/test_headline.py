"""The five headline numbers, measured and not measured."""

import json
from pathlib import Path
from typing import Any

import pytest

from turnabout.operations.headline import build_headline, choose_best_arm
from turnabout.report.figures import Figure, format_estimate, read_figure


def estimate(value: float | None, low: float | None = None, high: float | None = None, **more: str) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, **more}


def write(folder: Path, **files: object) -> Path:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def arm(user: dict[str, Any], backbone: dict[str, Any] | None = None, accuracy: object = None) -> dict[str, Any]:
    """Build the figures of one arm; both scorers have `user` by default."""
    measures = {"follow_up_likelihood": user, "follow_up_likelihood_backbone": backbone or user}
    return {"versus_untrained": measures, "ranking_accuracy": {"drift": accuracy}}


def test_headline_has_five_lines_with_intervals(tmp_path: Path) -> None:
    bits = {"trained": {"with_intent": estimate(1.5, 1.4, 1.6)}, "untrained": {"with_intent": estimate(2.0, 1.9, 2.1)}}
    f1 = {
        "trained": {"f1_drawn": estimate(0.3, 0.2, 0.4), "f1": estimate(0.4, 0.3, 0.5)},
        "prompted": {"f1_drawn": estimate(0.0, 0.0, 0.1), "f1": estimate(0.1, 0.0, 0.2)},
    }
    folder = write(
        tmp_path,
        mine={"n_sat": 3, "n_dsat": 4, "n_exchanges": 1500},
        user={"bits_per_character": bits, "termination": f1},
        assistants={
            "untrained": {},
            "drift": arm(estimate(0.2, 0.1, 0.3), estimate(0.4, 0.3, 0.5), estimate(0.75, 0.6, 0.9)),
            "simulated": {},
        },
    )
    lines = build_headline(folder)
    assert lines[1].startswith("2. user model, bits per character on held-out people: ")
    assert lines[2].startswith("3. user model, predicting the end of the conversation (F1): ")
    assert lines[0].endswith("3 sat and 4 dsat signals in 1,500 exchanges")
    assert (
        f"{format_estimate(Figure(1.5, 1.4, 1.6))} trained, {format_estimate(Figure(2.0, 1.9, 2.1))} untrained"
        in lines[1]
    )
    drawn = f"{format_estimate(Figure(0.3, 0.2, 0.4))} trained, {format_estimate(Figure(0.0, 0.0, 0.1))} prompted"
    best = f"{format_estimate(Figure(0.4, 0.3, 0.5))} trained, {format_estimate(Figure(0.1, 0.0, 0.2))} prompted"
    assert lines[2].endswith(f"(F1): {drawn}; at the best threshold {best}")
    user, backbone = (format_estimate(Figure(*values), signed=True) for values in ((0.2, 0.1, 0.3), (0.4, 0.3, 0.5)))
    assert lines[3] == (
        "4. best of 1 arm (drift), follow-up likelihood over untrained: "
        f"{user} by the user model, {backbone} by the backbone – higher by both"
    )
    assert lines[4].endswith(format_estimate(Figure(0.75, 0.6, 0.9)))


def test_headline_says_that_a_log_names_no_people(tmp_path: Path) -> None:
    *_, second, _, _, _, note = build_headline(write(tmp_path, split={"names_people": False}))
    assert second.startswith("2. user model, bits per character on held-out conversations: ")
    assert note == "note: this log names no people; splits are by conversation"
    assert len(build_headline(write(tmp_path, split={"names_people": True}))) == 5


CLEAR, LOWER, NOISE = estimate(0.2, 0.1, 0.3), estimate(-0.2, -0.3, -0.1), estimate(0.2, -0.1, 0.5)


@pytest.mark.parametrize(
    ("user", "backbone", "verdict"),
    [
        (CLEAR, CLEAR, "higher by both"),
        (LOWER, LOWER, "lower by both"),
        (CLEAR, LOWER, "the scorers disagree"),
        (CLEAR, NOISE, "inside the noise"),
        (NOISE, CLEAR, "inside the noise"),
        (NOISE, LOWER, "inside the noise"),
    ],
)
def test_gain_is_above_noise_only_if_both_intervals_exclude_zero(
    tmp_path: Path, user: dict[str, Any], backbone: dict[str, Any], verdict: str
) -> None:
    folder = write(tmp_path, assistants={"drift": arm(user, backbone)})
    line = build_headline(folder)[3]
    assert line.endswith(f" – {verdict}")
    verdicts = {
        read_figure({"gain": gain}, "gain").verdict for gain in (user, backbone)
    }  # the report's verdict on each
    assert (verdict == "higher by both") == (verdicts == {"higher"})
    assert (verdict == "inside the noise") == ("inside the noise" in verdicts)


def test_null_figure_shows_its_reason(tmp_path: Path) -> None:
    folder = write(tmp_path, assistants={"drift": arm(estimate(None, reason="no held-out pairs"))})
    assert build_headline(folder)[3].endswith("not measured: no held-out pairs by the backbone")


def test_all_numbers_are_not_measured_without_metrics_files(tmp_path: Path) -> None:
    lines = build_headline(tmp_path)
    assert len(lines) == 5
    assert all("not measured" in line for line in lines)


def test_best_arm_has_the_largest_minimum_gain_of_both_scorers() -> None:
    figures = {
        "favoured": arm(estimate(0.9), estimate(-0.3)),  # by the user model alone, the best
        "b": arm(estimate(0.1), estimate(0.2)),
        "half": arm(estimate(0.8), estimate(None)),
    }
    assert choose_best_arm({"untrained": {"length": 3}, **figures}) == "b"
    assert choose_best_arm({"c": arm(estimate(None))}) == "c"
