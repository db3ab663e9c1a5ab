"""Deletion and insertion: the class probability while pixels go, or come, in the order of a map.

Petsiuk, Das & Saenko, "RISE", 2018 (arXiv:1806.07421), section 4.2. We depart in three things: the baselines are the
caller's (theirs are the mean colour and a blur); pixels change in a few large steps, not 224 at a time; and beside
every map the same map shifted is measured, since an area under the curve says little alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.memory import batch_size
from cnnviz.models.network import Network, require_finite

# Pixels of one batch. On a CPU few are fastest (benchmarks/forward.py); a GPU needs many.
CPU_PIXELS = 4 * 224 * 224
GPU_PIXELS = 64 * 224 * 224


@dataclass(frozen=True)
class DeletionInsertion:
    """The probability of each map's class while its pixels are deleted, or inserted, in the map's order.

    ``shares`` (steps + 1,) of the pixels changed, 0 to 1; ``deletion`` and ``insertion`` (maps, steps + 1);
    ``shifted_deletion`` and ``shifted_insertion`` (maps, shifts, steps + 1) the same with the map shifted at random;
    ``clean_logits`` (classes,) of the unchanged input; ``clean`` (maps,) its probability of each map's class. All
    in float64 but the logits.
    """

    shares: Tensor
    deletion: Tensor
    insertion: Tensor
    shifted_deletion: Tensor
    shifted_insertion: Tensor
    clean_logits: Tensor
    clean: Tensor


def deletion_insertion(
    network: Network,
    inputs: Tensor,
    maps: Tensor,
    *,
    targets: Sequence[int],
    deletion_baseline: Tensor,
    insertion_baseline: Tensor,
    steps: int = 50,
    shifts: int = 3,
    seed: int = 0,
    control: Control = Control(),
) -> DeletionInsertion:
    """Delete and insert the pixels of an input in the order of each map, and record the class probability.

    ``inputs`` (1, 3, h, w), RGB in [0, 1]; ``maps`` (maps, h, w), the largest value first, NaN last, equal values row
    by row; ``targets`` the class of each map. Deletion turns the input step by step into ``deletion_baseline``,
    insertion turns ``insertion_baseline`` into the input, both (1, 3, h, w). Each map is also measured ``shifts``
    times shifted by offsets drawn from ``seed``: the same shapes elsewhere. Pixels in random order would be no
    comparison: the finer they are scattered, the sooner the probability falls, whatever they show. ``control`` gets
    (done, passes). Raises InvalidRequest for shapes, classes and settings that do not fit, MethodError for more steps
    than pixels and for logits that are not finite.
    """
    _check(inputs, maps, targets, steps, shifts)
    pixels = inputs.shape[-2] * inputs.shape[-1]
    counts = torch.tensor([round(step * pixels / steps) for step in range(steps + 1)], device=network.device)
    with torch.inference_mode():
        x, deleted, start = (image.to(network.device) for image in (inputs, deletion_baseline, insertion_baseline))
        clean = network(x)[0]
        if any(not 0 <= index < len(clean) for index in targets):
            raise InvalidRequest(f"classes {tuple(targets)}: {network.name} has {len(clean)}, counted from 0")
        done, passes, found = 0, len(maps) * (1 + shifts) * 2 * len(counts), []
        for values, target in zip(maps.cpu(), targets, strict=True):
            for order in (values, *shifted(values, shifts, seed)):
                for changed in _changed_inputs(x, deleted, start, pixel_order(order).to(network.device), counts):
                    found.append(network.folded(changed).double().softmax(1)[:, target])
                    done += len(changed)
                    control.report(done, passes)
    curves = torch.cat(found).cpu().view(len(maps), 1 + shifts, 2, len(counts))
    require_finite(network.name, curves, clean)
    clean = clean.cpu()
    return DeletionInsertion(
        counts.cpu().double() / pixels, curves[:, 0, 0], curves[:, 0, 1], curves[:, 1:, 0], curves[:, 1:, 1],
        clean, clean.double().softmax(0)[[*targets]],
    )  # fmt: skip


def _check(inputs: Tensor, maps: Tensor, targets: Sequence[int], steps: int, shifts: int) -> None:
    if inputs.dim() != 4 or len(inputs) != 1:
        raise InvalidRequest(f"deletion and insertion take one input (1, 3, h, w), not {tuple(inputs.shape)}")
    if maps.dim() != 3 or maps.shape[-2:] != inputs.shape[-2:] or len(maps) != len(targets) or not len(maps):
        raise InvalidRequest(f"maps {tuple(maps.shape)}: one (h, w) of the input for each of {len(targets)} classes")
    if min(steps, shifts) < 1:
        raise InvalidRequest("steps and shifts must be at least 1")
    height, width = inputs.shape[-2:]
    if steps > height * width:
        raise MethodError(f"{steps} steps are more than the {width}x{height} pixels of the network's input")


def _changed_inputs(x: Tensor, deleted: Tensor, start: Tensor, rank: Tensor, counts: Tensor) -> Iterator[Tensor]:
    """Yield batches of inputs whose first pixels by ``rank`` (h, w) are changed: deletion, then insertion."""
    for before, after in ((x, deleted), (start, x)):
        for part in torch.split(counts, batch_size(x, CPU_PIXELS, GPU_PIXELS)):
            yield torch.where(rank < part.view(-1, 1, 1, 1), after, before)


def pixel_order(values: Tensor) -> Tensor:
    """Return the rank (h, w) of each pixel in the order of a map (h, w): 0 the most important.

    Equal values keep their order row by row, top left first; NaN comes last.
    """
    order = torch.where(values.isnan(), -torch.inf, values.double()).flatten().argsort(descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device)
    return ranks.view(values.shape)


def shifted(values: Tensor, count: int, seed: int) -> Tensor:
    """Return a map (h, w) shifted ``count`` times, (count, h, w), by a quarter to three quarters of each side.

    What leaves at one border enters at the opposite one.
    """
    generator = torch.Generator().manual_seed(seed)
    low, high = zip(*((side // 4, max(side - side // 4, 1)) for side in values.shape), strict=True)
    parts = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    shifts = (torch.tensor(low) + parts * (torch.tensor(high) - torch.tensor(low))).long()
    return torch.stack([values.roll((y, x), (0, 1)) for y, x in shifts.tolist()])
