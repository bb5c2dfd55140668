"""The contacts of a ball lowered onto the graph: the height at which it rests, and where it touches."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp

from rollingball.core.codes import FOUND
from rollingball.core.compiled import compiled
from rollingball.core.errors import InputError, not_negative, numbers, points, positive, whole
from rollingball.core.launch import device_name
from rollingball.core.numeric import Numeric, fill, layout, struct
from rollingball.core.pace import launch_in_parts
from rollingball.core.status import Status
from rollingball.geometry.contact.follow import newton_program
from rollingball.geometry.contact.lowered_ball import contact_objective, contact_query
from rollingball.geometry.foot.projection import GlobalProjection
from rollingball.geometry.hull import least_norm_program
from rollingball.geometry.search.bounds import hessian_estimate_program
from rollingball.geometry.search.branch_and_bound import search_program
from rollingball.geometry.search.minima import COMPLETE, MOST, certificates, minima_struct, ordered
from rollingball.geometry.search.room import WIDENED, alone_program, bounds_program, is_provable
from rollingball.surfaces.base import Surface, SurfaceFunctions, checked_surface, kernel_options


@dataclass(frozen=True, eq=False)
class Contacts:
    """Balls of given radii resting on a graph above given points.

    Attributes:
        height: f_rho (B,), the height of the centre of each resting ball on the graph of L f.
        feet: Where it touches (B, m, d), the highest first, padded with NaN.
        count: How many contacts each has (B,), at most 8; two or more at a kink of f_rho.
        slopes: The gradient of L f at each contact (B, m, d), padded with NaN; at a ridge of f the slope of the ball.
        slope: The point of least norm in the convex hull of the slopes (B, d): the gradient of f_rho where there is one
            contact, and at a kink the direction opposite to that of the ball; zero where the ball rests.
        status: CONVERGED, or NOT_FINITE where there is no graph under the ball (B,).
        certified: Whether it is proved that none is higher, and that these are all the contacts or, where there are
            eight, as many as are kept (B,), a :class:`~rollingball.core.status.Certificate`.
        evaluations: Evaluations of the loss for each (B,).
    """

    height: np.ndarray
    feet: np.ndarray
    count: np.ndarray
    slopes: np.ndarray
    slope: np.ndarray
    status: np.ndarray
    certified: np.ndarray
    evaluations: np.ndarray

    def __len__(self) -> int:
        """The number of balls B."""
        return len(self.height)


def contacts(
    surface: Surface,
    centers: Any,
    radius: Any,
    search: GlobalProjection | None = None,
    *,
    core: Any = 0.0,
    box: Any = None,
    device: str = "cpu",
    threads: int | None = None,
) -> Contacts:
    """Lower balls onto the graph, to f_rho(x) = max over |s| <= rho of L f(x + s) + sqrt(rho^2 - |s|^2).

    (Theory, sections 3 and 11.)

    Args:
        surface: The surface.
        centers: The horizontal positions of the centres (B, d), or (d,) for one.
        radius: One radius, or one for each centre (B,).
        search: How contacts are sought; ``tie`` says, in radii up to 1, by how much the heights of two may differ.
        core: The ball may be moved sideways so far along each axis; a number or (d,).
        box: The graph ends at this box, (low, high) for each axis; by default it ends where the surface does.
        device: Where to compute, in float64.
        threads: CPU threads; by default one a core.

    Raises:
        InputError: for an argument that cannot be used.
    """
    checked_surface(surface)
    search = GlobalProjection() if search is None else search
    if not isinstance(search, GlobalProjection):
        raise InputError("search", search, "a GlobalProjection")
    if threads is not None:
        whole("threads", threads, 1)
    at = points("centers", centers, surface.dim)
    radii = positive("radius", radius)
    if radii.ndim > 1 or (radii.ndim == 1 and len(radii) not in (1, len(at))):
        raise InputError("radius", radius, f"one radius, or one for each of the {len(at)} centres")
    aside = not_negative("core", core)
    if aside.shape not in ((), (surface.dim,)):
        raise InputError("core", core, f"one number, or {surface.dim}")
    numeric, count, device = Numeric(surface.dim), len(at), device_name(device)
    low, high = domain_of(surface, box)
    functions, settings = surface.functions(numeric), search.settings()
    kernel = contact_kernel(surface, search)
    minima_array: Any = wp.zeros(count, dtype=minima_struct(numeric), device=device)
    slopes = wp.full((count, MOST), numeric.vector(np.inf), dtype=numeric.vector, device=device)
    slope = wp.full(count, numeric.vector(np.inf), dtype=numeric.vector, device=device)
    arguments = [
        surface.parameters(numeric, device),
        fill(settings, numeric, device),
        wp.array(at, dtype=numeric.vector, device=device),
        wp.array(np.broadcast_to(radii, (count,)).copy(), dtype=wp.float64, device=device),
        numeric.vector(*np.broadcast_to(aside, (surface.dim,))),
        numeric.vector(*low),
        numeric.vector(*high),
        minima_array,
        slopes,
        slope,
    ]
    launch_in_parts(kernel, count, arguments, device, threads)
    minima = minima_array.numpy()
    counts, values, feet, at_feet = ordered(minima, slopes.numpy())
    fine = counts > 0
    known = functions.bounds is not None or search.hessian_bound is not None
    return Contacts(
        height=-values[:, 0],
        feet=feet,
        count=counts,
        slopes=at_feet,
        slope=np.where(fine[:, None], slope.numpy(), np.nan),
        status=np.where(fine, Status.CONVERGED, Status.NOT_FINITE),
        certified=certificates(minima, known),
        evaluations=minima["evaluations"].astype(np.int64),
    )


def domain_of(surface: Surface, box: Any) -> tuple[np.ndarray, np.ndarray]:
    """Where a graph is to end: the corners of ``box``, infinitely far where there is none."""
    if box is None:
        return np.full(surface.dim, -np.inf), np.full(surface.dim, np.inf)
    low, high = checked_box("box", box, surface.dim).T
    return low, high


def checked_box(field: str, box: Any, dim: int) -> np.ndarray:
    """``box`` as an array (d, 2) of pairs low < high."""
    allowed = f"{dim} pairs (low, high) with low < high"
    pairs = numbers(field, box, allowed)
    if pairs.shape != (dim, 2) or not (pairs[:, 0] < pairs[:, 1]).all():
        raise InputError(field, box, allowed)
    return pairs


@compiled
def contact_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``contact(query, p, settings) -> Minima``: all contacts of a ball, with minus their heights as values."""
    query, parameters, minima = contact_query(numeric), functions.parameters, minima_struct(numeric)
    contact_from = contact_from_program(functions, numeric)

    @wp.func
    def contact(asked: query, p: parameters, settings: Any):
        return contact_from(asked, minima(), p, settings)

    return contact


@compiled
def contact_from_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``contact_from(query, known Minima, p, settings) -> Minima``: all contacts of a ball, some of which are known.

    That no contact is higher is proved as without them, and takes less work. Other contacts within a tie of the highest
    are those known, or those found from seeds. Where one bound proves that there is one contact, Newton's method finds
    it, and nothing is searched.
    """
    dim, wide, parameters = numeric.dim, numeric.wide.vector, functions.parameters
    objective = contact_objective(functions, numeric)
    search = search_program(objective, numeric)
    from_seeds, branch_and_bound = search.from_seeds, search.branch_and_bound
    query, minima, height_of, vector = contact_query(numeric), minima_struct(numeric), functions.height, numeric.vector
    estimate, domain = hessian_estimate_program(functions, numeric), functions.domain
    same, rounding, infinite = wp.float64(1e-7), wp.float64(4e-16), wp.float64(float("inf"))

    @wp.func(inline=False)
    def sought(asked: query, known: minima, p: parameters, settings: Any):
        q = asked
        if wp.static(domain is not None):
            least, most = domain(p)
            for i in range(dim):
                q.low[i] = wp.max(q.low[i], least[i])
                q.high[i] = wp.min(q.high[i], most[i])
        low, high = wide(), wide()
        for i in range(dim):
            reach = q.radius + q.core[i]
            low[i] = wp.clamp(q.center[i] - reach, q.low[i], q.high[i])
            high[i] = wp.clamp(q.center[i] + reach, q.low[i], q.high[i])
        q.low = low
        q.high = high
        first = q.center
        for i in range(dim):
            first[i] = wp.clamp(first[i], low[i], high[i])
        size = q.radius
        height = height_of(vector(first), p)
        if wp.isfinite(height):
            size += wp.abs(height)
        tie = wp.float64(settings.tie) * wp.min(q.radius, wp.float64(1.0)) + rounding * size
        exact = wp.float64(1e-9) * wp.min(q.radius, wp.float64(1.0)) + rounding * size
        # around a contact, the height is the same to rounding up to sqrt(2 exact rho) away
        close = same * q.radius
        level = wp.float64(4.0) * wp.sqrt(exact * q.radius)
        apart = wp.where(level > close, level, close)
        touching = from_seeds(known, first, low, high, apart, tie, q, p, settings)
        if settings.nodes > 0 and dim <= 2:
            rely = estimate(first, low, high, p, settings)
            within = wp.where(known.count == 0, tie, wp.min(tie, exact))
            flat = wp.float64(0.25) * q.radius
            touching = branch_and_bound(touching, low, high, apart, flat, tie, within, exact, rely, q, p, settings)
            if touching.count > 0:
                touching.status = FOUND
        return touching

    if not is_provable(functions):
        return sought
    polish, (_predicted, corrected) = objective.polish, newton_program(functions, numeric)
    bounds_within, is_alone = bounds_program(functions, numeric), alone_program(numeric)
    first, one = functions.first, wp.float64(1.0)

    @wp.func
    def is_whole(q: query, known: minima, settings: Any):
        """Whether the contacts of a whole ball on the whole graph are sought, of which at most one is known."""
        whole = settings.nodes > 0 and known.count <= 1
        for i in range(dim):
            whole = whole and q.core[i] == wp.float64(0.0) and q.low[i] == -infinite and q.high[i] == infinite
        return whole

    @wp.func(inline=False)
    def single(q: query, known: minima, p: parameters, settings: Any):
        """The one contact of a ball; its count is 0 if it was not found."""
        result = known
        result.evaluations += 1
        if known.count == 0:
            touch = corrected(q.center, q.center, q.radius, p)
            result.evaluations += touch.evaluations
            if touch.found == 0:
                near, _lowness, more = polish(q.center, q, p, settings)
                touch = corrected(near, q.center, q.radius, p)
                result.evaluations += more + touch.evaluations
            result.points[0] = touch.foot
            result.values[0] = -touch.height
            result.best = -touch.height
            result.count = touch.found
        result.outcome = COMPLETE
        result.status = FOUND
        return result

    @wp.func
    def contact_from(asked: query, known: minima, p: parameters, settings: Any):
        given = known
        if is_whole(asked, known, settings):
            tie = wp.float64(settings.tie) * wp.min(asked.radius, one)
            steepest, sharpest = bounds_within(asked.center, WIDENED * (asked.radius + tie), p, settings)
            # however steep the graph is at its contact, no other ball can be proved to have one
            if wp.isfinite(sharpest) and sharpest * asked.radius <= wp.sqrt(one + steepest * steepest):
                alone = single(asked, known, p, settings)
                if alone.count == 1:
                    _height, gradient = first(vector(alone.points[0]), p)
                    alone.evaluations += 1
                    if is_alone(sharpest, asked.radius, wide(gradient), tie):
                        return alone
                given.evaluations = alone.evaluations
        return sought(asked, given, p, settings)

    return contact_from


@compiled
def slope_program(functions: SurfaceFunctions, numeric: Numeric) -> Any:
    """``slope_at(x, value, q, p) -> vector``: the slope of a ball at its contact x, whose value is minus its height."""
    dim, wide, vector, parameters = numeric.dim, numeric.wide.vector, numeric.vector, functions.parameters
    query, first = contact_query(numeric), functions.first

    @wp.func
    def slope_at(x: wide, value: wp.float64, q: query, p: parameters):
        height, gradient = first(vector(x), p)
        s = x - q.center
        for i in range(dim):
            s[i] = wp.sign(s[i]) * wp.max(wp.abs(s[i]) - q.core[i], wp.float64(0.0))
        ball = s / wp.max(-value - height, wp.float64(1e-300))
        g = wide(gradient)
        # at a ridge of f, or where the graph ends, the slope of the ball is between those of the surface
        if wp.length(g - ball) < wp.float64(1e-5) * (wp.float64(1.0) + wp.length(g)):  # false for an infinite slope
            return g
        return ball

    return slope_at


def contact_kernel(surface: Surface, search: GlobalProjection) -> Any:
    """The kernel of :func:`contacts`."""
    numeric = Numeric(surface.dim)
    return _kernel(surface.functions(numeric), layout(search.settings()), numeric)


@compiled
def _kernel(functions: SurfaceFunctions, settings_layout: Any, numeric: Numeric) -> Any:
    """The kernel of :func:`contacts`: minima of minus the height, the slope at each, and the one of least norm."""
    vector, parameters, query_type = numeric.vector, functions.parameters, contact_query(numeric)
    settings_type, minima = struct(settings_layout, numeric), minima_struct(numeric)
    contact, slope_at = contact_program(functions, numeric), slope_program(functions, numeric)
    least_norm, dim = least_norm_program(MOST, numeric), numeric.dim
    rows = wp.types.matrix((MOST, dim), wp.float64)

    @wp.kernel(module="unique", enable_backward=False, module_options=kernel_options(functions))
    def touch(
        # in:
        p: parameters,
        settings: settings_type,
        centers: wp.array(dtype=vector),
        radius: wp.array(dtype=wp.float64),
        core: vector,
        low: vector,
        high: vector,
        # out:
        contacts_of_ball: wp.array(dtype=minima),
        slopes: wp.array2d(dtype=vector),
        slope: wp.array(dtype=vector),
        first_ball: int,
    ):
        ball = first_ball + wp.tid()
        q = query_type()
        q.center = centers[ball]
        q.core = core
        q.radius = radius[ball]
        q.low = low
        q.high = high
        touching = contact(q, p, settings)
        table = rows()
        k = int(0)
        while k < touching.count:
            g = slope_at(touching.points[k], touching.values[k], q, p)
            slopes[ball, k] = g
            table[k] = g
            k += 1
        contacts_of_ball[ball] = touching
        slope[ball] = least_norm(table, touching.count)

    return touch
