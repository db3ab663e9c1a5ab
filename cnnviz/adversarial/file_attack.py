"""The smallest change of a photo whose written file fools a network: search, quantise, write, verify."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.adversarial.catalog import MINIMAL, Norm, SearchSettings, require_support, resolve_method
from cnnviz.adversarial.criterion import criterion_for, require_same_classes
from cnnviz.adversarial.external import ExternalResult, external_attack
from cnnviz.adversarial.minimal import minimal_perturbation
from cnnviz.adversarial.pipeline import Source, attacked_photo
from cnnviz.adversarial.results import Verification
from cnnviz.adversarial.target import Diagnostics, QueryCount, diagnose, target_model
from cnnviz.adversarial.verification import WrittenAttack
from cnnviz.control import Control
from cnnviz.models.network import Network
from cnnviz.models.result import Drawable


@dataclass(frozen=True, kw_only=True)
class AttackSettings:
    """What rarely differs from the default in ``attack_photo``.

    ``steps``: gradients for each level, or what the method has in their place (default: the method's own number);
    ``thorough``: 95 gradients more for a smaller l2, l1 or l0; ``margin``: logits by which the photo must fool;
    ``ensemble``: networks to fool jointly; ``check_with``: held-out networks that only evaluate the file; ``fit`` as
    in ``cnnviz.fit``; ``path``: the file to be written, whose ending is its format.
    """

    steps: int | None = None
    thorough: bool = False
    margin: float = 0.0
    ensemble: Sequence[Network] = ()
    check_with: Sequence[Network] = ()
    fit: str = "crop"
    seed: int = 0
    path: str = "-"


@dataclass(frozen=True)
class PhotoAttack(Drawable):
    """The result of an attack on a photo.

    ``written``: the file and what decodes from it; ``method``, and ``finish``, how an external method's result became
    whole levels; ``warnings``: what weakens the result; ``verification``: what the file does;
    ``robust_to``: the transforms after which it was required to fool.
    """

    written: WrittenAttack
    method: str
    finish: str | None
    queries: QueryCount
    warnings: Diagnostics
    verification: Verification
    robust_to: tuple[str, ...] = ()

    @property
    def image(self) -> NDArray[np.uint8]:
        """The changed photo as decoded from its file: uint8 RGB (H, W, 3)."""
        return self.written.image

    @property
    def clean_logits(self) -> Tensor:
        """The logits (classes,) of the unchanged photo."""
        return self.written.photo.clean_logits

    @property
    def logits(self) -> Tensor:
        """The logits (classes,) of the changed photo."""
        return self.written.photo.logits(self.image)

    @property
    def fooled(self) -> bool:
        """Whether the file fools the network."""
        return self.verification.fooled

    def save(self, path: str | Path) -> None:
        """Write the file. Raises ValueError for another format than the one that was attacked and verified."""
        ending = Path(self.written.photo.path).suffix.lower() or ".png"
        if Path(path).suffix.lower() != ending:
            raise ValueError(f"{path}: the attack was verified as {ending}; set AttackSettings.path for another format")
        Path(path).write_bytes(self.written.encode({}))


def attack_photo(
    network: Network,
    photo: Source,
    *,
    goal: str | int | None = None,
    ground_truth: str | int | None = None,
    method: str = MINIMAL,
    norm: Norm | None = None,
    eps: int = 16,
    robust_to: Sequence[str] = (),
    settings: AttackSettings = AttackSettings(),
    control: Control = Control(),
) -> PhotoAttack:
    """Change a photo as little as it takes for its file to fool a network, and verify that file.

    Parameters
    ----------
    network : Network
    photo : str, Path, ndarray of uint8 or StoredImage
        A path, an RGB array (H, W, 3), or a StoredImage.
    goal : str or int, optional
        The class to be fooled into, a name or an index; by default any but the network's first.
    ground_truth : str or int, optional
        The class that the photo shows; by default the network's first.
    method : str, default "minimal"
        A name of ``cnnviz.adversarial.catalog.METHODS``.
    norm : {"linf", "l2", "l1", "l0"}, optional
        What is minimised; by default the method's first, "linf" for "minimal".
    eps : int, default 16
        The largest change of a value, in levels of 1/255.
    robust_to : sequence of str, default ()
        Names of ``cnnviz.adversarial.catalog.TRANSFORMS`` after which the photo must still fool.
    settings : AttackSettings, default AttackSettings()
        Steps, further networks, margin, fit, seed, and the path of the file.
    control : Control, default Control()
        Gets the progress.

    Returns
    -------
    PhotoAttack
        ``image``, uint8 RGB (H, W, 3) as decoded from the file; ``fooled``; ``verification``; ``save(path)``.

    Raises
    ------
    InvalidRequest
        For what a method does not support.
    MethodError
        For a photo that cannot be attacked.
    PhotoError
        For a file that cannot be read.

    Notes
    -----
    The method "minimal" and its papers are described in ``cnnviz.adversarial.minimal``, the others in
    ``cnnviz.adversarial.external``.

    Examples
    --------
    >>> attack = cnnviz.attack_photo(cnnviz.load_network(), "sample_images/coffee.jpg")
    >>> attack.save("fooled.png")
    """
    chosen, steps = resolve_method(method, norm, settings.steps)
    joint = {"robust_to": robust_to, "ensemble": settings.ensemble, "thorough": settings.thorough}
    require_support(method, goal=goal is not None, extras=[name for name, value in joint.items() if value])
    require_same_classes(network, [*settings.ensemble, *settings.check_with])
    own = attacked_photo(photo, network, settings.fit, settings.path)
    others = [attacked_photo(own.original, each, settings.fit, settings.path) for each in settings.ensemble]
    criterion = criterion_for(
        network, own.clean_logits, goal=goal, ground_truth=ground_truth, margin=settings.margin, robust_to=robust_to
    )
    model, values = target_model([own, *others], robust_to), torch.from_numpy(own.original.values)
    search = SearchSettings(method, chosen, eps, steps, settings.thorough, settings.seed)
    if method == MINIMAL:
        result = ExternalResult(minimal_perturbation(model, values, criterion, search, control).values, None)
    elif ground_truth is not None and model.fooled(values, criterion):
        result = ExternalResult(values, "rounded")
    else:
        result = external_attack(search, model, values, criterion, control)
    warnings = diagnose(own, model.queries, criterion.target)
    written = WrittenAttack(own, criterion, result.values)
    verification = written.verify(settings.ensemble, settings.check_with, fit=settings.fit, control=control)
    return PhotoAttack(written, method, result.finish, model.queries, warnings, verification, tuple(robust_to))
