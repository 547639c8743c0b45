//===- Assembler.cpp - PTX to machine code --------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "targets/NVPTX/Assembler.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace weft;
using namespace weft::gpu;

std::optional<std::string> nvptx::findAssembler() {
  if (ErrorOr<std::string> path = sys::findProgramByName("ptxas"))
    return *path;
  if (std::optional<std::string> home = sys::Process::GetEnv("CUDA_HOME")) {
    SmallString<128> folder(*home);
    sys::path::append(folder, "bin");
    if (ErrorOr<std::string> path = sys::findProgramByName("ptxas", {folder.str()}))
      return *path;
  }
  return std::nullopt;
}

/// The number before `unit` in `line`; 0 if there is none.
static int64_t numberBefore(StringRef line, StringRef unit) {
  size_t at = line.find(unit);
  if (at == StringRef::npos)
    return 0;
  StringRef before = line.take_front(at).rtrim();
  int64_t number = 0;
  return before.take_back(before.size() - (before.find_last_of(" ,") + 1)).getAsInteger(10, number)
             ? 0
             : number;
}

/// Reads what `ptxas -v` says of each function: lines of its name, of its stack and spills,
/// and of its registers and memory.
static void readResources(StringRef log, DeviceObject &object) {
  SmallVector<StringRef> lines;
  log.split(lines, '\n');
  Resources *current = nullptr;
  for (StringRef line : lines) {
    if (line.contains("Compiling entry function '")) {
      StringRef name = line.split('\'').second.split('\'').first;
      current = &object.resources[name.str()];
    } else if (current && line.contains("bytes stack frame")) {
      current->privateBytes = numberBefore(line, "bytes stack frame");
      current->spills = numberBefore(line, "bytes spill stores");
    } else if (current && line.contains("Used ")) {
      current->registers = numberBefore(line, "registers");
      current->workgroupBytes = numberBefore(line, "bytes smem");
    }
  }
}

Expected<DeviceObject> nvptx::assemble(StringRef path, StringRef ptx, const Chip &chip,
                                       unsigned optLevel) {
  SmallString<128> input, output, log;
  std::error_code error;
  SmallVector<FileRemover, 3> removers;
  for (auto [name, extension] : {std::pair{&input, "ptx"}, {&output, "cubin"}, {&log, "log"}}) {
    error = sys::fs::createTemporaryFile("weft", extension, *name);
    if (error)
      return createStringError("cannot write a file for ptxas: " + error.message());
    removers.emplace_back(*name);
  }
  {
    raw_fd_ostream stream(input, error);
    stream << ptx;
    stream.close();
    if (!error)
      error = stream.error();
    stream.clear_error();
    if (error)
      return createStringError("cannot write a file for ptxas: " + error.message());
  }
  std::string arch = ("-arch=" + chip.name).str(), level = "-O" + std::to_string(optLevel);
  StringRef arguments[] = {path, arch, level, "-v", "-o", output, input};
  std::optional<StringRef> redirects[] = {std::nullopt, log.str(), log.str()};
  std::string problem;
  int code = sys::ExecuteAndWait(path, arguments, /*Env=*/std::nullopt, redirects,
                                 /*SecondsToWait=*/0, /*MemoryLimit=*/0, &problem);
  auto text = MemoryBuffer::getFile(log);
  StringRef messages = text ? (*text)->getBuffer() : StringRef();
  if (code != 0)
    return createStringError("ptxas refuses the code: " +
                             (problem.empty() ? messages.take_front(1024).trim().str() : problem));
  auto cubin = MemoryBuffer::getFile(output, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!cubin)
    return createStringError("cannot read what ptxas wrote: " + cubin.getError().message());
  DeviceObject object{mlir::gpu::CompilationTarget::Binary, (*cubin)->getBuffer().str(), {}, {}};
  readResources(messages, object);
  return object;
}
