// SPDX-License-Identifier: Apache-2.0
// Files that hutch writes for its caller, where the job changes what has their name meanwhile.
// In a VM only in `npm run test:kernels`.
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { hutchArgs, hutchCommand, hutchFile } from '../support/command.ts'
import { begin, collect, heard, hutch } from './hutch.ts'

let place: string
beforeEach(() => {
  place = mkdtempSync(`${tmpdir()}/hutch-documents-`)
  writeFileSync(`${place}/victim`, 'mine')
})
afterEach(() => rmSync(place, { recursive: true }))

const bare = ['run', '--limit', 'none', '--isolate', 'none', '--quiet']
const flags = [
  ['report', '--report'],
  ['meta', '--meta'],
] as const

test.each(flags)(
  '%s: a link or pipe that the job leaves at the name is replaced, not written through',
  async (name, flag) => {
    for (const job of [`ln -s ${place}/victim`, 'mkfifo']) {
      const file = `${place}/${name}`
      rmSync(file, { force: true })
      const { status } = await hutch([...bare, flag, file, '--', 'sh', '-c', `${job} ${file}`])
      expect([status, lstatSync(file).isFile(), readFileSync(`${place}/victim`, 'utf8')]).toEqual([0, true, 'mine'])
      expect(readdirSync(place).sort()).toEqual([name, 'victim'].sort())
    }
  },
)

test('control: a shell that writes by name after the job writes through its link', () => {
  execFileSync('sh', ['-c', 'ln -s victim report; echo {} > report'], { cwd: place })
  expect(readFileSync(`${place}/victim`, 'utf8')).toBe('{}\n')
})

test.each(flags)(
  '%s: a directory that the job swaps for a link does not lead the file elsewhere',
  async (name, flag) => {
    mkdirSync(`${place}/out`)
    mkdirSync(`${place}/other`)
    const swap = `mv ${place}/out ${place}/moved; ln -s ${place}/other ${place}/out`
    const { status } = await hutch([...bare, flag, `${place}/out/${name}`, '--', 'sh', '-c', swap])
    expect([status, readdirSync(`${place}/moved`), readdirSync(`${place}/other`)]).toEqual([0, [name], []])
  },
)

test('a pipe that nobody reads is an error', async () => {
  execFileSync('mkfifo', [`${place}/pipe`])
  const { status, stderr } = await hutch([...bare, '--report', `${place}/pipe`, '--', 'true'])
  expect([status, stderr]).toEqual([125, expect.stringContaining('ENXIO')])
})

const words = (...flags: string[]) => [...hutchCommand, ...bare, ...flags, '--', 'echo', 'job']
test.each([
  ['a pipe', '"$@" | cat', '/dev/stdout'],
  ['a socket', '"$@"', '/dev/stdout'],
  ['a file with a position', '{ echo first; "$@"; } > out; cat out', '/dev/stdout'],
  ['standard error', '"$@" 2>&1 >/dev/null', '/dev/stderr'],
  ['a descriptor', '"$@" 9>&1 >/dev/null', '/dev/fd/9'],
  ['a pipe by number, as process substitution gives it', '{ "$@" 9> >(cat >&2) >/dev/null; } 2>&1 | cat', '/dev/fd/9'],
])('%s is written to as the caller has it', async (_name, line, path) => {
  const { stdout } = await collect('bash', ['-c', `cd "$0"; ${line}`, place, ...words('--report', path)])
  expect(stdout.replace(/^first\n/, '').replace(/^job\n/, '')).toMatch(/^\{\n[\s\S]*\}\n$/)
  expect(stdout.includes('first')).toBe(line.includes('first'))
})

test('--stdout /dev/stdout is the stream itself, also a socket', async () => {
  const { status, stdout } = await hutch([...bare, '--stdout', '/dev/stdout', '--', 'echo', 'x'])
  expect([status, stdout]).toEqual([0, 'x\n'])
  // control: opening a socket by its name
  expect((await collect(process.execPath, ['-e', 'fs.openSync("/dev/stdout", 1)'])).stderr).toContain('ENXIO')
})

test('SIGTERM ends hutch while a pipe that it writes to is full', async () => {
  execFileSync('mkfifo', [`${place}/pipe`])
  const fd = openSync(`${place}/pipe`, constants.O_RDWR | constants.O_NONBLOCK)
  try {
    for (;;) writeSync(fd, Buffer.alloc(4096))
  } catch {
    // full
  }
  const running = begin(hutchFile, [...hutchArgs, ...bare, '--report', `${place}/pipe`, '--', 'echo', 'done'])
  await heard(running, /done/)
  await vi.waitFor(() => expect(openFiles(running.pid)).toContain(`${place}/pipe (written)`), 10_000)
  // a signal before the end of the job is the job's
  const children = () => readFileSync(`/proc/${running.pid}/task/${running.pid}/children`, 'utf8')
  await vi.waitFor(() => expect(children()).toBe(''), 10_000)
  process.kill(running.pid, 'SIGTERM')
  const { status } = await running.ended
  closeSync(fd)
  expect(status).toBe(null)
})

/** Targets of a process's descriptors, those open for writing marked. */
function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      const writes = /^flags:\s*0\d*1$/m.test(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'latin1'))
      return [`${readlinkSync(`/proc/${pid}/fd/${fd}`)}${writes ? ' (written)' : ''}`]
    } catch {
      return []
    }
  })
}

test('a device that the job swaps for another is not written to by its name', async () => {
  if (process.getuid!() !== 0) return
  const device = `${place}/device`
  execFileSync('mknod', [device, 'c', '1', '3'])
  const swap = `rm ${device}; mknod ${device} c 1 7`
  // 1:3 is null, 1:7 is full, which refuses each byte with ENOSPC
  const { status } = await hutch([...bare, '--report', device, '--', 'sh', '-c', swap])
  expect([status, lstatSync(device).isCharacterDevice()]).toEqual([0, true])
  expect(() => writeFileSync(device, 'x')).toThrow('ENOSPC')
})

test('--stdout refuses a link that an earlier job left', async () => {
  symlinkSync('victim', `${place}/log`)
  const { status, stderr } = await hutch([...bare, '--stdout', `${place}/log`, '--', 'echo', 'x'])
  expect([status, stderr]).toEqual([125, expect.stringContaining('ELOOP')])
  expect(readFileSync(`${place}/victim`, 'utf8')).toBe('mine')
  expect((await collect('sh', ['-c', 'cd "$1"; echo x > log; cat victim', '-', place])).stdout).toBe('x\n')
})
