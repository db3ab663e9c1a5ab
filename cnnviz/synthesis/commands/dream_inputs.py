"""The images that ``cnnviz dream`` reads or makes beside its photos: guides, masks, noise."""

from dataclasses import replace
from typing import TYPE_CHECKING

from cnnviz.errors import MethodError, PhotoError
from cnnviz.synthesis.commands.dream_options import Options
from cnnviz.synthesis.spec import ObjectiveSpec
from cnnviz.text import printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.io.color import Photo

NOISE_SIDE = 512  # pixels of an image from noise without --long-side


def noise_image(options: Options) -> "Photo":
    """Return the image that a dream from noise starts with."""
    import torch

    from cnnviz.io.convert import to_image
    from cnnviz.synthesis.ascent import grey_noise

    side = options.long_side or NOISE_SIDE
    return to_image(grey_noise((side, side), torch.Generator().manual_seed(options.seed)))


def objective_with_guides(options: Options) -> ObjectiveSpec:
    """Return what is maximised, with the images of --guide. Raises MethodError for one that cannot be read."""
    guides = tuple(read_image(path, options, options.background) for path in options.guide)
    return replace(options.objective, guides=guides)


def read_mask(photo: "Photo", options: Options) -> "Tensor | None":
    """Return where the photo may change, (1, 1, H, W) in 0 to 1 at the size of the result; None without --mask.

    Raises MethodError if the mask does not have the photo's size.
    """
    if options.mask is None:
        return None
    import numpy as np
    import torch

    from cnnviz.io.convert import resize_long_side
    from cnnviz.io.photo import read_mask

    mask = read_mask(options.mask, (photo.shape[0], photo.shape[1]), max_pixels=options.max_pixels)
    values = resize_long_side(mask, options.long_side).astype(np.float32) / 255
    return torch.from_numpy(values)[None, None]


def read_image(path: str, options: Options, background: str) -> "Photo":
    """Return the image in an option's file. Raises MethodError with its name where it cannot be read."""
    from cnnviz.io.photo import read_photo

    try:
        return read_photo(path, max_pixels=options.max_pixels, background=background)
    except PhotoError as error:
        raise MethodError(f"{printable(path)}: {error}") from error
