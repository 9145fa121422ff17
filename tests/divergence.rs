//! Divergences of two rows of logits: against 60 digits, against their definitions in f64, and against themselves: the same
//! bits for every batch, thread count, choice of outputs, stored type and instruction set.
use half::bf16;
use std::ops::Range;
use truing_core::Status;
use truing_core::divergence::partial::{AtIds, Chosen, Figures as PartialFigures, Outside, Partial};
use truing_core::divergence::{Choice, Figures, Kind, Limits, Options, Problem, STATS, Teacher, Upstream};
use truing_core::error::row;
use truing_core::logprob::{self, Rows, Transform, TransformInputs};
use truing_core::matrix::{Floats, FloatsMut, Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::preference::Reduction;
use truing_core::real::Real;
use truing_cpu::divergence::{
    Finish, Inputs, LocalPass, Matched, PartialShards, PartialTeacher, SequenceFigures, Totals, Uld, backward, finish,
    forward, forward_fused, forward_workspace, local, partial, partial_finish, partial_finish_workspace, partial_local,
    partial_shard, sequence_kl, sequence_kl_backward, sequence_kl_workspace, uld, uld_workspace,
};
use truing_cpu::logprob::Grad;
use truing_cpu::{Context, ContextOptions, Isa, Mode};
use truing_tests::{Cases, Data, Random, U, context, contexts, hash, numbers, same, with_scratch};

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
                stats: Some(MatrixMut::contiguous(&mut self.stats, n, STATS).unwrap()) } };
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
    golden_rows("golden divergences", include_str!("golden/divergence.txt"), 2 * 1000);
}
/// `golden/divergence_more.txt`: rows of 128256 columns that all but agree, offsets of either side and of both, parameters at the
/// ends of their ranges.
#[test]
fn golden_more() {
    golden_rows("golden divergences, more", include_str!("golden/divergence_more.txt"), 1700);
}
fn golden_rows(name: &str, text: &str, least: usize) {
    let (mut cases, contexts) = (Cases::default(), contexts());
    let mut failed = vec![];
    let mut worst = std::collections::BTreeMap::<String, [f64; 2]>::new();
    let (mut student, mut teacher, mut columns, mut about) = (vec![], vec![], [0usize; 4], String::new());
    for line in text.lines() {
        if let Some(row) = line.strip_prefix("row ") {
            let [seed, v, bits, step, shift, offset, dead, ref own @ ..] = numbers(row)[..] else { panic!("{line}") };
            let [own, period] = if let [own, period] = own[..] { [own, period] } else { [0.0, v] };
            let (seed, dead) = (seed as u32, dead as u32);
            student.clear();
            teacher.clear();
            for j in (0..v as u32).map(|j| j % period as u32) {
                let x = ((hash(seed, j) as i64 - 32768) >> bits as u32) as f64 * step;
                let y = x + ((hash(seed + 2, j) % 16) as f64 - 8.0) * shift + offset;
                let gone = |bit, k, m| dead & bit != 0 && hash(seed + k, j).is_multiple_of(m);
                student.push(if gone(1, 1, 5) { DEAD } else { (x + own) as f32 });
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
        // a row as wide as a vocabulary on the machine's own instruction set: it takes its time
        for c in &contexts[if v > 10000 { contexts.len() - 1 } else { 0 }..] {
            let out = all(c, &case, logits);
            if let Some(first) = &first {
                out.same(&format!("{about}: {line}"), first);
            } else {
                first = Some(out);
            }
            cases.ran();
        }
        let out = first.unwrap();
        let what = format!("{about}: {}", parts[0]);
        let mut judge = |ok: bool, text: String| {
            if !ok {
                failed.push(format!("{what}: {text}"));
            }
        };
        let (got, value) = (out.values[0] as f64, want);
        if want > f32::MAX as f64 {
            // by its definition, or beyond the type
            judge(got == f64::INFINITY && out.status[0] & (row::INFINITE | row::OVERFLOW) != 0, format!("got {got:e}"));
            judge(out.grads.iter().flatten().all(|&g| g == 0.0), "a gradient of an infinite value".into());
            continue;
        }
        let entry = worst.entry(format!("{name} {param}")).or_default();
        let bounds = Bounds::new(kind, param, &student, &teacher);
        let tiny = if kind == Kind::CosineLogits { 1e-11 } else { 1e-25 };
        if want > tiny {
            let error = (got - want).abs() / U;
            entry[0] = entry[0].max(error / want);
            judge(error <= bounds.value(want), format!("got {got:e}, error {:.1} u", error / want));
        } else {
            judge(
                got <= 1e-14 || kind == Kind::CosineLogits && got <= 1e-11 + 32.0 * U * bounds.square.min(2.0),
                format!("got {got:e}"),
            );
        }
        let (most, some) = (numbers(parts[2]), numbers(parts[3]));
        for side in 0..2 {
            for (k, &j) in columns.iter().enumerate() {
                let (want, got) = (some[4 * side + k], out.grads[side][j] as f64);
                let error = (got - want).abs() / U;
                entry[1] = entry[1].max(if error < 1e-20 { 0.0 } else { error / most[side] });
                let text =
                    format!("side {side}, column {j}: got {got:e}, expected {want:e}: {:.1} u", error / most[side]);
                judge(error <= bounds.gradient(most[side], value) || most[side] < 1e-25 && got.abs() < 1e-14, text);
            }
        }
    }
    for (name, [value, gradient]) in worst {
        println!("{name}: values within {value:.1} u, gradients within {gradient:.1} u of the row's largest");
    }
    cases.finish(name, least);
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for text in &failed {
        let n = seen.entry(text.split(": ").nth(1).unwrap().to_owned()).or_default();
        *n += 1;
        if *n <= 4 {
            println!("{text}");
        }
    }
    assert!(failed.is_empty(), "{} failures: {seen:?}", failed.len());
}
/// What an error may be, in u.
struct Bounds {
    kind: Kind,
    /// 1 + |parameter|
    param: f64,
    /// What the ends of the parameters cost beyond a sixteenth: a form loses the digits that its smaller weight or exponent
    /// leaves of 1.
    ends: f64,
    /// Range of the logits of both sides.
    range: f64,
    /// Largest difference of two logits over the product of both norms.
    cosine: f64,
    /// Squared distance of the logits over twice the product of their norms.
    square: f64,
}
impl Bounds {
    fn new(kind: Kind, param: f64, student: &[f32], teacher: &[f32]) -> Bounds {
        let range = |x: &[f32]| {
            let live = x.iter().filter(|x| **x > DEAD);
            live.clone().fold(DEAD, |a, &b| a.max(b)) as f64 - live.fold(INF, |a, &b| a.min(b)) as f64
        };
        let both = || {
            student.iter().zip(teacher).filter(|(x, y)| **x > DEAD && **y > DEAD).map(|(&x, &y)| (x as f64, y as f64))
        };
        let norm = |f: fn((f64, f64)) -> f64| both().map(|x| f(x) * f(x)).sum::<f64>().sqrt();
        let apart = both().fold(0.0, |m: f64, (x, y)| m.max((x - y).abs()));
        let small = match kind {
            Kind::Jsd | Kind::SkewKl | Kind::SkewReverseKl => param.min(1.0 - param),
            Kind::Alpha | Kind::Renyi => param.abs().min((1.0 - param).abs()),
            _ => 1.0,
        };
        Bounds {
            kind,
            ends: if small < 1.0 / 16.0 { 4.0 / small } else { 0.0 },
            param: if param.is_nan() { 1.0 } else { 1.0 + param.abs() },
            range: range(student) + range(teacher),
            cosine: apart / (norm(|x| x.0) * norm(|x| x.1)).max(1e-30),
            square: norm(|x| x.0 - x.1).powi(2) / (2.0 * norm(|x| x.0) * norm(|x| x.1)).max(1e-30),
        }
    }
    fn value(&self, want: f64) -> f64 {
        want * match self.kind {
            Kind::Chi2 | Kind::Chi2Reverse => 16.0 * (1.0 + self.range),
            Kind::Alpha | Kind::Renyi => 32.0 + self.ends + self.range * self.param,
            // both forms of the cosine cancel: the better one counts
            Kind::CosineLogits => 32.0 * (1.0 + self.square.min(2.0) / want.max(1e-30)),
            _ => 32.0 + self.ends,
        }
    }
    fn gradient(&self, most: f64, value: f64) -> f64 {
        match self.kind {
            // weights that differ by less than their rounding; they are as large as the root of the value
            Kind::CosineProbs => 16.0 * (most + value.sqrt()),
            Kind::CosineLogits => 32.0 * (most + self.cosine),
            Kind::Alpha | Kind::Renyi => 16.0 * most * (1.0 + self.range * self.param / 8.0),
            Kind::Chi2 | Kind::Chi2Reverse => 16.0 * most * (1.0 + self.range / 4.0),
            _ => 16.0 * most * (1.0 + self.ends / 16.0 + self.range / 8.0),
        }
    }
}

/// Value and gradients of transformed logits, in f64 from the definitions: x of the student, y of the teacher, as long as
/// the larger vocabulary.
fn reference(kind: Kind, s: f64, x: &[f64], y: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let softmax = |x: &[f64]| {
        let m = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = x.iter().map(|x| (x - m).exp()).sum();
        x.iter().map(|x| (x - m).exp() / sum).collect::<Vec<f64>>()
    };
    let (p, t) = (softmax(x), softmax(y));
    let n = x.len();
    let log = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a * (a / b).ln() };
    let zip = |f: &dyn Fn(f64, f64) -> f64| (0..n).map(|j| f(t[j], p[j])).collect::<Vec<f64>>();
    let kl = |f: f64, r: f64| {
        let value = zip(&|t, p| f * log(t, p) + r * log(p, t)).iter().sum::<f64>();
        // a part with factor 0 is not evaluated
        let part = |w: f64, v: f64| if w == 0.0 { 0.0 } else { w * v };
        (value, zip(&|t, p| -f * t + part(r, log(p, t))), zip(&|t, p| part(f, log(t, p)) - r * p))
    };
    let skew = |w: f64, own: f64, other: f64| {
        // own KL(t || M) + other KL(p || M)
        let m = |t: f64, p: f64| w * t + (1.0 - w) * p;
        let value = zip(&|t, p| own * log(t, m(t, p)) + other * log(p, m(t, p))).iter().sum::<f64>();
        let over = |a: f64, b: f64| if a == 0.0 { 0.0 } else { a / b };
        let dp = zip(&|t, p| {
            let q = (1.0 - w) * over(p, m(t, p));
            -own * q * t + other * (log(p, m(t, p)) + p - q * p)
        });
        let dt = zip(&|t, p| {
            let q = w * over(t, m(t, p));
            -other * q * p + own * (log(t, m(t, p)) + t - q * t)
        });
        (value, dp, dt)
    };
    let power = |t: f64, p: f64| if t == 0.0 && p == 0.0 { 0.0 } else { t.powf(s) * p.powf(1.0 - s) };
    let (value, dp, dt) = match kind {
        Kind::ForwardKl => kl(1.0, 0.0),
        Kind::ReverseKl => {
            let (_, dp, dt) = kl(0.0, 1.0);
            (zip(&|t, p| log(p, t)).iter().sum(), dp, dt)
        }
        Kind::MixedKl => kl(s, 1.0 - s),
        Kind::Jeffreys => kl(1.0, 1.0),
        Kind::Jsd => skew(s, s, 1.0 - s),
        Kind::SkewKl => skew(s, 1.0, 0.0),
        Kind::SkewReverseKl => skew(1.0 - s, 0.0, 1.0),
        Kind::Renyi | Kind::Alpha => {
            let a: f64 = zip(&power).iter().sum();
            if kind == Kind::Renyi {
                (a.ln() / (s - 1.0), zip(&|t, p| -power(t, p) / a), zip(&|t, p| s / (s - 1.0) * power(t, p) / a))
            } else {
                ((1.0 - a) / (s * (1.0 - s)), zip(&|t, p| -power(t, p) / s), zip(&|t, p| -power(t, p) / (1.0 - s)))
            }
        }
        Kind::Hellinger2 => {
            let root = |t: f64, p: f64| -(t * p).sqrt() / 2.0;
            (1.0 + 2.0 * zip(&root).iter().sum::<f64>(), zip(&root), zip(&root))
        }
        Kind::Chi2 => {
            let value = zip(&|t, p| {
                if p > 0.0 {
                    (t - p) * (t - p) / p
                } else if t > 0.0 {
                    f64::INFINITY
                } else {
                    0.0
                }
            })
            .iter()
            .sum();
            (
                value,
                zip(&|t, p| if p > 0.0 { -t * t / p } else { 0.0 }),
                zip(&|t, p| if p > 0.0 { 2.0 * t * (t - p) / p } else { 0.0 }),
            )
        }
        Kind::Chi2Reverse => {
            let value = zip(&|t, p| {
                if t > 0.0 {
                    (t - p) * (t - p) / t
                } else if p > 0.0 {
                    f64::INFINITY
                } else {
                    0.0
                }
            })
            .iter()
            .sum();
            (
                value,
                zip(&|t, p| if t > 0.0 { 2.0 * p * (p - t) / t } else { 0.0 }),
                zip(&|t, p| if t > 0.0 { -p * p / t } else { 0.0 }),
            )
        }
        Kind::Tvd => {
            let sign = |x: f64| {
                if x > 0.0 {
                    0.5
                } else if x < 0.0 {
                    -0.5
                } else {
                    0.0
                }
            };
            let value = zip(&|t, p| (t - p).abs() / 2.0).iter().sum();
            (value, zip(&|t, p| -p * sign(t - p)), zip(&|t, p| t * sign(t - p)))
        }
        Kind::CosineProbs | Kind::CosineLogits => {
            let both = |a: f64, b: f64| if a > f64::NEG_INFINITY && b > f64::NEG_INFINITY { a } else { 0.0 };
            let (a, b) = if kind == Kind::CosineProbs {
                (t.clone(), p.clone())
            } else {
                ((0..n).map(|j| both(y[j], x[j])).collect(), (0..n).map(|j| both(x[j], y[j])).collect())
            };
            let norm = |a: &[f64]| a.iter().map(|a| a * a).sum::<f64>().sqrt();
            let (na, nb) = (norm(&a), norm(&b));
            let c = (0..n).map(|j| a[j] * b[j]).sum::<f64>() / (na * nb);
            let db: Vec<f64> = (0..n).map(|j| -(a[j] / na - c * b[j] / nb) / nb).collect();
            let da: Vec<f64> = (0..n).map(|j| -(b[j] / nb - c * a[j] / na) / na).collect();
            if kind == Kind::CosineLogits {
                let live =
                    |g: Vec<f64>| (0..n).map(|j| both(g[j], both(x[j], y[j]) + both(y[j], x[j]))).collect::<Vec<f64>>();
                let dead = |j: usize| x[j] == f64::NEG_INFINITY || y[j] == f64::NEG_INFINITY;
                let cut = |g: Vec<f64>| {
                    g.iter().enumerate().map(|(j, &g)| if dead(j) { 0.0 } else { g }).collect::<Vec<f64>>()
                };
                return (1.0 - c, cut(live(db)), cut(live(da)));
            }
            (1.0 - c, (0..n).map(|j| db[j] * p[j]).collect(), (0..n).map(|j| da[j] * t[j]).collect())
        }
        Kind::CrossEntropy | Kind::ReverseCrossEntropy => {
            let cross = |a: f64, b: f64| if a == 0.0 { 0.0 } else { -a * b.ln() };
            if kind == Kind::CrossEntropy {
                (zip(&cross).iter().sum(), zip(&|t, _| -t), zip(&cross))
            } else {
                let back = |t: f64, p: f64| cross(p, t);
                (zip(&back).iter().sum(), zip(&back), zip(&|_, p| -p))
            }
        }
    };
    let chain = |d: Vec<f64>, p: &[f64]| {
        let sum: f64 = d.iter().sum();
        d.iter().zip(p).map(|(d, p)| d - p * sum).collect::<Vec<f64>>()
    };
    (value, chain(dp, &p), chain(dt, &t))
}
const PARAMS: [(Kind, f64); 24] = [
    (Kind::ForwardKl, f64::NAN),
    (Kind::ReverseKl, f64::NAN),
    (Kind::MixedKl, 0.3),
    (Kind::Jeffreys, f64::NAN),
    (Kind::Jsd, 0.5),
    (Kind::Jsd, 0.1),
    (Kind::SkewKl, 0.1),
    (Kind::SkewKl, 0.6),
    (Kind::SkewReverseKl, 0.1),
    (Kind::Renyi, 0.5),
    (Kind::Renyi, 3.0),
    (Kind::Alpha, 0.5),
    (Kind::Alpha, 2.0),
    (Kind::Alpha, -1.0),
    (Kind::Hellinger2, f64::NAN),
    (Kind::Chi2, f64::NAN),
    (Kind::Chi2Reverse, f64::NAN),
    (Kind::Tvd, f64::NAN),
    (Kind::CosineProbs, f64::NAN),
    (Kind::CosineLogits, f64::NAN),
    (Kind::CrossEntropy, f64::NAN),
    (Kind::ReverseCrossEntropy, f64::NAN),
    (Kind::Jsd, 0.9),
    (Kind::Renyi, 0.9),
];

/// Everything at once: different vocabularies and types, transforms of both sides, bias with dead columns, padding, masks,
/// weights, the hard-label term, the shift of the teacher's target; every kind against its definition, and the same bits
/// on every instruction set, for threads, rows alone and gradients in place.
#[test]
fn options_against_f64() {
    let mut cases = Cases::default();
    let contexts: Vec<Context> = contexts().into_iter().chain([context(Isa::detect(), 3)]).collect();
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        for (vs, vt) in [(37, 37), (50, 33), (2100, 2300)] {
            let n = 5;
            let mut r = Random((number * 10 + vs) as u64);
            let student = Data::new(number % 3, &r.normals(n * vs, 2.0));
            let teacher: Vec<f32> = (0..n * vt)
                .map(|k| {
                    student.wide()[(k / vt * vs + (k % vt).min(vs - 1)).min(n * vs - 1)] + (r.normal() * 0.7) as f32
                })
                .collect();
            let teacher = Data::new((number + 1) % 3, &teacher);
            let strict =
                matches!(kind, Kind::ForwardKl | Kind::Chi2 | Kind::CrossEntropy | Kind::Jeffreys | Kind::MixedKl)
                    || matches!(kind, Kind::ReverseKl | Kind::Chi2Reverse | Kind::ReverseCrossEntropy)
                    || !param.is_nan() && !(0.0..=1.0).contains(&param);
            // where a dead column would make it infinite, both sides have the same ones
            let dead = |j: usize| j % 11 == 10 || strict && j >= vs.min(vt) - 3;
            let bias = |v: usize, r: &mut Random| -> Vec<f32> {
                (0..v).map(|j| if dead(j) { DEAD } else { (r.normal() * 0.3) as f32 }).collect()
            };
            let (bias_s, bias_t) = (bias(vs, &mut r), bias(vt, &mut r));
            let row_t: Vec<f32> = (0..n).map(|_| r.between(0.6, 1.8) as f32).collect();
            let row_s: Vec<f32> = row_t.iter().map(|t| 2.5 - t).collect();
            let weight = [1.0f32, 0.25, 0.0, 2.0, 1.5];
            let mask = [1u8, 1, 1, 1, 0];
            let target: Vec<i64> = (0..n).map(|i| [3, 7, 1, 5, -9][i]).collect();
            let transform = Transform { logit_scale: 1.1, softcap: 20.0, temperature: 1.25 };
            let plain = logprob::Options { ignore_index: Some(-100), ..logprob::Options::default() };
            let own = logprob::Options { transform, n_valid_vocab: vs - 2, ..plain };
            let other = logprob::Options { n_valid_vocab: vt - 1, ..plain };
            let (s, t) = (logprob::Problem::new(n, vs, own).unwrap(), logprob::Problem::new(n, vt, other).unwrap());
            let (hard, soft, shift) = (0.4, 0.7, if kind == Kind::CosineLogits { 0.0 } else { -1.5 });
            let options = Options {
                hard_weight: hard,
                hard_dft: number % 2 == 0,
                soft_weight: soft,
                teacher_target_shift: shift,
                temperature_squared: true,
                reduction: Some(Reduction::Mean),
                ..options(kind, param)
            };
            let g: Vec<f32> = r.normals(n, 1.0);
            let g_lp: Vec<f32> = r.normals(n, 1.0);
            let case = Case {
                problem: Problem::new(s, t, options).unwrap(),
                inputs: Inputs {
                    student: TransformInputs {
                        bias: Some(Matrix::vector(&bias_s).into()),
                        row_temperature: (number % 2 == 1).then(|| Matrix::vector(&row_s)),
                    },
                    teacher: TransformInputs {
                        bias: Some(Matrix::vector(&bias_t).into()),
                        row_temperature: Some(Matrix::vector(&row_t)),
                    },
                    rows: Rows {
                        target: Some(Matrix::vector(&target).into()),
                        mask: Some(Matrix::vector(&mask).into()),
                        segments: None,
                    },
                    row_weight: Some(Matrix::vector(&weight)),
                },
                upstream: Upstream {
                    values: Some(Matrix::vector(&g)),
                    student_logprob: Some(Matrix::vector(&g_lp)),
                    loss: Some(2.0),
                    scale: 0.5,
                },
            };
            let logits = [student.view(Layout::contiguous(n, vs)), teacher.view(Layout::contiguous(n, vt))];
            let out = all(&contexts[0], &case, logits);
            for c in &contexts[1..] {
                all(c, &case, logits).same(&format!("{kind:?} {param} {vs} {vt}"), &out);
                cases.ran();
            }
            judge_options(
                &format!("{kind:?} {param} {vs} {vt}"),
                &case,
                (kind, param),
                [&student, &teacher],
                &out,
                &g,
                &g_lp,
            );
        }
    }
    cases.finish("options of divergences", 24 * 3 * 3);
}
fn judge_options(
    what: &str,
    case: &Case<'_>,
    (kind, param): (Kind, f64),
    data: [&Data; 2],
    out: &Out,
    g: &[f32],
    g_lp: &[f32],
) {
    let (options, n) = (case.problem.options(), out.status.len());
    let sides = [case.problem.student(), case.problem.teacher()];
    let inputs = [case.inputs.student, case.inputs.teacher];
    let width = sides[0].vocab().max(sides[1].vocab());
    let wide = [data[0].wide(), data[1].wide()];
    let mut sum = 0.0;
    for i in 0..n {
        let target = case.inputs.rows.target.unwrap().get(i);
        if i == 2 || i == 4 {
            // weight 0, mask 0
            assert_eq!((out.values[i], out.status[i], out.student_rank[i]), (0.0, row::IGNORED, -1), "{what}");
            for side in 0..2 {
                let v = sides[side].vocab();
                assert!(out.grads[side][i * v..][..v].iter().all(|&g| g == 0.0), "{what}");
            }
            continue;
        }
        let (mut x, mut slope) =
            ([vec![f64::NEG_INFINITY; width], vec![f64::NEG_INFINITY; width]], [vec![0.0; width], vec![0.0; width]]);
        for side in 0..2 {
            let (p, v) = (sides[side], sides[side].vocab());
            let t = p.options().transform;
            let temperature = inputs[side].row_temperature.map_or(t.temperature, |m| m.get(i) as f64);
            for j in 0..p.valid() {
                let bias = inputs[side].bias.unwrap().get(j);
                if bias == f64::NEG_INFINITY {
                    continue;
                }
                let z = t.logit_scale * (wide[side][i * v + j] as f64 + bias);
                let (value, s) = if t.softcap > 0.0 {
                    (t.softcap * (z / t.softcap).tanh(), 1.0 - (z / t.softcap).tanh().powi(2))
                } else {
                    (z, 1.0)
                };
                (x[side][j], slope[side][j]) = (value / temperature, s * t.logit_scale / temperature);
            }
        }
        let y = target as usize;
        x[1][y] += options.teacher_target_shift;
        let (d, gx, gy) = reference(kind, param, &x[0], &x[1]);
        let lse = |x: &[f64]| {
            let m = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            m + x.iter().map(|x| (x - m).exp()).sum::<f64>().ln()
        };
        let logp: Vec<f64> = x[0].iter().map(|v| v - lse(&x[0])).collect();
        let logt: Vec<f64> = x[1].iter().map(|v| v - lse(&x[1])).collect();
        let weight = case.inputs.row_weight.unwrap().get(i) as f64;
        let t = sides[0].options().transform.temperature;
        let t2 = inputs[0].row_temperature.map_or(t, |m| m.get(i) as f64).powi(2);
        let (soft, hard) = (
            weight * options.soft_weight * t2,
            weight * options.hard_weight * if options.hard_dft { logp[y].exp() } else { 1.0 },
        );
        let value = soft * d - hard * logp[y];
        let near = |what: &str, got: f64, want: f64, size: f64| {
            assert!(
                (got - want).abs() <= 3e-5 * (size + want.abs()),
                "{what}, row {i}: got {got:e}, expected {want:e}"
            );
        };
        near(&format!("{what}: value"), out.values[i] as f64, value, 0.02);
        sum += value;
        let entropy =
            |l: &[f64]| l.iter().map(|l| if *l > f64::NEG_INFINITY { -l.exp() * l } else { 0.0 }).sum::<f64>();
        let cross = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).map(|(a, b)| if *a > f64::NEG_INFINITY { -a.exp() * b } else { 0.0 }).sum::<f64>()
        };
        near(what, out.student_entropy[i] as f64, entropy(&logp), 1.0);
        near(what, out.teacher_entropy[i] as f64, entropy(&logt), 1.0);
        for (got, want) in
            [(out.cross_entropy[i], cross(&logt, &logp)), (out.reverse_cross_entropy[i], cross(&logp, &logt))]
        {
            if want == f64::INFINITY {
                assert_eq!(got, INF, "{what}");
            } else {
                near(what, got as f64, want, 1.0);
            }
        }
        near(what, out.student_logprob[i] as f64, logp[y], 1.0);
        near(what, out.teacher_logprob[i] as f64, logt[y], 1.0);
        let top = |l: &[f64]| (0..l.len()).rev().max_by(|&a, &b| l[a].total_cmp(&l[b])).unwrap();
        let above = |l: &[f64], j: usize| l.iter().filter(|&&v| v > l[j]).count() as i32;
        assert_eq!(out.student_rank[i], above(&logp, top(&logt)), "{what}");
        assert_eq!(out.teacher_rank[i], above(&logt, top(&logp)), "{what}");
        // upstream: 0.5 (g + 2 / 3 rows that are read)
        let up = 0.5 * (g[i] as f64 + 2.0 / 3.0);
        let own = 0.5 * g_lp[i] as f64 - up * hard;
        for side in 0..2 {
            let v = sides[side].vocab();
            let want: Vec<f64> = (0..v)
                .map(|j| {
                    let mut dx = up * soft * [&gx, &gy][side][j];
                    if side == 0 {
                        dx += own * ((j == y) as u8 as f64 - logp[j].exp());
                    }
                    dx * slope[side][j]
                })
                .collect();
            let most = want.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            for j in 0..v {
                let got = out.grads[side][i * v + j] as f64;
                // the softcap's slope is formed as 1 - tanh^2 here
                assert!(
                    (got - want[j]).abs() <= 3e-5 * most,
                    "{what}, row {i}, side {side}, column {j}: got {got:e}, expected {:e} of {most:e}",
                    want[j]
                );
            }
        }
    }
    let want = sum / 3.0;
    assert!((out.loss - want).abs() <= 3e-5 * (want.abs() + 0.1), "{what}: loss {} {want}", out.loss);
    assert_eq!(out.counters[0], 2, "{what}");
}

/// In place, fused, rows alone, stored in bf16: the bits of the plain call.
#[test]
fn ways_to_call() {
    let mut cases = Cases::default();
    let c = context(Isa::detect(), 0);
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        for v in [1, 33, 4100] {
            let n = 3;
            let mut r = Random((number * 7 + v) as u64);
            let x: Vec<f32> = r.normals(n * v, 3.0).iter().map(|&x| bf16::from_f32(x).to_f32()).collect();
            let y: Vec<f32> = x.iter().map(|x| bf16::from_f32(x + r.normal() as f32).to_f32()).collect();
            let mut case = Case::new(n, [v; 2], options(kind, param));
            case.upstream.loss = Some(1.5);
            let logits = [matrix(&x, v), matrix(&y, v)];
            let want = all(&c, &case, logits);
            let (narrow_x, narrow_y) = (Data::new(1, &x), Data::new(1, &y));
            let layout = Layout::contiguous(n, v);
            all(&c, &case, [narrow_x.view(layout), narrow_y.view(layout)]).same("bf16", &want);

            let mut fused = Out::new(n, [v; 2]);
            let [mut gs, mut gt] = std::mem::take(&mut fused.grads);
            let grads =
                [Grad::Separate(logits[0], matrix_mut(&mut gs, v)), Grad::Separate(logits[1], matrix_mut(&mut gt, v))];
            let mut out = Figures { values: Some(MatrixMut::vector(&mut fused.values)), ..Figures::default() };
            forward_fused(&c, &case.problem, grads, case.inputs, out, Totals::default(), Some(1.5), &mut []).unwrap();
            same("fused values", &fused.values, &want.values);
            same("fused student gradient", &gs, &want.grads[0]);
            same("fused teacher gradient", &gt, &want.grads[1]);

            (gs, gt) = (x.clone(), y.clone());
            let grads = [Grad::InPlace(matrix_mut(&mut gs, v)), Grad::InPlace(matrix_mut(&mut gt, v))];
            out = Figures::default();
            forward_fused(&c, &case.problem, grads, case.inputs, out, Totals::default(), Some(1.5), &mut []).unwrap();
            same("student gradient in place", &gs, &want.grads[0]);
            same("teacher gradient in place", &gt, &want.grads[1]);
            for i in 0..n {
                let mut case = Case::new(1, [v; 2], options(kind, param));
                case.upstream.loss = Some(1.5);
                let one = all(&c, &case, [matrix(&x[i * v..][..v], v), matrix(&y[i * v..][..v], v)]);
                same("a row alone: value", &one.values, &want.values[i..i + 1]);
                same("a row alone: statistics", &one.stats, &want.stats[i * STATS..][..STATS]);
                same("a row alone: gradient", &one.grads[0], &want.grads[0][i * v..][..v]);
            }
            cases.ran();
        }
    }
    cases.finish("ways to call", 24 * 3);
}

/// Identical rows give exactly 0; NaN, `+inf` and rows without a live column stay alone; disjoint rows have the kind's
/// largest value.
/// Row pairs of the test below, student and teacher; of those from `ODD` on the mode `fast` has the bits of `portable`.
const FAST_ROWS: usize = 17;
const ODD: usize = 7;
const DEAD_COLUMN: usize = 7;
const WIDE: usize = 8;
/// From here to `FAR`: rows that rise late, which may be for the mode or not.
const LATE: usize = 9;
const FAR: usize = 14;
fn fast_rows(v: usize) -> [Vec<f32>; 2] {
    let (mut random, mut rows) = (Random(v as u64 + 77), [vec![], vec![]]);
    for kind in 0..FAST_ROWS {
        let mut x: Vec<f32> = (0..v).map(|_| random.normal() as f32 * 3.0).collect();
        let mut y: Vec<f32> = (0..v).map(|_| random.normal() as f32 * 3.0).collect();
        let at = random.below(v);
        match kind {
            1 => y = x.iter().map(|x| x + 1e-3 * random.normal() as f32).collect(),
            2 => y = x.clone(),
            // one column has nearly all of the student's mass, another of the teacher's
            3 => {
                x[at] = 30.0;
                y[random.below(v)] = 31.0;
            }
            // every piece has a larger column than the one in front of it, on one side or both
            4 => (0..v).for_each(|j| x[j] = j as f32 * (60.0 / v as f32)),
            5 => (0..v)
                .for_each(|j| (x[j], y[j]) = ((j / 7 * 7) as f32 * (40.0 / v as f32), j as f32 * (70.0 / v as f32))),
            6 => (0..v).for_each(|j| (x[j], y[j]) = (x[j] + 200.0, y[j] - 60.0)),
            7 => y[at] = DEAD,
            8 => (x[at], x[(at + 1) % v]) = (-80.0, 80.0),
            // the last column of all is far above the others, which were near the maximum until then
            9 => y[v - 1] = 130.0,
            10 => (x[v - 1], y[v - 1]) = (300.0, 250.0),
            11 => x[v - 1] = 600.0,
            // a step up inside a piece
            12 => (0..=at.min(v.saturating_sub(2))).for_each(|j| (x[j], y[j]) = (x[j] - 200.0, y[j] - 200.0)),
            // no column is far from the largest so far, and yet the first ones are from the last
            13 => (0..v).for_each(|j| (x[j], y[j]) = (x[j] + (j / 64) as f32, y[j] + (j / 100) as f32)),
            14 => y.iter_mut().for_each(|y| *y += 2000.0),
            15 => x[at] = f32::NAN,
            16 => x.fill(DEAD),
            _ => {}
        }
        rows[0].extend(x);
        rows[1].extend(y);
    }
    rows
}
/// The mode `fast`: values and gradients within some units of the rounding of their terms, the same bits for every batch, thread
/// count and choice of outputs; row pairs that are none for it have the bits of `portable`.
fn fast_table<T: truing_tests::Logit>(cases: &mut Cases) {
    let nan = f64::NAN;
    let kinds =
        [(Kind::ForwardKl, nan), (Kind::ReverseKl, nan), (Kind::Jeffreys, nan), (Kind::Jsd, 0.5), (Kind::Jsd, 0.1)];
    for isa in Isa::available() {
        let make = |mode, threads| Context::new(ContextOptions { threads, mode, isa_cap: Some(isa) }).unwrap();
        let (fast, threads, portable) = (make(Mode::Fast, 0), make(Mode::Fast, 3), make(Mode::Portable, 0));
        for v in [1, 2, 15, 17, 31, 32, 33, 511, 512, 2047, 2048, 2049, 4100, 32000] {
            if isa != Isa::detect() && v > 4100 {
                continue;
            }
            let rows = fast_rows(v).map(|x| x.into_iter().map(T::from_f32).collect::<Vec<T>>());
            let upstream = [1f32; FAST_ROWS];
            for ((kind, param), temperature) in kinds.iter().flat_map(|&k| [[1.0, 1.0], [2.0, 0.7]].map(|t| (k, t))) {
                let case = |n: usize| {
                    let [student, teacher] = temperature.map(|temperature| {
                        let transform = Transform { temperature, ..Transform::default() };
                        logprob::Problem::new(n, v, logprob::Options { transform, ..logprob::Options::default() })
                            .unwrap()
                    });
                    let problem = Problem::new(student, teacher, options(kind, param)).unwrap();
                    let upstream = Upstream { values: Some(Matrix::vector(&upstream[..n])), ..Upstream::default() };
                    Case { problem, inputs: Inputs::default(), upstream }
                };
                let view = |i: usize, n: usize| {
                    [&rows[0], &rows[1]].map(|x| T::view(Matrix::contiguous(&x[i * v..(i + n) * v], n, v).unwrap()))
                };
                let what = format!("{} {kind:?} {param} V {v} {temperature:?} {}", T::DTYPE, isa.name());
                let (logits, case_of_all) = (view(0, FAST_ROWS), case(FAST_ROWS));
                let out = all(&fast, &case_of_all, logits);
                let usual = all(&portable, &case_of_all, logits);
                all(&threads, &case_of_all, logits).same(&format!("{what} threads"), &out);
                let mut values = [7.5f32; FAST_ROWS];
                let few = Figures { values: Some(MatrixMut::vector(&mut values)), ..Figures::default() };
                forward(&fast, &case_of_all.problem, logits, Inputs::default(), few, Totals::default(), &mut [])
                    .unwrap();
                same(&format!("{what} values alone"), &values, &out.values);
                let wide = [&rows[0], &rows[1]].map(|x| x.iter().map(|x| x.to_f32()).collect::<Vec<f32>>());
                let wide = [&wide[0], &wide[1]].map(|x| Matrix::contiguous(&x[..], FAST_ROWS, v).unwrap().into());
                let widened = Figures { values: Some(MatrixMut::vector(&mut values)), ..Figures::default() };
                forward(&fast, &case_of_all.problem, wide, Inputs::default(), widened, Totals::default(), &mut [])
                    .unwrap();
                same(&format!("{what} widened"), &values, &out.values);
                assert_eq!(out.status, usual.status, "{what}");
                cases.0 += 2;
                for i in 0..FAST_ROWS {
                    let what = format!("{what} row {i}");
                    let alone = all(&fast, &case(1), view(i, 1));
                    same(&what, &alone.values, &out.values[i..=i]);
                    for side in 0..2 {
                        same(&format!("{what} side {side}"), &alone.grads[side], &out.grads[side][i * v..][..v]);
                    }
                    cases.ran();
                    // with one or two columns such a row may still be one for the mode
                    // (at a temperature of 2 a spread of 160 is one of 80)
                    if i >= ODD && !(LATE..FAR).contains(&i) && v > 2 && !(i == WIDE && temperature[0] == 2.0) {
                        same(&format!("{what} odd"), &out.values[i..=i], &usual.values[i..=i]);
                    }
                    // far from 0 and without a value: the gradients too
                    if i >= FAR && v > 2 {
                        for side in 0..2 {
                            let [a, b] = [&out, &usual].map(|x| &x.grads[side][i * v..][..v]);
                            same(&format!("{what} odd, side {side}"), a, b);
                        }
                    }
                    // a dead column has its place in the table of edges
                    if i >= FAR || i == DEAD_COLUMN || !usual.values[i].is_finite() {
                        continue;
                    }
                    let x: Vec<Vec<f64>> = (0..2)
                        .map(|s| rows[s][i * v..][..v].iter().map(|z| z.to_f64() / temperature[s]).collect())
                        .collect();
                    let (want, mut gs, mut gt) = reference(kind, param, &x[0], &x[1]);
                    let of = |x: &[f64]| {
                        let m = x.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                        (m, x.iter().map(|x| (x - m).exp()).sum::<f64>())
                    };
                    let ([ma, sa], [mb, sb]) = (<[f64; 2]>::from(of(&x[0])), <[f64; 2]>::from(of(&x[1])));
                    // the terms that rounding sees: means of the log ratio, the offsets, the log sums
                    let (mut mean, mut far, mut most) = (0.0, 0f64, 0f64);
                    for j in 0..v {
                        let (p, t) = ((x[0][j] - ma).exp() / sa, (x[1][j] - mb).exp() / sb);
                        let r = ((x[0][j] - ma) - (x[1][j] - mb)).abs();
                        mean += (p + t) * r;
                        (far, most) = (far.max(r), most.max(p).max(t));
                    }
                    let scaled = if temperature == [1.0, 1.0] { 0.0 } else { ma.abs().max(mb.abs()) + far };
                    let terms = 1.0 + mean + (ma - mb).abs() + sa.ln() + sb.ln() + 4.0 * scaled;
                    let (got, bound) = (out.values[i] as f64, 16.0 * U * terms);
                    assert!(
                        got >= 0.0 && (got - want).abs() <= bound,
                        "{what}: got {got}, expected {want}, bound {bound:e}"
                    );
                    if i == 2 && temperature == [1.0, 1.0] {
                        assert!(
                            got == 0.0 && out.grads.iter().all(|g| g[i * v..][..v].iter().all(|&g| g == 0.0)),
                            "{what}"
                        );
                    }
                    gs.iter_mut().for_each(|g| *g /= temperature[0]);
                    gt.iter_mut().for_each(|g| *g /= temperature[1]);
                    let bound = 2.0 * most * (bound + 16.0 * U * far) / 0.7;
                    for (side, want) in [&gs, &gt].into_iter().enumerate() {
                        for (j, (&got, &want)) in out.grads[side][i * v..][..v].iter().zip(want).enumerate() {
                            let error = (got as f64 - want).abs();
                            assert!(
                                error <= bound,
                                "{what} side {side} column {j}: got {got}, expected {want}, bound {bound:e}"
                            );
                        }
                    }
                    cases.ran();
                }
            }
        }
    }
}
#[test]
fn fast_values() {
    let mut cases = Cases::default();
    fast_table::<f32>(&mut cases);
    fast_table::<bf16>(&mut cases);
    fast_table::<half::f16>(&mut cases);
    cases.finish("values of the mode fast", 3 * 2 * 13 * 10 * 25);
}

#[test]
fn edges() {
    let c = context(Isa::detect(), 0);
    let (nan, d) = (f32::NAN, DEAD);
    for (kind, param) in PARAMS {
        let x = [1.0f32, 2.0, 0.5, nan, 2.0, 0.0, 1.0, INF, 0.0, d, d, d, 1.0, 2.0, 3.0, 1.0, d, d];
        let y = [1.0f32, 2.0, 0.5, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 0.0, d, d, d, d, 2.0, 1.0];
        let mut case = Case::new(6, [3; 2], options(kind, param));
        let up = [1.0f32; 6];
        case.upstream.values = Some(Matrix::vector(&up));
        let out = all(&c, &case, [matrix(&x, 3), matrix(&y, 3)]);
        let entropy = matches!(kind, Kind::CrossEntropy | Kind::ReverseCrossEntropy);
        if !entropy {
            assert_eq!(out.values[0], 0.0, "{kind:?}");
            assert!(out.grads.iter().all(|g| g[..3].iter().all(|&g| g == 0.0)), "{kind:?} {param}: {:?}", out.grads);
        }
        for i in 1..5 {
            assert!(out.values[i].is_nan(), "{kind:?} row {i}");
            assert!(out.grads.iter().all(|g| g[3 * i..][..3].iter().all(|g| g.is_nan())), "{kind:?} row {i}");
        }
        let flags = [row::NAN_INPUT, row::INF_INPUT, row::ALL_NEG_INF, row::ALL_NEG_INF];
        assert_eq!(out.status[1..5], flags, "{kind:?}");
        let b = param;
        let most = match kind {
            Kind::Jsd => -b * b.ln() - (1.0 - b) * (1.0 - b).ln(),
            Kind::SkewKl | Kind::SkewReverseKl => -b.ln(),
            Kind::Tvd | Kind::Hellinger2 | Kind::CosineProbs => 1.0,
            Kind::Alpha if (0.0..1.0).contains(&b) => 1.0 / (b * (1.0 - b)),
            Kind::CosineLogits => 0.0,
            _ => f64::INFINITY,
        };
        assert!(
            (out.values[5] as f64 - most).abs() < 1e-6 || out.values[5] as f64 == most,
            "{kind:?}: {}",
            out.values[5]
        );
        let flag = if kind == Kind::CosineLogits {
            row::DEGENERATE
        } else if most == f64::INFINITY {
            row::INFINITE
        } else {
            0
        };
        assert_eq!(out.status[5], flag, "{kind:?}");
        assert!(out.grads.iter().all(|g| g[15..].iter().all(|g| g.is_finite())), "{kind:?}");
    }
    // beta at its ends
    let x = [1.0f32, 2.0, 0.5];
    let y = [0.0f32, 1.0, 1.5];
    let value = |kind, param, limits| {
        let case = Case::new(1, [3; 2], Options { limits, ..options(kind, param) });
        all(&c, &case, [matrix(&x, 3), matrix(&y, 3)]).values[0]
    };
    let (forward, reverse) =
        (value(Kind::ForwardKl, f64::NAN, Limits::Peer), value(Kind::ReverseKl, f64::NAN, Limits::Peer));
    for limits in [Limits::Peer, Limits::Scaled] {
        assert_eq!(value(Kind::Jsd, 0.0, limits), forward);
        assert_eq!(value(Kind::Jsd, 1.0, limits), reverse);
    }
    assert_eq!((value(Kind::Jsd, 0.0, Limits::Continuous), value(Kind::Jsd, 1.0, Limits::Continuous)), (0.0, 0.0));
    assert_eq!(value(Kind::Alpha, 1.0, Limits::Peer), forward);
    assert_eq!(value(Kind::Alpha, 0.0, Limits::Peer), reverse);
}

/// Settings and arguments that are refused, each by its name, before anything is written.
#[test]
fn refusals() {
    for (kind, param) in [
        (Kind::MixedKl, 1.5),
        (Kind::Jsd, -0.1),
        (Kind::SkewKl, 1.0),
        (Kind::Renyi, 0.0),
        (Kind::Renyi, 1.0001),
        (Kind::Renyi, f64::NAN),
        (Kind::Alpha, 9.0),
        (Kind::Alpha, 1e-4),
    ] {
        let e = Choice::new(kind, param, Limits::Peer).unwrap_err();
        assert_eq!((e.status, e.field), (Status::InvalidArgument, "options.params"), "{kind:?} {param}");
    }
    let side = |n, v| logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    let refused = |o: Options, field: &str| {
        let e = Problem::new(side(2, 3), side(2, 3), o).unwrap_err();
        assert_eq!((e.status, e.field), (Status::InvalidArgument, field));
    };
    let base = options(Kind::ForwardKl, f64::NAN);
    refused(Options { hard_weight: f64::NAN, ..base }, "options.hard_weight");
    refused(Options { soft_weight: f64::INFINITY, ..base }, "options.soft_weight");
    refused(Options { hard_dft: true, ..base }, "options.hard_scaling");
    refused(Options { teacher_target_shift: f64::INFINITY, ..base }, "options.teacher_target_shift");
    refused(Options { normaliser: -1.0, ..base }, "options.aggregate.normaliser");
    refused(Options { teacher: Teacher::Probs, teacher_target_shift: 1.0, ..base }, "options.teacher_target_shift");
    assert_eq!(Problem::new(side(2, 3), side(3, 3), base).unwrap_err().field, "teacher");

    let c = context(Isa::detect(), 0);
    let (z, mut values) = ([0f32; 6], [7.5f32; 2]);
    let mut call = |o: Options, logits: [Floats<'_>; 2], inputs: Inputs<'_>, field: &str| {
        let problem = Problem::new(side(2, 3), side(2, 3), o).unwrap();
        let out = Figures { values: Some(MatrixMut::vector(&mut values)), ..Figures::default() };
        let e = forward(&c, &problem, logits, inputs, out, Totals::default(), &mut []).unwrap_err();
        assert_eq!(e.field, field, "{e}");
        assert_eq!(values, [7.5; 2], "a refused call has written");
    };
    let good = matrix(&z, 3);
    call(base, [good, matrix(&z, 2)], Inputs::default(), "teacher");
    call(base, [matrix(&z, 6), good], Inputs::default(), "student");
    let double = [0f64; 6];
    let wide = Matrix::contiguous(&double, 2, 3).unwrap().into();
    call(base, [good, wide], Inputs::default(), "teacher");
    call(Options { hard_weight: 1.0, ..base }, [good; 2], Inputs::default(), "rows.target");
    let target = [0i64, 3];
    let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
    call(base, [good; 2], Inputs { rows, ..Inputs::default() }, "rows.target");
    for w in [[1.0f32, -1.0], [f32::NAN, 0.0], [0.0, INF]] {
        let inputs = Inputs { row_weight: Some(Matrix::vector(&w)), ..Inputs::default() };
        call(base, [good; 2], inputs, "row_weight");
    }
    let bias = [INF, 0.0, 0.0];
    let bad = TransformInputs { bias: Some(Matrix::vector(&bias).into()), row_temperature: None };
    call(base, [good; 2], Inputs { student: bad, ..Inputs::default() }, "student_transform.bias");
    call(base, [good; 2], Inputs { teacher: bad, ..Inputs::default() }, "teacher_transform.bias");
    let given = TransformInputs { bias: Some(Matrix::vector(&z[..3]).into()), row_temperature: None };
    let probs = Options { teacher: Teacher::Probs, ..base };
    call(probs, [good; 2], Inputs { teacher: given, ..Inputs::default() }, "teacher_transform");
}

struct PartialOut {
    values: Vec<f32>,
    mass: [Vec<f32>; 2],
    overlap: [Vec<f32>; 2],
    ids: Vec<i32>,
    status: Vec<u32>,
    loss: f64,
    grads: [Vec<f32>; 2],
}
/// Every choice of a support, with the rest renormalised away and in a bucket: every kind against its definition on the
/// buckets, the teacher as rows and as values at ids; the same bits on every instruction set.
#[test]
fn partial_teachers() {
    let (mut cases, contexts) = (Cases::default(), contexts());
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        for (v, k, chosen, outside) in [
            (40, 6, Chosen::Teacher, Outside::Renormalise),
            (40, 6, Chosen::Student, Outside::Tail),
            (2100, 5, Chosen::Union, Outside::Tail),
            (2100, 9, Chosen::Given, Outside::Tail),
            (40, 9, Chosen::Given, Outside::Renormalise),
            (2100, 512, Chosen::Union, Outside::Renormalise),
        ] {
            // refused; and the largest support there is for a few kinds
            if kind == Kind::CosineLogits && outside == Outside::Tail || k == 512 && number % 6 != 0 {
                continue;
            }
            let n = 3;
            let mut r = Random((number * 31 + v + k) as u64);
            let x: Vec<f32> = r.normals(n * v, 2.0);
            let y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.7) as f32).collect();
            let given: Vec<i64> =
                (0..n * k).map(|j| if j % k == 3 { -1 } else { (j % k * 4 + j / k) as i64 }).collect();
            let ids = (chosen == Chosen::Given).then(|| Matrix::contiguous(&given, n, k).unwrap().into());
            let settings = Partial { chosen, outside, k: if ids.is_some() { 0 } else { k }, ..Partial::default() };
            let most = if chosen == Chosen::Union { 2 * k } else { k };
            let side = |temperature| {
                let transform = Transform { temperature, ..Transform::default() };
                logprob::Problem::new(n, v, logprob::Options { transform, ..logprob::Options::default() }).unwrap()
            };
            // a term of the target, which is of the support or is not
            let (hard, hard_dft) = (if number % 2 == 0 { 0.3 } else { 0.0 }, number % 4 == 0);
            let target: Vec<i64> = (0..n).map(|i| [4, 0, 17][i]).collect();
            let options = Options { soft_weight: 0.5, hard_weight: hard, hard_dft, ..options(kind, param) };
            let problem = Problem::new(side(1.5), side(0.8), options).unwrap();
            let of_logprobs = Problem::new(side(1.5), side(1.0), options).unwrap();
            let weight = [1.0f32, 0.0, 2.0];
            let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
            let inputs = Inputs { row_weight: Some(Matrix::vector(&weight)), rows, ..Inputs::default() };
            let go = |c: &Context, at: Option<AtIds<'_>>| {
                let mut out = PartialOut {
                    values: vec![7.5; n],
                    mass: [vec![7.5; n], vec![7.5; n]],
                    overlap: [vec![7.5; n], vec![7.5; n]],
                    ids: vec![77; n * most],
                    status: vec![1 << 31; n],
                    loss: 7.5,
                    grads: [vec![7.5; n * v], vec![7.5; n * v]],
                };
                let tail = outside == Outside::Tail;
                let [ms, mt] = &mut out.mass;
                let [share, over] = &mut out.overlap;
                let figures = PartialFigures {
                    values: Some(MatrixMut::vector(&mut out.values)),
                    student_mass: tail.then(|| MatrixMut::vector(ms)),
                    teacher_mass: tail.then(|| MatrixMut::vector(mt)),
                    overlap: Some(MatrixMut::vector(share)),
                    overlap_sum: tail.then(|| MatrixMut::vector(over)),
                    support_ids: Some(MatrixMut::contiguous(&mut out.ids, n, most).unwrap()),
                    status: Some(MatrixMut::vector(&mut out.status)),
                    ..PartialFigures::default()
                };
                let [gs, gt] = &mut out.grads;
                let student = Grad::Separate(matrix(&x, v), matrix_mut(gs, v));
                let teacher = match at {
                    Some(at) => PartialTeacher::At(at),
                    None => PartialTeacher::Rows(Grad::Separate(matrix(&y, v), matrix_mut(gt, v))),
                };
                let problem = if let Some(AtIds::Logprobs(_)) = at { of_logprobs } else { problem };
                let mut loss = [0f64];
                let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: None };
                let upstream = Upstream { loss: Some(1.0), ..Upstream::default() };
                with_scratch(forward_workspace(&problem, true).minimum, |w| {
                    partial(c, &problem, &settings, student, teacher, None, ids, inputs, figures, totals, upstream, w)
                        .unwrap();
                });
                out.loss = loss[0];
                out
            };
            let out = go(&contexts[0], None);
            for c in &contexts[1..] {
                let other = go(c, None);
                same("partial values", &other.values, &out.values);
                same("partial ids", &other.ids, &out.ids);
                same("student mass", &other.mass[0], &out.mass[0]);
                same("overlap", &other.overlap[0], &out.overlap[0]);
                same("sum over the overlap", &other.overlap[1], &out.overlap[1]);
                same("partial student gradient", &other.grads[0], &out.grads[0]);
                same("partial teacher gradient", &other.grads[1], &out.grads[1]);
                cases.ran();
            }
            // the teacher by its values at the given ids
            let lse = |z: &[f64]| {
                let m = z.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                m + z.iter().map(|z| (z - m).exp()).sum::<f64>().ln()
            };
            let wide =
                |z: &[f32], i: usize, t: f64| z[i * v..][..v].iter().map(|&z| z as f64 / t).collect::<Vec<f64>>();
            if ids.is_some() {
                let norm: Vec<f32> = (0..n).map(|i| lse(&wide(&y, i, 0.8)) as f32).collect();
                let at = |log: bool| -> Vec<f32> {
                    (0..n * k)
                        .map(|j| {
                            let (i, id) = (j / k, given[j]);
                            match id {
                                _ if id < 0 => 3.0,
                                _ if log => (y[i * v + id as usize] as f64 / 0.8 - norm[i] as f64) as f32,
                                _ => y[i * v + id as usize],
                            }
                        })
                        .collect()
                };
                let (logs, raw) = (at(true), at(false));
                let m = |x| Floats::F32(Matrix::contiguous(x, n, k).unwrap());
                for at in [AtIds::Logprobs(m(&logs)), AtIds::Logits(m(&raw), Some(Matrix::vector(&norm)))] {
                    // cosines of logits depend on the offset of log-probs
                    if kind == Kind::CosineLogits {
                        continue;
                    }
                    let other = go(&contexts[0], Some(at));
                    for (a, b) in other.values.iter().zip(&out.values) {
                        assert!((a - b).abs() <= 3e-5 * (b.abs() + 0.03), "{kind:?} {chosen:?} {outside:?}: {a} {b}");
                    }
                    assert_eq!(other.overlap[0], out.overlap[0], "{kind:?}");
                    for (a, b) in other.overlap[1].iter().zip(&out.overlap[1]) {
                        assert!((a - b).abs() <= 1e-5, "{kind:?} {chosen:?} {outside:?}: {a} {b}");
                    }
                }
            }
            let what = format!("{kind:?} {param} {chosen:?} {outside:?}");
            let mut sum = 0.0;
            for i in 0..n {
                if i == 1 {
                    assert_eq!((out.values[i], out.status[i], out.ids[i * most]), (0.0, row::IGNORED, -1));
                    assert_eq!(out.overlap[0][i], 0.0);
                    continue;
                }
                let rows = [wide(&x, i, 1.5), wide(&y, i, 0.8)];
                let first = |z: &[f64], k: usize| {
                    let mut order: Vec<usize> = (0..v).collect();
                    order.sort_by(|&a, &b| z[b].total_cmp(&z[a]).then(a.cmp(&b)));
                    order[..k].to_vec()
                };
                let largest = |z: &[f64]| first(z, k);
                let set: Vec<usize> = match chosen {
                    Chosen::Teacher => largest(&rows[1]),
                    Chosen::Student => largest(&rows[0]),
                    Chosen::Reference => unreachable!("a test of its own"),
                    Chosen::Union => {
                        let mut all = largest(&rows[1]);
                        let more: Vec<usize> = largest(&rows[0]).into_iter().filter(|j| !all.contains(j)).collect();
                        all.extend(more);
                        all
                    }
                    Chosen::Given => given[i * k..][..k].iter().filter(|&&j| j >= 0).map(|&j| j as usize).collect(),
                };
                let of_teacher = if chosen == Chosen::Given { set.clone() } else { largest(&rows[1]) };
                let of_student = first(&rows[0], of_teacher.len());
                let common: Vec<usize> = of_teacher.iter().copied().filter(|j| of_student.contains(j)).collect();
                assert_eq!(out.overlap[0][i], common.len() as f32 / of_teacher.len() as f32, "{what}");
                let whole = rows.each_ref().map(|z| lse(z));
                let over: f64 = common
                    .iter()
                    .map(|&j| (rows[0][j] - whole[0], rows[1][j] - whole[1]))
                    .map(|(p, t)| -t.exp() * (t - p))
                    .sum();
                if outside == Outside::Tail {
                    assert!((out.overlap[1][i] as f64 - over).abs() < 1e-6, "{what}: {} {over}", out.overlap[1][i]);
                }
                let mut list: Vec<i32> = set.iter().map(|&j| j as i32).collect();
                list.resize(most, -1);
                assert_eq!(out.ids[i * most..][..most], list, "{what}");
                let bucket = |z: &[f64]| {
                    let mut b: Vec<f64> = set.iter().map(|&j| z[j]).collect();
                    if outside == Outside::Tail {
                        let rest: Vec<f64> = (0..v).filter(|j| !set.contains(j)).map(|j| z[j]).collect();
                        b.push(lse(&rest));
                    }
                    b
                };
                let (d, gx, gy) = reference(kind, param, &bucket(&rows[0]), &bucket(&rows[1]));
                let soft = 0.5 * weight[i] as f64;
                let (all, aim) = (lse(&rows[0]), target[i] as usize);
                let logp = rows[0][aim] - all;
                let hard = hard * weight[i] as f64 * if hard_dft { logp.exp() } else { 1.0 };
                let want = soft * d - hard * logp;
                assert!(
                    (out.values[i] as f64 - want).abs() <= 3e-5 * (want + 0.02),
                    "{what}: {} {want}",
                    out.values[i]
                );
                sum += want;
                for (side, (g, t)) in [(gx, 1.5), (gy, 0.8)].into_iter().enumerate() {
                    let all = lse(&rows[side]);
                    let mass: f64 = set.iter().map(|&j| (rows[side][j] - all).exp()).sum();
                    if outside == Outside::Tail {
                        assert!((out.mass[side][i] as f64 - mass).abs() < 1e-6, "{what}");
                    }
                    let most = g.iter().fold(0.0f64, |a, b| a.max(b.abs()));
                    for j in 0..v {
                        let want = match set.iter().position(|&s| s == j) {
                            Some(k) => g[k],
                            None if outside == Outside::Tail => {
                                g[set.len()] * (rows[side][j] - all).exp() / (1.0 - mass)
                            }
                            None => 0.0,
                        };
                        let p = (rows[0][j] - lse(&rows[0])).exp() - (j == aim) as u8 as f64;
                        let of_target = if side == 0 { hard * p } else { 0.0 };
                        let (got, want) = (out.grads[side][i * v + j] as f64, (soft * want + of_target) / t);
                        assert!(
                            (got - want).abs() <= 3e-5 * (soft * most + hard * (side == 0) as u8 as f64),
                            "{what}, side {side}, column {j}: {got:e} {want:e}"
                        );
                    }
                }
            }
            assert!((out.loss - sum).abs() <= 3e-5 * (sum + 0.1), "{what}");
        }
    }
    cases.finish("partial teachers", (24 * 5 - 3 + 4) * 2);
}

/// Identical rows are exactly 0 on every support; a support of all columns is the whole row, bit for bit.
#[test]
fn supports_at_their_ends() {
    let (mut cases, c, n) = (Cases::default(), context(Isa::detect(), 0), 2);
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        for (v, same_rows) in [(300, true), (40, false)] {
            let mut r = Random(number as u64 + 11);
            let x: Vec<f32> = r.normals(n * v, 2.0);
            let y: Vec<f32> = x.iter().map(|x| x + if same_rows { 0.0 } else { (r.normal() * 0.5) as f32 }).collect();
            let side = logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
            let problem = Problem::new(side, side, options(kind, param)).unwrap();
            let all_ids: Vec<i32> = (0..n as i32 * 40).map(|j| j % 40).collect();
            for outside in [Outside::Renormalise, Outside::Tail] {
                for chosen in [Chosen::Teacher, Chosen::Union, Chosen::Given] {
                    if kind == Kind::CosineLogits && outside == Outside::Tail || !same_rows && chosen != Chosen::Given {
                        continue;
                    }
                    let ids = (chosen == Chosen::Given).then(|| Matrix::contiguous(&all_ids, n, 40).unwrap().into());
                    let settings =
                        Partial { chosen, outside, k: if ids.is_some() { 0 } else { 7 }, ..Partial::default() };
                    let mut values = [7.5f32; 2];
                    let mut grads = [vec![7.5f32; n * v], vec![7.5f32; n * v]];
                    let [gs, gt] = &mut grads;
                    let student = Grad::Separate(matrix(&x, v), matrix_mut(gs, v));
                    let teacher = PartialTeacher::Rows(Grad::Separate(matrix(&y, v), matrix_mut(gt, v)));
                    let out =
                        PartialFigures { values: Some(MatrixMut::vector(&mut values)), ..PartialFigures::default() };
                    let (upstream, none) = (Upstream { loss: Some(1.0), ..Upstream::default() }, Totals::default());
                    let inputs = Inputs::default();
                    partial(&c, &problem, &settings, student, teacher, None, ids, inputs, out, none, upstream, &mut [])
                        .unwrap();
                    let what = format!("{kind:?} {param} {settings:?}");
                    let entropy = matches!(kind, Kind::CrossEntropy | Kind::ReverseCrossEntropy);
                    if same_rows && !entropy {
                        assert_eq!(values, [0.0; 2], "{what}");
                        assert!(grads.iter().flatten().all(|&g| g == 0.0), "{what}");
                    }
                    if !same_rows {
                        let mut case = Case::new(n, [v; 2], options(kind, param));
                        case.upstream.loss = Some(1.0);
                        let want = all(&c, &case, [matrix(&x, v), matrix(&y, v)]);
                        if outside == Outside::Renormalise {
                            same(&what, &values, &want.values);
                            same(&what, &grads[0], &want.grads[0]);
                            same(&what, &grads[1], &want.grads[1]);
                        }
                        // with an empty bucket the logits are less their maximum
                        for (a, b) in values.iter().zip(&want.values) {
                            assert!((a - b).abs() <= 3e-6 * (b + 0.1), "{what}: {a} {b}");
                        }
                    }
                    cases.ran();
                }
            }
        }
    }
    cases.finish("supports at their ends", 24 * 8 - 4);
}

/// The sequential KL against its definition in f64, padded and packed, and its gradient.
#[test]
fn sequences() {
    let (v, widths) = (37, [4usize, 0, 3]);
    let n = 7;
    let mut r = Random(5);
    let x = r.normals(n * v, 2.0);
    let y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.5) as f32).collect();
    let target: Vec<i64> = (0..n).map(|_| r.below(v) as i64).collect();
    let mask = [1u8, 1, 0, 1, 1, 1, 1];
    let cu = [0i64, 4, 4, 7];
    let side = logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    let problem = Problem::new(side, side, Options::default()).unwrap();
    let rows =
        Rows { target: Some(Matrix::vector(&target).into()), mask: Some(Matrix::vector(&mask).into()), segments: None };
    let inputs = Inputs { rows, ..Inputs::default() };
    let segments = truing_core::sequence::Segments::Packed(Matrix::vector(&cu).into());
    let (up_m, up_kl) = ([0.5f64, 1.0, -2.0], [1.5f64, 1.0, 0.25]);
    let mut first: Option<(Vec<f64>, Vec<f64>, Vec<f32>)> = None;
    for c in contexts().iter().chain([&context(Isa::detect(), 3)]) {
        let (mut m, mut kl, mut counts, mut status) = (vec![0f64; 3], vec![0f64; 3], [0i32; 3], [0u32; 3]);
        let (mut stats, mut grad) = (vec![0f32; n * STATS], vec![0f32; n * v]);
        with_scratch(sequence_kl_workspace(&problem).minimum, |w| {
            let out = SequenceFigures {
                log_ratio: Some(MatrixMut::vector(&mut m)),
                kl: Some(MatrixMut::vector(&mut kl)),
                counts: Some(MatrixMut::vector(&mut counts)),
                stats: Some(MatrixMut::contiguous(&mut stats, n, STATS).unwrap()),
                status: Some(MatrixMut::vector(&mut status)),
            };
            sequence_kl(c, &problem, segments, [matrix(&x, v), matrix(&y, v)], inputs, out, w).unwrap();
            let policy = Grad::Separate(matrix(&x, v), matrix_mut(&mut grad, v));
            let stats = Some(Matrix::contiguous(&stats, n, STATS).unwrap());
            let up = [Some(Matrix::vector(&up_m)), Some(Matrix::vector(&up_kl))];
            sequence_kl_backward(c, &problem, segments, policy, matrix(&y, v), inputs, stats, up, w).unwrap();
        });
        assert_eq!((counts, status), ([3, 0, 3], [0, row::EMPTY, 0]));
        if let Some((a, b, g)) = &first {
            same("log ratio", &m, a);
            same("kl", &kl, b);
            same("gradient", &grad, g);
            continue;
        }
        let softmax = |z: &[f32]| {
            let m = z.iter().fold(DEAD, |a, &b| a.max(b)) as f64;
            let sum: f64 = z.iter().map(|&z| (z as f64 - m).exp()).sum();
            z.iter().map(|&z| (z as f64 - m).exp() / sum).collect::<Vec<f64>>()
        };
        let mut token = 0;
        for (b, width) in widths.into_iter().enumerate() {
            let (mut want_m, mut want_kl) = (0.0, 0.0);
            for _ in 0..width {
                let (p, q) = (softmax(&x[token * v..][..v]), softmax(&y[token * v..][..v]));
                let t = target[token] as usize;
                let live = mask[token] as f64;
                want_m += live * (p[t] / q[t]).ln();
                want_kl += live * p.iter().zip(&q).map(|(p, q)| q * (q / p).ln()).sum::<f64>();
                for j in 0..v {
                    let want = live * (up_m[b] * ((j == t) as u8 as f64 - p[j]) - up_kl[b] * (q[j] - p[j]));
                    assert!((grad[token * v + j] as f64 - want).abs() < 1e-6, "token {token}, column {j}");
                }
                token += 1;
            }
            assert!((m[b] - want_m).abs() < 1e-5 && (kl[b] - want_kl).abs() < 1e-6, "{b}: {} {}", m[b], kl[b]);
        }
        first = Some((m, kl, grad));
    }
}

/// Columns that are dead on one side: KL(reference || policy) is finite where the reference's is, infinite where the policy's is,
/// and exactly 0 for identical rows; no gradient is a NaN.
#[test]
fn sequence_edges() {
    let c = context(Isa::detect(), 0);
    let x = [1.0f32, 2.0, 0.5, DEAD, 1.0, 0.0, 0.3, 0.7, DEAD];
    let y = [DEAD, 1.0, 0.0, 0.5, 1.0, 2.0, 0.3, 0.7, DEAD];
    let (target, cu) = ([1i64, 1, 0], [0i64, 1, 2, 3]);
    let side = logprob::Problem::new(3, 3, logprob::Options::default()).unwrap();
    let problem = Problem::new(side, side, Options::default()).unwrap();
    let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
    let inputs = Inputs { rows, ..Inputs::default() };
    let segments = truing_core::sequence::Segments::Packed(Matrix::vector(&cu).into());
    let (mut kl, mut status, mut grad) = ([7.5f64; 3], [9u32; 3], [7.5f32; 9]);
    with_scratch(sequence_kl_workspace(&problem).minimum, |w| {
        let out = SequenceFigures {
            kl: Some(MatrixMut::vector(&mut kl)),
            status: Some(MatrixMut::vector(&mut status)),
            ..SequenceFigures::default()
        };
        sequence_kl(&c, &problem, segments, [matrix(&x, 3), matrix(&y, 3)], inputs, out, w).unwrap();
        let policy = Grad::Separate(matrix(&x, 3), matrix_mut(&mut grad, 3));
        let up = [[0.5f64; 3], [2.0; 3]];
        let up = [Some(Matrix::vector(&up[0])), Some(Matrix::vector(&up[1]))];
        sequence_kl_backward(&c, &problem, segments, policy, matrix(&y, 3), inputs, None, up, w).unwrap();
    });
    let softmax = |z: &[f32]| {
        let e: Vec<f64> = z.iter().map(|&z| (z as f64).exp()).collect();
        e.iter().map(|x| x / e.iter().sum::<f64>()).collect::<Vec<f64>>()
    };
    let (p, q) = (softmax(&x[..3]), softmax(&y[..3]));
    let want: f64 = (1..3).map(|j| q[j] * (q[j] / p[j]).ln()).sum();
    assert!((kl[0] - want).abs() < 1e-6 && kl[1] == f64::INFINITY && kl[2] == 0.0, "{kl:?} {want}");
    assert_eq!(status, [0, row::INFINITE, 0]);
    for j in 0..3 {
        let want = 0.5 * ((j == 1) as u8 as f64 - p[j]) - 2.0 * (q[j] - p[j]);
        assert!((grad[j] as f64 - want).abs() < 1e-6, "column {j}: {} {want}", grad[j]);
    }
    // a row with an infinite value has no gradient; identical rows have that of the log ratio alone
    assert_eq!(grad[3..6], [0.0; 3]);
    let p = softmax(&x[6..]);
    assert!((grad[6] as f64 - 0.5 * (1.0 - p[0])).abs() < 1e-6 && grad[8] == 0.0);
}

/// The values of [`Outside::Zero`] and [`Outside::Raw`] by their definitions: log-probs of the whole softmax in f64.
fn open_value(kind: Kind, omega: f64, p: &Partial, set: &[usize], lp: &[f64], lt: impl Fn(usize) -> f64) -> f64 {
    let low = if p.log_prob_floor < 0.0 { p.log_prob_floor } else { f64::NEG_INFINITY };
    let part = |j: usize| (lp[j].max(low), lt(j).max(low));
    let forward: f64 = set.iter().map(|&j| (part(j).1.exp(), part(j))).map(|(t, (a, b))| t * (b - a)).sum();
    let cross: f64 = set.iter().map(|&j| -part(j).1.exp() * part(j).0).sum();
    let mut reverse: f64 = set.iter().map(|&j| part(j).0.exp() * (part(j).0 - part(j).1)).sum();
    if p.outside == Outside::Zero {
        let rest = (0..lp.len()).filter(|j| !set.contains(j));
        reverse += rest.map(|j| lp[j].exp() * (lp[j] - p.outside_logprob)).sum::<f64>();
    }
    let x = match kind {
        Kind::ForwardKl => forward,
        Kind::ReverseKl => reverse,
        Kind::CrossEntropy => cross,
        _ => omega * forward + (1.0 - omega) * reverse,
    };
    let x = if p.clamp_at_zero { x.max(0.0) } else { x };
    if p.value_clamp > 0.0 { x.clamp(-p.value_clamp, p.value_clamp) } else { x }
}
/// Teachers with nothing or a constant log-prob outside the support, by the largest columns of either side or of a third row,
/// by values at ids, by counts of drawn ids; floors and clamps. Gradients against differences of the definition.
#[test]
fn open_supports() {
    let (mut cases, contexts) = (Cases::default(), contexts());
    let kinds = [(Kind::ForwardKl, 1.0), (Kind::ReverseKl, 0.0), (Kind::MixedKl, 0.3), (Kind::CrossEntropy, 1.0)];
    let plain = Partial::default();
    let rules = [
        Partial { outside: Outside::Raw, ..plain },
        Partial { outside: Outside::Zero, ..plain },
        Partial { outside: Outside::Zero, outside_logprob: -20.0, log_prob_floor: -4.0, ..plain },
        Partial { outside: Outside::Raw, log_prob_floor: -3.0, value_clamp: 10.0, clamp_at_zero: true, ..plain },
        Partial { outside: Outside::Raw, value_clamp: 0.05, ..plain },
    ];
    for (number, (kind, omega)) in kinds.into_iter().enumerate() {
        for (rule, settings) in rules.iter().enumerate() {
            for (v, k, chosen) in [
                (40, 6, Chosen::Teacher),
                (2100, 5, Chosen::Reference),
                (40, 7, Chosen::Given),
                (40, 4, Chosen::Student),
            ] {
                let n = 2;
                let mut r = Random((number * 97 + rule * 13 + v + k) as u64);
                let x: Vec<f32> = r.normals(n * v, 2.0);
                let y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.7) as f32).collect();
                let third: Vec<f32> = r.normals(n * v, 1.0);
                let given: Vec<i64> =
                    (0..n * k).map(|j| if j % k == 3 { -1 } else { (j % k * 4 + j / k) as i64 }).collect();
                let ids = (chosen == Chosen::Given).then(|| Matrix::contiguous(&given, n, k).unwrap().into());
                let settings = Partial { chosen, k: if ids.is_some() { 0 } else { k }, ..*settings };
                let reference = (chosen == Chosen::Reference).then(|| matrix(&third, v));
                let side = |temperature| {
                    let transform = Transform { temperature, ..Transform::default() };
                    logprob::Problem::new(n, v, logprob::Options { transform, ..logprob::Options::default() }).unwrap()
                };
                let param = if kind == Kind::MixedKl { omega } else { f64::NAN };
                // a term of the target, which a clamp does not hold
                let (hard, target) = (if rule % 2 == 0 { 0.0 } else { 0.4 }, [3i64, 8]);
                let o = Options { hard_weight: hard, ..options(kind, param) };
                let problem = Problem::new(side(1.5), side(1.0), o).unwrap();
                let rows = Rows { target: Some(Matrix::vector(&target).into()), ..Rows::default() };
                let go = |c: &Context, at: Option<AtIds<'_>>| {
                    let (mut values, mut grad) = (vec![7.5f32; n], vec![7.5f32; n * v]);
                    let (mut status, mut mass) = (vec![9u32; n], vec![7.5f32; n]);
                    let (mut share, mut over) = (vec![7.5f32; n], vec![7.5f32; n]);
                    let figures = PartialFigures {
                        values: Some(MatrixMut::vector(&mut values)),
                        student_mass: Some(MatrixMut::vector(&mut mass)),
                        overlap: Some(MatrixMut::vector(&mut share)),
                        overlap_sum: Some(MatrixMut::vector(&mut over)),
                        status: Some(MatrixMut::vector(&mut status)),
                        ..PartialFigures::default()
                    };
                    let student = Grad::Separate(matrix(&x, v), matrix_mut(&mut grad, v));
                    let teacher = match at {
                        Some(at) => PartialTeacher::At(at),
                        None => PartialTeacher::Rows(Grad::Absent(matrix(&y, v))),
                    };
                    let upstream = Upstream { loss: Some(1.0), ..Upstream::default() };
                    let inputs = Inputs { rows, ..Inputs::default() };
                    let none = Totals::default();
                    partial(
                        c,
                        &problem,
                        &settings,
                        student,
                        teacher,
                        reference,
                        ids,
                        inputs,
                        figures,
                        none,
                        upstream,
                        &mut [],
                    )
                    .unwrap();
                    if let (None, Chosen::Reference | Chosen::Student | Chosen::Teacher) = (at, chosen) {
                        for i in 0..n {
                            let row = |z: &[f32], t: f64| -> (Vec<usize>, Vec<f64>) {
                                let z: Vec<f64> = z[i * v..][..v].iter().map(|&z| z as f64 / t).collect();
                                let lse = z.iter().map(|z| z.exp()).sum::<f64>().ln();
                                let mut order: Vec<usize> = (0..v).collect();
                                order.sort_by(|&a, &b| z[b].total_cmp(&z[a]).then(a.cmp(&b)));
                                (order[..k].to_vec(), z.iter().map(|z| z - lse).collect())
                            };
                            let ((own, lp), (theirs, lt)) = (row(&x, 1.5), row(&y, 1.0));
                            let common: Vec<usize> = theirs.into_iter().filter(|j| own.contains(j)).collect();
                            let want: f64 = common.iter().map(|&j| -lt[j].exp() * (lt[j] - lp[j])).sum();
                            assert_eq!(share[i], common.len() as f32 / k as f32);
                            assert!((over[i] as f64 - want).abs() < 1e-6, "{chosen:?}: {} {want}", over[i]);
                        }
                    }
                    (values, grad, status, mass)
                };
                let out = go(&contexts[0], None);
                for c in &contexts[1..] {
                    let other = go(c, None);
                    same("values on an open support", &other.0, &out.0);
                    same("gradient on an open support", &other.1, &out.1);
                    cases.ran();
                }
                let logs = |z: &[f64]| {
                    let m = z.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                    let lse = m + z.iter().map(|z| (z - m).exp()).sum::<f64>().ln();
                    z.iter().map(|z| z - lse).collect::<Vec<f64>>()
                };
                let wide = |z: &[f32], i: usize| z[i * v..][..v].iter().map(|&z| z as f64).collect::<Vec<f64>>();
                let set = |i: usize| -> Vec<usize> {
                    let z = match chosen {
                        Chosen::Teacher => &y,
                        Chosen::Student => &x,
                        Chosen::Reference => &third,
                        _ => return given[i * k..][..k].iter().filter(|j| **j >= 0).map(|&j| j as usize).collect(),
                    };
                    let mut order: Vec<usize> = (0..v).collect();
                    order.sort_by(|&a, &b| z[i * v + b].total_cmp(&z[i * v + a]).then(a.cmp(&b)));
                    order[..k].to_vec()
                };
                let judge = |out: &(Vec<f32>, Vec<f32>, Vec<u32>, Vec<f32>), log_t: &dyn Fn(usize, usize) -> f64| {
                    for i in 0..n {
                        let set = set(i);
                        let value = |z: &[f64]| {
                            let lp = logs(&z.iter().map(|z| z / 1.5).collect::<Vec<_>>());
                            let soft = open_value(kind, omega, &settings, &set, &lp, |j| log_t(i, j));
                            soft - hard * lp[target[i] as usize]
                        };
                        let mut z = wide(&x, i);
                        let want = value(&z);
                        let what = format!("{kind:?} {settings:?} {chosen:?} row {i}");
                        assert!(
                            (out.0[i] as f64 - want).abs() <= 2e-6 * (want.abs() + 1.0),
                            "{what}: {} {want}",
                            out.0[i]
                        );
                        let p: f64 = {
                            set.iter().map(|&j| logs(&z.iter().map(|z| z / 1.5).collect::<Vec<_>>())[j].exp()).sum()
                        };
                        assert!((out.3[i] as f64 - p).abs() < 1e-6, "{what}: mass {} {p}", out.3[i]);
                        for j in (0..v).filter(|j| set.contains(j) || j % (v / 20) == 0) {
                            let (h, at) = (1e-5, z[j]);
                            z[j] = at + h;
                            let up = value(&z);
                            z[j] = at - h;
                            let slope = (up - value(&z)) / (2.0 * h);
                            z[j] = at;
                            let got = out.1[i * v + j] as f64;
                            assert!(
                                (got - slope).abs() < 3e-6 * (1.0 + slope.abs()),
                                "{what}, column {j}: {got} {slope}"
                            );
                        }
                    }
                };
                judge(&out, &|i, j| logs(&wide(&y, i))[j]);
                let Some(_) = &ids else { continue };
                // the teacher by its values at the ids
                let at = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f32> {
                    (0..n * k).map(|q| if given[q] < 0 { 1.0 } else { f(q / k, given[q] as usize) as f32 }).collect()
                };
                let log_values = at(&|i, j| logs(&wide(&y, i))[j]);
                let m = |x| Floats::F32(Matrix::contiguous(x, n, k).unwrap());
                let other = go(&contexts[0], Some(AtIds::Logprobs(m(&log_values))));
                for (a, b) in other.0.iter().zip(&out.0) {
                    assert!((a - b).abs() <= 3e-6 * (1.0 + b.abs()), "{kind:?} {settings:?}: {a} {b}");
                }
                if kind == Kind::CrossEntropy && settings.outside == Outside::Raw {
                    let counts = at(&|_, j| (j % 5) as f64);
                    let sum = |i: usize| set(i).iter().map(|j| (j % 5) as f64).sum::<f64>();
                    let drawn = go(&contexts[0], Some(AtIds::Counts(m(&counts))));
                    judge(&drawn, &|i, j| ((j % 5) as f64 / sum(i)).ln());
                }
            }
        }
    }
    cases.finish("open supports", 4 * 5 * 4);
}

/// A case whose vocabulary is cut into shards at `cuts`.
struct Shards<'a, 'b> {
    case: &'a Case<'b>,
    logits: [&'a [f32]; 2],
    n: usize,
    v: usize,
    cuts: &'a [i64],
}
impl<'a, 'b> Shards<'a, 'b> {
    fn new(case: &'a Case<'b>, logits: [&'a [f32]; 2], v: usize, cuts: &'a [i64]) -> Self {
        Shards { case, logits, n: logits[0].len() / v, v, cuts }
    }
    fn count(&self) -> usize {
        self.cuts.len() - 1
    }
    fn columns(&self, s: usize) -> Range<usize> {
        self.cuts[s] as usize..self.cuts[s + 1] as usize
    }
    /// Both sides of a shard.
    fn pieces(&self, s: usize) -> [Vec<f32>; 2] {
        let columns = self.columns(s);
        self.logits.map(|z| z.chunks(self.v).flat_map(|row| row[columns.clone()].to_vec()).collect())
    }
    fn problem(&self, s: usize) -> Problem {
        let (of, columns) = (&self.case.problem, self.columns(s));
        let side = |of: &logprob::Problem| {
            logprob::Problem::shard(self.n, columns.len(), *of.options(), columns.start, self.v).unwrap()
        };
        Problem::new(side(of.student()), side(of.teacher()), *of.options()).unwrap()
    }
    /// Of all shards together.
    fn whole(&self) -> Problem {
        let side = logprob::Problem::new(self.n, self.v, logprob::Options::default()).unwrap();
        Problem::new(side, side, *self.case.problem.options()).unwrap()
    }
    /// Gradients of both sides, side by side from what `run` writes of each shard.
    fn gradients(&self, run: impl Fn(&Problem, [Grad<'_>; 2]), to: &mut [Vec<f32>; 2]) {
        for s in 0..self.count() {
            let (z, w, start) = (self.pieces(s), self.columns(s).len(), self.columns(s).start);
            let mut g = [vec![7.5f32; self.n * w], vec![7.5f32; self.n * w]];
            let [gs, gt] = &mut g;
            let student = Grad::Separate(matrix(&z[0], w), matrix_mut(gs, w));
            run(&self.problem(s), [student, Grad::Separate(matrix(&z[1], w), matrix_mut(gt, w))]);
            for (to, g) in to.iter_mut().zip(&g) {
                for (i, to) in to.chunks_mut(self.v).enumerate() {
                    to[start..start + w].copy_from_slice(&g[i * w..][..w]);
                }
            }
        }
    }
}
/// What a sharded call gives, of the figures that there are over shards.
fn sharded(c: &Context, case: &Case<'_>, logits: [&[f32]; 2], v: usize, cuts: &[i64]) -> Out {
    let cut = Shards::new(case, logits, v, cuts);
    let (n, shards, all, options) = (cut.n, cut.count(), cut.whole(), *case.problem.options());
    let twice = matches!(
        options.kind,
        Kind::Jsd | Kind::SkewKl | Kind::SkewReverseKl | Kind::Tvd | Kind::CosineLogits | Kind::CrossEntropy
    ) || options.kind == Kind::ReverseCrossEntropy;
    let (mut out, width) = (Out::new(n, [v; 2]), all.shard_record());
    for second in [false, true] {
        let mut records = vec![0f32; shards * n * width];
        for (s, place) in records.chunks_mut(n * width).enumerate() {
            let (z, w) = (cut.pieces(s), cut.columns(s).len());
            let pass = if second {
                LocalPass::Values(Matrix::contiguous(&out.stats, n, STATS).unwrap())
            } else {
                LocalPass::Records
            };
            let place = MatrixMut::contiguous(place, n, width).unwrap();
            local(c, &cut.problem(s), [matrix(&z[0], w), matrix(&z[1], w)], case.inputs, pass, place, None).unwrap();
        }
        let x = Finish {
            records: Matrix::contiguous(&records, shards * n, width).unwrap(),
            values: second,
            starts: Matrix::vector(cuts).into(),
            rows: case.inputs.rows,
            row_weight: case.inputs.row_weight,
        };
        // of kinds that read once the second exchange knows the values as f32 alone
        let there = second == twice;
        let figures = Figures {
            values: there.then(|| MatrixMut::vector(&mut out.values)),
            student_entropy: (!second).then(|| MatrixMut::vector(&mut out.student_entropy)),
            teacher_entropy: (!second).then(|| MatrixMut::vector(&mut out.teacher_entropy)),
            stats: Some(MatrixMut::contiguous(&mut out.stats, n, STATS).unwrap()),
            status: Some(MatrixMut::vector(&mut out.status)),
            ..Figures::default()
        };
        let mut loss = [0f64];
        with_scratch(forward_workspace(&all, there).minimum, |w| {
            let totals = Totals {
                loss: there.then(|| MatrixMut::vector(&mut loss).into()),
                counters: there.then_some(&mut out.counters),
            };
            finish(c, &all, x, figures, totals, w).unwrap();
        });
        if there {
            out.loss = loss[0];
        }
    }
    let stats = Some(Matrix::contiguous(&out.stats, n, STATS).unwrap());
    let run = |p: &Problem, grads: [Grad<'_>; 2]| {
        backward(c, p, grads, case.inputs, stats, case.upstream, None).unwrap();
    };
    cut.gradients(run, &mut out.grads);
    out
}
/// `got` from shards, `want` of the whole rows: the same bits, or about the same.
fn compare_shards(what: &str, got: &Out, want: &Out, v: usize, bits: bool) {
    same(&format!("{what}: status"), &got.status, &want.status);
    assert_eq!(got.counters, want.counters, "{what}: counters");
    if bits {
        same(&format!("{what}: values"), &got.values, &want.values);
        same(&format!("{what}: entropy"), &got.student_entropy, &want.student_entropy);
        same(&format!("{what}: entropy"), &got.teacher_entropy, &want.teacher_entropy);
        same(&format!("{what}: statistics"), &got.stats, &want.stats);
        same(&format!("{what}: gradient"), &got.grads[0], &want.grads[0]);
        same(&format!("{what}: gradient"), &got.grads[1], &want.grads[1]);
        assert_eq!(got.loss.to_bits(), want.loss.to_bits(), "{what}: loss");
        return;
    }
    for (a, b) in got.values.iter().zip(&want.values) {
        assert!(a == b || (a - b).abs() <= 2e-6 * b.abs(), "{what}: {a} {b}");
    }
    for side in 0..2 {
        for (got, want) in got.grads[side].chunks(v).zip(want.grads[side].chunks(v)) {
            let most = want.iter().fold(0f32, |m, g| m.max(g.abs()));
            for (a, b) in got.iter().zip(want) {
                assert!((a - b).abs() <= 4e-6 * most, "{what}: gradient {a} {b} of {most}");
            }
        }
    }
}
/// Shards at multiples of blocks give the bits of the whole row, others its values.
#[test]
fn shards() {
    let (mut cases, v, n) = (Cases::default(), 5000, 3);
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        if kind == Kind::CosineProbs {
            continue; // refused
        }
        let mut r = Random(number as u64 + 9);
        let x: Vec<f32> = r.normals(n * v, 2.0);
        let y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.5) as f32).collect();
        let mut case = Case::new(n, [v; 2], options(kind, param));
        case.upstream.loss = Some(1.0);
        for c in contexts() {
            let want = all(&c, &case, [matrix(&x, v), matrix(&y, v)]);
            for (cuts, bits) in CUTS {
                let got = sharded(&c, &case, [&x, &y], v, cuts);
                compare_shards(&format!("{kind:?} {param} {cuts:?}"), &got, &want, v, bits);
                cases.ran();
            }
        }
    }
    cases.finish("shards", 23 * 3 * 2);
}
/// Shards of 5000 columns, and whether they are nodes of the tree of the whole row.
const CUTS: [(&[i64], bool); 3] =
    [(&[0, 4096, 5000], true), (&[0, 2048, 4096, 5000], true), (&[0, 1000, 1001, 3300, 5000], false)];
/// The same with a term of the target in the value: targets in the first and in the last shard, the largest column, a nearly
/// certain one, a dead one, of a row that is masked and of one without weight; a temperature, weights, both scalings of the
/// term, without the divergence, gradients of the values and of the loss.
#[test]
fn shards_with_targets() {
    let (mut cases, v, n) = (Cases::default(), 5000, 8);
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        if kind == Kind::CosineProbs {
            continue; // refused
        }
        let mut r = Random(number as u64 + 77);
        let mut x: Vec<f32> = r.normals(n * v, 2.0);
        let mut y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.5) as f32).collect();
        let mut target = [7, 4990, 0, i64::MAX, 2500, 4096, 3000, 1000];
        let row = &x[2 * v..3 * v];
        target[2] = (0..v).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as i64;
        (x[4 * v + 2500], y[4 * v + 2500]) = (DEAD, DEAD);
        (x[6 * v + 3000], y[6 * v + 3000]) = (30.0, 30.0);
        let (mask, weight) = ([1u8, 1, 1, 0, 1, 1, 1, 1], [1.0f32, 0.5, 2.0, 1.0, 1.0, 0.0, 1.5, 1.0]);
        let g = r.normals(n, 1.0);
        let own = Options {
            hard_weight: [0.25, -0.5, 1.0][number % 3],
            hard_dft: number % 3 == 2,
            soft_weight: if number % 5 == 4 { 0.0 } else { 0.5 },
            reduction: Some(Reduction::WeightedMean),
            ..options(kind, param)
        };
        let transform = Transform { temperature: 0.7, ..Transform::default() };
        let side = |transform| {
            let own = logprob::Options { transform, ..logprob::Options::default() };
            logprob::Problem::new(n, v, own).unwrap()
        };
        let case = Case {
            problem: Problem::new(side(transform), side(Transform::default()), own).unwrap(),
            inputs: Inputs {
                rows: Rows {
                    target: Some(Matrix::vector(&target).into()),
                    mask: Some(Mask::U8(Matrix::vector(&mask))),
                    ..Rows::default()
                },
                row_weight: Some(Matrix::vector(&weight)),
                ..Inputs::default()
            },
            upstream: Upstream { values: Some(Matrix::vector(&g)), loss: Some(0.7), ..Upstream::default() },
        };
        for c in contexts() {
            let want = all(&c, &case, [matrix(&x, v), matrix(&y, v)]);
            let flags = [0, 0, 0, row::IGNORED, row::TARGET_NEG_INF, row::IGNORED, 0, 0];
            assert_eq!(want.status, flags, "{kind:?} {param}");
            for (cuts, bits) in CUTS {
                let got = sharded(&c, &case, [&x, &y], v, cuts);
                compare_shards(&format!("{kind:?} {param} of targets {cuts:?}"), &got, &want, v, bits);
                cases.ran();
            }
        }
    }
    cases.finish("shards with targets", 23 * 3 * 2);
}
/// Shards of 16032 columns, an eighth of 128256, with a term of the target, against f64: values, gradients of the columns that
/// matter against differences of the value.
#[test]
fn shards_of_16032() {
    let (mut cases, v, n) = (Cases::default(), 3 * 16032, 3);
    let cuts = [0i64, 16032, 32064, 48096];
    let target = [16031i64, 16032, 40000];
    for (number, kind) in [Kind::ForwardKl, Kind::ReverseKl, Kind::Jsd, Kind::CrossEntropy].into_iter().enumerate() {
        let mut r = Random(number as u64 + 5);
        let mut x: Vec<f32> = r.normals(n * v, 2.0);
        (0..n).for_each(|i| x[i * v + target[i] as usize] = 9.0);
        let y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.7) as f32).collect();
        let own = Options { hard_weight: 0.4, soft_weight: 0.6, ..options(kind, f64::NAN) };
        let mut case = Case::new(n, [v; 2], own);
        case.inputs.rows.target = Some(Matrix::vector(&target).into());
        case.upstream.loss = Some(1.0);
        let c = context(Isa::detect(), 0);
        let got = sharded(&c, &case, [&x, &y], v, &cuts);
        let want = all(&c, &case, [matrix(&x, v), matrix(&y, v)]);
        compare_shards(&format!("{kind:?} of 16032"), &got, &want, v, false);
        for i in 0..n {
            let wide = |z: &[f32]| z[i * v..][..v].iter().map(|&z| z as f64).collect::<Vec<f64>>();
            let (mut a, b, at) = (wide(&x), wide(&y), target[i] as usize);
            let logs = |z: &[f64]| {
                let m = z.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                let lse = m + z.iter().map(|z| (z - m).exp()).sum::<f64>().ln();
                z.iter().map(|z| z - lse).collect::<Vec<f64>>()
            };
            let t = logs(&b);
            let value = |a: &[f64]| {
                let p = logs(a);
                let d = p.iter().zip(&t).map(|(p, t)| {
                    let (ep, et) = (p.exp(), t.exp());
                    let m = (0.5 * (ep + et)).ln();
                    match kind {
                        Kind::ForwardKl => et * (t - p),
                        Kind::ReverseKl => ep * (p - t),
                        Kind::Jsd => 0.5 * (et * (t - m) + ep * (p - m)),
                        _ => -et * p,
                    }
                });
                0.6 * d.sum::<f64>() - 0.4 * p[at]
            };
            let want = value(&a);
            assert!((got.values[i] as f64 - want).abs() <= 1e-6 * want, "{kind:?} {i}: {} {want}", got.values[i]);
            for j in [at, at - 1, at + 1, 0, 16031, 16032, 32063, 32064, v - 1] {
                let (z, h) = (a[j], 1e-3);
                a[j] = z + h;
                let up = value(&a);
                a[j] = z - h;
                let slope = (up - value(&a)) / (2.0 * h);
                a[j] = z;
                let g = got.grads[0][i * v + j] as f64;
                assert!((g - slope).abs() <= 1e-5 * slope.abs() + 1e-10, "{kind:?}, row {i}, {j}: {g:e} {slope:e}");
                cases.ran();
            }
        }
    }
    cases.finish("shards of 16032 columns", 4 * 3 * 9);
}
/// What a term of the target over shards refuses, by name; nothing is written.
#[test]
fn shards_with_targets_refuse() {
    let (n, v) = (2, 30);
    let own = Options { hard_weight: 1.0, ..options(Kind::Jsd, f64::NAN) };
    let part = |options: Options| {
        let side = logprob::Problem::shard(n, 20, logprob::Options::default(), 10, v).unwrap();
        Problem::new(side, side, options).unwrap()
    };
    let whole = logprob::Problem::new(n, v, logprob::Options::default()).unwrap();
    let (c, z) = (Context::default(), vec![0.5f32; n * 20]);
    let rows = |target: &'static [i64]| Rows { target: Some(Matrix::vector(target).into()), ..Rows::default() };
    let (good, none) = (rows(&[3, 29]), Rows::default());
    for (options, rows, width, field, status) in [
        (own, none, 17, "rows.target", Status::InvalidArgument),
        (own, rows(&[3, 30]), 17, "rows.target", Status::OutOfRange),
        (own, rows(&[-1, 3]), 17, "rows.target", Status::OutOfRange),
        (own, good, 16, "out_records", Status::ShapeMismatch),
        (Options { hard_weight: 0.0, ..own }, good, 17, "out_records", Status::ShapeMismatch),
        (
            Options { teacher_target_shift: 1.0, ..own },
            good,
            17,
            "options.teacher_target_shift",
            Status::InvalidArgument,
        ),
    ] {
        let mut records = vec![7.5f32; n * width];
        let place = MatrixMut::contiguous(&mut records, n, width).unwrap();
        let inputs = Inputs { rows, ..Inputs::default() };
        let e = local(&c, &part(options), [matrix(&z, 20); 2], inputs, LocalPass::Records, place, None).unwrap_err();
        assert_eq!((e.field, e.status), (field, status), "{e}");
        assert!(records.iter().all(|x| *x == 7.5), "a refused call has written");
        let (mut values, problem, starts) =
            ([7.5f32; 2], Problem::new(whole, whole, options).unwrap(), [0i64, v as i64]);
        let x = Finish {
            records: Matrix::contiguous(&records, n, width).unwrap(),
            values: true,
            starts: Matrix::vector(&starts).into(),
            rows,
            row_weight: None,
        };
        let out = Figures { values: Some(MatrixMut::vector(&mut values)), ..Figures::default() };
        let e = finish(&c, &problem, x, out, Totals::default(), &mut []).unwrap_err();
        let field = if field == "out_records" { "records" } else { field };
        assert_eq!((e.field, e.status), (field, status), "{e}");
        assert_eq!(values, [7.5; 2], "a refused call has written");
    }
    // on ids the record is that of the columns outside, and it goes with the term
    let given = Partial::default();
    let ids = [3i64, 12];
    let ids: Ints<'_> = Matrix::contiguous(&ids, n, 1).unwrap().into();
    let without = Options { hard_weight: 0.0, ..own };
    let squared = Options { temperature_squared: true, ..own };
    for (options, rows, width, stats, field, status) in [
        (own, none, 12, 22, "rows.target", Status::InvalidArgument),
        (own, rows(&[3, 30]), 12, 22, "rows.target", Status::OutOfRange),
        (own, good, 17, 22, "out_records", Status::ShapeMismatch),
        (own, good, 0, 22, "out_records", Status::InvalidArgument),
        (without, good, 12, 16, "out_records", Status::InvalidArgument),
        (own, good, 12, 16, "stats", Status::ShapeMismatch),
        (without, good, 0, 22, "stats", Status::ShapeMismatch),
        (squared, good, 12, 22, "flags", Status::InvalidArgument),
    ] {
        let (mut a, mut b, mut records) = ([7.5f32; 2], [7.5f32; 2], vec![7.5f32; n * width]);
        let inputs = Inputs { rows, ..Inputs::default() };
        if field != "stats" {
            let out = [&mut a, &mut b].map(|x| MatrixMut::contiguous(x, n, 1).unwrap());
            let place = (width > 0).then(|| MatrixMut::contiguous(&mut records, n, width).unwrap());
            let e = partial_local(&c, &part(options), &given, ids, [matrix(&z, 20); 2], inputs, out, place, None);
            let e = e.unwrap_err();
            assert_eq!((e.field, e.status), (field, status), "{e}");
            assert!([&a[..], &b, &records].iter().all(|x| x.iter().all(|x| *x == 7.5)), "a refused call has written");
        }
        let (mut values, mut saved, mut g) = ([7.5f32; 2], vec![7.5f32; n * stats], vec![7.5f32; n * 20]);
        let (problem, starts) = (Problem::new(whole, whole, options).unwrap(), [0i64, v as i64]);
        let x = PartialShards {
            at_ids: [&a, &b].map(|x| Matrix::contiguous(x, n, 1).unwrap()),
            records: (width > 0).then(|| Matrix::contiguous(&records, n, width).unwrap()),
            starts: Matrix::vector(&starts).into(),
            ids,
            rows,
            row_weight: None,
        };
        let out = PartialFigures {
            values: Some(MatrixMut::vector(&mut values)),
            stats: Some(MatrixMut::contiguous(&mut saved, n, stats).unwrap()),
            ..PartialFigures::default()
        };
        let e = with_scratch(1 << 12, |w| partial_finish(&c, &problem, &given, x, out, Totals::default(), w));
        let (e, of_finish) = (
            e.unwrap_err(),
            match field {
                "out_records" => "records",
                "stats" => "outputs.out_stats",
                other => other,
            },
        );
        assert_eq!((e.field, e.status), (of_finish, status), "{e}");
        assert!(values == [7.5; 2] && saved.iter().all(|x| *x == 7.5), "a refused call has written");
        if field != "out_records" {
            let grads = [Grad::Separate(matrix(&z, 20), matrix_mut(&mut g, 20)), Grad::Absent(matrix(&z, 20))];
            let (stats, upstream) = (Matrix::contiguous(&saved, n, stats).unwrap(), Upstream::default());
            let e = partial_shard(&c, &part(options), &given, grads, ids, inputs, stats, upstream, None).unwrap_err();
            assert_eq!((e.field, e.status), (field, status), "{e}");
            assert!(g.iter().all(|x| *x == 7.5), "a refused call has written");
        }
    }
}

/// What a call on given ids gives: of whole rows, or of shards cut at `cuts`.
fn on_ids(c: &Context, case: &Case<'_>, logits: [&[f32]; 2], v: usize, ids: Ints<'_>, cuts: Option<&[i64]>) -> Out {
    let (n, k, settings) = (logits[0].len() / v, ids.layout().cols, Partial::default());
    let mut out = Out::new(n, [v; 2]);
    let mut loss = [0f64];
    let Some(cuts) = cuts else {
        let [gs, gt] = &mut out.grads;
        let student = Grad::Separate(matrix(logits[0], v), matrix_mut(gs, v));
        let teacher = PartialTeacher::Rows(Grad::Separate(matrix(logits[1], v), matrix_mut(gt, v)));
        let figures = PartialFigures {
            values: Some(MatrixMut::vector(&mut out.values)),
            status: Some(MatrixMut::vector(&mut out.status)),
            ..PartialFigures::default()
        };
        let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: Some(&mut out.counters) };
        with_scratch(forward_workspace(&case.problem, true).minimum, |w| {
            let Case { problem, inputs, upstream } = *case;
            let ids = Some(ids);
            partial(c, &problem, &settings, student, teacher, None, ids, inputs, figures, totals, upstream, w).unwrap();
        });
        out.loss = loss[0];
        return out;
    };
    let cut = Shards::new(case, logits, v, cuts);
    let (shards, all, options) = (cut.count(), cut.whole(), *case.problem.options());
    let (hard, width) = (options.hard_weight != 0.0, all.stats_on_ids());
    assert_eq!(width, if hard { 22 } else { 16 });
    let mut at_ids = [0, 1].map(|_| vec![7.5f32; shards * n * k]);
    let mut records = vec![7.5f32; shards * n * 12];
    for s in 0..shards {
        let (z, w) = (cut.pieces(s), cut.columns(s).len());
        let [a, b] = &mut at_ids;
        let to = [a, b].map(|m| MatrixMut::contiguous(&mut m[s * n * k..][..n * k], n, k).unwrap());
        let place = hard.then(|| MatrixMut::contiguous(&mut records[s * n * 12..][..n * 12], n, 12).unwrap());
        let z = [matrix(&z[0], w), matrix(&z[1], w)];
        partial_local(c, &cut.problem(s), &settings, ids, z, case.inputs, to, place, None).unwrap();
    }
    let parts = PartialShards {
        at_ids: at_ids.each_ref().map(|m| Matrix::contiguous(m, shards * n, k).unwrap()),
        records: hard.then(|| Matrix::contiguous(&records, shards * n, 12).unwrap()),
        starts: Matrix::vector(cuts).into(),
        ids,
        rows: case.inputs.rows,
        row_weight: case.inputs.row_weight,
    };
    let mut stats = vec![7.5f32; n * width];
    let figures = PartialFigures {
        values: Some(MatrixMut::vector(&mut out.values)),
        status: Some(MatrixMut::vector(&mut out.status)),
        stats: Some(MatrixMut::contiguous(&mut stats, n, width).unwrap()),
        ..PartialFigures::default()
    };
    let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: Some(&mut out.counters) };
    with_scratch(partial_finish_workspace(&all, k, true).minimum, |w| {
        partial_finish(c, &all, &settings, parts, figures, totals, w).unwrap();
    });
    out.loss = loss[0];
    let (stats, status) = (Matrix::contiguous(&stats, n, width).unwrap(), &out.status);
    let run = |p: &Problem, grads: [Grad<'_>; 2]| {
        let mut got = vec![9u32; n];
        let place = Some(MatrixMut::vector(&mut got));
        partial_shard(c, p, &settings, grads, ids, case.inputs, stats, case.upstream, place).unwrap();
        same("status of a shard", &got, status);
    };
    cut.gradients(run, &mut out.grads);
    out
}
/// Given ids over shards, each side renormalised on them: the bits of whole rows, for values, loss, status and both gradients;
/// one row with a NaN, one without ids, one that is not read.
#[test]
fn partial_shards() {
    let (mut cases, v, n, k) = (Cases::default(), 40usize, 4usize, 9usize);
    let cuts = [0i64, 13, 30, 40];
    let given: Vec<i32> =
        (0..n * k).map(|j| if j / k == 2 || j % k == 3 { -1 } else { (j % k * 4 + j / k) as i32 }).collect();
    let ids: Ints<'_> = Matrix::contiguous(&given, n, k).unwrap().into();
    let weight = [1.0f32, 0.5, 2.0, 0.0];
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        if kind == Kind::CosineProbs {
            continue; // refused
        }
        let mut r = Random(number as u64 + 3);
        let mut x: Vec<f32> = r.normals(n * v, 2.0);
        let y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.7) as f32).collect();
        x[v + 5] = f32::NAN;
        let side = |softcap: f64| {
            let transform = Transform { softcap, temperature: 1.5, ..Transform::default() };
            let options = logprob::Options { transform, ..logprob::Options::default() };
            logprob::Problem::new(n, v, options).unwrap()
        };
        let settle = Options { soft_weight: 0.5, ..options(kind, param) };
        let case = Case {
            problem: Problem::new(side(0.0), side(3.0), settle).unwrap(),
            inputs: Inputs { row_weight: Some(Matrix::vector(&weight)), ..Inputs::default() },
            upstream: Upstream { loss: Some(0.75), ..Upstream::default() },
        };
        for c in contexts() {
            let what = format!("{kind:?} {param} on ids over shards");
            let want = on_ids(&c, &case, [&x, &y], v, ids, None);
            let got = on_ids(&c, &case, [&x, &y], v, ids, Some(&cuts));
            assert_eq!(
                (want.status[1] & row::NAN_INPUT != 0, want.status[2], want.status[3]),
                (true, row::EMPTY, row::IGNORED)
            );
            assert!(want.values[0] > 0.0 && want.grads[0].iter().any(|g| *g != 0.0 && g.is_finite()), "{what}");
            compare_shards(&what, &got, &want, v, true);
            let at_ids = vec![0f32; 3 * n * k];
            let parts = PartialShards {
                at_ids: [Matrix::contiguous(&at_ids, 3 * n, k).unwrap(); 2],
                records: None,
                starts: Matrix::vector(&cuts).into(),
                ids,
                rows: Rows::default(),
                row_weight: None,
            };
            let mut overlap = vec![7.5f32; n];
            let out = PartialFigures { overlap: Some(MatrixMut::vector(&mut overlap)), ..PartialFigures::default() };
            let (whole, settings, none) = (&case.problem, Partial::default(), Totals::default());
            let e = partial_finish(&c, whole, &settings, parts, out, none, &mut []).unwrap_err();
            assert_eq!(e.field, "outputs.out_overlap");
            let tail = Partial { outside: Outside::Tail, ..settings };
            let (out, none) = (PartialFigures::default(), Totals::default());
            let e = partial_finish(&c, whole, &tail, parts, out, none, &mut []).unwrap_err();
            assert_eq!(e.field, "partial.outside");
            cases.ran();
        }
    }
    cases.finish("ids over shards", 23 * 2);
}
/// The same with a term of the target, which is that of the whole row: targets among the ids and outside, the largest column, a
/// nearly certain one, a dead one inside and one outside, in the padding; rows with a NaN or an infinity inside or outside the
/// ids, without ids, without a live column, masked, without weight; shards without an id of the row, or of padding alone.
#[test]
fn partial_shards_with_targets() {
    let (mut cases, v, n, k, valid) = (Cases::default(), 5000usize, 16usize, 6usize, 4500usize);
    for (number, (kind, param)) in PARAMS.into_iter().enumerate() {
        if kind == Kind::CosineProbs {
            continue; // refused
        }
        let mut r = Random(number as u64 + 31);
        let mut x: Vec<f32> = r.normals(n * v, 2.0);
        let mut y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.5) as f32).collect();
        // in every shard, in the first alone, in the last alone
        let mut ids: Vec<i32> = (0..n)
            .flat_map(|i| match i % 3 {
                0 => [7, 2050, -1, 3000 + i as i32, 4200, 4499],
                1 => [3, 1, 999, -1, -1, 500 + i as i32],
                _ => [4300, -1, 4400 + i as i32, 4350, 4101, 4600],
            })
            .collect();
        let mut target: Vec<i64> =
            (0..n).map(|i| if i % 2 == 0 { ids[i * k] as i64 } else { 2500 + i as i64 }).collect();
        let mut flags = vec![0; n];
        let mut at = |i: usize, j: usize, value: f32| {
            (x[i * v + j], y[i * v + j]) = (value, if value < INF { value } else { 0.0 });
        };
        at(2, target[2] as usize, 30.0);
        at(3, target[3] as usize, 30.0);
        for (i, j, value, flag) in [
            (4, target[4] as usize, DEAD, row::TARGET_NEG_INF),
            (5, target[5] as usize, DEAD, row::TARGET_NEG_INF),
            (6, 2050, f32::NAN, row::NAN_INPUT),
            (7, 4400, f32::NAN, row::NAN_INPUT),
            (8, 4350, INF, row::INF_INPUT),
            (9, 2222, INF, row::INF_INPUT),
        ] {
            at(i, j, value);
            flags[i] = flag;
        }
        (target[10], flags[10]) = (4800, row::TARGET_NEG_INF);
        ids[11 * k..12 * k].fill(-1);
        flags[11] = row::EMPTY;
        x[12 * v..13 * v].fill(DEAD);
        flags[12] = row::ALL_NEG_INF;
        flags[13] = row::IGNORED;
        flags[14] = row::IGNORED;
        // all of the student's mass is outside
        ids[15 * k..16 * k].iter().filter(|j| **j >= 0).for_each(|j| x[15 * v + *j as usize] = -90.0);
        let (mut mask, mut weight) = (vec![1u8; n], vec![1.0f32; n]);
        (mask[13], target[13], weight[14], weight[1], weight[2]) = (0, i64::MAX, 0.0, 0.5, 2.0);
        let (g, temperature) = (r.normals(n, 1.0), (0..n).map(|i| 0.5 + i as f32 / 8.0).collect::<Vec<_>>());
        let own = Options {
            hard_weight: [0.25, -0.5, 1.0][number % 3],
            hard_dft: number % 3 == 2,
            soft_weight: if number % 5 == 4 { 0.0 } else { 0.5 },
            reduction: Some(Reduction::WeightedMean),
            ..options(kind, param)
        };
        let side = |softcap| {
            let transform = Transform { softcap, ..Transform::default() };
            let own = logprob::Options { transform, n_valid_vocab: valid, ..logprob::Options::default() };
            logprob::Problem::new(n, v, own).unwrap()
        };
        let case = Case {
            problem: Problem::new(side(20.0), side(0.0), own).unwrap(),
            inputs: Inputs {
                rows: Rows {
                    target: Some(Matrix::vector(&target).into()),
                    mask: Some(Mask::U8(Matrix::vector(&mask))),
                    ..Rows::default()
                },
                student: TransformInputs { row_temperature: Some(Matrix::vector(&temperature)), ..Default::default() },
                row_weight: Some(Matrix::vector(&weight)),
                ..Inputs::default()
            },
            upstream: Upstream { values: Some(Matrix::vector(&g)), loss: Some(0.7), ..Upstream::default() },
        };
        let ids: Ints<'_> = Matrix::contiguous(&ids, n, k).unwrap().into();
        for c in contexts() {
            let want = on_ids(&c, &case, [&x, &y], v, ids, None);
            for (i, flag) in flags.iter().enumerate() {
                let known = row::TARGET_NEG_INF
                    | row::NAN_INPUT
                    | row::INF_INPUT
                    | row::EMPTY
                    | row::ALL_NEG_INF
                    | row::IGNORED;
                // without a factor of the term the target is not looked at
                let flag = if own.hard_dft { flag & !row::TARGET_NEG_INF } else { *flag };
                assert_eq!(want.status[i] & known, flag, "{kind:?} {param}: row {i}");
            }
            let fine = (0..n).all(|i| {
                flags[i] & (row::NAN_INPUT | row::INF_INPUT | row::ALL_NEG_INF) != 0 || !want.values[i].is_nan()
            });
            assert!(fine, "{kind:?} {param}: {:?}", want.values);
            for (cuts, bits) in [
                (&[0, 4096, 5000][..], true),
                (&[0, 2048, 4096, 5000], true),
                (&[0, 1000, 1001, 3300, 4500, 5000], false),
            ] {
                let got = on_ids(&c, &case, [&x, &y], v, ids, Some(cuts));
                let what = format!("{kind:?} {param} on ids, of targets, {cuts:?}");
                if bits {
                    compare_shards(&what, &got, &want, v, true);
                    cases.ran();
                    continue;
                }
                same(&what, &got.status, &want.status);
                for i in 0..n {
                    let (a, b) = (got.values[i], want.values[i]);
                    // the terms may cancel
                    assert!(
                        a.to_bits() == b.to_bits()
                            || a.is_nan() && b.is_nan()
                            || (a - b).abs() <= 2e-6 * b.abs().max(1.0),
                        "{what}: {a} {b}"
                    );
                    for side in 0..2 {
                        let [got, want] = [&got.grads, &want.grads].map(|g| &g[side][i * v..(i + 1) * v]);
                        let most = want.iter().fold(0f32, |m, g| m.max(g.abs()));
                        for (a, b) in got.iter().zip(want) {
                            assert!(a.is_nan() && b.is_nan() || (a - b).abs() <= 4e-6 * most, "{what}: {a} {b}");
                        }
                    }
                }
                cases.ran();
            }
        }
    }
    cases.finish("ids over shards, with targets", 23 * 3 * 2);
}
/// Given ids over shards of 16032 columns with a term of the target, against f64: values, and gradients against differences.
#[test]
fn partial_shards_of_16032() {
    let (mut cases, v, n, k) = (Cases::default(), 3 * 16032, 3, 5);
    let cuts = [0i64, 16032, 32064, 48096];
    let target = [16031i64, 16032, 40000];
    // the first target is among the ids
    let given = [16031i32, 3, 16032, 47000, -1, 5, 6, 7, 8, 9, 32064, 32063, -1, 11, 16031];
    let ids: Ints<'_> = Matrix::contiguous(&given, n, k).unwrap().into();
    for (number, kind) in [Kind::ForwardKl, Kind::ReverseKl, Kind::Jsd, Kind::CrossEntropy].into_iter().enumerate() {
        let mut r = Random(number as u64 + 15);
        let mut x: Vec<f32> = r.normals(n * v, 2.0);
        (0..n).for_each(|i| x[i * v + target[i] as usize] = 9.0);
        let y: Vec<f32> = x.iter().map(|x| x + (r.normal() * 0.7) as f32).collect();
        let own = Options { hard_weight: 0.4, soft_weight: 0.6, ..options(kind, f64::NAN) };
        let mut case = Case::new(n, [v; 2], own);
        case.inputs.rows.target = Some(Matrix::vector(&target).into());
        case.upstream.loss = Some(1.0);
        let c = context(Isa::detect(), 0);
        let got = on_ids(&c, &case, [&x, &y], v, ids, Some(&cuts));
        let want = on_ids(&c, &case, [&x, &y], v, ids, None);
        compare_shards(&format!("{kind:?} on ids of 16032"), &got, &want, v, false);
        for i in 0..n {
            let wide = |z: &[f32]| z[i * v..][..v].iter().map(|&z| z as f64).collect::<Vec<f64>>();
            let (mut a, b, at) = (wide(&x), wide(&y), target[i] as usize);
            let own: Vec<usize> = given[i * k..][..k].iter().filter(|j| **j >= 0).map(|&j| j as usize).collect();
            let lse = |z: &mut dyn Iterator<Item = f64>| {
                let z: Vec<f64> = z.collect();
                let m = z.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
                m + z.iter().map(|z| (z - m).exp()).sum::<f64>().ln()
            };
            let value = |a: &[f64]| {
                let [of_p, of_t] = [a, &b].map(|z| lse(&mut own.iter().map(|&j| z[j])));
                let d = own.iter().map(|&j| {
                    let (p, t) = (a[j] - of_p, b[j] - of_t);
                    let (ep, et) = (p.exp(), t.exp());
                    let m = (0.5 * (ep + et)).ln();
                    match kind {
                        Kind::ForwardKl => et * (t - p),
                        Kind::ReverseKl => ep * (p - t),
                        Kind::Jsd => 0.5 * (et * (t - m) + ep * (p - m)),
                        _ => -et * p,
                    }
                });
                0.6 * d.sum::<f64>() + 0.4 * (lse(&mut a.iter().copied()) - a[at])
            };
            let want = value(&a);
            assert!((got.values[i] as f64 - want).abs() <= 1e-6 * want, "{kind:?} {i}: {} {want}", got.values[i]);
            for j in own.iter().copied().chain([at, at - 1, at + 1, 0, 16031, 16032, 32063, 32064, v - 1]) {
                let (z, h) = (a[j], 1e-3);
                a[j] = z + h;
                let up = value(&a);
                a[j] = z - h;
                let slope = (up - value(&a)) / (2.0 * h);
                a[j] = z;
                let g = got.grads[0][i * v + j] as f64;
                // on the ids two probabilities may all but cancel
                let least = if own.contains(&j) { 2e-8 } else { 1e-10 };
                assert!((g - slope).abs() <= 1e-5 * slope.abs() + least, "{kind:?}, row {i}, {j}: {g:e} {slope:e}");
                cases.ran();
            }
        }
    }
    cases.finish("ids over shards of 16032 columns", 4 * (3 * 9 + 13));
}

/// The distance of sorted probabilities against its definition in f64, and its gradients against differences of it.
#[test]
fn sorted_probabilities() {
    let c = &Context::default();
    let mut cases = Cases::default();
    for (vs, vt, k) in [(7, 7, 0), (40, 33, 0), (33, 50, 5), (9, 4, 6), (1, 3, 0)] {
        let n = 3;
        let mut r = Random((vs * 100 + vt + k) as u64);
        let (x, y) = (r.normals(n * vs, 2.0), r.normals(n * vt, 1.5));
        let side = |v, temperature| {
            let transform = Transform { temperature, ..Transform::default() };
            logprob::Problem::new(n, v, logprob::Options { transform, ..logprob::Options::default() }).unwrap()
        };
        let problem = Problem::new(side(vs, 2.0), side(vt, 1.0), options(Kind::ForwardKl, f64::NAN)).unwrap();
        let weight = [1.0f32, 0.0, 0.5];
        let inputs = Inputs { row_weight: Some(Matrix::vector(&weight)), ..Inputs::default() };
        let (mut gs, mut gt) = (vec![7.5f32; n * vs], vec![7.5f32; n * vt]);
        let (mut values, mut status, mut loss) = ([7.5f32; 3], [9u32; 3], [7.5f64]);
        let grads = [
            Grad::Separate(matrix(&x, vs), matrix_mut(&mut gs, vs)),
            Grad::Separate(matrix(&y, vt), matrix_mut(&mut gt, vt)),
        ];
        let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: None };
        let upstream = Upstream { loss: Some(2.0), ..Upstream::default() };
        with_scratch(uld_workspace(c, &problem, false, true).minimum, |w| {
            let (v, s) = (MatrixMut::vector(&mut values), MatrixMut::vector(&mut status));
            let how = Uld { k, ..Uld::default() };
            uld(c, &problem, how, grads, None, inputs, Some(v), Some(s), totals, upstream, w).unwrap();
        });
        let sorted = |z: &[f64], t: f64| {
            let m = z.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            let mut p: Vec<f64> = z.iter().map(|z| ((z - m) / t).exp()).collect();
            let sum: f64 = p.iter().sum();
            p.iter_mut().for_each(|p| *p /= sum);
            p.sort_by(|a, b| b.total_cmp(a));
            p
        };
        let value = |x: &[f64], y: &[f64]| {
            let (p, q) = (sorted(x, 2.0), sorted(y, 1.0));
            let at = |p: &[f64], i: usize| p.get(i).copied().unwrap_or(0.0);
            let most = p.len().max(q.len());
            let ranked = if k == 0 { most } else { k.min(most) };
            let tail = |p: &[f64]| p.iter().skip(ranked).sum::<f64>();
            (0..ranked).map(|i| (at(&p, i) - at(&q, i)).abs()).sum::<f64>() + (tail(&p) - tail(&q)).abs()
        };
        let mut sum = 0.0;
        for i in 0..n {
            if i == 1 {
                assert_eq!((values[i], status[i]), (0.0, row::IGNORED));
                continue;
            }
            let wide = |z: &[f32], v: usize| z[i * v..][..v].iter().map(|&z| z as f64).collect::<Vec<f64>>();
            let (mut a, mut b, w) = (wide(&x, vs), wide(&y, vt), weight[i] as f64);
            let want = w * value(&a, &b);
            assert!((values[i] as f64 - want).abs() < 1e-6, "{vs} {vt} {k}: {} {want}", values[i]);
            sum += want;
            let h = 1e-6;
            for j in 0..vs {
                let z = a[j];
                a[j] = z + h;
                let up = value(&a, &b);
                a[j] = z - h;
                let slope = 2.0 * w * (up - value(&a, &b)) / (2.0 * h);
                a[j] = z;
                assert!((gs[i * vs + j] as f64 - slope).abs() < 1e-6, "student {j}: {} {slope}", gs[i * vs + j]);
            }
            for j in 0..vt {
                let z = b[j];
                b[j] = z + h;
                let up = value(&a, &b);
                b[j] = z - h;
                let slope = 2.0 * w * (up - value(&a, &b)) / (2.0 * h);
                b[j] = z;
                assert!((gt[i * vt + j] as f64 - slope).abs() < 1e-6, "teacher {j}: {} {slope}", gt[i * vt + j]);
            }
        }
        assert!((loss[0] - sum).abs() < 1e-6);
        cases.ran();
    }
    cases.finish("sorted probabilities", 5);
}

/// With k > 0 what is summed over the other columns is summed by column: the largest come first, the bits of the loss are those of
/// this order, below and above the length that is sorted by digits.
#[test]
fn the_rest_is_summed_by_column() {
    let mut cases = Cases::default();
    for (vs, vt, k) in [(200, 230, 1), (200, 170, 40), (3000, 2600, 1), (3000, 5000, 17), (3000, 2000, 2500)] {
        let mut r = Random((vs * 3 + vt + k) as u64);
        let (x, y) = (r.normals(vs, 2.0), r.normals(vt, 1.5));
        let probabilities = |z: &[f32]| {
            let mut order: Vec<usize> = (0..z.len()).collect();
            order.sort_by(|&a, &b| z[b].total_cmp(&z[a]));
            let top = z[order[0]] as f64;
            order[k.min(z.len())..].sort();
            let mut p: Vec<f64> = order.iter().map(|&j| Real::exp(z[j] as f64 - top)).collect();
            let sum = p.iter().fold(0.0, |sum, e| sum + e);
            p.iter_mut().for_each(|p| *p /= sum);
            p
        };
        let (p, q) = (probabilities(&x), probabilities(&y));
        let at = |p: &[f64], i: usize| p.get(i).copied().unwrap_or(0.0);
        let tail = |p: &[f64]| p.iter().skip(k).sum::<f64>();
        let ranked = (0..k).fold(0.0, |sum, i| sum + (at(&p, i) - at(&q, i)).abs());
        let want = ranked + (tail(&p) - tail(&q)).abs();
        let side = |v| logprob::Problem::new(1, v, logprob::Options::default()).unwrap();
        let problem = Problem::new(side(vs), side(vt), options(Kind::ForwardKl, f64::NAN)).unwrap();
        for c in contexts() {
            let mut loss = [7.5f64];
            let grads = [Grad::Absent(matrix(&x, vs)), Grad::Absent(matrix(&y, vt))];
            with_scratch(uld_workspace(&c, &problem, false, true).minimum, |w| {
                let totals = Totals { loss: Some(MatrixMut::vector(&mut loss).into()), counters: None };
                let (how, none) = (Uld { k, ..Uld::default() }, Upstream::default());
                uld(&c, &problem, how, grads, None, Inputs::default(), None, None, totals, none, w).unwrap();
            });
            assert_eq!(loss[0].to_bits(), want.to_bits(), "{vs} {vt} {k}: {} {want}", loss[0]);
            cases.ran();
        }
    }
    cases.finish("the rest by column", 5 * 2);
}

/// Rows of a distance of sorted probabilities and all that comes of them.
#[derive(Clone, Debug, PartialEq)]
struct Distances {
    values: Vec<f32>,
    status: Vec<u32>,
    scale: Vec<f32>,
    grads: [Vec<f32>; 2],
}
fn distances(how: Uld<'_>, rows: [&[f32]; 2], n: usize, upstream: Upstream<'_>) -> Distances {
    distances_on(&Context::default(), false, how, rows, n, upstream)
}
/// `fast`: with the preferred workspace.
fn distances_on(
    c: &Context,
    fast: bool,
    how: Uld<'_>,
    [x, y]: [&[f32]; 2],
    n: usize,
    upstream: Upstream<'_>,
) -> Distances {
    let widths = [x.len() / n, y.len() / n];
    let [s, t] = widths.map(|v| logprob::Problem::new(n, v, logprob::Options::default()).unwrap());
    let problem = Problem::new(s, t, options(Kind::ForwardKl, f64::NAN)).unwrap();
    let mut out = Distances {
        values: vec![7.5; n],
        status: vec![9; n],
        scale: vec![7.5; n],
        grads: widths.map(|v| vec![7.5; n * v]),
    };
    let [gs, gt] = &mut out.grads;
    let grads = [
        Grad::Separate(matrix(x, widths[0]), matrix_mut(gs, widths[0])),
        Grad::Separate(matrix(y, widths[1]), matrix_mut(gt, widths[1])),
    ];
    let slope = how.scale[0].is_some().then(|| MatrixMut::vector(&mut out.scale));
    let need = uld_workspace(c, &problem, how.matched.is_some(), false);
    with_scratch(if fast { need.preferred } else { need.minimum }, |w| {
        let (v, s) = (MatrixMut::vector(&mut out.values), MatrixMut::vector(&mut out.status));
        let (inputs, totals) = (Inputs::default(), Totals::default());
        uld(c, &problem, how, grads, slope, inputs, Some(v), Some(s), totals, upstream, w).unwrap();
    });
    out
}
/// Rows that are sorted by digits, equal values by column, with and without pairs: value and the student's gradient against
/// the definition in f64, and the same bits on any number of threads with any workspace.
#[test]
fn uld_of_many_columns() {
    let (n, v, w, m) = (5, 1500, 1100, 400);
    let mut r = Random(78);
    let (mut x, y) = (r.normals(n * v, 3.0), r.normals(n * w, 2.0));
    x.iter_mut().for_each(|z| *z = (*z * 8.0).round() / 8.0 + 0.0);
    x[9] = DEAD;
    let ids = [(7, v), (3, w)].map(|(by, v)| (0..m).map(|i| (i * by % v) as i32).collect::<Vec<_>>());
    let matched = Matched { ids: ids.each_ref().map(|x| Matrix::vector(x).into()), beta: 0.5, weights: [0.0, 1.0] };
    for matched in [None, Some(matched)] {
        let (how, up) = (Uld { matched, ..Uld::default() }, Upstream { loss: Some(1.0), ..Upstream::default() });
        let all = distances(how, [&x, &y], n, up);
        for threads in [2, 3, 8] {
            for fast in [false, true] {
                let other = distances_on(&context(Isa::detect(), threads), fast, how, [&x, &y], n, up);
                same("threads: values", &other.values, &all.values);
                same("threads: student", &other.grads[0], &all.grads[0]);
                same("threads: teacher", &other.grads[1], &all.grads[1]);
            }
        }
        for i in 0..n {
            // probabilities, and the columns that are sorted in their order
            let side = |z: &[f32], ids: &[i32]| {
                let sum: f64 = z.iter().map(|&z| (z as f64).exp()).sum();
                let p: Vec<f64> = z.iter().map(|&z| (z as f64).exp() / sum).collect();
                let mut order: Vec<usize> =
                    (0..z.len()).filter(|&j| matched.is_none() || !ids.contains(&(j as i32))).collect();
                order.sort_by(|&a, &b| z[b].total_cmp(&z[a]));
                (p, order)
            };
            let ((p, of_p), (q, of_q)) = (side(&x[i * v..][..v], &ids[0]), side(&y[i * w..][..w], &ids[1]));
            let at = |p: &[f64], order: &[usize], rank: usize| order.get(rank).map_or(0.0, |&j| p[j]);
            let apart: Vec<f64> =
                (0..of_p.len().max(of_q.len())).map(|k| at(&p, &of_p, k) - at(&q, &of_q, k)).collect();
            let value: f64 = apart.iter().map(|d| d.abs()).sum();
            assert!((all.values[i] as f64 - value).abs() < 1e-6, "row {i}: {} {value}", all.values[i]);
            let mut sign = vec![0.0; v];
            of_p.iter().zip(&apart).for_each(|(&j, d)| sign[j] = d.signum());
            let mean: f64 = p.iter().zip(&sign).map(|(p, s)| p * s).sum();
            for j in 0..v {
                let (got, want) = (all.grads[0][i * v + j] as f64, p[j] * (sign[j] - mean));
                assert!((got - want).abs() < 1e-6 * want.abs() + 1e-12, "row {i} column {j}: {got} {want}");
            }
        }
    }
}
/// `golden/uld.txt`: k, pairs, weights, scales, dead columns, ties.
#[test]
fn golden_uld() {
    let (mut cases, mut infinite, mut blurred) = (Cases::default(), 0, 0);
    for line in include_str!("golden/uld.txt").lines() {
        let parts: Vec<Vec<f64>> = line.split('|').map(numbers).collect();
        let [seed, v, w, bits, step, step_of_teacher, dead, k, m, beta, own, rest, a, b] = parts[0][..] else {
            panic!("{line}")
        };
        let (seed, v, w, m, dead) = (seed as u32, v as usize, w as usize, m as usize, dead as u32);
        let side = |seed: u32, v: usize, step: f64, dead: bool, every: u32| -> Vec<f32> {
            let at = |j| ((hash(seed, j) as i64 - 32768) >> bits as i64) as f64 * step;
            (0..v as u32).map(|j| if dead && hash(seed + 1, j) % every == 0 { DEAD } else { at(j) as f32 }).collect()
        };
        let x = side(seed, v, step, dead & 1 != 0, 5);
        let y = side(seed + 2, w, step * step_of_teacher, dead & 2 != 0, 7);
        let ids = [(3, 1, v), (5, 2, w)]
            .map(|(by, from, v)| (0..m).map(|i| ((i * by + from) % v) as i64).collect::<Vec<_>>());
        let matched = (m > 0).then(|| Matched {
            ids: ids.each_ref().map(|x| Matrix::vector(x).into()),
            beta,
            weights: [own, rest],
        });
        let (a, b) = ([a as f32], [b as f32]);
        let how = Uld { k: k as usize, matched, scale: [Some(Matrix::vector(&a)), Some(Matrix::vector(&b))] };
        let out = distances(how, [&x, &y], 1, Upstream { loss: Some(1.0), ..Upstream::default() });
        let want = parts[1][0];
        infinite += usize::from(want == f64::INFINITY);
        assert_eq!(out.status[0], if want == f64::INFINITY { row::INFINITE } else { 0 }, "{line}");
        // one rounding to f32 of what f64 gives
        let near =
            |got: f32, want: f64| got as f64 == want || (got as f64 - want).abs() <= 1.001 * U * want.abs() + 1e-13;
        assert!(near(out.values[0], want), "{line}: {}", out.values[0]);
        blurred += usize::from(parts[2][0].is_nan());
        assert!(parts[2][0].is_nan() || near(out.scale[0], parts[2][0]), "{line}: {} {}", out.scale[0], parts[2][0]);
        let top = |z: &[f32]| (0..z.len()).rev().max_by(|&i, &j| z[i].total_cmp(&z[j])).unwrap();
        for (side, z) in [&x, &y].into_iter().enumerate() {
            let columns = [top(z)].into_iter().chain((0..6).map(|i| hash(seed + 4, i) as usize % z.len()));
            for (i, j) in columns.enumerate() {
                let (got, want) = (out.grads[side][j], parts[3 + side][i]);
                assert!(near(got, want), "{line}: side {side} column {j}: {got} {want}");
            }
        }
        cases.ran();
    }
    assert!(infinite >= 20 && blurred <= 5, "{infinite} {blurred}");
    cases.finish("golden distances of sorted probabilities", 396);
}
/// What must hold to the bit: k beyond both vocabularies is none, rows that are permutations of each other are at distance 0, a
/// row does not depend on its neighbours, a gradient in place is that in a place of its own, types that hold the numbers agree.
#[test]
fn uld_edges() {
    let c = &Context::default();
    let mut r = Random(77);
    let (n, v, w) = (6, 23, 31);
    let (mut x, mut y) = (r.normals(n * v, 3.0), r.normals(n * w, 2.0));
    let coarse = |z: &mut f32| *z = (*z * 4.0).round() / 4.0;
    x.iter_mut().for_each(coarse);
    y.iter_mut().for_each(coarse);
    (x[3], x[v..2 * v][7]) = (DEAD, f32::NAN);
    y[2 * w..3 * w].fill(DEAD);
    let ids = [vec![22i32, 0, 5, 3], vec![1i32, 30, 2, 0]];
    let matched = |beta| Matched { ids: ids.each_ref().map(|x| Matrix::vector(x).into()), beta, weights: [1.0, 0.5] };
    let scale = [0.5f32, 1.0, 1.0, 0.25, 2.0, 1.0];
    let up = Upstream { loss: Some(0.75), ..Upstream::default() };
    for pairs in [None, Some(matched(0.5)), Some(matched(0.0))] {
        let how = Uld { matched: pairs, scale: [Some(Matrix::vector(&scale)), None], ..Uld::default() };
        let all = distances(how, [&x, &y], n, up);
        assert_eq!((all.status[1], all.status[2]), (row::NAN_INPUT, row::ALL_NEG_INF));
        for i in [1, 2] {
            assert!(all.values[i].is_nan() && all.scale[i].is_nan());
            assert!(all.grads[0][i * v..][..v].iter().chain(&all.grads[1][i * w..][..w]).all(|g| g.is_nan()));
        }
        let most = if pairs.is_none() { w } else { w - 4 };
        let beyond = distances(Uld { k: most, ..how }, [&x, &y], n, up);
        same("k beyond both: values", &beyond.values, &all.values);
        same("k beyond both: student", &beyond.grads[0], &all.grads[0]);
        same("k beyond both: teacher", &beyond.grads[1], &all.grads[1]);
        for k in 1..most {
            let fewer = distances(Uld { k, ..how }, [&x, &y], n, up);
            // with pairs the rest of the value is the same
            assert!(fewer.values[0] <= all.values[0] * 1.000_001, "a lower bound");
        }
        for i in 0..n {
            let own = [scale[i]];
            let how = Uld { scale: [Some(Matrix::vector(&own)), None], ..how };
            let one = distances(how, [&x[i * v..][..v], &y[i * w..][..w]], 1, up);
            same("a row alone: value", &one.values, &all.values[i..i + 1]);
            same("a row alone: scale", &one.scale, &all.scale[i..i + 1]);
            same("a row alone: student", &one.grads[0], &all.grads[0][i * v..][..v]);
            same("a row alone: teacher", &one.grads[1], &all.grads[1][i * w..][..w]);
        }
        // in place, of types that hold these numbers
        let [s, t] = [v, w].map(|v| logprob::Problem::new(n, v, logprob::Options::default()).unwrap());
        let problem = Problem::new(s, t, options(Kind::ForwardKl, f64::NAN)).unwrap();
        let mut same_place = y.clone();
        let halves: Vec<bf16> = x.iter().map(|&x| bf16::from_f32(x)).collect();
        assert!(halves.iter().zip(&x).all(|(h, x)| h.to_f32().to_bits() == x.to_bits() || x.is_nan()));
        let (mut values, mut gs) = (vec![7.5f32; n], vec![7.5f32; n * v]);
        let halves = Floats::Bf16(Matrix::contiguous(&halves, n, v).unwrap());
        let grads = [Grad::Separate(halves, matrix_mut(&mut gs, v)), Grad::InPlace(matrix_mut(&mut same_place, w))];
        with_scratch(uld_workspace(c, &problem, pairs.is_some(), false).minimum, |bytes| {
            let place = Some(MatrixMut::vector(&mut values));
            uld(c, &problem, how, grads, None, Inputs::default(), place, None, Totals::default(), up, bytes).unwrap();
        });
        same("in place: values", &values, &all.values);
        same("in place: student", &gs, &all.grads[0]);
        same("in place: teacher", &same_place, &all.grads[1]);
    }
    // the teacher's columns are the student's in another order
    let x = &x[3 * v..];
    let turned: Vec<f32> = (0..3).flat_map(|i| (0..v).map(move |j| x[i * v + (j * 5 + 3) % v])).collect();
    let partner = |j: usize| (0..v).find(|c| (c * 5 + 3) % v == j).unwrap() as i32;
    let ids = [vec![4i32, 9, 0, 17], [4, 9, 0, 17].map(partner).to_vec()];
    let pairs = Matched { ids: ids.each_ref().map(|x| Matrix::vector(x).into()), beta: 0.3, weights: [0.0; 2] };
    let third = [1.0f32 / 3.0; 3];
    for matched in [None, Some(pairs)] {
        for scale in [[None, None], [Some(Matrix::vector(&third)), Some(Matrix::vector(&third))]] {
            let out = distances(Uld { k: 0, matched, scale }, [x, &turned], 3, up);
            assert!(out.values.iter().chain(&out.grads[0]).chain(&out.grads[1]).all(|x| x.to_bits() == 0), "{out:?}");
        }
    }
    // by name, before anything is written
    let y = &y[3 * w..];
    let [s, t] = [v, w].map(|v| logprob::Problem::new(3, v, logprob::Options::default()).unwrap());
    let problem = Problem::new(s, t, options(Kind::ForwardKl, f64::NAN)).unwrap();
    let refused = |how: Uld<'_>, slope: bool| {
        let (mut values, mut slopes) = ([7.5f32; 3], [7.5f32; 3]);
        let grads = [Grad::Absent(matrix(x, v)), Grad::Absent(matrix(y, w))];
        let e = with_scratch(uld_workspace(c, &problem, true, false).minimum, |bytes| {
            let place = Some(MatrixMut::vector(&mut values));
            let slope = slope.then(|| MatrixMut::vector(&mut slopes));
            uld(c, &problem, how, grads, slope, Inputs::default(), place, None, Totals::default(), up, bytes)
                .unwrap_err()
        });
        assert_eq!((values, slopes), ([7.5; 3], [7.5; 3]));
        (e.status, e.field)
    };
    let list = |own: &'static [i32], other: &'static [i32], beta, weights| Uld {
        matched: Some(Matched { ids: [Matrix::vector(own).into(), Matrix::vector(other).into()], beta, weights }),
        ..Uld::default()
    };
    let none = [0.0; 2];
    let bad = [0.5f32, 0.0, 1.0];
    let scaled = |scale| Uld { scale, ..Uld::default() };
    use Status::{InvalidArgument, OutOfRange, ShapeMismatch};
    for (how, slope, want) in [
        (list(&[], &[], 0.5, none), false, (ShapeMismatch, "matched_student_ids")),
        (list(&[1, 2], &[1], 0.5, none), false, (ShapeMismatch, "matched_teacher_ids")),
        (list(&[1, 23], &[1, 2], 0.5, none), false, (OutOfRange, "matched_student_ids")),
        (list(&[1, 2], &[1, -1], 0.5, none), false, (OutOfRange, "matched_teacher_ids")),
        (list(&[1, 1], &[1, 2], 0.5, none), false, (InvalidArgument, "matched_student_ids")),
        (list(&[1, 2], &[30, 30], 0.5, none), false, (InvalidArgument, "matched_teacher_ids")),
        (list(&[1], &[1], 1.5, none), false, (InvalidArgument, "matched_beta")),
        (list(&[1], &[1], f64::NAN, none), false, (InvalidArgument, "matched_beta")),
        (list(&[1], &[1], 0.5, [-1.0, 1.0]), false, (InvalidArgument, "matched_weight")),
        (list(&[1], &[1], 0.5, [1.0, f64::INFINITY]), false, (InvalidArgument, "unmatched_weight")),
        (scaled([Some(Matrix::vector(&bad)), None]), false, (InvalidArgument, "student_scale")),
        (scaled([None, Some(Matrix::vector(&bad[1..]))]), false, (ShapeMismatch, "teacher_scale")),
        (Uld::default(), true, (InvalidArgument, "grad_student_scale_out")),
    ] {
        assert_eq!(refused(how, slope), want);
    }
}
