const UNIT_BYTES = 4096

/** Capacity units of an operation: whole units of 4 KB, at least one for each side that took part. */
export function consumed(readBytes: number | undefined, writtenBytes: number | undefined) {
  return { capacityUnit: { read: units(readBytes), write: units(writtenBytes) } }
}

function units(bytes: number | undefined): number {
  return bytes === undefined ? 0 : Math.max(1, Math.ceil(bytes / UNIT_BYTES))
}
