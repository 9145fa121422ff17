//! `truing_linear_divergence_*`: hidden states and heads of two models to divergences and gradients, whole or in shards.
use crate::abi::*;
use crate::boundary::{grad_scale, guard, idle, sizes, unavailable, unknown};
use crate::divergence::{
    FinishCall, GIVEN, OutputTensors, PartialTensors, PartialViews, SHARD_FLAGS, divergence_options, given_ids,
    local_pass, once, with_ids,
};
use crate::linear_logprob::rounding;
use crate::logprob::{BACKWARD_FLAGS, RowTensors, columns, options, problem as rows_problem, stats};
use crate::tensor::{Call, Checked, Input, Leading, Output, Tensors};
use truing_core::divergence::Upstream;
use truing_core::divergence::partial::AtIds;
use truing_core::linear_divergence::{Argument, Problem, Side, name_side};
use truing_core::linear_logprob;
use truing_core::logprob::TransformInputs;
use truing_core::matrix::{Floats, Workspace};
use truing_core::{Error, Result, Value};
use truing_cpu::divergence::{Side as TeacherRows, Totals};
use truing_cpu::linear_divergence::{self as kernel, Asked, Fused, Head, Inputs, Support, Teacher};
use truing_cpu::linear_logprob::Grads;

const FLAGS: u64 = BACKWARD_FLAGS
    | TRUING_TEMPERATURE_SQUARED
    | TRUING_HAS_SOFT_WEIGHT
    | TRUING_CLAMP_AT_ZERO
    | TRUING_ACCUMULATE_HIDDEN
    | TRUING_ACCUMULATE_WEIGHT;

/// Divergences of the rows of two models from hidden states and heads, and the gradients of these, without logits tensors; see
/// `truing_linear_divergence_args`.
///
/// # Safety
/// `args` is NULL or points to `struct_size` readable bytes. What its fields describe is readable, what its outputs
/// describe and the workspace are writable, and nobody else writes to any of it during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_divergence_forward(args: *const truing_linear_divergence_args) -> truing_status {
    guard("truing_linear_divergence_forward", || {
        // SAFETY: this function's contract.
        unsafe { Open::new(args) }?.run()
    })
}

/// Bytes of workspace for `truing_linear_divergence_forward`.
///
/// # Safety
/// As for `truing_linear_divergence_forward`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_divergence_forward_workspace_size(
    args: *const truing_linear_divergence_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_divergence_forward_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { Open::new(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// What the columns of one vocabulary shard of both heads contribute; see `truing_linear_divergence_local_args`.
///
/// # Safety
/// As for `truing_linear_divergence_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_divergence_local(
    args: *const truing_linear_divergence_local_args,
) -> truing_status {
    guard("truing_linear_divergence_local", || {
        // SAFETY: this function's contract.
        let Local { call, heads, rows, row_weight, ids, at_ids, stats, records, status, problem } =
            unsafe { Local::open(args) }?;
        let Call { args, context, tensors, workspace } = call;
        let (ok, tokens) = (&tensors.check()?, &heads[0].tokens());
        let inputs = both(&heads, &rows, &row_weight, ok, tokens)?;
        let pass = local_pass(args.local_pass, stats.rows(ok, tokens)?)?;
        if let Some(ids) = &ids {
            once(args.local_pass)?;
            let [student, teacher] = at_ids;
            let ids = ids.rows(ok, tokens)?.expect("required");
            let out = [student.rows(ok, tokens)?.expect("required"), teacher.rows(ok, tokens)?.expect("required")];
            let (records, status) = (records.rows(ok, tokens)?, status.tokens(ok, tokens)?);
            let space = workspace.bytes(ok);
            return kernel::partial_local(&context, &problem, &GIVEN, ids, &inputs, out, records, status, space);
        }
        let (records, status) = (records.rows(ok, tokens)?.expect("required"), status.tokens(ok, tokens)?);
        kernel::local(&context, &problem, &inputs, pass, records, status, workspace.bytes(ok))
    })
}

/// Bytes of workspace for `truing_linear_divergence_local`.
///
/// # Safety
/// As for `truing_linear_divergence_local`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_divergence_local_workspace_size(
    args: *const truing_linear_divergence_local_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_divergence_local_workspace_size", || {
        // SAFETY: this function's contract.
        let Local { call, heads, rows, row_weight, problem, .. } = unsafe { Local::open(args) }?;
        let (ok, tokens) = (&call.tensors.check()?, &heads[0].tokens());
        let inputs = both(&heads, &rows, &row_weight, ok, tokens)?;
        kernel::check_operands(&problem, &inputs)?;
        let need = kernel::workspace(&call.context, &problem, inputs.dtypes(), &Asked::default());
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// Figures of the rows from what all shards contribute: `truing_divergence_finish` under the name of this family.
///
/// # Safety
/// As for `truing_linear_divergence_forward`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_divergence_finish(
    args: *const truing_linear_divergence_finish_args,
) -> truing_status {
    guard("truing_linear_divergence_finish", || {
        // SAFETY: this function's contract.
        unsafe { FinishCall::open(args) }?.run()
    })
}

/// Bytes of workspace for `truing_linear_divergence_finish`: 0 without `outputs.out_loss`.
///
/// # Safety
/// As for `truing_linear_divergence_finish`; `minimum` and `preferred` are NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_linear_divergence_finish_workspace_size(
    args: *const truing_linear_divergence_finish_args,
    minimum: *mut usize,
    preferred: *mut usize,
) -> truing_status {
    guard("truing_linear_divergence_finish_workspace_size", || {
        // SAFETY: this function's contract.
        let need = unsafe { FinishCall::open(args) }?.need()?;
        // SAFETY: this function's contract.
        unsafe { sizes(minimum, preferred, (need.minimum, need.preferred)) }
    })
}

/// A local call whose fields have been read.
struct Local {
    call: Call<truing_linear_divergence_local_args>,
    heads: [HeadTensors; 2],
    rows: RowTensors,
    row_weight: Input,
    /// Ids of a support and places for both sides' logits there, in the place of the records.
    ids: Option<Input>,
    at_ids: [Output; 2],
    stats: Input,
    records: Output,
    status: Output,
    problem: Problem,
}
impl Local {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn open(args: *const truing_linear_divergence_local_args) -> Result<Local> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::open(args, SHARD_FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let ids = given_ids(t, &args.partial, &args.options)?;
        if args.shard.vocab_end == 0 {
            return Err(Error::invalid("shard.vocab_end", Value::Int(0), Value::Text("the columns of a shard")));
        }
        let none = &truing_head_grads::ZERO;
        let heads = [
            parse_head!("student" "student_grads", t, &args.student, none),
            parse_head!("teacher" "teacher_grads", t, &args.teacher, none),
        ];
        let rows = RowTensors::parse(t, &args.rows)?;
        let row_weight = t.input("row_weight", args.row_weight)?;
        let stats = t.input("stats", args.stats)?;
        let records = t.output("out_records", args.out_records)?;
        let student_at_ids = t.output("out_student_at_ids", args.out_student_at_ids)?;
        let teacher_at_ids = t.output("out_teacher_at_ids", args.out_teacher_at_ids)?;
        with_ids("out_records", records.is_some(), ids.is_none() || args.options.hard_weight != 0.0)?;
        with_ids("out_student_at_ids", student_at_ids.is_some(), ids.is_some())?;
        with_ids("out_teacher_at_ids", teacher_at_ids.is_some(), ids.is_some())?;
        let at_ids = [student_at_ids, teacher_at_ids];
        let status = t.output("out_status", args.out_status)?;
        let (flags, shard) = (args.flags, &args.shard);
        let student = heads[0].problem(&args.student, &args.rows, flags, shard, Argument::Student)?;
        let teacher = heads[1].problem(&args.teacher, &args.rows, flags, shard, Argument::Teacher)?;
        // SAFETY: the host arrays of a call are readable, by this function's contract.
        let settings = unsafe { divergence_options(&args.options, flags) }?;
        let problem = Problem::new(student, Side::Head(teacher), settings)?;
        Ok(Local { heads, rows, row_weight, ids, at_ids, stats, records, status, problem, call })
    }
}
/// What a call with two heads reads.
fn both<'a>(
    [student, teacher]: &[HeadTensors; 2],
    rows: &RowTensors,
    row_weight: &Input,
    ok: &'a Checked,
    tokens: &Leading,
) -> Result<Inputs<'a>> {
    Ok(Inputs {
        student: student.view(ok, tokens)?,
        teacher: Teacher::Head(teacher.view(ok, tokens)?),
        rows: rows.view(ok, tokens)?,
        row_weight: row_weight.tokens(ok, tokens)?,
    })
}

/// What a call does.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Single,
    Figures,
    WithCoefficients,
}
/// A call whose fields have been read.
struct Open {
    call: Call<truing_linear_divergence_args>,
    student: HeadTensors,
    teacher: TeacherTensors,
    rows: RowTensors,
    row_weight: Input,
    few: Option<PartialTensors>,
    outputs: OutputTensors,
    stats: Input,
    /// Of values, loss and the student's log-probs.
    upstream: [Input; 3],
    phase: Phase,
    problem: Problem,
    tokens: Leading,
}
/// The teacher's tensors.
// one lies on the stack for the length of a call; a box would allocate
#[expect(clippy::large_enum_variant)]
enum TeacherTensors {
    Head(HeadTensors),
    Rows {
        logits: Input,
        bias: Input,
        row_temperature: Input,
    },
    /// None: there are numbers at ids.
    AtIds {
        bias: Input,
        row_temperature: Input,
    },
}
impl Open {
    /// # Safety
    /// As for [`Call::open`].
    unsafe fn new(args: *const truing_linear_divergence_args) -> Result<Open> {
        // SAFETY: this function's contract.
        let mut call = unsafe { Call::open(args, FLAGS) }?;
        let (args, t) = (&call.args, &mut call.tensors);
        let phase = match args.phase {
            TRUING_PHASE_SINGLE => Phase::Single,
            TRUING_PHASE_FIGURES => Phase::Figures,
            TRUING_PHASE_WITH_COEFFICIENTS => Phase::WithCoefficients,
            other => return unknown("phase", other, "TRUING_PHASE_*"),
        };
        let student = parse_head!("student" "student_grads", t, &args.student, &args.student_grads);
        let teacher = TeacherTensors::parse(t, args)?;
        let rows = RowTensors::parse(t, &args.rows)?;
        let row_weight = t.input("row_weight", args.row_weight)?;
        let has_rows = match &teacher {
            TeacherTensors::Head(_) => ("teacher.hidden", true),
            TeacherTensors::Rows { .. } => ("teacher_rows", true),
            TeacherTensors::AtIds { .. } => ("teacher_rows", false),
        };
        let few = PartialTensors::parse(t, &args.partial, &args.options, args.flags, has_rows)?;
        let outputs = OutputTensors::parse(t, &args.outputs, few.is_some())?;
        if few.is_some() {
            if args.shard.vocab_end == 0 {
                idle("stats", &args.stats, "NULL with a partial support: there are none but over shards")?;
            }
            idle("grad_student_logprob", &args.grad_student_logprob, "NULL with a partial support")?;
        }
        let stats = stats(t, args.stats, args.flags)?;
        let upstream = [
            t.input("grad_values", args.grad_values)?,
            t.input("grad_loss", args.grad_loss)?,
            t.input("grad_student_logprob", args.grad_student_logprob)?,
        ];
        let wanted = student.wanted() || teacher.wanted();
        match phase {
            Phase::Single => {}
            Phase::Figures if wanted => {
                let expected = Value::Text("none in phase figures");
                return Err(Error::invalid("student_grads", Value::Text("a tensor"), expected));
            }
            Phase::Figures => {}
            Phase::WithCoefficients => {
                OutputTensors::only_status("NULL in phase with_coefficients", &args.outputs)?;
                if !wanted {
                    let expected = Value::Text("a place for a gradient, here or in teacher_grads");
                    return Err(Error::invalid("student_grads", Value::Text("NULL"), expected));
                }
            }
        }
        if phase != Phase::WithCoefficients {
            idle("stats", &args.stats, "NULL but in phase with_coefficients")?;
        }
        if !wanted {
            const OFF: &str = "NULL or 0 without a gradient";
            idle("grad_values", &args.grad_values, OFF)?;
            idle("grad_loss", &args.grad_loss, OFF)?;
            idle("grad_student_logprob", &args.grad_student_logprob, OFF)?;
            idle("grad_scale", &args.grad_scale, OFF)?;
            let accumulate = args.flags & (TRUING_ACCUMULATE_HIDDEN | TRUING_ACCUMULATE_WEIGHT);
            idle("flags", &accumulate, "no TRUING_ACCUMULATE_* without a gradient")?;
        }

        let own_head = student.problem(&args.student, &args.rows, args.flags, &args.shard, Argument::Student)?;
        let tokens = student.tokens();
        let side = match &teacher {
            TeacherTensors::Head(head) => {
                Side::Head(head.problem(&args.teacher, &args.rows, args.flags, &args.shard, Argument::Teacher)?)
            }
            TeacherTensors::Rows { logits, .. } => {
                let rows = options(&args.teacher_transform, &args.rows, args.flags)
                    .and_then(|own| rows_problem(logits.dims(), own, &args.shard));
                Side::Rows(rows.map_err(|e| name_side(e, Argument::Rows))?.0)
            }
            // ids count over the student's vocabulary
            TeacherTensors::AtIds { .. } => {
                let rows = options(&args.teacher_transform, &args.rows, args.flags)
                    .and_then(|own| rows_problem(&[own_head.rows(), own_head.vocab()], own, &args.shard));
                Side::Rows(rows.map_err(|e| name_side(e, Argument::Rows))?.0)
            }
        };
        // SAFETY: the host arrays of a call are readable, by this function's contract.
        let settings = unsafe { divergence_options(&args.options, args.flags) }?;
        let problem = Problem::new(own_head, side, settings)?;
        Ok(Open { student, teacher, rows, row_weight, few, outputs, stats, upstream, phase, problem, tokens, call })
    }
    fn need(self) -> Result<Workspace> {
        let (ok, tokens) = (&self.call.tensors.check()?, &self.tokens);
        let few = self.few.as_ref().map(|few| few.view(ok, tokens)).transpose()?;
        let at = few.as_ref().and_then(|few| few.at);
        let inputs = inputs(&self.student, &self.teacher, at, &self.rows, &self.row_weight, ok, tokens)?;
        kernel::check_operands(&self.problem, &inputs)?;
        let [loss, stats] = self.outputs.wanted();
        let stats = stats || self.stats.is_some();
        let grads = grads(self.student, self.teacher, self.call.args.flags, ok, tokens)?;
        let asked = Asked::new(&grads, loss, stats);
        let asked = few.as_ref().map_or(asked, |few| asked.on(&support(few)));
        Ok(kernel::workspace(&self.call.context, &self.problem, inputs.dtypes(), &asked))
    }
    fn run(self) -> Result<()> {
        let Call { args, context, tensors, workspace } = self.call;
        let (ok, tokens, problem) = (&tensors.check()?, &self.tokens, &self.problem);
        let few = self.few.as_ref().map(|few| few.view(ok, tokens)).transpose()?;
        let at = few.as_ref().and_then(|few| few.at);
        let inputs = inputs(&self.student, &self.teacher, at, &self.rows, &self.row_weight, ok, tokens)?;
        let [values, loss, logprob] = &self.upstream;
        let values = values.tokens(ok, tokens)?;
        let student_logprob = logprob.tokens(ok, tokens)?;
        let loss = loss.scalar::<Floats<'_>>(ok)?.map(|g| g.get(0));
        let wanted = self.student.wanted() || self.teacher.wanted();
        let alone = self.phase == Phase::Single && wanted && values.is_none() && student_logprob.is_none();
        let upstream = Upstream {
            values,
            student_logprob,
            loss: if alone { Some(loss.unwrap_or(1.0)) } else { loss },
            scale: grad_scale(args.grad_scale, args.flags),
        };
        let (figures, partial, totals) = self.outputs.view(ok, tokens)?;
        let grads = grads(self.student, self.teacher, args.flags, ok, tokens)?;
        let space = workspace.bytes(ok);
        if let Some(few) = &few {
            let (stats, fused) = (self.stats.rows(ok, tokens)?, Fused { upstream, grads });
            return kernel::partial(&context, problem, support(few), &inputs, stats, partial, totals, fused, space);
        }
        if self.phase == Phase::WithCoefficients {
            let (stats, Totals { .. }) = (self.stats.rows(ok, tokens)?, totals);
            return kernel::backward(&context, problem, &inputs, stats, upstream, grads, figures.status, space);
        }
        kernel::forward(&context, problem, &inputs, figures, totals, Fused { upstream, grads }, space)
    }
}
fn support<'a>(few: &'a PartialViews<'a>) -> Support<'a> {
    Support { partial: &few.settings, ids: few.ids, reference: few.reference }
}
fn inputs<'a>(
    student: &HeadTensors,
    teacher: &TeacherTensors,
    at: Option<AtIds<'a>>,
    rows: &RowTensors,
    row_weight: &Input,
    ok: &'a Checked,
    tokens: &Leading,
) -> Result<Inputs<'a>> {
    let student = student.view(ok, tokens)?;
    let teacher = match teacher {
        TeacherTensors::Head(head) => Teacher::Head(head.view(ok, tokens)?),
        TeacherTensors::Rows { logits, bias, row_temperature } => Teacher::Rows(TeacherRows {
            logits: logits.rows(ok, tokens)?.expect("required"),
            transform: TransformInputs { bias: bias.list(ok)?, row_temperature: row_temperature.tokens(ok, tokens)? },
        }),
        TeacherTensors::AtIds { bias, row_temperature } => Teacher::AtIds(
            at.expect("parsed with them"),
            TransformInputs { bias: bias.list(ok)?, row_temperature: row_temperature.tokens(ok, tokens)? },
        ),
    };
    Ok(Inputs { student, teacher, rows: rows.view(ok, tokens)?, row_weight: row_weight.tokens(ok, tokens)? })
}
fn grads<'a>(
    student: HeadTensors,
    teacher: TeacherTensors,
    flags: u64,
    ok: &'a Checked,
    tokens: &Leading,
) -> Result<[Grads<'a>; 2]> {
    let teacher = match teacher {
        TeacherTensors::Head(head) => head.grads(flags, ok, tokens)?,
        TeacherTensors::Rows { .. } | TeacherTensors::AtIds { .. } => Grads::default(),
    };
    Ok([student.grads(flags, ok, tokens)?, teacher])
}
impl TeacherTensors {
    fn parse(t: &mut Tensors, args: &truing_linear_divergence_args) -> Result<TeacherTensors> {
        let (head, grads, own) = (&args.teacher, &args.teacher_grads, &args.teacher_transform);
        macro_rules! idle_fields {
            ($group:literal $of:expr, $why:expr; $($field:ident)*) => {
                $( idle(concat!($group, ".", stringify!($field)), &$of.$field, $why)?; )*
            };
        }
        if !head.hidden.is_null() {
            const HEAD: &str = "NULL or 0 with a teacher's head";
            idle("teacher_rows", &args.teacher_rows, HEAD)?;
            idle_fields!("teacher_transform" own, HEAD; bias row_temperature temperature logit_scale softcap n_valid_vocab
                logit_round);
            return Ok(TeacherTensors::Head(parse_head!("teacher" "teacher_grads", t, head, grads)));
        }
        const NONE: &str = "NULL or 0 without teacher.hidden";
        idle_fields!("teacher" head, NONE; weight);
        idle_fields!("teacher.transform" head.transform, NONE; bias row_temperature temperature logit_scale softcap
            n_valid_vocab logit_round);
        idle_fields!("teacher_grads" grads, NONE; grad_hidden_out grad_weight_out grad_bias_out);
        unavailable!("teacher_transform", own; logit_round);
        let bias = t.input("teacher_transform.bias", own.bias)?;
        let row_temperature = t.input("teacher_transform.row_temperature", own.row_temperature)?;
        match args.options.teacher_form {
            TRUING_TEACHER_TOPK_LOGPROBS | TRUING_TEACHER_TOPK_LOGITS | TRUING_TEACHER_SAMPLES => {
                idle("teacher_rows", &args.teacher_rows, "NULL with values at ids")?;
                Ok(TeacherTensors::AtIds { bias, row_temperature })
            }
            _ => Ok(TeacherTensors::Rows {
                logits: t.required("teacher_rows", args.teacher_rows)?,
                bias,
                row_temperature,
            }),
        }
    }
    fn wanted(&self) -> bool {
        matches!(self, TeacherTensors::Head(head) if head.wanted())
    }
}

/// The tensors of one side's head and its gradients.
struct HeadTensors {
    hidden: Input,
    weight: Input,
    bias: Input,
    row_temperature: Input,
    /// Of hidden states, weight, bias.
    grads: [Output; 3],
}
/// Reads them under the names of the side.
macro_rules! parse_head {
    ($side:literal $grads:literal, $t:expr, $head:expr, $places:expr) => {{
        let (t, head, places): (&mut Tensors, &truing_head, &truing_head_grads) = ($t, $head, $places);
        HeadTensors {
            hidden: t.required(concat!($side, ".hidden"), head.hidden)?,
            weight: t.required(concat!($side, ".weight"), head.weight)?.ndim(2, 2, "2 dimensions, [V, D]")?,
            bias: t.input(concat!($side, ".transform.bias"), head.transform.bias)?,
            row_temperature: t.input(concat!($side, ".transform.row_temperature"), head.transform.row_temperature)?,
            grads: [
                t.output(concat!($grads, ".grad_hidden_out"), places.grad_hidden_out)?,
                t.output(concat!($grads, ".grad_weight_out"), places.grad_weight_out)?,
                t.output(concat!($grads, ".grad_bias_out"), places.grad_bias_out)?,
            ],
        }
    }};
}
use parse_head;
impl HeadTensors {
    fn wanted(&self) -> bool {
        self.grads.iter().any(Output::is_some)
    }
    /// How the rows lie, once [`HeadTensors::problem`] has passed.
    fn tokens(&self) -> Leading {
        let dims = self.hidden.dims();
        Leading::new(&dims[..dims.len() - 1])
    }
    fn problem(
        &self,
        head: &truing_head,
        rows: &truing_rows,
        flags: u64,
        shard: &truing_shard,
        of: Argument,
    ) -> Result<linear_logprob::Problem> {
        let named = |e: Error| name_side(e, of);
        let (n, d) = match *self.hidden.dims() {
            [n, d] => (n, d),
            [b, t, d] => (b * t, d),
            ref dims => {
                let expected = Value::Text("2 dimensions, [N, D], or 3, [B, T, D]");
                return Err(named(Error::shape("head.hidden", Value::Int(dims.len() as i64), expected)));
            }
        };
        let rounding = rounding("transform.logit_round", head.transform.logit_round).map_err(named)?;
        let own = options(&head.transform, rows, flags).map_err(named)?;
        let v = self.weight.dims()[0];
        let (start, total) = columns(v, shard)?;
        let problem = linear_logprob::Problem::shard(n, d, v, own, start, total).map_err(named)?;
        Ok(problem.rounded(rounding))
    }
    fn view<'a>(&self, ok: &'a Checked, tokens: &Leading) -> Result<Head<'a>> {
        Ok(Head {
            hidden: self.hidden.rows(ok, tokens)?.expect("required"),
            weight: self.weight.matrix(ok)?.expect("required"),
            transform: TransformInputs {
                bias: self.bias.list(ok)?,
                row_temperature: self.row_temperature.tokens(ok, tokens)?,
            },
        })
    }
    fn grads<'a>(self, flags: u64, ok: &'a Checked, tokens: &Leading) -> Result<Grads<'a>> {
        let [hidden, weight, bias] = self.grads;
        Ok(Grads {
            hidden: hidden.rows(ok, tokens)?,
            weight: weight.matrix(ok)?,
            bias: bias.list(ok)?,
            accumulate_hidden: flags & TRUING_ACCUMULATE_HIDDEN != 0,
            accumulate_weight: flags & TRUING_ACCUMULATE_WEIGHT != 0,
        })
    }
}
