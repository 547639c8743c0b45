//===- Stage.h - The eight stages a model flows through ---------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A stage is a named pipeline (`weft-<stage>`), an extension point for plugins
// (before and after it), a stop of `--compile-to=`, and a folder.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_STAGE_H
#define WEFT_STAGE_H

#include "llvm/ADT/StringRef.h"

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace weft {

/// In the order in which a model passes through them.
enum class Stage : uint8_t {
  Input,  ///< The source format is gone.
  Model,  ///< Values are final: constants, weights, precision.
  Fuse,   ///< One host function per device family dispatches kernels.
  Tile,   ///< Kernels have a schedule and are tiled by it.
  Vector, ///< Tiles are vector code.
  Buffer, ///< Memrefs and one planned arena.
  Target, ///< The target's own dialect, then objects.
  Module, ///< A module on disk.
};

inline constexpr std::array<Stage, 8> allStages = {Stage::Input,  Stage::Model,  Stage::Fuse,
                                                   Stage::Tile,   Stage::Vector, Stage::Buffer,
                                                   Stage::Target, Stage::Module};

/// Where a plugin's callback runs, relative to the stage's own passes.
enum class StagePosition : uint8_t { Before, After };

/// "input", "model", ...
llvm::StringRef stageName(Stage stage);

/// The stage of that name, or nothing.
std::optional<Stage> parseStage(llvm::StringRef name);

/// "weft-input", "weft-model", ...: the stage as a named pipeline.
std::string stagePipelineName(Stage stage);

/// "before" or "after".
llvm::StringRef stagePositionName(StagePosition position);

/// "input, model, ..., module", for messages.
std::string allStageNames();

} // namespace weft

#endif // WEFT_STAGE_H
