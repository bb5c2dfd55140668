"""Integrators: conditions on their tables, orders of convergence, continuous extensions, tolerances and stiffness."""

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.optimize import brentq, fsolve

import rollingball as rb
from rollingball.methods.integrators import tableaus

S = rb.surfaces
FIXED = {"euler": (rb.Euler, 1), "heun": (rb.Heun, 2), "rk4": (rb.RK4, 4)}
PAIRS = {"bosh3": (rb.Bosh3, 3), "dopri5": (rb.Dopri5, 5), "tsit5": (rb.Tsit5, 5), "rosenbrock": (rb.Rosenbrock, 2)}
TABLES = {
    "euler": tableaus.EULER,
    "heun": tableaus.HEUN,
    "rk4": tableaus.RUNGE_KUTTA_4,
    "bosh3": tableaus.BOGACKI_SHAMPINE,
    "dopri5": tableaus.DORMAND_PRINCE,
    "tsit5": tableaus.TSITOURAS,
}
ANY = 1e9  # a tolerance that accepts every step


def order(steps, errors):
    """The slope of the error over the size of a step, both logarithmic."""
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0]


def trees(a, weights, share=1.0):
    """By order, how far a method misses each order condition (Hairer, Norsett and Wanner, section II.2)."""
    c = a.sum(axis=1)
    ac, ac2 = a @ c, a @ c**2
    sums = {
        1: [(np.ones_like(c), 1)],
        2: [(c, 2)],
        3: [(c**2, 3), (ac, 6)],
        4: [(c**3, 4), (c * ac, 8), (ac2, 12), (a @ ac, 24)],
        5: [
            (c**4, 5), (c**2 * ac, 10), (ac**2, 20), (c * ac2, 15), (a @ c**3, 20),
            (c * (a @ ac), 30), (a @ (c * ac), 40), (a @ ac2, 60), (a @ (a @ ac), 120),
        ],
    }  # fmt: skip
    return {n: [weights @ part - share**n / denominator for part, denominator in sums[n]] for n in sums}


def worst(missed, most):
    return max(abs(miss) for n, misses in missed.items() if n <= most for miss in misses)


@pytest.mark.parametrize("name", TABLES)
def test_tables_satisfy_the_order_conditions(name):
    table = TABLES[name]
    assert (np.triu(table.matrix) == 0).all()
    missed = trees(table.matrix, table.weights)
    assert worst(missed, table.order) < 2e-14
    if table.order < 5:
        assert max(map(abs, missed[table.order + 1])) > 1e-3  # and not those of the next
    if table.error is not None:
        embedded = trees(table.matrix, table.weights - table.error)
        assert worst(embedded, table.error_order) < 2e-14
        assert max(map(abs, embedded[table.error_order + 1])) > 1e-4
        np.testing.assert_allclose(table.matrix[-1], table.weights, atol=1e-16)  # the last stage is the end


@pytest.mark.parametrize("name", ["dopri5", "tsit5"])
def test_continuous_extensions_have_order_4_and_meet_the_step_smoothly(name):
    table = TABLES[name]
    powers = np.arange(1, 5)
    for share in np.linspace(0.05, 1, 12):
        assert worst(trees(table.matrix, table.dense @ share**powers, share), 4) < 5e-14
    np.testing.assert_allclose(table.dense.sum(axis=1), table.weights, atol=1e-14)
    first, last = np.eye(table.stages)[[0, -1]]
    np.testing.assert_allclose(table.dense[:, 0], first, atol=1e-13)
    np.testing.assert_allclose(table.dense @ powers, last, atol=1e-13)


def parabola_run(method, duration=1.0, save_at=None, **options):
    """The problem of oracles F02 and I01: k = 1, rho = 0.5, theta_0 = 1."""
    options = {"start": [1.0], "gap": None, **options}
    save_at = [duration] if save_at is None else save_at
    return rb.simulate(S.quadratic([[1.0]]), rb.Ball(0.5), method, duration=duration, save_at=save_at, **options)


@pytest.mark.parametrize("projection", ["", "+proj"])
@pytest.mark.parametrize("name", FIXED)
def test_oracle_i01_orders_of_fixed_steps_on_the_ironed_flow(oracle, name, projection):
    case, (kind, nominal) = oracle("I01"), FIXED[name]
    counts, errors = case["expected"][name + projection]["n"], []
    assert len(counts) == 5
    for n in counts:
        run = parabola_run(rb.IronedFlow(kind(1 / n), reproject=projection != ""))
        errors.append(np.linalg.norm(run.center[-1, 0] - case["inputs"]["c_exact"]))
    assert nominal - 0.15 < order(counts, errors) < nominal + 0.25
    # another way of integrating the same problem (the oracle's keeps the height in the state) is about as good
    assert errors[-1] < 2 * case["expected"][name + projection]["err"][-1]
    if projection:
        np.testing.assert_allclose(run.residual, 0, atol=1e-12)


@pytest.mark.parametrize("projected", [True, False], ids=["projected", "not"])
@pytest.mark.parametrize(("name", "counts"), [("dopri5", [16, 20, 24, 32, 48]), ("bosh3", [8, 12, 16, 24, 32]),
                                              ("rosenbrock", [16, 24, 32, 48, 64])])  # fmt: skip
def test_oracle_i01_orders_of_pairs_on_the_ironed_flow(oracle, name, counts, projected):
    case, (kind, nominal) = oracle("I01"), PAIRS[name]
    exact, errors = np.array(case["inputs"]["c_exact"]), []
    for n in counts:  # one step after the other of a size that the pair does not choose
        method = rb.IronedFlow(kind(ANY, ANY, first_step=1 / n), reproject=projected)
        at = np.array([1 - 0.5 / 2**0.5, 0.5 + 0.5 / 2**0.5])
        for _ in range(n):
            run = parabola_run(method, 1 / n, [0, 1 / n], start=None, start_center=at[:1])
            assert run.steps[0] == 1
            fallen = run.center[1, 0, 1] - run.center[0, 0, 1]
            at = np.array([run.center[1, 0, 0], run.center[1, 0, 1] if projected else at[1] + fallen])
        errors.append(np.linalg.norm(at - exact))
    slope = order(counts, errors)
    assert slope > nominal - 0.15
    if name != "dopri5":  # whose leading error is small here
        assert slope < nominal + 0.25


@pytest.mark.parametrize("name", [*FIXED, *PAIRS])
def test_orders_on_the_footpoint_flow(oracle, name):
    exact = oracle("F02")["expected"]["1"]["theta"]
    kind, nominal = {**FIXED, **PAIRS}[name]
    counts = {1: [40, 60, 80, 120, 160, 240], 2: [40, 60, 80, 120, 160], 3: [20, 30, 40, 60, 80],
              4: [20, 30, 40, 60, 80], 5: [24, 32, 40, 52, 64]}[nominal]  # fmt: skip
    errors = []
    for n in counts:
        if name in FIXED:
            run = parabola_run(rb.FootpointFlow(kind(1 / n)))
            assert abs(run.steps[0] - n) <= 1
            errors.append(abs(run.foot[-1, 0, 0] - exact))
            continue
        at = 1.0
        for _ in range(n):
            at = parabola_run(rb.FootpointFlow(kind(ANY, ANY, first_step=1 / n)), 1 / n, start=[at]).foot[-1, 0, 0]
        errors.append(abs(at - exact))
    slope = order(counts, errors)
    assert slope > nominal - 0.15
    if nominal < 5:
        assert slope < nominal + 0.25


def foot_of_the_parabola(time, k=1.0, radius=0.5, start=1.0):
    """The foot of the exact flow (oracle F02), from its implicit closed form."""

    def clock(u):
        w = np.sqrt(1 + u * u)
        return 0.5 * np.log((w - 1) / (w + 1)) + 1 / w

    return brentq(
        lambda x: np.log(start / x) / k + radius * (clock(k * x) - clock(k * start)) - time, 1e-3, start, xtol=1e-15
    )


@pytest.mark.parametrize(
    ("name", "nominal"), [("euler", 2), ("heun", 3), ("rk4", 4), ("bosh3", 4), ("dopri5", 5), ("tsit5", 5)]
)
@pytest.mark.parametrize("kind", [rb.FootpointFlow, rb.IronedFlow])
def test_between_steps_is_as_exact_as_the_continuous_extension(name, nominal, kind):
    # one step of size h, recorded at shares of it: an extension of order p errs by h^(p + 1)
    errors, sizes, shares = [], [0.32, 0.24, 0.16, 0.12, 0.08], [0.2, 0.45, 0.7]
    integrator = FIXED[name][0] if name in FIXED else PAIRS[name][0]
    for h in sizes:
        far = {"stride": np.inf} if kind is rb.IronedFlow else {}
        method = kind(integrator(h) if name in FIXED else integrator(ANY, ANY, first_step=h), **far)
        run = parabola_run(method, h, [share * h for share in shares])
        assert run.steps[0] == 1
        exact = np.array([foot_of_the_parabola(share * h) for share in shares])
        if kind is rb.IronedFlow:
            exact = exact - 0.5 * exact / np.sqrt(1 + exact**2)
            errors.append(np.abs(run.center[:, 0, 0] - exact).max())
        else:
            errors.append(np.abs(run.foot[:, 0, 0] - exact).max())
    assert -order(sizes, errors) > nominal - 0.2


@pytest.mark.parametrize("name", ["bosh3", "dopri5", "tsit5", "rosenbrock"])
def test_the_error_of_a_pair_follows_its_tolerance(oracle, name):
    expected, errors, steps = oracle("F02")["expected"], [], []
    tolerances = 10.0 ** -np.arange(3, 11)
    for rtol in tolerances:
        method = rb.FootpointFlow(PAIRS[name][0](rtol, rtol * 1e-2))
        run = parabola_run(method, 2.0, [float(t) for t in expected])
        errors.append(np.abs(run.foot[:, 0, 0] - [value["theta"] for value in expected.values()]).max())
        steps.append(run.steps[0])
    # Rosenbrock's estimate is of order h^3, and its error over a time of order h^2
    share = 2 / 3 if name == "rosenbrock" else 1.0
    assert (np.array(errors) < 20 * tolerances**share).all()
    assert np.polyfit(np.log(tolerances), np.log(errors), 1)[0] > share - 0.25
    assert (np.diff(steps) >= 0).all()
    # halving the step divides the error estimate by 2^control
    growth = np.polyfit(np.log(tolerances), np.log(steps), 1)[0]
    control = {"bosh3": 3, "rosenbrock": 3}.get(name, 5)
    assert 0.5 / control < -growth < 1.2 / control


def test_oracle_f02_at_tight_tolerances(oracle):
    case = oracle("F02")
    times = [float(t) for t in case["expected"]]
    for method in (rb.IronedFlow(rb.Dopri5(1e-11, 1e-13)), rb.FootpointFlow(rb.Tsit5(1e-11, 1e-13))):
        run = parabola_run(method, 2.0, times, gap=rb.GlobalProjection())
        for frame, value in enumerate(case["expected"].values()):
            assert run.foot[frame, 0, 0] == pytest.approx(value["theta"], abs=case["tol"])
            np.testing.assert_allclose(run.center[frame, 0], value["c"], rtol=0, atol=case["tol"])
        np.testing.assert_allclose(run.gap, 0, atol=1e-10)
        assert run.certified


def test_steps_of_its_own_for_each_ball():
    starts = np.array([[1.0], [0.01], [3.0]])
    method = rb.FootpointFlow(rb.Dopri5(1e-8, 1e-12))
    run = parabola_run(method, 1.0, start=starts)
    for ball, start in enumerate(starts):
        alone = parabola_run(method, 1.0, start=start)
        assert alone.steps[0] == run.steps[ball]
        np.testing.assert_array_equal(alone.foot[:, 0], run.foot[:, ball])


WAVE = S.formula("sin(x) + 1.2*x", "x")  # it descends all along, and its valleys bend more than 1 / RADIUS
RADIUS = 4.0


def slope(p):
    return np.cos(p) + 1.2


def center(p):
    return p - RADIUS * slope(p) / np.sqrt(1 + slope(p) ** 2)


@pytest.fixture(scope="module")
def crossing():
    """The exact flow across a kink of the ironed loss of WAVE, by quadrature: while its foot moves by dp, the centre

    moves by dx = x'(p) dp, in the time dt = -dx / f'(p).
    """

    def height(p):
        return np.sin(p) + 1.2 * p + RADIUS / np.sqrt(1 + slope(p) ** 2)

    def time(a, b):
        return quad(
            lambda p: (1 + RADIUS * np.sin(p) / (1 + slope(p) ** 2) ** 1.5) / slope(p), b, a, epsabs=1e-13, epsrel=1e-13
        )[0]

    both = fsolve(lambda p: [center(p[0]) - center(p[1]), height(p[0]) - height(p[1])], [-0.8, -3.5], xtol=1e-13)
    first, last = 1.0, -3.6
    kink = time(first, both[0])
    return {"feet": both, "start": center(first), "kink": kink, "end": center(last), "time": kink + time(both[1], last)}


def test_the_crossing_goes_from_one_contact_to_another(crossing):
    found = rb.contacts(WAVE, center(crossing["feet"])[:1], RADIUS)
    assert found.count[0] == 2
    np.testing.assert_allclose(np.sort(found.feet[0, :2, 0]), np.sort(crossing["feet"]), atol=1e-6)
    assert (found.slopes[0, :2] > 0.2).all()  # both downhill to the left: the ball goes on
    assert np.ptp(found.slopes[0, :2]) > 1.5
    run = rb.simulate(WAVE, rb.Ball(RADIUS), rb.IronedFlow(rb.RK4(crossing["time"] / 400)),
                      start_center=[crossing["start"]], duration=crossing["time"], save_at=[crossing["time"]],
                      gap=rb.GlobalProjection())  # fmt: skip
    assert run.events["kind"].tolist() == [[2]]
    assert run.events["contacts"].tolist() == [[1]]  # the contact that was left carries nothing
    assert run.events["time"][0, 0] == pytest.approx(crossing["kink"], abs=1e-9)
    assert run.gap.min() >= -1e-8


def test_rk4_keeps_its_order_across_a_kink_because_the_event_is_located(crossing):
    counts, located, plain = [28, 40, 56, 80, 113, 160, 226], [], []
    for n in counts:
        h, x = crossing["time"] / n, np.array([[crossing["start"]]])
        run = rb.simulate(WAVE, rb.Ball(RADIUS), rb.IronedFlow(rb.RK4(h)), start_center=x[0],
                          duration=crossing["time"], save_at=[crossing["time"]], gap=None)  # fmt: skip
        located.append(abs(run.center[-1, 0, 0] - crossing["end"]))
        for _ in range(n):  # the same method on the right-hand side as it is
            k1 = -rb.contacts(WAVE, x, RADIUS).slope
            k2 = -rb.contacts(WAVE, x + 0.5 * h * k1, RADIUS).slope
            k3 = -rb.contacts(WAVE, x + 0.5 * h * k2, RADIUS).slope
            k4 = -rb.contacts(WAVE, x + h * k3, RADIUS).slope
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        plain.append(abs(x[0, 0] - crossing["end"]))
    assert 4 - 0.15 < order(counts, located) < 4 + 0.25
    assert order(counts, plain) < 1.6
    assert max(plain) > 1e3 * max(located)


@pytest.mark.parametrize("n", [7, 10, 14])
def test_a_long_step_does_not_jump_over_the_kink(crossing, n):
    run = rb.simulate(WAVE, rb.Ball(RADIUS), rb.IronedFlow(rb.RK4(crossing["time"] / n)),
                      start_center=[crossing["start"]], duration=crossing["time"], save_at=[crossing["time"]],
                      gap=None)  # fmt: skip
    assert run.events["time"][0, 0] == pytest.approx(crossing["kink"], abs=1e-2)
    assert run.center[-1, 0, 0] == pytest.approx(crossing["end"], abs=1e-2)


@pytest.mark.parametrize("kind", [rb.IronedFlow, rb.FootpointFlow])
def test_rosenbrock_takes_far_fewer_steps_in_a_sharp_valley(kind):
    valley, radius, tolerances = S.quadratic(np.diag([1.0, 1e4])), 5e-5, (1e-5, 1e-8)
    far = {"stride": np.inf} if kind is rb.IronedFlow else {}
    runs = [
        rb.simulate(
            valley, rb.Ball(radius), kind(each(*tolerances), **far), start=[1.0, 1e-3], duration=2.0, save_at=[2.0]
        )
        for each in (rb.Rosenbrock, rb.Dopri5)
    ]
    stiff, explicit = runs
    for run in runs:
        assert run.status[0] == rb.Status.RUNNING
        # along the valley the radius matters little: theta' = -theta to 1e-4
        np.testing.assert_allclose(run.foot[-1, 0], [np.exp(-2), 0], atol=2e-4)
    assert stiff.steps[0] * 20 < explicit.steps[0]
    assert stiff.evaluations[0] * 5 < explicit.evaluations[0]


def test_rosenbrock_in_the_valley_that_shares_its_name():
    valley, start, time = S.rosenbrock(), [-1.0, 1.5], 20.0
    reference = solve_ivp(
        lambda _t, x: [2 * (1 - x[0]) + 400 * x[0] * (x[1] - x[0] ** 2), -200 * (x[1] - x[0] ** 2)],
        (0, time), start, "LSODA", rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    stiff, explicit = (
        rb.simulate(valley, None, rb.FootpointFlow(each(1e-3, 1e-6)), start=start, duration=time, save_at=[time])
        for each in (rb.Rosenbrock, rb.Dopri5)
    )
    for run in (stiff, explicit):
        np.testing.assert_allclose(run.foot[-1, 0], reference.y[:, -1], atol=2e-3)
        assert run.status[0] == rb.Status.RUNNING
    assert stiff.steps[0] * 20 < explicit.steps[0]
    assert stiff.evaluations[0] * 20 < explicit.evaluations[0]


@pytest.mark.parametrize("name", [*FIXED, *PAIRS])
def test_bad_numbers_are_refused_by_name(name, no_compiling):
    bad = [0.0, -1e-3, np.nan, np.inf, "0.1", True, [0.1, 0.2]]
    for value in bad:
        if name in FIXED:
            with pytest.raises(rb.InputError, match=r"^step: got"):
                FIXED[name][0](value)
            continue
        for field in (
            ("rtol", "atol", "first_step") if value != 0.0 else ("rtol", "atol")
        ):  # a first step of 0 is chosen
            with pytest.raises(rb.InputError, match=f"^{field}: got"):
                PAIRS[name][0](**{field: value})


@pytest.mark.parametrize("kind", [rb.IronedFlow, rb.FootpointFlow])
def test_something_else_than_an_integrator_is_refused(kind, no_compiling):
    for value in (None, "rk4", rb.RK4, 0.1):
        with pytest.raises(rb.InputError, match=r"^integrator: got .*allowed: Euler, Heun"):
            kind(value)
