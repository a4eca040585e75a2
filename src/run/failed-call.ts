// SPDX-License-Identifier: Apache-2.0
// Adds to an error which system call was refused and what may have refused it. Used when a start has failed; reads /proc.
import { readFileSync } from 'node:fs'
import { addEvidence, type HutchError } from '../errors.ts'
import { native } from '../native.ts'

/** Calls that the default profile of Docker, Podman or Kubernetes refuses a container without CAP_SYS_ADMIN. */
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

/** Returns the error with the name of the refused call as its operation, and with what restricts this process as evidence. */
export function nameFailedCall(error: HutchError, number: number, errno: string): HutchError {
  if (error.code === 'PROC_COVERED') return error
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
    ...(filtered && { remedy: remedyFor(call, error.remedy) }),
  })
}

function remedyFor(call: string, remedy: string): string {
  const allow = namespaceCalls.has(call)
    ? `allow ${call} in the seccomp profile of this container (Docker: --cap-add SYS_ADMIN, or --security-opt seccomp=FILE)`
    : `allow ${call} in the seccomp profile of this container`
  return remedy === 'see hutch doctor' ? allow : `${remedy}; or ${allow}`
}

/** The AppArmor profile or SELinux label of this process, '' for none that restricts it. */
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
