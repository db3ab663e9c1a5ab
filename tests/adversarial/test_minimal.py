"""The smallest change in whole levels: closed forms on a linear network, promises on a real one."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network, fit, read_photo
from cnnviz.adversarial.boundary import BoundarySearch
from cnnviz.adversarial.catalog import SearchSettings
from cnnviz.adversarial.criterion import TOLERANCE, Criterion
from cnnviz.adversarial.levels import largest_change
from cnnviz.adversarial.minimal import AFAR, MORE, AdversarialResult, minimal_level, minimal_perturbation
from cnnviz.control import Control
from tests.support.networks import direct, linear_network, lite0

SIDE = 16


def minimal_norm(model, values, criterion, norm, eps=255, thorough=False, **options) -> AdversarialResult:
    settings = SearchSettings("minimal", norm, eps, 40, thorough)
    return minimal_perturbation(model, values, criterion, settings, **options)


def linear(seed: int = 0, bias: float = 0.0) -> tuple[Network, torch.Tensor]:
    """A network of two classes, the lead of class 0 over 1 linear in the pixels; and its weights (h, w, 3)."""
    weights = torch.randn(3 * SIDE * SIDE, generator=torch.Generator().manual_seed(seed)) ** 3
    weights = weights.view(3, SIDE, SIDE)
    network = linear_network(torch.stack((weights, -weights)) / 2, torch.tensor([bias, -bias]) / 2, ["yes", "no"])
    return network, weights.permute(1, 2, 0)


def grey(weights: torch.Tensor, gap: float) -> tuple[torch.Tensor, float]:
    """A grey picture, and the bias that makes its margin ``gap``."""
    return torch.full((SIDE, SIDE, 3), 128, dtype=torch.uint8), gap - float(weights.sum()) * 128 / 255


def best_squares(weights: torch.Tensor, gap: float) -> int:
    """The smallest sum of squares of whole levels that takes a linear margin to below 0, by its units one by one."""
    gains = (weights.abs().flatten() / 255).tolist()
    units = sorted(((gain / (2 * k - 1), gain, 2 * k - 1) for gain in gains for k in range(1, 30)), reverse=True)
    total = cost = 0.0
    for _, gain, price in units:
        if total > gap:
            break
        total, cost = total + gain, cost + price
    return int(cost)


@pytest.mark.parametrize("gap", [0.3, 1.5, 6.0])
@pytest.mark.parametrize("thorough", [False, True])
def test_a_linear_margin_is_crossed_by_the_smallest_change_on_the_grid(thorough, gap):
    _, weights = linear()
    values, bias = grey(weights, gap)
    found = minimal_norm(direct(linear(bias=bias)[0]), values, Criterion(0), thorough=thorough, norm="l2", eps=255)
    change = found.values.int() - values.int()
    assert found.fooled
    assert -float((change * weights).sum()) / 255 > gap  # it does fool
    assert int(change.square().sum()) <= 1.02 * best_squares(weights, gap + TOLERANCE) + 1


def test_the_smallest_level_on_a_linear_network_is_that_of_all_signs():
    _, weights = linear()
    for level in (1, 3, 11):
        values, bias = grey(weights, float(weights.abs().sum()) / 255 * (level - 0.5))
        found = minimal_level(direct(linear(bias=bias)[0]), values, Criterion(0), eps=16)
        assert (found.fooled, found.level) == (True, level)
        assert torch.equal(found.values.int() - values.int(), -level * weights.sign().int())


def test_what_cannot_be_reached_is_missed_with_the_nearest_kept():
    _, weights = linear()
    values, bias = grey(weights, float(weights.abs().sum()) / 255 * 2.5)
    found = minimal_level(direct(linear(bias=bias)[0]), values, Criterion(0), eps=2, steps=3)
    assert (found.fooled, found.level) == (False, 2)
    assert not minimal_norm(direct(linear(bias=bias)[0]), values, Criterion(0), norm="l2", eps=2).fooled


def test_in_l0_few_places_go_as_far_as_they_can():
    _, weights = linear()
    values, bias = grey(weights, 2.0)
    found = minimal_norm(direct(linear(bias=bias)[0]), values, Criterion(0), norm="l0", eps=255)
    change = (found.values.int() - values.int()).abs()
    gains = (weights.abs() * torch.where(weights > 0, 128, 127) / 255).flatten().sort(descending=True).values
    fewest = int((gains.cumsum(0) < 2.0 + TOLERANCE).sum()) + 1
    assert found.fooled
    assert int((change > 0).sum()) <= fewest + 1


def test_in_l1_steeper_places_go_further_than_in_l2():
    _, weights = linear()
    values, bias = grey(weights, 20.0)
    sums = {}
    for norm, thorough in (("l2", False), ("l1", False), ("l1", True)):
        found = minimal_norm(direct(linear(bias=bias)[0]), values, Criterion(0), norm=norm, thorough=thorough, eps=16)
        assert found.fooled
        sums[norm, thorough] = int((found.values.int() - values.int()).abs().sum())
    gains = weights.abs().flatten().sort(descending=True).values / 255
    least = int((gains.repeat_interleave(16).cumsum(0) < 20.0 + TOLERANCE).sum()) + 1  # the strongest, 16 levels each
    assert least <= sums["l1", True] <= 1.02 * least + 1
    assert sums["l1", True] < sums["l1", False] < 0.95 * sums["l2", False]


def test_where_the_first_straight_way_does_not_fool_the_search_goes_on(monkeypatch):
    _, weights = linear()
    values, bias = grey(weights, 1.0)
    seek, turns = BoundarySearch.line_search, []

    def blind_at_first(*arguments):
        turns.append(arguments)
        return seek(*arguments) if len(turns) > 1 else None

    monkeypatch.setattr(BoundarySearch, "line_search", blind_at_first)
    model = direct(linear(bias=bias)[0])
    found = minimal_norm(model, values, Criterion(0), norm="l2", eps=255)
    assert len(turns) == model.queries.backward == 5
    assert int((found.values.int() - values.int()).square().sum()) <= 1.02 * best_squares(weights, 1.0 + TOLERANCE) + 1


def test_one_gradient_is_enough_where_the_first_step_fools():
    _, weights = linear()
    values, bias = grey(weights, 0.5)
    model = direct(linear(bias=bias)[0])
    found = minimal_level(model, values, Criterion(0), eps=255)
    assert (found.level, model.queries.forward, model.queries.backward) == (1, 2, 1)


def test_a_thorough_search_goes_furthest_towards_what_is_cheapest(monkeypatch):
    gone, settled = [], []

    class Way:
        """A way of known costs: the third is the cheapest, its neighbours next; none ever fools."""

        def __init__(self, search, loss, start):
            self.number, self.cost, self.size = len(ways), float(abs(len(ways) - 2)), float("inf")
            self.best, self.start = search.values, start
            ways.append(self)

        def go(self, steps, report):
            gone.append((self.number, steps))
            for _ in range(steps):
                report(0.0)
                model.queries.backward += 1

        def settle(self):
            settled.append(self.number)

    ways, reported = [], []
    monkeypatch.setattr("cnnviz.adversarial.minimal.ProximalDescent", Way)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 8))
    module[1].weight.data *= 30
    network = Network.from_module(module, (SIDE, SIDE), (0.5,) * 3, (0.2,) * 3, [str(n) for n in range(8)])
    values = torch.randint(256, (SIDE, SIDE, 3), dtype=torch.uint8)
    model = direct(network)
    criterion = Criterion(int(model.logits(values)[0].argmax()))
    found = minimal_norm(
        model,
        values,
        criterion,
        norm="l2",
        eps=255,
        thorough=True,
        control=Control(lambda *step: reported.append(step[:2])),
    )
    assert found.fooled
    assert model.fooled(found.values, criterion)  # what never fooled is not taken, however small
    assert sorted(gone[:6]) == [(number, 5) for number in range(6)]
    assert sorted(gone[6:9]) == [(1, 8), (2, 8), (3, 8)]
    assert gone[9:] == [(2, MORE - AFAR - 6 * 5 - 3 * 8)]
    assert settled == [2]
    assert all(torch.equal(way.start, ways[0].start) for way in ways[:5])
    assert not torch.equal(ways[5].start, ways[0].start)  # from afar
    assert reported[-MORE:] == [(step, MORE) for step in range(MORE)]


@pytest.mark.slow
def test_a_thorough_search_on_a_bent_network_is_never_larger_and_smaller_in_all():
    both = []
    for seed in (0, 2, 3):
        torch.manual_seed(seed)
        module = nn.Sequential(
            nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 24, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 36, 10)
        )
        network = Network.from_module(module, (SIDE, SIDE), (0.5,) * 3, (0.2,) * 3, [str(n) for n in range(10)])
        values = torch.randint(256, (SIDE, SIDE, 3), dtype=torch.uint8)
        logits = direct(network).logits(values)[0]
        target = int(logits.argmax())
        module[-1].bias.data[target] += 8 * logits.std()  # a lead that many values must change for
        sizes = []
        for thorough in (False, True):
            model = direct(network)
            found = minimal_norm(model, values, Criterion(target), thorough=thorough, norm="l2", eps=255)
            assert found.fooled
            assert model.fooled(found.values, Criterion(target))
            sizes.append(int((found.values.int() - values.int()).square().sum()))
        assert sizes[1] <= sizes[0]
        both.append(sizes)
    assert sum(after for _, after in both) < 0.8 * sum(before for before, _ in both)


@pytest.mark.parametrize("steps", [1, 3])
def test_the_change_of_the_last_gradient_is_tried_too(steps):
    """A network whose values must be changed one after the other, so that each gradient shows the next alone."""
    values = torch.full((SIDE, SIDE, 3), 128, dtype=torch.uint8)

    class Chain(nn.Module):
        def forward(self, x):
            done = (x.flatten(1)[:, :4] < 127.5 / 255).long().detach()
            first = done.cumprod(1).sum(1).clamp(max=3)  # how many in a row, from the first
            slope = x.flatten(1).gather(1, first[:, None])[:, 0]
            return torch.stack((3.0 - done.cumprod(1).sum(1) - 0.5 + 0 * slope + slope - slope.detach(), 0 * slope), 1)

    network = Network.from_module(Chain(), (SIDE, SIDE), (0.0,) * 3, (1.0,) * 3, ["a", "b"])
    model = direct(network)
    found = minimal_level(model, values, Criterion(0), eps=1, steps=steps)
    assert found.fooled is (steps == 3)
    assert (model.queries.forward, model.queries.backward) == (steps + 1, steps)
    assert found.level == 1


def test_a_network_without_slopes_is_given_up_after_one_gradient():
    network, _ = linear(bias=1.0)
    network.module[1].weight.data.zero_()
    model = direct(network)
    found = minimal_level(model, torch.full((SIDE, SIDE, 3), 128, dtype=torch.uint8), Criterion(0), eps=255)
    assert (found.fooled, found.level, model.queries.backward, model.queries.zero_gradients) == (False, 0, 1, 1)


def cat() -> tuple[Network, torch.Tensor, int]:
    network = lite0()
    x = fit(read_photo("sample_images/coffee.jpg"), network)[0]
    values = (x[0] * 255).round().byte().permute(1, 2, 0).contiguous()
    return network, values, int(network(x)[0].argmax())


def truly(network: Network, found: AdversarialResult) -> int:
    return int(network(found.values.permute(2, 0, 1)[None].float() / 255)[0].argmax())


@pytest.mark.slow
def test_a_real_network_is_fooled_at_one_level_and_with_a_goal():
    network, values, target = cat()
    model = direct(network)
    first = minimal_level(model, values, Criterion(target), eps=255)
    assert (first.fooled, first.level) == (True, 1)
    assert truly(network, first) != target
    least = minimal_norm(model, values, Criterion(target), norm="l2", eps=16)
    norms = [float((found.values.float() - values.float()).norm()) for found in (least, first)]
    assert norms[0] < 0.3 * norms[1]
    assert truly(network, least) != target
    aimed = minimal_level(model, values, Criterion(target, goal=859), eps=2)
    assert aimed.fooled
    assert truly(network, aimed) == 859
    assert largest_change(values, aimed.values) <= 2


@pytest.mark.slow
def test_random_signs_of_one_level_do_not_fool():
    network, values, target = cat()
    draw = np.random.default_rng(0)
    for _ in range(5):
        noise = torch.from_numpy(draw.choice([-1, 1], size=tuple(values.shape)))
        moved = (values.int() + noise).clamp(0, 255).byte()
        assert truly(network, AdversarialResult(moved, False, 1, values.float())) == target
