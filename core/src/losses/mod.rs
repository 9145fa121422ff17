//! The catalogue's formulas: inputs, outputs and trait of each kind; one file a kind.
//!
//! Around an entry stand stages in a fixed order: tokens -> score (sum or mean, [`About::score`]) -> minus reference ->
//! entry -> weight -> reduction. What the stages do and what the entry does:
//! - the score stage forms `logp` and `ref_logp` of a sequence and multiplies the entry's partial by d score / d token
//!   (1 for a sum, 1 / len for a mean);
//! - `ref_logp` is 0 where the entry reads no reference, or where `logp` is already a difference; the entry itself
//!   subtracts ([`Side::log_ratio`]), so its partial with respect to the reference is the negative of `logp`'s;
//! - an entry that divides by the length (`ipo`) does so itself, from the sum and `len`, partials included;
//! - weights, reductions and the flags for infinite or NaN inputs are stages; an entry gives what its formula's limit
//!   is. Slots that an entry does not read ([`About::inputs`]) may hold anything, also NaN.
//!
//! To add an entry: write its unit struct here, add it to the list in `catalog.rs`, write its golden vectors, run
//! `cargo xtask generate`.
use crate::real::Real;

mod estimator;
pub mod formula;
mod list;
mod pair;
mod sequence;
mod token;
mod unpaired;
pub use estimator::*;
pub use list::*;
pub use pair::*;
pub use sequence::*;
pub use token::*;
pub use unpaired::*;

#[allow(unused_imports)] // for the links above
use crate::catalog::About;

/// `yes` where `x > 0`, else `no`.
#[inline(always)]
fn positive<R: Real>(x: R, yes: R, no: R) -> R {
    x.lit(0.0).select_lt(x, yes, no)
}
/// `coefficient * x`, and 0 where the coefficient is 0, whatever x is: 0 * inf is NaN.
#[inline(always)]
fn term<R: Real>(coefficient: R, x: R) -> R {
    positive(coefficient.abs(), coefficient * x, coefficient.abs())
}
