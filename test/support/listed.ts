// SPDX-License-Identifier: Apache-2.0
// Starts commands in a root whose list of mounts is complete, as that of an OCI container.
import type { Mount, Root } from '../../src/mounts/root.ts'
import { mountAttributes } from '../../src/ops/mount-flags.ts'
import { parseOptions, type RunOptions } from '../../src/options/options.ts'
import type { Spec } from '../../src/options/spec.ts'
import { type Job, startSpec } from '../../src/run/job.ts'
import { loadFilter } from '../../src/run/load-parsers.ts'

const { ro, nosuid, nodev, noexec, strictatime } = mountAttributes

/** A mount of the list: nosuid, nodev and noexec unless it says otherwise. */
export const at = (type: string, target: string, more: Partial<Mount> = {}): Mount => ({
  type,
  source: '',
  target,
  flags: nosuid + nodev + noexec,
  data: [],
  origin: 'mounts',
  ...more,
})

/** Starts a command with this root in place of the root that the options ask for. */
export async function startIn(
  command: string[],
  directory: string | undefined,
  root: Partial<Root>,
  more: RunOptions = {},
  change: Partial<Spec> = {},
): Promise<Job> {
  const options = { isolate: ['pid', 'mount'], ...(directory && { rootfs: directory }), dev: true, ...more } as const
  const spec = parseOptions(command[0]!, command.slice(1), options, 'library')
  const filter = await loadFilter(spec)
  return startSpec(
    { ...spec, root: { ...spec.root!, ...root }, ...change },
    { filter, stdio: ['ignore', 'pipe', 'inherit'] },
  )
}

/** Returns what a job writes to stdout. */
export async function textOf(job: Job): Promise<string> {
  let text = ''
  for await (const line of job) text += `${line}\n`
  return text
}

/** A line of proc_pid_mountinfo(5). */
export interface SeenMount {
  root: string
  target: string
  options: string[]
  propagation: string
  type: string
  source: string
  data: string[]
}

/** Returns the mounts that a text of /proc/PID/mountinfo lists. */
export function parseMountinfo(text: string): SeenMount[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [first, second] = line.split(' - ')
      const [, , , root, target, options, ...optional] = first!.split(' ')
      const [type, source, data] = second!.split(' ')
      return {
        root: root!,
        target: target!,
        options: options!.split(','),
        propagation: optional.join(' ').replace(/\d+/g, 'N'),
        type: type!,
        source: source!,
        data: data!.split(','),
      }
    })
}

/** The mounts that `runc spec` lists. */
export const usual: Mount[] = [
  at('proc', '/proc', { source: 'proc', flags: 0 }),
  at('tmpfs', '/dev', { source: 'tmpfs', flags: nosuid + strictatime, data: ['mode=755', 'size=65536k'] }),
  at('devpts', '/dev/pts', {
    source: 'devpts',
    flags: nosuid + noexec,
    data: ['newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  }),
  at('tmpfs', '/dev/shm', { source: 'shm', data: ['mode=1777', 'size=65536k'] }),
  at('mqueue', '/dev/mqueue', { source: 'mqueue' }),
  at('sysfs', '/sys', { source: 'sysfs', flags: ro + nosuid + nodev + noexec }),
]
/** A character device below /dev. */
export const device = (name: string, minor: number, major = 1) =>
  ({ path: `/dev/${name}`, type: 'c', major, minor, mode: 0o666, uid: 0, gid: 0 }) as const
const nodes = [
  device('null', 3),
  device('zero', 5),
  device('full', 7),
  device('random', 8),
  device('urandom', 9),
  device('tty', 0, 5),
]
const links = [
  { path: '/dev/ptmx', to: 'pts/ptmx' },
  { path: '/dev/fd', to: '/proc/self/fd' },
  { path: '/dev/stdin', to: '/proc/self/fd/0' },
]

const listed = (mounts: Mount[], more: Partial<Root> = {}): Partial<Root> => ({
  standard: false,
  mounts,
  maskedPaths: [],
  readonlyPaths: [],
  nodes,
  links,
  ...more,
})

/** What a container sees of its mounts, and the lines that its command writes besides. */
interface Seen {
  at: { [target: string]: SeenMount }
  list: SeenMount[]
  lines: string[]
}

/** Returns what a container with these mounts sees. `script` runs after its mounts are read. */
export async function seenIn(
  image: string,
  mounts: Mount[],
  more: Partial<Root> = {},
  { script = '', options = {} as RunOptions, change = {} as Partial<Spec> } = {},
): Promise<Seen> {
  const command = `cat /proc/self/mountinfo; echo; ${script}`
  const isolate = { isolate: ['pid', 'mount', 'ipc'], ...options } as const
  const job = await startIn(['/bin/sh', '-c', command], image, listed(mounts, more), isolate, change)
  const text = await textOf(job)
  await job.result
  const end = text.indexOf('\n\n')
  const [info, rest] = [text.slice(0, end), text.slice(end + 2)]
  const list = parseMountinfo(info)
  return { at: Object.fromEntries(list.map((one) => [one.target, one])), list, lines: rest.split('\n').slice(0, -1) }
}
