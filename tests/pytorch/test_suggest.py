"""suggest: measured on quadratic losses, where all of it is known."""

import numpy as np
import pytest
import torch

import rollingball as rb
from rollingball.pytorch import suggest
from tests.pytorch.problems import classifier

CURVATURES = np.array([9.0, 4.0, 1.0, 0.5])


class Bowl(torch.nn.Module):
    """A model that returns its parameters: the loss is a function of them."""

    def __init__(self, start):
        super().__init__()
        self.x = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))

    def forward(self, inputs):
        return self.x


def bowl(x, shift):
    """Half of sum c_i (x_i - shift_i)^2, whose gradient is c (x - shift)."""
    return 0.5 * (torch.tensor(CURVATURES) * (x - shift[0]) ** 2).sum()


def batches(*shifts):
    return [(torch.zeros(1), torch.tensor([shift], dtype=torch.float64)) for shift in shifts]


START = [0.5, -1.0, 2.0, 1.0]


def test_slope_noise_and_curvature_of_a_quadratic_are_exact():
    shifts = [[0.1, 0, 0, 0], [-0.1, 0, 0, 0.2], [0, 0.3, 0, 0]]
    found = suggest(Bowl(START), bowl, batches(*shifts), directions=3)
    gradients = CURVATURES * (np.array(START) - np.array(shifts))
    mean = gradients.mean(axis=0)
    assert found.slope == pytest.approx(np.linalg.norm(mean), rel=1e-12)
    assert found.batch_slope == pytest.approx(np.sqrt((gradients**2).sum(axis=1).mean()), rel=1e-12)
    # unbiased: the sum of the sample variances
    assert found.noise == pytest.approx(np.sqrt(gradients.var(axis=0, ddof=1).sum()), rel=1e-9)
    np.testing.assert_allclose(found.curvatures, CURVATURES[:3], rtol=1e-6)
    assert found.lr == pytest.approx(1 / 9, rel=1e-6)
    assert found.loss_scale == pytest.approx(1 / found.batch_slope)
    assert found.radius * found.loss_scale * 9 == pytest.approx(1, rel=1e-6)


def test_what_a_ball_feels_along_a_direction_is_the_ironed_loss():
    """Through the minimum along the sharpest axis: f = 4.5 t^2, whose dilation rb.ironed knows."""
    found = suggest(Bowl([0.0, -1.0, 2.0, 1.0]), bowl, batches([0.0, 0, 0, 0]), directions=1)
    axis = rb.surfaces.quadratic([[9.0]], loss_scale=found.loss_scale)
    assert np.isnan(found.noise)
    for radius, felt, relief in zip(found.radii, found.ironed[:, 0], found.relief[:, 0], strict=True):
        smooth = rb.ironed(axis, float(radius))
        exact = smooth.value([0.0]) - radius / found.loss_scale
        scale = max(float(exact), 1e-3 * found.relief_of_loss[0])
        assert felt == pytest.approx(exact, abs=0.15 * scale)  # of samples: from below
        assert felt <= exact + 1e-9
        span = smooth.value([2 * found.radius]) - smooth.value([0.0])
        assert relief == pytest.approx(span, rel=0.1)
    assert found.relief_of_loss[0] == pytest.approx(4.5 * (2 * found.radius) ** 2, rel=1e-9)
    assert (np.diff(found.ironed[:, 0]) >= 0).all()


def test_a_network_is_left_as_it_was_and_the_table_says_why():
    model, _loss = classifier(dtype=torch.float64, batch_norm=True)
    model.train()
    generator = torch.Generator().manual_seed(0)
    data = [
        (torch.randn(16, 6, generator=generator).double(), torch.randint(3, (16,), generator=generator))
        for _ in range(3)
    ]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = suggest(model, torch.nn.functional.cross_entropy, data)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert model.training
    assert all(param.grad is None for param in model.parameters())
    text = str(found)
    for word in ("slope of a batch", "gradient noise", "sharpest curvature", "lr", "loss_scale", "radius", "felt"):
        assert word in text
    again = suggest(model, torch.nn.functional.cross_entropy, data)
    assert again.radius == found.radius
    # the setting is one that trains
    optimizer = rb.RollingBall(model.parameters(), lr=found.lr, radius=found.radius, loss_scale=found.loss_scale)

    def closure():
        optimizer.zero_grad()
        loss = sum(torch.nn.functional.cross_entropy(model(x), y) for x, y in data) / 3
        loss.backward()
        return loss

    first = closure().item()
    for _ in range(20):
        optimizer.step(closure)
    assert closure().item() < 0.9 * first


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("directions", {"directions": 0}), ("directions", {"directions": 5}), ("tol", {"tol": 0.0}),
        ("max_products", {"max_products": 0}), ("seed", {"seed": -1}), ("batches", {"batches": []}),
        ("loss_fn", {"loss_fn": 3}), ("model", {"loss_fn": lambda x, _: -(x * x).sum()}),
        ("model", {"loss_fn": lambda x, _: (0 * x).sum()}),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(field, change):
    given = {"loss_fn": bowl, "batches": batches([0.0, 0, 0, 0]), **change}
    with pytest.raises(rb.InputError, match=f"^{field}: got"):
        suggest(Bowl(START), **given)


def spoiled(what):
    model, _loss = classifier()
    inputs, targets = torch.randn(8, 6), torch.randint(3, (8,))
    if what == "model":
        with torch.no_grad():
            model[2].weight[1, 3] = float("nan")
    bad = torch.where(torch.arange(6) == 2, torch.inf, inputs)
    return model, [(inputs, targets), (bad if what == "batches" else inputs, targets)]


MEASURES = {"suggest": suggest, "hessian": rb.pytorch.LossPlane.hessian}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("what", "says"),
    [("model", r"1 NaN in 2\.weight"), ("batches", "8 infinite numbers in the inputs of batch 1"), ("loss_fn", "nan")],
)
def test_what_is_not_finite_is_named(measure, what, says):
    model, given = spoiled(what)

    def loss_fn(outputs, targets):
        loss = torch.nn.functional.cross_entropy(outputs, targets)
        return loss * float("nan") if what == "loss_fn" else loss

    with pytest.raises(rb.InputError, match=rf"^{what}: got .*{says}"):
        MEASURES[measure](model, loss_fn, given)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("power", "says"), [(0.5, "a gradient"), (1.5, "second derivatives")])
def test_a_loss_that_is_not_smooth_at_the_model_is_named(measure, power, says):
    model = Bowl([0.0, -1.0, 2.0, 1.0])
    with pytest.raises(rb.InputError, match=rf"^loss_fn: got '{says} that (is|are) not finite"):
        MEASURES[measure](model, lambda x, shift: (x - shift[0]).abs().pow(power).sum(), batches([0.0] * 4))
