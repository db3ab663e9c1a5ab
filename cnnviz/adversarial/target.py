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
from cnnviz.models.features import LOGITS, FeatureExtractor, feature_extractor
from cnnviz.models.network import Network, require_finite

Extractor = Callable[[Tensor], dict[str, Tensor]]  # inputs (N, 3, h, w) to {LOGITS: (N, classes)}


@dataclass
class QueryCount:
    """Passes of the networks: ``forward``, ``backward``, and ``zero_gradients``, the backward ones that were all 0."""

    forward: int = 0
    backward: int = 0
    zero_gradients: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the passes forward and backward."""
        return {"forward": self.forward, "backward": self.backward}


def logits_extractor(network: Network) -> FeatureExtractor:
    """Return a network folded and fused for gradients of its logits; made once and kept on the network."""
    return feature_extractor(network, [LOGITS])


@dataclass
class TargetModel:
    """The networks under attack, each behind its pipeline, with the passes so far.

    Several networks are attacked jointly: each adds its views.
    """

    networks: Sequence[tuple[InputPipeline, Extractor]]
    queries: QueryCount = field(default_factory=QueryCount)

    def logits(self, values: Tensor) -> Tensor:
        """Return the logits (V, classes) of all views of all networks for values (H, W, C), uint8."""
        with torch.no_grad():
            return self._run([pipeline.forward(values) for pipeline, _ in self.networks])

    def fooled(self, values: Tensor, criterion: Criterion) -> bool:
        """Return whether the criterion is met in all views of all networks."""
        return bool((criterion.margins(self.logits(values)) > 0).all())

    def evaluate(self, values: Tensor) -> "ModelEvaluation":
        """Return the logits for values (H, W, C), uint8, with what is needed for one gradient."""
        views = [pipeline.forward(values).requires_grad_() for pipeline, _ in self.networks]
        with torch.enable_grad():
            logits = self._run(views)
        return ModelEvaluation(logits.detach(), logits, views, self)

    def _run(self, inputs: Sequence[Tensor]) -> Tensor:
        self.queries.forward += 1
        pairs = zip(inputs, self.networks, strict=True)
        logits = torch.cat([extractor(views)[LOGITS].float().cpu() for views, (_, extractor) in pairs])
        require_finite("the network", logits)
        return logits


@dataclass(frozen=True)
class ModelEvaluation:
    """The ``logits`` (V, classes) of one set of values, differentiable once."""

    logits: Tensor
    _graph: Tensor
    _views: list[Tensor]
    _model: TargetModel

    def gradient(self, loss: Loss) -> Tensor:
        """Return the gradient (H, W, C) of a loss of the logits in the values, per level. Only once."""
        queries, networks = self._model.queries, self._model.networks
        queries.backward += 1
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss(self._graph), self._views)
        first, *rest = [pipeline.adjoint(gradient) for gradient, (pipeline, _) in zip(gradients, networks, strict=True)]
        total = sum(rest, first)
        queries.zero_gradients += not total.any()
        return total


def target_model(photos: Sequence[AttackedPhoto], robust_to: Sequence[str] = ()) -> TargetModel:
    """Return the target model of one photo: an AttackedPhoto for each of the networks attacked jointly."""
    return TargetModel([(input_pipeline(photo, robust_to), logits_extractor(photo.network)) for photo in photos])
