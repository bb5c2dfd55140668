"""The classics of optimisation: rosenbrock, rastrigin, ackley, himmelblau, whitley."""

from typing import Any

import warp as wp

from rollingball.errors import scalar, whole
from rollingball.surfaces.base import Surface, analytic
from rollingball.surfaces.catalogue import catalogued
from rollingball.surfaces.smooth import zero_matrix

TAU = wp.constant(wp.float64(6.283185307179586))


@wp.func
def rosenbrock_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x) - 1):
        valley = x[i + 1] - x[i] * x[i]
        total += p.b * valley * valley + (p.a - x[i]) * (p.a - x[i])
    return total


@wp.func
def rosenbrock_gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    for i in range(len(x) - 1):
        valley = x[i + 1] - x[i] * x[i]
        slope[i] += -x.dtype(4.0) * p.b * valley * x[i] - x.dtype(2.0) * (p.a - x[i])
        slope[i + 1] += x.dtype(2.0) * p.b * valley
    return slope


@wp.func
def rosenbrock_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for i in range(len(x) - 1):
        bend[i, i] += p.b * (x.dtype(12.0) * x[i] * x[i] - x.dtype(4.0) * x[i + 1]) + x.dtype(2.0)
        bend[i, i + 1] += -x.dtype(4.0) * p.b * x[i]
        bend[i + 1, i] += -x.dtype(4.0) * p.b * x[i]
        bend[i + 1, i + 1] += x.dtype(2.0) * p.b
    return bend


@catalogued
def rosenbrock(dim: int = 2, a: float = 1.0, b: float = 100.0, loss_scale: float = 1.0) -> Surface:
    """Rosenbrock's valley: the sum over i of b (x_(i+1) - x_i^2)^2 + (a - x_i)^2, in at least two dimensions."""
    params = {"a": scalar("a", a), "b": scalar("b", b)}
    builder = analytic(rosenbrock_value, rosenbrock_gradient, rosenbrock_hessian)
    return Surface("", whole("dim", dim, 2), builder, params, loss_scale)


@wp.func
def rastrigin_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        total += x[i] * x[i] + p.amplitude * (x.dtype(1.0) - wp.cos(x.dtype(TAU) * x[i]))
    return total


@wp.func
def rastrigin_gradient(x: Any, p: Any):
    slope = x
    for i in range(len(x)):
        slope[i] = x.dtype(2.0) * x[i] + p.amplitude * x.dtype(TAU) * wp.sin(x.dtype(TAU) * x[i])
    return slope


@wp.func
def rastrigin_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    tau = x.dtype(TAU)
    for i in range(len(x)):
        bend[i, i] = x.dtype(2.0) + p.amplitude * tau * tau * wp.cos(tau * x[i])
    return bend


@catalogued
def rastrigin(dim: int = 2, amplitude: float = 10.0, loss_scale: float = 1.0) -> Surface:
    """Rastrigin's function: the sum over i of x_i^2 + amplitude (1 - cos 2 pi x_i)."""
    params = {"amplitude": scalar("amplitude", amplitude)}
    builder = analytic(rastrigin_value, rastrigin_gradient, rastrigin_hessian)
    return Surface("", whole("dim", dim, 1), builder, params, loss_scale)


@wp.func
def ackley_cosines(x: Any):
    """Exp of the mean of cos 2 pi x_i."""
    mean = x.dtype(0.0)
    for i in range(len(x)):
        mean += wp.cos(x.dtype(TAU) * x[i])
    return wp.exp(mean / x.dtype(len(x)))


@wp.func
def ackley_value(x: Any, p: Any):
    root = wp.sqrt(wp.dot(x, x) / x.dtype(len(x)))
    ripples = wp.exp(x.dtype(1.0)) - ackley_cosines(x)
    return x.dtype(20.0) * (x.dtype(1.0) - wp.exp(-x.dtype(0.2) * root)) + ripples


@wp.func
def ackley_gradient(x: Any, p: Any):
    n = x.dtype(len(x))
    root = wp.sqrt(wp.dot(x, x) / n)
    slope = x * x.dtype(0.0)
    if root > x.dtype(0.0):
        slope = x * (x.dtype(4.0) * wp.exp(-x.dtype(0.2) * root) / (n * root))
    ripples = ackley_cosines(x) * x.dtype(TAU) / n
    for i in range(len(x)):
        slope[i] += ripples * wp.sin(x.dtype(TAU) * x[i])
    return slope


@wp.func
def ackley_hessian(x: Any, p: Any):
    n = x.dtype(len(x))
    root = wp.sqrt(wp.dot(x, x) / n)
    bend = zero_matrix(x)
    if root > x.dtype(0.0):
        cone = x.dtype(4.0) * wp.exp(-x.dtype(0.2) * root) / (n * root)
        bend = wp.outer(x, x) * (-cone * (x.dtype(0.2) + x.dtype(1.0) / root) / (n * root))
        for i in range(len(x)):
            bend[i, i] += cone
    tau = x.dtype(TAU)
    ripples = ackley_cosines(x) * tau * tau / n
    for i in range(len(x)):
        bend[i, i] += ripples * wp.cos(tau * x[i])
        for j in range(len(x)):
            bend[i, j] -= ripples * wp.sin(tau * x[i]) * wp.sin(tau * x[j]) / n
    return bend


@catalogued
def ackley(dim: int = 2, loss_scale: float = 1.0) -> Surface:
    """Ackley's function; a cone at its minimum 0, where the gradient given is 0 and the cone's Hessian is left out."""
    builder = analytic(ackley_value, ackley_gradient, ackley_hessian)
    return Surface("", whole("dim", dim, 1), builder, {}, loss_scale)


@wp.func
def himmelblau_value(x: Any, p: Any):
    u = x[0] * x[0] + x[1] - x.dtype(11.0)
    v = x[0] + x[1] * x[1] - x.dtype(7.0)
    return u * u + v * v


@wp.func
def himmelblau_gradient(x: Any, p: Any):
    u = x[0] * x[0] + x[1] - x.dtype(11.0)
    v = x[0] + x[1] * x[1] - x.dtype(7.0)
    slope = x
    slope[0] = x.dtype(4.0) * x[0] * u + x.dtype(2.0) * v
    slope[1] = x.dtype(2.0) * u + x.dtype(4.0) * x[1] * v
    return slope


@wp.func
def himmelblau_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    bend[0, 0] = x.dtype(12.0) * x[0] * x[0] + x.dtype(4.0) * x[1] - x.dtype(42.0)
    bend[1, 1] = x.dtype(12.0) * x[1] * x[1] + x.dtype(4.0) * x[0] - x.dtype(26.0)
    bend[0, 1] = x.dtype(4.0) * (x[0] + x[1])
    bend[1, 0] = bend[0, 1]
    return bend


@catalogued
def himmelblau(loss_scale: float = 1.0) -> Surface:
    """Himmelblau's function (x^2 + y - 11)^2 + (x + y^2 - 7)^2, with four minima of height 0."""
    builder = analytic(himmelblau_value, himmelblau_gradient, himmelblau_hessian)
    return Surface("", 2, builder, {}, loss_scale)


@wp.func
def whitley_inner(a: Any, b: Any):
    """The Rosenbrock term y(a, b) inside Whitley's function."""
    return type(a)(100.0) * (a * a - b) * (a * a - b) + (type(a)(1.0) - b) * (type(a)(1.0) - b)


@wp.func
def whitley_slope(x: Any, i: int, j: int):
    """The gradient of y(x_i, x_j) with respect to x."""
    slope = x * x.dtype(0.0)
    bow = x[i] * x[i] - x[j]
    slope[i] += x.dtype(400.0) * x[i] * bow
    slope[j] += -x.dtype(200.0) * bow - x.dtype(2.0) * (x.dtype(1.0) - x[j])
    return slope


@wp.func
def whitley_value(x: Any, p: Any):
    total = x.dtype(0.0)
    for i in range(len(x)):
        for j in range(len(x)):
            y = whitley_inner(x[i], x[j])
            total += y * y / x.dtype(4000.0) - wp.cos(y) + x.dtype(1.0)
    return total


@wp.func
def whitley_gradient(x: Any, p: Any):
    slope = x * x.dtype(0.0)
    for i in range(len(x)):
        for j in range(len(x)):
            y = whitley_inner(x[i], x[j])
            slope += whitley_slope(x, i, j) * (y / x.dtype(2000.0) + wp.sin(y))
    return slope


@wp.func
def whitley_hessian(x: Any, p: Any):
    bend = zero_matrix(x)
    for i in range(len(x)):
        for j in range(len(x)):
            y = whitley_inner(x[i], x[j])
            first = y / x.dtype(2000.0) + wp.sin(y)
            second = x.dtype(1.0) / x.dtype(2000.0) + wp.cos(y)
            slope = whitley_slope(x, i, j)
            bend += wp.outer(slope, slope) * second
            bend[i, i] += first * (x.dtype(1200.0) * x[i] * x[i] - x.dtype(400.0) * x[j])
            bend[i, j] -= first * x.dtype(400.0) * x[i]
            bend[j, i] -= first * x.dtype(400.0) * x[i]
            bend[j, j] += first * x.dtype(202.0)
    return bend


@catalogued
def whitley(dim: int = 2, loss_scale: float = 1.0) -> Surface:
    """Whitley's function: sum over i, j of y^2/4000 - cos y + 1, y = 100 (x_i^2 - x_j)^2 + (1 - x_j)^2."""
    builder = analytic(whitley_value, whitley_gradient, whitley_hessian)
    return Surface("", whole("dim", dim, 1), builder, {}, loss_scale)
