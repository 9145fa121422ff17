//! Policy losses of tokens, sequences, lists and estimators on a device, with the bits of the CPU: `kernels/policy.cu` says how, and
//! [`truing_core::policy`] what.
//!
//! What the host cannot look at without waiting is judged on the device: a token whose weight or importance weight is not
//! finite and >= 0 is NaN with the status `OUT_OF_RANGE`, and so is a sequence whose offsets do not cut the tokens; where groups do
//! not cut the sequences, every sequence is.
use crate::driver::{Device, Grid, Stream};
use crate::plan::{Dtypes, F32, F64, FLOATS, I64, IDS, MASK, Space, Tensor, U8, U32, View, WIDE, cover};
use crate::program::{Context, File};
pub use crate::sequence::Layout;
use core::ffi::CStr;
use truing_core::catalog::{
    self, Kind, ListVisitor, Score, SequenceVisitor, TokenVisitor, slot, with_list, with_sequence, with_token,
};
use truing_core::error::row;
use truing_core::losses::formula::MAX;
use truing_core::losses::{GMPO_ID, K3, ListLoss, Reduction, SequenceLoss, TokenLoss};
use truing_core::matrix::{Arena, Ints, Matrix, Workspace};
use truing_core::policy::{
    Aggregate, ClampMode, CountEmpty, Denominator, Estimator, KlStage, Mode, Options, Problem, RatioSource, Term,
    clip_bounds, name_term, stat,
};
use truing_core::sequence::{Segments, factor};
use truing_core::{Dtype, Error, Result, Value};

pub(crate) const FILE: File = File { name: c"policy.cu", text: include_str!("../kernels/policy.cu") };
/// Sums of a sequence and of the batch; `S_COUNT` and the totals of the kernels.
const SUMS: usize = 18;
const TOTALS: usize = 8;
/// Threads that count and that evaluate; `TRUING_TOKENS` of the kernels.
const COUNTERS: usize = 128;
/// Threads of the one block that counts a small batch; `TRUING_FEW` of the kernels.
const FEW: usize = 1024;
/// Whether a batch is small.
fn few(sequences: usize, tokens: usize) -> bool {
    sequences <= FEW / 32 || (sequences <= 4 * FEW && tokens <= 32 * FEW)
}
const TOKENS: u32 = 256;

/// Numbers of tokens or of sequences.
#[derive(Clone, Copy, Debug)]
pub enum Each {
    /// `[N]`.
    Token(Tensor),
    /// `[B]`.
    Sequence(Tensor),
}
impl Each {
    pub(crate) fn check(&self, field: &'static str, n: usize, b: usize, dtypes: &Dtypes) -> Result<()> {
        match self {
            Each::Token(x) => x.check(field, n, 1, dtypes),
            Each::Sequence(x) => x.check(field, b, 1, dtypes),
        }
    }
    pub(crate) fn view(x: &Option<Each>) -> View {
        View::of(x.map(|x| match x {
            Each::Token(x) | Each::Sequence(x) => x,
        }))
    }
    pub(crate) fn of_sequences(x: &Option<Each>) -> u32 {
        matches!(x, Some(Each::Sequence(_))) as u32
    }
}
/// What a further term reads in the place of the call's own; see [`truing_core::policy::TermInputs`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct TermInputs {
    pub old: Option<Tensor>,
    pub reference: Option<Tensor>,
    pub advantage: Option<Each>,
    /// u8
    pub flag: Option<Each>,
    /// u8, i32 or i64
    pub mask: Option<Tensor>,
    pub token_weights: Option<Tensor>,
}
/// Token values, f32, bf16, f16 or f64; see [`truing_core::policy::Inputs`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Inputs<'a> {
    pub logps: Tensor,
    pub old: Option<Tensor>,
    pub reference: Option<Tensor>,
    pub sampler: Option<Tensor>,
    pub kl_reference: Option<Tensor>,
    /// The KL term's values, with [`Estimator::GIVEN`].
    pub kl: Option<Tensor>,
    pub entropy: Option<Tensor>,
    /// In place of `entropy` for the entry.
    pub topk_entropy: Option<Tensor>,
    pub advantage: Option<Each>,
    /// u8
    pub flag: Option<Each>,
    pub log_z: Option<Tensor>,
    /// u8, i32 or i64
    pub mask: Option<Tensor>,
    /// u8, as the next three
    pub keep: Option<Tensor>,
    pub sequence_keep: Option<Tensor>,
    pub entropy_mask: Option<Tensor>,
    pub kl_mask: Option<Tensor>,
    pub token_weights: Option<Tensor>,
    pub importance: Option<Each>,
    /// One number; with [`Mode::None`] also one for each value.
    pub grad_output: Option<Tensor>,
    pub grad_scale: f64,
    /// `[G + 1]`, i32 or i64: the lists of a list entry; in place of [`Options::groups`], which are on the host.
    pub group_offsets: Option<Tensor>,
    /// Of the further terms, as many as they are.
    pub terms: &'a [TermInputs],
}
impl Inputs<'_> {
    /// Log-probs and nothing else.
    pub const fn new(logps: Tensor) -> Inputs<'static> {
        Inputs {
            logps,
            old: None,
            reference: None,
            sampler: None,
            kl_reference: None,
            kl: None,
            entropy: None,
            topk_entropy: None,
            advantage: None,
            flag: None,
            log_z: None,
            mask: None,
            keep: None,
            sequence_keep: None,
            entropy_mask: None,
            kl_mask: None,
            token_weights: None,
            importance: None,
            grad_output: None,
            grad_scale: 1.0,
            group_offsets: None,
            terms: &[],
        }
    }
    /// Those of a further term.
    fn term(&self, own: &TermInputs, term: &Term<'_>) -> Inputs<'static> {
        let entropy = catalog::info(term.loss).is_some_and(|i| i.about.reads(slot::ENTROPY));
        Inputs {
            old: own.old.or(self.old),
            reference: own.reference.or(self.reference),
            entropy: self.entropy,
            topk_entropy: self.topk_entropy.filter(|_| entropy),
            advantage: own.advantage.or(self.advantage),
            flag: own.flag.or(self.flag),
            mask: own.mask.or(self.mask),
            token_weights: own.token_weights,
            grad_output: self.grad_output,
            grad_scale: self.grad_scale * term.weight,
            group_offsets: self.group_offsets,
            ..Inputs::new(self.logps)
        }
    }
}
/// Where results go; see [`truing_core::policy::Outputs`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Outputs {
    /// f64 or f32
    pub loss: Option<Tensor>,
    /// Token and estimator entries f32 `[N]`, sequence entries f64 or f32 `[B]`, list entries f64 `[G]`.
    pub values: Option<Tensor>,
    pub kl: Option<Tensor>,
    /// `[3]` and one for each further term, f64
    pub terms: Option<Tensor>,
    pub grad_logps: Option<Tensor>,
    pub grad_entropy: Option<Tensor>,
    /// dL/dkl, with [`Estimator::GIVEN`].
    pub grad_kl: Option<Tensor>,
    pub grad_log_z: Option<Tensor>,
    /// `[32]`, f64
    pub statistics: Option<Tensor>,
    /// `[N]`, u32
    pub token_status: Option<Tensor>,
    /// `[B]`, u32
    pub sequence_status: Option<Tensor>,
    /// `[32]`, i64
    pub counters: Option<Tensor>,
}

/// `truing_policy_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    logps: View,
    old: View,
    reference: View,
    sampler: View,
    kl_reference: View,
    kl: View,
    entropy: View,
    topk_entropy: View,
    advantage: View,
    flag: View,
    log_z: View,
    mask: View,
    keep: View,
    sequence_keep: View,
    entropy_mask: View,
    kl_mask: View,
    token_weights: View,
    importance: View,
    grad_output: View,
    offsets: View,
    group_offsets: View,
    out_loss: View,
    out_values: View,
    out_kl: View,
    out_terms: View,
    grad_logps: View,
    grad_entropy: View,
    grad_kl: View,
    grad_log_z: View,
    out_statistics: View,
    out_token_status: View,
    out_sequence_status: View,
    out_counters: View,
    /// sums, weights, totals, counters, counts, lengths, bonus_lengths
    scratch: [u64; 7],
    /// all_status, own_status, own_grad, all_sequences, own_sequences, main_totals, parts, all_counters
    of_terms: [u64; 8],
    /// lists, members, member_lengths, marks, of_groups
    of_lists: [u64; 5],
    tokens: i64,
    sequences: i64,
    width: i64,
    groups: i64,
    p: [f64; MAX],
    bounds: [f64; 4],
    normaliser: f64,
    max_length: f64,
    bonus_normaliser: f64,
    bonus_max_length: f64,
    bonus_coef: f64,
    coef: f64,
    input_clamp: f64,
    output_clamp: f64,
    ratio_max: f64,
    grad_scale: f64,
    term_weight: f64,
    id: u32,
    each: u32,
    mean: u32,
    estimator: u32,
    k3: u32,
    weight: u32,
    gradient: u32,
    clamp: u32,
    by_sampler: u32,
    mode: u32,
    nonempty: u32,
    denominator: u32,
    bonus: u32,
    bonus_mode: u32,
    bonus_nonempty: u32,
    bonus_denominator: u32,
    counts_kept: u32,
    bonus_counts: u32,
    drops: u32,
    shrinks: u32,
    weighs: u32,
    kl_weighs: u32,
    inside: u32,
    reads_old: u32,
    reads_reference: u32,
    reads_kl_reference: u32,
    reads_sampler: u32,
    reads_advantage: u32,
    reads_entropy: u32,
    reads_flag: u32,
    reads_log_z: u32,
    has_bounds: u32,
    token_bounds: u32,
    advantage_of_sequence: u32,
    flag_of_sequence: u32,
    importance_of_sequence: u32,
    term: u32,
    terms: u32,
    by_lists: u32,
    means: u32,
    reads_own_reference: u32,
    none: u32,
    each_upstream: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();

/// Sizes of the scratch arrays, in the order of the arguments.
fn sizes(b: usize) -> [usize; 7] {
    let counts = Arena::need::<u32>(b);
    [
        Arena::need::<f64>(b.saturating_mul(SUMS)),
        Arena::need::<f64>(b),
        Arena::need::<f64>(TOTALS),
        Arena::need::<i64>(row::BITS),
        counts,
        counts,
        counts,
    ]
}
/// Sizes of what further terms need, in the order of the arguments.
fn term_sizes(n: usize, b: usize) -> [usize; 8] {
    let (tokens, sequences, few) = (Arena::need::<u32>(n), Arena::need::<u32>(b), Arena::need::<f64>(TOTALS));
    [tokens, tokens, Arena::need::<f32>(n), sequences, sequences, few, few, Arena::need::<i64>(row::BITS)]
}
/// Sizes of what lists need, in the order of the arguments.
fn list_sizes(b: usize, options: &Options<'_>) -> [usize; 5] {
    let list = |id| catalog::info(id).is_some_and(|i| i.kind == Kind::List);
    if !list(options.loss) && !options.terms.iter().any(|t| list(t.loss)) {
        return [0; 5];
    }
    let (wide, narrow) = (Arena::need::<i64>(b), Arena::need::<u32>(b));
    [Arena::need::<f64>(b.saturating_mul(6)), wide, narrow, narrow, Arena::need::<u64>(2)]
}
/// Scratch memory of a call: 164 bytes a sequence, 64 more with a list entry; with further terms 12 bytes a token and 8 a
/// sequence more.
pub fn workspace(layout: &Layout, options: &Options<'_>) -> Workspace {
    let (n, b) = (layout.tokens(), layout.sequences());
    let mut bytes = Arena::sum(sizes(b)).saturating_add(Arena::sum(list_sizes(b, options)));
    if !options.terms.is_empty() {
        bytes = bytes.saturating_add(Arena::sum(term_sizes(n, b)));
    }
    Workspace { minimum: bytes, preferred: bytes }
}

/// Enqueues loss, figures and gradients.
///
/// # Safety
/// As for [`crate::logprob::forward`].
pub unsafe fn forward(
    context: &Context,
    stream: Stream,
    layout: Layout,
    options: &Options<'_>,
    inputs: &Inputs<'_>,
    out: &Outputs,
    space: Space,
) -> Result<()> {
    // the options are core's to judge; what it is told of tokens here serves nobody
    let (n, b) = (layout.tokens(), layout.sequences());
    let one_group = [0, b as i64];
    let groups = inputs.group_offsets.map(|_| Ints::from(Matrix::vector(&one_group)));
    let options = &Options { groups, ..*options };
    let problem = Problem::new(b, Segments::Padded { sequences: b, width: 1 }, *options)?;
    if let Some(offsets) = inputs.group_offsets {
        let rows = offsets.layout.rows();
        if rows == 0 || (rows == 1 && b > 0) {
            return Err(Error::shape("inputs.group_offsets", offsets.layout.shape(), Value::Text("[G + 1]")));
        }
        offsets.check("inputs.group_offsets", rows, 1, &IDS)?;
    }
    check_inputs(&problem, &layout, inputs)?;
    check_terms(&problem, &layout, inputs)?;
    let groups = inputs.group_offsets.map_or(0, |t| t.layout.rows() - 1);
    check_outputs(&problem, &layout, groups, out)?;
    space.check(workspace(&layout, options).minimum)?;
    let device = Device::current()?;
    let launch = |name: &'static CStr, grid: u32, threads: u32, args: &Args| {
        if grid == 0 {
            return Ok(());
        }
        let kernel = context.kernel(&device, stream, FILE, name)?;
        // SAFETY: the caller's promise; the arguments have been checked.
        unsafe { kernel.launch(&device, stream, Grid::new(grid, threads), args) }
    };
    let one = |problem: &Problem<'_>, args: &Args| {
        let main = match problem.info().kind {
            Kind::Token => c"truing_policy_token",
            Kind::Sequence => c"truing_policy_sequence",
            Kind::List => c"truing_policy_list",
            _ => c"truing_policy_estimator",
        };
        let list = problem.info().kind == Kind::List;
        if few(b, n) && !list {
            launch(c"truing_policy_count", 1, FEW as u32, args)?;
        } else {
            launch(c"truing_policy_count", cover("logps", b.saturating_mul(32), COUNTERS)?, COUNTERS as u32, args)?;
            if list {
                let warps = cover("logps", b.max(1).saturating_mul(32), COUNTERS)?;
                launch(c"truing_policy_members", warps, COUNTERS as u32, args)?;
                let groups = cover("inputs.group_offsets", args.groups as usize, COUNTERS)?;
                launch(c"truing_policy_lists", groups, COUNTERS as u32, args)?;
            }
            launch(c"truing_policy_totals", 1, 32, args)?;
        }
        launch(main, cover("logps", b, 1)?, TOKENS, args)?;
        if b == 0 { launch(c"truing_policy_finish", 1, TOKENS, args) } else { Ok(()) }
    };
    if options.terms.is_empty() {
        return one(&problem, &arguments(&problem, &layout, inputs, out, space));
    }
    let mut at = space.data + (Arena::sum(sizes(b)) + Arena::sum(list_sizes(b, options))) as u64;
    let of_terms = term_sizes(n, b).map(|bytes| {
        at += bytes as u64;
        at - bytes as u64
    });
    let [all_status, own_status, own_grad, all_sequences, own_sequences, main_totals, parts, _] = of_terms;
    let u32s = |data, rows| Some(Tensor::vector(data, Dtype::U32, rows));
    let f64s = |data| Some(Tensor::vector(data, Dtype::F64, 3));
    // the loss and the counters are of all of them
    let places = Outputs {
        loss: None,
        terms: f64s(parts),
        token_status: u32s(all_status, n),
        sequence_status: u32s(all_sequences, b),
        counters: None,
        ..*out
    };
    let mut main = Args { of_terms, ..arguments(&problem, &layout, inputs, &places, space) };
    main.scratch[2] = main_totals;
    one(&problem, &main)?;
    let places = Outputs {
        terms: f64s(parts + 24),
        grad_logps: out.grad_logps.map(|_| Tensor::vector(own_grad, Dtype::F32, n)),
        token_status: u32s(own_status, n),
        sequence_status: u32s(own_sequences, b),
        ..Outputs::default()
    };
    let terms = options.terms.len() as u32;
    for (k, (term, own)) in options.terms.iter().zip(inputs.terms).enumerate() {
        let (problem, inputs) = (problem.term(term), inputs.term(own, term));
        let args = Args { of_terms, ..arguments(&problem, &layout, &inputs, &places, space) };
        one(&problem, &args)?;
        let args = Args {
            out_loss: View::of(out.loss),
            out_terms: View::of(out.terms),
            grad_logps: View::of(out.grad_logps),
            out_token_status: View::of(out.token_status),
            out_sequence_status: View::of(out.sequence_status),
            out_counters: View::of(out.counters),
            term_weight: term.weight,
            term: k as u32,
            terms,
            ..args
        };
        launch(c"truing_policy_merge", cover("logps", b.max(1), 1)?, TOKENS, &args)?;
        if args.term + 1 == terms {
            launch(c"truing_policy_whole", 1, 32, &args)?;
        }
    }
    Ok(())
}

/// The upstream gradient has an element for each value.
fn each_upstream(options: &Options<'_>, inputs: &Inputs<'_>) -> bool {
    options.aggregate.mode == Mode::None && inputs.grad_output.is_some_and(|g| g.layout.rows() != 1)
}
/// How many values a loss has.
fn values(problem: &Problem<'_>, layout: &Layout, groups: usize) -> usize {
    match problem.info().kind {
        Kind::Sequence => layout.sequences(),
        Kind::List => groups,
        _ => layout.tokens(),
    }
}

/// What the further terms read.
fn check_terms(problem: &Problem<'_>, layout: &Layout, inputs: &Inputs<'_>) -> Result<()> {
    let terms = problem.options().terms;
    if inputs.terms.len() != terms.len() {
        let (got, expected) = (Value::Size(inputs.terms.len()), Value::Size(terms.len()));
        return Err(Error::shape("inputs.extra_terms", got, expected));
    }
    let mut all = terms.iter().zip(inputs.terms);
    all.try_for_each(|(term, own)| {
        check_inputs(&problem.term(term), layout, &inputs.term(own, term)).map_err(name_term)
    })
}
fn check_inputs(problem: &Problem<'_>, layout: &Layout, inputs: &Inputs<'_>) -> Result<()> {
    let (n, b) = (layout.tokens(), layout.sequences());
    layout.check()?;
    inputs.logps.check("logps", n, 1, &FLOATS)?;
    let groups = inputs.group_offsets.map_or(0, |t| t.layout.rows() - 1);
    let upstream = if each_upstream(problem.options(), inputs) { values(problem, layout, groups) } else { 1 };
    let all = [
        ("inputs.old", &inputs.old, n, &FLOATS),
        ("inputs.ref", &inputs.reference, n, &FLOATS),
        ("inputs.sampler", &inputs.sampler, n, &FLOATS),
        ("inputs.kl_ref", &inputs.kl_reference, n, &FLOATS),
        ("kl", &inputs.kl, n, &FLOATS),
        ("entropy", &inputs.entropy, n, &FLOATS),
        ("topk_entropy", &inputs.topk_entropy, n, &FLOATS),
        ("inputs.token_weights", &inputs.token_weights, n, &FLOATS),
        ("inputs.mask", &inputs.mask, n, &MASK),
        ("inputs.keep", &inputs.keep, n, &U8),
        ("inputs.sequence_keep", &inputs.sequence_keep, b, &U8),
        ("inputs.entropy_mask", &inputs.entropy_mask, n, &U8),
        ("inputs.kl_mask", &inputs.kl_mask, n, &U8),
        ("inputs.log_z", &inputs.log_z, b, &FLOATS),
        ("grad_output", &inputs.grad_output, upstream, &FLOATS),
    ];
    for (field, x, rows, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check(field, rows, 1, dtypes))?;
    }
    let each = [
        ("inputs.flag", &inputs.flag, &U8),
        ("inputs.importance_weight", &inputs.importance, &FLOATS),
        ("inputs.advantage", &inputs.advantage, &FLOATS),
    ];
    for (field, x, dtypes) in each {
        x.as_ref().map_or(Ok(()), |x| x.check(field, n, b, dtypes))?;
    }
    factor(None, inputs.grad_scale)?;
    let (about, options) = (&problem.info().about, problem.options());
    let estimator = problem.estimator();
    let list = problem.info().kind == Kind::List;
    if list || (problem.info().kind == Kind::Sequence && options.aggregate.mode == Mode::None) {
        // what would weigh or drop single tokens of a value that counts once
        let given = [
            ("inputs.keep", inputs.keep.is_some()),
            ("inputs.entropy_mask", inputs.entropy_mask.is_some()),
            ("inputs.token_weights", inputs.token_weights.is_some()),
            ("inputs.importance_weight", inputs.importance.is_some() && !about.reads(slot::IMPORTANCE)),
            ("inputs.sequence_keep", inputs.sequence_keep.is_some() && !list),
        ];
        if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
            let expected = Value::Text("none beside a value that counts once");
            return Err(Error::invalid(field, Value::Text("a tensor"), expected));
        }
    }
    let by_sampler = |e: Estimator| e.reads_ratio() && e.ratio_source == RatioSource::Sampler;
    let weighs = options.aggregate.mode == Mode::WeightedMean
        || options.bonus.is_some_and(|b| b.aggregate.mode == Mode::WeightedMean);
    let given = estimator.is_some_and(|e| e.id == Estimator::GIVEN);
    if given != inputs.kl.is_some() {
        let got = Value::Text(if given { "nothing" } else { "a tensor" });
        return Err(Error::invalid("kl", got, Value::Text("values of the KL term where it has no estimator")));
    }
    let reference = (about.reads(slot::REF) && !list && problem.info().kind != Kind::Estimator)
        || (estimator.is_some() && !given && inputs.kl_reference.is_none());
    let by_entry = about.reads(slot::ENTROPY) && inputs.topk_entropy.is_none();
    let needed = [
        ("inputs.advantage", about.reads(slot::ADVANTAGE | slot::LIST_TARGET), inputs.advantage.is_some()),
        ("inputs.ref", reference, inputs.reference.is_some()),
        ("inputs.sampler", estimator.is_some_and(by_sampler), inputs.sampler.is_some()),
        ("inputs.log_z", about.reads(slot::LOG_Z), inputs.log_z.is_some()),
        ("entropy", by_entry || options.bonus.is_some(), inputs.entropy.is_some()),
        ("inputs.token_weights", weighs, inputs.token_weights.is_some()),
    ];
    for (field, reads, given) in needed {
        if reads && !given {
            let (got, expected) = (Value::Text("nothing"), Value::Text("a tensor: the call reads it"));
            return Err(Error::invalid(field, got, expected));
        }
    }
    if inputs.topk_entropy.is_some() && !problem.reads(slot::ENTROPY) {
        let (got, expected) = (Value::Text("a tensor"), Value::Text("none: no entry reads an entropy"));
        return Err(Error::invalid("topk_entropy", got, expected));
    }
    Ok(())
}
fn check_outputs(problem: &Problem<'_>, layout: &Layout, groups: usize, out: &Outputs) -> Result<()> {
    let (n, b) = (layout.tokens(), layout.sequences());
    let of_values = match problem.info().kind {
        Kind::Sequence => &WIDE,
        Kind::List => &F64,
        _ => &F32,
    };
    let values = values(problem, layout, groups);
    if problem.options().aggregate.mode == Mode::None {
        let given = [("outputs.out_loss", out.loss.is_some()), ("outputs.out_terms", out.terms.is_some())];
        if let Some((field, _)) = given.iter().find(|(_, given)| *given) {
            let expected = Value::Text("none: nothing is aggregated");
            return Err(Error::invalid(field, Value::Text("a tensor"), expected));
        }
    }
    let bonus = problem.options().bonus.is_some();
    let none = "none: there is nothing to write";
    let places = [
        ("outputs.out_loss", &out.loss, 1, &WIDE, true),
        ("outputs.out_values", &out.values, values, of_values, true),
        ("outputs.out_kl", &out.kl, n, &F32, problem.estimator().is_some()),
        ("outputs.out_terms", &out.terms, 3 + problem.options().terms.len(), &F64, true),
        ("grad_logps_out", &out.grad_logps, n, &F32, true),
        ("grad_entropy_out", &out.grad_entropy, n, &F32, bonus),
        ("grad_kl", &out.grad_kl, n, &F32, problem.estimator().is_some_and(|e| e.id == Estimator::GIVEN)),
        ("outputs.grad_log_z_out", &out.grad_log_z, b, &F32, problem.info().about.differentiates(slot::LOG_Z)),
        ("outputs.out_statistics", &out.statistics, stat::COUNT, &F64, true),
        ("outputs.out_token_status", &out.token_status, n, &U32, true),
        ("outputs.out_sequence_status", &out.sequence_status, b, &U32, true),
        ("outputs.out_counters", &out.counters, row::BITS, &I64, true),
    ];
    for (field, x, rows, dtypes, legal) in places {
        let Some(x) = x else { continue };
        if !legal {
            return Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(none)));
        }
        x.check_out(field, rows, 1, dtypes)?;
    }
    Ok(())
}
/// What an entry is to the kernels: its constants, whether the map is averaged, whether it is evaluated for each token.
struct Entry<'a>(u32, &'a [f64]);
type Constants = Result<([f64; MAX], bool, bool)>;
impl TokenVisitor for Entry<'_> {
    type Out = Constants;
    fn visit<E: TokenLoss<N>, const N: usize>(self) -> Constants {
        let mut all = [0.0; MAX];
        all[..N].copy_from_slice(&catalog::resolve_variant::<E, N>(self.0, self.1)?);
        Ok((all, false, false))
    }
}
impl SequenceVisitor for Entry<'_> {
    type Out = Constants;
    fn visit<E: SequenceLoss<N>, const N: usize>(self) -> Constants {
        let mut all = [0.0; MAX];
        all[..N].copy_from_slice(&catalog::resolve_variant::<E, N>(self.0, self.1)?);
        Ok((all, E::REDUCTION == Reduction::Mean, E::EACH))
    }
}
impl ListVisitor for Entry<'_> {
    type Out = Constants;
    fn visit<E: ListLoss<N>, const N: usize>(self) -> Constants {
        let mut all = [0.0; MAX];
        all[..N].copy_from_slice(&catalog::resolve::<E, N>(self.1)?);
        Ok((all, false, false))
    }
}
fn arguments(problem: &Problem<'_>, layout: &Layout, inputs: &Inputs<'_>, out: &Outputs, space: Space) -> Args {
    let (info, options, estimator) = (problem.info(), problem.options(), problem.estimator());
    let about = &info.about;
    let entry = Entry(options.variant, options.params);
    let found = match info.kind {
        Kind::Token => with_token(about.id, entry),
        Kind::Sequence => with_sequence(about.id, entry),
        Kind::List => with_list(about.id, entry),
        _ => Some(Ok(([0.0; MAX], false, false))),
    };
    let (p, mean, each) = found.expect("checked by Problem::new").expect("checked by Problem::new");
    let mut at = space.data;
    let mut take = |bytes: usize| {
        at += bytes as u64;
        at - bytes as u64
    };
    let scratch = sizes(layout.sequences()).map(&mut take);
    // the further terms' too lie behind those of the call
    let list = info.kind == Kind::List;
    let of_lists = if list { list_sizes(layout.sequences(), options).map(&mut take) } else { [0; 5] };
    let rejects = inputs.keep.is_some() || inputs.sequence_keep.is_some();
    let drops = rejects || inputs.entropy_mask.is_some() || inputs.kl_mask.is_some();
    let shrinks = options.aggregate.denominator == Denominator::Kept;
    let inside = about.reads(slot::IMPORTANCE);
    let ratio = estimator.filter(|k| k.reads_ratio());
    let by = |source| ratio.is_some_and(|k: Estimator| k.ratio_source == source);
    let how = estimator.unwrap_or(Estimator::new(0));
    let (input_clamp, clamp) = match how.input_clamp {
        None => (0.0, 0),
        Some((a, ClampMode::Linear)) => (a, 1),
        Some((a, ClampMode::ZeroGradient)) => (a, 2),
    };
    let bounds = clip_bounds(info, options);
    let bonus = options.bonus.map_or(Aggregate::new(Mode::TokenSum), |b| b.aggregate);
    let nonempty = |a: &Aggregate| (a.count_empty == Some(CountEmpty::Nonempty)) as u32;
    let (width, offsets) = match *layout {
        Layout::Padded { width, .. } => (width as i64, None),
        Layout::Packed { offsets, .. } => (0, Some(offsets)),
    };
    let flag = |x: bool| x as u32;
    Args {
        logps: View::of(Some(inputs.logps)),
        old: View::of(inputs.old),
        reference: View::of(inputs.reference),
        sampler: View::of(inputs.sampler),
        kl_reference: View::of(inputs.kl_reference),
        kl: View::of(inputs.kl),
        entropy: View::of(inputs.entropy),
        topk_entropy: View::of(inputs.topk_entropy.filter(|_| about.reads(slot::ENTROPY))),
        advantage: Each::view(&inputs.advantage),
        flag: Each::view(&inputs.flag),
        log_z: View::of(inputs.log_z),
        mask: View::of(inputs.mask),
        keep: View::of(inputs.keep),
        sequence_keep: View::of(inputs.sequence_keep),
        entropy_mask: View::of(inputs.entropy_mask),
        kl_mask: View::of(inputs.kl_mask),
        token_weights: View::of(inputs.token_weights),
        importance: Each::view(&inputs.importance),
        grad_output: View::of(inputs.grad_output),
        offsets: View::of(offsets),
        group_offsets: View::of(inputs.group_offsets.filter(|_| list)),
        out_loss: View::of(out.loss),
        out_values: View::of(out.values),
        out_kl: View::of(out.kl),
        out_terms: View::of(out.terms),
        grad_logps: View::of(out.grad_logps),
        grad_entropy: View::of(out.grad_entropy),
        grad_kl: View::of(out.grad_kl),
        grad_log_z: View::of(out.grad_log_z),
        out_statistics: View::of(out.statistics),
        out_token_status: View::of(out.token_status),
        out_sequence_status: View::of(out.sequence_status),
        out_counters: View::of(out.counters),
        scratch,
        of_terms: [0; 8],
        of_lists,
        tokens: layout.tokens() as i64,
        sequences: layout.sequences() as i64,
        width,
        groups: inputs.group_offsets.map_or(0, |t| t.layout.rows() as i64 - 1),
        p,
        bounds: bounds.unwrap_or_default(),
        normaliser: options.aggregate.normaliser,
        max_length: options.aggregate.max_length,
        bonus_normaliser: bonus.normaliser,
        bonus_max_length: bonus.max_length,
        bonus_coef: options.bonus.map_or(0.0, |b| b.coef),
        coef: options.kl.map_or(0.0, |k| k.coef),
        input_clamp,
        output_clamp: how.output_clamp,
        ratio_max: how.ratio_max,
        grad_scale: inputs.grad_scale,
        term_weight: 0.0,
        id: about.id,
        each: flag(each),
        mean: flag(mean),
        estimator: how.id,
        k3: flag(how.id == <K3 as catalog::Entry<0>>::ABOUT.id),
        weight: how.weight as u32,
        gradient: how.gradient as u32,
        clamp,
        by_sampler: flag(how.ratio_source == RatioSource::Sampler),
        // a list's value counts once, whatever the lengths; what is not aggregated is divided by nothing
        mode: match options.aggregate.mode {
            Mode::None => Mode::TokenSum,
            _ if list => Mode::SeqMeanTokenSum,
            mode => mode,
        } as u32,
        nonempty: nonempty(&options.aggregate),
        denominator: options.aggregate.denominator as u32,
        bonus: flag(options.bonus.is_some()),
        bonus_mode: bonus.mode as u32,
        bonus_nonempty: nonempty(&bonus),
        bonus_denominator: bonus.denominator as u32,
        counts_kept: flag(rejects && shrinks),
        bonus_counts: flag(drops && bonus.denominator == Denominator::Kept),
        drops: flag(drops),
        shrinks: flag(shrinks),
        weighs: flag(inputs.token_weights.is_some() || (inputs.importance.is_some() && !inside)),
        kl_weighs: flag(inputs.importance.is_some() && estimator.is_some_and(|k| k.stage == KlStage::BeforeWeight)),
        inside: flag(inside),
        reads_old: flag(about.reads(slot::OLD) || by(RatioSource::Old) || (list && about.reads(slot::REF))),
        reads_reference: flag(
            (about.reads(slot::REF) && !list && info.kind != Kind::Estimator)
                || (estimator.is_some() && inputs.kl.is_none() && inputs.kl_reference.is_none()),
        ),
        reads_kl_reference: flag(estimator.is_some() && inputs.kl_reference.is_some()),
        reads_sampler: flag(by(RatioSource::Sampler)),
        reads_advantage: flag(about.reads(slot::ADVANTAGE | slot::LIST_TARGET)),
        reads_entropy: flag((about.reads(slot::ENTROPY) && inputs.topk_entropy.is_none()) || options.bonus.is_some()),
        reads_flag: flag(about.reads(slot::FLAG)),
        reads_log_z: flag(about.reads(slot::LOG_Z)),
        has_bounds: flag(bounds.is_some()),
        token_bounds: flag(bounds.is_some() && (!(list || info.kind == Kind::Sequence) || about.id == GMPO_ID)),
        advantage_of_sequence: Each::of_sequences(&inputs.advantage),
        flag_of_sequence: Each::of_sequences(&inputs.flag),
        importance_of_sequence: Each::of_sequences(&inputs.importance),
        term: 0,
        terms: 0,
        by_lists: flag(list),
        means: flag(list && about.scores == Score::Mean.bit()),
        reads_own_reference: flag(list && about.reads(slot::REF)),
        none: flag(options.aggregate.mode == Mode::None),
        each_upstream: flag(each_upstream(options, inputs)),
    }
}
