"""Commands over photos that make a clip of some inputs: of clips, or of a photo with an option such as --zoom."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnviz.app.clip_job import make_clip
from cnnviz.app.clip_plan import ClipPlan, ClipRecord
from cnnviz.app.jobs import ENDINGS, VIDEOS, Job, plan_jobs
from cnnviz.app.photo_command import F, Runner, attach, finished_fields
from cnnviz.app.runner import Outcome
from cnnviz.app.session import Input, Session

if TYPE_CHECKING:
    from cnnviz.io.color import Photo

    ReadPhoto = Callable[[Job], Input[Photo]]

ANIMATIONS = (".gif", ".png", ".apng", ".webp")  # a photo or a clip


@dataclass(frozen=True, kw_only=True)
class ClipRunner(Runner):
    """How a command over photos runs that makes a clip of some inputs.

    ``moving`` returns the inputs that become clips, for a command's options, and refuses options that do not fit them;
    ``plan`` how such a job is made, given what reads its photo; ``blank`` the image that the argument's ``word``, such
    as noise, stands for.
    """

    moving: Callable[[Any], list[str]]
    plan: "Callable[[Session, Job, ReadPhoto], ClipPlan]"
    word: str = ""
    blank: "Callable[[Any], Photo] | None" = None

    def jobs(self, options: Any) -> list[Job]:
        """Return a job for every input; clips are taken where they are named, folders give their photos."""
        moving = self.moving(options)
        still = [name for name in options.inputs if name not in moving]
        jobs = super().jobs(replace(options, inputs=tuple(still))) if still else []
        if moving:
            from cnnviz.video.clip import KINDS, LOSSLESS

            ending, kinds = (".mkv", LOSSLESS) if getattr(options, "lossless", False) else (".mp4", tuple(KINDS))
            clips = plan_jobs(moving, options.output, f"{Path(str(self.suffix)).stem}{ending}", kinds)
            jobs += [replace(job, clip=True) for job in clips]
        return jobs

    def read(self, session: Session, job: Job) -> Input[Any]:
        """Return a job's photo, or the image that the word stands for, which has no record."""
        if self.blank and job.source == self.word:
            return Input(self.blank(session.options), None, job)  # type: ignore[arg-type]
        return super().read(session, job)

    def process(self, session: Session, job: Job) -> Outcome:
        """Run one job."""
        if not job.clip:
            return super().process(session, job)
        from cnnviz.video.clip import read_start

        with session.console.status(f"reading {job.name}"):
            if Path(job.source).suffix.lower() in VIDEOS:
                read_start(job.source)  # a missing file is refused before torch is loaded
            plan = self.plan(session, job, partial(self.read, session))
            recipe = session.recipe(plan.source, moving=True)
        finished = finished_fields(session, job, recipe, self.record)
        return finished or make_clip(session, job, plan, recipe, self.progress[0])


def clip_command(options: type, record: type[ClipRecord], *, suffix: str, **settings: Any) -> Callable[[F], F]:
    """Make a function a command over photos, as ``photo_command`` does, and over clips: ``settings`` of ClipRunner."""
    return lambda function: attach(function, options, ClipRunner(function, record, suffix, **settings))


def is_clip_input(path: str, *, animations: bool = True) -> bool:
    """Return whether an input is a clip: by its ending, or by its content where that may be either.

    Without ``animations`` animated images, such as GIF, are photos.
    """
    ending = Path(path).suffix.lower()
    if ending in VIDEOS and not os.path.isdir(path):
        return True
    if not animations or not os.path.isfile(path) or ending in ENDINGS.difference(ANIMATIONS):
        return False
    from cnnviz.video.clip import is_clip

    return is_clip(path)
