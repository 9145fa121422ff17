//! For operations on rows of logits that are formed a group at a time: the raw logits of some rows, each row by itself, and
//! the gradients of hidden, weight and bias from a dz that the operation gives. The products and the order of their sums are
//! those of the family.
use super::*;

/// Columns of a block of 16 x 16 logits that is turned in the first cache.
const TURN: usize = LANES;
#[inline(always)]
fn transpose(x: &[[f32; LANES]; TURN]) -> [[f32; TURN]; LANES] {
    let mut out = [[0.0; TURN]; LANES];
    for (j, x) in x.iter().enumerate() {
        for (lane, x) in x.iter().enumerate() {
            out[lane][j] = *x;
        }
    }
    out
}

/// How the products for some rows are cut.
#[derive(Clone, Copy)]
struct Cut {
    /// Rows packed at a time.
    chunk: usize,
    /// Panels of a task.
    panels: usize,
}
impl Cut {
    fn new<K: Kernel>(sizes: &Sizes, chunk: usize) -> Cut {
        Cut { chunk, panels: across::<K>(sizes.len::<K>()).min(chunk.div_ceil(LANES * K::NV)) }
    }
    fn strip<K: Kernel>() -> usize {
        STRIP / K::MR * K::MR
    }
    /// Floats of a worker's logits.
    fn z<K: Kernel>(&self) -> usize {
        Self::strip::<K>() * self.panels * LANES * K::NV
    }
    fn need<K: Kernel>(&self, sizes: &Sizes) -> usize {
        let (vectors, panels) = Panels::<K::In>::need(self.chunk, sizes.len::<K>(), K::NV);
        Arena::sum([
            need::<[K::In; LANES]>(vectors),
            need::<u16>(panels),
            need::<f32>(sizes.threads.saturating_mul(self.z::<K>())),
            need::<K::In>(sizes.threads.saturating_mul(sizes.scratch::<K>(true))),
        ])
    }
    /// The widest that is worth it.
    fn widest<K: Kernel>(sizes: &Sizes) -> Cut {
        let packed = PACKED / (sizes.len::<K>().max(1) * size_of::<K::In>()) / CHUNK * CHUNK;
        Self::new::<K>(sizes, sizes.rows.next_multiple_of(LANES).min(packed.max(CHUNK)))
    }
    /// The widest that so many bytes hold.
    fn fit<K: Kernel>(sizes: &Sizes, bytes: usize) -> Cut {
        let mut cut = Self::widest::<K>(sizes);
        while cut.chunk > LANES && cut.need::<K>(sizes) > bytes {
            cut = Self::new::<K>(sizes, (cut.chunk / 2 / LANES * LANES).max(LANES));
        }
        cut
    }
}
/// Bytes of [`raw_rows`] for so many rows of operands of these types, at least and at best.
pub(crate) fn raw_need(context: &Context, problem: &Problem, [hidden, weight]: [Dtype; 2], rows: usize) -> Workspace {
    let paired = hidden == Dtype::Bf16 && weight == Dtype::Bf16;
    let sizes = Sizes { rows, ..Sizes::new(context, problem, paired) };
    fn bytes<K: Kernel>(_: K, sizes: &Sizes) -> Workspace {
        let least = Cut::new::<K>(sizes, LANES).need::<K>(sizes);
        Workspace { minimum: least, preferred: Cut::widest::<K>(sizes).need::<K>(sizes) }
    }
    with_kernel!(context.isa(), paired, k => bytes(k, &sizes))
}
/// Writes the raw logits of the rows `live`, columns `columns`: of row i from `out[i * ld]` on. They are rounded where the
/// problem says so, and otherwise as the products give them.
pub(crate) fn raw_rows(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    live: &[usize],
    columns: Range<usize>,
    (out, ld): (&mut [f32], usize),
    workspace: &mut [u8],
) -> Result<()> {
    if live.is_empty() || columns.is_empty() {
        return Ok(());
    }
    let job = Job::new(context, problem, inputs, Asked::default());
    with_kernel!(context.isa(), job.paired, k => raw_on(k, &job, live, columns, (out, ld), workspace))
}
fn raw_on<K: Kernel>(
    k: K,
    job: &Job<'_>,
    live: &[usize],
    columns: Range<usize>,
    (out, ld_out): (&mut [f32], usize),
    workspace: &mut [u8],
) -> Result<()> {
    let sizes = Sizes { rows: live.len(), ..Sizes::new(job.context, job.problem, job.paired) };
    let cut = Cut::fit::<K>(&sizes, workspace.len());
    let (len, threads, ld, strip) = (sizes.len::<K>(), sizes.threads, LANES * K::NV, Cut::strip::<K>());
    let mut arena = Arena::new(workspace);
    let (vectors, panels) = Panels::<K::In>::need(cut.chunk, len, K::NV);
    let mut panels = Panels::<K::In>::new(arena.take(vectors)?, arena.take(panels)?, len, K::NV);
    let (nz, ns) = (cut.z::<K>(), sizes.scratch::<K>(true));
    let z_all = Disjoint::new(arena.take::<f32>(threads * nz)?);
    let scratch_all = Disjoint::new(arena.take::<K::In>(threads * ns)?);
    let (out, place) = (Disjoint::new(out), Place { ld, panel: strip * ld });
    for (at, live) in (0..).step_by(cut.chunk).zip(live.chunks(cut.chunk)) {
        panels.fill(job.context, &job.inputs.hidden, job.paired, live);
        let (panels, strips) = (&panels, columns.len().div_ceil(strip));
        job.context.tasks(strips * panels.count().div_ceil(cut.panels), |worker, task| {
            let (a, p0) = (columns.start + task % strips * strip, task / strips * cut.panels);
            let (b, p1) = (columns.end.min(a + strip), panels.count().min(p0 + cut.panels));
            // SAFETY: a worker runs one task at a time, and these pieces are its own.
            let (z, scratch) = unsafe { (z_all.piece(worker * nz, nz), scratch_all.piece(worker * ns, ns)) };
            product(k, &job.inputs.weight, job.paired, (a, b), panels, (p0, p1), scratch, z, place, |p, g0, n, x| {
                let rows = live.len().min((p + 1) * ld) - p * ld;
                let x = &mut x[..(n - 1) * ld + rows.next_multiple_of(LANES)];
                job.round(x);
                for l in (0..rows).step_by(LANES) {
                    for j in (0..n).step_by(TURN) {
                        let some = TURN.min(n - j);
                        let mut block = [[0.0; LANES]; TURN];
                        for (to, x) in block[..some].iter_mut().zip(x[j * ld + l..].chunks(ld)) {
                            to.copy_from_slice(&x[..LANES]);
                        }
                        let turned = transpose(&block);
                        let corner = (at + p * ld + l) * ld_out + g0 - columns.start + j;
                        for (lane, turned) in turned[..LANES.min(rows - l)].iter().enumerate() {
                            // SAFETY: these columns of these rows are the task's.
                            let to = unsafe { out.piece(corner + lane * ld_out, some) };
                            to.copy_from_slice(&turned[..some]);
                        }
                    }
                }
            });
        });
    }
    Ok(())
}

/// A tile of dz that wants to be filled.
pub(crate) struct Tile<'a> {
    pub(super) context: &'a Context,
    pub(super) z: &'a Disjoint<'a, f32>,
    pub(super) first: usize,
    pub(super) strip: usize,
    pub(super) strip_len: usize,
    pub(super) ld: usize,
    /// dz is rounded to bf16.
    pub(super) round: bool,
}
impl Tile<'_> {
    /// Takes the dz of all rows and columns of the tile: that of row i lies from `from[i * ld]` on.
    pub(crate) fn put(&self, from: &[f32], ld: usize, rows: usize, columns: usize) {
        let (strip, isa) = (self.strip, self.context.isa());
        self.context.tasks(columns.div_ceil(strip), |_, task| {
            let (a, b) = (task * strip, columns.min((task + 1) * strip));
            // SAFETY: the strip is the task's.
            let z = unsafe { self.z.piece(self.first + task * self.strip_len, self.strip_len) };
            for (first, z) in (0..rows).step_by(self.ld).zip(z.chunks_exact_mut(strip * self.ld)) {
                for l in (0..self.ld.min(rows - first)).step_by(LANES) {
                    let some = LANES.min(rows - first - l);
                    for j in (0..b - a).step_by(TURN) {
                        let n = TURN.min(b - a - j);
                        // lanes behind the last row: their results nobody uses
                        let mut block = [[0.0; TURN]; LANES];
                        for (i, block) in block[..some].iter_mut().enumerate() {
                            block[..n].copy_from_slice(&from[(first + l + i) * ld + a + j..][..n]);
                        }
                        let turned = transpose(&block);
                        for (turned, z) in turned[..n].iter().zip(z[j * self.ld + l..].chunks_mut(self.ld)) {
                            z[..LANES].copy_from_slice(turned);
                        }
                    }
                }
                if self.round {
                    more::rounded::<bf16>(isa, &mut z[..(b - a) * self.ld]);
                }
            }
        });
    }
}
/// Fills a tile: the places of its rows among the live ones, and its columns.
pub(crate) type Fill<'a> = dyn FnMut(Range<usize>, Range<usize>, &Tile<'_>) -> Result<()> + 'a;
/// How much memory a [`backward_given`] takes for speed.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Room {
    /// Columns of a tile: [`BLOCK`] where grad_hidden is wanted.
    pub(crate) columns: usize,
    pub(crate) roomy: bool,
}
impl Room {
    pub(crate) const BEST: Room = Room { columns: BLOCK, roomy: true };
    pub(crate) const LEAST: Room = Room { columns: LANES, roomy: false };
    /// The next smaller one.
    pub(crate) fn less(self) -> Option<Room> {
        if self.columns > LANES {
            Some(Room { columns: self.columns / 2, ..self })
        } else {
            self.roomy.then_some(Room::LEAST)
        }
    }
}
/// Rows whose dz is known.
pub(crate) struct Given<'a, 'f> {
    /// The rows, neighbours; no others are written.
    pub(crate) rows: Range<usize>,
    /// Those that are live.
    pub(crate) live: &'a [usize],
    /// Live rows that the workspace is made for.
    pub(crate) most: usize,
    /// As [`Group::before`].
    pub(crate) before: usize,
    pub(crate) room: Room,
    pub(crate) fill: &'f mut Fill<'f>,
}
impl Pass {
    fn given(sizes: &Sizes, weight: bool, hidden: bool, direct: bool, room: Room) -> Pass {
        let all = Pass::weight(sizes, direct);
        Pass {
            weight,
            hidden,
            total: all.total && weight,
            t: all.t.min(room.columns),
            c: 0,
            given: true,
            roomy: room.roomy,
            ..all
        }
    }
}
/// Bytes of [`backward_given`] for up to so many live rows; `direct`: [`Grads::continues`].
pub(crate) fn given_need(
    context: &Context,
    problem: &Problem,
    [hidden, weight]: [Dtype; 2],
    rows: usize,
    [to_weight, to_hidden, direct]: [bool; 3],
    room: Room,
) -> usize {
    let paired = hidden == Dtype::Bf16 && weight == Dtype::Bf16;
    let sizes = Sizes { rows, ..Sizes::new(context, problem, paired) };
    let pass = Pass::given(&sizes, to_weight, to_hidden, direct, room);
    fn bytes<K: Kernel>(_: K, sizes: &Sizes, pass: &Pass) -> usize {
        Arena::sum([Kept::need(sizes), pass.need::<K>(sizes)])
    }
    with_kernel!(context.isa(), paired, k => bytes(k, &sizes, &pass))
}
/// The gradients of hidden, weight and bias from dz, as [`backward_group`] has them from its own; 0 in rows that are not live.
pub(crate) fn backward_given(
    context: &Context,
    problem: &Problem,
    inputs: Inputs<'_>,
    given: Given<'_, '_>,
    grads: Grads<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let job = Job::new(context, problem, inputs, Asked::default());
    with_kernel!(context.isa(), job.paired, k => given_on(k, &job, given, grads, workspace))
}
fn given_on<K: Kernel>(
    k: K,
    job: &Job<'_>,
    given: Given<'_, '_>,
    mut grads: Grads<'_>,
    workspace: &mut [u8],
) -> Result<()> {
    let (count, direct) = (given.live.len(), grads.continues());
    let sizes = Sizes { rows: given.most, ..Sizes::new(job.context, job.problem, job.paired) };
    let weight = grads.weight.is_some() || grads.bias.is_some();
    let mut out = Outputs::new(&mut grads, job.isa);
    if count > 0 && job.valid() > 0 {
        let p = Pass::given(&sizes, weight, out.hidden.is_some(), direct, given.room);
        let mut arena = Arena::new(workspace);
        let mut kept = Kept::new(&sizes, Upstream::default(), &mut arena)?;
        kept.live[..count].copy_from_slice(given.live);
        kept.count = count;
        let rest = rest(&mut arena)?;
        let fill = Some(given.fill);
        pass(k, job, &sizes, &p, &kept, count, None, fill, &given.rows, given.before, &mut out, rest)?;
    }
    out.finish(job, count, &given.rows, given.before);
    Ok(())
}
