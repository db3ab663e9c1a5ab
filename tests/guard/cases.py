"""The command lines of the byte guard, as a table.

A case runs in a folder of its own that holds the input files (``inputs.py``), its command lines one after the other.
A line is split like a shell's: ``NAME=value`` in front sets the environment for the line, ``THREADS=2`` sets torch's
threads, ``< FILE`` gives standard input and ``> FILE`` keeps standard output as a file of the case.
"""

import shlex
from dataclasses import dataclass, field

FAST = "--window 112 --stride 64"
DREAM = "--steps 2 --octaves 2 --layer blocks.2"
REGION = "--region '60,40 130,40 130,100 60,100' --target-class banana --steps 2"
SQUEEZE = "-m squeezenet1_1 --weights squeeze.pth"
STICKER = f"--region mask.png --target-class 5 --steps 1 --print-size 12 {SQUEEZE} --input-size 64 --resize 64"

# Case name -> its command lines. A case whose name begins with "status-" has only its exit statuses compared.
CASES = {
    "occlude-default": "occlude cat.png --stride 64",
    "occlude-jpeg-classes": f"occlude cat.jpg {FAST} --class lynx --class 7 --bare --colormap jet -o a.jpg --json",
    "occlude-webp-noise": f"occlude cat.png {FAST} --fill noise --seed 3 --fit pad --mean 0.4,0.5,0.6 -o a.webp -q",
    "occlude-grey-logit-plain": f"occlude cup.webp {FAST} --fill grey --score logit --border inside --engine plain",
    "occlude-raw-json": f"occlude cat.png {FAST} --raw a.npz -o a.png --json",
    "occlude-panels": "occlude cat.png --window 96 --stride 96 --panels --raw p.npz -o p.png --json",
    "occlude-stdin-stdout": f"occlude - {FAST} -o - < cat.jpg > map.png\nshow map.png",
    "occlude-folder": f"occlude photos {FAST} -o made/ --raw raw/ --json",
    "occlude-bad-photo": f"occlude bad {FAST} -o made/ --json",
    "occlude-threads": "THREADS=2 occlude cat.png --stride 48 --raw a.npz -o a.png --json",
    "occlude-orientation-alpha": f"occlude turned.jpg clear.png {FAST} --background red --fit squash -o made/ --json",
    "occlude-own-network": f"occlude cat.png {FAST} {SQUEEZE} --classes names.txt --class 'thing 5' -o a.png --json",
    "occlude-resume": f"occlude cat.png {FAST} --time-limit 0.000001 -o a.png --json\n"
    f"show --rerun a.png -o b.png\nocclude cat.png {FAST} -o a.png --resume --json\n"
    f"occlude cat.png {FAST} -o a.png --resume --json",
    "occlude-partial": f"occlude cat.png {FAST} --panels --raw r.npz --time-limit 0.000001 -o a.png --json",
    "occlude-rerun": f"occlude cat.png {FAST} --class lynx --raw a.npz -o a.png -q\nshow a.png\n"
    "show --rerun a.png -o b.png\nshow --rerun a.npz -o b.npz\nshow a.npz",
    "occlude-overwrite": f"occlude cat.png {FAST} -o cup.png\nocclude cat.png {FAST} -o cup.png --overwrite",
    "attribute-default": "attribute cat.png --json",
    "attribute-several": "attribute cat.jpg --method gradient,gradient-x-input,integrated-gradients,smoothgrad,"
    "grad-cam,guided-grad-cam --steps 3 --samples 3 --class lynx --class 7 --raw a.npz -o a.png --json",
    "attribute-rules": f"attribute cat.png --method guided,deconvnet,deeplift {SQUEEZE} -o a.png --json",
    "attribute-bare-webp": "attribute cat.png --method deeplift --bare -o a.webp\n"
    "attribute cat.png --method gradient --score probability --bare -o b.webp --json\n"
    "attribute cat.png --method deeplift --score probability",
    "attribute-folder": "attribute photos --layer blocks.4 --fit whole -o made/ --raw raw/ --json",
    "attribute-stdout": "attribute - --colormap viridis -o - < cat.png",
    "attribute-unknown-method": "attribute cat.png --method nothing",
    "deconv-photo": "deconv cat.jpg --layer blocks.2 --top 3 --raw a.npz -o a.png --json",
    "deconv-guided": "deconv cat.png --layer blocks.4 --channel 44 --channel 2 --method guided --field effective",
    "deconv-max-pools": f"deconv cat.png --layer features.7 --top 2 {SQUEEZE} -o a.png --json",
    "deconv-stdin-bare": "deconv - --layer blocks.2 --channel 5 --bare -o - < cat.png > a.png\n"
    "show --rerun a.png --input cat.png -o b.png",
    "deconv-folder": "deconv library --layer blocks.2 --top 3 --channels 3,7-8 -o two/ --json\n"
    "deconv library --layer blocks.2 --top 3 --channels 3,7-8 -o two/ --resume --json\nshow two/blocks.2-0003.png",
    "deconv-folder-bad": "deconv bad --layer blocks.1 --top 2 --channels 0 --method gradient --json",
    "deconv-no-layer": "deconv cat.png --layer blocks.99",
    "dream-default-layer": "dream cat.png --steps 1 --octaves 2 --json",
    "dream-layers-channel": "dream cat.png --steps 2 --octaves 1 --layer blocks.2=0.5 --channel blocks.3:5 "
    "--class banana=0.3 --jitter 4 --tv-weight 0.2 --seed 4 -o a.jpg --json",
    "dream-guide-mask": f"dream cat.png {DREAM} --guide cup.png --mask mask.png --original-colors --strength 0.7 "
    "-o a.png",
    "dream-caricature": f"dream cat.png {DREAM} --caricature --save-every 1 -o a.webp",
    "dream-noise": f"dream noise {DREAM} --size 96 --seed 2 -o n.png --json\nshow --rerun n.png -o m.png",
    "dream-stdin": f"dream - {DREAM} --size 80 -o - < cat.jpg",
    "dream-folder": f"dream photos {DREAM} --size 64 -o made/ --json",
    "dream-zoom": "dream small.png --steps 1 --octaves 1 --zoom 4 --layers blocks.1,blocks.2 -o z.mp4 --json\n"
    "dream small.png --steps 1 --octaves 1 --zoom 4 --layers blocks.1,blocks.2 -o z.mp4 --resume --json",
    "dream-zoom-gif": "dream noise --steps 1 --octaves 1 --zoom 3 --size 64 --rate 10 -o z.gif --json",
    "dream-zoom-apng-webp": "dream small.png --steps 1 --octaves 1 --zoom 3 --size 64 -o z.png\n"
    "dream small.png --steps 1 --octaves 1 --zoom 3 --size 64 -o z.webp",
    "dream-zoom-webm-stdout": "dream small.png --steps 1 --octaves 1 --zoom 2 --size 64 -o z.webm\n"
    "dream - --steps 1 --octaves 1 --zoom 2 --size 64 -o - < small.png",
    "dream-clip": f"dream clip.mp4 {DREAM} --json\nshow --rerun clip-dream.mp4 -o again.mp4\n"
    "show clip-dream.mp4",
    "dream-clip-gif": f"dream moving.gif small.png {DREAM} --size 48 -o made/ --json\n"
    f"dream moving.gif {DREAM} --frame 1 -o one.png",
    "dream-broken-clip": f"dream broken.mp4 {DREAM} --json",
    "inceptionism-one": "inceptionism --class banana --steps 2 --size 64 --judge efficientnet_lite1 --json\n"
    "show --rerun efficientnet_lite0-inceptionism.png -o again.png",
    "inceptionism-lecture": "inceptionism --class banana --method lecture --steps 2 --size 64 -o a.jpg --json",
    "inceptionism-sheet": "inceptionism --class 954 --class starfish --steps 2 --size 64 --prior fourier -o sheet.png",
    "inceptionism-folder": "inceptionism --class 954 --steps 1 --size 64 --save-every 1 -o f/ --json\n"
    "inceptionism --class 954 --class 1 --steps 1 --size 64 --resume -o f/ --json",
    "inceptionism-random": "inceptionism --random 2 --seed 5 --steps 1 --size 48 --prior pixels -o - > a.png",
    "visualize-channels": "visualize --layer blocks.3 --channel 2-4 --channel 9 --steps 2 --size 64 --json",
    "visualize-neuron": "visualize --layer blocks.3 --channel 2 --neuron 1,2 --diversity 2 --bare --steps 2 "
    "--size 64 -o n.png --json",
    "visualize-direction": "visualize --layer blocks.3 --direction 2=1 --direction 5=-0.5 --steps 2 --size 64 "
    "-o d.webp",
    "adversarial-default": "adversarial cup.png --report report.png --json\n"
    "show --rerun cup-adversarial.png -o again.png",
    "adversarial-target-l2": "adversarial cup.png --target-class consomme --norm l2 --steps 8 --judge "
    "efficientnet_lite1 -o a.png --json",
    "adversarial-l1-l0": "adversarial cup.png --norm l1 --steps 4 -o a.png --json\n"
    "adversarial cup.png --norm l0 --steps 4 -o b.png --json",
    "adversarial-jpeg-survive": "adversarial cat.jpg --survive jpeg75,resize --eps 4 --steps 6 --keep-failed -o a.jpg "
    "--json",
    "adversarial-webp-alpha": "adversarial clear.png --steps 6 --margin 1 -o a.webp --report r.webp --json",
    "adversarial-transfer": "adversarial cup.png --transfer efficientnet_lite1 --eps 4 --steps 4 --keep-failed --json",
    "adversarial-missed": "adversarial cup.png --target-class banana --eps 1 --steps 1 -o b.png --json\n"
    "adversarial cup.png --target-class banana --eps 1 --steps 1 -o b.png --keep-failed --json",
    "adversarial-libraries": "adversarial cup.png --method fgsm -o a.png --json\n"
    "adversarial cup.png --method pgd --eps 4 --steps 3 --target-class consomme --keep-failed -o b.png --json\n"
    "adversarial cup.png --method ddn --steps 4 -o c.png --keep-failed --json\n"
    "adversarial cup.png --method fmn --norm l1 --steps 4 -o d.png --keep-failed --json",
    "adversarial-folder-stdout": "adversarial photos --eps 4 --steps 3 --true-class lynx -o made/ --json\n"
    "adversarial - --steps 4 -o - < cup.png > a.png",
    "adversarial-universal": "adversarial library --method universal --steps 2 --eps 6 --keep-failed -o made/ --json",
    "adversarial-universal-missed": "adversarial library --method universal --steps 1 --eps 1 --input-size 96 "
    "--resize 100 -o made/",
    "sticker-region": f"sticker cat.png {REGION} --input-size 96 --resize 100 --least 0 --print-size 10 "
    "--renders r.png -o s.png --json",
    "sticker-mask-missed": f"sticker cat.png {STICKER} --least 1 --json",
    "sticker-rerun": f"sticker cat.png {STICKER} --least 1 --keep-failed -o k.png\nshow --rerun k.png -o again.png",
    "sticker-mistakes": f"sticker cat.png {STICKER} -o k.jpg\nsticker cat.png --target-class banana",
    "robustness-folder": "robustness photos --eps 2 -o curve.png --json\nshow curve.png",
    "robustness-table": "robustness cup.png cat.jpg --eps 1 --true-class lynx -o c.webp\n"
    "robustness bad --eps 1 -o - > c.png",
    "evaluate-default": "evaluate cat.png --steps 2 --randoms 1 --json",
    "evaluate-map": "evaluate cat.png --map hill.npy --label hill --box 40,20,90,80 --steps 3 --randoms 2 "
    "--delete-to mean --insert-into black\nevaluate cat.png --map hill.npy --steps 2 --randoms 1 -o - > e.png",
    "evaluate-raw-mask": f"occlude cat.png {FAST} --class 282 --raw cat.npz -q\n"
    "evaluate cat.png --map cat.npz --mask mask.png --class 282 --steps 2 --randoms 1 --tolerance 5 -o e.jpg --json",
    "evaluate-randomize": "evaluate cat.png --randomize --stages 1 --steps 2 --randoms 1 -o e.png --json",
    "activations-default": "activations cat.png --layer blocks.2 --json",
    "activations-overlay": "activations cat.jpg --layer blocks.4 --top 3 --overlay -o a.webp --raw a.npz --json",
    "activations-folder": "activations photos --layer conv_head --channel 7 --channel 9 --raw maps/ -o maps/ --json",
    "activations-stdout": "activations - --layer blocks.0 --top 2 -o - -q < cup.png",
    "kernels-first": "kernels efficientnet_lite0 --json\nshow --rerun efficientnet_lite0-kernels.png -o again.png",
    "kernels-layer": "kernels efficientnet_lite0 --layer blocks.0.0.conv_pw --channel 3 -o k.jpg --json\n"
    "kernels squeezenet1_1 --weights squeeze.pth --layer features.3.expand3x3 --channel 1 -o - > s.png",
    "classify-table": "classify cat.jpg cup.webp grey.png --top 3",
    "classify-json": "classify photos turned.jpg clear.png --json --fit pad\nclassify - --json < cat.png",
    "classify-bad-photo": "classify bad missing.jpg --json",
    "classify-dtype-size": "classify cat.png --dtype float64 --input-size 128 --resize 140 --interpolation bilinear",
    "classify-own": f"classify cat.png {SQUEEZE} --classes names.txt --json",
    "models": "models\nmodels resnet --json\nmodels nonesuch",
    "layers": "layers efficientnet_lite0\nlayers squeezenet1_1 --json\nlayers zfnet",
    "classes": "classes cat\nclasses --json\nclasses nonesuch",
    "show-mistakes": "show cat.png\nshow missing.png\nshow --rerun cat.png\nshow cat.png -o x.png",
    "completion": "completion bash\ncompletion zsh\ncompletion fish",
    "complete-words": "_CNNVIZ_COMPLETE=bash_complete COMP_WORDS='cnnviz occlude -m squ' COMP_CWORD=3\n"
    "_CNNVIZ_COMPLETE=bash_complete COMP_WORDS='cnnviz occlude --class tabb' COMP_CWORD=3",
    "version": "--version",
    "wrong-usage": "occlude\nocclude cat.png --nonesuch\nnonesuch\nocclude cat.png -o a.gif\n"
    "occlude cat.png --stride 0\nadversarial cat.png --survive nothing",
    "unknown-class": "occlude cat.png --class nonesuch\ninceptionism --class nonesuch",
    "unknown-model": "classify cat.png -m resnet5",
    "missing-weights": "classify cat.png -m alexnet --offline\nocclude cat.png -m resnet18 --offline --json\n"
    "classify cat.png --weights missing.pth",
    "wrong-weights": "classify cat.png -m squeezenet1_0 --weights squeeze.pth --json\n"
    "classify cat.png --weights cup.png",
    "status-doctor": "doctor\ndoctor --json",
    "status-no-words": "\n--help\nocclude --help",
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One command line: its words, environment, torch's threads, and the files of its standard streams."""

    words: list[str]
    env: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    stdin: str | None = None
    stdout: str | None = None


def parse(text: str) -> list[Line]:
    """Return the command lines of a case's text."""
    return [_line(shlex.split(line)) for line in text.split("\n")]


def _line(words: list[str]) -> Line:
    """Return one line from its words: environment in front, redirections behind."""
    env: dict[str, str] = {}
    while words and "=" in words[0] and not words[0].startswith("-"):
        key, value = words.pop(0).split("=", 1)
        env[key] = value
    streams: dict[str, str] = {}
    while len(words) > 1 and words[-2] in "<>":
        streams[words[-2]] = words[-1]
        words = words[:-2]
    threads = int(env.pop("THREADS", "1"))
    return Line(words, env, threads, streams.get("<"), streams.get(">"))
