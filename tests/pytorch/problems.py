"""Losses that the tests of the optimizer share, and the closures that torch users write for them."""

import torch


def split(point, sizes=None, dtype=torch.float64):
    """Parameters that hold ``point`` in pieces: one tensor a coordinate unless ``sizes`` says otherwise."""
    pieces = torch.as_tensor(point, dtype=dtype).split(sizes or [1] * len(point))
    return [torch.nn.Parameter(piece.clone()) for piece in pieces]


def joined(params):
    return torch.cat([param.detach().reshape(-1) for param in params])


def closure_of(optimizer, loss_of):
    """The closure that every torch user writes."""

    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    return closure


def wavy(x):
    """A smooth loss with many minima, in any dimension: a bowl and sines across the coordinates."""
    i = torch.arange(1, len(x) + 1, dtype=x.dtype)
    return 0.1 * (x * x).sum() + torch.sin(1.3 * x + i).sum() + 0.5 * torch.sin(x.sum())


class Wavy:
    """``wavy`` on parameters split over several tensors."""

    def __init__(self, dim=5, sizes=(2, 1, 2), seed=0, dtype=torch.float64):
        start = torch.randn(dim, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        self.params = split(start, list(sizes), dtype)

    def __call__(self):
        return wavy(torch.cat(self.params))


def classifier(seed=0, batch_norm=False, dropout=0.0, dtype=torch.float32):
    """A small network and the loss of one batch."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    layers = [torch.nn.Linear(6, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3)]
    if batch_norm:
        layers.insert(1, torch.nn.BatchNorm1d(16))
    if dropout:
        layers.insert(2, torch.nn.Dropout(dropout))
    model = torch.nn.Sequential(*layers).to(dtype)
    inputs = torch.randn(24, 6, generator=generator).to(dtype)
    targets = torch.randint(3, (24,), generator=generator)
    return model, lambda: torch.nn.functional.cross_entropy(model(inputs), targets)
