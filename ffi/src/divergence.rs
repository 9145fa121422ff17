//! `truing_divergence_*`: divergences of two rows of logits and their gradients.
use crate::abi::*;
use crate::boundary::{array, factor, grad_scale, guard, idle, sizes, unavailable, unknown};
use crate::logprob::{BACKWARD_FLAGS, FORWARD_FLAGS, RowTensors, options, stats};
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::divergence::partial::{AtIds, Chosen, Figures as PartialFigures, Outside, Partial};
use truing_core::divergence::{Figures, Kind, Limits, Options, Problem, Teacher, Upstream, name_side};
use truing_core::logprob::{self, TransformInputs};
use truing_core::matrix::{Floats, Ints};
use truing_core::preference::Reduction;
use truing_core::{Error, Result, Value};
use truing_cpu::divergence::{self as kernel, Inputs, PartialTeacher, Totals};
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
        let few = PartialTensors::parse(&mut t, &args.partial, &args.options, &sides)?;
        if few.is_some() {
            idle("stats", &args.stats, "NULL with a partial support: there are none")?;
            idle("grad_student_logprob", &args.grad_student_logprob, "NULL with a partial support")?;
        }
        let saved = stats(&mut t, args.stats, args.flags)?;
        let values = t.input("grad_values", args.grad_values)?;
        let loss = t.input("grad_loss", args.grad_loss)?;
        let logprob = t.input("grad_student_logprob", args.grad_student_logprob)?;
        let status = t.output("out_status", args.out_status)?;
        sides.in_place(&mut t);
        let (problem, tokens) =
            sides.problem([&args.student_transform, &args.teacher_transform], &args.rows, args.flags, &args.options)?;

        let (ok, tokens) = (&t.check()?, &tokens);
        let upstream = Upstream {
            values: values.tokens(ok, tokens)?,
            student_logprob: logprob.tokens(ok, tokens)?,
            loss: loss.scalar::<Floats<'_>>(ok)?.map(|g| g.get(0)),
            scale: grad_scale(args.grad_scale, args.flags),
        };
        let (stats, status) = (saved.rows(ok, tokens)?, status.tokens(ok, tokens)?);
        let inputs = sides.inputs(ok, tokens)?;
        if let Some(few) = few {
            let (settings, ids, teacher) = few.view(ok, tokens)?;
            let [student, rows] = sides.places(ok, tokens)?;
            let teacher = PartialTensors::teacher(teacher, rows);
            let out = PartialFigures { status, ..PartialFigures::default() };
            let totals = Totals::default();
            let student = student.expect("required");
            return kernel::partial(
                &context,
                &problem,
                &settings,
                student,
                teacher,
                ids,
                inputs,
                out,
                totals,
                upstream,
                &mut [],
            );
        }
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
    few: Option<PartialTensors>,
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
        let few = PartialTensors::parse(t, &args.partial, &args.options, &sides)?;
        let outputs = OutputTensors::parse(t, &args.outputs, few.is_some())?;
        let grad_loss = t.input("grad_loss", args.grad_loss)?;
        if !sides.grads.iter().any(Output::is_some) {
            let expected = "NULL or 0 without grad_student_out and grad_teacher_out";
            idle("grad_loss", &args.grad_loss, expected)?;
            idle("grad_scale", &args.grad_scale, expected)?;
        }
        sides.in_place(t);
        let transforms = [&args.student_transform, &args.teacher_transform];
        let (problem, tokens) = sides.problem(transforms, &args.rows, args.flags, &args.options)?;
        Ok(Forward { sides, outputs, few, grad_loss, problem, tokens, call })
    }
    fn run(self) -> Result<()> {
        let wanted = self.sides.grads.iter().any(Output::is_some);
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens) = (&tensors.check()?, &self.tokens);
        let inputs = self.sides.inputs(ok, tokens)?;
        let (figures, partial, totals) = self.outputs.view(ok, tokens)?;
        let upstream = if wanted {
            let scale = grad_scale(args.grad_scale, args.flags);
            if !scale.is_finite() {
                return Err(Error::invalid("grad_scale", Value::Float(scale), Value::Text("a finite number")));
            }
            Some(scale * self.grad_loss.scalar::<Floats<'_>>(ok)?.map_or(1.0, |g| g.get(0)))
        } else {
            None
        };
        let workspace = workspace.bytes(ok);
        if let Some(few) = self.few {
            let (settings, ids, teacher) = few.view(ok, tokens)?;
            let [student, rows] = self.sides.places(ok, tokens)?;
            let teacher = PartialTensors::teacher(teacher, rows);
            let (student, upstream) = (student.expect("required"), Upstream { loss: upstream, ..Upstream::default() });
            return kernel::partial(
                &context,
                &self.problem,
                &settings,
                student,
                teacher,
                ids,
                inputs,
                partial,
                totals,
                upstream,
                workspace,
            );
        }
        let grads = self.sides.view(ok, tokens)?;
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
        // a teacher that is NULL is refused where it is needed
        let logits = [t.required("student", student)?, t.input("teacher", teacher)?];
        let (mut dims, mut ndim) = ([[1; 3]; 2], [0; 2]);
        for side in 0..2 {
            let of = if logits[side].is_some() { side } else { 0 };
            ndim[side] = logits[of].dims().len();
            dims[side][..ndim[side]].copy_from_slice(logits[of].dims());
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
    ) -> Result<(Problem, Leading)> {
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
        let missing = Error::invalid("teacher", Value::Text("NULL"), Value::Text("a pointer"));
        Ok([student.rows(ok, tokens)?.expect("required"), teacher.rows(ok, tokens)?.ok_or(missing)?])
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
    /// Both sides, which must be there.
    pub(crate) fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<[Grad<'a>; 2]> {
        let [student, teacher] = self.places(ok, tokens)?;
        let missing = Error::invalid("teacher", Value::Text("NULL"), Value::Text("a pointer"));
        Ok([student.ok_or(missing)?, teacher.ok_or(missing)?])
    }
    fn places<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<[Option<Grad<'a>>; 2]> {
        let side = |logits: &Input, grad: Output, in_place: bool| -> Result<Option<Grad<'a>>> {
            Ok(match (logits.rows(ok, tokens)?, grad.rows(ok, tokens)?) {
                (_, Some(g)) if in_place => Some(Grad::InPlace(g)),
                (Some(z), Some(g)) => Some(Grad::Separate(z, g)),
                (Some(z), None) => Some(Grad::Absent(z)),
                (None, None) => None,
                (None, Some(_)) => {
                    let expected = Value::Text("NULL without rows of teacher logits");
                    return Err(Error::invalid("grad_teacher_out", Value::Text("a tensor"), expected));
                }
            })
        };
        let [student, teacher] = self.grads;
        Ok([side(&self.logits[0], student, self.in_place[0])?, side(&self.logits[1], teacher, self.in_place[1])?])
    }
}

/// The tensors of a partial divergence.
struct PartialTensors {
    settings: Partial,
    ids: Input,
    values: Input,
    lse: Input,
    /// The values are logits, or log-probs; none: the teacher has rows.
    logits: Option<bool>,
}
impl PartialTensors {
    fn parse(
        t: &mut Tensors,
        f: &truing_partial,
        options: &truing_divergence_options,
        sides: &Sides,
    ) -> Result<Option<PartialTensors>> {
        unavailable!("partial", f; reference, tail_floor, outside_logprob, log_prob_floor, value_clamp);
        let logits = match options.teacher_form {
            TRUING_TEACHER_TOPK_LOGPROBS => Some(false),
            TRUING_TEACHER_TOPK_LOGITS => Some(true),
            TRUING_TEACHER_LOGITS | TRUING_TEACHER_LOGPROBS | TRUING_TEACHER_PROBS => None,
            other => return unknown("options.teacher_form", other, "TRUING_TEACHER_*, samples excepted"),
        };
        if logits.is_some() == sides.logits[1].is_some() {
            let (got, expected) = match logits {
                Some(_) => ("a tensor", "NULL with values at ids"),
                None => ("NULL", "a pointer"),
            };
            return Err(Error::invalid("teacher", Value::Text(got), Value::Text(expected)));
        }
        if f.support == 0 {
            const OFF: &str = "0 or NULL without a support";
            idle("partial.ids", &f.ids, OFF)?;
            idle("partial.teacher_values", &f.teacher_values, OFF)?;
            idle("partial.teacher_lse", &f.teacher_lse, OFF)?;
            idle("partial.k", &f.k, OFF)?;
            idle("partial.outside", &f.outside, OFF)?;
            if logits.is_some() {
                return unknown("partial.support", 0, "TRUING_PARTIAL_GIVEN with values at ids");
            }
            return Ok(None);
        }
        let k = usize::try_from(f.k)
            .map_err(|_| Error::invalid("partial.k", Value::Int(f.k), Value::Text("a number of columns, or 0")))?;
        let settings = Partial {
            chosen: match f.support {
                TRUING_PARTIAL_TEACHER => Chosen::Teacher,
                TRUING_PARTIAL_STUDENT => Chosen::Student,
                TRUING_PARTIAL_UNION => Chosen::Union,
                TRUING_PARTIAL_GIVEN => Chosen::Given,
                other => return unknown("partial.support", other, "TRUING_PARTIAL_*, reference excepted"),
            },
            outside: match f.outside {
                TRUING_OUTSIDE_RENORMALISE => Outside::Renormalise,
                TRUING_OUTSIDE_TAIL => Outside::Tail,
                other => return unknown("partial.outside", other, "TRUING_OUTSIDE_RENORMALISE or _TAIL"),
            },
            k,
        };
        match logits {
            Some(true) => {}
            Some(false) => idle("partial.teacher_lse", &f.teacher_lse, "NULL with log-probs")?,
            None => {
                idle("partial.teacher_values", &f.teacher_values, "NULL with rows of the teacher")?;
                idle("partial.teacher_lse", &f.teacher_lse, "NULL with rows of the teacher")?;
            }
        }
        let values = if logits.is_some() {
            t.required("partial.teacher_values", f.teacher_values)?
        } else {
            t.input("partial.teacher_values", f.teacher_values)?
        };
        let (ids, lse) = (t.input("partial.ids", f.ids)?, t.input("partial.teacher_lse", f.teacher_lse)?);
        Ok(Some(PartialTensors { settings, ids, values, lse, logits }))
    }
    fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<(Partial, Option<Ints<'a>>, Option<AtIds<'a>>)> {
        let values: Option<Floats<'a>> = self.values.rows(ok, tokens)?;
        let at = match (self.logits, values) {
            (Some(true), Some(x)) => Some(AtIds::Logits(x, self.lse.tokens(ok, tokens)?)),
            (Some(false), Some(x)) => Some(AtIds::Logprobs(x)),
            _ => None,
        };
        Ok((self.settings, self.ids.rows(ok, tokens)?, at))
    }
    fn teacher<'a>(at: Option<AtIds<'a>>, rows: Option<Grad<'a>>) -> PartialTeacher<'a> {
        match (at, rows) {
            (Some(at), _) => PartialTeacher::At(at),
            (None, rows) => PartialTeacher::Rows(rows.expect("checked")),
        }
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
            // values at ids are part of the support
            TRUING_TEACHER_LOGITS | TRUING_TEACHER_TOPK_LOGPROBS | TRUING_TEACHER_TOPK_LOGITS => Teacher::Logits,
            TRUING_TEACHER_LOGPROBS => Teacher::Logprobs,
            TRUING_TEACHER_PROBS => Teacher::Probs,
            other => {
                return unknown("options.teacher_form", other, "TRUING_TEACHER_*, samples excepted");
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
    partial: [Output; 3],
    few: bool,
    stats: Output,
    status: Output,
    loss: Output,
    counters: Output,
}
impl OutputTensors {
    fn parse(t: &mut Tensors, f: &truing_divergence_outputs, partial: bool) -> Result<OutputTensors> {
        unavailable!("outputs", f; out_overlap, out_overlap_sum);
        macro_rules! idle_outputs {
            ($why:literal: $($field:ident)*) => { $( idle(concat!("outputs.", stringify!($field)), &f.$field, $why)?; )* };
        }
        if partial {
            idle_outputs!("NULL with a partial support": out_student_entropy out_teacher_entropy out_cross_entropy
                out_reverse_cross_entropy out_student_logprob out_teacher_logprob out_student_rank out_teacher_rank
                out_stats);
        } else {
            idle_outputs!("NULL without a partial support": out_student_mass out_teacher_mass out_support_ids);
        }
        macro_rules! outputs {
            ($($field:ident)*) => { [$( t.output(concat!("outputs.", stringify!($field)), f.$field)? ),*] };
        }
        let [stats, status, loss, counters] = outputs!(out_stats out_status out_loss out_counters);
        let figures = outputs!(out_values out_student_entropy out_teacher_entropy out_cross_entropy
            out_reverse_cross_entropy out_student_logprob out_teacher_logprob out_student_rank out_teacher_rank);
        let few_outputs = outputs!(out_student_mass out_teacher_mass out_support_ids);
        Ok(OutputTensors { figures, partial: few_outputs, few: partial, stats, status, loss, counters })
    }
    /// Of whole rows, or of partial ones.
    fn view<'a>(self, ok: &'a Checked, tokens: &Leading) -> Result<(Figures<'a>, PartialFigures<'a>, Totals<'a>)> {
        let [values, hs, ht, cross, reverse, student, teacher, rank_s, rank_t] = self.figures;
        let totals = Totals { loss: self.loss.scalar(ok)?, counters: self.counters.array(ok)? };
        if self.few {
            let [student, teacher, ids] = self.partial;
            let figures = PartialFigures {
                values: values.tokens(ok, tokens)?,
                student_mass: student.tokens(ok, tokens)?,
                teacher_mass: teacher.tokens(ok, tokens)?,
                support_ids: ids.rows(ok, tokens)?,
                status: self.status.tokens(ok, tokens)?,
            };
            return Ok((Figures::default(), figures, totals));
        }
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
        Ok((figures, PartialFigures::default(), totals))
    }
}
