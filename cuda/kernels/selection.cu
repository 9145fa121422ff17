// Selections of tokens: core/src/correction.rs, with its bits. All of them sort candidates by a key of 64 bits, equal ones by
// their place: each pass over one byte of the keys is truing_selection_count (how often a block of threads has each byte),
// truing_selection_scan (where they go) and truing_selection_move. Pass 0 collects the candidates in order, passes 1 to 8 sort them, lowest byte first, and pass 9 lists
// the tokens that truing_selection_pick has marked. Every order is a fixed one, however many blocks there are.
#include "segments.cuh"

enum { TRUING_TOP_ENTROPY = 1, TRUING_COV_KL, TRUING_COV_CLIP, TRUING_M2PO };
#define TRUING_LISTING 9u // a pass
#define TRUING_BINS 256
#define TRUING_ADDERS 512
#define TRUING_TILE 2048
struct truing_selection_args {
    // entropies, log-probs of the current policy or the old one; the old or the proximal policy
    truing_view values, other, noise, advantage, mask, offsets;
    truing_view out_keep, out_flag, out_indices, out_count, out_number, out_status;
    truing_u64 *keys[2], *places[2]; // [N] each: sorted from one to the other
    truing_u64 *starts;              // [256, blocks]
    truing_u64 *found;               // [4]
    double *numbers;                 // [4]
    double *advantages;              // [N], NaN where a token counts for no covariance
    truing_u32 *picked;              // [N]
    truing_i64 tokens, sequences, width, blocks, chunk; // chunk: tokens of a block of threads
    double share, threshold, cov_low, cov_high, low, high;
    truing_u64 seed, first_token;
    truing_u32 what, pass, advantage_of_sequence;
};
enum { F_CANDIDATES, F_NAN, F_LISTED, F_FIRST };
enum { N_LOGP, N_ADVANTAGE, N_COUNT, N_THRESHOLD = 0 };

// Unsigned numbers that fall where a number rises, and back; NaN behind all.
TRUING_FN truing_u64 truing_falling(double x) {
    const truing_u64 u = truing_bits(x), sign = (truing_u64)1 << 63;
    return x != x ? (truing_u64)0xfff8000000000000ull : u & sign ? u : ~(u | sign);
}
TRUING_FN double truing_fallen(truing_u64 key) { return truing_from(key >> 63 ? key : ~key & ~((truing_u64)1 << 63)); }
TRUING_FN truing_u64 truing_mixed(truing_u64 x) {
    x = x + 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}
// 0: token i is a candidate with this key. 1: it is none, 2: as it is NaN.
TRUING_FN truing_u32 truing_candidate(const truing_selection_args &a, truing_i64 i, truing_u64 &key) {
    key = 0;
    if (!truing_set(a.mask, i)) return 1;
    const double x = truing_double_at(a.values, i);
    if (a.what == TRUING_TOP_ENTROPY) {
        key = ~truing_falling(x);
        return x != x ? 2 : 0;
    }
    if (a.what == TRUING_M2PO) {
        const double d = x - truing_double_at(a.other, i);
        key = truing_falling(d != d ? TRUING_INF : d * d);
        return 0;
    }
    const double advantage = a.advantages[i];
    if (advantage != advantage) return 1;
    const double cov = (advantage - a.numbers[N_ADVANTAGE]) * (x - a.numbers[N_LOGP]);
    if (a.what == TRUING_COV_KL) {
        // + 0: both zeros are one number, and of equal ones the first goes first
        key = truing_falling(cov + 0.0);
        return 0;
    }
    const double ratio = x - truing_double_at(a.other, i), noise = a.noise.data ? truing_double_at(a.noise, i) : 0.0;
    const bool clipped = (advantage > 0.0 && ratio > a.high) || (advantage < 0.0 && ratio < a.low);
    if (clipped || !(a.cov_low < cov && cov < a.cov_high) || noise != noise) return 1;
    key = a.noise.data ? ~truing_falling(noise + 0.0) : truing_mixed(truing_mixed(a.seed) ^ (a.first_token + (truing_u64)i));
    return 0;
}
TRUING_FN truing_i64 truing_many(const truing_selection_args &a) {
    return a.pass == 0 || a.pass == TRUING_LISTING ? a.tokens : (truing_i64)a.found[F_CANDIDATES];
}
// Which bin element j goes to.
TRUING_FN truing_u32 truing_bin(const truing_selection_args &a, truing_i64 j, truing_u64 &key, truing_u64 &place) {
    place = (truing_u64)j;
    if (a.pass == 0) return truing_candidate(a, j, key);
    if (a.pass == TRUING_LISTING) return a.picked[j] ? 0 : 1;
    const int from = (a.pass - 1) & 1;
    key = a.keys[from][j];
    place = a.places[from][j];
    return (truing_u32)(key >> 8 * (a.pass - 1)) & 255;
}

// A token of no sequence counts for no covariance: offsets that the host could not look at.
extern "C" __global__ __launch_bounds__(256) void truing_selection_clear(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.tokens) a.advantages[i] = TRUING_NAN;
}
// By a warp for each sequence.
extern "C" __global__ __launch_bounds__(256) void truing_selection_read(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 b = truing_warp();
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    for (truing_i64 at = threadIdx.x & 31; at < range.n; at += 32) {
        const truing_i64 i = range.start + at;
        const bool live = truing_set(a.mask, i);
        const double x = live ? truing_double_at(a.advantage, a.advantage_of_sequence ? b : i) : TRUING_NAN;
        a.advantages[i] = truing_finite(x) && truing_finite(truing_double_at(a.values, i)) ? x : TRUING_NAN;
    }
}
// Means over the batch: one block, a chain for each sum.
extern "C" __global__ __launch_bounds__(TRUING_ADDERS, 1) void truing_selection_means(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    __shared__ double tile[2][TRUING_TILE], found[2];
    __shared__ truing_u64 count;
    const truing_u32 thread = threadIdx.x, lane = thread & 31, warp = thread / 32;
    if (thread == 0) count = 0;
    double sum = 0.0;
    truing_u64 own = 0;
    for (truing_i64 at = 0; at < a.tokens; at += TRUING_TILE) {
        const truing_u32 many = a.tokens - at < TRUING_TILE ? (truing_u32)(a.tokens - at) : TRUING_TILE;
        for (truing_u32 k = thread; k < many; k += TRUING_ADDERS) {
            const double x = a.advantages[at + k];
            // the 0 of one that does not count leaves a sum as it is
            tile[N_LOGP][k] = x == x ? truing_double_at(a.values, at + k) : 0.0;
            tile[N_ADVANTAGE][k] = x == x ? x : 0.0;
            own += x == x;
        }
        __syncthreads();
        if (lane == 0 && warp < 2)
#pragma unroll 8
            for (truing_u32 k = 0; k < many; k++) sum = sum + tile[warp][k];
        __syncthreads();
    }
    if (lane == 0 && warp < 2) found[warp] = sum;
    __syncthreads();
    atomicAdd(&count, own);
    __syncthreads();
    if (thread != 0) return;
    for (int k = 0; k < 2; k++) a.numbers[k] = found[k] / (double)count;
    a.numbers[N_COUNT] = (double)count;
}

extern "C" __global__ __launch_bounds__(TRUING_BINS) void truing_selection_count(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    __shared__ truing_u32 counts[TRUING_BINS];
    counts[threadIdx.x] = 0;
    __syncthreads();
    const truing_i64 n = truing_many(a), begin = blockIdx.x * a.chunk, end = begin + a.chunk < n ? begin + a.chunk : n;
    for (truing_i64 j = begin + threadIdx.x; j < end; j += TRUING_BINS) {
        truing_u64 key, place;
        atomicAdd(counts + truing_bin(a, j, key, place), 1u);
    }
    __syncthreads();
    a.starts[threadIdx.x * a.blocks + blockIdx.x] = counts[threadIdx.x];
}
#define TRUING_SCANNERS 1024
extern "C" __global__ __launch_bounds__(TRUING_SCANNERS, 1) void truing_selection_scan(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    __shared__ truing_u64 sums[TRUING_SCANNERS];
    const truing_u32 thread = threadIdx.x;
    const truing_i64 n = TRUING_BINS * a.blocks, each = (n + TRUING_SCANNERS - 1) / TRUING_SCANNERS;
    const truing_i64 begin = thread * each < n ? thread * each : n, end = begin + each < n ? begin + each : n;
    truing_u64 own = 0;
    for (truing_i64 k = begin; k < end; k++) own += a.starts[k];
    sums[thread] = own;
    __syncthreads();
    for (truing_u32 w = 1; w < TRUING_SCANNERS; w *= 2) {
        const truing_u64 before = thread >= w ? sums[thread - w] : 0;
        __syncthreads();
        sums[thread] += before;
        __syncthreads();
    }
    truing_u64 start = sums[thread] - own;
    for (truing_i64 k = begin; k < end; k++) {
        const truing_u64 here = a.starts[k];
        a.starts[k] = start;
        start += here;
    }
    __syncthreads();
    if (thread != 0) return;
    if (a.pass == 0) {
        a.found[F_CANDIDATES] = a.starts[a.blocks];
        a.found[F_NAN] = (truing_u64)a.tokens - a.starts[2 * a.blocks];
    } else if (a.pass == TRUING_LISTING) {
        a.found[F_LISTED] = a.starts[a.blocks];
    }
}
extern "C" __global__ __launch_bounds__(TRUING_BINS) void truing_selection_move(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    // how many of a warp go to a bin, then how many of the warps before it; where those of this tile begin
    __shared__ truing_u32 counts[TRUING_BINS / 32][TRUING_BINS];
    __shared__ truing_u64 starts[TRUING_BINS];
    const truing_u32 thread = threadIdx.x, lane = thread & 31, warp = thread / 32;
    starts[thread] = a.starts[thread * a.blocks + blockIdx.x];
    const truing_i64 n = truing_many(a), begin = blockIdx.x * a.chunk, end = begin + a.chunk < n ? begin + a.chunk : n;
    for (truing_i64 at = begin; at < end; at += TRUING_BINS) {
        const truing_i64 j = at + thread;
        const bool here = j < end;
        truing_u64 key = 0, place = 0;
        const truing_u32 bin = here ? truing_bin(a, j, key, place) : 0;
        for (int w = 0; w < TRUING_BINS / 32; w++) counts[w][thread] = 0;
        truing_u32 equal = __ballot_sync(TRUING_ALL_LANES, here);
        for (int bit = 0; bit < 8; bit++) {
            const truing_u32 set = __ballot_sync(TRUING_ALL_LANES, bin >> bit & 1);
            equal &= bin >> bit & 1 ? set : ~set;
        }
        const truing_u32 rank = __popc(equal & ((1u << lane) - 1));
        __syncthreads();
        if (here && rank == 0) counts[warp][bin] = __popc(equal);
        __syncthreads();
        truing_u32 all = 0;
        for (int w = 0; w < TRUING_BINS / 32; w++) {
            const truing_u32 own = counts[w][thread];
            counts[w][thread] = all;
            all += own;
        }
        __syncthreads();
        if (here) {
            const truing_u64 to = starts[bin] + counts[warp][bin] + rank;
            if (a.pass == TRUING_LISTING) {
                if (bin == 0) truing_put(a.out_indices, (truing_i64)to, j);
                if (j >= (truing_i64)a.found[F_LISTED]) truing_put(a.out_indices, j, (truing_i64)-1);
                truing_put(a.out_flag, j, (unsigned char)(bin == 0));
                truing_put(a.out_keep, j, (unsigned char)(bin != 0 && truing_set(a.mask, j)));
            } else if (a.pass != 0 || bin == 0) {
                a.keys[a.pass & 1][to] = key;
                a.places[a.pass & 1][to] = place;
            }
            if (a.pass == 0 && a.picked) a.picked[j] = 0;
        }
        __syncthreads();
        starts[thread] += all;
    }
    if (a.pass == TRUING_LISTING && blockIdx.x == 0 && thread == 0) truing_put(a.out_count, 0, (truing_i64)a.found[F_LISTED]);
}

// The quantile, between neighbours on a straight line.
extern "C" __global__ __launch_bounds__(32) void truing_selection_quantile(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    if (threadIdx.x != 0) return;
    const truing_u64 count = a.found[F_CANDIDATES];
    double threshold = 0.0;
    if (count > 0) {
        const double at = a.share * (double)(count - 1);
        const truing_u64 floor = (truing_u64)at, below = floor < count - 1 ? floor : count - 1;
        const double low = truing_fallen(~a.keys[0][below]), part = at - (double)below;
        const double high = below + 1 < count ? truing_fallen(~a.keys[0][below + 1]) : low;
        // equal neighbours, infinite ones too, and the last one
        threshold = part == 0.0 || high == low ? low : low + part * (high - low);
    }
    a.numbers[N_THRESHOLD] = threshold;
    truing_put_real(a.out_number, 0, threshold);
    truing_put(a.out_status, 0, (a.found[F_NAN] > 0 ? TRUING_ROW_NAN_INPUT : 0) | (count == 0 ? TRUING_ROW_EMPTY : 0));
}
extern "C" __global__ __launch_bounds__(256) void truing_selection_above(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.tokens) return;
    truing_put(a.out_keep, i, (unsigned char)(truing_set(a.mask, i) && truing_double_at(a.values, i) >= a.numbers[N_THRESHOLD]));
}
// Marks the tokens with the smallest keys.
extern "C" __global__ __launch_bounds__(256) void truing_selection_pick(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    const truing_u64 k = (truing_u64)blockIdx.x * blockDim.x + threadIdx.x, candidates = a.found[F_CANDIDATES];
    const double count = a.numbers[N_COUNT];
    truing_u64 wanted = (truing_u64)(a.share * count);
    wanted = count == 0.0 ? 0 : wanted > 1 ? wanted : 1;
    if (k < (wanted < candidates ? wanted : candidates)) a.picked[a.places[0][k]] = 1;
}
// From the smallest square on, which is the last one: the last place where the mean of what is behind it is below the threshold.
// One block, a chain for the sum.
extern "C" __global__ __launch_bounds__(256, 1) void truing_selection_moment(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    __shared__ double tile[TRUING_TILE], means[256];
    __shared__ truing_u64 kept[256];
    const truing_u32 thread = threadIdx.x;
    const truing_u64 count = a.found[F_CANDIDATES];
    double sum = 0.0, mean = 0.0;
    truing_u64 most = 0;
    for (truing_u64 at = 0; at < count; at += TRUING_TILE) {
        const truing_u32 many = count - at < TRUING_TILE ? (truing_u32)(count - at) : TRUING_TILE;
        for (truing_u32 k = thread; k < many; k += 256) tile[k] = truing_fallen(a.keys[0][count - 1 - at - k]);
        __syncthreads();
        if (thread == 0)
#pragma unroll 8
            for (truing_u32 k = 0; k < many; k++) tile[k] = sum = sum + tile[k];
        __syncthreads();
        for (truing_u32 k = thread; k < many; k += 256) {
            const truing_u64 behind = at + k + 1;
            const double x = tile[k] / (double)behind;
            if (x < a.threshold || behind == 1) {
                most = behind;
                mean = x;
            }
        }
        __syncthreads();
    }
    means[thread] = mean;
    kept[thread] = most;
    __syncthreads();
    if (thread != 0) return;
    for (int k = 1; k < 256; k++)
        if (kept[k] > most) {
            most = kept[k];
            mean = means[k];
        }
    a.found[F_FIRST] = count - most;
    truing_put_real(a.out_number, 0, mean);
    truing_put(a.out_count, 0, (truing_i64)(count - most));
}
// A thread has a masked token, or a place in the order: no two of them the same token.
extern "C" __global__ __launch_bounds__(256) void truing_selection_drop(const __grid_constant__ truing_selection_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.tokens && !truing_set(a.mask, i)) truing_put(a.out_keep, i, (unsigned char)0);
    if (i < (truing_i64)a.found[F_CANDIDATES]) truing_put(a.out_keep, (truing_i64)a.places[0][i], (unsigned char)((truing_u64)i >= a.found[F_FIRST]));
}
