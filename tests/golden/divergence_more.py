"""Further golden rows of the divergences: writes divergence_more.txt next to itself.  Needs mpmath only.

The textbook sums of divergence.py, which imports nothing of the library, on what is not there: rows as wide as a vocabulary that
all but agree, common offsets of either side and of both, parameters at the ends of their ranges. A line "row" has two numbers
more than there: seed v bits step move offset dead own period, own added to the student alone (its exact logits are the teacher's
base), and column j with the numbers of column j mod period. A row that repeats n columns r times has their probabilities over r:
every divergence here is the same, a cross entropy log r more, and gradients are those of the n columns over r.
"""
import os
import sys
from mpmath import mp, mpf
from divergence import KINDS, alpha, check, evaluate, exact, jsd, mixed_kl, renyi, skew_kl, skew_reverse_kl, text
from divergence import rows as base
from rows import hash16

NEAR = 2.0**-10
# what lies at the ends
ENDS = [
    ("mixed_kl", mixed_kl, 2.0**-10), ("mixed_kl", mixed_kl, 0.875), ("jsd", jsd, 2.0**-10), ("jsd", jsd, 1 - 2.0**-10),
    ("jsd_scaled", jsd, 2.0**-10), ("skew_kl", skew_kl, 2.0**-10), ("skew_kl", skew_kl, 1 - 2.0**-10),
    ("skew_reverse_kl", skew_reverse_kl, 2.0**-10), ("skew_reverse_kl", skew_reverse_kl, 1 - 2.0**-10),
    ("renyi", renyi, NEAR), ("renyi", renyi, 1 - NEAR), ("renyi", renyi, 1 + NEAR), ("renyi", renyi, 16.0),
    ("renyi", renyi, 64.0), ("alpha", alpha, NEAR), ("alpha", alpha, -NEAR), ("alpha", alpha, 1 - NEAR),
    ("alpha", alpha, 1 + NEAR), ("alpha", alpha, 8.0), ("alpha", alpha, -8.0),
]


def rows(seed, v, bits, step, move, offset, dead, own):
    x, y = base(seed, v, bits, step, move, offset, dead)
    x = [None if a is None else a + own for a in x]
    for a in x:
        assert a is None or exact(float(a)), "a logit that f32 cannot hold"
    return x, y


CASES = [
    # v, period, bits, step, move, offset, dead, own, kinds
    (128256, 1002, 0, 2.0**-16, 2.0**-23, 0, 0, 0, KINDS),
    (128256, 1002, 0, 2.0**-16, 2.0**-22, 0, 0, 0, KINDS),
    (128256, 1002, 0, 2.0**-12, 2.0**-18, 0, 0, 0, KINDS),
    (128256, 1002, 0, 2.0**-12, 2.0**-12, 0, 0, 0, KINDS),
    (128256, 1002, 0, 2.0**-12, 2.0**-9, 0, 0, 0, KINDS),
    (128256, 1002, 0, 2.0**-12, 2.0**-6, 0, 3, 0, KINDS),
    (128256, 1002, 0, 2.0**-12, 2.0**-6, 0, 0, 0, KINDS + ENDS),
]
for v in (3, 17, 300):
    for offset, own in ((0, 1000000), (1000000, 1000000), (-1000000, 1000000), (1000000, -1000000)):
        CASES.append((v, v, 8, 0.0625, 0.125, offset, 0, own, KINDS))
    for move, dead in ((0.0, 0), (2.0**-18, 0), (2.0**-6, 0), (2.0**-6, 3), (0.25, 0), (2.0, 0), (2.0, 1), (2.0, 2)):
        CASES.append((v, v, 0, 2.0**-12, move, 0, dead, 0, ENDS))

if __name__ == "__main__":
    n, seed = 0, 50001
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "divergence_more.txt"), "w") as out:
        for v, period, bits, step, move, offset, dead, own, kinds in CASES:
            seed += 7
            x, y = rows(seed, period, bits, step, move, offset, dead, own)
            repeat = v // period
            assert repeat * period == v
            if all(a is None for a in x) or all(a is None for a in y):
                continue
            out.write(f"row {seed} {v} {bits} {step} {move} {offset} {dead} {own} {period}\n")
            top = lambda z: max((j for j in range(period) if z[j] is not None), key=lambda j: (z[j], -j))
            columns = [top(y), top(x), hash16(seed + 5, 0) % v, hash16(seed + 5, 1) % v]
            for name, f, param in kinds:
                if v <= 3:
                    check(name, f, param, x, y)
                value, gx, gy = evaluate(name, f, param, x, y)
                if "cross_entropy" in name:
                    value += mp.log(repeat)
                at = lambda g, j: text(g[j % period] / repeat)
                kind, limits = ("jsd", "scaled") if name == "jsd_scaled" else (name, "peer")
                head = f"{kind} {param if param is not None else 'nan'} {limits} | {text(value)}"
                if value == mp.inf:
                    out.write(head + "\n")
                else:
                    most = text(max(map(abs, gx)) / repeat), text(max(map(abs, gy)) / repeat)
                    some = " ".join([at(gx, j) for j in columns] + [at(gy, j) for j in columns])
                    out.write(f"{head} | {' '.join(most)} | {some}\n")
                n += 1
            out.flush()
    print(f"{n} values", file=sys.stderr)
