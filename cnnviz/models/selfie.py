"""MediaPipe's selfie segmentation (Google 2021): person or background at each pixel of an image of 256 x 256.

A MobileNetV3 (Howard et al. 2019, arXiv:1905.02244, sections 4 and 6.4) of 16 channels, its lite R-ASPP head, and a
decoder whose skip connections are weighted by squeeze-and-excitation. The layers are those of the published TFLite
file, selfie_segmentation.tflite; so are the weights, which are part of cnnviz (data/README.md).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Inverted residuals after the stem: expanded and resulting channels, kernel, stride, reduced channels of the gate.
BLOCKS = (
    (16, 16, 3, 2, 8), (72, 24, 3, 2, 0), (88, 24, 3, 1, 0), (96, 32, 5, 2, 24),
    (128, 32, 5, 1, 32), (128, 32, 5, 1, 32), (96, 32, 5, 1, 24), (96, 32, 5, 1, 24),
)  # fmt: skip
HARD_SWISH_FROM = 3  # number of the first block with hard swish in place of a rectifier
SKIPS = ((2, 24), (0, 16))  # blocks whose outputs go to the decoder, and their channels


class SamePadding(nn.Conv2d):
    """A convolution that pads as TensorFlow does: the odd row and column at the bottom and on the right."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, C, ceil(h / stride), ceil(w / stride))."""
        (height, width), kernel, stride = input.shape[-2:], self.kernel_size[0], self.stride[0]
        down, across = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in (height, width))
        padded = F.pad(input, (across // 2, across - across // 2, down // 2, down - down // 2))
        return super().forward(padded)


class Gate(nn.Module):
    """Squeeze-and-excitation: a weight in 0 to 1 for each channel, (N, C, 1, 1), from the means of the maps."""

    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.reduce, self.expand = nn.Conv2d(channels, reduced, 1), nn.Conv2d(reduced, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the weights for maps (N, C, h, w)."""
        weights: Tensor = self.expand(self.reduce(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return weights


class GatedResidual(nn.Module):
    """Expansion, depthwise convolution, gate, projection; added to the input where the shapes agree."""

    def __init__(self, channels: int, spec: tuple[int, int, int, int, int], activation: nn.Module) -> None:
        super().__init__()
        wide, out, kernel, stride, reduced = spec
        self.expand = nn.Conv2d(channels, wide, 1)
        self.depthwise = SamePadding(wide, wide, kernel, stride, groups=wide)
        self.gate = Gate(wide, reduced) if reduced else None
        self.project = nn.Conv2d(wide, out, 1)
        self.activation, self.added = activation, stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out, h / stride, w / stride)."""
        inner = self.activation(self.depthwise(self.activation(self.expand(x))))
        inner = inner * self.gate(inner) if self.gate else inner
        result: Tensor = self.project(inner)
        return x + result if self.added else result


class DecoderStage(nn.Module):
    """Upsampling by two, and maps of the encoder added with a weight for each channel."""

    def __init__(self, channels: int, skip: int) -> None:
        super().__init__()
        self.match, self.gate = nn.Conv2d(channels, skip, 1), Gate(skip, skip)
        self.mix, self.depthwise = nn.Conv2d(skip, skip, 1), SamePadding(skip, skip, 3, groups=skip)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return maps of the size of ``skip``."""
        x = self.match(F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=False))
        mixed: Tensor = self.mix(skip * self.gate(skip + x) + x).relu()
        return mixed + torch.relu(self.depthwise(mixed))


class SelfieSegmentation(nn.Module):
    """Logits (N, 2, h, w) of background and person for RGB (N, 3, h, w) in [0, 1]; that of the background is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, channels, blocks = SamePadding(3, 16, 3, 2), 16, list[nn.Module]()
        for number, spec in enumerate(BLOCKS):
            activation = nn.Hardswish() if number >= HARD_SWISH_FROM else nn.ReLU()
            blocks.append(GatedResidual(channels, spec, activation))
            channels = spec[1]
        self.blocks = nn.ModuleList(blocks)
        self.head, self.head_gate = nn.Conv2d(channels, 128, 1), nn.Conv2d(channels, 128, 1)
        widths = [128, *(width for _, width in SKIPS), 16]
        self.decoder = nn.ModuleList(DecoderStage(*pair) for pair in zip(widths, [*widths[1:-1], 16], strict=False))
        self.last = nn.ConvTranspose2d(16, 1, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits at the input's size."""
        size = x.shape[-2:]
        x = F.hardswish(self.stem(x))
        skips, stem = list[Tensor](), x
        for block in self.blocks:
            x = block(x)
            skips.append(x)
        x = self.head(x).relu() * self.head_gate(x.mean((2, 3), keepdim=True)).sigmoid()
        for stage, skip in zip(self.decoder, [*(skips[at] for at, _ in SKIPS), stem], strict=True):
            x = stage(x, skip)
        person = self.last(x)[..., : size[0], : size[1]]
        return torch.cat([torch.zeros_like(person), person], 1)
