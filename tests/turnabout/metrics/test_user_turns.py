"""Scores of held-out conversations against those of single rows."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.generation.local.generator import LocalGenerator
from turnabout.intents.wording import NO_INTENT
from turnabout.metrics.user_turns import Excerpt, cut_endings, cut_openings, score_excerpts
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.models.checkpoints import Checkpoint, load_checkpoint
from turnabout.simulation.users import Situation, build_acting_prompt
from turnabout.training.user_model.train import add_end_token

Samples = Callable[..., pl.DataFrame]


@pytest.fixture
def untrained(tiny_checkpoint: Path) -> Checkpoint:
    return load_checkpoint(tiny_checkpoint, "float32")


@pytest.fixture
def trained(tiny_checkpoint: Path) -> Checkpoint:
    """Return the checkpoint with an end token that differs from the end of turn."""
    checkpoint = add_end_token(load_checkpoint(tiny_checkpoint, "float32"))
    with torch.no_grad():
        weight: Any = checkpoint.model.get_input_embeddings().weight
        weight[checkpoint.chat.end_of_conversation_id] += 0.5
    return checkpoint


def sample(conversation: str, *texts: str, intent: str = "Ask.", split: str = "test") -> dict[str, Any]:
    """Build a row of `schemas.USER_SAMPLES`; roles alternate, user first.

    The person ends the conversation if the last message is the assistant's.
    """
    talk = [{"role": "assistant" if i % 2 else "user", "content": text} for i, text in enumerate(texts)]
    return {
        "conversation_id": conversation,
        "user_key": f"user of {conversation}",
        "split": split,
        "intent": intent,
        "messages": talk,
        "target_indexes": list(range(0, len(texts), 2)),
        "ends": len(texts) % 2 == 0,
    }


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=schemas.USER_SAMPLES)


def logp(checkpoint: Checkpoint, before: list[int], after: list[int]) -> float:
    """Return Σ log P(after | before) from the full logits of one row."""
    with torch.no_grad():
        logps = checkpoint.model(torch.tensor([before + after])).logits[0].log_softmax(dim=-1)
    return sum(float(logps[len(before) + i - 1, token]) for i, token in enumerate(after))


def test_user_message_is_scored_given_all_messages_before_it(trained: Checkpoint) -> None:
    excerpts = cut_openings(
        frame(sample("c", "hi", "hello", "bye"), sample("d", "a longer opening")), trained.chat, 200, True
    )
    turns = score_excerpts(LocalGenerator(trained, "user", 2), excerpts).turns
    assert turns.select("conversation_id", "user_key", "turn", "tokens", "characters").rows() == [
        ("c", "user of c", 1, 3, 3),  # h, i, end of turn: tokens are bytes
        ("c", "user of c", 2, 4, 4),
        ("d", "user of d", 1, 17, 17),
    ]
    before: list[Message] = [{"role": "system", "content": "Ask."}]
    for row, text in zip(turns.rows(named=True), ("hi", "bye", "a longer opening"), strict=True):
        history = before if row["turn"] == 1 else [*before, *excerpts[0].messages[1:3]]
        expected = -logp(trained, trained.chat.encode_prompt(history, "user"), trained.chat.encode_completion(text))
        assert row["nats"] == pytest.approx(expected, abs=1e-4)


def test_p_end_is_the_end_token_after_each_assistant_message(trained: Checkpoint) -> None:
    excerpts = cut_openings(frame(sample("c", "hi", "hello", "hm", "ok?")), trained.chat, 200, True)
    decisions = score_excerpts(LocalGenerator(trained, "user", 2), excerpts).decisions
    # There is no decision before the first message; the person went on after "hello" and ended after "ok?".
    assert decisions.select("conversation_id", "turn", "ended").rows() == [("c", 2, False), ("c", 3, True)]
    end = trained.chat.end_of_conversation_id
    assert end is not None
    for p_end, n_messages in zip(decisions["p_end"], (3, 5), strict=True):
        before = trained.chat.encode_prompt(excerpts[0].messages[:n_messages], "user")
        assert p_end == pytest.approx(math.exp(logp(trained, before, [end])), rel=1e-3)


def test_p_end_is_the_end_of_turn_for_a_model_without_end_token(untrained: Checkpoint) -> None:
    excerpts = cut_openings(frame(sample("c", "hi", "hello")), untrained.chat, 200, True)
    [p_end] = score_excerpts(LocalGenerator(untrained, "user", 1), excerpts).decisions["p_end"]
    before = untrained.chat.encode_prompt(excerpts[0].messages, "user")
    assert p_end == pytest.approx(math.exp(logp(untrained, before, [untrained.chat.end_of_turn_id])), rel=1e-3)


def test_opening_keeps_first_messages_and_does_not_end_when_cut(untrained: Checkpoint) -> None:
    # Byte tokens: system 1+6+1+4+1+1 = 14, "hi" 1+4+1+2+1+1 = 10, "hello" 1+9+1+5+1+1 = 18: together 42.
    rows = frame(sample("c", "hi", "hello", "more", "and more"))
    assert cut_openings(rows, untrained.chat, 42, True) == [
        Excerpt(
            conversation_id="c",
            user_key="user of c",
            messages=[{"role": "system", "content": "Ask."}, *rows["messages"][0].to_list()[:2]],
            first_turn=1,
            ends=False,
        )
    ]
    assert [len(e.messages) for e in cut_openings(rows, untrained.chat, 41, True)] == [2]


def test_openings_have_the_same_messages_without_intent(untrained: Checkpoint) -> None:
    rows = frame(sample("c", "hi", "hello", "more", "and more"), sample("d", "yes", "no", intent="Another intent."))
    with_intents, without = (cut_openings(rows, untrained.chat, 42, with_intent) for with_intent in (True, False))
    assert [e.messages[1:] for e in with_intents] == [e.messages[1:] for e in without]
    assert {e.messages[0]["content"] for e in without} == {NO_INTENT}


def test_ending_keeps_the_last_messages_and_turn_numbers(untrained: Checkpoint) -> None:
    [ending] = cut_endings(frame(sample("c", "hi", "hello", "more", "and more")), untrained.chat, 50)
    # system 14, "and more" 13 + 8 = 21, "more" 8 + 4 = 12: together 47; "hello" would add 18.
    assert [m["content"] for m in ending.messages] == ["Ask.", "more", "and more"]
    assert (ending.first_turn, ending.ends) == (2, True)


def test_cut_ending_has_no_decision_before_its_first_message(untrained: Checkpoint) -> None:
    excerpts = cut_endings(frame(sample("c", "hi", "hello", "more", "and more")), untrained.chat, 50)
    decisions = score_excerpts(LocalGenerator(untrained, "user", 1), excerpts).decisions
    assert decisions.select("turn", "ended").rows() == [(3, True)]


def test_two_user_messages_in_a_row_give_two_turns_one_decision(untrained: Checkpoint) -> None:
    talk: list[Message] = [
        {"role": "system", "content": "Ask."},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]
    excerpt = Excerpt(conversation_id="c", user_key="ann", messages=talk, first_turn=1, ends=False)
    scored = score_excerpts(LocalGenerator(untrained, "user", 1), [excerpt])
    assert scored.turns["turn"].to_list() == [1, 2]
    assert scored.decisions.select("turn", "ended").rows() == [(1, False)]


@pytest.mark.parametrize("cut", [cut_openings, cut_endings])
def test_repeated_messages_of_a_branch_are_not_scored(untrained: Checkpoint, cut: Callable[..., list[Excerpt]]) -> None:
    whole = sample("c", "hi", "hello", "bye", "ok?", "so", "well")
    excerpts = [
        excerpt
        for row in (whole, {**whole, "target_indexes": [4]})
        for excerpt in cut(frame(row), untrained.chat, 200, *([True] if cut is cut_openings else []))
    ]
    scored, branch = (score_excerpts(LocalGenerator(untrained, "user", 1), [excerpt]) for excerpt in excerpts)
    assert branch.turns.rows() == scored.turns.rows()[2:]
    assert branch.decisions.rows() == scored.decisions.rows()[1:]
    assert branch.decisions.select("turn", "ended").rows() == [(3, False), (4, True)]


def test_scores_of_no_excerpts_are_empty_tables(untrained: Checkpoint) -> None:
    scored = score_excerpts(LocalGenerator(untrained, "user", 2), cut_openings(frame(), untrained.chat, 100, True))
    assert scored.turns.is_empty()
    assert scored.decisions.is_empty()


def test_prompted_assistant_reads_messages_with_roles_exchanged(untrained: Checkpoint) -> None:
    excerpts = cut_openings(frame(sample("c", "hi", "hello", "bye", "ok?")), untrained.chat, 200, True)
    scored = score_excerpts(LocalGenerator(untrained, "assistant", 2), excerpts)
    acting = build_acting_prompt(Situation("Ask.", excerpts[0].messages[1:]))
    assert [m["role"] for m in acting] == ["system", "user", "assistant", "user", "assistant", "user"]
    chat = untrained.chat
    for nats, text, n_before in zip(scored.turns["nats"], ("hi", "bye"), (2, 4), strict=True):
        expected = -logp(untrained, chat.encode_prompt(acting[:n_before], "assistant"), chat.encode_completion(text))
        assert nats == pytest.approx(expected, abs=1e-4)
    assert scored.turns.select("turn", "tokens", "characters").rows() == [(1, 3, 3), (2, 4, 4)]


def test_p_end_of_a_prompted_assistant_is_that_of_the_end_text(untrained: Checkpoint) -> None:
    excerpts = cut_openings(frame(sample("c", "hi", "hello", "bye", "ok?")), untrained.chat, 200, True)
    decisions = score_excerpts(LocalGenerator(untrained, "assistant", 2), excerpts).decisions
    # No decision before its first message, although the opening is shown as a message of the other side.
    assert decisions.select("turn", "ended").rows() == [(2, False), (3, True)]
    acting = build_acting_prompt(Situation("Ask.", excerpts[0].messages[1:]))
    end_bytes = list(END_OF_CONVERSATION.encode())
    for p_end, n_before in zip(decisions["p_end"], (4, 6), strict=True):
        ids = untrained.tokenizer(END_OF_CONVERSATION, add_special_tokens=False).input_ids
        assert len(ids) == len(end_bytes)  # bytes: the text is no token of this vocabulary
        expected = logp(untrained, untrained.chat.encode_prompt(acting[:n_before], "assistant"), ids)
        assert math.log(p_end) == pytest.approx(expected, abs=1e-3)
