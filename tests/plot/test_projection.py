"""Paths in d > 2: which plane they are seen on, and that the picture says so."""

from dataclasses import replace

import numpy as np
import pytest

import rollingball as rb
from rollingball.plot import paths, sheet, view_of
from tests.plot.runs import make, new_axes


def drawn(ax):
    return [line.get_xydata() for line in ax.lines if len(line.get_xydata()) > 1]


def test_two_axes_show_these_coordinates():
    run = make(6, balls=2)
    ax = paths(run, new_axes(), axes=(0, 3))
    for ball, line in enumerate(drawn(ax)):
        np.testing.assert_array_equal(line, run.foot[:, ball][:, [0, 3]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$\\theta_1$", "$\\theta_4$")
    feet = run.foot.reshape(-1, 6) - run.foot.reshape(-1, 6).mean(axis=0)
    share = feet.var(axis=0)[[0, 3]].sum() / feet.var(axis=0).sum()
    assert ax.get_title() == f"d = 6, projected on θ₁ and θ₄: {share:.0%} of their variance"
    assert paths(make(12), new_axes(), axes=(11, 9)).get_xlabel() == "$\\theta_{12}$"


def test_the_principal_directions_are_those_of_the_feet():
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    flat = rng.normal(size=(7, 4, 2)) * [3.0, 1.0]
    run = replace(make(5, frames=7, balls=4), foot=flat @ turn[:2] + rng.normal(size=5))
    ax = paths(run, new_axes())
    assert ax.get_title() == "d = 5, on the principal directions of the feet: 100% of their variance"
    shown = np.stack(drawn(ax), axis=1)  # distances in the plane are kept, since the feet lie in one
    np.testing.assert_allclose(
        np.linalg.norm(np.diff(shown, axis=0), axis=-1), np.linalg.norm(np.diff(flat, axis=0), axis=-1), rtol=1e-9
    )
    spread = shown.reshape(-1, 2)
    np.testing.assert_allclose(np.cov(spread.T)[0, 1], 0, atol=1e-9)
    shares = spread.var(axis=0) / spread.var(axis=0).sum()
    assert shares[0] > shares[1]
    assert (ax.get_xlabel(), ax.get_ylabel()) == tuple(
        f"principal direction {k + 1} ({shares[k]:.0%})" for k in range(2)
    )


@pytest.mark.parametrize("frames", [3, 40])
def test_directions_are_the_eigenvectors_of_the_covariance_with_few_points_and_with_many(frames):
    run = make(9, frames=frames, balls=2)
    view = view_of([run])
    feet = run.foot.reshape(-1, 9)
    values, vectors = np.linalg.eigh(np.cov(feet.T))
    np.testing.assert_allclose(view.directions @ view.directions.T, np.eye(2), atol=1e-12)
    for direction, vector in zip(view.directions, vectors.T[::-1], strict=False):
        assert abs(direction @ vector) == pytest.approx(1, abs=1e-9)
        assert direction[np.abs(direction).argmax()] > 0
    assert f"{values[-2:].sum() / values.sum():.0%}" in view.words


def test_one_point_and_lost_frames_have_a_picture():
    still = make(4, frames=1, balls=1)
    ax = paths(still, new_axes())
    assert ax.get_title() == "d = 4, on the principal directions of the feet"
    lost = make(4)
    lost.foot[2:, 1] = np.nan
    assert np.isfinite(view_of([lost]).directions).all()
    lost.foot[:] = np.nan
    np.testing.assert_array_equal(view_of([lost]).directions, np.eye(2, 4))


def test_feet_on_a_line_still_have_two_directions():
    run = replace(make(3, frames=5, balls=1), foot=np.linspace(0, 1, 5)[:, None, None] * np.array([1.0, 2.0, 2.0]))
    view = view_of([run])
    np.testing.assert_allclose(view.directions[0], np.array([1, 2, 2]) / 3, atol=1e-9)
    np.testing.assert_allclose(view.directions @ view.directions.T, np.eye(2), atol=1e-12)


@pytest.mark.parametrize("axes", [(0, 4), (1, 1), (0.5, 1), (-1, 0), (0, 1, 2), "ab", 3, (0, None)])
def test_axes_that_are_not_there_are_refused(axes):
    with pytest.raises(rb.InputError, match=r"^axes: got "):
        paths(make(4), axes=axes)


def test_a_sheet_shows_all_runs_on_one_plane_and_says_which():
    runs = {"a": make(5, balls=2), "b": make(5, balls=3, radius=1.0)}
    surface = rb.surfaces.quadratic(np.eye(5))
    figure = sheet(runs, surface, title="t")
    view = view_of(runs.values())
    assert view.words in figure.get_suptitle()
    for ax, run in zip(figure.axes, runs.values(), strict=True):
        np.testing.assert_allclose(drawn(ax)[0], view(run.foot)[:, 0], atol=1e-12)
    assert "projected on θ₁ and θ₃" in sheet(runs, surface, axes=(0, 2)).get_suptitle()
