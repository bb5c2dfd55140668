"""What the tests of closures share: a small network, the rules of RollingBall, and the closure that users write."""

import torch

RULES = {
    "contact_steps=0": {"contact_steps": 0},
    "contact_steps=1": {"contact_steps": 1},
    "contact_steps=3": {"contact_steps": 3},
    "footpoint": {"method": "footpoint"},
}
REPEATING = {name: rule for name, rule in RULES.items() if name != "contact_steps=0"}


def network(*inside, seed=0, dtype=torch.float32):
    """A network with ``inside`` between its layers, and a batch for it."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), *inside, torch.nn.Tanh(), torch.nn.Linear(8, 2)).to(dtype)
    return model, torch.randn(16, 4, dtype=dtype), torch.randn(16, 2, dtype=dtype)


def vector(model):
    """All parameters as one vector."""
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def plain(optimizer, model, inputs, targets):
    """The closure that every torch user writes."""

    def closure():
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    return closure
