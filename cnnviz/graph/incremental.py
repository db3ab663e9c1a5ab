"""Incremental evaluation of many inputs that differ from one input in a rectangle.

A changed rectangle is propagated through the recording of the clean input, with the halo that windows add. Only that
part is computed, batched over positions; the results are those of full passes up to the rounding of sums.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from cnnviz.graph.region import Box, Maps, Patch, Region, flat_index
from cnnviz.graph.region_rules import IN_PLACE, ChannelView, Elementwise, GlobalMean, WindowRule
from cnnviz.graph.rule_table import aten, region_rule
from cnnviz.graph.tape import Step, Value, record


class Incremental:
    """A network recorded on one input x (1, 3, h, w); called with boxes, it evaluates x with each box occluded.

    The maps of the submodule ``layer`` are summed. Raises UntraceableError if the network cannot be recorded.
    """

    def __init__(
        self, function: Callable[[Tensor], Tensor], x: Tensor, module: nn.Module, layer: str | None = None
    ) -> None:
        self.tape = record(function, x, module, layer)
        self.watched = self.tape.modules.get(layer) if layer else None
        self._steps = [(step, region_rule(step, self.tape.clean)) for step in self.tape.steps]
        self._uses = Counter(v for step in self.tape.steps for v in set(step.inputs))
        self._uses[self.tape.output] += 1
        self._plan_in_place()
        self._costs = [self._cost(step) for step in self.tape.steps]
        self._shapes = [(*(1, 1), *t.shape)[-2:] for t in self.tape.clean]
        self.maps = Maps(self.tape.clean)
        self._covered: tuple[Tensor, Tensor] | None = None
        self._forget()

    def _plan_in_place(self) -> None:
        fresh = {value for step, rule in self._steps if rule.fresh for value in step.outputs}
        for step, rule in self._steps:
            first = step.args[0]
            reusable = isinstance(first, Value) and self._uses[first] == 1 and first in fresh
            if isinstance(rule, Elementwise) and reusable and step.name in IN_PLACE and step.inputs.count(first) == 1:
                tensors = [self.tape.clean[v.index] for v in (*step.inputs, *step.outputs) if v]
                if len({(t.shape, t.dtype) for t in tensors}) == 1:
                    rule.in_place = getattr(aten, step.name + "_", step.function)

    def _cost(self, step: Step) -> float:
        """Return an operator's work: multiplications, and eight more for each value of its output that is moved."""
        weight = step.args[1] if step.name == "convolution" else None
        each = weight[0].numel() if isinstance(weight, Tensor) else 0
        return float(self.tape.clean[step.output.index].numel() * (each + 8))

    def _forget(self) -> None:
        """Keep only the shape of clean tensors that only views and elementwise operators read."""
        read, needed = {self.tape.output}, {Value(0), self.watched}
        for step, rule in self._steps:
            local = isinstance(rule, (Elementwise, ChannelView)) and len(step.inputs) == 1
            (read if local else needed).update(step.inputs)
        for value in read - needed:
            self.tape.clean[value.index] = self.tape.clean[value.index].to("meta")

    def __call__(self, cover: Tensor, boxes: Sequence[Box], channel: int = 0) -> tuple[Tensor, Tensor | None]:
        """Return logits (boxes, classes), each box replaced by that of ``cover`` (1, 3, h, w), and the layer's sums.

        These are over its map ``channel``, (boxes,); None without a layer.
        """
        regions, sums = self.regions(boxes), None
        patches_of = {Value(0): Patch(Value(0), regions[0], self._occlude(cover, regions[0]))}
        if self.watched == Value(0):
            sums = self._sum(patches_of[Value(0)], channel)
        left = dict(self._uses)
        for step, rule in self._steps:
            patches = [patches_of[v] for v in dict.fromkeys(step.inputs)]
            out = rule.run(step, patches, regions[step.output.index], self.maps)
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
        clean = self.maps.clean(patch.value)[0, channel].double()
        table = nn.functional.pad(clean.cumsum(0).cumsum(1), (1, 0, 1, 0))
        top, left = torch.from_numpy(patch.region.starts).to(table.device)
        bottom, right = top + patch.region.size[0], left + patch.region.size[1]
        before = table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
        return patch.data[:, channel].double().sum((-2, -1)) + table[-1, -1] - before

    def regions(self, boxes: Sequence[Box]) -> list[Region]:
        """Return the region of every value of the recording that changes with each box of the input."""
        edges = np.array(boxes).T
        regions = [Region(edges[:2], edges[2:], self._shapes[0])] * len(self._shapes)
        for step, rule in self._steps:
            sources = [regions[v.index] for v in step.inputs]
            for value in step.outputs:
                if value:
                    regions[value.index] = rule.region(step, sources, self._shapes[value.index])
        return regions

    def cost(self, boxes: Sequence[Box]) -> float:
        """Return the work for the boxes as one batch, as a share of full passes."""
        regions = self.regions(boxes)
        parts = [c * regions[s.output.index].share for s, c in zip(self.tape.steps, self._costs, strict=True)]
        return sum(parts) / sum(self._costs)

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
        for step, rule in self._steps:
            region = regions[step.output.index]
            if not region.whole or region.shape == (1, 1) or isinstance(rule, (WindowRule, GlobalMean)):
                continue
            sources = [regions[v.index] for v in step.inputs]
            if not any(source.whole and source.shape == region.shape for source in sources):
                return f"{step.name} in {step.module}"
        return ""

    def _occlude(self, cover: Tensor, region: Region) -> Tensor:
        """Return the occluded input at the positions of its region: the cover inside each box, the input outside."""
        x = self.maps.clean(Value(0))
        if self._covered is None or self._covered[0] is not cover:
            both = torch.cat([x, cover.to(x)])
            self._covered = cover, both.permute(0, 2, 3, 1).reshape(-1, x.shape[1]).contiguous()
        height, width = region.shape
        index = flat_index(region.starts, region.size, width)
        in_rows, in_columns = (
            (start[:, None] + np.arange(size) >= first[:, None]) & (start[:, None] + np.arange(size) < stop[:, None])
            for start, size, first, stop in zip(region.starts, region.size, region.first, region.stop, strict=True)
        )
        boxed = torch.from_numpy((in_rows[:, :, None] & in_columns[:, None, :]).reshape(-1))
        rows = self._covered[1]
        index = (index + boxed * (height * width)).to(rows.device)
        occluded = rows.index_select(0, index).view(len(in_rows), *region.size, -1)
        return occluded.permute(0, 3, 1, 2)
