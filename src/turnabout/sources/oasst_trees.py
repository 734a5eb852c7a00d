"""Trees of messages as threads: which replies are followed, and which stand as alternatives beside them."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf
from typing import Any, Literal, NamedTuple

import msgspec

from turnabout.sources.traffic.turns import preference


class Node(msgspec.Struct):
    """One message of a tree with its replies."""

    message_id: str
    role: Literal["prompter", "assistant"]
    text: str
    parent_id: str | None = None
    user_id: str | None = None
    created_date: datetime | None = None
    lang: str | None = None
    rank: int | None = None
    """Its place among its siblings in the volunteers' eyes, 0 the best."""
    synthetic: bool | None = None
    model_name: str | None = None
    deleted: bool | None = None
    review_result: bool | None = None
    tree_state: str | None = None
    labels: dict[str, Any] | None = None
    emojis: dict[str, Any] | None = None
    detoxify: dict[str, float | None] | None = None
    replies: list["Node"] | None = None

    def answers(self) -> list["Node"]:
        """The messages that answer it; a file may write none as null."""
        return self.replies or []


class Step(NamedTuple):
    """One message of a thread, and the replies to the same message that it is compared with."""

    node: Node
    others: Sequence[Node] = ()

    def preferences(self) -> list[float | None]:
        """For each other reply 1 where this one ranks better, -1 worse, 0 equal; null unless both are ranked."""
        return [preference(other.rank, self.node.rank) for other in self.others]  # a low rank is a good one


def threads(root: Node) -> Iterator[tuple[list[Step], int]]:
    """Every way through a tree that is a conversation of its own, with how many messages it shares with earlier ones.

    From the prompt to the end a thread follows, of the messages that answer one, the best-ranked that was answered
    itself, or the best-ranked where none was. Other replies become alternatives of the reply it follows. Each follow-up
    it does not follow, be it to this reply or to an alternative, starts a thread of its own, which repeats the messages
    before it as context, without their alternatives: siblings are compared in one thread alone, and every message of
    the tree stands in some thread, as a message or as an alternative. Raises `ValueError` where a message answers one
    of its own role.
    """
    waiting: deque[tuple[list[Node], Node]] = deque([([], root)])
    while waiting:
        shared, start = waiting.popleft()
        path = [*map(Step, shared), Step(start)]
        while replies := path[-1].node.answers():
            if any(reply.role == path[-1].node.role for reply in replies):
                raise ValueError(f"role: {path[-1].node.role} answers {path[-1].node.role}")
            behind = [step.node for step in path]
            followed, others = best(replies)
            if followed.role == "assistant":
                waiting.extend(([*behind, other], prompt) for other in others for prompt in other.answers())
                path.append(Step(followed, others))
            else:
                waiting.extend((behind, other) for other in others)
                path.append(Step(followed))
        yield path, len(shared)


def best(replies: Sequence[Node]) -> tuple[Node, list[Node]]:
    """The reply a thread follows, and the others in their order."""
    followed = min(replies, key=lambda reply: (not reply.replies, inf if reply.rank is None else reply.rank))
    return followed, [reply for reply in replies if reply is not followed]


def without_deleted(node: Node) -> tuple[Node, int]:
    """The tree without deleted messages and what answers them, and how many messages that leaves out."""
    kept, n_left_out = [], 0
    for reply in node.answers():
        pruned, n_below = without_deleted(reply)
        if reply.deleted:
            n_left_out += size(reply)
        else:
            kept.append(pruned)
            n_left_out += n_below
    return msgspec.structs.replace(node, replies=kept), n_left_out


def size(node: Node) -> int:
    """Messages of a tree."""
    return 1 + sum(map(size, node.answers()))


def linked(nodes: Sequence[Node]) -> tuple[list[Node], dict[int, str]]:
    """The prompts of flat messages, each with its tree below it, and by position why a message has no place in one."""
    unlinked = {at: "deleted" for at, node in enumerate(nodes) if node.deleted}
    node_by_id: dict[str, Node] = {}
    for at, node in enumerate(nodes):
        if at not in unlinked and node_by_id.setdefault(node.message_id, node) is not node:
            unlinked[at] = "message_id: occurs earlier in the tree"
    kept = [node for at, node in enumerate(nodes) if at not in unlinked]
    for node in kept:
        if node.parent_id is not None and (parent := node_by_id.get(node.parent_id)):
            parent.replies = [*parent.answers(), node]
    roots = [node for node in kept if node.parent_id is None]
    reached = {id(node) for root in roots for node in below(root)}
    for at, node in enumerate(nodes):
        if at not in unlinked and id(node) not in reached:
            unlinked[at] = "parent_id: no such message beside it; the records of one tree must stand together"
    return roots, unlinked


def below(root: Node) -> Iterator[Node]:
    """The messages of a tree, the prompt first."""
    waiting = [root]
    while waiting:
        waiting += (node := waiting.pop()).answers()
        yield node
