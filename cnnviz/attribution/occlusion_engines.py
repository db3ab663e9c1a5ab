"""The two engines that compute the logits of covered inputs, and the choice between them."""

from functools import cached_property
from typing import Literal, Protocol

import torch
from torch import Tensor

from cnnviz.attribution.windows import WindowGrid, chunks
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.incremental import Incremental
from cnnviz.graph.region import Box
from cnnviz.graph.tape import UntraceableError
from cnnviz.models.hooks import capture, feature_maps
from cnnviz.models.memory import batch_size, memory_errors
from cnnviz.models.network import Network

EngineName = Literal["auto", "incremental", "plain"]

# Pixels of one batch. On a CPU few are fastest (benchmarks/forward.py); a GPU needs many. The incremental engine
# computes small parts of them, so it takes more.
CPU_PIXELS, GPU_PIXELS = 4 * 224 * 224, 256 * 224 * 224
CPU_PIXELS_INCREMENTAL = 48 * 224 * 224
GAIN = 0.85  # the incremental engine is used where its work is at most this share of full passes
SIDE_BY_SIDE = 2  # batches of the incremental engine on a CPU: its small operators keep one thread busy, not two
AGREES = {torch.float64: 1e-9, torch.float32: 1e-4}  # of the largest logit; half types round more


class Engine(Protocol):
    """Computes logits for covered boxes."""

    name: str
    reason: str
    strongest: tuple[int, Tensor] | None
    side_by_side: int  # batches that may be computed at once, each by a thread of its own

    @property
    def batches(self) -> list[list[int]]:
        """All positions in batches, in the order of computation."""

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Tensor | None]:
        """Return logits (boxes, classes), and the sums (boxes,) over the strongest feature map of the layer."""


class FullPassEngine:
    """A full forward pass for each position."""

    name = "plain"
    side_by_side = 1  # a module may keep state from one operator to the next

    def __init__(
        self, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None, reason: str
    ) -> None:
        self.network, self.x, self.cover, self.layer, self.reason = network, x, cover, layer, reason
        self.batches = chunks(
            [index for level in grid.levels() for index in level], batch_size(x, CPU_PIXELS, GPU_PIXELS)
        )
        self.strongest: tuple[int, Tensor] | None = None
        if layer:
            with capture(network, layer) as captured:
                network(x)
            self.strongest = _strongest(captured.tensors.get(layer, []), layer)

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Tensor | None]:
        """Cover each box and run the network."""
        covered = self.x.repeat(len(boxes), 1, 1, 1)
        for row, (top, left, bottom, right) in zip(covered, boxes, strict=True):
            row[:, top:bottom, left:right] = self.cover[0, :, top:bottom, left:right]
        if self.layer is None or self.strongest is None:
            return self.network(covered), None
        with capture(self.network, self.layer, channel=self.strongest[0]) as captured:
            logits = self.network(covered)
        return logits, captured.tensors[self.layer][-1].double().sum((-2, -1))


def _strongest(outputs: list[Tensor], layer: str) -> tuple[int, Tensor]:
    """Return the channel whose sum is largest, and its map (h, w)."""
    maps = feature_maps(outputs, layer)
    channel = int(maps.double().sum((-2, -1)).argmax())
    return channel, maps[channel].float().cpu().clone()


class IncrementalEngine:
    """The incremental engine: only what a window changes is computed."""

    name = "incremental"
    reason = "only what a window changes is computed"

    def __init__(self, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None) -> None:
        self.cover, self.grid = cover, grid
        self.evaluate = Incremental(network, x, network.module, layer)
        self.limit = batch_size(x, CPU_PIXELS_INCREMENTAL, GPU_PIXELS)
        self.side_by_side = min(SIDE_BY_SIDE, torch.get_num_threads()) if x.device.type == "cpu" else 1
        self.strongest: tuple[int, Tensor] | None = None
        if layer:
            watched = self.evaluate.watched
            self.strongest = _strongest([self.evaluate.clean(watched)] if watched else [], layer)

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Tensor | None]:
        """Compute the boxes as one batch."""
        return self.evaluate(self.cover, boxes, self.strongest[0] if self.strongest else 0)

    @cached_property
    def batches(self) -> list[list[int]]:
        """All positions in batches; planned only if the cheapest position does not rule this engine out."""
        return self.grid.batches(self.limit, self.evaluate.costs)

    @property
    def share(self) -> float:
        """The work relative to full passes, estimated from some of the batches."""
        some = self.batches[:: max(1, len(self.batches) // 8)]
        costs = [len(batch) * self.evaluate.cost([self.grid.boxes[i] for i in batch]) for batch in some]
        return sum(costs) / sum(map(len, some))


def choose_engine(
    name: EngineName, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None = None
) -> Engine:
    """Return the engine to use; its ``reason`` says why.

    The incremental engine is checked against full passes at the first and the middle position.
    """
    if name not in ("auto", "incremental", "plain"):
        raise InvalidRequest(f"engine {name!r}: take one of auto, incremental, plain")
    if layer is not None:
        network.layer(layer)  # an unknown layer is refused before any work
    if name == "plain":
        return FullPassEngine(network, x, cover, grid, layer, "as asked")
    try:
        with memory_errors():
            engine = IncrementalEngine(network, x, cover, grid, layer)
            reason = "" if name == "incremental" else _no_gain(engine, grid)
            if not reason and not _agrees(engine, FullPassEngine(network, x, cover, grid, None, ""), network):
                raise UntraceableError("its answers differ from those of whole passes")
    except (UntraceableError, RuntimeError, MemoryError) as error:
        first = "memory ran short" if isinstance(error, MemoryError) else (str(error).splitlines() or [""])[0]
        reason = f"the network cannot be evaluated incrementally: {first}"
        if name == "incremental":
            raise MethodError(f"{network.name}: {reason}") from error
    return FullPassEngine(network, x, cover, grid, layer, reason) if reason else engine


def _no_gain(engine: IncrementalEngine, grid: WindowGrid) -> str:
    cheapest = engine.evaluate.cost([grid.boxes[0]])  # in a corner a window changes least; computed before any plan
    if cheapest <= GAIN and engine.share <= GAIN:
        return ""
    obstacle = engine.evaluate.obstacle([grid.boxes[len(grid.boxes) // 2]])
    return "little would be saved" + (f": {obstacle} changes whole maps" if obstacle else "")


def _agrees(engine: IncrementalEngine, plain: FullPassEngine, network: Network) -> bool:
    some = [engine.grid.boxes[0], engine.grid.boxes[len(engine.grid.boxes) // 2]]
    ours, full = engine(some)[0], plain(some)[0]
    # logits that are not finite are refused later, with a message of their own
    error, scale = (t[full.isfinite()].abs() for t in (ours - full, full))
    return not len(scale) or bool((error <= AGREES.get(network.dtype, 0.05) * scale.max()).all())
