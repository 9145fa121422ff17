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
use truing_tests::{Cases, Random, context, same, with_scratch};

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

#[derive(Default)]
struct Case {
    op: String,
    options: BTreeMap<String, String>,
    x: BTreeMap<String, Vec<f64>>,
    want: BTreeMap<String, Vec<f64>>,
}
impl Case {
    fn word(&self, name: &str) -> &str {
        self.options.get(name).unwrap_or_else(|| panic!("{}: no option {name}", self.op))
    }
    fn number(&self, name: &str) -> f64 {
        self.word(name).parse().unwrap()
    }
    fn on(&self, name: &str) -> bool {
        self.number(name) != 0.0
    }
    fn x(&self, name: &str) -> &[f64] {
        self.x.get(name).unwrap_or_else(|| panic!("{}: no input {name}", self.op))
    }
    fn ints(&self, name: &str) -> Vec<i64> {
        self.x(name).iter().map(|&x| x as i64).collect()
    }
    fn mask(&self) -> Vec<u8> {
        self.x("mask").iter().map(|&x| x as u8).collect()
    }
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
fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = vec![];
    for line in include_str!("golden/advantage.txt").lines() {
        let mut words = line.split(' ');
        let first = words.next().unwrap();
        if first == "@" {
            let op = words.next().unwrap().to_string();
            let options = words.map(|w| w.split_once('=').unwrap()).map(|(a, b)| (a.into(), b.into())).collect();
            all.push(Case { op, options, ..Case::default() });
            continue;
        }
        let case = all.last_mut().expect("a case");
        let (to, name) = if first == ">" { (&mut case.want, words.next().unwrap()) } else { (&mut case.x, first) };
        to.insert(name.into(), words.map(|w| w.parse().unwrap()).collect());
    }
    all
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

/// `golden/advantage.txt`, 60 digits from an independent script.
#[test]
fn golden() {
    let mut tally = BTreeMap::<String, (usize, f64)>::new();
    for c in cases() {
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
            other => panic!("{other}"),
        };
        let worst = run(&c);
        let t = tally.entry(c.op).or_default();
        *t = (t.0 + 1, t.1.max(worst));
    }
    for (op, (n, worst)) in &tally {
        println!("{op}: {n} cases, largest error {worst:.1e} of the largest value");
    }
    Cases(tally.values().map(|t| t.0).sum()).finish("golden advantages", 1349);
    assert_eq!(tally.len(), 13);
}
