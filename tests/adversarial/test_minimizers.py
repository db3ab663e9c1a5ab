"""Minimisers on linear networks, where the smallest change is known; the proximal operator by brute force."""

from dataclasses import replace

import pytest
import torch

from cnnviz.adversarial.boundary import BoundarySearch
from cnnviz.adversarial.criterion import TOLERANCE, Criterion
from cnnviz.adversarial.minimizers import (
    FAR,
    HALVINGS,
    DdnDescent,
    ProximalDescent,
    prox_quantized_norm,
    quantized_norm,
    stochastic_levels,
)
from tests.support.networks import linear_model


def started(norm: str, gap: float = 1.0, eps: int = 255, lit: int = 128):
    """A search of a linear network, a change of 2 levels of every value, and the slope."""
    model, values, difference = linear_model(gap, level=lit)
    start = (values.int() - 2 * difference.sign().int()).clamp(0, 255).to(torch.uint8)
    search = BoundarySearch(model, values, Criterion(0), norm, eps)
    return search, start, search.losses(model.logits(start))[0], difference


def test_a_descent_from_afar_comes_to_the_smallest_change():
    search, start, loss, difference = started("l2")
    way, margins = DdnDescent(search, loss, start), []
    way.go(30, margins.append)
    way.go(60, margins.append)
    best, _ = search.line_search(difference, 50.0, 1.001)
    assert search.size(best) <= way.size <= 1.1 * search.size(best)
    assert search.margin(way.best) > 0
    assert (way.steps, len(margins), search.model.queries.backward) == (90, 90, 90)


def test_a_descent_begins_far_beyond_what_is_known():
    search, _, loss, difference = started("l2")
    known, _ = search.line_search(difference, 50.0, 1.001)
    way, margins = DdnDescent(search, loss, known), []
    way.go(3, margins.append)
    far = search.margin(search.quantized_step(difference, FAR * int(known.ne(search.values).sum())))
    assert margins[1] == pytest.approx(far, rel=0.01)
    assert margins[1] > margins[2] > margins[0] > 0  # and comes nearer


@pytest.mark.parametrize("lit", [128, 1])
def test_values_change_no_further_than_they_can(lit):
    search, start, loss, _ = started("l2", 3.0, lit=lit)
    way = ProximalDescent(search, loss, start)
    way.go(20, lambda _: None)
    way.settle()
    assert way.size - 12 <= way.cost <= way.size


def test_a_large_photograph_is_judged_by_a_sample(monkeypatch):
    sizes = []
    for sample in (1 << 20, 144):
        monkeypatch.setattr("cnnviz.adversarial.boundary.SAMPLE", sample)
        search, _, loss, _ = started("l2", 3.0)
        way, margins = ProximalDescent(search, loss, search.values), []
        way.go(30, margins.append)
        way.settle()
        sizes.append(way.size)
        assert abs(margins[1]) < 0.3 * abs(margins[0])  # one step leads near the boundary
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)


def test_a_change_is_made_whole_by_as_few_values_as_fool():
    search, _, loss, difference = started("l2")
    way = ProximalDescent(search, loss, search.values)
    way.change = -difference * (0.4 / float(difference.abs().max()))  # fractions all
    way.settle()
    shares = way.change.abs().flatten().sort(descending=True).values.tolist()
    tries = (way.quantized(1 - share + 1e-6) for share in shares)  # one value more each
    fewest = search.size(next(tried for tried in tries if search.margin(tried) > 0))
    assert fewest <= way.size <= 1.05 * fewest


@pytest.mark.parametrize("most", [1.0, 40.0])
def test_by_chance_a_value_is_rounded_up_as_often_as_its_share_says(most):
    change = torch.full((20_000,), -1.3 * most)
    chance = torch.rand(change.shape, generator=torch.Generator().manual_seed(0))
    found = stochastic_levels(change, chance, torch.tensor(most))
    assert set(found.tolist()) == {-1 * most, -2 * most}
    assert float(found.mean()) == pytest.approx(-1.3 * most, rel=0.01)


def test_strips_and_the_order_in_memory_change_nothing(monkeypatch):
    sizes = []
    for strip, turned in ((1 << 18, False), (100, False), (100, True)):
        monkeypatch.setattr("cnnviz.adversarial.minimizers.STRIP", strip)
        search, start, loss, _ = started("l2")
        if turned:
            values = search.values.transpose(0, 1).contiguous().transpose(0, 1)
            search, start = replace(search, values=values), start.transpose(0, 1).contiguous().transpose(0, 1)
        way = ProximalDescent(search, loss, start)
        way.go(12, lambda _: None)
        way.settle()
        assert search.margin(way.best) > 0
        sizes.append(way.size)
    assert sizes == pytest.approx([sizes[0]] * 3, rel=0.01)


@pytest.mark.parametrize("gap", [0.3, 3.0])
def test_a_relaxed_way_comes_to_the_smallest_squares(gap):
    search, start, loss, difference = started("l2", gap)
    way, margins = ProximalDescent(search, loss, start), []
    way.go(12, margins.append)
    way.settle()
    best, _ = search.line_search(difference, 50.0, 1.001)
    assert way.size == pytest.approx(search.size(best), rel=0.01)
    assert search.size(best) - 8 <= way.cost <= search.size(best)  # less by what part of a level spares
    assert search.margin(way.best) > 0
    assert search.model.queries.backward == way.steps == len(margins) == 12
    assert search.model.queries.forward >= 12 + HALVINGS


@pytest.mark.parametrize(("norm", "eps"), [("l1", 5), ("l0", 255)])
def test_a_relaxed_way_comes_to_few_places_that_go_as_far_as_they_can(norm, eps):
    search, start, loss, difference = started(norm, 3.0, eps)
    way = ProximalDescent(search, loss, start)
    way.go(30, lambda _: None)
    way.settle()
    far = torch.where(difference > 0, 128.0, 127.0).clamp(max=eps)
    gains = (difference.abs() * far).flatten().sort(descending=True).values
    fewest = int((gains.cumsum(0) < 3.0 + TOLERANCE).sum()) + 1
    assert search.size(way.best) <= 1.05 * (fewest if norm == "l0" else fewest * eps) + (eps if norm == "l1" else 1)
    assert search.margin(way.best) > 0
    assert int((way.best.int() - search.values.int()).abs().max()) <= eps


def test_in_l0_places_with_little_room_are_passed_over():
    search, start, loss, difference = started("l0", 3.0)
    drawn = torch.randint(256, start.shape, generator=torch.Generator().manual_seed(2))
    search.values.copy_(torch.where(difference > 0, drawn.clamp(min=128), drawn.clamp(max=127)))  # class 0 leads more
    gap = -float(search.criterion.margins(search.model.logits(search.values)))
    way = ProximalDescent(search, loss, search.values)
    way.go(30, lambda _: None)
    way.settle()
    far = torch.where(difference > 0, search.values.float(), 255.0 - search.values)
    gains = (difference.abs() * far).flatten().sort(descending=True).values
    assert gap > 3
    assert way.size <= 1.05 * (int((gains.cumsum(0) < gap).sum()) + 1) + 1


def test_a_way_that_meets_nothing_has_no_size():
    search, _, loss, _ = started("l2")
    for way in (
        ProximalDescent(search, lambda logits: -loss(logits), search.values),
        DdnDescent(search, loss, search.values),
    ):
        way.go(1, lambda _: None)
        assert way.size == float("inf")


@pytest.mark.parametrize("norm", ["l2", "l1", "l0"])
@pytest.mark.parametrize("reach", [0.1, 1.0, 4.0])
def test_each_value_goes_where_cost_and_distance_are_least(norm, reach):
    most = torch.tensor(6.0 if norm == "l0" else 1.0)
    there = torch.linspace(-6, 6, 4801)
    for change in (-5.9, -1.4, -0.05, 0.0, 0.3, 1.0, 1.2, 2.7, 5.5):
        distance = (there - change).square() / (2 * reach)
        best = there[(quantized_norm(there, most, norm) + distance).argmin()]
        found = prox_quantized_norm(torch.tensor(change), torch.tensor(reach), most, norm)
        assert float(found) == pytest.approx(float(best), abs=0.003)


def test_whole_levels_cost_what_the_norm_says():
    levels = torch.tensor([-3.0, -1.0, 0.0, 2.0])
    assert quantized_norm(levels, torch.ones(()), "l2").tolist() == [9, 1, 0, 4]
    assert quantized_norm(levels, torch.ones(()), "l1").tolist() == [3, 1, 0, 2]
    assert quantized_norm(levels, torch.full((4,), 3.0), "l0").tolist() == pytest.approx([1, 1 / 3, 0, 2 / 3])
    assert float(quantized_norm(torch.tensor(1.5), torch.ones(()), "l2")) == 2.5  # half the way from 1 to 4
