"""Golden rows of the token distribution shift: writes tds_rows.txt next to itself.  Needs mpmath only.

Nothing of the library is imported: rank and ties by counting, both KL from their textbook sums at 80 digits (URIAL,
arXiv:2312.01552, section 2, for eta and the classes).

A line: seed v step move offset dead | y rank ties eta class | logp_base logp_aligned kl_aligned_base kl_base_aligned
with hash(seed, j) as in rows.py, all exact in f32:

    base j    = (hash(seed, j) - 32768) * step, -inf where dead & 1 and hash(seed + 1, j) mod 5 == 0
    aligned j = base j + (hash(seed + 2, j) mod 16 - 8) * move + offset (computed from the base before its death),
                -inf where dead & 2 and hash(seed + 3, j) mod 7 == 0
    y         = hash(seed + 4, 0) mod v, or the aligned argmax where it is odd
"""
import os
import struct
import sys
from mpmath import mp, mpf
from rows import hash16

mp.dps = 80


def exact(a):
    return struct.unpack("f", struct.pack("f", a))[0] == a


def rows(seed, v, step, move, offset, dead):
    base, aligned = [], []
    for j in range(v):
        x = (hash16(seed, j) - 32768) * step
        y = x + (hash16(seed + 2, j) % 16 - 8) * move + offset
        assert exact(x) and exact(y), "a logit that f32 cannot hold"
        base.append(None if dead & 1 and hash16(seed + 1, j) % 5 == 0 else mpf(x))
        aligned.append(None if dead & 2 and hash16(seed + 3, j) % 7 == 0 else mpf(y))
    return base, aligned


def log_softmax(x):
    m = max(a for a in x if a is not None)
    lse = m + mp.log(mp.fsum(mp.exp(a - m) for a in x if a is not None))
    return [None if a is None else a - lse for a in x]


def kl(a, b):
    terms = [(p, q) for p, q in zip(a, b) if p is not None]
    if any(q is None for _, q in terms):
        return mp.inf
    return mp.fsum(mp.exp(p) * (p - q) for p, q in terms)


def text(a):
    if a is None:
        return "-inf"
    return "inf" if a == mp.inf else mp.nstr(a, 20, min_fixed=0, max_fixed=0)


if __name__ == "__main__":
    n, seed = 0, 1
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "tds_rows.txt"), "w") as f:
        for v in (1, 2, 5, 33, 100, 2047, 2049, 4500):
            for step, move, offset in (
                (2.0**-12, 0.0, 0),
                (2.0**-12, 2.0**-20, 0),  # nearly alike
                (2.0**-12, 2.0**-14, 0),
                (2.0**-12, 2.0**-8, 0),
                (2.0**-12, 2.0**-4, 0),
                (2.0**-12, 0.25, 0),
                (2.0**-12, 2.0, 0),  # far apart
                (2.0**-12, 2.0**-12, 512),  # another offset
                (2.0**-9, 2.0**-13, 0),  # near-certain
                (2.0**-9, 4.0, 0),
                (0.0, 0.125, 0),  # ties
                (0.0, 0.0, 0),
            ):
                for dead in (0, 1, 2, 3):
                    if dead and step == 2.0**-9:
                        continue
                    base, aligned = rows(seed, v, step, move, offset, dead)
                    seed += 7
                    if all(a is None for a in base) or all(a is None for a in aligned):
                        continue
                    y = hash16(seed - 3, 0)
                    top = max(a for a in aligned if a is not None)
                    y = aligned.index(top) if y % 2 else y % v
                    x = base[y]
                    rank = sum(a is not None and (x is None or a > x) for a in base)
                    ties = 0 if x is None else sum(a == x for a in base) - 1
                    eta = rank + 1
                    kind = 0 if eta == 1 else 1 if eta <= 3 else 2
                    p, q = log_softmax(base), log_softmax(aligned)
                    figures = " ".join(map(text, (p[y], q[y], kl(q, p), kl(p, q))))
                    f.write(f"{seed - 7} {v} {step} {move} {offset} {dead} | {y} {rank} {ties} {eta} {kind} | {figures}\n")
                    n += 1
    print(f"{n} rows", file=sys.stderr)
