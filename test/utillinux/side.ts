// SPDX-License-Identifier: Apache-2.0
// One invocation of unshare or nsenter, real or hutch's: what the program inside saw, and how it ended.
import { spawn } from 'node:child_process'
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { hutchCommand } from '../support/command.ts'

/** In a command line D is a directory, PID a process. */
export interface Case {
  argv: string[]
  /** Who calls: root if not given; a user; a user with subordinate ids. */
  as?: 'user' | 'delegated'
  /** What differs, and hutch's status then. */
  differs?: { as: string; status: number | null }
  /** Descriptors that are open beside the three. */
  descriptors?: number
  env?: { [name: string]: string }
  /** Files in D. */
  files?: { [name: string]: string }
  /** Those files are programs. */
  executable?: true
  /** A shell command that looks at what is left afterwards. */
  after?: string
}

export interface Outcome {
  status: number | null
  signal: string | null
  stdout: string
}

const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'pid_for_children', 'time', 'time_for_children', 'user', 'uts']
const own = Object.fromEntries(kinds.map((kind) => [readlinkSync(`/proc/self/ns/${kind}`), 'same']))

/** What a program can see of its own state. */
export const probe = [
  'echo ids $(id -u) $(id -g) $(id -G)',
  'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups',
  "grep -E '^(Cap|NoNewPrivs|Groups|Sig(Blk|Ign)|Seccomp|Uid|Gid)' /proc/self/status",
  ...kinds.map((kind) => `echo ${kind} $(readlink /proc/self/ns/${kind})`),
  'pwd',
  'env | grep -v ^_= | sort',
  'for f in 0 1 2 3 4 5 6 7 8 9 40 41; do [ -e /proc/$$/fd/$f ] && echo fd $f; done',
  'awk \'$5=="/" || $5=="/proc" || $5 ~ /binfmt/ { print $4, $5, $6, $7 }\' /proc/self/mountinfo',
  "awk '{ print int($1 / 100000) }' /proc/uptime",
  'cat /proc/self/timens_offsets',
  'hostname',
  'ls /sys/class/net 2>/dev/null',
  '[ $$ = 1 ] && echo is the first',
  'ulimit -c',
  'cat /proc/$$/cmdline | tr "\\0" " " | cut -c1-6',
].join('\n')

/** Runs one case with a tool: `real`, or hutch's of the same name. */
export async function runCase(one: Case, real: boolean, pid?: number): Promise<Outcome & { stderr: string }> {
  const directory = mkdtempSync(`${tmpdir()}/hutch-utillinux-`)
  const fill = (text: string) => text.replaceAll(/\bPID\b/g, String(pid)).replaceAll(/\bD\b(?=\/|$)/g, directory)
  try {
    for (const [file, text] of Object.entries(one.files ?? {}))
      writeFileSync(`${directory}/${file}`, fill(text), { mode: one.executable ? 0o755 : 0o644 })
    const [tool = '', ...rest] = one.argv
    const args = rest.map((word) => (word === 'PROBE' ? probe : fill(word)))
    const line = real ? [tool, ...args] : [...hutchCommand, tool, ...args]
    const outcome = await collect(wrap(one, line, directory), one)
    const after = one.after ? await collect(['sh', '-c', fill(one.after)], {}) : undefined
    return { ...outcome, stdout: normalise(outcome.stdout + (after?.stdout ?? ''), directory, pid) }
  } finally {
    await collect(
      ['sh', '-c', `for f in ${directory}/*; do umount "$f" 2>/dev/null; done; umount ${directory} 2>/dev/null`],
      {},
    )
    rmSync(directory, { recursive: true })
  }
}

/** As a user who has subordinate ids: in a mount namespace of its own, where /etc says so. */
function wrap({ as }: Case, line: string[], directory: string): string[] {
  if (as === undefined) return line
  const become = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups', '--bounding-set', '+all', ...line]
  if (as === 'user') return become
  writeFileSync(`${directory}/subid`, '1000:100000:65536\n')
  const bind = `chmod 755 ${directory}; for f in subuid subgid; do touch /etc/$f; mount --bind ${directory}/subid /etc/$f; done; exec "$@"`
  return ['/usr/bin/unshare', '-m', 'sh', '-c', bind, 'sh', ...become]
}

function collect(
  line: string[],
  { descriptors = 0, env }: Pick<Case, 'descriptors' | 'env'>,
): Promise<Outcome & { stderr: string }> {
  const [command = '', ...args] = line
  const more = Array.from({ length: descriptors }, (_, i) => (i % 2 === 0 ? ('pipe' as const) : ('ignore' as const)))
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...more],
    cwd: '/usr',
    env: { PATH: process.env.PATH, HOME: '/root', ODD: "a 'b' \n c", ...env },
  })
  return new Promise((resolve, reject) => {
    const text = { stdout: '', stderr: '' }
    for (const key of ['stdout', 'stderr'] as const)
      child[key]!.on('data', (data: Buffer) => {
        text[key] += data
      })
    child.on('error', reject)
    child.on('close', (status, signal) => resolve({ status, signal, ...text }))
  })
}

/** Namespaces are the same as here, or others; groups of mounts that share have numbers of their own. */
function normalise(text: string, directory: string, pid: number | undefined): string {
  return text
    .replaceAll(/\b(\w+):\[\d+\]/g, (link) => own[link] ?? 'other')
    .replaceAll(/(shared|master|propagate_from):\d+/g, '$1')
    .replaceAll(directory, 'D')
    .replaceAll(new RegExp(`\\b${pid}\\b`, 'g'), 'PID')
}
