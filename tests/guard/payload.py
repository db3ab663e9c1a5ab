"""A result's bytes taken apart: the recipe, and what is left without it. Reads the formats itself, not by cnnviz."""

import hashlib
import html
import io
import json
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

KEY = b"cnnviz"
XMP = re.compile(rb"<cnnviz:recipe xmlns:cnnviz='[^']*'>(.*?)</cnnviz:recipe>", re.DOTALL)
Parts = tuple[dict[str, Any], Any]  # what is left, by part; the recipe or None


def sha(data: bytes) -> str:
    """Return the sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def split(data: bytes) -> Parts:
    """Return what a file holds beside its recipe, by part, and the recipe; None where it has none."""
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _png(data)
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:4] == b"GIF8":
        return _gif(data)
    if data[:4] == b"PK\x03\x04":
        return _npz(data)
    if data[4:8] == b"ftyp" or data[:4] == b"\x1aE\xdf\xa3":
        return _video(data)
    return {"bytes": sha(data)}, None


def _gather(blocks: Iterator[tuple[str, bytes]], is_recipe: Any) -> tuple[dict[str, Any], bytes | None]:
    """Return the digest of all blocks but the recipe's, by kind, and the recipe's block."""
    kinds: dict[str, Any] = {}
    found = None
    for kind, block in blocks:
        if is_recipe(kind, block):
            found = block
        else:
            kinds.setdefault(kind, hashlib.sha256()).update(block)
    return {kind: digest.hexdigest() for kind, digest in kinds.items()}, found


def _png(data: bytes) -> Parts:
    def blocks() -> Iterator[tuple[str, bytes]]:
        at = 8
        while at < len(data):
            (length,) = struct.unpack(">I", data[at : at + 4])
            yield data[at + 4 : at + 8].decode("latin-1"), data[at + 8 : at + 8 + length]
            at += 12 + length

    parts, found = _gather(blocks(), lambda kind, block: kind == "iTXt" and block.startswith(KEY + b"\0"))
    # keyword, 0, compressed or not, method, language, 0, keyword in that language, 0, text
    return parts, json.loads(found[len(KEY) + 3 :].split(b"\0", 2)[2]) if found else None


def _xmp(packet: bytes | None) -> Any:
    found = XMP.search(packet or b"")
    return json.loads(html.unescape(found[1].decode())) if found else None


def _jpeg(data: bytes) -> Parts:
    def blocks() -> Iterator[tuple[str, bytes]]:
        at = 2
        while data[at + 1] != 0xDA:
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            yield f"marker {data[at + 1]:02X}", data[at + 4 : at + 2 + length]
            at += 2 + length
        yield "scan", data[at:]

    parts, found = _gather(blocks(), lambda kind, block: kind == "marker E1" and XMP.search(block))
    return parts, _xmp(found)


def _webp(data: bytes) -> Parts:
    def blocks() -> Iterator[tuple[str, bytes]]:
        at = 12
        while at < len(data):
            (length,) = struct.unpack("<I", data[at + 4 : at + 8])
            yield data[at : at + 4].decode("latin-1"), data[at + 8 : at + 8 + length]
            at += 8 + length + length % 2

    parts, found = _gather(blocks(), lambda kind, block: kind == "XMP " and XMP.search(block))
    return parts, _xmp(found)


def _gif(data: bytes) -> Parts:
    from PIL import Image

    digest, recipe = hashlib.sha256(), None
    with Image.open(io.BytesIO(data)) as image:
        comment = bytes(image.info.get("comment") or b"")
        if comment.startswith(KEY + b" "):
            recipe = json.loads(comment[len(KEY) + 1 :])
        info = {key: image.info.get(key) for key in ("loop", "version")}
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            digest.update(f"{image.info.get('duration')} {image.size}".encode() + image.convert("RGBA").tobytes())
    return {"frames": digest.hexdigest(), **info}, recipe


def _npz(data: bytes) -> Parts:
    import numpy as np

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
    found = members.pop("recipe", None)
    recipe = json.loads(str(np.load(io.BytesIO(found)))) if found else None
    return {name: sha(member) for name, member in members.items()}, recipe


def _video(data: bytes) -> Parts:
    import av

    parts: dict[str, Any] = {}
    with av.open(io.BytesIO(data)) as container:
        tags = dict(container.metadata)
        found = next((key for key in tags if key.lower() == KEY.decode()), None)
        recipe = json.loads(tags.pop(found)) if found else None
        parts["tags"] = tags
        for stream in container.streams:
            context = stream.codec_context
            parts[f"stream {stream.index}"] = [context.name, str(stream.time_base), sha(context.extradata or b"")]
        digest = hashlib.sha256()
        for packet in container.demux():
            digest.update(f"{packet.stream.index} {packet.pts} {packet.dts} {packet.duration}".encode() + bytes(packet))
    return parts | {"packets": digest.hexdigest()}, recipe
