// SPDX-License-Identifier: Apache-2.0
// Errors of containers: their ids, directories and status. A part of the table of errors; pure.

import { quote } from '../text/quote.ts'
import type { ErrorWords } from './cgroup-errors.ts'

/** Errors by code. Each row turns the facts of an error into its text. */
export const containerErrors = {
  CONTAINER_ID_INVALID: (f: { id: string; why: string }): ErrorWords => ({
    message: `invalid container ID ${quote(f.id)}: ${f.why}`,
    remedy: 'give letters, digits and the characters _ + - . only, and no . at the beginning',
    value: f.id,
  }),
  CONTAINER_EXISTS: (f: { id: string; directory: string }): ErrorWords => ({
    message: `cannot create the container ${quote(f.id)}: ${f.directory} exists`,
    remedy: 'delete the container of this ID, or choose another ID',
    path: f.directory,
    value: f.id,
    errno: 'EEXIST',
  }),
  CONTAINER_NOT_FOUND: (f: { id: string; root: string }): ErrorWords => ({
    message: `cannot find the container ${quote(f.id)} in ${f.root}`,
    remedy: 'list the containers of this root, or name the root in which the container was created',
    path: f.root,
    value: f.id,
    errno: 'ENOENT',
  }),
  /** Another process holds the container's lock, and the caller did not want to wait. */
  CONTAINER_BUSY: (f: { id: string }): ErrorWords => ({
    message: `cannot use the container ${quote(f.id)}: another process is changing it`,
    remedy: 'try again when that process has ended',
    value: f.id,
    errno: 'EAGAIN',
  }),
  CONTAINER_STATE_INVALID: (f: { path: string; why: string }): ErrorWords => ({
    message: `cannot use ${f.path}: ${f.why}`,
    remedy: 'delete the container by force, and create it again',
    path: f.path,
  }),
  CONTAINER_AMBIGUOUS: (f: { name: string; found: string[] }): ErrorWords => ({
    message: `cannot decide which container ${quote(f.name)} is: ${f.found.length} have this ID`,
    evidence: f.found.slice(0, 5),
    remedy: 'give the whole ID, and the root with --root DIR',
    value: f.name,
  }),
  END_RECORD_INVALID: (f: { path: string; why: string }): ErrorWords => ({
    message: `cannot use ${quote(f.path)} as the end of a container: ${quote(f.why)}`,
    remedy: 'remove the file; ask the caller of the runtime how the container ended',
    path: f.path,
  }),
  OCI_COMMAND_UNSUPPORTED: (f: { command: string }): ErrorWords => ({
    message: `cannot ${f.command} containers: hutch does not use CRIU`,
    remedy: 'stop the container and create it again, or use runc or crun with CRIU for this container',
    value: f.command,
  }),
  HOOK_FAILED: (f: { point: string; index: number; path: string; why: string; output: string }): ErrorWords => ({
    message: `error running ${f.point} hook #${f.index}: ${f.path}: ${f.why}`,
    remedy: 'correct the hook, or remove it from the configuration',
    path: f.path,
    ...(f.output && { evidence: [`its output: ${f.output}`] }),
  }),
  /** The first process of a container, or a further one, ended while it was set up. */
  CONTAINER_ENDED: (f: { why: string }): ErrorWords => ({
    message: `the container's process ended before its start: ${f.why}`,
    remedy: 'if the memory limit is low, raise linux.resources.memory.limit; otherwise see who sent the signal',
  }),
  /** The container's status forbids an action. `operation` is the action, and `value` the status. */
  CONTAINER_STATUS: (f: { id: string; action: string; status: string }): ErrorWords => ({
    message: `cannot ${f.action} the container ${quote(f.id)}: its status is ${f.status}`,
    remedy: 'wait until the container has the needed status',
    operation: f.action,
    path: f.id,
    value: f.status,
  }),
}
