"""What a model thinks of held-out people, in one pass: the likelihood of their words, and of their leaving."""

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import polars as pl

from turnabout.core.messages import Message
from turnabout.intents.wording import NO_INTENT
from turnabout.models.chat_format import END_OF_CONVERSATION, ChatFormat
from turnabout.models.checkpoints import Checkpoint
from turnabout.models.token_tree import TokenTree, node_logps
from turnabout.simulation.users import Situation, told_to_act

#: One user message. `nats` is −log P of its tokens (words and end of turn); `characters` counts the end of turn as one.
TURNS = pl.Schema(
    {
        "conversation_id": pl.String,
        "user_key": pl.String,
        "turn": pl.Int64,
        "nats": pl.Float64,
        "tokens": pl.Int64,
        "characters": pl.Int64,
    }
)

#: One place after an assistant message where the person left (`left`) or went on; `p_end` is the model's P(leave).
DECISIONS = pl.Schema(
    {
        "conversation_id": pl.String,
        "user_key": pl.String,
        "turn": pl.Int64,
        "p_end": pl.Float64,
        "left": pl.Boolean,
    }
)


class Excerpt(NamedTuple):
    """A part of one conversation behind a system message; `first_turn` numbers its first user message, from 1."""

    conversation_id: str
    user_key: str
    messages: list[Message]
    first_turn: int
    ends: bool
    """Whether the person left after its last message."""
    n_repeated: int = 0
    """User messages, from the conversation's first, that are measured in the one this is a branch of."""


class Scored(NamedTuple):
    """Rows of `TURNS` and of `DECISIONS`, sorted."""

    turns: pl.DataFrame
    decisions: pl.DataFrame


def openings(samples: pl.DataFrame, chat: ChatFormat, max_length: int, with_intent: bool) -> list[Excerpt]:
    """The first messages of each conversation (`schemas.USER_SAMPLES`) within `max_length` tokens, the intent included.

    The room is that of the intent whether it is shown or not: with and without it, the same messages are scored.
    """
    found = []
    for sample in samples.iter_rows(named=True):
        room = max_length - len(chat.encode([_system(sample["intent"])]).input_ids)
        kept: list[Message] = []
        for message in sample["messages"]:
            room -= chat.length(message)
            if room < 0:
                break
            kept.append(message)
        system = _system(sample["intent"] if with_intent else NO_INTENT)
        ends = sample["ends"] and len(kept) == len(sample["messages"])
        keys = sample["conversation_id"], sample["user_key"]
        found.append(Excerpt(*keys, [system, *kept], 1, ends, _n_repeated(sample)))
    return found


def endings(samples: pl.DataFrame, chat: ChatFormat, max_length: int) -> list[Excerpt]:
    """The last messages of each conversation within `max_length` tokens, behind its intent."""
    found = []
    for sample in samples.iter_rows(named=True):
        kept = chat.fit([_system(sample["intent"]), *sample["messages"]], max_length)
        unseen = sample["messages"][: len(sample["messages"]) - len(kept) + 1]
        first_turn = 1 + sum(m["role"] == "user" for m in unseen)
        keys = sample["conversation_id"], sample["user_key"]
        found.append(Excerpt(*keys, kept, first_turn, sample["ends"], _n_repeated(sample)))
    return found


def _n_repeated(sample: dict[str, Any]) -> int:
    """How many user messages stand before the first one to learn."""
    first = next(iter(sample["target_indexes"]), len(sample["messages"]))
    return sum(message["role"] == "user" for message in sample["messages"][:first])


def score(
    checkpoint: Checkpoint, excerpts: Sequence[Excerpt], batch_size: int, speaks: Literal["user", "assistant"] = "user"
) -> Scored:
    """What the model gives each user message, and P(leave) at every place after an assistant message.

    What a branch repeats is read and not scored: it is in the conversation it stands in first.
    A user model leaves by the end-of-conversation token. A model that has none is read as leaving where it ends its
    turn before saying a word. One that speaks as the assistant is told to act as the user and reads the roles
    exchanged; it leaves where its turn begins with the text it was told to write then.
    """
    planted = [_plant(checkpoint.chat, excerpt, speaks) for excerpt in excerpts]
    wanted = [[n for nodes in [*each.words, *each.leaves] for n in nodes] for each in planted]
    found = node_logps(checkpoint.model, [p.tree for p in planted], wanted, batch_size, f"{checkpoint.name} reads")
    turns, decisions = [], []
    for excerpt, each, nodes, logps in zip(excerpts, planted, wanted, found, strict=True):
        logp = dict(zip(nodes, map(float, logps), strict=True))
        keys = {"conversation_id": excerpt.conversation_id, "user_key": excerpt.user_key}
        said = [m["content"] for m in excerpt.messages if m["role"] == "user"]
        for turn, (text, words) in enumerate(zip(said, each.words, strict=True), start=excerpt.first_turn):
            if turn <= excerpt.n_repeated:
                continue
            nats = -sum(logp[node] for node in words)
            turns.append({**keys, "turn": turn, "nats": nats, "tokens": len(words), "characters": len(text) + 1})
        for place, leave in zip(each.places, each.leaves, strict=True):
            turn, p_end = excerpt.first_turn + place, math.exp(sum(logp[node] for node in leave))
            if turn > excerpt.n_repeated:
                decisions.append({**keys, "turn": turn, "p_end": p_end, "left": place == len(said)})
    return Scored(
        pl.DataFrame(turns, schema=TURNS).sort("conversation_id", "turn"),
        pl.DataFrame(decisions, schema=DECISIONS).sort("conversation_id", "turn"),
    )


class _Planted(NamedTuple):
    """An excerpt as a tree: the nodes of each user message, and those of leaving beside some of them.

    `places[i]` is the number of user messages before `leaves[i]`.
    """

    tree: TokenTree
    words: list[list[int]]
    places: list[int]
    leaves: list[list[int]]


def _plant(chat: ChatFormat, excerpt: Excerpt, speaks: Literal["user", "assistant"]) -> _Planted:
    """The excerpt with a branch that leaves at every open header after an assistant message."""
    system, *talk = excerpt.messages
    shown = excerpt.messages if speaks == "user" else told_to_act(Situation(system["content"], talk))
    said = [i for i, message in enumerate(talk) if message["role"] == "user"]
    tree = TokenTree()
    words: list[list[int]] = []
    headers: list[int] = []
    row = chat.encode(shown, targets=[len(shown) - len(talk) + i for i in said])
    nodes = tree.grow(row.input_ids)
    for i, node in enumerate(nodes):
        if row.is_target[i]:
            if not row.is_target[i - 1]:
                words.append([])
                headers.append(nodes[i - 1])
            words[-1].append(node)
    leave = _leave(chat, speaks)
    places = [place for place, i in enumerate(said) if i > 0 and talk[i - 1]["role"] == "assistant"]
    leaves = [tree.grow(leave, headers[place]) for place in places]
    if excerpt.ends and talk[-1]["role"] == "assistant":
        open_header = chat.prompt_ids(shown, speaks)[len(row.input_ids) :]
        places.append(len(said))
        leaves.append(tree.grow([*open_header, *leave], nodes[-1])[len(open_header) :])
    return _Planted(tree, words, places, leaves)


def _leave(chat: ChatFormat, speaks: Literal["user", "assistant"]) -> list[int]:
    """The tokens a model's turn begins with when it leaves."""
    if speaks == "assistant":
        return list(chat.tokenizer(END_OF_CONVERSATION, add_special_tokens=False).input_ids)
    return [chat.end_of_turn_id if chat.end_of_conversation_id is None else chat.end_of_conversation_id]


def _system(content: str) -> Message:
    return {"role": "system", "content": content}
