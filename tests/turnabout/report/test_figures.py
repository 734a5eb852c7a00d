import pytest

from turnabout.report.figures import Figure, format_count, format_estimate, format_number, read_figure


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [
        (Figure(0.2, 0.1, 0.3), "higher"),
        (Figure(-0.2, -0.3, -0.1), "lower"),
        (Figure(0.2, -0.01, 0.4), "inside the noise"),
        (Figure(-0.2, -0.4, 0.01), "inside the noise"),
        (Figure(0.2, 0.0, 0.4), "inside the noise"),
        (Figure(0.0, 0.0, 0.0), "inside the noise"),
        (Figure(0.2), "inside the noise"),
        (Figure(None), "not measured"),
    ],
)
def test_verdict_is_a_difference_only_if_the_interval_excludes_zero(difference: Figure, verdict: str) -> None:
    assert difference.verdict == verdict


def test_read_figure_reads_from_any_depth() -> None:
    tree = {"reward": {"drift": {"value": 1.5, "low": 1.0, "high": 2.0, "n": 7}}, "threshold": 0.3}

    assert read_figure(tree, "reward", "drift")[:4] == (1.5, 1.0, 2.0, 7)
    assert read_figure(tree, "threshold").value == 0.3
    assert read_figure(tree, "reward", "other").value is None
    assert read_figure(tree, "nothing", "at", "all") == Figure(None)


@pytest.mark.parametrize(
    "tree",
    [
        {"a": {"b": None, "b_reason": "one person"}},
        {"a": {"b": None, "reason": "one person"}},
        {"a": None, "a_reason": "one person"},
        {"a": {"b": {"value": None, "reason": "one person"}}},
    ],
)
def test_read_figure_keeps_the_reason_of_a_null(tree: dict[str, object]) -> None:
    assert read_figure(tree, "a", "b") == Figure(None, reason="one person")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (1234.5, "1,234"),
        (61.74, "61.7"),
        (1.849, "1.85"),
        (0.4321, "0.43"),
        (-0.0123, "−0.012"),
    ],
)
def test_format_number_shows_two_or_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_format_number_gives_zero_no_sign() -> None:
    assert format_number(0.0, signed=True) == "0.000"
    assert format_number(-0.0001) == "0.000"


def test_format_estimate_gives_value_and_interval_the_same_decimals() -> None:
    assert format_estimate(Figure(9.5, 8.25, 11.0)) == "9.5 [8.2, 11.0]"
    assert format_estimate(Figure(0.02, -0.07, 0.11), signed=True) == "+0.02 [−0.07, +0.11]"
    assert format_estimate(Figure(None)) == "not measured"


def test_format_count_uses_the_right_noun() -> None:
    assert format_count(1, "person", "people") == "1 person"
    assert format_count(1200, "person", "people") == "1,200 people"
