//! The composite from hidden states to loss and gradients against a plain f64 computation of the whole chain and its
//! differences in hidden states and head; bits over threads, instruction sets, workspaces, layouts and phases; masks;
//! hostile inputs; memory by a counting allocator.
use std::sync::Mutex;
use truing_core::catalog::Kind;
use truing_core::dtype::bf16;
use truing_core::error::row;
use truing_core::linear_logprob::Rounding;
use truing_core::linear_preference::{Inputs, Options, Outputs, Phase, Problem, Wpo};
use truing_core::logprob::{self, Rows, STATS, Transform, TransformInputs};
use truing_core::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut};
use truing_core::preference::{self, Groups, Items, Labels, Reduction, Term};
use truing_core::sequence::{self, Divisor, Score, Segments};
use truing_core::{Dtype, Error, Status};
use truing_cpu::linear_logprob::Grads;
use truing_cpu::{Context, Isa, linear_preference};
use truing_tests::{Cases, Counting, Random, context, contexts, id, on_grid, same, with_scratch};

#[global_allocator]
static ALLOCATOR: Counting = Counting;
/// Tests of this file run one at a time, so that the counts are those of the call that is measured.
static ALONE: Mutex<()> = Mutex::new(());

/// Everything a call can be given, in its plainest form.
#[derive(Clone)]
struct Data {
    shape: [usize; 3],
    width: usize,
    hidden: Vec<f32>,
    weight: Vec<f32>,
    bias: Option<Vec<f32>>,
    target: Vec<i32>,
    mask: Vec<u8>,
    token_weights: Option<Vec<f32>>,
    prefix: Option<Vec<i32>>,
    ref_scores: Option<Vec<f64>>,
    ref_logps: Option<Vec<f32>>,
    label: Vec<u8>,
    kind: Kind,
    name: &'static str,
    params: Vec<f64>,
    extra: Option<(&'static str, f64)>,
    score: sequence::Options,
    transform: Transform,
    item_mask: Option<Vec<u8>>,
    item_weight: Option<Vec<f64>>,
    /// What logits are rounded to, and what that adds to each.
    rounding: (Rounding, Vec<f64>),
}
const OFFSETS: [i32; 3] = [0, 1, 4];
const IGNORE: i32 = -100;
impl Data {
    fn new(seed: u64, kind: Kind, name: &'static str, params: &[f64]) -> Data {
        let mut r = Random(seed);
        let (sequences, width, d, v) = (4usize, 6usize, 5usize, 23usize);
        let n = sequences * width;
        let mut x = Data {
            shape: [n, d, v],
            width,
            hidden: r.normals(n * d, 1.0),
            weight: (0..v * d).map(|_| 0.7 * r.normal() as f32).collect(),
            bias: None,
            target: (0..n).map(|_| r.below(v) as i32).collect(),
            mask: (0..n).map(|i| (r.below(4) > 0 || i % width == 0) as u8).collect(),
            token_weights: None,
            prefix: None,
            ref_scores: Some((0..sequences).map(|_| -12.0 + r.normal()).collect()),
            ref_logps: None,
            label: vec![1, 0, 0, 1],
            kind,
            name,
            params: params.to_vec(),
            extra: None,
            score: sequence::Options::default(),
            transform: Transform::default(),
            item_mask: None,
            item_weight: None,
            rounding: (Rounding::None, vec![0.0; n * v]),
        };
        // one row is ignored by its target
        x.target[2] = IGNORE;
        x
    }
    fn rounded(mut self, rounding: Rounding) -> Data {
        let added = on_grid(&mut self.hidden, &mut self.weight, self.shape[1], rounding);
        assert!(added.iter().any(|&x| x != 0.0));
        self.rounding = (rounding, added);
        self
    }
    fn sequences(&self) -> usize {
        self.shape[0] / self.width
    }
    fn live(&self, i: usize) -> bool {
        self.mask[i] != 0 && self.target[i] != IGNORE
    }
    fn logp(&self, hidden: &[f64], weight: &[f64], bias: &[f64], i: usize) -> f64 {
        let [_, d, v] = self.shape;
        let t = self.transform;
        let logit = |j: usize| {
            let dot: f64 = (0..d).map(|k| hidden[i * d + k] * weight[j * d + k]).sum();
            let x = t.logit_scale * (dot + self.rounding.1[i * v + j] + bias[j]);
            (if t.softcap > 0.0 { t.softcap * (x / t.softcap).tanh() } else { x }) / t.temperature
        };
        let all: Vec<f64> = (0..v).map(logit).collect();
        all[self.target[i] as usize] - all.iter().map(|x| x.exp()).sum::<f64>().ln()
    }
    fn scores(&self, hidden: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        (0..self.sequences())
            .map(|s| {
                let live: Vec<usize> = (s * self.width..(s + 1) * self.width).filter(|&i| self.live(i)).collect();
                let w = |i: usize| self.token_weights.as_ref().map_or(1.0, |w| w[i] as f64);
                let mut total = 0.0;
                for (k, &i) in live.iter().enumerate() {
                    let mut x =
                        self.logp(hidden, weight, bias, i) - self.ref_logps.as_ref().map_or(0.0, |r| r[i] as f64);
                    if let Some((low, high)) = self.score.clamp {
                        x = x.clamp(low, high);
                    }
                    total += match self.score.score {
                        Score::Ld { alpha, .. } if k >= self.prefix.as_ref().unwrap()[s] as usize => alpha * x,
                        _ => w(i) * x,
                    };
                }
                match self.score.score {
                    Score::Mean(Divisor::Tokens) => total / live.len() as f64,
                    Score::Mean(Divisor::Weights) => total / live.iter().map(|&i| w(i)).sum::<f64>(),
                    Score::Mean(Divisor::External(z)) => total / z,
                    _ => total,
                }
            })
            .collect()
    }
    fn item(&self, name: &str, params: &[f64], scores: &[f64], i: usize) -> f64 {
        let s = self.sequences();
        let count = |q: usize| (q * self.width..(q + 1) * self.width).filter(|&i| self.live(i)).count() as f64;
        let a =
            |q: usize| scores[q] - if name == "simpo" { 0.0 } else { self.ref_scores.as_ref().map_or(0.0, |r| r[q]) };
        let get = |k: usize, default: f64| params.get(k).copied().unwrap_or(default);
        let soft = |x: f64| x.exp().ln_1p();
        match name {
            "dpo" => {
                let u = get(0, 0.1) * (a(i) - a(i + s / 2));
                (1.0 - get(1, 0.0)) * soft(-u) + get(1, 0.0) * soft(u)
            }
            "ipo" => (a(i) / count(i) - a(i + s / 2) / count(i + s / 2) - 0.5 / get(0, 0.1)).powi(2),
            "simpo" => {
                let mean = |q: usize| if matches!(self.score.score, Score::Mean(_)) { a(q) } else { a(q) / count(q) };
                soft(-(get(0, 2.0) * (mean(i) - mean(i + s / 2)) - get(1, 0.5)))
            }
            "kto" => {
                let x = get(0, 0.1) * (a(i) - 0.25);
                1.0 / (1.0 + (if self.label[i] > 0 { x } else { -x }).exp())
            }
            _ => {
                let r: Vec<f64> = (OFFSETS[i] as usize..OFFSETS[i + 1] as usize).map(|q| get(0, 0.1) * a(q)).collect();
                (0..r.len()).map(|k| r[k..].iter().map(|x| x.exp()).sum::<f64>().ln() - r[k]).sum()
            }
        }
    }
    fn items(&self) -> usize {
        if self.kind == Kind::Unpaired { 4 } else { 2 }
    }
    fn loss(&self, hidden: &[f64], weight: &[f64], bias: &[f64]) -> f64 {
        let scores = self.scores(hidden, weight, bias);
        let on = |i: &usize| self.item_mask.as_ref().is_none_or(|m| m[*i] != 0);
        let live: Vec<usize> = (0..self.items()).filter(on).collect();
        let w = |i: usize| self.item_weight.as_ref().map_or(1.0, |w| w[i]);
        let mean = |name: &str, params: &[f64]| {
            live.iter().map(|&i| w(i) * self.item(name, params, &scores, i)).sum::<f64>() / live.len() as f64
        };
        mean(self.name, &self.params) + self.extra.map_or(0.0, |(name, weight)| weight * mean(name, &[]))
    }
    fn options(&self, phase: Phase) -> Options {
        let logprob =
            logprob::Options { transform: self.transform, ignore_index: Some(IGNORE as i64), ..Default::default() };
        Options { logprob, score: self.score, phase, ..Options::default() }
    }
    fn terms(&self) -> Vec<Term<'_>> {
        let mut all = vec![Term { id: id(self.kind, self.name), params: &self.params, ..Term::default() }];
        if let Some((name, weight)) = self.extra {
            all.push(Term { id: id(self.kind, name), weight, ..Term::default() });
        }
        all
    }
    /// Calls `f` with the problem and inputs of the library.
    fn call<T>(&self, phase: Phase, segments: Segments, f: impl FnOnce(&Problem, &Inputs) -> T) -> T {
        let [n, d, v] = self.shape;
        let terms = self.terms();
        let items = match self.kind {
            Kind::Pair => Items::Stacked,
            Kind::Unpaired => Items::Rows,
            _ => Items::Lists { offsets: Ints::I32(Matrix::vector(&OFFSETS)), members: None },
        };
        let p = Problem::new(self.shape, segments, items, &terms, self.options(phase)).unwrap();
        let p = p.rounded(self.rounding.0, Rounding::None);
        let hidden = Floats::F32(Matrix::contiguous(&self.hidden, n, d).unwrap());
        let weight = Floats::F32(Matrix::contiguous(&self.weight, v, d).unwrap());
        let mut i = Inputs::new(hidden, weight, Ints::I32(Matrix::vector(&self.target)));
        i.rows.mask = Some(Mask::U8(Matrix::vector(&self.mask)));
        i.transform =
            TransformInputs { bias: self.bias.as_ref().map(|b| Floats::F32(Matrix::vector(b))), row_temperature: None };
        i.token_weights = self.token_weights.as_ref().map(|w| Matrix::vector(w));
        i.ld_prefix = self.prefix.as_ref().map(|p| Ints::I32(Matrix::vector(p)));
        i.ref_scores = self.ref_scores.as_ref().map(|r| Floats::F64(Matrix::vector(r)));
        i.ref_logps = self.ref_logps.as_ref().map(|r| Floats::F32(Matrix::vector(r)));
        let quarter = [0.25f64];
        i.groups = Groups {
            item_mask: self.item_mask.as_ref().map(|m| Mask::U8(Matrix::vector(m))),
            item_weight: self.item_weight.as_ref().map(|w| Floats::F64(Matrix::vector(w))),
            ..Groups::default()
        };
        if self.kind == Kind::Unpaired {
            i.groups.label = Some(Labels::U8(Matrix::vector(&self.label)));
            i.groups.baseline = Some(Floats::F64(Matrix::vector(&quarter)));
        }
        f(&p, &i)
    }
    fn padded(&self) -> Segments<'static> {
        Segments::Padded { sequences: self.sequences(), width: self.width }
    }
}
#[derive(Clone, Debug)]
struct Got {
    loss: f64,
    scores: Vec<f64>,
    counts: Vec<i32>,
    logps: Vec<f32>,
    grad_scores: Vec<f64>,
    stats: Vec<f32>,
    row_status: Vec<u32>,
    status: Vec<u32>,
    hidden: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
}
fn run(c: &Context, p: &Problem, i: &Inputs, preferred: bool) -> Result<Got, Error> {
    let need = linear_preference::workspace(c, p, i.hidden.dtype(), i.weight.dtype());
    run_in(c, p, i, if preferred { need.preferred } else { need.minimum }, false)
}
/// `narrow`: grad_weight has the type of a bf16 weight; its bits are returned widened.
fn run_in(c: &Context, p: &Problem, i: &Inputs, bytes: usize, narrow: bool) -> Result<Got, Error> {
    let (n, d, v, s) = (p.linear().rows(), p.linear().hidden_size(), p.linear().vocab(), p.sequence().sequences());
    let (single, figures) = (p.phase() == Phase::Single, p.phase() != Phase::WithCoefficients);
    let items = p.preference().map_or(0, |p| p.count());
    let mut g = Got {
        loss: 77.0,
        scores: vec![77.0; s],
        counts: vec![77; s],
        logps: vec![77.0; n],
        grad_scores: vec![77.0; s],
        stats: vec![77.0; n * STATS],
        row_status: vec![77; n],
        status: vec![77; items],
        hidden: vec![77.0; n * d],
        weight: vec![77.0; v * d],
        bias: vec![77.0; v],
    };
    let mut loss = [77.0];
    let mut weight16 = vec![bf16::from_f32(77.0); if narrow { v * d } else { 0 }];
    let out = Outputs {
        logps: figures.then(|| MatrixMut::vector(&mut g.logps)),
        scores: figures.then(|| MatrixMut::vector(&mut g.scores)),
        counts: figures.then(|| MatrixMut::vector(&mut g.counts)),
        stats: figures.then(|| MatrixMut::contiguous(&mut g.stats, n, STATS).unwrap()),
        row_status: Some(MatrixMut::vector(&mut g.row_status)),
        preference: match single {
            true => preference::Outputs {
                loss: Some(MatrixMut::vector(&mut loss).into()),
                grad_scores: Some(MatrixMut::vector(&mut g.grad_scores).into()),
                status: Some(MatrixMut::vector(&mut g.status)),
                ..preference::Outputs::default()
            },
            false => preference::Outputs::default(),
        },
        ..Outputs::default()
    };
    let grads = match p.phase() {
        Phase::Figures => Grads::default(),
        _ => Grads {
            hidden: Some(MatrixMut::contiguous(&mut g.hidden, n, d).unwrap().into()),
            weight: Some(match narrow {
                false => MatrixMut::contiguous(&mut g.weight, v, d).unwrap().into(),
                true => MatrixMut::contiguous(&mut weight16, v, d).unwrap().into(),
            }),
            bias: Some(MatrixMut::vector(&mut g.bias).into()),
            ..Grads::default()
        },
    };
    let result = with_scratch(bytes, |w| linear_preference::forward(c, p, i, out, grads, w));
    g.loss = loss[0];
    if narrow {
        g.weight = weight16.iter().map(|x| x.to_f32()).collect();
    }
    if result.is_err() {
        let floats = g.logps.iter().chain(&g.stats).chain(&g.hidden).chain(&g.weight).chain(&g.bias);
        assert!(g.loss == 77.0 && floats.into_iter().all(|&x| x == 77.0), "written by a refused call");
        assert!(g.scores.iter().chain(&g.grad_scores).all(|&x| x == 77.0) && g.counts.iter().all(|&x| x == 77));
    }
    result.map(|()| g)
}
fn same_all(what: &str, a: &Got, b: &Got) {
    same(what, &[a.loss], &[b.loss]);
    same(what, &a.scores, &b.scores);
    same(what, &a.grad_scores, &b.grad_scores);
    same(what, &a.counts, &b.counts);
    same(what, &a.logps, &b.logps);
    same(what, &a.stats, &b.stats);
    same(what, &a.row_status, &b.row_status);
    same(what, &a.status, &b.status);
    for (x, y) in [(&a.hidden, &b.hidden), (&a.weight, &b.weight), (&a.bias, &b.bias)] {
        same(what, x, y);
    }
}
/// Every entry that fits, and every option that moves a gradient.
fn data() -> Vec<Data> {
    let plain = |seed, kind, name, params: &[f64]| Data::new(seed, kind, name, params);
    let mut all = vec![
        plain(1, Kind::Pair, "dpo", &[0.4]),
        plain(2, Kind::Pair, "dpo", &[0.4, 0.1]),
        plain(3, Kind::Pair, "ipo", &[0.5]),
        plain(4, Kind::Pair, "simpo", &[2.0, 0.3]),
        plain(5, Kind::Unpaired, "kto", &[0.3]),
        plain(6, Kind::List, "plackett_luce", &[0.5]),
    ];
    let dpo = |seed| plain(seed, Kind::Pair, "dpo", &[0.4]);
    all.push(Data {
        bias: Some((0..23).map(|j| j as f32 * 0.05 - 0.5).collect()),
        transform: Transform { logit_scale: 1.5, softcap: 4.0, temperature: 0.8 },
        ..dpo(7)
    });
    let weights = |n: usize| Some((0..n).map(|i| [0.0, 0.5, 1.0, 2.0][(i * 7 + 3) % 4]).collect::<Vec<f32>>());
    all.push(Data { token_weights: weights(24), ..dpo(8) });
    all.push(Data {
        token_weights: weights(24),
        score: sequence::Options { score: Score::Mean(Divisor::Weights), clamp: None },
        ..dpo(9)
    });
    all.push(Data {
        score: sequence::Options { score: Score::Mean(Divisor::Tokens), clamp: None },
        ..plain(10, Kind::Pair, "simpo", &[2.0, 0.3])
    });
    all.push(Data { score: sequence::Options { score: Score::Mean(Divisor::External(5.0)), clamp: None }, ..dpo(11) });
    all.push(Data {
        prefix: Some(vec![1, 2, 2, 1]),
        score: sequence::Options { score: Score::Ld { alpha: 0.3, policy_only: false }, clamp: None },
        ..dpo(12)
    });
    let tokens = |d: Data, clamp| Data {
        ref_logps: Some((0..24).map(|i| -2.0 - 0.1 * (i % 7) as f32).collect()),
        ref_scores: None,
        score: sequence::Options { score: Score::Sum, clamp },
        ..d
    };
    all.push(tokens(dpo(13), None));
    all.push(tokens(dpo(14), Some((-1.0, 0.75))));
    all.push(Data { extra: Some(("simpo", 0.3)), ..dpo(15) });
    all.push(Data { item_mask: Some(vec![0, 1]), item_weight: Some(vec![1.0, 2.5]), ..dpo(16) });
    all.push(dpo(17).rounded(Rounding::Bf16));
    let transformed = all[6].clone();
    all.push(transformed.rounded(Rounding::F16));
    all
}
fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x as f64).collect()
}

#[test]
fn whole_chain() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for d in data() {
        let g = d.call(Phase::Single, d.padded(), |p, i| run(&c, p, &Inputs { grad_scale: 1.5, ..*i }, true).unwrap());
        let (h, w) = (wide(&d.hidden), wide(&d.weight));
        let b = d.bias.as_ref().map_or(vec![0.0; d.shape[2]], |b| wide(b));
        let near = |what: &str, got: f64, want: f64, scale: f64| {
            assert!((got - want).abs() <= 4e-6 * scale, "{} {what}: got {got}, expected {want}", d.name);
        };
        near("loss", g.loss, d.loss(&h, &w, &b), 1.0 + g.loss.abs());
        for (s, &want) in d.scores(&h, &w, &b).iter().enumerate() {
            near("score", g.scores[s], want, 10.0);
            assert_eq!(g.counts[s] as usize, (s * d.width..(s + 1) * d.width).filter(|&i| d.live(i)).count());
        }
        let step = 2f64.powi(-10);
        let mut check = |what: &str, got: &[f32], moved: &dyn Fn(usize, f64) -> f64| {
            let most = got.iter().fold(0f32, |a, &x| a.max(x.abs())) as f64;
            assert!(most > 0.0);
            for (k, &x) in got.iter().enumerate() {
                let f = |h| moved(k, h);
                let want = 1.5 * (8.0 * (f(step) - f(-step)) - (f(2.0 * step) - f(-2.0 * step))) / (12.0 * step);
                near(what, x as f64, want, most + want.abs());
                cases.ran();
            }
        };
        let at = |v: &[f64], k: usize, x: f64| {
            let mut v = v.to_vec();
            v[k] += x;
            v
        };
        check("grad_hidden", &g.hidden, &|k, x| d.loss(&at(&h, k, x), &w, &b));
        check("grad_weight", &g.weight, &|k, x| d.loss(&h, &at(&w, k, x), &b));
        check("grad_bias", &g.bias, &|k, x| d.loss(&h, &w, &at(&b, k, x)));
        for i in (0..d.shape[0]).filter(|&i| !d.live(i)) {
            assert!(
                g.hidden[i * 5..i * 5 + 5].iter().all(|&x| x == 0.0)
                    && g.logps[i] == 0.0
                    && g.row_status[i] == row::IGNORED
            );
        }
    }
    cases.finish("linear_preference, whole chain", 4000);
}

#[test]
fn bits() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let (all, threaded) = (contexts(), context(Isa::detect(), 3));
    for d in data() {
        d.call(Phase::Single, d.padded(), |p, i| {
            let want = run(&all[0], p, i, true).unwrap();
            for c in all.iter().chain([&threaded]) {
                for preferred in [false, true] {
                    same_all(d.name, &run(c, p, i, preferred).unwrap(), &want);
                    cases.ran();
                }
            }
            // ignored rows may hold anything
            let mut e = d.clone();
            for r in (0..d.shape[0]).filter(|&r| !d.live(r)) {
                e.hidden[r * 5..r * 5 + 5].fill(f32::NAN);
                if d.mask[r] == 0 {
                    e.target[r] = 1 << 20;
                }
                if let Some(w) = &mut e.token_weights {
                    w[r] = f32::NAN;
                }
                if let Some(w) = &mut e.ref_logps {
                    w[r] = f32::INFINITY;
                }
            }
            e.call(Phase::Single, d.padded(), |p, i| {
                same_all("ignored rows", &run(&threaded, p, i, true).unwrap(), &want)
            });
            // the two phases: figures first, then the caller's coefficients
            let figures = d.call(Phase::Figures, d.padded(), |p, i| run(&threaded, p, i, true).unwrap());
            same("figures", &figures.scores, &want.scores);
            same("figures", &figures.stats, &want.stats);
            if d.score.clamp.is_none() {
                for saved in [true, false] {
                    let second = d.call(Phase::WithCoefficients, d.padded(), |p, i| {
                        let stats = saved.then(|| Matrix::contiguous(&figures.stats, d.shape[0], STATS).unwrap());
                        let i = Inputs { score_coefficients: Some(Matrix::vector(&want.grad_scores)), stats, ..*i };
                        run(&threaded, p, &i, true).unwrap()
                    });
                    same("second phase", &second.hidden, &want.hidden);
                    same("second phase", &second.weight, &want.weight);
                    same("second phase", &second.bias, &want.bias);
                    cases.ran();
                }
            }
            // packed with offsets, dead rows left out
            let live: Vec<usize> = (0..d.shape[0]).filter(|&i| d.live(i)).collect();
            let mut cu = vec![0i64];
            for s in 0..d.sequences() {
                cu.push(live.iter().filter(|&&i| i < (s + 1) * d.width).count() as i64);
            }
            let mut q = d.clone();
            q.shape[0] = live.len();
            q.hidden = live.iter().flat_map(|&i| d.hidden[i * 5..i * 5 + 5].to_vec()).collect();
            q.target = live.iter().map(|&i| d.target[i]).collect();
            q.mask = vec![1; live.len()];
            let pick = |v: &Option<Vec<f32>>| v.as_ref().map(|v| live.iter().map(|&i| v[i]).collect());
            (q.token_weights, q.ref_logps) = (pick(&d.token_weights), pick(&d.ref_logps));
            let packed = q.call(Phase::Single, Segments::Packed(Ints::I64(Matrix::vector(&cu))), |p, i| {
                run(&threaded, p, i, true).unwrap()
            });
            same("packed", &[packed.loss], &[want.loss]);
            same("packed", &packed.scores, &want.scores);
            same("packed", &packed.weight, &want.weight);
            let rows: Vec<f32> = live.iter().flat_map(|&i| want.hidden[i * 5..i * 5 + 5].to_vec()).collect();
            same("packed", &packed.hidden, &rows);
            cases.ran();
        });
    }
    cases.finish("linear_preference bits", 160);
}

/// Logits kept in groups, kept for all rows at once, or computed again: workspaces between the minimum and more than
/// everything. Ragged sequences, dead rows, coefficients of 0, every form of the items, more rows than a reduction block.
#[test]
fn kept_logits() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let threaded: Vec<Context> = (0..4).map(|threads| context(Isa::detect(), threads)).collect();
    let all = contexts();
    struct Case {
        kind: Kind,
        name: &'static str,
        /// Interleaved pairs, pairs that share sequences, stacked pairs, rows or lists.
        items: u32,
        lengths: [usize; 2],
        sequences: usize,
        shape: [usize; 2],
        dtype: Dtype,
        transform: Transform,
        bias: bool,
        narrow: bool,
        skip_flagged: bool,
        /// Weights of the policy itself, whose sum is the divisor.
        wpo: Option<Wpo>,
    }
    let plain = Case {
        kind: Kind::Pair,
        name: "dpo",
        items: 0,
        lengths: [30, 50],
        sequences: 10,
        shape: [9, 2100],
        dtype: Dtype::F32,
        transform: Transform::default(),
        bias: false,
        narrow: false,
        skip_flagged: false,
        wpo: None,
    };
    let capped = Transform { logit_scale: 1.5, softcap: 4.0, temperature: 0.8 };
    let cases_of = [
        Case { ..plain },
        Case { dtype: Dtype::Bf16, bias: true, ..plain },
        Case { transform: capped, bias: true, ..plain },
        Case { name: "simpo", items: 1, ..plain },
        Case { name: "ipo", shape: [50, 70], ..plain },
        Case { items: 2, ..plain },
        Case { items: 2, narrow: true, dtype: Dtype::Bf16, ..plain },
        Case { skip_flagged: true, ..plain },
        Case { wpo: Some(Wpo::Plain), ..plain },
        Case { kind: Kind::Unpaired, name: "kto", items: 3, bias: true, ..plain },
        Case { kind: Kind::List, name: "plackett_luce", items: 4, transform: capped, ..plain },
        // more rows than a block of grad_weight: kept groups, then a rest that ends in other blocks
        Case { shape: [5, 40], sequences: 40, lengths: [50, 90], ..plain },
        Case {
            kind: Kind::Unpaired,
            name: "kto",
            items: 3,
            shape: [3, 33],
            sequences: 90,
            dtype: Dtype::Bf16,
            ..plain
        },
        Case { items: 2, shape: [5, 40], sequences: 40, lengths: [50, 90], bias: true, ..plain },
    ];
    for (number, case) in cases_of.iter().enumerate() {
        let mut r = Random(100 + number as u64);
        let ([d, v], s) = (case.shape, case.sequences);
        let mut cu = vec![0i32];
        for _ in 0..s {
            let length = case.lengths[0] + r.below(case.lengths[1] - case.lengths[0]);
            cu.push(cu[cu.len() - 1] + length as i32);
        }
        let n = cu[s] as usize;
        let reals = |r: &mut Random, n: usize, x: f64| (0..n).map(|_| (x * r.normal()) as f32).collect::<Vec<_>>();
        let (hidden, weight) = (reals(&mut r, n * d, 1.0), reals(&mut r, v * d, 0.7));
        let narrow = |x: &[f32]| x.iter().map(|&x| bf16::from_f32(x)).collect::<Vec<_>>();
        let (hidden16, weight16) = (narrow(&hidden), narrow(&weight));
        let mut bias = reals(&mut r, v, 0.3);
        bias[v / 2] = f32::NEG_INFINITY;
        let target: Vec<i32> = (0..n)
            .map(|_| match r.below(15) {
                0 => IGNORE,
                // no target column is dead
                _ => [0, v / 2 + 1][r.below(2)] as i32 + r.below(v / 2 - 1) as i32,
            })
            .collect();
        let mask: Vec<u8> = (0..n).map(|_| (r.below(5) > 0) as u8).collect();
        let weights: Vec<f32> = (0..n).map(|_| [1.0, 1.0, 0.5, 0.0][r.below(4)]).collect();
        let reference: Vec<f64> = (0..s).map(|_| -300.0 + 40.0 * r.normal()).collect();
        let (chosen, rejected): (Vec<i32>, Vec<i32>) =
            (0..s as i32 - 2).filter(|i| i % 4 != 3).map(|i| if i % 2 == 0 { (i, i + 1) } else { (i + 1, i) }).unzip();
        let offsets: Vec<i32> = (0..=s as i32).filter(|i| i % 3 == 0 || *i == s as i32).collect();
        let items = match case.items {
            0 => Items::Interleaved,
            1 => Items::Indexed {
                chosen: Ints::I32(Matrix::vector(&chosen)),
                rejected: Ints::I32(Matrix::vector(&rejected)),
                anchor: None,
            },
            2 => Items::Stacked,
            3 => Items::Rows,
            _ => Items::Lists { offsets: Ints::I32(Matrix::vector(&offsets)), members: None },
        };
        let count = items.count(s);
        let item_weight: Vec<f64> = (0..count).map(|i| [1.0, 2.0, 0.0, 0.5, 1.0][i % 5]).collect();
        let label: Vec<u8> = (0..count).map(|i| (i % 3 > 0) as u8).collect();
        let baseline = [0.1f64];
        let reduction = if case.wpo.is_some() { Reduction::WeightedMean } else { Reduction::Mean };
        let terms = [Term { id: id(case.kind, case.name), reduction, ..Term::default() }];
        let options = Options {
            wpo: case.wpo,
            logprob: logprob::Options {
                transform: case.transform,
                n_valid_vocab: v - 3,
                ignore_index: Some(IGNORE as i64),
                ..logprob::Options::default()
            },
            score: sequence::Options::default(),
            skip_flagged: case.skip_flagged,
            phase: Phase::Single,
            ..Options::default()
        };
        let target: Vec<i32> = target.iter().map(|&y| if y >= v as i32 - 3 { 1 } else { y }).collect();
        let score = match case.name {
            "simpo" => Score::Mean(Divisor::Tokens),
            _ => Score::Sum,
        };
        let options = Options { score: sequence::Options { score, clamp: None }, ..options };
        let segments = Segments::Packed(Ints::I32(Matrix::vector(&cu)));
        let p = Problem::new([n, d, v], segments, items, &terms, options).unwrap();
        let (h, w) = match case.dtype {
            Dtype::F32 => {
                (Matrix::contiguous(&hidden, n, d).unwrap().into(), Matrix::contiguous(&weight, v, d).unwrap().into())
            }
            _ => (
                Matrix::contiguous(&hidden16, n, d).unwrap().into(),
                Matrix::contiguous(&weight16, v, d).unwrap().into(),
            ),
        };
        let mut i = Inputs::new(h, w, Ints::I32(Matrix::vector(&target)));
        i.rows.mask = Some(Mask::U8(Matrix::vector(&mask)));
        i.token_weights = Some(Matrix::vector(&weights));
        if case.bias {
            i.transform.bias = Some(Floats::F32(Matrix::vector(&bias)));
        }
        if case.name != "simpo" {
            i.ref_scores = Some(Floats::F64(Matrix::vector(&reference)));
        }
        i.groups.item_weight = Some(Floats::F64(Matrix::vector(&item_weight)));
        if case.kind == Kind::Unpaired {
            i.groups.label = Some(Labels::U8(Matrix::vector(&label)));
            i.groups.baseline = Some(Floats::F64(Matrix::vector(&baseline)));
        }
        let minimum = |c: &Context| linear_preference::workspace(c, &p, case.dtype, case.dtype).minimum;
        let want = run_in(&all[0], &p, &i, minimum(&all[0]), case.narrow).unwrap();
        assert!(want.loss.is_finite() && want.weight.iter().any(|&x| x != 0.0), "{}", case.name);
        for c in all.iter().chain(&threaded) {
            let need = linear_preference::workspace(c, &p, case.dtype, case.dtype);
            // fewer rows than a group is worth, some groups, all rows and more
            let rows = [100, 140, 150, 200, 320, 500, 1000, 2000, 4000];
            let between =
                rows.map(|rows| need.minimum + rows * v * 4 + (rows * 4 * d.max(48)) + (3 << 20) * c.threads());
            let between = between.into_iter().filter(|_| c.isa() != Isa::Scalar);
            for bytes in [need.minimum, need.preferred].into_iter().chain(between) {
                let got = run_in(c, &p, &i, bytes, case.narrow).unwrap();
                same_all(&format!("case {number}, {}, {bytes} bytes", case.name), &got, &want);
                cases.ran();
            }
        }
    }
    cases.finish("linear_preference, kept logits", cases_of.len() * (threaded.len() + 1) * 11);
}

#[test]
fn nothing_live_and_flags() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 2);
    for d in data() {
        let mut e = d.clone();
        e.mask.fill(0);
        e.hidden.fill(f32::NAN);
        let g = e.call(Phase::Single, d.padded(), |p, i| run(&c, p, i, false).unwrap());
        assert!(g.hidden.iter().chain(&g.weight).chain(&g.bias).all(|&x| x == 0.0));
        // sequences without a token have score 0: the loss is that of a = -ref, finite, and every item is flagged
        assert!(g.loss.is_finite() && g.scores.iter().all(|&x| x == 0.0), "{}", d.name);
        assert!(
            g.status
                .iter()
                .enumerate()
                .all(|(i, s)| s & row::EMPTY != 0 || d.item_mask.as_ref().is_some_and(|m| m[i] == 0))
        );
        let mut e = d.clone();
        e.item_mask = Some(vec![0; d.items()]);
        let g = e.call(Phase::Single, d.padded(), |p, i| run(&c, p, i, false).unwrap());
        assert!(g.loss == 0.0 && g.hidden.iter().chain(&g.weight).chain(&g.bias).all(|&x| x == 0.0));
        cases.ran();
        // one row of NaN: its item alone; left out on request, the rest is as if it were masked
        let mut e = d.clone();
        let item = d.items() - 1;
        let bad = (d.sequences() - 1) * d.width;
        assert!(d.live(bad));
        e.hidden[bad * 5] = f32::NAN;
        if d.token_weights.as_ref().is_some_and(|w| w[bad] == 0.0) {
            continue;
        }
        let g = e.call(Phase::Single, d.padded(), |p, i| run(&c, p, i, true).unwrap());
        assert!(g.loss.is_nan() && g.row_status[bad] == row::NAN_INPUT && g.status[item] & row::NAN_INPUT != 0);
        let options = Options { skip_flagged: true, ..d.options(Phase::Single) };
        let again = |d: &Data| {
            d.call(Phase::Single, d.padded(), |p, i| {
                let items = *p.preference().unwrap().items();
                let terms = p.preference().unwrap().terms();
                run(&c, &Problem::new(d.shape, d.padded(), items, terms, options).unwrap(), i, true).unwrap()
            })
        };
        let mut masked = d.clone();
        let mask = masked.item_mask.get_or_insert(vec![1; d.items()]);
        mask[item] = 0;
        let (skipped, want) = (again(&e), again(&masked));
        same("skipped", &[skipped.loss], &[want.loss]);
        same("skipped", &skipped.hidden, &want.hidden);
        same("skipped", &skipped.weight, &want.weight);
        cases.ran();
    }
    cases.finish("linear_preference, nothing live and flags", 30);
}

#[test]
fn errors() {
    let _alone = ALONE.lock();
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    use Status::*;
    let mut refused = |e: Error, field: &str, status: Status| {
        assert_eq!((e.field, e.status), (field, status), "{e}");
        cases.ran();
    };
    let d = Data::new(1, Kind::Pair, "dpo", &[0.1]);
    let tdpo = [Term { id: id(Kind::Pair, "tdpo1"), ..Term::default() }];
    let e = Problem::new(d.shape, d.padded(), Items::Stacked, &tdpo, d.options(Phase::Single)).unwrap_err();
    assert!(e.to_string().contains("tdpo1") && e.to_string().contains("reference"), "{e}");
    refused(e, "loss.id", InvalidArgument);
    let dpo = [Term { id: id(Kind::Pair, "dpo"), ..Term::default() }];
    let mut new = |shape, segments, terms: &[Term], o: Options, field: &str, status: Status| {
        refused(Problem::new(shape, segments, Items::Stacked, terms, o).map(|_| ()).unwrap_err(), field, status);
    };
    let o = d.options(Phase::Single);
    new(d.shape, d.padded(), &[], o, "loss", InvalidArgument);
    new([24, 0, 23], d.padded(), &dpo, o, "head.hidden", ShapeMismatch);
    new([24, 5, 0], d.padded(), &dpo, o, "head.weight", ShapeMismatch);
    new([23, 5, 23], d.padded(), &dpo, o, "logps", ShapeMismatch);
    let cold = Options {
        logprob: logprob::Options { transform: Transform { temperature: 0.0, ..Transform::default() }, ..o.logprob },
        ..o
    };
    new(d.shape, d.padded(), &dpo, cold, "transform.temperature", InvalidArgument);
    let ipo = [Term { id: id(Kind::Pair, "ipo"), ..Term::default() }];
    let mean = Options { score: sequence::Options { score: Score::Mean(Divisor::Tokens), clamp: None }, ..o };
    new(d.shape, d.padded(), &ipo, mean, "score_kind", InvalidArgument);
    let clamp = sequence::Options { score: Score::Sum, clamp: Some((-1.0, 1.0)) };
    new(
        d.shape,
        d.padded(),
        &[],
        Options { score: clamp, phase: Phase::WithCoefficients, ..o },
        "score.clamp_low",
        InvalidArgument,
    );

    let mut bad = |d: &Data, phase: Phase, change: &dyn for<'a> Fn(&mut Inputs<'a>), field: &str, status: Status| {
        let e = d.call(phase, d.padded(), |p, i| {
            let mut i = *i;
            change(&mut i);
            run(&c, p, &i, false).unwrap_err()
        });
        refused(e, field, status);
    };
    bad(&d, Phase::Single, &|i| i.ref_scores = None, "ref_scores", InvalidArgument);
    bad(&d, Phase::Single, &|i| i.rows = Rows { target: None, ..Rows::default() }, "rows.target", InvalidArgument);
    bad(&d, Phase::Single, &|i| i.grad_scale = f64::NAN, "grad_scale", InvalidArgument);
    bad(&d, Phase::Single, &|i| i.hidden = i.weight, "head.hidden", ShapeMismatch);
    bad(&d, Phase::Single, &|i| i.weight = i.hidden, "head.weight", ShapeMismatch);
    bad(&d, Phase::Single, &|i| i.rows.mask = Some(Mask::U8(Matrix::vector(&[1]))), "rows.mask", ShapeMismatch);
    bad(
        &d,
        Phase::Single,
        &|i| i.score_coefficients = Some(Matrix::vector(&[0.0])),
        "score_coefficients",
        InvalidArgument,
    );
    bad(&d, Phase::Single, &|i| i.stats = Some(Matrix::vector(&[0.0])), "stats", InvalidArgument);
    bad(&d, Phase::WithCoefficients, &|_| {}, "score_coefficients", InvalidArgument);
    bad(
        &d,
        Phase::WithCoefficients,
        &|i| i.score_coefficients = Some(Matrix::vector(&[0.0])),
        "score_coefficients",
        ShapeMismatch,
    );
    bad(
        &d,
        Phase::Single,
        &|i| i.groups.item_weight = Some(Floats::F64(Matrix::vector(&[-1.0]))),
        "groups.item_weight",
        InvalidArgument,
    );
    bad(
        &d,
        Phase::Single,
        &|i| i.token_weights = Some(Matrix::vector(&[-1.0; 24])),
        "score.token_weights",
        InvalidArgument,
    );
    bad(
        &d,
        Phase::Single,
        &|i| i.ld_prefix = Some(Ints::I32(Matrix::vector(&[1; 4]))),
        "score.ld_prefix",
        InvalidArgument,
    );
    bad(&Data { target: vec![23; 24], ..d.clone() }, Phase::Single, &|_| {}, "rows.target", OutOfRange);
    let mut both = d.clone();
    both.ref_logps = Some(vec![0.0; 24]);
    bad(&both, Phase::Single, &|_| {}, "ref_scores", InvalidArgument);
    both.ref_scores = None;
    both.name = "simpo";
    bad(&both, Phase::Single, &|_| {}, "ref_logps", InvalidArgument);
    bad(&Data { score: clamp, ..d.clone() }, Phase::Single, &|_| {}, "ref_logps", InvalidArgument);

    let mut place = |phase: Phase, out: Outputs, grads: Grads, field: &str, status: Status| {
        let e = d.call(phase, d.padded(), |p, i| {
            let four = [0f64; 4];
            let mut i = *i;
            if phase == Phase::WithCoefficients {
                i.score_coefficients = Some(Matrix::vector(&four));
            }
            let need = linear_preference::workspace(&c, p, Dtype::F32, Dtype::F32).minimum;
            with_scratch(need, |w| linear_preference::forward(&c, p, &i, out, grads, w).unwrap_err())
        });
        refused(e, field, status);
    };
    let (mut five, mut one) = ([0f32; 5], [0f64; 1]);
    let vector = |v| Some(MatrixMut::vector(v));
    place(
        Phase::Single,
        Outputs { logps: vector(&mut five), ..Outputs::default() },
        Grads::default(),
        "out_logps",
        ShapeMismatch,
    );
    place(
        Phase::Figures,
        Outputs {
            preference: preference::Outputs {
                loss: Some(MatrixMut::vector(&mut one).into()),
                ..preference::Outputs::default()
            },
            ..Outputs::default()
        },
        Grads::default(),
        "outputs",
        InvalidArgument,
    );
    let mut full = vec![0f32; 24];
    place(
        Phase::WithCoefficients,
        Outputs { logps: Some(MatrixMut::vector(&mut full)), ..Outputs::default() },
        Grads::default(),
        "out_logps",
        InvalidArgument,
    );
    let mut g = vec![0f32; 120];
    fn grad_hidden(g: &mut [f32], n: usize) -> Grads<'_> {
        Grads {
            hidden: Some(FloatsMut::F32(MatrixMut::contiguous(&mut g[..5 * n], n, 5).unwrap())),
            ..Grads::default()
        }
    }
    place(Phase::Single, Outputs::default(), grad_hidden(&mut g, 23), "grads.grad_hidden_out", ShapeMismatch);
    place(Phase::Figures, Outputs::default(), grad_hidden(&mut g, 24), "grads.grad_hidden_out", InvalidArgument);
    let mut half = vec![bf16::ZERO; 115];
    let grads =
        Grads { weight: Some(FloatsMut::Bf16(MatrixMut::contiguous(&mut half, 23, 5).unwrap())), ..Grads::default() };
    place(Phase::Single, Outputs::default(), grads, "grads.grad_weight_out", UnsupportedDtype);
    d.call(Phase::Single, d.padded(), |p, i| {
        let need = linear_preference::workspace(&c, p, Dtype::F32, Dtype::F32).minimum;
        let short = with_scratch(need, |w| {
            linear_preference::forward(&c, p, i, Outputs::default(), Grads::default(), &mut w[..need - 1])
        });
        refused(short.unwrap_err(), "workspace_size", WorkspaceTooSmall);
        let unaligned = with_scratch(need + 8, |w| {
            linear_preference::forward(&c, p, i, Outputs::default(), Grads::default(), &mut w[8..])
        });
        refused(unaligned.unwrap_err(), "workspace", InvalidArgument);
    });
    cases.finish("linear_preference errors", 33);
}

/// 512 tokens, hidden size 576, vocabulary 49152: what the workspace needs, and that a call allocates nothing besides.
/// The logits alone would be 100 MB in f32.
#[test]
fn memory() {
    let _alone = ALONE.lock();
    let shape @ [n, d, v] = [512usize, 576, 49152];
    let mut r = Random(1);
    let hidden: Vec<f32> = (0..n * d).map(|_| r.between(-1.0, 1.0) as f32).collect();
    let weight: Vec<f32> = (0..v * d).map(|_| r.between(-0.05, 0.05) as f32).collect();
    let target: Vec<i32> = (0..n).map(|_| r.below(v) as i32).collect();
    let reference = [-1400.0; 4];
    let terms = [Term { id: id(Kind::Pair, "dpo"), reduction: Reduction::Mean, ..Term::default() }];
    let segments = Segments::Padded { sequences: 4, width: 128 };
    let p = Problem::new(shape, segments, Items::Interleaved, &terms, Options::default()).unwrap();
    let mut i = Inputs::new(
        Floats::F32(Matrix::contiguous(&hidden, n, d).unwrap()),
        Floats::F32(Matrix::contiguous(&weight, v, d).unwrap()),
        Ints::I32(Matrix::vector(&target)),
    );
    i.ref_scores = Some(Floats::F64(Matrix::vector(&reference)));
    let (mut gh, mut gw) = (vec![0f32; n * d], vec![0f32; v * d]);
    for threads in [0, 2] {
        let c = context(Isa::detect(), threads);
        let need = linear_preference::workspace(&c, &p, Dtype::F32, Dtype::F32);
        println!("{threads} threads: minimum {} bytes, preferred {} bytes", need.minimum, need.preferred);
        // 62 bytes a row besides
        assert!(need.minimum <= 2 << 20 && need.preferred <= (64 << 20) + (64 << 10), "{need:?}");
        let mut loss = [0f64];
        let mut space = truing_cpu::Space::default();
        let scratch = space.bytes(need.preferred);
        let call = || {
            let out = Outputs {
                preference: preference::Outputs {
                    loss: Some(MatrixMut::vector(&mut loss).into()),
                    ..preference::Outputs::default()
                },
                ..Outputs::default()
            };
            let grads = Grads {
                hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
                weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
                ..Grads::default()
            };
            linear_preference::forward(&c, &p, &i, out, grads, &mut *scratch).unwrap();
        };
        let calls = Counting::allocations();
        let peak = Counting::peak(call);
        let calls = Counting::allocations() - calls;
        println!("{threads} threads: {peak} bytes beside the workspace");
        // the peak is the process's: other tests, and a few words of rayon's own where a pool is handed work
        assert!((threads > 0 || calls == 0) && peak < 64 << 10, "{calls} allocations, {peak} bytes");
        assert!(loss[0].is_finite() && loss[0] > 0.0);
    }
    println!("linear_preference memory: 2 cases");
}
