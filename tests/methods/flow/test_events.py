"""Where contacts appear and are left: events against independent solutions, their symmetry, and orders across them."""

import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import rollingball as rb

S = rb.surfaces
TOUCH, LEAVE, REST = 2, 3, 4
FINE = rb.Dopri5(1e-11, 1e-13)
WAVE = "s*sin(m*x + n*y)"
TEXT = f"0.5*((a + c)*x + (b + d)*y + {WAVE} + abs((a - c)*x + (b - d)*y - {WAVE}))"


class Crease:
    """f = max(A, B), A = a . x and B = b . x + size sin(m . x): f_rho = max(A_rho, B_rho), both known.

    Along A = B the ball slides while the least norm of the segment between both slopes is inside it.
    """

    def __init__(self, a=(1, 1), b=(0, 1.5), size=0.65 / 0.9, m=(0, 0.9), radius=0.5):
        self.a, self.b, self.m = (np.array(value, float) for value in (a, b, m))
        self.size, self.radius = size, radius

    def surface(self):
        names = dict(zip("abcdmn", [*self.a, *self.b, *self.m], strict=True))
        return S.formula(TEXT, "x y", {**names, "s": self.size})

    def turned(self, q):
        return Crease(q @ self.a, q @ self.b, self.size, q @ self.m, self.radius)

    def heights(self, x):
        """A_rho, B_rho and the slope of B_rho; the foot on B by Newton's method on its phase u = m . foot."""
        aim = u = self.m @ x
        for _ in range(40):
            g = self.b + self.size * np.cos(u) * self.m
            w = np.sqrt(1 + g @ g)
            bend = -self.size * np.sin(u) * (self.m @ self.m / w - (self.m @ g) ** 2 / w**3)
            step = (u - self.radius * (self.m @ g) / w - aim) / (1 - self.radius * bend)
            u -= step
            if abs(step) < 1e-15 * (1 + abs(u)):
                break
        lower = self.b @ (x + self.radius * g / w) + self.size * np.sin(u) + self.radius / w
        return self.a @ x + self.radius * np.sqrt(1 + self.a @ self.a), lower, g

    def top(self, x):
        return max(self.heights(x)[:2])

    def weight(self, x):
        """Of the slope of A in the least norm of the line through both slopes."""
        g = self.heights(x)[2]
        return -g @ (self.a - g) / ((self.a - g) @ (self.a - g))

    def velocity(self, mode, x):
        share = {"A": 1.0, "B": 0.0}.get(mode, self.weight(x))
        return -(share * self.a + (1 - share) * self.heights(x)[2])

    def roll(self, x, duration):
        """Events (time, kind, contacts, centre), the last centre, and centres at a hundred times."""
        upper, lower, _g = self.heights(x)
        time, mode, events, parts = 0.0, "A" if upper > lower else "B", [], []
        found = {
            "A": [lambda _t, x: np.subtract(*self.heights(x)[1::-1])],
            "B": [lambda _t, x: np.subtract(*self.heights(x)[:2])],
            "AB": [lambda _t, x: -self.weight(x), lambda _t, x: self.weight(x) - 1],
        }
        for event in itertools.chain(*found.values()):
            event.terminal, event.direction = True, 1

        def part(end, until):
            piece = solve_ivp(lambda _t, x: self.velocity(mode, x), (time, end), x, "DOP853", rtol=1e-12, atol=1e-14,
                              events=until, dense_output=True, max_step=0.1)  # fmt: skip
            parts.append(piece)
            return piece.t[-1], piece.y[:, -1], piece

        while time < duration:
            if events and mode != "AB":  # away from where both were as high
                time, x, _piece = part(min(time + 0.02, duration), None)
            if time < duration:
                time, x, piece = part(duration, found[mode])
                if piece.status == 1 and mode == "AB":
                    mode = "B" if len(piece.t_events[0]) else "A"
                    events.append((time, LEAVE, 1, x))
                elif piece.status == 1:
                    share = self.weight(x)
                    mode = "AB" if 0 < share < 1 else "BA"[int(share >= 1)]
                    events.append((time, TOUCH, len(mode), x))
        times = np.linspace(0, duration, 101)[1:]
        path = [next(piece.sol(t) for piece in parts if t <= piece.t[-1]) for t in times]
        return events, x, np.array(path)


STARTS = np.array([[0.0, 1.0], [0.5, -0.5], [-1.0, 1.0], [2.0, 2.0]])
TIME = 12.0
FRAMES = np.linspace(0, TIME, 101)


def slide(crease, integrator=FINE, starts=STARTS, duration=TIME, save_at=FRAMES, **options):
    method = rb.IronedFlow(integrator, **options)
    return rb.simulate(crease.surface(), rb.Ball(crease.radius), method, start_center=starts, duration=duration,
                       save_at=save_at)  # fmt: skip


def events_of(run, ball):
    count = (run.events["kind"][ball] >= 0).sum()
    return [run.events[name][ball, :count] for name in ("time", "kind", "contacts", "center")]


@pytest.fixture(scope="module")
def truths():
    return [Crease().roll(start, TIME) for start in STARTS]


@pytest.fixture(scope="module")
def slid():
    return slide(Crease())


def test_touch_and_leave_events_are_those_of_an_independent_solution(truths, slid):
    kinds = [[event[1:3] for event in events] for events, _last, _path in truths]
    assert kinds[0] == [(TOUCH, 1), (TOUCH, 2), (LEAVE, 1), (TOUCH, 2), (LEAVE, 1), (TOUCH, 2), (LEAVE, 1)]
    first, second = (truths[0][0][k][3] for k in (2, 4))
    crease = Crease()
    upper, lower, _g = crease.heights(first + 1e-3 * crease.velocity("B", first))
    assert upper < lower  # once the plane is left,
    upper, lower, _g = crease.heights(second + 1e-3 * crease.velocity("A", second))
    assert upper > lower  # and once the wave
    for ball, (events, last, path) in enumerate(truths):
        time, kind, contacts, center = events_of(slid, ball)
        assert list(zip(kind, contacts, strict=True)) == kinds[ball]
        np.testing.assert_allclose(time, [event[0] for event in events], rtol=0, atol=1e-10)
        np.testing.assert_allclose(center, [event[3] for event in events], rtol=0, atol=1e-10)
        np.testing.assert_allclose(slid.center[-1, ball, :2], last, rtol=0, atol=1e-10)
        np.testing.assert_allclose(slid.center[1:, ball, :2], path, rtol=0, atol=1e-8)  # between steps
        np.testing.assert_allclose(slid.center[1:, ball, 2], [crease.top(x) for x in path], rtol=0, atol=1e-8)


def test_it_descends_all_along_and_never_sinks(slid):
    assert (slid.status == rb.Status.RUNNING).all()
    assert (np.diff(slid.center[..., 2], axis=0) < -1e-3).all()
    assert slid.gap.min() >= -1e-8
    assert np.abs(slid.gap).max() <= 1e-8


def test_both_contacts_are_as_high_at_every_event_and_one_carries_nothing_where_it_is_left(slid):
    crease, seen = Crease(), set()
    for ball in range(len(STARTS)):
        for _time, kind, contacts, x in zip(*events_of(slid, ball), strict=True):
            upper, lower, g = crease.heights(x)
            assert upper == pytest.approx(lower, abs=1e-10)
            found = rb.contacts(crease.surface(), x, crease.radius)
            assert found.count[0] == 2
            least = min(found.slopes[0, :2], key=np.linalg.norm)
            carried = min(crease.a, g, key=np.linalg.norm)
            np.testing.assert_allclose(least, carried, atol=1e-8)
            share = crease.weight(x)
            if kind == LEAVE:
                assert min(abs(share), abs(1 - share)) < 1e-9
                seen.add((kind, round(share)))
            else:
                assert (0 < share < 1) == (contacts == 2)
                seen.add((kind, contacts))
    assert seen == {(TOUCH, 1), (TOUCH, 2), (LEAVE, 0), (LEAVE, 1)}


def test_the_frames_before_and_after_an_event_hold_its_contacts(truths):
    for ball, (events, _last, _path) in enumerate(truths):
        times = np.array([event[0] for event in events])
        run = slide(Crease(), starts=STARTS[ball], save_at=np.sort(np.r_[times - 1e-4, times + 1e-4]))
        after = [event[2] for event in events]
        np.testing.assert_array_equal(run.contacts[::2, 0], [1, *after[:-1]])
        np.testing.assert_array_equal(run.contacts[1::2, 0], after)


@pytest.mark.parametrize("kind", ["turned by 1", "mirrored"])
def test_a_turned_surface_has_the_same_events_at_turned_places(truths, kind):
    q = np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]) @ np.diag([1, -1 if kind == "mirrored" else 1])
    run = slide(Crease().turned(q), starts=STARTS @ q.T)
    for ball, (events, _last, _path) in enumerate(truths):
        time, kinds, contacts, center = events_of(run, ball)
        assert list(zip(kinds, contacts, strict=True)) == [event[1:3] for event in events]
        np.testing.assert_allclose(time, [event[0] for event in events], rtol=0, atol=1e-10)
        np.testing.assert_allclose(center, [q @ event[3] for event in events], rtol=0, atol=1e-10)


@pytest.mark.parametrize("reproject", [True, False])
def test_rk4_keeps_its_order_across_touching_sliding_leaving_and_touching_again(reproject):
    crease, start, duration = Crease(), STARTS[0], 6.2
    events, last, _path = crease.roll(start, duration)
    assert [event[1] for event in events] == [TOUCH, TOUCH, LEAVE, TOUCH]
    counts, located, heights, plain = [40, 50, 63, 79, 100, 126, 159, 200], [], [], []
    for n in counts:
        h = duration / n
        run = slide(crease, rb.RK4(h), start, duration, [duration], reproject=reproject)
        assert events_of(run, 0)[1].tolist() == [TOUCH, TOUCH, LEAVE, TOUCH]
        located.append(np.linalg.norm(run.center[-1, 0, :2] - last))
        heights.append(abs(run.center[-1, 0, 2] - crease.top(last)))
        x = start
        for _ in range(n):  # the same method on the slope of whichever contact is higher
            stages = [np.zeros(2)]
            for share in (0.0, 0.5, 0.5, 1.0):
                upper, lower, g = crease.heights(x + share * h * stages[-1])
                stages.append(-crease.a if upper > lower else -g)
            x = x + h / 6 * np.array([0, 1, 2, 2, 1]) @ stages
        plain.append(np.linalg.norm(x - last))
    assert 4 - 0.15 < -np.polyfit(np.log(counts), np.log(located), 1)[0] < 4 + 0.25
    assert 4 - 0.15 < -np.polyfit(np.log(counts), np.log(heights), 1)[0] < 4 + 0.25
    assert -np.polyfit(np.log(counts), np.log(plain), 1)[0] < 1.6
    assert min(plain) > 100 * max(located)


def least(slopes):
    """The point of least norm in the convex hull of slopes in the plane, and the slopes that carry it: every face."""
    best, carrying = np.full(2, np.inf), []
    for size in (1, 2, 3):
        for face in itertools.combinations(range(len(slopes)), min(size, len(slopes))):
            g = slopes[list(face)]
            system = np.block([[g @ g.T, np.ones((len(g), 1))], [np.ones((1, len(g))), np.zeros((1, 1))]])
            weights = np.linalg.lstsq(system, np.eye(len(g) + 1)[-1], rcond=None)[0][:-1]
            if (weights >= -1e-12).all() and np.linalg.norm(weights @ g) < np.linalg.norm(best) - 1e-12:
                best, carrying = weights @ g, list(face)
    return best, carrying


def roll_on_planes(planes, offsets, radius, x, duration):
    """Events (time, kind, contacts) on the highest of planes: every velocity is constant from one to the next."""
    raised = offsets + radius * np.sqrt(1 + (planes**2).sum(axis=1))
    held, time, events = [np.argmax(planes @ x + raised)], 0.0, []
    while True:
        slope, carrying = least(planes[held])
        held = [held[k] for k in carrying]
        resting = np.linalg.norm(slope) < 1e-12
        if events:
            events[-1] = (time, REST if resting else TOUCH, len(held))
        heights, rates = planes @ x + raised, -planes @ slope
        closing = rates - rates[held[0]]
        closing[held] = 0
        wait = np.full(len(planes), np.inf)
        wait[closing > 1e-12] = ((heights[held[0]] - heights) / np.where(closing > 1e-12, closing, 1))[closing > 1e-12]
        if resting or time + wait.min() > duration:
            return events
        time, x = time + wait.min(), x - wait.min() * slope
        held.append(np.argmin(wait))
        events.append(())


@pytest.mark.parametrize("integrator", [rb.Euler(0.01), rb.RK4(0.01), FINE], ids=["euler", "rk4", "dopri5"])
def test_on_planes_every_integrator_finds_the_exact_events(integrator):
    seen = set()
    for seed in range(8):
        rng = np.random.default_rng(seed)
        planes, offsets, starts = rng.normal(size=(4, 2)), -rng.uniform(0, 1, 4), rng.uniform(-3, 3, (8, 2))
        surface = S.max_of_planes(planes, offsets)
        run = rb.simulate(surface, rb.Ball(0.7), rb.IronedFlow(integrator), start_center=starts, duration=6.0,
                          save_at=[6.0])  # fmt: skip
        assert run.gap.min() >= -1e-8
        for ball, start in enumerate(starts):
            expected = roll_on_planes(planes, offsets, 0.7, start, 6.0)
            time, kind, contacts, center = events_of(run, ball)
            assert list(zip(kind, contacts, strict=True)) == [event[1:] for event in expected]
            np.testing.assert_allclose(time, [event[0] for event in expected], rtol=0, atol=1e-10)
            seen.update(zip(kind.tolist(), contacts.tolist(), strict=True))
            if REST in kind:
                assert run.status[ball] == rb.Status.RESTING
                assert np.linalg.norm(rb.contacts(surface, center[-1], 0.7).slope) < 1e-9
    assert seen == {(TOUCH, 1), (TOUCH, 2), (REST, 3)}


@pytest.mark.parametrize("integrator", [FINE, rb.Euler(0.1)], ids=["dopri5", "euler"])
def test_two_contacts_that_appear_in_one_step_are_both_located(integrator):
    # the planes of slopes 2, 1 and 0.3 follow each other at x = 0 and x = -0.02
    planes = np.array([[2.0, 0.0], [1.0, 0.0], [0.3, 0.0]])
    offsets = [0.0, 0.0, -0.7 * 0.02] - 0.7 * np.sqrt(1 + planes[:, 0] ** 2)
    run = rb.simulate(S.max_of_planes(planes, offsets), rb.Ball(0.7), rb.IronedFlow(integrator),
                      start_center=[1.07, 0.0], duration=3.0, save_at=[3.0])  # fmt: skip
    assert run.events["kind"].tolist() == [[TOUCH, TOUCH]]
    np.testing.assert_allclose(run.events["time"], [[0.535, 0.555]], rtol=0, atol=1e-9)


@pytest.mark.parametrize("step", [0.1, 0.03])
def test_a_kink_narrower_than_a_fixed_step_is_located(step):
    # the planes of slopes 2 and 1.8 are as high at x = 0; their feet are 0.014 apart there
    planes = np.array([[2.0, 0.0], [1.8, 0.0]])
    surface = S.max_of_planes(planes, -0.7 * np.sqrt(1 + planes[:, 0] ** 2))
    run = rb.simulate(surface, rb.Ball(0.7), rb.IronedFlow(rb.Euler(step)), start_center=[1.07, 0.0], duration=1.0,
                      save_at=[1.0])  # fmt: skip
    assert run.events["kind"].tolist() == [[TOUCH]]
    assert run.events["time"][0, 0] == pytest.approx(0.535, abs=1e-9)


def test_along_a_ridge_line_it_rolls_in_ordinary_steps():
    # f = -|x| + y / 2, on the ridge: f_rho = y / 2 + w sqrt(rho^2 - x^2) with w = sqrt(5) / 2, so y' = -1 / 2
    surface = rb.formula("-abs(x) + 0.5*y", "x y")
    run = rb.simulate(surface, rb.Ball(0.5), rb.IronedFlow(FINE), start_center=[[0.0, 1.0]], duration=2.0,
                      save_at=[1.0, 2.0], gap=None)  # fmt: skip
    assert run.steps[0] < 1000
    np.testing.assert_allclose(run.center[:, 0, 1], [0.5, 0.0], rtol=0, atol=2e-8)  # as a ridge is found
    np.testing.assert_allclose(run.center[:, 0, 2], [0.25 + 0.5 * 5**0.5 / 2, 0.5 * 5**0.5 / 2], rtol=0, atol=2e-8)


def test_two_mirror_contacts_that_touch_at_once_stop_the_ball():
    # down the crease of two planes, whose floor two more planes close at the same time, mirrored
    surface = S.max_of_planes([[1.0, 0.5], [-1.0, 0.5], [0.7, -0.5], [-0.7, -0.5]])
    run = rb.simulate(surface, rb.Ball(0.5), rb.IronedFlow(FINE), start_center=[[0.0, 1.0], [0.0, 1.5]], duration=9.0,
                      save_at=np.linspace(0, 9, 31), gap=rb.GlobalProjection())  # fmt: skip
    assert (run.status == rb.Status.RESTING).all()
    assert (np.diff(run.center[..., -1], axis=0) <= 1e-12).all()
    assert run.gap.min() >= -1e-9
    np.testing.assert_allclose(run.center[-1, 0], run.center[-1, 1], atol=1e-9)
    np.testing.assert_allclose(rb.contacts(surface, run.center[-1, :, :2], 0.5).slope, 0, atol=1e-12)


@pytest.mark.parametrize(("integrator", "error"), [(rb.RK4(0.5), 2e-3), (FINE, 1e-9)], ids=["one step", "dopri5"])
def test_a_contact_left_and_another_touched_in_one_step_are_each_located(integrator, error):
    crease, start = Crease(size=0.56), STARTS[0]
    events, last, _path = crease.roll(start, 0.75)
    assert [event[1] for event in events] == [TOUCH, LEAVE]
    # a plane across the way, as high as A 0.018 after the wave B is left
    assert crease.heights(last)[0] > crease.heights(last)[1]
    plane = 0.2 * np.array([-crease.a[1], crease.a[0]])
    offset = crease.top(last) - plane @ last - crease.radius * np.sqrt(1 + plane @ plane)
    surface = S.formula(
        f"0.5*(({TEXT}) + e*x + q*y + o + abs(({TEXT}) - e*x - q*y - o))", "x y",
        {**dict(zip("abcdmn", [*crease.a, *crease.b, *crease.m], strict=True)), "s": crease.size,
         "e": plane[0], "q": plane[1], "o": offset},
    )  # fmt: skip
    run = rb.simulate(surface, rb.Ball(crease.radius), rb.IronedFlow(integrator), start_center=[start], duration=1.0,
                      save_at=[1.0])  # fmt: skip
    time, kind, _contacts, center = events_of(run, 0)
    assert kind.tolist()[:3] == [TOUCH, LEAVE, TOUCH]
    np.testing.assert_allclose(time[:3], [events[0][0], events[1][0], 0.75], rtol=0, atol=error)
    np.testing.assert_allclose(center[2], last, rtol=0, atol=error)


@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_a_ball_that_touches_a_round_bowl_all_around_rests_as_on_its_section(turn):
    # f = |x|^2 / 2 and radius 2: f_rho is a cone, and every foot on a circle touches at its tip
    surface, starts = S.quadratic(np.eye(2)), np.array([0.3, 1.0, 2.5])
    around = starts[:, None] * [np.cos(turn), np.sin(turn)]
    run = rb.simulate(surface, rb.Ball(2.0), rb.IronedFlow(FINE), start_center=around, duration=3.0, save_at=[3.0])
    section = rb.simulate(S.quadratic([[1.0]]), rb.Ball(2.0), rb.IronedFlow(FINE), start_center=starts[:, None],
                          duration=3.0, save_at=[3.0])  # fmt: skip
    assert (run.status == rb.Status.RESTING).all()
    assert (section.status == rb.Status.RESTING).all()
    for ball in range(len(starts)):
        time, kind, _contacts, center = events_of(run, ball)
        once = events_of(section, ball)[0]
        assert kind[-1] == REST
        assert time[0] == pytest.approx(once[-1], abs=1e-8)
        assert time[-1] == pytest.approx(once[-1], abs=1e-6)  # by then it has found enough of the circle
        np.testing.assert_allclose(center[-1], 0, atol=1e-9)
    np.testing.assert_allclose(run.center[0, :, 2], section.center[0, :, 1], rtol=0, atol=1e-8)
