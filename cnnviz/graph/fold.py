"""Folding: fewer operators for the same function."""

import copy
from collections import Counter, OrderedDict
from collections.abc import Collection

import torch.fx.proxy
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


class _Tracer(fx.Tracer):
    """Keeps convolutions and batch normalisations whole, also those that networks derive from torch's."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is one node of the graph."""
        return isinstance(m, (nn.Conv2d, nn.BatchNorm2d)) or super().is_leaf_module(m, module_qualified_name)


def twin(module: nn.Module, device: str | None = None) -> nn.Module:
    """Return a copy of a network whose modules are its own and whose tensors are those of the network given.

    On another device ("meta": shapes alone, at no cost) they are copies.
    """
    weights = {id(p): p if device is None else nn.Parameter(p.to(device), p.requires_grad) for p in module.parameters()}
    return copy.deepcopy(module, weights | {id(b): b if device is None else b.to(device) for b in module.buffers()})


def fold(module: nn.Module, keep: Collection[str] = ()) -> nn.Module:
    """Return a network with each batch normalisation folded into the convolution before it.

    The same function up to rounding, with fewer operators; the tensors that do not change are shared, the network
    given stays as it is. Names stay; what a normalisation module did beside normalising (an activation) stays in
    its place. Convolutions named in ``keep`` are left alone, so that their own output stays what it was. A network
    that fx cannot trace is returned itself.
    """
    try:
        nodes = list(_Tracer().trace(module).nodes)
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError, torch.fx.proxy.TraceError):
        return module
    module = twin(module)
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
