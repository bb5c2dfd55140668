"""C++ code that interprets a tape in interval arithmetic: bounds of a formula's derivatives over a box.

A register holds an interval of the value and of its derivatives by up to four variables, rounded outward. Where a
formula is not defined in the whole box, or a pole lies in it, bounds are infinite; where it is defined nowhere in it,
they are negative. An abs with its kink in the box has a slope between -1 and 1 and a curvature without bound.
"""

from rollingball.surfaces.interval_code import ARITHMETIC
from rollingball.surfaces.tape import PRELOADED, REGISTERS
from rollingball.surfaces.tape_code import HEAD, filled

INTERPRETER = """
struct Tape {
    struct I { T lo, hi; };
    enum { VARIABLES = @preloaded@, K = @directions@, N = @entries@, REGISTERS = @registers@ };
    enum { PARTLY = 1, NOWHERE = 2 };
@arithmetic@
    ROLL_ONCE int run(
        const int* rows, int count, const double* numbers, const T* x, T reach, const int* chosen, I* result)
    {
        int flags = 0;
        const I none = of(T(0), T(0)), one = of(T(1), T(1));
        I jets[REGISTERS][N];
        for (int i = 0; i < VARIABLES; ++i) {
            jets[i][0] = outward(x[i] - reach, x[i] + reach);
            for (int k = 1; k < N; ++k)
                jets[i][k] = k == i + 1 ? one : none;
        }
        I* out = jets[0];
        for (int row = 0; row < count; ++row) {
            const int* entry = rows + 4 * row;
            const int operation = entry[0];
            out = jets[entry[3]];
            if (operation == @load@ || operation == @number@) {
                const bool is_variable = operation == @load@;
                const T c = is_variable ? T(0) : numbers[entry[1]];
                out[0] = is_variable ? outward(x[entry[1]] - reach, x[entry[1]] + reach) : of(c, c);
                for (int k = 1; k < N; ++k)
                    out[k] = is_variable && k <= K && chosen[k - 1] == entry[1] ? one : none;
                if (!wp::isfinite(c))
                    flags |= c == c ? PARTLY : NOWHERE;
                continue;
            }
            const I* a = jets[entry[1]];
            const bool with_number = operation >= @add_number@ && operation <= @number_power@;
            const bool with_register = operation < @add_number@;
            const T c = with_number ? numbers[entry[2]] : T(0);
            if (!wp::isfinite(c))
                flags |= c == c ? PARTLY : NOWHERE;
            I b[N];
            for (int k = 0; k < N; ++k)
                b[k] = with_register ? jets[entry[2]][k] : none;
            const I u = a[0];
            I v, f, ff = none;  // the value of a function of u and its derivatives
            switch (operation) {
            case @subtract@:
                for (int k = 0; k < N; ++k)
                    b[k] = minus(b[k]);
            case @add@:
                for (int k = 0; k < N; ++k)
                    out[k] = plus(a[k], b[k]);
                continue;
            case @divide@: {  // a / b = a (1 / b)
                const I over = inverse(b[0]);
                if (has(b[0], T(0)))
                    flags |= PARTLY;
                chain(b, over, minus(square(over)), scaled(T(2), times(over, square(over))), b);
            }
            case @multiply@:
                multiply(a, b, out);
                continue;
            case @power@: {  // exp(b log a)
                I logs[N];
                int inside = 0;
                const I over = inverse(u);
                chain(a, logarithm(u, inside), over, minus(square(over)), logs);
                // a whole power of a negative number is defined
                if (inside)
                    flags |= u.hi < T(0) && wp::floor(b[0].hi) < wp::ceil(b[0].lo) ? NOWHERE : PARTLY;
                multiply(logs, b, out);
                v = positive(of_function(wp::exp(out[0].lo), wp::exp(out[0].hi)));
                chain(out, v, v, v, out);
                continue;
            }
            case @add_number@:
            case @number_minus@:
                for (int k = 0; k < N; ++k)
                    out[k] = operation == @add_number@ ? a[k] : minus(a[k]);
                out[0] = plus(out[0], of(c, c));
                continue;
            case @scale@:
            case @divide_by_number@: {
                if (operation == @divide_by_number@ && c == T(0))
                    flags |= PARTLY;
                const I factor = operation == @scale@ ? of(c, c) : inverse(of(c, c));
                for (int k = 0; k < N; ++k)
                    out[k] = times(factor, a[k]);
                continue;
            }
            case @negative@:
                for (int k = 0; k < N; ++k)
                    out[k] = minus(a[k]);
                continue;
            case @number_over@: {
                const I over = inverse(u);
                if (has(u, T(0)))
                    flags |= PARTLY;
                v = scaled(c, over);
                f = scaled(-c, square(over));
                ff = scaled(T(2) * c, times(over, square(over)));
                break;
            }
            case @power_number@:
                v = power(u, c, flags);
                f = scaled(c, power(u, c - T(1), flags));
                ff = c == T(1) ? none : times(outward(c * (c - T(1)), c * (c - T(1))), power(u, c - T(2), flags));
                break;
            case @number_power@: {
                if (!(c > T(0)))
                    flags |= PARTLY;
                const I logs = of_function(wp::log(c), wp::log(c));
                const T p = wp::pow(c, u.lo), q = wp::pow(c, u.hi);
                v = positive(of_function(least(p, q), most(p, q)));
                f = times(v, logs);
                ff = times(v, square(logs));
                break;
            }
            case @square@:
                v = square(u);
                f = scaled(T(2), u);
                ff = of(T(2), T(2));
                break;
            case @cube@:
                v = power(u, T(3), flags);
                f = scaled(T(3), square(u));
                ff = scaled(T(6), u);
                break;
            case @sin@:
                v = wave(u, T(0.25));
                f = wave(u, T(0));
                ff = minus(v);
                break;
            case @cos@:
                v = wave(u, T(0));
                f = minus(wave(u, T(0.25)));
                ff = minus(v);
                break;
            case @tan@: {
                const T error = T(1e-15) * (T(1) + size(u)), turns = T(0.3183098861837907), half = T(0.5);
                const T from = u.lo * turns - half - error, to = u.hi * turns - half + error;
                const bool pole = !(size(u) < T(1e9)) || wp::floor(to) >= wp::ceil(from);
                if (pole)
                    flags |= PARTLY;
                v = pole ? whole() : of_function(wp::tan(u.lo), wp::tan(u.hi));
                f = plus(one, square(v));
                ff = scaled(T(2), times(v, f));
                break;
            }
            case @exp@:
                v = positive(of_function(wp::exp(u.lo), wp::exp(u.hi)));
                f = ff = v;
                break;
            case @log@:
                v = logarithm(u, flags);
                f = inverse(u);
                ff = minus(square(f));
                break;
            case @sqrt@: {
                if (u.lo < T(0))
                    flags |= u.hi < T(0) ? NOWHERE : PARTLY;
                const I inside = of(most(u.lo, T(0)), most(u.hi, T(0)));
                v = positive(of_function(wp::sqrt(inside.lo), wp::sqrt(inside.hi)));
                f = scaled(T(0.5), inverse(v));
                ff = scaled(T(-0.25), inverse(times(v, inside)));
                break;
            }
            case @tanh@:
                v = within(of_function(wp::tanh(u.lo), wp::tanh(u.hi)), T(-1), T(1));
                f = within(plus(one, minus(square(v))), T(0), T(1));
                ff = scaled(T(-2), times(v, f));
                break;
            case @atan@:
                v = of_function(wp::atan(u.lo), wp::atan(u.hi));
                f = inverse(plus(one, square(u)));
                ff = scaled(T(-2), times(u, square(f)));
                break;
            default:  // abs
                f = of(u.lo >= T(0) ? T(1) : T(-1), u.hi <= T(0) ? T(-1) : T(1));
                if (u.lo >= T(0))
                    v = u;
                else if (u.hi <= T(0))
                    v = minus(u);
                else {
                    v = of(T(0), size(u));
                    ff = whole();
                }
                break;
            }
            chain(a, v, f, ff, out);
        }
        for (int k = 0; k < N; ++k)
            result[k] = out[k];
        return flags;
    }

    ROLL_ONCE void chain(const I* u, I v, I f, I ff, I* out)
    {
        for (int i = 1, k = K + 1; i <= K; ++i)
            for (int j = i; j <= K; ++j, ++k)
                out[k] = plus(times(ff, i == j ? square(u[i]) : times(u[i], u[j])), times(f, u[k]));
        for (int k = 1; k <= K; ++k)
            out[k] = times(f, u[k]);
        out[0] = v;
    }
    ROLL_ONCE void multiply(const I* a, const I* b, I* out)
    {
        for (int i = 1, k = K + 1; i <= K; ++i)
            for (int j = i; j <= K; ++j, ++k) {
                const I across = i == j ? scaled(T(2), times(a[i], b[i])) : plus(times(a[i], b[j]), times(a[j], b[i]));
                out[k] = plus(plus(times(b[0], a[k]), times(a[0], b[k])), across);
            }
        for (int k = 1; k <= K; ++k)
            out[k] = plus(times(b[0], a[k]), times(a[0], b[k]));
        out[0] = times(a[0], b[0]);
    }
};
"""

BOUNDS = """
Tape::I jet[Tape::N];
int chosen[Tape::K];
const int part = @dim@ > Tape::K ? Tape::K / 2 : Tape::K;
int flags = 0;
T slope = T(0), frobenius = T(0), widest = T(0);
T across[@dim@];
for (int i = 0; i < @dim@; ++i)
    across[i] = T(0);
for (int from = 0; from < @dim@; from += part)
    for (int to = @dim@ > part ? from + part : from; to == from || to < @dim@; to += part) {
        for (int k = 0; k < Tape::K; ++k)
            chosen[k] = k < part ? from + k : to + k - part;
        flags |= Tape::run(rows.data, rows.shape[0] / 4, numbers.data, x.c, reach, chosen, jet);
        const bool first = to <= from + part, last = first && to + part >= @dim@;
        for (int i = 0, entry = 1 + Tape::K; i < Tape::K; ++i) {
            // each derivative counts once
            const bool counts = i < part ? first : last;
            if (counts && chosen[i] < @dim@)
                slope += Tape::size(jet[1 + i]) * Tape::size(jet[1 + i]);
            for (int j = i; j < Tape::K; ++j, ++entry)
                if (chosen[i] < @dim@ && chosen[j] < @dim@ && (counts || (i < part && j >= part))) {
                    const T bend = Tape::size(jet[entry]);
                    frobenius += (i == j ? T(1) : T(2)) * bend * bend;
                    across[chosen[i]] += bend;
                    if (i != j)
                        across[chosen[j]] += bend;
                }
        }
    }
for (int i = 0; i < @dim@; ++i)
    widest = Tape::most(widest, across[i]);
T bend = Tape::least(widest, wp::sqrt(frobenius));
if (@dim@ == 2) {  // the larger eigenvalue, by size
    const Tape::I p = Tape::scaled(T(0.5), jet[3]), q = Tape::scaled(T(0.5), jet[Tape::N - 1]);
    const T difference = Tape::size(Tape::plus(p, Tape::minus(q))), off = Tape::size(jet[4]);
    bend = Tape::least(bend, Tape::size(Tape::plus(p, q)) + wp::sqrt(difference * difference + off * off));
}
const T rounding = T(1) + T(1e-15) * T(@dim@ + 1) * T(@dim@ + 1);
slope = wp::sqrt(slope) * rounding;
bend = bend * rounding;
if (flags || !(slope >= T(0)) || !(bend >= T(0)))
    slope = bend = flags & Tape::NOWHERE ? T(-1) : Tape::infinite();
return wp::vec_t<2, T>(slope, bend);
"""


def bounds_snippet(dim: int) -> str:
    """The C++ body of a function of x, reach, rows and numbers that returns the bounds of |grad f| and |Hess f|."""
    directions = min(dim, PRELOADED)
    names = {
        "dim": dim,
        "dtype": "float64",
        "preloaded": dim if dim <= PRELOADED else 0,
        "directions": directions,
        "entries": 1 + directions + directions * (directions + 1) // 2,
        "registers": (dim if dim <= PRELOADED else 0) + REGISTERS,
    }
    return filled((HEAD + INTERPRETER + BOUNDS).replace("@arithmetic@", ARITHMETIC), names)
