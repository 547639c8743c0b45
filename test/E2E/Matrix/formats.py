#===- formats.py - What packed numbers mean, in NumPy -----------------------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Fields of formats as the documentation defines them, written from it: each makes
random components of a tensor and says, in float64, which numbers they are. Nothing
here is shared with the compiler but the text of the attribute.

An element decodes codes; a structure says which numbers are stored where; a scale
changes numbers. `build` puts them together as `#weft.format` does."""

import dataclasses
import itertools

import ml_dtypes as ml
import numpy as np

FLOAT_TYPES = {"f16": np.float16, "bf16": ml.bfloat16, "f32": np.float32, "f64": np.float64}


def stream(codes, bits):
    """Codes in row-major order, lowest bits first; of 8 and 16 bits one by one."""
    if bits in (8, 16):
        return codes.astype(f"u{bits // 8}").view(f"i{bits // 8}")
    flat = codes.ravel().astype(np.uint32)
    planes = (flat[:, None] >> np.arange(bits, dtype=np.uint32) & 1).astype(np.uint8).ravel()
    return np.packbits(planes, bitorder="little").view(np.int8)


def storage_of(values, name):
    """The values as stored, and their bytes as an integer tensor's or a float's."""
    stored = values.astype(FLOAT_TYPES[name])
    return stored.astype(np.float64), stored


@dataclasses.dataclass
class Component:
    """A tensor that is handed to the compiler."""
    array: np.ndarray
    element: str  # of the tensor type

    @property
    def type(self):
        return f"tensor<{''.join(f'{n}x' for n in self.array.shape)}{self.element}>"

    def bytes(self):
        """As an array that .npy knows: bf16 by its bits."""
        return self.array.view(np.uint16) if self.element == "bf16" else self.array


def integers(array, bits):
    return Component(stream(array, bits), "i16" if bits > 8 and bits == 16 else "i8")


def floats(values, name):
    stored = values.astype(FLOAT_TYPES[name])
    return stored.astype(np.float64), Component(np.array(stored, order="C"), name)


#===----------------------------------------------------------------------===#
# Elements
#===----------------------------------------------------------------------===#


class Element:
    bits = 8
    per_code = 1
    expressed = "f32"
    exact_in_f16 = True

    def codes(self, rng, shape):
        return rng.integers(0, 1 << self.bits, shape)

    def components(self, rng, shape):
        """Tables, by which `decode` decodes."""
        return []

    def pack(self, codes):
        return [integers(codes, self.bits)]

    pack_text = ""


class Int(Element):
    def __init__(self, bits, signed, offset=0):
        self.bits, self.signed, self.offset = bits, signed, offset
        sign = "signed" if signed else "unsigned"
        self.text = f"#lowp.int<{bits}, {sign}{f', offset = {offset}' if offset else ''}>"

    def decode(self, codes, tables, shape):
        x = codes.astype(np.float64)
        if self.signed:
            x = np.where(codes >= 1 << self.bits - 1, x - (1 << self.bits), x)
        return x - self.offset


class Float(Element):
    TYPES = {
        "f8E4M3FN": (8, ml.float8_e4m3fn), "f8E4M3FNUZ": (8, ml.float8_e4m3fnuz),
        "f8E5M2": (8, ml.float8_e5m2), "f8E5M2FNUZ": (8, ml.float8_e5m2fnuz),
        "f8E8M0FNU": (8, ml.float8_e8m0fnu), "f6E2M3FN": (6, ml.float6_e2m3fn),
        "f6E3M2FN": (6, ml.float6_e3m2fn), "f4E2M1FN": (4, ml.float4_e2m1fn)}

    def __init__(self, name):
        self.bits, self.dtype = self.TYPES[name]
        self.exact_in_f16 = name != "f8E8M0FNU"
        self.text = f"#lowp.float<{name}>"
        numbers = np.arange(1 << self.bits, dtype=np.uint8).view(self.dtype).astype(np.float64)
        # Sums of numbers like 2^127 say nothing.
        self.finite = np.flatnonzero(np.isfinite(numbers) & (abs(numbers) < 1e4)
                                     & ((abs(numbers) > 1e-4) | (numbers == 0)))

    def codes(self, rng, shape):
        return rng.choice(self.finite, shape)

    def decode(self, codes, tables, shape):
        return codes.astype(np.uint8).view(self.dtype).astype(np.float64)


class Power(Element):
    def __init__(self, bits):
        self.bits, self.text = bits, f"#lowp.power<{bits}>"

    def decode(self, codes, tables, shape):
        m = codes & (1 << self.bits - 1) - 1
        sign = np.where(codes >> self.bits - 1, -1.0, 1.0)
        return np.where(m == 0, 0.0, sign * np.exp2(1.0 - m))


class Ternary(Element):
    bits = 2
    text = "#lowp.ternary"

    def __init__(self, trits=False):
        self.pack_text = "#lowp.trits" if trits else ""

    def codes(self, rng, shape):
        return rng.integers(0, 3, shape)

    def decode(self, codes, tables, shape):
        return codes - 1.0

    def pack(self, codes):
        if not self.pack_text:
            return super().pack(codes)
        flat = np.concatenate([codes.ravel(), np.zeros(-codes.size % 5, codes.dtype)])
        data = flat.reshape(-1, 5) @ np.array([1, 3, 9, 27, 81])
        return [Component(data.astype(np.uint8).view(np.int8), "i8")]


class Binary(Element):
    bits = 1
    text = "#lowp.binary"

    def decode(self, codes, tables, shape):
        return 2.0 * codes - 1


class Table(Element):
    # From the QLoRA paper, ggml and bitsandbytes' documentation.
    NAMED = {
        "nf4": [-1.0, -0.6961928, -0.52507305, -0.39491749, -0.28444138, -0.18477343, -0.091050036,
                0.0, 0.0795803, 0.1609302, 0.2461123, 0.33791524, 0.44070983, 0.562617, 0.72295684,
                1.0],
        "iq4_nl": [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113],
        "fp4": [0, 0.0625 / 12, 8 / 12, 12 / 12, 4 / 12, 6 / 12, 2 / 12, 3 / 12]}
    NAMED["fp4"] = NAMED["fp4"] + [-x for x in NAMED["fp4"]]

    def __init__(self, entries):
        self.entries = np.array(self.NAMED.get(entries, entries) if isinstance(entries, str)
                                else entries, np.float32).astype(np.float64)
        self.bits = len(self.entries).bit_length() - 1
        inner = entries if isinstance(entries, str) else str([float(x) for x in entries])
        self.text = f"#lowp.table<{inner}>"

    def decode(self, codes, tables, shape):
        return self.entries[codes]


def blocks_of(shape, block):
    """For each position, the index of its block; and the shape of the blocks."""
    if not block:
        return (), ()
    if len(block) == 1 and len(shape) > 1:
        flat = np.arange(int(np.prod(shape))).reshape(shape) // block[0]
        return (flat,), (-(-int(np.prod(shape)) // block[0]),)
    index = np.indices(shape)
    where = tuple(i // b if b else i * 0 for i, b in zip(index, block))
    return where, tuple(-(-n // b) if b else 1 for n, b in zip(shape, block))


class Codebook(Element):
    def __init__(self, bits, numbers, block=(), storage="f16"):
        self.bits, self.per_code, self.block, self.storage = bits, numbers, list(block), storage
        self.text = f"#lowp.codebook<{bits}, {numbers}, {self.block}, {storage}>"

    def components(self, rng, shape):
        _, blocks = blocks_of(shape, self.block)
        table = rng.standard_normal((*blocks, 1 << self.bits, self.per_code))
        self.table, component = floats(table, self.storage)
        return [component]

    def decode(self, codes, tables, shape):
        """`codes` repeated for each number; `shape` is the logical one."""
        where, _ = blocks_of(shape, self.block)
        return self.table[(*where, codes, self.number % self.per_code)]


class Repacked(Element):
    """Another element in another packing."""

    def __init__(self, element, text):
        self.element, self.pack_text = element, text
        self.bits, self.per_code, self.text = element.bits, element.per_code, element.text
        self.codes, self.components, self.decode = (element.codes, element.components,
                                                    element.decode)


class Words(Repacked):
    """Along `axis`, groups of codes in words; slot i of a group has code order[i]."""

    def __init__(self, element, axis, word, multiple=1, order=()):
        text = f"axis = {axis}, word = {word}"
        text += f", multiple = {multiple}" if multiple > 1 else ""
        text += f", order = {list(order)}" if order else ""
        super().__init__(element, f"#lowp.words<{text}>")
        self.axis, self.word, self.multiple, self.order = axis, word, multiple, list(order)

    def pack(self, codes):
        bits, word = self.bits, self.word
        whole = np.lcm(bits, word) // bits
        group = int(np.lcm(np.lcm(whole, self.multiple), len(self.order) or 1))
        rows = np.moveaxis(codes, self.axis, -1)
        rows = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(0, -rows.shape[-1] % group)])
        if self.order:
            rows = rows.reshape(*rows.shape[:-1], -1, len(self.order))[..., self.order]
            rows = rows.reshape(*rows.shape[:-2], -1)
        planes = (rows[..., None] >> np.arange(bits) & 1).astype(np.uint64)
        planes = planes.reshape(*rows.shape[:-1], -1, word)
        words = (planes << np.arange(word, dtype=np.uint64)).sum(-1).astype(f"u{word // 8}")
        words = np.ascontiguousarray(np.moveaxis(words, -1, self.axis)).view(f"i{word // 8}")
        return [Component(words, f"i{word}")]


class Planes(Repacked):
    """Bits of codes in streams of their own, lowest first."""

    def __init__(self, element, widths):
        super().__init__(element, f"#lowp.planes<{list(widths)}>")
        self.widths = widths

    def pack(self, codes):
        parts, below = [], 0
        for width in self.widths:
            parts.append(integers(codes >> below & (1 << width) - 1, width))
            below += width
        return parts


#===----------------------------------------------------------------------===#
# Scales
#===----------------------------------------------------------------------===#


class Scale:
    """`storage` is a float type, or a list [element, scales] that is a format."""

    def __init__(self, role, block=None, storage="f32", value=None):
        self.role, self.block, self.storage, self.value = role, block, storage, value

    @property
    def text(self):
        if self.value is not None:
            return f"#lowp.scale<{self.role}, {float(self.value)}>"
        storage = self.storage
        if not isinstance(storage, str):
            storage = format_text(*storage)
        return f"#lowp.scale<{self.role}, {list(self.block)}, {storage}>"

    def parameters(self, rng, shape):
        """For each number, its parameter; and the components."""
        if self.value is not None:
            return np.full(shape, float(self.value)), []
        where, blocks = blocks_of(shape, self.block)
        if isinstance(self.storage, str):
            magnitudes = rng.uniform(0.25, 2, blocks)
            if self.role != "multiply":
                magnitudes = rng.standard_normal(blocks)
            values, component = floats(np.asarray(magnitudes), self.storage)
            components = [component]
        else:
            values, components, _ = build(rng, blocks, *self.storage)
        return values[where] if where else np.broadcast_to(values, shape), components

    def apply(self, x, p):
        return {"multiply": np.multiply, "zero_point": np.subtract, "minimum": np.subtract,
                "offset": np.add}[self.role](x, p)


def format_text(element, scales=(), structure=None):
    if hasattr(structure, "text_of"):
        return structure.text_of(element, scales)
    fields = [f"elem = {element.text}"]
    if scales:
        fields.append(f"scales = [{', '.join(s.text for s in scales)}]")
    if structure and structure.text:
        fields.append(f"structure = {structure.text}")
    if element.pack_text:
        fields.append(f"pack = {element.pack_text}")
    return f"#weft.format<{', '.join(fields)}>"


#===----------------------------------------------------------------------===#
# Structures
#===----------------------------------------------------------------------===#


class Dense:
    text = ""

    def choose(self, rng, shape):
        """The shape of what is stored, for each number whether and where it is, and
        the components."""
        return shape, np.ones(shape, bool), tuple(np.indices(shape)), []


def unsigned(array, bits):
    return Component(array.astype(f"u{bits // 8}").view(f"i{bits // 8}"), f"i{bits}")


class NM:
    """n of each m numbers of the last dimension."""

    def __init__(self, n, m):
        self.n, self.m, self.text = n, m, f"#sparse.nm<{n}, {m}>"

    def choose(self, rng, shape):
        columns = shape[-1]
        groups = -(-columns // self.m)
        stored = (*shape[:-1], groups * self.n)
        present, where = np.zeros(shape, bool), np.zeros(shape, int)
        indices = np.zeros((*shape[:-1], groups, self.n), int)
        for row in np.ndindex(*shape[:-1]):
            for g in range(groups):
                inside = min(self.m, columns - g * self.m)
                kept = rng.choice(inside, min(self.n, inside), replace=False)
                others = [i for i in range(inside, self.m)]
                kept = np.sort([*kept, *others][:self.n])
                indices[row][g] = kept
                for t, i in enumerate(kept):
                    if i < inside:
                        present[row][g * self.m + i] = True
                        where[row][g * self.m + i] = g * self.n + t
        bits = (self.m - 1).bit_length()
        positions = (*np.indices(shape)[:-1], where)
        return stored, present, positions, [integers(indices.reshape(stored), bits)]


def random_mask(rng, shape, density=0.3):
    """Some rows are empty."""
    mask = rng.random(shape) < density
    return mask & (rng.random((*shape[:-1], 1)) < 0.9)


def ranks(mask):
    """For each number that is stored, how many are before it."""
    return (np.cumsum(mask.ravel()) - mask.ravel()).reshape(mask.shape)


class Unstructured:
    """Numbers of a random mask, in row-major order."""

    def choose(self, rng, shape):
        mask = random_mask(rng, shape)
        return (int(mask.sum()),), mask, (np.where(mask, ranks(mask), 0),), self.describe(mask)


class Bitmap(Unstructured):
    text = "#sparse.bitmap"

    def describe(self, mask):
        rows = mask.reshape(-1, mask.shape[-1])
        words = -(-rows.shape[1] // 64)
        padded = np.pad(rows, [(0, 0), (0, words * 64 - rows.shape[1])]).reshape(-1, words, 64)
        values = (padded.astype(np.uint64) << np.arange(64, dtype=np.uint64)).sum(-1)
        counts = padded.sum(-1)
        before = (np.cumsum(counts.ravel()) - counts.ravel()).reshape(counts.shape)
        shape = (*mask.shape[:-1], words)
        return [Component(values.astype(np.uint64).view(np.int64).reshape(shape), "i64"),
                Component(before.astype(np.int32).reshape(shape), "i32")]


class CSR(Unstructured):
    text = "#sparse.csr<i16>"

    def describe(self, mask):
        rows = mask.reshape(-1, mask.shape[-1])
        offsets = np.concatenate([[0], np.cumsum(rows.sum(1))]).astype(np.int32)
        return [Component(offsets, "i32"), unsigned(np.nonzero(rows)[1], 16)]


class COO(Unstructured):
    text = "#sparse.coo<i32>"

    def describe(self, mask):
        rows, columns = np.nonzero(mask.reshape(-1, mask.shape[-1]))
        return [unsigned(rows, 32), unsigned(columns, 32)]


class CSC:
    text = "#sparse.csc<i16>"

    def choose(self, rng, shape):
        mask = random_mask(rng, shape)
        turned = np.swapaxes(mask, -1, -2)
        order = np.swapaxes(ranks(turned), -1, -2)
        columns = turned.reshape(-1, turned.shape[-1])
        offsets = np.concatenate([[0], np.cumsum(columns.sum(1))]).astype(np.int32)
        parts = [Component(offsets, "i32"), unsigned(np.nonzero(columns)[1], 16)]
        return (int(mask.sum()),), mask, (np.where(mask, order, 0),), parts


class ELL:
    def __init__(self, width):
        self.width, self.text = width, f"#sparse.ell<{width}, i16>"

    def choose(self, rng, shape):
        mask = random_mask(rng, shape, 0.1)
        mask &= np.cumsum(mask, -1) <= self.width
        slot = np.cumsum(mask, -1) - mask
        columns = np.full((*shape[:-1], self.width), 0xFFFF)
        for at in zip(*np.nonzero(mask)):
            columns[(*at[:-1], slot[at])] = at[-1]
        return ((*shape[:-1], self.width), mask,
                (*np.indices(shape)[:-1], np.where(mask, slot, 0)), [unsigned(columns, 16)])


class Channels:
    """Half of the positions of the last dimension."""
    text = "#sparse.channels<axis = -1, i16>"

    def choose(self, rng, shape):
        kept = np.sort(rng.choice(shape[-1], (shape[-1] + 1) // 2, replace=False))
        mask = np.zeros(shape, bool)
        mask[..., kept] = True
        slot = np.zeros(shape[-1], int)
        slot[kept] = np.arange(len(kept))
        index = np.indices(shape)
        # Data decides how many there are: their dimension is the first.
        return ((len(kept), *shape[:-1]), mask, (np.broadcast_to(slot, shape), *index[:-1]),
                [unsigned(kept, 16)])


class Block:
    """Blocks of the last two dimensions."""

    def __init__(self, rows, columns, of):
        self.rows, self.columns, self.of = rows, columns, of
        self.text = f"#sparse.block<{rows}, {columns}, {of.text}>"

    def choose(self, rng, shape):
        grid = (*shape[:-2], -(-shape[-2] // self.rows), -(-shape[-1] // self.columns))
        stored, mask, where, parts = self.of.choose(rng, grid)
        index = np.indices(shape)
        block = (*index[:-2], index[-2] // self.rows, index[-1] // self.columns)
        return ((*stored, self.rows, self.columns), mask[block],
                (*(w[block] for w in where), index[-2] % self.rows, index[-1] % self.columns), parts)


def build_leaf(rng, shape, element, scales=(), structure=None):
    """`build` for a format that is one `#weft.format`."""
    stored, present, where, extra = (structure or Dense()).choose(rng, shape)
    d = element.per_code
    code_shape = (*stored[:-1], -(-stored[-1] // d)) if d > 1 else stored
    codes = element.codes(rng, code_shape)
    tables = element.components(rng, shape)
    at = (*where[:-1], where[-1] // d) if d > 1 else where
    element.number = where[-1]  # of its code, modulo how many a code has
    if codes.size:
        mine = codes[at] if shape else codes
    else:
        mine = np.zeros(shape, int)
    numbers = element.decode(mine, tables, shape)
    magnitudes = abs(numbers)
    components = element.pack(codes) + tables + extra
    for scale in scales:
        p, parts = scale.parameters(rng, shape)
        numbers = scale.apply(numbers, p)
        magnitudes = magnitudes * abs(p) if scale.role == "multiply" else magnitudes + abs(p)
        components += parts
    return np.where(present, numbers, 0.0), components, np.where(present, magnitudes, 0.0)


class LowRank:
    """A product of two thin matrices, each in the element with the scales."""
    rank = 16

    def text_of(self, element, scales):
        inner = format_text(element, scales)
        return f"#weft.low_rank<{self.rank}, {inner}, {inner}>"

    def build(self, rng, shape, element, scales):
        left, a, p = build_leaf(rng, (*shape[:-1], self.rank), element, scales)
        right, b, q = build_leaf(rng, (*shape[:-2], self.rank, shape[-1]), element, scales)
        return left @ right, a + b, (self.rank + 1) * (p @ q)


class Outliers:
    """The element with the scales, and some f16 numbers by column index."""

    def text_of(self, element, scales):
        return (f"#weft.sum<[{format_text(element, scales)}, "
                "#weft.format<elem = #weft.value<f16>, structure = #sparse.csr<i16>>]>")

    def build(self, rng, shape, element, scales):
        base, a, p = build_leaf(rng, shape, element, scales)
        mask = random_mask(rng, shape, 0.05)
        values, component = floats(rng.standard_normal(int(mask.sum())) * 8, "f16")
        component = Component(component.array.view(np.int16), "i16")  # by its bits
        outliers = np.zeros(shape)
        outliers[mask] = values
        return base + outliers, a + [component, *CSR().describe(mask)], p + abs(outliers)


def build(rng, shape, element, scales=(), structure=None):
    """Random components of a packed tensor, in the order of the format; the numbers
    that they mean (float64); and the magnitudes that their roundings are relative
    to."""
    if hasattr(structure, "text_of"):
        return structure.build(rng, shape, element, scales)
    return build_leaf(rng, shape, element, scales, structure)
