"""Flow: known motions are found, what could not be seen is told, and warping is exact where the answer is known."""

import cv2
import numpy as np
import pytest
from PIL import Image

from cnnviz.video import optical_flow


def look(photo, left, top, size=(96, 128)):
    """What a camera at a place sees of a photograph, uint8 (H, W, 3)."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    shown = cv2.remap(photo, x + np.float32(left), y + np.float32(top), cv2.INTER_CUBIC)
    return np.rint(shown.clip(0, 255)).astype(np.uint8)


@pytest.fixture
def cat(photo):
    return np.asarray(Image.open(photo).convert("RGB"), np.float32)


def test_a_pan_is_found_and_what_comes_in_was_not_seen(cat):
    back, seen = optical_flow.optical_flow(look(cat, 152.5, 91), look(cat, 150, 90))
    assert back.shape == (96, 128, 2)
    inner = back[8:-8, 8:-8]
    assert np.abs(np.median(inner, (0, 1)) - (2.5, 1)).max() < 0.1
    assert np.sqrt(np.square(inner - (2.5, 1)).sum(-1)).mean() < 0.3
    assert not seen[:, -2:].any()  # the right edge, and the lower one, have come in
    assert not seen[-1:].any()
    assert seen[8:-8, 8:-8].mean() > 0.97


def test_what_a_square_uncovers_was_not_seen(cat):
    frames = []
    for left in (30, 36):
        frame = look(cat, 20, 20)
        frame[30:62, left : left + 32] = look(cat, 230, 130)[30:62, 30:62]
        frames.append(frame)
    back, seen = optical_flow.optical_flow(frames[1], frames[0])
    assert (~seen[32:60, 31:35]).mean() > 0.5  # uncovered; the flow is smooth, and some of it leads back by chance
    assert seen[:20].mean() > 0.97
    assert np.abs(np.median(back[34:58, 42:62], (0, 1)) - (-6, 0)).max() < 0.2


def test_still_frames_do_not_move(cat):
    back, seen = optical_flow.optical_flow(look(cat, 100, 50), look(cat, 100, 50))
    assert np.abs(back).max() < 0.02
    assert seen.all()


def test_the_flow_does_not_depend_on_the_number_of_threads(cat):
    now, before, threads = look(cat, 152.5, 91), look(cat, 150, 90), cv2.getNumThreads()
    try:
        found = []
        for number in (1, 4):
            cv2.setNumThreads(number)
            found.append(optical_flow.optical_flow(now, before)[0])
            assert cv2.getNumThreads() == number  # as it was before
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*found)


def test_whole_pixels_are_moved_exactly_and_the_edge_goes_on():
    values = np.random.default_rng(0).random((20, 24, 3)).astype(np.float32)
    back = np.zeros((20, 24, 2), np.float32)
    back[..., 0], back[..., 1] = 3, -2
    for sharp in (True, False):
        moved = optical_flow.warp(values, back, sharp=sharp)
        assert np.abs(moved[2:, :-3] - values[:-2, 3:]).max() < 1e-6
        assert np.abs(moved[2:, -1] - values[:-2, -1]).max() < 1e-6
    assert optical_flow.inside_frame(back).sum() == 18 * 21


def test_thirty_warps_keep_fine_detail_where_bilinear_ones_lose_it():
    detail = cv2.GaussianBlur(np.random.default_rng(0).standard_normal((96, 96)).astype(np.float32), (0, 0), 1.2)
    back, kept = np.full((96, 96, 2), 0.37, np.float32), {}
    for sharp in (True, False):
        values = detail
        for _ in range(30):
            values = optical_flow.warp(values, back, sharp=sharp)
        kept[sharp] = values[30:-30, 30:-30].std() / detail.std()
    assert kept[True] > 0.85
    assert kept[False] < 0.5


def test_motion_boundaries_are_where_the_flow_changes():
    flow = np.zeros((20, 30, 2), np.float32)
    assert not optical_flow.motion_boundaries(flow).any()
    flow[:, 12:, 0] = 2
    assert np.array_equal(optical_flow.motion_boundaries(flow).any(0).nonzero()[0], [11, 12])
    flow[...] = (50, 0)
    flow[:, 12:, 0] += 2  # a hundredth of the squared length, 25, is more than the squared gradient, 1
    assert not optical_flow.motion_boundaries(flow).any()
