"""Golden values of the f64 elementary functions: writes elementary.bin next to itself.  Needs mpmath only.

One record a point, 20 bytes little endian, functions in the order of NAMES, POINTS records each:
x f64, y f64 (the exact value rounded to nearest), d f32 ((exact - y) in ulp of y).
Definitions: https://dlmf.nist.gov/4.2 (exp, log), 4.28 (tanh); the others are named compositions of these.
"""
import math, os, random, struct
from mpmath import mp, mpf

POINTS = 4000
mp.prec = 2400  # enough for 1 - e^-745 and for e^x - 1 - x near 1e-300


def logistic(x):
    return 1 / (1 + mp.exp(-x))


FUNCTIONS = {
    "exp": mp.exp,
    "expm1": lambda x: mp.exp(x) - 1,
    "exp_rem": lambda x: mp.exp(x) - 1 - x,
    "log": mp.log,
    "log1p": lambda x: mp.log(1 + x),
    "tanh": lambda x: (mp.exp(2 * x) - 1) / (mp.exp(2 * x) + 1) if x < 0 else (1 - mp.exp(-2 * x)) / (1 + mp.exp(-2 * x)),
    "sigmoid": logistic,
    "softplus": lambda x: mp.log(1 + mp.exp(x)),
    "log_sigmoid": lambda x: -mp.log(1 + mp.exp(-x)),
    "log1mexp": lambda x: mp.log(1 - mp.exp(x)),
}
NAMES = list(FUNCTIONS)
# (smallest exponent, largest value, signs): where a function is neither constant nor infinite
DOMAIN = {
    "exp": (-60, 745, (-1, 1)),
    "expm1": (-300, 710, (-1, 1)),
    "exp_rem": (-300, 710, (-1, 1)),
    "log": (-1070, math.inf, (1,)),
    "log1p": (-300, math.inf, (-1, 1)),
    "tanh": (-300, 20, (-1, 1)),
    "sigmoid": (-60, 745, (-1, 1)),
    "softplus": (-60, 745, (-1, 1)),
    "log_sigmoid": (-60, 745, (-1, 1)),
    "log1mexp": (-300, 745, (-1,)),
}
# where a branch changes or a result crosses a power of two
EDGES = [math.log(2) * k / 2 for k in range(1, 12)] + [0.5, 1.0, 2.0, 1.5, math.sqrt(2), math.sqrt(0.5), 709.7, 708.4, 37.0, 36.7]


def points(name):
    low, high, signs = DOMAIN[name]
    rng = random.Random(name)
    out = []
    while len(out) < POINTS:
        kind = rng.random()
        sign = rng.choice(signs)
        if kind < 0.45:    # the interval where everything happens
            x = sign * rng.uniform(0, min(high, 6.0))
        elif kind < 0.6:   # close to an edge
            x = sign * rng.choice(EDGES) * (1 + rng.choice((-1, 1)) * 2.0 ** rng.uniform(-52, -3))
        elif kind < 0.8:   # any size
            top = 1023 if high == math.inf else math.log2(high)
            x = sign * 2.0 ** rng.uniform(low, top)
        else:
            x = sign * rng.uniform(0, min(high, 800.0))
        if abs(x) > high or (name in ("log1p",) and x <= -1) or (name == "log" and x <= 0) or x == 0.0:
            continue
        out.append(x)
    return out


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "elementary.bin"), "wb") as f:
        for name in NAMES:
            for x in points(name):
                # 1 - e^x at |x| < 2^-290 and softplus at -745 need the long precision, the rest does not
                mp.prec = 2400 if abs(x) < 1e-5 or abs(x) > 30 else 300
                exact = FUNCTIONS[name](mpf(x))
                if abs(exact) >= mpf(2) ** 1024:
                    f.write(struct.pack("<ddf", x, math.copysign(math.inf, exact), 0.0))
                    continue
                y = float(exact)
                exponent = max(math.frexp(y)[1], -1021) - 53
                f.write(struct.pack("<ddf", x, y, float((exact - mpf(y)) / mpf(2) ** exponent)))
    print(f"{len(NAMES)} functions, {POINTS} points each")


main()
