"""Style images made by code, for the gallery and the benchmarks: python -m docs.made_styles.

Each has light and dark, warm and cold parts, so that any photo can be drawn in it, and is larger than the results.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(__file__).parent.parent / "sample_styles"
Pixels = NDArray[np.uint8]
SIZE = (720, 960)  # height and width
SUBPIXEL = 4  # fractional bits of coordinates in OpenCV's drawing functions
NIGHT = ("#0b1330", "#14275a", "#1d4e9e", "#3f86c7", "#8fc1de", "#e8dfb0", "#f6c244", "#e58a1f")
GLASS = ("#7d1128", "#c8102e", "#e8702a", "#f6b73c", "#f8ecc9", "#8dc3a7", "#1f7a8c", "#17406d", "#3b1f5b")


def rgb(color: str) -> NDArray[np.float64]:
    """Return a colour #rrggbb as three numbers from 0 to 255."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], float)


def smooth_noise(random: np.random.Generator, scale: int) -> NDArray[np.float64]:
    """Return noise (height, width) of about ``scale`` pixels a bump, range 0 to 1, evenly distributed."""
    coarse = random.normal(size=(SIZE[0] // scale + 4, SIZE[1] // scale + 4))
    values = cv2.resize(coarse, (coarse.shape[1] * scale, coarse.shape[0] * scale), interpolation=cv2.INTER_CUBIC)
    values = values[scale : scale + SIZE[0], scale : scale + SIZE[1]]
    ranks = values.ravel().argsort().argsort().reshape(SIZE)
    return np.asarray(ranks / ranks.max())


def points(path: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return points (N, 2) as OpenCV takes them with SUBPIXEL fractional bits."""
    return np.asarray(np.round(path * 2**SUBPIXEL), np.int32)


def strokes(seed: int = 3) -> Pixels:
    """Return an image of short brush strokes along a swirling field, dark blue to yellow."""
    random = np.random.default_rng(seed)
    tone, angle = smooth_noise(random, 130), 2.5 * np.pi * smooth_noise(random, 240)
    palette = np.array([rgb(color) for color in NIGHT])
    image = np.full((*SIZE, 3), palette[1], np.uint8)
    for _ in range(26000):
        at = random.uniform((-20, -20), np.array(SIZE) + 20)
        row, column = np.clip(at, 0, np.array(SIZE) - 1).astype(int)
        level = np.clip(tone[row, column] + random.normal(0, 0.07), 0, 1) * (len(palette) - 1)
        low = min(int(level), len(palette) - 2)
        color = palette[low] + (level - low) * (palette[low + 1] - palette[low]) + random.normal(0, 9, 3)
        path = [at]
        for _ in range(random.integers(5, 10)):
            row, column = np.clip(path[-1], 0, np.array(SIZE) - 1).astype(int)
            path.append(path[-1] + 3 * np.array([np.sin(angle[row, column]), np.cos(angle[row, column])]))
        shade, width = tuple(np.clip(color, 0, 255).tolist()), int(random.integers(3, 7))
        cv2.polylines(image, [points(np.array(path)[:, ::-1])], False, shade, width, cv2.LINE_AA, SUBPIXEL)
    return image


def glass(seed: int = 5) -> Pixels:
    """Return an image of stained glass: cells of nine colours, each a little uneven, between dark lead lines."""
    random = np.random.default_rng(seed)
    step, (height, width) = 34, SIZE
    grid = [(x, y) for y in range(0, height, step) for x in range(0, width, step)]
    seeds = np.clip(np.array(grid) + random.uniform(0, 0.9 * step, (len(grid), 2)), 0, (width - 1, height - 1))
    voronoi = cv2.Subdiv2D((0, 0, width, height))
    voronoi.insert([(float(x), float(y)) for x, y in seeds])
    tone = smooth_noise(random, 150)
    image = np.full((*SIZE, 3), (24, 20, 22), np.uint8)
    for facet, centre in zip(*voronoi.getVoronoiFacetList([]), strict=True):
        x, y = np.clip(centre, 0, (width - 1, height - 1)).astype(int)
        level = int(np.clip(tone[y, x] + random.normal(0, 0.13), 0, 0.999) * len(GLASS))
        color = np.clip(rgb(GLASS[level]) + random.normal(0, 10, 3), 0, 255)
        inner = centre + (np.asarray(facet) - centre) * 0.86
        cv2.fillPoly(image, [points(inner)], tuple(color.tolist()), cv2.LINE_AA, SUBPIXEL)
    uneven = 1 + 0.22 * (smooth_noise(random, 9) - 0.5) + 0.2 * (smooth_noise(random, 60) - 0.5)
    return np.clip(image * uneven[..., None], 0, 255).astype(np.uint8)


def engraving(seed: int = 1) -> Pixels:
    """Return an engraving: brown-black lines on cream paper, swelling in the shadows, crossed in the deepest."""
    random = np.random.default_rng(seed)
    tone = smooth_noise(random, 120)
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]].astype(float)
    bend = 90 * smooth_noise(random, 200)
    ink = np.zeros(SIZE)
    for number, (slope, start) in enumerate(((0.35, 0.02), (-0.9, 0.45), (2.2, 0.72))):
        across = (rows + slope * columns) / np.hypot(1, slope) + bend * (1 if number < 2 else -0.5)
        wave = 0.5 + 0.5 * np.cos(2 * np.pi * across / 7.5)
        width = np.clip((tone - start) / (1 - start), 0, 1) ** 0.8 * 0.62
        ink = np.maximum(ink, np.clip((wave - (1 - width)) * 6, 0, 1) * (width > 0.02))
    paper = rgb("#f1e4c6") - 14 * smooth_noise(random, 6)[..., None] - 12 * smooth_noise(random, 90)[..., None]
    return np.clip(paper + ink[..., None] * (rgb("#2a1a14") - paper), 0, 255).astype(np.uint8)


STYLES: dict[str, Callable[[], Pixels]] = {"strokes": strokes, "glass": glass, "engraving": engraving}


def main() -> None:
    """Write every style image to sample_styles, as JPEG."""
    for name, make in STYLES.items():
        Image.fromarray(make()).save(FOLDER / f"{name}.jpg", quality=88, subsampling=0)


if __name__ == "__main__":
    main()
