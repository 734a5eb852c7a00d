import re

from turnabout.report import Inputs, render_page
from turnabout.report.sections import SECTIONS


def test_page_is_the_same_bytes_for_the_same_inputs(run: Inputs) -> None:
    assert render_page(run) == render_page(run)


def test_page_escapes_text_from_logs(run: Inputs) -> None:
    page = render_page(run)

    assert "<script" not in page
    assert "what do you mean</mark> by &lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;?" in page


def test_page_marks_evidence_verbatim(run: Inputs) -> None:
    assert "No, <mark>I asked about films, not cooking</mark>." in render_page(run)


def test_page_loads_nothing_from_outside(run: Inputs) -> None:
    page = render_page(run)

    assert re.findall(r'(?:src|href)="(?!#)[^"]*"', page) == []
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []


def test_page_has_a_target_for_every_link_and_unique_ids(run: Inputs) -> None:
    page = render_page(run)
    ids = re.findall(r'\bid="([^"]+)"', page)

    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_charts_have_a_text_and_the_colours_of_the_page(run: Inputs) -> None:
    page = render_page(run)
    charts = re.findall(r"<svg[^>]*>", page)

    assert len(charts) == 6  # signals, bits, turns, loss of the user model, losses of the arms, differences
    assert all(re.search(r'role="img" aria-label="[^"]{20,}"', chart) for chart in charts)
    assert "Signals by kind: positive (sat) 1, rating (sat) 1, clarification (dsat) 1, correction (dsat) 1" in page
    assert re.findall(r"(?:fill|stroke): #0[0-9a-f]{5}", page) == []


def test_charts_scale_to_the_width_of_the_page(run: Inputs) -> None:
    page = render_page(run)

    for chart in re.findall(r"<svg[^>]*>", page):
        assert "viewBox=" in chart
        assert not re.search(r'\s(?:width|height)="', chart)
    (rule,) = re.findall(r"figure svg \{([^}]*)\}", page)
    assert "width: 100%" in rule
    assert "min-width" not in rule


def test_captions_stand_outside_of_scrolled_boxes(run: Inputs) -> None:
    page = render_page(run)
    boxes = re.findall(r'<div class="scroll".*?</div>', page, re.DOTALL)

    assert len(boxes) == page.count("<table>") > 5
    assert all(box.count("<table>") == 1 and "caption" not in box for box in boxes)
    assert "<caption" not in page


def test_sentences_are_separated_by_a_blank(run: Inputs) -> None:
    page = re.sub(r"<style.*?</style>|<svg.*?</svg>", "", render_page(run), flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "", page)

    assert "again are marked.\nA message that is too long" in text
    assert re.findall(r"\w+[.!?][A-Z]\w+", text) == []


def test_differences_inside_the_noise_are_grey(run: Inputs) -> None:
    page = " ".join(render_page(run).split())

    # drift: 0.02 ± 0.09 includes 0; follow_up: 0.21 ± 0.12 does not
    assert '<span class="noise">+0.02 <span class="interval">[−0.07, +0.11]</span>' in page
    assert '<span class="higher">+0.21 <span class="interval">[+0.09, +0.33]</span>' in page


def test_page_lists_an_arm_without_any_figure(run: Inputs) -> None:
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


def test_page_of_an_empty_run_says_what_is_missing(empty_run: Inputs) -> None:
    page = render_page(empty_run)

    assert all(f'<section id="{section.name}">' in page for section in SECTIONS)
    assert "<svg" not in page
    for text in (
        "No signal was found",
        "Prediction was not measured: no figure was written",
        "No reply caused dissatisfaction that was clear enough to write about.",
        "No arm could be compared with the untrained assistant.",
        "Nothing was simulated: no held-out conversation has an intent to start from.",
    ):
        assert text in page


def test_page_says_that_no_arm_is_set(empty_run: Inputs) -> None:
    bare = empty_run._replace(
        arms={}, pairs={}, assistant_curves={}, rollouts={"untrained": empty_run.rollouts["untrained"]}
    )

    assert "No arm is set in params.yaml, so no assistant was trained." in render_page(bare)
