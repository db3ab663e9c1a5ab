"""A photo with a region: the tensors of the optimisation show what the network is given."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz.adversarial.patch_scene import mask_placement, polygon_placement, read_region
from cnnviz.adversarial.poses import Poses
from cnnviz.errors import InvalidRequest, MethodError, PhotoError
from cnnviz.io.image_file import MAX_PIXELS
from cnnviz.models.preprocess import to_inputs
from tests.support.patches import color_scene


def test_what_is_painted_is_what_is_placed_on_the_photo():
    subject = color_scene()
    ramp = np.linspace(0, 255, 60).astype(np.uint8)
    image = np.stack(np.broadcast_arrays(ramp[None], ramp[:50, None], np.uint8(128)), -1)
    scene = subject.scene()
    painted = scene.with_texture(to_inputs([image]))
    placed = subject.card(subject.placement.composite(subject.photo, image))
    inside, outside = scene.mask.expand_as(placed) == 1, scene.mask.expand_as(placed) == 0
    assert (painted - placed)[inside].abs().mean() < 0.02
    assert torch.equal(painted[outside], placed[outside])


def test_an_unmoved_camera_sees_the_networks_input():
    subject = color_scene()
    still = Poses(turn=0, tilt=0, scale=(1, 1), shift=0, contrast=0, brightness=0, noise=0)
    pose = still.draw(1, subject.geometry.size, torch.Generator().manual_seed(0))
    view = pose.render(subject.card(subject.photo), subject.frame())
    assert torch.allclose(view, to_inputs([subject.geometry.see(subject.photo)]), atol=1e-3)


def test_where_there_is_nothing_to_attack_is_refused():
    subject = color_scene()
    with pytest.raises(MethodError, match="classified as red already"):
        replace(subject, goal=0).clean_logits()
    with pytest.raises(InvalidRequest, match="no class 3"):
        replace(subject, goal=3).clean_logits()
    beyond = read_region("0,0 8,0 8,8 0,8", (100, 140), MAX_PIXELS)
    with pytest.raises(MethodError, match="lies outside the network's crop"):
        replace(subject, placement=beyond).clean_logits()


def test_a_region_is_a_polygon_or_a_mask_of_the_photos_size(tmp_path):
    corners = read_region("10,20 50,20 50,40 10,40", (64, 80), MAX_PIXELS)
    assert corners.box == (10, 20, 50, 40)
    mask = np.zeros((64, 80), np.uint8)
    mask[20:40, 10:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert np.array_equal(read_region(tmp_path / "mask.png", (64, 80), MAX_PIXELS).mask, corners.mask)
    with pytest.raises(MethodError, match="a mask of 80x64 pixels does not fit the photo of 80x65"):
        read_region(tmp_path / "mask.png", (65, 80), MAX_PIXELS)
    with pytest.raises(MethodError, match="nothing"):
        read_region(tmp_path / "nothing.png", (64, 80), MAX_PIXELS)


UPRIGHT = [(10, 20), (50, 20), (50, 40), (10, 40)]
SLANTED = [(20, 10), (60, 20), (55, 50), (15, 60)]


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)


def test_an_upright_rectangle_takes_a_picture_of_its_size_as_it_is(photo):
    picture = np.random.default_rng(1).integers(0, 256, (20, 40, 3), np.uint8)
    place = polygon_placement(UPRIGHT, photo.shape[:2])
    wanted = photo.copy().astype(int)
    wanted[20:40, 10:50] = picture
    assert (place.size, place.box) == ((20, 40), (10, 20, 50, 40))
    missed = np.abs(place.composite(photo, picture) - wanted)
    assert missed.max() <= 1  # a level of Pillow's bicubic sums
    assert missed.sum() == missed[20:40, 10:50].sum()


def test_four_corners_lead_to_those_of_the_picture():
    place = polygon_placement(SLANTED, (64, 80))
    led = np.array([[x, y, 1] for x, y in SLANTED]) @ place.onto.T
    assert np.allclose(led[:, :2] / led[:, 2:], [(0, 0), (1, 0), (1, 1), (0, 1)])
    assert place.size == pytest.approx(((np.hypot(5, 50) + np.hypot(5, 30)) / 2, (np.hypot(40, 10) * 2) / 2), rel=0.01)


def test_the_quarters_of_a_picture_lie_where_perspective_puts_them(photo):
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)
    picture = colours.repeat(100, 0).repeat(100, 1)
    place = polygon_placement(SLANTED, photo.shape[:2])
    laid = place.composite(photo, picture)
    back = np.linalg.inv(place.onto)
    for row in (0, 1):
        for column in (0, 1):
            x, y, z = back @ [(column + 0.5) / 2, (row + 0.5) / 2, 1]
            assert np.array_equal(laid[int(y / z), int(x / z)], colours[row, column])
    assert np.array_equal(laid[place.mask == 0], photo[place.mask == 0])
    assert not (laid[place.mask > 0] == photo[place.mask > 0]).all()


@pytest.mark.parametrize(
    "corners", [SLANTED, [(6, 4), (70, 20), (60, 44), (10, 60)], [(30, 4), (50, 4), (76, 60), (4, 60)]]
)
def test_every_pixel_shows_the_point_of_the_picture_that_lies_there(photo, corners):
    u, v = np.meshgrid((np.arange(400) + 0.5) / 400, (np.arange(400) + 0.5) / 400)
    picture = (np.stack((u, v, 0 * u), -1) * 255).round().astype(np.uint8)
    place = polygon_placement(corners, photo.shape[:2])
    y, x = np.nonzero(place.mask)
    led = np.stack((x + 0.5, y + 0.5, np.ones(len(x)))).T @ place.onto.T
    wanted = led[:, :2] / led[:, 2:]
    inner = ((wanted > 0.05) & (wanted < 0.95)).all(1)  # beyond its sides the picture repeats its edge
    missed = place.composite(photo, picture)[y, x, :2] / 255 - wanted
    assert inner.sum() > 500
    assert np.abs(missed[inner] * place.size[::-1]).max() < 0.5  # pixels of the photo


def test_other_polygons_cut_the_picture_out():
    place = polygon_placement([(0, 0), (40, 0), (0, 40)], (60, 60))
    assert place.outline((400, 400)).mean() == pytest.approx(0.5, abs=0.03)
    assert place.outline((400, 400))[10, 10]
    assert not place.outline((400, 400))[-10, -10]
    assert polygon_placement(UPRIGHT, (64, 80)).outline((30, 50)).all()


def test_a_mask_of_several_parts_takes_one_picture_across_them(photo):
    mask = np.zeros((64, 80), np.uint8)
    mask[10:30, 10:20] = mask[10:30, 40:50] = 200
    place = mask_placement(mask)
    ramp = np.linspace(0, 255, 40)[None, :, None].repeat(20, 0).repeat(3, 2).astype(np.uint8)
    laid = place.composite(photo, ramp)
    assert (place.box, place.size) == ((10, 10, 50, 30), (20, 40))
    assert np.array_equal(laid[10:30, 10:20], ramp[:, :10])
    assert np.array_equal(laid[10:30, 40:50], ramp[:, 30:])
    assert np.array_equal(laid[mask == 0], photo[mask == 0])


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ([(0, 0), (81, 0), (10, 10)], "corner 81,0 lies outside the photo of 80x64 pixels"),
        ([(5, 5), (50, 5), (20, 5)], "covers nothing"),
    ],
)
def test_a_polygon_that_cannot_be_is_refused(corners, message):
    with pytest.raises(PhotoError, match=message):
        polygon_placement(corners, (64, 80))


def test_a_black_mask_is_refused():
    with pytest.raises(PhotoError, match="covers nothing"):
        mask_placement(np.zeros((8, 8), np.uint8))
