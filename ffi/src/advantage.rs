//! Advantages and returns, and the small operations around them.
use crate::abi::*;
use crate::boundary::{guard, idle, no_workspace, numbers, sizes, unknown, yes};
use crate::policy::level;
#[cfg(feature = "cuda")]
use crate::policy::level_on_device;
#[cfg(feature = "cuda")]
use crate::sequence::layout;
use crate::sequence::segments;
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors, View, ViewMut};
use truing_core::advantage::*;
use truing_core::matrix::Floats;
use truing_core::policy::{Advantage, Level};
use truing_core::{Error, Result, Value};
use truing_cpu::advantage;

const FLAGS: u64 = TRUING_STRICT;

/// Fields that say which rows belong together.
struct GroupInputs {
    offsets: Input,
    ids: Input,
    count: u64,
}
impl GroupInputs {
    fn new(
        t: &mut Tensors,
        offsets: *const truing_tensor,
        ids: *const truing_tensor,
        count: u64,
    ) -> Result<GroupInputs> {
        let all = GroupInputs { offsets: t.input("group_offsets", offsets)?, ids: t.input("group_ids", ids)?, count };
        let wrong = |field, got, expected| Err(Error::invalid(field, Value::Text(got), Value::Text(expected)));
        match (all.offsets.is_some(), all.ids.is_some()) {
            (true, true) => wrong("group_ids", "both", "group_offsets or group_ids"),
            (false, false) => wrong("group_offsets", "nothing", "group_offsets, or group_ids and num_groups"),
            (true, false) => {
                idle("num_groups", &count, "0 with group_offsets")?;
                Ok(all)
            }
            (false, true) => {
                // sizes of the workspace follow from it
                if count > 1 << 40 {
                    return Err(Error::invalid("num_groups", Value::Size(count as usize), Value::Below(0, 1 << 40)));
                }
                Ok(all)
            }
        }
    }
    #[cfg(feature = "cuda")]
    fn on_device(&self, ok: &Checked) -> Result<truing_cuda::advantage::Groups> {
        use truing_cuda::advantage::Groups;
        Ok(match self.offsets.list(ok)? {
            Some(offsets) => Groups::Offsets(offsets),
            None => Groups::Ids { ids: self.ids.list(ok)?.expect("one of both"), groups: self.count as usize },
        })
    }
    fn view<'a>(&self, ok: &'a Checked) -> Result<Groups<'a>> {
        Ok(match self.offsets.list(ok)? {
            Some(offsets) => Groups::Offsets(offsets),
            None => Groups::Ids { ids: self.ids.list(ok)?.expect("one of both"), groups: self.count as usize },
        })
    }
}
/// What is asked of an operation: its results, or the bytes of workspace that it needs (places for minimum and preferred).
#[derive(Clone, Copy)]
enum Wanted {
    Results,
    Sizes(*mut usize, *mut usize),
}
impl Wanted {
    /// Writes the sizes if they are wanted, else runs.
    ///
    /// # Safety
    /// As for [`sizes`].
    unsafe fn of(self, need: truing_core::matrix::Workspace, run: impl FnOnce() -> Result<()>) -> Result<()> {
        match self {
            Wanted::Results => run(),
            // SAFETY: this function's contract.
            Wanted::Sizes(minimum, preferred) => unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) },
        }
    }
}
fn std_kind(x: truing_std_kind) -> Result<StdKind> {
    match x {
        TRUING_STD_UNBIASED => Ok(StdKind::Unbiased),
        TRUING_STD_POPULATION => Ok(StdKind::Population),
        other => unknown("std_kind", other, "TRUING_STD_*"),
    }
}
fn eps_kind(x: truing_eps_kind) -> Result<EpsKind> {
    match x {
        TRUING_EPS_ADD => Ok(EpsKind::Add),
        TRUING_EPS_SKIP_ZERO => Ok(EpsKind::SkipZero),
        TRUING_EPS_VARIANCE_ADD => Ok(EpsKind::VarianceAdd),
        TRUING_EPS_VARIANCE_MAX => Ok(EpsKind::VarianceMax),
        other => unknown("eps_kind", other, "TRUING_EPS_*"),
    }
}
/// The settings of a preset.
fn preset(
    preset: truing_advantage_preset,
    baseline: truing_baseline,
    scale: truing_advantage_scale,
) -> Result<GroupOptions> {
    Ok(GroupOptions::preset(match preset {
        TRUING_ADVANTAGE_GRPO => Preset::Grpo,
        TRUING_ADVANTAGE_GRPO_BATCH_STD => Preset::GrpoBatchStd,
        TRUING_ADVANTAGE_DR_GRPO => Preset::DrGrpo,
        TRUING_ADVANTAGE_RLOO => Preset::Rloo,
        TRUING_ADVANTAGE_GRPO_LOO => Preset::GrpoLoo,
        TRUING_ADVANTAGE_BATCH_BASELINE => Preset::BatchBaseline,
        TRUING_ADVANTAGE_OPO => Preset::Opo,
        TRUING_ADVANTAGE_GPG => Preset::Gpg,
        TRUING_ADVANTAGE_MAX_RL => Preset::MaxRl,
        TRUING_ADVANTAGE_RAW => Preset::Raw,
        // both are given: the neutral settings but for them
        0 if baseline != 0 && scale != 0 => Preset::DrGrpo,
        0 => return unknown("preset", 0, "TRUING_ADVANTAGE_*, or baseline and scale"),
        other => return unknown("preset", other, "TRUING_ADVANTAGE_*"),
    }))
}
/// Settings, and what is set beside them.
fn options(
    mut all: GroupOptions,
    baseline: truing_baseline,
    scale: truing_advantage_scale,
    std: truing_std_kind,
    eps: truing_eps_kind,
    single: truing_single,
) -> Result<GroupOptions> {
    match baseline {
        0 => {}
        TRUING_BASELINE_NONE => all.baseline = Baseline::None,
        TRUING_BASELINE_GROUP => all.baseline = Baseline::Group,
        TRUING_BASELINE_LEAVE_ONE_OUT => all.baseline = Baseline::LeaveOneOut,
        TRUING_BASELINE_BATCH => all.baseline = Baseline::Batch,
        TRUING_BASELINE_LENGTH_WEIGHTED => all.baseline = Baseline::LengthWeighted,
        other => return unknown("baseline", other, "TRUING_BASELINE_*"),
    }
    match scale {
        0 => {}
        TRUING_SCALE_NONE => all.scale = Scale::None,
        TRUING_SCALE_GROUP_STD => all.scale = Scale::GroupStd,
        TRUING_SCALE_BATCH_STD => all.scale = Scale::BatchStd,
        TRUING_SCALE_LEAVE_ONE_OUT_STD => all.scale = Scale::LeaveOneOutStd,
        TRUING_SCALE_GROUP_MEAN => all.scale = Scale::GroupMean,
        TRUING_SCALE_NONZERO_SHARE => all.scale = Scale::NonzeroShare,
        other => return unknown("scale", other, "TRUING_SCALE_*"),
    }
    if std != 0 {
        all.std_kind = std_kind(std)?;
    }
    if eps != 0 {
        all.eps_kind = eps_kind(eps)?;
    }
    match single {
        0 => {}
        TRUING_SINGLE_ZERO => all.single = Single::Zero,
        TRUING_SINGLE_RAW => all.single = Single::Raw,
        other => return unknown("single", other, "TRUING_SINGLE_*"),
    }
    Ok(all)
}
/// `[n, m]`, or `[n]` for one column.
fn columns<'a, V: View<'a>>(m: &Input, ok: &'a Checked) -> Result<Option<V>> {
    if m.dims().len() == 2 { m.matrix(ok) } else { m.list(ok) }
}
fn columns_out<'a, V: ViewMut<'a>>(m: Output, ok: &'a Checked) -> Result<Option<V>> {
    if m.dims().len() == 2 { m.matrix(ok) } else { m.list(ok) }
}

/// Advantage of every row from the rewards of its group; see `truing_group_advantage_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields and `params` describe is readable, what its outputs
/// describe is writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_group_advantage(args: *const truing_group_advantage_args) -> truing_status {
    guard("truing_group_advantage", || {
        // SAFETY: this function's contract.
        unsafe { group(args, false, Wanted::Results) }
    })
}

/// Bytes of workspace for `truing_group_advantage`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_group_advantage_workspace_size(
    args: *const truing_group_advantage_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_group_advantage_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { group(args, false, Wanted::Sizes(minimum, preferred)) }
    })
}

/// The best row of every group gets its distance to the second over the group's deviation, all others 0; see
/// `truing_group_advantage_args`, where `preset`, `baseline` and `single` are 0 and `scale` is GROUP_STD (0 too) or NONE.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pass_k_advantage(args: *const truing_group_advantage_args) -> truing_status {
    guard("truing_pass_k_advantage", || {
        // SAFETY: this function's contract.
        unsafe { group(args, true, Wanted::Results) }
    })
}

/// Bytes of workspace for `truing_pass_k_advantage`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pass_k_advantage_workspace_size(
    args: *const truing_group_advantage_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_pass_k_advantage_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { group(args, true, Wanted::Sizes(minimum, preferred)) }
    })
}

/// Settings of the best of a group.
fn best(args: &truing_group_advantage_args) -> Result<GroupOptions> {
    idle("preset", &args.preset, "0 in truing_pass_k_advantage")?;
    idle("baseline", &args.baseline, "0 in truing_pass_k_advantage")?;
    idle("single", &args.single, "0: a group of one is refused")?;
    match args.scale {
        0 | TRUING_SCALE_NONE | TRUING_SCALE_GROUP_STD => Ok(GroupOptions::preset(Preset::PassK)),
        other => unknown("scale", other, "TRUING_SCALE_GROUP_STD or TRUING_SCALE_NONE"),
    }
}

/// # Safety
/// As for [`Call::anywhere`] and [`sizes`]; the host array `params` is readable.
unsafe fn group(args: *const truing_group_advantage_args, pass_k: bool, wanted: Wanted) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let rewards = t.required("rewards", args.rewards)?;
    let lengths = t.input("lengths", args.lengths)?;
    let groups = GroupInputs::new(&mut t, args.group_offsets, args.group_ids, args.num_groups)?;
    let out_advantages = t.output("out_advantages", args.out_advantages)?;
    let out_mean = t.output("out_mean", args.out_mean)?;
    let out_std = t.output("out_std", args.out_std)?;
    let out_status = t.output("out_status", args.out_status)?;
    let usual = if pass_k { best(&args)? } else { preset(args.preset, args.baseline, args.scale)? };
    let options = options(usual, args.baseline, args.scale, args.std_kind, args.eps_kind, args.single)?;
    // SAFETY: this function's contract.
    let options = options.with(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let x = device::GroupAdvantage {
            rewards: rewards.list(ok)?.expect("required"),
            groups: groups.on_device(ok)?,
            lengths: lengths.list(ok)?,
            options,
        };
        let out = device::GroupAdvantageOut {
            advantages: out_advantages.list(ok)?,
            mean: out_mean.list(ok)?,
            std: out_std.list(ok)?,
            status: out_status.list(ok)?,
        };
        let (need, space) = (device::group_advantage_workspace(&x), workspace.space(ok));
        // SAFETY: this function's contract; `check` has found nothing that overlaps an output or the workspace.
        return unsafe {
            wanted.of(need, || {
                context.launch(ok, |kernels, stream| device::group_advantage(kernels, stream, &x, &out, space))
            })
        };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let x = GroupAdvantage {
        rewards: rewards.list(ok)?.expect("required"),
        groups: groups.view(ok)?,
        lengths: lengths.list(ok)?,
        options,
    };
    let out = GroupAdvantageOut {
        advantages: out_advantages.list(ok)?,
        mean: out_mean.list(ok)?,
        std: out_std.list(ok)?,
        status: out_status.list(ok)?,
    };
    // SAFETY: this function's contract.
    unsafe {
        wanted.of(advantage::group_advantage_workspace(&x), || advantage::group_advantage(&x, out, workspace.bytes(ok)))
    }
}

/// Advantage of every row from several rewards; see `truing_multi_objective_advantage_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_multi_objective_advantage_forward(
    args: *const truing_multi_objective_advantage_args,
) -> truing_status {
    guard("truing_multi_objective_advantage_forward", || {
        // SAFETY: this function's contract.
        unsafe { objectives(args, false, Wanted::Results) }
    })
}

/// Gradient of the weights of the rewards; see `truing_multi_objective_advantage_args`. With CUDA tensors it is NaN where the CPU
/// refuses what they hold.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_multi_objective_advantage_backward(
    args: *const truing_multi_objective_advantage_args,
) -> truing_status {
    guard("truing_multi_objective_advantage_backward", || {
        // SAFETY: this function's contract.
        unsafe { objectives(args, true, Wanted::Results) }
    })
}

/// Bytes of workspace for `truing_multi_objective_advantage_forward`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_multi_objective_advantage_forward_workspace_size(
    args: *const truing_multi_objective_advantage_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_multi_objective_advantage_forward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { objectives(args, false, Wanted::Sizes(minimum, preferred)) }
    })
}

/// Bytes of workspace for `truing_multi_objective_advantage_backward`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_multi_objective_advantage_backward_workspace_size(
    args: *const truing_multi_objective_advantage_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_multi_objective_advantage_backward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { objectives(args, true, Wanted::Sizes(minimum, preferred)) }
    })
}

/// # Safety
/// As for [`Call::anywhere`] and [`sizes`]; the host array `params` is readable.
unsafe fn objectives(args: *const truing_multi_objective_advantage_args, backward: bool, wanted: Wanted) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let rewards = t.required("rewards", args.rewards)?;
    let weights = t.input("weights", args.weights)?;
    let lengths = t.input("lengths", args.lengths)?;
    let groups = GroupInputs::new(&mut t, args.group_offsets, args.group_ids, args.num_groups)?;
    let order = match args.order {
        TRUING_ORDER_SUM_FIRST => Order::SumFirst,
        TRUING_ORDER_NORMALISE_FIRST => Order::NormaliseFirst,
        other => return unknown("order", other, "TRUING_ORDER_*"),
    };
    let batch_step = match args.batch_step {
        0 | TRUING_BATCH_STEP_NONE => BatchStep::None,
        _ if order == Order::SumFirst => return unknown("batch_step", args.batch_step, "0 with SUM_FIRST"),
        TRUING_BATCH_STEP_STANDARDISE => BatchStep::Standardise,
        TRUING_BATCH_STEP_SCALE => BatchStep::Scale,
        other => return unknown("batch_step", other, "TRUING_BATCH_STEP_*"),
    };
    let options = options(
        preset(args.preset, args.baseline, args.scale)?,
        args.baseline,
        args.scale,
        args.std_kind,
        args.eps_kind,
        args.single,
    )?;
    // SAFETY: this function's contract.
    let given = unsafe { numbers(args.params, args.num_params) }?;
    let (options, batch_eps) = MultiObjective::params(options, given)?;
    let out_advantages = t.output("out_advantages", args.out_advantages)?;
    let out_combined = t.output("out_combined", args.out_combined)?;
    let out_status = t.output("out_status", args.out_status)?;
    let grad_advantages = t.input("grad_advantages", args.grad_advantages)?;
    let grad_weights_out = t.output("grad_weights_out", args.grad_weights_out)?;
    if backward {
        idle("out_advantages", &args.out_advantages, "NULL in a backward")?;
        idle("out_combined", &args.out_combined, "NULL in a backward")?;
        idle("out_status", &args.out_status, "NULL in a backward")?;
    } else {
        idle("grad_advantages", &args.grad_advantages, "NULL in a forward")?;
        idle("grad_weights_out", &args.grad_weights_out, "NULL in a forward")?;
    }

    let ok = &t.check()?;
    let nothing = |field| Error::invalid(field, Value::Text("NULL"), Value::Text("a tensor in a backward"));
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let x = device::MultiObjective {
            rewards: rewards.matrix(ok)?.expect("required"),
            weights: match weights.dims().len() {
                2 => weights.matrix(ok)?.map(device::Weights::OfRow),
                _ => weights.list(ok)?.map(device::Weights::Shared),
            },
            groups: groups.on_device(ok)?,
            lengths: lengths.list(ok)?,
            options,
            order,
            batch_step,
            batch_eps,
        };
        let space = workspace.space(ok);
        if backward {
            let grad = device::MultiObjectiveGrad {
                grad_advantages: grad_advantages.list(ok)?.ok_or(nothing("grad_advantages"))?,
                grad_weights: columns_out(grad_weights_out, ok)?.ok_or(nothing("grad_weights_out"))?,
            };
            // SAFETY: as for the advantages of groups.
            return unsafe {
                wanted.of(device::multi_objective_backward_workspace(&x), || {
                    context.launch(ok, |kernels, stream| {
                        device::multi_objective_backward(kernels, stream, &x, &grad, space)
                    })
                })
            };
        }
        let out = device::MultiObjectiveOut {
            advantages: out_advantages.list(ok)?,
            combined: out_combined.list(ok)?,
            status: out_status.list(ok)?,
        };
        // SAFETY: as for the advantages of groups.
        return unsafe {
            wanted.of(device::multi_objective_workspace(&x), || {
                context.launch(ok, |kernels, stream| device::multi_objective(kernels, stream, &x, &out, space))
            })
        };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let weights = match weights.dims().len() {
        2 => weights.matrix(ok)?.map(Weights::OfRow),
        _ => weights.list(ok)?.map(Weights::Shared),
    };
    let x = MultiObjective {
        rewards: rewards.matrix(ok)?.expect("required"),
        weights,
        groups: groups.view(ok)?,
        lengths: lengths.list(ok)?,
        options,
        order,
        batch_step,
        batch_eps,
    };
    let out = MultiObjectiveOut {
        advantages: out_advantages.list(ok)?,
        combined: out_combined.list(ok)?,
        status: out_status.list(ok)?,
    };
    let grad = match backward {
        true => Some(MultiObjectiveGrad {
            grad_advantages: grad_advantages.list(ok)?.ok_or(nothing("grad_advantages"))?,
            grad_weights: columns_out(grad_weights_out, ok)?.ok_or(nothing("grad_weights_out"))?,
        }),
        false => None,
    };
    let space = workspace.bytes(ok);
    // SAFETY: this function's contract.
    unsafe {
        wanted.of(advantage::multi_objective_workspace(&x), || match grad {
            Some(grad) => advantage::multi_objective_backward(&x, grad, space),
            None => advantage::multi_objective(&x, out, space),
        })
    }
}

/// Advantages and returns of every sequence; see `truing_gae_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_gae_forward(args: *const truing_gae_args) -> truing_status {
    guard("truing_gae_forward", || {
        // SAFETY: this function's contract.
        unsafe { returns(args, true) }
    })
}

/// Discounted sums of the rewards to come; see `truing_gae_args`, where `values` is NULL. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_discounted_return_forward(args: *const truing_gae_args) -> truing_status {
    guard("truing_discounted_return_forward", || {
        // SAFETY: this function's contract.
        unsafe { returns(args, false) }
    })
}

/// Of GAE where values are `estimated`, else discounted returns.
///
/// # Safety
/// As for [`Call::anywhere`]; the host array `params` is readable.
unsafe fn returns(args: *const truing_gae_args, estimated: bool) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
    let rewards = t.required("rewards", args.rewards)?;
    if estimated {
        idle("baseline", &args.baseline, "NULL: values are the baseline")?;
    } else {
        idle("values", &args.values, "NULL in a discounted return")?;
    }
    let values = if estimated { t.required("values", args.values)? } else { t.input("values", args.values)? };
    let value_end = t.input("value_end", args.value_end)?;
    let baseline = t.input("baseline", args.baseline)?;
    let mask = t.input("mask", args.mask)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let out_advantages = t.output("out_advantages", args.out_advantages)?;
    let out_returns = t.output("out_returns", args.out_returns)?;
    let out_status = t.output("out_status", args.out_status)?;
    idle("grad_advantages", &args.grad_advantages, "NULL in a forward")?;
    idle("grad_returns", &args.grad_returns, "NULL in a forward")?;
    idle("grad_rewards_out", &args.grad_rewards_out, "NULL in a forward")?;
    idle("grad_values_out", &args.grad_values_out, "NULL in a forward")?;
    idle("grad_value_end_out", &args.grad_value_end_out, "NULL in a forward")?;
    let masks = match args.masks {
        TRUING_MASKS_CARRY => Masks::Carry,
        TRUING_MASKS_ZERO => Masks::Zero,
        TRUING_MASKS_IGNORE => Masks::Ignore,
        other => return unknown("masks", other, "TRUING_MASKS_*"),
    };
    // SAFETY: this function's contract.
    let given = unsafe { numbers(args.params, args.num_params) }?;
    let params = GaeParams::new(given, estimated)?;

    let ok = &t.check()?;
    let tokens = &Leading::new(rewards.dims());
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let x = device::Gae {
            layout: layout("rewards", rewards.dims(), &cu_seqlens, ok)?,
            rewards: rewards.tokens(ok, tokens)?,
            values: values.tokens(ok, tokens)?,
            value_end: value_end.list(ok)?,
            baseline: baseline.list(ok)?,
            mask: mask.tokens(ok, tokens)?,
            masks,
            params,
        };
        let out = device::GaeOut {
            advantages: out_advantages.tokens(ok, tokens)?,
            returns: out_returns.tokens(ok, tokens)?,
            status: out_status.list(ok)?,
        };
        return context.launch(ok, |kernels, stream| {
            // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
            unsafe { device::gae(kernels, stream, &x, &out) }
        });
    }
    let (_, segments) = segments("rewards", rewards.dims(), &cu_seqlens, ok)?;
    let x = Gae {
        segments,
        rewards: rewards.tokens(ok, tokens)?,
        values: values.tokens(ok, tokens)?,
        value_end: value_end.list(ok)?,
        baseline: baseline.list(ok)?,
        mask: mask.tokens(ok, tokens)?,
        masks,
        params,
    };
    let out = GaeOut {
        advantages: out_advantages.tokens(ok, tokens)?,
        returns: out_returns.tokens(ok, tokens)?,
        status: out_status.list(ok)?,
    };
    advantage::gae(&context, &x, out)
}

/// Bytes of workspace for `truing_gae_forward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_gae_forward_workspace_size(
    args: *const truing_gae_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_gae_forward_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Gradients of rewards and values; see `truing_gae_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_gae_backward(args: *const truing_gae_args) -> truing_status {
    guard("truing_gae_backward", || {
        // SAFETY: this function's contract.
        unsafe { returns_backward(args, true) }
    })
}

/// Gradients of the rewards of discounted returns; see `truing_gae_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_discounted_return_backward(args: *const truing_gae_args) -> truing_status {
    guard("truing_discounted_return_backward", || {
        // SAFETY: this function's contract.
        unsafe { returns_backward(args, false) }
    })
}

/// As [`returns`].
///
/// # Safety
/// As for [`returns`].
unsafe fn returns_backward(args: *const truing_gae_args, estimated: bool) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
    let mask = t.input("mask", args.mask)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let grad_advantages = t.input("grad_advantages", args.grad_advantages)?;
    let grad_returns = t.input("grad_returns", args.grad_returns)?;
    let grad_rewards_out = t.output("grad_rewards_out", args.grad_rewards_out)?;
    let grad_values_out = t.output("grad_values_out", args.grad_values_out)?;
    let grad_value_end_out = t.output("grad_value_end_out", args.grad_value_end_out)?;
    if !estimated {
        idle("grad_values_out", &args.grad_values_out, "NULL in a discounted return")?;
    }
    idle("rewards", &args.rewards, "NULL in a backward")?;
    idle("values", &args.values, "NULL in a backward")?;
    idle("value_end", &args.value_end, "NULL in a backward")?;
    idle("baseline", &args.baseline, "NULL in a backward")?;
    idle("out_advantages", &args.out_advantages, "NULL in a backward")?;
    idle("out_returns", &args.out_returns, "NULL in a backward")?;
    idle("out_status", &args.out_status, "NULL in a backward")?;
    let masks = match args.masks {
        TRUING_MASKS_CARRY => Masks::Carry,
        TRUING_MASKS_ZERO => Masks::Zero,
        TRUING_MASKS_IGNORE => Masks::Ignore,
        other => return unknown("masks", other, "TRUING_MASKS_*"),
    };
    // SAFETY: this function's contract.
    let params = GaeParams::new(unsafe { numbers(args.params, args.num_params) }?, estimated)?;

    let ok = &t.check()?;
    // Whatever is given says how the tokens lie.
    let all =
        [grad_advantages.dims(), grad_returns.dims(), grad_rewards_out.dims(), grad_values_out.dims(), mask.dims()];
    let dims = all.into_iter().find(|d| !d.is_empty()).unwrap_or(&[]);
    let tokens = &Leading::new(dims);
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let x = device::Gae {
            layout: layout("grad_advantages", dims, &cu_seqlens, ok)?,
            rewards: None,
            values: None,
            value_end: None,
            baseline: None,
            mask: mask.tokens(ok, tokens)?,
            masks,
            params,
        };
        let grad = device::GaeGrad {
            grad_advantages: grad_advantages.tokens(ok, tokens)?,
            grad_returns: grad_returns.tokens(ok, tokens)?,
            grad_rewards: grad_rewards_out.tokens(ok, tokens)?,
            grad_values: grad_values_out.tokens(ok, tokens)?,
            grad_value_end: grad_value_end_out.list(ok)?,
        };
        return context.launch(ok, |kernels, stream| {
            // SAFETY: as for the forward.
            unsafe { device::gae_backward(kernels, stream, &x, &grad) }
        });
    }
    let (n, segments) = segments("grad_advantages", dims, &cu_seqlens, ok)?;
    let x = Gae {
        segments,
        rewards: None,
        values: None,
        value_end: None,
        baseline: None,
        mask: mask.tokens(ok, tokens)?,
        masks,
        params,
    };
    let grad = GaeGrad {
        grad_advantages: grad_advantages.tokens(ok, tokens)?,
        grad_returns: grad_returns.tokens(ok, tokens)?,
        grad_rewards: grad_rewards_out.tokens(ok, tokens)?,
        grad_values: grad_values_out.tokens(ok, tokens)?,
        grad_value_end: grad_value_end_out.list(ok)?,
    };
    advantage::gae_backward(&context, &x, n, grad)
}

/// Bytes of workspace for `truing_gae_backward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_gae_backward_workspace_size(
    args: *const truing_gae_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_gae_backward_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_discounted_return_forward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_discounted_return_forward_workspace_size(
    args: *const truing_gae_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_discounted_return_forward_workspace_size", || unsafe {
        no_workspace(args, FLAGS, minimum, preferred)
    })
}

/// Bytes of workspace for `truing_discounted_return_backward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_discounted_return_backward_workspace_size(
    args: *const truing_gae_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_discounted_return_backward_workspace_size", || unsafe {
        no_workspace(args, FLAGS, minimum, preferred)
    })
}

/// Standardised values, or the moments of a rank; see `truing_whiten_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_whiten(args: *const truing_whiten_args) -> truing_status {
    guard("truing_whiten", || {
        // SAFETY: this function's contract.
        unsafe { whitening(args, Wanted::Results) }
    })
}

/// Bytes of workspace for `truing_whiten`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_whiten_workspace_size(
    args: *const truing_whiten_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_whiten_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { whitening(args, Wanted::Sizes(minimum, preferred)) }
    })
}

/// # Safety
/// As for [`Call::anywhere`] and [`sizes`]; the host array `params` is readable.
unsafe fn whitening(args: *const truing_whiten_args, wanted: Wanted) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let values = t.required("values", args.values)?;
    let mask = t.input("mask", args.mask)?;
    let counts = t.input("counts", args.counts)?;
    let states = t.input("states", args.states)?;
    let out_values = t.output("out_values", args.out_values)?;
    let out_state = t.output("out_state", args.out_state)?;
    let out_moments = t.output("out_moments", args.out_moments)?;
    let out_status = t.output("out_status", args.out_status)?;
    let (std_kind, eps_kind) = (std_kind(args.std_kind)?, eps_kind(args.eps_kind)?);
    let keep_mean = yes("keep_mean", args.keep_mean)?;
    // SAFETY: this function's contract.
    let eps = Whiten::params(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    let tokens = &Leading::new(values.dims());
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let x = device::Whiten {
            values: values.tokens(ok, tokens)?.expect("required"),
            mask: mask.tokens(ok, tokens)?,
            counts: counts.tokens(ok, tokens)?,
            states: states.matrix(ok)?,
            std_kind,
            eps_kind,
            keep_mean,
            eps,
        };
        let out = device::WhitenOut {
            values: out_values.tokens(ok, tokens)?,
            state: out_state.list(ok)?,
            moments: out_moments.list(ok)?,
            status: out_status.scalar(ok)?,
        };
        let (need, space) = (device::whiten_workspace(&x), workspace.space(ok));
        // SAFETY: as for the advantages of groups.
        return unsafe {
            wanted.of(need, || context.launch(ok, |kernels, stream| device::whiten(kernels, stream, &x, &out, space)))
        };
    }
    let x = Whiten {
        values: values.tokens(ok, tokens)?.expect("required"),
        mask: mask.tokens(ok, tokens)?,
        counts: counts.tokens(ok, tokens)?,
        states: states.matrix(ok)?,
        std_kind,
        eps_kind,
        keep_mean,
        eps,
    };
    let out = WhitenOut {
        values: out_values.tokens(ok, tokens)?,
        state: out_state.list(ok)?,
        moments: out_moments.list(ok)?,
        status: out_status.scalar(ok)?,
    };
    // SAFETY: this function's contract.
    unsafe { wanted.of(advantage::whiten_workspace(&x), || advantage::whiten(&context, &x, out, workspace.bytes(ok))) }
}

/// Reward to go minus the best baseline of each position; see `truing_optimal_token_baseline_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_optimal_token_baseline(
    args: *const truing_optimal_token_baseline_args,
) -> truing_status {
    guard("truing_optimal_token_baseline", || {
        // SAFETY: this function's contract.
        unsafe { baseline(args, Wanted::Results) }
    })
}

/// Bytes of workspace for `truing_optimal_token_baseline`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_optimal_token_baseline_workspace_size(
    args: *const truing_optimal_token_baseline_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_optimal_token_baseline_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { baseline(args, Wanted::Sizes(minimum, preferred)) }
    })
}

/// # Safety
/// As for [`Call::anywhere`] and [`sizes`]; the host array `params` is readable.
unsafe fn baseline(args: *const truing_optimal_token_baseline_args, wanted: Wanted) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let rewards = t.required("rewards", args.rewards)?;
    let logps = t.required("logps", args.logps)?;
    let log_sum_sq = t.required("log_sum_sq", args.log_sum_sq)?;
    let importance_weight = t.input("importance_weight", args.importance_weight)?;
    let mask = t.input("mask", args.mask)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let groups = GroupInputs::new(&mut t, args.group_offsets, args.group_ids, args.num_groups)?;
    let out_advantages = t.output("out_advantages", args.out_advantages)?;
    let out_baseline = t.output("out_baseline", args.out_baseline)?;
    let out_status = t.output("out_status", args.out_status)?;
    let alignment = match args.alignment {
        TRUING_ALIGNMENT_POSITION => Alignment::Position,
        TRUING_ALIGNMENT_LIVE_INDEX => Alignment::LiveIndex,
        other => return unknown("alignment", other, "TRUING_ALIGNMENT_*"),
    };
    let keep_tail = yes("keep_tail", args.keep_tail)?;
    // SAFETY: this function's contract.
    let eps = OptimalTokenBaseline::params(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    let tokens = &Leading::new(rewards.dims());
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let x = device::OptimalTokenBaseline {
            layout: layout("rewards", rewards.dims(), &cu_seqlens, ok)?,
            rewards: rewards.tokens(ok, tokens)?.expect("required"),
            logps: logps.tokens(ok, tokens)?.expect("required"),
            log_sum_sq: log_sum_sq.tokens(ok, tokens)?.expect("required"),
            importance_weight: importance_weight.tokens(ok, tokens)?,
            mask: mask.tokens(ok, tokens)?,
            groups: groups.on_device(ok)?,
            alignment,
            keep_tail,
            eps,
        };
        let out = device::OptimalTokenBaselineOut {
            advantages: out_advantages.tokens(ok, tokens)?,
            baseline: out_baseline.tokens(ok, tokens)?,
            status: out_status.list(ok)?,
        };
        let (need, space) = (device::optimal_token_baseline_workspace(&x), workspace.space(ok));
        // SAFETY: as for the advantages of groups.
        return unsafe {
            wanted.of(need, || {
                context.launch(ok, |kernels, stream| device::optimal_token_baseline(kernels, stream, &x, &out, space))
            })
        };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let (_, segments) = segments("rewards", rewards.dims(), &cu_seqlens, ok)?;
    let x = OptimalTokenBaseline {
        segments,
        rewards: rewards.tokens(ok, tokens)?.expect("required"),
        logps: logps.tokens(ok, tokens)?.expect("required"),
        log_sum_sq: log_sum_sq.tokens(ok, tokens)?.expect("required"),
        importance_weight: importance_weight.tokens(ok, tokens)?,
        mask: mask.tokens(ok, tokens)?,
        groups: groups.view(ok)?,
        alignment,
        keep_tail,
        eps,
    };
    let out = OptimalTokenBaselineOut {
        advantages: out_advantages.tokens(ok, tokens)?,
        baseline: out_baseline.tokens(ok, tokens)?,
        status: out_status.list(ok)?,
    };
    let need = advantage::optimal_token_baseline_workspace(&x);
    // SAFETY: this function's contract.
    unsafe { wanted.of(need, || advantage::optimal_token_baseline(&x, out, workspace.bytes(ok))) }
}

/// Returns of process rewards and outcomes; see `truing_prime_advantage_args`.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_prime_advantage(args: *const truing_prime_advantage_args) -> truing_status {
    guard("truing_prime_advantage", || {
        // SAFETY: this function's contract.
        unsafe { prime(args, Wanted::Results) }
    })
}

/// Bytes of workspace for `truing_prime_advantage`.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_prime_advantage_workspace_size(
    args: *const truing_prime_advantage_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_prime_advantage_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { prime(args, Wanted::Sizes(minimum, preferred)) }
    })
}

/// # Safety
/// As for [`Call::anywhere`] and [`sizes`]; the host array `params` is readable.
unsafe fn prime(args: *const truing_prime_advantage_args, wanted: Wanted) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let process_rewards = t.input("process_rewards", args.process_rewards)?;
    let outcome = t.input("outcome", args.outcome)?;
    let mask = t.input("mask", args.mask)?;
    let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
    let groups = GroupInputs::new(&mut t, args.group_offsets, args.group_ids, args.num_groups)?;
    let out_returns = t.output("out_returns", args.out_returns)?;
    let out_status = t.output("out_status", args.out_status)?;
    // SAFETY: this function's contract.
    let coef = PrimeAdvantage::params(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    // Whatever is given says how the tokens lie.
    let all = [process_rewards.dims(), mask.dims(), out_returns.dims()];
    let dims = all.into_iter().find(|d| !d.is_empty()).unwrap_or(&[]);
    let tokens = &Leading::new(dims);
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let x = device::PrimeAdvantage {
            layout: layout("process_rewards", dims, &cu_seqlens, ok)?,
            process_rewards: process_rewards.tokens(ok, tokens)?,
            outcome: outcome.list(ok)?,
            mask: mask.tokens(ok, tokens)?,
            groups: groups.on_device(ok)?,
            coef,
        };
        let out = device::PrimeAdvantageOut { returns: out_returns.tokens(ok, tokens)?, status: out_status.list(ok)? };
        let (need, space) = (device::prime_advantage_workspace(&x), workspace.space(ok));
        // SAFETY: as for the advantages of groups.
        return unsafe {
            wanted.of(need, || {
                context.launch(ok, |kernels, stream| device::prime_advantage(kernels, stream, &x, &out, space))
            })
        };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let (n, segments) = segments("process_rewards", dims, &cu_seqlens, ok)?;
    let x = PrimeAdvantage {
        segments,
        process_rewards: process_rewards.tokens(ok, tokens)?,
        outcome: outcome.list(ok)?,
        mask: mask.tokens(ok, tokens)?,
        groups: groups.view(ok)?,
        coef,
    };
    let out = PrimeAdvantageOut { returns: out_returns.tokens(ok, tokens)?, status: out_status.list(ok)? };
    let need = advantage::prime_advantage_workspace(&x);
    // SAFETY: this function's contract.
    unsafe { wanted.of(need, || advantage::prime_advantage(&x, n, out, workspace.bytes(ok))) }
}

/// Advantages from a teacher's log-probs; see `truing_distill_advantage_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_distill_advantage(args: *const truing_distill_advantage_args) -> truing_status {
    guard("truing_distill_advantage", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let student = t.required("student", args.student)?;
        let teacher = t.required("teacher", args.teacher)?;
        let advantages = t.input("advantages", args.advantages)?;
        let token_rewards = t.input("token_rewards", args.token_rewards)?;
        let mask = t.input("mask", args.mask)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let out_advantages = t.output("out_advantages", args.out_advantages)?;
        let out_status = t.output("out_status", args.out_status)?;
        // SAFETY: this function's contract.
        let given = unsafe { numbers(args.params, args.num_params) }?;
        let form = match args.form {
            TRUING_DISTILL_OPD => Distill::opd(given)?,
            TRUING_DISTILL_IW_OPD => Distill::iw_opd(given)?,
            TRUING_DISTILL_RLSD => Distill::rlsd(given)?,
            TRUING_DISTILL_MINILLM => Distill::minillm(given)?,
            other => return unknown("form", other, "TRUING_DISTILL_*"),
        };
        let flags = DistillFlags {
            missing_zero: yes("missing_zero", args.missing_zero)?,
            negative_only: yes("negative_only", args.negative_only)?,
            per_length: yes("per_length", args.per_length)?,
            position_power: yes("position_power", args.position_power)?,
        };
        if !advantages.is_some() {
            idle("advantage_level", &args.advantage_level, "0 without advantages")?;
        }

        let ok = &t.check()?;
        let tokens = &Leading::new(student.dims());
        let fields = ("advantages", Some("advantage_level"));
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::advantage as device;
            let layout = layout("student", student.dims(), &cu_seqlens, ok)?;
            let level = level_on_device(fields, args.advantage_level, advantages.dims(), &layout)?;
            let x = device::DistillAdvantage {
                layout,
                student: student.tokens(ok, tokens)?.expect("required"),
                teacher: teacher.tokens(ok, tokens)?.expect("required"),
                advantages: match level {
                    Level::Token => advantages.tokens(ok, tokens)?,
                    Level::Sequence => advantages.list(ok)?,
                },
                token_rewards: token_rewards.tokens(ok, tokens)?,
                mask: mask.tokens(ok, tokens)?,
                by_sequence: matches!(level, Level::Sequence),
                form,
                estimator: args.estimator,
                flags,
            };
            let out = device::DistillAdvantageOut {
                advantages: out_advantages.tokens(ok, tokens)?,
                status: out_status.list(ok)?,
            };
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::distill_advantage(kernels, stream, &x, &out) }
            });
        }
        let (n, segments) = segments("student", student.dims(), &cu_seqlens, ok)?;
        let advantages = match level(fields, args.advantage_level, advantages.dims(), n, &segments)? {
            Level::Token => advantages.tokens(ok, tokens)?.map(Advantage::Token),
            Level::Sequence => advantages.list(ok)?.map(Advantage::Sequence),
        };
        let x = DistillAdvantage {
            segments,
            student: student.tokens(ok, tokens)?.expect("required"),
            teacher: teacher.tokens(ok, tokens)?.expect("required"),
            advantages,
            token_rewards: token_rewards.tokens(ok, tokens)?,
            mask: mask.tokens(ok, tokens)?,
            form,
            estimator: args.estimator,
            flags,
        };
        let out = DistillAdvantageOut { advantages: out_advantages.tokens(ok, tokens)?, status: out_status.list(ok)? };
        advantage::distill_advantage(&context, &x, out)
    })
}

/// Bytes of workspace for `truing_distill_advantage`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_distill_advantage_workspace_size(
    args: *const truing_distill_advantage_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_distill_advantage_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Advantages under a multiplier; see `truing_lagrangian_advantage_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_lagrangian_advantage(args: *const truing_lagrangian_advantage_args) -> truing_status {
    guard("truing_lagrangian_advantage", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let reward_advantages = t.required("reward_advantages", args.reward_advantages)?;
        let cost_advantages = t.required("cost_advantages", args.cost_advantages)?;
        let mask = t.input("mask", args.mask)?;
        let log_lambda = t.required("log_lambda", args.log_lambda)?;
        let mean_cost = t.input("mean_cost", args.mean_cost)?;
        let out_advantages = t.output("out_advantages", args.out_advantages)?;
        let grad_log_lambda_out = t.output("grad_log_lambda_out", args.grad_log_lambda_out)?;

        let ok = &t.check()?;
        let tokens = &Leading::new(reward_advantages.dims());
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::advantage as device;
            let x = device::LagrangianAdvantage {
                reward_advantages: reward_advantages.tokens(ok, tokens)?.expect("required"),
                cost_advantages: cost_advantages.tokens(ok, tokens)?.expect("required"),
                mask: mask.tokens(ok, tokens)?,
                log_lambda: log_lambda.scalar(ok)?.expect("required"),
                mean_cost: mean_cost.scalar(ok)?,
                cost_limit: args.cost_limit,
            };
            let out = device::LagrangianAdvantageOut {
                advantages: out_advantages.tokens(ok, tokens)?,
                grad_log_lambda: grad_log_lambda_out.scalar(ok)?,
            };
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::lagrangian_advantage(kernels, stream, &x, &out) }
            });
        }
        let x = LagrangianAdvantage {
            reward_advantages: reward_advantages.tokens(ok, tokens)?.expect("required"),
            cost_advantages: cost_advantages.tokens(ok, tokens)?.expect("required"),
            mask: mask.tokens(ok, tokens)?,
            log_lambda: log_lambda.scalar(ok)?.expect("required"),
            mean_cost: mean_cost.scalar(ok)?,
            cost_limit: args.cost_limit,
        };
        let out = LagrangianAdvantageOut {
            advantages: out_advantages.tokens(ok, tokens)?,
            grad_log_lambda: grad_log_lambda_out.scalar(ok)?,
        };
        advantage::lagrangian_advantage(&context, &x, out)
    })
}

/// Bytes of workspace for `truing_lagrangian_advantage`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_lagrangian_advantage_workspace_size(
    args: *const truing_lagrangian_advantage_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_lagrangian_advantage_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Mean clipped advantage of every objective; see `truing_pama_scalars_args`. No workspace. With CUDA tensors a sequence whose
/// offsets are wrong is NaN.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pama_scalars(args: *const truing_pama_scalars_args) -> truing_status {
    guard("truing_pama_scalars", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let advantages = t.required("advantages", args.advantages)?;
        let logps = t.required("logps", args.logps)?;
        let anchor = t.required("anchor", args.anchor)?;
        let mask = t.input("mask", args.mask)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let out_scalars = t.output("out_scalars", args.out_scalars)?;
        let granularity = match args.granularity {
            TRUING_GRANULARITY_BATCH => Granularity::Batch,
            TRUING_GRANULARITY_SEQUENCE => Granularity::Sequence,
            TRUING_GRANULARITY_TOKEN => Granularity::Token,
            other => return unknown("granularity", other, "TRUING_GRANULARITY_*"),
        };
        // SAFETY: this function's contract.
        let clip_high = PamaScalars::params(unsafe { numbers(args.params, args.num_params) }?)?;

        let ok = &t.check()?;
        let tokens = &Leading::new(logps.dims());
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::advantage as device;
            let x = device::PamaScalars {
                layout: layout("logps", logps.dims(), &cu_seqlens, ok)?,
                advantages: advantages.matrix(ok)?.expect("required"),
                logps: logps.tokens(ok, tokens)?.expect("required"),
                anchor: anchor.tokens(ok, tokens)?.expect("required"),
                mask: mask.tokens(ok, tokens)?,
                granularity,
                clip_high,
            };
            let out = out_scalars.matrix(ok)?;
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::pama_scalars(kernels, stream, &x, &out) }
            });
        }
        #[cfg(not(feature = "cuda"))]
        let _ = context;
        let (_, segments) = segments("logps", logps.dims(), &cu_seqlens, ok)?;
        let x = PamaScalars {
            segments,
            advantages: advantages.matrix(ok)?.expect("required"),
            logps: logps.tokens(ok, tokens)?.expect("required"),
            anchor: anchor.tokens(ok, tokens)?.expect("required"),
            mask: mask.tokens(ok, tokens)?,
            granularity,
            clip_high,
        };
        advantage::pama_scalars(&x, PamaScalarsOut { scalars: out_scalars.matrix(ok)? })
    })
}

/// Bytes of workspace for `truing_pama_scalars`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_pama_scalars_workspace_size(
    args: *const truing_pama_scalars_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_pama_scalars_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// The least element between numbers; see `truing_interval_weights_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_interval_weights(args: *const truing_interval_weights_args) -> truing_status {
    guard("truing_interval_weights", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let scalars = t.required("scalars", args.scalars)?;
        let out_value = t.output("out_value", args.out_value)?;
        let out_weights = t.output("out_weights", args.out_weights)?;
        let out_status = t.output("out_status", args.out_status)?;

        let ok = &t.check()?;
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::advantage as device;
            let x = columns(&scalars, ok)?.expect("required");
            let out = device::IntervalWeightsOut {
                value: out_value.list(ok)?,
                weights: columns_out(out_weights, ok)?,
                status: out_status.list(ok)?,
            };
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::interval_weights(kernels, stream, x, &out) }
            });
        }
        #[cfg(not(feature = "cuda"))]
        let _ = context;
        let x = IntervalWeights { scalars: columns(&scalars, ok)?.expect("required") };
        let out = IntervalWeightsOut {
            value: out_value.list(ok)?,
            weights: columns_out(out_weights, ok)?,
            status: out_status.list(ok)?,
        };
        advantage::interval_weights(&x, out)
    })
}

/// Bytes of workspace for `truing_interval_weights`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_interval_weights_workspace_size(
    args: *const truing_interval_weights_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_interval_weights_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Mean products of all pairs of rows; see `truing_gram_matrix_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_gram_matrix(args: *const truing_gram_matrix_args) -> truing_status {
    guard("truing_gram_matrix", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let values = t.required("values", args.values)?;
        let mask = t.input("mask", args.mask)?;
        let out_gram = t.required_output("out_gram", args.out_gram)?;
        let unit_rows = yes("unit_rows", args.unit_rows)?;

        let ok = &t.check()?;
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::advantage as device;
            let values: truing_cuda::Tensor = values.matrix(ok)?.expect("required");
            let tokens = &Leading::new(&[values.layout.cols]);
            let x = device::GramMatrix { values, mask: mask.tokens(ok, tokens)?, unit_rows };
            let gram = out_gram.matrix(ok)?.expect("required");
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::gram_matrix(kernels, stream, &x, gram) }
            });
        }
        #[cfg(not(feature = "cuda"))]
        let _ = context;
        let values: Floats<'_> = values.matrix(ok)?.expect("required");
        let tokens = &Leading::new(&[values.cols()]);
        let x = GramMatrix { values, mask: mask.tokens(ok, tokens)?, unit_rows };
        advantage::gram_matrix(&x, out_gram.matrix(ok)?.expect("required"))
    })
}

/// Bytes of workspace for `truing_gram_matrix`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_gram_matrix_workspace_size(
    args: *const truing_gram_matrix_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_gram_matrix_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Weights of least norm; see `truing_min_norm_weights_args`. With CUDA tensors a matrix that the CPU refuses gives NaN.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_min_norm_weights(args: *const truing_min_norm_weights_args) -> truing_status {
    guard("truing_min_norm_weights", || {
        // SAFETY: this function's contract.
        unsafe { min_norm(args, Wanted::Results) }
    })
}

/// Bytes of workspace for `truing_min_norm_weights`: 0 for CUDA tensors.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_min_norm_weights_workspace_size(
    args: *const truing_min_norm_weights_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_min_norm_weights_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { min_norm(args, Wanted::Sizes(minimum, preferred)) }
    })
}

/// # Safety
/// As for [`Call::anywhere`] and [`sizes`]; the host array `params` is readable.
unsafe fn min_norm(args: *const truing_min_norm_weights_args, wanted: Wanted) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, workspace } = unsafe { Call::anywhere(args, FLAGS) }?;
    let gram = t.required("gram", args.gram)?;
    let out_weights = t.output("out_weights", args.out_weights)?;
    let out_value = t.output("out_value", args.out_value)?;
    // SAFETY: this function's contract.
    let tolerance = MinNormWeights::params(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let gram = gram.matrix(ok)?.expect("required");
        let out = device::MinNormWeightsOut { weights: out_weights.list(ok)?, value: out_value.scalar(ok)? };
        let none = truing_core::matrix::Workspace { minimum: 0, preferred: 0 };
        // SAFETY: as for the advantages of groups.
        return unsafe {
            wanted.of(none, || {
                context.launch(ok, |kernels, stream| device::min_norm_weights(kernels, stream, gram, tolerance, &out))
            })
        };
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let x = MinNormWeights { gram: gram.matrix(ok)?.expect("required"), tolerance };
    let out = MinNormWeightsOut { weights: out_weights.list(ok)?, value: out_value.scalar(ok)? };
    // SAFETY: this function's contract.
    unsafe {
        wanted
            .of(advantage::min_norm_weights_workspace(&x), || advantage::min_norm_weights(&x, out, workspace.bytes(ok)))
    }
}

/// Rewards with a KL penalty; see `truing_token_reward_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_token_reward(args: *const truing_token_reward_args) -> truing_status {
    guard("truing_token_reward", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
        let old = t.required("old", args.old)?;
        let ref_logps = t.required("ref_logps", args.ref_logps)?;
        let rewards = t.input("rewards", args.rewards)?;
        let mask = t.input("mask", args.mask)?;
        let cu_seqlens = t.input("cu_seqlens", args.cu_seqlens)?;
        let out_rewards = t.output("out_rewards", args.out_rewards)?;
        let out_kl = t.output("out_kl", args.out_kl)?;
        let out_status = t.output("out_status", args.out_status)?;
        let by_sequence = match args.level {
            TRUING_LEVEL_TOKEN => false,
            TRUING_LEVEL_SEQUENCE => true,
            other => return unknown("level", other, "TRUING_LEVEL_*"),
        };
        // SAFETY: this function's contract.
        let params = TokenReward::params(unsafe { numbers(args.params, args.num_params) }?)?;

        let ok = &t.check()?;
        let tokens = &Leading::new(old.dims());
        #[cfg(feature = "cuda")]
        if ok.device().is_some() {
            use truing_cuda::advantage as device;
            let x = device::TokenReward {
                layout: layout("old", old.dims(), &cu_seqlens, ok)?,
                old: old.tokens(ok, tokens)?.expect("required"),
                reference: ref_logps.tokens(ok, tokens)?.expect("required"),
                rewards: rewards.list(ok)?,
                mask: mask.tokens(ok, tokens)?,
                by_sequence,
                estimator: args.estimator,
                params,
            };
            let out = device::TokenRewardOut {
                rewards: if by_sequence { out_rewards.list(ok)? } else { out_rewards.tokens(ok, tokens)? },
                kl: out_kl.list(ok)?,
                status: out_status.list(ok)?,
            };
            return context.launch(ok, |kernels, stream| {
                // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
                unsafe { device::token_reward(kernels, stream, &x, &out) }
            });
        }
        let (_, segments) = segments("old", old.dims(), &cu_seqlens, ok)?;
        let x = TokenReward {
            segments,
            old: old.tokens(ok, tokens)?.expect("required"),
            reference: ref_logps.tokens(ok, tokens)?.expect("required"),
            rewards: rewards.list(ok)?,
            mask: mask.tokens(ok, tokens)?,
            by_sequence,
            estimator: args.estimator,
            params,
        };
        let out = TokenRewardOut {
            rewards: if by_sequence { out_rewards.list(ok)? } else { out_rewards.tokens(ok, tokens)? },
            kl: out_kl.list(ok)?,
            status: out_status.list(ok)?,
        };
        advantage::token_reward(&context, &x, out)
    })
}

/// Bytes of workspace for `truing_token_reward`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_token_reward_workspace_size(
    args: *const truing_token_reward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_token_reward_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// The next coefficient of a KL penalty: coef (1 + clip(kl / target - 1, -0.2, 0.2) batch / horizon); see
/// `truing_controller_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_kl_controller(args: *const truing_controller_args) -> truing_status {
    guard("truing_kl_controller", || {
        // SAFETY: this function's contract.
        unsafe { control(args, Rule::kl) }
    })
}

/// The next coefficient of an entropy bonus: coef + step while the entropy is at most the target, else - step; see
/// `truing_controller_args`. No workspace.
///
/// # Safety
/// As for `truing_group_advantage`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_entropy_controller(args: *const truing_controller_args) -> truing_status {
    guard("truing_entropy_controller", || {
        // SAFETY: this function's contract.
        unsafe { control(args, Rule::entropy) }
    })
}

/// # Safety
/// As for [`Call::anywhere`]; the host array `params` is readable.
unsafe fn control(args: *const truing_controller_args, rule: fn(&[f64]) -> Result<Rule>) -> Result<()> {
    // SAFETY: this function's contract.
    let Call { args, context, tensors: mut t, .. } = unsafe { Call::anywhere(args, FLAGS) }?;
    let measured = t.required("measured", args.measured)?;
    let coef = t.required("coef", args.coef)?;
    let out_coef = t.output("out_coef", args.out_coef)?;
    let out_applied = t.output("out_applied", args.out_applied)?;
    let out_status = t.output("out_status", args.out_status)?;
    // SAFETY: this function's contract.
    let rule = rule(unsafe { numbers(args.params, args.num_params) }?)?;

    let ok = &t.check()?;
    #[cfg(feature = "cuda")]
    if ok.device().is_some() {
        use truing_cuda::advantage as device;
        let (measured, coef) = (measured.scalar(ok)?.expect("required"), coef.scalar(ok)?.expect("required"));
        let out = device::ControllerOut {
            coef: out_coef.scalar(ok)?,
            applied: out_applied.scalar(ok)?,
            status: out_status.scalar(ok)?,
        };
        return context.launch(ok, |kernels, stream| {
            // SAFETY: the contract of `Call::anywhere`; `check` has found nothing that overlaps an output.
            unsafe { device::controller(kernels, stream, measured, coef, rule, &out) }
        });
    }
    #[cfg(not(feature = "cuda"))]
    let _ = context;
    let x = Controller {
        measured: measured.scalar(ok)?.expect("required"),
        coef: coef.scalar(ok)?.expect("required"),
        rule,
    };
    let out =
        ControllerOut { coef: out_coef.scalar(ok)?, applied: out_applied.scalar(ok)?, status: out_status.scalar(ok)? };
    advantage::controller(&x, out)
}

/// Bytes of workspace for `truing_kl_controller`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_kl_controller_workspace_size(
    args: *const truing_controller_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_kl_controller_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}

/// Bytes of workspace for `truing_entropy_controller`: 0.
///
/// # Safety
/// As for `truing_group_advantage`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_entropy_controller_workspace_size(
    args: *const truing_controller_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_entropy_controller_workspace_size", || unsafe { no_workspace(args, FLAGS, minimum, preferred) })
}
