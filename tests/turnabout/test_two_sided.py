from typing import Any

import polars as pl

from turnabout import schemas
from turnabout.two_sided import two_sided


def pair(name: str, **columns: Any) -> dict[str, Any]:
    return {**dict.fromkeys(schemas.PAIRS), "pair_id": name, "chosen": "a", "rejected": "b", **columns}


def test_only_two_replies_to_one_prompt_compare() -> None:
    other = [{"role": "user", "content": "hi"}]
    rows = [pair("both"), pair("liked", rejected=None), pair("disliked", chosen=None), pair("x", rejected_prompt=other)]
    kept, skipped = two_sided(pl.DataFrame(rows, schema=schemas.PAIRS))
    assert kept["pair_id"].to_list() == ["both"]
    assert skipped == {"different prompts": 1, "one reply alone": 2}
    assert kept.schema == schemas.PAIRS
