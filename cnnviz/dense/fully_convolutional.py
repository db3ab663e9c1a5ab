"""A classifier as a fully convolutional network: the logits of all classes at each place of an image of any size.

Long, Shelhamer & Darrell, "Fully Convolutional Networks for Semantic Segmentation", 2015 (arXiv:1411.4038), sections
3.1 and 3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import inf, prod

import torch
import torch.nn.functional as F
from torch import Tensor

from cnnviz.dense.plan import DensePlan, Operator, OperatorCounter, dense_plan
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.graph.region import SlidingWindow, sliding_window
from cnnviz.graph.tape import Argument, Arguments, Keywords, Result
from cnnviz.models.features import LOGITS, feature_extractor
from cnnviz.models.network import Network, require_finite

SUMS = {"convolution": 0, "mm": 0, "addmm": 1, "mean": 0}  # operators that sum values, and which argument holds these


@dataclass(frozen=True)
class DenseLogits:
    """Logits ``values`` (rows, columns, classes) at places ``stride`` pixels of the input apart.

    ``first`` (y, x): the centre of the first place, in pixels of the input, whose border is 0.
    """

    values: Tensor
    stride: int
    first: tuple[float, float]


def dense_logits(network: Network, inputs: Tensor, stride: int | None = None, *, fused: bool = False) -> DenseLogits:
    """Apply a classifier at each place of an input (1, 3, h, w) of any size, RGB in [0, 1].

    A network with global pooling and linear layers after it gives the logits before pooling: their mean is the logit of
    the input. Fully connected layers over feature maps become convolutions (section 3.1): each place is the classifier
    for a part of the input as large as the network's own. ``stride``: pixels from one place to the next, by default and
    at most the network's own; a smaller one is computed à trous (section 3.2), with the same values at the same places.
    ``fused``: at the network's own stride, run its fused operators, twice as fast and equal up to rounding.

    Raises MethodError for other networks and for inputs smaller than such a part, InvalidRequest for other strides.
    """
    plan = dense_plan(network)
    step = min(stride or plan.stride, plan.stride)
    if step < 1 or plan.stride % step:
        raise InvalidRequest(f"stride {stride}: take a divisor of {plan.stride}, that of {network.name}")
    if plan.other and step < plan.stride:
        raise MethodError(f"{network.name} has no places less than {plan.stride} pixels apart: it reduces its maps by "
                          f"{', '.join(plan.other)}")  # fmt: skip
    run = _DensePass(plan, step)
    extractor = feature_extractor(network, [LOGITS]) if fused and step == plan.stride else None
    with torch.inference_mode(False), torch.no_grad(), run:
        logits = extractor(inputs.clone())[LOGITS] if extractor else network(inputs.clone())
    if len(logits) != prod(run.grid):
        raise MethodError(f"{network.name} gives no logits at each place")
    require_finite(network.name, logits)
    first = [plan.first + plan.stride * (side - 1) / 2 for side in plan.window or (1, 1)]
    return DenseLogits(run.merge(logits), step, (first[0], first[1]))


class _DensePass(OperatorCounter):  # type: ignore[no-untyped-call]
    """Runs a network with a batch of places in place of the one vector of its head.

    ``grid``: phases, and rows and columns of each. Sums are computed for one phase at a time, so that they are the
    same numbers as without phases.
    """

    def __init__(self, plan: DensePlan, stride: int) -> None:
        super().__init__()
        self.plan, self.stride = plan, stride
        self.grid = (0, 0, 0)
        self._phases: dict[int, int] = {}  # along an axis, by the stride of the maps that they are made of

    def run(self, operator: Operator, func: Argument, args: Arguments, kwargs: Keywords) -> Result:
        """Run an operator, one with too large a stride at shifts; hand over places where the head begins."""
        if operator == self.plan.head:
            return self._places(args[0])
        if operator.name == "as_strided" and any(self.grid):  # of the pooling, to the layout of one vector
            return args[0]
        index = SUMS.get(operator.name)
        if index is None or not self._phases:
            return self._strided(operator, func, args, kwargs)
        batches = args[index].chunk(self.grid[0] or len(args[index]))
        parts = [(*args[:index], batch, *args[index + 1 :]) for batch in batches]
        return torch.cat([self._strided(operator, func, part, kwargs) for part in parts])

    def _strided(self, operator: Operator, func: Argument, args: Arguments, kwargs: Keywords) -> Result:
        """Run an operator; where its stride is too large, at shifts."""
        jump = self.plan.strided.get(operator)
        window = None if jump is None else sliding_window(operator.name, args, args[0], args[0])
        if jump is None or window is None or (phases := jump * window.stride[0] // max(self.stride, jump)) <= 1:
            return func(*args, **kwargs)
        self._phases[jump] = phases
        return _shifted(func, args, window, phases)

    def _places(self, maps: Tensor) -> Tensor:
        """Return the vectors of all places as a batch: of cells, or of the windows that a fully connected head sees."""
        rows, columns = self.plan.window or (1, 1)
        self.grid = len(maps), maps.shape[-2] - rows + 1, maps.shape[-1] - columns + 1
        if min(self.grid) < 1:
            raise ValueError("it is smaller than what the fully connected layers see")
        return F.unfold(maps, (rows, columns)).transpose(1, 2).reshape(-1, *self.plan.vector).contiguous()

    def merge(self, logits: Tensor) -> Tensor:
        """Return the logits (rows, columns, classes) of all phases, from those of the places (places, classes)."""
        values = logits.view(*self.grid, -1)
        for phases in reversed(self._phases.values()):
            _, rows, columns, classes = values.shape
            values = values.view(-1, phases, phases, rows, columns, classes).permute(0, 3, 1, 4, 2, 5)
            values = values.reshape(-1, rows * phases, columns * phases, classes)
        return values[0]


def _shifted(func: Argument, args: Arguments, window: SlidingWindow, phases: int) -> Result:
    """Run an operator with a stride at ``phases`` x ``phases`` shifts of its windows, as a batch; its own come first.

    Together they are the operator with a stride ``phases`` times smaller; what follows sees each phase by itself, which
    is what dilated kernels see. Windows beyond the border are padded.
    """
    own = func(*args)
    height, width = (own[0] if isinstance(own, tuple) else own).shape[-2:]
    is_pool, fill = "pool" in func.overloadpacket.__name__, -inf if "max" in func.overloadpacket.__name__ else 0.0
    results = [own]
    for shifts in list(product(range(phases), repeat=2))[1:]:
        margins = list[int]()
        for axis, count in ((1, width), (0, height)):
            before = window.padding[axis] - shifts[axis] * window.stride[axis] // phases
            reach = window.stride[axis] * (count - 1) + window.dilation[axis] * (window.kernel[axis] - 1) + 1
            margins += [before, reach - before - args[0].shape[axis + 2]]
        padded = F.pad(args[0], margins, value=fill)
        pooling = (window.kernel, window.stride, (0, 0), *([window.dilation] if fill else []))
        results.append(func(padded, *(pooling if is_pool else (*args[1:4], (0, 0), *args[5:]))))
    if isinstance(own, tuple):
        return tuple(_join(values) for values in zip(*results, strict=True))
    return _join(results)


def _join(phases: Sequence[Tensor]) -> Tensor:
    """Return the maps of all phases (N, C, h, w) as a batch, these phases next to each other, in their own layout."""
    last = phases[0].is_contiguous(memory_format=torch.channels_last)
    joined = torch.stack(tuple(phases), 1).flatten(0, 1)
    return joined.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)
