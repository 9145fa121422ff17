//! The row loss and the further figures of the log-prob of logits: against 50 digits, against finite differences in f64,
//! and against themselves: the same bits whatever else is asked for, on every instruction set and number of threads.
use half::{bf16, f16};
use truing_core::Status;
use truing_core::dtype::{Element, Float};
use truing_core::error::row;
use truing_core::logprob::{ExtraIds, Figures, Options, Problem, Rows, STATS, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Floats, Layout, Matrix, MatrixMut};
use truing_core::record::RowFloat;
use truing_core::row_loss::{Reduction, RowLoss, RowLossInputs, Scaling, Smoothing};
use truing_core::sequence::Segments;
use truing_cpu::logprob::{self as kernel, BackwardInputs, Fused, Grad, Inputs, Rowed, Totals};
use truing_cpu::{Context, Isa};
use truing_tests::{Bits, Cases, Random, U, context, contexts, hash, numbers, same, with_scratch};

const INF: f32 = f32::INFINITY;

/// A type of logits and what its rows are computed in.
trait Logit: truing_tests::Logit {
    type Row: Rowed + RowFloat + Bits + Element;
}
macro_rules! logit {
    ($($t:ty: $row:ty),*) => {$( impl Logit for $t { type Row = $row; } )*};
}
logit!(f32: f32, bf16: f32, f16: f32, f64: f64);

/// Everything that a call is given.
#[derive(Clone)]
struct Call<T: Logit> {
    n: usize,
    v: usize,
    options: Options,
    z: Vec<T>,
    target: Option<Vec<i64>>,
    mask: Option<Vec<u8>>,
    offsets: Option<Vec<i32>>,
    bias: Option<Vec<f32>>,
    class_weight: Option<Vec<f32>>,
    external: Option<Vec<f32>>,
    /// One list for all rows, or one for each.
    ids: Option<Vec<i32>>,
    topk: usize,
}
impl<T: Logit> Call<T> {
    fn new(n: usize, v: usize, z: Vec<T>) -> Call<T> {
        assert_eq!(z.len(), n * v);
        let options = Options { ignore_index: Some(-100), ..Options::default() };
        let none = None::<Vec<f32>>;
        let (bias, class_weight, external) = (none.clone(), none.clone(), none);
        let (target, mask, offsets) = (None, None, None);
        Call { n, v, options, z, target, mask, offsets, bias, class_weight, external, ids: None, topk: 3 }
    }
    fn extra_ids(&self) -> Option<ExtraIds<'_>> {
        let ids = self.ids.as_ref()?;
        let each = if self.n > 1 && ids.len().is_multiple_of(self.n) && ids.len() > 5 { ids.len() / self.n } else { 0 };
        let cols = if each > 0 { each } else { ids.len() };
        Some(ExtraIds(Matrix::new(ids, Layout::strided(self.n, cols, each)).unwrap().into()))
    }
    fn k(&self) -> usize {
        self.extra_ids().map_or(0, |ids| ids.cols())
    }
    fn rows(&self) -> Rows<'_> {
        Rows {
            target: self.target.as_ref().map(|t| Matrix::vector(t).into()),
            mask: self.mask.as_ref().map(|m| Matrix::vector(m).into()),
            segments: self.offsets.as_ref().map(|o| Segments::Packed(Matrix::vector(o).into())),
        }
    }
    fn transform(&self) -> TransformInputs<'_> {
        TransformInputs { bias: self.bias.as_ref().map(|b| Matrix::vector(b).into()), row_temperature: None }
    }
    fn row_loss(&self) -> RowLossInputs<'_> {
        RowLossInputs {
            class_weight: self.class_weight.as_ref().map(|c| Matrix::vector(c).into()),
            external_scale: self.external.as_ref().map(|m| Matrix::vector(m)),
        }
    }
    fn logits(&self) -> Floats<'_> {
        T::view(Matrix::contiguous(&self.z, self.n, self.v).unwrap())
    }
    fn inputs(&self) -> Inputs<'_> {
        let (transform, rows, row_loss) = (self.transform(), self.rows(), self.row_loss());
        Inputs { logits: self.logits(), transform, rows, row_loss, extra_ids: self.extra_ids() }
    }
    fn backward_inputs(&self) -> BackwardInputs<'_> {
        BackwardInputs { transform: self.transform(), rows: self.rows(), row_loss: self.row_loss() }
    }
    fn problem(&self) -> Problem {
        Problem::new(self.n, self.v, self.options).unwrap()
    }
    fn reduces(&self) -> bool {
        self.options.row_loss.reduces()
    }
    fn forward(&self, c: &Context, which: u32) -> Out<T::Row> {
        let mut out = Out::new(self);
        let problem = self.problem();
        let (figures, totals) = out.places(self, which);
        let need = kernel::forward_workspace(&problem, totals.loss.is_some()).minimum;
        with_scratch(need, |s| kernel::forward_loss(c, &problem, self.inputs(), figures, totals, s)).unwrap();
        out
    }
    /// Gradient of the logits (rounded to `G`), of the bias, and the status bits.
    fn backward<G: Logit>(
        &self,
        c: &Context,
        up: &Up<T::Row>,
        stats: Option<&[T::Row]>,
        place: Place,
    ) -> Back<G, T::Row> {
        let (problem, n, v) = (self.problem(), self.n, self.v);
        let mut g = vec![G::from_f32(7.5); n * v];
        let mut z = self.z.clone();
        let mut bias = vec![T::Row::from_f32(7.5); v];
        let mut status = vec![1 << 31; n];
        let stats = stats.map(|s| Matrix::contiguous(s, n, STATS).unwrap());
        let upstream = up.view(self);
        let grad = match place {
            Place::Same => Grad::InPlace(T::view_mut(MatrixMut::contiguous(&mut z, n, v).unwrap())),
            _ => Grad::Separate(self.logits(), G::view_mut(MatrixMut::contiguous(&mut g, n, v).unwrap())),
        };
        let place_bias = (place != Place::NoBias).then(|| MatrixMut::vector(&mut bias));
        let need = kernel::backward_workspace::<T::Row>(&problem, stats.is_some(), place_bias.is_some()).minimum;
        let bits = Some(MatrixMut::vector(&mut status));
        let inputs = self.backward_inputs();
        with_scratch(need, |s| kernel::backward_bias(c, &problem, inputs, stats, upstream, grad, bits, place_bias, s))
            .unwrap();
        if place == Place::Same {
            g = z.iter().map(|z| G::from_f32(z.to_f32())).collect();
        }
        Back { g, bias, status }
    }
}
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Apart,
    Same,
    NoBias,
}
struct Back<G, F> {
    g: Vec<G>,
    bias: Vec<F>,
    status: Vec<u32>,
}
/// Gradients of the figures.
#[derive(Clone, Default)]
struct Up<F> {
    logprob: Option<Vec<F>>,
    lse: Option<Vec<F>>,
    entropy: Option<Vec<F>>,
    extra: Option<Vec<F>>,
    row_loss: Option<Vec<F>>,
    loss: Option<f64>,
}
impl<F: RowFloat> Up<F> {
    fn view<'a, T: Logit<Row = F>>(&'a self, call: &'a Call<T>) -> Upstream<'a, F> {
        let vector = |x: &'a Option<Vec<F>>| x.as_ref().map(|x| Matrix::vector(x));
        Upstream {
            logprob: vector(&self.logprob),
            lse: vector(&self.lse),
            entropy: vector(&self.entropy),
            extra: self.extra.as_ref().map(|x| Matrix::contiguous(x, call.n, call.k()).unwrap()),
            extra_ids: if self.extra.is_some() { call.extra_ids() } else { None },
            row_loss: vector(&self.row_loss),
            loss: self.loss,
            scale: 1.0,
        }
    }
}

/// Every figure, filled with values that no kernel writes.
struct Out<F> {
    /// logprob, lse, max, entropy, log_sum_sq, mean_logit, topk_logprobs, topk_entropy, extra_logprobs, token_scale,
    /// row_loss, stats
    real: [Vec<F>; 12],
    /// argmax, rank, ties, topk_ids
    int: [Vec<i32>; 4],
    top1: Vec<u8>,
    status: Vec<u32>,
    loss: f64,
    counters: [i64; 32],
}
const MEAN: usize = 5;
const TOPK: usize = 6;
const TOPK_ENTROPY: usize = 7;
const EXTRA: usize = 8;
const SCALE: usize = 9;
const LOSS: usize = 10;
const SAVED: usize = 11;
const RANK: usize = 1;
const TIES: usize = 2;
const IDS: usize = 3;
const OUTPUTS: usize = 20;
const ALL: u32 = (1 << OUTPUTS) - 1;
impl<F: RowFloat + Bits + Element> Out<F> {
    fn new<T: Logit<Row = F>>(call: &Call<T>) -> Out<F> {
        let (n, widths) = (call.n, [1, 1, 1, 1, 1, 1, call.topk, 1, call.k(), 1, 1, STATS]);
        Out {
            real: widths.map(|w| vec![F::from_f32(7.5); n * w]),
            int: [1, 1, 1, call.topk].map(|w| vec![77; n * w]),
            top1: vec![77; n],
            status: vec![1 << 31; n],
            loss: 7.5,
            counters: [77; 32],
        }
    }
    fn places<T: Logit<Row = F>>(&mut self, call: &Call<T>, which: u32) -> (Figures<'_, F>, Totals<'_>) {
        let (n, on) = (call.n, |bit: usize| which >> bit & 1 == 1);
        let [logprob, lse, max, entropy, square, mean, topk, topk_entropy, extra, scale, loss, stats] = &mut self.real;
        let [argmax, rank, ties, ids] = &mut self.int;
        let targets = call.target.is_some();
        let figures = Figures {
            logprob: (on(0) && targets).then(|| MatrixMut::vector(logprob)),
            lse: on(1).then(|| MatrixMut::vector(lse)),
            max: on(2).then(|| MatrixMut::vector(max)),
            entropy: on(3).then(|| MatrixMut::vector(entropy)),
            log_sum_sq: on(4).then(|| MatrixMut::vector(square)),
            mean_logit: on(MEAN).then(|| MatrixMut::vector(mean)),
            topk_logprobs: on(TOPK).then(|| MatrixMut::contiguous(topk, n, call.topk).unwrap()),
            topk_entropy: on(TOPK_ENTROPY).then(|| MatrixMut::vector(topk_entropy)),
            extra_logprobs: (on(EXTRA) && call.ids.is_some())
                .then(|| MatrixMut::contiguous(extra, n, call.k()).unwrap()),
            token_scale: (on(SCALE) && targets).then(|| MatrixMut::vector(scale)),
            row_loss: (on(LOSS) && targets).then(|| MatrixMut::vector(loss)),
            stats: on(SAVED).then(|| MatrixMut::contiguous(stats, n, STATS).unwrap()),
            argmax: on(12).then(|| MatrixMut::vector(argmax)),
            rank: (on(13) && targets).then(|| MatrixMut::vector(rank)),
            ties: (on(14) && targets).then(|| MatrixMut::vector(ties)),
            topk_ids: on(15).then(|| MatrixMut::contiguous(ids, n, call.topk).unwrap()),
            is_top1: (on(16) && targets).then(|| MatrixMut::vector(&mut self.top1)),
            status: on(17).then(|| MatrixMut::vector(&mut self.status)),
        };
        let loss = (on(18) && call.reduces()).then(|| MatrixMut::vector(std::slice::from_mut(&mut self.loss)).into());
        (figures, Totals { loss, counters: on(19).then_some(&mut self.counters) })
    }
    /// What `which` asks for equals `want`, which has everything; the rest is untouched.
    #[track_caller]
    fn check<T: Logit<Row = F>>(&self, what: &str, call: &Call<T>, want: &Out<F>, which: u32) {
        let canary = Out::new(call);
        let from = |bit: usize| if which >> bit & 1 == 1 { want } else { &canary };
        for k in 0..12 {
            same(&format!("{what}: figure {k}"), &self.real[k], &from(k).real[k]);
        }
        for k in 0..4 {
            same(&format!("{what}: integer {k}"), &self.int[k], &from(12 + k).int[k]);
        }
        same(&format!("{what}: top1"), &self.top1, &from(16).top1);
        same(&format!("{what}: status"), &self.status, &from(17).status);
        same(&format!("{what}: loss"), &[self.loss], &[from(18).loss]);
        if which >> 18 & 1 == which >> 19 & 1 {
            same(&format!("{what}: counters"), &self.counters, &from(19).counters);
        }
    }
}

// ---- against 50 digits

/// `golden/row_options.txt`: 50 digits from an independent script.
#[test]
fn golden() {
    let (mut cases, contexts) = (Cases::default(), contexts());
    for line in include_str!("golden/row_options.txt").lines() {
        let parts: Vec<Vec<f64>> = line.split(" | ").map(numbers).collect();
        let [head, options, ids, figures, top, top_lp, extra_lp, of_loss, of_extra] = &parts[..] else {
            panic!("{line}")
        };
        let (seed, v, y) = (head[0] as u32, head[1] as usize, head[7] as usize);
        let (step, offset, gap, dead) = (head[2], head[3], head[4], head[5] as u32);
        let z: Vec<f32> = (0..v as u32)
            .map(|j| {
                let x = (hash(seed, j) as f64 - 32768.0) * step + offset;
                match () {
                    () if j as usize == v / 2 => (x + gap) as f32,
                    () if dead > 0 && hash(seed + 1, j) % dead == 0 => -INF,
                    () => x as f32,
                }
            })
            .collect();
        let mut call = Call::new(1, v, z.clone());
        call.target = Some(vec![y as i64]);
        call.bias =
            (head[6] == 1.0).then(|| (0..v as u32).map(|j| (hash(seed + 2, j) % 64) as f32 / 16.0 - 2.0).collect());
        call.class_weight =
            (options[3] == 1.0).then(|| (0..v as u32).map(|j| (hash(seed + 3, j) % 16) as f32 / 8.0).collect());
        call.ids = Some(ids.iter().map(|&j| j as i32).collect());
        call.options.transform = Transform { logit_scale: head[8], softcap: head[9], temperature: head[10] };
        call.options.entropy_k = options[6] as usize;
        call.options.row_loss = RowLoss {
            label_smoothing: options[0],
            smoothing: Some(if options[1] == 1.0 { Smoothing::Torch } else { Smoothing::Megatron }),
            z_loss: options[2],
            scaling: [Scaling::None, Scaling::Dft, Scaling::ChordPhi, Scaling::Eaft, Scaling::EaftRaw]
                [options[4] as usize],
            eaft_alpha: options[5],
            reduction: Some(Reduction::Sum),
            normaliser: 0.0,
        };
        // transformed logits carry rounding that the script does not have
        let plain = head[8] == head[10] && head[9] == 0.0 && call.bias.is_none();
        let x: Vec<f64> = (0..v)
            .filter(|&j| z[j] > -INF)
            .map(|j| {
                let b = call.bias.as_ref().map_or(0.0, |b| b[j] as f64);
                let w = head[8] * (z[j] as f64 + b);
                (if head[9] > 0.0 { head[9] * (w / head[9]).tanh() } else { w }) / head[10]
            })
            .collect();
        let largest = x.iter().fold(0.0f64, |a, x| a.max(x.abs()));
        let (m, low) = x.iter().fold((f64::MIN, f64::MAX), |(m, l), &x| (m.max(x), l.min(x)));
        let slack = if plain { 0.0 } else { 8.0 * U * largest };
        let close = |name: &str, got: f64, want: f64, bound: f64| {
            let fine = (got - want).abs() <= bound || got == want;
            assert!(fine, "{line}\n{name}: got {got}, expected {want}, off by {:e} of {bound:e}", got - want);
        };
        for c in &contexts {
            let out = call.forward(c, ALL);
            let real = |k: usize, i: usize| out.real[k][i] as f64;
            close("mean", real(MEAN, 0), figures[0], 8.0 * U * (1.0 + m - low) + U * m.abs() + slack);
            if head[9] == 0.0 {
                assert_eq!([out.int[RANK][0], out.int[TIES][0]], [figures[1] as i32, figures[2] as i32], "{line}");
                let want: Vec<i32> = top.iter().map(|&j| j as i32).collect();
                assert_eq!(out.int[IDS], want, "{line}");
            }
            // of a log-prob: section 13 of the promises
            let bound = |lp: f64| if lp.is_finite() { 8.0 * U * (2.0 + lp.abs()) + 2.0 * slack } else { 0.0 };
            for i in 0..3 {
                close("top-k", real(TOPK, i), top_lp[i], bound(top_lp[i]));
            }
            for i in 0..5 {
                close("extra", real(EXTRA, i), extra_lp[i], bound(extra_lp[i]));
            }
            close("top-k entropy", real(TOPK_ENTROPY, 0), figures[3], 16.0 * U * (1.0 + figures[3]) + 8.0 * slack);
            // alpha below 1 multiplies relative errors by less than 1, above by alpha
            let lp = (out.real[0][0] as f64).max(-100.0);
            let scale = 32.0 * U * (1.0 + lp.abs()) + 16.0 * slack + U * (m - low).min(40.0);
            close("token scale", real(SCALE, 0), figures[4], 2.0 * scale * figures[4].max(0.01));
            let size = if figures[5].is_finite() { figures[5].abs() } else { 1.0 };
            let loss = 2.0 * scale * (1.0 + size) + 8.0 * slack * (1.0 + largest * options[2]) * (1.0 + figures[4]);
            close("row loss", real(LOSS, 0), figures[5], loss);
            close("loss", out.loss, figures[5], loss);
            // both gradients, from saved statistics and computed again
            let ones = Up { row_loss: Some(vec![1.0f32]), ..Up::default() };
            let named = Up { extra: Some((1..=5).map(|i| i as f32).collect()), ..Up::default() };
            for stats in [None, Some(&out.real[SAVED][..])] {
                let places = [y, x_argmax(&call), ids[0] as usize, 0, v - 1];
                let g = call.backward::<f32>(c, &ones, stats, Place::Apart);
                let biggest = g.g.iter().fold(1e-3f64, |a, g| a.max(g.abs() as f64));
                let bound = 2.0 * biggest * (scale + 8.0 * U * gap / 8.0) + 4.0 * slack * biggest;
                for (&j, &want) in places.iter().zip(of_loss) {
                    close(&format!("gradient of the loss, column {j}"), g.g[j] as f64, want, bound);
                }
                let g = call.backward::<f32>(c, &named, stats, Place::Apart);
                let biggest = g.g.iter().fold(1e-3f64, |a, g| a.max(g.abs() as f64)) + 15.0;
                for (&j, &want) in places.iter().zip(of_extra) {
                    close(
                        &format!("extra gradient, column {j}"),
                        g.g[j] as f64,
                        want,
                        biggest * (16.0 * U + 4.0 * slack),
                    );
                }
                let sum: Vec<f32> = g.g.iter().map(|&g| 0.0 + g).collect();
                same("gradient of the bias of one row", &g.bias, &sum);
            }
            cases.ran();
        }
    }
    cases.finish("golden row options", 2 * 900);
}
fn x_argmax(call: &Call<f32>) -> usize {
    call.forward(&Context::default(), 1 << 12).int[0][0] as usize
}

// ---- the same bits

const SIZES: [usize; 9] = [1, 2, 15, 16, 17, 2047, 2048, 2049, 49152];
const KINDS: usize = 7;
/// Rows of many kinds, the last two not to be read.
fn batch<T: Logit>(v: usize, scaling: Scaling, seed: u64) -> Call<T> {
    let mut r = Random(seed);
    let n = KINDS + 2;
    let mut z: Vec<f32> = (0..n * v).map(|_| r.normal() as f32 * 3.0).collect();
    for i in 0..n {
        let row = &mut z[i * v..(i + 1) * v];
        match i {
            1 => row.fill(1.25),
            2 => row.iter_mut().for_each(|x| *x = x.round()),
            3 => row[r.below(v)] = 25.0,
            4 => row.iter_mut().step_by(3).for_each(|x| *x = -INF),
            5 => row.iter_mut().enumerate().for_each(|(j, x)| *x = j as f32 / v as f32),
            6 => row.iter_mut().for_each(|x| *x += 1000.0),
            7 | 8 => row.fill(f32::NAN),
            _ => {}
        }
    }
    let mut call = Call::new(n, v, z.into_iter().map(T::from_f32).collect());
    let mut target: Vec<i64> = (0..n).map(|_| r.below(v) as i64).collect();
    (target[7], target[8]) = (-100, i64::MIN);
    call.target = Some(target);
    call.mask = Some((0..n).map(|i| (i != 8) as u8).collect());
    call.ids = Some((0..n * 7).map(|i| if i % 5 == 2 { -1 } else { r.below(v) as i32 }).collect());
    call.ids.as_mut().unwrap()[8 * 7] = i32::MAX;
    call.class_weight = Some((0..v).map(|j| (j % 5) as f32 * 0.3).collect());
    call.external =
        (scaling == Scaling::External).then(|| (0..n).map(|i| if i < 7 { 0.3 * i as f32 } else { -1.0 }).collect());
    call.options.row_loss = RowLoss {
        label_smoothing: 0.1,
        smoothing: Some(Smoothing::Torch),
        z_loss: 0.01,
        scaling,
        eaft_alpha: 0.7,
        reduction: Some(Reduction::Mean),
        normaliser: 0.0,
    };
    call.topk = 5;
    call
}
fn setups<T: Logit>(v: usize) -> Vec<(&'static str, Call<T>)> {
    let all = batch::<T>(v, Scaling::Eaft, v as u64);
    let mut plain = batch::<T>(v, Scaling::None, 1 + v as u64);
    plain.options.row_loss.label_smoothing = 0.0;
    (plain.class_weight, plain.options.entropy_k, plain.topk) = (None, 300, 70);
    let mut transformed = batch::<T>(v, Scaling::External, 2 + v as u64);
    transformed.options.transform = Transform { logit_scale: 1.25, softcap: 20.0, temperature: 0.8 };
    transformed.options.n_valid_vocab = (v / 2).max(1);
    transformed.bias = Some((0..v).map(|j| if j % 7 == 6 { -INF } else { (j % 11) as f32 * 0.1 }).collect());
    transformed.options.row_loss.smoothing = Some(Smoothing::Megatron);
    if v < 4 {
        transformed.options.row_loss.label_smoothing = 0.0;
    }
    vec![("everything", all), ("plain", plain), ("transformed", transformed)]
}
fn table<T: Logit<Row = f32>>(floor: usize) {
    let mut cases = Cases::default();
    let all = contexts();
    let threaded = [context(Isa::detect(), 2), context(Isa::detect(), 3)];
    for v in SIZES {
        for (name, call) in setups::<T>(v) {
            let want = call.forward(&all[0], ALL);
            for c in all.iter().chain(&threaded) {
                let what = format!("{} V {v} {name} {} {}", T::DTYPE, c.isa().name(), c.threads());
                let few = v > 4096 && (c.isa() == Isa::Scalar || c.threads() > 1);
                let each = (0..if few { 0 } else { OUTPUTS }).map(|k| 1 << k);
                for which in [0, ALL].into_iter().chain(each) {
                    call.forward(c, which).check(&format!("{what} outputs {which:x}"), &call, &want, which);
                    cases.ran();
                }
            }
            // every gradient at once, and each alone
            let r = &mut Random(5);
            let mut vector = |n: usize| Some((0..n).map(|_| r.normal() as f32).collect::<Vec<f32>>());
            let (n, k) = (call.n, call.k());
            let up = Up {
                logprob: vector(n),
                lse: vector(n),
                entropy: vector(n),
                extra: vector(n * k),
                row_loss: vector(n),
                loss: Some(0.75),
            };
            let ups = [
                up.clone(),
                Up { row_loss: up.row_loss.clone(), ..Up::default() },
                Up { extra: up.extra.clone(), ..Up::default() },
                Up { loss: up.loss, ..Up::default() },
                // zeros of both signs
                Up { extra: Some(vec![1.0; n * k]), ..Up::default() },
                Up { extra: Some(vec![-1.0; n * k]), ..Up::default() },
            ];
            for (u, up) in ups.iter().enumerate() {
                let first = call.backward::<f32>(&all[0], up, None, Place::Apart);
                let own = call.backward::<T>(&all[0], up, None, Place::Apart);
                let rounded: Vec<T> = first.g.iter().map(|&g| T::from_f32(g)).collect();
                same("rounded once", &own.g, &rounded);
                for c in all.iter().chain(&threaded) {
                    for stats in [None, Some(&want.real[SAVED][..])] {
                        let what = format!(
                            "{} V {v} {name} {} upstream {u} stats {}",
                            T::DTYPE,
                            c.isa().name(),
                            stats.is_some()
                        );
                        let apart = call.backward::<f32>(c, up, stats, Place::Apart);
                        same(&what, &apart.g, &first.g);
                        same(&format!("{what} bias"), &apart.bias, &first.bias);
                        same(&format!("{what} status"), &apart.status, &first.status);
                        same(&what, &call.backward::<T>(c, up, stats, Place::Same).g, &own.g);
                        same(&what, &call.backward::<T>(c, up, stats, Place::NoBias).g, &own.g);
                        cases.ran();
                    }
                }
            }
            // the gradient formed in the forward
            let loss = Up { loss: Some(0.75), ..Up::default() };
            let first = call.backward::<T>(&all[0], &loss, None, Place::Apart);
            for c in all.iter().chain(&threaded) {
                for in_place in [false, true] {
                    for which in [0, 1 << SAVED, ALL] {
                        let (out, g, bias) = fused(&call, c, which, in_place);
                        out.check(&format!("fused {name}"), &call, &want, which);
                        same("fused gradient", &g, &first.g);
                        same("fused gradient of the bias", &bias, &first.bias);
                        cases.ran();
                    }
                }
            }
        }
    }
    cases.finish(&format!("row options, bits {}", T::DTYPE), floor);
}
fn fused<T: Logit>(call: &Call<T>, c: &Context, which: u32, in_place: bool) -> (Out<T::Row>, Vec<T>, Vec<T::Row>) {
    let (problem, n, v) = (call.problem(), call.n, call.v);
    let (mut z, mut g) = (call.z.clone(), vec![T::from_f32(7.5); n * v]);
    let mut bias = vec![T::Row::from_f32(7.5); v];
    let mut out = Out::new(call);
    let (figures, totals) = out.places(call, which);
    let grad = if in_place {
        Grad::InPlace(T::view_mut(MatrixMut::contiguous(&mut z, n, v).unwrap()))
    } else {
        Grad::Separate(call.logits(), T::view_mut(MatrixMut::contiguous(&mut g, n, v).unwrap()))
    };
    let fused = Fused { grad, bias: Some(MatrixMut::vector(&mut bias)), upstream: 1.5, scale: 0.5 };
    let need = kernel::fused_workspace::<T::Row>(&problem, totals.loss.is_some(), figures.stats.is_some()).minimum;
    with_scratch(need, |s| {
        kernel::forward_fused(c, &problem, call.backward_inputs(), call.extra_ids(), figures, totals, fused, s)
    })
    .unwrap();
    (out, if in_place { z } else { g }, bias)
}
#[test]
fn bits_f32() {
    table::<f32>(3000);
}
#[test]
fn bits_bf16() {
    table::<bf16>(3000);
}
#[test]
fn bits_f16() {
    table::<f16>(3000);
}

/// A row alone, whose columns several threads share: the bits of one thread.
#[test]
fn few_rows() {
    fn go<T: Logit<Row = f32>>(cases: &mut Cases) {
        let v = 49152;
        let (alone, threads) = (context(Isa::detect(), 0), context(Isa::detect(), 4));
        for (name, all) in setups::<T>(v) {
            for i in 0..all.n {
                let one = |x: &[f32]| vec![x[i]];
                let call = Call {
                    n: 1,
                    z: all.z[i * v..(i + 1) * v].to_vec(),
                    target: all.target.as_ref().map(|x| vec![x[i]]),
                    mask: all.mask.as_ref().map(|x| vec![x[i]]),
                    ids: None,
                    external: all.external.as_ref().map(|x| one(x)),
                    bias: all.bias.clone().filter(|_| i % 2 == 0),
                    ..all.clone()
                };
                let stats = call.forward(&alone, ALL).real[SAVED].clone();
                let up = |k: i32| Some(vec![0.25 * k as f32]);
                let ups = [
                    Up { logprob: up(3), lse: up(-1), entropy: up(2), row_loss: up(5), ..Up::default() },
                    Up { logprob: up(-2), ..Up::default() },
                    Up { loss: Some(0.75), ..Up::default() },
                ];
                for (u, up) in ups.iter().enumerate() {
                    for stats in [None, Some(&stats[..])] {
                        for place in [Place::Apart, Place::NoBias, Place::Same] {
                            let what = format!("{} {name} row {i} upstream {u} stats {}", T::DTYPE, stats.is_some());
                            let want = call.backward::<T>(&alone, up, stats, place);
                            let got = call.backward::<T>(&threads, up, stats, place);
                            same(&what, &got.g, &want.g);
                            same(&format!("{what} status"), &got.status, &want.status);
                            cases.ran();
                        }
                    }
                }
                for in_place in [false, true] {
                    let (want, got) = (fused(&call, &alone, 0, in_place), fused(&call, &threads, 0, in_place));
                    same(&format!("{name} row {i} fused"), &got.1, &want.1);
                    cases.ran();
                }
            }
        }
    }
    let mut cases = Cases::default();
    go::<f32>(&mut cases);
    go::<bf16>(&mut cases);
    cases.finish("rows alone, bits", 2 * 3 * 9 * (3 * 2 * 3 + 2));
}

// ---- against finite differences, in f64

/// Gradients of the loss, of the extra log-probs and of the bias by central differences.
#[test]
fn finite_differences() {
    let (mut cases, c) = (Cases::default(), Context::default());
    for (k, reduction) in
        [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean, Reduction::Mean].into_iter().enumerate()
    {
        for form in [Smoothing::Torch, Smoothing::Megatron] {
            for transformed in [false, true] {
                let (n, v) = (4, 9);
                let mut r = Random(31 + k as u64);
                let z: Vec<f64> = (0..n * v).map(|i| if i % 9 == 4 { f64::NEG_INFINITY } else { r.normal() }).collect();
                let mut call = Call::new(n, v, z);
                call.target = Some(vec![0, 3, -100, 8]);
                call.ids = Some((0..n * 3).map(|i| [3, -1, 0, 7, 7, 2, 1, 4, 8, 8, 8, 3][i]).collect());
                call.class_weight = (k != 1).then(|| (0..v).map(|j| [0.5, 0.0, 1.5][j % 3]).collect());
                call.external = Some(vec![0.5, 1.25, -1.0, 0.75]);
                if transformed {
                    call.options.transform = Transform { logit_scale: 1.25, softcap: 3.0, temperature: 0.75 };
                    call.bias = Some((0..v).map(|j| 0.1 * j as f32).collect());
                }
                call.options.row_loss = RowLoss {
                    label_smoothing: 0.2,
                    smoothing: Some(form),
                    z_loss: 0.05,
                    scaling: Scaling::External,
                    reduction: Some(reduction),
                    normaliser: if k == 3 { 2.5 } else { 0.0 },
                    ..RowLoss::default()
                };
                let loss = |call: &Call<f64>| call.forward(&c, ALL).loss;
                let weights = [[0.5, -1.0, 2.0], [1.5, 0.25, -0.5], [9.0, 9.0, 9.0], [1.0, 2.0, -0.75]];
                let named = |call: &Call<f64>| {
                    let out = call.forward(&c, ALL);
                    let all = weights.as_flattened().iter().zip(&out.real[EXTRA]);
                    all.filter(|(_, lp)| lp.is_finite()).map(|(w, lp)| w * lp).sum::<f64>()
                };
                let up = Up { loss: Some(1.0), ..Up::default() };
                let of_loss = call.backward::<f64>(&c, &up, None, Place::Apart);
                let up = Up { extra: Some(weights.as_flattened().to_vec()), ..Up::default() };
                let of_named = call.backward::<f64>(&c, &up, None, Place::Apart);
                let h = 1e-5;
                let mut column = vec![0.0; v];
                for i in 0..n * v {
                    if i % v == 4 {
                        assert_eq!((of_loss.g[i], of_named.g[i]), (0.0, 0.0));
                        continue;
                    }
                    let (mut up, mut down) = (call.clone(), call.clone());
                    (up.z[i], down.z[i]) = (call.z[i] + h, call.z[i] - h);
                    let want = (loss(&up) - loss(&down)) / (2.0 * h);
                    assert!((of_loss.g[i] - want).abs() < 1e-8, "{i}: {} {want}", of_loss.g[i]);
                    let want = (named(&up) - named(&down)) / (2.0 * h);
                    assert!((of_named.g[i] - want).abs() < 1e-8, "{i}: {} {want}", of_named.g[i]);
                    column[i % v] += of_loss.g[i];
                    cases.ran();
                }
                for j in 0..v {
                    assert!((of_loss.bias[j] - column[j]).abs() < 1e-14);
                }
            }
        }
    }
    cases.finish("finite differences of the loss", 16 * 32);
}

// ---- definitions

/// Every omega is a constant: its gradient is that of the external one.
#[test]
fn scaling_is_a_constant() {
    let c = Context::default();
    for scaling in [Scaling::Dft, Scaling::ChordPhi, Scaling::Eaft, Scaling::EaftRaw] {
        let call = batch::<f32>(300, scaling, 8);
        let out = call.forward(&c, ALL);
        let mut fixed = call.clone();
        fixed.options.row_loss.scaling = Scaling::External;
        fixed.external = Some(out.real[SCALE].clone());
        let up = Up { loss: Some(1.0), ..Up::default() };
        let (a, b) =
            (call.backward::<f32>(&c, &up, None, Place::Apart), fixed.backward::<f32>(&c, &up, None, Place::Apart));
        same("gradient", &a.g, &b.g);
        same("loss", &out.real[LOSS], &fixed.forward(&c, ALL).real[LOSS]);
        assert!(out.real[SCALE][..7].iter().any(|&w| w > 0.0 && w != 1.0), "{scaling:?}");
        assert_eq!(out.real[SCALE][7..], [0.0, 0.0]);
    }
}
/// The list of the largest columns is the sorted row, for any length and order.
#[test]
fn top_k_is_sorted() {
    let mut cases = Cases::default();
    let all = contexts();
    for k in [1, 2, 31, 32, 33, 200, 511, 512] {
        for kind in 0..5 {
            let v = 5000;
            let mut r = Random(k as u64 + 100 * kind);
            let z: Vec<f32> = (0..v)
                .map(|j| match kind {
                    0 => r.normal() as f32,
                    1 => j as f32,
                    2 => -(j as f32),
                    3 => r.below(7) as f32,
                    _ => {
                        if j % 40 == 3 {
                            r.normal() as f32
                        } else {
                            -INF
                        }
                    }
                })
                .collect();
            let mut order: Vec<usize> = (0..v).filter(|&j| z[j] > -INF).collect();
            order.sort_by(|&a, &b| z[b].total_cmp(&z[a]).then(a.cmp(&b)));
            let want: Vec<i32> = (0..k).map(|i| order.get(i).map_or(-1, |&j| j as i32)).collect();
            let mut call = Call::new(1, v, z);
            call.topk = k;
            for c in &all {
                let out = call.forward(c, 1 << 15 | 1 << TOPK);
                assert_eq!(out.int[IDS], want, "{k} of kind {kind}");
                assert!(out.real[TOPK].is_sorted_by(|a, b| a >= b));
                assert!(want.iter().zip(&out.real[TOPK]).all(|(&j, &lp)| (j < 0) == (lp == -INF)));
                cases.ran();
            }
        }
    }
    cases.finish("top-k", 2 * 40);
}
#[test]
fn shift_stays_inside_its_sequence() {
    let (n, v) = (7, 5);
    let mut r = Random(3);
    let z: Vec<f32> = (0..n * v).map(|_| r.normal() as f32).collect();
    let target = vec![i64::MAX, 1, 2, 9, 3, 4, 0];
    let offsets = vec![0, 3, 3, 6, 7];
    for (shift, want) in [
        // the target of each row, if it has one
        (1, [Some(1), Some(2), None, Some(3), Some(4), None, None]),
        (2, [Some(2), None, None, Some(4), None, None, None]),
        (3, [None; 7]),
    ] {
        let mut call = Call::new(n, v, z.clone());
        (call.target, call.offsets, call.options.shift) = (Some(target.clone()), Some(offsets.clone()), shift);
        let mut plain = Call::new(n, v, z.clone());
        plain.target = Some(want.iter().map(|y| y.unwrap_or(-100)).collect());
        let c = Context::default();
        let got = call.forward(&c, ALL);
        got.check("shifted", &call, &plain.forward(&c, ALL), ALL);
        let up = Up { logprob: Some(vec![1.0; n]), ..Up::default() };
        let (a, b) =
            (call.backward::<f32>(&c, &up, None, Place::Apart), plain.backward::<f32>(&c, &up, None, Place::Apart));
        same("gradient", &a.g, &b.g);
    }
    // one sequence, and rows of a batch
    let mut call = Call::new(4, v, z[..4 * v].to_vec());
    (call.target, call.options.shift) = (Some(vec![0, 1, 2, 3]), 1);
    let one = call.rows();
    let batch = Rows { segments: Some(Segments::Padded { sequences: 2, width: 2 }), ..one };
    let flags = |rows: Rows<'_>| {
        let mut status = [77; 4];
        let out = Figures::<f32> { status: Some(MatrixMut::vector(&mut status)), ..Figures::default() };
        let inputs = Inputs::new(call.logits(), TransformInputs::default(), rows);
        kernel::forward(&Context::default(), &call.problem(), inputs, out).unwrap();
        status
    };
    assert_eq!((flags(one), flags(batch)), ([0, 0, 0, 1], [0, 1, 0, 1]));
}
#[test]
fn reductions() {
    let c = Context::default();
    let mut call = batch::<f32>(50, Scaling::None, 4);
    let rows: Vec<f64> = call.forward(&c, ALL).real[LOSS].iter().map(|&x| x as f64).collect();
    let sum: f64 = rows.iter().sum();
    let weights: f64 = call.target.as_ref().unwrap()[..7]
        .iter()
        .map(|&y| call.class_weight.as_ref().unwrap()[y as usize] as f64)
        .sum();
    for (reduction, normaliser, z) in [
        (Reduction::Sum, 0.0, 1.0),
        (Reduction::Mean, 0.0, 7.0),
        (Reduction::WeightedMean, 0.0, weights),
        (Reduction::Sum, 12.5, 12.5),
        (Reduction::Mean, 12.5, 12.5),
    ] {
        (call.options.row_loss.reduction, call.options.row_loss.normaliser) = (Some(reduction), normaliser);
        let out = call.forward(&c, ALL);
        assert!((out.loss - sum / z).abs() <= 1e-6 * sum.abs() / z, "{reduction:?}: {} {}", out.loss, sum / z);
        assert_eq!(out.counters[0], 2);
        assert_eq!(out.counters.iter().sum::<i64>(), 2);
    }
    // nothing counts
    call.mask = Some(vec![0; call.n]);
    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::WeightedMean] {
        (call.options.row_loss.reduction, call.options.row_loss.normaliser) = (Some(reduction), 0.0);
        let out = call.forward(&c, ALL);
        assert_eq!((out.loss, out.counters[0], out.counters[7]), (0.0, 9, 1));
        let g = call.backward::<f32>(&c, &Up { loss: Some(1.0), ..Up::default() }, None, Place::Apart);
        assert!(g.g.iter().chain(&g.bias).all(|&g| g == 0.0));
    }
    // no rows at all
    let mut none = Call::<f32>::new(0, 50, vec![]);
    (none.target, none.options.row_loss.reduction) = (Some(vec![]), Some(Reduction::Mean));
    let out = none.forward(&c, ALL);
    assert_eq!((out.loss, out.counters[7]), (0.0, 1));
}
/// The sums of the bias are cut at 2048 rows that are read.
#[test]
fn bias_sums_are_blocked() {
    let (n, v) = (4500, 3);
    let mut r = Random(77);
    let mut call = Call::new(n, v, (0..n * v).map(|_| r.normal() as f32).collect());
    call.target = Some((0..n).map(|i| if i % 10 == 0 { -100 } else { r.below(v) as i64 }).collect());
    let up = Up { logprob: Some(vec![1.0; n]), ..Up::default() };
    for c in contexts() {
        let got = call.backward::<f32>(&c, &up, None, Place::Apart);
        for j in 0..v {
            let live: Vec<f32> = (0..n).filter(|i| i % 10 != 0).map(|i| got.g[i * v + j]).collect();
            let sums: Vec<f32> = live.chunks(2048).map(|block| block.iter().fold(0.0, |s, g| s + g)).collect();
            let want = sums[1..].iter().fold(sums[0], |s, b| s + b);
            assert_eq!(got.bias[j], want, "{}", c.isa().name());
        }
    }
}

// ---- edge cases (section 12 of the specification)

/// One row with every option, forward and backward, the same on every instruction set.
fn one(z: &[f32], y: i64, change: impl Fn(&mut Call<f32>)) -> (Out<f32>, Vec<f32>) {
    let mut call = Call::new(1, z.len(), z.to_vec());
    call.target = Some(vec![y]);
    call.ids = Some(vec![0, -1, 2]);
    call.options.row_loss = RowLoss {
        label_smoothing: 0.1,
        smoothing: Some(Smoothing::Torch),
        z_loss: 0.01,
        reduction: Some(Reduction::Sum),
        ..RowLoss::default()
    };
    change(&mut call);
    let mut first: Option<(Out<f32>, Vec<f32>)> = None;
    for c in contexts() {
        let out = call.forward(&c, ALL);
        let up = Up { row_loss: Some(vec![1.0]), extra: Some(vec![0.5, 0.25, -1.0]), ..Up::default() };
        let g = call.backward::<f32>(&c, &up, None, Place::Apart);
        same("status", &g.status, &out.status);
        same("saved", &call.backward::<f32>(&c, &up, Some(&out.real[SAVED]), Place::Apart).g, &g.g);
        match &first {
            Some((o, h)) => {
                out.check(c.isa().name(), &call, o, ALL);
                same(c.isa().name(), &g.g, h);
            }
            None => first = Some((out, g.g)),
        }
    }
    first.unwrap()
}
#[test]
fn edges() {
    const N: i32 = -1;
    let row = [0.5, -INF, 2.0, 2.0, 1.0];
    let nan = |x: &[f32]| x.iter().all(|x| x.is_nan());
    // dead columns, live target
    let (o, g) = one(&row, 3, |_| {});
    assert_eq!((o.int[RANK][0], o.int[TIES][0], &o.int[IDS][..]), (0, 1, &[2, 3, 4][..]));
    assert!((o.real[MEAN][0] - 1.375).abs() < 1e-6 && o.real[LOSS][0].is_finite() && g[1].to_bits() == 0);
    // target dead
    let (o, g) = one(&row, 1, |_| {});
    assert_eq!((o.int[RANK][0], o.int[TIES][0], o.status[0]), (4, 0, row::TARGET_NEG_INF));
    assert_eq!((o.int[IDS][0], o.real[LOSS][0], o.loss), (2, INF, f64::INFINITY));
    assert!(g.iter().all(|g| g.to_bits() == 0));
    for scaling in [Scaling::Dft, Scaling::ChordPhi] {
        let (o, g) = one(&row, 1, |call| call.options.row_loss.scaling = scaling);
        let z_loss = 0.01 * o.real[1][0] * o.real[1][0];
        assert!(o.real[SCALE][0] == 0.0 && (o.real[LOSS][0] - z_loss).abs() < 1e-6 && g.iter().all(|&g| g == 0.0));
    }
    // a class weight of 0 takes the infinity away
    let (o, _) = one(&row, 1, |call| {
        call.class_weight = Some(vec![1.0, 0.0, 1.0, 1.0, 1.0]);
        call.options.row_loss.label_smoothing = 0.0;
    });
    assert!((o.real[LOSS][0] - 0.01 * o.real[1][0] * o.real[1][0]).abs() < 1e-6);
    // all dead
    let (o, g) = one(&[-INF; 5], 1, |_| {});
    assert!(nan(&[o.real[0][0], o.real[MEAN][0], o.real[TOPK_ENTROPY][0], o.real[SCALE][0], o.real[LOSS][0]]));
    assert_eq!((o.int[RANK][0], o.int[TIES][0], &o.int[IDS][..]), (N, N, &[N; 3][..]));
    assert!(o.real[TOPK].iter().all(|&x| x == -INF) && o.real[EXTRA][1] == -INF && o.real[EXTRA][0].is_nan());
    assert!(g.iter().all(|&g| g == 0.0) && o.loss.is_nan());
    // NaN and +inf
    for bad in [f32::NAN, INF] {
        let (o, g) = one(&[0.5, bad, 2.0, 2.0, 1.0], 3, |_| {});
        for k in [MEAN, TOPK, TOPK_ENTROPY, EXTRA, SCALE, LOSS] {
            assert!(nan(&o.real[k]), "figure {k}");
        }
        assert_eq!((o.int[RANK][0], o.int[TIES][0], &o.int[IDS][..]), (N, N, &[N; 3][..]));
        assert!(nan(&g) && o.loss.is_nan());
    }
    // ignored, garbage unread
    let (o, g) = one(&[f32::NAN; 5], -100, |call| call.ids = Some(vec![0, -1, 2]));
    for k in [MEAN, TOPK, TOPK_ENTROPY, EXTRA, SCALE, LOSS] {
        assert!(o.real[k].iter().all(|&x| x == 0.0), "figure {k}");
    }
    assert_eq!((o.int[RANK][0], o.int[TIES][0], &o.int[IDS][..]), (N, N, &[N; 3][..]));
    assert!(g.iter().all(|&g| g == 0.0) && o.loss == 0.0);
    // one live column
    for form in [Smoothing::Torch, Smoothing::Megatron] {
        let (o, g) = one(&[-INF, -INF, 3.0, -INF, -INF], 2, |call| {
            (call.options.row_loss.smoothing, call.options.row_loss.z_loss) = (Some(form), 0.0)
        });
        assert_eq!((o.real[LOSS][0], o.real[MEAN][0], o.real[TOPK_ENTROPY][0]), (0.0, 3.0, 0.0));
        assert_eq!((o.int[RANK][0], &o.int[IDS][..]), (0, &[2, N, N][..]));
        // the extra column 0 is dead: its log-prob still falls with the lse
        assert_eq!(g, [0.0, 0.0, -0.5, 0.0, 0.0]);
    }
    // equal logits
    let (o, _) = one(&[7.0; 5], 4, |call| call.options.row_loss.z_loss = 0.0);
    let want = 5f32.ln();
    assert_eq!((o.real[LOSS][0], o.real[TOPK_ENTROPY][0], o.real[MEAN][0]), (want, want, 7.0));
    assert_eq!((o.int[RANK][0], o.int[TIES][0], &o.int[IDS][..]), (0, 4, &[0, 1, 2][..]));
    // -0 and +0 are one value
    let (o, _) = one(&[0.0, -0.0, 0.0, -0.0, -1.0], 1, |_| {});
    assert_eq!((o.int[RANK][0], o.int[TIES][0], &o.int[IDS][..]), (0, 3, &[0, 1, 2][..]));
    // padding: a target there is dead, an id there too
    let (o, g) = one(&[0.5, 1.0, f32::NAN, f32::NAN, 1.0], 3, |call| call.options.n_valid_vocab = 2);
    assert_eq!((o.int[RANK][0], o.status[0], o.real[EXTRA][2]), (2, row::TARGET_NEG_INF, -INF));
    assert!(g.iter().all(|&g| g == 0.0));
    // the largest numbers: distances beyond f32 do not become NaN
    let (o, g) = one(&[3e38, -3e38, 3e38, 0.0, 1.0], 0, |_| {});
    assert!(!o.real[LOSS][0].is_nan() && !o.real[MEAN][0].is_nan() && g.iter().all(|g| !g.is_nan()), "{:?}", o.real);
}

// ---- refusals

#[test]
fn refusals() {
    let mut cases = Cases::default();
    let c = Context::default();
    type Change = fn(&mut Call<f32>);
    let options: [(&str, Change); 19] = [
        ("row_loss.label_smoothing", |c| c.options.row_loss.label_smoothing = -0.1),
        ("row_loss.label_smoothing", |c| c.options.row_loss.label_smoothing = 1.0),
        ("row_loss.label_smoothing", |c| c.options.row_loss.label_smoothing = f64::NAN),
        ("row_loss.smoothing_form", |c| {
            (c.options.row_loss.label_smoothing, c.options.row_loss.smoothing) = (0.1, None);
        }),
        ("row_loss.label_smoothing", |c| {
            (c.options.row_loss.label_smoothing, c.options.row_loss.smoothing) = (0.9, Some(Smoothing::Megatron));
        }),
        ("row_loss.z_loss", |c| c.options.row_loss.z_loss = -1.0),
        ("row_loss.z_loss", |c| c.options.row_loss.z_loss = f64::INFINITY),
        ("row_loss.eaft_alpha", |c| c.options.row_loss.eaft_alpha = f64::NAN),
        ("row_loss.eaft_alpha", |c| c.options.row_loss.eaft_alpha = -0.5),
        ("row_loss.normaliser", |c| c.options.row_loss.normaliser = -1.0),
        ("row_loss.normaliser", |c| c.options.row_loss.normaliser = f64::NAN),
        ("row_loss.normaliser", |c| {
            (c.options.row_loss.normaliser, c.options.row_loss.reduction) = (2.0, Some(Reduction::None));
        }),
        ("row_loss.normaliser", |c| (c.options.row_loss.normaliser, c.options.row_loss.reduction) = (2.0, None)),
        ("figures.entropy_k", |c| c.options.entropy_k = 513),
        ("rows.shift", |c| c.options.shift = 1 << 31),
        ("transform.softcap", |c| c.options.transform.softcap = -1.0),
        ("transform.temperature", |c| c.options.transform.temperature = f64::NAN),
        ("transform.logit_scale", |c| c.options.transform.logit_scale = f64::INFINITY),
        ("transform.n_valid_vocab", |c| c.options.n_valid_vocab = 6),
    ];
    for (field, change) in options {
        let mut call = batch::<f32>(5, Scaling::None, 1);
        change(&mut call);
        let e = Problem::new(call.n, call.v, call.options).unwrap_err();
        assert_eq!((e.status, e.field), (Status::InvalidArgument, field));
        assert!(!e.to_string().is_empty());
        cases.ran();
    }
    let (invalid, shape, range) = (Status::InvalidArgument, Status::ShapeMismatch, Status::OutOfRange);
    let arrays: [(&str, Status, Change); 17] = [
        ("row_loss.class_weight", invalid, |c| c.class_weight.as_mut().unwrap()[3] = -0.5),
        ("row_loss.class_weight", invalid, |c| c.class_weight.as_mut().unwrap()[3] = f32::NAN),
        ("row_loss.class_weight", invalid, |c| c.class_weight.as_mut().unwrap()[4] = INF),
        ("row_loss.class_weight", shape, |c| c.class_weight = Some(vec![1.0; 4])),
        ("row_loss.external_scale", invalid, |c| c.external = Some(vec![1.0; 9])),
        ("row_loss.external_scale", invalid, |c| c.options.row_loss.scaling = Scaling::External),
        ("row_loss.external_scale", invalid, |c| {
            (c.options.row_loss.scaling, c.external) = (Scaling::External, Some(vec![-1.0; 9]));
        }),
        ("row_loss.external_scale", shape, |c| {
            (c.options.row_loss.scaling, c.external) = (Scaling::External, Some(vec![1.0; 8]));
        }),
        ("figures.extra_ids", range, |c| c.ids.as_mut().unwrap()[9] = 5),
        ("figures.extra_ids", range, |c| c.ids.as_mut().unwrap()[9] = -2),
        ("rows.target", range, |c| c.target.as_mut().unwrap()[2] = 5),
        ("rows.target", invalid, |c| c.target = None),
        ("rows.cu_seqlens", range, |c| c.offsets = Some(vec![0, 4, 8])),
        ("rows.cu_seqlens", range, |c| c.offsets = Some(vec![1, 9])),
        ("rows.cu_seqlens", range, |c| c.offsets = Some(vec![0, 6, 5, 9])),
        ("figures.out_topk_ids", shape, |c| c.topk = 513),
        ("row_loss.reduction", invalid, |c| c.options.row_loss.reduction = None),
    ];
    for (field, status, change) in arrays {
        let mut call = batch::<f32>(5, Scaling::None, 1);
        change(&mut call);
        let mut out = Out::new(&call);
        let problem = call.problem();
        // ask for the loss also where it cannot be had
        let mut place = [7.5f64];
        let (figures, _) = out.places(&call, ALL);
        let totals = Totals { loss: Some(MatrixMut::vector(&mut place).into()), counters: None };
        let need = kernel::forward_workspace(&problem, true).minimum;
        let e =
            with_scratch(need, |s| kernel::forward_loss(&c, &problem, call.inputs(), figures, totals, s)).unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        out.check("a refused call", &call, &Out::new(&call), ALL);
        assert_eq!(place, [7.5]);
        cases.ran();
    }
    // upstream gradients
    type Ups = fn(&mut Call<f32>, &mut Up<f32>);
    let ups: [(&str, Status, Ups); 7] = [
        ("upstream.grad_row_loss", shape, |_, u| u.row_loss = Some(vec![1.0; 3])),
        ("rows.target", invalid, |c, u| (c.target, u.row_loss) = (None, Some(vec![1.0; 9]))),
        ("rows.target", invalid, |c, u| (c.target, u.loss) = (None, Some(1.0))),
        ("row_loss.reduction", invalid, |c, u| (c.options.row_loss.reduction, u.loss) = (None, Some(1.0))),
        ("upstream.grad_loss", invalid, |c, u| {
            (c.options.row_loss.reduction, u.loss) = (Some(Reduction::None), Some(1.0));
        }),
        ("upstream.extra_ids", range, |c, u| {
            c.ids.as_mut().unwrap()[0] = 7;
            u.extra = Some(vec![1.0; 63]);
        }),
        ("row_loss.class_weight", invalid, |c, _| c.class_weight = Some(vec![-1.0; 5])),
    ];
    for (field, status, change) in ups {
        let (mut call, mut up) = (batch::<f32>(5, Scaling::None, 1), Up::default());
        change(&mut call, &mut up);
        let (mut g, mut bias) = (vec![7.5f32; 45], vec![7.5f32; 5]);
        let grad = Grad::Separate(call.logits(), MatrixMut::contiguous(&mut g, 9, 5).unwrap().into());
        let problem = call.problem();
        let need = kernel::backward_workspace::<f32>(&problem, false, true).minimum;
        let e = with_scratch(need, |s| {
            let place = Some(MatrixMut::vector(&mut bias[..]));
            kernel::backward_bias(&c, &problem, call.backward_inputs(), None, up.view(&call), grad, None, place, s)
        })
        .unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        assert!(g.iter().chain(&bias).all(|&g| g == 7.5));
        cases.ran();
    }
    // types: figures in f64 need f64 logits, and the other way round
    let call = Call::new(1, 3, vec![1.0f64, 2.0, 3.0]);
    let mut x = [7.5f32];
    let out = Figures { lse: Some(MatrixMut::vector(&mut x)), ..Figures::default() };
    let e = kernel::forward(&c, &call.problem(), call.inputs(), out).unwrap_err();
    assert_eq!((e.field, e.status), ("logits", Status::UnsupportedDtype));
    let call = Call::new(1, 3, vec![1.0f32, 2.0, 3.0]);
    let mut x = [7.5f64];
    let out = Figures { lse: Some(MatrixMut::vector(&mut x)), ..Figures::default() };
    let e = kernel::forward(&c, &call.problem(), call.inputs(), out).unwrap_err();
    assert_eq!((e.field, e.status), ("logits", Status::UnsupportedDtype));
    // a workspace below the minimum
    let call = batch::<f32>(5, Scaling::None, 1);
    let mut out = Out::new(&call);
    let (figures, totals) = out.places(&call, ALL);
    let e = kernel::forward_loss(&c, &call.problem(), call.inputs(), figures, totals, &mut []).unwrap_err();
    assert_eq!((e.field, e.status), ("workspace_size", Status::WorkspaceTooSmall));
    cases.finish("refusals of row options", 43);
}
