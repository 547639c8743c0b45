//===- ModuleFile.cpp - Checks before a module is mapped ----------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModuleFile.h"
#include "Base/Checksum.h"

#include <cerrno>
#include <cinttypes>
#include <climits>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft::runtime;

File::~File() {
  if (descriptor >= 0)
    close(descriptor);
}

static int32_t codeOfErrno(int number) {
  switch (number) {
  case ENOENT:
  case ENOTDIR:
    return WEFT_NOT_FOUND;
  case EACCES:
  case EPERM:
    return WEFT_PERMISSION_DENIED;
  case ENOMEM:
  case EMFILE:
  case ENFILE:
    return WEFT_RESOURCE_EXHAUSTED;
  default:
    return WEFT_UNAVAILABLE;
  }
}

weft_error *weft::runtime::openFile(const Allocator &allocator, const char *kind, const char *path,
                                    File &file, uint64_t &size) {
  // O_NONBLOCK: opening a pipe must not wait for its writer.
  int descriptor;
  do
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  while (descriptor < 0 && errno == EINTR);
  if (descriptor < 0) {
    int number = errno;
    return makeError(allocator, codeOfErrno(number), "%s '%s': %s", kind, path, strerror(number));
  }
  file = File(descriptor);
  struct stat status;
  if (fstat(descriptor, &status) || !S_ISREG(status.st_mode))
    return makeError(allocator, WEFT_INVALID_ARGUMENT, "%s '%s' is not a regular file", kind, path);
  size = uint64_t(status.st_size);
  return nullptr;
}

bool ModuleBytes::read(uint64_t offset, void *to, size_t count) const {
  if (offset > size || count > size - offset)
    return false;
  if (data) {
    memcpy(to, data + offset, count);
    return true;
  }
  auto *at = static_cast<uint8_t *>(to);
  while (count) {
    ssize_t got = pread(descriptor, at, count, off_t(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    at += got;
    offset += uint64_t(got);
    count -= size_t(got);
  }
  return true;
}

/// True if [offset, offset + length) lies inside [0, size).
static bool inside(uint64_t offset, uint64_t length, uint64_t size) {
  return offset <= size && length <= size - offset;
}

static weft_error *badElf(const Allocator &allocator, const ModuleBytes &bytes, const char *what) {
  return makeError(allocator, WEFT_DATA_LOSS, "module '%s' is damaged: %s", bytes.name, what);
}

/// Segments are what dlopen maps; `end` is where the footer begins.
static weft_error *checkSegments(const Allocator &allocator, const ModuleBytes &bytes,
                                 const Elf64_Ehdr &header, uint64_t end) {
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      !inside(header.e_phoff, uint64_t(header.e_phnum) * sizeof(Elf64_Phdr), end))
    return badElf(allocator, bytes, "its ELF program headers lie outside the file");
  bool loads = false, dynamic = false;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!bytes.read(header.e_phoff + i * sizeof(segment), &segment, sizeof(segment)))
      return badElf(allocator, bytes, "it cannot be read");
    if (!inside(segment.p_offset, segment.p_filesz, end) ||
        (segment.p_type == PT_LOAD && segment.p_memsz < segment.p_filesz))
      return badElf(allocator, bytes, "an ELF segment reaches beyond the end of the file");
    loads |= segment.p_type == PT_LOAD;
    dynamic |= segment.p_type == PT_DYNAMIC;
  }
  if (!loads || !dynamic)
    return badElf(allocator, bytes, "it has no loadable ELF segment");
  return nullptr;
}

static weft_error *checkSections(const Allocator &allocator, const ModuleBytes &bytes,
                                 const Elf64_Ehdr &header, uint64_t end) {
  if (header.e_shnum == 0)
    return nullptr;
  if (header.e_shentsize != sizeof(Elf64_Shdr) ||
      !inside(header.e_shoff, uint64_t(header.e_shnum) * sizeof(Elf64_Shdr), end))
    return badElf(allocator, bytes, "its ELF section headers lie outside the file");
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section;
    if (!bytes.read(header.e_shoff + i * sizeof(section), &section, sizeof(section)))
      return badElf(allocator, bytes, "it cannot be read");
    if (section.sh_type != SHT_NULL && section.sh_type != SHT_NOBITS &&
        !inside(section.sh_offset, section.sh_size, end))
      return badElf(allocator, bytes, "an ELF section reaches beyond the end of the file");
  }
  return nullptr;
}

static weft_error *checkChecksum(const Allocator &allocator, const ModuleBytes &bytes, uint64_t end,
                                 uint32_t expected) {
  uint32_t checksum = 0;
  if (bytes.data) {
    checksum = weft::crc32c(0, {static_cast<const uint8_t *>(bytes.data), end});
  } else {
    Buffer chunk;
    const size_t chunkSize = size_t(256) << 10;
    if (!chunk.allocate(allocator, chunkSize, 64))
      return makeError(allocator, WEFT_RESOURCE_EXHAUSTED, "module '%s': out of memory",
                       bytes.name);
    for (uint64_t at = 0; at < end;) {
      size_t count = end - at < chunkSize ? size_t(end - at) : chunkSize;
      if (!bytes.read(at, chunk.data(), count))
        return badElf(allocator, bytes, "it cannot be read");
      checksum = weft::crc32c(checksum, {static_cast<const uint8_t *>(chunk.data()), count});
      at += count;
    }
  }
  if (checksum == expected)
    return nullptr;
  return makeError(allocator, WEFT_DATA_LOSS,
                   "module '%s' is damaged: its checksum is %08x, expected "
                   "%08x",
                   bytes.name, checksum, expected);
}

weft_error *weft::runtime::checkModule(const Allocator &allocator, const ModuleBytes &bytes) {
  Elf64_Ehdr header;
  if (bytes.size < sizeof(header) + sizeof(weft_footer))
    return makeError(allocator, WEFT_DATA_LOSS,
                     "module '%s' has %" PRIu64
                     " bytes, too few for a module: it is empty or truncated",
                     bytes.name, bytes.size);
  const uint64_t end = bytes.size - sizeof(weft_footer);
  weft_footer footer;
  if (!bytes.read(0, &header, sizeof(header)) || !bytes.read(end, &footer, sizeof(footer)))
    return badElf(allocator, bytes, "it cannot be read");
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "'%s' is not a Weft module: it is no ELF file", bytes.name);
  if (footer.magic != WEFT_MODULE_MAGIC)
    return makeError(allocator, WEFT_DATA_LOSS,
                     "'%s' is not a Weft module or is truncated: its last "
                     "bytes are not a module's footer",
                     bytes.name);
  if (footer.abi_major != WEFT_MODULE_ABI_MAJOR || footer.abi_minor > WEFT_MODULE_ABI_MINOR)
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "module '%s' has ABI version %u.%u, this runtime (%s) "
                     "supports %u.0 to %u.%u: compile the model again or take "
                     "the matching runtime",
                     bytes.name, footer.abi_major, footer.abi_minor, weft_runtime_version(),
                     WEFT_MODULE_ABI_MAJOR, WEFT_MODULE_ABI_MAJOR, WEFT_MODULE_ABI_MINOR);
  if (footer.size != bytes.size)
    return makeError(allocator, WEFT_DATA_LOSS,
                     "module '%s' is damaged: it has %" PRIu64 " bytes, its footer says %" PRIu64,
                     bytes.name, bytes.size, footer.size);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_type != ET_DYN)
    return makeError(allocator, WEFT_INVALID_ARGUMENT,
                     "'%s' is not a Weft module: it is no 64-bit "
                     "little-endian shared object",
                     bytes.name);
#if defined(__x86_64__)
  const unsigned machine = EM_X86_64;
#elif defined(__aarch64__)
  const unsigned machine = EM_AARCH64;
#else
#error "unknown machine"
#endif
  if (header.e_machine != machine)
    return makeError(allocator, WEFT_FAILED_PRECONDITION,
                     "module '%s' is for ELF machine %u, this machine is %u", bytes.name,
                     header.e_machine, machine);
  if (weft_error *error = checkSegments(allocator, bytes, header, end))
    return error;
  if (weft_error *error = checkSections(allocator, bytes, header, end))
    return error;
  return checkChecksum(allocator, bytes, end, footer.checksum);
}

/// A path of the open file that no other library has. The dynamic linker takes
/// an equal path for an equal library before it looks at the file, and a
/// descriptor's number is soon used again, so the path spells the file's device
/// and inode in a run of "/" (0) and "/." (1), which mean nothing to the
/// kernel.
static void makeUniquePath(int descriptor, const struct stat &status, char (&path)[512]) {
  char *at = path + snprintf(path, sizeof(path), "/proc/self/fd");
  const uint64_t words[2] = {uint64_t(status.st_dev), uint64_t(status.st_ino)};
  for (uint64_t word : words)
    for (int bit = 0; bit < 64; ++bit) {
      *at++ = '/';
      if (word >> bit & 1)
        *at++ = '.';
    }
  snprintf(at, size_t(path + sizeof(path) - at), "/%d", descriptor);
}

weft_error *weft::runtime::openLibrary(const Allocator &allocator, const char *name, int descriptor,
                                       void *&handle) {
  struct stat status;
  if (fstat(descriptor, &status))
    return makeError(allocator, WEFT_UNAVAILABLE, "module '%s': %s", name, strerror(errno));
  char path[512];
  makeUniquePath(descriptor, status, path);
  handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle)
    return nullptr;
  const char *reason = dlerror();
  if (!reason)
    reason = "unknown reason";
  // The path says nothing to the reader.
  if (strncmp(reason, path, strlen(path)) == 0)
    reason += strlen(path);
  return makeError(allocator, WEFT_UNAVAILABLE, "module '%s' cannot be loaded%s%s", name,
                   *reason == ':' ? "" : ": ", reason);
}

weft_error *weft::runtime::copyToMemoryFile(const Allocator &allocator, const void *data,
                                            size_t size, File &file) {
#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif
  // Kernels before 6.3 do not know MFD_EXEC; newer ones may insist on it.
  int descriptor = memfd_create("weft-module", MFD_CLOEXEC | MFD_EXEC);
  if (descriptor < 0)
    descriptor = memfd_create("weft-module", MFD_CLOEXEC);
  file = File(descriptor);
  const auto *at = static_cast<const uint8_t *>(data);
  while (descriptor >= 0 && size) {
    ssize_t written = write(descriptor, at, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      break;
    at += written;
    size -= size_t(written);
  }
  if (descriptor < 0 || size) {
    int number = errno;
    return makeError(allocator, WEFT_RESOURCE_EXHAUSTED,
                     "module in memory cannot be copied into an anonymous "
                     "file: %s",
                     strerror(number));
  }
  return nullptr;
}
