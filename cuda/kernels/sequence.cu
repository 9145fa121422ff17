// Token values to sequence scores and back: core/src/sequence.rs, with its bits. A warp has a sequence: its lanes read 32
// tokens side by side and form their terms; the sum is one f64 chain over the live tokens in order, which every lane follows.
// Counters, where they are wanted, are cleared by a kernel before. The last two are of the KL to a reference, before and behind
// the divergence of its tokens.
#include "segments.cuh"

enum { TRUING_SUM, TRUING_BY_TOKENS, TRUING_BY_WEIGHTS, TRUING_BY_NUMBER };

struct truing_sequence_args {
    truing_view logps, ref_logps, mask, weights, prefix, offsets;
    truing_view out_scores, out_counts, out_first, out_last, out_status, out_counters;
    truing_view grad_scores, grad_output, grad_logps, grad_ref_logps;
    truing_i64 tokens, sequences, width; // width 0: packed, with offsets
    double alpha, normaliser, low, high, grad_scale;
    truing_u32 divisor, policy_only, clamps, reserved;
};
// What a lane knows about its token.
struct truing_token {
    bool live, behind;
    double w, coefficient;
};
TRUING_FN truing_token truing_token_of(const truing_sequence_args &a, truing_i64 i, bool on, truing_i64 prefix, truing_i64 &count,
                                       truing_u32 &live, truing_u32 &status) {
    const truing_u32 lane = threadIdx.x & 31;
    truing_token t;
    t.live = on && truing_set(a.mask, i);
    live = __ballot_sync(TRUING_ALL_LANES, t.live);
    t.behind = count + __popc(live & (0xffffffffu >> (31 - lane))) > prefix;
    count += __popc(live);
    t.w = t.live && a.weights.data ? (double)truing_float_at(a.weights, i, 0) : 1.0;
    if (t.live && !(t.w >= 0.0 && t.w < TRUING_INF)) status |= TRUING_ROW_OUT_OF_RANGE;
    t.coefficient = t.behind ? t.w * a.alpha : t.w;
    return t;
}
// The prefix of `ld`; without one every token lies before it.
TRUING_FN truing_i64 truing_prefix(const truing_sequence_args &a, truing_i64 b, truing_u32 &status) {
    const truing_i64 p = a.prefix.data ? truing_int_at(a.prefix, b) : 0x7fffffffffffffffll;
    if (p < 0) status |= TRUING_ROW_OUT_OF_RANGE;
    return p < 0 ? 0x7fffffffffffffffll : p;
}
TRUING_FN void truing_nan_or_inf(double x, truing_u32 &status, truing_u32 &infinite) {
    if (x != x) status |= TRUING_ROW_NAN_INPUT;
    infinite |= truing_abs(x) == TRUING_INF;
}
extern "C" __global__ __launch_bounds__(32) void truing_sequence_clear(const __grid_constant__ truing_sequence_args a) {
    truing_wait();
    truing_put(a.out_counters, threadIdx.x, (truing_i64)0);
}
extern "C" __global__ __launch_bounds__(128) void truing_sequence_forward(const __grid_constant__ truing_sequence_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    truing_u32 status = 0, infinite = 0;
    const truing_i64 prefix = truing_prefix(a, b, status);
    double front = 0.0, back = 0.0, apart = 0.0, total = 0.0;
    truing_i64 count = 0;
    int first = -1, last = -1;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        truing_u32 live;
        const truing_token t = truing_token_of(a, i, at + lane < range.n, prefix, count, live, status);
        if (live != 0) {
            if (first < 0) first = (int)at + __ffs((int)live) - 1;
            last = (int)at + 31 - __clz((int)live);
        }
        const bool read = t.live && t.coefficient != 0.0, with_ref = a.ref_logps.data != 0;
        double r = 0.0, d = 0.0;
        if (with_ref && (a.policy_only ? t.live : read)) {
            r = truing_double_at(a.ref_logps, i);
            truing_nan_or_inf(r, status, infinite);
        }
        if (read) {
            const double l = truing_double_at(a.logps, i);
            truing_nan_or_inf(l, status, infinite);
            d = l;
            if (with_ref && !a.policy_only) {
                d = l - r;
                if (d != d && l == l && r == r) status |= TRUING_ROW_INF_INPUT;
                if (a.clamps) {
                    if (d < a.low || d > a.high) status |= TRUING_ROW_SATURATED;
                    d = d < a.low ? a.low : d > a.high ? a.high : d; // the order keeps a NaN
                }
            }
        }
        const truing_u32 here = __ballot_sync(TRUING_ALL_LANES, read), behind = __ballot_sync(TRUING_ALL_LANES, t.behind);
        front = truing_chain(front, t.w * d, here & ~behind);
        back = truing_chain(back, d, here & behind);
        if (a.policy_only && with_ref) apart = truing_chain(apart, r, live);
        if (a.divisor == TRUING_BY_WEIGHTS) total = truing_chain(total, t.w, live);
    }
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    infinite = __reduce_or_sync(TRUING_ALL_LANES, infinite);
    if (lane != 0) return;
    double score = (a.alpha == 0.0 ? front : front + a.alpha * back) - apart;
    const double divisor = a.divisor == TRUING_BY_TOKENS ? (double)count
                           : a.divisor == TRUING_BY_WEIGHTS ? total
                           : a.divisor == TRUING_BY_NUMBER ? a.normaliser
                                                           : 1.0;
    if (count == 0 || divisor == 0.0) {
        score = 0.0;
        status |= TRUING_ROW_EMPTY;
    } else if (a.divisor != TRUING_SUM) {
        score /= divisor;
    }
    if (score != score && !(status & TRUING_ROW_NAN_INPUT)) status |= TRUING_ROW_INF_INPUT;
    else if (truing_abs(score) == TRUING_INF) status |= infinite ? TRUING_ROW_INFINITE : TRUING_ROW_OVERFLOW;
    if (range.wrong || (status & TRUING_ROW_OUT_OF_RANGE)) {
        status = TRUING_ROW_OUT_OF_RANGE;
        score = TRUING_NAN;
    }
    if (a.out_scores.data && a.out_scores.dtype == TRUING_DTYPE_F32 && truing_abs(score) < TRUING_INF &&
        !(truing_abs((float)score) < TRUING_INFF))
        status |= TRUING_ROW_OVERFLOW;
    truing_put_real(a.out_scores, b, score);
    truing_put(a.out_counts, b, (int)count);
    truing_put(a.out_first, b, first);
    truing_put(a.out_last, b, last);
    truing_put(a.out_status, b, status);
    for (truing_u32 bits = a.out_counters.data ? status : 0; bits != 0; bits &= bits - 1)
        atomicAdd(truing_row<truing_u64>(a.out_counters, __ffs((int)bits) - 1), (truing_u64)1);
}
extern "C" __global__ __launch_bounds__(128) void truing_sequence_backward(const __grid_constant__ truing_sequence_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    truing_u32 status = 0, live;
    const truing_i64 prefix = truing_prefix(a, b, status);
    const double factor = (a.grad_output.data ? truing_double_at(a.grad_output, 0) : 1.0) * a.grad_scale;
    const double g = truing_double_at(a.grad_scores, b) * factor;
    double divisor = a.divisor == TRUING_BY_NUMBER ? a.normaliser : 1.0;
    truing_i64 count = 0;
    // a weight that the host could not look at spoils the whole sequence, so all are seen before anything is written
    if (a.divisor == TRUING_BY_TOKENS || a.divisor == TRUING_BY_WEIGHTS || a.weights.data) {
        double total = 0.0;
        for (truing_i64 at = 0; at < range.n; at += 32) {
            const truing_i64 i = range.start + at + lane;
            const truing_token t = truing_token_of(a, i, at + lane < range.n, prefix, count, live, status);
            if (a.divisor == TRUING_BY_WEIGHTS) total = truing_chain(total, t.w, live);
        }
        if (a.divisor == TRUING_BY_TOKENS) divisor = (double)count;
        if (a.divisor == TRUING_BY_WEIGHTS) divisor = total;
        count = 0;
        status = __reduce_or_sync(TRUING_ALL_LANES, status);
    }
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool on = at + lane < range.n;
        const truing_token t = truing_token_of(a, i, on, prefix, count, live, status);
        double dl = 0.0, dr = 0.0;
        if (t.live) {
            dl = t.coefficient == 0.0 || divisor == 0.0 ? 0.0 : g * t.coefficient / divisor;
            if (a.clamps) {
                const double d = truing_double_at(a.logps, i) - truing_double_at(a.ref_logps, i);
                if (d < a.low || d > a.high) dl = 0.0;
                else if (d != d && dl != 0.0) dl = TRUING_NAN;
            }
            if (status & TRUING_ROW_OUT_OF_RANGE) dl = TRUING_NAN;
            dr = a.policy_only ? -g : -dl;
        }
        if (!on) continue;
        truing_put(a.grad_logps, i, (float)dl);
        truing_put(a.grad_ref_logps, i, (float)dr);
    }
}

// Sums over the tokens of a sequence that count: `logps` are their log ratios and go to out_scores, `ref_logps` their KL and go
// to grad_scores, `mask` holds their status.
extern "C" __global__ __launch_bounds__(128) void truing_sequence_kl(const __grid_constant__ truing_sequence_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    truing_u32 status = 0;
    int count = 0;
    double ratio = 0.0, kl = 0.0;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const truing_u32 own = at + lane < range.n ? *truing_row<const truing_u32>(a.mask, i) : TRUING_ROW_IGNORED;
        const bool live = !(own & TRUING_ROW_IGNORED);
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live);
        if (live) status |= own;
        count += __popc(which);
        ratio = truing_chain(ratio, live ? truing_double_at(a.logps, i) : 0.0, which);
        kl = truing_chain(kl, live ? truing_double_at(a.ref_logps, i) : 0.0, which);
    }
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    if (lane != 0) return;
    truing_put_real(a.out_scores, b, range.wrong ? TRUING_NAN : ratio);
    truing_put_real(a.grad_scores, b, range.wrong ? TRUING_NAN : kl);
    truing_put(a.out_counts, b, count);
    truing_put(a.out_status, b, range.wrong ? TRUING_ROW_OUT_OF_RANGE : count == 0 ? TRUING_ROW_EMPTY : status);
}
// Gives each token the gradients of its sequence: `logps`, `ref_logps` to grad_logps, grad_ref_logps. A thread has a token; one of
// no sequence, by offsets that the host could not look at, gets NaN.
extern "C" __global__ __launch_bounds__(128) void truing_sequence_spread(const __grid_constant__ truing_sequence_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.tokens) return;
    truing_i64 b = 0;
    if (a.width != 0 || !a.offsets.data) {
        b = i / (a.width != 0 ? a.width : 1);
    } else {
        truing_i64 end = a.sequences;
        while (end - b > 1) {
            const truing_i64 middle = b + (end - b) / 2;
            if (truing_int_at(a.offsets, middle) <= i) b = middle;
            else end = middle;
        }
    }
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    const bool in = !range.wrong && i >= range.start && i - range.start < range.n;
    truing_put(a.grad_logps, i, !in ? TRUING_NANF : a.logps.data ? (float)truing_double_at(a.logps, b) : 0.0f);
    truing_put(a.grad_ref_logps, i, !in ? TRUING_NANF : a.ref_logps.data ? (float)truing_double_at(a.ref_logps, b) : 0.0f);
}
