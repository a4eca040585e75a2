// SPDX-License-Identifier: Apache-2.0
// Explains refused operations that limit access to streams and paths by Landlock. Called by op-errors.ts; pure.
import { fail, type HutchError, quote } from '../errors/errors.ts'

/**
 * Explains why a stream was refused, or could not be limited to the access (read or write) that it was opened for.
 * `part` is the number of the stream plus 1.
 */
export function refusedStream(errno: string, part: number, origin: string): HutchError {
  const stream = ['stdin', 'stdout', 'stderr'][part - 1] ?? `descriptor ${part - 1}`
  if (part === 0 || (errno !== 'EISDIR' && errno !== 'EBADF'))
    return fail('STEP_REFUSED', {
      what: 'keep the streams as they were opened',
      operation: 'landlock_restrict_self',
      origin,
      errno,
      remedy: 'see hutch doctor',
    })
  return fail('STREAM_REFUSED', { stream, what: errno === 'EISDIR' ? 'a directory' : 'an O_PATH descriptor', errno })
}

/** Explains why a Landlock rule could not be created. `opening` is true if its path could not be opened. */
export function refusedPath(path: string, errno: string, origin: string, opening: boolean): HutchError {
  if (!opening && (errno === 'ENOSYS' || errno === 'EOPNOTSUPP')) return fail('LANDLOCK_MISSING', { origin, errno })
  return fail('STEP_REFUSED', {
    what: opening ? `open ${quote(path)} for a Landlock rule` : `create a Landlock rule for ${quote(path)}`,
    operation: opening ? 'openat' : 'landlock_add_rule',
    origin,
    errno,
    remedy: opening
      ? 'give a path as the command sees it, which its user can reach; a relative path starts at its working directory'
      : 'see hutch doctor',
  })
}
