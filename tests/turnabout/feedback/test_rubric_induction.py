"""Rubric induction with a scripted model: explained labels, summed-up reasons, and refused answers."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
import pytest

from turnabout.core import schemas
from turnabout.core.messages import Message
from turnabout.errors import DataError, ModelError
from turnabout.feedback import rubric_induction
from turnabout.feedback.base import LanguageModel
from turnabout.feedback.rubric_induction import induce_rubric, select_unanimous
from turnabout.generation import Completion
from turnabout.generation.scripted import ScriptedGenerator
from turnabout.models.checkpoints import Checkpoint

NO_CHECKPOINT: Checkpoint = None  # type: ignore[assignment]
SIGNS = {
    "satisfied": [{"name": "relief", "definition": "The user is relieved.", "category": "positive"}],
    "dissatisfied": [
        {"name": "sarcasm", "definition": "The user mocks the reply.", "category": "complaint"},
        {"name": "correcting", "definition": "The user corrects the reply.", "category": "correction"},
    ],
}

Build = Callable[..., pl.DataFrame]


def labels(**labels_by_conversation: str) -> pl.DataFrame:
    """`labels(c1="sat", c2="dsat none")`: judgements of reply 1 of each conversation by annotators 0, 1, …"""
    rows = [
        {"conversation_id": name, "reply_index": 1, "label": label, "annotator": str(n)}
        for name, several in labels_by_conversation.items()
        for n, label in enumerate(several.split())
    ]
    return pl.DataFrame(rows, schema=schemas.LABELS)


@pytest.fixture
def log(exchange: Build) -> pl.DataFrame:
    follow_ups = {"c1": "Phew, that is it.", "c2": "How very clever of you.", "c3": "It is Bern.", "c4": "And then?"}
    return pl.concat(exchange(conversation_id=name, follow_up=text) for name, text in follow_ups.items())


def build_generator(signs: dict[str, Any]) -> ScriptedGenerator:
    """A model that explains with the first sentence of the follow-up and sums up with these signs."""

    def script(messages: Sequence[Message]) -> Completion:
        question = messages[0]["content"]
        if "Summarise them" in question:
            return Completion(
                json.dumps({"criteria": signs["dissatisfied" if "dissatisfied" in question else "satisfied"]})
            )
        follow_up = json.loads(question.partition("<exchange>\n")[2].partition("\n")[0])["follow_up"]
        return Completion(json.dumps({"reasons": [f"They wrote: {follow_up}"]}))

    return ScriptedGenerator(script)


def model(generator: ScriptedGenerator) -> LanguageModel:
    return LanguageModel(generator, NO_CHECKPOINT, batch_size=4, seed=1)


def list_summed_up(generator: ScriptedGenerator) -> list[list[str]]:
    """The sentences of every question that asks to sum up."""
    question = [talk[0]["content"] for talk in generator.prompts if "Summarise them" in talk[0]["content"]]
    return [json.loads(text.partition("<sentences>\n")[2].partition("\n")[0]) for text in question]


def test_labels_are_explained_and_reasons_summed_up_by_label(log: pl.DataFrame) -> None:
    generator = build_generator(SIGNS)
    induced = induce_rubric(log, labels(c1="sat", c2="dsat", c3="dsat", c4="none"), model(generator))
    assert [c.model_dump() for c in induced.criteria.sat] == SIGNS["satisfied"]
    assert [c.model_dump() for c in induced.criteria.dsat] == SIGNS["dissatisfied"]
    assert induced[1:] == ({"sat": 1, "dsat": 2}, {"sat": 0, "dsat": 0})
    assert list_summed_up(generator) == [
        ["They wrote: Phew, that is it."],
        ["They wrote: How very clever of you.", "They wrote: It is Bern."],
    ]


def test_version_depends_on_the_criteria(log: pl.DataFrame) -> None:
    unanimous = labels(c1="sat", c2="dsat")
    other = SIGNS | {"satisfied": [SIGNS["satisfied"][0] | {"definition": "Calm."}]}
    versions = [
        induce_rubric(log, unanimous, model(build_generator(signs))).criteria.version for signs in (SIGNS, SIGNS, other)
    ]
    assert versions[0] == versions[1] != versions[2]


def test_exchange_with_differing_labels_is_no_example(log: pl.DataFrame) -> None:
    examples = select_unanimous(log, labels(c1="sat sat", c2="sat dsat", c3="dsat"))
    assert examples.select("conversation_id", "label").rows() == [("c1", "sat"), ("c3", "dsat")]


def test_label_without_examples_is_named(log: pl.DataFrame) -> None:
    with pytest.raises(DataError, match=r"labelled 'dsat'.*label more with `turnabout label`"):
        induce_rubric(log, labels(c1="sat", c2="sat dsat"), model(build_generator(SIGNS)))


def test_many_reasons_are_summed_up_in_parts_and_then_the_parts(
    log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rubric_induction, "MAX_REASONS_CHARS", 57)  # the two sentences are 35 and 23 long
    mocks = {"name": "sarcasm", "definition": "It mocks.", "category": "complaint"}
    generator = build_generator(SIGNS | {"dissatisfied": [mocks]})
    induce_rubric(log, labels(c1="sat", c2="dsat", c3="dsat"), model(generator))
    assert list_summed_up(generator)[1:] == [
        ["They wrote: How very clever of you."],
        ["They wrote: It is Bern."],
        ["It mocks.", "It mocks."],
    ]


@pytest.mark.parametrize(
    "signs",
    [
        SIGNS | {"dissatisfied": SIGNS["satisfied"]},
        SIGNS | {"dissatisfied": [SIGNS["dissatisfied"][0] | {"name": "relief"}]},
        SIGNS | {"dissatisfied": [SIGNS["dissatisfied"][0] | {"name": "two\nlines"}]},
        SIGNS | {"dissatisfied": []},
    ],
    ids=["category of the other label", "name of the other label", "line break", "none"],
)
def test_unusable_criteria_are_asked_for_again_and_then_refused(log: pl.DataFrame, signs: dict[str, Any]) -> None:
    generator = build_generator(signs)
    with pytest.raises(ModelError, match="did not sum up the reasons for 'dsat'"):
        induce_rubric(log, labels(c1="sat", c2="dsat"), model(generator))
    assert len(generator.prompts) == 2 + 1 + 1 + rubric_induction.RETRIES


def test_model_that_explains_nothing_is_refused(log: pl.DataFrame) -> None:
    with pytest.raises(ModelError, match="explained none of 1 'sat' labels"):
        induce_rubric(log, labels(c1="sat", c2="dsat"), model(ScriptedGenerator(lambda messages: Completion("Hm."))))
