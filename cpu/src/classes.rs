//! Losses over rows of few logits, in row order on the calling thread. See [`truing_core::classes`].
use crate::batch::{live, part, put_in, report};
use crate::parallel::Context;
use crate::sequence::check_space;
use truing_core::Result;
use truing_core::classes::{Classes, ClassesOut, Direction, Orchestrator, OrchestratorOut, PrmMse, PrmMseOut, Rule};
use truing_core::dtype::Float;
use truing_core::error::row;
use truing_core::matrix::{Arena, Floats, Matrix, Workspace};
use truing_core::real::Real;

/// p, log p and status of the `x.len()` logits in `x`, which become log p.
fn softmax(x: &mut [f64], p: &mut [f64]) -> u32 {
    let mut top = f64::NEG_INFINITY;
    let mut status = 0;
    for &z in x.iter() {
        status |= if z.is_nan() { row::NAN_INPUT } else { 0 } | if z == f64::INFINITY { row::INF_INPUT } else { 0 };
        top = if z > top { z } else { top };
    }
    if status == 0 && top == f64::NEG_INFINITY && !x.is_empty() {
        status = row::ALL_NEG_INF;
    }
    if status != 0 {
        x.fill(f64::NAN);
        p.fill(f64::NAN);
        return status;
    }
    // the maximum's own 1 stays outside, so that a near-certain class keeps its digits
    let (mut rest, mut own) = (0.0, false);
    for &z in x.iter() {
        if z == top && !own {
            own = true;
        } else {
            rest += Real::exp(z - top);
        }
    }
    let log = Real::log1p(rest);
    for (x, p) in x.iter_mut().zip(p) {
        *x = (*x - top) - log;
        *p = Real::exp(*x);
    }
    0
}
/// Scratch memory of [`classes`]: 24 bytes a class.
pub fn classes_workspace(x: &Classes<'_>) -> Workspace {
    if x.rule == Rule::PduFlatten {
        return Workspace { minimum: 0, preferred: 0 };
    }
    let one = Arena::need::<f64>(x.classes());
    let bytes = Arena::sum([one, one, one]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// Losses, targets and gradients of the rows. Only [`Rule::PduFlatten`], whose rows may be long, runs over threads.
pub fn classes(context: &Context, x: &Classes<'_>, mut out: ClassesOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, classes_workspace(x))?;
    let (n, k) = (x.logits.rows(), x.classes());
    let live = (0..n).filter(|&i| x.live(i)).count();
    let divisor = x.total.divisor(live);
    if x.rule == Rule::PduFlatten {
        return flatten_all(context, x, out, live, divisor);
    }
    let mut arena = Arena::new(scratch);
    let (log, p, t) = (arena.take::<f64>(k)?, arena.take::<f64>(k)?, arena.take::<f64>(k)?);
    let mut sum = 0.0;
    for i in 0..n {
        if let Some(m) = &mut out.grad_logits {
            (0..x.logits.cols()).for_each(|j| m.put(i, j, 0.0));
        }
        if !x.live(i) {
            report(&mut out.losses, i, 0.0);
            if let Some(m) = &mut out.targets {
                (0..k).for_each(|j| m.put(i, j, 0.0));
            }
            put_in(&mut out.status, i, row::IGNORED);
            continue;
        }
        for j in 0..k {
            log[j] = x.logits.at(i, x.column(j));
            t[j] = match (&x.targets, &x.ids) {
                (Some(m), _) => m.at(i, j),
                (_, Some(ids)) => (ids.get(i) == j as i64) as u8 as f64,
                _ => 0.0,
            };
        }
        let mut bits = softmax(log, p);
        let value = evaluate(x, log, p, t, bits != 0);
        if bits == 0 && value.is_nan() {
            bits = row::DEGENERATE;
        } else if value == f64::INFINITY {
            bits |= row::INFINITE;
        }
        sum += value;
        bits |= report(&mut out.losses, i, value);
        if let Some(m) = &mut out.targets {
            (0..k).for_each(|j| m.put(i, j, t[j]));
        }
        if let Some(m) = &mut out.grad_logits {
            let scale = x.total.upstream(i) / divisor;
            for j in 0..k {
                m.put(i, x.column(j), if scale == 0.0 { 0.0 } else { scale * p[j] });
            }
        }
        put_in(&mut out.status, i, bits);
    }
    report(&mut out.loss, 0, if live == 0 { 0.0 } else { sum / divisor });
    Ok(())
}
/// The value of a row. `t` becomes the target that is used, `p` the gradient of the logits.
fn evaluate(x: &Classes<'_>, log: &mut [f64], p: &mut [f64], t: &mut [f64], broken: bool) -> f64 {
    if broken {
        t.fill(f64::NAN);
        return f64::NAN;
    }
    let k = p.len();
    let mut value = 0.0;
    match x.rule {
        Rule::PrmCe | Rule::ConfidenceCe { .. } | Rule::ProductTarget { .. } => {
            if let Rule::ConfidenceCe { confidence } = x.rule {
                let threshold = x.threshold.map_or(0.0, |m| m.get(0));
                let hard = if p[0] >= threshold { 0 } else { 1 };
                for (j, t) in t.iter_mut().enumerate() {
                    *t = part(1.0 - confidence, *t) + if j == hard { confidence } else { 0.0 };
                }
            }
            if let Rule::ProductTarget { own, label } = x.rule {
                // in the place of the gradient, which is formed last
                t.iter_mut().zip(&*log).for_each(|(t, log)| *t = part(own, *log) + part(label, Real::log(*t)));
                let bits = softmax(t, p);
                t.copy_from_slice(p);
                p.iter_mut().zip(&*log).for_each(|(p, log)| *p = Real::exp(*log));
                if bits != 0 {
                    p.fill(f64::NAN);
                    return f64::NAN;
                }
            }
            let mut total = 0.0;
            for (t, log) in t.iter().zip(&*log) {
                (value, total) = (value - part(*t, *log), total + t);
            }
            p.iter_mut().zip(&*t).for_each(|(p, t)| *p = *p * total - t);
        }
        Rule::Brier { sum } => {
            let n = if sum { 1.0 } else { k as f64 };
            let mut dot = 0.0;
            for j in 0..k {
                let c = p[j] - t[j];
                (value, dot) = (value + c * c / n, dot + 2.0 * c / n * p[j]);
            }
            for j in 0..k {
                p[j] *= 2.0 * (p[j] - t[j]) / n - dot;
            }
        }
        Rule::Rps { sum } => {
            let n = if sum { 1.0 } else { (k.max(2) - 1) as f64 };
            // c in the place of log p, then the sums from behind
            let mut c = 0.0;
            for j in 0..k {
                c += p[j] - t[j];
                log[j] = if j + 1 < k { c } else { 0.0 };
                value += log[j] * log[j] / n;
            }
            let (mut behind, mut dot) = (0.0, 0.0);
            for j in (0..k).rev() {
                behind += 2.0 * log[j] / n;
                (log[j], dot) = (behind, dot + behind * p[j]);
            }
            p.iter_mut().zip(&*log).for_each(|(p, g)| *p *= g - dot);
        }
        Rule::PduFlatten => {}
    }
    value
}

/// Value, first column of the maximum, how many columns live, and what is wrong.
fn flatten<T: Float>(logits: &Matrix<'_, T>, i: usize, column: impl Fn(usize) -> usize, k: usize) -> Flat {
    const CHAINS: usize = 8;
    let z = logits.row(i);
    let (mut top, mut at, mut live, mut status) = (f64::NEG_INFINITY, 0, 0, 0);
    for j in 0..k {
        let x = z[column(j)].to_f64();
        status |= if x.is_nan() { row::NAN_INPUT } else { 0 } | if x == f64::INFINITY { row::INF_INPUT } else { 0 };
        if x > top {
            (top, at) = (x, j);
        }
        live += (x > f64::NEG_INFINITY) as usize;
    }
    if status == 0 && live == 0 {
        status = row::ALL_NEG_INF;
    }
    let mut sums = [0.0; CHAINS];
    for j in 0..k {
        let x = z[column(j)].to_f64();
        sums[j % CHAINS] += if x == f64::NEG_INFINITY { 0.0 } else { top - x };
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let gap = (((a + e) + (c + g)) + ((b + f) + (d + h))) / live as f64;
    Flat { gap: if status == 0 { gap } else { f64::NAN }, at, live, status }
}
#[derive(Clone, Copy)]
struct Flat {
    gap: f64,
    at: usize,
    live: usize,
    status: u32,
}
fn flatten_all(context: &Context, x: &Classes<'_>, out: ClassesOut<'_>, live: usize, divisor: f64) -> Result<()> {
    let (n, k) = (x.logits.rows(), x.classes());
    let of = |i: usize| match &x.logits {
        Floats::F32(m) => flatten(m, i, |j| x.column(j), k),
        Floats::Bf16(m) => flatten(m, i, |j| x.column(j), k),
        Floats::F16(m) => flatten(m, i, |j| x.column(j), k),
        Floats::F64(m) => flatten(m, i, |j| x.column(j), k),
    };
    let ClassesOut { mut loss, losses, grad_logits, status, .. } = out;
    if let Some(m) = &mut loss {
        let mut sum = 0.0;
        for i in (0..n).filter(|&i| x.live(i)) {
            let gap = of(i).gap;
            sum += gap * gap;
        }
        m.set(0, if live == 0 { 0.0 } else { sum / divisor });
    }
    context.rows(n, 1, (losses, (grad_logits, status)), |first, rows, (mut losses, (mut grad, mut status))| {
        for r in 0..rows {
            let i = first + r;
            if let Some(m) = &mut grad {
                (0..x.logits.cols()).for_each(|j| m.put(r, j, 0.0));
            }
            let row = if x.live(i) { of(i) } else { Flat { gap: 0.0, at: 0, live: 1, status: row::IGNORED } };
            let mut bits = row.status | report(&mut losses, r, row.gap * row.gap);
            if row.gap.is_finite() && (row.gap * row.gap).is_infinite() {
                bits |= row::OVERFLOW;
            }
            let scale = 2.0 * row.gap * x.total.upstream(i) / divisor;
            if let (Some(m), true) = (&mut grad, scale != 0.0) {
                for j in 0..k {
                    // a row without a distribution is NaN in every class
                    let dead = row.gap.is_finite() && x.logits.at(i, x.column(j)) == f64::NEG_INFINITY;
                    let own = if j == row.at { 1.0 } else { 0.0 } - 1.0 / row.live as f64;
                    m.put(r, x.column(j), if dead { 0.0 } else { scale * own });
                }
            }
            put_in(&mut status, r, bits);
        }
    });
    Ok(())
}

/// Losses and gradients of samples of steps. No workspace.
pub fn prm_mse(x: &PrmMse<'_>, mut out: PrmMseOut<'_>) -> Result<()> {
    x.check(&out)?;
    let live = |i: usize| live(&x.mask, i);
    let steps = |b: usize| x.segments.range(b).filter(|&i| live(i)).count();
    let samples = (0..x.segments.sequences()).filter(|&b| steps(b) > 0).count();
    let divisor = x.total.divisor(samples);
    let mut total = 0.0;
    for b in 0..x.segments.sequences() {
        let n = steps(b) as f64;
        let (mut sum, mut nan) = (0.0, false);
        for i in x.segments.range(b) {
            let (p, v) = if live(i) { (x.predictions.get(i), x.targets.get(i)) } else { (0.0, 0.0) };
            let d = p - v;
            nan |= d.is_nan();
            sum += d * d;
            let scale = x.total.upstream(b) / divisor;
            report(&mut out.grad_predictions, i, if d == 0.0 || scale == 0.0 { 0.0 } else { 2.0 * d / n * scale });
        }
        let mean = if n > 0.0 { sum / n } else { 0.0 };
        total += mean;
        let mut bits = match n {
            0.0 => row::EMPTY,
            _ if nan => row::NAN_INPUT,
            _ if mean.is_infinite() => row::OVERFLOW,
            _ => 0,
        };
        bits |= report(&mut out.losses, b, mean);
        put_in(&mut out.status, b, bits);
    }
    report(&mut out.loss, 0, if samples == 0 { 0.0 } else { total / divisor });
    Ok(())
}

/// Scratch memory of [`orchestrator`]: 32 bytes an objective.
pub fn orchestrator_workspace(x: &Orchestrator<'_>) -> Workspace {
    let one = Arena::need::<f64>(x.shape().map_or(0, |[_, k]| k));
    let bytes = Arena::sum([one, one, one, one]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// One term of a divergence, p against q, d = log p - log q: never negative, 0 at equality.
fn term(p: f64, d: f64, q: f64) -> f64 {
    match d {
        _ if p == 0.0 => q,
        d if d < -1.0 => p * (d - 1.0) + q,
        d if d == f64::INFINITY => d,
        d => p * Real::h(d),
    }
}
/// Targets, weights, KL, combination and their gradients.
pub fn orchestrator(x: &Orchestrator<'_>, mut out: OrchestratorOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, orchestrator_workspace(x))?;
    let [b, k] = x.shape().unwrap_or_default();
    let mut arena = Arena::new(scratch);
    let (lt, t) = (arena.take::<f64>(k)?, arena.take::<f64>(k)?);
    let (lw, w) = (arena.take::<f64>(k)?, arena.take::<f64>(k)?);
    for i in 0..b {
        let mut bits = 0;
        if let Some(m) = x.rewards.or(x.log_target) {
            (0..k).for_each(|j| lt[j] = m.at(i, j));
            if x.rewards.is_some() {
                lt.iter_mut().for_each(|r| *r /= x.temperature);
                bits |= softmax(lt, t);
            } else {
                t.iter_mut().zip(&*lt).for_each(|(t, l)| *t = Real::exp(*l));
                bits |= if t.iter().any(|t| t.is_nan()) { row::NAN_INPUT } else { 0 };
            }
            if let Some(m) = &mut out.log_target {
                (0..k).for_each(|j| m.put(i, j, lt[j]));
            }
        }
        if let Some(m) = &x.scores {
            (0..k).for_each(|j| lw[j] = m.at(i, j));
            bits |= softmax(lw, w);
            if let Some(m) = &mut out.weights {
                (0..k).for_each(|j| m.put(i, j, w[j]));
            }
        }
        if out.kl.is_some() || out.grad_kl.is_some() {
            let forward = x.direction == Direction::TargetToWeights;
            let (p, lp, q, lq) = if forward { (&*t, &*lt, &*w, &*lw) } else { (&*w, &*lw, &*t, &*lt) };
            let mut kl = 0.0;
            for j in 0..k {
                kl += if p[j] == 0.0 { q[j] } else { term(p[j], lp[j] - lq[j], q[j]) };
            }
            bits |= if kl == f64::INFINITY { row::INFINITE } else { 0 } | report(&mut out.kl, i, kl);
            if let Some(m) = &mut out.grad_kl {
                for j in 0..k {
                    let g = match forward {
                        true => w[j] - t[j],
                        false if w[j] == 0.0 => 0.0,
                        false => w[j] * ((lw[j] - lt[j]) - kl),
                    };
                    m.put(i, j, g);
                }
            }
        }
        if let (Some(q), true) = (&x.values, x.scores.is_some()) {
            let mut sum = 0.0;
            (0..k).for_each(|j| sum += part(w[j], q.at(i, j)));
            bits |= if sum.is_nan() && bits == 0 { row::NAN_INPUT } else { 0 } | report(&mut out.combined, i, sum);
            if let Some(m) = &mut out.grad_combined {
                (0..k).for_each(|j| m.put(i, j, part(w[j], q.at(i, j) - sum)));
            }
        }
        put_in(&mut out.status, i, bits);
    }
    Ok(())
}
