import { Presets, SingleBar } from 'cli-progress'

/** One step that is under way. */
export interface Progress {
  /** From 0 to 1; never goes back. */
  report(share: number): void
  done(): void
}

/** A bar on a terminal; on anything else a line at the start and at each further quarter. */
export function startProgress(label: string, output: NodeJS.WriteStream = process.stdout): Progress {
  return output.isTTY ? bar(label, output) : lines(label, output)
}

function bar(label: string, output: NodeJS.WriteStream): Progress {
  const options = { format: `${label.padEnd(11)} {bar} {percentage}%`, stream: output, hideCursor: true, barsize: 32 }
  const shown = new SingleBar(options, Presets.shades_classic)
  let highest = 0
  shown.start(100, 0)
  return {
    report(share) {
      highest = Math.max(highest, Math.round(share * 100))
      shown.update(highest)
    },
    done: () => shown.stop(),
  }
}

function lines(label: string, output: NodeJS.WriteStream): Progress {
  let quarter = 0
  output.write(`${label}: started\n`)
  return {
    report(share) {
      const reached = Math.floor(share * 4)
      if (reached <= quarter) return
      quarter = reached
      output.write(`${label}: ${quarter * 25}%\n`)
    },
    done() {},
  }
}
