"""What to climb: a weighted sum of terms, each of which reads what one layer gives.

Most terms give a value for every cell, a place of the layer's map, and count their mean over the map. So they can be
added up tile by tile: ``Cells`` says where a part lies in the whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest
from cnnviz.models.features import LOGITS

CHUNK = 1 << 22  # products of a map's cells with a guide's at a time, so that large maps cost no more memory


@dataclass(frozen=True)
class MapWindow:
    """Where a part of a map begins, ``top`` and ``left``, and the size of the whole map, ``height`` and ``width``."""

    top: int
    left: int
    height: int
    width: int


# Values of every cell (N, h, w) of what a layer gives (N, channels, h, w); of a term without cells (N,) of anything.
Rule = Callable[[Tensor, MapWindow], Tensor]


@dataclass(frozen=True)
class Term:
    """One layer, its rule and its weight; ``cellwise`` where the rule has a value for every cell."""

    layer: str
    rule: Rule
    weight: float = 1.0
    cellwise: bool = True


@dataclass(frozen=True)
class Objective:
    """A weighted sum of terms: larger is better."""

    terms: tuple[Term, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that it reads, each once."""
        return tuple(dict.fromkeys(term.layer for term in self.terms))

    @property
    def cellwise(self) -> bool:
        """Whether it is a sum over cells, so that tiles can be added up."""
        return all(term.cellwise for term in self.terms)

    def __call__(self, given: Mapping[str, Tensor], places: Mapping[str, MapWindow] | None = None) -> Tensor:
        """Return the values (N,) for what the layers give, (N, channels, h, w) each, logits (N, classes).

        ``places``: what is given is a part of each layer's map, and lies there; the values are the part's share in
        those of the whole. Raises UsageMistake for a layer without maps, ValueError for parts of what has none.
        """
        return torch.stack([self._term(term, given[term.layer], places) for term in self.terms]).sum(0)

    def _term(self, term: Term, out: Tensor, places: Mapping[str, MapWindow] | None) -> Tensor:
        if not term.cellwise:
            if places is not None:
                raise ValueError(f"a term of {term.layer} is no sum over cells and has no parts")
            return term.weight * term.rule(out, MapWindow(0, 0, 1, 1))
        if out.dim() != 4:
            raise InvalidRequest(f"layer {term.layer} gives no feature maps (channels, rows, columns)")
        at = places[term.layer] if places is not None else MapWindow(0, 0, *out.shape[-2:])
        return term.weight * term.rule(out, at).sum((1, 2)) / (at.height * at.width)


def layer(name: str, weight: float = 1.0) -> Term:
    """Climb half the mean square of all a layer gives, so that its gradient there is what it gives, by count.

    The objective of Google's deep dream (Mordvintsev, Olah & Tyka 2015, "Inceptionism").
    """
    return Term(name, lambda out, _: out.square().mean(1) / 2, weight)


def channel(name: str, number: int, weight: float = 1.0) -> Term:
    """Climb the mean of one feature map."""
    return Term(name, lambda out, _: out[:, number], weight)


def neuron(name: str, number: int, position: tuple[int, int] | None = None, weight: float = 1.0) -> Term:
    """Climb one unit of a feature map, at ``position`` (y, x), by default in its middle."""

    def rule(out: Tensor, at: MapWindow) -> Tensor:
        y, x = position or (at.height // 2, at.width // 2)
        alone = torch.zeros_like(out[:1, 0])
        if 0 <= y - at.top < out.shape[-2] and 0 <= x - at.left < out.shape[-1]:
            alone[:, y - at.top, x - at.left] = at.height * at.width  # what the mean over the map divides by
        return out[:, number] * alone

    return Term(name, rule, weight)


def direction(name: str, vector: Tensor, power: float = 0.0, weight: float = 1.0) -> Term:
    """Climb the dot product with a direction (channels,), times its cosine to ``power``.

    The cosine, of at least 0.1, keeps to the direction what would also grow by leaving it (lucid's dot_compare).
    """
    return Term(name, lambda out, _: _alike(out, vector.to(out).view(1, -1, 1, 1), power), weight)


def caricature(name: str, features: Tensor, power: float = 1.0, weight: float = 1.0) -> Term:
    """Climb the dot product with the features that the photo itself has, (1, channels, h, w): more of what is there.

    Times the cosine to ``power``, as in ``direction``.
    """

    def rule(out: Tensor, at: MapWindow) -> Tensor:
        high, wide = out.shape[-2:]
        there = features[..., at.top : at.top + high, at.left : at.left + wide].to(out)
        return _alike(out, there, power) / out.shape[1]

    return Term(name, rule, weight)


def _alike(out: Tensor, wanted: Tensor, power: float) -> Tensor:
    dot = (out * wanted).sum(1)
    if not power:
        return dot
    lengths = out.square().sum(1).sqrt() * wanted.square().sum(1).sqrt()
    return dot * (dot / (lengths + 1e-6)).clamp(min=0.1) ** power


def guide(name: str, features: Sequence[Tensor], weight: float = 1.0) -> Term:
    """Climb, for each cell, the dot product with the cell of the guides that it is nearest to by that product.

    ``features`` (1, channels, h, w) of each guide. From Google's notebook "deepdream" (2015), section "Controlling
    dreams", which sets the gradient at the layer to the best cell; that is the gradient of this term, by count.
    """
    cells = torch.cat([maps.flatten(2)[0] for maps in features], 1)  # (channels, cells of all guides)

    def rule(out: Tensor, _: MapWindow) -> Tensor:
        flat = out.flatten(2)
        best = cells.to(out)[:, _nearest(flat.detach(), cells.to(out))].transpose(0, 1)
        return (flat * best).mean(1).view(len(out), *out.shape[-2:])

    return Term(name, rule, weight)


def _nearest(flat: Tensor, cells: Tensor) -> Tensor:
    """Return for each cell (N, cells) of (N, channels, cells) the index of the guides' cell of largest product."""
    step = max(1, CHUNK // cells.shape[1])
    rows = flat.transpose(1, 2)
    parts = [(rows[:, start : start + step] @ cells).argmax(2) for start in range(0, rows.shape[1], step)]
    return torch.cat(parts, 1)


def diversity(name: str, weight: float = 1.0) -> Term:
    """Climb away from each other: minus the mean cosine of a picture's Gram matrix with those of its batch.

    Olah, Mordvintsev & Schubert 2017 ("Feature Visualization", Distill, section "Diversity"). Has no parts.
    """

    def rule(out: Tensor, _: MapWindow) -> Tensor:
        flat = out.flatten(2)
        grams = torch.nn.functional.normalize((flat @ flat.transpose(1, 2)).flatten(1), dim=1)
        alike = grams @ grams.T - torch.eye(len(out), device=out.device, dtype=out.dtype)
        return -alike.sum(1) / max(1, len(out) - 1)

    return Term(name, rule, weight, cellwise=False)


def logit(target: int, weight: float = 1.0) -> Term:
    """Climb a class's logit. Has no parts."""
    return Term(LOGITS, lambda out, _: out[:, target], weight, cellwise=False)
