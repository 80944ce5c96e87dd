import * as v from 'valibot'
import type { Beat } from '../../shared/api.ts'
import { checked } from '../../shared/input.ts'

const EVENTS = ['play', 'pause', 'timeupdate', 'seeked', 'waiting', 'ended'] as const

function text(max: number) {
  const message = `must be a text of 1 to ${max} characters`
  return v.pipe(v.string(message), v.minLength(1, message), v.maxLength(max, message))
}

function whole(min: number) {
  const message = `must be a whole number, at least ${min}`
  return v.pipe(v.number(message), v.safeInteger(message), v.minValue(min, message))
}

/** The body of `POST /v1/heartbeats`; what a newer player may say besides is passed over. */
export const BeatBody = v.object(
  {
    playbackId: text(64),
    sessionId: text(256),
    viewerId: v.optional(v.string('must be a text')),
    seq: whole(1),
    positionMs: whole(0),
    ageMs: v.optional(whole(0)),
    event: v.picklist(EVENTS, `must be one of ${EVENTS.join(', ')}`),
    playing: v.boolean('must be true or false'),
    startupMs: v.optional(whole(0)),
    stalls: v.optional(whole(0)),
    stallMs: v.optional(whole(0)),
    droppedFrames: v.optional(whole(0)),
    bitsPerSecond: v.optional(whole(0)),
  },
  'must be a JSON object',
)

/** A beat, checked; throws `invalid_request`. */
export function beatOf(body: unknown): Beat {
  return checked(BeatBody, body) as Beat
}
