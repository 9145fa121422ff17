//! `truing_support_mask`, and the parsing of sampling supports that the log-probs share.
use crate::abi::*;
use crate::boundary::{guard, idle, sizes, unavailable, unknown};
use crate::logprob::{FORWARD_FLAGS, RowTensors, TransformTensors, options, problem};
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::Result;
use truing_core::logprob::Problem;
use truing_core::support::{Edge, Filters, Lists, Outside, Preset, Support, SupportFigures, Ties};
use truing_cpu::logprob::{Inputs, Over};

/// What the filters of a sampler keep of every row; see `truing_support_mask_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_support_mask(args: *const truing_support_mask_args) -> truing_status {
    guard("truing_support_mask", || {
        // SAFETY: this function's contract.
        let call = unsafe { MaskCall::open(args) }?;
        #[cfg(feature = "cuda")]
        if call.call.tensors.on_device() {
            return call.on_device(false).map(|_| ());
        }
        call.run()
    })
}

/// Bytes of workspace for `truing_support_mask`; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_support_mask`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_support_mask_workspace_size(
    args: *const truing_support_mask_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_support_mask_workspace_size", || {
        // SAFETY: this function's contract.
        let call = unsafe { MaskCall::open(args) }?;
        #[cfg(feature = "cuda")]
        if call.call.tensors.on_device() {
            let need = call.on_device(true)?;
            // SAFETY: this function's contract.
            return unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) };
        }
        let need = truing_cpu::support::support_mask_workspace(&call.call.context, &call.problem);
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// A mask whose fields have been read.
struct MaskCall {
    call: Call<truing_support_mask_args>,
    filters: Filters,
    logits: Input,
    transform: TransformTensors,
    rows: RowTensors,
    bitmask: Output,
    ids: Output,
    size: Output,
    status: Output,
    problem: Problem,
    tokens: Leading,
}
impl MaskCall {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn open(args: *const truing_support_mask_args) -> Result<MaskCall> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FORWARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        unavailable!(args; transform.logit_round);
        let filters = mask_filters(&args.support)?;
        let logits = t.required("logits", args.logits)?;
        let transform = TransformTensors::parse(t, &args.transform)?;
        let rows = RowTensors::parse(t, &args.rows)?;
        let bitmask = t.output("out_bitmask", args.out_bitmask)?;
        let ids = t.output("out_ids", args.out_ids)?;
        let size = t.output("out_size", args.out_size)?;
        let status = t.output("out_status", args.out_status)?;
        let options = options(&args.transform, &args.rows, args.flags)?;
        let (problem, tokens) = problem(logits.dims(), options, &truing_shard::ZERO)?;
        Ok(MaskCall { call, filters, logits, transform, rows, bitmask, ids, size, status, problem, tokens })
    }
    fn run(self) -> Result<()> {
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let logits = self.logits.rows(ok, tokens)?.expect("required");
        let inputs = Inputs::new(logits, self.transform.view(ok, tokens)?, self.rows.view(ok, tokens)?);
        let out = SupportFigures {
            bitmask: self.bitmask.rows(ok, tokens)?,
            ids: self.ids.rows(ok, tokens)?,
            size: self.size.tokens(ok, tokens)?,
            ..SupportFigures::default()
        };
        let (status, workspace) = (self.status.tokens(ok, tokens)?, workspace.bytes(ok));
        truing_cpu::support::support_mask(&context, &self.problem, inputs, &self.filters, out, status, workspace)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, measure: bool) -> Result<truing_core::matrix::Workspace> {
        use truing_cuda::logprob::{Inputs, extra};
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let (target, mask) = self.rows.on_device(ok, tokens)?;
        let (bias, row_temperature) = self.transform.on_device(ok, tokens)?;
        let logits = self.logits.rows(ok, tokens)?.expect("required");
        let inputs = Inputs { bias, row_temperature, mask, ..Inputs::new(logits, target) };
        let out = extra::MaskFigures {
            bitmask: self.bitmask.rows(ok, tokens)?,
            ids: self.ids.rows(ok, tokens)?,
            size: self.size.tokens(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        };
        let (filters, space) = (&self.filters, workspace.space(ok));
        let need = extra::support_mask_workspace(problem, &inputs, filters);
        if !measure {
            context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
                unsafe { extra::support_mask(kernels, stream, problem, &inputs, filters, &out, space) }
            })?;
        }
        Ok(need)
    }
}

fn mask_filters(f: &truing_support) -> Result<Filters> {
    if f.kind != TRUING_SUPPORT_COMPUTED {
        return unknown("support.kind", f.kind, "TRUING_SUPPORT_COMPUTED");
    }
    nothing_given(f)?;
    idle("support.target_outside", &f.target_outside, "0: targets belong to log-probs")?;
    filters(f)
}
/// Refuses given columns beside filters.
fn nothing_given(f: &truing_support) -> Result<()> {
    const COMPUTED: &str = "NULL with TRUING_SUPPORT_COMPUTED";
    idle("support.bitmask", &f.bitmask, COMPUTED)?;
    idle("support.ids", &f.ids, COMPUTED)?;
    idle("support.id_offsets", &f.id_offsets, COMPUTED)
}
fn filters(f: &truing_support) -> Result<Filters> {
    let preset = match f.preset {
        TRUING_FILTER_VLLM => Preset::Vllm,
        TRUING_FILTER_HF => Preset::Hf,
        TRUING_FILTER_SGLANG => Preset::Sglang,
        other => return unknown("support.preset", other, "TRUING_FILTER_*"),
    };
    let ties = match f.ties {
        0 => None,
        TRUING_TIES_INDEX => Some(Ties::Index),
        TRUING_TIES_ALL => Some(Ties::All),
        other => return unknown("support.ties", other, "0 or TRUING_TIES_*"),
    };
    let edge = match f.top_p_edge {
        0 => None,
        TRUING_TOP_P_STRICT => Some(Edge::Strict),
        TRUING_TOP_P_INCLUSIVE => Some(Edge::Inclusive),
        other => return unknown("support.top_p_edge", other, "0 or TRUING_TOP_P_*"),
    };
    Filters::new(preset, f.top_k, f.top_p, f.min_p, ties, edge)
}

/// A sampling support of a log-prob, its tensors parsed.
pub(crate) struct SupportTensors {
    kind: Kind,
    outside: Outside,
}
enum Kind {
    Bitmask(Input),
    Ids(Input, Input),
    Computed(Filters),
}
impl SupportTensors {
    /// `None` is the full vocabulary.
    pub(crate) fn parse(t: &mut Tensors, f: &truing_support) -> Result<Option<Self>> {
        const OTHER: &str = "0 or NULL with this support.kind";
        if f.kind != TRUING_SUPPORT_COMPUTED {
            idle("support.top_p", &f.top_p, OTHER)?;
            idle("support.min_p", &f.min_p, OTHER)?;
            idle("support.top_k", &f.top_k, OTHER)?;
            idle("support.preset", &f.preset, OTHER)?;
            idle("support.ties", &f.ties, OTHER)?;
            idle("support.top_p_edge", &f.top_p_edge, OTHER)?;
        }
        if f.kind != TRUING_SUPPORT_BITMASK {
            idle("support.bitmask", &f.bitmask, OTHER)?;
        }
        if f.kind != TRUING_SUPPORT_IDS {
            idle("support.ids", &f.ids, OTHER)?;
            idle("support.id_offsets", &f.id_offsets, OTHER)?;
        }
        let kind = match f.kind {
            0 => {
                idle("support.target_outside", &f.target_outside, OTHER)?;
                return Ok(None);
            }
            TRUING_SUPPORT_BITMASK => Kind::Bitmask(t.required("support.bitmask", f.bitmask)?),
            TRUING_SUPPORT_IDS => {
                let ids = t.required("support.ids", f.ids)?;
                Kind::Ids(ids, t.input("support.id_offsets", f.id_offsets)?)
            }
            TRUING_SUPPORT_COMPUTED => Kind::Computed(filters(f)?),
            other => return unknown("support.kind", other, "0 or TRUING_SUPPORT_*"),
        };
        let outside = match f.target_outside {
            0 | TRUING_TARGET_KEEP => Outside::Keep,
            TRUING_TARGET_NEG_INF => Outside::NegInf,
            other => return unknown("support.target_outside", other, "0 or TRUING_TARGET_*"),
        };
        Ok(Some(SupportTensors { kind, outside }))
    }
    pub(crate) fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Over<'a>> {
        let support = match &self.kind {
            Kind::Bitmask(m) => Support::Bitmask(m.rows(ok, tokens)?.expect("required")),
            Kind::Ids(ids, offsets) => Support::Lists(match offsets.list(ok)? {
                Some(offsets) => Lists::Packed(ids.list(ok)?.expect("required"), offsets),
                None => Lists::Padded(ids.rows(ok, tokens)?.expect("required")),
            }),
            Kind::Computed(filters) => Support::Computed(*filters),
        };
        Ok(Over { support, outside: self.outside })
    }
    /// The same on a device.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_device(&self, ok: &Checked, tokens: &Leading) -> Result<truing_cuda::logprob::extra::Support> {
        use truing_cuda::logprob::extra::{Columns, Support};
        let columns = match &self.kind {
            Kind::Bitmask(m) => Columns::Bitmask(m.rows(ok, tokens)?.expect("required")),
            Kind::Ids(ids, offsets) => match offsets.list(ok)? {
                Some(offsets) => Columns::Packed(ids.list(ok)?.expect("required"), offsets),
                None => Columns::Padded(ids.rows(ok, tokens)?.expect("required")),
            },
            Kind::Computed(filters) => Columns::Computed(*filters),
        };
        Ok(Support { columns, outside: self.outside })
    }
}

/// The tensors of the figures of a support.
pub(crate) struct SupportFigureTensors {
    lse: Output,
    log_kept_mass: Output,
    size: Output,
    bitmask: Output,
    ids: Output,
}
impl SupportFigureTensors {
    pub(crate) fn parse(t: &mut Tensors, f: &truing_figures, over: bool) -> Result<Self> {
        if !over {
            const NONE: &str = "NULL without a support";
            idle("figures.out_lse_support", &f.out_lse_support, NONE)?;
            idle("figures.out_log_kept_mass", &f.out_log_kept_mass, NONE)?;
            idle("figures.out_support_size", &f.out_support_size, NONE)?;
            idle("figures.out_support_bitmask", &f.out_support_bitmask, NONE)?;
            idle("figures.out_support_ids", &f.out_support_ids, NONE)?;
        }
        Ok(SupportFigureTensors {
            lse: t.output("figures.out_lse_support", f.out_lse_support)?,
            log_kept_mass: t.output("figures.out_log_kept_mass", f.out_log_kept_mass)?,
            size: t.output("figures.out_support_size", f.out_support_size)?,
            bitmask: t.output("figures.out_support_bitmask", f.out_support_bitmask)?,
            ids: t.output("figures.out_support_ids", f.out_support_ids)?,
        })
    }
    pub(crate) fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<SupportFigures<'a>> {
        Ok(SupportFigures {
            lse: self.lse.tokens(ok, tokens)?,
            log_kept_mass: self.log_kept_mass.tokens(ok, tokens)?,
            size: self.size.tokens(ok, tokens)?,
            bitmask: self.bitmask.rows(ok, tokens)?,
            ids: self.ids.rows(ok, tokens)?,
        })
    }
    /// Their places on a device, and none else.
    #[cfg(feature = "cuda")]
    pub(crate) fn on_device(self, ok: &Checked, tokens: &Leading) -> Result<truing_cuda::logprob::extra::Figures> {
        Ok(truing_cuda::logprob::extra::Figures {
            lse_support: self.lse.tokens(ok, tokens)?,
            log_kept_mass: self.log_kept_mass.tokens(ok, tokens)?,
            support_size: self.size.tokens(ok, tokens)?,
            support_bitmask: self.bitmask.rows(ok, tokens)?,
            support_ids: self.ids.rows(ok, tokens)?,
            ..Default::default()
        })
    }
}
