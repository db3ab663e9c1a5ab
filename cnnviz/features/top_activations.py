"""The strongest activations of every feature map over many photographs: one pass, a running best.

Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 4.1 and figure
2: for each feature map the nine largest activations over a set of pictures. A picture counts once for a map, with its
largest activation, so that nine pictures are shown; the paper does not say.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network

BATCH = 4  # pictures at a time: few are fastest on a processor (benchmarks/forward.py), and one size repeats


@dataclass(frozen=True)
class TopActivations:
    """For each feature map its largest activations so far, the largest first; of equal ones the lower number first.

    ``values`` (channels, top), -inf where there are fewer pictures; ``numbers`` (channels, top) of the pictures, -1
    there; ``places`` (channels, top) of the activation on its map, counted row by row; ``width`` of each picture's
    maps at that place (channels, top); ``done`` pictures; ``last``, the largest number among them.
    """

    values: Tensor
    numbers: Tensor
    places: Tensor
    widths: Tensor
    done: int = 0
    last: int = -1

    @classmethod
    def none(cls, channels: int, top: int) -> "TopActivations":
        """Return a place for the best, nothing seen yet."""
        empty = torch.full((channels, top), -1)
        return cls(torch.full((channels, top), -torch.inf), empty, empty.clone(), empty.clone())

    def after(self, maps: Tensor, numbers: Tensor) -> "TopActivations":
        """Return the best with pictures of ``numbers`` (N,) and maps (N, channels, h, w) taken in."""
        flat = maps.flatten(2).float()
        places = flat.argmax(2)
        values = flat.gather(2, places[..., None])[..., 0]
        count, channels = values.shape
        added = (values.T, numbers[None].expand(channels, count), places.T,
                 torch.full((channels, count), maps.shape[-1]))  # fmt: skip
        held = (self.values, self.numbers, self.places, self.widths)
        both = [torch.cat([old, new.to(old)], 1) for old, new in zip(held, added, strict=True)]
        by_number = both[1].argsort(dim=1, stable=True)
        order = by_number.gather(1, both[0].gather(1, by_number).argsort(dim=1, descending=True, stable=True))
        best = order[:, : self.values.shape[1]]
        last = max(self.last, int(numbers.max()))
        values, known, places, widths = (one.gather(1, best) for one in both)
        return TopActivations(values, known, places, widths, self.done + count, last)

    def hits(self, channel: int) -> list[tuple[int, tuple[int, int], float]]:
        """Return a map's best as picture's number, position (y, x), activation; the largest first."""
        found = zip(*(t[channel].tolist() for t in (self.numbers, self.places, self.widths, self.values)), strict=True)
        return [(number, divmod(place, width), value) for number, place, width, value in found if number >= 0]


def top_activations(
    network: Network,
    pictures: Iterable[tuple[int, Tensor]],
    *,
    layer: str,
    top: int,
    known: TopActivations | None = None,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[TopActivations], None] | None = None,
    failed: Callable[[int, MethodError], None] | None = None,
) -> TopActivations | None:
    """Find the ``top`` largest activations of each map of a layer over pictures, given as (number, (1, 3, h, w)).

    Numbers say which is first among equals, so that the order of the pictures does not matter. The network is run
    as far as the layer. ``known`` is the result of a run that was stopped, to go on from; ``stop`` is asked after each
    batch, ``progress`` told the best so far, ``failed`` which picture the network cannot take (without it, that ends
    the search). None where there was no picture. Raises UsageMistake for a layer that is not there or gives no maps.
    """
    found = known
    with torch.inference_mode(), _until(network, layer) as run:
        answers = (one for numbers, inputs in _batches(pictures) for one in _answers(run, numbers, inputs, failed))
        for numbers, maps in answers:
            if not torch.isfinite(maps).all():
                raise MethodError(
                    f"{network.name} gave activations that are not finite numbers: are these its weights?"
                )
            found = (found or TopActivations.none(maps.shape[1], top)).after(maps, torch.tensor(numbers))
            if progress:
                progress(found)
            if stop and stop():
                break
    return found


def _answers(
    run: Callable[[Tensor], Tensor],
    numbers: list[int],
    inputs: Tensor,
    failed: Callable[[int, MethodError], None] | None,
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield what the layer gives for a batch; where the network cannot take it, for its pictures one by one."""
    full = torch.cat([inputs, inputs[-1:].expand(BATCH - len(inputs), -1, -1, -1)])  # batches of one size
    try:
        maps = run(full)[: len(inputs)].cpu()
    except MethodError as error:
        if failed is None:
            raise
        if len(numbers) == 1:
            failed(numbers[0], error)
            return
        for row, number in enumerate(numbers):
            yield from _answers(run, [number], inputs[row : row + 1], failed)
    else:
        yield numbers, maps


def _batches(pictures: Iterable[tuple[int, Tensor]]) -> Iterator[tuple[list[int], Tensor]]:
    """Yield pictures of one size together, up to a batch."""
    held: list[tuple[int, Tensor]] = []
    for number, inputs in pictures:
        if held and (len(held) == BATCH or held[0][1].shape != inputs.shape):
            yield [n for n, _ in held], torch.cat([x for _, x in held])
            held = []
        held.append((number, inputs))
    if held:
        yield [n for n, _ in held], torch.cat([x for _, x in held])


class _Reached(Exception):  # noqa: N818 - it ends a pass early, which is no error
    """The layer has answered; the rest of the network need not."""


@contextmanager
def _until(network: Network, layer: str) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield a function that runs a network up to what a layer gives at its last use, (N, channels, h, w)."""
    seen: list[Tensor] = []
    uses = [0]

    def see(_module: Any, _inputs: Any, out: Any) -> None:
        if not isinstance(out, Tensor) or out.dim() not in (2, 4):
            raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
        seen.append(out.clone())  # what follows may change it in place
        if len(seen) == uses[0]:
            raise _Reached

    def run(inputs: Tensor) -> Tensor:
        seen.clear()
        with suppress(_Reached):
            network(inputs)
        if not seen:
            raise InvalidRequest(f"layer {layer} has no part in the answer")
        uses[0] = len(seen)
        out = seen[-1]
        return out.reshape(*out.shape, *(1,) * (4 - out.dim()))

    handle = network.layer(layer).register_forward_hook(see)
    try:
        yield run
    finally:
        handle.remove()
