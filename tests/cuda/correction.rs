//! Off-policy corrections on the stand-in device, against the CPU's bits; what only the device can see.
use super::preference::{Numbers, Place};
use super::{INF, NAN, STREAM, Scratch, memory, vector};
use truing_core::Dtype;
use truing_core::correction::{self as spec, Missing, Normalise, Span, Statistic, WeightAction, WeightLevel};
use truing_core::matrix::{Matrix, MatrixMut};
use truing_core::sequence::Segments;
use truing_cpu::correction as cpu;
use truing_cuda::Context;
use truing_cuda::correction::{self as device, Layout};
use truing_tests::{Random, same, with_scratch};

/// Sequences of no token, one, around a warp, without a live one, beyond a tile.
const OFFSETS: [i32; 9] = [0, 0, 1, 16, 33, 66, 70, 2300, 2400];
const TOKENS: usize = 2400;
const PADDED: usize = 5;

struct Case {
    old: Numbers,
    sampler: Numbers,
    mask: Vec<u8>,
    keep: Vec<i32>,
    packed: bool,
}
impl Case {
    fn new(seed: u64, kind: usize, packed: bool, hostile: bool) -> Case {
        let mut r = Random(seed);
        let mut old: Vec<f64> = (0..TOKENS).map(|_| -4.0 * r.uniform() * r.uniform()).collect();
        let mut sampler: Vec<f64> = old.iter().map(|x| (x + 0.3 * r.normal()).min(0.0)).collect();
        (0..TOKENS).step_by(17).for_each(|i| sampler[i] = old[i]);
        if hostile {
            for (k, x) in [NAN as f64, INF as f64, -INF as f64, -1e3, -0.0].into_iter().enumerate() {
                old[80 + 7 * k] = x;
                sampler[90 + 11 * k] = x;
                (old[40 + k], sampler[40 + k]) = (x, x);
            }
        }
        let mut mask: Vec<u8> = (0..TOKENS).map(|_| (r.below(5) > 0) as u8).collect();
        mask[66..70].fill(0);
        let keep = (0..TOKENS).map(|_| (r.below(6) > 0) as i32).collect();
        Case { old: Numbers::new(kind, old), sampler: Numbers::new((kind + 1) % 4, sampler), mask, keep, packed }
    }
    fn rows(&self) -> usize {
        if self.packed { OFFSETS.len() - 1 } else { PADDED }
    }
    fn segments(&self) -> Segments<'static> {
        match self.packed {
            true => Segments::Packed(Matrix::vector(&OFFSETS).into()),
            false => Segments::Padded { sequences: PADDED, width: TOKENS / PADDED },
        }
    }
    fn layout(&self) -> Layout {
        match self.packed {
            true => Layout::Packed { tokens: TOKENS, offsets: vector(&OFFSETS, Dtype::I32) },
            false => Layout::Padded { sequences: PADDED, width: TOKENS / PADDED },
        }
    }
}

pub(super) fn all(context: &Context) -> usize {
    let (mut done, mut seed) = (0, 0);
    for level in [WeightLevel::Token, WeightLevel::SequenceSum, WeightLevel::SequenceMean] {
        for action in [WeightAction::Raw, WeightAction::Truncate, WeightAction::Mask] {
            for normalise in [Normalise::Off, Normalise::TokenMean, Normalise::SequenceMean] {
                seed += 1;
                done += weights(context, level, action, normalise, seed);
            }
        }
    }
    let statistics =
        [Statistic::Ratio, Statistic::K1, Statistic::K2, Statistic::K3, Statistic::BinaryKl, Statistic::Tv];
    for statistic in statistics {
        for span in [Span::Token, Span::SequenceSum, Span::SequenceMean, Span::SequenceMax] {
            for _ in 0..2 {
                seed += 1;
                done += reject(context, statistic, span, seed);
            }
        }
    }
    for seed in 0..8 {
        done += moved(context, seed);
    }
    done + outside(context)
}
fn weights(context: &Context, level: WeightLevel, action: WeightAction, normalise: Normalise, seed: u64) -> usize {
    let (kind, wide, masked) = (seed as usize % 4, seed % 3 == 0, seed % 5 != 0);
    let c = Case::new(seed, kind, seed % 2 == 0, seed % 4 > 1);
    let [low, high] = match action {
        WeightAction::Raw => [0.0, 0.0],
        _ => [[0.5, 2.0], [0.0, 1.25], [0.8, 0.0]][seed as usize % 3],
    };
    let missing = if seed % 4 == 3 { Missing::Zero } else { Missing::One };
    let x = spec::ImportanceWeight {
        segments: c.segments(),
        old: c.old.cpu(),
        sampler: c.sampler.cpu(),
        mask: masked.then(|| Matrix::vector(&c.mask).into()),
        low,
        high,
        level,
        action,
        missing,
        normalise,
        token_weight: seed % 6 == 1,
    };
    let new = || (Place::new(wide, TOKENS), vec![9u8; TOKENS], [9.0f64; 8], vec![9u32; TOKENS]);
    let (mut want, mut got) = (new(), new());
    let figures = seed % 2 == 1;
    let out = spec::ImportanceWeightOut {
        weights: Some(want.0.cpu()),
        keep: Some(MatrixMut::vector(&mut want.1)),
        statistics: figures.then_some(&mut want.2),
        status: Some(MatrixMut::vector(&mut want.3)),
    };
    let what = format!("{level:?} {action:?} {normalise:?} {seed}");
    with_scratch(cpu::importance_weight_workspace(&x).minimum, |w| cpu::importance_weight(&x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::ImportanceWeight {
        layout: c.layout(),
        old: c.old.device(),
        sampler: c.sampler.device(),
        mask: masked.then(|| vector(&c.mask, Dtype::U8)),
        low,
        high,
        level,
        action,
        missing,
        normalise,
        token_weight: x.token_weight,
    };
    let out = device::ImportanceWeightOut {
        weights: Some(got.0.device()),
        keep: Some(vector(&got.1, Dtype::U8)),
        statistics: figures.then(|| vector(&got.2, Dtype::F64)),
        status: Some(vector(&got.3, Dtype::U32)),
    };
    let space = Scratch::new(device::importance_weight_workspace(&x, &out).minimum);
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::importance_weight(context, STREAM, &x, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.fetch();
    memory::down(&mut got.1);
    memory::down(&mut got.2);
    memory::down(&mut got.3);
    memory::clear();
    same(&format!("{what}: keep"), &got.1, &want.1);
    same(&format!("{what}: statistics"), &got.2, &want.2);
    same(&format!("{what}: status"), &got.3, &want.3);
    2 * TOKENS + 8 + got.0.check(&format!("{what}: weights"), &want.0)
}
fn reject(context: &Context, statistic: Statistic, span: Span, seed: u64) -> usize {
    let (kind, wide, masked, kept) = (seed as usize % 4, seed % 3 == 0, seed % 5 != 0, seed % 2 == 1);
    let c = Case::new(seed, kind, seed % 2 == 0, seed % 4 > 1);
    let [low, high] = [[0.5, 2.0], [0.0, 0.02], [0.001, 0.0]][seed as usize % 3];
    let missing = if seed % 4 == 3 { Missing::Zero } else { Missing::One };
    let x = spec::RejectionMask {
        segments: c.segments(),
        old: c.old.cpu(),
        sampler: c.sampler.cpu(),
        mask: masked.then(|| Matrix::vector(&c.mask).into()),
        keep: kept.then(|| Matrix::vector(&c.keep).into()),
        statistic,
        span,
        low,
        high,
        missing,
    };
    let b = c.rows();
    let places = if span == Span::Token { TOKENS } else { b };
    let new = || (vec![9u8; TOKENS], vec![9u8; b], Place::new(wide, places), vec![9i64]);
    let (mut want, mut got) = (new(), new());
    let out = spec::RejectionMaskOut {
        keep: Some(MatrixMut::vector(&mut want.0)),
        sequence_keep: Some(MatrixMut::vector(&mut want.1)),
        statistic: Some(want.2.cpu()),
        rejected: Some(MatrixMut::vector(&mut want.3)),
    };
    let what = format!("{statistic:?} {span:?} {seed}");
    cpu::rejection_mask(&x, out).unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::RejectionMask {
        layout: c.layout(),
        old: c.old.device(),
        sampler: c.sampler.device(),
        mask: masked.then(|| vector(&c.mask, Dtype::U8)),
        keep: kept.then(|| vector(&c.keep, Dtype::I32)),
        statistic,
        span,
        low,
        high,
        missing,
    };
    let out = device::RejectionMaskOut {
        keep: Some(vector(&got.0, Dtype::U8)),
        sequence_keep: Some(vector(&got.1, Dtype::U8)),
        statistic: Some(got.2.device()),
        rejected: Some(vector(&got.3, Dtype::I64)),
    };
    // SAFETY: as above.
    unsafe { device::rejection_mask(context, STREAM, &x, &out) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    memory::down(&mut got.0);
    memory::down(&mut got.1);
    got.2.fetch();
    memory::down(&mut got.3);
    memory::clear();
    same(&format!("{what}: keep"), &got.0, &want.0);
    same(&format!("{what}: sequence keep"), &got.1, &want.1);
    same(&format!("{what}: rejected"), &got.3, &want.3);
    TOKENS + b + 1 + got.2.check(&format!("{what}: statistic"), &want.2)
}
fn moved(context: &Context, seed: u64) -> usize {
    let c = Case::new(seed, seed as usize % 4, seed % 2 == 0, seed % 4 > 1);
    let (b, wide, masked) = (c.rows(), seed % 3 == 0, seed % 5 != 0);
    let mut r = Random(seed);
    let advantage = Numbers::new((seed as usize + 2) % 4, (0..b).map(|_| r.normal()).collect());
    let delta = [0.01, -0.02, 0.0][seed as usize % 3];
    let x = spec::OffPolicySequenceMask {
        segments: c.segments(),
        logps: c.old.cpu(),
        behaviour: c.sampler.cpu(),
        advantage: advantage.cpu(),
        mask: masked.then(|| Matrix::vector(&c.mask).into()),
        delta,
    };
    let new = || (vec![9u8; b], Place::new(wide, b));
    let (mut want, mut got) = (new(), new());
    let out = spec::OffPolicySequenceMaskOut { keep: Some(MatrixMut::vector(&mut want.0)), mean: Some(want.1.cpu()) };
    cpu::off_policy_sequence_mask(&x, out).unwrap();
    let x = device::OffPolicySequenceMask {
        layout: c.layout(),
        logps: c.old.device(),
        behaviour: c.sampler.device(),
        advantage: advantage.device(),
        mask: masked.then(|| vector(&c.mask, Dtype::U8)),
        delta,
    };
    let out = device::OffPolicySequenceMaskOut { keep: Some(vector(&got.0, Dtype::U8)), mean: Some(got.1.device()) };
    // SAFETY: as above.
    unsafe { device::off_policy_sequence_mask(context, STREAM, &x, &out) }.unwrap();
    memory::down(&mut got.0);
    got.1.fetch();
    memory::clear();
    same(&format!("moved {seed}: keep"), &got.0, &want.0);
    b + got.1.check(&format!("moved {seed}: mean"), &want.1)
}

/// Offsets that only the device can see, no sequence, and what the host refuses.
fn outside(context: &Context) -> usize {
    let (logps, one) = ([-1.0f64, -2.0, -0.5, -3.0], [1.0f64; 3]);
    let x = |layout, missing, low| device::ImportanceWeight {
        layout,
        old: vector(&logps, Dtype::F64),
        sampler: vector(&logps, Dtype::F64),
        mask: None,
        low,
        high: 2.0,
        level: WeightLevel::Token,
        action: WeightAction::Mask,
        missing,
        normalise: Normalise::TokenMean,
        token_weight: false,
    };
    let (mut weights, mut statistics) = (vec![9.0f64; 4], [9.0f64; 8]);
    let out = device::ImportanceWeightOut {
        weights: Some(vector(&weights, Dtype::F64)),
        statistics: Some(vector(&statistics, Dtype::F64)),
        ..Default::default()
    };
    let packed = |offsets: &[i32; 4]| Layout::Packed { tokens: 4, offsets: vector(offsets, Dtype::I32) };
    let (good, cut) = ([0i32, 1, 3, 4], [0i32, 1, 9, 4]);
    let whole = x(packed(&good), Missing::One, 0.5);
    let space = Scratch::new(device::importance_weight_workspace(&whole, &out).minimum);
    // SAFETY: as above.
    let go =
        |x: &device::ImportanceWeight| unsafe { device::importance_weight(context, STREAM, x, &out, space.space()) };
    assert_eq!(go(&x(packed(&good), Missing::Error, 0.5)).unwrap_err().field, "missing");
    assert_eq!(go(&x(packed(&good), Missing::One, 3.0)).unwrap_err().field, "high");
    go(&x(packed(&cut), Missing::One, 0.5)).unwrap();
    memory::down(&mut weights);
    memory::down(&mut statistics);
    assert!(std::hint::black_box(&weights).iter().all(|x| x.is_nan()), "{weights:?}");
    assert!(std::hint::black_box(&statistics)[..4].iter().all(|x| x.is_nan()), "{statistics:?}");
    let (mut keep, mut mean) = (vec![9u8; 3], vec![9.0f64; 3]);
    let x = device::OffPolicySequenceMask {
        layout: packed(&cut),
        logps: vector(&logps, Dtype::F64),
        behaviour: vector(&logps, Dtype::F64),
        advantage: vector(&one, Dtype::F64),
        mask: None,
        delta: 0.0,
    };
    let out = device::OffPolicySequenceMaskOut {
        keep: Some(vector(&keep, Dtype::U8)),
        mean: Some(vector(&mean, Dtype::F64)),
    };
    // SAFETY: as above.
    unsafe { device::off_policy_sequence_mask(context, STREAM, &x, &out) }.unwrap();
    memory::down(&mut keep);
    memory::down(&mut mean);
    assert_eq!(std::hint::black_box(&keep)[..], [1, 0, 0]);
    assert!(mean[0] == 0.0 && std::hint::black_box(&mean)[1..].iter().all(|x| x.is_nan()), "{mean:?}");
    let mut rejected = vec![9i64];
    let x = device::RejectionMask {
        layout: Layout::Padded { sequences: 0, width: 3 },
        old: vector(&logps[..0], Dtype::F64),
        sampler: vector(&logps[..0], Dtype::F64),
        mask: None,
        keep: None,
        statistic: Statistic::K3,
        span: Span::SequenceMean,
        low: 0.0,
        high: 1.0,
        missing: Missing::One,
    };
    let out = device::RejectionMaskOut { rejected: Some(vector(&rejected, Dtype::I64)), ..Default::default() };
    // SAFETY: as above.
    unsafe { device::rejection_mask(context, STREAM, &x, &out) }.unwrap();
    memory::down(&mut rejected);
    assert_eq!(std::hint::black_box(&rejected)[..], [0]);
    memory::clear();
    20
}
