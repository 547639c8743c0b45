"""Prints a module whose main counts the pairs of numbers whose remainder is not fmod's, to
the bit, for f32 and f64: special values among each other, and random bits."""

import math
import random
import struct

FORMATS = {32: "<If", 64: "<Qd"}
SPECIAL = {
    32: [0, 1 << 31, 1, 0x80000001, 0x7FFFFF, 0x800000, 0x800001, 0x3F800000, 0xBF800000,
         0x40400000, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000],
    64: [0, 1 << 63, 1, (1 << 52) - 1, 1 << 52, 0x3FF << 52, 0xC008 << 48, (0x7FF << 52) - 1,
         0x7FF << 52, 0xFFF << 52, 0x7FF8 << 48],
}


def remainder(width, a, b):
    integer, number = FORMATS[width][:2], "<" + FORMATS[width][2]
    x, y = (struct.unpack(number, struct.pack(integer, bits))[0] for bits in (a, b))
    try:
        result = math.fmod(x, y)
    except ValueError:
        result = math.nan
    return struct.unpack(integer, struct.pack(number, result))[0], math.isnan(result)


def table(name, width, values):
    signed = [v - (1 << width) if v >> (width - 1) else v for v in values]
    print(f'memref.global "private" constant @{name}{width} : memref<{len(values)}xi{width}> = '
          f"dense<{signed}>")


def check(width):
    random.seed(width)
    pairs = [(a, b) for a in SPECIAL[width] for b in SPECIAL[width]]
    pairs += [(random.getrandbits(width), random.getrandbits(width)) for _ in range(800)]
    expected = [remainder(width, a, b) for a, b in pairs]
    table("x", width, [a for a, _ in pairs])
    table("y", width, [b for _, b in pairs])
    # Any NaN is as good as another.
    table("r", width, [SPECIAL[width][-1] if isNaN else bits for bits, isNaN in expected])
    t = f"memref<{len(pairs)}xi{width}>"
    print(f"""
func.func @count{width}() -> i32 {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = arith.constant {len(pairs)} : index
  %none = arith.constant 0 : i32
  %nan = arith.constant {SPECIAL[width][-1]} : i{width}
  %x = memref.get_global @x{width} : {t}
  %y = memref.get_global @y{width} : {t}
  %r = memref.get_global @r{width} : {t}
  %count = scf.for %i = %c0 to %n step %c1 iter_args(%sum = %none) -> i32 {{
    %a = memref.load %x[%i] : {t}
    %b = memref.load %y[%i] : {t}
    %want = memref.load %r[%i] : {t}
    %af = arith.bitcast %a : i{width} to f{width}
    %bf = arith.bitcast %b : i{width} to f{width}
    %f = arith.remf %af, %bf : f{width}
    %bits = arith.bitcast %f : f{width} to i{width}
    %isNaN = arith.cmpf uno, %f, %f : f{width}
    %got = arith.select %isNaN, %nan, %bits : i{width}
    %wrong = arith.cmpi ne, %got, %want : i{width}
    %one = arith.extui %wrong : i1 to i32
    %next = arith.addi %sum, %one : i32
    scf.yield %next : i32
  }}
  return %count : i32
}}""")


check(32)
check(64)
print("""
func.func @main() -> i32 {
  %a = call @count32() : () -> i32
  %b = call @count64() : () -> i32
  %c = arith.addi %a, %b : i32
  return %c : i32
}""")
