"""``cnnviz.figure``: the matplotlib figure of a result.

The modules beside this one, named like the packages of the results, register a drawing function for each class of
results; one is imported when a result of its package is drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from matplotlib.figure import Figure

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.figures.output import png
from cnnviz.figures.style import NEUTRAL, THEMES, Look, ThemeName
from cnnviz.io.color import Photo
from cnnviz.io.convert import to_image
from cnnviz.io.photo import read_photo
from cnnviz.models.network import Network
from cnnviz.models.preprocess import Geometry, fit
from cnnviz.models.result import Drawable, InputResult

FITS = ("crop", "squash", "pad", "whole")
HOME = "cnnviz."


@dataclass(frozen=True)
class Request:
    """How results are to be drawn: the photo, if it is known, and the look."""

    photo: Photo | None
    look: Look

    def ground(self, result: InputResult) -> tuple[Photo, Geometry]:
        """Return the photo and the place of the network's input on it; without a photo the input itself."""
        network, inputs = network_of(result), result.inputs
        if inputs is None:
            raise InvalidRequest("the result holds no input to draw")
        if self.photo is None:
            size = (inputs.shape[-2], inputs.shape[-1])
            return to_image(inputs.float().clamp(0, 1)), Geometry(size, size, (0, 0), size)
        for mode in FITS:
            try:
                own, geometry = fit(self.photo, network, mode)
            except MethodError:  # too narrow for this mode
                continue
            if own.shape == inputs.shape and float((own - inputs.float().cpu()).abs().max()) < 1 / 255:
                return self.photo, geometry
        raise InvalidRequest("the result is not of this photo: fit(photo, network) is not the input it was computed of")


Drawer = Callable[[Any, Request], Figure]
Function = TypeVar("Function", bound=Drawer)
_DRAWERS: dict[type, tuple[Drawer, bool]] = {}


def draws(kind: type, *, several: bool = False) -> Callable[[Function], Function]:
    """Register the function that draws a result of a class; with ``several`` it is given a list of them."""

    def register(drawer: Function) -> Function:
        _DRAWERS[kind] = drawer, several
        return drawer

    return register


def network_of(result: Any) -> Network:
    """Return the network of a result. Raises InvalidRequest for a result that was put together without one."""
    network: Network | None = result.network
    if network is None:
        raise InvalidRequest("the result does not hold the network that it was computed with")
    return network


def of_one_input(results: Sequence[InputResult]) -> bool:
    """Return whether all results are of the same input."""
    first, *others = (torch.empty(0) if one.inputs is None else one.inputs.cpu() for one in results)
    return all(torch.equal(first, other) for other in others)


def photo_around(seen: Photo, geometry: Geometry) -> Photo:
    """Return the photo as far as the network's input (h, w, 3) shows it; the rest is grey."""
    values = np.nan_to_num(geometry.to_photo(seen.transpose(2, 0, 1)), nan=NEUTRAL)
    return np.ascontiguousarray(np.rint(values).astype(np.uint8).transpose(1, 2, 0))


def figure(
    result: Drawable | Sequence[Drawable], *, photo: Photo | str | Path | None = None, theme: ThemeName = "light",
    scale: int = 1,
) -> Figure:  # fmt: skip
    """Draw a result as the commands do.

    Parameters
    ----------
    result : a result of ``occlusion``, ``attribute``, ``evaluate``, ``activations``, ``kernels``, ``deconvnet``, \
``top_images``, ``heat``, ``rank``, ``thumbnail``, ``segment``, ``attack_photo``, ``patch``, ``robustness``, \
``inceptionism`` or ``visualize``
        Several of ``attribute``, ``deconvnet`` or ``inceptionism``, in a list, are drawn in one figure.
    photo : str, Path or ndarray of uint8, optional
        The photo that the input was made of by ``fit``, a path or RGB (H, W, 3); by default the figure shows the input.
        Used for results of ``occlusion``, ``attribute``, ``evaluate``, ``activations`` and ``heat``.
    theme : {"light", "dark"}, default "light"
        Colours of the paper and of the text.
    scale : {1, 2, 3}, default 1
        Resolution: the figure is 1920 times ``scale`` pixels wide.

    Returns
    -------
    matplotlib.figure.Figure
        9.6 inches wide; ``savefig`` writes it as PNG, PDF or SVG. It does not belong to pyplot.

    Raises
    ------
    InvalidRequest
        For a result without a figure, results that do not go together, and a photo of which the result is not.

    Notes
    -----
    In Jupyter a result shows its figure by itself, drawn with the default settings.

    Examples
    --------
    >>> network, photo = cnnviz.load_network(), cnnviz.read_photo("sample_images/coffee.jpg")
    >>> result = cnnviz.occlusion(network, cnnviz.fit(photo, network)[0])
    >>> cnnviz.figure(result, photo=photo, theme="dark").savefig("coffee.pdf")
    """
    if theme not in THEMES:
        raise InvalidRequest(f"theme {theme!r}: take one of {', '.join(THEMES)}")
    if scale not in (1, 2, 3):
        raise InvalidRequest(f"scale {scale!r}: take 1, 2 or 3")
    results = list(result) if isinstance(result, Sequence) else [result]
    kinds = {type(each) for each in results}
    if len(kinds) != 1:
        raise InvalidRequest("give one result, or several of one kind")
    drawer, several = _drawer(kinds.pop())
    if len(results) > 1 and not several:
        raise InvalidRequest(f"results of {type(results[0]).__name__} are drawn one at a time")
    seen = photo if photo is None or isinstance(photo, np.ndarray) else read_photo(photo)
    return drawer(results if several else results[0], Request(seen, Look(theme, scale)))


def _drawer(kind: type) -> tuple[Drawer, bool]:
    """Return the function that draws results of a class, and whether it draws several."""
    if issubclass(kind, Drawable) and kind.__module__.startswith(HOME):
        import_module(f"cnnviz.report.{kind.__module__.removeprefix(HOME).partition('.')[0]}")
    if kind not in _DRAWERS:
        raise InvalidRequest(f"{kind.__name__} has no figure")
    return _DRAWERS[kind]


def png_of(result: Drawable) -> bytes | None:
    """Return the figure of a result as a PNG; None where it has none."""
    try:
        return png(figure(result))
    except InvalidRequest:
        return None
