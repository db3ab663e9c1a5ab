"""What ``cnnviz adversarial`` attacks through, and what it tells of the file that it made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cnnviz.adversarial.commands import external_methods
from cnnviz.app.console import ReportProgress
from cnnviz.app.jobs import Line
from cnnviz.app.session import Session
from cnnviz.errors import InvalidRequest, MethodError
from cnnviz.models import catalog

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from cnnviz.adversarial.target import Criterion, InputPipeline, TargetModel
    from cnnviz.io.color import Photo
    from cnnviz.io.stored_image import StoredImage
    from cnnviz.models.network import Network
    from cnnviz.models.preprocess import Geometry

OTHERS = 5  # classes told
BETWEEN = 2.5  # logits by which each size of "resize" must be fooled, so that the sizes between them are too


@dataclass(frozen=True)
class AttackedPhoto:
    """A photograph as it is attacked: what its file stores, a network, and the way from one to the other.

    ``path`` is where the file will be written, which says in what format; "-" is a PNG.
    """

    original: "StoredImage"
    network: "Network"
    geometry: "Geometry"
    path: str

    def photo(self, values: "NDArray[np.uint8]") -> "Photo":
        """Return the photograph that a file of these values (H, W, C) will give back."""
        from cnnviz.io.photo import decode_photo
        from cnnviz.io.write import encode_picture, picture_format

        if picture_format(self.path) == "PNG":  # which keeps them as they are
            return self.original.photo(values)
        data = encode_picture(self.path, self.original.image(values), {})
        return decode_photo(data, **self.original.reading)

    def logits(self, photo: "Photo", geometry: "Geometry | None" = None) -> "Tensor":
        """Return the logits (classes,) for a photograph of the network itself, not as it is folded for the attack.

        ``geometry`` is how it gets there, by default the network's own.
        """
        import torch

        from cnnviz.models.preprocess import to_inputs

        seen = (geometry or self.geometry).see(photo)
        with torch.inference_mode():
            return self.network(to_inputs([seen]))[0].float().cpu()


def attacked_photo(original: "StoredImage", network: "Network", fit: str, path: str = "-") -> AttackedPhoto:
    """Return what is attacked: ``path`` is where the file that will hold it is to be written."""
    from cnnviz.io.write import picture_format
    from cnnviz.models.preprocess import geometry_for

    if original.alpha is not None and picture_format(path) == "JPEG":
        raise MethodError("has transparency, which JPEG does not keep: write PNG")
    return AttackedPhoto(original, network, geometry_for(original.values.shape[:2], network, fit), path)


def input_pipeline(subject: AttackedPhoto, names: Sequence[str]) -> "InputPipeline":
    """Return the way from the stored values to the network, as the file and as what else it must survive."""
    import torch

    from cnnviz.adversarial.target import InputPipeline
    from cnnviz.adversarial.transforms import InputTransform, identity, input_transforms
    from cnnviz.models.preprocess import to_inputs

    high, wide = subject.geometry.photo
    if beyond := [name for name in names if name not in supported_transforms((high, wide))]:
        raise MethodError(f"{wide}x{high} pixels are too many for --survive {beyond[0]}")
    seen = [InputTransform("file", identity, subject.geometry), *input_transforms(names, subject.geometry)]

    def see(values: "Tensor") -> "Tensor":
        photo = subject.photo(values.numpy())
        return to_inputs([view.see(photo) for view in seen])

    def back(slopes: "Tensor") -> "Tensor":
        arrays = (slopes.float().cpu() / 255).numpy()
        total = sum_on_photo([view.geometry for view in seen], arrays)
        return torch.from_numpy(subject.original.back(total))

    return InputPipeline(see, back)


def supported_transforms(size: tuple[int, int]) -> list[str]:
    """Return which of ``catalog.SURVIVE`` a photograph of this size (H, W) can be put to."""
    from cnnviz.io.write import SIDES

    kinds = {"jpeg90": "JPEG", "jpeg75": "JPEG", "webp80": "WEBP"}
    return [name for name in catalog.SURVIVE if max(size) <= SIDES[kinds.get(name, "PNG")]]


def sum_on_photo(geometries: "Sequence[Geometry]", slopes: "NDArray[np.float32]") -> "NDArray[np.float32]":
    """Return the sum of slopes (V, 3, h, w) on the photograph, (H, W, 3); those of one geometry go back together."""
    together: dict[Geometry, NDArray[np.float32]] = {}
    for geometry, slope in zip(geometries, slopes, strict=True):
        together[geometry] = together[geometry] + slope if geometry in together else slope
    first, *rest = [geometry.back(slope) for geometry, slope in together.items()]
    for more in rest:
        first += more
    return first


def criterion_for(
    network: "Network",
    logits: "Tensor",
    *,
    goal: str | None = None,
    true: str | None = None,
    margin: float = 0.0,
    survive: Sequence[str] = (),
) -> "Criterion":
    """Return what fooling is for a photograph that gave these logits (classes,); classes as a user names them."""
    from cnnviz.adversarial.target import Criterion, numeric_tolerance

    if len(logits) < 2:
        raise MethodError(f"{network.name} knows one class alone: there is nothing else to take a photo for")
    first = int(logits.argmax())
    wanted, own = (None if word is None else network.class_index(word) for word in (goal, true))
    for index in (own, wanted):
        if index is not None and index >= len(logits):
            raise InvalidRequest(f"no class {index}: {network.name} has {len(logits)}, counted from 0")
    if wanted is not None and wanted == own:
        raise InvalidRequest(f"--target-class and --true-class are both {network.class_name(wanted)}")
    if wanted == first:
        raise MethodError(f"is taken for {network.class_name(first)} already")
    margin = max(margin, BETWEEN) if "resize" in survive else margin
    return Criterion(first if own is None else own, wanted, margin, numeric_tolerance(logits, network.dtype))


def attacked_networks(run: Session, transfer: Sequence[str], judges: Sequence[str]) -> "list[Network]":
    """Return the networks to fool: the one of the command, and those of --transfer. Raises for judges of no use too."""
    for option, names in (("--transfer", transfer), ("--judge", judges)):
        for name in names:
            if not _alike(run.load(name), run.network):
                raise InvalidRequest(f"{option} {name}: knows other classes than {run.network.name}")
    return [run.network, *map(run.load, transfer)]


def _alike(one: "Network", other: "Network") -> bool:
    """Return whether two networks know the same classes; where no names tell, as many."""
    import torch

    if one.classes or other.classes:
        return one.classes == other.classes
    with torch.inference_mode():
        counts = [network(torch.zeros(1, 3, *network.size)).shape[1] for network in (one, other)]
    return counts[0] == counts[1]


def target_model(run: Session, subjects: Sequence[AttackedPhoto], survive: Sequence[str]) -> "TargetModel":
    """Return what is attacked: one photograph, by a subject for each network."""
    from cnnviz.adversarial.target import TargetModel

    return TargetModel(tuple((input_pipeline(one, survive), run.trunk(one.network)) for one in subjects))


def search(
    attacked: "TargetModel", original: "StoredImage", aim: "Criterion", options: Mapping[str, Any], tick: ReportProgress
) -> "tuple[Tensor, Line]":
    """Return the values (H, W, C) that were found, by which method, and the passes that it took."""
    import torch

    from cnnviz.adversarial.minimal import adversarial

    values = torch.from_numpy(original.values)

    def tell(step: int, of: int, margin: float) -> None:
        tick(step, of, f"margin {-margin:.3g}")

    told: Line = {"finish": None}
    if options["method"] == external_methods.OWN:
        settings = {key: options[key] for key in ("norm", "eps", "steps", "thorough")}
        made = adversarial(attacked, values, aim, progress=tell, **settings).values
    else:
        made, told = external_methods.search(attacked, values, aim, options, tick)
    passes = {"forward": attacked.passes.forward, "backward": attacked.passes.backward}
    return made, {"method": options["method"], **told, "passes": passes}


@dataclass(frozen=True)
class WrittenAttack:
    """The picture that was made of a subject, and the file that it becomes."""

    subject: AttackedPhoto
    aim: "Criterion"
    values: "Tensor"

    @cached_property
    def photo(self) -> "Photo":
        """The photograph that the file holds, read as any is: uint8 RGB (H, W, 3)."""
        return self._decoded(self._judged)

    def write(self, recipe: Mapping[str, Any]) -> None:
        """Write the file. What was told of it holds for the recipe's bytes too, or nothing is written."""
        import numpy as np

        from cnnviz.io.write import write_bytes

        data = self._encoded(recipe)
        if not np.array_equal(self._decoded(data), self.photo):
            raise MethodError("the file with its recipe is not the picture that was judged: nothing is written")
        write_bytes(self.subject.path, data)

    @cached_property
    def _judged(self) -> bytes:
        return self._encoded({})

    def _storing(self) -> int:
        """Return the largest change that storing the photograph in such a file makes of itself."""
        import numpy as np

        from cnnviz.io.write import encode_picture, picture_format

        if picture_format(self.subject.path) == "PNG":
            return 0
        plain = self._stored(
            encode_picture(self.subject.path, self.subject.original.image(self.subject.original.values), {})
        )
        return int(np.abs(plain.astype(np.int16) - self.subject.original.values).max())

    def _encoded(self, recipe: Mapping[str, Any]) -> bytes:
        from cnnviz.io.write import encode_picture

        return encode_picture(self.subject.path, self.subject.original.image(self.values.numpy()), recipe)

    def _stored(self, data: bytes) -> "NDArray[np.uint8]":
        from cnnviz.io import stored_image

        return stored_image.decode_stored(data, **self.subject.original.reading).values

    def _decoded(self, data: bytes) -> "Photo":
        from cnnviz.io.photo import decode_photo

        return decode_photo(data, **self.subject.original.reading)

    def judge(self, run: Session) -> Line:
        """Return what is to be told of the file, all of it from its bytes, read as those of any photograph are."""
        import numpy as np

        from cnnviz.adversarial.distances import distances
        from cnnviz.adversarial.transforms import input_transforms

        subject, aim, o = self.subject, self.aim, run.options
        after = self._stored(self._judged)
        before = np.broadcast_to(subject.original.values, after.shape)  # WebP stores grey as RGB
        logits = subject.logits(self.photo)
        ways = input_transforms(supported_transforms(subject.geometry.photo), subject.geometry)
        survival = {}
        with run.console.progress("judging the file", "looks") as tick:
            for number, view in enumerate(ways):
                tick(number, len(ways))
                survival[view.name] = meets_criterion(aim, subject.logits(view.change(self.photo), view.geometry))
        others = [(name, True) for name in o["transfer"]] + [(name, False) for name in o["judges"]]
        return {
            "fooled": meets_criterion(aim, logits),
            "target": aim.target,
            "goal": aim.goal,
            "margin": round(aim.margin + aim.sure - float(aim.margins(logits[None])[0]), 4),
            **distances(before, after),
            "storing_levels": self._storing(),
            "top": subject.network.top(logits, OTHERS),
            "survival": survival,
            "control": meets_criterion(
                aim, subject.logits(subject.original.photo(noise_control(before, after, subject.original.alpha)))
            ),
            "transfer": [self._row(run.load(name), attacked, o["fit"]) for name, attacked in others],
        }

    def _row(self, network: "Network", attacked: bool, fit: str) -> Line:
        """Return what another network makes of the file, and of the photograph as it was."""
        other = attacked_photo(self.subject.original, network, fit)
        before, after = other.logits(other.original.photo(other.original.values)), other.logits(self.photo)
        return {"network": network.name, "attacked": attacked, "fooled": meets_criterion(self.aim, after),
                "clean_top": network.top(before), "top": network.top(after)}  # fmt: skip

    def report(self, numbers: Line, missed: Sequence[str]) -> "Photo":
        """Return the photograph, the change made visible, and the result or what it ``missed``, side by side."""
        from cnnviz.adversarial.figures import perturbation

        original = self.subject.original
        return perturbation.figure(
            original.photo(original.values), self.photo, numbers, self.subject.network.name, missed
        )


def meets_criterion(aim: "Criterion", logits: "Tensor") -> bool:
    """Return whether logits (classes,) say what is aimed at."""
    first = int(logits.argmax())
    return first != aim.target if aim.goal is None else first == aim.goal


def noise_control(
    before: "NDArray[np.uint8]", after: "NDArray[np.uint8]", alpha: "NDArray[np.uint8] | None" = None
) -> "NDArray[np.uint8]":
    """Return values (H, W, C) changed by the same levels as ``after``, at random places with random signs: a control.

    What ``alpha`` (H, W) hides is not brought into sight.
    """
    import numpy as np

    generator = np.random.default_rng(0)
    change = np.abs(after.astype(np.int16) - before)
    seen = np.ones(change.shape[:2], np.bool_) if alpha is None else alpha > 0
    moved = change[seen]
    change[seen] = generator.permutation(moved.ravel()).reshape(moved.shape)
    change *= generator.integers(0, 2, change.shape, dtype=np.int16) * 2 - 1
    changed: NDArray[np.uint8] = np.clip(before + change, 0, 255).astype(np.uint8)
    return changed
