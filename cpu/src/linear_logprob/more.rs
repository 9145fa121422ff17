//! What a forward of the linear form is asked for beyond the first figures: sums over the live columns, ranks, the largest
//! columns, extra columns, sampling supports. A block of transformed logits is turned, 16 tokens at a time, so that each
//! token's columns are neighbours, and read by what the logits form reads its blocks with: one function, the same bits.
use super::*;
use crate::logprob::{Scratch, extra};
use crate::rows::Cell;
use crate::support::Slot;
use truing_core::logprob::{Found, Needs, Seek};
use truing_core::support::{Filters, Kept as Set, Outside, Support, SupportFigures};

/// What a call is asked for beyond the first figures, as far as its workspace follows from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Of the rows.
    pub(super) needs: Needs,
    /// Extra columns of a row.
    pub(super) extra: usize,
    /// There is a support.
    pub(super) over: bool,
    /// It is computed.
    pub(super) order: bool,
    /// Columns of its longest list, and one for the target.
    pub(super) list: usize,
    /// Its live columns are wanted.
    pub(super) words: bool,
    /// The record of all columns is wanted beside that of the support.
    pub(super) whole: bool,
    /// The gradient has label smoothing.
    pub(super) smooth: bool,
    /// The gradient has extra columns.
    pub(super) named: bool,
}
impl Asked {
    pub(super) fn support(problem: &Problem, over: Option<&Over<'_>>) -> Asked {
        let mut asked = Asked { over: over.is_some(), ..Asked::default() };
        match over.map(|over| &over.support) {
            Some(Support::Lists(lists)) => {
                asked.list = 1 + (0..problem.rows()).map(|i| lists.len(i)).max().unwrap_or(0);
            }
            Some(Support::Computed(_)) => asked.order = true,
            _ => {}
        }
        asked
    }
    /// Of a forward with these outputs; `loss`: their reduced loss is one of them.
    pub fn forward(
        problem: &Problem,
        over: Option<&Over<'_>>,
        extra_ids: Option<&ExtraIds<'_>>,
        out: &Figures<'_>,
        sets: &SupportFigures<'_>,
        loss: bool,
    ) -> Asked {
        Asked {
            needs: Needs::figures(problem.logprob(), out, loss),
            extra: if out.extra_logprobs.is_some() { extra_ids.map_or(0, ExtraIds::cols) } else { 0 },
            words: sets.size.is_some() || sets.bitmask.is_some() || sets.ids.is_some(),
            whole: sets.log_kept_mass.is_some(),
            ..Asked::support(problem, over)
        }
    }
    /// Of a backward with these upstream gradients; `stats`: the statistics are given.
    pub fn backward(problem: &Problem, over: Option<&Over<'_>>, upstream: &Upstream<'_>, stats: bool) -> Asked {
        let (options, loss) = (problem.logprob().options(), upstream.of_loss());
        Asked {
            needs: if stats { Needs::default() } else { Needs::loss(options, loss, loss) },
            smooth: loss && options.row_loss.label_smoothing > 0.0,
            named: upstream.extra.is_some(),
            ..Asked::support(problem, over)
        }
    }
    /// Of a forward with these outputs and the gradient of its loss.
    pub fn fused(
        problem: &Problem,
        over: Option<&Over<'_>>,
        extra_ids: Option<&ExtraIds<'_>>,
        out: &Figures<'_>,
        sets: &SupportFigures<'_>,
    ) -> Asked {
        let smooth = problem.logprob().options().row_loss.label_smoothing > 0.0;
        Asked { smooth, ..Asked::forward(problem, over, extra_ids, out, sets, true) }
    }
    pub(super) fn any(&self) -> bool {
        self.needs.any() || self.extra > 0 || self.over || self.words
    }
    /// Words of the mask of a row, if masks are made.
    pub(super) fn mask(&self, valid: usize) -> usize {
        if self.words || self.order { valid.div_ceil(32) } else { 0 }
    }
    /// Bytes of a row of a wave, about.
    pub(super) fn row(&self, valid: usize) -> usize {
        if self.any() { 4 * (2 + self.extra + self.mask(valid) + 8 * self.needs.top) } else { 0 }
    }
}

/// The places of all that, of the rows of a wave (W) and of the workers.
pub(super) struct Places<'a> {
    /// `[W, 1 + extra]`: logits of the target and of the extra columns.
    pub named: &'a mut [f32],
    /// `[W]`: the target's logit, where the rank needs it beforehand.
    pub xy: &'a mut [f32],
    /// `[W]`: whether the support holds the target.
    pub inside: &'a mut [u8],
    /// `[W, words]`: first the mask, then its live columns.
    pub words: &'a mut [u32],
    /// `[runs, W, top]`
    pub tops: &'a mut [u64],
    /// `[runs, W]`
    pub ties: &'a mut [u32],
    /// `[runs, W]`
    pub whole: &'a mut [[f32; STATS]],
    /// Of a worker: a block of 16 tokens, turned.
    pub rows: &'a mut [f32],
    /// Of a worker: a panel of raw logits.
    pub spare: &'a mut [f32],
    /// Of a worker: as `Space::stack`.
    pub stack: &'a mut [[f32; STATS]],
    /// Of a worker: rows of logits, one transformed, the order of its columns.
    pub order: (&'a mut [f32], &'a mut [f32], &'a mut [u64]),
    /// Of a worker: the weights of a part of a list.
    pub listed: &'a mut [u8],
}
struct Lengths {
    named: usize,
    wave: usize,
    words: usize,
    tops: usize,
    ties: usize,
    whole: usize,
    rows: usize,
    spare: usize,
    stack: usize,
    order: [usize; 3],
    listed: usize,
}
impl Lengths {
    fn new<K: Kernel>(waves: &Waves, sizes: &Sizes) -> Lengths {
        let (asked, threads, v) = (&sizes.asked, sizes.threads, sizes.valid);
        let (wave, chunk) = (if asked.any() { waves.wave } else { 0 }, waves.chunk());
        let some = |some: bool, n: usize| if some { n } else { 0 };
        let order = |n: usize| some(asked.order, threads.saturating_mul(n));
        Lengths {
            named: wave * (1 + asked.extra),
            wave,
            words: wave.saturating_mul(asked.mask(v)),
            tops: (waves.runs * wave).saturating_mul(asked.needs.top),
            ties: waves.runs * wave,
            whole: some(asked.whole, waves.runs * wave),
            rows: some(asked.any(), threads * LANES * TURNED),
            spare: some(asked.whole && asked.list == 0, threads * BLOCK * waves.width),
            stack: some(asked.whole, threads * (waves.levels as usize + 1) * chunk),
            order: [order(waves.width.saturating_mul(v)), order(v.next_multiple_of(BLOCK)), order(v)],
            listed: some(asked.list > 0, threads.saturating_mul(listed::panel::<K>(sizes))),
        }
    }
}
impl<'a> Places<'a> {
    pub(super) fn need<K: Kernel>(waves: &Waves, sizes: &Sizes) -> usize {
        let n = Lengths::new::<K>(waves, sizes);
        Arena::sum([
            need::<f32>(n.named),
            need::<f32>(n.wave),
            need::<u8>(n.wave),
            need::<u32>(n.words),
            need::<u64>(n.tops),
            need::<u32>(n.ties),
            need::<[f32; STATS]>(n.whole),
            need::<f32>(n.rows),
            need::<f32>(n.spare),
            need::<[f32; STATS]>(n.stack),
            need::<f32>(n.order[0]),
            need::<f32>(n.order[1]),
            need::<u64>(n.order[2]),
            n.listed,
        ])
    }
    pub(super) fn new<K: Kernel>(waves: &Waves, sizes: &Sizes, arena: &mut Arena<'a>) -> Result<Self> {
        let n = Lengths::new::<K>(waves, sizes);
        Ok(Places {
            named: arena.take(n.named)?,
            xy: arena.take(n.wave)?,
            inside: arena.take(n.wave)?,
            words: arena.take(n.words)?,
            tops: arena.take(n.tops)?,
            ties: arena.take(n.ties)?,
            whole: arena.take(n.whole)?,
            rows: arena.take(n.rows)?,
            spare: arena.take(n.spare)?,
            stack: arena.take(n.stack)?,
            order: (arena.take(n.order[0])?, arena.take(n.order[1])?, arena.take(n.order[2])?),
            listed: arena.take(n.listed)?,
        })
    }
}

/// What was found about a row, beside its largest columns and ties.
pub(super) struct Seen<'a> {
    /// Of the support, if there is one.
    pub record: Record,
    /// Of all columns, where it is asked for.
    pub whole: Record,
    /// Transformed logits of the target and of the extra columns.
    pub named: &'a [f32],
    /// The mask of the support, its live columns where these are asked for.
    pub words: &'a [u32],
}

impl Job<'_> {
    /// The columns that row `i` keeps; `words` are those of its mask.
    pub(super) fn set<'b>(&self, i: usize, words: &'b [u32]) -> Set<'b> {
        let keep = self.inputs.over.is_some_and(|over| over.outside == Outside::Keep);
        Set { words, extra: if keep { self.rows.local(self.target(i)) } else { None } }
    }
    /// The caller's mask of row `i`, or the one that was made.
    pub(super) fn words<'b>(&'b self, i: usize, made: &'b [u32]) -> &'b [u32] {
        match &self.inputs.over {
            Some(Over { support: Support::Bitmask(m), .. }) => m.row(i),
            _ => made,
        }
    }
    /// Whether the target of row `i` is a column at hand, padding included.
    fn here(&self, i: usize) -> bool {
        let problem = self.problem.logprob();
        let columns = problem.start()..problem.start() + problem.vocab();
        matches!(self.target(i), Target::Column(y) if columns.contains(&y))
    }
    /// The bits of a row that its support adds; `xy` is the target's logit, `inside` whether the support itself has it.
    pub(super) fn outside(&self, i: usize, inside: bool, xy: f32) -> u32 {
        let missing = self.here(i) && !(inside && xy != f32::NEG_INFINITY);
        if self.inputs.over.is_some() && missing { row::TARGET_OUTSIDE } else { 0 }
    }
    /// What a pass looks for in row `i`.
    pub(super) fn seek<'b>(&'b self, i: usize, needs: Needs, xy: f32, found: &'b mut Found) -> Seek<'b> {
        let target = if let Target::Column(y) = self.target(i) { y } else { usize::MAX };
        Seek { needs, class_weight: self.rows.class_weight().copied(), target, xy, found }
    }
    /// Transformed logit of a raw one, `-0` as `+0`.
    pub(super) fn at(&self, t: &RowTransform, z: f32, j: usize) -> f32 {
        t.apply(z, self.bias(j)) + 0.0
    }
    /// [`Rounding`] of raw logits.
    pub(super) fn round(&self, x: &mut [f32]) {
        match self.problem.rounding() {
            Rounding::None => {}
            Rounding::Bf16 => rounded::<bf16>(self.isa, x),
            Rounding::F16 => rounded::<f16>(self.isa, x),
        }
    }
}
/// Rounds to a 16-bit type and widens again.
pub(super) fn rounded<E: Cell>(isa: Isa, x: &mut [f32]) {
    fn plain<E: Float>(x: &mut [f32]) {
        x.iter_mut().for_each(|x| *x = E::from_f32(*x).to_f32());
    }
    #[inline(always)]
    fn lanes<S: Sixteen, E: Cell>(s: S, x: &mut [f32]) {
        let (chunks, rest) = x.as_chunks_mut::<32>();
        let mut cells = [E::default(); 32];
        for x in chunks {
            E::store(s, f32::load(s, x), &mut cells);
            f32::store(s, E::load(s, &cells), x);
        }
        plain::<E>(rest);
    }
    on_lanes!(isa, s => lanes::<_, E>(s, x), plain::<E>(x))
}

/// Makes the columns outside `set` dead: column `v0 + j` is `x[j * ld]`.
pub(super) fn mask(set: &Set<'_>, v0: usize, columns: usize, x: &mut [f32], ld: usize) {
    for c in (0..columns).step_by(32) {
        let word = set.bits((v0 + c) as isize);
        if word == u32::MAX {
            continue;
        }
        for j in c..columns.min(c + 32) {
            if word >> (j - c) & 1 == 0 {
                x[j * ld] = f32::NEG_INFINITY;
            }
        }
    }
}
/// Floats between the turned blocks of two tokens: off the powers of two, which would all fall into the same cache set.
pub(super) const TURNED: usize = BLOCK + 32;
/// Columns of 16 tokens, `x[j * ld + lane]`, as rows of blocks: token `lane` from `rows[lane * TURNED + skip]` on, `-inf`
/// around it to a multiple of 32. Returns the chunks of 32.
pub(super) fn turn(x: &[f32], ld: usize, skip: usize, rows: &mut [f32]) -> usize {
    let columns = x.len().div_ceil(ld);
    let end = (skip + columns).next_multiple_of(32);
    for row in rows.chunks_exact_mut(TURNED) {
        row[..skip].fill(f32::NEG_INFINITY);
        row[skip + columns..end].fill(f32::NEG_INFINITY);
    }
    // 16 columns at a time: what is read and what is written stay in the first cache
    for j0 in (0..columns).step_by(16) {
        let n = 16.min(columns - j0);
        for j in j0..j0 + n {
            for (lane, x) in x[j * ld..][..LANES].iter().enumerate() {
                rows[lane * TURNED + skip + j] = *x;
            }
        }
    }
    end / 32
}
/// What one token's block adds: `b` are its chunks of 32 columns, `first` is its first column in the whole vocabulary.
pub(super) fn take(
    isa: Isa,
    b: &[[f32; 32]],
    first: usize,
    ids: Option<&[u32]>,
    seek: &mut Seek<'_>,
    part: &mut Record,
) {
    if !seek.needs.any() {
        return;
    }
    let mut weight = [[0.0; 32]; BLOCK / 32];
    on_lanes!(
        isa,
        s => extra::more(s, b, first, ids, seek, &mut weight, part),
        seek.block(&b.as_flattened()[..ids.map_or(32 * b.len(), |ids| ids.len())], first, ids, part)
    )
}
/// Bits of the live ones of 32 columns.
pub(super) fn live(x: &[f32; 32]) -> u32 {
    x.iter().enumerate().fold(0, |bits, (j, x)| bits | ((*x != f32::NEG_INFINITY) as u32) << j)
}

/// The target's logits of the rows of a wave: the chain of the tile that holds it.
pub(super) fn targets<K: Kernel>(k: K, job: &Job<'_>, space: &mut Space<'_, K>, live: &[usize], t: &Lanes<'_>) {
    let (weight, panels, width) = (&job.inputs.weight, &space.panels, LANES * K::NV);
    let ns = space.scratch.len() / job.context.threads();
    let (scratch, xy) = (Disjoint::new(&mut *space.scratch), Disjoint::new(&mut *space.more.xy));
    job.context.tasks(live.len(), |worker, i| {
        // SAFETY: the worker's scratch, the task's element.
        let (scratch, xy) = unsafe { (scratch.piece(worker * ns, ns), xy.piece(i, 1)) };
        xy[0] = f32::NEG_INFINITY;
        let Some(y) = job.rows.local(job.target(live[i])) else { return };
        let (mut z, p) = ([0.0; WIDEST], i / width);
        let place = Place { ld: WIDEST, panel: 0 };
        product(k, weight, job.paired, (y, y + 1), panels, (p, p + 1), scratch, &mut z, place, |_, _, _, _| {});
        let z = &mut z[i % width..=i % width];
        job.round(z);
        xy[0] = job.at(&scalar_transform(job, t, i), z[0], y);
    });
}
/// The masks of the rows of a wave whose support is computed. A row with a NaN or a `+inf` keeps all columns, and its record
/// is then that of all.
pub(super) fn masks<K: Kernel>(k: K, job: &Job<'_>, space: &mut Space<'_, K>, live: &[usize], filters: &Filters) {
    let (weight, valid, threads) = (&job.inputs.weight, job.valid(), job.context.threads());
    let (panels, words, width) = (&space.panels, valid.div_ceil(32), LANES * K::NV);
    let (ns, nz) = (space.scratch.len() / threads, space.z.len() / threads);
    let (rows, x, keys) = &mut space.more.order;
    let (nr, nx, nk) = (rows.len() / threads, x.len() / threads, keys.len() / threads);
    let (rows, x, keys) = (Disjoint::new(rows), Disjoint::new(x), Disjoint::new(keys));
    let (scratch, z) = (Disjoint::new(&mut *space.scratch), Disjoint::new(&mut *space.z));
    let masks = Disjoint::new(&mut *space.more.words);
    let ld = width.min(live.len().next_multiple_of(LANES));
    job.context.tasks(panels.count(), |worker, p| {
        let live = &live[p * width..live.len().min((p + 1) * width)];
        // SAFETY: the worker's pieces, and the masks of the panel's tokens.
        let (rows, x, keys, scratch, z, masks) = unsafe {
            (
                rows.piece(worker * nr, nr),
                x.piece(worker * nx, nx),
                keys.piece(worker * nk, nk),
                scratch.piece(worker * ns, ns),
                z.piece(worker * nz, nz),
                masks.piece(p * width * words, live.len() * words),
            )
        };
        for v0 in (0..valid).step_by(BLOCK) {
            let v1 = valid.min(v0 + BLOCK);
            let place = Place { ld, panel: 0 };
            product(k, weight, job.paired, (v0, v1), panels, (p, p + 1), scratch, z, place, |_, _, n, x| {
                job.round(&mut x[..(n - 1) * ld + live.len()]);
            });
            for (token, row) in rows.chunks_exact_mut(valid).take(live.len()).enumerate() {
                for (j, to) in row[v0..v1].iter_mut().enumerate() {
                    *to = z[j * ld + token];
                }
            }
        }
        for ((&i, row), words) in live.iter().zip(rows.chunks_exact(valid)).zip(masks.chunks_exact_mut(words)) {
            let mut slot = Slot::new(x, keys, words);
            let row = job.rows.row(i, row);
            let kept = on_lanes!(
                job.isa,
                s => {
                    let mut scratch = Scratch::new(row.z.as_ptr_range().end);
                    slot.filter(s, &row, filters, &mut scratch)
                },
                slot.filter_scalar(&row, filters)
            );
            match kept {
                Some(n) => slot.mark(n),
                None => slot.words.fill(u32::MAX),
            }
        }
    });
}
