// SPDX-License-Identifier: Apache-2.0
// Reports a running sandbox through --info-fd and --json-status-fd, each in its own format. Called by bwrap.ts.

import { fail } from '../../errors/errors.ts'
import { type NamespaceKind, namespaces } from '../../namespaces/namespace.ts'
import { closeSync, readlinkSync, writeSync } from '../../system/files.ts'
import type { BwrapRequest } from './request.ts'

/** Namespaces whose ids are reported, in the order that readers expect. As in bubblewrap, the user namespace is not reported. */
const reportedKinds = ['cgroup', 'ipc', 'mount', 'net', 'pid', 'uts'] as const

/** Reports the start to --info-fd and --json-status-fd. Called when the process exists, before it does anything. @throws FILE_REFUSED */
export function reportStart({ info, status }: BwrapRequest, kinds: ReadonlySet<NamespaceKind>, pid: number): void {
  const facts: [string, number][] = [['child-pid', pid]]
  for (const kind of reportedKinds) {
    if (kind !== 'mount' && !kinds.has(kind)) continue
    const number = numberOf(String(pid), namespaces[kind].file)
    // a namespace that is created later is not reported
    if (number !== undefined && number !== numberOf('self', namespaces[kind].file))
      facts.push([`${namespaces[kind].file}-namespace`, number])
  }
  const pairs = facts.map(([name, value]) => `"${name}": ${value}`)
  if (info !== undefined) {
    tell('--info-fd', info, `{\n${pairs.map((pair) => `    ${pair}`).join(',\n')}\n}\n`)
    closeSync(info)
  }
  if (status !== undefined) tell('--json-status-fd', status, `{ ${pairs.join(', ')} }\n`)
}

/** Reports the exit status to --json-status-fd, if the program has run. @throws FILE_REFUSED */
export function reportEnd({ status }: BwrapRequest, exit: number): void {
  if (status !== undefined) tell('--json-status-fd', status, `{ "exit-code": ${exit} }\n`)
}

function tell(name: string, descriptor: number, text: string): void {
  try {
    writeSync(descriptor, text)
  } catch (error) {
    throw fail('FILE_REFUSED', {
      what: 'write to',
      path: `descriptor ${descriptor}`,
      errno: (error as NodeJS.ErrnoException).code ?? 'EIO',
      remedy: `open the output of ${name} as that descriptor`,
    })
  }
}

/** Returns the inode number that identifies a namespace of a process; undefined if the process has ended. */
function numberOf(pid: string, file: string): number | undefined {
  try {
    return Number(/\[(\d+)\]/.exec(readlinkSync(`/proc/${pid}/ns/${file}`))?.[1])
  } catch {
    return undefined
  }
}
