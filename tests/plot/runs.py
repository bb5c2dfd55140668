"""Trajectories of drawn numbers, and surfaces that other tests have compiled."""

import numpy as np
from matplotlib.figure import Figure

import rollingball as rb

LINE, PLANE = rb.surfaces.sine(), rb.surfaces.quadratic([[1.0, 0.0], [0.0, 2.0]])
BOX = {1: [(-2.0, 2.0)], 2: [(-2.0, 2.0), (-1.0, 1.5)]}
SURFACE = {1: LINE, 2: PLANE}


def make(dim=2, frames=6, balls=3, radius=0.5, status=0, scale=1.0):
    """A trajectory of drawn numbers, inside the box."""
    rng = np.random.default_rng(dim)
    foot = np.clip(rng.normal(scale=0.5, size=(frames, balls, dim)), -0.9, 0.9)
    center = np.concatenate([foot + 0.05, 1.0 + rng.random((frames, balls, 1))], axis=-1)
    none = np.zeros((frames, balls))
    return rb.Trajectory(
        step=np.arange(frames),
        time=np.arange(frames) * 0.1,
        foot=foot,
        center=center,
        loss=rng.normal(size=(frames, balls)),
        gap=none,
        residual=none,
        radius=none + radius,
        status=np.zeros(balls, np.int32) + np.asarray(status, np.int32),
        steps=np.full(balls, frames - 1),
        evaluations=np.full(balls, frames),
        seconds=0.0,
        scene={"surface": {"type": "sine", "loss_scale": scale}},
    )


def new_axes():
    return Figure().subplots()
