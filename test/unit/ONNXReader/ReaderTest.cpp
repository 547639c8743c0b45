//===- ReaderTest.cpp - Tests of reading whole models ---------------------===//
//
// Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frontend/ONNX/Reader/Reader.h"
#include "Frontend/ONNX/Reader/Verify.h"

#include "TestFiles.h"
#include "WireWriter.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <sys/stat.h>

using namespace weft;
using namespace weft::onnx;
using namespace weft::onnx::test;

static std::string readError(std::span<const uint8_t> bytes, const ReaderLimits &limits = {}) {
  Result<Model> parsed = readModel(bytes, "m.onnx", "", limits);
  return parsed ? "parsed" : parsed.error().message;
}
static std::string readError(const Message &message) { return readError(message.span()); }

//===----------------------------------------------------------------------===//
// Every field
//===----------------------------------------------------------------------===//

static Message pair(std::string_view key, std::string_view value) {
  return Message().text(1, key).text(2, value);
}

TEST(Reader, ReadsModels) {
  Message message = Message()
                        .varint(1, 8)
                        .text(2, "producer")
                        .text(3, "1.2")
                        .text(4, "com.me")
                        .varint(5, 7)
                        .text(6, "doc")
                        .message(7, Message().text(2, "g").text(10, "graph doc"))
                        .message(8, Message().text(1, "com.microsoft").varint(2, 1))
                        .message(8, Message().varint(2, 21))
                        .message(14, pair("k", "v"))
                        .message(20, Message()
                                         .message(1, Message().text(2, "init"))
                                         .message(2, Message().text(2, "step"))
                                         .message(3, pair("a", "b"))
                                         .message(4, pair("c", "d")))
                        .message(26, Message().text(1, "cfg").varint(2, 4).text(3, "gpu0"));
  Result<Model> parsed = readModel(message.span(), "m.onnx");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->irVersion, 8);
  EXPECT_EQ(parsed->producerName, "producer");
  EXPECT_EQ(parsed->producerVersion, "1.2");
  EXPECT_EQ(parsed->domain, "com.me");
  EXPECT_EQ(parsed->modelVersion, 7);
  EXPECT_EQ(parsed->docString, "doc");
  EXPECT_EQ(parsed->graph.name, "g");
  EXPECT_EQ(parsed->graph.docString, "graph doc");
  EXPECT_EQ(findOpset(parsed->opsets, "ai.onnx"), 21);
  EXPECT_EQ(findOpset(parsed->opsets, "com.microsoft"), 1);
  EXPECT_EQ(findOpset(parsed->opsets, "other"), std::nullopt);
  ASSERT_EQ(parsed->metadata.size(), 1u);
  EXPECT_EQ(parsed->metadata[0].value, "v");
  ASSERT_EQ(parsed->trainingInfos.size(), 1u);
  EXPECT_EQ(parsed->trainingInfos[0].algorithm.name, "step");
  EXPECT_EQ(parsed->trainingInfos[0].initialization.name, "init");
  EXPECT_EQ(parsed->trainingInfos[0].updateBindings[0].key, "c");
  ASSERT_EQ(parsed->deviceConfigurations.size(), 1u);
  EXPECT_EQ(parsed->deviceConfigurations[0].numDevices, 4);
  EXPECT_EQ(parsed->deviceConfigurations[0].devices[0], "gpu0");
  // Views into the message, also once the model has moved.
  Model moved = std::move(*parsed);
  EXPECT_GE(moved.domain.data(), message.bytes.data());
  EXPECT_LT(moved.domain.data(), message.bytes.data() + message.bytes.size());
}

/// Reads a model with one node that has one attribute.
static Result<Model> readAttribute(Message &storage, const Message &attribute) {
  storage = model(Message().message(1, node("n", "Op", {}, {}).message(5, attribute)));
  return readModel(storage.span(), "m.onnx");
}

TEST(Reader, ReadsEveryKindOfAttribute) {
  struct Case {
    AttributeKind kind;
    Message value;
    std::function<bool(const NodeAttribute &)> check;
  };
  Message named = Message().text(2, "sub");
  Message sparse =
      Message().message(1, tensor("s", 1, {0})).message(2, tensor("i", 7, {0})).varint(3, 5);
  Message type = Message().message(1, Message().varint(1, 1));
  std::vector<Case> cases;
  using A = const NodeAttribute &;
  cases.push_back(
      {AttributeKind::Float, Message().fixed32(2, 0.5f), [](A a) { return a.f == 0.5f; }});
  cases.push_back(
      {AttributeKind::Int, Message().varint(3, uint64_t(-3)), [](A a) { return a.i == -3; }});
  cases.push_back(
      {AttributeKind::String, Message().text(4, "text"), [](A a) { return a.s == "text"; }});
  cases.push_back({AttributeKind::Tensor, Message().message(5, tensor("t", 1, {})),
                   [](A a) { return a.tensors.at(0).name == "t"; }});
  cases.push_back({AttributeKind::Graph, Message().message(6, named),
                   [](A a) { return a.graphs.at(0).name == "sub"; }});
  cases.push_back({AttributeKind::Floats, Message().fixed32(7, 1).fixed32(7, 2), [](A a) {
                     return a.floats.values() == std::vector<float>{1, 2};
                   }});
  cases.push_back({AttributeKind::Ints, Message().varint(8, 1).varint(8, 2), [](A a) {
                     return a.ints.values() == std::vector<int64_t>{1, 2};
                   }});
  cases.push_back({AttributeKind::Strings, Message().text(9, "a").text(9, "b"),
                   [](A a) { return a.strings.at(1) == "b"; }});
  cases.push_back({AttributeKind::Tensors,
                   Message().message(10, tensor("a", 1, {})).message(10, tensor("b", 1, {})),
                   [](A a) { return a.tensors.at(1).name == "b"; }});
  cases.push_back({AttributeKind::Graphs, Message().message(11, named).message(11, named),
                   [](A a) { return a.graphs.size() == 2; }});
  cases.push_back({AttributeKind::Type, Message().message(14, type),
                   [](A a) { return a.types.at(0).kind == ValueType::Kind::Tensor; }});
  cases.push_back({AttributeKind::Types, Message().message(15, type).message(15, type),
                   [](A a) { return a.types.size() == 2; }});
  cases.push_back({AttributeKind::SparseTensor, Message().message(22, sparse), [](A a) {
                     return a.sparseTensors.at(0).dims.at(0) == 5 &&
                            a.sparseTensors.at(0).values.name == "s" &&
                            a.sparseTensors.at(0).indices.name == "i";
                   }});
  cases.push_back({AttributeKind::SparseTensors, Message().message(23, sparse).message(23, sparse),
                   [](A a) { return a.sparseTensors.size() == 2; }});
  for (const Case &entry : cases)
    for (bool typed : {true, false}) {
      Message attribute = Message(entry.value).text(1, "a").text(13, "doc");
      if (typed)
        attribute.varint(20, static_cast<uint64_t>(entry.kind));
      Message storage;
      Result<Model> parsed = readAttribute(storage, attribute);
      ASSERT_TRUE(parsed) << parsed.error().message;
      const Node &only = parsed->graph.nodes.at(0);
      const NodeAttribute *found = only.find("a");
      ASSERT_TRUE(found);
      EXPECT_EQ(found->kind, entry.kind);
      EXPECT_EQ(found->docString, "doc");
      EXPECT_EQ(found->present, 1u << static_cast<unsigned>(entry.kind));
      EXPECT_TRUE(entry.check(*found)) << name(entry.kind);
      EXPECT_EQ(only.find("b"), nullptr);
    }
}

TEST(Reader, ReadsTypes) {
  Message shape = Message()
                      .message(1, Message().varint(1, 3).text(3, "BATCH"))
                      .message(1, Message().text(2, "n"))
                      .message(1, Message());
  Message tensorType = Message().message(1, Message().varint(1, 16).message(2, shape));
  Message map = Message().message(5, Message().varint(1, 8).message(2, tensorType));
  Message sequence = Message().message(4, Message().message(1, map));
  Message optional = Message().message(9, Message().message(1, sequence)).text(6, "IMAGE");
  Message sparse = Message().message(8, Message().varint(1, 1));
  Message opaque = Message().message(7, Message().text(1, "d").text(2, "o"));
  Message graph;
  for (const Message &type : {optional, sparse, opaque, Message()})
    graph.message(
        11, Message().text(1, "v").message(2, type).text(3, "doc").message(4, pair("k", "v")));
  Message storage = model(graph);
  Result<Model> parsed = readModel(storage.span(), "m.onnx");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto &inputs = parsed->graph.inputs;
  ASSERT_EQ(inputs.size(), 4u);
  EXPECT_EQ(inputs[0].docString, "doc");
  EXPECT_EQ(inputs[0].metadata.size(), 1u);
  const ValueType &first = inputs[0].type;
  EXPECT_EQ(first.kind, ValueType::Kind::Optional);
  EXPECT_EQ(first.denotation, "IMAGE");
  const ValueType &second = first.nested.at(0);
  EXPECT_EQ(second.kind, ValueType::Kind::Sequence);
  const ValueType &third = second.nested.at(0);
  EXPECT_EQ(third.kind, ValueType::Kind::Map);
  EXPECT_EQ(third.keyType, ElementType::String);
  const ValueType &fourth = third.nested.at(0);
  EXPECT_EQ(fourth.elementType, ElementType::BFloat16);
  ASSERT_TRUE(fourth.hasShape);
  ASSERT_EQ(fourth.shape.size(), 3u);
  EXPECT_EQ(fourth.shape[0].kind, Dimension::Kind::Value);
  EXPECT_EQ(fourth.shape[0].value, 3);
  EXPECT_EQ(fourth.shape[0].denotation, "BATCH");
  EXPECT_EQ(fourth.shape[1].parameter, "n");
  EXPECT_EQ(fourth.shape[2].kind, Dimension::Kind::Unknown);
  EXPECT_EQ(inputs[1].type.kind, ValueType::Kind::SparseTensor);
  EXPECT_FALSE(inputs[1].type.hasShape);
  EXPECT_EQ(inputs[2].type.opaqueDomain, "d");
  EXPECT_EQ(inputs[2].type.opaqueName, "o");
  EXPECT_EQ(inputs[3].type.kind, ValueType::Kind::None);
}

TEST(Reader, ReadsNodesGraphsAndFunctions) {
  Message sharding =
      Message()
          .text(1, "x")
          .packed(2, {0, 1})
          .message(3, Message().varint(1, uint64_t(-1)).packed(2, {2, 3}))
          .message(4, Message().varint(1, 1).message(2, Message().varint(1, 64).varint(3, 2)));
  Message full = node("n", "Op", {"a", ""}, {"b"})
                     .text(6, "doc")
                     .text(7, "dom")
                     .text(8, "over")
                     .message(9, pair("k", "v"))
                     .message(10, Message().text(1, "cfg").message(2, sharding).varint(3, 5));
  Message graph = Message()
                      .message(1, full)
                      .message(14, Message().text(1, "t").message(2, pair("SCALE_TENSOR", "s")))
                      .message(13, value("b"))
                      .message(15, Message().message(1, tensor("sp", 1, {0})))
                      .message(16, pair("gk", "gv"));
  Message function = Message()
                         .text(1, "F")
                         .text(4, "i")
                         .text(5, "o")
                         .text(6, "attr")
                         .message(7, full)
                         .text(8, "fdoc")
                         .message(9, Message().varint(2, 18))
                         .text(10, "fdom")
                         .message(11, Message().text(1, "d").varint(3, 4))
                         .message(12, value("i"))
                         .text(13, "over")
                         .message(14, pair("fk", "fv"));
  Message storage = model(graph).message(25, function);
  Result<Model> parsed = readModel(storage.span(), "m.onnx");
  ASSERT_TRUE(parsed) << parsed.error().message;
  const Graph &read = parsed->graph;
  const Node &only = read.nodes.at(0);
  EXPECT_EQ(only.name, "n");
  EXPECT_EQ(only.opType, "Op");
  EXPECT_EQ(only.domain, "dom");
  EXPECT_EQ(only.overload, "over");
  EXPECT_EQ(only.docString, "doc");
  EXPECT_EQ(only.inputs, (std::vector<std::string_view>{"a", ""}));
  EXPECT_EQ(only.outputs, (std::vector<std::string_view>{"b"}));
  EXPECT_EQ(only.metadata.at(0).key, "k");
  const NodeDeviceConfiguration &device = only.deviceConfigurations.at(0);
  EXPECT_EQ(device.configuration, "cfg");
  EXPECT_EQ(device.pipelineStage, 5);
  const ShardingSpec &spec = device.shardingSpecs.at(0);
  EXPECT_EQ(spec.tensorName, "x");
  EXPECT_EQ(spec.devices.values(), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(spec.groups.at(0).key, -1);
  EXPECT_EQ(spec.groups.at(0).devices.values(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(spec.shardedDims.at(0).axis, 1);
  EXPECT_EQ(spec.shardedDims.at(0).simpleShardings.at(0).dimValue, 64);
  EXPECT_EQ(spec.shardedDims.at(0).simpleShardings.at(0).numShards, 2);
  EXPECT_EQ(read.quantizationAnnotations.at(0).tensorName, "t");
  EXPECT_EQ(read.quantizationAnnotations.at(0).parameters.at(0).value, "s");
  EXPECT_EQ(read.valueInfos.at(0).name, "b");
  EXPECT_EQ(read.sparseInitializers.at(0).values.name, "sp");
  EXPECT_EQ(read.metadata.at(0).value, "gv");
  const Function &readFunction = parsed->functions.at(0);
  EXPECT_EQ(readFunction.name, "F");
  EXPECT_EQ(readFunction.domain, "fdom");
  EXPECT_EQ(readFunction.overload, "over");
  EXPECT_EQ(readFunction.inputs.at(0), "i");
  EXPECT_EQ(readFunction.outputs.at(0), "o");
  EXPECT_EQ(readFunction.attributes.at(0), "attr");
  EXPECT_EQ(readFunction.defaultAttributes.at(0).i, 4);
  EXPECT_EQ(readFunction.nodes.at(0).opType, "Op");
  EXPECT_EQ(readFunction.opsets.at(0).version, 18);
  EXPECT_EQ(readFunction.valueInfos.at(0).name, "i");
  EXPECT_EQ(readFunction.docString, "fdoc");
  EXPECT_EQ(readFunction.metadata.at(0).key, "fk");
}

TEST(Reader, SkipsUnknownFields) {
  Message graph = Message().varint(99, 1).fixed64(100, 2).text(2, "g");
  graph.tag(101, 3).varint(1, 1).tag(101, 4).fixed32(102, 1);
  Message storage = model(graph).text(77, "later");
  Result<Model> parsed = readModel(storage.span(), "m.onnx");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->graph.name, "g");
}

//===----------------------------------------------------------------------===//
// Bad files
//===----------------------------------------------------------------------===//

TEST(Reader, RefusesWhatIsNoModel) {
  EXPECT_EQ(readError(Message()), "m.onnx: expected an ONNX model, found an empty file");
  std::string cannot = "m.onnx: cannot read the ONNX model: ";
  EXPECT_EQ(readError(Message().raw("garbage!")),
            cannot + "at byte 0 of 8: expected a wire type from 0 to 5, found "
                     "7");
  EXPECT_EQ(readError(Message().raw(std::string(100, '\0'))),
            cannot + "at byte 0 of 100: expected a field number from 1 to "
                     "536870911, found 0");
  EXPECT_EQ(readError(Message().raw(std::string(100, '\xff'))),
            cannot + "at byte 0 of 100: a varint does not fit in 64 bits");
  EXPECT_EQ(readError(Message().text(77, "x")),
            cannot + "at byte 4 of 4: expected the field ir_version, found none "
                     "up to the end");
  EXPECT_EQ(readError(Message().varint(1, 2)),
            cannot + "at byte 2 of 2: expected IR version 3 or newer, found 2");
  EXPECT_EQ(readError(Message().varint(1, uint64_t(-8))),
            cannot + "at byte 11 of 11: expected IR version 3 or newer, found "
                     "-8");
  EXPECT_EQ(readError(Message().varint(1, 8)),
            cannot + "at byte 2 of 2: expected a graph, found none up to the "
                     "end");
  EXPECT_EQ(readError(Message().varint(1, 8).message(7, Message())),
            cannot + "at byte 4 of 4: expected an opset_import, found none up to "
                     "the end");
}

TEST(Reader, RecognisesOtherFormats) {
  auto expect = [](std::string_view bytes, const char *format) {
    std::string error = readError(Message().raw(bytes));
    EXPECT_TRUE(error.starts_with(
        std::string("m.onnx: expected an ONNX model, but this looks like ") + format))
        << error;
  };
  expect("version https://git-lfs.github.com/spec/v1\noid sha256:1234\n", "a Git LFS pointer");
  expect("PK\x03\x04...", "a ZIP archive");
  expect("GGUF\x03", "a GGUF file");
  expect("\x7f"
         "ELF\x02",
         "an ELF file");
  expect("{\"graph\": {}}", "a JSON text");
  expect(std::string_view("\x10\0\0\0\0\0\0\0{\"w\":{}}", 16), "a safetensors file");
}

TEST(Reader, NamesTheFieldAndTheByte) {
  std::string cannot = "m.onnx: cannot read the ONNX model: ";
  // Byte 0: the version; 2: the graph; 4: the node; 6: its attribute; 8:
  // "ints".
  Message attribute = Message().fixed32(8, 1);
  Message storage =
      Message().varint(1, 8).message(7, Message().message(1, Message().message(5, attribute)));
  EXPECT_EQ(readError(storage), cannot + "at byte 8 of 13, in graph.node[0].attribute[0]: field "
                                         "ints: the values of a list have the wrong wire type");
  EXPECT_EQ(readError(Message().text(1, "x")),
            cannot + "at byte 0 of 3: field ir_version: expected a varint, found "
                     "a length-delimited value");
  EXPECT_EQ(readError(Message().varint(1, 8).varint(7, 3)),
            cannot + "at byte 2 of 4: field graph: expected a length-delimited "
                     "value, found a varint");
  EXPECT_EQ(readError(Message().varint(1, 8).message(7, Message()).message(7, Message())),
            cannot + "at byte 4 of 6: field graph: expected it once, found it "
                     "twice");
}

/// The positions behind each top-level field, where a cut leaves whole fields.
static std::set<size_t> fieldEnds(std::span<const uint8_t> bytes) {
  std::set<size_t> ends;
  WireReader reader(bytes);
  for (WireField field; reader.next(field);)
    ends.insert(static_cast<size_t>(field.start - bytes.data()));
  return ends;
}

static void checkTruncations(std::span<const uint8_t> bytes) {
  std::set<size_t> ends = fieldEnds(bytes);
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own size, so that sanitizers see any read behind it.
    std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + size);
    Result<Model> parsed = readModel(cut, "m.onnx");
    if (parsed) {
      // Whole fields are missing, all of them optional: nobody can tell.
      EXPECT_TRUE(ends.contains(size)) << size;
      EXPECT_FALSE(parsed->opsets.empty());
      continue;
    }
    const std::string &error = parsed.error().message;
    if (size == 0) {
      EXPECT_EQ(error, "m.onnx: expected an ONNX model, found an empty file");
      continue;
    }
    size_t at = error.find("at byte ");
    ASSERT_NE(at, std::string::npos) << error;
    EXPECT_LE(std::stoul(error.substr(at + 8)), size) << error;
    EXPECT_NE(error.find(" of " + std::to_string(size)), std::string::npos) << error;
  }
}

TEST(Reader, TruncationAnywhereIsAnError) {
  Message initializer = tensor("w", 1, {2}).packedFixed<float>(4, {1, 2});
  Message graph =
      Message()
          .message(1, node("n", "Add", {"x", "w"}, {"y"})
                          .message(5, Message().text(1, "a").packed(8, {1, 2, 300}).varint(20, 7)))
          .text(2, "g")
          .message(5, initializer)
          .message(11, value("x"))
          .message(12, value("y"));
  Message whole = Message().text(2, "p").message(7, graph).varint(1, 8);
  whole.message(8, Message().varint(2, 17));
  ASSERT_EQ(readError(whole), "parsed");
  checkTruncations(whole.span());
  // The version and the opset come last, so no shorter file parses.
  for (size_t size : fieldEnds(whole.span())) {
    if (size) {
      EXPECT_NE(readError(whole.span().first(size)), "parsed");
    }
  }
}

TEST(Reader, TruncatedRealModels) {
  std::string folder = "/usr/share/libonnx-testdata/data/node/";
  for (const char *name : {"test_add", "test_loop11", "test_if", "test_constant",
                           "test_layer_normalization_4d_axis0"}) {
    Result<MappedFile> file = MappedFile::open(folder + name + "/model.onnx");
    if (!file)
      GTEST_SKIP() << "the package libonnx-testdata is not installed";
    checkTruncations(file->bytes());
  }
}

TEST(Reader, EveryFlippedByteIsHandled) {
  Message graph = Message()
                      .message(1, node("n", "Add", {"x", "w"}, {"y"}))
                      .message(5, tensor("w", 7, {2}).packed(7, {1, 2}))
                      .message(11, value("x"))
                      .message(12, value("y"));
  std::string bytes = model(graph).bytes;
  size_t refused = 0;
  for (size_t i = 0; i < bytes.size(); ++i)
    for (unsigned value = 0; value < 256; ++value) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(value);
      auto data = reinterpret_cast<const uint8_t *>(changed.data());
      Result<Model> parsed = readModel({data, changed.size()}, "m.onnx");
      std::string error;
      if (!parsed)
        error = parsed.error().message;
      else if (Status status = verify(*parsed); !status)
        error = status.error().message;
      if (!error.empty()) {
        ++refused;
        EXPECT_TRUE(error.starts_with("m.onnx: ")) << error;
      }
    }
  EXPECT_GT(refused, bytes.size() * 100);
}

//===----------------------------------------------------------------------===//
// Bombs
//===----------------------------------------------------------------------===//

TEST(Reader, NestingHasALimit) {
  // A graph in an attribute of a node of a graph, many times.
  auto nest = [](int levels) {
    Message graph;
    for (int i = 0; i < levels; ++i)
      graph = Message().message(1, Message().message(5, Message().message(6, graph)));
    return model(graph);
  };
  EXPECT_EQ(readError(nest(32)), "parsed");
  std::string error = readError(nest(40));
  EXPECT_NE(error.find("messages are nested deeper than 100 levels"), std::string::npos) << error;
  EXPECT_NE(error.find("in graph.node[0].attribute[0].g[0].node[0]"), std::string::npos) << error;

  Message type = Message().message(1, Message().varint(1, 1));
  for (int i = 0; i < 2000; ++i)
    type = Message().message(4, Message().message(1, type));
  error = readError(model(Message().message(11, Message().message(2, type))));
  EXPECT_NE(error.find("messages are nested deeper than 100 levels"), std::string::npos) << error;
}

TEST(Reader, MemoryIsBoundedByTheSizeOfTheFile) {
  // Empty nodes are 2 bytes in the file.
  Message graph;
  for (int i = 0; i < 100000; ++i)
    graph.message(1, Message());
  Message bomb = model(graph);
  EXPECT_EQ(readError(bomb.span()), "parsed");
  ReaderLimits tight;
  tight.structBytes = 1 << 20;
  std::string error = readError(bomb.span(), tight);
  uint64_t limit = (1 << 20) + 16 * uint64_t(bomb.bytes.size());
  EXPECT_NE(error.find("in graph: the model's structure takes more than " + std::to_string(limit) +
                       " bytes of memory, the limit for a file of its size"),
            std::string::npos)
      << error;
  // Packed extents grow by eight.
  Message dims = model(Message().message(5, Message().text(1, std::string(1 << 20, '\1'))));
  ReaderLimits none;
  none.structBytes = 0;
  none.structBytesPerFileByte = 4;
  error = readError(dims.span(), none);
  EXPECT_NE(error.find("in graph.initializer[0]: the model's structure takes "
                       "more than"),
            std::string::npos)
      << error;
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

TEST(ReaderFile, NamesThePath) {
  TemporaryFolder folder;
  auto error = [](const std::string &path) {
    Result<Model> parsed = readModel(path);
    return parsed ? "parsed" : parsed.error().message;
  };
  std::string missing = folder / "no.onnx";
  EXPECT_EQ(error(missing), missing + ": cannot open the file: No such file or directory");
  EXPECT_EQ(error(folder.path), folder.path + ": expected a regular file");
  std::string fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(error(fifo), fifo + ": expected a regular file");
  std::string empty = folder.write("empty.onnx", "");
  EXPECT_EQ(error(empty), empty + ": expected an ONNX model, found an empty file");
}

TEST(ReaderFile, ViewsLiveAsLongAsTheModel) {
  TemporaryFolder folder;
  std::string path = folder.write(
      "m.onnx",
      model(Message().text(2, "graph").message(5, tensor("w", 2, {3}).text(9, "abc"))).bytes);
  Result<Model> parsed = readModel(path);
  ASSERT_TRUE(parsed) << parsed.error().message;
  Model kept = std::move(*parsed);
  std::filesystem::remove(path);
  EXPECT_EQ(kept.path, path);
  EXPECT_EQ(kept.graph.name, "graph");
  Result<TensorBytes> bytes = kept.graph.initializers[0].contents(*kept.files);
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_EQ(bytes->getSource(), TensorBytes::Source::Model);
  EXPECT_EQ(bytes->bytes().data(), kept.file.bytes().data() + bytes->getOffset());
  EXPECT_EQ(bytes->bytes()[2], 'c');
}
