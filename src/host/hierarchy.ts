// SPDX-License-Identifier: Apache-2.0
// Finds the mounted cgroup hierarchies and this process's group in each: proc_pid_mountinfo(5), cgroups(7). Pure.

/** A cgroup file system as this process sees it. */
export interface Hierarchy {
  /** The mount point. */
  mount: string
  /** The directory of this process's group. */
  own: string
}

/**
 * The layout of control groups. `v2`: one tree. `hybrid`: v1 controllers beside a v2 tree. `v1`: only v1 hierarchies. `none`: no hierarchy
 * is mounted.
 */
export type Layout = 'v2' | 'hybrid' | 'v1' | 'none'

export interface Hierarchies {
  layout: Layout
  /** The v2 tree. */
  unified?: Hierarchy
  /** The hierarchy of each v1 controller. Several controllers can share one. */
  v1: { [controller: string]: Hierarchy }
}

const v1Controllers = new Set(
  'blkio cpu cpuacct cpuset devices freezer hugetlb memory net_cls net_prio perf_event pids rdma misc'.split(' '),
)

/**
 * Function that finds this process's group if the mount begins above the visible part of the tree. It is at or below level `depth` under a
 * mount; `group` is the path from that level.
 */
type FindOwn = (mount: string, depth: number, group: string) => string | undefined

/** Parses /proc/self/mountinfo and /proc/self/cgroup. If a hierarchy is mounted several times, the first mount counts. */
export function parseHierarchies(mountinfo: string, membership: string, find?: FindOwn): Hierarchies {
  const groups = new Map<string, string>()
  for (const line of membership.split('\n')) {
    const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? []
    if (id === '0') groups.set('', path!)
    else for (const controller of controllers?.split(',') ?? []) groups.set(controller, path!)
  }
  let unified: Hierarchy | undefined
  const v1: { [controller: string]: Hierarchy } = {}
  for (const { root, mount, type, options } of visibleMounts(mountinfo)) {
    const place = (group: string | undefined): Hierarchy => ({
      mount,
      own: directoryOf(mount, root, group ?? '/', find),
    })
    if (type === 'cgroup2') unified ??= place(groups.get(''))
    else for (const option of options) if (v1Controllers.has(option)) v1[option] ??= place(groups.get(option))
  }
  const hasV1 = Object.keys(v1).length > 0
  const layout = unified ? (hasV1 ? 'hybrid' : 'v2') : hasV1 ? 'v1' : 'none'
  return unified ? { layout, unified, v1 } : { layout, v1 }
}

/** Returns the first mount of each named v1 hierarchy (`name=systemd`) with this process's group in it. */
export function parseNamedHierarchies(mountinfo: string, membership: string): Map<string, Hierarchy> {
  const named = new Map<string, Hierarchy>()
  for (const { root, mount, type, options } of visibleMounts(mountinfo)) {
    const name = type === 'cgroup' ? options.find((option) => option.startsWith('name=')) : undefined
    if (name === undefined || named.has(name)) continue
    const group = membership.split('\n').find((line) => line.split(':')[1]?.split(',').includes(name))
    const own = directoryOf(mount, root, group?.replace(/^\d+:[^:]*:/, '') ?? '/', undefined)
    named.set(name, { mount, own })
  }
  return named
}

interface Mount {
  root: string
  mount: string
  type: 'cgroup' | 'cgroup2'
  options: string[]
}

/** Returns the visible mounts of cgroup file systems. A later mount on the same directory, or on one above it, hides earlier ones. */
function visibleMounts(mountinfo: string): Mount[] {
  let visible: Mount[] = []
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ')
    const [, , , root = '', target = ''] = before!.split(' ', 5)
    if (target === '') continue
    const mount = unescapeMount(target)
    const below = `${mount}/`
    if (mount !== '/' && visible.length > 0)
      visible = visible.filter((other) => other.mount !== mount && !other.mount.startsWith(below))
    const [type = '', , options = ''] = after?.split(' ') ?? []
    if (type === 'cgroup2' || type === 'cgroup')
      visible.push({ root: unescapeMount(root), mount, type, options: options.split(',') })
  }
  return visible
}

/**
 * The root field of mountinfo is the mounted part of the hierarchy. In a container without a cgroup namespace it is not "/".
 * In a cgroup namespace entered below a mount of the host it is "/..", "/../..", and the names of the groups between are hidden.
 */
function directoryOf(mount: string, root: string, group: string, find: FindOwn | undefined): string {
  const tail = group === '/' || group.startsWith('/..') ? '' : group
  if (/^(\/\.\.)+$/.test(root)) return find?.(mount, root.length / 3, tail) ?? mount
  const below = root === '/' ? tail : tail.startsWith(root) ? tail.slice(root.length) : ''
  return `${mount}${below}`
}

/** Decodes the octal escapes of mountinfo, such as \040 for a space. */
function unescapeMount(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
