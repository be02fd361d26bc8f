/* device.c - cuInit and the devices: profiles of seven architectures and what they say about
 * themselves.
 *
 * The numbers are those of the programming guide's table of compute capabilities and of one
 * well-known board each. Attributes that the tables do not give answer 0, as the manual allows for
 * what is absent. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

enum { KIB = 1024, MAX_THREADS = 1024, REGISTERS = 65536, RESERVED_SHARED = 1024 };

/* clang-format off */
#define P(sm, as, sms, gib, optin, shared, threads, blocks, l2, clock, memory, bus, engines, f64)  \
    {                                                                                              \
        sm, "Fake sm_" #sm " (as " as ")", sms, gib, (optin)*KIB, (shared)*KIB, threads, blocks,   \
            l2, clock, memory, bus, engines, f64                                                   \
    }
/*   sm  as          SMs  GiB  KiB of shared: a block's most, an SM's; threads, blocks of one; MiB of L2;
 *   kHz of clock, of memory; bits of its bus; copy engines; f32 for each f64 */
static const fk_profile profiles[] = {
    P(75, "T4", 40, 15, 64, 64, 1024, 16, 4, 1590000, 5001000, 256, 3, 32),
    P(80, "A100", 108, 40, 163, 164, 2048, 32, 40, 1410000, 1215000, 5120, 3, 2),
    P(86, "RTX 3090", 82, 24, 99, 100, 1536, 16, 6, 1695000, 9751000, 384, 2, 32),
    P(89, "RTX 4090", 128, 24, 99, 100, 1536, 24, 72, 2520000, 10501000, 384, 2, 64),
    P(90, "H100", 132, 80, 227, 228, 2048, 32, 50, 1980000, 2619000, 5120, 3, 2),
    P(100, "B200", 148, 180, 227, 228, 2048, 32, 126, 1965000, 3996000, 8192, 4, 2),
    P(120, "RTX 5090", 170, 32, 99, 100, 1536, 24, 96, 2407000, 14001000, 512, 2, 64),
};
#undef P
/* clang-format on */

static const fk_profile *profile_of(unsigned long sm) {
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
        if (profiles[i].sm == sm) return &profiles[i];
    return NULL;
}

/* "90" or "80,80,90"; "0" or "" is a machine without a device. */
static CUresult read_devices(void) {
    const char *p = getenv("BRAZE_FAKE_DEVICES");
    const char *memory = getenv("BRAZE_FAKE_MEM");
    const uint64_t mib = memory ? strtoull(memory, NULL, 0) : 0;
    p = p ? p : "80";
    while (*p && fk.n_devices < FK_MAX_DEVICES) {
        char *end;
        const unsigned long sm = strtoul(p, &end, 10);
        const fk_profile *profile = profile_of(sm);
        if (!profile) {
            if (sm != 0 || end == p)
                fprintf(stderr, "fakecuda: BRAZE_FAKE_DEVICES: no profile for \"%s\"\n", p);
            break;
        }
        fk_device *d = &fk.devices[fk.n_devices];
        *d = (fk_device){.ordinal = fk.n_devices, .profile = profile};
        d->memory = mib ? mib << 20 : (uint64_t)profile->gib << 30;
        fk.n_devices++;
        p = *end == ',' ? end + 1 : end;
    }
    return fk.n_devices > 0 ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

CUresult fk_cuInit(unsigned flags) {
    FK_VALID(flags == 0);
    if (fk.started) return CUDA_SUCCESS;
    FK_TRY(read_devices());
    for (int i = 0; i < fk.n_devices; i++) {
        fk_device *d = &fk.devices[i];
        d->default_pool = d->pool = fk_pool_new(d, 0, true);
        d->graphs = fk_pool_new(d, 0, true);
    }
    fk.started = true;
    return CUDA_SUCCESS;
}

FK_GETTER(cuDriverGetVersion, (int *out), (void)0, fk.config.driver_version)

fk_device *fk_device_of(CUdevice dev) {
    return dev >= 0 && dev < fk.n_devices ? &fk.devices[dev] : NULL;
}

FK_GETTER(cuDeviceGet, (CUdevice * out, int ordinal), FK_DEVICE_OF(d, ordinal), d->ordinal)
FK_GETTER(cuDeviceGetCount, (int *out), (void)0, fk.n_devices)

CUresult fk_cuDeviceGetName(char *name, int len, CUdevice dev) {
    FK_VALID(name && len > 0);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    snprintf(name, (size_t)len, "%s", fk_device_of(dev)->profile->name);
    return CUDA_SUCCESS;
}

CUresult fk_cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice dev) {
    FK_VALID(uuid);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    memcpy(uuid->bytes, "fakecuda-device\0", sizeof uuid->bytes);
    uuid->bytes[15] = (char)dev;
    return CUDA_SUCCESS;
}

/* Luids exist on Windows only. */
CUresult fk_cuDeviceGetLuid(char *luid, unsigned *mask, CUdevice dev) {
    FK_VALID(luid && mask);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    return CUDA_ERROR_NOT_SUPPORTED;
}

FK_GETTER(cuDeviceTotalMem_v2, (size_t * out, CUdevice dev), FK_DEVICE_OF(d, dev), d->memory)

/* Attributes that every profile shares. */
static const struct {
    int attribute, value;
} shared_attributes[] = {
    {1, MAX_THREADS}, {2, MAX_THREADS}, {3, MAX_THREADS},
    {4, 64},                                        /* threads of a block */
    {5, 0x7fffffff},  {6, 65535},       {7, 65535}, /* blocks of a grid */
    {8, 48 * KIB},    {9, 64 * KIB},    {10, 32},
    {11, 0x7fffffff}, /* shared, constant, warp, pitch */
    {12, REGISTERS},  {14, 512},        {15, 1},
    {19, 1}, /* texture alignment, overlap, map host */
    {21, 131072},     {22, 131072},     {23, 65536},
    {24, 16384},      {25, 16384},      {26, 16384}, /* texture sizes */
    {30, 512},        {31, 1},          {34, 0},
    {41, 1},          {51, 32}, /* concurrent kernels, unified addresses */
    {78, 1},          {79, 1},          {80, 1},
    {82, REGISTERS},  {83, 1}, /* priorities, caches, managed memory */
    {90, 1},          {91, 1},          {95, 1},
    {99, 1},          {115, 1},  /* preemption, cooperative, register, pools */
    {131, -1},        {134, -1}, /* not on a NUMA node */
};

static bool profile_attribute(const fk_device *d, unsigned attribute, int *value) {
    const fk_profile *p = d->profile;
    switch (attribute) {
    case 13: *value = p->clock_khz; return true;
    case 16: *value = p->multiprocessors; return true;
    case 33: *value = d->ordinal + 1; return true; /* PCI bus */
    case 36: *value = p->memory_khz; return true;
    case 37: *value = p->bus_bits; return true;
    case 38: *value = p->l2_mib << 20; return true;
    case 39: *value = p->threads_sm; return true;
    case 40: *value = p->copy_engines; return true;
    case 75: *value = (int)p->sm / 10; return true;
    case 76: *value = (int)p->sm % 10; return true;
    case 81: *value = p->shared_sm; return true;
    case 87: *value = p->f64_ratio; return true;
    case 97: *value = p->shared_optin; return true;
    case 106: *value = p->blocks_sm; return true;
    case 120: *value = p->sm >= 90; return true; /* clusters */
    case 111: *value = p->sm >= 80 ? RESERVED_SHARED : 0; return true;
    default: return false;
    }
}

CUresult fk_cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice dev) {
    enum { ATTRIBUTES = 148 };
    FK_VALID(value && attribute > 0 && attribute < ATTRIBUTES);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    fk_note("%u", (unsigned)attribute);
    if (profile_attribute(fk_device_of(dev), attribute, value)) return CUDA_SUCCESS;
    *value = 0;
    for (size_t i = 0; i < sizeof shared_attributes / sizeof *shared_attributes; i++)
        if (shared_attributes[i].attribute == (int)attribute) *value = shared_attributes[i].value;
    return CUDA_SUCCESS;
}

CUresult fk_cuDeviceGetProperties(CUdevprop *prop, CUdevice dev) {
    FK_VALID(prop);
    FK_DEVICE_OF(d, dev);
    *prop = (CUdevprop){.maxThreadsPerBlock = MAX_THREADS,
                        .maxThreadsDim = {MAX_THREADS, MAX_THREADS, 64},
                        .maxGridSize = {0x7fffffff, 65535, 65535},
                        .sharedMemPerBlock = 48 * KIB,
                        .totalConstantMemory = 64 * KIB,
                        .SIMDWidth = 32,
                        .memPitch = 0x7fffffff,
                        .regsPerBlock = REGISTERS,
                        .clockRate = d->profile->clock_khz,
                        .textureAlign = 512};
    return CUDA_SUCCESS;
}

CUresult fk_cuDeviceComputeCapability(int *major, int *minor, CUdevice dev) {
    FK_VALID(major && minor);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    *major = (int)fk_device_of(dev)->profile->sm / 10;
    *minor = (int)fk_device_of(dev)->profile->sm % 10;
    return CUDA_SUCCESS;
}

CUresult fk_cuDeviceGetPCIBusId(char *id, int len, CUdevice dev) {
    FK_VALID(id && len > 0);
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    snprintf(id, (size_t)len, "0000:%02X:00.0", (unsigned)dev + 1);
    return CUDA_SUCCESS;
}

CUresult fk_cuDeviceGetByPCIBusId(CUdevice *dev, const char *id) {
    FK_VALID(dev && id);
    unsigned domain = 0, bus = 0, slot = 0, function = 0;
    const bool full = sscanf(id, "%x:%x:%x.%x", &domain, &bus, &slot, &function) >= 3;
    if (!full) {
        domain = 0;
        FK_VALID(sscanf(id, "%x:%x.%x", &bus, &slot, &function) >= 2);
    }
    FK_NEED(domain == 0 && slot == 0 && function == 0 && bus >= 1 && (int)bus <= fk.n_devices,
            CUDA_ERROR_INVALID_DEVICE);
    *dev = (int)bus - 1;
    return CUDA_SUCCESS;
}

FK_GETTER(cuDeviceCanAccessPeer, (int *out, CUdevice dev, CUdevice peer),
          FK_NEED(fk_device_of(dev) && fk_device_of(peer), CUDA_ERROR_INVALID_DEVICE), dev != peer)

CUresult fk_cuDeviceGetP2PAttribute(int *value, CUdevice_P2PAttribute attribute, CUdevice from,
                                    CUdevice to) {
    enum { PERFORMANCE_RANK = 1, ACCESS = 2, ATOMIC = 3, ARRAY_ACCESS = 4 };
    FK_VALID(value && attribute >= PERFORMANCE_RANK && attribute <= ARRAY_ACCESS);
    FK_NEED(fk_device_of(from) && fk_device_of(to) && from != to, CUDA_ERROR_INVALID_DEVICE);
    *value = attribute == ACCESS || attribute == ATOMIC;
    return CUDA_SUCCESS;
}
