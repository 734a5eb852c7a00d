"""Kinds of personal data.

A new kind takes one file here, one line in `KINDS` and its name in `clean.scrub`.
"""

from turnabout.scrubbing.base import Kind
from turnabout.scrubbing.kinds import (
    address,
    birth_date,
    card,
    email,
    handle,
    iban,
    ip,
    name,
    national_id,
    phone,
    secret,
    url,
)

#: Every kind by its name in `params.yaml` and in its placeholders. If two kinds find the same span, the earlier wins.
KINDS: dict[str, Kind] = {
    "url": url.KIND,
    "email": email.KIND,
    "secret": secret.KIND,
    "iban": iban.KIND,
    "card": card.KIND,
    "ip": ip.KIND,
    "national_id": national_id.KIND,
    "birth_date": birth_date.KIND,
    "phone": phone.KIND,
    "address": address.KIND,
    "name": name.KIND,
    "handle": handle.KIND,
}
