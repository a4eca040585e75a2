// SPDX-License-Identifier: Apache-2.0
// Compiled filters are kept for the next container with the same profile, and only for that.
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { toFilter } from '../../src/oci/config/seccomp.ts'
import { loadKeptFilter } from '../../src/oci/lifecycle/kept-filter.ts'
import type { Spec } from '../../src/options/spec.ts'

vi.stubGlobal('HUTCH_VERSION', 'test')
const root = mkdtempSync(`${tmpdir()}/hutch-kept-`)
afterAll(() => rmSync(root, { recursive: true, force: true }))

const facts = { kernel: [6, 1] as [number, number], capabilities: [] }
const specOf = (action: string, bounding = 0) =>
  ({
    frontend: 'cli',
    privileges: { capAdd: [], capDrop: [] },
    seccomp: toFilter({
      defaultAction: 'SCMP_ACT_ERRNO',
      architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
      syscalls: [{ names: ['read', 'write'], action }],
    }),
    container: { capabilities: { bounding } },
  }) as unknown as Spec
const make = async (spec: Spec) => (await loadKeptFilter(root, spec))!(facts)
const kept = () => readdirSync(`${root}/.filters`)

let first: Awaited<ReturnType<typeof make>>
beforeAll(async () => {
  first = await make(specOf('SCMP_ACT_ALLOW'))
})

test('the same profile gets the same filter, from one file', async () => {
  expect(kept()).toHaveLength(1)
  expect(await make(specOf('SCMP_ACT_ALLOW'))).toEqual(first)
  const path = `${root}/.filters/${kept()[0]}`
  // the kept filter is used, not compiled again
  const text = readFileSync(path, 'utf8')
  writeFileSync(path, text.replace(/"flags":\d+/, '"flags":77'))
  expect((await make(specOf('SCMP_ACT_ALLOW'))).flags).toBe(77)
  writeFileSync(path, text)
})

test('another profile, or other capabilities, get their own', async () => {
  expect(await make(specOf('SCMP_ACT_LOG'))).not.toEqual(first)
  await make(specOf('SCMP_ACT_ALLOW', 1))
  expect(kept()).toHaveLength(3)
})

test('a file that is cut, of another profile or of another user is not used', async () => {
  const path = `${root}/.filters/${kept().find((name) => readFileSync(`${root}/.filters/${name}`, 'utf8').includes('ALLOW'))}`
  const text = readFileSync(path, 'utf8')
  for (const wrong of [text.slice(0, 40), text.slice(0, -5), text.replace('"read"', '"open"'), '']) {
    writeFileSync(path, wrong)
    expect(await make(specOf('SCMP_ACT_ALLOW'))).toEqual(first)
  }
  if (process.getuid!() !== 0) return
  writeFileSync(path, text.replace(/"flags":\d+/, '"flags":77'))
  chownSync(path, 65534, 65534)
  expect(await make(specOf('SCMP_ACT_ALLOW'))).toEqual(first)
})
