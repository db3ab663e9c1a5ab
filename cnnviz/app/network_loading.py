"""Networks by the options of a command: weights found or fetched first, class names of a file."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app.console import Console
from cnnviz.app.options import FitOptions, NetworkOptions
from cnnviz.control import Control
from cnnviz.errors import InvalidRequest, WeightsError
from cnnviz.models import catalog
from cnnviz.models.class_names import class_index, published_classes
from cnnviz.text import printable

if TYPE_CHECKING:
    from cnnviz.models.loader import PreprocessingChanges
    from cnnviz.models.network import Network

Loader = Callable[[Any, Console], "Network"]  # of a command's network, by its options


def model_network(options: NetworkOptions, console: Console) -> "Network":
    """Return the network of ``--model``, with the weights, class names and preprocessing that the options name.

    Classes that it lacks are refused before torch is loaded: see ``check_classes``.
    """
    check_classes(options)
    changes: PreprocessingChanges = {"mean": options.mean, "std": options.std}
    if isinstance(options, FitOptions):
        changes |= {"resize": options.resize, "interpolation": options.interpolation}
    changes |= {"size": getattr(options, "input_size", None)}
    classes = read_class_names(options.class_names)
    return load(options.model, options, console, weights=options.weights, classes=classes, changes=changes)


def load(
    name: str, options: NetworkOptions, console: Console, *, weights: str | None = None,
    classes: Sequence[str] | None = None, changes: "PreprocessingChanges | None" = None,
) -> "Network":  # fmt: skip
    """Return a network by its name, on the device of the options."""
    path = find_weights(name, weights, options, console)
    with console.progress(f"loading {name}", "bytes") as control:  # before torch is imported
        from cnnviz.models.loader import load_network

        return load_network(
            name, weights_file=path, classes=classes, device=options.device, dtype=options.dtype,
            offline=options.offline, control=Control(lambda done, total, text="": control.report(done, total)),
            **(changes or {}),
        )  # fmt: skip


def find_weights(name: str, file: str | None, options: NetworkOptions, console: Console) -> Path | None:
    """Find or fetch a network's weights before torch is loaded, so that their lack is reported at once."""
    from cnnviz.models import weights

    entry = catalog.find_entry(name)
    assert entry is not None  # the option's type has checked it
    if file:
        if not Path(file).is_file():
            raise WeightsError(f"--weights {printable(file)}: no such file")
        return Path(file)
    if entry.source == "timm":
        weights.check_hub(entry.name, offline=options.offline)
        return None
    with console.progress(f"fetching {entry.file}", "bytes", begun=False) as control:  # which names the file already
        nameless = Control(lambda done, total, text="": control.report(done, total))
        return weights.find_weights(entry, offline=options.offline, control=nameless)


def check_classes(options: NetworkOptions) -> None:
    """Raise InvalidRequest for a class that the network lacks, where its names are known before it is loaded."""
    entry = catalog.find_entry(options.model)
    known: Sequence[str] | None = read_class_names(options.class_names)
    if entry and entry.source != "timm" and not options.weights:
        known = known or published_classes(entry, entry.classes)
    for word in options.class_words if known else ():
        class_index(word, known or (), options.model)


def read_class_names(path: str | None) -> list[str] | None:
    """Return the class names of a file, one per line; None without a file. Raises InvalidRequest."""
    if not path:
        return None
    if not os.path.isfile(path):  # what a pipe holds could not be read twice
        raise InvalidRequest(f"--class-names {printable(path)}: is not a file")
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "is not UTF-8"
        raise InvalidRequest(f"--class-names {printable(path)}: {reason}") from error
    names = [line.strip() for line in text.splitlines() if line.strip()]
    if not names:
        raise InvalidRequest(f"--class-names {printable(path)}: holds no names")
    return names


def default_layers(network: "Network") -> list[str]:
    """Return the layers that are shown without --layer, from the first to the last; torch is loaded by then."""
    from cnnviz.models.default_layers import layers_by_depth

    return layers_by_depth(network)


def default_deep_layer(network: "Network") -> str:
    """Return the one deep layer that is shown without --layer."""
    from cnnviz.models.default_layers import deep_layer

    return deep_layer(network)
