//! What holds for all inputs, on random ones that shrink: a row depends on itself, probabilities sum to one and gradients
//! to zero, divergences are not negative, losses have their symmetries, and any shape agrees with plain f64.
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::Cell;
use truing_core::Dtype;
use truing_core::catalog::Kind;
use truing_core::linear_logprob as core_linear;
use truing_core::logprob::{Figures, Options, Problem, Rows, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Floats, Layout, Mask, Matrix, MatrixMut};
use truing_core::{policy as pol, preference as pref, sequence as seq};
use truing_cpu::linear_logprob::Grads;
use truing_cpu::logprob::{BackwardInputs, Grad, Inputs, backward, forward};
use truing_cpu::{Context, Isa, linear_logprob, policy, preference};
use truing_tests::{Random, U, context, id, same, with_scratch};

/// Runs `property` on 256 inputs, the same ones in every run, and prints how many were judged.
fn holds<S: Strategy>(what: &str, input: S, property: impl Fn(S::Value)) {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let count = Cell::new(0);
    let result = TestRunner::new_with_rng(config, rng).run(&input, |x| {
        property(x);
        count.set(count.get() + 1);
        Ok(())
    });
    if let Err(e) = result {
        panic!("{what}: {e}");
    }
    println!("{what}: {} cases", count.get());
    assert!(count.get() >= 256);
}
/// Log-prob, lse, entropy and the gradient of `g . (logprob, lse, entropy)` of every row.
fn rows_of(c: &Context, z: &[f32], layout: Layout, target: &[i32], o: Options, g: [f32; 3]) -> [Vec<f32>; 4] {
    let (n, v) = (layout.rows(), layout.cols);
    let problem = Problem::new(n, v, o).unwrap();
    let logits = Floats::F32(Matrix::new(z, layout).unwrap());
    let rows = Rows { target: Some(Matrix::vector(target).into()), ..Rows::default() };
    let transform = TransformInputs::default();
    let mut out = [vec![7f32; n], vec![7f32; n], vec![7f32; n], vec![7f32; n * v]];
    let [lp, lse, entropy, grad] = &mut out;
    let figures = Figures {
        logprob: Some(MatrixMut::vector(lp)),
        lse: Some(MatrixMut::vector(lse)),
        entropy: Some(MatrixMut::vector(entropy)),
        ..Figures::default()
    };
    forward(c, &problem, Inputs::new(logits, transform, rows), figures).unwrap();
    let up = g.map(|g| vec![g; n]);
    let at = |k: usize| Some(Matrix::vector(&up[k][..]));
    let up = Upstream { logprob: at(0), lse: at(1), entropy: at(2), scale: 1.0, ..Upstream::default() };
    let place = Grad::Separate(logits, MatrixMut::contiguous(grad, n, v).unwrap().into());
    backward(c, &problem, BackwardInputs { transform, rows, ..Default::default() }, None, up, place, None).unwrap();
    out
}
/// A vocabulary around the sizes of lanes and blocks, or anything.
fn vocabulary() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..80, 1usize..700, 2040usize..2060, 4090usize..4105]
}

#[test]
fn a_row_depends_on_itself() {
    let (one, many) = (context(Isa::detect(), 0), context(Isa::detect(), 3));
    let input =
        (vocabulary(), 1usize..12, any::<u64>(), prop::collection::vec(any::<prop::sample::Index>(), 1..30), 0usize..9);
    holds("rows permuted, repeated, left out, spread", input, |(v, n, seed, picks, gap)| {
        let mut r = Random(seed);
        let (z, target) = (r.normals(n * v, 4.0), (0..n).map(|_| r.below(v) as i32).collect::<Vec<_>>());
        let g = [1.0, 0.5, -0.25];
        let all = rows_of(&one, &z, Layout::contiguous(n, v), &target, Options::default(), g);
        let picks: Vec<usize> = picks.iter().map(|p| p.index(n)).collect();
        // the picked rows with garbage between them
        let layout = Layout::strided(picks.len(), v, v + gap);
        let mut moved = vec![f32::NAN; layout.extent().unwrap()];
        for (k, &i) in picks.iter().enumerate() {
            moved[layout.offset(k)..][..v].copy_from_slice(&z[i * v..][..v]);
        }
        let to: Vec<i32> = picks.iter().map(|&i| target[i]).collect();
        let some = rows_of(&many, &moved, layout, &to, Options::default(), g);
        for (k, &i) in picks.iter().enumerate() {
            for f in 0..3 {
                same("figure", &some[f][k..k + 1], &all[f][i..i + 1]);
            }
            same("gradient", &some[3][k * v..][..v], &all[3][i * v..][..v]);
        }
    });
}

#[test]
fn a_token_of_the_linear_form_depends_on_itself() {
    let (one, many) = (context(Isa::detect(), 0), context(Isa::detect(), 2));
    let input =
        (1usize..300, 1usize..20, 1usize..40, any::<u64>(), prop::collection::vec(any::<prop::sample::Index>(), 1..40));
    holds("tokens permuted, repeated, left out", input, |(v, n, d, seed, picks)| {
        let mut r = Random(seed);
        let (h, w) = (r.normals(n * d, 1.5), r.normals(v * d, 0.8));
        let target: Vec<i32> = (0..n).map(|_| r.below(v) as i32).collect();
        let run = |c: &Context, h: &[f32], target: &[i32]| {
            let n = target.len();
            let [lp, gh, _] = linear(c, h, &w, [n, d, v], target, Transform::default());
            (lp, gh)
        };
        let (lp, gh) = run(&one, &h, &target);
        let picks: Vec<usize> = picks.iter().map(|p| p.index(n)).collect();
        let moved: Vec<f32> = picks.iter().flat_map(|&i| h[i * d..][..d].to_vec()).collect();
        let to: Vec<i32> = picks.iter().map(|&i| target[i]).collect();
        let (some, some_gh) = run(&many, &moved, &to);
        for (k, &i) in picks.iter().enumerate() {
            same("log-prob", &some[k..k + 1], &lp[i..i + 1]);
            same("grad_hidden", &some_gh[k * d..][..d], &gh[i * d..][..d]);
        }
    });
}
/// Log-probs, grad_hidden and grad_weight of the sum of all log-probs.
fn linear(
    c: &Context,
    h: &[f32],
    w: &[f32],
    [n, d, v]: [usize; 3],
    target: &[i32],
    transform: Transform,
) -> [Vec<f32>; 3] {
    let options = Options { transform, ..Options::default() };
    let problem = core_linear::Problem::new(n, d, v, options).unwrap();
    let inputs = linear_logprob::Inputs::new(
        Floats::F32(Matrix::contiguous(h, n, d).unwrap()),
        Floats::F32(Matrix::contiguous(w, v, d).unwrap()),
        TransformInputs::default(),
        Rows { target: Some(Matrix::vector(target).into()), ..Rows::default() },
    );
    let (mut lp, mut gh, mut gw) = (vec![7f32; n], vec![7f32; n * d], vec![7f32; v * d]);
    let figures = Figures { logprob: Some(MatrixMut::vector(&mut lp)), ..Figures::default() };
    let need = linear_logprob::forward_workspace(c, &problem, Dtype::F32, Dtype::F32).preferred;
    with_scratch(need, |s| linear_logprob::forward(c, &problem, inputs, figures, s)).unwrap();
    let ones = vec![1f32; n];
    let up = Upstream { logprob: Some(Matrix::vector(&ones)), ..Upstream::default() };
    let grads = Grads {
        hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
        weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
        ..Grads::default()
    };
    let need = linear_logprob::backward_workspace(c, &problem, Dtype::F32, Dtype::F32).minimum;
    with_scratch(need, |s| linear_logprob::backward(c, &problem, inputs, None, up, grads, None, s)).unwrap();
    [lp, gh, gw]
}

/// Promise A7: the gradient of a row's log-prob, lse - 1 and entropy sums to what it must within V u of its size; the
/// probabilities that the log-probs of all targets stand for sum to 1; entropy lies between 0 and log V.
#[test]
fn probabilities_and_gradients_sum() {
    let c = context(Isa::detect(), 0);
    let input = (vocabulary(), any::<u64>(), prop_oneof![Just(0.1), Just(3.0), Just(30.0)]);
    holds("sums over a row", input, |(v, seed, size)| {
        let mut r = Random(seed);
        let z = r.normals(v, size);
        let y = [r.below(v) as i32];
        let layout = Layout::contiguous(1, v);
        for (g, want) in [([1.0, 0.0, 0.0], 0.0), ([0.0, 1.0, 0.0], 1.0), ([0.0, 0.0, 1.0], 0.0)] {
            let out = rows_of(&c, &z, layout, &y, Options::default(), g);
            let sum: f64 = out[3].iter().map(|&g| g as f64).sum();
            let m = z.iter().fold(f32::MIN, |a, &x| a.max(x)) as f64;
            // the entropy's gradient -p (a - mean a) takes in the error of the mean, 12 u of its size
            let mean = (out[1][0] as f64 - m - out[2][0] as f64).abs() * g[2] as f64;
            let largest = out[3].iter().fold(0f64, |a, &g| a.max(g.abs() as f64)).max(want);
            // stricter than the promise, V u
            assert!(
                (sum - want).abs() <= (v as f64 + 8.0) * U * largest + 12.0 * U * mean,
                "{g:?}: {sum:e}, want {want}"
            );
            assert!(
                out[2][0] >= 0.0 && out[2][0] as f64 <= (v as f64).ln() * (1.0 + 8.0 * U) + 8.0 * U,
                "entropy {}",
                out[2][0]
            );
            assert!(out[0][0] <= 0.0, "log-prob {}", out[0][0]);
        }
        if v <= 300 {
            let all: Vec<f32> = (0..v).flat_map(|_| z.clone()).collect();
            let every: Vec<i32> = (0..v as i32).collect();
            let out = rows_of(&c, &all, Layout::contiguous(v, v), &every, Options::default(), [0.0; 3]);
            let (sum, error) = out[0].iter().fold((0.0, 0.0), |(s, e), &l| {
                let p = (l as f64).exp();
                (s + p, e + p * 4.0 * U * (2.0 * (l as f64).abs() + 1.0))
            });
            assert!((sum - 1.0).abs() <= error, "{sum}");
        }
    });
}

/// The loss, each d loss / d score, and the margin's gradient of one pair.
fn pair(name: &str, params: &[f64], scores: [f64; 2], reference: [f64; 2], lengths: [i32; 2]) -> (f64, [f64; 2]) {
    let c = Context::default();
    let terms =
        [pref::Term { id: id(Kind::Pair, name), params, reduction: pref::Reduction::Sum, ..pref::Term::default() }];
    let problem = pref::Problem::new(2, pref::Items::Stacked, &terms, pref::Options::default()).unwrap();
    let mut inputs = pref::Inputs::new(Floats::F64(Matrix::vector(&scores)));
    inputs.ref_scores = Some(Floats::F64(Matrix::vector(&reference)));
    inputs.lengths = Some(Matrix::vector(&lengths));
    let (mut loss, mut grad) = ([7f64], [7f64; 2]);
    let out = pref::Outputs {
        loss: Some(MatrixMut::vector(&mut loss).into()),
        grad_scores: Some(MatrixMut::vector(&mut grad).into()),
        ..pref::Outputs::default()
    };
    let need = preference::workspace(&c, &problem).minimum;
    with_scratch(need, |s| preference::forward(&c, &problem, &inputs, out, s)).unwrap();
    (loss[0], grad)
}
/// Promise A7 for `dpo`: L(-d) - L(d) = beta d, and swapping the pair turns the weight s(-d) into s(d), which add to 1.
#[test]
fn dpo_has_its_symmetries() {
    let input = (-60f64..0.0, -60f64..0.0, -60f64..0.0, -60f64..0.0, 0.01f64..3.0, 0.0f64..0.5);
    holds("dpo swapped", input, |(c, r, rc, rr, beta, smoothing)| {
        let (l, g) = pair("dpo", &[beta], [c, r], [rc, rr], [1, 1]);
        let (swapped, h) = pair("dpo", &[beta], [r, c], [rr, rc], [1, 1]);
        let d = beta * ((c - rc) - (r - rr));
        let size = 1.0 + d.abs() + beta * (c.abs() + r.abs() + rc.abs() + rr.abs());
        assert!((swapped - l - d).abs() <= 1e-14 * size, "L(-d) - L(d) = {}, d = {d}", swapped - l);
        assert!(l > 0.0 && swapped > 0.0);
        assert!((g[0] + g[1]).abs() <= 1e-15 * beta && g[0] <= 0.0, "both sides pull alike: {g:?}");
        assert!((g[1] + h[1] - beta).abs() <= 4e-15 * size, "weights {} and {} of {beta}", g[1], h[1]);
        // the smoothed loss is the mixture of both orders
        let (mixed, _) = pair("dpo", &[beta, smoothing], [c, r], [rc, rr], [1, 1]);
        let want = (1.0 - smoothing) * l + smoothing * swapped;
        assert!((mixed - want).abs() <= 1e-14 * size, "{mixed} {want}");
        // a common shift of both scores, and of a score with its reference, changes nothing
        let (moved, _) = pair("dpo", &[beta], [c + 8.0, r + 8.0], [rc, rr], [1, 1]);
        assert!((moved - l).abs() <= 1e-14 * (size + 16.0 * beta));
        // ipo is a square around its target, simpo pulls apart
        let (square, g) = pair("ipo", &[beta], [c, r], [rc, rr], [3, 5]);
        let q = (c - rc) / 3.0 - (r - rr) / 5.0 - 0.5 / beta;
        assert!((square - q * q).abs() <= 1e-12 * (1.0 + square + size * size / (beta * beta)) && square >= 0.0);
        assert!(g[0] * q >= 0.0 && g[1] * q <= 0.0);
        let (l, g) = pair("simpo", &[], [c, r], [0.0; 2], [3, 5]);
        assert!(l > 0.0 && g[0] <= 0.0 && g[1] >= 0.0);
    });
}

/// Promise A7: k3 >= 0 and 0 for equal policies, k2 >= 0; clipping never lowers the surrogate loss.
#[test]
fn estimators_are_not_negative() {
    let input = (1usize..70, any::<u64>(), prop_oneof![Just(1e-6), Just(0.1), Just(3.0), Just(20.0)]);
    holds("estimators", input, |(n, seed, spread)| {
        let mut r = Random(seed);
        let logp: Vec<f32> = (0..n).map(|_| -6.0 * r.uniform() as f32).collect();
        let mut other: Vec<f32> = logp.iter().map(|l| l + (spread * r.normal()) as f32).collect();
        other[0] = logp[0];
        let advantage = r.normals(n, 1.0);
        let mask: Vec<u8> = (0..n).map(|i| (i == 0 || r.below(4) > 0) as u8).collect();
        let c = Context::default();
        let values = |kind: Kind, name: &str, params: &[f64]| {
            let aggregate = pol::Aggregate {
                mode: pol::Mode::TokenSum,
                normaliser: 0.0,
                max_length: 0.0,
                count_empty: None,
                ..pol::Aggregate::new(pol::Mode::TokenMean)
            };
            let options = pol::Options { params, ..pol::Options::new(id(kind, name), pol::Level::Token, aggregate) };
            let segments = seq::Segments::Padded { sequences: 1, width: n };
            let problem = pol::Problem::new(n, segments, options).unwrap();
            let inputs = pol::Inputs {
                logps: Floats::F32(Matrix::vector(&logp)),
                old: Some(Floats::F32(Matrix::vector(&other))),
                reference: Some(Floats::F32(Matrix::vector(&other))),
                advantage: Some(pol::Advantage::Token(Floats::F32(Matrix::vector(&advantage)))),
                mask: Some(Mask::U8(Matrix::vector(&mask))),
                grad_output: None,
                grad_scale: 1.0,
                ..pol::Inputs::new(Floats::F32(Matrix::vector(&[])))
            };
            let (mut values, mut grad) = (vec![7f32; n], vec![7f32; n]);
            let out = pol::Outputs {
                values: Some(MatrixMut::vector(&mut values).into()),
                grad_logps: Some(MatrixMut::vector(&mut grad)),
                ..pol::Outputs::default()
            };
            let need = policy::workspace(&c, &problem).minimum;
            with_scratch(need, |s| policy::forward(&c, &problem, &inputs, out, s)).unwrap();
            (values, grad)
        };
        for name in ["k2", "k3"] {
            let (k, g) = values(Kind::Estimator, name, &[]);
            assert!(k.iter().all(|&k| k >= 0.0), "{name}: {k:?}");
            assert!(k[0] == 0.0 && g[0] == 0.0, "{name} of equal policies: {} {}", k[0], g[0]);
        }
        let k1 = values(Kind::Estimator, "k1", &[]).0;
        let off = f64::INFINITY;
        let (free, clipped) = (values(Kind::Token, "ppo_clip", &[off, off]).0, values(Kind::Token, "ppo_clip", &[]).0);
        for i in 0..n {
            assert!(mask[i] == 0 || k1[i] == logp[i] - other[i], "k1");
            assert!(clipped[i] >= free[i], "clipping lowers the loss: {} {}", clipped[i], free[i]);
            assert!(mask[i] != 0 || (k1[i] == 0.0 && free[i] == 0.0 && clipped[i] == 0.0));
        }
    });
}

/// Random shapes, strides and transforms of the logits form against plain f64.
#[test]
fn logprob_of_any_shape() {
    let c = context(Isa::detect(), 2);
    let input = (vocabulary(), 1usize..8, 0usize..7, any::<u64>(), 0usize..4);
    holds("logprob shapes", input, |(v, n, gap, seed, what)| {
        let mut r = Random(seed);
        let t = [
            Transform::default(),
            Transform { temperature: 0.6, ..Transform::default() },
            Transform { softcap: 6.0, ..Transform::default() },
            Transform { logit_scale: 1.5, softcap: 10.0, temperature: 2.0 },
        ][what];
        let valid = if r.below(3) == 0 { 1 + r.below(v) } else { v };
        let options = Options { transform: t, n_valid_vocab: valid, ..Options::default() };
        let layout = Layout::strided(n, v, v + gap);
        let z = r.normals(layout.extent().unwrap(), 3.0);
        let target: Vec<i32> = (0..n).map(|_| r.below(valid) as i32).collect();
        let g = [1.0f32, -0.5, 0.25];
        let got = rows_of(&c, &z, layout, &target, options, g);
        for i in 0..n {
            let z: Vec<f64> = z[layout.offset(i)..][..valid].iter().map(|&x| x as f64).collect();
            let (x, slope): (Vec<f64>, Vec<f64>) = z.iter().map(|&z| transformed(z, &t)).unzip();
            let o = Plain::new(&x);
            let y = target[i] as usize;
            // what the f32 transform may add to a logit; a plain row has none of it
            let slack = if what == 0 { 0.0 } else { 8.0 * U * x.iter().fold(0f64, |a, x| a.max(x.abs())) };
            let close = |name: &str, got: f32, want: f64, bound: f64| {
                assert!((got as f64 - want).abs() <= bound, "{name}: got {got}, expected {want}, bound {bound:e}");
            };
            let big = 1.0 + (valid as f64).ln();
            close("logprob", got[0][i], o.logp(y), 4.0 * U * ((x[y] - o.m).abs() + o.l + 1.0) + 2.0 * slack);
            close("lse", got[1][i], o.m + o.l, 4.0 * U * (o.l + 1.0) + U * o.m.abs() + 2.0 * slack);
            close("entropy", got[2][i], o.entropy, (8.0 * U + slack) * big);
            let want: Vec<f64> = (0..valid)
                .map(|j| {
                    let (p, l) = (o.logp(j).exp(), o.logp(j));
                    let hit = (j == y) as u8 as f64;
                    (g[0] as f64 * (hit - p) + g[1] as f64 * p - g[2] as f64 * p * (l + o.entropy)) * slope[j]
                })
                .collect();
            // the hit cancels against p near certainty, where only the absolute error of p is plain f64's own
            let most = slope.iter().fold(0f64, |a, &s| a.max(s)) * 2.0;
            let bound = (12.0 * U * (1.0 + o.l / 8.0) + 8.0 * slack) * most * (1.0 + big);
            for (j, w) in want.iter().enumerate() {
                close("gradient", got[3][i * v + j], *w, bound);
            }
            assert!(got[3][i * v + valid..(i + 1) * v].iter().all(|g| g.to_bits() == 0), "padding columns");
        }
    });
}
/// Random shapes of the linear form against plain f64: products, log-probs, both gradients.
#[test]
fn linear_logprob_of_any_shape() {
    let c = context(Isa::detect(), 2);
    let input =
        (prop_oneof![1usize..50, 1usize..400, 2040usize..2056], 1usize..24, 1usize..48, any::<u64>(), any::<bool>());
    holds("linear_logprob shapes", input, |(v, n, d, seed, capped)| {
        let mut r = Random(seed);
        let (h, w) = (r.normals(n * d, 1.0), r.normals(v * d, 1.5 / (d as f64).sqrt()));
        let target: Vec<i32> = (0..n).map(|_| r.below(v) as i32).collect();
        let t = Transform { softcap: if capped { 5.0 } else { 0.0 }, ..Transform::default() };
        let [lp, gh, gw] = linear(&c, &h, &w, [n, d, v], &target, t);
        let norm = |x: &[f32]| x.iter().map(|&x| (x as f64).powi(2)).sum::<f64>().sqrt();
        let widest = (0..v).map(|j| norm(&w[j * d..][..d])).fold(0f64, f64::max);
        let (mut want_h, mut want_w) = (vec![(0f64, 0f64); n * d], vec![(0f64, 0f64); v * d]);
        for i in 0..n {
            let h = &h[i * d..][..d];
            let dot = |j: usize| h.iter().zip(&w[j * d..][..d]).map(|(&a, &b)| a as f64 * b as f64).sum::<f64>();
            let (x, slope): (Vec<f64>, Vec<f64>) = (0..v).map(|j| transformed(dot(j), &t)).unzip();
            let (o, y) = (Plain::new(&x), target[i] as usize);
            // the hard bound of a product would be D u sum |h w|; random data is far below it
            let slack = 4.0 * U * norm(h) * widest + if capped { 8.0 * U * 5.0 } else { 0.0 };
            let bound = 4.0 * U * ((x[y] - o.m).abs() + o.l + 1.0) + 2.0 * slack;
            assert!((lp[i] as f64 - o.logp(y)).abs() <= bound, "log-prob {} {} {bound:e}", lp[i], o.logp(y));
            for j in 0..v {
                let p = o.logp(j).exp();
                let hit = (j == y) as u8 as f64;
                let dz = (hit - p) * slope[j];
                let off = (12.0 * U + 4.0 * slack) * (hit + p);
                for k in 0..d {
                    let (a, b) = (h[k] as f64, w[j * d + k] as f64);
                    let (to, by) = (&mut want_h[i * d + k], &mut want_w[j * d + k]);
                    (to.0, to.1) = (to.0 + dz * b, to.1 + off * b.abs());
                    (by.0, by.1) = (by.0 + dz * a, by.1 + off * a.abs());
                }
            }
        }
        for (name, got, want) in [("grad_hidden", &gh, &want_h), ("grad_weight", &gw, &want_w)] {
            for (got, (value, bound)) in got.iter().zip(want) {
                assert!((*got as f64 - value).abs() <= bound + 1e-30, "{name}: {got} {value} {bound:e}");
            }
        }
    });
}
fn transformed(z: f64, t: &Transform) -> (f64, f64) {
    let s = t.logit_scale * z;
    match t.softcap > 0.0 {
        true => {
            let tanh = (s / t.softcap).tanh();
            (t.softcap * tanh / t.temperature, t.logit_scale * (1.0 - tanh * tanh) / t.temperature)
        }
        false => (s / t.temperature, t.logit_scale / t.temperature),
    }
}
/// Log softmax in f64.
struct Plain<'a> {
    x: &'a [f64],
    m: f64,
    /// lse - m
    l: f64,
    entropy: f64,
}
impl<'a> Plain<'a> {
    fn new(x: &'a [f64]) -> Plain<'a> {
        let m = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = x.iter().map(|x| (x - m).exp()).sum();
        let mean = x.iter().map(|x| (x - m).exp() * (x - m)).sum::<f64>() / sum;
        Plain { x, m, l: sum.ln(), entropy: sum.ln() - mean }
    }
    fn logp(&self, j: usize) -> f64 {
        self.x[j] - self.m - self.l
    }
}
