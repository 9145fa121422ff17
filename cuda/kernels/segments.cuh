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

// The reduced loss of rows, their losses added up in order and divided by *divisor (0: nothing counts), and how often each of their
// flags (u32, read where there are counters) and of its own stands; by one block of TRUING_SUMMED threads.
#define TRUING_SUMMED 256
TRUING_FN void truing_sum_rows(truing_i64 rows, const double *losses, const double *divisor, const truing_view &flags, const truing_view &out_loss,
                               const truing_view &out_counters) {
    __shared__ double tile[TRUING_SUMMED];
    __shared__ truing_u64 counts[32];
    const truing_u32 thread = threadIdx.x;
    if (thread < 32) counts[thread] = 0;
    __syncthreads();
    double sum = 0.0;
#pragma unroll 1
    for (truing_i64 first = 0; first < rows; first += TRUING_SUMMED) {
        const truing_i64 row = first + thread;
        if (row < rows && out_counters.data)
            for (truing_u32 bits = *truing_row<const truing_u32>(flags, row); bits != 0; bits &= bits - 1) atomicAdd(&counts[__ffs((int)bits) - 1], (truing_u64)1);
        if (!out_loss.data) continue;
        tile[thread] = row < rows ? losses[row] : 0.0;
        __syncthreads();
        if (thread == 0) {
#pragma unroll 8
            for (int k = 0; k < TRUING_SUMMED; k++) sum += tile[k];
        }
        __syncthreads();
    }
    __syncthreads();
    if (thread == 0 && out_loss.data) {
        const double z = *divisor, loss = z == 0.0 ? 0.0 : sum / z;
        truing_put_real(out_loss, 0, loss);
        const truing_u32 own = truing_overflow(loss, out_loss) | (z == 0.0 ? TRUING_ROW_EMPTY : 0);
        for (truing_u32 bits = own; bits != 0; bits &= bits - 1) counts[__ffs((int)bits) - 1]++;
    }
    __syncthreads();
    if (thread < 32) truing_put(out_counters, thread, (truing_i64)counts[thread]);
}
