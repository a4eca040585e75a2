// SPDX-License-Identifier: Apache-2.0
// Keeps why containers ended: a record of each deleted container in ROOT/.ended/.

import type { ContainerStatus } from '../../container/status.ts'
import type { OciState } from '../lifecycle/details.ts'
import { recordVersion, writeEnd } from './end-record.ts'
import { asDeleted, explainEnd } from './explain-container.ts'
import { readPlainEnd } from './plain-end.ts'

/**
 * Writes the record of a container. Must run before its processes are killed and its groups are removed. `status` is its
 * status at present.
 *
 * @throws FILE_REFUSED, and the errors of system calls
 */
export function keepEnd(root: string, state: OciState, status: ContainerStatus): void {
  const { id, details } = state
  const plain = readPlainEnd(root, state, status)
  writeEnd(root, {
    version: recordVersion,
    id,
    bundle: details.bundle,
    ended: new Date().toISOString(),
    ...(plain ? { plain } : { explanation: asDeleted(explainEnd(root, state, status)) }),
  })
}
