"""Golden rows of the further figures and of the row loss: writes row_options.txt next to itself.  Needs mpmath only.

Rows are those of rows.py. Nothing of the library is imported; the formulas are the definitions at 50 digits: the cross
entropy of a smoothed, weighted target distribution plus z_loss lse^2 (torch's documentation of cross_entropy for label
smoothing and weights; Megatron-LM's s V / (V - 1)), DFT's p, CHORD's p (1 - p), EAFT's entropy of the 20 largest.

A line: seed v step offset gap dead bias target scale softcap temperature |
smoothing form z_loss weighted scaling alpha entropy_k | ids... |
mean_logit rank ties topk_entropy token_scale row_loss | top ids... | top log-probs... | extra log-probs... |
gradient of the row loss... | gradient of the sum of (i + 1) times extra log-prob i...

Form: 1 torch, 2 Megatron. Scaling: 0 none, 1 DFT, 2 CHORD, 3 EAFT, 4 EAFT without the third. Weighted: the weight of column
j is (hash(seed + 3, j) mod 16) / 8. Three largest columns. Gradients are those of the raw logits at the target, the maximum,
the first extra id, column 0 and column v - 1; the scaling is a constant.
"""
import os
from mpmath import mp, mpf
from rows import cases as plain_cases, hash16, row, text


def transformed(case):
    seed, v, step, offset, gap, dead, bias, target, s, c, t = case
    s, c, t = mpf(s), mpf(c), mpf(t)
    x, slope = [], []
    for j, zj in enumerate(row(seed, v, step, offset, gap, dead)):
        if zj is None:
            x.append(None)
            slope.append(mpf(0))
            continue
        w = s * (mpf(zj) + (mpf(hash16(seed + 2, j) % 64) / 16 - 2 if bias else 0))
        x.append((c * mp.tanh(w / c) if c else w) / t)
        slope.append(s / t * (mp.sech(w / c) ** 2 if c else 1))
    return x, slope


def softmax(x):
    m = max(a for a in x if a is not None)
    lse = m + mp.log(mp.fsum(mp.exp(a - m) for a in x if a is not None))
    return lse, [None if a is None else a - lse for a in x]


def entropy(x):
    lse, logp = softmax(x)
    return -mp.fsum(mp.exp(a) * a for a in logp)


def line(case, options, ids):
    seed, v, target = case[0], case[1], case[7]
    s, form, z_loss, weighted, scaling, alpha, k = options
    x, slope = transformed(case)
    live = [j for j in range(v) if x[j] is not None]
    lse, logp = softmax(x)
    p = [mpf(0) if a is None else mp.exp(a) for a in logp]
    order = sorted(live, key=lambda j: (-x[j], j))
    dead = x[target] is None
    mean = mp.fsum(x[j] for j in live) / len(live)
    rank = len(live) if dead else sum(x[j] > x[target] for j in live)
    ties = 0 if dead else sum(x[j] == x[target] for j in live) - 1
    h = entropy([x[j] for j in order[: k or 20]])
    h20 = entropy([x[j] for j in order[:20]])
    power = lambda a: mpf(1) if alpha == 0 else a ** mpf(alpha) if a > 0 else mpf(0)
    omega = [mpf(1), p[target], p[target] * (1 - p[target]), power(h20 / 3), power(h20)][scaling]

    # the target distribution q_j c_j of the smoothed, weighted cross entropy
    n, s = len(live), mpf(s)
    if form == 2:
        s = s * n / (n - 1) if n > 1 else mpf(0)
    c = [mpf(hash16(seed + 3, j) % 16) / 8 if weighted else mpf(1) for j in range(v)]
    q = [((1 - s) * (j == target) + s / n) * c[j] if x[j] is not None else mpf(0) for j in range(v)]
    if dead:
        inside = mp.inf if omega > 0 and (1 - s) * c[target] > 0 else omega * -mp.fsum(q[j] * logp[j] for j in live)
    else:
        inside = omega * -mp.fsum(q[j] * logp[j] for j in live)
    loss = inside + mpf(z_loss) * lse**2
    total = mp.fsum(q)

    def of_loss(j):
        if x[j] is None or dead:
            return mpf(0)
        return (omega * (total * p[j] - q[j]) + 2 * mpf(z_loss) * lse * p[j]) * slope[j]

    def of_extra(j):
        if x[j] is None or dead:
            return mpf(0)
        return mp.fsum((i + 1) * ((id == j) - p[j]) for i, id in enumerate(ids) if id >= 0) * slope[j]

    places = (target, order[0], ids[0], 0, v - 1)
    numbers = lambda values: " ".join("inf" if a == mp.inf else text(a) for a in values)
    top = order[:3] + [-1] * (3 - min(3, len(order)))
    return " | ".join(
        [
            " ".join(repr(float(a)) if isinstance(a, float) else str(a) for a in case),
            " ".join(map(str, options)),
            " ".join(map(str, ids)),
            f"{text(mean)} {rank} {ties} {numbers((h, omega, loss))}",
            " ".join(map(str, top)),
            numbers([None if j < 0 else logp[j] for j in top]),
            numbers([None if j < 0 else logp[j] for j in ids]),
            numbers(map(of_loss, places)),
            numbers(map(of_extra, places)),
        ]
    )


def cases():
    for i, case in enumerate(plain_cases()):
        seed, v = case[0], case[1]
        if v > 300 and i % 7:
            continue
        form = 1 + i % 2
        s = (0, 0.1, 0.25)[i % 3] if v > 1 else 0.1 * (form == 1)
        options = (s, form, (0, 0.015625)[i // 3 % 2], i // 2 % 2, i % 5, (1, 0.5, 2)[i // 5 % 3], (0, 1, 7)[i // 7 % 3])
        # the first and the last id are the same column, one is none, one may be the target or dead
        first = (seed * 31) % v
        yield case, options, (first, v // 2, -1, (seed * 7919) % v, first)


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "row_options.txt"), "w") as f:
        for c in cases():
            f.write(line(*c) + "\n")
