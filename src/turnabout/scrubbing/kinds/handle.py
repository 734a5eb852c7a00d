"""Names people go by on services: `@name`, `u/name`, `name#1234`, and what follows a word such as username."""

import re
from collections.abc import Iterator

from turnabout.scrubbing.base import Kind, Span, labelled, spans

AT = re.compile(
    r"(?<![\w@./])@(?P<first>[^\W\d][\w-]{0,28})(?:\.[\w-]{1,28}){0,3}(?<=\w)"
    r"(?:@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})?(?![\w/@(])"
)
OTHER = re.compile(r"(?<![\w/.])/?u/[A-Za-z0-9_-]{3,20}(?![\w/])|(?<![\w#])[a-z0-9_.]{2,32}\#\d{4}(?!\w)", re.I)
LABELS = r"user[ _-]?name|user[ _-]?id|login|user|screen[ _-]?name|nick(?:name)?|handle|ig|insta(?:gram)?|twitter"
LABELLED = labelled(LABELS, r"@?[A-Za-z][\w.-]{1,30}[A-Za-z0-9_](?![\w(\[@])")
SAID = re.compile(
    r"(?i)\b(?:user ?name|handle|nick(?:name)?|insta(?:gram)?|snap(?:chat)?|twitter|telegram|discord|tiktok|skype) is "
    r"(?P<value>@?[a-z][\w.-]{1,30}\w)"
)
#: `@words` of programming languages, style sheets and documentation comments.
CODE = set(
    """media import charset keyframes font-face supports layer page namespace container property include mixin extend
    use forward function return returns param params throws see since version author deprecated todo type typedef
    example override overrides test before after beforeeach aftereach bean entity component service injectable input
    output autowired getmapping postmapping requestmapping restcontroller controller repository transactional nullable
    nonnull suppresswarnings functionalinterface safevarargs inject column table id staticmethod classmethod dataclass
    dataclasses abstractmethod cached_property functools pytest fixture contextmanager wraps app router api click task
    flow np torch tf jax jit numba mock patch celery validator field_validator overload final lru_cache cache setter
    property objc end interface implementation protocol selector synthesize main latest next beta home work
    here""".split()
)


def find(text: str) -> Iterator[Span]:
    """Spans of handles that are no decorator, annotation or rule of a style sheet."""
    for match in AT.finditer(text):
        if match["first"].casefold() not in CODE:
            yield match.span()
    yield from spans(OTHER, text)
    yield from (span for span in spans(LABELLED, text) if re.search(r"[\d_.@]", text[slice(*span)]))
    yield from (span for span in spans(SAID, text) if re.search(r"[\d_.@]", text[slice(*span)]))


KIND = Kind(
    rf"(?i)@\w|\bu/\w|\#\d{{4}}|(?:{LABELS})[\"']?\s{{0,3}}[:=]"
    r"|(?:name|handle|nick|gram|snap|chat|twitter|discord|tiktok|skype) is ",
    find,
    same=lambda value: value.casefold().lstrip("@"),
)
