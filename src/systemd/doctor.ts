// SPDX-License-Identifier: Apache-2.0
// Checks what systemd offers for hutch doctor, and returns findings with remedies. Reads a property of systemd and
// changes nothing.
import { nameOptions, quote } from '../errors/errors.ts'
import type { OptionNames } from '../errors/remedy-text.ts'
import type { Finding } from '../host/doctor.ts'
import type { Host } from '../host/host.ts'
import { findBuses } from './address.ts'
import { callSystemd, getProperty, readProperty } from './bus.ts'
import { explainFailure } from './failure.ts'
import { isSystemdTree } from './scope.ts'
import { defaultSlice } from './unit.ts'

/** Returns the group that provides controllers for jobs, on a machine with systemd. */
export function findSystemdParent(host: Host): string | undefined {
  return isSystemdTree(host) ? defaultSlice(host.unified!.mount, host.uid).controllers : undefined
}

/** Checks whether systemd provides scopes for hutch, and where jobs' groups would then be. */
export async function inspectSystemd(host: Host, names: OptionNames): Promise<Finding[]> {
  if (!isSystemdTree(host))
    return [
      { title: 'systemd', state: 'ok', found: 'does not manage the groups here: hutch need not ask it for a scope' },
    ]
  const kind = host.uid === 0 ? 'system' : 'user'
  const whose = kind === 'system' ? "the machine's" : "this user's"
  const answer = await callSystemd(findBuses(kind, process.env, host.uid), getProperty('Version'))
  if ('kind' in answer) {
    const error = nameOptions(explainFailure(answer, { what: 'ask', kind, unit: 'it', own: undefined }), names)
    const why = error.evidence.join('; ')
    return [
      {
        title: 'systemd',
        state: kind === 'system' ? 'note' : 'missing',
        found: `${whose} cannot be asked for groups: ${why}`,
        remedy: error.remedy,
      },
      kind === 'system'
        ? { title: 'delegation', state: 'note', found: `groups go below ${host.unified!.mount}, beside systemd's own` }
        : { title: 'delegation', state: 'missing', found: 'so there are no groups for limits', remedy: error.remedy },
    ]
  }
  return [
    { title: 'systemd', state: 'ok', found: `${whose} answers: ${quote((readProperty(answer) ?? '').slice(0, 40))}` },
    {
      title: 'delegation',
      state: 'ok',
      found: `hutch run asks for a scope in ${defaultSlice(host.unified!.mount, host.uid).slice}; from Node: await enterScope()`,
    },
  ]
}
