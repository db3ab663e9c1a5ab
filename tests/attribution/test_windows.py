"""Places of windows, their order, and maps made of their values, against plain loops."""

import itertools

import pytest
import torch

from cnnviz.attribution.windows import WindowGrid


def test_positions_are_captums_or_overhang_evenly():
    assert WindowGrid.over((10, 10), 4, 3).positions == list(itertools.product((0, 3, 6), (0, 3, 6)))
    assert WindowGrid.over((11, 10), 4, 3).positions[-1] == (9, 6)  # the last one is cut off at the border
    over = WindowGrid.over((8, 8), 4, 2, "overhang").positions
    covers = torch.zeros(8, 8)
    for y, x in over:
        covers[max(y, 0) : y + 4, max(x, 0) : x + 4] += 1
    assert (covers == 4).all()


def test_mean_equals_the_loop():
    generator = torch.Generator().manual_seed(3)
    for border in ("inside", "overhang"):
        grid = WindowGrid.over((23, 31), 9, 4, border)
        drops = torch.rand(2, len(grid.positions), generator=generator)
        total, count = torch.zeros(2, 23, 31), torch.zeros(23, 31)
        for drop, (y, x) in zip(drops.T, grid.positions, strict=True):
            spot = (slice(max(y, 0), y + 9), slice(max(x, 0), x + 9))
            total[:, *spot] += drop[:, None, None]
            count[spot] += 1
        torch.testing.assert_close(grid.mean(drops), total / count)


@pytest.mark.parametrize(
    ("size", "window", "stride"), [((224, 224), 16, 8), ((40, 52), 7, 5), ((9, 9), 9, 4), ((20, 90), 3, 6)]
)
def test_levels_and_batches_hold_every_position_once_and_begin_coarse(size, window, stride):
    grid = WindowGrid.over(size, window, stride)
    everything = list(range(len(grid.positions)))
    levels = grid.levels()
    assert sorted(itertools.chain(*levels)) == everything
    batches = grid.batches(10, lambda boxes: [float(box[0]) for box in boxes])
    assert sorted(itertools.chain(*batches)) == everything
    assert max(map(len, batches)) <= 10
    assert set(batches[0]) <= set(levels[0])
    sizes = [len(level) for level in levels if level]
    assert sizes == sorted(sizes)


def test_values_not_there_yet_are_left_out_of_the_mean_and_stood_in_for_by_the_nearest():
    grid = WindowGrid.over((12, 12), 4, 4)
    values = torch.full((1, 9), torch.nan)
    values[0, [0, 8]] = torch.tensor([1.0, 5.0])
    mean = grid.mean(values)[0]
    assert (mean[:4, :4] == 1).all()
    assert (mean[8:, 8:] == 5).all()
    assert int(mean.isnan().sum()) == 144 - 32
    nearest = grid.nearest(~values[0].isnan())
    assert set(nearest.flatten().tolist()) == {0, 8}
    assert nearest[0, 0] == 0
    assert nearest[11, 11] == 8
    own = grid.nearest(torch.ones(9, dtype=torch.bool))
    assert own[5, 9] == 5
