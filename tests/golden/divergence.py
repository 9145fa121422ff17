"""Golden rows of the divergences: writes divergence.txt next to itself.  Needs mpmath only.

Nothing of the library is imported: every value is its textbook sum over two softmax rows at 60 digits (t the teacher, p the
student), every gradient the chain rule of the softmax over the plain partial derivatives, p_j dD/dp_j - p_j sum p dD/dp. For
rows of at most 3 columns each gradient is checked against central differences of the value here.

A line "row": seed v bits step move offset dead, with hash(seed, j) as in rows.py and all logits exact in f32:

    student j = floor((hash(seed, j) - 32768) / 2^bits) * step, -inf where dead & 1 and hash(seed + 1, j) mod 5 == 0
    teacher j = student j + (hash(seed + 2, j) mod 16 - 8) * move + offset (from the student before its death),
                -inf where dead & 2 and hash(seed + 3, j) mod 7 == 0

then one line a kind: name param limits | value | largest |gradient| of student and teacher | four gradients of the student,
four of the teacher, at the columns argmax t, argmax p, hash(seed + 5, 0) mod v, hash(seed + 5, 1) mod v.
"""
import os
import struct
import sys
from mpmath import mp, mpf
from rows import hash16

mp.dps = 60


def exact(a):
    return struct.unpack("f", struct.pack("f", a))[0] == a


def rows(seed, v, bits, step, move, offset, dead):
    student, teacher = [], []
    for j in range(v):
        x = ((hash16(seed, j) - 32768) >> bits) * step
        y = x + (hash16(seed + 2, j) % 16 - 8) * move + offset
        assert exact(x) and exact(y), "a logit that f32 cannot hold"
        student.append(None if dead & 1 and hash16(seed + 1, j) % 5 == 0 else mpf(x))
        teacher.append(None if dead & 2 and hash16(seed + 3, j) % 7 == 0 else mpf(y))
    return student, teacher


def softmax(x):
    m = max(a for a in x if a is not None)
    e = [mpf(0) if a is None else mp.exp(a - m) for a in x]
    s = mp.fsum(e)
    return [a / s for a in e]


def xlog(a, b):
    """a log(a / b)"""
    return mpf(0) if a == 0 else mp.inf if b == 0 else a * mp.log(a / b)


def power(a, s):
    if a == 0:
        return mpf(0) if s > 0 else mp.inf
    return a**s


# Each kind: (t, p, parameter) -> value, [p dD/dp], [t dD/dt]


def kl(a, b):
    """KL(a || b), [a dD/da] less a constant times a, [b dD/db]"""
    v = [xlog(x, y) for x, y in zip(a, b)]
    return (mp.inf if mp.inf in v else mp.fsum(v)), v, [-x for x in a]


def forward_kl(t, p, _):
    v, dt, dp = kl(t, p)
    return v, dp, dt


def reverse_kl(t, p, _):
    return kl(p, t)


def mixed_kl(t, p, w):
    f, fp, ft = forward_kl(t, p, 0)
    r, rp, rt = reverse_kl(t, p, 0)
    mix = lambda x, y: [w * a + (1 - w) * b for a, b in zip(x, y)]
    return w * f + (1 - w) * r, mix(fp, rp), mix(ft, rt)


def jeffreys(t, p, _):
    v, dp, dt = mixed_kl(t, p, mpf(1) / 2)
    return 2 * v, [2 * x for x in dp], [2 * x for x in dt]


def skewed(a, b, w):
    """KL(a || M), M = w a + (1 - w) b, [a dD/da], [b dD/db]"""
    m = [w * x + (1 - w) * y for x, y in zip(a, b)]
    v = mp.fsum(xlog(x, y) for x, y in zip(a, m))
    da = [xlog(x, y) - (w * x * x / y if y else 0) + x for x, y in zip(a, m)]
    db = [-(1 - w) * x * y / z if z else mpf(0) for x, y, z in zip(a, b, m)]
    return v, da, db


def skew_kl(t, p, w):
    v, dt, dp = skewed(t, p, w)
    return v, dp, dt


def skew_reverse_kl(t, p, w):
    return skewed(p, t, w)


def jsd(t, p, w):
    f, ft, fp = skewed(t, p, w)
    r, rp, rt = skewed(p, t, 1 - w)
    mix = lambda x, y: [w * a + (1 - w) * b for a, b in zip(x, y)]
    return w * f + (1 - w) * r, mix(fp, rp), mix(ft, rt)


def powers(t, p, s):
    a = [mpf(0) if x == 0 and y == 0 else power(x, s) * power(y, 1 - s) for x, y in zip(t, p)]
    return a, mp.inf if mp.inf in a else mp.fsum(a)


def renyi(t, p, s):
    a, total = powers(t, p, s)
    if total in (0, mp.inf):
        return mp.inf, None, None
    return mp.log(total) / (s - 1), [-x / total for x in a], [s / (s - 1) * x / total for x in a]


def alpha(t, p, s):
    a, total = powers(t, p, s)
    if total == mp.inf:
        return mp.inf, None, None
    return (1 - total) / (s * (1 - s)), [-x / s for x in a], [-x / (1 - s) for x in a]


def hellinger2(t, p, _):
    g = [mp.sqrt(x * y) for x, y in zip(t, p)]
    return 1 - mp.fsum(g), [-x / 2 for x in g], [-x / 2 for x in g]


def chi(a, b):
    if any(x > 0 and y == 0 for x, y in zip(a, b)):
        return mp.inf, None, None
    live = lambda x, y, z: z if y > 0 else mpf(0)
    v = mp.fsum(live(x, y, (x - y) ** 2 / y if y else 0) for x, y in zip(a, b))
    return v, [2 * x * (x - y) / y if y else mpf(0) for x, y in zip(a, b)], [-x * x / y if y else mpf(0) for x, y in zip(a, b)]


def chi2(t, p, _):
    v, dt, dp = chi(t, p)
    return v, dp, dt


def chi2_reverse(t, p, _):
    return chi(p, t)


def tvd(t, p, _):
    s = [mp.sign(x - y) for x, y in zip(t, p)]
    v = mp.fsum(abs(x - y) for x, y in zip(t, p)) / 2
    return v, [-x * y / 2 for x, y in zip(s, p)], [x * y / 2 for x, y in zip(s, t)]


def cosine(a, b):
    n, m = mp.sqrt(mp.fsum(x * x for x in a)), mp.sqrt(mp.fsum(x * x for x in b))
    if n == 0 or m == 0:
        return None
    c = mp.fsum(x * y for x, y in zip(a, b)) / (n * m)
    da = [-(y / (n * m)) + c * x / (n * n) for x, y in zip(a, b)]
    db = [-(x / (n * m)) + c * y / (m * m) for x, y in zip(a, b)]
    return 1 - c, da, db


def cosine_probs(t, p, _):
    v, dt, dp = cosine(t, p)
    return v, [x * y for x, y in zip(dp, p)], [x * y for x, y in zip(dt, t)]


def cross_entropy(t, p, _):
    v = [mpf(0) if x == 0 else mp.inf if y == 0 else -x * mp.log(y) for x, y in zip(t, p)]
    return (mp.inf if mp.inf in v else mp.fsum(v)), [-x for x in t], v


def reverse_cross_entropy(t, p, _):
    v, dt, dp = cross_entropy(p, t, 0)
    return v, dp, dt


KINDS = [
    ("forward_kl", forward_kl, None), ("reverse_kl", reverse_kl, None), ("mixed_kl", mixed_kl, 0.3),
    ("jeffreys", jeffreys, None), ("jsd", jsd, 0.5), ("jsd", jsd, 0.1), ("jsd", jsd, 0.95), ("jsd_scaled", jsd, 0.3),
    ("skew_kl", skew_kl, 0.1), ("skew_kl", skew_kl, 0.7), ("skew_reverse_kl", skew_reverse_kl, 0.1),
    ("renyi", renyi, 0.5), ("renyi", renyi, 0.125), ("renyi", renyi, 2.0), ("renyi", renyi, 5.0),
    ("alpha", alpha, 0.5), ("alpha", alpha, 0.25), ("alpha", alpha, 2.0), ("alpha", alpha, 3.0), ("alpha", alpha, -1.0),
    ("hellinger2", hellinger2, None), ("chi2", chi2, None), ("chi2_reverse", chi2_reverse, None), ("tvd", tvd, None),
    ("cosine_probs", cosine_probs, None), ("cosine_logits", None, None), ("cross_entropy", cross_entropy, None),
    ("reverse_cross_entropy", reverse_cross_entropy, None),
]


def evaluate(name, f, param, x, y):
    """value, gradient of the student's logits x, of the teacher's y"""
    if f is None:
        live = [a is not None and b is not None for a, b in zip(x, y)]
        zero = lambda z: [a if l else mpf(0) for a, l in zip(z, live)]
        c = cosine(zero(y), zero(x))
        if c is None:
            return mpf(0), zero([mpf(0)] * len(x)), zero([mpf(0)] * len(x))
        return c[0], zero(c[2]), zero(c[1])
    t, p = softmax(y), softmax(x)
    w = mpf(0) if param is None else mpf(param)
    v, dp, dt = f(t, p, w)
    if v == mp.inf:
        return v, None, None
    sp, st = mp.fsum(dp), mp.fsum(dt)
    factor = 1 / (w * (1 - w)) if name == "jsd_scaled" else mpf(1)
    return v * factor, [factor * (a - b * sp) for a, b in zip(dp, p)], [factor * (a - b * st) for a, b in zip(dt, t)]


def check(name, f, param, x, y):
    """central differences"""
    v, gx, gy = evaluate(name, f, param, x, y)
    if v == mp.inf or name == "tvd":
        return
    h = mpf(10) ** -20
    for side, g in ((0, gx), (1, gy)):
        for j in range(len(x)):
            if (x, y)[side][j] is None:
                assert g[j] == 0
                continue
            ends = []
            for step in (h, -h):
                moved = [list(x), list(y)]
                moved[side][j] += step
                ends.append(evaluate(name, f, param, *moved)[0])
            assert abs((ends[0] - ends[1]) / (2 * h) - g[j]) < mpf(10) ** -15 * (1 + abs(g[j])), (name, side, j)


def text(a):
    return "inf" if a == mp.inf else mp.nstr(a, 17, min_fixed=0, max_fixed=0)


if __name__ == "__main__":
    n, seed = 0, 1
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "divergence.txt"), "w") as out:
        for v in (1, 2, 3, 15, 17, 100, 2049):
            for bits, step, move, offset in (
                (0, 2.0**-12, 0.0, 0),  # identical
                (0, 2.0**-16, 2.0**-23, 0),  # nearly alike
                (0, 2.0**-12, 2.0**-18, 0),
                (0, 2.0**-12, 2.0**-12, 0),
                (0, 2.0**-12, 2.0**-6, 0),
                (0, 2.0**-12, 0.25, 0),
                (0, 2.0**-12, 2.0, 0),  # far apart
                (0, 2.0**-10, 4.0, 0),  # nearly certain
                (8, 0.0625, 0.125, 1000000),  # another offset
            ):
                for dead in (0, 1, 2, 3):
                    if dead and (v == 2049 and dead != 3 or move not in (2.0**-12, 2.0, 0.25)):
                        continue
                    x, y = rows(seed, v, bits, step, move, offset, dead)
                    seed += 7
                    if all(a is None for a in x) or all(a is None for a in y):
                        continue
                    out.write(f"row {seed - 7} {v} {bits} {step} {move} {offset} {dead}\n")
                    top = lambda z: max((j for j in range(v) if z[j] is not None), key=lambda j: (z[j], -j))
                    columns = [top(y), top(x), hash16(seed - 2, 0) % v, hash16(seed - 2, 1) % v]
                    for name, f, param in KINDS:
                        if v <= 3:
                            check(name, f, param, x, y)
                        value, gx, gy = evaluate(name, f, param, x, y)
                        kind, limits = ("jsd", "scaled") if name == "jsd_scaled" else (name, "peer")
                        head = f"{kind} {param if param is not None else 'nan'} {limits} | {text(value)}"
                        if value == mp.inf:
                            out.write(head + "\n")
                        else:
                            most = text(max(map(abs, gx))), text(max(map(abs, gy)))
                            some = " ".join([text(gx[j]) for j in columns] + [text(gy[j]) for j in columns])
                            out.write(f"{head} | {' '.join(most)} | {some}\n")
                        n += 1
    print(f"{n} values", file=sys.stderr)
