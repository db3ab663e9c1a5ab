"""Each term against its closed form or a loop, and parts of a map against the whole."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from cnnviz.models.features import LOGITS
from cnnviz.synthesis import objectives
from cnnviz.synthesis.objectives import MapWindow, Objective


def maps(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slope(objective: Objective, out: torch.Tensor) -> torch.Tensor:
    x = out.clone().requires_grad_()
    return torch.autograd.grad(objective({"a": x}).sum(), x)[0]


def test_a_layers_gradient_is_what_it_gives():
    out = maps(2, 5, 3, 4)
    objective = Objective((replace(objectives.layer("a"), weight=2.0),))
    assert torch.allclose(objective({"a": out}), out.square().mean((1, 2, 3)))
    assert torch.allclose(slope(objective, out), 2 * out / out[0].numel())


def test_a_channel_is_the_mean_of_its_map():
    out = maps(2, 5, 3, 4)
    assert torch.allclose(Objective((objectives.channel("a", 3),))({"a": out}), out[:, 3].mean((1, 2)))


@pytest.mark.parametrize(("position", "at"), [(None, (1, 2)), ((0, 3), (0, 3))])
def test_a_neuron_is_one_unit(position, at):
    out = maps(2, 5, 3, 4)
    objective = Objective((objectives.neuron("a", 3, position),))
    assert torch.allclose(objective({"a": out}), out[:, 3, at[0], at[1]])


def test_a_direction_is_a_dot_product_and_its_cosine_keeps_to_it():
    out, vector = maps(1, 5, 1, 1), maps(5, seed=1)
    dot, cosine = out[0, :, 0, 0] @ vector, F.cosine_similarity(out[0, :, 0, 0], vector, dim=0)
    kept = Objective((objectives.direction("a", vector),))({"a": out})
    assert torch.allclose(kept, dot * cosine.clamp(min=0.1), rtol=1e-5)


def test_a_caricature_of_the_photo_itself_is_its_mean_square():
    out = maps(1, 5, 3, 4)
    value = Objective((objectives.caricature("a", out),))({"a": out})  # the cosine is 1
    assert torch.allclose(value, out.square().mean(), rtol=1e-5)


def test_a_guide_takes_the_best_cell_as_a_loop_does(monkeypatch):
    monkeypatch.setattr(objectives, "CHUNK", 7)  # several chunks
    out, first, second = maps(2, 5, 3, 4), maps(1, 5, 2, 2, seed=1), maps(1, 5, 1, 3, seed=2)
    cells = [*first[0].flatten(1).T, *second[0].flatten(1).T]
    wanted, gradient = torch.zeros(2, dtype=torch.float64), torch.zeros_like(out)
    for n in range(2):
        for y in range(3):
            for x in range(4):
                best = max(cells, key=lambda cell: float(cell @ out[n, :, y, x]))
                wanted[n] += best @ out[n, :, y, x] / 60
                gradient[n, :, y, x] = best / 60
    objective = Objective((objectives.guide("a", [first, second]),))
    assert torch.allclose(objective({"a": out}), wanted)
    assert torch.allclose(slope(objective, out), gradient)


def test_diversity_is_the_mean_cosine_of_gram_matrices():
    out = maps(3, 4, 2, 2)
    grams = [(row.flatten(1) @ row.flatten(1).T).flatten() for row in out]
    wanted = [-sum(F.cosine_similarity(a, b, dim=0) for b in grams if b is not a) / 2 for a in grams]
    assert torch.allclose(Objective((objectives.diversity("a"),))({"a": out}), torch.stack(wanted))
    alone = Objective((objectives.diversity("a"),))({"a": out[:1]})
    assert torch.allclose(alone, torch.zeros_like(alone))


def test_a_logit_and_a_sum_of_terms_with_weights():
    out, logits = maps(2, 5, 3, 4), maps(2, 7)
    terms = (objectives.logit(4), objectives.channel("a", 0), objectives.channel("a", 1))
    objective = Objective(tuple(replace(term, weight=own) for term, own in zip(terms, (0.5, -2.0, 1.0), strict=True)))
    assert objective.layers == (LOGITS, "a")
    wanted = 0.5 * logits[:, 4] - 2 * out[:, 0].mean((1, 2)) + out[:, 1].mean((1, 2))
    assert torch.allclose(objective({LOGITS: logits, "a": out}), wanted)


def test_parts_of_a_map_add_up_to_the_whole():
    out = maps(2, 5, 6, 7)
    terms = (
        objectives.layer("a"), objectives.channel("a", 1), objectives.neuron("a", 2), objectives.neuron("a", 2, (5, 0)),
        objectives.direction("a", maps(5, seed=1)), objectives.caricature("a", maps(1, 5, 6, 7, seed=2)),
        objectives.guide("a", [maps(1, 5, 3, 3, seed=3)]),
    )  # fmt: skip
    objective = Objective(terms)
    parts = [
        objective({"a": out[..., y : y + 4, x : x + 3]}, {"a": MapWindow(y, x, 6, 7)})
        for y in (0, 4)
        for x in (0, 3, 6)
    ]
    assert objective.cellwise
    assert torch.allclose(torch.stack(parts).sum(0), objective({"a": out}))


def test_what_has_no_cells_has_no_parts():
    objective = Objective((objectives.logit(1),))
    assert not objective.cellwise
    with pytest.raises(ValueError, match="cannot be tiled"):
        objective({LOGITS: maps(1, 3)}, {LOGITS: MapWindow(0, 0, 1, 1)})
