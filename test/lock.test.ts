import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { completeLock, missingOptionals } from '../lock.mjs'

const read = (name: string) => JSON.parse(readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'))

test('the lock file holds every optional package of every platform', () => {
  expect(missingOptionals(read('package-lock.json'))).toEqual([])
})

test('the lock file was made from this package.json', () => {
  const { dependencies, devDependencies, optionalDependencies } = read('package.json')
  expect(read('package-lock.json').packages['']).toMatchObject({ dependencies, devDependencies, optionalDependencies })
})

test('what is added has the order that npm itself writes, so that an install changes nothing', () => {
  const lock = {
    packages: { 'node_modules/tool': { dev: true, optionalDependencies: { '@tool/linux-x64': '1.0.0' } } },
  }
  const added = completeLock(lock).packages['node_modules/@tool/linux-x64'] ?? {}
  expect(Object.keys(added)).toEqual(['version', 'cpu', 'dev', 'optional', 'os'])
})

test('an optional package that npm left out is added for its system, processor and C library', () => {
  const lock = {
    packages: { 'node_modules/tool': { dev: true, optionalDependencies: { '@tool/linux-arm64-musl': '1.2.3' } } },
  }
  expect(completeLock(lock).packages['node_modules/@tool/linux-arm64-musl']).toEqual({
    version: '1.2.3',
    os: ['linux'],
    cpu: ['arm64'],
    libc: ['musl'],
    optional: true,
    dev: true,
  })
})

test('an optional package beside its dependent or above it is not missing', () => {
  const optionalDependencies = { '@tool/darwin-x64': '1.0.0' }
  const nested = 'node_modules/tool/node_modules/@tool/darwin-x64'
  expect(missingOptionals({ packages: { 'node_modules/tool': { optionalDependencies }, [nested]: {} } })).toEqual([])
  expect(
    missingOptionals({
      packages: { 'node_modules/a/node_modules/tool': { optionalDependencies }, 'node_modules/@tool/darwin-x64': {} },
    }),
  ).toEqual([])
})

test('a package whose name tells no platform is not guessed at', () => {
  const lock = { packages: { 'node_modules/tool': { optionalDependencies: { 'tool-extra': '1.0.0' } } } }
  expect(() => completeLock(lock)).toThrow('tool-extra: which system')
})
