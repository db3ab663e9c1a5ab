"""Networks of transformers: the same numbers as the library called directly, their kinds, and what is refused."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import cnnviz
from cnnviz.errors import InvalidRequest, WeightsError
from tests.support.depth_networks import save_depth_anything, save_dpt

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'cnnviz[depth]'")
PROCESSING = {
    "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "ensure_multiple_of": 14,
    "keep_aspect_ratio": True, "resample": 3, "size": {"height": 56, "width": 56},
}  # fmt: skip


@pytest.fixture(scope="module")
def anything(tmp_path_factory):
    """A folder of Depth Anything, and its network."""
    folder = tmp_path_factory.mktemp("networks") / "anything"
    module = save_depth_anything(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSING))
    return folder, module


def image(height: int, width: int) -> np.ndarray:
    ys, xs = np.mgrid[:height, :width]
    return np.stack([ys * 3 % 256, xs * 2 % 256, (xs * ys) % 256], -1).astype(np.uint8)


@pytest.mark.parametrize("size", [(56, 84), (100, 150), (33, 90)])
def test_the_values_are_those_of_the_library_called_directly(anything, size):
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    folder, module = anything
    network, photo = cnnviz.load_depth_estimator(folder, device="cpu"), image(*size)
    given = DPTImageProcessorPil(**PROCESSING)(images=photo, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        theirs = module(given).predicted_depth
    geometry = network.geometry(size)
    assert geometry.size == tuple(given.shape[-2:])
    ours = network(torch.from_numpy(geometry.see(photo).copy()).permute(2, 0, 1)[None] / 255)
    assert float(theirs.max()) > 0
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5 * float(theirs.max()))
    if size == geometry.size:  # nothing is resized
        np.testing.assert_allclose(cnnviz.depth(network, photo).values, theirs[0], rtol=1e-4,
                                   atol=1e-5 * float(theirs.max()))  # fmt: skip


def test_the_kind_is_that_of_the_configuration(anything, tmp_path):
    assert cnnviz.load_depth_estimator(anything[0], device="cpu").kind == "inverse"
    save_depth_anything(tmp_path / "metric", depth_estimation_type="metric", max_depth=20)
    metric = cnnviz.load_depth_estimator(tmp_path / "metric", device="cpu")
    assert (metric.kind, metric.size, metric.keep_shape, metric.multiple) == ("metres", (518, 518), True, 14)
    assert 0 <= cnnviz.depth(metric, image(28, 28)).high <= 20
    save_dpt(tmp_path / "dpt")
    dpt = cnnviz.load_depth_estimator(tmp_path / "dpt", device="cpu", input_size=64)
    assert (dpt.kind, dpt.multiple, dpt.preprocessing.mean) == ("inverse", 32, (0.5,) * 3)
    assert cnnviz.load_depth_estimator(tmp_path / "dpt", device="cpu", kind="relative").kind == "relative"
    assert cnnviz.depth(dpt, image(40, 90)).size == (64, 64)  # with its own transformer it takes squares alone
    save_dpt(tmp_path / "dinov2", dinov2=True)
    processing = {"do_rescale": False, "do_resize": False, "image_mean": [127.5] * 3, "image_std": [51] * 3, "size": 70}
    (tmp_path / "dinov2/preprocessor_config.json").write_text(json.dumps(processing))
    metric = cnnviz.load_depth_estimator(tmp_path / "dinov2", device="cpu")
    assert (metric.kind, metric.multiple) == ("metres", 14)
    assert (metric.preprocessing.mean, metric.preprocessing.std) == ((0.5,) * 3, (0.2,) * 3)
    assert cnnviz.depth(metric, image(70, 140)).size == (70, 140)


def test_weights_without_all_keys_are_refused(anything, tmp_path):
    for path in anything[0].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    state = load_file(tmp_path / "model.safetensors")
    removed = next(key for key in state if key.startswith("head"))
    save_file({key: value for key, value in state.items() if key != removed}, tmp_path / "model.safetensors",
              {"format": "pt"})  # fmt: skip
    with pytest.raises(WeightsError, match=f"1 are missing or of another shape .{removed}"):
        cnnviz.load_depth_estimator(tmp_path, device="cpu")
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        cnnviz.load_depth_estimator(tmp_path, device="cpu")


def test_other_families_and_sizes_are_refused(anything, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "glpn"}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(InvalidRequest, match="glpn; this command knows dpt and depth_anything"):
        cnnviz.load_depth_estimator(tmp_path, device="cpu")
    with pytest.raises(InvalidRequest, match="at least 14 pixels"):
        cnnviz.load_depth_estimator(anything[0], device="cpu", input_size=10)
