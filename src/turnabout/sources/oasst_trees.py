"""Trees of messages, split into threads.

In each thread one reply to a message is followed; the other replies are its alternatives.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf
from typing import Any, Literal, NamedTuple

import msgspec

from turnabout.sources.traffic.turns import compare_ratings


class Node(msgspec.Struct):
    """One message of a tree, with the messages that answer it."""

    message_id: str
    role: Literal["prompter", "assistant"]
    text: str
    parent_id: str | None = None
    user_id: str | None = None
    created_date: datetime | None = None
    lang: str | None = None
    rank: int | None = None
    """Its rank among its siblings by the volunteers, 0 the best."""
    synthetic: bool | None = None
    model_name: str | None = None
    deleted: bool | None = None
    review_result: bool | None = None
    tree_state: str | None = None
    labels: dict[str, Any] | None = None
    emojis: dict[str, Any] | None = None
    detoxify: dict[str, float | None] | None = None
    replies: list["Node"] | None = None

    def list_replies(self) -> list["Node"]:
        """Return the messages that answer it.

        A file may write an empty list as null.
        """
        return self.replies or []


class Step(NamedTuple):
    """One message of a thread, and the replies that it is compared with.

    They answer the same message.
    """

    node: Node
    alternatives: Sequence[Node] = ()

    def compare_ranks(self) -> list[float | None]:
        """Return the preference over each alternative.

        It is 1 where this message ranks better, -1 worse, 0 equal; null unless both are ranked.
        """
        return [compare_ratings(other.rank, self.node.rank) for other in self.alternatives]  # the lowest rank is best


def split_threads(root: Node) -> Iterator[tuple[list[Step], int]]:
    """Yield each path of a tree that is a conversation of its own.

    With it comes the number of its first messages that are shared with an earlier path. From the prompt to the end a
    thread follows one answer to each message: the best-ranked of those that were answered themselves, or the
    best-ranked if none was. Other replies become alternatives of the reply it follows. Each follow-up that it does not
    follow, whether to this reply or to an alternative, starts a thread of its own, which repeats the messages before it
    as context, without their alternatives. So siblings are compared in one thread only, and every message of the tree
    stands in some thread, as a message or as an alternative.
    Raises `ValueError` where a message answers one of its own role.
    """
    waiting: deque[tuple[list[Node], Node]] = deque([([], root)])
    while waiting:
        shared, start = waiting.popleft()
        path = [*map(Step, shared), Step(start)]
        while replies := path[-1].node.list_replies():
            if any(reply.role == path[-1].node.role for reply in replies):
                raise ValueError(f"role: {path[-1].node.role} answers {path[-1].node.role}")
            history = [step.node for step in path]
            followed, others = choose_followed(replies)
            if followed.role == "assistant":
                for other in others:
                    waiting.extend(([*history, other], prompt) for prompt in other.list_replies())
                path.append(Step(followed, others))
            else:
                waiting.extend((history, other) for other in others)
                path.append(Step(followed))
        yield path, len(shared)


def choose_followed(replies: Sequence[Node]) -> tuple[Node, list[Node]]:
    """Return the reply that a thread follows, and the others in order."""
    followed = min(replies, key=lambda reply: (not reply.replies, inf if reply.rank is None else reply.rank))
    return followed, [reply for reply in replies if reply is not followed]


def prune_deleted(node: Node) -> tuple[Node, int]:
    """Return the tree without deleted messages and all below them.

    With it comes the number of messages removed.
    """
    kept, n_removed = [], 0
    for reply in node.list_replies():
        pruned, n_removed_below = prune_deleted(reply)
        if reply.deleted:
            n_removed += count_messages(reply)
        else:
            kept.append(pruned)
            n_removed += n_removed_below
    return msgspec.structs.replace(node, replies=kept), n_removed


def count_messages(node: Node) -> int:
    """Return the number of messages of a tree."""
    return 1 + sum(map(count_messages, node.list_replies()))


def link_nodes(nodes: Sequence[Node]) -> tuple[list[Node], dict[int, str]]:
    """Link flat messages to trees, in place.

    Returns the prompts, and by index the reason why a message belongs to no tree.
    """
    reasons = {index: "deleted" for index, node in enumerate(nodes) if node.deleted}
    node_by_id: dict[str, Node] = {}
    for index, node in enumerate(nodes):
        if index not in reasons and node_by_id.setdefault(node.message_id, node) is not node:
            reasons[index] = "message_id: occurs earlier in the tree"
    kept = [node for index, node in enumerate(nodes) if index not in reasons]
    for node in kept:
        if node.parent_id is not None and (parent := node_by_id.get(node.parent_id)):
            parent.replies = [*parent.list_replies(), node]
    roots = [node for node in kept if node.parent_id is None]
    reached: set[int] = set()
    for root in roots:
        reached.update(id(node) for node in walk_tree(root))
    for index, node in enumerate(nodes):
        if index not in reasons and id(node) not in reached:
            reasons[index] = "parent_id: no such message beside it; the records of one tree must stand together"
    return roots, reasons


def walk_tree(root: Node) -> Iterator[Node]:
    """Yield the messages of a tree, the prompt first."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        waiting += node.list_replies()
        yield node
