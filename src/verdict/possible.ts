// SPDX-License-Identifier: Apache-2.0
// Collects evidence for a program that failed by itself: what may have made it fail, and what is ruled out. The
// evidence does not change the kind of the cause. Called by make-cause.ts and compile/words.ts; pure, except that it
// can read the kernel's log.

import type { Mount } from '../mounts/root.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Plan } from '../plan/plan.ts'
import { systemConstants } from '../system/constants.ts'
import type { Denier, Figure } from './cause.ts'
import type { Ended } from './collect-end.ts'

const { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP } = systemConstants.signals
/**
 * Signals by the exit status 128 + number, with which a shell reports that a signal ended its command. Programs hardly
 * use these statuses otherwise.
 */
const reported: { [status: number]: string } = Object.fromEntries(
  Object.entries({ SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP }).map(
    ([name, number]) => [128 + number, name],
  ),
)

const maxFaults = 3

/** Returns the evidence for a job that ended by itself, with an exit status other than 0 or by a signal. */
export function possibleFigures(ended: Ended): Figure[] {
  const { plan, usage, exitCode, signal, outcome } = ended
  const figures = possibleUlimitFigure(plan)
  const name = exitCode === null ? undefined : reported[exitCode]
  if (name !== undefined) figures.push({ figure: 'signal status', status: exitCode!, signal: name })
  if (usage.oomKills === 0 && (signal === SIGKILL || name === 'SIGKILL')) figures.push({ figure: 'no kill' })
  // read the log only if the job's own process exited; a fault that ended it is already known
  const faults = (exitCode !== null && outcome.readFaults?.()) || []
  for (const { name, pid, what } of faults.slice(-maxFaults)) figures.push({ figure: 'fault', name, pid, what })
  return [...figures, ...fullFigures(ended), ...deniedFigures(plan)]
}

/** Returns the host paths that the job can write through a mount. */
function writtenPaths(mount: Mount): string[] {
  if (mount.type === 'overlay') return mount.data.flatMap((option) => /^upperdir=(.*)/s.exec(option)?.[1] ?? [])
  return mount.type === 'bind' && !(mount.flags & mountAttributes.ro) ? [mount.source] : []
}

/**
 * Returns evidence about full file systems of the host that the job may have written to. These are its volumes and, if
 * it uses the host's root, the usual directories for data.
 */
function fullFigures({ plan: { spec }, outcome }: Ended): Figure[] {
  const { root, workdir = '.', env } = spec
  const hostsRoot = root?.directory === undefined && !root?.readOnly
  const paths = [...(root?.mounts ?? []).flatMap(writtenPaths), ...(hostsRoot ? [workdir, env.TMPDIR ?? '/tmp'] : [])]
  const full = outcome.readFull?.(paths) ?? []
  return full.map(({ directory, type, size, free }) => ({ figure: 'full', directory, type, size, free }))
}

/** Returns evidence about each option that may have denied the program something without a message. */
export function deniedFigures({ spec, isolate, network }: Plan): Figure[] {
  const { seccomp, landlock, root, sandbox, frontend } = spec
  const denied: [by: Denier, holds: boolean, value?: string | undefined][] = [
    ['seccomp', seccomp !== undefined && !spec.seccompReport, seccomp && seccompOrigin(seccomp, frontend)],
    ['landlock', landlock !== undefined],
    ['root', root !== undefined && (sandbox === true || root.directory !== undefined)],
    ['network', isolate.includes('net') && !network],
  ]
  const volumes = (root?.mounts ?? []).flatMap((mount): Figure[] =>
    mount.closed
      ? [
          {
            figure: 'denied',
            by: 'volume',
            value: mount.target,
            ...(mount.owner !== undefined && { owner: mount.owner }),
          },
        ]
      : [],
  )
  return [
    ...denied.flatMap(([by, holds, value]) =>
      holds ? [{ figure: 'denied' as const, by, ...(value !== undefined && { value }) }] : [],
    ),
    ...volumes,
  ]
}

/** Resource limits that can make a program fail without a message that names the limit. */
const silentUlimits = new Set([
  'as',
  'data',
  'stack',
  'rss',
  'memlock',
  'nproc',
  'nofile',
  'cpu',
  'locks',
  'msgqueue',
  'sigpending',
])

/** Returns evidence about resource limits that may have made the program fail. Leaves out those of the sandbox preset. */
export function possibleUlimitFigure(plan: Plan): Figure[] {
  const possible = plan.spec.privileges.ulimits.filter(
    ({ name, soft, atMost }) => !atMost && soft >= 0 && silentUlimits.has(name),
  )
  return possible.length === 0 ? [] : [{ figure: 'ulimits', set: possible.map(({ name, soft }) => ({ name, soft })) }]
}
