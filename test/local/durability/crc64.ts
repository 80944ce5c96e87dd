/** CRC-64/XZ bit by bit and table by table, as ECMA-182 has it; shares nothing with the service that it checks. */
const [HIGH, LOW] = [new Uint32Array(256), new Uint32Array(256)]
for (let byte = 0; byte < 256; byte += 1) {
  let [high, low] = [0, byte]
  for (let bit = 0; bit < 8; bit += 1) {
    const isOdd = (low & 1) === 1
    low = ((low >>> 1) | (high << 31)) >>> 0
    high >>>= 1
    // The polynomial 0x42f0e1eba9ea3693, reflected.
    if (isOdd) [high, low] = [(high ^ 0xc96c5795) >>> 0, (low ^ 0xd7870f42) >>> 0]
  }
  HIGH[byte] = high
  LOW[byte] = low
}

/** The checksum as OSS writes it: decimal. */
export function crc64Of(bytes: Uint8Array): string {
  let [high, low] = [0xffffffff, 0xffffffff]
  for (const byte of bytes) {
    const at = (low ^ byte) & 0xff
    low = (((low >>> 8) | (high << 24)) ^ (LOW[at] ?? 0)) >>> 0
    high = ((high >>> 8) ^ (HIGH[at] ?? 0)) >>> 0
  }
  return String(((BigInt(~high >>> 0) << 32n) | BigInt(~low >>> 0)) & 0xffffffffffffffffn)
}
