// SPDX-License-Identifier: Apache-2.0
// Reads the action of a rule in a JSON seccomp profile: the action's name and, if it needs one, its errno. Pure.
import { systemConstants } from '../system/constants.ts'
import { inside, type JsonCursor, readNumber, readWord, refuse } from './json-cursor.ts'
import { actions, errnos } from './profile.ts'

/** Actions by their names in profiles. */
const actionNames: { [name: string]: number } = {
  SCMP_ACT_KILL: actions.killThread,
  SCMP_ACT_KILL_THREAD: actions.killThread,
  SCMP_ACT_KILL_PROCESS: actions.killProcess,
  SCMP_ACT_TRAP: actions.trap,
  SCMP_ACT_ERRNO: actions.errno,
  SCMP_ACT_TRACE: actions.trace,
  SCMP_ACT_LOG: actions.log,
  SCMP_ACT_ALLOW: actions.allow,
  SCMP_ACT_NOTIFY: actions.notify,
}

/** Actions that a profile can have. */
export const supportedActions = Object.keys(actionNames)

/** Names of the keys, in the profile's JSON object, that contain the action. */
interface Keys {
  action: string
  number: string
  name: string
}

/**
 * Returns the value that a seccomp filter returns for this action. `listens` says whether it can be that an agent
 * answers.
 *
 * @throws SECCOMP_PROFILE_INVALID
 */
export function readAnswer(from: { [key: string]: unknown }, cursor: JsonCursor, keys: Keys, listens = false): number {
  const at = inside(cursor, keys.action)
  const action = actionNames[readWord(from[keys.action], at, Object.keys(actionNames))]!
  if (action === actions.notify && !listens)
    throw refuse(at, from[keys.action], 'hutch does not forward notifications to another program', 'another action')
  const number = readErrno(from, cursor, keys)
  if (action !== actions.errno && action !== actions.trace) {
    if (number !== undefined && number !== 0)
      throw refuse(
        inside(cursor, keys.number),
        number,
        `${from[keys.action]} has no number`,
        'SCMP_ACT_ERRNO, or leave it out',
      )
    return action
  }
  return action | (number ?? errnos.EPERM)
}

/** Reads an errno: a number as in the OCI specification, or a name as in Podman's files. */
function readErrno(from: { [key: string]: unknown }, cursor: JsonCursor, keys: Keys): number | undefined {
  const [number, name] = [from[keys.number] ?? undefined, from[keys.name] ?? undefined]
  const byNumber = number === undefined ? undefined : Number(readNumber(number, inside(cursor, keys.number), 0xffffn))
  if (name === undefined) return byNumber
  const byName =
    systemConstants.errno[
      readWord(
        name,
        inside(cursor, keys.name),
        Object.keys(systemConstants.errno),
      ) as keyof typeof systemConstants.errno
    ]
  if (byNumber !== undefined && byNumber !== byName)
    throw refuse(
      inside(cursor, keys.name),
      name,
      `${keys.number} says ${byNumber}, and this is ${byName}`,
      'one of them',
    )
  return byName
}
