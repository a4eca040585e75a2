// SPDX-License-Identifier: Apache-2.0
// Reading systemd's names in paths of the v2 tree: systemd.unit(5). Pure.

/** Name of the scope of one hutch process: pid and start time name it for good. */
export function scopeName(owner: { pid: number; startTime: string }): string {
  return `hutch-${owner.pid}-${owner.startTime}.scope`
}

/** Where scopes are put unless a slice is named, and the group whose controllers they can have. */
export function usualSlice(mount: string, uid: number): { slice: string; controllers: string } {
  if (uid === 0) return { slice: `${mount}/system.slice`, controllers: mount }
  const controllers = `${mount}/user.slice/user-${uid}.slice/user@${uid}.service`
  return { slice: `${controllers}/app.slice`, controllers }
}

/**
 * The slice that a process is in, whose limits then hold for its scope, too: the deepest that its systemd, the machine's or the user's own,
 * puts units into; the usual one where it is in none.
 */
export function enclosingSlice({ mount, own }: { mount: string; own: string }, uid: number): string {
  const { slice, controllers } = usualSlice(mount, uid)
  if (!own.startsWith(`${controllers}/`)) return slice
  const parts = own.slice(controllers.length + 1).split('/')
  const end = parts.findIndex((part) => !part.endsWith('.slice'))
  const slices = end < 0 ? parts : parts.slice(0, end)
  return slices.length === 0 ? slice : [controllers, ...slices].join('/')
}

/** The process that a scope was made for. */
export function parseScopeName(name: string): { pid: string; startTime: string } | undefined {
  const [, pid, startTime] = /^hutch-(\d{1,10})-(\d{1,20})\.scope$/.exec(name) ?? []
  return pid && startTime ? { pid, startTime } : undefined
}

/** The scope of a hutch that this group is in: a process below it finds its jobs' place there. */
export function enclosingScope(directory: string): string | undefined {
  const parts = directory.split('/')
  const at = parts.findLastIndex((part) => parseScopeName(part))
  return at < 0 ? undefined : parts.slice(0, at + 1).join('/')
}

/** Whether a group stands below a unit rather than being one: then somebody has been delegated it and has divided it up. */
export function isBelowUnit(directory: string): boolean {
  const parts = directory.split('/')
  // user@1000.service holds the units of that user's own systemd
  const at = parts.findIndex((part) => /\.(service|scope)$/.test(part) && !/^user@\d+\.service$/.test(part))
  return at >= 0 && at < parts.length - 1
}
