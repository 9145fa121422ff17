// What divergences need that no form of them changes: divergences on a few columns of a row, the support S, as
// cpu/src/divergence/partial.rs has them; the block of a shard that another one has a part of; what all rows have together.
//
// S becomes a short row of either side, with the rest of the side as one column more where it counts, and the kernels of
// divergence.cuh take it from there:
// 1. truing_partial_pick: a warp writes the columns of S of a row: given ones, or the largest (truing_extra_top of logprob_extra.cu).
// 2. truing_partial_rest: a warp reduces 2048 columns of a side without those of S.
// 3. truing_partial_fill: a warp writes the short rows, masses, common columns.
// 4. truing_partial_finish: a warp writes the figures of a row, and the gradients of the columns of S; with the log-probs of
//    the whole softmax (`open`) their values too.
// 5. truing_partial_scatter: a warp writes 2048 columns of a gradient.
// Ranks of whole rows are here too, as no form changes them.
#include "divergence.cuh"
#include "segments.cuh"

enum { TRUING_PICK_GIVEN, TRUING_PICK_TEACHER, TRUING_PICK_STUDENT, TRUING_PICK_UNION, TRUING_PICK_REFERENCE };
enum { TRUING_OUTSIDE_RENORMALISE, TRUING_OUTSIDE_TAIL, TRUING_OUTSIDE_ZERO, TRUING_OUTSIDE_RAW };
enum { TRUING_ROWS, TRUING_LOGPROBS, TRUING_LOGITS, TRUING_COUNTS }; // what is known of the teacher
enum { TRUING_REDUCE_SUM, TRUING_REDUCE_MEAN, TRUING_REDUCE_WEIGHTED_MEAN };
// A row of S between the kernels. Sides: student, teacher.
struct alignas(16) truing_partial_row {
    double lse[2], soft, factor;
    double logprob, hard, hard_factor; // of the target where it has a term: log p, the factor of -log p, that of its gradient
    double target_own;                 // gradient of the target's column where S lacks it
    float mass[2], overlap[2], m[2], r[2], u[2]; // m, r, u: of the columns outside
    truing_u32 flags[2], floored[2];
    truing_u32 length, live, own, bad; // own: flags of a row that is not live
    float first[2], second[2];         // a column outside has the gradient e^(x - m) (first + second (x - m))
    truing_u32 fill;                   // every column has the value `all`
    float all;
    truing_u32 target; // its column where S lacks it; TRUING_NOWHERE: none
};
static_assert(sizeof(truing_partial_row) == 176, "size of cuda/src/divergence/partial.rs");
struct truing_partial_args {
    truing_divergence_args d; // of the call; its stats are those of S
    truing_view ids, values, teacher_lse, short_stats, short_status, own_stats;
    truing_view out_values, out_mass[2], out_overlap, out_overlap_sum, out_support_ids, out_stats, out_status, out_at_ids[2];
    truing_view at_ids[2], starts; // of all shards, a side each; where they start
    truing_view grad_loss, status, out_loss, out_counters, out_rank[2]; // of the sides
    const truing_u64 *tops[3]; // [rows, top], of student, teacher, reference, in descending order
    float *x[2], *g[2];        // short rows [rows, width] and their gradients
    double *own[2];            // gradients of the columns of S [rows, most]
    int *picked, *given;       // [rows, most]: S; the place of a column among the given ones
    void *states;              // truing_partial_row [rows]
    void *rest[2];             // truing_part::words [rows, parts]
    unsigned char *live;       // [rows]: the mask of the short rows
    double *factors;           // [rows]: gradients of the values of the short rows
    const double *short_losses;
    double *divisor;           // [2]: 0: no row counts; the gradient of a value that the loss gives
    void *head, *body, *joined; // records of a row that begins inside a block
    float *laid[2];            // that block, [rows, TRUING_BLOCK]
    truing_u32 *head_flags;    // [rows, 2]
    double normaliser, tail_floor, outside_logprob, log_prob_floor, value_clamp;
    truing_u32 chosen, outside, teacher, top, columns, width, most, parts, clamp_at_zero, cross;
    truing_u32 reduction, loss_gradient, fused, skip, words, shards, given_stats, gradients;
};
TRUING_FN const truing_side &truing_of(const truing_partial_args &a, int side) { return a.d.side[side ? 1 - a.d.student : a.d.student]; }
TRUING_FN bool truing_open(const truing_partial_args &a) { return a.outside >= TRUING_OUTSIDE_ZERO; }
TRUING_FN truing_i64 truing_id_of(const truing_view &v, truing_i64 row, truing_i64 k) {
    const truing_i64 at = truing_offset(v, row) + k;
    return v.dtype == TRUING_DTYPE_I32 ? (truing_i64)((const int *)v.data)[at] : ((const truing_i64 *)v.data)[at];
}
TRUING_FN double truing_number_at(const truing_view &v, truing_i64 row, truing_i64 k) {
    return v.dtype == TRUING_DTYPE_F64 ? ((const double *)v.data)[truing_offset(v, row) + k] : (double)truing_float_at(v, row, k);
}

// 1. The columns of S.

#define TRUING_ROW_WARPS 4
extern "C" __global__ __launch_bounds__(32 * TRUING_ROW_WARPS) void truing_partial_pick(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    const truing_divergence_args &d = a.d;
    const truing_i64 row = (truing_i64)blockIdx.x * TRUING_ROW_WARPS + threadIdx.x / 32;
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= d.rows) return;
    truing_i64 target = 0;
    const int kind = truing_pair_target(d, row, target);
    truing_partial_row &s = ((truing_partial_row *)a.states)[row];
    int *ids = a.picked + row * a.most, *given = a.given + row * a.most;
    truing_u32 length = 0, bad = 0;
    if (kind != TRUING_IGNORED) {
        // the host could not look: the row says so itself
        const truing_i64 total = a.shards != 0 ? truing_int_at(a.starts, a.shards) : (truing_i64)d.total;
        bad = (kind == TRUING_COLUMN && (target < 0 || target >= total)) || truing_weight_wrong(d, row);
        if (a.chosen == TRUING_PICK_GIVEN) {
            const truing_u32 widths[2] = {d.side[0].vocab, d.side[1].vocab}, width = widths[0] < widths[1] ? widths[1] : widths[0];
            const truing_i64 most = a.shards != 0 || total > (truing_i64)width ? total : (truing_i64)width;
#pragma unroll 1
            for (truing_u32 base = 0; base < a.columns; base += 32) {
                const truing_u32 k = base + lane;
                truing_i64 id = k < a.columns ? truing_id_of(a.ids, row, k) : -1;
                if (id < -1 || id >= most) bad = 1;
                if (id >= 0)
#pragma unroll 1
                    for (truing_u32 j = 0; j < k; j++) bad |= truing_id_of(a.ids, row, j) == id;
                const truing_i64 local = id < 0 ? -1 : id - (truing_i64)a.d.start;
                const bool on = local >= 0 && (a.shards != 0 || local < (truing_i64)width);
                const truing_u32 which = __ballot_sync(TRUING_FULL, on), place = length + __popc(which & ((1u << lane) - 1));
                if (on) {
                    ids[place] = (int)local;
                    given[place] = (int)k;
                }
                length += __popc(which);
            }
        } else {
            const int order[2] = {a.chosen == TRUING_PICK_REFERENCE ? 2 : a.chosen == TRUING_PICK_STUDENT ? 0 : 1, a.chosen == TRUING_PICK_UNION ? 0 : -1};
            truing_u32 before = 0;
#pragma unroll 1
            for (int i = 0; i < 2 && order[i] >= 0; i++) {
                const truing_u64 *keys = (i ? a.tops[0] : order[0] == 2 ? a.tops[2] : order[0] == 1 ? a.tops[1] : a.tops[0]) + row * a.top;
                before = length;
#pragma unroll 1
                for (truing_u32 base = 0; base < a.top; base += 32) {
                    const truing_u32 k = base + lane;
                    const truing_u64 key = k < a.top ? keys[k] : 0;
                    bool on = key != 0;
                    const int id = (int)truing_key_column(key);
#pragma unroll 1
                    for (truing_u32 j = 0; j < before; j++) on = on && ids[j] != id;
                    const truing_u32 which = __ballot_sync(TRUING_FULL, on), place = length + __popc(which & ((1u << lane) - 1));
                    if (on) ids[place] = id;
                    length += __popc(which);
                }
                __syncwarp(); // the second side looks at what the first one has written
            }
        }
        bad = __reduce_or_sync(TRUING_FULL, bad);
    }
    if (lane != 0) return;
    s.bad = bad;
    s.length = bad ? 0 : length;
    s.live = s.length != 0;
    s.own = kind == TRUING_IGNORED ? TRUING_ROW_IGNORED : bad ? TRUING_ROW_OUT_OF_RANGE : TRUING_ROW_EMPTY;
    a.live[row] = (unsigned char)s.live;
    s.fill = 0;
    s.target = TRUING_NOWHERE;
}

// 2. What lies outside.

extern "C" __global__ __launch_bounds__(32 * TRUING_ROW_WARPS) void truing_partial_rest(const __grid_constant__ truing_partial_args a) {
    __shared__ __align__(16) float stages[TRUING_ROW_WARPS][TRUING_BLOCK];
    truing_wait();
    const truing_u32 lane = threadIdx.x & 31;
    float *x = stages[threadIdx.x / 32];
    const truing_i64 tasks = 2 * a.d.rows * a.parts, step = (truing_i64)gridDim.x * TRUING_ROW_WARPS;
#pragma unroll 1
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_ROW_WARPS + threadIdx.x / 32; i < tasks; i += step) {
        const int side = (int)(i % 2);
        const truing_i64 row = i / 2 / a.parts;
        const truing_partial_row &s = ((const truing_partial_row *)a.states)[row];
        const truing_side &of = truing_of(a, side);
        if (!s.live || !of.logits.data || !(side ? a.rest[1] : a.rest[0])) continue;
        const truing_u32 first = (truing_u32)(i / 2 % a.parts) * TRUING_BLOCK, n = truing_among(of.valid, first, TRUING_BLOCK);
        const truing_transform t = truing_transform_of(of, row);
#pragma unroll 1
        for (truing_u32 j = lane; j < n; j += 32)
            x[j] = truing_apply(t, truing_float_at(of.logits, row, first + j), of.bias.data != 0, truing_bias(of, first + j));
        __syncwarp();
        const int *ids = a.picked + row * a.most;
#pragma unroll 1
        for (truing_u32 k = lane; k < s.length; k += 32)
            if ((truing_u32)ids[k] - first < n) x[(truing_u32)ids[k] - first] = -TRUING_INFF;
        __syncwarp();
        truing_record r = truing_block<float, false>(x, n, true);
        if (truing_poisoned(r)) {
            r.flags = 0;
#pragma unroll 1
            for (truing_u32 j = lane; j < n; j += 32) {
                if (truing_bias(of, first + j) == -TRUING_INFF) continue;
                const float z = truing_float_at(of.logits, row, first + j);
                r.flags |= (z != z ? TRUING_ROW_NAN_INPUT : 0) | (z == TRUING_INFF ? TRUING_ROW_INF_INPUT : 0);
            }
            r.flags = __reduce_or_sync(TRUING_FULL, r.flags);
        }
        if (lane == 0) ((truing_part::words *)a.rest[side])[i / 2] = truing_part::store(r);
        __syncwarp(); // x has been read
    }
}

// 3. Short rows.

// Sum in the order of the lanes of terms of which lanes that are off have none.
TRUING_FN double truing_serial(double sum, double term, bool on) { return truing_chain(sum, on ? term : 0.0, __ballot_sync(TRUING_FULL, on)); }
// Numbers of the teacher at given ids in place of logits.
TRUING_FN void truing_fill_given(const truing_partial_args &a, truing_i64 row, truing_partial_row &s, float *x) {
    const truing_u32 lane = threadIdx.x & 31;
    const int *given = a.given + row * a.most, *ids = a.picked + row * a.most;
    const truing_side &of = truing_of(a, 1);
    const truing_transform t = truing_transform_of(of, row);
    double lse = 0.0, sum = 0.0;
    if (a.teacher == TRUING_LOGITS && a.teacher_lse.data) lse = (double)*truing_row<const float>(a.teacher_lse, row);
    if (a.teacher == TRUING_COUNTS) {
        truing_u32 wrong = 0;
#pragma unroll 1
        for (truing_u32 base = 0; base < s.length; base += 32) {
            const bool on = base + lane < s.length;
            const double v = on ? truing_number_at(a.values, row, given[base + lane]) : 0.0;
            wrong |= !(v >= 0.0 && v < TRUING_INF);
            sum = truing_serial(sum, v, on);
        }
        if (__reduce_or_sync(TRUING_FULL, wrong) || sum == 0.0) {
            s.bad |= __reduce_or_sync(TRUING_FULL, wrong);
            s.own = s.bad ? TRUING_ROW_OUT_OF_RANGE : TRUING_ROW_EMPTY;
            s.length = s.live = 0;
            return;
        }
        lse = truing_log(sum);
    }
    sum = 0.0;
#pragma unroll 1
    for (truing_u32 base = 0; base < s.length; base += 32) {
        const truing_u32 k = base + lane;
        const bool on = k < s.length;
        float v = on ? -TRUING_INFF : 0.0f;
        if (on && ids[k] < (int)of.valid) {
            v = (float)truing_number_at(a.values, row, given[k]);
            if (a.teacher == TRUING_LOGITS) v = truing_apply(t, v, of.bias.data != 0, truing_bias(of, (truing_u32)ids[k]));
        }
        if (a.teacher == TRUING_COUNTS) v = (float)truing_log((double)v);
        const double l = (double)v - lse;
        if (a.outside == TRUING_OUTSIDE_TAIL) v = (float)l;
        if (on) x[k] = v;
        if (a.outside != TRUING_OUTSIDE_RENORMALISE) sum = truing_serial(sum, truing_exp(l), on);
    }
    s.lse[1] = lse;
    if (truing_open(a)) s.mass[1] = (float)sum;
    if (a.outside != TRUING_OUTSIDE_TAIL) return;
    const double left = sum < 1.0 ? 1.0 - sum : sum != sum ? sum : 0.0, low = a.tail_floor;
    s.floored[1] = left < low;
    if (lane == 0) x[s.length] = (float)truing_log(left < low ? low : left);
    s.mass[1] = (float)(1.0 - left);
}
// Logits, and the rest of their row; `target`: the column whose term of its own the row has, or -1.
TRUING_FN void truing_fill_side(const truing_partial_args &a, truing_i64 row, truing_partial_row &s, int side, truing_i64 target, float *x) {
    const truing_u32 lane = threadIdx.x & 31;
    const truing_side &of = truing_of(a, side);
    const int *ids = a.picked + row * a.most;
    const bool tail_counts = a.outside == TRUING_OUTSIDE_TAIL;
    float best = -TRUING_INFF;
    truing_u32 flags = 0, bad = 0;
#pragma unroll 1
    for (truing_u32 k = lane; k < s.length; k += 32) {
        const float v = truing_at(of, row, ids[k]);
        x[k] = v;
        if (v > best) best = v;
        bad |= !(v < TRUING_INFF);
        if (ids[k] < (int)of.valid && truing_bias(of, (truing_u32)ids[k]) != -TRUING_INFF) {
            const float z = truing_float_at(of.logits, row, ids[k]);
            flags |= (z != z ? TRUING_ROW_NAN_INPUT : 0) | (z == TRUING_INFF ? TRUING_ROW_INF_INPUT : 0);
        }
    }
    if (a.outside == TRUING_OUTSIDE_RENORMALISE && target < 0) return;
    truing_record rest = truing_tree<truing_part>(a, (truing_part::words *)a.rest[side] + row * a.parts, a.parts, 32, true, lane);
    truing_part::words w = truing_part::store(rest);
#pragma unroll
    for (int k = 0; k < 8; k++) w.x[k] = __shfl_sync(TRUING_FULL, w.x[k], 0);
    rest = truing_part::load(w);
    best = truing_largest_of(best);
    const float m = best > rest.m ? best : rest.m;
    const double tail_m = rest.m, tail_sum = truing_log1p((double)rest.r);
    if (__reduce_or_sync(TRUING_FULL, bad) || truing_poisoned(rest)) {
        flags = __reduce_or_sync(TRUING_FULL, flags) | rest.flags;
        rest = truing_poison(flags == 0 ? TRUING_ROW_OVERFLOW : flags);
    }
    const bool poisoned = truing_poisoned(rest);
    s.m[side] = rest.m;
    s.r[side] = rest.r;
    s.u[side] = rest.u;
    s.flags[side] = rest.flags;
    if (m == -TRUING_INFF) {
        if (tail_counts && lane == 0) x[s.length] = -TRUING_INFF;
        return;
    }
    double sum = 0.0;
#pragma unroll 1
    for (truing_u32 base = 0; base < s.length; base += 32) {
        const truing_u32 k = base + lane;
        const bool on = k < s.length;
        const float v = on ? x[k] : -TRUING_INFF;
        sum = truing_serial(sum, truing_exp((double)v - (double)m), on);
        if (on && tail_counts) x[k] = v - m;
    }
    // of the poisoned record, as the CPU has it
    const double from = poisoned ? (double)rest.m : tail_m, log_sum = poisoned ? truing_log1p((double)rest.r) : tail_sum;
    const double tail = from > -TRUING_INF ? (from - (double)m) + log_sum : -TRUING_INF, e = truing_exp(tail);
    const double all = truing_log(sum + e);
    s.lse[side] = poisoned ? TRUING_NAN : (double)m + all;
    s.mass[side] = (float)(sum / (sum + e));
    if (target >= 0) {
        s.logprob = poisoned ? TRUING_NAN : ((double)truing_at(of, row, target) - (double)m) - all;
        s.hard = truing_factors_of(a.d, row).weight * truing_hard(a.d, s.logprob);
    }
    if (!tail_counts) return;
    const double low = truing_log(a.tail_floor) + all;
    s.floored[side] = tail < low;
    if (lane == 0) x[s.length] = poisoned ? TRUING_NANF : tail < low ? (float)low : (float)tail;
}
// Columns of both sides' lists, and what the teacher's say about them.
TRUING_FN void truing_common(const truing_partial_args &a, truing_i64 row, truing_partial_row &s) {
    const truing_u32 lane = threadIdx.x & 31;
    const bool given = a.chosen == TRUING_PICK_GIVEN;
    const int *ids = a.picked + row * a.most;
    const truing_u64 *own = a.tops[0] + row * a.top, *other = given ? 0 : a.tops[1] + row * a.top;
    const truing_u32 listed = given ? s.length : a.top;
    truing_u32 n = 0, common = 0;
    double sum = 0.0;
#pragma unroll 1
    for (truing_u32 base = 0; base < listed; base += 32) {
        const truing_u32 k = base + lane;
        bool on = k < listed;
        truing_u32 j = 0;
        if (on && given) j = (truing_u32)ids[k];
        if (on && !given) {
            on = other[k] != 0;
            j = truing_key_column(other[k]);
        }
        n += __popc(__ballot_sync(TRUING_FULL, on));
        bool both = false;
        if (on)
#pragma unroll 1
            for (truing_u32 i = 0; i < listed; i++) both |= own[i] != 0 && truing_key_column(own[i]) == j;
        common += __popc(__ballot_sync(TRUING_FULL, both));
        double term = 0.0;
        if (both) {
            const double lp = (double)truing_at(truing_of(a, 0), row, j) - s.lse[0];
            double lt;
            if (a.teacher == TRUING_ROWS) {
                lt = (double)truing_at(truing_of(a, 1), row, j);
            } else {
                lt = (double)a.x[1][row * a.width + k];
            }
            // a teacher at ids beside a bucket has log-probs already
            if (a.teacher == TRUING_ROWS || a.outside != TRUING_OUTSIDE_TAIL) lt -= s.lse[1];
            const double t = truing_exp(lt);
            term = t > 0.0 ? t * (lt - lp) : 0.0;
        }
        sum = truing_serial(sum, -term, both);
    }
    s.overlap[0] = n > 0 ? (float)common / (float)n : 0.0f;
    s.overlap[1] = (float)sum;
}
extern "C" __global__ __launch_bounds__(32 * TRUING_ROW_WARPS) void truing_partial_fill(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    const truing_i64 row = (truing_i64)blockIdx.x * TRUING_ROW_WARPS + threadIdx.x / 32;
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= a.d.rows) return;
    truing_partial_row &place = ((truing_partial_row *)a.states)[row];
    truing_partial_row s = place;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        s.lse[i] = 0.0;
        s.mass[i] = s.overlap[i] = 0.0f;
        s.m[i] = -TRUING_INFF;
        s.r[i] = s.u[i] = 0.0f;
        s.flags[i] = s.floored[i] = 0;
    }
    const double up = truing_given(a.d, a.d.grad_values, row) + (a.loss_gradient ? a.divisor[1] : 0.0);
    truing_i64 target = -1;
    if (truing_pair_target(a.d, row, target) != TRUING_COLUMN || a.d.hard_weight == 0.0) target = -1;
    s.soft = truing_factors_of(a.d, row).soft;
    s.factor = up * s.soft;
    s.logprob = s.hard = s.target_own = 0.0;
    float *x[2] = {a.x[0] + row * a.width, a.x[1] + row * a.width};
    if (s.live && a.shards != 0) {
        // of the shards one has the column
#pragma unroll 1
        for (truing_u32 k = lane; k < 2 * s.length; k += 32) {
            const int side = k >= s.length;
            const truing_u32 at = k - (side ? s.length : 0);
            float v = -TRUING_INFF;
#pragma unroll 1
            for (truing_u32 n = 0; n < a.shards; n++) {
                const float z = truing_row<const float>(side ? a.at_ids[1] : a.at_ids[0], (truing_i64)n * a.d.rows + row)[a.given[row * a.most + at]];
                v = z > v || z != z ? z : v;
            }
            (side ? x[1] : x[0])[at] = v + 0.0f;
        }
    } else if (s.live) {
        truing_fill_side(a, row, s, 0, target, x[0]);
        if (a.teacher == TRUING_ROWS) truing_fill_side(a, row, s, 1, -1, x[1]);
        else truing_fill_given(a, row, s, x[1]);
        if (s.live && (a.out_overlap.data || a.out_overlap_sum.data)) truing_common(a, row, s);
    }
    s.hard_factor = -up * s.hard;
    const truing_u32 end = s.length + (a.outside == TRUING_OUTSIDE_TAIL);
    __syncwarp(); // one lane has written the column of the rest
#pragma unroll 1
    for (truing_u32 k = end + lane; k < a.width; k += 32) x[0][k] = x[1][k] = -TRUING_INFF;
    if (lane != 0) return;
    place = s;
    a.live[row] = (unsigned char)s.live;
    if (a.factors) a.factors[row] = s.factor;
}

// 4. Figures, and the gradients of S.

// Core's Open::row of a row; `g` gets the gradients. False: none.
struct truing_opened {
    double value, first, second;
    bool alive;
};
TRUING_FN double truing_raise(double l, double low) { return l < low ? low : l; }
TRUING_FN truing_opened truing_open_row(const truing_partial_args &a, truing_i64 row, const truing_partial_row &s, double *g) {
    const truing_u32 lane = threadIdx.x & 31;
    const float *x[2] = {a.x[0] + row * a.width, a.x[1] + row * a.width};
    const double low = a.log_prob_floor < 0.0 ? a.log_prob_floor : -TRUING_INF, forward = a.d.form[0], reverse = a.d.form[1];
    double value = 0.0, mass = 0.0, mean = 0.0;
#pragma unroll 1
    for (truing_u32 base = 0; base < s.length; base += 32) {
        const truing_u32 k = base + lane;
        const bool on = k < s.length;
        const double own_p = on ? (double)x[0][k] - s.lse[0] : 0.0, own_t = on ? (double)x[1][k] - s.lse[1] : 0.0;
        const double lp = truing_raise(own_p, low), lt = truing_raise(own_t, low), p = truing_exp(lp), t = truing_exp(lt);
        double there = 0.0, back = 0.0;
        if (forward != 0.0 && t > 0.0) there = forward * (a.cross ? -t * lp : t * (lt - lp));
        if (reverse != 0.0 && p > 0.0) back = reverse * (p * (lp - lt));
        const truing_u32 which = __ballot_sync(TRUING_FULL, on);
#pragma unroll 1
        for (int i = 0; i < 32; i++) {
            const double x0 = __shfl_sync(TRUING_FULL, there, i), x1 = __shfl_sync(TRUING_FULL, back, i);
            if (which >> i & 1) {
                value += x0;
                value += x1;
            }
        }
        const bool active = on && (own_p > low || low == -TRUING_INF);
        mass = truing_serial(mass, t, active);
        mean = truing_serial(mean, p * (lp - lt + 1.0), active && reverse != 0.0 && p > 0.0);
    }
    truing_opened o = {};
    const double m = s.m[0], logprob = m - s.lse[0], scale = s.m[0] > -TRUING_INFF ? truing_exp(logprob) : 0.0, sum = 1.0 + (double)s.r[0];
    const bool zero = a.outside == TRUING_OUTSIDE_ZERO && reverse != 0.0;
    if (zero && scale > 0.0) {
        const double outside = scale * sum, entropic = scale * ((double)s.u[0] + sum * logprob);
        value += reverse * (entropic - a.outside_logprob * outside);
        mean += entropic + (1.0 - a.outside_logprob) * outside;
    }
    bool clamped = false;
    if (a.clamp_at_zero && value < 0.0) {
        value = 0.0;
        clamped = true;
    }
    if (a.value_clamp > 0.0 && (value > a.value_clamp || value < -a.value_clamp)) {
        value = value > 0.0 ? a.value_clamp : -a.value_clamp;
        clamped = true;
    }
    o.value = value;
    if (clamped || !(truing_abs(value) < TRUING_INF)) return o;
    o.alive = true;
#pragma unroll 1
    for (truing_u32 k = lane; k < s.length; k += 32) {
        const double own_p = (double)x[0][k] - s.lse[0], own_t = (double)x[1][k] - s.lse[1], p = truing_exp(own_p);
        const bool on = own_p > low || low == -TRUING_INF;
        const double c = truing_raise(own_p, low) - truing_raise(own_t, low) + 1.0, own = on && reverse != 0.0 && p > 0.0 ? c : 0.0;
        const double t = on ? truing_exp(truing_raise(own_t, low)) : 0.0;
        if (g) g[k] = forward * (mass * p - t) + (reverse != 0.0 ? reverse * p * (own - mean) : 0.0);
    }
    o.first = forward * mass - reverse * mean;
    if (zero) {
        // without a column outside it is multiplied by 0
        o.first += reverse * ((s.m[0] > -TRUING_INFF ? logprob : -TRUING_INF) - a.outside_logprob + 1.0);
        o.second = reverse;
    }
    return o;
}
// Adds the gradient of the target's term to those of S, by a warp: 1 - p must not cancel.
TRUING_FN void truing_add_hard(const truing_partial_args &a, truing_i64 row, truing_i64 target, truing_partial_row &s, double *g, double &first, double second) {
    const truing_u32 lane = threadIdx.x & 31;
    const truing_side &of = truing_of(a, 0);
    const int *ids = a.picked + row * a.most;
    const double rest = -truing_expm1(s.logprob), m = s.m[0];
    truing_u32 found = 0;
#pragma unroll 1
    for (truing_u32 k = lane; k < s.length; k += 32) {
        const bool own = ids[k] == (int)target;
        found |= own;
        g[k] = g[k] + s.hard_factor * (own ? rest : -truing_exp((double)truing_at(of, row, ids[k]) - s.lse[0]));
    }
    if (!__reduce_or_sync(TRUING_FULL, found)) {
        const double at = (double)truing_at(of, row, target) - m;
        s.target = (truing_u32)target;
        s.target_own = truing_exp(at) * (first + second * at) + s.hard_factor * rest;
    }
    if (m > -TRUING_INF) first -= s.hard_factor * truing_exp(m - s.lse[0]);
}
extern "C" __global__ __launch_bounds__(32 * TRUING_ROW_WARPS) void truing_partial_finish(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    const truing_i64 row = (truing_i64)blockIdx.x * TRUING_ROW_WARPS + threadIdx.x / 32;
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= a.d.rows) return;
    truing_partial_row &place = ((truing_partial_row *)a.states)[row];
    truing_partial_row s = place;
    const bool open = truing_open(a);
    truing_u32 flags = s.own, fill = 1;
    float all = s.bad ? TRUING_NANF : 0.0f;
    double value = s.bad ? TRUING_NAN : 0.0;
    const float *saved = a.given_stats ? truing_row<const float>(a.own_stats, row) : a.short_stats.data ? truing_row<const float>(a.short_stats, row) : 0;
    double *own[2] = {a.own[0] ? a.own[0] + row * a.most : 0, a.own[1] ? a.own[1] + row * a.most : 0};
    s.first[0] = s.first[1] = s.second[0] = s.second[1] = 0.0f;
    truing_i64 target = -1;
    truing_pair_target(a.d, row, target);
    const bool hard = s.live && s.hard != 0.0, dead = hard && s.logprob == -TRUING_INF;
    float found = 0.0f;
    if (s.live && open) {
        bool known = s.lse[0] == s.lse[0] && s.lse[1] == s.lse[1];
        flags = s.flags[0] | s.flags[1];
#pragma unroll 1
        for (int i = 0; i < 2; i++) {
            truing_u32 some = s.m[i] != -TRUING_INFF;
            for (truing_u32 k = lane; k < s.length; k += 32) some |= (i ? a.x[1] : a.x[0])[row * a.width + k] != -TRUING_INFF;
            if (!__reduce_or_sync(TRUING_FULL, some)) {
                flags |= TRUING_ROW_ALL_NEG_INF;
                known = false;
            }
        }
        truing_opened o = {};
        o.value = TRUING_NAN;
        if (known) o = truing_open_row(a, row, s, own[0]);
        value = o.value;
        // at a clamp the term of the target goes on
        const bool clamped = !o.alive && truing_abs(value) < TRUING_INF && hard;
        fill = value != value || (!o.alive && !clamped) || dead;
        all = value != value ? TRUING_NANF : 0.0f;
        if (value != value && flags == 0) flags |= TRUING_ROW_NAN_INPUT;
        if (value == TRUING_INF) flags |= TRUING_ROW_INFINITE;
        value = s.soft == 0.0 ? 0.0 : s.soft * value;
        if (hard) value -= s.hard * s.logprob;
        if (dead) flags |= TRUING_ROW_TARGET_NEG_INF;
        const double scale = s.m[0] > -TRUING_INFF ? truing_exp((double)s.m[0] - s.lse[0]) : 0.0;
        double first = o.first * scale * s.factor;
        const double second = o.second * scale * s.factor;
        if (!fill && a.gradients) {
            for (truing_u32 k = lane; k < s.length; k += 32) own[0][k] = clamped ? 0.0 : own[0][k] * s.factor;
            if (hard) truing_add_hard(a, row, target, s, own[0], first, second);
        }
        s.first[0] = (float)first;
        s.second[0] = (float)second;
    } else if (s.live || a.given_stats) {
        found = saved[14];
        const truing_u32 bits = truing_bits(saved[15]);
        flags = a.given_stats ? bits : truing_bits(*truing_row<const float>(a.short_status, row));
        if (!a.given_stats) value = s.soft == 0.0 ? 0.0 : s.soft * a.short_losses[row];
        if (hard) value -= s.hard * s.logprob;
        if (dead) flags |= TRUING_ROW_TARGET_NEG_INF;
        if (hard && s.logprob != s.logprob) {
            // what lies outside S spoils the row
            found = TRUING_NANF;
            flags |= s.flags[0];
        }
        fill = !s.live || dead;
        all = 0.0f;
        if (found == TRUING_INFF || saved[9] == -TRUING_INFF || (bits & (TRUING_ROW_IGNORED | TRUING_ROW_DEGENERATE))) {
            fill = 1;
        } else if (found != found) {
            fill = 1;
            all = TRUING_NANF;
        }
        if (a.given_stats && s.bad) {
            flags |= TRUING_ROW_OUT_OF_RANGE;
            fill = 1;
            all = TRUING_NANF;
        }
        if (!fill && a.gradients)
#pragma unroll 1
            for (int i = 0; i < 2; i++) {
                if (!own[i]) continue;
                const float *g = (i ? a.g[1] : a.g[0]) + row * a.width;
                for (truing_u32 k = lane; k < s.length; k += 32) own[i][k] = (double)g[k];
                double first = 0.0;
                if (a.outside == TRUING_OUTSIDE_TAIL && !s.floored[i] && s.m[i] > -TRUING_INFF) first = (double)g[s.length] / (1.0 + (double)s.r[i]);
                if (i == 0 && hard) truing_add_hard(a, row, target, s, own[0], first, 0.0);
                s.first[i] = (float)first;
            }
    }
    // with respect to the raw logits
    if (!fill && a.gradients)
#pragma unroll 1
        for (int i = 0; i < 2; i++) {
            const truing_side &of = truing_of(a, i);
            if (!own[i]) continue;
            const truing_transform t = truing_transform_of(of, row);
#pragma unroll 1
            for (truing_u32 k = lane; k < s.length; k += 32) {
                const int j = a.picked[row * a.most + k];
                const double g = own[i][k];
                const bool on = j < (int)of.valid && g != 0.0;
                own[i][k] = on ? g * truing_slope(t, (double)(truing_float_at(of.logits, row, j) + truing_bias(of, (truing_u32)j))) : 0.0;
            }
            const truing_i64 j = s.target;
            if (i == 0 && j < (truing_i64)of.valid)
                s.target_own = s.target_own != 0.0 ? s.target_own * truing_slope(t, (double)(truing_float_at(of.logits, row, j) + truing_bias(of, (truing_u32)j))) : 0.0;
        }
    if (a.out_support_ids.data) {
        int *to = truing_row<int>(a.out_support_ids, row);
#pragma unroll 1
        for (truing_u32 k = lane; k < a.most; k += 32) to[k] = k < s.length ? a.picked[row * a.most + k] : -1;
    }
    if (a.out_stats.data && lane < TRUING_DIVERGENCE_STATS) {
        float y = 0.0f;
        if (s.live && !open) y = lane == TRUING_DIVERGENCE_STATS - 1 ? truing_from(flags) : lane == TRUING_DIVERGENCE_STATS - 2 ? found : saved[lane];
        else if (lane == TRUING_DIVERGENCE_STATS - 1) y = truing_from(flags);
        else if (lane == TRUING_DIVERGENCE_STATS - 2 && s.bad) y = TRUING_NANF;
        truing_row<float>(a.out_stats, row)[lane] = y;
    }
    if (lane != 0) return;
    s.fill = fill;
    s.all = all;
    place = s;
    const bool nan = value != value;
    truing_put(a.out_values, row, (float)value);
#pragma unroll
    for (int i = 0; i < 2; i++) truing_put(a.out_mass[i], row, s.live ? s.mass[i] : s.bad ? TRUING_NANF : 0.0f);
    truing_put(a.out_overlap, row, nan ? TRUING_NANF : s.overlap[0]);
    truing_put(a.out_overlap_sum, row, nan ? TRUING_NANF : s.overlap[1]);
    truing_put(a.out_status, row, flags);
    if (a.d.losses) a.d.losses[row] = value;
}

// 5. Gradients.

template <class T> TRUING_FN void truing_scatter(const truing_partial_args &a, const truing_partial_row &s, truing_i64 row, int side, truing_u32 first) {
    const truing_u32 lane = threadIdx.x & 31, entry = truing_exp_table[lane % 8];
    const truing_side &of = truing_of(a, side);
    const truing_u32 width = truing_among(of.vocab, first, TRUING_BLOCK), n = truing_among(of.valid, first, TRUING_BLOCK);
    T *g = truing_row<T>(of.grad, row) + first;
    if (s.fill) {
        for (truing_u32 j = lane; j < width; j += 32) truing_narrow(s.all, g + j);
        return;
    }
    const truing_transform t = truing_transform_of(of, row);
    const float m = s.m[side], one = s.first[side], two = s.second[side];
    const bool spread = m > -TRUING_INFF && (one != 0.0f || two != 0.0f);
#pragma unroll 1
    for (truing_u32 base = 0; base < width; base += 32) {
        const truing_u32 j = base + lane;
        float y = 0.0f;
        if (spread) {
            const bool on = j < n;
            const float z = on ? truing_float_at(of.logits, row, first + j) : 0.0f, b = on ? truing_bias(of, first + j) : 0.0f;
            float d = (on ? truing_apply(t, z, of.bias.data != 0, b) : -TRUING_INFF) - m, w, p;
            d = truing_clamp(d);
            truing_exp_factors(d, entry, w, p);
            y = w * p * (one + two * d);
            if (t.kind != TRUING_PLAIN) y = y == 0.0f ? 0.0f : y * truing_slope(t, z + b);
            if (!on) y = 0.0f;
        }
        if (j < width) truing_narrow(y, g + j);
    }
    __syncwarp();
    const int *ids = a.picked + row * a.most;
    const double *own = (side ? a.own[1] : a.own[0]) + row * a.most;
#pragma unroll 1
    for (truing_u32 k = lane; k < s.length; k += 32)
        if ((truing_u32)ids[k] - first < n) truing_narrow_wide(own[k], g + ((truing_u32)ids[k] - first));
    if (side == 0 && lane == 0 && s.target - first < n) truing_narrow_wide(s.target_own, g + (s.target - first));
}
extern "C" __global__ __launch_bounds__(32 * TRUING_ROW_WARPS) void truing_partial_scatter(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    const truing_i64 tasks = 2 * a.d.rows * a.parts, step = (truing_i64)gridDim.x * TRUING_ROW_WARPS;
#pragma unroll 1
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_ROW_WARPS + threadIdx.x / 32; i < tasks; i += step) {
        const int side = (int)(i % 2);
        const truing_i64 row = i / 2 / a.parts;
        const truing_partial_row &s = ((const truing_partial_row *)a.states)[row];
        const truing_view &g = truing_of(a, side).grad;
        if (!g.data) continue;
        const truing_u32 first = (truing_u32)(i / 2 % a.parts) * TRUING_BLOCK;
        if (g.dtype == TRUING_DTYPE_F32) truing_scatter<float>(a, s, row, side, first);
        else if (g.dtype == TRUING_DTYPE_BF16) truing_scatter<truing_bf16>(a, s, row, side, first);
        else truing_scatter<truing_f16>(a, s, row, side, first);
    }
}
// Logits of a shard at given ids. A warp a row.
extern "C" __global__ __launch_bounds__(32 * TRUING_ROW_WARPS) void truing_partial_local(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    const truing_divergence_args &d = a.d;
    const truing_i64 row = (truing_i64)blockIdx.x * TRUING_ROW_WARPS + threadIdx.x / 32;
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= d.rows) return;
    truing_i64 target = 0;
    const int kind = truing_pair_target(d, row, target);
    const bool live = kind != TRUING_IGNORED;
    truing_u32 flags = live ? 0 : TRUING_ROW_IGNORED, bad = 0;
    if (live) bad = (kind == TRUING_COLUMN && (target < 0 || target >= (truing_i64)d.total)) || truing_weight_wrong(d, row);
#pragma unroll 1
    for (truing_u32 k = lane; live && k < a.columns; k += 32) {
        const truing_i64 id = truing_id_of(a.ids, row, k);
        bad |= id < -1 || id >= (truing_i64)d.total;
#pragma unroll 1
        for (truing_u32 j = 0; id >= 0 && j < k; j++) bad |= truing_id_of(a.ids, row, j) == id;
    }
    bad = __reduce_or_sync(TRUING_FULL, bad);
#pragma unroll 1
    for (truing_u32 k = lane; k < 2 * a.columns; k += 32) {
        const int side = k >= a.columns;
        const truing_u32 at = k - (side ? a.columns : 0);
        const truing_i64 id = live ? truing_id_of(a.ids, row, at) : -1, local = id < 0 ? -1 : id - (truing_i64)a.d.start;
        float x = -TRUING_INFF;
        if (bad) x = TRUING_NANF;
        else if (local >= 0) x = truing_at(truing_of(a, side), row, local);
        if (!bad) flags |= (x != x ? TRUING_ROW_NAN_INPUT : 0) | (x == TRUING_INFF ? TRUING_ROW_INF_INPUT : 0);
        truing_row<float>(side ? a.out_at_ids[1] : a.out_at_ids[0], row)[at] = x;
    }
    flags = __reduce_or_sync(TRUING_FULL, flags) | (bad ? TRUING_ROW_OUT_OF_RANGE : 0);
    if (lane == 0) truing_put(a.out_status, row, flags);
}

// The block that a shard begins inside: its columns where they lie in the block, transformed. A warp a row and side.
extern "C" __global__ __launch_bounds__(32 * TRUING_ROW_WARPS) void truing_partial_head(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    const truing_i64 task = (truing_i64)blockIdx.x * TRUING_ROW_WARPS + threadIdx.x / 32, row = task / 2;
    const int side = (int)(task % 2);
    const truing_u32 lane = threadIdx.x & 31;
    if (row >= a.d.rows) return;
    truing_i64 target = 0;
    if (truing_pair_target(a.d, row, target) == TRUING_IGNORED) return;
    const truing_side &of = side ? a.d.side[1] : a.d.side[0];
    const truing_u32 n = truing_among(of.valid, 0, TRUING_BLOCK - a.skip);
    const truing_transform t = truing_transform_of(of, row);
    float *to = (side ? a.laid[1] : a.laid[0]) + row * TRUING_BLOCK;
    truing_u32 flags = 0;
#pragma unroll 1
    for (truing_u32 k = lane; k < TRUING_BLOCK; k += 32) {
        float x = -TRUING_INFF;
        if (k >= a.skip && k - a.skip < n) {
            const truing_u32 j = k - a.skip;
            const float z = truing_float_at(of.logits, row, j), b = truing_bias(of, j);
            x = truing_apply(t, z, of.bias.data != 0, b);
            if (b != -TRUING_INFF) flags |= (z != z ? TRUING_ROW_NAN_INPUT : 0) | (z == TRUING_INFF ? TRUING_ROW_INF_INPUT : 0);
        }
        to[k] = x;
    }
    flags = __reduce_or_sync(TRUING_FULL, flags);
    if (lane == 0) a.head_flags[2 * row + side] = flags;
}
// Its records before those of the blocks behind it; a thread a record. Columns count from the first one of the shard.
extern "C" __global__ __launch_bounds__(128) void truing_partial_join(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x, row = i / a.parts;
    const truing_u32 part = (truing_u32)(i % a.parts), words = a.words;
    if (row >= a.d.rows) return;
    const truing_u32 *from = part == 0 ? (const truing_u32 *)a.head + row * words : (const truing_u32 *)a.body + (row * (a.parts - 1) + part - 1) * words;
    truing_u32 *to = (truing_u32 *)a.joined + i * words;
    for (truing_u32 k = 0; k < words; k++) to[k] = from[k];
    if (words != 16) return;
#pragma unroll 1
    for (int side = 0; side < 2; side++) {
        const float m = truing_from(from[4 * side]), r = truing_from(from[4 * side + 1]);
        const bool poisoned = !(m < TRUING_INFF && r < TRUING_INFF);
        if (part == 0 && poisoned) {
            const truing_u32 apart = (TRUING_APART_A | TRUING_APART_B) << 16 * side;
            to[15] = (to[15] & (apart | 0xffff0000u >> 16 * side)) | a.head_flags[2 * row + side] << 16 * side;
        }
        if (!poisoned && m > -TRUING_INFF) to[4 * side + 3] = part == 0 ? from[4 * side + 3] - a.skip : from[4 * side + 3] + (TRUING_BLOCK - a.skip);
    }
}

// What all rows have together.

#define TRUING_PARTIAL_TILE 256
extern "C" __global__ __launch_bounds__(TRUING_PARTIAL_TILE) void truing_partial_divisor(const __grid_constant__ truing_partial_args a) {
    __shared__ double tile[TRUING_PARTIAL_TILE];
    truing_wait();
    const truing_divergence_args &d = a.d;
    const truing_u32 thread = threadIdx.x;
    const bool counts = a.normaliser == 0.0 && a.reduction != TRUING_REDUCE_SUM;
    double sum = 0.0;
#pragma unroll 1
    for (truing_i64 first = 0; counts && first < d.rows; first += TRUING_PARTIAL_TILE) {
        const truing_i64 row = first + thread;
        truing_i64 y = 0;
        const bool on = row < d.rows && truing_pair_target(d, row, y) != TRUING_IGNORED;
        tile[thread] = !on ? 0.0 : a.reduction == TRUING_REDUCE_WEIGHTED_MEAN && d.weight.data ? (double)*truing_row<const float>(d.weight, row) : 1.0;
        __syncthreads();
        if (thread == 0) {
#pragma unroll 8
            for (int k = 0; k < TRUING_PARTIAL_TILE; k++) sum += tile[k];
        }
        __syncthreads();
    }
    if (thread != 0) return;
    const double z = a.normaliser != 0.0 ? a.normaliser : !counts ? 1.0 : sum > 0.0 ? sum : 0.0;
    a.divisor[0] = z;
    if (!a.loss_gradient) return;
    const double g = a.grad_loss.data ? truing_double_at(a.grad_loss, 0) : 1.0;
    a.divisor[1] = z == 0.0 ? 0.0 : a.fused ? d.grad_scale * g / z : g / z * d.grad_scale;
}
extern "C" __global__ __launch_bounds__(TRUING_SUMMED) void truing_partial_total(const __grid_constant__ truing_partial_args a) {
    truing_wait();
    truing_sum_rows(a.d.rows, a.d.losses, a.divisor, a.status, a.out_loss, a.out_counters);
}

// Columns of a side above its column where the other side is largest. A block of threads a row, behind the kernels of its form.
#define TRUING_RANK_THREADS 256
extern "C" __global__ __launch_bounds__(TRUING_RANK_THREADS) void truing_partial_ranks(const __grid_constant__ truing_partial_args a) {
    __shared__ truing_u32 above[2];
    truing_wait();
    const truing_i64 row = blockIdx.x;
    const truing_divergence_row &s = ((const truing_divergence_row *)a.d.states)[row];
    if (threadIdx.x < 2) above[threadIdx.x] = 0;
    __syncthreads();
    // a row that is not read, or has no figures
    const bool none = s.column[0] == TRUING_NOWHERE;
#pragma unroll 1
    for (int i = 0; i < 2; i++) {
        if (none || !(i ? a.out_rank[1] : a.out_rank[0]).data) continue;
        const truing_side &side = i ? a.d.side[1] : a.d.side[0];
        const float x = truing_at(side, row, i ? s.column[0] : s.column[1]);
        truing_u32 n = 0;
#pragma unroll 1
        for (truing_u32 j = threadIdx.x; j < side.valid; j += TRUING_RANK_THREADS) n += truing_at(side, row, j) > x;
        atomicAdd(&above[i], n);
    }
    __syncthreads();
    if (threadIdx.x < 2) truing_put(threadIdx.x ? a.out_rank[1] : a.out_rank[0], row, none ? -1 : (int)above[threadIdx.x]);
}
