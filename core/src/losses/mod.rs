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
//! To add an entry: write its unit struct in the file of its kind, name it in the list at the end of that file, write its
//! golden vectors, run `cargo xtask generate`.
use crate::real::Real;

/// The list of one kind's entries: their descriptions, and code generic over them.
macro_rules! entries {
    ($kind:ident $bound:ident $visitor:ident $with:ident [$($flat:ident)*] { $($e:ident),* $(,)? }) => {
        pub(super) const LIST: &[$crate::catalog::Info] = &[$( $crate::catalog::Info {
            kind: $crate::catalog::Kind::$kind,
            about: <$e as Entry<_>>::ABOUT,
            params: &<$e as Entry<_>>::PARAMS,
        } ),*];
        /// Code generic over the entries of one kind.
        pub trait $visitor {
            /// What it returns.
            type Out;
            /// Called with the entry as a type.
            fn visit<E: $bound<N>, const N: usize>(self) -> Self::Out;
        }
        /// Calls `v` with the entry of this id as a type; `None` if this kind has no such entry.
        pub fn $with<V: $visitor>(id: u32, v: V) -> Option<V::Out> {
            $( if id == <$e as Entry<_>>::ABOUT.id { return Some(v.visit::<$e, _>()); } )*
            None
        }
        #[allow(unused_variables)] // lists have no formula
        pub(super) fn each_formula<V: super::formula::Visitor>(v: &mut V) {
            $crate::losses::entries!(@flat v [$($flat)*] [$($e)*]);
        }
    };
    (@flat $v:ident [$($flat:ident)*] $list:tt) => { $( $crate::losses::entries!(@one $v $flat $list); )* };
    (@one $v:ident $flat:ident [$($e:ident)*]) => { $( $v.visit::<super::formula::$flat<$e, _>>(); )* };
}
use entries;

mod estimator;
pub mod formula;
mod list;
pub mod map;
mod pair;
mod sequence;
mod token;
mod unpaired;
pub use estimator::*;
pub use list::*;
pub use pair::*;
pub use sequence::*;
pub(crate) use token::rollout::cispo_bounds;
pub use token::*;
/// The one sequence entry that clips tokens.
pub const GMPO_ID: u32 = <Gmpo as crate::catalog::Entry<2>>::ABOUT.id;
pub use unpaired::*;

/// The lists of all kinds, in the order of the kinds' numbers.
pub(crate) const LISTS: [&[crate::catalog::Info]; 6] =
    [pair::LIST, unpaired::LIST, list::LIST, token::LIST, sequence::LIST, estimator::LIST];

/// Calls `v` with every formula as a function of slices: for the recorder, the judges and the bit tests. List entries have
/// none, they loop over their members.
pub fn each_formula<V: formula::Visitor>(v: &mut V) {
    pair::each_formula(v);
    unpaired::each_formula(v);
    list::each_formula(v);
    token::each_formula(v);
    sequence::each_formula(v);
    estimator::each_formula(v);
}

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
