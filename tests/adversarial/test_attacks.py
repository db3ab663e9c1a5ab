"""What holds for every attack method of the catalogue: closed form on a linear network, criterion, seed, refusal.

A row of ``METHODS`` is tested by being there; LARGER says how far it may miss the smallest change.
"""

from dataclasses import dataclass
from importlib.util import find_spec

import pytest
import torch
from torch import Tensor

from cnnviz import Network
from cnnviz.adversarial.catalog import METHODS, Norm
from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.file_attack import AttackSettings, PhotoAttack, attack_photo
from cnnviz.errors import InvalidRequest, MethodError
from tests.support.networks import linear_network

SIDE = 6
GREY = torch.full((SIDE, SIDE, 3), 128, dtype=torch.uint8).numpy()
LARGER = {
    ("minimal", "linf"): 1.0, ("minimal", "l2"): 1.02, ("minimal", "l1"): 1.35, ("minimal", "l0"): 1.05,
    ("fgsm", "linf"): 2.0, ("pgd", "linf"): 2.0, ("mi-fgsm", "linf"): 2.0, ("apgd", "linf"): 2.0,
    ("autoattack", "linf"): 2.0, ("square", "linf"): 2.0, ("deepfool", "l2"): 1.1, ("deepfool", "linf"): 1.1,
    ("cw", "l2"): 1.1, ("ddn", "l2"): 1.1, ("fmn", "linf"): 1.1, ("fmn", "l1"): 1.6, ("fmn", "l0"): 1.6,
}  # fmt: skip
ROWS = [(name, norm) for name, method in METHODS.items() for norm in method.norms]
SEARCHES = [row for row in ROWS if row[0] != "one-pixel"]  # a pixel alone does not fool this network


@dataclass(frozen=True)
class Linear:
    """Two classes, the first ahead on grey by ``lead`` levels of every value; ``weights`` (H, W, C) of its lead."""

    network: Network
    weights: Tensor
    lead: float

    def least(self, norm: Norm, eps: int) -> float:
        """The size of the smallest change by real numbers, of at most ``eps`` levels a value."""
        size, gap = (
            self.weights.abs().flatten().sort(descending=True).values,
            self.lead * float(self.weights.abs().sum()),
        )
        if norm == "linf":
            return self.lead
        if norm == "l2":
            return gap / float(size.norm()) if eps > 8 else self.least_whole_l2(gap)
        most = int((size.cumsum(0) * eps < gap).sum())  # values at their limit
        rest = gap - float(size[:most].sum()) * eps
        return most * eps + rest / float(size[most]) if norm == "l1" else most + 1

    def least_whole_l2(self, gap: float) -> float:
        """The same in whole levels: the k-th level of a value costs 2 k - 1 and gains as much as the first."""
        units = (
            (gain / (2 * k - 1), gain, 2 * k - 1) for gain in self.weights.abs().flatten().tolist() for k in range(1, 9)
        )
        total = cost = 0.0
        for _, gain, price in sorted(units, reverse=True):
            if total > gap:
                break
            total, cost = total + gain, cost + price
        return cost**0.5


def linear(lead: float) -> Linear:
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(3, SIDE, SIDE, generator=generator) + 0.5
    weights *= torch.randint(0, 2, weights.shape, generator=generator) * 2 - 1
    bias = torch.stack((lead / 255 * weights.abs().sum() - (weights * 128 / 255).sum(), torch.tensor(0.0)))
    network = linear_network(torch.stack((weights, torch.zeros_like(weights))), bias, ["first", "second"])
    return Linear(network, weights.permute(1, 2, 0), lead)


def attack(
    subject: Linear, name: str, norm: Norm, *, seed: int = 0, eps: int = 8, goal: str | None = None
) -> PhotoAttack:
    package = METHODS[name].package
    if package and find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    return attack_photo(
        subject.network, GREY, method=name, norm=norm, eps=eps, goal=goal,
        settings=AttackSettings(seed=seed, fit="whole", steps=None if not METHODS[name].steps else 100),
    )  # fmt: skip


def size(result: PhotoAttack, norm: Norm) -> float:
    return float({"linf": result.verification.levels}.get(norm) or getattr(result.verification, norm))


@pytest.mark.parametrize(("name", "norm"), SEARCHES)
def test_the_change_is_nearly_the_smallest(name, norm):
    lead, eps = (4.4, 8) if norm == "linf" else (0.3, 8) if name == "minimal" else (20.0, 127)
    subject = linear(lead)
    result = attack(subject, name, norm, eps=eps)
    assert result.fooled
    assert size(result, norm) <= LARGER[name, norm] * subject.least(norm, eps) + 1  # + 1: whole levels


@pytest.mark.parametrize(("name", "norm"), ROWS)
def test_what_is_reported_is_what_the_file_does(name, norm):
    subject = linear(2.0)
    result = attack(subject, name, norm)
    logits = subject.network(torch.tensor(result.image).permute(2, 0, 1)[None] / 255)[0]
    assert result.fooled is Criterion(0).is_met(logits) is (result.verification.margin > 0)
    assert result.verification.margin == pytest.approx(float(logits[1] - logits[0]), abs=1e-3)
    if METHODS[name].capped:
        assert result.verification.levels <= 8


@pytest.mark.parametrize(("name", "norm"), ROWS)
def test_the_same_seed_gives_the_same_file_and_leaves_random_numbers_alone(name, norm):
    subject, before = linear(2.0), torch.get_rng_state()
    files = [attack(subject, name, norm, seed=3).written.encode({}) for _ in range(2)]
    assert files[0] == files[1]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "norm"), [row for row in SEARCHES if METHODS[row[0]].targeted])
def test_a_goal_is_reached(name, norm):
    result = attack(linear(20.0 if METHODS[name].package else 0.3), name, norm, goal="second", eps=64)
    assert result.fooled
    assert result.verification.goal == result.verification.top[0].index == 1


@pytest.mark.parametrize(("name", "norm"), ROWS)
def test_a_photo_that_is_the_goal_already_is_refused(name, norm):
    with (
        pytest.raises(MethodError, match="classified as first already")
        if METHODS[name].targeted
        else pytest.raises(InvalidRequest)
    ):
        attack(linear(2.0), name, norm, goal="first")
