import polars as pl

from turnabout.cleaning.flags import with_flag


def test_a_flag_is_added_once_and_only_where_meant() -> None:
    schema = {"flags": pl.List(pl.String)}
    messages = pl.DataFrame({"flags": [None, ["redacted"], ["toxic"], None, ["a"]]}, schema=schema)
    flagged = with_flag(messages, "toxic", pl.Series([True, True, True, False, False]))
    assert flagged["flags"].to_list() == [["toxic"], ["redacted", "toxic"], ["toxic"], None, ["a"]]
