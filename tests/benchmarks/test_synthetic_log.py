"""The log that the benchmarks make up."""

from pathlib import Path

from benchmarks.synthetic_log import compute_check_digit, generate_records, write_days
from turnabout.sources.openai import OpenAI


def test_the_same_seed_writes_the_same_bytes_whatever_other_days_are_written(tmp_path: Path) -> None:
    write_days(tmp_path / "both", [0, 1], 300, seed=1)
    write_days(tmp_path / "second", [1], 300, seed=1)
    write_days(tmp_path / "other", [1], 300, seed=2)
    both, second, other = ((tmp_path / name / "2026-01-02.jsonl").read_bytes() for name in ("both", "second", "other"))
    assert both == second != other


def test_a_day_has_as_many_messages_as_told_and_is_read_whole(tmp_path: Path) -> None:
    n_messages = write_days(tmp_path, [0], 500, seed=1, suffix=".jsonl.zst")
    source = OpenAI(format="openai", path=str(tmp_path))
    batches = [batch for piece in source.list_pieces() for batch in source.read_batches(piece)]
    assert 500 <= n_messages < 530
    assert sum(batch.messages.height for batch in batches) == n_messages
    assert all(batch.quarantine.is_empty() for batch in batches)


def test_some_conversations_say_what_another_says() -> None:
    told = [str([message["content"] for message in record["messages"]]) for record in generate_records(0, 5_000, seed=1)]
    assert 0 < len(told) - len(set(told)) < 0.05 * len(told)


def test_the_check_digit_is_that_of_a_published_test_card() -> None:
    assert compute_check_digit("4242 4242 4242 424") == "2"
