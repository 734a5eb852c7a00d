"""The steps of ingest, clean and rules in `datasets.map`.

Each row is processed in plain Python. This is how most people would write them. `python -m benchmarks.datasets_map LOGS
OUT PROCESSES` reads a folder of JSON lines and writes `messages.parquet` and `feedback.parquet`. `benchmarks.ingest`
runs it and checks that both files hold what the stages write. The definitions are those of this project (kinds of
personal data, phrases of the rules), but nothing that makes the stages fast is used.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from turnabout.feedback.miners.rules import REMOVED, RULE_BOOK, NamedRule, Rules, build_anywhere_regex, build_regexes
from turnabout.feedback.signals import WEAK
from turnabout.scrubbing.conversation import ConversationScrubber
from turnabout.scrubbing.kinds import KINDS

MIN_MESSAGES = 4

Row = dict[str, Any]


def main(logs: Path, out: Path, processes: int) -> None:
    """Read, scrub, filter, drop duplicates, find feedback and write both files."""
    from datasets import load_dataset

    files = sorted(str(path) for path in logs.glob("*.jsonl"))
    log = load_dataset("json", data_files=files, split="train")
    clean = log.map(clean_conversation, num_proc=processes, desc="clean")
    clean = clean.filter(is_long_enough, num_proc=processes, desc="min_messages")
    seen: set[int] = set()
    clean = clean.filter(lambda row: is_new(row, seen), desc="duplicates")
    feedback = clean.map(mine_conversation, num_proc=processes, desc="rules", remove_columns=clean.column_names)
    clean.to_parquet(out / "messages.parquet")
    feedback.to_parquet(out / "feedback.parquet")


def clean_conversation(row: Row) -> Row:
    """Return the scrubbed conversation without empty messages."""
    conversation = ConversationScrubber()
    texts = scrub_texts(conversation, row["messages"])
    if conversation.full_names:
        texts = scrub_texts(ConversationScrubber(conversation.full_names), row["messages"])
    cleaned = [{**message, "content": text} for message, text in zip(row["messages"], texts, strict=True)]
    return {"messages": [message for message in cleaned if message["content"].strip()]}


def scrub_texts(conversation: ConversationScrubber, messages: Iterable[Row]) -> list[str]:
    """Return the texts with every kind of personal data replaced."""
    empty_columns = {"edited_text": None, "alternatives": None, "extras": None}
    rows = [{"text": message["content"], **empty_columns} for message in messages]
    return [conversation.scrub_message(row, KINDS)["text"] for row in rows]


def is_long_enough(row: Row) -> bool:
    """Return whether both roles speak and there are enough messages."""
    roles = [message["role"] for message in row["messages"]]
    return len(roles) >= MIN_MESSAGES and {"user", "assistant"}.issubset(roles)


def is_new(row: Row, seen: set[int]) -> bool:
    """Return whether no earlier conversation had these texts."""
    key = hash(tuple((message["role"], message["content"]) for message in row["messages"]))
    if key in seen:
        return False
    seen.add(key)
    return True


def mine_conversation(row: Row) -> Row:
    """Return the signals of a conversation."""
    return {"conversation_id": row["conversation_id"], "signals": list(find_signals(row["messages"]))}


def find_signals(messages: list[Row]) -> Iterator[Row]:
    """Yield the signals of each follow-up.

    The first matching rule of each category counts.
    """
    for index, (reply, follow_up) in enumerate(pairwise(messages)):
        if (reply["role"], follow_up["role"]) != ("assistant", "user"):
            continue
        first_matches: dict[str, tuple[NamedRule, str]] = {}
        for rule, span in match_rules(reply["content"], follow_up["content"]):
            first_matches.setdefault(rule.category, (rule, span))
        is_complaint = any(rule.score < 0 and rule.category not in WEAK for rule, _ in first_matches.values())
        for rule, span in first_matches.values():
            if rule.score < 0 or not is_complaint:
                yield {"reply_index": index, "rule": rule.name, "span": span}


def match_rules(reply: str, follow_up: str) -> Iterator[tuple[NamedRule, str]]:
    """Yield every matching rule with the text that it matched."""
    text = REMOVED_PHRASES.sub(REMOVED, follow_up[: Rules().reach])
    for rule, unless_reply, patterns in COMPILED_RULES:
        if unless_reply and unless_reply.search(reply):
            continue
        match = next(filter(None, (pattern.search(text) for pattern in patterns)), None)
        if match and match[1] in follow_up:
            yield rule, match[1]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a Rust regular expression for Python.

    In Python, `$` would also match before a last line break.
    """
    return re.compile(pattern.replace("$", r"\Z"))


REMOVED_PHRASES = compile_pattern(build_anywhere_regex(RULE_BOOK.never))
COMPILED_RULES = [
    (
        rule,
        compile_pattern(build_anywhere_regex(rule.unless_reply)) if rule.unless_reply else None,
        [*map(compile_pattern, build_regexes(rule))],
    )
    for rule in RULE_BOOK.rules
]

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
