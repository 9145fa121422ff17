//! Numbers of a whole batch, in row order on the calling thread. See [`truing_core::batch`].
use crate::sequence::{check_space, overflow};
use core::cmp::Ordering;
use truing_core::Result;
use truing_core::batch::{
    AotSort, AotSortOut, BcoShift, BcoShiftOut, BetaDpoStats, BetaDpoStatsOut, KtoBaseline, KtoBaselineOut, Shift,
    WpoWeight, WpoWeightOut,
};
use truing_core::dtype::Element;
use truing_core::error::row;
use truing_core::matrix::{Arena, FloatsMut, MatrixMut, Workspace};
use truing_core::real::Real;

pub(crate) fn put(place: &mut Option<FloatsMut<'_>>, i: usize, x: f64) {
    if let Some(m) = place {
        m.set(i, x);
    }
}
pub(crate) fn put_in<T: Element>(place: &mut Option<MatrixMut<'_, T>>, i: usize, x: T) {
    if let Some(m) = place {
        m.set(i, x);
    }
}

/// Sum, counts and baseline. No workspace.
pub fn kto_baseline(x: &KtoBaseline<'_>, mut out: KtoBaselineOut<'_>) -> Result<()> {
    x.check(&out)?;
    let (mut sum, mut count, mut nonzero) = (0.0, 0, 0);
    for i in 0..x.scores.rows() {
        if x.mask.is_none_or(|m| m.live(i)) {
            let d = x.scores.get(i) - x.ref_scores.as_ref().map_or(0.0, |r| r.get(i));
            (sum, count, nonzero) = (sum + d, count + 1, nonzero + (d != 0.0) as i64);
        }
    }
    let rows = if x.nonzero_only { nonzero } else { count };
    let mean = if rows == 0 { 0.0 } else { sum / rows as f64 };
    put(&mut out.sum, 0, sum);
    put_in(&mut out.count, 0, count);
    put_in(&mut out.nonzero, 0, nonzero);
    put(&mut out.baseline, 0, if mean < 0.0 { 0.0 } else { mean });
    Ok(())
}

/// Shift and state. No workspace.
pub fn bco_shift(x: &BcoShift<'_>, mut out: BcoShiftOut<'_>) -> Result<()> {
    x.check(&out)?;
    let mut s = [0.0; 4];
    if let Some(m) = &x.state {
        (0..4).for_each(|i| s[i] = m.get(i));
    }
    let mut batch = [0.0; 4];
    if let Some(rewards) = &x.rewards {
        for i in (0..rewards.rows()).filter(|&i| x.mask.is_none_or(|m| m.live(i))) {
            let k = if x.label.is_none_or(|l| l.desirable(i)) { 0 } else { 2 };
            batch[k] += rewards.get(i);
            batch[k + 1] += 1.0;
        }
    }
    if x.mode == Shift::PerStep && batch[1] > 0.0 {
        batch = [batch[0] / batch[1], 1.0, 0.0, 0.0];
    }
    s.iter_mut().zip(batch).for_each(|(s, b)| *s += b);
    let mean = |k: usize| if s[k + 1] > 0.0 { s[k] / s[k + 1] } else { 0.0 };
    let (one, other) = (s[1] > 0.0, s[3] > 0.0);
    let shift = match x.mode {
        Shift::Balanced if one && other => 0.5 * (mean(0) + mean(2)),
        Shift::Balanced if other => mean(2),
        _ => mean(0),
    };
    let full = one && (other || x.mode != Shift::Balanced);
    put(&mut out.shift, 0, shift);
    (0..4).for_each(|i| put_in(&mut out.state, i, s[i]));
    put_in(&mut out.status, 0, if full { 0 } else { row::EMPTY });
    Ok(())
}

/// Scratch memory of [`aot_sort`]: 32 bytes a row.
pub fn aot_sort_workspace(x: &AotSort<'_>) -> Workspace {
    let (v, k) = (Arena::need::<f64>(x.rows()), Arena::need::<u64>(x.rows()));
    let bytes = Arena::sum([v, v, k, k]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// Ascending, equal values by index, NaN last.
fn ascending(x: &[f64], order: &mut [u64]) {
    order.iter_mut().enumerate().for_each(|(i, k)| *k = i as u64);
    order.sort_unstable_by(|&i, &j| {
        let (a, b) = (x[i as usize], x[j as usize]);
        // of two that compare as neither, NaN is the larger
        let values = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
        if values == Ordering::Equal { i.cmp(&j) } else { values }
    });
}
/// Both orders and the differences of equal ranks.
pub fn aot_sort(x: &AotSort<'_>, mut out: AotSortOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, aot_sort_workspace(x))?;
    let n = x.rows();
    let mut arena = Arena::new(scratch);
    let (u, v) = (arena.take::<f64>(n)?, arena.take::<f64>(n)?);
    let (first, second) = (arena.take::<u64>(n)?, arena.take::<u64>(n)?);
    for i in 0..n {
        [u[i], v[i]] = x.samples(i);
    }
    ascending(u, first);
    ascending(v, second);
    for k in 0..n {
        let (i, j) = (first[k] as usize, second[k] as usize);
        let (a, b) = (u[i], v[j]);
        put_in(&mut out.u_order, k, i as i32);
        put_in(&mut out.v_order, k, j as i32);
        let mut status = match (a - b).is_nan() {
            true if a.is_nan() || b.is_nan() => row::NAN_INPUT,
            true => row::INF_INPUT,
            false => 0,
        };
        if let Some(m) = &mut out.difference {
            status |= overflow(a - b, m);
            m.set(k, a - b);
        }
        put_in(&mut out.status, k, status);
    }
    Ok(())
}

/// Scratch memory of [`beta_dpo_stats`]: 16 bytes a row.
pub fn beta_dpo_stats_workspace(x: &BetaDpoStats<'_>) -> Workspace {
    let n = x.gaps.rows();
    let bytes = Arena::sum([Arena::need::<f64>(n), Arena::need::<u64>(n)]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// Kept rows, beta and state.
pub fn beta_dpo_stats(x: &BetaDpoStats<'_>, mut out: BetaDpoStatsOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, beta_dpo_stats_workspace(x))?;
    let (n, [beta, alpha, rho, gamma]) = (x.gaps.rows(), x.params);
    let mut arena = Arena::new(scratch);
    let (key, order) = (arena.take::<f64>(n)?, arena.take::<u64>(n)?);
    let [mut m, mut d] = x.state.map_or([0.0; 2], |s| [s.get(0), s.get(1)]);
    let mut status = 0;
    if n > 0 {
        let (mut sum, mut squares) = (0.0, 0.0);
        (0..n).for_each(|i| sum += x.gaps.get(i));
        let mean = sum / n as f64;
        (0..n).for_each(|i| squares += (x.gaps.get(i) - mean) * (x.gaps.get(i) - mean));
        m = gamma * m + (1.0 - gamma) * mean;
        if n > 1 {
            let deviation = (squares / (n - 1) as f64).sqrt();
            d = gamma * d + (1.0 - gamma) * deviation;
        } else {
            status |= row::DEGENERATE;
        }
    }
    for i in 0..n {
        let z = (x.gaps.get(i) - m) / d;
        let weight = if d > 0.0 { -0.5 * z * z } else { 0.0 };
        // descending order of the perturbed log-weights, so the negative ascends
        key[i] = Real::log(-Real::log(x.uniforms.get(i))) - weight;
    }
    ascending(key, order);
    let keep = (n as f64 * (1.0 - rho)) as usize;
    (0..n).for_each(|i| put_in(&mut out.keep, i, 0));
    let mut kept = 0.0;
    for &i in &order[..keep] {
        put_in(&mut out.keep, i as usize, 1);
    }
    // in row order, whatever the draw was
    order[..keep].sort_unstable();
    order[..keep].iter().for_each(|&i| kept += x.gaps.get(i as usize));
    let moved = if keep == 0 { 0.0 } else { alpha * (kept / keep as f64 - m) };
    if keep == 0 {
        status |= row::EMPTY;
    }
    let used = beta * (1.0 + moved);
    put(&mut out.beta, 0, if used > 1e-3 { used } else { 1e-3 });
    put_in(&mut out.state, 0, m);
    put_in(&mut out.state, 1, d);
    put_in(&mut out.status, 0, status);
    Ok(())
}

/// Weights of the pairs, formed in log space. No workspace.
pub fn wpo_weight(x: &WpoWeight<'_>, mut out: WpoWeightOut<'_>) -> Result<()> {
    x.check(&out)?;
    for i in 0..x.chosen.rows() {
        let [c, r] = [x.chosen.get(i), x.rejected.get(i)];
        let log = match (&x.chosen_log_sum_sq, &x.rejected_log_sum_sq) {
            (Some(a), Some(b)) => (c - a.get(i)) + (r - b.get(i)),
            _ => Real::min(c + r, 0.0),
        };
        let weight = Real::exp(log);
        let nan = [&x.chosen_log_sum_sq, &x.rejected_log_sum_sq]
            .iter()
            .any(|m| m.as_ref().is_some_and(|m| m.get(i).is_nan()));
        let mut status = match weight.is_nan() {
            true if nan || c.is_nan() || r.is_nan() => row::NAN_INPUT,
            true => row::INF_INPUT,
            false if weight.is_infinite() => row::OVERFLOW,
            false => 0,
        };
        if let Some(m) = &mut out.weight {
            status |= overflow(weight, m);
            m.set(i, weight);
        }
        put_in(&mut out.status, i, status);
    }
    Ok(())
}
