"""The detector on texts that are easy to tell apart, and on texts that cannot be."""

import pytest

from turnabout.errors import DataError
from turnabout.metrics.naturalness import check_same_detector, fit_detector, naturalness

HUMAN = [f"hey u know {thing}" for thing in ("rice", "tea", "cars", "dogs", "rain", "jazz", "chess", "bread", "snow")]
TOLD = [f"Could you please explain {text.split()[-1]} to me?" for text in HUMAN]
USERS = [f"u{i}" for i in range(len(HUMAN))]


def test_people_score_higher_than_the_assistant_acting_them() -> None:
    detector = fit_detector(HUMAN, TOLD, USERS, 1)
    assert detector is not None
    assert (detector.auc, detector.n) == (1.0, 18)
    human, acted = ["hey u know trains", "hey u know cats"], ["Could you please explain trains to me?"] * 2
    ours, theirs = (naturalness(detector, texts, ["a", "b"], 20, 1) for texts in (human, acted))
    assert ours.value is not None
    assert theirs.value is not None
    assert ours.value > 60 > 40 > theirs.value
    # The mean of the probabilities of the pipeline itself, in percent.
    assert ours.value == pytest.approx(100 * detector.pipeline.predict_proba(human)[:, 1].mean())


def test_the_detector_is_tried_on_people_it_has_not_seen() -> None:
    # Five people with two conversations each and letters of their own, on both sides: a fit that saw one of a person's
    # conversations would know the other, one that saw none has nothing to go by.
    human, acted = (["aaaa", "bbbb", "cccc", "dddd", "eeee"] * 2, ["vvvv", "wwww", "xxxx", "yyyy", "zzzz"] * 2)
    detector = fit_detector(human, acted, [f"u{i % 5}" for i in range(10)], 1)
    assert detector is not None
    assert detector.auc == 0.5


def test_a_fingerprint_is_of_texts_and_recipe() -> None:
    one, same = fit_detector(HUMAN, TOLD, USERS, 1), fit_detector(HUMAN[::-1], TOLD[::-1], USERS[::-1], 1)
    other = fit_detector(HUMAN, [*TOLD[:-1], "What is snow?"], USERS, 1)
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_scores_of_different_detectors_are_not_compared() -> None:
    ours, theirs = ({"naturalness": {"detector": {"fingerprint": name}}} for name in ("aa", "bb"))
    check_same_detector(ours, ours)
    with pytest.raises(DataError, match="by detector bb cannot stand beside that by aa: measure both"):
        check_same_detector(ours, theirs)
    with pytest.raises(DataError, match="by detector None"):
        check_same_detector(ours, {})


def test_too_few_people_are_no_detector_and_a_reason() -> None:
    assert fit_detector(HUMAN[:7], TOLD[:7], USERS[:7], 1) is None
    assert "fewer than 8 people" in str(naturalness(None, ["hi"], ["a"], 10, 1).reason)


def test_a_single_person_leaves_nobody_to_try_the_detector_on() -> None:
    detector = fit_detector(HUMAN, TOLD, ["ann"] * len(HUMAN), 1)
    assert detector is not None
    assert detector.auc is None


def test_nobody_to_measure_is_null_with_a_reason() -> None:
    assert naturalness(fit_detector(HUMAN, TOLD, USERS, 1), [], [], 10, 1).reason == "nothing to measure"
