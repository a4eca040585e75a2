// SPDX-License-Identifier: Apache-2.0
// The machine's systemd as these tests see it: its units, its tree, and a user with a systemd of its own.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { collect, type Ended, hutch } from '../cli/hutch.ts'

export const mount = '/sys/fs/cgroup'
export const uid = 1000
export const runtime = `/run/user/${uid}`
const library = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

/** What a command prints. */
export function output(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim()
}

/** A user without rights, whose systemd runs without a login. */
export function makeUser(): void {
  if (existsSync(`${runtime}/bus`)) return
  execFileSync('useradd', ['--create-home', '--uid', String(uid), 'hutch-tester'])
  execFileSync('loginctl', ['enable-linger', 'hutch-tester'])
  execFileSync('systemctl', ['start', `user@${uid}.service`])
}

/** How that user's shell would have set it; `changes` take variables away or change them. */
export function asUser(changes: NodeJS.ProcessEnv = {}): { uid: number; gid: number; env: NodeJS.ProcessEnv } {
  const env = { PATH: process.env.PATH, HOME: '/home/hutch-tester', XDG_RUNTIME_DIR: runtime, ...changes }
  return { uid, gid: uid, env }
}

/** hutch's units, the machine's and the user's. */
export function units(): string {
  const list = ['list-units', '--all', '--plain', '--no-legend', 'hutch-*']
  const own = existsSync(`${runtime}/bus`)
    ? execFileSync('systemctl', ['--user', ...list], { encoding: 'utf8', ...asUser() })
    : ''
  return `${output('systemctl', ...list)}${own}`.trim()
}

/** What is left of hutch once systemd has cleared up, or after half a minute. */
export async function remains(): Promise<{ units: string; groups: string[] }> {
  for (let tries = 0; ; tries++) {
    const left = { units: units(), groups: groups().filter((path) => path.includes('/hutch-')) }
    if ((left.units === '' && left.groups.length === 0) || tries === 300) return left
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function groups(): string[] {
  return readdirSync(mount, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
}

/** Every group but hutch's, with what it hands to its children and which processes are in it. */
export function tree(): { [path: string]: string } {
  const own = `${mount}${/^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))![1]}`
  const read = (path: string, file: string) => readFileSync(`${path}/${file}`, 'utf8').trim().replaceAll('\n', ' ')
  return Object.fromEntries(
    groups()
      // where these tests run, processes come and go; kernel threads too, in the root
      .filter((path) => path !== own && !path.includes('/hutch-'))
      .map((path) => [path, `${read(path, 'cgroup.subtree_control')} | ${read(path, 'cgroup.procs')}`]),
  )
}

/** A module that uses the library, run by Node. */
export function script(code: string, options: object = {}): Promise<Ended> {
  const imports = `import { enterScope, run } from ${JSON.stringify(library)};`
  return collect(process.execPath, ['--input-type=module', '-e', `${imports}${code}`], options)
}

/** The job's own group and what the kernel has in its files, as the job itself sees them. */
export async function lookInside(args: string[], options: Parameters<typeof hutch>[1] = {}) {
  const look = `g=${mount}$(cut -d: -f3 /proc/self/cgroup); echo $g; cat $g/memory.max $g/pids.max; cat $g/../cgroup.procs`
  const { status, stdout, stderr } = await hutch(['run', '--isolate', 'none', ...args, '--', 'sh', '-c', look], options)
  const [group, memory, pids, ...processesInParent] = stdout.trim().split('\n')
  return { status, stderr, group, memory, pids, processesInParent }
}
