"""FCN-8s (Long, Shelhamer & Darrell 2015, arXiv:1411.4038, section 4): VGG-16 with three scales of scores.

Names, padding and crops are those of the authors' Caffe network and of its conversion for PyTorch, whose state dicts
are read: conv1_1.weight to fc7.bias, score_fr, score_pool3, score_pool4, upscore2, upscore8, upscore_pool4.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS = (2, 2, 3, 3, 3)  # convolutions before each pooling
WIDTHS = (64, 128, 256, 512, 512, 4096)  # maps of the five blocks, and of fc6 and fc7
PADDING = 100  # pixels: photos of any size become large enough for fc6, and the crops find their places
AT_ONCE = 0.01, 0.0001  # of pool4 and pool3 in the network that was trained in one stage


class FCN8s(nn.Module):
    """Logits (N, classes, h, w) for RGB (N, 3, h, w) in 0 to 255 minus Caffe's mean; the weights take BGR.

    ``scales`` of pool4 and pool3 before their scores. Dropout, for training alone, is left out.
    """

    def __init__(
        self, classes: int = 21, widths: Sequence[int] = WIDTHS, scales: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        super().__init__()
        self.scales, channels = scales, 3
        for block, (layers, maps) in enumerate(zip(LAYERS, widths, strict=False), 1):
            for layer in range(1, layers + 1):
                padding = 1 if (block, layer) != (1, 1) else PADDING
                self.add_module(f"conv{block}_{layer}", nn.Conv2d(channels, maps, 3, padding=padding))
                channels = maps
        self.fc6, self.fc7 = nn.Conv2d(channels, widths[5], 7), nn.Conv2d(widths[5], widths[5], 1)
        self.score_fr = nn.Conv2d(widths[5], classes, 1)
        self.score_pool3, self.score_pool4 = nn.Conv2d(widths[2], classes, 1), nn.Conv2d(widths[3], classes, 1)
        self.upscore2, self.upscore8 = _upsampling(classes, 2), _upsampling(classes, 8)
        self.upscore_pool4 = _upsampling(classes, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits at the input's size."""
        size, pools = x.shape[-2:], list[Tensor]()
        x = x.flip(1)
        for block, layers in enumerate(LAYERS, 1):
            for layer in range(1, layers + 1):
                x = self.get_submodule(f"conv{block}_{layer}")(x).relu()
            x = F.max_pool2d(x, 2, 2, ceil_mode=True)
            pools.append(x)
        x = self.upscore2(self.score_fr(self.fc7(self.fc6(x).relu()).relu()))
        x = x + _crop(self.score_pool4(pools[3] * self.scales[0]), 5, x.shape[-2:])
        x = self.upscore_pool4(x)
        x = x + _crop(self.score_pool3(pools[2] * self.scales[1]), 9, x.shape[-2:])
        return _crop(self.upscore8(x), 31, size)


def build(name: str, count: int, state: Mapping[str, Tensor] | None) -> FCN8s:
    """Return "fcn8s" or "fcn8s_at_once" without weights, with the widths of a state dict, or the paper's."""
    first = [f"conv{block}_1.weight" for block in range(1, 6)] + ["fc6.weight"]
    own = [(state or {}).get(key) for key in first]
    widths = [usual if one is None or not one.dim() else len(one) for one, usual in zip(own, WIDTHS, strict=True)]
    return FCN8s(count, widths, AT_ONCE if name == "fcn8s_at_once" else (1.0, 1.0))


def bilinear_kernel(factor: int) -> Tensor:
    """Return the kernel (2 * factor, 2 * factor) of a transposed convolution that interpolates linearly."""
    places = torch.arange(2 * factor) + 0.5 - factor
    ramp = 1 - places.abs() / factor
    return ramp[:, None] * ramp


def _upsampling(classes: int, factor: int) -> nn.ConvTranspose2d:
    """Return fixed bilinear upsampling, each class by itself."""
    module = nn.ConvTranspose2d(classes, classes, 2 * factor, factor, bias=False)
    weight = torch.eye(classes)[:, :, None, None] * bilinear_kernel(factor)
    module.weight = nn.Parameter(weight.to(module.weight.device), requires_grad=False)
    return module


def _crop(x: Tensor, offset: int, size: Sequence[int]) -> Tensor:
    return x[..., offset : offset + size[0], offset : offset + size[1]]
