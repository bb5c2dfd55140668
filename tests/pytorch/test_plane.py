"""Planes through the parameters of models: known losses, known planes, and models that are left as they were."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

import rollingball as rb
from rollingball.pytorch import LossPlane
from rollingball.pytorch.plane.directions import dot, gram
from rollingball.pytorch.plane.lanczos import top_eigenvectors
from rollingball.pytorch.plane.losses import MeanLoss

SMALL = {"resolution": 9, "check_points": 4}


class Quadratic(torch.nn.Module):
    """f(x, y, z) = 0.5 (x^2 + 3 y^2 + 5 z^2) + x, its parameters in two tensors; the batch is not used."""

    def __init__(self, at=(0.3, -0.2, 0.5)):
        super().__init__()
        self.first = torch.nn.Parameter(torch.tensor([at[:2]], dtype=torch.float64))
        self.last = torch.nn.Parameter(torch.tensor(at[2], dtype=torch.float64))

    def forward(self, inputs):
        x, y = self.first[0]
        return 0.5 * (x**2 + 3 * y**2 + 5 * self.last**2) + x + 0 * inputs.sum()


def plainly(outputs, targets):
    return outputs


NOTHING = [(torch.zeros(1), torch.zeros(1))]


def state(x, y, z):
    return Quadratic((x, y, z)).state_dict()


def network(seed=0, batch_norm=False, dtype=torch.float64):
    torch.manual_seed(seed)
    layers = [torch.nn.Conv1d(1, 3, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(12, 4)]
    if batch_norm:
        layers.insert(1, torch.nn.BatchNorm1d(3))
    return torch.nn.Sequential(*layers).to(dtype)


def batches(count=3, dtype=torch.float64, seed=1):
    generator = torch.Generator().manual_seed(seed)
    sizes = [8, 8, 5][:count]
    return [
        (torch.randn(n, 1, 6, generator=generator).to(dtype), torch.randint(4, (n,), generator=generator))
        for n in sizes
    ]


def whole_loss(model, data):
    """The mean over all examples, by hand."""
    model = copy.deepcopy(model).eval()
    with torch.no_grad():
        sums = [cross_entropy(model(x), y, reduction="sum").item() for x, y in data]
    return sum(sums) / sum(len(y) for _, y in data)


# Truths


def test_the_plane_of_a_quadratic_is_known_exactly():
    states = [state(0, 0, 1), state(2, 0, 1), state(1, 4, 1)]
    plane = LossPlane.through(states, Quadratic(), plainly, NOTHING, box=[[-1, 3], [-2, 5]], **SMALL)
    a, b = plane.grid.T  # x = a, y = b, z = 1
    np.testing.assert_allclose(plane.heights.ravel(), 0.5 * (a**2 + 3 * b**2 + 5) + a, rtol=0, atol=1e-12)
    np.testing.assert_allclose(plane.details["coordinates"], [[0, 0], [2, 0], [1, 4]], atol=1e-12)
    assert plane.error < 1e-12  # a cubic spline has quadratics exactly
    point = np.array([0.7, 1.1])
    np.testing.assert_allclose(plane.surface.gradient(point), [1.7, 3.3], atol=1e-12)
    assert plane.report.off_plane == pytest.approx(5.0, abs=1e-12)  # |df/dz| = 5 z
    expected = np.sqrt(25 / (25 + np.mean((rng_points(plane) @ np.diag([1, 3]) + [1, 0]) ** 2) * 2))
    assert plane.residual == pytest.approx(expected, abs=1e-12)


def rng_points(plane, seed=0):
    return np.random.default_rng(seed).uniform(plane.box[:, 0], plane.box[:, 1], (plane.report.points, 2))


def test_a_ball_rolls_on_it_as_on_the_formula():
    states = [state(0, 0, 1), state(1, 0, 1), state(0, 1, 1)]
    plane = LossPlane.through(states, Quadratic(), plainly, NOTHING, box=[[-3, 3], [-3, 3]], resolution=31)
    formula = rb.formula("0.5*x**2 + 1.5*y**2 + x", variables=("x", "y"))
    method, ball = rb.FootpointRBO(lr=0.1, projection=rb.NewtonProjection()), rb.Ball(radius=0.2)
    runs = [rb.simulate(one, ball, method, start=[1.0, -1.5], steps=20) for one in (plane.surface, formula)]
    np.testing.assert_allclose(runs[0].foot, runs[1].foot, rtol=0, atol=1e-9)


def test_principal_directions_of_points_on_a_plane_are_that_plane():
    generator = np.random.default_rng(3)
    basis = np.linalg.qr(generator.normal(size=(3, 2)))[0]
    places = generator.normal(size=(6, 2)) * [3.0, 1.0]
    points = 0.4 + places @ basis.T
    checkpoints = [state(*map(float, point)) for point in points]
    plane = LossPlane.pca(checkpoints, Quadratic(), plainly, NOTHING, **SMALL)
    assert plane.details["explained"] == pytest.approx(1.0, abs=1e-12)
    assert max(plane.details["distance"]) < 1e-12
    np.testing.assert_allclose(gram(plane.directions), np.eye(2), atol=1e-12)
    for coordinates, checkpoint in zip(plane.details["coordinates"], checkpoints, strict=True):
        rebuilt = plane.state_dict(coordinates)
        for name, tensor in checkpoint.items():
            torch.testing.assert_close(rebuilt[name], tensor, rtol=0, atol=1e-12)
    exact = np.linalg.svd(points - points.mean(axis=0))[2][0]  # the first direction, up to its sign
    found = np.concatenate([plane.directions[0]["first"].ravel(), [plane.directions[0]["last"]]])
    assert abs(found @ exact) == pytest.approx(1.0, abs=1e-12)


def test_the_loss_on_the_grid_is_that_of_the_model():
    model, data = network(), batches()
    plane = LossPlane.random(model, cross_entropy, data, normalize="layer", span=0.5, chunk=16, **SMALL)
    assert plane.details["batched"]
    assert plane.heights[4, 4] == pytest.approx(whole_loss(model, data), abs=1e-12)
    for index in [(0, 0), (2, 7), (8, 3)]:
        point = plane.grid.reshape(9, 9, 2)[index]
        moved = copy.deepcopy(model)
        moved.load_state_dict(plane.state_dict(point))
        assert plane.heights[index] == pytest.approx(whole_loss(moved, data), abs=1e-12)


@pytest.mark.parametrize("chunk", [2, 5, 100])
def test_chunks_change_nothing_but_rounding(chunk):
    planes = [LossPlane.random(network(), cross_entropy, batches(), chunk=size, **SMALL) for size in (None, chunk)]
    np.testing.assert_allclose(planes[0].heights, planes[1].heights, rtol=0, atol=1e-12)


def test_a_model_that_cannot_be_batched_is_looped():
    class Branching(Quadratic):
        def forward(self, inputs):
            value = super().forward(inputs)
            return value if value.item() > 0 else -value

    plane = LossPlane.random(Branching((2.0, 2.0, 2.0)), plainly, NOTHING, normalize=None, span=0.1, **SMALL)
    assert not plane.details["batched"]
    assert plane.heights[4, 4] == pytest.approx(0.5 * 36 + 2, abs=1e-12)


def test_loaders_and_named_arguments_and_a_bar(capsys):
    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, signal, gain):
            return gain[:, None] * self.inner(signal)

    torch.manual_seed(0)
    signal, gain, targets = torch.randn(10, 1, 6).double(), torch.rand(10).double(), torch.randint(4, (10,))
    pairs = [({"signal": signal[i], "gain": gain[i]}, targets[i]) for i in range(10)]
    loader = torch.utils.data.DataLoader(pairs, batch_size=4)
    plane = LossPlane.random(Named(), cross_entropy, loader, progress=True, **SMALL)
    assert "243/243" in capsys.readouterr().err
    positional = LossPlane.random(Named(), cross_entropy, [((signal, gain), targets)], **SMALL)
    torch.manual_seed(0)
    np.testing.assert_allclose(plane.heights, positional.heights, rtol=0, atol=1e-12)


def test_filters_get_the_norms_of_the_model():
    model = network()
    plane = LossPlane.random(model, cross_entropy, batches(), normalize="filter", **SMALL)
    for direction in plane.directions:
        for name, param in model.named_parameters():
            rows = [tensor.detach().flatten(1) if tensor.ndim > 1 else None for tensor in (direction[name], param)]
            if rows[0] is None:
                assert not direction[name].any()
            else:
                torch.testing.assert_close(rows[0].norm(dim=1), rows[1].norm(dim=1), rtol=0, atol=1e-12)
    assert not plane.orthonormal


def test_layers_get_the_norms_of_the_model_and_none_is_orthonormal():
    model = network()
    plane = LossPlane.random(model, cross_entropy, batches(), normalize="layer", **SMALL)
    for name, param in model.named_parameters():
        assert plane.directions[1][name].norm().item() == pytest.approx(param.norm().item(), abs=1e-12)
    plane = LossPlane.random(model, cross_entropy, batches(), normalize=None, span=0.3, **SMALL)
    np.testing.assert_allclose(gram(plane.directions), np.eye(2), atol=1e-12)
    assert plane.orthonormal


@pytest.mark.parametrize("matrix", ["random", "identity", "low rank", "negative"])
def test_lanczos_finds_the_eigenvalues_of_dense_matrices(matrix):
    generator = np.random.default_rng(0)
    made = generator.normal(size=(12, 12))
    dense = {
        "random": made + made.T,
        "identity": 2.0 * np.eye(12),
        "low rank": made[:, :2] @ made[:, :2].T,
        "negative": -(made @ made.T),
    }[matrix]
    operator = torch.as_tensor(dense)

    def product(direction):
        image = operator @ torch.cat([direction["a"].ravel(), direction["b"]])
        return {"a": image[:8].reshape(2, 4), "b": image[8:]}

    like = {"a": torch.zeros(2, 4, dtype=torch.float64), "b": torch.zeros(4, dtype=torch.float64)}
    values, vectors, residuals = top_eigenvectors(product, like, tol=1e-12)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(dense)[::-1][:2], rtol=0, atol=1e-9)
    np.testing.assert_allclose(gram(vectors), np.eye(2), atol=1e-10)
    for value, vector in zip(values, vectors, strict=True):
        image = product(vector)
        away = {name: image[name] - value * vector[name] for name in image}
        assert dot(away, away) ** 0.5 < 1e-9
    assert residuals.max() < 1e-9


def test_the_hessian_plane_has_the_eigenvectors_of_the_dense_hessian():
    model, data = network(), batches(2)
    plane = LossPlane.hessian(model, cross_entropy, data, span=0.2, tol=1e-12, max_products=80, **SMALL)
    names = [name for name, _ in model.named_parameters()]

    def loss_of(*tensors):
        outputs = [torch.func.functional_call(model, dict(zip(names, tensors, strict=True)), (x,)) for x, _ in data]
        return cross_entropy(torch.cat(outputs), torch.cat([y for _, y in data]))

    values = tuple(param.detach() for param in model.parameters())
    every = tuple(range(len(values)))
    blocks = torch.func.jacrev(torch.func.jacrev(loss_of, every), every)(*values)
    sizes = [value.numel() for value in values]
    dense = torch.cat(
        [torch.cat([b.reshape(n, m) for b, m in zip(row, sizes, strict=True)], 1) for row, n in
         zip(blocks, sizes, strict=True)]
    )  # fmt: skip
    exact, vectors = torch.linalg.eigh(dense)
    np.testing.assert_allclose(plane.details["eigenvalues"], exact.flip(0)[:2], rtol=0, atol=1e-9)
    for k, direction in enumerate(plane.directions):
        found = torch.cat([direction[name].ravel() for name in names])
        assert abs(found @ vectors[:, -1 - k]) == pytest.approx(1.0, abs=1e-8)


def test_points_are_read_back_with_their_distance_from_the_plane():
    plane = LossPlane.random(network(), cross_entropy, batches(), normalize="filter", **SMALL)
    there = plane.state_dict([0.3, -0.7])
    found = plane.point(there)
    np.testing.assert_allclose(found.coordinates, [0.3, -0.7], atol=1e-12)
    assert found.distance < 1e-12
    there["0.bias"] = there["0.bias"] + torch.tensor([0.0, 3.0, 4.0])  # biases do not move in this plane
    found = plane.point(there)
    np.testing.assert_allclose(found.coordinates, [0.3, -0.7], atol=1e-12)
    assert found.distance == pytest.approx(5.0, abs=1e-12)


def test_the_stated_error_holds_between_the_samples():
    model, data = network(), batches()
    losses = MeanLoss(model, cross_entropy, data)
    for resolution in (9, 21):
        plane = LossPlane.random(
            model, cross_entropy, data, normalize=None, span=2.0, resolution=resolution, check_points=4
        )
        at = np.random.default_rng(8).uniform(-2, 2, (200, 2))
        exact = losses.values(plane.parameters, at)
        assert np.abs(plane.surface.value(at) - exact).max() <= plane.error
        assert plane.error < (0.05 if resolution == 9 else 0.005)


def test_the_stated_error_holds_where_the_loss_has_kinks():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3)).double()
    data = [(torch.randn(6, 6, dtype=torch.float64), torch.randint(3, (6,)))]
    losses = MeanLoss(model, cross_entropy, data)
    for seed in range(3):
        plane = LossPlane.random(model, cross_entropy, data, resolution=21, seed=seed, check_points=4)
        at = np.random.default_rng(8).uniform(-1, 1, (500, 2))
        assert np.abs(plane.surface.value(at) - losses.values(plane.parameters, at)).max() <= plane.error


def test_tied_weights_stay_tied():
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(3, 3, dtype=torch.float64), torch.nn.Linear(3, 3, dtype=torch.float64)
            self.b.weight = self.a.weight

        def forward(self, inputs):
            return self.b(torch.tanh(self.a(inputs)))

    torch.manual_seed(0)
    model, data = Tied(), [(torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64))]
    plane = LossPlane.random(model, mse_loss, data, normalize="layer", **SMALL)
    found = plane.state_dict([0.5, 0.25])
    assert torch.equal(found["a.weight"], found["b.weight"])
    model.load_state_dict(found)
    corner = plane.heights.reshape(9, 9)[6, 5]  # (0.5, 0.25)
    assert mse_loss(model(data[0][0]), data[0][1]).item() == pytest.approx(corner, abs=1e-12)


# The model is left as it was


def snapshot(model):
    modes = [module.training for module in model.modules()]
    return copy.deepcopy(model.state_dict()), modes, [param.grad for param in model.parameters()]


def unchanged(model, before):
    tensors, modes, grads = before
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, tensors[name]), name
    assert [module.training for module in model.modules()] == modes
    assert all(now is then for now, then in zip([param.grad for param in model.parameters()], grads, strict=True))


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("make", ["random", "hessian"])
def test_the_model_is_left_as_it_was(make, recompute):
    model = network(batch_norm=True)
    model[3].eval()  # one layer frozen by its user
    before = snapshot(model)
    getattr(LossPlane, make)(
        model, cross_entropy, batches(), span=0.2, recompute_batchnorm=recompute, resolution=7, check_points=2
    )
    unchanged(model, before)
    assert model[1].momentum == 0.1


@pytest.mark.parametrize("recompute", [False, True])
def test_the_model_is_left_as_it_was_by_a_loss_that_fails(recompute):
    model, calls = network(batch_norm=True), []

    def failing(outputs, targets):
        calls.append(1)
        if len(calls) > 5:
            raise KeyError("a bug of the user's")
        return cross_entropy(outputs, targets)

    before = snapshot(model)
    with pytest.raises(KeyError, match="a bug"):
        LossPlane.random(model, failing, batches(), recompute_batchnorm=recompute, **SMALL)
    unchanged(model, before)
    assert model[1].momentum == 0.1


def test_recomputed_statistics_are_those_of_the_batches():
    model, data = network(batch_norm=True), batches(1)
    plane = LossPlane.random(
        model, cross_entropy, data, normalize="layer", recompute_batchnorm=True, resolution=7, check_points=2
    )
    point = plane.grid[10]
    found = plane.state_dict(point, model=model, batches=data)
    inside = torch.nn.functional.conv1d(data[0][0], found["0.weight"], found["0.bias"])
    torch.testing.assert_close(found["1.running_mean"], inside.mean(dim=(0, 2)), rtol=0, atol=1e-12)
    torch.testing.assert_close(found["1.running_var"], inside.var(dim=(0, 2)), rtol=0, atol=1e-12)
    moved = network(batch_norm=True)
    moved.load_state_dict(found)
    assert whole_loss(moved, data) == pytest.approx(plane.heights.ravel()[10], abs=1e-12)
    with pytest.raises(rb.InputError, match="batches"):
        plane.state_dict(point, model=model)
    still = LossPlane.random(model, cross_entropy, data, normalize="layer", resolution=7, check_points=2)
    assert np.abs(still.heights - plane.heights).max() > 1e-3


def test_buffers_are_those_of_the_origin_not_of_the_model():
    model, data = network(batch_norm=True), batches()
    states = []
    for seed in range(3):
        other = network(seed, batch_norm=True)
        other(10 * (seed + 1) * data[0][0])  # running statistics of its own
        states.append(copy.deepcopy(other.state_dict()))
    plane = LossPlane.through(states, model, cross_entropy, data, **SMALL)
    first = network(batch_norm=True)
    first.load_state_dict(states[0])
    assert abs(plane.surface.value([0.0, 0.0]) - whole_loss(first, data)) <= plane.error
    corner = plane.state_dict(plane.grid[-1])
    first.load_state_dict(corner)
    assert whole_loss(first, data) == pytest.approx(plane.heights[-1, -1], abs=1e-12)


# Errors


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("normalize", {"normalize": "weights"}),
        ("resolution", {"resolution": 8}),
        ("resolution", {"resolution": 5}),
        ("resolution", {"resolution": -1}),
        ("resolution", {"resolution": (9, 9, 9)}),
        ("span", {"span": 0}),
        ("box", {"box": [[1, 0], [0, 1]]}),
        ("chunk", {"chunk": 0}),
        ("check_points", {"check_points": 0}),
        ("seed", {"seed": -1}),
        ("loss_scale", {"loss_scale": 0}),
        ("width", {"width": 3}),
    ],
)
def test_bad_options_are_named(field, given):
    with pytest.raises(rb.InputError) as error:
        LossPlane.random(network(), cross_entropy, batches(), **given)
    assert error.value.field == field
    assert field != "resolution" or "odd number, 7 or above" in error.value.allowed


def test_bad_arguments_are_named():
    model, data = network(), batches()
    cases = {
        "model": lambda: LossPlane.random(torch.nn.Tanh(), cross_entropy, data),
        "loss_fn": lambda: LossPlane.random(model, torch.nn.CrossEntropyLoss(reduction="none"), data, **SMALL),
        "batches": lambda: LossPlane.random(model, cross_entropy, (pair for pair in data)),
        "state_dicts": lambda: LossPlane.through([state(0, 0, k) for k in range(3)], Quadratic(), plainly, NOTHING),
        "checkpoints": lambda: LossPlane.pca([state(0, 0, k) for k in range(4)], Quadratic(), plainly, NOTHING),
        "checkpoints.first": lambda: LossPlane.pca(
            [{**state(0, 0, k), "first": torch.zeros(k + 1, 2)} for k in range(4)], Quadratic(), plainly, NOTHING
        ),
    }
    for field, call in cases.items():
        with pytest.raises(rb.InputError) as error:
            call()
        assert error.value.field == field
    with pytest.raises(rb.InputError, match="not finite"):
        LossPlane.random(Quadratic(), lambda out, _: torch.log(out - 1), NOTHING, normalize=None, span=0.9, **SMALL)
