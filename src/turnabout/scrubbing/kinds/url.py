"""Web addresses of any scheme, and bare domains that are followed by a path.

An address is replaced as a whole, with the passwords and tokens in it.
"""

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


def find_urls(text: str) -> Iterator[Span]:
    """Yield the spans of addresses, without the punctuation of the sentence.

    A closing bracket belongs to the address if the address opens it.
    """
    for match in URL.finditer(text):
        url = match.group()
        unopened = url.count(")") - url.count("(")
        end = len(url)
        while end and url[end - 1] in TRAILING and (url[end - 1] != ")" or unopened > 0):
            unopened -= url[end - 1] == ")"
            end -= 1
        if re.search(r"\w", url[:end].partition("://")[2] or url[4:end]):
            yield match.start(), match.start() + end


KIND = Kind(rf"(?i)://|www\.|\.(?:{DOMAINS})/", find_urls)
