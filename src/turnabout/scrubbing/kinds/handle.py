"""User names on online services.

Found are `@name`, `u/name`, `name#1234`, and a name after a label such as "username".
"""

import re
from collections.abc import Iterator

from turnabout.scrubbing.base import Kind, Span, find_spans, label_pattern

AT = re.compile(
    r"(?<![\w@./])@(?P<first>[^\W\d][\w-]{0,28})(?:\.[\w-]{1,28}){0,3}(?<=\w)"
    r"(?:@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24})?(?![\w/@(])"
)
OTHER = re.compile(r"(?<![\w/.])/?u/[A-Za-z0-9_-]{3,20}(?![\w/])|(?<![\w#])[a-z0-9_.]{2,32}\#\d{4}(?!\w)", re.I)
LABELS = r"user[ _-]?name|user[ _-]?id|login|user|screen[ _-]?name|nick(?:name)?|handle|ig|insta(?:gram)?|twitter"
LABELLED = label_pattern(LABELS, r"@?[A-Za-z][\w.-]{1,30}[A-Za-z0-9_](?![\w(\[@])")
AFTER_CUE = re.compile(
    r"(?i)\b(?:user ?name|handle|nick(?:name)?|insta(?:gram)?|snap(?:chat)?|twitter|telegram|discord|tiktok|skype) is "
    r"(?P<value>@?[a-z][\w.-]{1,30}\w)"
)
#: Words that follow `@` in programming languages, style sheets and documentation comments.
CODE_WORDS = set(
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


def find_handles(text: str) -> Iterator[Span]:
    """Yield the spans of handles.

    Decorators, annotations and rules of style sheets (`CODE_WORDS`) are not handles. After a label or a cue, a handle
    must hold a digit or one of `_.@`.
    """
    for match in AT.finditer(text):
        if match["first"].casefold() not in CODE_WORDS:
            yield match.span()
    yield from find_spans(OTHER, text)
    yield from (span for span in find_spans(LABELLED, text) if re.search(r"[\d_.@]", text[slice(*span)]))
    yield from (span for span in find_spans(AFTER_CUE, text) if re.search(r"[\d_.@]", text[slice(*span)]))


KIND = Kind(
    rf"(?i)@\w|\bu/\w|\#\d{{4}}|(?:{LABELS})[\"']?\s{{0,3}}[:=]"
    r"|(?:name|handle|nick|gram|snap|chat|twitter|discord|tiktok|skype) is ",
    find_handles,
    normalize=lambda value: value.casefold().lstrip("@"),
)
