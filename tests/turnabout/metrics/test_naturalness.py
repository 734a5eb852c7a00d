"""The naturalness detector on easy and on impossible texts."""

import pytest

from turnabout.errors import DataError
from turnabout.metrics.naturalness import check_same_detector, estimate_naturalness, fit_detector
from turnabout.stats.estimate import Bootstrap

HUMAN = [f"hey u know {thing}" for thing in ("rice", "tea", "cars", "dogs", "rain", "jazz", "chess", "bread", "snow")]
ACTED = [f"Could you please explain {text.split()[-1]} to me?" for text in HUMAN]
USERS = [f"u{i}" for i in range(len(HUMAN))]


def test_people_score_higher_than_an_assistant_acting_as_them() -> None:
    detector = fit_detector(HUMAN, ACTED, USERS, 1)
    assert detector is not None
    assert (detector.auc, detector.n) == (1.0, 18)
    human, acted = ["hey u know trains", "hey u know cats"], ["Could you please explain trains to me?"] * 2
    bootstrap = Bootstrap(20, seed=1)
    ours, theirs = (estimate_naturalness(detector, texts, ["a", "b"], bootstrap) for texts in (human, acted))
    assert ours.value is not None
    assert theirs.value is not None
    assert ours.value > 60 > 40 > theirs.value
    # The mean of the probabilities of the pipeline itself, in percent.
    assert ours.value == pytest.approx(100 * detector.pipeline.predict_proba(human)[:, 1].mean())


def test_auc_comes_from_people_outside_the_training_folds() -> None:
    # Five people with two conversations each and letters of their own, in both classes: a fit that saw one of a
    # person's conversations would recognise the other; a fit that saw none of them has no information.
    human, acted = (["aaaa", "bbbb", "cccc", "dddd", "eeee"] * 2, ["vvvv", "wwww", "xxxx", "yyyy", "zzzz"] * 2)
    detector = fit_detector(human, acted, [f"u{i % 5}" for i in range(10)], 1)
    assert detector is not None
    assert detector.auc == 0.5


def test_fingerprint_depends_on_texts_and_not_on_their_order() -> None:
    one, same = fit_detector(HUMAN, ACTED, USERS, 1), fit_detector(HUMAN[::-1], ACTED[::-1], USERS[::-1], 1)
    other = fit_detector(HUMAN, [*ACTED[:-1], "What is snow?"], USERS, 1)
    assert one is not None
    assert same is not None
    assert other is not None
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_different_detectors_are_refused() -> None:
    ours, theirs = ({"naturalness": {"detector": {"fingerprint": name}}} for name in ("aa", "bb"))
    check_same_detector(ours, ours)
    with pytest.raises(DataError, match="by detector bb cannot be compared with that by detector aa: measure both"):
        check_same_detector(ours, theirs)
    with pytest.raises(DataError, match="by detector None"):
        check_same_detector(ours, {})


def test_too_few_people_give_no_detector_and_a_reason() -> None:
    assert fit_detector(HUMAN[:7], ACTED[:7], USERS[:7], 1) is None
    assert "fewer than 8 people" in str(estimate_naturalness(None, ["hi"], ["a"], Bootstrap(10, seed=1)).reason)


def test_auc_is_none_when_all_texts_are_of_one_person() -> None:
    detector = fit_detector(HUMAN, ACTED, ["ann"] * len(HUMAN), 1)
    assert detector is not None
    assert detector.auc is None


def test_naturalness_without_texts_is_null_with_a_reason() -> None:
    detector = fit_detector(HUMAN, ACTED, USERS, 1)
    assert estimate_naturalness(detector, [], [], Bootstrap(10, seed=1)).reason == "nothing to measure"
