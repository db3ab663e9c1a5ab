"""The sound of one file in another: copied as it is where the container takes it, else encoded anew."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from cnnviz.io.color import Note

if TYPE_CHECKING:
    Make = Callable[[Packet[Stream]], Iterator[Packet[Stream]]]

ENCODERS = {"mp4": "aac", "mov": "aac", "matroska": "aac", "webm": "libopus"}
RATE = 48000  # samples a second of what is encoded anew: Opus knows no 44100


class Sound:
    """The sound tracks of ``source`` on their way into ``target``; tracks are added to it at once."""

    def __init__(self, source: InputContainer, target: OutputContainer, note: Note) -> None:
        self._target = target
        self._tracks = {track.index: _track(track, target, note) for track in source.streams.audio}
        self._packets = self._all(source)
        self._waiting: Packet[Stream] | None = None

    def mux(self, until: Fraction | None) -> None:
        """Write what sounds before a time in seconds, to lie beside its pictures; None for all that is left."""
        while (packet := self._waiting or next(self._packets, None)) is not None:
            if until is not None and packet.dts is not None and packet.dts * packet.time_base > until:
                self._waiting = packet
                return
            self._waiting = None
            self._target.mux(packet)

    def _all(self, source: InputContainer) -> "Iterator[Packet[Stream]]":
        for packet in source.demux(*source.streams.audio) if self._tracks else ():
            yield from self._tracks[packet.stream.index](packet)


def _track(track: AudioStream, target: OutputContainer, note: Note) -> "Make":
    """Return what makes the target's packets of one of the source's."""
    try:
        copy = target.add_stream_from_template(track)
    except ValueError:  # the container takes no such sound
        encoder = ENCODERS[target.format.name]
        note(f"its sound ({track.codec_context.name}) does not go into {target.format.name}: encoded anew as {encoder}")
        return _encoder(track, target, encoder)

    def copied(packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        if packet.dts is not None:  # the empty packet at the end has none
            packet.stream = copy
            yield packet

    return copied


def _encoder(track: AudioStream, target: OutputContainer, encoder: str) -> "Make":
    stream = target.add_stream(encoder, rate=RATE)
    assert isinstance(stream, AudioStream)
    stream.layout = "stereo" if track.codec_context.channels > 1 else "mono"
    resampler: AudioResampler | None = None

    def encoded(packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        nonlocal resampler
        resampler = resampler or AudioResampler(
            stream.format, stream.layout, RATE, stream.codec_context.frame_size or None
        )
        last = packet.dts is None
        frames = [part for frame in track.decode(packet) for part in resampler.resample(frame)]
        for frame in frames + (resampler.resample(None) if last else []):
            yield from stream.encode(frame)
        if last:
            yield from stream.encode(None)

    return encoded
