// SPDX-License-Identifier: Apache-2.0
// Which descriptors a container's process gets: the standard streams, those that the caller passes on, and the sockets that its setup uses.

import { fail } from '../../errors/errors.ts'
import { readInherited } from '../../host/inherited-fds.ts'
import { fstatSync } from '../../system/files.ts'
import type { ContainerStreams } from '../config/to-spec.ts'

/** The streams of a process, and where its sockets are in their list. */
interface ProcessStreams {
  stdio: number[]
  /** Where the sockets are in the list. */
  places: ContainerStreams
  /** Variables for the command. */
  env: { [name: string]: string }
}

/** First descriptor above the standard streams. */
const firstFurther = 3

/** hutch passes at most this many descriptors (MAX_STREAMS of native/wire/program.h), two of them sockets of its own. */
const keptAtMost = 32 - firstFurther - 2

/** The descriptors that the caller passes on to a container's process. */
interface PassedStreams {
  numbers: readonly number[]
  /** Variables that tell the command about passed sockets, as sd_listen_fds(3) expects. */
  env: { [name: string]: string }
}

/**
 * Returns the descriptors that the caller passes on. Sockets of LISTEN_FDS come before those of --preserve-fds. Must run
 * before this process opens files, because those could lead to the host (CVE-2024-21626).
 *
 * @throws OPTION_INVALID if the caller has not opened a descriptor
 */
export function readPassed(preserved = 0): PassedStreams {
  const sockets = Math.max(0, Number.parseInt(process.env.LISTEN_FDS ?? '', 10) || 0)
  const kept = sockets + preserved
  if (kept > keptAtMost)
    throw fail('OPTION_INVALID', {
      name: '--preserve-fds',
      value: preserved,
      why: `with LISTEN_FDS, ${kept} descriptors are passed on`,
      accepted: `at most ${keptAtMost}`,
    })
  const numbers = Array.from({ length: kept }, (_, i) => firstFurther + i)
  const inherited = kept > 0 ? readInherited() : []
  const closed = numbers.find((fd) => !inherited.includes(fd))
  if (closed !== undefined)
    throw fail('OPTION_INVALID', {
      name: closed < firstFurther + sockets ? 'LISTEN_FDS' : '--preserve-fds',
      value: closed < firstFurther + sockets ? sockets : preserved,
      why: `descriptor ${closed} is not open`,
      accepted: 'the number of open descriptors from 3 on',
    })
  return { numbers, env: sockets > 0 ? { LISTEN_FDS: String(sockets), LISTEN_PID: '1' } : {} }
}

/**
 * Lists the streams of a container's process: the standard streams, those that the caller passes on, and its sockets.
 *
 * @throws STREAM_REFUSED if a standard stream is a directory of the host, which leads out of the root
 */
export function listStreams(
  { numbers, env }: PassedStreams,
  startSocket: number,
  consoleSocket: number | undefined,
): ProcessStreams {
  const kept = numbers.length
  // a terminal replaces the standard streams
  if (consoleSocket === undefined)
    for (const [fd, stream] of ['stdin', 'stdout', 'stderr'].entries())
      if (isDirectory(fd)) throw fail('STREAM_REFUSED', { stream, what: 'a directory', errno: 'EISDIR' })
  const stdio = [0, 1, 2, ...numbers, startSocket]
  return {
    stdio: consoleSocket === undefined ? stdio : [...stdio, consoleSocket],
    places: {
      kept,
      start: firstFurther + kept,
      ...(consoleSocket !== undefined && { console: firstFurther + kept + 1 }),
    },
    env,
  }
}

function isDirectory(fd: number): boolean {
  try {
    return fstatSync(fd).isDirectory()
  } catch {
    // a closed one
    return false
  }
}
