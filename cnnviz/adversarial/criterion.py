"""Success criteria of attacks, the losses that a search minimises to meet them, and which networks share classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models.network import Network

Loss = Callable[[Tensor], Tensor]  # logits (V, classes) to a scalar
TOLERANCE = 0.01  # logits by which a search overshoots, so that another order of additions does not undo its result
RANGE_SHARE, ROUNDINGS = 1e-3, 8  # at most this share of the logits' range; at least so many units in the last place
RESIZE_MARGIN = 2.5  # logits required at each size of the transform "resize", so that sizes in between are fooled too


@dataclass(frozen=True)
class Criterion:
    """When a network counts as fooled: class ``target`` is no longer the first, or with ``goal`` that class is.

    ``margin``: by how many logits, in every view; ``tolerance``: by how many more, for the search alone.
    """

    target: int
    goal: int | None = None
    margin: float = 0.0
    tolerance: float = TOLERANCE

    def margins(self, logits: Tensor) -> Tensor:
        """Return by how many logits each row (V, classes) exceeds what is required: positive where fooled. (V,)."""
        own = self.target if self.goal is None else self.goal
        rest = logits.clone()
        rest[:, own] = -torch.inf
        lead = rest.amax(1) - logits[:, own]
        return (lead if self.goal is None else -lead) - self.margin - self.tolerance

    def lead(self, logits: Tensor) -> float:
        """Return the margin of logits (classes,) as reported: positive where fooled, without what is required."""
        return self.margin + self.tolerance + float(self.margins(logits[None])[0])

    def is_met(self, logits: Tensor) -> bool:
        """Return whether the first class of logits (classes,) fools, whatever the margin."""
        first = int(logits.argmax())
        return first != self.target if self.goal is None else first == self.goal


def numeric_tolerance(logits: Tensor, dtype: torch.dtype) -> float:
    """Return the tolerance of a search, in logits, from the clean logits (classes,) and the network's ``dtype``."""
    rounding = ROUNDINGS * torch.finfo(dtype).eps * float(logits.abs().max())
    return max(min(TOLERANCE, RANGE_SHARE * float(logits.max() - logits.min())), rounding)


def criterion_for(
    network: Network,
    logits: Tensor,
    *,
    goal: str | int | None = None,
    ground_truth: str | int | None = None,
    margin: float = 0.0,
    robust_to: Sequence[str] = (),
) -> Criterion:
    """Return the criterion of an attack on a photo with these clean logits (classes,).

    ``goal`` and ``ground_truth`` are class names or indices; without ground truth the network's own first class is
    the target. Raises InvalidRequest for classes that do not exist, MethodError where there is nothing to attack.
    """
    if len(logits) < 2:
        raise MethodError(f"{network.name} knows a single class: there is no other to be fooled into")
    first = int(logits.argmax())
    aimed, own = (None if word is None else network.class_index(str(word)) for word in (goal, ground_truth))
    for index in (own, aimed):
        if index is not None and index >= len(logits):
            raise InvalidRequest(f"no class {index}: {network.name} has {len(logits)}, counted from 0")
    if aimed is not None and aimed == own:
        raise InvalidRequest(f"the goal and the ground truth are both {network.class_name(aimed)}")
    if aimed == first:
        raise MethodError(f"is classified as {network.class_name(first)} already")
    margin = max(margin, RESIZE_MARGIN) if "resize" in robust_to else margin
    return Criterion(first if own is None else own, aimed, margin, numeric_tolerance(logits, network.dtype))


def soft_margin_loss(criterion: Criterion) -> Loss:
    """Return the soft margin of a criterion, summed over views: its gradient does not vanish at high confidence.

    The logit of a class minus the log-sum-exp of the others: the cross entropy without its factor 1 - p, which
    underflows in float32 where a network is sure. Views that are fooled already have less weight.
    """
    own, sign = (criterion.target, 1.0) if criterion.goal is None else (criterion.goal, -1.0)

    def loss(logits: Tensor) -> Tensor:
        rest = torch.cat((logits[:, :own], logits[:, own + 1 :]), 1)
        gaps = sign * (logits[:, own] - rest.logsumexp(1)) + criterion.margin
        weights = torch.sigmoid(gaps.detach() + 2).clamp(min=1e-3) if len(gaps) > 1 else torch.ones(1)
        return (weights * gaps).sum()

    return loss


def logit_difference_loss(target: int, other: int) -> Loss:
    """Return the logit of ``target`` minus that of ``other``, summed over views."""
    return lambda logits: (logits[:, target] - logits[:, other]).sum()


def require_same_classes(network: Network, others: Sequence[Network]) -> None:
    """Raise InvalidRequest where another network has other classes than ``network``."""
    for other in others:
        if not same_classes(other, network):
            raise InvalidRequest(f"{other.name} has other classes than {network.name}")


def same_classes(one: Network, other: Network) -> bool:
    """Return whether two networks have the same class names; without any, the same number of outputs."""
    if one.classes or other.classes:
        return one.classes == other.classes
    with torch.inference_mode():
        counts = [network(torch.zeros(1, 3, *network.size)).shape[1] for network in (one, other)]
    return counts[0] == counts[1]
