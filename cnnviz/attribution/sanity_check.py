"""Cascading parameter randomisation: whether a map depends on the network's weights.

Adebayo et al., "Sanity Checks for Saliency Maps", 2018 (arXiv:1810.03292), section 3. We depart in two things: each
tensor's values are shuffled, not drawn again from the initialisation, which a file of weights does not contain; and a
few stages stand for all layers, since each costs a map.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network


@dataclass(frozen=True)
class SanityCheck:
    """Rank correlation of the maps of randomised networks with those of the trained one.

    ``down_to`` the name of the lowest layer randomised at each stage; ``signed`` and ``absolute`` (stages, maps)
    Spearman's rank correlation, -1 to 1, of the maps and of their magnitudes with those of the trained network.
    """

    down_to: tuple[str, ...]
    signed: Tensor
    absolute: Tensor


def sanity_check(
    network: Network,
    compute: Callable[[Network], Tensor],
    maps: Tensor,
    *,
    stages: int = 5,
    seed: int = 0,
    control: Control = Control(),
) -> SanityCheck:
    """Randomise a network from the logits down and compute its maps again at each stage.

    ``compute`` returns the maps (maps, h, w) of a network; ``maps`` are those of the trained one. The first stage is
    the last layer with parameters; the others are the rest in parts of equally many layers, downwards in the order of
    definition. Running means and variances stay. Raises MethodError for a network without parameters.
    """
    if stages < 1:
        raise InvalidRequest("at least 1 stage is needed")
    module = copy.deepcopy(network.module)
    generator = torch.Generator().manual_seed(seed)
    parts = cascade(module, stages)
    signed, absolute = [], []
    for done, part in enumerate(parts, 1):
        for _, layer in part:
            _shuffle(layer, generator)
        pairs = list(zip(maps, compute(replace(network, module=module)), strict=True))
        signed.append([spearman(one, other) for one, other in pairs])
        absolute.append([spearman(one.abs(), other.abs()) for one, other in pairs])
        control.report(done, len(parts))
    names = tuple(part[-1][0] for part in parts)
    return SanityCheck(names, torch.tensor(signed, dtype=torch.float64), torch.tensor(absolute, dtype=torch.float64))


def cascade(module: nn.Module, stages: int) -> list[list[tuple[str, nn.Module]]]:
    """Return the layers with parameters of their own, from the last to the first, in at most ``stages`` parts."""
    layers = [(name, layer) for name, layer in module.named_modules() if any(True for _ in layer.parameters(False))]
    if not layers:
        raise MethodError("the network has no parameters to randomise")
    last, *rest = reversed(layers)
    count = min(stages - 1, len(rest))
    edges = [round(part * len(rest) / count) for part in range(count + 1)] if count else []
    return [[last], *(rest[low:high] for low, high in pairwise(edges))]


def _shuffle(layer: nn.Module, generator: torch.Generator) -> None:
    """Shuffle the values of each parameter tensor of a layer, in place."""
    with torch.no_grad():
        for tensor in layer.parameters(recurse=False):
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            tensor.copy_(tensor.flatten()[order].view(tensor.shape))


def spearman(one: Tensor, other: Tensor) -> float:
    """Return the rank correlation of two maps (h, w), -1 to 1, over the pixels where neither is NaN.

    Equal values share their mean rank. 0 where one map is constant.
    """
    known = ~(one.isnan() | other.isnan())
    if not known.any():
        return 0.0
    a, b = (_ranks(values[known]) for values in (one, other))
    a, b = a - a.mean(), b - b.mean()
    spread = float(a.square().sum().sqrt() * b.square().sum().sqrt())
    return float((a * b).sum()) / spread if spread > 0 else 0.0


def _ranks(values: Tensor) -> Tensor:
    """Return the ranks (n,) of values (n,), in float64; equal values share the mean of theirs."""
    _, group, count = torch.unique(values, return_inverse=True, return_counts=True)
    mean: Tensor = count.cumsum(0).double() - (count - 1) / 2
    return mean[group]
