// Policy losses of tokens, sequences, lists and estimators: core/src/policy.rs, with its bits.
//
// 1. truing_policy_count: a warp counts the tokens of a sequence. 2. truing_policy_totals: what the means divide by; of a small
//    batch 1 does it, a block of threads has all of it then.
// 3. truing_policy_<kind>: a block has a sequence, 256 tokens at a time, a thread each: entry, estimator, gradient, status.
//    The sums are 16 f64 chains by position, a lane each, joined by a fixed tree; a few are one chain over all tokens.
//    The block that ends last adds up the sequences in order.
//    Of lists a warp has the score of a sequence first (truing_policy_members), and a thread a list (truing_policy_lists).
// 4. Further terms: 1 to 3 again for each, into scratch memory, and truing_policy_merge, which adds what that has left to what
//    there is; the last one counts, and truing_policy_whole has the loss.
#include "lists.cuh"

enum { TRUING_TOKEN = 1, TRUING_SEQUENCE, TRUING_ESTIMATOR, TRUING_LIST };
enum { TRUING_ONE = 1, TRUING_SCORED, TRUING_RATIO, TRUING_RATIO_SEQUENCE };
enum { TRUING_PATHWISE = 1, TRUING_STRAIGHT, TRUING_STRAIGHT_RATIO };
enum { TRUING_UNCLAMPED, TRUING_LINEAR, TRUING_ZERO_GRADIENT };
enum { TRUING_TOKEN_MEAN = 1, TRUING_SEQ_MEAN_TOKEN_MEAN, TRUING_SEQ_MEAN_TOKEN_SUM, TRUING_SEQ_MEAN_TOKEN_SUM_NORM, TRUING_TOKEN_SUM,
       TRUING_SEQ_MEAN, TRUING_WEIGHTED_TOKENS };
#define TRUING_BY_TOKEN_WEIGHTS 3u // a denominator
// Sums of a sequence, in this order.
enum { S_MAIN, S_KL, S_CLIP, S_RATIO = 5, S_LEAST, S_MOST, S_K1, S_K3, S_VALUE, S_TERM, S_ENTROPY, S_BONUS, S_WEIGHT, S_WEIGHT_SQ, S_KEPT,
       S_COUNT = 18 };
// Totals of the batch.
enum { T_BASE, T_DENOMINATOR, T_NOTHING, T_BONUS_BASE, T_BONUS_NOTHING, T_TOKENS, T_SEQUENCES, T_TICKET };
// Parts of the loss where there are further terms: three of the main one, three of a term, the sum of all, and how many
// terms have nothing to divide by.
enum { P_MAIN, P_TERM = 3, P_TOTAL = 6, P_NOTHING };
// What there is of lists: score, target, value and slope of a sequence; scores, targets and partials of the members, a list's one
// after the other from the place of its first sequence on.
enum { L_SCORE, L_TARGET, L_VALUE, L_SLOPE, L_MEMBER_TARGET, L_PARTIAL };
enum { M_MEMBER = 1, M_NAN = 2 }; // marks
#define TRUING_FEW 1024 // threads of the block that has a small batch

struct truing_policy_args {
    truing_view logps, old, reference, sampler, kl_reference, kl, entropy, topk_entropy, advantage, flag, log_z, mask, keep, sequence_keep, entropy_mask, kl_mask;
    truing_view token_weights, importance, grad_output, offsets, group_offsets;
    truing_view out_loss, out_values, out_kl, out_terms, grad_logps, grad_entropy, grad_kl, grad_log_z, out_statistics, out_token_status;
    truing_view out_sequence_status, out_counters;
    double *sums, *weights, *totals;              // [B, 18], [B], [8]
    truing_u64 *counters;                         // [32]
    truing_u32 *counts, *lengths, *bonus_lengths; // [B]
    // With further terms: what all calls so far say, and what the last one does.
    truing_u32 *all_status, *own_status; // [N]
    float *own_grad;                     // [N]
    truing_u32 *all_sequences, *own_sequences; // [B]
    double *main_totals, *parts;               // [8], [8]: of the loss, of the term, P_TOTAL, P_NOTHING
    truing_u64 *all_counters;                  // [32]
    // Of a list entry.
    double *lists;        // [6, B]
    truing_i64 *members;  // [B]
    int *member_lengths;  // [B]
    truing_u32 *marks;    // [B]
    truing_u64 *of_groups; // [2]: those with a member, those that are none
    truing_i64 tokens, sequences, width, groups;
    double p[16], bounds[4];
    double normaliser, max_length, bonus_normaliser, bonus_max_length, bonus_coef, coef, input_clamp, output_clamp, ratio_max, grad_scale, term_weight;
    truing_u32 id, each, mean, estimator, k3, weight, gradient, clamp, by_sampler;
    truing_u32 mode, nonempty, denominator, bonus, bonus_mode, bonus_nonempty, bonus_denominator;
    truing_u32 counts_kept, bonus_counts, drops, shrinks, weighs, kl_weighs, inside;
    truing_u32 reads_old, reads_reference, reads_kl_reference, reads_sampler, reads_advantage, reads_entropy, reads_flag, reads_log_z;
    truing_u32 has_bounds, token_bounds, advantage_of_sequence, flag_of_sequence, importance_of_sequence;
    truing_u32 term, terms, by_lists, means, reads_own_reference; // means: a score is one
    truing_u32 none, each_upstream; // nothing is aggregated; grad_output has an element for each value
};

TRUING_FN bool truing_kept(const truing_policy_args &a, truing_i64 b, truing_i64 i) {
    return truing_set(a.sequence_keep, b) && truing_set(a.keep, i);
}
TRUING_FN bool truing_by_length(truing_u32 mode) { return mode == TRUING_SEQ_MEAN_TOKEN_MEAN || mode == TRUING_SEQ_MEAN; }
// Weight of a token of a sequence with so many.
TRUING_FN double truing_share(double base, truing_u32 mode, truing_u32 length) {
    return truing_by_length(mode) ? base / (double)(length > 1 ? length : 1) : base;
}

TRUING_FN bool truing_by_weights(const truing_policy_args &a) {
    return a.denominator == TRUING_BY_TOKEN_WEIGHTS || a.bonus_denominator == TRUING_BY_TOKEN_WEIGHTS;
}
TRUING_FN void truing_count(const truing_policy_args &a, truing_i64 b) {
    const truing_u32 lane = threadIdx.x & 31;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    truing_u32 count = 0, length = 0, bonus = 0;
    double weights = 0.0;
    const bool sums = truing_by_weights(a), looks = a.mask.data || a.counts_kept || a.bonus_counts || sums;
    if (!looks && lane == 0) count = length = bonus = (truing_u32)range.n;
#pragma unroll 4
    for (truing_i64 at = 0; at < (looks ? range.n : 0); at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool live = at + lane < range.n && truing_set(a.mask, i), kept = live && truing_kept(a, b, i);
        count += live;
        length += a.counts_kept ? kept : live;
        bonus += a.bonus_counts ? live && (kept || !a.shrinks) && truing_set(a.entropy_mask, i) : live;
        if (sums) weights = truing_chain(weights, live && a.token_weights.data ? truing_double_at(a.token_weights, i) : 1.0, __ballot_sync(TRUING_ALL_LANES, live));
    }
    count = __reduce_add_sync(TRUING_ALL_LANES, count);
    length = __reduce_add_sync(TRUING_ALL_LANES, length);
    bonus = __reduce_add_sync(TRUING_ALL_LANES, bonus);
    if (lane != 0) return;
    a.counts[b] = count;
    a.lengths[b] = length;
    a.bonus_lengths[b] = bonus;
    a.weights[b] = weights;
}

// Tokens and sequences that count.
struct truing_tally {
    truing_u64 tokens, sequences;
};
TRUING_FN truing_tally truing_tally_of(const truing_u32 *x, truing_i64 n) {
    truing_u64 tokens = 0, some = 0;
    for (truing_i64 b = threadIdx.x; b < n; b += 32) {
        tokens += x[b];
        some += x[b] != 0;
    }
    // whole numbers: any order will do
    for (int w = 16; w > 0; w /= 2) {
        tokens += __shfl_xor_sync(TRUING_ALL_LANES, tokens, w);
        some += __shfl_xor_sync(TRUING_ALL_LANES, some, w);
    }
    truing_tally t;
    t.tokens = tokens;
    t.sequences = some;
    return t;
}
TRUING_FN double truing_denominator(truing_u32 mode, truing_u32 nonempty, truing_u32 denominator, double normaliser, double max_length, truing_tally t,
                                    truing_i64 all, double weights) {
    const double rows = (double)(nonempty ? t.sequences : (truing_u64)all);
    if (normaliser != 0.0) return normaliser;
    switch (mode) {
    case TRUING_WEIGHTED_TOKENS: return denominator == TRUING_BY_TOKEN_WEIGHTS ? weights : (double)t.tokens;
    case TRUING_TOKEN_MEAN: return (double)t.tokens;
    case TRUING_TOKEN_SUM: return 1.0;
    case TRUING_SEQ_MEAN_TOKEN_SUM_NORM: return rows * max_length;
    default: return rows;
    }
}
// How many blocks of threads of the main kernel have ended.
TRUING_FN truing_u64 *truing_ticket(const truing_policy_args &a) { return (truing_u64 *)a.totals + T_TICKET; }
// By a warp.
TRUING_FN void truing_totals(const truing_policy_args &a) {
    const truing_tally all = truing_tally_of(a.counts, a.sequences);
    truing_tally own = truing_tally_of(a.lengths, a.sequences);
    if (a.by_lists) {
        own.tokens = all.tokens;
        own.sequences = a.of_groups[0];
    }
    const truing_tally bonus = truing_tally_of(a.bonus_lengths, a.sequences);
    a.counters[threadIdx.x] = 0;
    if (a.all_counters) a.all_counters[threadIdx.x] = 0;
    double weights = 0.0;
    for (truing_i64 at = 0; at < (truing_by_weights(a) ? a.sequences : 0); at += 32) {
        const bool here = at + threadIdx.x < a.sequences;
        weights = truing_chain(weights, here ? a.weights[at + threadIdx.x] : 0.0, __ballot_sync(TRUING_ALL_LANES, here));
    }
    if (threadIdx.x != 0) return;
    const double d = truing_denominator(a.mode, a.nonempty, a.denominator, a.normaliser, a.max_length, own, a.by_lists ? a.groups : a.sequences, weights);
    const double e = truing_denominator(a.bonus_mode, a.bonus_nonempty, a.bonus_denominator, a.bonus_normaliser, a.bonus_max_length, bonus, a.sequences, weights);
    const bool nothing = own.tokens == 0 || d == 0.0, none = bonus.tokens == 0 || e == 0.0;
    a.totals[T_BASE] = nothing ? 0.0 : 1.0 / d;
    a.totals[T_DENOMINATOR] = d;
    a.totals[T_NOTHING] = nothing;
    a.totals[T_BONUS_BASE] = none ? 0.0 : 1.0 / e;
    a.totals[T_BONUS_NOTHING] = none;
    a.totals[T_TOKENS] = (double)all.tokens;
    a.totals[T_SEQUENCES] = (double)all.sequences;
    *truing_ticket(a) = 0;
}

// A warp for each sequence. Of a small batch one block of threads has them all, and forms the totals too.
extern "C" __global__ __launch_bounds__(TRUING_FEW, 1) void truing_policy_count(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 many = (truing_i64)gridDim.x * (blockDim.x / 32);
    for (truing_i64 b = truing_warp(); b < a.sequences; b += many) truing_count(a, b);
    if (blockDim.x != TRUING_FEW) return;
    __syncthreads();
    if (threadIdx.x < 32) truing_totals(a);
}
extern "C" __global__ __launch_bounds__(32) void truing_policy_totals(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    truing_totals(a);
}

TRUING_FN double *truing_of_lists(const truing_policy_args &a, int which) { return a.lists + which * a.sequences; }
// Scores and targets of the members, by a warp for each sequence.
extern "C" __global__ __launch_bounds__(128) void truing_policy_members(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    if (blockIdx.x == 0 && threadIdx.x < 2) a.of_groups[threadIdx.x] = 0;
    const truing_i64 b = truing_warp();
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    const truing_u32 lane = threadIdx.x & 31, count = a.counts[b];
    const bool member = count > 0 && truing_set(a.sequence_keep, b), by_token = a.advantage.data && !a.advantage_of_sequence;
    double own = 0.0, other = 0.0, target = 0.0;
    for (truing_i64 at = 0; at < (member ? range.n : 0); at += 32) {
        const truing_i64 i = range.start + at + lane;
        const bool live = at + lane < range.n && truing_set(a.mask, i);
        const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, live);
        own = truing_chain(own, live ? truing_double_at(a.logps, i) : 0.0, which);
        if (a.old.data) other = truing_chain(other, live ? truing_double_at(a.old, i) : 0.0, which);
        if (by_token) target = truing_chain(target, live ? truing_double_at(a.advantage, i) : 0.0, which);
    }
    if (lane != 0) return;
    const double len = a.means && member ? (double)count : 1.0;
    double score = own / len, reference = a.old.data ? other / len : score;
    // it is its own reference
    if (!a.old.data && a.reads_own_reference && truing_abs(own) == TRUING_INF) score = reference = 0.0;
    if (by_token) target = member ? target / (double)count : 0.0;
    else if (a.advantage.data && member) target = truing_double_at(a.advantage, b);
    target = target + (target - target);
    const bool nan = score != score || target != target || (a.reads_own_reference && reference != reference);
    truing_of_lists(a, L_SCORE)[b] = score - (a.reads_own_reference ? reference : 0.0);
    truing_of_lists(a, L_TARGET)[b] = target;
    truing_of_lists(a, L_VALUE)[b] = truing_of_lists(a, L_SLOPE)[b] = 0.0;
    a.marks[b] = (member ? M_MEMBER : 0) | (member && nan ? M_NAN : 0);
}
extern "C" __global__ __launch_bounds__(128) void truing_policy_lists(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 g = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (g >= a.groups) return;
    const truing_range range = truing_tokens(a.group_offsets, 0, a.sequences, a.groups, g);
    double *scores = truing_of_lists(a, L_SCORE), *targets = truing_of_lists(a, L_MEMBER_TARGET), *partials = truing_of_lists(a, L_PARTIAL);
    double value = range.wrong ? TRUING_NAN : 0.0;
    truing_i64 n = 0;
    bool given = false;
    const double upstream = a.each_upstream ? truing_double_at(a.grad_output, g) : 1.0;
    for (truing_i64 b = range.start; b < range.start + range.n; b++) {
        if (!(a.marks[b] & M_MEMBER)) continue;
        const truing_i64 to = range.start + n++;
        scores[to] = scores[b];
        targets[to] = truing_of_lists(a, L_TARGET)[b];
        a.member_lengths[to] = (int)a.counts[b];
        a.members[to] = b;
        given |= (a.marks[b] & M_NAN) != 0;
    }
    if (range.wrong) atomicAdd(a.of_groups + 1, (truing_u64)1);
    if (n > 0) {
        truing_view lengths = {}, goals = {}, none = {};
        lengths.data = a.member_lengths;
        lengths.inner_stride = goals.inner_stride = 1;
        lengths.dtype = TRUING_DTYPE_I32;
        goals.data = targets;
        goals.dtype = TRUING_DTYPE_F64;
        truing_list l;
        l.x = scores + range.start;
        l.grad = partials + range.start;
        l.n = n;
        l.from = range.start;
        l.lengths = &lengths;
        l.targets = &goals;
        l.sequences = &none;
        value = truing_list_entry(a.id, l, a.p);
        // one NaN makes all of the group NaN
        bool spoiled = given || value != value;
        for (truing_i64 k = 0; k < n; k++) spoiled |= l.grad[k] != l.grad[k];
        if (spoiled) value = TRUING_NAN;
        truing_of_lists(a, L_VALUE)[a.members[range.start]] = value;
        for (truing_i64 k = 0; k < n; k++) {
            const truing_i64 b = a.members[range.start + k];
            if (given) truing_of_lists(a, L_TARGET)[b] = TRUING_NAN;
            truing_of_lists(a, L_SLOPE)[b] = spoiled ? TRUING_NAN : truing_times(l.grad[k] / (a.means ? (double)a.counts[b] : 1.0), upstream);
        }
        atomicAdd(a.of_groups, (truing_u64)1);
    }
    truing_put_real(a.out_values, g, value);
}

// A token as the stages see it; a dead one holds 0 everywhere.
struct truing_token_of_policy {
    bool live, on, kl_on, bonus_on, wrong;
    float logp, old, reference, kl_reference, sampler, advantage, entropy, topk_entropy, flag;
    double weight, importance;
};
TRUING_FN bool truing_legal(double w) { return w >= 0.0 && w < TRUING_INF; }
TRUING_FN truing_token_of_policy truing_fill(const truing_policy_args &a, truing_i64 b, truing_i64 i, bool here) {
    truing_token_of_policy t = {};
    t.importance = a.importance.data ? 0.0 : 1.0;
    t.weight = a.weighs ? 0.0 : 1.0;
    t.live = here && truing_set(a.mask, i);
    if (!t.live) return t;
    t.logp = truing_float_at(a.logps, i, 0);
    t.old = a.old.data ? truing_float_at(a.old, i, 0) : t.logp;
    if (a.reference.data) t.reference = truing_float_at(a.reference, i, 0);
    if (a.advantage.data) t.advantage = truing_float_at(a.advantage, a.advantage_of_sequence ? b : i, 0);
    if (a.reads_kl_reference) t.kl_reference = truing_float_at(a.kl_reference, i, 0);
    if (a.estimator && a.sampler.data && a.by_sampler) t.sampler = truing_float_at(a.sampler, i, 0);
    if (a.entropy.data) t.entropy = truing_float_at(a.entropy, i, 0);
    if (a.topk_entropy.data) t.topk_entropy = truing_float_at(a.topk_entropy, i, 0);
    if (a.reads_flag) t.flag = truing_set(a.flag, a.flag_of_sequence ? b : i) ? 1.0f : 0.0f;
    t.on = t.kl_on = t.bonus_on = true;
    if (a.drops) {
        const bool kept = truing_kept(a, b, i), entropy = truing_set(a.entropy_mask, i);
        t.on = kept && entropy;
        t.kl_on = truing_set(a.kl_mask, i) && (kept || !a.shrinks);
        t.bonus_on = entropy && (kept || !a.shrinks);
    }
    const double w = a.token_weights.data ? truing_double_at(a.token_weights, i) : 1.0;
    if (a.importance.data) t.importance = truing_double_at(a.importance, a.importance_of_sequence ? b : i);
    // the host could not look
    t.wrong = !truing_legal(w) || !truing_legal(t.importance);
    if (a.weighs) t.weight = t.on ? w * (a.inside ? 1.0 : t.importance) : 0.0;
    if (t.wrong) t.weight = t.importance = TRUING_NAN;
    return t;
}
// logp - old; 0 for an infinite logp that is its own `old`.
template <class R> TRUING_FN R truing_log_ratio(R logp, R old, bool detached) {
    return detached && (R)TRUING_INF <= truing_abs(logp) ? (R)0.0 : logp - old;
}
// NaN for infinities.
template <class R> TRUING_FN R truing_finite_only(R x) { return truing_abs(x) < (R)TRUING_INF ? x : x - x; }

// The stage around an estimator, `weighted` of core/src/policy.rs.
struct truing_estimate {
    float value, logp, shared;
};
TRUING_FN float truing_larger(float x, float b) { return x < b ? b : b <= x ? x : x + b; }
TRUING_FN float truing_smaller(float x, float b) { return b < x ? b : x <= b ? x : x + b; }
TRUING_FN float truing_scaled(float rho, float v, float z) {
    const float y = TRUING_INFF <= rho ? (truing_abs(v) <= 0.0f ? 0.0f : rho * v) : rho * v;
    return rho <= 0.0f ? (truing_abs(z) <= TRUING_INFF ? 0.0f : z) : y;
}
TRUING_FN truing_estimate truing_estimate_of(const truing_policy_args &a, const truing_token_of_policy &t, float shared) {
    const float reference = a.kl_reference.data ? t.kl_reference : t.reference, old = a.by_sampler ? t.sampler : t.old;
    const float z = reference - t.logp, apart = reference - old, bound = (float)a.input_clamp;
    const bool detached = !a.by_sampler && !a.old.data, far = truing_abs(z) > bound;
    const float x = a.weight == TRUING_RATIO_SEQUENCE ? shared : truing_log_ratio(t.logp, old, detached);
    const float inner = a.clamp ? truing_smaller(truing_larger(z, -bound), bound) : z;
    truing_estimator_in in = {};
    // beyond the clamp the estimate is that of a policy at the clamp
    in.logp = a.clamp && far ? -inner : t.logp;
    in.ref_logp = a.clamp && far ? 0.0f : reference;
    const float none[1] = {0.0f};
    truing_estimator_out k = truing_estimator_entry(a.estimator, in, none);
    float total = a.k3 ? -inner : TRUING_INFF <= k.value ? k.value : k.value + k.grad_logp, loose = 1.0f;
    if (a.clamp == TRUING_LINEAR) {
        const float beyond = far ? -(k.grad_logp * (z - inner)) : 0.0f;
        k.value = k.value + beyond;
        total = total + beyond;
    } else if (a.clamp == TRUING_ZERO_GRADIENT && far) {
        k.grad_logp = total = loose = 0.0f;
    }
    const float rho = truing_exp(x);
    truing_estimate y;
    y.value = k.value;
    y.logp = k.grad_logp;
    y.shared = 0.0f;
    if (a.weight == TRUING_SCORED) y.logp = total;
    if (a.weight == TRUING_RATIO) {
        y.value = truing_scaled(rho, k.value, z);
        if (a.k3 && !a.clamp) {
            const float small = truing_scaled(rho, 1.0f + z, z);
            const float distant = truing_exp(apart) - (TRUING_INFF <= small ? 0.0f : small);
            y.value = 8.0f < z ? distant : y.value;
        }
        y.logp = truing_scaled(rho, total, z);
    }
    if (a.weight == TRUING_RATIO_SEQUENCE) {
        y.value = truing_scaled(rho, k.value, z);
        y.logp = truing_scaled(rho, k.grad_logp, z);
        y.shared = loose <= 0.0f ? 0.0f : y.value;
    }
    if (a.output_clamp < TRUING_INF) {
        const float b = (float)a.output_clamp;
        const bool out = b < y.value || y.value < -b;
        y.logp = out ? 0.0f : y.logp;
        y.shared = out ? 0.0f : y.shared;
        y.value = truing_smaller(truing_larger(y.value, -b), b);
    }
    if (a.gradient == TRUING_STRAIGHT) y.logp = -z;
    if (a.gradient == TRUING_STRAIGHT_RATIO) y.logp = truing_scaled(truing_smaller(rho, (float)a.ratio_max), -z, z);
    if (a.gradient != TRUING_PATHWISE) y.shared = 0.0f;
    return y;
}

// c_t of a token of a sequence entry, from its values as they are stored.
TRUING_FN truing_sequence_map_out truing_map(const truing_policy_args &a, truing_i64 b, truing_i64 i, double advantage) {
    truing_sequence_map_in x = {};
    x.logp = truing_double_at(a.logps, i);
    x.old = a.old.data ? truing_double_at(a.old, i) : x.logp;
    x.log_ratio = truing_log_ratio(x.logp, x.old, !a.old.data);
    if (a.reference.data) x.ref_logp = truing_double_at(a.reference, i);
    x.advantage = advantage;
    x.importance = a.inside && a.importance.data ? truing_double_at(a.importance, a.importance_of_sequence ? b : i) : 1.0;
    return truing_sequence_map_entry(a.id, x, a.p);
}

#define TRUING_TOKENS 256
// Columns of a tile: chains by position first, then single chains.
enum { C_MAIN, C_KL, C_RATIO, C_K1, C_K3, C_ENTROPY, C_BONUS, C_WEIGHTED, C_TERM, C_CHAINS, C_LEAST = C_CHAINS, C_MOST, C_IMPORTANCE,
       C_IMPORTANCE_SQ, C_OWN, C_OWN_WEIGHTED, C_COUNT };
struct truing_policy_space {
    double column[C_COUNT][TRUING_TOKENS];
    double result[C_COUNT];
    double number;
    truing_u32 broken[2];
    truing_u32 status[8], kept[8], clip[3][8];
};
// Adds every thread's x to `sum` in order; all threads get it.
TRUING_FN double truing_in_order(truing_policy_space &s, double x, double sum) {
    s.column[0][threadIdx.x] = x;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int k = 0; k < TRUING_TOKENS; k++) sum = sum + s.column[0][k];
        s.number = sum;
    }
    __syncthreads();
    return s.number;
}
// 16 chains over a tile's column, a lane each.
TRUING_FN double truing_by_position(const double *column, double sum) {
    for (int k = threadIdx.x & 15; k < TRUING_TOKENS; k += 16) sum = sum + column[k];
    return sum;
}
// Joins the 16 chains of half a warp; its first lane has the sum.
TRUING_FN double truing_join(double x) {
    for (int half = 8; half > 0; half /= 2) x = x + __shfl_down_sync(TRUING_ALL_LANES, x, half, 16);
    return x;
}
TRUING_FN bool truing_odd(float x) { return !(truing_abs(x) < TRUING_INFF); }

template <int KIND> TRUING_FN void truing_policy(const truing_policy_args &a) {
    __shared__ truing_policy_space s;
    const truing_i64 b = blockIdx.x;
    const truing_u32 thread = threadIdx.x, lane = thread & 31, warp = thread / 32, half = thread / 16;
    truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    // of groups that do not cut the sequences nothing is right
    if (KIND == TRUING_LIST && a.of_groups[1] != 0) {
        range.wrong = true;
        range.n = 0;
    }
    // a value of all the tokens of a sequence
    const bool whole = KIND == TRUING_SEQUENCE || KIND == TRUING_LIST;
    const truing_u32 count = a.counts[b];
    const double factor = (a.grad_output.data && !a.each_upstream ? truing_double_at(a.grad_output, 0) : 1.0) * a.grad_scale;
    const double weight = truing_share(a.totals[T_BASE], a.mode, a.lengths[b]);
    double scale = factor == 0.0 ? 0.0 : truing_times(weight, factor);
    // a value that counts once, not for each of its tokens
    const bool once = KIND == TRUING_LIST || (KIND == TRUING_SEQUENCE && a.none);
    if (KIND == TRUING_SEQUENCE && a.each_upstream) scale = count > 0 ? truing_times(scale, truing_double_at(a.grad_output, b)) : 0.0;
    if (KIND == TRUING_SEQUENCE && once && a.each) scale = scale / (double)(count > 1 ? count : 1);
    const bool given = KIND != TRUING_ESTIMATOR && a.kl.data; // values of the KL term, in the place of an estimate
    const bool with = KIND != TRUING_ESTIMATOR && a.coef != 0.0, figures = a.out_statistics.data != 0;

    // what a sequence entry says of the whole
    double advantage = 0.0, c = 0.0, ratio = 0.0, value = 0.0, slope = 0.0, grad_log_z = 0.0;
    const double log_z = a.log_z.data ? truing_double_at(a.log_z, b) : 0.0;
    if (KIND == TRUING_SEQUENCE) {
        if (a.advantage.data && a.advantage_of_sequence) advantage = truing_double_at(a.advantage, b);
        else if (a.advantage.data) {
            for (truing_i64 at = 0; at < range.n; at += TRUING_TOKENS) {
                const truing_i64 i = range.start + at + thread;
                const bool live = at + thread < range.n && truing_set(a.mask, i);
                advantage = truing_in_order(s, live ? truing_double_at(a.advantage, i) : 0.0, advantage);
            }
            advantage = advantage / (double)(count > 1 ? count : 1);
        }
        advantage = advantage + (advantage - advantage);
        for (truing_i64 at = 0; at < range.n; at += TRUING_TOKENS) {
            const truing_i64 i = range.start + at + thread;
            const bool live = at + thread < range.n && truing_set(a.mask, i);
            c = truing_in_order(s, live ? truing_map(a, b, i, advantage).value : 0.0, c);
            if (a.reads_log_z) ratio = truing_in_order(s, live && a.old.data ? truing_double_at(a.logps, i) - truing_double_at(a.old, i) : 0.0, ratio);
        }
        if (a.mean) c = c / (count > 1 ? (double)count : 1.0);
        if (count > 0 && !a.each) {
            truing_sequence_in x = {};
            x.c = c;
            x.log_ratio = ratio;
            x.len = (double)count;
            x.advantage = advantage;
            x.log_z = log_z;
            const truing_sequence_out y = truing_sequence_entry(a.id, x, a.p);
            value = y.value;
            slope = y.grad_c * (a.mean ? 1.0 / (count > 1 ? (double)count : 1.0) : 1.0);
            grad_log_z = y.grad_log_z;
        }
    }
    if (KIND == TRUING_LIST) {
        advantage = truing_of_lists(a, L_TARGET)[b];
        value = truing_of_lists(a, L_VALUE)[b];
        slope = truing_of_lists(a, L_SLOPE)[b];
    }
    // the ratio of the sequence, and what its derivative adds at each of its tokens
    float shared_ratio = 0.0f;
    double shared = 0.0;
    if (a.estimator && a.weight == TRUING_RATIO_SEQUENCE) {
        const bool detached = !a.by_sampler && !a.old.data;
        const double len = (double)(count > 1 ? count : 1);
        for (int pass = 0; pass < 2; pass++) {
            double chain = 0.0;
            for (truing_i64 at = 0; at < range.n; at += TRUING_TOKENS) {
                const truing_token_of_policy t = truing_fill(a, b, range.start + at + thread, at + thread < range.n);
                double x = 0.0;
                if (pass == 0) {
                    if (t.live) x = truing_log_ratio((double)t.logp, (double)(a.by_sampler ? t.sampler : t.old), detached);
                } else if (KIND == TRUING_ESTIMATOR ? t.on : t.kl_on) {
                    x = (double)truing_estimate_of(a, t, shared_ratio).shared;
                    if (KIND == TRUING_ESTIMATOR && a.weighs) x = truing_weighed(x, t.weight);
                    if (KIND != TRUING_ESTIMATOR && a.kl_weighs) x = truing_weighed(x, t.importance);
                }
                s.column[0][thread] = x;
                __syncthreads();
                if (warp == 0) chain = truing_by_position(s.column[0], chain);
                __syncthreads();
            }
            if (warp == 0) chain = truing_join(chain);
            if (thread == 0) s.number = chain / len;
            __syncthreads();
            if (pass == 0) shared_ratio = (float)s.number;
            else shared = s.number;
            __syncthreads();
        }
    }
    // the weights of the tokens for which the value of the sequence stands
    double weights = once ? (double)(count > 0) : (double)count;
    if (KIND == TRUING_SEQUENCE && !once && !a.each && (a.weighs || a.drops)) {
        weights = 0.0;
        for (truing_i64 at = 0; at < range.n; at += TRUING_TOKENS) {
            const truing_token_of_policy t = truing_fill(a, b, range.start + at + thread, at + thread < range.n);
            weights = truing_in_order(s, !t.on ? 0.0 : a.weighs ? t.weight : 1.0, weights);
        }
    }
    const double used = KIND == TRUING_ESTIMATOR || with ? shared : 0.0;
    const double chain_rule = weights == 0.0 ? 0.0 : slope * weights;
    const double bonus_grad = a.bonus ? truing_times(truing_share(a.totals[T_BONUS_BASE], a.bonus_mode, a.bonus_lengths[b]), -a.bonus_coef * factor) : 0.0;

    double sum = 0.0; // of this thread's chain
    // a chain of all tokens, if what it adds up is there
    const bool alone = half == C_IMPORTANCE || half == C_IMPORTANCE_SQ ? a.importance.data != 0
                       : (half == C_OWN || half == C_OWN_WEIGHTED) && KIND == TRUING_SEQUENCE && a.each;
    double least = TRUING_INF, most = -TRUING_INF;
    truing_u32 status = 0, kept = 0, clip[3] = {0, 0, 0};
    if (thread < 2) s.broken[thread] = 0;
    __syncthreads();
    truing_u32 turn = 0;
    for (truing_i64 at = 0; at < range.n; at += TRUING_TOKENS, turn ^= 1) {
        const truing_i64 i = range.start + at + thread;
        const bool here = at + thread < range.n;
        const truing_token_of_policy t = truing_fill(a, b, i, here);
        float v = 0.0f, g = 0.0f, estimate = 0.0f, estimate_grad = 0.0f, written = 0.0f, x = 0.0f, grad_kl = 0.0f;
        double own[2] = {0.0, 0.0};
        bool broken = false;
        if (t.live) {
            if (KIND == TRUING_TOKEN) {
                truing_token_in in = {};
                float p[16];
                for (int k = 0; k < 16; k++) p[k] = (float)a.p[k];
                in.logp = t.logp;
                in.old = t.old;
                in.log_ratio = truing_log_ratio(t.logp, t.old, !a.old.data);
                in.ref_logp = t.reference;
                in.advantage = truing_finite_only(t.advantage);
                in.entropy = a.topk_entropy.data ? t.topk_entropy : t.entropy;
                in.flag = t.flag;
                const truing_token_out y = truing_token_entry(a.id, in, p);
                v = y.value;
                g = y.grad_logp;
            }
            if (a.estimator) {
                const truing_estimate y = truing_estimate_of(a, t, shared_ratio);
                estimate = y.value;
                estimate_grad = y.logp;
            }
            if (given) estimate = truing_float_at(a.kl, i, 0);
            if (KIND == TRUING_ESTIMATOR) {
                v = estimate;
                g = estimate_grad;
            }
        }
        if (!t.on) v = g = 0.0f;
        if (!t.kl_on) estimate = estimate_grad = 0.0f;
        broken |= truing_odd(t.logp) || truing_odd(v) || truing_odd(g) || truing_odd(estimate) || truing_odd(estimate_grad);
        broken |= (a.reads_old && truing_odd(t.old)) || (a.reads_reference && truing_odd(t.reference)) ||
                  (a.reads_kl_reference && truing_odd(t.kl_reference)) || (a.reads_sampler && truing_odd(t.sampler)) ||
                  (a.reads_entropy && truing_odd(t.entropy)) || truing_odd(t.topk_entropy) || (a.drops && a.reads_advantage && truing_odd(t.advantage));
        kept += t.on;
        if (whole) {
            broken |= !(truing_finite(value) && truing_finite(slope)) || (a.each && !truing_finite(c));
            if (a.each && t.on) {
                truing_sequence_in in = {};
                in.c = c;
                in.logp = truing_double_at(a.logps, i);
                in.len = (double)count;
                in.advantage = truing_finite_only(a.advantage.data && !a.advantage_of_sequence ? truing_double_at(a.advantage, i) : advantage);
                in.flag = (double)t.flag;
                in.log_z = log_z;
                const truing_sequence_out y = truing_sequence_entry(a.id, in, a.p);
                own[0] = y.value;
                own[1] = y.grad_logp;
                broken |= !(truing_finite(own[0]) && truing_finite(own[1]));
            }
        }
        double low = TRUING_INF, high = -TRUING_INF, e = 0.0, k3 = 0.0;
        if (figures && t.live) {
            x = truing_log_ratio(t.logp, t.old, !a.old.data);
            e = (double)truing_exp(x);
            k3 = (double)truing_exp_rem(x);
            low = high = (double)x;
            if (a.token_bounds) {
                const float roof = (float)a.bounds[2];
                clip[0] += t.advantage < 0.0f && x < (float)a.bounds[0];
                clip[1] += t.advantage > 0.0f && x > (float)a.bounds[1];
                clip[2] += t.advantage < 0.0f && (x < roof ? x : roof) > (float)a.bounds[3];
            }
        }
        if (a.grad_logps.data && scale != 0.0) {
            const double k = a.kl_weighs ? truing_weighed((double)estimate_grad, t.importance) : (double)estimate_grad;
            const double kl_grad = t.live ? k + used : k;
            if (whole) {
                double q = chain_rule;
                if (a.each) q = a.weighs ? truing_weighed(own[1], t.weight) : own[1];
                else if (KIND == TRUING_SEQUENCE && t.live && chain_rule != 0.0) q = chain_rule * truing_map(a, b, i, advantage).grad_logp;
                if (t.live) written = (float)truing_times(q + (with ? a.coef * kl_grad : 0.0), scale);
            } else if (a.each_upstream) {
                // an element of a masked token is not read
                const double q = a.weighs ? truing_weighed((double)g, t.weight) : (double)g;
                if (t.live) written = (float)truing_times(truing_times(q + (with ? a.coef * kl_grad : used), truing_double_at(a.grad_output, i)), scale);
            } else if (a.weighs || (with && a.kl_weighs) || used != 0.0) {
                const double q = a.weighs ? truing_weighed((double)g, t.weight) : (double)g;
                written = (float)truing_times(q + (with ? a.coef * kl_grad : t.live ? used : 0.0), scale);
            } else if (with) {
                written = (float)truing_times((double)g + a.coef * (double)estimate_grad, scale);
            } else {
                written = (float)truing_times((double)g, scale);
            }
            broken |= truing_odd(written);
        }
        if (a.grad_kl.data && t.kl_on && scale != 0.0) {
            const double k = a.kl_weighs ? truing_times(a.coef, t.importance) : a.coef;
            const double upstream = !whole && a.each_upstream ? truing_double_at(a.grad_output, i) : 1.0;
            grad_kl = (float)truing_times(truing_times(k, upstream), scale);
            broken |= truing_odd(grad_kl);
        }
        s.column[C_MAIN][thread] = (double)v;
        s.column[C_KL][thread] = (double)estimate;
        s.column[C_RATIO][thread] = e;
        s.column[C_K1][thread] = -(double)x;
        s.column[C_K3][thread] = k3;
        s.column[C_ENTROPY][thread] = (double)t.entropy;
        s.column[C_BONUS][thread] = t.bonus_on ? (double)t.entropy : 0.0;
        s.column[C_WEIGHTED][thread] = truing_weighed((double)v, t.weight);
        s.column[C_TERM][thread] = truing_weighed((double)estimate, t.importance);
        s.column[C_LEAST][thread] = low;
        s.column[C_MOST][thread] = high;
        s.column[C_IMPORTANCE][thread] = t.live ? t.importance : 0.0;
        s.column[C_IMPORTANCE_SQ][thread] = t.live ? t.importance * t.importance : 0.0;
        s.column[C_OWN][thread] = own[0];
        s.column[C_OWN_WEIGHTED][thread] = a.weighs ? truing_weighed(own[0], t.weight) : own[0];
        if (broken) s.broken[turn] = 1;
        __syncthreads();
        const bool judged = s.broken[turn] != 0;
        if (thread == 0) s.broken[turn ^ 1] = 0;
        if (half < C_CHAINS) {
            sum = truing_by_position(s.column[half], sum);
        } else if (figures && (half == C_LEAST || half == C_MOST)) {
            // of two zeros the first counts: lanes take theirs in order, then lane after lane
            double best = half == C_LEAST ? TRUING_INF : -TRUING_INF;
            for (int k = thread & 15; k < TRUING_TOKENS; k += 16) {
                const double y = s.column[half][k];
                best = half == C_LEAST ? (y < best ? y : best) : (y > best ? y : best);
            }
            s.column[half][thread & 15] = best;
        } else if (alone && (thread & 15) == 0) {
#pragma unroll 16
            for (int k = 0; k < TRUING_TOKENS; k++) sum = sum + s.column[half][k];
        }
        if (here) {
            truing_u32 now = TRUING_ROW_IGNORED;
            if (t.live) {
                now = 0;
                if (judged) {
                    const double stored = a.reads_advantage && a.advantage.data ? truing_double_at(a.advantage, a.advantage_of_sequence ? b : i) : 0.0;
                    const float in[8] = {t.logp, a.reads_old ? t.old : 0.0f, a.reads_reference ? t.reference : 0.0f,
                                         a.reads_kl_reference ? t.kl_reference : 0.0f, a.reads_sampler ? t.sampler : 0.0f,
                                         a.reads_entropy ? t.entropy : 0.0f, t.topk_entropy, given ? estimate : 0.0f};
                    const float out[4] = {v, g, estimate, estimate_grad};
                    const float r = truing_log_ratio(t.logp, t.old, !a.old.data);
                    bool nan = stored != stored, infinite = false, undefined = truing_abs(stored) == TRUING_INF || (a.reads_old && r != r), beyond = false;
                    for (int k = 0; k < 8; k++) {
                        nan |= in[k] != in[k];
                        infinite |= truing_abs(in[k]) == TRUING_INFF;
                    }
                    for (int k = 0; k < 4; k++) {
                        undefined |= out[k] != out[k];
                        beyond |= truing_abs(out[k]) == TRUING_INFF;
                    }
                    const bool blame = truing_finite(factor) && truing_finite(slope) && (KIND != TRUING_SEQUENCE || truing_finite(scale)) &&
                                       (whole || !a.each_upstream || truing_finite(truing_double_at(a.grad_output, i)));
                    beyond |= blame && truing_odd(written);
                    now = nan ? TRUING_ROW_NAN_INPUT : undefined ? TRUING_ROW_INF_INPUT : infinite ? TRUING_ROW_INFINITE : beyond ? TRUING_ROW_OVERFLOW : 0;
                }
                if (t.wrong) now |= TRUING_ROW_OUT_OF_RANGE;
            }
            const truing_u32 counted = now & ~TRUING_ROW_IGNORED;
            status |= counted;
            for (truing_u32 bits = counted; bits != 0; bits &= bits - 1) atomicAdd(a.counters + (__ffs((int)bits) - 1), (truing_u64)1);
            truing_put(a.out_token_status, i, now);
            truing_put(a.grad_logps, i, written);
            if (!whole) truing_put_real(a.out_values, i, (double)v);
            truing_put(a.out_kl, i, estimate);
            truing_put(a.grad_kl, i, grad_kl);
            truing_put(a.grad_entropy, i, t.bonus_on ? (float)bonus_grad : 0.0f);
        }
        __syncthreads();
        if (figures && thread == 0)
            for (int k = 0; k < 16; k++) {
                const double y = s.column[C_LEAST][k], z = s.column[C_MOST][k];
                least = y < least ? y : least;
                most = z > most ? z : most;
            }
        __syncthreads();
    }
    const double joined = truing_join(sum);
    if ((thread & 15) == 0 && half < C_COUNT) s.result[half] = half < C_CHAINS ? joined : sum;
    status = __reduce_or_sync(TRUING_ALL_LANES, status);
    kept = __reduce_add_sync(TRUING_ALL_LANES, kept);
    for (int k = 0; k < 3; k++) clip[k] = __reduce_add_sync(TRUING_ALL_LANES, clip[k]);
    if (lane == 0) {
        s.status[warp] = status;
        s.kept[warp] = kept;
        for (int k = 0; k < 3; k++) s.clip[k][warp] = clip[k];
    }
    __syncthreads();
    if (thread != 0) return;
    for (int w = 1; w < 8; w++) {
        status |= s.status[w];
        kept += s.kept[w];
        for (int k = 0; k < 3; k++) clip[k] += s.clip[k][w];
    }
    if (range.n > (truing_i64)count) atomicAdd(a.counters, (truing_u64)(range.n - count));
    const truing_u32 of_tokens = status;
    if (whole && count > 0) {
        if (a.each) value = s.result[C_OWN] / (double)(kept > 1 ? kept : 1);
        // the tokens may all be finite and their reduced value still not be
        const truing_u32 undefined = TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT;
        if (value != value || slope != slope || (a.each && c != c)) {
            if (!(status & undefined)) status |= advantage != advantage || log_z != log_z ? TRUING_ROW_NAN_INPUT : TRUING_ROW_INF_INPUT;
        } else if ((truing_abs(value) == TRUING_INF || truing_abs(slope) == TRUING_INF) && !(status & (undefined | TRUING_ROW_INFINITE))) {
            status |= TRUING_ROW_OVERFLOW;
        }
    }
    if (range.wrong) {
        status |= TRUING_ROW_OUT_OF_RANGE;
        value = s.result[C_MAIN] = TRUING_NAN;
        weights = 1.0;
    } else if (count == 0) {
        status |= TRUING_ROW_EMPTY;
    }
    double *out = a.sums + b * S_COUNT;
    out[S_MAIN] = whole ? value : s.result[C_MAIN];
    out[S_KL] = s.result[C_KL];
    out[S_ENTROPY] = a.entropy.data && figures ? s.result[C_ENTROPY] : 0.0;
    out[S_TERM] = a.kl_weighs ? s.result[C_TERM] : s.result[C_KL];
    if (KIND == TRUING_SEQUENCE && a.each && !range.wrong) out[S_VALUE] = truing_times(s.result[C_OWN_WEIGHTED], weight);
    else if (whole) out[S_VALUE] = value != 0.0 && weights != 0.0 ? value * (weight * weights) : 0.0;
    else out[S_VALUE] = truing_times(a.weighs && !range.wrong ? s.result[C_WEIGHTED] : s.result[C_MAIN], weight);
    out[S_BONUS] = a.bonus ? truing_times(s.result[C_BONUS], truing_share(a.totals[T_BONUS_BASE], a.bonus_mode, a.bonus_lengths[b])) : 0.0;
    out[S_WEIGHT] = a.importance.data ? s.result[C_IMPORTANCE] : 0.0;
    out[S_WEIGHT_SQ] = a.importance.data ? s.result[C_IMPORTANCE_SQ] : 0.0;
    out[S_KEPT] = (double)(a.drops ? kept : count);
    for (int k = 0; k < 3; k++) out[S_CLIP + k] = (double)clip[k];
    if (KIND == TRUING_SEQUENCE && a.has_bounds && !a.token_bounds) {
        out[S_CLIP] = count > 0 && advantage < 0.0 && c < a.bounds[0];
        out[S_CLIP + 1] = count > 0 && advantage > 0.0 && c > a.bounds[1];
        out[S_CLIP + 2] = count > 0 && advantage < 0.0 && fmin(c, a.bounds[2]) > a.bounds[3];
    }
    out[S_RATIO] = s.result[C_RATIO];
    out[S_K1] = s.result[C_K1];
    out[S_K3] = s.result[C_K3];
    out[S_LEAST] = least;
    out[S_MOST] = most;
    if (KIND == TRUING_SEQUENCE) {
        if (a.out_values.data) {
            status |= truing_overflow(value, a.out_values);
            truing_put_real(a.out_values, b, value);
        }
        if (a.grad_log_z.data) {
            const double g = truing_times(grad_log_z == 0.0 || weights == 0.0 ? 0.0 : grad_log_z * weights, scale);
            if (truing_finite(g) && truing_odd((float)g)) status |= TRUING_ROW_OVERFLOW;
            truing_put(a.grad_log_z, b, (float)g);
        }
    }
    for (truing_u32 bits = status & ~of_tokens; bits != 0; bits &= bits - 1) atomicAdd(a.counters + (__ffs((int)bits) - 1), (truing_u64)1);
    truing_put(a.out_sequence_status, b, status);
}
// Writes the loss and the counters, by a warp: a lane has a counter. `nothing`: terms without anything to divide by.
TRUING_FN void truing_loss(const truing_policy_args &a, truing_u64 counter, truing_i64 nothing, double loss) {
    const truing_u32 lane = threadIdx.x;
    const truing_u32 reasons = TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT | TRUING_ROW_INFINITE | TRUING_ROW_OVERFLOW | TRUING_ROW_OUT_OF_RANGE;
    const bool known = (__ballot_sync(TRUING_ALL_LANES, counter > 0) & reasons) != 0;
    bool beyond = !truing_finite(loss) && !known;
    if (a.out_loss.data) {
        beyond |= truing_overflow(loss, a.out_loss) != 0;
        if (lane == 0) truing_put_real(a.out_loss, 0, loss);
    }
    const truing_i64 more = 1u << lane == TRUING_ROW_EMPTY ? nothing : 1u << lane == TRUING_ROW_OVERFLOW ? (truing_i64)beyond : 0;
    truing_put(a.out_counters, lane, (truing_i64)counter + more);
}
#define TRUING_GATHERED 64 // sequences
// Adds up the sequences in order, by a block of TRUING_TOKENS threads.
TRUING_FN void truing_finish(const truing_policy_args &a) {
    __shared__ double tile[S_COUNT * TRUING_GATHERED], all[S_COUNT];
    const truing_u32 lane = threadIdx.x;
    // written by other multiprocessors
    const volatile double *sums = a.sums;
    const volatile truing_u64 *counters = a.counters;
    const bool nothing = a.totals[T_NOTHING] != 0.0;
    const truing_u64 counter = lane < 32 ? counters[lane] : 0;
    // a thread has a sum, over the sequences in order
    double sum = lane == S_LEAST ? TRUING_INF : lane == S_MOST ? -TRUING_INF : 0.0;
    for (truing_i64 at = 0; at < a.sequences; at += TRUING_GATHERED) {
        const truing_u32 many = a.sequences - at < TRUING_GATHERED ? (truing_u32)(a.sequences - at) : TRUING_GATHERED;
        for (truing_u32 k = lane; k < many * S_COUNT; k += TRUING_TOKENS) {
            const truing_i64 b = at + k / S_COUNT;
            const truing_u32 which = k % S_COUNT;
            double x = sums[at * S_COUNT + k];
            // a sequence without a token is no candidate
            if (which == S_LEAST || which == S_MOST) x = a.counts[b] > 0 ? x : TRUING_NAN;
            if (which == S_TERM) x = a.coef != 0.0 ? truing_times(x, truing_share(a.totals[T_BASE], a.mode, a.lengths[b])) : 0.0;
            tile[which * TRUING_GATHERED + k / S_COUNT] = x;
        }
        __syncthreads();
        if (lane < S_COUNT) {
            const double *x = tile + lane * TRUING_GATHERED;
#pragma unroll 8
            for (truing_u32 k = 0; k < many; k++) {
                if (lane == S_LEAST) sum = x[k] < sum ? x[k] : sum;
                else if (lane == S_MOST) sum = x[k] > sum ? x[k] : sum;
                else sum += x[k];
            }
        }
        __syncthreads();
    }
    if (lane < S_COUNT) all[lane] = sum;
    __syncthreads();
    if (lane >= 32) return;
    const double main = nothing ? 0.0 : all[S_VALUE], kl = nothing ? 0.0 : all[S_TERM];
    const double kl_term = a.coef != 0.0 ? a.coef * kl : 0.0;
    const double bonus = a.bonus && a.totals[T_BONUS_NOTHING] == 0.0 ? -a.bonus_coef * all[S_BONUS] : 0.0;
    // nothing that is aggregated overflows
    truing_loss(a, counter, nothing, a.none ? 0.0 : main + kl_term + bonus);
    if (lane != 0) return;
    truing_put(a.out_terms, 0, main);
    truing_put(a.out_terms, 1, kl_term);
    truing_put(a.out_terms, 2, bonus);
    if (a.out_statistics.data) {
        const bool none = a.totals[T_TOKENS] == 0.0;
        const double s[17] = {a.totals[T_TOKENS], all[S_KEPT], a.totals[T_SEQUENCES], all[S_CLIP], all[S_CLIP + 1], all[S_CLIP + 2],
                              all[S_RATIO], none ? 0.0 : all[S_LEAST], none ? 0.0 : all[S_MOST], all[S_K1], all[S_K3], all[S_ENTROPY],
                              all[S_WEIGHT], all[S_WEIGHT_SQ], all[S_KL], all[S_MAIN], a.totals[T_DENOMINATOR]};
        for (int k = 0; k < 32; k++) truing_put(a.out_statistics, k, k < 17 ? s[k] : 0.0);
    }
}
// The block that ends last adds up.
TRUING_FN void truing_close(const truing_policy_args &a) {
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        last = atomicAdd(truing_ticket(a), (truing_u64)1) + 1 == (truing_u64)a.sequences;
        __threadfence();
    }
    __syncthreads();
    if (last) truing_finish(a);
}
extern "C" __global__ __launch_bounds__(TRUING_TOKENS, 2) void truing_policy_token(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    truing_policy<TRUING_TOKEN>(a);
    truing_close(a);
}
extern "C" __global__ __launch_bounds__(TRUING_TOKENS, 1) void truing_policy_sequence(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    truing_policy<TRUING_SEQUENCE>(a);
    truing_close(a);
}
extern "C" __global__ __launch_bounds__(TRUING_TOKENS, 1) void truing_policy_list(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    truing_policy<TRUING_LIST>(a);
    truing_close(a);
}
extern "C" __global__ __launch_bounds__(TRUING_TOKENS, 2) void truing_policy_estimator(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    truing_policy<TRUING_ESTIMATOR>(a);
    truing_close(a);
}

// Of no sequence at all.
extern "C" __global__ __launch_bounds__(TRUING_TOKENS, 2) void truing_policy_finish(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_finish(a);
}

// After the call of a further term: a block has a sequence.
extern "C" __global__ __launch_bounds__(TRUING_TOKENS, 2) void truing_policy_merge(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    __shared__ truing_u32 words[TRUING_TOKENS / 32];
    const truing_i64 b = blockIdx.x;
    const truing_u32 thread = threadIdx.x, lane = thread & 31;
    const bool last = a.term + 1 == a.terms;
    if (b == 0 && thread == 0) {
        double *p = a.parts;
        if (a.term == 0) {
            for (int k = 0; k < 3; k++) truing_put(a.out_terms, k, p[P_MAIN + k]);
            p[P_TOTAL] = p[P_MAIN] + p[P_MAIN + 1] + p[P_MAIN + 2];
            p[P_NOTHING] = a.main_totals[T_NOTHING];
        }
        const double value = a.term_weight == 0.0 ? 0.0 : truing_times(p[P_TERM], a.term_weight);
        truing_put(a.out_terms, 3 + a.term, value);
        p[P_TOTAL] = p[P_TOTAL] + value;
        p[P_NOTHING] = p[P_NOTHING] + a.totals[T_NOTHING];
    }
    if (b >= a.sequences) return;
    const truing_range range = truing_tokens(a.offsets, a.width, a.tokens, a.sequences, b);
    truing_u32 of_tokens = 0;
    for (truing_i64 at = 0; at < range.n; at += TRUING_TOKENS) {
        const truing_i64 i = range.start + at + thread;
        truing_u32 now = 0;
        if (at + thread < range.n) {
            const truing_u32 before = a.all_status[i], own = a.own_status[i];
            // a token that one of them reads is not ignored
            now = ((before | own) & ~TRUING_ROW_IGNORED) | (before & own & TRUING_ROW_IGNORED);
            if (a.grad_logps.data && !(own & TRUING_ROW_IGNORED) && a.term_weight != 0.0) {
                float *to = truing_row<float>(a.grad_logps, i);
                const float x = *to, y = a.own_grad[i], sum = x + y;
                *to = sum;
                if (!truing_odd(x) && !truing_odd(y) && truing_odd(sum)) now |= TRUING_ROW_OVERFLOW;
            }
            if (last) truing_put(a.out_token_status, i, now);
            else a.all_status[i] = now;
        }
        of_tokens |= now & ~TRUING_ROW_IGNORED;
        for (truing_u32 bits = last ? __reduce_or_sync(TRUING_ALL_LANES, now) : 0; bits != 0; bits &= bits - 1) {
            const int bit = __ffs((int)bits) - 1;
            const truing_u32 which = __ballot_sync(TRUING_ALL_LANES, now >> bit & 1);
            if (lane == 0) atomicAdd(a.all_counters + bit, (truing_u64)__popc(which));
        }
    }
    of_tokens = __reduce_or_sync(TRUING_ALL_LANES, of_tokens);
    if (lane == 0) words[thread / 32] = of_tokens;
    __syncthreads();
    if (thread != 0) return;
    for (int k = 1; k < TRUING_TOKENS / 32; k++) of_tokens |= words[k];
    const truing_u32 status = a.all_sequences[b] | a.own_sequences[b] | (last ? of_tokens : 0);
    if (!last) {
        a.all_sequences[b] = status;
        return;
    }
    for (truing_u32 bits = status & ~of_tokens; bits != 0; bits &= bits - 1) atomicAdd(a.all_counters + (__ffs((int)bits) - 1), (truing_u64)1);
    truing_put(a.out_sequence_status, b, status);
}
extern "C" __global__ __launch_bounds__(32) void truing_policy_whole(const __grid_constant__ truing_policy_args a) {
    truing_wait();
    truing_let_go();
    truing_loss(a, a.all_counters[threadIdx.x], (truing_i64)a.parts[P_NOTHING], a.parts[P_TOTAL]);
}
