"""Images and arrays to files or standard output: the complete file or nothing, with the recipe inside."""

import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cnnviz.errors import InvalidRequest, OutputError
from cnnviz.io.recipe import KEY, Recipe, dump_recipe, read_recipe, to_xmp
from cnnviz.text import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
VECTOR_FORMATS = (".pdf", ".svg")  # of figures with a frame, beside those above
SIDES = {"PNG": 1 << 31, "JPEG": 65500, "WEBP": 16383}
Save = Callable[[BinaryIO], object]


def image_format(path: str) -> str:
    """Return Pillow's name of the format for a file's ending; PNG for standard output. Raises InvalidRequest."""
    if path in STDOUT:
        return "PNG"
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InvalidRequest(f"-o {printable(path)}: write to a name that ends in {', '.join(FORMATS)}")
    return FORMATS[suffix]


def check_output(path: str, *, overwrite: bool) -> None:
    """Raise OutputError or InvalidRequest, before any work is done, if ``path`` cannot or must not be written.

    A file without a recipe of cnnviz is replaced only with ``overwrite``; a device, a FIFO or a socket never.
    """
    if path in STDOUT:
        if sys.stdout is not None and sys.stdout.isatty():
            raise InvalidRequest("an image is not written to a terminal: redirect it, or name a file with -o")
        return
    target = Path(os.path.realpath(path))
    if not os.path.isdir(target.parent):
        raise OutputError(f"{printable(path)}: there is no folder {printable(str(target.parent))}")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{printable(path)}: {os.strerror(errno.EACCES).lower()}")
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{printable(path)}: {(error.strerror or str(error)).lower()}") from error
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "a device, a FIFO or a socket"
        raise OutputError(f"{printable(path)}: is {what}, and is not replaced")
    if not overwrite and read_recipe(target) is None:
        raise OutputError(f"{printable(path)}: exists and was not written by cnnviz; --overwrite replaces it")


def write_image(path: str, picture: "NDArray[np.uint8]", recipe: Recipe, dpi: int | None = None) -> None:
    """Write an image, uint8 RGB (H, W, 3), with its recipe and resolution: PNG, JPEG or WebP by the ending."""
    from PIL import Image

    image = Image.fromarray(picture)
    if dpi:
        image.info["dpi"] = (dpi, dpi)
    write(path, lambda file: file.write(encode_image(path, image, recipe)))


def encode_image(path: str, image: "Image.Image", recipe: Recipe) -> bytes:
    """Return the bytes of an image's file at ``path``, with recipe, profile and resolution. Raises OutputError."""
    from PIL import ExifTags, Image, PngImagePlugin

    kind, file = image_format(path), io.BytesIO()
    if max(image.size) > SIDES[kind]:
        raise OutputError(f"{printable(path)}: {image.width}x{image.height} pixels are too many for {kind}; use PNG")
    keep: dict[str, Any] = {key: image.info[key] for key in ("icc_profile", "dpi") if key in image.info}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt(KEY, dump_recipe(recipe))
        image.save(file, "PNG", pnginfo=text, **keep)
    elif kind == "JPEG":
        image.save(file, "JPEG", quality=95, subsampling=0, xmp=to_xmp(recipe), **keep)
    else:
        if "dpi" in keep:  # WebP keeps a resolution as EXIF
            exif = Image.Exif()
            exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = keep.pop("dpi")
            exif[ExifTags.Base.ResolutionUnit] = 2  # inches
            keep["exif"] = exif
        image.save(file, "WEBP", quality=95, method=4, exact=True, xmp=to_xmp(recipe), **keep)
    return file.getvalue()


def write_bytes(path: str, data: bytes) -> None:
    """Write the bytes of a file."""
    write(path, lambda file: file.write(data))


def write_arrays(path: str, arrays: "Mapping[str, NDArray[Any]]", recipe: Recipe) -> None:
    """Write named arrays and their recipe as .npz."""
    import numpy as np

    write(path, lambda file: np.savez(file, recipe=np.array(dump_recipe(recipe)), **arrays))  # type: ignore[arg-type]


def write_text(path: str, text: str) -> None:
    """Write text in UTF-8."""
    write_bytes(path, text.encode())


def write(path: str, save: Save) -> None:
    """Write the file that ``save`` creates, completely or not at all: an old file stays until then. Raises OutputError.

    BrokenPipeError if the reader of standard output has closed it.
    """
    try:
        if path in STDOUT:
            buffer = io.BytesIO()
            save(buffer)
            view, at = buffer.getbuffer(), 0
            while at < len(view):  # without Python's buffer, so that a full device or a closed pipe raises here
                at += os.write(1, view[at : at + (1 << 20)])
        else:
            _to_file(Path(os.path.realpath(path)), save)
    except BrokenPipeError:
        raise
    except (OSError, ValueError) as error:
        name = "standard output" if path in STDOUT else printable(path)
        reason = getattr(error, "strerror", None) or str(error) or "cannot be written"
        raise OutputError(f"{name}: {reason.lower()}") from error


def _to_file(target: Path, save: Save) -> None:
    temporary = target.with_name(f".cnnviz-{os.urandom(8).hex()}.tmp")
    # os.open respects the umask, which the tempfile module does not.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            save(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # not supported on all filesystems; the file itself is safe
        descriptor = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create an output folder and its parents. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{printable(str(folder))}: {(error.strerror or str(error)).lower()}") from error
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{printable(str(folder))}: {os.strerror(errno.EACCES).lower()}")
