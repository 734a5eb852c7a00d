from turnabout.report import Inputs
from turnabout.report.sections.log import build_context, build_funnel, count_quarantine


def test_the_funnel_goes_from_records_read_to_splits(run: Inputs) -> None:
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


def test_reasons_are_counted_by_kind_with_the_place_of_the_first(run: Inputs) -> None:
    # "duplicate: same as r1" and "duplicate: same as r2" are one kind
    assert count_quarantine(run.clean_quarantine) == [{"reason": "duplicate", "n": 2, "first": "r3"}]


def test_only_what_happened_is_told_of_scrubbing_and_exclusion(run: Inputs) -> None:
    told = build_context(run)

    assert told["scrubbed"] == {"email": 2}
    assert told["excluded"] == {"known person in test": 2}
