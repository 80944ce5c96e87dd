/** What the clients need of `cloud.json`. */
export interface Cloud {
  readonly accessKeyId: string
  readonly accessKeySecret: string
  readonly region: string
  readonly oss: { readonly endpoint: string; readonly bucket: string }
  readonly tablestore: { readonly endpoint: string; readonly instance: string }
}

/** One test of a client; with `error` if it failed. */
export interface Outcome {
  readonly name: string
  readonly error?: string
}

/** A client or a suite that others wrote. */
export interface Client {
  readonly name: string
  /** How to install what is not there; `undefined` if all is. */
  missing(): Promise<string | undefined>
  version(): Promise<string>
  /** Runs it in an empty folder of its own. */
  run(cloud: Cloud, workDir: string): Promise<readonly Outcome[]>
  /** Failures that are understood, by test, each with its reason. */
  readonly known: Readonly<Record<string, string>>
}
