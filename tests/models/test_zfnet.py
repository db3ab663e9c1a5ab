"""ZFNet against figure 3 of its paper, and the public ONNX file's form against onnx's own evaluator."""

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from cnnviz.errors import WeightsError
from cnnviz.models import zfnet
from cnnviz.models.zfnet import PAPER, ZOO, ZFNet, build, read_zfnet

ORDER = [
    *("conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2", "norm2"),
    *("conv3", "relu3", "conv4", "relu4", "conv5", "relu5", "pool5"),
    *("fc6", "relu6", "drop6", "fc7", "relu7", "drop7", "fc8"),
]
TINY = {"conv1": 4, "conv2": 5, "conv3": 6, "conv4": 7, "conv5": 8, "fc6": 9, "fc7": 10}
CLASSES = 11


def shapes(widths: dict[str, int], classes: int) -> dict[str, tuple[int, ...]]:
    w1, w2, w3, w4, w5, f6, f7 = widths.values()
    return {
        "conv1": (w1, 3, 7, 7),
        "conv2": (w2, w1, 5, 5),
        "conv3": (w3, w2, 3, 3),
        "conv4": (w4, w3, 3, 3),
        "conv5": (w5, w4, 3, 3),
        "fc6": (f6, w5 * 36),
        "fc7": (f7, f6),
        "fc8": (classes, f7),
    }


def blank_state(widths: dict[str, int], classes: int = 1000) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.empty(shape, device="meta") for name, shape in shapes(widths, classes).items()}


def maps_of(net: ZFNet) -> dict[str, tuple[int, ...]]:
    """Return every layer's output shape for one image, in the order in which the layers ran."""
    seen: dict[str, tuple[int, ...]] = {}
    for name, module in net.named_children():
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.__setitem__(name, tuple(out.shape)))
    net.eval()(torch.empty(1, 3, 224, 224, device="meta"))
    return seen


def parameters(net: ZFNet) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def test_sizes_are_those_of_figure_3():
    with torch.device("meta"):
        seen = maps_of(ZFNet())
    assert list(seen) == ORDER
    assert [seen[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5")] == [
        (1, 96, 110, 110),
        (1, 96, 55, 55),
        (1, 256, 26, 26),
        (1, 256, 13, 13),
        (1, 384, 13, 13),
        (1, 384, 13, 13),
        (1, 256, 13, 13),
        (1, 256, 6, 6),
    ]
    assert [seen[name] for name in ("fc6", "fc7", "fc8")] == [(1, 4096), (1, 4096), (1, 1000)]


def test_parameters_by_hand():
    with torch.device("meta"):
        net, public = ZFNet(), build(blank_state(ZOO), 1000)
    layers = [
        96 * (3 * 49 + 1),
        256 * (96 * 25 + 1),
        384 * (256 * 9 + 1),
        384 * (384 * 9 + 1),
        256 * (384 * 9 + 1),
        4096 * (9216 + 1),
        4096 * (4096 + 1),
        1000 * (4096 + 1),
    ]
    assert parameters(net) == sum(layers) == 62_357_608
    # The public files are 3,228 to 3,357 bytes larger than their float32 numbers.
    assert parameters(public) == (349_005_372 - 3_228) // 4 == 87_250_536


def test_norm_is_krizhevskys():
    x = torch.rand(2, 7, 3, 3, generator=torch.Generator().manual_seed(0)) * 200
    wanted = torch.empty_like(x)
    for channel in range(7):
        near = x[:, max(0, channel - 2) : channel + 3]
        wanted[:, channel] = x[:, channel] / (2 + 1e-4 * (near**2).sum(1)) ** 0.75
    norm = ZFNet(dict.fromkeys(PAPER, 1) | {"conv1": 7}, 1).norm1
    assert torch.allclose(norm(x), wanted, rtol=1e-5)


def test_relu_leaves_its_input_alone_and_dropout_is_for_training():
    net = ZFNet(dict.fromkeys(PAPER, 2), 3)
    assert not any(module.inplace for module in net.modules() if isinstance(module, torch.nn.ReLU))
    assert net.drop6.p == net.drop7.p == 0.5
    x = torch.rand(2, 3, 224, 224)
    assert torch.equal(net.eval()(x), net(x))


def test_build_takes_the_widths_of_a_state_dict():
    wide = PAPER | {"conv3": 512, "conv4": 1024, "conv5": 512}
    with torch.device("meta"):
        nets = [build(None, 1000), build({}, 7), build(blank_state(wide, 20), 20)]
    assert [parameters(net) for net in nets[:2]] == [62_357_608, 62_357_608 - 993 * 4097]
    assert {f"{name}.weight": module.weight.shape for name, module in nets[2].named_children() if name in wide} == {
        f"{name}.weight": shapes(wide, 20)[name] for name in wide
    }
    assert maps_of(nets[2])["pool1"] == (1, 96, 55, 55)


def test_build_gives_the_public_weights_their_own_form():
    with torch.device("meta"):
        seen = maps_of(build(blank_state(ZOO), 1000))
    sizes = {name: shape[-1] for name, shape in seen.items()}
    assert list(seen)[2:4] == ["norm1", "pool1"]
    # The sizes that a published table of the file's layers gives.
    assert [sizes[name] for name in ("conv1", "pool1", "conv2", "pool2", "conv5", "pool5")] == [109, 54, 25, 12, 12, 6]
    assert (seen["fc7"], seen["fc8"]) == ((1, 1024), (1, 1000))


# The public ONNX file: against onnx's own evaluator; other files are refused


def tiny_weights() -> dict[str, np.ndarray]:
    """Random weights whose maps stay of the size of the input, so that the normalisation bites."""
    generator = np.random.default_rng(0)
    weights = {}
    for name, shape in shapes(TINY, CLASSES).items():
        fan = float(np.prod(shape[1:])) * (20.0 if name == "fc8" else 0.7)
        weights[f"{name}_w"] = (generator.standard_normal(shape) * fan**-0.5).astype(np.float32)
        weights[f"{name}_b"] = generator.standard_normal(shape[0]).astype(np.float32)
    return weights


def public(weights: dict[str, np.ndarray] | None = None, *, dense: str = "transB") -> onnx.ModelProto:
    """Return a small model in the public file's form: caffe2's names, softmax at the end, weights listed as inputs.

    ``dense`` says how the fully connected layers are written: "transB", "plain" (Gemm) or "matmul" (MatMul, Add).
    """
    weights = dict(weights or tiny_weights())
    nodes: list[onnx.NodeProto] = []
    blob = "gpu_0/data_0"

    def add(op: str, *tensors: str, out: str, **attributes: object) -> None:
        nonlocal blob
        nodes.append(helper.make_node(op, [blob, *tensors], [out], **attributes))
        blob = out

    def conv(index: int, kernel: int, stride: int, pad: int) -> None:
        name = f"conv{index}"
        settings = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        add("Conv", f"{name}_w", f"{name}_b", out=f"{name}_1", **settings)
        add("Relu", out=f"{name}_2")

    def pool(index: int, kernel: int) -> None:
        add("MaxPool", out=f"pool{index}", kernel_shape=[kernel] * 2, strides=[2, 2], pads=[0] * 4)

    for index, kernel in ((1, 7), (2, 5)):
        conv(index, kernel, 2, 0)
        add("LRN", out=f"norm{index}", size=5, alpha=5e-4, beta=0.75, bias=2.0)
        pool(index, 3)
    for index in (3, 4, 5):
        conv(index, 3, 1, 1)
    pool(5, 2)
    weights["shape"] = np.array([1, TINY["conv5"] * 36])
    add("Reshape", "shape", out="flat")
    for name in ("fc6", "fc7", "fc8"):
        if dense != "transB":
            weights[f"{name}_w"] = weights[f"{name}_w"].T.copy()
        if dense == "matmul":
            add("MatMul", f"{name}_w", out=f"{name}_0")
            add("Add", f"{name}_b", out=f"{name}_1")
        else:
            add("Gemm", f"{name}_w", f"{name}_b", out=f"{name}_1", **({"transB": 1} if dense == "transB" else {}))
        if name != "fc8":
            add("Relu", out=f"{name}_2")
    add("Softmax", out="gpu_0/softmax_1", axis=1)
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    inputs = [helper.make_tensor_value_info("gpu_0/data_0", TensorProto.FLOAT, [1, 3, 224, 224])]
    inputs += [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in tensors]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, CLASSES]) for name in ("fc8_1", blob)]
    graph = helper.make_graph(nodes, "zfnet512", inputs, outputs, initializer=tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=3)
    onnx.checker.check_model(model)
    return model


class LRN(OpRun):
    """ONNX's definition of LRN; the evaluator's own walks the images where it should the maps (onnx issue 7805)."""

    def _run(self, x, alpha, beta, bias, size):
        before, after = (size - 1) // 2, size // 2
        squares = [(x[:, max(0, c - before) : c + after + 1] ** 2).sum(1) for c in range(x.shape[1])]
        return ((x / (bias + alpha / size * np.stack(squares, 1)) ** beta).astype(x.dtype),)


@pytest.fixture
def small(monkeypatch):
    """Let the public network be as small as the test's."""
    monkeypatch.setattr(zfnet, "ZOO", TINY)


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "zfnet512.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def filled(state: dict[str, torch.Tensor]) -> ZFNet:
    net = build(state, CLASSES)
    net.load_state_dict(state, strict=True)
    return net.eval()


def test_read_zfnet_computes_what_the_file_computes(small, tmp_path):
    model = public()
    net = filled(read_zfnet(saved(model, tmp_path)))
    image = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1)) * 255 - 115
    blue_first = image.flip(1).numpy()
    evaluator = ReferenceEvaluator(model, new_ops=[LRN])
    wanted, softmax = evaluator.run(["fc8_1", "gpu_0/softmax_1"], {"gpu_0/data_0": blue_first})
    with torch.no_grad():
        logits = net(image)
        paper = ZFNet(TINY, CLASSES).eval()
        paper.load_state_dict(net.state_dict())
        other = paper(image)
    # Large enough that a constant of the normalisation, or its place, could not be wrong unseen.
    assert np.abs(wanted).max() > 0.5
    assert np.abs(other.numpy() - wanted).max() > 0.01
    np.testing.assert_allclose(logits.numpy(), wanted, rtol=0, atol=1e-4)
    np.testing.assert_allclose(logits.softmax(1).numpy(), softmax, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dense", ["transB", "plain", "matmul"])
def test_read_zfnet_takes_the_weights_however_dense_layers_are_written(small, tmp_path, dense):
    weights = tiny_weights()
    state = read_zfnet(saved(public(weights, dense=dense), tmp_path))
    kinds = {"w": "weight", "b": "bias"}
    assert list(state) == [key.replace(f"_{key[-1]}", f".{kinds[key[-1]]}") for key in weights]
    for key, array in weights.items():
        tensor = state[key.replace(f"_{key[-1]}", f".{kinds[key[-1]]}")]
        assert torch.equal(tensor, torch.from_numpy(array[:, ::-1].copy() if key == "conv1_w" else array))


def find(model: onnx.ModelProto, op: str, index: int = 0) -> onnx.NodeProto:
    return [node for node in model.graph.node if node.op_type == op][index]


def change(model: onnx.ModelProto, op: str, key: str, value: object, index: int = 0) -> None:
    node = find(model, op, index)
    kept = [attribute for attribute in node.attribute if attribute.name != key]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(key, value)])


def swap_norm_and_pool(model: onnx.ModelProto) -> None:
    norm, pool = find(model, "LRN"), find(model, "MaxPool")
    norm.op_type, pool.op_type = pool.op_type, norm.op_type


def outside(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")


def no_bias(model: onnx.ModelProto) -> None:
    del find(model, "Conv", 2).input[2]


def double(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[0]
    array = numpy_helper.to_array(tensor).astype(np.float64)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


WRONG = {
    "a convolution too few": (lambda m: m.graph.node.remove(find(m, "Conv", 4)), "4 Conv and 3 Gemm, not 5 and 3"),
    "empty": (lambda m: m.Clear(), "0 Conv and 0 Gemm"),
    "many nodes": (lambda m: m.graph.node.extend([find(m, "Relu")] * 100), "122 nodes"),
    "no normalisation": (lambda m: m.graph.node.remove(find(m, "LRN")), "step 3 is MaxPool, not LRN"),
    "normalised last": (swap_norm_and_pool, "step 3 is MaxPool, not LRN"),
    "cut short": (lambda m: m.graph.node.extend([find(m, "Relu")]), "23 steps, not 21"),
    "another alpha": (lambda m: change(m, "LRN", "alpha", 1e-4), "LRN, has alpha 9.99"),
    "another bias": (lambda m: change(m, "LRN", "bias", 1.0), "LRN, has bias 1.0, not 2.0"),
    "padded": (lambda m: change(m, "Conv", "pads", [1] * 4), r"step 1, Conv, has pads \(1, 1, 1, 1\)"),
    "padded by rule": (lambda m: change(m, "Conv", "auto_pad", "SAME_UPPER"), "auto_pad SAME_UPPER"),
    "grouped": (lambda m: change(m, "Conv", "group", 2, index=3), "group 2"),
    "pooled by 3 at last": (lambda m: change(m, "MaxPool", "kernel_shape", [3, 3], index=2), "kernel_shape"),
    "scaled": (lambda m: change(m, "Gemm", "alpha", 2.0), "Gemm, has alpha 2.0"),
    "an endless attribute": (lambda m: change(m, "Conv", "pads", [0] * 100_000), "pads"),
    "another wire": (lambda m: find(m, "Relu", 3).input.__setitem__(0, "conv1_2"), "does not take"),
    "somebody's operator": (lambda m: setattr(find(m, "LRN"), "domain", "evil\n"), r"evil\\n.LRN, not LRN"),
    "without bias": (no_bias, "conv3 has 1 tensors"),
    "without a tensor": (lambda m: m.graph.initializer.pop(0), "no tensor conv1_w"),
    "in another file": (outside, "conv1_w lies in another file"),
    "of doubles": (double, "conv1_w is not float32"),
    "of a strange shape": (lambda m: m.graph.initializer[0].dims.__setitem__(0, 2**40), "reshape"),
    "flat": (lambda m: m.graph.initializer[0].dims.__delitem__(slice(0, 3)), "reshape|shape"),
}


@pytest.mark.parametrize("case", WRONG)
def test_other_files_are_refused_in_one_line(small, tmp_path, monkeypatch, case):
    spoil, reason = WRONG[case]
    model = public()
    spoil(model)
    path = saved(model, tmp_path)
    # The file that external data names is there, and would be found from the current folder too.
    (tmp_path / "secret.bin").write_bytes(bytes(4 * 3 * 49 * 4))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=reason) as failure:
        read_zfnet(path)
    assert str(failure.value).startswith(str(path))
    assert "\n" not in str(failure.value)
    assert len(str(failure.value)) < len(str(path)) + 300


def test_other_widths_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="widths 4, 5, 6, 7, 8, 9, 10, not 96, 256, 512, 512, 512, 4096, 1024"):
        read_zfnet(saved(public(), tmp_path))


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 1000, b"not a protobuf at all", b"PK\x03\x04"])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "odd\nname.onnx"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"odd\\nname.onnx: is (damaged|not the public)") as failure:
        read_zfnet(path)
    assert "\n" not in str(failure.value)


def test_cut_files_are_refused(small, tmp_path):
    path = saved(public(), tmp_path)
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.99):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(WeightsError):
            read_zfnet(path)


def test_too_large_a_file_is_not_read(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(zfnet.MAX_BYTES + 1)
    with pytest.raises(WeightsError, match="536870913 bytes"):
        read_zfnet(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.onnx"):
        with pytest.raises(WeightsError, match="no such file"):
            read_zfnet(path)


def test_without_onnx_the_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(WeightsError, match=r"pip install 'cnnviz\[onnx\]'"):
        read_zfnet(tmp_path / "zfnet512.onnx")
