import msgspec
import pytest

from turnabout.sources.table.rejects import describe_error


def test_reason_names_the_field_without_its_index() -> None:
    class Row(msgspec.Struct):
        scores: dict[str, list[int]]

    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"scores": {"a": [1, "2"]}}, Row)
    assert describe_error(caught.value) == "scores: expected `int`, got `str`"
    assert describe_error(ValueError("as it is")) == "as it is"
