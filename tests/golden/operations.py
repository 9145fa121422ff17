"""Golden vectors of the operations over batches and rows of classes: writes operations.txt next to itself.  mpmath only.

Nothing of the library is imported. Values come from the textbook formulas named below, gradients from central differences
of these at 50 digits, with targets held constant where the method says so.

A line: operation | name number ... | name number ... with inputs exact in f64 and results at 20 digits.
"""
import os
import random
import sys
from mpmath import mp, mpf

mp.dps = 50
rnd = random.Random(20261127)
out = []
INF = float("inf")


def text(x):
    if isinstance(x, (int, float)):
        return repr(float(x))
    return "inf" if x == mp.inf else "-inf" if x == -mp.inf else mp.nstr(x, 20, min_fixed=0, max_fixed=0)


def line(operation, **columns):
    parts = [operation]
    for name, values in columns.items():
        values = values if isinstance(values, (list, tuple)) else [values]
        parts.append(" ".join([name, *map(text, values)]))
    out.append(" | ".join(parts))


def draw(n, size=1.0, at=0.0):
    return [at + size * rnd.gauss(0, 1) for _ in range(n)]


def differences(f, x):
    """Partials of f at x by central differences."""
    h, all = mpf(10) ** -18, []
    for i in range(len(x)):
        if x[i] == -INF:
            all.append(mpf(0))
            continue
        up, down = list(map(mpf, x)), list(map(mpf, x))
        up[i] += h
        down[i] -= h
        all.append((f(up) - f(down)) / (2 * h))
    return all


def softmax(z):
    m = max(z)
    e = [mpf(0) if a == -INF else mp.exp(mpf(a) - m) for a in z]
    s = mp.fsum(e)
    return [a / s for a in e]


def ce(t, z):
    return -mp.fsum(a * mp.log(p) for a, p in zip(t, softmax(z)) if a != 0)


# ---- numbers of items
for low, high in ((0.5, 10.0), (0.01, 100.0)):
    for _ in range(10):
        p, z = rnd.random(), rnd.gauss(0, 2)
        keep = lambda w: min(max(w, mpf(low)), mpf(high))
        line("density_ratio", params=[low, high], p=p, logit=z, want_p=keep(mpf(p) / (1 - mpf(p))), want_logit=keep(mp.exp(mpf(z))))
for alpha in (1.0, 0.3):
    for scale in (1.0, 1e-6, 1e6):
        for _ in range(4):
            r = abs(rnd.gauss(0, 1)) + 0.1
            c = r + abs(rnd.gauss(0, 1)) * scale
            line("odpo_offset", params=alpha, c=c, r=r, want_difference=alpha * mp.log(mpf(c) - mpf(r)), want_ratio=alpha * mp.log(mpf(c) / mpf(r)))
for beta, w, k in ((0.1, 0.5, 0.5), (2.0, 3.0, 0.01)):
    for d in (0.0, 1e-9, 0.3, 5.0, 1e4, -1.0):
        want = mpf(beta) * (1 + mpf(w) * (1 - mp.exp(-mpf(k) * mpf(d))))
        line("mm_beta", params=[beta, w, k], c=d, r=0.0, want=min(max(want, mpf(beta)), (1 + mpf(w)) * mpf(beta)))
for _ in range(8):
    lam, loss, step, eps = abs(rnd.gauss(0, 1)), rnd.gauss(0, 1), 0.3, 0.25
    line("pdu_dual_step", params=[step, eps], first=lam, second=loss, want=max(mpf(0), mpf(lam) + mpf(step) * (mpf(loss) - mpf(eps))))

# ---- A*-PO, Brantley et al. 2025, equation 4: V = beta log mean exp(r / beta)
for n in (1, 2, 7, 50):
    for beta in (0.5, 1e-3, 100.0):
        r = draw(n, 2.0)
        value = mpf(beta) * mp.log(mp.fsum(mp.exp(mpf(x) / mpf(beta)) for x in r) / n)
        line("a_star_value", beta=beta, rewards=r, want=value, share=softmax([mpf(x) / mpf(beta) for x in r]))

# ---- k1, k3 (Schulman 2020)
for n in (1, 5, 40):
    for size in (1e-8, 1e-3, 1.0, 30.0):
        d = draw(n, size)
        line("kl", d=d, k1=mp.fsum(map(mpf, d)), k3=mp.fsum(mp.exp(-mpf(x)) - 1 + mpf(x) for x in d))

# ---- CHES, Razin et al. 2024, definition 2
for d, nc, nr in ((1, 1, 1), (3, 2, 5), (17, 8, 4)):
    chosen, rejected = [draw(d) for _ in range(nc)], [draw(d) for _ in range(nr)]
    c = [mp.fsum(mpf(h[j]) for h in chosen) for j in range(d)]
    r = [mp.fsum(mpf(h[j]) for h in rejected) for j in range(d)]
    dot = lambda a, b: mp.fsum(x * y for x, y in zip(a, b))
    mean = dot([x / nr for x in r], [x / nc for x in c]) - dot([x / nc for x in c], [x / nc for x in c])
    line("ches", shape=[d, nc, nr], chosen=sum(chosen, []), rejected=sum(rejected, []), sum=dot(r, c) - dot(c, c), mean=mean)

# ---- rows of classes
for k in (1, 2, 3, 5, 12):
    for size in (1e-4, 1.0, 20.0):
        for dead in (False, True):
            z, q = draw(k, size), softmax(draw(k))
            q = [float(a) for a in q]
            if dead:
                if k < 3:
                    continue
                z[1], q[1] = -INF, 0.0
            total = mp.fsum(map(mpf, q))
            line("prm_ce", z=z, q=q, want=ce(q, z), grad=differences(lambda x: ce(q, x), z))
            # Epstein 1969; Brier 1950
            def rps(x):
                p = softmax(x)
                return mp.fsum(mp.fsum(p[i] - mpf(q[i]) for i in range(j + 1)) ** 2 for j in range(k - 1))
            def brier(x):
                return mp.fsum((p - mpf(a)) ** 2 for p, a in zip(softmax(x), q))
            for name, f in (("rps", rps), ("brier", brier)):
                line(name, z=z, q=q, want=f(z), grad=differences(f, z))
            # Burns et al. 2023, appendix A.4 and the authors' product loss
            for own, label in ((1.0, 1.0), (0.5, 2.0), (1.0, 0.0)):
                t = [mpf(0) if (own and p == 0) or (label and a == 0) else mp.power(p, own) * mp.power(mpf(a), label) for p, a in zip(softmax(z), q)]
                s = mp.fsum(t)
                t = [a / s for a in t]
                line("product_target", params=[own, label], z=z, q=q, want=ce(t, z), target=t, grad=differences(lambda x: ce(t, x), z))
            if k == 2:
                for c in (0.0, 0.3, 1.0):
                    for threshold in (0.2, 0.5, 0.9):
                        hard = [1, 0] if softmax(z)[0] >= mpf(threshold) else [0, 1]
                        t = [(1 - mpf(c)) * mpf(a) + mpf(c) * h for a, h in zip(q, hard)]
                        line("confidence_ce", params=c, threshold=threshold, z=z, q=q, want=ce(t, z), target=t, grad=differences(lambda x: ce(t, x), z))
            # primal-dual unlearning: (max - mean)^2 over live columns
            def flatten(x):
                live = [mpf(a) for a in x if a != -INF]
                return (max(live) - mp.fsum(live) / len(live)) ** 2
            line("pdu_flatten", z=z, want=flatten(z), grad=differences(flatten, z))
            # preference orchestrator
            r, values = draw(k), draw(k)
            t, w = softmax([mpf(a) / mpf(0.1) for a in r]), softmax(z)
            kl = lambda a, b: mp.fsum((x * mp.log(x / y) if y else mp.inf) for x, y in zip(a, b) if x)
            combine = lambda x: mp.fsum(a * mpf(b) for a, b in zip(softmax(x), values))
            to_target = differences(lambda x: kl(softmax(x), t), z)
            to_weights = [] if dead else differences(lambda x: kl(t, softmax(x)), z)
            line("orchestrator", r=r, s=z, q=values, log_target=[mp.log(a) for a in t], w=w, forward=kl(t, w), reverse=kl(w, t), combined=combine(z), grad_reverse=to_target, grad_combined=differences(combine, z), grad_forward=[a - b for a, b in zip(w, t)] if dead else to_weights)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "operations.txt"), "w") as f:
    f.write("\n".join(out) + "\n")
print(f"{len(out)} lines", file=sys.stderr)
