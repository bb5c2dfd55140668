"""The noun Trajectory: what was recorded of a run, as numpy arrays. It knows no other part of the library."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rollingball.core.errors import InputError, numbers, within_rounding
from rollingball.core.files import checked_path
from rollingball.runs import tables, trajectory_file
from rollingball.runs.fields import FIELDS
from rollingball.runs.joining import joined
from rollingball.runs.motion import energy_parts, history
from rollingball.runs.told import picked
from rollingball.runs.words import depths, endings, feet, inside, messages

MOST_READ = 2**20  # frames x balls


@dataclass(frozen=True, eq=False)
class Trajectory:
    """T frames of B balls on a surface over R^d.

    Attributes:
        step: How many steps were done at each frame (T,); frame 0 is the start.
        time: The sum of the learning rates of those steps (T,), or (T, B) where balls have their own.
        foot: The footpoint theta (T, B, d), in the precision of the run.
        center: The centre (T, B, d + 1) in R^(d+1), its last coordinate on the graph of loss_scale * f; the point
            itself for methods without a ball.
        loss: f at the foot (T, B), not scaled.
        gap: d_Gamma(center) - radius (T, B); 0 for a ball that touches, and for methods without a ball. It is
            measured from many seeds, so it is an upper bound; ``certified`` says whether it is more than that.
        residual: |R| of the footpoint condition at the foot that the method found (T, B).
        radius: The radius of each ball at each frame (T, B); rho for SAM, 0 for methods that have none.
        status: How each ball ended (B,), a :class:`~rollingball.core.status.Status`.
        steps: The steps each ball made before it ended (B,).
        evaluations: Evaluations of the loss, with whatever derivatives, for each ball (B,), without those for ``gap``.
        seconds: The time of the rollout, without compiling and without measuring ``gap``.
        scene: What made it: surface, ball, run, seed, versions, device.
        state: The final state by field, from which a run goes on; None after slicing it away.
        certified: Whether it is proved that no ball is nearer to the surface at a frame than ``gap`` says: by the
            search for the gap, where one with a proof was asked for, or since all paths are proved (``path_proved``).
        contacts: How many contacts a continuous method knew at each frame (T, B); None for a discrete one.
        events: Of a continuous method: ``time`` (B, E), ``kind`` (B, E), an :class:`~rollingball.Event`, ``contacts``
            (B, E) after it, ``center`` (B, E, d). None for a discrete one.
        velocity: Of a ball with mass, and so are those below: the velocity of the centre (T, B, d + 1).
        spin: The angular velocity: (T, B, 3) in d = 2; (T, B, 1) in d = 1, above 0 as when it rolls to the right;
            None in d > 2.
        energy: E = m |c'|^2 / 2 + I |spin|^2 / 2 + m a c_y (T, B).
        normal_force: N (T, B), 0 in flight; below 0 where a bilateral contact pulls.
        slip: The speed of the ball's material at the contact (T, B); 0 in flight.
    """

    step: np.ndarray
    time: np.ndarray
    foot: np.ndarray
    center: np.ndarray
    loss: np.ndarray
    gap: np.ndarray
    residual: np.ndarray
    radius: np.ndarray
    status: np.ndarray
    steps: np.ndarray
    evaluations: np.ndarray
    seconds: float
    scene: dict[str, Any] = field(default_factory=dict)
    state: dict[str, np.ndarray] | None = None
    certified: bool = False
    contacts: np.ndarray | None = None
    events: dict[str, np.ndarray] | None = None
    velocity: np.ndarray | None = None
    spin: np.ndarray | None = None
    energy: np.ndarray | None = None
    normal_force: np.ndarray | None = None
    slip: np.ndarray | None = None

    if TYPE_CHECKING:  # rollingball/__init__.py attaches it, since torch stands above this room

        def to_torch(self, device: Any = None) -> Any:
            """The arrays as torch tensors."""

    @property
    def dim(self) -> int:
        """The dimension d of the parameter space."""
        return int(self.foot.shape[2])

    @property
    def balls(self) -> int:
        """The number of balls B."""
        return int(self.foot.shape[1])

    @property
    def depth(self) -> np.ndarray:
        """How deep each ball was inside the surface at the worst of the frames (B,), in radii; 0 for one that was not.

        It is 0 for points, and where no gap was measured.
        """
        return depths(self)

    @property
    def path_proved(self) -> np.ndarray:
        """Whether it is proved of each ball that nothing came into it on all its way, between the frames too (B,).

        It is a matter of methods in continuous time, on surfaces with known bounds: of balls below the upper reach in
        any number of dimensions, of others in one and two, where their ways are swept (theory, section 11). What comes
        no deeper than 1e-8 of the radius does not count. False where the final state was sliced away.
        """
        state = self.state or {}
        if "unproved" not in state:
            return np.zeros(self.balls, dtype=bool)
        proved: np.ndarray = (state["unproved"] == 0) & (state["steps"] > 0)
        return proved

    def __len__(self) -> int:
        """The number of frames T."""
        return len(self.step)

    def __repr__(self) -> str:
        # the gap of a large run in a folder is not read for this
        is_read = isinstance(self.gap, np.ndarray) or len(self) * self.balls <= MOST_READ
        unfinished = f"unfinished: {self.scene['unfinished']}" if "unfinished" in self.scene else ""
        ends = "; ".join(part for part in (endings(self), inside(self) if is_read else "", unfinished) if part)
        words = ", ".join(part for part in (f"d={self.dim}", feet(self)) if part)
        return f"Trajectory({len(self)} frames, {self.balls} balls, {words}: {ends})"

    def __getitem__(self, frames: int | slice | Iterable[int]) -> Trajectory:
        """The chosen frames of every ball; an int gives a trajectory of one frame."""
        if isinstance(frames, tuple):
            raise IndexError("a trajectory is indexed by frames alone; select() picks balls")
        try:
            pick = _pick("frames", frames, len(self))
        except InputError as error:
            raise IndexError(str(error)) from None
        chosen = np.arange(len(self))[pick]
        keeps_end = len(chosen) > 0 and chosen[-1] == len(self) - 1
        parts = {name: array[pick] for name, array, axis in self._arrays("T") if axis == 0}
        return replace(self, **parts, state=self.state if keeps_end else None)

    def _arrays(self, letter: str) -> list[tuple[str, np.ndarray, int | None]]:
        """The arrays that this run has, with their names, and the axis of each along which frames or balls lie."""
        present = [(field, getattr(self, field.name)) for field in FIELDS]
        return [(field.name, array, field.axis(letter, array)) for field, array in present if array is not None]

    def select(self, balls: int | slice | Iterable[int]) -> Trajectory:
        """The chosen balls at every frame, none for ``[]``.

        Args:
            balls: A number, negative ones from the end; several; a slice; or a mask (B,).

        Raises:
            InputError: for a ball that is not there, and for what picks none.
        """
        pick = _pick("balls", balls, self.balls)
        parts: Any = {
            name: array[:, pick] if axis else array[pick] for name, array, axis in self._arrays("B") if axis is not None
        }
        state = None if self.state is None else {name: value[pick] for name, value in self.state.items()}
        events = None if self.events is None else {name: value[pick] for name, value in self.events.items()}
        scene = picked(self.scene, self.balls, pick)
        return replace(self, **parts, state=state, scene=scene, events=events)

    def at(self, time: Any) -> Trajectory:
        """The trajectory at the given times, linear between frames.

        Args:
            time: One time or several (K,), within the run; balls must share their learning rate.

        Raises:
            InputError: for a time outside the run, or balls with times of their own.
        """
        if not len(self):
            raise InputError("time", time, "times of a run with a frame or more; this one has none")
        if self.time.ndim != 1:
            if not self.balls:
                raise InputError("time", time, "times of a run with a ball or more; this one has none")
            if (self.time != self.time[:, :1]).any():
                raise InputError("time", time, "balls that share their learning rate; select one ball first")
            return replace(self, time=self.time[:, 0]).at(time)
        wanted = within_rounding(np.atleast_1d(numbers("time", time)), float(self.time[0]), float(self.time[-1]))
        if wanted is None or wanted.ndim != 1:
            raise InputError("time", time, f"times within [{self.time[0]:g}, {self.time[-1]:g}]")
        right = np.clip(np.searchsorted(self.time, wanted), 1, max(len(self) - 1, 1)) if len(self) > 1 else wanted * 0
        right = right.astype(int)
        left = np.maximum(right - 1, 0)
        span = self.time[right] - self.time[left]
        share = np.divide(wanted - self.time[left], span, out=np.zeros(len(wanted)), where=span > 0)
        parts: Any = {}
        for name, values, axis in self._arrays("T"):
            weight = share.reshape(-1, *[1] * (values.ndim - 1))
            if axis == 0:
                parts[name] = values[left] * (1 - weight) + values[right] * weight
        if self.contacts is not None:  # a count
            parts["contacts"] = self.contacts[left]
        return replace(self, **parts, state=None)

    def append(self, later: Trajectory) -> Trajectory:
        """This run followed by one that went on from its end; their shared frame appears once.

        Raises:
            InputError: when ``later`` does not begin where this one ends.
        """
        if not isinstance(later, Trajectory):
            raise InputError("later", later, "a Trajectory")
        kinds = [[getattr(run, field.name) is None for field in FIELDS] for run in (self, later)]
        same = later.foot.shape[1:] == self.foot.shape[1:] and kinds[0] == kinds[1] and len(self) and len(later)
        if not same or not np.array_equal(later.foot[0], self.foot[-1], equal_nan=True):
            raise InputError("later", later, "a trajectory whose first frame is this one's last")
        return self.followed_by(later)

    def followed_by(self, later: Trajectory) -> Trajectory:
        """This run and one that went on from it, as :meth:`append` joins them.

        A run in continuous time may have ended after its last frame; then ``later`` begins after it, and all of its
        frames are taken.
        """
        is_shared = later.contacts is None or later.time.flat[0] <= self.time.flat[-1]
        own, a, b = len(self) - is_shared, self.time, later.time
        parts: Any = {}
        for name, array, axis in self._arrays("T"):
            if axis == 0 and name != "time":
                # the shared frame is the later run's: only it knows the radius of the step that follows
                parts[name] = np.concatenate([array[:own], getattr(later, name)])
        if a.ndim != b.ndim:
            a, b = (np.broadcast_to(t.reshape(len(t), -1), (len(t), self.balls)) for t in (a, b))
        parts["time"] = np.concatenate([a, b[1:] - b[:1] + a[-1:] if is_shared else b])
        parts["step"] = np.concatenate([self.step[:own], later.step - later.step[0] + self.step[-1] + (not is_shared)])
        return replace(
            later,
            **parts,
            steps=self.steps + later.steps,
            evaluations=self.evaluations + later.evaluations,
            seconds=self.seconds + later.seconds,
            certified=self.certified and later.certified,
            events=joined(self.events, later.events),
        )

    def to_xarray(self) -> Any:
        """An ``xarray.Dataset`` of the arrays: dims ``frame``, ``ball``, and ``axis`` or ``center_axis`` of points.

        ``step`` and ``time`` are coordinates. The attributes are the numbers and names of the scene, such as
        ``surface.type`` and ``run.lr``, and all of it as JSON in ``scene``.

        Raises:
            RollingBallError: where xarray is not installed (``pip install 'rollingball[tables]'``).
            InputError: for a run from a folder that does not fit in memory.
        """
        return tables.to_xarray(self)

    def to_dataframe(self) -> Any:
        """A ``pandas.DataFrame`` with a row for each frame and ball, which are its index.

        Columns are ``step``, ``time``, ``foot_0`` and so on, ``center_0`` and so on, ``center_height``, ``loss`` and
        whatever else was recorded; ``status`` is that at the end.

        Raises:
            RollingBallError: where pandas is not installed (``pip install 'rollingball[tables]'``).
            InputError: for a run from a folder that does not fit in memory.
        """
        return tables.to_dataframe(self)

    def energies(self) -> dict[str, np.ndarray]:
        """The parts of the energy of balls with mass, by name; their sum is ``energy``.

        Returns:
            ``kinetic``, m |c'|^2 / 2; ``rotational``, I |spin|^2 / 2; ``potential``, m a c_y; each (T, B).

        Raises:
            InputError: for a run of balls without mass.
        """
        return energy_parts(self)

    def history(self, ball: int = 0) -> list[tuple[float, str]]:
        """What happened to one ball of a run in continuous time: the time and the name of each event, in order.

        Args:
            ball: The number of the ball.

        Returns:
            For example [(0.46, "impact"), (1.2, "rolls")]; empty for a discrete method.

        Raises:
            InputError: for a ball that is not there.
        """
        return history(self, ball)

    def messages(self) -> list[str]:
        """What happened to each ball, in words."""
        return messages(self)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: beside its place first, then renamed, so that none is ever half written.

        Raises:
            FileError: when the file cannot be written.
        """
        trajectory_file.save(self, checked_path(path))

    @staticmethod
    def load(path: str | Path) -> Trajectory:
        """Read what :meth:`save` wrote, or the folder of a run (``out=``); nothing in the files is executed.

        The arrays of a folder are read where they are used: slices, picks and ``print`` read next to nothing.

        Args:
            path: A file, or a folder.

        Raises:
            FileError: for a file that is missing, truncated, foreign or newer than this version.
        """
        return Trajectory(**trajectory_file.load(checked_path(path, allowed="the path of a file, or of a folder")))


def _pick(field: str, chosen: Any, count: int) -> Any:
    """What picks balls or frames out of ``count``, as numpy takes it: a slice, whole numbers (K,) or a mask (B,)."""
    if isinstance(chosen, slice):
        return chosen
    allowed = f"whole numbers within [-{count}, {count}), a slice, or a mask of {count}"
    try:
        # arrays and tensors are iterable too, but not those of no axis
        listed = list(chosen) if isinstance(chosen, Iterable) and not hasattr(chosen, "__array__") else chosen
        pick = np.atleast_1d(np.asarray(listed))
    except (TypeError, ValueError, RuntimeError):  # such as rows of several lengths
        raise InputError(field, chosen, allowed) from None
    if pick.shape == (0,) and pick.dtype.kind != "b":
        return np.zeros(0, dtype=int)
    masks = pick.dtype.kind == "b" and pick.shape == (count,)
    numbered = pick.dtype.kind in "iu" and pick.ndim == 1 and ((-count <= pick) & (pick < count)).all()
    if not masks and not numbered:
        raise InputError(field, chosen, allowed)
    return pick
