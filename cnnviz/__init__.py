"""cnnviz: visualise and explain convolutional networks.

The functions of this package are the Python interface, documented in docs/python.md; each is imported on first use, so
that ``import cnnviz`` alone does not import torch. A network is given RGB in [0, 1], float32, (N, 3, h, w); images are
uint8 RGB (H, W, 3).
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "adversarial.file_attack": ("AttackSettings", "PhotoAttack", "attack_photo"),
    "adversarial.patch": ("PatchResult", "patch"),
    "adversarial.robustness": ("RobustnessCurve", "robustness"),
    "adversarial.universal": ("UniversalPerturbation", "universal"),
    "attribution.backprop": ("Attribution", "attribute"),
    "attribution.class_score": ("MethodSettings",),
    "attribution.evaluation": ("Evaluation", "EvaluationSettings", "evaluate"),
    "attribution.occlusion": ("Occlusion", "occlusion"),
    "control": ("Control",),
    "dense.colorize": ("Colorization", "colorize"),
    "dense.crop": ("Crops", "crop"),
    "dense.cutout": ("cutout",),
    "dense.depth": ("Depth", "depth"),
    "dense.heat": ("Heat", "heat"),
    "dense.rank": ("Ranking", "rank"),
    "dense.segment": ("Segmentation", "segment"),
    "dense.thumbnail": ("Thumbnail", "Thumbnails", "thumbnail"),
    "features.activations": ("Activations", "activations"),
    "features.deconvnet": ("Projection", "deconvnet"),
    "features.kernels": ("Kernels", "kernels"),
    "features.top_images": ("TopImages", "top_images"),
    "io.photo": ("read_photo",),
    "models.colorizer": ("Colorizer", "load_colorizer"),
    "models.depth_estimator": ("DepthEstimator",),
    "models.depth_loader": ("load_depth_estimator",),
    "models.loader": ("load_network",),
    "models.network": ("Network",),
    "models.preprocess": ("Geometry", "fit"),
    "report.figure": ("figure",),
    "synthesis.dream": ("DreamResult", "DreamSettings", "dream"),
    "synthesis.dream_clip": ("dream_clip",),
    "synthesis.inceptionism": ("ClassSettings", "ClassVisualization", "inceptionism"),
    "synthesis.spec": ("ObjectiveSpec",),
    "synthesis.style_clip": ("style_clip",),
    "synthesis.style_patches": ("PatchSettings",),
    "synthesis.style_settings": ("StyleSettings",),
    "synthesis.style_transfer": ("StyleResult", "style_transfer"),
    "synthesis.visualize": ("Visualization", "VisualizeSettings", "visualize"),
}
_NAMES = {name: f"cnnviz.{home}" for home, names in _HOMES.items() for name in names}
__all__ = sorted(_NAMES)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module 'cnnviz' has no attribute {name!r}")
    return getattr(import_module(_NAMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
