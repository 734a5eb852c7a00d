import polars as pl

from turnabout.report import Inputs, render_page
from turnabout.report.sections.log import MAX_REASONS, build_context, build_funnel, count_quarantine


def test_funnel_goes_from_records_read_to_splits(run: Inputs) -> None:
    # 5 readable and 2 rejected records: 7 read; 3 of them kept; one conversation in each split, two set aside
    rows = [(row["step"], row["n"], row["people"], round(row["share"], 3)) for row in build_funnel(run)]

    assert rows == [
        ("read", 7, None, 1.0),
        ("readable", 5, None, 0.714),
        ("kept", 3, 3, 0.429),
        ("train", 1, 1, 0.143),
        ("validation", 1, 1, 0.143),
        ("test", 1, 1, 0.143),
        ("excluded", 2, 1, 0.286),
    ]


def test_log_that_names_no_people_counts_none(run: Inputs) -> None:
    split = {**run.metrics["split"], "names_people": False}
    unnamed = run._replace(metrics={**run.metrics, "split": split})

    assert {row["people"] for row in build_funnel(unnamed)} == {None}
    page = render_page(unnamed)
    assert "the splits are by conversation" in page
    assert "“held-out people” are held-out conversations" in page
    assert "3 conversations (this log names no people; splits are by conversation)" in page
    assert "The splits are by person" in render_page(run)


def test_page_lists_what_each_of_several_files_was_read_as(run: Inputs) -> None:
    counts = {"conversations": 3, "messages": 9, "rejected": 1}
    files = [{"file": "logs/a.jsonl", "format": "openai", **counts}, {"file": "logs/b.jsonl", "format": None, **counts}]
    ingest = {**run.metrics["ingest"], "files": files, "warnings": ["logs/a.jsonl: 2 conversations have 'nps'"]}
    page = render_page(run._replace(metrics={**run.metrics, "ingest": ingest}))

    assert '<th class="reason">logs/a.jsonl</th><td>openai</td>' in page
    assert '<th class="reason">logs/b.jsonl</th><td>empty</td>' in page
    assert "2 conversations have &#39;nps&#39;" in page
    assert "What each file was read as" not in render_page(run)


def build_quarantine(run: Inputs, *reasons: str) -> pl.DataFrame:
    """Return a quarantine with one record `log.jsonl:<line>` per reason."""
    rows = [
        {"source": "openai", "record": f"log.jsonl:{line}", "reason": reason, "excerpt": ""}
        for line, reason in enumerate(reasons, 1)
    ]
    return pl.DataFrame(rows, schema=run.ingest_quarantine.schema)


def test_count_quarantine_shows_number_first_record_and_source(run: Inputs) -> None:
    # "same messages as another conversation: r1" and "…: r2" differ in the id only
    assert count_quarantine(run.clean_quarantine) == [
        {"reason": "same messages as another conversation", "n": 2, "first": "r3", "source": "chitchat"}
    ]


def test_count_quarantine_keeps_the_whole_reason(run: Inputs) -> None:
    parts = "messages.content: only text parts can be read, came 'image_url'"
    rows = count_quarantine(build_quarantine(run, "messages.role: missing", parts, parts))

    assert [(row["reason"], row["n"], row["first"]) for row in rows] == [
        (parts, 2, "log.jsonl:2"),
        ("messages.role: missing", 1, "log.jsonl:1"),
    ]
    page = render_page(run._replace(ingest_quarantine=build_quarantine(run, parts)))
    assert "messages.content: only text parts can be read, came &#39;image_url&#39;</th>" in page
    assert '<td class="quiet record">log.jsonl:1</td><td class="quiet">openai</td>' in page


def test_count_quarantine_of_an_empty_table_has_no_rows(run: Inputs) -> None:
    assert count_quarantine(run.ingest_quarantine.clear()) == []


def test_count_quarantine_merges_rare_reasons(run: Inputs) -> None:
    reasons = [f"field_{i}: is missing" for i in range(MAX_REASONS + 2)]
    rows = count_quarantine(build_quarantine(run, *reasons, reasons[-1]))

    assert len(rows) == MAX_REASONS + 1
    assert rows[0]["n"] == 2
    assert rows[-1]["reason"] == "2 rarer reasons"
    assert sum(row["n"] for row in rows) == len(reasons) + 1


def test_context_leaves_out_zero_counts(run: Inputs) -> None:
    context = build_context(run)

    assert context["scrubbed"] == {"email": 2}
    assert context["excluded"] == {"known person in test": 2}
