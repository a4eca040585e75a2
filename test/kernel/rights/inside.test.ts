// SPDX-License-Identifier: Apache-2.0
// hutch inside containers, user namespaces and itself: each row of the table in docs/inside.md is run.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, expect, test } from 'vitest'
import { collect } from '../../cli/hutch.ts'
import { hutchArgs, hutchCommand, hutchFile } from '../../support/command.ts'
import { type Container, writeBundle } from '../../support/container.ts'
import { requires } from '../../support/requires.ts'

const work = mkdtempSync(`${tmpdir()}/hutch-test-inside-`)
chmodSync(work, 0o755)
afterAll(() => rmSync(work, { recursive: true, force: true }))

const project = process.cwd()
const page = 'docs/inside.md'

/** Run inside: prints what each start of a row gives, 'works' or the error's code, errno and system call. */
const starter = `
import { createPool, run } from '${project}/dist/index.js'
import { spawnSync } from 'node:child_process'
const attempt = async (start) => {
  try {
    return (await start()).exitCode === 0 ? 'works' : 'fails'
  } catch ({ code, errno, operation }) {
    return [code, errno, operation].filter(Boolean).join(' ')
  }
}
const pooled = async () => {
  const pool = await createPool({ size: 1, plan: { isolate: 'none' } })
  try { return await pool.run(['true']) } finally { await pool.close() }
}
const cells = [
  await attempt(() => run('true', [], { limits: 'none', isolate: 'none' })),
  await attempt(pooled),
  await attempt(() => run('true', [], { limits: { memory: '50M' }, isolate: 'none' })),
  await attempt(() => run('true', [], { limits: 'none', isolate: ['pid', 'mount'] })),
  await attempt(() => run('true', [], { limits: 'none', sandbox: true })),
]
const { status, stderr } = spawnSync('${hutchFile}', ${JSON.stringify([...hutchArgs, 'run', '--limit', 'none', '--isolate', 'none', '--', 'true'])})
if (status !== 0) cells[0] = String(stderr)
console.log(cells.join(' | '))
`
const inside = [process.execPath, '--input-type=module', '-e', starter]

const hutchRun = (...options: string[]) => [...hutchCommand, 'run', ...options, '--']
const directories = [
  project,
  ...(process.execPath.startsWith('/usr/') ? [] : [process.execPath.replace(/\/[^/]*$/, '')]),
]

function runc(name: string, container: Container): string[] {
  writeBundle(`${work}/${name}`, inside, directories, container)
  return ['runc', '--root', `${work}/runc`, 'run', '--bundle', `${work}/${name}`, `hutch-test-${process.pid}-${name}`]
}

const bwrap = [
  ...['bwrap', '--unshare-all', '--unshare-user', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc'],
  ...['--tmpfs', '/tmp', '--ro-bind', project, project],
]

/** The first column of the page's table, and what is run there. */
const surroundings: [name: string, command: () => string[]][] = [
  ["Docker's default profile and capabilities", () => runc('docker', {})],
  ["Docker's profile, with clone, unshare and mount allowed", () => runc('namespaces', { allowsNamespaces: true })],
  ["Docker's profile and CAP_SYS_ADMIN, without /dev/shm", () => runc('admin', { isAdmin: true, lacksShm: true })],
  [
    "Docker's profile and CAP_SYS_ADMIN, /proc uncovered, /sys/fs/cgroup writable",
    () => runc('open', { isAdmin: true, isOpen: true }),
  ],
  ['a rootless map, 0:100000:65536', () => runc('rootless', { isAdmin: true, isOpen: true, isRootless: true })],
  ['a user namespace with one id (`unshare -r`)', () => ['unshare', '-rm', ...inside]],
  ['`bwrap --unshare-all`', () => [...bwrap, ...inside]],
  ['hutch itself, depth 3', () => [...hutchRun('--memory', '300M'), ...hutchRun('--memory', '250M'), ...inside]],
]

test.for(surroundings)('%s', { timeout: 60_000 }, async ([name, command], context) => {
  requires(context, 'not a VM', 'root', "Podman's profile", 'runc(8)', 'bubblewrap', 'unshare(1)')
  const [program, ...args] = command()
  const ended = await collect(program!, args)
  const cells = ended.stdout.trim()
  expect(ended).toMatchObject({ status: 0, stderr: '' })
  expect(`| ${name} | ${cells} |`).toBe(rowOf(name))
})

test('the table has these rows and no others', () => {
  const rows = readFileSync(page, 'utf8').matchAll(/^\| (.*?) \|.*works.*$/gm)
  expect([...rows].map(([, name]) => name)).toEqual(surroundings.map(([name]) => name))
})

test('limits add up to depth 3: the outermost stops the innermost', { timeout: 60_000 }, async (context) => {
  requires(context, 'root', 'not a VM')
  const hog = [...hutchRun('--memory', '400M'), ...hutchCommand, 'hog', '200M']
  const within = (...outer: string[]) =>
    collect('env', [...hutchRun(...outer), ...hutchRun('--memory', '300M'), ...hog])
  const [held, control] = await Promise.all([within('--memory', '150M'), within('--memory', '350M')])
  expect(held.status).not.toBe(0)
  expect(held.stderr).toMatch(/memory/)
  expect(control).toMatchObject({ status: 0 })
})

function rowOf(name: string): string {
  return (
    readFileSync(page, 'utf8')
      .split('\n')
      .find((line) => line.startsWith(`| ${name} |`)) ?? 'no row'
  )
}
