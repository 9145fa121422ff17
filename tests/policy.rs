//! Policy losses against formulas written here a second time, gradients against differences of those formulas; the same
//! bits over instruction sets, threads, layouts and optional outputs; limits, masks, hostile inputs.
use truing_core::catalog::{ALL, Kind, TokenVisitor, resolve, slot, with_token};
use truing_core::dtype::{bf16, f16};
use truing_core::error::row;
use truing_core::losses::{Token, TokenLoss};
use truing_core::matrix::{Floats, FloatsMut, Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::policy::{
    Advantage, Aggregate, Bonus, ClampMode, CountEmpty, Denominator, Each, Estimator, EstimatorGradient,
    EstimatorWeight, Inputs, KlStage, Level, Mode, Options, Outputs, Problem, RatioSource, Term, TermInputs, stat,
};
use truing_core::sequence::Segments;
use truing_core::{Error, Status};
use truing_cpu::{Context, Isa, policy};
use truing_tests::{Cases, Random, context, contexts, id, same, with_scratch};

#[derive(Clone, Debug)]
struct Got {
    loss: f64,
    values: Vec<f32>,
    sequence_values: Vec<f64>,
    kl: Vec<f32>,
    terms: Vec<f64>,
    grad: Vec<f32>,
    statistics: [f64; 32],
    token_status: Vec<u32>,
    sequence_status: Vec<u32>,
    counters: [i64; 32],
}
fn run(c: &Context, p: &Problem, i: &Inputs) -> Result<Got, Error> {
    let (n, b) = (p.tokens(), p.sequences());
    let whole = matches!(p.info().kind, Kind::Sequence | Kind::List);
    let aggregated = p.options().aggregate.mode != Mode::None;
    let mut g = Got {
        loss: 77.0,
        values: vec![77.0; n],
        sequence_values: vec![77.0; if whole { p.values() } else { b }],
        kl: vec![77.0; n],
        terms: vec![77.0; 3 + p.options().terms.len()],
        grad: vec![77.0; n],
        statistics: [77.0; 32],
        token_status: vec![77; n],
        sequence_status: vec![77; b],
        counters: [77; 32],
    };
    let mut loss = [77.0];
    let values = if whole {
        FloatsMut::F64(MatrixMut::vector(&mut g.sequence_values))
    } else {
        FloatsMut::F32(MatrixMut::vector(&mut g.values))
    };
    let out = Outputs {
        loss: aggregated.then(|| MatrixMut::vector(&mut loss).into()),
        values: Some(values),
        kl: p.estimator().is_some().then(|| MatrixMut::vector(&mut g.kl)),
        terms: aggregated.then(|| MatrixMut::vector(&mut g.terms)),
        grad_logps: Some(MatrixMut::vector(&mut g.grad)),
        statistics: Some(&mut g.statistics),
        token_status: Some(MatrixMut::vector(&mut g.token_status)),
        sequence_status: Some(MatrixMut::vector(&mut g.sequence_status)),
        counters: Some(&mut g.counters),
        ..Outputs::default()
    };
    let need = policy::workspace(c, p).minimum;
    let result = with_scratch(need, |w| policy::forward(c, p, i, out, w));
    g.loss = loss[0];
    if result.is_err() {
        assert!(
            g.loss == 77.0 && g.terms.iter().all(|&x| x == 77.0) && g.counters == [77; 32],
            "written by a refused call"
        );
        assert!(g.values.iter().chain(&g.grad).all(|&x| x == 77.0) && g.statistics == [77.0; 32]);
    }
    result.map(|()| g)
}
fn same_all(what: &str, a: &Got, b: &Got) {
    same(what, &[a.loss], &[b.loss]);
    same(what, &a.values, &b.values);
    same(what, &a.sequence_values, &b.sequence_values);
    same(what, &a.kl, &b.kl);
    same(what, &a.terms, &b.terms);
    same(what, &a.grad, &b.grad);
    same(what, &a.statistics, &b.statistics);
    same(what, &a.token_status, &b.token_status);
    same(what, &a.sequence_status, &b.sequence_status);
    same(what, &a.counters, &b.counters);
}

#[derive(Clone)]
struct Data {
    sequences: usize,
    width: usize,
    logp: Vec<f32>,
    old: Vec<f32>,
    reference: Vec<f32>,
    advantage: Vec<f32>,
    mask: Vec<u8>,
}
impl Data {
    fn new(seed: u64, sequences: usize, width: usize, spread: f64) -> Data {
        let mut r = Random(seed);
        let n = sequences * width;
        let logp: Vec<f32> = (0..n).map(|_| -4.0 * r.uniform() as f32).collect();
        let near = |r: &mut Random| logp.iter().map(|&l| l + (spread * r.normal()) as f32).collect::<Vec<f32>>();
        let (old, reference) = (near(&mut r), near(&mut r));
        let mut d = Data {
            sequences,
            width,
            old,
            reference,
            advantage: (0..n).map(|_| if r.below(9) == 0 { 0.0 } else { r.normal() as f32 }).collect(),
            mask: (0..n).map(|_| (r.below(4) > 0) as u8).collect(),
            logp,
        };
        if sequences > 2 {
            d.mask[width..2 * width].fill(0);
        }
        d
    }
    fn segments(&self) -> Segments<'static> {
        Segments::Padded { sequences: self.sequences, width: self.width }
    }
    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            logps: Floats::F32(Matrix::vector(&self.logp)),
            old: Some(Floats::F32(Matrix::vector(&self.old))),
            reference: Some(Floats::F32(Matrix::vector(&self.reference))),
            advantage: Some(Advantage::Token(Floats::F32(Matrix::vector(&self.advantage)))),
            mask: Some(Mask::U8(Matrix::vector(&self.mask))),
            grad_output: None,
            grad_scale: 1.0,
            ..Inputs::new(Floats::F32(Matrix::vector(&[])))
        }
    }
    fn live(&self, b: usize) -> Vec<usize> {
        (b * self.width..(b + 1) * self.width).filter(|&i| self.mask[i] != 0).collect()
    }
}
/// The clipped surrogate as the papers write it.
fn clip(x: f64, a: f64, p: &[f64]) -> f64 {
    let get = |k: usize, d: f64| p.get(k).copied().unwrap_or(d);
    let (low, high, delta, dual) = (1.0 - get(0, 0.2), 1.0 + get(1, 0.2), get(2, f64::INFINITY), get(3, f64::INFINITY));
    let r = x.exp();
    let plain = -(r.min(delta) * a).min(r.max(low).min(high) * a);
    if a < 0.0 { plain.min(-dual * a) } else { plain }
}
/// Value of an estimator, and a function whose derivative at `at` is the gradient that is asked for.
fn estimate(name: &str, e: &Estimator, l: f64, at: f64, old: f64, reference: f64) -> [f64; 2] {
    let z = reference - l;
    let k = match name {
        "k1" => -z,
        "k2" => z * z / 2.0,
        _ => z.exp_m1() - z,
    };
    let factor = match e.weight {
        EstimatorWeight::One => [1.0, 1.0],
        EstimatorWeight::Score => [1.0, (l - at).exp()],
        EstimatorWeight::Ratio => [(l - old).exp(); 2],
        EstimatorWeight::RatioSequence => unreachable!("see `stages`"),
    };
    let surrogate = if e.gradient == EstimatorGradient::StraightThrough { z * z / 2.0 } else { factor[1] * k };
    [factor[0] * k, surrogate]
}
struct Oracle<'a> {
    d: &'a Data,
    name: &'a str,
    params: &'a [f64],
    kl: Option<(&'a str, Estimator)>,
    aggregate: Aggregate,
    old: bool,
}
impl Oracle<'_> {
    /// `[loss, KL]` after aggregation; with `surrogate` the functions that are differentiated.
    fn total(&self, l: &[f64], surrogate: bool) -> [f64; 2] {
        let d = self.d;
        let lengths: Vec<f64> = (0..d.sequences).map(|b| d.live(b).len() as f64).collect();
        let tokens: f64 = lengths.iter().sum();
        let nonempty = lengths.iter().filter(|&&x| x > 0.0).count() as f64;
        let rows = if self.aggregate.count_empty == Some(CountEmpty::Nonempty) { nonempty } else { d.sequences as f64 };
        let norm = |own: f64| if self.aggregate.normaliser != 0.0 { self.aggregate.normaliser } else { own };
        let mut sums = [0.0; 2];
        for b in 0..d.sequences {
            let live = d.live(b);
            let w = match self.aggregate.mode {
                Mode::TokenMean => 1.0 / norm(tokens),
                Mode::TokenSum => 1.0 / norm(1.0),
                Mode::SeqMeanTokenSum => 1.0 / norm(rows),
                Mode::SeqMeanTokenSumNorm => 1.0 / norm(rows * self.aggregate.max_length),
                Mode::SeqMeanTokenMean | Mode::SeqMean => 1.0 / (norm(rows) * lengths[b]),
                Mode::WeightedMean | Mode::None => unreachable!("see tests of their own"),
            };
            let at = |i: usize| d.logp[i] as f64;
            let old = |i: usize| if self.old { d.old[i] as f64 } else { at(i) };
            let mean = |f: &dyn Fn(usize) -> f64| live.iter().map(|&i| f(i)).sum::<f64>() / lengths[b];
            let whole = if self.name == "gspo" && !live.is_empty() {
                clip(mean(&|i| l[i] - old(i)), mean(&|i| d.advantage[i] as f64), self.params)
            } else {
                0.0
            };
            for &i in &live {
                let own = Estimator {
                    id: 0,
                    weight: EstimatorWeight::One,
                    gradient: EstimatorGradient::Pathwise,
                    coef: 0.0,
                    ..Estimator::new(0)
                };
                let k = |name: &str, e: &Estimator| {
                    estimate(name, e, l[i], at(i), old(i), d.reference[i] as f64)[surrogate as usize]
                };
                sums[0] += w * match self.name {
                    "ppo_clip" => clip(l[i] - old(i), d.advantage[i] as f64, self.params),
                    "gspo" => whole,
                    name => k(name, self.kl.as_ref().map_or(&own, |(_, e)| e)),
                };
                if let Some((name, e)) = &self.kl {
                    sums[1] += w * e.coef * k(name, e);
                }
            }
        }
        sums
    }
}
const ONE: Aggregate = Aggregate::new(Mode::TokenMean);
fn aggregates(sequence: bool) -> Vec<Aggregate> {
    let mut all = vec![ONE, Aggregate { normaliser: 37.5, ..ONE }, Aggregate { mode: Mode::TokenSum, ..ONE }];
    for count in [CountEmpty::All, CountEmpty::Nonempty] {
        let a = Aggregate { count_empty: Some(count), ..ONE };
        all.push(Aggregate { mode: Mode::SeqMeanTokenMean, ..a });
        all.push(Aggregate { mode: Mode::SeqMeanTokenSum, ..a });
        all.push(Aggregate { mode: Mode::SeqMeanTokenSumNorm, max_length: 12.0, ..a });
        if sequence {
            all.push(Aggregate { mode: Mode::SeqMean, ..a });
        }
    }
    all
}
type Case = (Kind, &'static str, &'static [f64], Option<(&'static str, Estimator)>);
fn losses() -> Vec<Case> {
    let e = |name: &'static str, weight, gradient, coef| {
        (name, Estimator { id: id(Kind::Estimator, name), weight, gradient, coef, ..Estimator::new(0) })
    };
    use EstimatorGradient::*;
    use EstimatorWeight::*;
    vec![
        (Kind::Token, "ppo_clip", &[], None),
        (Kind::Token, "ppo_clip", &[0.1, 0.3], Some(e("k3", One, Pathwise, 0.04))),
        (Kind::Token, "ppo_clip", &[0.2, 0.2, 1.5], Some(e("k3", Ratio, Pathwise, 0.5))),
        (Kind::Token, "ppo_clip", &[0.2, 0.2, 0.9], Some(e("k1", Score, Pathwise, 0.5))),
        (Kind::Token, "ppo_clip", &[0.2, 0.2, f64::INFINITY, 1.1], Some(e("k2", Ratio, StraightThrough, 0.5))),
        (Kind::Token, "ppo_clip", &[f64::INFINITY, f64::INFINITY], Some(e("k2", Score, Pathwise, 0.0))),
        (Kind::Sequence, "gspo", &[0.02, 0.03], None),
        (Kind::Sequence, "gspo", &[], Some(e("k3", One, Pathwise, 0.1))),
        (Kind::Sequence, "gspo", &[0.01, 0.01, 1.02, 1.05], Some(e("k1", Ratio, StraightThrough, 0.1))),
        (Kind::Estimator, "k1", &[], None),
        (Kind::Estimator, "k2", &[], Some(e("k2", Ratio, Pathwise, 0.0))),
        (Kind::Estimator, "k3", &[], Some(e("k3", Score, Pathwise, 0.0))),
        (Kind::Estimator, "k3", &[], Some(e("k3", Ratio, Pathwise, 0.0))),
    ]
}
fn options<'a>(c: &Case, aggregate: Aggregate) -> Options<'a> {
    let level = if c.0 == Kind::Sequence { Level::Sequence } else { Level::Token };
    Options {
        loss: id(c.0, c.1),
        params: c.2,
        kl: c.3.map(|k| k.1),
        aggregate,
        level,
        variant: 0,
        bonus: None,
        groups: None,
        terms: &[],
    }
}
fn near(what: &str, got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance, "{what}: got {got}, expected {want}");
}

#[test]
fn formulas() {
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    for (k, case) in losses().iter().enumerate() {
        for aggregate in aggregates(case.0 == Kind::Sequence) {
            for old in [true, false] {
                let d = Data::new(k as u64, 5, 19, 0.25);
                let o = options(case, aggregate);
                let p = Problem::new(d.logp.len(), d.segments(), o).unwrap();
                let half = [0.5f32];
                let mut i =
                    Inputs { grad_output: Some(Floats::F32(Matrix::vector(&half))), grad_scale: 3.0, ..d.inputs() };
                if !old {
                    i.old = None;
                }
                let g = run(&all[0], &p, &i).unwrap();
                for c in all.iter().skip(1).chain([&threaded]) {
                    same_all(case.1, &run(c, &p, &i).unwrap(), &g);
                }
                let oracle = Oracle { d: &d, name: case.1, params: case.2, kl: case.3, aggregate, old };
                let l: Vec<f64> = d.logp.iter().map(|&x| x as f64).collect();
                let [main, kl] = oracle.total(&l, false);
                let kl = if case.0 == Kind::Estimator { 0.0 } else { kl };
                let scale = if aggregate.mode == Mode::TokenSum { 100.0 } else { 20.0 };
                near("loss", g.loss, main + kl, 1e-6 * scale);
                near("main", g.terms[0], main, 1e-6 * scale);
                near("kl", g.terms[1], kl, 1e-6 * scale);
                // small, so that no step crosses a bound of the clip
                let h = 1e-6;
                for s in 0..l.len() {
                    let at = |x: f64| {
                        let mut l = l.clone();
                        l[s] += x;
                        let [main, kl] = oracle.total(&l, true);
                        main + if case.0 == Kind::Estimator { 0.0 } else { kl }
                    };
                    let want = (at(h) - at(-h)) / (2.0 * h) * 1.5;
                    near(
                        &format!("grad of {case:?} old {old} {aggregate:?} at {s}"),
                        g.grad[s] as f64,
                        want,
                        3e-6 * want.abs() + 2e-7 * scale,
                    );
                    cases.ran();
                }
                // figures
                let live: Vec<usize> = (0..d.sequences).flat_map(|b| d.live(b)).collect();
                let x: Vec<f64> = live.iter().map(|&i| if old { (d.logp[i] - d.old[i]) as f64 } else { 0.0 }).collect();
                let s = &g.statistics;
                assert_eq!((s[stat::TOKENS], s[stat::SEQUENCES]), (live.len() as f64, 4.0));
                near("ratio sum", s[stat::RATIO_SUM], x.iter().map(|x| x.exp()).sum(), 1e-4);
                near("k1 sum", s[stat::K1_SUM], -x.iter().sum::<f64>(), 1e-9);
                near("k3 sum", s[stat::K3_SUM], x.iter().map(|x| x.exp_m1() - x).sum(), 1e-5);
                assert_eq!(s[stat::LOG_RATIO_MIN], x.iter().copied().fold(f64::MAX, f64::min));
                assert_eq!(s[stat::LOG_RATIO_MAX], x.iter().copied().fold(f64::MIN, f64::max));
                if case.1 == "ppo_clip" && old {
                    let get = |k: usize, d: f64| case.2.get(k).copied().unwrap_or(d);
                    let (low, high) = ((1.0 - get(0, 0.2)).max(0.0).ln(), get(1, 0.2).ln_1p());
                    let roof = high.max(get(2, f64::INFINITY).ln());
                    let a = |k: usize| d.advantage[live[k]];
                    let count = |f: &dyn Fn(usize) -> bool| (0..live.len()).filter(|&k| f(k)).count() as f64;
                    assert_eq!(s[stat::CLIP_LOW], count(&|k| a(k) < 0.0 && x[k] < low));
                    assert_eq!(s[stat::CLIP_HIGH], count(&|k| a(k) > 0.0 && x[k] > high));
                    let dual = get(3, f64::INFINITY).ln();
                    assert_eq!(s[stat::CLIP_DUAL], count(&|k| a(k) < 0.0 && x[k].min(roof) > dual));
                    if case.2.is_empty() {
                        assert!(s[stat::CLIP_LOW] > 0.0 && s[stat::CLIP_HIGH] > 0.0);
                    }
                }
                for (t, &m) in d.mask.iter().enumerate() {
                    assert_eq!(g.token_status[t], if m == 0 { row::IGNORED } else { 0 });
                    assert!(m != 0 || (g.grad[t] == 0.0 && (case.0 == Kind::Sequence || g.values[t] == 0.0)));
                }
                assert_eq!(g.sequence_status, [0, row::EMPTY, 0, 0, 0]);
                assert_eq!(g.counters[7], 1);
                assert_eq!(g.counters[0] as usize, d.logp.len() - live.len());
            }
        }
    }
    cases.finish("policy formulas", 23000);
}

/// Bits over instruction sets and threads on long and many sequences; optional outputs change nothing; one number of a
/// sequence equals the same number on each of its tokens.
#[test]
fn bits() {
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 4));
    for case in &losses() {
        for (sequences, width) in [(1, 1), (2, 15), (3, 16), (2, 17), (5, 255), (3, 257), (2, 5000), (900, 20)] {
            let d = Data::new(11, sequences, width, 0.3);
            let p = Problem::new(d.logp.len(), d.segments(), options(case, ONE)).unwrap();
            let i = d.inputs();
            let want = run(&all[0], &p, &i).unwrap();
            for c in all.iter().skip(1).chain([&threaded]) {
                same_all(case.1, &run(c, &p, &i).unwrap(), &want);
            }
            let (mut loss, mut grad) = ([0f64], vec![5f32; d.logp.len()]);
            let out = Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                grad_logps: Some(MatrixMut::vector(&mut grad)),
                ..Outputs::default()
            };
            let need = policy::workspace(&threaded, &p).minimum;
            with_scratch(need, |w| policy::forward(&threaded, &p, &i, out, w)).unwrap();
            same("loss alone", &loss, &[want.loss]);
            same("gradient alone", &grad, &want.grad);
            let each: Vec<f32> = (0..sequences).map(|b| d.advantage[b * width]).collect();
            let spread: Vec<f32> = (0..d.logp.len()).map(|i| each[i / width]).collect();
            let one = run(
                &all[0],
                &p,
                &Inputs { advantage: Some(Advantage::Sequence(Floats::F32(Matrix::vector(&each)))), ..i },
            )
            .unwrap();
            let many = run(
                &all[0],
                &p,
                &Inputs { advantage: Some(Advantage::Token(Floats::F32(Matrix::vector(&spread)))), ..i },
            )
            .unwrap();
            if case.0 == Kind::Sequence {
                near("advantage of a sequence", one.loss, many.loss, 1e-12);
            } else {
                same_all("advantage of a sequence", &one, &many);
            }
            cases.ran();
        }
    }
    cases.finish("policy bits", 104);
}

/// Padded, packed, strided and stored narrow.
#[test]
fn layouts() {
    let mut cases = Cases::default();
    let (c, threaded) = (context(Isa::detect(), 0), context(Isa::detect(), 3));
    let lengths = [7usize, 0, 300, 1, 16];
    let width = 320;
    for case in &losses() {
        let mut d = Data::new(21, lengths.len(), width, 0.3);
        for (b, &l) in lengths.iter().enumerate() {
            for t in 0..width {
                d.mask[b * width + t] = (t < l) as u8;
            }
        }
        for i in (0..d.mask.len()).filter(|&i| d.mask[i] == 0).collect::<Vec<_>>() {
            (d.logp[i], d.old[i], d.reference[i], d.advantage[i]) =
                (f32::NAN, f32::INFINITY, f32::NAN, f32::NEG_INFINITY);
        }
        let live: Vec<usize> = (0..d.mask.len()).filter(|&i| d.mask[i] != 0).collect();
        let pick = |v: &[f32]| live.iter().map(|&i| v[i]).collect::<Vec<f32>>();
        let a = Aggregate { mode: Mode::SeqMeanTokenMean, count_empty: Some(CountEmpty::All), ..ONE };
        let padded =
            run(&c, &Problem::new(d.logp.len(), d.segments(), options(case, a)).unwrap(), &d.inputs()).unwrap();
        let mut cu = vec![0i32];
        lengths.iter().for_each(|&l| cu.push(cu[cu.len() - 1] + l as i32));
        let q = Data {
            logp: pick(&d.logp),
            old: pick(&d.old),
            reference: pick(&d.reference),
            advantage: pick(&d.advantage),
            mask: vec![1; live.len()],
            ..d.clone()
        };
        let packed =
            Problem::new(live.len(), Segments::Packed(Ints::I32(Matrix::vector(&cu))), options(case, a)).unwrap();
        for mask in [false, true] {
            let mut i = q.inputs();
            if !mask {
                i.mask = None;
            }
            for c in [&c, &threaded] {
                let g = run(c, &packed, &i).unwrap();
                same("packed loss", &[g.loss], &[padded.loss]);
                same("packed terms", &g.terms, &padded.terms);
                same("packed figures", &g.statistics, &padded.statistics);
                same("packed gradient", &g.grad, &pick(&padded.grad));
                same("packed values", &g.sequence_values, &padded.sequence_values);
                cases.ran();
            }
        }
        // every second element of a wider buffer, gradient too
        let wide = |v: &[f32]| v.iter().flat_map(|&x| [x, f32::NAN]).collect::<Vec<f32>>();
        let (l, o, r, av) = (wide(&d.logp), wide(&d.old), wide(&d.reference), wide(&d.advantage));
        let m: Vec<i32> = d.mask.iter().flat_map(|&x| [x as i32, 9]).collect();
        let layout = Layout::batched(lengths.len(), width, 1, 2 * width, 2);
        let i = Inputs {
            logps: Floats::F32(Matrix::new(&l, layout).unwrap()),
            old: Some(Floats::F32(Matrix::new(&o, layout).unwrap())),
            reference: Some(Floats::F32(Matrix::new(&r, layout).unwrap())),
            advantage: Some(Advantage::Token(Floats::F32(Matrix::new(&av, layout).unwrap()))),
            mask: Some(Mask::I32(Matrix::new(&m, layout).unwrap())),
            ..d.inputs()
        };
        let p = Problem::new(d.logp.len(), d.segments(), options(case, a)).unwrap();
        same_all("strided", &run(&threaded, &p, &i).unwrap(), &padded);
        let mut grad = vec![5f32; 2 * d.logp.len()];
        let out = Outputs { grad_logps: Some(MatrixMut::new(&mut grad, layout).unwrap()), ..Outputs::default() };
        let need = policy::workspace(&threaded, &p).minimum;
        with_scratch(need, |w| policy::forward(&threaded, &p, &i, out, w)).unwrap();
        for (t, &want) in padded.grad.iter().enumerate() {
            same("strided gradient", &[grad[2 * t], grad[2 * t + 1]], &[want, 5.0]);
        }
        // bf16 and f16 are the widened values
        let b: Vec<bf16> = q.logp.iter().map(|&x| bf16::from_f32(x)).collect();
        let h: Vec<f16> = q.old.iter().map(|&x| f16::from_f32(x)).collect();
        let e = Data {
            logp: b.iter().map(|x| x.to_f32()).collect(),
            old: h.iter().map(|x| x.to_f32()).collect(),
            ..q.clone()
        };
        let narrow = Inputs {
            logps: Floats::Bf16(Matrix::vector(&b)),
            old: Some(Floats::F16(Matrix::vector(&h))),
            ..q.inputs()
        };
        same_all("stored type", &run(&c, &packed, &narrow).unwrap(), &run(&c, &packed, &e.inputs()).unwrap());
        cases.ran();
    }
    cases.finish("policy layouts", 65);
}

#[test]
fn limits() {
    let mut cases = Cases::default();
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let all = contexts();
    for c in &all {
        let token = |params: &[f64], l: f32, o: f32, a: f32| {
            let o1 = Options {
                loss: id(Kind::Token, "ppo_clip"),
                params,
                kl: None,
                aggregate: Aggregate { mode: Mode::TokenSum, ..ONE },
                level: Level::Token,
                variant: 0,
                bonus: None,
                groups: None,
                terms: &[],
            };
            let p = Problem::new(1, Segments::Padded { sequences: 1, width: 1 }, o1).unwrap();
            let (l, o, a) = ([l], [o], [a]);
            let i = Inputs {
                logps: Floats::F32(Matrix::vector(&l)),
                old: Some(Floats::F32(Matrix::vector(&o))),
                reference: None,
                advantage: Some(Advantage::Token(Floats::F32(Matrix::vector(&a)))),
                mask: None,
                grad_output: None,
                grad_scale: 1.0,
                ..Inputs::new(Floats::F32(Matrix::vector(&[])))
            };
            let g = run(c, &p, &i).unwrap();
            (g.values[0], g.grad[0], g.token_status[0])
        };
        let mut check = |got: (f32, f32, u32), value: f32, grad: f32, status: u32| {
            same("limit", &[got.0, got.1], &[value, grad]);
            assert_eq!(got.2, status);
            cases.ran();
        };
        let open = [f64::INFINITY, f64::INFINITY];
        let capped = -2.0 * truing_core::real::Real::exp(truing_core::real::Real::log1p(0.2f64) as f32);
        // x -> +inf, A > 0: the cap, gradient 0; without a cap infinite
        check(token(&[], 1.0, -inf, 2.0), capped, 0.0, row::INFINITE);
        check(token(&open, 1.0, -inf, 2.0), -inf, -inf, row::INFINITE);
        check(token(&open, 100.0, 0.0, 2.0), -inf, -inf, row::OVERFLOW);
        // x -> +inf, A < 0: infinite without delta and dual clip
        check(token(&[], 1.0, -inf, -2.0), inf, inf, row::INFINITE);
        check(token(&[], 100.0, 0.0, -2.0), inf, inf, row::OVERFLOW);
        let dual = 2.0 * truing_core::real::Real::exp(truing_core::real::Real::log(3.0f64) as f32);
        check(token(&[0.2, 0.2, f64::INFINITY, 3.0], 1.0, -inf, -2.0), dual, 0.0, row::INFINITE);
        // x -> -inf
        check(token(&[], -inf, 1.0, 2.0), -0.0, -0.0, row::INFINITE);
        let low = 2.0 * truing_core::real::Real::exp(truing_core::real::Real::log1p(-0.2f64) as f32);
        check(token(&[], -inf, 1.0, -2.0), low, 0.0, row::INFINITE);
        check(token(&open, -inf, 1.0, -2.0), 0.0, 0.0, row::INFINITE);
        // no advantage: nothing, whatever the ratio
        check(token(&open, 1.0, -inf, 0.0), 0.0, 0.0, row::INFINITE);
        check(token(&open, 100.0, 0.0, -0.0), 0.0, 0.0, 0);
        // undefined
        check(token(&[], -inf, -inf, 2.0), nan, nan, row::INF_INPUT);
        check(token(&[], 1.0, 1.0, inf), nan, nan, row::INF_INPUT);
        check(token(&[], 1.0, 1.0, nan), nan, nan, row::NAN_INPUT);
        check(token(&[], nan, 1.0, 1.0), nan, nan, row::NAN_INPUT);
        check(token(&[], 1.0, nan, 0.0), 0.0, 0.0, row::NAN_INPUT);

        let kl = |name: &str, weight, l: f32, o: f32, r: f32| {
            let e = Estimator {
                id: id(Kind::Estimator, name),
                weight,
                gradient: EstimatorGradient::Pathwise,
                coef: 0.0,
                ..Estimator::new(0)
            };
            let o1 = Options {
                loss: e.id,
                params: &[],
                kl: Some(e),
                aggregate: ONE,
                level: Level::Token,
                variant: 0,
                bonus: None,
                groups: None,
                terms: &[],
            };
            let p = Problem::new(1, Segments::Padded { sequences: 1, width: 1 }, o1).unwrap();
            let (l, o, r) = ([l], [o], [r]);
            let i = Inputs {
                logps: Floats::F32(Matrix::vector(&l)),
                old: Some(Floats::F32(Matrix::vector(&o))),
                reference: Some(Floats::F32(Matrix::vector(&r))),
                advantage: None,
                mask: None,
                grad_output: None,
                grad_scale: 1.0,
                ..Inputs::new(Floats::F32(Matrix::vector(&[])))
            };
            let g = run(c, &p, &i).unwrap();
            (g.values[0], g.grad[0], g.token_status[0])
        };
        use EstimatorWeight::*;
        check(kl("k1", One, -inf, -1.0, -1.0), -inf, 1.0, row::INFINITE);
        check(kl("k3", One, -inf, -1.0, -1.0), inf, -inf, row::INFINITE);
        check(kl("k3", One, -1.0, -1.0, -inf), inf, 1.0, row::INFINITE);
        check(kl("k2", One, -1.0, -1.0, -inf), inf, inf, row::INFINITE);
        // weighted by the ratio everything stays finite as logp falls
        check(kl("k3", Ratio, -inf, -2.0, -2.0), 1.0, 0.0, row::INFINITE);
        check(kl("k1", Ratio, -inf, -2.0, -2.0), 0.0, 0.0, row::INFINITE);
        check(kl("k2", Ratio, -inf, -2.0, -2.0), 0.0, 0.0, row::INFINITE);
        let (v, g, _) = kl("k3", Ratio, -60.0, -2.0, -3.0);
        near("far below", v as f64, (-1f64).exp() - (-58f64).exp() * 58.0, 1e-7);
        near("far below", g as f64, -(-58f64).exp() * 57.0, 1e-29);
        // one rounding in front of the closed form
        for z in [0.01f32, 0.5, 7.9, 8.1, 12.0] {
            let (v, g, _) = kl("k3", Ratio, -z, -1.5, 0.0);
            let (x, z) = ((1.5 - z) as f64, z as f64);
            near("k3 by ratio", v as f64, x.exp() * (z.exp_m1() - z), 2e-6 * x.exp() * z.exp());
            near("k3 by ratio", g as f64, -x.exp() * z, 1e-6 * x.exp() * z);
        }
        near(
            "small z",
            kl("k3", One, -0.001, 0.0, 0.0).0 as f64,
            0.001f32 as f64 * 0.001f32 as f64 / 2.0 * (1.0 + 0.001 / 3.0),
            1e-12,
        );
    }
    assert_eq!(cases.0 % all.len(), 0);
    cases.finish("policy limits", 46);
}

#[test]
fn empty_and_nan() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 2);
    for case in &losses() {
        for aggregate in aggregates(case.0 == Kind::Sequence) {
            for sequences in [0, 3] {
                let mut d = Data::new(4, sequences, 9, 0.2);
                d.mask.fill(0);
                d.logp.fill(f32::NAN);
                let p = Problem::new(d.logp.len(), d.segments(), options(case, aggregate)).unwrap();
                let g = run(&c, &p, &d.inputs()).unwrap();
                assert!(g.loss == 0.0 && g.terms == [0.0; 3] && g.grad.iter().all(|&x| x == 0.0));
                assert_eq!((g.counters[7], g.statistics[stat::LOG_RATIO_MIN]), (sequences as i64 + 1, 0.0));
                cases.ran();
            }
            // one bad token: its own gradient (its sequence's, for sequence entries), and the loss
            let d = Data::new(4, 4, 9, 0.2);
            let p = Problem::new(d.logp.len(), d.segments(), options(case, aggregate)).unwrap();
            let good = run(&c, &p, &d.inputs()).unwrap();
            let mut bad = d.clone();
            let at = d.live(2)[1];
            bad.logp[at] = f32::NAN;
            let g = run(&c, &p, &bad.inputs()).unwrap();
            assert!(g.loss.is_nan() || case.1 == "k1");
            for t in 0..d.logp.len() {
                let hit = t == at || (case.0 == Kind::Sequence && t / 9 == 2 && d.mask[t] != 0);
                if hit {
                    assert!(g.grad[t].is_nan() || case.1 == "k1", "{} {t}", case.1);
                } else {
                    same("the others", &[g.grad[t]], &[good.grad[t]]);
                }
            }
            assert_eq!((g.token_status[at], g.sequence_status[2]), (row::NAN_INPUT, row::NAN_INPUT));
            cases.ran();
        }
    }
    cases.finish("policy, nothing to do and NaN", 360);
}

#[test]
fn errors() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 2);
    let mut refused = |e: Error, field: &str, status: Status| {
        assert_eq!((e.field, e.status), (field, status), "{e}");
        cases.ran();
    };
    use Status::*;
    let d = Data::new(1, 2, 3, 0.1);
    let ppo = Options {
        loss: id(Kind::Token, "ppo_clip"),
        params: &[],
        kl: None,
        aggregate: ONE,
        level: Level::Token,
        variant: 0,
        bonus: None,
        groups: None,
        terms: &[],
    };
    let k3 = Estimator {
        id: id(Kind::Estimator, "k3"),
        weight: EstimatorWeight::One,
        gradient: EstimatorGradient::Pathwise,
        coef: 0.1,
        ..Estimator::new(0)
    };
    let mut bad = |o: Options, field: &str, status: Status| {
        refused(Problem::new(6, d.segments(), o).map(|_| ()).unwrap_err(), field, status)
    };
    bad(Options { loss: 1, ..ppo }, "inputs.loss.id", InvalidArgument);
    bad(Options { loss: id(Kind::Pair, "dpo"), ..ppo }, "inputs.loss.id", InvalidArgument);
    bad(Options { params: &[-0.1], ..ppo }, "clip_low", InvalidArgument);
    bad(Options { params: &[0.2, 0.2, 0.0], ..ppo }, "delta", InvalidArgument);
    bad(Options { params: &[0.2, 0.2, 2.0, 1.0], ..ppo }, "dual_clip", InvalidArgument);
    bad(Options { level: Level::Sequence, ..ppo }, "inputs.level", InvalidArgument);
    bad(Options { loss: id(Kind::Sequence, "gspo"), ..ppo }, "inputs.level", InvalidArgument);
    bad(Options { kl: Some(Estimator { id: ppo.loss, ..k3 }), ..ppo }, "inputs.kl.id", InvalidArgument);
    for coef in [-1.0, f64::NAN, f64::INFINITY] {
        bad(Options { kl: Some(Estimator { coef, ..k3 }), ..ppo }, "inputs.kl.coef", InvalidArgument);
    }
    bad(Options { loss: k3.id, kl: Some(k3), ..ppo }, "inputs.kl.id", InvalidArgument);
    bad(
        Options { loss: id(Kind::Estimator, "k1"), kl: Some(Estimator { coef: 0.0, ..k3 }), ..ppo },
        "inputs.kl.id",
        InvalidArgument,
    );
    let mut mode = |aggregate: Aggregate, field: &str| bad(Options { aggregate, ..ppo }, field, InvalidArgument);
    mode(Aggregate { normaliser: -1.0, ..ONE }, "inputs.aggregate.normaliser");
    mode(Aggregate { normaliser: f64::NAN, ..ONE }, "inputs.aggregate.normaliser");
    mode(Aggregate { max_length: 5.0, ..ONE }, "inputs.aggregate.max_length");
    mode(
        Aggregate { mode: Mode::SeqMeanTokenSumNorm, count_empty: Some(CountEmpty::All), ..ONE },
        "inputs.aggregate.max_length",
    );
    mode(Aggregate { mode: Mode::SeqMeanTokenMean, ..ONE }, "inputs.aggregate.count_empty");
    mode(Aggregate { mode: Mode::SeqMean, count_empty: Some(CountEmpty::All), ..ONE }, "inputs.aggregate.mode");
    refused(Problem::new(7, d.segments(), ppo).map(|_| ()).unwrap_err(), "logps", ShapeMismatch);

    let p = Problem::new(6, d.segments(), ppo).unwrap();
    let with_kl = Problem::new(6, d.segments(), Options { kl: Some(k3), ..ppo }).unwrap();
    let good = d.inputs();
    let short = Floats::F32(Matrix::vector(&d.logp[..5]));
    let mut input =
        |p: &Problem, i: Inputs, field: &str, status: Status| refused(run(&c, p, &i).unwrap_err(), field, status);
    input(&p, Inputs { logps: short, ..good }, "logps", ShapeMismatch);
    input(&p, Inputs { old: Some(short), ..good }, "inputs.old", ShapeMismatch);
    input(&p, Inputs { reference: Some(short), ..good }, "inputs.ref", ShapeMismatch);
    input(&p, Inputs { advantage: Some(Advantage::Token(short)), ..good }, "inputs.advantage", ShapeMismatch);
    input(&p, Inputs { advantage: Some(Advantage::Sequence(short)), ..good }, "inputs.advantage", ShapeMismatch);
    input(&p, Inputs { advantage: None, ..good }, "inputs.advantage", InvalidArgument);
    input(&p, Inputs { mask: Some(Mask::U8(Matrix::vector(&d.mask[..5]))), ..good }, "inputs.mask", ShapeMismatch);
    input(&with_kl, Inputs { reference: None, ..good }, "inputs.ref", InvalidArgument);
    input(&p, Inputs { grad_scale: f64::NAN, ..good }, "grad_scale", InvalidArgument);
    input(&p, Inputs { grad_output: Some(short), ..good }, "grad_output", ShapeMismatch);
    let need = policy::workspace(&c, &p).minimum;
    let mut place = |out: Outputs, field: &str, status: Status| {
        refused(with_scratch(need, |w| policy::forward(&c, &p, &good, out, w)).unwrap_err(), field, status);
    };
    let (mut two, mut six, mut wide) = ([0f64; 2], [0f32; 5], [0f64; 6]);
    place(
        Outputs { loss: Some(MatrixMut::vector(&mut two).into()), ..Outputs::default() },
        "outputs.out_loss",
        ShapeMismatch,
    );
    place(
        Outputs { values: Some(MatrixMut::vector(&mut six).into()), ..Outputs::default() },
        "outputs.out_values",
        ShapeMismatch,
    );
    place(
        Outputs { values: Some(MatrixMut::vector(&mut wide).into()), ..Outputs::default() },
        "outputs.out_values",
        UnsupportedDtype,
    );
    place(Outputs { kl: Some(MatrixMut::vector(&mut six)), ..Outputs::default() }, "outputs.out_kl", ShapeMismatch);
    place(
        Outputs { grad_logps: Some(MatrixMut::vector(&mut six)), ..Outputs::default() },
        "grad_logps_out",
        ShapeMismatch,
    );
    let mut full = [0f32; 6];
    place(Outputs { kl: Some(MatrixMut::vector(&mut full)), ..Outputs::default() }, "outputs.out_kl", InvalidArgument);
    let e = with_scratch(need, |w| policy::forward(&c, &p, &good, Outputs::default(), &mut w[..need - 1]));
    refused(e.unwrap_err(), "workspace_size", WorkspaceTooSmall);
    cases.finish("policy errors", 37);
}

fn ppo() -> Options<'static> {
    Options {
        loss: id(Kind::Token, "ppo_clip"),
        params: &[],
        kl: None,
        aggregate: Aggregate { mode: Mode::TokenSum, ..ONE },
        level: Level::Token,
        variant: 0,
        bonus: None,
        groups: None,
        terms: &[],
    }
}
/// A call on a single sequence.
fn one<'a>(c: &Context, o: Options, d: [&'a [f32]; 4], change: impl FnOnce(&mut Inputs<'a>)) -> Got {
    let n = d[0].len();
    let p = Problem::new(n, Segments::Padded { sequences: 1, width: n }, o).unwrap();
    let [l, old, r, a] = d.map(|v| Floats::F32(Matrix::vector(v)));
    let mut i = Inputs {
        logps: l,
        old: Some(old),
        reference: Some(r),
        advantage: Some(Advantage::Token(a)),
        mask: None,
        grad_output: None,
        grad_scale: 1.0,
        ..Inputs::new(Floats::F32(Matrix::vector(&[])))
    };
    change(&mut i);
    run(c, &p, &i).unwrap()
}

/// Masks and advantages of 0 select: no factor reaches their tokens, and none is lost on the way through f32.
#[test]
fn factors() {
    let mut cases = Cases::default();
    let (l, zero, mask) = ([-1f32; 3], [0f32; 3], [1u8, 0, 1]);
    for c in &contexts() {
        let gspo = Options { loss: id(Kind::Sequence, "gspo"), level: Level::Sequence, ..ppo() };
        for factor in [f64::INFINITY, -f64::INFINITY, f64::NAN, -3.0] {
            let upstream = [factor];
            let g = one(c, ppo(), [&l, &l, &zero, &[2.0, 2.0, 0.0]], |i| {
                i.mask = Some(Mask::U8(Matrix::vector(&mask)));
                i.grad_output = Some(Floats::F64(Matrix::vector(&upstream)));
            });
            same("factor", &g.grad, &[-2.0 * factor as f32, 0.0, 0.0]);
            assert_eq!((g.token_status, g.counters[8]), (vec![0, row::IGNORED, 0], 0));
            let g = one(c, gspo, [&l, &l, &zero, &zero], |i| {
                i.mask = Some(Mask::U8(Matrix::vector(&mask)));
                i.grad_output = Some(Floats::F64(Matrix::vector(&upstream)));
            });
            assert!(g.grad.iter().all(|&x| x == 0.0));
            cases.ran();
        }
        // the factor itself is beyond f32
        let tiny = Options { aggregate: Aggregate { normaliser: 1e-40, ..ONE }, ..ppo() };
        let g = one(c, tiny, [&l, &l, &zero, &[1e-30, 2.0, 0.0]], |i| i.mask = Some(Mask::U8(Matrix::vector(&mask))));
        same("large", &g.grad, &[-(1e-30f32 as f64 / 1e-40) as f32, 0.0, 0.0]);
        assert_eq!(g.token_status, [0, row::IGNORED, 0]);
        let g = one(c, ppo(), [&l, &l, &zero, &[1e30; 3]], |i| i.grad_scale = 1e-50);
        same("small", &g.grad, &[(-(1e30f32 as f64) * 1e-50) as f32; 3]);
        // beyond f32 after the factor: the tokens say so
        let g = one(c, ppo(), [&l, &l, &zero, &[1e30, 0.0, 1.0]], |i| i.grad_scale = 1e30);
        same("beyond", &g.grad, &[f32::NEG_INFINITY, 0.0, -1e30]);
        assert_eq!((g.token_status, g.sequence_status[0], g.counters[8]), (vec![256, 0, 0], 256, 1));
        cases.ran();
    }
    assert_eq!(cases.0 % 5, 0);
    println!("policy, factors: {} cases", cases.0);
}

/// A weight of 0 selects: an infinite value or NaN behind it reaches neither loss nor gradient.
#[test]
fn weights_of_zero() {
    let mut cases = Cases::default();
    // two tokens with infinite losses, one usual between them; the last is NaN
    let (l, old, zero) = ([-1.0, -1.0, -1.0, f32::NAN], [-200.0, -1.0, -200.0, -1.0], [0f32; 4]);
    let (a, weights, usual) = ([-1f32, -1.0, -1.0, -1.0], [0f32, 0.5, 0.0, 0.0], [1f32; 4]);
    let f = |x| Floats::F32(Matrix::vector(x));
    for c in &contexts() {
        for importance in [false, true] {
            let g = one(c, ppo(), [&l, &old, &zero, &a], |i| match importance {
                true => i.importance = Some(Each::Token(f(&weights))),
                false => i.token_weights = Some(f(&weights)),
            });
            assert_eq!((g.loss, &*g.grad), (0.5, &[0.0, 0.5, 0.0, 0.0][..]));
            assert_eq!(g.token_status, [row::OVERFLOW, 0, row::OVERFLOW, row::NAN_INPUT]);
            cases.ran();
        }
        // what the weight reaches of the KL term, and a sequence entry that is evaluated for each token
        let k3 = Estimator { coef: 1.0, stage: KlStage::BeforeWeight, ..Estimator::new(id(Kind::Estimator, "k3")) };
        let g = one(c, Options { kl: Some(k3), ..ppo() }, [&old, &old, &l, &usual], |i| {
            i.importance = Some(Each::Token(f(&weights)));
        });
        assert_eq!((g.loss, &*g.grad), (-0.5, &[0.0, -0.5, 0.0, 0.0][..]));
        let own = Options { loss: id(Kind::Sequence, "gspo_token"), level: Level::Sequence, ..ppo() };
        let far = [-200f32, -1.0, 600.0, -1.0];
        let g =
            one(c, own, [&[-1.0; 4], &far, &zero, &[0.0, 1.0, 0.0, f32::NAN]], |i| i.token_weights = Some(f(&weights)));
        assert!(g.loss.is_finite() && g.grad.iter().all(|x| x.is_finite()), "{g:?}");
        cases.ran();
    }
    assert_eq!(cases.0, 3 * contexts().len());
    println!("policy, weights of 0: {} cases", cases.0);
}

/// Promise A2' near the ratio 1, where e^z - 1 - z in f32 has no digit left: k3 with every weight, its gradient and the figure,
/// and the decisions of the clip, from log ratios of 1e-8 on.
#[test]
fn near_ratio_one() {
    let mut cases = Cases::default();
    // log-probs close to 0, so that differences are exact
    let sizes: Vec<f32> = (0..=80).map(|k| 10f64.powf(-8.0 + 0.1 * k as f64) as f32).collect();
    let z: Vec<f32> = sizes.iter().flat_map(|&z| [z, -z]).collect();
    let (l, x) = (vec![0f32; z.len()], z.iter().map(|z| 0.5 * z).collect::<Vec<f32>>());
    let old: Vec<f32> = x.iter().map(|x| -x).collect();
    // e^z - 1 - z by its series: all terms have one sign, or shrink
    let k3 = |z: f64| (2..40).rev().fold(0.0, |sum, n| (sum + 1.0) * z / n as f64) * z;
    let ulp = |v: f64| 2f64.powi(((v.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(-126) - 23);
    for c in &contexts() {
        for weight in [EstimatorWeight::One, EstimatorWeight::Score, EstimatorWeight::Ratio] {
            let e = Estimator { weight, ..Estimator::new(id(Kind::Estimator, "k3")) };
            let g = one(c, Options { loss: e.id, kl: Some(e), ..ppo() }, [&l, &old, &z, &l], |_| {});
            for (k, &z) in z.iter().enumerate() {
                let (z, rho) = (z as f64, (x[k] as f64).exp());
                // a ratio has an ulp of its own
                let ulps = if weight == EstimatorWeight::Ratio { 5.0 } else { 4.0 };
                let (value, grad) = match weight {
                    EstimatorWeight::One => (k3(z), -(k3(z) + z)),
                    EstimatorWeight::Score => (k3(z), -z),
                    _ => (rho * k3(z), -rho * z),
                };
                near(&format!("{weight:?} {z:e}"), g.values[k] as f64, value, ulps * ulp(value));
                near(&format!("{weight:?} gradient {z:e}"), g.grad[k] as f64, grad, ulps * ulp(grad));
                cases.ran();
            }
        }
        let g = one(c, ppo(), [&z, &l, &l, &l], |_| {});
        let want: f64 = z.iter().map(|&z| k3(z as f64)).sum();
        near("figure", g.statistics[stat::K3_SUM], want, 4.0 * 2f64.powi(-24) * want);
        // bounds of 1e-8 on: on the bound the ratio counts as unclipped, the next number does not
        for bound in [1e-8, 3e-4, 0.02, 0.2] {
            let p = [bound, bound];
            let o = Options { params: &p, ..ppo() };
            let high = truing_core::real::Real::log1p(bound) as f32;
            let low = truing_core::real::Real::log1p(-bound) as f32;
            let at =
                [high, high.next_up(), high.next_down(), low, low.next_down(), low.next_up(), 0.5 * high, 0.5 * low];
            let n = at.len();
            for (a, clipped) in [(1.0, [0, 1, 0, 0, 0, 0, 0, 0]), (-1.0, [0, 0, 0, 0, 1, 0, 0, 0])] {
                let g = one(c, o, [&at, &vec![0.0; n], &vec![0.0; n], &vec![a; n]], |_| {});
                for (k, &clipped) in clipped.iter().enumerate() {
                    let want = if clipped == 1 { 0.0 } else { g.values[k] };
                    same("clip decision", &[g.grad[k]], &[want]);
                    assert!((g.values[k] + a * at[k].exp()).abs() <= 4.0 * f32::EPSILON * (1.0 + at[k].abs()));
                }
                let figure = if a > 0.0 { stat::CLIP_HIGH } else { stat::CLIP_LOW };
                assert_eq!(g.statistics[figure], 1.0);
                cases.ran();
            }
        }
    }
    assert_eq!(cases.0, (3 * 162 + 8) * contexts().len());
    println!("policy near the ratio 1: {} cases", cases.0);
}

/// Every token entry that knows no other policy gives what it says of each log-prob, infinite ones too, with `old` or not.
#[test]
fn every_entry_without_old() {
    struct One([f32; 3]);
    impl TokenVisitor for One {
        type Out = [f32; 2];
        fn visit<E: TokenLoss<N>, const N: usize>(self) -> [f32; 2] {
            let [logp, ref_logp, advantage] = self.0;
            let nan = f32::NAN;
            let x = Token {
                logp,
                log_ratio: nan,
                old: nan,
                ref_logp,
                sampler: nan,
                advantage,
                entropy: nan,
                flag: nan,
                importance: nan,
            };
            let y = E::eval(x, resolve::<E, N>(&[]).unwrap().map(|v| v as f32));
            [y.value, y.logp]
        }
    }
    let mut cases = Cases::default();
    let unread = slot::OLD | slot::ENTROPY | slot::FLAG | slot::SAMPLER;
    let l: Vec<f32> = [-1.0, f32::NEG_INFINITY, 0.0, -1e4, -0.1, -1e-6, -30.0].repeat(5);
    let (r, a): (Vec<f32>, Vec<f32>) = (0..l.len()).map(|i| (-0.3 * i as f32, 0.1 + i as f32)).unzip();
    for e in ALL.iter().filter(|e| e.kind == Kind::Token && !e.about.reads(unread)) {
        let want: Vec<_> =
            (0..l.len()).map(|i| with_token(e.about.id, One([l[i], r[i], a[i]])).expect("a token entry")).collect();
        for c in &contexts() {
            for given in [false, true] {
                let o = Options { loss: e.about.id, ..ppo() };
                let g = one(c, o, [&l, &r, &r, &a], |i| {
                    if !given {
                        i.old = None;
                    }
                });
                for (i, [value, grad]) in want.iter().enumerate() {
                    same(e.about.name, &[g.values[i], g.grad[i]], &[*value, *grad]);
                    assert_eq!(g.token_status[i], if l[i].is_infinite() { row::INFINITE } else { 0 });
                }
                cases.ran();
            }
        }
    }
    assert!(cases.0 >= 7 * 2 * contexts().len());
    println!("policy, entries without old: {} cases", cases.0);
}

/// Limits of the estimators around the ratio, and of a policy that is its own `old`.
#[test]
fn ratio_limits() {
    let mut cases = Cases::default();
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for c in &contexts() {
        let kl = |name: &str, weight, l: f32, o: Option<f32>, r: f32| {
            let e = Estimator {
                id: id(Kind::Estimator, name),
                weight,
                gradient: EstimatorGradient::Pathwise,
                coef: 0.0,
                ..Estimator::new(0)
            };
            let o1 = Options { loss: e.id, kl: Some(e), ..ppo() };
            let g = one(c, o1, [&[l], &[o.unwrap_or(0.0)], &[r], &[nan]], |i| {
                if o.is_none() {
                    i.old = None;
                }
            });
            (g.values[0], g.grad[0], g.token_status[0])
        };
        use EstimatorWeight::*;
        let far = Some(-100.0);
        for (got, want) in [
            (kl("k1", Ratio, -0.5, far, -0.5), (0.0, inf, row::OVERFLOW)),
            (kl("k2", Ratio, -0.5, far, -0.5), (0.0, 0.0, 0)),
            (kl("k3", Ratio, -0.5, far, -0.5), (0.0, 0.0, 0)),
            (kl("k3", Ratio, -20.0, Some(-120.0), -10.0), (inf, -inf, row::OVERFLOW)),
            (kl("k3", Ratio, -1.0, Some(-inf), -1.0), (0.0, 0.0, row::INFINITE)),
            (kl("k2", Score, -inf, far, -1.0), (inf, inf, row::INFINITE)),
            (kl("k3", Ratio, -inf, Some(-inf), -1.0), (nan, nan, row::INF_INPUT)),
            (kl("k3", Ratio, -inf, None, -1.0), (inf, -inf, row::INFINITE)),
            (kl("k1", Ratio, -inf, None, -1.0), (-inf, -inf, row::INFINITE)),
            (kl("k3", Ratio, nan, None, -1.0), (nan, nan, row::NAN_INPUT)),
            // what is not read does not matter
            (kl("k1", One, -1.0, Some(nan), -3.0), (2.0, 1.0, 0)),
        ] {
            same("value", &[got.0], &[want.0]);
            assert!(got.1 == want.1 || (got.1.is_nan() && want.1.is_nan()), "{got:?} {want:?}");
            assert_eq!(got.2, want.2, "{got:?} {want:?}");
            cases.ran();
        }
        for (l, value, status) in [(-inf, -3.0, row::INFINITE), (-1.0, -3.0, 0), (nan, nan, row::NAN_INPUT)] {
            let g = one(c, ppo(), [&[l], &[0.0], &[0.0], &[3.0]], |i| i.old = None);
            same("own old", &[g.values[0], g.grad[0]], &[value; 2]);
            assert_eq!(g.token_status, [status]);
            let gspo = Options { loss: id(Kind::Sequence, "gspo"), level: Level::Sequence, ..ppo() };
            let g = one(c, gspo, [&[l], &[0.0], &[0.0], &[3.0]], |i| i.old = None);
            same("own old", &[g.sequence_values[0] as f32, g.grad[0]], &[value; 2]);
            assert_eq!((&*g.token_status, g.sequence_status[0]), (&[status][..], status));
            cases.ran();
        }
    }
    assert_eq!(cases.0 % 14, 0);
    println!("policy, limits of the ratio: {} cases", cases.0);
}

/// A token's status is its own; a sequence's is counted where no token has it; the clip figures of a sequence are f64.
#[test]
fn status() {
    let mut cases = Cases::default();
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    for c in &contexts() {
        let (l, z) = ([-1f32; 3], [0f32; 3]);
        // `ref` is not read
        let g = one(c, ppo(), [&[-1.0, nan, -1.0], &l, &[inf, 0.0, nan], &[1.0; 3]], |_| {});
        assert_eq!(g.token_status, [0, row::NAN_INPUT, 0]);
        let k1 = Options { loss: id(Kind::Estimator, "k1"), ..ppo() };
        let g = one(c, k1, [&[-1.0, nan, -1.0], &[nan, 0.0, inf], &l, &[nan, 0.0, inf]], |_| {});
        assert_eq!(g.token_status, [0, row::NAN_INPUT, 0]);
        // read and without effect: flagged with or without a neighbour
        let e = Estimator {
            id: id(Kind::Estimator, "k2"),
            weight: EstimatorWeight::Ratio,
            gradient: EstimatorGradient::Pathwise,
            coef: 0.1,
            ..Estimator::new(0)
        };
        for first in [-1.0, nan] {
            let o = Options { kl: Some(e), ..ppo() };
            let g = one(c, o, [&[first, -400.0], &[-1.0, 0.0], &[-1.0, -inf], &[1.0; 2]], |_| {});
            assert_eq!(g.token_status[1], row::INFINITE);
        }
        let gspo = Options { loss: id(Kind::Sequence, "gspo"), level: Level::Sequence, ..ppo() };
        let g = one(c, gspo, [&[-1.0, -inf, -1.0], &[-1.0, -inf, -1.0], &[nan; 3], &[1.0; 3]], |_| {});
        assert_eq!((&*g.token_status, g.sequence_status[0]), (&[0, row::INF_INPUT, 0][..], row::INF_INPUT));
        let g = one(c, gspo, [&[-inf, -1.0, -1.0], &[-1.0, -inf, -1.0], &z, &[1.0; 3]], |_| {});
        assert_eq!(&*g.token_status, &[row::INFINITE, row::INFINITE, 0]);
        assert_eq!((g.sequence_status[0], g.counters[2]), (row::INFINITE | row::INF_INPUT, 1));
        // the gradient is beyond f32, then the value beyond f64
        let g = one(c, gspo, [&l, &[-101.0; 3], &z, &[-1.0; 3]], |_| {});
        assert!(g.grad == [inf; 3] && g.loss.is_finite());
        assert_eq!((&*g.token_status, g.sequence_status[0], g.counters[8]), (&[256; 3][..], 256, 3));
        let g = one(c, gspo, [&l, &[-1001.0; 3], &z, &[-1.0; 3]], |_| {});
        assert!(g.grad == [inf; 3] && g.loss == f64::INFINITY);
        assert_eq!((&*g.token_status, g.sequence_status[0], g.counters[8]), (&[0; 3][..], 256, 1));
        // a finite f64 advantage beyond f32 is no infinity to a sequence
        let big = [1e39f64];
        let g = one(c, gspo, [&l, &l, &z, &z], |i| {
            i.advantage = Some(Advantage::Sequence(Floats::F64(Matrix::vector(&big))));
            i.grad_scale = 1e-9;
        });
        assert!(g.sequence_values[0] == -1e39 && g.sequence_status[0] == 0 && g.token_status == [0; 3]);
        // between the bound and its f32
        let low = truing_core::real::Real::log1p(-0.2f64);
        let near = low as f32;
        let params = [0.2, 0.2];
        let (l, a) = ([near], if (near as f64) < low { 1.0 } else { 0.0 });
        let g = one(c, Options { params: &params, ..gspo }, [&l, &[0.0], &[0.0], &[-1.0]], |_| {});
        assert_eq!(g.statistics[stat::CLIP_LOW], a);
        let high = truing_core::real::Real::log1p(0.2f64);
        let near = high as f32;
        let g = one(c, Options { params: &params, ..gspo }, [&[near], &[0.0], &[0.0], &[1.0]], |_| {});
        assert_eq!(g.statistics[stat::CLIP_HIGH], ((near as f64) > high) as u32 as f64);
        assert!((near as f64) > high || a == 1.0, "neither bound tells f32 from f64");
        // a loss beyond its place
        let p = Problem::new(1, Segments::Padded { sequences: 1, width: 1 }, ppo()).unwrap();
        let (one, a) = ([-1f32], [3e38f32]);
        let o1 = Options { aggregate: Aggregate { normaliser: 0.1, ..ppo().aggregate }, ..ppo() };
        let q = Problem::new(1, Segments::Padded { sequences: 1, width: 1 }, o1).unwrap();
        for (p, narrow, count) in [(&p, true, 0), (&q, true, 1), (&q, false, 0)] {
            let i = Inputs {
                logps: Floats::F32(Matrix::vector(&one)),
                old: None,
                reference: None,
                advantage: Some(Advantage::Token(Floats::F32(Matrix::vector(&a)))),
                mask: None,
                grad_output: None,
                grad_scale: 1.0,
                ..Inputs::new(Floats::F32(Matrix::vector(&[])))
            };
            let (mut s, mut d, mut counters) = ([0f32], [0f64], [7i64; 32]);
            let loss = if narrow { MatrixMut::vector(&mut s).into() } else { MatrixMut::vector(&mut d).into() };
            let out = Outputs { loss: Some(loss), counters: Some(&mut counters), ..Outputs::default() };
            let need = policy::workspace(c, p).minimum;
            with_scratch(need, |w| policy::forward(c, p, &i, out, w)).unwrap();
            assert_eq!(counters[8], count);
        }
        cases.ran();
    }
    assert_eq!(cases.0, contexts().len());
    println!("policy, status: {} cases", cases.0);
}

/// Numbers of a call with everything around the entry.
struct Around {
    d: Data,
    sampler: Vec<f32>,
    kl_reference: Vec<f32>,
    entropy: Vec<f32>,
    flag: Vec<u8>,
    log_z: Vec<f32>,
    keep: Vec<u8>,
    sequence_keep: Vec<u8>,
    entropy_mask: Vec<u8>,
    kl_mask: Vec<u8>,
    weights: Vec<f32>,
    importance: Vec<f32>,
    importance_of: Vec<f32>,
    /// Bits: keep, sequence_keep, entropy_mask, kl_mask, weights, importance (token), importance (sequence), kl_reference.
    given: u32,
}
impl Around {
    fn new(seed: u64, given: u32) -> Around {
        let mut d = Data::new(seed, 5, 11, 0.25);
        let mut r = Random(seed + 99);
        let n = d.logp.len();
        let marks = |r: &mut Random, n: usize| (0..n).map(|_| (r.below(4) > 0) as u8).collect::<Vec<u8>>();
        let mut a = Around {
            sampler: d.logp.iter().map(|&l| l + 0.2 * r.normal() as f32).collect(),
            kl_reference: d.logp.iter().map(|&l| l + 0.6 * r.normal() as f32).collect(),
            entropy: (0..n).map(|_| 2.0 * r.uniform() as f32).collect(),
            flag: marks(&mut r, n),
            log_z: r.normals(5, 1.0),
            keep: marks(&mut r, n),
            sequence_keep: vec![1, 1, 0, 1, 1],
            entropy_mask: marks(&mut r, n),
            kl_mask: marks(&mut r, n),
            weights: (0..n).map(|_| 2.0 * r.uniform() as f32).collect(),
            importance: (0..n).map(|_| 0.5 + r.uniform() as f32).collect(),
            importance_of: (0..5).map(|_| 0.5 + r.uniform() as f32).collect(),
            given,
            d: d.clone(),
        };
        // what is masked may hold anything
        for i in (0..n).filter(|&i| d.mask[i] == 0) {
            for x in [&mut d.logp, &mut d.old, &mut d.reference, &mut d.advantage] {
                x[i] = f32::NAN;
            }
            for x in [&mut a.sampler, &mut a.kl_reference, &mut a.entropy, &mut a.weights, &mut a.importance] {
                x[i] = f32::NAN;
            }
        }
        a.d = d;
        a
    }
    fn on(&self, bit: u32) -> bool {
        self.given >> bit & 1 != 0
    }
    fn inputs(&self) -> Inputs<'_> {
        fn f(x: &[f32]) -> Floats<'_> {
            Floats::F32(Matrix::vector(x))
        }
        fn m(x: &[u8]) -> Matrix<'_, u8> {
            Matrix::vector(x)
        }
        Inputs {
            sampler: Some(f(&self.sampler)),
            kl_reference: self.on(7).then(|| f(&self.kl_reference)),
            entropy: Some(f(&self.entropy)),
            flag: Some(Each::Token(m(&self.flag))),
            log_z: Some(f(&self.log_z)),
            keep: self.on(0).then(|| m(&self.keep)),
            sequence_keep: self.on(1).then(|| m(&self.sequence_keep)),
            entropy_mask: self.on(2).then(|| m(&self.entropy_mask)),
            kl_mask: self.on(3).then(|| m(&self.kl_mask)),
            token_weights: self.on(4).then(|| f(&self.weights)),
            importance: match (self.on(5), self.on(6)) {
                (true, _) => Some(Each::Token(f(&self.importance))),
                (_, true) => Some(Each::Sequence(f(&self.importance_of))),
                _ => None,
            },
            ..self.d.inputs()
        }
    }
    fn kept(&self, b: usize, i: usize) -> bool {
        !(self.on(0) && self.keep[i] == 0 || self.on(1) && self.sequence_keep[b] == 0)
    }
    fn importance(&self, b: usize, i: usize) -> f64 {
        match (self.on(5), self.on(6)) {
            (true, _) => self.importance[i] as f64,
            (_, true) => self.importance_of[b] as f64,
            _ => 1.0,
        }
    }
    /// What an estimate is, and the function that is differentiated: `l` moves, `at` stays.
    fn estimate(&self, e: &Estimator, i: usize, l: &[f64], at: &[f64], live: &[usize], surrogate: bool) -> f64 {
        let reference = if self.on(7) { self.kl_reference[i] } else { self.d.reference[i] } as f64;
        let against = |j: usize| match e.ratio_source {
            RatioSource::Old => self.d.old[j] as f64,
            RatioSource::Sampler => self.sampler[j] as f64,
        };
        let plain = |z: f64| match e.id - 6000 {
            1 => -z,
            2 => z * z / 2.0,
            3 => z.exp_m1() - z,
            _ => z.abs(),
        };
        let value = |l: &[f64], score: f64| {
            let z = reference - l[i];
            let k = match e.input_clamp {
                Some((a, _)) if z.abs() > a => {
                    let (zc, h) = (a * z.signum(), 1e-5);
                    let tangent = (plain(zc + h) - plain(zc - h)) / (2.0 * h) * (z - zc);
                    plain(zc) + if e.input_clamp.unwrap().1 == ClampMode::Linear { tangent } else { 0.0 }
                }
                _ => plain(z),
            };
            let mean = live.iter().map(|&j| l[j] - against(j)).sum::<f64>() / live.len() as f64;
            k * match e.weight {
                EstimatorWeight::One => 1.0,
                EstimatorWeight::Score => (l[i] - at[i]).exp() * score + (1.0 - score),
                EstimatorWeight::Ratio => (l[i] - against(i)).exp(),
                EstimatorWeight::RatioSequence => mean.exp(),
            }
        };
        let still = value(at, 1.0);
        let clip = |v: f64| v.clamp(-e.output_clamp, e.output_clamp);
        if !surrogate {
            return clip(value(l, 0.0));
        }
        let z = reference - l[i];
        match e.gradient {
            EstimatorGradient::StraightThrough => return z * z / 2.0,
            EstimatorGradient::StraightThroughRatio => {
                let mean = live.iter().map(|&j| at[j] - against(j)).sum::<f64>() / live.len() as f64;
                let x = if e.weight == EstimatorWeight::RatioSequence { mean } else { at[i] - against(i) };
                return x.exp().min(e.ratio_max) * z * z / 2.0;
            }
            EstimatorGradient::Pathwise => {}
        }
        let fired = e.input_clamp.is_some_and(|(a, m)| (reference - at[i]).abs() > a && m == ClampMode::ZeroGradient);
        if fired || still.abs() > e.output_clamp { clip(still) } else { value(l, 1.0) }
    }
    /// Value of the loss of token `i`, sequence `b`.
    #[allow(clippy::too_many_arguments)]
    fn value(&self, name: &str, b: usize, i: usize, l: &[f64], at: &[f64], z: f64, live: &[usize]) -> f64 {
        let n = live.len() as f64;
        let (old, a) = (|j: usize| self.d.old[j] as f64, self.d.advantage[i] as f64);
        let x = |l: &[f64], j: usize| l[j] - old(j);
        let mean = |f: &dyn Fn(usize) -> f64| live.iter().map(|&j| f(j)).sum::<f64>() / n;
        let of = mean(&|j| self.d.advantage[j] as f64);
        match name {
            "ppo_clip" => clip(x(l, i), a, &[]),
            "reinforce" => -a * l[i],
            "cispo" => -a * x(at, i).exp().clamp(0.9, 1.2) * l[i],
            "dro" => -a * l[i] + 0.05 * x(l, i) * x(l, i),
            "topr" => -a * l[i] * if self.flag[i] != 0 { 1.0 } else { x(at, i).exp().min(1.0) },
            "gspo" => clip(mean(&|j| x(l, j)), of, &[0.02, 0.03]),
            "luspo" => n * clip(mean(&|j| x(l, j)), of, &[0.02, 0.03]),
            "rloo_sequence" => clip(n * mean(&|j| x(l, j)), of, &[]),
            "gspo_token" => clip(mean(&|j| x(at, j)) + l[i] - at[i], a, &[0.02, 0.03]),
            "gmpo" => {
                let part = |j| if of > 0.0 { x(l, j).min(0.2) } else { x(l, j).max(-0.1) };
                -of * mean(&part).exp()
            }
            "vespo" => {
                let c = n * mean(&|j| x(at, j).clamp(-20.0, 20.0) + self.importance(b, j).ln());
                let (k, lam) = if a >= 0.0 { (2.0, 3.0) } else { (3.0, 2.0) };
                let c = c.clamp(1e-8f64.ln(), 20.0);
                -a * (k * c - lam * c.exp_m1()).exp() * l[i]
            }
            "flowrl" => {
                let w = (n * mean(&|j| x(at, j))).exp().min(10.0);
                w * (z + mean(&|j| l[j] - self.d.reference[j] as f64) - 15.0 * of).powi(2)
            }
            _ => (n * mean(&|j| x(l, j)) - of).powi(2),
        }
    }
    fn total(&self, name: &str, o: &Options, l: &[f64], h: &[f64], log_z: &[f64], surrogate: bool) -> [f64; 3] {
        let d = &self.d;
        let at: Vec<f64> = d.logp.iter().map(|&x| x as f64).collect();
        let weight = |a: &Aggregate, counted: &dyn Fn(usize, usize) -> bool, b: usize| {
            let counts: Vec<f64> =
                (0..5).map(|k| d.live(k).iter().filter(|&&i| counted(k, i)).count() as f64).collect();
            let (tokens, some) = (counts.iter().sum::<f64>(), counts.iter().filter(|&&c| c > 0.0).count() as f64);
            let rows = if a.count_empty == Some(CountEmpty::Nonempty) { some } else { 5.0 };
            let sum: f64 = (0..5).flat_map(|k| d.live(k)).map(|i| self.weights[i] as f64).sum();
            match a.mode {
                Mode::TokenMean => 1.0 / tokens,
                Mode::WeightedMean if a.denominator == Denominator::Weights => 1.0 / sum,
                Mode::WeightedMean => 1.0 / tokens,
                Mode::TokenSum => 1.0,
                Mode::SeqMeanTokenSum => 1.0 / rows,
                Mode::SeqMeanTokenSumNorm => 1.0 / (rows * a.max_length),
                _ => 1.0 / (rows * counts[b].max(1.0)),
            }
        };
        let mut sums = [0.0; 3];
        for b in 0..5 {
            let live = d.live(b);
            for &i in &live {
                let entropy = !self.on(2) || self.entropy_mask[i] != 0;
                let kept = |a: &Aggregate, k: usize, i: usize| a.denominator != Denominator::Kept || self.kept(k, i);
                let w = weight(&o.aggregate, &|k, i| kept(&o.aggregate, k, i), b);
                if self.kept(b, i) && entropy {
                    let inside = name == "vespo";
                    let f = if self.on(4) { self.weights[i] as f64 } else { 1.0 }
                        * if inside { 1.0 } else { self.importance(b, i) };
                    sums[0] += w * f * self.value(name, b, i, l, &at, log_z[b], &live);
                }
                if let Some(e) = &o.kl
                    && (!self.on(3) || self.kl_mask[i] != 0)
                    && kept(&o.aggregate, b, i)
                {
                    let f = if e.stage == KlStage::BeforeWeight { self.importance(b, i) } else { 1.0 };
                    sums[1] += w * f * e.coef * self.estimate(e, i, l, &at, &live, surrogate);
                }
                if let Some(bonus) = &o.bonus
                    && entropy
                    && kept(&o.aggregate, b, i)
                {
                    let a = &bonus.aggregate;
                    let own = |k: usize, i: usize| {
                        a.denominator != Denominator::Kept
                            || kept(&o.aggregate, k, i) && (!self.on(2) || self.entropy_mask[i] != 0)
                    };
                    sums[2] -= bonus.coef * weight(a, &own, b) * h[i];
                }
            }
        }
        sums
    }
}
/// Everything around the entries: dropped tokens, weights, the KL term and its clamps, the entropy bonus, denominators.
#[test]
fn stages() {
    use EstimatorGradient::*;
    use EstimatorWeight::*;
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    let names: [(Kind, &str, u32, &[f64]); 13] = [
        (Kind::Token, "ppo_clip", 0, &[]),
        (Kind::Token, "reinforce", 0, &[]),
        (Kind::Token, "cispo", 3, &[0.1, 0.2]),
        (Kind::Token, "dro", 0, &[]),
        (Kind::Token, "topr", 0, &[]),
        (Kind::Sequence, "gspo", 0, &[0.02, 0.03]),
        (Kind::Sequence, "luspo", 0, &[0.02, 0.03]),
        (Kind::Sequence, "rloo_sequence", 0, &[]),
        (Kind::Sequence, "gspo_token", 0, &[0.02, 0.03]),
        (Kind::Sequence, "gmpo", 0, &[0.1, 0.2]),
        (Kind::Sequence, "vespo", 0, &[]),
        (Kind::Sequence, "flowrl", 0, &[]),
        (Kind::Sequence, "sppo_reward", 0, &[]),
    ];
    let mut r = Random(77);
    for round in 0..104 {
        let (kind, name, variant, params) = names[round % names.len()];
        let given = if round < 13 { 0 } else { r.below(256) as u32 };
        let a = Around::new(round as u64, given);
        let any = r.below(4) > 0;
        let kl = any.then(|| Estimator {
            weight: [One, Score, Ratio, RatioSequence][r.below(4)],
            gradient: [Pathwise, Pathwise, Pathwise, StraightThrough][r.below(4)],
            coef: 0.3,
            input_clamp: [None, None, Some((0.4, ClampMode::Linear)), Some((0.4, ClampMode::ZeroGradient))][r.below(4)],
            output_clamp: [f64::INFINITY, 0.35][r.below(2)],
            ratio_source: [RatioSource::Old, RatioSource::Sampler][r.below(2)],
            stage: [KlStage::AfterWeight, KlStage::BeforeWeight][r.below(2)],
            ..Estimator::new(id(Kind::Estimator, ["k1", "k2", "k3", "abs"][r.below(4)]))
        });
        let kl = kl.map(|e| match round % 9 {
            4 => Estimator { gradient: StraightThroughRatio, ratio_max: 1.1, ..e },
            _ => e,
        });
        let modes = [
            Mode::TokenMean,
            Mode::SeqMeanTokenMean,
            Mode::SeqMeanTokenSum,
            Mode::SeqMeanTokenSumNorm,
            Mode::TokenSum,
            Mode::WeightedMean,
        ];
        let aggregate = |r: &mut Random| {
            let mode = modes[r.below(if a.on(4) { 6 } else { 5 })];
            Aggregate {
                mode,
                max_length: if mode == Mode::SeqMeanTokenSumNorm { 12.0 } else { 0.0 },
                count_empty: Some([CountEmpty::All, CountEmpty::Nonempty][r.below(2)]),
                denominator: match r.below(3) {
                    2 if mode == Mode::WeightedMean => Denominator::Weights,
                    1 => Denominator::Kept,
                    _ => Denominator::Original,
                },
                ..ONE
            }
        };
        let level = if kind == Kind::Sequence { Level::Sequence } else { Level::Token };
        let o = Options {
            variant,
            params,
            kl,
            bonus: (r.below(2) > 0).then(|| Bonus { coef: 0.2, aggregate: aggregate(&mut r) }),
            ..Options::new(id(kind, name), level, aggregate(&mut r))
        };
        let p = Problem::new(a.d.logp.len(), a.d.segments(), o).unwrap();
        let i = Inputs { grad_scale: 1.5, ..a.inputs() };
        let run_all = |c: &Context| {
            let (mut grad_entropy, mut grad_log_z) = (vec![7f32; a.d.logp.len()], vec![7f32; 5]);
            let (mut loss, mut terms, mut grad) = ([0f64], [0f64; 3], vec![7f32; a.d.logp.len()]);
            let mut statistics = [7f64; 32];
            let out = Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                terms: Some(MatrixMut::vector(&mut terms)),
                grad_logps: Some(MatrixMut::vector(&mut grad)),
                grad_entropy: o.bonus.map(|_| MatrixMut::vector(&mut grad_entropy)),
                grad_log_z: (name == "flowrl").then(|| MatrixMut::vector(&mut grad_log_z)),
                statistics: Some(&mut statistics),
                ..Outputs::default()
            };
            let need = policy::workspace(c, &p).minimum;
            with_scratch(need, |w| policy::forward(c, &p, &i, out, w)).unwrap();
            (loss, terms, grad, grad_entropy, grad_log_z, statistics)
        };
        let g = run_all(&all[0]);
        for c in all.iter().skip(1).chain([&threaded]) {
            let h = run_all(c);
            same(name, &[h.0[0]], &[g.0[0]]);
            same(name, &h.1, &g.1);
            same(name, &h.2, &g.2);
            same(name, &h.3, &g.3);
            same(name, &h.4, &g.4);
            same(name, &h.5, &g.5);
        }
        let l: Vec<f64> = a.d.logp.iter().map(|&x| x as f64).collect();
        let (h, z): (Vec<f64>, Vec<f64>) =
            (a.entropy.iter().map(|&x| x as f64).collect(), a.log_z.iter().map(|&x| x as f64).collect());
        let what = format!("{name} given {given:b} {o:?}");
        let want = a.total(name, &o, &l, &h, &z, false);
        let big = want.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
        for k in 0..3 {
            near(&format!("{what} term {k}"), g.1[k], want[k], 1e-5 * big);
        }
        near(&what, g.0[0], want.iter().sum(), 3e-5 * big);
        let e = 1e-6;
        let slope =
            |at: &dyn Fn(f64) -> [f64; 3]| (at(e).iter().sum::<f64>() - at(-e).iter().sum::<f64>()) / (2.0 * e) * 1.5;
        for s in (0..l.len()).filter(|&s| a.d.mask[s] != 0) {
            let want = slope(&|by| {
                let mut l = l.clone();
                l[s] += by;
                a.total(name, &o, &l, &h, &z, true)
            });
            let tolerance = 2e-5 * want.abs() + 1e-5 * big;
            near(&format!("{what} grad at {s}"), g.2[s] as f64, want, tolerance);
            if o.bonus.is_some() {
                let want = slope(&|by| {
                    let mut h = h.clone();
                    h[s] += by;
                    a.total(name, &o, &l, &h, &z, true)
                });
                near(&format!("{what} entropy at {s}"), g.3[s] as f64, want, tolerance);
            }
            cases.ran();
        }
        assert!((0..l.len()).all(|s| a.d.mask[s] != 0 || g.2[s] == 0.0 && (o.bonus.is_none() || g.3[s] == 0.0)));
        if name == "flowrl" {
            for b in 0..5 {
                let want = slope(&|by| {
                    let mut z = z.clone();
                    z[b] += by;
                    a.total(name, &o, &l, &h, &z, true)
                });
                near(&format!("{what} log_z {b}"), g.4[b] as f64, want, 2e-5 * want.abs() + 1e-5 * big);
            }
        }
        let live: Vec<(usize, usize)> = (0..5).flat_map(|b| a.d.live(b).into_iter().map(move |i| (b, i))).collect();
        let kept = live.iter().filter(|&&(b, i)| a.kept(b, i) && (!a.on(2) || a.entropy_mask[i] != 0)).count();
        let s = &g.5;
        assert_eq!((s[stat::TOKENS], s[stat::KEPT_TOKENS]), (live.len() as f64, kept as f64), "{what}");
        near("entropy sum", s[stat::ENTROPY_SUM], live.iter().map(|&(_, i)| h[i]).sum(), 1e-9);
        let w: Vec<f64> = live.iter().map(|&(b, i)| a.importance(b, i)).collect();
        if a.on(5) || a.on(6) {
            near("weights", s[stat::WEIGHT_SUM], w.iter().sum(), 1e-9);
            near("squares", s[stat::WEIGHT_SQ_SUM], w.iter().map(|w| w * w).sum(), 1e-9);
        }
    }
    cases.finish("policy stages", 2600);
}

fn bits_of(counters: &[i64; 32], bit: u32) -> i64 {
    counters[bit.trailing_zeros() as usize]
}
#[test]
fn further_terms_add_up() {
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    let seq = Aggregate { mode: Mode::SeqMean, count_empty: Some(CountEmpty::All), ..ONE };
    let sum = Aggregate { mode: Mode::SeqMeanTokenSum, count_empty: Some(CountEmpty::Nonempty), ..ONE };
    let offsets = [0i32, 2, 3, 6];
    for round in 0..6 {
        let (d, other) = (Data::new(40 + round, 6, 300, 0.3), Data::new(60 + round, 6, 300, 0.3));
        let weights: Vec<f32> = (0..d.logp.len()).map(|i| (i % 5) as f32 * 0.5).collect();
        let sequence_advantage = [0.5f32, -1.0, 0.25, 2.0, -0.5, 0.0];
        let vector = |x| Floats::F32(Matrix::vector(x));
        let entry = |kind, name, level, aggregate, weight| Term {
            loss: id(kind, name),
            variant: 0,
            params: &[],
            weight,
            aggregate,
            level,
        };
        let terms = [
            entry(Kind::Token, "sdar", Level::Token, sum, 0.3),
            entry(Kind::Estimator, "k2", Level::Token, ONE, -0.5),
            entry(Kind::Sequence, "gspo", Level::Sequence, seq, 1.0),
            entry(Kind::Token, "nll", Level::Token, ONE, 0.1),
            entry(Kind::List, "real", Level::Sequence, seq, 0.7),
            entry(Kind::Token, "nll", Level::Token, ONE, 0.0),
        ];
        // a mask of its own, a teacher of its own, weights, an advantage of another level
        let own = [
            TermInputs { reference: Some(vector(&other.reference)), ..TermInputs::default() },
            TermInputs { mask: Some(Mask::U8(Matrix::vector(&other.mask))), ..TermInputs::default() },
            TermInputs { advantage: Some(Each::Sequence(vector(&sequence_advantage))), ..TermInputs::default() },
            TermInputs { token_weights: Some(vector(&weights)), ..TermInputs::default() },
            TermInputs { old: Some(vector(&other.old)), ..TermInputs::default() },
            TermInputs::default(),
        ];
        let kl = Estimator { coef: 0.04, ..Estimator::new(id(Kind::Estimator, "k3")) };
        let main = Options { kl: Some(kl), ..Options::new(id(Kind::Token, "ppo_clip"), Level::Token, ONE) };
        let groups = Some(Ints::I32(Matrix::vector(&offsets)));
        let o = Options { groups, terms: &terms, ..main };
        let p = Problem::new(d.logp.len(), d.segments(), o).unwrap();
        let alone = Inputs { grad_scale: 1.5, ..d.inputs() };
        let i = Inputs { terms: &own, ..alone };
        let g = run(&all[0], &p, &i).unwrap();
        for c in all.iter().skip(1).chain([&threaded]) {
            same_all("further terms", &run(c, &p, &i).unwrap(), &g);
        }
        // each on its own, by a call of its own
        let first = run(&all[0], &Problem::new(d.logp.len(), d.segments(), main).unwrap(), &alone).unwrap();
        let (mut loss, mut grad, mut status) = (first.loss, first.grad.clone(), first.token_status.clone());
        for (k, (term, own)) in terms.iter().zip(&own).enumerate() {
            let list = k == 4;
            let o = Options { groups: groups.filter(|_| list), ..Options::new(term.loss, term.level, term.aggregate) };
            let i = Inputs {
                old: own.old.or(alone.old),
                reference: own.reference.or(alone.reference),
                advantage: own.advantage.or(alone.advantage),
                mask: own.mask.or(alone.mask),
                token_weights: own.token_weights,
                grad_scale: 1.5 * term.weight,
                ..alone
            };
            let one = run(&all[0], &Problem::new(d.logp.len(), d.segments(), o).unwrap(), &i).unwrap();
            same("term", &[g.terms[3 + k]], &[if term.weight == 0.0 { 0.0 } else { one.loss * term.weight }]);
            loss += g.terms[3 + k];
            grad.iter_mut().zip(&one.grad).for_each(|(all, one)| *all += one);
            for (all, one) in status.iter_mut().zip(&one.token_status) {
                *all = if *all == row::IGNORED && *one == row::IGNORED {
                    row::IGNORED
                } else {
                    (*all | one) & !row::IGNORED
                };
            }
            cases.ran();
        }
        same("loss", &[g.loss], &[loss]);
        same("grad", &g.grad, &grad);
        same("main terms", &g.terms[..3], &first.terms);
        same("status", &g.token_status, &status);
        same("statistics", &g.statistics, &first.statistics);
        let ignored = status.iter().filter(|&&x| x == row::IGNORED).count() as i64;
        assert_eq!(bits_of(&g.counters, row::IGNORED), ignored);
        // sequence 1 is masked in each data set, so that five terms with a mask find it empty
        assert!(g.sequence_status[1] & row::EMPTY != 0 && bits_of(&g.counters, row::EMPTY) >= 1);
    }
    cases.finish("further terms", 36);
    // a token is counted once for a bit that several terms set
    let d = Data {
        logp: vec![f32::NAN, -1.0],
        old: vec![-1.0; 2],
        reference: vec![-1.0; 2],
        advantage: vec![1.0; 2],
        mask: vec![1; 2],
        sequences: 1,
        width: 2,
    };
    let term = Term {
        loss: id(Kind::Token, "nll"),
        variant: 0,
        params: &[],
        weight: 1.0,
        aggregate: ONE,
        level: Level::Token,
    };
    let terms = [term; 2];
    let o = Options { terms: &terms, ..Options::new(id(Kind::Token, "ppo_clip"), Level::Token, ONE) };
    let p = Problem::new(2, d.segments(), o).unwrap();
    let g = run(&all[0], &p, &Inputs { terms: &[TermInputs::default(); 2], ..d.inputs() }).unwrap();
    assert_eq!((bits_of(&g.counters, row::NAN_INPUT), bits_of(&g.counters, row::OVERFLOW)), (1, 0));
    assert!(g.loss.is_nan() && g.grad[0].is_nan() && g.grad[1].is_finite());
    // what does not go together is named
    let refused = |o: Options, i: Inputs, field: &str| {
        let got = match Problem::new(2, d.segments(), o) {
            Err(e) => e.field,
            Ok(p) => run(&all[0], &p, &i).unwrap_err().field,
        };
        assert_eq!(got, field);
    };
    let none = Aggregate { mode: Mode::None, ..ONE };
    refused(Options { terms: &[Term { loss: 99999, ..term }], ..o }, d.inputs(), "inputs.extra_terms.loss.id");
    refused(
        Options {
            terms: &[Term {
                loss: id(Kind::Sequence, "flowrl"),
                level: Level::Sequence,
                aggregate: Aggregate { mode: Mode::SeqMean, count_empty: Some(CountEmpty::All), ..ONE },
                ..term
            }],
            ..o
        },
        d.inputs(),
        "inputs.extra_terms.loss.id",
    );
    refused(Options { terms: &[Term { level: Level::Sequence, ..term }], ..o }, d.inputs(), "inputs.extra_terms.level");
    refused(Options { terms: &[Term { weight: f64::NAN, ..term }], ..o }, d.inputs(), "inputs.extra_terms.loss.weight");
    refused(Options { terms: &[Term { params: &[1.0], ..term }], ..o }, d.inputs(), "inputs.extra_terms.loss.params");
    refused(
        Options { terms: &[Term { aggregate: none, ..term }], ..o },
        d.inputs(),
        "inputs.extra_terms.aggregate.mode",
    );
    refused(
        Options { terms: &[Term { aggregate: Aggregate { mode: Mode::WeightedMean, ..ONE }, ..term }], ..o },
        Inputs { terms: &[TermInputs::default()], ..d.inputs() },
        "inputs.extra_terms.token_weights",
    );
    refused(Options { aggregate: none, ..o }, d.inputs(), "inputs.num_extra_terms");
    refused(o, d.inputs(), "inputs.extra_terms");
    let long = [0f32; 3];
    let own =
        [TermInputs { old: Some(Floats::F32(Matrix::vector(&long))), ..TermInputs::default() }, TermInputs::default()];
    refused(o, Inputs { terms: &own, ..d.inputs() }, "inputs.extra_terms.old");
}

#[test]
fn values_alone_take_an_upstream_each() {
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    let mut cases = Cases::default();
    let none = Aggregate { mode: Mode::None, ..ONE };
    for (kind, name) in [
        (Kind::Token, "ppo_clip"),
        (Kind::Token, "sapo"),
        (Kind::Estimator, "k3"),
        (Kind::Sequence, "gspo"),
        (Kind::Sequence, "gspo_token"),
        (Kind::Sequence, "gmpo"),
    ] {
        let d = Data::new(7, 5, 300, 0.2);
        let whole = kind == Kind::Sequence;
        let level = if whole { Level::Sequence } else { Level::Token };
        let kl = Estimator { coef: 0.3, ..Estimator::new(id(Kind::Estimator, "k3")) };
        let plain = Options { kl: (kind == Kind::Token).then_some(kl), ..Options::new(id(kind, name), level, none) };
        let p = Problem::new(d.logp.len(), d.segments(), plain).unwrap();
        let mut r = Random(3);
        let mut upstream: Vec<f32> = (0..p.values()).map(|_| r.normal() as f32).collect();
        upstream[2] = 0.0;
        if !whole {
            // that of a masked token is not read
            let dead = d.mask.iter().position(|&x| x == 0).unwrap();
            upstream[dead] = f32::NAN;
        }
        let i = Inputs { grad_output: Some(Floats::F32(Matrix::vector(&upstream))), grad_scale: 2.0, ..d.inputs() };
        let g = run(&all[0], &p, &i).unwrap();
        for c in all.iter().skip(1).chain([&threaded]) {
            same_all(name, &run(c, &p, &i).unwrap(), &g);
        }
        // the sum of the values: a mean over sequences or tokens with the divisor 1
        let mode = if whole { Mode::SeqMean } else { Mode::TokenSum };
        let summed = Aggregate { mode, normaliser: 1.0, count_empty: Some(CountEmpty::All), ..ONE };
        let q = Problem::new(d.logp.len(), d.segments(), Options { aggregate: summed, ..plain }).unwrap();
        let sum = run(&all[0], &q, &d.inputs()).unwrap();
        same(name, &g.values, &sum.values);
        same(name, &g.sequence_values, &sum.sequence_values);
        for b in 0..5 {
            for t in b * 300..(b + 1) * 300 {
                let u = if whole { upstream[b] } else { upstream[t] } as f64;
                let want = if d.mask[t] == 0 { 0.0 } else { 2.0 * u * sum.grad[t] as f64 };
                near(&format!("{name} at {t}"), g.grad[t] as f64, want, 3e-7 * want.abs());
                cases.ran();
            }
        }
        // the gradient of a KL that is given: a value that counts once has no such term
        if kind != Kind::Estimator {
            let coef = if whole { 0.0 } else { 0.3 };
            let given = Estimator { coef, ..Estimator::new(Estimator::GIVEN) };
            let p = Problem::new(d.logp.len(), d.segments(), Options { kl: Some(given), ..plain }).unwrap();
            let i = Inputs { kl: Some(Floats::F32(Matrix::vector(&d.logp))), ..i };
            let mut grad = vec![77.0f32; d.logp.len()];
            let out = Outputs { grad_kl: Some(MatrixMut::vector(&mut grad)), ..Outputs::default() };
            with_scratch(policy::workspace(&all[0], &p).minimum, |w| policy::forward(&all[0], &p, &i, out, w)).unwrap();
            for (t, &got) in grad.iter().enumerate() {
                let u = if whole || d.mask[t] == 0 { 0.0 } else { upstream[t] as f64 };
                near(&format!("{name}: KL at {t}"), got as f64, coef * 2.0 * u, 1e-7 * u.abs());
                cases.ran();
            }
        }
        // one number is for all of them
        let one = [2.0f32];
        let g =
            run(&all[0], &p, &Inputs { grad_output: Some(Floats::F32(Matrix::vector(&one))), ..d.inputs() }).unwrap();
        for (got, want) in g.grad.iter().zip(&sum.grad) {
            near(name, *got as f64, 2.0 * *want as f64, 3e-7 * want.abs() as f64);
        }
        // an infinite factor is not the token's fault
        if !whole {
            let live = d.mask.iter().position(|&x| x != 0).unwrap();
            upstream[live] = f32::INFINITY;
            let g =
                run(&all[0], &p, &Inputs { grad_output: Some(Floats::F32(Matrix::vector(&upstream))), ..d.inputs() })
                    .unwrap();
            assert!(!g.grad[live].is_finite() && g.token_status[live] == 0, "{name}");
        }
        let keep = vec![1u8; d.logp.len()];
        let kept = Inputs { keep: Some(Matrix::vector(&keep)), ..d.inputs() };
        assert_eq!(run(&all[0], &p, &kept).map_err(|e| e.field).err(), whole.then_some("inputs.keep"));
        let (two, mut loss) = ([1f32; 2], [0f64]);
        let bad = Inputs { grad_output: Some(Floats::F32(Matrix::vector(&two))), ..d.inputs() };
        assert_eq!(run(&all[0], &p, &bad).unwrap_err().field, "grad_output");
        let out = Outputs { loss: Some(MatrixMut::vector(&mut loss).into()), ..Outputs::default() };
        let e =
            with_scratch(policy::workspace(&all[0], &p).minimum, |w| policy::forward(&all[0], &p, &d.inputs(), out, w));
        assert_eq!(e.unwrap_err().field, "outputs.out_loss");
    }
    cases.finish("values alone", 11 * 1500);
}

/// `real` and `gvpo` of one group as their papers write them.
fn list_value(name: &str, x: &[[f64; 3]]) -> f64 {
    // score (mean or sum of logp - old), its number of tokens, target
    let n = x.len() as f64;
    if n == 0.0 {
        return 0.0;
    }
    match name {
        "real" => {
            let s = |m: &[f64; 3]| m[0] / m[1] / 0.5;
            let (good, bad): (Vec<_>, Vec<_>) = x.iter().partition(|m| m[2] > 0.0);
            if good.is_empty() || bad.is_empty() {
                return 0.0;
            }
            let sum = |v: Vec<f64>| v.iter().map(|x| x.exp()).sum::<f64>().ln_1p();
            sum(bad.into_iter().map(s).collect()) + sum(good.into_iter().map(|m| -s(m)).collect())
        }
        _ => {
            let u: Vec<f64> = x.iter().map(|m| 0.1 * m[0]).collect();
            let mean = u.iter().sum::<f64>() / n;
            let square = |(u, m): (&f64, &[f64; 3])| (u - mean - m[2]).powi(2);
            if n == 1.0 { 0.0 } else { u.iter().zip(x).map(square).sum::<f64>() / (2.0 * (n - 1.0)) }
        }
    }
}
#[test]
fn lists_of_rollouts() {
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    let mut cases = Cases::default();
    let offsets = [0i64, 4, 4, 5, 9, 9];
    let keep = [1u8, 1, 1, 1, 1, 1, 0, 1, 1];
    for name in ["real", "gvpo"] {
        for (count, normaliser) in [(CountEmpty::All, 0.0), (CountEmpty::Nonempty, 0.0), (CountEmpty::All, 7.0)] {
            for level in [Level::Token, Level::Sequence] {
                let mut d = Data::new(11, 9, 40, 0.2);
                // targets whose mean is 0 in each group, as gvpo wants them: then the detached mean changes nothing
                let mut by_sequence = [0.75f32, 0.5, -0.25, -0.5, 0.0, 1.0, 9.0, -0.25, -0.75];
                let member = |b: usize| b != 1 && keep[b] != 0;
                by_sequence[1] = 5.0; // wholly masked
                if level == Level::Token {
                    (0..360).for_each(|i| d.advantage[i] = by_sequence[i / 40]);
                }
                let aggregate = Aggregate { mode: Mode::SeqMean, count_empty: Some(count), normaliser, ..ONE };
                let o = Options {
                    groups: Some(Ints::I64(Matrix::vector(&offsets))),
                    ..Options::new(id(Kind::List, name), Level::Sequence, aggregate)
                };
                let p = Problem::new(360, d.segments(), o).unwrap();
                let mut i = Inputs { grad_scale: 1.5, sequence_keep: Some(Matrix::vector(&keep)), ..d.inputs() };
                if level == Level::Sequence {
                    i.advantage = Some(Each::Sequence(Floats::F32(Matrix::vector(&by_sequence))));
                }
                let g = run(&all[0], &p, &i).unwrap();
                for c in all.iter().skip(1).chain([&threaded]) {
                    same_all(name, &run(c, &p, &i).unwrap(), &g);
                }
                let values = |l: &[f64]| -> Vec<f64> {
                    let one = |b: usize| {
                        let live = d.live(b);
                        let x = live.iter().map(|&t| l[t] - d.old[t] as f64).sum::<f64>();
                        [x, live.len() as f64, by_sequence[b] as f64]
                    };
                    let group = |w: &[i64]| -> Vec<[f64; 3]> {
                        (w[0] as usize..w[1] as usize).filter(|&b| member(b)).map(one).collect()
                    };
                    offsets.windows(2).map(|w| list_value(name, &group(w))).collect()
                };
                let divisor = match count {
                    _ if normaliser != 0.0 => normaliser,
                    CountEmpty::All => 5.0,
                    CountEmpty::Nonempty => 3.0,
                };
                let l: Vec<f64> = d.logp.iter().map(|&x| x as f64).collect();
                for (got, want) in g.sequence_values.iter().zip(values(&l)) {
                    near(name, *got, want, 1e-9);
                }
                near(name, g.loss, values(&l).iter().sum::<f64>() / divisor, 1e-9);
                assert_eq!((g.statistics[stat::DENOMINATOR], g.terms[0]), (divisor, g.loss));
                for t in 0..360 {
                    let at = |by: f64| {
                        let mut l = l.clone();
                        l[t] += by;
                        values(&l).iter().sum::<f64>() / divisor
                    };
                    let want = 1.5 * (at(1e-5) - at(-1e-5)) / 2e-5;
                    let want = if d.mask[t] == 0 || !member(t / 40) { 0.0 } else { want };
                    near(&format!("{name} at {t}"), g.grad[t] as f64, want, 1e-7 + 1e-6 * want.abs());
                    cases.ran();
                }
                // values only, with an upstream gradient for each group
                let each = [2.0f32, f32::NAN, -1.0, 0.5, f32::NAN];
                let none = Options { aggregate: Aggregate { mode: Mode::None, ..ONE }, ..o };
                let upstream = Inputs { grad_output: Some(Floats::F32(Matrix::vector(&each))), grad_scale: 1.0, ..i };
                let h = run(&all[0], &Problem::new(360, d.segments(), none).unwrap(), &upstream).unwrap();
                same(name, &h.sequence_values, &g.sequence_values);
                for t in 0..360 {
                    let u = [each[0], each[2], each[3]][[0, 0, 0, 0, 1, 2, 2, 2, 2][t / 40]] as f64;
                    near(name, h.grad[t] as f64, u * g.grad[t] as f64 * divisor / 1.5, 3e-7 * h.grad[t].abs() as f64);
                }
            }
        }
    }
    cases.finish("lists of rollouts", 2 * 3 * 2 * 360);
    // one NaN spoils its group and no other
    let mut d = Data::new(11, 4, 8, 0.2);
    d.mask.fill(1);
    d.logp[3] = f32::NAN;
    let (offsets, signs) = ([0i32, 2, 4], [1f32, -1.0, 1.0, -1.0]);
    let aggregate = Aggregate { mode: Mode::SeqMean, count_empty: Some(CountEmpty::All), ..ONE };
    let groups = Some(Ints::I32(Matrix::vector(&offsets)));
    let o = Options { groups, ..Options::new(id(Kind::List, "real"), Level::Sequence, aggregate) };
    let i = Inputs { advantage: Some(Each::Sequence(Floats::F32(Matrix::vector(&signs)))), ..d.inputs() };
    let p = Problem::new(32, d.segments(), o).unwrap();
    let g = run(&all[0], &p, &i).unwrap();
    assert!(g.loss.is_nan() && g.sequence_values[0].is_nan() && g.sequence_values[1].is_finite());
    assert!(g.grad[..16].iter().all(|x| x.is_nan()) && g.grad[16..].iter().all(|x| x.is_finite()));
    assert_eq!((g.token_status[3], g.token_status[4], g.token_status[20]), (row::NAN_INPUT, 0, 0));
    assert_eq!(g.sequence_status, [row::NAN_INPUT, row::NAN_INPUT, 0, 0]);
    // without another policy the scores are 0
    let d = Data::new(12, 4, 8, 0.2);
    let i = Inputs { old: None, advantage: i.advantage, ..d.inputs() };
    near("detached", run(&all[0], &p, &i).unwrap().sequence_values[1], 2.0 * 2f64.ln(), 1e-12);
    // what does not go together is named
    let refused = |o: Options, i: Inputs, field: &str| {
        let got = match Problem::new(32, d.segments(), o) {
            Err(e) => e.field,
            Ok(p) => run(&all[0], &p, &i).unwrap_err().field,
        };
        assert_eq!(got, field);
    };
    let (keep, short) = ([1u8; 32], [0i32, 2, 3]);
    let k3 = Estimator { coef: 0.1, ..Estimator::new(id(Kind::Estimator, "k3")) };
    refused(Options { groups: None, ..o }, i, "inputs.group_offsets");
    refused(Options { groups: Some(Ints::I32(Matrix::vector(&short))), ..o }, i, "inputs.group_offsets");
    refused(Options { kl: Some(k3), ..o }, i, "inputs.kl.coef");
    refused(Options { aggregate: ONE, ..o }, i, "inputs.aggregate.mode");
    refused(Options { loss: id(Kind::List, "plackett_luce"), ..o }, i, "inputs.loss.id");
    refused(
        Options { loss: id(Kind::Token, "ppo_clip"), level: Level::Token, aggregate: ONE, ..o },
        i,
        "inputs.group_offsets",
    );
    refused(o, Inputs { advantage: None, ..i }, "inputs.advantage");
    refused(o, Inputs { keep: Some(Matrix::vector(&keep)), ..i }, "inputs.keep");
}
