"""Batch normalisations folded into the convolutions before them."""

import copy
from collections import Counter, OrderedDict
from collections.abc import Collection

import torch.fx.proxy
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class _Tracer(fx.Tracer):
    """Does not trace into convolutions and batch normalisations, including subclasses of torch's."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is one node of the graph."""
        return isinstance(m, (nn.Conv2d, nn.BatchNorm2d)) or super().is_leaf_module(m, module_qualified_name)


def clone_structure(module: nn.Module, device: str | None = None) -> nn.Module:
    """Return a copy of a network that shares its tensors, or has copies on another ``device`` ("meta": shapes only)."""
    weights = {id(p): p if device is None else nn.Parameter(p.to(device), p.requires_grad) for p in module.parameters()}
    return copy.deepcopy(module, weights | {id(b): b if device is None else b.to(device) for b in module.buffers()})


def _nodes(module: nn.Module) -> list[fx.Node]:
    """Return a network's operators in their order; an empty list if fx cannot trace it."""
    try:
        return list(_Tracer().trace(module).nodes)
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError, torch.fx.proxy.TraceError):
        return []


def fold_batchnorm(module: nn.Module, keep: Collection[str] = ()) -> nn.Module:
    """Return a network with each batch normalisation folded into the convolution before it.

    A copy that shares unchanged tensors and keeps names and activations; convolutions named in ``keep`` keep their
    outputs. A network that fx cannot trace is returned itself.
    """
    nodes = _nodes(module)
    if not nodes:
        return module
    module = clone_structure(module)
    uses = Counter(str(node.target) for node in nodes if node.op == "call_module")
    for node in nodes:
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        names = str(before.target), str(node.target)
        conv, norm = (module.get_submodule(name) for name in names)
        once = names[0] not in keep and all(uses[name] == 1 for name in names)
        if once and isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and norm.track_running_stats:
            module.set_submodule(names[0], fuse_conv_bn_eval(conv, norm))
            rest = OrderedDict(norm.named_children())
            module.set_submodule(names[1], nn.Sequential(rest) if rest else nn.Identity())
    return module


def single_consumers(module: nn.Module, keep: Collection[str] = ()) -> dict[str, str]:
    """Return, by name, the only reader of a module's output, if both run once, past identities, not past ``keep``."""
    nodes, consumers = [node for node in _nodes(module) if node.op == "call_module"], {}
    uses = Counter(str(node.target) for node in nodes)
    for node in nodes:
        between, reader = [str(node.target)], _reader(node)
        while reader and isinstance(module.get_submodule(str(reader.target)), nn.Identity):
            between, reader = [*between, str(reader.target)], _reader(reader)
        if reader and all(uses[name] == 1 for name in [*between, str(reader.target)]):
            ends = [name for name in keep if any(_is_within(part, name) for part in between)]
            if all(_is_within(str(reader.target), name) for name in ends):
                consumers[between[0]] = str(reader.target)
    return consumers


def _reader(node: fx.Node) -> fx.Node | None:
    reader = next(iter(node.users)) if len(node.users) == 1 else None
    return reader if reader and reader.op == "call_module" else None


def _is_within(name: str, layer: str) -> bool:
    return name == layer or name.startswith(layer + ".")
