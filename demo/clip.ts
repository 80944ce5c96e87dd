import { execFile } from 'node:child_process'
import { accessSync, chmodSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DemoError } from './options.ts'

const run = promisify(execFile)
const seconds = 12

/** Makes a clip with a picture that shows the time, and a tone; answers its path inside `folder`. */
export async function makeClip(folder: string): Promise<string> {
  const file = join(folder, 'yunbo-demo.mp4')
  const command = [
    ['-v', 'error', '-y'],
    ['-f', 'lavfi', '-i', `testsrc2=size=1280x720:rate=30:duration=${seconds}`],
    ['-f', 'lavfi', '-i', `sine=frequency=330:beep_factor=4:sample_rate=48000:duration=${seconds}`],
    ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '26', '-pix_fmt', 'yuv420p', '-g', '60'],
    ['-c:a', 'aac', '-b:a', '96k', '-shortest', '-movflags', '+faststart', file],
  ].flat()
  const faults: string[] = []
  for (const ffmpeg of ffmpegs()) {
    try {
      await run(ffmpeg, command)
      return file
    } catch (error) {
      faults.push(`${ffmpeg}: ${error instanceof Error ? error.message.trim() : error}`)
    }
  }
  throw new DemoError(
    `No ffmpeg here could make a clip. Install ffmpeg, set FFMPEG_PATH, or name a video: npm run demo -- video.mp4\n${faults.join('\n')}`,
  )
}

/** Where an ffmpeg may be, the wanted one first; the package of npm comes last, since it is the oldest. */
function ffmpegs(): string[] {
  const wanted = process.env.FFMPEG_PATH
  return [...(wanted ? [wanted] : []), 'ffmpeg', ...packagedFfmpeg()]
}

function packagedFfmpeg(): string[] {
  try {
    const { path } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string }
    makeRunnable(path)
    return [path]
  } catch {
    return []
  }
}

/** npm may have been told to run no install scripts, and one of those sets the bit. */
function makeRunnable(path: string): void {
  try {
    accessSync(path, constants.X_OK)
  } catch {
    chmodSync(path, 0o755)
  }
}
