"""Grad-CAM against the paper's formula."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz import fit, read_photo
from cnnviz.attribution.backprop import attribute
from tests.conftest import PHOTOS
from tests.support.attribution_networks import Awkward, close, tiny
from tests.support.networks import lite0


@pytest.mark.parametrize("layer", ["bn2", "conv_head", "blocks.3.1.bn1", "blocks.4"])
def test_grad_cam_is_the_papers_on_the_bundled_network(layer: str) -> None:
    network = lite0()
    x, _ = fit(read_photo(PHOTOS / "coffee.jpg"), network)
    kept: list[Tensor] = []
    hook = network.layers()[layer].register_forward_hook(lambda _, __, out: kept.append(out))
    logits = network(x.clone().requires_grad_())
    hook.remove()
    maps = kept[0]
    weights = torch.autograd.grad(logits[0, 967], maps)[0].mean((2, 3), keepdim=True)
    wanted = F.interpolate((weights * maps).sum(1, keepdim=True).relu(), network.size, mode="bilinear")[0]
    found = attribute(network, x, method="grad-cam", layer=layer)
    assert found.targets == (967,)
    assert close(found.maps, wanted.detach(), 1e-4)


def test_grad_cam_takes_a_layer_before_it_is_changed_in_place() -> None:
    network, x = tiny(Awkward)
    maps = network.module.conv1((x - network.mean) / network.std).detach().requires_grad_()
    y = F.max_pool2d(F.relu(maps), 3, 2, 1)
    y = y + network.module.conv2(y).clamp(0, 6) * 1.5
    logits = network.module.fc(network.module.conv3(y).clamp(0, 6).flatten(1))
    weights = torch.autograd.grad(logits[0, 3], maps)[0].mean((2, 3), keepdim=True)
    found = attribute(network, x, method="grad-cam", layer="conv1", targets=[3])
    assert close(found.maps, (weights * maps).sum(1).relu().detach())
