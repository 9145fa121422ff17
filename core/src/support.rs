//! Sampling supports: which columns a sampler's filters keep. Log-probs can be normalised over such a set.
//!
//! The order of a row is x descending, column ascending; x are the transformed logits. Every filter keeps a prefix of the
//! order: `min_p` the columns with x >= m + log q, `top_k` the first K (with ties `all` also those equal to the K-th),
//! `top_p` those before which less than P of the mass lies (with edge `inclusive` at most P; with ties `all` also those
//! equal to the last kept). The first column is always kept. Masses are f64 sums, in the order, of the f32 e^(x - m)
//! ([`exp_row`]), divided by the total of the columns that are left; the total of a whole row is [`Total`].
//!
//! | preset | first | then | then | ties of top_k | edge of top_p |
//! |---|---|---|---|---|---|
//! | [`Preset::Vllm`] | min_p | top_k | top_p | all | strict |
//! | [`Preset::Hf`] | top_k | top_p | min_p | all | strict |
//! | [`Preset::Sglang`] | all three of the whole row | | | index | inclusive |
use crate::dtype::Float;
use crate::error::{Error, Result, Value, row};
use crate::logprob::{LogitRow, Problem, Rows, Seek, Target};
use crate::matrix::{Ints, Matrix, MatrixMut, Split};
use crate::record::{BLOCK, Record, Tree, block, clamp_row, exp_row};

/// Whose order, masses and edges the filters follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// min_p, top_k, top_p; each sees what the last has left.
    Vllm,
    /// top_k, top_p, min_p; each sees what the last has left.
    Hf,
    /// Judged together on the whole row.
    Sglang,
}
/// What happens to values equal to the last kept one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ties {
    /// The lower columns are kept.
    Index,
    /// All are kept.
    All,
}
/// The edge of top_p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// A column is kept while the mass before it is < P.
    Strict,
    /// A column is kept while the mass before it is <= P.
    Inclusive,
}
/// What happens to a target outside the support. It is flagged either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outside {
    /// It is added to the support.
    #[default]
    Keep,
    /// Log-prob `-inf`, gradient 0.
    NegInf,
}

/// Checked filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Filters {
    preset: Preset,
    /// `usize::MAX` is off.
    top_k: usize,
    /// `f64::INFINITY` is off.
    top_p: f64,
    /// log q; `-inf` is off.
    log_min_p: f64,
    ties_k: Ties,
    ties_p: Ties,
    edge: Edge,
}
impl Filters {
    /// `top_k` <= 0, `top_p` 0 or >= 1 and `min_p` 0 are off; without `ties` and `edge` the preset's hold.
    pub fn new(
        preset: Preset,
        top_k: i64,
        top_p: f64,
        min_p: f64,
        ties: Option<Ties>,
        edge: Option<Edge>,
    ) -> Result<Filters> {
        // false for a NaN
        if !(top_p >= 0.0) {
            let range = Value::Range { min: 0.0, max: f64::INFINITY, min_open: false, max_open: false };
            return Err(Error::invalid("support.top_p", Value::Float(top_p), range));
        }
        if !(0.0..=1.0).contains(&min_p) {
            let range = Value::Range { min: 0.0, max: 1.0, min_open: false, max_open: false };
            return Err(Error::invalid("support.min_p", Value::Float(min_p), range));
        }
        let (k, e) = match preset {
            Preset::Vllm | Preset::Hf => (Ties::All, Edge::Strict),
            Preset::Sglang => (Ties::Index, Edge::Inclusive),
        };
        use crate::real::Real;
        Ok(Filters {
            preset,
            top_k: if top_k <= 0 { usize::MAX } else { usize::try_from(top_k).unwrap_or(usize::MAX) },
            top_p: if top_p == 0.0 || top_p >= 1.0 { f64::INFINITY } else { top_p },
            log_min_p: Real::log(min_p),
            ties_k: ties.unwrap_or(k),
            ties_p: ties.unwrap_or(Ties::Index),
            edge: edge.unwrap_or(e),
        })
    }
    /// Whether [`Filters::keep`] reads the total of the whole row.
    pub fn needs_total(&self) -> bool {
        let whole = match self.preset {
            Preset::Vllm => self.top_k == usize::MAX && self.log_min_p == f64::NEG_INFINITY,
            Preset::Hf => self.top_k == usize::MAX,
            Preset::Sglang => true,
        };
        whole && self.top_p < f64::INFINITY
    }
    /// Whose order, masses and edges.
    pub fn preset(&self) -> Preset {
        self.preset
    }
    /// The columns that top_k keeps; `usize::MAX` is off.
    pub fn top_k(&self) -> usize {
        self.top_k
    }
    /// The mass that top_p keeps; infinity is off.
    pub fn top_p(&self) -> f64 {
        self.top_p
    }
    /// What values equal to the last kept one become, of top_k and of top_p.
    pub fn ties(&self) -> [Ties; 2] {
        [self.ties_k, self.ties_p]
    }
    /// The edge of top_p.
    pub fn edge(&self) -> Edge {
        self.edge
    }
    /// A column below this distance from the maximum cannot be kept.
    pub fn reach(&self) -> f64 {
        self.log_min_p
    }
    /// How many columns of the order are kept. `x(i)` is the logit of its i-th column, asked for in ascending order from 0
    /// again and again; `None` where no live column is left. `total` is the mass of the whole row. `usize::MAX` where no
    /// filter is on: every live column.
    pub fn keep(&self, total: f64, mut x: impl FnMut(usize) -> Option<f32>) -> usize {
        let Some(m) = x(0) else { return 0 };
        let first = match self.preset {
            Preset::Vllm => self.values(m, true, true, usize::MAX, &mut x),
            Preset::Hf => self.values(m, true, false, usize::MAX, &mut x),
            Preset::Sglang => usize::MAX,
        };
        let p = self.mass(m, first, total, &mut x);
        match self.preset {
            Preset::Vllm => p,
            Preset::Hf => self.values(m, false, true, p, &mut x),
            Preset::Sglang => self.values(m, true, true, p, &mut x),
        }
    }
    /// top_k and min_p on the first `most` columns; `most` where neither cuts.
    fn values(&self, m: f32, k: bool, q: bool, most: usize, x: &mut impl FnMut(usize) -> Option<f32>) -> usize {
        let top_k = if k { self.top_k } else { usize::MAX };
        let floor = if q { m as f64 + self.log_min_p } else { f64::NEG_INFINITY };
        if top_k == usize::MAX && floor == f64::NEG_INFINITY {
            return most;
        }
        let (mut n, mut last) = (0, m);
        while n < most {
            let Some(v) = x(n) else { break };
            let tied = self.ties_k == Ties::All && v == last;
            if n > 0 && (n >= top_k && !tied || (v as f64) < floor) {
                break;
            }
            (n, last) = (n + 1, v);
        }
        n
    }
    /// top_p on the first `most` columns; `most` (`usize::MAX` is all) where it is off.
    fn mass(&self, m: f32, most: usize, total: f64, x: &mut impl FnMut(usize) -> Option<f32>) -> usize {
        if self.top_p == f64::INFINITY {
            return most;
        }
        let e = |v: f32| exp_row(clamp_row(v - m)) as f64;
        let mut sum = total;
        if most < usize::MAX {
            sum = 0.0;
            for i in 0..most {
                sum += x(i).map_or(0.0, e);
            }
        }
        let (mut n, mut last, mut before) = (0, m, 0.0);
        while n < most {
            let Some(v) = x(n) else { break };
            let share = before / sum;
            let inside = if self.edge == Edge::Strict { share < self.top_p } else { share <= self.top_p };
            if n > 0 && !inside && !(self.ties_p == Ties::All && v == last) {
                break;
            }
            before += e(v);
            (n, last) = (n + 1, v);
        }
        n
    }
}

/// The mass of a whole row: the f64 sum of e^(x - m) of column j in chain j % 8, in the order of the columns; then chains l
/// and l + 4, l + 2, l + 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Total([f64; 8]);
impl Total {
    /// The next eight columns; a dead one is 0.
    #[inline(always)]
    pub fn add(&mut self, e: &[f32; 8]) {
        for (sum, &e) in self.0.iter_mut().zip(e) {
            *sum += e as f64;
        }
    }
    /// The sum.
    #[inline]
    pub fn get(mut self) -> f64 {
        for w in [4, 2, 1] {
            for i in 0..w {
                self.0[i] += self.0[i + w];
            }
        }
        self.0[0]
    }
}

/// The bits of a row of a mask: column j is bit j % 32 of word j / 32.
#[derive(Clone, Copy, Debug)]
pub struct Kept<'a> {
    /// The words.
    pub words: &'a [u32],
    /// One column more.
    pub extra: Option<usize>,
}
impl Kept<'_> {
    /// No column.
    pub const NONE: Kept<'static> = Kept { words: &[], extra: None };
    /// Whether a column is in the set.
    #[inline(always)]
    pub fn has(&self, j: usize) -> bool {
        self.words.get(j / 32).is_some_and(|w| w >> (j % 32) & 1 == 1) || self.extra == Some(j)
    }
    /// Bits of the 32 columns from `first` on, 0 where there is none.
    #[inline(always)]
    pub fn bits(&self, first: isize) -> u32 {
        let (i, l) = (first.div_euclid(32), first.rem_euclid(32));
        let word = |i: isize| match usize::try_from(i) {
            Ok(i) if i < self.words.len() => self.word(i),
            _ => 0,
        };
        if l == 0 { word(i) } else { word(i) >> l | word(i + 1) << (32 - l) }
    }
    /// Bits of the 32 columns from 32 i on.
    #[inline(always)]
    pub fn word(&self, i: usize) -> u32 {
        match self.extra {
            Some(j) if j / 32 == i => self.words[i] | 1 << (j % 32),
            _ => self.words[i],
        }
    }
}

/// Lists of columns, strictly ascending in each row.
#[derive(Clone, Copy, Debug)]
pub enum Lists<'a> {
    /// `[N, K]`, padded with -1.
    Padded(Ints<'a>),
    /// Row i has the ids `offsets[i]..offsets[i + 1]` of `[total]`.
    Packed(Ints<'a>, Ints<'a>),
}
/// Reads an element of a matrix of ids.
#[inline(always)]
fn id(m: &Ints<'_>, i: usize, j: usize) -> i64 {
    match m {
        Ints::I32(m) => m.row(i)[j] as i64,
        Ints::I64(m) => m.row(i)[j],
    }
}
impl Lists<'_> {
    /// Ids in the list of row `i`, padding included.
    pub fn len(&self, i: usize) -> usize {
        match self {
            Lists::Padded(ids) => ids.cols(),
            Lists::Packed(_, offsets) => (offsets.get(i + 1) - offsets.get(i)) as usize,
        }
    }
    /// Entry `j` of row `i`; `None` from the first -1 on.
    #[inline(always)]
    pub fn get(&self, i: usize, j: usize) -> Option<usize> {
        match self {
            Lists::Padded(ids) => (j < ids.cols()).then(|| id(ids, i, j)).filter(|&x| x >= 0).map(|x| x as usize),
            Lists::Packed(ids, offsets) => {
                let at = offsets.get(i) + j as i64;
                (at < offsets.get(i + 1)).then(|| ids.get(at as usize) as usize)
            }
        }
    }
    /// The columns of row `i` in ascending order, one more among them.
    pub fn walk(self, i: usize, extra: Option<usize>) -> impl Iterator<Item = usize> + Clone {
        let (lists, mut extra, mut j) = (self, extra, 0);
        core::iter::from_fn(move || {
            let next = lists.get(i, j);
            if let Some(y) = extra.filter(|&y| next.is_none_or(|x| y < x)) {
                extra = None;
                return Some(y);
            }
            j += 1;
            next
        })
    }
    fn check(&self, problem: &Problem, rows: &Rows<'_>) -> Result<()> {
        let n = problem.rows();
        match self {
            Lists::Padded(ids) => ids.layout().check("support.ids", n, ids.cols())?,
            Lists::Packed(ids, offsets) => {
                offsets.layout().check("support.id_offsets", n + 1, 1)?;
                let mut last = 0;
                for i in 0..n + 1 {
                    let x = offsets.get(i);
                    let fits = x >= last && x <= ids.rows() as i64 && (i > 0 || x == 0);
                    if !fits || i == n && x != ids.rows() as i64 {
                        let expected = Value::Text("offsets that ascend from 0 to the number of ids");
                        return Err(Error::invalid("support.id_offsets", Value::At { value: x, index: i }, expected));
                    }
                    last = x;
                }
            }
        }
        for i in 0..n {
            if rows.target(i, problem.options()) == Target::Ignored {
                continue;
            }
            let (mut last, mut ended) = (-1, false);
            for j in 0..self.len(i) {
                let x = match self {
                    Lists::Padded(ids) => id(ids, i, j),
                    Lists::Packed(ids, offsets) => ids.get(offsets.get(i) as usize + j),
                };
                let padding = matches!(self, Lists::Padded(_)) && x == -1;
                if padding {
                    ended = true;
                    continue;
                }
                if x < 0 || x >= problem.vocab() as i64 {
                    let (at, inside) = (Value::At { value: x, index: i }, Value::Below(0, problem.vocab() as i64));
                    return Err(Error::new(crate::Status::OutOfRange, "support.ids", at, inside));
                }
                if ended || x <= last {
                    let expected = Value::Text("ids that ascend strictly in each row, -1 only behind them");
                    return Err(Error::invalid("support.ids", Value::At { value: x, index: i }, expected));
                }
                last = x;
            }
        }
        Ok(())
    }
}

/// A sampling support of every row.
#[derive(Clone, Copy, Debug)]
pub enum Support<'a> {
    /// `[N, ceil(V / 32)]`.
    Bitmask(Matrix<'a, u32>),
    /// Sums run in the order of the list, blocks and chains by the place in it, dead columns included.
    Lists(Lists<'a>),
    /// What the filters keep of each row.
    Computed(Filters),
}
impl Support<'_> {
    /// Shapes, and the ids of live rows.
    pub fn check(&self, problem: &Problem, rows: &Rows<'_>) -> Result<()> {
        match self {
            Support::Bitmask(m) => m.layout().check("support.bitmask", problem.rows(), problem.vocab().div_ceil(32)),
            Support::Lists(lists) => lists.check(problem, rows),
            Support::Computed(_) => Ok(()),
        }
    }
}

/// Figures of the supports; each is computed only when its place is given.
#[derive(Debug, Default)]
pub struct SupportFigures<'a> {
    /// log sum exp over the support.
    pub lse: Option<MatrixMut<'a, f32>>,
    /// That less the log sum exp of the whole row, at most 0.
    pub log_kept_mass: Option<MatrixMut<'a, f32>>,
    /// Live columns in the support; -1 where it is undefined, and in ignored rows.
    pub size: Option<MatrixMut<'a, i32>>,
    /// `[N, ceil(V / 32)]`.
    pub bitmask: Option<MatrixMut<'a, u32>>,
    /// `[N, K]` ascending, -1 behind them; a row with more has its first K and is flagged `saturated`.
    pub ids: Option<MatrixMut<'a, i32>>,
}
impl Split for SupportFigures<'_> {
    fn split(self, row: usize) -> (Self, Self) {
        let (mut a, mut b) = (SupportFigures::default(), SupportFigures::default());
        (a.lse, b.lse) = self.lse.split(row);
        (a.log_kept_mass, b.log_kept_mass) = self.log_kept_mass.split(row);
        (a.size, b.size) = self.size.split(row);
        (a.bitmask, b.bitmask) = self.bitmask.split(row);
        (a.ids, b.ids) = self.ids.split(row);
        (a, b)
    }
}
impl SupportFigures<'_> {
    /// Refuses places of the wrong shape; `[size, bitmask, ids]` are the names that the call gives them.
    pub fn check(&self, problem: &Problem, [size, bitmask, ids]: [&'static str; 3]) -> Result<()> {
        let n = problem.rows();
        self.lse.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_lse_support", n, 1))?;
        self.log_kept_mass.as_ref().map_or(Ok(()), |m| m.layout().check("figures.out_log_kept_mass", n, 1))?;
        self.size.as_ref().map_or(Ok(()), |m| m.layout().check(size, n, 1))?;
        let words = problem.vocab().div_ceil(32);
        self.bitmask.as_ref().map_or(Ok(()), |m| m.layout().check(bitmask, n, words))?;
        self.ids.as_ref().map_or(Ok(()), |m| m.layout().check(ids, n, m.cols()))
    }
    /// Writes row `i`, which is not read.
    pub fn ignored(&mut self, i: usize) {
        self.put(i, -1, &Kept::NONE, 0, &|_| false);
        self.lse.iter_mut().for_each(|m| m.set(i, 0.0));
        self.log_kept_mass.iter_mut().for_each(|m| m.set(i, 0.0));
    }
    /// Writes the set of row `i`, of `size` columns: those of `kept` below `valid` that are `live`. Returns
    /// [`row::SATURATED`] if it does not fit the place of the ids.
    pub fn put(&mut self, i: usize, size: i32, kept: &Kept<'_>, valid: usize, live: &dyn Fn(usize) -> bool) -> u32 {
        if let Some(m) = &mut self.size {
            m.set(i, size);
        }
        let words = if size > 0 { valid.div_ceil(32) } else { 0 };
        if let Some(m) = &mut self.bitmask {
            m.row_mut(i).fill(0);
        }
        if let Some(m) = &mut self.ids {
            m.row_mut(i).fill(-1);
        }
        let mut n = 0;
        if self.bitmask.is_none() && self.ids.is_none() {
            return 0;
        }
        for w in 0..words {
            let (mut left, mut word) = (kept.word(w), 0);
            while left != 0 {
                let j = 32 * w + left.trailing_zeros() as usize;
                if j < valid && live(j) {
                    word |= left & left.wrapping_neg();
                    if let Some(id) = self.ids.as_mut().and_then(|m| m.row_mut(i).get_mut(n)) {
                        *id = j as i32;
                    }
                    n += 1;
                }
                left &= left - 1;
            }
            if let Some(m) = &mut self.bitmask {
                m.row_mut(i)[w] = word;
            }
        }
        if self.ids.as_ref().is_some_and(|m| n > m.cols()) { row::SATURATED } else { 0 }
    }
}

impl<T: Float> LogitRow<'_, T> {
    /// The record of the columns of a list, in its order: blocks and chains go by the place in the list. Also how many of
    /// them are live. The first column is column `start` of the whole vocabulary.
    pub fn sums_of_list(
        &self,
        start: usize,
        list: impl Iterator<Item = usize> + Clone,
        seek: &mut Seek<'_>,
    ) -> (Record, usize) {
        let (mut tree, mut columns, mut live, mut place) = (Tree::new(), list.clone(), 0, 0);
        loop {
            let (mut x, mut ids, mut n) = ([f32::NEG_INFINITY; BLOCK], [0; BLOCK], 0);
            for (x, j) in x.iter_mut().zip(&mut columns) {
                *x = self.at(j);
                ids[n] = (start + j) as u32;
                live += (*x != f32::NEG_INFINITY) as usize;
                n += 1;
            }
            let mut part = block(&x[..n], place);
            if seek.needs.any() {
                seek.block(&x[..n], place, Some(&ids), &mut part);
            }
            tree.push(part);
            place += BLOCK;
            if n < BLOCK {
                return (in_column(tree.finish(), start, list), live);
            }
        }
    }
    /// How many columns [`Filters::keep`] keeps, from `order`, which this fills with the live columns in the order: x in
    /// descending order of its bits above the column. The plain form of the kernel. `None` if the row is poisoned.
    pub fn filter(&self, filters: &Filters, order: &mut [u64]) -> Option<usize> {
        let (mut n, mut m) = (0, f32::NEG_INFINITY);
        for j in 0..self.z.len() {
            let x = self.at(j);
            if x.is_nan() || x == f32::INFINITY {
                return None;
            }
            if x > f32::NEG_INFINITY {
                order[n] = key(x, j);
                n += 1;
                m = if x > m { x } else { m };
            }
        }
        let mut total = Total::default();
        for first in (0..self.z.len()).step_by(8) {
            let mut e = [0.0; 8];
            for (l, e) in e.iter_mut().enumerate().take(self.z.len() - first) {
                let x = self.at(first + l);
                *e = if x > f32::NEG_INFINITY { exp_row(clamp_row(x - m)) } else { 0.0 };
            }
            total.add(&e);
        }
        order[..n].sort_unstable();
        Some(filters.keep(total.get(), |i| order[..n].get(i).map(|&k| value(k))).min(n))
    }
}
/// The record of a list with the column of its maximum, in the whole vocabulary, for the place of it.
#[inline]
pub fn in_column(x: Record, start: usize, mut list: impl Iterator<Item = usize>) -> Record {
    if x.m.abs() < f32::INFINITY {
        return Record { k: (start + list.nth(x.k as usize).unwrap_or(0)) as u32, ..x };
    }
    x
}
/// A number that ascends where x descends, then with the column.
#[inline(always)]
pub fn key(x: f32, column: usize) -> u64 {
    let bits = (x + 0.0).to_bits(); // -0 becomes +0
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    (!ascending as u64) << 32 | column as u64
}
/// The x of a [`key`].
#[inline(always)]
pub fn value(key: u64) -> f32 {
    let ascending = !((key >> 32) as u32);
    f32::from_bits(if ascending >> 31 == 1 { ascending & !(1 << 31) } else { !ascending })
}
