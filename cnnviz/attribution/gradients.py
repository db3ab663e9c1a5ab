"""Methods of the plain gradient, computed by captum: autograd is right for any network.

gradient: Simonyan et al., "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034), section 3.
gradient-x-input: Shrikumar et al., "Not Just a Black Box", 2016 (arXiv:1605.01713); DeepLIFT's paper, section 2.2.
integrated-gradients: Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017 (arXiv:1703.01365),
section 3.
smoothgrad: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (arXiv:1706.03825), section 2.

The colour channels of a pixel are summed; of gradient and smoothgrad the largest magnitude is taken, as in the first
paper.
"""

import torch
from torch import Tensor

from cnnviz.attribution.class_score import ClassScore, MethodSettings
from cnnviz.models.memory import batch_size

PIXELS = 5 * 224 * 224  # of one batch: about 1 GB of VGG16's activations


def gradient(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the gradient's largest magnitude over the colours, (targets, h, w)."""
    from captum.attr import Saliency

    method = Saliency(score)
    found = [method.attribute(score.leaf(), target=target, abs=False) for target in score.targets]
    return torch.cat(found).abs().amax(1)


def gradient_x_input(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the gradient times the input, RGB in [0, 1]: (targets, h, w)."""
    from captum.attr import InputXGradient

    method = InputXGradient(score)
    return torch.cat([method.attribute(score.leaf(), target=target) for target in score.targets]).sum(1)


def integrated_gradients(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the mean gradient on the straight line from black to the input, times the input: (targets, h, w).

    The mean is computed by Gauss-Legendre quadrature with ``settings.steps`` points.
    """
    from captum.attr import IntegratedGradients

    method, black = IntegratedGradients(score.counted(settings.steps)), torch.zeros_like(score.x)
    options = {"n_steps": settings.steps, "internal_batch_size": batch_size(score.x, PIXELS)}
    found = [method.attribute(score.leaf(), black, target=target, **options) for target in score.targets]
    return torch.cat(found).to(score.x.dtype).sum(1)


def smoothgrad(score: ClassScore, settings: MethodSettings) -> Tensor:
    """Return the mean gradient of noisy inputs, its largest magnitude over the colours: (targets, h, w).

    Every target has the same noise. torch's global random state is left as it was.
    """
    from captum.attr import NoiseTunnel, Saliency

    x, samples, found = score.x, settings.samples, []
    method = NoiseTunnel(Saliency(score.counted(samples)))
    at_once = min(batch_size(x, PIXELS), samples)
    options = {"nt_type": "smoothgrad", "nt_samples": samples, "nt_samples_batch_size": at_once,
               "stdevs": settings.noise * float(x.max() - x.min()), "abs": False}  # fmt: skip
    for target in score.targets:
        with torch.random.fork_rng([x.device] if x.is_cuda else []):
            torch.manual_seed(settings.seed)
            found.append(method.attribute(score.leaf(), target=target, **options))
    return torch.cat(found).abs().amax(1)
