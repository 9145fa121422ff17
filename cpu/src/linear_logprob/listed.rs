//! Supports given as lists of columns: only the weights of these columns are read. The sums of a row run in the order of
//! its list, as in the logits form; the gradients of hidden and weight have the chains of the dense form without the columns
//! whose gradient is 0.
use super::*;
use crate::logprob::sums_of_block;
use truing_core::support::{Outside, in_column};

/// Places of a worker with which logits of chosen columns are made.
struct Maker<'a, 'b, K: Kernel> {
    k: K,
    job: &'b Job<'b>,
    serial: &'b Context,
    panels: Panels<'a, K::In>,
    scratch: &'a mut [K::In],
}
impl<'a, 'b, K: Kernel> Maker<'a, 'b, K> {
    fn new(
        k: K,
        job: &'b Job<'b>,
        serial: &'b Context,
        sizes: &Sizes,
        bytes: &'a mut [u8],
        scratch: &'a mut [K::In],
    ) -> Self {
        let (vectors, panels) = Panels::<K::In>::need(LANES * K::NV, sizes.len::<K>(), K::NV);
        let (mut arena, fits) = (Arena::new(bytes), "cut to size");
        let (data, least) = (arena.take(vectors).expect(fits), arena.take(panels).expect(fits));
        Maker { k, job, serial, panels: Panels::new(data, least, sizes.len::<K>(), K::NV), scratch }
    }
    /// Raw logits of these columns of row `i`, as many as a panel holds.
    fn logits(&mut self, i: usize, columns: &[usize], z: &mut [f32; WIDEST]) {
        let job = self.job;
        self.panels.fill(self.serial, &job.inputs.weight, job.paired, columns);
        let (a, place) = (&job.inputs.hidden, Place { ld: WIDEST, panel: 0 });
        product(self.k, a, job.paired, (i, i + 1), &self.panels, (0, 1), self.scratch, z, place, |_, _, _, _| {});
        job.round(&mut z[..columns.len()]);
    }
    /// Transformed logit of a column of row `i`.
    fn logit(&mut self, i: usize, j: usize, t: &RowTransform) -> f32 {
        let mut z = [0.0; WIDEST];
        self.logits(i, &[j], &mut z);
        self.job.at(t, z[0], j)
    }
    /// The target of row `i`, where it is live and joins a list that lacks it.
    fn joins(&mut self, i: usize, t: &RowTransform) -> Option<usize> {
        let y = self.job.rows.local(self.job.target(i))?;
        let keep = self.job.inputs.over.is_some_and(|over| over.outside == Outside::Keep);
        (keep && !self.job.walk(i, None).any(|j| j == y) && self.logit(i, y, t) != f32::NEG_INFINITY).then_some(y)
    }
    /// Calls `f(place, columns, raw logits)` for one panel of the list of row `i` after the other.
    fn walk(&mut self, i: usize, extra: Option<usize>, mut f: impl FnMut(usize, &[usize], &[f32])) {
        let (mut columns, mut place, mut z) = (self.job.walk(i, extra), 0, [0.0; WIDEST]);
        loop {
            // a panel ends where a block does
            let (mut some, mut n, most) = ([0; WIDEST], 0, (LANES * K::NV).min(BLOCK - place % BLOCK));
            while n < most
                && let Some(j) = columns.next()
            {
                some[n] = j;
                n += 1;
            }
            if n > 0 {
                self.logits(i, &some[..n], &mut z);
                f(place, &some[..n], &z[..n]);
            }
            if n < most {
                return;
            }
            place += n;
        }
    }
}
impl Job<'_> {
    /// The columns of the list of row `i` that can be live, one more among them.
    fn walk(&self, i: usize, extra: Option<usize>) -> impl Iterator<Item = usize> + Clone {
        let lists = match self.inputs.over.map(|over| over.support) {
            Some(Support::Lists(lists)) => Some(lists),
            _ => None,
        };
        let valid = self.valid();
        lists.into_iter().flat_map(move |lists| lists.walk(i, extra)).take_while(move |&j| j < valid)
    }
}

/// The record of each row over its list, and what else is asked for, in the places of the first run. `given`: the target's
/// logit for the rank is there.
#[allow(clippy::too_many_arguments)]
pub(super) fn records<K: Kernel>(
    k: K,
    job: &Job<'_>,
    sizes: &Sizes,
    space: &mut Space<'_, K>,
    live: &[usize],
    given: bool,
    lanes: &Lanes<'_>,
) {
    let (asked, start, threads) = (&job.asked, job.problem.logprob().start(), job.context.threads());
    let more = &mut space.more;
    let (ns, nl) = (space.scratch.len() / threads, more.listed.len() / threads);
    let (columns, top, words) = (1 + asked.extra, asked.needs.top, asked.mask(job.valid()));
    let (scratch, listed) = (Disjoint::new(&mut *space.scratch), Disjoint::new(&mut *more.listed));
    let (runs, ties) = (Disjoint::new(&mut *space.runs), Disjoint::new(&mut *more.ties));
    let (named, tops, xys) =
        (Disjoint::new(&mut *more.named), Disjoint::new(&mut *more.tops), Disjoint::new(&mut *more.xy));
    let (masks, serial) = (Disjoint::new(&mut *more.words), Context::default());
    job.context.tasks(live.len(), |worker, i| {
        // SAFETY: the worker's pieces.
        let (bytes, scratch) = unsafe { (listed.piece(worker * nl, nl), scratch.piece(worker * ns, ns)) };
        // SAFETY: the places of this row belong to the task.
        let (out, ties, named, tops, xy, mask) = unsafe {
            (
                runs.piece(i, 1),
                ties.piece(i, 1),
                named.piece(i * columns, columns),
                tops.piece(i * top, top),
                xys.piece(i, 1),
                masks.piece(i * words, words),
            )
        };
        let (row, t) = (live[i], scalar_transform(job, lanes, i));
        let mut maker = Maker::new(k, job, &serial, sizes, bytes, scratch);
        let extra = maker.joins(row, &t);
        if asked.needs.rank && !given {
            let y = job.rows.local(job.target(row)).filter(|&y| job.walk(row, extra).any(|j| j == y));
            xy[0] = y.map_or(f32::NEG_INFINITY, |y| maker.logit(row, y, &t));
        }
        let xy = if asked.needs.rank { xy[0] } else { f32::NEG_INFINITY };
        mask.fill(0);
        let (mut tree, mut best, mut found, mut flags) = (Tree::new(), f32::NEG_INFINITY, Found::default(), 0);
        found.top.resume(tops);
        let (mut x, mut ids, mut n, mut first) = ([[0.0; 32]; BLOCK / 32], [0; BLOCK], 0, 0);
        let mut block = |x: &mut [[f32; 32]; BLOCK / 32], ids: &[u32], first: usize, found: &mut Found| {
            let n = ids.len();
            let padded = n.next_multiple_of(32);
            x.as_flattened_mut()[n..padded].fill(f32::NEG_INFINITY);
            let b = &x[..padded / 32];
            let mut part = on_lanes!(
                job.isa,
                s => sums_of_block(s, b, first, &mut best),
                record::block(&b.as_flattened()[..n], first)
            );
            more::take(job.isa, b, first, Some(ids), &mut job.seek(row, asked.needs, xy, found), &mut part);
            for (k, j) in job.named(row) {
                if let Ok(at) = ids.binary_search(&((start + j) as u32)) {
                    named[k] = b.as_flattened()[at] + 0.0;
                }
            }
            tree.push(part);
        };
        maker.walk(row, extra, |place, columns, z| {
            if place - first == BLOCK {
                block(&mut x, &ids[..n], first, &mut found);
                (first, n) = (place, 0);
            }
            for (&j, &z) in columns.iter().zip(z) {
                let bias = job.bias(j);
                let v = t.apply(z, bias);
                if bias != Some(f32::NEG_INFINITY) {
                    flags |= if z.is_nan() { row::NAN_INPUT } else { 0 };
                    flags |= if z == f32::INFINITY { row::INF_INPUT } else { 0 };
                }
                if v != f32::NEG_INFINITY && words > 0 {
                    mask[j / 32] |= 1 << (j % 32);
                }
                (x.as_flattened_mut()[n], ids[n]) = (v, (start + j) as u32);
                n += 1;
            }
        });
        block(&mut x, &ids[..n], first, &mut found);
        let mut r = in_column(tree.finish(), start, job.walk(row, extra));
        if r.poisoned() {
            r.flags |= flags;
        } else {
            r.xy = named[0];
        }
        found.top.save(tops);
        ties[0] = found.ties;
        out[0] = r.pack_part();
    });
}

/// Columns of a task of grad_weight.
fn tile(sizes: &Sizes) -> usize {
    ((1 << 17) / (sizes.d + 1)).clamp(1, 256)
}
/// A row of hidden states, and the 1 that sums up grad_bias, in whole vectors.
fn padded(sizes: &Sizes) -> usize {
    (sizes.d + 1).next_multiple_of(LANES)
}
/// Bytes of the panel of a part of a list.
pub(super) fn panel<K: Kernel>(sizes: &Sizes) -> usize {
    let (vectors, panels) = Panels::<K::In>::need(LANES * K::NV, sizes.len::<K>(), K::NV);
    Arena::sum([need::<[K::In; LANES]>(vectors), need::<u16>(panels)])
}
/// Bytes of [`backward`] beside what is kept of the rows.
pub(super) fn bytes<K: Kernel>(sizes: &Sizes) -> usize {
    let (list, threads) = (sizes.asked.list, sizes.threads);
    Arena::sum([
        need::<f32>(sizes.rows.saturating_mul(list)),
        need::<u32>(sizes.rows),
        threads.saturating_mul(panel::<K>(sizes)),
        need::<K::In>(threads.saturating_mul(sizes.scratch::<K>(false))),
        need::<f32>(threads.saturating_mul((2 * tile(sizes) + 1) * padded(sizes))),
    ])
}
/// `y += a x`, one fused multiply-add each; whole vectors.
fn axpy(isa: Isa, a: f32, x: &[f32], y: &mut [f32]) {
    #[inline(always)]
    fn lanes<S: Sixteen>(s: S, a: f32, x: &[f32], y: &mut [f32]) {
        let a = splat(s, a);
        for (x, y) in x.as_chunks::<LANES>().0.iter().zip(y.as_chunks_mut::<LANES>().0) {
            fma(a, V::from_slice(s, x), V::from_slice(s, y)).store_slice(y);
        }
    }
    fn plain(a: f32, x: &[f32], y: &mut [f32]) {
        x.iter().zip(y).for_each(|(x, y)| *y = truing_core::real::Real::fma(a, *x, *y));
    }
    on_lanes!(isa, s => lanes(s, a, x, y), plain(a, x, y))
}
/// A total that the next reduction block is added to.
fn close(total: &mut [f32], part: &mut [f32], fresh: bool) {
    for (total, part) in total.iter_mut().zip(part) {
        *total = if fresh { *part } else { *total + *part };
        *part = 0.0;
    }
}
/// The gradients of the live rows, whose constants are in `kept`.
#[allow(clippy::too_many_arguments)]
pub(super) fn backward<K: Kernel>(
    k: K,
    job: &Job<'_>,
    sizes: &Sizes,
    kept: &Kept<'_>,
    range: &Range<usize>,
    out: &mut Outputs<'_, '_>,
    rest: &mut [u8],
) -> Result<()> {
    let (count, list, threads, start) = (kept.count, job.asked.list, sizes.threads, job.problem.logprob().start());
    let mut arena = Arena::new(rest);
    let dz: &mut [f32] = arena.take(sizes.rows * list)?;
    let joined: &mut [u32] = arena.take(sizes.rows)?;
    let (np, ns) = (panel::<K>(sizes), sizes.scratch::<K>(false));
    let bytes = Disjoint::new(arena.take::<u8>(threads * np)?);
    let scratch = Disjoint::new(arena.take::<K::In>(threads * ns)?);
    let (width, columns) = (padded(sizes), tile(sizes));
    let nt = (2 * columns + 1) * width;
    let tiles = Disjoint::new(arena.take::<f32>(threads * nt)?);
    let serial = Context::default();
    {
        let (dz, joined) = (Disjoint::new(&mut *dz), Disjoint::new(&mut *joined));
        job.context.tasks(count, |worker, i| {
            if kept.fill[i] != COLUMNS {
                return;
            }
            // SAFETY: the worker's pieces, the places of the task's row.
            let (bytes, scratch, dz, joined) = unsafe {
                (
                    bytes.piece(worker * np, np),
                    scratch.piece(worker * ns, ns),
                    dz.piece(i * list, list),
                    joined.piece(i, 1),
                )
            };
            let row = kept.live[i];
            let t = scalar_transform(job, &Lanes { slope: kept.slope, outer: kept.outer }, i);
            let mut maker = Maker::new(k, job, &serial, sizes, bytes, scratch);
            let extra = maker.joins(row, &t);
            joined[0] = extra.map_or(NO_COLUMN, |y| y as u32);
            let tau = if job.asked.smooth { kept.tau[i] } else { 0.0 };
            let c = record::Columns { m: kept.m[i], c0: kept.c0[i], c1: kept.c1[i], tau, target: None };
            maker.walk(row, extra, |place, columns, z| {
                for ((dz, &j), &z) in dz[place..].iter_mut().zip(columns).zip(z) {
                    *dz = c.smoothed(&t, z, job.bias(j), job.class_weight(j));
                    let y = kept.target[i] as usize == j;
                    if y {
                        *dz = (kept.dx[i] * t.slope((z + job.bias(j).unwrap_or(0.0)) as f64)) as f32;
                    }
                    let Some(ids) = &kept.upstream.extra_ids else { continue };
                    if (0..ids.cols()).any(|k| ids.get(row, k) == Some(start + j)) {
                        let (record, g) = unpack_named(&kept.named[i]);
                        let own = if y { g.logprob } else { 0.0 } + kept.upstream.extra(row, start + j);
                        *dz = job.named_gradient(&t, &record, &g, z, j, own);
                    }
                }
            });
            if job.context.mode() == Mode::Fast && job.paired {
                more::rounded::<bf16>(job.isa, dz);
            }
        });
    }
    let (dz, joined) = (&*dz, &*joined);
    let walk = |i: usize| job.walk(kept.live[i], (joined[i] != NO_COLUMN).then_some(joined[i] as usize));
    let blocks = job.valid().div_ceil(BLOCK);
    if let Some(g) = &mut out.hidden {
        let rows = g.reborrow().split(range.start).1.split(range.len()).0;
        let (live, accumulate, weight) = (&kept.live[..count], out.accumulate_hidden, &job.inputs.weight);
        job.context.rows(range.len(), 1, rows, |at, n, mut g| {
            let mut l = live.partition_point(|&i| i < range.start + at);
            for i in 0..n {
                if live.get(l) != Some(&(range.start + at + i)) {
                    if !accumulate {
                        put_row(job.isa, &mut g, i, |x| x.fill(0.0), false);
                    }
                    continue;
                }
                let (fill, mut done) = (kept.fill[l], 0);
                let piece = |x: &mut [f32]| {
                    if fill != COLUMNS {
                        return x.fill(if fill == ZERO { 0.0 } else { f32::NAN });
                    }
                    let (mut total, mut part, mut block) = ([0.0; WIDEST], [0.0; WIDEST], 0);
                    for (j, &dz) in walk(l).zip(&dz[l * list..]) {
                        while block < j / BLOCK {
                            close(&mut total, &mut part, block == 0);
                            block += 1;
                        }
                        if job.bias(j) != Some(f32::NEG_INFINITY) {
                            let mut w = [0.0; WIDEST];
                            f32::convert(weight, false, j, done, &mut w[..x.len()]);
                            axpy(job.isa, dz, &w, &mut part);
                        }
                    }
                    while block < blocks {
                        close(&mut total, &mut part, block == 0);
                        block += 1;
                    }
                    x.copy_from_slice(&total[..x.len()]);
                    done += x.len();
                };
                put_row(job.isa, &mut g, i, piece, accumulate);
                l += 1;
            }
        });
    }
    if out.weight.is_none() && out.bias.is_none() {
        return Ok(());
    }
    let (hidden, out) = (&job.inputs.hidden, &*out);
    job.context.tasks(job.valid().div_ceil(columns), |worker, task| {
        let (v0, v1) = (task * columns, job.valid().min((task + 1) * columns));
        // SAFETY: the worker's piece.
        let tile = unsafe { tiles.piece(worker * nt, nt) };
        let (h, tile) = tile.split_at_mut(width);
        let (total, part) = tile.split_at_mut(columns * width);
        part.fill(0.0);
        h.fill(0.0);
        h[sizes.d] = 1.0;
        for i in 0..count {
            if i > 0 && i % BLOCK == 0 {
                close(total, part, i == BLOCK);
            }
            if kept.fill[i] == NAN {
                part[..(v1 - v0) * width].fill(f32::NAN);
            }
            if kept.fill[i] != COLUMNS {
                continue;
            }
            let mut there = false;
            for (j, &dz) in walk(i).zip(&dz[i * list..]).take_while(|x| x.0 < v1).filter(|x| x.0 >= v0) {
                if !there {
                    f32::convert(hidden, false, kept.live[i], 0, &mut h[..sizes.d]);
                    there = true;
                }
                axpy(job.isa, dz, h, &mut part[(j - v0) * width..][..width]);
            }
        }
        close(total, part, count <= BLOCK);
        for (j, x) in (v0..v1).zip(total.chunks_exact(width)) {
            // SAFETY: these columns are the task's.
            unsafe {
                if let Some(w) = &out.weight {
                    w.put(j, 0, &x[..sizes.d], w.accumulate);
                }
                if let Some(b) = &out.bias {
                    b.put(j, 0, &x[sizes.d..=sizes.d], b.accumulate);
                }
            }
        }
    });
    Ok(())
}
