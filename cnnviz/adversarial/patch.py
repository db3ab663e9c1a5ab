"""A printable patch that makes a network classify a photo as another class from many sides: a simulation.

The texture is optimised in ``patch_texture``; here it is rendered for print and evaluated as printed, in 8 bits, beside
two controls and the bare photo.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnnviz.adversarial.patch_scene import PatchScene, read_region
from cnnviz.adversarial.patch_texture import POSES, PRINTABLE, held_out_logits, held_out_poses, optimize_texture
from cnnviz.adversarial.results import PatchRates
from cnnviz.adversarial.target import QueryCount
from cnnviz.control import Control
from cnnviz.io.convert import Photo, to_image
from cnnviz.io.image_file import MAX_PIXELS
from cnnviz.io.photo import read_photo
from cnnviz.io.write import encode_image
from cnnviz.models.network import Network
from cnnviz.models.preprocess import geometry_for, to_inputs
from cnnviz.models.result import Drawable

DPI = 300
HELD_OUT_POSES = 200
STICKER, CLEAN = "sticker", "clean"


@dataclass(frozen=True)
class PatchResult(Drawable):
    """A patch with its controls.

    ``prints``: uint8 (H, W, 3) at 300 dots an inch, of the "sticker" and the controls "grey" and "noise"; ``rates`` of
    each, and of the bare photo, "clean", in ``poses`` held-out poses; ``target``: the bare photo's own class; ``area``:
    share of the network's input that the patch covers; ``seed`` of the poses.
    """

    scene: PatchScene
    prints: dict[str, Photo]
    rates: dict[str, PatchRates]
    target: int
    area: float
    poses: int
    queries: QueryCount
    seed: int = 0

    @property
    def image(self) -> Photo:
        """The patch alone, in print size: uint8 RGB (H, W, 3)."""
        return self.prints[STICKER]

    @property
    def success_rate(self) -> float:
        """Share of the held-out poses in which the photo with the patch is classified as the goal."""
        return self.rates[STICKER].success_rate

    @property
    def print_size(self) -> tuple[float, float]:
        """Width and height of the print, in millimetres."""
        height, width = self.image.shape[:2]
        return round(width / DPI * 25.4, 1), round(height / DPI * 25.4, 1)

    def encode(self, recipe: Mapping[str, Any]) -> bytes:
        """Return the patch as a PNG of its print size, with a recipe."""
        image = Image.fromarray(self.image)
        image.info["dpi"] = (DPI, DPI)
        return encode_image("patch.png", image, recipe)

    @property
    def controls(self) -> dict[str, PatchRates]:
        """The rates of the controls and the bare photo."""
        return {name: rates for name, rates in self.rates.items() if name != STICKER}


def patch(
    network: Network,
    photo: Photo | str | Path,
    region: str | Path,
    goal: str | int,
    *,
    steps: int = 600,
    print_size: float = 100.0,
    fit: str = "crop",
    seed: int = 0,
    max_pixels: int = MAX_PIXELS,
    control: Control = Control(),
) -> PatchResult:
    """Make a patch for a region of a photo that a network then classifies as ``goal`` from many sides.

    Parameters
    ----------
    network : Network
    photo : str, Path or ndarray of uint8
        A path, or RGB (H, W, 3).
    region : str or Path
        Corners in pixels, "x,y x,y x,y", as a str, or the path of a mask of the photo's size, as a Path.
    goal : str or int
        The class to be fooled into, a name or an index.
    steps : int, default 600
        Steps of the optimisation, of one pose each.
    print_size : float, default 100.0
        The longer side of the print, in millimetres.
    fit : str, default "crop"
        As in ``cnnviz.fit``.
    seed : int, default 0
        Seeds the poses and the noise.
    max_pixels : int, default 100_000_000
        The largest photo and mask that are read, in pixels.
    control : Control, default Control()
        Gets the progress.

    Returns
    -------
    PatchResult
        ``image``, the patch in print size, uint8 RGB (H, W, 3); ``success_rate``; rates of the ``controls``.

    Raises
    ------
    InvalidRequest
        For a class that the network lacks.
    MethodError
        For a photo that is classified as the goal already, a region outside the crop, or a mask that does not fit.
    PhotoError
        For a photo that cannot be read, or a region outside it.

    Notes
    -----
    A simulation: the patch is evaluated as printed, in 8 bits, in held-out poses, beside two controls and the bare
    photo. The texture is optimised over random poses [1]_, in a region as in [2]_; departures: see ``patch_texture``.

    References
    ----------
    .. [1] Athalye et al., "Synthesizing Robust Adversarial Examples", 2018, section 2.
    .. [2] Eykholt et al., "Robust Physical-World Attacks on Deep Learning Visual Classification", 2018, section 3.

    Examples
    --------
    >>> region = "250,150 350,150 350,250 250,250"
    >>> made = cnnviz.patch(cnnviz.load_network(), "sample_images/coffee.jpg", region, "banana")
    """
    image = photo if isinstance(photo, np.ndarray) else read_photo(photo, max_pixels=max_pixels)
    placement = read_region(region, (image.shape[0], image.shape[1]), max_pixels)
    geometry = geometry_for(image.shape[:2], network, fit)
    scene = PatchScene(image, placement, geometry, network, network.class_index(str(goal)))
    target = int(scene.clean_logits().argmax())
    texture = optimize_texture(
        network, scene.scene(), scene.texels(), scene.goal, steps=steps, seed=seed, control=control
    )
    prints = render_prints(scene, texture, print_size, seed)
    rates = evaluate_prints(scene, prints, target, seed, control)
    queries = QueryCount(steps * POSES, steps * POSES)
    return PatchResult(scene, prints, rates, target, round(scene.area(), 4), HELD_OUT_POSES, queries, seed)


def render_prints(scene: PatchScene, texture: Tensor, longer: float, seed: int) -> dict[str, Photo]:
    """Return the sticker and its controls as printed, ``longer`` millimetres along the longer side: uint8 (H, W, 3).

    Controls: plain grey, and noise of the same texels. What is to be cut off is white.
    """
    low, high = PRINTABLE
    noise = low + (high - low) * torch.rand(texture.shape, generator=torch.Generator().manual_seed(seed))
    dots = longer / 25.4 * DPI / max(scene.placement.size)
    height, width = (max(1, round(dots * side)) for side in scene.placement.size)
    outline, prints = scene.placement.outline((height, width)), {}
    for name, texels in {STICKER: texture, "grey": torch.full_like(texture, 0.5), "noise": noise}.items():
        small = Image.fromarray(to_image(texels))
        prints[name] = np.array(small.resize((width, height), Image.Resampling.BICUBIC))
        prints[name][~outline] = 255
    return prints


def composites(scene: PatchScene, prints: Mapping[str, Photo]) -> dict[str, Photo]:
    """Return the photo (H, W, 3) with each of the prints in the region, and as it is, "clean"."""
    photos = {name: scene.placement.composite(scene.photo, image) for name, image in prints.items()}
    return photos | {CLEAN: scene.photo}


def evaluate_prints(
    scene: PatchScene, prints: Mapping[str, Photo], target: int, seed: int, control: Control = Control()
) -> dict[str, PatchRates]:
    """Return the rates of the prints, in 8 bits on the photo, and of the bare photo, in the same held-out poses."""
    network, photos, rates = scene.network, composites(scene, prints), {}
    cards = torch.cat([scene.card(photo) for photo in photos.values()])
    logits = held_out_logits(network, scene.scene(), cards, count=HELD_OUT_POSES, seed=seed, control=control)
    for (name, photo), first in zip(photos.items(), logits.argmax(2), strict=True):
        success = round(float((first == scene.goal).float().mean()), 4)
        misclassified = round(float((first != target).float().mean()), 4)
        rates[name] = PatchRates(success, misclassified, network.top(scene.logits(photo)))
    return rates


@dataclass(frozen=True)
class PatchView:
    """One input of the network, uint8 (h, w, 3), with its first class and that one's probability."""

    image: Photo
    name: str
    probability: float


def preview(result: PatchResult, seed: int, count: int) -> dict[str, list[PatchView]]:
    """Return the fixed view and ``count`` held-out poses of sticker, controls and bare photo."""
    scene, network = result.scene, result.scene.network
    poses = next(held_out_poses(scene.geometry.size, HELD_OUT_POSES, seed))
    rows: dict[str, list[PatchView]] = {}
    for name, photo in composites(scene, result.prints).items():
        with torch.inference_mode():
            views = poses.render(scene.card(photo), scene.frame())[:count]
            views = torch.cat((to_inputs([scene.geometry.see(photo)]), views))
            tops = [network.top(logits)[0] for logits in network(views).float().cpu()]
        pairs = zip(views, tops, strict=True)
        rows[name] = [PatchView(to_image(view), top.name, top.probability) for view, top in pairs]
    return rows
