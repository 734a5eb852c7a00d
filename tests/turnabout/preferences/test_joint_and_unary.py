"""Joint pairs and unary rows: matching, and weights of single replies."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.preferences.joint import Joint
from turnabout.preferences.unary import Unary


class Logs(NamedTuple):
    messages: pl.DataFrame
    splits: pl.DataFrame
    feedback: pl.DataFrame


@pytest.fixture
def judged(messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]) -> Callable[..., Logs]:
    """Builds logs: `judged({"a": ("train", "ask", "reply", "sat"), …})`.

    Reply 1 of each conversation has that label.
    """

    def build(talks: Mapping[str, tuple[str, str, str, str]]) -> Logs:
        conversations = [messages(name, ask, reply, f"what {name} said") for name, (_, ask, reply, _) in talks.items()]
        splits = [{"conversation_id": n, "user_key": f"by {n}", "split": talk[0]} for n, talk in talks.items()]
        feedback = [signal(n, 1, talk[3], confidence=0.8 if talk[3] == "sat" else 0.6) for n, talk in talks.items()]
        return Logs(
            messages=pl.concat(conversations),
            splits=pl.DataFrame(splits, schema=schemas.SPLITS),
            feedback=pl.DataFrame(feedback, schemas.FEEDBACK),
        )

    return build


def test_joint_matches_replies_of_one_length_by_similar_requests(judged: Callable[..., Logs]) -> None:
    logs = judged(
        {
            "a": ("train", "write a poem on cats", "no, not in the mood", "dsat"),  # 19 characters: 16 to 31
            "b": ("train", "a poem on cats please", "soft paws on the sill", "sat"),
            "c": ("train", "is tea good", "it is, for most of us", "sat"),
            "d": ("train", "a poem on cats", "miaow" * 20, "sat"),  # another length
            "e": ("test", "write a poem on cats", "soft paws on the sill", "sat"),
            "f": ("validation", "write a poem on cats", "soft paws on the sill", "sat"),
        }
    )
    (pair,) = Joint().find_pairs(*logs).to_dicts()
    assert pair["pair_id"] == "joint:a:1:b:1"
    assert (pair["chosen"], pair["rejected"]) == ("soft paws on the sill", "no, not in the mood")
    assert pair["prompt"] == [{"role": "user", "content": "a poem on cats please"}]
    assert pair["rejected_prompt"] == [{"role": "user", "content": "write a poem on cats"}]
    assert (pair["conversation_id"], pair["user_key"], pair["evidence"]) == ("a", "by a", "what a said")
    assert (pair["r_chosen"], pair["r_rejected"], pair["margin"], pair["weight"]) == (
        0.8,
        -0.6,
        pytest.approx(1.4),
        0.6,
    )


def test_joint_maximises_total_similarity_with_each_reply_in_one_pair(judged: Callable[..., Logs]) -> None:
    # c resembles both failures; if it were matched with the first, only tea would remain for the second.
    logs = judged(
        {
            "a": ("train", "cats and tea", "failed it", "dsat"),
            "b": ("train", "cats only", "failed me", "dsat"),
            "c": ("train", "cats", "well done", "sat"),
            "d": ("train", "tea", "well said", "sat"),
        }
    )
    pairs = Joint().find_pairs(*logs)
    assert pairs["pair_id"].to_list() == ["joint:a:1:d:1", "joint:b:1:c:1"]
    # every word of c and d is in its request
    assert Joint(min_similarity=100).find_pairs(*logs)["keep"].to_list() == [True, True]


def test_joint_drops_requests_below_min_similarity(judged: Callable[..., Logs]) -> None:
    logs = judged({"a": ("train", "xyz", "failed it", "dsat"), "b": ("train", "uvw", "well done", "sat")})
    assert Joint().find_pairs(*logs)["keep"].to_list() == [True]
    assert Joint(min_similarity=50).find_pairs(*logs)["reason"].to_list() == ["requests too different"]


def test_joint_drops_pairs_within_one_conversation(
    messages: Callable[..., pl.DataFrame], signal: Callable[..., dict[str, Any]]
) -> None:
    log = messages("a", "hi", "failed it", "hi again", "well done", "thanks")
    splits = pl.DataFrame([{"conversation_id": "a", "user_key": "u", "split": "train"}], schema=schemas.SPLITS)
    feedback = pl.DataFrame([signal("a", 1), signal("a", 3, "sat")], schema=schemas.FEEDBACK)
    assert Joint().find_pairs(log, splits, feedback)["reason"].to_list() == ["same conversation"]
    # A reply of another conversation is preferred, however different its request is.
    log = pl.concat([log, messages("b", "xyz", "all well", "thanks")])
    splits = pl.concat([splits, splits.with_columns(conversation_id=pl.lit("b"))])
    feedback = pl.DataFrame([signal("a", 1), signal("a", 3, "sat"), signal("b", 1, "sat")], schema=schemas.FEEDBACK)
    assert Joint().find_pairs(log, splits, feedback)["pair_id"].to_list() == ["joint:a:1:b:1"]


@pytest.mark.parametrize("rule", [Joint(), Unary()])
def test_rule_without_feedback_gives_no_pairs(rule: Joint | Unary, judged: Callable[..., Logs]) -> None:
    logs = judged({"a": ("train", "hi", "well done", "sat")})
    built = rule.find_pairs(logs.messages, logs.splits, schemas.FEEDBACK.to_frame())
    assert (built.height, built.schema) == (0, schemas.PAIRS)


def test_joint_gives_no_pair_from_praise_alone(judged: Callable[..., Logs]) -> None:
    assert Joint().find_pairs(*judged({"a": ("train", "hi", "well done", "sat")})).is_empty()


def test_unary_has_one_side_per_row_and_balances_the_labels(judged: Callable[..., Logs]) -> None:
    logs = judged(
        {
            "a": ("train", "hi", "well done", "sat"),
            "b": ("train", "hi", "failed it", "dsat"),
            "c": ("train", "hi", "failed me", "dsat"),
            "d": ("train", "hi", "failed us", "dsat"),
            "e": ("validation", "hi", "failed all", "dsat"),
            "f": ("test", "hi", "well done", "sat"),
            "g": ("train", "hi", " ", "dsat"),
        }
    )
    rows = Unary().find_pairs(*logs)
    # Training: 1 liked, 3 disliked of 4, and the blank one counts for nothing. Factors 4/(2·1) = 2 and 4/(2·3) = 2/3.
    columns = ["pair_id", "chosen", "rejected", "r_chosen", "r_rejected", "reason"]
    assert rows.select(columns).rows() == [
        ("unary:a:1", "well done", None, 0.8, None, None),
        ("unary:b:1", None, "failed it", None, -0.6, None),
        ("unary:c:1", None, "failed me", None, -0.6, None),
        ("unary:d:1", None, "failed us", None, -0.6, None),
        ("unary:e:1", None, "failed all", None, -0.6, None),
        ("unary:g:1", None, " ", None, -0.6, "empty"),
    ]
    assert rows["weight"].to_list()[:5] == pytest.approx([0.8 * 2, 0.6 * 2 / 3, 0.6 * 2 / 3, 0.6 * 2 / 3, 0.6])
    assert rows["evidence"][1] == "what b said"
