/*===- runtime.h - Load a compiled module and call it ---------------------===*
 *
 * Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The public C11 interface of libweft-runtime. It only grows: functions and
 * struct members are added at the end and never change. Every struct that a
 * caller fills begins with `struct_size`, which the caller sets to sizeof of
 * the struct that it was compiled with.
 *
 *   weft_loaded_module *module;
 *   weft_context *context;
 *   weft_error *error = weft_module_load_file("model.so", NULL, &module);
 *   if (!error) error = weft_context_create(module, 0, NULL, &context);
 *   if (!error) error = weft_invoke(context, inputs, 2, outputs, 1);
 *   if (error) { fputs(weft_error_message(error), stderr); ... }
 *
 * Errors. A function that can fail returns `weft_error *`: NULL is success,
 * everything else is owned by the caller and has a code (enum weft_code) and
 * one sentence that names the file, argument or node, what was expected and
 * what was found. When a function fails, its out parameters are unchanged.
 *
 * Threads. A loaded module is immutable: any number of threads and contexts
 * share it. A context belongs to one thread at a time; weft_context_cancel is
 * the one function that any thread (or signal handler) may call on it.
 *
 * Tensors are contiguous and row-major and need the alignment of their element
 * only. Inputs are never written, unless the caller binds an output that the
 * signature declares as alias of an input to that input's memory.
 *
 *===----------------------------------------------------------------------===*/
#ifndef WEFT_RUNTIME_RUNTIME_H
#define WEFT_RUNTIME_RUNTIME_H

#include "weft-runtime/module.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface; MINOR rises with every addition. */
#define WEFT_RUNTIME_API_MAJOR 0u
#define WEFT_RUNTIME_API_MINOR 1u

#if defined(WEFT_RUNTIME_STATIC)
#define WEFT_API
#else
#define WEFT_API __attribute__((visibility("default")))
#endif

/*===-- Version and errors ------------------------------------------------===*/

/* (major << 16) | minor of the library in use, and its text, e.g. "0.1.0". */
WEFT_API uint32_t weft_runtime_api_version(void);
WEFT_API const char *weft_runtime_version(void);

typedef struct weft_error weft_error;
/* WEFT_OK for NULL. */
WEFT_API int32_t weft_error_code(const weft_error *error);
/* Lives as long as the error; "" for NULL. */
WEFT_API const char *weft_error_message(const weft_error *error);
WEFT_API void weft_error_free(weft_error *error);
/* "INVALID_ARGUMENT" for WEFT_INVALID_ARGUMENT; "UNKNOWN" for no code. */
WEFT_API const char *weft_code_name(int32_t code);

/*===-- Options -----------------------------------------------------------===*/

/* Where the runtime takes memory from: objects, workspace and outputs. Both
   functions may be called from several threads at once. (The C library's
   loader and oneTBB keep their own.) */
typedef struct weft_allocator {
  uint32_t struct_size;
  uint32_t reserved;
  void *user;
  /* `size` > 0 bytes at a multiple of `alignment`, a power of two; NULL if
     there are none. */
  void *(*allocate)(void *user, size_t size, size_t alignment);
  /* `size` and `alignment` are those of the allocation. */
  void (*deallocate)(void *user, void *memory, size_t size, size_t alignment);
} weft_allocator;

enum weft_log_level { WEFT_LOG_INFO = 0, WEFT_LOG_WARNING = 1 };
/* Receives one line without a newline. */
typedef void (*weft_log_fn)(void *user, int32_t level, const char *message);

/* One kernel that ran: its name, the source node that it computes and its
   operator, and monotonic time in nanoseconds. Called by the calling thread,
   in order of execution. The texts live as long as the module. */
typedef struct weft_profile_event {
  uint32_t struct_size;
  uint32_t flags; /* enum weft_kernel_flags */
  const char *kernel;
  const char *node;
  const char *op;
  int64_t begin_ns, end_ns;
} weft_profile_event;
typedef void (*weft_profile_fn)(void *user, const weft_profile_event *event);

/* The caller's thread pool: calls task(argument, i) once for each i in
   [0, count), on any threads and in any order, and returns when all are done.
   `count` is at most the context's thread count. */
typedef void (*weft_task_fn)(void *argument, int32_t index);
typedef void (*weft_parallel_fn)(void *user, int32_t count, weft_task_fn task, void *argument);

/*===-- Modules -----------------------------------------------------------===*/

/* A module in memory, reference counted. (`weft_module` is what the compiler
   wrote, see module.h.) */
typedef struct weft_loaded_module weft_loaded_module;

/* Flags of weft_module_options. */
enum {
  /* Loads what cannot run on this machine too, to be looked at: such a module
     has no variant, and contexts of it are refused. */
  WEFT_MODULE_DESCRIBE = 1
};

typedef struct weft_module_options {
  uint32_t struct_size;
  uint32_t flags;
  const weft_allocator *allocator; /* NULL: the C library's; copied */
  weft_log_fn log;                 /* may be NULL */
  void *log_user;
  /* Where the weights are, instead of the file that the module names beside
     itself: another path, or the bytes of that file (which then must outlive
     the module, 64-byte aligned). Needed for modules with a weights file that
     come from memory or are linked in. */
  const char *weights_path;
  const void *weights_data;
  uint64_t weights_size;
  /* Takes the variant for this CPU (weft_variant.cpu), not the best one. NULL:
     the one that the environment variable WEFT_CPU names, if it is set. */
  const char *cpu;
} weft_module_options;

/* Loads a module file. Nothing is executed or mapped before the file's size,
   ELF extents, version and checksum have been found right. */
WEFT_API weft_error *weft_module_load_file(const char *path, const weft_module_options *options,
                                           weft_loaded_module **module);
/* The same for the bytes of a module file, which are copied. */
WEFT_API weft_error *weft_module_load_memory(const void *data, size_t size,
                                             const weft_module_options *options,
                                             weft_loaded_module **module);
/* A module that is linked into the program (`--emit=obj`). */
WEFT_API weft_error *weft_module_load_static(weft_module_query_fn query,
                                             const weft_module_options *options,
                                             weft_loaded_module **module);
/* Only the checks that need no execution. `name` is used in messages. */
WEFT_API weft_error *weft_module_check_memory(const void *data, size_t size, const char *name);
WEFT_API void weft_module_retain(weft_loaded_module *module);
WEFT_API void weft_module_release(weft_loaded_module *module);

/* The compiler's description: name, versions, options, hashes, variants,
   functions and their signatures. It has been checked and lives as long as the
   module. */
WEFT_API const weft_module *weft_module_description(const weft_loaded_module *module);
/* The variant that was chosen: the first that this machine has the features
   for, unless one was asked for. NULL of a module that was loaded only to be
   described and cannot run here. */
WEFT_API const weft_variant *weft_module_variant(const weft_loaded_module *module);
/* Path of the mapped weights file, or NULL. */
WEFT_API const char *weft_module_weights_path(const weft_loaded_module *module);
/* NOT_FOUND names the functions that there are. */
WEFT_API weft_error *weft_module_find_function(const weft_loaded_module *module, const char *name,
                                               uint32_t *function);

/*===-- Tensors -----------------------------------------------------------===*/

/* A view like DLPack's DLTensor. `strides`, in elements, may be NULL; strides
   that are not those of a contiguous row-major tensor are refused by name.
   `dims` may be NULL for rank 0. Elements of strings are addresses (weft_string
   in module.h); those of outputs lie in context memory, also where the output
   is bound, and are valid as long as that of unbound outputs. */
typedef struct weft_tensor {
  void *data;
  weft_dtype dtype;
  int32_t rank;
  const int64_t *dims;
  const int64_t *strides;
} weft_tensor;

/* "float32", "bfloat16", "bool", "float8_e4m3fn", ... as NumPy and ml_dtypes
   say it, and "string"; "unknown" for what has no name. */
WEFT_API const char *weft_dtype_name(weft_dtype dtype);
/* Bytes of a tensor. Fails where it does not fit in 63 bits or an extent is
   negative. */
WEFT_API weft_error *weft_tensor_bytes(const weft_tensor *tensor, uint64_t *bytes);

/* DLPack 1.x in: fills `tensor` with a view of it, which lives as long as the
   DLPack tensor. Refuses other devices than the CPU and other majors. */
struct DLManagedTensorVersioned;
WEFT_API weft_error *weft_tensor_from_dlpack(const struct DLManagedTensorVersioned *managed,
                                             weft_tensor *tensor);

/*===-- Contexts ----------------------------------------------------------===*/

/* What one caller needs to call one function of a module: workspace, bindings,
   threads. Keeps the module alive. */
typedef struct weft_context weft_context;

typedef struct weft_context_options {
  uint32_t struct_size;
  /* Threads that compute, the caller's included. 0: as many as the affinity
     mask and the cgroup's CPU limit allow. 1: no thread pool at all. */
  int32_t threads;
  const weft_allocator *allocator; /* NULL: the module's; copied */
  weft_log_fn log;                 /* NULL: the module's */
  void *log_user;
  weft_profile_fn profile; /* may be NULL */
  void *profile_user;
  weft_parallel_fn parallel; /* NULL: oneTBB */
  void *parallel_user;
  /* How long an idle worker stays awake for the next loop. 0: the default,
     200 us in a call and 20 us after it; < 0: not at all. */
  int32_t spin_us;
  int32_t reserved;
  /* Where the module's device kernels run: "cuda:0", "hip:1", "emulation". NULL:
     the one that the environment variable WEFT_DEVICE names, else number 0 of
     the family that the module has code for. A device that is not there is an
     error, and so is one that the module has no code for. */
  const char *device;
} weft_context_options;

WEFT_API weft_error *weft_context_create(weft_loaded_module *module, uint32_t function,
                                         const weft_context_options *options,
                                         weft_context **context);
/* A call that still runs in another thread is cancelled and awaited. */
WEFT_API void weft_context_release(weft_context *context);
WEFT_API const weft_function *weft_context_function(const weft_context *context);
WEFT_API int32_t weft_context_threads(const weft_context *context);
/* The device's name, or NULL of a module without device code. */
WEFT_API const char *weft_context_device(const weft_context *context);

/* Binds arguments for all following calls of weft_context_run. Shapes and
   addresses are copied; the memory must stay valid. Checks everything that
   needs no other argument. NULL unbinds.

   An output is bound to a buffer of the caller's or, when unbound, lives in the
   context. Extents that follow from the inputs must be right; extents that only
   the call can tell (-1 in the signature) say how much fits: a result that is
   larger lands in memory of the context. */
WEFT_API weft_error *weft_context_bind_input(weft_context *context, uint32_t index,
                                             const weft_tensor *tensor);
WEFT_API weft_error *weft_context_bind_output(weft_context *context, uint32_t index,
                                              const weft_tensor *tensor);
/* Calls the function with what is bound. */
WEFT_API weft_error *weft_context_run(weft_context *context);
/* Binds everything and calls. `outputs` may be NULL (all live in the context).
   An output whose data is NULL lives in the context; after the call its entry
   is what weft_context_output returns. */
WEFT_API weft_error *weft_invoke(weft_context *context, const weft_tensor *inputs,
                                 uint32_t input_count, weft_tensor *outputs, uint32_t output_count);
/* Output `index` of the last call that succeeded. Context memory and `dims`
   are valid until the next call, bind or release. */
WEFT_API weft_error *weft_context_output(const weft_context *context, uint32_t index,
                                         weft_tensor *tensor);
/* Hands context memory of an output over as a DLPack 1.x tensor, without a
   copy. FAILED_PRECONDITION if the output lies in a caller's buffer or is of
   strings. */
WEFT_API weft_error *weft_context_take_output(weft_context *context, uint32_t index,
                                              struct DLManagedTensorVersioned **managed);

/* Bytes of workspace that a call with inputs of these shapes needs; their data
   may be NULL. */
WEFT_API weft_error *weft_context_workspace_size(weft_context *context, const weft_tensor *inputs,
                                                 uint32_t input_count, uint64_t *bytes);
/* Lends 64-byte aligned memory as workspace of the following calls, which fail
   with RESOURCE_EXHAUSTED if it is too small. NULL ends the loan. */
WEFT_API weft_error *weft_context_set_workspace(weft_context *context, void *memory,
                                                uint64_t bytes);
/* For the bound inputs: takes workspace and outputs, touches their pages and
   those of the weights and wakes the threads, so that the first call is as fast
   as the next ones. Computes nothing. */
WEFT_API weft_error *weft_context_warm_up(weft_context *context);

/* Asks the call in progress, and every later one, to stop with CANCELLED,
   until the request is taken back. Async-signal-safe. */
WEFT_API void weft_context_cancel(weft_context *context);
WEFT_API void weft_context_reset_cancel(weft_context *context);
/* Lets `signal` cancel the call in progress, and no later one, when the calling
   thread makes it; 0 ends that. For hosts such as interpreters, whose own handler
   only notes the signal: it is called as before. A signal that has no handler
   keeps its effect; call again after another handler has been installed. */
WEFT_API weft_error *weft_context_cancel_on_signal(weft_context *context, int32_t signal);

/* Figures of the last call. */
typedef struct weft_stats {
  uint32_t struct_size;
  int32_t threads;
  uint64_t workspace_bytes;       /* that the call needed */
  uint64_t context_output_bytes;  /* outputs in context memory */
  uint64_t allocations;           /* made through the allocator table */
  uint64_t unbounded_allocations; /* of those: by the module, size class (c) */
  uint64_t unbounded_bytes;
  uint64_t kernels;              /* dispatched */
  uint64_t parallel_loops;       /* that ran on several threads */
  uint64_t serial_loops;         /* that were too small for that */
  uint64_t unbounded_peak_bytes; /* the most of unbounded_bytes at a time */
  uint64_t device_workspace_bytes;
  uint64_t launches; /* of device kernels */
  uint64_t transfers_to_device, bytes_to_device;
  uint64_t transfers_to_host, bytes_to_host;
} weft_stats;
WEFT_API weft_error *weft_context_stats(const weft_context *context, weft_stats *stats);

/*===-- The machine -------------------------------------------------------===*/

/* Threads that a context uses by default: affinity mask and cgroup limit. */
WEFT_API int32_t weft_usable_threads(void);
/* NULL if this CPU and kernel have all of the comma-separated features (LLVM's
   names), else UNAVAILABLE with the missing ones. */
WEFT_API weft_error *weft_cpu_check(const char *features);
/* How many devices of a family ("cuda", "hip" or "emulation") there are; if
   there are none, UNAVAILABLE says why. */
WEFT_API weft_error *weft_device_count(const char *family, int32_t *count);
/* One line about a device: its name, chip, memory and driver. */
WEFT_API weft_error *weft_device_describe(const char *device, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif /* WEFT_RUNTIME_RUNTIME_H */
