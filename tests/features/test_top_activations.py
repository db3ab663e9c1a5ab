"""The running best against a sort of everything, in any order, stopped and gone on with."""

import random

import pytest
import torch
from torch import Tensor, nn

from cnnviz import Network
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.features.top_activations import TopActivations, top_activations

COUNT, TOP = 300, 9


class Small(nn.Module):
    """A layer used twice, changed in place afterwards, with a costly rest."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 6, 3, stride=2)
        self.twice = nn.Conv2d(6, 6, 3, padding=1)
        self.rest = nn.Linear(6, 4)
        self.unused = nn.Linear(2, 2)
        self.rest_runs = 0

    def forward(self, x: Tensor) -> Tensor:
        x = self.twice(torch.relu_(self.twice(self.stem(x)))).relu_()
        self.rest_runs += 1
        return self.rest(x.mean((2, 3)))


@pytest.fixture(scope="module")
def network() -> Network:
    return Network.from_module(Small(), size=(17, 21), mean=(0.5,) * 3, std=(0.25,) * 3)


@pytest.fixture(scope="module")
def pictures() -> list[tuple[int, Tensor]]:
    generator = torch.Generator().manual_seed(1)
    made = [torch.rand(1, 3, 17, 21, generator=generator).mul(8).round().div(8) for _ in range(COUNT)]
    made[7] = made[200]  # equal ones: the lower number is first
    made[60] = made[5]
    return list(enumerate(made))


@pytest.fixture(scope="module")
def brute(network: Network, pictures: list[tuple[int, Tensor]]) -> list[list[tuple[int, tuple[int, int], float]]]:
    module = network.module
    rows = []
    with torch.no_grad():
        for number, x in pictures:
            x = torch.cat([x] * 4)  # as the search does: the size of a batch may change the last bit
            maps = module.twice(torch.relu(module.twice(module.stem((x - 0.5) / 0.25))))[0]
            for channel, values in enumerate(maps):
                place = divmod(int(values.argmax()), values.shape[1])
                rows.append((channel, -float(values.max()), number, place))
    rows.sort()
    return [[(n, place, -v) for c, v, n, place in rows if c == channel][:TOP] for channel in range(6)]


def found(result: TopActivations) -> list[list[tuple[int, tuple[int, int], float]]]:
    return [result.hits(channel) for channel in range(6)]


@pytest.mark.parametrize("order", ["sorted", "reversed", "shuffled"])
def test_it_equals_a_sort_of_everything_in_any_order(network, pictures, brute, order) -> None:
    given = list(pictures)
    if order == "reversed":
        given.reverse()
    elif order == "shuffled":
        random.Random(3).shuffle(given)
    result = top_activations(network, given, layer="twice", top=TOP)
    assert result.done == COUNT
    assert found(result) == brute


def test_stopped_and_gone_on_with_it_is_the_same(network, pictures, brute) -> None:
    first = top_activations(network, pictures, layer="twice", top=TOP, control=Control(stopped=lambda: True))
    assert first.done == 4
    assert found(top_activations(network, pictures[4:], layer="twice", top=TOP, known=first)) == brute


def test_the_network_is_run_as_far_as_the_layer(network, pictures) -> None:
    before = network.module.rest_runs
    top_activations(network, pictures[:40], layer="stem", top=TOP)
    assert network.module.rest_runs == before + 1  # the first pass finds out how often the layer is used
    assert not network.module.stem._forward_hooks  # noqa: SLF001 - torch tells the number of hooks nowhere else


def test_fewer_pictures_than_places_and_pictures_of_several_sizes(network) -> None:
    sizes = [(17, 21), (17, 21), (31, 9)]
    few = [(i, torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(i))) for i, size in enumerate(sizes)]
    result = top_activations(network, few, layer="stem", top=TOP)
    for channel in range(6):
        hits = result.hits(channel)
        assert sorted(number for number, _, _ in hits) == [0, 1, 2]
        for number, (y, x), value in hits:
            with torch.no_grad():
                maps = network.module.stem((few[number][1] - 0.5) / 0.25)[0]
            assert maps[channel, y, x] == pytest.approx(value, rel=1e-5)
            assert maps[channel].max() == pytest.approx(value, rel=1e-5)


def test_no_picture_no_result_and_no_such_layer(network, pictures) -> None:
    assert top_activations(network, [], layer="stem", top=1) is None
    with pytest.raises(InvalidRequest, match="has no layer 'stam'; did you mean"):
        top_activations(network, pictures, layer="stam", top=1)
    with pytest.raises(InvalidRequest, match="layer unused does not contribute"):
        top_activations(network, pictures, layer="unused", top=1)


def test_a_picture_that_the_network_cannot_take_is_told_and_the_others_go_on(network, pictures) -> None:
    given = [*pictures[:5], (400, torch.rand(1, 3, 2, 2)), *pictures[5:8]]
    told: list[int] = []
    result = top_activations(network, given, layer="stem", top=TOP, on_failure=lambda number, _: told.append(number))
    assert told == [400]
    assert result.done == 8
    with pytest.raises(MethodError, match="cannot take"):
        top_activations(network, given, layer="stem", top=TOP)
