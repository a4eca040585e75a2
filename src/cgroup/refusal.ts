// SPDX-License-Identifier: Apache-2.0
// What the kernel means when it refuses a cgroup file: errno alone misleads, so each is explained with what the group shows (cgroup-v2.rst).
import { fail, type HutchError, quote } from '../errors.ts'
import { formatSize } from '../units.ts'
import { describeFile } from './catalog/catalog.ts'
import { readChildren, readGroupFile, readOwner, readWords } from './files.ts'
import { controllerOf } from './legacy.ts'

/** A write that was refused. */
export interface Refused {
  /** Directory of the group. */
  directory: string
  file: string
  value: string
  /** Name of the errno. */
  errno: string
}

/** Why, in evidence lines, and what to do. */
interface Reason {
  evidence: string[]
  remedy: string
}

const delegate =
  'run as root, or have the group delegated: hutch cgroup create --owner USER, or systemd-run --user --scope -p Delegate=yes …'
const readOnly =
  'the cgroup file system is read-only here (a container?): start that container with a private cgroup namespace and a writable /sys/fs/cgroup'

/** The error for a refused write. */
export function explainWrite(refused: Refused): HutchError {
  const { directory, file, value, errno } = refused
  if (errno === 'ENOENT' && readOwner(`${directory}/${file}`) === undefined) return explainMissing(directory, file)
  const { evidence, remedy } = reasonFor(refused)
  return fail('CGROUP_WRITE_REFUSED', { file, value, group: directory, errno, evidence, remedy })
}

/** The error for a file that is not there, or cannot be read. */
export function explainRead(directory: string, file: string, errno: string): HutchError {
  if (errno === 'ENOENT') return explainMissing(directory, file)
  const remedy = errno === 'EOPNOTSUPP' ? 'the kernel was built or booted without it (pressure: psi=1)' : delegate
  return fail('CGROUP_REFUSED', { what: `read ${file} of`, path: directory, errno, remedy })
}

/** The error for a group that could not be made. */
export function explainMake(directory: string, errno: string): HutchError {
  const parent = directory.slice(0, directory.lastIndexOf('/'))
  const most = (file: string) => {
    const limit = readGroupFile(parent, file)
    return limit === undefined || limit === 'max' ? [] : [`${file} of ${parent} is ${limit}`]
  }
  const reasons: { [errno: string]: Reason } = {
    EACCES: { evidence: [`user ${process.geteuid?.()} may not write to ${parent}`], remedy: delegate },
    EPERM: { evidence: [], remedy: delegate },
    EROFS: { evidence: [], remedy: readOnly },
    EEXIST: { evidence: [], remedy: 'use it as it is, or remove it first: hutch cgroup rm' },
    ENOENT: { evidence: [`there is no ${parent}`], remedy: 'make the groups above it first' },
    EAGAIN: {
      evidence: [...most('cgroup.max.descendants'), ...most('cgroup.max.depth')],
      remedy: 'remove unused groups, or raise the limit',
    },
    ENOSPC: {
      evidence: [`groups of this controller that are being removed count too`],
      remedy: 'remove unused groups: a controller has at most 65535 ids',
    },
  }
  const { evidence, remedy } = reasons[errno] ?? { evidence: [], remedy: 'see hutch doctor' }
  return fail('CGROUP_REFUSED', { what: 'make the group', path: directory, errno, evidence, remedy })
}

/** The error for a group that could not be removed. */
export function explainRemove(directory: string, errno: string): HutchError {
  const children = readChildren(directory)
  const inside = listProcesses(directory)
  const reasons: { [errno: string]: Reason } = {
    EBUSY:
      children.length > 0
        ? {
            evidence: [`groups below it: ${shorten(children)}`],
            remedy: 'remove them too: hutch cgroup rm --recursive',
          }
        : inside.length > 0
          ? {
              evidence: [`processes in it: ${shorten(inside)}`],
              remedy: 'end or move them first: hutch cgroup rm --kill, or hutch cgroup move',
            }
          : { evidence: ['a process in it is just ending'], remedy: 'try again in a moment' },
    EACCES: { evidence: [], remedy: delegate },
    EPERM: {
      evidence: [],
      remedy: "the root of a hierarchy can't be removed; a group that is not yours is its owner's",
    },
    EROFS: { evidence: [], remedy: readOnly },
  }
  const { evidence, remedy } = reasons[errno] ?? { evidence: [], remedy: 'see hutch doctor' }
  return fail('CGROUP_REFUSED', { what: 'remove the group', path: directory, errno, evidence, remedy })
}

/** No such file in a group that is there: the controller is not on, the kernel is older, or there never was such a file. */
function explainMissing(directory: string, file: string): HutchError {
  const unified = isUnified(directory)
  const controller = controllerOf(file)
  const words = describeFile(file, unified ? 'v2' : 'v1')
  const missing = (evidence: string[], remedy: string) =>
    fail('CGROUP_FILE_MISSING', { file, group: directory, evidence, remedy })
  if (!isGroup(directory)) return missing([`there is no group ${directory}`], 'make it first: hutch cgroup create')
  if (!words) {
    const other = describeFile(file, unified ? 'v1' : 'v2')
    return other
      ? missing(
          [`${file} is a file of cgroup ${unified ? 'v1' : 'v2'}, and this hierarchy is ${unified ? 'v2' : 'v1'}`],
          other.v1 || !unified
            ? 'use its name there: hutch cgroup show lists the files'
            : 'hutch cgroup show lists the files',
        )
      : missing(
          ['no kernel that hutch knows has a file of this name'],
          'hutch cgroup show lists the files of the group',
        )
  }
  if (unified && controller !== 'cgroup' && !readWords(directory, 'cgroup.controllers').includes(controller))
    return missing(...explainChain(directory, controller))
  if (unified && isRoot(directory) && words.root === 'never')
    return missing(['the root group has no such file: it stands for the whole machine'], 'name a group below it')
  if (file.endsWith('.pressure') && readGroupFile(directory, 'cgroup.pressure') === '0')
    return missing(['cgroup.pressure of the group is 0, which hides it'], 'set cgroup.pressure to 1 there')
  return missing(
    words.since ? [`it came with Linux ${words.since}`] : ['this kernel was built without it'],
    'leave it out, or use a kernel that has it',
  )
}

/** Where a controller stops being handed down on the way to a group, and the command that mends it. */
function explainChain(directory: string, controller: string): [evidence: string[], remedy: string] {
  const levels = levelsDownTo(directory)
  const broken = levels.slice(0, -1).find((level) => !readWords(level, 'cgroup.subtree_control').includes(controller))
  const top = levels[0]!
  if (!readWords(top, 'cgroup.controllers').includes(controller))
    return [
      [
        `this v2 tree has no ${controller} controller; it has: ${readWords(top, 'cgroup.controllers').join(' ') || 'none'}`,
      ],
      'hutch doctor says where the controller is, and how to get it',
    ]
  if (broken === undefined) return [[`the root group itself has no such file`], 'name a group below it']
  return [
    [`${controller} is not enabled for the children of ${broken} (cgroup.subtree_control)`],
    `hutch cgroup set ${pathOf(broken, top)} cgroup.subtree_control=+${controller}`,
  ]
}

function reasonFor({ directory, file, value, errno }: Refused): Reason {
  if (errno === 'EROFS') return { evidence: [], remedy: readOnly }
  const special = (file.endsWith('.pressure') ? explainTrigger : byFile[file])?.(directory, value, errno)
  if (special) return special
  const words = describeFile(file, isUnified(directory) ? 'v2' : 'v1')
  const accepted = words?.accepts ? [`it takes ${words.accepts}`] : []
  if (words?.access === 'read') return { evidence: ['the kernel only tells by this file'], remedy: 'read it' }
  if (errno === 'EACCES' || errno === 'EPERM') return { evidence: ownerOf(directory), remedy: delegate }
  if (errno === 'EINVAL' || errno === 'ERANGE' || errno === 'EOVERFLOW' || errno === 'E2BIG')
    return {
      evidence: accepted,
      remedy: words?.accepts ? `give ${words.accepts}` : 'see the kernel documentation of it',
    }
  if (errno === 'ENODEV' || errno === 'ENXIO')
    return { evidence: accepted, remedy: 'name a device as lsblk shows it (MAJ:MIN), whole disks only' }
  if (errno === 'EOPNOTSUPP')
    return {
      evidence: [`the group's type is ${readGroupFile(directory, 'cgroup.type') ?? 'unknown'}`],
      remedy: 'the kernel has this switched off for such a group, or was built without it',
    }
  if (errno === 'EBUSY') return { evidence: useOf(directory, file), remedy: 'give a higher value, or free some first' }
  if (errno === 'ENOSPC') return { evidence: accepted, remedy: 'give what the group above it has' }
  return { evidence: accepted, remedy: 'see the kernel documentation of this file' }
}

type Explain = (directory: string, value: string, errno: string) => Reason | undefined

/** Files whose refusals have causes of their own. */
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
            'only "threaded" can be written, and only while no controller but cpu, cpuset, pids, perf_event is on',
        }
      : undefined,
  'cpu.cfs_quota_us': explainQuota,
  'cpu.cfs_period_us': explainQuota,
  'cpuset.cpus': explainCpuset,
  'cpuset.mems': explainCpuset,
}

function explainSubtreeControl(directory: string, value: string, errno: string): Reason | undefined {
  const names = value.split(/\s+/).map((word) => word.replace(/^[+-]/, ''))
  if (errno === 'EBUSY') {
    const users = readChildren(directory).filter((child) =>
      readWords(`${directory}/${child}`, 'cgroup.subtree_control').some((name) => names.includes(name)),
    )
    if (value.includes('-') && users.length > 0)
      return {
        evidence: [`groups below it hand it on themselves: ${shorten(users)}`],
        remedy: 'switch it off there first',
      }
    return {
      evidence: [
        `processes in the group itself: ${shorten(listProcesses(directory)) || 'one that is just ending'}`,
        'a v2 group has either processes or controlled children, the root excepted',
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
      remedy: 'a threaded group takes cpu, cpuset, pids and perf_event alone',
    }
  return errno === 'EINVAL'
    ? {
        evidence: [`controllers here: ${readWords(directory, 'cgroup.controllers').join(' ') || 'none'}`],
        remedy: 'give names with + or -, such as "+memory -io"',
      }
    : undefined
}

function explainJoin(directory: string, value: string, errno: string): Reason | undefined {
  const type = readGroupFile(directory, 'cgroup.type')
  switch (errno) {
    case 'ESRCH':
      return {
        evidence: [`there is no process ${quote(value)}`],
        remedy: 'name one that lives: pgrep, hutch cgroup show',
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
          `the group hands controllers to its children: ${readWords(directory, 'cgroup.subtree_control').join(' ')}`,
          'a v2 group has either processes or controlled children, the root excepted',
        ],
        remedy: 'name a group below it that hands on none',
      }
    case 'ENOSPC':
      return {
        evidence: ['its cpuset.cpus or cpuset.mems is empty: no CPU to run on'],
        remedy: 'set both first, to what the group above it has',
      }
    case 'EINVAL':
      return {
        evidence: ['a kernel thread cannot be moved, nor a real-time one into a cpu group without a real-time budget'],
        remedy: 'give the number of an ordinary process',
      }
    case 'EACCES':
    case 'EPERM':
      return {
        evidence: [
          ...ownerOf(directory),
          'the mover must be allowed to write cgroup.procs in both groups and in their nearest common ancestor',
        ],
        remedy: delegate,
      }
    default:
      return undefined
  }
}

/** v1 refuses a group more than the one above it has; on v2 the smaller limit simply holds. */
function explainQuota(directory: string, _value: string, errno: string): Reason | undefined {
  const parent = directory.slice(0, directory.lastIndexOf('/'))
  const [quota, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((file) => Number(readGroupFile(parent, file)))
  if (errno !== 'EINVAL' || !(quota! > 0)) return undefined
  return {
    evidence: [`the group above it has ${quota} µs in ${period} µs, and on v1 no group may have a larger share`],
    remedy: 'give a smaller quota, or raise the one above first',
  }
}

function explainTrigger(_directory: string, _value: string, errno: string): Reason | undefined {
  if (errno === 'EINVAL')
    return {
      evidence: [
        'a window is 500 ms to 10 s and not shorter than the stall; without CAP_SYS_RESOURCE a multiple of 2 s',
      ],
      remedy: 'give such a trigger, as memory:some:150ms/2s',
    }
  return errno === 'EOPNOTSUPP' || errno === 'EBUSY'
    ? { evidence: [], remedy: 'boot with psi=1, and write 1 to cgroup.pressure of the group' }
    : undefined
}

function explainCpuset(directory: string, _value: string, errno: string): Reason | undefined {
  const parent = directory.slice(0, directory.lastIndexOf('/'))
  const has = ['cpuset.cpus', 'cpuset.mems'].map(
    (file) =>
      `${file} above it: ${readGroupFile(parent, `${file}.effective`) || readGroupFile(parent, file) || 'empty'}`,
  )
  if (errno === 'EACCES' && readGroupFile(parent, 'cpuset.cpus') !== undefined)
    return { evidence: has, remedy: 'give CPUs and memory nodes that the group above it has' }
  if (errno === 'ENOSPC')
    return {
      evidence: ['processes are in it, which must have a CPU and a memory node', ...has],
      remedy: 'move them first',
    }
  if (errno === 'EBUSY')
    return {
      evidence: ['groups below it, or its own tasks, need what would be taken away'],
      remedy: 'free it there first',
    }
  if (errno === 'EINVAL' || errno === 'ERANGE')
    return { evidence: has, remedy: 'give a list such as 0-2,5 of what the machine has' }
  return undefined
}

/** What the group uses now, and at most so far. */
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
  return [`user ${process.geteuid?.()} may not write there`, `the group is ${directory}`]
}

/** `12 (sleep)` for each process that is in the group itself. */
export function listProcesses(directory: string): string[] {
  return readWords(directory, 'cgroup.procs').map((pid) => {
    const name = pid === '0' ? 'of another pid namespace' : readGroupFile(`/proc/${pid}`, 'comm')
    return name === undefined ? pid : `${pid} (${name})`
  })
}

/** The first few, and how many more. */
export function shorten(names: readonly string[], most = 5): string {
  const shown = names.slice(0, most).map(clean).join(', ')
  return names.length > most ? `${shown} and ${names.length - most} more` : shown
}

/** Names come from processes and may hold anything. */
function clean(name: string): string {
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}

function isThere(directory: string, file: string): boolean {
  return readGroupFile(directory, file) !== undefined
}

function isGroup(directory: string): boolean {
  return isThere(directory, 'cgroup.procs')
}

function isUnified(directory: string): boolean {
  return isThere(directory, 'cgroup.controllers')
}

/** Only the root of a v2 tree lacks cgroup.type (a cgroup namespace's root has it). */
function isRoot(directory: string): boolean {
  return !isThere(directory, 'cgroup.type')
}

/** From the topmost v2 group that can be seen down to this one. */
function levelsDownTo(directory: string): string[] {
  const levels = [directory]
  for (;;) {
    const above = levels[0]!.slice(0, levels[0]!.lastIndexOf('/'))
    if (above === '' || !isUnified(above)) return levels
    levels.unshift(above)
  }
}

/** As hutch's commands take it. */
function pathOf(directory: string, top: string): string {
  return directory.slice(top.length) || '/'
}
