//! Sampling supports: the filters against 50 digits, log-probs over a support against rows whose other columns are dead,
//! the same bits however a mask is given, computed and cut over threads; targets outside; hostile input.
use half::{bf16, f16};
use truing_core::error::row;
use truing_core::logprob::{Figures, Options, Problem, Rows, STATS, Transform, TransformInputs, Upstream};
use truing_core::matrix::{Matrix, MatrixMut, Workspace};
use truing_core::support::{Edge, Filters, Lists, Outside, Preset, Support, SupportFigures, Ties};
use truing_core::{Error, Status};
use truing_cpu::logprob::{
    BackwardInputs, Fused, Grad, Inputs, Over, Totals, backward, backward_bias, backward_over, forward, forward_fused,
    forward_over, forward_over_fused, fused_workspace, over_fused_workspace, over_workspace,
};
use truing_cpu::support::{support_mask, support_mask_workspace};
use truing_cpu::{Context, Isa};
use truing_tests::{Bits, Cases, Logit, Random, U, context, contexts, hash, numbers, same, with_scratch};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

#[derive(Clone)]
struct Job<T> {
    v: usize,
    z: Vec<T>,
    target: Vec<i64>,
    mask: Vec<u8>,
    bias: Option<Vec<f32>>,
    options: Options,
}
/// Every figure of the rows and of their supports.
#[derive(Debug)]
struct Out {
    logprob: Vec<f32>,
    lse: Vec<f32>,
    max: Vec<f32>,
    argmax: Vec<i32>,
    entropy: Vec<f32>,
    log_sum_sq: Vec<f32>,
    is_top1: Vec<u8>,
    stats: Vec<f32>,
    status: Vec<u32>,
    lse_support: Vec<f32>,
    log_kept_mass: Vec<f32>,
    size: Vec<i32>,
    bitmask: Vec<u32>,
    ids: Vec<i32>,
}
impl Out {
    fn new(n: usize, v: usize, k: usize) -> Out {
        let f = || vec![7.5f32; n];
        Out {
            logprob: f(),
            lse: f(),
            max: f(),
            argmax: vec![77; n],
            entropy: f(),
            log_sum_sq: f(),
            is_top1: vec![77; n],
            stats: vec![7.5; n * STATS],
            status: vec![1 << 31; n],
            lse_support: f(),
            log_kept_mass: f(),
            size: vec![77; n],
            bitmask: vec![77; n * v.div_ceil(32)],
            ids: vec![77; n * k],
        }
    }
    fn figures(&mut self) -> (Figures<'_>, SupportFigures<'_>) {
        let n = self.lse.len();
        let (w, k) = (self.bitmask.len() / n.max(1), self.ids.len() / n.max(1));
        let figures = Figures {
            logprob: Some(MatrixMut::vector(&mut self.logprob)),
            lse: Some(MatrixMut::vector(&mut self.lse)),
            max: Some(MatrixMut::vector(&mut self.max)),
            argmax: Some(MatrixMut::vector(&mut self.argmax)),
            entropy: Some(MatrixMut::vector(&mut self.entropy)),
            log_sum_sq: Some(MatrixMut::vector(&mut self.log_sum_sq)),
            is_top1: Some(MatrixMut::vector(&mut self.is_top1)),
            stats: Some(MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()),
            status: Some(MatrixMut::vector(&mut self.status)),
            ..Figures::default()
        };
        let sets = SupportFigures {
            lse: Some(MatrixMut::vector(&mut self.lse_support)),
            log_kept_mass: Some(MatrixMut::vector(&mut self.log_kept_mass)),
            size: Some(MatrixMut::vector(&mut self.size)),
            bitmask: Some(MatrixMut::contiguous(&mut self.bitmask, n, w).unwrap()),
            ids: Some(MatrixMut::contiguous(&mut self.ids, n, k).unwrap()),
        };
        (figures, sets)
    }
    #[track_caller]
    fn same(&self, what: &str, want: &Out) {
        macro_rules! each {
            ($($f:ident)*) => {$( same(&format!("{what}: {}", stringify!($f)), &self.$f, &want.$f); )*};
        }
        each!(logprob lse max argmax entropy log_sum_sq is_top1 stats status lse_support log_kept_mass size bitmask ids);
    }
}
impl<T: Logit> Job<T> {
    fn n(&self) -> usize {
        self.target.len()
    }
    fn problem(&self) -> Problem {
        Problem::new(self.n(), self.v, self.options).unwrap()
    }
    fn rows(&self) -> Rows<'_> {
        let (target, mask) = (Matrix::vector(&self.target), Matrix::vector(&self.mask));
        Rows { target: Some(target.into()), mask: Some(mask.into()), ..Rows::default() }
    }
    fn transform(&self) -> TransformInputs<'_> {
        TransformInputs { bias: self.bias.as_ref().map(|x| Matrix::vector(x).into()), row_temperature: None }
    }
    fn inputs(&self) -> Inputs<'_> {
        let logits = T::view(Matrix::contiguous(&self.z, self.n(), self.v).unwrap());
        Inputs::new(logits, self.transform(), self.rows())
    }
    fn scratch<R>(&self, need: Workspace, least: bool, f: impl FnOnce(&mut [u8]) -> R) -> R {
        with_scratch(if least { need.minimum } else { need.preferred }, f)
    }
    fn over(&self, c: &Context, over: Over<'_>, k: usize, least: bool) -> Out {
        let mut out = Out::new(self.n(), self.v, k);
        let (figures, sets) = out.figures();
        self.scratch(over_workspace(c, &self.problem(), &over, false), least, |w| {
            forward_over(c, &self.problem(), self.inputs(), over, figures, sets, Totals::default(), w).unwrap();
        });
        out
    }
    fn mask(&self, c: &Context, filters: &Filters, k: usize, least: bool) -> Out {
        let mut out = Out::new(self.n(), self.v, k);
        let problem = self.problem();
        self.scratch(support_mask_workspace(c, &problem), least, |w| {
            let (figures, sets) = out.figures();
            let sets = SupportFigures { lse: None, log_kept_mass: None, ..sets };
            support_mask(c, &problem, self.inputs(), filters, sets, figures.status, w).unwrap();
        });
        out
    }
    /// The gradient over a support, from statistics or without, in place or not.
    fn gradient(
        &self,
        c: &Context,
        over: Option<Over<'_>>,
        stats: Option<&[f32]>,
        in_place: bool,
    ) -> (Vec<T>, Vec<u32>) {
        let (n, v) = (self.n(), self.v);
        let up: [Vec<f32>; 3] = [1.0, 0.25, -0.5].map(|g| vec![g; n]);
        let [lp, lse, h] = up.each_ref().map(|g| Some(Matrix::vector(g)));
        let upstream = Upstream { logprob: lp, lse, entropy: h, scale: 1.5, ..Upstream::default() };
        let inputs = BackwardInputs { transform: self.transform(), rows: self.rows(), ..BackwardInputs::default() };
        let (mut g, mut status) = (if in_place { self.z.clone() } else { vec![T::from_f32(7.5); n * v] }, vec![9; n]);
        let place = T::view_mut(MatrixMut::contiguous(&mut g, n, v).unwrap());
        let grad = if in_place { Grad::InPlace(place) } else { Grad::Separate(self.inputs().logits, place) };
        let stats = stats.map(|s| Matrix::contiguous(s, n, STATS).unwrap());
        let s = Some(MatrixMut::vector(&mut status));
        match over {
            None => backward(c, &self.problem(), inputs, stats, upstream, grad, s).unwrap(),
            Some(over) => self.scratch(over_workspace(c, &self.problem(), &over, false), in_place, |w| {
                backward_over(c, &self.problem(), inputs, over, stats, upstream, grad, s, None, w).unwrap();
            }),
        }
        (g, status)
    }
}

fn filters(preset: usize, k: i64, p: f64, q: f64, ties: usize, edge: usize) -> Filters {
    let preset = [Preset::Vllm, Preset::Hf, Preset::Sglang][preset - 1];
    let ties = [None, Some(Ties::Index), Some(Ties::All)][ties];
    Filters::new(preset, k, p, q, ties, [None, Some(Edge::Strict), Some(Edge::Inclusive)][edge]).unwrap()
}

/// `golden/supports.txt`, sets and 50 digits from an independent script.
#[test]
fn golden() {
    let (mut cases, contexts) = (Cases::default(), contexts());
    for line in include_str!("golden/supports.txt").lines() {
        let parts: Vec<&str> = line.split(" | ").collect();
        let (head, figures) = (numbers(parts[0]), numbers(parts[1]));
        let mut ids: Vec<i32> = parts[2].split_whitespace().map(|x| x.parse().unwrap()).collect();
        let (seed, v, unit, dead) = (head[0] as u32, head[1] as usize, head[2], head[3] as u32);
        let z: Vec<f32> = (0..v as u32)
            .map(|j| {
                let gone = dead > 0 && j > 0 && hash(seed + 1, j).is_multiple_of(dead);
                if gone { -INF } else { ((hash(seed, j) % 96) as f64 * unit) as f32 }
            })
            .collect();
        let f = filters(head[4] as usize, head[5] as i64, head[6], head[7], head[8] as usize, head[9] as usize);
        let y = head[10] as usize;
        let job =
            Job { v, z: z.clone(), target: vec![y as i64], mask: vec![1], bias: None, options: Options::default() };
        let over = Over { support: Support::Computed(f), outside: Outside::Keep };
        for c in &contexts {
            let what = format!("{} on {}", parts[0], c.isa().name());
            let (mask, out) = (job.mask(c, &f, v, true), job.over(c, over, v, true));
            assert_eq!(mask.size[0], figures[0] as i32, "{what}: size");
            let got: Vec<i32> = mask.ids.iter().copied().take_while(|&x| x >= 0).collect();
            assert_eq!(got, ids, "{what}");
            let bits: Vec<i32> =
                (0..v as i32).filter(|&j| mask.bitmask[j as usize / 32] >> (j % 32) & 1 == 1).collect();
            assert_eq!(bits, ids, "{what}: bitmask");
            assert_eq!(mask.status[0], 0, "{what}");
            let outside = !ids.contains(&(y as i32));
            let l = figures[1].abs() + out.max[0].abs() as f64 + 1.0;
            for (name, got, want, bound) in [
                ("lse", out.lse[0], figures[1], 8.0 * U * l),
                ("lse_support", out.lse_support[0], figures[1], 8.0 * U * l),
                ("log_kept_mass", out.log_kept_mass[0], figures[2], 8.0 * U * (1.0 + figures[2].abs())),
                ("logprob", out.logprob[0], figures[3], 8.0 * U * l),
                ("entropy", out.entropy[0], figures[4], 8.0 * U * (1.0 + (v as f64).ln())),
            ] {
                let ok = got as f64 == want || (got as f64 - want).abs() <= bound;
                assert!(ok, "{what}: {name}: got {got}, expected {want}");
            }
            assert!(out.log_kept_mass[0] <= 0.0);
            let flags =
                if outside { row::TARGET_OUTSIDE } else { 0 } | if z[y] == -INF { row::TARGET_NEG_INF } else { 0 };
            assert_eq!(out.status[0], flags, "{what}: status");
            assert_eq!(out.size[0], figures[0] as i32 + (outside && z[y] > -INF) as i32, "{what}");
            cases.ran();
        }
        ids.clear();
    }
    cases.finish("golden supports", 2 * 2453);
}

/// Rows of all kinds; the first ones are clean.
fn job<T: Logit>(v: usize, setup: usize) -> Job<T> {
    let mut r = Random(v as u64 + setup as u64);
    let n = 9;
    let mut z: Vec<T> = (0..n * v).map(|_| T::from_f32((r.normal() * 3.0) as f32)).collect();
    let mut target: Vec<i64> = (0..n).map(|_| r.below(v) as i64).collect();
    z[v..2 * v].iter_mut().for_each(|x| *x = T::from_f32(x.to_f32().round()));
    z[4 * v + v / 3] = T::from_f32(NAN);
    z[5 * v + v - 1] = T::from_f32(INF);
    z[6 * v..7 * v].fill(T::from_f32(-INF));
    z[7 * v + target[7] as usize] = T::from_f32(-INF);
    let mut mask = vec![1; n];
    mask[8] = 0;
    target[8] = i64::MAX;
    let mut job = Job { v, z, target, mask, bias: None, options: Options::default() };
    if setup == 1 {
        job.options.transform = Transform { logit_scale: 1.25, softcap: 20.0, temperature: 0.7 };
        job.bias = Some((0..v).map(|j| if j % 7 == 6 { -INF } else { (j % 5) as f32 * 0.25 }).collect());
        job.options.n_valid_vocab = v - v / 5;
    }
    job
}
/// Without the signs of zeros: a dead column may have -0.
fn plus<T: Logit>(x: &[T]) -> Vec<T> {
    x.iter().map(|x| T::from_f32(x.to_f32() + 0.0)).collect()
}
fn given<T: Logit>(cases: &mut Cases) {
    for v in [1usize, 31, 500, 2048, 5000] {
        for setup in 0..2 {
            let job = job::<T>(v, setup);
            let (n, words) = (job.n(), v.div_ceil(32));
            let mut r = Random(v as u64);
            let bits: Vec<u32> = (0..n * words).map(|_| (r.bits() & r.bits()) as u32).collect();
            let bit = |i: usize, j: usize| bits[i * words + j / 32] >> (j % 32) & 1 == 1;
            for outside in [Outside::Keep, Outside::NegInf] {
                let support = Support::Bitmask(Matrix::contiguous(&bits, n, words).unwrap());
                let over = Over { support, outside };
                // the same rows with the other columns dead
                let valid = job.problem().valid();
                let mut dead = job.clone();
                for i in 0..n {
                    for j in 0..v {
                        let kept = outside == Outside::Keep && job.target[i] == j as i64;
                        if !bit(i, j) && !kept {
                            dead.z[i * v + j] = T::from_f32(-INF);
                        }
                    }
                }
                let mut packed = (vec![], vec![0i64]);
                let mut padded = vec![-1i32; n * v];
                for i in 0..n {
                    let row: Vec<i32> = (0..v as i32).filter(|&j| bit(i, j as usize)).collect();
                    padded[i * v..][..row.len()].copy_from_slice(&row);
                    packed.0.extend(row.iter().map(|&x| x as i64));
                    packed.1.push(packed.0.len() as i64);
                }
                let lists = [
                    Lists::Padded(Matrix::contiguous(&padded, n, v).unwrap().into()),
                    Lists::Packed(Matrix::vector(&packed.0).into(), Matrix::vector(&packed.1).into()),
                ];
                let mut first = None;
                for c in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                    let what = format!("V {v}, setup {setup}, {outside:?}, {}", c.isa().name());
                    let out = job.over(c, over, v, false);
                    let mut want = Out::new(n, v, v);
                    let (figures, _) = want.figures();
                    forward(c, &dead.problem(), dead.inputs(), figures).unwrap();
                    same(&format!("{what}: logprob"), &out.logprob, &want.logprob);
                    same(&format!("{what}: lse"), &out.lse, &want.lse);
                    same(&format!("{what}: lse_support"), &out.lse_support, &want.lse);
                    same(&format!("{what}: entropy"), &out.entropy, &want.entropy);
                    same(&format!("{what}: argmax"), &out.argmax, &want.argmax);
                    for i in 0..n {
                        assert_eq!(out.status[i] & !row::TARGET_OUTSIDE, want.status[i], "{what}: row {i}");
                        let live = |j: usize| j < valid && job.bias.as_ref().is_none_or(|b| b[j] > -INF);
                        let y = job.target[i];
                        let target_out = i != 8
                            && !(bit(i, y as usize) && live(y as usize) && job.z[i * v + y as usize].to_f32() != -INF);
                        assert_eq!(out.status[i] & row::TARGET_OUTSIDE != 0, target_out, "{what}: row {i}");
                        let count = (0..valid).filter(|&j| live(j) && dead.z[i * v + j].to_f32() != -INF).count();
                        let bad = i == 8 || want.status[i] & (row::NAN_INPUT | row::INF_INPUT) != 0;
                        assert_eq!(out.size[i], if bad { -1 } else { count as i32 }, "{what}: size of row {i}");
                    }
                    // backward: bits of the rows with dead columns, from statistics and without, fed back
                    let (g, s) = dead.gradient(c, None, None, false);
                    for (stats, in_place) in [(None, false), (Some(&out.stats[..]), true), (None, true)] {
                        let (got, status) = job.gradient(c, Some(over), stats, in_place);
                        same(&format!("{what}: gradient"), &plus(&got), &plus(&g));
                        for i in 0..n {
                            assert_eq!(status[i] & !row::TARGET_OUTSIDE & !row::SATURATED, s[i], "{what}: status");
                        }
                        cases.ran();
                    }
                    let back = Support::Bitmask(Matrix::contiguous(&out.bitmask, n, words).unwrap());
                    let again = job.over(c, Over { support: back, outside }, v, true);
                    for i in 0..n {
                        if want.status[i] & (row::NAN_INPUT | row::INF_INPUT) == 0 {
                            same("fed back", &again.stats[i * STATS..][..7], &out.stats[i * STATS..][..7]);
                        }
                    }
                    // lists: the same set, sums in another order
                    let mut list_out = None;
                    for lists in lists {
                        let over = Over { support: Support::Lists(lists), outside };
                        let got = job.over(c, over, v, list_out.is_none());
                        for i in 0..n {
                            let close = |a: f32, b: f32| a.key() == b.key() || (a - b).abs() <= 2e-6 * (1.0 + b.abs());
                            assert!(
                                close(got.logprob[i], out.logprob[i]) && close(got.entropy[i], out.entropy[i]),
                                "{what}: list {i}"
                            );
                            assert_eq!(
                                (got.argmax[i], got.status[i], got.size[i]),
                                (out.argmax[i], out.status[i], out.size[i]),
                                "{what}: list {i}"
                            );
                        }
                        same("bitmask of lists", &got.bitmask, &out.bitmask);
                        same("ids of lists", &got.ids, &out.ids);
                        let a = job.gradient(c, Some(over), None, true).0;
                        same("gradient of lists", &job.gradient(c, Some(over), Some(&got.stats), false).0, &a);
                        for (a, b) in a.iter().zip(&g) {
                            let (a, b) = (a.to_f32(), b.to_f32());
                            assert!(a.is_nan() && b.is_nan() || (a - b).abs() <= 0.01 * b.abs() + 1e-6, "{a} {b}");
                        }
                        if let Some(first) = &list_out {
                            got.same("packed lists", first);
                        }
                        list_out = Some(got);
                        cases.ran();
                    }
                    // every instruction set and thread count
                    let (first, first_list) = first.get_or_insert((
                        job.over(c, over, v, false),
                        job.over(c, Over { support: Support::Lists(lists[0]), outside }, v, false),
                    ));
                    out.same(&what, first);
                    list_out.unwrap().same(&what, first_list);
                }
            }
        }
    }
}
#[test]
fn a_given_support_is_a_row_with_dead_columns() {
    let mut cases = Cases::default();
    given::<f32>(&mut cases);
    given::<bf16>(&mut cases);
    given::<f16>(&mut cases);
    cases.finish("given supports", 3 * 5 * 2 * 2 * 3 * 5);
}

#[test]
fn computed_supports_have_the_same_bits_everywhere() {
    let mut cases = Cases::default();
    for (v, setup) in [(31, 0), (500, 1), (2048, 0), (5000, 1), (40000, 0)] {
        let job = job::<bf16>(v, setup);
        let n = job.n();
        for preset in 1..=3 {
            for (k, p, q) in [
                (0, 0.9, 0.0),
                (50, 0.95, 0.0),
                (0, 0.0, 0.001),
                (20, 0.7, 0.05),
                (0, 0.99999, 0.0),
                (0, 0.0, 0.0),
                (2000, 0.0, 0.0),
            ] {
                let f = filters(preset, k, p, q, 0, 0);
                let over = Over { support: Support::Computed(f), outside: Outside::NegInf };
                let scalar = context(Isa::Scalar, 0);
                let (mask, want) = (job.mask(&scalar, &f, 64, true), job.over(&scalar, over, 64, true));
                let gradient = job.gradient(&scalar, Some(over), None, false);
                // the set of the mask is the set of the log-prob
                same("bitmask", &want.bitmask, &mask.bitmask);
                same("ids", &want.ids, &mask.ids);
                same("size", &want.size, &mask.size);
                let given = Support::Bitmask(Matrix::contiguous(&mask.bitmask, n, v.div_ceil(32)).unwrap());
                for c in contexts().iter().chain([&context(Isa::detect(), 3)]) {
                    for least in [false, true] {
                        job.mask(c, &f, 64, least).same("mask", &mask);
                        job.over(c, over, 64, least).same("over", &want);
                    }
                    let g = job.gradient(c, Some(over), Some(&want.stats), true);
                    same("gradient", &g.0, &gradient.0);
                    same("status of the gradient", &g.1, &want.status);
                    let again = job.over(c, Over { support: given, outside: Outside::NegInf }, 64, false);
                    for i in (0..n).filter(|&i| want.size[i] >= 0) {
                        same("given", &again.stats[i * STATS..][..9], &want.stats[i * STATS..][..9]);
                    }
                    cases.ran();
                }
                for i in 0..n {
                    assert_eq!(want.status[i] & row::SATURATED != 0, want.size[i] > 64);
                }
                assert!(mask.size[4] == -1 && mask.size[5] == -1 || setup == 1);
                assert!(mask.size[6] == 0 && mask.size[8] == -1 && mask.status[8] == row::IGNORED);
            }
        }
    }
    cases.finish("computed supports", 5 * 3 * 7 * 3);
}

#[test]
fn edges_and_refusals() {
    let c = context(Isa::detect(), 0);
    let z = [1.0f32, 2.0, NAN, 0.0];
    let job = Job { v: 4, z: z.to_vec(), target: vec![0], mask: vec![1], bias: None, options: Options::default() };
    let one = |bits: u32, outside| {
        let words = [bits];
        let support = Support::Bitmask(Matrix::contiguous(&words, 1, 1).unwrap());
        job.over(&c, Over { support, outside }, 4, false)
    };
    // a NaN outside the support is not seen; bits beyond V are ignored
    let out = one(0xffff_fff3, Outside::Keep);
    assert_eq!((out.status[0], out.size[0], &out.ids[..]), (0, 2, &[0, 1, -1, -1][..]));
    assert!((out.logprob[0] + 1f32.exp().ln_1p()).abs() < 1e-6 && out.log_kept_mass[0].is_nan());
    assert_eq!(one(0xf, Outside::Keep).status[0], row::NAN_INPUT);
    // nothing kept: the target alone, or no live column
    let out = one(0, Outside::Keep);
    assert_eq!((out.logprob[0], out.entropy[0], out.size[0], out.status[0]), (0.0, 0.0, 1, row::TARGET_OUTSIDE));
    let out = one(0, Outside::NegInf);
    assert!(out.logprob[0].is_nan() && out.size[0] == 0 && out.lse_support[0] == -INF);
    assert_eq!(out.status[0], row::TARGET_OUTSIDE | row::ALL_NEG_INF);
    let out = one(0xa, Outside::NegInf);
    assert_eq!((out.logprob[0], out.status[0]), (-INF, row::TARGET_OUTSIDE | row::TARGET_NEG_INF));

    let refused = |e: Result<(), Error>, status: Status, field: &str| {
        let e = e.unwrap_err();
        assert_eq!((e.status, e.field), (status, field), "{e}");
    };
    use Status::*;
    let bad = |k, p, q| Filters::new(Preset::Hf, k, p, q, None, None).map(|_| ());
    refused(bad(0, -0.1, 0.0), InvalidArgument, "support.top_p");
    refused(bad(0, f64::NAN, 0.0), InvalidArgument, "support.top_p");
    refused(bad(0, 0.0, 1.5), InvalidArgument, "support.min_p");
    refused(bad(0, 0.0, f64::NAN), InvalidArgument, "support.min_p");
    bad(i64::MIN, INF as f64, 1.0).unwrap();
    let run = |support: Support<'_>, bytes: Option<usize>| {
        let over = Over { support, outside: Outside::Keep };
        let mut out = Out::new(1, 4, 4);
        let (figures, sets) = out.figures();
        let bytes = bytes.unwrap_or(over_workspace(&c, &job.problem(), &over, false).minimum);
        let e = with_scratch(bytes, |w| {
            forward_over(&c, &job.problem(), job.inputs(), over, figures, sets, Totals::default(), w)
        });
        assert!(e.is_ok() || out.status[0] == 1 << 31 && out.bitmask[0] == 77, "a refused call has written");
        e
    };
    let words = [0u32; 2];
    refused(run(Support::Bitmask(Matrix::contiguous(&words, 1, 2).unwrap()), None), ShapeMismatch, "support.bitmask");
    let padded =
        |ids: &[i32]| run(Support::Lists(Lists::Padded(Matrix::contiguous(ids, 1, ids.len()).unwrap().into())), None);
    refused(padded(&[1, 1]), InvalidArgument, "support.ids");
    refused(padded(&[2, 1]), InvalidArgument, "support.ids");
    refused(padded(&[-1, 1]), InvalidArgument, "support.ids");
    refused(padded(&[0, 4]), OutOfRange, "support.ids");
    refused(padded(&[-2]), OutOfRange, "support.ids");
    padded(&[0, 1, -1, -1]).unwrap();
    padded(&[-1]).unwrap();
    let packed = |ids: &[i64], offsets: &[i64]| {
        run(Support::Lists(Lists::Packed(Matrix::vector(ids).into(), Matrix::vector(offsets).into())), None)
    };
    refused(packed(&[0, 1], &[0, 1]), InvalidArgument, "support.id_offsets");
    refused(packed(&[0, 1], &[1, 2]), InvalidArgument, "support.id_offsets");
    refused(packed(&[0, 1], &[0, 3]), InvalidArgument, "support.id_offsets");
    refused(packed(&[0, 1], &[0, -1]), InvalidArgument, "support.id_offsets");
    refused(packed(&[0, 1], &[0, 1, 2]), ShapeMismatch, "support.id_offsets");
    refused(packed(&[0, -1], &[0, 2]), OutOfRange, "support.ids");
    packed(&[0, 1], &[0, 2]).unwrap();
    packed(&[], &[0, 0]).unwrap();
    let computed = Support::Computed(filters(1, 2, 0.5, 0.0, 0, 0));
    refused(run(computed, Some(64)), WorkspaceTooSmall, "workspace_size");
    println!("support: 19 refusals");
}

/// Row losses, ranks, the largest and extra columns and their gradients over a mask are those of the row whose other columns
/// are dead, over a list close to them.
#[test]
fn row_losses_and_extra_columns() {
    use truing_core::logprob::ExtraIds;
    use truing_core::row_loss::{Reduction, RowLoss, RowLossInputs, Scaling, Smoothing};
    let (n, v, k) = (3, 2300usize, 4);
    let mut random = Random(91);
    let z: Vec<f32> = (0..n * v).map(|_| random.uniform() as f32 * 20.0 - 10.0).collect();
    let words: Vec<u32> = (0..n * v.div_ceil(32)).map(|_| random.bits() as u32 | 1).collect();
    let has = |i: usize, j: usize| words[i * v.div_ceil(32) + j / 32] >> (j % 32) & 1 == 1;
    let dead: Vec<f32> = (0..n * v).map(|at| if has(at / v, at % v) { z[at] } else { -INF }).collect();
    // every target is in its support
    let target: Vec<i64> = vec![32, 64, 2272];
    let ids: Vec<i64> = (0..n * k).map(|at| if at % k == 3 { -1 } else { (at * 191 % v) as i64 }).collect();
    let weight: Vec<f32> = (0..v).map(|_| random.uniform() as f32 + 0.5).collect();
    let up: Vec<f32> = (0..n * k).map(|_| random.uniform() as f32 - 0.5).collect();
    let options = |row_loss| Problem::new(n, v, Options { row_loss, ..Options::default() }).unwrap();
    let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
    let extra_ids = || Some(ExtraIds(Matrix::contiguous(&ids, n, k).unwrap().into()));
    let row_loss = RowLossInputs { class_weight: Some(Matrix::vector(&weight).into()), external_scale: None };
    let over = Over {
        support: Support::Bitmask(Matrix::contiguous(&words, n, v.div_ceil(32)).unwrap()),
        outside: Outside::Keep,
    };
    let mut checked = 0;
    for scaling in [Scaling::None, Scaling::Dft, Scaling::ChordPhi, Scaling::Eaft] {
        let reduction = Some(Reduction::WeightedMean);
        let loss = RowLoss { z_loss: 0.01, scaling, reduction, ..RowLoss::default() };
        let smoothing = if scaling == Scaling::Dft { Smoothing::Torch } else { Smoothing::Megatron };
        let smooth = RowLoss { label_smoothing: 0.1, smoothing: Some(smoothing), ..loss };
        let problem = options(if scaling == Scaling::ChordPhi { loss } else { smooth });
        let run = |c: &Context, z: &[f32], over: Option<Over<'_>>| {
            let (mut losses, mut scale, mut extra) = (vec![0f32; n], vec![0f32; n], vec![0f32; n * k]);
            let (mut mean, mut some, mut top) = (vec![0f32; n], vec![0f32; n], vec![0f32; n * 30]);
            let (mut rank, mut ties, mut largest) = (vec![0; n], vec![0; n], vec![0; n * 30]);
            let (mut loss, mut counters, mut g) = ([0f64], [0; row::BITS], vec![1f32; n * v]);
            let logits = Matrix::contiguous(z, n, v).unwrap();
            let transform = TransformInputs::default();
            let inputs = Inputs { logits: logits.into(), transform, rows, row_loss, extra_ids: extra_ids() };
            let figures = Figures {
                row_loss: Some(MatrixMut::vector(&mut losses)),
                token_scale: Some(MatrixMut::vector(&mut scale)),
                extra_logprobs: Some(MatrixMut::contiguous(&mut extra, n, k).unwrap()),
                mean_logit: Some(MatrixMut::vector(&mut mean)),
                topk_entropy: Some(MatrixMut::vector(&mut some)),
                topk_logprobs: Some(MatrixMut::contiguous(&mut top, n, 30).unwrap()),
                topk_ids: Some(MatrixMut::contiguous(&mut largest, n, 30).unwrap()),
                rank: Some(MatrixMut::vector(&mut rank)),
                ties: Some(MatrixMut::vector(&mut ties)),
                ..Figures::default()
            };
            let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: Some(&mut counters) };
            let bytes = match &over {
                Some(over) => over_workspace(c, &problem, over, true).minimum,
                None => truing_cpu::logprob::forward_workspace(&problem, true).minimum,
            };
            with_scratch(bytes, |w| match over {
                Some(over) => {
                    let sets = SupportFigures::default();
                    forward_over(c, &problem, inputs, over, figures, sets, totals, w).unwrap();
                }
                None => truing_cpu::logprob::forward_loss(c, &problem, inputs, figures, totals, w).unwrap(),
            });
            let upstream = Upstream {
                extra: Some(Matrix::contiguous(&up, n, k).unwrap()),
                extra_ids: extra_ids(),
                row_loss: Some(Matrix::vector(&up[..n])),
                loss: Some(0.7),
                ..Upstream::default()
            };
            let inputs = BackwardInputs { transform, rows, row_loss };
            let grad = Grad::Separate(logits.into(), MatrixMut::contiguous(&mut g, n, v).unwrap().into());
            // the gradient of the bias, of statistics made on the way and of given ones, and beside the forward
            let (mut stats, mut biases) = (vec![0f32; n * STATS], vec![vec![3f32; v]; 3]);
            let (mut fused, mut again) = (vec![1f32; n * v], [0f64]);
            let [one, two, three] = &mut biases[..] else { unreachable!() };
            let bytes = match &over {
                Some(over) => over_fused_workspace(c, &problem, over, true, false, true).minimum,
                None => fused_workspace::<f32>(&problem, true, false).minimum,
            };
            with_scratch(bytes, |w| match over {
                Some(over) => {
                    let one = Some(MatrixMut::vector(one));
                    backward_over(c, &problem, inputs, over, None, upstream, grad, None, one, w).unwrap();
                }
                None => {
                    let one = Some(MatrixMut::vector(one));
                    backward_bias(c, &problem, inputs, None, upstream, grad, None, one, w).unwrap();
                }
            });
            with_scratch(bytes, |w| {
                let grad = Grad::Separate(logits.into(), MatrixMut::contiguous(&mut fused, n, v).unwrap().into());
                let fused = Fused { grad, bias: Some(MatrixMut::vector(two)), upstream: 0.7, scale: 1.0 };
                let out = MatrixMut::contiguous(&mut stats, n, STATS).unwrap();
                let figures = Figures { stats: Some(out), ..Figures::default() };
                let totals = Totals { loss: Some(MatrixMut::vector(&mut again).into()), counters: None };
                match over {
                    Some(over) => {
                        let sets = SupportFigures::default();
                        forward_over_fused(c, &problem, inputs, None, over, figures, sets, totals, fused, w).unwrap();
                    }
                    None => forward_fused(c, &problem, inputs, None, figures, totals, fused, w).unwrap(),
                }
            });
            assert_eq!(loss, again);
            // in place, without the bias: statistics have no place either
            let mut place = z.to_vec();
            with_scratch(bytes, |w| {
                let grad = Grad::InPlace(MatrixMut::contiguous(&mut place, n, v).unwrap().into());
                let fused = Fused { grad, bias: None, upstream: 0.7, scale: 1.0 };
                let (figures, sets) = (Figures::default(), SupportFigures::default());
                match over {
                    Some(over) => {
                        let totals = Totals::default();
                        forward_over_fused(c, &problem, inputs, None, over, figures, sets, totals, fused, w).unwrap();
                    }
                    None => forward_fused(c, &problem, inputs, None, figures, Totals::default(), fused, w).unwrap(),
                }
            });
            assert_eq!(place, fused, "{scaling:?}");
            let stats = Matrix::contiguous(&stats, n, STATS).unwrap();
            let upstream = Upstream { loss: Some(0.7), ..Upstream::default() };
            place.copy_from_slice(z);
            with_scratch(bytes, |w| {
                let grad = Grad::InPlace(MatrixMut::contiguous(&mut place, n, v).unwrap().into());
                let bias = Some(MatrixMut::vector(three));
                match over {
                    Some(over) => {
                        backward_over(c, &problem, inputs, over, Some(stats), upstream, grad, None, bias, w).unwrap();
                    }
                    None => backward_bias(c, &problem, inputs, Some(stats), upstream, grad, None, bias, w).unwrap(),
                }
            });
            assert_eq!((&place, &biases[2]), (&fused, &biases[1]), "{scaling:?}");
            // fewer rows than a block: their gradients one after the other
            for (bias, g) in biases.iter().zip([&g, &fused]) {
                for j in 0..v {
                    assert_eq!(bias[j], (0..n).fold(0.0, |sum, i| sum + g[i * v + j]), "{scaling:?} column {j}");
                }
            }
            let floats = [losses, scale, extra, mean, some, top];
            (floats, [rank, ties, largest], loss, counters, g, fused, biases)
        };
        let padded: Vec<i32> = (0..n)
            .flat_map(|i| {
                let mut row: Vec<i32> = (0..v as i32).filter(|&j| has(i, j as usize)).collect();
                row.resize(v, -1);
                row
            })
            .collect();
        let lists = Support::Lists(Lists::Padded(Matrix::contiguous(&padded, n, v).unwrap().into()));
        let list = run(&context(Isa::Scalar, 0), &z, Some(Over { support: lists, ..over }));
        // with threads the pieces of the bias begin at columns that are no multiple of a word's
        for c in contexts().into_iter().chain([context(Isa::detect(), 3)]) {
            let (a, b) = (run(&c, &z, Some(over)), run(&c, &dead, None));
            assert_eq!((&a.0, &a.1, a.2, a.3), (&b.0, &b.1, b.2, b.3), "{scaling:?}");
            // 0 and -0 of a dead column are alike
            assert_eq!((&a.4, &a.5, &a.6), (&b.4, &b.5, &b.6), "{scaling:?}");
            assert!(a.2[0] > 0.0 && a.4.iter().any(|&g| g < 0.0) && a.1[0][1] > 0);
            let l = run(&c, &z, Some(Over { support: lists, ..over }));
            assert_eq!((&l.0, &l.1, l.2, &l.4), (&list.0, &list.1, list.2, &list.4), "{scaling:?}");
            assert_eq!(l.1, a.1, "{scaling:?}");
            for (l, a) in l.0.iter().flatten().chain(&l.4).zip(a.0.iter().flatten().chain(&a.4)) {
                assert!(l == a || (l - a).abs() <= 1e-5 * (0.1 + a.abs()), "{scaling:?}: {l} {a}");
            }
            checked += 1;
        }
    }
    println!("supports: {checked} row losses");
    assert!(checked >= 12);
}
