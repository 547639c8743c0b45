//===- VerifyTest.cpp - Tests of the structural verifier ------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Verify.h"
#include "Frontend/ONNX/Reader/Reader.h"

#include "WireWriter.h"

#include <gtest/gtest.h>

using namespace weft;
using namespace weft::onnx;
using namespace weft::onnx::test;

/// "fine", or what is wrong with the model, without "m.onnx: ".
static std::string check(const Message &message) {
  Result<Model> parsed = readModel(message.span(), "m.onnx");
  if (!parsed)
    return parsed.error().message;
  Status status = verify(*parsed);
  if (status)
    return "fine";
  EXPECT_TRUE(status.error().message.starts_with("m.onnx: "));
  return status.error().message.substr(8);
}

/// Checks a model with the graph "g".
static std::string checkGraph(Message graph) { return check(model(graph.text(2, "g"))); }

/// An AttributeProto that holds a graph.
static Message graphAttribute(std::string_view name, const Message &graph) {
  return Message().text(1, name).varint(20, 5).message(6, graph);
}

static Message floatTensor(std::string_view name) { return tensor(name, 1, {1}).fixed32(4, 1); }

TEST(Verify, AcceptsAGraph) {
  EXPECT_EQ(checkGraph(Message()
                           .message(11, value("x"))
                           .message(5, floatTensor("w"))
                           .message(1, node("n", "Add", {"x", "w"}, {"y"}))
                           .message(1, node("", "Clip", {"y", "", "w"}, {"z", ""}))
                           .message(12, value("z"))),
            "fine");
}

TEST(Verify, AnInputMayHaveADefault) {
  EXPECT_EQ(
      checkGraph(
          Message().message(11, value("w")).message(5, floatTensor("w")).message(12, value("w"))),
      "fine");
}

TEST(Verify, ValuesHaveOneDefinition) {
  Message x = value("x");
  EXPECT_EQ(checkGraph(Message().message(11, x).message(11, x)),
            "graph 'g': the value 'x' is defined twice, by input 0 and by input "
            "1");
  EXPECT_EQ(checkGraph(Message().message(11, x).message(1, node("n", "Relu", {"x"}, {"x"}))),
            "graph 'g': the value 'x' is defined twice, by input 0 and by node "
            "'n' (Relu)");
  EXPECT_EQ(checkGraph(Message().message(5, floatTensor("w")).message(5, floatTensor("w"))),
            "graph 'g': the value 'w' is defined twice, by initializer 0 and by "
            "initializer 1");
  EXPECT_EQ(checkGraph(Message()
                           .message(11, value("w"))
                           .message(5, floatTensor("w"))
                           .message(5, floatTensor("w"))),
            "graph 'g': the value 'w' is defined twice, by initializer 0 and by "
            "initializer 1");
  EXPECT_EQ(checkGraph(Message()
                           .message(11, x)
                           .message(1, node("a", "Relu", {"x"}, {"y"}))
                           .message(1, node("", "Abs", {"x"}, {"y"}))),
            "graph 'g': the value 'y' is defined twice, by node 'a' (Relu) and "
            "by node 1 (Abs)");
  EXPECT_EQ(checkGraph(Message().message(1, node("a", "Split", {}, {"y", "y"}))),
            "graph 'g': the value 'y' is defined twice, by node 'a' (Split) and "
            "by node 'a' (Split)");
}

TEST(Verify, NamesAreNeeded) {
  EXPECT_EQ(checkGraph(Message().message(11, Message())),
            "graph 'g': input 0: expected a name, found none");
  EXPECT_EQ(checkGraph(Message().message(12, Message())),
            "graph 'g': output 0: expected a name, found none");
  EXPECT_EQ(checkGraph(Message().message(5, tensor("", 1, {0}))),
            "graph 'g': initializer 0: expected a name, found none");
  EXPECT_EQ(checkGraph(Message().message(1, Message().text(3, "n"))),
            "graph 'g': node 'n' (no operator): expected an operator (op_type), "
            "found none");
}

TEST(Verify, UsesNeedADefinition) {
  EXPECT_EQ(checkGraph(Message().message(1, node("n", "Relu", {"x"}, {"y"}))),
            "graph 'g': node 'n' (Relu) uses 'x', which no input, initializer "
            "or node defines");
  EXPECT_EQ(checkGraph(Message().message(12, value("y"))),
            "graph 'g': output 'y' is defined by no input, initializer or node");
  EXPECT_EQ(
      checkGraph(Message().message(11, value("x")).message(12, value("x")).message(12, value("x"))),
      "graph 'g': output 'x': expected it once, found it twice");
}

TEST(Verify, NodesAreInTopologicalOrder) {
  EXPECT_EQ(checkGraph(Message()
                           .message(11, value("x"))
                           .message(1, node("b", "Relu", {"y"}, {"z"}))
                           .message(1, node("a", "Abs", {"x"}, {"y"}))),
            "graph 'g': node 'b' (Relu) uses 'y' before node 'a' (Abs) defines "
            "it; expected nodes in topological order");
}

TEST(Verify, CyclesAreNamed) {
  EXPECT_EQ(checkGraph(Message().message(1, node("a", "Relu", {"y"}, {"y"}))),
            "graph 'g': node 'a' (Relu) uses 'y' before it defines it itself; "
            "the graph is cyclic: node 'a' (Relu) needs node 'a' (Relu)");
  EXPECT_EQ(checkGraph(Message()
                           .message(1, node("a", "Relu", {"z"}, {"y"}))
                           .message(1, node("b", "Abs", {"y"}, {"z"}))),
            "graph 'g': node 'a' (Relu) uses 'z' before node 'b' (Abs) defines "
            "it; the graph is cyclic: node 'a' (Relu) needs node 'b' (Abs) "
            "needs node 'a' (Relu)");
  // Through a subgraph.
  Message body = Message().message(1, node("i", "Abs", {"y"}, {"o"})).message(12, value("o"));
  Message branch = graphAttribute("then_branch", body);
  EXPECT_EQ(checkGraph(Message()
                           .message(11, value("c"))
                           .message(1, node("if", "If", {"c"}, {"y"}).message(5, branch))),
            "graph 'g': node 'if' (If): attribute 'then_branch': node 'i' (Abs) "
            "uses 'y' before node 'if' (If) defines it; the graph is cyclic: "
            "node 'if' (If) needs node 'if' (If)");
}

TEST(Verify, LongCyclesNeedNoStack) {
  Message graph;
  constexpr int count = 50000;
  for (int i = 0; i < count; ++i)
    graph.message(
        1, node("", "Abs", {"v" + std::to_string((i + 1) % count)}, {"v" + std::to_string(i)}));
  std::string error = checkGraph(graph);
  EXPECT_NE(error.find("the graph is cyclic: node 0 (Abs) needs node 1 (Abs)"), std::string::npos)
      << error;
  EXPECT_LT(error.size(), 600u);
}

TEST(Verify, SubgraphsSeeWhatIsDefinedBefore) {
  Message body = Message()
                     .text(2, "body")
                     .message(1, node("i", "Abs", {"x"}, {"o"}))
                     .message(12, value("o"))
                     .message(12, value("o"))
                     .message(12, value("x"));
  Message ifNode = node("if", "If", {"c"}, {"y"}).message(5, graphAttribute("then_branch", body));
  EXPECT_EQ(
      checkGraph(Message().message(11, value("c")).message(11, value("x")).message(1, ifNode)),
      "fine");
  EXPECT_EQ(checkGraph(Message()
                           .message(11, value("c"))
                           .message(1, ifNode)
                           .message(1, node("late", "Abs", {"c"}, {"x"}))),
            "graph 'g': node 'if' (If): attribute 'then_branch': graph 'body': "
            "node 'i' (Abs) uses 'x' before node 'late' (Abs) defines it; "
            "expected nodes in topological order");
  // What a subgraph defines is not seen outside.
  EXPECT_EQ(checkGraph(Message()
                           .message(11, value("c"))
                           .message(11, value("x"))
                           .message(1, ifNode)
                           .message(1, node("n", "Abs", {"o"}, {"z"}))),
            "graph 'g': node 'n' (Abs) uses 'o', which no input, initializer or "
            "node defines");
}

TEST(Verify, ASubgraphMayHideANameOnce) {
  Message body = Message().message(11, value("x")).message(12, value("x"));
  EXPECT_EQ(checkGraph(Message()
                           .message(11, value("x"))
                           .message(1, node("l", "Loop", {"", "", "x"}, {"y"})
                                           .message(5, graphAttribute("body", body)))),
            "fine");
}

TEST(Verify, AttributesAreWhatTheySay) {
  auto check = [](const Message &attribute) {
    return checkGraph(Message().message(1, node("n", "Op", {}, {}).message(5, attribute)));
  };
  std::string where = "graph 'g': node 'n' (Op): attribute ";
  EXPECT_EQ(check(Message().text(1, "a").varint(20, 1).fixed32(2, 1)), "fine");
  // Of IR version 1, and zeros that are left out.
  EXPECT_EQ(check(Message().text(1, "a").varint(8, 1).varint(8, 2)), "fine");
  EXPECT_EQ(check(Message().text(1, "a").varint(20, 2)), "fine");
  EXPECT_EQ(check(Message().text(1, "a").varint(20, 7)), "fine");
  EXPECT_EQ(check(Message().varint(20, 1)),
            "graph 'g': node 'n' (Op): attribute 0: expected a name, found none");
  EXPECT_EQ(check(Message().text(1, "a")),
            where + "'a': expected a type from 1 (FLOAT) to 14 (TYPE_PROTOS), "
                    "found 0");
  EXPECT_EQ(check(Message().text(1, "a").varint(20, 15)),
            where + "'a': expected a type from 1 (FLOAT) to 14 (TYPE_PROTOS), "
                    "found 15");
  EXPECT_EQ(check(Message().text(1, "a").varint(20, 7).fixed32(2, 1)),
            where + "'a': expected a value of type INTS, found FLOAT");
  EXPECT_EQ(check(Message().text(1, "a").varint(20, 4)),
            where + "'a': expected a value of type TENSOR, found none");
  EXPECT_EQ(check(Message().text(1, "a").varint(20, 2).text(21, "b")),
            where + "'a': it refers to the function attribute 'b', but is not "
                    "in a function");
  EXPECT_EQ(
      check(Message().text(1, "a").varint(20, 4).message(5, tensor("", 1, {3}).text(9, "abcd"))),
      where + "'a': an unnamed tensor: expected 12 bytes of data for "
              "float [3], found 4");
  Message twice = Message().text(1, "a").varint(20, 2).varint(3, 1);
  EXPECT_EQ(
      checkGraph(Message().message(1, node("n", "Op", {}, {}).message(5, twice).message(5, twice))),
      where + "'a': expected it once, found it twice");
}

TEST(Verify, InitializersHaveTheirData) {
  EXPECT_EQ(checkGraph(Message().message(5, tensor("w", 1, {2}).fixed32(4, 1))),
            "graph 'g': initializer: tensor 'w': expected 2 values in "
            "float_data for float [2], found 1");
}

TEST(Verify, SparseTensors) {
  auto check = [](const Message &values, const Message &indices) {
    return checkGraph(
        Message().message(15, Message().message(1, values).message(2, indices).packed(3, {4, 4})));
  };
  Message values = tensor("s", 1, {2}).fixed32(4, 1).fixed32(4, 2);
  EXPECT_EQ(check(values, tensor("", 7, {2}).packed(7, {1, 2})), "fine");
  EXPECT_EQ(check(values, tensor("", 7, {2, 2}).packed(7, {1, 2, 3, 3})), "fine");
  std::string where = "graph 'g': initializer: sparse tensor 's'";
  EXPECT_EQ(check(values, tensor("", 6, {2}).packed(5, {1, 2})),
            where + ": expected indices of type int64, found int32");
  EXPECT_EQ(check(values, tensor("", 7, {1, 2}).packed(7, {1, 2})),
            where + ": expected indices of shape [2] or [2, 2], one for each "
                    "value, found another shape");
  EXPECT_EQ(check(tensor("s", 1, {2}), tensor("", 7, {2}).packed(7, {1, 2})),
            where + ", values: tensor 's': expected 8 bytes of data for float "
                    "[2], found 0");
  EXPECT_EQ(check(tensor("s", 1, {}).fixed32(4, 1), tensor("", 7, {1}).packed(7, {1})),
            where + ": expected values of rank 1, found rank 0");
}

//===----------------------------------------------------------------------===//
// Opsets and functions
//===----------------------------------------------------------------------===//

static Message opset(std::string_view domain, uint64_t version) {
  return Message().text(1, domain).varint(2, version);
}

TEST(Verify, DefaultDomainNeedsAnOpset) {
  Message graph = Message().text(2, "g").message(1, node("n", "Op", {}, {}));
  Message bare = Message().varint(1, 8).message(7, graph);
  EXPECT_EQ(check(Message(bare).message(8, opset("com.x", 1))),
            "graph 'g': node 'n' (Op) is an operator of the ONNX domain: "
            "expected an opset_import of that domain, found none");
  EXPECT_EQ(check(Message(bare).message(8, opset("ai.onnx", 17))), "fine");
  EXPECT_EQ(check(Message(bare).message(8, opset("", 17)).message(8, opset("ai.onnx", 18))),
            "opset_import of domain '': expected one version, found 17 and 18");
}

/// A function of domain "f" that imports opset 17.
static Message function(std::string_view name, Message body) {
  return body.text(1, name).text(10, "f").message(9, opset("", 17));
}

static Message call(std::string_view name) { return node("", name, {}, {}).text(7, "f"); }

TEST(Verify, FunctionBodies) {
  Message base = model(Message());
  Message identity = function(
      "Id",
      Message()
          .text(4, "x")
          .text(5, "y")
          .text(6, "alpha")
          .message(7, node("n", "Elu", {"x"}, {"y"})
                          .message(5, Message().text(1, "alpha").varint(20, 1).text(21, "alpha"))));
  EXPECT_EQ(check(Message(base).message(25, identity)), "fine");
  EXPECT_EQ(check(Message(base).message(25, identity).message(25, identity)),
            "function 'Id' of domain 'f' is defined twice");
  EXPECT_EQ(
      check(
          Message(base).message(25, identity).message(25, Message(identity).text(13, "overload"))),
      "fine");
  EXPECT_EQ(check(Message(base).message(25, function("F", Message().text(5, "y")))),
            "function 'F': output 'y' is defined by no input or node");
  EXPECT_EQ(check(Message(base).message(25, function("F", Message().text(6, "a").text(6, "a")))),
            "function 'F': attribute 'a': expected it once, found it twice");
  EXPECT_EQ(check(Message(base).message(25, function("", Message()))),
            "function 0: expected a name, found none");
  // The graph's values are not seen.
  EXPECT_EQ(
      check(model(Message().message(11, value("x")))
                .message(25, function("F", Message().message(7, node("n", "Abs", {"x"}, {}))))),
      "function 'F': node 'n' (Abs) uses 'x', which no input, initializer "
      "or node defines");
}

TEST(Verify, FunctionsDoNotCallThemselves) {
  Message base = model(Message());
  EXPECT_EQ(check(Message(base).message(25, function("F", Message().message(7, call("F"))))),
            "function 'F' calls itself, by way of function 'F'");
  EXPECT_EQ(check(Message(base)
                      .message(25, function("F", Message().message(7, call("G"))))
                      .message(25, function("G", Message().message(7, call("F"))))),
            "function 'F' calls itself, by way of function 'G'");
  Message branch = graphAttribute("b", Message().message(1, call("F")));
  EXPECT_EQ(
      check(Message(base).message(
          25, function("F", Message().message(7, node("", "If", {}, {}).message(5, branch))))),
      "function 'F' calls itself, by way of function 'F'");
}

TEST(Verify, InliningHasALimit) {
  // Each function calls the next one twice.
  Message bomb = model(Message().message(1, call("f0")));
  for (int i = 0; i < 64; ++i) {
    Message next = call("f" + std::to_string(i + 1));
    bomb.message(25,
                 function("f" + std::to_string(i), Message().message(7, next).message(7, next)));
  }
  bomb.message(25, function("f64", Message().message(7, node("", "Op", {}, {}))));
  EXPECT_EQ(check(bomb), "the graph has more than 4000000 nodes once functions "
                         "are inlined, the limit");
}
