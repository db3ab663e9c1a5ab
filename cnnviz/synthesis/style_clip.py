"""Style transfer over a clip without flicker: the state of its frames, and a whole clip in one call, from file to file.

Ruder, Dosovitskiy & Brox 2016, "Artistic style transfer for videos", section 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnviz.control import Control
from cnnviz.io.convert import Photo, resize_long_side, to_image, to_tensor
from cnnviz.models.network import Network
from cnnviz.synthesis.coarse_to_fine import scale_styles
from cnnviz.synthesis.descent import ImageLoss, Roll, optimize
from cnnviz.synthesis.style_colors import match_luminance
from cnnviz.synthesis.style_images import Image, StyleImages, prepare_images
from cnnviz.synthesis.style_methods import StatisticsMethod, shown_rolls, transfer
from cnnviz.synthesis.style_settings import StyleSettings
from cnnviz.synthesis.style_targets import StyleRegion
from cnnviz.video.clip_state import make_clip_file, open_clip
from cnnviz.video.temporal_consistency import FrameHistory, Prediction, predict

TEMPORAL_WEIGHT = 400.0
CUT = 0.4  # a frame of which less than this share is predicted by earlier ones starts anew, as after a cut
STEPS_SHARE = 0.3  # of the steps at the last size, for a frame that continues from the last one


@dataclass(frozen=True)
class TemporalLoss:
    """A loss of an image plus its squared difference from a prediction: eq. 7 and 8.

    ``prediction`` (1, 3, h, w); ``weight`` (1, 1, h, w): c of eq. 7 times the temporal loss's own weight.
    """

    loss: ImageLoss
    prediction: Tensor
    weight: Tensor

    @property
    def rolls(self) -> Sequence[Roll]:
        """The rolls of the loss."""
        return self.loss.rolls

    def __call__(self, image: Tensor, roll: int) -> Tensor:
        """Return the loss of an image (1, 3, h, w) for roll number ``roll``."""
        return self.loss(image, roll) + (self.weight * (image - self.prediction).square()).mean()


class StyleClip:
    """Transfers styles to the frames of a clip, one after the other; ``first`` is its first frame, uint8 (H, W, 3).

    Where the styles take the content's colours, these are the first frame's. Each frame begins with the stylized ones
    before it, warped by the optical flow; newly visible pixels with the frame in the style's colours. Departure from
    Ruder et al.: so do those at motion boundaries, as a moving object would leave its strokes behind it.
    """

    def __init__(
        self,
        network: Network,
        first: Photo,
        styles: Sequence[Image],
        *,
        style_weights: Sequence[float] = (),
        settings: StyleSettings = StyleSettings(),
        temporal_weight: float = TEMPORAL_WEIGHT,
        seed: int = 0,
        control: Control = Control(),
    ) -> None:
        self._images = prepare_images(
            to_tensor(first).to(network.device), styles, style_weights, (), long_side=settings.long_side,
            style_scale=settings.style_scale, original_colors=settings.original_colors, control=control,
        )  # fmt: skip
        self._method = StatisticsMethod(network, self._images, settings)
        self._settings, self._temporal_weight, self._seed = settings, temporal_weight, seed
        self.layers = self._method.layers

    def __call__(self, frame: Photo, last: FrameHistory | None) -> FrameHistory:
        """Return the history with one more frame, uint8 (H, W, 3), stylized."""
        frame = resize_long_side(frame, self._settings.long_side)
        photo = to_tensor(frame).to(self._images.photo.device).float() / 255
        images = replace(self._images, photo=photo, content=self._working(photo))
        prediction = predict(frame, last) if last else None
        if last is None or prediction is None or prediction.reliable.mean() < CUT:
            image = to_image(images.finish(self._restart(images)))
            return FrameHistory(last.number + 1 if last else 0, frame[None], image[None])
        image = to_image(images.finish(self._continue(images, prediction)))
        return last.followed_by(frame, image)

    def _working(self, image: Tensor) -> Tensor:
        """Return an image as it is optimised: in grey, if the result has the photo's colours."""
        return match_luminance(image, image) if self._images.keep_chroma else image

    def _restart(self, images: StyleImages) -> Tensor:
        """Return a frame's stylized image, made without an earlier one."""
        generator = torch.Generator().manual_seed(self._seed)
        return transfer(self._method, images, self._settings, generator)[0]

    def _continue(self, images: StyleImages, prediction: Prediction) -> Tensor:
        """Return a frame's stylized image, which follows the prediction."""
        generator, schedule = torch.Generator().manual_seed(self._seed), self._settings.schedule
        predicted = self._working(to_map(prediction.image).to(images.photo))
        reliable = to_map(prediction.reliable).to(images.photo)
        fresh = images.start("content", images.content, images.styles, generator)
        loss = self._method.loss_of(images.content, self._regions, self._rolls)
        return optimize(
            torch.where(reliable > 0, predicted, fresh).clamp(0, 1),
            TemporalLoss(loss, predicted, self._temporal_weight * reliable),
            max(1, round(STEPS_SHARE * schedule.steps)),
            generator=generator,
            rate=schedule.rate,
            epsilon=schedule.epsilon,
            optimizer=schedule.optimizer,
        ).tensor

    @cached_property
    def _rolls(self) -> Sequence[Roll]:
        """The rolls of all frames: the same, so that a static clip stays as it is."""
        rolls = self._settings.schedule.draw_rolls(self._size, torch.Generator().manual_seed(self._seed))
        return shown_rolls(self._images.content, rolls)

    @cached_property
    def _regions(self) -> list[StyleRegion]:
        """The styles at the last size."""
        styles = scale_styles(self._images.styles, self._size, self._settings.style_scale)
        return self._method.regions(styles, self._size, self._rolls)

    @property
    def _size(self) -> tuple[int, int]:
        height, width = self._images.content.shape[-2:]
        return height, width


def style_clip(
    network: Network,
    path: str | Path,
    output: str | Path,
    styles: Sequence[Image],
    *,
    style_weights: Sequence[float] = (),
    settings: StyleSettings = StyleSettings(),
    temporal_weight: float = TEMPORAL_WEIGHT,
    seed: int = 0,
    control: Control = Control(),
) -> None:
    """Draw a clip in the style of images and write the result, with the clip's times and sound.

    Parameters
    ----------
    network : Network
    path : str or Path
        The clip, a file.
    output : str or Path
        Ends in .mp4, .mov, .mkv, .webm, .gif, .webp, .png or .apng.
    styles, style_weights, settings : optional
        As in ``style_transfer``; three tenths of the steps for a frame that continues from the last one.
    temporal_weight : float, default 400
        Weight of the squared difference from the frames before, where those are visible.
    seed : int, default 0
        Seeds the random rolls.
    control : Control, default Control()
        Gets (done, frames) and remarks; after ``control.stopped()`` the clip ends there.

    Raises
    ------
    PhotoError
        For a file that is not a clip, or has frames of less than 16 pixels a side.
    OutputError
        If the result cannot be written.
    InvalidRequest
        For another ending of ``output``, and as in ``style_transfer``.

    References
    ----------
    .. [1] Ruder, Dosovitskiy & Brox, "Artistic style transfer for videos", 2016.

    Examples
    --------
    >>> painting = cnnviz.read_photo("painting.jpg")
    >>> cnnviz.style_clip(cnnviz.load_network(), "clip.mp4", "painted.mp4", [painting])
    """
    _, first = open_clip(path, settings.long_side)
    advance = StyleClip(network, first, styles, style_weights=style_weights, settings=settings,
                        temporal_weight=temporal_weight, seed=seed, control=control)  # fmt: skip
    make_clip_file(path, output, advance, control)


def to_map(values: NDArray[Any]) -> Tensor:
    """Return an array (h, w) or (h, w, C) as a tensor (1, C, h, w)."""
    return torch.from_numpy(np.atleast_3d(values).transpose(2, 0, 1).copy())[None]
