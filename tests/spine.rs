//! One definition per loss: every entry over scalars, lanes of every instruction set, dual numbers, and the recorded text.
mod dual;
use dual::Dual;
use std::process::{Command, Stdio};
use truing_core::catalog::*;
use truing_core::error::Value;
use truing_core::losses::formula::{Formula, MAX, Visitor};
use truing_core::losses::*;
use truing_core::real::Real;
use truing_cpu::lanes::simd::Simd;
use truing_cpu::lanes::{L32, L64, Sixteen};
use truing_cpu::{Isa, on_isa, on_lanes};

/// Special and ordinary values.
const POINTS: [f64; 24] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.3,
    -0.7,
    1e-3,
    -1e-5,
    0.1823,
    -0.2231,
    0.999,
    2.5,
    -3.7,
    12.3,
    -45.6,
    88.8,
    -104.1,
    1234.5,
    -1e4,
    1e-42,
    1e-310,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
];
/// Parameters that formulas are run with, cut to what each takes.
const GIVEN: [&[f64]; 4] = [&[], &[0.3, 0.25], &[2.0, 0.0, 0.125], &[0.05, 0.4, 1.7, 2.0]];

fn same(a: f64, b: f64) -> bool {
    a.is_nan() && b.is_nan() || a.to_bits() == b.to_bits()
}
fn same32(a: f32, b: f32) -> bool {
    a.is_nan() && b.is_nan() || a.to_bits() == b.to_bits()
}
/// The constants of every parameter set that the formula accepts.
fn constants<F: Formula>() -> Vec<[f64; MAX]> {
    let variants = F::ABOUT.variants.len() as u32;
    let mut all = vec![];
    for variant in variants.min(1)..=variants {
        let of = GIVEN.iter().filter_map(|g| F::constants(variant, &g[..g.len().min(F::PARAMS.len())]).ok());
        let before = all.len();
        all.extend(of);
        assert!(all.len() > before);
    }
    all
}
/// All combinations of `n` points; beyond three inputs 20,000 of them, spread evenly.
fn grid(n: usize, points: &[f64]) -> Vec<Vec<f64>> {
    let all = points.len().pow(n as u32);
    let step = (all / 20_000).max(1) | 1; // odd, so that it meets every residue of an even number of points
    (0..all)
        .step_by(step)
        .map(|k| (0..n).map(|i| points[k / points.len().pow(i as u32) % points.len()]).collect())
        .collect()
}

macro_rules! over_lanes {
    ($name:ident, $on:ident, $set:ident, $lanes:ident, $t:ty, $n:literal, $same:ident) => {
        /// Compares every output of a formula, value by value, with a pass over lanes.
        fn $name<F: Formula>(isa: Isa, p: &[f64; MAX], all: &[Vec<f64>]) -> usize {
            #[inline(always)]
            fn lanes<S: $set, F: Formula>(s: S, x: &[[$t; $n]; MAX], p: &[f64; MAX]) -> [[$t; $n]; MAX] {
                let mut v = [$lanes::splat(s, 0.0); MAX];
                let mut q = v;
                for k in 0..MAX {
                    v[k] = $lanes::load(s, &x[k], 0, 0.0);
                    q[k] = v[k].lit(p[k]);
                }
                let y = F::run(&v[..F::INPUTS.len()], &q);
                let mut out = [[0.0; $n]; MAX];
                for k in 0..MAX {
                    y[k].store(&mut out[k], 0);
                }
                out
            }
            fn scalar<F: Formula>(x: &[[$t; $n]; MAX], p: &[f64; MAX]) -> [[$t; $n]; MAX] {
                let mut out = [[0.0; $n]; MAX];
                for i in 0..$n {
                    let row: Vec<$t> = (0..F::INPUTS.len()).map(|k| x[k][i]).collect();
                    let y = F::run(&row, &p.map(|v| v as $t));
                    (0..MAX).for_each(|k| out[k][i] = y[k]);
                }
                out
            }
            for block in all.chunks($n) {
                let mut x = [[0.0; $n]; MAX];
                for (i, row) in block.iter().enumerate() {
                    for (k, &v) in row.iter().enumerate() {
                        x[k][i] = v as $t;
                    }
                }
                let want = scalar::<F>(&x, p);
                let got = $on!(isa, s => lanes::<_, F>(s, &x, p), scalar::<F>(&x, p));
                for (i, row) in block.iter().enumerate() {
                    for k in 0..F::OUTPUTS.len() {
                        let (g, w) = (got[k][i], want[k][i]);
                        assert!($same(g, w), "{} {isa:?} {row:?} {}: {g:e} {w:e}", F::ABOUT.name, F::OUTPUTS[k]);
                    }
                }
            }
            all.len() * F::OUTPUTS.len()
        }
    };
}
over_lanes!(over_lanes_32, on_lanes, Sixteen, L32, f32, 16, same32);
over_lanes!(over_lanes_64, on_isa, Simd, L64, f64, 8, same);

#[test]
fn lanes_equal_scalar_on_every_instruction_set() {
    struct All(Isa, usize);
    impl Visitor for All {
        fn visit<F: Formula>(&mut self) {
            let all = grid(F::INPUTS.len(), &POINTS);
            for p in constants::<F>() {
                self.1 += if F::KIND.single() {
                    over_lanes_32::<F>(self.0, &p, &all)
                } else {
                    over_lanes_64::<F>(self.0, &p, &all)
                };
            }
        }
    }
    let sets: Vec<Isa> = Isa::available().filter(|&isa| isa != Isa::Scalar).collect();
    for &isa in &sets {
        let mut all = All(isa, 0);
        each_formula(&mut all);
        println!("{}: {} outputs equal in bits", isa.name(), all.1);
        assert!(all.1 > 1_000_000, "{}", all.1);
    }
    let skipped: Vec<_> = Isa::ALL.iter().filter(|i| !Isa::available().any(|a| a == **i)).map(|i| i.name()).collect();
    println!("{} instruction sets run, skipped because this machine lacks them: {skipped:?}", sets.len());
}

/// The twelve operations on random bit patterns, so that every formula that can be written is covered.
#[test]
fn every_operation_is_equal_on_every_instruction_set() {
    #[inline(always)]
    fn ops<R: Real>(x: R, y: R, z: R) -> [R; 15] {
        [
            x + y,
            x - y,
            x * y,
            x / y,
            -x,
            x.fma(y, z),
            x.abs(),
            x.select_lt(y, z, x),
            x.select_le(y, z, x),
            x.exp2i(),
            x.exponent(),
            x.mantissa(),
            x.lit(0.1),
            Real::min(x, y),
            Real::max(x, y),
        ]
    }
    let mut count = 0;
    macro_rules! check {
        ($on:ident, $set:ident, $lanes:ident, $t:ty, $n:literal, $bits:ty, $same:ident) => {
            for isa in Isa::available().filter(|&isa| isa != Isa::Scalar) {
                let mut state = 1u64;
                let mut next = || {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    match state >> 61 {
                        0 => POINTS[(state >> 33) as usize % POINTS.len()] as $t,
                        1..=3 => ((state >> 33) % 2001) as $t - 1000.0,
                        _ => <$t>::from_bits((state >> 7 ^ state << 40) as $bits),
                    }
                };
                for _ in 0..2000 {
                    let x: [[$t; $n]; 3] = std::array::from_fn(|_| std::array::from_fn(|_| next()));
                    #[inline(always)]
                    fn run<S: $set>(s: S, x: &[[$t; $n]; 3]) -> [[$t; $n]; 15] {
                        let y = ops($lanes::load(s, &x[0], 0, 0.0), $lanes::load(s, &x[1], 0, 0.0), $lanes::load(s, &x[2], 0, 0.0));
                        let mut out = [[0.0; $n]; 15];
                        for k in 0..15 {
                            y[k].store(&mut out[k], 0);
                        }
                        out
                    }
                    let got = $on!(isa, s => run(s, &x), unreachable!("available"));
                    for i in 0..$n {
                        let want = ops(x[0][i], x[1][i], x[2][i]);
                        for k in 0..15 {
                            let (g, w) = (got[k][i], want[k]);
                            assert!($same(g, w), "{isa:?} operation {k} of {:e} {:e} {:e}: {g:e} {w:e}", x[0][i], x[1][i], x[2][i]);
                            count += 1;
                        }
                    }
                }
            }
        };
    }
    check!(on_lanes, Sixteen, L32, f32, 16, u32, same32);
    check!(on_isa, Simd, L64, f64, 8, u64, same);
    println!("{count} results of single operations equal in bits");
    assert!(count >= 720_000 || Isa::detect() == Isa::Scalar);
}

#[test]
fn loads_and_stores_respect_the_end() {
    #[inline(always)]
    fn copy<S: Sixteen>(s: S, x: &[f32], out: &mut [f32]) {
        for at in (0..x.len()).step_by(16) {
            L32::load(s, x, at, f32::NAN).store(out, at);
        }
    }
    let mut count = 0;
    for isa in Isa::available() {
        for n in 0..70 {
            let x: Vec<f32> = (0..n).map(|i| i as f32 + 0.5).collect();
            let mut out = vec![0.0; n];
            on_lanes!(isa, s => copy(s, &x, &mut out), out.copy_from_slice(&x));
            assert_eq!(x, out);
            count += 1;
        }
    }
    println!("{count} copies");
    assert!(count >= 70);
}

/// Smallest relative difference that a partial of this size can be judged to.
fn apart(a: f64, b: f64) -> f64 {
    (a - b).abs() / a.abs().max(b.abs()).max(1e-30)
}
const TAME: [f64; 14] = [0.0, 1.0, -1.0, 0.3, -0.7, 1e-3, 0.15, -0.1, 2.5, -3.7, 12.3, -45.6, 300.0, -1e4];

#[test]
fn hand_written_partials_agree_with_dual_numbers() {
    #[derive(Default)]
    struct Judge {
        count: usize,
        worst: f64,
    }
    impl Visitor for Judge {
        fn visit<F: Formula>(&mut self) {
            for c in constants::<F>() {
                for x in grid(F::INPUTS.len(), &TAME) {
                    let p = c.map(Dual::constant);
                    let hand = F::run(&x, &c);
                    for (k, name) in F::OUTPUTS.iter().enumerate().skip(1) {
                        let input = name.strip_prefix("grad_").expect("a partial");
                        let i = F::INPUTS.iter().position(|n| *n == input).expect("of an input");
                        let seeded: Vec<Dual> =
                            x.iter().enumerate().map(|(j, &v)| Dual { v, d: (i == j) as u8 as f64 }).collect();
                        let y = F::run(&seeded, &p)[0];
                        assert!(same(y.v, hand[0]), "{}", F::ABOUT.name);
                        if y.v.is_nan() || y.v.abs() > 1e300 || !y.d.is_finite() {
                            continue; // the judge itself overflows
                        }
                        let error = apart(y.d, hand[k]);
                        self.count += 1;
                        self.worst = self.worst.max(error);
                        assert!(error < 1e-9, "{} {x:?} {name}: dual {:e}, hand {:e}", F::ABOUT.name, y.d, hand[k]);
                    }
                }
            }
        }
    }
    let mut judge = Judge::default();
    each_formula(&mut judge);
    println!("{} partials, worst relative difference {:.1e}", judge.count, judge.worst);
    assert!(judge.count > 500_000, "{}", judge.count);
}

#[test]
fn partials_of_lists_agree_with_dual_numbers() {
    struct Judge<'a>(&'a [f64], &'a [f64]);
    impl ListVisitor for Judge<'_> {
        type Out = usize;
        fn visit<E: ListLoss<N>, const N: usize>(self) -> usize {
            let (x, n) = (self.0, self.0.len());
            let Ok(p) = resolve::<E, N>(&self.1[..N.min(self.1.len())]) else { return 0 }; // a required one is missing
            let mut hand = vec![0.0; n];
            // descending, with ties
            let target = |i: usize| ((n - i) / 2) as f64 * 0.3;
            let member = |i: usize| Member { logp: x[i], ref_logp: -1.5, len: 3.0, target: target(i) };
            let value = E::eval(member, p, &mut hand);
            for i in 0..n {
                let member = |j: usize| Member {
                    logp: Dual { v: x[j], d: (i == j) as u8 as f64 },
                    ref_logp: Dual::constant(-1.5),
                    len: Dual::constant(3.0),
                    target: Dual::constant(target(j)),
                };
                let mut scratch = vec![Dual::constant(0.0); n];
                let y = E::eval(member, p.map(Dual::constant), &mut scratch);
                assert!(same(y.v, value), "{}", E::ABOUT.name);
                let largest = hand.iter().fold(p.first().copied().unwrap_or(0.0), |m, g| g.abs().max(m));
                // a share that falls by e^-200 against the rest is below what sums of doubles keep
                assert!(
                    (y.d - hand[i]).abs() <= 1e-12 * largest + 1e-9 * hand[i].abs(),
                    "{} {x:?} {i}: {:e} {:e}",
                    E::ABOUT.name,
                    y.d,
                    hand[i]
                );
            }
            n
        }
    }
    let mut count = 0;
    for e in ALL.iter().filter(|e| e.kind == Kind::List) {
        for given in [&[][..], &[1.0], &[2.0, 1.0], &[0.5, 3.0]] {
            for n in [1usize, 2, 3, 4, 9, 40] {
                for scale in [0.0, 0.1, 3.0, 100.0] {
                    let x: Vec<f64> = (0..n).map(|i| ((i * 37 + n * 11) % 23) as f64 * scale - 5.0).collect();
                    count += with_list(e.about.id, Judge(&x, given)).expect("a list entry");
                }
            }
        }
    }
    println!("{count} partials of lists");
    assert!(count >= 5000, "{count}");
}

/// A list of two is the pair loss, a list of one is 0.
#[test]
fn short_lists() {
    let p = resolve::<PlackettLuce, 2>(&[0.3]).unwrap();
    let q = resolve::<Dpo, 2>(&[0.3]).unwrap();
    let mut count = 0;
    for a in TAME {
        for b in TAME {
            let mut grad = [0.0; 2];
            let member = |i: usize| Member { logp: [a, b][i], ref_logp: 0.0, len: 1.0, target: 0.0 };
            let value = PlackettLuce::eval(member, p, &mut grad);
            let side = |logp: f64| Side { logp, ref_logp: 0.0, len: 1.0, kl: 0.0, margin: 0.0 };
            let anchor = Anchor { logp: 0.0, ref_logp: 0.0 };
            let y = Dpo::eval(Pair { chosen: side(a), rejected: side(b), anchor, shift: 0.0 }, q);
            assert!(apart(value, y.value) < 1e-13 && apart(grad[0], y.chosen.logp) < 1e-12, "{a} {b}");
            assert!(apart(grad[1], y.rejected.logp) < 1e-11, "{a} {b}: {:e} {:e}", grad[1], y.rejected.logp);
            count += 3;
        }
    }
    let member = |_: usize| Member { logp: -3.0, ref_logp: -1.0, len: 1.0, target: 0.0 };
    let mut one = [7.0];
    assert_eq!((PlackettLuce::eval(member, p, &mut one), one), (0.0, [0.0]));
    println!("{} figures of short lists", count + 2);
    assert_eq!(count, 588);
}

fn list<E: ListLoss<N>, const N: usize>(p: &[f64], logp: &[f64], target: &[f64]) -> Vec<f64> {
    let mut out = vec![f64::NAN; logp.len() + 1];
    let member = |i: usize| Member { logp: logp[i], ref_logp: 0.0, len: 1.0, target: target[i] };
    out[0] = E::eval(member, resolve::<E, N>(p).unwrap(), &mut out[1..]);
    out
}
fn row<E: UnpairedLoss<N>, const N: usize>(p: &[f64], logp: f64, label: f64, baseline: f64) -> [f64; 2] {
    let x = Unpaired { logp, ref_logp: 0.0, len: f64::NAN, label, weight: 1.0, baseline, shift: 0.0 };
    let y = E::eval(x, resolve::<E, N>(p).unwrap());
    [y.value, y.logp]
}
fn one<E: TokenLoss<N>, const N: usize>(p: &[f64], logp: f64) -> [f64; 2] {
    let x = Token { log_ratio: f64::NAN, ref_logp: -1.0, advantage: 0.5, entropy: 0.7, ..token(logp, f64::NAN, 0.5) };
    let y = E::eval(x, resolve::<E, N>(p).unwrap());
    [y.value, y.logp]
}

/// Entries that are others in a special case, and edges of lists and rows.
#[test]
fn entries_that_are_others() {
    const INF: f64 = f64::INFINITY;
    let mut count = 0;
    let mut equal = |what: &str, a: &[f64], b: &[f64]| {
        assert_eq!(a.len(), b.len());
        let size = b.iter().fold(0.0f64, |m, v| v.abs().max(m));
        for (x, y) in a.iter().zip(b) {
            assert!(same(*x, *y) || (x - y).abs() <= 1e-15 + 1e-14 * size + 1e-12 * y.abs(), "{what}: {a:?} {b:?}");
        }
        count += 1;
    };
    let points = [0.0, -1e-3, -0.3, -1.0, -2.5, -45.6, -300.0, -1e4];
    for a in points {
        for b in points {
            let (x, up) = ([a, b], [1.0, 0.0]);
            // lists of two are pairs: the logistic loss of the difference
            let dpo = |beta: f64| {
                let (u, k) = (beta * (a - b), beta * (-(beta * (a - b))).sigmoid());
                vec![(-u).softplus(), -k, k]
            };
            equal("plackett_luce", &list::<PlackettLuce, 2>(&[0.3], &x, &up), &dpo(0.3));
            equal("preference_ranking", &list::<PreferenceRanking, 2>(&[0.0], &x, &up), &dpo(1.0));
            equal("aft", &list::<Aft, 0>(&[], &x, &up), &dpo(1.0));
            equal("infonca, one-hot", &list::<Infonca, 2>(&[0.3, 1e-3], &x, &up), &dpo(0.3));
            // one-hot nca: the chosen side has weights 1 and 1/2, the other one 1/2
            let (c, r) = (0.3 * a, 0.3 * b);
            let want = [
                (-c).softplus() + 0.5 * (c.softplus() + r.softplus()),
                0.3 * (0.5 * c.sigmoid() - (-c).sigmoid()),
                0.15 * r.sigmoid(),
            ];
            equal("nca", &list::<Nca, 2>(&[0.3, 1e-3], &x, &up), &want);
            // rrhf: the difference where it contradicts the rewards, and the best
            let wrong = if b > a { 1.0 } else { 0.0 };
            let want = [wrong * (b - a) - a, -wrong - 1.0, wrong];
            equal("rrhf", &list::<Rrhf, 4>(&[], &x, &up), &want);
            equal("rrhf, equal rewards", &list::<Rrhf, 4>(&[], &x, &[2.0, 2.0]), &[-a, -1.0, 0.0]);
            equal("aft, equal rewards", &list::<Aft, 0>(&[], &x, &[2.0, 2.0]), &[0.0, 0.0, 0.0]);
            // at its target the KL is exactly 0
            assert_eq!(list::<Exo, 2>(&[], &x, &x), [0.0, 0.0, 0.0]);
            // rewards that are shifted change nothing
            equal(
                "infonca",
                &list::<Infonca, 2>(&[0.3, 1.0], &x, &[3.0, 2.0]),
                &list::<Infonca, 2>(&[0.3, 1.0], &x, &up),
            );
        }
        for label in [1.0, -1.0] {
            equal("apo_zero", &row::<ApoZeroUnpaired, 3>(&[], a, label, f64::NAN), &row::<Kto, 3>(&[], a, label, 0.0));
        }
        let up = row::<Bco, 1>(&[0.5], a, 1.0, 0.0);
        equal("prime_ce, 1", &row::<PrimeCe, 1>(&[0.5], a, 0.0, 1.0), &up);
        equal("prime_ce, 0", &row::<PrimeCe, 1>(&[0.5], a, 0.0, 0.0), &row::<Bco, 1>(&[0.5], a, -1.0, 0.0));
        equal("poft", &row::<Poft, 2>(&[0.5], a, 0.0, 0.0), &up);
        equal("simnpo", &row::<Simnpo, 2>(&[0.5], a, 0.0, 0.0), &row::<Npo, 1>(&[0.5], a, 0.0, 0.0));
        let minus = |x: [f64; 2]| [-x[0], -x[1]];
        equal("wga", &one::<Wga, 1>(&[], a), &minus(one::<Dft, 0>(&[], a)));
        equal("satimp as wga", &one::<Satimp, 2>(&[0.5, 0.0], a), &one::<Wga, 1>(&[0.5], a));
        equal("satimp as chord", &one::<Satimp, 2>(&[1.0, 1.0], a), &minus(one::<ChordPhi, 0>(&[], a)));
        equal("eaft", &one::<Eaft, 1>(&[0.0], a), &one::<Nll, 0>(&[], a));
        equal("eaft_raw", &one::<EaftRaw, 1>(&[0.0], a), &minus(one::<GradientAscent, 0>(&[], a)));
        let npo = row::<Npo, 1>(&[0.5], -1.0 - a, 0.0, 0.0);
        equal("token_constrained", &one::<TokenConstrained, 0>(&[], a), &[npo[0], -npo[1]]);
    }
    // lists of one, and of none
    for h in points {
        equal("exo", &list::<Exo, 2>(&[], &[h], &[3.0]), &[0.0, 0.0]);
        equal("infonca", &list::<Infonca, 2>(&[0.3, 1.0], &[h], &[3.0]), &[0.0, 0.0]);
        equal("aft", &list::<Aft, 0>(&[], &[h], &[3.0]), &[0.0, 0.0]);
        equal("preference_ranking", &list::<PreferenceRanking, 2>(&[], &[h], &[3.0]), &[0.0, 0.0]);
        let want = [(-h).softplus() + h.softplus(), h.sigmoid() - (-h).sigmoid()];
        equal("nca", &list::<Nca, 2>(&[1.0, 1.0], &[h], &[3.0]), &want);
        equal("rrhf", &list::<Rrhf, 4>(&[], &[h], &[3.0]), &[-h, -1.0]);
    }
    // an answer that is impossible under the policy; one that the target excludes; rewards that are all -inf
    assert_eq!(list::<Infonca, 2>(&[1.0, 1.0], &[-INF, -1.0], &[-INF, 0.0]), [0.0, 0.0, 0.0]);
    assert_eq!(list::<Exo, 2>(&[], &[-1.0, -1.0], &[-INF, 0.0])[..], [INF, INF, -INF]);
    assert_eq!(list::<Exo, 2>(&[], &[-INF, -1.0], &[-INF, 0.0])[0], 0.0);
    assert!(list::<Nca, 2>(&[1.0, 1.0], &[-1.0, -1.0], &[-INF, -INF])[0].is_nan());
    // the weight decides before the infinity
    for l in [f64::NEG_INFINITY, -1e4] {
        assert_eq!((one::<Dft, 0>(&[], l), one::<ChordPhi, 0>(&[], l)), ([0.0, -0.0], [0.0, -0.0]));
        assert_eq!((one::<Wga, 1>(&[], l)[0], one::<Satimp, 2>(&[], l)[0]), (0.0, 0.0));
    }
    assert_eq!((one::<Nll, 0>(&[], -INF), one::<Satimp, 2>(&[], 0.0)[1]), ([INF, -1.0], 0.0));
    println!("{count} identities");
    assert!(count >= 700, "{count}");
}

/// `cuda/kernels/generated/losses.cuh`, compiled for the host, gives the bits of the Rust code; and the test can tell: a
/// build that contracts products and sums differs.
#[test]
fn recorded_text_gives_the_same_bits() {
    #[derive(Default)]
    struct Driver {
        code: String,
        x: Vec<u8>,
        want: Vec<(&'static str, u64)>,
    }
    impl Visitor for Driver {
        fn visit<F: Formula>(&mut self) {
            let t = if F::KIND.single() { "float" } else { "double" };
            let (n, m, outs) = (F::INPUTS.len(), F::PARAMS.len(), F::OUTPUTS.len());
            let all: Vec<_> = grid(n, &POINTS).into_iter().step_by(3).collect();
            let sets = constants::<F>();
            let at = |name| F::INPUTS.iter().position(|n| *n == name);
            // a formula that reads `old` is given the difference too
            let ratio = at("logp").zip(at("old")).map(|(l, o)| format!("({t})x[{l}] - ({t})x[{o}]"));
            let args: Vec<String> = (0..n)
                .map(|k| format!("({t})x[{k}]"))
                .chain(ratio)
                .chain((0..m).map(|k| format!("({t})p[{k}]")))
                .chain((0..outs).map(|k| format!("&y[{k}]")))
                .collect();
            self.code += &format!(
                "    for (int i = 0; i < {}; i++) {{ double p[{MAX}], x[{n}]; {t} y[{outs}]; get(p, {MAX}); get(x, {n});\n        \
                 truing_{}_{}{}({}); for (int k = 0; k < {outs}; k++) put(y[k]); }}\n",
                all.len() * sets.len(),
                F::KIND.name(),
                F::ABOUT.name,
                F::PART,
                args.join(", "),
            );
            for p in sets {
                for x in &all {
                    p.iter().chain(x).for_each(|v| self.x.extend(v.to_le_bytes()));
                    let y: [u64; MAX] = if F::KIND.single() {
                        let x: Vec<f32> = x.iter().map(|&v| v as f32).collect();
                        F::run(&x, &p.map(|v| v as f32)).map(|v| if v.is_nan() { 1 } else { v.to_bits() as u64 })
                    } else {
                        F::run(x, &p).map(|v| if v.is_nan() { 1 } else { v.to_bits() })
                    };
                    self.want.extend(y[..outs].iter().map(|&y| (F::ABOUT.name, y)));
                }
            }
        }
    }
    let mut d = Driver::default();
    each_formula(&mut d);
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/../cuda/kernels/generated/losses.cuh");
    let dir = std::env::temp_dir().join(format!("truing-spine-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let main = format!(
        "#include \"{header}\"\n#include <stdio.h>\n\
         static void get(double *v, int n) {{ if (fread(v, 8, n, stdin) != (size_t)n) __builtin_trap(); }}\n\
         static void word(uint64_t u) {{ fwrite(&u, 8, 1, stdout); }}\n\
         static void put(float y) {{ word(y != y ? 1 : truing_bits(y)); }}\n\
         static void put(double y) {{ word(y != y ? 1 : truing_bits(y)); }}\n\
         int main() {{\n{}}}\n",
        d.code
    );
    std::fs::write(dir.join("m.cpp"), main).unwrap();
    std::fs::write(dir.join("x"), &d.x).unwrap();
    let run = |flags: &[&str]| -> Vec<u64> {
        let ok = Command::new("g++")
            .args(flags)
            .args(["-std=c++17", "-Wall", "-Werror", "-Wno-unused-function", "-o", "m", "m.cpp"])
            .current_dir(&dir)
            .status()
            .expect("g++");
        assert!(ok.success(), "{flags:?}");
        let input = std::fs::File::open(dir.join("x")).unwrap();
        let out = Command::new(dir.join("m")).stdin(input).stdout(Stdio::piped()).output().unwrap().stdout;
        out.chunks_exact(8).map(|b| u64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    // GCC's straight-line vectoriser makes fused operations of x * y + z beside x * y - z whatever -ffp-contract says
    let fast = &["-O2", "-ffp-contract=off", "-fno-tree-slp-vectorize", "-march=native"];
    for flags in [&["-O0", "-ffp-contract=off"][..], fast] {
        let got = run(flags);
        assert_eq!(got.len(), d.want.len());
        for (k, (&g, (name, w))) in got.iter().zip(&d.want).enumerate() {
            assert_eq!(g, *w, "{name}, output {k}, {flags:?}");
        }
        println!("{} outputs of the recorded text equal in bits, {flags:?}", got.len());
        assert!(got.len() > 500_000);
    }
    #[cfg(target_arch = "x86_64")]
    if Isa::detect() != Isa::Scalar {
        let got = run(&["-O2", "-ffp-contract=fast", "-march=native"]);
        let differ = got.iter().zip(&d.want).filter(|(g, w)| **g != w.1).count();
        println!("{differ} outputs differ where the compiler contracts");
        assert!(differ > 0, "a contracting build went unnoticed");
    }
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn catalogue_is_sound() {
    let mut count = 0;
    for (k, e) in ALL.iter().enumerate() {
        let a = &e.about;
        assert_eq!(a.id / 1000, e.kind as u32, "{}: an id starts with its kind", a.name);
        for other in &ALL[..k] {
            assert_ne!(other.about.id, a.id, "{}", a.name);
            if other.kind == e.kind {
                let names = |i: &Info| -> Vec<&str> { i.about.aliases.iter().copied().chain([i.about.name]).collect() };
                assert!(names(other).iter().all(|n| !names(e).contains(n)), "{} and {}", other.about.name, a.name);
            }
        }
        assert!(!a.formula.is_empty() && !a.source.is_empty() && !a.formula.contains("*/") && !a.source.contains("*/"));
        assert!(a.reads(slot::LOGP) && a.differentiates(slot::LOGP), "{}", a.name);
        assert_eq!(a.partials & !a.inputs, 0, "{}: a partial of something that it does not read", a.name);
        assert_eq!(a.score.is_some(), matches!(e.kind, Kind::Pair | Kind::Unpaired | Kind::List), "{}", a.name);
        assert!(a.score.map_or(a.scores == 0, |s| a.scores & s.bit() != 0), "{}", a.name);
        assert!(e.params.len() <= MAX_PARAMS);
        assert!(a.preset_of == 0 || info(a.preset_of).is_some_and(|of| of.kind == e.kind), "{}", a.name);
        for (i, p) in e.params.iter().enumerate() {
            assert!(p.default.is_nan() || p.accepts(p.default), "{}.{}", a.name, p.name);
            assert!(
                !p.accepts(f64::NAN)
                    && !p.doc.is_empty()
                    && p.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            );
            assert!(e.params[..i].iter().all(|o| o.name != p.name), "{}.{}", a.name, p.name);
        }
        assert_eq!(info(a.id).map(|i| i.about.name), Some(a.name));
        for name in a.aliases.iter().chain([&a.name]) {
            assert_eq!(find(e.kind, name).map(|i| i.about.id), Some(a.id), "{name}");
            assert!(find_any(name).is_some());
        }
        count += 1;
    }
    assert!(find_any("no such loss").is_none() && find(Kind::Token, "dpo").is_none() && info(0).is_none());
    println!("{count} entries");
    assert!(count >= 33);
}

#[test]
fn parameters_are_resolved_and_refused() {
    assert_eq!(resolve::<Dpo, 2>(&[]).unwrap(), [0.1, 0.0]);
    assert_eq!(resolve::<Dpo, 2>(&[f64::NAN, 0.1]).unwrap(), [0.1, 0.1]);
    assert_eq!(resolve::<Simpo, 3>(&[5.0]).unwrap(), [5.0, 0.5, 0.0]);
    let message = |e: truing_core::Error| e.to_string();
    assert_eq!(message(resolve::<Dpo, 2>(&[0.0]).unwrap_err()), "beta: got 0, expected a value in (0, inf)");
    assert_eq!(
        message(resolve::<Dpo, 2>(&[0.1, 0.5]).unwrap_err()),
        "label_smoothing: got 0.5, expected a value in [0, 0.5)"
    );
    assert_eq!(message(resolve::<Ipo, 1>(&[1.0, 2.0]).unwrap_err()), "num_params: got 2, expected 0 <= value < 2");
    assert_eq!(
        message(resolve::<Dpo, 2>(&[f64::INFINITY]).unwrap_err()),
        "beta: got inf, expected a value in (0, inf)"
    );
    assert_eq!(resolve::<PpoClip, 4>(&[0.2, f64::INFINITY]).unwrap()[1], f64::INFINITY);
    assert!(resolve::<PpoClip, 4>(&[0.2, 0.2, 1.0, 1.0]).is_err());
    // no default: the caller must say
    let p = required("tau", "a required one").above(0.0);
    let e = p.check(f64::NAN).unwrap_err();
    assert_eq!(
        (e.field, e.expected),
        ("tau", Value::Range { min: 0.0, max: f64::INFINITY, min_open: true, max_open: true })
    );
    assert_eq!(p.check(2.0).unwrap(), 2.0);
    let info = find(Kind::Token, "grpo").unwrap();
    assert_eq!(info.params_from(0, &[]).unwrap(), [0.2, 0.2, f64::INFINITY, f64::INFINITY, 0.0, 0.0, 0.0, 0.0]);
    println!("12 parameter sets");
}

/// A per-pair beta replaces constant 0, so nothing may be derived from it.
#[test]
fn per_pair_beta_is_parameter_0() {
    struct Check(usize);
    impl Visitor for Check {
        fn visit<F: Formula>(&mut self) {
            if F::ABOUT.reads(slot::BETA) {
                assert_eq!(F::PARAMS[0].name, F::CONSTANTS[0], "{}", F::ABOUT.name);
                let given: Vec<f64> =
                    F::PARAMS.iter().map(|p| if p.default.is_nan() { 0.6 } else { p.default }).collect();
                let other: Vec<f64> = [0.7].iter().chain(&given[1..]).copied().collect();
                let (one, two) = (F::constants(0, &given).unwrap(), F::constants(0, &other).unwrap());
                assert_eq!((two[0], &two[1..]), (0.7, &one[1..]), "{}", F::ABOUT.name);
                self.0 += 1;
            }
        }
    }
    let mut check = Check(0);
    each_formula(&mut check);
    println!("{} entries take a beta of each pair", check.0);
    assert!(check.0 >= 4);
}

/// A token whose other slots hold NaN.
fn token<R: Real>(logp: R, old: R, advantage: R) -> Token<R> {
    let nan = logp.lit(f64::NAN);
    let log_ratio = logp - old;
    Token { logp, log_ratio, old, ref_logp: nan, sampler: nan, advantage, entropy: nan, flag: nan, importance: nan }
}

#[test]
fn ppo_clip_is_the_textbook_formula() {
    let mut count = 0;
    for p in
        [[0.2, 0.28, f64::INFINITY, 3.0], [0.2, 0.2, 1.1, f64::INFINITY], [1.5, 0.3, 4.0, 2.0], [0.3, 0.2, 0.7, 1.5]]
    {
        let [low, high, delta, dual] = p;
        let bounds = resolve::<PpoClip, 4>(&p).unwrap();
        for x in (-300..300).map(|k| k as f64 * 0.0101) {
            for a in [1.3, -0.7] {
                let r = x.exp();
                let mut want = -f64::min(r.min(delta) * a, r.clamp(1.0 - low.min(1.0), 1.0 + high) * a);
                if a < 0.0 {
                    want = want.min(-dual * a);
                }
                let got = PpoClip::eval(token(x, 0.0, a), bounds).value;
                assert!((got - want).abs() <= 1e-14 * want.abs(), "{p:?} x {x} A {a}: {got} {want}");
                count += 1;
            }
        }
    }
    println!("{count} values of ppo_clip");
    assert_eq!(count, 4800);
}

/// Edges that a product form or a mask by multiplication would get wrong. Slots that are not read hold NaN.
#[test]
fn edges() {
    const INF: f32 = f32::INFINITY;
    let clip = |t: Token<f32>, p: &[f64]| {
        let y = PpoClip::eval(t, lits(t.logp, &resolve::<PpoClip, 4>(p).unwrap()));
        (y.value, y.logp)
    };
    // zero advantage wins over an overflowing or undefined ratio, NaN does not vanish
    assert_eq!(clip(token(1e4, 0.0, 0.0), &[]), (0.0, 0.0));
    assert_eq!(clip(token(f32::NAN, 0.0, -0.0), &[]), (0.0, 0.0));
    let (v, g) = clip(token(0.1, 0.0, f32::NAN), &[]);
    assert!(v.is_nan() && g.is_nan());
    let (v, g) = clip(token(f32::NAN, 0.0, 1.0), &[]);
    assert!(v.is_nan() && g.is_nan());
    // infinite log ratios
    assert_eq!(clip(token(-1.0, -INF, -1.0), &[]), (INF, INF));
    assert_eq!(clip(token(-1.0, -INF, -1.0), &[0.2, 0.2, INF as f64, 3.0]).1, 0.0);
    assert_eq!(clip(token(-INF, -1.0, 1.0), &[]), (0.0, 0.0));
    // on the bound the unclipped branch holds
    let hi = Real::log1p(0.2f64) as f32;
    let (v, g) = clip(token(hi, 0.0, 1.0), &[]);
    assert!(v == g && v < -1.19);
    assert_eq!(clip(token(hi.next_up(), 0.0, 1.0), &[]).1, 0.0);

    let side = |logp: f64, margin: f64| Side { logp, ref_logp: 0.0, len: f64::NAN, kl: f64::NAN, margin };
    let anchor = Anchor { logp: f64::NAN, ref_logp: f64::NAN };
    let dpo = |a: f64, b: f64, delta: f64, p: &[f64]| {
        let x = Pair { chosen: side(a, delta), rejected: side(b, 0.0), anchor, shift: 0.0 };
        let y = Dpo::eval(x, resolve::<Dpo, 2>(p).unwrap());
        [y.value, y.chosen.logp, y.rejected.logp, y.chosen.margin, y.rejected.margin]
    };
    let inf = f64::INFINITY;
    // coefficient 0 is selected away at an infinite score; without it both infinities are infinite
    assert_eq!(dpo(-1.0, -inf, 0.0, &[]), [0.0, 0.0, -0.0, 0.0, 0.0]);
    assert_eq!(dpo(-inf, -1.0, 0.0, &[]), [inf, -0.1, 0.1, 1.0, -1.0]);
    assert_eq!(dpo(-1.0, -inf, 0.0, &[0.1, 0.25])[0], inf);
    assert_eq!(dpo(-inf, -1.0, 0.0, &[0.1, 0.25])[0], inf);
    assert_eq!(dpo(-1.0, -2.0, inf, &[])[..2], [inf, -0.1]);
    assert_eq!(dpo(-1.0, -2.0, -inf, &[])[..2], [0.0, 0.0]);
    assert!(dpo(-inf, -inf, 0.0, &[])[0].is_nan());
    // swapped sides: L(-d) - L(d) = d
    assert!((dpo(-3.0, -1.0, 0.0, &[])[0] - dpo(-1.0, -3.0, 0.0, &[])[0] - 0.2).abs() < 1e-15);

    // no token: 0, never 0 / 0
    let empty = Side { len: 0.0, ..side(0.0, 0.0) };
    let full = Side { len: 4.0, ..side(-8.0, 0.0) };
    let y = Ipo::eval(Pair { chosen: empty, rejected: full, anchor, shift: 0.0 }, [0.5]);
    assert_eq!((y.value, y.chosen.logp), ((2.0f64 - 1.0).powi(2), 0.0));

    // an infinite KL on either side
    let kl = |c: f64, r: f64| {
        let x = Pair {
            chosen: Side { kl: c, ..side(-1.0, 0.0) },
            rejected: Side { kl: r, ..side(-2.0, 0.0) },
            anchor,
            shift: 0.0,
        };
        Tdpo1::eval(x, [0.1]).value
    };
    assert_eq!((kl(0.0, inf), kl(inf, 0.0)), (inf, 0.0));
    assert!(kl(inf, inf).is_nan());

    // the reference, the margins and the anchor are not read
    let nan = Side { logp: -1.0, ref_logp: f64::NAN, len: f64::NAN, kl: f64::NAN, margin: f64::NAN };
    let y =
        Simpo::eval(Pair { chosen: nan, rejected: Side { logp: -1.25, ..nan }, anchor, shift: 0.0 }, [2.0, 0.5, 0.0]);
    assert!((y.value - core::f64::consts::LN_2).abs() < 1e-15 && y.chosen.logp == -1.0);

    // estimators
    let k3 = |logp: f32, ref_logp: f32| K3::eval(Estimate { logp, ref_logp, old: f32::NAN }, []);
    assert_eq!((k3(-INF, -1.0).value, k3(-INF, -1.0).logp), (INF, -INF));
    assert_eq!((k3(-1.0, -INF).value, k3(-1.0, -INF).logp), (INF, 1.0));
    assert_eq!((k3(-2.5, -2.5).value, k3(-2.5, -2.5).logp), (0.0, 0.0));
    println!("24 edges");
}

/// Committed generated files say what the sources say.
#[test]
fn generated_files_are_current() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let out = Command::new(cargo)
        .args(["run", "--quiet", "--package", "xtask", "--", "generate", "--check"])
        .current_dir(root)
        .output();
    let out = out.expect("cargo");
    println!("{}", String::from_utf8_lossy(&out.stdout));
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// `truing_losses.h` alone is C99 and C++17, and holds the catalogue's numbers.
#[test]
fn loss_header_compiles() {
    let header = concat!(env!("CARGO_MANIFEST_DIR"), "/../include/truing_losses.h");
    let mut lines = String::new();
    let mut count = 0;
    for e in ALL {
        let name = format!("{}_{}", e.kind.name(), e.about.name).to_uppercase();
        lines += &format!("typedef char id_{count}[TRUING_{name} == {} ? 1 : -1];\n", e.about.id);
        for (k, p) in e.params.iter().enumerate() {
            lines += &format!(
                "typedef char p_{count}_{k}[TRUING_PARAM_{name}_{} == {k} ? 1 : -1];\n",
                p.name.to_uppercase()
            );
        }
        count += 1;
    }
    for (compiler, flags) in [("gcc", ["-std=c99", "-xc"]), ("g++", ["-std=c++17", "-xc++"])] {
        let mut child = Command::new(compiler)
            .args(flags)
            .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect(compiler);
        use std::io::Write;
        child.stdin.take().unwrap().write_all(format!("#include \"{header}\"\n{lines}").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success(), "{compiler}");
    }
    println!("{count} entries in the header");
    assert!(count >= 11);
}
