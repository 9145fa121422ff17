//! The catalogue at run time: what `truing_losses.h` says at compile time, and what Python builds its functions from.
use crate::abi::*;
use crate::boundary::{self, guard, guard_value, pointer};
use core::ffi::{CStr, c_char};
use std::ffi::CString;
use std::sync::OnceLock;
use truing_core::catalog::{self, Info, Kind, PairVisitor, with_pair};
use truing_core::losses::PairLoss;
use truing_core::{Error, Result, Value};

/// The catalogue with the NUL-terminated strings that C needs. Built at the first question, kept for ever.
struct Table(Vec<truing_loss_description>);
// SAFETY: the pointers lead to leaked, constant memory.
unsafe impl Send for Table {}
// SAFETY: as above.
unsafe impl Sync for Table {}

fn table() -> &'static [truing_loss_description] {
    static TABLE: OnceLock<Table> = OnceLock::new();
    &TABLE.get_or_init(|| Table(catalog::ALL.iter().map(describe).collect())).0
}
fn text(s: &str) -> *const c_char {
    // Catalogue strings hold no NUL; the whole text is dropped if one ever does.
    CString::new(s).unwrap_or_default().into_raw()
}
/// The learned parameters of a pair entry with so many variants.
struct Learned(u32);
impl PairVisitor for Learned {
    type Out = u64;
    fn visit<E: PairLoss<N>, const N: usize>(self) -> u64 {
        (self.0.min(1)..=self.0).filter_map(E::Base::learns).fold(0, |bits, k| bits | 1 << k)
    }
}
fn describe(info: &Info) -> truing_loss_description {
    let about = &info.about;
    let params: Vec<_> = info
        .params
        .iter()
        .map(|p| truing_param_info {
            name: text(p.name),
            description: text(p.doc),
            default_value: p.default,
            minimum: p.min,
            maximum: p.max,
            minimum_open: p.min_open.into(),
            maximum_open: p.max_open.into(),
            variant: p.variant,
            ..Default::default()
        })
        .collect();
    let texts = |all: &[&str]| Vec::leak(all.iter().map(|s| text(s)).collect::<Vec<_>>()).as_ptr();
    truing_loss_description {
        id: about.id,
        name: text(about.name),
        formula: text(about.formula),
        source: text(about.source),
        num_params: params.len(),
        params: Vec::leak(params).as_ptr(),
        num_aliases: about.aliases.len(),
        aliases: texts(about.aliases),
        inputs: about.inputs,
        partials: about.partials,
        param_partials: with_pair(about.id, Learned(about.variants.len() as u32)).unwrap_or(0),
        kind: info.kind as u32,
        preset_of: about.preset_of,
        score_kinds: about.scores,
        takes_map: about.takes_map.into(),
        param_size: size_of::<truing_param_info>() as u32,
        num_variants: about.variants.len() as u32,
        variants: texts(about.variants),
        levels: match info.kind {
            Kind::Token | Kind::Estimator => 1 << TRUING_LEVEL_TOKEN,
            Kind::Sequence => 1 << TRUING_LEVEL_SEQUENCE,
            _ => 0,
        },
        ..Default::default()
    }
}

/// # Safety
/// `out` is NULL or points to `struct_size` writable bytes.
unsafe fn put(entry: &truing_loss_description, out: *mut truing_loss_description) -> Result<()> {
    // SAFETY: this function's contract.
    let given = unsafe { boundary::read(out.cast_const()) }?;
    let size = (given.struct_size as usize).min(size_of::<truing_loss_description>());
    let filled = truing_loss_description { struct_size: given.struct_size, ..*entry };
    // SAFETY: `size` is no more than either struct has; `filled` is ours, so the two do not overlap.
    unsafe { core::ptr::copy_nonoverlapping((&raw const filled).cast::<u8>(), out.cast::<u8>(), size) };
    Ok(())
}

/// Number of entries of the catalogue.
#[unsafe(no_mangle)]
pub extern "C" fn truing_loss_count() -> usize {
    guard_value(0, || table().len())
}

/// Describes entry `index` of the catalogue, `0 <= index < truing_loss_count()`. `out` is zeroed by the caller except for
/// its `struct_size`.
///
/// # Safety
/// `out` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_loss_at(index: usize, out: *mut truing_loss_description) -> truing_status {
    guard("truing_loss_at", || {
        let all = table();
        let outside =
            Error::new(truing_core::Status::OutOfRange, "index", Value::Size(index), Value::Below(0, all.len() as i64));
        // SAFETY: this function's contract.
        unsafe { put(all.get(index).ok_or(outside)?, out) }
    })
}

/// Describes the entry with this id. `out` is zeroed by the caller except for its `struct_size`.
///
/// # Safety
/// `out` is NULL or points to `struct_size` writable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_loss_info(id: truing_loss_id, out: *mut truing_loss_description) -> truing_status {
    guard("truing_loss_info", || {
        let unknown = Error::invalid("id", Value::Int(id.into()), Value::Text("the id of an entry of the catalogue"));
        // SAFETY: this function's contract.
        unsafe { put(table().iter().find(|e| e.id == id).ok_or(unknown)?, out) }
    })
}

/// Finds an entry by its name or one of its aliases.
///
/// # Safety
/// `name` is NULL or a NUL-terminated string; `out_id` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_loss_find(name: *const c_char, out_id: *mut truing_loss_id) -> truing_status {
    guard("truing_loss_find", || {
        pointer("name", name)?;
        pointer("out_id", out_id)?;
        // SAFETY: a NUL-terminated string by contract.
        let name = unsafe { CStr::from_ptr(name) }.to_str().ok();
        let unknown =
            Error::invalid("name", Value::Text("an unknown name"), Value::Text("a name or alias of the catalogue"));
        let id = name.and_then(catalog::find_any).ok_or(unknown)?.about.id;
        // SAFETY: not NULL, aligned, writable by contract.
        unsafe { out_id.write(id) };
        Ok(())
    })
}
