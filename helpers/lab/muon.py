"""Muon, an optimiser for matrices, in single precision.

Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon) replaces the averaged gradient of a
matrix by the nearest matrix whose singular values are all about one, so that every direction of the
update is equally long. The update is scaled to AdamW's usual root mean square, so that one learning
rate serves both (Liu et al., 2025, arXiv 2502.16982).

`torch.optim.Muon` computes the same in bfloat16, which a processor without such instructions
emulates: there, a step took 26 times as long, and on one with them 0.4 to 0.9 times
(`tests/benchmarks/test_training.py`). Here matrices of one shape are also worked on together, which
spares small models the overhead.
"""

import torch

# Of the quintic Newton-Schulz iteration, from Jordan et al.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(torch.optim.Optimizer):
    """Muon with Nesterov momentum and decoupled weight decay, for matrices of one group.

    Raises ValueError for a parameter that is not a matrix.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(2, 4))
        >>> optimizer = Muon([weight], lr=0.1)
        >>> weight.grad = torch.ones(2, 4)
        >>> optimizer.step()
        >>> weight.detach().abs().max() > 0
        tensor(True)
    """

    def __init__(self, matrices, lr=1e-3, momentum=0.95, weight_decay=0.01):
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        for matrix in self.param_groups[0]["params"]:
            if matrix.ndim != 2:
                raise ValueError(f"Muon is for matrices, not for a shape {tuple(matrix.shape)}.")

    @torch.no_grad()
    def step(self, closure=None):
        group, alike = self.param_groups[0], {}
        for matrix in group["params"]:
            if matrix.grad is not None:
                alike.setdefault(tuple(sorted(matrix.shape)), []).append(matrix)
        for (_, longer), matrices in alike.items():
            gradients = [matrix.grad for matrix in matrices]
            averages = [self._average(matrix) for matrix in matrices]
            torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
            ahead = torch._foreach_lerp(gradients, averages, group["momentum"])
            updates = orthogonalise(torch.stack([_widened(update) for update in ahead]))
            pairs = zip(updates, matrices, strict=True)
            updates = [w if m.shape[0] <= m.shape[1] else w.T for w, m in pairs]
            torch._foreach_mul_(matrices, 1 - group["lr"] * group["weight_decay"])
            torch._foreach_add_(matrices, updates, alpha=-group["lr"] * 0.2 * longer**0.5)

    def _average(self, matrix):
        state = self.state[matrix]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(matrix)
        return state["momentum_buffer"]


def _widened(matrix):
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T


def orthogonalise(matrices):
    """Singular values to about one (0.7 to 1.2), vectors kept; [n, rows, columns], rows <= columns.

    Example:
        >>> found = orthogonalise(torch.tensor([[[3.0, 0.0], [0.0, 1.0]]]))
        >>> bool(((found[0].diagonal() > 0.6) & (found[0].diagonal() < 1.3)).all())
        True
    """
    a, b, c = COEFFICIENTS
    matrices = matrices / matrices.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(STEPS):
        gram = matrices @ matrices.mT  # [n, rows, rows]
        weights = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        matrices = torch.baddbmm(matrices, weights, matrices, beta=a)
    return matrices
