import type { Plan, PlannedTask } from '../../shared/plan.ts'
import { type FfmpegJob, inputOf, QUIET, renditionOf, type SourceInput, segmentOptions } from './args.ts'
import { EPOCH_US, packetNear, SAMPLE_RATE } from './segment-grid.ts'

/**
 * The sound, from the first sample at the origin to the planned end: late sound begins with silence, early sound is
 * trimmed, gaps are filled. The encoder puts one packet of its own before the first sample: it is cut off as file 0, so
 * the file of segment n is n + 1.
 *
 * Two programs, since ffmpeg rebuilds its filters when sound changes along the way (a broadcast from 5.1 to stereo), and
 * what is counted would begin anew; and since a connection that is lost must not look like the end of the sound, after
 * which there is silence.
 */
export function audioJob(source: SourceInput, plan: Plan, task: PlannedTask, dir: string): FfmpegJob {
  const rendition = renditionOf(plan, task.renditions[0] ?? '')
  const kbps = rendition.encoder?.codec === 'aac' ? rendition.encoder.bitrateKbps : 128
  const packets = packetNear(plan.audio?.endUs ?? 0)
  const starts = (plan.audio?.boundariesUs ?? [0]).slice(0, -1).map(packetNear)
  const cuts = starts.map((packet) => EPOCH_US + ((packet - 0.5) * 1024 * 1e6) / SAMPLE_RATE)
  return {
    inputOptions: [...QUIET, '-protocol_whitelist', 'pipe', '-f', 'nut'],
    input: 'pipe:0',
    feed: soundFeed(source, plan.originUs),
    filter: audioFilter(packets * 1024),
    outputs: [
      {
        options: [
          ...['-map', '[a]', '-c:a', 'aac', '-b:a', `${kbps}k`, '-ar', `${SAMPLE_RATE}`],
          ...segmentOptions(cuts),
        ],
        path: `${dir}/${rendition.name}/%d.ts`,
      },
    ],
  }
}

/** Decoded, at one rate and in stereo, with the origin at the common start; what lies well before is left out. */
function soundFeed(source: SourceInput, originUs: number): string[] {
  const { inputOptions, input } = inputOf(source, [], (EPOCH_US - originUs + 1) / 1e6)
  const start = EPOCH_US / 1e6 - 1
  const filter = `aformat=sample_fmts=flt:sample_rates=${SAMPLE_RATE}:channel_layouts=stereo,atrim=start=${start}`
  return [...inputOptions, '-i', input, '-map', '0:a:0', '-af', filter, '-c:a', 'pcm_f32le', '-f', 'nut', 'pipe:1']
}

function audioFilter(samples: number): string {
  const epoch = (EPOCH_US * SAMPLE_RATE) / 1e6
  return [
    `[0:a:0]aresample=${SAMPLE_RATE}:async=1:min_hard_comp=0.03:first_pts=${epoch}`,
    `apad=whole_len=${samples}`,
    `atrim=end_sample=${samples}`,
    `asetpts=N+${epoch}[a]`,
  ].join(',')
}
