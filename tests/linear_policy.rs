//! The composite from hidden states to policy loss and gradients against a plain f64 computation of the whole chain and its
//! differences in hidden states and head; the same bits for every workspace, thread count and instruction set, and as the
//! split form gives; sampling supports; entries that read an entropy; two phases, with a divergence too; masked rows; hostile inputs; memory by a counting allocator.
use std::sync::Mutex;
use truing_core::catalog::Kind;
use truing_core::error::row;
use truing_core::linear_logprob::Rounding;
use truing_core::linear_policy::{Divergence, Inputs, Options, Outputs, PAIR_STATS, Phase, Problem, RefHead};
use truing_core::logprob::{self, Figures, Rows, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Floats, Ints, Mask, Matrix, MatrixMut};
use truing_core::policy::{self, Advantage, Aggregate, Bonus, CountEmpty, Estimator, EstimatorWeight, Level, Mode};
use truing_core::sequence::Segments;
use truing_core::support::{Filters, Lists, Outside, Preset, Support, SupportFigures};
use truing_core::{Dtype, Error, Status};
use truing_cpu::linear_logprob::{self as linear, Asked, Grads};
use truing_cpu::logprob::Over;
use truing_cpu::{Context, Isa, gemm, linear_policy, support};
use truing_tests::{Cases, Counting, Random, context, contexts, id, on_grid, same, with_scratch};

#[global_allocator]
static ALLOCATOR: Counting = Counting;
/// Tests of this file run one at a time, so that the counts are those of the call that is measured.
static ALONE: Mutex<()> = Mutex::new(());

const B: usize = 4;
#[derive(Clone)]
struct Data {
    shape: [usize; 3],
    width: usize,
    hidden: Vec<f32>,
    weight: Vec<f32>,
    target: Vec<i32>,
    mask: Vec<u8>,
    old: Vec<f32>,
    reference: Vec<f32>,
    advantage: Vec<f32>,
    /// Hidden states and head of a reference, of another hidden size.
    other: Option<(usize, Vec<f32>, Vec<f32>)>,
    /// What the logits of the policy and of the reference are rounded to, and what that adds to each.
    rounding: [(Rounding, Vec<f64>); 2],
}
impl Data {
    fn new(seed: u64, width: usize, d: usize, v: usize) -> Data {
        let mut r = Random(seed);
        let n = B * width;
        let mut x = Data {
            shape: [n, d, v],
            width,
            hidden: r.normals(n * d, 1.0),
            weight: r.normals(v * d, 0.6),
            target: (0..n).map(|_| r.below(v) as i32).collect(),
            mask: (0..n).map(|_| (r.below(5) > 0) as u8).collect(),
            old: vec![0.0; n],
            reference: vec![0.0; n],
            advantage: r.normals(B, 1.0),
            other: None,
            rounding: [(); 2].map(|_| (Rounding::None, vec![0.0; n * v])),
        };
        x.mask[width..2 * width].fill(0);
        for i in 0..n {
            let l = x.row(&x.hidden.iter().map(|&h| h as f64).collect::<Vec<_>>(), &x.wide(), i).0;
            x.old[i] = (l + 0.15 * r.normal()) as f32;
            x.reference[i] = (l + 0.3 * r.normal()) as f32;
        }
        for i in (0..n).filter(|&i| x.mask[i] == 0) {
            (x.old[i], x.reference[i], x.target[i]) = (f32::NAN, f32::NAN, -7);
            x.hidden[i * d..(i + 1) * d].fill(f32::NAN);
        }
        x
    }
    /// Rounds the logits of both heads; old log-probs stay as near as they were.
    fn rounded(mut self, [own, reference]: [Rounding; 2]) -> Data {
        let [n, d, _] = self.shape;
        let live: Vec<usize> = (0..n).filter(|&i| self.mask[i] != 0).collect();
        let logps = |x: &Data| {
            let h: Vec<f64> = x.hidden.iter().map(|&x| x as f64).collect();
            live.iter().map(|&i| x.row(&h, &x.wide(), i).0).collect::<Vec<f64>>()
        };
        let before = logps(&self);
        self.rounding[0] = (own, on_grid(&mut self.hidden, &mut self.weight, d, own));
        if let Some((d, hidden, weight)) = &mut self.other {
            self.rounding[1] = (reference, on_grid(hidden, weight, *d, reference));
        }
        for ((&i, a), b) in live.iter().zip(before).zip(logps(&self)) {
            self.old[i] += (b - a) as f32;
            self.reference[i] += (b - a) as f32;
        }
        self
    }
    fn wide(&self) -> Vec<f64> {
        self.weight.iter().map(|&x| x as f64).collect()
    }
    /// Log-prob of the target and entropy, in f64.
    fn row(&self, hidden: &[f64], weight: &[f64], i: usize) -> (f64, f64) {
        let [_, d, v] = self.shape;
        let dot = |j: usize| (0..d).map(|k| hidden[i * d + k] * weight[j * d + k]).sum::<f64>();
        let z: Vec<f64> = (0..v).map(|j| (dot(j) + self.rounding[0].1[i * v + j]) / 0.9).collect();
        let top = z.iter().copied().fold(f64::MIN, f64::max);
        let lse = top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
        (z[self.target[i] as usize] - lse, z.iter().map(|z| (z - lse).exp() * (lse - z)).sum())
    }
    fn segments(&self) -> Segments<'static> {
        Segments::Padded { sequences: B, width: self.width }
    }
    fn problem<'a>(&self, o: Options<'a>) -> Result<Problem<'a>, Error> {
        Ok(Problem::new(self.shape, self.segments(), o)?.rounded(self.rounding[0].0, self.rounding[1].0))
    }
    fn inputs(&self) -> Inputs<'_> {
        let [n, d, v] = self.shape;
        let f = |x| Floats::F32(Matrix::vector(x));
        let mut loss = policy::Inputs::new(Floats::F32(Matrix::vector(&[])));
        loss.old = Some(f(&self.old));
        loss.reference = Some(f(&self.reference));
        loss.advantage = Some(Advantage::Sequence(f(&self.advantage)));
        loss.grad_scale = 2.0;
        let mut x = Inputs::new(
            Floats::F32(Matrix::contiguous(&self.hidden, n, d).unwrap()),
            Floats::F32(Matrix::contiguous(&self.weight, v, d).unwrap()),
            Ints::I32(Matrix::vector(&self.target)),
            loss,
        );
        x.rows.mask = Some(Mask::U8(Matrix::vector(&self.mask)));
        if let Some((d, hidden, weight)) = &self.other {
            x.policy.reference = None;
            x.ref_head = Some(RefHead {
                hidden: Floats::F32(Matrix::contiguous(hidden, n, *d).unwrap()),
                weight: Floats::F32(Matrix::contiguous(weight, v, *d).unwrap()),
                transform: TransformInputs::default(),
            });
        }
        x
    }
    fn live(&self, b: usize) -> Vec<usize> {
        (b * self.width..(b + 1) * self.width).filter(|&i| self.mask[i] != 0).collect()
    }
}
type Case = (Kind, &'static str, bool, bool, Mode);
const CASES: [Case; 5] = [
    (Kind::Token, "ppo_clip", false, false, Mode::TokenMean),
    (Kind::Token, "ppo_clip", true, true, Mode::SeqMeanTokenMean),
    (Kind::Token, "dro", true, false, Mode::SeqMeanTokenSum),
    (Kind::Sequence, "gspo", true, false, Mode::SeqMean),
    (Kind::Sequence, "sppo_reward", false, true, Mode::SeqMean),
];
/// Lists of three sequences and of one, without a value of the whole chain here.
const LISTS: [Case; 2] =
    [(Kind::List, "gvpo", false, false, Mode::SeqMean), (Kind::List, "real", false, false, Mode::SeqMean)];
static GROUPS: [i32; 3] = [0, 3, 4];
fn options((kind, name, kl, bonus, mode): Case, phase: Phase) -> Options<'static> {
    let token = matches!(mode, Mode::TokenMean);
    let aggregate = Aggregate { count_empty: (!token).then_some(CountEmpty::All), ..Aggregate::new(mode) };
    let level = if matches!(kind, Kind::Sequence | Kind::List) { Level::Sequence } else { Level::Token };
    let weight = EstimatorWeight::Ratio;
    let policy = policy::Options {
        kl: kl.then(|| Estimator { coef: 0.2, weight, ..Estimator::new(id(Kind::Estimator, "k3")) }),
        bonus: bonus.then(|| Bonus { coef: 0.1, aggregate: Aggregate::new(Mode::TokenMean) }),
        groups: (kind == Kind::List).then(|| Ints::I32(Matrix::vector(&GROUPS))),
        ..policy::Options::new(id(kind, name), level, aggregate)
    };
    let transform = Transform { temperature: 0.9, ..Transform::default() };
    let logprob = logprob::Options { transform, ..logprob::Options::default() };
    Options { logprob, policy, phase, reference: None, divergence: None, support: None }
}
fn total(d: &Data, (_, name, kl, bonus, mode): Case, hidden: &[f64], weight: &[f64]) -> f64 {
    let (mut loss, all) = (0.0, (0..B).map(|b| d.live(b).len()).sum::<usize>() as f64);
    for b in 0..B {
        let live = d.live(b);
        let n = live.len() as f64;
        let rows: Vec<(f64, f64)> = live.iter().map(|&i| d.row(hidden, weight, i)).collect();
        let x: Vec<f64> = live.iter().zip(&rows).map(|(&i, r)| r.0 - d.old[i] as f64).collect();
        let (sum, a) = (x.iter().sum::<f64>(), d.advantage[b] as f64);
        let clip = |x: f64| -(x.exp() * a).min(x.exp().clamp(0.8, 1.2) * a);
        for (k, &i) in live.iter().enumerate() {
            let w = match mode {
                Mode::TokenMean => 1.0 / all,
                Mode::SeqMeanTokenSum => 1.0 / B as f64,
                _ => 1.0 / (B as f64 * n),
            };
            let value = match name {
                "ppo_clip" => clip(x[k]),
                "dro" => -a * rows[k].0 + 0.05 * x[k] * x[k],
                "gspo" => clip(sum / n),
                _ => (sum - a).powi(2),
            };
            let z = d.reference[i] as f64 - rows[k].0;
            loss += w * (value + if kl { 0.2 * x[k].exp() * (z.exp_m1() - z) } else { 0.0 });
            loss -= if bonus { 0.1 * rows[k].1 / all } else { 0.0 };
        }
    }
    loss
}
#[derive(Clone, Debug, PartialEq)]
struct Got {
    loss: f64,
    logps: Vec<f32>,
    entropy: Vec<f32>,
    coefficients: [Vec<f32>; 2],
    hidden: Vec<f32>,
    weight: Vec<f32>,
    status: Vec<u32>,
    statistics: [f64; 32],
}
fn run(c: &Context, d: &Data, o: Options, share: f64) -> Result<Got, Error> {
    run_on(c, d, o, share, &d.inputs())
}
fn run_on(c: &Context, d: &Data, o: Options, share: f64, inputs: &Inputs) -> Result<Got, Error> {
    let [n, w, v] = d.shape;
    let p = d.problem(o)?;
    let bonus = p.bonus();
    let mut g = Got {
        loss: 7.0,
        logps: vec![7.0; n],
        entropy: vec![7.0; n],
        coefficients: [vec![7.0; n], vec![7.0; n]],
        hidden: vec![7.0; n * w],
        weight: vec![7.0; v * w],
        status: vec![7; n],
        statistics: [7.0; 32],
    };
    let mut loss = [7.0f64];
    let [ref mut by_logp, ref mut by_entropy] = g.coefficients;
    let out = Outputs {
        logps: Some(MatrixMut::vector(&mut g.logps)),
        entropy: Some(MatrixMut::vector(&mut g.entropy)),
        policy: policy::Outputs {
            loss: Some(MatrixMut::vector(&mut loss).into()),
            grad_logps: Some(MatrixMut::vector(by_logp)),
            grad_entropy: bonus.then(|| MatrixMut::vector(by_entropy)),
            token_status: Some(MatrixMut::vector(&mut g.status)),
            statistics: Some(&mut g.statistics),
            ..policy::Outputs::default()
        },
        ..Outputs::default()
    };
    let grads = Grads {
        hidden: Some(MatrixMut::contiguous(&mut g.hidden, n, w).unwrap().into()),
        weight: Some(MatrixMut::contiguous(&mut g.weight, v, w).unwrap().into()),
        ..Grads::default()
    };
    let need = linear_policy::workspace(c, &p, Dtype::F32, Dtype::F32);
    let bytes = need.minimum + ((need.preferred - need.minimum) as f64 * share) as usize / 64 * 64;
    with_scratch(bytes, |s| linear_policy::forward(c, &p, inputs, out, grads, s))?;
    g.loss = loss[0];
    Ok(g)
}

#[test]
fn whole_chain() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let roundings = [Rounding::None, Rounding::Bf16, Rounding::F16];
    for ((k, &case), rounding) in CASES.iter().enumerate().flat_map(|c| roundings.map(|r| (c, r))) {
        let d = Data::new(31 + k as u64, 5, 6, 19);
        let d = if rounding == Rounding::None { d } else { d.rounded([rounding; 2]) };
        let [n, w, v] = d.shape;
        let g = run(&context(Isa::detect(), 0), &d, options(case, Phase::Single), 1.0).unwrap();
        let h: Vec<f64> = d.hidden.iter().map(|&x| x as f64).collect();
        let e = d.wide();
        let want = total(&d, case, &h, &e);
        assert!((g.loss - want).abs() < 2e-6 * (1.0 + want.abs()), "{case:?}: {} {want}", g.loss);
        let step = 1e-5;
        let slope = |at: &dyn Fn(f64) -> f64| (at(step) - at(-step)) / (2.0 * step) * 2.0;
        for i in 0..n * w {
            let want = match d.mask[i / w] {
                0 => 0.0,
                _ => slope(&|by| {
                    let mut h = h.clone();
                    h[i] += by;
                    total(&d, case, &h, &e)
                }),
            };
            let got = g.hidden[i] as f64;
            assert!((got - want).abs() < 2e-5 * (0.1 + want.abs()), "{case:?} hidden {i}: {got} {want}");
            cases.ran();
        }
        for i in 0..v * w {
            let want = slope(&|by| {
                let mut e = e.clone();
                e[i] += by;
                total(&d, case, &h, &e)
            });
            let got = g.weight[i] as f64;
            assert!((got - want).abs() < 2e-5 * (0.1 + want.abs()), "{case:?} weight {i}: {got} {want}");
            cases.ran();
        }
        (0..n).for_each(|i| assert_eq!(g.status[i], if d.mask[i] == 0 { row::IGNORED } else { 0 }));
    }
    cases.finish("linear_policy, the whole chain", 3510);
}

/// Workspaces, threads and instruction sets; two phases; what the split form gives on the log-probs of the call.
#[test]
fn bits() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    for &case in CASES.iter().chain(&LISTS) {
        for (width, v) in [(5, 19), (90, 300)] {
            let d = Data::new(5, width, 7, v);
            let d = if width == 5 { d } else { d.rounded([Rounding::Bf16; 2]) };
            let o = options(case, Phase::Single);
            let want = run(&all[0], &d, o, 0.0).unwrap();
            for c in all.iter().chain([&threaded]) {
                for share in [0.0, 0.4, 0.8, 1.0] {
                    assert_eq!(run(c, &d, o, share).unwrap(), want, "{case:?} {share}");
                    cases.ran();
                }
            }
            // figures, the split form, coefficients
            let c = &threaded;
            let [n, w, _] = d.shape;
            let figures = d.problem(options(case, Phase::Figures)).unwrap();
            let (mut logps, mut entropy, mut stats) = (vec![0f32; n], vec![0f32; n], vec![0f32; n * logprob::STATS]);
            let out = Outputs {
                logps: Some(MatrixMut::vector(&mut logps)),
                entropy: Some(MatrixMut::vector(&mut entropy)),
                stats: Some(MatrixMut::contiguous(&mut stats, n, logprob::STATS).unwrap()),
                ..Outputs::default()
            };
            let need = linear_policy::workspace(c, &figures, Dtype::F32, Dtype::F32).minimum;
            with_scratch(need, |s| linear_policy::forward(c, &figures, &d.inputs(), out, Grads::default(), s)).unwrap();
            same("log-probs", &logps, &want.logps);
            same("entropies", &entropy, &want.entropy);
            let split = policy::Problem::new(n, d.segments(), o.policy).unwrap();
            let (mut loss, mut g, mut ge) = ([0f64], vec![0f32; n], vec![0f32; n]);
            let out = policy::Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                grad_logps: Some(MatrixMut::vector(&mut g)),
                grad_entropy: o.policy.bonus.map(|_| MatrixMut::vector(&mut ge)),
                ..policy::Outputs::default()
            };
            let i = d.inputs();
            let bonus = o.policy.bonus.map(|_| &entropy[..]);
            let given = i.loss(&logps, bonus, None, &d.mask, None, None);
            let need = truing_cpu::policy::workspace(c, &split).minimum;
            with_scratch(need, |s| truing_cpu::policy::forward(c, &split, &given, out, s)).unwrap();
            same("loss", &loss, &[want.loss]);
            same("coefficients", &g, &want.coefficients[0]);
            let second = d.problem(options(case, Phase::WithCoefficients)).unwrap();
            for saved in [false, true] {
                let mut i = d.inputs();
                i.policy.grad_scale = 1.0;
                i.logp_coefficients = Some(Matrix::vector(&g));
                i.entropy_coefficients = o.policy.bonus.map(|_| Matrix::vector(&ge));
                i.stats = saved.then(|| Matrix::contiguous(&stats, n, logprob::STATS).unwrap());
                let (mut gh, mut gw) = (vec![7f32; n * w], vec![7f32; v * w]);
                let grads = Grads {
                    hidden: Some(MatrixMut::contiguous(&mut gh, n, w).unwrap().into()),
                    weight: Some(MatrixMut::contiguous(&mut gw, v, w).unwrap().into()),
                    ..Grads::default()
                };
                let need = linear_policy::workspace(c, &second, Dtype::F32, Dtype::F32).minimum;
                with_scratch(need, |s| linear_policy::forward(c, &second, &i, Outputs::default(), grads, s)).unwrap();
                same("hidden in two phases", &gh, &want.hidden);
                same("weight in two phases", &gw, &want.weight);
                cases.ran();
            }
        }
    }
    cases.finish("linear_policy, bits", 140);
}

#[test]
fn refusals_and_memory() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let c = Context::default();
    let d = Data::new(9, 4, 3, 11);
    let mut refused = |got: Result<(), Error>, field: &str, status: Status| {
        let Err(e) = got else { panic!("{field} was not refused") };
        assert_eq!((e.field, e.status), (field, status), "{e}");
        cases.ran();
    };
    let case = CASES[1];
    let o = options(case, Phase::Single);
    let short = Segments::Padded { sequences: B, width: 3 };
    refused(Problem::new(d.shape, short, o).map(|_| ()), "logps", Status::ShapeMismatch);
    let mut given = |o: Options, change: &dyn Fn(&mut Inputs), field: &str, status: Status| {
        let p = Problem::new(d.shape, d.segments(), o).unwrap();
        let mut i = d.inputs();
        change(&mut i);
        let mut gw = vec![7f32; 33];
        let grads = Grads { weight: Some(MatrixMut::contiguous(&mut gw, 11, 3).unwrap().into()), ..Grads::default() };
        let need = linear_policy::workspace(&c, &p, Dtype::F32, Dtype::F32).minimum;
        refused(
            with_scratch(need, |s| linear_policy::forward(&c, &p, &i, Outputs::default(), grads, s)),
            field,
            status,
        );
        assert!(gw.iter().all(|&x| x == 7.0), "written by a refused call");
    };
    let g = [0f32; 16];
    use Status::*;
    given(o, &|i| i.rows.target = None, "rows.target", InvalidArgument);
    given(o, &|i| i.policy.reference = None, "inputs.ref", InvalidArgument);
    given(o, &|i| i.policy.old = Some(Floats::F32(Matrix::vector(&[0.0; 3]))), "inputs.old", ShapeMismatch);
    given(o, &|i| i.policy.grad_scale = f64::NAN, "grad_scale", InvalidArgument);
    given(o, &|i| i.rows.mask = None, "rows.target", OutOfRange);
    let second = options(case, Phase::WithCoefficients);
    given(second, &|_| {}, "logp_coefficients", InvalidArgument);
    let two = options(case, Phase::Figures);
    given(two, &|_| {}, "grads.grad_weight_out", InvalidArgument);
    let first = truing_cpu::linear_policy::workspace(
        &c,
        &Problem::new(d.shape, d.segments(), o).unwrap(),
        Dtype::F32,
        Dtype::F32,
    );
    let p = Problem::new(d.shape, d.segments(), o).unwrap();
    let mut i = d.inputs();
    i.entropy_coefficients = Some(Matrix::vector(&g));
    let call = |i: &Inputs, bytes: usize| {
        with_scratch(bytes, |s| linear_policy::forward(&c, &p, i, Outputs::default(), Grads::default(), s))
    };
    refused(call(&i, first.minimum), "entropy_coefficients", InvalidArgument);
    refused(call(&d.inputs(), first.minimum - 64), "workspace_size", WorkspaceTooSmall);
    // nothing is allocated
    let mut space = truing_cpu::Space::default();
    let space = space.bytes(first.preferred);
    let (mut loss, mut gw) = ([0f64], vec![0f32; 33]);
    let i = d.inputs();
    let before = Counting::allocations();
    let out = Outputs {
        policy: policy::Outputs { loss: Some(MatrixMut::vector(&mut loss).into()), ..policy::Outputs::default() },
        ..Outputs::default()
    };
    let grads = Grads { weight: Some(MatrixMut::contiguous(&mut gw, 11, 3).unwrap().into()), ..Grads::default() };
    linear_policy::forward(&c, &p, &i, out, grads, space).unwrap();
    assert_eq!(Counting::allocations() - before, 0, "allocations");
    assert!(loss[0].is_finite() && gw.iter().any(|&x| x != 0.0));
    cases.finish("linear_policy, refusals", 10);
}

/// A reference head: its log-probs as if they were given, and the exact divergence to its rows, against the whole chain in f64.
#[test]
fn two_heads() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    let log_softmax = |d: usize, added: &[f64], hidden: &[f64], weight: &[f64], i: usize| -> Vec<f64> {
        let v = weight.len() / d;
        let dot = |j: usize| (0..d).map(|k| hidden[i * d + k] * weight[j * d + k]).sum::<f64>();
        let z: Vec<f64> = (0..v).map(|j| (dot(j) + added[i * v + j]) / 0.9).collect();
        let top = z.iter().copied().fold(f64::MIN, f64::max);
        let lse = top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln();
        z.iter().map(|z| z - lse).collect()
    };
    let ways = [None, Some(Divergence::Forward), Some(Divergence::Reverse)];
    for (k, &divergence) in ways.iter().enumerate() {
        for bonus in [false, true] {
            let mut d = Data::new(70 + k as u64, 5, 6, 19);
            let [n, w, v] = d.shape;
            let mut r = Random(9);
            // near the policy's rows for the first six columns of a hidden state of seven
            let mut other = r.normals(n * 7, 0.4);
            for i in 0..n * 6 {
                other[i / 6 * 7 + i % 6] = d.hidden[i] + 0.2 * other[i / 6 * 7 + i % 6];
            }
            let mut head = r.normals(v * 7, 0.3);
            (0..v * 6).for_each(|i| head[i / 6 * 7 + i % 6] = d.weight[i]);
            d.other = Some((7, other, head));
            if bonus {
                d = d.rounded([[Rounding::Bf16, Rounding::F16], [Rounding::F16, Rounding::None]][k % 2]);
            }
            let mut o = options((Kind::Token, "ppo_clip", true, bonus, Mode::TokenMean), Phase::Single);
            o.reference = Some((7, o.logprob.transform));
            o.divergence = divergence;
            let kl = Estimator { coef: 0.2, ..Estimator::new(id(Kind::Estimator, "k3")) };
            let id = if divergence.is_some() { Estimator::GIVEN } else { kl.id };
            o.policy.kl = Some(Estimator { id, ..kl });
            let want = run(&all[0], &d, o, 0.0).unwrap();
            for c in all.iter().chain([&threaded]) {
                for share in [0.0, 0.4, 1.0] {
                    assert_eq!(run(c, &d, o, share).unwrap(), want, "{divergence:?} {share}");
                }
            }
            let (_, other, head) = d.other.clone().unwrap();
            let wide = |x: &[f32]| x.iter().map(|&x| x as f64).collect::<Vec<f64>>();
            let (other, head, h, e) = (wide(&other), wide(&head), wide(&d.hidden), wide(&d.weight));
            let live: Vec<usize> = (0..B).flat_map(|b| d.live(b)).collect();
            let total = |h: &[f64], e: &[f64]| {
                let mut loss = 0.0;
                for &i in &live {
                    let [own, of_ref] = [0, 1].map(|side| &d.rounding[side].1);
                    let (p, q) = (log_softmax(w, own, h, e, i), log_softmax(7, of_ref, &other, &head, i));
                    let y = d.target[i] as usize;
                    let (x, z, a) = (p[y] - d.old[i] as f64, q[y] - p[y], d.advantage[i / 5] as f64);
                    let sum = |f: &dyn Fn(usize) -> f64| (0..v).map(f).sum::<f64>();
                    let kl = match divergence {
                        None => z.exp_m1() - z,
                        Some(Divergence::Forward) => sum(&|j| q[j].exp() * (q[j] - p[j])),
                        Some(Divergence::Reverse) => sum(&|j| p[j].exp() * (p[j] - q[j])),
                    };
                    let entropy = -sum(&|j| p[j].exp() * p[j]);
                    loss += -(x.exp() * a).min(x.exp().clamp(0.8, 1.2) * a) + 0.2 * kl;
                    loss -= if bonus { 0.1 * entropy } else { 0.0 };
                }
                loss / live.len() as f64
            };
            let exact = total(&h, &e);
            assert!((want.loss - exact).abs() < 3e-6 * (1.0 + exact.abs()), "{divergence:?}: {} {exact}", want.loss);
            let slope = |at: &dyn Fn(f64) -> f64| (at(1e-5) - at(-1e-5)) / 2e-5 * 2.0;
            for i in 0..n * w {
                let exact = match d.mask[i / w] {
                    0 => 0.0,
                    _ => slope(&|by| {
                        let mut h = h.clone();
                        h[i] += by;
                        total(&h, &e)
                    }),
                };
                let got = want.hidden[i] as f64;
                assert!((got - exact).abs() < 2e-5 * (0.1 + exact.abs()), "{divergence:?} hidden {i}: {got} {exact}");
                cases.ran();
            }
            for i in 0..v * w {
                let exact = slope(&|by| {
                    let mut e = e.clone();
                    e[i] += by;
                    total(&h, &e)
                });
                let got = want.weight[i] as f64;
                assert!((got - exact).abs() < 2e-5 * (0.1 + exact.abs()), "{divergence:?} weight {i}: {got} {exact}");
                cases.ran();
            }
            if divergence.is_none() {
                // the log-probs of the reference as a tensor
                let other = d.other.take().unwrap();
                let (hidden, weight) = (other.1.clone(), other.2.clone());
                let rounding = [1, 0].map(|side: usize| d.rounding[side].clone());
                let alone = Data { shape: [n, 7, v], hidden, weight, rounding, ..d.clone() };
                d.reference = run(&all[0], &alone, Options { reference: None, ..o }, 1.0).unwrap().logps;
                assert_eq!(run(&all[0], &d, Options { reference: None, ..o }, 1.0).unwrap(), want);
                d.other = Some(other);
            }
            let refused = |o: Options, field: &str| assert_eq!(run(&all[0], &d, o, 1.0).unwrap_err().field, field);
            if divergence.is_some() {
                refused(Options { reference: None, ..o }, "ref_head");
                refused(Options { divergence: None, ..o }, "inputs.kl.divergence");
            } else {
                refused(Options { reference: None, ..o }, "ref_head.hidden");
                refused(Options { divergence: Some(Divergence::Reverse), ..o }, "inputs.kl.divergence");
            }
            refused(Options { reference: Some((6, o.logprob.transform)), ..o }, "ref_head.hidden");
            refused(Options { phase: Phase::Figures, divergence: None, ..o }, "ref_head");
            if divergence.is_some() {
                let filters = Filters::new(Preset::Hf, 3, 0.0, 0.0, None, None).unwrap();
                let support = Some((Support::Computed(filters), Outside::Keep));
                refused(Options { support, ..o }, "support.kind");
            }
            if divergence.is_some() {
                cases.0 += two_phases(&d, o, &want, all.iter().chain([&threaded]));
            }
        }
    }
    cases.finish("two heads", 6 * (20 * 6 + 19 * 6) + 16);
}

/// A column that is dead on one side only: the divergence is infinite, flagged, and has no gradient.
#[test]
fn infinite_divergence() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let mut d = Data::new(97, 5, 6, 19);
    let [n, w, v] = d.shape;
    let mut r = Random(12);
    let dead: Vec<f32> = (0..v).map(|j| if j == 18 { f32::NEG_INFINITY } else { 0.0 }).collect();
    d.target.iter_mut().for_each(|y| *y = (*y).min(17));
    let plain = options((Kind::Token, "ppo_clip", false, false, Mode::TokenMean), Phase::Single);
    let alone = d.clone();
    d.other = Some((7, r.normals(n * 7, 1.0), r.normals(v * 7, 0.5)));
    for divergence in [Divergence::Forward, Divergence::Reverse] {
        let bias = Some(Floats::F32(Matrix::vector(&dead)));
        let mut i = d.inputs();
        let mut own = alone.inputs();
        match divergence {
            Divergence::Reverse => i.ref_head.as_mut().unwrap().transform.bias = bias,
            Divergence::Forward => (i.transform.bias, own.transform.bias) = (bias, bias),
        }
        let mut o = Options { reference: Some((7, plain.logprob.transform)), divergence: Some(divergence), ..plain };
        o.policy.kl = Some(Estimator { coef: 0.2, ..Estimator::new(Estimator::GIVEN) });
        for c in &contexts() {
            let want = run_on(c, &alone, plain, 1.0, &own).unwrap();
            let got = run_on(c, &d, o, 1.0, &i).unwrap();
            assert_eq!(got.loss, f64::INFINITY);
            let near = |got: &[f32], want: &[f32]| {
                assert!(want.iter().any(|&x| x != 0.0));
                for (got, want) in got.iter().zip(want) {
                    let near = (got - want).abs() <= 1e-6 * (0.1 + want.abs());
                    assert!(near, "{divergence:?}: {got}, without the divergence {want}");
                }
            };
            near(&got.hidden, &want.hidden);
            near(&got.weight, &want.weight);
            let bits = |i: usize| if d.mask[i] == 0 { row::IGNORED } else { row::INFINITE };
            (0..n).for_each(|i| assert_eq!(got.status[i], bits(i)));
            // in two phases, saved or computed again
            let figures = Problem::new(d.shape, d.segments(), Options { phase: Phase::Figures, ..o }).unwrap();
            let (mut kl, mut stats, mut status) = (vec![7f32; n], vec![7f32; n * PAIR_STATS], vec![7u32; n]);
            let out = Outputs {
                pair_stats: Some(MatrixMut::contiguous(&mut stats, n, PAIR_STATS).unwrap()),
                policy: policy::Outputs {
                    kl: Some(MatrixMut::vector(&mut kl)),
                    token_status: Some(MatrixMut::vector(&mut status)),
                    ..policy::Outputs::default()
                },
                ..Outputs::default()
            };
            let need = linear_policy::workspace(c, &figures, Dtype::F32, Dtype::F32).minimum;
            with_scratch(need, |s| linear_policy::forward(c, &figures, &i, out, Grads::default(), s)).unwrap();
            let value = |i: usize| if d.mask[i] == 0 { 0.0 } else { f32::INFINITY };
            (0..n).for_each(|i| assert_eq!((kl[i], status[i]), (value(i), bits(i))));
            let second = Problem::new(d.shape, d.segments(), Options { phase: Phase::WithCoefficients, ..o }).unwrap();
            let need = linear_policy::workspace(c, &second, Dtype::F32, Dtype::F32).minimum;
            for saved in [false, true] {
                let (factors, mut gw) = (vec![0.3f32; n], vec![7f32; v * w]);
                let mut i = i;
                i.policy.grad_scale = 1.0;
                i.logp_coefficients = Some(Matrix::vector(&got.coefficients[0]));
                i.kl_coefficients = Some(Matrix::vector(&factors));
                i.pair_stats = saved.then(|| Matrix::contiguous(&stats, n, PAIR_STATS).unwrap());
                let grads =
                    Grads { weight: Some(MatrixMut::contiguous(&mut gw, v, w).unwrap().into()), ..Grads::default() };
                with_scratch(need, |s| linear_policy::forward(c, &second, &i, Outputs::default(), grads, s)).unwrap();
                same("weight in two phases", &gw, &got.weight);
                cases.ran();
            }
        }
    }
    cases.finish("linear_policy, infinite divergences", 8);
}

/// What the single phase gives with a divergence, in two: figures, the split form on them, gradients; how many were compared.
fn two_phases<'a>(d: &Data, o: Options<'_>, want: &Got, contexts: impl Iterator<Item = &'a Context>) -> usize {
    let ([n, w, v], mut ran) = (d.shape, 0);
    for c in contexts {
        let figures = d.problem(Options { phase: Phase::Figures, ..o }).unwrap();
        let (mut logps, mut entropy, mut kl) = (vec![7f32; n], vec![7f32; n], vec![7f32; n]);
        let (mut stats, mut status) = (vec![7f32; n * PAIR_STATS], vec![7u32; n]);
        let out = Outputs {
            logps: Some(MatrixMut::vector(&mut logps)),
            entropy: Some(MatrixMut::vector(&mut entropy)),
            pair_stats: Some(MatrixMut::contiguous(&mut stats, n, PAIR_STATS).unwrap()),
            policy: policy::Outputs {
                kl: Some(MatrixMut::vector(&mut kl)),
                token_status: Some(MatrixMut::vector(&mut status)),
                ..policy::Outputs::default()
            },
            ..Outputs::default()
        };
        let need = linear_policy::workspace(c, &figures, Dtype::F32, Dtype::F32).minimum;
        with_scratch(need, |s| linear_policy::forward(c, &figures, &d.inputs(), out, Grads::default(), s)).unwrap();
        same("log-probs", &logps, &want.logps);
        same("status", &status, &want.status);
        let split = policy::Problem::new(n, d.segments(), o.policy).unwrap();
        let (mut loss, mut g, mut ge, mut gk) = ([0f64], vec![0f32; n], vec![0f32; n], vec![0f32; n]);
        let bonus = o.policy.bonus.is_some();
        let out = policy::Outputs {
            loss: Some(MatrixMut::vector(&mut loss).into()),
            grad_logps: Some(MatrixMut::vector(&mut g)),
            grad_entropy: bonus.then(|| MatrixMut::vector(&mut ge)),
            grad_kl: Some(MatrixMut::vector(&mut gk)),
            ..policy::Outputs::default()
        };
        let i = d.inputs();
        let given = i.loss(&logps, bonus.then_some(&entropy), None, &d.mask, None, Some(&kl));
        let need = truing_cpu::policy::workspace(c, &split).minimum;
        with_scratch(need, |s| truing_cpu::policy::forward(c, &split, &given, out, s)).unwrap();
        same("loss", &loss, &[want.loss]);
        let second = d.problem(Options { phase: Phase::WithCoefficients, ..o }).unwrap();
        for saved in [false, true] {
            let mut i = d.inputs();
            i.policy.grad_scale = 1.0;
            i.logp_coefficients = Some(Matrix::vector(&g));
            i.entropy_coefficients = bonus.then(|| Matrix::vector(&ge));
            i.kl_coefficients = Some(Matrix::vector(&gk));
            i.pair_stats = saved.then(|| Matrix::contiguous(&stats, n, PAIR_STATS).unwrap());
            let need = linear_policy::workspace(c, &second, Dtype::F32, Dtype::F32);
            for bytes in [need.minimum, need.preferred] {
                let (mut gh, mut gw) = (vec![7f32; n * w], vec![7f32; v * w]);
                let grads = Grads {
                    hidden: Some(MatrixMut::contiguous(&mut gh, n, w).unwrap().into()),
                    weight: Some(MatrixMut::contiguous(&mut gw, v, w).unwrap().into()),
                    ..Grads::default()
                };
                with_scratch(bytes, |s| linear_policy::forward(c, &second, &i, Outputs::default(), grads, s)).unwrap();
                same("hidden in two phases", &gh, &want.hidden);
                same("weight in two phases", &gw, &want.weight);
                ran += 1;
            }
            let mut bad = i;
            bad.kl_coefficients = None;
            assert_eq!(bad.check(&second).unwrap_err().field, "kl_coefficients");
            let mut bad = i;
            bad.stats = Some(Matrix::contiguous(&stats, n, logprob::STATS).unwrap());
            assert_eq!(bad.check(&second).unwrap_err().field, "stats");
        }
    }
    ran
}

/// The parts of a call one by one: log-probs and entropies, the loss on them, the products' backward.
fn composed(c: &Context, d: &Data, o: Options<'_>, i: &Inputs<'_>) -> Got {
    let [n, w, v] = d.shape;
    let p = linear::Inputs {
        over: o.support.map(|(support, outside)| Over { support, outside }),
        ..linear::Inputs::new(i.hidden, i.weight, i.transform, Rows { ..i.rows })
    };
    let problem = truing_core::linear_logprob::Problem::new(n, w, v, o.logprob).unwrap();
    let (mut logps, mut entropy, mut topk) = (vec![0f32; n], vec![0f32; n], vec![0f32; n]);
    let mut status = vec![0u32; n];
    let figures = Figures {
        logprob: Some(MatrixMut::vector(&mut logps)),
        entropy: Some(MatrixMut::vector(&mut entropy)),
        topk_entropy: Some(MatrixMut::vector(&mut topk)),
        status: Some(MatrixMut::vector(&mut status)),
        ..Figures::default()
    };
    let asked = Asked::forward(&problem, p.over.as_ref(), None, &figures, &Default::default(), false);
    let need = linear::forward_need(c, &problem, Dtype::F32, Dtype::F32, &asked).minimum;
    with_scratch(need, |s| linear::forward(c, &problem, p, figures, s)).unwrap();
    let split = policy::Problem::new(n, d.segments(), o.policy).unwrap();
    let (mut loss, mut g, mut ge, mut own) = ([0f64], vec![0f32; n], vec![0f32; n], vec![0u32; n]);
    let (bonus, mut statistics) = (o.policy.bonus.is_some(), [0.0; 32]);
    let out = policy::Outputs {
        loss: Some(MatrixMut::vector(&mut loss).into()),
        grad_logps: Some(MatrixMut::vector(&mut g)),
        grad_entropy: bonus.then(|| MatrixMut::vector(&mut ge)),
        token_status: Some(MatrixMut::vector(&mut own)),
        statistics: Some(&mut statistics),
        ..policy::Outputs::default()
    };
    let reads = split.reads(truing_core::catalog::slot::ENTROPY);
    let given = i.loss(&logps, bonus.then_some(&entropy), reads.then_some(&topk), &d.mask, None, None);
    let need = truing_cpu::policy::workspace(c, &split).minimum;
    with_scratch(need, |s| truing_cpu::policy::forward(c, &split, &given, out, s)).unwrap();
    let upstream = Upstream {
        logprob: Some(Matrix::vector(&g)),
        entropy: bonus.then(|| Matrix::vector(&ge)),
        ..Upstream::default()
    };
    let (mut hidden, mut weight) = (vec![7f32; n * w], vec![7f32; v * w]);
    let grads = Grads {
        hidden: Some(MatrixMut::contiguous(&mut hidden, n, w).unwrap().into()),
        weight: Some(MatrixMut::contiguous(&mut weight, v, w).unwrap().into()),
        ..Grads::default()
    };
    let asked = Asked::backward(&problem, p.over.as_ref(), &upstream, false);
    let need = linear::backward_need(c, &problem, Dtype::F32, Dtype::F32, &asked).minimum;
    with_scratch(need, |s| linear::backward(c, &problem, p, None, upstream, grads, None, s)).unwrap();
    status.iter_mut().zip(&own).for_each(|(a, b)| *a |= b);
    let coefficients = [g, if bonus { ge } else { vec![7.0; n] }];
    Got { loss: loss[0], logps, entropy, coefficients, hidden, weight, status, statistics }
}
fn assert_same(what: &str, a: &Got, b: &Got) {
    same(what, &[a.loss], &[b.loss]);
    same(what, &a.logps, &b.logps);
    same(what, &a.entropy, &b.entropy);
    same(what, &a.coefficients[0], &b.coefficients[0]);
    same(what, &a.coefficients[1], &b.coefficients[1]);
    same(what, &a.hidden, &b.hidden);
    same(what, &a.weight, &b.weight);
    same(what, &a.status, &b.status);
}

/// Sampling supports of every kind: the bits of the parts composed, for every context and workspace.
#[test]
fn supports() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    for &case in &CASES {
        for (width, v) in [(5, 19), (50, 300)] {
            let mut d = Data::new(15, width, 7, v);
            let (n, words, mut r) = (B * width, v.div_ceil(32), Random(3));
            let mask: Vec<u32> = (0..n * words).map(|_| (r.below(1 << 16) << 16 | r.below(1 << 16)) as u32).collect();
            let (mut ids, mut offsets) = (vec![], vec![0i64]);
            for _ in 0..n {
                ids.extend((0..v as i32).filter(|_| r.below(3) == 0));
                offsets.push(ids.len() as i64);
            }
            let filters = Filters::new(Preset::Vllm, 9, 0.8, 0.0, None, None).unwrap();
            let supports = [
                Support::Bitmask(Matrix::contiguous(&mask, n, words).unwrap()),
                Support::Lists(Lists::Packed(Matrix::vector(&ids).into(), Matrix::vector(&offsets).into())),
                Support::Computed(filters),
            ];
            for support in supports {
                for outside in [Outside::Keep, Outside::NegInf] {
                    let o = Options { support: Some((support, outside)), ..options(case, Phase::Single) };
                    if outside == Outside::NegInf && (case.2 || case.1 != "ppo_clip") {
                        continue; // the loss of a target of probability 0 is not finite
                    }
                    // ratios near 1, so that not every token is clipped
                    let near = composed(&all[0], &d, o, &d.inputs()).logps;
                    for (old, l) in d.old.iter_mut().zip(near) {
                        *old = if l.is_finite() { l + 0.1 * r.normal() as f32 } else { -2.0 };
                    }
                    let want = composed(&all[0], &d, o, &d.inputs());
                    assert!(want.loss.is_finite(), "{case:?} {outside:?}: {}", want.loss);
                    assert!(want.hidden.iter().any(|&g| g != 0.0), "{case:?} {outside:?}: flat");
                    assert!(want.status.iter().any(|s| s & row::TARGET_OUTSIDE != 0));
                    for c in all.iter().chain([&threaded]) {
                        for share in [0.0, 0.5, 1.0] {
                            let got = run(c, &d, o, share).unwrap();
                            assert_same(&format!("{case:?} {outside:?} {share}"), &got, &want);
                            cases.ran();
                        }
                    }
                }
            }
        }
    }
    // in two phases, with and without the saved statistics
    let (d, c) = (Data::new(17, 5, 7, 40), &threaded);
    let [n, w, v] = d.shape;
    let mask: Vec<u32> = (0..2 * n as u32).map(|i| 0x9249_2493u32.rotate_left(i)).collect();
    for support in [
        Support::Bitmask(Matrix::contiguous(&mask, n, 2).unwrap()),
        Support::Computed(Filters::new(Preset::Vllm, 9, 0.8, 0.0, None, None).unwrap()),
    ] {
        let of = |phase| Options { support: Some((support, Outside::Keep)), ..options(CASES[2], phase) };
        let want = run(c, &d, of(Phase::Single), 1.0).unwrap();
        let p = |phase| Problem::new(d.shape, d.segments(), of(phase)).unwrap();
        let (figures, second) = (p(Phase::Figures), p(Phase::WithCoefficients));
        let mut stats = vec![7f32; n * logprob::STATS];
        let place = Some(MatrixMut::contiguous(&mut stats, n, logprob::STATS).unwrap());
        let out = Outputs { stats: place, ..Outputs::default() };
        let need = linear_policy::workspace(c, &figures, Dtype::F32, Dtype::F32).minimum;
        with_scratch(need, |s| linear_policy::forward(c, &figures, &d.inputs(), out, Grads::default(), s)).unwrap();
        for saved in [false, true] {
            let mut i = d.inputs();
            i.policy.grad_scale = 1.0;
            i.logp_coefficients = Some(Matrix::vector(&want.coefficients[0]));
            i.stats = saved.then(|| Matrix::contiguous(&stats, n, logprob::STATS).unwrap());
            let (mut gh, mut gw) = (vec![7f32; n * w], vec![7f32; v * w]);
            let grads = Grads {
                hidden: Some(MatrixMut::contiguous(&mut gh, n, w).unwrap().into()),
                weight: Some(MatrixMut::contiguous(&mut gw, v, w).unwrap().into()),
                ..Grads::default()
            };
            let need = linear_policy::workspace(c, &second, Dtype::F32, Dtype::F32).minimum;
            with_scratch(need, |s| linear_policy::forward(c, &second, &i, Outputs::default(), grads, s)).unwrap();
            same("hidden over a support in two phases", &gh, &want.hidden);
            same("weight over a support in two phases", &gw, &want.weight);
            cases.ran();
        }
    }
    // a reference head has the same columns
    let offsets: Vec<i64> = (0..=n as i64).map(|i| 13 * i).collect();
    let ids: Vec<i32> = (0..n as i32).flat_map(|i| (0..13).map(move |k| 3 * k + i % 2)).collect();
    let mut r = Random(8);
    let (hidden, head) = (r.normals(n * 4, 1.0), r.normals(v * 4, 0.7));
    // what filters keep of the policy's logits
    let filters = Filters::new(Preset::Vllm, 9, 0.8, 0.0, None, None).unwrap();
    let mut chosen = vec![0u32; n * 2];
    {
        let (own, options) = (d.inputs(), options(CASES[1], Phase::Single));
        let mut z = vec![0f32; n * v];
        gemm::rows_by_rows(Isa::Scalar, &own.hidden, &own.weight, &mut z);
        let problem = logprob::Problem::new(n, v, options.logprob).unwrap();
        let logits = Matrix::contiguous(&z, n, v).unwrap().into();
        let inputs = truing_cpu::logprob::Inputs::new(logits, own.transform, own.rows);
        let bitmask = Some(MatrixMut::contiguous(&mut chosen, n, 2).unwrap());
        let out = SupportFigures { bitmask, ..SupportFigures::default() };
        with_scratch(support::support_mask_workspace(c, &problem).minimum, |w| {
            support::support_mask(c, &problem, inputs, &filters, out, None, w).unwrap();
        });
    }
    assert!(chosen.iter().any(|&w| w != 0 && w.count_ones() < 9));
    for support in [
        Support::Bitmask(Matrix::contiguous(&mask, n, 2).unwrap()),
        Support::Lists(Lists::Packed(Matrix::vector(&ids).into(), Matrix::vector(&offsets).into())),
        Support::Computed(filters),
    ] {
        let of_both = match support {
            Support::Computed(_) => Support::Bitmask(Matrix::contiguous(&chosen, n, 2).unwrap()),
            given => given,
        };
        let o = Options { support: Some((support, Outside::Keep)), ..options(CASES[1], Phase::Single) };
        let [hidden_view, head_view] = [(&hidden, n), (&head, v)].map(|(x, n)| Matrix::contiguous(x, n, 4).unwrap());
        let mut i = d.inputs();
        let p = linear::Inputs {
            over: Some(Over { support: of_both, outside: Outside::Keep }),
            ..linear::Inputs::new(hidden_view.into(), head_view.into(), i.transform, Rows { ..i.rows })
        };
        let problem = truing_core::linear_logprob::Problem::new(n, 4, v, o.logprob).unwrap();
        let mut logps = vec![0f32; n];
        let figures = Figures { logprob: Some(MatrixMut::vector(&mut logps)), ..Figures::default() };
        let asked = Asked::forward(&problem, p.over.as_ref(), None, &figures, &Default::default(), false);
        let need = linear::forward_need(c, &problem, Dtype::F32, Dtype::F32, &asked).minimum;
        with_scratch(need, |s| linear::forward(c, &problem, p, figures, s)).unwrap();
        i.policy.reference = Some(Floats::F32(Matrix::vector(&logps)));
        let want = composed(c, &d, o, &i);
        assert!(want.hidden.iter().any(|&g| g != 0.0) && want.loss.is_finite());
        let mut both = Data::new(17, 5, 7, 40);
        both.other = Some((4, hidden.clone(), head.clone()));
        let o = Options { reference: Some((4, o.logprob.transform)), ..o };
        for c in all.iter().chain([&threaded]) {
            for share in [0.0, 1.0] {
                assert_same("a support beside a reference head", &run(c, &both, o, share).unwrap(), &want);
                cases.ran();
            }
        }
        let e = run(c, &both, Options { divergence: Some(Divergence::Forward), ..o }, 1.0).unwrap_err();
        assert!(matches!(e.field, "support.kind" | "inputs.kl.divergence"), "{e}");
    }
    let d = Data::new(16, 4, 3, 11);
    let support = Some((Support::Bitmask(Matrix::contiguous(&[1u32; 8], 8, 1).unwrap()), Outside::Keep));
    let e = run(&all[0], &d, Options { support, ..options(CASES[0], Phase::Single) }, 1.0).unwrap_err();
    assert_eq!((e.field, e.status), ("support.bitmask", Status::ShapeMismatch));
    cases.finish("linear_policy, supports", 262 + 6);
}

/// Entries that read the entropy of the 20 most probable tokens, beside a bonus on that of all and with token weights: the
/// bits of the parts composed, the f64 chain and its differences, in which that entropy is a constant.
#[test]
fn entropy_entries() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    for name in ["eaft", "eaft_raw"] {
        for (bonus, further) in [(false, false), (true, false), (true, true)] {
            let d = Data::new(25, 5, 6, 40);
            let [n, w, v] = d.shape;
            let weights: Vec<f32> = (0..n).map(|i| 0.25 * (i % 5) as f32).collect();
            let alpha = [0.75];
            let mut o = options((Kind::Token, "reinforce", false, bonus, Mode::TokenMean), Phase::Single);
            let eaft = policy::Term {
                loss: id(Kind::Token, name),
                variant: 0,
                params: &alpha,
                weight: 1.0,
                aggregate: Aggregate::new(Mode::TokenMean),
                level: Level::Token,
            };
            let terms = [policy::Term { weight: 0.5, ..eaft }];
            if further {
                o.policy.terms = &terms;
            } else {
                (o.policy.loss, o.policy.params) = (eaft.loss, eaft.params);
            }
            let of_term = [policy::TermInputs::default()];
            let mut i = d.inputs();
            i.policy.token_weights = Some(Floats::F32(Matrix::vector(&weights)));
            i.policy.terms = if further { &of_term } else { &[] };
            let want = composed(&all[0], &d, o, &i);
            for c in all.iter().chain([&threaded]) {
                for share in [0.0, 0.5, 1.0] {
                    let got = run_on(c, &d, o, share, &i).unwrap();
                    assert_same(&format!("{name} {bonus} {further} {share}"), &got, &want);
                    cases.ran();
                }
            }
            let wide = |x: &[f32]| x.iter().map(|&x| x as f64).collect::<Vec<f64>>();
            let (h, e) = (wide(&d.hidden), wide(&d.weight));
            let live: Vec<usize> = (0..B).flat_map(|b| d.live(b)).collect();
            let logits = |h: &[f64], e: &[f64], i: usize| -> Vec<f64> {
                (0..v).map(|j| (0..w).map(|k| h[i * w + k] * e[j * w + k]).sum::<f64>() / 0.9).collect()
            };
            let scale: Vec<f64> = (0..n)
                .map(|i| {
                    let mut z = logits(&h, &e, i);
                    z.sort_by(|a, b| b.total_cmp(a));
                    let top = &z[..20];
                    let lse = top[0] + top.iter().map(|z| (z - top[0]).exp()).sum::<f64>().ln();
                    let entropy: f64 = top.iter().map(|z| (z - lse).exp() * (lse - z)).sum();
                    (if name == "eaft" { entropy / 3.0 } else { entropy }).powf(0.75)
                })
                .collect();
            let total = |h: &[f64], e: &[f64]| {
                let mut loss = 0.0;
                for &i in &live {
                    let (l, entropy) = d.row(h, e, i);
                    let a = d.advantage[i / 5] as f64;
                    loss += match further {
                        true => -a * l * weights[i] as f64 - 0.5 * scale[i] * l,
                        false => -scale[i] * l * weights[i] as f64,
                    };
                    loss -= if bonus { 0.1 * entropy } else { 0.0 };
                }
                loss / live.len() as f64
            };
            let exact = total(&h, &e);
            assert!((want.loss - exact).abs() < 3e-6 * (1.0 + exact.abs()), "{name}: {} {exact}", want.loss);
            let slope = |at: &dyn Fn(f64) -> f64| (at(1e-5) - at(-1e-5)) / 2e-5 * 2.0;
            for i in (0..n * w).filter(|i| d.mask[i / w] != 0) {
                let exact = slope(&|by| {
                    let mut h = h.clone();
                    h[i] += by;
                    total(&h, &e)
                });
                let got = want.hidden[i] as f64;
                assert!((got - exact).abs() < 2e-5 * (0.1 + exact.abs()), "{name} hidden {i}: {got} {exact}");
                cases.ran();
            }
        }
    }
    cases.finish("linear_policy, entries that read an entropy", 300);
}

/// Weighted log-likelihoods, to learn and to forget: the f64 chain and its differences with the weights held, as the methods
/// hold them.
#[test]
fn weighted_likelihoods() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let (c, threaded) = (context(Isa::detect(), 0), context(Isa::detect(), 3));
    let soft = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
    for (name, params) in [
        ("nll", vec![]),
        ("dft", vec![]),
        ("chord_phi", vec![]),
        ("gradient_ascent", vec![]),
        ("wga", vec![0.7]),
        ("satimp", vec![1.5, 0.5]),
        ("token_constrained", vec![]),
        ("positive_nll", vec![]),
        ("nash_md", vec![0.3]),
    ] {
        for weighted in [false, true] {
            let mut d = Data::new(90, 5, 6, 19);
            d.advantage.iter_mut().for_each(|a| *a = 0.2 + a.abs());
            let [n, w, v] = d.shape;
            let weights: Vec<f32> = (0..n).map(|i| 0.25 * (i % 5) as f32).collect();
            let flags: Vec<u8> = (0..n).map(|i| (i % 3 > 0) as u8).collect();
            let mut o = options((Kind::Token, name, false, false, Mode::TokenMean), Phase::Single);
            o.policy.params = &params;
            let mut i = d.inputs();
            i.policy.old = None;
            i.policy.token_weights = weighted.then(|| Floats::F32(Matrix::vector(&weights)));
            i.policy.flag = (name == "positive_nll").then(|| policy::Each::Token(Matrix::vector(&flags)));
            let got = run_on(&c, &d, o, 1.0, &i).unwrap();
            assert_same(name, &run_on(&threaded, &d, o, 0.0, &i).unwrap(), &got);
            let wide = |x: &[f32]| x.iter().map(|&x| x as f64).collect::<Vec<f64>>();
            let (h, e) = (wide(&d.hidden), wide(&d.weight));
            let live: Vec<usize> = (0..B).flat_map(|b| d.live(b)).collect();
            let held: Vec<f64> = (0..n).map(|i| if d.mask[i] != 0 { d.row(&h, &e, i).0 } else { 0.0 }).collect();
            let total = |h: &[f64], e: &[f64]| {
                let mut loss = 0.0;
                for &i in &live {
                    let (l, l0) = (d.row(h, e, i).0, held[i]);
                    let (p, a, r) = (l0.exp(), d.advantage[i / 5] as f64, d.reference[i] as f64);
                    loss += (if weighted { weights[i] as f64 } else { 1.0 })
                        * match name {
                            "nll" => -l,
                            "dft" => -p * l,
                            "chord_phi" => -p * (1.0 - p) * l,
                            "gradient_ascent" => l,
                            "wga" => p.powf(0.7) * l,
                            "satimp" => p.powf(1.5) * (1.0 - p).powf(0.5) * l,
                            "token_constrained" => 2.0 / a * soft(-a * (l - r)),
                            "positive_nll" => -(flags[i] as f64) * l,
                            _ => (0.3 * (l0 - r) - a) * l,
                        };
                }
                loss / live.len() as f64
            };
            let exact = total(&h, &e);
            assert!((got.loss - exact).abs() < 3e-6 * (1.0 + exact.abs()), "{name}: {} {exact}", got.loss);
            let slope = |at: &dyn Fn(f64) -> f64| (at(1e-5) - at(-1e-5)) / 2e-5 * 2.0;
            let moved = |x: &[f64], k: usize, by: f64| {
                let mut x = x.to_vec();
                x[k] += by;
                x
            };
            for k in (0..n * w).filter(|k| d.mask[k / w] != 0) {
                let (got, exact) = (got.hidden[k] as f64, slope(&|by| total(&moved(&h, k, by), &e)));
                assert!((got - exact).abs() < 2e-5 * (0.1 + exact.abs()), "{name} hidden {k}: {got} {exact}");
                cases.ran();
            }
            for k in 0..v * w {
                let (got, exact) = (got.weight[k] as f64, slope(&|by| total(&h, &moved(&e, k, by))));
                assert!((got - exact).abs() < 2e-5 * (0.1 + exact.abs()), "{name} weight {k}: {got} {exact}");
                cases.ran();
            }
        }
    }
    cases.finish("linear_policy, weighted likelihoods", 2808);
}
