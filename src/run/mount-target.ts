// SPDX-License-Identifier: Apache-2.0
// Explains why a mount's target was refused, from what hutch-init found there: a symbolic link, where it leads, and an
// option that works instead. Called by mount-errors.ts.

import { hostPath } from '../mounts/host-path.ts'
import type { Mount } from '../mounts/root.ts'
import type { Op } from '../ops/ops.ts'
import { optionOfMount, withTarget } from '../options/mount-options.ts'
import type { Plan } from '../plan/plan.ts'
import { fileConstants, statSync } from '../system/files.ts'
import { accessSync, errnoName } from '../system/native.ts'
import { basename, dirname } from '../system/paths.ts'
import { decodeNames } from '../text/non-utf8.ts'
import { quote } from '../text/quote.ts'
import { pasteable } from '../verdict/exec-words.ts'
import {
  bwrapOption,
  formatMounts,
  type MountFrontend,
  type MountWords,
  overlayAt,
  tmpfsAt,
} from '../verdict/mount-words.ts'

/** What hutch-init found at the target of a refused mount; `struct program_look` in native/wire/program.h defines the fields. */
export interface TargetState {
  /** The path of the target after all symbolic links are resolved. */
  leads: string
  /** The first symbolic link in the target's path, and where it points; both '' if the path contains no link. */
  link: string
  says: string
  /** True if the link is in /proc/PID and leads to an open descriptor or namespace, not to a path. */
  magic: boolean
  /** The errno of resolving the target, and the length of `leads` up to the part of the path that failed. */
  error?: string
  barrier: number
  /** The file mode of the last part of the path that was found. */
  mode: number
  owner: number
  user: number
}

const layout = { size: 2624, value: 8, words: 20, path: 64, target: 1088, loader: 2112, end: 2368 } as const
const lookAtTarget = 1

/** Decodes the bytes that hutch-init sent about a target. Returns undefined if the bytes describe a program instead. */
export function decodeTargetState(bytes: Buffer | undefined): TargetState | undefined {
  if (bytes?.length !== layout.size || bytes.readInt32LE(layout.value) !== lookAtTarget) return undefined
  const word = (i: number) => bytes.readUInt32LE(layout.words + 4 * i)
  const text = (from: number, to: number) => {
    const end = bytes.indexOf(0, from)
    return decodeNames(bytes.subarray(from, end < 0 || end > to ? to : end))
  }
  return {
    leads: text(layout.target, layout.loader)
      .replace(/\/+/g, '/')
      .replace(/(.)\/$/, '$1'),
    link: text(layout.path, layout.target),
    says: text(layout.loader, layout.end),
    magic: word(7) !== 0,
    ...(word(0) !== 0 && { error: errnoName(-word(0)) }),
    barrier: word(1),
    mode: word(2),
    owner: word(3),
    user: word(5),
  }
}

/** `document`: the mounts are in a document, such as the configuration of a container. No option can be added. */
type TargetFrontend = MountFrontend | 'document'

/** All facts that the rows below can use. */
interface TargetFacts extends TargetState {
  errno: string
  op: Op
  origin: string
  frontend: TargetFrontend
  /** The target as the user typed it. */
  target: string
  /** The part of the path that failed, and the directory that contains it. */
  barred: string
  parent: string
  /** Returns the user's option with another target. */
  at: (target: string) => MountWords | undefined
  /** Returns the path on the host of a path in the job. Returns undefined if the host has no such file. */
  outside: (path: string) => string | undefined
  /** True if the root is a directory that the user named, such as with --rootfs. */
  ownRoot: boolean
  /** Returns true if this user can write the host's directory. */
  canWrite: (path: string) => boolean
}

type Words = readonly [why: string, remedy: string]

const isDirectory = (mode: number) => (mode & 0o170000) === 0o040000
const isOfProcess = (path: string) => /^\/proc\/(self|\d+)\//.test(path)

/** Each row has a condition and the words to use. The first row whose condition is true is used. */
const rows: readonly (readonly [applies: (facts: TargetFacts) => boolean, words: (facts: TargetFacts) => Words])[] = [
  [
    ({ magic, leads, link }) => magic || (link !== '' && isOfProcess(leads)),
    ({ link, says, target, origin }) => [
      `${quote(link)} leads to ${quote(says)}, which is private to each process, and nothing can be mounted there`,
      `give ${origin} another target than ${quote(target)}, one that is not a link into /proc`,
    ],
  ],
  [
    ({ error }) => error === 'ELOOP',
    ({ link, outside }) => [
      `the symbolic links at ${quote(link)} form a loop`,
      replaceLink(outside(link), 'leave out the option that makes this link'),
    ],
  ],
  [
    ({ errno, frontend }) => errno === 'ELOOP' && frontend !== 'bwrap',
    ({ link, leads, target, outside }) => [
      `${quote(link)} is a symbolic link to ${quote(leads)} inside, and ${quote(target)} must be a directory of the root itself`,
      replaceLink(outside(link), `make ${quote(link)} a directory in the root`),
    ],
  ],
  [
    ({ errno, link }) => errno === 'ELOOP' && link !== '',
    (facts) => [
      `${quote(facts.link)} is a symbolic link to ${quote(facts.leads)} inside, and nothing is mounted on a link`,
      instead('name the target of the link', facts, facts.leads),
    ],
  ],
  [
    ({ error, errno }) => error === 'EACCES' && errno === 'EACCES',
    (facts) => [
      `user ${facts.user} cannot search the directory ${quote(facts.barred)} (mode ${octal(facts.mode)}, owner ${facts.owner})`,
      before('cover that directory first', (frontend) => tmpfsAt(facts.barred, frontend), facts) ??
        `let this user search ${quote(facts.outside(facts.barred) ?? facts.barred)}, or give another target in ${facts.origin}`,
    ],
  ],
  [
    ({ error }) => error === 'ENOTDIR',
    (facts) => [
      `${ledTo(facts)}${quote(facts.barred)} is a file, not a directory`,
      instead(
        `give a target that is not below ${quote(facts.barred)}`,
        facts,
        inside(facts.parent, basename(facts.leads)),
      ),
    ],
  ],
  [
    ({ error, leads }) => error === 'ENOENT' && /^\/(proc|sys)(\/|$)/.test(leads),
    (facts) => [
      `${ledTo(facts)}nothing can be made below ${/^\/\w+/.exec(facts.leads)![0]}`,
      'give a target that exists there, or one elsewhere',
    ],
  ],
  [
    ({ error, errno }) => error === 'ENOENT' && ['ENOENT', 'EROFS', 'EACCES', 'EPERM', 'EOVERFLOW'].includes(errno),
    (facts) => [missingWords(facts), make(facts)],
  ],
  [
    ({ errno, error, op }) => errno === 'EISDIR' && !error && 'source' in op,
    (facts) => [
      `${source(facts)} is a file, and ${ledTo(facts)}${quote(facts.leads)} is a directory`,
      instead(
        'also name the file inside',
        facts,
        inside(facts.leads, basename('source' in facts.op ? facts.op.source : '')),
      ),
    ],
  ],
  [
    ({ errno, error, mode }) => errno === 'ENOTDIR' && !error && !isDirectory(mode),
    (facts) => [
      `${source(facts)} is a directory, and ${ledTo(facts)}${quote(facts.leads)} is a file`,
      `give a directory as the target of ${facts.origin}, or a file to be mounted there`,
    ],
  ],
]

/**
 * Returns words about the symbolic link in the target's path, or ''. Words about what is wrong at the link's
 * destination follow them.
 */
function ledTo({ link, leads, target }: TargetFacts): string {
  if (link === '') return ''
  if (link === target) return `${quote(link)} is a symbolic link to ${quote(leads)} inside, and `
  return `${quote(target)} leads to ${quote(leads)} inside, as ${quote(link)} is a symbolic link, and `
}

function source({ op }: TargetFacts): string {
  if (op.op === 'attachNew') return `a ${op.type}`
  return 'source' in op ? quote(op.source) : 'an overlay'
}

function missingWords(facts: TargetFacts): string {
  const { errno, barred, parent, user, mode, owner } = facts
  const what = `${ledTo(facts)}${quote(barred)} does not exist inside`
  if (errno === 'EROFS') return `${what} and cannot be made, as ${quote(parent)} is read-only`
  if (errno === 'EACCES' || errno === 'EPERM')
    return `${what}, and user ${user} cannot create it in ${quote(parent)} (mode ${octal(mode)}, owner ${owner})`
  return `${what}, and hutch creates nothing in ${quote(parent)}, because it would stay on the host`
}

/**
 * Returns the remedy for a missing mount point. In a root of their own, users create it. Otherwise they add an overlay,
 * which leaves the host unchanged.
 */
function make(facts: TargetFacts): string {
  const { parent, leads, outside, canWrite, ownRoot, origin } = facts
  const host = outside(parent)
  if (host === undefined) return `make ${quote(leads)} first, or give another target in ${origin}`
  const path = inside(host, leads.slice(parent === '/' ? 1 : parent.length + 1))
  const command = canWrite(host) ? makeCommand(path, isFileMount(facts)) : undefined
  if (command && (ownRoot || parent === '/')) return `make it first: ${command}`
  const onHost = command && `make it on the host: ${command}`
  const reason = 'put an overlay there first, in which it can be created'
  const overlay = before(reason, (frontend) => overlayAt(parent, host, frontend), facts)
  if (!overlay) return onHost ?? `make ${quote(path)} on the host, or give another target in ${origin}`
  return onHost ? `${overlay}; or ${onHost}` : overlay
}

function inside(directory: string, name: string): string {
  return `${directory === '/' ? '' : directory}/${name}`
}

/**
 * Returns a reason and the options to type: another mount first, then the refused one. Returns undefined if there are
 * no options.
 */
function before(
  reason: string,
  first: (frontend: MountFrontend) => MountWords,
  { at, target, frontend }: TargetFacts,
): string | undefined {
  if (frontend === 'document') return undefined
  const again = at(target)
  return `${reason}: ${formatMounts(again ? [first(frontend), again] : [first(frontend)], frontend)}`
}

function isFileMount({ op }: TargetFacts): boolean {
  return op.op === 'writeData' || op.op === 'attachText' || ('source' in op && isFile(op.source))
}

function isFile(path: string): boolean {
  try {
    accessSync(`${path}/.`)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOTDIR'
  }
}

function makeCommand(path: string, file: boolean): string {
  if (!file) return `mkdir -p ${pasteable(path)}`
  return `mkdir -p ${pasteable(dirname(path))} && touch ${pasteable(path)}`
}

function replaceLink(host: string | undefined, otherwise: string): string {
  return host ? `replace the link by a directory: rm ${pasteable(host)} && mkdir ${pasteable(host)}` : otherwise
}

function instead(reason: string, { at, origin, frontend }: TargetFacts, target: string): string {
  const option = at(target)
  return `${reason}: ${option && frontend !== 'document' ? formatMounts([option], frontend) : `${quote(target)} in ${origin}`}`
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

/** What the caller of `targetWords` must provide. */
export interface TargetContext {
  op: Op
  errno: string
  /** The refused option as the user typed it. */
  origin: string
  target: string
  frontend: TargetFrontend
  /** The operations up to and including the refused one. */
  steps: readonly Op[]
  mounts?: readonly Mount[]
}

/** Combines what hutch-init found at the target with the mounts of the plan. Called for a refused operation of a job's start. */
export function seenBy(plan: Plan, steps: readonly Op[], state: TargetState) {
  const frontend = plan.spec.container ? ('document' as const) : plan.spec.frontend
  return { state, steps, frontend, mounts: plan.spec.root?.mounts ?? [] }
}

/** Returns why the target was refused, and the remedy. Returns undefined if no row of the table applies. */
export function targetWords(state: TargetState, context: TargetContext): Words | undefined {
  const { op, errno, origin, target, frontend, steps, mounts } = context
  const barred = state.leads.slice(0, state.barrier) || '/'
  const parent = dirname(barred)
  const outside = (path: string) => hostPath(steps, path)
  const root = steps.find((step) => step.op === 'openRoot')
  const typed = mounts?.find((mount) => mount.target === target && 'origin' in op && mount.origin === op.origin)
  const facts: TargetFacts = {
    ...state,
    errno,
    op,
    origin,
    target,
    frontend,
    barred,
    parent,
    ...ids(state, outside(state.error === 'EACCES' ? barred : parent)),
    at: (path) => {
      if (frontend === 'bwrap') return bwrapOption(op, origin, path)
      return typed?.typed === undefined
        ? undefined
        : { kind: optionOfMount(typed), word: withTarget(optionOfMount(typed), typed.typed, path) }
    },
    outside,
    ownRoot: root?.op === 'openRoot' && root.source !== '/' && outside(parent) === hostPath([root], parent),
    canWrite,
  }
  return rows.find(([applies]) => applies(facts))?.[1](facts)
}

/**
 * Returns the ids of the user and of the directory's owner, as the host knows them. A user namespace shows 65534 for
 * ids that it does not map.
 */
function ids({ user, owner }: TargetState, host: string | undefined): { user: number; owner: number } {
  try {
    return { user: process.geteuid!(), owner: host === undefined ? owner : statSync(host).uid }
  } catch {
    return { user, owner }
  }
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, fileConstants.W_OK)
    return true
  } catch {
    return false
  }
}
