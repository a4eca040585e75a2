// SPDX-License-Identifier: Apache-2.0
// Evidence for a program that failed by itself: what may have made it fail, and what is ruled out. The evidence does not change the kind of
// the cause. Called by make-cause.ts and compile/words.ts; pure, except for a late read of the kernel's log.

import type { Mount } from '../mounts/root.ts'
import { mountAttributes } from '../ops/mount-flags.ts'
import { seccompOrigin } from '../options/seccomp-option.ts'
import type { Plan } from '../plan/plan.ts'
import { systemConstants } from '../system/constants.ts'
import type { Denier, Figure } from './cause.ts'
import type { Ended } from './collect-end.ts'

const { SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP } = systemConstants.signals
/** Signals that a shell reports as status 128 + number. Programs use these statuses for nothing else. */
const reported: { [status: number]: string } = Object.fromEntries(
  Object.entries({ SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGKILL, SIGSEGV, SIGSYS, SIGTERM, SIGTRAP }).map(
    ([name, number]) => [128 + number, name],
  ),
)

const maxFaults = 3

/** Returns the evidence for a job that ended by itself with a status other than 0 or by a signal. */
export function possibleFigures(ended: Ended): Figure[] {
  const { plan, usage, exitCode, signal, outcome } = ended
  const figures = possibleUlimitFigure(plan)
  const name = exitCode === null ? undefined : reported[exitCode]
  if (name !== undefined) figures.push({ figure: 'signal status', status: exitCode!, signal: name })
  if (usage.oomKills === 0 && (signal === SIGKILL || name === 'SIGKILL')) figures.push({ figure: 'no kill' })
  // if a fault ended the job's own process, the log adds nothing
  const faults = (exitCode !== null && outcome.readFaults?.()) || []
  for (const { name, pid, what } of faults.slice(-maxFaults)) figures.push({ figure: 'fault', name, pid, what })
  return [...figures, ...fullFigures(ended), ...deniedFigures(plan)]
}

/** Paths outside that a mount of the job can write. */
function writtenPaths(mount: Mount): string[] {
  if (mount.kind === 'overlay') return [mount.upper]
  return mount.kind === 'volume' && !(mount.attributes & mountAttributes.ro) ? [mount.source] : []
}

/**
 * Returns a figure for each full file system of the host that the job may have written. Examined are its volumes, and without its own root
 * the usual places.
 */
function fullFigures({ plan: { spec }, outcome }: Ended): Figure[] {
  const { root, workdir = '.', env } = spec
  const hostsRoot = root?.directory === undefined && !root?.readOnly
  const paths = [...(root?.mounts ?? []).flatMap(writtenPaths), ...(hostsRoot ? [workdir, env.TMPDIR ?? '/tmp'] : [])]
  const full = outcome.readFull?.(paths) ?? []
  return full.map(({ directory, type, size, free }) => ({ figure: 'full', directory, type, size, free }))
}

/** Returns a figure for each option that may have denied the program something without a message. */
export function deniedFigures({ spec, isolate, network }: Plan): Figure[] {
  const { seccomp, landlock, root, sandbox, frontend } = spec
  const denied: [by: Denier, holds: boolean, value?: string | undefined][] = [
    ['seccomp', seccomp !== undefined && !spec.seccompReport, seccomp && seccompOrigin(seccomp, frontend)],
    ['landlock', landlock !== undefined],
    ['root', root !== undefined && (sandbox === true || root.directory !== undefined)],
    ['network', isolate.includes('net') && !network],
  ]
  const volumes = (root?.mounts ?? []).flatMap((mount): Figure[] =>
    mount.kind === 'volume' && mount.closed
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

/** ulimits that can end a program without naming the limit. */
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

/** Returns the process limits that may have made the program fail, except those that come from the sandbox preset. */
export function possibleUlimitFigure(plan: Plan): Figure[] {
  const possible = plan.spec.privileges.ulimits.filter(
    ({ name, soft, atMost }) => !atMost && soft >= 0 && silentUlimits.has(name),
  )
  return possible.length === 0 ? [] : [{ figure: 'ulimits', set: possible.map(({ name, soft }) => ({ name, soft })) }]
}
