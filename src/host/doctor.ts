// SPDX-License-Identifier: Apache-2.0
// Checks the host and returns findings with remedies. Only reads; cli/doctor-starts.ts tries starts.
import { existsSync, fileConstants, readdirSync, readFileSync } from '../system/files.ts'
import { accessSync } from '../system/native.ts'
import { delegateCommand } from './delegate-hint.ts'
import { type Host, isKernelFrom, readHost } from './host.ts'
import { readParent } from './parent-group.ts'
import { findObstacles, readDelegation } from './privileges.ts'

/** The result of a check of this host. `missing`: a feature does not work. `note`: information. */
export interface Finding {
  title: string
  state: 'ok' | 'note' | 'missing'
  found: string
  remedy?: string
}

/** Checks everything that hutch depends on, in the order in which a run needs it. */
export function inspectHost(host: Host = readHost()): Finding[] {
  return [
    kernel(host),
    layout(host),
    ...controllers(host),
    delegation(host),
    killing(host),
    ...findOlderCalls(host.kernel),
    userNamespaces(),
    swap(),
    pressure(),
  ]
}

function kernel(host: Host): Finding {
  const enough = isKernelFrom(host.kernel, [5, 11])
  return enough
    ? { title: 'kernel', state: 'ok', found: host.release }
    : {
        title: 'kernel',
        state: 'missing',
        found: `${host.release}: close_range(CLOSE_RANGE_CLOEXEC) came with 5.11`,
        remedy: 'use Linux 5.11 or newer',
      }
}

function layout(host: Host): Finding {
  const names = {
    v2: 'pure v2',
    hybrid: 'hybrid: v1 controllers beside a v2 tree',
    v1: 'v1 alone',
    none: 'no cgroup file system is mounted',
  }
  const found = `${names[host.layout]}${host.unified ? ` (v2 at ${host.unified.mount})` : ''}`
  return host.layout === 'none'
    ? { title: 'cgroups', state: 'missing', found, remedy: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup' }
    : { title: 'cgroups', state: 'ok', found }
}

const wanted = {
  memory: 'memory limits',
  pids: 'task limits',
  cpu: 'CPU limits',
  cpuset: 'choice of CPUs',
  io: 'I/O limits',
}

function controllers(host: Host): Finding[] {
  if (host.layout === 'none') return []
  const parent = host.unified ? readParent(host, '') : undefined
  return Object.entries(wanted).map(([name, purpose]): Finding => {
    const legacy = host.v1[name === 'io' ? 'blkio' : name]
    const title = `  ${name}`
    if (legacy) return { title, state: 'ok', found: `v1, at ${legacy.mount}${name === 'io' ? ' (blkio)' : ''}` }
    const enabled = parent?.levels.at(-1)?.enabled.includes(name)
    if (parent?.available.includes(name))
      return {
        title,
        state: 'ok',
        found: enabled
          ? `v2, enabled below ${parent.directory}`
          : `v2, not yet enabled below ${parent.directory}: the first run does it`,
      }
    return {
      title,
      state: 'missing',
      found: `${purpose} are not available`,
      remedy:
        parent && host.uid !== 0
          ? delegateCommand([name], host.uid)
          : `boot with cgroup_enable=${name}, or use a kernel with this controller`,
    }
  })
}

function delegation(host: Host): Finding {
  const title = 'delegation'
  if (host.layout === 'none') return { title, state: 'missing', found: 'no groups to delegate' }
  const parent = readParent(host, host.unified ? '' : 'memory')
  if (readOnly(parent.directory))
    return {
      title,
      state: 'missing',
      found: `${parent.directory} is read-only here`,
      remedy: 'start this container with a private cgroup namespace and a writable /sys/fs/cgroup',
    }
  if (!parent.writable)
    return {
      title,
      state: 'missing',
      found: `user ${host.uid} may not make groups below ${parent.directory}`,
      remedy: 'run as root, or: systemd-run --user --scope -p Delegate=yes hutch run …',
    }
  if (parent.type !== undefined && parent.processes.length > 0)
    return {
      title,
      state: 'note',
      found: `${parent.directory} has processes, so v2 does not allow it to enable more controllers`,
      remedy: 'name another group with --parent',
    }
  return { title, state: 'ok', found: `groups go below ${parent.directory}` }
}

function killing(host: Host): Finding {
  const title = 'cgroup.kill'
  const group =
    host.unified &&
    [host.unified.own, ...children(host.unified.mount)].find((directory) => existsSync(`${directory}/cgroup.kill`))
  if (group) return { title, state: 'ok', found: 'one write kills a whole group' }
  const since = host.kernel[0] > 5 || (host.kernel[0] === 5 && host.kernel[1] >= 14)
  if (host.unified && since)
    return { title, state: 'ok', found: 'this kernel has cgroup.kill (no group exists to check it)' }
  return {
    title,
    state: 'note',
    found: 'processes are killed one by one',
    remedy: 'Linux 5.14 with a v2 tree mounted has it',
  }
}

/** Features that exist only since a kernel newer than the oldest supported one, and what hutch does without each. */
const newerCalls: readonly [since: [major: number, minor: number], what: string, instead: string][] = [
  [[5, 8], 'mount ids (statx)', '--rootfs and the other mount options are not available'],
  [[5, 12], 'idmapped mounts', '--volume …:idmap is not available'],
  [[5, 14], 'cgroup.kill', 'processes are killed one by one'],
  [[5, 19], 'memory.peak', 'peak memory is not available on v2'],
]

/** Returns one note for all features that this kernel lacks. Pure. */
export function findOlderCalls([major, minor]: Host['kernel']): Finding[] {
  const lacking = newerCalls.filter(([[a, b]]) => major < a || (major === a && minor < b))
  if (lacking.length === 0) return []
  const found = lacking.map(([, what, instead]) => `without ${what}: ${instead}`).join('; ')
  const [[a, b]] = lacking.at(-1)!
  return [{ title: 'older ways', state: 'note', found, remedy: `Linux ${a}.${b} has all of it` }]
}

/** Checks what runs of users other than root depend on. */
function userNamespaces(): Finding {
  const title = 'rootless'
  const obstacles = findObstacles()
  const tools = readDelegation(0)
  if (obstacles.length > 0)
    return {
      title,
      state: 'missing',
      found: obstacles.map(({ found }) => found).join('; '),
      remedy: obstacles[0]!.remedy,
    }
  const found =
    tools.userTool && tools.groupTool
      ? 'user namespaces are allowed; newuidmap and newgidmap are installed'
      : 'user namespaces are allowed'
  return tools.userTool && tools.groupTool
    ? { title, state: 'ok', found }
    : { title, state: 'note', found: `${found}, for one id each`, remedy: 'for --map-users auto: apt install uidmap' }
}

function swap(): Finding {
  const total = Number(/^SwapTotal:\s+(\d+)/m.exec(readText('/proc/meminfo'))?.[1] ?? 0)
  return {
    title: 'swap',
    state: 'ok',
    found:
      total === 0
        ? 'none: only memory limits apply'
        : `${Math.round(total / 1024)} MiB: give --swap 0 with --memory, or memory spills into it`,
  }
}

function pressure(): Finding {
  if (existsSync('/proc/pressure/memory'))
    return { title: 'pressure', state: 'ok', found: 'stall times (PSI) are counted' }
  return { title: 'pressure', state: 'note', found: 'no stall times (PSI)', remedy: 'boot with psi=1' }
}

function readOnly(directory: string): boolean {
  try {
    accessSync(directory, fileConstants.W_OK)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS'
  }
}

function children(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => `${directory}/${name}`)
  } catch {
    return []
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
