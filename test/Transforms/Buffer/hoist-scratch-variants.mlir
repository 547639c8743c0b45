// Variants of a kernel take the same arguments: the offsets of all their
// temporaries, and bytes for the variant that needs most.
// RUN: weft-opt %s --weft-hoist-scratch --cse | FileCheck %s

// CHECK-LABEL: func @main
// CHECK-SAME: %[[N:[a-z0-9]+]]: index
// The first needs 4 bytes an element, the second 8 and for each worker 8 more.
// CHECK: arith.andi
// CHECK: %[[FOUR:.+]] = arith.minui %{{.+}} : index
// CHECK: arith.andi
// CHECK: %[[EIGHT:.+]] = arith.minui %{{.+}} : index
// CHECK: %[[MORE:.+]] = arith.subi %{{.+}}, %[[EIGHT]]
// CHECK: %[[SHARED:.+]] = arith.maxsi %[[FOUR]], %[[EIGHT]] : index
// CHECK: %[[PART:.+]] = arith.maxsi %{{.+}}, %[[MORE]] : index
// CHECK: weft.max_workers
// CHECK: %[[BYTES:.+]] = memref.alloc(%{{.+}}) {{.*}}: memref<?xi8>
// CHECK-NOT: memref.alloc
// CHECK: weft.dispatch @k[%[[N]], %{{.+}}, %{{.+}}, %{{.+}}, %[[PART]]]
// CHECK-SAME: outs(%{{.+}}, %[[BYTES]] : memref<?xf32>, memref<?xi8>)
func.func @main(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) {
  weft.dispatch @k[%n] ins(%x : memref<?xf32>) outs(%y : memref<?xf32>)
  return
}

// CHECK: weft.kernel @k(%{{.+}}: index, %[[FIRST:.+]]: index, %{{.+}}: index, %{{.+}}: index, %{{.+}}: index, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf32>, %[[BYTES:.+]]: memref<?xi8>) outs 2
// CHECK: %{{.+}} = memref.view %[[BYTES]][%[[FIRST]]][%{{.+}}] : memref<?xi8> to memref<?xf32>
// CHECK-NOT: memref.view
weft.kernel @k(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) outs 1 {
  %t = memref.alloc(%n) : memref<?xf32>
  %c0 = arith.constant 0 : index
  %f = memref.load %t[%c0] : memref<?xf32>
  memref.store %f, %y[%c0] : memref<?xf32>
  weft.yield
}

// CHECK: weft.kernel @k.small(%{{.+}}: index, %{{.+}}: index, %[[SECOND:.+]]: index, %[[THIRD:.+]]: index, %[[PART:.+]]: index, %{{.+}}: memref<?xf32>, %{{.+}}: memref<?xf32>, %[[BYTES:.+]]: memref<?xi8>) outs 2
// CHECK: memref.view %[[BYTES]][%[[SECOND]]][%{{.+}}] : memref<?xi8> to memref<?xf64>
// CHECK: %[[WORKER:.+]] = weft.worker_index
// CHECK: %[[BASE:.+]] = arith.muli %[[WORKER]], %[[PART]]
// CHECK: %[[AT:.+]] = arith.addi %[[BASE]], %[[THIRD]]
// CHECK: memref.view %[[BYTES]][%[[AT]]][%{{.+}}] : memref<?xi8> to memref<?xf64>
weft.kernel @k.small(%n: index, %x: memref<?xf32>, %y: memref<?xf32>) outs 1 attributes {weft.variant = "small", weft.variant_of = @k} {
  %c0 = arith.constant 0 : index
  %t = memref.alloc(%n) : memref<?xf64>
  %e = memref.load %t[%c0] : memref<?xf64>
  scf.forall (%i) in (%n) {
    %u = memref.alloc(%n) : memref<?xf64>
    memref.store %e, %u[%c0] : memref<?xf64>
    %f = memref.load %u[%c0] : memref<?xf64>
    %g = arith.truncf %f : f64 to f32
    memref.store %g, %y[%i] : memref<?xf32>
  }
  weft.yield
}
