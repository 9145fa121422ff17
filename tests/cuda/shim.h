// Runs CUDA C++ kernel text on the CPU, one cluster of blocks after the other (a block alone is a cluster of one). Every CUDA thread is a fiber that gives way
// at barriers and warp collectives only, so a missing barrier shows as a difference between the orders in which threads run:
// 0 ascending, 1 descending, above that shuffled anew each round. In every order but 0 an asynchronous copy happens no earlier
// than its thread waits for it. A barrier that some threads never reach is reported, not waited for.
#pragma once
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>
#include <utility>
#include <vector>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifndef __x86_64__
#error "the switch of fibers below is written for x86-64"
#endif

#define __global__ __attribute__((visibility("default")))
#define __device__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};

namespace shim {
extern "C" void truing_shim_switch(void **save, void *load);
asm(R"(.text
.globl truing_shim_switch
.hidden truing_shim_switch
.type truing_shim_switch,@function
truing_shim_switch:
  pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
  movq %rsp,(%rdi)
  movq %rsi,%rsp
  popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
  ret
)");
// Whether a bug that a test has put into the text is awake: TRUING_PLANTED is its number.
static const int bug_awake = getenv("TRUING_PLANTED") ? atoi(getenv("TRUING_PLANTED")) : 0;
static inline bool planted(int bug) { return bug == bug_awake; }
enum Wait { RUN, WARP, BLOCK, CLUSTER, PHASE, DONE };
struct Copy {
    void *to;
    const void *from;
    unsigned group;
};
// What the 8 bytes of truing_phase_init hold.
struct Phase {
    int bytes; // announced and not yet there
    unsigned char missing, arrivals;
    unsigned short passed;
};
struct Fiber {
    void *sp;
    char *stack;
    Wait wait;
    uint32_t mask;
    unsigned thread, block; // of its block, of its cluster
    unsigned groups; // of copies, closed
    const Phase *phase;
    unsigned parity;
    std::vector<Copy> copies;
};
struct Warp {
    alignas(16) unsigned char slot[2][32][16];
    unsigned turn[32];
    uint32_t live, waiting; // lanes that have not ended; those at a collective
};
static const size_t STACK = 256 * 1024;
static std::vector<Fiber> fibers;
static std::vector<Warp> warps;
struct Block {
    int alive, waiting; // threads that have not ended; those at a barrier of the block
    unsigned char *bytes;
};
enum { BLOCKS = 8 };
static Block blocks[BLOCKS];
static void *main_sp;
// `padded` fibers a block, whole warps; `alive` and `waiting` are the cluster's
static int current, padded, count, alive, waiting, cluster;
static unsigned order;
static void (*body)(const void *);
static const void *argument;
static dim3 first, block_dim, grid_dim; // `first`: block of the cluster

#ifdef __SANITIZE_ADDRESS__
static const void *main_bottom;
static size_t main_size;
static void *main_fake;
static void to_main(Fiber &f) {
    void *fake = nullptr;
    __sanitizer_start_switch_fiber(f.wait == DONE ? nullptr : &fake, main_bottom, main_size);
    truing_shim_switch(&f.sp, main_sp);
    __sanitizer_finish_switch_fiber(fake, &main_bottom, &main_size);
}
static void to_fiber(Fiber &f) {
    __sanitizer_start_switch_fiber(&main_fake, f.stack, STACK);
    truing_shim_switch(&main_sp, f.sp);
    __sanitizer_finish_switch_fiber(main_fake, nullptr, nullptr);
}
static void entered() { __sanitizer_finish_switch_fiber(nullptr, &main_bottom, &main_size); }
#else
static void to_main(Fiber &f) { truing_shim_switch(&f.sp, main_sp); }
static void to_fiber(Fiber &f) { truing_shim_switch(&main_sp, f.sp); }
static void entered() {}
#endif
static void start() {
    entered();
    body(argument);
    Fiber &f = fibers[current];
    f.wait = DONE;
    warps[current >> 5].live &= ~(1u << (current & 31));
    alive--;
    blocks[f.block].alive--;
    for (;;) to_main(f);
}
static bool arrived(int base, uint32_t mask) {
    const Warp &w = warps[base >> 5];
    if ((w.waiting & mask) != (w.live & mask)) return false;
    for (int l = 0; l < 32 && base + l < count; l++) {
        const Fiber &f = fibers[base + l];
        if ((mask >> l & 1) && f.wait != DONE && !(f.wait == WARP && f.mask == mask)) return false;
    }
    return true;
}
static void release(int base, uint32_t mask) {
    for (int l = 0; l < 32 && base + l < count; l++)
        if ((mask >> l & 1) && fibers[base + l].wait == WARP) fibers[base + l].wait = RUN;
    warps[base >> 5].waiting &= ~mask;
}
// Returns once every live lane of the mask has arrived.
static void warp_sync(uint32_t mask) {
    const int lane = current & 31, base = current & ~31;
    Fiber &f = fibers[current];
    if (!(mask >> lane & 1)) {
        fprintf(stderr, "shim: lane %d calls a collective whose mask %08x leaves it out\n", lane, mask);
        abort();
    }
    f.wait = WARP;
    f.mask = mask;
    warps[current >> 5].waiting |= 1u << lane;
    if (arrived(base, mask)) release(base, mask);
    // the others run before this lane goes on, or the first to arrive would never be the last to leave
    to_main(f);
}
static void block_sync() {
    Fiber &f = fibers[current];
    f.wait = BLOCK;
    blocks[f.block].waiting++;
    to_main(f);
}
static void cluster_sync() {
    Fiber &f = fibers[current];
    f.wait = CLUSTER;
    waiting++;
    to_main(f);
}
static bool over(const Fiber &f) { return (f.phase->passed & 1) != f.parity; }
static void phase_wait(const Phase *phase, unsigned parity) {
    Fiber &f = fibers[current];
    f.phase = phase;
    f.parity = parity;
    f.wait = PHASE;
    to_main(f);
}
static void phase_step(Phase *phase, int arrivals, int bytes) {
    phase->missing = (unsigned char)(phase->missing - arrivals);
    phase->bytes += bytes;
    if (phase->missing || phase->bytes) return;
    phase->missing = phase->arrivals;
    phase->passed++;
}
static void go_on(int from, int to, Wait at) {
    for (int i = from; i < to; i++)
        if (fibers[i].wait == at) fibers[i].wait = RUN;
}
static int rank() { return (int)fibers[current].block; }
// The number of a block whose shared memory can be read.
static int peer(unsigned rank) {
    if (rank >= (unsigned)cluster || !blocks[rank].alive) {
        fprintf(stderr, "shim: the shared memory of a block that is not there, or has ended\n");
        abort();
    }
    return (int)rank;
}
// What the lanes of the mask bring; it stays until this lane's next but one.
template <class T> static const unsigned char (*post(uint32_t mask, T v))[16] {
    static_assert(sizeof(T) <= 16, "");
    Warp &w = warps[current >> 5];
    const int lane = current & 31;
    const unsigned turn = w.turn[lane]++ & 1;
    memcpy(w.slot[turn][lane], &v, sizeof v);
    warp_sync(mask);
    return w.slot[turn];
}
template <class T> static T exchange(uint32_t mask, T v, int from) {
    T r;
    memcpy(&r, post(mask, v)[from < 0 ? current & 31 : from], sizeof r);
    return r;
}
template <class T, class F> static T reduce(uint32_t mask, T v, F f) {
    const unsigned char (*all)[16] = post(mask, v);
    T r = v, x;
    for (int l = 0; l < 32; l++)
        if (l != (current & 31) && (mask >> l & 1)) {
            memcpy(&x, all[l], sizeof x);
            r = f(r, x);
        }
    return r;
}
static bool run_cluster(int threads, size_t bytes) {
    padded = (threads + 31) / 32 * 32;
    count = padded * cluster;
    alive = threads * cluster;
    waiting = 0;
    while ((int)fibers.size() < count) {
        fibers.emplace_back();
        fibers.back().stack = (char *)aligned_alloc(64, STACK);
    }
    warps.assign(count / 32, Warp{});
    for (int b = 0; b < cluster; b++) {
        blocks[b] = {threads, 0, nullptr};
        // exactly as many, so that a sanitizer sees a read beyond them
        if (bytes && posix_memalign((void **)&blocks[b].bytes, 128, bytes)) return false;
        if (bytes) memset(blocks[b].bytes, 0xc3, bytes);
    }
    std::vector<int> turn(count);
    for (int i = 0; i < count; i++) {
        Fiber &f = fibers[i];
        f.wait = i % padded < threads ? RUN : DONE; // DONE: fills up the last warp
        f.thread = (unsigned)(i % padded);
        f.block = (unsigned)(i / padded);
        f.copies.clear();
        f.groups = 0;
        turn[i] = order == 1 ? count - 1 - i : i;
        if (f.wait == DONE) continue;
        warps[i / 32].live |= 1u << i % 32;
#ifdef __SANITIZE_ADDRESS__
        __asan_unpoison_memory_region(f.stack, STACK);
#endif
        void **s = (void **)(f.stack + STACK);
        *--s = nullptr;
        *--s = (void *)start;
        for (int k = 0; k < 6; k++) *--s = nullptr;
        f.sp = s;
    }
    uint64_t random = order * 0x9E3779B97F4A7C15ull + 1;
    while (alive) {
        bool progress = false;
        if (order > 1)
            for (int i = count - 1; i > 0; i--) {
                random = random * 6364136223846793005ull + 1442695040888963407ull;
                std::swap(turn[i], turn[(random >> 32) * (i + 1) >> 32]);
            }
        for (int i : turn)
            if (fibers[i].wait == RUN) {
                progress = true;
                current = i;
                to_fiber(fibers[i]);
            }
        for (int b = 0; b < cluster; b++)
            if (blocks[b].waiting && blocks[b].waiting == blocks[b].alive) {
                blocks[b].waiting = 0;
                go_on(b * padded, (b + 1) * padded, BLOCK);
                progress = true;
            }
        for (int i = 0; i < count; i++)
            if (fibers[i].wait == PHASE && over(fibers[i])) {
                fibers[i].wait = RUN;
                progress = true;
            }
        if (waiting && waiting == alive) {
            waiting = 0;
            go_on(0, count, CLUSTER);
            progress = true;
        }
        if (progress) continue;
        // lanes that have ended are not waited for
        for (int i = 0; i < count; i++)
            if (fibers[i].wait == WARP && arrived(i & ~31, fibers[i].mask)) {
                release(i & ~31, fibers[i].mask);
                progress = true;
            }
        if (!progress) {
            fprintf(stderr, "shim: some threads wait at a barrier that others never reach\n");
            return false;
        }
    }
    for (int b = 0; b < cluster; b++) free(blocks[b].bytes);
    return true;
}
template <class A> static void call(const void *kernel) { ((void (*)(const A))kernel)(*(const A *)argument); }
static const void *the_kernel;
template <class A> static void enter(const void *) { call<A>(the_kernel); }
struct Grid {
    unsigned blocks, threads, cluster, shared;
};
// Runs a kernel of one argument; false if threads wait for each other for ever.
template <class A> static bool launch(const void *kernel, Grid grid, const void *arg, unsigned how) {
    the_kernel = kernel;
    argument = arg;
    body = enter<A>;
    order = how;
    grid_dim = dim3(grid.blocks);
    block_dim = dim3(grid.threads);
    cluster = (int)grid.cluster;
    for (unsigned x = 0; x < grid.blocks; x += grid.cluster) {
        first = dim3(x, 0, 0);
        if (!run_cluster((int)grid.threads, grid.shared)) return false;
    }
    return true;
}
struct Index {
    unsigned x, y, z;
};
static Index thread_index() { return {fibers[current].thread, 0, 0}; }
static Index block_index() { return {first.x + (unsigned)rank(), 0, 0}; }
} // namespace shim

#define threadIdx (shim::thread_index())
#define blockIdx (shim::block_index())
#define blockDim (shim::block_dim)
#define gridDim (shim::grid_dim)
static inline void __syncthreads() { shim::block_sync(); }
static inline unsigned truing_cluster_rank() { return (unsigned)shim::rank(); }
static inline unsigned truing_cluster_size() { return (unsigned)shim::cluster; }
static inline void truing_cluster_sync() { shim::cluster_sync(); }
static inline void truing_phase_init(uint64_t *phase, unsigned arrivals) {
    static_assert(sizeof(shim::Phase) == sizeof *phase, "");
    *(shim::Phase *)phase = {0, (unsigned char)arrivals, (unsigned char)arrivals, 0};
}
static inline void truing_phase_arrive(uint64_t *phase, unsigned bytes) { shim::phase_step((shim::Phase *)phase, 1, (int)bytes); }
static inline void truing_phase_wait(uint64_t *phase, unsigned parity) { shim::phase_wait((shim::Phase *)phase, parity); }
// In another block's shared memory what lies here in this one's.
template <class T> static inline T *shim_peer(T *mine, unsigned rank) {
    return (T *)((unsigned char *)mine - shim::blocks[shim::rank()].bytes + shim::blocks[shim::peer(rank)].bytes);
}
static inline void truing_send16(void *to, uint4 q, uint64_t *phase, unsigned rank) {
    if (shim::cluster == 1) {
        fprintf(stderr, "shim: a device has no such instruction for a block that is not in a cluster\n");
        abort();
    }
    *(uint4 *)shim_peer(to, rank) = q;
    shim::phase_step((shim::Phase *)shim_peer(phase, rank), 0, -16);
}
#define TRUING_SHARED(T, name, extents) \
    static T name##_of[shim::BLOCKS] extents; \
    auto &name = name##_of[shim::rank()]
#define TRUING_PEER(name, rank) (name##_of[shim::peer(rank)])
#define TRUING_DYNAMIC(name) unsigned char *const name = shim::blocks[shim::rank()].bytes
#define TRUING_DYNAMIC_PEER(name, rank) (shim::blocks[shim::peer(rank)].bytes)
static inline void __syncwarp(unsigned mask = 0xffffffffu) { shim::warp_sync(mask); }
#define SHIM_LANE (shim::current & 31)
template <class T> static inline T __shfl_sync(unsigned m, T v, int from, int width = 32) {
    return shim::exchange(m, v, (SHIM_LANE & ~(width - 1)) | (from & (width - 1)));
}
template <class T> static inline T __shfl_xor_sync(unsigned m, T v, int x) { return shim::exchange(m, v, SHIM_LANE ^ x); }
template <class T> static inline T __shfl_down_sync(unsigned m, T v, unsigned d, int width = 32) {
    const int l = SHIM_LANE, s = l + (int)d;
    return shim::exchange(m, v, (s & ~(width - 1)) == (l & ~(width - 1)) ? s : -1);
}
static inline unsigned __ballot_sync(unsigned m, int p) {
    return shim::reduce(m, (unsigned)(p != 0) << SHIM_LANE, [](unsigned a, unsigned b) { return a | b; });
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz((unsigned)x); }
static inline unsigned __reduce_add_sync(unsigned m, unsigned v) {
    return shim::reduce(m, v, [](unsigned a, unsigned b) { return a + b; });
}
static inline unsigned __reduce_min_sync(unsigned m, unsigned v) {
    return shim::reduce(m, v, [](unsigned a, unsigned b) { return a < b ? a : b; });
}
static inline unsigned __reduce_or_sync(unsigned m, unsigned v) {
    return shim::reduce(m, v, [](unsigned a, unsigned b) { return a | b; });
}
static inline void __threadfence() {}
template <class T> static inline T atomicAdd(T *to, T x) {
    const T old = *to;
    *to += x;
    return old;
}
template <class T> static inline T atomicOr(T *to, T x) {
    const T old = *to;
    *to |= x;
    return old;
}
template <class T> static inline T atomicMin(T *to, T x) {
    const T old = *to;
    if (x < old) *to = x;
    return old;
}
static inline void truing_copy16(void *to, const void *from) {
    if (((uintptr_t)to | (uintptr_t)from) % 16) {
        fprintf(stderr, "shim: an asynchronous copy is not aligned\n");
        abort();
    }
    if (shim::order == 0) memcpy(to, from, 16);
    else shim::fibers[shim::current].copies.push_back({to, from, shim::fibers[shim::current].groups});
}
static inline void truing_copies_done() {
    for (const shim::Copy &c : shim::fibers[shim::current].copies) memcpy(c.to, c.from, 16);
    shim::fibers[shim::current].copies.clear();
}
static inline void truing_copies_commit() { shim::fibers[shim::current].groups++; }
static inline void truing_copies_before_last_done() {
    shim::Fiber &f = shim::fibers[shim::current];
    std::vector<shim::Copy> later;
    for (const shim::Copy &c : f.copies)
        if (c.group + 1 < f.groups) memcpy(c.to, c.from, 16);
        else later.push_back(c);
    f.copies.swap(later);
}
