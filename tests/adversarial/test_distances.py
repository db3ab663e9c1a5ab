"""Distances of stored values: closed forms, and SSIM against a loop that spells its windows out."""

import numpy as np
import pytest

from cnnviz.adversarial.distances import distances, ssim

DRAW = np.random.default_rng(0)
PHOTO = DRAW.integers(20, 230, (24, 31, 3)).astype(np.uint8)


def test_a_change_is_counted_in_levels():
    after = PHOTO.copy()
    after[0, 0] += 3
    after[5, 7, 1] -= 4
    found = distances(PHOTO, after)
    assert (found.levels, found.l0, found.l1) == (4, 4, 13)
    assert found.l2 == pytest.approx(np.sqrt(3 * 9 + 16), abs=1e-4)
    assert found.changed == pytest.approx(4 / PHOTO.size, abs=1e-6)
    assert found.psnr == pytest.approx(10 * np.log10(255**2 * PHOTO.size / 43), abs=0.01)
    assert 0.99 < found.ssim < 1


def test_nothing_changed():
    found = distances(PHOTO, PHOTO)
    assert (found.levels, found.l0, found.l2, found.psnr, found.ssim) == (0, 0, 0.0, None, 1.0)


def test_ssim_is_the_papers_windows_one_by_one():
    after = np.clip(PHOTO + DRAW.normal(0, 12, PHOTO.shape), 0, 255).astype(np.uint8)
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(line, line) / line.sum() ** 2
    found = []
    for channel in range(3):
        x, y = (np.pad(part[..., channel].astype(float), 5, "symmetric") for part in (PHOTO, after))
        for row in range(PHOTO.shape[0]):
            for column in range(PHOTO.shape[1]):
                a, b = (part[row : row + 11, column : column + 11] for part in (x, y))
                ma, mb = (window * a).sum(), (window * b).sum()
                va, vb, both = (window * (p - m) * (q - n) for p, m, q, n in
                                ((a, ma, a, ma), (b, mb, b, mb), (a, ma, b, mb)))  # fmt: skip
                one, two = (0.01 * 255) ** 2, (0.03 * 255) ** 2
                top = (2 * ma * mb + one) * (2 * both.sum() + two)
                found.append(top / ((ma**2 + mb**2 + one) * (va.sum() + vb.sum() + two)))
    assert ssim(PHOTO, after) == pytest.approx(np.mean(found), abs=1e-4)
