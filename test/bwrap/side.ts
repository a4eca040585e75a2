// SPDX-License-Identifier: Apache-2.0
// One invocation of bubblewrap, the real one or hutch's: what the program inside saw, what was left behind, and how it ended.
import { spawn } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { hutchIn, isNeeded } from '../support/command.ts'
import type { Difference } from './differences.ts'

/** In a command line D is a directory, ALL the host's root, MINI a root of its own and PROBE a look around. */
export interface Case {
  /** Words with blanks between them, or one by one. */
  line: string | readonly string[]
  /** Who calls: both if not given. */
  as?: 'root' | 'user'
  /** Descriptors from 3 on: what they read, or the name in D of a file that they write, after ">". */
  open?: readonly (string | Buffer)[]
  env?: { [name: string]: string }
  /** A shell command that looks at what is left afterwards. */
  after?: string
  /** The release since which bubblewrap does this. */
  since?: number
  /** What differs, and hutch's status then. */
  differs?: { as: Difference; status: number }
}

export interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

const words: { [name: string]: readonly string[] } = {
  ALL: ['--dev-bind', '/', '/'],
  MINI: '--ro-bind /usr /usr --ro-bind /etc/alternatives /etc/alternatives --symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64'.split(
    ' ',
  ),
}
const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'time', 'user', 'uts']
const own = Object.fromEntries(kinds.map((kind) => [readlinkSync(`/proc/self/ns/${kind}`), 'same']))

/** What a program can see of its own state; without /proc it sees less. */
export const probe = [
  'echo ids $(id -u) $(id -g) $(id -G)',
  'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups 2>&-',
  "grep -E '^(Cap|NoNewPrivs|Groups|Sig(Blk|Ign)|Seccomp)' /proc/self/status 2>&-",
  ...kinds.map((kind) => `echo ${kind} $(readlink /proc/self/ns/${kind})`),
  'pwd; umask',
  'env | grep -v ^_= | sort',
  'for f in 0 1 2 3 4 5 6 7 8 9 40 41; do [ -e /proc/$$/fd/$f ] && echo fd $f; done',
  // of mounts on one place only the last can be seen
  `awk '{ at = $5; root = at == "/" && $4 == "/newroot" ? "/" : $4; first[at] = root " " at " " $6; sub(/.* - /, ""); last[at] = $0 }
    END { for (at in first) print first[at], last[at] }' /proc/self/mountinfo 2>&- | sort`,
  'hostname',
  '[ $$ -lt 9 ] && echo process $$ of $PPID',
  'ls -l / | sed 1d | awk \'{ print $1, $3, $4, $9, $10, $11 }\' | grep -v " \\(tmp\\|nonexistent\\) "',
].join('\n')

let copy: string | undefined

/** Where a user without rights finds hutch: the checkout may be closed to it. */
export function copyFor(): string[] {
  if (!copy) {
    copy = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
    chmodSync(copy, 0o755)
    for (const part of ['dist', 'build']) cpSync(part, `${copy}/${part}`, { recursive: true, filter: isNeeded })
  }
  return hutchIn(copy)
}

/** Takes the copy away. */
export function removeCopy(): void {
  if (copy) rmSync(copy, { recursive: true })
  copy = undefined
}

/** Runs one case as one user: `real`, or hutch's. */
export async function runCase(one: Case, as: 'root' | 'user', real: string | undefined): Promise<Outcome> {
  const directory = mkdtempSync(`${tmpdir()}/hutch-test-${process.pid}-`)
  chmodSync(directory, 0o777)
  mkdirSync(`${directory}/sub`)
  writeFileSync(`${directory}/file`, 'a file\n')
  const fill = (text: string) => text.replaceAll(/\bD\b(?=\/|$|[ ;])/g, directory)
  const open = (one.open ?? []).map((what, i) => {
    if (typeof what === 'string' && what.startsWith('>')) return openSync(`${directory}/${what.slice(1)}`, 'w')
    writeFileSync(`${directory}/.open${i}`, what)
    return openSync(`${directory}/.open${i}`, 'r')
  })
  try {
    const line = typeof one.line === 'string' ? one.line.split(' ') : one.line
    const args = line.flatMap((word) => words[word] ?? (word === 'PROBE' ? ['sh', '-c', probe] : [fill(word)]))
    const tool = real === undefined ? [...copyFor(), 'bwrap'] : [real]
    const become = as === 'user' ? ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups'] : []
    const outcome = await collect([...become, ...tool, ...args], open, one.env)
    const after = one.after ? await collect(['sh', '-c', fill(one.after)], []) : undefined
    return { ...outcome, stdout: normalise(outcome.stdout + (after?.stdout ?? ''), directory) }
  } finally {
    for (const fd of open) closeSync(fd)
    rmSync(directory, { recursive: true })
  }
}

function collect(line: readonly string[], open: readonly number[], env: Case['env'] = {}): Promise<Outcome> {
  const [command = '', ...args] = line
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...open],
    cwd: '/usr',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/tmp', ODD: "a 'b' \n c", ...env },
  })
  return new Promise((resolve, reject) => {
    const text = { stdout: '', stderr: '' }
    for (const key of ['stdout', 'stderr'] as const)
      child[key]!.on('data', (data: Buffer) => {
        text[key] += data
      })
    child.on('error', reject)
    child.on('close', (status) => resolve({ status, ...text }))
  })
}

/** Names and numbers that are made up differ from run to run; where in its own tmpfs the root is does not show inside. */
function normalise(text: string, directory: string): string {
  return text
    .replaceAll(/\b(\w+):\[\d+\]/g, (link) => own[link] ?? 'other')
    .replaceAll(directory, 'D')
    .replaceAll(/\/(bindfile\w+|\.hutch-data)\/\/deleted/g, '/data')
    .replaceAll(/ tmpfs (\S+) (\S+)$/gm, (_, source, options: string) => ` tmpfs ${source} ${known(options, /^size=/)}`)
    .replaceAll(
      / overlay (\S+) (\S+)$/gm,
      (_, source, options: string) => ` overlay ${source} ${known(options, /^(r[ow]|userxattr)$/)}`,
    )
    .replaceAll(/("[a-z-]+-(pid|namespace)": )\d+/g, '$1N')
}

function known(options: string, pattern: RegExp): string {
  return options
    .split(',')
    .filter((option) => pattern.test(option))
    .join(',')
}
