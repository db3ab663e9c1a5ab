"""Sound tracks of one file in another: copied if the container supports their codec, or else encoded again."""

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
RATE = 48000  # samples per second of encoded sound: Opus does not support 44100


class SoundTracks:
    """Copies the sound tracks of ``source`` into ``target``; the tracks are added to it on construction."""

    def __init__(self, source: InputContainer, target: OutputContainer, note: Note) -> None:
        self._target = target
        self._tracks = {track.index: _track(track, target, note) for track in source.streams.audio}
        self._packets = self._all(source)
        self._waiting: Packet[Stream] | None = None

    def mux(self, until: Fraction | None) -> None:
        """Write the sound before a time in seconds, interleaved with the frames; None for all that is left."""
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
    """Add a track to the target; return a function from a packet of the source to packets of the target."""
    try:
        copy = target.add_stream_from_template(track)
    except ValueError:  # the container does not support the codec
        encoder = ENCODERS[target.format.name]
        note(f"its sound ({track.codec_context.name}) is not supported in {target.format.name}: encoded as {encoder}")
        return _encoder(track, target, encoder)

    def copy_packet(packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
        if packet.dts is not None:  # the empty packet at the end has none
            packet.stream = copy
            yield packet

    return copy_packet


def _encoder(track: AudioStream, target: OutputContainer, encoder: str) -> "Make":
    stream = target.add_stream(encoder, rate=RATE)
    assert isinstance(stream, AudioStream)
    stream.layout = "stereo" if track.codec_context.channels > 1 else "mono"
    resampler: AudioResampler | None = None

    def encode_packet(packet: "Packet[Stream]") -> "Iterator[Packet[Stream]]":
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

    return encode_packet
