"""Addresses of any scheme with all they carry (passwords, tokens), and bare domains that point at a page."""

import re
from collections.abc import Iterator

from turnabout.scrubbing.base import Kind, Span

DOMAINS = "com|org|net|edu|gov|io|co|me|app|dev|info|biz|tv|gg|ai|ly|be|eu|uk|de|fr|es|it|pl|nl|ch|at|br|in|us|ca|au|jp"
URL = re.compile(
    rf"""
    (?<![^\W_])(?: [a-z][a-z0-9+.-]{{0,15}}:// | www\.(?=\w) ) [^\s<>"]+
    | (?<![\w@./-])(?:[a-z0-9-]{{1,63}}\.){{1,4}}(?:{DOMAINS})/[^\s<>"]+    # linkedin.com/in/someone
    """,
    re.I | re.X,
)
TRAILING = ".,;:!?'*`]})"


def find(text: str) -> Iterator[Span]:
    """Spans without the punctuation of the sentence; a closing bracket stays where the address opens it."""
    for match in URL.finditer(text):
        url = match.group()
        unopened = url.count(")") - url.count("(")
        end = len(url)
        while end and url[end - 1] in TRAILING and (url[end - 1] != ")" or unopened > 0):
            unopened -= url[end - 1] == ")"
            end -= 1
        if re.search(r"\w", url[:end].partition("://")[2] or url[4:end]):
            yield match.start(), match.start() + end


KIND = Kind(rf"(?i)://|www\.|\.(?:{DOMAINS})/", find)
