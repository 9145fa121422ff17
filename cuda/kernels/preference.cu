// Preference losses of pairs, rows and lists: core/src/preference.rs, with its bits. For each term
//
// 1. truing_preference_items: a thread has an item, its value, partials and status; truing_preference_lists: a list.
// 2. truing_preference_reduce: one block adds up, eight f64 chains over the items in order, joined by a fixed tree.
// 3. truing_preference_scatter, for pairs by index and lists: a warp has a sequence, looks for it in every pair or among the
//    members and adds the partials of its items in their order.
//
// and for them behind the last term, where a status is wanted, 4. truing_preference_mark and 5. truing_preference_finish.
//
// On devices with clusters 2 is truing_preference_sums: each sum by a block of its own, the counts by another. Where sequences
// belong to one item each, 3 to 5 are truing_preference_settle: a thread has an item. Behind the first term's sums, where its
// learned parameter has a place, truing_preference_learned: one block adds up its partials, one chain over the items.
#include "lists.cuh"

enum { TRUING_INDEXED, TRUING_INTERLEAVED, TRUING_STACKED, TRUING_THREES, TRUING_THIRDS, TRUING_ROWS, TRUING_LISTS };
enum { TRUING_IDENTITY, TRUING_JS, TRUING_ALPHA };
enum { TRUING_SUM_OF, TRUING_MEAN_OF, TRUING_WEIGHTED_MEAN_OF };
// What leaves an item in the sum when flagged ones are skipped; what explains results that are not finite.
#define TRUING_KEPT (TRUING_ROW_IGNORED | TRUING_ROW_SATURATED)
#define TRUING_EXPLAINED (TRUING_ROW_NAN_INPUT | TRUING_ROW_INF_INPUT | TRUING_ROW_INFINITE | TRUING_ROW_OUT_OF_RANGE)

// A place of a vector that may also be one number has strides of 0 then.
struct truing_preference_args {
    truing_view scores, ref_scores, lengths, kl, sequence_status, chosen, rejected, anchor;
    truing_view list_offsets, member_seq, list_targets;
    truing_view item_mask, item_weight, item_beta, margin_chosen, margin_rejected, label, baseline, shift, grad_output;
    truing_view out_loss, out_losses, out_reward_chosen, out_reward_rejected, out_aux, out_statistics, out_status, out_counters;
    truing_view grad_scores, grad_kl, grad_margin, grad_margin_chosen, grad_margin_rejected, grad_params;
    // scratch: [items] each, of lists a (partials), b (scores) and reward_a [members]; the last two of the second line and the
    // first of the third [sequences] (a sequence's gradients and its mark)
    double *value, *a, *b, *kl_a, *kl_b, *second, *third, *reward_a, *reward_b;
    double *second_sum, *score_sum, *kl_sum;
    truing_u32 *mark, *now, *status;
    double *totals; // scale, loss, bits seen, empty
    truing_i64 sequences, items, members;
    truing_u64 reads, partials; // slots of the term's entry
    double p[16];     // its constants
    double own, objective, margins[2], beta_low, beta_high, alpha, max_exponent;
    double weight, normaliser, grad_scale;
    truing_u32 id, unpaired, form, map, reduction, unreduced, anchors; // anchors: some term reads them
    truing_u32 divides, weighs, betas, beta_low_open, beta_high_open, reads_beta, is_objective, below_zero, unit_baseline, skip;
    truing_u32 first, last;
    truing_u32 by_margin, learns, learned, parameters, ranked, accumulate; // learned: which parameter; ranked: targets descend
};

// Chosen, rejected and third sequence of an item; -1: none.
struct truing_members {
    truing_i64 s[3];
};
TRUING_FN truing_members truing_members_of(const truing_preference_args &a, truing_i64 i) {
    truing_members m;
    m.s[0] = m.s[1] = m.s[2] = -1;
    switch (a.form) {
    case TRUING_INDEXED:
        m.s[0] = truing_int_at(a.chosen, i);
        m.s[1] = truing_int_at(a.rejected, i);
        if (a.anchor.data) m.s[2] = truing_int_at(a.anchor, i);
        break;
    case TRUING_INTERLEAVED: m.s[0] = 2 * i; m.s[1] = 2 * i + 1; break;
    case TRUING_STACKED: m.s[0] = i; m.s[1] = i + a.items; break;
    case TRUING_THREES: m.s[0] = 3 * i; m.s[1] = 3 * i + 1; m.s[2] = 3 * i + 2; break;
    case TRUING_THIRDS: m.s[0] = i; m.s[1] = i + a.items; m.s[2] = i + 2 * a.items; break;
    default: m.s[0] = i; break;
    }
    return m;
}
TRUING_FN bool truing_inside(const truing_preference_args &a, truing_i64 s) { return s >= 0 && s < a.sequences; }
TRUING_FN double truing_each(const truing_view &v, truing_i64 i, double absent) { return v.data ? truing_double_at(v, i) : absent; }
TRUING_FN bool truing_reads(const truing_preference_args &a, truing_u64 slot) { return (a.reads & slot) != 0; }
TRUING_FN double truing_length(const truing_preference_args &a, truing_i64 s) {
    return a.lengths.data ? (double)truing_int_at(a.lengths, s) : 0.0;
}
TRUING_FN double truing_reference(const truing_preference_args &a, truing_i64 s) {
    return truing_reads(a, TRUING_SLOT_REF) ? truing_each(a.ref_scores, s, 0.0) : 0.0;
}
// What the entry sees of a sequence.
TRUING_FN double truing_score(const truing_preference_args &a, truing_i64 s) {
    const double v = truing_double_at(a.scores, s) - truing_reference(a, s);
    if (!a.divides) return v;
    const double n = truing_length(a, s);
    return n > 0.0 ? v / n : 0.0;
}
TRUING_FN void truing_result(const truing_view &v, truing_i64 i, double x, truing_u32 &status) {
    if (!v.data) return;
    if (!truing_finite(x) && !(status & TRUING_EXPLAINED)) status |= TRUING_ROW_OVERFLOW;
    status |= truing_overflow(x, v);
    truing_put_real(v, i, x);
}

struct truing_item {
    double value, a, b, kl_a, kl_b, second, third;
};
TRUING_FN truing_item truing_pair_item(const truing_preference_args &a, truing_i64 i, const truing_members &m) {
    truing_pair_in x = {};
    double p[16];
    for (int k = 0; k < 16; k++) p[k] = a.p[k];
    if (a.betas) p[0] = truing_double_at(a.item_beta, i);
    x.chosen_logp = truing_score(a, m.s[0]);
    x.rejected_logp = truing_score(a, m.s[1]);
    if (truing_reads(a, TRUING_SLOT_LENGTH)) {
        x.chosen_len = truing_length(a, m.s[0]);
        x.rejected_len = truing_length(a, m.s[1]);
    }
    if (truing_reads(a, TRUING_SLOT_KL)) {
        x.chosen_kl = truing_each(a.kl, m.s[0], 0.0);
        x.rejected_kl = truing_each(a.kl, m.s[1], 0.0);
    }
    if (truing_reads(a, TRUING_SLOT_MARGIN)) {
        x.chosen_margin = truing_each(a.margin_chosen, i, a.margins[0]);
        x.rejected_margin = truing_each(a.margin_rejected, i, a.margins[1]);
    }
    if (truing_reads(a, TRUING_SLOT_ANCHOR)) x.anchor_logp = truing_score(a, m.s[2]);
    if (truing_reads(a, TRUING_SLOT_SHIFT)) x.shift = truing_each(a.shift, i, 0.0);
    double d = 0.0, chosen = 1.0, rejected = 1.0;
    if (a.map != TRUING_IDENTITY) {
        const double c = x.chosen_len > 0.0 ? 1.0 / x.chosen_len : 0.0, r = x.rejected_len > 0.0 ? 1.0 / x.rejected_len : 0.0;
        const bool shares = truing_reads(a, TRUING_SLOT_LENGTH);
        if (a.map == TRUING_JS && shares) truing_map_js_by_length(x.chosen_logp, x.rejected_logp, c, r, &d, &chosen, &rejected);
        else if (a.map == TRUING_JS) truing_map_js(x.chosen_logp, x.rejected_logp, &d, &chosen, &rejected);
        else if (shares) truing_map_alpha_by_length(a.alpha, a.max_exponent, x.chosen_logp, x.rejected_logp, c, r, &d, &chosen, &rejected);
        else truing_map_alpha(a.alpha, a.max_exponent, x.chosen_logp, x.rejected_logp, &d, &chosen, &rejected);
        x.chosen_logp = d;
        x.rejected_logp = 0.0;
        x.chosen_len = x.rejected_len = 1.0;
    }
    const truing_pair_out y = truing_pair_entry(a.id, x, p);
    truing_item out;
    out.value = y.value;
    out.a = y.grad_chosen_logp;
    out.b = y.grad_rejected_logp;
    out.kl_a = y.grad_chosen_kl;
    out.kl_b = y.grad_rejected_kl;
    out.second = y.grad_chosen_margin;
    out.third = y.grad_anchor_logp;
    if (a.map != TRUING_IDENTITY) {
        out.a = chosen == 0.0 ? chosen : truing_times(out.a, chosen);
        out.b = rejected == 0.0 ? rejected : truing_times(out.b, rejected);
    }
    return out;
}
TRUING_FN truing_item truing_row_item(const truing_preference_args &a, truing_i64 i) {
    truing_unpaired_in x = {};
    double p[16];
    for (int k = 0; k < 16; k++) p[k] = a.p[k];
    if (a.betas) p[0] = truing_double_at(a.item_beta, i);
    x.logp = truing_score(a, i);
    if (a.label.data) x.label = truing_int_at(a.label, i) > 0 ? 1.0 : -1.0;
    x.weight = truing_each(a.item_weight, i, 1.0);
    x.baseline = truing_each(a.baseline, i, 0.0);
    x.shift = truing_each(a.shift, i, 0.0);
    const truing_unpaired_out y = truing_unpaired_entry(a.id, x, p);
    truing_item out = {};
    out.value = y.value;
    out.a = y.grad_logp;
    out.second = y.grad_baseline;
    return out;
}
TRUING_FN double truing_reward(const truing_preference_args &a, truing_i64 s, double beta) {
    return beta * (truing_score(a, s) + (truing_reads(a, TRUING_SLOT_KL) ? truing_each(a.kl, s, 0.0) : 0.0));
}
// What the host could not look at: a weight or a beta outside its range.
TRUING_FN bool truing_wrong(const truing_preference_args &a, truing_i64 i, double weight) {
    bool wrong = !(weight >= 0.0 && weight < TRUING_INF);
    if (a.betas) {
        const double x = truing_double_at(a.item_beta, i);
        wrong |= !(a.beta_low_open ? a.beta_low < x : a.beta_low <= x) || !(a.beta_high_open ? x < a.beta_high : x <= a.beta_high);
    }
    return wrong;
}
// What the inputs of an item are.
struct truing_seen {
    bool nan, infinite, undefined;
    truing_u32 now;
};
TRUING_FN void truing_look(const truing_preference_args &a, truing_i64 s, double x, truing_seen &seen) {
    const double all[3] = {truing_double_at(a.scores, s), truing_reference(a, s), truing_reads(a, TRUING_SLOT_KL) ? truing_each(a.kl, s, 0.0) : 0.0};
    for (int q = 0; q < 3; q++) {
        seen.nan |= all[q] != all[q];
        seen.infinite |= truing_abs(all[q]) == TRUING_INF;
    }
    seen.undefined |= x != x;
    if (a.below_zero && x >= 0.0) seen.now |= TRUING_ROW_SATURATED;
    if (a.lengths.data && truing_int_at(a.lengths, s) == 0) seen.now |= TRUING_ROW_EMPTY;
    if (a.sequence_status.data) seen.now |= *truing_row<const truing_u32>(a.sequence_status, s) & ~TRUING_ROW_IGNORED;
}
// `broken`: a result is NaN; `beyond`: one is infinite.
TRUING_FN truing_u32 truing_verdict(const truing_seen &seen, bool broken, bool beyond) {
    return seen.nan ? TRUING_ROW_NAN_INPUT
           : seen.undefined || broken ? TRUING_ROW_INF_INPUT
           : seen.infinite ? TRUING_ROW_INFINITE
           : beyond ? TRUING_ROW_OVERFLOW : 0;
}
TRUING_FN void truing_item_of(const truing_preference_args &a, truing_i64 i) {
    const bool live = truing_set(a.item_mask, i);
    const double given = live ? truing_each(a.item_weight, i, 1.0) : 0.0;
    const bool on = live && (a.weighs || given != 0.0);
    truing_item y = {};
    truing_u32 now = live ? 0 : TRUING_ROW_IGNORED;
    double reward_a = 0.0, reward_b = 0.0;
    if (on) {
        const truing_members m = truing_members_of(a, i);
        const int parts = a.unpaired ? 1 : truing_reads(a, TRUING_SLOT_ANCHOR) ? 3 : 2;
        bool wrong = truing_wrong(a, i, given), unmarked = false;
        if (a.unit_baseline) {
            const double x = truing_double_at(a.baseline, i);
            wrong |= x < 0.0 || x > 1.0;
        }
        for (int k = 0; k < parts; k++) wrong |= !truing_inside(a, m.s[k]) || (a.lengths.data && truing_int_at(a.lengths, m.s[k]) < 0);
        if (!wrong) {
            y = a.unpaired ? truing_row_item(a, i) : truing_pair_item(a, i, m);
            truing_seen seen = {};
            for (int k = 0; k < parts; k++) truing_look(a, m.s[k], truing_score(a, m.s[k]), seen);
            if (truing_reads(a, TRUING_SLOT_MARGIN)) {
                const double c = truing_each(a.margin_chosen, i, 0.0), r = truing_each(a.margin_rejected, i, 0.0);
                unmarked = c != c || r != r;
                seen.infinite |= truing_abs(c) == TRUING_INF || truing_abs(r) == TRUING_INF;
            }
            if (truing_reads(a, TRUING_SLOT_SHIFT)) {
                const double x = truing_each(a.shift, i, 0.0);
                seen.nan |= x != x;
            }
            if (truing_reads(a, TRUING_SLOT_BASELINE)) {
                const double x = truing_each(a.baseline, i, 0.0);
                seen.nan |= x != x;
            }
            const double all[7] = {y.value, y.a, y.b, y.kl_a, y.kl_b, y.second, y.third};
            bool broken = false, beyond = false;
            for (int q = 0; q < 7; q++) {
                broken |= all[q] != all[q];
                beyond |= truing_abs(all[q]) == TRUING_INF;
            }
            // a margin that the entry selects away may be NaN
            seen.nan |= unmarked && broken;
            if (broken) y.value = y.a = y.b = y.kl_a = y.kl_b = y.second = y.third = TRUING_NAN;
            now |= seen.now | truing_verdict(seen, broken, beyond);
            if (a.first) {
                const double beta = a.reads_beta ? truing_each(a.item_beta, i, a.own) : a.own;
                reward_a = truing_reward(a, m.s[0], beta);
                if (!a.unpaired) reward_b = truing_reward(a, m.s[1], beta);
                if (a.is_objective) {
                    reward_a = (reward_a - truing_each(a.margin_chosen, i, 0.0)) / a.objective;
                    reward_b = (reward_b - truing_each(a.margin_rejected, i, 0.0)) / a.objective;
                }
            }
        } else {
            now |= TRUING_ROW_OUT_OF_RANGE;
            y.value = y.a = y.b = y.kl_a = y.kl_b = y.second = y.third = reward_a = reward_b = TRUING_NAN;
        }
    }
    a.value[i] = y.value;
    a.a[i] = y.a;
    a.b[i] = y.b;
    a.kl_a[i] = y.kl_a;
    a.kl_b[i] = y.kl_b;
    a.second[i] = y.second;
    a.third[i] = y.third;
    a.now[i] = now;
    truing_u32 status = a.first ? now : a.status[i] | now;
    if (a.first) {
        a.reward_a[i] = reward_a;
        a.reward_b[i] = reward_b;
        truing_result(a.out_losses, i, y.value, status);
        truing_result(a.out_aux, i, -y.a / a.own, status);
        truing_result(a.out_reward_chosen, i, reward_a, status);
        truing_result(a.out_reward_rejected, i, reward_b, status);
    }
    a.status[i] = status;
}
extern "C" __global__ __launch_bounds__(128) void truing_preference_items(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.items) truing_item_of(a, i);
}

// Sequence of member m of the lists, and the list that it is in: the last of those that begin at it or before. Offsets that the
// host could not look at end the search anywhere; `in` is false then.
TRUING_FN truing_i64 truing_member(const truing_preference_args &a, truing_i64 m) {
    return a.member_seq.data ? truing_int_at(a.member_seq, m) : m;
}
TRUING_FN truing_range truing_list_at(const truing_preference_args &a, truing_i64 i) {
    return truing_tokens(a.list_offsets, 0, a.members, a.items, i);
}
TRUING_FN truing_i64 truing_list_with(const truing_preference_args &a, truing_i64 m, bool &in) {
    truing_i64 low = 0, high = a.items;
    while (high - low > 1) {
        const truing_i64 middle = low + (high - low) / 2;
        if (truing_int_at(a.list_offsets, middle) <= m) low = middle;
        else high = middle;
    }
    const truing_range r = truing_list_at(a, low);
    in = !r.wrong && m >= r.start && m - r.start < r.n;
    return low;
}
TRUING_FN void truing_list_of(const truing_preference_args &a, truing_i64 i) {
    const truing_range range = truing_list_at(a, i);
    const bool live = truing_set(a.item_mask, i);
    const double given = live ? truing_each(a.item_weight, i, 1.0) : 0.0;
    const bool on = live && (a.weighs || given != 0.0);
    double value = 0.0, beta = a.own;
    truing_u32 now = live ? 0 : TRUING_ROW_IGNORED;
    bool wrong = range.wrong;
    if (on && !wrong) {
        wrong = truing_wrong(a, i, given);
        for (truing_i64 m = range.start; m < range.start + range.n; m++) {
            const truing_i64 s = truing_member(a, m);
            wrong |= !truing_inside(a, s) || (a.lengths.data && truing_int_at(a.lengths, s) < 0);
            if (a.ranked && m > range.start) wrong |= truing_double_at(a.list_targets, m) > truing_double_at(a.list_targets, m - 1);
        }
        if (!wrong) {
            truing_seen seen = {};
            bool broken = false, beyond = false;
            for (truing_i64 m = range.start; m < range.start + range.n; m++) {
                const truing_i64 s = truing_member(a, m);
                a.b[m] = truing_score(a, s);
                truing_look(a, s, a.b[m], seen);
            }
            if (range.n > 0) {
                truing_list l;
                l.x = a.b + range.start;
                l.grad = a.a + range.start;
                l.n = range.n;
                l.from = range.start;
                l.lengths = &a.lengths;
                l.targets = &a.list_targets;
                l.sequences = &a.member_seq;
                double p[16];
                for (int k = 0; k < 16; k++) p[k] = a.p[k];
                if (a.betas) p[0] = truing_double_at(a.item_beta, i);
                value = truing_list_entry(a.id, l, p);
            } else {
                now |= TRUING_ROW_EMPTY;
            }
            broken = value != value;
            beyond = truing_abs(value) == TRUING_INF;
            for (truing_i64 m = range.start; m < range.start + range.n; m++) {
                broken |= a.a[m] != a.a[m];
                beyond |= truing_abs(a.a[m]) == TRUING_INF;
            }
            if (broken) {
                value = TRUING_NAN;
                for (truing_i64 m = range.start; m < range.start + range.n; m++) a.a[m] = TRUING_NAN;
            }
            now |= seen.now | truing_verdict(seen, broken, beyond);
            if (a.reads_beta) beta = truing_each(a.item_beta, i, a.own);
        }
    }
    wrong &= live;
    if (wrong) {
        now |= TRUING_ROW_OUT_OF_RANGE;
        value = TRUING_NAN;
    }
    a.value[i] = value;
    a.now[i] = now;
    truing_u32 status = a.first ? now : a.status[i] | now;
    if (a.first) truing_result(a.out_losses, i, value, status);
    for (truing_i64 m = range.start; m < range.start + range.n; m++) {
        if (!on || wrong) a.a[m] = wrong ? TRUING_NAN : 0.0;
        if (!a.first) continue;
        const double reward = wrong ? TRUING_NAN : on ? truing_reward(a, truing_member(a, m), beta) : 0.0;
        a.reward_a[m] = reward;
        truing_result(a.out_reward_chosen, m, reward, status);
    }
    a.status[i] = status;
}
extern "C" __global__ __launch_bounds__(128) void truing_preference_lists(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.items) truing_list_of(a, i);
}

// In the sum, and a source of gradients.
TRUING_FN bool truing_counts(const truing_preference_args &a, truing_u32 now) {
    return !(now & TRUING_ROW_IGNORED) && !(a.skip && (now & ~TRUING_KEPT));
}
TRUING_FN double truing_weight(const truing_preference_args &a, truing_i64 i) {
    return a.weighs ? 1.0 : truing_each(a.item_weight, i, 1.0);
}
enum { TRUING_OF_LOSS, TRUING_OF_WEIGHT, TRUING_OF_CHOSEN, TRUING_OF_REJECTED, TRUING_SUMS };
// What a member of a list adds to the sum of rewards, whose chains run over members.
TRUING_FN double truing_member_reward(const truing_preference_args &a, truing_i64 m) {
    if (m >= a.members) return 0.0;
    bool in;
    const truing_i64 i = truing_list_with(a, m, in);
    return !truing_counts(a, a.now[i]) ? 0.0 : in ? a.reward_a[m] : TRUING_NAN;
}
// Counts each bit.
TRUING_FN void truing_tick(const truing_preference_args &a, truing_u32 bits) {
    for (; bits != 0; bits &= bits - 1) atomicAdd(truing_row<truing_u64>(a.out_counters, __ffs((int)bits) - 1), (truing_u64)1);
}
// What the items come to.
struct truing_totals {
    double scale, loss, divisor;
    truing_u32 seen;
    bool empty;
};
// Eight chains.
TRUING_FN double truing_joined(const double *s) { return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])); }
// Of the terms before.
TRUING_FN truing_totals truing_totals_before(const truing_preference_args &a) {
    truing_totals t;
    t.scale = t.loss = t.divisor = 0.0;
    t.seen = 0;
    t.empty = false;
    if (!a.first) {
        t.loss = a.totals[1];
        t.seen = (truing_u32)a.totals[2];
        t.empty = a.totals[3] != 0.0;
    }
    return t;
}
TRUING_FN truing_totals truing_totals_of(const truing_preference_args &a, const double *sums, truing_u32 live, truing_u32 seen, truing_totals t) {
    double divisor = a.reduction == TRUING_MEAN_OF ? (double)live : a.reduction == TRUING_WEIGHTED_MEAN_OF ? sums[TRUING_OF_WEIGHT] : 1.0;
    if (a.normaliser != 0.0) divisor = a.normaliser;
    const bool nothing = live == 0 || divisor == 0.0;
    t.divisor = divisor;
    t.scale = nothing ? 0.0 : a.weight / divisor;
    t.empty |= nothing;
    t.seen |= seen;
    if (t.scale != 0.0) t.loss += a.weight * (sums[TRUING_OF_LOSS] / divisor);
    return t;
}
// Into a place that may want its number added to what it holds.
TRUING_FN void truing_deliver(const truing_preference_args &a, const truing_view &v, truing_i64 i, double x) {
    if (v.data) truing_put_real(v, i, a.accumulate ? truing_double_at(v, i) + x : x);
}
// By one thread; counters hold 0.
TRUING_FN void truing_report(const truing_preference_args &a, const truing_totals &t, const double *sums, truing_u32 live, truing_u32 correct) {
    a.totals[0] = t.scale;
    a.totals[1] = t.loss;
    a.totals[2] = (double)t.seen;
    a.totals[3] = t.empty ? 1.0 : 0.0;
    if (a.first && a.out_statistics.data) {
        const double all[7] = {(double)live, sums[TRUING_OF_WEIGHT], sums[TRUING_OF_LOSS], sums[TRUING_OF_CHOSEN],
                               sums[TRUING_OF_REJECTED], (double)correct, t.divisor};
        for (int k = 0; k < 16; k++) truing_put(a.out_statistics, k, k < 7 ? all[k] : 0.0);
    }
    if (!a.last) return;
    bool beyond = !truing_finite(t.loss) && !(t.seen & (TRUING_EXPLAINED | TRUING_ROW_OVERFLOW));
    if (a.out_loss.data) {
        beyond |= truing_overflow(t.loss, a.out_loss) != 0;
        truing_deliver(a, a.out_loss, 0, t.loss);
    }
    if (a.out_counters.data && beyond) truing_tick(a, TRUING_ROW_OVERFLOW);
    if (a.out_counters.data && t.empty) truing_tick(a, TRUING_ROW_EMPTY);
}
// Length of the longest sum; `rewards`: those of members too.
TRUING_FN truing_i64 truing_summands(const truing_preference_args &a, bool rewards) {
    return a.form == TRUING_LISTS && rewards && a.members > a.items ? a.members : a.items;
}
#define TRUING_TILE 1024
#define TRUING_ADDERS 1024 // threads: they are loads under way, which few threads would wait for one after the other
extern "C" __global__ __launch_bounds__(TRUING_ADDERS) void truing_preference_reduce(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    __shared__ double tile[TRUING_SUMS][TRUING_TILE], chains[TRUING_SUMS][8];
    __shared__ truing_u32 live_of[TRUING_ADDERS / 32], correct_of[TRUING_ADDERS / 32], seen_of[TRUING_ADDERS / 32];
    const truing_u32 thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    truing_u32 live = 0, correct = 0, seen = 0;
    double chain = 0.0;
    const truing_i64 end = truing_summands(a, a.first);
    for (truing_i64 at = 0; at < end; at += TRUING_TILE) {
        const truing_u32 many = end - at < TRUING_TILE ? (truing_u32)(end - at + 7) & ~7u : TRUING_TILE;
        for (truing_u32 k = thread; k < many; k += TRUING_ADDERS) {
            const truing_i64 i = at + k;
            double loss = 0.0, weight = 0.0, chosen = 0.0, rejected = 0.0;
            if (i < a.items) {
                // read before anything is known: none of them waits for another
                const truing_u32 now = a.now[i];
                const double value = a.value[i];
                double own = 0.0, other = 0.0;
                if (a.first && a.form != TRUING_LISTS) {
                    own = a.reward_a[i];
                    other = a.reward_b[i];
                }
                seen |= now;
                if (truing_counts(a, now)) {
                    weight = truing_weight(a, i);
                    loss = weight == 0.0 ? 0.0 : weight * value;
                    live++;
                    if (a.first && a.form != TRUING_LISTS) {
                        chosen = own;
                        rejected = other;
                        correct += !a.unpaired && chosen > rejected;
                        if (a.unpaired && a.label.data && truing_int_at(a.label, i) <= 0) {
                            rejected = chosen;
                            chosen = 0.0;
                        }
                    }
                }
            }
            if (a.first && a.form == TRUING_LISTS) chosen = truing_member_reward(a, i);
            tile[TRUING_OF_LOSS][k] = loss;
            tile[TRUING_OF_WEIGHT][k] = weight;
            tile[TRUING_OF_CHOSEN][k] = chosen;
            tile[TRUING_OF_REJECTED][k] = rejected;
        }
        __syncthreads();
        // a term of +0 leaves a chain as it is
        if (warp < TRUING_SUMS && lane < 8)
#pragma unroll 16
            for (truing_u32 k = lane; k < many; k += 8) chain = chain + tile[warp][k];
        __syncthreads();
    }
    if (warp < TRUING_SUMS && lane < 8) chains[warp][lane] = chain;
    live = __reduce_add_sync(TRUING_ALL_LANES, live);
    correct = __reduce_add_sync(TRUING_ALL_LANES, correct);
    seen = __reduce_or_sync(TRUING_ALL_LANES, seen);
    if (lane == 0) {
        live_of[warp] = live;
        correct_of[warp] = correct;
        seen_of[warp] = seen;
    }
    __syncthreads();
    if (warp != 0) return;
    live = __reduce_add_sync(TRUING_ALL_LANES, live_of[lane]);
    correct = __reduce_add_sync(TRUING_ALL_LANES, correct_of[lane]);
    seen = __reduce_or_sync(TRUING_ALL_LANES, seen_of[lane]);
    if (lane != 0) return;
    double sums[TRUING_SUMS];
    for (int k = 0; k < TRUING_SUMS; k++) sums[k] = truing_joined(chains[k]);
    const truing_totals t = truing_totals_of(a, sums, live, seen, truing_totals_before(a));
    if (a.last && a.out_counters.data)
        for (int k = 0; k < 32; k++) truing_put(a.out_counters, k, (truing_i64)0);
    truing_report(a, t, sums, live, correct);
}
// The factor of an item's partials; 0: none are added.
TRUING_FN double truing_factor(const truing_preference_args &a, truing_i64 i, double scale) {
    if (!truing_counts(a, a.now[i])) return 0.0;
    const double upstream = truing_each(a.grad_output, a.unreduced ? i : 0, 1.0), weight = truing_weight(a, i);
    return weight == 0.0 ? 0.0 : scale * a.grad_scale * upstream * weight;
}
// Through the mean that the score stage formed.
TRUING_FN double truing_through_mean(const truing_preference_args &a, double x, truing_i64 s) {
    if (!a.divides) return x;
    const double n = truing_length(a, s);
    return n > 0.0 ? x / n : 0.0;
}
TRUING_FN void truing_add_member(const truing_preference_args &a, truing_i64 m, truing_i64 s, double scale, double &g) {
    bool in;
    const truing_i64 i = truing_list_with(a, m, in);
    const double c = truing_factor(a, i, scale);
    if (c != 0.0) g += in ? truing_through_mean(a, truing_times(a.a[m], c), s) : TRUING_NAN;
}
TRUING_FN void truing_add(const truing_preference_args &a, truing_i64 i, int role, truing_i64 s, double scale, double &g, double &k) {
    const double c = truing_factor(a, i, scale);
    if (c == 0.0 || (role == 2 && !(a.partials & TRUING_SLOT_ANCHOR))) return;
    g += truing_through_mean(a, truing_times(role == 0 ? a.a[i] : role == 1 ? a.b[i] : a.third[i], c), s);
    if (role < 2 && (a.partials & TRUING_SLOT_KL)) k += truing_times(role == 0 ? a.kl_a[i] : a.kl_b[i], c);
}
// Of a margin or a baseline.
TRUING_FN double truing_of_margin(const truing_preference_args &a, truing_i64 i, double scale) {
    const double g = a.first ? 0.0 : a.second_sum[i];
    const bool has = (a.partials & (TRUING_SLOT_MARGIN | TRUING_SLOT_BASELINE)) != 0;
    const double c = scale != 0.0 && has ? truing_factor(a, i, scale) : 0.0;
    return c != 0.0 ? g + truing_times(a.second[i], c) : g;
}
extern "C" __global__ __launch_bounds__(128, 4) void truing_preference_scatter(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 thread = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    const double scale = a.totals[0];
    if (thread < a.items && a.by_margin) a.second_sum[thread] = truing_of_margin(a, thread, scale);
    const truing_u32 lane = threadIdx.x % 32;
    const truing_i64 s = thread / 32;
    if (s >= a.sequences) return;
    double g = a.first ? 0.0 : a.score_sum[s], k = a.first ? 0.0 : a.kl_sum[s];
    if (a.form == TRUING_LISTS && scale != 0.0) {
        // without an index a sequence is the member of its own number
        truing_i64 at = a.member_seq.data ? 0 : s / 32 * 32;
        const truing_i64 end = a.member_seq.data ? a.members : at + 32;
        for (; at < end; at += 32) {
            const bool hit = at + lane < a.members && truing_member(a, at + lane) == s;
            for (truing_u32 which = __ballot_sync(TRUING_ALL_LANES, hit); which != 0; which &= which - 1)
                truing_add_member(a, at + __ffs((int)which) - 1, s, scale, g);
        }
    }
    for (truing_i64 at = 0; at < (scale == 0.0 || a.form == TRUING_LISTS ? 0 : a.items); at += 32) {
        const truing_i64 i = at + lane;
        truing_u32 roles = 0;
        if (i < a.items && !(a.now[i] & TRUING_ROW_IGNORED)) {
            const truing_members m = truing_members_of(a, i);
            for (int q = 0; q < 3; q++) roles |= (truing_u32)(m.s[q] == s) << q;
        }
        for (truing_u32 which = __ballot_sync(TRUING_ALL_LANES, roles != 0); which != 0; which &= which - 1) {
            const int from = __ffs((int)which) - 1;
            const truing_u32 all = __shfl_sync(TRUING_ALL_LANES, roles, from);
            for (int q = 0; q < 3; q++)
                if (all >> q & 1) truing_add(a, at + from, q, s, scale, g, k);
        }
    }
    if (lane != 0) return;
    a.score_sum[s] = g;
    a.kl_sum[s] = k;
    a.mark[s] = 0;
    if (!a.last) return;
    truing_deliver(a, a.grad_scores, s, g);
    truing_deliver(a, a.grad_kl, s, k);
}

extern "C" __global__ __launch_bounds__(128) void truing_preference_mark(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.items || !(a.status[i] & TRUING_EXPLAINED)) return;
    if (a.form == TRUING_LISTS) {
        const truing_range r = truing_list_at(a, i);
        for (truing_i64 k = r.start; k < r.start + r.n; k++)
            if (truing_inside(a, truing_member(a, k))) a.mark[truing_member(a, k)] = 1;
        return;
    }
    const truing_members m = truing_members_of(a, i);
    for (int q = 0; q < (a.anchors ? 3 : 2); q++)
        if (truing_inside(a, m.s[q])) a.mark[m.s[q]] = 1;
}
// `own`: nothing before it explains a gradient that is not finite.
TRUING_FN truing_u32 truing_gradient_status(const truing_preference_args &a, double g, double k, bool own) {
    const bool score = a.grad_scores.data && ((own && !truing_finite(g)) || truing_overflow(g, a.grad_scores) != 0);
    const bool kl = a.grad_kl.data && ((own && !truing_finite(k)) || truing_overflow(k, a.grad_kl) != 0);
    return score || kl ? TRUING_ROW_OVERFLOW : 0;
}
TRUING_FN truing_u32 truing_put_margin(const truing_preference_args &a, truing_i64 i, double g, bool own) {
    truing_put_real(a.grad_margin, i, g);
    truing_put_real(a.grad_margin_chosen, i, g == 0.0 ? 0.0 : g);
    truing_put_real(a.grad_margin_rejected, i, g == 0.0 ? 0.0 : -g);
    return (own && !truing_finite(g) ? TRUING_ROW_OVERFLOW : 0) | truing_overflow(g, a.grad_margin) |
           truing_overflow(g, a.grad_margin_chosen) | truing_overflow(g, a.grad_margin_rejected);
}
extern "C" __global__ __launch_bounds__(128) void truing_preference_finish(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= a.items) return;
    truing_u32 status = a.status[i];
    const bool upstream = truing_finite(truing_each(a.grad_output, a.unreduced ? i : 0, 1.0));
    const bool live = !(status & TRUING_ROW_IGNORED);
    if (live && truing_each(a.item_weight, i, 1.0) != 0.0) {
        const bool list = a.form == TRUING_LISTS;
        if (list) {
            const truing_range r = truing_list_at(a, i);
            for (truing_i64 k = r.start; k < r.start + r.n; k++) {
                const truing_i64 s = truing_member(a, k);
                if (truing_inside(a, s)) status |= truing_gradient_status(a, a.score_sum[s], a.kl_sum[s], upstream && a.mark[s] == 0);
            }
        }
        const truing_members m = truing_members_of(a, i);
        for (int q = 0; q < (list ? 0 : a.anchors ? 3 : 2); q++) {
            const truing_i64 s = m.s[q];
            if (!truing_inside(a, s)) continue;
            status |= truing_gradient_status(a, a.score_sum[s], a.kl_sum[s], upstream && a.mark[s] == 0);
        }
    }
    if (a.by_margin) status |= truing_put_margin(a, i, a.second_sum[i], upstream && !(status & TRUING_EXPLAINED));
    truing_put(a.out_status, i, status);
    if (a.out_counters.data) truing_tick(a, status);
}

#define TRUING_WORKERS 512
#define TRUING_SPAN 2048
// What item i adds to a sum.
TRUING_FN double truing_summand(const truing_preference_args &a, truing_u32 which, truing_i64 i) {
    if (a.form == TRUING_LISTS && which > TRUING_OF_WEIGHT) return which == TRUING_OF_CHOSEN ? truing_member_reward(a, i) : 0.0;
    if (i >= a.items) return 0.0;
    const truing_u32 now = a.now[i];
    const double x = which == TRUING_OF_LOSS ? a.value[i] : which == TRUING_OF_REJECTED && !a.unpaired ? a.reward_b[i] : which == TRUING_OF_WEIGHT ? 0.0 : a.reward_a[i];
    if (!truing_counts(a, now)) return 0.0;
    const bool other = a.unpaired && a.label.data && which > TRUING_OF_WEIGHT && truing_int_at(a.label, i) <= 0;
    if (which > TRUING_OF_WEIGHT) return !a.unpaired || other == (which == TRUING_OF_REJECTED) ? x : 0.0;
    const double weight = truing_weight(a, i);
    return which == TRUING_OF_WEIGHT ? weight : weight == 0.0 ? 0.0 : weight * x;
}
// Gradients and status of item i, whose sequences are its own.
TRUING_FN void truing_settle(const truing_preference_args &a, truing_i64 i, double scale) {
    truing_u32 status = a.status[i];
    const bool upstream = truing_finite(truing_each(a.grad_output, a.unreduced ? i : 0, 1.0)), own = upstream && !(status & TRUING_EXPLAINED);
    const bool judged = !(status & TRUING_ROW_IGNORED) && truing_each(a.item_weight, i, 1.0) != 0.0;
    const truing_members m = truing_members_of(a, i);
    truing_u32 more = 0;
#pragma unroll
    for (int q = 0; q < 3; q++) {
        const truing_i64 s = m.s[q];
        if (s < 0) continue;
        double g = a.first ? 0.0 : a.score_sum[s], k = a.first ? 0.0 : a.kl_sum[s];
        if (scale != 0.0) truing_add(a, i, q, s, scale, g, k);
        if (!a.last) {
            a.score_sum[s] = g;
            a.kl_sum[s] = k;
            continue;
        }
        truing_deliver(a, a.grad_scores, s, g);
        truing_deliver(a, a.grad_kl, s, k);
        if (judged && (q < 2 || a.anchors)) more |= truing_gradient_status(a, g, k, own);
    }
    if (a.by_margin) {
        const double g = truing_of_margin(a, i, scale);
        if (a.last) more |= truing_put_margin(a, i, g, own);
        else a.second_sum[i] = g;
    }
    if (!a.last) return;
    status |= more;
    truing_put(a.out_status, i, status);
    if (a.out_counters.data) truing_tick(a, status);
}
extern "C" __global__ __launch_bounds__(128) void truing_preference_settle(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    const truing_i64 i = (truing_i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < a.items) truing_settle(a, i, a.totals[0]);
}
extern "C" __global__ __launch_bounds__(TRUING_WORKERS, 1) void truing_preference_sums(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    TRUING_SHARED(double, tile, [2][TRUING_SPAN]);
    TRUING_SHARED(double, chains, [8]);
    TRUING_SHARED(truing_u32, marks, [3][TRUING_WORKERS / 32]);
    const truing_u32 rank = truing_cluster_rank(), thread = threadIdx.x, lane = thread % 32, warp = thread / 32;
    if (a.last && a.out_counters.data && rank == 0 && thread < 32) truing_put(a.out_counters, thread, (truing_i64)0);
    const bool statistics = a.first && a.out_statistics.data;
    const bool weights = statistics || a.reduction == TRUING_WEIGHTED_MEAN_OF;
    if (rank == TRUING_OF_LOSS || (rank == TRUING_OF_WEIGHT && weights) || (rank < TRUING_SUMS && statistics)) {
        // one warp adds while the others read ahead
        double chain = 0.0;
        const truing_i64 end = truing_summands(a, rank == TRUING_OF_CHOSEN);
        for (truing_u32 k = thread; k < TRUING_SPAN; k += TRUING_WORKERS) tile[0][k] = truing_summand(a, rank, k);
        __syncthreads();
        truing_u32 turn = 0;
        for (truing_i64 at = 0; at < end; at += TRUING_SPAN, turn ^= 1) {
            if (warp == 0) {
                // a term of +0 leaves a chain as it is
                const truing_u32 many = end - at < TRUING_SPAN ? (truing_u32)(end - at + 7) & ~7u : TRUING_SPAN;
                if (lane < 8)
#pragma unroll 16
                    for (truing_u32 k = lane; k < many; k += 8) chain = chain + tile[turn][k];
            } else if (at + TRUING_SPAN < end) {
                for (truing_u32 k = thread - 32; k < TRUING_SPAN; k += TRUING_WORKERS - 32) tile[turn ^ 1][k] = truing_summand(a, rank, at + TRUING_SPAN + k);
            }
            __syncthreads();
        }
        if (thread < 8) chains[thread] = chain;
    } else if (rank == TRUING_SUMS) {
        truing_u32 live = 0, correct = 0, seen = 0;
        for (truing_i64 i = thread; i < a.items; i += TRUING_WORKERS) {
            const truing_u32 now = a.now[i];
            seen |= now;
            if (!truing_counts(a, now)) continue;
            live++;
            correct += statistics && !a.unpaired && a.form != TRUING_LISTS && a.reward_a[i] > a.reward_b[i];
        }
        live = __reduce_add_sync(TRUING_ALL_LANES, live);
        correct = __reduce_add_sync(TRUING_ALL_LANES, correct);
        seen = __reduce_or_sync(TRUING_ALL_LANES, seen);
        if (lane == 0) {
            marks[0][warp] = live;
            marks[1][warp] = correct;
            marks[2][warp] = seen;
        }
    }
    truing_cluster_sync();
    if (rank == 0 && warp == 0) {
        const truing_u32 (&all)[3][TRUING_WORKERS / 32] = TRUING_PEER(marks, TRUING_SUMS);
        const bool some = lane < TRUING_WORKERS / 32;
        const truing_u32 live = __reduce_add_sync(TRUING_ALL_LANES, some ? all[0][lane] : 0), correct = __reduce_add_sync(TRUING_ALL_LANES, some ? all[1][lane] : 0);
        const truing_u32 seen = __reduce_or_sync(TRUING_ALL_LANES, some ? all[2][lane] : 0);
        if (lane == 0) {
            double sums[TRUING_SUMS] = {truing_joined(TRUING_PEER(chains, TRUING_OF_LOSS)), 0.0, 0.0, 0.0};
            if (weights) sums[TRUING_OF_WEIGHT] = truing_joined(TRUING_PEER(chains, TRUING_OF_WEIGHT));
            if (statistics) {
                sums[TRUING_OF_CHOSEN] = truing_joined(TRUING_PEER(chains, TRUING_OF_CHOSEN));
                sums[TRUING_OF_REJECTED] = truing_joined(TRUING_PEER(chains, TRUING_OF_REJECTED));
            }
            truing_report(a, truing_totals_of(a, sums, live, seen, truing_totals_before(a)), sums, live, correct);
        }
    }
    truing_cluster_sync(); // the first has read the others' sums
}

// The partial of a pair's value with respect to the parameter that may be learned: PairLoss::learned of core/src/losses.
TRUING_FN double truing_learned_of(const truing_preference_args &a, truing_i64 i) {
    const truing_members m = truing_members_of(a, i);
    const double p0 = a.betas ? truing_double_at(a.item_beta, i) : a.p[0], p1 = a.p[1];
    const double d = truing_score(a, m.s[0]) - truing_score(a, m.s[1]);
    const double chosen = truing_each(a.margin_chosen, i, a.margins[0]), rejected = truing_each(a.margin_rejected, i, a.margins[1]);
    if (a.id == 1019 || a.id == 1020) { // modpo, modpo_hinge: beta, own_weight
        const double z = (p0 * d - (chosen - rejected)) / p1;
        if (a.id == 1020) return z < 1.0 ? z / p1 : z - z;
        const double weight = truing_sigmoid(-z);
        return weight == 0.0 ? 0.0 : weight * (z / p1);
    }
    if (a.id != 1048) return TRUING_NAN;
    // bt_ties: eta, log_nu
    const bool tied = chosen > 0.0;
    if (p0 < 0.0) {
        const double at = 0.5 * truing_abs(d), top = p1 > at ? p1 : at;
        const double sides = truing_exp(at - top) + truing_exp(-at - top), even = truing_exp(p1 - top);
        return (tied ? -sides : even) / (sides + even);
    }
    if (tied) return -(truing_sigmoid(d - p0) + truing_sigmoid(-(d + p0)) + 2.0 / truing_expm1(2.0 * p0));
    return truing_sigmoid(p0 - d);
}
extern "C" __global__ __launch_bounds__(TRUING_WORKERS, 1) void truing_preference_learned(const __grid_constant__ truing_preference_args a) {
    truing_wait();
    truing_let_go();
    TRUING_SHARED(double, tile, [TRUING_SPAN]);
    const double scale = a.totals[0];
    double sum = 0.0;
    for (truing_i64 at = 0; at < (a.learns ? a.items : 0); at += TRUING_SPAN) {
        const truing_u32 many = a.items - at < TRUING_SPAN ? (truing_u32)(a.items - at) : TRUING_SPAN;
        for (truing_u32 k = threadIdx.x; k < many; k += TRUING_WORKERS) {
            const truing_i64 i = at + k;
            const truing_u32 now = a.now[i];
            double x = 0.0;
            if (truing_counts(a, now) && truing_weight(a, i) != 0.0) {
                const double upstream = truing_each(a.grad_output, a.unreduced ? i : 0, 1.0);
                const double own = now & TRUING_ROW_OUT_OF_RANGE ? TRUING_NAN : truing_learned_of(a, i);
                x = truing_times(own, scale * a.grad_scale * upstream * truing_weight(a, i));
            }
            tile[k] = x;
        }
        __syncthreads();
        // a term of 0 leaves the sum as it is, which is no negative zero
        if (threadIdx.x == 0)
#pragma unroll 16
            for (truing_u32 k = 0; k < many; k++) sum = sum + tile[k];
        __syncthreads();
    }
    if (threadIdx.x != 0) return;
    const truing_i64 n = a.parameters;
    for (truing_i64 k = 0; k < n; k++) truing_put(a.grad_params, k, 0.0);
    if (a.learns) truing_put(a.grad_params, a.learned, sum);
}
