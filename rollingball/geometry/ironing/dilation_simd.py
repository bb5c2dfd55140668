"""The inner loops of a dilation on a CPU, in C++ with the vector types of Clang.

They work on LANES numbers at once. Loops written in Warp are not vectorised here and take ten times as long. The bounds
are those of :mod:`rollingball.geometry.ironing.dilation`.
"""

from typing import Any

import warp as wp

from rollingball.core.compiled import compiled
from rollingball.core.numeric import PRECISIONS
from rollingball.geometry.ironing.dilation import LANES, Floats


@compiled
def native_functions(dtype: str, rows: int) -> tuple[Any, Any, Any, Any]:
    """Native Warp functions ``(plane_below, most_promising, can_touch, touch)``.

    * plane_below: the minimum of ``sign`` times a block, and a plane below it (height at its centre, and slopes);
    * most_promising: the index in the tables of the block whose sum of maximum and cap between centres is the largest;
    * can_touch: a bit for each of LANES neighbouring blocks, set where no bound rules it out;
    * touch: raises the heights of a tile, in place, to the sums of one block, but for samples that the bounds rule out.
    """
    scalar = PRECISIONS[dtype]
    whole = wp.int64 if dtype == "float64" else wp.int32
    Shape = wp.types.matrix((rows, LANES), scalar)
    Table: Any = wp.array(dtype=scalar)
    Places: Any = wp.array(dtype=whole)

    @wp.func_native("""
    constexpr unsigned rows = sizeof(shape.data) / sizeof(shape.data[0]);
    typedef double lanes __attribute__((vector_size(64)));
    lanes h[rows];
    const lanes u_x = {-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5};
    const double centre = 0.5 * (rows - 1);
    lanes total = {}, least, tilt_y = {};
    double square_y = 0.0;
    for (unsigned r = 0; r < rows; ++r) {
        for (unsigned lane = 0; lane < 8; ++lane) h[r][lane] = sign * height.data[at + r * width + lane];
        total += h[r];
        tilt_y += h[r] * (r - centre);
        square_y += 8 * (r - centre) * (r - centre);
        least = r ? (h[r] < least ? h[r] : least) : h[0];
    }
    const lanes tilt_x = total * u_x;
    double b_y = 0.0, b_x = 0.0, lowest = least[0];
    for (unsigned lane = 0; lane < 8; ++lane) {
        b_y += tilt_y[lane];
        b_x += tilt_x[lane];
        lowest = least[lane] < lowest ? least[lane] : lowest;
    }
    b_y = square_y > 0.0 ? b_y / square_y : 0.0;
    b_x /= 42.0 * rows;
    if (!(b_y - b_y == 0.0 && b_x - b_x == 0.0)) b_y = b_x = 0.0;  // cells off the grid are at +inf
    for (unsigned r = 0; r < rows; ++r) {
        const lanes rest = h[r] - u_x * b_x - (r - centre) * b_y;
        least = r ? (rest < least ? rest : least) : rest;
    }
    double under = least[0];
    for (unsigned lane = 1; lane < 8; ++lane) under = least[lane] < under ? least[lane] : under;
    return wp::vec_t<4, double>(lowest, under, b_y, b_x);
    """)
    def plane_below(height: Table, at: int, width: int, sign: scalar, shape: Shape) -> wp.vec4d: ...

    @wp.func_native("""
    typedef double lanes __attribute__((vector_size(64)));
    typedef long long masks __attribute__((vector_size(64)));
    lanes highest = {};
    highest += -__builtin_inf();
    masks where = {};
    masks place = {0, 1, 2, 3, 4, 5, 6, 7};
    for (unsigned y = 0; y < wide_y; ++y) {
        for (unsigned x = 0; x < wide_x; x += 8) {
            lanes score, cap;
            __builtin_memcpy(&score, top.data + at + y * width + x, 64);
            __builtin_memcpy(&cap, centre.data + y * table_width + x, 64);
            score += cap;
            const masks more = score > highest;
            highest = more ? score : highest;
            where = more ? place + (y * table_width + x) : where;
        }
    }
    unsigned best = 0;
    for (unsigned lane = 1; lane < 8; ++lane) best = highest[lane] > highest[best] ? lane : best;
    return where[best];
    """)
    def most_promising(
        top: Floats, at: int, width: int, centre: Floats, table_width: int, wide_y: int, wide_x: int
    ) -> wp.int32: ...

    @wp.func_native("""
    typedef double lanes __attribute__((vector_size(64)));
    typedef long long masks __attribute__((vector_size(64)));
    const auto load = [](const double* from) { lanes to; __builtin_memcpy(&to, from, 64); return to; };
    const auto size = [](lanes of) { return of < 0.0 ? -of : of; };
    const lanes b1 = load(top.data + at) + load(near.data + table_at);
    masks out = b1 < below[0];
    const lanes a_y = load(slope_y.data + at), a_x = load(slope_x.data + at);
    const lanes q_y = load(table_y.data + table_at), q_x = load(table_x.data + table_at);
    const lanes b2 = load(plane.data + at) + load(tangent.data + table_at)
        + (size(a_y - q_y) + size(q_y - below[2])) * half_y + (size(a_x - q_x) + size(q_x - below[3])) * 3.5;
    out |= b2 < below[1];
    const lanes count = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0};
    const lanes b3 = load(cone.data + at) + a_y * offset_y + a_x * (offset_x - 8.0 * count)
        + size(a_y - below[2]) * half_y + size(a_x - below[3]) * 3.5;
    out |= b3 < below[1];
    typedef bool bits __attribute__((ext_vector_type(8)));
    const bits left = __builtin_convertvector(~out, bits);
    unsigned char found;
    __builtin_memcpy(&found, &left, 1);
    return found;
    """)
    def can_touch(
        at: int,
        top: Floats,
        plane: Floats,
        slope_y: Floats,
        slope_x: Floats,
        cone: Floats,
        table_at: int,
        near: Floats,
        tangent: Floats,
        table_y: Floats,
        table_x: Floats,
        below: wp.vec4d,
        offset_y: wp.float64,
        offset_x: wp.float64,
        half_y: wp.float64,
    ) -> wp.int32: ...

    @wp.func_native("""
    constexpr unsigned rows = sizeof(shape.data) / sizeof(shape.data[0]);
    typedef decltype(shape.data[0][0] + 0) scalar;
    typedef decltype(contact.data[0] + 0) whole;
    typedef scalar lanes __attribute__((vector_size(8 * sizeof(scalar))));
    typedef whole places __attribute__((vector_size(8 * sizeof(scalar))));
    lanes best[rows];
    places which[rows];
    _Pragma("unroll") for (unsigned r = 0; r < rows; ++r) {
        best[r] = lanes{} - (scalar)__builtin_inf();
        which[r] = places{};
    }
    typedef double wide __attribute__((vector_size(64)));
    typedef bool bits __attribute__((ext_vector_type(8)));
    const wide v_x = {-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5};
    const double q_y = table_y.data[table_at], q_x = table_x.data[table_at];
    const double off_y = q_y < below[2] ? below[2] - q_y : q_y - below[2];
    const double off_x = q_x < below[3] ? below[3] - q_x : q_x - below[3];
    const double flat_need = below[0] - near.data[table_at];
    const double need = below[1] - tangent.data[table_at] - off_y * half_y - off_x * 3.5 - q_y * half_y;
    for (unsigned y = 0; y < rows; ++y) {
        const whole first = from_ + y * sample_width;
        lanes value;
        __builtin_memcpy(&value, heights.data + first, sizeof(lanes));
        const wide f = __builtin_convertvector(value, wide);
        const auto out = (f < flat_need) | (f - q_x * v_x < need + q_y * y);
        const bits left = __builtin_convertvector(~out, bits);
        unsigned char lanes_left;
        __builtin_memcpy(&lanes_left, &left, 1);
        for (unsigned mask = lanes_left; mask; mask &= mask - 1) {
            const unsigned x = __builtin_ctz(mask);
            const whole sample = first + x;
            const scalar* cap = caps.data + cap_at - y * cap_width - x;
            _Pragma("unroll") for (unsigned r = 0; r < rows; ++r) {
                lanes sum;
                __builtin_memcpy(&sum, cap + r * cap_width, sizeof(lanes));
                sum += heights.data[sample];
                const places more = sum > best[r];
                best[r] = more ? sum : best[r];
                which[r] = more ? places{} + sample : which[r];
            }
        }
    }
    _Pragma("unroll") for (unsigned r = 0; r < rows; ++r) {
        lanes old;
        places old_which;
        __builtin_memcpy(&old, height.data + at + r * width, sizeof(lanes));
        __builtin_memcpy(&old_which, contact.data + at + r * width, sizeof(lanes));
        const places more = (best[r] > old) | ((best[r] == old) & (which[r] < old_which));
        best[r] = more ? best[r] : old;
        which[r] = more ? which[r] : old_which;
        __builtin_memcpy(height.data + at + r * width, &best[r], sizeof(lanes));
        __builtin_memcpy(contact.data + at + r * width, &which[r], sizeof(lanes));
    }
    """)
    def touch(
        heights: Table,
        from_: int,
        sample_width: int,
        caps: Table,
        cap_at: int,
        cap_width: int,
        height: Table,
        contact: Places,
        at: int,
        width: int,
        table_at: int,
        near: Floats,
        tangent: Floats,
        table_y: Floats,
        table_x: Floats,
        below: wp.vec4d,
        half_y: wp.float64,
        shape: Shape,
    ): ...

    return plane_below, most_promising, can_touch, touch
