"""Logits of covered inputs: the two engines that compute them, the choice of one, and its run over all positions."""

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Literal

import torch
from torch import Tensor

from cnnviz.attribution.windows import WindowGrid, chunks
from cnnviz.control import Control
from cnnviz.errors import MethodError
from cnnviz.graph.incremental import Incremental
from cnnviz.graph.region import Box
from cnnviz.graph.tape import UntraceableError
from cnnviz.models.features import capture, feature_maps
from cnnviz.models.memory import batch_size, memory_errors, release_memory
from cnnviz.models.network import Network, require_finite

EngineName = Literal["auto", "incremental", "plain"]
Sums = Tensor | None  # (boxes,) over the strongest feature map of a layer, if one was named
BatchResult = Callable[[], tuple[Tensor, Sums]]

# Pixels of one batch. On a CPU few are fastest (benchmarks/forward.py); a GPU needs many. The incremental engine
# computes small parts of them, so it takes more.
CPU_PIXELS, GPU_PIXELS = 4 * 224 * 224, 256 * 224 * 224
CPU_PIXELS_INCREMENTAL = 48 * 224 * 224
GAIN = 0.85  # the incremental engine is used where its work is at most this share of full passes
SIDE_BY_SIDE = 2  # batches of the incremental engine on a CPU: its small operators keep one thread busy, not two
AGREES = {torch.float64: 1e-9, torch.float32: 1e-4}  # of the largest logit; half types round more


class FullPassEngine:
    """A full forward pass for each position; ``batches`` are all positions in the order of computation."""

    name = "plain"
    side_by_side = 1  # batches at once, each by a thread: a module may keep state from one operator to the next

    def __init__(
        self, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None, reason: str
    ) -> None:
        self.network, self.x, self.cover, self.layer, self.reason = network, x, cover, layer, reason
        self.batches = chunks(list(chain(*grid.levels())), batch_size(x, CPU_PIXELS, GPU_PIXELS))
        self.strongest: tuple[int, Tensor] | None = None
        if layer:
            with capture(network, layer) as captured:
                network(x)
            self.strongest = _strongest(captured.tensors.get(layer, []), layer)

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Sums]:
        """Return logits (boxes, classes), and the sums, with each box covered in turn."""
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
    """Only what a window changes is computed."""

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
            self.strongest = _strongest([self.evaluate.maps.clean(watched)] if watched else [], layer)

    def __call__(self, boxes: list[Box]) -> tuple[Tensor, Sums]:
        """Return logits (boxes, classes), and the sums, with each box covered in turn."""
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


Engine = FullPassEngine | IncrementalEngine


def choose_engine(
    name: EngineName, network: Network, x: Tensor, cover: Tensor, grid: WindowGrid, layer: str | None = None
) -> Engine:
    """Return the engine to use; its ``reason`` says why.

    The incremental engine is checked against full passes at the first and the middle position.
    """
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
    """Return why full passes are about as fast; "" where they are slower."""
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


@dataclass(frozen=True)
class OccludedLogits:
    """Logits (positions, classes) and, of a layer, sums ``totals`` (positions,); NaN where not computed."""

    logits: Tensor
    totals: Tensor

    @classmethod
    def none(cls, positions: int, classes: int) -> "OccludedLogits":
        """Return logits of which none is computed yet."""
        logits = torch.full((positions, classes), torch.nan)
        return cls(logits, torch.full((positions,), torch.nan, dtype=torch.float64))

    @property
    def done(self) -> Tensor:
        """Which positions are computed, (positions,) bool: computed logits are finite, so one class suffices."""
        return ~self.logits[:, 0].isnan()

    def store(self, positions: list[int], logits: Tensor, totals: Tensor | None) -> None:
        """Fill in the results of some positions. Raises MethodError where logits are not finite."""
        require_finite("the network", logits)
        self.logits[positions] = logits.to(self.logits)
        if totals is not None:
            self.totals[positions] = totals.cpu()


class _Queue:
    """Batches that wait and those that run, at most ``width`` at once and of at most ``limit`` positions."""

    def __init__(self, engine: Engine, answers: OccludedLogits, submit: Callable[[list[int]], BatchResult]) -> None:
        self.answers, self.submit = answers, submit
        self.waiting = engine.batches[::-1]
        self.limit, self.width = max(map(len, engine.batches)), engine.side_by_side
        self.running = deque[tuple[list[int], BatchResult]]()

    def next(self) -> tuple[list[int], BatchResult] | None:
        """Start what may run, and return the batch that was started first; None when all are done."""
        while self.waiting and len(self.running) < self.width:
            batch = self.waiting.pop()
            if len(batch) > self.limit:
                self.waiting += chunks(batch, self.limit)[::-1]
            elif not self.answers.done[batch].all():
                self.running.append((batch, self.submit(batch)))
        return self.running.popleft() if self.running else None

    def retry_smaller(self, batch: list[int]) -> bool:
        """Put a batch back whose memory ran short: one at a time from now on, then half as many positions."""
        if len(batch) == self.width == 1:
            return False
        self.width, self.limit = 1, self.limit if self.width > 1 else len(batch) // 2
        self.waiting.append(batch)
        return True


def occluded_logits(engine: Engine, grid: WindowGrid, answers: OccludedLogits, control: Control = Control()) -> int:
    """Compute the missing answers, batch by batch, until all are there or ``control`` asks to stop.

    Where memory runs short, batches run one at a time, then halved, and so do all after them. Returns the size of the
    largest batch.
    """
    largest, short = 0, False
    with _submitting(engine, grid) as submit:
        queue = _Queue(engine, answers, submit)
        while job := queue.next():
            batch, result = job
            try:
                logits, totals = result()
            except MemoryError:
                if not queue.retry_smaller(batch):
                    raise
            else:
                answers.store(batch, logits, totals)
                largest = max(largest, len(batch))
                control.report(int(answers.done.sum()), len(grid.positions))
                if control.stopped():
                    break
                continue
            del job, result
            gc.collect()  # tensors of the failed pass live in the frames of its error
            release_memory()
            if not short:
                control.note("memory ran short: fewer positions at a time from here on")
            short = True
    return largest


@contextmanager
def _submitting(engine: Engine, grid: WindowGrid) -> Iterator[Callable[[list[int]], BatchResult]]:
    """Yield a function that starts a batch and returns a function that waits for its result.

    Side by side, torch's threads are shared among the batches: bytes depend on their number, never on the order in
    which batches end.
    """

    def compute(batch: list[int]) -> tuple[Tensor, Sums]:
        with torch.inference_mode(), memory_errors():  # the mode is each thread's own
            return engine([grid.boxes[index] for index in batch])

    if engine.side_by_side == 1:
        yield lambda batch: partial(compute, batch)
        return
    threads = torch.get_num_threads()
    each = threads // engine.side_by_side
    pool = ThreadPoolExecutor(engine.side_by_side, initializer=torch.set_num_threads, initargs=(each,))
    try:
        yield lambda batch: pool.submit(compute, batch).result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # once stopped, nobody needs the batches that still run
        torch.set_num_threads(threads)  # a thread's number becomes that of all new ones
