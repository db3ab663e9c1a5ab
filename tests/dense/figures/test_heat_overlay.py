"""Heat maps over a photo: signed for logits, unsigned for a geometric mean."""

import numpy as np

from cnnviz.dense.figures.heat_overlay import draw_maps, heat_overlays, heat_scale, scale_to
from cnnviz.dense.heat import heat
from tests.support.dense_networks import Red, dense_network


def test_evidence_is_red_and_its_opposite_blue_beside_each_other():
    photo = np.full((64, 128, 3), 128, np.uint8)
    photo[:, :64, 0] = 255
    found = heat(dense_network(Red(), double=False), photo, targets=[0, 1], sizes=(64,))
    drawn = heat_overlays(photo, found).astype(int)
    assert drawn.shape == (64, 256, 3)
    assert drawn[32, 10, 0] - drawn[32, 10, 2] > 30
    scale = heat_scale(found)
    assert (scale.low, scale.high) == (-10, 10)
    against = heat(dense_network(Red(-10.0), double=False), photo, targets=[0], sizes=(64,))
    tint = heat_overlays(photo, against).astype(int)[32, 10]
    assert tint[2] > tint[0]
    assert heat_scale(heat(dense_network(Red(), double=False), photo, sizes=(64, 96))).low == 0


def test_maps_of_less_detail_lie_over_the_whole_frame():
    maps = np.zeros((2, 8, 16), np.float32)
    maps[1, :, 8:] = -9
    scale = scale_to(9, several=False)
    drawn = draw_maps(np.full((32, 64, 3), 128, np.uint8), maps, scale).astype(int)
    assert (drawn.shape, scale.low, scale.high) == ((32, 128, 3), -10, 10)
    assert (np.ptp(drawn[:, :64], axis=2) == 0).all()
    assert (np.ptp(drawn[:, 64:88], axis=2) == 0).all()
    assert (drawn[:, 104:, 2] > drawn[:, 104:, 0] + 30).all()
