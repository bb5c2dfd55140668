"""What a run records."""

from __future__ import annotations

FRAMES = ("step", "time", "foot", "center", "loss", "gap", "residual", "radius")  # first axis: frames


BODY = ("velocity", "spin", "energy", "normal_force", "slip")  # of balls with mass, first axis: frames


BALLS = ("status", "steps", "evaluations")  # first axis: balls
