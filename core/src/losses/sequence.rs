//! Losses of a whole sequence: a token map, a reduction, a function of the reduced value. Evaluated in f64.
//!
//! The kernel forms C = sum_t c_t (divided by max(len, 1) for a mean) over the live tokens and writes
//! dL/dlogp_t = F'(C) dC/dc_t c'_t.
use super::Token;
use super::token::{CLIP, LOG_BOUNDS, clipped, log_bounds};
use crate::catalog::{About, Entry, Param, slot};
use crate::real::Real;

/// How c_t becomes C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Sum over the live tokens.
    Sum,
    /// Their mean.
    Mean,
}
/// c_t of one token.
#[derive(Clone, Copy, Debug)]
pub struct MapOut<R> {
    /// c_t
    pub value: R,
    /// Its derivative with respect to `logp`.
    pub logp: R,
}
/// What the sequence function is fed with.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<R> {
    /// C, the reduced token map.
    pub c: R,
    /// Number of live tokens.
    pub len: R,
    /// Advantage of the sequence.
    pub advantage: R,
    /// Learned log-normaliser.
    pub log_z: R,
}
/// Value and partials of the sequence function; what the entry has no partial for is 0.
#[derive(Clone, Copy, Debug)]
pub struct SequenceOut<R> {
    /// The loss.
    pub value: R,
    /// F'(C)
    pub c: R,
    /// Partial with respect to `log_z`.
    pub log_z: R,
}
/// A loss of the kind `sequence`.
pub trait SequenceLoss<const N: usize>: Entry<N> {
    /// How the token map is reduced.
    const REDUCTION: Reduction;
    /// c_t and its derivative.
    fn map<R: Real>(x: Token<R>, p: [R; N]) -> MapOut<R>;
    /// F and its partials.
    fn eval<R: Real>(x: Sequence<R>, p: [R; N]) -> SequenceOut<R>;
}

/// Group Sequence Policy Optimization: `ppo_clip` of the length-normalised ratio of the whole sequence, the gradient
/// through the ratio. The paper's bounds are near 3e-4 and 4e-4; the defaults are those of `ppo_clip`, as in trainers.
pub struct Gspo;
impl Entry<4> for Gspo {
    const ABOUT: About = About {
        id: 5001,
        name: "gspo",
        inputs: slot::LOGP | slot::OLD | slot::ADVANTAGE,
        formula: "C = mean_t (logp - old); ppo_clip of r = e^C",
        source: "Zheng et al. 2025, arXiv:2507.18071",
        ..About::EMPTY
    };
    const PARAMS: [Param; 4] = CLIP;
    const CONSTANTS: Option<[&'static str; 4]> = Some(LOG_BOUNDS);
    fn derive(p: [f64; 4]) -> [f64; 4] {
        log_bounds(p)
    }
}
impl SequenceLoss<4> for Gspo {
    const REDUCTION: Reduction = Reduction::Mean;
    #[inline(always)]
    fn map<R: Real>(x: Token<R>, _: [R; 4]) -> MapOut<R> {
        MapOut { value: x.logp - x.old, logp: x.logp.lit(1.0) }
    }
    #[inline(always)]
    fn eval<R: Real>(x: Sequence<R>, bounds: [R; 4]) -> SequenceOut<R> {
        let [value, c] = clipped(x.c, x.advantage, bounds);
        SequenceOut { value, c, log_z: c.lit(0.0) }
    }
}

// Every entry of this kind. A new one is written above and named here.
super::entries! { Sequence SequenceLoss SequenceVisitor with_sequence [OfSequenceMap OfSequence] { Gspo } }
