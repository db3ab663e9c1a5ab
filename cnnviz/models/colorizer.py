"""A network that gives a distribution over colours at each place of a photo, from its lightness alone.

Zhang, Isola & Efros, "Colorful Image Colorization", 2016 (arXiv:1603.08511), section 2 and table 4; the modules
are named as in the authors' file of weights for PyTorch.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from cnnviz.errors import MethodError, WeightsError
from cnnviz.models import checkpoint, weights
from cnnviz.models.lab import lightness
from cnnviz.models.loader import pick_device, pick_dtype
from cnnviz.models.network import Network, Preprocessing
from cnnviz.models.preprocess import Geometry, require_pixels
from cnnviz.text import printable

NAME = "eccv16"
BINS = 313  # of a* and b* within sRGB, 10 by 10
SIDE = 256  # of the input
AB_SCALE = 110.0  # of the centres of the bins, as the file has them
FARTHEST = 150.0  # a* or b* of a centre, at most
# Channels of the convolutions of blocks 1 to 7, stride of the last one, dilation of all.
BLOCKS = (
    ((64, 64), 2, 1), ((128, 128), 2, 1), ((256,) * 3, 2, 1), ((512,) * 3, 1, 1), ((512,) * 3, 1, 2),
    ((512,) * 3, 1, 2), ((512,) * 3, 1, 1),
)  # fmt: skip


class ColorfulColorization(nn.Module):
    """The network of the paper: RGB (N, 3, h, w) in [0, 1] in, logits (N, 313, h / 4, w / 4) out; colours are ignored.

    ``model_out`` holds the centres of the bins; here its weights are read, and it does not run.
    """

    def __init__(self) -> None:
        super().__init__()
        channels = 1
        for number, (widths, stride, dilation) in enumerate(BLOCKS, 1):
            self.add_module(f"model{number}", _block(channels, widths, stride, dilation))
            channels = widths[-1]
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(channels, 256, 4, 2, 1), nn.ReLU(), nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(),
            nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(), nn.Conv2d(256, BINS, 1),
        )  # fmt: skip
        self.model_out = nn.Conv2d(BINS, 2, 1, bias=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the logits of the bins."""
        x = (lightness(rgb) - 50) / 100
        for number in range(1, len(BLOCKS) + 2):
            x = self.get_submodule(f"model{number}")(x)
        return x


def _block(channels: int, widths: tuple[int, ...], stride: int, dilation: int) -> nn.Sequential:
    """Return convolutions of 3 x 3, a ReLU after each, and a batch normalisation at the end."""
    layers = list[nn.Module]()
    for index, width in enumerate(widths):
        step = stride if index == len(widths) - 1 else 1
        layers += [nn.Conv2d(channels, width, 3, step, dilation, dilation), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.BatchNorm2d(channels))


@dataclass(frozen=True)
class Colorizer(Network):
    """A network that gives logits of colours at each place of a photo; its input has one size, whatever the photo."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return logits (N, bins, h, w), float32, for RGB (N, 3, h, w) in [0, 1]. Raises MethodError."""
        logits = self.run(inputs)
        if not isinstance(logits, Tensor) or logits.dim() != 4 or logits.shape[1] != len(self.centres):
            raise MethodError(f"{self.name} gives no colours: its output is not logits (N, {len(self.centres)}, h, w)")
        return logits.float()

    @cached_property
    def centres(self) -> Tensor:
        """The a* and b* of the bins, (bins, 2), float32."""
        weight = self.module.get_parameter("model_out.weight")
        return weight.detach().flatten(1).T.float().cpu() * AB_SCALE

    def geometry(self, size: tuple[int, int]) -> Geometry:
        """Return how a photo (H, W) becomes the input: squashed to the network's own size."""
        require_pixels(size)
        own = self.preprocessing
        return Geometry(size, own.size, (0, 0), own.size, own.interpolation)


def load_colorizer(weights_file: str | Path, *, device: str = "auto", dtype: str = "float32") -> Colorizer:
    """Load the colourisation network of Zhang, Isola & Efros 2016 with weights of a file.

    Parameters
    ----------
    weights_file : str or Path
        The authors' ``colorization_release_v2-9b330a0b.pth``, or a state dict with the same keys, .safetensors or .pth.
    device, dtype
        As for ``load_network``.

    Returns
    -------
    Colorizer
        The network in evaluation mode: RGB (N, 3, h, w) in [0, 1] in, logits of 313 colours out.

    Raises
    ------
    InvalidRequest
        For an unknown device or type.
    WeightsError
        If the file does not exist or does not fit.

    Examples
    --------
    >>> network = cnnviz.load_colorizer("colorization_release_v2-9b330a0b.pth")
    >>> network.centres.shape
    torch.Size([313, 2])
    """
    path = Path(weights_file)
    if not path.is_file():
        raise WeightsError(f"{printable(str(path))}: no such file of weights")
    target_device, target_dtype = pick_device(device), pick_dtype(dtype)
    with checkpoint.WithoutInit():
        module = ColorfulColorization()
    checkpoint.load_state(module, checkpoint.read_checkpoint(path), printable(str(path)))
    preprocessing = Preprocessing((SIDE, SIDE), SIDE, "bicubic", (0.0,) * 3, (1.0,) * 3)
    record = {"file": path.name, "sha256": weights.sha256(path)}
    network = Colorizer(module.eval().requires_grad_(False), preprocessing, name=NAME, weights=record)
    if not torch.isfinite(network.centres).all() or float(network.centres.abs().max()) > FARTHEST:
        raise WeightsError(f"{printable(str(path))}: model_out.weight does not hold a* and b* divided by {AB_SCALE:g}")
    moved = network.to(target_device, target_dtype)
    assert isinstance(moved, Colorizer)
    return moved
