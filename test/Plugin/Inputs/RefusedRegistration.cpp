//===- RefusedRegistration.cpp - Plugins that register what cannot be -----===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// REFUSED selects what.
//
//===----------------------------------------------------------------------===//

#include "weft/Plugin.h"

using namespace mlir;

namespace {

/// A pass under any name.
struct NamedPass : PassWrapper<NamedPass, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(NamedPass)
  explicit NamedPass(StringRef argument) : argument(argument) {}
  StringRef getArgument() const final { return argument; }
  void runOnOperation() final {}
  StringRef argument;
};

/// A dialect of a name that MLIR has.
class Linalg : public Dialect {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Linalg)
  static StringRef getDialectNamespace() { return "linalg"; }
  explicit Linalg(MLIRContext *context)
      : Dialect(getDialectNamespace(), context, TypeID::get<Linalg>()) {}
};

/// A dialect of a name that Weft has.
class Weft : public Dialect {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Weft)
  static StringRef getDialectNamespace() { return "weft"; }
  explicit Weft(MLIRContext *context)
      : Dialect(getDialectNamespace(), context, TypeID::get<Weft>()) {}
};

enum Case {
  UNKNOWN_STAGE,
  FAILS_WITH_REASON,
  FAILS_SILENTLY,
  DUPLICATE_PASS,
  DUPLICATE_DIALECT,
  UPSTREAM_PASS,
  UPSTREAM_DIALECT,
  FLAG,
  STAGE_PIPELINE,
  UNNAMED_PASS,
  MANY_ERRORS,
};

} // namespace

static void addNamedPass(weft::Registrar &registrar, StringRef argument) {
  registrar.addPass([=] { return std::make_unique<NamedPass>(argument); });
}

static LogicalResult registerRefused(weft::Registrar &registrar) {
  switch (REFUSED) {
  case UNKNOWN_STAGE:
    registrar.addStageCallback("fusion", weft::StagePosition::Before,
                               [](auto &, const auto &) {});
    return success();
  case FAILS_WITH_REASON:
    registrar.error("no device was found");
    return failure();
  case FAILS_SILENTLY:
    return failure();
  case DUPLICATE_PASS:
    addNamedPass(registrar, "plugintest-trace");
    return success();
  case DUPLICATE_DIALECT:
    registrar.addDialect<Weft>();
    return success();
  case UPSTREAM_PASS:
    addNamedPass(registrar, "cse");
    return success();
  case UPSTREAM_DIALECT:
    registrar.addDialect<Linalg>();
    return success();
  case FLAG:
    addNamedPass(registrar, "help");
    return success();
  case STAGE_PIPELINE:
    registrar.addPipeline("weft-fuse", "", [](OpPassManager &) {});
    return success();
  case UNNAMED_PASS:
    addNamedPass(registrar, "");
    return success();
  case MANY_ERRORS:
    addNamedPass(registrar, "twice");
    addNamedPass(registrar, "twice");
    registrar.addTarget(nullptr);
    registrar.addImporterOp({"com.example", "Op", 9, 7, nullptr});
    return success();
  }
  return success();
}

WEFT_PLUGIN("refused", "1.0", registerRefused);
