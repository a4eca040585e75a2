// SPDX-License-Identifier: Apache-2.0
// Explains an operation that the kernel refused: the option that requested it, the meaning of errno, and the remedy. Called by launch.ts,
// job.ts and ungrouped.ts.
import { explainLimit } from '../cgroup/limit-reasons.ts'
import { fail, type HutchError, nameOptions } from '../errors/errors.ts'
import {
  asRoot,
  oneOf,
  optionOfRun,
  type RemedyText,
  text,
  type Way,
  withOption,
  withToolOption,
} from '../errors/remedy-text.ts'
import type { Obstacle } from '../host/privileges.ts'
import { kindsIn } from '../namespaces/namespace.ts'
import type { Op } from '../ops/ops.ts'
import { stepRemedy, stepWhat } from '../ops/step-words.ts'
import { stepParts } from '../ops/wire.ts'
import { specFrontends } from '../options/frontends.ts'
import { optionName } from '../options/names.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Plan } from '../plan/plan.ts'
import { quote, shellWord } from '../text/quote.ts'
import { formatSize } from '../text/units.ts'
import { explainCoveredProc } from './covered-proc.ts'
import { explainMountRefusal, isMountOp, type TargetReport } from './mount-errors.ts'
import { refusedPath, refusedStream } from './stdio-errors.ts'

/**
 * Explains a refused operation. `obstacles` finds what forbids user namespaces on this host. `part` is the number of
 * the refused system call if the operation makes several.
 */
export function explainRefusal(
  op: Op,
  errno: string,
  plan: Plan,
  obstacles: () => Obstacle[],
  part = 0,
  fileSystem = '',
  seen?: TargetReport,
): HutchError {
  return nameOptions(
    explain(op, errno, plan, obstacles, part, fileSystem, seen),
    specFrontends[plan.spec.frontend].names,
  )
}

function explain(
  op: Op,
  errno: string,
  plan: Plan,
  obstacles: () => Obstacle[],
  part: number,
  fileSystem: string,
  seen: TargetReport | undefined,
): HutchError {
  if (plan.filter && stepParts[part] === 'filter') return refusedFilter(errno, plan)
  const covered = explainCoveredProc(op, errno, originWord(op.origin, plan))
  if (covered) return covered
  if (plan.userNamespace && isForbidden(op, errno)) {
    const found = obstacles()
    if (op.op === 'spawn' || op.op === 'mapIds' || found.length > 0) return forbidden(op, errno, found, plan)
  }
  switch (op.op) {
    case 'makeGroup':
      return fail('CGROUP_REFUSED', {
        what: 'make the group',
        path: op.path,
        errno,
        remedy: groupRemedy(errno),
      })
    case 'writeFile':
      return op.path.endsWith('/cgroup.subtree_control')
        ? fail('CGROUP_REFUSED', {
            what: `enable ${op.value} in`,
            path: op.path,
            errno,
            remedy: groupRemedy(errno),
          })
        : refusedLimit(op, errno, plan)
    case 'reserveIds':
      if (errno === 'EDQUOT') return fail('IDS_USED_UP', { errno })
      return explainStep(op, errno, originWord(op.origin, plan), part)
    case 'removeGroup':
      return fail('CGROUP_LEFT', { what: 'remove', path: op.path, errno })
    case 'sendMapped':
      if (stepParts[part] === 'attributes' && isMappedBySandbox(op.source, plan))
        return refusedMap(op.source, errno, originWord(op.origin, plan), fileSystem)
      return explainStep(op, errno, originWord(op.origin, plan), part, fileSystem, seen)
    case 'spawn':
      return refusedSpawn(op.flags, errno, plan)
    case 'joinGroup':
      return fail('CGROUP_REFUSED', {
        what: 'join',
        path: op.path,
        errno,
        remedy: errno === 'ENOSPC' ? 'give cpuset.cpus and cpuset.mems that the parent group has' : 'see hutch doctor',
      })
    default:
      return explainStep(op, errno, originWord(op.origin, plan), part, fileSystem, seen)
  }
}

function isMappedBySandbox(source: string, { spec }: Plan): boolean {
  const mounts = spec.root?.mounts ?? []
  return mounts.some((mount) => mount.idmap === 'sandbox' && mount.source === source)
}

/** Explains why a sandbox started by root cannot write a volume: the file system does not support mapping the ids of its files. */
function refusedMap(source: string, errno: string, origin: string, fileSystem: string): HutchError {
  const found = fileSystem ? `its file system, ${fileSystem},` : 'its file system, or one that is mounted below it,'
  return fail('MOUNT_REFUSED', {
    what: `let the sandbox write ${quote(source)}`,
    why: `${found} cannot map the ids of its files`,
    errno,
    path: source,
    origin,
    remedy: `add :ro to ${origin} if the command only reads; or let everybody write: chmod o+w ${shellWord(source)}; or move it to ext4, xfs or btrfs`,
  })
}

function refusedFilter(errno: string, plan: Plan): HutchError {
  const { seccomp, seccompReport, learn, frontend } = plan.spec
  const telling = learn ? 'learn' : seccompReport ? 'seccompReport' : undefined
  if (telling && errno === 'EBUSY')
    return fail('STEP_REFUSED', {
      what: 'listen to the system call filter',
      operation: 'seccomp',
      origin: originWord(telling, plan),
      errno,
      remedy: `a filter around this process already has a listener, and the kernel allows only one: leave out ${originWord(telling, plan)}`,
    })
  return fail('STEP_REFUSED', {
    what: 'install the system call filter',
    operation: 'prctl',
    origin:
      seccomp && 'comesWith' in seccomp
        ? seccompOrigin(seccomp, frontend)
        : originWord(learn ? 'learn' : 'seccomp', plan),
    errno,
    remedy:
      errno === 'EACCES'
        ? text`it takes no_new_privs, or CAP_SYS_ADMIN: leave out ${optionOfRun('newPrivileges')}`
        : 'this kernel may lack filters (CONFIG_SECCOMP_FILTER), or the nested filters are too long together',
  })
}

/** Explains a refused operation of a program that was compiled without a Plan, as by unshare and nsenter. */
export function explainAlone(
  op: Op,
  errno: string,
  part: number,
  obstacles: () => Obstacle[],
  seen?: TargetReport,
): HutchError {
  if (op.op !== 'spawn' || op.flags === 0)
    return explainCoveredProc(op, errno, op.origin) ?? explainStep(op, errno, op.origin, part, '', seen)
  const user = kindsIn(op.flags).includes('user') && isForbidden(op, errno)
  return user ? forbidden(op, errno, obstacles()) : refusedSpawn(op.flags, errno)
}

/** Explains a refused operation for which the Plan is not needed. */
function explainStep(
  op: Op,
  errno: string,
  origin: string,
  part: number,
  fileSystem = '',
  seen?: TargetReport,
): HutchError {
  if (stepParts[part] === 'filter')
    return fail('STEP_REFUSED', {
      what: 'install a system call filter',
      operation: 'prctl',
      origin,
      errno,
      remedy:
        errno === 'EINVAL'
          ? 'give a compiled filter (cBPF, as seccomp_export_bpf writes it); the kernel accepts at most 4096 instructions'
          : 'all filters except the last must allow prctl',
    })
  if (isMountOp(op)) return explainMountRefusal(op, errno, stepParts[part] ?? 'whole', origin, fileSystem, seen)
  switch (op.op) {
    case 'checkStreams':
      return refusedStream(errno, part, origin)
    case 'allowPath':
      return refusedPath(op.path, errno, origin, stepParts[part] === 'source')
    default:
      return refusedStep(op, errno, origin)
  }
}

/** Returns the error for an operation that needs no special explanation. */
function refusedStep(op: Op, errno: string, origin: string): HutchError {
  return fail('STEP_REFUSED', {
    what: stepWhat(op),
    operation: op.op,
    origin,
    errno,
    remedy: stepRemedy(op, errno),
  })
}

/** Returns true if the kernel forbade a user namespace, or allowed it only without capabilities, as AppArmor does. */
function isForbidden(op: Op, errno: string): boolean {
  if (op.op === 'spawn') return errno === 'EPERM' || errno === 'ENOSPC' || errno === 'EUSERS'
  return (errno === 'EPERM' || errno === 'EACCES') && (op.op === 'mapIds' || op.op === 'mount' || op.op === 'unshare')
}

function forbidden(op: Op, errno: string, found: readonly Obstacle[], plan?: Plan): HutchError {
  const depth = 'they are nested too deep, or /proc/sys/user/max_user_namespaces is reached'
  const byTool = op.op === 'mapIds' && (op.userTool !== '' || op.groupTool !== '')
  const tool =
    'the set-user-ID programs newuidmap and newgidmap write the maps: no_new_privs, or a mount with nosuid, prevents that'
  return fail('USERNS_FORBIDDEN', {
    what: op.op === 'spawn' ? 'make' : op.op === 'mapIds' ? 'map the ids of' : 'use',
    errno,
    evidence: [
      ...(plan ? askedFor(op, plan) : []),
      ...(byTool ? [tool] : found.length > 0 ? found.map((one) => one.found) : errno === 'EPERM' ? [] : [depth]),
    ],
    remedy: found[0]?.remedy ?? needsRoot(['hutch doctor finds what refuses it']),
  })
}

/** Returns remedies for a process that lacks root's privileges: run as root, or one of these other ways. */
function needsRoot(more: readonly Way[]): RemedyText {
  return oneOf(
    [asRoot(), withOption('leave the namespaces out with %', 'isolate', 'none'), ...more],
    'hutch doctor finds what refuses it',
  )
}

/** Returns the option that requested the user namespace. Returns an empty array if hutch added it because the user is not root. */
function askedFor(op: Op, plan: Plan): string[] {
  const { mapUsers, mapGroups, isolate } = plan.spec
  const origin = mapUsers ? 'mapUsers' : mapGroups ? 'mapGroups' : isolate.includes('user') ? 'isolate' : undefined
  return origin ? [`requested by ${originWord(op.op === 'spawn' ? origin : op.origin, plan)}`] : []
}

const delegated = 'run as root, or in a delegated group: systemd-run --user --scope -p Delegate=yes …'
const byOthers =
  'the group is not writable here, even for root: check its owner, its mount and the log of a security module'

function groupRemedy(errno: string): RemedyText {
  if (errno === 'EACCES' || errno === 'EPERM') return asRoot(delegated) ?? byOthers
  if (errno === 'EBUSY')
    return oneOf(
      [withOption('that group itself has processes: name another group with %', 'parent')],
      'that group itself has processes: start from another group',
    )
  return groupRemedies[errno] ?? 'see hutch doctor'
}

const groupRemedies: { [errno: string]: string } = {
  EROFS:
    'the cgroup file system is read-only here (a container?): start that container with a private cgroup namespace and a writable /sys/fs/cgroup',
  EAGAIN: 'cgroup.max.descendants of a group above is reached: remove unused groups, or raise it',
  ENOSPC: 'the kernel has no more group ids for this controller: remove unused groups',
}

function refusedLimit(op: Extract<Op, { op: 'writeFile' }>, errno: string, plan: Plan): HutchError {
  const slash = op.path.lastIndexOf('/')
  const file = op.path.slice(slash + 1)
  const value =
    /^\d{5,}$/.test(op.value) && file.startsWith('memory.') ? `${op.value} (${formatSize(Number(op.value))})` : op.value
  const directory = op.path.slice(0, slash)
  // the group has already been removed, so its limits are taken from the plan
  const own = plan.groups.find((group) => group.directory === directory)?.writes ?? []
  const read = (name: string) => own.find((write) => write.file === name)?.value
  const reason = explainLimit({ directory, file, value: op.value, errno, read })
  const [why, remedy] = reason
    ? [reason.evidence.join('\n  '), reason.remedy]
    : (limitReasons()[errno] ?? ['', 'see the kernel documentation of this file'])
  return fail('CGROUP_LIMIT_REFUSED', {
    file,
    value: op.value,
    group: directory,
    origin: op.origin,
    errno,
    remedy,
    evidence: [...(why ? [why] : []), ...(value === op.value ? [] : [`the value is ${value}`])],
  })
}

const limitReasons = (): { [errno: string]: [string, RemedyText] } => ({
  ENOENT: [
    'this kernel or this cgroup version has no such file',
    'hutch doctor lists the controllers; leave this limit out',
  ],
  EINVAL: ['the kernel does not accept this value', "give a value in the format of the file's kernel documentation"],
  ERANGE: ["the value is outside the kernel's range", 'give a value within its range'],
  EBUSY: ['the group already uses more, and nothing more could be reclaimed', 'set a higher limit'],
  EACCES: ['the file cannot be written here', asRoot('run as root, or in a delegated group') ?? byOthers],
  EPERM: ['this user cannot write it', asRoot('run as root, or in a delegated group') ?? byOthers],
  EOPNOTSUPP: ['the group cannot have this controller', otherParent('name another group')],
})

function otherParent(words: string): RemedyText {
  return oneOf([withOption(`${words} with %`, 'parent')], words)
}

/** Memory in bytes that the kernel needs to start a process. A group with a lower memory.max cannot start one. */
const minForProcess = 1 << 20

/** Returns words for a memory.max that is too low to start a process. The kernel charges a new process's memory to its group. */
function tooTight(plan: Plan | undefined, errno: string): [why: string, remedy: RemedyText] | undefined {
  const limit = plan?.spec.limits.find(({ file, value }) => file === 'memory.max' && Number(value) < minForProcess)
  if (errno !== 'ENOMEM' || !limit) return undefined
  return [
    `${limit.origin} is ${formatSize(Number(limit.value))}: less than the kernel needs for a process`,
    `give ${limit.origin.split(' ')[0]} at least 1M`,
  ]
}

function refusedSpawn(flags: number, errno: string, plan?: Plan): HutchError {
  const kinds = kindsIn(flags)
  const named = kinds.length > 0 ? `the process in its namespaces (${kinds.join(', ')})` : 'the process'
  const [why, remedy] = tooTight(plan, errno) ?? spawnReasons()[errno] ?? ['', 'see hutch doctor']
  const group =
    errno === 'EAGAIN' || errno === 'ENOENT' || errno === 'EBUSY' || errno === 'EOPNOTSUPP'
      ? plan?.groups[0]?.directory
      : undefined
  return fail('NAMESPACE_REFUSED', {
    kinds: named,
    errno,
    remedy,
    evidence: [...(why ? [why] : []), ...(group ? [`its group: ${group}`] : [])],
  })
}

const spawnReasons = (): { [errno: string]: [string, RemedyText] } => ({
  EPERM: ['new namespaces take CAP_SYS_ADMIN', needsRoot([withToolOption('add %', 'userNamespace')])],
  EAGAIN: [
    'a limit on processes is reached: pids.max of a group, RLIMIT_NPROC, or kernel.pid_max',
    'raise it, or end some processes',
  ],
  ENOSPC: [
    'namespaces are nested too deep, or /proc/sys/user/max_*_namespaces is reached',
    'raise that number, or nest less',
  ],
  EINVAL: [
    'this kernel does not know one of them',
    oneOf(
      [withOption('leave kinds out with %; hutch doctor lists the available ones', 'isolate')],
      'leave it out; hutch doctor lists the available ones',
    ),
  ],
  ENOMEM: ['the kernel has no memory for a new process, or the pid namespace is ending', 'free memory'],
  ENOENT: [
    'this process is in a cgroup namespace, and the group is outside of it',
    'start the outer job without a cgroup namespace: hutch run --isolate pid,mount,ipc,uts …',
  ],
  EBUSY: [
    'the group enables controllers for its children, so it cannot have processes',
    otherParent('name another group'),
  ],
  EOPNOTSUPP: ['the group is threaded, or its parent is', otherParent('name a group of type "domain"')],
})

function originWord(origin: string, plan: Plan): string {
  return optionName(origin, plan.spec.frontend)
}
