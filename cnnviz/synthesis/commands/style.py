"""``cnnviz style``: photos and clips in the style of other images."""

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from cnnviz.app.clip_command import clip_command
from cnnviz.app.records import Result
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.io.write import FORMATS
from cnnviz.synthesis.commands.ascent_options import snapshots, stopped_note
from cnnviz.synthesis.commands.style_clip import moving_inputs, plan_clip
from cnnviz.synthesis.commands.style_options import Options, Record, layer_weights

if TYPE_CHECKING:
    from cnnviz.app.records import Picture
    from cnnviz.synthesis.style_transfer import StyleResult


@clip_command(Options, Record, suffix="-style.png", progress=("transferring", "pixels"), stoppable=True,
              moving=moving_inputs, plan=plan_clip, formats=tuple(FORMATS))  # fmt: skip
def style(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Draw a photo or a clip in the style of another image: style transfer.

    The image is optimised, from coarse to fine, so that the network's features have the photo's content and the
    style's statistics (Gatys et al. 2016), or patches of the style (--method mrf; Li & Wand 2016). Several styles are
    mixed, or each applies where its mask is white. The frames of a clip follow one another without flicker; it keeps
    its times and sound and goes to STEM-style.mp4. Ctrl-C stops early and keeps the result so far; --resume continues
    a clip.

    \b
    Examples:
      cnnviz style cat.jpg --style painting.jpg
      cnnviz style cat.jpg --style painting.jpg --long-side 1000 --style-scale 0.5 -o cat.png
      cnnviz style cat.jpg --style a.jpg --style-weight 2 --style b.jpg --style-weight 1
      cnnviz style cat.jpg --style a.jpg --style-mask sky.png --original-colors luminance
      cnnviz style cat.jpg --style dog.jpg --method mrf --long-side 384 --both-ways
      cnnviz style clip.mp4 --style painting.jpg --long-side 480 -o clip.webm
    """
    from cnnviz.synthesis.style_transfer import style_transfer

    styles = options.read_styles()
    result = style_transfer(
        session.network, photo.image, styles, style_weights=options.style_weight,
        style_masks=options.read_masks((photo.image.shape[0], photo.image.shape[1])), settings=options.settings,
        seed=options.seed, control=_part(control, 0) if options.both_ways else control,
        on_step=snapshots(session, photo.job.output, photo.record, options.save_every),
    )  # fmt: skip
    results, image = [result], cast("Picture", result.image)
    if options.both_ways:
        from cnnviz.synthesis.figures.both_ways import draw_both_ways

        results.append(style_transfer(session.network, styles[0], [photo.image], settings=options.settings,
                                      seed=options.seed, control=_part(control, 1)))  # fmt: skip
        image = draw_both_ways([photo.image, *styles], results, session.network.name, options.method, options.look)
    done, of = sum(each.done for each in results), sum(each.of for each in results)
    record = Record(
        network=session.network.name, size=list(result.tensor.shape[-2:]),
        style_layers=layer_weights(result.layers.style), content_layers=layer_weights(result.layers.content),
        sizes=[list(at.size) for at in result.sizes], losses=_losses(result),
        reverse_losses=_losses(results[1]) if options.both_ways else None, steps_done=done if done < of else None,
    )  # fmt: skip
    return Result(record, image, partial=done < of, notes=stopped_note(done, of))


def _part(control: Control, number: int) -> Control:
    """Return the control of the first (0) or second (1) of two computations of about the same length."""
    return replace(control, report=lambda done, of, text="": control.report(number * of + done, 2 * of, text))


def _losses(result: "StyleResult") -> list[list[float]]:
    return [[float(f"{value:.4g}") for value in at.losses] for at in result.sizes]
