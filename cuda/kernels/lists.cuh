// Entries of lists: core/src/losses/list.rs, statement by statement, with its bits. They loop over the members, so the
// recorder, which writes straight lines, has no text of them; tests/cuda compares each entry of the catalogue with the CPU.
#pragma once
#include "segments.cuh"

// One list: n members, at least one. `x` holds their scores, `grad` receives the partials.
struct truing_list {
    const double *x;
    double *grad;
    truing_i64 n, from; // from: its first member in the arrays of all members
    const truing_view *lengths, *targets, *sequences;
};
TRUING_FN double truing_score_of(const truing_list &l, truing_i64 i) { return l.x[i]; }
TRUING_FN double truing_len_of(const truing_list &l, truing_i64 i) {
    if (!l.lengths->data) return 0.0;
    const truing_i64 m = l.from + i;
    return (double)truing_int_at(*l.lengths, l.sequences->data ? truing_int_at(*l.sequences, m) : m);
}
TRUING_FN double truing_target_of(const truing_list &l, truing_i64 i) {
    return l.targets->data ? truing_double_at(*l.targets, l.from + i) : 0.0;
}
TRUING_FN double truing_smaller(double a, double b) { return b < a ? b : a <= b ? a : a + b; }
TRUING_FN double truing_positive(double x, double yes, double no) { return 0.0 < x ? yes : no; }
// c x, and 0 where c is 0, whatever x is.
TRUING_FN double truing_term(double c, double x) { return 0.0 < truing_abs(c) ? c * x : truing_abs(c); }
TRUING_FN double truing_equal(double a, double b, double yes, double no) { return a <= b && b <= a ? yes : no; }
// x / len, 0 for a sequence without tokens.
TRUING_FN double truing_per(double x, double len) { return 0.0 < len ? x / len : 0.0; }
// log(e^a + e^b)
TRUING_FN double truing_log_add(double a, double b) {
    const double top = truing_larger(a, b), gap = top <= -TRUING_INF ? 0.0 : a - b;
    return top + truing_log1p(truing_exp(-truing_abs(gap)));
}
// log of the sum of e^x(i): the largest, and the log of the sum in its units.
struct truing_log_total {
    double top, rest;
};
template <class F> TRUING_FN truing_log_total truing_log_sum(truing_i64 n, const F &x) {
    truing_log_total t;
    t.top = -TRUING_INF;
    double at = 0.0, others = 0.0;
    for (truing_i64 i = 0; i < n; i++) {
        const double own = x(i);
        if (t.top < own) at = (double)i;
        t.top = truing_larger(t.top, own);
    }
    for (truing_i64 i = 0; i < n; i++) others = others + truing_equal(at, (double)i, 0.0, truing_exp(x(i) - t.top));
    t.rest = truing_log1p(others);
    return t;
}
TRUING_FN double truing_log_share(double x, const truing_log_total &t) { return (x - t.top) - t.rest; }
// e^x over the sum, an infinite largest term included.
TRUING_FN double truing_share(double x, const truing_log_total &t) {
    return truing_exp(truing_equal(x, t.top, -t.rest, truing_log_share(x, t)));
}

// beta, top_m
TRUING_FN double truing_list_plackett_luce(const truing_list &l, const double *p) {
    const double beta = p[0], top_m = p[1];
    const truing_i64 last = l.n - 1;
    const auto counts = [&](truing_i64 k) { return (double)k < top_m && k < last ? 1.0 : 0.0; };
    // from the worst to the best: grad[k] holds the log of the sum behind k
    double value = 0.0, z = -TRUING_INF;
    for (truing_i64 k = last; k >= 0; k--) {
        const double r = beta * truing_score_of(l, k);
        value = value + truing_positive(counts(k), truing_softplus(z - r), 0.0);
        l.grad[k] = z;
        z = truing_log_add(r, z);
    }
    // from the best to the worst
    double lost = -TRUING_INF;
    for (truing_i64 i = 0; i < l.n; i++) {
        const double r = beta * truing_score_of(l, i), below = l.grad[i];
        const double own = truing_positive(counts(i), truing_sigmoid(below - r), 0.0);
        const double shared = truing_positive((double)i, truing_exp(r + lost), 0.0);
        if (0.0 < counts(i)) lost = truing_log_add(lost, -truing_log_add(r, below));
        l.grad[i] = beta * (shared - own);
    }
    return value;
}
// sft_weight, log_epsilon
TRUING_FN double truing_list_preference_ranking(const truing_list &l, const double *p) {
    const truing_i64 last = l.n - 1;
    const auto mean = [&](truing_i64 i) { return truing_per(truing_score_of(l, i), truing_len_of(l, i)); };
    for (truing_i64 i = 0; i < l.n; i++) l.grad[i] = 0.0;
    double value = 0.0;
    for (truing_i64 k = 0; k < last; k++) {
        const double own = truing_target_of(l, k);
        const auto gap = [&](truing_i64 i) { return own - truing_target_of(l, i); };
        // the last of the others is epsilon
        const auto loser = [&](truing_i64 j) { return j < last - k ? truing_term(gap(k + 1 + j), mean(k + 1 + j)) : p[1]; };
        const truing_log_total sum = truing_log_sum(last - k + 1, loser);
        const double lead = sum.top - truing_term(gap(last), mean(k)) + sum.rest, lost = truing_sigmoid(lead);
        value = value + truing_softplus(lead);
        l.grad[k] = l.grad[k] - gap(last) * lost;
        for (truing_i64 j = 0; j < last - k; j++)
            l.grad[k + 1 + j] = l.grad[k + 1 + j] + truing_term(gap(k + 1 + j), truing_exp(truing_log_share(loser(j), sum)) * lost);
    }
    for (truing_i64 i = 0; i < l.n; i++) l.grad[i] = truing_per(l.grad[i], truing_len_of(l, i));
    const double sft = p[0] * (double)(last * last);
    l.grad[0] = l.grad[0] - sft;
    return value - truing_term(sft, truing_score_of(l, 0));
}
// length_power, rank_weight, sft_weight, sft_mean_weight
TRUING_FN double truing_list_rrhf(const truing_list &l, const double *p) {
    const double power = p[0], rank = p[1];
    // exact for the power 1, so that equal means tie
    const auto norm = [&](double len) { return power == 1.0 ? len : truing_exp(power * truing_log(len)); };
    const auto score = [&](truing_i64 i) {
        const double len = truing_len_of(l, i);
        return 0.0 < len ? truing_score_of(l, i) / norm(len) : 0.0;
    };
    double best = -TRUING_INF, at = 0.0, value = 0.0;
    for (truing_i64 i = 0; i < l.n; i++) {
        const double r = truing_target_of(l, i);
        if (best < r) at = (double)i;
        best = truing_larger(best, r);
    }
    for (truing_i64 i = 0; i < l.n; i++) {
        const double own = truing_target_of(l, i), mine = score(i), len = truing_len_of(l, i);
        double count = 0.0;
        for (truing_i64 j = 0; j < l.n; j++) {
            const double other = truing_target_of(l, j), gap = mine - score(j);
            // i should lose and is ahead; i should win and is behind
            const double ahead = own < other ? truing_positive(gap, 1.0, 0.0) : 0.0, behind = other < own ? truing_positive(-gap, 1.0, 0.0) : 0.0;
            value = value + (own < other ? truing_larger(0.0, gap) : 0.0);
            count = count + ahead - behind;
        }
        l.grad[i] = 0.0 < len ? rank * count / norm(len) : 0.0;
    }
    value = truing_term(rank, value);
    for (truing_i64 i = 0; i < l.n; i++) {
        const double weight = truing_equal(at, (double)i, p[2] + truing_per(p[3], truing_len_of(l, i)), 0.0);
        value = value - truing_term(weight, truing_score_of(l, i));
        l.grad[i] = l.grad[i] - weight;
    }
    return value;
}
// beta, alpha
TRUING_FN double truing_list_infonca(const truing_list &l, const double *p) {
    const auto h = [&](truing_i64 i) { return p[0] * truing_score_of(l, i); };
    const auto r = [&](truing_i64 i) { return truing_target_of(l, i) / p[1]; };
    const truing_log_total policy = truing_log_sum(l.n, h), target = truing_log_sum(l.n, r);
    double value = 0.0;
    for (truing_i64 i = 0; i < l.n; i++) {
        const double log_p = truing_log_share(h(i), policy), q = truing_exp(truing_log_share(r(i), target));
        value = value + truing_term(q, -log_p);
        l.grad[i] = p[0] * (truing_exp(log_p) - q);
    }
    return value;
}
// beta, alpha
TRUING_FN double truing_list_nca(const truing_list &l, const double *p) {
    const double count = (double)l.n;
    const auto r = [&](truing_i64 i) { return truing_target_of(l, i) / p[1]; };
    const truing_log_total target = truing_log_sum(l.n, r);
    double value = 0.0;
    for (truing_i64 i = 0; i < l.n; i++) {
        const double h = p[0] * truing_score_of(l, i), q = truing_exp(truing_log_share(r(i), target));
        value = value + (truing_term(q, truing_softplus(-h)) + truing_softplus(h) / count);
        l.grad[i] = p[0] * (truing_sigmoid(h) / count - q * truing_sigmoid(-h));
    }
    return value;
}
// beta_pi, beta_r
TRUING_FN double truing_list_exo(const truing_list &l, const double *p) {
    const auto h = [&](truing_i64 i) { return p[0] * truing_score_of(l, i); };
    const auto r = [&](truing_i64 i) { return truing_target_of(l, i) / p[1]; };
    const truing_log_total policy = truing_log_sum(l.n, h), target = truing_log_sum(l.n, r);
    double value = 0.0;
    for (truing_i64 i = 0; i < l.n; i++) {
        const double log_p = truing_log_share(h(i), policy), log_q = truing_log_share(r(i), target);
        const double own = truing_exp(log_p), q = truing_exp(log_q), d = log_p - log_q;
        const double one = d < -1.0 ? own * (d - 1.0) + q : own * truing_exp_rem(-d);
        value = value + (own <= 0.0 ? q : one);
    }
    for (truing_i64 i = 0; i < l.n; i++) {
        const double log_p = truing_log_share(h(i), policy), own = truing_exp(log_p), d = log_p - truing_log_share(r(i), target);
        // an answer that the target excludes outweighs every other
        const double gap = d == TRUING_INF ? d : d - value;
        l.grad[i] = own <= 0.0 ? 0.0 : p[0] * own * gap;
    }
    return value;
}
TRUING_FN double truing_list_aft(const truing_list &l) {
    const auto gap = [&](truing_i64 i, truing_i64 j) { return truing_target_of(l, j) < truing_target_of(l, i) ? truing_score_of(l, j) - truing_score_of(l, i) : -TRUING_INF; };
    truing_log_total t;
    t.top = 0.0;
    double sum = 0.0;
    for (truing_i64 i = 0; i < l.n; i++)
        for (truing_i64 j = 0; j < l.n; j++) t.top = truing_larger(t.top, gap(i, j));
    for (truing_i64 i = 0; i < l.n; i++)
        for (truing_i64 j = 0; j < l.n; j++) sum = sum + truing_exp(gap(i, j) - t.top);
    // without the largest term, which is 1: the 1 of the formula, or one of the sum
    t.rest = truing_log1p(0.0 < t.top ? sum - 1.0 + truing_exp(-t.top) : sum);
    for (truing_i64 i = 0; i < l.n; i++) {
        double up = 0.0, down = 0.0;
        for (truing_i64 j = 0; j < l.n; j++) {
            up = up + truing_exp(truing_log_share(gap(j, i), t));
            down = down + truing_exp(truing_log_share(gap(i, j), t));
        }
        l.grad[i] = up - down;
    }
    return t.top + t.rest;
}
// tau
TRUING_FN double truing_list_real(const truing_list &l, const double *p) {
    const auto score = [&](truing_i64 i) { return truing_score_of(l, i) / p[0]; };
    // the last of the sum is the 1
    const auto bad = [&](truing_i64 i) { return i < l.n ? (0.0 < truing_target_of(l, i) ? -TRUING_INF : score(i)) : 0.0; };
    const auto good = [&](truing_i64 i) { return i < l.n ? (0.0 < truing_target_of(l, i) ? -score(i) : -TRUING_INF) : 0.0; };
    double ups = 0.0, downs = 0.0;
    for (truing_i64 i = 0; i < l.n; i++) {
        const bool up = 0.0 < truing_target_of(l, i);
        ups = ups + (up ? 1.0 : 0.0);
        downs = downs + (up ? 0.0 : 1.0);
    }
    const double both = truing_smaller(ups, downs);
    const truing_log_total lost = truing_log_sum(l.n + 1, bad), won = truing_log_sum(l.n + 1, good);
    for (truing_i64 i = 0; i < l.n; i++) {
        const double slope = 0.0 < truing_target_of(l, i) ? -truing_share(good(i), won) : truing_share(bad(i), lost);
        l.grad[i] = truing_positive(both, slope / p[0], 0.0);
    }
    return truing_positive(both, (lost.top + lost.rest) + (won.top + won.rest), 0.0);
}
// beta
TRUING_FN double truing_list_gvpo(const truing_list &l, const double *p) {
    const double n = (double)l.n, others = n - 1.0;
    double sum = 0.0, value = 0.0;
    for (truing_i64 i = 0; i < l.n; i++) sum = sum + p[0] * truing_score_of(l, i);
    const double mean = sum / n;
    for (truing_i64 i = 0; i < l.n; i++) {
        const double d = (p[0] * truing_score_of(l, i) - mean) - truing_target_of(l, i);
        value = value + d * d;
        l.grad[i] = truing_positive(others, p[0] * d / others, 0.0);
    }
    return truing_positive(others, value * 0.5 / others, 0.0);
}
// The entry of this id; p: its constants.
TRUING_FN double truing_list_entry(truing_u32 id, const truing_list &l, const double *p) {
    switch (id) {
    case 3001u: return truing_list_plackett_luce(l, p);
    case 3002u: return truing_list_preference_ranking(l, p);
    case 3003u: return truing_list_rrhf(l, p);
    case 3004u: return truing_list_infonca(l, p);
    case 3005u: return truing_list_nca(l, p);
    case 3006u: return truing_list_exo(l, p);
    case 3007u: return truing_list_aft(l);
    case 3008u: return truing_list_real(l, p);
    case 3009u: return truing_list_gvpo(l, p);
    }
    return TRUING_NAN;
}
