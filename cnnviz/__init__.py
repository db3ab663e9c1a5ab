"""cnnviz: visualise and interpret convolutional networks.

``from cnnviz import load_network, read_photo, fit, Network`` is the Python interface; importing the package alone
does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnviz.io.photo import read_photo as read_photo
    from cnnviz.models.loader import load_network as load_network
    from cnnviz.models.network import Network as Network
    from cnnviz.models.preprocess import fit as fit

__version__ = "0.1.0"

_HOMES = {
    "Network": "cnnviz.models.network",
    "load_network": "cnnviz.models.loader",
    "read_photo": "cnnviz.io.photo",
    "fit": "cnnviz.models.preprocess",
}
__all__ = ["Network", "fit", "load_network", "read_photo"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cnnviz' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
