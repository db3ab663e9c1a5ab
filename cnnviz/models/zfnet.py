"""ZFNet (Zeiler & Fergus 2013, arXiv:1311.2901), in the paper's form and in that of the ONNX model zoo."""

from collections.abc import Mapping

from torch import Tensor, nn

CLASSES = 1000
SIDE = 6  # of the fifth layer's maps after pooling, in both forms (figure 3)
# Maps of conv1 to conv5, then outputs of fc6 and fc7. The paper's: figure 3.
PAPER = {"conv1": 96, "conv2": 256, "conv3": 384, "conv4": 384, "conv5": 256, "fc6": 4096, "fc7": 4096}
# zfnet512 of github.com/onnx/models, converted from Caffe2. Its README gives 512 maps in layer 4; the rest is from a
# published table of the file's layers, and checked by its size: these seven give 87,250,536
# parameters, at 4 bytes each the .onnx file but for 3.4 kB (349,005,501 bytes, says its Git LFS pointer), at 5 bytes
# the Caffe2 file but for 1.1 kB (436,253,819 bytes, github.com/facebookarchive/models). fc7 is not the paper's.
ZOO = {"conv1": 96, "conv2": 256, "conv3": 512, "conv4": 512, "conv5": 512, "fc6": 4096, "fc7": 1024}


class ZFNet(nn.Module):
    """Zeiler & Fergus' network (section 3, figure 3): (N, 3, 224, 224) to logits (N, num_classes).

    The modules run in the order in which they are defined. Dropout of fc6 and fc7 acts in training only.

    Not in the paper: the padding (the one here gives figure 3's sizes: 110, 55, 26, 13,
    13, 13, 13, 6), and the form and constants of the contrast normalisation "across feature maps", for which it
    refers to Krizhevsky et al. 2012 and Jarrett et al. 2009 (section 2). We take Krizhevsky's, after layers 1 and 2
    as figure 3 draws it. The last layer is left as logits, without the softmax.

    ``zoo=True`` gives the form of the public zfnet512, whose weights do not work in the paper's: no padding in conv1,
    normalisation before pooling, 2x2 pooling after conv5; sizes 109, 54, 25, 12, 12, 12, 12, 6.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        num_classes: int = CLASSES,
        *,
        hidden: tuple[int, int] = (4096, 4096),
        zoo: bool = False,
    ) -> None:
        super().__init__()
        w1, w2, w3, w4, w5 = widths
        # Padding 1 is ours: 224 pixels give 110, as in figure 3. The zoo's has none: 109.
        self.conv1 = nn.Conv2d(3, w1, 7, stride=2, padding=0 if zoo else 1)
        self.relu1 = nn.ReLU()
        # Figure 3's caption: rectified, then pooled, then normalised. The zoo's is normalised before it is pooled.
        if zoo:
            self.norm1, self.pool1 = _norm(), _pool()
        else:
            self.pool1, self.norm1 = _pool(), _norm()
        self.conv2 = nn.Conv2d(w1, w2, 5, stride=2)
        self.relu2 = nn.ReLU()
        if zoo:
            self.norm2, self.pool2 = _norm(), _pool()
        else:
            self.pool2, self.norm2 = _pool(), _norm()
        self.conv3 = nn.Conv2d(w2, w3, 3, padding=1)
        self.relu3 = nn.ReLU()
        self.conv4 = nn.Conv2d(w3, w4, 3, padding=1)
        self.relu4 = nn.ReLU()
        self.conv5 = nn.Conv2d(w4, w5, 3, padding=1)
        self.relu5 = nn.ReLU()
        self.pool5 = _pool(2 if zoo else 3)
        self.fc6 = nn.Linear(w5 * SIDE * SIDE, hidden[0])
        self.relu6 = nn.ReLU()
        self.drop6 = nn.Dropout(0.5)
        self.fc7 = nn.Linear(hidden[0], hidden[1])
        self.relu7 = nn.ReLU()
        self.drop7 = nn.Dropout(0.5)
        self.fc8 = nn.Linear(hidden[1], num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (N, num_classes) for (N, 3, 224, 224)."""
        for name, module in self.named_children():
            x = module(x.flatten(1) if name == "fc6" else x)
        return x


def _pool(kernel: int = 3) -> nn.MaxPool2d:
    # Rounding up is ours: 110 gives 55 and 26 gives 13, as in figure 3; rounded down they would be 54 and 12.
    # The zoo's maps (109, 25, 12) divide without a rest: no difference there.
    return nn.MaxPool2d(kernel, stride=2, ceil_mode=True)


def _norm() -> nn.LocalResponseNorm:
    # Krizhevsky et al. 2012, section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75. torch divides the sum of squares
    # by n, Krizhevsky does not: alpha is five times his. The same constants, under the same division, are in the
    # zoo's network (github.com/facebookarchive/models, zfnet512/predict_net.pbtxt: size 5, alpha 5e-4, bias 2).
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


def build(state: Mapping[str, Tensor] | None, num_classes: int) -> ZFNet:
    """Return a ZFNet, without weights, with the widths of a state dict, or the paper's for layers that it lacks.

    A state dict with the widths of the model zoo's zfnet512 gets the zoo's form, others the paper's (512, 1024 and 512
    maps in conv3 to conv5 are the paper's too, section 5.1).
    """
    widths = {name: _width(state or {}, name) for name in PAPER}
    w1, w2, w3, w4, w5, *_ = widths.values()
    hidden = widths["fc6"], widths["fc7"]
    return ZFNet((w1, w2, w3, w4, w5), num_classes, hidden=hidden, zoo=widths == ZOO)


def _width(state: Mapping[str, Tensor], name: str) -> int:
    weight = state.get(f"{name}.weight")
    return PAPER[name] if weight is None or weight.dim() == 0 else int(weight.shape[0])
