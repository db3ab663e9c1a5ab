"""Networks for depth with a known answer, and tiny ones of transformers with random weights in its own folders."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.models.depth_estimator import DepthEstimator, DepthKind
from cnnviz.models.network import Preprocessing

AS_IT_IS = ((0.0,) * 3, (1.0,) * 3)  # mean and std


class Brightness(nn.Module):
    """The mean of the channels, as depth."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class Plane(nn.Module):
    """The same plane for every image: 1 at the left, with slopes along both axes in the input's pixels."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        ys, xs = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
        return (1 + 2 * xs + 0.5 * ys)[None].expand(len(x), -1, -1)


def estimator(module: nn.Module, side: int = 32, multiple: int = 8, kind: DepthKind = "inverse") -> DepthEstimator:
    """A network of one module, whose own input has a side."""
    preprocessing = Preprocessing((side, side), side, "bilinear", *AS_IT_IS)
    return DepthEstimator(module=module.eval(), preprocessing=preprocessing, kind=kind, multiple=multiple, name="plane")


def aligned_error(values: np.ndarray, truth: np.ndarray) -> float:
    """The largest error of values after the best scale and shift, as a share of the truth's range."""
    values, truth = values.astype(np.float64).ravel(), truth.astype(np.float64).ravel()
    (scale, shift), *_ = np.linalg.lstsq(np.stack([values, np.ones_like(values)], 1), truth, rcond=None)
    return float(np.abs(scale * values + shift - truth).max() / np.ptp(truth))


def save_dpt(folder: Path, dinov2: bool = False) -> nn.Module:
    """A tiny DPT with its own transformer, or on DINOv2, as its library saves it."""
    from transformers import DPTConfig, DPTForDepthEstimation

    if dinov2:
        config = DPTConfig(backbone_config=backbone(4), neck_hidden_sizes=[16] * 4, fusion_hidden_size=16)
        return _save(DPTForDepthEstimation, config, folder)
    small = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 37}
    necks = {"backbone_out_indices": [0, 1, 2, 3], "neck_hidden_sizes": [16, 16, 32, 32], "fusion_hidden_size": 16}
    return _save(DPTForDepthEstimation, DPTConfig(**small, **necks, image_size=64, patch_size=16), folder)


def save_depth_anything(folder: Path, **settings: object) -> nn.Module:
    """A tiny Depth Anything on DINOv2, as its library saves it."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation

    neck = {"reassemble_hidden_size": 32, "neck_hidden_sizes": [16, 16], "fusion_hidden_size": 16}
    config = DepthAnythingConfig(backbone_config=backbone(2), patch_size=14, reassemble_factors=[4, 2],
                                 head_hidden_size=8, **neck, **settings)  # fmt: skip
    return _save(DepthAnythingForDepthEstimation, config, folder)


def backbone(layers: int) -> Any:
    """The configuration of a tiny DINOv2 whose layers all have an output."""
    from transformers import Dinov2Config

    return Dinov2Config(
        image_size=56, patch_size=14, hidden_size=32, num_hidden_layers=layers, num_attention_heads=2,
        out_features=[f"stage{layer + 1}" for layer in range(layers)], apply_layernorm=False,
        reshape_hidden_states=False,
    )  # fmt: skip


def _save(kind: type, config: object, folder: Path) -> nn.Module:
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = kind(config).eval()
    with torch.no_grad():  # larger filters, for values that are not all but 0
        for name, parameter in module.named_parameters():
            if name.startswith("head") and name.endswith("weight"):
                parameter.mul_(20)
    module.save_pretrained(folder)
    return module
