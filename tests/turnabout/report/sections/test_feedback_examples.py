import polars as pl

from turnabout.report import Inputs, render_page
from turnabout.report.sections.feedback import list_accuracies, locate_span, select_exchanges


def test_select_exchanges_alternates_kinds_most_confident_first(run: Inputs) -> None:
    signals = pl.concat(
        [
            run.feedback.filter(category="correction").with_columns(confidence=0.6),
            run.feedback.filter(category="correction").with_columns(conversation_id=pl.lit("c3"), confidence=0.9),
            run.feedback.filter(category="clarification"),
            run.feedback.filter(category="clarification").with_columns(
                conversation_id=pl.lit("c1"), reply_index=pl.lit(3, pl.Int32), confidence=0.4
            ),
        ]
    )
    examples = select_exchanges(run.messages, signals, "dsat", 4)

    assert [(row["category"], row["conversation_id"]) for row in examples] == [
        ("clarification", "c2"),
        ("correction", "c3"),
        ("clarification", "c1"),
        ("correction", "c1"),
    ]
    assert len(select_exchanges(run.messages, signals, "dsat", 2)) == 2


def test_select_exchanges_adds_the_messages_around_the_reply(run: Inputs) -> None:
    (row,) = (row for row in select_exchanges(run.messages, run.feedback, "sat", 9) if row["category"] == "positive")

    assert row["previous_user"] == "No, I asked about films, not cooking."
    assert row["reply"].startswith("Sorry! Try Paterson")
    assert row["evidence"] == ("thanks, ", "that's great", "")


def test_a_rating_is_not_evidence_in_the_follow_up(run: Inputs) -> None:
    messages = run.messages.with_columns(pl.col("text").str.replace("lovely!", "version 1.0 of you!"))
    (row,) = (row for row in select_exchanges(messages, run.feedback, "sat", 9) if row["category"] == "rating")

    assert row["follow_up"] == "version 1.0 of you! is it cold?"
    assert row["evidence"] is None


def test_select_exchanges_puts_repeated_spans_last(run: Inputs) -> None:
    again = run.feedback.filter(category="correction")
    signals = pl.concat(
        [
            again.with_columns(confidence=0.9),
            again.with_columns(conversation_id=pl.lit("c2"), span=pl.col("span").str.to_uppercase(), confidence=0.8),
            again.with_columns(conversation_id=pl.lit("c3"), span=pl.lit("lovely"), confidence=0.7),
        ]
    )

    assert [row["conversation_id"] for row in select_exchanges(run.messages, signals, "dsat", 3)] == ["c1", "c3", "c2"]


def test_list_accuracies_puts_all_miners_together_first() -> None:
    figure = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 50}
    figures = {"precision": figure, "recall": {**figure, "value": 0.4}, "kappa": figure}
    rows = list_accuracies({"miners": {"rules": {"sat": figures}}, "decisions": {"dsat": figures}})

    assert [(row["finder"], row["label"], row["recall"].value) for row in rows] == [
        ("all together", "dsat", 0.4),
        ("rules", "sat", 0.4),
    ]
    assert list_accuracies({}) == []


def test_page_shows_the_agreement_with_people(run: Inputs) -> None:
    figure = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 50}
    figures = {"dsat": {"precision": figure, "recall": figure, "kappa": figure}}
    mine = {**run.metrics["mine"], "accuracy": {"n_exchanges": 50, "decisions": figures, "miners": {}}}

    assert "no sample of this log has been labelled by people yet" in render_page(run)
    page = render_page(run._replace(metrics={**run.metrics, "mine": mine}))
    assert "People labelled a sample of 50 exchanges" in page
    assert "<th>all together</th>" in page


def test_locate_span_splits_a_message_at_the_evidence() -> None:
    assert locate_span("not cooking", "No, not cooking!") == ("No, ", "not cooking", "!")


def test_locate_span_takes_the_first_occurrence() -> None:
    assert locate_span("no", "no, no") == ("", "no", ", no")


def test_locate_span_returns_none_if_the_span_is_not_in_the_text() -> None:
    assert locate_span("1.0", "thanks") is None
    assert locate_span("1.0", None) is None
    assert locate_span(None, "thanks") is None
    assert locate_span("", "thanks") is None
