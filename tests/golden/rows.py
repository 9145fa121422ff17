"""Golden rows of the log-prob of logits: writes rows.txt next to itself.  Needs mpmath only.

Nothing of the library is imported. The formulas are the textbook ones at 50 digits: log softmax, its entropy
-sum p log p, log sum p^2, and the derivatives of the three figures through the transform of the logits
(bias, scale, Gemma's softcap c tanh(./c) as in "Gemma 2", arXiv 2408.00118, temperature).

A line: seed v step offset gap dead bias | target scale softcap temperature | figures... | gradients...
`step`, `offset`, `gap` are multiples of powers of two, so every logit below is exact in f32:

    hash(seed, j)  = ((seed * 2654435761 + j * 40503 + 12345) mod 2^32 * 2246822519 mod 2^32) >> 16    (16 bits)
    logit j        = (hash(seed, j) - 32768) * step + offset, plus gap at column v // 2
    logit j        = -inf where dead > 0 and hash(seed + 1, j) mod dead == 0 and j != v // 2
    bias j         = (hash(seed + 2, j) mod 64) / 16 - 2 where bias is 1

Figures: logprob lse entropy log_sum_sq. Gradients: for each of logprob, lse and entropy the derivative with respect to
the raw logits at the target, the maximum, column 0 and column v - 1. Everything has 20 digits; -inf is written so.
"""
import os
import struct
from mpmath import mp, mpf

mp.dps = 50
MASK = 0xFFFFFFFF


def hash16(seed, j):
    return (((seed * 2654435761 + j * 40503 + 12345) & MASK) * 2246822519 & MASK) >> 16


def row(seed, v, step, offset, gap, dead):
    z = []
    for j in range(v):
        x = (hash16(seed, j) - 32768) * step + offset
        if j == v // 2:
            x += gap
        elif dead and hash16(seed + 1, j) % dead == 0:
            x = None
        assert x is None or struct.unpack("f", struct.pack("f", x))[0] == x, "a logit that f32 cannot hold"
        z.append(x)
    return z


def figures(case):
    seed, v, step, offset, gap, dead, bias, target, s, c, t = case
    z = row(seed, v, step, offset, gap, dead)
    s, c, t = mpf(s), mpf(c), mpf(t)
    x, slope = [], []
    for j, zj in enumerate(z):
        if zj is None:
            x.append(None)
            slope.append(mpf(0))
            continue
        w = s * (mpf(zj) + (mpf(hash16(seed + 2, j) % 64) / 16 - 2 if bias else 0))
        x.append((c * mp.tanh(w / c) if c else w) / t)
        slope.append(s / t * (mp.sech(w / c) ** 2 if c else 1))
    live = [a for a in x if a is not None]
    m = max(live)
    lse = m + mp.log(mp.fsum(mp.exp(a - m) for a in live))
    logp = [None if a is None else a - lse for a in x]
    p = [mpf(0) if a is None else mp.exp(a) for a in logp]
    entropy = -mp.fsum(a * b for a, b in zip(p, logp) if b is not None)
    square = mp.log(mp.fsum(a * a for a in p))
    out = [logp[target], lse, entropy, square]
    grads = []
    for j in (target, x.index(m), 0, v - 1):
        if x[j] is None:
            grads.append((mpf(0), mpf(0), mpf(0)))
            continue
        grads.append((((1 if j == target else 0) - p[j]) * slope[j], p[j] * slope[j], -p[j] * (logp[j] + entropy) * slope[j]))
    dead_target = x[target] is None
    return out, [mpf(0) if dead_target else g[k] for k in range(3) for g in grads]


def text(a):
    return "-inf" if a is None else mp.nstr(a, 20, min_fixed=0, max_fixed=0)


def cases():
    seed = 1
    transforms = [(1, 0, 1), (1, 0, 0.7109375), (1.25, 16, 1), (0.5, 30, 1.5)]
    for v in (1, 2, 3, 17, 31, 32, 33, 500, 2047, 2048, 2049, 4, 5, 7, 8, 15, 16, 18, 63, 64, 65, 100, 129, 256, 48, 6):
        for step, offset, gap, dead in (
            (2.0**-12, 0, 0, 0),  # spread +-8
            (2.0**-12, 0, 0, 3),  # a third dead
            (2.0**-9, 0, 0, 0),  # +-64
            (2.0**-18, 0, 20, 0),  # near-certain
            (2.0**-18, 0, 25, 5),
            (2.0**-13, 16384, 0, 0),  # common offset
            (2.0**-16, -1048576, 30, 0),
            (0.0, 3, 0, 0),  # equal logits
        ):
            if offset:
                # what is left of 24 bits
                step = max(step, 2.0**-8 if offset > 0 else 2.0**-3)
            for k, (s, c, t) in enumerate(transforms):
                if k and (v in (3, 31, 32, 2047) or offset):
                    continue
                for target in sorted({v // 2, (seed * 7919) % v}):
                    yield (seed, v, step, offset, gap, dead, k % 2, target, s, c, t)
                    seed += 5


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "rows.txt"), "w") as f:
        for case in cases():
            out, grads = figures(case)
            head = " ".join(repr(float(a)) if isinstance(a, float) else str(a) for a in case)
            f.write(f"{head} | {' '.join(map(text, out))} | {' '.join(map(text, grads))}\n")
