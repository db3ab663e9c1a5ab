"""Which engine is used and why; logits collected in pieces: stopped and resumed, with little memory, side by side."""

import time
from itertools import accumulate, chain

import pytest
import torch
import torchvision
from torch import Tensor, nn

from cnnviz.attribution.occlusion_engines import IncrementalEngine, OccludedLogits, occluded_logits
from cnnviz.attribution.windows import WindowGrid
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from tests.support.occlusion import Plain, ask, plain, wrap


@pytest.fixture(autouse=True)
def _inference():
    """As occlusion runs it: what is made on a GPU, or converted, is made in inference mode."""
    with torch.inference_mode():
        yield


def test_windows_alone_are_evaluated_incrementally():
    engine, _ = ask("auto", plain((224, 288)), (224, 288), 32, 16)
    assert engine.name == "incremental"


def test_a_gate_over_whole_maps_is_named():
    torch.manual_seed(0)
    module = torchvision.models.mobilenet_v3_small(weights=None)
    engine, _ = ask("auto", module, (224, 224), 64, 32)
    assert engine.name == "plain"
    assert "mul in features.1.block.1 " in engine.reason


def test_what_a_corner_rules_out_is_not_planned(monkeypatch):
    monkeypatch.setattr(WindowGrid, "batches", None)  # whoever plans fails
    torch.manual_seed(0)
    module = wrap(torchvision.models.efficientnet_b0(weights=None)).folded.module
    engine, _ = ask("auto", module, (224, 224), 32, 16)
    assert engine.reason.startswith("little would be saved")


def test_as_asked():
    engine, _ = ask("plain", plain())
    assert (engine.name, engine.reason) == ("plain", "as asked")
    engine, _ = ask("incremental", torchvision.models.mobilenet_v3_small(weights=None), (96, 96), 32, 32)
    assert engine.name == "incremental"


class Wrapped(nn.Module):
    """The plain network, and what a test does with its maps or answers."""

    def __init__(self, change) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.change, self.calls = Plain(), change, 0
        self.unused = nn.Conv2d(3, 3, 1)
        self.pair = nn.MaxPool2d(2, return_indices=True)

    def forward(self, x):
        self.calls += 1
        return self.change(self, x)


def view_in_place(net, x):
    y = net.inner[0](x)
    y[:, :2].relu_()
    for part in list(net.inner)[1:]:
        y = part(y)
    return y


def decision(net, x):
    return net.inner(x if bool(x[:, 0].mean() > -100) else -x)


UNRECORDABLE = {
    "a view changed in place": view_in_place,
    "a decision": decision,
    "numpy": lambda net, x: net.inner(torch.from_numpy(x.numpy().copy())),
}
DISAGREEING = {
    "by the batch's size": lambda net, x: net.inner(x) + 0.1 * (len(x) == 1),
    "by the count of calls": lambda net, x: net.inner(x) + 0.1 * net.calls,
    "by chance": lambda net, x: net.inner(x) * torch.rand(()),
    "by what else is in the batch": lambda net, x: net.inner(x) - net.inner(x).mean(0),
}


@pytest.mark.parametrize("change", UNRECORDABLE)
def test_what_cannot_be_recorded_is_done_in_whole_passes(change):
    module = Wrapped(UNRECORDABLE[change])
    engine, grid = ask("auto", module)
    assert engine.name == "plain"
    assert "cannot be evaluated incrementally: " in engine.reason
    answers = OccludedLogits.none(len(grid.positions), 5)
    occluded_logits(engine, grid, answers)
    assert answers.done.all()
    with pytest.raises(MethodError, match=r"^mine: the network cannot be evaluated incrementally: .+") as told:
        ask("incremental", module)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("change", DISAGREEING)
def test_answers_that_disagree_are_those_of_whole_passes(change):
    engine, _ = ask("auto", Wrapped(DISAGREEING[change]))
    assert engine.name == "plain"
    assert "incrementally: " in engine.reason
    with pytest.raises(MethodError):
        ask("incremental", Wrapped(DISAGREEING[change]))


@pytest.mark.parametrize("name", ["convnext_tiny", "vit_b_16"])
def test_what_puts_the_batch_elsewhere_is_right_or_refused(name):
    torch.manual_seed(0)
    network = wrap(torchvision.models.get_model(name, weights=None), (224, 224))
    assert ask("auto", network, (224, 224), 64, 80)[0].name in ("incremental", "plain")
    try:
        engine, grid = ask("incremental", network, (224, 224), 64, 80)
    except MethodError:
        return
    whole, _ = ask("plain", network, (224, 224), 64, 80)
    some = grid.boxes[:3]
    torch.testing.assert_close(engine(some)[0], whole(some)[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", ["auto", "incremental", "plain"])
def test_layers_without_maps_and_unknown_ones_are_refused(kind):
    for change in (lambda net, x: net.inner(x), lambda net, x: net.inner(net.pair(x)[0])):
        for layer in ("unused", "pair", "inner.7", "nowhere"):
            with pytest.raises(InvalidRequest, match=f"layer '?{layer}"):
                ask(kind, Wrapped(change), layer=layer)


@pytest.mark.parametrize("layer", ["0", "1", "2", "4", "5"])
def test_the_strongest_map_is_the_same_for_both_engines(layer):
    found = []
    for kind in ("plain", "incremental"):
        engine, grid = ask(kind, plain(), layer=layer)
        answers = OccludedLogits.none(len(grid.positions), 5)
        occluded_logits(engine, grid, answers)
        found.append((*engine.strongest, answers))
    (channel, shown, whole), (other, also, ours) = found
    assert channel == other
    torch.testing.assert_close(also, shown, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.totals, whole.totals, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(ours.logits, whole.logits, rtol=1e-4, atol=1e-5)


def test_weights_that_are_no_numbers_are_told():
    network = plain()
    network.module[0].weight[0, 0, 0, 0] = torch.nan
    for kind in ("auto", "incremental", "plain"):
        engine, grid = ask(kind, network)
        with pytest.raises(MethodError, match="finite"):
            occluded_logits(engine, grid, OccludedLogits.none(len(grid.positions), 5))


def test_memory_that_runs_out_while_recording_leaves_whole_passes(monkeypatch):
    def short(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")

    monkeypatch.setattr("cnnviz.graph.incremental.Incremental.__call__", short)
    engine, _ = ask("auto", plain())
    assert engine.name == "plain"
    assert "memory" in engine.reason


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
