"""Pictures of ironing: the curves are f_rho, the balls are round and touch, the dots are contacts."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Circle

import rollingball as rb
from rollingball.plot import ironed_contour, ironing, ironing_sheet, offset, relief, sheet

SINE, BOX = rb.surfaces.sine(), [(-6.0, 6.0)]


def new_axes():
    return Figure().subplots()


def test_the_offset_is_f_rho():
    ax = offset(SINE, 2.0, BOX, new_axes(), points=51)
    x, y = ax.lines[0].get_xydata().T
    np.testing.assert_allclose(y, rb.contacts(SINE, x[:, None], 2.0).height, rtol=0, atol=1e-12)
    assert (x[0], x[-1]) == BOX[0]


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_each_ball_rests_on_all_its_contacts(scale):
    surface = SINE.scaled(scale)
    ax = ironing(surface, [0.5, 4.0], BOX, new_axes(), points=101)
    assert ax.get_aspect() == 1.0
    balls = [patch for patch in ax.patches if isinstance(patch, Circle)]
    assert [ball.radius for ball in balls] == [0.5, 4.0]
    marked = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
    for ball, center, feet, count in zip(balls, marked[::2], marked[1::2], (1, 2), strict=True):
        np.testing.assert_allclose(center[0], ball.center)
        assert len(feet) == count
        np.testing.assert_allclose(np.linalg.norm(feet - center, axis=1), ball.radius, rtol=1e-6)
        np.testing.assert_allclose(feet[:, 1], scale * np.sin(feet[:, 0]), atol=1e-12)
    dots = [line.get_xydata() for line in ax.lines if line.get_marker() == "."]
    bottoms = [np.abs(dot[:, 0] + np.pi / 2).min() for dot in dots]
    assert bottoms[0] < 0.1  # the small ball goes everywhere
    assert bottoms[1] > 1.0  # the large one does not


def test_relief_has_a_curve_and_a_limit_for_each_graph():
    radii = np.array([1.0, 10.0, 100.0])
    ax = relief(
        radii, {"full": 2 / radii, "truncated": 3 / radii}, {"full": 2.0, "truncated": float("nan")}, new_axes()
    )
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["full graph", "2 / $\\rho$", "truncated graph"]
    assert ax.get_xscale() == ax.get_yscale() == "log"


def test_contours_of_f_rho_mark_what_can_be_touched():
    ax = ironed_contour(rb.surfaces.quadratic([[2.0, 0.0], [0.0, 2.0]]), 1.0, [(-1, 1), (-1, 1)], new_axes(), points=41)
    touched = ax.lines[0].get_xydata()
    assert np.linalg.norm(touched, axis=1).min() == pytest.approx(np.sqrt(0.75), abs=0.06)  # G03: the ball is wedged
    assert ax.get_aspect() == 1.0
    with pytest.raises(rb.InputError, match="radius"):
        ironed_contour(rb.surfaces.sine(2), 0.01, [(-1, 1), (-1, 1)], new_axes())


def test_the_sheet_has_a_panel_for_each_radius_in_the_plane_and_two_on_the_line():
    deltas = {"full": np.array([2.0, 1.0])}
    on_line = ironing_sheet(SINE, [0.5, 1.0], BOX, "t", deltas, [1.0, 2.0], {"full": 3.0})
    assert len(on_line.axes) == 2
    in_plane = ironing_sheet(rb.surfaces.sine(2), [0.5, 1.0], [(-3, 3), (-3, 3)], "t")
    assert [ax.get_title() for ax in in_plane.axes] == ["$f$", "$f_\\rho$, $\\rho$ = 0.5", "$f_\\rho$, $\\rho$ = 1"]


def test_a_sheet_of_runs_shows_the_exact_offset_where_it_is_asked_for():
    run = rb.simulate(SINE, rb.Ball([0.5, 2.0]), rb.FootpointRBO(0.05), start=[0.9], steps=5, gap=None)
    plain, exact = sheet({"a": run}, SINE, BOX), sheet({"a": run}, SINE, BOX, ironed=True)
    for before, after, radius in zip(plain.axes, exact.axes, (0.5, 2.0), strict=True):
        assert len(after.lines) == len(before.lines) + 1
        x, y = after.lines[-1].get_xydata().T
        np.testing.assert_allclose(y, rb.contacts(SINE, x[:, None], radius).height, atol=1e-12)
