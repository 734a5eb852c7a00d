from turnabout.report.evidence import located


def test_a_message_is_cut_at_its_evidence() -> None:
    assert located("not cooking", "No, not cooking!") == ("No, ", "not cooking", "!")


def test_the_first_of_two_places_is_the_evidence() -> None:
    assert located("no", "no, no") == ("", "no", ", no")


def test_a_rating_stands_in_no_message() -> None:
    assert located("1.0", "thanks") is None
    assert located("1.0", None) is None
    assert located(None, "thanks") is None
    assert located("", "thanks") is None
