"""Dates of birth: any date after a cue such as "born" or "dob"."""

import re

from turnabout.scrubbing.base import Kind, find_spans, keep_alphanumerics

CUE = (
    r"dob|d\.o\.b\.?|date[ _]?of[ _]?birth|birth[ _]?da(?:te|y)|born(?: on)?|geboren(?: am)?|geburts(?:datum|tag)"
    r"|née? le|date de naissance|fecha de nacimiento|nacid[oa] el|data di nascita|nat[oa] il|data de nascimento"
    r"|nascid[oa] em|urodzon[ya]|data urodzenia|geboortedatum|geboren op"
)
DATE = (
    r"\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d\d)|\d{4}[./-]\d{1,2}[./-]\d{1,2}"
    r"|\d{1,2}(?:st|nd|rd|th|\.|er)?[ ](?:de[ ])?[^\W\d_]{3,10}\.?,?[ ](?:de[ ])?\d{4}"
    r"|[^\W\d_]{3,9}\.?[ ]\d{1,2}(?:st|nd|rd|th)?,?[ ]\d{4}"
)
BIRTH = re.compile(rf"(?i)(?<![^\W_])(?:{CUE})[\"']?[ ]?[:=]?[ ]?(?:is |es |ist )?[\"']?(?P<value>{DATE})(?!\w)")

KIND = Kind(
    r"(?i)d\.?o\.?b|birth|born|gebor|geburt|née? le|naissance|nacimiento|nacid"
    r"|nascita|nat[oa] il|nascimento|nascid|urodz|geboorte",
    lambda text: find_spans(BIRTH, text),
    labels=CUE,
    normalize=keep_alphanumerics,
    needs_digit=True,
)
