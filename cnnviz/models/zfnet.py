"""ZFNet (Zeiler & Fergus 2013, arXiv:1311.2901), in the paper's form and in that of the ONNX model zoo's file.

The file is not trusted: structure and sizes are checked.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from cnnviz.errors import WeightsError
from cnnviz.models.checkpoint import check_file
from cnnviz.text import printable

CLASSES = 1000
SIDE = 6  # of the fifth layer's maps after pooling, in both forms (figure 3)
# Maps of conv1 to conv5, then outputs of fc6 and fc7. The paper's: figure 3.
PAPER = {"conv1": 96, "conv2": 256, "conv3": 384, "conv4": 384, "conv5": 256, "fc6": 4096, "fc7": 4096}
# zfnet512 of github.com/onnx/models, converted from Caffe2. Its README gives 512 maps in layer 4; the rest is from a
# published table of the file's layers, and checked by its size: these seven give 87,250,536
# parameters, at 4 bytes each the .onnx file but for 3.4 kB (349,005,501 bytes, says its Git LFS pointer), at 5 bytes
# the Caffe2 file but for 1.1 kB (436,253,819 bytes, github.com/facebookarchive/models). fc7 is not the paper's.
ZOO = {"conv1": 96, "conv2": 256, "conv3": 512, "conv4": 512, "conv5": 512, "fc6": 4096, "fc7": 1024}
MAX_BYTES = 1 << 29  # bytes; the public files of opset 6, 8 and 12 have 349,005,372 to 349,005,501 (Git LFS pointers)
MAX_TEXT = 160  # characters of a reason, which may quote the file
MAX_COUNT = 100  # nodes of the graph, numbers of an attribute; the public file: 22 nodes, four numbers

Message: TypeAlias = Any  # of protobuf: onnx is optional
Attribute: TypeAlias = Any  # a number, a text or a tuple of numbers
Attributes = Mapping[str, Attribute]

# The ONNX operators' defaults, but for Gemm's transB.
DEFAULTS: dict[str, Attributes] = {
    "Conv": {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "group": 1, "auto_pad": "NOTSET"},
    "MaxPool": {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "ceil_mode": 0, "auto_pad": "NOTSET"},
    "LRN": {"alpha": 1e-4, "beta": 0.75, "bias": 1.0},
    "Gemm": {"alpha": 1.0, "beta": 1.0, "transA": 0},
}
# The public network: operators, order and numbers of Caffe2's, github.com/facebookarchive/models,
# zfnet512/predict_net.pbtxt; "Caffe2 ZFNet-512 ==> ONNX ZFNet-512", says the README of github.com/onnx/models. Its FC
# is ONNX's Reshape and Gemm; the softmax at its end is left out. The ONNX file itself was unavailable: hence the check.
STRIDED = ("Conv", {"strides": (2, 2)})
PADDED = ("Conv", {"pads": (1, 1, 1, 1)})
RELU: tuple[str, Attributes] = ("Relu", {})
LRN = ("LRN", {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0})
POOL3 = ("MaxPool", {"kernel_shape": (3, 3), "strides": (2, 2)})
POOL2 = ("MaxPool", {"kernel_shape": (2, 2), "strides": (2, 2)})
FLAT: tuple[str, Attributes] = ("Reshape", {})
GEMM: tuple[str, Attributes] = ("Gemm", {})
PUBLIC = (
    *(STRIDED, RELU, LRN, POOL3, STRIDED, RELU, LRN, POOL3),
    *(PADDED, RELU, PADDED, RELU, PADDED, RELU, POOL2),
    *(FLAT, GEMM, RELU, GEMM, RELU, GEMM),
)
NAMES = (*PAPER, "fc8")
WEIGHTED = {"Conv": 5, "Gemm": 3}


class ZFNet(nn.Module):
    """Zeiler & Fergus' network (section 3, figure 3): (N, 3, 224, 224) to logits (N, num_classes).

    The modules run in the order in which they are defined. Not in the paper: the padding, which here gives figure 3's
    sizes (110, 55, 26, 13, 13, 13, 13, 6), and the constants of the normalisation "across feature maps", for which it
    refers to Krizhevsky et al. 2012 and Jarrett et al. 2009 (section 2): Krizhevsky's are taken.

    ``zoo=True`` gives the form of the public zfnet512: no padding in conv1, normalisation before pooling, 2x2 pooling
    after conv5; sizes 109, 54, 25, 12, 12, 12, 12, 6.
    """

    def __init__(self, widths: Mapping[str, int] = PAPER, num_classes: int = CLASSES, *, zoo: bool = False) -> None:
        super().__init__()
        w1, w2, w3, w4, w5, w6, w7 = (widths[name] for name in PAPER)
        # Padding 1 is ours: 224 pixels give 110, as in figure 3. The zoo's has none: 109.
        self._add(conv1=nn.Conv2d(3, w1, 7, stride=2, padding=0 if zoo else 1), relu1=nn.ReLU(), **_smaller(1, zoo))
        self._add(conv2=nn.Conv2d(w1, w2, 5, stride=2), relu2=nn.ReLU(), **_smaller(2, zoo))
        self._add(conv3=nn.Conv2d(w2, w3, 3, padding=1), relu3=nn.ReLU())
        self._add(conv4=nn.Conv2d(w3, w4, 3, padding=1), relu4=nn.ReLU())
        self._add(conv5=nn.Conv2d(w4, w5, 3, padding=1), relu5=nn.ReLU(), pool5=_pool(2 if zoo else 3))
        self._add(fc6=nn.Linear(w5 * SIDE * SIDE, w6), relu6=nn.ReLU(), drop6=nn.Dropout(0.5))
        self._add(fc7=nn.Linear(w6, w7), relu7=nn.ReLU(), drop7=nn.Dropout(0.5), fc8=nn.Linear(w7, num_classes))

    def _add(self, **modules: nn.Module) -> None:
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, num_classes) for (N, 3, 224, 224)."""
        for name, module in self.named_children():
            x = module(x.flatten(1) if name == "fc6" else x)
        return x


def _smaller(layer: int, zoo: bool) -> dict[str, nn.Module]:
    """Return a layer's pool and normalisation: pooled first by figure 3's caption, normalised first in the zoo's."""
    modules: dict[str, nn.Module] = {"pool": _pool(3), "norm": _norm()}
    return {f"{kind}{layer}": modules[kind] for kind in (("norm", "pool") if zoo else ("pool", "norm"))}


def _pool(kernel: int) -> nn.MaxPool2d:
    # Rounding up is ours: 110 gives 55 and 26 gives 13, as in figure 3; rounded down they would be 54 and 12.
    # The zoo's maps (109, 25, 12) divide without a rest: no difference there.
    return nn.MaxPool2d(kernel, stride=2, ceil_mode=True)


def _norm() -> nn.LocalResponseNorm:
    # Krizhevsky et al. 2012, section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75. torch divides the sum of squares
    # by n, Krizhevsky does not: alpha is five times his. The same constants, under the same division, are in the
    # zoo's network (github.com/facebookarchive/models, zfnet512/predict_net.pbtxt: size 5, alpha 5e-4, bias 2).
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def build(state: Mapping[str, Tensor] | None, num_classes: int) -> ZFNet:
    """Return a ZFNet, without weights, with the widths of a state dict, or the paper's for layers that it lacks.

    It has the zoo's form for the zoo's widths (512, 1024 and 512 maps in conv3 to conv5 are the paper's, section 5.1).
    """
    weights = {name: (state or {}).get(f"{name}.weight") for name in PAPER}
    widths = {name: PAPER[name] if w is None or w.dim() == 0 else len(w) for name, w in weights.items()}
    return ZFNet(widths, num_classes, zoo=widths == ZOO)


@dataclass(frozen=True)
class OnnxStep:
    """One operation of the network: ``weights`` are the names of its tensors; MatMul and Add are one Gemm."""

    op: str
    attributes: Attributes
    weights: tuple[str, ...]
    input: str
    output: str


def read_zfnet(path: Path) -> dict[str, Tensor]:
    """Return the weights of the model zoo's zfnet512 (.onnx, opset 3 to 12) as ZFNet's state dict, float32, for RGB.

    The operators and attributes in the file must be those of ``ZFNet(zoo=True)``. Raises WeightsError, in one line.
    """
    name = printable(str(path))
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise WeightsError(f"{name}: reading ONNX weights needs onnx: pip install 'cnnviz[onnx]'") from error
    try:
        # From bytes, not from the path: onnx.load would read other files as external data.
        check_file(path, MAX_BYTES)
        return _state(onnx.load_model_from_string(path.read_bytes()).graph)
    except DecodeError as error:
        raise WeightsError(f"{name}: is damaged, or no ONNX file") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{name}: is not the public zfnet512 ({printable(str(error)[:MAX_TEXT])})") from error


def _state(graph: Message) -> dict[str, Tensor]:
    if len(graph.node) > MAX_COUNT:
        raise ValueError(f"{len(graph.node)} nodes, more than {MAX_COUNT}")
    steps = list(_steps(graph))
    _check(steps)
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    state: dict[str, Tensor] = {}
    for name, step in zip(NAMES, (step for step in steps if step.op in WEIGHTED), strict=True):
        if len(step.weights) != 2:
            raise ValueError(f"{name} has {len(step.weights)} tensors, not a weight and a bias")
        weight, bias = (_tensor(tensors, key) for key in step.weights)
        if weight.dim() != (4 if step.op == "Conv" else 2):
            raise ValueError(f"tensor {step.weights[0]} has shape {tuple(weight.shape)}")
        if step.op == "Gemm" and not step.attributes.get("transB", 0):
            weight = weight.t().contiguous()  # ONNX: (in, out); torch: (out, in)
        state |= {f"{name}.weight": weight, f"{name}.bias": bias.flatten()}
    # build takes the zoo's form of the network only for these widths.
    widths = [state[f"{name}.weight"].shape[0] for name in ZOO]
    if widths != list(ZOO.values()):
        found, wanted = (", ".join(map(str, numbers)) for numbers in (widths, ZOO.values()))
        raise ValueError(f"widths {found}, not {wanted}")
    # Blue first in the file. Fed RGB less (123.68, 116.779, 103.939) of 255, turned to BGR and not divided, it was
    # measured at 55.97 % top-1 and 79.41 % top-5 of ImageNet (the feeding: github.com/intel/neural-compressor,
    # examples/onnxrt/image_recognition/onnx_model_zoo/zfnet/quantization/ptq_static/main.py; the numbers: the README in
    # github.com/onnx/models, which names that program at its older place). github.com/pytorch/glow feeds it BGR, 0 to
    # 255, the mean left in (tests/images/run.sh; BGR is its default). How it was trained we did not find.
    state["conv1.weight"] = state["conv1.weight"].flip(1)
    return state


def _steps(graph: Message) -> Iterator[OnnxStep]:
    nodes = list(graph.node)
    while nodes:
        node = nodes.pop(0)
        op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        weights, output = tuple(node.input[1:]), _first(node.output)
        if op == "Softmax" and not nodes:
            return
        if op == "MatMul" and nodes and nodes[0].op_type == "Add" and _first(nodes[0].input) == output:
            add = nodes.pop(0)
            op, weights, output = "Gemm", (*weights, *add.input[1:]), _first(add.output)
        op = "Reshape" if op == "Flatten" else op
        attributes = {attribute.name: _value(attribute) for attribute in node.attribute}
        yield OnnxStep(op, attributes, weights, _first(node.input), output)


def _first(names: Sequence[str]) -> str:
    return str(names[0]) if names else ""


def _value(attribute: Message) -> Attribute:
    # Not by onnx.helper, which would read a list of any length.
    if attribute.type == attribute.INTS:
        return tuple(attribute.ints[:MAX_COUNT])
    plain = {attribute.INT: attribute.i, attribute.FLOAT: attribute.f}
    return attribute.s[:MAX_TEXT].decode() if attribute.type == attribute.STRING else plain.get(attribute.type)


def _check(steps: list[OnnxStep]) -> None:
    """Raise ValueError unless the operators, their attributes and their order are those of the public network."""
    counts = Counter(step.op for step in steps)
    if any(counts[op] != count for op, count in WEIGHTED.items()):
        raise ValueError(f"{counts['Conv']} Conv and {counts['Gemm']} Gemm, not 5 and 3")
    for index, (op, settings) in enumerate(PUBLIC):
        step = steps[index] if index < len(steps) else None
        if step is None or step.op != op:
            raise ValueError(f"step {index + 1} is {step.op if step else 'missing'}, not {op}")
        if index and step.input != steps[index - 1].output:
            raise ValueError(f"step {index + 1}, {op}, does not take the output of step {index}")
        for key, wanted in {**DEFAULTS.get(op, {}), **settings}.items():
            value = step.attributes.get(key, DEFAULTS.get(op, {}).get(key))
            number = isinstance(wanted, float)  # the file's numbers are float32
            same = isinstance(value, float) and math.isclose(value, wanted, rel_tol=1e-6) if number else value == wanted
            if not same:
                raise ValueError(f"step {index + 1}, {op}, has {key} {value}, not {wanted}")
    if len(steps) > len(PUBLIC):
        raise ValueError(f"{len(steps)} steps, not {len(PUBLIC)}")


def _tensor(tensors: Mapping[str, Message], key: str) -> Tensor:
    from onnx import TensorProto, numpy_helper

    tensor = tensors.get(key)
    if tensor is None:
        raise ValueError(f"no tensor {key}")
    # to_array would open the file of an external tensor.
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ValueError(f"tensor {key} lies in another file")
    if tensor.data_type != TensorProto.FLOAT:
        raise ValueError(f"tensor {key} is not float32")
    return torch.from_numpy(numpy_helper.to_array(tensor).copy())
