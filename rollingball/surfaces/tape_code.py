"""C++ code that interprets a tape: the value of a formula and its derivatives, by forward differentiation.

A register holds a value and its derivatives by up to four variables, the second ones with i <= j. In more variables
the tape is run several times, each time for four of them, so that registers stay small.
"""

from rollingball.surfaces.tape import CODES, PRELOADED, REGISTERS

# A function in a struct is compiled once for a snippet, however often a kernel calls it.
HEAD = """
#if defined(__CUDA_ARCH__)
#define ROLL_ONCE static __device__ __noinline__
#else
#define ROLL_ONCE static __attribute__((noinline))
#endif
using T = wp::@dtype@;
"""

JETS = """
struct Tape {
    enum { VARIABLES = @preloaded@, K = @directions@, ORDER = @order@, N = @entries@, REGISTERS = @registers@ };

    // a function of u, perhaps with a number c, and its derivatives
    static CUDA_CALLABLE void apply(int operation, T u, T c, T& v, T& f, T& ff)
    {
        switch (operation) {
        case @number_over@: {
            const T inverse = T(1) / u;
            v = c / u;
            f = -v * inverse;
            ff = T(-2) * f * inverse;
            break;
        }
        case @power_number@:
            v = wp::pow(u, c);
            // a factor of zero is tested for, since zero times an infinite power would be NaN
            if (ORDER > 0)
                f = c == T(0) ? T(0) : c * wp::pow(u, c - T(1));
            if (ORDER > 1)
                ff = c * (c - T(1)) == T(0) ? T(0) : c * (c - T(1)) * wp::pow(u, c - T(2));
            break;
        case @number_power@:
            v = wp::pow(c, u);
            if (ORDER > 0)
                f = v * wp::log(c);
            if (ORDER > 1)
                ff = f * wp::log(c);
            break;
        case @square@:
            v = u * u;
            f = T(2) * u;
            ff = T(2);
            break;
        case @cube@:
            v = u * u * u;
            f = T(3) * u * u;
            ff = T(6) * u;
            break;
        case @sin@:
            v = wp::sin(u);
            if (ORDER > 0)
                f = wp::cos(u);
            ff = -v;
            break;
        case @cos@:
            v = wp::cos(u);
            if (ORDER > 0)
                f = -wp::sin(u);
            ff = -v;
            break;
        case @tan@:
            v = wp::tan(u);
            f = T(1) + v * v;
            ff = T(2) * v * f;
            break;
        case @exp@:
            v = f = ff = wp::exp(u);
            break;
        case @log@:
            v = wp::log(u);
            f = u < T(0) ? v : T(1) / u;  // outside of the domain all is NaN
            ff = -f * f;
            break;
        case @sqrt@:
            v = wp::sqrt(u);
            f = T(0.5) / v;
            ff = T(-0.25) / (v * u);
            break;
        case @tanh@:
            v = wp::tanh(u);
            f = T(1) / wp::cosh(u);  // 1 - v v would cancel
            f = f * f;
            ff = T(-2) * v * f;
            break;
        case @atan@:
            v = wp::atan(u);
            f = T(1) / (T(1) + u * u);
            ff = T(-2) * u * f * f;
            break;
        default:  // abs, away from its kink
            v = wp::abs(u);
            f = T((u > T(0)) - (u < T(0)));
            break;
        }
    }

    ROLL_ONCE void run(
        const int* rows, int count, const double* numbers, const T* x, const int* chosen, T* result)
    {
        T jets[REGISTERS][N];
        int entering[REGISTERS];  // the variables that enter a register, as bits; all others have derivatives of zero
        for (int i = 0; i < VARIABLES; ++i) {
            entering[i] = 1 << i;
            jets[i][0] = x[i];
            for (int k = 1; k < N; ++k)
                jets[i][k] = T(k == i + 1);
        }
        T* out = jets[0];
        for (int row = 0; row < count; ++row) {
            const int* entry = rows + 4 * row;
            const int operation = entry[0];
            out = jets[entry[3]];
            if (operation == @load@ || operation == @number@) {
                const bool is_variable = operation == @load@;
                int enters = 0;
                out[0] = is_variable ? x[entry[1]] : T(numbers[entry[1]]);
                for (int k = 1; k < N; ++k) {
                    const bool is_one = is_variable && k <= K && chosen[k - 1] == entry[1];
                    out[k] = T(is_one);
                    enters |= is_one ? 1 << (k - 1) : 0;
                }
                entering[entry[3]] = enters;
                continue;
            }
            const int enters = entering[entry[1]] | (operation <= @power@ ? entering[entry[2]] : 0);
            entering[entry[3]] = enters;
            const T* a = jets[entry[1]];
            const T u = a[0];
            T v = T(0), f = T(0), ff = T(0);  // the value of a function of u and its derivatives
            bool is_function = false;
            switch (operation) {
            case @add@: {
                const T* b = jets[entry[2]];
                for (int k = 0; k < N; ++k)
                    out[k] = a[k] + b[k];
                break;
            }
            case @subtract@: {
                const T* b = jets[entry[2]];
                for (int k = 0; k < N; ++k)
                    out[k] = a[k] - b[k];
                break;
            }
            case @multiply@: {
                const T* b = jets[entry[2]];
                const T w = b[0];
                if (ORDER > 1)
                    for (int i = 1, k = K + 1; i <= K; ++i)
                        for (int j = i; j <= K; ++j, ++k)
                            out[k] = w * a[k] + a[i] * b[j] + a[j] * b[i] + u * b[k];
                for (int k = 1; k <= K; ++k)
                    out[k] = w * a[k] + u * b[k];
                out[0] = u * w;
                break;
            }
            case @divide@: {
                const T* b = jets[entry[2]];
                const T inverse = T(1) / b[0], w = u / b[0];
                T slope[K + 1], other[K + 1];
                for (int k = 1; k <= K; ++k) {
                    other[k] = b[k];
                    slope[k] = inverse * (a[k] - w * b[k]);
                }
                if (ORDER > 1)
                    for (int i = 1, k = K + 1; i <= K; ++i)
                        for (int j = i; j <= K; ++j, ++k)
                            out[k] = inverse * (a[k] - slope[i] * other[j] - slope[j] * other[i] - w * b[k]);
                for (int k = 1; k <= K; ++k)
                    out[k] = slope[k];
                out[0] = w;
                break;
            }
            case @power@: {  // a^b = exp(b log a), its value by pow, which knows whole powers of negative numbers
                const T* b = jets[entry[2]];
                const T w = b[0], log_u = wp::log(u), inverse = T(1) / u, value = wp::pow(u, w);
                T logs[K + 1], slope[K + 1], other[K + 1];
                for (int k = 1; k <= K; ++k) {
                    logs[k] = inverse * a[k];
                    other[k] = b[k];
                    slope[k] = log_u * b[k] + w * logs[k];
                }
                if (ORDER > 1)
                    for (int i = 1, k = K + 1; i <= K; ++i)
                        for (int j = i; j <= K; ++j, ++k) {
                            const T second = inverse * a[k] - logs[i] * logs[j];
                            const T bend = log_u * b[k] + other[i] * logs[j] + other[j] * logs[i] + w * second;
                            out[k] = value * (slope[i] * slope[j] + bend);
                        }
                for (int k = 1; k <= K; ++k)
                    out[k] = value * slope[k];
                out[0] = value;
                break;
            }
            case @add_number@:
                for (int k = 1; k < N; ++k)
                    out[k] = a[k];
                out[0] = u + T(numbers[entry[2]]);
                break;
            case @number_minus@:
                for (int k = 1; k < N; ++k)
                    out[k] = -a[k];
                out[0] = T(numbers[entry[2]]) - u;
                break;
            case @scale@: {
                const T c = T(numbers[entry[2]]);
                for (int k = 1; k < N; ++k)
                    out[k] = c * a[k];
                out[0] = c * u;
                break;
            }
            case @divide_by_number@: {
                const T c = T(numbers[entry[2]]), inverse = T(1) / c;
                for (int k = 1; k < N; ++k)
                    out[k] = inverse * a[k];
                out[0] = u / c;
                break;
            }
            case @negative@:
                for (int k = 0; k < N; ++k)
                    out[k] = -a[k];
                break;
            default:
                is_function = true;
                apply(operation, u, operation < @negative@ ? T(numbers[entry[2]]) : T(0), v, f, ff);
            }
            if (is_function) {
                if (ORDER > 1)
                    for (int i = 1, k = K + 1; i <= K; ++i)
                        for (int j = i; j <= K; ++j, ++k)
                            out[k] = ff * a[i] * a[j] + (a[k] == T(0) ? T(0) : f * a[k]);
                for (int k = 1; k <= K; ++k)
                    out[k] = f * a[k];
                out[0] = v;
            }
            if (enters != (1 << K) - 1)  // an infinite factor made NaN of zero
                for (int i = 1, k = K + 1; i <= K; ++i) {
                    const bool is_absent = !(enters >> (i - 1) & 1);
                    if (is_absent)
                        out[i] = T(0);
                    if (ORDER > 1)
                        for (int j = i; j <= K; ++j, ++k)
                            if (is_absent || !(enters >> (j - 1) & 1))
                                out[k] = T(0);
                }
        }
        for (int k = 0; k < N; ++k)
            result[k] = out[k];
    }
};
"""

VALUE = """
T result;
Tape::run(rows.data, rows.shape[0] / 4, numbers.data, x.c, nullptr, &result);
return result;
"""

FIRST = """
wp::vec_t<@dim@ + 1, T> result;
T jet[Tape::N];
int chosen[Tape::K];
for (int from = 0; from < @dim@; from += Tape::K) {
    for (int k = 0; k < Tape::K; ++k)
        chosen[k] = from + k;
    Tape::run(rows.data, rows.shape[0] / 4, numbers.data, x.c, chosen, jet);
    for (int k = 0; k < Tape::K && from + k < @dim@; ++k)
        result.c[from + k] = jet[1 + k];
}
result.c[@dim@] = jet[0];
return result;
"""

# the gradient and the value are the last column; in many variables each two pairs of them are a run of the tape
SECOND = """
wp::mat_t<@dim@ + 1, @dim@ + 1, T> result;
T jet[Tape::N];
int chosen[Tape::K];
const int part = @dim@ > Tape::K ? Tape::K / 2 : Tape::K;
for (int from = 0; from < @dim@; from += part)
    for (int to = @dim@ > part ? from + part : from; to == from || to < @dim@; to += part) {
        for (int k = 0; k < Tape::K; ++k)
            chosen[k] = k < part ? from + k : to + k - part;
        Tape::run(rows.data, rows.shape[0] / 4, numbers.data, x.c, chosen, jet);
        for (int i = 0, entry = 1 + Tape::K; i < Tape::K; ++i) {
            for (int j = i; j < Tape::K; ++j, ++entry)
                if (chosen[i] < @dim@ && chosen[j] < @dim@) {
                    result.data[chosen[i]][chosen[j]] = jet[entry];
                    result.data[chosen[j]][chosen[i]] = jet[entry];
                }
            if (chosen[i] < @dim@)
                result.data[chosen[i]][@dim@] = jet[1 + i];
        }
    }
result.data[@dim@][@dim@] = jet[0];
return result;
"""
ENDS = (VALUE, FIRST, SECOND)


def jet_snippet(dim: int, dtype: str, order: int) -> str:
    """The C++ body of a function of x, rows and numbers.

    It returns the value (order 0), a vector with the gradient and then the value (1), or a matrix with the Hessian and
    the gradient and value as its last column (2).
    """
    preloaded = dim if dim <= PRELOADED else 0
    directions = min(dim, PRELOADED) if order else 0
    names = {
        "dim": dim,
        "dtype": dtype,
        "preloaded": preloaded,
        "directions": directions,
        "order": order,
        "entries": 1 + directions + (directions * (directions + 1) // 2 if order > 1 else 0),
        "registers": preloaded + REGISTERS,
    }
    return filled(HEAD + JETS + ENDS[order], names)


def filled(code: str, names: dict[str, object]) -> str:
    """The code with the names in it, and with the codes of the operations."""
    for name, value in (CODES | names).items():
        code = code.replace(f"@{name}@", str(value))
    return code
