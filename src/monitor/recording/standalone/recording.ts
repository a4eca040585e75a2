// SPDX-License-Identifier: Apache-2.0
// Stands for ../recording.ts in the binary without Node, which cannot read recordings.
import { fail } from '../../../errors/errors.ts'
import type { Recording } from '../recording.ts'

/** Refuses to open a recording. @throws NODE_MISSING */
export async function openRecording(_file: string): Promise<Recording> {
  throw fail('NODE_MISSING', { what: 'read a recording', missing: 'Node' })
}

/** Finds no groups. */
export function findGroups(_recording: Recording, _name: string): string[] {
  return []
}
