"""Attack methods and the transforms an attack can be made robust to, by name: no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

from cnnviz.errors import InvalidRequest

Norm = Literal["linf", "l2", "l1", "l0"]
NORMS: tuple[Norm, ...] = ("linf", "l2", "l1", "l0")
MINIMAL = "minimal"  # cnnviz's own method


@dataclass(frozen=True)
class AttackMethod:
    """A method of ``adversarial``.

    ``norms``: what it can minimise, its default first, each with the class of its ``package`` ("" for cnnviz's own);
    ``steps`` by default, 0 where the method has its own number; ``capped``: it takes the largest level, otherwise it
    searches the smallest change; ``targeted``: it can be aimed at a class. ``arguments``: the constructor's parameters
    among those that ``external`` computes; ``settings``: further ones, with their values.
    """

    package: str
    norms: Mapping[Norm, str]
    steps: int
    capped: bool = False
    targeted: bool = False
    arguments: tuple[str, ...] = ("steps",)
    settings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SearchSettings:
    """A method of METHODS, by name, with what it is run with; ``eps`` in levels of 1/255."""

    name: str
    norm: Norm
    eps: int
    steps: int
    thorough: bool = False
    seed: int = 0

    @property
    def method(self) -> AttackMethod:
        """The method's row."""
        return METHODS[self.name]


STEPPED = ("steps", "abs_stepsize")
METHODS = {
    MINIMAL: AttackMethod("", dict.fromkeys(NORMS, ""), 40, capped=True, targeted=True),
    "fgsm": AttackMethod("foolbox", {"linf": "LinfFastGradientAttack"}, 0, capped=True, arguments=()),
    "pgd": AttackMethod("foolbox", {"linf": "LinfBasicIterativeAttack"}, 10, True, True, STEPPED),
    "mi-fgsm": AttackMethod("foolbox", {"linf": "LinfMomentumIterativeFastGradientMethod"}, 10, True, True, STEPPED),
    "deepfool": AttackMethod("foolbox", {"l2": "L2DeepFoolAttack", "linf": "LinfDeepFoolAttack"}, 10),
    # a quarter of a level at most in a step: foolbox's own 0.01 changes every value by a whole level at once
    "cw": AttackMethod("foolbox", {"l2": "L2CarliniWagnerAttack"}, 50, targeted=True, settings={"stepsize": 0.002}),
    "ddn": AttackMethod("foolbox", {"l2": "DDNAttack"}, 100, targeted=True),
    # without its l2: in foolbox 3.3.4 it projects nothing, and ddn does it well
    "fmn": AttackMethod(
        "foolbox", {"linf": "LInfFMNAttack", "l1": "L1FMNAttack", "l0": "L0FMNAttack"}, 100, targeted=True
    ),
    "apgd": AttackMethod("torchattacks", {"linf": "APGD"}, 10, capped=True, arguments=("eps", "steps", "seed")),
    "autoattack": AttackMethod(
        "torchattacks", {"linf": "AutoAttack"}, 0, capped=True, arguments=("eps", "n_classes", "seed")
    ),
    "square": AttackMethod(
        "torchattacks", {"linf": "Square"}, 1000, capped=True, targeted=True, arguments=("eps", "n_queries", "seed")
    ),
    "one-pixel": AttackMethod("torchattacks", {"l0": "OnePixel"}, 10, targeted=True, settings={"popsize": 100}),
}

TRANSFORMS = ("jpeg90", "jpeg75", "webp80", "resize", "bilinear", "blur")  # what may happen to an attacked photo


def resolve_method(name: str, norm: Norm | None = None, steps: int | None = None) -> tuple[Norm, int]:
    """Return norm and steps of a method, its own where None. Raises InvalidRequest for what it does not support."""
    method = METHODS[name]
    if steps is not None and not method.steps:
        raise InvalidRequest(f"method {name} has a fixed number of steps: leave out the steps")
    if norm is not None and norm not in method.norms:
        raise InvalidRequest(f"method {name} does not support norm {norm}, only {', '.join(method.norms)}")
    if method.package and find_spec(method.package) is None:
        raise InvalidRequest(f"method {name} needs {method.package}: pip install 'cnnviz[attacks]'")
    return next(iter(method.norms)) if norm is None else norm, steps or method.steps


def require_support(name: str, *, goal: bool, extras: Sequence[str] = ()) -> None:
    """Raise InvalidRequest where a method cannot be aimed at a goal, or has none of the ``extras`` of "minimal"."""
    if goal and not METHODS[name].targeted:
        targeted = ", ".join(other for other, method in METHODS.items() if method.targeted)
        raise InvalidRequest(f"method {name} takes no target class; these do: {targeted}")
    if extras and name != MINIMAL:
        raise InvalidRequest(f"{extras[0]} needs method {MINIMAL}")
