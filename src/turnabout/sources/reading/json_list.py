"""The items of a JSON list as bytes, one at a time, in bounded memory.

Only brackets, commas and strings are parsed here; the reader of an item parses the rest. So an item with a number out
of range, or nested a million deep, costs only itself. A parser of the whole list would lose the items after it, too.
"""

import re
from collections.abc import Iterator

from turnabout.sources.reading.packing import Stream

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},]', re.DOTALL)


def split_items(stream: Stream, max_bytes: int) -> Iterator[bytes]:
    """Yield the items of the JSON list at the start of a stream.

    Raises `EOFError` where the list does not end, where something follows it, or where an item is longer than
    `max_bytes`: the items after that cannot be separated.
    """
    buffer, start, position, depth = b"", 0, 0, 0
    while chunk := stream.read1(max(2**20, len(buffer))):
        buffer += chunk
        for token in _TOKEN.finditer(buffer, position):
            kind = token[0]
            if kind == b'"':  # a string that goes on in the next chunk
                break
            position = token.end()
            if kind in (b"[", b"{"):
                depth += 1
                start = position if depth == 1 else start
            elif kind in (b"]", b"}"):
                depth -= 1
            if depth == 0 or (depth == 1 and kind == b","):
                if item := buffer[start : position - 1].strip():
                    yield item
                start = position
            if depth == 0:
                if buffer[position:].strip() or stream.read1().strip():
                    raise EOFError("more follows the list")
                return
        buffer, start, position = buffer[start:], 0, position - start
        if len(buffer) > max_bytes:
            raise EOFError(f"an item is longer than {max_bytes // 2**20} MB")
    raise EOFError("the list does not end")
