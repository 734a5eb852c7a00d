"""OpenAssistant conversations, OASST1 and OASST2: trees of messages that volunteers wrote, ranked and labelled.

A line of a `….trees.jsonl.gz` (broken here for the page, text invented, fields that matter):

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
`message_tree_id`; they are put together to the same conversations. How a tree is read (`threads` in `oasst_trees.py`),
so that no comparison counts twice, is told there. Assistants are people as well, so both roles have a `user_key`;
`synthetic` replies are a model's and have none.

- Flags: `toxic` where volunteers or Detoxify gave 0.5 or more to toxicity, hate, violence, sexual or other improper
  content; `pii` and `spam` by volunteers. All labels stand in `extras`.
- Deleted messages and what answers them are left out. Flat, each is a record and rejected as such; of a nested tree
  their number stands in the extras of message 0.
- Flat records of one tree must stand together, as in the releases, so that memory holds one tree: where one turns up
  away from the message it answers, it is rejected.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Literal

import msgspec

from turnabout.sources.files import FileSource, reason, rejection
from turnabout.sources.oasst_trees import Node, Step, below, linked, threads, without_deleted
from turnabout.sources.reading.records import Record
from turnabout.sources.table.conversation import LoggedConversation, LoggedMessage
from turnabout.sources.table.extras import known
from turnabout.sources.table.moderation import FOUND, found_by_score
from turnabout.text.language_codes import language_code

#: The flag for a label of `FOUND` or more.
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


class Oasst(FileSource):
    """Trees of OASST1 and OASST2, nested or flat."""

    format: Literal["oasst"] = "oasst"

    @classmethod
    def recognises(cls, content: Any) -> bool:
        """Whether it is a tree, or a message of one."""
        return isinstance(content, dict) and "message_tree_id" in content

    def conversations(self, content: Any) -> Iterable[LoggedConversation]:
        """The conversations of one nested tree."""
        tree = msgspec.convert(content, Tree)
        if tree.prompt.deleted:
            raise ValueError("prompt: is deleted")
        root, n_deleted = without_deleted(tree.prompt)
        return conversations(root, known(tree_state=tree.tree_state, n_deleted=n_deleted or None))

    def judged(self, logged: Iterable[Record]) -> Iterator[LoggedConversation | dict[str, str]]:
        """Flat records of one tree together, every other record alone."""
        for tree, group in groupby(logged, key=flat_tree):
            if tree is None:
                yield from super().judged(group)
            else:
                yield from self.assembled(list(group))

    def assembled(self, group: Iterable[Record]) -> Iterator[LoggedConversation | dict[str, str]]:
        """Conversations of the flat records of one tree, after the records that have no place in it."""
        messages: list[tuple[Record, Node]] = []
        for record in group:
            try:
                messages.append((record, msgspec.convert(record.content, Node)))
            except ValueError as error:
                yield rejection(self.format, record, reason(error))
        roots, unlinked = linked([node for _, node in messages])
        yield from (rejection(self.format, messages[at][0], why) for at, why in unlinked.items())
        for root in roots:
            within = {id(node) for node in below(root)}
            its_records = [record for record, node in messages if id(node) in within]
            try:
                found = conversations(root, known(tree_state=root.tree_state))
            except ValueError as error:
                yield from (rejection(self.format, record, reason(error)) for record in its_records)
            else:
                yield from (told._replace(where=its_records[0].where) for told in found)


def flat_tree(record: Record) -> Any:
    """The tree of a flat message; null for any other record."""
    content = record.content
    return content.get("message_tree_id") if isinstance(content, dict) and "message_id" in content else None


def conversations(root: Node, extras: Mapping[str, Any]) -> list[LoggedConversation]:
    """The threads of a tree: the first is named after the prompt, a branch also after the message it begins with."""
    main = f"oasst:{root.message_id}"
    found = []
    for path, n_shared in threads(root):
        is_branch = n_shared > 0
        found.append(
            LoggedConversation(
                [message(step) for step in path],
                conversation_id=f"{main}:{path[n_shared].node.message_id}" if is_branch else main,
                user_id=root.user_id,
                language=language_code(root.lang),
                extras=known(branch_of=main, n_shared=n_shared) if is_branch else extras,
            )
        )
    return found


def message(step: Step) -> LoggedMessage:
    """One message of a thread, with the replies it was compared with there."""
    node = step.node
    labels = column(node.labels, "value")
    flags = {FLAGS[label] for label, value in labels.items() if label in FLAGS and value >= FOUND}
    return LoggedMessage(
        role="user" if node.role == "prompter" else "assistant",
        text=node.text,
        at=node.created_date,
        alternatives=[other.text for other in step.others] or None,
        preferences=step.preferences() or None,
        flags=sorted(flags | ({"toxic"} if found_by_score(node.detoxify) else set())),
        model=node.model_name,
        user_key=None if node.synthetic else node.user_id,
        extras=known(
            message_id=node.message_id,
            rank=node.rank,
            labels=labels or None,
            emojis=column(node.emojis, "count") or None,
            review_result=node.review_result,
        ),
    )


def column(table: Mapping[str, Any] | None, name: str) -> dict[str, float]:
    """One number per label or emoji, from `{label: {value: …}}`, `{emoji: 3}` or the flat `{name: […], count: […]}`."""
    if not table:
        return {}
    if isinstance(table.get("name"), list):
        values = dict(zip(table["name"], table.get(name) or [], strict=False))
    else:
        values = {label: entry.get(name) if isinstance(entry, dict) else entry for label, entry in table.items()}
    return msgspec.convert({label: value for label, value in values.items() if value is not None}, dict[str, float])
