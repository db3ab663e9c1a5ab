"""The bundled networks against timm's tf_efficientnet_lite0, 1 and 2: the same weights, the same numbers."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from cnnviz import Network, fit, load_network, read_photo
from cnnviz.models import efficientnet_lite

NAMES = list(efficientnet_lite.SCALES)
COFFEE = Path(__file__).parents[2] / "sample_images" / "coffee.jpg"
ESPRESSO = 967


@cache
def ours(name: str) -> Network:
    return load_network(name, device="cpu")


@cache
def oracle(name: str) -> nn.Module:
    module = timm.create_model(f"tf_{name}", pretrained=False)
    module.load_state_dict(ours(name).module.state_dict(), strict=True)
    return module.eval()


@cache
def photo(name: str) -> Tensor:
    return fit(read_photo(COFFEE), ours(name))[0]


def outputs(module: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The output of every module by name."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, _args: Any, out: Tensor) -> None:
            found[name] = out.clone()

        return hook

    hooks = [child.register_forward_hook(keep(name)) for name, child in module.named_modules()]
    with torch.inference_mode():
        module(x)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_module_gives_what_timms_of_the_same_name_gives(name: str):
    x = (photo(name) - 0.5) / 0.5
    mine, theirs = outputs(ours(name).module, x), outputs(oracle(name), x)
    assert set(mine) == {child for child, _ in ours(name).module.named_modules()}, "a module that never ran"
    assert set(mine) <= set(theirs)
    for child, out in mine.items():
        assert out.shape == theirs[child].shape, child
        assert (out - theirs[child]).abs().max() <= 1e-5 * theirs[child].abs().max().clamp(min=1), child


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_timms_within_1e_5(name: str):
    x = photo(name)
    with torch.inference_mode():
        assert (ours(name)(x) - oracle(name)((x - 0.5) / 0.5)).abs().max() <= 1e-5


@pytest.mark.parametrize("side", [(31, 33), (64, 64), (97, 130), (225, 224)])
def test_tensorflows_padding_holds_for_even_and_odd_sizes(side: tuple[int, int]):
    x = torch.rand(1, 3, *side, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    mine = efficientnet_lite.EfficientNetLite("efficientnet_lite0").eval().double()
    mine.load_state_dict(ours("efficientnet_lite0").module.state_dict())
    with torch.inference_mode():
        assert (mine(x) - deepcopy(oracle("efficientnet_lite0")).double()(x)).abs().max() <= 1e-12


@pytest.mark.parametrize(("name", "sure"), [*zip(NAMES, (0.9, 0.5, 0.8), strict=True)])
def test_a_cup_of_coffee_is_an_espresso(name: str, sure: float):
    network = ours(name)
    with torch.inference_mode():
        best = network.top(network(photo(name))[0])[0]
    assert (best.index, best.name) == (ESPRESSO, "espresso")
    assert best.probability > sure


@pytest.mark.parametrize(("name", "sizes"), [(NAMES[0], (224, 256)), (NAMES[1], (240, 272)), (NAMES[2], (260, 292))])
def test_the_recipe_is_timms(name: str, sizes: tuple[int, int]):
    own, theirs = ours(name).preprocessing, oracle(name).pretrained_cfg
    assert (own.size[0], own.resize) == sizes
    assert own.size == tuple(theirs["input_size"][1:])
    assert own.resize == int(own.size[0] / theirs["crop_pct"])
    assert (own.interpolation, own.mean, own.std) == (theirs["interpolation"], theirs["mean"], theirs["std"])


def test_blocks_4_is_the_stage_of_112_channels():
    assert outputs(ours("efficientnet_lite0").module, photo("efficientnet_lite0"))["blocks.4"].shape == (1, 112, 14, 14)


def test_a_state_dict_with_timms_names_is_left_as_it_is():
    module = efficientnet_lite.EfficientNetLite("efficientnet_lite0", 10)
    state = module.state_dict()
    assert efficientnet_lite.translate(state, module) == dict(state)
