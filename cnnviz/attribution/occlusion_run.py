"""Running an occlusion engine over all positions: batches side by side, memory that runs short, an early stop."""

import gc
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from cnnviz.attribution.occlusion_engines import Engine
from cnnviz.attribution.windows import WindowGrid, chunks
from cnnviz.control import Control
from cnnviz.models.memory import memory_errors, release_memory
from cnnviz.models.network import require_finite

BatchResult = Callable[[], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True)
class OccludedLogits:
    """Logits (positions, classes) and, of a layer, sums ``totals`` (positions,); NaN where not computed."""

    logits: Tensor
    totals: Tensor

    @classmethod
    def none(cls, positions: int, classes: int) -> "OccludedLogits":
        """Return logits of which none is computed yet."""
        return cls(
            torch.full((positions, classes), torch.nan), torch.full((positions,), torch.nan, dtype=torch.float64)
        )

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

    def compute(batch: list[int]) -> tuple[Tensor, Tensor | None]:
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
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)  # a thread's number becomes that of all new ones
