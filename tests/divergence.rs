//! Divergences of two rows of logits: against 60 digits, against their definitions in f64, and against themselves: the same
//! bits for every batch, thread count, choice of outputs, stored type and instruction set.
use half::bf16;
use truing_core::Status;
use truing_core::divergence::{
    Choice, Figures, Kind, Limits, Options, Problem, STATS, Teacher, Upstream,
};
use truing_core::error::row;
use truing_core::logprob::{self, Rows, Transform, TransformInputs};
use truing_core::matrix::{Floats, FloatsMut, Layout, Matrix, MatrixMut};
use truing_core::preference::Reduction;
use truing_cpu::divergence::{Inputs, Totals, backward, forward, forward_fused, forward_workspace};
use truing_cpu::logprob::Grad;
use truing_cpu::{Context, Isa};
use truing_tests::{Cases, Data, Random, U, context, contexts, same, with_scratch};

const INF: f32 = f32::INFINITY;
const DEAD: f32 = f32::NEG_INFINITY;

/// Every figure, filled with values that no kernel writes.
#[derive(Clone, Debug)]
struct Out {
    values: Vec<f32>,
    student_entropy: Vec<f32>,
    teacher_entropy: Vec<f32>,
    cross_entropy: Vec<f32>,
    reverse_cross_entropy: Vec<f32>,
    student_logprob: Vec<f32>,
    teacher_logprob: Vec<f32>,
    student_rank: Vec<i32>,
    teacher_rank: Vec<i32>,
    stats: Vec<f32>,
    status: Vec<u32>,
    loss: f64,
    counters: [i64; 32],
    /// Of student and teacher.
    grads: [Vec<f32>; 2],
}
impl Out {
    fn new(n: usize, widths: [usize; 2]) -> Out {
        let (f, i) = (vec![7.5f32; n], vec![77; n]);
        Out {
            values: f.clone(),
            student_entropy: f.clone(),
            teacher_entropy: f.clone(),
            cross_entropy: f.clone(),
            reverse_cross_entropy: f.clone(),
            student_logprob: f.clone(),
            teacher_logprob: f,
            student_rank: i.clone(),
            teacher_rank: i,
            stats: vec![7.5; n * STATS],
            status: vec![1 << 31; n],
            loss: 7.5,
            counters: [77; 32],
            grads: widths.map(|v| vec![7.5; n * v]),
        }
    }
    fn figures(&mut self, target: bool) -> Figures<'_> {
        let n = self.status.len();
        macro_rules! all {
            ($($f:ident)*) => { Figures { $($f: Some(MatrixMut::vector(&mut self.$f)),)*
                stats: Some(MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()), ..Figures::default() } };
        }
        let mut all = all!(values student_entropy teacher_entropy cross_entropy reverse_cross_entropy student_logprob
            teacher_logprob student_rank teacher_rank status);
        if !target {
            (all.student_logprob, all.teacher_logprob) = (None, None);
        }
        all
    }
    fn same(&self, what: &str, want: &Out) {
        macro_rules! each {
            ($($f:ident)*) => {$( same(&format!("{what}: {}", stringify!($f)), &self.$f, &want.$f); )*};
        }
        each!(values student_entropy teacher_entropy cross_entropy reverse_cross_entropy student_logprob teacher_logprob
            student_rank teacher_rank stats status);
        same(&format!("{what}: student gradient"), &self.grads[0], &want.grads[0]);
        same(&format!("{what}: teacher gradient"), &self.grads[1], &want.grads[1]);
        assert_eq!(self.loss.to_bits(), want.loss.to_bits(), "{what}: loss");
        assert_eq!(self.counters, want.counters, "{what}: counters");
    }
}
/// What a test varies.
#[derive(Clone, Copy, Debug)]
struct Case<'a> {
    problem: Problem,
    inputs: Inputs<'a>,
    upstream: Upstream<'a>,
}
impl<'a> Case<'a> {
    fn new(n: usize, widths: [usize; 2], options: Options) -> Case<'a> {
        let [s, t] = widths.map(|v| logprob::Problem::new(n, v, logprob::Options::default()).unwrap());
        let problem = Problem::new(s, t, options).unwrap();
        Case { problem, inputs: Inputs::default(), upstream: Upstream::default() }
    }
}
fn options(kind: Kind, param: f64) -> Options {
    Options { kind, param, reduction: Some(Reduction::Sum), ..Options::default() }
}
fn matrix(x: &[f32], v: usize) -> Floats<'_> {
    Matrix::contiguous(x, x.len() / v, v).unwrap().into()
}
fn matrix_mut(x: &mut [f32], v: usize) -> FloatsMut<'_> {
    let n = x.len() / v;
    MatrixMut::contiguous(x, n, v).unwrap().into()
}
/// Forward with everything, then backward from its statistics.
fn all(c: &Context, case: &Case<'_>, logits: [Floats<'_>; 2]) -> Out {
    let widths = logits.map(|z| z.cols());
    let mut out = Out::new(logits[0].rows(), widths);
    let target = case.inputs.rows.target.is_some();
    let (mut loss, mut counters) = ([0f64; 1], [0; 32]);
    with_scratch(forward_workspace(&case.problem, true).minimum, |w| {
        let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: Some(&mut counters) };
        forward(c, &case.problem, logits, case.inputs, out.figures(target), totals, w).unwrap();
    });
    (out.loss, out.counters) = (loss[0], counters);
    let mut grads = std::mem::take(&mut out.grads);
    let stats = Matrix::contiguous(&out.stats, logits[0].rows(), STATS).unwrap();
    back(c, case, logits, Some(stats), &mut grads);
    let mut again = grads.clone();
    back(c, case, logits, None, &mut again);
    same("gradient of the student without statistics", &again[0], &grads[0]);
    same("gradient of the teacher without statistics", &again[1], &grads[1]);
    out.grads = grads;
    out
}
fn back(
    c: &Context,
    case: &Case<'_>,
    logits: [Floats<'_>; 2],
    stats: Option<Matrix<'_, f32>>,
    grads: &mut [Vec<f32>; 2],
) {
    let [ws, wt] = logits.map(|z| z.cols());
    let [s, t] = grads;
    let student = Grad::Separate(logits[0], matrix_mut(s, ws));
    let teacher = if case.problem.options().teacher == Teacher::Logits {
        Grad::Separate(logits[1], matrix_mut(t, wt))
    } else {
        Grad::Absent(logits[1])
    };
    backward(c, &case.problem, [student, teacher], case.inputs, stats, case.upstream, None).unwrap();
}

/// `golden/divergence.txt`, 60 digits from an independent script.
#[test]
fn golden() {
    let hash = |seed: u32, j: u32| -> u32 {
        let x = seed.wrapping_mul(2654435761).wrapping_add(j.wrapping_mul(40503)).wrapping_add(12345);
        x.wrapping_mul(2246822519) >> 16
    };
    let numbers = |s: &str| -> Vec<f64> { s.split_whitespace().map(|x| x.parse().unwrap()).collect() };
    let (mut cases, contexts) = (Cases::default(), contexts());
    let mut failed = vec![];
    let mut worst = std::collections::BTreeMap::<String, [f64; 2]>::new();
    let (mut student, mut teacher, mut columns, mut about) = (vec![], vec![], [0usize; 4], String::new());
    for line in include_str!("golden/divergence.txt").lines() {
        if let Some(row) = line.strip_prefix("row ") {
            let [seed, v, bits, step, shift, offset, dead] = numbers(row)[..] else { panic!("{line}") };
            let (seed, dead) = (seed as u32, dead as u32);
            (student.clear(), teacher.clear());
            for j in 0..v as u32 {
                let x = ((hash(seed, j) as i64 - 32768) >> bits as u32) as f64 * step;
                let y = x + ((hash(seed + 2, j) % 16) as f64 - 8.0) * shift + offset;
                let gone = |bit, k, m| dead & bit != 0 && hash(seed + k, j).is_multiple_of(m);
                student.push(if gone(1, 1, 5) { DEAD } else { x as f32 });
                teacher.push(if gone(2, 3, 7) { DEAD } else { y as f32 });
            }
            let top = |z: &[f32]| (0..z.len()).rev().max_by(|&i, &j| z[i].total_cmp(&z[j])).unwrap();
            let any = |k| (hash(seed + 5, k) % v as u32) as usize;
            (columns, about) = ([top(&teacher), top(&student), any(0), any(1)], line.to_owned());
            continue;
        }
        let parts: Vec<&str> = line.split(" | ").collect();
        let [name, param, limits] = parts[0].split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let kind = Kind::ALL.iter().find(|k| k.name == name).unwrap().kind;
        let limits = if limits == "scaled" { Limits::Scaled } else { Limits::Peer };
        let (v, want) = (student.len(), parts[1].trim().parse::<f64>().unwrap());
        let param: f64 = param.parse().unwrap();
        let mut case = Case::new(1, [v; 2], Options { limits, ..options(kind, param) });
        case.upstream.loss = Some(1.0);
        let logits = [matrix(&student, v), matrix(&teacher, v)];
        let mut first: Option<Out> = None;
        for c in &contexts {
            let out = all(c, &case, logits);
            if let Some(first) = &first {
                out.same(&format!("{about}: {line}"), first);
            } else {
                first = Some(out);
            }
            cases.ran();
        }
        let out = first.unwrap();
        let what = format!("{about}: {line}");
        let mut judge = |ok: bool, text: String| {
            if !ok {
                failed.push(format!("{what}: {text}"));
            }
        };
        let got = out.values[0] as f64;
        if want == f64::INFINITY {
            judge(got == want && out.status[0] & (row::INFINITE | row::OVERFLOW) != 0, format!("got {got:e}"));
            judge(out.grads.iter().flatten().all(|&g| g == 0.0), "a gradient of an infinite value".into());
            continue;
        }
        let entry = worst.entry(format!("{name} {param}")).or_default();
        let bounds = Bounds::new(kind, param, &student, &teacher);
        if want > 1e-25 {
            let error = (got - want).abs() / U;
            entry[0] = entry[0].max(error / want);
            judge(error <= bounds.value(want), format!("got {got:e}, error {:.1} u", error / want));
        } else {
            judge(got <= 1e-14, format!("got {got:e}"));
        }
        let (most, some) = (numbers(parts[2]), numbers(parts[3]));
        for side in 0..2 {
            for (k, &j) in columns.iter().enumerate() {
                let (want, got) = (some[4 * side + k], out.grads[side][j] as f64);
                let error = (got - want).abs() / U;
                entry[1] = entry[1].max(if error < 1e-20 { 0.0 } else { error / most[side] });
                let text = format!("side {side}, column {j}: got {got:e}, expected {want:e}: {:.1} u", error / most[side]);
                judge(error <= bounds.gradient(most[side]) || most[side] < 1e-25 && got.abs() < 1e-14, text);
            }
        }
    }
    for (name, [value, gradient]) in worst {
        println!("{name}: values within {value:.1} u, gradients within {gradient:.1} u of the row's largest");
    }
    cases.finish("golden divergences", 2 * 1000);
    assert!(failed.is_empty(), "{} failures, among them\n{}", failed.len(), failed[..failed.len().min(60)].join("\n"));
}
/// What an error may be, in u.
struct Bounds {
    kind: Kind,
    /// 1 + |parameter|
    param: f64,
    /// Range of the logits of both sides.
    range: f64,
    /// Largest difference of two logits over the product of both norms.
    cosine: f64,
}
impl Bounds {
    fn new(kind: Kind, param: f64, student: &[f32], teacher: &[f32]) -> Bounds {
        let range = |x: &[f32]| {
            let live = x.iter().filter(|x| **x > DEAD);
            live.clone().fold(DEAD, |a, &b| a.max(b)) as f64 - live.fold(INF, |a, &b| a.min(b)) as f64
        };
        let both = || student.iter().zip(teacher).filter(|(x, y)| **x > DEAD && **y > DEAD).map(|(&x, &y)| (x as f64, y as f64));
        let norm = |f: fn((f64, f64)) -> f64| both().map(|x| f(x) * f(x)).sum::<f64>().sqrt();
        let apart = both().fold(0.0, |m: f64, (x, y)| m.max((x - y).abs()));
        Bounds {
            kind,
            param: if param.is_nan() { 1.0 } else { 1.0 + param.abs() },
            range: range(student) + range(teacher),
            cosine: apart / (norm(|x| x.0) * norm(|x| x.1)).max(1e-30),
        }
    }
    fn value(&self, want: f64) -> f64 {
        want * match self.kind {
            Kind::Chi2 | Kind::Chi2Reverse => 16.0 * (1.0 + self.range),
            Kind::Alpha | Kind::Renyi => 32.0 + self.range * self.param,
            _ => 32.0,
        }
    }
    fn gradient(&self, most: f64) -> f64 {
        match self.kind {
            Kind::CosineLogits => 32.0 * (most + self.cosine),
            Kind::Alpha | Kind::Renyi => 16.0 * most * (1.0 + self.range * self.param / 8.0),
            Kind::Chi2 | Kind::Chi2Reverse => 16.0 * most * (1.0 + self.range / 4.0),
            _ => 16.0 * most * (1.0 + self.range / 8.0),
        }
    }
}
