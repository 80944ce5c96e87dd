/** Whether a title holds every word of a search, whatever the case, the width or the accents. */
export function matches(title: string, search: string): boolean {
  const text = plain(title)
  return plain(search)
    .split(/\s+/)
    .every((word) => text.includes(word))
}

function plain(text: string): string {
  return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().trim()
}

/** A number from 0 to 359 that stays the same for an id: the colour of a video that has no picture yet. */
export function hueOf(id: string): number {
  return [...id].reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7)
}
