// Divergences on vocabulary shards, with the bits of cpu/src/divergence/shard.rs. truing_divergence_blocks_* and
// truing_divergence_sums_* of divergence.cuh reduce the columns of a shard; what a row is then asked for is here, a step each:
//
// records: the joint record of the columns at hand, 16 numbers.    resume: the constants of the sums, from statistics.
// sums: the sums of the columns at hand, 16 numbers.               after_records, after_sums: the figures from all shards.
//
// With a term of the target there is a 17th number in either pass: the student's logit of it, -inf in the other shards.
#pragma once
#include "divergence.cuh"

enum { TRUING_RECORDS, TRUING_RESUME, TRUING_SUMS, TRUING_AFTER_RECORDS, TRUING_AFTER_SUMS };
struct truing_shard_args {
    truing_divergence_args d;
    truing_view records, starts, out_records;
    void *stack; // of the tree that joins shards: truing_words<16> [rows, depth]
    truing_u32 step, shards, depth, reserved;
};
TRUING_FN void truing_put_words(const truing_view &v, truing_i64 row, const float *x) {
    float *to = truing_row<float>(v, row);
#pragma unroll
    for (int i = 0; i < TRUING_DIVERGENCE_STATS; i++) to[i] = x[i];
}
// A target beyond the vocabulary, or a weight that is none: what the host could not look at.
TRUING_FN bool truing_beyond(const truing_divergence_args &a, truing_i64 row, int kind, truing_i64 target, truing_i64 total) {
    if (kind == TRUING_COLUMN && (target < 0 || target >= total)) return true;
    return a.weight.data && !(*truing_row<const float>(a.weight, row) >= 0.0f && *truing_row<const float>(a.weight, row) < TRUING_INFF);
}
// The statistics of a row.
struct truing_kept {
    float m[2], r[2];
    truing_u32 k[2];
    float gamma, mean[2], x[4], value;
    truing_u32 flags;
};
TRUING_FN truing_kept truing_kept_of(const float *s) {
    truing_kept y;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        y.m[i] = s[i];
        y.r[i] = s[2 + i];
        y.k[i] = truing_bits(s[4 + i]);
        y.mean[i] = s[7 + i];
        y.x[i] = s[9 + i];
        y.x[2 + i] = s[11 + i];
    }
    y.gamma = s[6];
    y.value = s[14];
    y.flags = truing_bits(s[15]);
    return y;
}
// Whether sums and gradients come from the columns.
TRUING_FN bool truing_runs(const truing_kept &s) {
    return !(s.value == TRUING_INFF || s.x[0] == -TRUING_INFF || (s.flags & (TRUING_ROW_IGNORED | TRUING_ROW_DEGENERATE)) || s.value != s.value);
}
TRUING_FN truing_pair truing_constants_of(const truing_divergence_args &a, const truing_kept &s) {
    truing_pair k = truing_pair_of(a, s.m[0], s.m[1], s.r[0], s.r[1]);
    k.gamma = s.gamma;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        k.mean[i] = s.mean[i];
        k.x[i] = s.x[i];
        k.x[2 + i] = s.x[2 + i];
    }
    return k;
}

// The record of the columns at hand.
template <class F> TRUING_FN void truing_hand_records(const truing_shard_args &a, truing_i64 row, int kind, truing_i64 target, truing_joint_record x) {
    const truing_divergence_args &d = a.d;
    const bool ignored = kind == TRUING_IGNORED;
    truing_u32 flags = ignored ? TRUING_ROW_IGNORED : 0;
    if (ignored) {
        x = truing_joint<truing_none>::empty();
        x.other[0] = x.other[1] = 0.0f;
    } else if (truing_beyond(d, row, kind, target, d.total)) {
        x = truing_joint<truing_none>::empty();
        x.side[0] = x.side[1] = truing_poison(0);
        flags = TRUING_ROW_OUT_OF_RANGE;
    } else {
        const truing_i64 columns = truing_widest(d);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            truing_u32 own = x.side[i].flags & ~(TRUING_APART_A | TRUING_APART_B);
            if (truing_poisoned(x.side[i])) {
                // finite logits that the transform takes beyond the type
                own = own == 0 ? TRUING_ROW_OVERFLOW : own;
                x.side[i] = truing_poison(0);
            } else if (x.side[i].m > -TRUING_INFF) {
                x.side[i].k += d.start;
            }
            flags |= own;
            const truing_i64 local = (truing_i64)x.side[i].k - (truing_i64)d.start;
            x.other[i] = -TRUING_INFF;
            if (x.side[i].m > -TRUING_INFF && local >= 0 && local < columns) x.other[i] = truing_at(d.side[1 - i], row, local);
        }
    }
    const float all[TRUING_DIVERGENCE_STATS] = {x.side[0].m, x.side[0].r, x.side[0].u, truing_from(x.side[0].k), x.side[1].m, x.side[1].r,
                                                x.side[1].u, truing_from(x.side[1].k), x.gamma, x.value[0], x.value[1], x.mean[0],
                                                x.mean[1], x.other[0], x.other[1], truing_from(flags)};
    truing_put_words(a.out_records, row, all);
    truing_put(d.out_status, row, flags);
}
// What stands behind the numbers of a row where there is a term of the target.
TRUING_FN void truing_hand_target(const truing_shard_args &a, truing_i64 row, int kind, truing_i64 target) {
    const truing_divergence_args &d = a.d;
    if (d.hard_weight == 0.0) return;
    const truing_i64 at = target - (truing_i64)d.start;
    const bool here = kind == TRUING_COLUMN && at >= 0;
    truing_row<float>(a.out_records, row)[TRUING_DIVERGENCE_STATS] = here ? truing_at(d.side[d.student], row, at) : -TRUING_INFF;
}
// The student's logit of the target, of the shard that has the column.
TRUING_FN float truing_target_of(const truing_shard_args &a, truing_i64 row) {
    float y = -TRUING_INFF;
    if (a.d.hard_weight == 0.0) return y;
#pragma unroll 1
    for (truing_u32 k = 0; k < a.shards; k++) {
        const float x = truing_row<const float>(a.records, (truing_i64)k * a.d.rows + row)[TRUING_DIVERGENCE_STATS];
        if (x > y) y = x;
    }
    return y;
}
// The constants of the sums of the columns at hand.
template <class F> TRUING_FN void truing_resume(const truing_divergence_args &d, truing_i64 row, int kind) {
    truing_divergence_row &state = ((truing_divergence_row *)d.states)[row];
    state.live = 0;
    if (kind == TRUING_IGNORED) return;
    const truing_kept s = truing_kept_of(truing_row<const float>(d.stats, row));
    if (!truing_runs(s) || (F::CHAIN && !F::LATE)) return;
    truing_pair k = truing_constants_of(d, s);
    if (truing_is_cosine(F())) truing_anchor<F>(k, -TRUING_INFF, -TRUING_INFF, -TRUING_INFF, -TRUING_INFF);
    else truing_anchor<F>(k, k.m[0], k.x[2], k.x[3], k.m[1]);
    state.k = k;
    state.live = 1;
}
template <class F> TRUING_FN bool truing_is_cosine_logits(F) { return false; }
TRUING_FN bool truing_is_cosine_logits(truing_cosine_logits) { return true; }
template <class F> TRUING_FN void truing_hand_sums(const truing_shard_args &a, truing_i64 row, int kind, const truing_added &sums) {
    const truing_divergence_args &d = a.d;
    if (kind == TRUING_IGNORED) {
        truing_hand_records<F>(a, row, kind, 0, truing_joint<truing_none>::empty());
        return;
    }
    const truing_kept s = truing_kept_of(truing_row<const float>(d.stats, row));
    const bool own = !F::CHAIN || F::LATE, nan = s.value != s.value;
    float y[5] = {s.value, s.x[0], own ? sums.moments[0] : s.mean[0], own ? sums.moments[1] : s.mean[1], 0.0f};
    if (!F::CHAIN) {
        y[0] = sums.value[0];
        y[1] = sums.delta;
    }
    if (truing_is_cosine_logits(F())) {
#pragma unroll
        for (int i = 0; i < 5; i++) y[i] = sums.value[i];
    }
    const float all[TRUING_DIVERGENCE_STATS] = {nan ? TRUING_NANF : s.m[0], s.r[0], truing_from(s.k[0]), nan ? TRUING_NANF : s.m[1], s.r[1],
                                                truing_from(s.k[1]), s.gamma, s.x[2], s.x[3], y[0], y[1], y[2], y[3], y[4], 0.0f,
                                                truing_from(s.flags)};
    truing_put_words(a.out_records, row, all);
    truing_put(d.out_status, row, s.flags);
}

// What all shards contribute to a row, joined as core's record::Join does it: `read` gives the record of a shard.
struct truing_cut {
    truing_i64 vocab;
    bool nodes, wrong; // every shard is a node of the tree of the whole row; the starts are none
};
TRUING_FN truing_cut truing_cut_of(const truing_shard_args &a) {
    truing_cut c;
    c.nodes = true;
    c.wrong = truing_int_at(a.starts, 0) != 0;
    c.vocab = truing_int_at(a.starts, a.shards);
#pragma unroll 1
    for (truing_u32 k = 0; k < a.shards; k++) {
        const truing_i64 start = truing_int_at(a.starts, k), end = truing_int_at(a.starts, k + 1);
        truing_i64 run = TRUING_BLOCK;
        c.wrong |= start < 0 || end < start || end > 0x7fffffff;
        while (!c.wrong && run < end - start) run *= 2;
        c.nodes = c.nodes && start % run == 0 && (k + 1 == a.shards || end - start == run);
    }
    return c;
}
struct truing_joint_part {
    template <class J> TRUING_FN truing_joint_record read(J, const float *s) {
        typename J::words w;
#pragma unroll
        for (int i = 0; i < 16; i++) w.x[i] = truing_bits(s[i]);
        w.x[15] |= w.x[15] << 16;
        return J::load(w);
    }
};
struct truing_added_part {
    template <class F> TRUING_FN truing_added read(F, const float *s) {
        truing_added x = truing_added::empty();
        if (truing_is_cosine_logits(F())) {
#pragma unroll
            for (int i = 0; i < 5; i++) x.value[i] = s[9 + i];
            return x;
        }
        if (!F::CHAIN) {
            x.value[0] = s[9];
            x.delta = s[10];
        }
        x.moments[0] = s[11];
        x.moments[1] = s[12];
        return x;
    }
};
// N: how records merge; P: how they are read.
template <class N, class P, class T> TRUING_FN typename N::record truing_join_of(const truing_shard_args &a, const truing_cut &cut, truing_i64 row, T t) {
    typename N::words *stack = (typename N::words *)((truing_words<16> *)a.stack + row * a.depth);
    truing_u32 depth = 0, count = 0;
#pragma unroll 1
    for (truing_u32 k = 0; k < a.shards; k++) {
        typename N::record x = P::read(t, truing_row<const float>(a.records, (truing_i64)k * a.d.rows + row));
        truing_u32 level = 0; // of a run of 2^level blocks
        const truing_i64 columns = truing_int_at(a.starts, k + 1) - truing_int_at(a.starts, k);
        if (cut.nodes)
            while (((truing_i64)TRUING_BLOCK << level) < columns) level++;
#pragma unroll 1
        for (truing_u32 n = count >> level; n & 1; n >>= 1) x = N::merge(a.d, N::load(stack[--depth]), x);
        if (depth < a.depth) stack[depth++] = N::store(x);
        count += 1u << level;
    }
    typename N::record x = N::empty();
    if (depth > 0) x = N::load(stack[--depth]);
#pragma unroll 1
    while (depth > 0) x = N::merge(a.d, N::load(stack[--depth]), x);
    return x;
}
// Writes the figures of a row whose statistics and value are known; y: the student's logit of the target.
TRUING_FN void truing_hand_row(const truing_divergence_args &d, truing_i64 row, truing_kept &s, double found, float y, const float *entropy) {
    // the columns are elsewhere, so that both reasons of an infinite value are one
    if (s.value == TRUING_INFF) s.flags |= TRUING_ROW_INFINITE;
    const truing_factors f = truing_factors_of(d, row);
    double value = 0.0, logprob = 0.0;
    if (f.soft != 0.0) value += f.soft * found;
    if (d.hard_weight != 0.0) {
        const double m = d.student ? s.m[1] : s.m[0], r = d.student ? s.r[1] : s.r[0];
        logprob = ((double)y - m) - truing_log1p_of(r);
        const double hard = f.weight * truing_hard(d, logprob);
        if (hard != 0.0) value -= hard * logprob;
    }
    truing_put(d.out_values, row, (float)value);
#pragma unroll
    for (int i = 0; i < 2; i++) truing_put(d.out_entropy[i], row, entropy[i]);
    truing_put(d.out_status, row, s.flags);
    if (d.losses) d.losses[row] = value;
    if (!d.out_stats.data) return;
    const float all[TRUING_DIVERGENCE_STATS] = {s.m[0], s.m[1], s.r[0], s.r[1], truing_from(s.k[0]), truing_from(s.k[1]), s.gamma, s.mean[0],
                                                s.mean[1], s.x[0], s.x[1], s.x[2], s.x[3], (float)logprob, s.value, truing_from(s.flags)};
    truing_put_words(d.out_stats, row, all);
}
template <class F> TRUING_FN void truing_after_records(const truing_shard_args &a, truing_i64 row, const truing_joint_record &x) {
    const truing_divergence_args &d = a.d;
    const float y = truing_target_of(a, row);
    truing_u32 flags = 0;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        truing_u32 own = x.side[i].flags & ~(TRUING_APART_A | TRUING_APART_B);
        const bool wanted = d.hard_weight != 0.0 && i == (int)d.student;
        // where one has a NaN or a +inf, an overflow of another is none of the row's
        if (!truing_poisoned(x.side[i])) own = truing_flags_of(x.side[i], wanted ? y : -TRUING_INFF, wanted, false);
        else if (own & (TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT)) own &= ~TRUING_ROW_OVERFLOW;
        flags |= own;
    }
    if (truing_bad(x.side[0]) || truing_bad(x.side[1])) {
        truing_without(d, row, TRUING_NANF, flags);
        return;
    }
    const truing_pair k = truing_pair_of(d, x.side[0].m, x.side[1].m, x.side[0].r, x.side[1].r);
    truing_outcome o = {};
    if (F::CHAIN) o = truing_outcome_of(F(), d, (double)x.value[0], (double)x.value[1]);
    truing_kept s;
    float entropy[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        s.m[i] = k.m[i];
        s.r[i] = x.side[i].r;
        s.k[i] = x.side[i].k;
        s.mean[i] = x.mean[i];
        s.x[i] = (float)o.x[i];
        s.x[2 + i] = x.other[i];
        const double r = x.side[i].r;
        entropy[i] = (float)(truing_log1p_of(r) - (double)x.side[i].u / (1.0 + r));
    }
    s.gamma = F::CHAIN || F::EXACT ? x.gamma : k.gamma;
    s.value = (float)o.value;
    s.flags = flags;
    truing_hand_row(d, row, s, o.value, y, entropy);
}
template <class F> TRUING_FN void truing_after_sums(const truing_shard_args &a, truing_i64 row, const truing_added &sums) {
    const truing_divergence_args &d = a.d;
    // what every shard hands on
    const float *own = truing_row<const float>(a.records, row);
    truing_kept s = {};
    s.m[0] = own[0];
    s.r[0] = own[1];
    s.k[0] = truing_bits(own[2]);
    s.m[1] = own[3];
    s.r[1] = own[4];
    s.k[1] = truing_bits(own[5]);
    s.gamma = own[6];
    s.x[2] = own[7];
    s.x[3] = own[8];
    s.flags = truing_bits(own[15]);
    if (!(truing_abs(s.m[0]) < TRUING_INFF && truing_abs(s.m[1]) < TRUING_INFF)) {
        truing_without(d, row, TRUING_NANF, s.flags);
        return;
    }
    double value;
    if (F::CHAIN) {
        s.value = own[9];
        s.x[0] = own[10];
        s.mean[0] = F::LATE ? sums.moments[0] : own[11];
        s.mean[1] = F::LATE ? sums.moments[1] : own[12];
        value = (double)s.value;
    } else {
        truing_pair k = truing_constants_of(d, s);
        const truing_outcome o = truing_value_of(F(), d, k, sums);
        if (truing_refines(F())) s.gamma = (float)((double)k.gamma + truing_refine((double)sums.delta));
        value = o.value;
        s.value = (float)value;
        s.x[0] = (float)o.x[0];
        s.x[1] = (float)o.x[1];
        if (truing_is_cosine_logits(F())) {
            s.x[2] = (float)o.x[2];
            s.x[3] = (float)o.x[3];
        }
        if (o.degenerate) s.flags |= TRUING_ROW_DEGENERATE;
        s.mean[0] = sums.moments[0];
        s.mean[1] = sums.moments[1];
    }
    const float none[2] = {0.0f, 0.0f};
    truing_hand_row(d, row, s, value, truing_target_of(a, row), none);
}
template <class F> TRUING_FN void truing_shard(const truing_shard_args &a) {
    typedef truing_joint<typename truing_first<F>::type> joint;
    // shards hand on what belongs to the largest columns whatever the form
    typedef truing_joint<typename truing_first_of<F, F::CHAIN ? 2 : 1>::type> joined;
    const truing_divergence_args &d = a.d;
    const truing_i64 thread = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    const truing_i64 row = thread / d.lanes;
    const truing_u32 lane = (truing_u32)(thread % d.lanes);
    truing_i64 target = 0;
    const int kind = row < d.rows ? truing_pair_target(d, row, target) : TRUING_IGNORED;
    if (a.step == TRUING_RECORDS) {
        const bool active = kind != TRUING_IGNORED;
        truing_joint_record x = joint::empty();
        if (d.parts != 0) x = truing_tree<joint>(d, (typename joint::words *)d.blocks + (active ? row * d.parts : 0), d.parts, d.lanes, active, lane);
        if (lane == 0 && row < d.rows) {
            truing_hand_records<F>(a, row, kind, target, x);
            truing_hand_target(a, row, kind, target);
        }
        return;
    }
    if (a.step == TRUING_SUMS) {
        const bool active = kind != TRUING_IGNORED && ((truing_divergence_row *)d.states)[row].live;
        truing_added x = truing_added::empty();
        if (d.parts != 0) x = truing_tree<truing_added>(d, (truing_added::words *)d.blocks + (active ? row * d.parts : 0), d.parts, d.lanes, active, lane);
        if (lane == 0 && row < d.rows) {
            truing_hand_sums<F>(a, row, kind, x);
            truing_hand_target(a, row, kind, target);
        }
        return;
    }
    // a thread a row
    if (row >= d.rows) return;
    if (a.step == TRUING_RESUME) {
        truing_resume<F>(d, row, kind);
        return;
    }
    if (kind == TRUING_IGNORED) {
        truing_without(d, row, 0.0f, TRUING_ROW_IGNORED);
        return;
    }
    const truing_cut cut = truing_cut_of(a);
    if (cut.wrong || truing_beyond(d, row, kind, target, cut.vocab)) truing_without(d, row, TRUING_NANF, TRUING_ROW_OUT_OF_RANGE);
    else if (a.step == TRUING_AFTER_RECORDS) truing_after_records<F>(a, row, truing_join_of<joined, truing_joint_part>(a, cut, row, joined()));
    else truing_after_sums<F>(a, row, truing_join_of<truing_added, truing_added_part>(a, cut, row, F()));
}
#define TRUING_SHARD(name)                                                                                                             \
    extern "C" __global__ __launch_bounds__(128, 1) void truing_shard_##name(const __grid_constant__ truing_shard_args a) {             \
        truing_wait();                                                                                                                 \
        truing_shard<truing_##name>(a);                                                                                                \
    }
