"""Colourisation networks with a known answer, and random weights in the layout of the published file."""

from pathlib import Path

import torch
from torch import Tensor, nn

from cnnviz.models.colorizer import ColorfulColorization, Colorizer
from cnnviz.models.lab import lightness
from cnnviz.models.network import Preprocessing

CENTRES = ((30.0, 20.0), (-30.0, 25.0), (0.0, -60.0))  # a* and b*: red, green, blue


class ByLightness(nn.Module):
    """Red below L* = 50 and green above, with a logit of ``strength``; one place for each 4 x 4 pixels."""

    def __init__(self, strength: float = 20.0) -> None:
        super().__init__()
        self.strength = strength
        self.model_out = nn.Conv2d(len(CENTRES), 2, 1, bias=False)
        self.model_out.weight.data = torch.tensor(CENTRES).T[..., None, None] / 110

    def forward(self, rgb: Tensor) -> Tensor:
        light = nn.functional.avg_pool2d(lightness(rgb), 4)
        return torch.cat([light < 50, light >= 50, torch.zeros_like(light) > 0], 1) * self.strength


def colorizer(strength: float = 20.0, side: int = 32) -> Colorizer:
    """The network that tells light from dark."""
    preprocessing = Preprocessing((side, side), side, "bicubic", (0.0,) * 3, (1.0,) * 3)
    return Colorizer(ByLightness(strength).eval(), preprocessing, name="by-lightness")


def random_weights(path: Path) -> Path:
    """Random weights with the keys of the published file, in half precision."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = ColorfulColorization()
        nn.init.uniform_(module.model_out.weight, -0.8, 0.8)
        nn.init.normal_(module.model8[6].bias, std=2)
    torch.save({key: tensor.half() if tensor.is_floating_point() else tensor
                for key, tensor in module.state_dict().items()}, path)  # fmt: skip
    return path
