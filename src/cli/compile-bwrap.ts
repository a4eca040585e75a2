// SPDX-License-Identifier: Apache-2.0
// hutch compile --bwrap: compiles a command line of bubblewrap(1) to a file. Optional sources are checked at compile time; descriptors are
// refused.

import { prepareCompiled } from '../compile/prepare.ts'
import {
  applyEnvironment,
  dropMissing,
  readDescriptor,
  readFacts,
  readFilterDescriptor,
  wantedLimits,
} from '../dropin/bubblewrap/caller.ts'
import { combine, limitedSpec } from '../dropin/bubblewrap/limited.ts'
import { parseBwrap } from '../dropin/bubblewrap/options.ts'
import { type BwrapLaunch, compileBwrap, planBwrap } from '../dropin/bubblewrap/program.ts'
import { type BwrapRequest, usedDescriptors } from '../dropin/bubblewrap/request.ts'
import { fail } from '../errors/errors.ts'
import type { Prepared } from './compile.ts'

/** Prepares a compiled file from a command line of bwrap. @throws OPTION_INVALID, OPTION_CONFLICT, FILE_REFUSED, CGROUP_* */
export function prepareBwrap(args: readonly string[]): Prepared {
  const parsed = parseBwrap(args, (descriptor) => readDescriptor('--args', descriptor).toString('utf8'))
  if ('show' in parsed) throw conflict(`--${parsed.show}`, 'it runs nothing', `type hutch bwrap --${parsed.show}`)
  const { request, asks } = parsed
  if (request.words.length === 0)
    throw fail('OPTION_INVALID', {
      name: '--bwrap',
      value: '',
      why: 'no program is named',
      accepted: '… PROGRAM [ARG…]',
    })
  refuseDescriptors(request)
  const environment = environmentOf(request)
  const { terminal, ...facts } = readFacts(new Map(Object.entries(process.env) as [string, string][]))
  const plan = planBwrap(request, asks, facts)
  dropMissing(request)
  const launch: BwrapLaunch = {
    words: request.words,
    shell: '',
    env: [...environment.changes].map(([name, value]) => `${name}=${value}`),
    descriptors: [],
    filters: request.filters.map(readFilterDescriptor),
  }
  const limits = wantedLimits(request, {})
  const prepared = prepareCompiled(limitedSpec(request.words, limits ?? {}), {
    recompile: limits ? (groups, usual) => combine(groups, usual, plan, launch) : () => compileBwrap(plan, launch),
  })
  return { ...prepared, flags: { passEnvironment: environment.passes, dieWithParent: request.diesWithParent } }
}

/**
 * Refuses options of bwrap that need a descriptor when the compiled file starts. --seccomp, --add-seccomp-fd and --args are accepted: their
 * descriptors are read now.
 */
function refuseDescriptors(request: BwrapRequest): void {
  const step = request.steps.find(
    (one) => one.do === 'data' || (one.do === 'bind' && one.source.startsWith('/proc/self/fd/')),
  )
  const named: [string, unknown][] = [
    [step?.origin ?? '', step],
    ['--info-fd', request.info],
    ['--json-status-fd', request.status],
    ['--block-fd', request.block],
    ['--userns-block-fd', request.userBlock],
    ['--sync-fd', request.syncs[0]],
    ['--userns', request.userDescriptor],
    ['--userns2', request.lastUserDescriptor],
    ['--pidns', request.pidDescriptor],
  ]
  const found = named.find(([, value]) => value !== undefined)
  if (found)
    throw conflict(found[0], 'the descriptor does not exist at a later start', 'name a path, or use hutch bwrap')
  // any other option that takes a descriptor is refused, too
  if (usedDescriptors(request).length > 0)
    throw conflict('--bwrap', 'it uses descriptors', 'name paths, or use hutch bwrap')
}

/**
 * Returns the environment of the command when the compiled file starts. With --clearenv, only the variables that options set, otherwise the
 * caller's with the changes of the options.
 */
function environmentOf(request: BwrapRequest): { passes: boolean; changes: ReadonlyMap<string, string> } {
  const passes = !request.environment.some((change) => 'clear' in change)
  const taken = request.environment.find((change) => !('clear' in change) && change.value === undefined)
  if (passes && taken)
    throw conflict('--unsetenv', 'each start has its own environment', 'give --clearenv, and set the variables')
  return { passes, changes: applyEnvironment(request, {}) }
}

function conflict(name: string, why: string, remedy: string) {
  return fail('OPTION_CONFLICT', { name, why, remedy })
}
