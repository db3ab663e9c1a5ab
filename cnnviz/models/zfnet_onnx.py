"""State dicts of ZFNet from its public ONNX file, which is not trusted: structure and sizes are checked."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from cnnviz.errors import WeightsError
from cnnviz.models import zfnet
from cnnviz.text import printable

MAX_BYTES = 1 << 29  # bytes; the public files of opset 6, 8 and 12 have 349,005,372 to 349,005,501 (Git LFS pointers)
MAX_TEXT = 160  # characters of a reason, which may quote the file
MAX_COUNT = 100  # nodes of the graph, numbers of an attribute; the public file: 22 nodes, four numbers

Message: TypeAlias = Any  # of protobuf: onnx is optional
Attribute: TypeAlias = Any  # a number, a text or a tuple of numbers
Attributes = Mapping[str, Attribute]

# The ONNX operators' defaults. For Gemm's transB see _weight.
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
NAMES = (*zfnet.PAPER, "fc8")
WEIGHTED = {"Conv": 5, "Gemm": 3}


@dataclass(frozen=True)
class OnnxStep:
    """One operation of the network: ``weights`` are the names of its tensors; MatMul and Add are one Gemm."""

    op: str
    attributes: Attributes
    weights: tuple[str, ...]
    input: str
    output: str


def read_zfnet(path: Path) -> dict[str, Tensor]:
    """Return the weights of the model zoo's zfnet512 (.onnx, opset 3 to 12) as ZFNet's state dict, float32.

    The file's conv1 takes blue, green, red; the returned one takes red, green, blue. The operators and attributes in
    the file must be those of ``ZFNet(zoo=True)``. No other file is opened. Raises WeightsError, in one line.
    """
    name = printable(str(path))
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise WeightsError(f"{name}: reading ONNX weights needs onnx: pip install 'cnnviz[onnx]'") from error
    try:
        # From bytes, not from the path: onnx.load would read other files as external data.
        graph = onnx.load_model_from_string(_bytes(path)).graph
        return _state(graph)
    except DecodeError as error:
        raise WeightsError(f"{name}: is damaged, or no ONNX file") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{name}: is not the public zfnet512 ({printable(str(error)[:MAX_TEXT])})") from error


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError("no such file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{size} bytes, more than {MAX_BYTES}")
    return path.read_bytes()


def _state(graph: Message) -> dict[str, Tensor]:
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    if len(graph.node) > MAX_COUNT:
        raise ValueError(f"{len(graph.node)} nodes, more than {MAX_COUNT}")
    steps = list(_steps(graph))
    _check_counts(steps)
    _check_steps(steps)
    state: dict[str, Tensor] = {}
    for name, step in zip(NAMES, (step for step in steps if step.op in WEIGHTED), strict=True):
        if len(step.weights) != 2:
            raise ValueError(f"{name} has {len(step.weights)} tensors, not a weight and a bias")
        weight, bias = (_tensor(tensors, key) for key in step.weights)
        state |= {f"{name}.weight": _weight(step, weight), f"{name}.bias": bias.flatten()}
    # zfnet.build takes the zoo's form of the network only for these widths.
    widths = {name: state[f"{name}.weight"].shape[0] for name in zfnet.ZOO}
    if widths != zfnet.ZOO:
        raise ValueError(f"widths {_listed(widths)}, not {_listed(zfnet.ZOO)}")
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


def _check_counts(steps: list[OnnxStep]) -> None:
    counts = Counter(step.op for step in steps)
    if any(counts[op] != count for op, count in WEIGHTED.items()):
        raise ValueError(f"{counts['Conv']} Conv and {counts['Gemm']} Gemm, not 5 and 3")


def _check_steps(steps: list[OnnxStep]) -> None:
    for index, (op, settings) in enumerate(PUBLIC):
        step = steps[index] if index < len(steps) else None
        if step is None or step.op != op:
            raise ValueError(f"step {index + 1} is {step.op if step else 'missing'}, not {op}")
        if index and step.input != steps[index - 1].output:
            raise ValueError(f"step {index + 1}, {op}, does not take the output of step {index}")
        for key, wanted in {**DEFAULTS.get(op, {}), **settings}.items():
            value = step.attributes.get(key, DEFAULTS.get(op, {}).get(key))
            if not _same(value, wanted):
                raise ValueError(f"step {index + 1}, {op}, has {key} {value}, not {wanted}")
    if len(steps) > len(PUBLIC):
        raise ValueError(f"{len(steps)} steps, not {len(PUBLIC)}")


def _same(value: Attribute, wanted: Attribute) -> bool:
    if isinstance(wanted, float):  # the file's numbers are float32
        return isinstance(value, float) and math.isclose(value, wanted, rel_tol=1e-6)
    return bool(value == wanted)


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


def _weight(step: OnnxStep, weight: Tensor) -> Tensor:
    if weight.dim() != (4 if step.op == "Conv" else 2):
        raise ValueError(f"tensor {step.weights[0]} has shape {tuple(weight.shape)}")
    if step.op == "Conv" or step.attributes.get("transB", 0):
        return weight
    return weight.t().contiguous()  # ONNX: (in, out); torch: (out, in)


def _listed(widths: Mapping[str, int]) -> str:
    return ", ".join(map(str, widths.values()))
