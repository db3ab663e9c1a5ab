"""Heat maps of a clip: still where it is still, moved with it, its own after a cut, the same when continued."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from cnnviz.dense.heat_clip import FLOW_SIDE, KEEP, HeatClip, HeatState, frame_grids, small_frame, survey_clip
from cnnviz.errors import PhotoError
from cnnviz.video.frame import Clip, Frame
from tests.support.dense_networks import Red, dense_network

HEIGHT, WIDTH, STEP = 96, 128, 8  # STEP: the distance of places in the network, so that a shift by it is exact
SETTINGS = {"sizes": (HEIGHT,), "stride": STEP}


def world(seed: int = 0) -> np.ndarray:
    """Return smooth noise, uint8 (120, 200, 3)."""
    noise = np.random.default_rng(seed).standard_normal((120, 200, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.rint(128 + 50 * smooth / smooth.std()).clip(0, 255).astype(np.uint8)


def view(of: np.ndarray, shift: int = 0) -> np.ndarray:
    return np.ascontiguousarray(of[:HEIGHT, shift : WIDTH + shift])


def heat_clip() -> HeatClip:
    return HeatClip(dense_network(Red(), double=False), (0, 1), lambda frame, maps: frame, **SETTINGS)


def clip_of(*pictures: np.ndarray) -> Clip:
    frames = [Frame(picture, Fraction(number, 24), Fraction(1, 24)) for number, picture in enumerate(pictures)]
    return Clip(Fraction(24), Fraction(1, 24), None, False, lambda: iter(frames))


def test_a_static_clip_has_a_static_map():
    frame, clip = view(world()), heat_clip()
    first = clip(frame, None)
    third = clip(frame, clip(frame, first))
    assert third.number == 2
    assert first.maps.shape == (2, HEIGHT, WIDTH)
    np.testing.assert_array_equal(third.maps, first.maps)
    np.testing.assert_array_equal(third.image, first.image)


def test_the_map_of_a_translated_frame_translates():
    colours, clip = world(), heat_clip()
    first = clip(view(colours), None)
    moved = clip(view(colours, STEP), first)
    inner = np.s_[:, 8:-8, 8 : -STEP - 8]
    expected = np.roll(first.maps, -STEP, 2)
    assert np.abs(moved.maps - expected)[inner].mean() < 0.02 * np.ptp(first.maps)
    assert np.abs(moved.maps - first.maps)[inner].mean() > 0.1 * np.ptp(first.maps)


def test_a_flicker_of_the_maps_is_damped():
    """Only the maps differ, not the frame: of their difference a share 1 - KEEP is left."""
    frame, clip = view(world()), heat_clip()
    first = clip(frame, None)
    other = HeatState(0, first.small, first.maps + 1, first.drawn)
    np.testing.assert_allclose(clip(frame, other).maps - first.maps, KEEP, atol=1e-5)


def test_after_a_cut_the_maps_are_the_frame_s_own():
    clip, last = heat_clip(), view(world(1))
    own = clip(last, None)
    np.testing.assert_array_equal(clip(last, clip(np.zeros_like(last), None)).maps, own.maps)


def test_a_stored_state_continues_bit_for_bit():
    colours, clip = world(), heat_clip()
    first = clip(view(colours), None)
    again = HeatState.from_arrays(first.arrays())
    np.testing.assert_array_equal(clip(view(colours, 3), again).maps, clip(view(colours, 3), first).maps)


def test_large_frames_have_maps_of_less_detail():
    assert small_frame(np.zeros((300, 2 * FLOW_SIDE, 3), np.uint8)).shape == (150, FLOW_SIDE, 3)
    assert small_frame(np.zeros((48, 64, 3), np.uint8)).shape == (48, 64, 3)


def test_the_survey_finds_the_class_and_the_largest_value_of_the_clip():
    red, green = (np.zeros((HEIGHT, WIDTH, 3), np.uint8) for _ in range(2))
    red[..., 0], green[..., 1] = 255, 204
    network = dense_network(Red(), double=False)
    survey = survey_clip(network, clip_of(green, red, red), None, *SETTINGS.values(), "crop")
    assert survey.targets == (0,)
    share = 1 / (1 + np.exp(-10))
    other = 1 / (1 + np.exp(8))
    assert float(survey.probabilities[0]) == pytest.approx((2 * share + other) / 3, rel=1e-5)
    assert survey.largest == pytest.approx(10, rel=1e-5)
    assert survey_clip(network, clip_of(green, red), [1], *SETTINGS.values(), "crop").largest == pytest.approx(8)
    assert survey.grids[0].values.shape == frame_grids(network, red, (0,), **SETTINGS)[0].values.shape


def test_frames_too_narrow_for_the_flow_are_refused():
    thin = np.zeros((8, 128, 3), np.uint8)
    with pytest.raises(PhotoError, match="128x8 pixels, too narrow"):
        survey_clip(dense_network(Red(), double=False), clip_of(thin), None, *SETTINGS.values(), "crop")
