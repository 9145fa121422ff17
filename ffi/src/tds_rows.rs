//! `truing_tds_rows`: how far the rows of two models have moved apart.
use crate::abi::*;
use crate::boundary::{guard, no_workspace, unavailable};
use crate::logprob::{FORWARD_FLAGS, RowTensors, options};
use crate::tensor::{Call, Checked, Input, Leading};
use truing_core::logprob::{Problem, TransformInputs};
use truing_core::tds_rows::Figures;
use truing_core::{Error, Result, Value};
use truing_cpu::tds_rows::Side;

/// Rank of every token under the base model and KL between the models; see `truing_tds_rows_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tds_rows(args: *const truing_tds_rows_args) -> truing_status {
    guard("truing_tds_rows", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::open(args, FORWARD_FLAGS) }?;
        unavailable!(args; base_transform.logit_round, aligned_transform.logit_round);
        let base = t.required("base", args.base)?;
        let aligned = t.required("aligned", args.aligned)?;
        let base_bias = t.input("base_transform.bias", args.base_transform.bias)?;
        let base_t = t.input("base_transform.row_temperature", args.base_transform.row_temperature)?;
        let aligned_bias = t.input("aligned_transform.bias", args.aligned_transform.bias)?;
        let aligned_t = t.input("aligned_transform.row_temperature", args.aligned_transform.row_temperature)?;
        let rows = RowTensors::parse(&mut t, &args.rows)?;
        let rank = t.output("out_rank", args.out_rank)?;
        let ties = t.output("out_ties", args.out_ties)?;
        let eta = t.output("out_eta", args.out_eta)?;
        let eta_max = t.output("out_eta_max", args.out_eta_max)?;
        let logp_base = t.output("out_logp_base", args.out_logp_base)?;
        let logp_aligned = t.output("out_logp_aligned", args.out_logp_aligned)?;
        let kl_aligned_base = t.output("out_kl_aligned_base", args.out_kl_aligned_base)?;
        let kl_base_aligned = t.output("out_kl_base_aligned", args.out_kl_base_aligned)?;
        let class = t.output("out_class", args.out_class)?;
        let counts = t.output("out_counts", args.out_counts)?;
        let status = t.output("out_status", args.out_status)?;

        let ok = &t.check()?;
        let (n, v) = match *base.dims() {
            [n, v] => (n, v),
            [b, t, v] => (b * t, v),
            _ => {
                let got = Value::Int(base.dims().len() as i64);
                return Err(Error::shape("base", got, Value::Text("2 dimensions, [N, V], or 3, [B, T, V]")));
            }
        };
        let tokens = &Leading::new(&base.dims()[..base.dims().len() - 1]);
        let sides =
            [side(ok, tokens, &base, &base_bias, &base_t)?, side(ok, tokens, &aligned, &aligned_bias, &aligned_t)?];
        let problem = |transform, names| {
            let problem = options(transform, &args.rows, args.flags).and_then(|o| Problem::new(n, v, o));
            problem.map_err(|e| rename(e, names))
        };
        let problems = [&problem(&args.base_transform, BASE)?, &problem(&args.aligned_transform, ALIGNED)?];
        let out = Figures {
            rank: rank.tokens(ok, tokens)?,
            ties: ties.tokens(ok, tokens)?,
            eta: eta.tokens(ok, tokens)?,
            eta_max: eta_max.tokens(ok, tokens)?,
            logp_base: logp_base.tokens(ok, tokens)?,
            logp_aligned: logp_aligned.tokens(ok, tokens)?,
            kl_aligned_base: kl_aligned_base.tokens(ok, tokens)?,
            kl_base_aligned: kl_base_aligned.tokens(ok, tokens)?,
            class: class.tokens(ok, tokens)?,
            status: status.tokens(ok, tokens)?,
        };
        truing_cpu::tds_rows::tds_rows(&context, problems, sides, rows.view(ok, tokens)?, out, counts.array(ok)?)
    })
}

/// Bytes of workspace for `truing_tds_rows`: 0.
///
/// # Safety
/// As for `truing_tds_rows`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tds_rows_workspace_size(
    args: *const truing_tds_rows_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_tds_rows_workspace_size", || unsafe { no_workspace(args, FORWARD_FLAGS, minimum, preferred) })
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
