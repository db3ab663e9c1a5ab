"""``cnnviz heat``: where in a photo or a clip the network finds a class."""

from cnnviz.app.clip_command import clip_command
from cnnviz.app.records import Result
from cnnviz.app.session import PhotoInput, Session
from cnnviz.control import Control
from cnnviz.dense.commands.heat_clip import moving_inputs, plan_clip
from cnnviz.dense.commands.heat_fields import Record
from cnnviz.dense.commands.heat_options import Options
from cnnviz.errors import InvalidRequest


@clip_command(Options, Record, suffix="-heat.png", progress=("computing", "sizes"),
              moving=moving_inputs, plan=plan_clip)  # fmt: skip
def heat(session: Session, photo: PhotoInput, options: Options, control: Control) -> Result[Record]:
    """Draw where in a photo or a clip the network finds a class.

    The classifier runs as a fully convolutional network over the whole photo: the map is the class's logit at each
    place. With global pooling its mean is the logit of the photo. INPUTS are photos, folders of photos, clips, or - for
    standard input. A clip keeps its frames, times and sound, and goes to STEM-heat.mp4, with the maps over it, smoothed
    along the motion.

    \b
    Examples:
      cnnviz heat cat.jpg
      cnnviz heat cat.jpg --scales 320,448,640,896 --raw cat.npz
      cnnviz heat photos/ --find "tiger cat" --level 12 -o found/
      cnnviz heat cat.jpg --curve
      cnnviz heat clip.mp4 --class "tiger cat" -o clip-cat.webm
    """
    if options.curve and len(options.targets) > 1:
        raise InvalidRequest("--curve draws one --class")
    targets = session.class_indices((options.find,) if options.find else options.targets)

    from cnnviz.dense.commands.heat_results import curve_result, map_result, places_result
    from cnnviz.dense.heat import heat

    network = session.network
    result = heat(network, photo.image, targets=targets, sizes=options.sizes,
                  stride=int(options.stride), fit_mode=options.fit, control=control)  # fmt: skip
    if options.curve:
        from cnnviz.dense.size_curve import size_curve

        curve = size_curve(network, photo.image, result.targets[0], control=control)
        return curve_result(session, result, curve, options.look)
    arrays = result.arrays() if options.raw else None
    if options.find:
        return places_result(session, photo, result, options.level, options.look, arrays)
    return map_result(session, photo, result, options.colormap, None if options.bare else options.look, arrays)
