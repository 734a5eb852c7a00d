from typing import Any

import polars as pl
import pytest

from turnabout.report import Inputs, render_page
from turnabout.report.sections.augmentation import (
    build_context,
    list_outcomes,
    select_criticised_exchanges,
    summarise_revisions,
)


def test_context_has_the_yield_of_every_table_with_rows(run: Inputs) -> None:
    assert build_context(run)["yields"] == {
        "critiques": [
            {"outcome": "kept", "n": 1, "share": 0.5},
            {"outcome": "dropped: too short", "n": 1, "share": 0.5},
        ],
        "rationales": [{"outcome": "kept", "n": 1, "share": 1.0}],
    }


def test_list_outcomes_puts_the_most_frequent_reason_first() -> None:
    counts = {"n": 8, "kept": 0, "dropped_by_reason": {"cut off": 2, "generic": 4, "copies": 2}}
    assert [(row["outcome"], row["share"]) for row in list_outcomes(counts)] == [
        ("kept", 0.0),
        ("dropped: generic", 0.5),
        ("dropped: copies", 0.25),
        ("dropped: cut off", 0.25),
    ]


def test_page_shows_the_result_of_revisions_if_there_are_any(run: Inputs) -> None:
    assert summarise_revisions(run.critiques) is None
    gains = run.critiques.with_columns(gain=pl.Series([1.5, -0.5]))
    assert summarise_revisions(gains) == {"n": 2, "helped": 1, "mean": 0.5}
    assert "Of 2 critiques tested, 1 made the replies better" in render_page(run._replace(critiques=gains))


def test_examples_show_a_reply_once_with_a_kept_rationale(run: Inputs) -> None:
    rationale = run.rationales.row(0, named=True)
    rows = [
        {**rationale, "kind": "general", "kept": False, "reason": "argues for either side"},
        {**rationale, "kind": "specific"},
    ]
    examples = select_criticised_exchanges(run._replace(rationales=pl.DataFrame(rows, schema=run.rationales.schema)))
    assert [(row["conversation_id"], row["kept"], row["kept_rationale"]) for row in examples] == [
        ("c1", True, True),
        ("c2", False, None),
    ]


@pytest.fixture
def run_with_units(run: Inputs) -> Inputs:
    """Return the run with a critique merged from two units, one vague."""
    unit: dict[str, Any] = {"critic": "task: tiny", "flaw": "It is <i>dull</i>.", "reason": "vague"}
    units = [[unit, {**unit, "flaw": "It is off the topic.", "reason": None}], None]
    critiques = run.critiques.with_columns(units=pl.Series(units, dtype=run.critiques.schema["units"]))
    by_critic = {"task: tiny": {"n": 2, "kept": 1, "dropped_by_reason": {"vague": 1}}}
    counts = {**run.metrics["augment"], "critiques": {**run.metrics["augment"]["critiques"], "units": {}}}
    counts["critiques"]["units"] = {"n": 2, "kept": 1, "dropped_by_reason": {"vague": 1}, "by_critic": by_critic}
    return run._replace(critiques=critiques, metrics={**run.metrics, "augment": counts})


def test_page_shows_dropped_units_and_counts_by_critic(run_with_units: Inputs) -> None:
    page = render_page(run_with_units)
    assert "dropped: vague" in page
    assert "It is &lt;i&gt;dull&lt;/i&gt;." in page
    assert "It is off the topic." not in page
    assert '<th>task: tiny</th><td class="n">2</td><td class="n">1</td><td>1 × vague</td>' in page
