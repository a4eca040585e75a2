// SPDX-License-Identifier: Apache-2.0
// Creates and parses systemd's unit names in paths of the v2 tree: systemd.unit(5). Pure.

/** Returns the name of a hutch process's scope. Process id and start time make it unique until the next boot. */
export function scopeName(owner: { pid: number; startTime: string }): string {
  return `hutch-${owner.pid}-${owner.startTime}.scope`
}

/** Returns the slice in which systemd creates scopes by default, and the group whose controllers they can use. */
export function defaultSlice(mount: string, uid: number): { slice: string; controllers: string } {
  if (uid === 0) return { slice: `${mount}/system.slice`, controllers: mount }
  const controllers = `${mount}/user.slice/user-${uid}.slice/user@${uid}.service`
  return { slice: `${controllers}/app.slice`, controllers }
}

/**
 * Returns the slice that contains a process, so that the slice's limits also apply to its scope. This is the deepest
 * slice of the systemd that is asked, the machine's or the user's. If the process is in no slice, returns the default
 * slice.
 */
export function enclosingSlice({ mount, own }: { mount: string; own: string }, uid: number): string {
  const { slice, controllers } = defaultSlice(mount, uid)
  if (!own.startsWith(`${controllers}/`)) return slice
  const parts = own.slice(controllers.length + 1).split('/')
  const end = parts.findIndex((part) => !part.endsWith('.slice'))
  const slices = end < 0 ? parts : parts.slice(0, end)
  return slices.length === 0 ? slice : [controllers, ...slices].join('/')
}

/** Returns the process for which a scope was created, from the scope's name. */
export function parseScopeName(name: string): { pid: string; startTime: string } | undefined {
  const [, pid, startTime] = /^hutch-(\d{1,10})-(\d{1,20})\.scope$/.exec(name) ?? []
  return pid && startTime ? { pid, startTime } : undefined
}

/** Returns the scope of hutch that contains a group. The jobs of a process in this group are created in that scope. */
export function enclosingScope(directory: string): string | undefined {
  const parts = directory.split('/')
  const at = parts.findLastIndex((part) => parseScopeName(part))
  return at < 0 ? undefined : parts.slice(0, at + 1).join('/')
}

/** Returns true if a group is below a systemd unit, and so is part of a delegated subtree. */
export function isBelowUnit(directory: string): boolean {
  const parts = directory.split('/')
  // skip user@1000.service, which contains the units of that user's systemd
  const at = parts.findIndex((part) => /\.(service|scope)$/.test(part) && !/^user@\d+\.service$/.test(part))
  return at >= 0 && at < parts.length - 1
}
