// SPDX-License-Identifier: Apache-2.0
// Explains an operation that the kernel refused: the option that requested it, the meaning of errno, and the remedy. The words of each
// operation are in its row (src/ops/). Called by launch.ts, job.ts and ungrouped.ts.
import { explainLimit } from '../cgroup/limit-reasons.ts'
import { fail, type HutchError, nameOptions } from '../errors/errors.ts'
import { optionOfRun, text } from '../errors/remedy-text.ts'
import type { Obstacle } from '../host/privileges.ts'
import { kindsIn } from '../namespaces/namespace.ts'
import { type Op, rowOf } from '../ops/ops.ts'
import { needsRoot, type RefusedOp } from '../ops/row.ts'
import { stepRemedy, stepWhat } from '../ops/step-words.ts'
import { stepParts } from '../ops/wire.ts'
import { specFrontends } from '../options/frontends.ts'
import { explainByLimits } from '../options/limit-causes.ts'
import { optionName } from '../options/names.ts'
import { propertyName, propertyNames } from '../options/property-names.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Plan } from '../plan/plan.ts'
import { explainCoveredProc } from './covered-proc.ts'
import { explainMountRefusal, isMountOp, type TargetReport } from './mount-errors.ts'

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
  const refusal: RefusedOp = {
    ...baseFacts(op, errno, part),
    origin: op.op === 'writeFile' ? op.origin : originWord(op.origin, plan),
    fileSystem,
    group: plan.groups[0]?.directory,
    mappedBySandbox: op.op === 'sendMapped' && isMappedBySandbox(op.source, plan),
    limits: explainByLimits(rowOf(op).limits?.[errno], plan.spec),
    conflict: () => (op.op === 'writeFile' ? findConflict(op, errno, plan) : undefined),
  }
  const names = plan.spec.container ? propertyNames : specFrontends[plan.spec.frontend].names
  return nameOptions(explain(op, refusal, plan, obstacles, seen), names)
}

function baseFacts(op: Op, errno: string, part: number) {
  const partName = (op.op === 'checkStreams' ? undefined : stepParts[part]) ?? 'whole'
  return { errno, part, partName, origin: op.origin, fileSystem: '' }
}

function explain(
  op: Op,
  refusal: RefusedOp,
  plan: Plan,
  obstacles: () => Obstacle[],
  seen: TargetReport | undefined,
): HutchError {
  const { errno } = refusal
  if (plan.filter && refusal.partName === 'filter') return refusedFilter(errno, plan)
  const covered = explainCoveredProc(op, errno, refusal.origin)
  if (covered) return covered
  const { userNamespace } = rowOf(op)
  if (plan.userNamespace && userNamespace?.errnos.includes(errno)) {
    const found = obstacles()
    if (userNamespace.certain || found.length > 0) return forbidden(op, errno, found, plan)
  }
  return explainStep(op, refusal, seen)
}

function isMappedBySandbox(source: string, { spec }: Plan): boolean {
  const mounts = spec.root?.mounts ?? []
  return mounts.some((mount) => mount.idmap === 'sandbox' && mount.source === source)
}

/** Finds the value of another group, or of the machine, that conflicts with the value that the kernel refused. */
function findConflict(
  op: Extract<Op, { op: 'writeFile' }>,
  errno: string,
  plan: Plan,
): ReturnType<typeof explainLimit> {
  const slash = op.path.lastIndexOf('/')
  const [directory, file] = [op.path.slice(0, slash), op.path.slice(slash + 1)]
  // the group has already been removed, so its limits are taken from the plan
  const own = plan.groups.find((group) => group.directory === directory)?.writes ?? []
  const read = (name: string) => own.find((write) => write.file === name)?.value
  return explainLimit({ directory, file, value: op.value, errno, read })
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
  const refusal: RefusedOp = baseFacts(op, errno, part)
  const forbids = op.op === 'spawn' && rowOf(op).userNamespace?.errnos.includes(errno)
  if (forbids && kindsIn(op.flags).includes('user')) return forbidden(op, errno, obstacles())
  return explainCoveredProc(op, errno, op.origin) ?? explainStep(op, refusal, seen)
}

/** Explains a refused operation for which the Plan is not needed. */
function explainStep(op: Op, refusal: RefusedOp, seen?: TargetReport): HutchError {
  const { errno, origin, limits } = refusal
  if (refusal.partName === 'filter')
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
  const own = rowOf(op).refused?.(op as never, refusal)
  if (own) return own
  if (isMountOp(op)) return explainMountRefusal(op, refusal, seen)
  return fail('STEP_REFUSED', {
    what: stepWhat(op),
    operation: op.op,
    origin,
    errno,
    remedy: limits?.[1] ?? stepRemedy(op, errno),
    evidence: limits ? [limits[0]] : [],
  })
}

function forbidden(op: Op, errno: string, found: readonly Obstacle[], plan?: Plan): HutchError {
  const depth = 'they are nested too deep, or /proc/sys/user/max_user_namespaces is reached'
  const byTool = op.op === 'mapIds' && (op.userTool !== '' || op.groupTool !== '')
  const tool =
    'the set-user-ID programs newuidmap and newgidmap write the maps: no_new_privs, or a mount with nosuid, prevents that'
  return fail('USERNS_FORBIDDEN', {
    what: rowOf(op).userNamespace!.what,
    errno,
    evidence: [
      ...(plan ? askedFor(op, plan) : []),
      ...(byTool ? [tool] : found.length > 0 ? found.map((one) => one.found) : errno === 'EPERM' ? [] : [depth]),
    ],
    remedy: found[0]?.remedy ?? needsRoot(['hutch doctor finds what refuses it']),
  })
}

/** Returns the option that requested the user namespace. Returns an empty array if hutch added it because the user is not root. */
function askedFor(op: Op, plan: Plan): string[] {
  const { mapUsers, mapGroups, isolate } = plan.spec
  const origin = mapUsers ? 'mapUsers' : mapGroups ? 'mapGroups' : isolate.includes('user') ? 'isolate' : undefined
  return origin ? [`requested by ${originWord(op.op === 'spawn' ? origin : op.origin, plan)}`] : []
}

/** Returns how the requester names an option: the configuration of a container has properties in place of options. */
function originWord(origin: string, { spec }: Plan): string {
  return spec.container ? propertyName(origin) : optionName(origin, spec.frontend)
}
