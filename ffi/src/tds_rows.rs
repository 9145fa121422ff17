//! `truing_tds_rows`: how far the rows of two models have moved apart.
use crate::abi::*;
use crate::boundary::{guard, sizes, unavailable};
use crate::logprob::{FORWARD_FLAGS, RowTensors, options};
use crate::tensor::{Call, Checked, Input, Leading, Output};
use truing_core::logprob::{Problem, TransformInputs};
use truing_core::tds_rows::Figures;
use truing_core::{Error, Result, Value};
use truing_cpu::tds_rows::Side;

/// Rank of every token under the base model and KL between the models; see `truing_tds_rows_args`. No workspace on the CPU.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tds_rows(args: *const truing_tds_rows_args) -> truing_status {
    guard("truing_tds_rows", || {
        // SAFETY: this function's contract.
        let open = unsafe { Open::new(args) }?;
        #[cfg(feature = "cuda")]
        if open.call.tensors.on_device() {
            return open.on_device(false).map(|_| ());
        }
        open.run()
    })
}

/// Bytes of workspace for `truing_tds_rows`: 0 on the CPU; of a device's memory for CUDA tensors.
///
/// # Safety
/// As for `truing_tds_rows`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tds_rows_workspace_size(
    args: *const truing_tds_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_tds_rows_workspace_size", || {
        // SAFETY: this function's contract.
        let open = unsafe { Open::new(args) }?;
        #[cfg(feature = "cuda")]
        if open.call.tensors.on_device() {
            let need = open.on_device(true)?;
            // SAFETY: this function's contract.
            return unsafe { sizes(minimum, preferred, (need, need)) };
        }
        open.call.tensors.check()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (0, 0)) }
    })
}

/// A call whose fields have been read.
struct Open {
    call: Call<truing_tds_rows_args>,
    logits: [Input; 2],
    bias: [Input; 2],
    row_temperature: [Input; 2],
    rows: RowTensors,
    /// rank, ties, eta, eta_max, logp_base, logp_aligned, kl_aligned_base, kl_base_aligned
    figures: [Output; 8],
    class: Output,
    counts: Output,
    status: Output,
    problems: [Problem; 2],
    tokens: Leading,
}
impl Open {
    /// # Safety
    /// As for [`Call::anywhere`].
    unsafe fn new(args: *const truing_tds_rows_args) -> Result<Open> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::anywhere(args, FORWARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        unavailable!(args; base_transform.logit_round, aligned_transform.logit_round);
        let logits = [t.required("base", args.base)?, t.required("aligned", args.aligned)?];
        let base_bias = t.input("base_transform.bias", args.base_transform.bias)?;
        let base_t = t.input("base_transform.row_temperature", args.base_transform.row_temperature)?;
        let aligned_bias = t.input("aligned_transform.bias", args.aligned_transform.bias)?;
        let aligned_t = t.input("aligned_transform.row_temperature", args.aligned_transform.row_temperature)?;
        let rows = RowTensors::parse(t, &args.rows)?;
        let figures = [
            t.output("out_rank", args.out_rank)?,
            t.output("out_ties", args.out_ties)?,
            t.output("out_eta", args.out_eta)?,
            t.output("out_eta_max", args.out_eta_max)?,
            t.output("out_logp_base", args.out_logp_base)?,
            t.output("out_logp_aligned", args.out_logp_aligned)?,
            t.output("out_kl_aligned_base", args.out_kl_aligned_base)?,
            t.output("out_kl_base_aligned", args.out_kl_base_aligned)?,
        ];
        let class = t.output("out_class", args.out_class)?;
        let counts = t.output("out_counts", args.out_counts)?;
        let status = t.output("out_status", args.out_status)?;
        let dims = logits[0].dims();
        let (n, v) = match *dims {
            [n, v] => (n, v),
            [b, t, v] => (b * t, v),
            _ => {
                let got = Value::Int(dims.len() as i64);
                return Err(Error::shape("base", got, Value::Text("2 dimensions, [N, V], or 3, [B, T, V]")));
            }
        };
        let tokens = Leading::new(&dims[..dims.len() - 1]);
        let problem = |transform, names| {
            let problem = options(transform, &args.rows, args.flags).and_then(|o| Problem::new(n, v, o));
            problem.map_err(|e| rename(e, names))
        };
        let problems = [problem(&args.base_transform, BASE)?, problem(&args.aligned_transform, ALIGNED)?];
        let (bias, row_temperature) = ([base_bias, aligned_bias], [base_t, aligned_t]);
        Ok(Open { logits, bias, row_temperature, rows, figures, class, counts, status, problems, tokens, call })
    }
    fn run(self) -> Result<()> {
        let Call { context, tensors, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let side = |i: usize| side(ok, tokens, &self.logits[i], &self.bias[i], &self.row_temperature[i]);
        let sides = [side(0)?, side(1)?];
        let [rank, ties, eta, eta_max, logp_base, logp_aligned, kl_aligned_base, kl_base_aligned] = self.figures;
        let out = Figures {
            rank: rank.tokens(ok, tokens)?,
            ties: ties.tokens(ok, tokens)?,
            eta: eta.tokens(ok, tokens)?,
            eta_max: eta_max.tokens(ok, tokens)?,
            logp_base: logp_base.tokens(ok, tokens)?,
            logp_aligned: logp_aligned.tokens(ok, tokens)?,
            kl_aligned_base: kl_aligned_base.tokens(ok, tokens)?,
            kl_base_aligned: kl_base_aligned.tokens(ok, tokens)?,
            class: self.class.tokens(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        };
        let ([base, aligned], rows) = (&self.problems, self.rows.view(ok, tokens)?);
        truing_cpu::tds_rows::tds_rows(&context, [base, aligned], sides, rows, out, self.counts.array(ok)?)
    }
    /// Runs, or says what workspace that takes.
    #[cfg(feature = "cuda")]
    fn on_device(self, measure: bool) -> Result<usize> {
        use truing_cuda::divergence::Side;
        use truing_cuda::tds_rows as device;
        let Call { context, tensors, workspace, .. } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let side = |i: usize| -> Result<Side> {
            Ok(Side {
                bias: self.bias[i].list(ok)?,
                row_temperature: self.row_temperature[i].tokens(ok, tokens)?,
                ..Side::new(self.logits[i].rows(ok, tokens)?.expect("required"))
            })
        };
        let sides = [side(0)?, side(1)?];
        let (target, mask) = self.rows.on_device(ok, tokens)?;
        let [rank, ties, eta, eta_max, logp_base, logp_aligned, kl_aligned_base, kl_base_aligned] = self.figures;
        let out = device::Figures {
            rank: rank.tokens(ok, tokens)?,
            ties: ties.tokens(ok, tokens)?,
            eta: eta.tokens(ok, tokens)?,
            eta_max: eta_max.tokens(ok, tokens)?,
            logp_base: logp_base.tokens(ok, tokens)?,
            logp_aligned: logp_aligned.tokens(ok, tokens)?,
            kl_aligned_base: kl_aligned_base.tokens(ok, tokens)?,
            kl_base_aligned: kl_base_aligned.tokens(ok, tokens)?,
            class: self.class.tokens(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
            counts: self.counts.list(ok)?,
        };
        let ([base, aligned], space) = (&self.problems, workspace.space(ok));
        let need = device::tds_rows_workspace([base, aligned])?.minimum;
        if !measure {
            context.launch(ok, |kernels, stream| {
                let rows = device::Rows { target, mask };
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output or the workspace.
                unsafe { device::tds_rows(kernels, stream, [base, aligned], sides, rows, &out, space) }
            })?;
        }
        Ok(need)
    }
}

fn side<'a>(ok: &'a Checked, tokens: &Leading, logits: &Input, bias: &Input, temperature: &Input) -> Result<Side<'a>> {
    let transform = TransformInputs { bias: bias.list(ok)?, row_temperature: temperature.tokens(ok, tokens)? };
    Ok(Side { logits: logits.rows(ok, tokens)?.expect("required"), transform })
}
/// The core's names of a transform's settings, and those of a side.
type Names = [(&'static str, &'static str); 5];
macro_rules! names {
    ($side:literal: $($field:literal)*) => {
        [("logits", $side), $( (concat!("transform.", $field), concat!($side, "_transform.", $field)) ),*]
    };
}
const BASE: Names = names!("base": "logit_scale" "softcap" "temperature" "n_valid_vocab");
const ALIGNED: Names = names!("aligned": "logit_scale" "softcap" "temperature" "n_valid_vocab");
fn rename(e: Error, names: Names) -> Error {
    let field = names.iter().find(|(core, _)| *core == e.field).map_or(e.field, |(_, own)| *own);
    Error { field, ..e }
}
