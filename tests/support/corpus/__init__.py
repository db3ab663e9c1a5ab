"""Pictures that a program meets and hopes not to: whole, odd, broken and hostile, each with its right answer.

The answers never come from the program under test, nor from the decoder it uses: a picture is made first, and the
file from it. Every picture differs from every other, so that no answer can pass for another's.
"""

from pathlib import Path

from tests.support.corpus import bad, good
from tests.support.corpus.bad import whole_files
from tests.support.corpus.cases import TURNS, Case, paletted, patches, smooth
from tests.support.corpus.files import encode, exif, jpeg, png, tiff

__all__ = [
    "TURNS",
    "Case",
    "build",
    "encode",
    "exif",
    "jpeg",
    "paletted",
    "patches",
    "png",
    "smooth",
    "tiff",
    "whole_files",
]


def build(folder: Path) -> list[Case]:
    """Write the corpus into an empty folder and return its cases."""
    return [case for part in (*bad.PARTS, *good.PARTS) for case in part(folder)]
