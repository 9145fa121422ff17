//! Cases whose bits are committed in `golden/hashes.txt`: every operation on data made from integers alone, so that no
//! mathematical library of the platform has a say in it.
use truing_core::advantage as adv;
use truing_core::catalog::{Kind, slot};
use truing_core::divergence as div;
use truing_core::linear_preference as chain;
use truing_core::logprob::{ExtraIds, Figures, Options, Problem, Rows, STATS, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Floats, FloatsMut, Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::policy as pol;
use truing_core::preference as pref;
use truing_core::row_loss::{Reduction, RowLoss, RowLossInputs, Scaling, Smoothing};
use truing_core::sequence as seq;
use truing_core::{linear_logprob as core_linear, linear_preference};
use truing_cpu::linear_logprob::Grads;
use truing_cpu::{Context, advantage, divergence as pairs, linear_logprob, logprob, policy, preference, sequence};
use truing_tests::{Bits, Data, Random, id, with_scratch};

/// Cases of each operation.
pub const CASES: usize = 200;
/// Name and "run case i": the hash of every output.
pub const OPERATIONS: [(&str, fn(usize, &Context) -> u64); 17] = [
    ("logprob_forward", logprob_forward),
    ("logprob_backward", logprob_backward),
    ("linear_logprob_forward", linear_logprob_forward),
    ("linear_logprob_backward", linear_logprob_backward),
    ("sequence_forward", sequence_forward),
    ("sequence_backward", sequence_backward),
    ("preference_forward", preference_forward),
    ("policy_forward", policy_forward),
    ("linear_preference_forward", linear_preference_forward),
    ("logprob_options", logprob_options),
    ("policy_stages", policy_stages),
    ("linear_policy_forward", linear_policy_forward),
    ("divergence", divergence),
    ("advantage", advantages),
    ("composites", composites),
    ("linear_divergence_forward", linear_divergence_forward),
    ("uld", uld),
];
/// Where the hashes are committed.
pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/hashes.txt");

/// The text of [`FILE`]: an operation, the number of its first case, eight hashes.
pub fn text(context: &Context) -> String {
    let mut text = String::new();
    for (name, run) in OPERATIONS {
        for i in 0..CASES {
            if i % 8 == 0 {
                text += &format!("{name} {i:3}");
            }
            text += &format!(" {:016x}", run(i, context));
            if i % 8 == 7 {
                text += "\n";
            }
        }
    }
    text
}

struct Hash(u64);
impl Hash {
    fn new() -> Hash {
        Hash(0x243f_6a88_85a3_08d3)
    }
    fn add<T: Bits>(&mut self, x: &[T]) {
        for word in core::iter::once(x.len() as u64).chain(x.iter().map(|v| v.key())) {
            self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.0 ^= self.0 >> 29;
        }
    }
}

/// `size` times a multiple of 2^-16 in [-1, 1), mostly small.
fn real(r: &mut Random, size: f32) -> f32 {
    let part = |b: u64| (b as u16 as i32 - 32768) as f32 / 32768.0;
    let b = r.bits();
    part(b) * part(b >> 16) * size
}
fn reals(r: &mut Random, n: usize, size: f32) -> Vec<f32> {
    (0..n).map(|_| real(r, size)).collect()
}
fn doubles(r: &mut Random, n: usize, size: f32, at: f64) -> Vec<f64> {
    (0..n).map(|_| at + real(r, size) as f64).collect()
}

/// What rows of logits need besides the logits.
struct RowCase {
    n: usize,
    v: usize,
    options: Options,
    bias: Option<Data>,
    temperatures: Option<Vec<f32>>,
    target: Vec<i32>,
    mask: Vec<u8>,
    upstream: [Vec<f32>; 3],
}
const IGNORE: i32 = -100;
impl RowCase {
    fn new(r: &mut Random, n: usize, v: usize) -> RowCase {
        let what = r.below(5);
        let transform = Transform {
            logit_scale: if what == 4 { 1.25 } else { 1.0 },
            softcap: if what >= 3 { 8.0 } else { 0.0 },
            temperature: if what == 1 { 0.75 } else { 1.0 },
        };
        let n_valid_vocab = if what == 2 { v.div_ceil(2) } else { 0 };
        let bias = (what == 2 || what == 4).then(|| {
            let mut b = reals(r, v, 2.0);
            (0..v).filter(|j| j % 9 == 7).for_each(|j| b[j] = f32::NEG_INFINITY);
            Data::new(r.below(3), &b)
        });
        RowCase {
            n,
            v,
            options: Options { transform, n_valid_vocab, ignore_index: Some(IGNORE as i64), ..Options::default() },
            bias,
            temperatures: (what == 3).then(|| (0..n).map(|i| [1.0, 0.5, 1.75][i % 3]).collect()),
            target: (0..n).map(|i| if i % 7 == 6 { IGNORE } else { r.below(v) as i32 }).collect(),
            mask: (0..n).map(|i| (i % 5 != 4) as u8).collect(),
            upstream: [1.5, 0.5, 0.25].map(|size| reals(r, n, size)),
        }
    }
    fn transform(&self) -> TransformInputs<'_> {
        TransformInputs {
            bias: self.bias.as_ref().map(|b| b.view(Layout::contiguous(self.v, 1))),
            row_temperature: self.temperatures.as_ref().map(|t| Matrix::vector(t)),
        }
    }
    fn rows(&self) -> Rows<'_> {
        Rows {
            target: Some(Matrix::vector(&self.target).into()),
            mask: Some(Matrix::vector(&self.mask).into()),
            ..Rows::default()
        }
    }
    fn upstream(&self, which: usize) -> Upstream<'_> {
        let at = |k: usize| (which >> k & 1 == 1).then(|| Matrix::vector(&self.upstream[k]));
        Upstream { logprob: at(0), lse: at(1), entropy: at(2), scale: 0.75, ..Upstream::default() }
    }
}
/// Every figure of `n` rows.
fn figures(n: usize, f: impl FnOnce(Figures<'_>)) -> u64 {
    let mut reals = [const { Vec::new() }; 5];
    reals.iter_mut().for_each(|x| *x = vec![7.5f32; n]);
    let (mut stats, mut argmax, mut top, mut status) =
        (vec![7.5f32; n * STATS], vec![7i32; n], vec![7u8; n], vec![7; n]);
    let [logprob, lse, max, entropy, log_sum_sq] = &mut reals;
    f(Figures {
        logprob: Some(MatrixMut::vector(logprob)),
        lse: Some(MatrixMut::vector(lse)),
        max: Some(MatrixMut::vector(max)),
        argmax: Some(MatrixMut::vector(&mut argmax)),
        entropy: Some(MatrixMut::vector(entropy)),
        log_sum_sq: Some(MatrixMut::vector(log_sum_sq)),
        is_top1: Some(MatrixMut::vector(&mut top)),
        stats: Some(MatrixMut::contiguous(&mut stats, n, STATS).unwrap()),
        status: Some(MatrixMut::vector(&mut status)),
        ..Figures::default()
    });
    let mut h = Hash::new();
    reals.iter().for_each(|x| h.add(x));
    h.add(&stats);
    h.add(&argmax);
    h.add(&top);
    h.add(&status);
    h.0
}

const VOCABULARIES: [usize; 22] =
    [1, 2, 3, 7, 15, 16, 17, 31, 33, 48, 64, 100, 127, 255, 300, 500, 1000, 2047, 2048, 2049, 2500, 4100];
/// Every 25th case is large enough to be cut over threads.
fn logits(i: usize) -> (RowCase, Data, Layout) {
    let mut r = Random(0x0106 + i as u64);
    let (n, v) = if i % 25 == 24 { (60, 3000) } else { (1 + r.below(9), VOCABULARIES[i % 22]) };
    let case = RowCase::new(&mut r, n, v);
    let layout = Layout::strided(n, v, v + 3 * (i % 2));
    let mut z = reals(&mut r, layout.extent().unwrap(), [0.5, 4.0, 12.0, 60.0][i % 4]);
    for row in 0..n {
        let at = layout.offset(row);
        match r.below(6) {
            0 => (0..v).filter(|j| j % 3 == 1).for_each(|j| z[at + j] = f32::NEG_INFINITY),
            1 => z[at + r.below(v)] = 40.0,
            2 => z[at..at + v].fill(1.25),
            _ => {}
        }
        // once in a while a row that is flagged
        if r.below(40) == 0 {
            z[at + r.below(v)] = f32::NAN;
        }
    }
    (case, Data::new(i / 4 % 3, &z), layout)
}
fn logprob_forward(i: usize, c: &Context) -> u64 {
    let (case, z, layout) = logits(i);
    let problem = Problem::new(case.n, case.v, case.options).unwrap();
    figures(case.n, |out| {
        let inputs = logprob::Inputs::new(z.view(layout), case.transform(), case.rows());
        logprob::forward(c, &problem, inputs, out).unwrap();
    })
}
fn logprob_backward(i: usize, c: &Context) -> u64 {
    let (case, mut z, layout) = logits(1000 + i);
    let problem = Problem::new(case.n, case.v, case.options).unwrap();
    let mut status = vec![7; case.n];
    let mut g = Data::new(if i % 3 == 0 { (1000 + i) / 4 % 3 } else { 0 }, &vec![7.5; case.n * case.v]);
    let inputs = logprob::BackwardInputs { transform: case.transform(), rows: case.rows(), ..Default::default() };
    let in_place = i % 3 == 1;
    let grad = match in_place {
        true => logprob::Grad::InPlace(z.view_mut(layout)),
        false => logprob::Grad::Separate(z.view(layout), g.view_mut(Layout::contiguous(case.n, case.v))),
    };
    let place = Some(MatrixMut::vector(&mut status));
    logprob::backward(c, &problem, inputs, None, case.upstream(1 + i % 7), grad, place).unwrap();
    let mut h = Hash::new();
    if in_place {
        h.add(&z.keys())
    } else {
        h.add(&g.keys())
    }
    h.add(&status);
    h.0
}
/// The row loss and the further figures, the gradient in the forward and that of extra columns.
fn logprob_options(i: usize, c: &Context) -> u64 {
    let (mut case, z, layout) = logits(2000 + i);
    let (n, v, r) = (case.n, case.v, &mut Random(0x10_0106 + i as u64));
    let whole = |r: &mut Random, n: usize, most: usize| (0..n).map(|_| r.below(most) as f32 / 8.0).collect::<Vec<_>>();
    let class_weight = (i % 3 > 0).then(|| Data::new(i % 3, &whole(r, v, 20)));
    let scaling = [Scaling::None, Scaling::Dft, Scaling::ChordPhi, Scaling::Eaft, Scaling::EaftRaw, Scaling::External];
    let external = whole(r, n, 16);
    let smoothing = if i % 2 == 0 { Smoothing::Torch } else { Smoothing::Megatron };
    let most = case.options.n_valid_vocab.max(1).min(v);
    let smooth = if smoothing == Smoothing::Megatron && most < 4 { 0.0 } else { [0.0, 0.125, 0.25][i / 2 % 3] };
    case.options.shift = i / 4 % 3;
    case.options.entropy_k = [0, 1, 40][i % 3];
    case.options.row_loss = RowLoss {
        label_smoothing: smooth,
        smoothing: Some(smoothing),
        z_loss: [0.0, 0.0625][i / 5 % 2],
        scaling: scaling[i % 6],
        eaft_alpha: [1.0, 0.5, 2.0][i % 3],
        reduction: Some([Reduction::Sum, Reduction::Mean, Reduction::WeightedMean][i % 3]),
        normaliser: if i % 7 == 0 { 5.0 } else { 0.0 },
    };
    let inputs = logprob::BackwardInputs {
        transform: case.transform(),
        rows: case.rows(),
        row_loss: RowLossInputs {
            class_weight: class_weight.as_ref().map(|w| w.view(Layout::contiguous(v, 1))),
            external_scale: (scaling[i % 6] == Scaling::External).then(|| Matrix::vector(&external)),
        },
    };
    let of_extra = reals(r, n * 3, 1.5);
    let ids: Vec<i32> = (0..n * 3).map(|k| if k % 4 == 3 { -1 } else { r.below(v) as i32 }).collect();
    let ids = ExtraIds(Ints::I32(Matrix::contiguous(&ids, n, 3).unwrap()));
    let problem = Problem::new(n, v, case.options).unwrap();
    let k = [1, 4, 60][i / 3 % 3];
    let mut real = [1, 1, 1, 1, k, 3].map(|w| vec![7.5f32; n * w]);
    let mut whole = [1, 1, k].map(|w| vec![7i32; n * w]);
    let (mut loss, mut counters, mut bias) = ([7.5f64], [7i64; 32], vec![7.5f32; v]);
    let mut g = Data::new(if i % 3 == 0 { (2000 + i) / 4 % 3 } else { 0 }, &vec![7.5; n * v]);
    let [mean, entropy, scale, row_loss, top, extra] = &mut real;
    let [rank, ties, top_ids] = &mut whole;
    let out = Figures {
        mean_logit: Some(MatrixMut::vector(mean)),
        topk_entropy: Some(MatrixMut::vector(entropy)),
        token_scale: Some(MatrixMut::vector(scale)),
        row_loss: Some(MatrixMut::vector(row_loss)),
        topk_logprobs: Some(MatrixMut::contiguous(top, n, k).unwrap()),
        extra_logprobs: Some(MatrixMut::contiguous(extra, n, 3).unwrap()),
        rank: Some(MatrixMut::vector(rank)),
        ties: Some(MatrixMut::vector(ties)),
        topk_ids: Some(MatrixMut::contiguous(top_ids, n, k).unwrap()),
        ..Figures::default()
    };
    let place = g.view_mut(Layout::contiguous(n, v));
    let fused = logprob::Fused {
        grad: logprob::Grad::Separate(z.view(layout), place),
        bias: Some(MatrixMut::vector(&mut bias)),
        upstream: 0.75,
        scale: 2.0,
    };
    let totals = logprob::Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: Some(&mut counters) };
    with_scratch(logprob::fused_workspace::<f32>(&problem, true, false).minimum, |s| {
        logprob::forward_fused(c, &problem, inputs, Some(ids), out, totals, fused, s).unwrap()
    });
    let mut h = Hash::new();
    real.iter().for_each(|x| h.add(x));
    whole.iter().for_each(|x| h.add(x));
    h.add(&loss);
    h.add(&counters);
    h.add(&bias);
    h.add(&g.keys());

    let upstream = Upstream {
        extra: Some(Matrix::contiguous(&of_extra, n, 3).unwrap()),
        extra_ids: Some(ids),
        ..case.upstream(i % 8)
    };
    let grad = logprob::Grad::Separate(z.view(layout), g.view_mut(Layout::contiguous(n, v)));
    logprob::backward(c, &problem, inputs, None, upstream, grad, None).unwrap();
    h.add(&g.keys());
    h.0
}

struct LinearCase {
    rows: RowCase,
    d: usize,
    kinds: [usize; 2],
    hidden: Data,
    weight: Data,
    problem: core_linear::Problem,
}
impl LinearCase {
    fn new(i: usize) -> LinearCase {
        let mut r = Random(0x11_0106 + i as u64);
        let (n, d, v) = match i {
            // beyond the committed cases: small enough for Miri, and yet cut over threads
            _ if i % 1000 >= CASES => (26, 17, 5),
            _ if i % 25 == 24 => (40, 20, 2100),
            _ => (1 + r.below(12), 1 + r.below(24), [1, 2, 15, 17, 64, 100, 333, 900, 2049][i % 9]),
        };
        let rows = RowCase::new(&mut r, n, v);
        let kinds = [i / 9 % 3, i / 27 % 3];
        // one case reduces over more than a block
        let d = if i == 7 { 2100 } else { d };
        let hidden = Data::new(kinds[0], &reals(&mut r, n * d, 4.0));
        let weight = Data::new(kinds[1], &reals(&mut r, v * d, 2.0));
        let problem = core_linear::Problem::new(n, d, v, rows.options).unwrap();
        LinearCase { rows, d, kinds, hidden, weight, problem }
    }
    fn inputs(&self) -> linear_logprob::Inputs<'_> {
        linear_logprob::Inputs::new(
            self.hidden.view(Layout::contiguous(self.rows.n, self.d)),
            self.weight.view(Layout::contiguous(self.rows.v, self.d)),
            self.rows.transform(),
            self.rows.rows(),
        )
    }
}
fn linear_logprob_forward(i: usize, c: &Context) -> u64 {
    let case = LinearCase::new(i);
    let [h, w] = case.kinds.map(|k| Data::DTYPES[k]);
    let need = linear_logprob::forward_workspace(c, &case.problem, h, w);
    let bytes = if i % 2 == 0 { need.minimum } else { need.preferred };
    figures(case.rows.n, |out| {
        with_scratch(bytes, |s| linear_logprob::forward(c, &case.problem, case.inputs(), out, s)).unwrap();
    })
}
fn linear_logprob_backward(i: usize, c: &Context) -> u64 {
    let case = LinearCase::new(1000 + i);
    let (n, d, v) = (case.rows.n, case.d, case.rows.v);
    let own = i % 2 == 0;
    let kind = |k: usize| if own { case.kinds[k] } else { 0 };
    let mut hidden = Data::new(kind(0), &vec![0.5; n * d]);
    let mut weight = Data::new(kind(1), &vec![0.5; v * d]);
    let mut bias = vec![0.5f32; v];
    let grads = Grads {
        hidden: Some(hidden.view_mut(Layout::contiguous(n, d))),
        weight: Some(weight.view_mut(Layout::contiguous(v, d))),
        bias: Some(MatrixMut::vector(&mut bias).into()),
        accumulate_hidden: i % 3 == 0,
        accumulate_weight: i % 5 == 0,
    };
    let need =
        linear_logprob::backward_workspace(c, &case.problem, Data::DTYPES[case.kinds[0]], Data::DTYPES[case.kinds[1]]);
    let bytes = if i % 4 < 2 { need.minimum } else { need.preferred };
    let upstream = case.rows.upstream(1 + i % 7);
    with_scratch(bytes, |s| {
        linear_logprob::backward(c, &case.problem, case.inputs(), None, upstream, grads, None, s).unwrap()
    });
    let mut h = Hash::new();
    h.add(&hidden.keys());
    h.add(&weight.keys());
    h.add(&bias);
    h.0
}

struct TokenCase {
    b: usize,
    t: usize,
    options: seq::Options,
    logps: Data,
    reference: Data,
    weights: Option<Vec<f32>>,
    mask: Vec<u8>,
    prefix: Option<Vec<i32>>,
}
impl TokenCase {
    fn new(i: usize) -> TokenCase {
        let mut r = Random(0x5e9 + i as u64);
        let (b, t) = if i % 50 == 49 { (40, 900) } else { (1 + r.below(6), 1 + r.below(60)) };
        use seq::{Divisor, Score};
        let score = [
            Score::Sum,
            Score::Mean(Divisor::Tokens),
            Score::Mean(Divisor::Weights),
            Score::Mean(Divisor::External(7.5)),
            Score::Ld { alpha: 0.25, policy_only: false },
            Score::Ld { alpha: 0.5, policy_only: true },
        ][i % 6];
        let ld = matches!(score, Score::Ld { .. });
        let clamp = (i % 5 == 0 && i % 6 != 5).then_some((-1.0, 0.75));
        let tokens = |r: &mut Random| -> Vec<f32> { (0..b * t).map(|_| real(r, 4.0) - 4.0).collect() };
        TokenCase {
            b,
            t,
            options: seq::Options { score, clamp },
            logps: Data::new(i / 6 % 3, &tokens(&mut r)),
            reference: Data::new(i / 18 % 3, &tokens(&mut r)),
            weights: (!ld && i % 2 == 0).then(|| (0..b * t).map(|_| [0.0, 0.5, 1.0, 2.5][r.below(4)]).collect()),
            mask: (0..b * t).map(|_| (r.below(4) > 0) as u8).collect(),
            prefix: ld.then(|| (0..b).map(|_| r.below(t + 1) as i32).collect()),
        }
    }
    fn problem(&self) -> seq::Problem<'static> {
        let segments = seq::Segments::Padded { sequences: self.b, width: self.t };
        seq::Problem::new(self.b * self.t, segments, self.options).unwrap()
    }
    fn weights(&self) -> seq::Weights<'_> {
        seq::Weights {
            mask: Some(Mask::U8(Matrix::vector(&self.mask))),
            token_weights: self.weights.as_ref().map(|w| Matrix::vector(w)),
            ld_prefix: self.prefix.as_ref().map(|p| Ints::I32(Matrix::vector(p))),
        }
    }
    fn values(&self) -> [Floats<'_>; 2] {
        [&self.logps, &self.reference].map(|x| x.view(Layout::contiguous(self.b * self.t, 1)))
    }
}
fn sequence_forward(i: usize, c: &Context) -> u64 {
    let case = TokenCase::new(i);
    let (b, [logps, reference]) = (case.b, case.values());
    let mut scores = vec![7.5f64; b];
    let (mut counts, mut first, mut last, mut status) = (vec![7; b], vec![7; b], vec![7; b], vec![7u32; b]);
    let out = seq::Outputs {
        scores: Some(MatrixMut::vector(&mut scores).into()),
        counts: Some(MatrixMut::vector(&mut counts)),
        first: Some(MatrixMut::vector(&mut first)),
        last: Some(MatrixMut::vector(&mut last)),
        status: Some(MatrixMut::vector(&mut status)),
    };
    let inputs = seq::Inputs { logps, ref_logps: Some(reference), weights: case.weights() };
    let mut counters = [7i64; 32];
    sequence::forward(c, &case.problem(), &inputs, out, Some(&mut counters)).unwrap();
    let mut h = Hash::new();
    h.add(&scores);
    [&counts, &first, &last].iter().for_each(|x| h.add(x));
    h.add(&status);
    h.add(&counters);
    h.0
}
fn sequence_backward(i: usize, c: &Context) -> u64 {
    let case = TokenCase::new(1000 + i);
    let (n, [logps, reference]) = (case.b * case.t, case.values());
    let upstream = doubles(&mut Random(i as u64), case.b, 3.0, 0.0);
    let (mut a, mut b) = (vec![7.5f32; n], vec![7.5f32; n]);
    let grads = seq::Grads { logps: Some(MatrixMut::vector(&mut a)), ref_logps: Some(MatrixMut::vector(&mut b)) };
    let upstream = seq::Upstream {
        logps: Some(logps),
        ref_logps: Some(reference),
        weights: case.weights(),
        grad_scores: Floats::F64(Matrix::vector(&upstream)),
        grad_output: None,
        grad_scale: 1.5,
    };
    sequence::backward(c, &case.problem(), &upstream, grads).unwrap();
    let mut h = Hash::new();
    h.add(&a);
    h.add(&b);
    h.0
}

/// Entries over scores with their parameters.
const ENTRIES: [(Kind, &str, &[f64]); 8] = [
    (Kind::Pair, "dpo", &[0.25]),
    (Kind::Pair, "dpo", &[0.5, 0.125]),
    (Kind::Pair, "ipo", &[0.5]),
    (Kind::Pair, "simpo", &[2.0, 0.75]),
    (Kind::Pair, "tdpo1", &[0.25]),
    (Kind::Unpaired, "kto", &[0.25, 1.25, 0.75]),
    (Kind::List, "plackett_luce", &[0.125]),
    (Kind::List, "plackett_luce", &[0.25, 3.0]),
];
fn preference_forward(i: usize, c: &Context) -> u64 {
    let mut r = Random(0x9e3 + i as u64);
    let (kind, name, params) = ENTRIES[i % 8];
    // beyond the committed cases: enough items for every stage to be cut over threads
    let pairs = match i {
        CASES.. => 5000,
        160.. if i % 40 < 8 => 2500,
        _ => 1 + r.below(30),
    };
    let s = 2 * pairs;
    let reduction =
        [pref::Reduction::Sum, pref::Reduction::Mean, pref::Reduction::WeightedMean, pref::Reduction::None][i / 8 % 4];
    let terms = [pref::Term { id: id(kind, name), params, reduction, weight: 0.75, ..pref::Term::default() }];
    let offsets: Vec<i64> = (0..=pairs).map(|k| (2 * k - k % 2) as i64 + (k == pairs && k % 2 == 1) as i64).collect();
    let items = match kind {
        Kind::Pair if i % 3 == 0 => pref::Items::Stacked,
        Kind::Pair => pref::Items::Interleaved,
        Kind::Unpaired => pref::Items::Rows,
        _ => pref::Items::Lists { offsets: Ints::I64(Matrix::vector(&offsets)), members: None },
    };
    let options =
        pref::Options { score: Some(truing_core::catalog::Score::Sum), skip_flagged: i % 16 > 7, ..Default::default() };
    let problem = pref::Problem::new(s, items, &terms, options).unwrap();
    let n = problem.count();
    let (scores, reference) = (doubles(&mut r, s, 30.0, -30.0), doubles(&mut r, s, 30.0, -30.0));
    let (kl, lengths) = (doubles(&mut r, s, 1.0, 2.0), (0..s).map(|_| 1 + r.below(40) as i32).collect::<Vec<_>>());
    let (mask, weight): (Vec<u8>, Vec<f32>) =
        (0..n).map(|_| ((r.below(5) > 0) as u8, [0.0, 0.5, 1.0, 3.0][r.below(4)])).unzip();
    let (label, baseline): (Vec<u8>, Vec<f64>) = (0..n).map(|_| (r.below(2) as u8, real(&mut r, 1.0) as f64)).unzip();
    let mut inputs = pref::Inputs::new(Floats::F64(Matrix::vector(&scores)));
    inputs.ref_scores = Some(Floats::F64(Matrix::vector(&reference)));
    inputs.lengths = Some(Matrix::vector(&lengths));
    inputs.kl = problem.reads(slot::KL).then(|| Floats::F64(Matrix::vector(&kl)));
    inputs.groups.item_mask = Some(Mask::U8(Matrix::vector(&mask)));
    inputs.groups.item_weight = Some(Floats::F32(Matrix::vector(&weight)));
    inputs.groups.label = problem.reads(slot::LABEL).then(|| pref::Labels::U8(Matrix::vector(&label)));
    inputs.groups.baseline = problem.reads(slot::BASELINE).then(|| Floats::F64(Matrix::vector(&baseline)));
    inputs.grad_scale = 1.25;
    let pair = kind == Kind::Pair;
    let (mut loss, mut losses) = ([7.5f64], vec![7.5f64; n]);
    let (mut chosen, mut rejected) = (vec![7.5f64; problem.rewards()], vec![7.5f64; n]);
    let (mut grad, mut grad_kl, mut grad_margin) = (vec![7.5f64; s], vec![7.5f64; s], vec![7.5f64; n]);
    let (mut statistics, mut status, mut counters) = ([7.5; 16], vec![7u32; n], [7i64; 32]);
    let out = pref::Outputs {
        loss: (reduction != pref::Reduction::None).then(|| MatrixMut::vector(&mut loss).into()),
        losses: Some(MatrixMut::vector(&mut losses).into()),
        reward_chosen: Some(MatrixMut::vector(&mut chosen).into()),
        reward_rejected: pair.then(|| MatrixMut::vector(&mut rejected).into()),
        grad_scores: Some(MatrixMut::vector(&mut grad).into()),
        grad_kl: Some(MatrixMut::vector(&mut grad_kl).into()),
        grad_margin: pair.then(|| MatrixMut::vector(&mut grad_margin).into()),
        statistics: Some(&mut statistics),
        status: Some(MatrixMut::vector(&mut status)),
        counters: Some(&mut counters),
        ..pref::Outputs::default()
    };
    let need = preference::workspace(c, &problem).minimum;
    with_scratch(need, |w| preference::forward(c, &problem, &inputs, out, w)).unwrap();
    let mut h = Hash::new();
    h.add(&loss);
    [&losses, &chosen, &rejected, &grad, &grad_kl, &grad_margin].iter().for_each(|x| h.add(x));
    h.add(&statistics);
    h.add(&status);
    h.add(&counters);
    h.0
}

fn policy_forward(i: usize, c: &Context) -> u64 {
    let mut r = Random(0x901 + i as u64);
    let (b, t) = if i % 50 == 49 { (30, 700) } else { (1 + r.below(5), 1 + r.below(80)) };
    let n = b * t;
    let (kind, name, params): (Kind, &str, &[f64]) = [
        (Kind::Token, "ppo_clip", &[][..]),
        (Kind::Token, "ppo_clip", &[0.25, 0.5, 1.5, 2.0]),
        (Kind::Sequence, "gspo", &[0.0625, 0.125]),
        (Kind::Estimator, "k1", &[]),
        (Kind::Estimator, "k2", &[]),
        (Kind::Estimator, "k3", &[]),
    ][i % 6];
    use pol::{EstimatorGradient, EstimatorWeight, Mode};
    let weight = [EstimatorWeight::One, EstimatorWeight::Score, EstimatorWeight::Ratio][i / 6 % 3];
    let gradient = [EstimatorGradient::Pathwise, EstimatorGradient::StraightThrough][i / 18 % 2];
    let (of, coef) = if kind == Kind::Estimator { (name, 0.0) } else { (["k1", "k2", "k3"][i / 36 % 3], 0.125) };
    let kl = (i % 12 > 2).then(|| pol::Estimator {
        id: id(Kind::Estimator, of),
        weight,
        gradient,
        coef,
        ..pol::Estimator::new(0)
    });
    let mode =
        [Mode::TokenMean, Mode::SeqMeanTokenMean, Mode::SeqMeanTokenSum, Mode::SeqMeanTokenSumNorm, Mode::TokenSum];
    let mode = mode[i % 5];
    let aggregate = pol::Aggregate {
        mode,
        normaliser: 0.0,
        max_length: if mode == Mode::SeqMeanTokenSumNorm { 64.0 } else { 0.0 },
        count_empty: Some(if i % 2 == 0 { pol::CountEmpty::All } else { pol::CountEmpty::Nonempty }),
        ..pol::Aggregate::new(pol::Mode::TokenMean)
    };
    let level = if kind == Kind::Sequence { pol::Level::Sequence } else { pol::Level::Token };
    let options = pol::Options { params, kl, ..pol::Options::new(id(kind, name), level, aggregate) };
    let problem = pol::Problem::new(n, seq::Segments::Padded { sequences: b, width: t }, options).unwrap();
    let logp: Vec<f32> = (0..n).map(|_| real(&mut r, 4.0) - 4.0).collect();
    let near = |r: &mut Random| logp.iter().map(|&l| l + real(r, 1.0)).collect::<Vec<f32>>();
    let (old, reference, advantage) = (near(&mut r), near(&mut r), reals(&mut r, n, 4.0));
    let mask: Vec<u8> = (0..n).map(|_| (r.below(4) > 0) as u8).collect();
    let vector = Layout::contiguous(n, 1);
    let stored = [&logp, &old, &reference].map(|x| Data::new(i / 3 % 3, x));
    let inputs = pol::Inputs {
        logps: stored[0].view(vector),
        old: (i % 7 > 0).then(|| stored[1].view(vector)),
        reference: Some(stored[2].view(vector)),
        advantage: Some(pol::Advantage::Token(Floats::F32(Matrix::vector(&advantage)))),
        mask: Some(Mask::U8(Matrix::vector(&mask))),
        grad_output: None,
        grad_scale: 1.5,
        ..pol::Inputs::new(Floats::F32(Matrix::vector(&[])))
    };
    let sequence_kind = kind == Kind::Sequence;
    let (mut loss, mut terms, mut statistics, mut counters) = ([7.5f64], [7.5f64; 3], [7.5f64; 32], [7i64; 32]);
    let (mut values, mut wide, mut estimates) = (vec![7.5f32; n], vec![7.5f64; b], vec![7.5f32; n]);
    let (mut grad, mut token_status, mut sequence_status) = (vec![7.5f32; n], vec![7u32; n], vec![7u32; b]);
    let out = pol::Outputs {
        loss: Some(MatrixMut::vector(&mut loss).into()),
        values: Some(match sequence_kind {
            true => FloatsMut::F64(MatrixMut::vector(&mut wide)),
            false => FloatsMut::F32(MatrixMut::vector(&mut values)),
        }),
        kl: problem.estimator().is_some().then(|| MatrixMut::vector(&mut estimates)),
        terms: Some(MatrixMut::vector(&mut terms)),
        grad_logps: Some(MatrixMut::vector(&mut grad)),
        statistics: Some(&mut statistics),
        token_status: Some(MatrixMut::vector(&mut token_status)),
        sequence_status: Some(MatrixMut::vector(&mut sequence_status)),
        counters: Some(&mut counters),
        ..pol::Outputs::default()
    };
    let need = policy::workspace(c, &problem).minimum;
    with_scratch(need, |w| policy::forward(c, &problem, &inputs, out, w)).unwrap();
    let mut h = Hash::new();
    h.add(&loss);
    [&values, &estimates, &grad].iter().for_each(|x| h.add(x));
    h.add(&wide);
    h.add(&terms);
    h.add(&statistics);
    h.add(&counters);
    [&token_status, &sequence_status].iter().for_each(|x| h.add(x));
    h.0
}

/// Entries of a policy call and their variants; new ones are added behind the last.
const ROLLOUTS: [(Kind, &str, u32, &[f64]); 33] = [
    (Kind::Token, "ppo_clip", 0, &[0.2, 0.28, 2.0, 3.0]),
    (Kind::Token, "cispo", 1, &[0.0, 1.5]),
    (Kind::Token, "cispo", 2, &[0.0, 0.3]),
    (Kind::Token, "cispo", 3, &[0.1, 0.2]),
    (Kind::Token, "cispo", 4, &[0.5, 2.0]),
    (Kind::Token, "sapo", 0, &[]),
    (Kind::Token, "reinforce", 0, &[]),
    (Kind::Token, "topr", 0, &[]),
    (Kind::Token, "dppo_tv", 0, &[]),
    (Kind::Token, "dppo_kl", 0, &[]),
    (Kind::Token, "dppo_tv_ratio", 0, &[]),
    (Kind::Token, "prime_ipo", 0, &[]),
    (Kind::Token, "prime_ref_kl", 0, &[]),
    (Kind::Token, "dro", 0, &[]),
    (Kind::Token, "kl_cov", 0, &[]),
    (Kind::Token, "noon_ppo", 0, &[]),
    (Kind::Token, "sdar", 0, &[]),
    (Kind::Token, "nash_md", 0, &[]),
    (Kind::Token, "positive_nll", 0, &[]),
    (Kind::Token, "value_mse", 0, &[0.2]),
    (Kind::Token, "value_huber", 0, &[0.3, 0.5]),
    (Kind::Sequence, "gspo", 0, &[]),
    (Kind::Sequence, "gspo_token", 0, &[]),
    (Kind::Sequence, "luspo", 0, &[]),
    (Kind::Sequence, "rloo_sequence", 0, &[]),
    (Kind::Sequence, "sapo", 0, &[]),
    (Kind::Sequence, "gmpo", 0, &[]),
    (Kind::Sequence, "vespo", 0, &[]),
    (Kind::Sequence, "flowrl", 0, &[]),
    (Kind::Sequence, "sppo_reward", 0, &[]),
    (Kind::Sequence, "topr", 0, &[]),
    (Kind::Sequence, "cispo", 3, &[0.1, 0.2]),
    (Kind::Estimator, "abs", 0, &[]),
];
/// Every entry on rollouts with everything around it.
fn policy_stages(i: usize, c: &Context) -> u64 {
    let mut r = Random(0x57a6_e500 + i as u64);
    let (kind, name, variant, params) = ROLLOUTS[i % ROLLOUTS.len()];
    let (b, t) = (1 + r.below(6), 1 + r.below(60));
    let n = b * t;
    let of = if kind == Kind::Estimator { name } else { ["k1", "k2", "k3", "abs"][i / 3 % 4] };
    let clamp = [pol::ClampMode::Linear, pol::ClampMode::ZeroGradient][i % 2];
    use pol::{EstimatorGradient as Gradient, EstimatorWeight as Weight};
    let kl = pol::Estimator {
        weight: [Weight::One, Weight::Score, Weight::Ratio, Weight::RatioSequence][i / 2 % 4],
        gradient: [Gradient::Pathwise, Gradient::StraightThrough, Gradient::StraightThroughRatio][i / 5 % 3],
        coef: if kind == Kind::Estimator { 0.0 } else { 0.25 },
        input_clamp: (i % 3 == 0).then_some((0.5, clamp)),
        output_clamp: if i % 4 == 0 { 0.75 } else { f64::INFINITY },
        ratio_source: [pol::RatioSource::Old, pol::RatioSource::Sampler][i / 4 % 2],
        stage: [pol::KlStage::AfterWeight, pol::KlStage::BeforeWeight][i / 6 % 2],
        ..pol::Estimator::new(id(Kind::Estimator, of))
    };
    let mode = [pol::Mode::TokenMean, pol::Mode::SeqMeanTokenMean, pol::Mode::WeightedMean][i / 7 % 3];
    let aggregate = pol::Aggregate {
        count_empty: Some(pol::CountEmpty::All),
        denominator: [pol::Denominator::Original, pol::Denominator::Kept][i / 8 % 2],
        ..pol::Aggregate::new(mode)
    };
    let level = if kind == Kind::Sequence { pol::Level::Sequence } else { pol::Level::Token };
    let bonus = (i % 5 > 0).then_some(pol::Bonus { coef: 0.125, aggregate });
    let options =
        pol::Options { variant, params, kl: Some(kl), bonus, ..pol::Options::new(id(kind, name), level, aggregate) };
    let problem = pol::Problem::new(n, seq::Segments::Padded { sequences: b, width: t }, options).unwrap();
    let logp: Vec<f32> = (0..n).map(|_| real(&mut r, 4.0) - 4.0).collect();
    let near = |r: &mut Random| logp.iter().map(|&l| (l + real(r, 1.0)).min(0.0)).collect::<Vec<f32>>();
    let (old, reference, sampler, other) = (near(&mut r), near(&mut r), near(&mut r), near(&mut r));
    let (advantage, log_z) = (reals(&mut r, n, 4.0), reals(&mut r, b, 2.0));
    let positive = |r: &mut Random, n: usize| (0..n).map(|_| real(r, 1.0).abs() + 0.25).collect::<Vec<f32>>();
    let (entropy, weights, importance) = (positive(&mut r, n), positive(&mut r, n), positive(&mut r, n));
    let marks = |r: &mut Random, n: usize| (0..n).map(|_| (r.below(4) > 0) as u8).collect::<Vec<u8>>();
    let (mask, flag, keep, entropy_mask, kl_mask) =
        (marks(&mut r, n), marks(&mut r, n), marks(&mut r, n), marks(&mut r, n), marks(&mut r, n));
    let sequence_keep = marks(&mut r, b);
    let f = |x| Floats::F32(Matrix::vector(x));
    let inputs = pol::Inputs {
        old: (i % 7 > 0).then(|| f(&old)),
        reference: Some(f(&reference)),
        sampler: Some(f(&sampler)),
        kl_reference: (i % 2 > 0).then(|| f(&other)),
        entropy: Some(f(&entropy)),
        advantage: Some(pol::Advantage::Token(f(&advantage))),
        flag: Some(pol::Each::Token(Matrix::vector(&flag))),
        log_z: Some(f(&log_z)),
        mask: Some(Mask::U8(Matrix::vector(&mask))),
        keep: (i % 3 > 0).then(|| Matrix::vector(&keep)),
        sequence_keep: (i % 4 > 0).then(|| Matrix::vector(&sequence_keep)),
        entropy_mask: (i % 5 > 1).then(|| Matrix::vector(&entropy_mask)),
        kl_mask: (i % 6 > 2).then(|| Matrix::vector(&kl_mask)),
        token_weights: Some(f(&weights)),
        importance: Some(pol::Each::Token(f(&importance))),
        grad_scale: 1.5,
        ..pol::Inputs::new(f(&logp))
    };
    let (mut loss, mut terms, mut statistics, mut counters) = ([7.5f64], [7.5f64; 3], [7.5f64; 32], [7i64; 32]);
    let (mut grad, mut grad_entropy, mut grad_log_z) = (vec![7.5f32; n], vec![7.5f32; n], vec![7.5f32; b]);
    let (mut estimates, mut token_status, mut sequence_status) = (vec![7.5f32; n], vec![7u32; n], vec![7u32; b]);
    let out = pol::Outputs {
        loss: Some(MatrixMut::vector(&mut loss).into()),
        kl: Some(MatrixMut::vector(&mut estimates)),
        terms: Some(MatrixMut::vector(&mut terms)),
        grad_logps: Some(MatrixMut::vector(&mut grad)),
        grad_entropy: bonus.map(|_| MatrixMut::vector(&mut grad_entropy)),
        grad_log_z: (name == "flowrl").then(|| MatrixMut::vector(&mut grad_log_z)),
        statistics: Some(&mut statistics),
        token_status: Some(MatrixMut::vector(&mut token_status)),
        sequence_status: Some(MatrixMut::vector(&mut sequence_status)),
        counters: Some(&mut counters),
        ..pol::Outputs::default()
    };
    let need = policy::workspace(c, &problem).minimum;
    with_scratch(need, |w| policy::forward(c, &problem, &inputs, out, w)).unwrap();
    let mut h = Hash::new();
    h.add(&loss);
    [&estimates, &grad, &grad_entropy, &grad_log_z].iter().for_each(|x| h.add(x));
    h.add(&terms);
    h.add(&statistics);
    h.add(&counters);
    [&token_status, &sequence_status].iter().for_each(|x| h.add(x));
    h.0
}

fn linear_policy_forward(i: usize, c: &Context) -> u64 {
    use truing_core::linear_policy as chain;
    let mut r = Random(0x11_9017 + i as u64);
    let (s, t) = if i % 50 == 49 { (8, 30) } else { (4, 1 + r.below(8)) };
    let (n, d, v) = (s * t, 1 + r.below(24), [3, 17, 64, 300, 2049][i % 5]);
    let rows = RowCase::new(&mut r, n, v);
    let (kind, name) = [(Kind::Token, "ppo_clip"), (Kind::Sequence, "gspo"), (Kind::Token, "dro")][i % 3];
    let aggregate = pol::Aggregate::new(pol::Mode::TokenMean);
    let level = if kind == Kind::Sequence { pol::Level::Sequence } else { pol::Level::Token };
    let bonus = (i % 2 > 0).then_some(pol::Bonus { coef: 0.125, aggregate });
    let policy = pol::Options { bonus, ..pol::Options::new(id(kind, name), level, aggregate) };
    let options = chain::Options {
        logprob: rows.options,
        policy,
        phase: chain::Phase::Single,
        reference: None,
        divergence: None,
        support: None,
    };
    let segments = seq::Segments::Padded { sequences: s, width: t };
    let problem = chain::Problem::new([n, d, v], segments, options).unwrap();
    let kinds = [i / 7 % 3, i / 21 % 3];
    let hidden = Data::new(kinds[0], &reals(&mut r, n * d, 3.0));
    let weight = Data::new(kinds[1], &reals(&mut r, v * d, 2.0));
    let (old, advantage) = (reals(&mut r, n, 4.0), reals(&mut r, s, 2.0));
    let mut loss = pol::Inputs::new(Floats::F32(Matrix::vector(&[])));
    loss.old = (i % 4 > 0).then(|| Floats::F32(Matrix::vector(&old)));
    loss.advantage = Some(pol::Advantage::Sequence(Floats::F32(Matrix::vector(&advantage))));
    let mut inputs = chain::Inputs::new(
        hidden.view(Layout::contiguous(n, d)),
        weight.view(Layout::contiguous(v, d)),
        Ints::I32(Matrix::vector(&rows.target)),
        loss,
    );
    inputs.rows = rows.rows();
    inputs.transform = rows.transform();
    let (mut value, mut logps, mut entropy) = ([7.5f64], vec![7.5f32; n], vec![7.5f32; n]);
    let (mut gh, mut gw, mut status) = (vec![7.5f32; n * d], vec![7.5f32; v * d], vec![7u32; n]);
    let out = chain::Outputs {
        logps: Some(MatrixMut::vector(&mut logps)),
        entropy: Some(MatrixMut::vector(&mut entropy)),
        policy: pol::Outputs {
            loss: Some(MatrixMut::vector(&mut value).into()),
            token_status: Some(MatrixMut::vector(&mut status)),
            ..pol::Outputs::default()
        },
        ..chain::Outputs::default()
    };
    let grads = Grads {
        hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
        weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
        ..Grads::default()
    };
    let need = truing_cpu::linear_policy::workspace(c, &problem, Data::DTYPES[kinds[0]], Data::DTYPES[kinds[1]]);
    let bytes = if i % 2 == 0 { need.minimum } else { need.preferred };
    with_scratch(bytes, |w| truing_cpu::linear_policy::forward(c, &problem, &inputs, out, grads, w)).unwrap();
    let mut h = Hash::new();
    h.add(&value);
    [&logps, &entropy, &gh, &gw].iter().for_each(|x| h.add(x));
    h.add(&status);
    h.0
}

/// What the composites take beyond that: supports, entropies for an entry, divergences to a reference head in one phase,
/// weights of the policy's own.
fn composites(i: usize, c: &Context) -> u64 {
    use truing_core::linear_policy as tokens;
    use truing_core::support::{Filters, Outside, Preset, Support};
    let mut r = Random(0xc0_9051 + i as u64);
    let (s, t) = if i % 50 == 49 { (8, 30) } else { (4, 1 + r.below(8)) };
    let (n, d, v) = (s * t, 1 + r.below(24), [17, 64, 300, 2049][i / 2 % 4]);
    let rows = RowCase::new(&mut r, n, v);
    let (hidden, other) = (reals(&mut r, n * d, 3.0), reals(&mut r, n * (d + 1), 3.0));
    let (weight, head) = (reals(&mut r, v * d, 2.0), reals(&mut r, v * (d + 1), 2.0));
    let ref_head = chain::RefHead {
        hidden: Floats::F32(Matrix::contiguous(&other, n, d + 1).unwrap()),
        weight: Floats::F32(Matrix::contiguous(&head, v, d + 1).unwrap()),
        transform: rows.transform(),
    };
    let reference = Some((d + 1, rows.options.transform));
    let segments = seq::Segments::Padded { sequences: s, width: t };
    let operands = [
        Floats::F32(Matrix::contiguous(&hidden, n, d).unwrap()),
        Floats::F32(Matrix::contiguous(&weight, v, d).unwrap()),
    ];
    let target = Ints::I32(Matrix::vector(&rows.target));
    let (mut gh, mut gw, mut value) = (vec![7.5f32; n * d], vec![7.5f32; v * d], [7.5f64]);
    let grads = Grads {
        hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
        weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
        ..Grads::default()
    };
    let way = if i % 4 < 2 { chain::Divergence::Forward } else { chain::Divergence::Reverse };
    let mut h = Hash::new();
    if i % 2 == 0 {
        let what = i / 2 % 5;
        let aggregate = pol::Aggregate::new(pol::Mode::TokenMean);
        let name = if what == 0 { "eaft" } else { "reinforce" };
        let kl = pol::Estimator { coef: 0.25, ..pol::Estimator::new(pol::Estimator::GIVEN) };
        let policy = pol::Options {
            bonus: (what < 2).then_some(pol::Bonus { coef: 0.125, aggregate }),
            kl: (what == 4).then_some(kl),
            ..pol::Options::new(id(Kind::Token, name), pol::Level::Token, aggregate)
        };
        let mask: Vec<u32> = (0..n * v.div_ceil(32)).map(|_| (r.bits() | r.bits()) as u32).collect();
        let filters = Filters::new(Preset::Vllm, 1 + r.below(9) as i64, 0.875, 0.0, None, None).unwrap();
        let support = match what {
            1 | 2 => Some(Support::Bitmask(Matrix::contiguous(&mask, n, v.div_ceil(32)).unwrap())),
            3 => Some(Support::Computed(filters)),
            _ => None,
        };
        let options = tokens::Options {
            logprob: rows.options,
            policy,
            phase: tokens::Phase::Single,
            reference: if what == 4 { reference } else { None },
            divergence: (what == 4).then_some(way),
            support: support.map(|s| (s, Outside::Keep)),
        };
        let advantage = reals(&mut r, s, 2.0);
        let mut loss = pol::Inputs::new(Floats::F32(Matrix::vector(&[])));
        loss.advantage = Some(pol::Advantage::Sequence(Floats::F32(Matrix::vector(&advantage))));
        let mut inputs = tokens::Inputs::new(operands[0], operands[1], target, loss);
        (inputs.rows, inputs.transform) = (rows.rows(), rows.transform());
        inputs.ref_head = (what == 4).then_some(ref_head);
        let (mut logps, mut status) = (vec![7.5f32; n], vec![7u32; n]);
        let out = tokens::Outputs {
            logps: Some(MatrixMut::vector(&mut logps)),
            policy: pol::Outputs {
                loss: Some(MatrixMut::vector(&mut value).into()),
                token_status: Some(MatrixMut::vector(&mut status)),
                ..pol::Outputs::default()
            },
            ..tokens::Outputs::default()
        };
        let problem = tokens::Problem::new([n, d, v], segments, options).unwrap();
        let need = truing_cpu::linear_policy::workspace(c, &problem, Data::DTYPES[0], Data::DTYPES[0]);
        let bytes = if i % 4 == 0 { need.minimum } else { need.preferred };
        with_scratch(bytes, |w| truing_cpu::linear_policy::forward(c, &problem, &inputs, out, grads, w)).unwrap();
        h.add(&logps);
        h.add(&status);
    } else {
        let what = i / 2 % 3;
        let side = chain::SideTerm {
            coef: 0.5,
            scope: chain::Scope::Masked,
            divisor: chain::SideDivisor::RowMean,
            divergence: Some(way),
        };
        let options = chain::Options {
            logprob: rows.options,
            side: (what < 2).then_some(side),
            reference: if what < 2 { reference } else { None },
            wpo: match i / 2 % 4 {
                0 => None,
                1 | 2 => Some(chain::Wpo::Trl),
                _ => Some(chain::Wpo::Plain),
            },
            ..chain::Options::default()
        };
        let name = if what == 0 { "dpo" } else { "cpo" };
        let terms = [pref::Term { id: id(Kind::Pair, name), ..pref::Term::default() }];
        let items = pref::Items::Interleaved;
        let problem = linear_preference::Problem::new([n, d, v], segments, items, &terms, options).unwrap();
        let mut inputs = chain::Inputs::new(operands[0], operands[1], target);
        (inputs.rows, inputs.transform) = (rows.rows(), rows.transform());
        inputs.ref_head = (what < 2).then_some(ref_head);
        let (mut kl, mut scores) = (vec![7.5f64; s], vec![7.5f64; s]);
        let out = chain::Outputs {
            scores: Some(MatrixMut::vector(&mut scores)),
            kl: (what < 2).then(|| MatrixMut::vector(&mut kl)),
            preference: pref::Outputs { loss: Some(MatrixMut::vector(&mut value).into()), ..pref::Outputs::default() },
            ..chain::Outputs::default()
        };
        let need = truing_cpu::linear_preference::workspace(c, &problem, Data::DTYPES[0], Data::DTYPES[0]);
        let bytes = if i % 4 == 1 { need.minimum } else { need.preferred };
        with_scratch(bytes, |w| truing_cpu::linear_preference::forward(c, &problem, &inputs, out, grads, w)).unwrap();
        [&kl, &scores].iter().for_each(|x| h.add(x));
    }
    h.add(&value);
    [&gh, &gw].iter().for_each(|x| h.add(x));
    h.0
}

fn linear_preference_forward(i: usize, c: &Context) -> u64 {
    let mut r = Random(0x11_9e3 + i as u64);
    let (s, t) = if i % 50 == 49 { (8, 30) } else { (4, 1 + r.below(8)) };
    let (n, d, v) = (s * t, 1 + r.below(24), [3, 17, 64, 300, 2049][i % 5]);
    let fits: Vec<_> = ENTRIES.iter().filter(|e| e.1 != "tdpo1").collect();
    let (kind, name, params) = *fits[i % fits.len()];
    let rows = RowCase::new(&mut r, n, v);
    let offsets = [0i32, 1, s as i32];
    let items = match kind {
        Kind::Pair => pref::Items::Stacked,
        Kind::Unpaired => pref::Items::Rows,
        _ => pref::Items::Lists { offsets: Ints::I32(Matrix::vector(&offsets)), members: None },
    };
    let terms = [pref::Term { id: id(kind, name), params, ..pref::Term::default() }];
    let options = chain::Options { logprob: rows.options, phase: chain::Phase::Single, ..chain::Options::default() };
    let segments = seq::Segments::Padded { sequences: s, width: t };
    let problem = linear_preference::Problem::new([n, d, v], segments, items, &terms, options).unwrap();
    let kinds = [i / 7 % 3, i / 21 % 3];
    let hidden = Data::new(kinds[0], &reals(&mut r, n * d, 3.0));
    let weight = Data::new(kinds[1], &reals(&mut r, v * d, 2.0));
    let reference = doubles(&mut r, s, 4.0, -10.0);
    let items = problem.preference().map_or(0, |p| p.count());
    let label: Vec<u8> = (0..items).map(|k| (k % 2) as u8).collect();
    let baseline = [0.25f64];
    let mut inputs = chain::Inputs::new(
        hidden.view(Layout::contiguous(n, d)),
        weight.view(Layout::contiguous(v, d)),
        Ints::I32(Matrix::vector(&rows.target)),
    );
    inputs.rows = rows.rows();
    inputs.transform = rows.transform();
    inputs.ref_scores = Some(Floats::F64(Matrix::vector(&reference)));
    if kind == Kind::Unpaired {
        inputs.groups.label = Some(pref::Labels::U8(Matrix::vector(&label)));
        inputs.groups.baseline = Some(Floats::F64(Matrix::vector(&baseline)));
    }
    let (mut loss, mut grad_scores, mut status) = ([7.5f64], vec![7.5f64; s], vec![7u32; items]);
    let (mut logps, mut scores, mut counts) = (vec![7.5f32; n], vec![7.5f64; s], vec![7i32; s]);
    let (mut stats, mut row_status) = (vec![7.5f32; n * STATS], vec![7u32; n]);
    let (mut gh, mut gw, mut gb) = (vec![7.5f32; n * d], vec![7.5f32; v * d], vec![7.5f32; v]);
    let out = chain::Outputs {
        logps: Some(MatrixMut::vector(&mut logps)),
        scores: Some(MatrixMut::vector(&mut scores)),
        counts: Some(MatrixMut::vector(&mut counts)),
        stats: Some(MatrixMut::contiguous(&mut stats, n, STATS).unwrap()),
        row_status: Some(MatrixMut::vector(&mut row_status)),
        preference: pref::Outputs {
            loss: Some(MatrixMut::vector(&mut loss).into()),
            grad_scores: Some(MatrixMut::vector(&mut grad_scores).into()),
            status: Some(MatrixMut::vector(&mut status)),
            ..pref::Outputs::default()
        },
        ..chain::Outputs::default()
    };
    let grads = Grads {
        hidden: Some(MatrixMut::contiguous(&mut gh, n, d).unwrap().into()),
        weight: Some(MatrixMut::contiguous(&mut gw, v, d).unwrap().into()),
        bias: Some(MatrixMut::vector(&mut gb).into()),
        ..Grads::default()
    };
    let need = truing_cpu::linear_preference::workspace(c, &problem, Data::DTYPES[kinds[0]], Data::DTYPES[kinds[1]]);
    let bytes = if i % 2 == 0 { need.minimum } else { need.preferred };
    with_scratch(bytes, |w| truing_cpu::linear_preference::forward(c, &problem, &inputs, out, grads, w)).unwrap();
    let mut h = Hash::new();
    h.add(&loss);
    [&grad_scores, &scores].iter().for_each(|x| h.add(x));
    [&logps, &stats, &gh, &gw, &gb].iter().for_each(|x| h.add(x));
    h.add(&counts);
    [&row_status, &status].iter().for_each(|x| h.add(x));
    h.0
}

/// Every kind in turn, values, statistics and both gradients.
fn divergence(i: usize, c: &Context) -> u64 {
    let mut r = Random(0x1d0_0000 + i as u64);
    let info = &div::Kind::ALL[i % 17];
    let param = if info.param.is_some() { [0.5, 0.25, 0.125][i / 17 % 3] } else { f64::NAN };
    let (n, v) = (1 + i % 3, [7, 40, 2049, 4200][i % 4]);
    let width = v + i % 2;
    let size = [0.01, 1.0, 8.0][i % 3];
    let student = reals(&mut r, n * v, size);
    let teacher: Vec<f32> = (0..n * width)
        .map(|j| student[(j / width * v + j % width).min(n * v - 1)] + real(&mut r, size * 0.25))
        .collect();
    let (student, teacher) = (Data::new(i % 3, &student), Data::new(i / 3 % 3, &teacher));
    let target: Vec<i64> = (0..n).map(|_| r.below(v) as i64).collect();
    let own = Options {
        transform: Transform { softcap: if i % 5 == 0 { 6.0 } else { 0.0 }, ..Transform::default() },
        ..Options::default()
    };
    let other = Options {
        transform: Transform { temperature: if i % 7 == 0 { 1.5 } else { 1.0 }, ..Transform::default() },
        n_valid_vocab: v,
        ..Options::default()
    };
    let options = div::Options {
        kind: info.kind,
        param,
        hard_weight: if i % 4 == 1 { 0.5 } else { 0.0 },
        reduction: Some(Reduction::Mean),
        ..div::Options::default()
    };
    let sides = (Problem::new(n, v, own).unwrap(), Problem::new(n, width, other).unwrap());
    let problem = div::Problem::new(sides.0, sides.1, options).unwrap();
    let inputs = pairs::Inputs {
        rows: Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() },
        ..pairs::Inputs::default()
    };
    let logits = [student.view(Layout::contiguous(n, v)), teacher.view(Layout::contiguous(n, width))];
    let (mut values, mut stats) = (vec![0f32; n], vec![0f32; n * div::STATS]);
    let (mut gs, mut gt, mut loss) = (vec![0f32; n * v], vec![0f32; n * width], [0f64]);
    with_scratch(pairs::forward_workspace(&problem, true).minimum, |w| {
        let out = div::Figures {
            values: Some(MatrixMut::vector(&mut values)),
            stats: Some(MatrixMut::contiguous(&mut stats, n, div::STATS).unwrap()),
            ..div::Figures::default()
        };
        let totals = pairs::Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: None };
        let grads = [
            logprob::Grad::Separate(logits[0], MatrixMut::contiguous(&mut gs, n, v).unwrap().into()),
            logprob::Grad::Separate(logits[1], MatrixMut::contiguous(&mut gt, n, width).unwrap().into()),
        ];
        pairs::forward_fused(c, &problem, grads, inputs, out, totals, Some(1.0), w).unwrap();
    });
    let mut h = Hash::new();
    h.add(&values);
    h.add(&stats);
    h.add(&loss);
    h.add(&gs);
    h.add(&gt);
    h.0
}

/// All columns sorted, the largest, with pairs and with scales: values, loss, gradients.
fn uld(i: usize, c: &Context) -> u64 {
    let mut r = Random(0x01d_0000 + i as u64);
    let (n, v, w) = (1 + i % 3, [2, 7, 40, 300][i % 4], [9, 3, 33, 280][i / 4 % 4]);
    let size = [0.25, 1.0, 8.0][i % 3];
    let (student, teacher) = (reals(&mut r, n * v, size), reals(&mut r, n * w, size));
    let (student, teacher) = (Data::new(i % 3, &student), Data::new(i / 3 % 3, &teacher));
    let m = v.min(w) / 2;
    let ids = [(v, 1), (w, 2)].map(|(v, from)| (0..m).map(|j| ((j + from) % v) as i32).collect::<Vec<_>>());
    let matched = (i % 5 > 1 && m > 0).then(|| pairs::Matched {
        ids: ids.each_ref().map(|x| Matrix::vector(x).into()),
        beta: [0.0, 0.5, 1.0][i / 5 % 3],
        weights: if i % 2 == 0 { [0.0; 2] } else { [1.0, 0.5] },
    });
    let scales = [1.0f32, 0.5, 0.25];
    let scale = (i % 7 > 3).then(|| Matrix::vector(&scales[..n]));
    let how = pairs::Uld { k: [0, 3, 40][i % 3], matched, scale: [scale, if i % 2 == 0 { scale } else { None }] };
    let side = |v| Problem::new(n, v, Options::default()).unwrap();
    let options =
        div::Options { kind: div::Kind::ForwardKl, reduction: Some(Reduction::Mean), ..div::Options::default() };
    let problem = div::Problem::new(side(v), side(w), options).unwrap();
    let logits = [student.view(Layout::contiguous(n, v)), teacher.view(Layout::contiguous(n, w))];
    let (mut values, mut slopes, mut loss) = (vec![0f32; n], vec![0f32; n], [0f64]);
    let (mut gs, mut gt) = (vec![0f32; n * v], vec![0f32; n * w]);
    let need = pairs::uld_workspace(c, &problem, how.matched.is_some(), true);
    with_scratch(if i % 2 == 0 { need.minimum } else { need.preferred }, |bytes| {
        let totals = pairs::Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: None };
        let grads = [
            logprob::Grad::Separate(logits[0], MatrixMut::contiguous(&mut gs, n, v).unwrap().into()),
            logprob::Grad::Separate(logits[1], MatrixMut::contiguous(&mut gt, n, w).unwrap().into()),
        ];
        let slope = scale.map(|_| MatrixMut::vector(&mut slopes));
        let (inputs, place) = (pairs::Inputs::default(), Some(MatrixMut::vector(&mut values)));
        let upstream = div::Upstream { loss: Some(1.0), ..div::Upstream::default() };
        pairs::uld(c, &problem, how, grads, slope, inputs, place, None, totals, upstream, bytes).unwrap();
    });
    let mut h = Hash::new();
    h.add(&values);
    h.add(&loss);
    h.add(&slopes);
    h.add(&gs);
    h.add(&gt);
    h.0
}

/// Every kind in turn from two heads, figures, statistics and the gradients of both sides.
fn linear_divergence_forward(i: usize, c: &Context) -> u64 {
    use truing_core::linear_divergence as heads;
    use truing_cpu::linear_divergence::{self as kernel, Asked, Fused, Head, Inputs, Teacher};
    let mut r = Random(0x11_d1f0 + i as u64);
    let info = &div::Kind::ALL[i % 17];
    let param = if info.param.is_some() { [0.5, 0.25, 0.125][i / 17 % 3] } else { f64::NAN };
    let (n, v) = (if i % 50 == 49 { 230 } else { 1 + r.below(20) }, [3, 17, 64, 300, 2049][i % 5]);
    let (width, d) = (v + i % 3, [1 + r.below(24), 1 + r.below(24)]);
    let rows = RowCase::new(&mut r, n, v);
    let other = Options {
        transform: Transform { temperature: if i % 7 == 0 { 1.5 } else { 1.0 }, ..Transform::default() },
        ..rows.options
    };
    let other = Options { n_valid_vocab: if i % 4 == 0 { v } else { 0 }, ..other };
    let options = div::Options {
        kind: info.kind,
        param,
        hard_weight: if i % 4 == 1 { 0.5 } else { 0.0 },
        reduction: Some(Reduction::Mean),
        ..div::Options::default()
    };
    let own = core_linear::Problem::new(n, d[0], v, rows.options).unwrap();
    let other = core_linear::Problem::new(n, d[1], width, other).unwrap();
    let problem = heads::Problem::new(own, heads::Side::Head(other), options).unwrap();
    let kinds = [[i % 3, i / 3 % 3], [i / 9 % 3, i / 27 % 3]];
    let sides = [(d[0], v), (d[1], width)];
    let data = [0, 1].map(|side| {
        let (d, v) = sides[side];
        let hidden = Data::new(kinds[side][0], &reals(&mut r, n * d, 3.0));
        (hidden, Data::new(kinds[side][1], &reals(&mut r, v * d, 2.0)))
    });
    let head = |side: usize| Head {
        hidden: data[side].0.view(Layout::contiguous(n, sides[side].0)),
        weight: data[side].1.view(Layout::contiguous(sides[side].1, sides[side].0)),
        transform: if side == 0 { rows.transform() } else { TransformInputs::default() },
    };
    let inputs = Inputs { student: head(0), teacher: Teacher::Head(head(1)), rows: rows.rows(), row_weight: None };
    let (mut values, mut stats, mut loss) = (vec![7.5f32; n], vec![7.5f32; n * div::STATS], [7.5f64]);
    let mut places = sides.map(|(d, v)| [vec![7.5f32; n * d], vec![7.5f32; v * d]]);
    let grads = {
        let [[sh, sw], [th, tw]] = &mut places;
        [(sh, sw, sides[0]), (th, tw, sides[1])].map(|(h, w, (d, v))| Grads {
            hidden: Some(MatrixMut::contiguous(h, n, d).unwrap().into()),
            weight: Some(MatrixMut::contiguous(w, v, d).unwrap().into()),
            ..Grads::default()
        })
    };
    let out = div::Figures {
        values: Some(MatrixMut::vector(&mut values)),
        stats: Some(MatrixMut::contiguous(&mut stats, n, div::STATS).unwrap()),
        ..div::Figures::default()
    };
    let totals = pairs::Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: None };
    let need = kernel::workspace(c, &problem, inputs.dtypes(), &Asked::new(&grads, true, true));
    let bytes = if i % 2 == 0 { need.minimum } else { need.preferred };
    with_scratch(bytes, |w| {
        let upstream = div::Upstream { loss: Some(1.0), ..div::Upstream::default() };
        kernel::forward(c, &problem, &inputs, out, totals, Fused { upstream, grads }, w).unwrap();
    });
    let mut h = Hash::new();
    h.add(&values);
    h.add(&stats);
    h.add(&loss);
    places.iter().flatten().for_each(|g| h.add(g));
    h.0
}

fn advantages(i: usize, c: &Context) -> u64 {
    let mut r = Random(0xad7 + i as u64);
    let (b, t) = if i % 50 == 49 { (32, 1200) } else { (4 * (1 + r.below(3)), 1 + r.below(70)) };
    let n = b * t;
    let (rewards, values, logps) = (reals(&mut r, n, 4.0), reals(&mut r, n, 4.0), doubles(&mut r, n, 2.0, -2.0));
    let (teacher, row_rewards) = (doubles(&mut r, n, 2.0, -2.0), doubles(&mut r, b, 3.0, 100.0));
    let mask: Vec<u8> = (0..n).map(|_| (r.below(4) > 0) as u8).collect();
    let ids: Vec<i64> = (0..b).map(|k| (k % (b / 4)) as i64).collect();
    let f = |x| Floats::F64(Matrix::vector(x));
    let segments = seq::Segments::Padded { sequences: b, width: t };
    let live = (i % 3 > 0).then(|| Mask::U8(Matrix::vector(&mask)));
    let groups = adv::Groups::Ids { ids: Ints::I64(Matrix::vector(&ids)), groups: b / 4 };
    let mut h = Hash::new();
    let x = adv::Gae {
        segments,
        rewards: Some(Floats::F32(Matrix::vector(&rewards))),
        values: (i % 4 > 0).then(|| Floats::F32(Matrix::vector(&values))),
        value_end: (i % 5 > 0).then(|| f(&row_rewards)),
        baseline: None,
        mask: live,
        masks: [adv::Masks::Carry, adv::Masks::Zero, adv::Masks::Ignore][i / 3 % 3],
        params: adv::GaeParams::new(if i % 4 > 0 { &[0.875, 0.9375, 0.75] } else { &[0.9] }, i % 4 > 0).unwrap(),
    };
    let (mut a, mut g) = (vec![7.5f32; n], vec![7.5f32; n]);
    let out = adv::GaeOut {
        advantages: Some(MatrixMut::vector(&mut a).into()),
        returns: Some(MatrixMut::vector(&mut g).into()),
        status: None,
    };
    advantage::gae(c, &x, out).unwrap();
    h.add(&a);
    h.add(&g);
    let x = adv::Whiten {
        values: Floats::F32(Matrix::vector(&a)),
        mask: live,
        counts: None,
        states: None,
        std_kind: adv::StdKind::Unbiased,
        eps_kind: [adv::EpsKind::Add, adv::EpsKind::VarianceAdd, adv::EpsKind::VarianceMax][i % 3],
        keep_mean: i % 7 == 0,
        eps: 1e-8,
    };
    let mut z = vec![7.5f32; n];
    let out = adv::WhitenOut { values: Some(MatrixMut::vector(&mut z).into()), ..adv::WhitenOut::default() };
    with_scratch(advantage::whiten_workspace(&x).minimum, |w| advantage::whiten(c, &x, out, w)).unwrap();
    h.add(&z);
    use adv::Preset;
    let preset = [Preset::Grpo, Preset::Rloo, Preset::GrpoLoo, Preset::GrpoBatchStd, Preset::Gpg, Preset::PassK][i % 6];
    let options = adv::GroupOptions::preset(preset);
    let x = adv::GroupAdvantage { rewards: f(&row_rewards), groups, lengths: None, options };
    let mut own = vec![7.5f64; b];
    let out = adv::GroupAdvantageOut { advantages: Some(MatrixMut::vector(&mut own).into()), ..Default::default() };
    with_scratch(advantage::group_advantage_workspace(&x).minimum, |w| advantage::group_advantage(&x, out, w)).unwrap();
    h.add(&own);
    let x = adv::OptimalTokenBaseline {
        segments,
        rewards: Floats::F32(Matrix::vector(&rewards)),
        logps: f(&logps),
        log_sum_sq: f(&teacher),
        importance_weight: None,
        mask: live,
        groups,
        alignment: [adv::Alignment::Position, adv::Alignment::LiveIndex][i % 2],
        keep_tail: i % 3 == 0,
        eps: 1e-8,
    };
    let out = adv::OptimalTokenBaselineOut { advantages: Some(MatrixMut::vector(&mut a).into()), ..Default::default() };
    let need = advantage::optimal_token_baseline_workspace(&x).minimum;
    with_scratch(need, |w| advantage::optimal_token_baseline(&x, out, w)).unwrap();
    h.add(&a);
    let forms = [
        adv::Distill::iw_opd(&[]),
        adv::Distill::opd(&[0.5, 1.0]),
        adv::Distill::rlsd(&[]),
        adv::Distill::minillm(&[0.75]),
    ];
    let x = adv::DistillAdvantage {
        segments,
        student: f(&logps),
        teacher: f(&teacher),
        advantages: (i % 4 == 1 || i % 4 == 2).then(|| pol::Advantage::Sequence(f(&row_rewards))),
        token_rewards: None,
        mask: live,
        form: forms[i % 4].unwrap(),
        estimator: 0,
        flags: adv::DistillFlags { per_length: i % 8 == 3, ..Default::default() },
    };
    let out = adv::DistillAdvantageOut { advantages: Some(MatrixMut::vector(&mut a).into()), status: None };
    advantage::distill_advantage(c, &x, out).unwrap();
    h.add(&a);
    let x = adv::TokenReward {
        segments,
        old: f(&logps),
        reference: f(&teacher),
        rewards: Some(f(&row_rewards)),
        mask: live,
        by_sequence: false,
        estimator: id(Kind::Estimator, ["k1", "k2", "k3"][i % 3]),
        params: adv::TokenReward::params(&[0.0625]).unwrap(),
    };
    let out = adv::TokenRewardOut { rewards: Some(MatrixMut::vector(&mut a).into()), ..Default::default() };
    advantage::token_reward(c, &x, out).unwrap();
    h.add(&a);
    h.0
}
