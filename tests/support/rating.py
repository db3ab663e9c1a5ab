"""A network that rates photos, trained in seconds."""

from functools import cache
from pathlib import Path

import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1


def train_to_rate_brightness(path: Path) -> None:
    """Write weights of SqueezeNet with one output, trained to give an image's brightness."""
    save_file(trained(), path)


@cache
def trained() -> dict[str, torch.Tensor]:
    """The weights, trained once."""
    torch.manual_seed(0)
    module = squeezenet1_1(num_classes=1).eval()
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(40):
        levels = torch.rand(16)
        inputs = (levels[:, None, None, None] + 0.1 * torch.randn(16, 3, 64, 64) - 0.45) / 0.226
        loss = (module(inputs)[:, 0] - levels).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.state_dict()
