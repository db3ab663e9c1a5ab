"""What the file of an attack does: everything is measured on its bytes, decoded as those of any photo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.pipeline import AttackedPhoto, attacked_photo, input_transforms, supported_transforms
from cnnviz.adversarial.results import Distances, OtherNetwork, Verification
from cnnviz.control import Control
from cnnviz.errors import MethodError
from cnnviz.models.network import Network


@dataclass(frozen=True)
class WrittenAttack:
    """The values (H, W, C), uint8, that an attack made of a photo, and the file that they become."""

    photo: AttackedPhoto
    criterion: Criterion
    values: Tensor

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """The photo in the file, decoded as any is: uint8 RGB (H, W, 3)."""
        return self.photo.decode(self._data)

    @cached_property
    def _data(self) -> bytes:
        return self.photo.encode(self.values.numpy(), {})

    def encode(self, recipe: Mapping[str, Any]) -> bytes:
        """Return the file with a recipe. Raises MethodError where that would change the image that was verified."""
        data = self.photo.encode(self.values.numpy(), recipe)
        if not np.array_equal(self.photo.decode(data), self.image):
            raise MethodError("the file with its recipe does not decode to the image that was verified: not written")
        return data

    def verify(
        self,
        ensemble: Sequence[Network] = (),
        check_with: Sequence[Network] = (),
        *,
        fit: str = "crop",
        control: Control = Control(),
    ) -> Verification:
        """Return what the file does, by the network of the photo and by others: attacked jointly, or held out."""
        photo, criterion, logits = self.photo, self.criterion, self.photo.logits(self.image)
        after = self.photo.stored(self._data)
        before = np.broadcast_to(photo.original.values, after.shape)  # WebP stores grey as RGB
        views = input_transforms(supported_transforms(photo.geometry.photo), photo.geometry)
        robust_to = {}
        for number, view in enumerate(views):
            control.report(number, len(views), "checking the file")
            robust_to[view.name] = criterion.is_met(photo.logits(view.change(self.image), view.geometry))
        noise = photo.original.photo(noise_control(before, after, photo.original.alpha))
        others = [(network, True) for network in ensemble] + [(network, False) for network in check_with]
        return Verification(
            **vars(distances(before, after)),
            fooled=criterion.is_met(logits),
            target=criterion.target,
            goal=criterion.goal,
            margin=round(criterion.lead(logits), 4),
            storing_levels=self._storing_levels(),
            top=photo.network.top(logits),
            robust_to=robust_to,
            control=criterion.is_met(photo.logits(noise)),
            other_networks=[self._by_another(network, attacked, fit) for network, attacked in others],
        )

    def _by_another(self, network: Network, attacked: bool, fit: str) -> OtherNetwork:
        other = attacked_photo(self.photo.original, network, fit)
        logits, top = other.logits(self.image), network.top
        return OtherNetwork(network.name, attacked, self.criterion.is_met(logits), top(other.clean_logits), top(logits))

    def _storing_levels(self) -> int:
        original = self.photo.original.values
        if self.photo.lossless:
            return 0
        return int(np.abs(self.photo.stored(self.photo.encode(original, {})).astype(np.int16) - original).max())


def noise_control(
    before: NDArray[np.uint8], after: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Return values (H, W, C) changed by the same levels as ``after``, at random places with random signs: a control.

    What ``alpha`` (H, W) hides stays hidden.
    """
    generator = np.random.default_rng(0)
    change = np.abs(after.astype(np.int16) - before)
    visible = np.ones(change.shape[:2], np.bool_) if alpha is None else alpha > 0
    levels = change[visible]
    change[visible] = generator.permutation(levels.ravel()).reshape(levels.shape)
    change *= generator.integers(0, 2, change.shape, dtype=np.int16) * 2 - 1
    changed: NDArray[np.uint8] = np.clip(before + change, 0, 255).astype(np.uint8)
    return changed


def distances(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Distances:
    """Return the distances of two arrays of values (H, W, C)."""
    change = after.astype(np.int16) - before
    squares = int(np.square(change, dtype=np.int64).sum())
    return Distances(
        levels=int(np.abs(change).max(initial=0)),
        l0=int(np.count_nonzero(change)),
        l1=int(np.abs(change).sum(dtype=np.int64)),
        l2=round(squares**0.5, 4),
        changed=round(float((change != 0).mean()), 6),
        psnr=round(10 * float(np.log10(255**2 * change.size / squares)), 2) if squares else None,
        ssim=round(ssim(before, after), 6),
    )


def ssim(before: NDArray[Any], after: NDArray[Any]) -> float:
    """Return the structural similarity of two arrays (H, W, C) of levels, the mean over windows and channels.

    Wang et al. 2004, "Image Quality Assessment", section III.B: Gaussian windows of deviation 1.5.
    """

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT), np.float32)

    channels = []
    for channel in range(before.shape[2]):
        x, y = (part[..., channel].astype(np.float32) for part in (before, after))
        mx, my = mean(x), mean(y)
        xx, yy, xy = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        index = (2 * mx * my + c1) * (2 * xy + c2) / ((mx**2 + my**2 + c1) * (xx + yy + c2))
        channels.append(float(index.mean()))
    return sum(channels) / len(channels)
