"""Golden rows of tilted distributions, Renyi numbers and the best of n: writes tilt.txt next to itself.  Needs mpmath only.

Nothing of the library is imported: every number is its textbook formula at 60 digits, every gradient a central difference of
it. alpha for a target is found by bisection. A line as in operations.py: operation | name number ... | name number ...
"""
import os
import random
from mpmath import mp, mpf

mp.dps = 60
rnd = random.Random(20270115)
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


def exact(x):
    return [-mp.inf if v == -INF else mpf(v) for v in x]


def e(x):
    return mpf(0) if x == -mp.inf else mp.exp(x)


def log(x):
    return -mp.inf if x == 0 else mp.log(x)


def softmax(x):
    m = max(x)
    w = [e(v - m) for v in x]
    s = mp.fsum(w)
    return [v / s for v in w]


def differences(f, x):
    h, all = mpf(10) ** -20, []
    for i in range(len(x)):
        if x[i] == -mp.inf:
            all.append(mpf(0))
            continue
        up, down = list(x), list(x)
        up[i] += h
        down[i] -= h
        all.append((f(up) - f(down)) / (2 * h))
    return all


def tilted(l, r, alpha):
    p = softmax(l)
    w = [a * (e(alpha * b) if alpha else mpf(1)) for a, b in zip(p, r)]
    z = mp.fsum(w)
    phi = [a / z for a in w]
    mean = mp.fsum(a * b for a, b in zip(phi, r) if a)
    variance = mp.fsum(a * (b - mean) ** 2 for a, b in zip(phi, r) if a)
    kl = mp.fsum(a * mp.log(a / b) for a, b in zip(phi, p) if a)
    return log(z), mean, variance, kl, phi


def tilt(l, r, alpha, gradients=True):
    x, y, a = exact(l), exact(r), mpf(alpha)
    z, mean, variance, kl, phi = tilted(x, y, a)
    columns = dict(logps=l, rewards=r, alpha=alpha, log_z=z, mean=mean, variance=variance, kl=kl, log_tilted=[log(v) for v in phi])
    if gradients:
        for name, k in (("z", 0), ("kl", 3)):
            columns[f"{name}_logps"] = differences(lambda v: tilted(v, y, a)[k], x)
            columns[f"{name}_rewards"] = differences(lambda v: tilted(x, v, a)[k], y)
            columns[f"{name}_alpha"] = differences(lambda v: tilted(x, y, v[0])[k], [a])
    line("tilt", **columns)


def solve(l, r, target):
    x, y = exact(l), exact(r)
    low, high = mpf(0), mpf(1)
    while tilted(x, y, high)[3] < target:
        high *= 2
    for _ in range(200):
        mid = (low + high) / 2
        low, high = (mid, high) if tilted(x, y, mid)[3] < target else (low, mid)
    line("tilt_solve", logps=l, rewards=r, target=target, alpha=low)


def renyi(a, b, order):
    q, p = softmax(a), softmax(b)
    if order == mp.inf:
        return max(log(x / y) if y else mp.inf for x, y in zip(q, p) if x)
    if order == 1:
        return mp.fsum(x * (log(x / y) if y else mp.inf) for x, y in zip(q, p) if x)
    if order == 0:
        return -log(mp.fsum(y for x, y in zip(q, p) if x))
    s = mp.fsum(x**order * y ** (1 - order) if y else (mp.inf if order > 1 else mpf(0)) for x, y in zip(q, p) if x)
    return mp.log(s) / (order - 1)


def cross(a, b, order):
    if order == 1:
        return -mp.fsum(e(x) * y for x, y in zip(a, b) if x > -mp.inf)
    return log(mp.fsum(e(x + (order - 1) * y) for x, y in zip(a, b) if x > -mp.inf)) / (1 - order)


def pair(name, f, a, b, order):
    x, y, s = exact(a), exact(b), mp.inf if order == INF else mpf(order)
    value = f(x, y, s)
    columns = dict(first=a, second=b, order=order, value=value)
    if mp.isfinite(value):
        columns["grad_first"] = differences(lambda v: f(v, y, s), x)
        columns["grad_second"] = differences(lambda v: f(x, v, s), y)
    line(name, **columns)


def best(l, r, n, worst):
    p = softmax(exact(l))
    n = mpf(n)
    sign = -1 if worst else 1
    below = lambda j: mp.fsum(p[i] for i in range(len(p)) if sign * r[i] < sign * r[j])
    same = lambda j: mp.fsum(p[i] for i in range(len(p)) if r[i] == r[j])
    pmf, wins = [], mpf(0)
    for j in range(len(p)):
        mass = same(j)
        b = (below(j) + mass) ** n - below(j) ** n if mass else mpf(0)
        pmf.append(p[j] * b / mass if mass else mpf(0))
        wins += pmf[j] * (below(j) + mass / 2)
    kl = mp.fsum(a * mp.log(a / b) for a, b in zip(pmf, p) if a)
    line("best_of_n_exact", logps=l, rewards=r, n=float(n), worst=float(worst), log_pmf=[log(v) for v in pmf], kl=kl, win_rate=wins)


def estimate(l, n):
    # best-of-n: the estimator of arXiv:2401.01879 (Beirami et al.), with q the probability that the chosen draw is among n
    p, n = e(mpf(l)) if l > -INF else mpf(0), mpf(n)
    if p == 0:
        value = mp.log(n) - (n - 1) / n
    elif p == 1:
        value = mpf(0)
    else:
        none = (1 - p) ** n
        q = 1 - none
        value = none * (mp.log(n) + (n - 1) * mp.log(1 - p) - (n - 1) / n) + q * mp.log(q / p)
    with mp.workdps(60):
        line("best_of_n_kl_estimate", logp=l, n=float(n), kl=+value)


for v in (1, 2, 7, 33):
    for size in (1e-7, 0.1, 1.0, 30.0):
        for alpha in (0.0, 1e-6, 0.5, -2.0, 40.0):
            tilt(draw(v, 2.0), draw(v, size, 3.0), alpha, v <= 7)
tilt([0.5, -INF, 1.0, 0.0], [1.0, 9.0, -INF, 2.0], 1.5, False)
tilt([0.5, -INF, 1.0, 0.0], [1.0, 9.0, 0.5, 2.0], 1.5)
for v in (2, 7, 33):
    for target in (1e-12, 1e-4, 0.2):
        solve(draw(v, 1.0), draw(v, rnd.choice([0.01, 1.0, 50.0])), target)
for v in (1, 2, 6):
    for gap in (1e-7, 0.01, 1.0, 8.0):
        for order in (0.0, 0.25, 0.5, 0.999, 1.0, 1.5, 3.0, 60.0, INF):
            a = draw(v, 2.0)
            b = [x + gap * rnd.gauss(0, 1) for x in a]
            if gap == 8.0 and v == 6:
                a[2] = -INF
            pair("renyi_array", renyi, a, b, order)
            if order != INF:
                pair("renyi_cross_entropy", cross, a, b, order)
pair("renyi_array", renyi, [0.0, 1.0], [0.0, -INF], 2.0)
pair("renyi_array", renyi, [0.0, -INF, 1.0], [0.0, 0.5, -INF], 0.5)
for v in (1, 2, 9, 30):
    for n in (1.0, 1.5, 4.0, 64.0, 1e5):
        for ties in (False, True):
            r = draw(v)
            best(draw(v, 1.5), [round(x) + 0.0 for x in r] if ties else r, n, rnd.random() < 0.3)
best([0.0, -INF, 1.0], [3.0, 2.0, 1.0], 3.0, False)
# digits of 1 - p for probabilities down to e^-1e4
mp.dps = 9000
for n in (1.0, 1.5, 2.0, 8.0, 1000.0, 1e9):
    for l in (-INF, -1e4, -800.0, -40.0, -19.0, -18.0, -6.0, -1.0, -0.1, -1e-3, -1e-12, 0.0):
        estimate(l, n)

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tilt.txt"), "w") as f:
    f.write("\n".join(out) + "\n")
