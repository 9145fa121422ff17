"""Minimax coefficients of the elementary functions (Remez exchange).  Needs mpmath:
python3 core/tools/coefficients.py > core/src/coef.rs && cargo fmt -p truing-core"""
import struct
from mpmath import mp, mpf, matrix, lu_solve, cos, pi, exp, log, fabs
mp.dps = 50

def remez(f, w, deg, a, b, rounds=12, grid=1500):
    """c minimising max |w(x) (poly(x) - f(x))| on [a, b]; returns (c, max error)"""
    a, b = mpf(a), mpf(b)
    xs = [(a + b) / 2 - (b - a) / 2 * cos(pi * k / (deg + 1)) for k in range(deg + 2)]
    gx = [(a + b) / 2 - (b - a) / 2 * cos(pi * k / grid) for k in range(grid + 1)]
    gf, gw = [f(x) for x in gx], [w(x) for x in gx]
    for _ in range(rounds):
        A, y = matrix(deg + 2, deg + 2), matrix(deg + 2, 1)
        for i, x in enumerate(xs):
            for j in range(deg + 1):
                A[i, j] = x ** j
            A[i, deg + 1] = (-1) ** i / w(x)
            y[i] = f(x)
        c = list(lu_solve(A, y))[:deg + 1]
        err = [g * (mp.polyval(c[::-1], x) - v) for x, v, g in zip(gx, gf, gw)]
        ext, run = [], 0                       # one extremum per run of equal sign
        for i in range(1, grid + 2):
            if i > grid or (err[i] > 0) != (err[run] > 0):
                ext.append(max(range(run, i), key=lambda k: fabs(err[k])))
                run = i
        while len(ext) > deg + 2:
            ext.pop(0 if fabs(err[ext[0]]) < fabs(err[ext[-1]]) else -1)
        if len(ext) < deg + 2:
            break
        xs = [gx[i] for i in ext]
    return c, max(map(fabs, err))

def to(t, v):
    return float(v) if t == 'd' else struct.unpack('f', struct.pack('f', float(v)))[0]

ser = lambda g, x0: (lambda x: g(x) if fabs(x) > mpf(10) ** -12 else x0(x))
exp_p = ser(lambda r: (exp(r) - 1 - r) / r ** 2, lambda r: mpf(1) / 2 + r / 6)
log_p = lambda z: 2 * (mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 1) / z if z > mpf(10) ** -12 else mpf(2) / 3 + z * 2 / 5
H = log(2) / 2 * mpf('1.0001')
Z = mpf('0.02944')                             # ((sqrt 2 - 1) / (sqrt 2 + 1)) ** 2
JOBS = [('EXP', 'e^r = 1 + r + r^2 P(r), |r| <= ln 2 / 2', exp_p, lambda r: r * r + mpf(10) ** -3 * fabs(r) + mpf(10) ** -9, -H, H, {'f': 4, 'd': 9}),
        ('LOG', 'log((1+s)/(1-s)) = 2s + s z P(z), z = s^2', log_p, lambda z: z + mpf(10) ** -6, 0, Z, {'f': 2, 'd': 6}),
        ('REM', 'e^x - 1 - x = x^2 P(x), |x| <= 1', exp_p, lambda x: 1 / exp_p(x), -1, 1, {'f': 7, 'd': 15})]
print('//! Written by core/tools/coefficients.py, never edited; lowest power first. The largest weighted error of each fit')
print('//! stands in its comment.')
for t, suf in (('f', 'F32'), ('d', 'F64')):
    for name, what, f, w, a, b, deg in JOBS:
        c, e = remez(f, w, deg[t], a, b)
        print(f'/// {what}; fit error {mp.nstr(e, 2)}')
        print(f'pub(crate) const {name}_{suf}: [f64; {len(c)}] = {[to(t, v) for v in c]};')
    keep = 15 if t == 'f' else 40              # n * ln2_hi is exact for every exponent n
    hi = mp.floor(log(2) * 2 ** keep) / 2 ** keep
    print(f'pub(crate) const LN2_{suf}: [f64; 2] = [{to(t, hi)!r}, {to(t, log(2) - hi)!r}];')
