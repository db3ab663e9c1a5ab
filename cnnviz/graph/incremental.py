"""Incremental evaluation of many inputs that differ from one input in a rectangle.

The network is recorded once on the clean input. A changed rectangle is propagated through the recording, operator by
operator, with the halo that windows add. Only that part is computed, batched over positions; its surroundings come from
the clean tensors. The results are those of full passes up to the rounding of sums.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.graph.region import Box, Ints, Region
from cnnviz.graph.region_rules import IN_PLACE, ChannelView, Elementwise, GlobalMean, Margin, Patch, WindowRule
from cnnviz.graph.rule_table import aten, region_rule
from cnnviz.graph.tape import Step, Value, record

NO_MARGIN = (0, 0, 0, 0)


class Incremental:
    """A network recorded on one input x (1, 3, h, w); called with boxes, it evaluates x with each box occluded.

    ``layer`` is a submodule of ``module`` whose feature maps are summed. Raises UntraceableError if the network cannot
    be recorded.
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], x: Tensor, module: nn.Module, layer: str | None = None
    ) -> None:
        self.tape = record(function, x, module, layer)
        self.watched = self.tape.modules.get(layer) if layer else None
        self.rules = [region_rule(step, self.tape.clean) for step in self.tape.steps]
        self._uses = Counter(v for step in self.tape.steps for v in set(step.inputs))
        self._uses[self.tape.output] += 1
        self._plan_in_place()
        self._costs = [_cost(step, self.tape.clean) for step in self.tape.steps]
        self._shapes = [(*(1, 1), *t.shape)[-2:] for t in self.tape.clean]
        self._rows: dict[tuple[Value, Margin, float], Tensor] = {}
        self._covered: tuple[Tensor, Tensor] | None = None
        for step, rule in zip(self.tape.steps, self.rules, strict=True):
            if isinstance(rule, (Elementwise, ChannelView)) and len(step.inputs) == 1:
                self._forget(step.inputs[0])
        self._forget(self.tape.output)

    def _plan_in_place(self) -> None:
        producers = {v: r for step, r in zip(self.tape.steps, self.rules, strict=True) for v in step.outputs if v}
        for step, rule in zip(self.tape.steps, self.rules, strict=True):
            first = step.args[0]
            reusable = (
                isinstance(first, Value) and self._uses[first] == 1 and first in producers and producers[first].fresh
            )
            if isinstance(rule, Elementwise) and reusable and step.name in IN_PLACE and step.inputs.count(first) == 1:
                tensors = [self.tape.clean[v.index] for v in (*step.inputs, *step.outputs) if v]
                if len({(t.shape, t.dtype) for t in tensors}) == 1:
                    rule.in_place = getattr(aten, step.name + "_", step.function)

    def _forget(self, value: Value) -> None:
        """Keep only the shape of a clean tensor that only views and elementwise operators read."""
        others = [
            s
            for s, r in zip(self.tape.steps, self.rules, strict=True)
            if value in s.inputs and not (isinstance(r, (Elementwise, ChannelView)) and len(s.inputs) == 1)
        ]
        if not others and value not in (Value(0), self.watched):
            self.tape.clean[value.index] = self.tape.clean[value.index].to("meta")

    def __call__(self, cover: Tensor, boxes: Sequence[Box], channel: int = 0) -> tuple[Tensor, Tensor | None]:
        """Return the logits (boxes, classes) for the input with each box replaced by that of ``cover`` (1, 3, h, w).

        And the sums (boxes,) over the feature map ``channel`` of the layer, None without a layer.
        """
        regions, sums = self.regions(boxes), None
        patches_of = {Value(0): Patch(Value(0), regions[0], self._occlude(cover, regions[0]))}
        if self.watched == Value(0):
            sums = self._sum(patches_of[Value(0)], channel)
        left = dict(self._uses)
        for step, rule in zip(self.tape.steps, self.rules, strict=True):
            patches = [patches_of[v] for v in dict.fromkeys(step.inputs)]
            out = rule.run(step, patches, regions[step.output.index], self)
            for value, data in zip(step.outputs, out if isinstance(out, (tuple, list)) else (out,), strict=False):
                if value and left.get(value):
                    patches_of[value] = Patch(value, regions[value.index], data)
                if value and value == self.watched:
                    sums = self._sum(Patch(value, regions[value.index], data), channel)
            for patch in patches:
                left[patch.value] -= 1
                if not left[patch.value]:
                    del patches_of[patch.value]
            del patches, out
        return patches_of[self.tape.output].data, sums

    def _sum(self, patch: Patch, channel: int) -> Tensor:
        """Return the sum over a feature map for each position: that of the clean map plus the change."""
        clean = self.clean(patch.value)[0, channel].double()
        table = nn.functional.pad(clean.cumsum(0).cumsum(1), (1, 0, 1, 0))
        top, left = torch.from_numpy(patch.region.starts).to(table.device)
        bottom, right = top + patch.region.size[0], left + patch.region.size[1]
        before = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
        return patch.data[:, channel].double().sum((-2, -1)) + table[-1, -1] - before

    def regions(self, boxes: Sequence[Box]) -> list[Region]:
        """Return the region of every value of the recording that changes with each box of the input."""
        edges = np.array(boxes).T
        regions = [Region(edges[:2], edges[2:], self._shapes[0])] * len(self._shapes)
        for step, rule in zip(self.tape.steps, self.rules, strict=True):
            sources = [regions[v.index] for v in step.inputs]
            for value in step.outputs:
                if value:
                    regions[value.index] = rule.region(step, sources, self._shapes[value.index])
        return regions

    def cost(self, boxes: Sequence[Box]) -> float:
        """Return the work for the boxes as one batch, as a share of full passes."""
        regions = self.regions(boxes)
        part = 0.0
        for step, cost in zip(self.tape.steps, self._costs, strict=True):
            part += cost * regions[step.output.index].share
        return part / sum(self._costs)

    def costs(self, boxes: Sequence[Box]) -> list[float]:
        """Return an estimate of the work for each box alone, as a share of a full pass."""
        regions = self.regions(boxes)
        parts = np.zeros(len(boxes))
        for step, cost in zip(self.tape.steps, self._costs, strict=True):
            parts += cost * regions[step.output.index].shares
        return list(parts / sum(self._costs))

    def obstacle(self, boxes: Sequence[Box]) -> str:
        """Return the first operator that spreads a change over a whole map, such as a gate; "" if only windows do."""
        regions = self.regions(boxes)
        for step, rule in zip(self.tape.steps, self.rules, strict=True):
            sources = [regions[v.index] for v in step.inputs]
            region = regions[step.output.index]
            spread = any(r.whole and r.shape == region.shape for r in sources)
            if (
                region.whole
                and region.shape != (1, 1)
                and not spread
                and not isinstance(rule, (WindowRule, GlobalMean))
            ):
                return f"{step.name} in {step.module}"
        return ""

    def clean(self, value: Value) -> Tensor:
        """Return the clean tensor of a value, (1, ...)."""
        return self.tape.clean[value.index]

    def fit(self, patch: Patch, region: Region) -> Tensor:
        """Return the map with its patch, at the positions of a region."""
        if (patch.region.whole and region.whole) or patch.region.same(region):
            return patch.data
        return self.cut(patch, region.starts, region.size)

    def cut(
        self, patch: Patch, starts: Ints, size: tuple[int, int],
        margin: Margin = NO_MARGIN, fill: float = 0.0,
    ) -> Tensor:  # fmt: skip
        """Return the map with its patch, (positions, ..., *size) from ``starts`` on, padded by ``margin``."""
        data, (height, width) = patch.data, patch.data.shape[-2:]
        offset = patch.region.starts - starts
        same = bool((offset == offset[:, :1]).all())
        dy, dx = (int(o) for o in offset[:, 0])
        inside = same and dy <= 0 and dx <= 0 and dy + height >= size[0] and dx + width >= size[1]
        if inside:
            return data[..., -dy : size[0] - dy, -dx : size[1] - dx]
        count, middle = len(data), data.shape[1:-2]
        rows, line = self._clean_rows(patch.value, margin, fill)
        index = _index(starts + np.array([[margin[2]], [margin[0]]]), size, line)
        around = rows.index_select(0, index.to(rows.device)).view(count, *size, -1)
        if data.numel():
            flat = data.reshape(count, -1, height, width).permute(0, 2, 3, 1)
            if same:
                _paste(around, flat, dy, dx)
            else:
                _scatter(around, flat, offset)
        around = around.permute(0, 3, 1, 2)
        return around if len(middle) == 1 else around.reshape(count, *middle, *size)

    def _clean_rows(self, value: Value, margin: Margin, fill: float) -> tuple[Tensor, int]:
        """Return a padded clean map as rows of channels, (h * w, channels), and its width."""
        key = value, margin, fill
        if key not in self._rows:
            clean = self.clean(value)
            clean = clean.reshape(1, -1, *clean.shape[-2:])
            padded = nn.functional.pad(clean, margin, value=fill) if any(margin) else clean
            self._rows[key] = padded.permute(0, 2, 3, 1).reshape(-1, clean.shape[1]).contiguous()
        return self._rows[key], self._shapes[value.index][1] + margin[0] + margin[1]

    def _occlude(self, cover: Tensor, region: Region) -> Tensor:
        """Return the occluded input at the positions of its region: the cover inside each box, the input outside."""
        x = self.clean(Value(0))
        if self._covered is None or self._covered[0] is not cover:
            both = torch.cat([x, cover.to(x)])
            self._covered = cover, both.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()
        height, width = region.shape
        index = _index(region.starts, region.size, width)
        in_rows, in_columns = (
            (start[:, None] + np.arange(size) >= first[:, None]) & (start[:, None] + np.arange(size) < stop[:, None])
            for start, size, first, stop in zip(region.starts, region.size, region.first, region.stop, strict=True)
        )
        boxed = torch.from_numpy((in_rows[:, :, None] & in_columns[:, None, :]).reshape(-1))
        rows = self._covered[1]
        index = (index + boxed * (height * width)).to(rows.device)
        occluded = rows.index_select(0, index).view(len(in_rows), *region.size, -1)
        return occluded.permute(0, 3, 1, 2)


def _index(starts: Ints, size: tuple[int, int], line: int) -> Tensor:
    """Return the flat indices (positions * h * w) of rectangles in a map of width ``line``."""
    rows = (starts[0][:, None] + np.arange(size[0])) * line
    columns = starts[1][:, None] + np.arange(size[1])
    return torch.from_numpy((rows[:, :, None] + columns[:, None, :]).reshape(-1))


def _paste(around: Tensor, flat: Tensor, dy: int, dx: int) -> None:
    """Paste patches into their surroundings, (positions, h, w, channels), all at one offset."""
    height, width = around.shape[1:3]
    top, left = max(dy, 0), max(dx, 0)
    bottom, right = max(top, min(dy + flat.shape[1], height)), max(left, min(dx + flat.shape[2], width))
    around[:, top:bottom, left:right] = flat[:, top - dy : bottom - dy, left - dx : right - dx]


def _scatter(around: Tensor, flat: Tensor, offset: Ints) -> None:
    """Paste patches into their surroundings, each at its own offset (2, positions)."""
    count, height, width, channels = around.shape
    ys = offset[0][:, None] + np.arange(flat.shape[1])
    xs = offset[1][:, None] + np.arange(flat.shape[2])
    inside = ((ys >= 0) & (ys < height))[:, :, None] & ((xs >= 0) & (xs < width))[:, None, :]
    lines = np.arange(count)[:, None] * height + ys
    places = (lines[:, :, None] * width + xs[:, None, :]).reshape(-1)
    rows = flat.reshape(-1, channels)
    if not inside.all():
        kept = inside.reshape(-1).nonzero()[0]
        places = places[kept]
        rows = rows.index_select(0, torch.from_numpy(kept).to(rows.device))
    around.view(-1, channels).index_copy_(0, torch.from_numpy(places).to(rows.device), rows)


def _cost(step: Step, clean: Sequence[Tensor]) -> float:
    """Return an operator's work: multiplications, and eight more for each value of its output that is moved."""
    out = clean[step.output.index]
    weight = step.args[1] if step.name == "convolution" else None
    each = weight[0].numel() if isinstance(weight, Tensor) else 0
    return float(out.numel() * (each + 8))
