//! `truing_divergence_*`: divergences of two rows of logits and their gradients.
use crate::abi::*;
use crate::boundary::{array, factor, grad_scale, guard, idle, sizes, unavailable, unknown};
use crate::logprob::{BACKWARD_FLAGS, FORWARD_FLAGS, RowTensors, options, stats};
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::divergence::{Figures, Kind, Limits, Options, Problem, Teacher, Upstream, name_side};
use truing_core::logprob::{self, TransformInputs};
use truing_core::matrix::Floats;
use truing_core::preference::Reduction;
use truing_core::{Error, Result, Value};
use truing_cpu::divergence::{self as kernel, Inputs, Totals};
use truing_cpu::logprob::Grad;

const FLAGS: u64 = FORWARD_FLAGS | TRUING_TEMPERATURE_SQUARED | TRUING_HAS_SOFT_WEIGHT;

/// Values and figures of every row pair, their reduction and its gradients; see `truing_divergence_forward_args`.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_forward(args: *const truing_divergence_forward_args) -> truing_status {
    // SAFETY: this function's contract.
    guard("truing_divergence_forward", || unsafe { Forward::open(args) }?.run())
}

/// Gradients of both sides' logits, given those of the values, of the reduced loss and of the student's log-probs; see
/// `truing_divergence_backward_args`. No workspace.
///
/// # Safety
/// As for `truing_logprob_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_backward(args: *const truing_divergence_backward_args) -> truing_status {
    guard("truing_divergence_backward", || {
        // SAFETY: this function's contract.
        let Call { args, context, tensors: mut t, .. } = unsafe { Call::open(args, BACKWARD) }?;
        unavailable!(args; shard.vocab_start, shard.vocab_end, shard.vocab_total);
        let mut sides = Sides::parse(
            &mut t,
            [args.student, args.teacher],
            [&args.student_transform, &args.teacher_transform],
            &args.rows,
            args.row_weight,
            [args.grad_student_out, args.grad_teacher_out],
        )?;
        if !sides.grads.iter().any(Output::is_some) {
            let expected = Value::Text("a place for a gradient, here or in grad_teacher_out");
            return Err(Error::invalid("grad_student_out", Value::Text("NULL"), expected));
        }
        let saved = stats(&mut t, args.stats, args.flags)?;
        let values = t.input("grad_values", args.grad_values)?;
        let loss = t.input("grad_loss", args.grad_loss)?;
        let logprob = t.input("grad_student_logprob", args.grad_student_logprob)?;
        let status = t.output("out_status", args.out_status)?;
        sides.in_place(&mut t);
        let (problem, tokens) = sides.problem(
            [&args.student_transform, &args.teacher_transform],
            &args.rows,
            args.flags,
            &args.options,
            &args.partial,
        )?;

        let (ok, tokens) = (&t.check()?, &tokens);
        let upstream = Upstream {
            values: values.tokens(ok, tokens)?,
            student_logprob: logprob.tokens(ok, tokens)?,
            loss: loss.scalar::<Floats<'_>>(ok)?.map(|g| g.get(0)),
            scale: grad_scale(args.grad_scale, args.flags),
        };
        let (stats, status) = (saved.rows(ok, tokens)?, status.tokens(ok, tokens)?);
        let inputs = sides.inputs(ok, tokens)?;
        kernel::backward(&context, &problem, sides.view(ok, tokens)?, inputs, stats, upstream, status)
    })
}
const BACKWARD: u64 = FLAGS | BACKWARD_FLAGS;

/// Bytes of workspace for `truing_divergence_forward`: 0 without `outputs.out_loss`.
///
/// # Safety
/// As for `truing_divergence_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_forward_workspace_size(
    args: *const truing_divergence_forward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_divergence_forward_workspace_size", || {
        // SAFETY: this function's contract.
        let forward = unsafe { Forward::open(args) }?;
        let need = kernel::forward_workspace(&forward.problem, forward.outputs.loss.is_some());
        forward.call.tensors.check()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Bytes of workspace for `truing_divergence_backward`: 0.
///
/// # Safety
/// As for `truing_divergence_backward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_divergence_backward_workspace_size(
    args: *const truing_divergence_backward_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_divergence_backward_workspace_size", || {
        // SAFETY: this function's contract.
        unsafe { crate::boundary::no_workspace(args, BACKWARD, minimum, preferred) }
    })
}

/// A forward whose fields have been read.
struct Forward {
    call: Call<truing_divergence_forward_args>,
    sides: Sides,
    outputs: OutputTensors,
    grad_loss: Input,
    problem: Problem,
    tokens: Leading,
}
impl Forward {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_divergence_forward_args) -> Result<Forward> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::open(args, FLAGS | TRUING_HAS_GRAD_SCALE) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let mut sides = Sides::parse(
            t,
            [args.student, args.teacher],
            [&args.student_transform, &args.teacher_transform],
            &args.rows,
            args.row_weight,
            [args.grad_student_out, args.grad_teacher_out],
        )?;
        let outputs = OutputTensors::parse(t, &args.outputs)?;
        let grad_loss = t.input("grad_loss", args.grad_loss)?;
        if !sides.grads.iter().any(Output::is_some) {
            let expected = "NULL or 0 without grad_student_out and grad_teacher_out";
            idle("grad_loss", &args.grad_loss, expected)?;
            idle("grad_scale", &args.grad_scale, expected)?;
        }
        sides.in_place(t);
        let transforms = [&args.student_transform, &args.teacher_transform];
        let (problem, tokens) = sides.problem(transforms, &args.rows, args.flags, &args.options, &args.partial)?;
        Ok(Forward { sides, outputs, grad_loss, problem, tokens, call })
    }
    fn run(self) -> Result<()> {
        let wanted = self.sides.grads.iter().any(Output::is_some);
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let inputs = self.sides.inputs(ok, tokens)?;
        let (figures, totals) = self.outputs.view(ok, tokens)?;
        let upstream = if wanted {
            let scale = grad_scale(args.grad_scale, args.flags);
            if !scale.is_finite() {
                return Err(Error::invalid("grad_scale", Value::Float(scale), Value::Text("a finite number")));
            }
            Some(scale * self.grad_loss.scalar::<Floats<'_>>(ok)?.map_or(1.0, |g| g.get(0)))
        } else {
            None
        };
        let grads = self.sides.view(ok, tokens)?;
        let workspace = workspace.bytes(ok);
        kernel::forward_fused(&context, &self.problem, grads, inputs, figures, totals, upstream, workspace)
    }
}

/// The tensors of both sides: the student, then the teacher.
pub(crate) struct Sides {
    logits: [Input; 2],
    bias: [Input; 2],
    row_temperature: [Input; 2],
    rows: RowTensors,
    row_weight: Input,
    grads: [Output; 2],
    in_place: [bool; 2],
    dims: [[usize; 3]; 2],
    ndim: [usize; 2],
}
impl Sides {
    pub(crate) fn parse(
        t: &mut Tensors,
        [student, teacher]: [*const truing_tensor; 2],
        [own, other]: [&truing_transform; 2],
        rows: &truing_rows,
        row_weight: *const truing_tensor,
        [grad_student, grad_teacher]: [*const truing_tensor; 2],
    ) -> Result<Sides> {
        unavailable!("student_transform", own; logit_round);
        unavailable!("teacher_transform", other; logit_round);
        let logits = [t.required("student", student)?, t.required("teacher", teacher)?];
        let (mut dims, mut ndim) = ([[1; 3]; 2], [0; 2]);
        for side in 0..2 {
            ndim[side] = logits[side].dims().len();
            dims[side][..ndim[side]].copy_from_slice(logits[side].dims());
        }
        Ok(Sides {
            logits,
            bias: [t.input("student_transform.bias", own.bias)?, t.input("teacher_transform.bias", other.bias)?],
            row_temperature: [
                t.input("student_transform.row_temperature", own.row_temperature)?,
                t.input("teacher_transform.row_temperature", other.row_temperature)?,
            ],
            rows: RowTensors::parse(t, rows)?,
            row_weight: t.input("row_weight", row_weight)?,
            grads: [t.output("grad_student_out", grad_student)?, t.output("grad_teacher_out", grad_teacher)?],
            in_place: [false; 2],
            dims,
            ndim,
        })
    }
    pub(crate) fn in_place(&mut self, t: &mut Tensors) {
        for side in 0..2 {
            self.in_place[side] = t.in_place(&mut self.logits[side], &self.grads[side]);
        }
    }
    fn problem(
        &self,
        transforms: [&truing_transform; 2],
        rows: &truing_rows,
        flags: u64,
        divergence: &truing_divergence_options,
        partial: &truing_partial,
    ) -> Result<(Problem, Leading)> {
        unavailable!("partial", partial; ids, teacher_values, teacher_lse, reference, k, tail_floor, outside_logprob,
            log_prob_floor, value_clamp, support, outside);
        let (student, teacher, tokens) = self.problems(transforms, rows, flags)?;
        // SAFETY: the contract of `Call::open`.
        let options = unsafe { divergence_options(divergence, flags) }?;
        Ok((Problem::new(student, teacher, options)?, tokens))
    }
    /// Those of student and teacher.
    pub(crate) fn problems(
        &self,
        transforms: [&truing_transform; 2],
        rows: &truing_rows,
        flags: u64,
    ) -> Result<(logprob::Problem, logprob::Problem, Leading)> {
        let side = |side: usize| {
            let dims = &self.dims[side][..self.ndim[side]];
            let problem = options(transforms[side], rows, flags)
                .and_then(|options| crate::logprob::problem(dims, options, &truing_shard::ZERO));
            problem.map_err(|e| name_side(e, side == 1))
        };
        let (student, tokens) = side(0)?;
        Ok((student, side(1)?.0, tokens))
    }
    /// Dimensions of the rows.
    pub(crate) fn rows_of(&self) -> &[usize] {
        &self.dims[0][..self.ndim[0] - 1]
    }
    /// The logits of both sides, neither of them in place.
    pub(crate) fn logits<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<[Floats<'a>; 2]> {
        let [student, teacher] = &self.logits;
        Ok([student.rows(ok, tokens)?.expect("required"), teacher.rows(ok, tokens)?.expect("required")])
    }
    pub(crate) fn inputs<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Inputs<'a>> {
        let side = |side: usize| -> Result<TransformInputs<'a>> {
            Ok(TransformInputs {
                bias: self.bias[side].list(ok)?,
                row_temperature: self.row_temperature[side].tokens(ok, tokens)?,
            })
        };
        Ok(Inputs {
            student: side(0)?,
            teacher: side(1)?,
            rows: self.rows.view(ok, tokens)?,
            row_weight: self.row_weight.tokens(ok, tokens)?,
        })
    }
    pub(crate) fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<[Grad<'a>; 2]> {
        let side = |logits: &Input, grad: Output, in_place: bool| -> Result<Grad<'a>> {
            Ok(match grad.rows(ok, tokens)? {
                Some(g) if in_place => Grad::InPlace(g),
                Some(g) => Grad::Separate(logits.rows(ok, tokens)?.expect("required"), g),
                None => Grad::Absent(logits.rows(ok, tokens)?.expect("required")),
            })
        };
        let [student, teacher] = self.grads;
        Ok([side(&self.logits[0], student, self.in_place[0])?, side(&self.logits[1], teacher, self.in_place[1])?])
    }
}

/// The settings of a divergence.
///
/// # Safety
/// `params` is NULL or points to `num_params` readable numbers.
unsafe fn divergence_options(f: &truing_divergence_options, flags: u64) -> Result<Options> {
    let kind = match Kind::find(f.kind) {
        Some(kind) => kind,
        None => return unknown("options.kind", f.kind, "TRUING_DIVERGENCE_*"),
    };
    let most = usize::from(kind.info().param.is_some());
    if f.num_params > most {
        return Err(Error::invalid("options.num_params", Value::Size(f.num_params), Value::Below(0, most as i64 + 1)));
    }
    // SAFETY: this function's contract.
    let params = unsafe { array("options.params", f.params, f.num_params) }?;
    if f.soft_weight != 0.0 && f.soft_weight.is_nan() {
        return Err(Error::invalid("options.soft_weight", Value::Float(f.soft_weight), Value::Text("a finite number")));
    }
    let a = &f.aggregate;
    idle("options.aggregate.max_length", &a.max_length, "0: there are no modes over sequences here")?;
    idle("options.aggregate.count_empty", &a.count_empty, "0: there are no modes over sequences here")?;
    if a.denominator != TRUING_DENOMINATOR_ORIGINAL {
        crate::boundary::unserved("options.aggregate.denominator", &a.denominator)?;
    }
    Ok(Options {
        kind,
        param: params.first().copied().unwrap_or(f64::NAN),
        limits: match (f.limits, kind) {
            (0 | TRUING_JSD_PEER, _) => Limits::Peer,
            (TRUING_JSD_CONTINUOUS, Kind::Jsd) => Limits::Continuous,
            (TRUING_JSD_SCALED, Kind::Jsd) => Limits::Scaled,
            (other, _) => return unknown("options.limits", other, "TRUING_JSD_*, for jsd alone"),
        },
        teacher: match f.teacher_form {
            TRUING_TEACHER_LOGITS => Teacher::Logits,
            TRUING_TEACHER_LOGPROBS => Teacher::Logprobs,
            TRUING_TEACHER_PROBS => Teacher::Probs,
            other => {
                return unknown("options.teacher_form", other, "TRUING_TEACHER_LOGITS, _LOGPROBS or _PROBS");
            }
        },
        hard_weight: f.hard_weight,
        hard_dft: match f.hard_scaling {
            TRUING_SCALING_NONE => false,
            TRUING_SCALING_DFT => true,
            other => return unknown("options.hard_scaling", other, "TRUING_SCALING_DFT or none"),
        },
        soft_weight: if flags & TRUING_HAS_SOFT_WEIGHT != 0 { f.soft_weight } else { factor(f.soft_weight) },
        teacher_target_shift: f.teacher_target_shift,
        temperature_squared: flags & TRUING_TEMPERATURE_SQUARED != 0,
        reduction: match a.mode {
            0 => None,
            TRUING_AGGREGATE_TOKEN_MEAN => Some(Reduction::Mean),
            TRUING_AGGREGATE_TOKEN_SUM => Some(Reduction::Sum),
            TRUING_AGGREGATE_WEIGHTED_MEAN => Some(Reduction::WeightedMean),
            TRUING_AGGREGATE_NONE => Some(Reduction::None),
            other => {
                return unknown("options.aggregate.mode", other, "token_mean, token_sum, weighted_mean, none, or 0");
            }
        },
        normaliser: a.normaliser,
    })
}

/// The tensors of the outputs.
struct OutputTensors {
    figures: [Output; 9],
    stats: Output,
    status: Output,
    loss: Output,
    counters: Output,
}
impl OutputTensors {
    fn parse(t: &mut Tensors, f: &truing_divergence_outputs) -> Result<OutputTensors> {
        unavailable!("outputs", f; out_student_mass, out_teacher_mass, out_overlap, out_overlap_sum, out_support_ids);
        macro_rules! outputs {
            ($($field:ident)*) => { [$( t.output(concat!("outputs.", stringify!($field)), f.$field)? ),*] };
        }
        let [stats, status, loss, counters] = outputs!(out_stats out_status out_loss out_counters);
        let figures = outputs!(out_values out_student_entropy out_teacher_entropy out_cross_entropy
            out_reverse_cross_entropy out_student_logprob out_teacher_logprob out_student_rank out_teacher_rank);
        Ok(OutputTensors { figures, stats, status, loss, counters })
    }
    fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<(Figures<'a>, Totals<'a>)> {
        let [values, hs, ht, cross, reverse, student, teacher, rank_s, rank_t] = self.figures;
        let figures = Figures {
            values: values.tokens(ok, tokens)?,
            student_entropy: hs.tokens(ok, tokens)?,
            teacher_entropy: ht.tokens(ok, tokens)?,
            cross_entropy: cross.tokens(ok, tokens)?,
            reverse_cross_entropy: reverse.tokens(ok, tokens)?,
            student_logprob: student.tokens(ok, tokens)?,
            teacher_logprob: teacher.tokens(ok, tokens)?,
            student_rank: rank_s.tokens(ok, tokens)?,
            teacher_rank: rank_t.tokens(ok, tokens)?,
            stats: self.stats.rows(ok, tokens)?,
            status: self.status.tokens(ok, tokens)?,
        };
        Ok((figures, Totals { loss: self.loss.scalar(ok)?, counters: self.counters.array(ok)? }))
    }
}
