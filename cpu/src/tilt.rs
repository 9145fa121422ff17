//! Tilted distributions, Renyi divergences of arrays, the best of n: rows over threads, one row at a time in f64. See
//! [`truing_core::tilt`].
use crate::batch::{put, put_in, report};
use crate::parallel::Context;
use crate::sequence::check_space;
use truing_core::Result;
use truing_core::error::row;
use truing_core::matrix::{Arena, FloatsMut, Workspace};
use truing_core::real::Real;
use truing_core::tilt::{
    BestOfN, BestOfNEstimate, BestOfNEstimateOut, BestOfNOut, Numbers, Renyi, RenyiOut, RenyiRow, Tilt, TiltOut,
    Tilted, flaws, log_sum_exp, solve,
};

/// Outcomes that are worth a task.
const GRAIN: usize = 1 << 12;
fn grain(v: usize) -> usize {
    (GRAIN / v.max(1)).max(1)
}
/// Writes a row; the status of numbers that the place cannot hold.
fn fill(place: &mut Option<FloatsMut<'_>>, i: usize, n: usize, x: impl Fn(usize) -> f64) {
    if let Some(m) = place {
        for j in 0..n {
            m.put(i, j, x(j));
        }
    }
}

/// Tilts the rows, and with upstream gradients those of log Z and KL. A row with a NaN, a `+inf`, without an outcome that has
/// a share, or with a reward of `-inf` and a negative alpha gives NaN. No workspace.
pub fn tilt(context: &Context, x: &Tilt<'_>, out: TiltOut<'_>) -> Result<()> {
    x.check(&out)?;
    let v = x.logps.cols();
    context.rows(x.logps.rows(), grain(v), out, |first, rows, mut out| {
        for i in 0..rows {
            let at = first + i;
            let (l, r) = (|j: usize| x.logps.at(at, j), |j: usize| x.rewards.at(at, j));
            let status = tilt_row(x, &mut out, (at, i, v), &l, &r);
            put_in(&mut out.status, i, status);
        }
    });
    Ok(())
}
fn tilt_row(
    x: &Tilt<'_>,
    out: &mut TiltOut<'_>,
    (at, i, v): (usize, usize, usize),
    l: Numbers<'_>,
    r: Numbers<'_>,
) -> u32 {
    let dead = f64::NEG_INFINITY;
    let mut status = flaws(v, l);
    let live = |j: usize| l(j) > dead;
    for j in (0..v).filter(|&j| live(j)) {
        status |=
            if r(j).is_nan() { row::NAN_INPUT } else { 0 } | if r(j) == f64::INFINITY { row::INF_INPUT } else { 0 };
    }
    let given = x.alpha.get(at);
    let negative = !x.solve && given < 0.0;
    if status == 0 && negative && (0..v).any(|j| live(j) && r(j) == dead) {
        status = row::INF_INPUT;
    }
    if status == 0 && (x.solve || given > 0.0) && !(0..v).any(|j| live(j) && r(j) > dead) {
        status = row::ALL_NEG_INF;
    }
    if status != 0 {
        let nan = f64::NAN;
        for place in [&mut out.log_tilted, &mut out.grad_logps, &mut out.grad_rewards] {
            fill(place, i, v, |_| nan);
        }
        let numbers =
            [&mut out.log_z, &mut out.mean, &mut out.variance, &mut out.kl, &mut out.alpha, &mut out.grad_alpha];
        for place in numbers {
            put(place, i, nan);
        }
        return status;
    }
    let alpha = if x.solve { solve(v, l, r, given) } else { given };
    status |= report(&mut out.alpha, i, alpha);
    if alpha == f64::INFINITY {
        // phi is p on the outcomes with the largest reward
        let most = (0..v).filter(|&j| live(j)).map(r).fold(dead, f64::max);
        let on = |j: usize| live(j) && r(j) == most;
        let top = log_sum_exp(v, &|j| if on(j) { l(j) } else { dead });
        fill(&mut out.log_tilted, i, v, |j| if on(j) { l(j) - top } else { dead });
        put(&mut out.log_z, i, if most == 0.0 { top - log_sum_exp(v, l) } else { most * f64::INFINITY });
        put(&mut out.mean, i, most);
        put(&mut out.variance, i, 0.0);
        put(&mut out.kl, i, log_sum_exp(v, l) - top);
        return (status & !row::OVERFLOW) | row::DEGENERATE;
    }
    let t = Tilted::new(v, l, r, alpha);
    let log_phi = |j: usize| t.log_phi(l(j), r(j), alpha);
    fill(&mut out.log_tilted, i, v, log_phi);
    for (place, x) in
        [(&mut out.log_z, t.log_z), (&mut out.mean, t.mean), (&mut out.variance, t.variance), (&mut out.kl, t.kl)]
    {
        status |= report(place, i, x);
    }
    let g = |m: &Option<truing_core::matrix::Floats<'_>>| m.as_ref().map_or(0.0, |m| m.get(at));
    let (gz, gk) = (g(&x.grad_log_z), g(&x.grad_kl));
    let phi = |j: usize| Real::exp(log_phi(j));
    let off = |j: usize| t.above_mean(r(j));
    status |= report(&mut out.grad_alpha, i, gz * t.mean + gk * alpha * t.variance);
    fill(&mut out.grad_rewards, i, v, |j| phi(j) * (gz * alpha + gk * alpha * alpha * off(j)));
    fill(&mut out.grad_logps, i, v, |j| {
        let p = Real::exp(l(j) - t.lse);
        // phi - p without cancellation where the outcome has a share
        let apart = if log_phi(j) > dead {
            let e = log_phi(j) - (l(j) - t.lse);
            truing_core::divergence::formula::difference(phi(j), p, e)
        } else {
            -p
        };
        gz * apart + gk * (alpha * phi(j) * off(j) - apart)
    });
    status
}

/// Values and gradients of the rows. A row with a NaN, a `+inf` or without an outcome on either side gives NaN; where the value
/// is infinite the gradients are 0. No workspace.
pub fn renyi(context: &Context, x: &Renyi<'_>, out: RenyiOut<'_>) -> Result<()> {
    x.check(&out)?;
    let v = x.first.cols();
    context.rows(x.first.rows(), grain(v), out, |first, rows, mut out| {
        for i in 0..rows {
            let at = first + i;
            let (a, b) = (|j: usize| x.first.at(at, j), |j: usize| x.second.at(at, j));
            let mut status = flaws(v, &a) | flaws(v, &b);
            if status != 0 {
                put(&mut out.values, i, f64::NAN);
                fill(&mut out.grad_first, i, v, |_| f64::NAN);
                fill(&mut out.grad_second, i, v, |_| f64::NAN);
                put_in(&mut out.status, i, status);
                continue;
            }
            let row = RenyiRow::new(x.pairing, x.order, v, &a, &b);
            status |= if row.value.is_infinite() { row::INFINITE } else { 0 };
            put(&mut out.values, i, row.value);
            if row.value.is_infinite() {
                fill(&mut out.grad_first, i, v, |_| 0.0);
                fill(&mut out.grad_second, i, v, |_| 0.0);
            } else if let Some(g) = &x.grad_values {
                let (g, hit) = (g.get(at), row.hit());
                let one = |j: usize| row.gradient(x.pairing, x.order, j, a(j), b(j), hit);
                fill(&mut out.grad_first, i, v, |j| g * one(j)[0]);
                fill(&mut out.grad_second, i, v, |j| g * one(j)[1]);
            }
            put_in(&mut out.status, i, status);
        }
    });
    Ok(())
}

/// Bytes of workspace of [`best_of_n`]: 4 an outcome.
pub fn best_of_n_workspace(x: &BestOfN<'_>) -> Workspace {
    let bytes = Arena::need::<u32>(x.logps.cols());
    Workspace { minimum: bytes, preferred: bytes }
}
/// The figures of the rows, in row order on the calling thread. A row with a NaN or a `+inf` log-probability or without an
/// outcome gives NaN.
pub fn best_of_n(x: &BestOfN<'_>, mut out: BestOfNOut<'_>, workspace: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(workspace, best_of_n_workspace(x))?;
    let v = x.logps.cols();
    let order = Arena::new(workspace).take::<u32>(v)?;
    for i in 0..x.logps.rows() {
        let (l, r) = (|j: usize| x.logps.at(i, j), |j: usize| x.rewards.at(i, j));
        let mut status = flaws(v, &l);
        status |= if (0..v).any(|j| l(j) > f64::NEG_INFINITY && r(j).is_nan()) { row::NAN_INPUT } else { 0 };
        if status != 0 {
            fill(&mut out.log_pmf, i, v, |_| f64::NAN);
            put(&mut out.kl, i, f64::NAN);
            put(&mut out.win_rate, i, f64::NAN);
            put_in(&mut out.status, i, status);
            continue;
        }
        for (j, place) in order.iter_mut().enumerate() {
            *place = j as u32;
        }
        // -0 and +0 are one reward
        let key = |j: u32| if x.worst { 0.0 - r(j as usize) } else { r(j as usize) + 0.0 };
        order.sort_unstable_by(|&a, &b| key(a).total_cmp(&key(b)).then(a.cmp(&b)));
        let pmf = &mut out.log_pmf;
        let [kl, wins] = x.row(order, &l, &r, |j, p| {
            if let Some(m) = pmf {
                m.put(i, j, p);
            }
        });
        put(&mut out.kl, i, kl);
        put(&mut out.win_rate, i, wins);
        put_in(&mut out.status, i, status);
    }
    Ok(())
}

/// Estimates of the KL of the best of n from the chosen draws; no workspace.
pub fn best_of_n_estimate(context: &Context, x: &BestOfNEstimate<'_>, out: BestOfNEstimateOut<'_>) -> Result<()> {
    x.check(&out)?;
    context.rows(x.logps.rows(), GRAIN, out, |first, rows, mut out| {
        for i in 0..rows {
            let (kl, status) = x.row(x.logps.get(first + i));
            put(&mut out.kl, i, kl);
            put_in(&mut out.status, i, status);
        }
    });
    Ok(())
}
