//! Every entry, whatever its kind, as a function of slices. Not on the fast path: the recorder, the judges of the
//! partials and the bit tests iterate over it.
use super::*;
use crate::catalog::{About, Kind, Param, resolve_variant, slot};
use crate::error::Result;
use core::marker::PhantomData;

/// At most so many inputs, constants, outputs.
pub const MAX: usize = 16;

/// An entry, or one of its parts, as a function of slices.
pub trait Formula {
    /// The entry.
    const ABOUT: About;
    /// Its kind; says in which format it is evaluated.
    const KIND: Kind;
    /// Its parameters.
    const PARAMS: &'static [Param];
    /// Names of the constants that [`Formula::run`] takes.
    const CONSTANTS: Names;
    /// Appended to the name where an entry has several parts: "" or "_map".
    const PART: &'static str;
    /// The inputs that are read.
    const INPUTS: Names;
    /// `value`, then one `grad_<input>` for every partial.
    const OUTPUTS: Names;
    /// The constants of a variant (0: the entry has none), zeros behind.
    fn constants(variant: u32, given: &[f64]) -> Result<[f64; MAX]>;
    /// The outputs, copies of the value behind.
    fn run<R: Real>(x: &[R], p: &[R]) -> [R; MAX];
}
/// Code generic over formulas.
pub trait Visitor {
    /// Called with each formula as a type.
    fn visit<F: Formula>(&mut self);
}

/// A short list of names.
#[derive(Clone, Copy, Debug)]
pub struct Names([&'static str; MAX], usize);
impl core::ops::Deref for Names {
    type Target = [&'static str];
    fn deref(&self) -> &Self::Target {
        &self.0[..self.1]
    }
}
impl Names {
    /// A name for each field of `fields` whose slot is among `bits`, behind `first`.
    const fn of(first: &[&'static str], fields: &[(u64, &'static str)], bits: u64) -> Names {
        let mut names = Names([""; MAX], 0);
        let mut k = 0;
        while k < first.len() {
            names = names.with(first[k]);
            k += 1;
        }
        k = 0;
        while k < fields.len() {
            if fields[k].0 & bits == fields[k].0 {
                names = names.with(fields[k].1);
            }
            k += 1;
        }
        names
    }
    const fn with(mut self, name: &'static str) -> Names {
        self.0[self.1] = name;
        self.1 += 1;
        self
    }
    const fn constants(params: &[Param], names: Option<&[&'static str]>) -> Names {
        let mut list = Names([""; MAX], 0);
        while list.1 < params.len() {
            let k = list.1;
            list = list.with(match names {
                Some(n) => n[k],
                None => params[k].name,
            });
        }
        list
    }
}

/// Reads the next value of a slice if the entry reads the slot, else 0.
struct Reader<'a, R>(&'a [R], usize, u64);
impl<R: Real> Reader<'_, R> {
    #[inline(always)]
    fn get(&mut self, slots: u64) -> R {
        if self.2 & slots == slots {
            self.1 += 1;
            self.0[self.1 - 1]
        } else {
            self.0[0].lit(0.0)
        }
    }
}
/// Writes the next output if the entry has the partial.
struct Writer<R>([R; MAX], usize, u64);
impl<R: Real> Writer<R> {
    #[inline(always)]
    fn put(&mut self, slots: u64, v: R) {
        if self.2 & slots == slots {
            self.0[self.1] = v;
            self.1 += 1;
        }
    }
}

/// Fields in the order of reading: (slots, name of the input); (slots, name of the output).
const PAIR: &[(u64, &str)] = &[
    (slot::LOGP, "chosen_logp"),
    (slot::LOGP, "rejected_logp"),
    (slot::REF, "chosen_ref_logp"),
    (slot::REF, "rejected_ref_logp"),
    (slot::LENGTH, "chosen_len"),
    (slot::LENGTH, "rejected_len"),
    (slot::KL, "chosen_kl"),
    (slot::KL, "rejected_kl"),
    (slot::MARGIN, "chosen_margin"),
    (slot::MARGIN, "rejected_margin"),
    (slot::ANCHOR, "anchor_logp"),
    (slot::ANCHOR | slot::REF, "anchor_ref_logp"),
    (slot::SHIFT, "shift"),
];
const PAIR_OUT: &[(u64, &str)] = &[
    (slot::LOGP, "grad_chosen_logp"),
    (slot::LOGP, "grad_rejected_logp"),
    (slot::KL, "grad_chosen_kl"),
    (slot::KL, "grad_rejected_kl"),
    (slot::MARGIN, "grad_chosen_margin"),
    (slot::MARGIN, "grad_rejected_margin"),
    (slot::ANCHOR, "grad_anchor_logp"),
];
const UNPAIRED: &[(u64, &str)] = &[
    (slot::LOGP, "logp"),
    (slot::REF, "ref_logp"),
    (slot::LENGTH, "len"),
    (slot::LABEL, "label"),
    (slot::WEIGHT, "weight"),
    (slot::BASELINE, "baseline"),
    (slot::SHIFT, "shift"),
];
const LOGP_OUT: &[(u64, &str)] = &[(slot::LOGP, "grad_logp")];
const UNPAIRED_OUT: &[(u64, &str)] = &[(slot::LOGP, "grad_logp"), (slot::BASELINE, "grad_baseline")];
const TOKEN: &[(u64, &str)] = &[
    (slot::LOGP, "logp"),
    (slot::OLD, "old"),
    (slot::REF, "ref_logp"),
    (slot::SAMPLER, "sampler"),
    (slot::ADVANTAGE, "advantage"),
    (slot::ENTROPY, "entropy"),
    (slot::FLAG, "flag"),
    (slot::IMPORTANCE, "importance"),
];
const TOKEN_OUT: &[(u64, &str)] = &[(slot::LOGP, "grad_logp"), (slot::ENTROPY, "grad_entropy")];
const SEQUENCE: &[(u64, &str)] = &[
    (slot::LOGP, "c"),
    (EACH, "logp"),
    (slot::LOG_Z | slot::OLD, "log_ratio"),
    (slot::LENGTH, "len"),
    (slot::ADVANTAGE, "advantage"),
    (EACH | slot::FLAG, "flag"),
    (slot::LOG_Z, "log_z"),
];
const SEQUENCE_OUT: &[(u64, &str)] = &[(CHAIN, "grad_c"), (EACH, "grad_logp"), (slot::LOG_Z, "grad_log_z")];
/// The sequence function is evaluated for each token, or once. No slots.
const EACH: u64 = 1 << 63;
const CHAIN: u64 = 1 << 62;
const fn how(each: bool) -> u64 {
    if each { EACH } else { CHAIN }
}
const ESTIMATE: &[(u64, &str)] = &[(slot::LOGP, "logp"), (slot::REF, "ref_logp"), (slot::OLD, "old")];

macro_rules! flat {
    ($(
        $(#[$doc:meta])*
        $name:ident $bound:ident $kind:ident $part:literal $inputs:ident $outputs:ident [$more:expr]
        |$x:ident, $p:ident, $out:ident| $body:block
    )*) => {$(
        $(#[$doc])*
        pub struct $name<E, const N: usize>(PhantomData<E>);
        impl<E: $bound<N>, const N: usize> Formula for $name<E, N> {
            const ABOUT: About = E::ABOUT;
            const KIND: Kind = Kind::$kind;
            const PARAMS: &'static [Param] = &E::PARAMS;
            const CONSTANTS: Names = Names::constants(&E::PARAMS, match &E::CONSTANTS {
                Some(names) => Some(names.as_slice()),
                None => None,
            });
            const PART: &'static str = $part;
            const INPUTS: Names = Names::of(&[], $inputs, E::ABOUT.inputs | $more);
            const OUTPUTS: Names = Names::of(&["value"], $outputs, E::ABOUT.partials | $more);
            fn constants(variant: u32, given: &[f64]) -> Result<[f64; MAX]> {
                let mut all = [0.0; MAX];
                all[..N].copy_from_slice(&resolve_variant::<E, N>(variant, given)?);
                Ok(all)
            }
            #[inline(always)]
            fn run<R: Real>(x: &[R], given: &[R]) -> [R; MAX] {
                let mut $p = [x[0]; N];
                $p.copy_from_slice(&given[..N]);
                let mut $x = Reader(x, 0, E::ABOUT.inputs | $more);
                let mut $out = Writer([x[0]; MAX], 1, E::ABOUT.partials | $more);
                let value = $body;
                $out.0[0] = value;
                $out.0
            }
        }
    )*};
}
#[inline(always)]
fn token<R: Real>(x: &mut Reader<'_, R>) -> Token<R> {
    let (logp, old) = (x.get(slot::LOGP), x.get(slot::OLD));
    Token {
        logp,
        log_ratio: logp - old,
        old,
        ref_logp: x.get(slot::REF),
        sampler: x.get(slot::SAMPLER),
        advantage: x.get(slot::ADVANTAGE),
        entropy: x.get(slot::ENTROPY),
        flag: x.get(slot::FLAG),
        importance: x.get(slot::IMPORTANCE),
    }
}
flat! {
    /// A pair entry.
    OfPair PairLoss Pair "" PAIR PAIR_OUT [0] |x, p, out| {
        let logp = [x.get(slot::LOGP), x.get(slot::LOGP)];
        let ref_logp = [x.get(slot::REF), x.get(slot::REF)];
        let len = [x.get(slot::LENGTH), x.get(slot::LENGTH)];
        let kl = [x.get(slot::KL), x.get(slot::KL)];
        let margin = [x.get(slot::MARGIN), x.get(slot::MARGIN)];
        let anchor = Anchor { logp: x.get(slot::ANCHOR), ref_logp: x.get(slot::ANCHOR | slot::REF) };
        let chosen = Side { logp: logp[0], ref_logp: ref_logp[0], len: len[0], kl: kl[0], margin: margin[0] };
        let rejected = Side { logp: logp[1], ref_logp: ref_logp[1], len: len[1], kl: kl[1], margin: margin[1] };
        let y = E::eval(Pair { chosen, rejected, anchor, shift: x.get(slot::SHIFT) }, p);
        out.put(slot::LOGP, y.chosen.logp);
        out.put(slot::LOGP, y.rejected.logp);
        out.put(slot::KL, y.chosen.kl);
        out.put(slot::KL, y.rejected.kl);
        out.put(slot::MARGIN, y.chosen.margin);
        out.put(slot::MARGIN, y.rejected.margin);
        out.put(slot::ANCHOR, y.anchor);
        y.value
    }
    /// An unpaired entry.
    OfUnpaired UnpairedLoss Unpaired "" UNPAIRED UNPAIRED_OUT [0] |x, p, out| {
        let row = Unpaired {
            logp: x.get(slot::LOGP),
            ref_logp: x.get(slot::REF),
            len: x.get(slot::LENGTH),
            label: x.get(slot::LABEL),
            weight: x.get(slot::WEIGHT),
            baseline: x.get(slot::BASELINE),
            shift: x.get(slot::SHIFT),
        };
        let y = E::eval(row, p);
        out.put(slot::LOGP, y.logp);
        out.put(slot::BASELINE, y.baseline);
        y.value
    }
    /// A token entry.
    OfToken TokenLoss Token "" TOKEN TOKEN_OUT [0] |x, p, out| {
        let y = E::eval(token(&mut x), p);
        out.put(slot::LOGP, y.logp);
        out.put(slot::ENTROPY, y.entropy);
        y.value
    }
    /// The token map of a sequence entry.
    OfSequenceMap SequenceLoss Sequence "_map" TOKEN LOGP_OUT [0] |x, p, out| {
        let y = E::map(token(&mut x), p);
        out.put(slot::LOGP, y.logp);
        y.value
    }
    /// The sequence function of a sequence entry.
    OfSequence SequenceLoss Sequence "" SEQUENCE SEQUENCE_OUT [how(E::EACH)] |x, p, out| {
        let c = Sequence {
            c: x.get(slot::LOGP),
            logp: x.get(EACH),
            log_ratio: x.get(slot::LOG_Z | slot::OLD),
            len: x.get(slot::LENGTH),
            advantage: x.get(slot::ADVANTAGE),
            flag: x.get(EACH | slot::FLAG),
            log_z: x.get(slot::LOG_Z),
        };
        let y = E::eval(c, p);
        out.put(CHAIN, y.slope);
        out.put(EACH, y.slope);
        out.put(slot::LOG_Z, y.log_z);
        y.value
    }
    /// An estimator.
    OfEstimator KlEstimator Estimator "" ESTIMATE LOGP_OUT [0] |x, p, out| {
        let y = E::eval(Estimate { logp: x.get(slot::LOGP), ref_logp: x.get(slot::REF), old: x.get(slot::OLD) }, p);
        out.put(slot::LOGP, y.logp);
        y.value
    }
}
