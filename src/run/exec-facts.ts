// SPDX-License-Identifier: Apache-2.0
// Collects the facts about a failed exec for exec-failure.ts: what hutch-init found in the program file, and what
// exists on the host. Called by job.ts and ungrouped.ts.

import { readMany } from '../cgroup/files.ts'
import { capabilityName, hasCapability, parseFileCapabilities } from '../credentials/capability.ts'
import { addEvidence, fail, type HutchError } from '../errors/errors.ts'
import { hostPath } from '../mounts/host-path.ts'
import { type Op, ops, type Program } from '../ops/ops.ts'
import { explainByLimits } from '../options/limit-causes.ts'
import type { Plan } from '../plan/plan.ts'
import {
  closeSync,
  existsSync,
  fileConstants,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
} from '../system/files.ts'
import { accessSync, errnoName } from '../system/native.ts'
import { resolve } from '../system/paths.ts'
import { homedir } from '../system/users.ts'
import { decodeNames } from '../text/non-utf8.ts'
import {
  type ExecFacts,
  type ExecFailure,
  explainExecFailure,
  type HostProgram,
  type ProgramReport,
} from '../verdict/exec-failure.ts'
import { headBytes, readFileKind } from '../verdict/program-file.ts'

/** Offsets in bytes of the fields of `struct program_look` in native/wire/program.h. */
const layout = { about: 8, words: 20, path: 64, target: 1088, loader: 2112, head: 2368, size: 2624 } as const
const noexecFlag = 8

/**
 * Decodes the records (`struct program_look`) in which hutch-init describes a program that could not be executed.
 * Returns an empty array if the length is wrong.
 */
export function decodeProgramReports(bytes: Buffer | undefined): ProgramReport[] {
  if (bytes?.length !== layout.size || bytes.readInt32LE(layout.about) !== 0) return []
  const word = (i: number) => bytes.readUInt32LE(layout.words + 4 * i)
  const name = (i: number) => (word(i) === 0 ? undefined : errnoName(-word(i)))
  const text = (from: number, to: number) => {
    const end = bytes.indexOf(0, from)
    return decodeNames(bytes.subarray(from, end < 0 || end > to ? to : end))
  }
  const [error, access, openError, loaderError] = [name(0), name(7), name(8), name(9)]
  const path = text(layout.path, layout.target)
  return [
    {
      path,
      target: text(layout.target, layout.loader),
      loader: text(layout.loader, layout.head),
      barrier: word(1),
      mode: word(2),
      owner: word(3),
      user: word(5),
      noexec: (word(6) & noexecFlag) !== 0,
      head: Buffer.from(bytes.subarray(layout.head, layout.head + Math.min(word(10), headBytes))),
      ...(error && { error }),
      ...(access && { access }),
      ...(openError && { openError }),
      ...(loaderError && { loaderError }),
    },
  ]
}

/** Explains the failed exec of a job's command. */
export function explainJobExec(
  plan: Plan,
  { inner }: Program,
  errno: string,
  looks: readonly ProgramReport[],
): { execFailure: ExecFailure; interpreterMissing: boolean } {
  const { spec, argv, env, searchPath } = plan
  const outside = (path: string) => hostPath(inner, path)
  // only programs of bwrap contain this operation, never the plan of a job
  const emptied = inner.some(({ op }) => op === 'emptyRoot')
  const ownRoot =
    emptied || (spec.root !== undefined && (spec.root.directory !== undefined || spec.root.sealed === true))
  const sizes = [...argv, ...env].map((text) => Buffer.byteLength(text) + 1)
  const lacking = looks.length === 0 || looks[0]!.error === 'ENOENT'
  const interpreter = looks.findLast((look) => look.loaderError === 'ENOENT')?.loader
  const wanted = lacking ? argv[0]! : interpreter
  const there = (path: string) => existsSync(outside(path) ?? '')
  const execFailure = explainExecFailure({
    command: argv[0]!,
    errno,
    looks,
    searchPath,
    frontend: emptied ? 'bwrap' : spec.frontend,
    ownRoot,
    filtered: plan.filter !== undefined || inner.some(({ op }) => op === 'installFilter'),
    landlock: spec.landlock !== undefined,
    arch: process.arch,
    limits: explainByLimits(ops.exec.limits?.[errno], spec),
    argumentBytes: { total: sizes.reduce((sum, size) => sum + size, 0), longest: Math.max(...sizes) },
    outside,
    ...deniedCapabilities(looks[0] && outside(looks[0].target || looks[0].path), errno, inner),
    ...(ownRoot && errno === 'ENOENT' && wanted && { onHost: findOnHost(wanted, searchPath, there) }),
    ...(errno === 'ETXTBSY' && looks[0] && { writers: findWriters(outside(looks[0].target || looks[0].path)) }),
  })
  return { execFailure, interpreterMissing: execFailure.interpreterMissing === true }
}

/** Explains the failed exec of unshare, nsenter or bwrap, which start a program without a Plan. */
export function explainPlainExec(
  facts: Pick<ExecFacts, 'command' | 'errno' | 'looks' | 'searchPath' | 'frontend' | 'ownRoot' | 'filtered'>,
  inner: readonly Op[] = [],
): ExecFailure {
  const { ownRoot, looks, errno, command, searchPath } = facts
  const interpreter = looks.findLast((look) => look.loaderError === 'ENOENT')?.loader
  const wanted = looks.length === 0 || looks[0]!.error === 'ENOENT' ? command : interpreter
  // the program's operations describe the root of bwrap; with unshare and nsenter, the root can be any directory
  const known = !ownRoot || facts.frontend === 'bwrap'
  const outside = (path: string) => (known ? hostPath(inner, path) : undefined)
  const there = (path: string) => existsSync(outside(path) ?? '')
  const ask = ownRoot && facts.frontend === 'bwrap' && errno === 'ENOENT' && wanted
  return explainExecFailure({
    ...facts,
    landlock: false,
    arch: process.arch,
    outside,
    ...deniedCapabilities(looks[0] && outside(looks[0].target || looks[0].path), errno, inner),
    ...(ask && { onHost: findOnHost(wanted, searchPath, there) }),
    ...(errno === 'ETXTBSY' && looks[0] && { writers: findWriters(outside(looks[0].target || looks[0].path)) }),
  })
}

/** Returns the error of a drop-in tool for a failed exec: the first line as the original tool writes it, then what hutch found. */
export function execError({ why, evidence, remedy }: ExecFailure, path: string, errno: string): HutchError {
  const error = fail('FILE_REFUSED', { what: 'run', path, errno, remedy })
  return addEvidence(error, [why, ...evidence.map(([label, text]) => `${label}: ${text}`)], { operation: 'execve' })
}

/**
 * Returns the file capabilities of the program that are missing in the command's bounding set, by name. They can be the
 * cause only of EPERM.
 */
function deniedCapabilities(
  path: string | undefined,
  errno: string,
  inner: readonly Op[],
): { deniedCapabilities?: string[] } {
  if (errno !== 'EPERM' || path === undefined) return {}
  const attribute = readMany([path], ['security.capability'])[0]!('security.capability')
  const bounded = inner.findLast((op) => op.op === 'dropBounding')
  const own = /^CapBnd:\s*(\w+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''
  const allowed = bounded?.op === 'dropBounding' ? bounded.keep.toString(16) : own
  const denied = parseFileCapabilities(attribute ?? '').filter((number) => !hasCapability(allowed, number))
  return denied.length > 0 ? { deniedCapabilities: denied.map(capabilityName) } : {}
}

const maxPaths = 32

/**
 * Finds a program on the host, and the volumes that a job needs to run it. `isInside` returns true for a path that the
 * job can already see.
 */
function findOnHost(command: string, searchPath: string, isInside: (path: string) => boolean): HostProgram | undefined {
  const typed = command.includes('/')
  const path = typed ? executable(resolve(command)) : search(command, [searchPath, process.env.PATH ?? ''].join(':'))
  if (path === undefined) return undefined
  const needed = [path]
  for (let i = 0; i < needed.length && i < maxPaths; i++)
    needed.push(...named(needed[i]!).filter((one) => !needed.includes(one)))
  const volumes = [...new Set(needed.filter((one) => !isInside(one)).map(installRoot))].filter(
    (one, _, all) => one !== '/' && !all.some((other) => one.startsWith(`${other}/`)),
  )
  const directory = path.slice(0, path.lastIndexOf('/'))
  return {
    path,
    // leave out the host's system directories: mounted into a job with an image, they would cover the image's own
    volumes: volumes.filter((one) => !/^\/(usr|bin|sbin|lib\w*|etc)(\/|$)/.test(one)),
    ...(!typed && !searchPath.split(':').includes(directory) && { searchPath: `${directory}:${searchPath}` }),
    ...(typed && !command.startsWith('/') && { directory: process.cwd() }),
  }
}

function search(name: string, path: string): string | undefined {
  for (const directory of path.split(':')) {
    const found = directory.startsWith('/') ? executable(`${directory}/${name}`) : undefined
    if (found) return found
  }
  return undefined
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, fileConstants.X_OK)
    return statSync(path).isFile() ? path : undefined
  } catch {
    return undefined
  }
}

/**
 * Returns the paths that a program needs to run: a symbolic link's target, a script's interpreter, and the program that
 * env(1) searches for.
 */
function named(path: string): string[] {
  try {
    if (lstatSync(path).isSymbolicLink()) return [resolve(path, '..', readlinkSync(path))]
    const kind = readFileKind(readHead(path))
    if (kind.kind !== 'script' || !kind.interpreter.startsWith('/')) return []
    const wanted = kind.interpreter.endsWith('/env')
      ? kind.rest.split(' ').find((word) => !/^-|=/.test(word))
      : undefined
    const found = wanted && search(wanted, process.env.PATH ?? '')
    return [kind.interpreter, ...(found ? [found] : [])]
  } catch {
    return []
  }
}

function readHead(path: string): Buffer {
  const fd = openSync(path, fileConstants.O_RDONLY | fileConstants.O_NONBLOCK | fileConstants.O_NOCTTY)
  try {
    const head = Buffer.alloc(headBytes)
    return head.subarray(0, readSync(fd, head, 0, headBytes, 0))
  } finally {
    closeSync(fd)
  }
}

/** Names whose presence next to a directory of programs shows that both belong to one installation. */
const companions = ['lib', 'lib64', 'libexec', 'versions', 'pyvenv.cfg']

/**
 * Returns the path to mount so that a program can run: its whole installation, or its directory. Returns only the file
 * if the directory also contains unrelated files.
 */
function installRoot(path: string): string {
  const directory = path.slice(0, path.lastIndexOf('/')) || '/'
  const parent = directory.slice(0, directory.lastIndexOf('/')) || '/'
  const holdsOthers = (one: string) =>
    one.split('/').length < 3 || one === homedir() || /^\/home\/[^/]+$/.test(one) || one.endsWith('/.local')
  const isPrograms = /\/(bin|sbin|shims|libexec)$/.test(directory)
  if (isPrograms && !holdsOthers(parent) && companions.some((name) => existsSync(`${parent}/${name}`))) return parent
  return holdsOthers(directory) ? path : directory
}

/** Returns the processes that have a file open for writing. Processes whose descriptors this user may not see are missing. */
function findWriters(path: string | undefined): { pid: number; name: string }[] {
  if (path === undefined) return []
  const found: { pid: number; name: string }[] = []
  for (const pid of list('/proc').filter((name) => /^\d+$/.test(name)))
    if (list(`/proc/${pid}/fd`).some((fd) => writes(pid, fd, path)))
      found.push({ pid: Number(pid), name: text(`/proc/${pid}/comm`).trim() })
  return found.slice(0, 5)
}

function writes(pid: string, fd: string, path: string): boolean {
  try {
    if (readlinkSync(`/proc/${pid}/fd/${fd}`) !== path) return false
  } catch {
    return false
  }
  const flags = /^flags:\s+(\d+)/m.exec(text(`/proc/${pid}/fdinfo/${fd}`))?.[1]
  return (Number.parseInt(flags ?? '0', 8) & 3) !== 0
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
