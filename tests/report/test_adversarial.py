"""Figures of attacks: the title says whether the photo was fooled; the sticker's poses are those of its seed."""

import dataclasses

import numpy as np

import cnnviz
from cnnviz.adversarial.figures.patch import draw_preview
from cnnviz.figures.output import render
from tests.support import results
from tests.support.layout import texts


def test_a_file_that_fools_is_a_result_and_one_that_does_not_the_best_attempt():
    found = results.attack("grey")
    assert found.fooled
    assert "Result" in texts(cnnviz.figure(found))
    lost = dataclasses.replace(found.verification, fooled=False)
    words = texts(cnnviz.figure(dataclasses.replace(found, verification=lost)))
    assert "Best attempt" in words
    assert "Missed: not fooled." in " ".join(words)


def test_a_margin_that_is_not_reached_is_said():
    found = results.attack("grey")
    criterion = dataclasses.replace(found.written.criterion, margin=1e6)
    written = dataclasses.replace(found.written, criterion=criterion)
    assert "logits only" in " ".join(texts(cnnviz.figure(dataclasses.replace(found, written=written))))


def test_a_transform_that_was_required_and_undoes_the_change_is_said():
    network, photo = results.network(), results.photo("grey")
    settings = cnnviz.AttackSettings(steps=2)
    found = cnnviz.attack_photo(network, photo, robust_to=("blur", "jpeg75"), settings=settings)
    assert found.robust_to == ("blur", "jpeg75")
    lost = dataclasses.replace(found.verification, fooled=True, robust_to={"jpeg75": False, "jpeg90": False})
    words = " ".join(texts(cnnviz.figure(dataclasses.replace(found, verification=lost))))
    assert "Missed: not after jpeg75." in words


def test_robustness_with_ground_truth_is_a_share_of_that_class():
    photos = [results.photo("tiny")]
    for truth, right in ((None, "whose predicted class is unchanged"), ("kind 3", "predicted as “kind 3”")):
        curve = cnnviz.robustness(results.network(), photos, eps=1, ground_truth=truth)
        assert right in " ".join(texts(cnnviz.figure(curve)))


def test_the_poses_of_a_patch_are_those_of_its_seed():
    found = results.patch()
    assert found.seed == 0
    shown, same, other = (render(figure) for figure in (
        cnnviz.figure(found), draw_preview(found), cnnviz.figure(dataclasses.replace(found, seed=1))))  # fmt: skip
    np.testing.assert_array_equal(shown, same)
    assert (shown != other).any()
