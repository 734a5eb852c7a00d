"""Calibration of follow-up likelihoods, worked out by hand."""

import numpy as np
import pytest

from turnabout.follow_ups import Phrases, average_rewards, calibrate_logps


def test_calibration_subtracts_offsets_and_divides_by_spreads() -> None:
    # Two prompts with two replies each. The first follow-up is likelier after the first prompt whatever the reply.
    logps = np.array([[-1.0, -5.0], [-3.0, -5.0], [-8.0, -2.0], [-8.0, -6.0]])
    # Less the means of the prompts (−2, −5) and (−8, −4): (1, 0) (−1, 0) (0, 2) (0, −2); spreads √(2/4) and √(8/4).
    expected = np.array([[1, 0], [-1, 0], [0, 2], [0, -2]]) / np.sqrt([0.5, 2.0])
    assert calibrate_logps(logps, [0, 0, 1, 1]) == pytest.approx(expected)


def test_replies_to_one_prompt_may_be_apart() -> None:
    logps = np.array([[-1.0], [-8.0], [-3.0], [-4.0]])
    apart, together = calibrate_logps(logps, [7, 3, 7, 3]), calibrate_logps(logps[[0, 2, 1, 3]], [0, 0, 1, 1])
    assert apart[[0, 2, 1, 3]] == pytest.approx(together)


def test_follow_up_with_a_large_spread_does_not_outvote_the_others() -> None:
    phrases = Phrases(["steady", "steady too", "swings"], ["no"], 1)
    logps = np.array([[-1.0, -1.0, -9.0, -2.0], [-1.5, -1.5, -3.0, -2.0]])
    plain, calibrated = average_rewards(logps, phrases), average_rewards(calibrate_logps(logps, [0, 0]), phrases)
    assert plain[0] < plain[1]  # −11/3 against −2, by one follow-up of three
    assert calibrated == pytest.approx([1 / 3, -1 / 3])  # two of three against one


def test_constant_follow_up_is_zero_and_no_replies_are_allowed() -> None:
    assert calibrate_logps(np.full((2, 3), -4.0), [0, 0]).tolist() == [[0.0] * 3] * 2
    assert calibrate_logps(np.zeros((0, 3)), []).shape == (0, 3)
