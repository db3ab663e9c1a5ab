"""Deep dream over a clip: the stylizer of its frames, and a whole clip in one call, from file to file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from cnnviz.control import Control
from cnnviz.io.convert import Photo, resize_long_side, to_tensor
from cnnviz.models.network import Network
from cnnviz.synthesis.balanced_objective import BalancedTerms, check_objective
from cnnviz.synthesis.dream import DreamSettings, dream_octaves
from cnnviz.synthesis.spec import ObjectiveSpec, layers_spec
from cnnviz.video.clip_state import make_clip_file, open_clip
from cnnviz.video.coherence import CoherenceState, stylize_frame


class DreamStylizer:
    """A FrameStylizer that dreams over each frame of a clip whose first frame is ``first``, uint8 (H, W, 3).

    The gradients of several terms are balanced once, on the first frame. With ``sequence_over``, a number of frames,
    the layers of ``spec`` follow one another over them. Each frame has a seed of its own, so that the result does not
    depend on other calls. Raises InvalidRequest or MethodError for layers of a sequence that cannot be maximised.
    """

    def __init__(
        self,
        network: Network,
        first: Photo,
        spec: ObjectiveSpec,
        settings: DreamSettings = DreamSettings(),
        seed: int = 0,
        sequence_over: int = 0,
    ) -> None:
        self.first = to_tensor(first).to(network.device).float().div_(255)
        self._network, self._spec = network, spec.for_network(network)
        self._settings, self._seed, self._sequence_over = settings, seed, sequence_over
        self._balanced: dict[tuple[str, ...], BalancedTerms] = {}
        if sequence_over:
            check_objective(network, self._spec)

    def __call__(self, start: Tensor, _frame: Tensor, steps: int, number: int, /) -> Tensor:
        """Return ``start`` after ``steps`` steps in each octave."""
        spec = self.objective_at(number)
        key = tuple(spec.layers)
        if key not in self._balanced:
            self._balanced[key] = BalancedTerms(self._network, spec, self.first)
        balanced = self._balanced[key]
        settings = replace(self._settings, steps=steps, compute_size="full")
        weighted = partial(balanced.objective, weights=spec.weights)
        return dream_octaves(balanced.extractor, weighted, start, settings, self._seed + number)[0]

    def objective_at(self, number: int) -> ObjectiveSpec:
        """Return the objective of frame ``number``, counted from 0.

        Of a sequence each layer has its own place in time, where its weight is 1; it is 0 at its neighbours' places.
        """
        if not self._sequence_over:
            return self._spec
        share = min(number / max(self._sequence_over - 1, 1), 1)
        position = share * (len(self._spec.layers) - 1)
        weights = {name: 1 - abs(position - place) for place, name in enumerate(self._spec.layers)}
        return replace(self._spec, layers={name: weight for name, weight in weights.items() if weight > 0})


def dream_clip(
    network: Network,
    path: str | Path,
    output: str | Path,
    layers: str | Iterable[str] | Mapping[str, float] = (),
    *,
    objective: ObjectiveSpec | None = None,
    layer_sequence: Sequence[str] = (),
    settings: DreamSettings = DreamSettings(),
    long_side: int | None = None,
    seed: int = 0,
    control: Control = Control(),
) -> None:
    """Dream over a clip and write the result, with the clip's times and sound.

    Parameters
    ----------
    network : Network
    path : str or Path
        The clip, a file.
    output : str or Path
        Ends in .mp4, .mov, .mkv, .webm, .gif, .webp, .png or .apng.
    layers, objective : optional
        As in ``dream``.
    layer_sequence : sequence of str, default ()
        Layers that follow one another over the clip, in place of ``layers``.
    settings : DreamSettings, default DreamSettings()
        How each frame is optimised.
    long_side : int, optional
        Longer side of the result, in pixels; by default the clip's own.
    seed : int, default 0
        Seeds the random shifts.
    control : Control, default Control()
        Gets (done, frames) and remarks; after ``control.stopped()`` the clip ends there.

    Raises
    ------
    PhotoError
        For a file that is not a clip, or has frames of less than 16 pixels a side.
    OutputError
        If the result cannot be written.
    InvalidRequest
        For another ending of ``output``, and as in ``dream``.

    Examples
    --------
    >>> cnnviz.dream_clip(cnnviz.load_network(), "clip.mp4", "dreamt.mp4", "blocks.4", long_side=480)
    """
    clip, first = open_clip(path, long_side)
    spec = objective or layers_spec(layer_sequence or layers, network.name)
    count = (clip.count or sum(1 for _ in clip.frames())) if layer_sequence else 0
    stylizer = DreamStylizer(network, first, spec, settings, seed, sequence_over=count)

    def advance(frame: Photo, last: CoherenceState | None) -> CoherenceState:
        return stylize_frame(resize_long_side(frame, long_side), stylizer, settings.steps, last, network.device)

    make_clip_file(path, output, advance, control)
