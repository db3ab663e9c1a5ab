"""Which images style transfer takes in tiles, and how large these are."""

from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import FeatureExtractor
from cnnviz.synthesis.tiled_maps import TiledMaps

MAX_WHOLE = 2 << 20  # pixels: larger images are taken in tiles, to bound the memory
TILE = 768  # pixels of a tile's side


def tile_side(image: Tensor) -> int | None:
    """Return the side of the tiles that an image (..., h, w) is taken in; None: whole."""
    return TILE if image.shape[-2] * image.shape[-1] > MAX_WHOLE else None


def split_image(extractor: FeatureExtractor, image: Tensor, tile: int | None) -> TiledMaps:
    """Return the tiles of an image (..., h, w), about ``tile`` pixels a side; None: one tile for the whole image.

    Raises InvalidRequest for a network with layers without exact tiles.
    """
    try:
        return TiledMaps(extractor, (image.shape[-2], image.shape[-1]), tile)
    except InvalidRequest as error:
        name = extractor.network.name
        text = f"{name} has layers without exact tiles: take images of at most {MAX_WHOLE:,} pixels"
        raise InvalidRequest(text) from error
