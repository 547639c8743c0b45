//===- GraphDrawing.cpp - Pictures of directed graphs ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Support/GraphDrawing.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <algorithm>

using namespace weft;
using llvm::raw_ostream;
using llvm::StringRef;

std::string weft::escapeXml(StringRef text) {
  std::string valid = llvm::json::fixUTF8(text), out;
  for (char c : valid) {
    switch (c) {
    case '&':
      out += "&amp;";
      break;
    case '<':
      out += "&lt;";
      break;
    case '>':
      out += "&gt;";
      break;
    case '"':
      out += "&quot;";
      break;
    case '\'':
      out += "&#39;";
      break;
    case '\n':
      out += "&#10;";
      break;
    default:
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

static std::string escapeDot(StringRef text) {
  std::string valid = llvm::json::fixUTF8(text), out;
  for (char c : valid) {
    if (c == '"' || c == '\\')
      out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

void weft::writeDot(const DrawnGraph &graph, raw_ostream &os) {
  os << "digraph \"" << escapeDot(graph.title) << "\" {\n"
     << "  node [shape=box, fontname=\"sans-serif\", fontsize=11];\n"
     << "  edge [fontname=\"sans-serif\", fontsize=9];\n";
  for (auto [index, node] : llvm::enumerate(graph.nodes))
    os << "  n" << index << " [label=\"" << escapeDot(node.label) << "\", tooltip=\""
       << escapeDot(node.detail) << "\"" << (node.isArgument ? ", style=rounded" : "") << "];\n";
  for (const DrawnGraph::Edge &edge : graph.edges)
    os << "  n" << edge.from << " -> n" << edge.to << " [label=\"" << escapeDot(edge.detail)
       << "\"];\n";
  os << "}\n";
}

namespace {

/// A node of the layered graph: one of the drawing, or a bend of a long edge.
struct Place {
  size_t layer = 0;
  double x = 0; ///< of its middle
  double width = 0;
  std::vector<size_t> above, below;
};

/// Where everything goes.
class Layout {
public:
  explicit Layout(const DrawnGraph &graph);

  std::vector<Place> places; ///< the graph's nodes first
  /// Places that each edge passes, with both ends.
  std::vector<std::vector<size_t>> paths;
  double width = 0, height = 0;

  static constexpr double nodeHeight = 26, layerHeight = 62, gap = 18, margin = 20;
  double yOf(size_t place) const {
    return margin + layerHeight * static_cast<double>(places[place].layer) + nodeHeight / 2;
  }

private:
  void chooseLayers(const DrawnGraph &graph);
  void bendEdges(const DrawnGraph &graph);
  void orderLayers();
  void chooseColumns();

  std::vector<std::vector<size_t>> layers;
};

} // namespace

Layout::Layout(const DrawnGraph &graph) : places(graph.nodes.size()) {
  for (auto [index, node] : llvm::enumerate(graph.nodes))
    places[index].width = 7.0 * static_cast<double>(node.label.size()) + 20;
  chooseLayers(graph);
  bendEdges(graph);
  orderLayers();
  chooseColumns();
}

/// Each node lies below all that it takes values from.
void Layout::chooseLayers(const DrawnGraph &graph) {
  std::vector<std::vector<size_t>> users(graph.nodes.size());
  std::vector<size_t> waiting(graph.nodes.size());
  for (const DrawnGraph::Edge &edge : graph.edges) {
    users[edge.from].push_back(edge.to);
    ++waiting[edge.to];
  }
  std::vector<size_t> ready;
  for (size_t node = 0; node < graph.nodes.size(); ++node)
    if (!waiting[node])
      ready.push_back(node);
  while (!ready.empty()) {
    size_t node = ready.back();
    ready.pop_back();
    for (size_t user : users[node]) {
      places[user].layer = std::max(places[user].layer, places[node].layer + 1);
      if (--waiting[user] == 0)
        ready.push_back(user);
    }
  }
}

/// An edge that skips layers gets a place in each, so that it goes around
/// nodes.
void Layout::bendEdges(const DrawnGraph &graph) {
  // Beyond this many bends a picture is too dense to follow a line anyway.
  constexpr size_t mostBends = 100'000;
  for (const DrawnGraph::Edge &edge : graph.edges) {
    std::vector<size_t> path = {edge.from};
    for (size_t layer = places[edge.from].layer + 1;
         layer < places[edge.to].layer && places.size() < graph.nodes.size() + mostBends; ++layer) {
      path.push_back(places.size());
      places.push_back(Place{layer, 0, 2, {}, {}});
    }
    path.push_back(edge.to);
    for (size_t i = 0; i + 1 < path.size(); ++i) {
      places[path[i]].below.push_back(path[i + 1]);
      places[path[i + 1]].above.push_back(path[i]);
    }
    paths.push_back(std::move(path));
  }
  for (size_t place = 0; place < places.size(); ++place) {
    if (places[place].layer >= layers.size())
      layers.resize(places[place].layer + 1);
    layers[places[place].layer].push_back(place);
  }
}

/// Four sweeps down and up: each place goes to the mean of its neighbours'
/// ranks.
void Layout::orderLayers() {
  std::vector<double> rank(places.size());
  auto number = [&](const std::vector<size_t> &layer) {
    for (auto [index, place] : llvm::enumerate(layer))
      rank[place] = static_cast<double>(index);
  };
  for (const std::vector<size_t> &layer : layers)
    number(layer);
  auto sort = [&](std::vector<size_t> &layer, bool byAbove) {
    std::vector<std::pair<double, size_t>> keys;
    for (size_t place : layer) {
      const std::vector<size_t> &others = byAbove ? places[place].above : places[place].below;
      double sum = 0;
      for (size_t other : others)
        sum += rank[other];
      keys.push_back(
          {others.empty() ? rank[place] : sum / static_cast<double>(others.size()), place});
    }
    llvm::stable_sort(keys, llvm::less_first());
    for (auto [index, key] : llvm::enumerate(keys))
      layer[index] = key.second;
    number(layer);
  };
  for (int sweep = 0; sweep < 4; ++sweep) {
    for (std::vector<size_t> &layer : layers)
      sort(layer, /*byAbove=*/true);
    for (std::vector<size_t> &layer : llvm::reverse(layers))
      sort(layer, /*byAbove=*/false);
  }
}

/// Places stand as near to those above them as their order allows.
void Layout::chooseColumns() {
  for (const std::vector<size_t> &layer : layers) {
    double right = 0;
    for (size_t index : layer) {
      Place &place = places[index];
      double wanted = 0;
      for (size_t other : place.above)
        wanted += places[other].x;
      if (!place.above.empty())
        wanted /= static_cast<double>(place.above.size());
      place.x = std::max(wanted, right + place.width / 2);
      right = place.x + place.width / 2 + gap;
    }
    // What was pushed to the right goes back in the layer's middle.
    double shift = 0;
    size_t count = 0;
    for (size_t index : layer)
      for (size_t other : places[index].above) {
        shift += places[other].x - places[index].x;
        ++count;
      }
    if (count)
      shift /= static_cast<double>(count);
    for (size_t index : layer)
      places[index].x += shift;
  }
  double left = 0, right = 0;
  for (const Place &place : places) {
    left = std::min(left, place.x - place.width / 2);
    right = std::max(right, place.x + place.width / 2);
  }
  for (Place &place : places)
    place.x += margin - left;
  width = right - left + 2 * margin;
  height = layerHeight * static_cast<double>(layers.size()) + 2 * margin;
}

void weft::writeSvg(const DrawnGraph &graph, raw_ostream &os) {
  Layout layout(graph);
  auto number = [](double value) { return llvm::format("%.1f", value); };
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << number(layout.width)
     << "\" height=\"" << number(layout.height)
     << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
     << "<title>" << escapeXml(graph.title) << "</title>\n"
     << "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" "
        "markerWidth=\"7\" "
        "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" "
        "fill=\"#667\"/></marker></defs>\n"
     << "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
  for (auto [edge, path] : llvm::zip(graph.edges, layout.paths)) {
    double x = layout.places[path.front()].x, y = layout.yOf(path.front()) + Layout::nodeHeight / 2;
    os << "<path d=\"M" << number(x) << " " << number(y);
    for (size_t i = 1; i < path.size(); ++i) {
      bool isLast = i + 1 == path.size();
      double nextX = layout.places[path[i]].x;
      double nextY = layout.yOf(path[i]) - (isLast ? Layout::nodeHeight / 2 : 0);
      double middle = (y + nextY) / 2;
      os << "C" << number(x) << " " << number(middle) << " " << number(nextX) << " "
         << number(middle) << " " << number(nextX) << " " << number(nextY);
      x = nextX;
      y = nextY;
    }
    os << "\" fill=\"none\" stroke=\"#667\" marker-end=\"url(#tip)\"><title>"
       << escapeXml(edge.detail) << "</title></path>\n";
  }
  for (auto [index, node] : llvm::enumerate(graph.nodes)) {
    const Place &place = layout.places[index];
    double y = layout.yOf(index);
    os << "<g><title>" << escapeXml(node.detail) << "</title><rect x=\""
       << number(place.x - place.width / 2) << "\" y=\"" << number(y - Layout::nodeHeight / 2)
       << "\" width=\"" << number(place.width) << "\" height=\"" << number(Layout::nodeHeight)
       << "\" rx=\"" << (node.isArgument ? 13 : 4) << "\" fill=\""
       << (node.isArgument ? "#e8f0e4" : "#e6ecf5") << "\" stroke=\"#446\"/><text x=\""
       << number(place.x) << "\" y=\"" << number(y + 4) << "\" text-anchor=\"middle\">"
       << escapeXml(node.label) << "</text></g>\n";
  }
  os << "</svg>\n";
}
