//! Contexts: created and destroyed here, lent to a call.
use crate::abi::*;
use crate::boundary::{flags, guard, guard_value, pointer, read, unavailable, unknown};
use core::ops::Deref;
use std::panic::AssertUnwindSafe;
use truing_core::Result;
use truing_cpu::{Context, ContextOptions, Isa, Mode};

/// The context of a call.
pub(crate) enum Lent {
    /// NULL was given: the calling thread only.
    Own(Context),
    /// The caller's, which outlives the call.
    Given(*const Context),
}
impl Lent {
    /// # Safety
    /// `context` is NULL or came from [`truing_context_create`] and is not destroyed before this value is dropped.
    pub(crate) unsafe fn new(context: *const truing_context) -> Result<Lent> {
        let context = context.cast::<Context>();
        if context.is_null() {
            return Ok(Lent::Own(Context::default()));
        }
        pointer("context", context)?;
        Ok(Lent::Given(context))
    }
}
impl Deref for Lent {
    type Target = Context;
    fn deref(&self) -> &Context {
        match self {
            Lent::Own(context) => context,
            // SAFETY: alive and never changed, by the contract of `Lent::new`.
            Lent::Given(context) => unsafe { &**context },
        }
    }
}

/// Creates a context: a pool of threads, the math mode, a cap on the instruction set. It is immutable, may be used from
/// several threads at once, and must not be used on the other side of a fork.
///
/// # Safety
/// `options` is NULL or points to `struct_size` readable bytes; `out_context` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_context_create(
    options: *const truing_context_options,
    out_context: *mut *mut truing_context,
) -> truing_status {
    guard("truing_context_create", || {
        // SAFETY: this function's contract; the struct begins with its size.
        let options = unsafe { read(options) }?;
        pointer("out_context", out_context)?;
        unavailable!(options; cuda_cache_dir);
        flags(options.flags, 0)?;
        let context = Context::new(ContextOptions {
            threads: options.num_threads as usize,
            mode: match options.mode {
                0 | TRUING_MODE_PORTABLE => Mode::Portable,
                TRUING_MODE_FAST => Mode::Fast,
                other => return unknown("mode", other, "TRUING_MODE_*, or 0"),
            },
            isa_cap: isa(options.isa_cap)?,
        })?;
        // SAFETY: not NULL, aligned, writable by contract.
        unsafe { out_context.write(Box::into_raw(Box::new(context)).cast()) };
        Ok(())
    })
}

/// Destroys a context that no call uses any more; NULL is allowed.
///
/// # Safety
/// `context` is NULL or came from `truing_context_create` and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_context_destroy(context: *mut truing_context) {
    guard_value(
        (),
        AssertUnwindSafe(|| {
            if !context.is_null() {
                // SAFETY: made by `Box::into_raw` in `truing_context_create`, given up by the caller.
                drop(unsafe { Box::from_raw(context.cast::<Context>()) });
            }
        }),
    )
}

fn isa(cap: truing_isa) -> Result<Option<Isa>> {
    Ok(Some(match cap {
        0 => return Ok(None),
        TRUING_ISA_BASELINE => Isa::Scalar,
        TRUING_ISA_AVX2 => Isa::Avx2,
        TRUING_ISA_AVX512 => Isa::Avx512,
        TRUING_ISA_NEON => Isa::Neon,
        TRUING_ISA_AVX512_BF16 => Isa::Avx512Bf16,
        other => return unknown("isa_cap", other, "TRUING_ISA_*, or 0"),
    }))
}
