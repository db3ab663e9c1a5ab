"""Deletion and insertion: take away, or bring in, what a map calls important, and see how much the network minds.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", 2018 (arXiv:1806.07421),
section 4.2. We depart in three things: the pictures to delete to and to insert into are the caller's (theirs are
the mean colour and a blur); pixels go in a few large steps, not 224 at a time; and beside every map the same
map moved elsewhere is measured, since an area alone says little.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network

# Pixels at a time. On a processor few are fastest (benchmarks/forward.py); a GPU wants many.
CPU_PIXELS = 4 * 224 * 224
GPU_PIXELS = 64 * 224 * 224


@dataclass(frozen=True)
class DeletionInsertion:
    """The probability of each map's class while its pixels go, or come, in the map's order.

    ``shares`` (steps + 1,) of the pixels changed, 0 to 1; ``deletion`` and ``insertion`` (maps, steps + 1);
    ``random_deletion`` and ``random_insertion`` (maps, randoms, steps + 1) the same with the map moved at random;
    ``clean_logits`` (classes,) of the untouched input; ``clean`` (maps,) its probability of each map's class. All
    in float64 but the logits.
    """

    shares: Tensor
    deletion: Tensor
    insertion: Tensor
    random_deletion: Tensor
    random_insertion: Tensor
    clean_logits: Tensor
    clean: Tensor


def deletion_insertion(
    network: Network,
    inputs: Tensor,
    maps: Tensor,
    *,
    targets: Sequence[int],
    deleted: Tensor,
    start: Tensor,
    steps: int = 50,
    randoms: int = 3,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> DeletionInsertion:
    """Delete and insert the pixels of an input in the order of each map, and record the class's probability.

    ``inputs`` (1, 3, h, w), RGB in [0, 1]; ``maps`` (maps, h, w), the largest value first, NaN last, equal values row
    by row; ``targets`` the class of each map. Deletion turns the input step by step into ``deleted``, insertion
    turns ``start`` into the input, both (1, 3, h, w). Each map is also measured ``randoms`` times moved by steps
    drawn from ``seed``: the same shapes in other places. Pixels or squares in random order would not do: the
    finer they are scattered, the faster a network is lost, whatever they show. ``progress`` is told (done, passes).
    Raises UsageMistake for shapes, classes and settings that cannot be, MethodError for more steps than pixels and
    for logits that are not finite.
    """
    _check(inputs, maps, targets, steps, randoms)
    pixels = inputs.shape[-2] * inputs.shape[-1]
    counts = torch.tensor([round(step * pixels / steps) for step in range(steps + 1)], device=network.device)
    with torch.inference_mode():
        x, gone, first = (picture.to(network.device) for picture in (inputs, deleted, start))
        clean = network(x)[0]
        if any(not 0 <= index < len(clean) for index in targets):
            raise InvalidRequest(f"classes {tuple(targets)}: {network.name} has {len(clean)}, counted from 0")
        done, passes, found = 0, len(maps) * (1 + randoms) * 2 * len(counts), []
        for values, target in zip(maps.cpu(), targets, strict=True):
            for order in (values, *shifted(values, randoms, seed)):
                rank = pixel_order(order).to(network.device)
                for before, after in ((x, gone), (first, x)):
                    for part in torch.split(counts, batch_size(x)):
                        changed = torch.where(rank < part.view(-1, 1, 1, 1), after, before)
                        found.append(network.folded(changed).double().softmax(1)[:, target])
                        done += len(part)
                        if progress:
                            progress(done, passes)
    curves = torch.cat(found).cpu().view(len(maps), 1 + randoms, 2, len(counts))
    if not (torch.isfinite(curves).all() and torch.isfinite(clean).all()):
        raise MethodError(f"{network.name} gave logits that are not finite numbers: are these its weights?")
    clean = clean.cpu()
    return DeletionInsertion(
        counts.cpu().double() / pixels, curves[:, 0, 0], curves[:, 0, 1], curves[:, 1:, 0], curves[:, 1:, 1],
        clean, clean.double().softmax(0)[[*targets]],
    )  # fmt: skip


def _check(inputs: Tensor, maps: Tensor, targets: Sequence[int], steps: int, randoms: int) -> None:
    if inputs.dim() != 4 or len(inputs) != 1:
        raise InvalidRequest(f"faithfulness takes one input (1, 3, h, w), not {tuple(inputs.shape)}")
    if maps.dim() != 3 or maps.shape[-2:] != inputs.shape[-2:] or len(maps) != len(targets) or not len(maps):
        raise InvalidRequest(f"maps {tuple(maps.shape)}: one (h, w) of the input for each of {len(targets)} classes")
    if min(steps, randoms) < 1:
        raise InvalidRequest("steps and randoms are at least 1")
    height, width = inputs.shape[-2:]
    if steps > height * width:
        raise MethodError(f"{steps} steps are more than the {width}x{height} pixels of the network's input")


def pixel_order(values: Tensor) -> Tensor:
    """Return the place (h, w) of each pixel in the order of a map (h, w): 0 the most important.

    Equal values keep their order row by row, top left first; NaN comes last.
    """
    order = torch.where(values.isnan(), -torch.inf, values.double()).flatten().argsort(descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), device=order.device)
    return ranks.view(values.shape)


def shifted(values: Tensor, count: int, seed: int) -> Tensor:
    """Return a map (h, w) moved ``count`` times, (count, h, w): by a quarter to three quarters of each side.

    What leaves at one border comes in at the opposite one.
    """
    generator = torch.Generator().manual_seed(seed)
    low, high = zip(*((side // 4, max(side - side // 4, 1)) for side in values.shape), strict=True)
    parts = torch.rand(count, 2, generator=generator, dtype=torch.float64)
    shifts = (torch.tensor(low) + parts * (torch.tensor(high) - torch.tensor(low))).long()
    return torch.stack([values.roll((y, x), (0, 1)) for y, x in shifts.tolist()])


def auc(shares: Tensor, curves: Tensor) -> Tensor:
    """Return the areas (...,) under curves (..., steps + 1) over shares 0 to 1, by the trapezoid rule."""
    return torch.trapezoid(curves, shares)


def batch_size(x: Tensor) -> int:
    """Return how many pictures to do at a time: by input size and device alone, so that results repeat."""
    pixels = CPU_PIXELS if x.device.type == "cpu" else GPU_PIXELS
    return max(1, pixels // (x.shape[-2] * x.shape[-1]))
