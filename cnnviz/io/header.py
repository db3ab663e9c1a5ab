"""Image headers: format, and whether the image is too large to be decoded."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from PIL import Image, ImageFile, UnidentifiedImageError

from cnnviz.errors import CnnvizError, PhotoError
from cnnviz.text import printable

logging.getLogger("PIL").addHandler(logging.NullHandler())  # otherwise it writes to standard error

MAX_PIXELS = 100_000_000
START = 32
# JPEG includes MPO. Without QOI: Pillow decodes it in Python, minutes for a large one.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF", "ICO")
READABLE = "JPEG, PNG, WebP, GIF, TIFF, BMP, PPM, JPEG 2000, AVIF and ICO"
BRANDS = rb"avi[fs]|hei[cxms]|hev[cxms]|mif1|msf1"
# Stricter than Pillow's own tests, which take a text that begins with "BM" or "Py" for an image.
PICTURE = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n|RIFF.{4}WEBP|GIF8[79]a|II[*+]\0|MM\0[*+]|BM.{12}[\x0c(4@l|8]\0{3}|P[1-6fF]\s"
    rb"|\xff\x4f\xff\x51|\0{3}\x0cjP  \r\n\x87\n|\0\0\x01\0[^\0]\0|.{4}ftyp(?:" + BRANDS + rb")",
    re.DOTALL,
)


def may_be_picture(start: bytes) -> bool:
    """Return whether the first START bytes of a file are those of an image; True for HEIC, refused later by name."""
    return PICTURE.match(start) is not None


@contextmanager
def open_image(file: IO[bytes], max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """Yield an image whose header has been checked; any error while it is open becomes a PhotoError."""
    start = file.read(START + 256)
    file.seek(0)
    _check_kind(start)
    limit = Image.MAX_IMAGE_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow checks before each allocation; above our limit its warning is an error.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            Image.MAX_IMAGE_PIXELS = max_pixels
            with Image.open(file, formats=FORMATS) as image:
                yield image
    except CnnvizError:
        raise
    except UnidentifiedImageError:
        raise PhotoError("is broken: its header cannot be read") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PhotoError(f"has more than {max_pixels:,} pixels; see --max-pixels") from error
    except MemoryError:
        raise PhotoError("does not fit into memory") from None
    except Exception as error:  # decoders can raise any exception on a damaged file
        text = printable((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise PhotoError(f"is broken or cut short ({text})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _check_kind(start: bytes) -> None:
    """Raise PhotoError for what is no image by its first bytes, before Pillow tries its decoders."""
    if not start:
        raise PhotoError("is empty")
    if start[4:8] == b"ftyp" and may_be_picture(start) and not re.search(rb"avi[fs]", start[8:]):
        raise PhotoError("is a HEIC image, which is not supported; convert it to JPEG or PNG")
    if not may_be_picture(start):
        raise PhotoError(f"is not an image of a supported format ({READABLE})")
