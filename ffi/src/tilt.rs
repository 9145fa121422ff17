//! Tilted distributions, Renyi divergences of arrays, the best of n; see `truing_core::tilt`.
use crate::abi::*;
use crate::boundary::{guard, idle, no_workspace, sizes, yes};
use crate::tensor::{Call, Leading};
use truing_core::Result;
use truing_core::tilt::{
    BestOfN, BestOfNEstimate, BestOfNEstimateOut, BestOfNOut, Pairing, Renyi, RenyiOut, Tilt, TiltOut,
};

const FLAGS: u64 = TRUING_STRICT;

/// Rows tilted by alpha times a reward, figures and gradients; see `truing_tilt_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tilt(args: *const truing_tilt_args) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_tilt", || unsafe { tilt(args, false) })
}
/// The alpha that tilts a row so far that its KL to the row is a target; see `truing_tilt_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tilt_solve(args: *const truing_tilt_args) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_tilt_solve", || unsafe { tilt(args, true) })
}
/// # Safety
/// As for [`Call::open`].
unsafe fn tilt(args: *const truing_tilt_args, solve: bool) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
    let logps = t.required("logps", args.logps)?;
    let rewards = t.required("rewards", args.rewards)?;
    let alpha = if solve {
        const GIVEN: &str = "NULL where alpha is solved for";
        idle("alpha", &args.alpha, GIVEN)?;
        idle("grad_log_z", &args.grad_log_z, GIVEN)?;
        idle("grad_kl", &args.grad_kl, GIVEN)?;
        t.required("target", args.target)?
    } else {
        idle("target", &args.target, "NULL with alpha")?;
        idle("out_alpha", &args.out_alpha, "NULL with alpha")?;
        t.required("alpha", args.alpha)?
    };
    let grad_log_z = t.input("grad_log_z", args.grad_log_z)?;
    let grad_kl = t.input("grad_kl", args.grad_kl)?;
    macro_rules! outputs {
        ($($place:ident: $field:ident),*) => { $( let $place = t.output(stringify!($field), args.$field)?; )* };
    }
    outputs!(log_tilted: out_log_tilted, log_z: out_log_z, mean: out_mean, variance: out_variance, kl: out_kl,
        found: out_alpha, grad_logps: grad_logps_out, grad_rewards: grad_rewards_out, grad_alpha: grad_alpha_out,
        status: out_status);
    let tokens = &Leading::new(&logps.dims()[..logps.dims().len() - 1]);

    let ok = &t.check()?;
    let x = Tilt {
        logps: logps.rows(ok, tokens)?.expect("required"),
        rewards: rewards.rows(ok, tokens)?.expect("required"),
        alpha: alpha.tokens(ok, tokens)?.expect("required"),
        solve,
        grad_log_z: grad_log_z.tokens(ok, tokens)?,
        grad_kl: grad_kl.tokens(ok, tokens)?,
    };
    let out = TiltOut {
        log_tilted: log_tilted.rows(ok, tokens)?,
        log_z: log_z.tokens(ok, tokens)?,
        mean: mean.tokens(ok, tokens)?,
        variance: variance.tokens(ok, tokens)?,
        kl: kl.tokens(ok, tokens)?,
        alpha: found.tokens(ok, tokens)?,
        grad_logps: grad_logps.rows(ok, tokens)?,
        grad_rewards: grad_rewards.rows(ok, tokens)?,
        grad_alpha: grad_alpha.tokens(ok, tokens)?,
        status: status.tokens(ok, tokens)?,
    };
    truing_cpu::tilt::tilt(&context, &x, out)
}

/// Renyi's divergence of two arrays and its gradients; see `truing_renyi_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_renyi_array(args: *const truing_renyi_args) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_renyi_array", || unsafe { renyi(args, Pairing::Divergence) })
}
/// Renyi's cross entropy of two arrays and its gradients; see `truing_renyi_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_renyi_cross_entropy(args: *const truing_renyi_args) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_renyi_cross_entropy", || unsafe { renyi(args, Pairing::CrossEntropy) })
}
/// # Safety
/// As for [`Call::open`].
unsafe fn renyi(args: *const truing_renyi_args, pairing: Pairing) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
    let first = t.required("first", args.first)?;
    let second = t.required("second", args.second)?;
    let grad_values = t.input("grad_values", args.grad_values)?;
    let values = t.output("out_values", args.out_values)?;
    let grad_first = t.output("grad_first_out", args.grad_first_out)?;
    let grad_second = t.output("grad_second_out", args.grad_second_out)?;
    let status = t.output("out_status", args.out_status)?;
    let tokens = &Leading::new(&first.dims()[..first.dims().len() - 1]);

    let ok = &t.check()?;
    let x = Renyi {
        first: first.rows(ok, tokens)?.expect("required"),
        second: second.rows(ok, tokens)?.expect("required"),
        order: args.order,
        pairing,
        grad_values: grad_values.tokens(ok, tokens)?,
    };
    let out = RenyiOut {
        values: values.tokens(ok, tokens)?,
        grad_first: grad_first.rows(ok, tokens)?,
        grad_second: grad_second.rows(ok, tokens)?,
        status: status.tokens(ok, tokens)?,
    };
    truing_cpu::tilt::renyi(&context, &x, out)
}

/// Distribution, KL and win rate of the best of n draws; see `truing_best_of_n_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_best_of_n_exact(args: *const truing_best_of_n_args) -> truing_status {
    guard("truing_best_of_n_exact", || {
        // SAFETY: this function's contract.
        unsafe { best_of_n(args, truing_cpu::tilt::best_of_n) }
    })
}
/// Bytes of workspace for `truing_best_of_n_exact`.
///
/// # Safety
/// As for `truing_best_of_n_exact`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_best_of_n_exact_workspace_size(
    args: *const truing_best_of_n_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_best_of_n_exact_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe {
            best_of_n(args, |x, _, _| {
                let need = truing_cpu::tilt::best_of_n_workspace(x);
                sizes(minimum, preferred, (need.minimum, need.preferred))
            })
        }
    })
}
/// # Safety
/// As for [`Call::open`].
unsafe fn best_of_n(
    args: *const truing_best_of_n_args,
    run: impl FnOnce(&BestOfN<'_>, BestOfNOut<'_>, &mut [u8]) -> Result<()>,
) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, tensors: mut t, workspace, .. } = unsafe { Call::open(args, FLAGS) }?;
    let logps = t.required("logps", args.logps)?;
    let rewards = t.required("rewards", args.rewards)?;
    let log_pmf = t.output("out_log_pmf", args.out_log_pmf)?;
    let kl = t.output("out_kl", args.out_kl)?;
    let win_rate = t.output("out_win_rate", args.out_win_rate)?;
    let status = t.output("out_status", args.out_status)?;
    let worst = yes("worst", args.worst)?;
    let tokens = &Leading::new(&logps.dims()[..logps.dims().len() - 1]);

    let ok = &t.check()?;
    let x = BestOfN {
        logps: logps.rows(ok, tokens)?.expect("required"),
        rewards: rewards.rows(ok, tokens)?.expect("required"),
        n: args.n,
        worst,
    };
    let out = BestOfNOut {
        log_pmf: log_pmf.rows(ok, tokens)?,
        kl: kl.tokens(ok, tokens)?,
        win_rate: win_rate.tokens(ok, tokens)?,
        status: status.tokens(ok, tokens)?,
    };
    run(&x, out, workspace.bytes(ok))
}

/// Estimate of the KL of the best of n draws from the chosen one; see `truing_best_of_n_kl_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_best_of_n_kl_estimate(args: *const truing_best_of_n_kl_args) -> truing_status {
    guard("truing_best_of_n_kl_estimate", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::open(args, FLAGS) }?;
        let logps = t.required("logps", args.logps)?;
        let kl = t.output("out_kl", args.out_kl)?;
        let status = t.output("out_status", args.out_status)?;
        let tokens = &Leading::new(logps.dims());

        let ok = &t.check()?;
        let x = BestOfNEstimate { logps: logps.tokens(ok, tokens)?.expect("required"), n: args.n };
        let out = BestOfNEstimateOut { kl: kl.tokens(ok, tokens)?, status: status.tokens(ok, tokens)? };
        truing_cpu::tilt::best_of_n_estimate(&context, &x, out)
    })
}
/// Bytes of workspace for `truing_best_of_n_kl_estimate`: 0.
///
/// # Safety
/// As for `truing_best_of_n_kl_estimate`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_best_of_n_kl_estimate_workspace_size(
    args: *const truing_best_of_n_kl_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_best_of_n_kl_estimate_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_tilt`: 0.
///
/// # Safety
/// As for `truing_tilt`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tilt_workspace_size(
    args: *const truing_tilt_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_tilt_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_tilt_solve`: 0.
///
/// # Safety
/// As for `truing_tilt_solve`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_tilt_solve_workspace_size(
    args: *const truing_tilt_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_tilt_solve_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_renyi_array`: 0.
///
/// # Safety
/// As for `truing_renyi_array`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_renyi_array_workspace_size(
    args: *const truing_renyi_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_renyi_array_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_renyi_cross_entropy`: 0.
///
/// # Safety
/// As for `truing_renyi_cross_entropy`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_renyi_cross_entropy_workspace_size(
    args: *const truing_renyi_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_renyi_cross_entropy_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}
