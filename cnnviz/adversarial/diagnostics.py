"""Properties of a network or a photo that weaken an attack's result, such as gradient masking and randomness."""

from torch import Tensor

from cnnviz.adversarial.pipeline import AttackedPhoto
from cnnviz.adversarial.target import QueryCount

REPEATED = 1e-4  # of the largest logit: by what two passes over one input may differ, sums in another order
UNIT_SUM = 1e-3  # by what probabilities may miss a sum of 1

Diagnostics = dict[str, str]  # a kind, for scripts, to a sentence


def diagnose(photo: AttackedPhoto, queries: QueryCount, target: int) -> Diagnostics:
    """Return what weakens the result of an attack on a photo.

    ``queries`` of the attack; ``target``: the class that the photo shows, as far as is known. "zero_gradients"
    (gradient masking) and "randomized" are section 2 of Athalye, Carlini & Wagner 2018, "Obfuscated Gradients Give a
    False Sense of Security".
    """
    network, clean, kinds = photo.network, photo.clean_logits, Diagnostics()
    if queries.zero_gradients:
        kinds["zero_gradients"] = (
            f"{queries.zero_gradients} of {queries.backward} gradients were zero everywhere (gradient masking), so a "
            "failed attack proves nothing; adversarial --method square needs no gradients"
        )
    if not _same(clean, photo.logits(photo.clean_photo)):
        kinds["randomized"] = f"{network.name} gives the same photo other logits each time: what fools once may fail"
    if are_probabilities(clean):
        kinds["probabilities"] = (
            f"the outputs of {network.name} look like probabilities: margins are not logits, and gradients may vanish"
        )
    first = int(clean.argmax())
    if first != target:
        names = (network.class_name(index) for index in (first, target))
        kinds["misclassified"] = "the unchanged photo is classified as {}, not {}".format(*names)
    return kinds


def are_probabilities(logits: Tensor) -> bool:
    """Return whether outputs (classes,) look like probabilities: none below 0, their sum 1."""
    return len(logits) > 1 and bool((logits >= 0).all()) and abs(float(logits.double().sum()) - 1) < UNIT_SUM


def _same(one: Tensor, other: Tensor) -> bool:
    return float((one - other).abs().max()) <= REPEATED * max(1.0, float(one.abs().max()))
