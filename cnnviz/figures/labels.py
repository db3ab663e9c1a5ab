"""Names of networks and classes as figures print them."""

import re
from collections.abc import Sequence

from torch import Tensor

from cnnviz.figures.page import INNER
from cnnviz.figures.style import TITLE
from cnnviz.figures.text import is_printable, shorten, width
from cnnviz.models.network import Network

# Names that a pattern matches whole, and how the networks' papers print them; {1}: the first group in capitals.
PRINTED = (
    (r"efficientnet_lite(\d)", r"EfficientNet-Lite\1"),
    (r"efficientnet_(b\d)", r"EfficientNet-{1}"),
    (r"efficientnet_v2_(\w)", r"EfficientNetV2-{1}"),
    (r"wide_resnet(\d+)_(\d+)", r"Wide ResNet-\1-\2"),
    (r"resnext(\d+)_(\d+)x(\d+)d", r"ResNeXt-\1 (\2×\3d)"),
    (r"resnet(\d+)", r"ResNet-\1"),
    (r"densenet(\d+)", r"DenseNet-\1"),
    (r"vgg(\d+)", r"VGG-\1"),
    (r"vgg(\d+)_bn", r"VGG-\1 with batch norm"),
    (r"googlenet", "GoogLeNet"),
    (r"fcn8s", "FCN-8s"),
    (r"fcn8s_at_once", "FCN-8s, trained at once"),
    (r"fcn_resnet(\d+)", r"FCN with ResNet-\1"),
    (r"deeplabv3_resnet(\d+)", r"DeepLabv3 with ResNet-\1"),
    (r"deeplabv3_mobilenet_v3_large", "DeepLabv3 with MobileNetV3-Large"),
    (r"lraspp_mobilenet_v3_large", "LR-ASPP with MobileNetV3-Large"),
    (r"selfie", "MediaPipe selfie segmentation"),
    (r"eccv16", "Network of Zhang, Isola & Efros 2016"),
    (r"alexnet", "AlexNet"),
    (r"zfnet", "ZFNet"),
    (r"hed_vgg16", "VGG-16 of HED"),
    (r"inception_v3", "Inception-v3"),
    (r"mobilenet_v2", "MobileNetV2"),
    (r"mobilenet_v3_large", "MobileNetV3-Large"),
    (r"mobilenet_v3_small", "MobileNetV3-Small"),
    (r"mnasnet(\d)_(\d+)", r"MnasNet \1.\2×"),
    (r"shufflenet_v2_x(\d)_(\d)", r"ShuffleNet V2 \1.\2×"),
    (r"squeezenet(\d)_(\d)", r"SqueezeNet \1.\2"),
    (r"regnet_([xy])_(\d+)([gm]f)", r"RegNet{1}-\2{3}"),
    (r"regnet_([xy])_(\d)_(\d)([gm]f)", r"RegNet{1}-\2.\3{4}"),
    (r"convnext_(\w)(?:ase|arge|mall|iny)", r"ConvNeXt-{1}"),
    (r"swin_(\w)", r"Swin-{1}"),
    (r"swin_v2_(\w)", r"SwinV2-{1}"),
    (r"vit_(\w)_(\d+)", r"ViT-{1}/\2"),
    (r"maxvit_t", "MaxViT-T"),
)


def network_label(name: str) -> str:
    """Return a network's name as its paper prints it: efficientnet_lite0 is EfficientNet-Lite0; others unchanged."""
    for pattern, printed in PRINTED:
        found = re.fullmatch(pattern, name)
        if found:
            for number, part in enumerate(found.groups(), 1):
                printed = printed.replace(f"{{{number}}}", part.upper())
            return found.expand(printed)
    return name


def class_label(network: Network, index: int) -> str:
    """Return the name of a class, or "class 3" where the font has no glyphs for it."""
    return printable_name(network.class_name(index), index)


def channel_label(network: Network, layer: str, channel: int) -> str:
    """Return the name of a channel: "channel 51", or of one for each class "football helmet (560)"."""
    if not network.is_output(layer):
        return f"channel {channel}"
    name = class_label(network, channel)
    return name if name == f"class {channel}" else f"{name} ({channel})"


def placed_layer(network: Network, layer: str) -> str:
    """Return a layer's name with its place in the network: blocks.4 (layer 27 of 50, stride 16 px).

    Convolutions and fully connected layers are counted, in the order in which they run; the stride is that of the
    layer's units on the input.
    """
    place = ", ".join(layer_place(network, layer))
    return f"{layer} ({place})" if place else layer


def layer_place(network: Network, layer: str) -> list[str]:
    """Return a layer's place in the network as far as it is known: "layer 27 of 50" and "stride 16 px"."""
    depth, stride = network.depth(layer), network.layer_infos[layer].stride if layer in network.layer_infos else None
    place = [f"layer {depth} of {len(network.weighted_layers)}"] if depth else []
    if stride:
        place.append(f"stride {' × '.join(f'{step:g}' for step in dict.fromkeys(stride))} px")
    return place


def prediction_label(network: Network, logits: Tensor) -> str:
    """Return a network's name and its most probable class, from logits (classes,): AlexNet: tiger cat 95.7 %.

    The name alone where there are no classes.
    """
    if not len(logits):
        return network_label(network.name)
    shares = logits.double().softmax(0)
    best = int(shares.argmax())
    return f"{network_label(network.name)}: {class_label(network, best)} {percent(float(shares[best]), 1)}"


def printable_name(name: str, index: int) -> str:
    """Return the name of class ``index``, or "class 3" where the font has no glyphs for it."""
    return name if is_printable(name) else f"class {index}"


def with_minus(text: str) -> str:
    """Return the text of a number with a true minus."""
    return text.replace("-", "−")


def number(value: float) -> str:
    """Return a number of three or so digits: 1203, 33.6, 5.0, 0.12, with a true minus."""
    size = abs(value)
    return with_minus(f"{value:.1f}" if 1 <= size < 1000 else f"{value:.0f}" if 1000 <= size < 1e5 else f"{value:.2g}")


def percent(share: float, digits: int = 0) -> str:
    """Return a share, 0 to 1, as it is printed: 95.7 %."""
    return f"{100 * share:.{digits}f} %"


def signed(value: float, form: str = ".4g") -> str:
    """Return a number with its sign, a true minus; 0 has none."""
    return with_minus(f"{value:+{form}}") if value else "0"


def quoted(names: Sequence[str]) -> str:
    """Return names in quotation marks: “a”, “b” and “c”."""
    marked = [f"“{name}”" for name in names]
    return " and ".join([", ".join(marked[:-1]), marked[-1]] if len(marked) > 1 else marked)


def title_of(words: str, *names: str) -> str:
    """Return a title with a name in quotation marks for each {}; long names are shortened so that all of it fits."""
    left, rooms = INNER - width(words.format(*["“”"] * len(names)), TITLE, bold=True), dict[str, float]()
    for count, name in enumerate(sorted(names, key=lambda name: width(name, TITLE, bold=True))):
        rooms[name] = min(width(name, TITLE, bold=True), left / (len(names) - count))
        left -= rooms[name]
    return words.format(*(f"“{shorten(name, rooms[name] + 0.01, TITLE, bold=True)}”" for name in names))
