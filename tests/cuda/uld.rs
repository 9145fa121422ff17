//! Distances of sorted probabilities: the C ABI on the stand-in device against the same call on the CPU, and what only the device
//! can see.
use super::abi::{Arrays, Given, Op, Pointer};
use super::{INF, NAN, STREAM, Scratch, memory, tensor, vector};
use half::{bf16, f16};
use truing_core::divergence::{Kind, Options, Problem};
use truing_core::error::row;
use truing_core::matrix::Layout;
use truing_core::real::Real;
use truing_core::{Dtype, Status, logprob};
use truing_cuda::Context;
use truing_cuda::divergence::{Grads, Inputs, Matched, Uld, UldOut, Upstream, uld, uld_workspace};
use truing_ffi::abi::*;
use truing_ffi::divergence::{truing_uld, truing_uld_workspace_size};
use truing_tests::{Random, same};

const ULD: Op<truing_uld_args> = Op(truing_uld_workspace_size, truing_uld);
const N: usize = 14;
const ROWS: i64 = N as i64;

/// Rows of both sides with what a row may have.
fn sides(widths: [usize; 2], seed: u64) -> [Vec<f32>; 2] {
    let mut r = Random(seed);
    widths.map(|v| {
        let mut z = vec![];
        for sort in 0..N {
            let mut x = r.normals(v, 3.0);
            let at = r.below(v);
            match sort {
                1 => x.fill(1.25),
                2 => x[at] = 40.0,
                // equal ones, both zeros among them
                3 => {
                    x.iter_mut().for_each(|x| *x = (*x / 4.0).round() * 4.0 * if r.below(2) == 0 { -1.0 } else { 1.0 })
                }
                4 => (0..v).filter(|j| j % 3 != at % 3).for_each(|j| x[j] = -INF),
                5 if r.below(2) == 0 => x[at] = NAN,
                6 if r.below(2) == 0 => x[at] = INF,
                7 if r.below(2) == 0 => x.fill(-INF),
                8 => x.iter_mut().for_each(|x| *x += 1e4),
                9 => x.iter_mut().for_each(|x| *x *= 30.0),
                // what is masked may hold anything
                11 => x.fill(NAN),
                _ => {}
            }
            z.extend(x);
        }
        z
    })
}
/// One way to call.
#[derive(Clone, Copy, Debug)]
struct Way {
    widths: [usize; 2],
    types: [usize; 2],
    k: usize,
    pairs: usize,
    seed: u64,
}
impl Way {
    /// Columns of a side by a step that has no factor in common with their number, so that none stands twice.
    fn ids(&self, side: usize) -> Vec<i64> {
        let v = self.valid(side);
        let step = (3 + 4 * side..).find(|&step| v % step != 0 && prime(step)).unwrap();
        (0..self.pairs).map(|i| ((i * step + 1 + side) % v) as i64).collect()
    }
    fn plain(&self) -> bool {
        self.seed % 3 != 1
    }
    /// Columns of a side without its padding.
    fn valid(&self, side: usize) -> usize {
        let v = self.widths[side];
        if side == 0 && !self.plain() && v > 4 { v - 2 } else { v }
    }
}
fn prime(x: usize) -> bool {
    (2..x).all(|k| x % k != 0)
}
fn logits(t: &mut Arrays, z: &[f32], kind: usize) -> Pointer {
    let shape = [2, ROWS / 2, (z.len() / N) as i64];
    match kind {
        0 => t.update(z.to_vec(), &shape),
        1 => t.update(z.iter().map(|&x| bf16::from_f32(x)).collect(), &shape),
        _ => t.update(z.iter().map(|&x| f16::from_f32(x)).collect(), &shape),
    }
}
fn apart(t: &mut Arrays, v: usize, kind: usize) -> Pointer {
    let shape = [ROWS, v as i64];
    match kind {
        0 => t.write::<f32>(&shape),
        1 => t.write::<bf16>(&shape),
        _ => t.write::<f16>(&shape),
    }
}
fn compare(context: &Given, way: Way) -> usize {
    let (z, seed) = (sides(way.widths, way.seed), way.seed as usize);
    let mut r = Random(way.seed + 77);
    let mut mask = vec![1u8; N];
    mask[11] = 0;
    let wide: Vec<i64> = mask.iter().map(|&x| x as i64 * -3).collect();
    let weight: Vec<f32> = (0..N).map(|i| [1.0, 0.5, 2.0, 1.5][i % 4] * (i != 12) as u8 as f32).collect();
    let target: Vec<i32> = (0..ROWS as i32).map(|i| if i == 10 { -100 } else { 0 }).collect();
    let scales: [Vec<f32>; 2] = [0.9, 0.2].map(|x| (0..N).map(|_| x + r.uniform() as f32).collect());
    let up = r.normals(N, 1.0);
    let bias: Vec<f32> = (0..way.widths[1]).map(|j| if j % 7 == 6 { -INF } else { r.normal() as f32 }).collect();
    let temperature: Vec<f32> = (0..N).map(|i| [1.0, 0.7, 2.5][i % 3]).collect();
    let ids = [way.ids(0), way.ids(1)];
    let narrow: Vec<i32> = ids[0].iter().map(|&x| x as i32).collect();
    ULD.same(&format!("{way:?}"), context, |t, a| {
        (a.student, a.teacher) = (logits(t, &z[0], way.types[0]), logits(t, &z[1], way.types[1]));
        if !way.plain() {
            let (own, other) = (&mut a.student_transform, &mut a.teacher_transform);
            (own.softcap, own.logit_scale) = (20.0, 1.25);
            own.n_valid_vocab = if way.valid(0) < way.widths[0] { way.valid(0) as i64 } else { 0 };
            other.bias = t.read(&bias, &[way.widths[1] as i64]);
            other.row_temperature = t.read(&temperature, &[ROWS]);
        }
        a.rows.mask = if seed % 2 == 0 { t.read(&mask, &[2, ROWS / 2]) } else { t.read(&wide, &[ROWS]) };
        if seed % 4 > 1 {
            (a.rows.target, a.rows.ignore_index) = (t.read(&target, &[ROWS]), -100);
            a.flags = TRUING_HAS_IGNORE_INDEX;
            a.row_weight = t.read(&weight, &[ROWS]);
        }
        a.k = way.k as i64;
        if way.pairs > 0 {
            let m = way.pairs as i64;
            (a.matched_student_ids, a.matched_teacher_ids) = (t.read(&narrow, &[m]), t.read(&ids[1], &[m]));
            a.matched_beta = [0.5, 0.0, 1.0, 0.3][seed % 4];
            (a.matched_weight, a.unmatched_weight) = [(0.0, 0.0), (2.0, 0.25), (1.0, 0.0), (0.0, 1.5)][seed / 2 % 4];
        }
        if seed % 5 > 2 {
            a.student_scale = t.read(&scales[0], &[ROWS]);
            a.grad_student_scale_out = t.write::<f32>(&[ROWS]);
        }
        if seed % 5 == 4 {
            a.teacher_scale = t.read(&scales[1], &[2, ROWS / 2]);
        }
        // in place, elsewhere in its own type or in f32, none
        let place = |t: &mut Arrays, side: usize, of: Pointer| match (seed + side) % 4 {
            0 => of,
            1 => apart(t, way.widths[side], way.types[side]),
            2 => apart(t, way.widths[side], 0),
            _ => std::ptr::null(),
        };
        (a.grad_student_out, a.grad_teacher_out) = (place(t, 0, a.student), place(t, 1, a.teacher));
        if !a.grad_student_out.is_null() || !a.grad_teacher_out.is_null() {
            if seed % 3 != 0 {
                a.grad_values = t.read(&up, &[ROWS]);
            }
            if seed % 3 != 1 {
                a.grad_loss = t.update(vec![0.75f32], &[]);
            }
            (a.grad_scale, a.flags) = (0.3, a.flags | TRUING_HAS_GRAD_SCALE);
        }
        a.aggregate.mode =
            [TRUING_AGGREGATE_TOKEN_MEAN, TRUING_AGGREGATE_TOKEN_SUM, TRUING_AGGREGATE_WEIGHTED_MEAN][seed / 3 % 3];
        a.aggregate.normaliser = if seed % 6 == 5 { 3.5 } else { 0.0 };
        (a.out_values, a.out_status) = (t.write::<f32>(&[ROWS]), t.write::<u32>(&[2, ROWS / 2]));
        if seed % 2 == 0 {
            a.out_loss = t.write::<f64>(&[]);
        }
    })
}

pub(super) fn all(context: &Context) -> usize {
    let cases = std::env::var("TRUING_CASES").unwrap();
    let (few, fewest) = (cases != "all", cases == "fewest");
    let given = Given::new(|_| {});
    let widths: &[[usize; 2]] =
        &[[1, 1], [1, 3], [15, 17], [17, 15], [40, 255], [257, 256], [2049, 300], [600, 2500], [5000, 5003]];
    let (mut done, mut seed) = (0, 0);
    for &widths in widths {
        let least = widths[0].min(widths[1]);
        for (k, pairs) in [
            (0, 0),
            (least / 3, 0),
            (least / 2, least / 4),
            (0, 1),
            (0, least / 2),
            (0, least),
            (9999, 0),
            (9999, least / 4),
        ] {
            seed += 1;
            if widths[0] > 1000 && (fewest && seed % 5 != 0 || few && seed % 2 != 0) {
                continue;
            }
            let way = Way { widths, types: [seed as usize % 3, seed as usize / 3 % 3], k, pairs, seed };
            // all columns that count
            done += compare(&given, Way { pairs: pairs.min(way.valid(0)), ..way });
        }
    }
    done + ranked(context) + apart_rows(context) + outside(context)
}
/// Some columns one by one and the rest as one: against the definition in f64, summed up as it says, the largest in descending
/// order and the others in that of the columns.
fn ranked(context: &Context) -> usize {
    let (n, widths) = (N, [300usize, 170]);
    let problem = problem(n, widths);
    let mut z = sides(widths, 12);
    for (z, v) in z.iter_mut().zip(widths) {
        z.iter_mut().for_each(|x| *x = if x.is_finite() { (*x * 8.0).round() / 8.0 } else { -INF });
        (0..n).for_each(|i| z[i * v] = 3.0);
    }
    let (up, mut done) = (Random(3).normals(n, 1.0), 0);
    for k in [1usize, 7, 40, 169, 170, 200, 299] {
        let (mut values, mut grads) = (vec![7.5f32; n], widths.map(|v| vec![7.5f32; n * v]));
        let at = |x: &[f32], v: usize| tensor(x, Dtype::F32, Layout::contiguous(n, v));
        let inputs = Inputs::new(at(&z[0], widths[0]), at(&z[1], widths[1]));
        let out = UldOut {
            values: Some(vector(&values, Dtype::F32)),
            grads: Grads { student: Some(at(&grads[0], widths[0])), teacher: Some(at(&grads[1], widths[1])) },
            ..UldOut::default()
        };
        let upstream = Upstream { values: Some(vector(&up, Dtype::F32)), ..Upstream::default() };
        let how = Uld { k, ..Uld::default() };
        let scratch = Scratch::new(uld_workspace(&problem, &how, &out, &upstream).minimum);
        // SAFETY: the stand-in's device memory is this process's, and the arrays live.
        unsafe { uld(context, STREAM, &problem, &how, &inputs, &out, &upstream, scratch.space()) }.unwrap();
        memory::down(&mut values);
        grads.iter_mut().for_each(|g| memory::down(g));
        memory::clear();
        for i in 0..n {
            // columns in their order, and their probabilities
            let both = [0, 1].map(|side| {
                let row = &z[side][i * widths[side]..][..widths[side]];
                let mut order: Vec<usize> = (0..row.len()).collect();
                order.sort_by(|&a, &b| row[b].partial_cmp(&row[a]).unwrap());
                let top = row[order[0]] as f64;
                order[k.min(row.len())..].sort();
                let e: Vec<f64> = order.iter().map(|&j| Real::exp(row[j] as f64 - top)).collect();
                let sum = e.iter().fold(0.0, |sum, e| sum + e);
                (order, e.iter().map(|e| e / sum).collect::<Vec<f64>>())
            });
            let p = |side: usize, at: usize| both[side].1.get(at).copied().unwrap_or(0.0);
            let tail = [0, 1].map(|side| (k..widths[side]).fold(0.0, |sum, at| sum + p(side, at)));
            let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
            let rest = tail[0] - tail[1];
            let (mut value, mut mean) = (0.0f64, [0.0f64; 2]);
            for at in 0..k {
                let d = p(0, at) - p(1, at);
                value += d.abs();
                mean = [mean[0] + sign(d) * p(0, at), mean[1] - sign(d) * p(1, at)];
            }
            mean = [mean[0] + sign(rest) * tail[0], mean[1] - sign(rest) * tail[1]];
            same(&format!("k {k}, row {i}"), &values[i..i + 1], &[(value + rest.abs()) as f32]);
            for side in 0..2 {
                let mut want = vec![0.0f32; widths[side]];
                for (at, &j) in both[side].0.iter().enumerate() {
                    let s = sign(if at < k { p(0, at) - p(1, at) } else { rest });
                    let dx = up[i] as f64 * p(side, at) * (if side == 0 { s } else { -s } - mean[side]);
                    want[j] = if dx == 0.0 { 0.0 } else { dx as f32 };
                }
                same(&format!("k {k}, row {i}, side {side}"), &grads[side][i * widths[side]..][..widths[side]], &want);
                done += widths[side];
            }
        }
    }
    done
}
fn problem(n: usize, widths: [usize; 2]) -> Problem {
    let [s, t] = widths.map(|v| logprob::Problem::new(n, v, logprob::Options::default()).unwrap());
    Problem::new(s, t, Options { kind: Kind::ForwardKl, ..Options::default() }).unwrap()
}
/// Rows that lie apart, and a workspace of one row, of some, of all: the bits are the same.
fn apart_rows(context: &Context) -> usize {
    let (n, widths) = (N, [70usize, 90]);
    let problem = problem(n, widths);
    let z = sides(widths, 5);
    let gaps = [Layout::strided(n, 70, 75), Layout::batched(2, 7, 90, 8 * 90, 90)];
    let laid: Vec<Vec<f32>> = (0..2)
        .map(|side| {
            let mut all = vec![NAN; gaps[side].extent().unwrap()];
            for i in 0..n {
                all[gaps[side].offset(i)..][..widths[side]]
                    .copy_from_slice(&z[side][i * widths[side]..][..widths[side]]);
            }
            all
        })
        .collect();
    let up = Random(3).normals(n, 1.0);
    let mut first: Option<(Vec<f32>, Vec<f32>)> = None;
    let need = uld_workspace(&problem, &Uld::default(), &UldOut::default(), &Upstream::default());
    assert!(need.preferred == N * need.minimum, "{need:?}");
    let mut done = 0;
    for (bytes, spaced) in
        [(need.minimum, false), (3 * need.minimum + 8, false), (need.preferred, true), (2 * need.preferred, true)]
    {
        let (mut values, mut grad) = (vec![7.5f32; n], vec![7.5f32; n * (widths[0] + 3)]);
        let input = |side: usize| match spaced {
            true => tensor(&laid[side], Dtype::F32, gaps[side]),
            false => tensor(&z[side], Dtype::F32, Layout::contiguous(n, widths[side])),
        };
        let to = tensor(&grad, Dtype::F32, Layout::strided(n, widths[0], widths[0] + 3));
        let out = UldOut {
            values: Some(vector(&values, Dtype::F32)),
            grads: Grads { student: Some(to), teacher: None },
            ..UldOut::default()
        };
        let upstream = Upstream { values: Some(vector(&up, Dtype::F32)), ..Upstream::default() };
        let (scratch, inputs) = (Scratch::new(bytes), Inputs::new(input(0), input(1)));
        // SAFETY: the stand-in's device memory is this process's, and the arrays live.
        unsafe { uld(context, STREAM, &problem, &Uld::default(), &inputs, &out, &upstream, scratch.space()) }.unwrap();
        memory::down(&mut values);
        memory::down(&mut grad);
        memory::clear();
        for row in grad.chunks(widths[0] + 3).take(n - 1) {
            assert_eq!(row[widths[0]..], [7.5; 3], "what lies between the rows is written");
        }
        match &first {
            None => first = Some((values, grad)),
            Some((v, g)) => {
                same("rows apart, another workspace: values", &values, v);
                same("rows apart, another workspace: gradient", &grad, g);
                done += values.len() + grad.len();
            }
        }
    }
    done
}
/// Numbers and ids that the host could not look at, beside good ones; what the host refuses; nothing to do.
fn outside(context: &Context) -> usize {
    let (n, v) = (4, 20);
    let z = Random(9).normals(n * v, 2.0);
    let problem = problem(n, [v, v]);
    let layout = Layout::contiguous(n, v);
    let (x, scale, weight) = (tensor(&z, Dtype::F32, layout), [1.0f32, 0.0, INF, NAN], [1.0f32, 1.0, 1.0, -1.0]);
    let inputs = Inputs::new(x, x);
    let mut done = 0;
    let mut run = |how: &Uld, inputs: &Inputs, bad: [bool; 4]| {
        let (mut values, mut status, mut grad) = (vec![7.5f32; n], vec![9u32; n], vec![7.5f32; n * v]);
        let out = UldOut {
            values: Some(vector(&values, Dtype::F32)),
            status: Some(vector(&status, Dtype::U32)),
            grads: Grads { student: None, teacher: Some(tensor(&grad, Dtype::F32, layout)) },
            ..UldOut::default()
        };
        let upstream = Upstream::default();
        let scratch = Scratch::new(uld_workspace(&problem, how, &out, &upstream).minimum);
        // SAFETY: as above.
        unsafe { uld(context, STREAM, &problem, how, inputs, &out, &upstream, scratch.space()) }.unwrap();
        memory::down(&mut values);
        memory::down(&mut status);
        memory::down(&mut grad);
        for i in 0..n {
            assert_eq!((values[i].is_nan(), status[i] == row::OUT_OF_RANGE), (bad[i], bad[i]), "row {i}");
            assert!(grad[i * v..][..v].iter().all(|g| g.is_nan() == bad[i]), "row {i}");
            done += v + 2;
        }
    };
    let (scale, weight) = (vector(&scale, Dtype::F32), vector(&weight, Dtype::F32));
    run(&Uld { scale: [None, Some(scale)], ..Uld::default() }, &inputs, [false, true, true, true]);
    run(&Uld { scale: [Some(scale), None], ..Uld::default() }, &inputs, [false, true, true, true]);
    run(&Uld::default(), &Inputs { row_weight: Some(weight), ..inputs }, [false, false, false, true]);
    let target = [0i64, v as i64, 5, -1];
    let targets = Inputs { target: Some(vector(&target, Dtype::I64)), ..inputs };
    run(&Uld::default(), &targets, [false, true, false, true]);
    let lists = [[3i32, 19, 0], [3, 20, 0], [3, 0, 3], [-1, 0, 3], [4, 4, 4]];
    for (i, list) in lists.iter().enumerate() {
        for side in 0..2 {
            let mut ids = [vector(&lists[0], Dtype::I32); 2];
            ids[side] = vector(list, Dtype::I32);
            let matched = Some(Matched { ids, beta: 0.5, weights: [0.0; 2] });
            run(&Uld { matched, ..Uld::default() }, &inputs, [i > 0; 4]);
        }
    }
    // by name, and nothing is written
    let values = vec![7.5f32; n];
    let (ids, few, none) = (vector(&lists[0], Dtype::I32), vector(&lists[0][..2], Dtype::I32), [0.0; 2]);
    let pairs = |ids, beta, weights| Uld { matched: Some(Matched { ids, beta, weights }), ..Uld::default() };
    let empty = truing_cuda::Tensor::vector(0, Dtype::I32, 0);
    let slope = vector(&values, Dtype::F32);
    let one = UldOut { values: Some(slope), ..UldOut::default() };
    let scaled = Uld { scale: [Some(few), None], ..Uld::default() };
    let up = Upstream::default();
    use Status::{InvalidArgument, ShapeMismatch, UnsupportedDtype, WorkspaceTooSmall};
    let cases = [
        ("matched_student_ids", ShapeMismatch, pairs([empty, ids], 0.5, none), one, up),
        ("matched_teacher_ids", ShapeMismatch, pairs([ids, few], 0.5, none), one, up),
        ("matched_teacher_ids", UnsupportedDtype, pairs([ids, vector(&lists[0], Dtype::F32)], 0.5, none), one, up),
        ("matched_beta", InvalidArgument, pairs([ids, ids], 1.5, none), one, up),
        ("matched_weight", InvalidArgument, pairs([ids, ids], 0.5, [-1.0, 1.0]), one, up),
        ("unmatched_weight", InvalidArgument, pairs([ids, ids], 0.5, [1.0, f64::INFINITY]), one, up),
        ("student_scale", ShapeMismatch, scaled, one, up),
        ("grad_student_scale_out", InvalidArgument, Uld::default(), UldOut { grad_scale: Some(slope), ..one }, up),
        ("aggregate.mode", InvalidArgument, Uld::default(), UldOut { loss: Some(slope), ..one }, up),
        ("grad_scale", InvalidArgument, Uld::default(), one, Upstream { scale: f64::NAN, ..up }),
        ("workspace_size", WorkspaceTooSmall, Uld::default(), one, up),
    ];
    for (field, status, how, out, upstream) in cases {
        let scratch = Scratch::new(if field == "workspace_size" { 64 } else { 1 << 14 });
        let out = UldOut { loss: out.loss.map(|x| truing_cuda::Tensor::vector(x.data, Dtype::F32, 1)), ..out };
        // SAFETY: refused.
        let e = unsafe { uld(context, STREAM, &problem, &how, &inputs, &out, &upstream, scratch.space()) }.unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        done += 1;
    }
    assert!(std::hint::black_box(&values).iter().all(|x| *x == 7.5));
    memory::clear();
    done
}
