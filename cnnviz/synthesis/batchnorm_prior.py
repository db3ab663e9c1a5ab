"""What photographs leave at a network's batch normalisations, as a prior: a picture is pulled towards it.

Yin et al. 2020, "Dreaming to Distill" (CVPR), section 3.2: means and variances of every layer near those that the
network kept from its training. Departures: standard deviations, not variances; distances are squared and counted in
standard deviations of their channel, so that all layers and channels weigh the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cnnviz.models.features import BatchNormStatistics, FeatureExtractor

LEAST = 0.05  # of a layer's mean deviation: channels that hardly vary are counted in this


@contextmanager
def batchnorm_regularized(trunk: FeatureExtractor, weight: float) -> Iterator[None]:
    """Within, each way back through the trunk also goes down ``weight`` times the distance from the statistics.

    The distance is the sum over layers of the mean over channels of the squares of (mean - expected mean) and
    (deviation - expected deviation), in expected deviations, for each picture of a batch alone. A network without
    batch normalisations is left as it is.
    """
    watched = trunk.norms() if weight else []
    handles = [module.register_forward_pre_hook(_hook(expected, weight)) for module, expected in watched]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def batchnorm_gradient(values: Tensor, expected: BatchNormStatistics) -> Tensor:
    """Return the gradient of one layer's distance in what arrives there, (N, C, h, w)."""
    mean = values.mean((2, 3), keepdim=True)
    # torch.var_mean takes ten times as long where channels lie last
    deviation = (values.square().mean((2, 3), keepdim=True) - mean.square()).clamp(min=0).add(1e-6).sqrt()
    unit = expected.deviation.clamp(min=LEAST * float(expected.deviation.mean())).view(1, -1, 1, 1)
    above = (mean - expected.mean.view(1, -1, 1, 1)) / unit
    wider = (deviation - expected.deviation.view(1, -1, 1, 1)) / unit
    share = 2 / values[0].numel() / unit
    steep = share * wider / deviation
    return torch.addcmul(share * above - steep * mean, steep, values)


def _hook(expected: BatchNormStatistics, weight: float) -> Any:
    def see(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (values,) = inputs
        if values.requires_grad:
            pull = batchnorm_gradient(values.detach(), expected).mul_(weight)
            # a class is climbed, the distance is gone down
            values.register_hook(lambda gradient: gradient - pull)  # type: ignore[no-untyped-call]

    return see
