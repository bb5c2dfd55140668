"""The derivative through a bounce, beside Newton's taped simulation of the same ball.

A ball is thrown at a floor without loss, and its height at the end is differentiated by its height and its vertical
speed at the start, which is known in closed form. Newton (``SolverSemiImplicit``, single precision) pushes a particle
out of the floor by a stiff spring and records its steps on a ``wp.Tape``. Of its stiffnesses and steps the best counts.
Run: python benchmarks/taped.py [--quick]
"""

import argparse
import importlib.metadata
import importlib.util
import itertools
import statistics
import sys
import time

import numpy as np
import warp as wp
from machine import hardware

import rollingball as rb

RADIUS, GRAVITY, HEIGHT, SPEED, DURATION = 0.1, 9.81, 1.0, -1.0, 0.7
STIFFNESSES, STEPS = (1e3, 1e4, 1e5), (200, 1000, 3000)


def exact():
    """The height of the centre at the end, and its derivatives by height and vertical speed at the start."""

    def end(height, speed):
        fall = (speed + np.sqrt(speed**2 + 2 * GRAVITY * (height - RADIUS))) / GRAVITY
        rest = DURATION - fall
        return RADIUS + (GRAVITY * fall - speed) * rest - GRAVITY / 2 * rest**2

    tiny = 1e-30  # a complex step has no rounding
    return end(HEIGHT, SPEED), np.array(
        [end(HEIGHT + 1j * tiny, SPEED).imag, end(HEIGHT, SPEED + 1j * tiny).imag]
    ) / tiny


def ours():
    method = rb.RigidBall(
        contact="unilateral", friction="none", restitution=1.0, gravity=GRAVITY, integrator=rb.Rattle(0.05)
    )
    run = rb.simulate(
        rb.surfaces.plane([0.0, 0.0]), rb.Ball(RADIUS), method, start_center=[[0.0, 0.0, HEIGHT]],
        start_velocity=[[0.5, 0.0, SPEED]], duration=DURATION, save_at=[0.0, DURATION], gap=None,
    )  # fmt: skip
    found = rb.derivatives(run, {"center": [[0.0, 0.0, 1.0]]})
    return run.center[-1, 0, 2], np.array([found.start[0, 2], found.velocity[0, 2]])


@wp.kernel
def height_of(places: wp.array(dtype=wp.vec3), height: wp.array(dtype=float)):
    height[0] = places[0][2]


class Taped:
    """The same ball in Newton, as a particle over a floor."""

    def __init__(self, stiffness: float, steps: int) -> None:
        import newton

        scene = newton.ModelBuilder(up_axis=newton.Axis.Z, gravity=(0.0, 0.0, -GRAVITY))
        scene.add_particle(pos=wp.vec3(0.0, 0.0, HEIGHT), vel=wp.vec3(0.5, 0.0, SPEED), mass=1.0, radius=RADIUS)
        scene.add_ground_plane(cfg=newton.ModelBuilder.ShapeConfig(ke=stiffness, kf=0.0, kd=0.0, mu=0.0))
        self.model = scene.finalize(device="cpu", requires_grad=True)
        self.model.soft_contact_ke, self.model.soft_contact_kd = stiffness, 0.0
        self.model.soft_contact_kf = self.model.soft_contact_mu = 0.0
        self.solver, self.step = newton.solvers.SolverSemiImplicit(self.model), DURATION / steps
        self.states, self.control = [self.model.state() for _ in range(steps + 1)], self.model.control()
        pipeline = newton.CollisionPipeline(
            self.model, broad_phase="explicit", soft_contact_gap=10.0, requires_grad=True
        )
        self.contacts = pipeline.contacts()
        pipeline.collide(self.states[0], self.contacts)  # once: there is only the floor
        self.height = wp.zeros(1, dtype=float, device="cpu", requires_grad=True)

    def __call__(self):
        """The height at the end, and its derivatives by height and vertical speed at the start."""
        with wp.Tape() as tape:
            for before, after in itertools.pairwise(self.states):
                before.clear_forces()
                self.solver.step(before, after, self.control, self.contacts, self.step)
            wp.launch(height_of, dim=1, inputs=[self.states[-1].particle_q, self.height], device="cpu")
        tape.backward(self.height)
        first = self.states[0]
        found = np.array([part.grad.numpy()[0, 2] for part in (first.particle_q, first.particle_qd)])
        end = float(self.height.numpy()[0])
        tape.zero()
        return end, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one stiffness, and few steps")
    quick = parser.parse_args().quick
    if importlib.util.find_spec("newton") is None:
        sys.exit("newton is missing: pip install rollingball[bench]")
    wp.config.log_level = wp.LOG_WARNING
    place, known = exact()
    print(f"newton {importlib.metadata.version('newton')}, warp {wp.__version__}, {hardware()}; medians of 7 rounds")
    print(f"{'':34}{'ms':>9}{'end':>12}{'by height':>12}{'by speed':>12}{'error':>10}")
    print(f"{'closed form':34}{'':9}{place:12.6f}{known[0]:12.6f}{known[1]:12.6f}")
    programs = {"rollingball": ours}
    settings = [(1e4, 200)] if quick else itertools.product(STIFFNESSES, STEPS)
    programs |= {f"newton, stiffness {k:.0e}, {steps} steps": Taped(k, steps) for k, steps in settings}
    took: dict[str, list[float]] = {name: [] for name in programs}
    results = {name: program() for name, program in programs.items()}  # compiled by this
    for _ in range(2 if quick else 7):
        for name, program in programs.items():
            began = time.perf_counter()
            program()
            took[name].append(time.perf_counter() - began)
    for name, (end, found) in results.items():
        error = np.abs(found - known).max()
        ms = 1e3 * statistics.median(took[name])
        print(f"{name:34}{ms:9.2f}{end:12.6f}{found[0]:12.6f}{found[1]:12.6f}{error:10.1e}")


if __name__ == "__main__":
    main()
