//! Baselines of tokens and returns of process rewards on the stand-in device, against the CPU's bits; what only the device
//! can see.
use super::preference::{Numbers, Place};
use super::{INF, NAN, STREAM, Scratch, memory, vector};
use truing_core::Dtype;
use truing_core::advantage::{self as spec, Alignment};
use truing_core::error::row;
use truing_core::matrix::{Matrix, MatrixMut};
use truing_core::sequence::Segments;
use truing_cpu::advantage as cpu;
use truing_cuda::Context;
use truing_cuda::advantage::{self as device, Layout};
use truing_tests::{Random, same, with_scratch};

/// Sequences of no token, one, a warp of them and beyond, the third without a live one.
const OFFSETS: [i64; 12] = [0, 0, 1, 33, 65, 66, 180, 300, 340, 355, 372, 375];
const ROWS: usize = OFFSETS.len() - 1;
const TOKENS: usize = 375;
/// Groups of rows: of one where that is allowed, of none, of many.
const GROUPS: [[i32; 6]; 2] = [[0, 4, 4, 6, 9, 11], [0, 4, 5, 5, 6, 11]];
/// Rows of padded sequences.
const PADDED: usize = 5;

struct Case {
    values: [Vec<f64>; 4],
    mask: Vec<i32>,
    ids: Vec<i64>,
    offsets: Vec<i32>,
    packed: bool,
    by_ids: bool,
}
impl Case {
    fn new(seed: u64, way: usize, singles: bool) -> Case {
        let mut r = Random(seed);
        let (packed, by_ids) = (way % 2 == 0, way % 4 > 1);
        let rows = if packed { ROWS } else { PADDED };
        let offsets = match packed {
            true => GROUPS[singles as usize].to_vec(),
            false => vec![0, 2, 2, PADDED as i32],
        };
        let groups = offsets.len() - 1;
        // the rows of a group are as many with ids, and anywhere
        let mut ids: Vec<i64> =
            (0..groups).flat_map(|g| vec![g as i64; (offsets[g + 1] - offsets[g]) as usize]).collect();
        (1..rows).rev().for_each(|i| ids.swap(i, r.below(i + 1)));
        let mut mask: Vec<i32> = (0..TOKENS).map(|_| (r.below(4) > 0) as i32).collect();
        mask[OFFSETS[2] as usize..OFFSETS[3] as usize].fill(0);
        let logps: Vec<f64> = (0..TOKENS).map(|_| -3.0 * r.uniform() * r.uniform()).collect();
        let values = [
            (0..TOKENS).map(|_| [0.0, 1.0, r.normal()][r.below(3)]).collect(),
            logps.clone(),
            logps.iter().map(|l| 2.0 * l + 0.2 * r.normal()).collect(),
            (0..TOKENS).map(|_| 0.5 + r.uniform()).collect(),
        ];
        Case { values, mask, ids, offsets, packed, by_ids }
    }
    fn rows(&self) -> usize {
        if self.packed { ROWS } else { PADDED }
    }
    fn segments(&self) -> Segments<'static> {
        match self.packed {
            true => Segments::Packed(Matrix::vector(&OFFSETS).into()),
            false => Segments::Padded { sequences: PADDED, width: TOKENS / PADDED },
        }
    }
    fn layout(&self) -> Layout {
        match self.packed {
            true => Layout::Packed { tokens: TOKENS, offsets: vector(&OFFSETS, Dtype::I64) },
            false => Layout::Padded { sequences: PADDED, width: TOKENS / PADDED },
        }
    }
    fn groups(&self) -> spec::Groups<'_> {
        match self.by_ids {
            true => spec::Groups::Ids { ids: Matrix::vector(&self.ids).into(), groups: self.offsets.len() - 1 },
            false => spec::Groups::Offsets(Matrix::vector(&self.offsets).into()),
        }
    }
    fn on_device(&self) -> device::Groups {
        match self.by_ids {
            true => device::Groups::Ids { ids: vector(&self.ids, Dtype::I64), groups: self.offsets.len() - 1 },
            false => device::Groups::Offsets(vector(&self.offsets, Dtype::I32)),
        }
    }
}

pub(super) fn all(context: &Context) -> usize {
    let mut done = 0;
    for kind in 0..4 {
        for way in 0..16 {
            done += optimal(context, kind, way) + prime(context, kind, way);
        }
    }
    done + nothing(context) + outside(context)
}

fn optimal(context: &Context, kind: usize, way: usize) -> usize {
    let mut c = Case::new(way as u64 + 1, way, true);
    let (hostile, wide, masked, weighted) = (way % 5 == 2, way % 3 == 0, way % 7 != 3, way > 7);
    if hostile {
        let odd = [NAN as f64, INF as f64, -INF as f64, 3e38];
        (0..4).for_each(|k| (c.values[k][150 + 9 * k], c.values[k][310 + 5 * k]) = (odd[k], odd[3 - k]));
        c.mask[150..345].fill(1);
    }
    let alignment = if way / 4 % 2 == 0 { Alignment::Position } else { Alignment::LiveIndex };
    let [rewards, logps, squares, weights] = std::array::from_fn(|k| Numbers::new((kind + k) % 4, c.values[k].clone()));
    let x = spec::OptimalTokenBaseline {
        segments: c.segments(),
        rewards: rewards.cpu(),
        logps: logps.cpu(),
        log_sum_sq: squares.cpu(),
        importance_weight: weighted.then(|| weights.cpu()),
        mask: masked.then(|| Matrix::vector(&c.mask).into()),
        groups: c.groups(),
        alignment,
        keep_tail: way % 3 == 1,
        eps: [1e-8, 0.0, 0.5][way % 3],
    };
    let new = || ([Place::new(wide, TOKENS), Place::new(wide, TOKENS)], vec![9u32; c.rows()]);
    let (mut want, mut got) = (new(), new());
    let [a, b] = &mut want.0;
    let out = spec::OptimalTokenBaselineOut {
        advantages: Some(a.cpu()),
        baseline: Some(b.cpu()),
        status: Some(MatrixMut::vector(&mut want.1)),
    };
    let what = format!("optimal token baseline {kind} {way}");
    with_scratch(cpu::optimal_token_baseline_workspace(&x).minimum, |w| cpu::optimal_token_baseline(&x, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::OptimalTokenBaseline {
        layout: c.layout(),
        rewards: rewards.device(),
        logps: logps.device(),
        log_sum_sq: squares.device(),
        importance_weight: weighted.then(|| weights.device()),
        mask: masked.then(|| vector(&c.mask, Dtype::I32)),
        groups: c.on_device(),
        alignment,
        keep_tail: x.keep_tail,
        eps: x.eps,
    };
    let out = device::OptimalTokenBaselineOut {
        advantages: Some(got.0[0].device()),
        baseline: Some(got.0[1].device()),
        status: Some(vector(&got.1, Dtype::U32)),
    };
    let space = Scratch::new(device::optimal_token_baseline_workspace(&x).minimum);
    // SAFETY: the stand-in's device memory is this process's, and the arrays live.
    unsafe { device::optimal_token_baseline(context, STREAM, &x, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.iter_mut().for_each(Place::fetch);
    memory::down(&mut got.1);
    memory::clear();
    same(&format!("{what}: status"), &got.1, &want.1);
    let names = ["advantages", "baseline"];
    c.rows() + (0..2).map(|k| got.0[k].check(&format!("{what}: {}", names[k]), &want.0[k])).sum::<usize>()
}

fn prime(context: &Context, kind: usize, way: usize) -> usize {
    let c = Case::new(way as u64 + 100, way, false);
    let (wide, masked, process, outcome) = (way % 3 == 0, way % 7 != 3, way % 5 != 1, way % 5 != 2);
    let mut r = Random(way as u64);
    let large = if way == 5 { 1e38 } else { 1.0 };
    let rewards = Numbers::new(kind, c.values[0].iter().map(|x| x * large).collect());
    let outcomes = Numbers::new((kind + 1) % 4, (0..c.rows()).map(|_| [0.0, 1.0, r.normal()][r.below(3)]).collect());
    if kind == 2 && large > 1.0 {
        return 0; // f16 does not hold them
    }
    let coef = [[1.0, 1.0], [5.0, 0.5], [0.0, 1.0]][way % 3];
    let x = spec::PrimeAdvantage {
        segments: c.segments(),
        process_rewards: process.then(|| rewards.cpu()),
        outcome: outcome.then(|| outcomes.cpu()),
        mask: masked.then(|| Matrix::vector(&c.mask).into()),
        groups: c.groups(),
        coef,
    };
    let new = || (Place::new(wide, TOKENS), vec![9u32; c.rows()]);
    let (mut want, mut got) = (new(), new());
    let out = spec::PrimeAdvantageOut { returns: Some(want.0.cpu()), status: Some(MatrixMut::vector(&mut want.1)) };
    let what = format!("prime {kind} {way}");
    with_scratch(cpu::prime_advantage_workspace(&x).minimum, |w| cpu::prime_advantage(&x, TOKENS, out, w))
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    let x = device::PrimeAdvantage {
        layout: c.layout(),
        process_rewards: process.then(|| rewards.device()),
        outcome: outcome.then(|| outcomes.device()),
        mask: masked.then(|| vector(&c.mask, Dtype::I32)),
        groups: c.on_device(),
        coef,
    };
    let out = device::PrimeAdvantageOut { returns: Some(got.0.device()), status: Some(vector(&got.1, Dtype::U32)) };
    let space = Scratch::new(device::prime_advantage_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::prime_advantage(context, STREAM, &x, &out, space.space()) }
        .unwrap_or_else(|e| panic!("{what}: {e}"));
    got.0.fetch();
    memory::down(&mut got.1);
    memory::clear();
    same(&format!("{what}: status"), &got.1, &want.1);
    c.rows() + got.0.check(&format!("{what}: returns"), &want.0)
}

/// No sequence at all.
fn nothing(context: &Context) -> usize {
    let none = vector::<f64>(&[], Dtype::F64);
    let layout = Layout::Padded { sequences: 0, width: 4 };
    let groups = device::Groups::Offsets(vector(&[0i32], Dtype::I32));
    let x = device::PrimeAdvantage {
        layout,
        process_rewards: Some(none),
        outcome: None,
        mask: None,
        groups,
        coef: [1.0; 2],
    };
    let space = Scratch::new(device::prime_advantage_workspace(&x).minimum);
    // SAFETY: as above.
    unsafe { device::prime_advantage(context, STREAM, &x, &Default::default(), space.space()) }.unwrap();
    let x = device::OptimalTokenBaseline {
        layout,
        rewards: none,
        logps: none,
        log_sum_sq: none,
        importance_weight: None,
        mask: None,
        groups,
        alignment: Alignment::Position,
        keep_tail: false,
        eps: 0.0,
    };
    // SAFETY: as above.
    unsafe { device::optimal_token_baseline(context, STREAM, &x, &Default::default(), space.space()) }.unwrap();
    memory::clear();
    2
}

/// Groups, rewards and offsets that only the device can see.
fn outside(context: &Context) -> usize {
    let bad = row::OUT_OF_RANGE;
    let (values, outcomes) = ([1.0f64, 2.0, 0.5, 3.0, 4.0, 1.0, 2.0, -1.0], [1.0f64, 0.0, f64::INFINITY, 1.0]);
    let (whole, cut) = ([0i32, 2, 4, 6, 8], [0i32, 2, 4, 9, 8]);
    let (two, ids, beyond, one) = ([0i32, 2, 4], [0i32, 1, 0, -1], [0i32, 2, 9], [0i32, 3, 4]);
    let check = |what: &str, (y, status): (Vec<f64>, Vec<u32>), expected: [u32; 4]| {
        assert_eq!(std::hint::black_box(&status)[..], expected, "{what}");
        for (k, y) in std::hint::black_box(&y).iter().enumerate() {
            assert_eq!(y.is_nan(), expected[k / 2] != 0, "{what}: {y}");
        }
    };
    let layout = |offsets: &[i32; 5]| Layout::Packed { tokens: 8, offsets: vector(offsets, Dtype::I32) };
    let run = |outcome: &[f64; 4], groups, offsets| {
        let (mut y, mut status) = (vec![NAN as f64; 8], vec![9u32; 4]);
        let x = device::PrimeAdvantage {
            layout: layout(offsets),
            process_rewards: Some(vector(&values, Dtype::F64)),
            outcome: Some(vector(outcome, Dtype::F64)),
            mask: None,
            groups,
            coef: [1.0; 2],
        };
        let out = device::PrimeAdvantageOut {
            returns: Some(vector(&y, Dtype::F64)),
            status: Some(vector(&status, Dtype::U32)),
        };
        let space = Scratch::new(device::prime_advantage_workspace(&x).minimum);
        // SAFETY: as above.
        unsafe { device::prime_advantage(context, STREAM, &x, &out, space.space()) }.unwrap();
        memory::down(&mut y);
        memory::down(&mut status);
        memory::clear();
        (y, status)
    };
    let of = |x: &[i32]| device::Groups::Offsets(vector(x, Dtype::I32));
    let of_ids = || device::Groups::Ids { ids: vector(&ids, Dtype::I32), groups: 2 };
    let fine = [1.0f64, 0.0, 2.0, 1.0];
    check("good", run(&fine, of(&two), &whole), [0; 4]);
    check("an infinite outcome", run(&outcomes, of(&two), &whole), [0, 0, bad, bad]);
    check("offsets of groups", run(&fine, of(&beyond), &whole), [0, 0, bad, bad]);
    check("a group of one", run(&fine, of(&one), &whole), [0, 0, 0, bad]);
    check("ids", run(&fine, of_ids(), &whole), [0, bad, 0, bad]);
    check("offsets of sequences", run(&fine, of(&two), &cut), [0, 0, bad, bad]);
    let run = |groups, offsets| {
        let (mut y, mut status) = (vec![NAN as f64; 8], vec![9u32; 4]);
        let logps = [-0.5f64; 8];
        let x = device::OptimalTokenBaseline {
            layout: layout(offsets),
            rewards: vector(&values, Dtype::F64),
            logps: vector(&logps, Dtype::F64),
            log_sum_sq: vector(&logps, Dtype::F64),
            importance_weight: None,
            mask: None,
            groups,
            alignment: Alignment::LiveIndex,
            keep_tail: true,
            eps: 0.0,
        };
        let out = device::OptimalTokenBaselineOut {
            advantages: Some(vector(&y, Dtype::F64)),
            baseline: None,
            status: Some(vector(&status, Dtype::U32)),
        };
        let space = Scratch::new(device::optimal_token_baseline_workspace(&x).minimum);
        // SAFETY: as above.
        unsafe { device::optimal_token_baseline(context, STREAM, &x, &out, space.space()) }.unwrap();
        memory::down(&mut y);
        memory::down(&mut status);
        memory::clear();
        (y, status)
    };
    check("baselines", run(of(&two), &whole), [0; 4]);
    check("offsets of groups", run(of(&beyond), &whole), [0, 0, bad, bad]);
    check("ids", run(of_ids(), &whole), [0, 0, 0, bad]);
    check("offsets of sequences", run(of(&two), &cut), [0, 0, bad, bad]);
    120
}
