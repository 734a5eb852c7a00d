from turnabout.report.evidence import locate_span


def test_a_message_is_cut_at_its_evidence() -> None:
    assert locate_span("not cooking", "No, not cooking!") == ("No, ", "not cooking", "!")


def test_the_first_of_two_places_is_the_evidence() -> None:
    assert locate_span("no", "no, no") == ("", "no", ", no")


def test_a_rating_stands_in_no_message() -> None:
    assert locate_span("1.0", "thanks") is None
    assert locate_span("1.0", None) is None
    assert locate_span(None, "thanks") is None
    assert locate_span("", "thanks") is None
