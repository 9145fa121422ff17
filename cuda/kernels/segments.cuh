// Which tokens belong to which sequence, and f64 sums in their order.
#pragma once
#include "dtype.cuh"

#define TRUING_ALL_LANES 0xffffffffu
struct truing_range {
    truing_i64 start, n;
    bool wrong; // offsets that the host could not look at
};
// Sequence b of `tokens` tokens; width 0: packed, with offsets.
TRUING_FN truing_range truing_tokens(const truing_view &offsets, truing_i64 width, truing_i64 tokens, truing_i64 sequences, truing_i64 b) {
    truing_range r;
    r.wrong = false;
    if (width != 0 || !offsets.data) {
        r.start = b * width;
        r.n = width;
        return r;
    }
    const truing_i64 end = truing_int_at(offsets, b + 1);
    r.start = truing_int_at(offsets, b);
    const bool inside = r.start >= 0 && end >= r.start && end <= tokens;
    r.n = inside ? end - r.start : 0;
    r.wrong = !inside || r.n > 0x7fffffff || (b == 0 && r.start != 0) || (b + 1 == sequences && end != tokens);
    if (r.wrong) r.start = r.n = 0;
    return r;
}
// Element i of marks is set; of marks that are not given all are.
TRUING_FN bool truing_set(const truing_view &v, truing_i64 i) { return !v.data || truing_int_at(v, i) != 0; }
// The thread's warp, of all warps of the grid.
TRUING_FN truing_i64 truing_warp() { return ((truing_i64)blockIdx.x * blockDim.x + threadIdx.x) / 32; }
// Adds the terms of the lanes in `which`, lowest first, to a sum that began with +0: a term of +0 leaves it as it is.
TRUING_FN double truing_chain(double sum, double term, truing_u32 which) {
    if (which == 0) return sum;
    const double own = which >> (threadIdx.x & 31) & 1 ? term : 0.0;
    // the lanes' terms do not wait for each other
#pragma unroll
    for (int k = 0; k < 32; k++) sum += __shfl_sync(TRUING_ALL_LANES, own, k);
    return sum;
}
// x factor, and x itself where it is 0, whatever the factor is.
TRUING_FN double truing_times(double x, double factor) { return x == 0.0 ? x : x * factor; }
// A NaN of either side stays; of two equal numbers the first.
TRUING_FN double truing_larger(double a, double b) { return a < b ? b : b <= a ? a : a + b; }
TRUING_FN bool truing_finite(double x) { return truing_abs(x) < TRUING_INF; }
// x weight; what has the weight 0 is selected away, whatever it is.
TRUING_FN double truing_weighed(double x, double weight) {
    return weight == 0.0 && !truing_finite(x) ? 0.0 : truing_times(x, weight);
}
// A finite number that its place does not hold.
TRUING_FN truing_u32 truing_overflow(double x, const truing_view &v) {
    return v.dtype == TRUING_DTYPE_F32 && truing_finite(x) && !truing_finite((double)(float)x) ? TRUING_ROW_OVERFLOW : 0;
}
