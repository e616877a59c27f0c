"""Muon: against PyTorch's own, and against the singular value decomposition that it stands for."""

import pytest
import torch

from helpers.lab.muon import Muon, orthogonalise

SHAPES = [
    (16, 64),
    (64, 16),
    (32, 32),
    (64, 16),
]  # two that are worked on together, once transposed


def after_steps(optimizer, parameters, steps=4):
    torch.manual_seed(1)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def parameters():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape)) for shape in SHAPES]


def test_muon_is_pytorchs_muon_in_single_precision(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    theirs = parameters()
    options = {"momentum": 0.95, "weight_decay": 0.01, "adjust_lr_fn": "match_rms_adamw"}
    expected = after_steps(torch.optim.Muon(theirs, lr=0.01, **options), theirs)
    mine = parameters()
    for got, wanted in zip(after_steps(Muon(mine, lr=0.01), mine), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_singular_vectors_stay_and_values_come_near_one():
    torch.manual_seed(0)
    matrices = torch.randn(3, 8, 20, dtype=torch.double)
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    values = left.mT @ orthogonalise(matrices) @ right.mT
    off_diagonal = values - torch.diag_embed(values.diagonal(dim1=1, dim2=2))
    assert off_diagonal.abs().max() < 1e-9
    assert (
        0.6 < values.diagonal(dim1=1, dim2=2).min() <= values.diagonal(dim1=1, dim2=2).max() < 1.3
    )


def test_a_matrix_without_gradient_stays():
    used, unused = (torch.nn.Parameter(torch.ones(2, 4)) for _ in range(2))
    used.grad = torch.ones(2, 4)
    Muon([used, unused], lr=0.1).step()
    assert torch.equal(unused, torch.ones(2, 4))
    assert not torch.equal(used, torch.ones(2, 4))


def test_vectors_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        Muon([torch.nn.Parameter(torch.zeros(3))])
