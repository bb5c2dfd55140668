"""Plain transcriptions of theory.md section 2, in the order of operations that the text has, and nothing else."""

import math

import numpy as np


def footpoint_rbo(loss, x, radius, lr, steps, projection_steps, step_size):
    """Algorithm 1 with the paper's projector; ``loss`` gives (f, g). Returns the feet (steps + 1, d)."""
    feet = [x.copy()]
    for _ in range(steps):
        f, g = loss(x)
        w = np.sqrt(1 + (g * g).sum())
        center, height = x - g * (radius / w), f + radius / w
        center, height = center - lr * g, height - lr * (g * g).sum()
        for _ in range(projection_steps):
            f, g = loss(x)
            x = x - step_size * ((x - center) + (f - height) * g)
        feet.append(x.copy())
    return np.array(feet)


def riemann(x):
    """Eq. 13 and its derivative, term by term."""
    f = g = 0.0
    for k in range(1, 101):
        square = float(k * k)
        f += math.sin(square * x[0]) / square
        g += math.cos(square * x[0])
    return f, np.array([g])


CENTERS = np.random.RandomState(0).uniform(-3, 3, (1000, 2))


def wells(x, width=0.1):
    """Eq. 14 and its gradient with the authors' centres."""
    away = x - CENTERS
    e = np.exp(-(away**2).sum(1) / width**2)
    return x @ x - e.sum(), 2 * x + 2 / width**2 * (e[:, None] * away).sum(0)
