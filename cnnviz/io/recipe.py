"""The recipe inside every file that cnnviz writes: command, options, versions and input, to repeat the result."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnnviz.errors import CnnvizError
from cnnviz.text import printable

KEY = "cnnviz"
VERSION = 1
LIMIT = 1 << 20
NAMESPACE = "https://cnnviz.org/recipe/1/"
Recipe = Mapping[str, Any]
JsonObject = dict[str, Any]
OPEN, CLOSE = f"<cnnviz:recipe xmlns:cnnviz='{NAMESPACE}'>", "</cnnviz:recipe>"


def dump_recipe(recipe: Recipe) -> str:
    """Return a recipe as JSON: ASCII, keys sorted, the same text for the same recipe."""
    return json.dumps(recipe, sort_keys=True, ensure_ascii=True, allow_nan=False)


def recipe_element(recipe: Recipe) -> str:
    """Return a recipe as an XML element with a namespace of its own, for XMP and SVG."""
    import html

    return f"{OPEN}{html.escape(dump_recipe(recipe), quote=False)}{CLOSE}"


def to_xmp(recipe: Recipe) -> bytes:
    """Return a recipe as an XMP packet, for JPEG and WebP."""
    inner = recipe_element(recipe)
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    packet = (
        "<?xpacket begin='\ufeff' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        f"<rdf:RDF xmlns:rdf='{rdf}'><rdf:Description rdf:about=''>{inner}</rdf:Description></rdf:RDF>"
        "</x:xmpmeta><?xpacket end='r'?>"
    )
    return packet.encode()


def to_comment(recipe: Recipe) -> bytes:
    """Return a recipe as a comment with a prefix, for GIF."""
    return f"{KEY} {dump_recipe(recipe)}".encode()


def read_recipe(path: Path) -> JsonObject | None:
    """Return the recipe inside a file; None if there is none or the file cannot be read."""
    if not os.path.isfile(path):
        return None
    try:
        text = _text(path)
        recipe = json.loads(text, parse_constant=_refuse) if len(text) <= LIMIT else None
    except Exception:  # noqa: BLE001 - decoders can raise any exception on a forged file
        return None
    valid = isinstance(recipe, dict) and isinstance(recipe.get("command"), str) and recipe.get("recipe") == VERSION
    return recipe if valid else None


def read_required(path: Path) -> JsonObject:
    """Return the recipe inside a file. Raises CnnvizError if there is none."""
    name = printable(str(path))
    if not os.path.isfile(path):
        raise CnnvizError(f"{name}: {'is not a file' if os.path.exists(path) else 'no such file'}")
    if not os.access(path, os.R_OK):
        raise CnnvizError(f"{name}: permission denied")
    recipe = read_recipe(path)
    if recipe is None:
        raise CnnvizError(f"{name}: has no recipe: cnnviz did not write it, or another program has saved it since")
    return recipe


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _text(path: Path) -> str:
    if path.suffix.lower() == ".npz":
        return _npz(path)
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"%PDF-"):
        return _pdf(path)
    if start.startswith((b"<?xml", b"<svg")):
        return _svg(path)
    video = start[4:] == b"ftyp" or start[:4] == b"\x1aE\xdf\xa3"  # MP4 and MOV, Matroska
    return _video(path) if video else _picture(path)


def _video(path: Path) -> str:
    import av

    # A file object and two containers only: other formats of FFmpeg may refer to other files and addresses.
    options = {"format_whitelist": "mov,matroska"}
    with path.open("rb") as file, av.open(file, "r", container_options=options) as container:
        return next((text for key, text in container.metadata.items() if key.lower() == KEY), "")


def _picture(path: Path) -> str:

    from PIL import Image

    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # only the header is read, however large the image
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP", "GIF")) as image:
            text = image.info.get(KEY)
            if isinstance(text, str):
                return text
            if image.format == "GIF":
                comment = bytes(image.info.get("comment") or b"").decode()
                return comment.removeprefix(f"{KEY} ") if comment.startswith(f"{KEY} ") else ""
            xmp = image.info.get("xmp") or b""
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    return _element(xmp)


def _pdf(path: Path) -> str:
    """Return the keywords of a PDF file, which stand near its end: a string with \\ before brackets and backslashes."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 3 * LIMIT))
        match = re.search(rb"/Keywords \(((?:[^\\()]|\\.)*)\)", file.read(), re.DOTALL)
    return re.sub(r"\\(.)", r"\1", match[1].decode("ascii")) if match else ""


def _svg(path: Path) -> str:
    with path.open("rb") as file:
        return _element(file.read(3 * LIMIT))


def _element(data: bytes) -> str:
    """Return the recipe in the first element that ``recipe_element`` made; "" without one."""
    import html

    _, _, rest = data.partition(OPEN.encode())
    inner, end, _ = rest.partition(CLOSE.encode())
    return html.unescape(inner.decode()) if end else ""


def _npz(path: Path) -> str:
    import zipfile

    from numpy.lib import format as npy

    with zipfile.ZipFile(path) as archive, archive.open("recipe.npy") as member:
        if archive.getinfo("recipe.npy").file_size > 4 * LIMIT + 1024:  # four bytes per character, and a header
            return ""
        return str(npy.read_array(member, allow_pickle=False))
