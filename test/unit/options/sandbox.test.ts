// SPDX-License-Identifier: Apache-2.0
// The preset of --sandbox as data: the docs have all of it, and what is named stands for its part and no other.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { formatFile } from '../../../src/cgroup/format-file.ts'
import { parseOptions, type RunOptions } from '../../../src/options/options.ts'
import { sandboxPreset } from '../../../src/options/sandbox-preset.ts'
import { describeSandbox, sandboxLines } from '../../../src/options/sandbox-words.ts'
import { runOptionKeys } from '../../../src/options/table.ts'

const spec = (options: RunOptions) => parseOptions('true', [], { sandbox: true, ...options }, 'cli', formatFile)
const limits = (options: RunOptions) => spec(options).limits.map(({ file, value }) => [file, value])
const named = (options: RunOptions) =>
  sandboxLines(options)
    .filter((line) => line.named)
    .map(({ words }) => words)

test('docs/sandbox.md has every line of the preset with its reason, and no other', () => {
  const told = readFileSync('docs/sandbox.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| `/.test(line))
  expect(told).toEqual(sandboxLines({}).map(({ words, reason }) => `| \`${words}\` | ${reason} |`))
})

test('every line is an option of run', () => {
  for (const [option] of sandboxPreset) expect(runOptionKeys).toContain(option.split('.')[0])
})

test('alone it closes all', () => {
  const all = spec({})
  expect(all.isolate.sort()).toEqual(['cgroup', 'ipc', 'mount', 'net', 'pid', 'user', 'uts'])
  expect(all).toMatchObject({
    sandbox: true,
    seccomp: { own: 'strict' },
    privileges: { capDrop: ['ALL'], capAdd: [], newPrivileges: false },
    root: { readOnly: true, sealed: true, dev: true },
    timeoutMs: 60_000,
    workdir: '/tmp',
  })
  expect(named({})).toEqual([])
  expect(describeSandbox({})).not.toContain('not active')
})

test('what is named replaces its part alone', () => {
  expect(limits({ limits: { memory: '2G' } })).toEqual([
    ['memory.swap.max', '0'],
    ['pids.max', '512'],
    ['cpu.max', '100000 100000'],
    ['memory.max', '2147483648'],
  ])
  expect(named({ limits: { memory: '2G' }, network: 'private' })).toEqual(['--network none', '--memory 1G'])
  expect(spec({ network: 'host' }).isolate).not.toContain('net')
  expect(spec({ network: 'host' }).seccomp).toEqual({ own: 'strict' })
  expect(spec({ seccomp: 'none' }).seccomp).toBeUndefined()
  expect(spec({ ulimits: { core: 'unlimited' } }).privileges.ulimits).toHaveLength(4)
  expect(spec({ env: { A: 'b' } }).env).toEqual({ HOME: '/tmp', A: 'b' })
})

test('to drop a capability by name keeps all others dropped, and one that is added comes back alone', () => {
  expect(spec({ capDrop: 'NET_RAW' }).privileges.capDrop).toEqual(['ALL'])
  expect(spec({ capAdd: 'NET_RAW' }).privileges).toMatchObject({ capDrop: ['ALL'], capAdd: [13] })
  expect(spec({ capAdd: 'ALL' }).privileges).toMatchObject({ capDrop: [], capAdd: ['ALL'] })
})

test('a limit is named by its word or by its file; max and none leave it out', () => {
  const pids = ['pids.max', '512']
  expect(limits({ limits: { 'memory.max': '7' } })).toContainEqual(['memory.max', '7'])
  expect(limits({ limits: { memory: 'max', cpus: 'max' } })).toEqual([pids])
  expect(limits({ limits: 'none' })).toEqual([])
  expect(parseOptions('true', [], { limits: 'none' }, 'cli').limits).toEqual([])
})

test('a mount at the place of one of the preset stands for it', () => {
  const targets = (options: RunOptions) => spec(options).root!.mounts.map(({ target }) => target)
  expect(targets({})[0]).toBe('/')
  expect(targets({ mounts: [{ tmpfs: '/tmp:size=1M' }, { volume: '.:/work' }] }).slice(-2)).toEqual(['/tmp', '/work'])
  expect(targets({ mounts: [{ tmpfs: '/tmp' }] }).filter((target) => target === '/tmp')).toHaveLength(1)
  expect(named({ mounts: [{ volume: 'x:/etc:ro' }] })).toEqual([
    '--volume /etc:/etc:ro',
    'hidden: /etc/hostname, /etc/machine-id, /etc/mailname, /etc/hosts',
  ])
  expect(targets({ rootfs: '/image' })).toEqual(['/tmp'])
  expect(spec({ rootfs: '/image' }).root!.sealed).toBeUndefined()
})

test('options in it and beside it are one; a wrong one is refused by its name', () => {
  const inside = parseOptions('true', [], { sandbox: { network: 'host', limits: { pids: 7 } } }, 'library')
  expect(inside.isolate).not.toContain('net')
  expect(inside.limits.find(({ file }) => file === 'pids.max')).toMatchObject({ value: '7', origin: 'limits.pids' })
  expect(inside.limits.find(({ file }) => file === 'memory.max')?.origin).toBe('limits.memory (sandbox)')
  const refused = (sandbox: unknown) => () => parseOptions('true', [], { sandbox } as RunOptions, 'library')
  expect(refused('yes')).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  expect(refused({ sandbox: true })).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  expect(refused({ netwrok: 'host' })).toThrow(expect.objectContaining({ code: 'OPTION_UNKNOWN' }))
  expect(parseOptions('true', [], { sandbox: false }, 'library').sandbox).toBeUndefined()
})
