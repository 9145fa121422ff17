// Token distribution shift: core/src/tds_rows.rs, with its bits. Side 0 of the arguments is the aligned model, side 1 its base.
//
// 1. truing_tds_blocks: a warp reduces 2048 columns of both sides to a record of each. 2. truing_tds_rows: a few lanes merge
// the records of a row; one of them forms its constants. 3. truing_tds_sums: a warp adds up 2048 columns with them. 4.
// truing_tds_finish: a thread has a row and adds its blocks in order. Counters, where they are wanted, are cleared by 2.
#include "divergence.cuh"

struct truing_tds_args {
    truing_divergence_args d;
    truing_view out_rank, out_ties, out_eta, out_eta_max, out_logp_base, out_logp_aligned, out_kl_aligned_base, out_kl_base_aligned;
    truing_view out_class, out_status, out_counts;
    truing_words<8> *sums; // [rows, parts]: KL both ways, difference, columns above the token and equal to it
    truing_u32 divergence, reserved;
};
extern "C" __global__ __launch_bounds__(32 * TRUING_PAIRS, 6) void truing_tds_blocks(const __grid_constant__ truing_tds_args a) {
    truing_wait();
    truing_divergence_blocks<truing_none>(a.d);
}
extern "C" __global__ __launch_bounds__(128) void truing_tds_rows(const __grid_constant__ truing_tds_args a) {
    typedef truing_joint<truing_none> joint;
    truing_wait();
    const truing_divergence_args &d = a.d;
    const truing_i64 thread = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (thread < 4) truing_put(a.out_counts, thread, (truing_i64)0);
    const truing_i64 row = thread / d.lanes;
    const truing_u32 lane = (truing_u32)(thread % d.lanes);
    truing_i64 y = 0;
    const int kind = row < d.rows ? truing_pair_target(d, row, y) : TRUING_IGNORED;
    const bool active = kind != TRUING_IGNORED;
    const truing_joint_record x = truing_tree<joint>(d, (joint::words *)d.blocks + (active ? row * d.parts : 0), d.parts, d.lanes, active, lane);
    if (lane != 0 || row >= d.rows) return;
    truing_divergence_row &s = ((truing_divergence_row *)d.states)[row];
    s.live = 0;
    s.flags = TRUING_ROW_IGNORED;
    if (!active) return;
    // the host could not look: the row says so itself, and nothing is read there
    const bool outside = kind == TRUING_COLUMN && (y < 0 || y >= (truing_i64)d.total);
    if (kind != TRUING_COLUMN) y = x.side[0].k;
    s.flags = outside ? TRUING_ROW_OUT_OF_RANGE : 0;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        s.y[i] = outside ? -TRUING_INFF : truing_at(d.side[i], row, y);
        s.r[i] = x.side[i].r;
        s.flags |= truing_flags_of(x.side[i], s.y[i], !outside, false);
    }
    s.k = truing_pair_of(d, x.side[0].m, x.side[1].m, x.side[0].r, x.side[1].r);
    s.live = !outside && !truing_bad(x.side[0]) && !truing_bad(x.side[1]);
}
extern "C" __global__ __launch_bounds__(32 * TRUING_PAIRS, 6) void truing_tds_sums(const __grid_constant__ truing_tds_args a) {
    __shared__ __align__(16) unsigned char stages[TRUING_PAIRS][2][TRUING_PLACES];
    truing_wait();
    const truing_divergence_args &d = a.d;
    const truing_u32 lane = threadIdx.x & 31, warp = threadIdx.x / 32, entry = truing_exp_table[lane % 8];
    const truing_i64 tasks = d.rows * d.parts, step = (truing_i64)gridDim.x * TRUING_PAIRS;
    for (truing_i64 i = (truing_i64)blockIdx.x * TRUING_PAIRS + warp; i < tasks; i += step) {
        const truing_i64 row = i / d.parts;
        const truing_divergence_row &state = ((const truing_divergence_row *)d.states)[row];
        if (!state.live) continue;
        const truing_u32 first = (truing_u32)(i % d.parts) * TRUING_BLOCK, n = truing_among(truing_widest(d), first, TRUING_BLOCK);
        const truing_pair k = state.k;
        const float token = state.y[1];
        const truing_both z = truing_read(d, row, first, n, stages[warp]);
        float sum[3] = {0.0f, 0.0f, 0.0f};
        truing_u32 above = 0, equal = 0;
#pragma unroll 1
        for (truing_u32 at = lane; at < n; at += 32) {
            above += token < z.b[at];
            equal += z.b[at] == token;
        }
        if (a.divergence) {
#pragma unroll 1
            for (truing_u32 at = lane; at < n + lane; at += 32 * TRUING_ABREAST) {
                truing_column<float> c[TRUING_ABREAST];
                truing_abreast(k, z.a, z.b, at, entry, c);
#pragma unroll
                for (int j = 0; j < TRUING_ABREAST; j++) {
                    truing_column<float> back = c[j];
                    back.p[0] = c[j].p[1];
                    back.p[1] = c[j].p[0];
                    back.d = -c[j].d;
                    float y[3], unused;
                    truing_kl::sums(k, c[j], y, unused);
                    truing_kl::sums(k, back, y + 1, unused);
                    truing_kl::delta(k, c[j], y + 2);
#pragma unroll
                    for (int q = 0; q < 3; q++) sum[q] = sum[q] + y[q];
                }
            }
        }
        truing_words<8> w = {};
#pragma unroll
        for (int q = 0; q < 3; q++) w.x[q] = truing_bits(truing_combine(sum[q]));
        w.x[3] = __reduce_add_sync(TRUING_FULL, above);
        w.x[4] = __reduce_add_sync(TRUING_FULL, equal);
        if (lane == 0) a.sums[i] = w;
        __syncwarp(); // the stages have been read
    }
}
// A KL from its sum, less what an error of the normalisers adds.
TRUING_FN float truing_shift_of(double sum, double s) {
    const double kl = sum - truing_excess(s);
    return kl > 0.0 || kl != kl ? (float)kl : 0.0f;
}
extern "C" __global__ __launch_bounds__(128) void truing_tds_finish(const __grid_constant__ truing_tds_args a) {
    truing_wait();
    const truing_divergence_args &d = a.d;
    const truing_i64 row = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= d.rows) return;
    const truing_divergence_row &s = ((const truing_divergence_row *)d.states)[row];
    truing_u32 status = s.flags;
    // a row without figures: 0 where it does not count, else NaN
    const float none = status & TRUING_ROW_IGNORED ? 0.0f : TRUING_NANF;
    int rank = -1, ties = 0;
    float logp[2] = {none, none}, kl[2] = {none, none};
    if (s.live) {
        double forward = 0.0, reverse = 0.0, delta = 0.0;
        truing_u32 above = 0, equal = 0;
        for (truing_u32 i = 0; i < d.parts; i++) {
            const truing_words<8> w = a.sums[row * d.parts + i];
            forward += (double)truing_from(w.x[0]);
            reverse += (double)truing_from(w.x[1]);
            delta += (double)truing_from(w.x[2]);
            above += w.x[3];
            equal += w.x[4];
        }
        rank = (int)above;
        // the token itself is no tie; where it is dead in the base, nothing equals it
        ties = s.y[1] == -TRUING_INFF ? 0 : (int)equal - 1;
        kl[0] = truing_shift_of(forward, delta);
        kl[1] = truing_shift_of(reverse, -delta);
        if (kl[0] == TRUING_INFF || kl[1] == TRUING_INFF) status |= TRUING_ROW_INFINITE;
#pragma unroll
        for (int i = 0; i < 2; i++) logp[i] = (float)(((double)s.y[i] - (double)s.k.m[i]) - truing_log1p_of((double)s.r[i]));
    }
    const int kind = rank < 0 ? 255 : rank == 0 ? 0 : rank < 3 ? 1 : 2;
    truing_put(a.out_rank, row, rank);
    truing_put(a.out_ties, row, ties);
    truing_put(a.out_eta, row, rank + 1);
    truing_put(a.out_eta_max, row, rank + 1 + ties);
    truing_put(a.out_logp_base, row, logp[1]);
    truing_put(a.out_logp_aligned, row, logp[0]);
    truing_put(a.out_kl_aligned_base, row, kl[0]);
    truing_put(a.out_kl_base_aligned, row, kl[1]);
    truing_put(a.out_class, row, (unsigned char)kind);
    truing_put(a.out_status, row, status);
    if (a.out_counts.data) atomicAdd(truing_row<truing_u64>(a.out_counts, kind < 3 ? kind : 3), (truing_u64)1);
}
