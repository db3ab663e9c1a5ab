"""Layer names for shell completion, cached in the user's cache folder, since building a network loads torch."""

import contextlib
import os
from pathlib import Path
from urllib.parse import quote

from cnnviz import __version__
from cnnviz.errors import CnnvizError
from cnnviz.io import write


def layer_names(model: str) -> list[str]:
    """Return the names of a network's layers, in the order of definition; an empty list if it cannot be built."""
    path = cache_file(model)
    with contextlib.suppress(OSError):
        return path.read_text("utf-8").splitlines()
    from cnnviz.models.loader import build_blank

    try:
        names = [name for name, _ in build_blank(model).named_modules() if name]
    except CnnvizError:
        return []
    with contextlib.suppress(CnnvizError):
        write.make_folder(path.parent)
        write.write_text(str(path), "\n".join(names))
    return names


def cache_file(model: str) -> Path:
    """Return the path of a network's cached layer names: XDG_CACHE_HOME or ~/.cache, by version of cnnviz."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "cnnviz" / __version__ / f"layers-{quote(model, safe='')}.txt"
