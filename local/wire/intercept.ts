/** A request to a service once it is known what it asks for and who asks. */
export interface Call {
  readonly service: 'oss' | 'tablestore' | 'sts' | 'fc' | 'mps' | 'mns'
  /** By its name in the service's API reference. */
  readonly operation: string
  /** The object key, the tables or the function that it is about; empty where it is about none. */
  readonly target: string
  /** Absent where nobody signed. */
  readonly accessKeyId: string | undefined
}

/** Stands between a service and the effect of a call; may wait, throw, or do the work and then throw. */
export type Intercept = <T>(call: Call, work: () => Promise<T>) => Promise<T>

/** The answer never reaches the caller: the connection breaks. */
export class ConnectionCut extends Error {}

/** The service is too busy; each says so in its own words. */
export class ServiceBusy extends Error {}
