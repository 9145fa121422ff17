//! Preference losses of pairs, rows and lists on a device, with the bits of the CPU: `kernels/preference.cu` says how, and
//! [`truing_core::preference`] what.
//!
//! What the host cannot look at without waiting is judged on the device: an item whose sequences, weight, beta, baseline,
//! lengths, offsets or order of targets are out of their range is NaN with the status `OUT_OF_RANGE`. Lists whose offsets
//! overlap each other are each judged by their own two.
use crate::driver::{Device, Grid, Stream};
use crate::plan::{Dtypes, F64, FLOATS, I32, I64, IDS, MASK, Space, Tensor, U32, View, WIDE, cover};
use crate::program::{Context, File};
use core::ffi::CStr;
use truing_core::catalog::{
    self, Kind, ListVisitor, PairVisitor, Reward, UnpairedVisitor, slot, with_list, with_pair, with_unpaired,
};
use truing_core::error::row;
use truing_core::losses::formula::MAX;
use truing_core::losses::map::ScoreMap;
use truing_core::losses::{ListLoss, PairLoss, PreferenceRanking, PrimeCe, UnpairedLoss};
use truing_core::matrix::{Arena, Layout, Matrix, Workspace};
use truing_core::preference::{self as spec, Groups, Labels, Options, Problem, Reduction, Term, stat};
use truing_core::{Dtype, Error, Result, Value};

/// The entries of lists, as a header of the kernels.
pub(crate) const LISTS: &str = include_str!("../kernels/lists.cuh");
pub(crate) const FILE: File = File { name: c"preference.cu", text: include_str!("../kernels/preference.cu") };
const LABELS: Dtypes = Dtypes(&[Dtype::U8, Dtype::I8], "u8 or i8");
const THREADS: usize = 128;
/// Threads of the block that adds up.
const ADDERS: u32 = 1024;
/// The block that adds up what a learned parameter gets.
const LEARNED: Grid = Grid::new(1, 512);
/// The cluster that adds up in its place: a block for each sum and one for the counts.
const SUMS: Grid = Grid { cluster: 8, ..Grid::new(8, 512) };

/// How sequences form items; see [`spec::Items`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Items {
    /// `[P]` each, i32 or i64.
    Indexed {
        chosen: Tensor,
        rejected: Tensor,
        anchor: Option<Tensor>,
    },
    Interleaved,
    Stacked,
    Threes,
    Thirds,
    Rows,
    /// `[L + 1]` and `[M]`, i32 or i64.
    Lists {
        offsets: Tensor,
        members: Option<Tensor>,
    },
}
/// The data of a call; see [`spec::Inputs`] and [`Groups`].
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Inputs {
    pub scores: Tensor,
    pub ref_scores: Option<Tensor>,
    /// i32
    pub lengths: Option<Tensor>,
    pub kl: Option<Tensor>,
    /// u32
    pub sequence_status: Option<Tensor>,
    /// u8, i32 or i64
    pub item_mask: Option<Tensor>,
    pub item_weight: Option<Tensor>,
    pub item_beta: Option<Tensor>,
    pub margin_chosen: Option<Tensor>,
    pub margin_rejected: Option<Tensor>,
    /// u8 or i8
    pub label: Option<Tensor>,
    pub baseline: Option<Tensor>,
    pub shift: Option<Tensor>,
    /// `[M]`
    pub list_targets: Option<Tensor>,
    pub grad_output: Option<Tensor>,
    pub grad_scale: f64,
}
impl Inputs {
    /// Scores and nothing else.
    pub fn new(scores: Tensor) -> Inputs {
        Inputs {
            scores,
            ref_scores: None,
            lengths: None,
            kl: None,
            sequence_status: None,
            item_mask: None,
            item_weight: None,
            item_beta: None,
            margin_chosen: None,
            margin_rejected: None,
            label: None,
            baseline: None,
            shift: None,
            list_targets: None,
            grad_output: None,
            grad_scale: 1.0,
        }
    }
}
/// Where results go, f64 or f32; see [`spec::Outputs`].
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)]
pub struct Outputs {
    pub loss: Option<Tensor>,
    pub losses: Option<Tensor>,
    pub reward_chosen: Option<Tensor>,
    pub reward_rejected: Option<Tensor>,
    pub grad_scores: Option<Tensor>,
    pub grad_kl: Option<Tensor>,
    pub grad_margin: Option<Tensor>,
    pub grad_margin_chosen: Option<Tensor>,
    pub grad_margin_rejected: Option<Tensor>,
    pub grad_baseline: Option<Tensor>,
    /// `[params]`, f64
    pub grad_params: Option<Tensor>,
    pub aux: Option<Tensor>,
    /// `[16]`, f64
    pub statistics: Option<Tensor>,
    /// `[items]`, u32
    pub status: Option<Tensor>,
    /// `[32]`, i64
    pub counters: Option<Tensor>,
}

/// `truing_preference_args` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Args {
    scores: View,
    ref_scores: View,
    lengths: View,
    kl: View,
    sequence_status: View,
    chosen: View,
    rejected: View,
    anchor: View,
    list_offsets: View,
    member_seq: View,
    list_targets: View,
    item_mask: View,
    item_weight: View,
    item_beta: View,
    margin_chosen: View,
    margin_rejected: View,
    label: View,
    baseline: View,
    shift: View,
    grad_output: View,
    out_loss: View,
    out_losses: View,
    out_reward_chosen: View,
    out_reward_rejected: View,
    out_aux: View,
    out_statistics: View,
    out_status: View,
    out_counters: View,
    grad_scores: View,
    grad_kl: View,
    grad_margin: View,
    grad_margin_chosen: View,
    grad_margin_rejected: View,
    grad_params: View,
    /// value, a, b, kl_a, kl_b, second, third, reward_a, reward_b, second_sum
    items_f64: [u64; 10],
    score_sum: u64,
    kl_sum: u64,
    mark: u64,
    now: u64,
    status: u64,
    totals: u64,
    sequences: i64,
    items: i64,
    members: i64,
    reads: u64,
    partials: u64,
    p: [f64; MAX],
    own: f64,
    objective: f64,
    margins: [f64; 2],
    beta_low: f64,
    beta_high: f64,
    alpha: f64,
    max_exponent: f64,
    weight: f64,
    normaliser: f64,
    grad_scale: f64,
    id: u32,
    unpaired: u32,
    form: u32,
    map: u32,
    reduction: u32,
    unreduced: u32,
    anchors: u32,
    divides: u32,
    weighs: u32,
    betas: u32,
    beta_low_open: u32,
    beta_high_open: u32,
    reads_beta: u32,
    is_objective: u32,
    below_zero: u32,
    unit_baseline: u32,
    skip: u32,
    first: u32,
    last: u32,
    by_margin: u32,
    learns: u32,
    learned: u32,
    parameters: u32,
    ranked: u32,
    accumulate: u32,
    reserved: u32,
}
/// Bytes of the arguments, for the test that compares them with the kernels' own.
pub const ARGS: usize = size_of::<Args>();

impl Items {
    fn count(&self, sequences: usize) -> usize {
        match self {
            Items::Indexed { chosen, .. } => chosen.layout.rows(),
            Items::Interleaved | Items::Stacked => sequences / 2,
            Items::Threes | Items::Thirds => sequences / 3,
            Items::Rows => sequences,
            Items::Lists { offsets, .. } => offsets.layout.rows().saturating_sub(1),
        }
    }
    /// Of lists.
    fn members(&self, sequences: usize) -> usize {
        match self {
            Items::Lists { members: Some(members), .. } => members.layout.rows(),
            Items::Lists { .. } => sequences,
            _ => 0,
        }
    }
}
/// Sizes of the scratch arrays, in the order of the arguments.
fn sizes(sequences: usize, items: usize, members: usize) -> [usize; 16] {
    let (n, s) = (Arena::need::<f64>(items), Arena::need::<f64>(sequences));
    let mut all = [n; 16];
    // a, b, reward_a
    for k in [1, 2, 7] {
        all[k] = n.max(Arena::need::<f64>(members));
    }
    all[10..].copy_from_slice(&[
        s,
        s,
        Arena::need::<u32>(sequences),
        Arena::need::<u32>(items),
        Arena::need::<u32>(items),
        Arena::need::<f64>(4),
    ]);
    all
}
/// Scratch memory of a call.
pub fn workspace(sequences: usize, items: &Items) -> Workspace {
    let bytes = Arena::sum(sizes(sequences, items.count(sequences), items.members(sequences)));
    Workspace { minimum: bytes, preferred: bytes }
}

/// Enqueues loss, rewards and partials of all terms.
///
/// # Safety
/// As for [`crate::logprob::forward`].
#[allow(clippy::too_many_arguments)] // one more than the CPU's: where it runs
pub unsafe fn forward(
    context: &Context,
    stream: Stream,
    sequences: usize,
    items: Items,
    terms: &[Term<'_>],
    options: Options,
    inputs: &Inputs,
    out: &Outputs,
    space: Space,
) -> Result<()> {
    let n = items.count(sequences);
    check_tensors(sequences, n, &items, inputs)?;
    // core judges what is asked and what belongs together: it sees a number in place of each array
    let ids = [0i64];
    let index = |x: &Tensor| stand(&ids, x.layout.rows()).map(Into::into);
    let own = match items {
        Items::Indexed { chosen, rejected, anchor } => spec::Items::Indexed {
            chosen: index(&chosen)?,
            rejected: index(&rejected)?,
            anchor: anchor.as_ref().map(index).transpose()?,
        },
        Items::Interleaved => spec::Items::Interleaved,
        Items::Stacked => spec::Items::Stacked,
        Items::Threes => spec::Items::Threes,
        Items::Thirds => spec::Items::Thirds,
        Items::Rows => spec::Items::Rows,
        // offsets that are all 0, of no members
        Items::Lists { offsets, .. } => {
            spec::Items::Lists { offsets: index(&offsets)?, members: Some(index(&NOTHING)?) }
        }
    };
    let problem = Problem::new(sequences, own, terms, options)?;
    check_inputs(&problem, inputs)?;
    check_outputs(&problem, out, items.members(sequences))?;
    space.check(workspace(sequences, &items).minimum)?;
    if n == 0 && sequences == 0 && out.loss.is_none() && out.statistics.is_none() && out.counters.is_none() {
        return Ok(());
    }
    let args = arguments(&problem, &items, inputs, out, space);
    let device = Device::current()?;
    let launch = |name: &'static CStr, threads: usize, args: &Args| {
        if threads == 0 {
            return Ok(());
        }
        let kernel = context.kernel(&device, stream, FILE, name)?;
        // SAFETY: the caller's promise; the arguments have been checked.
        unsafe { kernel.launch(&device, stream, Grid::new(cover("scores", threads, THREADS)?, THREADS as u32), args) }
    };
    let lists = matches!(items, Items::Lists { .. });
    let last = |k| (k + 1 == terms.len()) as u32;
    let own = |k: usize| Args { first: (k == 0) as u32, last: last(k), ..of_term(&args, &problem, inputs, &terms[k]) };
    let (adder, adders) = match device.major {
        9.. => (c"truing_preference_sums", SUMS),
        _ => (c"truing_preference_reduce", Grid::new(1, ADDERS)),
    };
    let adder = context.kernel(&device, stream, FILE, adder)?;
    // a sequence may be in several items, or an item have many
    let indexed = lists || matches!(items, Items::Indexed { .. });
    let mut now = args;
    for k in 0..terms.len() {
        now = own(k);
        launch(if lists { c"truing_preference_lists" } else { c"truing_preference_items" }, n, &now)?;
        // SAFETY: as above.
        unsafe { adder.launch(&device, stream, adders, &now) }?;
        if k == 0 && out.grad_params.is_some() {
            let kernel = context.kernel(&device, stream, FILE, c"truing_preference_learned")?;
            // SAFETY: as above.
            unsafe { kernel.launch(&device, stream, LEARNED, &now) }?;
        }
        match indexed {
            true => launch(c"truing_preference_scatter", n.max(sequences.saturating_mul(32)), &now)?,
            false => launch(c"truing_preference_settle", n, &now)?,
        }
    }
    let flags = indexed && (out.status.is_some() || out.counters.is_some());
    if flags {
        launch(c"truing_preference_mark", n, &now)?;
    }
    if flags || (indexed && args.by_margin != 0) {
        launch(c"truing_preference_finish", n, &now)?;
    }
    Ok(())
}

/// A tensor without rows.
const NOTHING: Tensor = Tensor::vector(0, Dtype::I64, 0);
/// A vector of `rows` times the same element.
fn stand<T: truing_core::dtype::Element>(x: &[T; 1], rows: usize) -> Result<Matrix<'_, T>> {
    Matrix::new(x, Layout::strided(rows, 1, 0))
}
/// Shapes, types and addresses of everything that is read.
fn check_tensors(s: usize, n: usize, items: &Items, inputs: &Inputs) -> Result<()> {
    inputs.scores.check("scores", s, 1, &FLOATS)?;
    let m = items.members(s);
    if let Items::Lists { offsets, members } = items {
        offsets.check("groups.list_offsets", n + 1, 1, &IDS)?;
        members.as_ref().map_or(Ok(()), |x| x.check("groups.member_seq", m, 1, &IDS))?;
        if n == 0 && m > 0 {
            let (got, expected) = (Value::Text("no list"), Value::Text("lists, as there are members"));
            return Err(Error::shape("groups.list_offsets", got, expected));
        }
    }
    if let Items::Indexed { chosen, rejected, anchor } = items {
        for (field, x) in [
            ("groups.chosen_seq", Some(chosen)),
            ("groups.rejected_seq", Some(rejected)),
            ("groups.anchor_seq", anchor.as_ref()),
        ] {
            x.map_or(Ok(()), |x| x.check(field, n, 1, &IDS))?;
        }
    }
    let all = [
        ("ref_scores", &inputs.ref_scores, s, &FLOATS),
        ("lengths", &inputs.lengths, s, &I32),
        ("kl", &inputs.kl, s, &FLOATS),
        ("sequence_status", &inputs.sequence_status, s, &U32),
        ("groups.item_mask", &inputs.item_mask, n, &MASK),
        ("groups.label", &inputs.label, n, &LABELS),
        ("groups.list_targets", &inputs.list_targets, m, &FLOATS),
    ];
    for (field, x, rows, dtypes) in all {
        x.as_ref().map_or(Ok(()), |x| x.check(field, rows, 1, dtypes))?;
    }
    let each = [
        ("groups.item_weight", &inputs.item_weight),
        ("groups.item_beta", &inputs.item_beta),
        ("groups.margin_chosen", &inputs.margin_chosen),
        ("groups.margin_rejected", &inputs.margin_rejected),
        ("groups.baseline", &inputs.baseline),
        ("groups.shift", &inputs.shift),
        ("grad_output", &inputs.grad_output),
    ];
    for (field, x) in each {
        x.as_ref().map_or(Ok(()), |x| x.check(field, if x.layout.rows() == 1 { 1 } else { n }, 1, &FLOATS))?;
    }
    Ok(())
}
/// That every term gets what it reads, and nothing is given that no term reads.
fn check_inputs(problem: &Problem<'_>, inputs: &Inputs) -> Result<()> {
    let (zero, one, none, label) = ([0.0f64], [1i32], [0u32], [1u8]);
    let floats = |x: &Option<Tensor>| match x {
        Some(x) => stand(&zero, x.layout.rows()).map(|m| Some(m.into())),
        None => Ok(None),
    };
    if inputs.item_beta.is_some() && !problem.reads(slot::BETA) {
        let (got, expected) = (Value::Text("a tensor"), Value::Text("none: no term reads it"));
        return Err(Error::invalid("groups.item_beta", got, expected));
    }
    let own = spec::Inputs {
        scores: stand(&zero, problem.sequences())?.into(),
        ref_scores: floats(&inputs.ref_scores)?,
        lengths: inputs.lengths.map(|x| stand(&one, x.layout.rows())).transpose()?,
        kl: floats(&inputs.kl)?,
        sequence_status: inputs.sequence_status.map(|x| stand(&none, x.layout.rows())).transpose()?,
        groups: Groups {
            item_weight: floats(&inputs.item_weight)?,
            margin_chosen: floats(&inputs.margin_chosen)?,
            margin_rejected: floats(&inputs.margin_rejected)?,
            label: inputs.label.map(|x| stand(&label, x.layout.rows()).map(Labels::U8)).transpose()?,
            baseline: floats(&inputs.baseline)?,
            shift: floats(&inputs.shift)?,
            list_targets: inputs.list_targets.map(|_| stand(&zero, 0)).transpose()?.map(Into::into),
            ..Groups::default()
        },
        grad_output: floats(&inputs.grad_output)?,
        grad_scale: inputs.grad_scale,
    };
    own.check(problem)
}
fn check_outputs(problem: &Problem<'_>, out: &Outputs, members: usize) -> Result<()> {
    let (s, n, kind) = (problem.sequences(), problem.count(), problem.items().kind());
    let (rows, pairs) = (kind == Kind::Unpaired, kind == Kind::Pair);
    let rewards = if kind == Kind::List { members } else { n };
    let first = &problem.terms()[0];
    let params = catalog::info(first.id).expect("checked by Problem::new").params.len();
    let places = [
        ("outputs.out_loss", &out.loss, 1, &WIDE, true),
        ("items.out_losses", &out.losses, n, &WIDE, true),
        ("items.out_reward_chosen", &out.reward_chosen, rewards, &WIDE, true),
        ("items.out_reward_rejected", &out.reward_rejected, n, &WIDE, pairs),
        ("outputs.grad_scores_out", &out.grad_scores, s, &WIDE, true),
        ("outputs.grad_kl_out", &out.grad_kl, s, &WIDE, true),
        ("items.grad_margin_out", &out.grad_margin, n, &WIDE, pairs),
        ("items.grad_margin_chosen_out", &out.grad_margin_chosen, n, &WIDE, pairs),
        ("items.grad_margin_rejected_out", &out.grad_margin_rejected, n, &WIDE, pairs),
        ("items.grad_baseline_out", &out.grad_baseline, n, &WIDE, rows),
        ("items.grad_params_out", &out.grad_params, params, &F64, true),
        ("items.out_aux", &out.aux, n, &WIDE, true),
        ("outputs.out_statistics", &out.statistics, stat::COUNT, &F64, true),
        ("items.out_status", &out.status, n, &U32, true),
        ("outputs.out_counters", &out.counters, row::BITS, &I64, true),
    ];
    let unwanted = |field, expected| Err(Error::invalid(field, Value::Text("a tensor"), Value::Text(expected)));
    for (field, x, rows, dtypes, legal) in places {
        let Some(x) = x else { continue };
        if !legal {
            return unwanted(field, "none: it exists for items of another kind");
        }
        x.check_out(field, rows, 1, dtypes)?;
    }
    if out.aux.is_some() && !first.about().aux {
        return unwanted("items.out_aux", "none: the entry has no second output");
    }
    if out.loss.is_some() && first.reduction == Reduction::None {
        return unwanted("outputs.out_loss", "none with reduction `none`");
    }
    Ok(())
}
/// What all terms share.
fn arguments(problem: &Problem<'_>, items: &Items, inputs: &Inputs, out: &Outputs, space: Space) -> Args {
    let (s, n) = (problem.sequences(), problem.count());
    let members = items.members(s);
    let mut at = space.data;
    let places = sizes(s, n, members).map(|bytes| {
        at += bytes as u64;
        at - bytes as u64
    });
    let (mut offsets, mut index) = (None, None);
    let (form, chosen, rejected, anchor) = match *items {
        Items::Indexed { chosen, rejected, anchor } => (0, Some(chosen), Some(rejected), anchor),
        Items::Interleaved => (1, None, None, None),
        Items::Stacked => (2, None, None, None),
        Items::Threes => (3, None, None, None),
        Items::Thirds => (4, None, None, None),
        Items::Rows => (5, None, None, None),
        Items::Lists { offsets: x, members } => {
            (offsets, index) = (Some(x), members);
            (6, None, None, None)
        }
    };
    let margins = [out.grad_margin, out.grad_margin_chosen, out.grad_margin_rejected, out.grad_baseline];
    let accumulate = problem.options().accumulate;
    // what nothing differentiates stays as it is
    let grad_kl = out.grad_kl.filter(|_| !accumulate || problem.reads(slot::KL));
    let mut items_f64 = [0; 10];
    items_f64.copy_from_slice(&places[..10]);
    Args {
        scores: View::of(Some(inputs.scores)),
        ref_scores: View::of(inputs.ref_scores),
        lengths: View::of(inputs.lengths),
        kl: View::of(inputs.kl),
        sequence_status: View::of(inputs.sequence_status),
        chosen: View::of(chosen),
        rejected: View::of(rejected),
        anchor: View::of(anchor),
        list_offsets: View::of(offsets),
        member_seq: View::of(index),
        list_targets: View::of(inputs.list_targets),
        item_mask: View::of(inputs.item_mask),
        item_weight: View::each(inputs.item_weight),
        item_beta: View::each(inputs.item_beta),
        margin_chosen: View::each(inputs.margin_chosen),
        margin_rejected: View::each(inputs.margin_rejected),
        label: View::of(inputs.label),
        baseline: View::each(inputs.baseline),
        shift: View::each(inputs.shift),
        grad_output: View::each(inputs.grad_output),
        out_loss: View::of(out.loss),
        out_losses: View::of(out.losses),
        out_reward_chosen: View::of(out.reward_chosen),
        out_reward_rejected: View::of(out.reward_rejected),
        out_aux: View::of(out.aux),
        out_statistics: View::of(out.statistics),
        out_status: View::of(out.status),
        out_counters: View::of(out.counters),
        grad_scores: View::of(out.grad_scores),
        grad_kl: View::of(grad_kl),
        grad_margin: View::of(out.grad_margin.or(out.grad_baseline)),
        grad_margin_chosen: View::of(out.grad_margin_chosen),
        grad_margin_rejected: View::of(out.grad_margin_rejected),
        grad_params: View::of(out.grad_params),
        items_f64,
        score_sum: places[10],
        kl_sum: places[11],
        mark: places[12],
        now: places[13],
        status: places[14],
        totals: places[15],
        sequences: s as i64,
        items: n as i64,
        members: members as i64,
        reads: 0,
        partials: 0,
        p: [0.0; MAX],
        own: 1.0,
        objective: 1.0,
        margins: [0.0; 2],
        beta_low: 0.0,
        beta_high: 0.0,
        alpha: 0.0,
        max_exponent: 0.0,
        weight: 1.0,
        normaliser: 0.0,
        grad_scale: inputs.grad_scale,
        id: 0,
        unpaired: matches!(items, Items::Rows) as u32,
        form,
        map: 0,
        reduction: 0,
        unreduced: (problem.terms()[0].reduction == Reduction::None) as u32,
        anchors: problem.reads(slot::ANCHOR) as u32,
        divides: 0,
        weighs: 0,
        betas: 0,
        beta_low_open: 0,
        beta_high_open: 0,
        reads_beta: 0,
        is_objective: 0,
        below_zero: 0,
        unit_baseline: 0,
        skip: problem.options().skip_flagged as u32,
        first: 0,
        last: 0,
        by_margin: margins.iter().any(Option::is_some) as u32,
        learns: 0,
        learned: 0,
        parameters: 0,
        ranked: 0,
        accumulate: accumulate as u32,
        reserved: 0,
    }
}
/// The constants of an entry.
struct Constants<'a>(u32, &'a [f64]);
macro_rules! constants {
    ($visitor:ident $bound:ident) => {
        impl $visitor for Constants<'_> {
            type Out = Result<[f64; MAX]>;
            fn visit<E: $bound<N>, const N: usize>(self) -> Self::Out {
                let mut all = [0.0; MAX];
                all[..N].copy_from_slice(&catalog::resolve_variant::<E, N>(self.0, self.1)?);
                Ok(all)
            }
        }
    };
}
constants!(PairVisitor PairLoss);
constants!(UnpairedVisitor UnpairedLoss);
constants!(ListVisitor ListLoss);
/// Which parameter of a variant may be learned.
struct Learns(u32);
impl PairVisitor for Learns {
    type Out = Option<usize>;
    fn visit<E: PairLoss<N>, const N: usize>(self) -> Option<usize> {
        E::Base::learns(self.0)
    }
}
/// What is one term's own.
fn of_term(args: &Args, problem: &Problem<'_>, inputs: &Inputs, term: &Term<'_>) -> Args {
    let info = catalog::info(term.id).expect("checked by Problem::new");
    let about = &info.about;
    let constants = Constants(term.variant, term.params);
    let found = match problem.items().kind() {
        Kind::Pair => with_pair(term.id, constants),
        Kind::Unpaired => with_unpaired(term.id, constants),
        _ => with_list(term.id, constants),
    };
    let learns = with_pair(term.id, Learns(term.variant)).flatten();
    let p = found.expect("checked by Problem::new").expect("checked by Problem::new");
    let params = info.params_from(term.variant, term.params).unwrap_or_default();
    let named = info.params.first().filter(|p| p.name.starts_with("beta"));
    let betas = about.reads(slot::BETA) && inputs.item_beta.is_some();
    let (map, alpha, max_exponent) = match term.map {
        map if map.is_identity() => (0, 0.0, 0.0),
        ScoreMap::Alpha { alpha, max_exponent } => (2, alpha, max_exponent),
        _ => (1, 0.0, 0.0),
    };
    Args {
        reads: about.inputs,
        partials: about.partials,
        p,
        own: if named.is_some() { params[0] } else { 1.0 },
        objective: params[1],
        margins: about.margins,
        beta_low: info.params.first().map_or(0.0, |p| p.min),
        beta_high: info.params.first().map_or(0.0, |p| p.max),
        alpha,
        max_exponent,
        weight: term.weight,
        normaliser: term.normaliser,
        id: term.id,
        map,
        reduction: match term.reduction {
            Reduction::None | Reduction::Sum => 0,
            Reduction::Mean => 1,
            Reduction::WeightedMean => 2,
        },
        divides: problem.divides(term) as u32,
        weighs: about.reads(slot::WEIGHT) as u32,
        betas: betas as u32,
        beta_low_open: info.params.first().is_some_and(|p| p.min_open) as u32,
        beta_high_open: info.params.first().is_some_and(|p| p.max_open) as u32,
        reads_beta: (named.is_some() && about.reads(slot::BETA)) as u32,
        is_objective: (about.reward == Reward::Objective) as u32,
        below_zero: about.below_zero as u32,
        learns: learns.is_some() as u32,
        learned: learns.unwrap_or(0) as u32,
        parameters: info.params.len() as u32,
        ranked: (term.id == <PreferenceRanking as catalog::Entry<_>>::ABOUT.id) as u32,
        unit_baseline: (term.id == <PrimeCe as catalog::Entry<_>>::ABOUT.id) as u32,
        ..*args
    }
}
