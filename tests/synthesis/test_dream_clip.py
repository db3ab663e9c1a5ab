"""Deep dream over clips: layers that follow one another, frames independent of other calls; a clip in one call."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest
from cnnviz.io.convert import to_tensor
from cnnviz.synthesis.dream import DreamSettings, dream
from cnnviz.synthesis.dream_clip import DreamStylizer, dream_clip
from cnnviz.synthesis.spec import ObjectiveSpec
from cnnviz.video.clip import read_clip
from tests.support import clips

SETTINGS = DreamSettings(steps=2, octaves=1)


def test_a_clip_is_dreamt_in_one_call(network, tmp_path):
    clips.write(tmp_path / "clip.mp4", clips.frames(4))
    reports = []
    dream_clip(network, tmp_path / "clip.mp4", tmp_path / "out.mp4", "0", settings=SETTINGS, long_side=32,
               control=Control(lambda *report: reports.append(report)))  # fmt: skip
    before, after = (list(read_clip(tmp_path / name).frames()) for name in ("clip.mp4", "out.mp4"))
    assert [frame.time for frame in before] == [frame.time for frame in after]
    assert max(after[0].picture.shape) == 32
    assert [done for done, _ in reports] == [1, 2, 3, 4]
    dream_clip(network, tmp_path / "clip.mp4", tmp_path / "two.mp4", layer_sequence=["0", "2"], settings=SETTINGS,
               control=Control(stopped=lambda: len(reports) == 4))  # fmt: skip
    assert len(list(read_clip(tmp_path / "two.mp4").frames())) == 1


FRAME = np.random.default_rng(1).integers(256, size=(64, 80, 3), dtype=np.uint8)


def test_layers_follow_one_another(network):
    sequence = DreamStylizer(network, FRAME, ObjectiveSpec({"0": 1.0, "2": 1.0, "3": 1.0}), SETTINGS, sequence_over=5)
    assert [dict(sequence.objective_at(number).layers) for number in range(7)] == [
        {"0": 1.0}, {"0": 0.5, "2": 0.5}, {"2": 1.0}, {"2": 0.5, "3": 0.5}, {"3": 1.0}, {"3": 1.0}, {"3": 1.0},
    ]  # fmt: skip
    many = DreamStylizer(network, FRAME, ObjectiveSpec({"0": 1.0, "2": 1.0, "3": 1.0}), SETTINGS, sequence_over=51)
    assert all(sum(many.objective_at(at).weights) == pytest.approx(1) for at in range(51))


def test_a_frame_is_a_dream_of_its_own_seed(network):
    stylizer = DreamStylizer(network, FRAME, ObjectiveSpec({"0": 1.0}), SETTINGS, seed=3)
    frame = to_tensor(FRAME) / 255
    alone = dream(network, FRAME, "0", settings=SETTINGS, seed=5).tensor
    assert torch.equal(stylizer(frame, frame, 2, 2), alone)
    assert not torch.equal(stylizer(frame, frame, 2, 1), alone)
    assert torch.equal(stylizer(frame, frame, 2, 2), alone)
    bounded = replace(SETTINGS, compute_size=40)  # of photos only
    stylizer = DreamStylizer(network, FRAME, ObjectiveSpec({"0": 1.0}), bounded, seed=3)
    assert torch.equal(stylizer(frame, frame, 2, 2), alone)


def test_weights_are_those_of_the_frame(network):
    sequence = DreamStylizer(network, FRAME, ObjectiveSpec({"0": 1.0, "2": 1.0}), SETTINGS, sequence_over=101)
    frame = to_tensor(FRAME) / 255
    images = []
    for number in (1, 99):
        alone = dream(network, FRAME, "0", settings=SETTINGS, seed=number).tensor
        images.append((sequence(frame, frame, 2, number) - alone).abs().mean())
    assert images[0] < 0.2 * images[1]


def test_layers_are_checked_before_the_first_frame(network):
    with pytest.raises(InvalidRequest, match="has no layer '9'"):
        DreamStylizer(network, FRAME, ObjectiveSpec({"0": 1.0, "9": 1.0}), SETTINGS, sequence_over=3)
