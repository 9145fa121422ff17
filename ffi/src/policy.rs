//! `truing_policy_forward`: token log-probs to policy loss, figures and gradients.
use crate::abi::*;
use crate::boundary::{
    array, bits, element_size, factor, grad_scale, guard, idle, reserved, sizes, unavailable, unknown,
};
use crate::context::Lent;
use crate::preference::{TERMS, params};
#[cfg(feature = "cuda")]
use crate::sequence::layout;
use crate::sequence::segments;
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors, View};
use truing_core::catalog::{self, Kind, MAX_PARAMS};
use truing_core::matrix::{Floats, Matrix, Workspace};
use truing_core::policy::{
    Aggregate, Bonus, ClampMode, CountEmpty, Denominator, Each, Estimator, EstimatorGradient, EstimatorWeight, Inputs,
    KlStage, Level, Mode, Options, Outputs, Problem, RatioSource, Term, TermInputs,
};
use truing_core::sequence::Segments;
use truing_core::{Error, Result, Value};

const FLAGS: u64 = TRUING_STRICT | TRUING_HAS_GRAD_SCALE;

/// Loss, figures and gradients of token log-probs; see `truing_policy_forward_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_policy_forward(args: *const truing_policy_forward_args) -> truing_status {
    guard("truing_policy_forward", || {
        let mut params = [[0.0; MAX_PARAMS]; TERMS];
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args, &mut params) }?;
        #[cfg(feature = "cuda")]
        if forward.call.tensors.on_device() {
            return forward.run_on_device();
        }
        forward.run(|context, problem, inputs, outputs, workspace| {
            truing_cpu::policy::forward(context, problem, inputs, outputs, workspace)
        })
    })
}

/// Bytes of workspace for `truing_policy_forward`.
///
/// # Safety
/// As for `truing_policy_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_policy_forward_workspace_size(
    args: *const truing_policy_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_policy_forward_workspace_size", || {
        let mut params = [[0.0; MAX_PARAMS]; TERMS];
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args, &mut params) }?;
        // SAFETY: this function's contract.
        let write = |need: Workspace| unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        #[cfg(feature = "cuda")]
        if forward.call.tensors.on_device() {
            return write(forward.need_on_device()?);
        }
        forward.run(|context, problem, _, _, _| write(truing_cpu::policy::workspace(context, problem)))
    })
}

/// A call whose fields have been read.
struct Forward<'p> {
    call: Call<truing_policy_forward_args>,
    terms: Terms<'p>,
    logps: Input,
    kl: Input,
    entropy: Input,
    topk_entropy: Input,
    inputs: PolicyTensors,
    grad_output: Input,
    places: PolicyPlaces,
    grad_logps: Output,
    grad_entropy: Output,
    grad_kl: Output,
}
impl<'p> Forward<'p> {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn open(
        args: *const truing_policy_forward_args,
        params: &'p mut [[f64; MAX_PARAMS]; TERMS],
    ) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        // SAFETY: the host arrays of a call are readable, by this function's contract.
        let (terms, own) = unsafe { terms(&args.inputs, params) }?;
        options(&args.inputs, &terms, beside(args))?;
        let (kl, grad_kl) = (t.input("kl", args.kl)?, t.output("grad_kl_out", args.grad_kl_out)?);
        if grad_kl.is_some() && !kl.is_some() {
            let expected = Value::Text("NULL without kl");
            return Err(Error::invalid("grad_kl_out", Value::Text("a tensor"), expected));
        }
        Ok(Forward {
            terms,
            logps: t.required("logps", args.logps)?,
            kl,
            grad_kl,
            entropy: t.input("entropy", args.entropy)?,
            topk_entropy: t.input("topk_entropy", args.topk_entropy)?,
            inputs: PolicyTensors::parse(t, &args.inputs, own)?,
            grad_output: t.input("grad_output", args.grad_output)?,
            places: PolicyPlaces::parse(t, &args.outputs)?,
            grad_logps: t.output("grad_logps_out", args.grad_logps_out)?,
            grad_entropy: t.output("grad_entropy_out", args.grad_entropy_out)?,
            call,
        })
    }
    fn run(
        self,
        run: impl FnOnce(&Lent, &Problem<'_>, &Inputs<'_>, Outputs<'_>, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let Call { args, context, tensors, workspace } = self.call;
        let ok = &tensors.check()?;
        let (logps, inputs) = (&self.logps, &self.inputs);
        let (count, segments) = segments("logps", logps.dims(), &inputs.cu_seqlens, ok)?;
        let tokens = &Leading::new(logps.dims());
        let mut place = [TermInputs::default(); TERMS];
        let view = inputs.view(ok, tokens, count, &segments, &mut place)?;
        let options =
            Options { groups: inputs.group_offsets.list(ok)?, ..options(&args.inputs, &self.terms, beside(&args))? };
        let inputs = Inputs {
            logps: logps.tokens(ok, tokens)?.expect("required"),
            kl: self.kl.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            topk_entropy: self.topk_entropy.tokens(ok, tokens)?,
            grad_output: upstream(&self.grad_output, &options, ok, tokens)?,
            grad_scale: grad_scale(args.grad_scale, args.flags),
            ..view
        };
        let outputs = Outputs {
            grad_logps: self.grad_logps.tokens(ok, tokens)?,
            grad_entropy: self.grad_entropy.tokens(ok, tokens)?,
            grad_kl: self.grad_kl.tokens(ok, tokens)?,
            ..self.places.view(ok, tokens)?
        };
        let problem = Problem::new(count, segments, options)?;
        run(&context, &problem, &inputs, outputs, workspace.bytes(ok))
    }
    #[cfg(feature = "cuda")]
    fn need_on_device(self) -> Result<Workspace> {
        let ok = &self.call.tensors.check()?;
        let layout = layout("logps", self.logps.dims(), &self.inputs.cu_seqlens, ok)?;
        let options = options(&self.call.args.inputs, &self.terms, beside(&self.call.args))?;
        Ok(truing_cuda::policy::workspace(&layout, &options))
    }
    #[cfg(feature = "cuda")]
    fn run_on_device(self) -> Result<()> {
        let Call { args, context, tensors, workspace } = self.call;
        let ok = &tensors.check()?;
        let layout = layout("logps", self.logps.dims(), &self.inputs.cu_seqlens, ok)?;
        let tokens = &Leading::new(self.logps.dims());
        let options = options(&args.inputs, &self.terms, beside(&args))?;
        let logps = self.logps.tokens(ok, tokens)?.expect("required");
        let mut place = [truing_cuda::policy::TermInputs::default(); TERMS];
        let inputs = truing_cuda::policy::Inputs {
            kl: self.kl.tokens(ok, tokens)?,
            entropy: self.entropy.tokens(ok, tokens)?,
            topk_entropy: self.topk_entropy.tokens(ok, tokens)?,
            grad_output: upstream(&self.grad_output, &options, ok, tokens)?,
            grad_scale: grad_scale(args.grad_scale, args.flags),
            ..self.inputs.on_device(logps, ok, tokens, &layout, &mut place)?
        };
        let outputs = truing_cuda::policy::Outputs {
            grad_logps: self.grad_logps.tokens(ok, tokens)?,
            grad_entropy: self.grad_entropy.tokens(ok, tokens)?,
            grad_kl: self.grad_kl.tokens(ok, tokens)?,
            ..self.places.on_device(ok, tokens)?
        };
        let space = workspace.space(ok);
        context.launch(ok, |kernels, stream| {
            // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
            unsafe { truing_cuda::policy::forward(kernels, stream, layout, &options, &inputs, &outputs, space) }
        })
    }
}

/// What may stand in the place of an estimator.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Beside {
    /// Nothing.
    Estimates,
    /// Values that are given stand there.
    Values,
    /// A divergence between heads.
    Heads,
}
fn beside(args: &truing_policy_forward_args) -> Beside {
    if args.kl.is_null() { Beside::Estimates } else { Beside::Values }
}

/// The upstream gradient: one number, or one for each value where nothing is aggregated.
pub(crate) fn upstream<'a, V: View<'a>>(
    grad_output: &Input,
    options: &Options<'_>,
    ok: &'a Checked,
    tokens: &Leading,
) -> Result<Option<V>> {
    match options.level {
        _ if options.aggregate.mode != Mode::None || grad_output.dims().iter().all(|&n| n == 1) => {
            grad_output.scalar(ok)
        }
        Level::Token => grad_output.tokens(ok, tokens),
        Level::Sequence => grad_output.list(ok),
    }
}

/// The tensors of a `truing_policy_term`.
struct TermTensors {
    old: Input,
    reference: Input,
    advantage: Input,
    flag: Input,
    mask: Input,
    token_weights: Input,
}
/// The tensors of `truing_policy_inputs`.
pub(crate) struct PolicyTensors {
    terms: [Option<TermTensors>; TERMS],
    pub(crate) group_offsets: Input,
    pub(crate) cu_seqlens: Input,
    pub(crate) mask: Input,
    old: Input,
    reference: Input,
    sampler: Input,
    kl_reference: Input,
    advantage: Input,
    advantage_level: truing_level,
    flag: Input,
    log_z: Input,
    keep: Input,
    sequence_keep: Input,
    entropy_mask: Input,
    kl_mask: Input,
    token_weights: Input,
    importance: Input,
}
impl PolicyTensors {
    /// `terms`: the further ones.
    pub(crate) fn parse(
        t: &mut Tensors,
        inputs: &truing_policy_inputs,
        terms: &[truing_policy_term],
    ) -> Result<PolicyTensors> {
        let mut own = [const { None }; TERMS];
        for (place, term) in own.iter_mut().zip(terms) {
            *place = Some(TermTensors {
                old: t.input("inputs.extra_terms.old", term.old)?,
                reference: t.input("inputs.extra_terms.ref", term.r#ref)?,
                advantage: t.input("inputs.extra_terms.advantage", term.advantage)?,
                flag: t.input("inputs.extra_terms.flag", term.flag)?,
                mask: t.input("inputs.extra_terms.mask", term.mask)?,
                token_weights: t.input("inputs.extra_terms.token_weights", term.token_weights)?,
            });
        }
        Ok(PolicyTensors {
            terms: own,
            group_offsets: t.input("inputs.group_offsets", inputs.group_offsets)?,
            old: t.input("inputs.old", inputs.old)?,
            reference: t.input("inputs.ref", inputs.r#ref)?,
            sampler: t.input("inputs.sampler", inputs.sampler)?,
            kl_reference: t.input("inputs.kl_ref", inputs.kl_ref)?,
            advantage: t.input("inputs.advantage", inputs.advantage)?,
            advantage_level: inputs.advantage_level,
            flag: t.input("inputs.flag", inputs.flag)?,
            log_z: t.input("inputs.log_z", inputs.log_z)?,
            mask: t.input("inputs.mask", inputs.mask)?,
            keep: t.input("inputs.keep", inputs.keep)?,
            sequence_keep: t.input("inputs.sequence_keep", inputs.sequence_keep)?,
            entropy_mask: t.input("inputs.entropy_mask", inputs.entropy_mask)?,
            kl_mask: t.input("inputs.kl_mask", inputs.kl_mask)?,
            token_weights: t.input("inputs.token_weights", inputs.token_weights)?,
            importance: t.input("inputs.importance_weight", inputs.importance_weight)?,
            cu_seqlens: t.input("inputs.cu_seqlens", inputs.cu_seqlens)?,
        })
    }
    /// Everything but the log-probs, the entropies and the factors, whose places here hold the reference's.
    pub(crate) fn view<'a>(
        &self,
        ok: &'a Checked,
        tokens: &Leading,
        count: usize,
        segments: &Segments<'_>,
        terms: &'a mut [TermInputs<'a>; TERMS],
    ) -> Result<Inputs<'a>> {
        if !self.advantage.is_some() {
            idle("inputs.advantage_level", &self.advantage_level, "0 without an advantage")?;
        }
        let level = |field, of: &Input| level((field, None), 0, of.dims(), count, segments);
        let fields = ("inputs.advantage", Some("inputs.advantage_level"));
        macro_rules! each {
            ($level:expr, $input:expr) => {
                match $level? {
                    Level::Token => $input.tokens(ok, tokens)?.map(Each::Token),
                    Level::Sequence => $input.list(ok)?.map(Each::Sequence),
                }
            };
        }
        let nothing = Floats::F32(Matrix::vector(&[]));
        let mut len = 0;
        for term in self.terms.iter().flatten() {
            terms[len] = TermInputs {
                old: term.old.tokens(ok, tokens)?,
                reference: term.reference.tokens(ok, tokens)?,
                advantage: each!(level("inputs.extra_terms.advantage", &term.advantage), term.advantage),
                flag: each!(level("inputs.extra_terms.flag", &term.flag), term.flag),
                mask: term.mask.tokens(ok, tokens)?,
                token_weights: term.token_weights.tokens(ok, tokens)?,
            };
            len += 1;
        }
        Ok(Inputs {
            terms: &terms[..len],
            old: self.old.tokens(ok, tokens)?,
            reference: self.reference.tokens(ok, tokens)?,
            sampler: self.sampler.tokens(ok, tokens)?,
            kl_reference: self.kl_reference.tokens(ok, tokens)?,
            advantage: each!(
                self::level(fields, self.advantage_level, self.advantage.dims(), count, segments),
                self.advantage
            ),
            flag: each!(level("inputs.flag", &self.flag), self.flag),
            importance: each!(level("inputs.importance_weight", &self.importance), self.importance),
            log_z: self.log_z.list(ok)?,
            mask: self.mask.tokens(ok, tokens)?,
            keep: self.keep.tokens(ok, tokens)?,
            sequence_keep: self.sequence_keep.list(ok)?,
            entropy_mask: self.entropy_mask.tokens(ok, tokens)?,
            kl_mask: self.kl_mask.tokens(ok, tokens)?,
            token_weights: self.token_weights.tokens(ok, tokens)?,
            ..Inputs::new(nothing)
        })
    }
}
#[cfg(feature = "cuda")]
impl PolicyTensors {
    /// [`PolicyTensors::view`] beside the log-probs, on a device. Offsets are not read there: where N is B, the caller says
    /// what has an element a token.
    fn on_device<'a>(
        &self,
        logps: truing_cuda::Tensor,
        ok: &Checked,
        tokens: &Leading,
        layout: &truing_cuda::sequence::Layout,
        terms: &'a mut [truing_cuda::policy::TermInputs; TERMS],
    ) -> Result<truing_cuda::policy::Inputs<'a>> {
        use truing_cuda::policy::{Each, TermInputs};
        use truing_cuda::sequence::Layout;
        if !self.advantage.is_some() {
            idle("inputs.advantage_level", &self.advantage_level, "0 without an advantage")?;
        }
        let (count, uneven) = match *layout {
            Layout::Packed { tokens, offsets } => (tokens, Some(offsets.layout.rows() == tokens + 1)),
            Layout::Padded { sequences, width } => (sequences * width, None),
        };
        let each = |fields, said, of: &Input| {
            Ok(match level_of(fields, said, of.dims(), count, uneven)? {
                Level::Token => of.tokens(ok, tokens)?.map(Each::Token),
                Level::Sequence => of.list(ok)?.map(Each::Sequence),
            })
        };
        let fields = ("inputs.advantage", Some("inputs.advantage_level"));
        let mut len = 0;
        for term in self.terms.iter().flatten() {
            terms[len] = TermInputs {
                old: term.old.tokens(ok, tokens)?,
                reference: term.reference.tokens(ok, tokens)?,
                advantage: each(("inputs.extra_terms.advantage", None), 0, &term.advantage)?,
                flag: each(("inputs.extra_terms.flag", None), 0, &term.flag)?,
                mask: term.mask.tokens(ok, tokens)?,
                token_weights: term.token_weights.tokens(ok, tokens)?,
            };
            len += 1;
        }
        Ok(truing_cuda::policy::Inputs {
            terms: &terms[..len],
            group_offsets: self.group_offsets.list(ok)?,
            old: self.old.tokens(ok, tokens)?,
            reference: self.reference.tokens(ok, tokens)?,
            sampler: self.sampler.tokens(ok, tokens)?,
            kl_reference: self.kl_reference.tokens(ok, tokens)?,
            advantage: each(fields, self.advantage_level, &self.advantage)?,
            flag: each(("inputs.flag", None), 0, &self.flag)?,
            importance: each(("inputs.importance_weight", None), 0, &self.importance)?,
            log_z: self.log_z.list(ok)?,
            mask: self.mask.tokens(ok, tokens)?,
            keep: self.keep.tokens(ok, tokens)?,
            sequence_keep: self.sequence_keep.list(ok)?,
            entropy_mask: self.entropy_mask.tokens(ok, tokens)?,
            kl_mask: self.kl_mask.tokens(ok, tokens)?,
            token_weights: self.token_weights.tokens(ok, tokens)?,
            ..truing_cuda::policy::Inputs::new(logps)
        })
    }
}
/// The tensors of `truing_policy_outputs`.
pub(crate) struct PolicyPlaces {
    loss: Output,
    values: Output,
    kl: Output,
    terms: Output,
    grad_log_z: Output,
    statistics: Output,
    token_status: Output,
    sequence_status: Output,
    counters: Output,
}
impl PolicyPlaces {
    pub(crate) fn parse(t: &mut Tensors, outputs: &truing_policy_outputs) -> Result<PolicyPlaces> {
        Ok(PolicyPlaces {
            loss: t.output("outputs.out_loss", outputs.out_loss)?,
            values: t.output("outputs.out_values", outputs.out_values)?,
            kl: t.output("outputs.out_kl", outputs.out_kl)?,
            terms: t.output("outputs.out_terms", outputs.out_terms)?,
            grad_log_z: t.output("outputs.grad_log_z_out", outputs.grad_log_z_out)?,
            statistics: t.output("outputs.out_statistics", outputs.out_statistics)?,
            token_status: t.output("outputs.out_token_status", outputs.out_token_status)?,
            sequence_status: t.output("outputs.out_sequence_status", outputs.out_sequence_status)?,
            counters: t.output("outputs.out_counters", outputs.out_counters)?,
        })
    }
    /// Everything but the gradients of tokens.
    pub(crate) fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<Outputs<'a>> {
        let values = self.values;
        Ok(Outputs {
            loss: self.loss.scalar(ok)?,
            values: if values.dims().len() == 2 { values.tokens(ok, tokens)? } else { values.list(ok)? },
            kl: self.kl.tokens(ok, tokens)?,
            terms: self.terms.list(ok)?,
            grad_logps: None,
            grad_entropy: None,
            grad_kl: None,
            grad_log_z: self.grad_log_z.list(ok)?,
            statistics: self.statistics.array(ok)?,
            token_status: self.token_status.tokens(ok, tokens)?,
            sequence_status: self.sequence_status.list(ok)?,
            counters: self.counters.array(ok)?,
        })
    }
    #[cfg(feature = "cuda")]
    fn on_device(self, ok: &Checked, tokens: &Leading) -> Result<truing_cuda::policy::Outputs> {
        let values = self.values;
        Ok(truing_cuda::policy::Outputs {
            loss: self.loss.scalar(ok)?,
            values: if values.dims().len() == 2 { values.tokens(ok, tokens)? } else { values.list(ok)? },
            kl: self.kl.tokens(ok, tokens)?,
            terms: self.terms.list(ok)?,
            grad_log_z: self.grad_log_z.list(ok)?,
            statistics: self.statistics.list(ok)?,
            token_status: self.token_status.tokens(ok, tokens)?,
            sequence_status: self.sequence_status.list(ok)?,
            counters: self.counters.list(ok)?,
            ..truing_cuda::policy::Outputs::default()
        })
    }
}

/// Whether a tensor of these dimensions is `[N]` or `[B]`. Padded tokens are told by the number of dimensions, packed
/// ones by the number of elements; where that is both and not every sequence is one token long, the caller must say.
pub(crate) fn level(
    names: (&'static str, Option<&'static str>),
    given: truing_level,
    dims: &[usize],
    tokens: usize,
    segments: &Segments<'_>,
) -> Result<Level> {
    let uneven = match segments {
        Segments::Packed(cu) => {
            Some(cu.rows() == tokens + 1 && (0..tokens).any(|i| cu.get(i).checked_add(1) != Some(cu.get(i + 1))))
        }
        Segments::Padded { .. } => None,
    };
    level_of(names, given, dims, tokens, uneven)
}
/// The same on a device, where offsets are not read: where N is B, the caller says which it is.
#[cfg(feature = "cuda")]
pub(crate) fn level_on_device(
    names: (&'static str, Option<&'static str>),
    given: truing_level,
    dims: &[usize],
    layout: &truing_cuda::sequence::Layout,
) -> Result<Level> {
    let packed = matches!(layout, truing_cuda::sequence::Layout::Packed { .. });
    level_of(names, given, dims, layout.tokens(), packed.then(|| layout.tokens() == layout.sequences()))
}
/// [`level`] with what the offsets of packed tokens say: whether there are as many sequences as tokens, of other lengths
/// than 1.
fn level_of(
    (field, said): (&'static str, Option<&'static str>),
    given: truing_level,
    dims: &[usize],
    tokens: usize,
    uneven: Option<bool>,
) -> Result<Level> {
    match given {
        0 => {}
        TRUING_LEVEL_TOKEN => return Ok(Level::Token),
        TRUING_LEVEL_SEQUENCE => return Ok(Level::Sequence),
        other => return unknown(said.unwrap_or(field), other, "TRUING_LEVEL_*, or 0: by the shape"),
    }
    let by = |token| if token { Level::Token } else { Level::Sequence };
    let (Some(uneven), &[n]) = (uneven, dims) else { return Ok(by(dims.len() == 2)) };
    if n == tokens && uneven {
        let got = Value::Text("one element a token and one a sequence");
        let expected = match said {
            Some(_) => "advantage_level, where N is B",
            None => "padded tokens, where N is B",
        };
        return Err(Error::invalid(field, got, Value::Text(expected)));
    }
    Ok(by(n == tokens))
}

/// The parameters of the loss and the further terms.
pub(crate) struct Terms<'a> {
    params: &'a [f64],
    all: [Term<'a>; TERMS],
    len: usize,
}
/// Reads the losses of a call; also the further terms as they are given. Parameters are copied, so that no output can change
/// them.
///
/// # Safety
/// The host arrays that the fields describe are readable and constant for as long as what is returned is used.
pub(crate) unsafe fn terms<'a, 'b>(
    inputs: &truing_policy_inputs,
    place: &'a mut [[f64; MAX_PARAMS]; TERMS],
) -> Result<(Terms<'a>, &'b [truing_policy_term])> {
    element_size::<truing_policy_term>("inputs.extra_term_size", inputs.extra_term_size)?;
    let n = inputs.num_extra_terms;
    if n >= TERMS {
        return Err(Error::invalid("inputs.num_extra_terms", Value::Size(n), Value::Below(0, TERMS as i64)));
    }
    // SAFETY: this function's contract.
    let extra = unsafe { array("inputs.extra_terms", inputs.extra_terms, n) }?;
    let (first, rest) = place.split_first_mut().expect("a place for each term");
    // SAFETY: this function's contract.
    let own = unsafe { params(&inputs.loss, first) }?;
    let aggregate = Aggregate::new(Mode::TokenMean);
    let unset = Term { loss: 0, variant: 0, params: &[], weight: 0.0, aggregate, level: Level::Token };
    let mut terms = Terms { params: own, all: [unset; TERMS], len: n };
    for ((to, term), place) in terms.all.iter_mut().zip(extra).zip(rest) {
        reserved(term)?;
        let loss = &term.loss;
        unavailable!("inputs.extra_terms.loss", loss; normaliser, map, map_alpha, map_max_exponent, reduction, score_kind);
        bits("inputs.extra_terms.loss.flags", loss.flags.into(), TRUING_LOSS_HAS_WEIGHT.into())?;
        *to = Term {
            loss: loss.id,
            variant: loss.variant,
            // SAFETY: this function's contract.
            params: unsafe { params(loss, place) }?,
            weight: if loss.flags & TRUING_LOSS_HAS_WEIGHT != 0 { loss.weight } else { factor(loss.weight) },
            aggregate: aggregate_of(term, inputs)?,
            level: ratio_level("inputs.extra_terms.level", term.level)?,
        };
    }
    Ok((terms, extra))
}
/// The aggregate of a further term, that of the call where none is named.
fn aggregate_of(term: &truing_policy_term, inputs: &truing_policy_inputs) -> Result<Aggregate> {
    let own = &term.aggregate;
    if own.mode != 0 {
        return aggregate(own, &OF_TERM);
    }
    unavailable!("inputs.extra_terms.aggregate", own; normaliser, max_length, count_empty, denominator);
    let whole = catalog::info(term.loss.id).is_some_and(|i| matches!(i.kind, Kind::Sequence | Kind::List));
    aggregate(&inputs.aggregate, &OF_LOSS).map(|a| if whole { a } else { over_tokens(a) })
}
/// The same over tokens.
fn over_tokens(a: Aggregate) -> Aggregate {
    Aggregate { mode: if a.mode == Mode::SeqMean { Mode::SeqMeanTokenMean } else { a.mode }, ..a }
}
fn ratio_level(field: &'static str, level: truing_level) -> Result<Level> {
    match level {
        TRUING_LEVEL_TOKEN => Ok(Level::Token),
        TRUING_LEVEL_SEQUENCE => Ok(Level::Sequence),
        other => unknown(field, other, "TRUING_LEVEL_*"),
    }
}

/// The settings of a call, but for the groups.
pub(crate) fn options<'a>(inputs: &truing_policy_inputs, terms: &'a Terms<'a>, beside: Beside) -> Result<Options<'a>> {
    let loss = &inputs.loss;
    unavailable!("inputs.loss", loss; weight, normaliser, map, map_alpha, map_max_exponent, reduction, score_kind, flags);
    Ok(Options {
        loss: loss.id,
        variant: loss.variant,
        params: terms.params,
        kl: estimator(&inputs.kl, beside)?,
        aggregate: aggregate(&inputs.aggregate, &OF_LOSS)?,
        bonus: bonus(inputs)?,
        level: ratio_level("inputs.level", inputs.level)?,
        groups: None,
        terms: &terms.all[..terms.len],
    })
}

fn estimator(kl: &truing_estimator, beside: Beside) -> Result<Option<Estimator>> {
    if beside != Beside::Heads {
        idle("inputs.kl.divergence", &kl.divergence, "0 without a reference head")?;
    }
    let stage = match kl.stage {
        0 | TRUING_KL_AFTER_WEIGHT => KlStage::AfterWeight,
        TRUING_KL_BEFORE_WEIGHT => KlStage::BeforeWeight,
        other => return unknown("inputs.kl.stage", other, "TRUING_KL_*, or 0: after the weight"),
    };
    if kl.divergence != 0 || beside == Beside::Values {
        let nothing = if kl.divergence != 0 { "0 beside a divergence" } else { "0 beside kl" };
        idle("inputs.kl.id", &kl.id, nothing)?;
        idle("inputs.kl.weight", &kl.weight, nothing)?;
        idle("inputs.kl.gradient", &kl.gradient, nothing)?;
        idle("inputs.kl.input_clamp_mode", &kl.input_clamp_mode, nothing)?;
        idle("inputs.kl.ratio_source", &kl.ratio_source, nothing)?;
        idle("inputs.kl.input_clamp", &kl.input_clamp, nothing)?;
        idle("inputs.kl.output_clamp", &kl.output_clamp, nothing)?;
        idle("inputs.kl.ratio_max", &kl.ratio_max, nothing)?;
        return Ok(Some(Estimator { coef: kl.coef, stage, ..Estimator::new(Estimator::GIVEN) }));
    }
    if kl.id == 0 {
        let clear = kl.weight == 0
            && kl.gradient == 0
            && kl.input_clamp_mode == 0
            && kl.ratio_source == 0
            && kl.stage == 0
            && [kl.coef, kl.input_clamp, kl.output_clamp, kl.ratio_max] == [0.0; 4];
        let expected = Value::Text("an estimator, as other fields of kl are set");
        return if clear { Ok(None) } else { Err(Error::invalid("inputs.kl.id", Value::Int(0), expected)) };
    }
    if kl.input_clamp == 0.0 {
        idle("inputs.kl.input_clamp_mode", &kl.input_clamp_mode, "0 without an input_clamp")?;
    }
    // 0 is none
    let or_none = |v: f64| if v == 0.0 { f64::INFINITY } else { v };
    Ok(Some(Estimator {
        id: kl.id,
        weight: match kl.weight {
            TRUING_ESTIMATOR_ONE => EstimatorWeight::One,
            TRUING_ESTIMATOR_SCORE => EstimatorWeight::Score,
            TRUING_ESTIMATOR_RATIO => EstimatorWeight::Ratio,
            TRUING_ESTIMATOR_RATIO_SEQUENCE => EstimatorWeight::RatioSequence,
            other => return unknown("inputs.kl.weight", other, "TRUING_ESTIMATOR_*"),
        },
        gradient: match kl.gradient {
            TRUING_GRADIENT_PATHWISE => EstimatorGradient::Pathwise,
            TRUING_GRADIENT_STRAIGHT_THROUGH => EstimatorGradient::StraightThrough,
            TRUING_GRADIENT_STRAIGHT_THROUGH_RATIO => EstimatorGradient::StraightThroughRatio,
            other => return unknown("inputs.kl.gradient", other, "TRUING_GRADIENT_*"),
        },
        coef: kl.coef,
        input_clamp: match (kl.input_clamp, kl.input_clamp_mode) {
            (0.0, _) => None,
            (a, TRUING_CLAMP_LINEAR) => Some((a, ClampMode::Linear)),
            (a, TRUING_CLAMP_ZERO_GRADIENT) => Some((a, ClampMode::ZeroGradient)),
            (_, other) => return unknown("inputs.kl.input_clamp_mode", other, "TRUING_CLAMP_*"),
        },
        output_clamp: or_none(kl.output_clamp),
        ratio_max: or_none(kl.ratio_max),
        ratio_source: match kl.ratio_source {
            0 | TRUING_RATIO_OLD => RatioSource::Old,
            TRUING_RATIO_SAMPLER => RatioSource::Sampler,
            other => return unknown("inputs.kl.ratio_source", other, "TRUING_RATIO_*, or 0: old"),
        },
        stage,
    }))
}

fn bonus(inputs: &truing_policy_inputs) -> Result<Option<Bonus>> {
    let own = &inputs.entropy_aggregate;
    if inputs.entropy_coef == 0.0 || own.mode == 0 {
        unavailable!("inputs.entropy_aggregate", own; normaliser, max_length, mode, count_empty, denominator);
    }
    if inputs.entropy_coef == 0.0 {
        return Ok(None);
    }
    let aggregate = match own.mode {
        0 => over_tokens(aggregate(&inputs.aggregate, &OF_ENTROPY)?),
        _ => aggregate(own, &OF_ENTROPY)?,
    };
    Ok(Some(Bonus { coef: inputs.entropy_coef, aggregate }))
}

/// Names of mode, count_empty and denominator.
type Names = [&'static str; 3];
const OF_LOSS: Names = ["inputs.aggregate.mode", "inputs.aggregate.count_empty", "inputs.aggregate.denominator"];
const OF_ENTROPY: Names =
    ["inputs.entropy_aggregate.mode", "inputs.entropy_aggregate.count_empty", "inputs.entropy_aggregate.denominator"];
const OF_TERM: Names = [
    "inputs.extra_terms.aggregate.mode",
    "inputs.extra_terms.aggregate.count_empty",
    "inputs.extra_terms.aggregate.denominator",
];
fn aggregate(a: &truing_aggregate, names: &Names) -> Result<Aggregate> {
    Ok(Aggregate {
        mode: match a.mode {
            TRUING_AGGREGATE_TOKEN_MEAN => Mode::TokenMean,
            TRUING_AGGREGATE_SEQ_MEAN_TOKEN_MEAN => Mode::SeqMeanTokenMean,
            TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM => Mode::SeqMeanTokenSum,
            TRUING_AGGREGATE_SEQ_MEAN_TOKEN_SUM_NORM => Mode::SeqMeanTokenSumNorm,
            TRUING_AGGREGATE_TOKEN_SUM => Mode::TokenSum,
            TRUING_AGGREGATE_SEQ_MEAN => Mode::SeqMean,
            TRUING_AGGREGATE_WEIGHTED_MEAN => Mode::WeightedMean,
            TRUING_AGGREGATE_NONE => Mode::None,
            other => return unknown(names[0], other, "TRUING_AGGREGATE_*"),
        },
        normaliser: a.normaliser,
        max_length: a.max_length,
        count_empty: match a.count_empty {
            0 => None,
            TRUING_COUNT_ALL => Some(CountEmpty::All),
            TRUING_COUNT_NONEMPTY => Some(CountEmpty::Nonempty),
            other => return unknown(names[1], other, "TRUING_COUNT_*, or 0 for the token_ modes"),
        },
        denominator: match a.denominator {
            0 | TRUING_DENOMINATOR_ORIGINAL => Denominator::Original,
            TRUING_DENOMINATOR_KEPT => Denominator::Kept,
            TRUING_DENOMINATOR_WEIGHTS => Denominator::Weights,
            other => return unknown(names[2], other, "TRUING_DENOMINATOR_*, or 0: original"),
        },
    })
}
