"""The public ONNX file of a ZFNet -> a state dict with ZFNet's names. Files are hostile until checked."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnviz.errors import WeightsError, printable
from cnnviz.models import zfnet

LARGEST = 1 << 29  # bytes; the public files of opset 6, 8 and 12 have 349,005,372 to 349,005,501 (Git LFS pointers)
TOLD = 160  # characters of a reason, which may quote the file
MOST = 100  # nodes of the graph, numbers of an attribute; the public file: 22 nodes, four numbers

# What a node does where the file says nothing: the ONNX operators' defaults. Gemm's transB is dealt with in _weight.
DEFAULTS: dict[str, dict[str, Any]] = {
    "Conv": {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "group": 1, "auto_pad": "NOTSET"},
    "MaxPool": {"strides": (1, 1), "pads": (0, 0, 0, 0), "dilations": (1, 1), "ceil_mode": 0, "auto_pad": "NOTSET"},
    "LRN": {"alpha": 1e-4, "beta": 0.75, "bias": 1.0},
    "Gemm": {"alpha": 1.0, "beta": 1.0, "transA": 0},
}
# The public network: operators, order and numbers of Caffe2's, github.com/facebookarchive/models,
# zfnet512/predict_net.pbtxt; "Caffe2 ZFNet-512 ==> ONNX ZFNet-512", says the README of github.com/onnx/models. Its FC
# is ONNX's Reshape and Gemm; the softmax at its end is not ours. The ONNX file itself was not at hand: hence the check.
STRIDED = ("Conv", {"strides": (2, 2)})
PADDED = ("Conv", {"pads": (1, 1, 1, 1)})
RELU: tuple[str, dict[str, Any]] = ("Relu", {})
LRN = ("LRN", {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0})
POOL3 = ("MaxPool", {"kernel_shape": (3, 3), "strides": (2, 2)})
POOL2 = ("MaxPool", {"kernel_shape": (2, 2), "strides": (2, 2)})
FLAT: tuple[str, dict[str, Any]] = ("Reshape", {})
GEMM: tuple[str, dict[str, Any]] = ("Gemm", {})
PUBLIC = (
    *(STRIDED, RELU, LRN, POOL3, STRIDED, RELU, LRN, POOL3),
    *(PADDED, RELU, PADDED, RELU, PADDED, RELU, POOL2),
    *(FLAT, GEMM, RELU, GEMM, RELU, GEMM),
)
NAMES = (*zfnet.PAPER, "fc8")
WEIGHTED = {"Conv": 5, "Gemm": 3}


@dataclass(frozen=True)
class Step:
    """One operation on the way from image to logits: ``weights`` name its tensors, MatMul and Add are one Gemm."""

    op: str
    attributes: Mapping[str, Any]
    weights: tuple[str, ...]
    input: str
    output: str


def read_zfnet(path: Path) -> dict[str, Tensor]:
    """Return the weights of the model zoo's zfnet512 (.onnx, opset 3 to 12) as ZFNet's state dict, float32.

    The file's own conv1 takes blue, green, red; the one returned takes red, green, blue. What the file says of its
    network must be what ``ZFNet(zoo=True)`` computes, number by number. No other file is ever opened.
    Raises WeightsError, in one line.
    """
    name = printable(str(path))
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise WeightsError(f"{name}: reading ONNX weights takes onnx: pip install 'cnnviz[onnx]'") from error
    try:
        # From bytes, not from the path: onnx.load would follow external data to other files.
        graph = onnx.load_model_from_string(_bytes(path)).graph
        return _state(graph)
    except DecodeError as error:
        raise WeightsError(f"{name}: is damaged, or no ONNX file") from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{name}: is not the public zfnet512 ({printable(str(error)[:TOLD])})") from error


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError("no such file")
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{size} bytes, more than {LARGEST}")
    return path.read_bytes()


def _state(graph: Any) -> dict[str, Tensor]:
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    if len(graph.node) > MOST:
        raise ValueError(f"{len(graph.node)} nodes, more than {MOST}")
    steps = list(_steps(graph))
    _check_counts(steps)
    _check_steps(steps)
    state: dict[str, Tensor] = {}
    for name, step in zip(NAMES, (step for step in steps if step.op in WEIGHTED), strict=True):
        if len(step.weights) != 2:
            raise ValueError(f"{name} has {len(step.weights)} tensors, not a weight and a bias")
        weight, bias = (_tensor(tensors, key) for key in step.weights)
        state |= {f"{name}.weight": _weight(step, weight), f"{name}.bias": bias.flatten()}
    # Only from these widths does zfnet.build know that the weights want the zoo's form of the network.
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


def _steps(graph: Any) -> Iterator[Step]:
    nodes = list(graph.node)
    while nodes:
        node = nodes.pop(0)
        op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        weights, output = tuple(node.input[1:]), _first(node.output)
        if op == "Softmax" and not nodes:
            return
        if op == "MatMul" and nodes and nodes[0].op_type == "Add" and _first(nodes[0].input) == output:
            added = nodes.pop(0)
            op, weights, output = "Gemm", (*weights, *added.input[1:]), _first(added.output)
        op = "Reshape" if op == "Flatten" else op
        attributes = {attribute.name: _value(attribute) for attribute in node.attribute}
        yield Step(op, attributes, weights, _first(node.input), output)


def _first(names: Any) -> str:
    return str(names[0]) if names else ""


def _value(attribute: Any) -> Any:
    # By hand, because onnx.helper would unroll a list of any length.
    if attribute.type == attribute.INTS:
        return tuple(attribute.ints[:MOST])
    plain = {attribute.INT: attribute.i, attribute.FLOAT: attribute.f}
    return attribute.s[:TOLD].decode() if attribute.type == attribute.STRING else plain.get(attribute.type)


def _check_counts(steps: list[Step]) -> None:
    found = Counter(step.op for step in steps)
    if any(found[op] != count for op, count in WEIGHTED.items()):
        raise ValueError(f"{found['Conv']} Conv and {found['Gemm']} Gemm, not 5 and 3")


def _check_steps(steps: list[Step]) -> None:
    for index, (op, settings) in enumerate(PUBLIC):
        found = steps[index] if index < len(steps) else None
        if found is None or found.op != op:
            raise ValueError(f"step {index + 1} is {found.op if found else 'missing'}, not {op}")
        if index and found.input != steps[index - 1].output:
            raise ValueError(f"step {index + 1}, {op}, does not take what step {index} gives")
        for key, wanted in (DEFAULTS.get(op, {}) | settings).items():
            value = found.attributes.get(key, DEFAULTS.get(op, {}).get(key))
            if not _same(value, wanted):
                raise ValueError(f"step {index + 1}, {op}, has {key} {value}, not {wanted}")
    if len(steps) > len(PUBLIC):
        raise ValueError(f"{len(steps)} steps, not {len(PUBLIC)}")


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, float):  # the file's numbers are float32
        return isinstance(value, float) and math.isclose(value, wanted, rel_tol=1e-6)
    return bool(value == wanted)


def _tensor(tensors: Mapping[str, Any], key: str) -> Tensor:
    from onnx import TensorProto, numpy_helper

    tensor = tensors.get(key)
    if tensor is None:
        raise ValueError(f"no tensor {key}")
    # to_array would open the file that an external tensor names.
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ValueError(f"tensor {key} lies in another file")
    if tensor.data_type != TensorProto.FLOAT:
        raise ValueError(f"tensor {key} is not float32")
    return torch.from_numpy(numpy_helper.to_array(tensor).copy())


def _weight(step: Step, weight: Tensor) -> Tensor:
    if weight.dim() != (4 if step.op == "Conv" else 2):
        raise ValueError(f"tensor {step.weights[0]} has shape {tuple(weight.shape)}")
    if step.op == "Conv" or step.attributes.get("transB", 0):
        return weight
    return weight.t().contiguous()  # ONNX: (in, out); torch: (out, in)


def _listed(widths: Mapping[str, int]) -> str:
    return ", ".join(map(str, widths.values()))
