import { test } from 'vitest'
import { expectExact, expectRefused } from './checks.ts'
import { BAD_CLIPS, GOOD_CLIPS } from './clips.ts'

test.each(GOOD_CLIPS)('$name keeps every frame at its time in every rendition', { timeout: 60_000 }, expectExact)

test.each(BAD_CLIPS)('$name is refused as $expect.error', { timeout: 30_000 }, expectRefused)
