"""FCN-8s: the keys and shapes of the published file, sizes, and where an edge of the photo comes out."""

import numpy as np
import pytest
import torch

from cnnviz.models.catalog import find_entry
from cnnviz.models.fcn8s import AT_ONCE, FCN8s, bilinear_kernel, build
from cnnviz.models.loader import build_blank, preprocessing_of
from tests.support.networks import fcn_8s

VGG = {f"conv{block}_{layer}": (maps, before if layer == 1 else maps, 3, 3)
       for block, (count, maps, before) in enumerate(
           [(2, 64, 3), (2, 128, 64), (3, 256, 128), (3, 512, 256), (3, 512, 512)], 1)
       for layer in range(1, count + 1)}  # fmt: skip
HEAD = {"fc6": (4096, 512, 7, 7), "fc7": (4096, 4096, 1, 1), "score_fr": (21, 4096, 1, 1),
        "score_pool3": (21, 256, 1, 1), "score_pool4": (21, 512, 1, 1)}  # fmt: skip
UPSAMPLING = {"upscore2": (21, 21, 4, 4), "upscore8": (21, 21, 16, 16), "upscore_pool4": (21, 21, 4, 4)}


def test_keys_and_shapes_are_those_of_the_published_file():
    own = {key: tuple(tensor.shape) for key, tensor in build_blank("fcn8s").state_dict().items()}
    wanted = {f"{name}.weight": shape for name, shape in (VGG | HEAD | UPSAMPLING).items()}
    assert own == wanted | {f"{name}.bias": shape[:1] for name, shape in (VGG | HEAD).items()}
    assert find_entry("fcn8s").parameters == pytest.approx(sum(map(np.prod, own.values())) / 1e6, abs=0.05)


@pytest.mark.parametrize("size", [(1, 1), (31, 64), (32, 97), (100, 33)])
def test_the_output_has_the_inputs_size(size):
    assert fcn_8s()(torch.rand(1, 3, *size)).shape == (1, 21, *size)


def test_the_kernel_interpolates_linearly():
    assert bilinear_kernel(2)[0].tolist() == [0.0625, 0.1875, 0.1875, 0.0625]
    ramp = FCN8s(2, [1] * 6).upscore8(torch.arange(5.0)[None, None, None].repeat(1, 2, 5, 1))
    inside = ramp[0, :, 16:-16, 12:-12].detach()
    assert torch.allclose(inside, (torch.arange(inside.shape[-1]) + 12.5) / 8 - 1)


@pytest.mark.parametrize(("name", "stride"), [("score_pool3", 8), ("score_pool4", 16), ("score_fr", 32)])
def test_an_edge_stays_where_it_is(name, stride):
    """Every layer passes brightness on, and one scale alone scores it: brighter than the middle is class 1."""
    module = FCN8s(2, [1] * 6)
    for key, parameter in module.named_parameters():
        if not key.startswith("upscore"):
            parameter.data.zero_()
        if key.startswith(("conv", "fc")) and key.endswith("weight"):
            middle = parameter.shape[-1] // 2
            parameter.data[:, :, middle, middle] = 1 / parameter.shape[1]
    getattr(module, name).weight.data[1], getattr(module, name).bias.data[1] = 1.0, -0.5
    edge = 128
    image = torch.zeros(1, 3, 64, 256)
    image[..., edge:] = 1
    found = module(image)[0].argmax(0)[32].nonzero().flatten()
    assert abs(int(found[0]) - edge) <= stride
    assert len(found) == 256 - int(found[0])


def test_the_network_trained_at_once_scales_its_skips():
    module = fcn_8s()
    scaled = build("fcn8s_at_once", 21, module.state_dict())
    state = dict(module.state_dict())
    scaled.load_state_dict(state)
    for key, scale in zip(("score_pool4.weight", "score_pool3.weight"), AT_ONCE, strict=True):
        state[key] = state[key] * scale
    module.load_state_dict(state)
    inputs = torch.rand(1, 3, 40, 40)
    assert torch.allclose(scaled(inputs), module(inputs), atol=1e-5)


def test_the_weights_take_bgr_minus_caffes_mean():
    own = preprocessing_of(find_entry("fcn8s"))
    assert [round(255 * mean, 3) for mean in own.mean] == [122.679, 116.669, 104.007]
    assert own.std == (1 / 255,) * 3
    module = FCN8s(2, [1] * 6)
    seen: list[torch.Tensor] = []
    module.conv1_1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    module(torch.tensor([1.0, 2.0, 3.0])[None, :, None, None])
    assert seen[0].flatten().tolist() == [3, 2, 1]
