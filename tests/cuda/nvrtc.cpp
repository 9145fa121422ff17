// A stand-in for libnvrtc.so.12: it checks what it is given and answers with a file that only the stand-in driver takes.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <atomic>
#include <string>
#define API extern "C" __attribute__((visibility("default"))) int
// programs may be compiled by several threads at once
static std::atomic<int> compiled;
static thread_local bool ptx, newer;
API standin_compiled() { return compiled; }
API nvrtcVersion(int *a, int *b) {
    *a = 12;
    *b = 8;
    return 0;
}
API nvrtcCreateProgram(void **p, const char *text, const char *name, int n, const char *const *texts, const char *const *names) {
    *p = &compiled;
    // every include of the text and of the headers is among the headers
    for (int i = -1; i < n; i++)
        for (const char *s = i < 0 ? text : texts[i]; (s = strstr(s, "#include \"")); s++) {
            const std::string want(s + 10, strchr(s + 10, '"'));
            bool found = false;
            for (int k = 0; k < n; k++) found |= want == names[k];
            if (!found) return 3;
        }
    return strstr(name, ".cu") ? 0 : 3;
}
API nvrtcCompileProgram(void *, int n, const char *const *options) {
    ptx = false;
    newer = false;
    bool fmad = false;
    for (int i = 0; i < n; i++) {
        fmad |= !strcmp(options[i], "--fmad=false");
        ptx |= strstr(options[i], "compute_") != nullptr;
        newer |= strstr(options[i], "sm_") && getenv("TRUING_STANDIN_NEWER");
    }
    if (newer) return 5;
    if (!fmad) return 6;
    compiled++;
    return 0;
}
API nvrtcDestroyProgram(void **) { return 0; }
API nvrtcGetProgramLogSize(void *, size_t *n) {
    *n = 8;
    return 0;
}
API nvrtcGetProgramLog(void *, char *s) {
    memcpy(s, "a wrong", 8);
    return 0;
}
API nvrtcGetCUBINSize(void *, size_t *n) {
    *n = 8;
    return ptx;
}
API nvrtcGetCUBIN(void *, char *s) {
    memcpy(s, "\177ELFown", 8);
    return ptx;
}
API nvrtcGetPTXSize(void *, size_t *n) {
    *n = 8;
    return 0;
}
API nvrtcGetPTX(void *, char *s) {
    memcpy(s, "\177ELFptx", 8);
    return 0;
}
