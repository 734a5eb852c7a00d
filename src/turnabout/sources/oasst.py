"""OpenAssistant conversations, OASST1 and OASST2.

They are trees of messages that volunteers wrote, ranked and labelled. A line of a `….trees.jsonl.gz` (with line breaks
added here, text invented, only the fields that matter):

    {"message_tree_id": "p1", "tree_state": "ready_for_export", "prompt":
     {"message_id": "p1", "user_id": "ann", "role": "prompter", "text": "Boil an egg?", "lang": "en", "replies": [
      {"message_id": "a1", "user_id": "bob", "role": "assistant", "text": "No.", "rank": 1, "replies": [
       {"message_id": "p2", "user_id": "ann", "role": "prompter", "text": "Why?", "replies": []}]},
      {"message_id": "a2", "user_id": "cyd", "role": "assistant", "text": "Eight minutes.", "rank": 0, "replies": [
       {"message_id": "p3", "user_id": "ann", "role": "prompter", "text": "Thanks!",
        "labels": {"toxicity": {"value": 0.1, "count": 3}}, "replies": []}]}]}}

becomes two conversations of `language` en:

    conversation_id  message_index  role       text            user_key  alternatives  preferences
    oasst:p1         0              user       Boil an egg?    ann       null          null
    oasst:p1         1              assistant  Eight minutes.  cyd       [No.]         [1.0]
    oasst:p1         2              user       Thanks!         ann       null          null
    oasst:p1:p2      0              user       Boil an egg?    ann       null          null
    oasst:p1:p2      1              assistant  No.             bob       null          null
    oasst:p1:p2      2              user       Why?            ann       null          null

The Hub's Parquet and `….messages.jsonl.gz` hold the same messages flat, one a record, with `parent_id` and
`message_tree_id`; they are combined to the same conversations. `split_threads` in `oasst_trees.py` describes how a tree
is split so that no comparison counts twice. Assistants are people as well, so both roles have a `user_key`; `synthetic`
replies are a model's and have none.

- Flags: `toxic` where volunteers or Detoxify gave 0.5 or more to toxicity, hate, violence, sexual or other improper
  content; `pii` and `spam` by volunteers. All labels stand in `extras`.
- Deleted messages and the messages below them are left out. A flat one is a record and is rejected as such; of a nested
  tree their number stands in the extras of message 0.
- Flat records of one tree must stand together, as in the releases, so that memory holds one tree: a record that is not
  in the same run of records as the message it answers is rejected.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, ClassVar, Literal

import msgspec

from turnabout.sources.files import FileSource
from turnabout.sources.oasst_trees import Node, Step, link_nodes, prune_deleted, split_threads, walk_tree
from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import drop_nulls
from turnabout.sources.table.moderation import MIN_SCORE, select_high_scores
from turnabout.sources.table.rejects import Reject, build_reject, describe_error
from turnabout.text.language_codes import normalize_language

#: The flag that each label sets if its value is at least `MIN_SCORE`.
FLAGS = {
    "toxicity": "toxic",
    "hate_speech": "toxic",
    "violence": "toxic",
    "sexual_content": "toxic",
    "not_appropriate": "toxic",
    "pii": "pii",
    "spam": "spam",
}


class Tree(msgspec.Struct):
    """One nested tree."""

    prompt: Node
    tree_state: str | None = None


#: Keys of a tree and of a flat message.
RECORD_KEYS = (*Tree.__struct_fields__, *Node.__struct_fields__, "message_tree_id")


class Oasst(FileSource):
    """Trees of OASST1 and OASST2, nested or flat."""

    format: Literal["oasst"] = "oasst"
    record_keys: ClassVar[frozenset[str]] = frozenset(RECORD_KEYS)

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Return whether a record is a tree, or a message of one."""
        return isinstance(content, dict) and "message_tree_id" in content

    def parse_record(self, content: Any) -> Iterable[LoggedConversation]:
        """Return the conversations of one nested tree."""
        tree = msgspec.convert(content, Tree)
        if tree.prompt.deleted:
            raise ValueError("prompt: is deleted")
        root, n_deleted = prune_deleted(tree.prompt)
        return build_conversations(root, drop_nulls(tree_state=tree.tree_state, n_deleted=n_deleted or None))

    def parse_records(self, records: Iterable[Record]) -> Iterator[LoggedConversation | Reject]:
        """Yield the conversations of flat or nested records, and rejects.

        Flat records are combined by tree; every other record is read alone.
        """
        for tree_id, group in groupby(records, key=find_flat_tree_id):
            if tree_id is None:
                yield from super().parse_records(group)
            else:
                yield from self.combine_flat_records(group)

    def combine_flat_records(self, records: Iterable[Record]) -> Iterator[LoggedConversation | Reject]:
        """Yield rejects and then the conversations of the flat records of one tree."""
        messages: list[tuple[Record, Node]] = []
        for record in records:
            try:
                messages.append((record, msgspec.convert(record.content, Node)))
            except ValueError as error:
                yield build_reject(self.format, record, describe_error(error))
        roots, reason_by_index = link_nodes([node for _, node in messages])
        for index, reason in reason_by_index.items():
            yield build_reject(self.format, messages[index][0], reason)
        for root in roots:
            ids = {id(node) for node in walk_tree(root)}
            of_tree = [record for record, node in messages if id(node) in ids]
            try:
                conversations = build_conversations(root, drop_nulls(tree_state=root.tree_state))
            except ValueError as error:
                for record in of_tree:
                    yield build_reject(self.format, record, describe_error(error))
            else:
                for conversation in conversations:
                    yield conversation._replace(location=of_tree[0].location)


def find_flat_tree_id(record: Record) -> Any:
    """Return the id of a flat message's tree; null for any other record."""
    content = record.content
    return content.get("message_tree_id") if isinstance(content, dict) and "message_id" in content else None


def build_conversations(root: Node, extras: Mapping[str, Any]) -> list[LoggedConversation]:
    """Return the threads of a tree as conversations.

    The id of the first is that of the prompt; the id of a branch also holds that of the message it begins with.
    """
    main_id = f"oasst:{root.message_id}"
    conversations = []
    for path, n_shared in split_threads(root):
        is_branch = n_shared > 0
        conversations.append(
            LoggedConversation(
                [build_message(step) for step in path],
                conversation_id=f"{main_id}:{path[n_shared].node.message_id}" if is_branch else main_id,
                user_id=root.user_id,
                language=normalize_language(root.lang),
                extras=drop_nulls(branch_of=main_id, n_shared=n_shared) if is_branch else extras,
            )
        )
    return conversations


def build_message(step: Step) -> LoggedMessage:
    """Return one message of a thread, with the alternatives to it."""
    node = step.node
    labels = select_numbers(node.labels, "value")
    flags = {FLAGS[label] for label, value in labels.items() if label in FLAGS and value >= MIN_SCORE}
    return LoggedMessage(
        role="user" if node.role == "prompter" else "assistant",
        text=node.text,
        at=node.created_date,
        alternatives=[other.text for other in step.alternatives] or None,
        preferences=step.compare_ranks() or None,
        flags=sorted(flags | ({"toxic"} if select_high_scores(node.detoxify) else set())),
        model=node.model_name,
        user_key=None if node.synthetic else node.user_id,
        extras=drop_nulls(
            message_id=node.message_id,
            rank=node.rank,
            labels=labels or None,
            emojis=select_numbers(node.emojis, "count") or None,
            review_result=node.review_result,
        ),
    )


def select_numbers(table: Mapping[str, Any] | None, name: str) -> dict[str, float]:
    """Return the number called `name` of each label or emoji.

    Files hold `{label: {value: …}}`, `{emoji: 3}` or the flat `{name: […], count: […]}`.
    """
    if not table:
        return {}
    if isinstance(table.get("name"), list):
        values = dict(zip(table["name"], table.get(name) or [], strict=False))
    else:
        values = {label: entry.get(name) if isinstance(entry, dict) else entry for label, entry in table.items()}
    return msgspec.convert({label: value for label, value in values.items() if value is not None}, dict[str, float])
