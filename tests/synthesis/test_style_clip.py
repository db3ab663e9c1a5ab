"""Style clips on a tiny network: what stays, what follows the flow, what is new; continued from any state alike."""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch

from cnnviz import Control, StyleSettings, style_clip, style_transfer
from cnnviz.models.network import Network
from cnnviz.synthesis.style_clip import StyleClip, TemporalLoss
from cnnviz.synthesis.transforms import luminance
from cnnviz.video.clip import read_clip
from cnnviz.video.temporal_consistency import FrameHistory
from tests.support import clips

LAYERS = StyleSettings(style_layers={"pixels": 1, "0": 1, "2": 1}, content_layers={"2": 1}, long_side=None, steps=17)
STYLE = np.random.default_rng(9).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def texture(seed: int, *size: int) -> np.ndarray:
    """Return smooth noise, uint8 (h, w, 3)."""
    noise = np.random.default_rng(seed).standard_normal((*size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.5)
    return np.rint(128 + 40 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pan() -> list[np.ndarray]:
    """Five frames of a camera that moves by (4, 0) pixels a frame, uint8 (48, 64, 3)."""
    world = texture(0, 48, 90)
    return [np.ascontiguousarray(world[:, 4 * t : 64 + 4 * t]) for t in range(5)]


def stylize(network: Network, frames, state: FrameHistory | None = None, **options) -> list[FrameHistory]:
    advance = StyleClip(network, frames[0], [STYLE], **({"settings": LAYERS} | options))
    states = []
    for frame in frames:
        state = advance(frame, state)
        states.append(state)
    return states


class Flat:
    """A loss that is 3 everywhere."""

    rolls = ((0, 0), (1, 2))

    def __call__(self, image, roll):
        return image.sum() * 0 + 3


def test_the_temporal_loss_is_the_weighted_mean_square():
    image = torch.rand(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    prediction, weight = torch.rand(1, 3, 4, 5, dtype=torch.float64), torch.rand(1, 1, 4, 5, dtype=torch.float64)
    loss = TemporalLoss(Flat(), prediction, 7 * weight)
    value = loss(image, 1)
    by_hand = 7 * sum(float(weight[0, 0, y, x] * (image.detach() - prediction)[0, c, y, x] ** 2)
                      for c in range(3) for y in range(4) for x in range(5)) / 60  # fmt: skip
    assert float(value.detach()) == pytest.approx(3 + by_hand)
    assert loss.rolls == Flat.rolls
    (grad,) = torch.autograd.grad(value, image)
    assert torch.allclose(grad, 14 * weight * (image.detach() - prediction) / 60)


def test_the_first_frame_is_the_photos_own_transfer_and_so_is_the_one_after_a_cut(network, pan):
    other = texture(8, 48, 64)
    states = stylize(network, [pan[0], other], seed=3)
    for frame, state in zip((pan[0], other), states, strict=True):
        assert np.array_equal(state.image, style_transfer(network, frame, [STYLE], settings=LAYERS, seed=3).image)
    assert [(state.number, len(state.images)) for state in states] == [(0, 1), (1, 1)]


def test_a_static_clip_stays(network, pan):
    states = stylize(network, [pan[0]] * 4, settings=replace(LAYERS, steps=60))
    for before, now in pairwise(states):
        assert np.abs(now.image.astype(float) - before.image).mean() <= 1


def test_a_pan_is_the_shifted_image_if_the_temporal_weight_is_huge(network, pan):
    def error(states):
        pairs = [(now.image[8:-8, 8:-12].astype(float), before.image[8:-8, 12:-8]) for before, now in pairwise(states)]
        return np.mean([np.abs(now - before).mean() for now, before in pairs])

    tight, free = (error(stylize(network, pan[:3], temporal_weight=weight)) for weight in (1e6, 0.0))
    assert tight < 0.25
    assert free > 4 * tight


def test_what_comes_in_takes_the_style(network, pan):
    now = stylize(network, pan[:2], temporal_weight=1e6)[1].image
    assert np.abs(now[:, -4:].astype(float) - pan[1][:, -4:]).mean() > 10
    assert np.abs(now[:, -4:].mean((0, 1)) - STYLE.mean((0, 1))).max() < 30


def test_a_clip_continues_from_its_state_to_the_same_bytes(network, pan):
    whole = stylize(network, pan)
    advance = StyleClip(network, pan[0], [STYLE], settings=LAYERS)
    state = FrameHistory.from_arrays(whole[2].arrays())
    for frame, expected in zip(pan[3:], whole[3:], strict=True):
        state = advance(frame, state)
        assert np.array_equal(state.image, expected.image)


def test_the_clips_own_colours_are_kept(network, pan):
    states = stylize(network, pan[:2], settings=replace(LAYERS, original_colors="luminance"))
    for frame, state in zip(pan, states, strict=False):
        before, after = (
            torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() for image in (frame, state.image)
        )
        assert ((after - luminance(after)) - (before - luminance(before))).abs().max() <= 1


def test_a_clip_is_styled_in_one_call(network, tmp_path):
    clips.write(tmp_path / "clip.mp4", clips.frames(4))
    reports: list[int] = []
    settings = replace(LAYERS, steps=2, long_side=32)
    style_clip(network, tmp_path / "clip.mp4", tmp_path / "out.mp4", [STYLE], settings=settings,
               control=Control(lambda done, *_: reports.append(done)))  # fmt: skip
    before, after = (list(read_clip(tmp_path / name).frames()) for name in ("clip.mp4", "out.mp4"))
    assert [frame.time for frame in before] == [frame.time for frame in after]
    assert max(after[0].picture.shape) == 32
    assert reports == [1, 2, 3, 4]
