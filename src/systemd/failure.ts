// SPDX-License-Identifier: Apache-2.0
// Explains why systemd did not provide a scope: what was tried, why it failed, and what to do.

import { fail, type HutchError, quote } from '../errors/errors.ts'
import { optionOfRun, type RemedyText, text } from '../errors/remedy-text.ts'
import { effectiveUser } from '../host/passwd.ts'
import { existsSync, fileConstants } from '../system/files.ts'
import { accessSync } from '../system/native.ts'
import { type ManagerKind, runtimeDirectory } from './address.ts'
import type { Failure } from './bus.ts'

/** What was requested: its description, which systemd was asked, and this process's group. */
interface Wanted {
  what: string
  kind: ManagerKind
  unit: string
  own: string | undefined
}

/** Returns the error for a scope that systemd did not provide. */
export function explainFailure(failure: Failure, { what, kind, unit, own }: Wanted): HutchError {
  if (failure.kind === 'invalid') return failure.error
  if (failure.kind === 'refused' && !/\.(ServiceUnknown|NameHasNoOwner)$/.test(failure.errorName))
    return fail('SYSTEMD_REFUSED', {
      what: `${what} (${unit})`,
      errorName: quote(failure.errorName),
      text: failure.text,
      remedy: refusalRemedy(failure.errorName, kind),
    })
  const uid = effectiveUser()
  const tried =
    failure.kind === 'unreachable' ? failure.tried : [`systemd is not on the bus (${quote(failure.errorName)})`]
  const ownIsDelegated = uid !== 0 && own !== undefined && isWritable(own)
  if (uid !== 0 && own !== undefined)
    tried.push(
      ownIsDelegated
        ? `user ${uid} may create groups in ${own}, but the processes in it prevent this`
        : `user ${uid} may not make groups in ${own} either`,
    )
  return fail('SYSTEMD_UNREACHABLE', {
    what,
    whose: kind === 'system' ? "the machine's" : "this user's",
    tried,
    remedy: text`${reachRemedy(kind, process.env, uid)}${ownIsDelegated ? text`; or give ${optionOfRun('evacuate')}` : ''}`,
  })
}

/** Returns how the user can get a D-Bus, depending on what this machine has. */
function reachRemedy(kind: ManagerKind, env: NodeJS.ProcessEnv, uid: number): RemedyText {
  if (kind === 'system')
    return text`install and start dbus: apt-get install dbus; or name a group with ${optionOfRun('parent')}`
  const defaultDirectory = `/run/user/${uid}`
  const configured = runtimeDirectory(env, uid)
  if (configured !== defaultDirectory && existsSync(`${defaultDirectory}/bus`))
    return `export XDG_RUNTIME_DIR=${defaultDirectory}`
  if (!existsSync(defaultDirectory))
    return `as root: loginctl enable-linger ${uid}; then export XDG_RUNTIME_DIR=${defaultDirectory}`
  if (!existsSync(`${defaultDirectory}/bus`)) return 'as root: apt-get install dbus-user-session; then log in again'
  return `unset DBUS_SESSION_BUS_ADDRESS; export XDG_RUNTIME_DIR=${defaultDirectory}`
}

function refusalRemedy(errorName: string, kind: ManagerKind): RemedyText {
  if (/AccessDenied|InteractiveAuthorizationRequired/.test(errorName) && kind === 'system')
    return "use the user's own systemd, which needs no rights: leave manager out, or set it to 'user'"
  return text`see systemctl status, or name a group that is yours with ${optionOfRun('parent')}`
}

/** Returns true if this user may create groups below a directory. */
export function isWritable(directory: string): boolean {
  try {
    accessSync(directory, fileConstants.W_OK)
    return true
  } catch {
    return false
  }
}
