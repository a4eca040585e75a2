// SPDX-License-Identifier: Apache-2.0
// Parses systemd's unit names in paths of the v2 tree: systemd.unit(5). Pure.

/** Returns the scope's name of a hutch process. Pid and start time make it unique until the next boot. */
export function scopeName(owner: { pid: number; startTime: string }): string {
  return `hutch-${owner.pid}-${owner.startTime}.scope`
}

/** The default slice of scopes, and the group whose controllers they can use. */
export function defaultSlice(mount: string, uid: number): { slice: string; controllers: string } {
  if (uid === 0) return { slice: `${mount}/system.slice`, controllers: mount }
  const controllers = `${mount}/user.slice/user-${uid}.slice/user@${uid}.service`
  return { slice: `${controllers}/app.slice`, controllers }
}

/**
 * Returns the slice of a process, so that the slice's limits apply to its scope, too. This is the deepest slice of its systemd
 * (the machine's or the user's). Returns the default slice if the process is in no slice.
 */
export function enclosingSlice({ mount, own }: { mount: string; own: string }, uid: number): string {
  const { slice, controllers } = defaultSlice(mount, uid)
  if (!own.startsWith(`${controllers}/`)) return slice
  const parts = own.slice(controllers.length + 1).split('/')
  const end = parts.findIndex((part) => !part.endsWith('.slice'))
  const slices = end < 0 ? parts : parts.slice(0, end)
  return slices.length === 0 ? slice : [controllers, ...slices].join('/')
}

/** Returns the process that a scope was created for. */
export function parseScopeName(name: string): { pid: string; startTime: string } | undefined {
  const [, pid, startTime] = /^hutch-(\d{1,10})-(\d{1,20})\.scope$/.exec(name) ?? []
  return pid && startTime ? { pid, startTime } : undefined
}

/** Returns the hutch scope that contains this group. A process in it has its jobs there. */
export function enclosingScope(directory: string): string | undefined {
  const parts = directory.split('/')
  const at = parts.findLastIndex((part) => parseScopeName(part))
  return at < 0 ? undefined : parts.slice(0, at + 1).join('/')
}

/** Returns whether a group is below a unit, and thus in a delegated subtree. */
export function isBelowUnit(directory: string): boolean {
  const parts = directory.split('/')
  // user@1000.service contains the units of that user's systemd
  const at = parts.findIndex((part) => /\.(service|scope)$/.test(part) && !/^user@\d+\.service$/.test(part))
  return at >= 0 && at < parts.length - 1
}
