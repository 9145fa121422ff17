//! Advantages and returns on the stand-in device, against the CPU's bits; what only the device can see.
use super::preference::{Numbers, Place};
use super::{INF, NAN, STREAM, Scratch, memory, vector};
use truing_core::Dtype;
use truing_core::advantage::{
    self as spec, Baseline, BatchStep, EpsKind, GroupOptions, Masks, Order, Scale, Single, StdKind,
};
use truing_core::catalog::{self, Kind};
use truing_core::error::row;
use truing_core::matrix::{Floats, FloatsMut, Layout as Shape, Matrix, MatrixMut};
use truing_core::sequence::Segments;
use truing_cpu::advantage as cpu;
use truing_cuda::advantage::{self as device, Layout};
use truing_cuda::{Context, Tensor};
use truing_tests::{Random, same, with_scratch};

const BASELINES: [Baseline; 6] = [
    Baseline::None,
    Baseline::Group,
    Baseline::LeaveOneOut,
    Baseline::Batch,
    Baseline::LengthWeighted,
    Baseline::BestOfGroup,
];
const SCALES: [Scale; 6] =
    [Scale::None, Scale::GroupStd, Scale::BatchStd, Scale::LeaveOneOutStd, Scale::GroupMean, Scale::NonzeroShare];
/// A table in the CPU's form; all of it is f32 or f64.
fn table(x: &Numbers, rows: usize, cols: usize) -> Floats<'_> {
    match x {
        Numbers::Narrow(x) => x.view(Shape::contiguous(rows, cols)),
        Numbers::Wide(x) => Matrix::contiguous(x, rows, cols).unwrap().into(),
    }
}
fn table_of(x: &Numbers, rows: usize, cols: usize) -> Tensor {
    Tensor { layout: Shape::contiguous(rows, cols), ..x.device() }
}
fn view<'a>(on: bool, x: &'a mut Place) -> Option<FloatsMut<'a>> {
    on.then(|| x.cpu())
}
/// A place in the CPU's form, its rows where the shape has them.
pub(super) fn within(x: &mut Place, shape: Shape) -> FloatsMut<'_> {
    match x {
        Place::Wide(x) => MatrixMut::new(x, shape).unwrap().into(),
        Place::Narrow(x) => MatrixMut::new(x, shape).unwrap().into(),
    }
}
fn given(on: bool, x: &Place) -> Option<Tensor> {
    on.then(|| x.device())
}
/// Rewards of rows in groups: ties, rows that are missing, groups of none, of one, of equal rewards, of many.
struct Case {
    offsets: Vec<i32>,
    ids: Vec<i64>,
    lengths: Vec<i32>,
    rewards: Numbers,
}
const GROUPS: usize = 9;
impl Case {
    fn new(seed: u64, kind: usize, objectives: usize, o: &GroupOptions, shuffled: bool) -> Case {
        let mut r = Random(seed);
        // pass_k has no answer for one row
        let least = if o.baseline == Baseline::BestOfGroup { 3 } else { 0 };
        let sizes: [usize; GROUPS] = [5, least, 1 + least, 40, 6, 100, 2 + least / 2, 8, 33];
        let mut ids: Vec<i64> = sizes.iter().enumerate().flat_map(|(g, n)| vec![g as i64; *n]).collect();
        let n = ids.len();
        let mut offsets = vec![0i32];
        sizes.iter().for_each(|n| offsets.push(offsets.last().unwrap() + *n as i32));
        if shuffled {
            (1..n).rev().for_each(|i| ids.swap(i, r.below(i + 1)));
        }
        let missing = o.baseline != Baseline::BestOfGroup;
        let rewards = (0..n * objectives).map(|at| {
            let group = ids[at / objectives];
            let x = match r.below(6) {
                0 => 0.0,
                1 => 1.0,
                2 => -0.0,
                3 if missing => NAN as f64,
                _ => 1e3 + r.normal(),
            };
            if group == 4 { 0.1 } else { x }
        });
        let rewards = rewards.collect();
        Case {
            offsets,
            lengths: ids.iter().map(|&g| if g == 7 { 0 } else { r.below(50) as i32 }).collect(),
            ids,
            rewards: Numbers::new(kind, rewards),
        }
    }
    fn cpu(&self, shuffled: bool) -> spec::Groups<'_> {
        match shuffled {
            true => spec::Groups::Ids { ids: Matrix::vector(&self.ids).into(), groups: GROUPS },
            false => spec::Groups::Offsets(Matrix::vector(&self.offsets).into()),
        }
    }
    fn device(&self, shuffled: bool) -> device::Groups {
        match shuffled {
            true => device::Groups::Ids { ids: vector(&self.ids, Dtype::I64), groups: GROUPS },
            false => device::Groups::Offsets(vector(&self.offsets, Dtype::I32)),
        }
    }
}

pub(super) fn all(context: &Context) -> usize {
    let (mut done, mut seed) = (0, 0);
    for baseline in BASELINES {
        for scale in SCALES {
            for shuffled in [false, true] {
                seed += 1;
                let o = GroupOptions {
                    baseline,
                    scale,
                    std_kind: if seed % 3 == 0 { StdKind::Population } else { StdKind::Unbiased },
                    eps_kind: if seed % 4 == 1 { EpsKind::SkipZero } else { EpsKind::Add },
                    single: if seed % 2 == 0 { Single::Raw } else { Single::Zero },
                    eps: [1e-4, 0.0][seed as usize / 2 % 2],
                    f_norm: 1.5,
                };
                done += groups(context, o, shuffled, seed);
                // the centred sum of objectives may be anything
                done += objectives(context, o, shuffled, seed);
                for order in [Order::SumFirst, Order::NormaliseFirst] {
                    done += objectives_backward(context, o, order, shuffled, seed);
                }
            }
        }
    }
    for kind in 0..4 {
        for masks in [Masks::Carry, Masks::Zero, Masks::Ignore] {
            for way in 0..8 {
                done += gae(context, kind, masks, way) + gae_backward(context, kind, masks, way);
            }
        }
        for way in 0..16 {
            done += token_reward(context, kind, way);
        }
        for eps in [EpsKind::Add, EpsKind::SkipZero, EpsKind::VarianceAdd, EpsKind::VarianceMax] {
            for way in 0..6 {
                done += whiten(context, kind, eps, way);
            }
        }
    }
    done + outside(context) + nothing(context)
}
fn groups(context: &Context, options: GroupOptions, shuffled: bool, seed: u64) -> usize {
    let kind = seed as usize % 4;
    let c = Case::new(seed, kind, 1, &options, shuffled);
    let (n, wide) = (c.ids.len(), seed % 2 == 0);
    let with = options.baseline == Baseline::LengthWeighted;
    let x = spec::GroupAdvantage {
        rewards: table(&c.rewards, n, 1),
        groups: c.cpu(shuffled),
        lengths: with.then(|| Matrix::vector(&c.lengths).into()),
        options,
    };
    let new = || ([Place::new(wide, n), Place::new(wide, GROUPS), Place::new(wide, GROUPS)], vec![9u32; GROUPS]);
    let (mut want, mut got) = (new(), new());
    let [a, m, s] = &mut want.0;
    let out = spec::GroupAdvantageOut {
        advantages: Some(a.cpu()),
        mean: Some(m.cpu()),
        std: Some(s.cpu()),
        status: Some(MatrixMut::vector(&mut want.1)),
    };
    let what = format!("{options:?}, shuffled {shuffled}");
    with_scratch(cpu::group_advantage_workspace(&x).minimum, |w| cpu::group_advantage(&x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::GroupAdvantage {
        rewards: table_of(&c.rewards, n, 1),
        groups: c.device(shuffled),
        lengths: with.then(|| vector(&c.lengths, Dtype::I32)),
        options,
    };
    let out = device::GroupAdvantageOut {
        advantages: Some(got.0[0].device()),
        mean: Some(got.0[1].device()),
        std: Some(got.0[2].device()),
        status: Some(vector(&got.1, Dtype::U32)),
    };
    let space = Scratch::new(device::group_advantage_workspace(&x).minimum);
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::group_advantage(context, STREAM, &x, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.iter_mut().for_each(Place::fetch);
    memory::down(&mut got.1);
    memory::clear();
    same(&format!("{what}: status"), &got.1, &want.1);
    let names = ["advantages", "mean", "std"];
    GROUPS + (0..3).map(|k| got.0[k].check(&format!("{what}: {}", names[k]), &want.0[k])).sum::<usize>()
}
fn objectives(context: &Context, options: GroupOptions, shuffled: bool, seed: u64) -> usize {
    let k = 3;
    let c = Case::new(seed + 100, seed as usize % 4, k, &options, shuffled);
    let (n, wide) = (c.ids.len(), seed % 2 == 1);
    let (mut r, with) = (Random(seed), options.baseline == Baseline::LengthWeighted);
    let of_row = seed % 3 == 0;
    let weights = Numbers::new(
        [0, 3][seed as usize % 2],
        (0..if of_row { n * k } else { k }).map(|_| 0.25 + r.uniform()).collect(),
    );
    let order = if seed % 5 < 2 { Order::SumFirst } else { Order::NormaliseFirst };
    let step = match order {
        Order::SumFirst => BatchStep::None,
        _ => [BatchStep::None, BatchStep::Standardise, BatchStep::Scale][seed as usize % 3],
    };
    let x = spec::MultiObjective {
        rewards: table(&c.rewards, n, k),
        weights: Some(match of_row {
            true => spec::Weights::OfRow(table(&weights, n, k)),
            false => spec::Weights::Shared(weights.cpu()),
        }),
        groups: c.cpu(shuffled),
        lengths: with.then(|| Matrix::vector(&c.lengths).into()),
        options,
        order,
        batch_step: step,
        batch_eps: 1e-4,
    };
    let new = || ([Place::new(wide, n), Place::new(wide, n)], vec![9u32; n]);
    let (mut want, mut got) = (new(), new());
    let [a, m] = &mut want.0;
    let out = spec::MultiObjectiveOut {
        advantages: Some(a.cpu()),
        combined: Some(m.cpu()),
        status: Some(MatrixMut::vector(&mut want.1)),
    };
    let what = format!("{order:?}, {step:?}, {options:?}, shuffled {shuffled}");
    with_scratch(cpu::multi_objective_workspace(&x).minimum, |w| cpu::multi_objective(&x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::MultiObjective {
        rewards: table_of(&c.rewards, n, k),
        weights: Some(match of_row {
            true => device::Weights::OfRow(table_of(&weights, n, k)),
            false => device::Weights::Shared(weights.device()),
        }),
        groups: c.device(shuffled),
        lengths: with.then(|| vector(&c.lengths, Dtype::I32)),
        options,
        order,
        batch_step: step,
        batch_eps: 1e-4,
    };
    let out = device::MultiObjectiveOut {
        advantages: Some(got.0[0].device()),
        combined: Some(got.0[1].device()),
        status: Some(vector(&got.1, Dtype::U32)),
    };
    let space = Scratch::new(device::multi_objective_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::multi_objective(context, STREAM, &x, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.iter_mut().for_each(Place::fetch);
    memory::down(&mut got.1);
    memory::clear();
    let done = got.0[1].check(&format!("{what}: combined"), &want.0[1]);
    same(&format!("{what}: status"), &got.1, &want.1);
    done + n + got.0[0].check(&format!("{what}: advantages"), &want.0[0])
}
fn objectives_backward(context: &Context, options: GroupOptions, order: Order, shuffled: bool, seed: u64) -> usize {
    let (sums, k) = (order == Order::SumFirst, 3);
    let offered = !matches!(options.baseline, Baseline::LengthWeighted | Baseline::BestOfGroup)
        && matches!(options.scale, Scale::None | Scale::GroupStd | Scale::BatchStd);
    if sums && !offered {
        return 0;
    }
    let c = Case::new(seed + 200, seed as usize % 4, k, &options, shuffled);
    let (n, wide, of_row) = (c.ids.len(), seed % 2 == 1, seed % 3 == 0);
    let (mut r, with) = (Random(seed), options.baseline == Baseline::LengthWeighted);
    let many = if of_row { n * k } else { k };
    let weights = Numbers::new([0, 3][seed as usize % 2], (0..many).map(|_| 0.25 + r.uniform()).collect());
    // rows without a reward are not read
    let missing = |i: usize| (0..k).all(|j| table(&c.rewards, n, k).at(i, j).is_nan());
    let upstream = (0..n).map(|i| match r.below(9) {
        _ if missing(i) => NAN as f64,
        0 => 0.0,
        1 if seed % 7 == 0 => INF as f64,
        _ => r.normal(),
    });
    let upstream = Numbers::new((seed as usize + 1) % 4, upstream.collect());
    let batch_step = match order {
        Order::SumFirst => BatchStep::None,
        _ => [BatchStep::None, BatchStep::Standardise, BatchStep::Scale][seed as usize / 2 % 3],
    };
    let batch_eps = [1e-4, 0.0][seed as usize % 2];
    let x = spec::MultiObjective {
        rewards: table(&c.rewards, n, k),
        weights: (seed % 5 != 1).then(|| match of_row {
            true => spec::Weights::OfRow(table(&weights, n, k)),
            false => spec::Weights::Shared(weights.cpu()),
        }),
        groups: c.cpu(shuffled),
        lengths: with.then(|| Matrix::vector(&c.lengths).into()),
        options,
        order,
        batch_step,
        batch_eps,
    };
    let of_row = matches!(x.weights, Some(spec::Weights::OfRow(_)));
    let shape = if of_row { Shape::contiguous(n, k) } else { Shape::contiguous(k, 1) };
    let (mut want, mut got) =
        (Place::new(wide, shape.rows() * shape.cols), Place::new(wide, shape.rows() * shape.cols));
    let what = format!("backward, {order:?}, {batch_step:?}, {options:?}, shuffled {shuffled}");
    let grad = spec::MultiObjectiveGrad { grad_advantages: upstream.cpu(), grad_weights: within(&mut want, shape) };
    with_scratch(cpu::multi_objective_workspace(&x).minimum, |w| cpu::multi_objective_backward(&x, grad, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let given = x.weights.is_some();
    let x = device::MultiObjective {
        rewards: table_of(&c.rewards, n, k),
        weights: given.then(|| match of_row {
            true => device::Weights::OfRow(table_of(&weights, n, k)),
            false => device::Weights::Shared(weights.device()),
        }),
        groups: c.device(shuffled),
        lengths: with.then(|| vector(&c.lengths, Dtype::I32)),
        options,
        order,
        batch_step,
        batch_eps,
    };
    let grad = device::MultiObjectiveGrad {
        grad_advantages: upstream.device(),
        grad_weights: Tensor { layout: shape, ..got.device() },
    };
    let space = Scratch::new(device::multi_objective_backward_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::multi_objective_backward(context, STREAM, &x, &grad, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.fetch();
    memory::clear();
    got.check(&what, &want)
}
/// No row at all: sums of nothing.
fn nothing(context: &Context) -> usize {
    let (none, mut grads) = (vector::<f64>(&[], Dtype::F64), vec![7.5f64; 2]);
    for (order, batch_step) in [
        (Order::SumFirst, BatchStep::None),
        (Order::NormaliseFirst, BatchStep::None),
        (Order::NormaliseFirst, BatchStep::Scale),
    ] {
        grads.fill(7.5);
        let x = device::MultiObjective {
            rewards: Tensor { layout: Shape::contiguous(0, 2), ..none },
            weights: None,
            groups: device::Groups::Offsets(vector(&[0i32, 0], Dtype::I32)),
            lengths: None,
            options: GroupOptions::preset(spec::Preset::GrpoBatchStd),
            order,
            batch_step,
            batch_eps: 0.0,
        };
        let grad = device::MultiObjectiveGrad { grad_advantages: none, grad_weights: vector(&grads, Dtype::F64) };
        let space = Scratch::new(device::multi_objective_backward_workspace(&x).minimum);
        // SAFETY: as above.
        unsafe { device::multi_objective_backward(context, STREAM, &x, &grad, space.space()) }.unwrap();
        memory::down(&mut grads);
        memory::clear();
        assert_eq!(std::hint::black_box(&grads)[..], [0.0; 2], "{order:?}, {batch_step:?}");
    }
    6
}

const OFFSETS: [i32; 8] = [0, 0, 1, 33, 65, 66, 180, 300];
fn tokens(n: usize, seed: u64, hostile: bool) -> (Vec<f64>, Vec<u8>) {
    let mut r = Random(seed);
    let mut x: Vec<f64> = (0..n).map(|_| r.normal()).collect();
    if hostile {
        (x[70], x[100], x[250], x[280]) = (NAN as f64, INF as f64, 3e38, 3e38);
    }
    let mut mask: Vec<u8> = (0..n).map(|_| (r.below(4) > 0) as u8).collect();
    mask[OFFSETS[2] as usize..OFFSETS[3] as usize].fill(0);
    (x, mask)
}
fn layouts(packed: bool, n: usize) -> (Segments<'static>, usize) {
    match packed {
        true => (Segments::Packed(Matrix::vector(&OFFSETS).into()), OFFSETS.len() - 1),
        false => (Segments::Padded { sequences: 4, width: n / 4 }, 4),
    }
}
fn layout(packed: bool, n: usize) -> Layout {
    match packed {
        true => Layout::Packed { tokens: n, offsets: vector(&OFFSETS, Dtype::I32) },
        false => Layout::Padded { sequences: 4, width: n / 4 },
    }
}
fn params(way: usize, values: bool) -> spec::GaeParams {
    let given: &[f64] = match way {
        _ if !values => &[0.97],
        0 | 1 => &[0.99, 0.95],
        2 => &[0.9, 0.95, 1.0],
        3 => &[1.0, f64::NAN, 0.9, 0.05],
        4 => &[0.0, 0.5],
        5 => &[1.0, 0.0, 0.0],
        _ => &[1.0],
    };
    spec::GaeParams::new(given, values).unwrap()
}
fn gae(context: &Context, kind: usize, masks: Masks, way: usize) -> usize {
    let (n, packed, wide, values) = (300, way % 2 == 0, way % 3 == 0, way != 6 && way != 7);
    let hostile = way % 4 == 1 || way == 4 || way == 7;
    let (r, mask) = tokens(n, way as u64 + 7, hostile);
    let v = tokens(n, way as u64 + 70, hostile && kind == 3).0;
    let (r, v) = (Numbers::new(kind, r), Numbers::new((kind + 1) % 4, v));
    let (segments, b) = layouts(packed, n);
    let ends = Numbers::new(3, (0..b).map(|k| if hostile && k == 3 { INF as f64 } else { k as f64 }).collect());
    let (end, masked) = (way > 2, way != 5);
    let p = params(way, values);
    let x = spec::Gae {
        segments,
        rewards: Some(r.cpu()),
        values: values.then(|| v.cpu()),
        value_end: end.then(|| ends.cpu()),
        baseline: (!values).then(|| ends.cpu()),
        mask: masked.then(|| Matrix::vector(&mask).into()),
        masks,
        params: p,
    };
    let new = || ([Place::new(wide, n), Place::new(wide, n)], vec![9u32; b]);
    let (mut want, mut got) = (new(), new());
    let [a, g] = &mut want.0;
    let both = way != 2;
    let out = spec::GaeOut {
        advantages: Some(a.cpu()),
        returns: view(both, g),
        status: Some(MatrixMut::vector(&mut want.1)),
    };
    let what = format!("gae {kind} {masks:?} {way}");
    cpu::gae(&truing_cpu::Context::default(), &x, out).unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::Gae {
        layout: layout(packed, n),
        rewards: Some(r.device()),
        values: values.then(|| v.device()),
        value_end: end.then(|| ends.device()),
        baseline: (!values).then(|| ends.device()),
        mask: masked.then(|| vector(&mask, Dtype::U8)),
        masks,
        params: p,
    };
    let out = device::GaeOut {
        advantages: Some(got.0[0].device()),
        returns: given(both, &got.0[1]),
        status: Some(vector(&got.1, Dtype::U32)),
    };
    // SAFETY: as above.
    unsafe { device::gae(context, STREAM, &x, &out) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.iter_mut().for_each(Place::fetch);
    memory::down(&mut got.1);
    memory::clear();
    same(&format!("{what}: status"), &got.1, &want.1);
    b + got.0[0].check(&format!("{what}: advantages"), &want.0[0])
        + got.0[1].check(&format!("{what}: returns"), &want.0[1])
}
fn gae_backward(context: &Context, kind: usize, masks: Masks, way: usize) -> usize {
    let (n, packed, wide) = (300, way % 2 == 0, way % 3 == 0);
    let (g, mask) = tokens(n, way as u64 + 9, way == 1);
    let h = tokens(n, way as u64 + 90, false).0;
    let (g, h) = (Numbers::new(kind, g), Numbers::new((kind + 1) % 4, h));
    let (segments, b) = layouts(packed, n);
    let p = params(way.min(5), true);
    let (masked, second) = (way != 5, way != 2);
    let x = spec::Gae {
        segments,
        rewards: None,
        values: None,
        value_end: None,
        baseline: None,
        mask: masked.then(|| Matrix::vector(&mask).into()),
        masks,
        params: p,
    };
    let new = || [Place::new(wide, n), Place::new(!wide, n), Place::new(wide, b)];
    let (mut want, mut got) = (new(), new());
    let [r, v, e] = &mut want;
    let grad = spec::GaeGrad {
        grad_advantages: Some(g.cpu()),
        grad_returns: second.then(|| h.cpu()),
        grad_rewards: Some(r.cpu()),
        grad_values: Some(v.cpu()),
        grad_value_end: Some(e.cpu()),
    };
    let what = format!("gae backward {kind} {masks:?} {way}");
    cpu::gae_backward(&truing_cpu::Context::default(), &x, n, grad).unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::Gae {
        layout: layout(packed, n),
        rewards: None,
        values: None,
        value_end: None,
        baseline: None,
        mask: masked.then(|| vector(&mask, Dtype::U8)),
        masks,
        params: p,
    };
    let grad = device::GaeGrad {
        grad_advantages: Some(g.device()),
        grad_returns: second.then(|| h.device()),
        grad_rewards: Some(got[0].device()),
        grad_values: Some(got[1].device()),
        grad_value_end: Some(got[2].device()),
    };
    // SAFETY: as above.
    unsafe { device::gae_backward(context, STREAM, &x, &grad) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    got.iter_mut().for_each(Place::fetch);
    memory::clear();
    let names = ["rewards", "values", "value_end"];
    (0..3).map(|k| got[k].check(&format!("{what}: {}", names[k]), &want[k])).sum()
}
fn token_reward(context: &Context, kind: usize, way: usize) -> usize {
    let (n, packed, by_sequence, wide) = (300, way % 2 == 0, way % 3 == 0, way % 5 == 0);
    let hostile = way % 4 > 1;
    let (old, mask) = tokens(n, way as u64 + 20, hostile);
    let (mut reference, masked) = (tokens(n, way as u64 + 40, false).0, way != 5);
    if hostile {
        (reference[71], reference[100], reference[210]) = (NAN as f64, INF as f64, -INF as f64);
    }
    let (old, reference) = (Numbers::new(kind, old), Numbers::new((kind + 1) % 4, reference));
    let (segments, b) = layouts(packed, n);
    let ends = (0..b).map(|k| match k {
        3 if hostile => [NAN, INF][way / 4 % 2] as f64,
        _ => k as f64 - 2.0,
    });
    let (ends, given) = (Numbers::new(3, ends.collect()), way != 7);
    let estimator = catalog::find(Kind::Estimator, ["k1", "k2", "k3", "abs"][way / 4]).unwrap().about.id;
    let params: &[f64] = match way % 4 {
        0 => &[0.1],
        1 => &[0.05, 0.3, -1.0, 1.5],
        2 => &[0.0, 2.0],
        _ => &[0.2],
    };
    let params = spec::TokenReward::params(params).unwrap();
    let x = spec::TokenReward {
        segments,
        old: old.cpu(),
        reference: reference.cpu(),
        rewards: given.then(|| ends.cpu()),
        mask: masked.then(|| Matrix::vector(&mask).into()),
        by_sequence,
        estimator,
        params,
    };
    let m = if by_sequence { b } else { n };
    let new = || ([Place::new(wide, m), Place::new(!wide, b)], vec![9u32; b]);
    let (mut want, mut got) = (new(), new());
    let [r, k] = &mut want.0;
    let status = Some(MatrixMut::vector(&mut want.1));
    let out = spec::TokenRewardOut { rewards: Some(r.cpu()), kl: Some(k.cpu()), status };
    let what = format!("token_reward {kind} {way}");
    cpu::token_reward(&truing_cpu::Context::default(), &x, out).unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::TokenReward {
        layout: layout(packed, n),
        old: old.device(),
        reference: reference.device(),
        rewards: given.then(|| ends.device()),
        mask: masked.then(|| vector(&mask, Dtype::U8)),
        by_sequence,
        estimator,
        params,
    };
    let out = device::TokenRewardOut {
        rewards: Some(got.0[0].device()),
        kl: Some(got.0[1].device()),
        status: Some(vector(&got.1, Dtype::U32)),
    };
    // SAFETY: as above.
    unsafe { device::token_reward(context, STREAM, &x, &out) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.iter_mut().for_each(Place::fetch);
    memory::down(&mut got.1);
    memory::clear();
    same(&format!("{what}: status"), &got.1, &want.1);
    b + got.0[0].check(&format!("{what}: rewards"), &want.0[0]) + got.0[1].check(&format!("{what}: kl"), &want.0[1])
}
fn whiten(context: &Context, kind: usize, eps_kind: EpsKind, way: usize) -> usize {
    let n = [0, 1, 40, 1024, 2500, 5000][way];
    let mut r = Random(way as u64 + 3);
    let mut values: Vec<f64> = (0..n).map(|_| 50.0 + r.normal()).collect();
    if way == 4 {
        (values[1030], values[2000]) = ([NAN, INF][kind % 2] as f64, 0.0);
    }
    let mask: Vec<u8> = (0..n).map(|_| (r.below(5) > 0) as u8).collect();
    let counts: Vec<i32> = (0..n).map(|_| r.below(4) as i32).collect();
    let states = [3.0f64, 50.0, 2.5, 0.0, 0.0, 0.0, 100.0, 49.0, 90.0];
    let (wide, masked, counted, ranks) = (way % 2 == 0, kind != 1, kind == 2, kind == 3 && way > 1);
    let (values, keep_mean) = (Numbers::new(kind, values), kind == 0);
    let std_kind = if way % 2 == 0 { StdKind::Unbiased } else { StdKind::Population };
    let x = spec::Whiten {
        values: values.cpu(),
        mask: masked.then(|| Matrix::vector(&mask).into()),
        counts: counted.then(|| Matrix::vector(&counts).into()),
        states: ranks.then(|| Matrix::contiguous(&states, 3, 3).unwrap()),
        std_kind,
        eps_kind,
        keep_mean,
        eps: 1e-8,
    };
    let new = || ([Place::new(wide, n), Place::new(wide, 2)], [8.0f64; 3], [9u32]);
    let (mut want, mut got) = (new(), new());
    let [v, m] = &mut want.0;
    let out = spec::WhitenOut {
        values: Some(v.cpu()),
        state: Some(MatrixMut::vector(&mut want.1)),
        moments: Some(m.cpu()),
        status: Some(MatrixMut::vector(&mut want.2)),
    };
    let what = format!("whiten {kind} {eps_kind:?} {way}");
    let context_of_cpu = truing_cpu::Context::default();
    with_scratch(cpu::whiten_workspace(&x).minimum, |w| cpu::whiten(&context_of_cpu, &x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::Whiten {
        values: values.device(),
        mask: masked.then(|| vector(&mask, Dtype::U8)),
        counts: counted.then(|| vector(&counts, Dtype::I32)),
        states: ranks.then(|| Tensor { layout: Shape::contiguous(3, 3), ..vector(&states, Dtype::F64) }),
        std_kind,
        eps_kind,
        keep_mean,
        eps: 1e-8,
    };
    let out = device::WhitenOut {
        values: Some(got.0[0].device()),
        state: Some(vector(&got.1, Dtype::F64)),
        moments: Some(got.0[1].device()),
        status: Some(vector(&got.2, Dtype::U32)),
    };
    let space = Scratch::new(device::whiten_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::whiten(context, STREAM, &x, &out, space.space()) }.unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.iter_mut().for_each(Place::fetch);
    memory::down(&mut got.1);
    memory::down(&mut got.2);
    memory::clear();
    same(&format!("{what}: state"), &got.1, &want.1);
    same(&format!("{what}: status"), &got.2, &want.2);
    4 + got.0[0].check(&format!("{what}: values"), &want.0[0]) + got.0[1].check(&format!("{what}: moments"), &want.0[1])
}

/// Rewards, ids, offsets and counts that only the device can see.
fn outside(context: &Context) -> usize {
    let bad = row::OUT_OF_RANGE;
    let rewards = [1.0f64, 2.0, f64::INFINITY, 0.0, 3.0, 4.0];
    let ids = [0i32, 0, 1, 1, 2, -1];
    let run = |groups: device::Groups, options: GroupOptions| {
        let (mut a, mut status) = (vec![7.0f64; 6], vec![9u32; 3]);
        let x = device::GroupAdvantage { rewards: vector(&rewards, Dtype::F64), groups, lengths: None, options };
        let out = device::GroupAdvantageOut {
            advantages: Some(vector(&a, Dtype::F64)),
            status: Some(vector(&status, Dtype::U32)),
            ..Default::default()
        };
        let space = Scratch::new(device::group_advantage_workspace(&x).minimum);
        // SAFETY: as above.
        unsafe { device::group_advantage(context, STREAM, &x, &out, space.space()) }.unwrap();
        memory::down(&mut a);
        memory::down(&mut status);
        memory::clear();
        (std::hint::black_box(a).iter().map(|x| x.is_nan()).collect::<Vec<_>>(), std::hint::black_box(status))
    };
    let dr = GroupOptions::preset(spec::Preset::DrGrpo);
    let of_ids = || device::Groups::Ids { ids: vector(&ids, Dtype::I32), groups: 3 };
    assert_eq!(run(of_ids(), dr), (vec![false, false, true, true, false, true], vec![0, bad, row::DEGENERATE]));
    assert_eq!(run(of_ids(), GroupOptions::preset(spec::Preset::BatchBaseline)), (vec![true; 6], vec![bad; 3]));
    // a group of one has no second
    let best = run(of_ids(), GroupOptions::preset(spec::Preset::PassK));
    assert_eq!(best, (vec![false, false, true, true, true, true], vec![0, bad, bad]));
    let offsets = [0i32, 2, 40, 6];
    let wrong = run(device::Groups::Offsets(vector(&offsets, Dtype::I32)), dr);
    assert_eq!((&wrong.0[..2], &wrong.1[..]), (&[false, false][..], &[0, bad, bad][..]));
    // several objectives: nothing is computed
    let (mut a, mut status) = (vec![7.0f64; 3], vec![9u32; 3]);
    let x = device::MultiObjective {
        rewards: Tensor { layout: Shape::contiguous(3, 2), ..vector(&rewards, Dtype::F64) },
        weights: None,
        groups: device::Groups::Offsets(vector(&[0i32, 2, 3], Dtype::I32)),
        lengths: None,
        options: dr,
        order: Order::NormaliseFirst,
        batch_step: BatchStep::Standardise,
        batch_eps: 0.0,
    };
    let out = device::MultiObjectiveOut {
        advantages: Some(vector(&a, Dtype::F64)),
        status: Some(vector(&status, Dtype::U32)),
        combined: None,
    };
    let space = Scratch::new(device::multi_objective_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::multi_objective(context, STREAM, &x, &out, space.space()) }.unwrap();
    memory::down(&mut a);
    memory::down(&mut status);
    memory::clear();
    assert_eq!(std::hint::black_box(&status)[..], [bad; 3]);
    assert!(std::hint::black_box(&a).iter().all(|x| x.is_nan()));
    // and no gradient: of a reward, of an id, of a group that has no second
    let (good, upstream) = ([1.0f64, 2.0, 3.0, 0.0, 3.0, 4.0], [1.0f64, -1.0, 0.5]);
    let runs = [
        (&rewards, [0i32, 0, 1], Order::SumFirst, dr),
        (&good, [0, 2, 1], Order::SumFirst, dr),
        (&good, [0, 0, 1], Order::NormaliseFirst, GroupOptions::preset(spec::Preset::PassK)),
        (&good, [0, 0, 1], Order::NormaliseFirst, dr),
    ];
    for (k, (rewards, ids, order, options)) in runs.into_iter().enumerate() {
        let mut grads = vec![7.0f64; 2];
        let x = device::MultiObjective {
            rewards: Tensor { layout: Shape::contiguous(3, 2), ..vector(rewards, Dtype::F64) },
            weights: None,
            groups: device::Groups::Ids { ids: vector(&ids, Dtype::I32), groups: 2 },
            lengths: None,
            options,
            order,
            batch_step: BatchStep::None,
            batch_eps: 0.0,
        };
        let grad = device::MultiObjectiveGrad {
            grad_advantages: vector(&upstream, Dtype::F64),
            grad_weights: vector(&grads, Dtype::F64),
        };
        let space = Scratch::new(device::multi_objective_backward_workspace(&x).minimum);
        // SAFETY: as above.
        unsafe { device::multi_objective_backward(context, STREAM, &x, &grad, space.space()) }.unwrap();
        memory::down(&mut grads);
        memory::clear();
        assert!(std::hint::black_box(&grads).iter().all(|x| x.is_nan() == (k < 3)), "{k}: {grads:?}");
    }
    // negative counts
    let (values, counts, mut word) = ([1.0f32, 2.0, 3.0], [1i32, -1, 2], vec![9u32]);
    let x = device::Whiten {
        values: vector(&values, Dtype::F32),
        mask: None,
        counts: Some(vector(&counts, Dtype::I32)),
        states: None,
        std_kind: StdKind::Unbiased,
        eps_kind: EpsKind::Add,
        keep_mean: false,
        eps: 0.0,
    };
    let out = device::WhitenOut { status: Some(vector(&word, Dtype::U32)), ..Default::default() };
    let space = Scratch::new(device::whiten_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::whiten(context, STREAM, &x, &out, space.space()) }.unwrap();
    memory::down(&mut word);
    memory::clear();
    assert_eq!(std::hint::black_box(word), [bad]);
    // offsets of sequences
    let mut status = vec![9u32; 2];
    let x = device::Gae {
        layout: Layout::Packed { tokens: 6, offsets: vector(&[0i32, 9, 6], Dtype::I32) },
        rewards: Some(vector(&rewards, Dtype::F64)),
        values: None,
        value_end: None,
        baseline: None,
        mask: None,
        masks: Masks::Carry,
        params: params(0, false),
    };
    let out = device::GaeOut { status: Some(vector(&status, Dtype::U32)), ..Default::default() };
    // SAFETY: as above.
    unsafe { device::gae(context, STREAM, &x, &out) }.unwrap();
    memory::down(&mut status);
    memory::clear();
    assert_eq!(std::hint::black_box(status), [bad; 2]);
    40
}
