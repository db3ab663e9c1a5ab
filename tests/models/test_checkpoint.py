"""Files of weights: what is read, what is refused, and in which words."""

import json
import struct
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cnnviz.errors import WeightsError
from cnnviz.models import checkpoint

TRIPPED: list[str] = []


def net(classes: int = 4) -> nn.Module:
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 5, 3), bn=nn.BatchNorm2d(5), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(),
            fc=nn.Linear(5, classes),
        )
    )  # fmt: skip


def blank(classes: int = 4) -> nn.Module:
    with checkpoint.WithoutInit():
        return net(classes)


@pytest.fixture
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    module = net()
    module(torch.rand(8, 3, 6, 6))  # in training: the running statistics move
    return dict(module.state_dict())


def saved(path: Path, thing: Any) -> Path:
    torch.save(thing, path)
    return path


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def trip() -> None:
    TRIPPED.append("ran")


class Malicious:
    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return trip, ()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model_state_dict": s, "optimizer": {"lr": 0.1}},
        lambda s: {"model": s},
        lambda s: {"net": s, "acc": 91.2},
        lambda s: {f"module.{key}": tensor for key, tensor in s.items()},
        lambda s: {"state_dict": {f"module.{key}": tensor for key, tensor in s.items()}},
        lambda s: {f"_orig_mod.module.{key}": tensor for key, tensor in s.items()},
        lambda s: OrderedDict(s),
    ],
)
def test_a_state_dict_is_found_in_what_trainers_wrap_around_it(tmp_path: Path, state: dict[str, Tensor], wrap: Any):
    assert same(checkpoint.read_checkpoint(saved(tmp_path / "a.pth", wrap(state))), state)


@pytest.mark.parametrize("name", ["a.safetensors", "A.SAFETENSORS"])
def test_safetensors_are_read(tmp_path: Path, state: dict[str, Tensor], name: str):
    save_file(state, tmp_path / name)
    assert same(checkpoint.read_checkpoint(tmp_path / name), state)


def test_the_old_format_of_torch_is_read(tmp_path: Path, state: dict[str, Tensor]):
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(checkpoint.read_checkpoint(tmp_path / "old.pth"), state)


@pytest.mark.parametrize("new_format", [True, False])
@pytest.mark.parametrize("wrap", [lambda evil, s: evil, lambda evil, s: s | {"extra": evil}])
def test_pickled_code_is_refused_and_does_not_run(
    tmp_path: Path, state: dict[str, Tensor], wrap: Any, new_format: bool
):
    path = tmp_path / "evil.pth"
    torch.save(wrap(Malicious(), state), path, _use_new_zipfile_serialization=new_format)
    with pytest.raises(WeightsError, match=r"evil\.pth: holds more than tensors") as caught:
        checkpoint.read_checkpoint(path)
    assert TRIPPED == []
    assert "\n" not in str(caught.value)


def test_a_whole_pickled_module_is_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match="holds more than tensors"):
        checkpoint.read_checkpoint(saved(tmp_path / "module.pth", net()))


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_damaged_files_are_one_line(tmp_path: Path, state: dict[str, Tensor], name: str):
    path = tmp_path / name
    if name.endswith(".pth"):
        torch.save(state, path)
    else:
        save_file(state, path)
    whole = path.read_bytes()
    huge = struct.pack("<Q", 1 << 40)
    odd = json.dumps({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}).encode()
    damaged = [whole[: len(whole) // 2], whole[:9], b"", b"not weights at all\n", huge + whole[8:]]
    damaged += [struct.pack("<Q", len(odd)) + odd + b"\0" * 4, whole[:-50], b"\x80\x02}q\x00.", b"\x80\x04K\x05."]
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=rf"{name}: ") as caught:
            checkpoint.read_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_no_damage_to_an_old_pickle_ends_otherwise(tmp_path: Path, state: dict[str, Tensor]):
    path = tmp_path / "old.pth"
    torch.save(state, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for place in range(0, 400, 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x15]) + whole[place + 1 :])
        with suppress(WeightsError):  # and nothing else
            checkpoint.read_checkpoint(path)
    assert TRIPPED == []


@pytest.mark.parametrize(
    ("thing", "words"), [([1, 2], "a list, not a state dict"), ({}, "no tensors"), ({"a": 1}, "no tensors")]
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, thing: Any, words: str):
    with pytest.raises(WeightsError, match=words):
        checkpoint.read_checkpoint(saved(tmp_path / "a.pth", thing))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(WeightsError, match=r"gone\.pth: cannot be read as weights \(No such file"):
        checkpoint.read_checkpoint(tmp_path / "gone.pth")


def test_a_network_is_filled_whole(state: dict[str, Tensor]):
    module = blank()
    checkpoint.load_state(module, state, "a.pth")
    assert same(dict(module.state_dict()), state)


def test_half_precision_is_filled_as_float32(state: dict[str, Tensor]):
    module = blank()
    halves = {key: t.half() if t.is_floating_point() else t for key, t in state.items()}
    checkpoint.load_state(module, halves, "a.pth")
    assert module.get_parameter("fc.weight").dtype == torch.float32
    assert torch.equal(module.get_parameter("fc.weight"), halves["fc.weight"].float())


def test_a_missing_count_of_batches_is_no_matter(state: dict[str, Tensor]):
    module = blank()
    del state["bn.num_batches_tracked"]
    checkpoint.load_state(module, state, "a.pth")
    assert module.get_buffer("bn.num_batches_tracked") == 0
    assert torch.isfinite(module.eval()(torch.rand(1, 3, 6, 6))).all()


def test_missing_and_unknown_keys_are_counted_and_three_are_named(state: dict[str, Tensor]):
    odd = {f"body.{key}": tensor for key, tensor in state.items()}
    with pytest.raises(WeightsError) as caught:
        checkpoint.load_state(blank(), odd, "odd.pth")
    assert str(caught.value) == (
        "odd.pth does not fit the network: of 9 keys, 8 missing (conv.weight, conv.bias, bn.weight, …); "
        "9 unknown (body.conv.weight, body.conv.bias, body.bn.weight, …)"
    )


def test_one_missing_key_is_not_filled_in_silently(state: dict[str, Tensor]):
    del state["conv.bias"]
    with pytest.raises(WeightsError, match=r"of 9 keys, 1 missing \(conv\.bias\)$"):
        checkpoint.load_state(blank(), state, "a.pth")


def test_another_shape_and_another_type_are_named(state: dict[str, Tensor]):
    with pytest.raises(WeightsError, match=r"2 of another shape \(fc\.weight, fc\.bias\)$"):
        checkpoint.load_state(blank(7), state, "a.pth")
    state["conv.weight"] = state["conv.weight"].to(torch.int8)
    with pytest.raises(WeightsError, match=r"1 of another type \(conv\.weight\)$"):
        checkpoint.load_state(blank(), state, "a.pth")


def test_a_tensor_that_no_file_holds_is_told(state: dict[str, Tensor]):
    module = blank()
    module.register_buffer("grid", torch.zeros(2, device="meta"), persistent=False)
    with pytest.raises(WeightsError, match=r"leaves .*grid unset"):
        checkpoint.load_state(module, state, "a.pth")


def test_the_number_of_classes_does_not_hang_on_the_order_of_the_keys(state: dict[str, Tensor]):
    assert checkpoint.count_classes(net, state) == 4
    assert checkpoint.count_classes(net, dict(sorted(state.items()))) == 4
    assert checkpoint.count_classes(net, {"conv.weight": state["conv.weight"]}) is None
