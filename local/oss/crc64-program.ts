/**
 * The inner loop of CRC-64 as a WebAssembly program of some 200 bytes, put together here: it has 64-bit integers, and
 * twice the speed of the same loop in JavaScript. https://webassembly.github.io/spec/core/binary/
 */

/** Bytes that one lane covers in a call of `pair`. */
export const LANE_BYTES = 8192

/** What the caller puts into memory, and where: 64-bit numbers in sets of 8 tables of 256, or bytes. */
export const AT = {
  /** What a state becomes past 8 bytes of zeros; the first table is for the last byte of a state. */
  words: 0,
  /** What a state becomes past a lane of zeros, in the same order. */
  lanes: 16_384,
  state: 32_768,
  data: 32_832,
} as const
/** How many bytes of data fit. */
export const DATA_BYTES = 65_536

/** The loaded program and its memory. */
export interface Program {
  readonly memory: { readonly buffer: ArrayBuffer }
  /** Takes the state past the bytes from `at` up to `end`, eight at a time. */
  single(at: number, end: number): void
  /** Takes the state past two lanes; `end` is the end of the first. */
  pair(at: number, end: number): void
}

/** Loads the program. */
export function loadProgram(): Program {
  const bytes = Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [[0x60, 2, I32, I32, 0]]),
    ...section(3, [[0], [0]]),
    ...section(5, [[0, ...unsigned(Math.ceil((AT.data + DATA_BYTES) / 65_536))]]),
    ...section(7, [exported('memory', 2, 0), exported('single', 0, 0), exported('pair', 0, 1)]),
    ...section(10, [body(1), body(2)]),
  ])
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as Program
}

// What the types of Node's own globals leave out.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Instance {
    constructor(module: Module)
    readonly exports: unknown
  }
}

const I32 = 0x7f
const I64 = 0x7e

const op = {
  loop: 0x03,
  end: 0x0b,
  branchIf: 0x0d,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  load64: 0x29,
  store64: 0x37,
  const32: 0x41,
  const64: 0x42,
  less32: 0x49,
  add32: 0x6a,
  and32: 0x71,
  xor64: 0x85,
  shiftLeft64: 0x86,
  shiftRight64: 0x88,
  wrap: 0xa7,
} as const

/** A type without a value, as a loop has it that leaves nothing behind. */
const NOTHING = 0x40
/** Alignment of 8 bytes, and none, as powers of two. */
const [ALIGNED, UNALIGNED] = [3, 0]

/**
 * The body of a function that takes eight bytes of each lane a turn. The look-ups of one lane do not wait for those of
 * the other, and waiting is what a single one spends its time with.
 */
function body(lanes: 1 | 2): number[] {
  const [at, end, state, other] = [0, 1, 2, 3]
  const each = lanes === 1 ? [state] : [state, other]
  const address = [op.const32, ...signed(AT.state)]
  const code = [
    ...[...address, op.load64, ALIGNED, 0, op.set, state],
    ...[op.loop, NOTHING],
    ...each.flatMap((local, lane) => [
      ...[op.get, local, op.get, at, op.load64, UNALIGNED, ...unsigned(LANE_BYTES * lane), op.xor64, op.set, local],
    ]),
    ...each.flatMap((local) => [...lookUps(local, AT.words), op.set, local]),
    ...[op.get, at, op.const32, 8, op.add32, op.tee, at, op.get, end, op.less32, op.branchIf, 0],
    op.end,
    ...(lanes === 1 ? [] : [...lookUps(state, AT.lanes), op.get, other, op.xor64, op.set, state]),
    ...[...address, op.get, state, op.store64, ALIGNED, 0],
    op.end,
  ]
  const locals = [1, lanes, I64]
  return [...unsigned(locals.length + code.length), ...locals, ...code]
}

/** The sum of one entry of each table, by the eight bytes of a local. */
function lookUps(local: number, tables: number): number[] {
  return Array.from({ length: 8 }, (_, byte) => {
    // An entry has eight bytes, so the index is shifted to a multiple of eight.
    const shift = byte === 0 ? [op.const64, 3, op.shiftLeft64] : [op.const64, ...signed(8 * byte - 3), op.shiftRight64]
    const entry = [op.get, local, ...shift, op.wrap, op.const32, ...signed(255 * 8), op.and32]
    const load = [op.load64, ALIGNED, ...unsigned(tables + (7 - byte) * 256 * 8)]
    return [...entry, ...load, ...(byte === 0 ? [] : [op.xor64])]
  }).flat()
}

function section(id: number, items: readonly number[][]): number[] {
  const content = [...unsigned(items.length), ...items.flat()]
  return [id, ...unsigned(content.length), ...content]
}

function exported(name: string, kind: number, index: number): number[] {
  const bytes = [...Buffer.from(name)]
  return [bytes.length, ...bytes, kind, index]
}

/** LEB128 without a sign. */
function unsigned(value: number): number[] {
  const rest = value >>> 7
  return rest === 0 ? [value] : [(value & 127) | 128, ...unsigned(rest)]
}

/** LEB128 of a number that is not negative, where a sign is expected: the last byte must not look like one. */
function signed(value: number): number[] {
  return value < 64 ? [value] : [(value & 127) | 128, ...signed(value >>> 7)]
}
