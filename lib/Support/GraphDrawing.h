//===- GraphDrawing.h - Pictures of directed graphs -------------*- C++ -*-===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_SUPPORT_GRAPHDRAWING_H
#define WEFT_SUPPORT_GRAPHDRAWING_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <string>
#include <vector>

namespace weft {

/// An acyclic graph to be drawn from top to bottom.
struct DrawnGraph {
  struct Node {
    std::string label;       ///< shown
    std::string detail;      ///< shown where the pointer rests
    bool isArgument = false; ///< an input or output of the whole
  };
  struct Edge {
    size_t from, to;    ///< indices of nodes, from != to
    std::string detail; ///< the value
  };
  std::string title;
  std::vector<Node> nodes;
  std::vector<Edge> edges;
};

/// For Graphviz.
void writeDot(const DrawnGraph &graph, llvm::raw_ostream &os);

/// A picture of its own. Layers by longest path from the inputs, order within
/// layers by the mean position of neighbours, after Sugiyama, Tagawa and Toda,
/// "Methods for Visual Understanding of Hierarchical System Structures" (1981).
void writeSvg(const DrawnGraph &graph, llvm::raw_ostream &os);

/// `text` with what XML and HTML give a meaning to, and control characters,
/// replaced; invalid UTF-8 becomes U+FFFD.
std::string escapeXml(llvm::StringRef text);

} // namespace weft

#endif // WEFT_SUPPORT_GRAPHDRAWING_H
