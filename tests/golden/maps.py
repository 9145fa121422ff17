"""Golden vectors of the maps of f-divergence preference optimisation: writes maps.txt next to itself.  Needs mpmath only.

Nothing of the library is imported. Wang et al. 2023, arXiv:2309.16240, table 1: g is log f' up to constants, reverse KL x,
Jensen-Shannon log sigma(x), alpha -e^(-alpha x) / alpha (alpha 1: forward KL). Entries that divide by the lengths see
g(a) / T_c - g(b) / T_r. Inputs are exact in f64, results have 20 digits.

A line: map alpha max_exponent | a b | share_c share_r (nan without) | difference slope_a slope_b slack
`slack` is the size of what an f64 evaluation cannot know: the rounding of alpha x, times the slope.
"""
import math
import os
import random
from mpmath import mp, mpf

mp.dps = 60
rnd = random.Random(17)
nan, inf = math.nan, math.inf


def text(v):
    if mp.isinf(v) or abs(v) >= mpf(2) ** 1024:
        return "inf" if v > 0 else "-inf"
    return mp.nstr(+v, 20, min_fixed=0, max_fixed=0)


def sigma(x):
    return 1 / (1 + mp.exp(-x))


def js(a, b, c, r):
    g = lambda x: -mp.log1p(mp.exp(-x))
    return c * g(a) - r * g(b), c * sigma(-a), r * sigma(-b), abs(c * g(a)) + abs(r * g(b)) if (c, r) != (1, 1) else mpf(0)


def alpha(al, top, a, b, c, r):
    x, y = -al * a, -al * b
    e, f = mp.exp(min(x, top)), mp.exp(min(y, top))
    slack = (e * abs(x) * c + f * abs(y) * r) / abs(al) + (abs(c * e) + abs(r * f) if (c, r) != (1, 1) else 0) / abs(al)
    if c == 0:  # the larger exponential is a factor, also that of a side without tokens
        slack += r * f * abs(min(x, top) - min(y, top)) / abs(al)
    return (r * f - c * e) / al, c * e if x <= top else mpf(0), r * f if y <= top else mpf(0), slack


points = [0.0, 1e-9, -1e-9, 0.3, -0.7, 5.0, -5.0, 40.0, -40.0, 300.0, -300.0, 1e4, -1e4]
pairs = [(a, b) for a in points for b in points]
for x in (0.0, -2.5, 17.0, -300.0, 1e4, -1e4):
    pairs += [(x, x), (x, x + 1e-7), (x, x - 0.5), (x, x + 1.0)]
pairs += [(rnd.gauss(0, 8), rnd.gauss(0, 8)) for _ in range(30)]
shares = [(nan, nan), (1 / 3, 1 / 17), (0.0, 0.25)]
lines = []
for kind, al, top in [("js", nan, inf), ("alpha", 1.0, inf), ("alpha", 0.5, inf), ("alpha", -0.7, inf), ("alpha", 0.5, 11.0)]:
    for a, b in pairs:
        for c, r in shares:
            plain = math.isnan(c)
            w = (mpf(1), mpf(1)) if plain else (mpf(c), mpf(r))
            got = js(mpf(a), mpf(b), *w) if kind == "js" else alpha(mpf(al), mpf(top), mpf(a), mpf(b), *w)
            # the limit of two exponentials that f64 does not hold, divided by different lengths: which of them wins is a
            # question of the shares alone there, and not asked
            if not plain and kind == "alpha" and math.isinf(top) and max(-al * a, -al * b) > 700:
                continue
            lines.append(f"{kind} {al!r} {top!r} | {a!r} {b!r} | {c!r} {r!r} | {' '.join(map(text, got))}")
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "maps.txt"), "w") as f:
    f.write("\n".join(lines) + "\n")
print(f"{len(lines)} lines")
