//! Off-policy corrections and selections of tokens, in order on the calling thread. See [`truing_core::correction`].
use crate::batch::{live, put, put_in};
use crate::sequence::{check_space, overflow};
use truing_core::Result;
use truing_core::correction::{
    CovForm, CovSelect, CovSelectOut, FipoWeight, FipoWeightOut, ImportanceWeight, ImportanceWeightOut, M2poMask,
    M2poMaskOut, Missing, Normalise, OffPolicySequenceMask, OffPolicySequenceMaskOut, RejectionMask, RejectionMaskOut,
    Span, TopEntropyMask, TopEntropyMaskOut, WeightAction, WeightLevel,
};
use truing_core::error::row;
use truing_core::matrix::{Arena, Workspace};
use truing_core::real::Real;

fn bytes(bytes: usize) -> Workspace {
    Workspace { minimum: bytes, preferred: bytes }
}

/// Scratch memory: 8 bytes a token where the weights are divided by their mean.
pub fn importance_weight_workspace(x: &ImportanceWeight<'_>) -> Workspace {
    bytes(if x.normalise == Normalise::Off { 0 } else { Arena::need::<f64>(x.old.rows()) })
}
/// Weights, what is within the bounds, figures.
pub fn importance_weight(x: &ImportanceWeight<'_>, mut out: ImportanceWeightOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, importance_weight_workspace(x))?;
    let normalised = x.normalise != Normalise::Off;
    let mut arena = Arena::new(scratch);
    let weights = arena.take::<f64>(if normalised { x.old.rows() } else { 0 })?;
    let [low, high] = x.log_bounds();
    let ratio = |i: usize| {
        let y = x.old.get(i) - x.sampler.get(i);
        if y.is_finite() { (y, true) } else { (0.0, false) }
    };
    let (mut tokens, mut beyond, mut sums) = (0.0, 0.0, [0.0; 2]);
    // of all tokens; of the sequences' means
    let (mut all, mut means, mut sequences) = (0.0, 0.0, 0.0);
    for b in 0..x.segments.sequences() {
        let (mut shared, mut count, mut own) = (0.0, 0.0, 0.0);
        for i in x.segments.range(b).filter(|&i| live(&x.mask, i)) {
            shared += ratio(i).0;
            count += 1.0;
        }
        if x.level == WeightLevel::SequenceMean && count > 0.0 {
            shared /= count;
        }
        for i in x.segments.range(b) {
            if !live(&x.mask, i) {
                put(&mut out.weights, i, 0.0);
                put_in(&mut out.keep, i, 0);
                put_in(&mut out.status, i, row::IGNORED);
                continue;
            }
            let (y, given) = ratio(i);
            let decides = if x.level == WeightLevel::Token { y } else { shared };
            let within = low <= decides && decides <= high;
            let weight = match x.action {
                _ if !given && x.missing == Missing::Zero => 0.0,
                WeightAction::Mask if !within => 0.0,
                _ if x.token_weight => Real::exp(y),
                WeightAction::Truncate => Real::exp(decides.max(low).min(high)),
                _ => Real::exp(decides),
            };
            let mut status = match (x.old.get(i) - x.sampler.get(i)).is_nan() {
                _ if given => 0,
                true => row::NAN_INPUT,
                false => row::INF_INPUT,
            };
            if weight.is_infinite() || out.weights.as_ref().is_some_and(|m| overflow(weight, m) != 0) {
                status |= row::OVERFLOW;
            }
            (tokens, beyond, own) = (tokens + 1.0, beyond + !within as u32 as f64, own + weight);
            sums = [sums[0] + weight, sums[1] + weight * weight];
            match normalised {
                true => weights[i] = weight,
                false => put(&mut out.weights, i, weight),
            }
            put_in(&mut out.keep, i, within as u8);
            put_in(&mut out.status, i, status);
        }
        all += own;
        if count > 0.0 {
            (means, sequences) = (means + own / count, sequences + 1.0);
        }
    }
    let mean = match x.normalise {
        Normalise::Off => 1.0,
        Normalise::TokenMean => all / tokens,
        Normalise::SequenceMean => means / sequences,
    };
    if normalised {
        // nothing to divide by, or nothing at all
        let divisor = if mean > 1e-8 { mean } else { 1.0 };
        sums = [sums[0] / divisor, sums[1] / (divisor * divisor)];
        for i in (0..x.old.rows()).filter(|&i| live(&x.mask, i)) {
            put(&mut out.weights, i, weights[i] / divisor);
        }
    }
    if let Some(to) = out.statistics {
        *to = [tokens, beyond, sums[0], sums[1], 0.0, 0.0, 0.0, 0.0];
    }
    Ok(())
}

/// Tokens and sequences that are kept. No workspace.
pub fn rejection_mask(x: &RejectionMask<'_>, mut out: RejectionMaskOut<'_>) -> Result<()> {
    x.check(&out)?;
    let [low, high] = x.bounds();
    let counts = |i: usize| live(&x.mask, i) && live(&x.keep, i);
    // a log ratio that is not finite: its statistic is that of equal log-probs
    let of = |i: usize| {
        let (old, sampler) = (x.old.get(i), x.sampler.get(i));
        if (old - sampler).is_finite() { (x.of(old, sampler), true) } else { (0.0, false) }
    };
    let mut rejected = 0;
    for b in 0..x.segments.sequences() {
        let (mut sum, mut count, mut most) = (0.0, 0.0, f64::NEG_INFINITY);
        for i in x.segments.range(b).filter(|&i| counts(i)) {
            let v = of(i).0;
            (sum, count, most) = (sum + v, count + 1.0, if v > most { v } else { most });
        }
        let shared = match x.span {
            Span::Token => 0.0,
            _ if count == 0.0 => 0.0,
            Span::SequenceSum => sum,
            Span::SequenceMean => sum / count,
            Span::SequenceMax => most,
        };
        let mut any = false;
        for i in x.segments.range(b) {
            let (own, given) = if counts(i) { of(i) } else { (0.0, true) };
            let decides = if x.span == Span::Token { own } else { shared };
            let kept = counts(i) && low <= decides && decides <= high && (given || x.missing != Missing::Zero);
            any |= kept;
            rejected += (live(&x.mask, i) && !kept) as i64;
            put_in(&mut out.keep, i, kept as u8);
            if x.span == Span::Token {
                put(&mut out.statistic, i, own);
            }
        }
        put_in(&mut out.sequence_keep, b, any as u8);
        if x.span != Span::Token {
            put(&mut out.statistic, b, shared);
        }
    }
    put_in(&mut out.rejected, 0, rejected);
    Ok(())
}

/// Sequences that are kept. No workspace.
pub fn off_policy_sequence_mask(x: &OffPolicySequenceMask<'_>, mut out: OffPolicySequenceMaskOut<'_>) -> Result<()> {
    x.check(&out)?;
    for b in 0..x.segments.sequences() {
        let (mut sum, mut count) = (0.0, 0.0);
        for i in x.segments.range(b).filter(|&i| live(&x.mask, i)) {
            let gap = x.behaviour.get(i) - x.logps.get(i);
            sum += if x.behaviour.get(i).is_nan() { 0.0 } else { gap };
            count += 1.0;
        }
        let mean = if count > 0.0 { sum / count } else { 0.0 };
        put_in(&mut out.keep, b, !(x.advantage.get(b) < 0.0 && mean > x.delta) as u8);
        put(&mut out.mean, b, mean);
    }
    Ok(())
}

/// Scratch memory: 8 bytes a token.
pub fn top_entropy_mask_workspace(x: &TopEntropyMask<'_>) -> Workspace {
    bytes(Arena::need::<f64>(x.entropy.rows()))
}
/// Tokens that are kept.
pub fn top_entropy_mask(x: &TopEntropyMask<'_>, mut out: TopEntropyMaskOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, top_entropy_mask_workspace(x))?;
    let n = x.entropy.rows();
    let all = Arena::new(scratch).take::<f64>(n)?;
    let (mut count, mut status) = (0, 0);
    for i in (0..n).filter(|&i| live(&x.mask, i)) {
        let h = x.entropy.get(i);
        match h.is_nan() {
            true => status |= row::NAN_INPUT,
            false => (all[count], count) = (h, count + 1),
        }
    }
    let threshold = match count {
        0 => {
            status |= row::EMPTY;
            0.0
        }
        _ => quantile(&mut all[..count], 1.0 - x.share),
    };
    for i in 0..n {
        put_in(&mut out.keep, i, (live(&x.mask, i) && x.entropy.get(i) >= threshold) as u8);
    }
    put(&mut out.threshold, 0, threshold);
    put_in(&mut out.status, 0, status);
    Ok(())
}
/// Of values that are not NaN, between neighbours on a straight line.
fn quantile(x: &mut [f64], q: f64) -> f64 {
    let at = q * (x.len() - 1) as f64;
    let below = (at as usize).min(x.len() - 1);
    let (_, &mut low, above) = x.select_nth_unstable_by(below, f64::total_cmp);
    let high = above.iter().copied().fold(f64::INFINITY, f64::min);
    // equal neighbours, infinite ones too, and the last one
    let part = at - below as f64;
    if part == 0.0 || high == low || above.is_empty() { low } else { low + part * (high - low) }
}

/// f64 as unsigned numbers that fall where it rises.
fn descending(x: f64) -> u64 {
    let u = x.to_bits();
    if u >> 63 == 1 { u } else { !(u | 1 << 63) }
}

/// Scratch memory: 16 bytes a token.
pub fn cov_select_workspace(x: &CovSelect<'_>) -> Workspace {
    bytes(Arena::need::<[u64; 2]>(x.logps.rows()))
}
/// Tokens that are selected.
pub fn cov_select(x: &CovSelect<'_>, mut out: CovSelectOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, cov_select_workspace(x))?;
    let n = x.logps.rows();
    // (key, token), the smallest keys first
    let found = Arena::new(scratch).take::<[u64; 2]>(n)?;
    let [share, cov_low, cov_high, clip_low, clip_high] = x.params;
    let low = if clip_low >= 1.0 { f64::NEG_INFINITY } else { Real::log1p(-clip_low) };
    let high = Real::log1p(clip_high);
    let each = |visit: &mut dyn FnMut(usize, f64, f64)| {
        for b in 0..x.segments.sequences() {
            for i in x.segments.range(b).filter(|&i| live(&x.mask, i)) {
                let (l, a) = (x.logps.get(i), x.advantage.get(b, i));
                if l.is_finite() && a.is_finite() {
                    visit(i, l, a);
                }
            }
        }
    };
    let (mut count, mut logp, mut advantage) = (0.0, 0.0, 0.0);
    each(&mut |_, l, a| (count, logp, advantage) = (count + 1.0, logp + l, advantage + a));
    (logp, advantage) = (logp / count, advantage / count);
    let mut candidates = 0;
    each(&mut |i, l, a| {
        let cov = (a - advantage) * (l - logp);
        let key = match (x.form, &x.old) {
            (CovForm::Clip, Some(old)) => {
                let ratio = l - old.get(i);
                let clipped = (a > 0.0 && ratio > high) || (a < 0.0 && ratio < low);
                let noise = x.noise.map(|m| m.get(i));
                if clipped || !(cov_low < cov && cov < cov_high) || noise.is_some_and(f64::is_nan) {
                    return;
                }
                match noise {
                    Some(noise) => !descending(noise + 0.0),
                    None => CovSelect::key(x.seed, x.first_token.wrapping_add(i as u64)),
                }
            }
            // + 0: both zeros are one number, and of equal ones the first goes first
            _ => descending(cov + 0.0),
        };
        found[candidates] = [key, i as u64];
        candidates += 1;
    });
    let wanted = if count == 0.0 { 0 } else { ((share * count) as usize).max(1).min(candidates) };
    let found = &mut found[..candidates];
    if wanted > 0 && wanted < candidates {
        found.select_nth_unstable(wanted - 1);
    }
    let found = &mut found[..wanted];
    found.sort_unstable_by_key(|f| f[1]);
    for i in 0..n {
        put_in(&mut out.indices, i, found.get(i).map_or(-1, |f| f[1] as i64));
        put_in(&mut out.flag, i, 0);
        put_in(&mut out.keep, i, live(&x.mask, i) as u8);
    }
    for f in found.iter() {
        put_in(&mut out.flag, f[1] as usize, 1);
        put_in(&mut out.keep, f[1] as usize, 0);
    }
    put_in(&mut out.count, 0, wanted as i64);
    Ok(())
}

/// Scratch memory: 16 bytes a token.
pub fn m2po_mask_workspace(x: &M2poMask<'_>) -> Workspace {
    bytes(Arena::need::<[u64; 2]>(x.old.rows()))
}
/// Tokens that are kept.
pub fn m2po_mask(x: &M2poMask<'_>, mut out: M2poMaskOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, m2po_mask_workspace(x))?;
    let n = x.old.rows();
    let order = Arena::new(scratch).take::<[u64; 2]>(n)?;
    let square = |i: usize| {
        let d = x.old.get(i) - x.proximal.get(i);
        if d.is_nan() { f64::INFINITY } else { d * d }
    };
    let mut count = 0;
    for i in (0..n).filter(|&i| live(&x.mask, i)) {
        (order[count], count) = ([descending(square(i)), i as u64], count + 1);
    }
    let order = &mut order[..count];
    order.sort_unstable();
    // from the smallest on: the last place where the mean of what is behind it is below the threshold
    let (mut sum, mut first, mut moment) = (0.0, count.saturating_sub(1), 0.0);
    for (k, f) in order.iter().enumerate().rev() {
        sum += square(f[1] as usize);
        let mean = sum / (count - k) as f64;
        if mean < x.threshold || k + 1 == count {
            (first, moment) = (k, mean);
        }
    }
    for i in 0..n {
        put_in(&mut out.keep, i, 0);
    }
    for f in &order[first..] {
        put_in(&mut out.keep, f[1] as usize, 1);
    }
    put(&mut out.moment, 0, moment);
    put_in(&mut out.dropped, 0, first as i64);
    Ok(())
}

/// Weights. No workspace.
pub fn fipo_weight(x: &FipoWeight<'_>, mut out: FipoWeightOut<'_>) -> Result<()> {
    x.check(&out)?;
    let [half_life, clip, delta, safety] = x.params;
    let decay = Real::exp(-core::f64::consts::LN_2 / half_life);
    let (log_delta, log_safety) = (Real::log(delta), Real::log(safety));
    let (low, high) = match clip == 0.0 {
        true => (f64::NEG_INFINITY, f64::INFINITY),
        false => (if x.high_only { 0.0 } else { Real::log1p(-clip) }, Real::log1p(clip)),
    };
    for b in 0..x.segments.sequences() {
        let mut future = 0.0;
        for i in x.segments.range(b).rev() {
            if !live(&x.mask, i) {
                future *= decay;
                put(&mut out.weights, i, 0.0);
                put_in(&mut out.status, i, row::IGNORED);
                continue;
            }
            let ratio = x.logps.get(i) - x.old.get(i);
            future = decay * future + if ratio > log_delta { 0.0 } else { ratio };
            let mut weight = Real::exp(Real::min(Real::max(future, low), high));
            if x.advantage.get(b, i) < 0.0 && ratio > log_safety {
                weight = Real::min(Real::max(weight, 0.8), 1.0);
            }
            let mut status = match weight.is_nan() {
                true => row::NAN_INPUT,
                false if weight.is_infinite() => row::OVERFLOW,
                false => 0,
            };
            if let Some(m) = &mut out.weights {
                status |= overflow(weight, m);
                m.set(i, weight);
            }
            put_in(&mut out.status, i, status);
        }
    }
    Ok(())
}
