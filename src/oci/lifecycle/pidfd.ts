// SPDX-License-Identifier: Apache-2.0
// Sends a pidfd of a container's process to the socket of a caller: --pidfd-socket.

import { fail } from '../../errors/errors.ts'
import { closeDescriptor, errnoName, native } from '../../system/native.ts'
import { connectTo } from './console.ts'
import type { Waiting } from './launch-contained.ts'

/** Words of runc that come with a pidfd: of a first process, and of one that `exec` starts. */
type PidfdKind = 'standard' | 'setns'

/** Sends a pidfd to the socket at a path, if there is one. @throws FILE_REFUSED, STREAM_FAILED */
export function sendPidfd(path: string | undefined, { pid }: Waiting, kind: PidfdKind): void {
  if (path === undefined) return
  const socket = connectTo(path)
  const sent = native().sendPidfd(socket, pid, kind)
  closeDescriptor(socket)
  if (sent < 0) throw fail('STREAM_FAILED', { what: 'send a pidfd to --pidfd-socket', why: errnoName(sent) })
}
