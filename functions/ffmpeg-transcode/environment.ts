/** What a program that reads somebody else's file may know of us; nothing here opens anything. */
const HARMLESS = /^(PATH|HOME|TMPDIR|LANG|LC_ALL|LD_LIBRARY_PATH|TZ|FC_INSTANCE_ID|FC_FUNCTION_NAME|FC_REGION)$/

/** The variables that must be gone before ffmpeg is started: credentials, keys, addresses, and whatever we do not know. */
export function confidential(env: Readonly<Record<string, string | undefined>>): string[] {
  return Object.keys(env).filter((name) => !HARMLESS.test(name))
}
