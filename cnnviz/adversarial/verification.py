"""What the file of an attack really does: everything is measured on its bytes, decoded as those of any photo."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.adversarial.criterion import Criterion
from cnnviz.adversarial.distances import distances
from cnnviz.adversarial.pipeline import AttackedPhoto, attacked_photo, supported_transforms
from cnnviz.adversarial.results import OtherNetwork, Verification
from cnnviz.adversarial.transforms import input_transforms
from cnnviz.control import Control
from cnnviz.errors import MethodError
from cnnviz.io.color import Photo
from cnnviz.io.photo import decode_photo
from cnnviz.io.stored_image import decode_stored
from cnnviz.io.write import encode_image, image_format, write_bytes
from cnnviz.models.network import Network


@dataclass(frozen=True)
class WrittenAttack:
    """The values (H, W, C), uint8, that an attack made of a photo, and the file that they become."""

    photo: AttackedPhoto
    criterion: Criterion
    values: Tensor

    @cached_property
    def image(self) -> Photo:
        """The photo in the file, decoded as any is: uint8 RGB (H, W, 3)."""
        return self._decoded(self._data)

    def encode(self, recipe: Mapping[str, Any]) -> bytes:
        """Return the file with a recipe. Raises MethodError where that would change the image that was verified."""
        data = self._encoded(self.values.numpy(), recipe)
        if not np.array_equal(self._decoded(data), self.image):
            raise MethodError("the file with its recipe does not decode to the image that was verified: not written")
        return data

    def write(self, recipe: Mapping[str, Any]) -> None:
        """Write the file, with a recipe, to the photo's path."""
        write_bytes(self.photo.path, self.encode(recipe))

    def verify(
        self,
        ensemble: Sequence[Network] = (),
        check_with: Sequence[Network] = (),
        *,
        fit: str = "crop",
        control: Control = Control(),
    ) -> Verification:
        """Return what the file does, by the network of the photo and by others: attacked jointly, or held out."""
        photo, criterion = self.photo, self.criterion
        after = self._stored(self._data)
        before = np.broadcast_to(photo.original.values, after.shape)  # WebP stores grey as RGB
        logits = photo.logits(self.image)
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
        before, after = other.clean_logits, other.logits(self.image)
        return OtherNetwork(
            network.name, attacked, self.criterion.is_met(after), network.top(before), network.top(after)
        )

    @cached_property
    def _data(self) -> bytes:
        return self._encoded(self.values.numpy())

    def _storing_levels(self) -> int:
        original = self.photo.original.values
        if image_format(self.photo.path) == "PNG":
            return 0
        return int(np.abs(self._stored(self._encoded(original)).astype(np.int16) - original).max())

    def _encoded(self, values: NDArray[np.uint8], recipe: Mapping[str, Any] | None = None) -> bytes:
        return encode_image(self.photo.path, self.photo.original.image(values), recipe or {})

    def _stored(self, data: bytes) -> NDArray[np.uint8]:
        return decode_stored(data, **self.photo.original.reading).values

    def _decoded(self, data: bytes) -> Photo:
        return decode_photo(data, **self.photo.original.reading)


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
