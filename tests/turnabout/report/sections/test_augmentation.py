from typing import Any

import polars as pl
import pytest

from turnabout.report import Inputs, render_page
from turnabout.report.sections.augmentation import build_context, select_criticised_exchanges, list_outcomes, summarise_revisions


def test_the_yield_of_every_table_with_rows_is_told(run: Inputs) -> None:
    assert build_context(run)["yields"] == {
        "critiques": [
            {"fate": "kept", "n": 1, "share": 0.5},
            {"fate": "dropped: too short", "n": 1, "share": 0.5},
        ],
        "rationales": [{"fate": "kept", "n": 1, "share": 1.0}],
    }


def test_the_most_frequent_reason_comes_first() -> None:
    counts = {"n": 8, "kept": 0, "dropped_by_reason": {"cut off": 2, "generic": 4, "copies": 2}}
    assert [(row["fate"], row["share"]) for row in list_outcomes(counts)] == [
        ("kept", 0.0),
        ("dropped: generic", 0.5),
        ("dropped: copies", 0.25),
        ("dropped: cut off", 0.25),
    ]


def test_what_trying_critiques_showed_is_told_where_any_was(run: Inputs) -> None:
    assert summarise_revisions(run.critiques) is None
    gains = run.critiques.with_columns(gain=pl.Series([1.5, -0.5]))
    assert summarise_revisions(gains) == {"n": 2, "helped": 1, "mean": 0.5}
    assert "Of 2 tried, 1 made the replies better" in render_page(run._replace(critiques=gains))


def test_a_reply_is_shown_once_with_a_kept_rationale_if_it_has_one(run: Inputs) -> None:
    row = run.rationales.row(0, named=True)
    rows = [{**row, "kind": "general", "kept": False, "reason": "argues for either side"}, {**row, "kind": "specific"}]
    found = select_criticised_exchanges(run._replace(rationales=pl.DataFrame(rows, schema=run.rationales.schema)))
    assert [(each["conversation_id"], each["kept"], each["kept_rationale"]) for each in found] == [
        ("c1", True, True),
        ("c2", False, None),
    ]


@pytest.fixture
def merged(run: Inputs) -> Inputs:
    """The run with a critique merged from two units, one of them vague."""
    unit: dict[str, Any] = {"critic": "task: tiny", "flaw": "It is <i>dull</i>.", "reason": "vague"}
    units = [[unit, {**unit, "flaw": "It is off the topic.", "reason": None}], None]
    critiques = run.critiques.with_columns(units=pl.Series(units, dtype=run.critiques.schema["units"]))
    by_critic = {"task: tiny": {"n": 2, "kept": 1, "dropped_by_reason": {"vague": 1}}}
    counts = {**run.metrics["augment"], "critiques": {**run.metrics["augment"]["critiques"], "units": {}}}
    counts["critiques"]["units"] = {"n": 2, "kept": 1, "dropped_by_reason": {"vague": 1}, "by_critic": by_critic}
    return run._replace(critiques=critiques, metrics={**run.metrics, "augment": counts})


def test_dropped_units_are_shown_and_critics_counted(merged: Inputs) -> None:
    page = render_page(merged)
    assert "dropped: vague" in page
    assert "It is &lt;i&gt;dull&lt;/i&gt;." in page
    assert "It is off the topic." not in page
    assert '<th>task: tiny</th><td class="n">2</td><td class="n">1</td><td>1 × vague</td>' in page
