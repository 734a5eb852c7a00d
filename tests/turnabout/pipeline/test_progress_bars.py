"""Progress bars of tqdm, read from lines of output."""

import pytest

from turnabout.pipeline.progress_bars import ProgressBar, format_duration, is_progress, parse_bar


@pytest.mark.parametrize(
    ("line", "title", "percent", "steps", "seconds_left"),
    [
        ("critiques:  45%|████▌     | 18/40 [00:10<00:12,  1.80reply/s]", "critiques", 45, "18/40", 12),
        ("100%|██████████| 3/3 [00:00<00:00, 2000pair/s]", "", 100, "3/3", 0),
        ("gpt writes:   0%|          | 0/40 [00:00<?, ?call/s]", "gpt writes", 0, "0/40", None),
        ("mine: 1%|| 1/100 [00:10<1:02:03, 1s/it]", "mine", 1, "1/100", 3723),
        # 2 days, 1 h, 2 min and 3 s
        ("mine: 1%|| 1/100 [00:10<2 days, 1:02:03, 1s/it]", "mine", 1, "1/100", 176_523),
        ("17%|█▋        | 1/6 [00:01<00:05,  1.0it/s, loss=3.841]", "", 17, "1/6", 5),
    ],
)
def test_parse_bar_reads_title_percentage_and_time_left(
    line: str, title: str, percent: int, steps: str, seconds_left: int | None
) -> None:
    bar = parse_bar(line)
    assert bar is not None
    assert bar[:4] == (title, percent, steps, seconds_left)
    assert line.endswith(f"| {bar.note}")


@pytest.mark.parametrize(
    "line",
    ["kept 45% of the pairs", "0%|          |memory://.ZXP.tmp", "18it [00:10, 1.8it/s]", "warning: 3 of 4 | 75%"],
)
def test_parse_bar_returns_none_for_other_lines(line: str) -> None:
    assert parse_bar(line) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("critiques:  45%|████▌     | 18/40 [00:10<00:12,  1.80reply/s]", True),
        ("Collecting files and computing hashes in data/messages |0.00 [00:00,     ?file/s]", True),
        ("18it [1:00:10, 1.8it/s]", True),
        ("0%|          |memory://.ZXP.tmp", True),
        ("!", True),
        ("Done!", False),
        ("logs/a.jsonl: openai, 3 conversations [a, b]", False),
        ("warning: 3 × messages: expected one of ['user', 'system']", False),
    ],
)
def test_is_progress_knows_bars_with_a_total_and_without(line: str, expected: bool) -> None:
    assert is_progress(line) == expected


def test_tqdm_draws_bars_that_parse_bar_reads() -> None:
    from tqdm import tqdm

    line = tqdm.format_meter(n=18, total=40, elapsed=10.0, rate=1.8, prefix="critiques", unit="reply", ncols=80)
    # 22 replies are left at 1.8 a second
    assert parse_bar(line) == ProgressBar("critiques", 45, "18/40", 12, "18/40 [00:10<00:12,  1.80reply/s]")


def test_format_duration_keeps_at_least_two_of_the_unit() -> None:
    assert [format_duration(seconds) for seconds in (0, 119, 120, 7199, 7200, 176_523)] == [
        *("0 s", "119 s", "2 min", "120 min", "2 h", "49 h")
    ]
