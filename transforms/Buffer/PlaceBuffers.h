//===- PlaceBuffers.h - Which buffer lies above which -----------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Buffers whose sizes are known only at run time are placed by an order: of two
// that are alive at once, the later one in the order lies above the earlier one,
// at an offset that is the largest end of those directly below it. This is a
// plan without overlaps for every size. The order is that of offsets in a plan for
// assumed sizes, so that for these it is as good as the plan.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_TRANSFORMS_BUFFER_PLACEBUFFERS_H
#define WEFT_TRANSFORMS_BUFFER_PLACEBUFFERS_H

#include "transforms/Buffer/Lifetimes.h"

namespace weft {

/// An order of buffers.
struct Placement {
  llvm::SmallVector<unsigned> order;
  /// For each buffer those that it lies directly on: their ends bound its offset
  /// from below, and all others' do not.
  std::vector<llvm::SmallVector<unsigned>> below;

  /// The arena's size where buffers have `bytes`; fills their offsets in.
  int64_t place(llvm::ArrayRef<int64_t> bytes, llvm::SmallVectorImpl<int64_t> &offsets) const;
};

/// Orders buffers for sizes that are unknown: `assumed` has some that are likely, and
/// the order is the one that needs the least over the lower bounds for them.
Placement placeBuffers(llvm::ArrayRef<Lifetime> lifetimes,
                       llvm::ArrayRef<llvm::SmallVector<int64_t>> assumed);

} // namespace weft

#endif // WEFT_TRANSFORMS_BUFFER_PLACEBUFFERS_H
