// SPDX-License-Identifier: Apache-2.0
// Turns errors into the line that callers of a runtime look for: runc's words first, then hutch's words and remedy, on one line. Callers test
// for exact parts of this line, such as `does not exist`. Pure.

import type { Code, HutchError } from '../errors/errors.ts'

/** A situation, and the words that callers look for. `$id` and `$status` stand for the container's, `$path` for the path of the error. */
interface Row {
  code: Code
  /** The action, or the system call; any by default. */
  action?: string
  /** The container's statuses; any by default. */
  statuses?: readonly string[]
  /** A further condition. */
  when?(error: HutchError): boolean
  words: string
}

const notRunning = 'container not running'

/** The first row that fits counts. */
const rows: readonly Row[] = [
  { code: 'CONTAINER_NOT_FOUND', words: 'container does not exist' },
  { code: 'CONTAINER_EXISTS', words: 'container with given ID already exists' },
  { code: 'CONTAINER_ID_INVALID', words: 'invalid container ID format' },
  {
    code: 'CONTAINER_STATUS',
    action: 'start',
    statuses: ['stopped'],
    words: 'cannot start a container that has stopped',
  },
  {
    code: 'CONTAINER_STATUS',
    action: 'start',
    statuses: ['running'],
    words: 'cannot start an already running container',
  },
  { code: 'CONTAINER_STATUS', action: 'start', words: 'cannot start a container in the $status state' },
  {
    code: 'CONTAINER_STATUS',
    action: 'exec',
    statuses: ['paused'],
    words: 'cannot exec in a paused container (use --ignore-paused to override)',
  },
  {
    code: 'CONTAINER_STATUS',
    action: 'exec',
    statuses: ['creating'],
    words: 'cannot exec in a container that is being created',
  },
  { code: 'CONTAINER_STATUS', action: 'exec', words: 'cannot exec in a stopped container' },
  { code: 'CONTAINER_STATUS', action: 'delete', words: 'cannot delete container $id that is not stopped: $status' },
  { code: 'CONTAINER_STATUS', action: 'resume', words: 'container not paused' },
  { code: 'CONTAINER_STATUS', words: notRunning },
  { code: 'CGROUP_REFUSED', when: ({ errno }) => errno === 'EEXIST', words: "container's cgroup is not empty" },
  {
    code: 'FILE_REFUSED',
    action: 'execve',
    when: ({ errno, path = '' }) => errno === 'ENOENT' && !path.includes('/'),
    words: 'exec: "$path": executable file not found in $PATH',
  },
]

/** The words of strerror(3), which callers look for, by errno. */
const errnoWords: { readonly [errno: string]: string } = {
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ESRCH: 'no such process',
  ENOEXEC: 'exec format error',
  EACCES: 'permission denied',
  EBUSY: 'device or resource busy',
  EEXIST: 'file exists',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EINVAL: 'invalid argument',
  ENOSPC: 'no space left on device',
  EROFS: 'read-only file system',
  ELOOP: 'too many levels of symbolic links',
  ENAMETOOLONG: 'file name too long',
  E2BIG: 'argument list too long',
  ENOMEM: 'cannot allocate memory',
  ENODEV: 'no such device',
  EOPNOTSUPP: 'operation not supported',
}

/** Returns an error as one line in the words of a runtime. */
export function refusalLine(error: HutchError): string {
  const { summary, evidence, remedy } = error
  const words = wordsOf(error)
  const details = [summary, ...evidence, `remedy: ${remedy}`].join('; ').replace(/\s*\n\s*/g, ' ')
  return words === undefined || details.toLowerCase().includes(words.toLowerCase()) ? details : `${words}: ${details}`
}

function wordsOf(error: HutchError): string | undefined {
  const { code, operation, value, errno } = error
  const row = rows.find(
    (one) =>
      one.code === code &&
      (one.action === undefined || one.action === operation) &&
      (one.statuses === undefined || one.statuses.includes(value ?? '')) &&
      (one.when === undefined || one.when(error)),
  )
  if (row)
    return row.words.replace(/\$(?:status|id|path)\b/g, (word) => (word === '$status' ? value : error.path) ?? '')
  return errno === undefined ? undefined : errnoWords[errno]
}
