"""Augmenters: the question asked, and every check an answer can fail."""

import polars as pl
import pytest

from turnabout.augment import AUGMENTERS
from turnabout.augment.base import Logs, Writing
from turnabout.augment.one_sentence import first_sentence, transcript
from turnabout.criticised import CRITICISED
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator

ROW = {
    "conversation_id": "a",
    "reply_index": 1,
    "user_key": "ann",
    "split": "train",
    "category": "complaint",
    "confidence": 0.9,
    "prompt": [{"role": "user", "content": "when does the shop open?"}],
    "reply": "the shop is a very nice place to go to on a sunday",
    "follow_up": "that is not what I asked you just now, when does it open?",
}


@pytest.mark.parametrize("name", sorted(AUGMENTERS))
def test_one_row_per_criticised_reply_with_author_and_version(name: str) -> None:
    augmenter = AUGMENTERS[name].model_validate({"writes": name})
    author = ScriptedGenerator(lambda _: " leaves out when the shop is open. Second.")
    nothing = pl.DataFrame()
    logs = Logs(nothing, nothing, nothing, pl.DataFrame([ROW], schema=CRITICISED), {})
    table = augmenter.annotate(logs, Writing(author, 100, 20, batch_size=4, seed=0))
    row = table.row(0, named=True)
    assert row[augmenter.column] == augmenter.prefill + " leaves out when the shop is open."
    assert (row["author"], row["kept"], row["reason"]) == ("scripted", True, None)
    assert row["prompt_version"] == augmenter.prompt_version
    asked = author.asked[0][-1]["content"]
    assert asked.startswith("User: when does the shop open?\nAssistant: the shop is")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (" fails.", "too short"),
        (" leaves the opening hours of the shop", "cut off"),
        (" is a very nice place to go to on a whim.", "copies the exchange"),
        (" does not give the user a clear answer.", "generic"),
        (" was about the shop, and I am ready to help you.", "talks to the user"),
        (" leaves out when the shop is open.", None),
    ],
)
def test_an_answer_that_fails_a_check_is_dropped_with_the_reason(said: str, reason: str | None) -> None:
    critiques = AUGMENTERS["critiques"].model_validate({"writes": "critiques"})
    answer = Completion(critiques.prefill + said, truncated=not said.endswith("."))
    assert critiques.fault(answer, ROW) == reason


def test_first_sentence_stops_at_a_stop_or_a_line() -> None:
    assert first_sentence("One. Two.") == "One."
    assert first_sentence("One\nTwo") == "One"
    assert first_sentence("v1.2 is one") == "v1.2 is one"


def test_the_transcript_keeps_the_newest_words() -> None:
    talk = [{"role": "user", "content": "old"}, {"role": "assistant", "content": "new"}]
    assert transcript(talk, 100) == "User: old\nAssistant: new"
    assert transcript(talk, 1) == " new"
