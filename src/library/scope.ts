// SPDX-License-Identifier: Apache-2.0
// Enters a scope of systemd for the library, and checks the options.
import { fail } from '../errors/errors.ts'
import { refuseUnknown } from '../options/unknown-option.ts'
import { enterScopeTo, type Scope, type ScopeOptions } from '../systemd/scope.ts'

const managers: readonly unknown[] = [undefined, 'system', 'user']

/**
 * Moves this process into a delegated scope of systemd, with all its threads but without its children. Later jobs get
 * their groups there. systemd removes the scope when its last process has ended. A second call returns the same scope.
 *
 * @throws SYSTEMD_UNREACHABLE, SYSTEMD_REFUSED, SYSTEMD_ANSWER_INVALID, CGROUP_REFUSED
 * @throws OPTION_UNKNOWN, OPTION_INVALID for options
 * @example
 * try {
 *   const { unit } = await enterScope()
 *   process.stderr.write(`jobs run in ${unit}\n`)
 * } catch (error) {
 *   if (error.code !== 'SYSTEMD_UNREACHABLE') throw error
 * }
 */
export async function enterScope(options: ScopeOptions = {}): Promise<Scope> {
  refuseUnknown('enterScope', options)
  if (!managers.includes(options.manager))
    throw fail('OPTION_INVALID', { name: 'manager', value: options.manager, accepted: "'system' or 'user'" })
  return enterScopeTo('delegate a group', options)
}
