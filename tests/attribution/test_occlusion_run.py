"""Occluded logits collected in pieces: stopped and resumed, with little memory, side by side."""

import time
from itertools import accumulate, chain

import pytest
import torch
from torch import Tensor

from cnnviz.attribution.occlusion_engines import IncrementalEngine
from cnnviz.attribution.occlusion_run import OccludedLogits, occluded_logits
from cnnviz.control import Control
from tests.support.occlusion import ask, plain


@pytest.fixture(autouse=True)
def _inference():
    """As occlusion runs it: what is made on a GPU, or converted, is made in inference mode."""
    with torch.inference_mode():
        yield


def control(reports: list[tuple[int, int]], **others) -> Control:
    """Return a control that collects progress."""
    return Control(report=lambda done, total, text="": reports.append((done, total)), **others)


@pytest.mark.parametrize("kind", ["incremental", "plain"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(kind):
    engine, grid = ask(kind, plain(), layer="2")
    engine.batches = [batch[start : start + 7] for batch in engine.batches for start in range(0, len(batch), 7)]
    free = OccludedLogits.none(len(grid.positions), 5)
    occluded_logits(engine, grid, free)
    assert free.done.all()
    answers = OccludedLogits.none(len(grid.positions), 5)
    for _ in range(4):  # each time an engine of its own, as in another process
        engine, _ = ask(kind, plain(), layer="2")
        engine.batches = [batch[start : start + 7] for batch in engine.batches for start in range(0, len(batch), 7)]
        left = [batch for batch in engine.batches if not answers.done[batch].all()]
        asked, told = answers.done.clone(), []
        occluded_logits(engine, grid, answers, control(told, stopped=lambda told=told: len(told) == 3))
        asked[list(chain(*left[:3]))] = True
        assert torch.equal(answers.done, asked)
        assert answers.logits[~asked].isnan().all()
        assert answers.totals[~asked].isnan().all()
    occluded_logits(engine, grid, answers)
    assert torch.equal(answers.logits, free.logits)
    assert torch.equal(answers.totals, free.totals)


class Cramped:
    """An engine whose memory holds so many positions."""

    name, reason, strongest = "cramped", "", None

    def __init__(self, engine, room: int) -> None:
        self.engine, self.room, self.batches, self.sizes = engine, room, engine.batches, []
        self.side_by_side = engine.side_by_side

    def __call__(self, boxes) -> tuple[Tensor, Tensor | None]:
        if len(boxes) > self.room:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")
        self.sizes.append(len(boxes))
        return self.engine(boxes)


@pytest.mark.parametrize("kind", ["incremental", "plain"])
def test_memory_errors_halve_batches(kind):
    engine, grid = ask(kind, plain())
    engine.batches = [list(chain(*engine.batches))]
    free, short = (OccludedLogits.none(len(grid.positions), 5) for _ in range(2))
    assert occluded_logits(engine, grid, free) == len(grid.positions)
    cramped, notes, told = Cramped(engine, 7), [], []
    largest = occluded_logits(cramped, grid, short, control(told, note=notes.append))
    assert len(notes) == 1
    assert largest == max(cramped.sizes)
    assert 3 < largest <= 7
    assert sum(cramped.sizes) == len(grid.positions)
    assert told[-1] == (len(grid.positions), len(grid.positions))
    torch.testing.assert_close(short.logits, free.logits, rtol=1e-4, atol=1e-5)
    with pytest.raises(MemoryError):
        occluded_logits(Cramped(engine, 0), grid, OccludedLogits.none(len(grid.positions), 5))


@pytest.fixture
def threads():
    """Torch's number of threads, as it was afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_batches_side_by_side_give_the_same_bytes_in_any_order(threads, monkeypatch):
    found, ends, real = [], [], IncrementalEngine.__call__

    def slow(self, boxes):
        if self.side_by_side > 1 and boxes[0] == self.grid.boxes[self.batches[0][0]]:
            time.sleep(0.3)  # the first ends after others
        out = real(self, boxes)
        ends.append(boxes)
        return out

    monkeypatch.setattr(IncrementalEngine, "__call__", slow)
    for count in (1, 2, 2):
        threads(count)
        engine, grid = ask("incremental", plain(), layer="2")
        engine.batches = [batch[start : start + 9] for batch in engine.batches for start in range(0, len(batch), 9)]
        assert engine.side_by_side == count
        answers, told = OccludedLogits.none(len(grid.positions), 5), []
        ends.clear()
        occluded_logits(engine, grid, answers, control(told))
        assert torch.get_num_threads() == count
        assert [done for done, _ in told] == list(accumulate(map(len, engine.batches)))
        in_turn = [[grid.boxes[i] for i in batch] for batch in engine.batches]
        assert (ends == in_turn) is (count == 1)
        found.append(answers)
    for other in found[1:]:
        assert torch.equal(other.logits, found[0].logits)
        assert torch.equal(other.totals, found[0].totals)


class Alone(Cramped):
    """An engine whose memory holds one batch."""

    inside, together = 0, 0

    def __call__(self, boxes) -> tuple[Tensor, Tensor | None]:
        self.inside += 1
        try:
            time.sleep(0.05)
            if self.inside > 1:
                self.together += 1
                raise RuntimeError("could not create a primitive")
            return super().__call__(boxes)
        finally:
            self.inside -= 1


def test_memory_for_one_batch_is_used_by_one_after_the_other(threads):
    threads(2)
    engine, grid = ask("incremental", plain())
    alone, answers = Alone(engine, len(grid.positions)), OccludedLogits.none(len(grid.positions), 5)
    assert occluded_logits(alone, grid, answers) == max(map(len, engine.batches))
    assert answers.done.all()
    assert 1 <= alone.together <= 2


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_was_done_before_an_end_by_force_is_kept(threads, error):
    threads(2)
    engine, grid = ask("incremental", plain())
    engine.batches = [batch[start : start + 9] for batch in engine.batches for start in range(0, len(batch), 9)]
    answers = OccludedLogits.none(len(grid.positions), 5)

    def end(done: int, _total: int, text: str = "") -> None:
        if done > 20:
            raise error

    with pytest.raises(error):
        occluded_logits(engine, grid, answers, Control(report=end))
    assert answers.done.sum() == next(done for done in accumulate(map(len, engine.batches)) if done > 20)
    assert torch.get_num_threads() == 2


def test_an_error_that_is_no_lack_of_memory_is_not_hidden():
    class Broken(Cramped):
        def __call__(self, boxes):
            raise RuntimeError("something else")

    engine, grid = ask("plain", plain())
    with pytest.raises(RuntimeError, match="something else"):
        occluded_logits(Broken(engine, 1), grid, OccludedLogits.none(len(grid.positions), 5))
