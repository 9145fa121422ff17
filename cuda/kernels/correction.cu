// Off-policy corrections: core/src/correction.rs, with its bits. A warp has a sequence; its sums are f64 chains over the live
// tokens in their order. Importance weights: 1. truing_correction_weights; 2. where weights are divided by a mean or figures are
// wanted, truing_correction_totals: one block, a chain for each sum over the whole batch; 3. truing_correction_divide: a thread
// has a token.
#include "segments.cuh"

enum { TRUING_BY_TOKEN = 1, TRUING_BY_SUM, TRUING_BY_MEAN, TRUING_BY_MAXIMUM };
enum { TRUING_RAW = 1, TRUING_TRUNCATE, TRUING_MASK };
enum { TRUING_RATIO = 1, TRUING_K1, TRUING_K2, TRUING_K3, TRUING_BINARY_KL, TRUING_TV };
enum { TRUING_TOKEN_MEAN = 1, TRUING_SEQUENCE_MEAN };
struct truing_correction_args {
    truing_view old, sampler, advantage, mask, keep, offsets;
    truing_view out_weights, out_keep, out_status, out_statistics, out_sequence_keep, out_statistic, out_rejected;
    double *weights; // [N], 0 where a token is masked; NULL: nobody adds them up
    double *sums;    // [B, 3]: weights, live tokens, those beyond the bounds
    double *divisor;
    truing_i64 tokens, sequences, width;
    double low, high, delta, decay, safety; // of weights by what follows: logs of the bounds
    truing_u32 level, action, drops, normalise, token_weight, statistic; // drops: what is missing has the weight 0
    truing_u32 advantage_of_sequence;
};
// As truing_larger.
TRUING_FN double truing_smaller(double a, double b) { return b < a ? b : a <= b ? a : a + b; }
TRUING_FN double truing_gap(const truing_correction_args &a, truing_i64 i) { return truing_double_at(a.old, i) - truing_double_at(a.sampler, i); }

extern "C" __global__ __launch_bounds__(128) void truing_correction_weights(const __grid_constant__ truing_correction_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    double shared = 0.0, count = 0.0, own = 0.0, beyond = 0.0;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool live = at + lane < range.n && truing_set(a.mask, i);
        const double gap = live ? truing_gap(a, i) : 0.0;
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live);
        shared = truing_chain(shared, truing_finite(gap) ? gap : 0.0, which);
        count += (double)__popc(which);
    }
    if (a.level == TRUING_BY_MEAN && count > 0.0) shared /= count;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, live = here && truing_set(a.mask, i);
        double weight = 0.0;
        truing_u32 status = TRUING_ROW_IGNORED;
        bool within = false;
        if (live) {
            const double gap = truing_gap(a, i);
            const bool given = truing_finite(gap);
            const double y = given ? gap : 0.0, decides = a.level == TRUING_BY_TOKEN ? y : shared;
            within = a.low <= decides && decides <= a.high;
            const double raised = decides < a.low ? a.low : decides;
            if ((!given && a.drops) || (a.action == TRUING_MASK && !within)) weight = 0.0;
            else weight = truing_exp(a.token_weight ? y : a.action != TRUING_TRUNCATE ? decides : raised > a.high ? a.high : raised);
            status = given ? 0 : gap != gap ? TRUING_ROW_NAN_INPUT : TRUING_ROW_INF_INPUT;
            if (weight == TRUING_INF || (a.out_weights.data && truing_overflow(weight, a.out_weights))) status |= TRUING_ROW_OVERFLOW;
        }
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live);
        own = truing_chain(own, weight, which);
        beyond += (double)__popc(__ballot_sync(TRUING_ALL_LANES, live && !within));
        if (!here) continue;
        truing_put_real(a.out_weights, i, weight);
        truing_put(a.out_keep, i, (unsigned char)within);
        truing_put(a.out_status, i, status);
        if (a.weights) a.weights[i] = weight;
    }
    if (lane != 0 || !a.weights) return;
    a.sums[3 * b] = range.wrong ? TRUING_NAN : own;
    a.sums[3 * b + 1] = count;
    a.sums[3 * b + 2] = beyond;
}
#define TRUING_ADDERS 512
#define TRUING_TILE 2048
extern "C" __global__ __launch_bounds__(TRUING_ADDERS, 1) void truing_correction_totals(const __grid_constant__ truing_correction_args a) {
    truing_wait();
    truing_let_go();
    __shared__ double tile[TRUING_TILE], found[6];
    const truing_u32 thread = threadIdx.x, lane = thread & 31, warp = thread / 32;
    // one thread of a warp each: weights, their squares
    double sum = 0.0;
    for (truing_i64 at = 0; at < a.tokens; at += TRUING_TILE) {
        const truing_u32 many = a.tokens - at < TRUING_TILE ? (truing_u32)(a.tokens - at) : TRUING_TILE;
        for (truing_u32 k = thread; k < many; k += TRUING_ADDERS) tile[k] = a.weights[at + k];
        __syncthreads();
        // a masked token's 0 leaves a sum as it is
        if (lane == 0 && warp < 2)
#pragma unroll 8
            for (truing_u32 k = 0; k < many; k++) sum = sum + (warp == 0 ? tile[k] : tile[k] * tile[k]);
        __syncthreads();
    }
    if (lane == 0 && warp < 2) found[warp] = sum;
    // of the sequences: weights, their means, sequences with a live token, tokens, those beyond
    if (thread == 64) {
        double all = 0.0, means = 0.0, sequences = 0.0, tokens = 0.0, beyond = 0.0;
        for (truing_i64 b = 0; b < a.sequences; b++) {
            const double own = a.sums[3 * b], count = a.sums[3 * b + 1];
            all += own;
            if (count > 0.0) {
                means += own / count;
                sequences += 1.0;
            }
            tokens += count;
            beyond += a.sums[3 * b + 2];
        }
        found[2] = a.normalise == TRUING_TOKEN_MEAN ? all / tokens : a.normalise == TRUING_SEQUENCE_MEAN ? means / sequences : 1.0;
        found[3] = tokens;
        found[4] = beyond;
        found[5] = all;
    }
    __syncthreads();
    if (thread != 0) return;
    // offsets that the host could not look at
    const bool wrong = found[5] != found[5];
    // nothing to divide by, or nothing at all
    const double divisor = wrong ? TRUING_NAN : a.normalise != 0 && found[2] > 1e-8 ? found[2] : 1.0;
    *a.divisor = divisor;
    const double all[4] = {found[3], found[4], a.normalise ? found[0] / divisor : found[0], a.normalise ? found[1] / (divisor * divisor) : found[1]};
    for (int k = 0; k < 8; k++) truing_put(a.out_statistics, k, k >= 4 ? 0.0 : wrong ? TRUING_NAN : all[k]);
}
extern "C" __global__ __launch_bounds__(128) void truing_correction_divide(const __grid_constant__ truing_correction_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.tokens && truing_set(a.mask, i)) truing_put_real(a.out_weights, i, a.weights[i] / *a.divisor);
}

// The statistic of a token; one whose log ratio is not finite has that of equal log-probs.
TRUING_FN double truing_statistic(const truing_correction_args &a, truing_i64 i, bool &given) {
    const double old = truing_double_at(a.old, i), sampler = truing_double_at(a.sampler, i), y = old - sampler;
    given = truing_finite(y);
    if (!given) return 0.0;
    switch (a.statistic) {
    case TRUING_RATIO: return y;
    case TRUING_K1: return -y;
    case TRUING_K2: return 0.5 * y * y;
    case TRUING_K3: return truing_exp_rem(y);
    case TRUING_BINARY_KL: return truing_coin_kl(old, sampler, y);
    default: return truing_abs(truing_probability_gap(old, sampler, y));
    }
}
extern "C" __global__ __launch_bounds__(32) void truing_correction_clear(const __grid_constant__ truing_correction_args a) {
    truing_wait();
    if (threadIdx.x == 0) truing_put(a.out_rejected, 0, (truing_i64)0);
}
extern "C" __global__ __launch_bounds__(128) void truing_correction_reject(const __grid_constant__ truing_correction_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    double sum = 0.0, count = 0.0, most = -TRUING_INF;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool counts = at + lane < range.n && truing_set(a.mask, i) && truing_set(a.keep, i);
        bool given;
        const double v = counts ? truing_statistic(a, i, given) : 0.0;
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, counts);
        sum = truing_chain(sum, v, which);
        count += (double)__popc(which);
        // the first of equal ones, zeros of both signs too
        for (int k = 0; k < 32 && a.level == TRUING_BY_MAXIMUM; k++) {
            const double x = __shfl_sync(TRUING_ALL_LANES, v, k);
            if ((which >> k & 1) && x > most) most = x;
        }
    }
    const double shared = a.level == TRUING_BY_TOKEN || count == 0.0 ? 0.0 : a.level == TRUING_BY_SUM ? sum : a.level == TRUING_BY_MEAN ? sum / count : most;
    truing_u32 kept_any = 0;
    truing_u64 rejected = 0;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool here = at + lane < range.n, live = here && truing_set(a.mask, i), counts = live && truing_set(a.keep, i);
        bool given = true;
        const double own = counts ? truing_statistic(a, i, given) : 0.0, decides = a.level == TRUING_BY_TOKEN ? own : shared;
        const bool kept = counts && a.low <= decides && decides <= a.high && (given || !a.drops);
        kept_any |= __ballot_sync(TRUING_ALL_LANES, kept);
        rejected += (truing_u64)__popc(__ballot_sync(TRUING_ALL_LANES, live && !kept));
        if (!here) continue;
        truing_put(a.out_keep, i, (unsigned char)kept);
        if (a.level == TRUING_BY_TOKEN) truing_put_real(a.out_statistic, i, own);
    }
    if (lane != 0) return;
    truing_put(a.out_sequence_keep, b, (unsigned char)(kept_any != 0));
    if (a.level != TRUING_BY_TOKEN) truing_put_real(a.out_statistic, b, range.wrong ? TRUING_NAN : shared);
    if (a.out_rejected.data && rejected != 0) atomicAdd(truing_row<truing_u64>(a.out_rejected, 0), rejected);
}
// `old` is the current policy, `sampler` what it moved away from.
extern "C" __global__ __launch_bounds__(128) void truing_correction_moved(const __grid_constant__ truing_correction_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    double sum = 0.0, count = 0.0;
    for (truing_i64 at = 0; at < range.n; at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool live = at + lane < range.n && truing_set(a.mask, i);
        const double behaviour = live ? truing_double_at(a.sampler, i) : 0.0;
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live);
        sum = truing_chain(sum, behaviour != behaviour || !live ? 0.0 : behaviour - truing_double_at(a.old, i), which);
        count += (double)__popc(which);
    }
    if (lane != 0) return;
    const double mean = range.wrong ? TRUING_NAN : count > 0.0 ? sum / count : 0.0;
    const bool kept = !range.wrong && !(truing_double_at(a.advantage, b) < 0.0 && mean > a.delta);
    truing_put(a.out_keep, b, (unsigned char)kept);
    truing_put_real(a.out_statistic, b, mean);
}
// Weights by what follows: from the end of a sequence on; `old` is the current policy, `sampler` the old one.
extern "C" __global__ __launch_bounds__(128) void truing_correction_follow(const __grid_constant__ truing_correction_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    const truing_u32 lane = threadIdx.x & 31;
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    double future = 0.0;
    for (truing_i64 end = range.n; end > 0; end -= 32) {
        const truing_i64 i = range.start + end - 1 - lane;
        const bool here = lane < end, live = here && truing_set(a.mask, i);
        const double ratio = live ? truing_gap(a, i) : 0.0, step = ratio > a.delta ? 0.0 : ratio;
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live);
        double own = 0.0;
#pragma unroll
        for (truing_u32 k = 0; k < 32; k++) {
            const double x = __shfl_sync(TRUING_ALL_LANES, step, k);
            future = which >> k & 1 ? a.decay * future + x : future * a.decay;
            if (lane == k) own = future;
        }
        if (!here) continue;
        double weight = 0.0;
        truing_u32 status = TRUING_ROW_IGNORED;
        if (live) {
            weight = truing_exp(truing_smaller(truing_larger(own, a.low), a.high));
            if (truing_double_at(a.advantage, a.advantage_of_sequence ? b : i) < 0.0 && ratio > a.safety) weight = truing_smaller(truing_larger(weight, 0.8), 1.0);
            status = weight != weight ? TRUING_ROW_NAN_INPUT : weight == TRUING_INF ? TRUING_ROW_OVERFLOW : 0;
            if (a.out_weights.data) status |= truing_overflow(weight, a.out_weights);
        }
        truing_put_real(a.out_weights, i, weight);
        truing_put(a.out_status, i, status);
    }
}
