//===- mlir-text.cpp - Fuzz target of the dialects' parsers and verifiers -===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever the text is, there is a module that verifies and that is read again as
// it is printed, or an error.
//
//===----------------------------------------------------------------------===//

#include "TextMutator.h"
#include "dialects/Attn/IR/Attn.h"
#include "dialects/LowP/IR/LowP.h"
#include "dialects/MoE/IR/MoE.h"
#include "dialects/SSM/IR/SSM.h"
#include "dialects/Sparse/IR/Sparse.h"
#include "dialects/Weft/IR/Weft.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SparseTensor/IR/SparseTensor.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/Regex.h"

#include <cstdlib>

using namespace mlir;
using namespace weft;

/// MLIR's libraries are not instrumented: memory that inlined allocators of
/// LLVM poison in this program, they use without a word.
extern "C" const char *__asan_default_options() { return "allow_user_poisoning=0"; }

static void check(bool promise, const Twine &what) {
  if (promise)
    return;
  llvm::errs() << "not kept: " << what << "\n";
  std::abort();
}

//===----------------------------------------------------------------------===//
// Defects of MLIR
//===----------------------------------------------------------------------===//

namespace {
/// Text that MLIR's own parsers crash on (mlir-opt does too): where `begin` is, unless
/// `sound` follows, if it is not empty. Such text is left out, each defect as narrowly as can be.
struct UpstreamDefect {
  StringRef begin;
  StringRef sound;
};
} // namespace

static constexpr StringRef kIntegersFollow =
    "^[[:space:]]*\\[([[:space:]]*-?[0-9]{1,18}([[:space:]]*,[[:space:]]*-?[0-9]{1,18})*)?"
    "[[:space:]]*\\]";

static const UpstreamDefect kUpstreamDefects[] = {
    // A use of result number N of a value makes room for N entries.
    {R"(%[A-Za-z0-9_$.-]+#[0-9]{7})", ""},
    // Dense arrays of `index`.
    {R"(array<[[:space:]]*index)", ""},
    // linalg.transpose, broadcast and reduce add a list that was not read as a null attribute.
    {R"(linalg\.(transpose|broadcast|reduce)[^=]*(permutation|dimensions)[[:space:]]*=)",
     kIntegersFollow},
    // linalg.generic takes each iterator type for a string.
    {R"(linalg\.generic[[:space:]]*\{[^}]*iterator_types[[:space:]]*=[[:space:]]*\[)",
     R"(^[[:space:]]*("[^"]*"([[:space:]]*,[[:space:]]*"[^"]*")*)?[[:space:]]*\])"},
};

static bool has(const UpstreamDefect &defect, StringRef text) {
  llvm::Regex begin(defect.begin), sound(defect.sound);
  SmallVector<StringRef> found;
  while (begin.match(text, &found)) {
    text = StringRef(found[0].end(), size_t(text.end() - found[0].end()));
    if (defect.sound.empty() || !sound.match(text))
      return true;
  }
  return false;
}

static bool crashesUpstream(StringRef text) {
  return llvm::any_of(kUpstreamDefects, [&](const UpstreamDefect &d) { return has(d, text); });
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

namespace {
/// A context keeps each type and attribute that it has seen: one serves a number of
/// texts only.
class Session {
public:
  Session() {
    dialects.insert<attn::AttnDialect, lowp::LowPDialect, moe::MoEDialect, sparse::SparseDialect,
                    ssm::SSMDialect, WeftDialect>();
    // What the tests of the dialects use besides.
    dialects
        .insert<affine::AffineDialect, arith::ArithDialect, bufferization::BufferizationDialect,
                cf::ControlFlowDialect, func::FuncDialect, gpu::GPUDialect, linalg::LinalgDialect,
                math::MathDialect, memref::MemRefDialect, scf::SCFDialect,
                sparse_tensor::SparseTensorDialect, tensor::TensorDialect, vector::VectorDialect>();
  }
  MLIRContext &nextContext() {
    if (!context || ++texts > 500) {
      context.reset();
      context = std::make_unique<MLIRContext>(dialects, MLIRContext::Threading::DISABLED);
      texts = 0;
    }
    return *context;
  }

private:
  DialectRegistry dialects;
  std::unique_ptr<MLIRContext> context;
  unsigned texts = 0;
};

struct Parsed {
  OwningOpRef<ModuleOp> module;
  /// Of the errors, the first one's text.
  std::string error;
};
} // namespace

static MLIRContext &nextContext() {
  static Session session;
  return session.nextContext();
}

static Parsed parse(MLIRContext &context, StringRef text) {
  Parsed parsed;
  unsigned errors = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Error && ++errors == 1)
      parsed.error = diagnostic.str();
    return success();
  });
  parsed.module = parseSourceString<ModuleOp>(text, &context);
  check(!parsed.module || errors == 0, "text with errors gives no module: " + parsed.error);
  check(parsed.module || errors > 0, "text that gives no module has errors");
  return parsed;
}

static std::string print(ModuleOp module, OpPrintingFlags flags = {}) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, flags);
  return text;
}

std::optional<std::string> fuzz::toGenericForm(std::string_view text) {
  if (crashesUpstream(text))
    return std::nullopt;
  Parsed parsed = parse(nextContext(), text);
  if (!parsed.module)
    return std::nullopt;
  return print(*parsed.module, OpPrintingFlags().printGenericOpForm());
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  StringRef text(reinterpret_cast<const char *>(data), size);
  if (crashesUpstream(text))
    return -1;
  MLIRContext &context = nextContext();
  Parsed parsed = parse(context, text);
  if (!parsed.module)
    return 0;
  std::string printed = print(*parsed.module);
  Parsed again = parse(context, printed);
  check(bool(again.module), "what is printed is read: " + again.error + "\n" + printed);
  std::string reprinted = print(*again.module);
  check(printed == reprinted, "prints the same:\n" + printed + "\n" + reprinted);
  return 0;
}
