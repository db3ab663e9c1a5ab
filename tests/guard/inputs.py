"""The input files of the byte guard's cases: ``python inputs.py SAMPLE_IMAGES FOLDER`` makes them, always the same."""

import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image, ImageDraw


def photos(samples: Path, folder: Path) -> None:
    """Write small photographs of several kinds."""
    cat, cup, astronaut = (
        Image.open(samples / f"{name}.jpg").convert("RGB") for name in ("chelsea", "coffee", "astronaut")
    )
    cat, cup = cat.resize((200, 133), Image.Resampling.BICUBIC), cup.resize((180, 120), Image.Resampling.BICUBIC)
    astronaut = astronaut.resize((160, 160), Image.Resampling.BICUBIC)
    for name in ("photos/sub", "bad", "library"):
        (folder / name).mkdir(parents=True)
    for name, image in {"cat.png": cat, "cat.jpg": cat, "cup.png": cup, "photos/cup.jpg": cup, "photos/cat.png": cat,
                        "photos/sub/astronaut.png": astronaut, "bad/cat.png": cat, "grey.png": cup.convert("L"),
                        "small.png": cat.resize((112, 80))}.items():  # fmt: skip
        image.save(folder / name)
    cup.save(folder / "cup.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    astronaut.crop((0, 0, 160, 120)).save(folder / "turned.jpg", exif=exif, quality=92)
    clear = cup.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(cup.size))
    clear.save(folder / "clear.png")
    (folder / "bad" / "broken.jpg").write_bytes((folder / "cat.jpg").read_bytes()[:2000])
    for number in range(4):
        for name, image in (("cat", cat), ("cup", cup)):
            image.crop((9 * number, 3 * number, 9 * number + 110, 3 * number + 100)).save(
                folder / "library" / f"{name}{number}.png"
            )
    mask = Image.new("L", cat.size, 0)
    ImageDraw.Draw(mask).ellipse((50, 30, 130, 110), fill=255)
    mask.save(folder / "mask.png")


def arrays(folder: Path) -> None:
    """Write a map, class names and weights of a network that has learned nothing."""
    from torchvision.models import squeezenet1_1

    y, x = np.mgrid[:133, :200]
    np.save(folder / "hill.npy", np.exp(-(((y - 60) / 30.0) ** 2) - ((x - 90) / 40.0) ** 2))
    (folder / "names.txt").write_text("\n".join(f"thing {n}" for n in range(1000)))
    torch.manual_seed(0)
    torch.save(squeezenet1_1(weights=None).state_dict(), folder / "squeeze.pth")


def clips(folder: Path) -> None:
    """Write a clip with sound, one without, and one that is broken."""
    with Image.open(folder / "cat.png") as cat:
        frames = [np.asarray(cat.crop((4 * n, 2 * n, 4 * n + 64, 2 * n + 48))) for n in range(4)]
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(folder / "moving.gif", save_all=True, append_images=pictures[1:3], duration=80, loop=0)
    (folder / "broken.mp4").write_bytes(b"no clip" * 40)
    with av.open(str(folder / "clip.mp4"), "w", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=24, options={"crf": "30", "x264-params": "mbtree=0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="stereo")
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
        tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 48000).astype(np.float32)
        for at in range(0, 8000, 1000):
            part = av.AudioFrame.from_ndarray(np.tile(tone[at : at + 1000], (2, 1)) / 4, format="fltp", layout="stereo")
            part.sample_rate, part.pts, part.time_base = 48000, at, Fraction(1, 48000)
            container.mux(sound.encode(part))
        container.mux(sound.encode())


if __name__ == "__main__":
    target = Path(sys.argv[2])
    photos(Path(sys.argv[1]), target)
    arrays(target)
    clips(target)
