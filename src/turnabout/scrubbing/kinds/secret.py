"""Keys, tokens and passwords.

A secret is known by its prefix or form, or it is assigned to a name such as "password" or "api_key".
"""

import re
from collections.abc import Iterator

from turnabout.scrubbing.base import Kind, Span, find_spans

KNOWN = re.compile(
    r"""
    (?<![A-Za-z0-9_-])(?:
        (?:AKIA|ASIA)[A-Z2-7]{16}                                        # AWS
        | gh[oprsu]_\w{30,255} | github_pat_\w{22,255} | glpat-[\w-]{20,64}   # GitHub, GitLab
        | xox[abeoprs]-[\w-]{10,250} | xapp-[\w-]{10,250}                # Slack
        | sk-(?:[a-z0-9]{2,8}-)*[\w-]{20,250}                            # OpenAI, Anthropic and others
        | (?:sk|rk|pk)_(?:live|test)_\w{10,250} | whsec_\w{20,100}       # Stripe
        | AIza[\w-]{33,39} | ya29\.[\w-]{20,250}                         # Google
        | hf_[A-Za-z0-9]{20,64} | npm_[A-Za-z0-9]{30,64} | pypi-[\w-]{40,250}
        | SG\.[\w-]{16,32}\.[\w-]{16,64} | (?:SK|AC)[0-9a-f]{32}         # SendGrid, Twilio
        | dop_v1_[0-9a-f]{64} | shp(?:at|ca|pa|ss)_[0-9a-f]{32} | key-[0-9a-f]{32}
        | eyJ[\w-]{8,4000}\.[\w-]{4,8000}(?:\.[\w-]{0,4000})?            # JSON Web Token
    )(?![A-Za-z0-9_-])
    """,
    re.X,
)
PEM_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")
PEM_END = re.compile(r"-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----")

PASSWORD = (
    r"pass(?:word|wd|phrase|code|wort)?|pwd|contraseña|clave|mot[ ]de[ ]passe"
    r"|senha|hasło|wachtwoord|lösenord|пароль|pin"
)
TOKEN = (
    r"(?:secret|api|access|private|signing|encryption|auth|account|session)[ _-]?(?:access[ _-]?)?(?:key|token|secret)"
    r"|apikey|secret|token|credentials?|authorization"
)
ASSIGNED = re.compile(
    rf"""
    (?<![^\W_])(?:(?P<password>{PASSWORD})|(?:{TOKEN}))["']?
    (?:[ ]{{0,3}}(?::=|=>|[:=])[ ]{{0,3}}|[ ](?:is|ist|es|est|é|jest|to)[ :]{{1,2}})
    (?:(?:Bearer|Basic|Token)[ ])?["'`]?(?P<value>(?(password)[^\s"'`,;<>]|[^\s"'`,;<>&]){{4,300}})
    """,
    re.I | re.X,
)
FLAG = re.compile(r"(?<!\S)--(?:password|pass|token|api-key|secret)[ =](?P<value>[^\s\"'<>-][^\s\"'<>]{3,300})")
#: Text in place of a value: a variable, a call, a mask, an example.
NO_VALUE = re.compile(
    r"""
    [$%]?[{(\[] | [*x•.·_-]+$ | \$\w+$
    | (?:your|my|the|some|enter|change|insert|example|null|none|true|false|undefined)(?![a-z])
    | [A-Za-z_][\w.]*[(\[]
    | (?:process|os|config|settings|env|self|this|req|request)\.
    """,
    re.I | re.X,
)


def find_secrets(text: str) -> Iterator[Span]:
    """Yield the spans of known forms, private keys and assigned values."""
    yield from find_spans(KNOWN, text)
    yield from _find_private_keys(text)
    for match in ASSIGNED.finditer(text):
        value = match["value"].rstrip(".,)]}" if match["password"] else ".,!?)]}")
        if _is_secret(value, bool(match["password"])):
            yield match.start("value"), match.start("value") + len(value)
    for match in FLAG.finditer(text):
        if _is_secret(match["value"], True):
            yield match.span("value")


def _find_private_keys(text: str) -> Iterator[Span]:
    """Yield the spans from each BEGIN to its END, or to the end of the text."""
    position = 0
    while begin := PEM_BEGIN.search(text, position):
        end = PEM_END.search(text, begin.end())
        position = end.end() if end else len(text)
        yield begin.start(), position


def _is_secret(value: str, is_password: bool) -> bool:
    """Return whether an assigned value is a secret and not a placeholder.

    A password needs a digit or a sign. A key or token needs 12 characters, with both letters and digits.
    """
    if len(value) < 4 or NO_VALUE.match(value):
        return False
    if is_password:
        return bool(re.search(r"[^A-Za-z_.]", value))
    return len(value) >= 12 and bool(re.search(r"\d", value)) and bool(re.search(r"[A-Za-z]", value))


KIND = Kind(
    rf"(?i)(?:{PASSWORD}|{TOKEN}|key)[\"']?(?: {{0,3}}[:=]| (?:is|ist|es|est|é|jest|to)[ :])"
    r"|--(?:pass|token|api|secret)"
    r"|AKIA|ASIA|gh[oprsu]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|sk-|[srp]k_(?:live|test)_|whsec_|AIza|ya29\.|hf_|npm_"
    r"|pypi-|SG\.|(?:SK|AC)[0-9a-f]{32}|dop_v1_|shp(?:at|ca|pa|ss)_|key-|eyJ|PRIVATE KEY",
    find_secrets,
    labels=PASSWORD,
    normalize=str,
)
