"""Synthetic chat logs of any size, in the format of source `openai`.

Each day is a file. The same seed gives the same bytes. Sentences are templates with slots, so that hardly two are
equal. Lengths and the share of texts with digits are like those of people and assistants; the constants below set the
shares of texts that the pipeline searches for.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, TypeVar

import msgspec
import zstandard

from benchmarks import synthetic_words as words

#: Shares of conversations that repeat an earlier one of the day (exactly, nearly), of texts with personal data, and of
#: follow-ups that judge the reply.
EXACT_COPIES, NEAR_COPIES, PERSONAL, JUDGING = 0.02, 0.02, 0.02, 0.03
#: Shares of texts with a number, for users and for assistants.
NUMBERS_OF_USERS, NUMBERS_OF_ASSISTANTS = 0.1, 0.25
#: Exchanges of a conversation, equally likely: 9.7 messages on average.
EXCHANGES = (1, 2, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 7, 8, 12)
#: Sentences of a user's, an assistant's and an assistant's long message; one reply in twelve is long.
OF_USER, OF_ASSISTANT, OF_LONG = (1, 2, 2, 3), (2, 3, 3, 4, 5), (12, 16, 24)

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
SLOT = re.compile(r"\{(\w+)\}")

Message = dict[str, Any]
Choice = TypeVar("Choice")


class Sentence(NamedTuple):
    """A template: the texts between its slots, and the values for each slot."""

    fixed: Sequence[str]
    slots: Sequence[Sequence[str]]


def parse_template(template: str) -> Sentence:
    """Return a template such as `Buy {noun}.` as its parts."""
    fixed, names = SLOT.split(template)[::2], SLOT.findall(template)
    return Sentence(fixed, [getattr(words, name.upper()) for name in names])


QUESTIONS, STATEMENTS, FACTS, DETAILS = (
    [parse_template(template) for template in templates]
    for templates in (words.QUESTIONS, words.STATEMENTS, words.FACTS, words.DETAILS)
)


class ConversationWriter:
    """Writer of the messages of one day."""

    def __init__(self, seed: str) -> None:
        self._rng = Random(seed)
        self._chance = self._rng.random

    def write_conversation(self) -> list[Message]:
        """Return exchanges of a user's and an assistant's message."""
        messages = []
        for number in range(self._choose(EXCHANGES)):
            messages.append({"role": "user", "content": self._write_user_message(number)})
            messages.append({"role": "assistant", "content": self._write_reply()})
        return messages

    def write_near_copy(self, messages: Sequence[Message]) -> list[Message]:
        """Return the conversation with one word of one message changed."""
        at = int(self._chance() * len(messages))
        parts = messages[at]["content"].split(" ")
        parts[int(self._chance() * len(parts))] = self._choose(words.NOUN)
        return [*messages[:at], {**messages[at], "content": " ".join(parts)}, *messages[at + 1 :]]

    def _choose(self, choices: Sequence[Choice]) -> Choice:
        return choices[int(self._chance() * len(choices))]

    def _write_user_message(self, number: int) -> str:
        sentences = [self._fill_sentence(self._choose(QUESTIONS)) for _ in range(self._choose(OF_USER))]
        if self._chance() < NUMBERS_OF_USERS:
            sentences.append(self._write_fact())
        if number and self._chance() < JUDGING:
            sentences = [self._choose(words.JUDGEMENTS), *sentences[1:]]
        return self._join_sentences(sentences)

    def _write_reply(self) -> str:
        is_long = self._chance() < 1 / 12
        n_sentences = self._choose(OF_LONG if is_long else OF_ASSISTANT)
        sentences = [self._fill_sentence(self._choose(STATEMENTS)) for _ in range(n_sentences)]
        if self._chance() < NUMBERS_OF_ASSISTANTS:
            sentences.insert(1, self._write_fact())
        if is_long:
            sentences[2:] = [f"\n{number}. {sentence}" for number, sentence in enumerate(sentences[2:], start=1)]
        return self._join_sentences(sentences)

    def _join_sentences(self, sentences: list[str]) -> str:
        """Return the sentences as one text, sometimes with personal data."""
        if self._chance() < PERSONAL:
            sentences.append(self._fill_digits(self._fill_sentence(self._choose(DETAILS))))
        return " ".join(sentences)

    def _write_fact(self) -> str:
        return self._fill_digits(self._fill_sentence(self._choose(FACTS)))

    def _fill_sentence(self, sentence: Sentence) -> str:
        chance, pieces = self._chance, [sentence.fixed[0]]
        for fixed, slot in zip(sentence.fixed[1:], sentence.slots, strict=True):
            pieces += (slot[int(chance() * len(slot))], fixed)
        return "".join(pieces)

    def _fill_digits(self, text: str) -> str:
        """Replace each `#` by a digit from 1 to 9, and `%` by the check digit.

        The check digit is that of the card number before it.
        """
        text = re.sub("#", lambda _: str(1 + int(9 * self._chance())), text)
        return re.sub(r"([\d ]+)%", lambda match: match[1] + compute_check_digit(match[1]), text)


def compute_check_digit(number: str) -> str:
    """Return the digit that makes a card number valid by Luhn's formula."""
    digits = [int(digit) for digit in reversed(number) if digit.isdigit()]
    total = sum(2 * digit - 9 * (digit > 4) if index % 2 == 0 else digit for index, digit in enumerate(digits))
    return str(-total % 10)


def generate_records(day: int, n_messages: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield the conversations of one day, until they have `n_messages` or more."""
    writer, rng = ConversationWriter(f"{seed}:{day}"), Random(f"{seed}:{day}:log")
    earlier: deque[list[Message]] = deque([writer.write_conversation()], maxlen=1_000)
    began, n_written, number = FIRST_DAY + timedelta(days=day), 0, 0
    while n_written < n_messages:
        chance = rng.random()
        if chance < EXACT_COPIES:
            messages = rng.choice(earlier)
        elif chance < EXACT_COPIES + NEAR_COPIES:
            messages = writer.write_near_copy(rng.choice(earlier))
        else:
            messages = writer.write_conversation()
            earlier.append(messages)
        at = int(began.timestamp()) + number
        yield {
            "conversation_id": f"{day:03}-{number:07}",
            "user_id": f"u{int(rng.random() * n_messages / 30):06}",
            "model": rng.choice(words.MODELS),
            "messages": [{**message, "created_at": at + 20 * index} for index, message in enumerate(messages)],
        }
        n_written, number = n_written + len(messages), number + 1


def write_days(folder: Path, days: Iterable[int], n_messages: int, seed: int, suffix: str = ".jsonl") -> int:
    """Write a file for each day and return the number of messages in all.

    Each file has `n_messages` or a few more; it is compressed where `suffix` ends with `.zst`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    encode = msgspec.json.Encoder().encode
    n_written = 0
    for day in days:
        path = folder / f"{FIRST_DAY + timedelta(days=day):%Y-%m-%d}{suffix}"
        with zstandard.open(path, "wb") if suffix.endswith(".zst") else path.open("wb") as file:
            for record in generate_records(day, n_messages, seed):
                file.write(encode(record) + b"\n")
                n_written += len(record["messages"])
    return n_written
