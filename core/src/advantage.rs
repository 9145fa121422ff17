//! Advantages and returns, and the small operations around them. All evaluate in f64 and round once. They are constants
//! of a policy loss; where a gradient makes sense (weights of objectives, rewards and values of GAE) there is a backward.
//!
//! Rows are whole answers (`[B]`), tokens lie as [`Segments`]. A masked token is not read and its outputs are 0. A reward
//! of a whole answer that is NaN is missing: it is no part of any statistic and its advantage is 0; an infinite one is an
//! error. Means are formed relative to the first value and corrected once, centred values before squares: equal rewards
//! give exactly 0, whatever their size. A sum runs in the order of the rows, or over fixed blocks of tokens in the order
//! of the blocks, so no thread count changes a bit.
use crate::batch::{masked, missing, place, place_matrix, place_of, rows, unread};
use crate::catalog::{Kind, Param, info, numbers, param, required};
use crate::error::{Error, Result, Status, Value};
use crate::matrix::{Floats, FloatsMut, Ints, Mask, Matrix, MatrixMut};
use crate::policy::Advantage;
use crate::sequence::{Segments, wide};

/// Most objectives of one call.
pub const MAX_OBJECTIVES: usize = 64;

fn given(given: &[f64], k: usize) -> bool {
    given.get(k).is_some_and(|x| !x.is_nan())
}
/// Refuses infinities; NaN is a missing reward.
fn scored(field: &'static str, m: &Floats<'_>, row: usize, k: usize) -> Result<()> {
    let x = m.at(row, k);
    match x.is_infinite() {
        true => Err(Error::invalid(field, Value::Float(x), Value::Text("a finite number, or NaN where it is missing"))),
        false => Ok(()),
    }
}

/// Which rows belong together.
#[derive(Clone, Copy, Debug)]
pub enum Groups<'a> {
    /// `[G + 1]`: group g holds rows `offsets[g] .. offsets[g + 1]`.
    Offsets(Ints<'a>),
    /// `[B]`, group of each row, in any order.
    Ids {
        /// In `[0, groups)`.
        ids: Ints<'a>,
        /// G.
        groups: usize,
    },
}
impl Groups<'_> {
    /// G.
    pub fn count(&self) -> usize {
        match self {
            Groups::Offsets(offsets) => offsets.rows().saturating_sub(1),
            Groups::Ids { groups, .. } => *groups,
        }
    }
    /// Refuses offsets that do not cut `rows` rows and ids outside their range.
    pub fn check(&self, rows: usize) -> Result<()> {
        match self {
            Groups::Offsets(m) => {
                if m.rows() == 0 || m.cols() != 1 {
                    return Err(Error::shape("group_offsets", m.layout().shape(), Value::Text("[G + 1]")));
                }
                let last = m.rows() - 1;
                for index in 0..=last {
                    let (value, least) = (m.get(index), if index == 0 { 0 } else { m.get(index - 1) });
                    let expected = match () {
                        () if index == 0 && value != 0 => Value::Int(0),
                        () if value < least => Value::Text("offsets that ascend"),
                        () if index == last && value != rows as i64 => Value::Size(rows),
                        () => continue,
                    };
                    let got = Value::At { value, index };
                    return Err(Error::new(Status::OutOfRange, "group_offsets", got, expected));
                }
                Ok(())
            }
            Groups::Ids { ids, groups } => {
                ids.layout().check("group_ids", rows, 1)?;
                for index in 0..rows {
                    let value = ids.get(index);
                    if value < 0 || value as u64 >= *groups as u64 {
                        let (got, most) = (Value::At { value, index }, i64::try_from(*groups).unwrap_or(i64::MAX));
                        return Err(Error::new(Status::OutOfRange, "group_ids", got, Value::Below(0, most)));
                    }
                }
                Ok(())
            }
        }
    }
}

/// Divisor of a variance of n values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum StdKind {
    /// n - 1.
    Unbiased = 1,
    /// n.
    Population = 2,
}
/// How epsilon enters a division by a deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EpsKind {
    /// `/ (std + eps)`.
    Add = 1,
    /// `/ (std + eps)` where std > 0, else no division.
    SkipZero = 2,
    /// `/ sqrt(var + eps)`.
    VarianceAdd = 3,
    /// `/ sqrt(max(var, eps))`.
    VarianceMax = 4,
}

// ---- group advantages

/// What is subtracted from a reward R_i of a group of n scored rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Baseline {
    /// Nothing.
    None = 1,
    /// The mean of the group.
    Group = 2,
    /// The mean of the other rows of the group.
    LeaveOneOut = 3,
    /// The mean of all rows.
    Batch = 4,
    /// The mean of the group weighted by `lengths`; 0 (flagged) where they are all 0.
    LengthWeighted = 5,
    /// The best of the group gets its distance to the second, all others 0; of equal ones the first, with 0.
    BestOfGroup = 6,
}
/// What a centred reward is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Scale {
    /// Nothing.
    None = 1,
    /// The deviation of the group.
    GroupStd = 2,
    /// The deviation of all rows.
    BatchStd = 3,
    /// The deviation of the other rows of the group.
    LeaveOneOutStd = 4,
    /// The mean of the group plus eps; rewards must not be negative, and a group of zeros gives 0.
    GroupMean = 5,
    /// `f_norm` times the share of rows that are not 0 (of one at least).
    NonzeroShare = 6,
}
/// Advantage in a group with one scored row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Single {
    /// 0.
    Zero = 1,
    /// The reward; what belongs to the batch (deviation, share of zeros) still divides.
    Raw = 2,
}
/// A usual combination of [`GroupOptions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Preset {
    Grpo = 1,
    GrpoBatchStd = 2,
    DrGrpo = 3,
    Rloo = 4,
    GrpoLoo = 5,
    BatchBaseline = 6,
    Opo = 7,
    Gpg = 8,
    MaxRl = 9,
    Raw = 10,
    PassK = 11,
}
/// Settings of [`GroupAdvantage`] and of each objective of [`MultiObjective`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupOptions {
    /// What is subtracted.
    pub baseline: Baseline,
    /// What divides.
    pub scale: Scale,
    /// Deviations.
    pub std_kind: StdKind,
    /// [`EpsKind::Add`] or [`EpsKind::SkipZero`].
    pub eps_kind: EpsKind,
    /// Groups with one scored row.
    pub single: Single,
    /// >= 0.
    pub eps: f64,
    /// Of [`Scale::NonzeroShare`], > 0.
    pub f_norm: f64,
}
impl GroupOptions {
    /// Parameters in their order; that of eps is the preset's.
    pub const PARAMS: [Param; 2] = [
        param("eps", 0.0, "what is added to a deviation or mean that divides").from(0.0),
        param("f_norm", 1.0, "divisor of gpg").above(0.0),
    ];
    /// The settings of a preset:
    ///
    /// | preset | advantage | eps | one row |
    /// |---|---|---|---|
    /// | `grpo` | `(R_i - mean) / (std + eps)` (arXiv:2402.03300) | 1e-4 | 0 |
    /// | `grpo_batch_std` | `(R_i - mean) / (std of the batch + eps)` | 1e-4 | 0 |
    /// | `dr_grpo` | `R_i - mean` (arXiv:2503.20783) | | 0 |
    /// | `rloo` | `R_i - mean of the others` (arXiv:2402.14740) | | 0 |
    /// | `grpo_loo` | `(R_i - mean of the others) / (std of the others + eps)`, not divided where that is 0 | 1e-6 | 0 |
    /// | `batch_baseline` | `R_i - mean of the batch` | | |
    /// | `opo` | `R_i - sum L_j R_j / sum L_j` (arXiv:2505.23585) | | R_i |
    /// | `gpg` | `(R_i - mean) / f_norm * rows / max(1, rows that are not 0)` (arXiv:2504.02546) | | R_i for R_i - mean |
    /// | `maxrl` | `(R_i - mean) / (mean + eps)` | 1e-6 | R_i |
    /// | `raw` | `R_i` | | |
    /// | `pass_k` | best: `(R_1 - R_2) / (std + eps)`, others 0 (arXiv:2503.19595) | 1e-6 | an error |
    pub const fn preset(preset: Preset) -> GroupOptions {
        let (baseline, scale, eps, single) = match preset {
            Preset::Grpo => (Baseline::Group, Scale::GroupStd, 1e-4, Single::Zero),
            Preset::GrpoBatchStd => (Baseline::Group, Scale::BatchStd, 1e-4, Single::Zero),
            Preset::DrGrpo => (Baseline::Group, Scale::None, 0.0, Single::Zero),
            Preset::Rloo => (Baseline::LeaveOneOut, Scale::None, 0.0, Single::Zero),
            Preset::GrpoLoo => (Baseline::LeaveOneOut, Scale::LeaveOneOutStd, 1e-6, Single::Zero),
            Preset::BatchBaseline => (Baseline::Batch, Scale::None, 0.0, Single::Zero),
            Preset::Opo => (Baseline::LengthWeighted, Scale::None, 0.0, Single::Raw),
            Preset::Gpg => (Baseline::Group, Scale::NonzeroShare, 0.0, Single::Raw),
            Preset::MaxRl => (Baseline::Group, Scale::GroupMean, 1e-6, Single::Raw),
            Preset::Raw => (Baseline::None, Scale::None, 0.0, Single::Raw),
            Preset::PassK => (Baseline::BestOfGroup, Scale::GroupStd, 1e-6, Single::Zero),
        };
        let eps_kind = match preset {
            Preset::GrpoLoo => EpsKind::SkipZero,
            _ => EpsKind::Add,
        };
        GroupOptions { baseline, scale, std_kind: StdKind::Unbiased, eps_kind, single, eps, f_norm: 1.0 }
    }
    /// These settings with the caller's numbers, checked.
    pub fn with(self, given: &[f64]) -> Result<GroupOptions> {
        let mut params = Self::PARAMS;
        params[0].default = self.eps;
        let [eps, f_norm] = numbers(&params, given)?;
        if matches!(self.eps_kind, EpsKind::VarianceAdd | EpsKind::VarianceMax) {
            return Err(Error::invalid("eps_kind", Value::Int(self.eps_kind as i64), Value::Text("ADD or SKIP_ZERO")));
        }
        Ok(GroupOptions { eps, f_norm, ..self })
    }
    fn check_rewards(&self, field: &'static str, rewards: &Floats<'_>) -> Result<()> {
        for i in 0..rewards.rows() {
            for k in 0..rewards.cols() {
                scored(field, rewards, i, k)?;
                let x = rewards.at(i, k);
                if self.scale == Scale::GroupMean && x < 0.0 {
                    let legal = Value::Text("rewards >= 0 where the mean divides");
                    return Err(Error::invalid(field, Value::Float(x), legal));
                }
            }
        }
        Ok(())
    }
}

/// Advantage of every row from the rewards of its group.
#[derive(Clone, Copy, Debug)]
pub struct GroupAdvantage<'a> {
    /// `[B]`.
    pub rewards: Floats<'a>,
    /// The groups.
    pub groups: Groups<'a>,
    /// `[B]`, >= 0, for [`Baseline::LengthWeighted`] only.
    pub lengths: Option<Ints<'a>>,
    /// The settings.
    pub options: GroupOptions,
}
/// Results of [`GroupAdvantage`].
#[derive(Debug, Default)]
pub struct GroupAdvantageOut<'a> {
    /// `[B]`.
    pub advantages: Option<FloatsMut<'a>>,
    /// `[G]`, mean of the scored rows, 0 without one.
    pub mean: Option<FloatsMut<'a>>,
    /// `[G]`, their deviation, 0 for one row.
    pub std: Option<FloatsMut<'a>>,
    /// `[G]`: `empty` without a scored row, `degenerate` with one alone or where a weighted mean has no weight, `infinite` or
    /// `overflow` where an advantage is not finite.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl GroupAdvantage<'_> {
    /// Refuses shapes that do not fit, infinite rewards, lengths that are missing, not read or negative.
    pub fn check(&self, out: &GroupAdvantageOut<'_>) -> Result<()> {
        let n = self.rewards.rows();
        self.rewards.layout().check("rewards", n, 1)?;
        self.groups.check(n)?;
        self.options.check_rewards("rewards", &self.rewards)?;
        check_lengths(&self.lengths, n, self.options.baseline)?;
        place("out_advantages", &out.advantages, n)?;
        let g = self.groups.count();
        place("out_mean", &out.mean, g)?;
        place("out_std", &out.std, g)?;
        place_of("out_status", &out.status, g)
    }
}
fn check_lengths(lengths: &Option<Ints<'_>>, n: usize, baseline: Baseline) -> Result<()> {
    match lengths {
        None if baseline == Baseline::LengthWeighted => missing("lengths", "[B]: the baseline is weighted by them"),
        Some(_) if baseline != Baseline::LengthWeighted => unread("lengths", "none: only opo's baseline reads them"),
        Some(m) => counts("lengths", m, n),
        None => Ok(()),
    }
}
/// Counts of tokens: `[n]`, not negative.
fn counts(field: &'static str, m: &Ints<'_>, n: usize) -> Result<()> {
    m.layout().check(field, n, 1)?;
    for index in 0..n {
        let value = m.get(index);
        if value < 0 {
            let legal = Value::Below(0, i64::MAX);
            return Err(Error::new(Status::OutOfRange, field, Value::At { value, index }, legal));
        }
    }
    Ok(())
}

/// Where the objectives become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Order {
    /// `R_i = sum_k w_k r_ik`, then the group's advantage of R (with `dr_grpo`: summed and centred).
    SumFirst = 1,
    /// The group's advantage of each objective, then `sum_k w_k z_ik`, then [`BatchStep`] (GDPO, MO-GRPO).
    NormaliseFirst = 2,
}
/// Last step of [`Order::NormaliseFirst`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum BatchStep {
    /// None.
    None = 1,
    /// `(S - mean) / (std + eps)` over the batch, unbiased.
    Standardise = 2,
    /// `S / std` over the batch, not divided where that is 0.
    Scale = 3,
}
/// Weights of objectives.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// `[K]`.
    Shared(Floats<'a>),
    /// `[B, K]`.
    OfRow(Floats<'a>),
}
impl Weights<'_> {
    /// Of objective `k` in row `i`.
    #[inline(always)]
    pub fn get(&self, i: usize, k: usize) -> f64 {
        match self {
            Weights::Shared(m) => m.get(k),
            Weights::OfRow(m) => m.at(i, k),
        }
    }
    fn check(&self, field: &'static str, n: usize, k: usize) -> Result<()> {
        match self {
            Weights::Shared(m) => m.layout().check(field, k, 1),
            Weights::OfRow(m) => m.layout().check(field, n, k),
        }
    }
}
/// Advantage of every row from K rewards. A missing reward (NaN) is skipped, the other weights stay as they are; a row
/// without any is missing.
#[derive(Clone, Copy, Debug)]
pub struct MultiObjective<'a> {
    /// `[B, K]`.
    pub rewards: Floats<'a>,
    /// Finite; absent: 1.
    pub weights: Option<Weights<'a>>,
    /// The groups.
    pub groups: Groups<'a>,
    /// `[B]`, for [`Baseline::LengthWeighted`] only.
    pub lengths: Option<Ints<'a>>,
    /// Settings of the group's advantage.
    pub options: GroupOptions,
    /// The order.
    pub order: Order,
    /// For [`Order::NormaliseFirst`].
    pub batch_step: BatchStep,
    /// Of [`BatchStep::Standardise`], >= 0.
    pub batch_eps: f64,
}
/// Results of [`MultiObjective`].
#[derive(Debug, Default)]
pub struct MultiObjectiveOut<'a> {
    /// `[B]`.
    pub advantages: Option<FloatsMut<'a>>,
    /// `[B]`, R or S before the last step, NaN for a missing row.
    pub combined: Option<FloatsMut<'a>>,
    /// `[B]`: `empty` for a missing row, `infinite` or `overflow` where the advantage is not finite.
    pub status: Option<MatrixMut<'a, u32>>,
}
/// Gradient of [`MultiObjective`] with respect to its weights.
#[derive(Debug)]
pub struct MultiObjectiveGrad<'a> {
    /// `[B]`, dL/dA; not read for a missing row.
    pub grad_advantages: Floats<'a>,
    /// `[K]`, or `[B, K]` where the weights are.
    pub grad_weights: FloatsMut<'a>,
}
impl MultiObjective<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 3] = [
        GroupOptions::PARAMS[0],
        GroupOptions::PARAMS[1],
        param("batch_eps", 1e-4, "what is added to the batch's deviation").from(0.0),
    ];
    /// Settings and epsilon of the batch step from the caller's numbers.
    pub fn params(options: GroupOptions, given: &[f64]) -> Result<(GroupOptions, f64)> {
        let mut params = Self::PARAMS;
        params[0].default = options.eps;
        let [_, _, batch_eps] = numbers(&params, given)?;
        Ok((options.with(&given[..given.len().min(2)])?, batch_eps))
    }
    fn check_inputs(&self) -> Result<()> {
        let (n, k) = (self.rewards.rows(), self.rewards.cols());
        self.groups.check(n)?;
        // weights may be negative, so the sum of what is not may be
        self.options.check_rewards("rewards", &self.rewards)?;
        check_lengths(&self.lengths, n, self.options.baseline)?;
        if let Some(w) = &self.weights {
            w.check("weights", n, k)?;
            for (i, k) in
                (0..if matches!(w, Weights::OfRow(_)) { n } else { n.min(1) }).flat_map(|i| (0..k).map(move |k| (i, k)))
            {
                let x = w.get(i, k);
                if !x.is_finite() || self.options.scale == Scale::GroupMean && x < 0.0 {
                    let legal = Value::Text("finite weights, >= 0 where the mean divides");
                    return Err(Error::invalid("weights", Value::Float(x), legal));
                }
            }
        }
        Ok(())
    }
    /// Refuses shapes that do not fit, infinite rewards and weights that are not finite.
    pub fn check(&self, out: &MultiObjectiveOut<'_>) -> Result<()> {
        self.check_inputs()?;
        let n = self.rewards.rows();
        place("out_advantages", &out.advantages, n)?;
        place("out_combined", &out.combined, n)?;
        place_of("out_status", &out.status, n)
    }
    /// As `check`; refuses settings whose gradient is not offered.
    pub fn check_backward(&self, grad: &MultiObjectiveGrad<'_>) -> Result<()> {
        self.check_inputs()?;
        let (n, k) = (self.rewards.rows(), self.rewards.cols());
        if self.order == Order::SumFirst {
            if !matches!(
                self.options.baseline,
                Baseline::None | Baseline::Group | Baseline::LeaveOneOut | Baseline::Batch
            ) {
                let legal = Value::Text("NONE, GROUP, LEAVE_ONE_OUT or BATCH in a backward");
                return Err(Error::invalid("baseline", Value::Int(self.options.baseline as i64), legal));
            }
            if !matches!(self.options.scale, Scale::None | Scale::GroupStd | Scale::BatchStd) {
                let legal = Value::Text("NONE, GROUP_STD or BATCH_STD in a backward");
                return Err(Error::invalid("scale", Value::Int(self.options.scale as i64), legal));
            }
        }
        self.grad_shape("grad_advantages", &grad.grad_advantages)?;
        wide("grad_weights_out", grad.grad_weights.dtype())?;
        match self.weights {
            Some(Weights::OfRow(_)) => grad.grad_weights.layout().check("grad_weights_out", n, k),
            _ => grad.grad_weights.layout().check("grad_weights_out", k, 1),
        }
    }
    fn grad_shape(&self, field: &'static str, m: &Floats<'_>) -> Result<()> {
        m.layout().check(field, self.rewards.rows(), 1)
    }
}

// ---- returns

/// What a masked position does to a recursion over positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Masks {
    /// It is left out: the recursion runs over live tokens, without a discount for the gap (verl, NeMo-RL, AReaL).
    Carry = 1,
    /// Its reward and value are 0: each costs a discount, and the value behind it is lost (OpenRLHF).
    Zero = 2,
    /// Nothing: rewards and values are read there too, only outputs are 0 (torchtune, older TRL, ROLL, slime).
    Ignore = 3,
}
/// Generalised advantage estimation of every sequence, from its end, A+ = 0 and V+ = `value_end` or 0:
///
/// `delta_t = r_t + gamma V+ - V_t`, `A_t = delta_t + gamma lambda A+`, `returns_t = A_t + V_t`, then V+ = V_t, A+ = A_t.
///
/// Without `values` it is the discounted return `G_t = r_t + gamma G+` (G+ = `value_end` at the end), in `returns`, and
/// `G_t` minus the row's `baseline` in `advantages`. Advantages use `lambda_policy`, returns `lambda_value`; with
/// `length_alpha` lambda_policy of a row with L live tokens is `1 - 1 / max(1, length_alpha L)`. Schulman et al. 2015,
/// arXiv:1506.02438; decoupled and length adaptive: VAPO, arXiv:2504.05118.
///
/// Backward, g_A and g_R the gradients of both outputs: over the same positions ascending
/// `b_t = g_t + gamma lambda b-`, for each lambda with its own g; `dr_t = sum b_t`, `dV_t = gamma sum b- - sum b_t + g_R`.
#[derive(Clone, Copy, Debug)]
pub struct Gae<'a> {
    /// Which tokens form a sequence.
    pub segments: Segments<'a>,
    /// `[N]`; absent in a backward.
    pub rewards: Option<Floats<'a>>,
    /// `[N]`.
    pub values: Option<Floats<'a>>,
    /// `[B]`, value behind the last token of a truncated sequence.
    pub value_end: Option<Floats<'a>>,
    /// `[B]`, without `values` only.
    pub baseline: Option<Floats<'a>>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// What a masked position does.
    pub masks: Masks,
    /// Checked by [`GaeParams::new`].
    pub params: GaeParams,
}
/// Numbers of [`Gae`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GaeParams {
    /// Discount.
    pub gamma: f64,
    /// Of advantages.
    pub lambda_policy: f64,
    /// Of returns.
    pub lambda_value: f64,
    /// Makes `lambda_policy` depend on the length.
    pub length_alpha: Option<f64>,
}
impl GaeParams {
    /// Parameters in their order.
    pub const PARAMS: [Param; 4] = [
        param("gamma", 1.0, "discount").from(0.0).up_to(1.0),
        param("lambda_policy", 1.0, "of advantages").from(0.0).up_to(1.0),
        param("lambda_value", 1.0, "of returns; default: lambda_policy").from(0.0).up_to(1.0),
        param("length_alpha", 1.0, "off unless given: lambda_policy by length").above(0.0),
    ];
    /// The checked numbers; without values only gamma may be given.
    pub fn new(params: &[f64], values: bool) -> Result<GaeParams> {
        let [gamma, lambda_policy, lambda_value, alpha] = numbers(&Self::PARAMS, params)?;
        let length_alpha = given(params, 3).then_some(alpha);
        for k in 1..4 {
            if !values && given(params, k) {
                let legal = Value::Text("no lambda without values");
                return Err(Error::invalid(Self::PARAMS[k].name, Value::Float(params[k]), legal));
            }
        }
        if length_alpha.is_some() && given(params, 1) {
            let legal = Value::Text("none with length_alpha, which makes it");
            return Err(Error::invalid("lambda_policy", Value::Float(lambda_policy), legal));
        }
        let lambda_value = if given(params, 2) { lambda_value } else { lambda_policy };
        Ok(GaeParams { gamma, lambda_policy, lambda_value, length_alpha })
    }
    /// lambda_policy of a row with this many live tokens.
    pub fn policy(&self, live: usize) -> f64 {
        match self.length_alpha {
            None => self.lambda_policy,
            Some(alpha) => {
                let x = alpha * live as f64;
                if x > 1.0 { 1.0 - 1.0 / x } else { 0.0 }
            }
        }
    }
}
/// Results of [`Gae`].
#[derive(Debug, Default)]
pub struct GaeOut<'a> {
    /// `[N]`.
    pub advantages: Option<FloatsMut<'a>>,
    /// `[N]`.
    pub returns: Option<FloatsMut<'a>>,
    /// `[B]`: `empty`, `nan_input`, `inf_input`, `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
/// What a backward of [`Gae`] reads and writes.
#[derive(Debug, Default)]
pub struct GaeGrad<'a> {
    /// `[N]`, dL/dA.
    pub grad_advantages: Option<Floats<'a>>,
    /// `[N]`, dL/dreturns.
    pub grad_returns: Option<Floats<'a>>,
    /// `[N]`, dL/dr.
    pub grad_rewards: Option<FloatsMut<'a>>,
    /// `[N]`, dL/dV.
    pub grad_values: Option<FloatsMut<'a>>,
    /// `[B]`, dL/dvalue_end.
    pub grad_value_end: Option<FloatsMut<'a>>,
}
impl Gae<'_> {
    fn check_inputs(&self, n: usize) -> Result<()> {
        self.segments.check(n)?;
        rows("rewards", &self.rewards, n)?;
        rows("values", &self.values, n)?;
        masked("mask", &self.mask, n)?;
        rows("value_end", &self.value_end, self.segments.sequences())
    }
    /// Refuses shapes that do not fit and a baseline beside values.
    pub fn check(&self, out: &GaeOut<'_>) -> Result<()> {
        let Some(rewards) = &self.rewards else { return missing("rewards", "[N] or [B, T]") };
        let (n, b) = (rewards.rows(), self.segments.sequences());
        self.check_inputs(n)?;
        rows("baseline", &self.baseline, b)?;
        if self.baseline.is_some() && self.values.is_some() {
            return unread("baseline", "none with values, which are the baseline");
        }
        place("out_advantages", &out.advantages, n)?;
        place("out_returns", &out.returns, n)?;
        place_of("out_status", &out.status, b)
    }
    /// The same for a backward over `n` tokens.
    pub fn check_backward(&self, n: usize, grad: &GaeGrad<'_>) -> Result<()> {
        self.check_inputs(n)?;
        rows("grad_advantages", &grad.grad_advantages, n)?;
        rows("grad_returns", &grad.grad_returns, n)?;
        place("grad_rewards_out", &grad.grad_rewards, n)?;
        place("grad_values_out", &grad.grad_values, n)?;
        place("grad_value_end_out", &grad.grad_value_end, self.segments.sequences())
    }
}

/// `(v - mean) / deviation` over live values. A value with a count stands for that many of them (an answer for its
/// tokens). Over ranks: each writes its `state`, and everybody gives all of them as `states`.
#[derive(Clone, Copy, Debug)]
pub struct Whiten<'a> {
    /// `[n]`.
    pub values: Floats<'a>,
    /// `[n]`.
    pub mask: Option<Mask<'a>>,
    /// `[n]`, >= 0; absent: 1.
    pub counts: Option<Ints<'a>>,
    /// `[ranks, 3]`, what every rank (this one too) wrote; absent: the values of this call alone.
    pub states: Option<Matrix<'a, f64>>,
    /// Divisor of the variance.
    pub std_kind: StdKind,
    /// How eps enters.
    pub eps_kind: EpsKind,
    /// The mean is not subtracted.
    pub keep_mean: bool,
    /// >= 0.
    pub eps: f64,
}
/// Results of [`Whiten`].
#[derive(Debug, Default)]
pub struct WhitenOut<'a> {
    /// `[n]`; all 0 where there is one value or none.
    pub values: Option<FloatsMut<'a>>,
    /// `[3]`: number, mean and sum of squares around it of this call's values, to be merged by Chan's formula.
    pub state: Option<MatrixMut<'a, f64>>,
    /// Mean and deviation (without eps), `[2]`.
    pub moments: Option<FloatsMut<'a>>,
    /// One word: `empty`, `degenerate` for a single value, `nan_input`, `inf_input`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Whiten<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 1] = [param("eps", 1e-8, "beside the deviation or the variance").from(0.0)];
    /// eps from the caller's numbers.
    pub fn params(given: &[f64]) -> Result<f64> {
        numbers(&Self::PARAMS, given).map(|[eps]| eps)
    }
    /// Refuses shapes that do not fit, negative counts and broken states.
    pub fn check(&self, out: &WhitenOut<'_>) -> Result<()> {
        let n = self.values.rows();
        self.values.layout().check("values", n, 1)?;
        masked("mask", &self.mask, n)?;
        self.counts.as_ref().map_or(Ok(()), |m| counts("counts", m, n))?;
        if let Some(m) = &self.states {
            m.layout().check("states", m.rows(), 3)?;
            for i in 0..m.rows() {
                if let [count, _, squares] = *m.row(i)
                    && !((0.0..f64::INFINITY).contains(&count) && (squares >= 0.0 || squares.is_nan()))
                {
                    let legal = Value::Text("what this operation wrote: count, mean, squares");
                    return Err(Error::invalid("states", Value::Float(count), legal));
                }
            }
        }
        place("out_values", &out.values, n)?;
        place_of("out_state", &out.state, 3)?;
        place("out_moments", &out.moments, 2)?;
        place_of("out_status", &out.status, 1)
    }
}

/// Which tokens of a group's rows meet in one baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Alignment {
    /// Those at the same position of the sequence.
    Position = 1,
    /// The k-th live ones.
    LiveIndex = 2,
}
/// Reward to go minus a baseline of its own for every position: `B_t = sum_i G W / (sum_i W + eps)` over the rows of the
/// group that are live there, G the sum of later rewards, W the sum up to t of
/// `v = ((1 - p)^2 + sum p^2 - p^2) w^2`, p the token's probability. A group of one has no baseline. OTB and TIR-OTB of
/// verl. A row with a live value that is not finite is flagged and no part of a baseline.
#[derive(Clone, Copy, Debug)]
pub struct OptimalTokenBaseline<'a> {
    /// Which tokens form a row.
    pub segments: Segments<'a>,
    /// `[N]`.
    pub rewards: Floats<'a>,
    /// `[N]`, log p, nats.
    pub logps: Floats<'a>,
    /// `[N]`, log of sum p^2 over the vocabulary.
    pub log_sum_sq: Floats<'a>,
    /// `[N]`, w; absent: 1.
    pub importance_weight: Option<Floats<'a>>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Groups of rows.
    pub groups: Groups<'a>,
    /// What meets.
    pub alignment: Alignment,
    /// The baseline is kept beyond the second longest row too.
    pub keep_tail: bool,
    /// >= 0.
    pub eps: f64,
}
/// Results of [`OptimalTokenBaseline`].
#[derive(Debug, Default)]
pub struct OptimalTokenBaselineOut<'a> {
    /// `[N]`, G - B.
    pub advantages: Option<FloatsMut<'a>>,
    /// `[N]`, B.
    pub baseline: Option<FloatsMut<'a>>,
    /// `[B]`: `empty`, `nan_input`, `inf_input`, `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl OptimalTokenBaseline<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 1] = [param("eps", 1e-8, "beside the sum of weights").from(0.0)];
    /// eps from the caller's numbers.
    pub fn params(given: &[f64]) -> Result<f64> {
        numbers(&Self::PARAMS, given).map(|[eps]| eps)
    }
    /// Refuses shapes that do not fit.
    pub fn check(&self, out: &OptimalTokenBaselineOut<'_>) -> Result<()> {
        let (n, b) = (self.rewards.rows(), self.segments.sequences());
        self.rewards.layout().check("rewards", n, 1)?;
        self.segments.check(n)?;
        self.logps.layout().check("logps", n, 1)?;
        self.log_sum_sq.layout().check("log_sum_sq", n, 1)?;
        rows("importance_weight", &self.importance_weight, n)?;
        masked("mask", &self.mask, n)?;
        self.groups.check(b)?;
        place("out_advantages", &out.advantages, n)?;
        place("out_baseline", &out.baseline, n)?;
        place_of("out_status", &out.status, b)
    }
}

/// The returns of PRIME (arXiv:2502.01456), before their whitening: of two sources, process rewards at every live token
/// and an outcome at the last one, each `coef (n q_t - sum_j mean_j) / (n - 1)` with n rows in the group and mean_j the mean
/// of the source over the tokens of row j; both added and summed from the end. An empty row has mean 0.
#[derive(Clone, Copy, Debug)]
pub struct PrimeAdvantage<'a> {
    /// Which tokens form a row.
    pub segments: Segments<'a>,
    /// `[N]`, finite where live.
    pub process_rewards: Option<Floats<'a>>,
    /// `[B]`, finite.
    pub outcome: Option<Floats<'a>>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Groups of rows, of two at least.
    pub groups: Groups<'a>,
    /// Factors of process rewards and outcome.
    pub coef: [f64; 2],
}
/// Results of [`PrimeAdvantage`].
#[derive(Debug, Default)]
pub struct PrimeAdvantageOut<'a> {
    /// `[N]`.
    pub returns: Option<FloatsMut<'a>>,
    /// `[B]`: `empty` (the row's outcome is nowhere), `overflow`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl PrimeAdvantage<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 2] = [
        param("process_coef", 1.0, "factor of the process rewards"),
        param("outcome_coef", 1.0, "factor of the outcome"),
    ];
    /// Factors from the caller's numbers.
    pub fn params(given: &[f64]) -> Result<[f64; 2]> {
        numbers(&Self::PARAMS, given)
    }
    /// Refuses shapes that do not fit, rewards that are not finite, and no reward at all. `n` tokens.
    pub fn check(&self, n: usize, out: &PrimeAdvantageOut<'_>) -> Result<()> {
        let b = self.segments.sequences();
        self.segments.check(n)?;
        if self.process_rewards.is_none() && self.outcome.is_none() {
            return missing("process_rewards", "[N] or [B, T], or an outcome");
        }
        rows("process_rewards", &self.process_rewards, n)?;
        rows("outcome", &self.outcome, b)?;
        masked("mask", &self.mask, n)?;
        self.groups.check(b)?;
        let finite = |field, m: &Option<Floats<'_>>, i: usize| match m.as_ref().map(|m| m.get(i)) {
            Some(x) if !x.is_finite() => Err(Error::invalid(field, Value::Float(x), Value::Text("finite rewards"))),
            _ => Ok(()),
        };
        (0..b).try_for_each(|i| finite("outcome", &self.outcome, i))?;
        let live = |i: &usize| self.mask.is_none_or(|m| m.live(*i));
        if self.process_rewards.is_some() {
            (0..n).filter(live).try_for_each(|i| finite("process_rewards", &self.process_rewards, i))?;
        }
        place("out_returns", &out.returns, n)?;
        place_of("out_status", &out.status, b)
    }
}

// ---- distillation, constraints

/// How a teacher becomes an advantage, `d_t = T_t - o_t`, teacher minus student, both constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distill {
    /// `A_t + coef clamp(-K_t, -clamp, clamp)`: K an estimator of KL(student || teacher), k1 gives d. (ms-swift, slime, NeMo-RL,
    /// verl, ROLL.)
    Opd {
        /// Factor.
        coef: f64,
        /// > 0, infinite for none.
        clamp: f64,
    },
    /// `d_t (1 + gain (1 - P_t / max(P, 1e-8)))`, P_t the sum of |d| before t, P of all (arXiv:2606.22600, TRL).
    IwOpd {
        /// >= 0.
        gain: f64,
    },
    /// `A_t ((1 - mix) + mix e^clamp(sign(A_t) d_t, log(1 - eps), log(1 + eps)))` (ms-swift): never another sign than A.
    Rlsd {
        /// In `[0, 1]`.
        mix: f64,
        /// In (0, 1).
        eps: f64,
    },
    /// `sum_{s >= t} gamma^(s - t) q_s` over live s, divided by the same sum of ones where `per_length`, q = d or
    /// `token_rewards` (arXiv:2306.08543, TRL).
    MiniLlm {
        /// Discount.
        gamma: f64,
    },
}
/// Marks of [`DistillAdvantage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DistillFlags {
    /// A missing teacher value (NaN) counts as d = 0; else it is an error.
    pub missing_zero: bool,
    /// [`Distill::Rlsd`]: only where A < 0.
    pub negative_only: bool,
    /// [`Distill::MiniLlm`]: divided by the discounted number of tokens.
    pub per_length: bool,
    /// [`Distill::MiniLlm`]: times gamma^t, as TRL's form without a division has it.
    pub position_power: bool,
}
/// A teacher's opinion of sampled tokens as their advantage.
#[derive(Clone, Copy, Debug)]
pub struct DistillAdvantage<'a> {
    /// Which tokens form a sequence.
    pub segments: Segments<'a>,
    /// `[N]`, o: log-prob under the policy that sampled.
    pub student: Floats<'a>,
    /// `[N]`, T.
    pub teacher: Floats<'a>,
    /// Needed by `Rlsd`, 0 for `Opd` where absent.
    pub advantages: Option<Advantage<'a>>,
    /// `[N]`, in the place of d, for `MiniLlm` only.
    pub token_rewards: Option<Floats<'a>>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// The formula.
    pub form: Distill,
    /// Of `Opd`: an entry of the estimator kind, 0 for k1.
    pub estimator: u32,
    /// Marks.
    pub flags: DistillFlags,
}
/// Results of [`DistillAdvantage`].
#[derive(Debug, Default)]
pub struct DistillAdvantageOut<'a> {
    /// `[N]`.
    pub advantages: Option<FloatsMut<'a>>,
    /// `[B]`: `empty`, `nan_input`, `inf_input`, `infinite`, `overflow`, and `saturated` where a clamp acted.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Distill {
    /// Parameters of `Opd`.
    pub const OPD: [Param; 2] = [
        param("coef", 1.0, "factor of the teacher's term"),
        param("clamp", f64::INFINITY, "bound of the teacher's term").above(0.0).or_infinite(),
    ];
    /// Parameters of `IwOpd`.
    pub const IW_OPD: [Param; 1] = [param("gain", 0.5, "how far early tokens weigh more").from(0.0)];
    /// Parameters of `Rlsd`.
    pub const RLSD: [Param; 2] = [
        param("mix", 0.5, "share of the teacher's factor").from(0.0).up_to(1.0),
        param("eps", 0.2, "bound of the teacher's factor around 1").above(0.0).below(1.0),
    ];
    /// Parameters of `MiniLlm`.
    pub const MINILLM: [Param; 1] = [param("gamma", 0.0, "discount").from(0.0).up_to(1.0)];
    /// `Opd` with the caller's numbers.
    pub fn opd(given: &[f64]) -> Result<Distill> {
        numbers(&Self::OPD, given).map(|[coef, clamp]| Distill::Opd { coef, clamp })
    }
    /// `IwOpd` with the caller's numbers.
    pub fn iw_opd(given: &[f64]) -> Result<Distill> {
        numbers(&Self::IW_OPD, given).map(|[gain]| Distill::IwOpd { gain })
    }
    /// `Rlsd` with the caller's numbers.
    pub fn rlsd(given: &[f64]) -> Result<Distill> {
        numbers(&Self::RLSD, given).map(|[mix, eps]| Distill::Rlsd { mix, eps })
    }
    /// `MiniLlm` with the caller's numbers.
    pub fn minillm(given: &[f64]) -> Result<Distill> {
        numbers(&Self::MINILLM, given).map(|[gamma]| Distill::MiniLlm { gamma })
    }
}
impl DistillAdvantage<'_> {
    /// Refuses shapes that do not fit, what the form does not read, and missing teacher values unless they count as 0.
    pub fn check(&self, out: &DistillAdvantageOut<'_>) -> Result<()> {
        let (n, b) = (self.student.rows(), self.segments.sequences());
        self.student.layout().check("student", n, 1)?;
        self.segments.check(n)?;
        self.teacher.layout().check("teacher", n, 1)?;
        match &self.advantages {
            Some(Advantage::Token(m)) => m.layout().check("advantages", n, 1)?,
            Some(Advantage::Sequence(m)) => m.layout().check("advantages", b, 1)?,
            None => {}
        }
        rows("token_rewards", &self.token_rewards, n)?;
        masked("mask", &self.mask, n)?;
        let (rlsd, opd) = (matches!(self.form, Distill::Rlsd { .. }), matches!(self.form, Distill::Opd { .. }));
        let minillm = matches!(self.form, Distill::MiniLlm { .. });
        match &self.advantages {
            None if rlsd => return missing("advantages", "[N], [B, T] or [B]: they are what is weighted"),
            Some(_) if !rlsd && !opd => return unread("advantages", "none with iw_opd and minillm"),
            _ => {}
        }
        if self.token_rewards.is_some() && !minillm {
            return unread("token_rewards", "none: only minillm reads them");
        }
        if self.estimator != 0 {
            if !opd {
                let legal = Value::Text("0: only opd has an estimator");
                return Err(Error::invalid("estimator", Value::Int(self.estimator.into()), legal));
            }
            estimator("estimator", self.estimator)?;
        }
        for (wrong, at) in [
            (self.flags.negative_only && !rlsd, "negative_only"),
            (self.flags.per_length && !minillm, "per_length"),
            (self.flags.position_power && !minillm, "position_power"),
        ] {
            if wrong {
                return Err(Error::invalid(at, Value::Int(1), Value::Text("0 with this form")));
            }
        }
        if !self.flags.missing_zero && self.token_rewards.is_none() {
            for i in (0..n).filter(|&i| self.mask.is_none_or(|m| m.live(i))) {
                if self.teacher.get(i).is_nan() {
                    let legal = Value::Text("a teacher for every live token, or missing_zero");
                    return Err(Error::invalid("teacher", Value::At { value: 0, index: i }, legal));
                }
            }
        }
        place("out_advantages", &out.advantages, n)?;
        place_of("out_status", &out.status, b)
    }
}
/// Refuses an id that is no estimator's.
fn estimator(field: &'static str, id: u32) -> Result<()> {
    match info(id) {
        Some(i) if i.kind == Kind::Estimator => Ok(()),
        _ => Err(Error::invalid(field, Value::Int(id.into()), Value::Text("an entry of the estimator kind"))),
    }
}

/// `(A_r - lambda A_c) / (1 + lambda)` of reward and cost advantages, as
/// `A_r sigma(-log lambda) - A_c sigma(log lambda)`: finite for any log lambda, -inf (lambda = 0) included. Safe RLHF,
/// arXiv:2310.12773. The multiplier itself descends on `-(J_c - d) lambda`: its gradient with respect to log lambda is
/// `-(J_c - d) lambda`, J_c the mean cost, d its limit.
#[derive(Clone, Copy, Debug)]
pub struct LagrangianAdvantage<'a> {
    /// `[N]`.
    pub reward_advantages: Floats<'a>,
    /// `[N]`.
    pub cost_advantages: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// One number.
    pub log_lambda: Floats<'a>,
    /// J_c, one number, for its gradient only.
    pub mean_cost: Option<Floats<'a>>,
    /// d.
    pub cost_limit: f64,
}
/// Results of [`LagrangianAdvantage`].
#[derive(Debug, Default)]
pub struct LagrangianAdvantageOut<'a> {
    /// `[N]`.
    pub advantages: Option<FloatsMut<'a>>,
    /// One number.
    pub grad_log_lambda: Option<FloatsMut<'a>>,
}
impl LagrangianAdvantage<'_> {
    /// Refuses shapes that do not fit, a NaN multiplier and a gradient without a mean cost.
    pub fn check(&self, out: &LagrangianAdvantageOut<'_>) -> Result<()> {
        let n = self.reward_advantages.rows();
        self.reward_advantages.layout().check("reward_advantages", n, 1)?;
        self.cost_advantages.layout().check("cost_advantages", n, 1)?;
        masked("mask", &self.mask, n)?;
        self.log_lambda.layout().check("log_lambda", 1, 1)?;
        rows("mean_cost", &self.mean_cost, 1)?;
        if self.log_lambda.get(0).is_nan() {
            return Err(Error::invalid("log_lambda", Value::Float(f64::NAN), Value::Text("a number or an infinity")));
        }
        if !self.cost_limit.is_finite() {
            return Err(Error::invalid("cost_limit", Value::Float(self.cost_limit), Value::Text("a finite number")));
        }
        if out.grad_log_lambda.is_some() && self.mean_cost.is_none() {
            return missing("mean_cost", "one number, for the gradient of log lambda");
        }
        place("out_advantages", &out.advantages, n)?;
        place("grad_log_lambda_out", &out.grad_log_lambda, 1)
    }
}

// ---- several objectives

/// Over what [`PamaScalars`] averages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Granularity {
    /// All live tokens.
    Batch = 1,
    /// The live tokens of a sequence.
    Sequence = 2,
    /// Nothing.
    Token = 3,
}
/// `a_i = mean over live tokens of max(A_it, 0) [logp_t - anchor_t <= log(1 + clip_high)]` of every objective.
#[derive(Clone, Copy, Debug)]
pub struct PamaScalars<'a> {
    /// Which tokens form a sequence.
    pub segments: Segments<'a>,
    /// `[n, N]`.
    pub advantages: Floats<'a>,
    /// `[N]`, nats.
    pub logps: Floats<'a>,
    /// `[N]`, log-probs of the policy that the ratio is taken to.
    pub anchor: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// What is averaged over.
    pub granularity: Granularity,
    /// >= 0.
    pub clip_high: f64,
}
/// Results of [`PamaScalars`].
#[derive(Debug, Default)]
pub struct PamaScalarsOut<'a> {
    /// `[n, 1]`, `[n, B]` or `[n, N]`; 0 without a live token, NaN with a NaN.
    pub scalars: Option<FloatsMut<'a>>,
}
impl PamaScalars<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 1] = [param("clip_high", 0.2, "bound of the ratio above 1").from(0.0).or_infinite()];
    /// The bound from the caller's numbers.
    pub fn params(given: &[f64]) -> Result<f64> {
        numbers(&Self::PARAMS, given).map(|[clip]| clip)
    }
    /// Columns of the result.
    pub fn columns(&self) -> usize {
        match self.granularity {
            Granularity::Batch => 1,
            Granularity::Sequence => self.segments.sequences(),
            Granularity::Token => self.logps.rows(),
        }
    }
    /// Refuses shapes that do not fit.
    pub fn check(&self, out: &PamaScalarsOut<'_>) -> Result<()> {
        let (n, objectives) = (self.logps.rows(), self.advantages.rows());
        self.logps.layout().check("logps", n, 1)?;
        self.segments.check(n)?;
        self.anchor.layout().check("anchor", n, 1)?;
        masked("mask", &self.mask, n)?;
        self.advantages.layout().check("advantages", objectives, n)?;
        place_matrix("out_scalars", &out.scalars, objectives, self.columns())
    }
}

/// The element of least size of the interval that n numbers span (the min-norm element of scalars), and weights that make
/// it: all > 0 the smallest alone, all < 0 the largest, else the smallest and the largest so that they cancel; of equal
/// ones the first. Column by column.
#[derive(Clone, Copy, Debug)]
pub struct IntervalWeights<'a> {
    /// `[n, m]`, n >= 1.
    pub scalars: Floats<'a>,
}
/// Results of [`IntervalWeights`].
#[derive(Debug, Default)]
pub struct IntervalWeightsOut<'a> {
    /// `[m]`.
    pub value: Option<FloatsMut<'a>>,
    /// `[n, m]`, not negative, sum 1.
    pub weights: Option<FloatsMut<'a>>,
    /// `[m]`: `nan_input`, `inf_input` (value and weights NaN).
    pub status: Option<MatrixMut<'a, u32>>,
}
impl IntervalWeights<'_> {
    /// Refuses shapes that do not fit and no objective.
    pub fn check(&self, out: &IntervalWeightsOut<'_>) -> Result<()> {
        let (n, m) = (self.scalars.rows(), self.scalars.cols());
        objectives("scalars", n)?;
        place("out_value", &out.value, m)?;
        place_matrix("out_weights", &out.weights, n, m)?;
        place_of("out_status", &out.status, m)
    }
}
fn objectives(field: &'static str, n: usize) -> Result<()> {
    if n == 0 || n > MAX_OBJECTIVES {
        return Err(Error::shape(field, Value::Size(n), Value::Below(1, MAX_OBJECTIVES as i64 + 1)));
    }
    Ok(())
}

/// `M_ij = mean over live t of I_it I_jt`.
#[derive(Clone, Copy, Debug)]
pub struct GramMatrix<'a> {
    /// `[n, N]`, n >= 1.
    pub values: Floats<'a>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// Rows are brought to length 1 first, so that the products are cosines and are not divided; one of length 0 stays.
    pub unit_rows: bool,
}
impl GramMatrix<'_> {
    /// Refuses shapes that do not fit.
    pub fn check(&self, gram: &FloatsMut<'_>) -> Result<()> {
        let (n, tokens) = (self.values.rows(), self.values.cols());
        objectives("values", n)?;
        masked("mask", &self.mask, tokens)?;
        wide("out_gram", gram.dtype())?;
        gram.layout().check("out_gram", n, n)
    }
}

/// The weights c >= 0, sum 1, of least `c' M c` (MGDA, Désidéri 2012): exact for two, the best of all supports up to 8
/// objectives, Wolfe's method beyond. A row of zeros takes all.
#[derive(Clone, Copy, Debug)]
pub struct MinNormWeights<'a> {
    /// `[n, n]`, symmetric, positive semidefinite, finite.
    pub gram: Floats<'a>,
    /// Wolfe's method stops at `c' M c - min (M c) <= tolerance` times the largest diagonal element, > 0.
    pub tolerance: f64,
}
/// Results of [`MinNormWeights`].
#[derive(Debug, Default)]
pub struct MinNormWeightsOut<'a> {
    /// `[n]`.
    pub weights: Option<FloatsMut<'a>>,
    /// One number, `c' M c`.
    pub value: Option<FloatsMut<'a>>,
}
impl MinNormWeights<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 1] = [param("tolerance", 1e-12, "where Wolfe's method stops").above(0.0)];
    /// The tolerance from the caller's numbers.
    pub fn params(given: &[f64]) -> Result<f64> {
        numbers(&Self::PARAMS, given).map(|[tolerance]| tolerance)
    }
    /// Refuses shapes that do not fit, elements that are not finite, a matrix that is not symmetric or has a negative diagonal.
    pub fn check(&self, out: &MinNormWeightsOut<'_>) -> Result<()> {
        let n = self.gram.rows();
        objectives("gram", n)?;
        self.gram.layout().check("gram", n, n)?;
        for i in 0..n {
            for j in 0..=i {
                let (x, y) = (self.gram.at(i, j), self.gram.at(j, i));
                if !x.is_finite() || x != y || i == j && x < 0.0 {
                    let legal = Value::Text("a finite symmetric matrix without a negative diagonal element");
                    return Err(Error::invalid("gram", Value::Float(x), legal));
                }
            }
        }
        place("out_weights", &out.weights, n)?;
        place("out_value", &out.value, 1)
    }
}

// ---- KL in the reward, coefficients

/// The reward of every token, `[t is the last live one] R - coef K_t`, or of every sequence, `R - coef sum K_t`: K an
/// estimator of KL(old || reference), clamped, R clipped first.
#[derive(Clone, Copy, Debug)]
pub struct TokenReward<'a> {
    /// Which tokens form a sequence.
    pub segments: Segments<'a>,
    /// `[N]`, log-probs of the policy that sampled.
    pub old: Floats<'a>,
    /// `[N]`.
    pub reference: Floats<'a>,
    /// `[B]`; absent: 0.
    pub rewards: Option<Floats<'a>>,
    /// `[N]`.
    pub mask: Option<Mask<'a>>,
    /// One number a sequence.
    pub by_sequence: bool,
    /// An entry of the estimator kind.
    pub estimator: u32,
    /// Checked by [`TokenReward::params`].
    pub params: [f64; 4],
}
/// Results of [`TokenReward`].
#[derive(Debug, Default)]
pub struct TokenRewardOut<'a> {
    /// `[N]`, or `[B]` by sequence.
    pub rewards: Option<FloatsMut<'a>>,
    /// `[B]`, `sum K_t`.
    pub kl: Option<FloatsMut<'a>>,
    /// `[B]`: `empty` (by token the row's reward is nowhere), `nan_input`, `inf_input`, `infinite`, `overflow`, `saturated` where a
    /// clamp acted.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl TokenReward<'_> {
    /// Parameters in their order.
    pub const PARAMS: [Param; 4] = [
        required("coef", "factor of the estimate").from(0.0),
        param("kl_clamp", f64::INFINITY, "bound of an estimate on both sides").above(0.0).or_infinite(),
        Param { min_open: false, ..param("reward_min", f64::NEG_INFINITY, "least reward") },
        param("reward_max", f64::INFINITY, "largest reward").or_infinite(),
    ];
    /// The checked numbers.
    pub fn params(given: &[f64]) -> Result<[f64; 4]> {
        let all = numbers(&Self::PARAMS, given)?;
        if all[2] > all[3] {
            let legal = Value::Range { min: all[2], max: f64::INFINITY, min_open: false, max_open: false };
            return Err(Error::invalid("reward_max", Value::Float(all[3]), legal));
        }
        Ok(all)
    }
    /// Refuses shapes that do not fit and an id that is no estimator's.
    pub fn check(&self, out: &TokenRewardOut<'_>) -> Result<()> {
        let (n, b) = (self.old.rows(), self.segments.sequences());
        self.old.layout().check("old", n, 1)?;
        self.segments.check(n)?;
        self.reference.layout().check("ref", n, 1)?;
        rows("rewards", &self.rewards, b)?;
        masked("mask", &self.mask, n)?;
        estimator("estimator", self.estimator)?;
        place("out_rewards", &out.rewards, if self.by_sequence { b } else { n })?;
        place("out_kl", &out.kl, b)?;
        place_of("out_status", &out.status, b)
    }
}

/// The next value of a coefficient that follows a measured figure.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// `coef (1 + clip(kl / target - 1, -0.2, 0.2) batch / horizon)` (Ziegler et al. 2019, arXiv:1909.08593).
    Kl {
        /// > 0.
        target: f64,
        /// Number of samples of this step, >= 0.
        batch: f64,
        /// > 0.
        horizon: f64,
    },
    /// `coef + step` while the entropy is at most the target, else `coef - step`, within `[minimum, maximum]` (TRL).
    Entropy {
        /// >= 0.
        target: f64,
        /// > 0.
        step: f64,
        /// Least coefficient.
        minimum: f64,
        /// Largest coefficient.
        maximum: f64,
    },
}
impl Rule {
    /// Parameters of `Kl`.
    pub const KL: [Param; 3] = [
        param("target", 0.1, "the KL to hold").above(0.0),
        required("batch", "samples of this step").from(0.0),
        param("horizon", 10000.0, "samples after which an error is made up for").above(0.0),
    ];
    /// Parameters of `Entropy`.
    pub const ENTROPY: [Param; 4] = [
        param("target", 0.2, "the entropy to hold").from(0.0),
        param("step", 0.005, "change of one step").above(0.0),
        param("minimum", 0.0, "least coefficient").from(0.0),
        param("maximum", 1.0, "largest coefficient").from(0.0),
    ];
    /// `Kl` with the caller's numbers.
    pub fn kl(given: &[f64]) -> Result<Rule> {
        numbers(&Self::KL, given).map(|[target, batch, horizon]| Rule::Kl { target, batch, horizon })
    }
    /// `Entropy` with the caller's numbers.
    pub fn entropy(given: &[f64]) -> Result<Rule> {
        let [target, step, minimum, maximum] = numbers(&Self::ENTROPY, given)?;
        if minimum > maximum {
            let legal = Value::Range { min: minimum, max: f64::INFINITY, min_open: false, max_open: true };
            return Err(Error::invalid("maximum", Value::Float(maximum), legal));
        }
        Ok(Rule::Entropy { target, step, minimum, maximum })
    }
}
/// One step of a [`Rule`].
#[derive(Clone, Copy, Debug)]
pub struct Controller<'a> {
    /// The measured KL or entropy, one number.
    pub measured: Floats<'a>,
    /// The coefficient until now, one number, finite and >= 0.
    pub coef: Floats<'a>,
    /// The rule.
    pub rule: Rule,
}
/// Results of [`Controller`].
#[derive(Debug, Default)]
pub struct ControllerOut<'a> {
    /// One number; unchanged where the figure is not finite.
    pub coef: Option<FloatsMut<'a>>,
    /// The coefficient that the next step applies: `Entropy` applies one only while the measured entropy is at most the target.
    pub applied: Option<FloatsMut<'a>>,
    /// One word: `nan_input`, `inf_input`.
    pub status: Option<MatrixMut<'a, u32>>,
}
impl Controller<'_> {
    /// Refuses shapes that do not fit and a coefficient that is none.
    pub fn check(&self, out: &ControllerOut<'_>) -> Result<()> {
        self.measured.layout().check("measured", 1, 1)?;
        self.coef.layout().check("coef", 1, 1)?;
        let coef = self.coef.get(0);
        if !(0.0..f64::INFINITY).contains(&coef) {
            let legal = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: true };
            return Err(Error::invalid("coef", Value::Float(coef), legal));
        }
        place("out_coef", &out.coef, 1)?;
        place("out_applied", &out.applied, 1)?;
        place_of("out_status", &out.status, 1)
    }
}
