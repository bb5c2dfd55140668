"""The sheet of robustness draws the numbers that it is given."""

import numpy as np
import pytest

import rollingball as rb
from rollingball.derivatives.robustness import Robustness


def result(radius):
    time = np.linspace(0, 1, 5)
    distance = np.outer(time, [0.1, 0.2])
    return Robustness(time, distance, 2 * time / radius, 0.05, True, (1.0, 1.2), True, 0.5, radius, (None, None))


def test_distances_and_bounds_are_those_of_the_results():
    found = [result(2.0), result(1.0)]
    left, right = rb.plot.robustness_sheet(found).axes
    lines = {line.get_label(): line.get_ydata() for line in left.lines}
    np.testing.assert_allclose(lines["ball of radius 1"], found[1].distance.max(axis=1))
    dashed = [line.get_ydata() for line in left.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(dashed, [found[1].bound, found[0].bound])
    measured, bound = right.lines
    assert list(measured.get_xdata()) == [1.0, 2.0]
    np.testing.assert_allclose(measured.get_ydata(), [0.2, 0.2])
    np.testing.assert_allclose(bound.get_ydata(), [2.0, 1.0])


@pytest.mark.parametrize("wrong", [[], ["no"]])
def test_what_is_no_result_is_refused(wrong):
    with pytest.raises(rb.InputError, match=r"^found: got"):
        rb.plot.robustness_sheet(wrong)
