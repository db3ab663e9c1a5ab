"""Images between NumPy and torch, and at another size: uint8 RGB (H, W, 3) and tensors (1, 3, H, W)."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Photo = NDArray[np.uint8]


def resize_long_side(image: Photo, long_side: int | None) -> Photo:
    """Return an image (H, W, 3) or (H, W) with a longer side of ``long_side`` pixels (Lanczos); unchanged if None."""
    if long_side is None or max(image.shape[:2]) == long_side:
        return image
    scale = long_side / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS))


def to_tensor(image: Photo) -> Tensor:
    """Return an image uint8 (H, W, 3) as a uint8 tensor (1, 3, H, W)."""
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].contiguous()


def to_image(tensor: Tensor) -> Photo:
    """Return a tensor (3, H, W) or (1, 3, H, W) in [0, 1] as an image uint8 (H, W, 3)."""
    values = tensor[0] if tensor.dim() == 4 else tensor
    rounded: Photo = (values * 255).round_().byte().permute(1, 2, 0).cpu().numpy()
    return rounded
