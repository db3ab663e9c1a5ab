"""Classes by their names. Imports no torch, so that a misspelt name is refused before a network is loaded."""

from collections.abc import Sequence

from cnnviz.errors import InvalidRequest
from cnnviz.models.catalog import IMAGENET, SELFIE_CLASSES, VOC_CLASSES, NetworkEntry, imagenet_classes
from cnnviz.text import did_you_mean

LISTED_NAMES = 6  # class names that a message lists


def published_classes(entry: NetworkEntry, count: int) -> Sequence[str]:
    """Return the names of a network's own classes; none for weights of another number of classes."""
    if entry.task == "segmentation":
        return SELFIE_CLASSES if entry.name == "selfie" else VOC_CLASSES if count == len(VOC_CLASSES) else ()
    return imagenet_classes() if count == IMAGENET else ()


def class_index(word: str, classes: Sequence[str], network: str) -> int:
    """Return the index of a class, given by name or index, among the ``classes`` of ``network``, if they have names.

    Raises InvalidRequest unless there is exactly one.
    """
    if word.isascii() and word.isdigit():
        if classes and int(word) >= len(classes):
            raise InvalidRequest(f"no class {word}: {network} has {len(classes)}, counted from 0")
        return int(word)
    wanted = word.strip().lower()
    hits = [index for index, name in enumerate(classes) if name.lower() == wanted]
    if len(hits) > 1:
        raise InvalidRequest(f"{word!r} names {len(hits)} classes: {', '.join(map(str, hits))}; give the index")
    if not hits:
        raise InvalidRequest(f"no class is named {word!r}{_hint(word, classes, network)}")
    return hits[0]


def _hint(word: str, classes: Sequence[str], network: str) -> str:
    """Return the names with a word that is none, similar ones, or where to find them."""
    if within := [name for name in classes if word.strip().lower() in name.lower()]:
        more = f" and {len(within) - LISTED_NAMES} more" if len(within) > LISTED_NAMES else ""
        return f"; names with it: {', '.join(within[:LISTED_NAMES])}{more}"
    other = "; see cnnviz classes WORD" if tuple(classes) == imagenet_classes() else ""
    return did_you_mean(word, [name.lower() for name in classes],
                        other if classes else f"; {network} has no class names: give an index")  # fmt: skip
