//! Numbers of a whole batch, in row order on the calling thread. See [`truing_core::batch`].
use crate::sequence::{check_space, overflow};
use core::cmp::Ordering;
use truing_core::Result;
use truing_core::batch::{
    AStarValue, AStarValueOut, AotSort, AotSortOut, BcoShift, BcoShiftOut, BetaDpoStats, BetaDpoStatsOut, Ches,
    ChesOut, HeadWeights, HeadWeightsOut, HindsightTarget, ItemNumbers, ItemNumbersOut, KlLengthFigures, KlLengthOut,
    KtoBaseline, KtoBaselineOut, ModpoMargin, ModpoMarginOut, PromptValue, QuantileThreshold, QuantileThresholdOut,
    Shift, WpoWeight, WpoWeightOut, kl_figure, wpo,
};
use truing_core::dtype::{Element, Float};
use truing_core::error::row;
use truing_core::matrix::{Arena, Floats, FloatsMut, Mask, MatrixMut, Workspace};
use truing_core::real::Real;

pub(crate) fn put(place: &mut Option<FloatsMut<'_>>, i: usize, x: f64) {
    if let Some(m) = place {
        m.set(i, x);
    }
}
/// As [`put`]; the status of a number that the place cannot hold.
pub(crate) fn report(place: &mut Option<FloatsMut<'_>>, i: usize, x: f64) -> u32 {
    let Some(m) = place else { return 0 };
    m.set(i, x);
    overflow(x, m)
}
pub(crate) fn put_in<T: Element>(place: &mut Option<MatrixMut<'_, T>>, i: usize, x: T) {
    if let Some(m) = place {
        m.set(i, x);
    }
}

pub(crate) fn live(mask: &Option<Mask<'_>>, i: usize) -> bool {
    mask.is_none_or(|m| m.live(i))
}
/// `a b`, and 0 where `a` is 0, whatever `b` is.
pub(crate) fn part(a: f64, b: f64) -> f64 {
    if a == 0.0 { 0.0 } else { a * b }
}

/// Sum, counts and baseline. No workspace.
pub fn kto_baseline(x: &KtoBaseline<'_>, mut out: KtoBaselineOut<'_>) -> Result<()> {
    x.check(&out)?;
    let (mut sum, mut count, mut nonzero) = (0.0, 0, 0);
    for i in 0..x.scores.rows() {
        if live(&x.mask, i) {
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
        for i in (0..rewards.rows()).filter(|&i| live(&x.mask, i)) {
            let k = if x.label.is_none_or(|l| l.desirable(i)) { 0 } else { 2 };
            batch[k] += rewards.get(i);
            batch[k + 1] += 1.0;
        }
    }
    if x.mode == Shift::PerStep && batch[1] > 0.0 {
        batch = [batch[0] / batch[1], 1.0, 0.0, 0.0];
    }
    if x.rate > 0.0 {
        for k in [0, 2].into_iter().filter(|&k| batch[k + 1] > 0.0) {
            s[k] = (1.0 - x.rate) * s[k] + x.rate * (batch[k] / batch[k + 1]);
            s[k + 1] = (1.0 - x.rate) * s[k + 1] + x.rate;
        }
    } else {
        s.iter_mut().zip(batch).for_each(|(s, b)| *s += b);
    }
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
        status |= report(&mut out.difference, k, a - b);
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
        let sums = match (&x.chosen_log_sum_sq, &x.rejected_log_sum_sq) {
            (Some(a), Some(b)) => Some([a.get(i), b.get(i)]),
            _ => None,
        };
        let weight = wpo(c, r, sums);
        let nan = [&x.chosen_log_sum_sq, &x.rejected_log_sum_sq]
            .iter()
            .any(|m| m.as_ref().is_some_and(|m| m.get(i).is_nan()));
        let mut status = match weight.is_nan() {
            true if nan || c.is_nan() || r.is_nan() => row::NAN_INPUT,
            true => row::INF_INPUT,
            false if weight.is_infinite() => row::OVERFLOW,
            false => 0,
        };
        status |= report(&mut out.weight, i, weight);
        put_in(&mut out.status, i, status);
    }
    Ok(())
}

/// Weights, offsets, betas, multipliers, as the rule says. No workspace.
pub fn item_numbers(x: &ItemNumbers<'_>, mut out: ItemNumbersOut<'_>) -> Result<()> {
    x.check(&out)?;
    for i in 0..x.first.rows() {
        let (value, mut status) = x.rule.eval(x.first.get(i), x.second.as_ref().map_or(0.0, |m| m.get(i)));
        status |= report(&mut out.value, i, value);
        put_in(&mut out.status, i, status);
    }
    Ok(())
}

/// Weights of the rows of several heads. No workspace.
pub fn head_weights(x: &HeadWeights<'_>, mut out: HeadWeightsOut<'_>) -> Result<()> {
    x.check(&out)?;
    let live = |i: usize| live(&x.mask, i);
    (0..x.heads).for_each(|h| out.counts.set(h, 0));
    for i in (0..x.head.rows()).filter(|&i| live(i)) {
        let h = x.head.get(i) as usize;
        out.counts.set(h, out.counts.get(h) + 1);
    }
    let present = (0..x.heads).filter(|&h| out.counts.get(h) > 0).count();
    for i in 0..x.head.rows() {
        let weight = if live(i) {
            let h = x.head.get(i) as usize;
            let share = match &x.alpha {
                Some(alpha) => alpha.get(h),
                None if x.present_heads => 1.0 / present as f64,
                None => 1.0 / x.heads as f64,
            };
            share / out.counts.get(h) as f64
        } else {
            0.0
        };
        put(&mut out.weight, i, weight);
    }
    put_in(&mut out.status, 0, if present == 0 { row::EMPTY } else { 0 });
    Ok(())
}

/// Margins and gradients of weighted sums of rewards. No workspace.
pub fn modpo_margin(x: &ModpoMargin<'_>, mut out: ModpoMarginOut<'_>) -> Result<()> {
    x.check(&out)?;
    let (n, k) = (x.chosen.rows(), x.chosen.cols());
    for i in 0..n {
        let sum = |rewards: &Floats<'_>| {
            let mut sum = 0.0;
            (0..k).for_each(|j| sum += part(x.weights.at(x.weight_row(i), j), rewards.at(i, j)));
            sum
        };
        if out.chosen.is_some() {
            put(&mut out.chosen, i, sum(&x.chosen));
        }
        if out.rejected.is_some() {
            put(&mut out.rejected, i, sum(&x.rejected));
        }
        let g = x.grad_margin.as_ref().map_or(0.0, |m| m.get(i));
        if let Some(m) = &mut out.grad_chosen {
            (0..k).for_each(|j| m.put(i, j, part(x.weights.at(x.weight_row(i), j), g)));
        }
        if let (Some(m), true) = (&mut out.grad_weights, x.weights.rows() == n) {
            (0..k).for_each(|j| m.put(i, j, part(g, x.chosen.at(i, j) - x.rejected.at(i, j))));
        }
    }
    if let (Some(m), false) = (&mut out.grad_weights, x.weights.rows() == n) {
        for j in 0..k {
            let mut sum = 0.0;
            for i in 0..n {
                let g = x.grad_margin.as_ref().map_or(0.0, |m| m.get(i));
                sum += part(g, x.chosen.at(i, j) - x.rejected.at(i, j));
            }
            m.put(0, j, sum);
        }
    }
    Ok(())
}

/// The value at `position` (0 is the first) of ascending values, between neighbours by linear interpolation.
fn interpolate(sorted: &[f64], position: f64) -> f64 {
    let at = (position as usize).min(sorted.len() - 1);
    let share = position - at as f64;
    if share > 0.0 && at + 1 < sorted.len() && sorted[at] != sorted[at + 1] {
        let (low, high) = (sorted[at], sorted[at + 1]);
        if (high - low).is_finite() { low + share * (high - low) } else { (1.0 - share) * low + share * high }
    } else {
        sorted[at]
    }
}
/// Scratch memory of [`quantile_threshold`]: 8 bytes a row.
pub fn quantile_threshold_workspace(x: &QuantileThreshold<'_>) -> Workspace {
    let bytes = Arena::need::<f64>(x.values.rows());
    Workspace { minimum: bytes, preferred: bytes }
}
/// The quantile.
pub fn quantile_threshold(
    x: &QuantileThreshold<'_>,
    mut out: QuantileThresholdOut<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, quantile_threshold_workspace(x))?;
    let values = Arena::new(scratch).take::<f64>(x.values.rows())?;
    let (mut n, mut levels, mut nan) = (0, 0.0, false);
    for i in (0..x.values.rows()).filter(|&i| live(&x.mask, i)) {
        values[n] = x.values.get(i);
        nan |= values[n].is_nan();
        levels += if x.level.rows() == 1 { 0.0 } else { x.level.get(i) };
        n += 1;
    }
    let (threshold, mut status) = match n {
        0 => (f64::NAN, row::EMPTY),
        _ if nan => (f64::NAN, row::NAN_INPUT),
        _ => {
            let values = &mut values[..n];
            values.sort_unstable_by(f64::total_cmp);
            let last = (n - 1) as f64;
            // one division of whole numbers where the levels are hard labels
            let position = if x.level.rows() == 1 { x.level.get(0) * last } else { levels * last / n as f64 };
            let found = interpolate(values, position.min(last));
            (found, if found.is_nan() { row::INF_INPUT } else { 0 })
        }
    };
    status |= report(&mut out.threshold, 0, threshold);
    put_in(&mut out.status, 0, status);
    Ok(())
}

/// Values of prompts. No workspace.
pub fn a_star_value(x: &AStarValue<'_>, mut out: AStarValueOut<'_>) -> Result<()> {
    x.check(&out)?;
    let live = |i: usize| live(&x.mask, i);
    for p in 0..x.segments.sequences() {
        let range = x.segments.range(p);
        let (mut n, mut sum, mut top, mut first, mut nan) = (0, 0.0, f64::NEG_INFINITY, usize::MAX, false);
        for i in range.clone().filter(|&i| live(i)) {
            let r = x.rewards.get(i);
            (n, sum, nan) = (n + 1, sum + r, nan | r.is_nan());
            if r > top || first == usize::MAX {
                (top, first) = (r, i);
            }
        }
        // the largest one's own 1 is part of the sum: a mean of exponentials is wanted, not a near-certain share
        let mut lse = 0.0;
        let log_mean = x.mode == PromptValue::LogMeanExp;
        if log_mean && top.is_finite() {
            range.clone().filter(|&i| live(i)).for_each(|i| lse += Real::exp((x.rewards.get(i) - top) / x.beta));
        }
        let value = match x.mode {
            _ if n == 0 || nan => f64::NAN,
            PromptValue::LogMeanExp if top.is_finite() => top + x.beta * Real::log(lse / n as f64),
            PromptValue::LogMeanExp | PromptValue::Max => top,
            PromptValue::Mean => sum / n as f64,
            PromptValue::Zero => 0.0,
        };
        let mut status = match (n, nan) {
            (0, _) => row::EMPTY,
            (_, true) => row::NAN_INPUT,
            _ if value.is_nan() => row::INF_INPUT,
            _ if value.is_infinite() => row::INFINITE,
            _ => 0,
        };
        status |= report(&mut out.value, p, value);
        if let Some(m) = &mut out.share {
            for i in range {
                let share = match x.mode {
                    _ if !live(i) => 0.0,
                    _ if value.is_nan() => f64::NAN,
                    PromptValue::LogMeanExp if top.is_finite() => Real::exp((x.rewards.get(i) - top) / x.beta) / lse,
                    // the value is that of the infinite rewards
                    PromptValue::LogMeanExp | PromptValue::Max => (i == first) as u8 as f64,
                    PromptValue::Mean => 1.0 / n as f64,
                    PromptValue::Zero => 0.0,
                };
                m.set(i, share);
            }
        }
        put_in(&mut out.status, p, status);
    }
    Ok(())
}

/// Targets of the steps. No workspace.
pub fn hindsight_target(x: &HindsightTarget<'_>, mut targets: Option<FloatsMut<'_>>) -> Result<()> {
    x.check(&targets)?;
    for p in 0..x.segments.sequences() {
        let mut discount = 1.0;
        for i in x.segments.range(p).rev() {
            put(&mut targets, i, x.rewards.get(i) + part(discount, x.outcome.get(p)));
            discount *= x.gamma;
        }
    }
    Ok(())
}

/// Scratch memory of [`kl_length_figures`]: 8 bytes a sequence.
pub fn kl_length_figures_workspace(x: &KlLengthFigures<'_>) -> Workspace {
    let bytes = Arena::need::<f64>(x.segments.sequences());
    Workspace { minimum: bytes, preferred: bytes }
}
/// Figures of sequences and of the batch.
pub fn kl_length_figures(x: &KlLengthFigures<'_>, mut out: KlLengthOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, kl_length_figures_workspace(x))?;
    let lengths = Arena::new(scratch).take::<f64>(x.segments.sequences())?;
    let (mut sequences, mut tokens, mut sums, mut means) = (0, 0.0, [0.0; 2], [0.0; 2]);
    for b in 0..x.segments.sequences() {
        let (mut n, mut k, mut nan) = (0, [0.0; 2], false);
        for i in x.segments.range(b).filter(|&i| live(&x.mask, i)) {
            let (l, r) = (x.logps.get(i), x.ref_logps.as_ref().map_or(0.0, |m| m.get(i)));
            let d = l - r;
            nan |= l.is_nan() || r.is_nan();
            k = [k[0] + d, k[1] + Real::h(d)];
            n += 1;
        }
        let mut status = match n {
            0 => row::EMPTY,
            _ if nan => row::NAN_INPUT,
            _ if k[0].is_nan() || k[1].is_nan() => row::INF_INPUT,
            _ if k[0].is_infinite() => row::INFINITE,
            _ if k[1].is_infinite() => row::OVERFLOW,
            _ => 0,
        };
        status |= report(&mut out.k1, b, k[0]) | report(&mut out.k3, b, k[1]);
        put_in(&mut out.lengths, b, n);
        put_in(&mut out.status, b, status);
        if n > 0 {
            let n = n as f64;
            (lengths[sequences], tokens) = (n, tokens + n);
            for j in 0..2 {
                (sums[j], means[j]) = (sums[j] + k[j], means[j] + k[j] / n);
            }
            sequences += 1;
        }
    }
    let lengths = &mut lengths[..sequences];
    let b = sequences as f64;
    if let Some(to) = out.figures {
        let mean = tokens / b;
        let mut squares = 0.0;
        lengths.iter().for_each(|n| squares += (n - mean) * (n - mean));
        *to = [0.0; kl_figure::COUNT];
        to[kl_figure::SEQUENCES] = b;
        to[kl_figure::TOKENS] = tokens;
        let places = [
            [kl_figure::K1_PER_SEQUENCE, kl_figure::K1_PER_TOKEN, kl_figure::K1_MEAN_OF_MEANS],
            [kl_figure::K3_PER_SEQUENCE, kl_figure::K3_PER_TOKEN, kl_figure::K3_MEAN_OF_MEANS],
        ];
        for (j, place) in places.into_iter().enumerate() {
            (to[place[0]], to[place[1]], to[place[2]]) = (sums[j] / b, sums[j] / tokens, means[j] / b);
        }
        let least = lengths.iter().copied().fold(f64::INFINITY, f64::min);
        let most = lengths.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        to[kl_figure::LENGTH_MEAN] = mean;
        to[kl_figure::LENGTH_STD] = (squares / b).sqrt();
        to[kl_figure::LENGTH_STD_SAMPLE] = if sequences == 1 { 0.0 } else { (squares / (b - 1.0)).sqrt() };
        to[kl_figure::LENGTH_MIN] = if sequences > 0 { least } else { f64::NAN };
        to[kl_figure::LENGTH_MAX] = if sequences > 0 { most } else { f64::NAN };
        if sequences == 0 {
            to[kl_figure::LENGTH_STD_SAMPLE] = f64::NAN;
        }
    }
    lengths.sort_unstable_by(f64::total_cmp);
    if let (Some(m), Some(levels)) = (&mut out.quantiles, &x.levels) {
        for q in 0..levels.rows() {
            let found = if sequences > 0 { interpolate(lengths, levels.get(q) * (b - 1.0)) } else { f64::NAN };
            m.set(q, found);
        }
    }
    if let (Some(m), Some(edges)) = (&mut out.histogram, &x.edges) {
        let bins = edges.rows() - 1;
        for h in 0..bins {
            let (low, high) = (edges.get(h), edges.get(h + 1));
            let inside = |n: &&f64| **n >= low && (**n < high || (h + 1 == bins && **n == high));
            m.set(h, lengths.iter().filter(inside).count() as i64);
        }
    }
    Ok(())
}

/// Scratch memory of [`ches`]: 16 bytes a column.
pub fn ches_workspace(x: &Ches<'_>) -> Workspace {
    let sum = Arena::need::<f64>(x.hidden.cols());
    let bytes = Arena::sum([sum, sum]);
    Workspace { minimum: bytes, preferred: bytes }
}
/// The figure of every pair.
pub fn ches(x: &Ches<'_>, mut out: ChesOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, ches_workspace(x))?;
    let mut arena = Arena::new(scratch);
    let (chosen, rejected) = (arena.take::<f64>(x.hidden.cols())?, arena.take::<f64>(x.hidden.cols())?);
    for p in 0..x.chosen.rows() {
        let mut status = side(x, x.chosen.get(p) as usize, chosen) | side(x, x.rejected.get(p) as usize, rejected);
        let mut value = 0.0;
        for (c, r) in chosen.iter().zip(&*rejected) {
            value += (r - c) * c;
        }
        if value.is_nan() {
            status |= row::NAN_INPUT;
        } else if value.is_infinite() {
            status |= row::OVERFLOW;
        }
        status |= report(&mut out.value, p, value);
        put_in(&mut out.status, p, status);
    }
    Ok(())
}
/// Sum or mean of the live hidden states of a sequence.
fn side(x: &Ches<'_>, s: usize, sum: &mut [f64]) -> u32 {
    sum.fill(0.0);
    let mut n = 0.0;
    for i in x.segments.range(s).filter(|&i| live(&x.mask, i)) {
        n += 1.0;
        match &x.hidden {
            Floats::F32(m) => add(sum, m.row(i)),
            Floats::Bf16(m) => add(sum, m.row(i)),
            Floats::F16(m) => add(sum, m.row(i)),
            Floats::F64(m) => add(sum, m.row(i)),
        }
    }
    if x.mean && n > 0.0 {
        sum.iter_mut().for_each(|s| *s /= n);
    }
    if n == 0.0 { row::EMPTY } else { 0 }
}
fn add<T: Float>(sum: &mut [f64], row: &[T]) {
    sum.iter_mut().zip(row).for_each(|(s, x)| *s += x.to_f64());
}
