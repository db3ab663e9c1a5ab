"""What makes the outcome of an attack say less than it seems to: told on standard error, and in every line."""

from typing import TYPE_CHECKING

from cnnviz.app.console import Console
from cnnviz.app.jobs import Job
from cnnviz.errors import printable

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.adversarial.file_attack import AttackedPhoto
    from cnnviz.adversarial.target import QueryCount

SAME = 1e-4  # of the largest logit, by which two passes over one input may differ: sums in another order
ONE = 1e-3  # by which probabilities may miss a sum of 1

Diagnostics = dict[str, str]


def diagnose(subject: "AttackedPhoto", clean: "Tensor", passes: "QueryCount", target: int) -> Diagnostics:
    """Return what an attack on a photograph met, in a line each, by one word for scripts.

    ``clean``: logits (classes,) of the photograph as it is; ``target``: what it shows, as far as is known.
    "zero_gradients", the case of gradient masking, is section 2 of Athalye, Carlini & Wagner 2018, "Obfuscated
    Gradients Give a False Sense of Security", and so is "randomized".
    """
    network, found = subject.network, Diagnostics()
    if passes.flat:
        found["zero_gradients"] = (
            f"{passes.flat} of {passes.backward} gradients were zero everywhere, so that an attack which fails says "
            "nothing (gradient masking); adversarial --method square needs none"
        )
    again = subject.logits(subject.original.photo(subject.original.values))
    if not _same(clean, again):
        found["randomized"] = f"{network.name} answers the same photo differently each time: what fools once may fail"
    if probabilities(clean):
        found["probabilities"] = (
            f"the outputs of {network.name} look like probabilities: margins are shares, not logits, and gradients "
            "may vanish"
        )
    first = int(clean.argmax())
    if first != target:
        names = (network.class_name(index) for index in (first, target))
        found["misclassified"] = "is taken for {} and not for {} before anything is changed".format(*names)
    return found


def probabilities(logits: "Tensor") -> bool:
    """Return whether outputs (classes,) look like probabilities: none below 0, their sum 1."""
    return len(logits) > 1 and bool((logits >= 0).all()) and abs(float(logits.double().sum()) - 1) < ONE


def _same(one: "Tensor", other: "Tensor") -> bool:
    return float((one - other).abs().max()) <= SAME * max(1.0, float(one.abs().max()))


def say(console: Console, job: Job, found: Diagnostics) -> None:
    """Tell a person; what is said of a network once, and not for every photograph."""
    for kind, text in found.items():
        if kind in ("randomized", "probabilities"):
            console.once(text)
        else:
            console.note(f"{printable(job.source)}: {text}")
