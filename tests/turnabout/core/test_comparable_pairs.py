from typing import Any

import polars as pl

from turnabout.core import schemas
from turnabout.core.comparable_pairs import split_comparable_pairs


def pair(name: str, **columns: Any) -> dict[str, Any]:
    return {**dict.fromkeys(schemas.PAIRS), "pair_id": name, "chosen": "a", "rejected": "b", **columns}


def test_only_two_replies_to_one_prompt_compare() -> None:
    other = [{"role": "user", "content": "hi"}]
    rows = [pair("both"), pair("liked", rejected=None), pair("disliked", chosen=None), pair("x", rejected_prompt=other)]
    kept, skipped = split_comparable_pairs(pl.DataFrame(rows, schema=schemas.PAIRS))
    assert kept["pair_id"].to_list() == ["both"]
    assert skipped == {"different prompts": 1, "one reply alone": 2}
    assert kept.schema == schemas.PAIRS
