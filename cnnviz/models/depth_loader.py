"""Networks for monocular depth through the transformers library, which is imported here alone, and when one is loaded.

DPT and MiDaS: Ranftl, Bochkovskiy & Koltun, "Vision Transformers for Dense Prediction", 2021 (arXiv:2103.13413); Ranftl
et al., "Towards Robust Monocular Depth Estimation", 2020 (arXiv:1907.01341). Depth Anything V2: Yang et al. 2024
(arXiv:2406.09414).
"""

import json
from dataclasses import dataclass, replace
from math import lcm
from pathlib import Path

from torch import nn

from cnnviz.errors import InvalidRequest, WeightsError
from cnnviz.io.recipe import JsonObject
from cnnviz.models.depth_estimator import DepthEstimator, DepthKind, depth_kind
from cnnviz.models.depth_files import PREPROCESSOR, DepthFolder, find_depth_network
from cnnviz.models.loader import pick_device, pick_dtype
from cnnviz.models.network import Preprocessing
from cnnviz.models.own_networks import IMAGENET_MEAN, IMAGENET_STD
from cnnviz.models.weights import sha256
from cnnviz.text import error_reason, printable

LISTED = 3  # missing keys that a message lists


@dataclass(frozen=True)
class DepthFamily:
    """Preprocessing of a family where a folder has no file of it: side, mean, std; and the multiple of its sides."""

    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    keep_shape: bool
    multiple: int


FAMILIES = {
    "dpt": DepthFamily(384, (0.5,) * 3, (0.5,) * 3, False, 32),
    "depth_anything": DepthFamily(518, IMAGENET_MEAN, IMAGENET_STD, True, 14),
}  # by the "model_type" of a configuration
RESAMPLING = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def load_depth_estimator(
    name: str | Path, *, kind: str | None = None, input_size: int | None = None, device: str = "auto",
    dtype: str = "float32", offline: bool = False,
) -> DepthEstimator:  # fmt: skip
    """Load a network for monocular depth: Depth Anything, DPT or MiDaS.

    Parameters
    ----------
    name : str or Path
        A folder that transformers' ``save_pretrained`` wrote, or OWNER/NAME on the Hugging Face hub.
    kind : {"inverse", "relative", "metres"}, optional
        What the values are; by default what the configuration says, see Notes.
    input_size : int, optional
        Shorter side of the input in pixels, rounded to the network's multiple; by default the network's own.
    device, dtype
        As for ``load_network``.
    offline : bool, default False
        Forbid any connection.

    Returns
    -------
    DepthEstimator
        The network in evaluation mode: RGB (N, 3, h, w) in [0, 1] in, values (N, h, w) out.

    Raises
    ------
    InvalidRequest
        For other families, and for options that do not fit.
    WeightsError
        If transformers or the weights are unavailable, or the weights do not fit.

    Notes
    -----
    Depth Anything with ``depth_estimation_type`` "metric" gives metres, otherwise inverse depth. DPT and MiDaS give
    inverse depth, except DPT on DINOv2, which was published for metres alone.

    Examples
    --------
    >>> network = cnnviz.load_depth_estimator("depth-anything/Depth-Anything-V2-Small-hf")
    >>> network.kind, network.multiple
    ('inverse', 14)
    """
    folder = find_depth_network(name, offline=offline)
    target_device, target_dtype = pick_device(device), pick_dtype(dtype)
    module, config = _module(folder)
    own = _estimator(module, config, folder)
    if kind is not None:
        own |= {"kind": depth_kind(kind)}
    if input_size is not None:
        if input_size < own["multiple"]:
            raise InvalidRequest(f"--input-size {input_size}: {folder.name} needs at least {own['multiple']} pixels")
        own |= {"preprocessing": replace(own["preprocessing"], size=(input_size,) * 2, resize=input_size)}
    weights = {"file": folder.weights.name, "sha256": sha256(folder.weights)}
    network = DepthEstimator(module=module.eval().requires_grad_(False), name=folder.name, weights=weights, **own)
    moved = network.to(target_device, target_dtype)
    assert isinstance(moved, DepthEstimator)
    return moved


def _module(folder: DepthFolder) -> tuple[nn.Module, JsonObject]:
    """Return the network of a folder with its weights, every key of them, and its configuration."""
    from transformers import AutoConfig, AutoModelForDepthEstimation
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    where = printable(str(folder.path))
    try:
        config = AutoConfig.from_pretrained(folder.path, local_files_only=True, trust_remote_code=False)
        if config.model_type not in FAMILIES:
            raise InvalidRequest(f"{folder.name} is of the family {config.model_type}; this command knows "
                                 f"{' and '.join(FAMILIES)}")  # fmt: skip
        module, report = AutoModelForDepthEstimation.from_pretrained(
            folder.path, config=config, local_files_only=True, trust_remote_code=False, output_loading_info=True,
            use_safetensors=folder.weights.suffix == ".safetensors",
        )  # fmt: skip
    except (InvalidRequest, MemoryError):
        raise
    except Exception as error:  # a damaged file can raise any exception
        raise WeightsError(f"{where}: cannot be loaded as a network for depth ({error_reason(error)})") from error
    if absent := sorted(map(str, (*report["missing_keys"], *report["mismatched_keys"]))):
        more = ", …" if len(absent) > LISTED else ""
        raise WeightsError(f"{where}: {folder.weights.name} does not fit the network: of its keys {len(absent)} are "
                           f"missing or of another shape ({', '.join(absent[:LISTED])}{more})")  # fmt: skip
    return module, config.to_dict()


def _estimator(module: nn.Module, config: JsonObject, folder: DepthFolder) -> JsonObject:
    """Return kind, multiple and preprocessing of a network by its configuration and that of its preprocessing."""
    family, file = FAMILIES[config["model_type"]], folder.path / PREPROCESSOR
    backbone = config.get("backbone_config") or {}
    try:
        given = json.loads(file.read_text("utf-8")) if file.is_file() else {}
        size = given.get("size", family.side)
        sides = (size["height"], size["width"]) if isinstance(size, dict) else (size, size)
        levels = 1 if given.get("do_rescale", True) else 255  # mean and std of values up to 255
        mean, std = (tuple(float(value) / levels for value in given.get(key, default))
                     for key, default in (("image_mean", family.mean), ("image_std", family.std)))  # fmt: skip
        patches = config["model_type"] == "depth_anything" or backbone.get("model_type") == "dinov2"
        patch = int(backbone.get("patch_size") or family.multiple) if patches else family.multiple
        multiple = lcm(int(given.get("ensure_multiple_of") or 1), patch)
        kind = RESAMPLING.get(given.get("resample", 3), "bicubic")
        preprocessing = Preprocessing((int(sides[0]), int(sides[1])), min(map(int, sides)), kind, mean, std)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{printable(str(file))}: cannot be read ({error_reason(error)})") from error
    square = config["model_type"] == "dpt" and (not backbone or bool(config.get("is_hybrid")))  # takes nothing else
    wanted = given.get("keep_aspect_ratio", family.keep_shape) or not given.get("do_resize", True)
    keep = bool(wanted) and not square
    return {"kind": _kind(config, backbone), "multiple": multiple, "keep_shape": keep, "preprocessing": preprocessing}


def _kind(config: JsonObject, backbone: JsonObject) -> DepthKind:
    if config["model_type"] == "depth_anything":
        return "metres" if config.get("depth_estimation_type") == "metric" else "inverse"
    return "metres" if backbone.get("model_type") == "dinov2" else "inverse"
