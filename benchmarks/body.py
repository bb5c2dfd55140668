"""Balls with mass beside mujoco: a sphere on an incline and in a bowl (a height field), and balls x steps per second.

mujoco's contact is soft (a sphere sinks in until a spring and a damper carry it), its step is of first order, and its
height field is made of triangles, so trajectories agree to that and not to rounding: with its step, the time constant
of its contact and its triangles the difference shrinks. Run: python benchmarks/body.py [--quick]
"""

import argparse
import statistics
import time

import numpy as np
import warp as wp
from machine import hardware

import rollingball as rb

RADIUS, STEP, SLOPE = 0.1, 1e-3, np.tan(np.pi / 12)


def mujoco_model(terrain: str, step: float, asset: str = ""):
    """A sphere on some terrain, its contact as stiff as the step allows."""
    import mujoco

    touch = f'solref="{2 * step} 1" solimp="0.999 0.9999 0.0001" condim="3" friction="1 0 0"'
    return mujoco.MjModel.from_xml_string(
        f"""
<mujoco>
  <option timestep="{step}" gravity="0 0 -9.81" integrator="implicitfast" cone="elliptic" impratio="10"/>
  <asset>{asset}</asset>
  <worldbody>
    <geom {terrain} {touch}/>
    <body name="ball"><freejoint/>
      <geom type="sphere" size="{RADIUS}" mass="1" {touch}/></body>
  </worldbody>
</mujoco>"""
    )


def incline_model(step: float = STEP):
    angle = np.degrees(np.arctan(SLOPE))
    return mujoco_model(f'type="plane" size="50 50 1" euler="0 {-angle} 0"', step)


def bowl_model(points: int, step: float = STEP):
    """The paraboloid |x|^2 / 2 over [-1.2, 1.2]^2 as a height field."""
    half, side = 1.2, np.linspace(-1.2, 1.2, points)
    heights = (side[:, None] ** 2 + side[None] ** 2) / 2
    top = heights.max()
    size = f'nrow="{points}" ncol="{points}" size="{half} {half} {top} 0.1"'
    model = mujoco_model('type="hfield" hfield="bowl"', step, f'<hfield name="bowl" {size}/>')
    model.hfield_data[:] = (heights / top).ravel()
    return model


def roll_mujoco(model, center, velocity, spin, times):
    """Centres and velocities at the times, and the contacts' greatest depth."""
    import mujoco

    data = mujoco.MjData(model)
    data.qpos[:3], data.qvel[:3], data.qvel[3:6] = center, velocity, spin
    centers, velocities, depth = [], [], 0.0
    every = round(times[1] / model.opt.timestep)
    for step in range(every * (len(times) - 1) + 1):
        if step % every == 0:
            centers.append(data.qpos[:3].copy())
            velocities.append(data.qvel[:3].copy())
        mujoco.mj_step(model, data)
        depth = max([depth, *(-contact.dist for contact in data.contact)])
    return np.array(centers), np.array(velocities), depth


def ours(surface, duration, times, start, velocity, **options):
    method = rb.RigidBall(friction="no-slip", integrator=rb.Rattle(STEP), **options)
    ball = rb.Ball(RADIUS, inertia=0.4)
    return rb.simulate(
        surface, ball, method, start=start, start_velocity=velocity, duration=duration, save_at=times, gap=None
    )


def agree(name, surface, model, start, velocity, times):
    run = ours(surface, times[-1], times, start, velocity, search=None)
    theirs, speeds, depth = roll_mujoco(model, run.center[0, 0], run.velocity[0, 0], run.spin[0, 0], times)
    apart = np.linalg.norm(theirs - run.center[:, 0], axis=1)
    path = np.linalg.norm(np.diff(run.center[:, 0], axis=0), axis=1).sum()
    print(
        f"{name:34} {model.opt.timestep:9.0e} {path:8.3f} {apart.max():12.2e} {apart.max() / path:12.1e} {depth:12.1e} "
        f"{abs(energy(theirs, speeds)).max():12.1e} {np.ptp(run.energy):12.1e}"
    )


def energy(centers, speeds):
    """Of a sphere that rolls, less that at the start."""
    total = 0.7 * (speeds**2).sum(axis=1) + 9.81 * centers[:, 2]
    return total - total[0]


def rates(surface, model, start, velocity, balls, repeats, search):
    """Median balls x steps per second of both, one thread each."""
    import mujoco

    steps, few = 2000, 2000
    starts = np.tile(start, (balls, 1)) + np.random.default_rng(0).uniform(-0.01, 0.01, (balls, 2))
    seconds, theirs = [], []
    for repeat in range(repeats + 1):
        method = rb.RigidBall(friction="no-slip", integrator=rb.Rattle(STEP), search=search)
        run = rb.simulate(
            surface, rb.Ball(RADIUS, inertia=0.4), method, start=starts, start_velocity=velocity, duration=steps * STEP,
            save_at=[0.0, steps * STEP], gap=None, threads=1,
        )  # fmt: skip
        data = mujoco.MjData(model)
        data.qpos[:3], data.qvel[:3], data.qvel[3:6] = run.center[0, 0], run.velocity[0, 0], run.spin[0, 0]
        began = time.perf_counter()
        mujoco.mj_step(model, data, few)
        if repeat:  # the first warms up
            theirs.append(few / (time.perf_counter() - began))
            seconds.append(balls * steps / run.seconds)
    return statistics.median(seconds), statistics.median(theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer balls and a coarser height field")
    quick = parser.parse_args().quick
    import mujoco

    wp.config.log_level = wp.LOG_WARNING
    print(f"mujoco {mujoco.__version__}, warp {wp.__version__}, {hardware()}; float64, steps of {STEP:g}\n")
    incline = rb.surfaces.plane([SLOPE, 0.0])
    bowl = rb.surfaces.quadratic([[1.0, 0.0], [0.0, 1.0]])
    times = np.linspace(0, 2, 21)
    heads = "".join(f"{head:>13}" for head in ("apart", "of the way", "its depth", "its dE", "our dE"))
    print(f"{'scene':34} {'its step':>9} {'way':>8}{heads}")
    for step in (1e-3, 1e-4):
        agree("incline, from rest", incline, incline_model(step), [0.0, 0.0], [0.0, 0.0], times)
        agree("incline, pushed across", incline, incline_model(step), [0.0, 0.0], [0.3, 1.0], times)
    for points, step in ((61, 1e-3), (241, 1e-3)) if quick else ((61, 1e-3), (241, 1e-3), (241, 1e-4), (961, 1e-4)):
        agree(f"bowl, {points} x {points} heights", bowl, bowl_model(points, step), [0.8, 0.0], [0.0, 1.0], times)
    balls, repeats, points = (100, 5, 61) if quick else (1000, 7, 241)
    print(f"\nballs x steps per second, one thread, median of {repeats}; {balls} balls here, one there")
    cases = [("incline", incline, incline_model(), [0.0, 0.0]), ("bowl", bowl, bowl_model(points), [0.8, 0.0])]
    for name, surface, model, start in cases:
        for label, search in (("contact followed", None), ("all contacts sought", rb.GlobalProjection(nodes=10_000))):
            mine, theirs = rates(
                surface, model, start, [0.0, 1.0], balls if search is None else balls // 10, repeats, search
            )
            print(
                f"{name:10} {label:20} rollingball {mine:12,.0f}   mujoco {theirs:10,.0f}   ratio {mine / theirs:6.1f}"
            )


if __name__ == "__main__":
    main()
