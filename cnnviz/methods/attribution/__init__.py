"""Attribution by signals sent back through a network: how much each pixel has to do with the score of a class.

gradient: Simonyan et al., "Deep Inside Convolutional Networks", 2013 (arXiv:1312.6034), section 3.
gradient-x-input: Shrikumar et al., "Not Just a Black Box", 2016 (arXiv:1605.01713); section 2.2 of deeplift's.
integrated-gradients: Sundararajan et al., "Axiomatic Attribution for Deep Networks", 2017
(arXiv:1703.01365), section 3.
smoothgrad: Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017 (arXiv:1706.03825), section 2.
grad-cam, guided-grad-cam: Selvaraju et al., "Grad-CAM", 2017 (arXiv:1610.02391), section 3.
guided: Springenberg et al., "Striving for Simplicity", 2014 (arXiv:1412.6806), section 3.4.
deconvnet: Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks", 2013 (arXiv:1311.2901), section 2.1.
deeplift: Shrikumar et al., "Learning Important Features Through Propagating Activation Differences", 2017
(arXiv:1704.02685), section 3.5, the rescale rule.

We depart in these: the colour channels of a pixel are summed, but for gradient and smoothgrad, which take the largest
magnitude, as the first paper does; guided and deconvnet start from the score of a class, not from one unit; DeepLIFT
gives a max pool's difference to one place, since the paper has no rule for it.
"""

from cnnviz.methods.attribution.attribution import Attribution, attribution

__all__ = ["Attribution", "attribution"]
