//===- Target.cpp - Defaults of the target interface ----------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Target.h"

using namespace weft;

// The key function: the class's type information is this library's, so that
// targets in plugins derive from one class.
Target::~Target() = default;

bool Target::isDevice() const { return false; }

llvm::ArrayRef<llvm::StringLiteral> Target::chips() const { return {}; }

mlir::LogicalResult Target::selectLayouts(mlir::ModuleOp) const { return mlir::success(); }

mlir::LogicalResult Target::selectFusion(mlir::ModuleOp) const { return mlir::success(); }

mlir::LogicalResult Target::selectSchedule(mlir::Operation *) const { return mlir::success(); }

void Target::buildStage(Stage, mlir::OpPassManager &, const PipelineOptions &) const {}
