"""Deep dream over clips: layers that follow one another, frames independent of other calls."""

import numpy as np
import pytest
import torch

from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.dream import DreamSettings, dream
from cnnviz.synthesis.frame_dream import DreamStylizer, LayerSequence, check_layers, coherence_settings, make_stylizer
from cnnviz.synthesis.spec import ObjectiveSpec

SETTINGS = DreamSettings(steps=2, octaves=1)


def test_layers_follow_one_another():
    sequence = LayerSequence(ObjectiveSpec({"a": 1.0, "b": 1.0, "c": 1.0}), 5)
    assert [dict(sequence(number).layers) for number in range(5)] == [
        {"a": 1.0}, {"a": 0.5, "b": 0.5}, {"b": 1.0}, {"b": 0.5, "c": 0.5}, {"c": 1.0},
    ]  # fmt: skip


def test_a_frame_is_a_dream_of_its_own_seed(network):
    frame = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(1))
    stylizer = DreamStylizer(network, frame, lambda _: ObjectiveSpec({"0": 1.0}), SETTINGS, seed=3)
    alone = dream(network, frame, "0", settings=SETTINGS, seed=5).tensor
    assert torch.equal(stylizer(frame, frame, 2, 2), alone)
    assert not torch.equal(stylizer(frame, frame, 2, 1), alone)
    assert torch.equal(stylizer(frame, frame, 2, 2), alone)


def test_weights_are_those_of_the_frame(network):
    frame = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(1))
    specs = [ObjectiveSpec({"0": 1.0}, {("2", 1): weight}) for weight in (1e-6, 1.0, 1.0)]
    stylizer = DreamStylizer(network, frame, lambda number: specs[number], SETTINGS)
    faint, strong = stylizer(frame, frame, 2, 0), stylizer(frame, frame, 2, 1)
    assert not torch.allclose(faint, strong, atol=1e-2)


def test_layers_are_checked_before_the_first_frame(network):
    with pytest.raises(InvalidRequest, match="has no layer '9'"):
        check_layers(network, ObjectiveSpec({"0": 1.0, "9": 1.0}))
    image = np.zeros((64, 80, 3), np.uint8)
    with pytest.raises(InvalidRequest, match="has no layer '9'"):
        make_stylizer(network, image, ObjectiveSpec({"0": 1.0, "9": 1.0}), SETTINGS, sequence_over=3)


def test_a_fifth_of_the_steps_renews_a_frame():
    assert [coherence_settings(steps).renew for steps in (1, 10, 23)] == [1, 2, 5]
