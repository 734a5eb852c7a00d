"""The synthetic log of the benchmarks."""

from itertools import chain
from pathlib import Path

from benchmarks.synthetic_log import compute_check_digit, generate_records, write_days
from turnabout.sources.openai import OpenAI


def test_write_days_gives_the_same_bytes_for_a_seed_and_day(tmp_path: Path) -> None:
    write_days(tmp_path / "both", [0, 1], 300, seed=1)
    write_days(tmp_path / "second", [1], 300, seed=1)
    write_days(tmp_path / "other", [1], 300, seed=2)
    both, second, other = ((tmp_path / name / "2026-01-02.jsonl").read_bytes() for name in ("both", "second", "other"))
    assert both == second != other


def test_write_days_writes_the_requested_number_of_messages(tmp_path: Path) -> None:
    n_messages = write_days(tmp_path, [0], 500, seed=1, suffix=".jsonl.zst")
    source = OpenAI(format="openai", path=str(tmp_path))
    batches = list(chain.from_iterable(source.read_batches(piece) for piece in source.list_pieces()))
    assert 500 <= n_messages < 530
    assert sum(batch.messages.height for batch in batches) == n_messages
    assert all(batch.quarantine.is_empty() for batch in batches)


def test_generate_records_repeats_some_conversations() -> None:
    conversations = [
        str([message["content"] for message in record["messages"]]) for record in generate_records(0, 5_000, seed=1)
    ]
    assert 0 < len(conversations) - len(set(conversations)) < 0.05 * len(conversations)


def test_compute_check_digit_matches_a_published_test_card() -> None:
    assert compute_check_digit("4242 4242 4242 424") == "2"
