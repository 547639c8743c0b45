//===- PlaceBuffers.cpp - Which buffer lies above which -------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "transforms/Buffer/PlaceBuffers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Sequence.h"

using namespace llvm;
using namespace weft;

/// From this many buffers on one way of placing them has to do.
static constexpr size_t kManyBuffers = 4096;

using Neighbours = std::vector<SmallVector<unsigned>>;

/// For each buffer those that are alive with it.
static Neighbours findConflicts(ArrayRef<Lifetime> lifetimes) {
  Neighbours neighbours(lifetimes.size());
  SmallVector<unsigned> alive;
  auto byStart = to_vector(seq<unsigned>(0, lifetimes.size()));
  stable_sort(byStart,
              [&](unsigned a, unsigned b) { return lifetimes[a].start < lifetimes[b].start; });
  for (unsigned i : byStart) {
    erase_if(alive, [&](unsigned j) { return lifetimes[j].end < lifetimes[i].start; });
    for (unsigned j : alive)
      if (lifetimes[i].conflictsWith(lifetimes[j])) {
        neighbours[i].push_back(j);
        neighbours[j].push_back(i);
      }
    alive.push_back(i);
  }
  return neighbours;
}

/// Places buffers one after the other at the lowest offset that is free while they
/// are alive; returns them by offset.
static SmallVector<unsigned> placeGreedily(const Neighbours &neighbours, ArrayRef<int64_t> bytes,
                                           ArrayRef<unsigned> sequence) {
  SmallVector<int64_t> offsets(bytes.size(), -1);
  SmallVector<unsigned> placed;
  for (unsigned i : sequence) {
    placed.clear();
    copy_if(neighbours[i], std::back_inserter(placed), [&](unsigned j) { return offsets[j] >= 0; });
    stable_sort(placed, [&](unsigned a, unsigned b) { return offsets[a] < offsets[b]; });
    int64_t offset = 0;
    for (unsigned j : placed) {
      if (offsets[j] - offset >= bytes[i])
        break;
      offset = std::max(offset, offsets[j] + bytes[j]);
    }
    offsets[i] = offset;
  }
  auto order = to_vector(seq<unsigned>(0, bytes.size()));
  stable_sort(order, [&](unsigned a, unsigned b) { return offsets[a] < offsets[b]; });
  return order;
}

/// The buffers by an order, and what each lies directly on.
static Placement stack(ArrayRef<Lifetime> lifetimes, const Neighbours &neighbours,
                       ArrayRef<unsigned> order) {
  Placement placement;
  placement.order.assign(order.begin(), order.end());
  placement.below.resize(order.size());
  SmallVector<unsigned> rank(order.size());
  for (auto [i, buffer] : enumerate(order))
    rank[buffer] = static_cast<unsigned>(i);
  for (unsigned buffer : order) {
    SmallVector<unsigned> lower;
    copy_if(neighbours[buffer], std::back_inserter(lower),
            [&](unsigned other) { return rank[other] < rank[buffer]; });
    sort(lower, [&](unsigned a, unsigned b) { return rank[a] > rank[b]; });
    // What lies below one of the others ends below that one's start.
    for (auto [i, other] : enumerate(lower))
      if (none_of(ArrayRef(lower).take_front(i), [&](unsigned between) {
            return lifetimes[between].conflictsWith(lifetimes[other]);
          }))
        placement.below[buffer].push_back(other);
  }
  return placement;
}

int64_t Placement::place(ArrayRef<int64_t> bytes, SmallVectorImpl<int64_t> &offsets) const {
  int64_t total = 0;
  offsets.assign(bytes.size(), 0);
  for (unsigned buffer : order) {
    for (unsigned other : below[buffer])
      offsets[buffer] = std::max(offsets[buffer], offsets[other] + bytes[other]);
    total = std::max(total, offsets[buffer] + bytes[buffer]);
  }
  return total;
}

Placement weft::placeBuffers(ArrayRef<Lifetime> lifetimes, ArrayRef<SmallVector<int64_t>> assumed) {
  Neighbours neighbours = findConflicts(lifetimes);
  SmallVector<int64_t> bounds;
  for (const SmallVector<int64_t> &bytes : assumed)
    bounds.push_back(std::max<int64_t>(mostBytesAlive(lifetimes, bytes), 1));
  std::optional<Placement> best;
  double least = 0;
  auto consider = [&](ArrayRef<int64_t> bytes, auto comesFirst) {
    auto sequence = to_vector(seq<unsigned>(0, lifetimes.size()));
    stable_sort(sequence, comesFirst);
    Placement placement = stack(lifetimes, neighbours, placeGreedily(neighbours, bytes, sequence));
    SmallVector<int64_t> offsets;
    double excess = 0;
    for (auto [sizes, bound] : zip(assumed, bounds))
      excess += static_cast<double>(placement.place(sizes, offsets)) / static_cast<double>(bound);
    if (best && excess >= least)
      return;
    least = excess;
    best = std::move(placement);
  };
  for (const SmallVector<int64_t> &bytes : assumed) {
    consider(bytes, [&](unsigned a, unsigned b) { return bytes[a] > bytes[b]; });
    bool isPerfect = least <= static_cast<double>(assumed.size());
    if (isPerfect || lifetimes.size() >= kManyBuffers)
      break;
    // Long lives first: what dies soon fits between them.
    consider(bytes, [&](unsigned a, unsigned b) {
      auto area = [&](unsigned i) {
        return static_cast<double>(bytes[i]) *
               static_cast<double>(lifetimes[i].end - lifetimes[i].start + 1);
      };
      return area(a) > area(b);
    });
    consider(bytes,
             [&](unsigned a, unsigned b) { return lifetimes[a].start < lifetimes[b].start; });
  }
  return best ? std::move(*best) : Placement();
}
