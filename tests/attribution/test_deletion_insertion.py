"""Deletion and insertion against closed forms."""

import pytest
import torch
from torch import nn

from cnnviz.attribution.deletion_insertion import deletion_insertion, pixel_order, shifted
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network

SIZE = 12
BLACK, WHITE = torch.zeros(1, 3, SIZE, SIZE), torch.ones(1, 3, SIZE, SIZE)


def counting_network(weights: torch.Tensor) -> Network:
    """Two classes; the logit of class 0 is the sum of weights (h, w) times the picture's red, class 1 has 0."""
    height, width = weights.shape
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * height * width, 2, bias=False))
    with torch.no_grad():
        module[1].weight.zero_()
        module[1].weight[0, : height * width] = weights.flatten()
    return Network.from_module(module, (height, width), (0, 0, 0), (1, 1, 1))


def measure(network: Network, values: torch.Tensor, **options):
    settings = {
        "targets": [0] * len(values),
        "deletion_baseline": BLACK,
        "insertion_baseline": BLACK,
        "steps": 12,
        "shifts": 4,
    } | options
    return deletion_insertion(network, WHITE, values, **settings)


def test_curves_of_a_linear_network_are_known_exactly():
    weights = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    found = measure(counting_network(weights), weights[None])
    order = weights.flatten().double().sort(descending=True).values
    sums = torch.cat([torch.zeros(1, dtype=torch.float64), order.cumsum(0)])[:: SIZE * SIZE // 12]
    torch.testing.assert_close(found.insertion[0], sums.sigmoid(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.deletion[0], (sums[-1] - sums).sigmoid(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found.shares, torch.linspace(0, 1, 13, dtype=torch.float64))
    assert found.deletion[0, 0].item() == found.insertion[0, -1].item() == pytest.approx(found.clean[0].item())


def test_a_perfect_map_beats_its_moved_self_and_that_beats_its_reverse():
    weights = torch.full((SIZE, SIZE), -0.02)
    weights[2:5, 2:5] = 0.5
    found = measure(counting_network(weights), torch.stack([weights, -weights]))
    deletion, insertion = (
        torch.trapezoid(curves, found.shares).tolist() for curves in (found.deletion, found.insertion)
    )
    chance = [
        float(torch.trapezoid(curves, found.shares)[0].mean())
        for curves in (found.shifted_deletion, found.shifted_insertion)
    ]
    assert deletion[0] < chance[0] < deletion[1]
    assert insertion[0] > chance[1] > insertion[1]


def test_where_places_do_not_matter_every_map_is_the_moved_map():
    values = torch.rand(2, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    found = measure(counting_network(torch.full((SIZE, SIZE), 0.01)), values)
    for own, drawn in ((found.deletion, found.shifted_deletion), (found.insertion, found.shifted_insertion)):
        torch.testing.assert_close(drawn, own[:, None].expand_as(drawn), rtol=1e-5, atol=1e-6)


def test_each_map_answers_for_its_own_class():
    values = torch.rand(1, SIZE, SIZE).expand(2, -1, -1)
    found = measure(counting_network(torch.full((SIZE, SIZE), 0.01)), values, targets=[0, 1])
    torch.testing.assert_close(found.deletion.sum(0), torch.ones(13, dtype=torch.float64))
    torch.testing.assert_close(found.shifted_insertion.sum(0), torch.ones(4, 13, dtype=torch.float64))
    assert float(found.clean.sum()) == pytest.approx(1)


def test_the_order_is_largest_first_equal_ones_row_by_row_and_unknown_ones_last():
    values = torch.tensor([[0.0, 5.0, torch.nan], [-3.0, 5.0, 0.0]])
    assert pixel_order(values).tolist() == [[2, 0, 5], [4, 1, 3]]


def test_a_moved_map_keeps_its_values_leaves_its_place_and_follows_the_seed():
    values = torch.zeros(20, 32)
    values[0, 0] = 1
    shifts = shifted(values, 50, 0).flatten(1).argmax(1)
    rows, columns = shifts // 32, shifts % 32
    assert (rows.min() >= 5) & (rows.max() < 15)
    assert (columns.min() >= 8) & (columns.max() < 24)
    assert len(set(shifts.tolist())) > 20
    assert torch.equal(shifted(values, 2, 0), shifted(values, 2, 0))
    assert not torch.equal(shifted(values, 2, 0), shifted(values, 2, 1))
    assert torch.equal(shifted(values, 1, 0)[0].sort().values.sum(), values.sum())


def test_progress_reaches_the_end():
    told = []
    control = Control(report=lambda done, total, text="": told.append((done, total)))
    measure(counting_network(torch.ones(SIZE, SIZE)), torch.rand(2, SIZE, SIZE), control=control)
    assert told[-1] == (2 * 5 * 2 * 13,) * 2


@pytest.mark.parametrize(
    ("options", "told"),
    [({"steps": 0}, "at least 1"), ({"shifts": 0}, "at least 1"), ({"targets": [2]}, "counted from 0"),
     ({"targets": [0, 1]}, "for each of 2")],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(options, told):
    with pytest.raises(InvalidRequest, match=told):
        measure(counting_network(torch.ones(SIZE, SIZE)), torch.rand(1, SIZE, SIZE), **options)


def test_more_steps_than_pixels_and_broken_networks_are_failures():
    values = torch.rand(1, SIZE, SIZE)
    with pytest.raises(MethodError, match="145 steps are more than the 12x12 pixels"):
        measure(counting_network(torch.ones(SIZE, SIZE)), values, steps=145)
    with pytest.raises(MethodError, match="not finite"):
        measure(counting_network(torch.full((SIZE, SIZE), torch.nan)), values)
