"""Fenced blocks, commands and links of the documents, read from Markdown."""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

from tests.source_tree import ROOT

#: Folders whose README.md tells people what to type.
FOLDERS = ("examples", "benchmarks", "logs", "labels", "evaluation_sets", "follow_ups")

#: Every document that tells people what to type.
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    *(f"{folder}/README.md" for folder in FOLDERS),
)

FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S.*\n)+")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

#: A program that a document may call, after variables of its environment.
CALL = re.compile(
    r"(?:[A-Z_]+=\S+ )*"
    r"(?P<call>(?P<program>turnabout|dvc|make|python -m|prefect|pip|vllm|git|source|pre-commit) \S.*)"
)


#: Number of characters of its first line that identify a block in its document.
KEY_LENGTH = 60


class Block(NamedTuple):
    """One fenced block."""

    document: str
    language: str
    text: str

    @property
    def key(self) -> tuple[str, str]:
        """Return the name in `tables`: document and beginning of the first line."""
        return self.document, self.text.partition("\n")[0][:KEY_LENGTH]


class Command(NamedTuple):
    """One command line, with placeholders such as `[STAGE…]`."""

    document: str
    program: str
    text: str


def read_text(document: str) -> str:
    """Return the text of a document."""
    return (ROOT / document).read_text(encoding="utf-8")


def read_blocks() -> list[Block]:
    """Return the fenced blocks of all documents, without their indentation."""
    blocks = []
    for document in DOCUMENTS:
        for _, language, text in FENCE.findall(read_text(document)):
            blocks.append(Block(document, language, dedent(text)))
    return blocks


def read_commands() -> list[Command]:
    """Return every distinct command of every document.

    Commands stand in the text, in indented blocks and in console blocks.
    """
    commands: dict[Command, None] = {}
    for document in DOCUMENTS:
        text = read_text(document)
        rest = FENCE.sub("", text)
        consoles = [block for _, language, block in FENCE.findall(text) if language == "console"]
        lines = [line for block in (*consoles, *INDENTED.findall(rest)) for line in block.splitlines()]
        for candidate in (*re.findall(r"`([^`]+)`", rest), *lines):
            commands.update(dict.fromkeys(_split_calls(document, candidate)))
    return list(commands)


def _split_calls(document: str, code: str) -> Iterator[Command]:
    """Yield the commands of one line or of one piece of inline code.

    A comment and `&&` end a command.
    """
    for part in re.split(r" && | +# ", " ".join(code.split())):
        if match := CALL.fullmatch(part.strip()):
            yield Command(document, match["program"], match["call"])


def read_links() -> list[tuple[str, str]]:
    """Return the document and the target of every link."""
    links = []
    for document in DOCUMENTS:
        links += [(document, target) for target in LINK.findall(FENCE.sub("", read_text(document)))]
    return links


def list_anchors(path: Path) -> set[str]:
    """Return the anchors of a Markdown file's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def split_words(command: str) -> list[str]:
    """Return the words of a command.

    The marks of placeholders (`[--of SET]`, `USER…`) are left out.
    """
    return re.sub(r"[\[\]…]", "", command).split()
