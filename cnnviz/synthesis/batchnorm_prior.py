"""Batch-norm statistics prior: activation statistics of an image pulled towards those of the training data.

Yin et al. 2020, "Dreaming to Distill" (CVPR), section 3.2: a loss between the means and variances of every layer and
the network's running statistics. Departures: standard deviations in place of variances; differences are squared and
divided by the channel's standard deviation, so that all layers and channels have the same weight.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cnnviz.models.features import BatchNormStatistics, FeatureExtractor

MIN_DEVIATION = 0.05  # of a layer's mean standard deviation: the least that a channel's difference is divided by


@contextmanager
def batchnorm_regularized(extractor: FeatureExtractor, weight: float) -> Iterator[None]:
    """Within the context every gradient through the extractor also descends ``weight`` times the statistics loss.

    The loss is the sum over layers of the mean over channels of the squares of (mean - expected mean) and (deviation -
    expected deviation), in units of the expected deviation, for each image of a batch alone. A network without batch
    normalisation is left unchanged.
    """
    watched = extractor.norms() if weight else []
    handles = [module.register_forward_pre_hook(_make_hook(expected, weight)) for module, expected in watched]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def batchnorm_gradient(values: Tensor, expected: BatchNormStatistics) -> Tensor:
    """Return the gradient of one layer's loss with respect to its input, (N, C, h, w)."""
    mean = values.mean((2, 3), keepdim=True)
    # torch.var_mean takes ten times as long in channels-last format
    deviation = (values.square().mean((2, 3), keepdim=True) - mean.square()).clamp(min=0).add(1e-6).sqrt()
    unit = expected.deviation.clamp(min=MIN_DEVIATION * float(expected.deviation.mean())).view(1, -1, 1, 1)
    mean_error = (mean - expected.mean.view(1, -1, 1, 1)) / unit
    deviation_error = (deviation - expected.deviation.view(1, -1, 1, 1)) / unit
    share = 2 / values[0].numel() / unit
    factor = share * deviation_error / deviation
    return torch.addcmul(share * mean_error - factor * mean, factor, values)


def _make_hook(expected: BatchNormStatistics, weight: float) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (values,) = inputs
        if values.requires_grad:
            descent = batchnorm_gradient(values.detach(), expected).mul_(weight)
            # the objective is maximised, the loss minimised
            values.register_hook(lambda gradient: gradient - descent)  # type: ignore[no-untyped-call]

    return hook
