/*===- module.h - The contract between compiled modules and the runtime ---===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * A Weft module is an ELF shared object with one exported symbol,
 * `weft_module_query`, and no undefined ones. The query returns a constant
 * description of the module; everything that generated code needs from outside
 * reaches it through the environment table `weft_env` of the call.
 *
 * The header is plain C11 without includes beyond <stdint.h>, so that it can be
 * embedded in tools and checked by the compiler that emits the module. Structs
 * only grow at their end; `struct_size` tells how much of one exists. A change
 * that breaks this raises WEFT_MODULE_ABI_MAJOR.
 *
 *===----------------------------------------------------------------------===*/
#ifndef WEFT_RUNTIME_MODULE_H
#define WEFT_RUNTIME_MODULE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_MODULE_ABI_MAJOR 1u
#define WEFT_MODULE_ABI_MINOR 2u

/* First field of weft_module; reads "WEFTMOD1" in memory. */
#define WEFT_MODULE_MAGIC UINT64_C(0x31444F4D54464557)

/* Alignment in bytes of the workspace, of every weight and of every buffer that
   the runtime hands to generated code. Callers' tensors need only the alignment
   of their element. */
#define WEFT_BUFFER_ALIGNMENT 64

/* Status of a kernel or entry: zero is success. Values are those of absl's
   canonical codes, so that they need no translation in other frameworks. */
enum weft_code {
  WEFT_OK = 0,
  WEFT_CANCELLED = 1,
  WEFT_UNKNOWN = 2,
  WEFT_INVALID_ARGUMENT = 3,
  WEFT_DEADLINE_EXCEEDED = 4,
  WEFT_NOT_FOUND = 5,
  WEFT_ALREADY_EXISTS = 6,
  WEFT_PERMISSION_DENIED = 7,
  WEFT_RESOURCE_EXHAUSTED = 8,
  WEFT_FAILED_PRECONDITION = 9,
  WEFT_ABORTED = 10,
  WEFT_OUT_OF_RANGE = 11,
  WEFT_UNIMPLEMENTED = 12,
  WEFT_INTERNAL = 13,
  WEFT_UNAVAILABLE = 14,
  WEFT_DATA_LOSS = 15
};

typedef struct weft_env weft_env;

/* A kernel. `buffers` are the base addresses of its tensors (inputs, outputs,
   then scratch), each contiguous and row-major; `sizes` are its dynamic extents
   and index arguments in the order that compiler and kernel agreed on. `site`
   is an index into weft_module.sites and names the node being computed. */
typedef int32_t (*weft_kernel_fn)(const weft_env *env, void *const *buffers, const int64_t *sizes,
                                  int64_t site);

/* The body of one parallel loop of a kernel: iterations [begin, end), executed
   by worker `worker` (0 <= worker < env->max_workers). Iterations are
   independent; how they are cut into ranges does not change the result. */
typedef int32_t (*weft_range_fn)(const weft_env *env, void *const *buffers, const int64_t *sizes,
                                 int64_t site, int64_t begin, int64_t end, int64_t worker);

/* What a call offers to generated code. The runtime fills one per context. */
struct weft_env {
  uint32_t struct_size;
  uint32_t max_workers;       /* >= 1; scratch in the workspace is sized by it */
  void *context;              /* the runtime's own */
  unsigned char *arena;       /* workspace of at least workspace_size() bytes */
  const void *const *weights; /* weft_module.weight_count addresses */
  /* Non-zero once the caller asks the call to stop. Host loops poll it. */
  const volatile int32_t *cancelled;

  /* Runs kernel number `kernel` of the module's chosen variant. */
  int32_t (*dispatch)(const weft_env *env, int64_t kernel, void *const *buffers,
                      const int64_t *sizes, int64_t site);

  /* Runs `body` over [0, count). `cost` is the compiler's estimate of the whole
     loop's work in nanoseconds on one core, by which the runtime decides to
     stay serial. Returns the status of the lowest failing range. */
  int32_t (*parallel_for)(const weft_env *env, weft_range_fn body, void *const *buffers,
                          const int64_t *sizes, int64_t site, int64_t count, int64_t cost);

  /* Memory whose size no symbol bounds; lives until the call ends or it is
     released. NULL after a failure, which has then been recorded. */
  void *(*alloc)(const weft_env *env, int64_t bytes);
  void (*release)(const weft_env *env, void *memory);

  /* The buffer of output `index` with the given shape: the caller's where it
     fits, else memory of the context. NULL after a failure, then recorded. */
  void *(*output)(const weft_env *env, int64_t index, int64_t rank, const int64_t *dims);

  /* Records the failure of `site` with two values for its message and returns
     `code`. The first failure of a call wins. */
  int32_t (*fail)(const weft_env *env, int64_t site, int32_t code, int64_t value, int64_t bound);

  /* Since ABI 1.1, for modules with device code; NULL in calls of others. */

  /* Workspace of at least weft_device_function.workspace_size() bytes and the
     weights, both in memory of the device, which the host cannot read. Weights
     that no device kernel reads (weft_module.weight_flags) have no address. */
  unsigned char *device_arena;
  const void *const *device_weights;
  /* As alloc and release, in memory of the device. */
  void *(*device_alloc)(const weft_env *env, int64_t bytes);
  void (*device_release)(const weft_env *env, void *memory);
  /* Runs device kernel number `kernel` after all launches and transfers before
     it. `shape` has the grid's three extents, the block's three and the bytes of
     dynamic shared memory; a grid without blocks runs nothing. `arguments` are
     the addresses of the kernel's arguments. */
  int32_t (*launch)(const weft_env *env, int64_t kernel, const int64_t *shape,
                    void *const *arguments, int64_t site);
  /* Carries out transfer number `transfer` of weft_module.transfers: copies
     `bytes` in the direction given there. `from` may be reused, and on the host
     `to` may be read, once it returns. */
  int32_t (*transfer)(const weft_env *env, int64_t transfer, void *to, const void *from,
                      int64_t bytes, int64_t site);
};

/* Element types are DLPack's (code, bits, lanes = 1). Bool is kDLBool, one byte
   of 0 or 1. */
typedef struct weft_dtype {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
} weft_dtype;

enum weft_dtype_code {
  WEFT_DTYPE_INT = 0,
  WEFT_DTYPE_UINT = 1,
  WEFT_DTYPE_FLOAT = 2,
  WEFT_DTYPE_BFLOAT = 4,
  WEFT_DTYPE_COMPLEX = 5,
  WEFT_DTYPE_BOOL = 6,
  WEFT_DTYPE_FLOAT8_E4M3FN = 10,
  WEFT_DTYPE_FLOAT8_E4M3FNUZ = 11,
  WEFT_DTYPE_FLOAT8_E5M2 = 12,
  WEFT_DTYPE_FLOAT8_E5M2FNUZ = 13,
  WEFT_DTYPE_FLOAT8_E8M0FNU = 14,
  WEFT_DTYPE_FLOAT6_E2M3FN = 15,
  WEFT_DTYPE_FLOAT6_E3M2FN = 16,
  WEFT_DTYPE_FLOAT4_E2M1FN = 17,
  /* Not DLPack's. 64 bits: the address of a weft_string, or 0 for "". */
  WEFT_DTYPE_STRING = 64
};

/* A string: after this header, `size` bytes of UTF-8, which need no zero at
   their end and do not change while anybody may look. Aligned to 8 bytes. */
typedef struct weft_string {
  int64_t size;
} weft_string;

/* A symbolic dimension: one name, one value per call, min <= value <= max.
   Nameless free dimensions get a symbol each, named "<input>.<axis>". */
typedef struct weft_symbol {
  const char *name;
  int64_t min, max;
} weft_symbol;

/* One extent of an argument: `size` where it is static (symbol < 0), else the
   value of `symbol`; -1 and -1 on an output mean "known only after the call". */
typedef struct weft_dim {
  int64_t size;
  int32_t symbol;
  int32_t reserved;
} weft_dim;

typedef struct weft_argument {
  const char *name;
  weft_dtype dtype;
  int32_t rank;
  const weft_dim *dims;
  /* Outputs: the input that may share this output's memory, or -1. */
  int32_t alias;
  int32_t reserved;
} weft_argument;

typedef struct weft_function {
  const char *name;
  uint32_t input_count, output_count, symbol_count, reserved;
  const weft_argument *inputs, *outputs;
  const weft_symbol *symbols;
  /* Bytes of workspace for these symbol values and this many workers, or -1
     where the size does not fit in 63 bits. */
  int64_t (*workspace_size)(const int64_t *symbols, int64_t workers);
  /* Computes the function. The runtime has bound every symbol and checked every
     input against the signature. */
  int32_t (*invoke)(const weft_env *env, const int64_t *symbols, const void *const *inputs);
} weft_function;

/* A place that can fail or be profiled: the source node and, for failures, a
   message in which "{0}" and "{1}" stand for the two values given to fail(). */
typedef struct weft_site {
  const char *node;
  const char *op;
  const char *message;
} weft_site;

/* FALLBACK: something that has a fast path runs without it, by generic loops. */
enum weft_kernel_flags { WEFT_KERNEL_FALLBACK = 1u };

typedef struct weft_kernel_info {
  const char *name;
  uint32_t flags;
  /* FALLBACK: index of a site that names the nodes it computes; the message
     there says why. Else 0. */
  uint32_t site;
} weft_kernel_info;

/* Code for one instruction set. Variants are sorted best first; the runtime
   takes the first whose features the machine has. */
typedef struct weft_variant {
  const char *cpu;               /* LLVM's name, e.g. "x86-64-v4" */
  const char *features;          /* comma-separated: the cpuid features it needs */
  const weft_kernel_fn *kernels; /* kernel_count entries */
} weft_variant;

/* A weight: `size` bytes at `offset` of the weights section or file. */
typedef struct weft_weight {
  const char *name;
  uint64_t offset, size;
} weft_weight;

/*===-- Device code -------------------------------------------------------===*/

/* A thread of a device kernel that is emulated on the CPU. Generated code reads
   where it is and calls the functions; `point` numbers the places in the kernel
   where threads wait for each other. */
typedef struct weft_emulated_thread weft_emulated_thread;
struct weft_emulated_thread {
  /* x, y, z each. */
  int64_t thread_id[3], block_id[3], block_dim[3], grid_dim[3];
  /* Lane `lane` of subgroup `subgroup`, of which the block has
     `subgroup_count`; `lanes` of its `subgroup_size` lanes exist. */
  int64_t lane, lanes, subgroup, subgroup_size, subgroup_count;
  /* The block's shared memory: what the kernel declares, then what the launch
     asks for. */
  unsigned char *shared;
  int64_t shared_bytes;
  /* Returns when all threads of the block have arrived. */
  void (*barrier)(weft_emulated_thread *thread, int64_t point);
  /* Gives `bytes` (at most WEFT_EMULATED_SLOT) to lanes of the subgroup: `width`
     of them, a power of two, beginning at a multiple of it. Returns, when those that
     exist have arrived, what they gave: that of lane i is at i * WEFT_EMULATED_SLOT,
     until the lane waits again. */
  const unsigned char *(*exchange)(weft_emulated_thread *thread, int64_t point, const void *value,
                                   int64_t bytes, int64_t width);
  /* Ends the kernel: `index` is outside of shared memory of extent `size`. Does
     not return. */
  void (*out_of_bounds)(weft_emulated_thread *thread, int64_t index, int64_t size);
};
#define WEFT_EMULATED_SLOT 256

/* A device kernel for the emulation; runs one thread of it. */
typedef void (*weft_emulated_fn)(weft_emulated_thread *thread, void *const *arguments);

/* COOPERATES: threads wait for each other or have shared memory. */
enum weft_device_kernel_flags { WEFT_DEVICE_KERNEL_COOPERATES = 1u };

typedef struct weft_device_kernel {
  const char *name; /* its symbol in the code */
  uint32_t flags;
  uint32_t argument_count;
  /* Bytes of each argument; 0 is an address in memory of the device. */
  const uint8_t *argument_sizes;
  /* Bytes of shared memory that the kernel declares, for the emulation. */
  int64_t shared_bytes;
} weft_device_kernel;

/* `data` is text ended by a zero (PTX), an ELF file (CUBIN, HSACO) or, for the
   emulation, an array of weft_emulated_fn. */
enum weft_device_code_kind {
  WEFT_DEVICE_PTX = 0,
  WEFT_DEVICE_CUBIN = 1,
  WEFT_DEVICE_HSACO = 2,
  WEFT_DEVICE_FUNCTIONS = 3
};

/* Code of kernels [first_kernel, first_kernel + kernel_count) for one chip. */
typedef struct weft_device_code {
  const char *family; /* "cuda", "hip" or "emulation" */
  const char *chip;   /* "sm_90a", "gfx942", ...; the emulation's subgroup size */
  uint32_t kind, first_kernel, kernel_count, reserved;
  const void *data;
  uint64_t size;
} weft_device_code;

/* What code for a chip takes of it for one kernel; `registers` is -1 where nobody has said
   it, as of PTX, which the driver compiles. */
typedef struct weft_device_resources {
  int32_t registers;        /* of a thread */
  int32_t scalar_registers; /* of a wave, where they are apart */
  /* What did not fit: bytes stored by a thread (CUBIN) or registers (HSACO). */
  int32_t spills, scalar_spills;
  int64_t shared_bytes, private_bytes; /* of a block, of a thread */
} weft_device_resources;

enum weft_direction { WEFT_TO_DEVICE = 0, WEFT_TO_HOST = 1, WEFT_ON_DEVICE = 2 };

/* A transfer that the compiler placed: of which value, how many bytes, as an
   expression of the symbols, and why. */
typedef struct weft_transfer {
  const char *value;
  const char *bytes;
  const char *reason;
  uint32_t direction;
  uint32_t reserved;
} weft_transfer;

typedef struct weft_device_function {
  /* Bytes of workspace on the device, as weft_function.workspace_size. */
  int64_t (*workspace_size)(const int64_t *symbols, int64_t workers);
} weft_device_function;

/* DEVICE: a device kernel reads this weight. */
enum weft_weight_flags { WEFT_WEIGHT_DEVICE = 1u };

typedef struct weft_module {
  uint64_t magic;
  uint32_t struct_size;
  uint16_t abi_major, abi_minor;
  const char *name;             /* the model's */
  const char *compiler_version; /* of Weft, LLVM and plugins */
  const char *options;          /* as a JSON object */
  uint8_t source_hash[32];      /* SHA-256 of the input file */
  uint8_t weights_hash[32];     /* of the weights; binds a weights file */
  /* Embedded weights, 64-byte aligned, or NULL with the name of the
     .safetensors file that lies beside the module (NULL: no weights). */
  const unsigned char *weights;
  uint64_t weights_size;
  const char *weights_file;
  uint32_t weight_count, kernel_count, variant_count, site_count;
  uint32_t function_count, reserved;
  const weft_weight *weight_table;
  const weft_kernel_info *kernels;
  const weft_variant *variants;
  const weft_site *sites;
  const weft_function *functions;
  /* Since ABI 1.1; all zero without device code. `weight_flags` has
     weight_count entries and `device_functions` has function_count. */
  uint32_t device_kernel_count, device_code_count, transfer_count, device_reserved;
  const weft_device_kernel *device_kernels;
  const weft_device_code *device_code;
  const weft_transfer *transfers;
  const weft_device_function *device_functions;
  const uint8_t *weight_flags;
  /* Since ABI 1.2: for each of `device_code`, one after the other, an entry for each of
     its kernels; NULL without. */
  const weft_device_resources *device_resources;
} weft_module;

/* The one exported symbol. Returns NULL if the module cannot serve a runtime of
   this major version. Static objects export `weft_module_query_<name>`. */
typedef const weft_module *(*weft_module_query_fn)(uint32_t abi_major);
#define WEFT_MODULE_QUERY_NAME "weft_module_query"

/* The last bytes of a module file, little-endian. The loader checks them before
   it maps anything: `size` is the file's, `checksum` the CRC-32C of all bytes
   before the footer. */
typedef struct weft_footer {
  uint64_t magic; /* WEFT_MODULE_MAGIC */
  uint64_t size;
  uint32_t checksum;
  uint16_t abi_major, abi_minor;
} weft_footer;

#ifdef __cplusplus
}
#endif
#endif /* WEFT_RUNTIME_MODULE_H */
