"""Public IP addresses, version 4 and 6.

Private, loopback and reserved addresses stay, because they identify nobody.
"""

import ipaddress
import re
from collections.abc import Iterator

from turnabout.scrubbing.base import Kind, Span

V4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d|-[A-Za-z])")
V6 = re.compile(r"(?<![\w:.])(?=[0-9a-f]{0,4}:)(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])", re.I)
#: Text before a version or section number of the same form.
NUMBERED = re.compile(r"(?i)(?:(?<![^\W_])(?:v|ver|versions?|release|build|section|clause|chapter|oid)[. ]{0,2}|[§/])$")
SHARED = [
    ipaddress.ip_network(block)
    for block in ("0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
]
MULTICAST_AND_RESERVED = ipaddress.ip_network("224.0.0.0/3")
GLOBAL_V6 = ipaddress.ip_network("2000::/3")


def find_ips(text: str) -> Iterator[Span]:
    """Yield the spans of public addresses."""
    for match in V4.finditer(text):
        if not NUMBERED.search(text, max(0, match.start() - 12), match.start()) and _is_public_v4(match.group()):
            yield match.span()
    for match in V6.finditer(text):
        if _is_global_v6(match.group()):
            yield match.span()


def _is_public_v4(address: str) -> bool:
    """Return whether the text is a public version 4 address.

    Four single digits are taken for a section (3.2.1.4) or a public resolver (8.8.8.8).
    """
    if len(address) == len("1.2.3.4"):
        return False
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return parsed not in MULTICAST_AND_RESERVED and not any(parsed in block for block in SHARED)


def _is_global_v6(address: str) -> bool:
    try:
        return ipaddress.IPv6Address(address) in GLOBAL_V6
    except ValueError:
        return False


KIND = Kind(r"(?i)\d\.\d{1,3}\.\d|[0-9a-f]:[0-9a-f]{0,4}:", find_ips)
