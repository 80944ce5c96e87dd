import * as v from 'valibot'

const count = v.pipe(
  v.number('must be a number'),
  v.integer('must be a whole number'),
  v.minValue(1, 'must be 1 or more'),
)
const name = v.string('must be a string')

/** Which of the matching moments a fault strikes: from the nth on, so many times. */
const striking = { nth: v.optional(count, 1), times: v.optional(count, 1) }
const service = v.picklist(
  ['oss', 'tablestore', 'sts', 'fc', 'mps', 'mns'],
  'must be oss, tablestore, sts, fc, mps or mns',
)
const calls = {
  service: v.optional(service),
  /** By its name in the service's API reference: PutObject, UpdateRow, AssumeRole, InvokeFunction. */
  operation: v.optional(name),
  /** Part of the object key, of the table's name (or anything in the request of a batch), of the function's name. */
  target: v.optional(name),
  /** Calls of this function's instances only. */
  function: v.optional(name),
}

/** The nth call of an operation fails, before or after its effect. */
const CallFault = v.strictObject({
  fault: v.literal('call'),
  ...calls,
  when: v.picklist(['before', 'after'], 'must be before or after'),
  /** `cut`: the connection breaks; `busy`: the service's own 503; `hang`: no answer at all. */
  outcome: v.optional(v.picklist(['cut', 'busy', 'hang'], 'must be cut, busy or hang'), 'cut'),
  ...striking,
})

/** Kill -9 after the nth call that a function has made; the call has had its effect. */
const KillFault = v.strictObject({
  fault: v.literal('kill'),
  ...calls,
  function: name,
  /** The instance that called; what it has started (ffmpeg); or the whole local cloud. */
  victim: v.optional(v.picklist(['instance', 'children', 'cloud'], 'must be instance, children or cloud'), 'instance'),
  ...striking,
})

/** An OSS event, an asynchronous invocation or a message of a topic is lost, late, doubled, or overtaken by the next. */
const DeliveryFault = v.strictObject({
  fault: v.literal('delivery'),
  of: v.picklist(['event', 'invocation', 'message'], 'must be event, invocation or message'),
  /** Part of the object key, of the function's name, or of the topic and subscription with a slash between them. */
  target: v.optional(name),
  outcome: v.picklist(['drop', 'delay', 'duplicate', 'reorder'], 'must be drop, delay, duplicate or reorder'),
  /** Of a delay, on the local clock. */
  ms: v.optional(v.pipe(v.number('must be a number'), v.minValue(0, 'must be 0 or more')), 1000),
  ...striking,
})

/** Storing the bytes of an object fails: writing with ENOSPC, the other steps with EIO. */
const DiskFault = v.strictObject({
  fault: v.literal('disk'),
  step: v.picklist(['write', 'fsync', 'rename'], 'must be write, fsync or rename'),
  ...striking,
})

/** New connections of a service together carry so many bytes a second, in each direction, as long as this is set. */
const NetworkFault = v.strictObject({ fault: v.literal('network'), service, bytesPerSecond: count })

const FaultSchema = v.variant(
  'fault',
  [CallFault, KillFault, DeliveryFault, DiskFault, NetworkFault],
  'fault must be call, kill, delivery, disk or network',
)

/** Something that is to go wrong, as a test writes it. */
export type Fault = v.InferInput<typeof FaultSchema>
/** The same with its defaults. */
export type FullFault = v.InferOutput<typeof FaultSchema>
/** One kind of it. */
export type FaultOf<K extends FullFault['fault']> = Extract<FullFault, { fault: K }>

/** Reads a fault from outside; throws a RangeError that says what is wrong with it. */
export function readFault(value: unknown): FullFault {
  const { success, output, issues } = v.safeParse(FaultSchema, value)
  if (success) return output
  const [issue] = issues
  throw new RangeError(`${v.getDotPath(issue) ?? 'a fault'}: ${issue.message}`)
}
