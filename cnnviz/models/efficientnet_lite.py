"""EfficientNet-Lite: EfficientNet (Tan & Le 2019) without squeeze-and-excitation and with ReLU6.

The networks are those of https://github.com/tensorflow/tpu, models/official/efficientnet/lite; the module names
are timm's, so that ``blocks.4`` means the same layer in both.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-3
# kernel, stride, expansion, channels out, repeats: EfficientNet-B0, table 1 of the paper
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
# the factors of width and depth
SCALES = {"efficientnet_lite0": (1.0, 1.0), "efficientnet_lite1": (1.0, 1.1), "efficientnet_lite2": (1.1, 1.2)}


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's "same" padding: ceil(size / stride) out, the odd pixel below and right."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (N, C, h, w)."""
        top, bottom = self.same(input.shape[-2], 0)
        left, right = self.same(input.shape[-1], 1)
        if top == bottom and left == right:
            return F.conv2d(input, self.weight, self.bias, self.stride, (top, left), self.dilation, self.groups)
        padded = F.pad(input, (left, right, top, bottom))
        return F.conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def same(self, size: int, axis: int) -> tuple[int, int]:
        """Return the padding before and after along an axis of ``size`` pixels."""
        kernel = (self.kernel_size[axis] - 1) * self.dilation[axis] + 1
        total = max((math.ceil(size / self.stride[axis]) - 1) * self.stride[axis] + kernel - size, 0)
        return total // 2, total - total // 2


class BatchNormAct(nn.BatchNorm2d):
    """Batch normalisation and the activation after it, one module as in timm."""

    def __init__(self, channels: int, act: bool = True) -> None:
        super().__init__(channels, eps=EPSILON)
        self.act = nn.ReLU6() if act else nn.Identity()

    def forward(self, input: Tensor) -> Tensor:
        """Normalise and activate (N, C, h, w)."""
        activated: Tensor = self.act(super().forward(input))
        return activated


class DepthwiseSeparable(nn.Sequential):
    """Depthwise then pointwise convolution: the block of the first stage, which does not expand."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = SameConv2d(channels, channels, kernel, stride, groups=channels, bias=False)
        self.bn1 = BatchNormAct(channels)
        self.conv_pw = nn.Conv2d(channels, out, 1, bias=False)
        self.bn2 = BatchNormAct(out, act=False)


class InvertedResidual(nn.Sequential):
    """Expansion, depthwise convolution, projection, residual if shapes agree (MobileNetV2, Sandler et al. 2018)."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        expanded = channels * expansion
        self.conv_pw = nn.Conv2d(channels, expanded, 1, bias=False)
        self.bn1 = BatchNormAct(expanded)
        self.conv_dw = SameConv2d(expanded, expanded, kernel, stride, groups=expanded, bias=False)
        self.bn2 = BatchNormAct(expanded)
        self.conv_pwl = nn.Conv2d(expanded, out, 1, bias=False)
        self.bn3 = BatchNormAct(out, act=False)
        self.residual = channels == out and stride == 1

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, h, w) to (N, out, h / stride, w / stride)."""
        projected: Tensor = super().forward(input)  # type: ignore[no-untyped-call]
        return projected + input if self.residual else projected


class EfficientNetLite(nn.Sequential):
    """EfficientNet-Lite: (N, 3, h, w), normalised with mean and deviation 0.5, to logits (N, classes)."""

    def __init__(self, name: str, num_classes: int = 1000) -> None:
        super().__init__()
        width, depth = SCALES[name]
        self.conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self.bn1 = BatchNormAct(32)
        self.blocks = nn.Sequential()
        channels = 32
        for index, (kernel, stride, expansion, out, repeats) in enumerate(STAGES):
            # In the lite networks the first and the last stage have one block.
            repeats = math.ceil(repeats * depth) if 0 < index < len(STAGES) - 1 else repeats
            stage, out = nn.Sequential(), _round_channels(out * width)
            for repeat in range(repeats):
                step = stride if repeat == 0 else 1
                if expansion == 1:
                    stage.append(DepthwiseSeparable(channels, out, kernel, step))
                else:
                    stage.append(InvertedResidual(channels, out, kernel, step, expansion))
                channels = out
            self.blocks.append(stage)
        self.conv_head = nn.Conv2d(channels, 1280, 1, bias=False)
        self.bn2 = BatchNormAct(1280)
        self.global_pool = nn.Sequential(OrderedDict(pool=nn.AdaptiveAvgPool2d(1), flatten=nn.Flatten()))
        self.classifier = nn.Linear(1280, num_classes)


def _round_channels(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def translate(state: Mapping[str, Tensor], module: nn.Module) -> dict[str, Tensor]:
    """Give the tensors of the public files this network's names: same tensors, same order; others are unchanged."""
    own = module.state_dict()
    public = "_conv_stem.weight" in state and len(state) == len(own)
    return dict(zip(own, state.values(), strict=True)) if public else dict(state)
