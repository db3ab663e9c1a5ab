"""A case, and the pictures of which the corpus is made."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 60, 84
TURNS: dict[int, Callable[[Any], Any]] = {  # what was done to the upright picture, to be undone by orientation N
    1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud, 5: lambda a: np.rot90(np.fliplr(a)),
    6: lambda a: np.rot90(a, 1), 7: lambda a: np.rot90(np.fliplr(a), -1), 8: lambda a: np.rot90(a, -1),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One name.

    ``truth`` the photograph it holds, uint8 RGB (H, W, 3), to within ``tolerance`` levels; None where it must be
    refused. ``says`` is part of the one line that a person is told, "" where nothing is said of a good one.
    """

    path: Path
    truth: Any = None
    tolerance: int = 0
    says: str = ""

    @property
    def good(self) -> bool:
        """Whether it must be read."""
        return self.truth is not None


def smooth(name: str, height: int = HEIGHT, width: int = WIDTH, channels: int = 3) -> Any:
    """Return a picture of a few waves, uint8 (H, W, channels), which lossy formats keep to a few levels."""
    rng = np.random.default_rng(zlib.crc32(name.encode("utf-8", "surrogateescape")))
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.cos(2 * np.pi * (f * x + g * y + p)) for f, g, p in rng.uniform(0.2, 1.0, (channels, 3))]
    return np.rint(128 + 100 * np.stack(waves, -1)).astype(np.uint8)


def patches(name: str, colours: int = 16) -> tuple[Any, Any]:
    """Return squares of a few colours: indices uint8 (H, W) and a palette uint8 (colours, 3)."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    small = rng.integers(0, colours, (HEIGHT // 6, WIDTH // 6), np.uint8)
    return np.kron(small, np.ones((6, 6), np.uint8)), rng.integers(0, 256, (colours, 3), np.uint8)


def paletted(name: str) -> tuple[Image.Image, Any]:
    """Return a palette picture of 16 colours and its RGB."""
    indices, palette = patches(name)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    return image, palette[indices]


def grey(values: Any) -> Any:
    """Return grey (H, W) as RGB (H, W, 3)."""
    return np.repeat(values[..., None], 3, axis=2)


def save(folder: Path, name: str, data: bytes, truth: Any = None, tolerance: int = 0, says: str = "") -> Case:
    """Write a file and return its case."""
    path = folder / name
    path.write_bytes(data)
    return Case(path, truth, tolerance, says)
