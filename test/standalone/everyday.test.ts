// SPDX-License-Identifier: Apache-2.0
// What everyday commands need is in the snapshot of the binary without Node, so that their start reads and unpacks nothing.
import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect } from '../cli/hutch.ts'
import { binary } from '../support/command.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-everyday-`)
const id = `everyday-${process.pid}`
const tools = ['bwrap', 'unshare', 'cgexec', 'cgset', 'hutch-oci']

beforeAll(() => {
  if (!existsSync(binary)) execFileSync('npm', ['run', 'build:standalone'], { stdio: 'inherit' })
  for (const tool of tools) symlinkSync(binary, `${work}/${tool}`)
  symlinkSync(binary, `${work}/hutch`)
  copyFileSync('scripts/build/layout-config.json', `${work}/config.json`)
  execFileSync(binary, ['cgcreate', '-g', `memory:${id}`])
}, 600_000)

afterAll(() => {
  execFileSync(`${work}/hutch-oci`, ['--root', `${work}/state`, 'delete', '--force', id], { stdio: 'ignore' })
  execFileSync(binary, ['cgroup', 'rm', '-r', id], { stdio: 'ignore' })
  rmSync(work, { recursive: true })
})

/** Returns the modules that a command reads, and the parts of the snapshot that it unpacks. */
function readBy(line: string) {
  const [tool, ...args] = line.replaceAll('ID', id).replaceAll('WORK', work).split(' ')
  // a file, not a pipe: a container keeps it open
  const file = openSync(`${work}/stderr`, 'w')
  const env = { ...process.env, HUTCH_DEBUG: '1' }
  const { status } = spawnSync(`${work}/${tool}`, args, { stdio: ['ignore', 'ignore', file], env })
  closeSync(file)
  const stderr = readFileSync(`${work}/stderr`, 'utf8')
  if (status !== 0) throw new Error(stderr)
  const names = readFileSync(`${binary}.modules`, 'utf8').split('\n')
  return {
    modules: [...stderr.matchAll(/^hutch: reads module (\d+)$/gm)].map(([, number]) => names[Number(number)]),
    unpacked: [...stderr.matchAll(/^hutch: unpacks block \d+$/gm)].length,
  }
}

// One after the other: a container is created, used and deleted
test
  .runIf(process.getuid?.() === 0)
  .each([
    'hutch --version',
    'hutch run -- true',
    'hutch run --memory 50M -- true',
    'hutch run --sandbox -- true',
    'bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev true',
    'unshare --pid --fork true',
    'cgset -r memory.max=50M ID',
    'cgexec -g memory:ID true',
    'hutch-oci --root WORK/state create --bundle WORK --pid-file WORK/pid ID',
    'hutch-oci --root WORK/state start ID',
    'hutch-oci --root WORK/state state ID',
    'hutch-oci --root WORK/state exec ID true',
    'hutch-oci --root WORK/state kill ID KILL',
    'hutch-oci --root WORK/state delete --force ID',
  ])('%s reads no module outside the snapshot', (line) => {
  const { modules } = readBy(line)
  expect(modules, 'modules that scripts/build/common-modules.txt must list').toEqual([])
})

test('other commands unpack what they need of the snapshot, also if the caller blocks or ignores SIGSEGV', async () => {
  const line = 'hutch run --help=all'
  const { unpacked } = readBy(line)
  expect(unpacked).toBeGreaterThan(0)
  const plain = await collect(`${work}/hutch`, line.split(' ').slice(1))
  const ignored = await collect('env', [
    '--ignore-signal=SEGV',
    '--block-signal=SEGV',
    `${work}/hutch`,
    ...line.split(' ').slice(1),
  ])
  expect(ignored).toEqual(plain)
})
