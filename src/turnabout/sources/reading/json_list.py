"""The items of a JSON list as bytes, one at a time: a list of any length in bounded memory.

Only brackets, commas and strings are looked at. What an item holds is its reader's business, so that an item with a
number out of range or nested a million deep costs itself alone and not, as with a parser of the whole, the rest.
"""

import re
from collections.abc import Iterator

from turnabout.sources.reading.packing import Stream

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)


def items(stream: Stream, longest: int) -> Iterator[bytes]:
    """The items of the list that the stream starts with. Raises `EOFError` where it does not end or an item is longer
    than `longest` bytes: what follows cannot be told apart."""
    buffer, start, at, depth = b"", 0, 0, 0
    while chunk := stream.read1(max(2**20, len(buffer))):
        buffer += chunk
        for token in _TOKEN.finditer(buffer, at):
            kind = token[0]
            if kind == b'"':  # a string that goes on in the next chunk
                break
            at = token.end()
            if kind in (b"[", b"{"):
                depth += 1
                start = at if depth == 1 else start
            elif kind in (b"]", b"}"):
                depth -= 1
            if depth == 0 or (depth == 1 and kind == b","):
                if item := buffer[start : at - 1].strip():
                    yield item
                start = at
            if depth == 0:
                if buffer[at:].strip() or stream.read1().strip():
                    raise EOFError("more follows the list")
                return
        buffer, start, at = buffer[start:], 0, at - start
        if len(buffer) > longest:
            raise EOFError(f"an item is longer than {longest // 2**20} MB")
    raise EOFError("the list does not end")
