//! Every option of the log-prob on the linear form: row losses, ranks, largest and extra columns, shifts, rounded logits,
//! sampling supports, vocabulary shards, fused gradients. Figures and gradients equal, bit for bit, those of `cpu::logprob`
//! on the logits written out by the rule of the products, on every instruction set and for any threads and workspace.
use truing_core::dtype::Dtype;
use truing_core::error::row;
use truing_core::linear_logprob::{Problem, Rounding};
use truing_core::logprob::{
    self, ExtraIds, Figures, Options, Rows, STATS, Target, Transform, TransformInputs, Upstream,
};
use truing_core::matrix::{Floats, Ints, Layout, Matrix, MatrixMut, Workspace};
use truing_core::row_loss::{Reduction, RowLoss, RowLossInputs, Scaling, Smoothing};
use truing_core::sequence::Segments;
use truing_core::support::{Filters, Lists, Outside, Preset, Support, SupportFigures};
use truing_core::{Error, Status};
use truing_cpu::linear_logprob::{self as linear, Asked, Fused, Grads, Inputs};
use truing_cpu::logprob::{self as rows, Finish, Local, LocalPass, Over, Totals};
use truing_cpu::{Context, ContextOptions, Isa, Mode, gemm};
use truing_tests::{Cases, Data, Random, context, product, same, transpose, with_scratch};

#[derive(Clone)]
enum Set {
    None,
    Bitmask(Vec<u32>),
    Padded(Vec<i32>, usize),
    Packed(Vec<i64>, Vec<i64>),
    Filters(Filters),
}
/// One set of inputs.
#[derive(Clone)]
struct Case {
    name: String,
    n: usize,
    d: usize,
    v: usize,
    options: Options,
    rounding: Rounding,
    hidden: Data,
    weight: Data,
    bias: Option<Vec<f32>>,
    temperature: Option<Vec<f32>>,
    target: Vec<i64>,
    mask: Vec<u8>,
    cu: Option<Vec<i64>>,
    class_weight: Option<Vec<f32>>,
    external: Option<Vec<f32>>,
    extra: Vec<i32>,
    set: Set,
    outside: Outside,
    up: [Vec<f32>; 5],
}
const TOP: usize = 7;
const EXTRA: usize = 5;
impl Case {
    fn new(
        r: &mut Random,
        (n, d, v): (usize, usize, usize),
        kinds: (usize, usize),
        setup: usize,
        support: usize,
    ) -> Case {
        let loss = RowLoss { z_loss: 0.01, reduction: Some(Reduction::Mean), ..RowLoss::default() };
        let smooth = RowLoss { label_smoothing: 0.1, smoothing: Some(Smoothing::Torch), ..loss };
        let row_loss = match setup % 8 {
            0 => RowLoss { reduction: Some(Reduction::Sum), ..RowLoss::default() },
            1 => smooth,
            2 => RowLoss { smoothing: Some(Smoothing::Megatron), scaling: Scaling::Dft, ..smooth },
            3 => RowLoss { scaling: Scaling::ChordPhi, reduction: Some(Reduction::WeightedMean), ..loss },
            4 => RowLoss { scaling: Scaling::Eaft, ..loss },
            5 => RowLoss { scaling: Scaling::External, normaliser: 3.0, ..smooth },
            6 => RowLoss { scaling: Scaling::EaftRaw, eaft_alpha: 0.5, ..smooth },
            _ => loss,
        };
        let transform = match setup % 3 {
            0 => Transform::default(),
            1 => Transform { temperature: 0.7, ..Transform::default() },
            _ => Transform { logit_scale: 1.5, softcap: 5.0, temperature: 0.9 },
        };
        let full = setup % 3 == 2;
        let options = Options {
            transform,
            n_valid_vocab: if full && v > 40 { v - v / 9 } else { 0 },
            ignore_index: Some(-100),
            shift: if setup % 4 == 3 { 2 } else { 0 },
            entropy_k: if setup % 2 == 0 { 0 } else { 5 },
            row_loss,
        };
        let normals = |r: &mut Random, n, size| r.normals(n, size);
        let hidden = Data::new(kinds.0, &normals(r, n * d, 2.0));
        let weight = Data::new(kinds.1, &normals(r, v * d, 1.5 / (d as f64).sqrt()));
        let mut target: Vec<i64> = (0..n).map(|_| r.below(v) as i64).collect();
        (0..n).filter(|i| i % 11 == 5).for_each(|i| target[i] = -100);
        let bias = full.then(|| {
            (0..v).map(|j| if j % 9 == 4 { f32::NEG_INFINITY } else { r.normal() as f32 }).collect::<Vec<_>>()
        });
        let mut extra: Vec<i32> = (0..n * EXTRA).map(|_| r.below(v) as i32).collect();
        for i in 0..n {
            extra[i * EXTRA] = -1;
            if i % 3 == 0 {
                (extra[i * EXTRA + 1], extra[i * EXTRA + 2]) = (target[i].max(0) as i32, extra[i * EXTRA + 3]);
            }
        }
        let bits: Vec<bool> = (0..n * v).map(|at| r.below(if at / v % 2 == 0 { 3 } else { 97 }) == 0).collect();
        let words = v.div_ceil(32);
        let ids = |i: usize| {
            (0..v).filter(|&j| bits[i * v + j] && i % 8 != 7).take(if i % 2 == 0 { 2500 } else { 40 }).collect()
        };
        let lists: Vec<Vec<usize>> = (0..n).map(ids).collect();
        let set = match support {
            0 => Set::None,
            1 => {
                let mut m = vec![0u32; n * words];
                for at in (0..n * v).filter(|&at| bits[at]) {
                    m[at / v * words + at % v / 32] |= 1 << (at % v % 32);
                }
                Set::Bitmask(m)
            }
            2 => {
                let k = lists.iter().map(Vec::len).max().unwrap() + 1;
                let padded = |l: &Vec<usize>| (0..k).map(|k| l.get(k).map_or(-1, |&j| j as i32)).collect::<Vec<_>>();
                Set::Padded(lists.iter().flat_map(padded).collect(), k)
            }
            3 => {
                let mut offsets = vec![0];
                lists.iter().for_each(|l| offsets.push(offsets.last().unwrap() + l.len() as i64));
                Set::Packed(lists.iter().flatten().map(|&j| j as i64).collect(), offsets)
            }
            _ => {
                let preset = [Preset::Vllm, Preset::Hf, Preset::Sglang][support - 4];
                Set::Filters(
                    Filters::new(preset, [50, 0, 300][support - 4], 0.9, [0.0, 0.01, 0.001][support - 4], None, None)
                        .unwrap(),
                )
            }
        };
        let cu = (setup % 8 == 7).then(|| vec![0, n as i64 / 3, n as i64 / 3, n as i64]);
        Case {
            name: format!("{n}x{d}x{v} types {kinds:?} setup {setup} support {support}"),
            n,
            d,
            v,
            options,
            rounding: [Rounding::None, Rounding::None, Rounding::Bf16, Rounding::F16][(setup + support) % 4],
            hidden,
            weight,
            bias,
            temperature: full.then(|| (0..n).map(|i| [1.0, 0.5, 2.0][i % 3]).collect()),
            target,
            mask: (0..n).map(|i| (i % 7 != 2) as u8).collect(),
            cu,
            class_weight: (setup % 2 == 1).then(|| (0..v).map(|j| [0.5, 1.0, 2.0, 0.0][j % 4]).collect()),
            external: (setup % 8 == 5).then(|| (0..n).map(|i| [0.5, 1.5][i % 2]).collect()),
            extra,
            set,
            outside: if setup % 2 == 0 { Outside::Keep } else { Outside::NegInf },
            up: [n, n, n, n, n * EXTRA].map(|k| r.normals(k, 1.0)),
        }
    }
    /// With a NaN in one row and an infinity in another.
    fn hostile(mut self) -> Case {
        let mut h = self.hidden.wide();
        for (row, x) in [(4, f32::NAN), (self.n - 2, f32::INFINITY)] {
            h[row * self.d + self.d / 2] = x;
        }
        self.hidden = Data::new(self.hidden.kind(), &h);
        self.name += " hostile";
        self
    }
    fn rows(&self) -> Rows<'_> {
        let segments = self.cu.as_ref().map(|cu| Segments::Packed(Matrix::vector(cu).into()));
        Rows {
            target: Some(Matrix::vector(&self.target).into()),
            mask: Some(Matrix::vector(&self.mask).into()),
            segments,
        }
    }
    fn transform(&self, a: usize, b: usize) -> TransformInputs<'_> {
        TransformInputs {
            bias: self.bias.as_ref().map(|x| Matrix::vector(&x[a..b]).into()),
            row_temperature: self.temperature.as_ref().map(|t| Matrix::vector(t)),
        }
    }
    fn row_loss(&self) -> RowLossInputs<'_> {
        RowLossInputs {
            class_weight: self.class_weight.as_ref().map(|c| Matrix::vector(c).into()),
            external_scale: self.external.as_ref().map(|c| Matrix::vector(c)),
        }
    }
    fn extra(&self) -> ExtraIds<'_> {
        ExtraIds(Matrix::contiguous(&self.extra, self.n, EXTRA).unwrap().into())
    }
    fn over(&self) -> Option<Over<'_>> {
        let n = self.n;
        let support = match &self.set {
            Set::None => return None,
            Set::Bitmask(m) => Support::Bitmask(Matrix::contiguous(m, n, m.len() / n).unwrap()),
            Set::Padded(ids, k) => Support::Lists(Lists::Padded(Matrix::contiguous(ids, n, *k).unwrap().into())),
            Set::Packed(ids, offsets) => {
                Support::Lists(Lists::Packed(Matrix::vector(ids).into(), Matrix::vector(offsets).into()))
            }
            Set::Filters(filters) => Support::Computed(*filters),
        };
        Some(Over { support, outside: self.outside })
    }
    fn weight_of(&self, a: usize, b: usize) -> Data {
        let w = self.weight.wide();
        Data::new(self.weight.kind(), &w[a * self.d..b * self.d])
    }
    fn inputs<'a>(&'a self, weight: &'a Data, a: usize, b: usize) -> Inputs<'a> {
        let (h, w) = (Layout::contiguous(self.n, self.d), Layout::contiguous(b - a, self.d));
        Inputs {
            row_loss: self.row_loss(),
            extra_ids: Some(self.extra()),
            over: self.over(),
            ..Inputs::new(self.hidden.view(h), weight.view(w), self.transform(a, b), self.rows())
        }
    }
    fn types(&self) -> (Dtype, Dtype) {
        (self.hidden.dtype(), self.weight.dtype())
    }
    fn problem(&self) -> Problem {
        Problem::new(self.n, self.d, self.v, self.options).unwrap().rounded(self.rounding)
    }
    /// Logits by the rule, row-major.
    fn logits(&self) -> Vec<f32> {
        let (n, v, d) = (self.n, self.v, self.d);
        let mut z = vec![0.0; n * v];
        let (h, w) = (self.hidden.view(Layout::contiguous(n, d)), self.weight.view(Layout::contiguous(v, d)));
        gemm::rows_by_rows(Isa::Scalar, &h, &w, &mut z);
        match self.rounding {
            Rounding::None => z,
            Rounding::Bf16 => Data::new(1, &z).wide(),
            Rounding::F16 => Data::new(2, &z).wide(),
        }
    }
    fn upstream(&self, which: usize) -> Upstream<'_> {
        let at = |i: usize| Some(Matrix::vector(&self.up[i]));
        let loss = Upstream { loss: Some(0.75), scale: 0.5, ..Upstream::default() };
        match which {
            0 => Upstream { logprob: at(0), lse: at(1), entropy: at(2), row_loss: at(3), ..loss },
            1 => Upstream {
                extra: Some(Matrix::contiguous(&self.up[4], self.n, EXTRA).unwrap()),
                extra_ids: Some(self.extra()),
                logprob: at(0),
                entropy: at(2),
                ..loss
            },
            2 => Upstream {
                lse: at(1),
                extra: Some(Matrix::contiguous(&self.up[4], self.n, EXTRA).unwrap()),
                extra_ids: Some(self.extra()),
                ..Upstream::default()
            },
            _ => loss,
        }
    }
    fn live(&self) -> Vec<usize> {
        (0..self.n).filter(|&i| self.rows().target(i, &self.options) != Target::Ignored).collect()
    }
}

macro_rules! outputs {
    ($($f:ident)*; $($g:ident)*; $($i:ident)*) => {
        /// Places of all figures.
        #[derive(Clone, Debug, PartialEq)]
        struct Out { n: usize, $($f: Vec<f32>,)* $($g: Vec<f32>,)* $($i: Vec<i32>,)* is_top1: Vec<u8>, status: Vec<u32>,
            bitmask: Vec<u32>, ids: Vec<i32>, size: Vec<i32>, sets: [Vec<f32>; 2], loss: Vec<f64>, counters: [i64; 32],
            topk_ids: Vec<i32>, topk_logprobs: Vec<f32>, extra: Vec<f32>, stats: Vec<f32> }
        impl Out {
            fn new(n: usize, v: usize) -> Out {
                Out { n, $($f: vec![7.5; n],)* $($g: vec![7.5; n],)* $($i: vec![77; n],)* is_top1: vec![77; n],
                    status: vec![77; n], bitmask: vec![77; n * v.div_ceil(32)], ids: vec![77; n * 9], size: vec![77; n],
                    sets: [vec![7.5; n], vec![7.5; n]], loss: vec![7.5], counters: [77; 32], topk_ids: vec![77; n * TOP],
                    topk_logprobs: vec![7.5; n * TOP], extra: vec![7.5; n * EXTRA], stats: vec![7.5; n * STATS] }
            }
            fn view(&mut self, over: bool) -> (Figures<'_>, SupportFigures<'_>, Totals<'_>) {
                let n = self.n;
                let figures = Figures {
                    $($f: Some(MatrixMut::vector(&mut self.$f)),)* $($g: Some(MatrixMut::vector(&mut self.$g)),)*
                    $($i: Some(MatrixMut::vector(&mut self.$i)),)*
                    is_top1: Some(MatrixMut::vector(&mut self.is_top1)), status: Some(MatrixMut::vector(&mut self.status)),
                    topk_ids: Some(MatrixMut::contiguous(&mut self.topk_ids, n, TOP).unwrap()),
                    topk_logprobs: Some(MatrixMut::contiguous(&mut self.topk_logprobs, n, TOP).unwrap()),
                    extra_logprobs: Some(MatrixMut::contiguous(&mut self.extra, n, EXTRA).unwrap()),
                    stats: Some(MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()),
                };
                let (words, [lse, mass]) = (self.bitmask.len() / n, &mut self.sets);
                let sets = SupportFigures {
                    lse: Some(MatrixMut::vector(lse)), log_kept_mass: Some(MatrixMut::vector(mass)),
                    size: Some(MatrixMut::vector(&mut self.size)), ids: Some(MatrixMut::contiguous(&mut self.ids, n, 9).unwrap()),
                    bitmask: Some(MatrixMut::contiguous(&mut self.bitmask, n, words).unwrap()),
                };
                let totals = Totals { loss: Some(MatrixMut::vector(&mut self.loss).into()), counters: Some(&mut self.counters) };
                (figures, if over { sets } else { SupportFigures::default() }, totals)
            }
            #[track_caller]
            fn same(&self, what: &str, want: &Out) {
                $( same(&format!("{what}: {}", stringify!($f)), &self.$f, &want.$f); )*
                $( same(&format!("{what}: {}", stringify!($g)), &self.$g, &want.$g); )*
                $( same(&format!("{what}: {}", stringify!($i)), &self.$i, &want.$i); )*
                same(&format!("{what}: is_top1"), &self.is_top1, &want.is_top1);
                same(&format!("{what}: status"), &self.status, &want.status);
                same(&format!("{what}: bitmask"), &self.bitmask, &want.bitmask);
                same(&format!("{what}: ids"), &self.ids, &want.ids);
                same(&format!("{what}: size"), &self.size, &want.size);
                same(&format!("{what}: loss"), &self.loss, &want.loss);
                same(&format!("{what}: counters"), &self.counters, &want.counters);
                same(&format!("{what}: topk_ids"), &self.topk_ids, &want.topk_ids);
                same(&format!("{what}: topk_logprobs"), &self.topk_logprobs, &want.topk_logprobs);
                same(&format!("{what}: extra"), &self.extra, &want.extra);
                same(&format!("{what}: stats"), &self.stats, &want.stats);
                (0..2).for_each(|k| same(&format!("{what}: support figure {k}"), &self.sets[k], &want.sets[k]));
            }
        }
    };
}
outputs!(logprob lse max entropy log_sum_sq mean_logit topk_entropy; token_scale row_loss; argmax rank ties);

/// What the logits form says about the columns `[a, b)` of these logits.
fn dz_of(case: &Case, z: &[f32], stats: Option<&[f32]>, up: Upstream<'_>, a: usize, b: usize) -> Vec<f32> {
    let (n, v, c) = (case.n, b - a, context(Isa::detect(), 0));
    let problem = logprob::Problem::shard(n, v, case.options, a, case.v).unwrap();
    let view = Floats::from(Matrix::contiguous(z, n, v).unwrap());
    let inputs = rows::BackwardInputs { transform: case.transform(a, b), rows: case.rows(), row_loss: case.row_loss() };
    let stats = stats.map(|s| Matrix::contiguous(s, n, STATS).unwrap());
    let mut dz = vec![0.0; n * v];
    let grad = rows::Grad::Separate(view, MatrixMut::contiguous(&mut dz, n, v).unwrap().into());
    match case.over() {
        None => rows::backward(&c, &problem, inputs, stats, up, grad, None).unwrap(),
        Some(over) => {
            let bytes = rows::over_workspace(&c, &problem, &over, false).preferred;
            with_scratch(bytes, |s| rows::backward_over(&c, &problem, inputs, over, stats, up, grad, None, None, s))
                .unwrap();
        }
    }
    dz
}
/// What the products make of dz: grad_hidden, grad_weight, grad_bias of the columns `[a, b)`.
fn products(case: &Case, dz: &[f32], a: usize, b: usize) -> [Vec<f32>; 3] {
    let (n, d, v) = (case.n, case.d, b - a);
    let (h, w, live) = (case.hidden.wide(), case.weight.wide(), case.live());
    let valid = logprob::Problem::shard(n, v, case.options, a, case.v).unwrap().valid();
    let pick = |x: &[f32], cols: usize, take: usize| -> Vec<f32> {
        live.iter().flat_map(|i| x[i * cols..i * cols + take].to_vec()).collect()
    };
    let mut grads = [vec![0.0; n * d], vec![0.0; v * d], vec![0.0; v]];
    if live.is_empty() || valid == 0 {
        return grads;
    }
    let dz_live = pick(dz, v, valid);
    let gh = product(&dz_live, &transpose(&w[a * d..(a + valid) * d], d), valid);
    for (l, &i) in live.iter().enumerate() {
        grads[0][i * d..][..d].copy_from_slice(&gh[l * d..][..d]);
    }
    let by_column = transpose(&dz_live, valid);
    grads[1][..valid * d].copy_from_slice(&product(&by_column, &transpose(&pick(&h, d, d), d), live.len()));
    grads[2][..valid].copy_from_slice(&product(&by_column, &vec![1.0; live.len()], live.len()));
    grads
}
/// Figures of the logits form.
fn figures_of(case: &Case, z: &[f32]) -> Out {
    let (n, v, c) = (case.n, case.v, context(Isa::detect(), 0));
    let problem = logprob::Problem::new(n, v, case.options).unwrap();
    let mut out = Out::new(n, v);
    let (figures, sets, totals) = out.view(case.over().is_some());
    let inputs = rows::Inputs {
        row_loss: case.row_loss(),
        extra_ids: Some(case.extra()),
        ..rows::Inputs::new(Matrix::contiguous(z, n, v).unwrap().into(), case.transform(0, v), case.rows())
    };
    match case.over() {
        None => {
            let bytes = rows::forward_workspace(&problem, true).minimum;
            with_scratch(bytes, |s| rows::forward_loss(&c, &problem, inputs, figures, totals, s)).unwrap();
        }
        Some(over) => {
            let bytes = rows::over_workspace(&c, &problem, &over, true).preferred;
            with_scratch(bytes, |s| rows::forward_over(&c, &problem, inputs, over, figures, sets, totals, s)).unwrap();
        }
    }
    out
}
fn part(w: Workspace, share: f64) -> usize {
    w.minimum + ((w.preferred - w.minimum) as f64 * share) as usize
}
struct Places([Vec<f32>; 3]);
impl Places {
    fn new(case: &Case, v: usize) -> Places {
        Places([vec![7.0; case.n * case.d], vec![7.0; v * case.d], vec![7.0; v]])
    }
    fn grads(&mut self, case: &Case) -> Grads<'_> {
        let [h, w, b] = &mut self.0;
        let (d, v) = (case.d, b.len());
        Grads {
            hidden: Some(MatrixMut::contiguous(h, case.n, d).unwrap().into()),
            weight: Some(MatrixMut::contiguous(w, v, d).unwrap().into()),
            bias: Some(MatrixMut::vector(b).into()),
            ..Grads::default()
        }
    }
    #[track_caller]
    fn same(&self, what: &str, want: &[Vec<f32>; 3]) {
        for (k, name) in ["grad_hidden", "grad_weight", "grad_bias"].iter().enumerate() {
            same(&format!("{what}: {name}"), &self.0[k], &want[k]);
        }
    }
}
fn contexts() -> Vec<Context> {
    Isa::available().zip([0, 2, 3, 1, 2, 0]).map(|(isa, threads)| context(isa, threads)).collect()
}

fn check(case: &Case, cases: &mut Cases) {
    let z = case.logits();
    let want = figures_of(case, &z);
    let (problem, (h, w), over) = (case.problem(), case.types(), case.over());
    let up = 0..4;
    let all: Vec<_> =
        up.map(|k| products(case, &dz_of(case, &z, None, case.upstream(k), 0, case.v), 0, case.v)).collect();
    for (at, c) in contexts().iter().enumerate() {
        for (size, share) in [0.0, 1.0, 0.1].into_iter().enumerate() {
            let what = format!("{} on {} x {}, workspace {size}", case.name, c.isa().name(), c.threads());
            let mut got = Out::new(case.n, case.v);
            let (figures, sets, totals) = got.view(over.is_some());
            let asked = Asked::forward(&problem, over.as_ref(), Some(&case.extra()), &figures, &sets, true);
            let need = linear::loss_need(c, &problem, h, w, &asked, true);
            let inputs = case.inputs(&case.weight, 0, case.v);
            with_scratch(part(need, share), |s| linear::forward_loss(c, &problem, inputs, figures, sets, totals, s))
                .unwrap();
            got.same(&what, &want);
            cases.ran();
            for k in 0..4 {
                let saved = (at + size + k) % 2 == 0;
                let up = case.upstream(k);
                let asked = Asked::backward(&problem, over.as_ref(), &up, saved);
                let need = linear::backward_need(c, &problem, h, w, &asked);
                let stats = saved.then(|| Matrix::contiguous(&want.stats, case.n, STATS).unwrap());
                let (mut g, mut status) = (Places::new(case, case.v), vec![77; case.n]);
                let place = Some(MatrixMut::vector(&mut status));
                with_scratch(part(need, share), |s| {
                    linear::backward(c, &problem, inputs, stats, up, g.grads(case), place, s)
                })
                .unwrap();
                g.same(&format!("{what}, upstream {k}, saved {saved}"), &all[k]);
                let bits = row::SATURATED; // of the ids, which a backward does not write
                let expected: Vec<u32> = want.status.iter().map(|s| s & !bits).collect();
                same(
                    &format!("{what}: status of the backward"),
                    &status.iter().map(|s| s & !bits).collect::<Vec<_>>(),
                    &expected,
                );
                cases.ran();
            }
            let (mut got, mut g) = (Out::new(case.n, case.v), Places::new(case, case.v));
            let (figures, sets, totals) = got.view(over.is_some());
            let asked = Asked::fused(&problem, over.as_ref(), Some(&case.extra()), &figures, &sets);
            let need = linear::fused_need(c, &problem, h, w, &asked, true, true);
            let fused = Fused { grads: g.grads(case), upstream: 0.75, scale: 0.5 };
            with_scratch(part(need, share), |s| {
                linear::forward_fused(c, &problem, inputs, figures, sets, totals, fused, s)
            })
            .unwrap();
            got.same(&format!("{what}, fused"), &want);
            g.same(&format!("{what}, fused"), &all[3]);
            cases.ran();
        }
    }
}
const KINDS: [(usize, usize); 9] = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 0), (2, 0), (1, 2), (2, 1), (0, 2)];

#[test]
fn row_options_equal_the_logits_form() {
    let (mut r, mut cases) = (Random(31), Cases::default());
    for setup in 0..8 {
        let v = [1, 33, 2049, 4200, 640, 2048, 90, 4100][setup];
        let case = Case::new(&mut r, ([19, 6, 50][setup % 3], [7, 33, 50][setup % 3], v), KINDS[setup], setup, 0);
        check(&if setup % 2 == 0 { case.hostile() } else { case }, &mut cases);
    }
    cases.finish("row options", 8 * 18 * Isa::available().count());
}
#[test]
fn supports_equal_the_logits_form() {
    let (mut r, mut cases) = (Random(32), Cases::default());
    for support in 1..7 {
        for step in 0..2 {
            let hostile = step == support % 2;
            let setup = support + 3 * step + step;
            let v = [4200, 700, 2049, 5000, 96][(support + step) % 5];
            let d = [7, 33, 2100][(support + step) % 3];
            let n = if d > 2000 { 6 } else { [19, 50][step] };
            let v = if d > 2000 { v.min(800) } else { v };
            let case = Case::new(&mut r, (n, d, v), KINDS[(support + step) % 9], setup, support);
            check(&if hostile { case.hostile() } else { case }, &mut cases);
        }
    }
    cases.finish("supports", 12 * 18 * Isa::available().count());
}

/// What a local call writes.
#[derive(Clone, Debug)]
struct Part {
    records: Vec<f32>,
    support: Vec<f32>,
    ids: Vec<i32>,
    logits: Vec<f32>,
    extra: Vec<f32>,
    status: Vec<u32>,
    counts: Vec<i64>,
}
const LISTED: usize = 20;
impl Part {
    fn new(n: usize) -> Part {
        Part {
            records: vec![7.5; n * STATS],
            support: vec![7.5; n * STATS],
            ids: vec![77; n * LISTED],
            logits: vec![7.5; n * LISTED],
            extra: vec![7.5; n * EXTRA],
            status: vec![77; n],
            counts: vec![77; n * 4],
        }
    }
    fn view(&mut self, over: bool, counts: bool) -> Local<'_> {
        let n = self.status.len();
        if counts {
            let counts = Some(MatrixMut::contiguous(&mut self.counts, n, 4).unwrap());
            return Local { counts, ..Local::default() };
        }
        let support = MatrixMut::contiguous(&mut self.support, n, STATS).unwrap();
        Local {
            records: Some(MatrixMut::contiguous(&mut self.records, n, STATS).unwrap()),
            support_records: over.then_some(support),
            topk_ids: Some(MatrixMut::contiguous(&mut self.ids, n, LISTED).unwrap()),
            topk_logits: Some(MatrixMut::contiguous(&mut self.logits, n, LISTED).unwrap()),
            extra_logits: Some(MatrixMut::contiguous(&mut self.extra, n, EXTRA).unwrap()),
            counts: None,
            status: Some(MatrixMut::vector(&mut self.status)),
        }
    }
    #[track_caller]
    fn same(&self, what: &str, want: &Part) {
        same(&format!("{what}: records"), &self.records, &want.records);
        same(&format!("{what}: support records"), &self.support, &want.support);
        same(&format!("{what}: topk ids"), &self.ids, &want.ids);
        same(&format!("{what}: topk logits"), &self.logits, &want.logits);
        same(&format!("{what}: extra logits"), &self.extra, &want.extra);
        same(&format!("{what}: status"), &self.status, &want.status);
        same(&format!("{what}: counts"), &self.counts, &want.counts);
    }
}
/// The case with the support of the columns `[a, b)`, counted from a.
fn cut(case: &Case, a: usize, b: usize) -> Case {
    let set = match &case.set {
        Set::Bitmask(m) => {
            let (from, to) = (case.v.div_ceil(32), (b - a).div_ceil(32));
            let mut part = vec![0; case.n * to];
            for (i, j) in (0..case.n).flat_map(|i| (a..b).map(move |j| (i, j))) {
                part[i * to + (j - a) / 32] |= (m[i * from + j / 32] >> (j % 32) & 1) << ((j - a) % 32);
            }
            Set::Bitmask(part)
        }
        Set::Padded(ids, k) => {
            let row = |row: &[i32]| -> Vec<i32> {
                let mut some: Vec<i32> =
                    row.iter().filter(|&&j| j >= a as i32 && j < b as i32).map(|j| j - a as i32).collect();
                some.resize(*k, -1);
                some
            };
            Set::Padded(ids.chunks(*k).flat_map(row).collect(), *k)
        }
        other => other.clone(),
    };
    Case { set, ..case.clone() }
}
fn linear_part(case: &Case, c: &Context, share: f64, pass: LocalPass<'_>, a: usize, b: usize, out: &mut Part) {
    let (case, w) = (cut(case, a, b), case.weight_of(a, b));
    let over = case.over();
    let problem = Problem::shard(case.n, case.d, b - a, case.options, a, case.v).unwrap().rounded(case.rounding);
    let inputs = case.inputs(&w, a, b);
    let out = out.view(over.is_some(), matches!(pass, LocalPass::Counts(_)));
    let asked = Asked::local(&problem, over.as_ref(), Some(&case.extra()), &pass, &out);
    let need = linear::local_workspace(c, &problem, case.hidden.dtype(), w.dtype(), &asked);
    with_scratch(part(need, share), |s| linear::local(c, &problem, inputs, pass, out, s)).unwrap();
}
fn rows_part(case: &Case, z: &[f32], pass: LocalPass<'_>, a: usize, b: usize, out: &mut Part) {
    let case = cut(case, a, b);
    let z: Vec<f32> = z.chunks(case.v).flat_map(|row| row[a..b].to_vec()).collect();
    let over = case.over();
    let c = context(Isa::detect(), 0);
    let problem = logprob::Problem::shard(case.n, b - a, case.options, a, case.v).unwrap();
    let inputs = rows::Inputs {
        row_loss: case.row_loss(),
        extra_ids: Some(case.extra()),
        ..rows::Inputs::new(Matrix::contiguous(&z, case.n, b - a).unwrap().into(), case.transform(a, b), case.rows())
    };
    let out = out.view(over.is_some(), matches!(pass, LocalPass::Counts(_)));
    let need = rows::local_workspace(&c, &problem, over.as_ref()).preferred;
    with_scratch(need, |s| rows::local(&c, &problem, inputs, over, pass, out, s)).unwrap();
}
/// Figures from the parts of all shards; `counts`, where they are there, with rank, ties and size.
fn joined(case: &Case, starts: &[i64], parts: &[Part], counts: Option<&[i64]>) -> Out {
    let (n, shards, over) = (case.n, parts.len(), case.over().is_some());
    let all = |f: fn(&Part) -> &Vec<f32>| parts.iter().flat_map(|p| f(p).clone()).collect::<Vec<_>>();
    let (records, support) = (all(|p| &p.records), all(|p| &p.support));
    let (logits, extra) = (all(|p| &p.logits), all(|p| &p.extra));
    let ids: Vec<i32> = parts.iter().flat_map(|p| p.ids.clone()).collect();
    let matrix = |x, cols| Matrix::contiguous(x, shards * n, cols).unwrap();
    let inputs = Finish {
        support_records: over.then(|| matrix(&support, STATS)),
        row_loss: case.row_loss(),
        extra_ids: Some(case.extra()),
        topk_ids: Some(Matrix::contiguous(&ids, shards * n, LISTED).unwrap()),
        topk_logits: Some(matrix(&logits, LISTED)),
        extra_logits: Some(matrix(&extra, EXTRA)),
        counts: counts.map(|c| Matrix::contiguous(c, n, 4).unwrap()),
        ..Finish::new(matrix(&records, STATS), Matrix::vector(starts).into(), case.rows())
    };
    let problem = logprob::Problem::new(n, case.v, case.options).unwrap();
    let mut out = Out::new(n, case.v);
    let (mut figures, mut sets, totals) = out.view(over);
    (sets.bitmask, sets.ids) = (None, None);
    if counts.is_none() {
        (figures.rank, figures.ties, sets.size) = (None, None, None);
    }
    let c = Context::default();
    let bytes = rows::finish_workspace(&problem, true).minimum;
    with_scratch(bytes, |s| rows::finish(&c, &problem, inputs, figures, sets, totals, s)).unwrap();
    out
}
fn shards(case: &Case, starts: &[i64], nodes: bool, cases: &mut Cases) {
    let (z, n, v) = (case.logits(), case.n, case.v);
    let whole = figures_of(case, &z);
    let cuts: Vec<(usize, usize)> = starts.windows(2).map(|w| (w[0] as usize, w[1] as usize)).collect();
    let pass = LocalPass::Records { sums: true };
    let mut parts: Vec<Part> = cuts.iter().map(|_| Part::new(n)).collect();
    cuts.iter().zip(&mut parts).for_each(|(&(a, b), part)| rows_part(case, &z, pass, a, b, part));
    let first = joined(case, starts, &parts, None);
    let stats = Matrix::contiguous(&first.stats, n, STATS).unwrap();
    let mut counts = vec![0i64; n * 4];
    for (&(a, b), part) in cuts.iter().zip(&mut parts) {
        rows_part(case, &z, LocalPass::Counts(stats), a, b, part);
        counts.iter_mut().zip(&part.counts).for_each(|(sum, x)| *sum += x);
    }
    let out = joined(case, starts, &parts, Some(&counts));
    if nodes {
        // bitmask and ids stay with the shards, and the flag of ids that do not fit
        let mut want = Out { bitmask: out.bitmask.clone(), ids: out.ids.clone(), ..whole.clone() };
        want.status.iter_mut().for_each(|s| *s &= !row::SATURATED);
        want.stats.chunks_mut(STATS).for_each(|s| s[7] = f32::from_bits(s[7].to_bits() & !row::SATURATED));
        want.counters[9] = 0;
        out.same(&format!("{}, shards {starts:?}", case.name), &want);
        cases.ran();
    }
    for c in &contexts() {
        for (&(a, b), want) in cuts.iter().zip(&parts) {
            let what = format!("{} on {}, columns {a}..{b}", case.name, c.isa().name());
            for share in [0.0, 1.0] {
                let mut got = Part::new(n);
                linear_part(case, c, share, pass, a, b, &mut got);
                linear_part(case, c, share, LocalPass::Counts(stats), a, b, &mut got);
                got.same(&what, want);
                cases.ran();
            }
            let (local, w) = (cut(case, a, b), case.weight_of(a, b));
            let columns: Vec<f32> = z.chunks(v).flat_map(|row| row[a..b].to_vec()).collect();
            for k in 0..4 {
                let dz = dz_of(&local, &columns, Some(&first.stats), case.upstream(k), a, b);
                let want = products(case, &dz, a, b);
                let problem = Problem::shard(n, case.d, b - a, case.options, a, v).unwrap().rounded(case.rounding);
                let (inputs, up) = (local.inputs(&w, a, b), case.upstream(k));
                let asked = Asked::backward(&problem, inputs.over.as_ref(), &up, true);
                let (h, t) = case.types();
                let bytes = linear::backward_need(c, &problem, h, t, &asked).preferred;
                let mut g = Places::new(case, b - a);
                with_scratch(bytes, |s| linear::backward(c, &problem, inputs, Some(stats), up, g.grads(case), None, s))
                    .unwrap();
                g.same(&what, &want);
                cases.ran();
            }
        }
    }
}
#[test]
fn shards_equal_the_logits_form() {
    let (mut r, mut cases) = (Random(33), Cases::default());
    for (at, (setup, support)) in [(0, 0), (1, 0), (2, 0), (5, 1), (4, 0), (6, 2), (3, 1)].into_iter().enumerate() {
        let case = Case::new(&mut r, (11, [9, 40][at % 2], 5000), KINDS[at], setup, support);
        let case = if at % 2 == 0 { case.hostile() } else { case };
        let dead = case.problem().logprob().valid() as i64; // a shard of padding alone
        shards(&case, &[0, 2048, 4096, 5000], support != 2, &mut cases);
        shards(&case, &[0, 1003, 1004, dead.min(4990), 5000], false, &mut cases);
    }
    cases.finish("shards", 300);
}

/// A list reads the weights of its columns alone, and rows with bad numbers stay alone.
#[test]
fn lists_read_their_columns_only() {
    let (mut r, mut cases) = (Random(34), Cases::default());
    let mut case = Case::new(&mut r, (23, 30, 900), (0, 0), 0, 2);
    (case.rounding, case.outside) = (Rounding::None, Outside::NegInf);
    let Set::Padded(ids, _) = &case.set else { unreachable!() };
    let named: Vec<bool> = (0..900).map(|j| ids.contains(&j)).collect();
    let blank: Vec<f32> = case
        .weight
        .wide()
        .chunks(30)
        .zip(&named)
        .flat_map(|(w, &n)| w.iter().map(move |&w| if n { w } else { f32::NAN }))
        .collect();
    let mut h = case.hidden.wide();
    (h[30 * 4 + 3], h[30 * 6 + 1]) = (f32::NAN, f32::INFINITY);
    case.hidden = Data::F32(h);
    let z = case.logits();
    let mut want = figures_of(&case, &z);
    let up = case.upstream(0);
    let grads = products(&case, &dz_of(&case, &z, None, up, 0, 900), 0, 900);
    let (problem, over, blank) = (case.problem(), case.over(), Data::F32(blank));
    for c in &contexts() {
        let mut got = Out::new(23, 900);
        let (figures, mut sets, totals) = got.view(true);
        sets.log_kept_mass = None; // the mass of all columns
        let asked = Asked::forward(&problem, over.as_ref(), Some(&case.extra()), &figures, &sets, true);
        let need = linear::loss_need(c, &problem, Dtype::F32, Dtype::F32, &asked, true);
        let inputs = case.inputs(&blank, 0, 900);
        with_scratch(need.minimum, |s| linear::forward_loss(c, &problem, inputs, figures, sets, totals, s)).unwrap();
        want.sets[1] = vec![7.5; 23];
        got.same("lists", &want);
        assert!(want.status[4] & row::NAN_INPUT > 0 && want.status[6] & (row::NAN_INPUT | row::INF_INPUT) > 0);
        let asked = Asked::backward(&problem, over.as_ref(), &up, false);
        let need = linear::backward_need(c, &problem, Dtype::F32, Dtype::F32, &asked);
        let mut g = Places::new(&case, 900);
        with_scratch(need.minimum, |s| linear::backward(c, &problem, inputs, None, up, g.grads(&case), None, s))
            .unwrap();
        same("grad_hidden", &g.0[0], &grads[0]);
        cases.ran();
    }
    cases.finish("blank weights", Isa::available().count());
}

/// The gradient of the loss against differences of the loss in f64 along a random direction.
#[test]
fn finite_differences() {
    let (mut r, mut cases) = (Random(35), Cases::default());
    let c = context(Isa::detect(), 0);
    for (setup, support) in [(1, 0), (5, 0), (7, 0), (1, 1), (5, 2)] {
        let mut case = Case::new(&mut r, (9, 20, 300), (0, 0), setup, support);
        (case.rounding, case.outside) = (Rounding::None, Outside::Keep);
        case.target = (0..9).map(|i| if i == 5 { -100 } else { 27 * i }).collect(); // no dead column, no padding
        let (h, w) = (case.hidden.wide(), case.weight.wide());
        let loss = |case: &Case| {
            let (problem, mut out) = (case.problem(), Out::new(9, 300));
            let figures = Figures { row_loss: Some(MatrixMut::vector(&mut out.row_loss)), ..Figures::default() };
            let totals = Totals { loss: Some(MatrixMut::vector(&mut out.loss).into()), counters: None };
            let over = case.over();
            let asked = Asked::forward(&problem, over.as_ref(), None, &figures, &SupportFigures::default(), true);
            let need = linear::loss_need(&c, &problem, Dtype::F32, Dtype::F32, &asked, true);
            let inputs = Inputs { extra_ids: None, ..case.inputs(&case.weight, 0, 300) };
            with_scratch(need.preferred, |s| {
                linear::forward_loss(&c, &problem, inputs, figures, SupportFigures::default(), totals, s)
            })
            .unwrap();
            out.loss[0]
        };
        let (problem, mut g) = (case.problem(), Places::new(&case, 300));
        let fused = Fused { grads: g.grads(&case), upstream: 1.0, scale: 1.0 };
        let (over, none) = (case.over(), SupportFigures::default());
        let asked = Asked::fused(&problem, over.as_ref(), None, &Figures::default(), &none);
        let need = linear::fused_need(&c, &problem, Dtype::F32, Dtype::F32, &asked, false, false);
        let inputs = Inputs { extra_ids: None, ..case.inputs(&case.weight, 0, 300) };
        with_scratch(need.preferred, |s| {
            linear::forward_fused(&c, &problem, inputs, Figures::default(), none, Totals::default(), fused, s)
        })
        .unwrap();
        for side in 0..2 {
            let (x, grad) = if side == 0 { (&h, &g.0[0]) } else { (&w, &g.0[1]) };
            let (along, eps) = (r.normals(x.len(), 1.0), 1.0 / 256.0f32);
            let at = |sign: f32| {
                let moved: Vec<f32> = x.iter().zip(&along).map(|(x, a)| x + sign * eps * a).collect();
                let case = if side == 0 {
                    Case { hidden: Data::F32(moved), ..case.clone() }
                } else {
                    Case { weight: Data::F32(moved), ..case.clone() }
                };
                loss(&case)
            };
            let slope = (at(1.0) - at(-1.0)) / (2.0 * eps as f64);
            let want: f64 = grad.iter().zip(&along).map(|(g, a)| *g as f64 * *a as f64).sum();
            let size: f64 = grad.iter().zip(&along).map(|(g, a)| (*g as f64 * *a as f64).abs()).sum();
            assert!((slope - want).abs() <= 2e-3 * size, "{}, side {side}: {slope} {want} {size}", case.name);
            cases.ran();
        }
    }
    cases.finish("finite differences", 10);
}

/// Refused calls name what is wrong and write nothing.
#[test]
fn refusals() {
    let (mut r, mut n) = (Random(36), 0);
    let case = Case::new(&mut r, (6, 5, 40), (0, 0), 1, 1);
    let c = Context::default();
    let mut refused = |got: Result<(), Error>, status: Status, field: &str| {
        let e = got.unwrap_err();
        assert_eq!((e.status, e.field), (status, field), "{e}");
        n += 1;
    };
    let problem = case.problem();
    let run = |problem: &Problem, inputs: Inputs<'_>, sets: bool| {
        let (mut out, fresh) = (Out::new(6, 40), Out::new(6, 40));
        let (figures, some, totals) = out.view(sets);
        let e = with_scratch(1 << 22, |s| linear::forward_loss(&c, problem, inputs, figures, some, totals, s));
        out.same("a refused call", &fresh);
        let mut g = Places::new(&case, 40);
        let fused = Fused { grads: g.grads(&case), upstream: 1.0, scale: 1.0 };
        let (figures, some, totals) = out.view(sets);
        let again =
            with_scratch(1 << 22, |s| linear::forward_fused(&c, problem, inputs, figures, some, totals, fused, s));
        assert_eq!(again.unwrap_err().field, e.unwrap_err().field);
        out.same("a refused call", &fresh);
        assert!(g.0.iter().flatten().all(|x| *x == 7.0));
        let (figures, some, totals) = out.view(sets);
        with_scratch(1 << 22, |s| linear::forward_loss(&c, problem, inputs, figures, some, totals, s))
    };
    let good = case.inputs(&case.weight, 0, 40);
    let (short, wide) = (vec![0u32; 6], vec![40i32; 6 * EXTRA]);
    let bitmask = Support::Bitmask(Matrix::contiguous(&short, 6, 1).unwrap());
    let over = |support| Some(Over { support, outside: Outside::Keep });
    refused(run(&problem, Inputs { over: over(bitmask), ..good }, true), Status::ShapeMismatch, "support.bitmask");
    let twice = [3i32, 3, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2];
    let lists = Support::Lists(Lists::Padded(Ints::from(Matrix::contiguous(&twice, 6, 2).unwrap())));
    refused(run(&problem, Inputs { over: over(lists), ..good }, true), Status::InvalidArgument, "support.ids");
    refused(run(&problem, Inputs { over: None, ..good }, true), Status::InvalidArgument, "support.kind");
    let ids = Some(ExtraIds(Matrix::contiguous(&wide, 6, EXTRA).unwrap().into()));
    refused(run(&problem, Inputs { extra_ids: ids, ..good }, true), Status::OutOfRange, "figures.extra_ids");
    refused(run(&problem, Inputs { extra_ids: None, ..good }, true), Status::InvalidArgument, "figures.extra_ids");
    let negative = vec![-1.0f32; 40];
    let row_loss = RowLossInputs { class_weight: Some(Matrix::vector(&negative).into()), external_scale: None };
    refused(run(&problem, Inputs { row_loss, ..good }, true), Status::InvalidArgument, "row_loss.class_weight");
    let rows = Rows { target: None, ..good.rows };
    refused(run(&problem, Inputs { rows, ..good }, true), Status::InvalidArgument, "rows.target");
    let shard = Problem::shard(6, 5, 40, case.options, 0, 41).unwrap();
    refused(run(&shard, good, true), Status::InvalidArgument, "shard.vocab_total");
    let filters = Filters::new(Preset::Vllm, 3, 0.0, 0.0, None, None).unwrap();
    let pass = LocalPass::Records { sums: false };
    let local = |inputs: Inputs<'_>, pass, out: Local<'_>| {
        with_scratch(1 << 22, |s| linear::local(&c, &shard, inputs, pass, out, s))
    };
    let mut part = Part::new(6);
    let weights = vec![1.0f32; 41];
    let row_loss = RowLossInputs { class_weight: Some(Matrix::vector(&weights).into()), external_scale: None };
    let good = Inputs { row_loss, ..good };
    let computed = Inputs { over: over(Support::Computed(filters)), ..good };
    refused(local(computed, pass, part.view(true, false)), Status::InvalidArgument, "support.kind");
    let plain = Inputs { over: None, ..good };
    refused(local(plain, pass, part.view(true, false)), Status::InvalidArgument, "out_support_records");
    refused(local(plain, pass, part.view(false, true)), Status::InvalidArgument, "out_counts");
    let stats = vec![0.0; 6 * STATS];
    let counts = LocalPass::Counts(Matrix::contiguous(&stats, 6, STATS).unwrap());
    refused(local(plain, counts, part.view(false, false)), Status::InvalidArgument, "out_records");
    part.same("a refused local call", &Part::new(6));
    println!("{n} refusals");
    assert_eq!(n, 12);
}

/// The fast mode rounds dz of bf16 operands once to bf16 before the gradient products and changes nothing else.
#[test]
fn fast_mode_rounds_dz_once() {
    let (mut r, mut cases) = (Random(37), Cases::default());
    for (kinds, setup, support) in [((1, 1), 1, 0), ((1, 1), 5, 2), ((1, 0), 1, 0), ((1, 1), 2, 1)] {
        let case = Case::new(&mut r, (50, 40, 2100), kinds, setup, support);
        let (z, (h, w), problem, over) = (case.logits(), case.types(), case.problem(), case.over());
        for (isa, k) in Isa::available().flat_map(|isa| [(isa, 0), (isa, 1)]) {
            let options = ContextOptions { mode: Mode::Fast, isa_cap: Some(isa), threads: 2 };
            let (c, up) = (Context::new(options).unwrap(), case.upstream(k));
            let dz = dz_of(&case, &z, None, up, 0, case.v);
            let exact = products(&case, &dz, 0, case.v);
            let dz = if kinds == (1, 1) { Data::new(1, &dz).wide() } else { dz };
            let want = products(&case, &dz, 0, case.v);
            let asked = Asked::backward(&problem, over.as_ref(), &up, false);
            let need = linear::backward_need(&c, &problem, h, w, &asked);
            for share in [0.0, 1.0] {
                let mut g = Places::new(&case, case.v);
                let inputs = case.inputs(&case.weight, 0, case.v);
                with_scratch(part(need, share), |s| {
                    linear::backward(&c, &problem, inputs, None, up, g.grads(&case), None, s)
                })
                .unwrap();
                g.same(&format!("{}, fast", case.name), &want);
                cases.ran();
            }
            // half an ulp of bf16 of every term
            let sizes = products(&case, &dz.iter().map(|x| x.abs()).collect::<Vec<_>>(), 0, case.v);
            let bias = exact[2].iter().zip(&want[2]).zip(&sizes[2]);
            assert!(bias.into_iter().all(|((a, b), s)| (a - b).abs() <= 0.0040 * s + 1e-30), "{}", case.name);
        }
    }
    cases.finish("fast mode", 4 * 4 * Isa::available().count());
}
