"""The target model of an attack on stored 8-bit pixels: logits forward, gradients back onto the pixels.

The network is given what the real pipeline makes of the values, rounding included, so what fools it here fools it as a
file.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cnnviz.adversarial.criterion import Criterion, Loss
from cnnviz.adversarial.pipeline import AttackedPhoto, InputPipeline, input_pipeline
from cnnviz.models.features import LOGITS, feature_extractor
from cnnviz.models.network import Network, require_finite

REPEATED = 1e-4  # of the largest logit: by what two passes over one input may differ, sums in another order
UNIT_SUM = 1e-3  # by what probabilities may miss a sum of 1
Diagnostics = dict[str, str]  # a kind, for scripts, to a sentence
Gradient = Callable[[Loss], Tensor]


@dataclass
class QueryCount:
    """Passes of the networks: ``forward``, ``backward``, and ``zero_gradients``, the backward ones that were all 0."""

    forward: int = 0
    backward: int = 0
    zero_gradients: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the passes forward and backward."""
        return {"forward": self.forward, "backward": self.backward}


def search_logits(network: Network, inputs: Tensor) -> Tensor:
    """Return the logits (N, classes), on the CPU, of inputs (N, 3, h, w), by a network folded for fast gradients."""
    return feature_extractor(network, [LOGITS])(inputs)[LOGITS].float().cpu()


@dataclass
class TargetModel:
    """The networks under attack, each behind its pipeline, with the passes so far.

    Several networks are attacked jointly: each adds its views.
    """

    networks: Sequence[tuple[InputPipeline, Network]]
    queries: QueryCount = field(default_factory=QueryCount)

    def logits(self, values: Tensor) -> Tensor:
        """Return the logits (V, classes) of all views of all networks for values (H, W, C), uint8."""
        with torch.no_grad():
            return self._run([pipeline.forward(values) for pipeline, _ in self.networks])

    def fooled(self, values: Tensor, criterion: Criterion) -> bool:
        """Return whether the criterion is met in all views of all networks."""
        return bool((criterion.margins(self.logits(values)) > 0).all())

    def evaluate(self, values: Tensor) -> tuple[Tensor, Gradient]:
        """Return the logits (V, classes) for values (H, W, C), uint8, and the gradient of a loss of them, taken once.

        The gradient (H, W, C) is that in the values, per level.
        """
        views = [pipeline.forward(values).requires_grad_() for pipeline, _ in self.networks]
        with torch.enable_grad():
            logits = self._run(views)

        def gradient(loss: Loss) -> Tensor:
            self.queries.backward += 1
            with torch.enable_grad():
                pairs = zip(torch.autograd.grad(loss(logits), views), self.networks, strict=True)
            first, *rest = [pipeline.adjoint(gradient) for gradient, (pipeline, _) in pairs]
            total = sum(rest, first)
            self.queries.zero_gradients += not total.any()
            return total

        return logits.detach(), gradient

    def _run(self, inputs: Sequence[Tensor]) -> Tensor:
        self.queries.forward += 1
        pairs = zip(inputs, self.networks, strict=True)
        logits = torch.cat([search_logits(network, views) for views, (_, network) in pairs])
        require_finite("the network", logits)
        return logits


def target_model(photos: Sequence[AttackedPhoto], robust_to: Sequence[str] = ()) -> TargetModel:
    """Return the target model of one photo: an AttackedPhoto for each of the networks attacked jointly."""
    return TargetModel([(input_pipeline(photo, robust_to), photo.network) for photo in photos])


def diagnose(photo: AttackedPhoto, queries: QueryCount, target: int) -> Diagnostics:
    """Return what weakens the result of an attack on a photo.

    ``queries`` of the attack; ``target``: the class that the photo shows, as far as is known. "zero_gradients"
    (gradient masking) and "randomized" are section 2 of Athalye, Carlini & Wagner 2018, "Obfuscated Gradients Give a
    False Sense of Security".
    """
    network, clean, kinds = photo.network, photo.clean_logits, Diagnostics()
    if queries.zero_gradients:
        kinds["zero_gradients"] = (
            f"{queries.zero_gradients} of {queries.backward} gradients were zero everywhere (gradient masking), so a "
            "failed attack proves nothing; adversarial --method square needs no gradients"
        )
    drift = float((clean - photo.logits(photo.clean_photo)).abs().max())
    if not drift <= REPEATED * max(1.0, float(clean.abs().max())):  # of outputs that are no numbers too
        kinds["randomized"] = f"{network.name} gives the same photo other logits each time: what fools once may fail"
    if are_probabilities(clean):
        kinds["probabilities"] = (
            f"the outputs of {network.name} look like probabilities: margins are not logits, and gradients may vanish"
        )
    first = int(clean.argmax())
    if first != target:
        names = (network.class_name(index) for index in (first, target))
        kinds["misclassified"] = "the unchanged photo is classified as {}, not {}".format(*names)
    return kinds


def are_probabilities(logits: Tensor) -> bool:
    """Return whether outputs (classes,) look like probabilities: none below 0, their sum 1."""
    return len(logits) > 1 and bool((logits >= 0).all()) and abs(float(logits.double().sum()) - 1) < UNIT_SUM
