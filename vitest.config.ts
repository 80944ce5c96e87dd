import { defineConfig } from 'vitest/config'

/**
 * Three projects, run in this order: `unit` touches no socket and no file, `local` speaks to one local service or to
 * real ffmpeg, `e2e` runs the built bundles from upload to play.
 */
export default defineConfig({
  test: {
    maxWorkers: 2,
    // The functions log as they do in the cloud; that is of interest only where a test fails.
    silent: 'passed-only',
    projects: [
      {
        test: {
          name: 'unit',
          // Property tests and the documents' generator take seconds on a busy machine.
          testTimeout: 30_000,
          include: ['test/*.test.ts', 'test/{functions,shared,fakes,contracts,web,demo,deploy,docs}/**/*.test.ts'],
          exclude: ['test/contracts/**/*.local.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'local',
          expect: { poll: { timeout: 20_000 } },
          include: ['test/{local,media,faults,clients}/**/*.test.ts', 'test/contracts/**/*.local.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          expect: { poll: { timeout: 20_000 } },
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['./build.mjs'],
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
