"""The five numbers, measured and not measured."""

import json
from pathlib import Path

from turnabout.headline import best_arm, headline
from turnabout.report.figures import Figure, shown


def estimate(value: float | None, low: float | None = None, high: float | None = None, **more: str) -> dict:
    return {"value": value, "low": low, "high": high, **more}


def write(folder: Path, **files: object) -> Path:
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def arm(gain: dict, accuracy: object = None) -> dict:
    return {"versus_untrained": {"follow_up_likelihood": gain}, "ranking_accuracy": {"drift": accuracy}}


def test_five_lines_with_intervals_of_the_best_arm(tmp_path: Path) -> None:
    bits = {"trained": {"with_intent": estimate(1.5, 1.4, 1.6)}, "untrained": {"with_intent": estimate(2.0, 1.9, 2.1)}}
    f1 = {"trained": {"f1": estimate(0.4, 0.3, 0.5)}, "untrained": {"f1": estimate(0.1, 0.0, 0.2)}}
    folder = write(
        tmp_path,
        mine={"n_sat": 3, "n_dsat": 4, "n_exchanges": 1500},
        user={"bits_per_character": bits, "termination": f1},
        assistants={"untrained": {}, "drift": arm(estimate(0.2, 0.1, 0.3), estimate(0.75, 0.6, 0.9))},
    )
    lines = headline(folder)
    assert lines[0].endswith("3 sat and 4 dsat signals in 1,500 exchanges")
    assert f"{shown(Figure(1.5, 1.4, 1.6))} trained, {shown(Figure(2.0, 1.9, 2.1))} untrained" in lines[1]
    assert f"{shown(Figure(0.4, 0.3, 0.5))} trained" in lines[2]
    assert lines[3].endswith(
        f"(drift), follow-up likelihood over untrained: {shown(Figure(0.2, 0.1, 0.3), signed=True)}"
    )
    assert lines[4].endswith(shown(Figure(0.75, 0.6, 0.9)))


def test_an_interval_that_contains_zero_is_inside_the_noise(tmp_path: Path) -> None:
    folder = write(tmp_path, assistants={"drift": arm(estimate(0.2, -0.1, 0.5))})
    assert headline(folder)[3].endswith("inside the noise")


def test_a_null_says_why_it_is_not_measured(tmp_path: Path) -> None:
    folder = write(tmp_path, assistants={"drift": arm(estimate(None, reason="no held-out pairs"))})
    assert headline(folder)[3].endswith("not measured: no held-out pairs")


def test_without_any_metrics_every_number_is_not_measured(tmp_path: Path) -> None:
    lines = headline(tmp_path)
    assert len(lines) == 5
    assert all("not measured" in line for line in lines)


def test_the_best_arm_gains_most_and_an_unmeasured_one_never_wins() -> None:
    gains = {"a": arm(estimate(-0.3)), "b": arm(estimate(0.1)), "c": arm(estimate(None))}
    assert best_arm({"untrained": {"length": 3}, **gains}) == "b"
    assert best_arm({"c": arm(estimate(None))}) == "c"
