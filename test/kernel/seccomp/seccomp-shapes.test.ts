// SPDX-License-Identifier: Apache-2.0
// Programs under seccomp profiles of public shapes: `hutch run --seccomp FILE` and runc with the same file give the same
// statuses and output. `npm test` takes a sample that changes by the day,
// `npm run test:kernels` all (SHAPES=all).
// In a VM only in `npm run test:kernels`.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { collect, hutch } from '../../cli/hutch.ts'
import { callsAfter, type Shape, shapes } from '../../seccomp/shapes.ts'
import { defaultCapabilities, writeBundle } from '../../support/container.ts'
import { requires } from '../../support/requires.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-test-shapes-`)
afterAll(() => rmSync(work, { recursive: true, force: true }))

/** The day: a test that failed has the same name when it is run again. */
const seed = Number(process.env.SHAPES_SEED ?? Math.floor(Date.now() / 86_400_000))
const podman = '/usr/share/containers/seccomp.json'
const all: Shape[] = [...shapes, { name: "Podman's own file", allWork: true, profile: readIfThere(podman) }].filter(
  ({ profile }) => profile !== undefined,
) as Shape[]

function readIfThere(path: string): object | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as object
  } catch {
    return undefined
  }
}

/** All of them, or the oldest, the newest and two others. */
function sample(): Shape[] {
  if (process.env.SHAPES === 'all') return all
  const fixed = all.filter(({ name }) => /Docker in 2016|Docker's newest/.test(name))
  const rest = all.filter((shape) => !fixed.includes(shape))
  return [...fixed, ...[0, 1].map((i) => rest[(2 * seed + i) % rest.length]!)]
}

const python = `
import subprocess, threading
threads = [threading.Thread(target=print, args=('thread',)) for _ in range(3)]
for thread in threads: thread.start(); thread.join()
print(subprocess.run(['true']).returncode)`
const node = `
const { Worker } = require('node:worker_threads')
new Worker('1', { eval: true }).on('exit', (status) =>
  require('node:fs').stat('/usr', (error) =>
    console.log('worker', status, error, require('node:child_process').spawnSync('true').status)))`

/** A small program each; a crash prints addresses on stderr, and only `ls` and `test` say there what they were refused. */
const script = [
  ['python3', `/usr/bin/python3 -c "$PYTHON" 2>/dev/null`],
  ['node', `"$NODE" -e "$SCRIPT" 2>/dev/null`],
  ['ls', 'LC_ALL=C ls /usr/bin/env 2>&1'],
  ['test -x', 'test -x /usr/bin/env'],
  ['java', 'java -XX:+UseParallelGC -XX:ErrorFile=/dev/null --version 2>/dev/null'],
]
  .map(([name, line]) => `${line}; echo "${name}: $?"`)
  .join('\n')
const env = { PYTHON: python, SCRIPT: node, NODE: process.execPath }
const command = ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`), 'sh', '-c', script]
const directories = process.execPath.startsWith('/usr/') ? [] : [process.execPath.replace(/\/[^/]*$/, '')]

const capabilityOptions = defaultCapabilities.flatMap((name) => ['--cap-add', name])
const kinds: [name: string, capabilities: string[], options: string[]][] = [
  [
    'run as root',
    defaultCapabilities,
    ['--limit', 'none', '--isolate', 'all', '--cap-drop', 'ALL', ...capabilityOptions],
  ],
  ['run --sandbox', [], ['--sandbox', '--memory', '2G', '--pids', '500', '--timeout', '5m']],
]

async function underRunc(name: string, profile: object, capabilities: string[]) {
  const bundle = `${work}/${name}`
  mkdirSync(bundle)
  writeBundle(bundle, command, directories, { profile, capabilities })
  const started = ['--root', `${work}/runc`, 'run', '--bundle', bundle, `hutch-test-${process.pid}-${name}`]
  const { status, stdout, stderr } = await collect('runc', started)
  return { status, stdout: withoutCrash(stdout), stderr }
}

async function underHutch(profile: object, options: string[]) {
  const file = `${work}/profile.json`
  writeFileSync(file, JSON.stringify(profile))
  const { status, stdout, stderr } = await hutch(['run', '--quiet', ...options, '--seccomp', file, '--', ...command])
  return { status, stdout: withoutCrash(stdout), stderr }
}

/** A JVM that cannot start tells the time and addresses on stdout. */
const withoutCrash = (stdout: string) => stdout.replace(/^[[#].*\n/gm, '')
const works = (stdout: string) => stdout.match(/^(python3|node|ls|test -x|java): 0$/gm)?.length

test.for(sample())(`$name`, { timeout: 300_000 }, async ({ name, profile, allWork, notAsRunc }, context) => {
  requires(context, 'not a VM', 'root', 'runc(8)', 'python3', 'a JVM', "Podman's profile")
  for (const [i, [kind, capabilities, options]] of kinds.entries()) {
    const ended = await underHutch(profile, options)
    if (allWork) expect({ kind, works: works(ended.stdout) }).toEqual({ kind, works: 5 })
    if (notAsRunc) continue
    const id = `${all.findIndex((shape) => shape.name === name)}-${i}`
    expect({ kind, ...ended }).toEqual({ kind, ...(await underRunc(id, profile, capabilities)) })
  }
})

test('control: when calls newer than a profile get EPERM, threads do not start', {
  timeout: 120_000,
}, async (context) => {
  requires(context, 'not a VM', 'root', 'python3', 'a JVM')
  const { profile } = shapes[0]! as { profile: { syscalls: object[] } }
  const newer = { names: callsAfter(326), action: 'SCMP_ACT_ERRNO', errnoRet: 1 }
  const { stdout } = await underHutch({ ...profile, syscalls: [...profile.syscalls, newer] }, kinds[0]![2])
  expect(stdout).not.toContain('python3: 0')
  expect(stdout).not.toContain('test -x: 0')
})
