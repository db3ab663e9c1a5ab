"""Results of attacks that are reported as JSON: plain values, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from cnnviz.models.catalog import ClassProbability

Top = list[ClassProbability]


@dataclass(frozen=True)
class Distances:
    """How far two arrays of stored values are apart: in levels of 1/255, but for the last three.

    ``levels``: the largest change; ``l0``: values changed; ``l1`` and ``l2``: norms; ``changed``: share of the values;
    ``psnr`` in dB, None where nothing is changed; ``ssim``: structural similarity.
    """

    levels: int
    l0: int
    l1: int
    l2: float
    changed: float
    psnr: float | None
    ssim: float


@dataclass(frozen=True)
class OtherNetwork:
    """What another network makes of the file, and of the clean photo; ``attacked``: it was part of the ensemble."""

    network: str
    attacked: bool
    fooled: bool
    clean_top: Top
    top: Top


@dataclass(frozen=True, kw_only=True)
class Verification(Distances):
    """What the file of an attack does, measured on its bytes; distances are those from the clean photo.

    ``margin``: logits by which it fools, negative where it does not; ``storing_levels``: the largest change that
    storing the clean photo in such a file makes; ``robust_to``: for each transform whether it still fools;
    ``control``: whether random noise of the same size fools too.
    """

    fooled: bool
    target: int
    goal: int | None
    margin: float
    storing_levels: int
    top: Top
    robust_to: dict[str, bool]
    control: bool
    other_networks: list[OtherNetwork]

    def unmet(self, margin: float = 0.0, robust_to: Sequence[str] = ()) -> tuple[str, ...]:
        """Return what was required and is not true of the file: to fool, a margin, transforms, other networks."""
        if not self.fooled:
            return ("not fooled",)
        lost = {name.rstrip("0123456789") if name.startswith("resize") else name
                for name, robust in self.robust_to.items() if not robust}  # fmt: skip
        return (
            *([f"by {self.margin:.3g} logits only"] if self.margin < margin else []),
            *(f"not after {name}" for name in robust_to if name in lost),
            *(f"not {row.network}" for row in self.other_networks if row.attacked and not row.fooled),
        )


@dataclass(frozen=True)
class PatchRates:
    """What a network makes of a photo with one print.

    ``success_rate``: share of the held-out poses classified as the goal; ``misclassified_rate``: not as the bare
    photo's own class; ``top``: the first classes in the fixed view.
    """

    success_rate: float
    misclassified_rate: float
    top: Top
