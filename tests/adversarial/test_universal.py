"""One change for many photographs: levels that are known on a linear network, and what cannot be."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network, fit
from cnnviz.adversarial.criterion import TOLERANCE, Criterion
from cnnviz.adversarial.pipeline import attacked_photo
from cnnviz.adversarial.target import QueryCount
from cnnviz.adversarial.universal import (
    MARGIN,
    NEAREST,
    OVERSHOOT,
    UniversalSearch,
    add_pattern,
    resize_matrices,
    universal,
)
from cnnviz.control import Control
from cnnviz.io.photo import StoredImage
from tests.support.networks import random_classifier

SIDE = 8
WEIGHTS = 10 * torch.randn(3 * SIDE * SIDE, generator=torch.Generator().manual_seed(0))
WEIGHTS[0] = 0  # the value that tells the photographs apart
REACH = float(WEIGHTS.abs().sum()) / 255  # what a level of change does to the logit at most
PLAIN = (torch.eye(SIDE), torch.eye(SIDE))


def photographs(*gaps: float) -> tuple:
    """Grey pictures, and a network whose class 0 leads by ``gaps`` on them and is linear near each."""
    inputs = torch.full((len(gaps), 3 * SIDE * SIDE), 128 / 255)
    inputs[:, 0] = torch.arange(len(gaps)) * 100 / 255

    def network(x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        which = (x[:, 0].detach() * 2.55).round().long()
        logit = torch.tensor(gaps)[which] + (x - 128 / 255) @ WEIGHTS
        return torch.stack((logit, torch.zeros_like(logit)), 1)

    return network, inputs.view(-1, 3, SIDE, SIDE)


def search(network, inputs, criteria, eps=10, resizes=None, **options):
    resizes = resizes or [PLAIN] * len(inputs)
    options = {"steps": 5, "seed": 0} | options
    queries = [QueryCount() for _ in criteria]
    return UniversalSearch(network, inputs, criteria, resizes, queries).run(eps, **options)


@pytest.mark.parametrize("lead", [2.0, 9.0, 25.0])
def test_the_step_over_a_flat_border_is_along_its_slope(lead):
    found = search(*photographs(lead), [Criterion(0)], eps=255)
    slope = WEIGHTS / 255
    want = -OVERSHOOT * (lead + MARGIN + TOLERANCE) * slope / slope.square().sum()
    assert found.fooling_rate == 1
    assert found.change.dtype == torch.int16
    assert (found.change.flatten() - want).abs().max() <= 0.5 + 1e-3


def test_one_change_fools_all_that_it_can():
    subject = photographs(2.0, 9.0, 5.0)
    found = search(*subject, [Criterion(0)] * 3)
    assert found.fooling_rate == 1
    assert subject[0](subject[1] + found.change / 255).argmax(1).tolist() == [1, 1, 1]


def test_no_value_is_changed_by_more_than_eps():
    found = search(*photographs(3.5 * REACH, 0.2 * REACH), [Criterion(0)] * 2, eps=3)
    assert found.fooling_rate == 0.5
    assert int(found.change.abs().max()) == 3


def test_photographs_that_no_one_change_fools_leave_the_best():
    network, inputs = photographs(0.4 * REACH, 0.4 * REACH, -2.5 * REACH)  # the last is of the other class
    found = search(network, inputs, [Criterion(0), Criterion(0), Criterion(1)], eps=2)
    assert found.fooling_rate == pytest.approx(2 / 3)
    answers = network(inputs + found.change / 255).argmax(1)
    assert answers.tolist() == [1, 1, 1]


def test_what_a_resize_takes_away_is_not_sought():
    """A way that lets the upper half through alone: nothing is changed below."""
    half = torch.diag((torch.arange(SIDE) < SIDE // 2).float())
    found = search(*photographs(0.2 * REACH), [Criterion(0)], resizes=[(half, torch.eye(SIDE))])
    assert found.fooling_rate == 1
    assert found.change[:, : SIDE // 2].count_nonzero() > 60
    assert (found.change.flatten() * WEIGHTS <= 0).all()
    assert not found.change[:, SIDE // 2 :].any()


@pytest.mark.parametrize(("seed", "steps"), [(1, 2), (3, 3)])
def test_a_last_round_that_fools_fewer_does_not_take_the_best_away(seed, steps):
    told = []
    subject = photographs(2.0 * REACH, 1.5 * REACH, -REACH)
    options = {
        "seed": seed,
        "steps": steps,
        "eps": 4,
        "control": Control(lambda *words: told.append(float(words[-1].split("%")[0]) / 100)),
    }
    found = search(*subject, [Criterion(0), Criterion(0), Criterion(1)], **options)
    answers = subject[0](subject[1] + found.change / 255).argmax(1)
    assert float((answers != torch.tensor([0, 0, 1])).float().mean()) == pytest.approx(found.fooling_rate)
    assert told[-1] < max(told)
    assert found.fooling_rate == pytest.approx(max(told), abs=0.01)


def test_the_network_is_shown_whole_levels_of_a_whole_change():
    network, inputs = photographs(2.0)
    seen = []

    def watched(x):
        seen.append((x.detach() * 255 - inputs * 255).flatten())
        return network(x)

    half = torch.eye(SIDE) * 0.75
    found = search(watched, inputs, [Criterion(0)], resizes=[(half, torch.eye(SIDE))])
    assert all(torch.allclose(change, change.round(), atol=1e-3) for change in seen)
    whole = (0.75 * found.change.flatten()).round()
    assert whole.any()
    assert torch.allclose(seen[-1], whole, atol=1e-3)


def test_passes_are_counted_for_each_photograph():
    found = search(*photographs(0.2 * REACH, 0.1 * REACH), [Criterion(0)] * 2)
    first, second = sorted(found.queries, key=lambda queries: -queries.backward)
    assert (first.forward, first.backward, first.zero_gradients) == (
        4,
        1,
        0,
    )  # a step, a look beyond, judged before and after
    assert (second.forward, second.backward) == (3, 0)  # the first one's step took it along
    flat = search(
        lambda x: x.sum((1, 2, 3))[:, None] * torch.tensor([[0.0, 0.0]]) + torch.tensor([1.0, 0]),
        torch.zeros(1, 3, 8, 8),
        [Criterion(0)],
        steps=2,
    )
    assert (flat.queries[0].backward, flat.queries[0].zero_gradients, flat.fooling_rate) == (
        2 * NEAREST,
        2 * NEAREST,
        0,
    )


def test_the_same_seed_gives_the_same_change_and_rounds_are_told():
    told = []
    subject = photographs(2.0 * REACH, 1.5 * REACH, -REACH)
    criteria = [Criterion(0), Criterion(0), Criterion(1)]
    one = search(*subject, criteria, control=Control(lambda *words: told.append(words)))
    assert torch.equal(one.change, search(*subject, criteria).change)
    assert not all(torch.equal(one.change, search(*subject, criteria, seed=seed).change) for seed in (1, 2, 3))
    assert [step for step, _, _ in told] == [1, 2, 3, 4, 5]
    assert max(text for *_, text in told) == f"{one.fooling_rate:.0%} fooled"


def test_a_change_of_many_photos_is_applied_to_any_other():
    network = random_classifier(SIDE, scale=300)
    generator = np.random.default_rng(0)
    photos = [generator.integers(60, 196, (2 * SIDE, 3 * SIDE, 3), np.uint8) for _ in range(3)]
    result = universal(network, photos, eps=12, steps=3)
    assert result.change.shape == (3, SIDE, SIDE)
    fooled = [result.apply(attacked_photo(photo, network)).verify().fooled for photo in photos]
    assert sum(fooled) / 3 == pytest.approx(result.fooling_rate, abs=0.34)
    other = generator.integers(60, 196, (SIDE, SIDE, 3), np.uint8)
    changed = result.apply(attacked_photo(other, network, "whole")).image.astype(int) - other
    assert np.array_equal(changed, result.change.permute(1, 2, 0).numpy())


INPUT = 24
NETWORK = Network.from_module(
    nn.Sequential(nn.Flatten(), nn.Linear(3 * INPUT**2, 2)), (INPUT, INPUT), (0.5,) * 3, (1.0,) * 3
)
PATTERN = np.random.default_rng(0).integers(-60, 61, (3, INPUT, INPUT)).astype(np.int16)


def grey(*shape: int) -> StoredImage:
    return StoredImage(np.full(shape, 128, np.uint8), None, None, (255, 255, 255))


@pytest.mark.parametrize("shape", [(24, 24), (61, 90), (17, 13), (300, 26)])
@pytest.mark.parametrize("how", ["crop", "squash", "pad"])
def test_the_ways_are_those_of_the_pixels(shape, how):
    original = grey(*shape, 3)
    _, geometry = fit(original.photo(original.values), NETWORK, how)
    values = add_pattern(original, geometry, PATTERN)
    change = geometry.see(original.photo(values)).astype(int) - geometry.see(original.photo(original.values))
    down, across = resize_matrices(geometry)
    expected = down @ torch.from_numpy(PATTERN).float() @ across.T
    assert np.abs(change.transpose(2, 0, 1) - expected.numpy()).max() <= 2  # three roundings to whole levels


def test_at_its_own_size_a_photograph_gets_the_pattern_itself():
    original = grey(INPUT, INPUT, 3)
    _, geometry = fit(original.photo(original.values), NETWORK, "whole")
    assert np.array_equal(add_pattern(original, geometry, PATTERN), 128 + PATTERN.transpose(1, 2, 0))
    assert all(np.allclose(way, np.eye(INPUT)) for way in resize_matrices(geometry))


def test_nothing_changes_where_the_network_does_not_look():
    original = grey(40, 120, 3)
    _, geometry = fit(original.photo(original.values), NETWORK)
    left, top, right, bottom = geometry.box()
    changed = (add_pattern(original, geometry, PATTERN) != 128).any(2)
    assert (left, right) != (0, 120)
    assert changed[top:bottom, left:right].mean() > 0.9
    changed[top:bottom, left:right] = False
    assert not changed.any()


def test_grey_gets_the_mean_and_values_stay_in_8_bits():
    original = grey(INPUT, INPUT, 1)
    _, geometry = fit(original.photo(original.values), NETWORK, "whole")
    assert np.array_equal(add_pattern(original, geometry, PATTERN)[..., 0], 128 + PATTERN.mean(0).round())
    white = StoredImage(np.full((INPUT, INPUT, 3), 250, np.uint8), None, None, (255, 255, 255))
    assert np.array_equal(add_pattern(white, geometry, PATTERN), np.clip(250 + PATTERN, 0, 255).transpose(1, 2, 0))
