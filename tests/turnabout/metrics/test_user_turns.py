"""Scoring held-out people: the pieces of conversations it takes, and each figure against a row of its own."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.intents.wording import NO_INTENT
from turnabout.metrics.user_turns import Excerpt, endings, openings, score
from turnabout.models.chat_format import END_OF_CONVERSATION
from turnabout.models.checkpoints import Checkpoint, load
from turnabout.simulation.users import Situation, told_to_act
from turnabout.training.user_model.train import with_end_token

Samples = Callable[..., pl.DataFrame]


@pytest.fixture
def untrained(tiny_checkpoint: Path) -> Checkpoint:
    return load(tiny_checkpoint, "float32")


@pytest.fixture
def trained(tiny_checkpoint: Path) -> Checkpoint:
    """The same with the end token, whose row is not that of the end of a turn."""
    checkpoint = with_end_token(load(tiny_checkpoint, "float32"))
    with torch.no_grad():
        checkpoint.model.get_input_embeddings().weight[checkpoint.chat.end_of_conversation_id] += 0.5
    return checkpoint


def sample(conversation: str, *texts: str, intent: str = "Ask.", split: str = "test") -> dict[str, Any]:
    """A row of `schemas.USER_SAMPLES`: user first, roles in turn; it ends where the assistant has the last word."""
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
    """Σ log P(after | before) from the full logits of one row."""
    with torch.no_grad():
        logps = checkpoint.model(torch.tensor([before + after])).logits[0].log_softmax(dim=-1)
    return sum(float(logps[len(before) + i - 1, token]) for i, token in enumerate(after))


def test_each_user_message_is_scored_after_all_before_it(trained: Checkpoint) -> None:
    excerpts = openings(
        frame(sample("c", "hi", "hello", "bye"), sample("d", "a longer opening")), trained.chat, 200, True
    )
    turns = score(trained, excerpts, 2).turns
    assert turns.select("conversation_id", "user_key", "turn", "tokens", "characters").rows() == [
        ("c", "user of c", 1, 3, 3),  # h, i, end of turn: tokens are bytes
        ("c", "user of c", 2, 4, 4),
        ("d", "user of d", 1, 17, 17),
    ]
    before: list[Message] = [{"role": "system", "content": "Ask."}]
    for row, text in zip(turns.rows(named=True), ("hi", "bye", "a longer opening"), strict=True):
        history = before if row["turn"] == 1 else [*before, *excerpts[0].messages[1:3]]
        expected = -logp(trained, trained.chat.prompt_ids(history, "user"), trained.chat.completion_ids(text))
        assert row["nats"] == pytest.approx(expected, abs=1e-4)


def test_leaving_is_the_end_token_as_first_word_after_every_assistant_message(trained: Checkpoint) -> None:
    excerpts = openings(frame(sample("c", "hi", "hello", "hm", "ok?")), trained.chat, 200, True)
    decisions = score(trained, excerpts, 2).decisions
    # Before the first message nobody can leave; after "hello" the person went on, after "ok?" they left.
    assert decisions.select("conversation_id", "turn", "left").rows() == [("c", 2, False), ("c", 3, True)]
    for p_end, n_messages in zip(decisions["p_end"], (3, 5), strict=True):
        before = trained.chat.prompt_ids(excerpts[0].messages[:n_messages], "user")
        assert p_end == pytest.approx(math.exp(logp(trained, before, [trained.chat.end_of_conversation_id])), rel=1e-3)


def test_a_model_without_the_end_token_leaves_by_an_empty_turn(untrained: Checkpoint) -> None:
    excerpts = openings(frame(sample("c", "hi", "hello")), untrained.chat, 200, True)
    [p_end] = score(untrained, excerpts, 1).decisions["p_end"]
    before = untrained.chat.prompt_ids(excerpts[0].messages, "user")
    assert p_end == pytest.approx(math.exp(logp(untrained, before, [untrained.chat.end_of_turn_id])), rel=1e-3)


def test_an_opening_keeps_the_first_messages_and_does_not_end_when_cut(untrained: Checkpoint) -> None:
    # Byte tokens: system 1+6+1+4+1+1 = 14, "hi" 1+4+1+2+1+1 = 10, "hello" 1+9+1+5+1+1 = 18: together 42.
    rows = frame(sample("c", "hi", "hello", "more", "and more"))
    assert openings(rows, untrained.chat, 42, True) == [
        Excerpt("c", "user of c", [{"role": "system", "content": "Ask."}, *rows["messages"][0].to_list()[:2]], 1, False)
    ]
    assert [len(e.messages) for e in openings(rows, untrained.chat, 41, True)] == [2]


def test_without_intent_the_same_messages_stand_behind_the_same_sentence(untrained: Checkpoint) -> None:
    rows = frame(sample("c", "hi", "hello", "more", "and more"), sample("d", "yes", "no", intent="Another intent."))
    told, untold = (openings(rows, untrained.chat, 42, with_intent) for with_intent in (True, False))
    assert [e.messages[1:] for e in told] == [e.messages[1:] for e in untold]
    assert {e.messages[0]["content"] for e in untold} == {NO_INTENT}


def test_an_ending_keeps_the_last_messages_and_their_turn_numbers(untrained: Checkpoint) -> None:
    [ending] = endings(frame(sample("c", "hi", "hello", "more", "and more")), untrained.chat, 50)
    # system 14, "and more" 13 + 8 = 21, "more" 8 + 4 = 12: together 47; "hello" would add 18.
    assert [m["content"] for m in ending.messages] == ["Ask.", "more", "and more"]
    assert (ending.first_turn, ending.ends) == (2, True)


def test_a_cut_ending_has_no_choice_to_leave_before_its_first_message(untrained: Checkpoint) -> None:
    excerpts = endings(frame(sample("c", "hi", "hello", "more", "and more")), untrained.chat, 50)
    decisions = score(untrained, excerpts, 1).decisions
    assert decisions.select("turn", "left").rows() == [(3, True)]


def test_two_user_messages_in_a_row_are_two_turns_and_one_choice(untrained: Checkpoint) -> None:
    talk: list[Message] = [
        {"role": "system", "content": "Ask."},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]
    scored = score(untrained, [Excerpt("c", "ann", talk, 1, False)], 1)
    assert scored.turns["turn"].to_list() == [1, 2]
    assert scored.decisions.select("turn", "left").rows() == [(1, False)]


@pytest.mark.parametrize("cut", [openings, endings])
def test_what_a_branch_repeats_is_read_and_not_scored(untrained: Checkpoint, cut: Callable[..., list[Excerpt]]) -> None:
    whole = sample("c", "hi", "hello", "bye", "ok?", "so", "well")
    excerpts = [
        excerpt
        for row in (whole, {**whole, "target_indexes": [4]})
        for excerpt in cut(frame(row), untrained.chat, 200, *([True] if cut is openings else []))
    ]
    scored, branch = (score(untrained, [excerpt], 1) for excerpt in excerpts)
    assert branch.turns.rows() == scored.turns.rows()[2:]
    assert branch.decisions.rows() == scored.decisions.rows()[1:]
    assert branch.decisions.select("turn", "left").rows() == [(3, False), (4, True)]


def test_nobody_gives_empty_tables(untrained: Checkpoint) -> None:
    scored = score(untrained, openings(frame(), untrained.chat, 100, True), 2)
    assert scored.turns.is_empty()
    assert scored.decisions.is_empty()


def test_a_prompted_assistant_reads_the_same_words_with_roles_exchanged(untrained: Checkpoint) -> None:
    excerpts = openings(frame(sample("c", "hi", "hello", "bye", "ok?")), untrained.chat, 200, True)
    scored = score(untrained, excerpts, 2, "assistant")
    acting = told_to_act(Situation("Ask.", excerpts[0].messages[1:]))
    assert [m["role"] for m in acting] == ["system", "user", "assistant", "user", "assistant", "user"]
    chat = untrained.chat
    for nats, text, n_before in zip(scored.turns["nats"], ("hi", "bye"), (2, 4), strict=True):
        expected = -logp(untrained, chat.prompt_ids(acting[:n_before], "assistant"), chat.completion_ids(text))
        assert nats == pytest.approx(expected, abs=1e-4)
    assert scored.turns.select("turn", "tokens", "characters").rows() == [(1, 3, 3), (2, 4, 4)]


def test_a_prompted_assistant_leaves_where_its_turn_begins_with_the_words_it_was_told(untrained: Checkpoint) -> None:
    excerpts = openings(frame(sample("c", "hi", "hello", "bye", "ok?")), untrained.chat, 200, True)
    decisions = score(untrained, excerpts, 2, "assistant").decisions
    # Not before its first message, though the opening is shown as something the other side said.
    assert decisions.select("turn", "left").rows() == [(2, False), (3, True)]
    acting = told_to_act(Situation("Ask.", excerpts[0].messages[1:]))
    leave = list(END_OF_CONVERSATION.encode())
    for p_end, n_before in zip(decisions["p_end"], (4, 6), strict=True):
        ids = untrained.tokenizer(END_OF_CONVERSATION, add_special_tokens=False).input_ids
        assert len(ids) == len(leave)  # bytes: the text is no token of this vocabulary
        expected = logp(untrained, untrained.chat.prompt_ids(acting[:n_before], "assistant"), ids)
        assert math.log(p_end) == pytest.approx(expected, abs=1e-3)
