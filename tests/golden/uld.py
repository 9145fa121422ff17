"""Golden rows of the distance of sorted probabilities: writes uld.txt next to itself.  Needs mpmath only.

Nothing of the library is imported: 60 digits, the definition of ULD (Boizard et al. 2024, arXiv 2402.12030) and of GOLD's hybrid
of it (TRL's GOLDTrainer): columns that have a partner are compared by the terms of the Jensen-Shannon divergence (Agarwal et
al. 2023, arXiv 2306.13649, equation 1), the others sorted. Gradients are central differences of the value, with the ranks
(value descending, column ascending) and the signs of the row itself.

A line: seed v w bits step move dead k pairs beta own rest a b | value | gradient of a | argmax p, argmax t, then 6 columns of
each side, as gradients. All logits are exact in f32:

    student j = floor((hash(seed, j) - 32768) / 2^bits) * step, -inf where dead & 1 and hash(seed + 1, j) mod 5 == 0
    teacher j = floor((hash(seed + 2, j) - 32768) / 2^bits) * step * move, -inf where dead & 2 and hash(seed + 3, j) mod 7 == 0
    pair i    = columns (i * 3 + 1) mod v and (i * 5 + 2) mod w
    columns   = hash(seed + 4, i) mod v and mod w

own and rest are the factors of both parts (both 0: pairs / w and 1 less that), a and b those of the rows' probabilities. The
gradient of a is nan where two sorted probabilities differ by less than f64 can tell: their sign decides it.
"""
import os
import struct
import sys
from math import gcd
from mpmath import mp, mpf
from rows import hash16

mp.dps = 60


def exact(a):
    return struct.unpack("f", struct.pack("f", a))[0] == a


def side(seed, v, bits, step, dead, every):
    z = [((hash16(seed, j) - 32768) >> bits) * step for j in range(v)]
    assert all(map(exact, z)), "a logit that f32 cannot hold"
    return [None if dead and hash16(seed + 1, j) % every == 0 else mpf(x) for j, x in enumerate(z)]


def softmax(x, scale):
    m = max(a for a in x if a is not None)
    e = [mpf(0) if a is None else mp.exp(a - m) for a in x]
    s = mp.fsum(e)
    return [scale * a / s for a in e]


def xlog(a, b):
    """a log(a / b)"""
    return mpf(0) if a == 0 else mp.inf if b == 0 else a * mp.log(a / b)


def order(x, paired):
    free = [j for j in range(len(x)) if j not in paired]
    return sorted(free, key=lambda j: (-x[j] if x[j] is not None else mp.inf, j))


def sorted_rows(x, y, ranks, a, b):
    p, t = softmax(x, a), softmax(y, b)
    r, s = [p[j] for j in ranks[0]], [t[j] for j in ranks[1]]
    n = max(len(r), len(s))
    return p, t, r + [mpf(0)] * (n - len(r)), s + [mpf(0)] * (n - len(s))


def parts(r, s, k):
    """What counts by its absolute value: differences, and the larger of the two numbers."""
    k = min(k, len(r)) if k else len(r)
    both = list(zip(r[:k], s[:k])) + [(mp.fsum(r[k:]), mp.fsum(s[k:]))]
    return [u - v for u, v in both], [max(u, v) for u, v in both]


def distance(x, y, ranks, signs, case):
    k, pairs, beta, own, rest, a, b = case
    p, t, r, s = sorted_rows(x, y, ranks, a, b)
    sorted_part = mp.fsum(sign * d for sign, d in zip(signs, parts(r, s, k)[0]))
    if not pairs:
        return sorted_part
    terms = []
    for i, j in pairs:
        if beta == 0:
            terms.append(xlog(t[j], p[i]))
        elif beta == 1:
            terms.append(xlog(p[i], t[j]))
        else:
            m = beta * t[j] + (1 - beta) * p[i]
            terms.append(beta * xlog(t[j], m) + (1 - beta) * xlog(p[i], m))
    if own == 0 and rest == 0:
        own = mpf(len(pairs)) / len(y)
        rest = 1 - own
    compared = (mp.inf if mp.inf in terms else own * mp.fsum(terms)) if own else 0
    return compared + rest * sorted_part


def text(a):
    return "inf" if a == mp.inf else mp.nstr(a, 17)


def row(seed, v, w, bits, step, move, dead, k, m, beta, own, rest, a, b):
    x, y = side(seed, v, bits, step, dead & 1, 5), side(seed + 2, w, bits, step * move, dead & 2, 7)
    pairs = [((i * 3 + 1) % v, (i * 5 + 2) % w) for i in range(m)]
    assert gcd(3, v) == 1 and gcd(5, w) == 1 and m <= min(v, w)
    ranks = [order(x, {i for i, _ in pairs}), order(y, {j for _, j in pairs})]
    case = [k, pairs, mpf(beta), mpf(own), mpf(rest), mpf(a), mpf(b)]
    differences, sizes = parts(*sorted_rows(x, y, ranks, mpf(a), mpf(b))[2:], k)
    signs = [mp.sign(d) for d in differences]
    blurred = any(0 < abs(d) < mpf(10) ** -14 * size for d, size in zip(differences, sizes))
    value = distance(x, y, ranks, signs, case)
    h = mpf(10) ** -20

    def slope(z, j):
        if value == mp.inf or z[j] is None:
            return mpf(0)
        at = z[j]
        z[j] = at + h
        up = distance(x, y, ranks, signs, case)
        z[j] = at - h
        down = distance(x, y, ranks, signs, case)
        z[j] = at
        return (up - down) / (2 * h)

    def of_scale():
        if value == mp.inf:
            return mpf(0)
        if blurred:
            return mp.nan
        up, down = case[:], case[:]
        up[5], down[5] = case[5] + h, case[5] - h
        return (distance(x, y, ranks, signs, up) - distance(x, y, ranks, signs, down)) / (2 * h)

    top = lambda z: max((j for j in range(len(z)) if z[j] is not None), key=lambda j: (z[j], -j))
    some = [hash16(seed + 4, i) for i in range(6)]
    gx = [slope(x, j) for j in [top(x)] + [c % v for c in some]]
    gy = [slope(y, j) for j in [top(y)] + [c % w for c in some]]
    head = f"{seed} {v} {w} {bits} {step} {move} {dead} {k} {m} {beta} {own} {rest} {a} {b}"
    return f"{head} | {text(value)} | {text(of_scale())} | {' '.join(map(text, gx))} | {' '.join(map(text, gy))}"


CASES = []
for v, w in ((7, 9), (31, 20 - 1), (20, 33), (1, 3), (301, 262)):
    for bits, step, move in ((0, 2.0**-13, 1), (0, 2.0**-12, 0.5), (11, 0.5, 1), (8, 1.0, 1)):
        most = min(v, w)
        for dead in (0, 3) if v > 1 else (0,):
            base = (v, w, bits, step, move, dead)
            CASES.append((*base, 0, 0, 0, 0, 0, 1, 1))
            CASES.append((*base, 3, 0, 0, 0, 0, 1, 1))
            CASES.append((*base, 0, 0, 0, 0, 0, 0.375, 1))
            for beta in (0, 0.25, 0.5, 1):
                CASES.append((*base, 0, most // 2 + 1, beta, 0, 0, 1, 1))
            CASES.append((*base, 2, most // 2 + 1, 0.5, 0.75, 2, 1, 0.25))
            CASES.append((*base, 0, most, 0.75, 1, 0, 0.5, 1))
            CASES.append((*base, 0, most // 2 + 1, 0.5, 0, 1, 1, 1))
            CASES.append((*base, 0, most // 2 + 1, 1, 1, 1, 0.125, 0.5))

if __name__ == "__main__":
    seed = 70001
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "uld.txt"), "w") as out:
        for case in CASES:
            seed += 7
            out.write(row(seed, *case) + "\n")
    print(f"{len(CASES)} rows", file=sys.stderr)
