"""``cnnviz dream``: deep dream over photos, noise and clips."""

from typing import TYPE_CHECKING

from cnnviz.app.clip_command import clip_command
from cnnviz.app.records import Result
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.synthesis.commands.ascent_options import snapshots, stopped_note
from cnnviz.synthesis.commands.dream_clip import dream_settings, moving_inputs, plan_clip
from cnnviz.synthesis.commands.dream_options import NOISE, Options, Record, objective_terms

if TYPE_CHECKING:
    from torch import Tensor

    from cnnviz.io.convert import Photo

NOISE_SIDE = 512  # pixels of an image from noise without --long-side


def noise_image(options: Options) -> "Photo":
    """Return the image that a dream from noise starts with."""
    import torch

    from cnnviz.io.convert import to_image
    from cnnviz.synthesis.ascent import smooth_noise

    side = options.long_side or NOISE_SIDE
    return to_image(smooth_noise((side, side), torch.Generator().manual_seed(options.seed)))


def read_mask(photo: "Photo", options: Options) -> "Tensor | None":
    """Return where the photo may change, (1, 1, H, W) in 0 to 1 at the size of the result; None without --mask.

    Raises MethodError if the mask does not have the photo's size.
    """
    if options.mask is None:
        return None
    from cnnviz.io.convert import resize_long_side, to_tensor
    from cnnviz.io.photo import read_mask

    mask = read_mask(options.mask, (photo.shape[0], photo.shape[1]), max_pixels=options.max_pixels)
    return to_tensor(resize_long_side(mask, options.long_side)[..., None]).float() / 255


def compute_size_note(shape: tuple[int, ...], options: Options) -> tuple[str, ...]:
    """Return the note for a person about an image (H, W, 3) whose change is computed at a smaller size; else none."""
    own = max(shape[:2])
    if options.compute_size == "full" or options.compute_size >= own:
        return ()
    return (f"computed at {options.compute_size} px; --compute-size full computes at the photo's own {own} px",)


@clip_command(Options, Record, suffix="-dream.png", progress=("dreaming", "pixels"), stoppable=True,
              moving=moving_inputs, plan=plan_clip, word=NOISE, blank=noise_image)  # fmt: skip
def dream(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Increase a layer's activation in a photo, noise or a clip: deep dream.

    INPUTS are photos, folders of photos, clips, - for standard input, or the word noise. The result has the photo's own
    size; a clip keeps its frames, times and sound, and goes to STEM-dream.mp4, or to a name that ends in .mp4, .mov,
    .mkv, .webm, .gif, .webp, .png or .apng. Ctrl-C stops early and keeps the result so far; --resume continues a clip.

    \b
    Examples:
      cnnviz dream cat.jpg
      cnnviz dream noise --layer blocks.5 --long-side 800 -o noise.png
      cnnviz dream cat.jpg --layer blocks.3=0.5 --layer blocks.4 --original-colors
      cnnviz dream cat.jpg --guide flowers.jpg --mask sky.png -o cat.png
      cnnviz dream clip.mp4 --octaves 3 -o dream.webm
      cnnviz dream cat.jpg --zoom 150 --layer-sequence blocks.3,blocks.4,blocks.5 -o zoom.mp4
    """
    from cnnviz.io.convert import resize_long_side, to_tensor
    from cnnviz.synthesis.dream import dream as dream_over

    mask = read_mask(photo.image, options)
    image = resize_long_side(photo.image, options.long_side)
    result = dream_over(
        session.network, to_tensor(image), objective=options.objective_with_guides(),
        settings=dream_settings(options, noise=photo.record is None), mask=mask, seed=options.seed, control=control,
        on_step=snapshots(session, photo.job.output, photo.record, options.save_every),
    )  # fmt: skip
    stopped = result.done < result.of
    record = Record(
        network=session.network.name, objective=objective_terms(result.objective, session.network),
        size=list(result.tensor.shape[-2:]), octaves=[list(size) for size in result.sizes],
        values=[round(value, 6) for value in result.values], steps_done=result.done if stopped else None,
    )  # fmt: skip
    notes = (*compute_size_note(image.shape, options), *stopped_note(result.done, result.of))
    return Result(record, result.image, partial=stopped, notes=notes)
