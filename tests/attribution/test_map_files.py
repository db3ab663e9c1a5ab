"""Which file belongs to a photo, masks from files and boxes, and which map of a file to which class."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.map_arrays import MapFile
from cnnviz.attribution.map_files import MAP_ENDINGS, matching_file, read_object_mask, read_scored_maps
from cnnviz.errors import MethodError

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
