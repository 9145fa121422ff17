// A stand-in for libcuda.so.1: the entry points that cuda/src/driver.rs uses, on host memory, with kernels that the shim
// runs. TRUING_STANDIN_ORDER is the order of threads (shim.h). It enforces what the driver does: a context that is current,
// known kernels, at most 1024 threads, nothing but launches during a capture.
//
// The kernels of each family are a library of their own beside this one (TRUING_PART names their text, TRUING_FAMILY the
// family): they compile at the same time, and a changed text is compiled alone.
#include "shim.h"
#ifdef TRUING_PART
#include TRUING_PART
#ifdef TRUING_FEW_FORMS // of divergence, what a planted bug needs
TRUING_DIVERGENCE(two_way)
TRUING_DIVERGENCE(cosine_probs)
#endif
#define ARGS_OF(family) truing_##family##_args
#define ARGS(family) ARGS_OF(family)
extern "C" __attribute__((visibility("default"))) bool standin_launch(const void *kernel, shim::Grid grid, const void *args, unsigned order) {
    return shim::launch<ARGS(TRUING_FAMILY)>(kernel, grid, args, order);
}
extern "C" __attribute__((visibility("default"))) int standin_size() { return sizeof(ARGS(TRUING_FAMILY)); }
#else
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <string>

typedef int CUresult;
#define API extern "C" __attribute__((visibility("default"))) CUresult
static std::mutex lock;
static int context_of_all = 1;
static bool capture;
static int loads, launches;
typedef bool Launch(const void *, shim::Grid, const void *, unsigned);
static std::map<const void *, Launch *> kernels;
// A function of a family's library, which lies beside this one.
static void *of_family(const char *family, size_t length, const char *name) {
    Dl_info self;
    if (!dladdr((void *)&context_of_all, &self)) return nullptr;
    std::string path(self.dli_fname);
    path = path.substr(0, path.rfind('/') + 1) + "standin_" + std::string(family, length) + ".so";
    void *library = dlopen(path.c_str(), RTLD_NOW);
    return library ? dlsym(library, name) : nullptr;
}

// What a test sets and reads; no part of the driver.
API standin_context(int on) { return context_of_all = on; }
API standin_capture(int on) { return capture = on; }
static void *stream_of_all;
API standin_stream() { return (int)(size_t)stream_of_all; }
API standin_current() { return context_of_all; }
API standin_loads() { return loads; }
API standin_launches() { return launches; }
API standin_args(int family) {
    static const char *const names[] = {"logprob", "sequence", "preference", "policy", "divergence", "group", "gae", "whiten", "reward", "extra", "shard", "partial", "distill", "baseline", "tds", "correction", "double", "selection", "objective", "uld"};
    void *size = of_family(names[family], strlen(names[family]), "standin_size");
    return size ? ((int (*)())size)() : -1;
}

API cuInit(unsigned) { return getenv("TRUING_STANDIN_BROKEN") ? 100 : 0; }
API cuCtxGetCurrent(void **c) {
    *c = context_of_all ? (void *)&context_of_all : nullptr;
    return 0;
}
API cuCtxGetDevice(int *d) {
    *d = 0;
    return context_of_all ? 0 : 201;
}
// One device; what is pushed replaces what is current until it is popped.
static int primary, retained, before;
API standin_primary(int on) { return primary = on; }
API standin_retained() { return retained; }
API cuDevicePrimaryCtxGetState(int, unsigned *flags, int *active) {
    *flags = 0;
    *active = primary;
    return 0;
}
API cuDevicePrimaryCtxRelease_v2(int) { return retained-- ? 0 : 201; }
API cuCtxPushCurrent_v2(void *) {
    before = context_of_all;
    return !(context_of_all = 1);
}
API cuCtxPopCurrent_v2(void **) {
    context_of_all = before;
    return 0;
}
API cuDeviceGetAttribute(int *v, int which, int) {
    // capability 9.0 (or what a test says), two multiprocessors, 227 KiB of shared memory
    const char *major = getenv("TRUING_STANDIN_MAJOR");
    *v = which == 75 ? (major ? atoi(major) : 9) : which == 76 ? 0 : which == 16 ? 2 : which == 97 ? 227 << 10 : 0;
    return 0;
}
API cuLibraryLoadData(void **l, const void *image, void *, void *, unsigned, void *, void *, unsigned) {
    if (capture) return 900;
    if (memcmp(image, "\177ELF", 4)) return 200;
    loads++;
    *l = (void *)&loads;
    return 0;
}
API cuLibraryUnload(void *l) { return l == (void *)&loads ? 0 : 1; }
API cuLibraryGetKernel(void **k, void *, const char *name) {
    // truing_<family>_<what>
    const char *family = name + 7, *end = strncmp(name, "truing_", 7) ? nullptr : strchr(family, '_');
    if (!end) return 500;
    *k = of_family(family, end - family, name);
    void *launch = of_family(family, end - family, "standin_launch");
    if (!*k || !launch) return 500;
    std::lock_guard<std::mutex> one(lock);
    kernels[*k] = (Launch *)launch;
    return 0;
}
API cuStreamIsCapturing(void *, int *status) {
    *status = capture;
    return 0;
}
// What a kernel was allowed beyond 48 KiB.
static std::map<const void *, unsigned> allowed;
API cuKernelSetAttribute(int which, int value, void *k, int device) {
    std::lock_guard<std::mutex> one(lock);
    if (which != 8 || value > 227 << 10 || device || !kernels.count(k)) return 1;
    allowed[k] = (unsigned)value;
    return 0;
}
static CUresult run(void *k, shim::Grid grid, void *stream, const void *arg) {
    std::lock_guard<std::mutex> one(lock);
    stream_of_all = stream;
    if (!context_of_all) return 201;
    if (grid.blocks == 0 || grid.blocks > 0x7fffffffu || grid.threads == 0 || grid.threads > 1024) return 1;
    if (grid.cluster == 0 || grid.cluster > shim::BLOCKS || grid.blocks % grid.cluster) return 1;
    if (grid.shared > 48 << 10 && grid.shared > allowed[k]) return 1;
    launches++;
    const char *order = getenv("TRUING_STANDIN_ORDER");
    if (!kernels.count(k)) return 400;
    return kernels[k](k, grid, arg, order ? atoi(order) : 0) ? 0 : 719;
}
API cuLaunchKernel(void *k, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, void *stream,
                   void **args, void **) {
    if (gy != 1 || gz != 1 || by != 1 || bz != 1) return 1;
    return run(k, {gx, bx, 1, shared}, stream, args[0]);
}
struct Attribute {
    int id;
    char pad[4];
    union {
        int early;
        unsigned cluster[3];
        uint64_t all[8];
    };
};
struct Config {
    unsigned gx, gy, gz, bx, by, bz, shared;
    void *stream;
    const Attribute *attributes;
    unsigned count;
};
// One launch after the other is one of the orders that the attribute allows.
API cuLaunchKernelEx(const Config *c, void *k, void **args, void **) {
    if (c->gy != 1 || c->gz != 1 || c->by != 1 || c->bz != 1) return 1;
    if (c->count < 1 || c->count > 2 || c->attributes[0].id != 6 || c->attributes[0].early != 1) return 1;
    unsigned cluster = 1;
    if (c->count == 2) {
        const Attribute &a = c->attributes[1];
        if (a.id != 4 || a.cluster[1] != 1 || a.cluster[2] != 1) return 1;
        cluster = a.cluster[0];
    }
    return run(k, {c->gx, c->bx, cluster, c->shared}, c->stream, args[0]);
}

// Memory and events: what only the tests use.
API cuDeviceGet(int *d, int i) {
    *d = i;
    return i ? 101 : 0;
}
API cuDevicePrimaryCtxRetain(void **c, int) {
    *c = (void *)&context_of_all;
    retained++;
    return 0;
}
API cuCtxSetCurrent(void *c) { return c == (void *)&context_of_all ? 0 : 201; }
API cuCtxSynchronize() { return 0; }
API cuMemAlloc_v2(void **p, size_t n) {
    *p = aligned_alloc(256, (n + 255) / 256 * 256);
    memset(*p, 0xc3, n);
    return 0;
}
API cuMemFree_v2(void *p) {
    free(p);
    return 0;
}
API cuMemcpyHtoD_v2(void *to, const void *from, size_t n) {
    memcpy(to, from, n);
    return 0;
}
API cuMemcpyDtoH_v2(void *to, const void *from, size_t n) { return cuMemcpyHtoD_v2(to, from, n); }
API cuMemcpyDtoD_v2(void *to, const void *from, size_t n) { return cuMemcpyHtoD_v2(to, from, n); }
API cuMemcpyDtoDAsync_v2(void *to, const void *from, size_t n, void *) { return cuMemcpyHtoD_v2(to, from, n); }
API cuEventCreate(void **e, unsigned) {
    *e = (void *)&launches;
    return 0;
}
API cuEventRecord(void *, void *) { return 0; }
API cuEventSynchronize(void *) { return 0; }
API cuEventElapsedTime(float *ms, void *, void *) {
    *ms = 1;
    return 0;
}
#endif
