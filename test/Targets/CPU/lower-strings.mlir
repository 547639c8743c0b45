// RUN: weft-opt %s --weft-cpu-lower-strings | FileCheck %s

// Equal tables are one; each string has its size before it and begins at a
// multiple of 8.
// CHECK-DAG: llvm.func hidden @weft_string_equal(!llvm.ptr, !llvm.ptr) -> i32
// CHECK-DAG: llvm.func hidden @weft_string_case(!llvm.ptr, !llvm.ptr, i32) -> !llvm.ptr
// CHECK-DAG: llvm.func hidden @weft_string_concat(!llvm.ptr, !llvm.ptr, !llvm.ptr) -> !llvm.ptr
// CHECK-DAG: @weft.strings_0("\03\00\00\00\00\00\00\00abc\00\00\00\00\00\01\00\00\00\00\00\00\00d") {{.*}}alignment = 8
// CHECK-DAG: @weft.string_offsets_0(dense<[0, 16]> : tensor<2xi64>)
// CHECK-NOT: @weft.strings_1

// CHECK-LABEL: llvm.func @k(
// CHECK-SAME: %[[ENV:.*]]: !llvm.ptr, %[[A:.*]]: i64, %[[N:.*]]: i64)
llvm.func @k(%env: !llvm.ptr, %a: i64, %n: i64) -> i64 {
  %i = builtin.unrealized_conversion_cast %n : i64 to index
  // CHECK: llvm.mlir.addressof @weft.string_offsets_0
  // CHECK: llvm.mlir.addressof @weft.strings_0
  %s = weft.string_literal ["abc", "d"] at %i
  %t = weft.string_literal ["abc", "d"] at %i
  // CHECK: llvm.call @weft_string_concat(%[[ENV]],
  %c = weft.string_concat %s, %t
  // CHECK: %[[UPPER:.*]] = llvm.mlir.constant(1 : i32)
  // CHECK: llvm.call @weft_string_case(%[[ENV]], %{{.*}}, %[[UPPER]])
  %u = weft.string_case upper %c
  // CHECK: llvm.call @weft_string_equal(
  %e = weft.string_equal %u, %a
  %x = llvm.zext %e : i1 to i64
  llvm.return %x : i64
}
