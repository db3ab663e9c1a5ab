"""Objectives: weighted sums of terms, each of which scores the activation of one layer.

Most terms score every cell (position of the feature map) and average over the map, so they can be summed tile by tile:
``MapWindow`` says where a tile's cells lie on the whole map.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import LOGITS

CHUNK = 1 << 22  # largest number of cell-by-cell products held at a time by a guide
MIN_COSINE = 0.1


@dataclass(frozen=True)
class MapWindow:
    """A window of a feature map: its first row ``top`` and column ``left``, and the whole map's height and width."""

    top: int
    left: int
    height: int
    width: int


# Scores (N, h, w) of every cell of an activation (N, channels, h, w); of a term without cells (N,) of any activation.
Score = Callable[[Tensor, MapWindow], Tensor]


@dataclass(frozen=True)
class Term:
    """The score of one layer's activation and its weight; ``cellwise`` if the score has a value for every cell."""

    layer: str
    score: Score
    weight: float = 1.0
    cellwise: bool = True


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms, to be maximised."""

    terms: tuple[Term, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that its terms read, each once."""
        return tuple(dict.fromkeys(term.layer for term in self.terms))

    @property
    def cellwise(self) -> bool:
        """Whether it is a sum over cells, so that it can be computed tile by tile."""
        return all(term.cellwise for term in self.terms)

    def __call__(self, activations: Mapping[str, Tensor], windows: Mapping[str, MapWindow] | None = None) -> Tensor:
        """Return the values (N,) for activations by layer, (N, channels, h, w) each, logits (N, classes).

        With ``windows`` the activations are windows of each layer's map, and the values are their share of the whole
        map's. Raises InvalidRequest for a layer without feature maps, ValueError for windows of a term without cells.
        """
        return torch.stack([self._value(term, activations[term.layer], windows) for term in self.terms]).sum(0)

    def _value(self, term: Term, activation: Tensor, windows: Mapping[str, MapWindow] | None) -> Tensor:
        if not term.cellwise:
            if windows is not None:
                raise ValueError(f"a term of {term.layer} is not a sum over cells: it cannot be tiled")
            return term.weight * term.score(activation, MapWindow(0, 0, 1, 1))
        if activation.dim() != 4:
            raise InvalidRequest(f"layer {term.layer} gives no feature maps (channels, rows, columns)")
        window = windows[term.layer] if windows is not None else MapWindow(0, 0, *activation.shape[-2:])
        return term.weight * term.score(activation, window).sum((1, 2)) / (window.height * window.width)


def layer(name: str) -> Term:
    """Half the mean square of a layer's activation: its gradient is the activation itself, divided by the count.

    The objective of Google's deep dream (Mordvintsev, Olah & Tyka 2015, "Inceptionism").
    """
    return Term(name, lambda activation, _: activation.square().mean(1) / 2)


def channel(name: str, number: int) -> Term:
    """The mean of one feature map."""
    return Term(name, lambda activation, _: activation[:, number])


def neuron(name: str, number: int, position: tuple[int, int] | None = None) -> Term:
    """One unit of a feature map, at ``position`` (y, x), by default in the centre."""

    def score(activation: Tensor, window: MapWindow) -> Tensor:
        y, x = position or (window.height // 2, window.width // 2)
        mask = torch.zeros_like(activation[:1, 0])
        if 0 <= y - window.top < activation.shape[-2] and 0 <= x - window.left < activation.shape[-1]:
            mask[:, y - window.top, x - window.left] = window.height * window.width  # undoes the mean over the map
        return activation[:, number] * mask

    return Term(name, score)


def direction(name: str, vector: Tensor) -> Term:
    """The dot product with a direction (channels,), times their cosine.

    The cosine, of at least 0.1, keeps the activation from growing in other directions (lucid's ``dot_compare``).
    """
    return Term(name, lambda activation, _: _similarity(activation, vector.to(activation).view(1, -1, 1, 1)))


def caricature(name: str, features: Tensor) -> Term:
    """The dot product with the photo's own features, (1, channels, h, w), times their cosine as in ``direction``.

    Exaggerates what is there.
    """

    def score(activation: Tensor, window: MapWindow) -> Tensor:
        height, width = activation.shape[-2:]
        own = features[..., window.top : window.top + height, window.left : window.left + width].to(activation)
        return _similarity(activation, own) / activation.shape[1]

    return Term(name, score)


def _similarity(activation: Tensor, reference: Tensor) -> Tensor:
    dot = (activation * reference).sum(1)
    lengths = activation.square().sum(1).sqrt() * reference.square().sum(1).sqrt()
    return dot * (dot / (lengths + 1e-6)).clamp(min=MIN_COSINE)


def guide(name: str, features: Sequence[Tensor]) -> Term:
    """For each cell, the dot product with the guides' cell for which that product is largest.

    ``features`` (1, channels, h, w) of each guide image. From Google's notebook "deepdream" (2015), section
    "Controlling dreams", which sets the gradient at the layer to the best cell: the gradient of this term, up to the
    count of cells.
    """
    cells = torch.cat([maps.flatten(2)[0] for maps in features], 1)  # (channels, cells of all guides)

    def score(activation: Tensor, _: MapWindow) -> Tensor:
        flat, own = activation.flatten(2), cells.to(activation)
        rows, step = flat.detach().transpose(1, 2), max(1, CHUNK // own.shape[1])
        chunks = [(rows[:, start : start + step] @ own).argmax(2) for start in range(0, rows.shape[1], step)]
        best = own[:, torch.cat(chunks, 1)].transpose(0, 1)
        return (flat * best).mean(1).view(len(activation), *activation.shape[-2:])

    return Term(name, score)


def diversity(name: str) -> Term:
    """Minus the mean cosine between an image's Gram matrix and those of the other images of its batch.

    Olah, Mordvintsev & Schubert 2017 ("Feature Visualization", Distill, section "Diversity"). Cannot be tiled.
    """

    def score(activation: Tensor, _: MapWindow) -> Tensor:
        flat = activation.flatten(2)
        grams = torch.nn.functional.normalize((flat @ flat.transpose(1, 2)).flatten(1), dim=1)
        cosines = grams @ grams.T - torch.eye(len(activation), device=activation.device, dtype=activation.dtype)
        return -cosines.sum(1) / max(1, len(activation) - 1)

    return Term(name, score, cellwise=False)


def logit(target: int) -> Term:
    """The logit of class ``target``. Cannot be tiled."""
    return Term(LOGITS, lambda logits, _: logits[:, target], cellwise=False)
