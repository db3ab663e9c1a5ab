"""Occlusion against captum, against closed forms, and against itself."""

import pytest
import torch
from captum.attr import Occlusion
from torch import nn

from cnnviz import load_network
from cnnviz.attribution.fills import occluder
from cnnviz.attribution.occlusion import EngineOptions, occlusion
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network
from tests.support.networks import lite0


def small_network(seed: int = 0, size: tuple[int, int] = (40, 52)) -> Network:
    torch.manual_seed(seed)
    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 5),
    )  # fmt: skip
    module[1].running_mean.normal_()
    module[1].running_var.uniform_(0.5, 2)
    return Network.from_module(module, size, (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), classes=list("abcde"))


def linear_network(size: int) -> Network:
    """Class 0 is the sum of all pixels, class 1 is nothing: every drop is known."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 2, bias=False))
    with torch.no_grad():
        module[1].weight[0].fill_(1.0)
        module[1].weight[1].zero_()
    return Network.from_module(module, (size, size), (0, 0, 0), (1, 1, 1))


@pytest.mark.parametrize(
    ("window", "stride", "score"),
    [(8, 4, "probability"), (16, 8, "logit"), (7, 5, "probability"), (13, 13, "logit"), (40, 9, "probability")],
)
def test_equals_captum(window, stride, score):
    network, x = small_network(), torch.rand(1, 3, 40, 52, generator=torch.Generator().manual_seed(1))

    def forward(inputs):
        logits = network(inputs)
        return logits.softmax(1) if score == "probability" else logits

    oracle = Occlusion(forward).attribute(
        x, sliding_window_shapes=(3, window, window), strides=(3, stride, stride), baselines=0.5, target=2,
        perturbations_per_eval=4,
    )[0, 0]  # fmt: skip
    captums = {"fill": "grey", "border": "inside"}
    ours = occlusion(network, x, window=window, stride=stride, score=score, targets=[2], **captums).maps[0]
    assert ours.shape == oracle.shape
    assert (ours - oracle).abs().max() <= 1e-4 * (oracle.max() - oracle.min())


def test_window_beyond_stride_leaves_gaps_uncovered():
    network, x = small_network(), torch.rand(1, 3, 40, 52)
    result = occlusion(network, x, window=4, stride=10, targets=[0], fill="grey", border="inside")
    covered = torch.zeros(40, 52, dtype=torch.bool)
    for y, left in result.positions.tolist():
        covered[y : y + 4, left : left + 4] = True
    assert torch.equal(~covered, result.maps[0].isnan())
    assert not covered.all()


def test_drop_of_a_sum_is_what_the_window_hides():
    x = torch.rand(1, 3, 12, 12, dtype=torch.float64).float()
    result = occlusion(
        linear_network(12), x, window=4, stride=4, fill="black", border="inside", score="logit", targets=[0]
    )
    blocks = x[0].sum(0).reshape(3, 4, 3, 4).sum((1, 3))
    expected = blocks.repeat_interleave(4, 0).repeat_interleave(4, 1)
    torch.testing.assert_close(result.maps[0], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("fill", "level"), [("grey", 0.5), ("black", 0.0), ("white", 1.0), ("mean", 0.25)])
def test_fills_show_their_colour(fill, level):
    network = linear_network(8)
    network = Network.from_module(network.module, (8, 8), (0.25,) * 3, (1, 1, 1))
    x = torch.full((1, 3, 8, 8), 0.75)
    result = occlusion(network, x, window=4, stride=4, fill=fill, border="inside", score="logit", targets=[0])
    torch.testing.assert_close(result.maps[0], torch.full((8, 8), 48 * (0.75 - level)), rtol=1e-4, atol=1e-4)


def test_blur_keeps_flat_colour_and_noise_follows_the_seed():
    network, flat = linear_network(40), torch.full((1, 3, 40, 40), 0.3)
    still = occlusion(network, flat, window=8, stride=8, fill="blur", score="logit", targets=[0]).maps
    assert still.abs().max() < 0.05  # a sum of 4800 numbers in float32; grey would move it by 38
    runs = [
        occlusion(
            network, flat, window=8, stride=8, fill=occluder(flat, "noise", network, seed), score="logit", targets=[0]
        ).maps
        for seed in (1, 1, 2)
    ]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_default_target_is_the_networks_first_and_several_cost_nothing():
    network, x = small_network(), torch.rand(1, 3, 40, 52)
    alone = occlusion(network, x, window=10, stride=10)
    assert alone.targets == (int(network(x)[0].argmax()),)
    both = occlusion(network, x, window=10, stride=10, targets=[4, *alone.targets])
    assert torch.equal(both.maps[1], alone.maps[0])
    assert both.logits.shape == (len(both.positions), 5)


def test_logits_belong_to_their_positions():
    network, x = small_network(), torch.rand(1, 3, 40, 52)
    result = occlusion(network, x, window=11, stride=7, fill="white", border="inside", targets=[0])
    for index in (0, 5, len(result.positions) - 1):
        y, left = result.positions[index].tolist()
        covered = x.clone()
        covered[:, :, y : y + 11, left : left + 11] = 1
        torch.testing.assert_close(result.logits[index], network(covered)[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(result.clean_logits, network(x)[0])


def test_memory_short_halves_the_batch_and_says_so_once():
    network, x = small_network(), torch.rand(1, 3, 40, 52)
    free = occlusion(network, x, window=10, stride=6, targets=[0])
    inner = network.module.forward

    def cramped(inputs):
        if len(inputs) > 4:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried ...")
        return inner(inputs)

    network.module.forward = cramped
    object.__setattr__(network, "folded", network)
    notes: list[str] = []
    result = occlusion(
        network, x, window=10, stride=6, targets=[0], options=EngineOptions("plain"), control=Control(note=notes.append)
    )
    assert len(notes) == 1
    assert 1 <= result.batch <= 4
    torch.testing.assert_close(result.maps, free.maps, rtol=1e-4, atol=1e-6)


def test_progress_reaches_the_end():
    network, x = small_network(), torch.rand(1, 3, 40, 52)
    seen: list[tuple[int, int]] = []
    control = Control(report=lambda done, total, text="": seen.append((done, total)))
    result = occlusion(network, x, window=10, stride=2, targets=[0], control=control)
    assert seen[-1] == (len(result.positions), len(result.positions))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize(
    "wrong",
    [{"window": 0}, {"stride": 0}, {"fill": "pink"}, {"score": "rank"}, {"border": "none"},
     {"options": EngineOptions("magic")}, {"fill": torch.zeros(1, 3, 4, 4)}, {"window": 41},
     {"targets": [5]}, {"targets": [-1]}],
)  # fmt: skip
def test_wrong_usage_is_refused(wrong):
    with pytest.raises(InvalidRequest):
        occlusion(small_network(), torch.rand(1, 3, 40, 52), **{"window": 32} | wrong)


def test_a_window_larger_than_this_input_is_a_failure_of_this_input():
    with pytest.raises(MethodError, match="larger"):
        occlusion(small_network(), torch.rand(1, 3, 30, 52), window=31)


def test_several_inputs_and_broken_networks_are_refused():
    with pytest.raises(InvalidRequest, match="one input"):
        occlusion(small_network(), torch.rand(2, 3, 40, 52))
    network = linear_network(8)
    network.module[1].weight.data[0, 0] = torch.nan
    with pytest.raises(MethodError, match="finite"):
        occlusion(network, torch.rand(1, 3, 8, 8), window=4, stride=4)


def test_engines_agree_and_say_which_and_why():
    network, x = load_network(), torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(5))
    plain, quick = (
        occlusion(network, x, window=64, stride=32, border="overhang", options=EngineOptions(engine, "blocks.4"))
        for engine in ("plain", "auto")
    )
    assert (plain.engine, quick.engine) == ("plain", "incremental")
    assert "as asked" in plain.engine_reason
    assert (plain.logits - quick.logits).abs().max() <= 1e-5 * plain.logits.abs().max()
    assert plain.activation is not None
    assert quick.activation is not None
    assert plain.activation.channel == quick.activation.channel
    torch.testing.assert_close(plain.activation.totals, quick.activation.totals, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(plain.activation.map, quick.activation.map, rtol=1e-4, atol=1e-5)


def test_what_was_stopped_goes_on_to_the_very_same_answers():
    network, x = small_network(), torch.rand(1, 3, 40, 52)
    whole = occlusion(network, x, window=10, stride=2, targets=[0])
    turns = iter([True])
    partial = occlusion(network, x, window=10, stride=2, targets=[0], control=Control(stopped=lambda: next(turns)))
    assert 0 < int(partial.done.sum()) < len(partial.positions)
    assert torch.equal(partial.logits[partial.done], whole.logits[partial.done])
    again = occlusion(network, x, window=10, stride=2, targets=[0], options=EngineOptions().resuming(partial.kept))
    assert torch.equal(again.logits, whole.logits)
    assert torch.equal(again.maps, whole.maps)
    with pytest.raises(MethodError, match="another grid"):
        occlusion(network, x, window=10, stride=3, targets=[0], options=EngineOptions().resuming(partial.kept))


def test_a_layer_that_is_not_there_or_gives_no_maps_is_refused():
    with pytest.raises(InvalidRequest, match="no layer"):
        occlusion(small_network(), torch.rand(1, 3, 40, 52), window=32, options=EngineOptions(layer="conv9"))
    with pytest.raises(InvalidRequest, match="no feature maps"):
        occlusion(small_network(), torch.rand(1, 3, 40, 52), window=32, options=EngineOptions(layer="7"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_gives_the_processors_map():
    x = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    on_cpu = occlusion(lite0(), x, window=64, stride=32)
    on_gpu = occlusion(load_network(device="cuda"), x, window=64, stride=32, targets=on_cpu.targets)
    spread = on_cpu.maps.max() - on_cpu.maps.min()
    assert (on_cpu.maps - on_gpu.maps).abs().max() <= 1e-3 * spread
    again = occlusion(load_network(device="cuda"), x, window=64, stride=32, targets=on_cpu.targets)
    assert torch.equal(on_gpu.logits, again.logits)
