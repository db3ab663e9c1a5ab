"""A photo with a region: the tensors of the optimisation show what the network is given."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from cnnviz.adversarial.patch_scene import read_region
from cnnviz.adversarial.poses import Poses
from cnnviz.errors import InvalidRequest, MethodError
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
    beyond = read_region("0,0 8,0 8,8 0,8", (100, 140))
    with pytest.raises(MethodError, match="lies outside the network's crop"):
        replace(subject, placement=beyond).clean_logits()


def test_a_region_is_a_polygon_or_a_mask_of_the_photos_size(tmp_path):
    corners = read_region("10,20 50,20 50,40 10,40", (64, 80))
    assert corners.box == (10, 20, 50, 40)
    mask = np.zeros((64, 80), np.uint8)
    mask[20:40, 10:50] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert np.array_equal(read_region(tmp_path / "mask.png", (64, 80)).mask, corners.mask)
    with pytest.raises(MethodError, match="a mask of 80x64 pixels does not fit the photo of 80x65"):
        read_region(tmp_path / "mask.png", (65, 80))
    with pytest.raises(MethodError, match="nothing"):
        read_region(tmp_path / "nothing.png", (64, 80))
