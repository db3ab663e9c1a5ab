"""Scores of crops with known outputs and maps."""

from math import log

import numpy as np
import pytest

from cnnviz import heat
from cnnviz.dense.crop_score import HeatShare, judge_by_rating, score
from tests.support import results
from tests.support.networks import lite0


def test_the_score_of_a_probability_and_a_share():
    assert score(0.7, 1) == pytest.approx(0)
    assert score(0, 1) == pytest.approx(log(0.3))
    assert score(0.7, np.exp(-1)) == pytest.approx(-6)


def test_the_share_of_the_whole_photo_is_one_and_of_nothing_zero():
    photo = results.photo("wide")
    share = HeatShare(heat(lite0(), photo, fit_mode="squash"))
    height, width = photo.shape[:2]
    assert share((0, 0, width, height)) == pytest.approx(1)
    assert share((0, 0, 0, 0)) == 0
    judged = share.judge(np.where(np.arange(1000) == share.target, log(999), 0), (0, 0, width, height))
    assert judged.probability == pytest.approx(0.5)
    assert judged.score == pytest.approx(log(0.8))


def test_ratings_are_the_output_or_the_mean_of_its_places():
    assert judge_by_rating(np.array([3.25]), (0, 0, 1, 1)).score == 3.25
    assert judge_by_rating(np.zeros(10), (0, 0, 1, 1)).score == 5.5
