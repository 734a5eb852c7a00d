"""Scores of held-out conversations by one model, in one pass.

The model gives the likelihood of every user message, and the probability that the user ends the conversation.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import polars as pl

from turnabout.core.messages import Message
from turnabout.generation.local.generator import LocalGenerator
from turnabout.intents.wording import NO_INTENT
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat
from turnabout.models.token_tree import TokenTree, compute_node_logps
from turnabout.simulation.users import Situation, build_acting_prompt

#: One user message. `nats` is −log P of its `tokens`, the end of turn included; `characters` counts the end of turn as
#: one character.
TURN_SCORES = pl.Schema(
    {
        "conversation_id": pl.String,
        "user_key": pl.String,
        "turn": pl.Int64,
        "nats": pl.Float64,
        "tokens": pl.Int64,
        "characters": pl.Int64,
    }
)

#: One position after an assistant message. `ended` is true where the person ended the conversation there and false
#: where they went on; `p_end` is the model's probability of ending it.
END_DECISIONS = pl.Schema(
    {
        "conversation_id": pl.String,
        "user_key": pl.String,
        "turn": pl.Int64,
        "p_end": pl.Float64,
        "ended": pl.Boolean,
    }
)


class Excerpt(NamedTuple):
    """A part of one conversation after a system message."""

    conversation_id: str
    user_key: str
    messages: list[Message]
    """The system message first."""
    first_turn: int
    """Number of the first user message in `messages`, counted from 1 in the whole conversation."""
    ends: bool
    """Whether the person ended the conversation after the last message."""
    n_repeated: int = 0
    """User messages, from the start of the conversation, that are scored in the conversation this one branches from."""


class ExcerptScores(NamedTuple):
    """Rows of `TURN_SCORES` and of `END_DECISIONS`, sorted."""

    turns: pl.DataFrame
    decisions: pl.DataFrame


def cut_openings(samples: pl.DataFrame, chat: ChatFormat, max_length: int, with_intent: bool) -> list[Excerpt]:
    """Cut the first messages of each conversation within `max_length` tokens.

    `samples` are rows of `schemas.USER_SAMPLES`. The intent's tokens are subtracted whether or not the intent is
    included, so that the same messages are scored with and without it.
    """
    excerpts = []
    for sample in samples.iter_rows(named=True):
        n_left = max_length - len(chat.encode([_system_message(sample["intent"])]).input_ids)
        kept: list[Message] = []
        for message in sample["messages"]:
            n_left -= chat.count_message_tokens(message)
            if n_left < 0:
                break
            kept.append(message)
        system = _system_message(sample["intent"] if with_intent else NO_INTENT)
        excerpts.append(
            Excerpt(
                conversation_id=sample["conversation_id"],
                user_key=sample["user_key"],
                messages=[system, *kept],
                first_turn=1,
                ends=sample["ends"] and len(kept) == len(sample["messages"]),
                n_repeated=_count_repeated(sample),
            )
        )
    return excerpts


def cut_endings(samples: pl.DataFrame, chat: ChatFormat, max_length: int) -> list[Excerpt]:
    """Cut the last messages of each conversation within `max_length` tokens.

    The excerpt begins with the intent, which counts towards `max_length`.
    """
    excerpts = []
    for sample in samples.iter_rows(named=True):
        kept = chat.keep_newest([_system_message(sample["intent"]), *sample["messages"]], max_length)
        n_cut = len(sample["messages"]) - len(kept) + 1
        n_cut_turns = sum(message["role"] == "user" for message in sample["messages"][:n_cut])
        excerpts.append(
            Excerpt(
                conversation_id=sample["conversation_id"],
                user_key=sample["user_key"],
                messages=kept,
                first_turn=1 + n_cut_turns,
                ends=sample["ends"],
                n_repeated=_count_repeated(sample),
            )
        )
    return excerpts


def _count_repeated(sample: dict[str, Any]) -> int:
    """Return the number of user messages before the first training target."""
    first_target = next(iter(sample["target_indexes"]), len(sample["messages"]))
    return sum(message["role"] == "user" for message in sample["messages"][:first_target])


def score_excerpts(model: LocalGenerator, excerpts: Sequence[Excerpt]) -> ExcerptScores:
    """Score user messages and end decisions of the excerpts.

    The model scores each user message, and gives P(end) at every position after an assistant message. Messages that a
    branch repeats are context and not scored: they are scored in the conversation where they stand first.

    A user model ends a conversation with the end-of-conversation token. For a model without that token, ending is an
    empty turn, i.e. the end of turn as its first token. A model that speaks as the assistant is prompted to act as the
    user and reads the conversation with the roles exchanged; it ends the conversation where its turn begins with the
    text that it was told to write then.
    """
    checkpoint = model.checkpoint
    trees = [_build_tree(checkpoint.chat, excerpt, model.speaks) for excerpt in excerpts]
    wanted = [tree.list_scored_nodes() for tree in trees]
    logps_by_tree = compute_node_logps(
        checkpoint.model,
        [tree.tokens for tree in trees],
        wanted,
        batch_size=model.batch_size,
        desc=f"{checkpoint.name} reads",
    )
    turns: list[dict[str, Any]] = []
    decisions: list[dict[str, Any]] = []
    for excerpt, tree, nodes, logps in zip(excerpts, trees, wanted, logps_by_tree, strict=True):
        logp_of_node = dict(zip(nodes, map(float, logps), strict=True))
        turns += _score_turns(excerpt, tree, logp_of_node)
        decisions += _score_decisions(excerpt, tree, logp_of_node)
    return ExcerptScores(
        pl.DataFrame(turns, schema=TURN_SCORES).sort("conversation_id", "turn"),
        pl.DataFrame(decisions, schema=END_DECISIONS).sort("conversation_id", "turn"),
    )


class _ExcerptTree(NamedTuple):
    """An excerpt as a token tree with branches where the user ends it.

    `positions[i]` is the number of user messages before the branch `end_nodes[i]`.
    """

    tokens: TokenTree
    message_nodes: list[list[int]]
    """Nodes of each user message."""
    positions: list[int]
    end_nodes: list[list[int]]

    def list_scored_nodes(self) -> list[int]:
        """Return the nodes of all user messages, then those of all end branches."""
        nodes: list[int] = []
        for branch in (*self.message_nodes, *self.end_nodes):
            nodes += branch
        return nodes


def _score_turns(excerpt: Excerpt, tree: _ExcerptTree, logp_of_node: dict[int, float]) -> list[dict[str, Any]]:
    """Return the excerpt's rows of `TURN_SCORES`."""
    texts = [message["content"] for message in excerpt.messages if message["role"] == "user"]
    rows = []
    for turn, (text, nodes) in enumerate(zip(texts, tree.message_nodes, strict=True), start=excerpt.first_turn):
        if turn > excerpt.n_repeated:
            rows.append(
                {
                    "conversation_id": excerpt.conversation_id,
                    "user_key": excerpt.user_key,
                    "turn": turn,
                    "nats": -sum(logp_of_node[node] for node in nodes),
                    "tokens": len(nodes),
                    "characters": len(text) + 1,
                }
            )
    return rows


def _score_decisions(excerpt: Excerpt, tree: _ExcerptTree, logp_of_node: dict[int, float]) -> list[dict[str, Any]]:
    """Return the excerpt's rows of `END_DECISIONS`."""
    rows = []
    for position, nodes in zip(tree.positions, tree.end_nodes, strict=True):
        turn = excerpt.first_turn + position
        if turn > excerpt.n_repeated:
            rows.append(
                {
                    "conversation_id": excerpt.conversation_id,
                    "user_key": excerpt.user_key,
                    "turn": turn,
                    "p_end": math.exp(sum(logp_of_node[node] for node in nodes)),
                    "ended": position == len(tree.message_nodes),
                }
            )
    return rows


def _build_tree(chat: ChatFormat, excerpt: Excerpt, speaks: Literal["user", "assistant"]) -> _ExcerptTree:
    """Build the excerpt's tree with its end branches.

    There is one after every assistant message. It begins at the open header of the user's next turn.
    """
    system, *history = excerpt.messages
    prompt = excerpt.messages if speaks == "user" else build_acting_prompt(Situation(system["content"], history))
    user_indexes = [i for i, message in enumerate(history) if message["role"] == "user"]
    offset = len(prompt) - len(history)
    row = chat.encode(prompt, targets=[offset + i for i in user_indexes])
    tree = TokenTree()
    nodes = tree.add(row.input_ids)
    message_nodes: list[list[int]] = []
    headers: list[int] = []
    for i, node in enumerate(nodes):
        if row.is_target[i]:
            if not row.is_target[i - 1]:
                message_nodes.append([])
                headers.append(nodes[i - 1])
            message_nodes[-1].append(node)
    end_ids = _end_token_ids(chat, speaks)
    positions = [n for n, i in enumerate(user_indexes) if i > 0 and history[i - 1]["role"] == "assistant"]
    end_nodes = [tree.add(end_ids, headers[position]) for position in positions]
    if excerpt.ends and history[-1]["role"] == "assistant":
        open_header = chat.encode_prompt(prompt, speaks)[len(row.input_ids) :]
        positions.append(len(user_indexes))
        end_nodes.append(tree.add([*open_header, *end_ids], nodes[-1])[len(open_header) :])
    return _ExcerptTree(tokens=tree, message_nodes=message_nodes, positions=positions, end_nodes=end_nodes)


def _end_token_ids(chat: ChatFormat, speaks: Literal["user", "assistant"]) -> list[int]:
    """Return the first tokens of a turn in which the model ends it."""
    if speaks == "assistant":
        return list(chat.tokenizer(END_OF_CONVERSATION, add_special_tokens=False).input_ids)
    return [chat.end_of_turn_id if chat.end_of_conversation_id is None else chat.end_of_conversation_id]


def _system_message(content: str) -> Message:
    return {"role": "system", "content": content}
