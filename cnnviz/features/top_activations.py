"""The strongest activations of every feature map over many images: one pass, a running best.

Zeiler & Fergus 2013 (arXiv:1311.2901), section 4.1 and figure 2. An image counts once for a map, with its largest
activation, so that as many images are shown as activations; the paper does not say.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice

import torch
from torch import Tensor

from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.features import Capture, capture
from cnnviz.models.network import Network, require_finite

BATCH = 4  # images at a time: few are fastest on a CPU (benchmarks/forward.py), and one size repeats


@dataclass(frozen=True)
class TopActivations:
    """For each feature map its largest activations so far, the largest first; of equal ones the lower number first.

    ``values`` (channels, top), -inf where there are fewer images; ``numbers`` (channels, top) of the images, -1
    there; ``places`` (channels, top) of the activation on its map, counted row by row; ``widths`` (channels, top) of
    the maps; ``done`` images; ``last``, the largest number among them.
    """

    values: Tensor
    numbers: Tensor
    places: Tensor
    widths: Tensor
    done: int = 0
    last: int = -1

    @classmethod
    def none(cls, channels: int, top: int) -> "TopActivations":
        """Return the result of no image."""
        empty = torch.full((channels, top), -1)
        return cls(torch.full((channels, top), -torch.inf), empty, empty.clone(), empty.clone())

    def after(self, maps: Tensor, numbers: Tensor) -> "TopActivations":
        """Return the result with images of ``numbers`` (N,) and maps (N, channels, h, w) included."""
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
        """Return a map's best as image number, position (y, x), activation; the largest first."""
        found = zip(*(t[channel].tolist() for t in (self.numbers, self.places, self.widths, self.values)), strict=True)
        return [(number, divmod(place, width), value) for number, place, width, value in found if number >= 0]


def top_activations(
    network: Network,
    images: Iterable[tuple[int, Tensor]],
    *,
    layer: str,
    top: int,
    known: TopActivations | None = None,
    total: int = 0,
    on_batch: Callable[[TopActivations], None] | None = None,
    on_failure: Callable[[int, MethodError], None] | None = None,
    control: Control = Control(),
) -> TopActivations | None:
    """Find the ``top`` largest activations of each map of a layer over images, given as (number, (1, 3, h, w)).

    Numbers decide which is first among equals, so that the order of the images does not matter. The network is run
    only as far as the layer. ``known`` is the result of a stopped run, to continue from. ``control`` gets (done,
    ``total``) and is asked to stop after each batch; ``on_batch`` gets the result so far, ``on_failure`` an image
    that the network cannot take (without it, that ends the search). None where there was no image. Raises
    InvalidRequest for an unknown layer or one without maps.
    """
    found = known
    with torch.inference_mode(), capture(network, layer, stop_early=True) as captured:
        run = partial(_layer_maps, captured, network, layer)
        outputs = (one for numbers, inputs in _batches(images) for one in _maps(run, numbers, inputs, on_failure))
        for numbers, maps in outputs:
            require_finite(network.name, maps, what="activations")
            found = (found or TopActivations.none(maps.shape[1], top)).after(maps, torch.tensor(numbers))
            control.report(found.done, total)
            if on_batch:
                on_batch(found)
            if control.stopped():
                break
    return found


def _maps(
    run: Callable[[Tensor], Tensor], numbers: list[int], inputs: Tensor,
    on_failure: Callable[[int, MethodError], None] | None,
) -> Iterator[tuple[list[int], Tensor]]:  # fmt: skip
    """Yield the layer's maps for a batch; where the network cannot take it, for its images one by one."""
    full = torch.cat([inputs, inputs[-1:].expand(BATCH - len(inputs), -1, -1, -1)])  # batches of one size
    try:
        maps = run(full)[: len(inputs)].cpu()
    except MethodError as error:
        if on_failure is None:
            raise
        if len(numbers) == 1:
            on_failure(numbers[0], error)
            return
        for row, number in enumerate(numbers):
            yield from _maps(run, [number], inputs[row : row + 1], on_failure)
    else:
        yield numbers, maps


def _batches(images: Iterable[tuple[int, Tensor]]) -> Iterator[tuple[list[int], Tensor]]:
    """Yield images of one size together, up to a batch."""
    for _, group in groupby(images, key=lambda image: image[1].shape):
        while batch := list(islice(group, BATCH)):
            yield [number for number, _ in batch], torch.cat([inputs for _, inputs in batch])


def _layer_maps(captured: Capture, network: Network, layer: str, inputs: Tensor) -> Tensor:
    """Run a network up to a layer's last use and return its output, (N, channels, h, w)."""
    captured.run(network.outputs, inputs)
    outputs = captured.tensors.get(layer)
    if outputs is None:
        raise InvalidRequest(f"layer {layer} does not contribute to the logits")
    if not outputs or outputs[-1].dim() not in (2, 4):
        raise InvalidRequest(f"layer {layer} gives no feature maps (channels, rows, columns)")
    out = outputs[-1]
    return out.reshape(*out.shape, *(1,) * (4 - out.dim()))
