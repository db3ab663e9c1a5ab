"""Folders of depth networks, here or from the Hugging Face hub. Imports no torch, so that failures are quick."""

import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnviz.errors import WeightsError
from cnnviz.models.weights import TIMM_HUB, open_url
from cnnviz.text import error_reason, printable

CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"
FILES = ("model.safetensors", "pytorch_model.bin")  # of weights, the first that is there
HUB_NAME = re.compile(r"\w[\w.-]*/\w[\w.-]*", re.ASCII)
HOW = "name a folder that transformers' save_pretrained wrote, or a network of its hub as OWNER/NAME"


@dataclass(frozen=True)
class DepthFolder:
    """The folder of a depth network, as transformers saves it, and the ``name`` of the network."""

    name: str
    path: Path

    @property
    def weights(self) -> Path:
        """The file of weights. Raises WeightsError if there is none, or no configuration beside it."""
        file = next((self.path / name for name in FILES if (self.path / name).is_file()), None)
        if file is None or not (self.path / CONFIG).is_file():
            lacks = FILES[0] if file is None else CONFIG
            raise WeightsError(f"{printable(str(self.path))}: holds no {lacks}\n{HOW}")
        return file


def find_depth_network(name: str | Path, *, offline: bool = False) -> DepthFolder:
    """Return the folder of a depth network, fetched from the hub where it must be.

    ``name``: a folder, or OWNER/NAME on the hub. Raises WeightsError if transformers or the weights are unavailable.
    """
    if importlib.util.find_spec("transformers") is None:
        raise WeightsError("depth needs the transformers library, which is not here\nit is installed by: "
                           "pip install 'cnnviz[depth]'")  # fmt: skip
    word, path = str(name), Path(name)
    if path.is_dir():
        found = DepthFolder(path.resolve().name, path)
    elif HUB_NAME.fullmatch(word):
        found = DepthFolder(word, _from_hub(word, offline))
    else:
        raise WeightsError(f"{printable(word)}: no such folder\n{HOW}")
    _ = found.weights  # raises without them
    return found


def _from_hub(name: str, offline: bool) -> Path:
    """Return the folder of a network in the hub's cache, downloaded if it is not there."""
    from huggingface_hub import constants

    cache = printable(constants.HF_HUB_CACHE)
    where = f"put them into {cache} as the hub's client does, or name a folder that holds them with --model"
    if (found := _snapshot(name, FILES, local=True)) is not None:
        return found
    if offline:
        raise WeightsError(f"{name}: weights are not here, and --offline forbids to fetch them\n{where}")
    try:
        open_url(os.environ.get("HF_ENDPOINT") or TIMM_HUB).close()  # at once, where there is no connection
        for file in FILES:
            if (found := _snapshot(name, (file,), local=False)) is not None:
                return found
    except Exception as error:  # the hub raises the errors of its own transport
        raise WeightsError(f"{name}: weights could not be fetched ({error_reason(error)})\n{where}") from error
    raise WeightsError(f"{name}: the hub has no {' or '.join(FILES)} under this name\n{where}")


def _snapshot(name: str, files: Sequence[str], *, local: bool) -> Path | None:
    """Return the folder of a network's files on this machine, ``local`` without a connection; None if it lacks some."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        path = Path(snapshot_download(name, allow_patterns=[CONFIG, PREPROCESSOR, *files], local_files_only=local))
    except (HFValidationError, LocalEntryNotFoundError):
        if local:
            return None
        raise
    return path if (path / CONFIG).is_file() and any((path / file).is_file() for file in files) else None
