/** What a key asks of the player. */
export type Command =
  | { readonly do: 'toggle' | 'mute' | 'fullscreen' | 'pictureInPicture' }
  | { readonly do: 'seekBy'; readonly seconds: number }
  | { readonly do: 'seekTo'; readonly share: number }
  | { readonly do: 'rateBy'; readonly steps: number }

export interface Press {
  readonly key: string
  readonly ctrlKey: boolean
  readonly metaKey: boolean
  readonly altKey: boolean
}

/** Where the focus is: a control has keys of its own, a text field has all of them. */
export type Focus = 'page' | 'button' | 'range' | 'text'

const LETTERS: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    k: { do: 'toggle' },
    j: { do: 'seekBy', seconds: -10 },
    l: { do: 'seekBy', seconds: 10 },
    f: { do: 'fullscreen' },
    m: { do: 'mute' },
    p: { do: 'pictureInPicture' },
    '<': { do: 'rateBy', steps: -1 },
    '>': { do: 'rateBy', steps: 1 },
  } satisfies Record<string, Command>),
)

const ARROWS: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    ArrowLeft: { do: 'seekBy', seconds: -5 },
    ArrowRight: { do: 'seekBy', seconds: 5 },
  } satisfies Record<string, Command>),
)

/** The command of a key press, unless the key belongs to what has the focus. */
export function commandOf({ key, ctrlKey, metaKey, altKey }: Press, focus: Focus): Command | undefined {
  if (focus === 'text' || ctrlKey || metaKey || altKey) return undefined
  if (key === ' ') return focus === 'button' ? undefined : { do: 'toggle' }
  if (/^[0-9]$/.test(key)) return { do: 'seekTo', share: Number(key) / 10 }
  const arrow = ARROWS.get(key)
  if (arrow) return focus === 'range' ? undefined : arrow
  return LETTERS.get(key.toLowerCase())
}

/** Playing speeds, slowest first. */
export const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]

/** The next faster or slower speed; the ends hold. */
export function rateAfter(rate: number, steps: number): number {
  const nearest = RATES.reduce((best, one) => (Math.abs(one - rate) < Math.abs(best - rate) ? one : best), 1)
  const index = Math.min(RATES.length - 1, Math.max(0, RATES.indexOf(nearest) + steps))
  return RATES[index] ?? rate
}
