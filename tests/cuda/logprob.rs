//! What is asked of rows of logits now and then, on the stand-in device through the C ABI: the loss of the rows, shifts, ranks,
//! lists, supports, and their gradients, against the same call on the CPU.
use super::abi::{Arrays, BACKWARD, FINISH, Given, LOCAL, LOGPROB, MASK, Op, Pointer};
use super::{Batch, CUDA, INF, NAN, ROWS, STREAM, data, dlopen, dlsym, memory, tensor, vector};
use half::{bf16, f16};
use std::ffi::{c_int, c_void};
use truing_core::Dtype;
use truing_core::error::row;
use truing_core::matrix::Layout;
use truing_cuda::logprob::{Inputs, extra as device};
use truing_cuda::{Context, Space, Tensor};
use truing_ffi::abi::*;
use truing_tests::{Data, Random};

type Forward = truing_logprob_forward_args;
type Backward = truing_logprob_backward_args;
/// A batch and everything that may go with it.
struct Case {
    b: Batch,
    kind: usize,
    bias: Vec<f32>,
    temperatures: Vec<f32>,
    class_weight: Vec<f64>,
    external: Vec<f32>,
    offsets: Vec<i32>,
    extra: Vec<i64>,
    each: Vec<i32>,
    bitmask: Vec<u32>,
    lists: Vec<i32>,
    packed: (Vec<i64>, Vec<i32>),
    up: [Vec<f32>; 5],
}
/// Ids in the padded lists.
const LISTED: usize = 70;
/// Extra columns of a row of its own.
const EXTRA: usize = 37;
impl Case {
    fn new(v: usize, kind: usize) -> Case {
        let (b, mut r) = (Batch::new(v), Random(v as u64 + 3));
        let mut list = |most: usize| {
            let mut ids: Vec<usize> = (0..r.below(most)).map(|_| r.below(v)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let (mut lists, mut ids, mut offsets) = (vec![], vec![], vec![0]);
        for i in 0..ROWS {
            let mut row = list(LISTED);
            // rows that list their target, and one that lists nothing
            if i % 3 == 0 && b.target[i] >= 0 && (b.target[i] as usize) < v && !row.contains(&(b.target[i] as usize)) {
                row.pop();
                row.push(b.target[i] as usize);
                row.sort_unstable();
            }
            if i == 5 {
                row.clear();
            }
            lists.extend((0..LISTED).map(|k| row.get(k).map_or(-1, |&j| j as i32)));
            // longer than a block, where the vocabulary is
            let row = list(if i % 4 == 2 { 6000 } else { 50 });
            ids.extend(row.iter().map(|&j| j as i64));
            offsets.push(ids.len() as i32);
        }
        let words = v.div_ceil(32);
        let bitmask = (0..ROWS * words).map(|k| (r.bits() & r.bits()) as u32 * (k / words % 5 != 1) as u32).collect();
        let bias = (0..v).map(|j| if j % 7 == 6 { -INF } else { r.normal() as f32 }).collect();
        // an own id twice, the target, a column of padding, none
        let extra: Vec<i64> = [r.below(v), v - 1, 0, r.below(v)].map(|j| j as i64).into_iter().chain([-1, 0]).collect();
        let mut each: Vec<i32> = (0..ROWS * EXTRA).map(|_| r.below(v) as i32).collect();
        for i in 2..ROWS {
            (each[i * EXTRA + 1], each[i * EXTRA + 5]) = (b.target[i] as i32, -1);
        }
        Case {
            kind,
            bias,
            temperatures: (0..ROWS).map(|i| [1.0, 0.7, 2.5][i % 3]).collect(),
            class_weight: (0..v).map(|j| if j % 9 == 4 { 0.0 } else { 0.1 + r.uniform() }).collect(),
            external: (0..ROWS).map(|i| if i == 0 { NAN } else { r.uniform() as f32 }).collect(),
            offsets: vec![0, 3, 3, 4, 11, ROWS as i32],
            extra,
            each,
            bitmask,
            lists,
            packed: (ids, offsets),
            up: std::array::from_fn(|k| Random(91 + k as u64).normals(ROWS * EXTRA, 1.0)),
            b,
        }
    }
    fn v(&self) -> i64 {
        self.b.v as i64
    }
    /// Logits `[16, V]` with gaps between the rows, or without as `[2, 8, V]`.
    fn logits(&self, t: &mut Arrays, padded: bool) -> Pointer {
        fn put<T: super::abi::Stored + 'static>(t: &mut Arrays, x: Vec<T>, shape: &[i64]) -> Pointer {
            t.update(x, shape)
        }
        let v = self.v();
        let shape = if padded { vec![2, ROWS as i64 / 2, v] } else { vec![ROWS as i64, v] };
        match self.kind {
            0 => put(t, self.b.z.clone(), &shape),
            1 => put(t, self.b.z.iter().map(|&x| bf16::from_f32(x)).collect(), &shape),
            _ => put(t, self.b.z.iter().map(|&x| f16::from_f32(x)).collect(), &shape),
        }
    }
    fn rows(&self, t: &mut Arrays, rows: &mut truing_rows) {
        rows.target = t.read(&self.b.target, &[ROWS as i64]);
        rows.mask = t.read(&self.b.mask, &[ROWS as i64]);
        rows.ignore_index = -100;
    }
    fn transform(&self, t: &mut Arrays, f: &mut truing_transform, which: usize) {
        match which {
            1 => (f.temperature, f.softcap, f.n_valid_vocab) = (0.7, 30.0, (self.v() / 2).max(1)),
            2 => {
                f.bias = t.read(&self.bias, &[self.v()]);
                f.row_temperature = t.read(&self.temperatures, &[ROWS as i64]);
            }
            _ => {}
        }
    }
    fn support(&self, t: &mut Arrays, f: &mut truing_support, which: usize) {
        let (n, words) = (ROWS as i64, (self.v() + 31) / 32);
        if which == 0 {
            return;
        }
        f.target_outside = if which % 2 == 0 { TRUING_TARGET_KEEP } else { TRUING_TARGET_NEG_INF };
        if let Some(filters) = which.checked_sub(7) {
            return FILTERS[filters].set(f);
        }
        f.kind = TRUING_SUPPORT_IDS;
        match which {
            1 | 2 => (f.kind, f.bitmask) = (TRUING_SUPPORT_BITMASK, t.read(&self.bitmask, &[n, words])),
            3 | 4 => f.ids = t.read(&self.lists, &[n, LISTED as i64]),
            _ => {
                f.ids = t.read(&self.packed.0, &[self.packed.0.len() as i64]);
                f.id_offsets = t.read(&self.packed.1, &[n + 1]);
            }
        }
    }
    fn loss(&self, t: &mut Arrays, f: &mut truing_row_loss, which: usize) {
        f.reduction = TRUING_REDUCE_MEAN;
        match which {
            1 => {
                f.class_weight = t.read(&self.class_weight, &[self.v()]);
                (f.label_smoothing, f.smoothing_form) = (0.1, TRUING_SMOOTHING_TORCH);
                (f.token_scaling, f.reduction) = (TRUING_SCALING_DFT, TRUING_REDUCE_WEIGHTED_MEAN);
            }
            2 => {
                (f.label_smoothing, f.smoothing_form) = (0.04, TRUING_SMOOTHING_MEGATRON);
                (f.z_loss, f.token_scaling) = (0.01, TRUING_SCALING_CHORD_PHI);
            }
            3 => (f.token_scaling, f.eaft_alpha, f.reduction) = (TRUING_SCALING_EAFT, 0.5, TRUING_REDUCE_SUM),
            4 => (f.token_scaling, f.z_loss) = (TRUING_SCALING_EAFT_RAW, 1e-3),
            5 => {
                (f.token_scaling, f.normaliser) = (TRUING_SCALING_EXTERNAL, 3.0);
                f.external_scale = t.read(&self.external, &[ROWS as i64]);
                f.class_weight = t.read(&self.class_weight, &[self.v()]);
            }
            _ => f.z_loss = 1e-4,
        }
    }
    fn shift(&self, t: &mut Arrays, rows: &mut truing_rows, which: usize) {
        match which {
            1 => rows.shift = 1,
            2 => (rows.shift, rows.cu_seqlens) = (2, t.read(&self.offsets, &[self.offsets.len() as i64])),
            _ => {}
        }
    }
    /// Every figure, or those that need no sums beyond the first.
    fn figures(&self, t: &mut Arrays, f: &mut truing_figures, over: bool, all: bool) {
        let n = ROWS as i64;
        (f.out_logprob, f.out_row_loss, f.out_loss) = (t.write::<f32>(&[n]), t.write::<f32>(&[n]), t.write::<f64>(&[]));
        (f.out_status, f.out_counters) = (t.write::<u32>(&[n]), t.write::<i64>(&[32]));
        f.extra_ids = t.read(&self.extra, &[self.extra.len() as i64]);
        f.out_extra_logprobs = t.write::<f32>(&[n, self.extra.len() as i64]);
        if !all {
            return;
        }
        (f.out_lse, f.out_max, f.out_entropy) = (t.write::<f32>(&[n]), t.write::<f32>(&[n]), t.write::<f32>(&[n]));
        (f.out_log_sum_sq, f.out_mean_logit) = (t.write::<f32>(&[n]), t.write::<f32>(&[n]));
        (f.out_argmax, f.out_is_top1) = (t.write::<i32>(&[n]), t.write::<u8>(&[n]));
        (f.out_rank, f.out_ties) = (t.write::<i32>(&[n]), t.write::<i32>(&[n]));
        (f.out_topk_ids, f.out_topk_logprobs) = (t.write::<i32>(&[n, 40]), t.write::<f32>(&[n, 40]));
        (f.out_topk_entropy, f.out_token_scale) = (t.write::<f32>(&[n]), t.write::<f32>(&[n]));
        (f.entropy_k, f.out_stats) = (33, t.write::<f32>(&[n, 12]));
        if over {
            (f.out_lse_support, f.out_log_kept_mass) = (t.write::<f32>(&[n]), t.write::<f32>(&[n]));
            f.out_support_size = t.write::<i32>(&[n]);
        }
    }
    fn grad(&self, t: &mut Arrays, logits: Pointer, place: usize) -> Pointer {
        let shape = [ROWS as i64, self.v()];
        match (place, self.kind) {
            (0, _) => logits,
            (1, _) | (_, 0) => t.write::<f32>(&shape),
            (_, 1) => t.write::<bf16>(&shape),
            _ => t.write::<f16>(&shape),
        }
    }
    fn upstream(&self, t: &mut Arrays, a: &mut Backward, which: usize) {
        let (n, u) = (ROWS as i64, &mut a.upstream);
        u.grad_scale = 0.37;
        let mut up =
            |k: usize, m: usize| t.read(&self.up[k][..m], &if m == ROWS { vec![n] } else { vec![n, EXTRA as i64] });
        if which & 1 != 0 {
            (u.grad_logprob, u.grad_lse) = (up(0, ROWS), up(1, ROWS));
        }
        if which & 2 != 0 {
            (u.grad_entropy, u.grad_extra) = (up(2, ROWS), up(3, ROWS * EXTRA));
        }
        if which & 4 != 0 {
            u.grad_row_loss = up(4, ROWS);
        }
        if which & 2 != 0 {
            u.extra_ids = t.read(&self.each, &[n, EXTRA as i64]);
        }
        if which & 8 != 0 {
            u.grad_loss = t.update(vec![0.75f64], &[]);
        }
    }
}

/// Filters of a sampler; 0 is off, or the preset's.
#[derive(Clone, Copy, Debug)]
struct Filter {
    preset: truing_filter_preset,
    top_k: i64,
    top_p: f64,
    min_p: f64,
    ties: truing_ties,
    edge: truing_top_p_edge,
}
impl Filter {
    fn set(&self, f: &mut truing_support) {
        (f.kind, f.preset) = (TRUING_SUPPORT_COMPUTED, self.preset);
        (f.top_k, f.top_p, f.min_p) = (self.top_k, self.top_p, self.min_p);
        (f.ties, f.top_p_edge) = (self.ties, self.edge);
    }
}
const fn filter(preset: truing_filter_preset, top_k: i64, top_p: f64, min_p: f64) -> Filter {
    Filter { preset, top_k, top_p, min_p, ties: 0, edge: 0 }
}
/// The supports from 7 on.
const FILTERS: [Filter; 6] = [
    filter(TRUING_FILTER_VLLM, 40, 0.9, 0.02),
    filter(TRUING_FILTER_HF, 0, 0.7, 1e-3),
    filter(TRUING_FILTER_SGLANG, 5, 0.5, 0.0),
    filter(TRUING_FILTER_VLLM, 0, 0.95, 0.0),
    filter(TRUING_FILTER_HF, 0, 0.0, 0.0),
    filter(TRUING_FILTER_HF, 3000, 0.9999, 1e-9),
];
/// Ways to call: transform, support, loss, shift.
const WAYS: [[usize; 4]; 18] = [
    [0, 0, 0, 0],
    [0, 0, 1, 1],
    [1, 0, 2, 2],
    [2, 0, 3, 0],
    [0, 0, 4, 1],
    [1, 0, 5, 0],
    [0, 1, 1, 0],
    [1, 2, 2, 0],
    [2, 3, 3, 1],
    [0, 4, 5, 0],
    [2, 5, 1, 2],
    [1, 6, 4, 0],
    [0, 7, 1, 0],
    [1, 8, 2, 1],
    [2, 9, 3, 0],
    [0, 10, 4, 2],
    [2, 11, 5, 0],
    [1, 12, 0, 0],
];
/// Every way to call, on a few sizes of the vocabulary.
pub fn all(few: bool, fewest: bool) -> usize {
    let context = Given::new(|o| {
        o.num_threads = 2;
        o.mode = if super::mode() == super::Mode::Fast { TRUING_MODE_FAST } else { TRUING_MODE_PORTABLE };
    });
    let sizes: &[usize] = if fewest {
        &[2100]
    } else if few {
        &[17, 2100]
    } else {
        &[1, 17, 2048, 4111, 9000]
    };
    let mut done = 0;
    for &v in sizes {
        for (w, &[transform, support, loss, shift]) in WAYS.iter().enumerate() {
            let c = Case::new(v, (w + v) % 3);
            let what = format!("{v} columns, way {w}");
            for (all, place) in [(true, None), (false, Some(w % 3)), (false, None)] {
                done += LOGPROB.same(&format!("{what}, all {all}, gradient {place:?}"), &context, |t, a| {
                    a.flags = TRUING_HAS_IGNORE_INDEX | (TRUING_HAS_GRAD_SCALE * place.is_some() as u64);
                    a.logits = c.logits(t, shift == 1);
                    c.rows(t, &mut a.rows);
                    c.shift(t, &mut a.rows, shift);
                    c.transform(t, &mut a.transform, transform);
                    c.support(t, &mut a.support, support);
                    c.loss(t, &mut a.row_loss, loss);
                    c.figures(t, &mut a.figures, support > 0, all);
                    if all && support > 0 {
                        a.figures.out_support_ids = t.write::<i32>(&[ROWS as i64, 9]);
                        a.figures.out_support_bitmask = t.write::<u32>(&[ROWS as i64, (c.v() + 31) / 32]);
                    }
                    if let Some(place) = place {
                        (a.grad_logits_out, a.grad_scale) = (c.grad(t, a.logits, place), -1.5);
                        a.grad_bias_out = t.write::<f32>(&[c.v()]);
                    }
                });
            }
            let stats = LOGPROB.run(&what, &context, false, |t: &mut Arrays, a: &mut Forward| {
                a.flags = TRUING_HAS_IGNORE_INDEX;
                a.logits = c.logits(t, shift == 1);
                c.rows(t, &mut a.rows);
                c.shift(t, &mut a.rows, shift);
                c.transform(t, &mut a.transform, transform);
                c.support(t, &mut a.support, support);
                c.loss(t, &mut a.row_loss, loss);
                a.figures.out_stats = t.write::<f32>(&[ROWS as i64, 12]);
            });
            let stats = stats.last().unwrap().floats().unwrap().0;
            for (which, saved, place) in [(4, false, 1), (15, true, 2), (3, false, 0), (9, true, 0), (12, false, 2)] {
                if few && which == 12 {
                    continue;
                }
                done += BACKWARD.same(&format!("{what}, upstream {which}, stats {saved}"), &context, |t, a| {
                    a.flags = TRUING_HAS_IGNORE_INDEX;
                    a.logits = c.logits(t, false);
                    a.grad_logits_out = c.grad(t, a.logits, place);
                    c.rows(t, &mut a.rows);
                    // flat rows: one sequence
                    c.shift(t, &mut a.rows, shift);
                    c.transform(t, &mut a.transform, transform);
                    c.support(t, &mut a.support, support);
                    c.loss(t, &mut a.row_loss, loss);
                    if saved {
                        a.stats = t.read(&stats, &[ROWS as i64, 12]);
                    }
                    c.upstream(t, a, which);
                    a.out_status = t.write::<u32>(&[ROWS as i64]);
                    if which % 3 == 0 {
                        a.grad_bias_out = t.write::<f32>(&[c.v()]);
                    }
                });
            }
        }
    }
    for &v in if fewest { &[][..] } else { sizes } {
        done += shards(&context, v);
    }
    done + masks(&context, few, fewest) + doubles(&context, few, fewest) + wrong(&context)
}
/// f64 logits: figures, statistics and gradients. Whatever the mode, nothing here takes a short cut.
fn doubles(context: &Given, few: bool, fewest: bool) -> usize {
    fn equal<A: Args>(op: &Op<A>, what: &str, context: &Given, build: impl Fn(&mut Arrays, &mut A)) -> usize {
        let [want, got] = [false, true].map(|cuda| op.run(what, context, cuda, &build));
        let keys = got.iter().zip(&want).map(|(got, want)| {
            truing_tests::same(what, &got.keys(), &want.keys());
            got.keys().len()
        });
        keys.sum()
    }
    let sizes: &[usize] = match (few, fewest) {
        (_, true) => &[17],
        (true, _) => &[17, 2100],
        _ => &[1, 15, 17, 2048, 4111, 9000],
    };
    let (n, mut done) = (ROWS as i64, 0);
    for &v in sizes {
        let (c, mut r, columns) = (Case::new(v, 0), Random(v as u64), v as i64);
        // digits that f32 has not, and distances beyond its exponential
        let mut of = |x: f32| x as f64 * if r.below(50) == 0 { 40.0 } else { 1.0 + 1e-9 * r.normal() };
        let z: Vec<f64> = c.b.z.iter().map(|&x| of(x)).collect();
        let up: [Vec<f64>; 3] = std::array::from_fn(|k| (0..ROWS).map(|i| c.up[k][i] as f64 / 3.0).collect());
        for transform in 0..3 {
            let what = format!("{v} columns of f64, transform {transform}");
            let forward = |t: &mut Arrays, a: &mut Forward| {
                a.flags = TRUING_HAS_IGNORE_INDEX;
                a.logits = t.read(&z, &[n, columns]);
                c.rows(t, &mut a.rows);
                c.transform(t, &mut a.transform, transform);
                let f = &mut a.figures;
                (f.out_logprob, f.out_lse) = (t.write::<f64>(&[n]), t.write::<f64>(&[n]));
                (f.out_max, f.out_entropy) = (t.write::<f64>(&[n]), t.write::<f64>(&[n]));
                (f.out_log_sum_sq, f.out_argmax) = (t.write::<f64>(&[n]), t.write::<i32>(&[n]));
                (f.out_is_top1, f.out_status) = (t.write::<u8>(&[n]), t.write::<u32>(&[n]));
                f.out_stats = t.write::<f64>(&[n, 12]);
            };
            done += equal(&LOGPROB, &what, context, forward);
            let stats = LOGPROB.run(&what, context, false, forward).last().unwrap().keys();
            let stats: Vec<f64> = stats.into_iter().map(f64::from_bits).collect();
            for (saved, place, which) in [(false, true, 7), (true, false, 5), (false, false, 2)] {
                done += equal(&BACKWARD, &format!("{what}, upstream {which}"), context, |t, a| {
                    a.flags = TRUING_HAS_IGNORE_INDEX;
                    a.logits = t.update(z.clone(), &[n, columns]);
                    a.grad_logits_out = if place { a.logits } else { t.write::<f64>(&[n, columns]) };
                    c.rows(t, &mut a.rows);
                    c.transform(t, &mut a.transform, transform);
                    if saved {
                        a.stats = t.read(&stats, &[n, 12]);
                    }
                    let u = &mut a.upstream;
                    u.grad_scale = 0.37;
                    let mut up = |k: usize| if which >> k & 1 == 1 { t.read(&up[k], &[n]) } else { std::ptr::null() };
                    (u.grad_logprob, u.grad_lse, u.grad_entropy) = (up(0), up(1), up(2));
                    a.out_status = t.write::<u32>(&[n]);
                });
            }
        }
    }
    done
}
/// What filters keep of rows of ties, steps, dead columns, equal columns, and of none that counts: every preset, tie and edge.
fn masks(context: &Given, few: bool, fewest: bool) -> usize {
    let sizes: &[usize] = match (few, fewest) {
        (_, true) => &[33],
        (true, _) => &[15, 2100],
        _ => &[1, 15, 17, 32, 33, 2049, 9000],
    };
    let mut done = 0;
    for &v in sizes {
        let mut r = Random(v as u64 + 1);
        let mut z: Vec<f32> = vec![];
        let sorts = 12;
        for sort in 0..sorts {
            let at = r.below(v);
            let mut row: Vec<f32> = (0..v).map(|_| 2.0 * r.normal() as f32).collect();
            match sort {
                1 => row.fill(-3.5),
                2 => row.iter_mut().for_each(|x| *x = (2.0 * *x).round() / 2.0),
                3 => (0..v).for_each(|j| row[j] = -0.002 * j as f32),
                4 => (0..v).filter(|j| j % 3 != at % 3).for_each(|j| row[j] = -INF),
                5 => row.fill(-INF),
                6 => row[at] = NAN,
                7 => row[at] = INF,
                8 => (0..v).for_each(|j| row[j] = if j % 2 == 0 { -0.0 } else { 0.0 }),
                9 => row.iter_mut().for_each(|x| *x *= 40.0),
                10 => row[at] = 30.0,
                11 => (0..v).for_each(|j| row[j] = if j == at { 1.0 } else { -INF }),
                _ => {}
            }
            z.extend(row);
        }
        let (n, columns) = (sorts as i64, v as i64);
        let target: Vec<i64> = (0..sorts).map(|i| if i == 3 { -100 } else { r.below(v) as i64 }).collect();
        let numbers =
            [(0, 0.0, 0.0), (3, 0.0, 0.0), (0, 0.6, 0.0), (0, 0.0, 0.1), (2500, 0.9, 1e-4), (7, 0.99999, 0.5)];
        for preset in [TRUING_FILTER_VLLM, TRUING_FILTER_HF, TRUING_FILTER_SGLANG] {
            for (k, &(top_k, top_p, min_p)) in numbers.iter().enumerate() {
                for (ties, edge) in [(0, 0), (TRUING_TIES_ALL, TRUING_TOP_P_INCLUSIVE), (TRUING_TIES_INDEX, 0)] {
                    if v > 4000 && (k + ties as usize + preset as usize) % 3 != 0 {
                        continue;
                    }
                    let f = Filter { ties, edge, ..filter(preset, top_k, top_p, min_p) };
                    let kind = k % 3;
                    done += MASK.same(&format!("{v} columns, {f:?}"), context, |t, a| {
                        a.flags = TRUING_HAS_IGNORE_INDEX;
                        a.logits = match kind {
                            0 => t.read(&z, &[n, columns]),
                            1 => t.update(z.iter().map(|&x| bf16::from_f32(x)).collect(), &[3, n / 3, columns]),
                            _ => t.update(z.iter().map(|&x| f16::from_f32(x)).collect(), &[n, columns]),
                        };
                        (a.rows.target, a.rows.ignore_index) = (t.read(&target, &[n]), -100);
                        if k == 3 {
                            (a.transform.temperature, a.transform.n_valid_vocab) = (0.7, (columns / 2).max(1));
                        }
                        f.set(&mut a.support);
                        a.out_bitmask = t.write::<u32>(&[n, (columns + 31) / 32]);
                        (a.out_ids, a.out_size) = (t.write::<i32>(&[n, 20]), t.write::<i32>(&[n]));
                        a.out_status = t.write::<u32>(&[n]);
                    });
                }
            }
        }
    }
    done
}
type Local = truing_logprob_local_args;
type Finish = truing_logprob_finish_args;
/// Vocabulary shards: both rounds of every shard, the finishes between them, the gradients, for shards that are nodes of the
/// tree of a whole row and for others, one of which has no column.
fn shards(context: &Given, v: usize) -> usize {
    let n = ROWS as i64;
    let cuts = [vec![0, v.min(4096), v.min(8192), v], vec![0, v / 3, v / 3, v / 2, v]];
    let mut done = 0;
    for (way, &[transform, support, loss]) in [[0, 0, 1], [1, 0, 3], [2, 2, 2], [0, 3, 5]].iter().enumerate() {
        let (c, cut) = (Case::new(v, (way + v) % 3), &cuts[way % 2]);
        let cut: Vec<i64> = cut.iter().map(|&x| x as i64).collect();
        let parts: Vec<[i64; 2]> = cut.windows(2).map(|w| [w[0], w[1]]).filter(|w| w[0] < w[1]).collect();
        let starts: Vec<i64> = parts.iter().map(|w| w[0]).chain([v as i64]).collect();
        let s = parts.len() as i64;
        let what = format!("{v} columns at {starts:?}, way {way}");
        let columns = |x: &[f32], from: i64, to: i64| -> Vec<f32> {
            x.chunks(v).flat_map(|row| row[from as usize..to as usize].iter().copied()).collect()
        };
        // what both kinds of calls on a shard read
        type Fields<'a> = (&'a mut truing_rows, &'a mut truing_transform, &'a mut truing_support);
        let common = |t: &mut Arrays, [from, to]: [i64; 2], (rows, f, set): Fields<'_>| {
            c.rows(t, rows);
            c.transform(t, f, transform);
            if transform == 2 {
                f.bias = t.update(columns(&c.bias, from, to), &[to - from]);
            }
            match support {
                2 => {
                    let words = (to - from + 31) / 32;
                    (set.kind, set.target_outside) = (TRUING_SUPPORT_BITMASK, TRUING_TARGET_KEEP);
                    let mut r = Random(from as u64);
                    set.bitmask = t.update((0..n * words).map(|_| r.bits() as u32).collect(), &[n, words]);
                }
                3 => {
                    (set.kind, set.target_outside) = (TRUING_SUPPORT_IDS, TRUING_TARGET_NEG_INF);
                    let here = |row: &[i32]| {
                        let ids = row.iter().filter(|&&j| (from..to).contains(&(j as i64))).map(|&j| j - from as i32);
                        ids.chain(std::iter::repeat(-1)).take(LISTED).collect::<Vec<_>>()
                    };
                    set.ids = t.update(c.lists.chunks(LISTED).flat_map(here).collect(), &[n, LISTED as i64]);
                }
                _ => {}
            }
            let z = columns(&c.b.z, from, to);
            match c.kind {
                0 => t.update(z, &[n, to - from]),
                1 => t.update(z.iter().map(|&x| bf16::from_f32(x)).collect(), &[n, to - from]),
                _ => t.update(z.iter().map(|&x| f16::from_f32(x)).collect(), &[n, to - from]),
            }
        };
        let local = |stats: Option<&Vec<f32>>, shard: [i64; 2], t: &mut Arrays, a: &mut Local| {
            a.flags = TRUING_HAS_IGNORE_INDEX;
            a.shard = truing_shard { vocab_start: shard[0], vocab_end: shard[1], vocab_total: v as i64, ..a.shard };
            a.logits = common(t, shard, (&mut a.rows, &mut a.transform, &mut a.support));
            c.loss(t, &mut a.row_loss, loss);
            a.out_status = t.write::<u32>(&[n]);
            if let Some(stats) = stats {
                (a.local_pass, a.stats) = (TRUING_LOCAL_COUNTS, t.read(stats, &[n, 12]));
                a.out_counts = t.write::<i64>(&[n, 4]);
                return;
            }
            (a.local_pass, a.flags) = (TRUING_LOCAL_RECORDS, a.flags | TRUING_RECORD_SUMS);
            a.extra_ids = t.read(&c.extra, &[c.extra.len() as i64]);
            (a.out_topk_ids, a.out_topk_logits) = (t.write::<i32>(&[n, 40]), t.write::<f32>(&[n, 40]));
            a.out_extra_logits = t.write::<f32>(&[n, c.extra.len() as i64]);
            a.out_records = t.write::<f32>(&[n, 12]);
            if support > 0 {
                a.out_support_records = t.write::<f32>(&[n, 12]);
            }
        };
        let (mut ids, mut logits, mut extra, mut records, mut over) = (vec![], vec![], vec![], vec![], vec![]);
        for &shard in &parts {
            let build = |t: &mut Arrays, a: &mut Local| local(None, shard, t, a);
            done += LOCAL.same(&format!("{what}: {shard:?}"), context, build);
            let out = LOCAL.run(&what, context, false, build);
            let mut last = out.iter().skip(out.len() - if support > 0 { 5 } else { 4 });
            let mut floats = || last.next().unwrap();
            ids.extend(floats().keys().iter().map(|&x| x as i32));
            for to in [&mut logits, &mut extra, &mut records] {
                to.extend(floats().floats().unwrap().0);
            }
            if support > 0 {
                over.extend(floats().floats().unwrap().0);
            }
        }
        let finish = |counts: Option<&Vec<i64>>, t: &mut Arrays, a: &mut Finish| {
            a.flags = TRUING_HAS_IGNORE_INDEX;
            c.rows(t, &mut a.rows);
            a.transform.n_valid_vocab = if transform == 1 { (v as i64 / 2).max(1) } else { 0 };
            c.loss(t, &mut a.row_loss, loss);
            (a.records, a.shard_starts) = (t.read(&records, &[s, n, 12]), t.read(&starts, &[s + 1]));
            (a.topk_ids, a.topk_logits) = (t.read(&ids, &[s, n, 40]), t.read(&logits, &[s, n, 40]));
            a.extra_logits = t.read(&extra, &[s, n, c.extra.len() as i64]);
            if support > 0 {
                a.support_records = t.read(&over, &[s, n, 12]);
            }
            match counts {
                Some(counts) => {
                    a.counts = t.read(counts, &[n, 4]);
                    c.figures(t, &mut a.figures, support > 0, true);
                }
                None => a.figures.out_stats = t.write::<f32>(&[n, 12]),
            }
        };
        done += FINISH.same(&format!("{what}: statistics"), context, |t, a| finish(None, t, a));
        let out = FINISH.run(&what, context, false, |t, a| finish(None, t, a));
        let stats = out.last().unwrap().floats().unwrap().0;
        let mut counts = vec![0i64; 4 * ROWS];
        for &shard in &parts {
            let build = |t: &mut Arrays, a: &mut Local| local(Some(&stats), shard, t, a);
            done += LOCAL.same(&format!("{what}: counts of {shard:?}"), context, build);
            let out = LOCAL.run(&what, context, false, build).last().unwrap().keys();
            counts.iter_mut().zip(out).for_each(|(sum, x)| *sum += x as i64);
        }
        done += FINISH.same(&format!("{what}: finish"), context, |t, a| finish(Some(&counts), t, a));
        for &shard in &parts {
            done += BACKWARD.same(&format!("{what}: gradient of {shard:?}"), context, |t, a| {
                a.flags = TRUING_HAS_IGNORE_INDEX;
                a.shard = truing_shard { vocab_start: shard[0], vocab_end: shard[1], vocab_total: v as i64, ..a.shard };
                a.logits = common(t, shard, (&mut a.rows, &mut a.transform, &mut a.support));
                a.grad_logits_out = t.write::<f32>(&[n, shard[1] - shard[0]]);
                c.loss(t, &mut a.row_loss, loss);
                a.stats = t.read(&stats, &[n, 12]);
                c.upstream(t, a, 15);
                a.out_status = t.write::<u32>(&[n]);
            });
        }
    }
    done
}
/// What only the device can see: ids, lists, factors and offsets out of their ranges, in rows beside good ones.
fn wrong(context: &Given) -> usize {
    let (n, v) = (6i64, 3000i64);
    let z = Random(5).normals((n * v) as usize, 2.0);
    let target = [5i64, 7, -3, v, 11, 12];
    let bad = row::OUT_OF_RANGE;
    let only = |status: &[u32]| status.iter().map(|x| x & bad).collect::<Vec<_>>();
    let run = |change: &dyn Fn(&mut Arrays, &mut Forward)| {
        let out = LOGPROB.run("wrong", context, true, |t: &mut Arrays, a: &mut Forward| {
            (a.logits, a.rows.target) = (t.read(&z, &[n, v]), t.read(&target, &[n]));
            (a.figures.out_status, a.figures.out_row_loss) = (t.write::<u32>(&[n]), t.write::<f32>(&[n]));
            change(t, a);
        });
        let status: Vec<u32> = out[0].keys().iter().map(|&x| x as u32).collect();
        for (s, loss) in status.iter().zip(out[1].keys()) {
            assert_eq!(s & bad != 0, loss == u64::MAX, "{status:?}");
        }
        status
    };
    assert_eq!(run(&|_, _| {}), [0, 0, bad, bad, 0, 0]);
    let ids = [[1i32, 2], [-1, 1], [0, 0], [0, 0], [v as i32, -1], [-2, 3]].concat();
    let status = run(&|t, a| {
        a.figures.extra_ids = t.read(&ids, &[n, 2]);
        a.figures.out_extra_logprobs = t.write::<f32>(&[n, 2]);
    });
    assert_eq!(status, [0, 0, bad, bad, bad, bad]);
    let external = [1.0f32, -1.0, 1.0, 1.0, NAN, 0.0];
    let status = run(&|t, a| {
        a.row_loss.token_scaling = TRUING_SCALING_EXTERNAL;
        a.row_loss.external_scale = t.read(&external, &[n]);
    });
    assert_eq!(status, [0, bad, bad, bad, bad, 0]);
    let mut weight = vec![1.0f32; v as usize];
    weight[12] = -1.0;
    assert_eq!(run(&|t, a| a.row_loss.class_weight = t.read(&weight, &[v])), [0, 0, bad, bad, 0, bad]);
    let lists = [[5i32, 9, -1], [7, 7, -1], [1, 2, 3], [1, 2, 3], [11, -1, 20], [12, 4000, -1]].concat();
    let status = run(&|t, a| (a.support.kind, a.support.ids) = (TRUING_SUPPORT_IDS, t.read(&lists, &[n, 3])));
    assert_eq!(only(&status), [0, bad, bad, bad, bad, bad]);
    let offsets = [0i64, 2, 1, 3, 3, 18];
    let offsets = [&offsets[..], &[17]].concat();
    let packed: Vec<i64> = (0..18).collect();
    let status = run(&|t, a| {
        (a.support.kind, a.support.ids) = (TRUING_SUPPORT_IDS, t.read(&packed, &[18]));
        a.support.id_offsets = t.read(&offsets, &[n + 1]);
    });
    assert_eq!(only(&status), [0, bad, bad, bad, 0, bad]);
    let status = run(&|_, a| FILTERS[0].set(&mut a.support));
    assert_eq!(only(&status), [0, 0, bad, bad, 0, 0]);
    let out = MASK.run("wrong", context, true, |t: &mut Arrays, a| {
        (a.logits, a.rows.target) = (t.read(&z, &[n, v]), t.read(&target, &[n]));
        FILTERS[0].set(&mut a.support);
        (a.out_status, a.out_size) = (t.write::<u32>(&[n]), t.write::<i32>(&[n]));
    });
    assert_eq!(out[0].keys(), [0, 0, bad, bad, 0, 0].map(u64::from));
    let sizes: Vec<i32> = out[1].keys().iter().map(|&x| x as i32).collect();
    assert!(sizes.iter().enumerate().all(|(i, &n)| if i == 2 || i == 3 { n == -1 } else { n > 0 }), "{sizes:?}");
    let cu = [0i32, 2, 9, 4, 6];
    let status = run(&|t, a| (a.rows.shift, a.rows.cu_seqlens) = (1, t.read(&cu, &[5])));
    // row 0 takes the target of row 1; rows 1 and 5 end their sequences
    assert_eq!(status, [0, row::IGNORED, bad, bad, 0, row::IGNORED]);
    9 * 2 * n as usize
}

/// Times of what is asked for now and then, beside a copy of as many bytes as it must move.
pub fn times(context: &Context, small: bool, median: &dyn Fn(&mut dyn FnMut()) -> f64) {
    use memory::{alloc, driver, free};
    use truing_core::logprob::{Options, Problem};
    use truing_core::row_loss::{Reduction, RowLoss, Smoothing};
    use truing_core::support::{Filters, Preset};
    let (n, v) = if small { (2, 1300) } else { (8192, 32000) };
    for kind in [1, 0] {
        let (z, layout) = (Data::new(kind, &Random(1).normals(v, 3.0)), Layout::contiguous(n, v));
        let bytes = n * v * z.dtype().size();
        let [a, g] = [alloc(bytes), alloc(bytes)];
        let one = data(&z, Layout::contiguous(1, v));
        for i in 0..n {
            driver!(c"cuMemcpyDtoD_v2" (a + (i * bytes / n) as u64, one.data, bytes / n) : u64, u64, usize);
        }
        let (target, out, ranks, lists) = (vec![3i64; n], vec![0.0f32; n], vec![0i32; n], vec![0i32; 20 * n]);
        let at = |data| Tensor { data, dtype: z.dtype(), layout };
        let inputs = device::Inputs::new(Inputs::new(at(a), Some(vector(&target, Dtype::I64))));
        let of_rows = Some(vector(&out, Dtype::F32));
        let loss = device::Figures { row_loss: of_rows, ..Default::default() };
        let rank = device::Figures { rank: Some(vector(&ranks, Dtype::I32)), ..Default::default() };
        let ids = tensor(&lists, Dtype::I32, Layout::contiguous(n, 20));
        let top = device::Figures { topk_ids: Some(ids), ..Default::default() };
        let plain = RowLoss { reduction: Some(Reduction::Mean), ..RowLoss::default() };
        let smooth = RowLoss { label_smoothing: 0.1, smoothing: Some(Smoothing::Torch), ..plain };
        let cases = [
            ("row loss", plain, loss, false),
            ("row loss, smoothing", smooth, loss, false),
            ("rank", plain, rank, false),
            ("top 20", plain, top, false),
            ("row loss and gradient", plain, loss, true),
            ("row loss and gradient, smoothing", smooth, loss, true),
        ];
        let copy = |bytes: usize| {
            median(&mut || driver!(c"cuMemcpyDtoDAsync_v2" (g, a, bytes, STREAM.0) : u64, u64, usize, *mut c_void))
        };
        let rate = 2.0 * bytes as f64 / copy(bytes) * 1e-6;
        for (name, row_loss, figures, fused) in cases {
            let problem = Problem::new(n, v, Options { row_loss, ..Options::default() }).unwrap();
            let need = device::forward_workspace(&problem, &inputs, &figures, fused).minimum;
            let space = Space { data: alloc(need), size: need };
            let fused = fused.then_some(device::Fused { grad: Some(at(g)), bias: None, upstream: None, scale: 1.0 });
            let mut go = || {
                // SAFETY: device memory of the right extents, freed once the device is idle.
                unsafe { device::forward(context, STREAM, &problem, &inputs, &figures, fused.as_ref(), space) }.unwrap()
            };
            go();
            let (ms, passes) = (median(&mut go), if fused.is_some() { 3 } else { 1 });
            let got = (passes * bytes) as f64 / ms * 1e-6;
            println!("| {name} | {n} x {v} {} | {ms:.4} | {got:.0} | {:.2} |", z.dtype(), got / rate);
            driver!(c"cuCtxSynchronize" () :);
            free(space.data);
        }
        // the filters of a sampler alone; one read of the logits at least
        let sizes = device::MaskFigures { size: rank.rank, ..Default::default() };
        let problem = Problem::new(n, v, Options::default()).unwrap();
        for (name, top_k, top_p) in [("mask of top_k 50, top_p 0.9", 50, 0.9), ("mask of top_p 0.9", 0, 0.9)] {
            let filters = Filters::new(Preset::Vllm, top_k, top_p, 0.0, None, None).unwrap();
            let need = device::support_mask_workspace(&problem, &inputs.base, &filters).minimum;
            let space = Space { data: alloc(need), size: need };
            let mut go = || {
                // SAFETY: as above.
                unsafe { device::support_mask(context, STREAM, &problem, &inputs.base, &filters, &sizes, space) }
                    .unwrap()
            };
            go();
            let ms = median(&mut go);
            let got = bytes as f64 / ms * 1e-6;
            println!("| {name} | {n} x {v} {} | {ms:.4} | {got:.0} | {:.2} |", z.dtype(), got / rate);
            driver!(c"cuCtxSynchronize" () :);
            free(space.data);
        }
        [a, g].into_iter().for_each(free);
        memory::clear();
    }
}
