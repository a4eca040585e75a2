// SPDX-License-Identifier: Apache-2.0
// Lists the visible namespaces: through processes and their descriptors in /proc, mounts of nsfs and ioctls: namespaces(7), ioctl_ns(2).

import { fail } from '../errors/errors.ts'
import {
  closeSync,
  fileConstants,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
} from '../system/files.ts'
import { closeDescriptor, errnoName, native } from '../system/native.ts'
import { decodeBytes } from '../text/stray-bytes.ts'
import { parseNamespaceName, parseNsfsMounts, parseStat } from './namespace-texts.ts'

/** A process and its namespaces. They are ids by file name in /proc/PID/ns. */
export interface NamespaceProcess {
  pid: number
  ppid: number
  uid: number
  /** The program's short name, for a process without a command line. */
  comm: string
  ids: Map<string, number>
}

/** A descriptor in another process that refers to a namespace, or to a socket in a network namespace. */
interface HeldDescriptor {
  pid: number
  fd: number
  isSocket: boolean
}

/** A namespace. */
export interface Namespace {
  /** The inode number. */
  id: number
  /** Kind of the namespace: the file name in /proc/PID/ns. */
  file: string
  /** The visible processes in the namespace, by pid. */
  processes: NamespaceProcess[]
  /** The mount points of the namespace. */
  mounts: string[]
  /** A process's descriptor that keeps the namespace alive. Undefined if no readable process holds one. */
  held?: HeldDescriptor
  /** Ids of the parent namespace (only user and pid) and of the owning user namespace; 0 if not visible. */
  parent: number
  owner: number
  /** The user that created the namespace, for a user namespace. For any other namespace, the owner. */
  uid: number
  /** The network namespace's id. -1: no id; -2: unknown. */
  networkId: number
}

/**
 * All namespaces that are visible here. A namespace without process, mount or descriptor is listed if it is the parent or owner of another
 * one.
 */
export interface SeenNamespaces {
  processes: NamespaceProcess[]
  byId: Map<number, Namespace>
}

/**
 * Reads the namespaces of the given kinds, which are file names in /proc/PID/ns. Omits those that end meanwhile or cannot be read. @throws
 * NAMESPACE_UNKNOWN
 */
export function readNamespaces(files: readonly string[]): SeenNamespaces {
  const byId = new Map<number, Namespace>()
  const see = (id: number, file: string): Namespace => {
    const known = byId.get(id) ?? { ...blank, id, file, processes: [], mounts: [] }
    byId.set(id, known)
    return known
  }
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  const processes = pids
    .map(Number)
    .sort((a, b) => a - b)
    .flatMap((pid) => attempt(() => readProcess(pid, files)) ?? [])
  for (const process of processes) for (const [file, id] of process.ids) see(id, file).processes.push(process)
  for (const { file, id, path } of parseNsfsMounts(readFileSync('/proc/self/mountinfo', 'latin1'))) {
    if (!files.includes(file)) continue
    const { mounts } = see(id, file)
    const text = decodeBytes(path)
    if (!mounts.includes(text)) mounts.push(text)
  }
  for (const { pid } of processes) attempt(() => seeDescriptors(pid, files, see))
  for (const namespace of [...byId.values()]) open(namespace, (fd) => relate(fd, namespace, byId))
  return { processes, byId }
}

const blank = { parent: 0, owner: 0, uid: 0, networkId: -2 }

function readProcess(pid: number, files: readonly string[]): NamespaceProcess {
  const { uid } = statSync(`/proc/${pid}`)
  const { ppid, comm } = parseStat(readFileSync(`/proc/${pid}/stat`))
  const ids = new Map<string, number>()
  for (const file of files) {
    const id = attempt(() => parseNamespaceName(readlinkSync(`/proc/${pid}/ns/${file}`)))
    if (id) ids.set(file, id.id)
  }
  return { pid, ppid, uid, comm, ids }
}

/** Finds the namespaces that a process keeps alive by a descriptor or a socket, as lsns of util-linux 2.42 does. */
function seeDescriptors(pid: number, files: readonly string[], see: (id: number, file: string) => Namespace): void {
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const fd = Number(name)
    const link = attempt(() => readlinkSync(`/proc/${pid}/fd/${name}`)) ?? ''
    const isSocket = link.startsWith('socket:[') && files.includes('net')
    const found = isSocket ? readSocketNetwork(pid, fd) : parseNamespaceName(link)
    if (found && files.includes(found.file)) see(found.id, found.file).held ??= { pid, fd, isSocket }
  }
}

function readSocketNetwork(pid: number, fd: number): { id: number; file: string } | undefined {
  const network = native().socketNetwork(pid, fd)
  if (network < 0) return undefined
  const { ino: id } = fstatSync(network)
  closeDescriptor(network)
  return { id, file: 'net' }
}

/** Returns the command line of a process. If it is empty, as for a kernel thread, returns the short name. */
export function readCommandLine({ pid, comm }: NamespaceProcess): string {
  const bytes = attempt(() => readFileSync(`/proc/${pid}/cmdline`)) ?? Buffer.alloc(0)
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  const words = bytes.subarray(0, end).map((byte) => (byte === 0 ? 0x20 : byte))
  return words.length === 0 ? comm : decodeBytes(words)
}

/** Returns the path of a process's namespace in /proc. */
export function namespacePath({ pid }: NamespaceProcess, file: string): string {
  return `/proc/${pid}/ns/${file}`
}

/** O_PATH, missing from Node's fileConstants. It opens no file content, so it neither blocks nor changes anything. */
const pathOnly = 0o10_000_000

function open(namespace: Namespace, use: (fd: number) => void): void {
  const { processes, mounts, held, file, id } = namespace
  const [first] = processes
  const { dev } = statSync('/proc/self/ns/mnt')
  const paths = [...(first ? [namespacePath(first, file)] : []), ...mounts]
  if (held?.isSocket && paths.length === 0) {
    openSocketNetwork(held, id, use)
    return
  }
  if (held && !held.isSocket) paths.push(`/proc/${held.pid}/fd/${held.fd}`)
  for (const path of paths) {
    const place = attempt(() => openSync(path, pathOnly))
    if (place === undefined) continue
    try {
      // check that the path leads to the namespace: another file system may be mounted over it
      const found = fstatSync(place)
      if (found.dev !== dev || found.ino !== id) continue
      const fd = attempt(() => openSync(`/proc/self/fd/${place}`, fileConstants.O_RDONLY))
      if (fd === undefined) continue
      try {
        use(fd)
      } finally {
        closeSync(fd)
      }
      return
    } finally {
      closeSync(place)
    }
  }
}

function openSocketNetwork({ pid, fd }: HeldDescriptor, id: number, use: (fd: number) => void): void {
  const network = native().socketNetwork(pid, fd)
  if (network < 0) return
  try {
    // check the socket again: the process may have reused the descriptor for another one
    if (fstatSync(network).ino === id) use(network)
  } finally {
    closeDescriptor(network)
  }
}

function relate(fd: number, namespace: Namespace, byId: Map<number, Namespace>): void {
  const { file } = namespace
  namespace.owner = follow(fd, 1, 'user', byId)
  if (file === 'user' || file === 'pid') namespace.parent = follow(fd, 0, file, byId)
  if (file === 'net') namespace.networkId = native().networkId(fd)
  const uid = file === 'user' ? native().namespaceOwner(fd) : (byId.get(namespace.owner)?.uid ?? 0)
  namespace.uid = Math.max(uid, 0)
}

/** Returns a namespace, to which the link leads, and all of its ancestors. The id of an ancestor that is not visible is 0. */
function follow(fd: number, which: 0 | 1, file: string, byId: Map<number, Namespace>): number {
  const next = native().namespaceLink(fd, which)
  const errno = next < 0 ? errnoName(next) : ''
  if (errno === 'ENOTTY') throw fail('NAMESPACE_UNKNOWN', { errno })
  if (next < 0) return 0
  try {
    const id = fstatSync(next).ino
    if (!byId.has(id)) {
      const namespace = { ...blank, id, file, processes: [], mounts: [] }
      byId.set(id, namespace)
      relate(next, namespace, byId)
    }
    return id
  } finally {
    closeDescriptor(next)
  }
}

function attempt<T>(step: () => T): T | undefined {
  try {
    return step()
  } catch {
    return undefined
  }
}
