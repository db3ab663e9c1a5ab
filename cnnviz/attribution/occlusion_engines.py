"""A network's answers with parts of its input covered, one part after the other: which engine, in which order."""

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal, Protocol

import torch
from torch import Tensor

from cnnviz.attribution.windows import WindowGrid, parts
from cnnviz.errors import MethodError
from cnnviz.graph.incremental import Incremental
from cnnviz.graph.region import Box
from cnnviz.graph.tape import UntraceableError
from cnnviz.models.hooks import capture, feature_maps
from cnnviz.models.network import Network, memory_errors, release_memory

Kind = Literal["auto", "incremental", "plain"]

# Pixels at a time. On a processor few are fastest (benchmarks/forward.py); a GPU wants many. The incremental engine
# computes small parts of them, so it takes more.
CPU_PIXELS, GPU_PIXELS = 4 * 224 * 224, 256 * 224 * 224
CPU_PIXELS_INCREMENTAL = 48 * 224 * 224
GAIN = 0.85  # the incremental engine is taken where its work is at most this part of whole passes
SIDE_BY_SIDE = 2  # batches of the incremental engine on a processor: its small operators keep one thread busy, not two
AGREES = {torch.float64: 1e-9, torch.float32: 1e-4}  # of the largest logit; half types round more


@dataclass(frozen=True)
class OccludedLogits:
    """Logits (positions, classes) and, of a layer, sums ``totals`` (positions,); NaN where not done."""

    logits: Tensor
    totals: Tensor

    @classmethod
    def none(cls, positions: int, classes: int) -> "OccludedLogits":
        """Return a place for answers, none of them there yet."""
        return cls(
            torch.full((positions, classes), torch.nan), torch.full((positions,), torch.nan, dtype=torch.float64)
        )

    @property
    def done(self) -> Tensor:
        """Which positions have been answered, (positions,) bool: their logits are finite, so one tells."""
        return ~self.logits[:, 0].isnan()


Asked = Callable[[], tuple[Tensor, Tensor | None]]


class Engine(Protocol):
    """Answers for covered boxes."""

    name: str
    reason: str
    strongest: tuple[int, Tensor] | None
    side_by_side: int  # batches that may be computed at once, each by a thread of its own

    @property
    def zones(self) -> list[list[int]]:
        """All positions, a batch each, in the order they are to be done."""

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Tensor | None]:
        """Return logits (boxes, classes), and the sums (boxes,) over the strongest feature map of the layer."""


class FullPassEngine:
    """A full forward pass for each position."""

    name = "plain"
    side_by_side = 1  # a module may keep something from one operator to the next

    def __init__(
        self, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None, reason: str
    ) -> None:
        self.network, self.x, self.cover, self.layer, self.reason = network, x, cover, layer, reason
        self.zones = parts([index for level in grid.levels() for index in level], batch_size(x))
        self.strongest: tuple[int, Tensor] | None = None
        if layer:
            with capture(network, layer) as seen:
                network(x)
            self.strongest = _strongest(seen, layer)

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Tensor | None]:
        """Cover, and ask the network."""
        covered = self.x.repeat(len(boxes), 1, 1, 1)
        for row, (top, left, bottom, right) in zip(covered, boxes, strict=True):
            row[:, top:bottom, left:right] = self.cover[0, :, top:bottom, left:right]
        if self.layer is None or self.strongest is None:
            return self.network(covered), None
        with capture(self.network, self.layer, self.strongest[0]) as seen:
            logits = self.network(covered)
        return logits, seen[-1].double().sum((-2, -1))


def _strongest(seen: list[Tensor], layer: str) -> tuple[int, Tensor]:
    """Return the channel whose sum is largest, and its map (h, w)."""
    maps = feature_maps(seen, layer)
    channel = int(maps.double().sum((-2, -1)).argmax())
    return channel, maps[channel].float().cpu().clone()


class IncrementalEngine:
    """The incremental engine: what a window changes is computed alone."""

    name = "incremental"
    reason = "only what a window changes is computed"

    def __init__(self, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None) -> None:
        self.cover, self.grid = cover, grid
        self.evaluate = Incremental(network, x, network.module, layer)
        self.limit = batch_size(x, incremental=True)
        self.side_by_side = min(SIDE_BY_SIDE, torch.get_num_threads()) if x.device.type == "cpu" else 1
        self.strongest: tuple[int, Tensor] | None = None
        if layer:
            watched = self.evaluate.watched
            self.strongest = _strongest([self.evaluate.clean(watched)] if watched else [], layer)

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Tensor | None]:
        """Answer for the boxes as one batch."""
        return self.evaluate(self.cover, boxes, self.strongest[0] if self.strongest else 0)

    @cached_property
    def zones(self) -> list[list[int]]:
        """All positions, a batch each; planned once the cheapest place has not ruled this engine out."""
        return self.grid.zones(self.limit, self.evaluate.costs)

    @property
    def share(self) -> float:
        """The work this takes as a part of whole passes, from some of the batches."""
        some = self.zones[:: max(1, len(self.zones) // 8)]
        costs = [len(zone) * self.evaluate.cost([self.grid.boxes[i] for i in zone]) for zone in some]
        return sum(costs) / sum(map(len, some))


def choose_engine(
    kind: Kind, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None = None
) -> Engine:
    """Return what is to compute the answers; its reason says why.

    The incremental engine is checked, on the first and the middle position, against whole passes.
    """
    if layer is not None:
        network.layer(layer)  # told at once where there is none
    if kind == "plain":
        return FullPassEngine(network, x, cover, grid, layer, "as asked")
    try:
        with memory_errors():
            made = IncrementalEngine(network, x, cover, grid, layer)
            reason = "" if kind == "incremental" else _no_gain(made, grid)
            if not reason and not _agrees(made, FullPassEngine(network, x, cover, grid, None, ""), network):
                raise UntraceableError("its answers differ from those of whole passes")
    except (UntraceableError, RuntimeError, MemoryError) as error:
        first = "memory ran short" if isinstance(error, MemoryError) else (str(error).splitlines() or [""])[0]
        reason = f"the network cannot be evaluated incrementally: {first}"
        if kind == "incremental":
            raise MethodError(f"{network.name}: {reason}") from error
    return FullPassEngine(network, x, cover, grid, layer, reason) if reason else made


def _no_gain(made: IncrementalEngine, grid: WindowGrid) -> str:
    least = made.evaluate.cost([grid.boxes[0]])  # in a corner a window changes least; asked before all is planned
    if least <= GAIN and made.share <= GAIN:
        return ""
    obstacle = made.evaluate.obstacle([grid.boxes[len(grid.boxes) // 2]])
    return "little would be saved" + (f": {obstacle} changes whole maps" if obstacle else "")


def _agrees(made: IncrementalEngine, plain: FullPassEngine, network: Network) -> bool:
    some = [made.grid.boxes[0], made.grid.boxes[len(made.grid.boxes) // 2]]
    ours, whole = made(some)[0], plain(some)[0]
    # what is not finite is told by whoever asked, in words that fit
    error, scale = (t[whole.isfinite()].abs() for t in (ours - whole, whole))
    return not len(scale) or bool((error <= AGREES.get(network.dtype, 0.05) * scale.max()).all())


def batch_size(x: Tensor, *, incremental: bool = False) -> int:
    """Return how many positions to do at a time: by input size and device alone, so that results repeat."""
    on_cpu = CPU_PIXELS_INCREMENTAL if incremental else CPU_PIXELS
    pixels = on_cpu if x.device.type == "cpu" else GPU_PIXELS
    return max(1, pixels // (x.shape[-2] * x.shape[-1]))


def occluded_logits(
    engine: Engine,
    grid: WindowGrid,
    answers: OccludedLogits,
    *,
    stop: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> int:
    """Fill in the answers that are missing, batch by batch, until all are there or ``stop``, asked after each, says so.

    Where memory runs short batches are done one at a time, then halved, and so are all after them. Returns the largest
    batch done.
    """
    limit, largest, waiting = max(map(len, engine.zones)), 0, engine.zones[::-1]
    width, running, short = engine.side_by_side, deque[tuple[list[int], Asked]](), False
    with _asking(engine, grid) as ask:
        while waiting or running:
            if waiting and len(running) < width:
                zone = waiting.pop()
                if len(zone) > limit:
                    waiting += parts(zone, limit)[::-1]
                elif not answers.done[zone].all():
                    running.append((zone, ask(zone)))
                continue
            zone, asked = running.popleft()
            try:
                logits, totals = asked()
            except MemoryError:
                if len(zone) == width == 1:
                    raise
                width, limit = 1, limit if width > 1 else len(zone) // 2
                waiting.append(zone)
            else:
                if not torch.isfinite(logits).all():
                    raise MethodError("the network gave logits that are not finite numbers: are these its weights?")
                answers.logits[zone] = logits.to(answers.logits)
                if totals is not None:
                    answers.totals[zone] = totals.cpu()
                largest = max(largest, len(zone))
                if progress:
                    progress(int(answers.done.sum()), len(grid.positions))
                if stop and stop():
                    break
                continue
            del asked
            _let_go()
            if note and not short:
                note("memory ran short: fewer positions at a time from here on")
            short = True
    return largest


def _let_go() -> None:
    """Give the memory of a pass that failed back to the system."""
    gc.collect()  # its tensors hang on in the frames of its error
    release_memory()


@contextmanager
def _asking(engine: Engine, grid: WindowGrid) -> Iterator[Callable[[list[int]], Asked]]:
    """Yield what has a batch begun; what that gives returns the answers, in whatever order batches come to an end.

    Side by side, torch's threads are shared among the batches: the bytes depend on their number, never on who is first.
    """

    def answer(zone: list[int]) -> tuple[Tensor, Tensor | None]:
        with torch.inference_mode(), memory_errors():  # the mode is each thread's own
            return engine([grid.boxes[index] for index in zone])

    if engine.side_by_side == 1:
        yield lambda zone: partial(answer, zone)
        return
    threads = torch.get_num_threads()
    each = threads // engine.side_by_side
    pool = ThreadPoolExecutor(engine.side_by_side, initializer=torch.set_num_threads, initargs=(each,))
    try:
        yield lambda zone: pool.submit(answer, zone).result
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # a thread's number becomes that of all new ones
