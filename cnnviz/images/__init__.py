"""Photograph in, network input out, and the Geometry that carries results back onto the photograph.

A photograph is uint8 RGB (H, W, 3): upright, sRGB, without alpha. Files are hostile until checked: the header
is judged before a pixel is decoded, and before torch is loaded.
"""

from cnnviz.images.colour import Note, Photo, parse_colour
from cnnviz.images.files import read_bytes
from cnnviz.images.geometry import Geometry, fit, geometry_of, inputs
from cnnviz.images.header import MAX_PIXELS, START, may_be_picture
from cnnviz.images.maps import MapFile, read_arrays, read_maps
from cnnviz.images.original import Original, original
from cnnviz.images.pattern import laid, ways
from cnnviz.images.photo import decode, read
from cnnviz.images.place import Place, mask_place, polygon_place

__all__ = [
    "MAX_PIXELS",
    "START",
    "Geometry",
    "MapFile",
    "Note",
    "Original",
    "Photo",
    "Place",
    "decode",
    "fit",
    "geometry_of",
    "inputs",
    "laid",
    "mask_place",
    "may_be_picture",
    "original",
    "parse_colour",
    "polygon_place",
    "read",
    "read_arrays",
    "read_bytes",
    "read_maps",
    "ways",
]  # fmt: skip
