//! `truing_preference_forward`: sequence scores to loss, rewards and partials. The parsing of losses, groups and
//! outputs is shared with the linear form.
use crate::abi::*;
use crate::boundary::{array, bits, element_size, factor, grad_scale, guard, idle, reserved, sizes, unknown};
use crate::context::Lent;
use crate::tensor::{Call, Checked, Input, Output, Tensors};
use truing_core::catalog::{self, Kind, MAX_PARAMS, Score, slot};
use truing_core::losses::map::ScoreMap;
use truing_core::matrix::Workspace;
use truing_core::preference::{Groups, Inputs, Items, Options, Outputs, Problem, Reduction, Term};
use truing_core::{Error, Result, Value};

pub(crate) const FLAGS: u64 = TRUING_STRICT | TRUING_SKIP_FLAGGED | TRUING_HAS_GRAD_SCALE;
const OWN_FLAGS: u64 = FLAGS | TRUING_ACCUMULATE_GRADS;

/// Loss, rewards and partials of pairs, rows or lists of sequence scores; see `truing_preference_forward_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_preference_forward(args: *const truing_preference_forward_args) -> truing_status {
    guard("truing_preference_forward", || {
        let mut params = [[0.0; MAX_PARAMS]; TERMS];
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args, &mut params) }?;
        #[cfg(feature = "cuda")]
        if forward.call.tensors.on_device() {
            return forward.run_on_device();
        }
        forward.run(|context, problem, inputs, outputs, workspace| {
            truing_cpu::preference::forward(context, problem, inputs, outputs, workspace)
        })
    })
}

/// Bytes of workspace for `truing_preference_forward`.
///
/// # Safety
/// As for `truing_preference_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_preference_forward_workspace_size(
    args: *const truing_preference_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_preference_forward_workspace_size", || {
        let mut params = [[0.0; MAX_PARAMS]; TERMS];
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args, &mut params) }?;
        // SAFETY: this function's contract.
        let write = |need: Workspace| unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        #[cfg(feature = "cuda")]
        if forward.call.tensors.on_device() {
            return write(forward.need_on_device()?);
        }
        forward.run(|context, problem, _, _, _| write(truing_cpu::preference::workspace(context, problem)))
    })
}

/// A call whose fields have been read.
struct Forward<'p> {
    call: Call<truing_preference_forward_args>,
    terms: Terms<'p>,
    scores: Input,
    ref_scores: Input,
    lengths: Input,
    kl: Input,
    groups: GroupTensors,
    grad_output: Input,
    outputs: OutputTensors,
    options: Options,
}
impl<'p> Forward<'p> {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn open(
        args: *const truing_preference_forward_args,
        params: &'p mut [[f64; MAX_PARAMS]; TERMS],
    ) -> Result<Self> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, OWN_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        element_size::<truing_preference_term>("extra_term_size", args.extra_term_size)?;
        // SAFETY: the host arrays of a call are readable, by this function's contract.
        let terms = unsafe { terms(&args.loss, args.extra_terms, args.num_extra_terms, params) }?;
        let scores = t.required("scores", args.scores)?;
        let ref_scores = t.input("ref_scores", args.ref_scores)?;
        let lengths = t.input("lengths", args.lengths)?;
        let kl = t.input("kl", args.kl)?;
        let groups = GroupTensors::parse(t, &args.groups)?;
        let grad_output = t.input("grad_output", args.grad_output)?;
        let outputs = OutputTensors::parse(t, &args.items, &args.outputs)?;
        let options = Options {
            score: score("score_kind", args.score_kind)?,
            skip_flagged: args.flags & TRUING_SKIP_FLAGGED != 0,
            anchored: false,
            accumulate: args.flags & TRUING_ACCUMULATE_GRADS != 0,
        };
        Ok(Forward { terms, scores, ref_scores, lengths, kl, groups, grad_output, outputs, options, call })
    }
    fn run(
        self,
        run: impl FnOnce(&Lent, &Problem<'_>, &Inputs<'_>, Outputs<'_>, &mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let Call { args, context, tensors, workspace } = self.call;
        let ok = &tensors.check()?;
        let terms = self.terms.get();
        let mut inputs = Inputs::new(self.scores.list(ok)?.expect("required"));
        inputs.ref_scores = self.ref_scores.list(ok)?;
        inputs.lengths = self.lengths.list(ok)?;
        inputs.kl = self.kl.list(ok)?;
        inputs.grad_output = self.grad_output.list(ok)?;
        inputs.grad_scale = grad_scale(args.grad_scale, args.flags);
        inputs.groups = self.groups.view(ok)?;
        let items = self.groups.items(terms, false, ok)?;
        let problem = Problem::new(inputs.scores.rows(), items, terms, self.options)?;
        run(&context, &problem, &inputs, self.outputs.view(ok)?, workspace.bytes(ok))
    }
    #[cfg(feature = "cuda")]
    fn need_on_device(self) -> Result<Workspace> {
        let ok = &self.call.tensors.check()?;
        let scores: truing_cuda::Tensor = self.scores.list(ok)?.expect("required");
        let items = self.groups.items_on_device(self.terms.get(), ok)?;
        Ok(truing_cuda::preference::workspace(scores.layout.rows(), &items))
    }
    #[cfg(feature = "cuda")]
    fn run_on_device(self) -> Result<()> {
        let Call { args, context, tensors, workspace } = self.call;
        let ok = &tensors.check()?;
        let terms = self.terms.get();
        let scores: truing_cuda::Tensor = self.scores.list(ok)?.expect("required");
        let inputs = truing_cuda::preference::Inputs {
            ref_scores: self.ref_scores.list(ok)?,
            lengths: self.lengths.list(ok)?,
            kl: self.kl.list(ok)?,
            grad_output: self.grad_output.list(ok)?,
            grad_scale: grad_scale(args.grad_scale, args.flags),
            ..self.groups.on_device(scores, ok)?
        };
        let items = self.groups.items_on_device(terms, ok)?;
        let (outputs, space) = (self.outputs.on_device(ok)?, workspace.space(ok));
        let (sequences, options) = (scores.layout.rows(), self.options);
        context.launch(ok, |kernels, stream| {
            // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
            unsafe {
                use truing_cuda::preference::forward;
                forward(kernels, stream, sequences, items, terms, options, &inputs, &outputs, space)
            }
        })
    }
}

/// Most terms of a call.
pub(crate) const TERMS: usize = 8;
/// The terms of a call, without an allocation.
pub(crate) struct Terms<'a> {
    all: [Term<'a>; TERMS],
    len: usize,
}
impl<'a> Terms<'a> {
    pub(crate) fn get(&self) -> &[Term<'a>] {
        &self.all[..self.len]
    }
}

/// The first term and the further ones. Parameters are copied, so that no output can change them.
///
/// # Safety
/// The host arrays that the losses describe are readable.
pub(crate) unsafe fn terms<'a>(
    first: &truing_loss,
    extra: *const truing_preference_term,
    num_extra: usize,
    params: &'a mut [[f64; MAX_PARAMS]; TERMS],
) -> Result<Terms<'a>> {
    if num_extra >= TERMS {
        return Err(Error::invalid("num_extra_terms", Value::Size(num_extra), Value::Below(0, TERMS as i64)));
    }
    // SAFETY: this function's contract.
    let extra = unsafe { array("extra_terms", extra, num_extra) }?;
    let mut terms = Terms { all: [Term::default(); TERMS], len: 1 + num_extra };
    for (k, place) in params.iter_mut().enumerate().take(terms.len) {
        let loss = match k {
            0 => *first,
            _ => {
                let term = extra[k - 1];
                reserved(&term)?;
                term.loss
            }
        };
        bits("loss.flags", loss.flags.into(), TRUING_LOSS_HAS_WEIGHT.into())?;
        // SAFETY: this function's contract.
        let given = unsafe { self::params(&loss, place) }?;
        terms.all[k] = Term {
            id: loss.id,
            variant: loss.variant,
            params: given,
            weight: if loss.flags & TRUING_LOSS_HAS_WEIGHT != 0 { loss.weight } else { factor(loss.weight) },
            normaliser: loss.normaliser,
            reduction: match loss.reduction {
                TRUING_REDUCE_NONE => Reduction::None,
                TRUING_REDUCE_SUM => Reduction::Sum,
                TRUING_REDUCE_MEAN => Reduction::Mean,
                TRUING_REDUCE_WEIGHTED_MEAN => Reduction::WeightedMean,
                other => {
                    return unknown("loss.reduction", other, "TRUING_REDUCE_*: a loss over items names its reduction");
                }
            },
            score: score("loss.score_kind", loss.score_kind)?,
            map: map(&loss)?,
        };
    }
    Ok(terms)
}

/// A copy of the parameters of a loss.
///
/// # Safety
/// The array that the loss describes is readable.
pub(crate) unsafe fn params<'a>(loss: &truing_loss, place: &'a mut [f64; MAX_PARAMS]) -> Result<&'a [f64]> {
    if loss.num_params > MAX_PARAMS {
        let most = Value::Below(0, MAX_PARAMS as i64 + 1);
        return Err(Error::invalid("loss.num_params", Value::Size(loss.num_params), most));
    }
    // SAFETY: this function's contract.
    let given = unsafe { array("loss.params", loss.params, loss.num_params) }?;
    let place = &mut place[..given.len()];
    place.copy_from_slice(given);
    Ok(place)
}

/// The score map of a loss.
fn map(loss: &truing_loss) -> Result<ScoreMap> {
    if loss.map != TRUING_MAP_ALPHA {
        idle("loss.map_alpha", &loss.map_alpha, "0 without TRUING_MAP_ALPHA")?;
    }
    if loss.map != TRUING_MAP_ALPHA && loss.map != TRUING_MAP_FORWARD_KL {
        idle("loss.map_max_exponent", &loss.map_max_exponent, "0 without TRUING_MAP_ALPHA or TRUING_MAP_FORWARD_KL")?;
    }
    let max_exponent = if loss.map_max_exponent == 0.0 { f64::INFINITY } else { loss.map_max_exponent };
    match loss.map {
        TRUING_MAP_IDENTITY => Ok(ScoreMap::Identity),
        TRUING_MAP_JS => Ok(ScoreMap::Js),
        TRUING_MAP_ALPHA => Ok(ScoreMap::Alpha { alpha: loss.map_alpha, max_exponent }),
        TRUING_MAP_FORWARD_KL => Ok(ScoreMap::Alpha { alpha: 1.0, max_exponent }),
        other => unknown("loss.map", other, "TRUING_MAP_*"),
    }
}

/// What scores are; 0 leaves it open.
fn score(field: &'static str, kind: truing_score_kind) -> Result<Option<Score>> {
    match kind {
        0 => Ok(None),
        TRUING_SCORE_SUM => Ok(Some(Score::Sum)),
        TRUING_SCORE_MEAN => Ok(Some(Score::Mean)),
        other => unknown(field, other, "TRUING_SCORE_SUM, TRUING_SCORE_MEAN, or 0"),
    }
}

/// The tensors of `truing_groups`.
pub(crate) struct GroupTensors {
    chosen_seq: Input,
    rejected_seq: Input,
    anchor_seq: Input,
    list_offsets: Input,
    member_seq: Input,
    list_targets: Input,
    item_mask: Input,
    item_weight: Input,
    item_beta: Input,
    margin_chosen: Input,
    margin_rejected: Input,
    label: Input,
    baseline: Input,
    shift: Input,
    layout: truing_pair_layout,
}
impl GroupTensors {
    pub(crate) fn parse(t: &mut Tensors, groups: &truing_groups) -> Result<Self> {
        let g = groups;
        Ok(GroupTensors {
            chosen_seq: t.input("groups.chosen_seq", g.chosen_seq)?,
            rejected_seq: t.input("groups.rejected_seq", g.rejected_seq)?,
            anchor_seq: t.input("groups.anchor_seq", g.anchor_seq)?,
            list_offsets: t.input("groups.list_offsets", g.list_offsets)?,
            member_seq: t.input("groups.member_seq", g.member_seq)?,
            list_targets: t.input("groups.list_targets", g.list_targets)?,
            item_mask: t.input("groups.item_mask", g.item_mask)?,
            item_weight: t.input("groups.item_weight", g.item_weight)?,
            item_beta: t.input("groups.item_beta", g.item_beta)?,
            margin_chosen: t.input("groups.margin_chosen", g.margin_chosen)?,
            margin_rejected: t.input("groups.margin_rejected", g.margin_rejected)?,
            label: t.input("groups.label", g.label)?,
            baseline: t.input("groups.baseline", g.baseline)?,
            shift: t.input("groups.shift", g.shift)?,
            layout: g.layout,
        })
    }
    /// How sequences form the items that the terms read; `side`: something beside them reads the anchors.
    pub(crate) fn items<'a>(&self, terms: &[Term<'_>], side: bool, ok: &'a Checked) -> Result<Items<'a>> {
        Ok(match self.form(terms, side)? {
            Form::Indexed => Items::Indexed {
                chosen: self.chosen_seq.list(ok)?.ok_or(no_index("groups.chosen_seq"))?,
                rejected: self.rejected_seq.list(ok)?.ok_or(no_index("groups.rejected_seq"))?,
                anchor: self.anchor_seq.list(ok)?,
            },
            Form::Interleaved => Items::Interleaved,
            Form::Stacked => Items::Stacked,
            Form::Threes => Items::Threes,
            Form::Thirds => Items::Thirds,
            Form::Rows => Items::Rows,
            Form::Lists => Items::Lists {
                offsets: self.list_offsets.list(ok)?.ok_or(no_offsets())?,
                members: self.member_seq.list(ok)?,
            },
        })
    }
    /// The same on a device.
    #[cfg(feature = "cuda")]
    fn items_on_device(&self, terms: &[Term<'_>], ok: &Checked) -> Result<truing_cuda::preference::Items> {
        use truing_cuda::preference::Items;
        Ok(match self.form(terms, false)? {
            Form::Indexed => Items::Indexed {
                chosen: self.chosen_seq.list(ok)?.ok_or(no_index("groups.chosen_seq"))?,
                rejected: self.rejected_seq.list(ok)?.ok_or(no_index("groups.rejected_seq"))?,
                anchor: self.anchor_seq.list(ok)?,
            },
            Form::Interleaved => Items::Interleaved,
            Form::Stacked => Items::Stacked,
            Form::Threes => Items::Threes,
            Form::Thirds => Items::Thirds,
            Form::Rows => Items::Rows,
            Form::Lists => Items::Lists {
                offsets: self.list_offsets.list(ok)?.ok_or(no_offsets())?,
                members: self.member_seq.list(ok)?,
            },
        })
    }
    fn form(&self, terms: &[Term<'_>], side: bool) -> Result<Form> {
        let id = terms[0].id;
        let anchored = side || terms.iter().any(|t| catalog::info(t.id).is_some_and(|i| i.about.reads(slot::ANCHOR)));
        let wrong = |got| Error::invalid("loss.id", got, Value::Text("an entry of kind pair, unpaired or list"));
        let info = catalog::info(id).ok_or(wrong(Value::Int(id.into())))?;
        let pair = self.layout == TRUING_LAYOUT_INDEXED;
        if !(info.kind == Kind::Pair && pair) {
            let expected = "NULL without pairs and TRUING_LAYOUT_INDEXED";
            absent("groups.chosen_seq", &self.chosen_seq, expected)?;
            absent("groups.rejected_seq", &self.rejected_seq, expected)?;
            absent("groups.anchor_seq", &self.anchor_seq, expected)?;
        }
        if info.kind != Kind::List {
            absent("groups.list_offsets", &self.list_offsets, "NULL without an entry of kind list")?;
            absent("groups.member_seq", &self.member_seq, "NULL without an entry of kind list")?;
        }
        if info.kind != Kind::Pair {
            idle("groups.layout", &self.layout, "0 without an entry of kind pair")?;
        }
        Ok(match info.kind {
            Kind::Pair => match self.layout {
                TRUING_LAYOUT_INDEXED => Form::Indexed,
                TRUING_LAYOUT_INTERLEAVED if anchored => Form::Threes,
                TRUING_LAYOUT_INTERLEAVED => Form::Interleaved,
                TRUING_LAYOUT_STACKED if anchored => Form::Thirds,
                TRUING_LAYOUT_STACKED => Form::Stacked,
                other => return unknown("groups.layout", other, "TRUING_LAYOUT_*: pairs name their layout"),
            },
            Kind::Unpaired => Form::Rows,
            Kind::List => Form::Lists,
            _ => return Err(wrong(Value::Text(info.about.name))),
        })
    }
    /// The data of the items.
    pub(crate) fn view<'a>(&self, ok: &'a Checked) -> Result<Groups<'a>> {
        Ok(Groups {
            item_mask: self.item_mask.list(ok)?,
            item_weight: self.item_weight.list(ok)?,
            item_beta: self.item_beta.list(ok)?,
            margin_chosen: self.margin_chosen.list(ok)?,
            margin_rejected: self.margin_rejected.list(ok)?,
            label: self.label.list(ok)?,
            baseline: self.baseline.list(ok)?,
            shift: self.shift.list(ok)?,
            list_targets: self.list_targets.list(ok)?,
        })
    }
    /// The same beside the scores, on a device.
    #[cfg(feature = "cuda")]
    fn on_device(&self, scores: truing_cuda::Tensor, ok: &Checked) -> Result<truing_cuda::preference::Inputs> {
        Ok(truing_cuda::preference::Inputs {
            item_mask: self.item_mask.list(ok)?,
            item_weight: self.item_weight.list(ok)?,
            item_beta: self.item_beta.list(ok)?,
            margin_chosen: self.margin_chosen.list(ok)?,
            margin_rejected: self.margin_rejected.list(ok)?,
            label: self.label.list(ok)?,
            baseline: self.baseline.list(ok)?,
            shift: self.shift.list(ok)?,
            list_targets: self.list_targets.list(ok)?,
            ..truing_cuda::preference::Inputs::new(scores)
        })
    }
}
/// How sequences form items, as far as that needs no tensor.
enum Form {
    Indexed,
    Interleaved,
    Stacked,
    Threes,
    Thirds,
    Rows,
    Lists,
}
fn no_index(field: &'static str) -> Error {
    Error::invalid(field, Value::Text("NULL"), Value::Text("sequence indices, as the layout is indexed"))
}
fn no_offsets() -> Error {
    Error::invalid("groups.list_offsets", Value::Text("NULL"), Value::Text("offsets [L + 1]"))
}
fn absent(field: &'static str, input: &Input, expected: &'static str) -> Result<()> {
    match input.is_some() {
        true => Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected))),
        false => Ok(()),
    }
}

/// The tensors of the outputs of a preference call.
pub(crate) struct OutputTensors {
    loss: Output,
    losses: Output,
    reward_chosen: Output,
    reward_rejected: Output,
    grad_scores: Output,
    grad_kl: Output,
    grad_margin: Output,
    grad_margin_chosen: Output,
    grad_margin_rejected: Output,
    grad_baseline: Output,
    grad_params: Output,
    aux: Output,
    statistics: Output,
    status: Output,
    counters: Output,
}
impl OutputTensors {
    pub(crate) fn parse(
        t: &mut Tensors,
        items: &truing_item_outputs,
        outputs: &truing_preference_outputs,
    ) -> Result<Self> {
        Ok(OutputTensors {
            loss: t.output("outputs.out_loss", outputs.out_loss)?,
            losses: t.output("items.out_losses", items.out_losses)?,
            reward_chosen: t.output("items.out_reward_chosen", items.out_reward_chosen)?,
            reward_rejected: t.output("items.out_reward_rejected", items.out_reward_rejected)?,
            grad_scores: t.output("outputs.grad_scores_out", outputs.grad_scores_out)?,
            grad_kl: t.output("outputs.grad_kl_out", outputs.grad_kl_out)?,
            grad_margin: t.output("items.grad_margin_out", items.grad_margin_out)?,
            grad_margin_chosen: t.output("items.grad_margin_chosen_out", items.grad_margin_chosen_out)?,
            grad_margin_rejected: t.output("items.grad_margin_rejected_out", items.grad_margin_rejected_out)?,
            grad_baseline: t.output("items.grad_baseline_out", items.grad_baseline_out)?,
            grad_params: t.output("items.grad_params_out", items.grad_params_out)?,
            aux: t.output("items.out_aux", items.out_aux)?,
            statistics: t.output("items.out_statistics", items.out_statistics)?,
            status: t.output("items.out_status", items.out_status)?,
            counters: t.output("outputs.out_counters", outputs.out_counters)?,
        })
    }
    pub(crate) fn view(self, ok: &Checked) -> Result<Outputs<'_>> {
        Ok(Outputs {
            loss: self.loss.scalar(ok)?,
            losses: self.losses.list(ok)?,
            reward_chosen: self.reward_chosen.list(ok)?,
            reward_rejected: self.reward_rejected.list(ok)?,
            grad_scores: self.grad_scores.list(ok)?,
            grad_kl: self.grad_kl.list(ok)?,
            grad_margin: self.grad_margin.list(ok)?,
            grad_margin_chosen: self.grad_margin_chosen.list(ok)?,
            grad_margin_rejected: self.grad_margin_rejected.list(ok)?,
            grad_baseline: self.grad_baseline.list(ok)?,
            grad_params: self.grad_params.list(ok)?,
            aux: self.aux.list(ok)?,
            statistics: self.statistics.array(ok)?,
            status: self.status.list(ok)?,
            counters: self.counters.array(ok)?,
        })
    }
    #[cfg(feature = "cuda")]
    fn on_device(self, ok: &Checked) -> Result<truing_cuda::preference::Outputs> {
        Ok(truing_cuda::preference::Outputs {
            loss: self.loss.scalar(ok)?,
            losses: self.losses.list(ok)?,
            reward_chosen: self.reward_chosen.list(ok)?,
            reward_rejected: self.reward_rejected.list(ok)?,
            grad_scores: self.grad_scores.list(ok)?,
            grad_kl: self.grad_kl.list(ok)?,
            grad_margin: self.grad_margin.list(ok)?,
            grad_margin_chosen: self.grad_margin_chosen.list(ok)?,
            grad_margin_rejected: self.grad_margin_rejected.list(ok)?,
            grad_baseline: self.grad_baseline.list(ok)?,
            grad_params: self.grad_params.list(ok)?,
            aux: self.aux.list(ok)?,
            statistics: self.statistics.list(ok)?,
            status: self.status.list(ok)?,
            counters: self.counters.list(ok)?,
        })
    }
}
