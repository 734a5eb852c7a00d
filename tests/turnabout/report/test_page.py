import re

from turnabout.report import Inputs, render_page
from turnabout.report.sections import SECTIONS


def test_same_inputs_give_the_same_bytes(run: Inputs) -> None:
    assert render_page(run) == render_page(run)


def test_text_from_logs_cannot_become_markup(run: Inputs) -> None:
    page = render_page(run)

    assert "<script" not in page
    assert "what do you mean</mark> by &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;?" in page


def test_evidence_is_highlighted_verbatim(run: Inputs) -> None:
    assert "No, <mark>I asked about films, not cooking</mark>." in render_page(run)


def test_nothing_is_loaded_from_outside_the_page(run: Inputs) -> None:
    page = render_page(run)

    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []


def test_every_link_has_its_target_and_no_id_occurs_twice(run: Inputs) -> None:
    page = render_page(run)
    ids = re.findall(r'\bid="([^"]+)"', page)

    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_every_chart_says_what_it_shows_and_takes_its_colours_from_the_page(run: Inputs) -> None:
    page = render_page(run)
    charts = re.findall(r"<svg[^>]*>", page)

    assert len(charts) == 6  # signals, bits, turns, loss of the user model, losses of the arms, differences
    assert all(re.search(r'role="img" aria-label="[^"]{20,}"', chart) for chart in charts)
    assert "Signals by kind: positive (sat) 1, rating (sat) 1, clarification (dsat) 1, correction (dsat) 1" in page
    assert re.findall(r"(?:fill|stroke): #0[0-9a-f]{5}", page) == []


def test_differences_inside_the_noise_are_greyed_and_said_so(run: Inputs) -> None:
    page = " ".join(render_page(run).split())

    # drift: 0.02 ± 0.09 includes 0; follow_up: 0.21 ± 0.12 does not
    assert '<span class="noise">+0.02 <span class="interval">[−0.07, +0.11]</span>' in page
    assert '<span class="higher">+0.21 <span class="interval">[+0.09, +0.33]</span>' in page


def test_an_arm_without_a_single_figure_is_listed_all_the_same(run: Inputs) -> None:
    late = run._replace(
        arms={**run.arms, "late": "data/critiques.parquet"},
        pairs={**run.pairs, "late": run.pairs["drift"].clear()},
        rollouts={**run.rollouts, "late": run.rollouts["drift"].clear()},
        assistant_curves={**run.assistant_curves, "late": run.assistant_curves["drift"].clear()},
    )
    page = render_page(late)

    assert page.count('<th class="n">late</th>') == 2  # differences and figures
    assert "Pairs of arm late" in page
    assert "This arm kept no pair." in page
    assert "<h4>late</h4>" in page
    assert "The assistant of arm late was not compared with the untrained one: no figure was written." in page


def test_a_run_without_anything_says_so_in_words(empty_run: Inputs) -> None:
    page = render_page(empty_run)

    assert all(f'<section id="{section.name}">' in page for section in SECTIONS)
    assert "<svg" not in page
    for words in (
        "No signal was found",
        "Prediction was not measured: no figure was written",
        "No reply drew dissatisfaction clear enough to write about.",
        "No arm could be compared with the untrained assistant.",
        "Nothing was simulated: no held-out conversation has an intent to start from.",
    ):
        assert words in page


def test_a_run_without_arms_says_so(empty_run: Inputs) -> None:
    bare = empty_run._replace(
        arms={}, pairs={}, assistant_curves={}, rollouts={"untrained": empty_run.rollouts["untrained"]}
    )

    assert "No arm is set in params.yaml, so no assistant was trained." in render_page(bare)
