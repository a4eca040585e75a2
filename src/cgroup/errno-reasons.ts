// SPDX-License-Identifier: Apache-2.0
// Explains why the kernel refused a value, by file and errno, because an errno has a different meaning for each file (cgroup-v2.rst;
// cgroup-v1/*.rst). Called by write-errors.ts.
import { quote } from '../errors/errors.ts'
import { effectiveUser } from '../host/passwd.ts'
import { formatSize } from '../text/units.ts'
import { describeFile } from './controllers/catalog.ts'
import { readChildren, readGroupFile, readWords } from './files.ts'
import { describeProcesses, explainChain, isUnified, shortenList } from './group-state.ts'
import { explainLimit, type LimitReason } from './limit-reasons.ts'

/** A refused write. */
export interface Refused {
  /** Directory of the group. */
  directory: string
  file: string
  value: string
  /** Name of the errno. */
  errno: string
}

/** Remedy for an error of a user who does not own the group. */
export const delegate =
  'run as root, or have the group delegated: hutch cgroup create --owner USER, or systemd-run --user --scope -p Delegate=yes …'
export const readOnly =
  'the cgroup file system is read-only here (a container?): start that container with a private cgroup namespace and a writable /sys/fs/cgroup'

/** Returns why the kernel refused to write a file of a group, and what the user can do. */
export function reasonFor({ directory, file, value, errno }: Refused): LimitReason {
  if (errno === 'EROFS') return { evidence: [], remedy: readOnly }
  const special =
    (file.endsWith('.pressure') ? explainTrigger : byFile[file])?.(directory, value, errno) ??
    explainLimit({ directory, file, value, errno })
  if (special) return special
  const words = describeFile(file, isUnified(directory) ? 'v2' : 'v1')
  const accepted = words?.accepts ? [`it takes ${words.accepts}`] : []
  if (words?.access === 'read') return { evidence: ['the kernel only reports through this file'], remedy: 'read it' }
  if (errno === 'EACCES' || errno === 'EPERM') return { evidence: ownerOf(directory), remedy: delegate }
  if (errno === 'EINVAL' || errno === 'ERANGE' || errno === 'EOVERFLOW' || errno === 'E2BIG')
    return {
      evidence: accepted,
      remedy: words?.accepts ? `give ${words.accepts}` : 'see its kernel documentation',
    }
  if (errno === 'ENODEV' || errno === 'ENXIO')
    return { evidence: accepted, remedy: 'name a device as lsblk shows it (MAJ:MIN), whole disks only' }
  if (errno === 'EOPNOTSUPP')
    return {
      evidence: [`the group's type is ${readGroupFile(directory, 'cgroup.type') ?? 'unknown'}`],
      remedy: 'the kernel has this disabled for such a group, or was built without it',
    }
  if (errno === 'EBUSY') return { evidence: useOf(directory, file), remedy: 'give a higher value, or free some first' }
  if (errno === 'ENOSPC') return { evidence: accepted, remedy: 'give values that the group above has' }
  return { evidence: accepted, remedy: 'see the kernel documentation of this file' }
}

type Explain = (directory: string, value: string, errno: string) => LimitReason | undefined

/** Files for which a refused write has special reasons. */
const byFile: { [file: string]: Explain } = {
  'cgroup.subtree_control': explainSubtreeControl,
  'cgroup.procs': explainJoin,
  tasks: explainJoin,
  'cgroup.threads': explainJoin,
  'cgroup.type': (directory, _value, errno) =>
    errno === 'EOPNOTSUPP' || errno === 'EINVAL' || errno === 'EBUSY'
      ? {
          evidence: [
            `it is ${readGroupFile(directory, 'cgroup.type') ?? 'unknown'}`,
            `controllers for its children: ${readWords(directory, 'cgroup.subtree_control').join(' ') || 'none'}`,
          ],
          remedy:
            'only "threaded" can be written, and only while no controllers except cpu, cpuset, pids and perf_event are enabled',
        }
      : undefined,
}

function explainSubtreeControl(directory: string, value: string, errno: string): LimitReason | undefined {
  const names = value.split(/\s+/).map((word) => word.replace(/^[+-]/, ''))
  if (errno === 'EBUSY') {
    const users = readChildren(directory).filter((child) =>
      readWords(`${directory}/${child}`, 'cgroup.subtree_control').some((name) => names.includes(name)),
    )
    if (value.includes('-') && users.length > 0)
      return {
        evidence: [`groups below enable it for their children: ${shortenList(users)}`],
        remedy: 'disable it there first',
      }
    return {
      evidence: [
        `processes in the group itself: ${shortenList(describeProcesses(directory)) || 'one that is exiting'}`,
        'a v2 group can have processes or controlled children, but not both, except the root',
      ],
      remedy: `move them to a child group: hutch cgroup set --evacuate`,
    }
  }
  if (errno === 'ENOENT') {
    const missing = names.filter((name) => !readWords(directory, 'cgroup.controllers').includes(name))
    const [evidence, remedy] = explainChain(`${directory}/.`, missing[0] ?? names[0]!)
    return { evidence, remedy }
  }
  if (errno === 'EOPNOTSUPP')
    return {
      evidence: [`the group's type is ${readGroupFile(directory, 'cgroup.type') ?? 'unknown'}`],
      remedy: 'a threaded group accepts only cpu, cpuset, pids and perf_event',
    }
  return errno === 'EINVAL'
    ? {
        evidence: [`controllers here: ${readWords(directory, 'cgroup.controllers').join(' ') || 'none'}`],
        remedy: 'give names with + or -, such as "+memory -io"',
      }
    : undefined
}

function explainJoin(directory: string, value: string, errno: string): LimitReason | undefined {
  const type = readGroupFile(directory, 'cgroup.type')
  switch (errno) {
    case 'ESRCH':
      return {
        evidence: [`there is no process ${quote(value)}`],
        remedy: 'name a running process: pgrep, hutch cgroup show',
      }
    case 'EOPNOTSUPP':
      return {
        evidence: [`the group's type is ${type ?? 'unknown'}`],
        remedy:
          type === 'domain invalid'
            ? 'a group above it is threaded: write "threaded" to its cgroup.type, or use another group'
            : 'threads may only move within their threaded domain',
      }
    case 'EBUSY':
      return {
        evidence: [
          `the group enables controllers for its children: ${readWords(directory, 'cgroup.subtree_control').join(' ')}`,
          'a v2 group can have processes or controlled children, but not both, except the root',
        ],
        remedy: 'name a group below it that enables none',
      }
    case 'ENOSPC':
      return {
        evidence: ['its cpuset.cpus or cpuset.mems is empty: no CPU to run on'],
        remedy: 'set both first, to values that the group above has',
      }
    case 'EINVAL':
      return {
        evidence: [
          'a kernel thread cannot be moved, and a real-time process cannot be moved into a cpu group without a real-time budget',
        ],
        remedy: 'give the number of an ordinary process',
      }
    case 'EACCES':
    case 'EPERM':
      return {
        evidence: [
          ...ownerOf(directory),
          'the caller needs write access to cgroup.procs in both groups and in their nearest common ancestor',
        ],
        remedy: delegate,
      }
    default:
      return undefined
  }
}

function explainTrigger(_directory: string, _value: string, errno: string): LimitReason | undefined {
  if (errno === 'EINVAL')
    return {
      evidence: [
        'a window is 500 ms to 10 s and not shorter than the stall; without CAP_SYS_RESOURCE a multiple of 2 s',
      ],
      remedy: 'give a trigger such as memory:some:150ms/2s',
    }
  return errno === 'EOPNOTSUPP' || errno === 'EBUSY'
    ? { evidence: [], remedy: 'boot with psi=1, and write 1 to cgroup.pressure of the group' }
    : undefined
}

/** Returns how much of the limited resource the group uses, and its peak. */
function useOf(directory: string, file: string): string[] {
  const figure = (names: string[]) => names.map((name) => readGroupFile(directory, name)).find(Boolean)
  const v1 = file.includes('memsw') ? 'memory.memsw' : 'memory'
  if (!file.startsWith('memory.')) return []
  const current = figure(['memory.current', `${v1}.usage_in_bytes`])
  const peak = figure(['memory.peak', `${v1}.max_usage_in_bytes`])
  return [
    'the group already uses more, and nothing more could be reclaimed',
    ...(current ? [`now ${formatSize(Number(current))}${peak ? `, at most ${formatSize(Number(peak))}` : ''}`] : []),
  ]
}

function ownerOf(directory: string): string[] {
  return [`user ${effectiveUser()} cannot write there`, `the group is ${directory}`]
}
