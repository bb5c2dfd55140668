"""Orders of convergence where they are asymptotic: every integrator, both flows, places and heights, two dimensions."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import rollingball as rb

S = rb.surfaces
FIXED = {"euler": (rb.Euler, 1), "heun": (rb.Heun, 2), "rk4": (rb.RK4, 4)}
PAIRS = {"bosh3": (rb.Bosh3, 3), "dopri5": (rb.Dopri5, 5), "tsit5": (rb.Tsit5, 5), "rosenbrock": (rb.Rosenbrock, 2)}
ALL = {**FIXED, **PAIRS}
COUNTS = {1: [40, 60, 80, 120, 160, 240], 2: [40, 60, 80, 120, 160, 240], 3: [16, 24, 32, 48, 64, 96],
          4: [16, 24, 32, 48, 64, 96], 5: [8, 12, 16, 20, 24, 32]}  # fmt: skip
ANY = 1e9  # a tolerance that accepts every step
RADIUS = 0.25  # on the parabola x^2 / 2 from foot 1, where fifth orders are asymptotic from 8 steps on


def order(counts, errors):
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


def about(nominal, slope):
    assert nominal - 0.15 < slope < nominal + 0.25


def exact_foot(time, start=1.0):
    """By the closed form of the flow (oracle F02): log x - rho F(x) = log start - rho F(start) - time."""

    def clock(x):
        w = np.sqrt(1 + x * x)
        return np.log(x) - RADIUS * (0.5 * np.log((w - 1) / (w + 1)) + 1 / w)

    return brentq(lambda x: clock(x) - clock(start) + time, 1e-3, start, xtol=1e-16, rtol=1e-15)


def center_over(foot):
    w = np.sqrt(1 + foot**2)
    return np.array([foot - RADIUS * foot / w, 0.5 * foot**2 + RADIUS / w])


def chained(surface, radius, kind, integrator, start, duration, n, **options):
    """The foot, centre and fall of the centre after n steps of one size, which no pair is left to choose."""
    h, at, fallen = duration / n, np.atleast_2d(start), 0.0
    footed = kind is rb.FootpointFlow
    fixed = not integrator.adaptive
    options.update({} if footed else {"stride": ANY})
    method = kind(integrator(h) if fixed else integrator(ANY, ANY, first_step=h), **options)
    length, launches = (duration, 1) if fixed else (h, n)
    for _ in range(launches):
        run = rb.simulate(surface, rb.Ball(radius), method, duration=length, save_at=[0, length], gap=None,
                          **{"start" if footed else "start_center": at})  # fmt: skip
        assert abs(run.steps[0] - n) <= 1 if fixed else run.steps[0] == 1
        at = run.foot[-1] if footed else run.center[-1, :, :-1]
        fallen += run.center[-1, 0, -1] - run.center[0, 0, -1]
    return run.foot[-1, 0], run.center[-1, 0], fallen


@pytest.mark.parametrize("name", ALL)
def test_orders_of_the_place_and_of_the_integrated_height_on_the_ironed_flow(name):
    (integrator, nominal), surface, begin = ALL[name], S.quadratic([[1.0]]), center_over(1.0)
    exact = center_over(exact_foot(1.0))
    for reproject in (True, False):
        places, heights = [], []
        for n in COUNTS[nominal]:
            _foot, center, fallen = chained(surface, RADIUS, rb.IronedFlow, integrator, begin[:1], 1.0, n,
                                            reproject=reproject)  # fmt: skip
            places.append(abs(center[0] - exact[0]))
            heights.append(abs(begin[1] + fallen - exact[1]))
        about(nominal, order(COUNTS[nominal], places))
        slope = order(COUNTS[nominal], heights)
        if reproject or nominal < 5:
            about(nominal, slope)
        else:  # the sixth order is the larger part of this error until it is lost in rounding
            assert slope > nominal - 0.15
        assert places[-1] > 5e-13  # above rounding


@pytest.mark.parametrize("name", ALL)
def test_orders_on_the_footpoint_flow(name):
    integrator, nominal = ALL[name]
    feet, exact = [], exact_foot(1.0)
    for n in COUNTS[nominal]:
        foot, _center, _fallen = chained(S.quadratic([[1.0]]), RADIUS, rb.FootpointFlow, integrator, [1.0], 1.0, n)
        feet.append(abs(foot[0] - exact))
    about(nominal, order(COUNTS[nominal], feet))
    assert feet[-1] > 5e-13


@pytest.mark.parametrize("kind", [rb.IronedFlow, rb.FootpointFlow])
def test_fifth_order_in_two_dimensions(kind):
    bend, radius, start, counts = np.array([[1.0, 0.3], [0.3, 3.0]]), 0.1, np.array([1.0, 0.8]), [16, 20, 24, 32, 40]

    def center(foot):
        g = bend @ foot
        return foot - radius * g / np.sqrt(1 + g @ g)

    def velocity(_time, foot):  # so that the centre has the velocity -g
        g = bend @ foot
        w = np.sqrt(1 + g @ g)
        return np.linalg.solve(np.eye(2) - radius * (bend / w - np.outer(g, bend @ g) / w**3), -g)

    exact, errors = solve_ivp(velocity, (0, 1), start, "DOP853", rtol=1e-13, atol=1e-15).y[:, -1], []
    for n in counts:
        begin = start if kind is rb.FootpointFlow else center(start)
        foot, _center, _fallen = chained(S.quadratic(bend), radius, kind, rb.Dopri5, begin, 1.0, n)
        errors.append(np.linalg.norm(foot - exact))
    about(5, order(counts, errors))
