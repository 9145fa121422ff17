//! Contexts: created and destroyed here, lent to a call.
use crate::abi::*;
#[cfg(not(feature = "cuda"))]
use crate::boundary::unavailable;
use crate::boundary::{flags, guard, guard_value, pointer, read, unknown};
#[cfg(feature = "cuda")]
use crate::tensor::Checked;
use core::ops::Deref;
#[cfg(feature = "cuda")]
use std::ffi::{CStr, c_char};
use std::panic::AssertUnwindSafe;
#[cfg(not(feature = "cuda"))]
use truing_core::Status;
use truing_core::{Error, Result, Value};
use truing_cpu::{Context, ContextOptions, Isa, Mode};

/// What a `truing_context` points to.
pub(crate) struct Shared {
    cpu: Context,
    #[cfg(feature = "cuda")]
    cuda: truing_cuda::Context,
}
/// The context of a call.
pub(crate) enum Lent {
    /// NULL was given: the calling thread only.
    Own(Context),
    /// The caller's, which outlives the call.
    Given(*const Shared),
}
impl Lent {
    /// # Safety
    /// `context` is NULL or came from [`truing_context_create`] and is not destroyed before this value is dropped.
    pub(crate) unsafe fn new(context: *const truing_context) -> Result<Lent> {
        let context = context.cast::<Shared>();
        if context.is_null() {
            return Ok(Lent::Own(Context::default()));
        }
        pointer("context", context)?;
        Ok(Lent::Given(context))
    }
    /// The caller's, if it gave one.
    fn shared(&self) -> Option<&Shared> {
        match self {
            Lent::Own(_) => None,
            // SAFETY: alive and never changed, by the contract of `Lent::new`.
            Lent::Given(context) => Some(unsafe { &**context }),
        }
    }
    /// Runs `launch` where the tensors of a call lie: the kernels, the caller's stream, and the context of the tensors'
    /// device, which is current until the launch is done.
    #[cfg(feature = "cuda")]
    pub(crate) fn launch(
        &self,
        ok: &Checked,
        launch: impl FnOnce(&truing_cuda::Context, truing_cuda::Stream) -> Result<()>,
    ) -> Result<()> {
        let kernels = self.kernels()?;
        let _entered = truing_cuda::Entered::new(ok.device().expect("tensors on a device"))?;
        launch(kernels, ok.stream())
    }
    /// The kernels that are kept between calls.
    #[cfg(feature = "cuda")]
    fn kernels(&self) -> Result<&truing_cuda::Context> {
        let (got, expected) = (Value::Text("NULL"), Value::Text("a context: it keeps the kernels of CUDA devices"));
        self.shared().map(|shared| &shared.cuda).ok_or(Error::invalid("context", got, expected))
    }
}
impl Deref for Lent {
    type Target = Context;
    fn deref(&self) -> &Context {
        match self {
            Lent::Own(context) => context,
            Lent::Given(_) => &self.shared().expect("given").cpu,
        }
    }
}

/// Creates a context: a pool of threads, the math mode, a cap on the instruction set, the kernels of CUDA devices. It is
/// immutable, may be used from several threads and for several devices at once, and must not be used on the other side of a
/// fork. Nothing of CUDA is touched before a call with CUDA tensors, which needs a context.
///
/// # Safety
/// `options` is NULL or points to `struct_size` readable bytes, its `cuda_cache_dir` is NULL or a string that ends in a 0;
/// `out_context` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_context_create(
    options: *const truing_context_options,
    out_context: *mut *mut truing_context,
) -> truing_status {
    guard("truing_context_create", || {
        // SAFETY: this function's contract; the struct begins with its size.
        let options = unsafe { read(options) }?;
        pointer("out_context", out_context)?;
        #[cfg(not(feature = "cuda"))]
        unavailable!(options; cuda_cache_dir);
        flags(options.flags, 0)?;
        let mode = match options.mode {
            0 | TRUING_MODE_PORTABLE => Mode::Portable,
            TRUING_MODE_FAST => Mode::Fast,
            other => return unknown("mode", other, "TRUING_MODE_*, or 0"),
        };
        let (threads, isa_cap) = (options.num_threads as usize, isa(options.isa_cap)?);
        let cpu = Context::new(ContextOptions { threads, mode, isa_cap })?;
        let shared = Shared {
            cpu,
            #[cfg(feature = "cuda")]
            cuda: truing_cuda::Context::new(truing_cuda::ContextOptions {
                mode: match mode {
                    Mode::Portable => truing_cuda::Mode::Portable,
                    Mode::Fast => truing_cuda::Mode::Fast,
                },
                // SAFETY: this function's contract.
                cache_dir: unsafe { path("cuda_cache_dir", options.cuda_cache_dir) }?,
                images: IMAGES,
            }),
        };
        // SAFETY: not NULL, aligned, writable by contract.
        unsafe { out_context.write(Box::into_raw(Box::new(shared)).cast()) };
        Ok(())
    })
}

/// Destroys a context that no call uses any more; NULL is allowed. Kernels that it has loaded stay in the process: a stream may
/// not have passed them yet, and a graph may hold them.
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
                drop(unsafe { Box::from_raw(context.cast::<Shared>()) });
            }
        }),
    )
}

/// Compiles, or reads from the context's folder, and loads every kernel for CUDA device number `device_id`, but those
/// that divergences have for each kind. Calls load what they lack themselves, but not while their stream is captured
/// into a graph: prepare first; a divergence has run once first. Where there is no driver, no such
/// device or no compiler, and in a library that is built without CUDA, the status is `TRUING_STATUS_NO_DEVICE`.
///
/// # Safety
/// `context` is NULL, which is refused, or came from `truing_context_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn truing_prepare(context: *const truing_context, device_id: i32) -> truing_status {
    guard("truing_prepare", || {
        pointer("context", context)?;
        // SAFETY: this function's contract.
        let context = unsafe { Lent::new(context) }?;
        #[cfg(feature = "cuda")]
        {
            let _entered = truing_cuda::Entered::new(device_id)?;
            context.kernels()?.prepare()
        }
        #[cfg(not(feature = "cuda"))]
        {
            let _ = (&*context, device_id);
            let (got, expected) = (Value::Text("a library without CUDA"), Value::Text("one with it"));
            Err(Error::new(Status::NoDevice, "device", got, expected))
        }
    })
}

/// A path of the caller's, UTF-8.
///
/// # Safety
/// `p` is NULL or a string that ends in a 0.
#[cfg(feature = "cuda")]
unsafe fn path(field: &'static str, p: *const c_char) -> Result<Option<std::path::PathBuf>> {
    if p.is_null() {
        return Ok(None);
    }
    // SAFETY: this function's contract.
    let Ok(text) = unsafe { CStr::from_ptr(p) }.to_str() else {
        return Err(Error::invalid(field, Value::Text("other bytes"), Value::Text("UTF-8")));
    };
    Ok(Some(text.into()))
}

/// Kernels that `cargo xtask dist` has compiled before it built this library; none in other builds.
#[cfg(feature = "images")]
const IMAGES: &[truing_cuda::Image] = include!(env!("TRUING_IMAGES", "`cargo xtask dist` sets it"));
#[cfg(all(feature = "cuda", not(feature = "images")))]
const IMAGES: &[truing_cuda::Image] = &[];

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
