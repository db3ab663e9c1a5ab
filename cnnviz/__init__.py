"""cnnviz: see what a convolutional network sees.

``from cnnviz import load_network, read_photo, fit, Network`` is the Python interface; importing the
package alone does not import torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnnviz.io.photo import read as read_photo
    from cnnviz.models.loader import load as load_network
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import fit

__version__ = "0.1.0"

_HOMES = {
    "Network": ("cnnviz.models", "Network"),
    "load_network": ("cnnviz.models", "load"),
    "read_photo": ("cnnviz.images", "read"),
    "fit": ("cnnviz.images", "fit"),
}
__all__ = ["Network", "fit", "load_network", "read_photo"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'cnnviz' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
