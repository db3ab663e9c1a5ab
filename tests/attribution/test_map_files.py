"""The maps of an evaluation: from files right, wrong and damaged, chosen by photo and class; cnnviz's own."""

import contextlib
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.map_files import (
    MAP_ENDINGS,
    MapFile,
    matching_file,
    occlusion_maps,
    own_maps,
    read_maps,
    read_object_mask,
    read_scored_maps,
)
from cnnviz.attribution.occlusion import occlusion
from cnnviz.errors import MethodError
from cnnviz.io import write
from cnnviz.models.preprocess import Geometry
from tests.support.networks import linear_network

PHOTO = np.full((30, 40, 3), 128, np.uint8)
VIEW = {"model": "mine", "fit": "crop", "input_size": None, "resize": None}


def test_a_folder_holds_the_file_of_the_photos_stem(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("cat-occlude.npz", "cat.npy", "deep/dog.npz"):
        (tmp_path / name).write_bytes(b"")
    assert matching_file(str(tmp_path), "", "cat", MAP_ENDINGS) == tmp_path / "cat.npy"
    assert matching_file(str(tmp_path), "deep", "dog", MAP_ENDINGS) == tmp_path / "deep/dog.npz"
    assert matching_file("one.npy", "deep", "dog", MAP_ENDINGS) == Path("one.npy")
    with pytest.raises(MethodError, match=r"holds no cow\.npy"):
        matching_file(str(tmp_path), "", "cow", MAP_ENDINGS)


def test_boxes_and_a_mask_are_combined(tmp_path: Path) -> None:
    assert read_object_mask(PHOTO, None, [], 10**6) is None
    mask = np.zeros((30, 40), np.uint8)
    mask[20:] = 200
    Image.fromarray(mask).save(tmp_path / "mask.png")
    found = read_object_mask(PHOTO, tmp_path / "mask.png", [(1, 2, 3, 4)], 10**6)
    expected = mask > 0
    expected[2:6, 1:4] = True
    assert np.array_equal(found, expected)
    with pytest.raises(MethodError, match="leaves the photo of 40x30 pixels"):
        read_object_mask(PHOTO, None, [(0, 0, 41, 1)], 10**6)
    Image.fromarray(mask * 0).save(tmp_path / "dark.png")
    with pytest.raises(MethodError, match="the mask is dark everywhere"):
        read_object_mask(PHOTO, tmp_path / "dark.png", [], 10**6)


def scored(file: MapFile, **settings) -> list[tuple[str, int]]:
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    network = Network.from_module(module, (20, 20), (0.5,) * 3, (0.25,) * 3, classes=["a", "b", "c"])
    x, geometry = fit(PHOTO, network)
    defaults = {"targets": None, "labels": [], "sha256": "0", "view": VIEW}
    found = read_scored_maps(network, x, geometry, [file], **(defaults | settings))
    assert all(one.values.shape == (20, 20) for one in found)
    assert all(isinstance(one.values, torch.Tensor) for one in found)
    return [(one.label, one.target) for one in found]


def test_maps_are_taken_by_class_and_named_by_method() -> None:
    maps = {"maps": np.ones((3, 20, 20), np.float32)}
    file = MapFile("a.npz", maps, (2, 0, 2), None, ("gradient", "gradient", "mine"))
    assert scored(file) == [("Gradient, c", 2), ("mine, c", 2), ("Gradient, a", 0)]
    assert scored(file, targets=[0], labels=["x"]) == [("x, Gradient", 0)]
    with pytest.raises(MethodError, match="holds no map of class 1, but of 2, 0, 2"):
        scored(file, targets=[1])
    with pytest.raises(MethodError, match="maps: 3, classes: 1"):
        scored(MapFile("a.npy", maps))


def test_maps_of_another_photo_or_of_unknown_classes_are_refused() -> None:
    maps = {"maps": np.ones((1, 20, 20), np.float32)}
    with pytest.raises(MethodError, match="was made from another photo"):
        scored(MapFile("a.npz", maps, (0,), {"input": {"sha256": "1"}}))
    with pytest.raises(MethodError, match="is of class 9, and network has 3 classes"):
        scored(MapFile("a.npz", maps, (9,)))
    with pytest.raises(MethodError, match="only NaN"):
        scored(MapFile("a.npz", {"maps": np.full((1, 20, 20), np.nan, np.float32)}, (0,)))


GEOMETRY = Geometry((40, 60), (20, 30), (2, 7), (16, 16))
INPUT, PHOTO_MAPS = np.random.default_rng(0).random((2, 16, 16)), np.random.default_rng(1).random((2, 40, 60))


def saved(path: Path, array: np.ndarray) -> Path:
    np.save(path, array, allow_pickle=True)
    return path


def header(shape: str, descr: str = "'<f4'") -> bytes:
    """A .npy file that says what it holds and holds nothing."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) + 1) + text + b"\n"


def archive(**members: bytes | np.ndarray) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            if isinstance(content, np.ndarray):
                content = (np.save(buffer := io.BytesIO(), content), buffer.getvalue())[1]
            file.writestr(f"{name}.npy", content)
    return data.getvalue()


@pytest.mark.parametrize("kind", ["float64", "float16", ">f4", "uint8", "int64", "bool"])
def test_numbers_of_every_type_become_floats(tmp_path, kind):
    values = (INPUT[0] * 200).astype(kind)
    found = read_maps(saved(tmp_path / "a.npy", np.asfortranarray(values)))
    assert found.arrays["maps"].dtype == np.float32
    assert found.targets is found.recipe is None
    np.testing.assert_array_equal(found.on_input(GEOMETRY), values[None].astype(np.float32))


def test_a_map_of_the_photos_size_is_carried_over(tmp_path):
    found = read_maps(saved(tmp_path / "a.npy", PHOTO_MAPS))
    np.testing.assert_array_equal(found.on_input(GEOMETRY), GEOMETRY.to_input(PHOTO_MAPS))
    with pytest.raises(MethodError, match=r"a map of 60x40 .*input \(16x16\) nor on the photo \(61x40\)"):
        found.on_input(Geometry((40, 61), (20, 30), (2, 7), (16, 16)))


def test_an_archive_of_ours_knows_its_classes_and_its_view(tmp_path):
    path = tmp_path / "a.npz"
    recipe = {"recipe": 1, "command": "occlude"}
    arrays = {"maps": INPUT, "photo_maps": PHOTO_MAPS, "targets": np.array([3, 1]), "logits": INPUT}
    write.write_arrays(str(path), arrays, recipe)
    found = read_maps(path)
    assert (found.targets, found.recipe) == ((3, 1), recipe)
    np.testing.assert_array_equal(found.on_input(GEOMETRY, same_view=True), INPUT.astype(np.float32))
    np.testing.assert_array_equal(found.on_input(GEOMETRY), GEOMETRY.to_input(PHOTO_MAPS))


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "boom"),)

    saved(tmp_path / "a.npy", np.array([Bomb()], dtype=object))
    (tmp_path / "b.npz").write_bytes(archive(maps=(tmp_path / "a.npy").read_bytes()))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(MethodError, match="holds values of type object, not numbers"):
            read_maps(tmp_path / name)
    assert not (tmp_path / "boom").exists()


NAN = np.full((3, 3), np.nan)
BAD = [
    ("a.npy", b"", "truncated"),
    ("a.npy", b"hello", "truncated"),
    ("a.npy", header("(4, 4)"), "truncated"),
    ("a.npy", header("(1000000, 1000000)"), "larger than 512 MiB"),
    ("a.npy", header("(99999999999999999999, 9999)"), "larger than 512 MiB"),
    ("a.npy", header("(-4, 4)"), "truncated"),
    ("a.npy", header("(4, 4)", "'|O'"), "type object"),
    ("a.npy", header("(4, 4)", "[('a', '<f4')]"), "not numbers"),
    ("a.npy", header("(4, 4)", "'<c8'"), "type complex64"),
    ("a.npy", header("(4, 4)", "'<U9'"), "type <U9"),
    ("a.npy", header("(" * 5000 + ")" * 5000), "truncated"),
    ("a.npy", header("__import__('os').abort()"), "truncated"),
    ("a.npy", header("(0, 4)"), "no map"),
    ("a.npy", header("()") + b"1234", "no map"),
    ("a.npz", b"PK\x03\x04 hello", "truncated"),
    ("a.npz", archive(), "no array named maps"),
    ("a.npz", archive(maps=header("(65536, 65536)")), "larger than 512 MiB"),
    ("a.npz", archive(maps=header("(4, 4)")), "truncated"),
    ("a.npz", archive(maps=INPUT, targets=np.array([1])), "indices of 2 classes"),
    ("a.npz", archive(maps=INPUT, targets=np.array([1.0, 2.0])), "indices of 2 classes"),
    ("a.npz", archive(maps=INPUT, targets=np.array([-1, 2])), "indices of 2 classes"),
    ("a.npz", archive(maps=INPUT, photo_maps=PHOTO_MAPS[:1]), "different numbers of maps"),
    ("a.npz", archive(maps=NAN), "without a single number"),
    ("a.npz", archive(maps=np.full((3, 3), np.inf)), "infinite"),
    ("a.npz", archive(maps=np.full((3, 3), 1e300)), "infinite"),
]


@pytest.mark.parametrize(("name", "data", "told"), BAD, ids=range(len(BAD)))
def test_what_is_no_map_is_refused_in_one_line(tmp_path, name, data, told):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MethodError) as failure:
        read_maps(tmp_path / name)
    text = str(failure.value)
    assert text.startswith(f"{tmp_path / name}: ")
    assert told in text
    assert "\n" not in text


def test_every_cut_and_many_flipped_bytes_of_an_archive_are_maps_or_refused(tmp_path):
    whole, path = archive(maps=INPUT.astype(np.float32), targets=np.array([1, 2])), tmp_path / "a.npz"
    flips = np.random.default_rng(0).integers(0, len(whole), 150)
    hurt = [whole[:length] for length in range(0, len(whole), 97)]
    hurt += [whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :] for at in flips]
    for data in hurt:
        path.write_bytes(data)
        with contextlib.suppress(MethodError):
            read_maps(path)


def test_a_fifo_a_folder_and_nothing_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    for name, told in (("pipe.npy", "is not a file"), (".", "is not a file"), ("no.npy", "no such file")):
        with pytest.raises(MethodError, match=told):
            read_maps(tmp_path / name)


def test_maps_may_have_names(tmp_path):
    path, names = tmp_path / "a.npz", np.array(["guided", "x" * 100])
    arrays = {"maps": INPUT, "targets": np.array([3, 1])}
    np.savez(path, methods=names, **arrays)
    assert read_maps(path).methods == ("guided", "x" * 60)
    for wrong in (names[:1], np.array([1, 2]), np.array([{}, {}], object)):
        np.savez(path, methods=wrong, **arrays)
        with pytest.raises(MethodError, match=r"a\.npz: (its methods are not|holds values of type)"):
            read_maps(path)


def test_they_are_the_occlusion_maps_with_labels() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    network = Network.from_module(module, (64, 64), (0.5,) * 3, (0.25,) * 3, classes=["a", "b", "c"])
    x = torch.rand(1, 3, 64, 64)
    expected = occlusion(network, x, targets=[2, 0]).maps
    maps = own_maps(network, x, [2, 0])
    assert [(one.label, one.target) for one in maps] == [("Occlusion, c", 2), ("Occlusion, a", 0)]
    assert torch.equal(torch.stack([one.values for one in maps]), expected)
    assert torch.equal(occlusion_maps(x, [2, 0], network), expected)
    assert own_maps(network, x, None)[0].label == "Occlusion"


RECIPE = {"recipe": 1, "command": "occlude", "options": {"window": 64}}
FILES = [
    (["w32", "w64"], "occlude", (), ["w32, occlusion", "w64, occlusion"]),
    (["w64"], "occlude", (), ["Occlusion"]),
    (["w64"], "occlude", ("mine",), ["mine"]),
    (["rise"], "", (), ["rise"]),
    (["a/cat", "b/cat"], "occlude", (), ["a/cat, occlusion", "b/cat, occlusion"]),
    (["a/cat", "a/cat"], "", (), ["cat (1)", "cat (2)"]),
    (["maps", "b"], "grad-cam", (), ["maps, Grad-CAM", "b, Grad-CAM"]),
    (["maps"], "grad-cam", (), ["Grad-CAM"]),
    (["maps"], "grad-cam", ("mine",), ["mine, Grad-CAM"]),
]


@pytest.mark.parametrize(("names", "method", "given", "labels"), FILES)
def test_a_map_is_named_by_its_file_and_its_method(names, method, given, labels):
    network = linear_network(torch.ones(2, 3, 4, 4), torch.zeros(2), ["a", "b"])
    recipe = RECIPE if method == "occlude" else None
    methods = (method,) if method and not recipe else None
    files = [MapFile(f"{name}.npz", {"maps": np.ones((1, 4, 4), np.float32)}, (0,), recipe, methods) for name in names]
    view = {"model": None, "fit": None, "input_size": None, "resize": None}
    geometry = Geometry((4, 4), (4, 4), (0, 0), (4, 4))
    found = read_scored_maps(network, torch.rand(1, 3, 4, 4), geometry, files, targets=None, labels=given, sha256="",
                             view=view)  # fmt: skip
    assert [one.label for one in found] == labels
