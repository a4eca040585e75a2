// SPDX-License-Identifier: Apache-2.0
// Adds to an error which system call was refused, and what may have refused it. The cause can also be a limit of this
// process. Called after a failed start; reads /proc.

import { addEvidence, type HutchError, remedyOf } from '../errors/errors.ts'
import { optionOfRun, type RemedyText, text } from '../errors/remedy-text.ts'
import { findObstacles } from '../host/privileges.ts'
import type { Op } from '../ops/ops.ts'
import type { Plan } from '../plan/plan.ts'
import type { Refusal } from '../system/events.ts'
import { readFileSync } from '../system/files.ts'
import { native } from '../system/native.ts'
import { explainRefusal } from './op-errors.ts'

/** System calls that the default profiles of Docker, Podman and Kubernetes refuse without CAP_SYS_ADMIN. */
const namespaceCalls = new Set([
  'clone3',
  'clone',
  'unshare',
  'setns',
  'mount',
  'umount2',
  'pivot_root',
  'open_tree',
  'move_mount',
  'fsopen',
  'fsconfig',
  'fsmount',
  'mount_setattr',
  'sethostname',
  'bpf',
])

/**
 * The resource limit that a refused call reached, by errno (setrlimit(2)): the row in /proc/self/limits, words for it,
 * and the remedy.
 */
const exhaustedLimits: { [errno: string]: [row: string, words: string, remedy: RemedyText] } = {
  EMFILE: [
    'Max open files',
    'the limit of open files of a process is reached (RLIMIT_NOFILE)',
    text`raise it: ulimit -n 256, or LimitNOFILE=256 of the service; for the job: ${optionOfRun('ulimits')} nofile=256`,
  ],
  EFBIG: [
    'Max file size',
    'a start writes 64 KiB or more to files in memory, and the file size limit forbids it (RLIMIT_FSIZE)',
    text`raise it: ulimit -f unlimited, or LimitFSIZE=infinity of the service; for the job alone: ${optionOfRun('ulimits')} fsize=0`,
  ],
}

function nameLimit(
  error: HutchError,
  [row, words, remedy]: [row: string, words: string, remedy: RemedyText],
): HutchError {
  const [, now] = new RegExp(`^${row} +(\\S+)`, 'm').exec(readText('/proc/self/limits')) ?? []
  return addEvidence(error, [now === undefined ? words : `${words}: ${now}`], { remedy })
}

/** Returns the error with the refused system call in it, and with the restrictions of this process as evidence. */
export function nameFailedCall(error: HutchError, number: number, errno: string): HutchError {
  if (error.code === 'PROC_COVERED') return error
  const limit = exhaustedLimits[errno]
  if (limit) return nameLimit(error, limit)
  if (number === 0 || !(errno === 'EPERM' || errno === 'ENOSYS' || errno === 'EACCES')) return error
  const call = native().callName(number)
  if (call === '') return error
  const filtered = errno !== 'EACCES' && /^Seccomp:\s+2$/m.test(readText('/proc/self/status'))
  const evidence = [`refused system call: ${call}`]
  if (filtered && errno === 'ENOSYS')
    evidence.push('refused by: the seccomp filter of this process, or a kernel that lacks the call')
  if (filtered && errno === 'EPERM')
    evidence.push('possibly refused by: the seccomp filter of this process (Seccomp: 2 in /proc/self/status)')
  const profile = errno === 'ENOSYS' ? '' : securityProfile()
  if (profile !== '') evidence.push(`possibly refused by: the security module, profile ${JSON.stringify(profile)}`)
  return addEvidence(error, evidence, {
    operation: call,
    ...(filtered && { remedy: remedyFor(call, remedyOf(error)) }),
  })
}

/**
 * Explains why the groups could not be removed after a job's end. `part` of the refusal is the number of the refused
 * system call.
 */
export function explainLeftover(op: Op, { errno, part }: Refusal, plan: Plan): HutchError {
  return nameFailedCall(explainRefusal(op, errno, plan, findObstacles), part, errno)
}

function remedyFor(call: string, remedy: RemedyText): RemedyText {
  const allow = namespaceCalls.has(call)
    ? `allow ${call} in the seccomp profile of this container (Docker: --cap-add SYS_ADMIN, or --security-opt seccomp=FILE)`
    : `allow ${call} in the seccomp profile of this container`
  return remedy === 'see hutch doctor' ? allow : text`${remedy}; or ${allow}`
}

/** Returns the AppArmor profile or SELinux label of this process. Returns '' if neither restricts this process. */
function securityProfile(): string {
  const profile = readText('/proc/self/attr/current').replaceAll('\0', '').trim()
  return profile.startsWith('unconfined') || profile === 'kernel' ? '' : profile
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
