"""The ball as a body with mass: one that rolls without slip keeps its energy, one that bounces comes to rest."""

from pathlib import Path

import numpy as np
import tyro

import rollingball as rb


def main(small: bool = False, out: Path = Path("out/examples")) -> dict[str, float]:
    """Roll both, print their energies and the events, and draw the energies.

    Args:
        small: Shorter.
        out: The folder of the picture.
    """
    sine, ball, duration = rb.surfaces.sine(), rb.Ball(radius=0.4, mass=1.0), 2.0 if small else 8.0
    rolling = rb.RigidBall(friction="no-slip", integrator=rb.Rattle(1e-3))
    kept = rb.simulate(sine, ball, rolling, start=[1.2], duration=duration)
    drift = float(np.ptp(kept.energy) / kept.energy[0, 0])
    print(f"rolling without slip: energy {kept.energy[0, 0]:.4f}, kept to {drift:.1e} of it")

    bouncing = rb.RigidBall(contact="unilateral", restitution=0.6, friction=0.2)
    start = {"start_center": [[1.0, 3.5]], "start_velocity": [[3.0]]}
    hops = rb.simulate(sine, ball, bouncing, **start, duration=duration)
    impacts = int((hops.events["kind"][0] == rb.Event.TOUCH).sum())
    lost = float(hops.energy[0, 0] - hops.energy[-1, 0])
    print(f"bouncing: {impacts} impacts, energy from {hops.energy[0, 0]:.3f} to {hops.energy[-1, 0]:.3f}")
    print(f"least normal force {hops.normal_force.min():.3f}, least gap {hops.gap.min():.1e}")

    out.mkdir(parents=True, exist_ok=True)
    runs = {"rolls without slip": kept, "bounces, restitution 0.6": hops}
    (out / "06_ball_with_mass.png").write_bytes(rb.plot.png(rb.plot.energy_sheet(runs, "Balls with mass on a sine")))
    rises = float(np.diff(hops.energy[:, 0]).max())
    return {"drift": drift, "impacts": impacts, "lost": lost, "rises": rises, "gap": float(hops.gap.min())}


if __name__ == "__main__":
    tyro.cli(main)
