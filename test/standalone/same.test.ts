// SPDX-License-Identifier: Apache-2.0
// The binary without Node beside hutch for Node: the same output, errors and exit status of the same command lines.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { collect, type Ended } from '../cli/hutch.ts'
import { binary, cli } from '../support/command.ts'
import { compileProgram, compileTimeout } from '../support/compile.ts'

const group = `standalone-${process.pid}`

beforeAll(() => {
  if (!existsSync(binary)) execFileSync('npm', ['run', 'build:standalone'], { stdio: 'inherit' })
}, 600_000)

afterAll(() => {
  execFileSync(process.execPath, [cli, 'cgroup', 'rm', '-r', group], { stdio: 'ignore' })
})

/** What differs between two runs of the same: ids, times and sizes; and what differs by design: the program's own path. */
function withoutChance({ status, stdout, stderr }: Ended): Ended {
  const steady = (text: string) =>
    text
      .replaceAll(/hutch-\d+-\d+-\d+-\d+/g, 'hutch-ID')
      .replaceAll(/pid \d+/g, 'pid N')
      .replaceAll(/\d+(\.\d+)? (ms|s|[KM]iB)\b/g, 'N')
      .replaceAll(/^ {2}cpu wait .*\n/gm, '')
      .replaceAll(/looked in .*/g, 'looked in PATH')
  return { status, stdout: steady(stdout), stderr: steady(stderr) }
}

async function runBoth(line: string): Promise<[Ended, Ended]> {
  const args = (line.match(/'[^']*'|\S+/g) ?? []).map((word) =>
    word.replace(/^'(.*)'$/, '$1').replaceAll('GROUP', group),
  )
  // one after the other: both may use the same group
  const ofNode = await collect(process.execPath, [cli, ...args])
  const ofBinary = await collect(binary, args)
  return [withoutChance(ofNode), withoutChance(ofBinary)]
}

test.each([
  '--version',
  'help',
  'run --help',
  'run --help=all',
  'cgroup set --help',
  'bwrap --help',
  'unshare --help',
  'top --help',
  'completion bash',
  'completion zsh',
  'nosuch',
  'runn',
  'run',
  'run --memmory 3 -- true',
  'run --memory 4X -- true',
  'run --limit nosuch.file=1 -- true',
  'run --limit memory.high=1.5G -- true',
  'run --workdir /nosuch -- true',
  'run --rootfs /nosuch -- true',
  'run -- nosuchcommand',
  'run -- /etc/passwd',
  'run -- /',
  'cgroup get nosuch memory.max',
  'cgclassify',
  'bwrap --bogus',
  'unshare --bogus',
  'nsenter --bogus',
  'lsns --bogus',
  'links',
  'rules show',
  'why /nosuch',
  'hog',
])('hutch %s', async (line) => {
  const [ofNode, ofBinary] = await runBoth(line)
  expect(ofBinary).toEqual(ofNode)
})

// root: groups, limits and all namespaces
test
  .runIf(process.getuid?.() === 0)
  .each([
    'run --memory 50M -- true',
    "run --memory 50M -- sh -c 'exit 3'",
    'run --memory 50M --pids 20 --isolate all -- /bin/echo hello',
    'run --sandbox -- true',
    "run --sandbox -- sh -c 'ls /; id'",
    'run --timeout 200ms -- sleep 5',
    "run --pids 3 -- sh -c 'sleep 0.1 & sleep 0.1 & sleep 0.1 & sleep 0.1 & wait'",
    'run --verbose --memory 50M -- true',
    'run --explain --memory 50M --isolate all -- true',
    'run --explain --sandbox -- true',
    'run --isolate uts --hostname x -- hostname',
    'run --max-output 100 -- echo hello',
    "run --max-output 10 -- sh -c 'echo 123456789012345; sleep 5'",
    'run --user nobody -- id',
    'run --seccomp strict -- true',
    "run --cpu-time 100ms -- sh -c 'while :; do :; done'",
    "run --env FOO=bar -- sh -c 'echo $FOO'",
    "run --rlimit nofile=100 -- sh -c 'ulimit -n'",
    'cgroup create GROUP --exist-ok --memory 10M',
    'cgroup set GROUP memory.max=20M',
    'cgroup get GROUP memory.max',
    'cgexec -g memory:GROUP true',
    "cgexec -g memory:GROUP sh -c 'exit 4'",
    'cgget -r memory.max GROUP',
    'bwrap --ro-bind / / true',
    "bwrap --ro-bind / / --unshare-all sh -c 'exit 5'",
    'unshare -r id',
    'unshare --pid --fork --mount-proc readlink /proc/self',
    'nsenter --target 1 --uts hostname',
    "unshare -U sh -c 'id -u'",
    'hog 5M',
  ])('hutch %s', async (line) => {
  const [ofNode, ofBinary] = await runBoth(line)
  expect(ofBinary).toEqual(ofNode)
})

test('the binary is one static file of at most 3.5 MB', () => {
  const file = readFileSync(binary)
  expect(file.length).toBeLessThanOrEqual(3_500_000)
  // no program header of the type PT_INTERP
  const headers = Array.from({ length: file.readUInt16LE(56) }, (_, i) => file.readUInt32LE(64 + 56 * i))
  expect(headers).not.toContain(3)
})

test('starts use at most 4 MB of memory', { timeout: compileTimeout }, async () => {
  const directory = mkdtempSync(`${tmpdir()}/hutch-standalone-`)
  try {
    compileProgram('max-rss', `${directory}/max-rss`, '-static')
    for (const line of [
      '--version',
      'run -- true',
      'run --isolate none --memory 50M -- true',
      'bwrap --ro-bind / / true',
      'unshare true',
    ]) {
      const { status, stdout } = await collect(`${directory}/max-rss`, [binary, ...line.split(' ')])
      const kib = Number(stdout.trim().split('\n').at(-1))
      expect([line, status, kib * 1024 <= 4_000_000], `${kib} KiB`).toEqual([line, 0, true])
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('hutch version tells what runs hutch', async () => {
  expect((await collect(binary, ['version'])).stdout).toMatch(/^hutch \d+\.\d+\.\d+ \(without Node\)\n$/)
})

/** Returns what the kernel maps of the binary, in KiB: the program headers of the type PT_LOAD. */
function mappedKib(): number {
  const file = readFileSync(binary)
  const headers = Array.from({ length: file.readUInt16LE(56) }, (_, i) => 64 + 56 * i)
  const loaded = headers.filter((at) => file.readUInt32LE(at) === 1)
  return Math.ceil(loaded.reduce((sum, at) => sum + Number(file.readBigUInt64LE(at + 40)), 0) / 1024)
}

// with less than 150 KiB above it, the kernel has no room for the stack, and ends the program before it begins
test.each([460, 360, 260, 160])(
  'without memory (%i KiB above its own size) hutch says so, with status 125, and leaves nothing',
  async (more) => {
    const line = `ulimit -v ${mappedKib() + more}; exec ${binary} run --memory 50M -- true`
    expect(await collect('sh', ['-c', line])).toMatchObject({
      status: 125,
      stdout: '',
      stderr: expect.stringMatching(/^hutch: (out of memory|ended without a result)[^\n]*\n {2}remedy: .*\n$/),
    })
  },
)

test('no message of the engine reaches a user: an input that is nested too deeply', async () => {
  const directory = mkdtempSync(`${tmpdir()}/hutch-standalone-`)
  try {
    writeFileSync(`${directory}/deep.json`, '['.repeat(10_000) + ']'.repeat(10_000))
    const { status, stderr } = await collect(binary, ['run', '--seccomp', `${directory}/deep.json`, '--', 'true'])
    expect(status).toBe(125)
    expect(stderr).toMatch(/^hutch: cannot use --seccomp /)
    expect(stderr).not.toMatch(/InternalError|TypeError|<anonymous>|internal error/)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
