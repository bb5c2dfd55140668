"""C++ code of interval arithmetic on ``struct I { T lo, hi; }``, as static functions of a struct.

Every end is rounded outward: sums, products and quotients by one unit in the last place, functions of the C library,
whose errors are one or two units on a CPU and on CUDA devices, by four. An end may be infinite. What is called at many
places is a function of its own in the compiled code: that compiles in a third of the time, and runs a tenth slower.
"""

ARITHMETIC = """
    static CUDA_CALLABLE I of(T lo, T hi) { I u; u.lo = lo; u.hi = hi; return u; }
    static CUDA_CALLABLE T infinite() { return T(INFINITY); }
    static CUDA_CALLABLE I whole() { return of(-infinite(), infinite()); }
    static CUDA_CALLABLE T least(T a, T b) { return a < b ? a : b; }
    static CUDA_CALLABLE T most(T a, T b) { return a > b ? a : b; }
    static CUDA_CALLABLE bool zero(I u) { return u.lo == T(0) && u.hi == T(0); }
    static CUDA_CALLABLE bool has(I u, T c) { return u.lo <= c && c <= u.hi; }
    static CUDA_CALLABLE T size(I u) { return most(wp::abs(u.lo), wp::abs(u.hi)); }

    // a lower bound of a number known to a relative error; of NaN, which is infinity minus infinity, minus infinity
    static CUDA_CALLABLE T down(T v, T error)
    {
        const T lower = v - wp::abs(v) * error;
        return lower == lower ? lower : -infinite();
    }
    static CUDA_CALLABLE T up(T v, T error) { return -down(-v, error); }
    static CUDA_CALLABLE I outward(T lo, T hi)
    {
        return of(down(lo, T(2.3e-16)) - T(1e-307), up(hi, T(2.3e-16)) + T(1e-307));
    }
    ROLL_ONCE I of_function(T lo, T hi)
    {
        return of(down(lo, T(1e-15)) - T(1e-307), up(hi, T(1e-15)) + T(1e-307));
    }
    static CUDA_CALLABLE I positive(I u) { return of(most(u.lo, T(0)), u.hi); }
    static CUDA_CALLABLE I within(I u, T lo, T hi) { return of(most(u.lo, lo), least(u.hi, hi)); }

    static CUDA_CALLABLE I minus(I a) { return of(-a.hi, -a.lo); }
    static CUDA_CALLABLE I plus(I a, I b)
    {
        if (zero(a))
            return b;
        return zero(b) ? a : of(down(a.lo + b.lo, T(2.3e-16)), up(a.hi + b.hi, T(2.3e-16)));
    }
    // zero times an end without bound is zero
    static CUDA_CALLABLE T ends(T a, T b) { return a == T(0) || b == T(0) ? T(0) : a * b; }
    ROLL_ONCE I times(I a, I b)
    {
        if (zero(a) || zero(b))
            return of(T(0), T(0));
        const bool below = a.hi <= T(0), other_below = b.hi <= T(0);
        if (below)
            a = minus(a);
        if (other_below)
            b = minus(b);
        I found;
        if (a.lo >= T(0) && b.lo >= T(0))
            found = positive(outward(ends(a.lo, b.lo), ends(a.hi, b.hi)));
        else
            found = outward(
                least(ends(a.lo, b.hi), ends(a.hi, b.lo)), most(ends(a.lo, b.lo), ends(a.hi, b.hi)));
        return below == other_below ? found : minus(found);
    }
    static CUDA_CALLABLE I scaled(T c, I a) { return times(of(c, c), a); }
    ROLL_ONCE I square(I a)
    {
        const T p = ends(a.lo, a.lo), q = ends(a.hi, a.hi);
        return positive(outward(has(a, T(0)) ? T(0) : least(p, q), most(p, q)));
    }
    ROLL_ONCE I inverse(I a)
    {
        if (a.lo >= T(0) && a.hi > T(0))
            return positive(of_function(T(1) / a.hi, a.lo > T(0) ? T(1) / a.lo : infinite()));
        if (a.hi <= T(0) && a.lo < T(0))
            return minus(positive(of_function(T(-1) / a.lo, a.hi < T(0) ? T(-1) / a.hi : infinite())));
        return whole();
    }
    // the sine, whose crests are at a quarter of a turn, or the cosine, whose crests are at none
    ROLL_ONCE I wave(I u, T quarter)
    {
        if (!(u.hi - u.lo < T(6.28)) || !(size(u) < T(1e9)))
            return of(T(-1), T(1));
        const T turns = T(0.15915494309189535), half = T(0.5);
        const T error = T(1e-15) * (T(1) + size(u));
        const T from = u.lo * turns - quarter - error, to = u.hi * turns - quarter + error;
        const T one = quarter > T(0) ? wp::sin(u.lo) : wp::cos(u.lo);
        const T other = quarter > T(0) ? wp::sin(u.hi) : wp::cos(u.hi);
        const bool crest = wp::floor(to) >= wp::ceil(from), trough = wp::floor(to - half) >= wp::ceil(from - half);
        const I between = of_function(least(one, other), most(one, other));
        return within(of(trough ? T(-1) : between.lo, crest ? T(1) : between.hi), T(-1), T(1));
    }
    // how far u^c and u^(c - 1) may be off, since c - 1 is rounded
    static CUDA_CALLABLE T slack(T u, T c)
    {
        const bool exact = wp::floor(T(2) * c) == T(2) * c || !(u > T(0)) || !wp::isfinite(u);
        return T(1e-15) * (exact ? T(1) : T(1) + wp::abs(c * wp::log(u)));
    }
    // u^c; flags tell where it is undefined
    ROLL_ONCE I power(I u, T c, int& flags)
    {
        if (c == T(0))
            return of(T(1), T(1));
        const bool is_whole = wp::floor(c) == c, is_even = is_whole && wp::floor(c / T(2)) * T(2) == c;
        if (!is_whole && u.lo < T(0)) {
            flags |= u.hi < T(0) ? NOWHERE : PARTLY;
            u = of(T(0), most(u.hi, T(0)));
        }
        if (c < T(0) && has(u, T(0))) {
            flags |= PARTLY;
            return whole();
        }
        const T p = wp::pow(u.lo, c), q = wp::pow(u.hi, c), error = most(slack(u.lo, c), slack(u.hi, c));
        const T lowest = is_even && has(u, T(0)) ? T(0) : least(p, q);
        const I found = of(down(lowest, error) - T(1e-307), up(most(p, q), error) + T(1e-307));
        return is_even || u.lo >= T(0) ? positive(found) : found;
    }
    static CUDA_CALLABLE I logarithm(I u, int& flags)
    {
        if (!(u.lo > T(0)))
            flags |= u.hi < T(0) ? NOWHERE : PARTLY;
        const I found = of_function(wp::log(most(u.lo, T(0))), wp::log(most(u.hi, T(0))));
        return of(u.lo > T(0) ? found.lo : -infinite(), found.hi);
    }
"""
