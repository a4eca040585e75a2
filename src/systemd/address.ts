// SPDX-License-Identifier: Apache-2.0
// Finds the addresses of D-Bus: D-Bus specification, "Server Addresses". Pure: the environment is an argument.

/** Which systemd to call: the machine's or the user's own. */
export type ManagerKind = 'system' | 'user'

type Environment = { [name: string]: string | undefined }

/**
 * Returns the paths of the unix sockets in a D-Bus address such as `unix:path=/run/dbus/socket,guid=…;unix:abstract=x`.
 * The path of an abstract socket begins with NUL.
 */
export function parseBusAddress(text: string): string[] {
  return text.split(';').flatMap((address) => {
    const [, keys] = /^unix:(.+)$/s.exec(address) ?? []
    const values = new Map(keys?.split(',').map((pair) => pair.split('=', 2) as [string, string]))
    const path = unescapeValue(values.get('path'))
    const abstract = unescapeValue(values.get('abstract'))
    if (path?.startsWith('/') && !path.includes('\0')) return [path]
    return abstract ? [`\0${abstract}`] : []
  })
}

function unescapeValue(value: string | undefined): string | undefined {
  if (value === undefined || /%(?![0-9A-Fa-f]{2})/.test(value)) return undefined
  return Buffer.from(
    value.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))),
    'latin1',
  ).toString('utf8')
}

/**
 * Returns the D-Bus sockets to try, in order. If XDG_RUNTIME_DIR is not set, as often under su(1) and sudo(8), uses its
 * default value.
 */
export function findBuses(kind: ManagerKind, env: Environment, uid: number): string[] {
  if (kind === 'system') {
    const named = parseBusAddress(env.DBUS_SYSTEM_BUS_ADDRESS ?? '')
    return named.length > 0 ? named : ['/run/dbus/system_bus_socket']
  }
  return [...new Set([...parseBusAddress(env.DBUS_SESSION_BUS_ADDRESS ?? ''), `${runtimeDirectory(env, uid)}/bus`])]
}

/** Returns the directory of the user's sockets: XDG_RUNTIME_DIR, or its default value. */
export function runtimeDirectory(env: Environment, uid: number): string {
  return env.XDG_RUNTIME_DIR?.startsWith('/') ? env.XDG_RUNTIME_DIR : `/run/user/${uid}`
}
