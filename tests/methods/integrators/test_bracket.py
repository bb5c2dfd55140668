"""The location of events inside a step, and the cubic between the ends of a step."""

import numpy as np
import pytest
import warp as wp

from rollingball.methods.integrators.bracket import bracket, narrowed, next_guess
from rollingball.methods.integrators.stepper import hermite

FUNCTIONS = {
    "line": (lambda t: 3 * t - 1, 1 / 3),
    "cube": (lambda t: (t + 1) ** 3 - 4, 4 ** (1 / 3) - 1),
    "flat end": (lambda t: t**9 - 1e-6, 1e-6 ** (1 / 9)),  # the chords of regula falsi creep towards it
    "jump": (lambda t: 1.0 if t > 0.7 else -1e-9, 0.7),
}


def evaluations(function):
    """The zero of a function in [0, 1] by a bracket, as a Python function would use it, and how often it was asked."""

    @wp.kernel(module="unique", enable_backward=False)
    def begin(at_low: wp.float64, at_high: wp.float64, ends: wp.array(dtype=wp.float64)):
        around = bracket(at_low, wp.float64(1.0), at_high)
        ends[0] = around.low
        ends[1] = around.high
        ends[2] = around.at_low
        ends[3] = around.at_high
        ends[6] = next_guess(around)

    @wp.kernel(module="unique", enable_backward=False)
    def advance(value: wp.float64, ends: wp.array(dtype=wp.float64)):
        around = bracket(ends[2], ends[1], ends[3])
        around.low = ends[0]
        around.last = int(ends[4])
        around.rounds = int(ends[5])
        around = narrowed(around, ends[6], value)
        ends[0] = around.low
        ends[1] = around.high
        ends[2] = around.at_low
        ends[3] = around.at_high
        ends[4] = wp.float64(around.last)
        ends[5] = wp.float64(around.rounds)
        ends[6] = next_guess(around)

    ends = wp.zeros(7, dtype=wp.float64, device="cpu")
    wp.launch(begin, dim=1, inputs=[function(0.0), function(1.0), ends], device="cpu")
    asked = 0
    while ends.numpy()[1] - ends.numpy()[0] > 1e-15 and asked < 200:
        guess = ends.numpy()[6]
        assert ends.numpy()[0] <= guess <= ends.numpy()[1]
        value = function(guess)
        asked += 1
        if value == 0:
            return guess, asked
        wp.launch(advance, dim=1, inputs=[value, ends], device="cpu")
    return ends.numpy()[1], asked


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_bracket_closes_on_the_zero_of_a_function(name):
    function, zero = FUNCTIONS[name]
    found, asked = evaluations(function)
    assert found == pytest.approx(zero, abs=4e-15)
    assert asked <= {"line": 2, "cube": 15}.get(name, 100)


def test_the_cubic_between_two_ends_is_a_cubic_polynomial_wherever_it_is_one():
    random = np.random.default_rng(0)
    coefficients = random.normal(size=(4, 2))

    def polynomial(t):
        return sum(c * t**k for k, c in enumerate(coefficients))

    def slope(t):
        return sum(k * c * t ** (k - 1) for k, c in enumerate(coefficients) if k)

    @wp.kernel(module="unique", enable_backward=False)
    def between(
        ends: wp.array(dtype=wp.vec2d),
        share: wp.array(dtype=wp.float64),
        vectors: wp.array(dtype=wp.vec2d),
        numbers: wp.array(dtype=wp.float64),
    ):
        i = wp.tid()
        vectors[i] = hermite(ends[0], ends[1], ends[2], ends[3], share[i])
        numbers[i] = hermite(ends[0][0], ends[1][0], ends[2][0], ends[3][0], share[i])

    begin, h = 0.3, 1.7
    shares = np.linspace(0, 1, 7)
    ends = np.array([polynomial(begin), h * slope(begin), polynomial(begin + h), h * slope(begin + h)])
    vectors, numbers = wp.zeros(7, dtype=wp.vec2d, device="cpu"), wp.zeros(7, dtype=wp.float64, device="cpu")
    inputs = [wp.array(ends, dtype=wp.vec2d, device="cpu"), wp.array(shares, dtype=wp.float64, device="cpu")]
    wp.launch(between, dim=7, inputs=[*inputs, vectors, numbers], device="cpu")
    truth = np.array([polynomial(begin + h * share) for share in shares])
    np.testing.assert_allclose(vectors.numpy(), truth, atol=1e-13)
    np.testing.assert_allclose(numbers.numpy(), truth[:, 0], atol=1e-13)
