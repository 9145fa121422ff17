//! Advantages and returns. See [`truing_core::advantage`]. Operations over whole answers run in row order on the calling
//! thread; those over tokens are cut between sequences, or summed over fixed blocks that are joined in order.
use crate::batch::{live, put, put_in, report};
use crate::lanes::{Isa, Sixteen, fence, prefetch};
use crate::logprob::CACHE;
use crate::parallel::Context;
use crate::policy::{count, dense};
use crate::sequence::{Cut, check_space, grain, overflow};
use crate::{on_isa, on_lanes};
use core::ops::Range;
use truing_core::advantage::*;
use truing_core::catalog::{EstimatorVisitor, with_estimator};
use truing_core::error::row;
use truing_core::losses::{Estimate, KlEstimator};
use truing_core::matrix::{Arena, Floats, FloatsMut, Mask, MatrixMut, Split, Workspace};
use truing_core::policy::Advantage;
use truing_core::real::Real;
use truing_core::sequence::Segments;
use truing_core::{Error, Result, Value};

/// Tokens that are worth a task.
const GRAIN: usize = 16384;
/// Tokens of a scan that one thread is done with before another one is awake.
const ALONE: usize = 1 << 16;
/// Values of one partial sum.
const BLOCK: usize = 1024;

fn exactly(bytes: usize) -> Workspace {
    Workspace { minimum: bytes, preferred: bytes }
}
/// Status of a result that may be none: `infinite` for one that no finite number of f64 holds.
fn judged(x: f64, place: &Option<FloatsMut<'_>>) -> u32 {
    if !x.is_finite() {
        return row::INFINITE;
    }
    place.as_ref().map_or(0, |m| overflow(x, m))
}
/// Status of values that a result follows from.
fn inputs(x: f64) -> u32 {
    match () {
        () if x.is_nan() => row::NAN_INPUT,
        () if x.is_infinite() => row::INF_INPUT,
        () => 0,
    }
}

// ---- groups

/// The rows of every group, ascending. Ids are put in order by counting.
struct Members<'a> {
    groups: Groups<'a>,
    starts: &'a [u64],
    order: &'a [u64],
}
impl<'a> Members<'a> {
    fn need(groups: &Groups<'_>, rows: usize) -> usize {
        match groups {
            Groups::Offsets(_) => 0,
            Groups::Ids { groups, .. } => {
                Arena::sum([Arena::need::<u64>(groups.saturating_add(1)), Arena::need::<u64>(rows)])
            }
        }
    }
    fn new(groups: Groups<'a>, rows: usize, arena: &mut Arena<'a>) -> Result<Members<'a>> {
        let Groups::Ids { ids, groups: n } = groups else {
            return Ok(Members { groups, starts: &[], order: &[] });
        };
        let (starts, order) = (arena.take::<u64>(n + 1)?, arena.take::<u64>(rows)?);
        starts.fill(0);
        (0..rows).for_each(|i| starts[ids.get(i) as usize] += 1);
        // the end of every group first; each row then moves its group's place down by one
        for g in 1..=n {
            starts[g] += starts[g - 1];
        }
        for i in (0..rows).rev() {
            let at = &mut starts[ids.get(i) as usize];
            *at -= 1;
            order[*at as usize] = i as u64;
        }
        Ok(Members { groups, starts, order })
    }
    fn count(&self) -> usize {
        self.groups.count()
    }
    /// Places of the rows of group `g`.
    fn range(&self, g: usize) -> Range<usize> {
        match &self.groups {
            Groups::Offsets(m) => m.get(g) as usize..m.get(g + 1) as usize,
            Groups::Ids { .. } => self.starts[g] as usize..self.starts[g + 1] as usize,
        }
    }
    /// The row at a place.
    fn row(&self, place: usize) -> usize {
        if self.order.is_empty() { place } else { self.order[place] as usize }
    }
    fn rows(&self, g: usize) -> impl Iterator<Item = usize> {
        self.range(g).map(|k| self.row(k))
    }
}

/// Number, mean and sum of squares around it. The mean is kept as a distance from the first value.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    count: f64,
    first: f64,
    shift: f64,
    squares: f64,
}
impl Moments {
    /// Of the values that are not NaN.
    fn of(n: usize, x: impl Fn(usize) -> f64) -> Moments {
        let mut m = Moments::default();
        let mut sum = 0.0;
        for x in (0..n).map(&x).filter(|x| !x.is_nan()) {
            if m.count == 0.0 {
                m.first = x;
            }
            (sum, m.count) = (sum + (x - m.first), m.count + 1.0);
        }
        if m.count == 0.0 {
            return m;
        }
        m.shift = sum / m.count;
        // once more around that mean: what is left of its rounding
        let mut rest = 0.0;
        (0..n).map(&x).filter(|x| !x.is_nan()).for_each(|x| rest += m.centred(x));
        m.shift += rest / m.count;
        for x in (0..n).map(&x).filter(|x| !x.is_nan()) {
            m.squares += m.centred(x) * m.centred(x);
        }
        m
    }
    fn mean(&self) -> f64 {
        self.first + self.shift
    }
    fn centred(&self, x: f64) -> f64 {
        (x - self.first) - self.shift
    }
    fn variance(&self, kind: StdKind) -> f64 {
        variance(self.count, self.squares, kind)
    }
    fn std(&self, kind: StdKind) -> f64 {
        self.variance(kind).sqrt()
    }
}
/// 0 where the divisor is none.
fn variance(count: f64, squares: f64, kind: StdKind) -> f64 {
    let divisor = if kind == StdKind::Unbiased { count - 1.0 } else { count };
    if divisor > 0.0 { squares / divisor } else { 0.0 }
}
/// `c / (std + eps)`; 0 stays 0 whatever divides.
fn over(c: f64, std: f64, eps: f64, kind: EpsKind) -> f64 {
    match kind {
        _ if c == 0.0 => 0.0,
        EpsKind::SkipZero if std <= 0.0 => c,
        _ => c / (std + eps),
    }
}

/// The numerator of a group's only scored row.
fn alone(single: Single, reward: f64) -> f64 {
    if single == Single::Raw { reward } else { 0.0 }
}

/// What the rows of one call have in common.
struct Batch<'a, R> {
    options: GroupOptions,
    members: &'a Members<'a>,
    rewards: R,
    length: &'a dyn Fn(usize) -> f64,
    whole: Moments,
    whole_std: f64,
    /// Rows over rows that are not 0.
    alpha: f64,
}
impl<'a, R: Fn(usize) -> f64> Batch<'a, R> {
    /// `rewards` by row, NaN where missing.
    fn new(
        options: GroupOptions,
        members: &'a Members<'a>,
        rows: usize,
        rewards: R,
        length: &'a dyn Fn(usize) -> f64,
    ) -> Self {
        let (mut whole, mut alpha) = (Moments::default(), 1.0);
        let kind = options.std_kind;
        if options.baseline == Baseline::Batch || options.scale == Scale::BatchStd {
            whole = Moments::of(rows, &rewards);
        }
        if options.scale == Scale::NonzeroShare {
            let scored = (0..rows).filter(|&i| !rewards(i).is_nan()).count();
            let nonzero = (0..rows).filter(|&i| !(rewards(i).is_nan() || rewards(i) == 0.0)).count();
            alpha = scored as f64 / nonzero.max(1) as f64;
        }
        Batch { options, members, rewards, length, whole, whole_std: whole.std(kind), alpha }
    }
    /// The best of a group of one has no second.
    fn refuse_singles(&self) -> Result<()> {
        if self.options.baseline != Baseline::BestOfGroup {
            return Ok(());
        }
        for g in 0..self.members.count() {
            if self.members.rows(g).filter(|&i| !(self.rewards)(i).is_nan()).count() == 1 {
                let legal = Value::Text("two scored rows in every group");
                return Err(Error::invalid("rewards", Value::Text("a group with one"), legal));
            }
        }
        Ok(())
    }
    fn moments(&self, g: usize) -> Moments {
        let range = self.members.range(g);
        Moments::of(range.len(), |k| (self.rewards)(self.members.row(range.start + k)))
    }
    /// Deviation of the rows of group `g` but row `i`, whose centred reward is `d`.
    fn others(&self, g: usize, m: &Moments, i: usize, d: f64) -> f64 {
        let kind = self.options.std_kind;
        let rest = m.squares - d * d * (m.count / (m.count - 1.0));
        // A difference that cancels is formed again from the rows: of three and more, one row at most makes it so.
        if rest >= 0.25 * m.squares {
            return variance(m.count - 1.0, rest, kind).sqrt();
        }
        let range = self.members.range(g);
        let without = |k| {
            let j = self.members.row(range.start + k);
            if j == i { f64::NAN } else { (self.rewards)(j) }
        };
        Moments::of(range.len(), without).std(kind)
    }
    /// Calls `put(row, advantage)` for every row of group `g`; its moments and status.
    fn group(&self, g: usize, mut put: impl FnMut(usize, f64)) -> (Moments, u32) {
        let (o, members) = (&self.options, self.members);
        let m = self.moments(g);
        let one = m.count == 1.0;
        let mut status = match () {
            () if m.count == 0.0 => row::EMPTY,
            () if one => row::DEGENERATE,
            () => 0,
        };
        let std = m.std(o.std_kind);
        let (mut weighted, mut weight) = (0.0, 0.0);
        if o.baseline == Baseline::LengthWeighted && !one {
            for i in members.rows(g).filter(|&i| !(self.rewards)(i).is_nan()) {
                let l = (self.length)(i);
                (weighted, weight) = (weighted + l * ((self.rewards)(i) - m.first), weight + l);
            }
            if weight == 0.0 && m.count > 0.0 {
                status |= row::DEGENERATE;
            }
            weighted /= weight;
        }
        let (mut best, mut top, mut second) = (usize::MAX, f64::NEG_INFINITY, f64::NEG_INFINITY);
        if o.baseline == Baseline::BestOfGroup {
            for i in members.rows(g) {
                let x = (self.rewards)(i);
                if x > top {
                    (best, second, top) = (i, top, x);
                } else if x > second {
                    second = x;
                }
            }
        }
        for i in members.rows(g) {
            let x = (self.rewards)(i);
            if x.is_nan() {
                put(i, 0.0);
                continue;
            }
            let d = m.centred(x);
            let c = match o.baseline {
                Baseline::None => x,
                Baseline::Batch => self.whole.centred(x),
                _ if one => alone(o.single, x),
                Baseline::Group => d,
                Baseline::LeaveOneOut => d * (m.count / (m.count - 1.0)),
                Baseline::LengthWeighted if weight == 0.0 => 0.0,
                Baseline::LengthWeighted => (x - m.first) - weighted,
                Baseline::BestOfGroup if i == best => top - second,
                Baseline::BestOfGroup => 0.0,
            };
            let a = match o.scale {
                Scale::None => c,
                Scale::BatchStd => over(c, self.whole_std, o.eps, o.eps_kind),
                Scale::NonzeroShare => c * self.alpha / o.f_norm,
                _ if one => c,
                Scale::GroupStd => over(c, std, o.eps, o.eps_kind),
                Scale::LeaveOneOutStd => over(c, self.others(g, &m, i, d), o.eps, o.eps_kind),
                Scale::GroupMean => over(c, m.mean(), o.eps, EpsKind::Add),
            };
            put(i, a);
        }
        (m, status)
    }
}

fn lengths_of<'a>(lengths: &'a Option<truing_core::matrix::Ints<'a>>) -> impl Fn(usize) -> f64 + 'a {
    |i| lengths.as_ref().map_or(0.0, |m| m.get(i) as f64)
}

/// Scratch memory of [`group_advantage`]: none with offsets.
pub fn group_advantage_workspace(x: &GroupAdvantage<'_>) -> Workspace {
    exactly(Members::need(&x.groups, x.rewards.rows()))
}
/// Advantages and group statistics.
pub fn group_advantage(x: &GroupAdvantage<'_>, mut out: GroupAdvantageOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, group_advantage_workspace(x))?;
    let n = x.rewards.rows();
    let members = Members::new(x.groups, n, &mut Arena::new(scratch))?;
    let length = lengths_of(&x.lengths);
    let batch = Batch::new(x.options, &members, n, |i| x.rewards.get(i), &length);
    batch.refuse_singles()?;
    for g in 0..members.count() {
        let mut bits = 0;
        let (m, status) = batch.group(g, |i, a| {
            bits |= judged(a, &out.advantages);
            put(&mut out.advantages, i, a);
        });
        put(&mut out.mean, g, m.mean());
        put(&mut out.std, g, m.std(x.options.std_kind));
        put_in(&mut out.status, g, status | bits);
    }
    Ok(())
}

// ---- several rewards

/// Scratch memory of both directions: 24 bytes a row, and the order of ids.
pub fn multi_objective_workspace(x: &MultiObjective<'_>) -> Workspace {
    let (n, v) = (x.rewards.rows(), Arena::need::<f64>(x.rewards.rows()));
    exactly(Arena::sum([Members::need(&x.groups, n), v, v, v]))
}
fn weight_of(x: &MultiObjective<'_>, i: usize, k: usize) -> f64 {
    x.weights.as_ref().map_or(1.0, |w| w.get(i, k))
}
/// R or S of every row, NaN for a missing one.
fn combine(
    x: &MultiObjective<'_>,
    members: &Members<'_>,
    length: &dyn Fn(usize) -> f64,
    combined: &mut [f64],
) -> Result<()> {
    let objectives = x.rewards.cols();
    let missing = |i: usize| (0..objectives).all(|k| x.rewards.at(i, k).is_nan());
    for (i, to) in combined.iter_mut().enumerate() {
        *to = if missing(i) { f64::NAN } else { 0.0 };
        for k in 0..objectives {
            let r = x.rewards.at(i, k);
            if x.order == Order::SumFirst && !r.is_nan() {
                *to += weight_of(x, i, k) * r;
            }
        }
    }
    if x.order == Order::NormaliseFirst {
        for k in 0..objectives {
            let column = |i| x.rewards.at(i, k);
            let batch = Batch::new(x.options, members, combined.len(), column, length);
            batch.refuse_singles()?;
            for g in 0..members.count() {
                // a reward that is missing has advantage 0
                batch.group(g, |i, z| combined[i] += weight_of(x, i, k) * z);
            }
        }
    }
    Ok(())
}
/// Advantages of rows with several rewards.
pub fn multi_objective(x: &MultiObjective<'_>, mut out: MultiObjectiveOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, multi_objective_workspace(x))?;
    let n = x.rewards.rows();
    let mut arena = Arena::new(scratch);
    let members = Members::new(x.groups, n, &mut arena)?;
    let combined = arena.take::<f64>(n)?;
    let length = lengths_of(&x.lengths);
    combine(x, &members, &length, combined)?;
    let combined = &*combined;
    let mut write = |i: usize, a: f64| {
        let status = if combined[i].is_nan() { row::EMPTY } else { judged(a, &out.advantages) };
        put(&mut out.advantages, i, a);
        put_in(&mut out.status, i, status);
    };
    if x.order == Order::SumFirst {
        let batch = Batch::new(x.options, &members, n, |i| combined[i], &length);
        batch.refuse_singles()?;
        for g in 0..members.count() {
            batch.group(g, &mut write);
        }
    } else {
        let m = Moments::of(n, |i| combined[i]);
        let std = m.std(StdKind::Unbiased);
        for (i, &s) in combined.iter().enumerate() {
            let a = match x.batch_step {
                _ if s.is_nan() => 0.0,
                BatchStep::None => s,
                BatchStep::Standardise => over(m.centred(s), std, x.batch_eps, EpsKind::Add),
                BatchStep::Scale => over(s, std, 0.0, EpsKind::SkipZero),
            };
            write(i, a);
        }
    }
    (0..n).for_each(|i| put(&mut out.combined, i, combined[i]));
    Ok(())
}

/// What `dot = sum_i g_i c_i` gives to the gradient of a reward through the deviation of `m` that divides, per unit of its
/// centred value.
fn through_std(dot: f64, m: &Moments, std: f64, eps: f64, kind: StdKind) -> f64 {
    let divisor = if kind == StdKind::Unbiased { m.count - 1.0 } else { m.count };
    if std > 0.0 { -dot / ((std + eps) * (std + eps) * divisor * std) } else { 0.0 }
}
/// Gradient of the weights.
pub fn multi_objective_backward(
    x: &MultiObjective<'_>,
    mut grad: MultiObjectiveGrad<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    x.check_backward(&grad)?;
    check_space(scratch, multi_objective_workspace(x))?;
    let (n, objectives, o) = (x.rewards.rows(), x.rewards.cols(), x.options);
    let mut arena = Arena::new(scratch);
    let members = Members::new(x.groups, n, &mut arena)?;
    let (combined, grads, column) = (arena.take::<f64>(n)?, arena.take::<f64>(n)?, arena.take::<f64>(n)?);
    let length = lengths_of(&x.lengths);
    combine(x, &members, &length, combined)?;
    let combined = &*combined;
    // dL / d combined
    let upstream = |i: usize| if combined[i].is_nan() { 0.0 } else { grad.grad_advantages.get(i) };
    if x.order == Order::SumFirst {
        let batch = Batch::new(o, &members, n, |i| combined[i], &length);
        let (whole, whole_std) = (batch.whole, batch.whole_std);
        let (mut whole_dot, mut whole_sum) = (0.0, 0.0);
        for g in 0..members.count() {
            let m = batch.moments(g);
            let (one, std) = (m.count == 1.0, m.std(o.std_kind));
            let ratio = m.count / (m.count - 1.0);
            let (mut dot, mut sum) = (0.0, 0.0);
            for i in members.rows(g) {
                let (r, g) = (combined[i], upstream(i));
                grads[i] = 0.0;
                if r.is_nan() {
                    continue;
                }
                let c = match o.baseline {
                    Baseline::None => r,
                    Baseline::Batch => whole.centred(r),
                    _ if one => alone(o.single, r),
                    Baseline::LeaveOneOut => m.centred(r) * ratio,
                    _ => m.centred(r),
                };
                let own = match o.scale {
                    Scale::BatchStd => over(g, whole_std, o.eps, o.eps_kind),
                    Scale::GroupStd if !one => over(g, std, o.eps, o.eps_kind),
                    _ => g,
                };
                // eps = 0 over equal rewards has no direction
                grads[i] = if own.is_finite() || !g.is_finite() { own } else { 0.0 };
                (dot, sum) = (dot + g * c, sum + grads[i]);
            }
            (whole_dot, whole_sum) = (whole_dot + dot, whole_sum + sum);
            let slope = match o.scale {
                Scale::GroupStd if !one => through_std(dot, &m, std, o.eps, o.std_kind),
                _ => 0.0,
            };
            for i in members.rows(g).filter(|&i| !combined[i].is_nan()) {
                match o.baseline {
                    Baseline::Group if one && o.single == Single::Zero => grads[i] = 0.0,
                    Baseline::LeaveOneOut if one && o.single == Single::Zero => grads[i] = 0.0,
                    Baseline::Group if !one => grads[i] -= sum / m.count,
                    Baseline::LeaveOneOut if !one => grads[i] = (grads[i] - sum / m.count) * ratio,
                    _ => {}
                }
                grads[i] += slope * m.centred(combined[i]);
            }
        }
        let slope = match o.scale {
            Scale::BatchStd => through_std(whole_dot, &whole, whole_std, o.eps, o.std_kind),
            _ => 0.0,
        };
        for i in (0..n).filter(|&i| !combined[i].is_nan()) {
            if o.baseline == Baseline::Batch {
                grads[i] -= whole_sum / whole.count;
            }
            if slope != 0.0 {
                grads[i] += slope * whole.centred(combined[i]);
            }
        }
    } else {
        let m = Moments::of(n, |i| combined[i]);
        let std = m.std(StdKind::Unbiased);
        let (mut dot, mut sum) = (0.0, 0.0);
        for i in 0..n {
            let g = upstream(i);
            let (own, c) = match x.batch_step {
                BatchStep::None => (g, 0.0),
                BatchStep::Standardise => (over(g, std, x.batch_eps, EpsKind::Add), m.centred(combined[i])),
                BatchStep::Scale => (over(g, std, 0.0, EpsKind::SkipZero), combined[i]),
            };
            grads[i] = if own.is_finite() || !g.is_finite() { own } else { 0.0 };
            if !combined[i].is_nan() {
                (dot, sum) = (dot + g * c, sum + grads[i]);
            }
        }
        let (slope, sum) = match x.batch_step {
            BatchStep::None => (0.0, 0.0),
            BatchStep::Standardise => (through_std(dot, &m, std, x.batch_eps, StdKind::Unbiased), sum),
            BatchStep::Scale => (through_std(dot, &m, std, 0.0, StdKind::Unbiased), 0.0),
        };
        for i in (0..n).filter(|&i| !combined[i].is_nan()) {
            grads[i] += slope * m.centred(combined[i]) - sum / m.count;
        }
    }
    for k in 0..objectives {
        // what a weight multiplies: the reward, or its advantage
        for (i, to) in column.iter_mut().enumerate() {
            let r = x.rewards.at(i, k);
            *to = if r.is_nan() { 0.0 } else { r };
        }
        if x.order == Order::NormaliseFirst {
            let batch = Batch::new(o, &members, n, |i| x.rewards.at(i, k), &length);
            for g in 0..members.count() {
                batch.group(g, |i, z| column[i] = z);
            }
        }
        let mut sum = 0.0;
        for i in 0..n {
            let each = if combined[i].is_nan() { 0.0 } else { grads[i] * column[i] };
            if let Some(Weights::OfRow(_)) = x.weights {
                grad.grad_weights.put(i, k, each);
            }
            sum += each;
        }
        if !matches!(x.weights, Some(Weights::OfRow(_))) {
            grad.grad_weights.set(k, sum);
        }
    }
    Ok(())
}

// ---- returns

/// A column of tokens of one sequence.
trait Column: Copy {
    const PRESENT: bool = true;
    fn at(&self, t: usize) -> f64;
    /// The numbers from `from` on.
    #[inline(always)]
    fn widen(&self, from: usize, to: &mut [f64]) {
        for (k, to) in to.iter_mut().enumerate() {
            *to = self.at(from + k);
        }
    }
    /// Asks for the tile in front of a number.
    #[inline(always)]
    fn ahead(&self, _: usize) {}
}
impl Column for &[f32] {
    #[inline(always)]
    fn at(&self, t: usize) -> f64 {
        self[t] as f64
    }
    #[inline(always)]
    fn widen(&self, from: usize, to: &mut [f64]) {
        for (to, x) in to.iter_mut().zip(&self[from..]) {
            *to = *x as f64;
        }
    }
    #[inline(always)]
    fn ahead(&self, from: usize) {
        prefetch(self.as_ptr().wrapping_add(from).wrapping_sub(TILE), TILE, false);
    }
}
/// No column: zeros.
#[derive(Clone, Copy)]
struct Absent;
impl Column for Absent {
    const PRESENT: bool = false;
    #[inline(always)]
    fn at(&self, _: usize) -> f64 {
        0.0
    }
}
#[derive(Clone, Copy)]
struct Any<'a> {
    m: Floats<'a>,
    start: usize,
}
impl Column for Any<'_> {
    fn at(&self, t: usize) -> f64 {
        self.m.get(self.start + t)
    }
}
trait Live: Copy {
    fn live(&self, t: usize) -> bool;
    /// How many of the tokens from `from` on are live, 255 at most.
    fn count(&self, from: usize, n: usize) -> usize;
}
impl Live for () {
    #[inline(always)]
    fn live(&self, _: usize) -> bool {
        true
    }
    #[inline(always)]
    fn count(&self, _: usize, n: usize) -> usize {
        n
    }
}
impl Live for &[u8] {
    #[inline(always)]
    fn live(&self, t: usize) -> bool {
        self[t] != 0
    }
    #[inline(always)]
    fn count(&self, from: usize, n: usize) -> usize {
        // bytes that add up in bytes
        self[from..][..n].iter().map(|&x| (x != 0) as u8).sum::<u8>() as usize
    }
}
#[derive(Clone, Copy)]
struct AnyMask<'a> {
    m: Option<Mask<'a>>,
    start: usize,
}
impl Live for AnyMask<'_> {
    fn live(&self, t: usize) -> bool {
        live(&self.m, self.start + t)
    }
    fn count(&self, from: usize, n: usize) -> usize {
        (from..from + n).filter(|&t| self.live(t)).count()
    }
}
trait Place {
    fn put(&mut self, t: usize, x: f64) -> u32;
}
impl Place for Option<&mut [f32]> {
    #[inline(always)]
    fn put(&mut self, t: usize, x: f64) -> u32 {
        if let Some(m) = self {
            m[t] = x as f32;
        }
        0
    }
}
impl Place for &mut Option<FloatsMut<'_>> {
    fn put(&mut self, t: usize, x: f64) -> u32 {
        report(self, t, x)
    }
}

/// The scan of one sequence, between two tokens.
struct Scan<R, V, M, P> {
    rewards: R,
    values: V,
    mask: M,
    advantages: P,
    returns: P,
    len: usize,
    masks: Masks,
    gamma: f64,
    /// gamma lambda of advantages and of returns.
    decay: [f64; 2],
    baseline: f64,
    /// V+, A+ of advantages, A+ of returns.
    value: f64,
    carry: [f64; 2],
    status: u32,
}
impl<R: Column, V: Column, M: Live, P: Place> Scan<R, V, M, P> {
    /// Token `t`, all later ones being done. `CAREFUL` looks at every number and leaves out products with 0, which matters
    /// where one is not finite; otherwise both give the same bits. `SAME`: both decays are equal, and so are both chains.
    #[inline(always)]
    fn step<const CAREFUL: bool, const SAME: bool>(&mut self, t: usize) {
        let live = self.mask.live(t);
        let (mut r, mut v) = (0.0, 0.0);
        if live || self.masks == Masks::Ignore {
            (r, v) = (self.rewards.at(t), self.values.at(t));
        } else if self.masks == Masks::Carry {
            self.advantages.put(t, 0.0);
            self.returns.put(t, 0.0);
            return;
        }
        if CAREFUL {
            self.status |= inputs(r) | inputs(v);
        }
        let delta = if V::PRESENT { product::<CAREFUL>(self.gamma, self.value, r) - v } else { r };
        self.carry[0] = product::<CAREFUL>(self.decay[0], self.carry[0], delta);
        if !SAME {
            self.carry[1] = product::<CAREFUL>(self.decay[1], self.carry[1], delta);
        }
        self.value = v;
        let (a, g) = (self.carry[0], self.carry[usize::from(!SAME)]);
        let (a, g) = if V::PRESENT { (a, g + v) } else { (a - self.baseline, g) };
        let (a, g) = if live { (a, g) } else { (0.0, 0.0) };
        let bits = self.advantages.put(t, a) | self.returns.put(t, g);
        if CAREFUL {
            self.status |= bits;
            if self.status & (row::NAN_INPUT | row::INF_INPUT) == 0 && !(a.is_finite() && g.is_finite()) {
                self.status |= row::OVERFLOW;
            }
        }
    }
}
/// `c x + to`; what is multiplied by 0 is left out where it is not finite.
#[inline(always)]
fn product<const CAREFUL: bool>(c: f64, x: f64, to: f64) -> f64 {
    if CAREFUL && c == 0.0 && !x.is_finite() { to } else { c.fma(x, to) }
}
/// Sequences whose chains run side by side: each step of a chain waits for the one before it.
const SIDE: usize = 4;
/// Tokens of a tile, 255 at most.
const TILE: usize = 64;
type Slices<'a, V, M> = Scan<&'a [f32], V, M, Option<&'a mut [f32]>>;
impl<V: Column, M> Slices<'_, V, M> {
    /// What the next `n` tokens, all live, add to the chains; their values, and behind them V+.
    #[inline(always)]
    fn form(&mut self, n: usize, deltas: &mut [f64], values: &mut [f64]) {
        self.rewards.widen(self.len, deltas);
        if V::PRESENT {
            self.values.widen(self.len, &mut values[..n]);
            values[n] = self.value;
            for t in 0..n {
                deltas[t] = self.gamma.fma(values[t + 1], deltas[t]) - values[t];
            }
            self.value = values[0];
        }
    }
    /// Writes `n` tokens from what the chains of advantages and returns hold, by way of a tile of its own, which the compiler
    /// knows to overlap with nothing. `judge`: says whether all of it is finite.
    #[inline(always)]
    fn write<W: Write>(&mut self, w: W, n: usize, a: &[f64], g: &[f64], values: &[f64], judge: bool) -> bool {
        let (mut tile, mut fine) = (Tile([0.0; TILE]), true);
        let tile = &mut tile.0[..n];
        if let Some(m) = &mut self.advantages {
            for (t, to) in tile.iter_mut().enumerate() {
                *to = if V::PRESENT { a[t] } else { a[t] - self.baseline } as f32;
            }
            fine &= !judge || finite(tile);
            w.write(tile, &mut m[self.len..][..n]);
        }
        if let Some(m) = &mut self.returns {
            for (t, to) in tile.iter_mut().enumerate() {
                *to = if V::PRESENT { g[t] + values[t] } else { g[t] } as f32;
            }
            fine &= !judge || finite(tile);
            w.write(tile, &mut m[self.len..][..n]);
        }
        fine
    }
    /// Tokens from the last start of a cache line of an output to the end.
    fn over(&self) -> usize {
        let m = self.returns.as_ref().or(self.advantages.as_ref());
        m.map_or(0, |m| m.as_ptr().wrapping_add(self.len).addr() / size_of::<f32>() % 16)
    }
}
/// Tokens of a tile as they are written.
#[repr(align(64))]
struct Tile([f32; TILE]);
static ZEROS: Tile = Tile([0.0; TILE]);
/// How a tile goes to where it is wanted.
trait Write: Copy {
    /// Past the caches, in whole lines.
    const FAR: bool;
    fn write(self, from: &[f32], to: &mut [f32]);
}
impl Write for () {
    const FAR: bool = false;
    #[inline(always)]
    fn write(self, from: &[f32], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
}
/// Past the caches: lines that nobody reads soon are not read before they are written.
#[derive(Clone, Copy)]
struct Far<S>(S);
impl<S: Sixteen> Write for Far<S> {
    const FAR: bool = true;
    #[inline(always)]
    fn write(self, from: &[f32], to: &mut [f32]) {
        let ((from, rest), (to, end)) = (from.as_chunks::<16>(), to.as_chunks_mut::<16>());
        for (from, to) in from.iter().zip(to) {
            self.0.stream(self.0.load(from), to);
        }
        end.copy_from_slice(rest);
    }
}
/// All tokens of up to [`SIDE`] sequences from their ends, in tiles. What a tile needs beside the chains is formed for many
/// tokens at once; the numbers are those of [`Scan::step`]. Says of each sequence whether all was finite, and whether a token
/// was live. `judge`: what is written must be finite too.
#[inline(always)]
fn side_by_side<W: Write, V: Column, M: Live, const SAME: bool>(
    w: W,
    all: &mut [Slices<'_, V, M>],
    judge: bool,
) -> [[bool; 2]; SIDE] {
    let (mut deltas, mut others, mut values) = ([[0.0; TILE]; SIDE], [[0.0; TILE]; SIDE], [[0.0; TILE + 1]; SIDE]);
    let mut found = [[true, false]; SIDE];
    // the first tile ends the others at the start of a line
    let mut ragged = W::FAR;
    while all.iter().any(|x| x.len > 0) {
        // tokens of the chains; most of these
        let (mut counts, mut longest) = ([0; SIDE], 0);
        for (k, x) in all.iter_mut().enumerate() {
            let n = x.len.min(if ragged { TILE - 16 + x.over() } else { TILE });
            x.len -= n;
            let (from, live) = (x.len, x.mask.count(x.len, n));
            found[k][1] |= live > 0;
            // sixteen rows run backwards, more than the processor follows by itself; lines to be written are read before
            x.rewards.ahead(from);
            x.values.ahead(from);
            if !W::FAR {
                [&x.advantages, &x.returns].into_iter().flatten().for_each(|m| (&**m).ahead(from));
            }
            if live == n {
                // a full tile has a length that the compiler sees
                let (d, v) = (&mut deltas[k], &mut values[k]);
                if n == TILE {
                    x.form(TILE, d, v)
                } else {
                    x.form(n, &mut d[TILE - n..], &mut v[TILE - n..])
                }
                counts[k] = n;
                longest = n.max(longest);
            } else if live == 0 && x.masks == Masks::Carry {
                for m in [&mut x.advantages, &mut x.returns].into_iter().flatten() {
                    w.write(&ZEROS.0[..n], &mut m[from..][..n]);
                }
            } else {
                (from..from + n).rev().for_each(|t| x.step::<false, SAME>(t));
                let written = [&x.advantages, &x.returns].into_iter().flatten().filter(|_| judge);
                written.for_each(|m| found[k][0] &= finite(&m[from..][..n]));
            }
        }
        ragged = false;
        if !SAME {
            others = deltas;
        }
        let (mut decays, mut carries) = ([[0.0; SIDE]; 2], [[0.0; SIDE]; 2]);
        for (k, x) in all.iter().enumerate() {
            for chain in 0..2 {
                (decays[chain][k], carries[chain][k]) = (x.decay[chain], x.carry[chain]);
            }
        }
        for t in (TILE - longest..TILE).rev() {
            for k in 0..SIDE {
                carries[0][k] = decays[0][k].fma(carries[0][k], deltas[k][t]);
                deltas[k][t] = carries[0][k];
                if !SAME {
                    carries[1][k] = decays[1][k].fma(carries[1][k], others[k][t]);
                    others[k][t] = carries[1][k];
                }
            }
        }
        for (k, x) in all.iter_mut().enumerate().filter(|(k, _)| counts[*k] > 0) {
            let (n, a, v) = (counts[k], &deltas[k], &values[k]);
            let g = if SAME { a } else { &others[k] };
            x.carry = [a[TILE - n], g[TILE - n]];
            found[k][0] &= match n {
                TILE => x.write(w, TILE, a, g, v, judge),
                _ => x.write(w, n, &a[TILE - n..], &g[TILE - n..], &v[TILE - n..], judge),
            };
        }
    }
    for (x, found) in all.iter().zip(&mut found) {
        found[0] &= x.carry[0].is_finite() && x.carry[1].is_finite();
    }
    found
}

/// Outputs of one sequence, and where it lies.
struct Sequence<'a> {
    b: usize,
    range: Range<usize>,
    advantages: Option<FloatsMut<'a>>,
    returns: Option<FloatsMut<'a>>,
}
fn flat<'m>(m: &'m mut Option<FloatsMut<'_>>, start: usize, len: usize) -> Option<Option<&'m mut [f32]>> {
    match m {
        None => Some(None),
        Some(_) if len == 0 => Some(Some(&mut [])),
        Some(FloatsMut::F32(m)) => {
            let l = m.layout();
            let one = l.inner_stride == 1 && (l.outer == 1 || start % l.inner + len <= l.inner);
            if one { m.data_mut().get_mut(..len).map(Some) } else { None }
        }
        _ => None,
    }
}
/// The scan of sequence `b` over `len` tokens.
fn start<R, V: Column, M, P>(x: &Gae<'_>, s: (usize, Range<usize>), c: (R, V, M), out: (P, P)) -> Scan<R, V, M, P> {
    let (p, (b, range)) = (x.params, s);
    let policy = if p.length_alpha.is_some() { p.policy(count(&x.mask, range.clone())) } else { p.lambda_policy };
    let end = x.value_end.as_ref().map_or(0.0, |m| m.get(b));
    // what is behind the end: a value, or without values a return
    let (value, carry) = if V::PRESENT { (end, 0.0) } else { (0.0, end) };
    Scan {
        rewards: c.0,
        values: c.1,
        mask: c.2,
        advantages: out.0,
        returns: out.1,
        len: range.len(),
        masks: x.masks,
        gamma: p.gamma,
        decay: [p.gamma * policy, p.gamma * p.lambda_value],
        baseline: x.baseline.as_ref().map_or(0.0, |m| m.get(b)),
        value,
        carry: [carry; 2],
        status: 0,
    }
}
fn slice<'a>(m: &Floats<'a>, range: &Range<usize>) -> Option<&'a [f32]> {
    match m {
        Floats::F32(m) => dense(m, range.start, range.len()),
        _ => None,
    }
}
fn bytes<'a>(m: &Mask<'a>, range: &Range<usize>) -> Option<&'a [u8]> {
    match m {
        Mask::U8(m) => dense(m, range.start, range.len()),
        _ => None,
    }
}
/// Up to [`SIDE`] sequences whose tensors are slices of f32; of each what [`side_by_side`] says.
fn of_slices<'m, V: Column, M: Live>(
    isa: Isa,
    x: &Gae<'_>,
    rewards: &Floats<'m>,
    group: &'m mut [Sequence<'_>],
    (judge, far): (bool, bool),
    columns: impl Fn(&Range<usize>) -> (V, M),
) -> [[bool; 2]; SIDE] {
    let scan = |s: &'m mut Sequence<'_>| {
        let ((v, m), r) = (columns(&s.range), slice(rewards, &s.range).expect("slices"));
        let (at, len) = (s.range.start, s.range.len());
        let out = (flat(&mut s.advantages, at, len).expect("slices"), flat(&mut s.returns, at, len).expect("slices"));
        start(x, (s.b, s.range.clone()), (r, v, m), out)
    };
    // the lanes' instruction sets have fused multiply-adds
    let run = |all: &mut [Slices<'m, V, M>]| {
        let same = all.iter().all(|x| x.decay[0] == x.decay[1]);
        match (same, far && V::PRESENT) {
            (true, true) => on_lanes!(isa, s => side_by_side::<_, _, _, true>(Far(s), all, judge), {
                side_by_side::<_, _, _, true>((), all, judge)
            }),
            (false, true) => on_lanes!(isa, s => side_by_side::<_, _, _, false>(Far(s), all, judge), {
                side_by_side::<_, _, _, false>((), all, judge)
            }),
            (true, false) => on_isa!(isa, s => side_by_side::<_, _, _, true>((), all, judge), {
                side_by_side::<_, _, _, true>((), all, judge)
            }),
            (false, false) => on_isa!(isa, s => side_by_side::<_, _, _, false>((), all, judge), {
                side_by_side::<_, _, _, false>((), all, judge)
            }),
        }
    };
    match group {
        [a, b, c, d] => run(&mut [scan(a), scan(b), scan(c), scan(d)]),
        [a, b, c] => run(&mut [scan(a), scan(b), scan(c)]),
        [a, b] => run(&mut [scan(a), scan(b)]),
        [a] => run(&mut [scan(a)]),
        _ => [[false; 2]; SIDE],
    }
}
/// Up to [`SIDE`] sequences; the status of each.
/// `how`: whether what is written must be finite, and whether it goes past the caches.
fn gae_group<'a>(
    isa: Isa,
    x: &Gae<'a>,
    rewards: &Floats<'a>,
    group: &mut [Sequence<'_>],
    how: (bool, bool),
) -> [u32; SIDE] {
    let slices = group.iter_mut().all(|s| {
        let (at, len) = (s.range.start, s.range.len());
        slice(rewards, &s.range).is_some()
            && x.values.is_none_or(|v| slice(&v, &s.range).is_some())
            && x.mask.is_none_or(|m| bytes(&m, &s.range).is_some())
            && flat(&mut s.advantages, at, len).is_some()
            && flat(&mut s.returns, at, len).is_some()
    });
    let mut found = [[false; 2]; SIDE];
    if slices {
        let read = |m: &Floats<'a>, r: &Range<usize>| slice(m, r).expect("slices");
        let live = |m: &Mask<'a>, r: &Range<usize>| bytes(m, r).expect("slices");
        found = match (x.values, x.mask) {
            (None, None) => of_slices(isa, x, rewards, group, how, |_| (Absent, ())),
            (None, Some(m)) => of_slices(isa, x, rewards, group, how, |r| (Absent, live(&m, r))),
            (Some(v), None) => of_slices(isa, x, rewards, group, how, |r| (read(&v, r), ())),
            (Some(v), Some(m)) => of_slices(isa, x, rewards, group, how, |r| (read(&v, r), live(&m, r))),
        };
    }
    let mut status = [0; SIDE];
    for ((s, [clean, any]), status) in group.iter_mut().zip(found).zip(&mut status) {
        let at = s.range.start;
        if !clean {
            let (r, m) = (Any { m: *rewards, start: at }, AnyMask { m: x.mask, start: at });
            let (s, out) = ((s.b, s.range.clone()), (&mut s.advantages, &mut s.returns));
            *status = match x.values {
                Some(m_) => careful(start(x, s, (r, Any { m: m_, start: at }, m), out)),
                None => careful(start(x, s, (r, Absent, m), out)),
            };
        }
        if how.0 && !any && !s.range.clone().any(|i| live(&x.mask, i)) {
            *status |= row::EMPTY;
        }
    }
    status
}
/// The largest magnitude as an integer, whose maximum is one instruction of every instruction set, is below that of infinity.
#[inline(always)]
fn finite(x: &[f32]) -> bool {
    let mut most = 0;
    for x in x {
        let size = (x.to_bits() & i32::MAX as u32) as i32;
        most = if size > most { size } else { most };
    }
    most < f32::INFINITY.to_bits() as i32
}
fn careful<R: Column, V: Column, M: Live, P: Place>(mut scan: Scan<R, V, M, P>) -> u32 {
    if scan.len > 0 {
        scan.status |= inputs(scan.value) | inputs(scan.carry[0]);
    }
    (0..scan.len).rev().for_each(|t| scan.step::<true, false>(t));
    scan.status
}

/// Advantages and returns of every sequence. No workspace.
pub fn gae(context: &Context, x: &Gae<'_>, out: GaeOut<'_>) -> Result<()> {
    x.check(&out)?;
    let Some(rewards) = &x.rewards else { return Ok(()) };
    let (segments, b) = (x.segments, x.segments.sequences());
    let judge = out.status.is_some();
    let written = usize::from(out.advantages.is_some()) + usize::from(out.returns.is_some());
    let far = (rewards.rows() * size_of::<f32>()).saturating_mul(written) > CACHE;
    let out = (Cut { segments, first: 0, out: (out.advantages, out.returns) }, out.status);
    // enough sequences in a piece to go side by side
    let n = rewards.rows();
    let piece = if n > ALONE { grain(b, n, GRAIN).max((2 * SIDE).min(b.div_ceil(context.threads()))) } else { b };
    context.rows(b, piece, out, |first, rows, (tokens, mut status)| {
        let mut rest = tokens.out;
        let mut next = 0;
        while next < rows {
            let many = (rows - next).min(SIDE);
            let mut group = [0, 1, 2, 3].map(|k| {
                let b = first + next + k.min(many - 1);
                let range = if k < many { segments.range(b) } else { 0..0 };
                let (own, others) = core::mem::take(&mut rest).split(range.len());
                rest = others;
                Sequence { b, range, advantages: own.0, returns: own.1 }
            });
            let found = gae_group(context.isa(), x, rewards, &mut group[..many], (judge, far));
            (0..many).for_each(|k| put_in(&mut status, next + k, found[k]));
            next += many;
        }
        fence();
    });
    Ok(())
}

/// Gradients of rewards and values, of `n` tokens. No workspace.
pub fn gae_backward(context: &Context, x: &Gae<'_>, n: usize, grad: GaeGrad<'_>) -> Result<()> {
    x.check_backward(n, &grad)?;
    let (segments, b, p) = (x.segments, x.segments.sequences(), x.params);
    let (upstream, returns) = (grad.grad_advantages, grad.grad_returns);
    let out = (Cut { segments, first: 0, out: (grad.grad_rewards, grad.grad_values) }, grad.grad_value_end);
    context.rows(b, grain(b, n, GRAIN), out, |first, rows, (tokens, mut end)| {
        let (mut to_rewards, mut to_values) = tokens.out;
        let base = segments.start(first);
        for b in first..first + rows {
            let range = segments.range(b);
            let policy = p.policy(if p.length_alpha.is_some() { count(&x.mask, range.clone()) } else { 0 });
            let decay = [p.gamma * policy, p.gamma * p.lambda_value];
            let mut carry = [0.0; 2];
            for i in range {
                let live = live(&x.mask, i);
                let (mut dr, mut dv) = (0.0, 0.0);
                if live || x.masks != Masks::Carry {
                    let read = |m: &Option<Floats<'_>>| m.as_ref().filter(|_| live).map_or(0.0, |m| m.get(i));
                    let (g, before) = ([read(&upstream), read(&returns)], carry[0] + carry[1]);
                    carry = [g[0] + decay[0] * carry[0], g[1] + decay[1] * carry[1]];
                    if live || x.masks == Masks::Ignore {
                        dr = carry[0] + carry[1];
                        dv = (p.gamma * before - dr) + g[1];
                    }
                }
                put(&mut to_rewards, i - base, dr);
                put(&mut to_values, i - base, dv);
            }
            put(&mut end, b - first, p.gamma * (carry[0] + carry[1]));
        }
    });
    Ok(())
}

// ---- whitening

fn blocks(n: usize) -> usize {
    n.div_ceil(BLOCK)
}
/// Scratch memory of [`whiten`]: 24 bytes for every 1024 values.
pub fn whiten_workspace(x: &Whiten<'_>) -> Workspace {
    exactly(Arena::need::<[f64; 3]>(blocks(x.values.rows())))
}
/// Chan's formula.
fn join(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    if a[0] == 0.0 {
        return b;
    }
    if b[0] == 0.0 {
        return a;
    }
    let (n, d) = (a[0] + b[0], b[1] - a[1]);
    [n, a[1] + d * (b[0] / n), (a[2] + b[2]) + d * d * (a[0] * (b[0] / n))]
}
/// Eight sums side by side, joined by a tree.
#[inline(always)]
fn eight(n: usize, x: impl Fn(usize) -> f64) -> f64 {
    let mut a = [0.0; 8];
    for k in 0..n / 8 {
        (0..8).for_each(|j| a[j] += x(8 * k + j));
    }
    (n / 8 * 8..n).for_each(|k| a[k % 8] += x(k));
    ((a[0] + a[1]) + (a[2] + a[3])) + ((a[4] + a[5]) + (a[6] + a[7]))
}
/// Number, mean and squares of values and how many of them there are; NaN and infinities stay visible.
fn moments(x: &[f64], w: &[f64]) -> [f64; 3] {
    let n = x.len().min(w.len());
    if n == 0 {
        return [0.0; 3];
    }
    let (first, count) = (x[0], eight(n, |k| w[k]));
    let shift = eight(n, |k| w[k] * (x[k] - first)) / count;
    let shift = shift + eight(n, |k| w[k] * ((x[k] - first) - shift)) / count;
    let squares = eight(n, |k| {
        let d = (x[k] - first) - shift;
        w[k] * (d * d)
    });
    [count, first + shift, squares]
}
/// Standardised values and their moments.
pub fn whiten(context: &Context, x: &Whiten<'_>, mut out: WhitenOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, whiten_workspace(x))?;
    let n = x.values.rows();
    let weight = |i: usize| x.counts.as_ref().map_or(1.0, |m| m.get(i) as f64);
    let read = |i: usize| if live(&x.mask, i) && weight(i) > 0.0 { Some(x.values.get(i)) } else { None };
    let partial = Arena::new(scratch).take::<[f64; 3]>(blocks(n))?;
    let places = MatrixMut::contiguous(partial.as_flattened_mut(), blocks(n), 3)?;
    context.rows(blocks(n), GRAIN / BLOCK, places, |first, rows, mut places| {
        for k in 0..rows {
            let start = (first + k) * BLOCK;
            let (mut values, mut weights, mut held) = ([0.0; BLOCK], [0.0; BLOCK], 0);
            let range = start..n.min(start + BLOCK);
            if let (Some(x), None, None) = (slice(&x.values, &range), &x.mask, &x.counts) {
                values.iter_mut().zip(x).for_each(|(to, x)| *to = *x as f64);
                (weights, held) = ([1.0; BLOCK], range.len());
            } else {
                for i in range {
                    if let Some(x) = read(i) {
                        (values[held], weights[held], held) = (x, weight(i), held + 1);
                    }
                }
            }
            places.row_mut(k).copy_from_slice(&moments(&values[..held], &weights[..held]));
        }
    });
    let own = partial.iter().fold([0.0; 3], |a, b| join(a, *b));
    let [total, mean, squares] = match &x.states {
        None => own,
        Some(m) => (0..m.rows()).fold([0.0; 3], |a, i| join(a, [m.row(i)[0], m.row(i)[1], m.row(i)[2]])),
    };
    let var = variance(total, squares, x.std_kind);
    let mut status = match () {
        () if total == 0.0 => row::EMPTY,
        () if total == 1.0 => row::DEGENERATE,
        () => 0,
    };
    if !(mean.is_finite() && squares.is_finite()) {
        let bits = (0..n).filter_map(read).fold(0, |a, x| a | inputs(x));
        // of another rank where none of this one's is to blame
        status |= if bits == 0 { row::NAN_INPUT } else { bits };
    }
    for (k, x) in own.into_iter().enumerate() {
        put_in(&mut out.state, k, x);
    }
    put(&mut out.moments, 0, mean);
    put(&mut out.moments, 1, var.sqrt());
    put_in(&mut out.status, 0, status);
    let (kind, eps, keep) = (x.eps_kind, x.eps, x.keep_mean);
    // 0 only where all are equal, and then nothing is divided
    let divisor = match kind {
        EpsKind::Add | EpsKind::SkipZero => var.sqrt() + eps,
        EpsKind::VarianceAdd => (var + eps).sqrt(),
        EpsKind::VarianceMax => Real::max(var, eps).sqrt(),
    };
    let scaled = |x: f64| {
        let z = if x == mean { 0.0 } else { (x - mean) / divisor };
        if keep { z + mean } else { z }
    };
    let plain = x.mask.is_none() && x.counts.is_none() && total > 1.0;
    context.rows(n, GRAIN, out.values, |first, rows, mut to| {
        if plain
            && let Some(from) = slice(&x.values, &(first..first + rows))
            && let Some(Some(to)) = flat(&mut to, first, rows)
        {
            to.iter_mut().zip(from).for_each(|(to, x)| *to = scaled(*x as f64) as f32);
            return;
        }
        for i in 0..rows {
            put(&mut to, i, read(first + i).filter(|_| total > 1.0).map_or(0.0, scaled));
        }
    });
    Ok(())
}

// ---- baselines of tokens

/// Scratch memory of [`optimal_token_baseline`]: 24 bytes a position of the longest row, and the order of ids.
pub fn optimal_token_baseline_workspace(x: &OptimalTokenBaseline<'_>) -> Workspace {
    let b = x.segments.sequences();
    let v = Arena::need::<f64>(longest(&x.segments));
    exactly(Arena::sum([Members::need(&x.groups, b), v, v, v]))
}
fn longest(segments: &Segments<'_>) -> usize {
    (0..segments.sequences()).map(|b| segments.range(b).len()).max().unwrap_or(0)
}
/// Reward to go minus the best baseline of each position.
pub fn optimal_token_baseline(
    x: &OptimalTokenBaseline<'_>,
    mut out: OptimalTokenBaselineOut<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, optimal_token_baseline_workspace(x))?;
    let (b, width) = (x.segments.sequences(), longest(&x.segments));
    let mut arena = Arena::new(scratch);
    let members = Members::new(x.groups, b, &mut arena)?;
    let (to_go, above, below) = (arena.take::<f64>(width)?, arena.take::<f64>(width)?, arena.take::<f64>(width)?);
    let tokens = |range: Range<usize>| range.enumerate().filter(|&(_, i)| live(&x.mask, i));
    // the expected squared size of a token's score function
    let weight = |i: usize| {
        let (l, s) = (x.logps.get(i), x.log_sum_sq.get(i));
        let (own, gap) = (Real::expm1(l), Real::max(s - 2.0 * l, 0.0));
        let w = x.importance_weight.as_ref().map_or(1.0, |m| m.get(i));
        (own * own - Real::exp(s) * Real::expm1(-gap)) * (w * w)
    };
    let scan = |range: Range<usize>, to: &mut [f64]| {
        let mut sum = 0.0;
        for (t, i) in range.enumerate().rev() {
            if live(&x.mask, i) {
                sum += x.rewards.get(i);
            }
            to[t] = sum;
        }
    };
    let index = |t: usize, k: usize| if x.alignment == Alignment::Position { t } else { k };
    for g in 0..members.count() {
        above.fill(0.0);
        below.fill(0.0);
        let (mut first, mut second) = (0, 0);
        for row in members.rows(g) {
            let range = x.segments.range(row);
            let (mut status, mut len, mut total) = (0, 0, 0.0);
            for (k, (t, i)) in tokens(range.clone()).enumerate() {
                let (r, w) = (x.rewards.get(i), weight(i));
                (total, len) = (total + w, index(t, k) + 1);
                // log p = -inf is a token of probability 0, no bad input
                status |= inputs(r) | if w.is_nan() { row::NAN_INPUT } else { inputs(w) };
            }
            if len == 0 {
                status |= row::EMPTY;
            }
            if status == 0 && !total.is_finite() {
                status |= row::OVERFLOW;
            }
            (first, second) = if len > first { (len, first) } else { (first, len.max(second)) };
            put_in(&mut out.status, row, status);
            if status != 0 {
                continue;
            }
            scan(range.clone(), to_go);
            let mut path = 0.0;
            for (k, (t, i)) in tokens(range).enumerate() {
                path += weight(i);
                let at = index(t, k);
                (above[at], below[at]) = (above[at] + to_go[t] * path, below[at] + path);
            }
        }
        let alone = members.range(g).len() == 1;
        for row in members.rows(g) {
            let range = x.segments.range(row);
            scan(range.clone(), to_go);
            let mut k = 0;
            for (t, i) in range.enumerate() {
                let (mut a, mut base) = (0.0, 0.0);
                if live(&x.mask, i) {
                    let at = index(t, k);
                    k += 1;
                    if !alone && (x.keep_tail || at < second) && below[at] > 0.0 {
                        base = above[at] / (below[at] + x.eps);
                    }
                    a = to_go[t] - base;
                }
                put(&mut out.advantages, i, a);
                put(&mut out.baseline, i, base);
            }
        }
    }
    Ok(())
}

/// Scratch memory of [`prime_advantage`]: none with offsets.
pub fn prime_advantage_workspace(x: &PrimeAdvantage<'_>) -> Workspace {
    exactly(Members::need(&x.groups, x.segments.sequences()))
}
/// Returns of both sources, of `n` tokens.
pub fn prime_advantage(
    x: &PrimeAdvantage<'_>,
    n: usize,
    mut out: PrimeAdvantageOut<'_>,
    scratch: &mut [u8],
) -> Result<()> {
    x.check(n, &out)?;
    check_space(scratch, prime_advantage_workspace(x))?;
    let b = x.segments.sequences();
    let members = Members::new(x.groups, b, &mut Arena::new(scratch))?;
    for g in 0..members.count() {
        if members.range(g).len() == 1 {
            let field = if members.order.is_empty() { "group_offsets" } else { "group_ids" };
            return Err(Error::invalid(field, Value::Text("a group of one"), Value::Text("two rows in every group")));
        }
    }
    let last = |range: Range<usize>| range.rev().find(|&i| live(&x.mask, i));
    for g in 0..members.count() {
        let range = members.range(g);
        let mean_of =
            |source: &dyn Fn(usize) -> f64| Moments::of(range.len(), |k| source(members.row(range.start + k)));
        // an empty row counts as 0, so nothing is left out
        let process = x.process_rewards.map(|q| {
            mean_of(&|row| {
                let r = x.segments.range(row);
                let masked = |k| if live(&x.mask, r.start + k) { q.get(r.start + k) } else { f64::NAN };
                Moments::of(r.len(), masked).mean()
            })
        });
        let outcome =
            x.outcome.map(|q| mean_of(&|row| if last(x.segments.range(row)).is_some() { q.get(row) } else { 0.0 }));
        let ratio = range.len() as f64 / (range.len() as f64 - 1.0);
        for row in members.rows(g) {
            let (mut sum, end) = (0.0, last(x.segments.range(row)));
            let mut status = if end.is_none() { row::EMPTY } else { 0 };
            for i in x.segments.range(row).rev() {
                if !live(&x.mask, i) {
                    put(&mut out.returns, i, 0.0);
                    continue;
                }
                if let (Some(q), Some(m)) = (&x.process_rewards, &process) {
                    sum += x.coef[0] * (m.centred(q.get(i)) * ratio);
                }
                if let (Some(q), Some(m)) = (&x.outcome, &outcome)
                    && end == Some(i)
                {
                    sum += x.coef[1] * (m.centred(q.get(row)) * ratio);
                }
                if !sum.is_finite() {
                    status |= row::OVERFLOW;
                }
                status |= out.returns.as_ref().map_or(0, |m| overflow(sum, m));
                put(&mut out.returns, i, sum);
            }
            put_in(&mut out.status, row, status);
        }
    }
    Ok(())
}

// ---- distillation, constraints

/// An estimate of KL(a || b) from one token, in f64.
struct Estimated {
    a: f64,
    b: f64,
}
impl EstimatorVisitor for Estimated {
    type Out = f64;
    fn visit<E: KlEstimator<N>, const N: usize>(self) -> f64 {
        let p = core::array::from_fn(|k| E::PARAMS[k].default);
        E::eval(Estimate { logp: self.a, ref_logp: self.b, old: self.a }, p).value
    }
}
/// The estimate clamped to `[-bound, bound]`.
fn estimate(id: u32, a: f64, b: f64, bound: f64, status: &mut u32) -> f64 {
    let k = if id == 0 { a - b } else { with_estimator(id, Estimated { a, b }).expect("checked") };
    if k.is_nan() {
        *status |= if a.is_nan() || b.is_nan() { row::NAN_INPUT } else { row::INF_INPUT };
        return k;
    }
    if k.abs() > bound {
        *status |= row::SATURATED;
        return if k < 0.0 { -bound } else { bound };
    }
    k
}
/// `x^n` by squaring.
fn power(x: f64, mut n: usize) -> f64 {
    let (mut y, mut square) = (1.0, x);
    while n > 0 {
        if n % 2 == 1 {
            y *= square;
        }
        square *= square;
        n /= 2;
    }
    y
}

/// Advantages from a teacher. No workspace.
pub fn distill_advantage(context: &Context, x: &DistillAdvantage<'_>, out: DistillAdvantageOut<'_>) -> Result<()> {
    x.check(&out)?;
    let (segments, b) = (x.segments, x.segments.sequences());
    let out = (Cut { segments, first: 0, out: out.advantages }, out.status);
    // a missing teacher is no opinion
    let missing = |i: usize| x.flags.missing_zero && x.teacher.get(i).is_nan();
    let difference = |i: usize| if missing(i) { 0.0 } else { x.teacher.get(i) - x.student.get(i) };
    context.rows(b, grain(b, x.student.rows(), GRAIN), out, |first, rows, (tokens, mut words)| {
        let (mut to, base) = (tokens.out, segments.start(first));
        for b in first..first + rows {
            let range = segments.range(b);
            let given = |i: usize| match &x.advantages {
                Some(Advantage::Token(m)) => m.get(i),
                Some(Advantage::Sequence(m)) => m.get(b),
                None => 0.0,
            };
            let (mut status, mut any) = (0, false);
            // sums of |d| before a token and of all; numerator and denominator from the end
            let (mut before, mut all, mut sum, mut ones) = (0.0, 0.0, 0.0, 0.0);
            if let Distill::IwOpd { .. } = x.form {
                range.clone().filter(|&i| live(&x.mask, i)).for_each(|i| all += difference(i).abs());
            }
            let backwards = matches!(x.form, Distill::MiniLlm { .. });
            for step in 0..range.len() {
                let i = if backwards { range.end - 1 - step } else { range.start + step };
                let live = live(&x.mask, i);
                any |= live;
                let mut a = 0.0;
                match x.form {
                    Distill::MiniLlm { gamma } => {
                        (sum, ones) = if gamma == 0.0 { (0.0, 0.0) } else { (gamma * sum, gamma * ones) };
                        if live {
                            sum += x.token_rewards.as_ref().map_or_else(|| difference(i), |m| m.get(i));
                            ones += 1.0;
                            a = if x.flags.per_length { sum / ones } else { sum };
                            if x.flags.position_power {
                                a *= power(gamma, i - range.start);
                            }
                        }
                    }
                    _ if !live => {}
                    Distill::Opd { coef, clamp } => {
                        let term = match missing(i) || coef == 0.0 {
                            true => 0.0,
                            false => {
                                coef * estimate(x.estimator, x.student.get(i), x.teacher.get(i), clamp, &mut status)
                            }
                        };
                        a = given(i) - term;
                    }
                    Distill::IwOpd { gain } => {
                        let d = difference(i);
                        a = d * (1.0 + gain * (1.0 - before / Real::max(all, 1e-8)));
                        before += d.abs();
                    }
                    Distill::Rlsd { mix, eps } => {
                        let (own, d) = (given(i), difference(i));
                        let (low, high) = (Real::log1p(-eps), Real::log1p(eps));
                        let e = if own < 0.0 { -d } else { d };
                        a = own;
                        if own != 0.0 && !(x.flags.negative_only && own > 0.0) {
                            if e < low || e > high {
                                status |= row::SATURATED;
                            }
                            a = own * ((1.0 - mix) + mix * Real::exp(Real::min(Real::max(e, low), high)));
                        }
                    }
                }
                if live && !a.is_finite() {
                    let nan = match &x.token_rewards {
                        Some(q) => q.get(i).is_nan(),
                        None => difference(i).is_nan() && (x.student.get(i).is_nan() || x.teacher.get(i).is_nan()),
                    };
                    status |= match () {
                        () if !a.is_nan() => row::INFINITE,
                        () if nan || given(i).is_nan() => row::NAN_INPUT,
                        // carried on from a token that has said so
                        () if status & (row::NAN_INPUT | row::INF_INPUT) != 0 => 0,
                        () => row::INF_INPUT,
                    };
                }
                status |= to.as_ref().map_or(0, |m| overflow(a, m));
                put(&mut to, i - base, a);
            }
            put_in(&mut words, b - first, if any { status } else { status | row::EMPTY });
        }
    });
    Ok(())
}

/// Advantages under a multiplier, and the multiplier's gradient. No workspace.
pub fn lagrangian_advantage(
    context: &Context,
    x: &LagrangianAdvantage<'_>,
    mut out: LagrangianAdvantageOut<'_>,
) -> Result<()> {
    x.check(&out)?;
    let (n, log) = (x.reward_advantages.rows(), x.log_lambda.get(0));
    let (reward, cost) = (Real::sigmoid(-log), Real::sigmoid(log));
    let term = |share: f64, a: f64| if share == 0.0 { 0.0 } else { share * a };
    if let Some(mean) = &x.mean_cost {
        let gap = mean.get(0) - x.cost_limit;
        let lambda = Real::exp(log);
        put(&mut out.grad_log_lambda, 0, if lambda == 0.0 || gap == 0.0 { 0.0 } else { -gap * lambda });
    }
    context.rows(n, GRAIN, out.advantages, |first, rows, mut to| {
        for i in first..first + rows {
            let a = match live(&x.mask, i) {
                true => term(reward, x.reward_advantages.get(i)) - term(cost, x.cost_advantages.get(i)),
                false => 0.0,
            };
            put(&mut to, i - first, a);
        }
    });
    Ok(())
}

// ---- several objectives

/// Mean clipped advantage of every objective. No workspace.
pub fn pama_scalars(x: &PamaScalars<'_>, mut out: PamaScalarsOut<'_>) -> Result<()> {
    x.check(&out)?;
    let Some(to) = &mut out.scalars else { return Ok(()) };
    let bound = Real::log1p(x.clip_high);
    let n = x.logps.rows();
    for objective in 0..x.advantages.rows() {
        for k in 0..x.columns() {
            let range = match x.granularity {
                Granularity::Batch => 0..n,
                Granularity::Sequence => x.segments.range(k),
                Granularity::Token => k..k + 1,
            };
            let (mut sum, mut count) = (0.0, 0.0);
            for i in range.filter(|&i| live(&x.mask, i)) {
                let (a, ratio) = (x.advantages.at(objective, i), x.logps.get(i) - x.anchor.get(i));
                count += 1.0;
                // NaN of either kind is neither below nor above
                if a.is_nan() || ratio.is_nan() {
                    sum = f64::NAN;
                } else if a > 0.0 && ratio <= bound {
                    sum += a;
                }
            }
            to.put(objective, k, if count == 0.0 { 0.0 } else { sum / count });
        }
    }
    Ok(())
}

/// Least element and weights of every column. No workspace.
pub fn interval_weights(x: &IntervalWeights<'_>, mut out: IntervalWeightsOut<'_>) -> Result<()> {
    x.check(&out)?;
    let n = x.scalars.rows();
    for k in 0..x.scalars.cols() {
        let at = |i| x.scalars.at(i, k);
        let status = (0..n).fold(0, |a, i| a | inputs(at(i)));
        let (mut low, mut high) = (0, 0);
        for i in 1..n {
            low = if at(i) < at(low) { i } else { low };
            high = if at(i) > at(high) { i } else { high };
        }
        let (least, most) = (at(low), at(high));
        let (value, all) = match () {
            () if status != 0 => (f64::NAN, None),
            () if least > 0.0 => (least, Some(low)),
            () if most < 0.0 => (most, Some(high)),
            // both 0
            () if least == most => (0.0, Some(low)),
            () => (0.0, None),
        };
        for i in 0..n {
            // of numbers of either sign; halves, so that their distance is one
            let (a, b) = (0.5 * least, 0.5 * most);
            let w = match all {
                _ if status != 0 => f64::NAN,
                Some(one) => f64::from(one == i),
                None if i == low => b / (b - a),
                None if i == high => -a / (b - a),
                None => 0.0,
            };
            if let Some(m) = &mut out.weights {
                m.put(i, k, w);
            }
        }
        put(&mut out.value, k, value);
        put_in(&mut out.status, k, status);
    }
    Ok(())
}

/// Mean products of all pairs of rows. No workspace.
pub fn gram_matrix(x: &GramMatrix<'_>, mut gram: FloatsMut<'_>) -> Result<()> {
    x.check(&gram)?;
    let (n, tokens) = (x.values.rows(), x.values.cols());
    let product = |i: usize, j: usize| {
        let (mut sum, mut count) = (0.0, 0.0);
        for t in (0..tokens).filter(|&t| live(&x.mask, t)) {
            (sum, count) = (sum + x.values.at(i, t) * x.values.at(j, t), count + 1.0);
        }
        if count == 0.0 { (0.0, 1.0) } else { (sum, count) }
    };
    let mut lengths = [1.0; MAX_OBJECTIVES];
    if x.unit_rows {
        for (i, to) in lengths[..n].iter_mut().enumerate() {
            let length = product(i, i).0.sqrt();
            *to = if length > 0.0 { length } else { 1.0 };
        }
    }
    for i in 0..n {
        for j in 0..=i {
            let (sum, count) = product(i, j);
            let m = match x.unit_rows {
                // the mean of a unit vector's squares is 1 over their number; here it is 1
                true => sum / (lengths[i] * lengths[j]),
                false => sum / count,
            };
            gram.put(i, j, m);
            gram.put(j, i, m);
        }
    }
    Ok(())
}

/// Scratch memory of [`min_norm_weights`].
pub fn min_norm_weights_workspace(x: &MinNormWeights<'_>) -> Workspace {
    // more objectives are refused
    let n = x.gram.rows().min(MAX_OBJECTIVES);
    exactly(Arena::sum([Arena::need::<f64>((n + 1) * (n + 2)), Arena::need::<f64>(3 * n)]))
}
/// Solves `[[M_S, 1], [1', 0]] [c; -v] = [0; 1]` over the rows in `support`, in `a`; c in `c`. False if it is singular.
fn bordered(gram: &dyn Fn(usize, usize) -> f64, support: &[usize], a: &mut [f64], c: &mut [f64]) -> bool {
    let (s, n) = (support.len(), support.len() + 1);
    let w = n + 1;
    for i in 0..n {
        for j in 0..w {
            a[i * w + j] = match () {
                () if j == n => f64::from(i == s),
                () if i < s && j < s => gram(support[i], support[j]),
                () => f64::from(i != j),
            };
        }
    }
    for k in 0..n {
        let mut pivot = k;
        for i in k + 1..n {
            if a[i * w + k].abs() > a[pivot * w + k].abs() {
                pivot = i;
            }
        }
        if a[pivot * w + k].abs() < 1e-14 {
            return false;
        }
        for j in 0..w {
            a.swap(k * w + j, pivot * w + j);
        }
        for i in k + 1..n {
            let factor = a[i * w + k] / a[k * w + k];
            for j in k..w {
                a[i * w + j] -= factor * a[k * w + j];
            }
        }
    }
    for k in (0..n).rev() {
        let mut x = a[k * w + n];
        for j in k + 1..n {
            x -= a[k * w + j] * a[j * w + n];
        }
        a[k * w + n] = x / a[k * w + k];
    }
    (0..s).for_each(|i| c[i] = a[i * w + n]);
    true
}
/// Weights of least norm.
pub fn min_norm_weights(x: &MinNormWeights<'_>, mut out: MinNormWeightsOut<'_>, scratch: &mut [u8]) -> Result<()> {
    x.check(&out)?;
    check_space(scratch, min_norm_weights_workspace(x))?;
    let n = x.gram.rows();
    let mut arena = Arena::new(scratch);
    let a = arena.take::<f64>((n + 1) * (n + 2))?;
    let (weights, rest) = arena.take::<f64>(3 * n)?.split_at_mut(n);
    let (trial, product) = rest.split_at_mut(n);
    let top = (0..n).fold(0.0, |m, i| Real::max(m, x.gram.at(i, i)));
    let scale = if top > 0.0 { top } else { 1.0 };
    let gram = |i: usize, j: usize| x.gram.at(i, j) / scale;
    let norm = |c: &[f64]| {
        let mut sum = 0.0;
        for i in 0..n {
            let mut row = 0.0;
            (0..n).for_each(|j| row += gram(i, j) * c[j]);
            sum += c[i] * row;
        }
        sum
    };
    weights.fill(0.0);
    if let Some(zero) = (0..n).find(|&i| gram(i, i) == 0.0) {
        weights[zero] = 1.0;
    } else if n == 1 {
        weights[0] = 1.0;
    } else if n == 2 {
        let (p, q, r) = (gram(0, 0), gram(0, 1), gram(1, 1));
        let below = (p - q) + (r - q);
        weights[0] = if below <= 0.0 { 0.5 } else { Real::min(Real::max((r - q) / below, 0.0), 1.0) };
        weights[1] = 1.0 - weights[0];
    } else if n <= 8 {
        every_support(n, &gram, a, trial, weights, &norm);
    } else {
        wolfe(n, &gram, a, trial, product, weights, x.tolerance);
    }
    put(&mut out.value, 0, norm(weights) * scale);
    (0..n).for_each(|i| put(&mut out.weights, i, weights[i]));
    Ok(())
}
/// Supports by size, then by number, so that of equal values the smaller support stays.
fn every_support(
    n: usize,
    gram: &dyn Fn(usize, usize) -> f64,
    a: &mut [f64],
    trial: &mut [f64],
    best: &mut [f64],
    norm: &dyn Fn(&[f64]) -> f64,
) {
    let mut least = f64::INFINITY;
    for size in 1..=n {
        for bits in (1usize..1 << n).filter(|b| b.count_ones() as usize == size) {
            let mut support = [0; 8];
            let mut k = 0;
            for i in (0..n).filter(|i| bits >> i & 1 == 1) {
                (support[k], k) = (i, k + 1);
            }
            let mut c = [0.0; 8];
            if !bordered(gram, &support[..size], a, &mut c) || c[..size].iter().any(|&c| c < 0.0) {
                continue;
            }
            trial.fill(0.0);
            (0..size).for_each(|k| trial[support[k]] = c[k]);
            let value = norm(trial);
            if value < least - 1e-15 {
                least = value;
                best.copy_from_slice(trial);
            }
        }
    }
}
/// Wolfe 1976: the support grows by the row that the point sees least of, and loses rows whose weight would be negative.
fn wolfe(
    n: usize,
    gram: &dyn Fn(usize, usize) -> f64,
    a: &mut [f64],
    trial: &mut [f64],
    product: &mut [f64],
    c: &mut [f64],
    tolerance: f64,
) {
    let mut support = [0; MAX_OBJECTIVES];
    let first = (1..n).fold(0, |best, i| if gram(i, i) < gram(best, best) { i } else { best });
    (support[0], c[first]) = (first, 1.0);
    let mut size = 1;
    // a step forward gains, so this ends; the bound is for roundings that make it turn in a circle
    for _ in 0..64 * n {
        let mut value = 0.0;
        for i in 0..n {
            product[i] = 0.0;
            (0..n).for_each(|j| product[i] += gram(i, j) * c[j]);
            value += c[i] * product[i];
        }
        let least = (1..n).fold(0, |best, i| if product[i] < product[best] { i } else { best });
        if value - product[least] <= tolerance || support[..size].contains(&least) {
            return;
        }
        (support[size], size) = (least, size + 1);
        while size > 1 {
            if !bordered(gram, &support[..size], a, trial) {
                // rows of the support all see the point alike and this one less, so it depends on them by rounding only
                return;
            }
            let worst = trial[..size].iter().all(|&t| t >= 0.0);
            if worst {
                c.fill(0.0);
                (0..size).for_each(|k| c[support[k]] = trial[k]);
                break;
            }
            let mut step = 1.0;
            for k in (0..size).filter(|&k| trial[k] < 0.0) {
                let own = c[support[k]];
                step = Real::min(step, own / (own - trial[k]));
            }
            let mut kept = 0;
            for k in 0..size {
                let i = support[k];
                let moved = c[i] + step * (trial[k] - c[i]);
                c[i] = if moved > 1e-15 { moved } else { 0.0 };
                if c[i] > 0.0 {
                    (support[kept], kept) = (i, kept + 1);
                }
            }
            size = kept;
        }
    }
}

// ---- KL in the reward, coefficients

/// Rewards of tokens or sequences. No workspace.
pub fn token_reward(context: &Context, x: &TokenReward<'_>, out: TokenRewardOut<'_>) -> Result<()> {
    x.check(&out)?;
    let (segments, b, [coef, bound, low, high]) = (x.segments, x.segments.sequences(), x.params);
    let (by_token, by_row) = if x.by_sequence { (None, out.rewards) } else { (out.rewards, None) };
    let out = (Cut { segments, first: 0, out: by_token }, ((by_row, out.kl), out.status));
    context.rows(b, grain(b, x.old.rows(), GRAIN), out, |first, rows, (tokens, ((mut row_to, mut kl), mut words))| {
        let (mut to, base) = (tokens.out, segments.start(first));
        for b in first..first + rows {
            let range = segments.range(b);
            let last = range.clone().rev().find(|&i| live(&x.mask, i));
            let mut status = if last.is_none() { row::EMPTY } else { 0 };
            let mut reward = x.rewards.as_ref().map_or(0.0, |m| m.get(b));
            status |= inputs(reward) & row::NAN_INPUT;
            if reward < low || reward > high {
                status |= row::SATURATED;
                reward = if reward < low { low } else { high };
            }
            let mut sum = 0.0;
            for i in range {
                let mut r = 0.0;
                if live(&x.mask, i) {
                    let k = estimate(x.estimator, x.old.get(i), x.reference.get(i), bound, &mut status);
                    sum += k;
                    let own = if last == Some(i) { reward } else { 0.0 };
                    r = if coef == 0.0 { own } else { own - coef * k };
                    if !x.by_sequence {
                        status |= judged_unless(r, &to, status);
                    }
                }
                put(&mut to, i - base, r);
            }
            let r = if coef == 0.0 { reward } else { reward - coef * sum };
            if x.by_sequence {
                status |= judged_unless(r, &row_to, status);
            }
            put(&mut row_to, b - first, r);
            put(&mut kl, b - first, sum);
            put_in(&mut words, b - first, status);
        }
    });
    Ok(())
}
/// [`judged`], but NaN is told apart by what was read.
fn judged_unless(x: f64, place: &Option<FloatsMut<'_>>, known: u32) -> u32 {
    match x.is_nan() {
        true if known & (row::NAN_INPUT | row::INF_INPUT) != 0 => 0,
        true => row::INF_INPUT,
        false => judged(x, place),
    }
}

/// One step of a coefficient. No workspace.
pub fn controller(x: &Controller<'_>, mut out: ControllerOut<'_>) -> Result<()> {
    x.check(&out)?;
    let (measured, coef) = (x.measured.get(0), x.coef.get(0));
    let status = inputs(measured);
    let (next, applied) = match x.rule {
        _ if status != 0 => (coef, coef),
        Rule::Kl { target, batch, horizon } => {
            let error = Real::min(Real::max(measured / target - 1.0, -0.2), 0.2);
            let next = Real::max(coef * (1.0 + error * batch / horizon), 0.0);
            (next, next)
        }
        Rule::Entropy { target, step, minimum, maximum } => {
            let below = measured <= target;
            let next = if below { coef + step } else { coef - step };
            let next = Real::min(Real::max(next, minimum), maximum);
            (next, if below { next } else { 0.0 })
        }
    };
    put(&mut out.coef, 0, next);
    put(&mut out.applied, 0, applied);
    put_in(&mut out.status, 0, status);
    Ok(())
}
