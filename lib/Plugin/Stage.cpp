//===- Stage.cpp - Names of the stages ------------------------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weft/Stage.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace weft;

llvm::StringRef weft::stageName(Stage stage) {
  switch (stage) {
  case Stage::Input:
    return "input";
  case Stage::Model:
    return "model";
  case Stage::Fuse:
    return "fuse";
  case Stage::Tile:
    return "tile";
  case Stage::Vector:
    return "vector";
  case Stage::Buffer:
    return "buffer";
  case Stage::Target:
    return "target";
  case Stage::Module:
    return "module";
  }
  llvm_unreachable("not a stage");
}

std::optional<Stage> weft::parseStage(llvm::StringRef name) {
  for (Stage stage : allStages)
    if (stageName(stage) == name)
      return stage;
  return std::nullopt;
}

std::string weft::stagePipelineName(Stage stage) { return ("weft-" + stageName(stage)).str(); }

llvm::StringRef weft::stagePositionName(StagePosition position) {
  return position == StagePosition::Before ? "before" : "after";
}

std::string weft::allStageNames() {
  return llvm::join(llvm::map_range(allStages, stageName), ", ");
}
