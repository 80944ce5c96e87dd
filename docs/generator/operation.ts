import type { GenericSchema } from 'valibot'
import type { ErrorCode } from '../../shared/errors.ts'
import type { Schema } from './schema.ts'

/** Who may call: a session, the token of one upload, our own functions, or anybody who names the viewer they are. */
export type Scheme = 'session' | 'upload' | 'internal' | 'viewer'

/** What a successful call is answered with. */
export type Success =
  /** `data` is one type of `shared/api.ts`, or a list of it with a cursor. */
  | { readonly status: 200 | 201; readonly data: string; readonly list?: true; readonly description: string }
  | { readonly status: 200 | 201; readonly inline: Schema; readonly description: string }
  | { readonly status: 200; readonly mediaType: string; readonly description: string }
  | { readonly status: 204 | 302 | 304; readonly description: string }

export interface Parameter {
  readonly description: string
  readonly schema: Schema
  readonly required?: true
}

/** What cannot be read from the code of a route: everything else of its documentation is. */
export interface Operation {
  readonly id: string
  readonly summary: string
  readonly description?: string
  /** Any one of them is enough; left out where everybody may call. */
  readonly auth?: readonly Scheme[]
  /** Whether a repeat with the same `Idempotency-Key` finds what the first call made. */
  readonly idempotent?: true
  readonly query?: Readonly<Record<string, Parameter>>
  /** The very schema that the function checks its input with. */
  readonly body?: GenericSchema
  readonly success: readonly Success[]
  /** Codes that are this operation's own; those that any request can meet are added to all. */
  readonly errors: readonly ErrorCode[]
}

/** The operations of one function by `METHOD path`, the path as its route file writes it. */
export type Operations = Readonly<Record<string, Operation>>
