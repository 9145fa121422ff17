"""Golden cases of advantages and returns: writes advantage.txt next to itself.  Needs mpmath only.

Nothing of the library is imported. Every result is the textbook formula at 60 digits: sums over explicit index sets instead of
recursions, repeated values instead of counts, differences instead of derivatives. Sources: the formulas of the papers and
trainers that core/src/advantage.rs names.

A case: a line "@ operation option=word ...", lines "name numbers" of inputs, lines "> name numbers" of results. Inputs are
exact f64; nan stands for a missing reward, and "nan" or "inf" as a result for what it says.
"""
import os
import random
import sys
from mpmath import mp, mpf

mp.dps = 60
NAN = float("nan")
R = random.Random(7)
out = []
cases = 0


def number(x):
    if isinstance(x, float):
        return repr(x)
    if isinstance(x, int):
        return str(x)
    if mp.isnan(x):
        return "nan"
    if mp.isinf(x):
        return "inf" if x > 0 else "-inf"
    return mp.nstr(x, 22)


def case(op, options, inputs, results):
    global cases
    cases += 1
    out.append(" ".join(["@", op] + [f"{k}={v}" for k, v in options.items()]))
    for sign, table in (("", inputs), ("> ", results)):
        for name, values in table.items():
            out.append(sign + name + "".join(" " + number(x) for x in values))


def missing(x):
    return x != x


def mean(x):
    return mp.fsum(x) / len(x)


def var(x, kind):
    n = len(x) - (1 if kind == "unbiased" else 0)
    if n <= 0:
        return mpf(0)
    m = mean(x)
    return mp.fsum((a - m) ** 2 for a in x) / n


def std(x, kind):
    return mp.sqrt(var(x, kind))


def divide(c, s, eps, kind):
    if c == 0:
        return mpf(0)
    return c if kind == "skip_zero" and s == 0 else c / (s + eps)


def by_group(ids):
    groups = {}
    for i, g in enumerate(ids):
        groups.setdefault(g, []).append(i)
    return groups


def group_advantage(rewards, ids, lengths, o):
    """Advantage of each row; rewards are numbers or nan."""
    r = [None if missing(x) else mpf(x) for x in rewards]
    scored = [x for x in r if x is not None]
    result = [mpf(0)] * len(r)
    for rows in by_group(ids).values():
        rows = [i for i in rows if r[i] is not None]
        n = len(rows)
        if n == 0:
            continue
        x = [r[i] for i in rows]
        for i in rows:
            others = [r[j] for j in rows if j != i]
            own = o["baseline"] in ("group", "leave_one_out", "length_weighted", "best_of_group")
            if own and n == 1:
                c = r[i] if o["single"] == "raw" else mpf(0)
            elif o["baseline"] == "none":
                c = r[i]
            elif o["baseline"] == "group":
                c = r[i] - mean(x)
            elif o["baseline"] == "leave_one_out":
                c = r[i] - mean(others)
            elif o["baseline"] == "batch":
                c = r[i] - mean(scored)
            elif o["baseline"] == "length_weighted":
                total = sum(lengths[j] for j in rows)
                c = r[i] - mp.fsum(lengths[j] * r[j] for j in rows) / total if total else mpf(0)
            else:
                ranked = sorted(rows, key=lambda j: (-r[j], j))
                c = r[i] - r[ranked[1]] if i == ranked[0] else mpf(0)
            k, e, kind = o["std"], mpf(o["eps"]), o["eps_kind"]
            if o["scale"] == "batch_std":
                c = divide(c, std(scored, k), e, kind)
            elif o["scale"] == "nonzero_share":
                c *= mpf(len(scored)) / max(1, sum(y != 0 for y in scored)) / mpf(o["f_norm"])
            elif n > 1 and o["scale"] == "group_std":
                c = divide(c, std(x, k), e, kind)
            elif n > 1 and o["scale"] == "leave_one_out_std":
                c = divide(c, std(others, k), e, kind)
            elif n > 1 and o["scale"] == "group_mean":
                c = divide(c, mean(x), e, "add")
            result[i] = c
    return result


PRESETS = {
    "grpo": ("group", "group_std", 1e-4, "add", "zero"),
    "grpo_batch_std": ("group", "batch_std", 1e-4, "add", "zero"),
    "dr_grpo": ("group", "none", 0.0, "add", "zero"),
    "rloo": ("leave_one_out", "none", 0.0, "add", "zero"),
    "grpo_loo": ("leave_one_out", "leave_one_out_std", 1e-6, "skip_zero", "zero"),
    "batch_baseline": ("batch", "none", 0.0, "add", "zero"),
    "opo": ("length_weighted", "none", 0.0, "add", "raw"),
    "gpg": ("group", "nonzero_share", 0.0, "add", "raw"),
    "max_rl": ("group", "group_mean", 1e-6, "add", "raw"),
    "raw": ("none", "none", 0.0, "add", "raw"),
    "pass_k": ("best_of_group", "group_std", 1e-6, "add", "zero"),
}


def preset(name):
    b, s, e, k, one = PRESETS[name]
    return dict(baseline=b, scale=s, eps=e, eps_kind=k, single=one, std="unbiased", f_norm=1.0)


def data_of_groups():
    """Rewards, ids."""
    yield [R.gauss(0, 1) for _ in range(12)], [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    yield [1e4 + x for x in (0.0, 0.1, 0.2, 0.3)] + [1e4 + 0.3, 1e4, 1e4, 1e4], [0] * 4 + [1] * 4
    yield [0.1] * 7 + [0.3] * 3, [0] * 7 + [1] * 3
    yield [float(R.randrange(2)) for _ in range(20)], [R.randrange(4) for _ in range(20)]
    yield [1.0, 0.0, 0.0, 0.0, 0.0, 5.0, 5.0], [0] * 5 + [1] * 2
    yield [2.0, NAN, 3.0, NAN, NAN, 0.5, 0.25, 7.0], [0, 0, 0, 1, 1, 2, 2, 3]
    yield [R.random() for _ in range(30)], [R.randrange(3) for _ in range(30)]
    yield [1e-12 * R.random() + 1.0 for _ in range(9)], [2, 0, 1] * 3
    yield [0.0] * 5 + [1e6, 1e-3], [0] * 5 + [1] * 2


def group_cases():
    settings = [(name, preset(name)) for name in PRESETS]
    for b in ("none", "group", "leave_one_out", "batch", "length_weighted"):
        for s in ("none", "group_std", "batch_std", "leave_one_out_std", "nonzero_share"):
            for kind, ek, one in (("population", "skip_zero", "raw"), ("unbiased", "add", "zero")):
                o = dict(baseline=b, scale=s, eps=0.01, eps_kind=ek, single=one, std=kind, f_norm=0.5)
                settings.append(("0", o))
    for rewards, ids in data_of_groups():
        lengths = [R.randrange(20) for _ in rewards]
        scored = [sum(not missing(rewards[i]) for i in rows) for rows in by_group(ids).values()]
        for name, o in settings:
            if o["scale"] == "group_mean" and min(x for x in rewards if not missing(x)) < 0:
                continue
            if o["baseline"] == "best_of_group" and 1 in scored:
                continue
            a = group_advantage(rewards, ids, lengths, o)
            groups = range(max(ids) + 1)
            of = [[mpf(rewards[i]) for i in by_group(ids).get(g, []) if not missing(rewards[i])] for g in groups]
            case("group_advantage", dict(preset=name, **o), dict(rewards=rewards, ids=ids, lengths=lengths),
                 dict(advantages=a, mean=[mean(x) if x else mpf(0) for x in of],
                      std=[std(x, o["std"]) if x else mpf(0) for x in of]))  # fmt: skip


def multi(rewards, w, ids, lengths, o, order, step, step_eps):
    """rewards and w: row by row."""
    n, k = len(rewards), len(rewards[0])
    none = [all(missing(x) for x in row) for row in rewards]
    if order == "sum_first":
        total = [NAN if none[i] else mp.fsum(w[i][j] * mpf(x) for j, x in enumerate(rewards[i]) if not missing(x))
                 for i in range(n)]  # fmt: skip
        return total, group_advantage(total, ids, lengths, o)
    z = [group_advantage([row[j] for row in rewards], ids, lengths, o) for j in range(k)]
    total = [NAN if none[i] else mp.fsum(w[i][j] * z[j][i] for j in range(k)) for i in range(n)]
    scored = [x for x in total if not missing(x)]
    m, s = mean(scored), std(scored, "unbiased")
    a = []
    for x in total:
        if missing(x):
            a.append(mpf(0))
        elif step == "none":
            a.append(x)
        elif step == "standardise":
            a.append(divide(x - m, s, mpf(step_eps), "add"))
        else:
            a.append(divide(x, s, 0, "skip_zero"))
    return total, a


def multi_cases():
    o_population = dict(preset("grpo"), std="population", eps=1e-8)
    choices = [("sum_first", name, preset(name), "none") for name in ("grpo", "grpo_batch_std", "dr_grpo", "rloo", "batch_baseline", "raw")]
    choices += [("sum_first", "0", o_population, "none")]
    choices += [("normalise_first", name, preset(name), step) for name in ("grpo", "grpo_loo", "rloo") for step in ("none", "standardise", "scale")]
    for shape in range(4):
        n, k = (12, 2) if shape % 2 else (9, 3)
        ids = [i // 3 for i in range(n)]
        rewards = [[R.gauss(0, 1) + (1e4 if j == 1 and shape > 1 else 0) for j in range(k)] for _ in range(n)]
        if shape == 3:
            rewards[4] = [NAN] * k
            rewards[0][1] = NAN
            ids = [R.randrange(3) for _ in range(n)]
        if shape == 2:
            for row in rewards:
                row[0] = 3.0
        lengths = [1] * n
        for order, name, o, step in choices:
            for of_row in (False, True):
                if of_row:
                    w = [[R.uniform(0.2, 2) for _ in range(k)] for _ in range(n)]
                else:
                    w = [[R.uniform(0.2, 2) for _ in range(k)]] * n
                wm = [[mpf(x) for x in row] for row in w]
                total, a = multi(rewards, wm, ids, lengths, o, order, step, 1e-4)
                g = [R.gauss(0, 1) for _ in range(n)]

                def loss(weights):
                    return mp.fsum(mpf(gi) * x for gi, x in zip(g, multi(rewards, weights, ids, lengths, o, order, step, 1e-4)[1]))

                h = mpf(10) ** -20
                grads = []
                for i in range(n if of_row else 1):
                    for j in range(k):
                        def moved(d):
                            return [[x + (d if (of_row and q == i or not of_row) and p == j else 0) for p, x in enumerate(row)] for q, row in enumerate(wm)]
                        grads.append((loss(moved(h)) - loss(moved(-h))) / (2 * h))
                if name == "grpo_loo":
                    pass
                case("multi_objective", dict(order=order, preset=name, step=step, k=k, of_row=int(of_row), **o),
                     dict(rewards=[x for row in rewards for x in row], ids=ids,
                          weights=[x for row in (w if of_row else w[:1]) for x in row], grad=g),
                     dict(combined=[x if not missing(x) else mp.nan for x in total], advantages=a, grad_weights=grads))  # fmt: skip


def sequences(shapes):
    """Offsets and a mask with holes in front, inside and behind."""
    cu = [0]
    mask = []
    for n in shapes:
        cu.append(cu[-1] + n)
        mask += [0 if R.random() < 0.25 else 1 for _ in range(n)]
    return cu, mask


def gae_row(r, v, live, end, masks, gamma, lam):
    """Sum over the row's positions of (gamma lambda)^steps delta."""
    n = len(r)
    steps = [t for t in range(n) if live[t]] if masks == "carry" else list(range(n))
    zero = lambda t: masks == "zero" and not live[t]
    rr = [mpf(0) if zero(t) else r[t] for t in steps]
    vv = [mpf(0) if zero(t) else v[t] for t in steps] + [end]
    delta = [rr[k] + gamma * vv[k + 1] - vv[k] for k in range(len(steps))]
    a = [mpf(0)] * n
    for k, t in enumerate(steps):
        if live[t]:
            a[t] = mp.fsum((gamma * lam) ** (j - k) * delta[j] for j in range(k, len(steps)))
    return a


def gae_all(r, v, end, cu, mask, o, given_v):
    a, g = [], []
    for b in range(len(cu) - 1):
        s = slice(cu[b], cu[b + 1])
        live = mask[s]
        count = sum(live)
        policy = mpf(o["lambda_policy"])
        if o["length_alpha"]:
            x = mpf(o["length_alpha"]) * count
            policy = max(mpf(0), 1 - 1 / max(x, mpf(1)))
        row = gae_row(r[s], v[s], live, end[b], o["masks"], mpf(o["gamma"]), policy)
        ret = gae_row(r[s], v[s], live, end[b], o["masks"], mpf(o["gamma"]), mpf(o["lambda_value"]))
        a += row
        g += [x + y if m else mpf(0) for x, y, m in zip(ret, v[s], live)]
    return a, g


def gae_cases():
    for shapes in ([5, 5, 5, 5, 5], [7, 0, 1, 12, 3], [4, 4]):
        for masks in ("carry", "zero", "ignore"):
            for gamma, lp, lv, alpha, values, bootstrap in (
                (1.0, 1.0, 1.0, 0, True, False), (0.99, 0.95, 0.95, 0, True, True), (0.9, 0.3, 1.0, 0, True, False),
                (1.0, 1.0, 1.0, 0.4, True, True), (0.95, 0.0, 0.5, 0, True, True), (0.0, 0.5, 0.5, 0, True, True),
                (0.97, 1.0, 1.0, 0, False, False), (1.0, 1.0, 1.0, 0, False, True),
            ):  # fmt: skip
                cu, mask = sequences(shapes)
                n, b = cu[-1], len(shapes)
                r = [R.gauss(0, 1) for _ in range(n)]
                v = [R.gauss(0, 2) if values else 0.0 for _ in range(n)]
                end = [R.gauss(0, 2) if bootstrap else 0.0 for _ in range(b)]
                base = [R.gauss(0, 1) if not values else 0.0 for _ in range(b)]
                o = dict(masks=masks, gamma=gamma, lambda_policy=lp, lambda_value=lv, length_alpha=alpha)
                exact = lambda x: [mpf(y) for y in x]
                rm, vm, em = exact(r), exact(v), exact(end)
                a, g = gae_all(rm, vm, em, cu, mask, o, values)
                if not values:
                    a = [x - mpf(base[i]) if mask[t] else mpf(0) for i in range(b) for t, x in enumerate(a) if cu[i] <= t < cu[i + 1]]
                ga, gr = ([R.gauss(0, 1) for _ in range(n)] for _ in range(2))

                def loss(r, v, e):
                    x, y = gae_all(r, v, e, cu, mask, o, values)
                    return mp.fsum(mpf(p) * q for p, q in zip(ga + gr, x + y))

                zero = ([mpf(0)] * n, [mpf(0)] * n, [mpf(0)] * b)
                # the map is linear: its columns are what it makes of unit vectors
                def column(which, i):
                    x = [list(z) for z in zero]
                    x[which][i] = mpf(1)
                    return loss(*x)

                grads = [[column(w, i) for i in range(len(zero[w]))] for w in range(3)]
                case("gae", dict(values=int(values), **o),
                     dict(rewards=r, values=v, value_end=end, baseline=base, cu=cu, mask=mask, grad_advantages=ga, grad_returns=gr),
                     dict(advantages=a, returns=g, grad_rewards=grads[0], grad_values=grads[1], grad_value_end=grads[2]))  # fmt: skip


def whiten_cases():
    for n in (0, 1, 2, 3, 10, 57):
        for at in (0.0, 1e4, -3.0):
            for kind in ("unbiased", "population"):
                for eps_kind in ("add", "skip_zero", "variance_add", "variance_max"):
                    for keep, counted, eps in ((0, 0, 1e-8), (1, 0, 0.01), (0, 1, 1e-4)):
                        x = [at + R.choice([0.0, 0.1, 0.2, 0.3, R.gauss(0, 1)]) for _ in range(n)]
                        if n == 3:
                            x = [at + 0.1] * 3
                        mask = [0 if R.random() < 0.2 else 1 for _ in range(n)]
                        counts = [R.randrange(4) if counted else 1 for _ in range(n)]
                        each = [mpf(a) for a, m, c in zip(x, mask, counts) for _ in range(c * m)]
                        result = [mpf(0)] * n
                        if len(each) > 1:
                            m, v, e = mean(each), var(each, kind), mpf(eps)
                            s = {"add": mp.sqrt(v) + e, "skip_zero": mp.sqrt(v) + e if v else mpf(1),
                                 "variance_add": mp.sqrt(v + e), "variance_max": mp.sqrt(max(v, e))}[eps_kind]  # fmt: skip
                            for i in range(n):
                                if mask[i] and counts[i]:
                                    result[i] = (mpf(x[i]) - m) / s + (m if keep else 0)
                        case("whiten", dict(std=kind, eps_kind=eps_kind, keep=keep, eps=eps),
                             dict(values=x, mask=mask, counts=counts), dict(values=result))  # fmt: skip


def baseline_cases():
    for shapes, ids in (([6, 6, 6, 6], [0, 0, 1, 1]), ([5, 9, 2, 7, 7, 3], [0, 1, 0, 1, 1, 2]), ([4, 4, 8], [0, 0, 0])):
        for alignment in ("position", "live_index"):
            for keep, weighted, eps in ((0, 0, 1e-8), (1, 1, 0.25)):
                cu, mask = sequences(shapes)
                n, b = cu[-1], len(shapes)
                r = [R.gauss(0, 1) for _ in range(n)]
                l = [-R.random() * 6 for _ in range(n)]
                s = [min(0.0, max(2 * x, x + R.uniform(-1, 1))) for x in l]
                w = [R.uniform(0.5, 2) if weighted else 1.0 for _ in range(n)]
                live = [[t for t in range(cu[i], cu[i + 1]) if mask[t]] for i in range(b)]
                index = lambda i, t: t - cu[i] if alignment == "position" else live[i].index(t)
                togo = {t: mp.fsum(mpf(r[u]) for u in live[i] if u >= t) for i in range(b) for t in live[i]}
                v = lambda t: (1 - 2 * mp.exp(mpf(l[t])) + mp.exp(mpf(s[t]))) * mpf(w[t]) ** 2
                path = {t: mp.fsum(v(u) for u in live[i] if u <= t) for i in range(b) for t in live[i]}
                adv, base = [mpf(0)] * n, [mpf(0)] * n
                for rows in by_group(ids).values():
                    ends = sorted((index(i, live[i][-1]) + 1 if live[i] else 0) for i in rows)
                    for i in rows:
                        for t in live[i]:
                            at = index(i, t)
                            there = [u for j in rows for u in live[j] if index(j, u) == at]
                            x = mp.fsum(togo[u] * path[u] for u in there) / (mp.fsum(path[u] for u in there) + mpf(eps))
                            if len(rows) == 1 or not keep and at >= ends[-2]:
                                x = mpf(0)
                            adv[t], base[t] = togo[t] - x, x
                case("optimal_token_baseline", dict(alignment=alignment, keep=keep, eps=eps),
                     dict(rewards=r, logps=l, log_sum_sq=s, weights=w, cu=cu, mask=mask, ids=ids),
                     dict(advantages=adv, baseline=base))  # fmt: skip


def prime_cases():
    for shapes, ids in (([6, 6, 6, 6], [0, 0, 1, 1]), ([5, 0, 2, 7, 7, 3], [0, 1, 0, 1, 1, 0]), ([4, 4, 8], [0, 0, 0])):
        for coef in ((1.0, 1.0), (5.0, 0.5), (0.0, 1.0)):
            cu, mask = sequences(shapes)
            n, b = cu[-1], len(shapes)
            q = [R.gauss(0, 1) + 10 for _ in range(n)]
            acc = [float(R.randrange(2)) for _ in range(b)]
            live = [[t for t in range(cu[i], cu[i + 1]) if mask[t]] for i in range(b)]
            token = [mpf(0)] * n
            for rows in by_group(ids).values():
                k = len(rows)
                total = mp.fsum(mean([mpf(q[t]) for t in live[i]]) for i in rows if live[i])
                outcomes = mp.fsum(mpf(acc[i]) for i in rows if live[i])
                for i in rows:
                    for t in live[i]:
                        token[t] = mpf(coef[0]) * (k * mpf(q[t]) - total) / (k - 1)
                        if t == live[i][-1]:
                            token[t] += mpf(coef[1]) * (k * mpf(acc[i]) - outcomes) / (k - 1)
            ret = [mp.fsum(token[u] for i in range(b) for u in live[i] if cu[i] <= t < cu[i + 1] and u >= t) if mask[t] else mpf(0) for t in range(n)]
            case("prime_advantage", dict(process_coef=coef[0], outcome_coef=coef[1]),
                 dict(process=q, outcome=acc, cu=cu, mask=mask, ids=ids), dict(returns=ret))  # fmt: skip


def distill_cases():
    for shapes in ([6, 6, 6], [5, 0, 1, 9]):
        for spread in (0.01, 1.0, 5.0):
            for form, p in (
                ("opd", (1.0, "inf")), ("opd", (0.5, 0.3)), ("opd2", (1.0, 4.0)), ("opd3", (2.0, "inf")), ("iw_opd", (0.5,)), ("iw_opd", (2.0,)),
                ("rlsd", (0.5, 0.2)), ("rlsd", (1.0, 0.5)), ("minillm", (0.0,)), ("minillm", (0.9,)), ("minillm_length", (0.9,)),
                ("minillm_length", (1.0,)), ("minillm_power", (0.8,)),
            ):  # fmt: skip
                cu, mask = sequences(shapes)
                n, b = cu[-1], len(shapes)
                o = [-R.random() * 4 for _ in range(n)]
                t_ = [x + R.gauss(0, spread) for x in o]
                a = [R.choice([0.0, R.gauss(0, 1)]) for _ in range(n)]
                d = [mpf(y) - mpf(x) for x, y in zip(o, t_)]
                live = [[t for t in range(cu[i], cu[i + 1]) if mask[t]] for i in range(b)]
                result = [mpf(0)] * n
                for i in range(b):
                    for t in live[i]:
                        if form.startswith("opd"):
                            k = {"opd": -d[t], "opd2": d[t] ** 2 / 2, "opd3": mp.exp(d[t]) - d[t] - 1}[form]
                            bound = mp.inf if p[1] == "inf" else mpf(p[1])
                            result[t] = mpf(a[t]) - mpf(p[0]) * min(max(k, -bound), bound)
                        elif form == "iw_opd":
                            before = mp.fsum(abs(d[u]) for u in live[i] if u < t)
                            total = mp.fsum(abs(d[u]) for u in live[i])
                            result[t] = d[t] * (1 + mpf(p[0]) * (1 - before / max(total, mpf(1e-8))))
                        elif form == "rlsd":
                            e = mpf(p[1])
                            s = d[t] * mp.sign(a[t])
                            result[t] = mpf(a[t]) * ((1 - mpf(p[0])) + mpf(p[0]) * min(max(mp.exp(s), 1 - e), 1 + e))
                        else:
                            g = mpf(p[0])
                            later = [u for u in live[i] if u >= t]
                            power = lambda u: g ** (u - t) if u > t else mpf(1)
                            x = mp.fsum(power(u) * d[u] for u in later)
                            if form == "minillm_length":
                                x /= mp.fsum(power(u) for u in later)
                            if form == "minillm_power":
                                x *= g ** (t - cu[i])
                            result[t] = x
                if form.startswith(("iw", "mini")):
                    a = []
                params = {f"p{k}": x for k, x in enumerate(p)}
                case("distill_advantage", dict(form=form, **params),
                     dict(student=o, teacher=t_, advantages=a, cu=cu, mask=mask), dict(advantages=result))  # fmt: skip


def small_cases():
    for log in (-40.0, -1.5, 0.0, 0.7, 3.0, 700.0):
        r, c = ([R.gauss(0, 1) for _ in range(8)] for _ in range(2))
        mask = [1, 1, 0, 1, 1, 1, 0, 1]
        lam = mp.exp(mpf(log))
        j = R.gauss(0, 1)
        case("lagrangian_advantage", dict(log_lambda=log, mean_cost=j, limit=0.25), dict(reward=r, cost=c, mask=mask),
             dict(advantages=[(mpf(x) - lam * mpf(y)) / (1 + lam) if m else mpf(0) for x, y, m in zip(r, c, mask)],
                  grad=[-(mpf(j) - mpf(0.25)) * lam]))  # fmt: skip
    for granularity in ("batch", "sequence", "token"):
        for clip in (0.2, 0.0, 0.5):
            cu, mask = sequences([5, 5, 1, 3])
            n = cu[-1]
            l = [-R.random() * 3 for _ in range(n)]
            anchor = [x - R.choice([0.0, 0.1, 0.5, -0.4]) for x in l]
            a = [[R.gauss(0, 1) for _ in range(n)] for _ in range(3)]
            scopes = {"batch": [range(n)], "sequence": [range(x, y) for x, y in zip(cu, cu[1:])], "token": [[t] for t in range(n)]}[granularity]
            table = []
            for row in a:
                for scope in scopes:
                    live = [t for t in scope if mask[t]]
                    kept = [mpf(row[t]) for t in live if row[t] > 0 and mp.exp(mpf(l[t]) - mpf(anchor[t])) <= 1 + mpf(clip)]
                    table.append(mp.fsum(kept) / len(live) if live else mpf(0))
            case("pama_scalars", dict(granularity=granularity, clip_high=clip),
                 dict(advantages=[x for row in a for x in row], logps=l, anchor=anchor, cu=cu, mask=mask), dict(scalars=table))  # fmt: skip
    for unit in (0, 1):
        for n in (1, 2, 5):
            x = [[R.gauss(0, 1) for _ in range(20)] for _ in range(n)]
            mask = [0 if R.random() < 0.2 else 1 for _ in range(20)]
            dot = lambda p, q: mp.fsum(mpf(u) * mpf(v) for u, v, m in zip(p, q, mask) if m)
            g = [dot(p, q) / (mp.sqrt(dot(p, p)) * mp.sqrt(dot(q, q)) if unit else sum(mask)) for p in x for q in x]
            case("gram_matrix", dict(n=n, unit=unit), dict(values=[v for row in x for v in row], mask=mask), dict(gram=g))
    for k in (1, 2, 3):
        for by_sequence in (0, 1):
            for coef, clamp, low, high in ((0.05, "inf", "-inf", "inf"), (0.1, 0.5, -1.0, 0.75), (0.0, "inf", "-inf", "inf")):
                cu, mask = sequences([5, 5, 0, 1, 8])
                n, b = cu[-1], 5
                o = [-R.random() * 3 for _ in range(n)]
                ref = [x + R.gauss(0, 0.7) for x in o]
                reward = [R.gauss(0, 2) for _ in range(b)]
                bound = mp.inf if clamp == "inf" else mpf(clamp)
                z = [mpf(y) - mpf(x) for x, y in zip(o, ref)]
                est = [{1: -x, 2: x * x / 2, 3: mp.exp(x) - 1 - x}[k] for x in z]
                est = [min(max(x, -bound), bound) for x in est]
                own = [x if low == "-inf" else min(max(mpf(x), mpf(low)), mpf(high)) for x in map(mpf, reward)]
                live = [[t for t in range(cu[i], cu[i + 1]) if mask[t]] for i in range(b)]
                kl = [mp.fsum(est[t] for t in rows) for rows in live]
                if by_sequence:
                    res = [x - mpf(coef) * y for x, y in zip(own, kl)]
                else:
                    res = [mpf(0)] * n
                    for i, rows in enumerate(live):
                        for t in rows:
                            res[t] = (own[i] if t == rows[-1] else 0) - mpf(coef) * est[t]
                case("token_reward", dict(estimator=k, by_sequence=by_sequence, coef=coef, clamp=clamp, low=low, high=high),
                     dict(old=o, ref=ref, rewards=reward, cu=cu, mask=mask), dict(rewards=res, kl=kl))  # fmt: skip
    for kl in (0.0, 0.05, 0.0999, 0.1, 0.11, 4.0):
        for coef in (0.0, 0.2):
            e = min(max(mpf(kl) / mpf(0.1) - 1, mpf(-0.2)), mpf(0.2))
            case("kl_controller", {}, dict(measured=[kl], coef=[coef], params=[0.1, 256.0, 10000.0]),
                 dict(coef=[mpf(coef) * (1 + e * 256 / 10000)]))  # fmt: skip
    for h in (0.0, 0.19, 0.2, 0.21, 3.0):
        for coef in (0.0, 0.003, 0.5, 0.999):
            x = mpf(coef) + (mpf(0.005) if mpf(h) <= mpf(0.2) else -mpf(0.005))
            x = min(max(x, mpf(0)), mpf(1))
            case("entropy_controller", {}, dict(measured=[h], coef=[coef], params=[0.2, 0.005, 0.0, 1.0]),
                 dict(coef=[x], applied=[x if mpf(h) <= mpf(0.2) else mpf(0)]))  # fmt: skip


def weight_cases():
    """Weights of objectives: of an interval by its ends, of least norm by the optimality of every support."""
    for n in (1, 2, 3, 5):
        for at in (0.0, 3.0, -3.0):
            x = [R.gauss(at, 1) for _ in range(n)] if n != 3 else [at, at, at + 1.0]
            low, high = min(x), max(x)
            value = min(max(mpf(0), mpf(low)), mpf(high))
            w = [mpf(0)] * n
            if low > 0 or high < 0 or low == high == 0:
                w[x.index(low if low >= 0 else high)] = mpf(1)
            else:
                span = mpf(high) - mpf(low)
                w[x.index(low)], w[x.index(high)] = mpf(high) / span, -mpf(low) / span
            case("interval_weights", dict(n=n), dict(scalars=x), dict(value=[value], weights=w))
    for n in (2, 3, 4, 6, 9):
        for shift in (0.0, 0.4, 2.0):
            g = [[R.gauss(shift, 1) for _ in range(n + 1)] for _ in range(n)]
            # a Gram matrix that f64 holds: of products rounded to it
            m = [[float(mp.fsum(mpf(a) * mpf(b) for a, b in zip(g[max(i, j)], g[min(i, j)]))) for j in range(n)] for i in range(n)]
            best = None
            for bits in range(1, 2**n):
                rows = [i for i in range(n) if bits >> i & 1]
                k = len(rows)
                a = mp.matrix(k + 1, k + 1)
                for i in range(k):
                    a[i, k] = a[k, i] = mpf(1)
                    for j in range(k):
                        a[i, j] = mpf(m[rows[i]][rows[j]])
                solution = mp.lu_solve(a, mp.matrix([mpf(0)] * k + [mpf(1)]))
                c = [mpf(0)] * n
                for i in range(k):
                    c[rows[i]] = solution[i]
                seen = [mp.fsum(mpf(m[i][j]) * c[j] for j in range(n)) for i in range(n)]
                value = mp.fsum(c[i] * seen[i] for i in range(n))
                if min(c) >= 0 and min(seen) >= value - mpf(10) ** -40:
                    best = (c, value)
            case("min_norm_weights", dict(n=n), dict(gram=[x for row in m for x in row]), dict(weights=best[0], value=[best[1]]))


if __name__ == "__main__":
    for make in (group_cases, multi_cases, gae_cases, whiten_cases, baseline_cases, prime_cases, distill_cases, small_cases,
                 weight_cases):  # fmt: skip
        make()
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "advantage.txt"), "w") as f:
        f.write("\n".join(out) + "\n")
    print(f"{cases} cases", file=sys.stderr)
