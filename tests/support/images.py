"""Images searched for what they should show."""

from pathlib import Path

import numpy as np
from PIL import Image


def loaded(path: str | Path) -> Image.Image:
    """Return an image file's pixels and information, the file closed."""
    with Image.open(path) as image:
        image.load()
        return image


def holds(picture: np.ndarray, block: np.ndarray) -> bool:
    """Return whether a picture holds a block, pixel by pixel."""
    height, width = block.shape[:2]
    corners = (picture[: len(picture) - height + 1, : picture.shape[1] - width + 1] == block[0, 0]).all(-1)
    return any(np.array_equal(picture[y : y + height, x : x + width], block) for y, x in np.argwhere(corners))


def write_kinds() -> list[str]:
    """Write photos narrow, tiny, large, grey, transparent and broken into the working folder; return their names."""
    for name, size in {"narrow": (20, 3000), "tiny": (16, 16), "large": (3000, 4000)}.items():
        Image.fromarray(np.full((*size, 3), 120, np.uint8)).save(f"{name}.png")
    Image.new("L", (60, 60), 90).save("grey.png")
    Image.new("RGBA", (60, 60), (9, 80, 7, 60)).save("clear.png")
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no photo")
    return [f"{name}.png" for name in ("narrow", "tiny", "large", "grey", "clear", "broken")]
