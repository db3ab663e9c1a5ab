"""The network of Zhang et al.: keys and shapes of the published file, and what is refused."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import cnnviz
from cnnviz.errors import MethodError, WeightsError
from cnnviz.models.colorizer import BINS, ColorfulColorization, Colorizer
from tests.support.colorizers import CENTRES, colorizer

# Of the published file: convolutions (output, input, height, width) with a bias, and normalised channels.
FILTERS = {
    "model1.0": (64, 1, 3, 3), "model1.2": (64, 64, 3, 3), "model2.0": (128, 64, 3, 3), "model2.2": (128, 128, 3, 3),
    "model3.0": (256, 128, 3, 3), "model3.2": (256, 256, 3, 3), "model3.4": (256, 256, 3, 3),
    "model4.0": (512, 256, 3, 3), "model4.2": (512, 512, 3, 3), "model4.4": (512, 512, 3, 3),
    "model5.0": (512, 512, 3, 3), "model5.2": (512, 512, 3, 3), "model5.4": (512, 512, 3, 3),
    "model6.0": (512, 512, 3, 3), "model6.2": (512, 512, 3, 3), "model6.4": (512, 512, 3, 3),
    "model7.0": (512, 512, 3, 3), "model7.2": (512, 512, 3, 3), "model7.4": (512, 512, 3, 3),
    "model8.0": (512, 256, 4, 4), "model8.2": (256, 256, 3, 3), "model8.4": (256, 256, 3, 3),
    "model8.6": (313, 256, 1, 1),
}  # fmt: skip
NORMALISED = {"model1.4": 64, "model2.4": 128, "model3.6": 256, **{f"model{n}.6": 512 for n in (4, 5, 6, 7)}}


def published() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {"model_out.weight": (2, 313, 1, 1)}
    for name, shape in FILTERS.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": (256,) if name == "model8.0" else shape[:1]}
    for name, width in NORMALISED.items():
        found |= {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}
        found[f"{name}.num_batches_tracked"] = ()
    return found


def blank() -> ColorfulColorization:
    with torch.device("meta"):
        return ColorfulColorization()


def test_keys_and_shapes_are_those_of_the_published_file():
    own = {key: tuple(tensor.shape) for key, tensor in blank().state_dict().items()}
    assert own == published()
    assert len(own) == 82


def test_strides_and_dilations_are_those_of_the_paper():
    rows = [(m.stride[0], m.dilation[0]) for m in blank().modules() if isinstance(m, nn.Conv2d)]
    assert rows[:7] == [(1, 1), (2, 1), (1, 1), (2, 1), (1, 1), (1, 1), (2, 1)]
    assert rows[7:19] == [(1, 1)] * 3 + [(1, 2)] * 6 + [(1, 1)] * 3
    assert blank()(torch.zeros(1, 3, 256, 256, device="meta")).shape == (1, BINS, 64, 64)


@pytest.mark.slow
def test_weights_of_a_file_give_a_known_distribution(tmp_path):
    state = {key: torch.zeros(shape, dtype=torch.half) for key, shape in published().items() if shape}
    state |= {key: torch.ones_like(tensor) for key, tensor in state.items() if key.endswith("running_var")}
    state["model8.6.bias"][7] = 5
    state["model_out.weight"][:, 7, 0, 0] = torch.tensor([0.5, -0.25])
    save_file(state, tmp_path / "known.safetensors")
    network = cnnviz.load_colorizer(tmp_path / "known.safetensors", device="cpu")
    assert network.weights["file"] == "known.safetensors"
    assert network.centres[7].tolist() == [55, -27.5]
    logits = network(torch.rand(1, 3, 64, 64))
    assert logits.shape == (1, 313, 16, 16)
    assert torch.equal(logits[:, 7], torch.full((1, 16, 16), 5.0))
    assert not logits[:, :7].any()
    state["model_out.weight"][0, 0] = 3
    save_file(state, tmp_path / "scaled.safetensors")
    with pytest.raises(WeightsError, match="divided by 110"):
        cnnviz.load_colorizer(tmp_path / "scaled.safetensors", device="cpu")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        cnnviz.load_colorizer(tmp_path / "none.pth")
    save_file({"model1.0.weight": torch.zeros(64, 1, 3, 3)}, tmp_path / "part.safetensors")
    with pytest.raises(WeightsError, match="of 82 keys, 74 missing"):
        cnnviz.load_colorizer(tmp_path / "part.safetensors")


def test_a_network_without_bins_at_each_place_is_refused():
    network = colorizer()
    assert network.centres.numpy() == pytest.approx(np.array(CENTRES))
    assert network.geometry((20, 3000)).size == (32, 32)
    flat = Colorizer(network.module, network.preprocessing)
    flat.module.forward = lambda rgb: rgb
    assert flat(torch.zeros(1, 3, 8, 8)).shape == (1, 3, 8, 8)  # three bins, three channels
    flat.module.forward = lambda rgb: rgb[:, :2]
    with pytest.raises(MethodError, match="gives no colours"):
        flat(torch.zeros(1, 3, 8, 8))
    with pytest.raises(MethodError, match="no pixels"):
        network.geometry((0, 3))
