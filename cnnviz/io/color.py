"""Conversion of Pillow images of any mode to upright 8-bit sRGB without alpha."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageColor

from cnnviz.errors import InvalidRequest, PhotoError
from cnnviz.text import printable

Photo = NDArray[np.uint8]
Note = Callable[[str], None]

ROWS = 256
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def parse_color(name: str) -> tuple[int, ...]:
    """Return a CSS colour as RGB, 0 to 255. Raises InvalidRequest."""
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        raise InvalidRequest(f"no colour is named {name!r}; use a CSS name or #rrggbb") from None


def to_rgb(image: Image.Image, background: tuple[int, ...], note: Note) -> Photo:
    """Return a loaded image's pixels, uint8 RGB (H, W, 3), over ``background`` (RGB, 0 to 255)."""
    icc = image.info.get("icc_profile")
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        # Pillow inverts every CMYK JPEG, but only Adobe's are stored inverted.
        image = Image.eval(image, lambda value: 255 - value)
    image = upright(image, note)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_8_bits(image)
    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode[:-1] + "A")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    image = _to_srgb(image, icc, note)
    if image.mode in ("LA", "RGBA"):
        below = Image.new("RGBA", image.size, background)
        below.alpha_composite(image.convert("RGBA"))
        image = below
    image = image.convert("RGB") if image.mode != "RGB" else image
    photo = np.empty((image.height, image.width, 3), np.uint8)
    for top in range(0, image.height, ROWS):  # by strips: np.asarray takes three times the memory of an image
        photo[top : top + ROWS] = np.asarray(image.crop((0, top, image.width, min(top + ROWS, image.height))))
    return photo


def upright(image: Image.Image, note: Note) -> Image.Image:
    """Rotate an image by its EXIF orientation; ImageOps.exif_transpose would copy it and fail on damaged EXIF data."""
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    except Exception as error:  # noqa: BLE001 - Pillow's parser raises anything
        note(f"its EXIF data cannot be read ({printable(str(error)) or type(error).__name__}): assumed upright")
        return image
    return image.transpose(turn) if turn is not None else image


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale 16-bit grey and floats to 8 bits; Pillow would clip them to white."""
    values = np.asarray(image)
    if image.mode == "F":
        if not np.isfinite(values).all():
            raise PhotoError("has values that are not finite numbers")
        if values.min() < 0 or values.max() > 1:
            raise PhotoError("has floating-point values outside 0 to 1; scale them first")
        return Image.fromarray(np.rint(values * 255.0).astype(np.uint8))
    if values.min() < 0 or values.max() > 65535:
        raise PhotoError("has integers outside 0 to 65535; scale them first")
    grey = Image.fromarray(((np.arange(65536) + 128) // 257).astype(np.uint8)[values])
    if isinstance(key := image.info.get("transparency"), int):
        grey.putalpha(Image.fromarray(np.where(values == key, np.uint8(0), np.uint8(255))))
    return grey


def _to_srgb(image: Image.Image, icc: bytes | None, note: Note) -> Image.Image:
    """Convert by the image's own ICC profile; without one, by Pillow's rules."""
    if not icc and image.mode != "LAB":
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc) if icc else ImageCms.createProfile("LAB"))
        space = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}.get(profile.profile.xcolor_space.strip())
        plain = {"LA": "L", "RGBA": "RGB", "RGBX": "RGB", "1": "L", "YCbCr": "RGB"}.get(image.mode, image.mode)
        if space is None or (space != plain and (space, plain) != ("RGB", "L")):
            note(f"its colour profile is for {space or 'other'} pixels, not {plain}: ignored")
            return image
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), space, "RGB")
        if space in ("L", "RGB") and _is_identity(transform, space):
            return image
        result = _apply(image.convert(space), transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        note(f"its colour profile cannot be used ({printable(str(error).strip()) or type(error).__name__}): ignored")
        return image
    if image.mode in ("LA", "RGBA"):
        result.putalpha(image.getchannel("A"))
    return result


def _is_identity(transform: ImageCms.ImageCmsTransform, space: str) -> bool:
    """Return whether a transform is the identity up to rounding, whatever the profile's name."""
    cube = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), -1).reshape(18, -1, 3)
    probe = Image.fromarray(cube).convert(space)
    before, after = np.asarray(probe.convert("RGB"), np.int16), np.asarray(_apply(probe, transform), np.int16)
    return bool(np.abs(before - after).max() <= 2)


def _apply(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None  # only in-place conversions return None
    return converted
