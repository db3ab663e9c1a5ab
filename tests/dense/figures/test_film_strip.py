"""What the film strip of a clip shows."""

from cnnviz.dense.figures.film_strip import clock, draw_film_strip
from tests.support import results
from tests.support.figures import pictures, words


def test_frames_stand_in_order_of_time_with_their_place():
    found = results.thumbnails(3)
    figure = draw_film_strip(found, "efficientnet_lite0")
    text = words(figure)
    times = [word.split(" at ")[1] for word in text if " at 0:" in word]
    assert len(times) == len(found.frames) == len(pictures(figure))
    assert times == sorted(times)
    assert any(word.startswith("1 at ") for word in text)
    assert {clock(0), clock(found.duration)} <= set(text)


def test_times_are_minutes_and_seconds():
    assert [clock(seconds) for seconds in (0, 3.25, 59.96, 3725)] == ["0:00.0", "0:03.2", "1:00.0", "62:05.0"]
