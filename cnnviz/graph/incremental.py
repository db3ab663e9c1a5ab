"""Incremental evaluation: many inputs that differ from one in a rectangle, at the cost of what they change.

The network is recorded once on the clean input. A rectangle that changes is carried through the recording, operator
by operator, with the halo that windows add; only that part is computed, batched over positions, and what is beside it
comes from the clean tensors. The answers are those of whole passes up to the rounding of their sums.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.graph.region import Box, Ints, Region
from cnnviz.graph.region_rules import IN_PLACE, ChannelView, Elementwise, GlobalMean, Patch, WindowRule
from cnnviz.graph.rule_table import aten, region_rule
from cnnviz.graph.tape import Step, Value, record

NO_MARGIN = (0, 0, 0, 0)


class Incremental:
    """A network and one input x (1, 3, h, w); called with boxes, it answers for x with each box covered.

    ``layer``, where given, is the part of ``module`` whose feature maps are to be summed. Raises UntraceableError
    where the network cannot be recorded.
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], x: Tensor, module: nn.Module, layer: str | None = None
    ) -> None:
        self.tape = record(function, x, module, layer)
        self.watched = self.tape.modules.get(layer) if layer else None
        self.rules = [region_rule(step, self.tape.clean) for step in self.tape.steps]
        self._uses = Counter(v for step in self.tape.steps for v in set(step.inputs))
        self._uses[self.tape.output] += 1
        self._work_in_place()
        self._costs = [_cost(step, self.tape.clean) for step in self.tape.steps]
        self._shapes = [(*(1, 1), *t.shape)[-2:] for t in self.tape.clean]
        self._rows: dict[Any, Tensor] = {}
        self._covered: tuple[Tensor, Tensor] | None = None
        for step, known in zip(self.tape.steps, self.rules, strict=True):
            if isinstance(known, (Elementwise, ChannelView)) and len(step.inputs) == 1:
                self._forget(step.inputs[0])
        self._forget(self.tape.output)

    def _work_in_place(self) -> None:
        made = {v: r for step, r in zip(self.tape.steps, self.rules, strict=True) for v in step.outputs if v}
        for step, known in zip(self.tape.steps, self.rules, strict=True):
            first = step.args[0]
            alone = isinstance(first, Value) and self._uses[first] == 1 and first in made and made[first].fresh
            if isinstance(known, Elementwise) and alone and step.name in IN_PLACE and step.inputs.count(first) == 1:
                all_of = [self.tape.clean[v.index] for v in (*step.inputs, *step.outputs) if v]
                known.in_place = len({(t.shape, t.dtype) for t in all_of}) == 1 and getattr(aten, step.name + "_", True)

    def _forget(self, value: Value) -> None:
        """Keep the shape alone of a clean tensor that only views and place-by-place operators look at."""
        others = [
            s
            for s, r in zip(self.tape.steps, self.rules, strict=True)
            if value in s.inputs and not (isinstance(r, (Elementwise, ChannelView)) and len(s.inputs) == 1)
        ]
        if not others and value not in (Value(0), self.watched):
            self.tape.clean[value.index] = self.tape.clean[value.index].to("meta")

    def __call__(self, cover: Tensor, boxes: Sequence[Box], channel: int = 0) -> tuple[Tensor, Tensor | None]:
        """Return the answers (boxes, classes) for the input with ``cover`` (1, 3, h, w) showing in each box.

        Beside them the sums (boxes,) over the feature map ``channel`` of the layer, where one was named.
        """
        regions, sums = self.regions(boxes), None
        held = {Value(0): Patch(Value(0), regions[0], self._show(cover, regions[0]))}
        if self.watched == Value(0):
            sums = self._sum(held[Value(0)], channel)
        left = dict(self._uses)
        for step, known in zip(self.tape.steps, self.rules, strict=True):
            patches = [held[v] for v in dict.fromkeys(step.inputs)]
            out = known.run(step, patches, regions[step.output.index], self)
            for value, data in zip(step.outputs, out if isinstance(out, (tuple, list)) else (out,), strict=False):
                if value and left.get(value):
                    held[value] = Patch(value, regions[value.index], data)
                if value and value == self.watched:
                    sums = self._sum(Patch(value, regions[value.index], data), channel)
            for patch in patches:
                left[patch.value] -= 1
                if not left[patch.value]:
                    del held[patch.value]
            del patches, out
        return held[self.tape.output].data, sums

    def _sum(self, patch: Patch, channel: int) -> Tensor:
        """Return the sum over a feature map for each position: the clean one, brought up to date."""
        clean = self.clean(patch.value)[0, channel].double()
        table = nn.functional.pad(clean.cumsum(0).cumsum(1), (1, 0, 1, 0))
        top, left = torch.from_numpy(patch.region.starts).to(table.device)
        bottom, right = top + patch.region.size[0], left + patch.region.size[1]
        before = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
        return patch.data[:, channel].double().sum((-2, -1)) + table[-1, -1] - before

    def regions(self, boxes: Sequence[Box]) -> list[Region]:
        """Return what changes of every value of the recording when a box of the input does."""
        edges = np.array(boxes).T
        found = [Region(edges[:2], edges[2:], self._shapes[0])] * len(self._shapes)
        for step, known in zip(self.tape.steps, self.rules, strict=True):
            given = [found[v.index] for v in step.inputs]
            for value in step.outputs:
                if value:
                    found[value.index] = known.region(step, given, self._shapes[value.index])
        return found

    def cost(self, boxes: Sequence[Box]) -> float:
        """Return the work that the boxes take as one batch, as a part of whole passes."""
        regions = self.regions(boxes)
        part = 0.0
        for step, cost in zip(self.tape.steps, self._costs, strict=True):
            part += cost * regions[step.output.index].share
        return part / sum(self._costs)

    def costs(self, boxes: Sequence[Box]) -> list[float]:
        """Return about what each box would take alone, from one walk for all: to tell the costly from the cheap."""
        regions = self.regions(boxes)
        parts = np.zeros(len(boxes))
        for step, cost in zip(self.tape.steps, self._costs, strict=True):
            parts += cost * regions[step.output.index].shares
        return list(parts / sum(self._costs))

    def obstacle(self, boxes: Sequence[Box]) -> str:
        """Return what first makes everything change, such as a gate over whole maps; "" where windows alone do."""
        regions = self.regions(boxes)
        for step, known in zip(self.tape.steps, self.rules, strict=True):
            given = [regions[v.index] for v in step.inputs]
            found = regions[step.output.index]
            spread = any(r.whole and r.shape == found.shape for r in given)
            if found.whole and found.shape != (1, 1) and not spread and not isinstance(known, (WindowRule, GlobalMean)):
                return f"{step.name} in {step.module}"
        return ""

    def clean(self, value: Value) -> Tensor:
        """Return the clean tensor of a value, (1, ...)."""
        return self.tape.clean[value.index]

    def fit(self, patch: Patch, region: Region) -> Tensor:
        """Return the map with its patch in it at the places of a region."""
        if (patch.region.whole and region.whole) or patch.region.same(region):
            return patch.data
        return self.cut(patch, region.starts, region.size)

    def cut(
        self, patch: Patch, starts: Ints, size: tuple[int, int],
        margin: tuple[int, int, int, int] = NO_MARGIN, fill: float = 0.0,
    ) -> Tensor:  # fmt: skip
        """Return the map with its patch in it, (positions, ..., *size) from ``starts`` on, padded by ``margin``."""
        data, (height, width) = patch.data, patch.data.shape[-2:]
        offset = patch.region.starts - starts
        level = bool((offset == offset[:, :1]).all())
        down, across = (int(o) for o in offset[:, 0])
        inside = level and down <= 0 and across <= 0 and down + height >= size[0] and across + width >= size[1]
        if inside:
            return data[..., -down : size[0] - down, -across : size[1] - across]
        count, middle = len(data), data.shape[1:-2]
        rows, line = self._clean_rows(patch.value, margin, fill)
        index = _index(starts + np.array([[margin[2]], [margin[0]]]), size, line)
        around = rows.index_select(0, index.to(rows.device)).view(count, *size, -1)
        if data.numel():
            flat = data.reshape(count, -1, height, width).permute(0, 2, 3, 1)
            if level:
                _lay(around, flat, down, across)
            else:
                _scatter(around, flat, offset)
        around = around.permute(0, 3, 1, 2)
        return around if len(middle) == 1 else around.reshape(count, *middle, *size)

    def _clean_rows(self, value: Value, margin: tuple[int, int, int, int], fill: float) -> tuple[Tensor, int]:
        """Return a clean map as rows of channels, padded, and how many make a line."""
        key = value, margin, fill
        if key not in self._rows:
            clean = self.clean(value)
            clean = clean.reshape(1, -1, *clean.shape[-2:])
            padded = nn.functional.pad(clean, margin, value=fill) if any(margin) else clean
            self._rows[key] = padded.permute(0, 2, 3, 1).reshape(-1, clean.shape[1]).contiguous()
        return self._rows[key], self._shapes[value.index][1] + margin[0] + margin[1]

    def _show(self, cover: Tensor, region: Region) -> Tensor:
        """Return the covered input at the places of its region: the cover inside each box, the input beside it."""
        x = self.clean(Value(0))
        if self._covered is None or self._covered[0] is not cover:
            both = torch.cat([x, cover.to(x)])
            self._covered = cover, both.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()
        height, width = region.shape
        index = _index(region.starts, region.size, width)
        down, across = (
            (start[:, None] + np.arange(size) >= first[:, None]) & (start[:, None] + np.arange(size) < stop[:, None])
            for start, size, first, stop in zip(region.starts, region.size, region.first, region.stop, strict=True)
        )
        boxed = torch.from_numpy((down[:, :, None] & across[:, None, :]).reshape(-1))
        rows = self._covered[1]
        index = (index + boxed * (height * width)).to(rows.device)
        shown = rows.index_select(0, index).view(len(down), *region.size, -1)
        return shown.permute(0, 3, 1, 2)


def _index(starts: Ints, size: tuple[int, int], line: int) -> Tensor:
    """Return the places (positions * h * w) of rectangles in a map whose lines hold ``line`` places."""
    down = (starts[0][:, None] + np.arange(size[0])) * line
    across = starts[1][:, None] + np.arange(size[1])
    return torch.from_numpy((down[:, :, None] + across[:, None, :]).reshape(-1))


def _lay(around: Tensor, flat: Tensor, down: int, across: int) -> None:
    """Lay patches over their surroundings, (positions, h, w, channels), all at one offset."""
    height, width = around.shape[1:3]
    top, left = max(down, 0), max(across, 0)
    bottom, right = max(top, min(down + flat.shape[1], height)), max(left, min(across + flat.shape[2], width))
    around[:, top:bottom, left:right] = flat[:, top - down : bottom - down, left - across : right - across]


def _scatter(around: Tensor, flat: Tensor, offset: Ints) -> None:
    """Lay patches over their surroundings, each at its own offset (2, positions)."""
    count, height, width, channels = around.shape
    down = offset[0][:, None] + np.arange(flat.shape[1])
    across = offset[1][:, None] + np.arange(flat.shape[2])
    inside = ((down >= 0) & (down < height))[:, :, None] & ((across >= 0) & (across < width))[:, None, :]
    lines = np.arange(count)[:, None] * height + down
    places = (lines[:, :, None] * width + across[:, None, :]).reshape(-1)
    rows = flat.reshape(-1, channels)
    if not inside.all():
        kept = inside.reshape(-1).nonzero()[0]
        places = places[kept]
        rows = rows.index_select(0, torch.from_numpy(kept).to(rows.device))
    around.view(-1, channels).index_copy_(0, torch.from_numpy(places).to(rows.device), rows)


def _cost(step: Step, clean: Sequence[Tensor]) -> float:
    """Return an operator's work: multiplications, and what it takes to move its numbers counted as eight of them."""
    out = clean[step.output.index]
    weight = step.args[1] if step.name == "convolution" else None
    each = weight[0].numel() if isinstance(weight, Tensor) else 0
    return float(out.numel() * (each + 8))
