"""Patches: matches against brute force, the energy against the sum over patches, rotated and resized styles."""

import pytest
import torch
from torch.nn import functional as F

from cnnviz.synthesis.style_patches import (
    PatchSettings,
    StylePatches,
    cells_inside,
    match_maps,
    nearest,
    patches,
    rotated,
    unit,
    variants,
)


def maps(*size: int, seed: int = 0) -> torch.Tensor:
    """Features (1, 4, h, w), not centred."""
    return torch.rand(1, 4, *size, generator=torch.Generator().manual_seed(seed)) + 0.2


def matched(queries: torch.Tensor, style: StylePatches) -> torch.Tensor:
    return style.rows(style.match(patches(queries, style.size)))


@pytest.mark.parametrize("stride", [1, 2])
def test_patches_are_cut_row_by_row(stride):
    values = maps(7, 9)
    cut = [values[0, :, y : y + 3, x : x + 3].flatten() for y in range(0, 5, stride) for x in range(0, 7, stride)]
    assert torch.equal(patches(values, 3, stride), torch.stack(cut))


@pytest.mark.parametrize("chunk", [1, 7, 64, 10_000])
def test_chunked_matches_are_those_of_brute_force(chunk):
    queries, style = patches(maps(12, 15, seed=1), 3), patches(maps(11, 14, seed=2), 3)
    wanted = [
        max(range(len(style)), key=lambda index, query=query: float(F.cosine_similarity(query, style[index], dim=0)))
        for query in queries.double()
    ]
    assert nearest(queries, unit(style), chunk).tolist() == wanted


def test_of_equal_patches_the_first_is_taken_and_zeros_match():
    style = unit(torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]))
    assert nearest(torch.tensor([[3.0, 3.0], [0.0, 0.0]]), style, 1).tolist() == [1, 0]


@pytest.mark.parametrize("factor", [1.0, 3.0])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_map_matches_itself_whatever_its_scale(factor, size):
    own = maps(9, 8)
    found = StylePatches([own], size).match(patches(factor * own, size))
    assert found.tolist() == list(range(len(found)))


def test_the_energy_is_the_sum_over_patches_and_its_minimum_the_mean():
    queries, style = maps(9, 10, seed=1), StylePatches([maps(8, 8, seed=2)])
    found = match_maps(queries, [style])
    other = maps(9, 10, seed=3).requires_grad_()
    wanted = (patches(other, 3) - matched(queries, style)).square().sum()
    energy = found.energy(other)
    assert torch.isclose(energy, wanted, rtol=1e-5)
    gradients = [torch.autograd.grad(value, other)[0] for value in (energy, wanted)]
    assert torch.allclose(*gradients, atol=1e-4)
    assert found.energy(found.mean) <= wanted


def test_in_its_own_style_the_energy_is_nought():
    own = maps(9, 10)
    found = match_maps(own, [StylePatches([own])])
    assert torch.allclose(found.mean, own, atol=1e-6)
    assert found.energy(own) < 1e-9


def test_each_patch_takes_the_style_that_owns_it():
    queries, styles = maps(6, 6), [StylePatches([maps(7, 7, seed=seed)]) for seed in (1, 2)]
    owner = torch.arange(16) % 2
    found = match_maps(queries, styles, owner)
    rows = torch.stack([matched(queries, styles[number])[index] for index, number in enumerate(owner.tolist())])
    assert torch.isclose(found.energy(queries), (patches(queries, 3) - rows).square().sum(), rtol=1e-5)


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (-90, 3), (360, 0)])
def test_quarter_turns_are_exact(degrees, turns):
    image = torch.rand(1, 3, 12, 20)
    turned, mask = rotated(image, degrees)
    assert torch.allclose(turned, image.rot90(turns, (2, 3)), atol=1e-5)
    assert mask.min() == 1


def test_no_patch_of_a_rotated_style_reaches_beyond_it():
    image = torch.ones(1, 3, 40, 60)
    turned, mask = rotated(image, 30)
    assert turned.shape[-2:] == (65, 72)
    assert mask.mean() == pytest.approx(40 * 60 / (65 * 72), abs=0.05)
    cells = F.avg_pool2d(mask[..., :64, :], 4)  # 1 only where all pixels are inside
    inside = cells_inside(mask[..., :64, :], cells)
    kept = StylePatches([cells], 3, 1, [inside]).rows()
    assert 0 < len(kept) < len(patches(cells, 3))
    assert kept.min() == pytest.approx(1, abs=1e-6)


def test_variants_are_all_scales_in_all_rotations():
    style = torch.rand(1, 3, 30, 40)
    found = list(variants(style, PatchSettings(rotations=(90,), scales=(0.5,))))
    assert [tuple(image.shape[-2:]) for image, _ in found] == [(30, 40), (40, 30), (15, 20), (20, 15)]
    assert torch.equal(found[0][0], style)
    assert found[0][1] is None


def test_a_map_that_is_smaller_than_a_patch_has_none():
    assert StylePatches([maps(2, 9), maps(3, 9)]).rows().shape == (7, 36)
    assert len(StylePatches([maps(2, 2)])) == 0
