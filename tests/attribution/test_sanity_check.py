"""Randomisation: rank correlation against its definition, and maps that do and do not depend on the weights."""

import itertools

import pytest
import torch
from torch import nn

from cnnviz.attribution.sanity_check import cascade, sanity_check, spearman
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network


def network(layers: int = 6) -> Network:
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 8, 3, padding=1), *(nn.Conv2d(8, 8, 3, padding=1) for _ in range(layers - 2))]
    module = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
    return Network.from_module(module, (16, 16), (0.5,) * 3, (0.5,) * 3)


def brute_ranks(values: list[float]) -> list[float]:
    """1 + how many are smaller, and half of those that are equal."""
    return [1 + sum(b < a for b in values) + (sum(b == a for b in values) - 1) / 2 for a in values]


@pytest.mark.parametrize("levels", [3, 10, 1000])
def test_spearman_is_pearson_of_the_ranks(levels):
    generator = torch.Generator().manual_seed(levels)
    one, other = (torch.randint(levels, (6, 7), generator=generator).float() for _ in range(2))
    other = other + one
    pairs = torch.tensor([brute_ranks(values.flatten().tolist()) for values in (one, other)])
    assert spearman(one, other) == pytest.approx(float(torch.corrcoef(pairs)[0, 1]), abs=1e-6)


def test_spearman_sees_order_alone_and_leaves_out_what_is_unknown():
    values = torch.rand(5, 5)
    assert spearman(values, values.exp() * 7) == pytest.approx(1)
    assert spearman(values, -values) == pytest.approx(-1)
    assert spearman(values, torch.zeros(5, 5)) == 0
    holed = values.clone()
    holed[0] = torch.nan
    assert spearman(holed, values) == pytest.approx(1)
    assert spearman(torch.full((2, 2), torch.nan), torch.ones(2, 2)) == 0


def test_a_map_of_the_input_never_changes_and_a_map_of_the_weights_does():
    edges, net = torch.rand(1, 8, 8), network()
    same = sanity_check(net, lambda _: edges, edges)
    torch.testing.assert_close(same.signed, torch.ones(5, 1, dtype=torch.float64))

    def weights(of: Network) -> torch.Tensor:
        return of.module[1].weight.reshape(1, 24, 24)

    found = sanity_check(net, weights, weights(net).clone())
    assert found.down_to == ("7", "4", "3", "1", "0")
    assert found.signed[:3].min() > 0.999
    assert (found.signed[3:].abs() < 0.3).all()


def test_each_stage_leaves_more_layers_shuffled_and_the_network_as_it_was():
    net, seen = network(), []
    before = [parameter.clone() for parameter in net.module.parameters()]

    def make(of: Network) -> torch.Tensor:
        seen.append([torch.equal(a, b) for a, b in zip(of.module.parameters(), before, strict=True)])
        assert all(
            torch.equal(a.flatten().sort().values, b.flatten().sort().values)
            for a, b in zip(of.module.parameters(), before, strict=True)
        )
        return of(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)))[:, None]

    told: list[tuple[int, int]] = []
    control = Control(report=lambda done, total, text="": told.append((done, total)))
    for _ in range(2):
        found = sanity_check(net, make, torch.rand(1, 1, 3), stages=3, control=control)
    assert [sum(not same for same in stage) for stage in seen[:3]] == [2, 6, 12]
    assert seen[:3] == seen[3:]
    assert told[:3] == [(1, 3), (2, 3), (3, 3)]
    assert found.absolute.shape == (3, 1)
    assert all(torch.equal(a, b) for a, b in zip(net.module.parameters(), before, strict=True))
    other = sanity_check(net, lambda of: of.module[0].weight.reshape(1, 8, 27), torch.rand(1, 8, 27), seed=1)
    again = sanity_check(net, lambda of: of.module[0].weight.reshape(1, 8, 27), torch.rand(1, 8, 27), seed=2)
    assert not torch.equal(other.signed, again.signed)


@pytest.mark.parametrize(("stages", "sizes"), [(1, [1]), (2, [1, 5]), (4, [1, 2, 1, 2]), (6, [1] * 6), (50, [1] * 6)])
def test_the_parts_are_all_layers_from_the_last_to_the_first(stages, sizes):
    parts = cascade(network().module, stages)
    assert [len(part) for part in parts] == sizes
    names = [name for name, _ in itertools.chain(*parts)]
    assert names == ["7", "4", "3", "2", "1", "0"][: len(names)]


def test_a_network_without_parameters_and_no_stages_are_refused():
    with pytest.raises(MethodError, match="no parameters"):
        cascade(nn.Flatten(), 3)
    with pytest.raises(InvalidRequest, match="at least 1"):
        sanity_check(network(), lambda _: torch.ones(1, 2, 2), torch.ones(1, 2, 2), stages=0)
