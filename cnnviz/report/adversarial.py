"""Figures of attacks on photos, of stickers, and of robustness."""

from matplotlib.figure import Figure

from cnnviz.adversarial.figures.patch import draw_preview
from cnnviz.adversarial.figures.perturbation import ReportFacts, draw_perturbation
from cnnviz.adversarial.figures.robustness import draw_curve
from cnnviz.adversarial.file_attack import PhotoAttack
from cnnviz.adversarial.patch import PatchResult
from cnnviz.adversarial.robustness import RobustnessCurve
from cnnviz.report.figure import Request, draws


@draws(PhotoAttack)
def attack_figure(result: PhotoAttack, request: Request) -> Figure:
    """Return the figure of an attacked photo: photo, change, result."""
    photo, criterion, found = result.written.photo, result.written.criterion, result.verification
    goal = "" if criterion.goal is None else photo.network.class_name(criterion.goal)
    facts = ReportFacts(photo.network.name, photo.network.top(result.clean_logits), found, list(result.warnings),
                        goal=goal)  # fmt: skip
    missed = found.unmet(criterion.margin, result.robust_to)
    return draw_perturbation(photo.clean_photo, result.image, facts, missed, request.look)


@draws(PatchResult)
def patch_figure(result: PatchResult, request: Request) -> Figure:
    """Return the figure of a sticker: what the network sees of it and of its controls."""
    return draw_preview(result, request.look)


@draws(RobustnessCurve)
def robustness_figure(result: RobustnessCurve, request: Request) -> Figure:
    """Return the figure of a robustness curve."""
    return draw_curve(result, request.look)
