//! Advantages and returns against 60 digits, the same bits for every thread count, layout and element type, masks, special
//! values, refusals.
use std::collections::BTreeMap;
use truing_core::advantage::*;
use truing_core::catalog::{Kind, find};
use truing_core::error::row;
use truing_core::matrix::{Floats, Ints, Layout, Mask, Matrix, MatrixMut};
use truing_core::policy::Advantage;
use truing_core::sequence::Segments;
use truing_core::{Error, Status};
use truing_cpu::{Context, Isa, advantage};
use truing_tests::{Cases, GoldenCase, Random, context, same, with_scratch};

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;
fn f(x: &[f64]) -> Floats<'_> {
    Floats::F64(Matrix::vector(x))
}
fn g(x: &[f32]) -> Floats<'_> {
    Floats::F32(Matrix::vector(x))
}
fn table(x: &[f64], rows: usize) -> Floats<'_> {
    Floats::F64(Matrix::contiguous(x, rows, x.len().checked_div(rows).unwrap_or(0)).unwrap())
}
fn int(x: &[i64]) -> Ints<'_> {
    Ints::I64(Matrix::vector(x))
}
fn mask(x: &[u8]) -> Option<Mask<'_>> {
    Some(Mask::U8(Matrix::vector(x)))
}
macro_rules! out {
    ($($x:expr),* $(,)?) => { ($( Some(MatrixMut::vector(&mut $x).into()) ),*) };
}
fn refused<T: std::fmt::Debug>(got: Result<T, Error>, field: &str, status: Status) {
    let e = got.unwrap_err();
    assert_eq!((e.field, e.status), (field, status), "{e}");
}
fn estimator(k: usize) -> u32 {
    find(Kind::Estimator, ["k1", "k2", "k3"][k - 1]).unwrap().about.id
}

// ---- golden

/// With the settings of these operations.
struct Case(GoldenCase);
impl core::ops::Deref for Case {
    type Target = GoldenCase;
    fn deref(&self) -> &GoldenCase {
        &self.0
    }
}
impl Case {
    fn std(&self) -> StdKind {
        if self.word("std") == "unbiased" { StdKind::Unbiased } else { StdKind::Population }
    }
    fn eps_kind(&self) -> EpsKind {
        match self.word("eps_kind") {
            "add" => EpsKind::Add,
            "skip_zero" => EpsKind::SkipZero,
            "variance_add" => EpsKind::VarianceAdd,
            _ => EpsKind::VarianceMax,
        }
    }
    /// The settings in words, which a preset must equal.
    fn group_options(&self) -> GroupOptions {
        let options = GroupOptions {
            baseline: match self.word("baseline") {
                "none" => Baseline::None,
                "group" => Baseline::Group,
                "leave_one_out" => Baseline::LeaveOneOut,
                "batch" => Baseline::Batch,
                "length_weighted" => Baseline::LengthWeighted,
                _ => Baseline::BestOfGroup,
            },
            scale: match self.word("scale") {
                "none" => Scale::None,
                "group_std" => Scale::GroupStd,
                "batch_std" => Scale::BatchStd,
                "leave_one_out_std" => Scale::LeaveOneOutStd,
                "group_mean" => Scale::GroupMean,
                _ => Scale::NonzeroShare,
            },
            std_kind: self.std(),
            eps_kind: self.eps_kind(),
            single: if self.word("single") == "raw" { Single::Raw } else { Single::Zero },
            eps: self.number("eps"),
            f_norm: self.number("f_norm"),
        };
        let preset = match self.word("preset") {
            "grpo" => Preset::Grpo,
            "grpo_batch_std" => Preset::GrpoBatchStd,
            "dr_grpo" => Preset::DrGrpo,
            "rloo" => Preset::Rloo,
            "grpo_loo" => Preset::GrpoLoo,
            "batch_baseline" => Preset::BatchBaseline,
            "opo" => Preset::Opo,
            "gpg" => Preset::Gpg,
            "max_rl" => Preset::MaxRl,
            "raw" => Preset::Raw,
            "pass_k" => Preset::PassK,
            "0" => return options,
            other => panic!("preset {other}"),
        };
        assert_eq!(GroupOptions::preset(preset), options);
        options
    }
    /// `tolerance` is relative to the largest value of the result.
    fn judge(&self, name: &str, got: &[f64], tolerance: f64) -> f64 {
        let want = self.want.get(name).unwrap_or_else(|| panic!("{}: no result {name}", self.op));
        assert_eq!(got.len(), want.len(), "{} {name}", self.op);
        let top = want.iter().filter(|x| x.is_finite()).fold(0.0f64, |m, x| m.max(x.abs()));
        let mut worst = 0.0f64;
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            if w.is_nan() && g.is_nan() || g == w {
                continue;
            }
            assert!(
                *w != 0.0 || tolerance > 1e-12 || top == 0.0 || g.abs() < 1e-13 * top,
                "{} {name} {i}: {g}",
                self.op
            );
            let error = (g - w).abs() / top;
            assert!(error <= tolerance, "{} {:?} {name} {i}: got {g:e}, expected {w:e}", self.op, self.options);
            worst = worst.max(error);
        }
        worst
    }
}
fn run_group(c: &Case) -> f64 {
    let (rewards, ids, lengths) = (c.x("rewards"), c.ints("ids"), c.ints("lengths"));
    let options = c.group_options();
    let groups = ids.iter().max().map_or(0, |m| *m as usize + 1);
    let x = GroupAdvantage {
        rewards: f(rewards),
        groups: Groups::Ids { ids: int(&ids), groups },
        lengths: (options.baseline == Baseline::LengthWeighted).then(|| int(&lengths)),
        options,
    };
    let (mut a, mut mean, mut std) = (vec![7.0; rewards.len()], vec![7.0; groups], vec![7.0; groups]);
    let (advantages, m, s) = out!(a, mean, std);
    let out = GroupAdvantageOut { advantages, mean: m, std: s, status: None };
    with_scratch(advantage::group_advantage_workspace(&x).minimum, |w| advantage::group_advantage(&x, out, w)).unwrap();
    c.judge("mean", &mean, 1e-14);
    c.judge("advantages", &a, 1e-13).max(c.judge("std", &std, 1e-13))
}
fn run_multi(c: &Case) -> f64 {
    let (rewards, ids, grad) = (c.x("rewards"), c.ints("ids"), c.x("grad"));
    let (n, k) = (ids.len(), c.number("k") as usize);
    let groups = ids.iter().max().map_or(0, |m| *m as usize + 1);
    let weights =
        if c.on("of_row") { Weights::OfRow(table(c.x("weights"), n)) } else { Weights::Shared(f(c.x("weights"))) };
    let x = MultiObjective {
        rewards: table(rewards, n),
        weights: Some(weights),
        groups: Groups::Ids { ids: int(&ids), groups },
        lengths: None,
        options: c.group_options(),
        order: if c.word("order") == "sum_first" { Order::SumFirst } else { Order::NormaliseFirst },
        batch_step: match c.word("step") {
            "none" => BatchStep::None,
            "standardise" => BatchStep::Standardise,
            _ => BatchStep::Scale,
        },
        batch_eps: 1e-4,
    };
    let (mut a, mut s) = (vec![7.0; n], vec![7.0; n]);
    let (advantages, combined) = out!(a, s);
    let need = advantage::multi_objective_workspace(&x).minimum;
    let out = MultiObjectiveOut { advantages, combined, status: None };
    with_scratch(need, |w| advantage::multi_objective(&x, out, w)).unwrap();
    c.judge("combined", &s, 1e-12);
    let rows = if c.on("of_row") { n } else { k };
    let mut dw = vec![7.0; c.want["grad_weights"].len()];
    let grad_weights = MatrixMut::contiguous(&mut dw, rows, if c.on("of_row") { k } else { 1 }).unwrap().into();
    let out = MultiObjectiveGrad { grad_advantages: f(grad), grad_weights };
    with_scratch(need, |w| advantage::multi_objective_backward(&x, out, w)).unwrap();
    // rewards around 1e4 in sums around 1: 12 digits are left
    c.judge("advantages", &a, 1e-10).max(c.judge("grad_weights", &dw, 1e-9))
}
fn masks(word: &str) -> Masks {
    match word {
        "carry" => Masks::Carry,
        "zero" => Masks::Zero,
        _ => Masks::Ignore,
    }
}
fn run_gae(c: &Case) -> f64 {
    let (cu, m, on) = (c.ints("cu"), c.mask(), c.on("values"));
    let (n, b) = (m.len(), cu.len() - 1);
    let alpha = c.number("length_alpha");
    let given = match on {
        true if alpha > 0.0 => [c.number("gamma"), NAN, c.number("lambda_value"), alpha],
        true => [c.number("gamma"), c.number("lambda_policy"), c.number("lambda_value"), NAN],
        false => [c.number("gamma"), NAN, NAN, NAN],
    };
    let x = Gae {
        segments: Segments::Packed(int(&cu)),
        rewards: Some(f(c.x("rewards"))),
        values: on.then(|| f(c.x("values"))),
        value_end: Some(f(c.x("value_end"))),
        baseline: (!on).then(|| f(c.x("baseline"))),
        mask: mask(&m),
        masks: masks(c.word("masks")),
        params: GaeParams::new(&given, on).unwrap(),
    };
    let (mut a, mut r) = (vec![7.0; n], vec![7.0; n]);
    let (advantages, returns) = out!(a, r);
    advantage::gae(&Context::default(), &x, GaeOut { advantages, returns, status: None }).unwrap();
    let (mut dr, mut dv, mut de) = (vec![7.0; n], vec![7.0; n], vec![7.0; b]);
    let (grad_rewards, grad_values, grad_value_end) = out!(dr, dv, de);
    let grad = GaeGrad {
        grad_advantages: Some(f(c.x("grad_advantages"))),
        grad_returns: Some(f(c.x("grad_returns"))),
        grad_rewards,
        grad_values: if on { grad_values } else { None },
        grad_value_end,
    };
    let x = Gae { rewards: None, values: None, ..x };
    advantage::gae_backward(&Context::default(), &x, n, grad).unwrap();
    if on {
        c.judge("grad_values", &dv, 1e-14);
    }
    c.judge("grad_value_end", &de, 1e-14);
    c.judge("grad_rewards", &dr, 1e-14);
    c.judge("returns", &r, 1e-14).max(c.judge("advantages", &a, 1e-14))
}
fn run_whiten(c: &Case) -> f64 {
    let (v, m, counts) = (c.x("values"), c.mask(), c.ints("counts"));
    let x = Whiten {
        values: f(v),
        mask: mask(&m),
        counts: Some(int(&counts)),
        states: None,
        std_kind: c.std(),
        eps_kind: c.eps_kind(),
        keep_mean: c.on("keep"),
        eps: c.number("eps"),
    };
    let mut a = vec![7.0; v.len()];
    let out = WhitenOut { values: out!(a), ..WhitenOut::default() };
    let need = advantage::whiten_workspace(&x).minimum;
    with_scratch(need, |w| advantage::whiten(&Context::default(), &x, out, w)).unwrap();
    c.judge("values", &a, 1e-10)
}
fn run_baseline(c: &Case) -> f64 {
    let (cu, m, ids) = (c.ints("cu"), c.mask(), c.ints("ids"));
    let x = OptimalTokenBaseline {
        segments: Segments::Packed(int(&cu)),
        rewards: f(c.x("rewards")),
        logps: f(c.x("logps")),
        log_sum_sq: f(c.x("log_sum_sq")),
        importance_weight: Some(f(c.x("weights"))),
        mask: mask(&m),
        groups: Groups::Ids { ids: int(&ids), groups: 3 },
        alignment: if c.word("alignment") == "position" { Alignment::Position } else { Alignment::LiveIndex },
        keep_tail: c.on("keep"),
        eps: c.number("eps"),
    };
    let (mut a, mut b, mut s) = (vec![7.0; m.len()], vec![7.0; m.len()], vec![7u32; ids.len()]);
    let (advantages, baseline) = out!(a, b);
    let out = OptimalTokenBaselineOut { advantages, baseline, status: Some(MatrixMut::vector(&mut s)) };
    let need = advantage::optimal_token_baseline_workspace(&x).minimum;
    with_scratch(need, |w| advantage::optimal_token_baseline(&x, out, w)).unwrap();
    assert!(s.iter().all(|&s| s & !row::EMPTY == 0), "{s:?}");
    c.judge("advantages", &a, 1e-13).max(c.judge("baseline", &b, 1e-13))
}
fn run_prime(c: &Case) -> f64 {
    let (cu, m, ids) = (c.ints("cu"), c.mask(), c.ints("ids"));
    let x = PrimeAdvantage {
        segments: Segments::Packed(int(&cu)),
        process_rewards: Some(f(c.x("process"))),
        outcome: Some(f(c.x("outcome"))),
        mask: mask(&m),
        groups: Groups::Ids { ids: int(&ids), groups: 2 },
        coef: [c.number("process_coef"), c.number("outcome_coef")],
    };
    let mut a = vec![7.0; m.len()];
    let out = PrimeAdvantageOut { returns: out!(a), status: None };
    let need = advantage::prime_advantage_workspace(&x).minimum;
    with_scratch(need, |w| advantage::prime_advantage(&x, m.len(), out, w)).unwrap();
    c.judge("returns", &a, 1e-13)
}
fn run_distill(c: &Case) -> f64 {
    let (cu, m, form) = (c.ints("cu"), c.mask(), c.word("form"));
    let given: Vec<f64> = (0..2).filter_map(|k| c.options.get(&format!("p{k}"))).map(|w| w.parse().unwrap()).collect();
    let a = c.x("advantages");
    let x = DistillAdvantage {
        segments: Segments::Packed(int(&cu)),
        student: f(c.x("student")),
        teacher: f(c.x("teacher")),
        advantages: (!a.is_empty()).then(|| Advantage::Token(f(a))),
        token_rewards: None,
        mask: mask(&m),
        form: match form {
            "iw_opd" => Distill::iw_opd(&given),
            "rlsd" => Distill::rlsd(&given),
            _ if form.starts_with("opd") => Distill::opd(&given),
            _ => Distill::minillm(&given),
        }
        .unwrap(),
        estimator: match form {
            "opd2" => estimator(2),
            "opd3" => estimator(3),
            _ => 0,
        },
        flags: DistillFlags {
            per_length: form == "minillm_length",
            position_power: form == "minillm_power",
            ..DistillFlags::default()
        },
    };
    let mut a = vec![7.0; m.len()];
    let out = DistillAdvantageOut { advantages: out!(a), status: None };
    advantage::distill_advantage(&Context::default(), &x, out).unwrap();
    c.judge("advantages", &a, 1e-13)
}
fn run_lagrangian(c: &Case) -> f64 {
    let (m, log, cost) = (c.mask(), [c.number("log_lambda")], [c.number("mean_cost")]);
    let x = LagrangianAdvantage {
        reward_advantages: f(c.x("reward")),
        cost_advantages: f(c.x("cost")),
        mask: mask(&m),
        log_lambda: f(&log),
        mean_cost: Some(f(&cost)),
        cost_limit: c.number("limit"),
    };
    let (mut a, mut d) = (vec![7.0; m.len()], [7.0]);
    let (advantages, grad_log_lambda) = out!(a, d);
    let out = LagrangianAdvantageOut { advantages, grad_log_lambda };
    advantage::lagrangian_advantage(&Context::default(), &x, out).unwrap();
    c.judge("advantages", &a, 1e-14).max(c.judge("grad", &d, 1e-13))
}
fn run_pama(c: &Case) -> f64 {
    let (cu, m) = (c.ints("cu"), c.mask());
    let x = PamaScalars {
        segments: Segments::Packed(int(&cu)),
        advantages: table(c.x("advantages"), 3),
        logps: f(c.x("logps")),
        anchor: f(c.x("anchor")),
        mask: mask(&m),
        granularity: match c.word("granularity") {
            "batch" => Granularity::Batch,
            "sequence" => Granularity::Sequence,
            _ => Granularity::Token,
        },
        clip_high: c.number("clip_high"),
    };
    let mut a = vec![7.0; 3 * x.columns()];
    let scalars = Some(MatrixMut::contiguous(&mut a, 3, x.columns()).unwrap().into());
    advantage::pama_scalars(&x, PamaScalarsOut { scalars }).unwrap();
    c.judge("scalars", &a, 1e-14)
}
fn run_gram(c: &Case) -> f64 {
    let (m, n) = (c.mask(), c.number("n") as usize);
    let x = GramMatrix { values: table(c.x("values"), n), mask: mask(&m), unit_rows: c.on("unit") };
    let mut a = vec![7.0; n * n];
    advantage::gram_matrix(&x, MatrixMut::contiguous(&mut a, n, n).unwrap().into()).unwrap();
    c.judge("gram", &a, 1e-14)
}
fn run_reward(c: &Case) -> f64 {
    let (cu, m, by_sequence) = (c.ints("cu"), c.mask(), c.on("by_sequence"));
    let given = ["coef", "clamp", "low", "high"].map(|name| c.number(name));
    let b = cu.len() - 1;
    let x = TokenReward {
        segments: Segments::Packed(int(&cu)),
        old: f(c.x("old")),
        reference: f(c.x("ref")),
        rewards: Some(f(c.x("rewards"))),
        mask: mask(&m),
        by_sequence,
        estimator: estimator(c.number("estimator") as usize),
        params: TokenReward::params(&given).unwrap(),
    };
    let (mut a, mut k) = (vec![7.0; if by_sequence { b } else { m.len() }], vec![7.0; b]);
    let (rewards, kl) = out!(a, k);
    advantage::token_reward(&Context::default(), &x, TokenRewardOut { rewards, kl, status: None }).unwrap();
    c.judge("rewards", &a, 1e-13).max(c.judge("kl", &k, 1e-13))
}
fn run_controller(c: &Case) -> f64 {
    let rule = if c.op == "kl_controller" { Rule::kl(c.x("params")) } else { Rule::entropy(c.x("params")) };
    let x = Controller { measured: f(c.x("measured")), coef: f(c.x("coef")), rule: rule.unwrap() };
    let (mut a, mut b) = ([7.0], [7.0]);
    let (coef, applied) = out!(a, b);
    advantage::controller(&x, ControllerOut { coef, applied, status: None }).unwrap();
    if c.op == "entropy_controller" {
        c.judge("applied", &b, 1e-14);
    }
    c.judge("coef", &a, 1e-14)
}

fn run_interval(c: &Case) -> f64 {
    let n = c.number("n") as usize;
    let (mut value, mut weights) = ([7.0], vec![7.0; n]);
    let out = IntervalWeightsOut {
        value: out!(value),
        weights: Some(MatrixMut::contiguous(&mut weights, n, 1).unwrap().into()),
        status: None,
    };
    advantage::interval_weights(&IntervalWeights { scalars: table(c.x("scalars"), n) }, out).unwrap();
    c.judge("value", &value, 1e-15).max(c.judge("weights", &weights, 1e-15))
}
fn run_min_norm(c: &Case) -> f64 {
    let (weights, value) = min_norm(c.x("gram"), c.number("n") as usize);
    // the matrix is that of a few random vectors: two digits are lost at most, and Wolfe's method stops at 1e-12
    c.judge("value", &[value], 1e-11).max(c.judge("weights", &weights, 1e-9))
}

/// `golden/advantage.txt`, 60 digits from an independent script.
#[test]
fn golden() {
    let mut tally = BTreeMap::<String, (usize, f64)>::new();
    for c in GoldenCase::read(include_str!("golden/advantage.txt")).into_iter().map(Case) {
        let run = match c.op.as_str() {
            "group_advantage" => run_group,
            "multi_objective" => run_multi,
            "gae" => run_gae,
            "whiten" => run_whiten,
            "optimal_token_baseline" => run_baseline,
            "prime_advantage" => run_prime,
            "distill_advantage" => run_distill,
            "lagrangian_advantage" => run_lagrangian,
            "pama_scalars" => run_pama,
            "gram_matrix" => run_gram,
            "token_reward" => run_reward,
            "kl_controller" | "entropy_controller" => run_controller,
            "interval_weights" => run_interval,
            "min_norm_weights" => run_min_norm,
            other => panic!("{other}"),
        };
        let worst = run(&c);
        let t = tally.entry(c.0.op).or_default();
        *t = (t.0 + 1, t.1.max(worst));
    }
    for (op, (n, worst)) in &tally {
        println!("{op}: {n} cases, largest error {worst:.1e} of the largest value");
    }
    Cases(tally.values().map(|t| t.0).sum()).finish("golden advantages", 1376);
    assert_eq!(tally.len(), 15);
}

// ---- bits

/// Values exact in f32, so that every element type holds the same.
fn halves(r: &mut Random, n: usize) -> Vec<f64> {
    (0..n).map(|_| (r.below(64) as f64 - 32.0) / 8.0).collect()
}
fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}

/// One problem of GAE, padded or packed.
struct Returns {
    width: usize,
    cu: Vec<i64>,
    r: Vec<f64>,
    v: Vec<f64>,
    mask: Vec<u8>,
    end: Vec<f64>,
}
impl Returns {
    fn new(sequences: usize, width: usize) -> Returns {
        let mut r = Random((sequences * 1000 + width) as u64);
        let n = sequences * width;
        let mask = (0..n).map(|i| (i % width < width - i / width % 5 && r.below(9) > 0) as u8).collect();
        let cu = (0..=sequences).map(|b| (b * width) as i64).collect();
        Returns { width, cu, r: halves(&mut r, n), v: halves(&mut r, n), mask, end: halves(&mut r, sequences) }
    }
    fn gae<'a>(&'a self, rule: Masks, values: bool, r: Floats<'a>, v: Floats<'a>, mask: Option<Mask<'a>>) -> Gae<'a> {
        let given = if values { [0.99, 0.95, 0.9, NAN] } else { [0.99, NAN, NAN, NAN] };
        Gae {
            segments: Segments::Padded { sequences: self.end.len(), width: self.width },
            rewards: Some(r),
            values: values.then_some(v),
            value_end: Some(f(&self.end)),
            baseline: None,
            mask,
            masks: rule,
            params: GaeParams::new(&given, values).unwrap(),
        }
    }
}
fn gae_f32(c: &Context, x: &Gae<'_>) -> (Vec<f32>, Vec<f32>, Vec<u32>) {
    let n = x.rewards.unwrap().rows();
    let (mut a, mut r, mut s) = (vec![7.0f32; n], vec![7.0f32; n], vec![77u32; x.segments.sequences()]);
    let (advantages, returns) = out!(a, r);
    advantage::gae(c, x, GaeOut { advantages, returns, status: None }).unwrap();
    // asking for the status changes no bit, nor does leaving the other output out
    let (mut a2, mut r2) = (vec![7.0f32; n], vec![7.0f32; n]);
    let out = GaeOut { advantages: out!(a2), returns: None, status: Some(MatrixMut::vector(&mut s)) };
    advantage::gae(c, x, out).unwrap();
    advantage::gae(c, x, GaeOut { advantages: None, returns: out!(r2), status: None }).unwrap();
    same("advantages alone", &a2, &a);
    same("returns alone", &r2, &r);
    (a, r, s)
}

#[test]
fn gae_bits() {
    let mut cases = Cases::default();
    let contexts = [Context::default(), context(Isa::detect(), 1), context(Isa::detect(), 3), context(Isa::Scalar, 2)];
    for (b, t) in [(1, 1), (3, 7), (4, 64), (5, 33), (64, 700), (9, 2049)] {
        let p = Returns::new(b, t);
        let (r, v) = (narrow(&p.r), narrow(&p.v));
        for rule in [Masks::Carry, Masks::Zero, Masks::Ignore] {
            for values in [true, false] {
                for masked in [true, false] {
                    let m = if masked { mask(&p.mask) } else { None };
                    let x = p.gae(rule, values, g(&r), g(&v), m);
                    let want = gae_f32(&contexts[0], &x);
                    for c in &contexts[1..] {
                        let got = gae_f32(c, &x);
                        same("threads", &got.0, &want.0);
                        same("threads", &got.1, &want.1);
                    }
                    // packed; another element type of the mask and of the rewards: the path for anything
                    let wide_mask: Vec<i32> = p.mask.iter().map(|&m| m as i32 * 3).collect();
                    let any = masked.then(|| Mask::I32(Matrix::vector(&wide_mask)));
                    let packed = Gae { segments: Segments::Packed(int(&p.cu)), ..x };
                    for y in [packed, Gae { rewards: Some(f(&p.r)), ..packed }, Gae { mask: any, ..x }] {
                        let got = gae_f32(&contexts[2], &y);
                        same("layout", &got.0, &want.0);
                        same("layout", &got.1, &want.1);
                        same("layout", &got.2, &want.2);
                    }
                    // rows further apart, as of a [B, T + 1] tensor
                    let strided = |x: &[f32]| -> Vec<f32> {
                        x.chunks(t).flat_map(|row| row.iter().copied().chain([f32::NAN])).collect()
                    };
                    let (rs, vs) = (strided(&r), strided(&v));
                    let layout = Layout::batched(b, t, 1, t + 1, 1);
                    let (rs, vs) = (Matrix::new(&rs, layout).unwrap(), Matrix::new(&vs, layout).unwrap());
                    let y = p.gae(rule, values, rs.into(), vs.into(), m);
                    let got = gae_f32(&contexts[0], &y);
                    same("strides", &got.0, &want.0);
                    // each row alone
                    for k in [0, b - 1] {
                        let row = k * t..(k + 1) * t;
                        let y = Gae {
                            segments: Segments::Padded { sequences: 1, width: t },
                            rewards: Some(g(&r[row.clone()])),
                            values: values.then(|| g(&v[row.clone()])),
                            value_end: Some(f(&p.end[k..k + 1])),
                            mask: masked.then(|| Mask::U8(Matrix::vector(&p.mask[row.clone()]))),
                            ..x
                        };
                        same("alone", &gae_f32(&contexts[0], &y).0, &want.0[row]);
                    }
                    cases.ran();
                }
            }
        }
    }
    cases.finish("gae bits", 72);
}

/// Outputs of more than the caches hold are written past them; each output alone is not, and has the same bits.
#[test]
fn gae_past_the_caches() {
    let mut cases = Cases::default();
    let contexts = [Context::default(), context(Isa::detect(), 3), context(Isa::Scalar, 1)];
    // rows that start and end anywhere in a line
    let p = Returns::new(9, 250_001);
    let (r, v) = (narrow(&p.r), narrow(&p.v));
    for (rule, masked) in [(Masks::Carry, false), (Masks::Carry, true), (Masks::Ignore, true)] {
        let x = p.gae(rule, true, g(&r), g(&v), if masked { mask(&p.mask) } else { None });
        let want = gae_f32(&contexts[0], &x);
        for c in &contexts {
            let got = gae_f32(c, &x);
            same("advantages", &got.0, &want.0);
            same("returns", &got.1, &want.1);
            assert_eq!(got.2, want.2);
            // outputs that are not at the same place of their lines, and a status that has to see what was written
            let n = r.len();
            let (mut a, mut q, mut status) = (vec![7f32; n + 5], vec![7f32; n + 5], vec![77u32; 9]);
            let (advantages, returns) = (MatrixMut::vector(&mut a[5..]), MatrixMut::vector(&mut q[2..n + 2]));
            let out = GaeOut {
                advantages: Some(advantages.into()),
                returns: Some(returns.into()),
                status: Some(MatrixMut::vector(&mut status)),
            };
            advantage::gae(c, &x, out).unwrap();
            same("advantages", &a[5..], &want.0);
            same("returns", &q[2..n + 2], &want.1);
            assert!(a[..5].iter().chain(&q[..2]).chain(&q[n + 2..]).all(|&x| x == 7.0) && status == want.2);
            cases.ran();
        }
    }
    // one number that is not finite, in the middle of a sequence
    let mut bad = r.clone();
    bad[3 * 250_001 + 77_777] = f32::INFINITY;
    let x = p.gae(Masks::Carry, true, g(&bad), g(&v), None);
    let (mut a, mut q, mut status) = (vec![7f32; r.len()], vec![7f32; r.len()], vec![77u32; 9]);
    let (advantages, returns) = out!(a, q);
    advantage::gae(&contexts[0], &x, GaeOut { advantages, returns, status: Some(MatrixMut::vector(&mut status)) })
        .unwrap();
    assert_eq!(status.iter().position(|&s| s != 0), Some(3));
    assert_eq!(status[3], row::INF_INPUT);
    let alone = gae_f32(&contexts[0], &x);
    same("advantages beside what is not finite", &a, &alone.0);
    same("returns beside what is not finite", &q, &alone.1);
    cases.ran();
    cases.finish("gae past the caches", 10);
}

#[test]
fn gae_special_values() {
    let run = |r: &[f64], v: &[f64], m: &[u8], given: [f64; 4], rule: Masks| {
        let x = Gae {
            segments: Segments::Padded { sequences: 1, width: r.len() },
            rewards: Some(f(r)),
            values: Some(f(v)),
            value_end: None,
            baseline: None,
            mask: mask(m),
            masks: rule,
            params: GaeParams::new(&given, true).unwrap(),
        };
        // slices of f32 as well: numbers here are exact in it
        let (r32, v32) = (narrow(r), narrow(v));
        let fast = gae_f32(&Context::default(), &Gae { rewards: Some(g(&r32)), values: Some(g(&v32)), ..x });
        let any = gae_f32(&Context::default(), &x);
        same("advantages", &fast.0, &any.0);
        same("returns", &fast.1, &any.1);
        same("status", &fast.2, &any.2);
        (any.0, any.1, any.2[0])
    };
    let one = [1.0, 1.0, 1.0, NAN];
    // what is masked is not read
    let (a, r, s) = run(&[1.0, NAN, 2.0], &[0.5, INF, 0.25], &[1, 0, 1], one, Masks::Carry);
    assert_eq!((a, r, s), (vec![2.5, 0.0, 1.75], vec![3.0, 0.0, 2.0], 0));
    assert_eq!(
        run(&[1.0, NAN, 2.0], &[0.5, INF, 0.25], &[1, 0, 1], one, Masks::Zero).0,
        [2.25 - 0.25 + 0.5, 0.0, 1.75]
    );
    // NaN and infinities reach earlier tokens only
    let (a, _, s) = run(&[1.0, NAN, 2.0], &[0.0; 3], &[1; 3], one, Masks::Carry);
    assert!(a[0].is_nan() && a[1].is_nan() && a[2] == 2.0 && s == row::NAN_INPUT);
    let (a, _, s) = run(&[1.0, -INF, 2.0], &[0.0; 3], &[1; 3], one, Masks::Carry);
    assert_eq!((a, s), (vec![f32::NEG_INFINITY, f32::NEG_INFINITY, 2.0], row::INF_INPUT));
    // and not through a product with 0
    let (a, r, s) = run(&[1.0, INF, 2.0], &[0.5; 3], &[1; 3], [0.0, 0.5, 0.5, NAN], Masks::Carry);
    assert_eq!((a[0], a[2], r[0], s), (0.5, 1.5, 1.0, row::INF_INPUT));
    let (a, _, s) = run(&[1.0, INF, 2.0], &[0.5; 3], &[1; 3], [1.0, 0.0, 0.0, NAN], Masks::Carry);
    assert_eq!((a[0], a[2], s), (1.0, 1.5, row::INF_INPUT));
    let big = f32::MAX as f64;
    let (a, _, s) = run(&[-big, big, big], &[0.0; 3], &[1; 3], one, Masks::Carry);
    assert_eq!((a, s), (vec![f32::MAX, f32::INFINITY, f32::MAX], row::OVERFLOW));
    assert_eq!(run(&[1.0, 2.0], &[1.0; 2], &[0, 0], one, Masks::Carry), (vec![0.0; 2], vec![0.0; 2], row::EMPTY));
    assert_eq!(run(&[1.0, 2.0], &[0.0; 2], &[0, 1], one, Masks::Ignore), (vec![0.0, 2.0], vec![0.0, 2.0], 0));
    Cases(9).finish("gae special values", 9);
}

fn group(x: &GroupAdvantage<'_>) -> Result<(Vec<f64>, Vec<u32>), Error> {
    let (mut a, mut s) = (vec![7.0; x.rewards.rows()], vec![7u32; x.groups.count()]);
    let out = GroupAdvantageOut {
        advantages: out!(a),
        status: Some(MatrixMut::vector(&mut s)),
        ..GroupAdvantageOut::default()
    };
    let need = advantage::group_advantage_workspace(x).minimum;
    let got = with_scratch(need, |w| advantage::group_advantage(x, out, w));
    assert!(got.is_ok() || a.iter().all(|&a| a == 7.0) && s.iter().all(|&s| s == 7), "written before a refusal");
    got.map(|()| (a, s))
}
fn of_groups<'a>(rewards: &'a [f64], offsets: &'a [i64], preset: Preset) -> GroupAdvantage<'a> {
    let options = GroupOptions::preset(preset);
    GroupAdvantage { rewards: f(rewards), groups: Groups::Offsets(int(offsets)), lengths: None, options }
}

#[test]
fn group_rules() {
    let mut cases = Cases::default();
    let means = [Preset::Grpo, Preset::GrpoBatchStd, Preset::DrGrpo, Preset::Rloo, Preset::GrpoLoo, Preset::MaxRl];
    // equal rewards are exactly 0, whatever their size and number
    for n in [2, 3, 7, 10, 1000] {
        for x in [0.1, 1e4 + 0.3, 7e300, 1e-300, 0.0] {
            for preset in means {
                let (a, s) = group(&of_groups(&vec![x; n], &[0, n as i64], preset)).unwrap();
                assert!(a.iter().all(|&a| a == 0.0) && s == [0], "{preset:?} {x} {a:?}");
                cases.ran();
            }
        }
    }
    // the same spread anywhere
    let near: Vec<f64> = [0.0, 0.125, 0.25, 0.375].to_vec();
    let far: Vec<f64> = near.iter().map(|x| x + 1e4).collect();
    for preset in means[..5].iter().copied() {
        assert_eq!(
            group(&of_groups(&near, &[0, 4], preset)).unwrap(),
            group(&of_groups(&far, &[0, 4], preset)).unwrap()
        );
        cases.ran();
    }
    // a row's advantage depends on its group only, and ids in any order do what offsets do
    let mut r = Random(4);
    let (groups, size) = (50usize, 8usize);
    let rewards: Vec<f64> = (0..groups * size).map(|i| if i % 31 == 0 { NAN } else { r.normal() }).collect();
    let offsets: Vec<i64> = (0..=groups).map(|g| (g * size) as i64).collect();
    for preset in [Preset::Grpo, Preset::DrGrpo, Preset::Rloo, Preset::GrpoLoo, Preset::PassK] {
        let whole = group(&of_groups(&rewards, &offsets, preset)).unwrap();
        for g in [0, 7, groups - 1] {
            let alone = group(&of_groups(&rewards[g * size..(g + 1) * size], &[0, size as i64], preset)).unwrap();
            same("a group alone", &alone.0, &whole.0[g * size..(g + 1) * size]);
        }
        // row i of group g at place i * groups + g
        let mixed: Vec<f64> = (0..groups * size).map(|k| rewards[k % groups * size + k / groups]).collect();
        let ids: Vec<i64> = (0..groups * size).map(|k| (k % groups) as i64).collect();
        let x = GroupAdvantage { groups: Groups::Ids { ids: int(&ids), groups }, ..of_groups(&mixed, &[], preset) };
        let got = group(&x).unwrap();
        (0..groups * size).for_each(|k| same("ids", &[got.0[k]], &[whole.0[k % groups * size + k / groups]]));
        same("status", &got.1, &whole.1);
        cases.ran();
    }
    // what is missing, alone or infinite
    let (a, s) = group(&of_groups(&[NAN, NAN, 5.0, NAN, 1.0, 2.0], &[0, 2, 4, 4, 6], Preset::Grpo)).unwrap();
    assert_eq!((a[..4].to_vec(), s), (vec![0.0; 4], vec![row::EMPTY, row::DEGENERATE, row::EMPTY, 0]));
    assert_eq!(group(&of_groups(&[5.0], &[0, 1], Preset::MaxRl)).unwrap(), (vec![5.0], vec![row::DEGENERATE]));
    assert_eq!(group(&of_groups(&[3.0, 3.0, 1.0], &[0, 3], Preset::PassK)).unwrap().0, [0.0; 3]);
    refused(group(&of_groups(&[1.0, 2.0, 5.0], &[0, 2, 3], Preset::PassK)), "rewards", Status::InvalidArgument);
    refused(group(&of_groups(&[1.0, 2.0, NAN], &[0, 1, 3], Preset::PassK)), "rewards", Status::InvalidArgument);
    refused(group(&of_groups(&[1.0, INF], &[0, 2], Preset::Grpo)), "rewards", Status::InvalidArgument);
    refused(group(&of_groups(&[1.0, -0.5], &[0, 2], Preset::MaxRl)), "rewards", Status::InvalidArgument);
    refused(group(&of_groups(&[1.0, 0.5], &[0, 2], Preset::Opo)), "lengths", Status::InvalidArgument);
    for offsets in [&[][..], &[1, 2], &[0, 3], &[0, 2, 1, 2], &[0, 1]] {
        let e = group(&of_groups(&[1.0, 0.5], offsets, Preset::Grpo)).unwrap_err();
        assert_eq!(e.field, "group_offsets");
    }
    let lengths = [4i64, 2];
    let opo = of_groups(&[1.0, 0.5], &[0, 2], Preset::Opo);
    refused(
        group(&GroupAdvantage { lengths: Some(int(&lengths)), ..of_groups(&[1.0, 0.5], &[0, 2], Preset::Grpo) }),
        "lengths",
        Status::InvalidArgument,
    );
    refused(group(&GroupAdvantage { lengths: Some(int(&[1, -1])), ..opo }), "lengths", Status::OutOfRange);
    let (a, s) = group(&GroupAdvantage { lengths: Some(int(&[0, 0])), ..opo }).unwrap();
    assert_eq!((a, s), (vec![0.0; 2], vec![row::DEGENERATE]));
    for bad in [-1, 2] {
        let ids = [0, bad];
        let groups = Groups::Ids { ids: int(&ids), groups: 2 };
        refused(group(&GroupAdvantage { groups, ..opo }), "group_ids", Status::OutOfRange);
    }
    let options = GroupOptions { eps_kind: EpsKind::VarianceAdd, ..GroupOptions::preset(Preset::Grpo) };
    refused(options.with(&[]), "eps_kind", Status::InvalidArgument);
    refused(options.with(&[-1.0]), "eps", Status::InvalidArgument);
    refused(options.with(&[0.0; 3]), "num_params", Status::InvalidArgument);
    // eps = 0: nothing divides by the deviation of others that is 0, unless it is asked for
    let odd = GroupOptions { eps_kind: EpsKind::Add, eps: 0.0, ..GroupOptions::preset(Preset::GrpoLoo) };
    let (a, s) =
        group(&GroupAdvantage { options: odd, ..of_groups(&[1.0, 0.0, 0.0], &[0, 3], Preset::GrpoLoo) }).unwrap();
    assert!(a[0] == INF && a[1].is_finite() && s == [row::INFINITE]);
    cases.finish("group rules", 150);
}

#[test]
fn a_million_groups() {
    let (groups, size) = (1_000_000usize, 4usize);
    let mut r = Random(9);
    let rewards: Vec<f32> = (0..groups * size).map(|_| 1e4 + r.below(4) as f32 * 0.125).collect();
    let ids: Vec<i32> = (0..groups * size).map(|k| (k % groups) as i32).collect();
    let x = GroupAdvantage {
        rewards: g(&rewards),
        groups: Groups::Ids { ids: Ints::I32(Matrix::vector(&ids)), groups },
        lengths: None,
        options: GroupOptions::preset(Preset::Grpo),
    };
    let mut a = vec![7.0f32; groups * size];
    let out = GroupAdvantageOut { advantages: out!(a), ..GroupAdvantageOut::default() };
    let need = advantage::group_advantage_workspace(&x).minimum;
    with_scratch(need, |w| advantage::group_advantage(&x, out, w)).unwrap();
    for g in (0..groups).step_by(997) {
        let own: Vec<f64> = (0..size).map(|k| rewards[k * groups + g] as f64).collect();
        let mean = own.iter().sum::<f64>() / size as f64;
        let std = (own.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (size - 1) as f64).sqrt();
        for k in 0..size {
            let want = (own[k] - mean) / (std + 1e-4);
            assert!((a[k * groups + g] as f64 - want).abs() < 1e-6, "{g} {k}");
        }
    }
    Cases(groups / 997).finish("a million groups", 1000);
}

fn whitened(c: &Context, x: &Whiten<'_>) -> (Vec<f64>, [f64; 3], u32) {
    let (mut a, mut state, mut s) = (vec![7.0; x.values.rows()], [7.0; 3], [7u32]);
    let out = WhitenOut {
        values: out!(a),
        state: Some(MatrixMut::vector(&mut state)),
        status: Some(MatrixMut::vector(&mut s)),
        moments: None,
    };
    with_scratch(advantage::whiten_workspace(x).minimum, |w| advantage::whiten(c, x, out, w)).unwrap();
    (a, state, s[0])
}

#[test]
fn whitening() {
    let mut cases = Cases::default();
    let base = |v| Whiten {
        values: v,
        mask: None,
        counts: None,
        states: None,
        std_kind: StdKind::Unbiased,
        eps_kind: EpsKind::VarianceAdd,
        keep_mean: false,
        eps: 1e-8,
    };
    let mut r = Random(1);
    let v: Vec<f64> = (0..20_000).map(|_| 3.0 + r.normal()).collect();
    let m: Vec<u8> = (0..v.len()).map(|_| (r.below(5) > 0) as u8).collect();
    let x = Whiten { mask: mask(&m), ..base(f(&v)) };
    let whole = whitened(&Context::default(), &x);
    for threads in [1, 2, 3] {
        let got = whitened(&context(Isa::detect(), threads), &x);
        same("threads", &got.0, &whole.0);
        same("threads", &got.1, &whole.1);
        cases.ran();
    }
    // three ranks give what one gives, and each of them the same
    let cuts = [0, 5000, 5001, v.len()];
    let part = |k: usize, states| Whiten {
        mask: Some(Mask::U8(Matrix::vector(&m[cuts[k]..cuts[k + 1]]))),
        states,
        ..base(f(&v[cuts[k]..cuts[k + 1]]))
    };
    let states: Vec<f64> = (0..3).flat_map(|k| whitened(&Context::default(), &part(k, None)).1).collect();
    let all: Vec<f64> = (0..3)
        .flat_map(|k| whitened(&Context::default(), &part(k, Some(Matrix::contiguous(&states, 3, 3).unwrap()))).0)
        .collect();
    for (got, want) in all.iter().zip(&whole.0) {
        assert!((got - want).abs() < 1e-13 && (*want != 0.0 || *got == 0.0));
    }
    cases.ran();
    // one rank's own state is what it would use anyway
    let own = whole.1;
    let again = whitened(&Context::default(), &Whiten { states: Some(Matrix::contiguous(&own, 1, 3).unwrap()), ..x });
    same("own state", &again.0, &whole.0);
    // equal values, one value, none, what is not finite
    let equal = vec![0.1; 9001];
    let (a, state, s) = whitened(&Context::default(), &base(f(&equal)));
    assert!(a.iter().all(|&a| a == 0.0) && state == [9001.0, 0.1, 0.0] && s == 0);
    assert_eq!(whitened(&Context::default(), &base(f(&[5.0]))), (vec![0.0], [1.0, 5.0, 0.0], row::DEGENERATE));
    assert_eq!(whitened(&Context::default(), &base(f(&[]))), (vec![], [0.0; 3], row::EMPTY));
    let (a, _, s) = whitened(&Context::default(), &base(f(&[5.0, NAN])));
    assert!(a[0].is_nan() && s == row::NAN_INPUT);
    let (a, _, s) = whitened(&Context::default(), &base(f(&[5.0, INF, 1.0])));
    assert!(a[0].is_nan() && s == row::INF_INPUT);
    let (a, _, s) = whitened(&Context::default(), &Whiten { mask: mask(&[1, 0, 1]), ..base(f(&[5.0, NAN, 1.0])) });
    assert!(a[1] == 0.0 && a[0] == -a[2] && s == 0);
    let bad = [-1.0, 0.0, 0.0];
    let x = Whiten { states: Some(Matrix::contiguous(&bad, 1, 3).unwrap()), ..base(f(&[1.0])) };
    refused(x.check(&WhitenOut::default()), "states", Status::InvalidArgument);
    refused(Whiten::params(&[-1.0]), "eps", Status::InvalidArgument);
    cases.0 += 9;
    cases.finish("whitening", 13);
}

fn min_norm(m: &[f64], n: usize) -> (Vec<f64>, f64) {
    min_norm_to(1e-12, m, n)
}
fn min_norm_to(tolerance: f64, m: &[f64], n: usize) -> (Vec<f64>, f64) {
    let x = MinNormWeights { gram: table(m, n), tolerance };
    let (mut c, mut value) = (vec![7.0; n], [7.0]);
    let (weights, v) = out!(c, value);
    let out = MinNormWeightsOut { weights, value: v };
    with_scratch(advantage::min_norm_weights_workspace(&x).minimum, |w| advantage::min_norm_weights(&x, out, w))
        .unwrap();
    (c, value[0])
}

/// Closed forms: at right angles c_i is in proportion to 1 / |g_i|^2, and of two points that are as good the first support
/// stays. Where the search ends: as many steps as there are objectives, and not one more than the tolerance, which is relative
/// to the largest |g_i|^2, wants.
#[test]
fn min_norm_closed_forms_and_ends() {
    let mut cases = Cases::default();
    let diagonal = |d: &[f64]| -> Vec<f64> {
        let n = d.len();
        (0..n * n).map(|k| if k / n == k % n { d[k / n] } else { 0.0 }).collect()
    };
    let mut near = |(c, value): (Vec<f64>, f64), want: &[f64], norm: f64| {
        let off = c.iter().zip(want).fold(0.0f64, |e, (c, w)| e.max((c - w).abs()));
        assert!(c.len() == want.len() && off <= 1e-14 && (value - norm).abs() <= 1e-14 * norm, "{c:?} {value}");
        cases.ran();
    };
    near(min_norm(&diagonal(&[1.0, 3.0]), 2), &[0.75, 0.25], 0.75);
    near(min_norm(&[2.0, 1.0, 1.0, 1.0], 2), &[0.0, 1.0], 1.0);
    near(min_norm(&[5.0, 1.0, 1.0, 2.0], 2), &[0.2, 0.8], 1.8);
    near(min_norm(&diagonal(&[1.0, 2.0, 4.0]), 3), &[4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0], 4.0 / 7.0);
    // (1, 0), (0, 1), (1, 1): the third is no help; (1, 0), (0, 1), (-1, 0): the first and the last are opposite
    near(min_norm(&[1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 2.0], 3), &[0.5, 0.5, 0.0], 0.5);
    near(min_norm(&[1.0, 0.0, -1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 1.0], 3), &[0.5, 0.0, 0.5], 0.0);
    // 1, -1, 1: the second and the third would do as well
    near(min_norm(&[1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0], 3), &[0.5, 0.5, 0.0], 0.0);
    for n in [9, 24, MAX_OBJECTIVES] {
        let d: Vec<f64> = (0..n).map(|i| 1.0 + (i % 5) as f64).collect();
        let all: f64 = d.iter().map(|d| 1.0 / d).sum();
        near(min_norm(&diagonal(&d), n), &d.iter().map(|d| 1.0 / d / all).collect::<Vec<_>>(), 1.0 / all);
        // equal lengths: k objectives make the value 1 / k, of which the others see nothing
        for (k, tolerance) in [(1, 1.0), (2, 0.99), (2, 0.5), (3, 0.49), (n, 0.9 / n as f64)] {
            for scale in [1.0, 4.0, 1e-6] {
                let want: Vec<f64> = (0..n).map(|i| if i < k { 1.0 / k as f64 } else { 0.0 }).collect();
                near(min_norm_to(tolerance, &diagonal(&vec![scale; n]), n), &want, scale / k as f64);
            }
        }
    }
    cases.finish("closed forms of weights of least norm", 7 + 3 * 16);
}

/// The optimality of the result says everything: no objective sees less of the point than the point itself.
#[test]
fn min_norm_points() {
    let mut cases = Cases::default();
    let mut judge = |m: &[f64], n: usize| {
        let (c, value) = min_norm(m, n);
        let top = (0..n).fold(0.0f64, |t, i| t.max(m[i * n + i]));
        assert!(c.iter().all(|&c| c >= 0.0) && (c.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{c:?}");
        for i in 0..n {
            let seen: f64 = (0..n).map(|j| m[i * n + j] * c[j]).sum();
            assert!(seen >= value - 1e-10 * top, "{n} {i}: {seen} below {value}, {c:?}");
        }
        cases.ran();
        (c, value)
    };
    let mut r = Random(6);
    for n in 1usize..=24 {
        for rank in [1, 2, n.div_ceil(2), n, n + 3] {
            for scale in [1.0, 1e-9, 1e9] {
                let g: Vec<f64> =
                    (0..n * rank).map(|_| r.normal() * scale + if rank == 2 { 0.0 } else { 0.3 * scale }).collect();
                let m: Vec<f64> = (0..n * n)
                    .map(|k| {
                        let (i, j) = ((k / n).max(k % n), (k / n).min(k % n));
                        (0..rank).map(|t| g[i * rank + t] * g[j * rank + t]).sum()
                    })
                    .collect();
                let (_, value) = judge(&m, n);
                if rank == 1 {
                    // the interval rule is the same for numbers
                    let mut least = [7.0];
                    let out = IntervalWeightsOut { value: out!(least), ..IntervalWeightsOut::default() };
                    advantage::interval_weights(&IntervalWeights { scalars: table(&g, n) }, out).unwrap();
                    assert!(
                        (least[0] * least[0] - value).abs() <= 1e-12 * scale * scale * 10.0,
                        "{} {value}",
                        least[0]
                    );
                }
            }
        }
    }
    assert_eq!(min_norm(&[1.0, -1.0, -1.0, 1.0], 2), (vec![0.5, 0.5], 0.0));
    assert_eq!(min_norm(&[4.0, 4.0, 4.0, 4.0], 2).0, [0.5, 0.5]);
    assert_eq!(min_norm(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0], 3), (vec![0.0, 1.0, 0.0], 0.0));
    let bad = |m: &[f64]| MinNormWeights { gram: table(m, 2), tolerance: 1.0 }.check(&MinNormWeightsOut::default());
    for m in [[1.0, 2.0, 0.0, 1.0], [1.0, NAN, NAN, 1.0], [-1.0, 0.0, 0.0, 1.0]] {
        refused(bad(&m), "gram", Status::InvalidArgument);
    }
    let big = vec![0.0; 65 * 65];
    refused(
        MinNormWeights { gram: table(&big, 65), tolerance: 1.0 }.check(&MinNormWeightsOut::default()),
        "gram",
        Status::ShapeMismatch,
    );
    cases.finish("min-norm points", 360);
}

#[test]
fn intervals() {
    let run = |x: &[f64], n: usize| {
        let m = x.len() / n;
        let (mut value, mut w, mut s) = (vec![7.0; m], vec![7.0; n * m], vec![7u32; m]);
        let out = IntervalWeightsOut {
            value: out!(value),
            weights: Some(MatrixMut::contiguous(&mut w, n, m).unwrap().into()),
            status: Some(MatrixMut::vector(&mut s)),
        };
        advantage::interval_weights(&IntervalWeights { scalars: table(x, n) }, out).unwrap();
        (value, w, s)
    };
    let mut cases = Cases::default();
    let mut r = Random(8);
    for n in 1..6 {
        let (m, at) = (200, 1.0);
        let x: Vec<f64> = (0..n * m).map(|k| r.normal() + at * ((k % m) as f64 / 50.0 - 2.0)).collect();
        let (value, w, s) = run(&x, n);
        for k in 0..m {
            let column: Vec<f64> = (0..n).map(|i| x[i * m + k]).collect();
            let (low, high) = (column.iter().fold(INF, |a, &x| a.min(x)), column.iter().fold(-INF, |a, &x| a.max(x)));
            let want = 0f64.max(low).min(high);
            let made: f64 = (0..n).map(|i| w[i * m + k] * column[i]).sum();
            let total: f64 = (0..n).map(|i| w[i * m + k]).sum();
            assert!(value[k] == want && (made - want).abs() < 1e-15 && (total - 1.0).abs() < 1e-15 && s[k] == 0);
            cases.ran();
        }
    }
    assert_eq!(run(&[0.0, 0.0], 2).1, [1.0, 0.0]);
    assert_eq!(run(&[2.0, 2.0, 3.0], 3).1, [1.0, 0.0, 0.0]);
    assert_eq!(run(&[-1e308, 1e308], 2).1, [0.5, 0.5]);
    let (v, w, s) = run(&[1.0, NAN], 2);
    assert!(v[0].is_nan() && w[0].is_nan() && s == [row::NAN_INPUT]);
    cases.finish("intervals", 1000);
}

#[test]
fn tokens_over_threads_and_masks() {
    let mut cases = Cases::default();
    let (b, t) = (37usize, 900usize);
    let n = b * t;
    let mut r = Random(12);
    let old: Vec<f64> = (0..n).map(|_| -4.0 * r.uniform()).collect();
    let teacher: Vec<f64> = old.iter().map(|x| x + 0.3 * r.normal()).collect();
    let a: Vec<f64> = (0..n).map(|_| r.normal()).collect();
    let m: Vec<u8> = (0..n).map(|i| (i % t < t - i / t * 20 && r.below(7) > 0) as u8).collect();
    // whatever is masked is never looked at
    let poison = |x: &[f64]| -> Vec<f64> { x.iter().zip(&m).map(|(&x, &m)| if m > 0 { x } else { NAN }).collect() };
    let segments = Segments::Padded { sequences: b, width: t };
    let rewards: Vec<f64> = (0..b).map(|_| r.normal()).collect();
    let per_row: Vec<f64> = (0..b).map(|_| r.normal()).collect();
    let log = [0.3];
    let run = |c: &Context, old: &[f64], teacher: &[f64], a: &[f64]| -> Vec<Vec<f64>> {
        let mut all = vec![];
        let forms = [
            Distill::opd(&[0.5, 1.0]),
            Distill::iw_opd(&[]),
            Distill::rlsd(&[]),
            Distill::minillm(&[0.9]),
            Distill::opd(&[]),
        ];
        for (k, form) in forms.into_iter().enumerate() {
            let advantages = match k {
                0 | 2 => Some(Advantage::Token(f(a))),
                4 => Some(Advantage::Sequence(f(&per_row))),
                _ => None,
            };
            let flags = DistillFlags { per_length: k == 3, ..DistillFlags::default() };
            let x = DistillAdvantage {
                segments,
                student: f(old),
                teacher: f(teacher),
                advantages,
                token_rewards: None,
                mask: mask(&m),
                form: form.unwrap(),
                estimator: 0,
                flags,
            };
            let mut to = vec![7.0; n];
            let out = DistillAdvantageOut { advantages: out!(to), status: None };
            advantage::distill_advantage(c, &x, out).unwrap();
            all.push(to);
        }
        for by_sequence in [false, true] {
            let x = TokenReward {
                segments,
                old: f(old),
                reference: f(teacher),
                rewards: Some(f(&rewards)),
                mask: mask(&m),
                by_sequence,
                estimator: estimator(3),
                params: TokenReward::params(&[0.1]).unwrap(),
            };
            let (mut to, mut k) = (vec![7.0; if by_sequence { b } else { n }], vec![7.0; b]);
            let (rewards, kl) = out!(to, k);
            advantage::token_reward(c, &x, TokenRewardOut { rewards, kl, status: None }).unwrap();
            all.extend([to, k]);
        }
        let x = LagrangianAdvantage {
            reward_advantages: f(a),
            cost_advantages: f(old),
            mask: mask(&m),
            log_lambda: f(&log),
            mean_cost: None,
            cost_limit: 0.0,
        };
        let mut to = vec![7.0; n];
        let out = LagrangianAdvantageOut { advantages: out!(to), grad_log_lambda: None };
        advantage::lagrangian_advantage(c, &x, out).unwrap();
        all.push(to);
        let offsets: Vec<i64> = (0..=b as i64).collect();
        let offsets: Vec<i64> = offsets.iter().copied().step_by(4).chain([b as i64]).collect();
        let x = OptimalTokenBaseline {
            segments,
            rewards: f(a),
            logps: f(old),
            log_sum_sq: f(old),
            importance_weight: None,
            mask: mask(&m),
            groups: Groups::Offsets(int(&offsets)),
            alignment: Alignment::LiveIndex,
            keep_tail: false,
            eps: 1e-8,
        };
        let mut to = vec![7.0; n];
        let out = OptimalTokenBaselineOut { advantages: out!(to), ..OptimalTokenBaselineOut::default() };
        let need = advantage::optimal_token_baseline_workspace(&x).minimum;
        with_scratch(need, |w| advantage::optimal_token_baseline(&x, out, w)).unwrap();
        all.push(to);
        let x = PrimeAdvantage {
            segments,
            process_rewards: Some(f(a)),
            outcome: Some(f(&rewards)),
            mask: mask(&m),
            groups: Groups::Offsets(int(&[0, 20, 37])),
            coef: [1.0, 5.0],
        };
        let mut to = vec![7.0; n];
        let out = PrimeAdvantageOut { returns: out!(to), status: None };
        with_scratch(0, |w| advantage::prime_advantage(&x, n, out, w)).unwrap();
        all.push(to);
        all
    };
    let want = run(&Context::default(), &old, &teacher, &a);
    for (x, k) in want.iter().flat_map(|x| x.iter().enumerate().map(move |(k, _)| (x, k))).filter(|(x, _)| x.len() == n)
    {
        assert!(x[k].is_finite() && (m[k] > 0 || x[k].to_bits() == 0), "{k}: {}", x[k]);
    }
    for threads in [1, 2, 3] {
        let got = run(&context(Isa::detect(), threads), &poison(&old), &poison(&teacher), &poison(&a));
        for (got, want) in got.iter().zip(&want) {
            same("threads and masks", got, want);
            cases.ran();
        }
    }
    // rlsd never turns a sign, and a = 0 stays 0
    assert!((0..n).all(|i| want[2][i] * a[i] >= 0.0));
    cases.finish("tokens over threads and masks", 36);
}

#[test]
fn special_values_of_tokens() {
    let run = |form: Distill, student: &[f64], teacher: &[f64], a: Option<&[f64]>, missing_zero: bool| {
        let x = DistillAdvantage {
            segments: Segments::Padded { sequences: 1, width: student.len() },
            student: f(student),
            teacher: f(teacher),
            advantages: a.map(|a| Advantage::Token(f(a))),
            token_rewards: None,
            mask: None,
            form,
            estimator: 0,
            flags: DistillFlags { missing_zero, ..DistillFlags::default() },
        };
        let (mut to, mut s) = (vec![7.0; student.len()], [7u32]);
        let out = DistillAdvantageOut { advantages: out!(to), status: Some(MatrixMut::vector(&mut s)) };
        advantage::distill_advantage(&Context::default(), &x, out).map(|()| (to, s[0]))
    };
    let opd = Distill::opd(&[]).unwrap();
    assert_eq!(run(opd, &[-1.0, -2.0], &[NAN, -1.5], None, true).unwrap(), (vec![0.0, 0.5], 0));
    refused(run(opd, &[-1.0, -2.0], &[NAN, -1.5], None, false), "teacher", Status::InvalidArgument);
    assert_eq!(run(opd, &[-1.0], &[-INF], None, false).unwrap(), (vec![-INF], row::INFINITE));
    assert_eq!(
        run(Distill::opd(&[1.0, 2.0]).unwrap(), &[-1.0], &[-INF], None, false).unwrap(),
        (vec![-2.0], row::SATURATED)
    );
    assert_eq!(run(opd, &[-INF], &[-INF], None, false).unwrap().1, row::INF_INPUT);
    assert_eq!(run(opd, &[NAN], &[-1.0], None, false).unwrap().1, row::NAN_INPUT);
    let rlsd = Distill::rlsd(&[]).unwrap();
    assert_eq!(run(rlsd, &[NAN], &[-1.0], Some(&[0.0]), false).unwrap(), (vec![0.0], 0));
    assert_eq!(
        run(rlsd, &[-1.0], &[-INF], Some(&[2.0]), false).unwrap(),
        (vec![2.0 * (0.5 + 0.5 * 0.8)], row::SATURATED)
    );
    refused(run(rlsd, &[-1.0], &[-1.0], None, false), "advantages", Status::InvalidArgument);
    refused(
        run(Distill::iw_opd(&[]).unwrap(), &[-1.0], &[-1.0], Some(&[1.0]), false),
        "advantages",
        Status::InvalidArgument,
    );
    let (a, s) = run(Distill::minillm(&[1.0]).unwrap(), &[-1.0, NAN, -1.0], &[-1.0; 3], None, false).unwrap();
    assert!(a[0].is_nan() && a[2] == 0.0 && s == row::NAN_INPUT);
    assert!(
        Distill::rlsd(&[0.5, 1.0]).is_err() && Distill::opd(&[1.0, 0.0]).is_err() && Distill::minillm(&[1.5]).is_err()
    );

    let lagrangian = |log: f64| {
        let log = [log];
        let x = LagrangianAdvantage {
            reward_advantages: f(&[2.0, INF]),
            cost_advantages: f(&[INF, 3.0]),
            mask: None,
            log_lambda: f(&log),
            mean_cost: Some(f(&[1.0])),
            cost_limit: 1.0,
        };
        let (mut a, mut d) = (vec![7.0; 2], [7.0]);
        let (advantages, grad_log_lambda) = out!(a, d);
        let out = LagrangianAdvantageOut { advantages, grad_log_lambda };
        advantage::lagrangian_advantage(&Context::default(), &x, out).map(|()| (a, d[0]))
    };
    // lambda = 0 and infinity: what has no share is not multiplied
    assert_eq!(lagrangian(-INF).unwrap(), (vec![2.0, INF], 0.0));
    assert_eq!(lagrangian(INF).unwrap(), (vec![-INF, -3.0], 0.0));
    refused(lagrangian(NAN), "log_lambda", Status::InvalidArgument);

    let control = |rule: Rule, measured: f64, coef: f64| {
        let (measured, coef) = ([measured], [coef]);
        let (mut a, mut s) = ([7.0], [7u32]);
        let out = ControllerOut { coef: out!(a), applied: None, status: Some(MatrixMut::vector(&mut s)) };
        advantage::controller(&Controller { measured: f(&measured), coef: f(&coef), rule }, out).map(|()| (a[0], s[0]))
    };
    let kl = Rule::kl(&[NAN, 100.0]).unwrap();
    assert_eq!(control(kl, NAN, 0.3).unwrap(), (0.3, row::NAN_INPUT));
    assert_eq!(control(kl, INF, 0.3).unwrap(), (0.3, row::INF_INPUT));
    assert_eq!(control(Rule::entropy(&[]).unwrap(), NAN, 0.3).unwrap(), (0.3, row::NAN_INPUT));
    refused(control(kl, 1.0, -1.0), "coef", Status::InvalidArgument);
    refused(Rule::kl(&[]), "batch", Status::InvalidArgument);
    refused(Rule::entropy(&[NAN, NAN, 0.5, 0.1]), "maximum", Status::InvalidArgument);
    refused(TokenReward::params(&[]), "coef", Status::InvalidArgument);
    refused(TokenReward::params(&[0.1, NAN, 1.0, 0.0]), "reward_max", Status::InvalidArgument);
    refused(GaeParams::new(&[NAN, 0.5], false), "lambda_policy", Status::InvalidArgument);
    refused(GaeParams::new(&[NAN, 0.5, NAN, 0.1], true), "lambda_policy", Status::InvalidArgument);
    refused(GaeParams::new(&[1.5], true), "gamma", Status::InvalidArgument);
    let single = PrimeAdvantage {
        segments: Segments::Padded { sequences: 1, width: 2 },
        process_rewards: Some(f(&[1.0, 2.0])),
        outcome: None,
        mask: None,
        groups: Groups::Offsets(int(&[0, 1])),
        coef: [1.0; 2],
    };
    let prime = |x: &PrimeAdvantage<'_>| advantage::prime_advantage(x, 2, PrimeAdvantageOut::default(), &mut []);
    refused(prime(&single), "group_offsets", Status::InvalidArgument);
    refused(
        prime(&PrimeAdvantage { process_rewards: Some(f(&[1.0, NAN])), ..single }),
        "process_rewards",
        Status::InvalidArgument,
    );
    refused(prime(&PrimeAdvantage { process_rewards: None, ..single }), "process_rewards", Status::InvalidArgument);
    // a bad row is no part of its group's baseline
    let x = OptimalTokenBaseline {
        segments: Segments::Padded { sequences: 3, width: 1 },
        rewards: f(&[1.0, NAN, 3.0]),
        logps: f(&[-1.0, -1.0, -INF]),
        log_sum_sq: f(&[-0.5; 3]),
        importance_weight: None,
        mask: None,
        groups: Groups::Offsets(int(&[0, 3])),
        alignment: Alignment::Position,
        keep_tail: true,
        eps: 0.0,
    };
    let (mut a, mut s) = (vec![7.0; 3], vec![7u32; 3]);
    let out = OptimalTokenBaselineOut { advantages: out!(a), baseline: None, status: Some(MatrixMut::vector(&mut s)) };
    let need = advantage::optimal_token_baseline_workspace(&x).minimum;
    with_scratch(need, |w| advantage::optimal_token_baseline(&x, out, w)).unwrap();
    let (e, p) = ((-0.5f64).exp(), (-1f64).exp());
    let w = [1.0 - 2.0 * p + e, 1.0 + e];
    let base = (w[0] + 3.0 * w[1]) / (w[0] + w[1]);
    assert!((a[0] - (1.0 - base)).abs() < 1e-14 && a[1].is_nan() && (a[2] - (3.0 - base)).abs() < 1e-14, "{a:?}");
    assert_eq!(s, [0, row::NAN_INPUT, 0]);
    Cases(30).finish("special values of tokens", 30);
}
